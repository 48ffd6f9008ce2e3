"""mx.test_utils: what tests of data loading use."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.random as rnd
import numpy.typing as npt

from mxio._csr import csr
from mxio.compat import _subset
from mxio.ndarray import NDArray, array

from .context import Context, current_context

# (relative, absolute), by the less exact dtype of the two that are compared; those
# that are not listed must be equal.
_TOLERANCES = {"float16": (1e-2, 1e-1), "float32": (1e-4, 1e-3), "float64": (1e-5, 0.0)}
_MNIST = [
    f"data/{part}-{kind}-ubyte"
    for part in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
]
_CIFAR10 = [
    f"data/cifar/{part}.{kind}" for part in ("train", "test") for kind in ("rec", "lst")
]


def default_context() -> Context:
    """Where tests make their arrays: cpu(0)."""
    return current_context()


def default_dtype() -> type[np.float32]:
    """float32."""
    return np.float32


def list_gpus() -> list[int]:
    """No GPU."""
    return []


def same(a: npt.ArrayLike, b: npt.ArrayLike) -> bool:
    """Whether two arrays have the same shape and values."""
    return np.array_equal(a, b)


def almost_equal(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
) -> bool:
    """Whether two arrays are close, by default as their dtypes allow."""
    first, second = np.asarray(a), np.asarray(b)
    rtol, atol = _tolerances(first, second, rtol, atol)
    return np.allclose(first, second, rtol, atol, equal_nan)


def assert_almost_equal(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    rtol: float | None = None,
    atol: float | None = None,
    names: tuple[str, str] = ("a", "b"),
    equal_nan: bool = False,
) -> None:
    """AssertionError, telling where, unless `almost_equal`."""
    first, second = np.asarray(a), np.asarray(b)
    rtol, atol = _tolerances(first, second, rtol, atol)
    np.testing.assert_allclose(
        first, second, rtol, atol, equal_nan, " and ".join(names)
    )


def assert_exception(
    f: Callable[..., object],
    exception_type: type[BaseException],
    *args: Any,
    **kwargs: Any,
) -> None:
    """AssertionError unless f(*args, **kwargs) raises an exception_type."""
    try:
        f(*args, **kwargs)
    except exception_type:
        return
    raise AssertionError(f"{f} did not raise {exception_type.__name__}")


@contextmanager
def environment(*args: Any) -> Iterator[None]:
    """Other environment variables in a `with` block: (name, value) or a dict of them.

    The value None takes a variable away.
    """
    wanted: Mapping[str, str | None] = args[0] if len(args) == 1 else dict([args])
    before = {name: os.environ.get(name) for name in wanted}
    try:
        _set_environment(wanted)
        yield
    finally:
        _set_environment(before)


def rand_shape_2d(
    dim0: int = 10, dim1: int = 10, allow_zero_size: bool = False
) -> tuple[int, ...]:
    """A random shape of two axes, at most that long."""
    return _random_shape((dim0, dim1), allow_zero_size)


def rand_shape_3d(
    dim0: int = 10, dim1: int = 10, dim2: int = 10, allow_zero_size: bool = False
) -> tuple[int, ...]:
    """A random shape of three axes, at most that long."""
    return _random_shape((dim0, dim1, dim2), allow_zero_size)


def rand_shape_nd(
    num_dim: int, dim: int = 10, allow_zero_size: bool = False
) -> tuple[int, ...]:
    """A random shape of num_dim axes, at most `dim` long."""
    return _random_shape((dim,) * num_dim, allow_zero_size)


def random_arrays(*shapes: tuple[int, ...]) -> Any:
    """Normally distributed float32 arrays: a list of them, or the one of one shape."""
    made = [np.asarray(rnd.standard_normal(shape), np.float32) for shape in shapes]
    return made[0] if len(made) == 1 else made


def rand_ndarray(
    shape: tuple[int, ...],
    stype: str = "default",
    density: float | None = None,
    dtype: Any = None,
    ctx: object = None,
) -> Any:
    """The same as one NDArray, or with stype "csr" as a sparse one of that density."""
    if stype == "csr":
        return rand_sparse_ndarray(shape, stype, density, dtype)[0]
    if stype != "default":
        raise ValueError(f'stype must be "default" or "csr", got {stype!r}')
    return array(random_arrays(shape), ctx, dtype)


def rand_sparse_ndarray(
    shape: tuple[int, ...],
    stype: str,
    density: float | None = None,
    dtype: Any = None,
) -> Any:
    """A CSR matrix, of a random density unless told, and its (data, indptr, indices).

    ValueError for other sparse arrays than those of stype "csr".
    """
    if stype != "csr":
        raise ValueError(f'stype must be "csr", got {stype!r}')
    density = rnd.random() if density is None else density
    rows, columns = np.nonzero(rnd.random(shape) < density)
    data = rnd.random(len(rows)).astype(dtype or np.float32)
    indptr = np.searchsorted(rows, np.arange(shape[0] + 1))
    matrix = csr(data, columns, indptr, (shape[0], shape[1]))
    return matrix, (matrix.data, matrix.indptr, matrix.indices)


def get_mnist_ubyte() -> None:
    """Make sure that MNIST is in ./data; FileNotFoundError naming what is missing."""
    _expect(_MNIST)


def get_cifar10() -> None:
    """Make sure that CIFAR-10 is in ./data/cifar; FileNotFoundError as above."""
    _expect(_CIFAR10)


def get_bz2_data(
    data_dir: str, data_name: str, url: str, data_origin_name: str
) -> None:
    """Make sure that data_dir/data_name is there; FileNotFoundError otherwise."""
    _expect([os.path.join(data_dir, data_name)])


def _expect(paths: list[str]) -> None:
    missing = [path for path in paths if not os.path.exists(path)]
    if missing:
        raise FileNotFoundError(
            f"{', '.join(missing)}: not there, and mxio fetches nothing from the net"
        )


def _random_shape(lengths: tuple[int, ...], allow_zero_size: bool) -> tuple[int, ...]:
    least = 0 if allow_zero_size else 1
    return tuple(int(rnd.randint(least, length + 1)) for length in lengths)


def _set_environment(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _tolerances(
    a: npt.NDArray[Any], b: npt.NDArray[Any], rtol: float | None, atol: float | None
) -> tuple[float, float]:
    defaults = [_TOLERANCES.get(item.dtype.name, (0.0, 0.0)) for item in (a, b)]
    relative, absolute = max(defaults)
    return relative if rtol is None else rtol, absolute if atol is None else atol


__getattr__ = _subset.close(__name__)
