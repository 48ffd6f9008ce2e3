"""The magic numbers of a RecordIO file, found as far ahead as somebody asks."""

from __future__ import annotations

import heapq
import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mxio import _core
from mxio._atomic import naming
from mxio._manifest import refuse_manifest

__all__ = [
    "HEAD_SIZE",
    "LENGTH_BITS",
    "LENGTH_MASK",
    "MAGIC",
    "Marks",
    "kind_of",
    "part_size",
]

MAGIC = b"\x0a\x23\xd7\xce"
HEAD_SIZE = 8
LENGTH_BITS = 29
LENGTH_MASK = (1 << LENGTH_BITS) - 1

_BLOCK = 4 << 20
_NO_WORD = b"\xff" * 8  # behind the end of the file: no head has this word
# How far a search for the next head goes at a time: beyond any part, and not so far
# that a file made of magic numbers fills the memory.
_AHEAD = (1 << LENGTH_BITS) + 64
_MARKS_AHEAD = 1 << 20
_FORGET_EVERY = 1 << 24


def kind_of(word: int) -> int:
    """The kind in the second word of a head: 0 whole, 1 first, 2 middle, 3 last."""
    return word >> LENGTH_BITS


def part_size(length: int) -> int:
    """Bytes of a part in the file: head, payload, padding."""
    return HEAD_SIZE + (length + 3) // 4 * 4


class Marks:
    """Offsets of all magic numbers, and the words behind them, of one file.

    Two places are aligned when they differ by a multiple of 4.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        refuse_manifest(self.path)
        self._file = _core.RecordFile(self.path)  # refuses what is no plain file
        with naming(self.path):
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = self._file.size()
        self._scanned = 0
        self._forgotten = 0
        self._offsets: tuple[list[int], ...] = ([], [], [], [])  # by offset modulo 4
        self._words: dict[int, int] = {}
        self._buffer = bytearray(min(_BLOCK, self.size) + 2 * HEAD_SIZE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        os.close(self._descriptor)

    def word(self, offset: int) -> int | None:
        """The word behind the magic number at `offset`; None when there is none."""
        self._scan(offset + 1)
        return self._words.get(offset)

    def following(self, offset: int, end: int) -> int | None:
        """The first mark in (offset, end) that is aligned with `offset`."""
        self._scan(end)
        marks = self._offsets[offset % 4]
        place = bisect_right(marks, offset)
        return marks[place] if place < len(marks) and marks[place] < end else None

    def resume(self, offset: int) -> int:
        """The next aligned mark behind `offset`; the end of the file if there is none,
        an aligned place far ahead if it is not near.
        """
        limit = min(offset + _AHEAD, self.size)
        while True:
            found = self.following(offset, min(max(self._scanned, offset), limit))
            if found is not None:
                return found
            if self._scanned >= limit:
                return limit
            if len(self._words) >= _MARKS_AHEAD and self._scanned > offset + 4:
                return offset + (self._scanned - offset) // 4 * 4
            self._scan(self._scanned + 1)

    def unaligned(self, start: int, stop: int, with_: int) -> Iterator[int]:
        """The marks in [start, stop) that are not aligned with the offset `with_`."""
        self._scan(stop)
        parts = []
        for phase, marks in enumerate(self._offsets):
            if phase != with_ % 4:
                parts.append(
                    marks[bisect_left(marks, start) : bisect_left(marks, stop)]
                )
        return heapq.merge(*parts)

    def forget(self, offset: int) -> None:
        """Nothing before `offset` will be asked for any more."""
        if offset - self._forgotten < _FORGET_EVERY:
            return
        self._forgotten = offset
        for marks in self._offsets:
            count = bisect_left(marks, offset)
            for mark in marks[:count]:
                del self._words[mark]
            del marks[:count]

    def bytes_at(self, offset: int, size: int) -> bytes:
        """At most `size` bytes; fewer at the end of the file."""
        out = bytearray(size)
        with memoryview(out) as view:
            found = self._read(view, offset)
        return bytes(out[:found])

    def payload(self, offset: int) -> bytes:
        """The payload of the record at `offset`. Raises DataError."""
        found = self._file.read(offset)
        return b"" if found is None else found[0]

    def _scan(self, end: int) -> None:
        """Know all marks before `end`."""
        while self._scanned < min(end, self.size):
            self._scan_block()

    def _scan_block(self) -> None:
        start = self._scanned
        wanted = min(_BLOCK + HEAD_SIZE - 1, self.size - start)
        size = self._read(memoryview(self._buffer)[:wanted], start)
        self._buffer[size : size + HEAD_SIZE] = _NO_WORD
        stop = min(_BLOCK, size)
        first = 0
        with memoryview(self._buffer)[:size] as block:
            while found := _core.find_magics(block, first):
                places = np.frombuffer(found, np.uint32)
                self._add(start, places[places < stop])
                first = int(places[-1]) + 1
        # A file that shrinks meanwhile ends where the reads end.
        if size < wanted:
            self.size = start + size
        self._scanned = start + stop

    def _read(self, out: memoryview, offset: int) -> int:
        """Fill `out`; gives how many bytes there were."""
        size = 0
        with naming(self.path):
            while size < len(out):
                more = os.preadv(self._descriptor, [out[size:]], offset + size)
                if more == 0:
                    break
                size += more
        return size

    def _add(self, start: int, places: NDArray[np.uint32]) -> None:
        data = np.frombuffer(self._buffer, np.uint8)
        words = data[places[:, None] + np.arange(4, HEAD_SIZE, dtype=np.uint32)]
        offsets = (places.astype(np.int64) + start).tolist()
        self._words.update(
            zip(offsets, words.view("<u4").ravel().tolist(), strict=True)
        )
        for offset in offsets:
            self._offsets[offset % 4].append(offset)
