"""Single images: decode, read, resize, pad, crop, normalise, rotate.

Decoding of JPEG and PNG and bilinear resizing are the core's; other formats and
interpolations are OpenCV's, which is imported when the first of them is met.
"""

from __future__ import annotations

import math
import os
import random
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mxio import _core
from mxio._atomic import naming
from mxio._codec import MAX_PIXELS, as_array, decode_with_opencv
from mxio.errors import DataError, ParameterError
from mxio.ndarray import NDArray

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = [
    "INTERPOLATIONS",
    "center_crop",
    "color_normalize",
    "copyMakeBorder",
    "fixed_crop",
    "imdecode",
    "imread",
    "imresize",
    "imrotate",
    "per_channel",
    "random_crop",
    "random_rotate",
    "random_size_crop",
    "resize_short",
    "scale_down",
]

_BILINEAR, _CUBIC, _AREA, _AUTO, _RANDOM = 1, 2, 3, 9, 10
INTERPOLATIONS = (0, 1, 2, 3, 4, _AUTO, _RANDOM)
"""What `interp` can be, see `imresize`."""

# OpenCV's border types 0 to 4, by what numpy.pad calls them; 16 may be added to each.
_BORDERS = ("constant", "edge", "symmetric", "wrap", "reflect")
_BORDER_ISOLATED = 16
_CROP_TRIES = 10


def imdecode(
    buf: Buffer | npt.NDArray[Any],
    flag: int = 1,
    to_rgb: bool = True,
    out: NDArray | None = None,
) -> NDArray:
    """Decode an encoded image to uint8 of shape (height, width, channels).

    flag 1 gives 3 channels, red first (blue first with to_rgb=False); flag 0 gives 1
    gray channel. EXIF orientation is applied. `out`, when given, receives the pixels
    and is returned.

    Raises DataError when `buf` is empty, damaged or no image, ParameterError for other
    flags and when the image does not fit `out`.
    """
    if flag not in (0, 1):
        raise ParameterError(f"flag must be 0 (gray) or 1 (colour), got {flag}")
    channels = 3 if flag else 1
    if isinstance(buf, np.ndarray):
        buf = np.ascontiguousarray(buf).data
    decoded = _core.decode(buf, channels, not to_rgb, True, MAX_PIXELS)
    if decoded is not None:
        return _give(as_array(*decoded), out)
    pixels = decode_with_opencv(bytes(buf), channels)
    if not to_rgb:
        pixels = np.ascontiguousarray(pixels[:, :, ::-1])
    return _give(pixels, out)


def imread(
    filename: str | os.PathLike[str],
    flag: int = 1,
    to_rgb: bool = True,
    out: NDArray | None = None,
) -> NDArray:
    """`imdecode` of a file; errors name it."""
    path = os.fspath(filename)
    with naming(path), open(path, "rb") as file:
        data = file.read()
    try:
        return imdecode(data, flag, to_rgb, out)
    except DataError as error:
        raise DataError(f"{path}: {error}", path) from None


def imresize(
    src: npt.NDArray[Any], w: int, h: int, interp: int = 1, out: NDArray | None = None
) -> NDArray:
    """Resize an image of shape (height, width, channels) to (h, w, channels).

    interp: 0 nearest, 1 bilinear, 2 cubic, 3 area, 4 Lanczos; 9 takes cubic to enlarge,
    area to shrink, else bilinear; 10 takes one of 0 to 4 at random (Python's `random`).
    The dtype stays. `out`, when given, receives the pixels and is returned.
    ParameterError for other values, shapes without 3 axes, empty sizes.
    """
    if src.ndim != 3 or 0 in src.shape:
        raise ParameterError(
            f"src must have shape (h, w, c), none of them 0, got {src.shape}"
        )
    if w < 1 or h < 1:
        raise ParameterError(f"w and h must be >= 1, got {w} and {h}")
    interp = _interpolation(interp, src.shape[0], src.shape[1], h, w)
    height, width, channels = src.shape
    src = np.ascontiguousarray(src)
    if interp == _BILINEAR and src.dtype == np.uint8 and channels in (1, 3, 4):
        block = _core.resize(src.data, height, width, channels, h, w)
        return _give(as_array(block, h, w, channels), out)
    import cv2

    try:
        resized = cv2.resize(src.view(np.ndarray), (w, h), interpolation=interp)
    except cv2.error as error:
        raise ParameterError(f"OpenCV cannot resize the image: {error}") from None
    return _give(resized.reshape(h, w, channels), out)


def copyMakeBorder(
    src: npt.NDArray[Any],
    top: int,
    bot: int,
    left: int,
    right: int,
    type: int = 0,
    value: float = 0.0,
    values: float | Sequence[float] = (),
    out: NDArray | None = None,
) -> NDArray:
    """The image (height, width, channels) with a border around it, same dtype.

    type, as in OpenCV: 0 one colour, 1 the edge repeated, 2 mirrored with the edge, 3
    wrapped around, 4 mirrored without the edge; 16 more means the same. The colour is
    `values`, a number or one for each channel (missing ones are 0), else `value` for
    the first three channels, each clipped to the dtype.

    ParameterError for other types and for negative margins.
    """
    kind = type & ~_BORDER_ISOLATED
    if not 0 <= kind < len(_BORDERS):
        raise ParameterError(f"type must be 0 to 4, or 16 more, got {type}")
    if src.ndim != 3 or min(top, bot, left, right) < 0:
        raise ParameterError(
            "src must have shape (h, w, c) and margins must be >= 0, got "
            f"{src.shape} and {top}, {bot}, {left}, {right}"
        )
    margins = ((top, bot), (left, right), (0, 0))
    pixels = src.view(np.ndarray)
    if kind != 0:
        # A function of a name: numpy.pad's overloads want a literal.
        padded: npt.NDArray[Any] = np.pad(pixels, margins, mode=_BORDERS[kind])  # type: ignore[call-overload]
        return _give(padded, out)
    height, width, channels = src.shape
    padded = np.empty((top + height + bot, left + width + right, channels), src.dtype)
    colour = _colour((value,) * 3 if np.size(values) == 0 else values, src)
    padded.reshape(len(padded), -1)[...] = np.tile(colour, padded.shape[1])
    padded[top : top + height, left : left + width] = pixels
    return _give(padded, out)


def scale_down(src_size: Sequence[int], size: Sequence[int]) -> tuple[int, int]:
    """A (width, height) of the aspect ratio of `size` that fits into `src_size`.

    >>> scale_down((640, 480), (720, 120))
    (640, 106)
    """
    w: float
    h: float
    w, h = size
    source_w, source_h = src_size
    if source_h < h:
        w, h = w * source_h / h, source_h
    if source_w < w:
        w, h = source_w, h * source_w / w
    return int(w), int(h)


def resize_short(src: npt.NDArray[Any], size: int, interp: int = 2) -> NDArray:
    """Resize so that the shorter edge becomes `size`; see `imresize` for the rest."""
    height, width = src.shape[:2]
    if height > width:
        return imresize(src, size, size * height // width, interp)
    return imresize(src, size * width // height, size, interp)


def fixed_crop(
    src: npt.NDArray[Any],
    x0: int,
    y0: int,
    w: int,
    h: int,
    size: Sequence[int] | None = None,
    interp: int = 2,
) -> NDArray:
    """The box of `w` x `h` pixels at (x0, y0), resized to `size` (width, height).

    What lies outside of the image is left out of the box; ParameterError when nothing
    is left. See `imresize` for `interp`.
    """
    box = src[y0 : y0 + h, x0 : x0 + w]
    if 0 in box.shape:
        raise ParameterError(
            f"the box of {w} x {h} at ({x0}, {y0}) has no pixel of the image of "
            f"{src.shape[1]} x {src.shape[0]}"
        )
    if size is not None and (w, h) != tuple(size):
        return imresize(box, size[0], size[1], interp)
    return box.copy().view(NDArray)


def center_crop(
    src: npt.NDArray[Any], size: Sequence[int], interp: int = 2
) -> tuple[NDArray, tuple[int, int, int, int]]:
    """The middle of the image, of `size` (width, height), and its (x, y, w, h).

    From an image that is smaller, the largest box of that aspect ratio is cut and
    resized to `size`.
    """
    height, width = src.shape[:2]
    w, h = scale_down((width, height), size)
    x0, y0 = (width - w) // 2, (height - h) // 2
    return fixed_crop(src, x0, y0, w, h, size, interp), (x0, y0, w, h)


def random_crop(
    src: npt.NDArray[Any], size: Sequence[int], interp: int = 2
) -> tuple[NDArray, tuple[int, int, int, int]]:
    """As `center_crop`, at a random place (Python's `random`)."""
    height, width = src.shape[:2]
    w, h = scale_down((width, height), size)
    return _crop_anywhere(src, w, h, size, interp)


def random_size_crop(
    src: npt.NDArray[Any],
    size: Sequence[int],
    area: float | Sequence[float],
    ratio: Sequence[float],
    interp: int = 2,
    *,
    min_area: float | Sequence[float] | None = None,
) -> tuple[NDArray, tuple[int, int, int, int]]:
    """A random box, resized to `size` (width, height), and its (x, y, w, h).

    area: (least, most) share of the image's area, or the least, with 1.0 as most.
    ratio: (least, most) width / height; its logarithm is uniform. When ten boxes (by
    Python's `random`) were too large, the middle is taken, as by `center_crop`.
    `min_area` is an old name of `area`.
    """
    if min_area is not None:
        warnings.warn("min_area is now area", DeprecationWarning, stacklevel=2)
        area = min_area
    least, *rest = np.ravel(area).tolist()
    most = rest[0] if rest else 1.0
    height, width = src.shape[:2]
    for _ in range(_CROP_TRIES):
        target = random.uniform(least, most) * (height * width)
        aspect = math.exp(random.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w = round(math.sqrt(target * aspect))
        h = round(math.sqrt(target / aspect))
        if 0 < w <= width and 0 < h <= height:
            return _crop_anywhere(src, w, h, size, interp)
    return center_crop(src, size, interp)


def color_normalize(
    src: npt.NDArray[Any], mean: npt.ArrayLike | None, std: npt.ArrayLike | None = None
) -> npt.NDArray[Any]:
    """`src` less `mean`, divided by `std`, in place; None leaves a step out.

    TypeError unless `src` holds floats.
    """
    if src.dtype.kind != "f":
        raise TypeError(f"src must hold floats to be normalised, got {src.dtype}")
    if mean is not None:
        rows, values = per_channel(src, mean)
        rows -= values
    if std is not None:
        rows, values = per_channel(src, std)
        rows /= values
    return src


def per_channel(
    src: npt.NDArray[Any], values: npt.ArrayLike
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """A view of the image and its values for each channel, to be combined in place.

    They are whole rows where that can be: NumPy is slow on rows of three.
    """
    pixels, each = src.view(np.ndarray), np.asarray(values, src.dtype).view(np.ndarray)
    if src.ndim == 3 and src.flags.c_contiguous and each.shape == src.shape[2:]:
        return pixels.reshape(len(pixels), -1), np.tile(each, src.shape[1])
    return pixels, each


def imrotate(
    src: npt.NDArray[Any],
    rotation_degrees: float | npt.ArrayLike,
    zoom_in: bool = False,
    zoom_out: bool = False,
) -> NDArray:
    """Rotate float32 images counter-clockwise around their middles, bilinearly.

    src: one image (channels, height, width) and one angle, or (n, channels, height,
    width) and one angle or n of them. The size stays, and outside there is 0. zoom_in
    enlarges until nothing of the outside is to be seen, zoom_out shrinks until the
    whole image is.

    Raises TypeError for other dtypes and for several angles of one image,
    ParameterError for other shapes, for another number of angles, and for both zooms at
    once.
    """
    if zoom_in and zoom_out:
        raise ParameterError("zoom_in and zoom_out cannot both be True")
    if src.dtype != np.float32:
        raise TypeError(f"src must be float32, got {src.dtype}")
    if src.ndim not in (3, 4):
        raise ParameterError(
            f"src must have shape (c, h, w) or (n, c, h, w), got {src.shape}"
        )
    pixels = src.view(np.ndarray)
    angles = np.radians(np.asarray(rotation_degrees, np.float64))
    one = np.ndim(rotation_degrees) == 0
    if src.ndim == 3:
        if not one:
            raise TypeError(f"one image needs one angle, got {rotation_degrees!r}")
        return _rotate(pixels, angles.item(), zoom_in, zoom_out).view(NDArray)
    if one:
        angles = np.full(len(src), angles)
    if angles.shape != (len(src),):
        raise ParameterError(
            f"{len(src)} images need {len(src)} angles, got {angles.shape}"
        )
    rotated = np.empty_like(pixels)
    for i, angle in enumerate(angles.tolist()):
        rotated[i] = _rotate(pixels[i], angle, zoom_in, zoom_out)
    return rotated.view(NDArray)


def random_rotate(
    src: npt.NDArray[Any],
    angle_limits: Sequence[float],
    zoom_in: bool = False,
    zoom_out: bool = False,
) -> NDArray:
    """`imrotate` by angles between two limits (NumPy's global state)."""
    low, high = angle_limits
    if src.ndim == 3:
        return imrotate(src, float(np.random.uniform(low, high)), zoom_in, zoom_out)
    angles = np.random.uniform(low, high, size=len(src))
    return imrotate(src, angles, zoom_in, zoom_out)


def _give(pixels: npt.NDArray[Any], out: NDArray | None) -> NDArray:
    if out is None:
        return pixels.view(NDArray)
    if out.shape != pixels.shape:
        raise ParameterError(f"out must have shape {pixels.shape}, got {out.shape}")
    np.copyto(out, pixels, casting="unsafe")
    return out


def _interpolation(interp: int, height: int, width: int, h: int, w: int) -> int:
    """One of OpenCV's 0 to 4 for `interp` of `imresize`."""
    if interp not in INTERPOLATIONS:
        raise ParameterError(f"interp must be one of {INTERPOLATIONS}, got {interp}")
    if interp == _RANDOM:
        return random.randint(0, 4)
    if interp != _AUTO:
        return interp
    if h > height and w > width:
        return _CUBIC
    return _AREA if h < height and w < width else _BILINEAR


def _colour(
    values: float | Sequence[float], like: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """One value for each channel of the image `like`, fit for its dtype."""
    given = np.atleast_1d(np.asarray(values, np.float64))
    colour = np.zeros(like.shape[2])
    if given.size == 1:
        colour[:] = given
    else:
        colour[: given.size] = given[: colour.size]
    if like.dtype.kind in "iu":
        limits = np.iinfo(like.dtype)
        colour = np.clip(np.rint(colour), limits.min, limits.max)
    return colour.astype(like.dtype)


def _crop_anywhere(
    src: npt.NDArray[Any], w: int, h: int, size: Sequence[int], interp: int
) -> tuple[NDArray, tuple[int, int, int, int]]:
    x0 = random.randint(0, src.shape[1] - w)
    y0 = random.randint(0, src.shape[0] - h)
    return fixed_crop(src, x0, y0, w, h, size, interp), (x0, y0, w, h)


def _zoom(
    height: int, width: int, angle: float, zoom_in: bool, zoom_out: bool
) -> float:
    """How far apart neighbours of the result lie in the image."""
    if not zoom_in and not zoom_out:
        return 1.0
    diagonal = math.hypot(height, width)
    corner = math.atan(height / width)
    turned = (corner + abs(angle), corner - abs(angle))
    reach_x = max(abs(diagonal * math.cos(turn)) for turn in turned)
    reach_y = max(abs(diagonal * math.sin(turn)) for turn in turned)
    if zoom_out:
        return max(reach_x / width, reach_y / height)
    return min(width / reach_x, height / reach_y)


def _rotate(
    image: npt.NDArray[Any], angle: float, zoom_in: bool, zoom_out: bool
) -> npt.NDArray[np.float32]:
    """One image (channels, height, width), by an angle in radians."""
    channels, height, width = image.shape
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    zoom = _zoom(height, width, angle, zoom_in, zoom_out)
    cosine, sine = zoom * math.cos(angle), zoom * math.sin(angle)
    y = np.arange(height)[:, None] - middle_y
    x = np.arange(width)[None, :] - middle_x
    source_y = (x * sine + y * cosine + middle_y).clip(-1, height)
    source_x = (x * cosine - y * sine + middle_x).clip(-1, width)
    top, left = np.floor(source_y), np.floor(source_x)
    low, far = (source_y - top).astype(np.float32), (source_x - left).astype(np.float32)
    framed = np.zeros((channels, height + 3, width + 3), np.float32)
    framed[:, 1 : height + 1, 1 : width + 1] = image
    stride = width + 3
    places = ((top + 1) * stride + left + 1).astype(np.intp)

    def blend(at: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
        here = framed.reshape(channels, -1).take(at, axis=1)
        right = framed.reshape(channels, -1).take(at + 1, axis=1)
        return np.asarray(here + (right - here) * far)

    above = blend(places)
    return np.asarray(above + (blend(places + stride) - above) * low)
