"""mx.io is mxio.io, and as forgiving as MXNet."""

from mxio.compat import _subset

from . import io
from .io import *

__getattr__ = _subset.close(__name__)
