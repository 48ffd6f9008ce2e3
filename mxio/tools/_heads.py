"""Records of one whole file, one after the other, with their image headers."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple, Self

from mxio import _core
from mxio._atomic import naming
from mxio._manifest import refuse_manifest
from mxio._marks import HEAD_SIZE, LENGTH_MASK, MAGIC, kind_of, part_size
from mxio.errors import DataError
from mxio.recordio import IMAGE_HEADER

__all__ = ["HeadReader", "Header", "Row"]

_PEEK = HEAD_SIZE + IMAGE_HEADER.size + 4  # as far as the first packed label
_BLOCK = 1 << 16
_SMALL = 1 << 13  # smaller records are read many at a time


class Header(NamedTuple):
    """An image record's header: `flag` labels are packed behind it, `label` is the
    first of all, NaN when there is none, `size` the bytes of the picture.
    """

    flag: int
    label: float
    id: int
    size: int


class Row(NamedTuple):
    """A record in bytes [offset, end); without an image header, `header` is None."""

    offset: int
    end: int
    header: Header | None


class HeadReader:
    """Reads heads of one file. OSError and DataError name the file."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        refuse_manifest(self.path)
        self.file = _core.RecordFile(self.path)  # refuses what is no plain file
        self.size = self.file.size()
        with naming(self.path):
            self.descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        self._block = b""
        self._block_start = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.file.close()
        os.close(self.descriptor)

    def rows(self) -> Iterator[Row]:
        """All records of a file that is whole.

        DataError, naming record and byte, where it is not; a length that leads to
        another head by chance is left to `mxio verify`.
        """
        offset, number = 0, 0
        small = False
        while offset < self.size:
            row = self.row(offset, small)
            if row is None:
                raise self._damaged(offset, number)
            yield row
            small = row.end - offset < _SMALL
            offset, number = row.end, number + 1

    def row(self, offset: int, small: bool = False) -> Row | None:
        """The record at `offset`; None when there is none, or not all of it."""
        start = self._bytes(offset, small)
        if len(start) < HEAD_SIZE:
            return None
        (word,) = struct.unpack_from("<I", start, len(MAGIC))
        length = word & LENGTH_MASK
        end = offset + part_size(length)
        if not start.startswith(MAGIC) or offset + HEAD_SIZE + length > self.size:
            return None
        if kind_of(word) != 0:
            return self._row_of_parts(offset)
        return Row(offset, min(end, self.size), _header(start[HEAD_SIZE:], length))

    def picture(self, offset: int, size: int | None) -> bytes:
        """The first `size` bytes, or all, of the picture of an image record that `row`
        has found at `offset`; empty without a header.
        """
        with naming(self.path):
            start = os.pread(self.descriptor, HEAD_SIZE + IMAGE_HEADER.size, offset)
        word, flag = struct.unpack_from("<4xII", start)
        skip = IMAGE_HEADER.size + 4 * flag
        if kind_of(word) == 0 and size is not None:
            length = min(size, max((word & LENGTH_MASK) - skip, 0))
            with naming(self.path):
                return os.pread(self.descriptor, length, offset + HEAD_SIZE + skip)
        found = self.file.read(offset)
        assert found is not None  # `row` has found it
        flag = IMAGE_HEADER.unpack_from(found[0])[0]
        picture = found[0][IMAGE_HEADER.size + 4 * flag :]
        return picture[:size]

    def _row_of_parts(self, offset: int) -> Row | None:
        try:
            found = self.file.read(offset)
        except DataError:
            return None
        assert found is not None  # `offset` is before the end
        payload, end = found
        return Row(offset, end, _header(payload[:_PEEK], len(payload)))

    def _bytes(self, offset: int, small: bool) -> bytes:
        place = offset - self._block_start
        if place < 0 or place + _PEEK > len(self._block):
            if not small:
                with naming(self.path):
                    return os.pread(self.descriptor, _PEEK, offset)
            with naming(self.path):
                self._block = os.pread(self.descriptor, _BLOCK, offset)
            self._block_start, place = offset, 0
        return self._block[place : place + _PEEK]

    def _damaged(self, offset: int, number: int) -> DataError:
        try:
            self.file.read(offset)
            problem = "not a record"
        except DataError as error:
            problem = str(error).removeprefix(f"{self.path}: byte {offset}: ")
        return DataError(
            f"{self.path}: record {number} at byte {offset}: {problem}; "
            "`mxio repair` saves what is whole",
            self.path,
            record=number,
            offset=offset,
        )


def _header(start: bytes, length: int) -> Header | None:
    """The header in the first bytes of a payload of `length` bytes."""
    if length < IMAGE_HEADER.size or len(start) < IMAGE_HEADER.size:
        return None
    flag, label, id, _ = IMAGE_HEADER.unpack_from(start)
    size = length - IMAGE_HEADER.size - 4 * flag
    if size < 0:
        return None
    if flag > 0:
        (label,) = struct.unpack_from("<f", start, IMAGE_HEADER.size)
    return Header(flag, label, id, size)
