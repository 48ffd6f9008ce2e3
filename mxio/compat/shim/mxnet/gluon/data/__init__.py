"""mx.gluon.data: datasets, samplers, and a loader of batches."""

from mxio.compat import _subset

from . import dataloader, dataset, sampler, vision
from .dataloader import DataLoader
from .dataset import ArrayDataset, Dataset, RecordFileDataset, SimpleDataset
from .sampler import (
    BatchSampler,
    FilterSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
)

__getattr__ = _subset.close(__name__)
