"""Memory of workers on a large index, and over many epochs: `pytest -m soak`."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import DataSet, encoded, record, write_rec

torch = pytest.importorskip("torch", reason="needs torch")

from torch.utils.data import DataLoader  # noqa: E402

from mxio.adapters.torch import ImageRecordDataset, Loader  # noqa: E402

pytestmark = [
    pytest.mark.soak,
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
]

RECORDS = 10_000_000
WORKERS = 8


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of 10 million records: those of a small file many times over, in a file
    that has holes between them.
    """
    folder = tmp_path_factory.mktemp("large")
    image = encoded(np.zeros((4, 4, 3), np.uint8))
    rec, _, offsets = write_rec(folder, [record(image, float(i)) for i in range(1000)])
    step = 1024
    whole = rec.read_bytes()
    with rec.open("r+b") as file:
        file.truncate(RECORDS * step)
        for i, (first, end) in enumerate(
            zip(offsets, [*offsets[1:], len(whole)], strict=True)
        ):
            file.seek(i * step)
            file.write(whole[first:end].ljust(step, b"\0"))
        file.seek((RECORDS - 1) * step)
        file.write(whole[: offsets[1]])
    with rec.with_suffix(".idx").open("w") as idx:
        for first in range(0, RECORDS, 100_000):
            idx.write(
                "".join(f"{i}\t{i * step}\n" for i in range(first, first + 100_000))
            )
    return rec


def private_kib(process: int) -> int:
    """Memory that is this process's alone."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def private_of_workers(rec: Path) -> int:
    """KiB of 8 workers together, once each has given some batches."""
    given = ImageRecordDataset(
        path_imgrec=rec,
        path_imgidx=rec.with_suffix(".idx"),
        data_shape=(3, 4, 4),
        batch_size=16,
        preprocess_threads=1,
    )
    batches: Any = iter(DataLoader(given, batch_size=None, num_workers=WORKERS))
    for _ in range(4 * WORKERS):
        next(batches)
    return sum(private_kib(worker.pid) for worker in batches._workers)


def test_workers_use_the_index_of_their_parent(large: Path, many: DataSet) -> None:
    index_kib = RECORDS * 8 / 1024

    small = private_of_workers(many.rec)
    grown = private_of_workers(large) - small

    print(f"8 workers: {small} KiB, and {grown} more; the index: {index_kib:.0f} KiB")
    assert grown < 0.05 * index_kib


def resident_kib() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def in_epochs(batches: Any) -> Iterator[int]:
    """Resident memory behind each epoch."""
    while True:
        for _ in batches:
            pass
        yield resident_kib()


@pytest.mark.parametrize("face", ["Loader", "ImageRecordDataset", "DataLoader"])
def test_fifty_epochs_are_flat(photos: DataSet, face: str) -> None:
    options: dict[str, Any] = {
        "path_imgrec": photos.rec,
        "data_shape": (3, 64, 64),
        "batch_size": 8,
        "shuffle": True,
        "rand_crop": True,
    }
    batches: Any = (Loader if face == "Loader" else ImageRecordDataset)(**options)
    if face == "DataLoader":
        batches = DataLoader(batches, batch_size=None, num_workers=2)

    seen = list(islice(in_epochs(batches), 70))

    warm, end = seen[19], seen[69]
    print(f"{face}: {warm} KiB after 20 epochs, {end} after 70")
    assert end - warm < 1024
