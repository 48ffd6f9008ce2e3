"""A bar for work that takes long."""

import sys
from typing import Any

__all__ = ["Progress"]


class Progress:
    """A bar on a terminal that tells how much of `total` (None: not known) is done;
    else, and unless `shown`, nothing. `what` stands before it.
    """

    def __init__(
        self, total: int | None, unit: str, *, shown: bool = True, what: str = ""
    ) -> None:
        self._bar: Any = None
        if shown and sys.stderr is not None and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                desc=what or None,
                total=total,
                unit=unit,
                unit_scale=unit == "B",  # bytes come by the million
                file=sys.stderr,
                leave=False,
            )

    def step(self, done: int = 1) -> None:
        """So much more is done."""
        if self._bar is not None:
            self._bar.update(done)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
