"""What the headers of all records say, without their pictures."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mxio import _core
from mxio._files import read_whole
from mxio._patience import within

__all__ = ["Heads", "Records", "read_index"]

T = TypeVar("T")
_ROWS = 65536


class Heads(NamedTuple):
    """Headers of records, an array entry for each.

    ordinal: uint64, place of the record in the file set. key: int64 of the .idx, or
    None without one. id: uint64. flag: uint32, how many labels are packed behind the
    header; 0 means that the one label is in it. label: float32 (rows, width), the first
    `width` labels, NaN where a record has fewer. size: uint64, bytes of the picture,
    behind header and labels. offset: uint64, byte of the record's head, counted through
    all files.
    """

    ordinal: NDArray[np.uint64]
    key: NDArray[np.int64] | None
    id: NDArray[np.uint64]
    flag: NDArray[np.uint32]
    label: NDArray[np.float32]
    size: NDArray[np.uint64]
    offset: NDArray[np.uint64]


def read_index(path: str) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Keys and offsets of an index, by rising offsets."""
    blocks = _core.parse_index(read_whole(path), path)
    keys = np.frombuffer(memoryview(blocks[0]), np.int64)
    offsets = np.frombuffer(memoryview(blocks[1]), np.uint64)
    if bool((offsets[1:] > offsets[:-1]).all()):
        return keys, offsets
    order = np.argsort(offsets, kind="stable")
    return keys[order], offsets[order]


class Records:
    """The records of RecordIO files, by ordinal: headers and payloads.

    files: their paths, in order. path_imgidx: the index, if there is one; records that
    it does not list do not count then. timeout: seconds without a read that ends, then
    TimeoutError; 0 for none.

    Raises what ImageRecordIter raises for missing and damaged files.
    """

    def __init__(
        self,
        files: Sequence[str],
        path_imgidx: str | None = None,
        *,
        timeout: float = 0,
    ) -> None:
        self.files = list(files)
        self.keys: NDArray[np.int64] | None = None
        self._timeout = timeout
        self._core = self._within("not opened", lambda: self._open(path_imgidx))

    def _open(self, path_imgidx: str | None) -> _core.RecordSet:
        offsets: NDArray[np.uint64] | None = None
        if path_imgidx:
            self.keys, offsets = read_index(path_imgidx)
        return _core.RecordSet(
            self.files, None if offsets is None else offsets.data, path_imgidx or None
        )

    def _within(self, lacking: str, work: Callable[[], T]) -> T:
        return within(self._timeout, lacking, work)

    def count(self) -> int:
        """How many records there are; without an index this hops to the end."""
        return self._within("not counted", self._core.count)

    def read(self, ordinal: int) -> bytes:
        """The payload of a record; DataError when it is damaged."""
        return self._within("no record", lambda: self._core.read(ordinal))

    def scan(self, width: int = 1) -> Iterator[Heads]:
        """The headers of all records, 65,536 at a time, in file order.

        Memory stays that of one part. DataError for damage, and for a record without
        an image header, names file, record and byte.
        """
        first = 0
        while True:
            rows, *blocks = self._within(
                "no headers", functools.partial(self._core.heads, first, _ROWS, width)
            )
            if rows:
                ordinals = np.arange(first, first + rows, dtype=np.uint64)
                yield self._heads(ordinals, rows, width, blocks)
            if rows < _ROWS:
                return
            first += rows

    def heads(self, ordinals: NDArray[np.uint64], width: int = 1) -> Heads:
        """The headers of these records, in this order.

        IndexError for an ordinal behind the last record; DataError as for `scan`.
        """
        parts = []
        wanted = np.ascontiguousarray(ordinals, np.uint64)
        for first in range(0, max(len(wanted), 1), _ROWS):
            some = wanted[first : first + _ROWS]
            rows, *blocks = self._within(
                "no headers",
                functools.partial(self._core.heads_of, some.data, width),
            )
            if rows < len(some):
                raise IndexError(f"there is no record {some[rows]}")
            parts.append(self._heads(some, rows, width, blocks))
        if len(parts) == 1:
            return parts[0]
        columns = [
            None if part[0] is None else np.concatenate(part)
            for part in zip(*parts, strict=True)
        ]
        return Heads(*columns)  # type: ignore[arg-type]  # only `key` can be None

    def _heads(
        self,
        ordinals: NDArray[np.uint64],
        rows: int,
        width: int,
        blocks: list[_core.Block],
    ) -> Heads:
        id, flag, label, size, offset = (memoryview(block) for block in blocks)
        return Heads(
            ordinals,
            None if self.keys is None else self.keys[ordinals.astype(np.int64)],
            np.frombuffer(id, np.uint64, rows),
            np.frombuffer(flag, np.uint32, rows),
            np.frombuffer(label, np.float32, rows * width).reshape(rows, width),
            np.frombuffer(size, np.uint64, rows),
            np.frombuffer(offset, np.uint64, rows),
        )
