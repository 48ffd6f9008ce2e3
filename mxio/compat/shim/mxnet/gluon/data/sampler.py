"""Samplers: which samples in which order, one by one or in batches."""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import numpy as np

from mxio.compat import _subset

__all__ = [
    "BatchSampler",
    "FilterSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
]

Drawn = TypeVar("Drawn", covariant=True)
_LAST_BATCH = ("keep", "discard", "rollover")


class Sampler(Generic[Drawn]):
    """The base class: what `iter` gives, and how many."""

    def __iter__(self) -> Iterator[Drawn]:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError


class SequentialSampler(Sampler[int]):
    """start, start + 1, ..., start + length - 1."""

    def __init__(self, length: int, start: int = 0) -> None:
        self._range = range(start, start + length)

    def __iter__(self) -> Iterator[int]:
        return iter(self._range)

    def __len__(self) -> int:
        return len(self._range)


class RandomSampler(Sampler[int]):
    """0 to length - 1 in an order drawn anew by each `iter` from numpy.random."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __iter__(self) -> Iterator[int]:
        return iter(np.random.permutation(self._length).tolist())

    def __len__(self) -> int:
        return self._length


class FilterSampler(Sampler[int]):
    """The places of a dataset's samples for which `fn` is true."""

    def __init__(self, fn: Callable[[Any], Any], dataset: Any) -> None:
        self._places = [place for place in range(len(dataset)) if fn(dataset[place])]

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class BatchSampler(Sampler[list[Any]]):
    """Lists of batch_size draws of another sampler.

    last_batch: an incomplete last one is given ("keep"), left out ("discard"), or
    becomes the head of the next `iter` ("rollover"); ValueError otherwise.
    """

    def __init__(
        self, sampler: Sampler[Any], batch_size: int, last_batch: str = "keep"
    ) -> None:
        if last_batch not in _LAST_BATCH:
            raise ValueError(
                f"last_batch must be one of {_LAST_BATCH}, got {last_batch!r}"
            )
        self._sampler = sampler
        self._batch_size = batch_size
        self._last_batch = last_batch
        self._held: list[Any] = []

    def __iter__(self) -> Iterator[list[Any]]:
        batch, self._held = self._held, []
        for drawn in self._sampler:
            batch.append(drawn)
            if len(batch) == self._batch_size:
                yield batch
                batch = []
        if batch and self._last_batch == "keep":
            yield batch
        if self._last_batch == "rollover":
            self._held = batch

    def __len__(self) -> int:
        drawn = len(self._held) + len(self._sampler)
        if self._last_batch == "keep":
            drawn += self._batch_size - 1
        return drawn // self._batch_size


__getattr__ = _subset.close(__name__)
