"""RecordIO image data sets in, decoded, augmented, prefetched batches out.

The names of MXNet are where MXNet has them: mxio.io, mxio.recordio, mxio.image,
mxio.nd. The PyTorch and NumPy faces are in mxio.adapters; import the one you use.
"""

import importlib
from typing import TYPE_CHECKING, Any

from mxio import context, image, io, recordio
from mxio import image as img
from mxio import ndarray as nd
from mxio._core import features
from mxio._views import LabelRange
from mxio.adapters.records import RecordDataset
from mxio.context import Context, cpu, gpu
from mxio.errors import DataError, MxioError, MXNetError, ParameterError

if TYPE_CHECKING:
    from mxio.tools.bench import BenchReport, bench
    from mxio.tools.card import CardReport, card
    from mxio.tools.convert import ConvertReport, convert
    from mxio.tools.doctor import DoctorReport, doctor
    from mxio.tools.download import DownloadReport, download
    from mxio.tools.info import FileInfo, info
    from mxio.tools.repair import LostBytes, RepairReport, repair
    from mxio.tools.verify import Damage, VerifyReport, verify
    from mxio.tools.view import ViewReport, view

__all__ = [
    "BenchReport",
    "CardReport",
    "Context",
    "ConvertReport",
    "Damage",
    "DataError",
    "DoctorReport",
    "DownloadReport",
    "FileInfo",
    "LabelRange",
    "LostBytes",
    "MXNetError",
    "MxioError",
    "ParameterError",
    "RecordDataset",
    "RepairReport",
    "VerifyReport",
    "ViewReport",
    "bench",
    "card",
    "context",
    "convert",
    "cpu",
    "doctor",
    "download",
    "features",
    "gpu",
    "image",
    "img",
    "info",
    "io",
    "nd",
    "recordio",
    "repair",
    "verify",
    "view",
]

__version__ = "0.1.0"

# What the command `mxio` does, as functions: the module of mxio.tools that has each.
_TOOLS = {
    "BenchReport": "bench",
    "bench": "bench",
    "CardReport": "card",
    "card": "card",
    "ConvertReport": "convert",
    "convert": "convert",
    "DoctorReport": "doctor",
    "doctor": "doctor",
    "DownloadReport": "download",
    "download": "download",
    "Damage": "verify",
    "FileInfo": "info",
    "LostBytes": "repair",
    "RepairReport": "repair",
    "VerifyReport": "verify",
    "info": "info",
    "repair": "repair",
    "verify": "verify",
    "ViewReport": "view",
    "view": "view",
}


def __getattr__(name: str) -> Any:
    """The tools are loaded when they are used."""
    if name not in _TOOLS:
        raise AttributeError(f"module 'mxio' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"mxio.tools.{_TOOLS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
