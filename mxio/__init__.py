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
    from mxio.tools._source import Written
    from mxio.tools.bench import BenchReport, bench
    from mxio.tools.card import CardReport, card
    from mxio.tools.cat import cat
    from mxio.tools.convert import ConvertReport, convert
    from mxio.tools.doctor import DoctorReport, doctor
    from mxio.tools.download import DownloadReport, download
    from mxio.tools.extract import ExtractReport, extract
    from mxio.tools.index import IndexReport, index
    from mxio.tools.info import FileInfo, info
    from mxio.tools.merge import MergeReport, merge
    from mxio.tools.pack import PackReport, pack
    from mxio.tools.repack import KeptPicture, RepackReport, repack
    from mxio.tools.repair import LostBytes, RepairReport, repair
    from mxio.tools.shuffle import shuffle
    from mxio.tools.split import split
    from mxio.tools.subset import subset
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
    "ExtractReport",
    "FileInfo",
    "IndexReport",
    "KeptPicture",
    "LabelRange",
    "LostBytes",
    "MXNetError",
    "MergeReport",
    "MxioError",
    "PackReport",
    "ParameterError",
    "RecordDataset",
    "RepackReport",
    "RepairReport",
    "VerifyReport",
    "ViewReport",
    "Written",
    "bench",
    "card",
    "cat",
    "context",
    "convert",
    "cpu",
    "doctor",
    "download",
    "extract",
    "features",
    "gpu",
    "image",
    "img",
    "index",
    "info",
    "io",
    "merge",
    "nd",
    "pack",
    "recordio",
    "repack",
    "repair",
    "shuffle",
    "split",
    "subset",
    "verify",
    "view",
]

__version__ = "0.1.0"

# What the command `mxio` does, as functions: the module of mxio.tools that has each.
_TOOLS = {
    "BenchReport": "bench",
    "CardReport": "card",
    "ConvertReport": "convert",
    "convert": "convert",
    "DoctorReport": "doctor",
    "doctor": "doctor",
    "DownloadReport": "download",
    "download": "download",
    "Damage": "verify",
    "ExtractReport": "extract",
    "FileInfo": "info",
    "IndexReport": "index",
    "LostBytes": "repair",
    "RepairReport": "repair",
    "VerifyReport": "verify",
    "ViewReport": "view",
    "Written": "_source",
    "bench": "bench",
    "card": "card",
    "cat": "cat",
    "extract": "extract",
    "index": "index",
    "info": "info",
    "view": "view",
    "MergeReport": "merge",
    "PackReport": "pack",
    "merge": "merge",
    "pack": "pack",
    "KeptPicture": "repack",
    "RepackReport": "repack",
    "repack": "repack",
    "repair": "repair",
    "shuffle": "shuffle",
    "split": "split",
    "subset": "subset",
    "verify": "verify",
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
