"""Single numbers with MXNet's method names: NumPy's scalars in everything else.

A program of MXNet asks an element or a sum for `asscalar()`. These are the scalars that
NumPy gives, of a subclass: they hash, compare, format, convert and index as NumPy's do,
and what arithmetic and pickles make of them is NumPy's own.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from mxio.context import Context, current_context

__all__ = ["NumberArray"]


class _Methods:
    """MXNet's method names for a scalar. The second base: NumPy asks the first one for
    the dtype.
    """

    __slots__ = ()

    @property
    def context(self) -> Context:
        """The device: cpu(0)."""
        return current_context()

    ctx = context

    def asscalar(self) -> Any:
        """NumPy's own scalar."""
        return self[()]  # type: ignore[index]

    def asnumpy(self) -> npt.NDArray[Any]:
        """An array of shape (1,), as in MXNet."""
        return np.array([self])

    def wait_to_read(self) -> None:
        """Nothing to wait for: the value is there."""

    def as_in_context(self, context: object) -> Any:
        """The scalar itself, whatever the device."""
        return self


class Float16(np.float16, _Methods):
    __slots__ = ()


class Float32(np.float32, _Methods):
    __slots__ = ()


class Float64(np.float64, _Methods):  # type: ignore[misc] # np.float64 is one itself
    __slots__ = ()


class Int8(np.int8, _Methods):
    __slots__ = ()


class Int16(np.int16, _Methods):
    __slots__ = ()


class Int32(np.int32, _Methods):
    __slots__ = ()


class Int64(np.int64, _Methods):
    __slots__ = ()


class UInt8(np.uint8, _Methods):
    __slots__ = ()


class UInt16(np.uint16, _Methods):
    __slots__ = ()


class UInt32(np.uint32, _Methods):
    __slots__ = ()


class UInt64(np.uint64, _Methods):
    __slots__ = ()


_FLOATS = Float16, Float32, Float64
_WHOLE = Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64
_KINDS: dict[type, type] = {kind.__mro__[1]: kind for kind in (*_FLOATS, *_WHOLE)}


def _with_methods(value: Any) -> Any:
    """A scalar of NumPy with MXNet's methods; all else as it is, a bool, too: its type
    has no subclasses.
    """
    kind = _KINDS.get(type(value))
    return value if kind is None else kind(value)


_get = np.ndarray.__getitem__  # super() takes as long as the rest


class NumberArray(np.ndarray[Any, np.dtype[Any]]):
    """A NumPy array whose elements, sums and the like have MXNet's methods."""

    def __getitem__(self, key: Any) -> Any:
        return _with_methods(_get(self, key))

    def __array_wrap__(
        self,
        array: np.ndarray[Any, Any],
        context: Any = None,
        return_scalar: bool = False,
    ) -> Any:
        if array is self:  # what `out=` and in-place operators wrote into
            return self
        # Reductions give scalars, as they do for plain arrays.
        return _with_methods(array[()]) if array.ndim == 0 else array.view(type(self))

    # NumPy makes these numbers beside __array_wrap__.
    def mean(self, *args: Any, **options: Any) -> Any:
        return _with_methods(super().mean(*args, **options))

    def std(self, *args: Any, **options: Any) -> Any:
        return _with_methods(super().std(*args, **options))

    def var(self, *args: Any, **options: Any) -> Any:
        return _with_methods(super().var(*args, **options))

    def argmax(self, *args: Any, **options: Any) -> Any:
        return _with_methods(super().argmax(*args, **options))

    def argmin(self, *args: Any, **options: Any) -> Any:
        return _with_methods(super().argmin(*args, **options))

    def dot(self, *args: Any, **options: Any) -> Any:
        return _with_methods(super().dot(*args, **options))
