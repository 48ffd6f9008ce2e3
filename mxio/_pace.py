"""What a long run of im2rec shows on stderr."""

from __future__ import annotations

import datetime
import sys
import time
from typing import Any

__all__ = ["Pace"]

_SECONDS_BETWEEN_LINES = 10.0


class Pace:
    """A bar on a terminal, elsewhere a line now and then; nothing unless `shown`.

    Both tell images/s and the time left, of `total` images.
    """

    def __init__(self, total: int, shown: bool) -> None:
        self._total = total
        self._before = self._done = 0
        self._shown = shown
        self._start = self._last = time.monotonic()
        self._bar: Any = None
        if shown and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit=" images", file=sys.stderr)

    def skip(self, count: int) -> None:
        """Images that an earlier run had done."""
        self._before += count
        self._done += count
        if self._bar is not None:
            self._bar.initial += count
            self._bar.update(count)

    def step(self, count: int = 1) -> None:
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        elif self._shown and time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            made, seconds = self._done - self._before, self._last - self._start
            rest = (self._total - self._done) * seconds / max(made, 1)
            left = datetime.timedelta(seconds=round(max(rest, 0)))
            told = f"{made / seconds:.0f} images/s, {left} left"
            self.say(f"{self._done} of {self._total}, {told}")

    def say(self, text: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        print(f"im2rec: {text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
