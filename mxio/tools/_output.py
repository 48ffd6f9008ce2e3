"""A .rec and its .idx, made of records of another file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from mxio._atomic import PendingFile, naming, publish, refuse_replacing
from mxio.errors import DataError
from mxio.tools._index import index_of

__all__ = ["RecordCopier"]

_SMALL = 1 << 20
_BUFFER = 4 << 20


class RecordCopier:
    """Writes `path` and the index beside it; the bytes of records stay as they are.

    Records are copied in the order of `add`; neighbours in the source are copied in one
    go. `publish` writes the index and gives both files their names; without it, neither
    appears. OSError names the file.

    kept: files that must stay what they are; ParameterError when an output is one.
    """

    def __init__(
        self,
        source: str,
        path: str | os.PathLike[str],
        kept: Iterable[str | os.PathLike[str]],
    ) -> None:
        self.source = source
        self.path = os.fspath(path)
        self.index_path = index_of(path)
        refuse_replacing([self.path, self.index_path], kept)
        self.offsets: list[int] = []
        self.size = 0  # of what `add` has been given
        self._start = self._end = 0  # of what is to be copied next
        self._buffer = bytearray()
        with naming(source):
            self._descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, self._descriptor)
            self._records = PendingFile(self.path)
            stack.callback(self._records.discard)
            self._index = PendingFile(self.index_path)
            stack.callback(self._index.discard)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def add(self, offset: int, end: int) -> None:
        """Append the record in bytes [offset, end) of the source."""
        if offset != self._end or (self._end - self._start) % 4 != 0:
            self._flush()
            self._start = offset
        self._end = end
        self.offsets.append(self.size)
        # Only the last record of a file can lack its padding.
        self.size += (end - offset + 3) // 4 * 4

    def append(self, record: bytes) -> None:
        """Append a record with other bytes: its head(s), payload, padding."""
        self._flush()
        self._start = self._end = 0
        self.offsets.append(self.size)
        self.size += len(record)
        self._buffer += record
        if len(self._buffer) >= _BUFFER:
            self._write_buffer()

    def publish(self, keys: Sequence[object]) -> None:
        """Name both files; `keys` are those of the records, in order."""
        self._flush()
        self._write_buffer()
        with naming(self.index_path), self._index.text() as index:
            for key, offset in zip(keys, self.offsets, strict=True):
                index.write(f"{key}\t{offset}\n")
        publish(self._records, self._index)

    def _flush(self) -> None:
        """Copy what `add` has put together: small pieces through a buffer."""
        count = self._end - self._start
        if count < _SMALL:
            with naming(self.source):
                data = os.pread(self._descriptor, count, self._start)
            if len(data) < count:
                end = self._start + len(data)
                raise DataError(f"{self.source}: the file now ends at byte {end}")
            self._buffer += data
        else:
            self._write_buffer()
            self._records.copy(self.source, self._descriptor, self._start, count)
        self._buffer += bytes(-count % 4)
        if len(self._buffer) >= _BUFFER:
            self._write_buffer()
        self._start = self._end

    def _write_buffer(self) -> None:
        self._records.write(self._buffer)
        self._buffer.clear()
