"""Images, lists and packed files for the tests of im2rec."""

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mxio.recordio import MXIndexedRecordIO, unpack

MAGIC = bytes.fromhex("0a23d7ce")


def photo(
    height: int = 40, width: int = 56, channels: int = 3
) -> npt.NDArray[np.uint8]:
    """A smooth picture that JPEG hardly changes, blue first."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin((x + k * y) / (9 + k)) for k in range(channels)]
    image = (120 + 100 * np.stack(waves, axis=2)).astype(np.uint8)
    return image if channels > 1 else image[:, :, 0]


def write_image(path: Path, image: npt.NDArray[Any] | None = None) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    done, encoded = cv2.imencode(path.suffix, photo() if image is None else image)
    assert done
    path.write_bytes(encoded.tobytes())
    return encoded.tobytes()


def write_list(folder: Path, *lines: str, name: str = "image.lst") -> Path:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def record(payload: bytes) -> bytes:
    """A record of bytes without magic numbers, as the format says."""
    padding = bytes(-len(payload) % 4)
    return MAGIC + struct.pack("<I", len(payload)) + payload + padding


def pairs(path: Path) -> list[tuple[Any, bytes]]:
    """(header, image bytes) of all records, in the order of the index."""
    reader = MXIndexedRecordIO(path.with_suffix(".idx"), path, "r")
    return [unpack(reader.read_idx(key)) for key in reader.keys]


def decoded(data: bytes, flag: int = -1) -> npt.NDArray[Any]:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    assert image is not None
    return np.asarray(image)
