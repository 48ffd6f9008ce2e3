"""Read a tar file from front to back: nothing is unpacked by itself, all is bounded."""

from __future__ import annotations

import contextlib
import gzip
import tarfile
import zlib
from collections.abc import Iterator
from typing import IO, cast

from mxio._atomic import naming
from mxio.errors import DataError

__all__ = ["TarMember", "tar_members"]

_GZIP = b"\x1f\x8b"
_HEADS = 1 << 22  # bytes that the heads of one member, long names and all, may have


class TarMember:
    """A regular file in a tar: its name there, and how many bytes it has."""

    def __init__(self, path: str, name: str, size: int, content: IO[bytes]) -> None:
        self.name = name
        self.size = size
        self._path = path
        self._content = content

    def read(self, size: int = -1) -> bytes:
        """The next bytes; only until the next member is asked for. DataError."""
        with _told(self._path):
            return self._content.read(size)


def tar_members(path: str) -> Iterator[TarMember]:
    """The regular files of a tar, packed by gzip or not, in its order.

    Links, folders and devices are passed over. DataError, naming the file, when it is
    damaged or ends early.
    """
    with naming(path), open(path, "rb") as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        plain = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if packed else file
        bounded = _Bounded(plain, path)
        with _told(path):
            tar = tarfile.open(fileobj=bounded, mode="r|")  # type: ignore[call-overload]  # noqa: SIM115
        with tar:
            while (member := _next(tar, path)) is not None:
                bounded.left = member.size + _HEADS
                bounded.least = tar.offset
                content = tar.extractfile(member) if member.isreg() else None
                if content is not None:
                    yield TarMember(path, member.name, member.size, content)
            if bounded.done < tar.offset + tarfile.BLOCKSIZE:
                raise DataError(f"{path}: byte {tar.offset}: the tar ends early", path)


def _next(tar: tarfile.TarFile, path: str) -> tarfile.TarInfo | None:
    with _told(path):
        member = tar.next()
    # It would remember every one.
    tar.members.clear()  # type: ignore[attr-defined]  # not in its types
    return member


@contextlib.contextmanager
def _told(path: str) -> Iterator[None]:
    """Turn what tarfile and gzip raise for damage into a DataError."""
    try:
        yield
    except (
        tarfile.TarError,
        EOFError,
        zlib.error,
        ValueError,
        gzip.BadGzipFile,
    ) as error:
        raise DataError(f"{path}: no whole tar file: {error}", path) from None


class _Bounded:
    """A file of which only `left` bytes may be read on; `done` counts those read, of
    which there must be `least`.
    """

    def __init__(self, file: IO[bytes], path: str) -> None:
        self.left = _HEADS
        self.done = 0
        self.least = 0
        self._file = file
        self._path = path

    def read(self, size: int) -> bytes:
        piece = self._file.read(size)
        self.left -= len(piece)
        self.done += len(piece)
        if not piece and self.done < self.least:  # tarfile would ask again and again
            problem = f"it ends at byte {self.done}, in a file"
            raise DataError(f"{self._path}: no whole tar file: {problem}", self._path)
        if self.left < 0:
            problem = f"a head of more than {_HEADS} bytes"
            raise DataError(f"{self._path}: no whole tar file: {problem}", self._path)
        return piece
