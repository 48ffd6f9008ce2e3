"""What a program is told about a name of MXNet that the shim does not have."""

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import NoReturn

__all__ = ["MissingModuleError", "MissingNameError", "close", "guard_imports"]

_NETWORKS = "networks and their training need MXNet itself"
_OPERATORS = "arrays are NumPy arrays here; use the functions of NumPy"
_DOWNLOADS = "mxio fetches nothing from the net"
# The reason for everything under a name, unless a longer name has its own.
_REASONS = {
    "mxnet": "it reads, writes, decodes and augments data; " + _NETWORKS,
    "mxnet.base": "there is no libmxnet behind it",
    "mxnet.context": "its arrays live in the memory of the CPU",
    "mxnet.gluon": "of gluon it has gluon.data; " + _NETWORKS,
    "mxnet.gluon.data": "of gluon.data it has datasets, samplers and DataLoader",
    "mxnet.gluon.data.vision": "it has the datasets of folders and RecordIO files; "
    "transform them with a function; " + _DOWNLOADS,
    "mxnet.gluon.utils": _DOWNLOADS,
    "mxnet.image": "it decodes, resizes, crops and augments images; " + _OPERATORS,
    "mxnet.io": "it has MXNet's iterators over images, arrays and text",
    "mxnet.ndarray": _OPERATORS,
    "mxnet.np": _OPERATORS,
    "mxnet.npx": _OPERATORS,
    "mxnet.numpy": _OPERATORS,
    "mxnet.random": _OPERATORS,
    "mxnet.recordio": "it has the readers and writers of RecordIO and image records",
    "mxnet.test_utils": "it has what tests of data loading use; " + _DOWNLOADS,
    "mxnet.tools": "it has im2rec and rec2idx",
}


class MissingNameError(AttributeError):
    """An attribute of MXNet that the shim does not have."""


class MissingModuleError(ModuleNotFoundError):
    """A module of MXNet, or a name imported from one, that the shim does not have."""


def close(module: str) -> Callable[[str], NoReturn]:
    """The `__getattr__` of a module of the shim: it says what is missing, and why."""
    # Python asks the finders for `from module import name` only if it has a path.
    if not hasattr(sys.modules[module], "__path__"):
        sys.modules[module].__path__ = []

    def refuse(name: str) -> NoReturn:
        raise MissingNameError(
            _sentence(f"{module}.{name}"), name=name, obj=sys.modules[module]
        )

    return refuse


def guard_imports() -> None:
    """Say the same for modules that are imported and names imported from modules."""
    sys.meta_path.append(_Guard())


class _Guard(MetaPathFinder):
    """Asked last, when no finder knows the module."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname.startswith("mxnet."):
            # Without a name in it: Python drops a ModuleNotFoundError that names just
            # what a `from` asked for, and raises one of its own.
            raise MissingModuleError(_sentence(fullname))
        return None


def _sentence(name: str) -> str:
    place = name
    while place not in _REASONS:
        place = place.rpartition(".")[0]
    reason = _REASONS[place]
    return f"{name} is not part of the data subset that mxio provides: {reason}"
