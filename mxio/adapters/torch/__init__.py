"""The PyTorch face: data sets for DataLoader, and a loader without one."""

from mxio.adapters.torch._dataset import ImageRecordDataset
from mxio.adapters.torch._loader import Loader
from mxio.adapters.torch._map import ImageRecordMapDataset
from mxio.adapters.torch._records import RecordDataset
from mxio.adapters.torch._resume import global_state

__all__ = [
    "ImageRecordDataset",
    "ImageRecordMapDataset",
    "Loader",
    "RecordDataset",
    "global_state",
]
