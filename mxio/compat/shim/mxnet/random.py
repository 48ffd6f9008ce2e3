"""mx.random: MXNet's own generator, apart from those of Python and NumPy."""

from typing import Any

import numpy as np

from mxio.compat import _subset
from mxio.ndarray import NDArray, array

__all__ = ["normal", "randint", "seed", "uniform"]

_generator = np.random.default_rng()


def seed(seed_state: int, ctx: object = "all") -> None:
    """Start the generator anew; `ctx` is without effect."""
    global _generator
    _generator = np.random.default_rng(seed_state)


def uniform(
    low: float = 0,
    high: float = 1,
    shape: int | tuple[int, ...] = 1,
    dtype: Any = np.float32,
    ctx: object = None,
) -> NDArray:
    """Numbers from [low, high)."""
    return array(_generator.uniform(low, high, shape), ctx, dtype)


def normal(
    loc: float = 0,
    scale: float = 1,
    shape: int | tuple[int, ...] = 1,
    dtype: Any = np.float32,
    ctx: object = None,
) -> NDArray:
    """Normally distributed numbers with mean `loc` and deviation `scale`."""
    return array(_generator.normal(loc, scale, shape), ctx, dtype)


def randint(
    low: int,
    high: int,
    shape: int | tuple[int, ...] = 1,
    dtype: Any = np.int32,
    ctx: object = None,
) -> NDArray:
    """Whole numbers from low to high - 1."""
    return array(_generator.integers(low, high, shape), ctx, dtype)


__getattr__ = _subset.close(__name__)
