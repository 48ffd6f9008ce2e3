"""A .rec and its .idx, made of records of another file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from mxio._atomic import PendingFile, naming, publish
from mxio.errors import ParameterError
from mxio.tools._index import index_of

__all__ = ["RecordCopier"]


class RecordCopier:
    """Writes `path` and the index beside it; the bytes of records stay as they are.

    Records are copied in the order of `add`; neighbours in the source are copied in one
    go. `publish` writes the index and gives both files their names; without it, neither
    appears. OSError names the file.
    """

    def __init__(self, source: str, path: str | os.PathLike[str]) -> None:
        self.source = source
        self.path = os.fspath(path)
        self.index_path = index_of(path)
        if self.index_path == self.path:
            raise ParameterError(f"the output cannot be an .idx, got {self.path}")
        self.offsets: list[int] = []
        self._start = self._end = 0  # of what is to be copied next
        self._place = 0
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
        self.offsets.append(self._place)
        # Only the last record of a file can lack its padding.
        self._place += (end - offset + 3) // 4 * 4

    def publish(self, keys: Sequence[object]) -> None:
        """Name both files; `keys` are those of the records, in order."""
        self._flush()
        with naming(self.index_path), self._index.text() as index:
            for key, offset in zip(keys, self.offsets, strict=True):
                index.write(f"{key}\t{offset}\n")
        publish(self._records, self._index)

    def _flush(self) -> None:
        count = self._end - self._start
        if count > 0:
            self._records.copy(self.source, self._descriptor, self._start, count)
            self._records.write(bytes(-count % 4))
        self._start = self._end
