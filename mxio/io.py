"""The names of mx.io."""

from mxio.adapters.dataiter import (
    DataBatch,
    DataDesc,
    DataIter,
    ImageRecordIter,
    MXDataIter,
)

__all__ = ["DataBatch", "DataDesc", "DataIter", "ImageRecordIter", "MXDataIter"]
