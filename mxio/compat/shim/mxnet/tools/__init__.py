"""mxnet.tools: the command lines that make RecordIO files."""

from mxio.compat import _subset

__getattr__ = _subset.close(__name__)
