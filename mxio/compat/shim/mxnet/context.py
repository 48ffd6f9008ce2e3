"""mx.context is mxio.context."""

from mxio.compat import _subset
from mxio.context import *

__getattr__ = _subset.close(__name__)
