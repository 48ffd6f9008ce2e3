"""Which part of a file the system has in memory."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Sequence

import numpy as np

__all__ = ["cached_share"]

_WINDOW = 1 << 30  # bytes asked about at once
_RESIDENT = 1


def cached_share(paths: Sequence[str]) -> float | None:
    """The share of the files' pages that reading finds in memory, from 0 to 1.

    None where the system does not tell. Linux tells the truth only about files that
    this user owns or may write; all of another's count as in memory.
    """
    total = resident = 0
    for path in paths:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            for begin in range(0, size, _WINDOW):
                length = min(_WINDOW, size - begin)
                pages = _resident_pages(file.fileno(), begin, length)
                if pages is None:
                    return None
                resident += int(pages.sum())
                total += len(pages)
    return resident / total if total else None


def _resident_pages(
    descriptor: int, begin: int, length: int
) -> np.ndarray[tuple[int], np.dtype[np.bool_]] | None:
    """Whether each page of a range of the file is in memory."""
    pages = -(-length // mmap.PAGESIZE)
    flags = np.zeros(pages, np.uint8)
    with mmap.mmap(descriptor, length, access=mmap.ACCESS_READ, offset=begin) as view:
        there = np.frombuffer(view, np.uint8)
        try:
            mincore = ctypes.CDLL(None, use_errno=True).mincore
        except AttributeError:
            return None
        finally:
            address = there.ctypes.data
            del there
        failed = mincore(
            ctypes.c_void_p(address),
            ctypes.c_size_t(length),
            ctypes.c_void_p(flags.ctypes.data),
        )
    return None if failed else (flags & _RESIDENT).astype(np.bool_)
