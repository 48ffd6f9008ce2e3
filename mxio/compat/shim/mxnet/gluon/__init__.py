"""mx.gluon: its data."""

from mxio.compat import _subset

from . import data

__getattr__ = _subset.close(__name__)
