"""What becomes of every picture that is packed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mxio import _core
from mxio._codec import MAX_PIXELS, decode_bgr, encode_bgr
from mxio.errors import ParameterError
from mxio.image import resize_short

__all__ = ["Recipe"]

_RANDOM_INTERPOLATION = 10
_PNG_LEVEL_MAX = 9
_PNG_LEVEL = 3  # stands for every quality above the highest level
_ALLOWED: dict[str, Sequence[object]] = {
    "resize": range(-1, 65501),
    "color": (1, 0, -1),
    "encoding": (".jpg", ".png"),
    "quality": range(101),
    "inter_method": (0, 1, 2, 3, 4, 9, _RANDOM_INTERPOLATION),
}
_CHANNELS = {1: 3, 0: 1, -1: 0}  # of the core, by color


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The arguments of `pack_list` that decide what is stored, checked."""

    resize: int
    center_crop: bool
    color: int
    encoding: str
    quality: int
    inter_method: int
    pass_through: bool
    repack: bool
    scaled_decode: bool

    def __post_init__(self) -> None:
        for name, allowed in _ALLOWED.items():
            value = getattr(self, name)
            if value not in allowed:
                raise ParameterError(
                    f"{name} must be {_one_of(allowed)}, got {value!r}"
                )
        if self.encoding == ".jpg" and self.quality == 0:
            raise ParameterError("quality must be in [1, 100] for .jpg, got 0")

    @property
    def _knob(self) -> int:
        """What the encoder is told: quality of JPEG, level of PNG."""
        if self.encoding == ".png" and self.quality > _PNG_LEVEL_MAX:
            return _PNG_LEVEL
        return self.quality

    def packer(self, threads: int, depth: int) -> _core.Packer:
        """The core's threads, following this recipe."""
        return _core.Packer(
            self.pass_through,
            self.repack,
            _CHANNELS[self.color],
            self.center_crop,
            max(self.resize, 0),
            self.scaled_decode,
            self.encoding == ".png",
            self._knob,
            MAX_PIXELS,
            threads,
            depth,
        )

    def interpolation(self, number: int) -> int:
        """The method for the picture of line `number`; 9 fits it to the sizes."""
        if self.inter_method == _RANDOM_INTERPOLATION:
            return random.Random(number).randint(0, 4)
        return self.inter_method

    def encode_anew(self, data: bytes, number: int) -> bytes:
        """What the core makes of a picture, for formats that only OpenCV knows.

        DataError when OpenCV does not know it either; ValueError when it cannot be
        encoded.
        """
        image = decode_bgr(data, self.color)
        if self.center_crop:
            image = _square(image)
        if self.resize > 0 and self.resize != min(image.shape[:2]):
            image = _resized(image, self.resize, self.interpolation(number))
        if self.encoding == ".jpg" and image.dtype == np.uint16:
            image = (image >> 8).astype(np.uint8)
        return encode_bgr(image, self.encoding, self._knob)


def _one_of(allowed: Sequence[object]) -> str:
    if isinstance(allowed, range):
        return f"in [{allowed[0]}, {allowed[-1]}]"
    return f"one of {', '.join(map(str, allowed))}"


def _square(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    height, width = image.shape[:2]
    size = min(height, width)
    top, left = (height - size) // 2, (width - size) // 2
    return image[top : top + size, left : left + size]


def _resized(image: npt.NDArray[Any], size: int, interp: int) -> npt.NDArray[Any]:
    pixels = image.reshape(*image.shape[:2], -1)
    resized = resize_short(pixels, size, interp).asnumpy()
    return resized[:, :, 0] if image.ndim == 2 else resized
