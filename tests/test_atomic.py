"""Files that appear only when whole, written by several at a time."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from mxio._atomic import PendingFile, publish


def test_a_file_never_gets_the_companion_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records of one run stood beside the index of another that ended just then."""
    rename = PendingFile._rename
    between = threading.Event()

    def slow(file: PendingFile) -> None:
        if threading.current_thread().name == "slow" and file.path.endswith(".idx"):
            between.set()
            time.sleep(0.1)
        rename(file)

    def write() -> None:
        pair = [PendingFile(str(tmp_path / name)) for name in ("a.rec", "a.idx")]
        for file in pair:
            file.write(threading.current_thread().name.encode())
        publish(*pair)

    monkeypatch.setattr(PendingFile, "_rename", slow)
    first = threading.Thread(target=write, name="slow")
    first.start()
    assert between.wait(10)
    write()
    first.join()

    assert (tmp_path / "a.rec").read_bytes() == (tmp_path / "a.idx").read_bytes()
