"""mx.gluon.data.vision: datasets of images."""

from mxio.compat import _subset

from . import datasets
from .datasets import ImageFolderDataset, ImageRecordDataset

__getattr__ = _subset.close(__name__)
