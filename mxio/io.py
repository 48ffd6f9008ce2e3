"""The names of mx.io."""

from mxio.adapters.arrays import NDArrayIter
from mxio.adapters.combined import PrefetchingIter, ResizeIter
from mxio.adapters.dataiter import (
    DataBatch,
    DataDesc,
    DataIter,
    ImageRecordInt8Iter,
    ImageRecordIter,
    ImageRecordIter_v1,
    ImageRecordUInt8Iter,
    ImageRecordUInt8Iter_v1,
    MXDataIter,
)
from mxio.adapters.detiter import ImageDetRecordIter
from mxio.adapters.tables import CSVIter, LibSVMIter, MNISTIter

__all__ = [
    "CSVIter",
    "DataBatch",
    "DataDesc",
    "DataIter",
    "ImageDetRecordIter",
    "ImageRecordInt8Iter",
    "ImageRecordIter",
    "ImageRecordIter_v1",
    "ImageRecordUInt8Iter",
    "ImageRecordUInt8Iter_v1",
    "LibSVMIter",
    "MNISTIter",
    "MXDataIter",
    "NDArrayIter",
    "PrefetchingIter",
    "ResizeIter",
]
