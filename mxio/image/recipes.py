"""Lists of augmenters from keywords: CreateAugmenter, CreateDetAugmenter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mxio.errors import ParameterError
from mxio.image.augmenters import (
    Augmenter,
    CastAug,
    CenterCropAug,
    ColorJitterAug,
    ColorNormalizeAug,
    ForceResizeAug,
    HorizontalFlipAug,
    HueJitterAug,
    LightingAug,
    RandomCropAug,
    RandomGrayAug,
    RandomSizedCropAug,
    ResizeAug,
)
from mxio.image.checks import (
    at_least,
    check_interpolation,
    check_level,
    check_shape,
    pair_of,
)
from mxio.image.det_augmenters import (
    DetAugmenter,
    DetBorrowAug,
    DetHorizontalFlipAug,
    DetRandomCropAug,
    DetRandomPadAug,
    DetRandomSelectAug,
    Range,
)
from mxio.ndarray import array

__all__ = [
    "CreateAugmenter",
    "CreateDetAugmenter",
    "CreateMultiRandCropAugmenter",
    "statistics",
]

# Statistics of ImageNet's pixels.
_MEAN = (123.68, 116.28, 103.53)
_STD = (58.395, 57.12, 57.375)
_EIGENVALUES = np.array([55.46, 4.794, 1.148])
_EIGENVECTORS = np.array(
    [
        [-0.5675, 0.7192, 0.4009],
        [-0.5808, -0.0045, -0.8140],
        [-0.5836, -0.6948, 0.4203],
    ]
)


def CreateAugmenter(
    data_shape: Sequence[int],
    resize: int = 0,
    rand_crop: bool = False,
    rand_resize: bool = False,
    rand_mirror: bool = False,
    mean: bool | npt.ArrayLike | None = None,
    std: bool | npt.ArrayLike | None = None,
    brightness: float = 0,
    contrast: float = 0,
    saturation: float = 0,
    hue: float = 0,
    pca_noise: float = 0,
    rand_gray: float = 0,
    inter_method: int = 2,
) -> list[Augmenter]:
    """The augmenters of an ImageIter, in this order.

    resize: the shorter edge first becomes this long, unless 0.
    Then a box of data_shape (3, height, width) is cut: from the middle; with rand_crop
    at random; with rand_resize, too, of 8 % to 100 % of the area and a ratio of 3/4 to
    4/3, resized.
    rand_mirror: half of the images are flipped. Then they become float32.
    brightness, contrast, saturation: jitter, in random order. hue, pca_noise: jitter.
    rand_gray: probability of a gray image.
    mean, std: True for ImageNet's, or 1 or 3 numbers.
    inter_method: see `imresize`; 2, cubic, where ImageRecordIter has 1, bilinear.

    ParameterError for values out of range and for rand_resize without rand_crop.
    """
    _, height, width = check_shape(data_shape)
    check_interpolation(inter_method)
    at_least("resize", resize, 0)
    check_level("rand_gray", rand_gray, 1)
    if rand_resize and not rand_crop:
        raise ParameterError("rand_resize needs rand_crop=True")
    augmenters: list[Augmenter] = []
    if resize > 0:
        augmenters.append(ResizeAug(resize, inter_method))
    # dumps() tells these as float32, and those of CreateDetAugmenter as float64.
    mean = array(_MEAN) if mean is True else mean
    std = array(_STD) if std is True else std
    size = (width, height)
    if rand_resize:
        ratio = (3 / 4, 4 / 3)
        augmenters.append(RandomSizedCropAug(size, 0.08, ratio, inter_method))
    elif rand_crop:
        augmenters.append(RandomCropAug(size, inter_method))
    else:
        augmenters.append(CenterCropAug(size, inter_method))
    if rand_mirror:
        augmenters.append(HorizontalFlipAug(0.5))
    return augmenters + _colour_augmenters(
        brightness, contrast, saturation, hue, pca_noise, rand_gray, mean, std
    )


def CreateMultiRandCropAugmenter(
    min_object_covered: float | list[float] = 0.1,
    aspect_ratio_range: Range | Sequence[Range] = (0.75, 1.33),
    area_range: Range | Sequence[Range] = (0.05, 1.0),
    min_eject_coverage: float | list[float] = 0.3,
    max_attempts: int | list[int] = 50,
    skip_prob: float = 0,
) -> DetRandomSelectAug:
    """One of several DetRandomCropAug at random.

    Each argument is a value for all of them or a list with one for each; ParameterError
    for lists of different lengths.
    """
    given: dict[str, Any] = {
        "min_object_covered": min_object_covered,
        "aspect_ratio_range": aspect_ratio_range,
        "area_range": area_range,
        "min_eject_coverage": min_eject_coverage,
        "max_attempts": max_attempts,
    }
    lists = {
        name: value if isinstance(value, list) else [value]
        for name, value in given.items()
    }
    count = max(map(len, lists.values()))
    for name, values in lists.items():
        if len(values) not in (1, count):
            raise ParameterError(
                f"{name} must be 1 value or {count}, as many as the longest list, "
                f"got {len(values)}"
            )
    crops = [
        DetRandomCropAug(
            **{name: values[i % len(values)] for name, values in lists.items()}
        )
        for i in range(count)
    ]
    return DetRandomSelectAug(crops, skip_prob)


def CreateDetAugmenter(
    data_shape: Sequence[int],
    resize: int = 0,
    rand_crop: float = 0,
    rand_pad: float = 0,
    rand_gray: float = 0,
    rand_mirror: bool = False,
    mean: bool | npt.ArrayLike | None = None,
    std: bool | npt.ArrayLike | None = None,
    brightness: float = 0,
    contrast: float = 0,
    saturation: float = 0,
    pca_noise: float = 0,
    hue: float = 0,
    inter_method: int = 2,
    min_object_covered: float | list[float] = 0.1,
    aspect_ratio_range: Range | Sequence[Range] = (0.75, 1.33),
    area_range: Range | Sequence[Range] = (0.05, 3.0),
    min_eject_coverage: float | list[float] = 0.3,
    max_attempts: int | list[int] = 50,
    pad_val: Range = (127, 127, 127),
) -> list[DetAugmenter]:
    """The augmenters of an ImageDetIter, in this order.

    resize: the shorter edge first becomes this long, unless 0.
    rand_crop: probability of a DetRandomCropAug, made from min_object_covered,
    aspect_ratio_range, area_range, min_eject_coverage and max_attempts (lists of these
    make several, of which one is taken).
    rand_mirror: half of the images are flipped.
    rand_pad: probability of a DetRandomPadAug, made from aspect_ratio_range, the upper
    end of area_range, max_attempts and pad_val.
    The image is resized to data_shape (3, height, width), whatever its aspect ratio.
    The rest is as in `CreateAugmenter`.

    ParameterError for values out of range.
    """
    _, height, width = check_shape(data_shape)
    check_interpolation(inter_method)
    at_least("resize", resize, 0)
    check_level("rand_crop", rand_crop, 1)
    check_level("rand_pad", rand_pad, 1)
    check_level("rand_gray", rand_gray, 1)
    augmenters: list[DetAugmenter] = []
    if resize > 0:
        augmenters.append(DetBorrowAug(ResizeAug(resize, inter_method)))
    if rand_crop > 0:
        augmenters.append(
            CreateMultiRandCropAugmenter(
                min_object_covered,
                aspect_ratio_range,
                area_range,
                min_eject_coverage,
                max_attempts,
                skip_prob=1 - rand_crop,
            )
        )
    if rand_mirror:
        augmenters.append(DetHorizontalFlipAug(0.5))
    if rand_pad > 0:
        _, most = pair_of("area_range", area_range, None)
        attempts = max_attempts[0] if isinstance(max_attempts, list) else max_attempts
        ratios = pair_of("aspect_ratio_range", aspect_ratio_range, 0)
        pad = DetRandomPadAug(ratios, (1.0, most), attempts, pad_val)
        augmenters.append(DetRandomSelectAug([pad], 1 - rand_pad))
    augmenters.append(DetBorrowAug(ForceResizeAug((width, height), inter_method)))
    colours = _colour_augmenters(
        brightness, contrast, saturation, hue, pca_noise, rand_gray, mean, std
    )
    return augmenters + [DetBorrowAug(part) for part in colours]


def statistics(
    mean: bool | npt.ArrayLike | None, std: bool | npt.ArrayLike | None
) -> tuple[npt.NDArray[Any] | None, npt.NDArray[Any] | None]:
    """mean and std as arrays of 1 or 3, ImageNet's for True; ParameterError."""
    centre, spread = _numbers("mean", mean, _MEAN), _numbers("std", std, _STD)
    if spread is not None and not spread.all():
        raise ParameterError(f"std must not be 0, got {std!r}")
    return centre, spread


def _colour_augmenters(
    brightness: float,
    contrast: float,
    saturation: float,
    hue: float,
    pca_noise: float,
    rand_gray: float,
    mean: bool | npt.ArrayLike | None,
    std: bool | npt.ArrayLike | None,
) -> list[Augmenter]:
    """The end of every list: to float32, colours, mean and std. ParameterError."""
    for name, level in (
        ("brightness", brightness),
        ("contrast", contrast),
        ("saturation", saturation),
        ("hue", hue),
        ("pca_noise", pca_noise),
    ):
        check_level(name, level)
    augmenters: list[Augmenter] = [CastAug()]
    if brightness or contrast or saturation:
        augmenters.append(ColorJitterAug(brightness, contrast, saturation))
    if hue:
        augmenters.append(HueJitterAug(hue))
    if pca_noise:
        augmenters.append(LightingAug(pca_noise, _EIGENVALUES, _EIGENVECTORS))
    if rand_gray:
        augmenters.append(RandomGrayAug(rand_gray))
    centre, spread = statistics(mean, std)
    if centre is not None or spread is not None:
        augmenters.append(ColorNormalizeAug(centre, spread))
    return augmenters


def _numbers(
    name: str, given: bool | npt.ArrayLike | None, known: tuple[float, ...]
) -> npt.NDArray[Any] | None:
    if given is None or given is False:
        return None
    values = np.ravel(known if given is True else given)
    is_number = values.dtype.kind in "fiu"
    if not is_number or values.size not in (1, 3) or not np.isfinite(values).all():
        raise ParameterError(f"{name} must be True, or 1 or 3 numbers, got {given!r}")
    return values
