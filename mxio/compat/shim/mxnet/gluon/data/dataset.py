"""Datasets: samples by their place."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from mxio.compat import _subset
from mxio.ndarray import NDArray
from mxio.recordio import MXIndexedRecordIO

from .sampler import FilterSampler, Sampler, SequentialSampler

__all__ = ["ArrayDataset", "Dataset", "RecordFileDataset", "SimpleDataset"]


class Dataset:
    """The base class: `dataset[place]` and `len(dataset)`."""

    def __getitem__(self, idx: int) -> Any:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def filter(self, fn: Callable[[Any], Any]) -> "Dataset":
        """The samples for which `fn` is true; looks at all of them now."""
        return self.sample(FilterSampler(fn, self))

    def shard(self, num_shards: int, index: int) -> "Dataset":
        """Part `index` of num_shards: neighbours, and sizes that differ by 1 at most.

        AssertionError unless 0 <= index < num_shards.
        """
        if not 0 <= index < num_shards:
            raise AssertionError(f"index must be in [0, {num_shards}), got {index}")
        size, larger = divmod(len(self), num_shards)
        start = size * index + min(index, larger)
        return self.sample(SequentialSampler(size + (index < larger), start))

    def take(self, count: int | None) -> "Dataset":
        """The first `count` samples, or all."""
        length = len(self) if count is None else min(count, len(self))
        return self.sample(SequentialSampler(length))

    def sample(self, sampler: Sampler[int]) -> "Dataset":
        """The samples that a sampler draws now, in its order.

        TypeError when it is no Sampler.
        """
        if not isinstance(sampler, Sampler):
            raise TypeError(f"expected a Sampler, got {type(sampler).__name__}")
        return _Selected(self, list(sampler))

    def transform(self, fn: Callable[..., Any], lazy: bool = True) -> "Dataset":
        """What `fn` makes of each sample, when asked for it, or, not lazy, now.

        A sample that is a tuple becomes the arguments of `fn`.
        """
        made = _Transformed(self, fn)
        if lazy:
            return made
        return SimpleDataset([made[place] for place in range(len(made))])

    def transform_first(self, fn: Callable[[Any], Any], lazy: bool = True) -> "Dataset":
        """The same, with `fn` for the first entry of each sample, such as the image."""
        return self.transform(_OnFirst(fn), lazy)


class SimpleDataset(Dataset):
    """A list, or another sequence, as a dataset."""

    def __init__(self, data: Sequence[Any]) -> None:
        self._data = data

    def __getitem__(self, idx: int) -> Any:
        return self._data[idx]

    def __len__(self) -> int:
        return len(self._data)


class ArrayDataset(Dataset):
    """Arrays or lists of one length: a sample is a tuple of one row of each.

    One array gives its rows themselves. Rows of a 1-D NDArray are NumPy scalars.
    AssertionError without arrays, or for different lengths.
    """

    def __init__(self, *args: Any) -> None:
        lengths = [len(data) for data in args]
        if len(set(lengths)) != 1:
            raise AssertionError(
                f"expected arrays of one length, at least one, got lengths {lengths}"
            )
        self._length = lengths[0]
        self._data = [
            data.asnumpy() if isinstance(data, NDArray) and data.ndim == 1 else data
            for data in args
        ]

    def __getitem__(self, idx: int) -> Any:
        if len(self._data) == 1:
            return self._data[0][idx]
        return tuple(data[idx] for data in self._data)

    def __len__(self) -> int:
        return self._length


class RecordFileDataset(Dataset):
    """The records of a RecordIO file, as bytes; its index is the .idx beside it."""

    def __init__(self, filename: str | os.PathLike[str]) -> None:
        self.filename = os.fspath(filename)
        self.idx_file = os.path.splitext(self.filename)[0] + ".idx"
        self._record = MXIndexedRecordIO(self.idx_file, self.filename, "r")

    def __getitem__(self, idx: int) -> Any:
        return self._record.read_idx(self._record.keys[idx])

    def __len__(self) -> int:
        return len(self._record.keys)


class _Selected(Dataset):
    def __init__(self, source: Dataset, places: list[int]) -> None:
        self._source = source
        self._places = places

    def __getitem__(self, idx: int) -> Any:
        return self._source[self._places[idx]]

    def __len__(self) -> int:
        return len(self._places)


class _Transformed(Dataset):
    def __init__(self, source: Dataset, fn: Callable[..., Any]) -> None:
        self._source = source
        self._fn = fn

    def __getitem__(self, idx: int) -> Any:
        sample = self._source[idx]
        return self._fn(*sample) if isinstance(sample, tuple) else self._fn(sample)

    def __len__(self) -> int:
        return len(self._source)


class _OnFirst:
    """A class, so that datasets with it can be pickled."""

    def __init__(self, fn: Callable[[Any], Any]) -> None:
        self._fn = fn

    def __call__(self, first: Any, *rest: Any) -> Any:
        return (self._fn(first), *rest) if rest else self._fn(first)


__getattr__ = _subset.close(__name__)
