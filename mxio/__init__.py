"""RecordIO image data sets in, decoded, augmented, prefetched batches out.

The names of MXNet are where MXNet has them: mxio.io, mxio.recordio, mxio.image,
mxio.nd. The PyTorch and NumPy faces are in mxio.adapters; import the one you use.
"""

from typing import TYPE_CHECKING, Any

from mxio import context, image, io, recordio
from mxio import image as img
from mxio import ndarray as nd
from mxio._core import features
from mxio._views import LabelRange
from mxio.context import Context, cpu, gpu
from mxio.errors import DataError, MxioError, MXNetError, ParameterError

if TYPE_CHECKING:
    from mxio.tools.convert import convert
    from mxio.tools.download import download
    from mxio.tools.view import view

__all__ = [
    "Context",
    "DataError",
    "LabelRange",
    "MXNetError",
    "MxioError",
    "ParameterError",
    "context",
    "convert",
    "cpu",
    "download",
    "features",
    "gpu",
    "image",
    "img",
    "io",
    "nd",
    "recordio",
    "view",
]

__version__ = "0.1.0"

# The tools, each by the module that has it; loaded when asked for.
_TOOLS = {"convert": "convert", "download": "download", "view": "view"}


def __getattr__(name: str) -> Any:
    if name not in _TOOLS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"mxio.tools.{_TOOLS[name]}"), name)
