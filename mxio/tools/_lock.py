"""One process at a time: a lock file that lives as long as it is held."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator

from mxio._atomic import naming

__all__ = ["locked"]


@contextlib.contextmanager
def locked(path: str, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock file `path` during the block; it is gone afterwards.

    Other processes wait, calling `waiting` once before they do. A process that dies
    lets go. Raises the OSError that names `path`.
    """
    descriptor = _acquire(path, waiting)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        os.close(descriptor)


def _acquire(path: str, waiting: Callable[[], None] | None) -> int:
    while True:
        with naming(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            with naming(path):
                _take(descriptor, waiting)
            if _is_named(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its last holder has removed it: take part in the next


def _take(descriptor: int, waiting: Callable[[], None] | None) -> None:
    if waiting is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        waiting()
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def _is_named(descriptor: int, path: str) -> bool:
    """Whether `path` still is the file that was opened."""
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))
