"""Lines of a list to what is packed: id, labels, name of the picture."""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass

from mxio._lists import Line
from mxio.errors import DataError
from mxio.recordio import IMAGE_HEADER

__all__ = ["BadLine", "Entry", "EntryReader"]

_FLOAT32 = struct.Struct("<f")


class BadLine(Exception):
    """A line that cannot be packed; the message says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a line asks for.

    head: what its record has before the picture. rounded: float32 changed a label that
    is a whole number, or could not hold it.
    """

    id: int
    head: bytes
    rounded: bool
    path: str


class EntryReader:
    """Makes entries of lines; the arguments are those of `pack_list`."""

    def __init__(self, root: str, label_width: int | None, pack_label: bool) -> None:
        self._root = root
        self._width = label_width
        self._pack_label = pack_label

    def read(self, line: Line) -> Entry:
        """The entry of a line; BadLine, or DataError when label_width is wrong."""
        width = self._width
        words = _words(line.text, width)
        if len(words) < 3 and width is None:
            raise BadLine("a line is id, label(s) and path, separated by tabs")
        try:
            number, _ = int(words[0]), [float(word) for word in words[1:2]]
        except ValueError:
            raise BadLine(f"id and label must be numbers, got {words[:2]}") from None
        if not 0 <= number < 1 << 64:
            raise BadLine(f"id must be in [0, 2**64), got {number}")
        if width is not None:
            _check_width(line, words, width)
        texts = words[1:-1] if self._pack_label else words[1:2]
        labels = _as_float32(texts)
        rounded = any(map(_is_rounded, texts, labels))
        return Entry(number, self._head(number, labels), rounded, self._path(words[-1]))

    def _head(self, number: int, labels: list[float]) -> bytes:
        if not self._pack_label or len(labels) == 1:
            return IMAGE_HEADER.pack(0, labels[0], number, 0)
        # The C++ tool leaves the first label in the header too.
        first = 0.0 if self._width is None else labels[0]
        packed = struct.pack(f"<{len(labels)}f", *labels)
        return IMAGE_HEADER.pack(len(labels), first, number, 0) + packed

    def _path(self, name: str) -> str:
        if self._width is None:
            return os.path.join(self._root, name)
        root = self._root  # put in front of every name, even one that begins with a /
        return root + name if root.endswith("/") or not root else f"{root}/{name}"


def _words(text: str, label_width: int | None) -> list[str]:
    """The fields of a line, as `pack_list` describes them."""
    if label_width is not None:
        return text.split(None, label_width + 1)
    if "\t" in text:
        return [word.strip() for word in text.split("\t")]
    return text.split()


def _check_width(line: Line, words: list[str], width: int) -> None:
    """A list with another number of labels is wrong as a whole: DataError."""
    labels = words[1 : width + 1]
    if len(words) < width + 2 or not all(map(_is_number, labels)):
        problem = f"no {width} labels and a path behind the id"
    elif "\t" in words[-1]:
        problem = f"{words[-1]!r} begins with further labels"
    else:
        return
    raise DataError(f"{line.place}: {problem}; is label_width={width} so?", line.path)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _as_float32(texts: list[str]) -> list[float]:
    try:
        return [_rounded(float(text)) for text in texts]
    except ValueError:
        raise BadLine(f"labels must be numbers, got {texts}") from None


def _rounded(value: float) -> float:
    """The nearest float32, infinite beyond the largest."""
    try:
        stored: float = _FLOAT32.unpack(_FLOAT32.pack(value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return stored


def _is_rounded(text: str, stored: float) -> bool:
    """Whether what was stored is not the whole number, or became infinite."""
    try:
        return int(text) != stored
    except ValueError:
        value = float(text)
    return value != stored and (value.is_integer() or math.isinf(stored))
