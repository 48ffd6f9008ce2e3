"""Augmenters: objects that change an image, most of them at random.

An image is an array of shape (height, width, 3), red first. Changes of colour want
floats (put `CastAug` before them) and work in place where they can; nothing is clipped.
Random numbers come from Python's `random`; those of LightingAug from NumPy's global
state.
"""

from __future__ import annotations

import json
import math
import random
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mxio.image.functions import (
    center_crop,
    color_normalize,
    imresize,
    per_channel,
    random_crop,
    random_size_crop,
    resize_short,
)
from mxio.ndarray import NDArray, array

__all__ = [
    "Augmenter",
    "BrightnessJitterAug",
    "CastAug",
    "CenterCropAug",
    "ColorJitterAug",
    "ColorNormalizeAug",
    "ContrastJitterAug",
    "ForceResizeAug",
    "HorizontalFlipAug",
    "HueJitterAug",
    "LightingAug",
    "RandomCropAug",
    "RandomGrayAug",
    "RandomOrderAug",
    "RandomSizedCropAug",
    "ResizeAug",
    "SaturationJitterAug",
    "SequentialAug",
    "described",
]

# ITU-R BT.601 luma, and the one that RandomGrayAug has in MXNet.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_GRAY = np.array([0.21, 0.72, 0.07], np.float32)
_TO_YIQ = np.array(
    [[0.299, 0.587, 0.114], [0.596, -0.274, -0.321], [0.211, -0.523, 0.311]]
)
_FROM_YIQ = np.array([[1.0, 0.956, 0.621], [1.0, -0.272, -0.647], [1.0, -1.107, 1.705]])


class Augmenter:
    """The base class: a call takes an image and gives one.

    Settings passed on to this constructor are what `dumps` tells.
    """

    def __init__(self, **kwargs: Any) -> None:
        self._kwargs = described(kwargs)

    def dumps(self) -> Any:
        """The augmenter as JSON: its lower-case name and its settings.

        Those made of others give a list instead: the name, and what the parts give.
        """
        return json.dumps([type(self).__name__.lower(), self._kwargs])

    def __call__(self, src: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The changed image."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__")


class SequentialAug(Augmenter):
    """Several augmenters, one after the other."""

    def __init__(self, ts: Sequence[Augmenter]) -> None:
        super().__init__()
        self.ts = list(ts)

    def dumps(self) -> list[Any]:
        """The name, and what each part gives."""
        return [type(self).__name__.lower(), [part.dumps() for part in self.ts]]

    def __call__(self, src: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The image after all of them."""
        for part in self.ts:
            src = part(src)
        return src


class RandomOrderAug(SequentialAug):
    """Several augmenters, each time in another order."""

    def __call__(self, src: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The image after all of them."""
        random.shuffle(self.ts)
        return super().__call__(src)


class ResizeAug(Augmenter):
    """Resize the shorter edge to `size`, see `resize_short`."""

    def __init__(self, size: int, interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size = size
        self.interp = interp

    def __call__(self, src: npt.NDArray[Any]) -> NDArray:
        """The resized image."""
        return resize_short(src, self.size, self.interp)


class ForceResizeAug(Augmenter):
    """Resize to `size` (width, height), whatever becomes of the aspect ratio."""

    def __init__(self, size: Sequence[int], interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size = size
        self.interp = interp

    def __call__(self, src: npt.NDArray[Any]) -> NDArray:
        """The resized image."""
        return imresize(src, self.size[0], self.size[1], self.interp)


class RandomCropAug(Augmenter):
    """Cut `size` (width, height) at random, see `random_crop`."""

    def __init__(self, size: Sequence[int], interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size = size
        self.interp = interp

    def __call__(self, src: npt.NDArray[Any]) -> NDArray:
        """The box."""
        return random_crop(src, self.size, self.interp)[0]


class RandomSizedCropAug(Augmenter):
    """Cut a box of random area and aspect ratio, see `random_size_crop`."""

    def __init__(
        self,
        size: Sequence[int],
        area: float | Sequence[float],
        ratio: Sequence[float],
        interp: int = 2,
        *,
        min_area: float | Sequence[float] | None = None,
    ) -> None:
        if min_area is not None:
            warnings.warn("min_area is now area", DeprecationWarning, stacklevel=2)
            area = min_area
        super().__init__(size=size, area=area, ratio=ratio, interp=interp)
        self.size = size
        self.area = area
        self.ratio = ratio
        self.interp = interp

    def __call__(self, src: npt.NDArray[Any]) -> NDArray:
        """The box, resized."""
        return random_size_crop(src, self.size, self.area, self.ratio, self.interp)[0]


class CenterCropAug(Augmenter):
    """Cut `size` (width, height) from the middle, see `center_crop`."""

    def __init__(self, size: Sequence[int], interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size = size
        self.interp = interp

    def __call__(self, src: npt.NDArray[Any]) -> NDArray:
        """The box."""
        return center_crop(src, self.size, self.interp)[0]


class BrightnessJitterAug(Augmenter):
    """Multiply by a number between 1 - brightness and 1 + brightness."""

    def __init__(self, brightness: float) -> None:
        super().__init__(brightness=brightness)
        self.brightness = brightness

    def __call__(self, src: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The image, changed in place."""
        _expect_floats(self, src)
        src *= 1 + random.uniform(-self.brightness, self.brightness)
        return src


class ContrastJitterAug(Augmenter):
    """Blend with the mean luma of the image: a * image + (1 - a) * mean.

    a lies between 1 - contrast and 1 + contrast.
    """

    def __init__(self, contrast: float) -> None:
        super().__init__(contrast=contrast)
        self.contrast = contrast

    def __call__(self, src: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The image, changed in place."""
        _expect_floats(self, src)
        share = 1 + random.uniform(-self.contrast, self.contrast)
        gray = src.view(np.ndarray) @ _LUMA.astype(src.dtype)
        src *= share
        src += float(gray.mean(dtype=np.float64)) * (1 - share)
        return src


class SaturationJitterAug(Augmenter):
    """Blend with the gray image: a * image + (1 - a) * luma.

    a lies between 1 - saturation and 1 + saturation.
    """

    def __init__(self, saturation: float) -> None:
        super().__init__(saturation=saturation)
        self.saturation = saturation

    def __call__(self, src: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The image, changed in place."""
        _expect_floats(self, src)
        share = 1 + random.uniform(-self.saturation, self.saturation)
        gray = src.view(np.ndarray) @ _LUMA.astype(src.dtype)
        src *= share
        src += (gray * src.dtype.type(1 - share))[:, :, None]
        return src


class HueJitterAug(Augmenter):
    """Turn the colours in the IQ plane of YIQ by an angle up to hue * 180 degrees."""

    def __init__(self, hue: float) -> None:
        super().__init__(hue=hue)
        self.hue = hue

    def __call__(self, src: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A new image."""
        _expect_floats(self, src)
        angle = random.uniform(-self.hue, self.hue) * math.pi
        cosine, sine = math.cos(angle), math.sin(angle)
        turn = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
        matrix = (_FROM_YIQ @ turn @ _TO_YIQ).T.astype(src.dtype)
        turned: npt.NDArray[Any] = src.view(np.ndarray) @ matrix
        return turned.view(NDArray)


class ColorJitterAug(RandomOrderAug):
    """Brightness, contrast and saturation jitter in random order; 0 leaves one out."""

    def __init__(self, brightness: float, contrast: float, saturation: float) -> None:
        parts: list[Augmenter] = []
        if brightness > 0:
            parts.append(BrightnessJitterAug(brightness))
        if contrast > 0:
            parts.append(ContrastJitterAug(contrast))
        if saturation > 0:
            parts.append(SaturationJitterAug(saturation))
        super().__init__(parts)


class LightingAug(Augmenter):
    """Add a random mix of principal components of colour, as AlexNet does.

    alphastd: deviation of the three normal numbers. eigval: (3,). eigvec: (3, 3), one
    component a column.
    """

    def __init__(
        self,
        alphastd: float,
        eigval: npt.NDArray[np.float64],
        eigvec: npt.NDArray[np.float64],
    ) -> None:
        super().__init__(alphastd=alphastd, eigval=eigval, eigvec=eigvec)
        self.alphastd = alphastd
        self.eigval = eigval
        self.eigvec = eigvec

    def __call__(self, src: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The image, changed in place."""
        _expect_floats(self, src)
        weights = np.random.normal(0, self.alphastd, size=(3,))
        colour = np.asarray(self.eigvec) @ (weights * np.asarray(self.eigval))
        rows, values = per_channel(src, colour)
        rows += values
        return src


class ColorNormalizeAug(Augmenter):
    """Subtract `mean` and divide by `std`, numbers or one a channel; None skips one."""

    def __init__(self, mean: npt.ArrayLike | None, std: npt.ArrayLike | None) -> None:
        super().__init__(mean=mean, std=std)
        self.mean = None if mean is None else array(mean, dtype=np.float32)
        self.std = None if std is None else array(std, dtype=np.float32)

    def __call__(self, src: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The image, changed in place."""
        return color_normalize(src, self.mean, self.std)


class RandomGrayAug(Augmenter):
    """With probability `p` make all channels 0.21 red + 0.72 green + 0.07 blue."""

    def __init__(self, p: float) -> None:
        super().__init__(p=p)
        self.p = p

    def __call__(self, src: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The image as it is, or a gray one of 3 channels."""
        if random.random() >= self.p:
            return src
        _expect_floats(self, src)
        gray = src.view(np.ndarray) @ _GRAY.astype(src.dtype)
        return np.repeat(gray[:, :, None], 3, axis=2).view(NDArray)


class HorizontalFlipAug(Augmenter):
    """With probability `p` exchange left and right."""

    def __init__(self, p: float) -> None:
        super().__init__(p=p)
        self.p = p

    def __call__(self, src: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The image as it is, or a flipped copy."""
        if random.random() >= self.p:
            return src
        return np.ascontiguousarray(src[:, ::-1]).view(NDArray)


class CastAug(Augmenter):
    """Change the dtype, to float32 unless told otherwise."""

    def __init__(self, typ: npt.DTypeLike = "float32") -> None:
        super().__init__(type=typ if isinstance(typ, str) else np.dtype(typ).name)
        self.typ = typ

    def __call__(self, src: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A copy of that dtype."""
        return np.array(src, self.typ, subok=True)


def described(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings as JSON can hold them."""
    return {
        name: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for name, value in settings.items()
    }


def _expect_floats(augmenter: Augmenter, src: npt.NDArray[Any]) -> None:
    if src.dtype.kind != "f":
        name = type(augmenter).__name__
        raise TypeError(f"{name} needs floats (CastAug makes them), got {src.dtype}")
