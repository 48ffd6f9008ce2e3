"""A loader that puts the samples of a dataset into batches."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np

from mxio.compat import _subset
from mxio.ndarray import NDArray, array

from .dataset import Dataset
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

__all__ = ["DataLoader", "default_batchify_fn"]


def default_batchify_fn(data: Sequence[Any]) -> Any:
    """Samples as one array, in their own dtype; tuples as a list of arrays."""
    if isinstance(data[0], tuple):
        return [default_batchify_fn(part) for part in zip(*data, strict=True)]
    if isinstance(data[0], NDArray):
        return np.stack(data).view(NDArray)
    plain = np.asarray(data)
    return array(plain, dtype=plain.dtype)


class DataLoader:
    """Batches of a dataset, as `batchify_fn` makes them of lists of samples.

    shuffle, sampler: the order, by default that of the dataset. last_batch: see
    BatchSampler. batch_sampler: gives lists of places, instead of all these.
    num_workers: threads (not processes, as in MXNet) that make batches ahead, at most
    `prefetch` of them, by default twice as many. The other options, about memory
    and processes, are without effect.

    ValueError for options that exclude each other, and without a batch_size.
    """

    def __init__(
        self,
        dataset: Dataset | Sequence[Any],
        batch_size: int | None = None,
        shuffle: bool = False,
        sampler: Sampler[Any] | None = None,
        last_batch: str | None = None,
        batch_sampler: Sampler[Any] | None = None,
        batchify_fn: Callable[[list[Any]], Any] | None = None,
        num_workers: int = 0,
        pin_memory: bool = False,
        pin_device_id: int = 0,
        prefetch: int | None = None,
        thread_pool: bool = False,
        timeout: float = 120,
        auto_reload: bool = False,
    ) -> None:
        if batch_sampler is None:
            if batch_size is None:
                raise ValueError("give a batch_size, or a batch_sampler")
            if shuffle and sampler is not None:
                raise ValueError("shuffle and sampler exclude each other")
            if sampler is None:
                order = RandomSampler if shuffle else SequentialSampler
                sampler = order(len(dataset))
            batch_sampler = BatchSampler(sampler, batch_size, last_batch or "keep")
        elif shuffle or (batch_size, sampler, last_batch) != (None, None, None):
            raise ValueError(
                "batch_sampler excludes batch_size, shuffle, sampler and last_batch"
            )
        self._dataset = dataset
        self._batch_sampler = batch_sampler
        self._batchify_fn = batchify_fn or default_batchify_fn
        self._num_workers = max(num_workers, 0)
        ahead = 2 * self._num_workers if prefetch is None else prefetch
        self._ahead = max(ahead, self._num_workers)

    def __iter__(self) -> Iterator[Any]:
        if self._num_workers == 0:
            return map(self._make, self._batch_sampler)
        return self._make_ahead()

    def __len__(self) -> int:
        return len(self._batch_sampler)

    def _make(self, places: Sequence[int]) -> Any:
        return self._batchify_fn([self._dataset[place] for place in places])

    def _make_ahead(self) -> Iterator[Any]:
        pool = ThreadPoolExecutor(self._num_workers)
        with contextlib.ExitStack() as stack:
            stack.callback(pool.shutdown, cancel_futures=True)
            batches = (
                pool.submit(self._make, places) for places in self._batch_sampler
            )
            waiting: deque[Future[Any]] = deque(islice(batches, self._ahead))
            while waiting:
                made = waiting.popleft().result()
                waiting.extend(islice(batches, 1))
                yield made


__getattr__ = _subset.close(__name__)
