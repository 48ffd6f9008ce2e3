"""The mean image: read from its file, or made once for all processes."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mxio import ndarray
from mxio._patience import timeout_of, within
from mxio.errors import DataError, ParameterError, system_error

if TYPE_CHECKING:
    from mxio.loader import ImageLoader

__all__ = ["is_absent", "mean_image"]

# What decides which pixels are averaged; crops are centred, nothing is mirrored or
# normalised.
_KEPT = [
    "path_imgrec",
    "path_imgidx",
    "path_imglist",
    "records",
    "record_layout",
    "data_shape",
    "label_width",
    "detect",
    "det_label_width",
    "resize",
    "pad",
    "fill_value",
    "det_fill_value",
    "resize_mode",
    "inter_method",
    "preprocess_threads",
    "on_error",
    "max_errors",
    "max_pixels",
]
_BATCH = 32


def is_absent(options: dict[str, Any]) -> bool:
    """Whether `mean_image` would make the file."""
    path = options.get("mean_img")
    return path is not None and path != "" and not os.path.exists(path)


def mean_image(
    options: dict[str, Any], loader: "type[ImageLoader]"
) -> NDArray[np.float32] | None:
    """The image that `mean_img` names, (channels, height, width), or None without that
    option.

    An absent file is made: the mean over all records of all parts, centre-cropped to
    data_shape, of pixels before mirror, mean, std and scale. One process makes it, the
    others wait.
    """
    path = options.get("mean_img")
    if not path:
        return None
    if is_absent(options):
        with _locked(path):
            if is_absent(options):
                mean = _compute(options, loader)
                ndarray.save(path, {"mean_img": mean})
    shape = options["data_shape"]
    return within(timeout_of(options), "no mean image", lambda: _load(path, shape))


def _load(path: str, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    loaded = ndarray.load(path)
    arrays = list(loaded.values()) if isinstance(loaded, dict) else loaded
    if len(arrays) != 1:
        raise DataError(
            f"{path}: a mean image file holds 1 array, not {len(arrays)}", path
        )
    mean = arrays[0]
    if mean.dtype != np.float32 or mean.shape != shape:
        raise DataError(
            f"{path}: the mean image is {mean.dtype}{mean.shape},"
            f" data_shape asks for float32{shape}",
            path,
        )
    return np.ascontiguousarray(mean.asnumpy())


def _compute(
    options: dict[str, Any], loader: "type[ImageLoader]"
) -> NDArray[np.float32]:
    kept = {name: options[name] for name in _KEPT if name in options}
    batches = loader(
        kept | {"batch_size": _BATCH, "round_batch": 0, "dtype": 2}, running=True
    )
    total = np.zeros(options["data_shape"], np.uint64)
    count = 0
    try:
        batches.start(0)
        while (batch := batches.next()) is not None:
            rows = _BATCH - batch.pad
            total += batch.data[:rows].sum(axis=0, dtype=np.uint64)
            count += rows
    finally:
        batches.close()
    if count == 0:
        raise ParameterError("mean_img cannot be made: no record is good")
    return (total / count).astype(np.float32)


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """Hold the lock file beside `path`; it is gone afterwards."""
    lock = f"{path}.lock"
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        reason = "cannot make the mean image: no such directory, or not writable"
        raise system_error(error.errno or 0, reason, path) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(lock)
        os.close(descriptor)
