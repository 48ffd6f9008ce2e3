"""stats() and explain(): counts that can be checked by hand, and the right culprit."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mxio._stats import Stats
from mxio.adapters.numpy import ImageRecordLoader
from mxio.io import ImageDetRecordIter, ImageRecordIter
from tests.conftest import DataSet, encoded, picture, record, write_rec


def options(data: DataSet | Path, **more: Any) -> dict[str, Any]:
    rec = data.rec if isinstance(data, DataSet) else data
    given: dict[str, Any] = {"path_imgrec": rec, "data_shape": (3, 8, 8)}
    return given | {"batch_size": 4, "preprocess_threads": 2} | more


JPEG_WAYS = ["jpeg_plain", "jpeg_own", "jpeg_stock"]


def test_what_was_loaded_is_counted(photos: DataSet) -> None:
    loader = ImageRecordLoader(**options(photos))
    for _ in loader:
        pass

    stats = loader.stats()

    payloads = [len(record(encoded(pixels, ".jpg"), 0.0)) for pixels in photos.pixels]
    assert stats.samples == 37
    assert stats.bytes == sum(payloads)
    assert stats.threads == 2
    assert sum(stats.paths[way] for way in JPEG_WAYS) == 37
    assert min(stats.read, stats.decode, stats.transform) > 0
    assert sum(stats.shares.values()) == pytest.approx(1)
    assert 0 < stats.tickets <= 37
    assert json.loads(json.dumps(stats.asdict()))["samples"] == 37


def test_ways_of_decoding_are_told_apart(tmp_path: Path) -> None:
    pixels = picture(1, 16, 16)
    deep = np.full((16, 16, 3), 300, np.uint16)
    bmp = cv2.imencode(".bmp", pixels)[1].tobytes()
    pictures = [
        encoded(pixels, ".jpg"),
        encoded(pixels, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        encoded(pixels),
        cv2.imencode(".png", deep)[1].tobytes(),
        bmp,
        bmp,
    ]
    rec, _, _ = write_rec(tmp_path, [record(one) for one in pictures])
    loader = ImageRecordLoader(**options(rec, batch_size=6))
    for _ in loader:
        pass

    paths = loader.stats().paths

    assert sum(paths[way] for way in JPEG_WAYS) == 2
    assert paths["jpeg_stock"] >= 1
    assert (paths["png_plain"], paths["png_libpng"], paths["foreign"]) == (1, 1, 2)


def test_nothing_was_done_before_the_first_batch(ten: DataSet) -> None:
    loader = ImageRecordLoader(**options(ten))

    assert loader.stats().samples == 0
    assert loader.stats().images_per_second == 0
    assert loader.explain() == "Nothing was loaded yet."


def test_a_slow_consumer_is_named(ten: DataSet) -> None:
    loader = ImageRecordLoader(**options(ten, prefetch_buffer=1, batch_size=1))
    for _ in loader:
        time.sleep(0.02)

    assert "The consumer is the bottleneck" in loader.explain()


def test_large_pictures_are_named(tmp_path: Path) -> None:
    big = encoded(picture(3, 1500, 1500), ".jpg")
    rec, _, _ = write_rec(tmp_path, [record(big)] * 6)
    loader = ImageRecordLoader(**options(rec, resize=8, batch_size=2))
    for _ in loader:
        pass

    said = loader.explain()

    assert "The loader is the bottleneck: most time goes into decoding" in said
    assert "6 images in" in said
    assert "6 images: JPEG " in said


MADE = Stats(
    samples=100,
    bytes=5_000_000,
    seconds=2.0,
    threads=2,
    read=3.0,
    decode=0.5,
    transform=0.25,
    idle=0.25,
    waited=1.8,
    tickets=10,
    paths={
        "jpeg_plain": 0,
        "jpeg_own": 90,
        "jpeg_stock": 10,
        "png_plain": 0,
        "png_libpng": 0,
        "foreign": 0,
    },
)


def test_a_slow_file_system_is_named() -> None:
    said = MADE.explain().splitlines()

    assert said[0] == "100 images in 2.00 s: 50 images/s, 2.5 MB/s, 2 threads."
    assert said[1] == (
        "Of their time: read 75 %, decode 12 %, transform 6 %, idle 6 %."
        " The consumer waited 90 % of the time."
    )
    assert "the files are slow" in said[2]
    assert [line.split(":")[0] for line in said[3:]] == ["90 images", "10 images"]


def test_loaders_side_by_side_add_up() -> None:
    both = Stats.total([MADE, MADE])

    assert (both.samples, both.threads, both.seconds) == (200, 4, 2.0)
    assert both.paths["jpeg_own"] == 180
    assert Stats.total([]).explain() == "Nothing was loaded yet."


@pytest.mark.parametrize("kind", ["iter", "det", "dataset", "loader", "map"])
def test_every_face_tells(kind: str, ten: DataSet, tmp_path: Path) -> None:
    pixels = picture(5, 16, 16)
    boxes = np.array([2, 5, 0, 0.1, 0.1, 0.9, 0.9], np.float32)
    rec, _, _ = write_rec(tmp_path, [record(encoded(pixels), boxes)] * 4)
    if kind in ("dataset", "loader", "map"):
        torch = pytest.importorskip("mxio.adapters.torch")
    faces: dict[str, Callable[[], Any]] = {
        "iter": lambda: ImageRecordIter(**options(ten)),
        "det": lambda: ImageDetRecordIter(**options(rec)),
        "dataset": lambda: torch.ImageRecordDataset(**options(ten)),
        "loader": lambda: torch.Loader(**options(ten)),
        "map": lambda: torch.ImageRecordMapDataset(
            path_imgrec=ten.rec, data_shape=(3, 8, 8)
        ),
    }
    face = faces[kind]()
    _ = [face[i] for i in range(4)] if kind == "map" else next(iter(face))

    assert face.stats().samples >= 4
    assert "images/s" in face.explain()
