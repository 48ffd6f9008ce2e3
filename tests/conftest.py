"""Small data sets and helpers: `from tests.conftest import ...`."""

import gc
import os
import random
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

import mxio
from mxio.io import ImageRecordIter
from mxio.recordio import IRHeader, MXIndexedRecordIO, MXRecordIO, pack

# Programs that tests start import the mxio that is being tested, wherever they run.
os.environ["PYTHONSAFEPATH"] = "1"
os.environ["PYTHONPATH"] = str(Path(mxio.__file__).parents[1])

# How long an example takes is the machine's matter; a fixture that a test of many
# examples asks for serves all of them.
settings.register_profile(
    "mxio",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("mxio")

Pixels = NDArray[np.uint8]


class DataSet(NamedTuple):
    """A RecordIO file, its index, and what went into it."""

    rec: Path
    idx: Path
    ids: list[int]
    labels: list[float]
    pixels: list[Pixels]
    offsets: list[int]


def pytest_collection_finish() -> None:
    """Modules live as long as the tests: the garbage collector may pass them over."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)


def picture(seed: int, height: int, width: int, channels: int = 3) -> Pixels:
    """Smooth colours with some noise, red first: (height, width, channels)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 4, channels), np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    noise = rng.integers(-8, 9, (height, width, channels))
    mixed = smooth.reshape(height, width, channels) + noise
    pixels: Pixels = np.clip(mixed, 0, 255).astype(np.uint8)
    return pixels


def encoded(pixels: Pixels, suffix: str = ".png", *options: int) -> bytes:
    """The picture, red first, as OpenCV writes it."""
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[pixels.shape[2]]
    done, out = cv2.imencode(suffix, pixels[:, :, order], options)
    assert done
    return out.tobytes()


def record(image: bytes, label: Any = 0.0, id: int = 0) -> bytes:
    """The payload of an image record."""
    return pack(IRHeader(0, label, id, 0), image)


def write_rec(
    folder: Path, payloads: Iterable[bytes], name: str = "data"
) -> tuple[Path, Path, list[int]]:
    """Paths of the .rec and the .idx with keys 0, 1, ..., and the offsets."""
    rec, idx = folder / f"{name}.rec", folder / f"{name}.idx"
    with MXIndexedRecordIO(idx, rec, "w") as writer:
        for key, payload in enumerate(payloads):
            writer.write_idx(key, payload)
        offsets = list(writer.idx.values())
    return rec, idx, offsets


def write_set(
    folder: Path, pixels: Sequence[Pixels], suffix: str = ".png", name: str = "data"
) -> DataSet:
    """Pictures as records with labels 0, 1, ... and ids 100, 101, ..."""
    ids = [100 + i for i in range(len(pixels))]
    labels = [float(i) for i in range(len(pixels))]
    payloads = [
        record(encoded(image, suffix), label, id)
        for image, label, id in zip(pixels, labels, ids, strict=True)
    ]
    rec, idx, offsets = write_rec(folder, payloads, name)
    return DataSet(rec, idx, ids, labels, list(pixels), offsets)


@pytest.fixture(scope="session")
def ten(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """10 PNG pictures of 8 x 8; every value of picture i is 20 * i."""
    pixels = [np.full((8, 8, 3), 20 * i, np.uint8) for i in range(10)]
    return write_set(tmp_path_factory.mktemp("ten"), pixels)


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """7 PNG pictures of 12 x 16 with all kinds of values."""
    rng = np.random.default_rng(3)
    pixels = [rng.integers(0, 256, (12, 16, 3), np.uint8) for _ in range(7)]
    return write_set(tmp_path_factory.mktemp("colours"), pixels)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """37 JPEGs of 40 to 76 pixels a side; `pixels` are those before encoding."""
    pixels = [picture(i, 40 + i, 76 - i) for i in range(37)]
    return write_set(tmp_path_factory.mktemp("photos"), pixels, ".jpg")


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """1000 tiny PNG pictures of 4 x 4."""
    pixels = [np.full((4, 4, 3), i % 256, np.uint8) for i in range(1000)]
    return write_set(tmp_path_factory.mktemp("many"), pixels)


def iterator(data: DataSet | Path, **options: Any) -> ImageRecordIter:
    """The mx.io iterator, 4 samples of (3, 8, 8) a batch unless told otherwise."""
    rec = data.rec if isinstance(data, DataSet) else data
    given: dict[str, Any] = {"data_shape": (3, 8, 8), "batch_size": 4} | options
    return ImageRecordIter(**({"path_imgrec": rec} | given))


def epoch_ids(batches: Iterable[Any]) -> list[int]:
    """Ids of the rows of one epoch, padding left out."""
    return [
        int(id)
        for batch in batches
        for id in batch.index[: len(batch.index) - batch.pad]
    ]


def epoch_bytes(batches: Iterable[Any]) -> list[tuple[bytes, bytes, bytes, int]]:
    """Data, label, ids and padding of each batch of one epoch of an mx.io iterator."""
    return [
        (
            batch.data[0].tobytes(),
            batch.label[0].tobytes(),
            batch.index.tobytes(),
            batch.pad,
        )
        for batch in batches
    ]


def run_python(
    program: str, *arguments: object, timeout: float = 60, warnings: str = "error"
) -> subprocess.CompletedProcess[str]:
    """Run a program, by default with warnings as errors; it may import the mxio under
    test.
    """
    command = [sys.executable, "-W", warnings, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout)


def difference(first: NDArray[Any], second: NDArray[Any]) -> int:
    """Largest difference of two arrays of one shape, in levels."""
    assert first.shape == second.shape
    return int(np.abs(first.astype(int) - second).max())


def payloads_of(rec: Path) -> list[bytes]:
    with MXRecordIO(rec, "r") as reader:
        return list(iter(reader.read, None))


def record_part(kind: int, data: bytes) -> bytes:
    """One physical part of a record, as the format says."""
    head = struct.pack("<II", 0xCED7230A, kind << 29 | len(data))
    return head + data + bytes(-len(data) % 4)


@pytest.fixture(scope="session")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """23 payloads that are no images: b"0", b"1", ..."""
    folder = tmp_path_factory.mktemp("notes")
    rec, _, _ = write_rec(folder, (str(i).encode() for i in range(23)))
    return rec


@pytest.fixture
def seeded() -> Iterator[None]:
    """Python's and NumPy's global generators from a known state."""
    states = random.getstate(), np.random.get_state()
    random.seed(7)
    np.random.seed(7)
    yield
    random.setstate(states[0])
    np.random.set_state(states[1])
