"""im2rec --ray on a cluster of this machine, one of its workers killed."""

import glob
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from mxio.im2rec import pack_list
from mxio.tools.merge import merge
from mxio.tools.pack import pack
from tests.im2rec_files import photo, write_image, write_list

ray = pytest.importorskip("ray", reason="needs ray")

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("default")]


def writer_of(folder: Path, least: int) -> int | None:
    """The process that has written so many bytes of a shard."""
    parts = {
        str(path)
        for path in folder.glob("*.rec.partial")
        if path.stat().st_size >= least
    }
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(link) in parts:
                return int(link.split("/")[2])
        except OSError:
            continue
    return None


def test_a_task_that_is_killed_leaves_the_bytes_of_one_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # Ray's workers import from here first
    for number in range(20):
        write_image(tmp_path / "root" / f"{number}.jpg", photo(600, 700 + number))
    lines = (f"{number}\t{number % 7}\t{number % 20}.jpg" for number in range(800))
    lst = write_list(tmp_path, *lines)
    pack_list(lst, tmp_path / "root", tmp_path / "whole.rec", resize=200)
    out = tmp_path / "out"
    out.mkdir()
    victims: list[int] = []

    def kill() -> None:
        until = time.monotonic() + 60
        while not victims and time.monotonic() < until:
            victim = writer_of(out, 50_000)
            if victim is not None and victim != os.getpid():
                os.kill(victim, signal.SIGKILL)
                victims.append(victim)

    ray.init(num_cpus=2, include_dashboard=False, _node_ip_address="127.0.0.1")
    try:
        killer = threading.Thread(target=kill)
        killer.start()
        report = pack(
            lst, tmp_path / "root", out / "o.rec", shards=6, ray="auto", resize=200
        )
        killer.join()
    finally:
        ray.shutdown()
    merge(out / "o.rec")

    assert victims
    assert report.packed == 800
    for suffix in (".rec", ".idx"):
        whole = (tmp_path / f"whole{suffix}").read_bytes()
        assert (out / f"o{suffix}").read_bytes() == whole
