"""Real ranks under torchrun: one is killed, and fewer of them finish the run."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DataSet, run_python

torch = pytest.importorskip("torch", reason="needs torch")

from mxio.adapters.torch import Loader  # noqa: E402

PROGRAM = Path(__file__).parents[1] / "distributed_run.py"
WHOLE = 12  # records of all ranks a step
EPOCHS = 3

Row = tuple[int, bool, str]


# Both runs from one process that has imported torch: it forks the ranks itself. As to
# the end of gloo, see tests/test_pytorch_page.py.
FORKED = """
import os, signal, socket, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import distributed_run
import torch._dynamo  # or each rank would
distributed_run.dist.destroy_process_group = lambda: None

def run(ranks, *arguments):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    children = []
    for rank in range(ranks):
        child = os.fork()
        if child == 0:
            os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(ranks)}
            distributed_run.main(*arguments)
            os._exit(0)
        children.append(child)
    ended = [os.waitpid(children.pop(), 0)[1]]  # the last rank: the one that is killed
    for child in children:
        if ended[0]:
            os.kill(child, signal.SIGKILL)
        ended.append(os.waitpid(child, 0)[1])
    return ended

rec, folder, whole, workers, stop, before, after = sys.argv[2:]
given = rec, Path(folder), int(whole), int(workers)
assert run(int(before), *given, int(stop))[0] == signal.SIGKILL
os.rename(Path(folder, "state.json"), Path(folder, "reached.json"))
Path(folder, "state.json").write_text(Path(folder, "reached.json").read_text())
assert not any(run(int(after), *given, -1))
"""


def torchrun(ranks: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={ranks}", str(PROGRAM), *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=180,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def steps_of(folder: Path) -> dict[tuple[int, int], list[Row]]:
    """The rows of all ranks at each (epoch, samples done behind it)."""
    ranks: dict[tuple[int, int], list[tuple[int, list[Row]]]] = {}
    for path in folder.glob("rank*.jsonl"):
        for line in path.read_text().splitlines():
            epoch, done, rank, rows = json.loads(line)
            ranks.setdefault((epoch, done), []).append((rank, rows))
    return {
        place: [(row[0], row[1], row[2]) for _, rows in sorted(found) for row in rows]
        for place, found in ranks.items()
    }


def uninterrupted(data: DataSet) -> dict[tuple[int, int], list[Row]]:
    """The same of a run of one process, in this one."""
    out = {}
    loader = Loader(
        path_imgrec=data.rec,
        data_shape=(3, 8, 8),
        batch_size=WHOLE,
        last_batch="pad",
        with_mask=True,
        shuffle=True,
        rand_crop=True,
        rand_mirror=True,
        seed=11,
    )
    for epoch in range(EPOCHS):
        for step, (pixels, label, mask) in enumerate(loader):
            digests = [hashlib.sha256(row.numpy()).hexdigest() for row in pixels]
            rows = zip(label.tolist(), mask.tolist(), digests, strict=True)
            out[epoch, min((step + 1) * WHOLE, 37)] = list(rows)
    return out


def check(data: DataSet, folder: Path, reached: dict[str, Any], stop: int) -> None:
    """What all ranks of both runs got is what one process gets, byte by byte."""
    steps = steps_of(folder)
    assert steps == uninterrupted(data)
    assert (reached["epoch"], reached["samples"]) == sorted(steps)[stop - 1]
    for epoch in range(EPOCHS):
        good = [
            label
            for (of, _), rows in steps.items()
            for label, new, _ in rows
            if of == epoch and new
        ]
        assert sorted(good) == list(range(37))


def test_a_run_whose_rank_was_killed_is_finished_by_another_number_of_them(
    photos: DataSet, tmp_path: Path
) -> None:
    stop = 6

    done = run_python(
        FORKED,
        *(PROGRAM.parent, photos.rec, tmp_path, WHOLE, 0, stop, 2, 1),
        warnings="default",
        timeout=180,
    )

    assert done.returncode == 0, done.stderr
    check(photos, tmp_path, json.loads((tmp_path / "reached.json").read_text()), stop)


@pytest.mark.integration
@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize(("before", "after", "stop"), [(4, 2, 6), (2, 4, 3), (4, 2, 4)])
def test_the_same_by_torchrun_with_workers_and_more_ranks(
    photos: DataSet, tmp_path: Path, workers: int, before: int, after: int, stop: int
) -> None:
    arguments: list[Any] = [photos.rec, tmp_path, WHOLE, workers]

    killed = torchrun(before, *arguments, stop)
    reached = json.loads((tmp_path / "state.json").read_text())
    finished = torchrun(after, *arguments, -1)

    assert killed.returncode != 0
    assert "SIGKILL" in killed.stderr or "-9" in killed.stderr
    assert finished.returncode == 0, finished.stderr
    check(photos, tmp_path, reached, stop)
