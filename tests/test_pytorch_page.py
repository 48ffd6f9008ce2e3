"""The programs of docs/pytorch.md run as they stand, and print what they should."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mxio.quickstart import pack_samples
from tests.conftest import run_python

pytest.importorskip("torch", reason="needs torch")

PAGE = Path(__file__).parents[1] / "docs/pytorch.md"
BLOCKS = re.findall(
    r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE
)


def block(words: str) -> str:
    """The program of the page that has these words."""
    found: str
    (found,) = [one for one in BLOCKS if words in one]
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with train.rec and train.idx: 40 pictures."""
    rec, idx, _ = pack_samples(tmp_path)
    rec.rename(tmp_path / "train.rec")
    idx.rename(tmp_path / "train.idx")
    monkeypatch.chdir(tmp_path)
    return tmp_path


ALONE = {
    "channels_last=True, device=device": "epoch 1: 5 batches, loss ",
    "RandomSampler(records)": "5 40\n",
    "resumed = Loader": "28 of 40 records were left\n",
}
RANKS = ["DistributedDataParallel", "fully_shard"]
PACKAGES = {
    "lightning.pytorch": ("lightning", "20\n"),
    "from accelerate": ("accelerate", "10\n"),
    "StatefulDataLoader(": ("torchdata", "7 7\n"),
}


def test_every_program_of_the_page_is_run_here() -> None:
    assert [one for one in BLOCKS if not ran(one)] == []
    assert len(BLOCKS) == len(ALONE) + len(RANKS) + len(PACKAGES)


def ran(program: str) -> bool:
    return any(words in program for words in (*ALONE, *RANKS, *PACKAGES))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature:UserWarning")
@pytest.mark.parametrize("words", ALONE)
def test_a_program_of_one_process(
    folder: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    exec(compile(block(words), str(PAGE), "exec"), {})

    assert ALONE[words] in capsys.readouterr().out


# What torchrun does, without importing torch once more for each rank. The end of gloo
# is left out: torch 2.13 hangs or aborts in it now and then, without mxio too.
FORKED = """
import os, socket, sys
import torch._dynamo, torch.distributed.fsdp, torch.nn.parallel  # or each rank would
import mxio.adapters.torch
torch.distributed.destroy_process_group = lambda: None
for program in sys.argv[1:]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    children = []
    for rank in range(2):
        child = os.fork()
        if child == 0:
            os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2"}
            exec(compile(program, "docs/pytorch.md", "exec"), {})
            sys.stdout.flush()
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
"""


def test_the_programs_for_torchrun(folder: Path) -> None:
    done = run_python(FORKED, *map(block, RANKS), warnings="default", timeout=180)

    assert done.returncode == 0, done.stderr
    # Both ranks write to one pipe, and lines may run together.
    said = re.findall(r"rank (\d): 5 batches an epoch", done.stdout)
    assert sorted(said) == ["0", "0", "1", "1"]


@pytest.mark.integration
@pytest.mark.parametrize("words", PACKAGES)
def test_a_program_with_another_package(folder: Path, words: str) -> None:
    package, expected = PACKAGES[words]
    pytest.importorskip(package, reason=f"needs {package}")

    done = run_python(block(words), warnings="default", timeout=120)

    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(expected)


# So a rank of torch 2.13 ends one run in five, behind its last line, without mxio too.
TORCH_ABORTS = "terminate called without an active exception"


@pytest.mark.integration
@pytest.mark.parametrize("words", RANKS)
def test_the_same_with_torchrun(folder: Path, words: str) -> None:
    (folder / "train.py").write_text(block(words))

    run = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    for _ in range(4):
        done = subprocess.run(
            [sys.executable, *run, "train.py"],
            capture_output=True,
            text=True,
            timeout=120,
        )
        if TORCH_ABORTS not in done.stderr:
            break

    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": 5 batches an epoch") == 2
