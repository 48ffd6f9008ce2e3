"""MXNet's data loading under its own name, for programs started by mxio.compat.

The modules here only say which names there are; what is behind them is mxio.
"""

import mxio
from mxio.compat import _subset
from mxio.errors import MXNetError

_subset.guard_imports()

from . import (  # noqa: E402  the guard comes first, for the imports in them
    base,
    context,
    gluon,
    image,
    io,
    log,
    ndarray,
    random,
    recordio,
    test_utils,
)
from .context import Context, cpu, cpu_pinned, current_context, gpu  # noqa: E402

img = image
nd = ndarray
rnd = random

__version__ = f"1.9.1+mxio.{mxio.__version__}"

__getattr__ = _subset.close(__name__)
