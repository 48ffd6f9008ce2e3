"""mx.nd is mxio.ndarray, with mx.random, and a few of NumPy's functions."""

from typing import Any

import numpy as np

from mxio.compat import _subset
from mxio.ndarray import *
from mxio.ndarray import NDArray, slice

from . import _arrays, random

_arrays.install()

_Axis = int | tuple[int, ...] | None


def zeros_like(data: NDArray) -> NDArray:
    """Zeros in the shape and dtype of an array."""
    return np.zeros_like(data).view(NDArray)


def ones_like(data: NDArray) -> NDArray:
    """Ones in the shape and dtype of an array."""
    return np.ones_like(data).view(NDArray)


def clip(data: NDArray, a_min: float, a_max: float) -> NDArray:
    """Each value, or the nearest between a_min and a_max."""
    return np.clip(data, a_min, a_max).view(NDArray)


def sum(data: NDArray, axis: _Axis = None, keepdims: bool = False) -> Any:
    """The sum along axes, or of everything."""
    return data.sum(axis, keepdims=keepdims)


def mean(data: NDArray, axis: _Axis = None, keepdims: bool = False) -> Any:
    """The mean along axes, or of everything."""
    return data.mean(axis, keepdims=keepdims)


def max(data: NDArray, axis: _Axis = None, keepdims: bool = False) -> Any:
    """The largest along axes, or of everything."""
    return data.max(axis, keepdims=keepdims)


def min(data: NDArray, axis: _Axis = None, keepdims: bool = False) -> Any:
    """The smallest along axes, or of everything."""
    return data.min(axis, keepdims=keepdims)


__getattr__ = _subset.close(__name__)
