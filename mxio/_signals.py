"""Signals that would end a program before it has cleaned up."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

__all__ = ["exiting_on_terminate"]


@contextlib.contextmanager
def exiting_on_terminate() -> Iterator[None]:
    """Let SIGTERM end the program as an exception does: no half-written file stays."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _exit_on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _exit_on_signal(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
