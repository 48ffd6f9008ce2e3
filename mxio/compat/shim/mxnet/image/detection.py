"""The same under its longer name."""

from mxio.compat import _subset
from mxio.image import *

__getattr__ = _subset.close(__name__)
