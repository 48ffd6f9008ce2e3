"""The threads of this process as the kernel lists them, joined ones a moment longer."""

import os
import time
from collections.abc import Callable


def tasks() -> int:
    """How many are listed now."""
    return len(os.listdir("/proc/self/task"))


def tasks_at_rest() -> int:
    """How many stay: the fewest within 50 ms."""
    end = time.monotonic() + 0.05
    fewest = tasks()
    while time.monotonic() < end:
        time.sleep(0.005)
        fewest = min(fewest, tasks())
    return fewest


def settled(look: Callable[[], int], expected: int) -> int:
    """What `look` shows once it is at most `expected`, or after a second."""
    end = time.monotonic() + 1
    while (found := look()) > expected and time.monotonic() < end:
        time.sleep(0.01)
    return found
