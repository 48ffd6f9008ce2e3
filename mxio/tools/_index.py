"""Lines of an index, good or bad, against the records that there are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mxio import _core
from mxio._atomic import naming
from mxio.errors import DataError

__all__ = ["Fault", "Index", "index_of", "read_index"]

Key = int | str


def index_of(path: str | os.PathLike[str]) -> str:
    """The index that belongs to a RecordIO file: its last suffix replaced by .idx."""
    return f"{os.path.splitext(os.fspath(path))[0]}.idx"


class Fault(NamedTuple):
    """What is wrong with a line, or with a record that has none (line is None)."""

    reason: str
    line: int | None
    key: Key | None
    offset: int | None


@dataclass(frozen=True)
class Index:
    """Keys and offsets in the order of the lines, which `lines` numbers from 1.

    keys: int64, or objects when some are no whole numbers. faults: lines that are no
    key and offset.
    """

    path: str
    keys: NDArray[Any]
    offsets: NDArray[np.uint64]
    lines: NDArray[np.int64]
    faults: tuple[Fault, ...]

    def keys_at(self, offsets: NDArray[np.uint64]) -> list[Key | None]:
        """The key of the record at each offset: that of its first line, None without
        one.
        """
        order = np.argsort(self.offsets, kind="stable")
        ordered = self.offsets[order]
        places = np.searchsorted(ordered, offsets)
        inside = np.minimum(places, max(len(ordered) - 1, 0))
        found = (
            ordered[inside] == offsets if len(ordered) else np.zeros(len(offsets), bool)
        )
        keys = self.keys[order]
        return [
            _plain_key(keys[place]) if there else None
            for place, there in zip(inside, found, strict=True)
        ]

    def check(self, heads: NDArray[np.uint64]) -> Iterator[Fault]:
        """Every disagreement with the offsets, rising, of all whole records."""
        yield from self.faults
        known = np.isin(self.offsets, heads, kind="sort")
        for place in np.flatnonzero(~known):
            yield self._fault(place, "no whole record starts at byte {offset}")
        for place in _repeated(self.offsets, known):
            yield self._fault(place, "byte {offset} is listed before")
        for place in _repeated(self.keys):
            yield self._fault(place, "the key {key} is used before")
        for offset in heads[~np.isin(heads, self.offsets, kind="sort")].tolist():
            yield Fault("the index does not list the record", None, None, offset)

    def _fault(self, place: np.intp, reason: str) -> Fault:
        key, offset = _plain_key(self.keys[place]), int(self.offsets[place])
        line = int(self.lines[place])
        return Fault(reason.format(key=key, offset=offset), line, key, offset)


def _repeated(
    values: NDArray[Any], counted: NDArray[np.bool_] | None = None
) -> NDArray[np.intp]:
    """Places of values that stand before already; only those that are counted."""
    _, first = np.unique(values, return_index=True)
    again = np.ones(len(values), bool)
    again[first] = False
    if counted is not None:
        again &= counted
    return np.flatnonzero(again)


def read_index(path: str) -> Index:
    """All lines of an index. OSError when it cannot be read."""
    with naming(path), open(path, "rb") as file:
        text = file.read()
    return _read_numbers(path, text) or _read_lines(path, text)


def _read_numbers(path: str, text: bytes) -> Index | None:
    """At the core's speed; None unless every line is a pair of whole numbers."""
    try:
        blocks = _core.parse_index(text, path)
    except DataError:
        return None
    keys = np.frombuffer(memoryview(blocks[0]), np.int64)
    offsets = np.frombuffer(memoryview(blocks[1]), np.uint64)
    count = text.count(b"\n") + (not text.endswith(b"\n") and text != b"")
    if len(keys) != count:
        return None
    return Index(path, keys, offsets, np.arange(1, count + 1), ())


def _read_lines(path: str, text: bytes) -> Index:
    keys: list[Key] = []
    offsets: list[int] = []
    lines: list[int] = []
    faults: list[Fault] = []
    for number, line in enumerate(text.split(b"\n"), 1):
        if not line.strip():
            continue
        fields = line.strip(b"\r").split(b"\t") if b"\t" in line else line.split()
        try:
            key_text, offset_text = fields
            offset = int(offset_text)
            if not 0 <= offset < 2**64:
                raise ValueError
        except ValueError:
            shown = line[:80].decode(errors="replace")
            reason = f"{shown!r} is no key, tab and byte offset"
            faults.append(Fault(reason, number, None, None))
            continue
        keys.append(_key(key_text))
        offsets.append(offset)
        lines.append(number)
    numbers = all(isinstance(key, int) for key in keys)
    return Index(
        path,
        np.array(keys, np.int64) if numbers else np.array(list(map(str, keys)), object),
        np.array(offsets, np.uint64),
        np.array(lines, np.int64),
        tuple(faults),
    )


def _key(text: bytes) -> Key:
    try:
        number = int(text)
    except ValueError:
        return text.decode(errors="backslashreplace")
    return number if -(2**63) <= number < 2**63 else str(number)


def _plain_key(key: Any) -> Key:
    return key if isinstance(key, str) else int(key)
