"""RecordIO image data sets in, decoded, augmented, prefetched batches out.

The names of MXNet are where MXNet has them: mxio.io, mxio.recordio, mxio.image,
mxio.nd. The PyTorch and NumPy faces are in mxio.adapters; import the one you use.
"""

from mxio import context, image, io, recordio
from mxio import image as img
from mxio import ndarray as nd
from mxio._core import features
from mxio._views import LabelRange
from mxio.context import Context, cpu, gpu
from mxio.errors import DataError, MxioError, MXNetError, ParameterError

__all__ = [
    "Context",
    "DataError",
    "LabelRange",
    "MXNetError",
    "MxioError",
    "ParameterError",
    "context",
    "cpu",
    "features",
    "gpu",
    "image",
    "img",
    "io",
    "nd",
    "recordio",
]

__version__ = "0.1.0"
