"""Files in InsightFace's layout, put together by hand."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mxio.recordio import IRHeader, MXIndexedRecordIO, pack
from tests.conftest import Pixels, encoded


def face(key: int, size: int = 8) -> Pixels:
    """The picture of an image: all values are its key's lowest byte."""
    return np.full((size, size, 3), key % 256, np.uint8)


def image(key: int, label: Any, size: int = 8) -> bytes:
    return pack(IRHeader(0, label, key, 0), encoded(face(key, size)))


def pair(key: int, first: float, end: float) -> bytes:
    """A header or an identity: two labels, no picture."""
    return pack(IRHeader(0, (first, end), key, 1), b"")


def write(folder: Path, records: Iterable[tuple[int, bytes]]) -> tuple[Path, Path]:
    """Paths of train.rec and train.idx with these keys and payloads, in this order."""
    folder.mkdir(exist_ok=True)
    rec, idx = folder / "train.rec", folder / "train.idx"
    with MXIndexedRecordIO(idx, rec, "w") as writer:
        for key, payload in records:
            writer.write_idx(key, payload)
    return rec, idx


def face_file(
    folder: Path,
    counts: Sequence[int],
    *,
    header: str = "last",
    packed: bool = False,
    start: int = 1,
    size: int = 8,
) -> tuple[Path, Path]:
    """One identity for each count, with labels 0, 1, ... and so many images, the first
    of them under the key `start`.

    header: "last" as rec_builder.py writes it, "middle" as face2rec2.py does, or
    "first". packed: labels of images are pairs (label, 1), as those of face2rec2.py.
    """
    images: list[tuple[int, bytes]] = []
    ranges = []
    for label, count in enumerate(counts):
        first = start + len(images)
        for key in range(first, first + count):
            labels = (float(label), 1.0) if packed else float(label)
            images.append((key, image(key, labels, size)))
        ranges.append((first, first + count))
    first = start + len(images)
    identities = [(first + i, pair(first + i, *r)) for i, r in enumerate(ranges)]
    top = [(0, pair(0, first, first + len(identities)))]
    order = {
        "last": images + identities + top,
        "middle": images + top + identities,
        "first": top + images + identities,
    }
    return write(folder, order[header])
