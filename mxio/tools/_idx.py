"""MNIST's files, read from front to back: a magic number, sizes, and bytes."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from types import TracebackType
from typing import IO, NoReturn, Self, cast

import numpy as np
import numpy.typing as npt

from mxio._atomic import naming
from mxio._codec import MAX_PIXELS
from mxio.errors import DataError

__all__ = ["IMAGES_MAGIC", "LABELS_MAGIC", "IdxFile"]

IMAGES_MAGIC = 2051
LABELS_MAGIC = 2049

_GZIP = b"\x1f\x8b"
_PIECE = 1 << 20


class IdxFile:
    """One of MNIST's files, perhaps packed by gzip; `shape` says what is in it.

    Numbers are big-endian. DataError, naming file and byte, for anything else.
    """

    def __init__(self, path: str, magic: int, axes: int) -> None:
        self.path = path
        self._offset = 0  # of what is read next, unpacked
        with naming(path), open(path, "rb") as file:
            packed = file.read(2) == _GZIP
            self._size = None if packed else os.fstat(file.fileno()).st_size
        with naming(path):
            opened = gzip.open(path) if packed else open(path, "rb")  # noqa: SIM115
        self._file = cast(IO[bytes], opened)
        try:
            self._read_head(magic, axes)
        except BaseException:
            self._file.close()
            raise

    def _read_head(self, magic: int, axes: int) -> None:
        (found,) = struct.unpack(">I", self._take(4, "the magic number"))
        if found != magic:
            kind = "images" if axes == 3 else "labels"
            self._fail(f"magic number {found}, MNIST's {kind} have {magic}", 0)
        self.shape = struct.unpack(f">{axes}I", self._take(4 * axes, "the header"))
        if 0 in self.shape:
            self._fail(f"the header says {self.shape}: nothing is in it", 4)
        if math.prod(self.shape[1:]) > MAX_PIXELS:
            self._fail(f"images of {self.shape[1:]} pixels are larger than any", 8)
        size = math.prod(self.shape)
        if self._size is not None and self._offset + size != self._size:
            self._fail(
                f"the header says {size} bytes follow, {self._size - self._offset} do",
                self._offset,
            )

    def rows(self, count: int) -> npt.NDArray[np.uint8]:
        """The next rows, (count, ...) uint8."""
        size = count * math.prod(self.shape[1:])
        data = np.frombuffer(self._take(size, "the data"), np.uint8)
        return data.reshape(count, *self.shape[1:])

    def expect_end(self) -> None:
        """DataError when there is more than the header says."""
        if self._read(1):
            self._fail("bytes behind those that the header says", self._offset - 1)

    def _take(self, size: int, what: str) -> bytearray:
        """Exactly `size` bytes, a piece at a time: a header may claim any number."""
        start = self._offset
        taken = bytearray()
        while len(taken) < size:
            piece = self._read(min(size - len(taken), _PIECE))
            if not piece:
                self._fail(
                    f"{what} needs {size} bytes from byte {start} on, the file ends",
                    self._offset,
                )
            taken += piece
        return taken

    def _read(self, size: int) -> bytes:
        with naming(self.path):
            try:
                piece = self._file.read(size)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                self._fail(f"damaged gzip data: {error}", self._offset)
        self._offset += len(piece)
        return piece

    def _fail(self, problem: str, offset: int) -> NoReturn:
        raise DataError(
            f"{self.path}: byte {offset}: {problem}", self.path, offset=offset
        ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
