"""The iterators of mxio.io. Those that are native in MXNet are functions, as there."""

import difflib as _difflib
import functools as _functools
import inspect as _inspect
import warnings as _warnings
from collections.abc import Callable as _Callable
from typing import Any as _Any

from mxio import io as _io
from mxio.compat import _subset
from mxio.io import *


def _forgiving(kind: type[_io.MXDataIter]) -> _Callable[..., _io.MXDataIter]:
    """Leaves out, with a warning, options that MXNet ignores and mxio refuses."""
    known = _inspect.signature(kind).parameters

    @_functools.wraps(kind, updated=())
    def make(*positional: _Any, **options: _Any) -> _io.MXDataIter:
        for name in [name for name in options if name not in known]:
            near = _difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            problem = f"{kind.__name__} has no parameter {name!r}"
            _warnings.warn(
                f"{problem}: ignored, as by MXNet{hint}",
                stacklevel=2,
            )
            del options[name]
        return kind(*positional, **options)

    return make


for _name, _kind in vars(_io).items():
    if isinstance(_kind, type) and _io.MXDataIter in _kind.__mro__[1:]:
        globals()[_name] = _forgiving(_kind)

__getattr__ = _subset.close(__name__)
