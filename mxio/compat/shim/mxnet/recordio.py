"""mx.recordio is mxio.recordio."""

from mxio.compat import _subset
from mxio.recordio import *

__getattr__ = _subset.close(__name__)
