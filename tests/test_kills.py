"""Processes killed at random moments; what is taken up again ends as if undisturbed."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mxio.im2rec import pack_list
from mxio.tools.pack import pack
from tests.im2rec_files import photo, write_image, write_list

pytestmark = pytest.mark.soak

ROOT = Path(__file__).resolve().parents[1]
KILLS = 50
# Checkpoints after every image, so that a short run has many of them.
COMMAND = """
import sys
from mxio import _packing, im2rec
_packing._SECONDS_BETWEEN_CHECKPOINTS = 0.0
_packing._CHECKPOINT_SHARE = 1e9
print("ready", flush=True)
sys.exit(im2rec.main([*sys.argv[1:], "--quiet"]))
"""


def start(*words: object, code: str = COMMAND) -> subprocess.Popen[bytes]:
    """A process that has begun with its work."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def end(process: subprocess.Popen[bytes]) -> int:
    """Wait for its exit code."""
    with process:
        return process.wait()


def seconds_of(process: subprocess.Popen[bytes]) -> float:
    start = time.monotonic()
    assert end(process) == 0
    return time.monotonic() - start


def kill_at_random_moments(
    begin: Callable[[bool], subprocess.Popen[bytes]],
    check: Callable[[], None],
    seconds: float,
) -> None:
    """Kill what `begin(anew)` starts until 50 were killed; `check` after each.

    It starts anew after a run that came to its end before it was killed.
    """
    moments = random.Random(6)
    killed, anew = 0, True
    while killed < KILLS:
        process = begin(anew)
        time.sleep(moments.uniform(0, seconds))
        process.send_signal(signal.SIGKILL)
        anew = end(process) != -signal.SIGKILL
        killed += not anew
        check()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for number in range(60):
        write_image(tmp_path / "root" / f"{number}.jpg", photo(300, 400 + number))
    lines = (f"{number}\t0\t{number % 60}.jpg" for number in range(300))
    return write_list(tmp_path, *lines)


@pytest.mark.parametrize("old", [False, True])
def test_packing_that_is_killed_and_resumed_ends_with_the_same_bytes(
    tmp_path: Path, images: Path, old: bool
) -> None:
    def begin(anew: bool, name: str = "o.rec") -> subprocess.Popen[bytes]:
        words = [images, tmp_path / "root", tmp_path / name, "resize=100"]
        return start(*words, *["--resume"] * (not anew))

    seconds = seconds_of(begin(True, "whole.rec"))
    whole = {name: (tmp_path / f"whole.{name}").read_bytes() for name in ("rec", "idx")}
    if old:
        (tmp_path / "o.rec").write_bytes(b"old")
        (tmp_path / "o.idx").write_bytes(b"old index")

    def check() -> None:
        """Under the names there is the old or the new, and never a mixture."""
        found = {
            name: path.read_bytes()
            for name in ("rec", "idx")
            if (path := tmp_path / f"o.{name}").exists()
        }
        olds = {"rec": b"old", "idx": b"old index"}
        assert found.get("rec") in (whole["rec"], b"old" if old else None)
        assert found.get("idx") in (whole["idx"], None, *[olds["idx"]] * old)
        if found.get("idx") == olds["idx"]:
            assert found["rec"] == olds["rec"]

    kill_at_random_moments(begin, check, seconds)
    assert end(begin(False)) == 0

    check()
    assert (tmp_path / "o.rec").read_bytes() == whole["rec"]
    assert (tmp_path / "o.idx").read_bytes() == whole["idx"]
    left = {name for name in os.listdir(tmp_path) if name.startswith("o.")}
    assert left == {"o.rec", "o.idx", "o.done.json"}


MERGE = """
import sys
from mxio.tools import merge
merge._CHUNK = 4096
print("ready", flush=True)
merge.merge(sys.argv[1])
"""


def test_merging_that_is_killed_and_repeated_ends_with_the_same_bytes(
    tmp_path: Path, images: Path
) -> None:
    pack(images, tmp_path / "root", tmp_path / "o.rec", shards=7, resize=100)
    pack_list(images, tmp_path / "root", tmp_path / "whole.rec", resize=100)
    whole = [(tmp_path / f"whole.{name}").read_bytes() for name in ("rec", "idx")]

    def begin(anew: bool) -> subprocess.Popen[bytes]:
        return start(tmp_path / "o.rec", code=MERGE)

    def check() -> None:
        for name, expected in zip(("rec", "idx"), whole, strict=True):
            path = tmp_path / f"o.{name}"
            assert not path.exists() or path.read_bytes() == expected

    kill_at_random_moments(begin, check, seconds_of(begin(True)))
    assert end(begin(True)) == 0

    assert [(tmp_path / f"o.{name}").read_bytes() for name in ("rec", "idx")] == whole
    assert {path.name for path in tmp_path.glob("o.*")} == {
        *("o.rec", "o.idx", "o.mxio.json")
    }
