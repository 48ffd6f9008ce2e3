"""What MXNet's arrays do and NumPy's do not, put onto mxio's for programs of MXNet.

There a single element and the result of a reduction are arrays, too, of shape (1,):
programs write `labels[i][:] = 3` and `losses.sum().asscalar()`.
"""

from typing import Any

import numpy as np

from mxio.ndarray import NDArray, flatten


def install() -> None:
    """Change NDArray; once for the whole process."""
    for name, method in {
        "__getitem__": _get,
        "__array_wrap__": _wrap,
        "__float__": _as_float,
        "__int__": _as_int,
        "__repr__": _shown,
        "__str__": _shown,
        "argmax": _argmax,
        "argmin": _argmin,
        "flatten": flatten,
    }.items():
        setattr(NDArray, name, method)


def _get(self: NDArray, key: Any) -> Any:
    """An element as a view of shape (1,), everything else as in NumPy."""
    found = np.ndarray.__getitem__(self, key)
    if not isinstance(found, np.generic):
        return found
    place = key if isinstance(key, tuple) else (key,)
    return np.ndarray.__getitem__(self, (*place, None))


def _wrap(
    self: NDArray, result: Any, context: Any = None, return_scalar: bool = False
) -> NDArray:
    """What NumPy's functions give: never without an axis; `out=` is itself."""
    wrapped: NDArray = result
    if result is not self:
        wrapped = np.reshape(result, result.shape or 1).view(NDArray)
    return wrapped


def _argmax(self: NDArray, axis: int | None = None, keepdims: bool = False) -> NDArray:
    return _wrap(self, np.argmax(self.asnumpy(), axis, keepdims=keepdims))


def _argmin(self: NDArray, axis: int | None = None, keepdims: bool = False) -> NDArray:
    return _wrap(self, np.argmin(self.asnumpy(), axis, keepdims=keepdims))


def _shown(self: NDArray) -> str:
    # NumPy's own way asks for numbers that have no axis.
    sides = "x".join(map(str, self.shape))
    return f"\n{self.asnumpy()}\n<{type(self).__name__} {sides} @{self.context}>"


# NumPy converts arrays without an axis only.
def _as_float(self: NDArray) -> float:
    return float(self.asscalar())


def _as_int(self: NDArray) -> int:
    return int(self.asscalar())
