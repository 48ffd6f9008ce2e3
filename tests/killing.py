"""Commands that are killed at any moment, and what they may leave behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_PROGRAM = """
import importlib, sys
from mxio.cli import main
importlib.import_module("mxio.tools." + sys.argv[1])
print("ready", flush=True)
sys.exit(main(sys.argv[1:]))
"""


def killed(words: Sequence[str], seconds: float | None) -> float:
    """Run `mxio` with these words, and kill it so long after its start (never for
    None); gives how long it ran.
    """
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *words], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        start = time.monotonic()
        if seconds is not None:
            time.sleep(seconds)
            process.kill()
        process.stdout.read()
        took = time.monotonic() - start
    assert process.returncode in (0, -signal.SIGKILL)
    return took


def check_moments(
    words: Sequence[str], files: Sequence[Path], moments: int, clean: Callable[[], None]
) -> int:
    """Kill a command at so many moments, spread over its run.

    Before each, `clean` puts back what was there. `files`, a .rec and its .idx, then
    hold what they held before or what an undisturbed run writes: never anything else,
    and never a new .rec beside an old .idx. Gives how many runs were killed in time.
    """
    clean()
    old = [content(path) for path in files]
    took = killed(words, None)
    new = [content(path) for path in files]
    assert None not in new
    allowed = [old, [old[0], None], [new[0], None], new]
    interrupted = 0
    for moment in range(moments):
        clean()
        killed(words, 1.1 * took * moment / moments)
        found = [content(path) for path in files]
        assert found in allowed
        interrupted += found != new
    clean()
    return interrupted


def content(path: Path) -> bytes | None:
    """The bytes of a file, None when there is none."""
    return path.read_bytes() if path.exists() else None
