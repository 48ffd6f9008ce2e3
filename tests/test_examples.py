"""Every program in examples/ runs as it is and prints what it promises."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mxio

EXAMPLES = Path(__file__).parents[1] / "examples"

EXPECTED = {
    "dataiter.py": [
        "epoch 0 batch 2: (16, 3, 128, 128) float32",
        "8 rows of padding",
        "epoch 1 batch 0",
    ],
    "image_iter.py": [
        "'ColorJitterAug', 'Vignette'",
        "batch 2: (16, 3, 128, 128) float32",
        "8 rows of padding",
    ],
    "ndarray_iter.py": [
        "epoch 0: (4, 3, 8, 8) float32, samples [4 7 5 6], labels [0 1 1 0]",
        "epoch 1: (4, 3, 8, 8) float32, samples [8 3 4 0], labels [0 1 0 0]",
    ],
    "numpy_loader.py": [
        "data (8, 128, 128, 3) uint8, label int64",
        "epoch 0: 40 records, 40 different",
        "epoch 1: 40 records, 40 different",
    ],
    "torch_dataset.py": [
        "batch  (8, 3, 128, 128) torch.float32",
        "sample (3, 128, 128) torch.float32, label",
    ],
    "train_cnn.py": [
        "epoch 20: mean loss",
        "at least 9 of 10: True",
    ],
    "two_ranks_partitions.py": [
        "rank 0 read",
        "rank 1 read",
        "together they read every record exactly once: True",
    ],
}
NEED_TORCH = ["torch_dataset.py", "train_cnn.py", "two_ranks_partitions.py"]


def test_every_example_is_checked_here() -> None:
    names = {path.name for path in EXAMPLES.glob("*.py")}

    assert names == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_an_example_runs_and_prints_what_it_shows(name: str, tmp_path: Path) -> None:
    if name in NEED_TORCH and importlib.util.find_spec("torch") is None:
        pytest.skip("needs torch")

    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(mxio.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert [part for part in EXPECTED[name] if part not in done.stdout] == []
    assert list(tmp_path.iterdir()) == []
