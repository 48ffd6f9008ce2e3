"""Reads that may never end are waited for in another thread.

A file system that hangs holds the thread that reads from it. The core's workers are
waited for with a timeout; here is the same for what a constructor reads, and for
questions that need the files.
"""

import errno
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from mxio import _core
from mxio.errors import MxioError, system_error
from mxio.params import TABLE

__all__ = ["Reading", "timeout_of", "within"]

T = TypeVar("T")
_SLICE = 0.1  # seconds; Ctrl-C is looked for in between


def timeout_of(options: Mapping[str, Any]) -> float:
    """Seconds, 0 for none."""
    return float(options.get("timeout", TABLE["timeout"].default))


def within(timeout: float, lacking: str, work: Callable[[], T]) -> T:
    """What `work` returns, or raises; it reads files, and calls nothing of the user's.

    TimeoutError, as an MxioError, that begins with `lacking` and says where it is stuck
    when it got no further for `timeout` seconds; with 0 it is waited for without end.
    """
    if timeout <= 0 or isinstance(threading.current_thread(), _Thread):
        return work()
    reading = Reading(work)
    try:
        reading.wait(timeout, lacking)
    except BaseException:
        reading.stop()
        raise
    return reading.result()


class Reading(Generic[T]):
    """Work that reads files, begun in a thread of its own."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._lookout = _core.Lookout()
        self._work = work
        self._done: list[T] = []
        self._error: BaseException | None = None
        self._thread = _Thread(target=self._run, name="mxio reading", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._done.append(self._lookout.call(self._work))
        except BaseException as error:  # it is raised where it is waited for
            self._error = error

    def wait(
        self,
        timeout: float,
        lacking: str,
        enough: Callable[[], object] = lambda: False,
    ) -> None:
        """Until it is over, or there is enough of what it makes; TimeoutError as of
        `within`. It can be waited for again after that, and after Ctrl-C.
        """
        waited, calls = 0.0, -1
        while self._thread.is_alive() and not enough():
            self._thread.join(min(_SLICE, timeout))
            path, descriptor, offset, now = self._lookout.see()
            waited = waited + min(_SLICE, timeout) if now == calls else 0.0
            calls = now
            if waited >= timeout and self._thread.is_alive():
                raise _stuck(timeout, lacking, path, descriptor, offset)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return not self._thread.is_alive()

    def result(self) -> T:
        """What it returned, or raises what it raised, once it is over."""
        if self._error is not None:
            error, self._error = self._error, None  # its frames hold this object
            raise error
        if not self._done:  # the thread was left behind by a fork
            raise MxioError("files were being read when this process was forked")
        return self._done[0]

    def stop(self) -> None:
        """Let it read nothing more, if it still can."""
        self._lookout.stop()


class _Thread(threading.Thread):
    """One that is waited for: what it reads needs no other."""


def _stuck(
    timeout: float, lacking: str, path: str | None, descriptor: int, offset: int
) -> OSError:
    doing = "opening" if path is not None else "reading"
    sentence = f"{lacking} within timeout={timeout:g} s: a thread is stuck {doing}"
    if descriptor < 0:
        return system_error(errno.ETIMEDOUT, sentence, path)
    try:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:  # not Linux: the file has no name any more
        path = None
    return system_error(errno.ETIMEDOUT, f"byte {offset}: {sentence}", path)
