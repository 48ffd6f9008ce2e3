"""Nothing hangs: stuck reads, killed workers, dead parents, the end of a process."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import hanging
from tests.conftest import DataSet, run_python

pytest.importorskip("torch", reason="needs torch")

FACES = """
import os, signal, sys, time
import torch
from torch.utils.data import DataLoader
from mxio.adapters.torch import (
    ImageRecordDataset, ImageRecordMapDataset, Loader, RecordDataset
)
given = dict(path_imgrec=sys.argv[1], data_shape=(3, 8, 8), preprocess_threads=2)
def batches(**more):
    return ImageRecordDataset(**given, batch_size=2, **more)
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler")
def test_a_read_that_hangs_is_an_error_that_says_where(
    ten: DataSet, tmp_path: Path
) -> None:
    # A worker could not send its error home: the parent waited for ever.
    program = f"""{FACES}
given["timeout"] = 0.5
for taken in (
    iter(Loader(**given, batch_size=2)),
    iter(DataLoader(ImageRecordMapDataset(**given), batch_size=2)),
    iter(DataLoader(batches(), batch_size=None, num_workers=1)),
):
    assert next(taken)[1].tolist() == [0, 1]
    try:
        list(taken)
    except TimeoutError as error:
        print(str(error).replace(chr(10), " "), flush=True)
"""

    done = subprocess.run(
        [sys.executable, "-c", program, ten.rec],
        env=os.environ | hanging.read_at(tmp_path, ten.offsets[4]),
        capture_output=True,
        text=True,
        timeout=180,
    )

    said = done.stdout.splitlines()
    assert len(said) == 3, done.stderr
    for one in said:
        assert "no batch within timeout=0.5 s: a worker is stuck reading" in one
        assert f"record 4 at byte {ten.offsets[4]}" in one


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler")
def test_the_timeout_of_a_dataloader_holds_for_records(
    ten: DataSet, tmp_path: Path
) -> None:
    # They are read in the thread that asks for them.
    program = f"""{FACES}
records = RecordDataset(path_imgrec=sys.argv[1], path_imgidx=sys.argv[2])
taken = iter(DataLoader(records, batch_size=None, num_workers=1, timeout=3))
next(taken)
try:
    list(taken)
except RuntimeError as error:
    print(error)
"""

    done = subprocess.run(
        [sys.executable, "-c", program, ten.rec, ten.idx],
        env=os.environ | hanging.read_at(tmp_path, ten.offsets[4]),
        capture_output=True,
        text=True,
        timeout=180,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "DataLoader timed out after 3 seconds\n"


def test_a_killed_worker_is_an_error_and_workers_end_with_their_parent(
    ten: DataSet,
) -> None:
    # torch looks for the parent every 5 s; here more often.
    program = f"""{FACES}
from torch.utils.data._utils import worker
worker.MP_STATUS_CHECK_INTERVAL = 0.2
def begun():
    taken = iter(DataLoader(
        batches(), batch_size=None, num_workers=2, persistent_workers=True
    ))
    next(taken)
    return taken
taken = begun()
os.kill(taken._workers[1].pid, signal.SIGKILL)
taken._workers[1].join()
try:
    for _ in range(9):
        next(taken)
except RuntimeError as error:
    print(error)
taken = begun()
print(*[one.pid for one in taken._workers], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""

    done = run_python(program, ten.rec, warnings="ignore", timeout=180)

    *said, pids = done.stdout.splitlines()
    assert said[0].startswith("DataLoader worker (pid")
    workers = [Path("/proc", pid) for pid in pids.split()]
    until = time.monotonic() + 30
    while any(runs(one) for one in workers) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(workers) == 2
    assert [one for one in workers if runs(one)] == []


def runs(process: Path) -> bool:
    """False also for an orphan that is over, and that nobody has waited for."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


ALIVE = """
alive = [
    iter(Loader(**given, batch_size=2, prefetch_buffer=64)),
    iter(batches(prefetch_buffer=64)),
    iter(DataLoader(batches(), batch_size=None, num_workers=2)),
    iter(DataLoader(ImageRecordMapDataset(**given), batch_size=2, num_workers=1)),
    iter(RecordDataset(path_imgrec=sys.argv[1])),
]
kept = [next(one) for one in alive]
"""


def test_a_process_with_live_iterators_ends(photos: DataSet) -> None:
    done = run_python(FACES + ALIVE, photos.rec, warnings="ignore", timeout=180)

    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


@pytest.mark.soak
def test_it_ends_within_a_second(photos: DataSet) -> None:
    # Of that torch itself takes a part.
    seconds = {}
    for name, live in {"torch alone": "", "with iterators": ALIVE}.items():
        program = f"{FACES}{live}print(time.time())"
        done = run_python(program, photos.rec, warnings="ignore", timeout=180)
        seconds[name] = time.time() - float(done.stdout)

    print(seconds)
    assert seconds["with iterators"] - seconds["torch alone"] < 1
