"""Augmenters of images and the boxes of the objects in them.

A label is an array with a row for each object: (class, left, top, right, bottom, ...),
the sides as shares of width and height, 0 to 1. Random numbers come from Python's
`random`.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mxio.errors import ParameterError
from mxio.image.augmenters import Augmenter, described
from mxio.image.checks import at_least, check_level, pair_of
from mxio.image.functions import copyMakeBorder, fixed_crop
from mxio.ndarray import NDArray

__all__ = [
    "DetAugmenter",
    "DetBorrowAug",
    "DetHorizontalFlipAug",
    "DetRandomCropAug",
    "DetRandomPadAug",
    "DetRandomSelectAug",
    "Pair",
    "Range",
]

Pair = tuple[npt.NDArray[Any], npt.NDArray[Any]]
"""An image and its label."""
Range = float | Sequence[float]
"""(least, most), or a number that is both."""

_BORDER_ISOLATED = 16
_LEAST_PIXELS = 2  # crops and objects below count for nothing, as do narrower borders


class DetAugmenter:
    """The base class: a call takes an image and its label, and gives both.

    Settings passed on to this constructor are what `dumps` tells.
    """

    def __init__(self, **kwargs: Any) -> None:
        self._kwargs = described(kwargs)

    def dumps(self) -> Any:
        """The augmenter as JSON: its lower-case name and its settings.

        Those made of others give a list instead: the name, and what the parts give.
        """
        return json.dumps([type(self).__name__.lower(), self._kwargs])

    def __call__(self, src: npt.NDArray[Any], label: npt.NDArray[Any]) -> Pair:
        """The changed image and label."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__")


class DetBorrowAug(DetAugmenter):
    """An Augmenter that leaves the boxes where they are; TypeError for others."""

    def __init__(self, augmenter: Augmenter) -> None:
        if not isinstance(augmenter, Augmenter):
            raise TypeError(f"augmenter must be an Augmenter, got {augmenter!r}")
        super().__init__(augmenter=augmenter.dumps())
        self.augmenter = augmenter

    def dumps(self) -> list[Any]:
        """The name, and what the augmenter gives."""
        return [type(self).__name__.lower(), self.augmenter.dumps()]

    def __call__(self, src: npt.NDArray[Any], label: npt.NDArray[Any]) -> Pair:
        """The changed image, the same label."""
        return self.augmenter(src), label


class DetRandomSelectAug(DetAugmenter):
    """One of several augmenters at random, or none with probability `skip_prob`.

    ParameterError for what is no DetAugmenter.
    """

    def __init__(
        self, aug_list: DetAugmenter | Sequence[DetAugmenter], skip_prob: float = 0
    ) -> None:
        super().__init__(skip_prob=skip_prob)
        parts = [aug_list] if isinstance(aug_list, DetAugmenter) else list(aug_list)
        for part in parts:
            if not isinstance(part, DetAugmenter):
                raise ParameterError(f"aug_list must hold DetAugmenters, got {part!r}")
        self.aug_list = parts
        self.skip_prob = skip_prob if parts else 1

    def dumps(self) -> list[Any]:
        """The name, and what each part gives."""
        return [type(self).__name__.lower(), [part.dumps() for part in self.aug_list]]

    def __call__(self, src: npt.NDArray[Any], label: npt.NDArray[Any]) -> Pair:
        """What the chosen augmenter gives, or the same image and label."""
        if random.random() < self.skip_prob:
            return src, label
        random.shuffle(self.aug_list)
        return self.aug_list[0](src, label)


class DetHorizontalFlipAug(DetAugmenter):
    """With probability `p` exchange left and right, in the boxes, too."""

    def __init__(self, p: float) -> None:
        super().__init__(p=p)
        self.p = p

    def __call__(self, src: npt.NDArray[Any], label: npt.NDArray[Any]) -> Pair:
        """The same image and label, or flipped copies."""
        if random.random() >= self.p:
            return src, label
        flipped = label.copy()
        flipped[:, (1, 3)] = 1 - label[:, (3, 1)]
        return np.ascontiguousarray(src[:, ::-1]).view(NDArray), flipped


class DetRandomCropAug(DetAugmenter):
    """Cut a random box that keeps enough of the objects in it.

    min_object_covered: each object that the box touches must lie in it with more than
    this share of its area.
    aspect_ratio_range, area_range: (least, most) width / height and share of the
    image's area; a number is both.
    min_eject_coverage: objects of which no more than this share stays are removed.
    max_attempts: boxes to try before the image is left as it is.

    ParameterError for empty ranges and for shares that are not in [0, 1].
    """

    def __init__(
        self,
        min_object_covered: float = 0.1,
        aspect_ratio_range: Range = (0.75, 1.33),
        area_range: Range = (0.05, 1.0),
        min_eject_coverage: float = 0.3,
        max_attempts: int = 50,
    ) -> None:
        self.aspect_ratio_range = pair_of("aspect_ratio_range", aspect_ratio_range, 0)
        self.area_range = pair_of("area_range", area_range, None)
        check_level("min_object_covered", min_object_covered, 1)
        check_level("min_eject_coverage", min_eject_coverage, 1)
        at_least("max_attempts", max_attempts, 1)
        if self.area_range[1] <= 0:
            raise ParameterError(f"area_range must reach above 0, got {area_range}")
        super().__init__(
            min_object_covered=min_object_covered,
            aspect_ratio_range=self.aspect_ratio_range,
            area_range=self.area_range,
            min_eject_coverage=min_eject_coverage,
            max_attempts=max_attempts,
        )
        self.min_object_covered = min_object_covered
        self.min_eject_coverage = min_eject_coverage
        self.max_attempts = max_attempts

    def __call__(self, src: npt.NDArray[Any], label: npt.NDArray[Any]) -> Pair:
        """The box and the objects in it, or the same image and label."""
        height, width = src.shape[:2]
        for _ in range(self.max_attempts):
            size = self._draw_size(height, width)
            if size is None:
                continue
            w, h = size
            y, x = random.randint(0, height - h), random.randint(0, width - w)
            sides = x / width, y / height, (x + w) / width, (y + h) / height
            box = np.array(sides, label.dtype)
            if w * h >= _LEAST_PIXELS and self._is_covered(label, box, height * width):
                kept = self._in_box(label, box)
                if len(kept) > 0:
                    return fixed_crop(src, x, y, w, h), kept
        return src, label

    def _draw_size(self, height: int, width: int) -> tuple[int, int] | None:
        """(w, h) of the next box, or None when rounding made it wrong."""
        ratio = random.uniform(*self.aspect_ratio_range)
        least, most = (share * height * width for share in self.area_range)
        h, highest = round(math.sqrt(least / ratio)), round(math.sqrt(most / ratio))
        if round(highest * ratio) > width:
            highest = int((width + 0.4999999) / ratio)
        highest = min(highest, height)
        h = min(h, highest)
        if h < highest:
            h = random.randint(h, highest)
        w = round(h * ratio)
        if w * h < least:
            h += 1
            w = round(h * ratio)
        if w * h > most:
            h -= 1
            w = round(h * ratio)
        fits = least <= w * h <= most and 0 < w <= width and 0 < h <= height
        return (w, h) if fits else None

    def _is_covered(
        self, label: npt.NDArray[Any], box: npt.NDArray[Any], pixels: int
    ) -> bool:
        objects = label[:, 1:5]
        areas = _areas(objects)
        seen = areas * pixels > _LEAST_PIXELS
        shares = _areas(_cut(objects[seen], box)) / areas[seen]
        touched = shares[shares > 0]
        return bool(touched.size > 0 and touched.min() > self.min_object_covered)

    def _in_box(
        self, label: npt.NDArray[Any], box: npt.NDArray[Any]
    ) -> npt.NDArray[Any]:
        """The objects of which enough is left, with sides as shares of the box."""
        areas = _areas(label[:, 1:5])
        left = _cut(label[:, 1:5], box)
        rest = _areas(left)
        kept = (rest > 0) & (rest > self.min_eject_coverage * areas)
        moved: npt.NDArray[Any] = label.copy()
        moved[:, 1:5] = (left - np.tile(box[:2], 2)) / np.tile(box[2:] - box[:2], 2)
        return np.asarray(moved[kept])


class DetRandomPadAug(DetAugmenter):
    """Put the image at a random place of a larger one.

    aspect_ratio_range, area_range: (least, most) width / height and area, in those of
    the image; a number is both.
    max_attempts: sizes to try before the image is left as it is.
    pad_val: the colour around it, a number or one a channel.

    ParameterError for empty ranges, and when area_range does not reach above 1.
    """

    def __init__(
        self,
        aspect_ratio_range: Range = (0.75, 1.33),
        area_range: Range = (1.0, 3.0),
        max_attempts: int = 50,
        pad_val: Range = (128, 128, 128),
    ) -> None:
        self.aspect_ratio_range = pair_of("aspect_ratio_range", aspect_ratio_range, 0)
        self.area_range = pair_of("area_range", area_range, None)
        at_least("max_attempts", max_attempts, 1)
        if self.area_range[1] <= 1:
            raise ParameterError(f"area_range must reach above 1, got {area_range}")
        super().__init__(
            aspect_ratio_range=self.aspect_ratio_range,
            area_range=self.area_range,
            max_attempts=max_attempts,
            pad_val=pad_val,
        )
        self.max_attempts = max_attempts
        self.pad_val = pad_val

    def __call__(self, src: npt.NDArray[Any], label: npt.NDArray[Any]) -> Pair:
        """The larger image and the moved objects, or the same image and label."""
        height, width = src.shape[:2]
        for _ in range(self.max_attempts):
            w, h = self._draw_size(height, width)
            if h - height < _LEAST_PIXELS or w - width < _LEAST_PIXELS:
                continue
            y, x = random.randint(0, h - height), random.randint(0, w - width)
            below, beside = h - y - height, w - x - width
            padded = copyMakeBorder(
                src, y, below, x, beside, _BORDER_ISOLATED, values=self.pad_val
            )
            moved = label.copy()
            moved[:, (1, 3)] = (label[:, (1, 3)] * width + x) / w
            moved[:, (2, 4)] = (label[:, (2, 4)] * height + y) / h
            return padded, moved
        return src, label

    def _draw_size(self, height: int, width: int) -> tuple[int, int]:
        """(w, h) of the next larger image."""
        ratio = random.uniform(*self.aspect_ratio_range)
        least, most = (times * height * width for times in self.area_range)
        h, highest = round(math.sqrt(least / ratio)), round(math.sqrt(most / ratio))
        if round(h * ratio) < width:
            h = int((width + 0.499999) / ratio)
        h = min(max(h, height), highest)
        if h < highest:
            h = random.randint(h, highest)
        return round(h * ratio), h


def _areas(boxes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Areas of boxes (left, top, right, bottom)."""
    sides = np.maximum(boxes[:, 2:4] - boxes[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1])


def _cut(boxes: npt.NDArray[Any], box: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """What of each box lies in `box`."""
    return np.asarray(boxes.clip(np.tile(box[:2], 2), np.tile(box[2:], 2)))
