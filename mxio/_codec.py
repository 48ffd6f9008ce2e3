"""Encoded images to pixels and back.

JPEG and PNG are handled by the core, everything else by OpenCV, which is imported when
the first such image is met.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mxio import _core
from mxio.errors import DataError

__all__ = [
    "MAX_PIXELS",
    "as_array",
    "decode_as_stored",
    "decode_bgr",
    "decode_with_opencv",
    "encode_bgr",
]

MAX_PIXELS: int = next(row[5] for row in _core.PARAMS if row[0] == "max_pixels")
_PNG_LEVELS = (0, 9)
_JPEG_QUALITIES = (1, 100)


def decode_with_opencv(data: bytes, channels: int) -> npt.NDArray[np.uint8]:
    """Decode what the core does not know to uint8 of shape (height, width, channels).

    channels 1 is gray, 3 RGB, 4 RGBA; 16 bits a channel are cut to their high 8. EXIF
    orientation is applied, except to 4 channels. OpenCV refuses more than 2**30 pixels.

    Raises DataError when OpenCV cannot decode the image either, and for channels=4
    when it has another number of channels.
    """
    if channels != 4:
        flag = {1: 0, 3: 1}[channels]
        stored = decode_as_stored(data, flag)
    else:
        stored = decode_as_stored(data, -1)
        found = 1 if stored.ndim == 2 else stored.shape[2]
        if found != 4:
            raise DataError(f"expected 4 channels, got {found}")
    if stored.dtype == np.uint16:
        stored = (stored >> 8).astype(np.uint8)
    if stored.dtype != np.uint8:
        raise DataError(f"expected 8 or 16 bits a channel, got {stored.dtype}")
    if channels == 1:
        return stored.reshape(*stored.shape, 1)
    order = [2, 1, 0, 3][:channels]
    return np.ascontiguousarray(stored[:, :, order])


def decode_as_stored(data: bytes, flag: int) -> npt.NDArray[Any]:
    """What cv2.imdecode gives; DataError where that gives nothing or raises."""
    import cv2

    if not data:
        raise DataError("the image is empty")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error as error:
        raise DataError(f"OpenCV cannot decode the image: {error}") from None
    if image is None:
        raise DataError("not an image in a format that OpenCV knows")
    return np.asarray(image)


def decode_bgr(data: bytes, flag: int) -> npt.NDArray[Any]:
    """What cv2.imdecode is meant to give, by the core where it can.

    flag 1: (h, w, 3), blue first; 0: (h, w); -1: as stored, (h, w), (h, w, 3) or
    (h, w, 4), without EXIF orientation, uint16 where the file has 16 bits a channel.
    Raises DataError.
    """
    channels = {0: 1, 1: 3, -1: 0}.get(flag)
    facts = _core.probe(data) if flag == -1 else None
    if channels is None or (facts is not None and facts[4] > 8):
        return decode_as_stored(data, flag)
    decoded = _core.decode(data, channels, True, flag != -1, MAX_PIXELS)
    if decoded is None:
        return decode_as_stored(data, flag)
    image = as_array(*decoded)
    return image[:, :, 0] if image.shape[2] == 1 else image


def encode_bgr(image: npt.NDArray[Any], suffix: str, quality: int) -> bytes:
    """What cv2.imencode is meant to give, by the core where it can.

    image: (h, w), (h, w, 3) blue first, or (h, w, 4).
    suffix: ".jpg", ".jpeg" (quality 1 to 100; alpha is dropped), ".png" (compression 0
    to 9; OpenCV also takes 16 bits), or another one that OpenCV knows (quality unused);
    quality is clamped to its range. Raises ValueError when the image cannot be encoded.
    """
    kind = suffix.lower()
    channels = image.shape[2] if image.ndim == 3 else 1
    is_jpeg = kind in (".jpg", ".jpeg")
    if is_jpeg and channels == 4:
        image, channels = image[:, :, :3], 3
    low, high = _JPEG_QUALITIES if is_jpeg else _PNG_LEVELS
    level = min(max(int(quality), low), high)
    image = np.ascontiguousarray(image)
    if image.ndim in (2, 3) and image.dtype == np.uint8 and image.size > 0:
        height, width = image.shape[:2]
        if is_jpeg and channels in (1, 3):
            return _core.encode_jpeg(image.data, height, width, channels, level, True)
        if kind == ".png" and channels in (1, 3, 4):
            return _core.encode_png(image.data, height, width, channels, level, True)
    import cv2

    settings = {".jpg": cv2.IMWRITE_JPEG_QUALITY, ".jpeg": cv2.IMWRITE_JPEG_QUALITY}
    settings[".png"] = cv2.IMWRITE_PNG_COMPRESSION
    parameters = [settings[kind], level] if kind in settings else []
    try:
        done, encoded = cv2.imencode(suffix, image, parameters)
    except cv2.error as error:
        raise ValueError(f"OpenCV cannot encode the image: {error}") from None
    if not done:
        raise ValueError(f"OpenCV cannot encode the image as {suffix}")
    return encoded.tobytes()


def as_array(
    block: _core.Block, height: int, width: int, channels: int
) -> npt.NDArray[np.uint8]:
    """The pixels in `block`, not copied."""
    return np.frombuffer(memoryview(block), np.uint8).reshape(height, width, channels)
