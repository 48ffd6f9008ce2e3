"""A function on many items by threads, results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from mxio._cores import cores
from mxio.errors import ParameterError

__all__ = ["in_order", "thread_count"]

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")

THREADS_MAX = 1024
_AHEAD = 4  # items under way for each thread: few threads wait for a slow one


def thread_count(threads: int) -> int:
    """How many `threads` means: 0 every core. ParameterError."""
    if not 0 <= threads <= THREADS_MAX:
        raise ParameterError(f"threads must be in [0, {THREADS_MAX}], got {threads}")
    return threads or cores()


def in_order(
    work: Callable[[_Item], _Made], items: Iterable[_Item], threads: int
) -> Iterator[_Made]:
    """What `work` makes of each item, in order; an exception comes in its place.

    Items are taken a little ahead of the results.
    """
    waiting: deque[Future[_Made]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
