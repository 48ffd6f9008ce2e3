"""The NDArray face over NumPy, and MXNet's NDArray list files (mean images).

Functions have the names, arguments and defaults of mx.nd: arrays are float32 unless
told otherwise, `ctx` is accepted and without effect, and what a function gives is new
memory. All other functions are NumPy's: `numpy.f(array)` works as on any array.
"""

from __future__ import annotations

import builtins
import math
import os
import struct
from collections.abc import Mapping, Sequence
from io import BufferedReader
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from mxio._atomic import PendingFile, naming, publish
from mxio._scalars import NumberArray
from mxio.context import Context, current_context
from mxio.errors import DataError, ParameterError

# `slice` is public, too, but would hide Python's own from who imports *.
__all__ = [
    "Context",
    "NDArray",
    "arange",
    "array",
    "concat",
    "concatenate",
    "empty",
    "expand_dims",
    "flatten",
    "flip",
    "full",
    "load",
    "ones",
    "reshape",
    "save",
    "slice_axis",
    "stack",
    "transpose",
    "waitall",
    "zeros",
]

_LIST_MAGIC = 0x112
_V1_MAGIC = 0xF993FAC8
_V2_MAGIC = 0xF993FAC9
_V3_MAGIC = 0xF993FACA
_STORAGE = {1: "row_sparse", 2: "csr"}
_MAX_DIMENSIONS = 32  # what every NumPy can hold

# MXNet's type flags; 8 and above only in files of MXNet 2.
_NAMES = "<f4", "<f8", "<f2", "u1", "<i4", "i1", "<i8", "?", "<i2", "<u2", "<u4", "<u8"
_TYPES: dict[int, np.dtype[Any]] = dict(enumerate(map(np.dtype, _NAMES)))
_FLAGS = {dtype: flag for flag, dtype in _TYPES.items()}


class NDArray(NumberArray):
    """A NumPy array that also answers to MXNet's method names.

    >>> array([[1, 2], [3, 4]]).sum(axis=0).asnumpy().tolist()
    [4.0, 6.0]

    Where NumPy has the same name for something else, NumPy's is meant: `flatten` gives
    one axis (the function `flatten` keeps the first). A single element, and a number
    that a reduction gives, is a NumPy scalar, which has `asscalar` and `asnumpy`, too.
    """

    @property
    def context(self) -> Context:
        """The device of the array: cpu(0)."""
        return current_context()

    ctx = context

    def asnumpy(self) -> npt.NDArray[Any]:
        """The same memory as a plain numpy.ndarray; nothing is copied."""
        return self.view(np.ndarray)

    def asscalar(self) -> Any:
        """The one element as a NumPy scalar; ParameterError unless there is one."""
        if self.size != 1:
            raise ParameterError(f"asscalar needs exactly 1 element, got {self.size}")
        return self.asnumpy().reshape(1)[0]

    def wait_to_read(self) -> None:
        """Nothing to wait for: the values are there."""

    def as_in_context(self, context: object) -> NDArray:
        """The array itself, whatever the device."""
        return self

    def copyto(self, other: NDArray | Context) -> NDArray:
        """Write the values into `other`, cast to its dtype; for a device, a new array.

        ParameterError unless the shapes are equal, TypeError when `other` is neither.
        """
        if isinstance(other, Context):
            return self.copy()
        if not isinstance(other, NDArray):
            raise TypeError(
                f"copyto needs an NDArray or a Context, got {type(other).__name__}"
            )
        if other.shape != self.shape:
            raise ParameterError(
                f"copyto needs the shape {self.shape}, got {other.shape}"
            )
        np.copyto(other, self, casting="unsafe")
        return other

    def reshape(self, *shape: Any, **options: Any) -> NDArray:
        """The same values in another shape, given as numbers or one tuple.

        -1 is what is left over, as in NumPy. MXNet's other codes are understood: 0
        keeps the axis at its place, -2 all axes that remain, -3 joins the next two, and
        -4 splits one into the two numbers behind it, of which one may be -1.
        ValueError when the sizes do not fit.
        """
        codes = _as_axes(options.pop("shape", shape))
        if self.size > 0 and any(code != -1 and code < 1 for code in codes):
            codes = _decoded_shape(self.shape, codes)
        return super().reshape(codes, **options).view(NDArray)

    def transpose(self, *axes: Any, **options: Any) -> NDArray:
        """The axes in another order, given as numbers or one tuple; default reversed.

        The memory is that of the array.
        """
        return super().transpose(_as_axes(options.pop("axes", axes)) or None, **options)

    def expand_dims(self, axis: int) -> NDArray:
        """See the function."""
        return expand_dims(self, axis)

    def flip(self, axis: int | tuple[int, ...]) -> NDArray:
        """See the function."""
        return flip(self, axis)

    def slice(
        self,
        begin: Sequence[int | None],
        end: Sequence[int | None],
        step: Sequence[int | None] | None = None,
    ) -> NDArray:
        """See the function."""
        return slice(self, begin, end, step)

    def slice_axis(self, axis: int, begin: int, end: int | None) -> NDArray:
        """See the function."""
        return slice_axis(self, axis, begin, end)


def _as_axes(given: Any) -> tuple[int, ...]:
    """(2, 3) from 2, (2, 3), [2, 3], ((2, 3),); () from None, (None,)."""
    if isinstance(given, tuple | list) and len(given) == 1:
        given = given[0]
    if given is None:
        return ()
    return tuple(given) if np.iterable(given) else (given,)


def _decoded_shape(shape: tuple[int, ...], codes: tuple[int, ...]) -> tuple[int, ...]:
    """The target of a reshape of `shape`, at most one -1 left in it."""
    target: list[int] = []
    left = list(shape)
    rest = iter(codes)
    try:
        for code in rest:
            if code == -2:
                target += left
                left.clear()
            elif code == -3:
                target.append(left.pop(0) * left.pop(0))
            elif code == -4:
                first, second = next(rest), next(rest)
                length = left.pop(0)
                target.append(length // second if first == -1 else first)
                target.append(length // first if second == -1 else second)
            elif code == 0:
                target.append(left.pop(0))
            elif code >= -1:
                del left[:1]
                target.append(code)
            else:
                raise ParameterError(f"reshape knows the codes -4 to 0, got {code}")
    except (IndexError, StopIteration, ZeroDivisionError):
        raise ParameterError(
            f"an array of shape {shape} has no axis for {codes}"
        ) from None
    return tuple(target)


def array(source: npt.ArrayLike, ctx: object = None, dtype: Any = None) -> NDArray:
    """A new NDArray with the values of `source`.

    `dtype` defaults to that of `source` if it is an NDArray, else to float32, as in
    MXNet.
    """
    if dtype is None:
        dtype = source.dtype if isinstance(source, NDArray) else np.float32
    return np.array(source, dtype=dtype, order="C").view(NDArray)


def zeros(shape: int | Sequence[int], ctx: object = None, dtype: Any = None) -> NDArray:
    """Zeros."""
    return np.zeros(shape, dtype or np.float32).view(NDArray)


def ones(shape: int | Sequence[int], ctx: object = None, dtype: Any = None) -> NDArray:
    """Ones."""
    return np.ones(shape, dtype or np.float32).view(NDArray)


def full(
    shape: int | Sequence[int], val: float, ctx: object = None, dtype: Any = np.float32
) -> NDArray:
    """One value everywhere."""
    return np.full(shape, val, dtype).view(NDArray)


def empty(shape: int | Sequence[int], ctx: object = None, dtype: Any = None) -> NDArray:
    """Memory with any values."""
    return np.empty(shape, dtype or np.float32).view(NDArray)


def arange(
    start: float,
    stop: float | None = None,
    step: float = 1.0,
    repeat: int = 1,
    infer_range: bool | None = None,
    ctx: object = None,
    dtype: Any = np.float32,
) -> NDArray:
    """start, start + step, ... below stop, each `repeat` times; one number is stop."""
    first, last = (0, start) if stop is None else (start, stop)
    return np.arange(first, last, step).astype(dtype).repeat(repeat).view(NDArray)


def concat(*data: npt.NDArray[Any], dim: int = 1) -> NDArray:
    """The arrays joined along an axis that they have, the second unless told."""
    return np.concatenate(data, dim).view(NDArray)


def concatenate(
    arrays: Sequence[npt.NDArray[Any]], axis: int = 0, always_copy: bool = True
) -> NDArray:
    """The arrays joined along an axis that they have, the first unless told."""
    return concat(*arrays, dim=axis)


def stack(*data: npt.NDArray[Any], axis: int = 0) -> NDArray:
    """The arrays, all of one shape, joined along a new axis."""
    return np.stack(data, axis).view(NDArray)


def transpose(data: npt.NDArray[Any], axes: Sequence[int] | None = None) -> NDArray:
    """The axes in another order, by default the reversed one."""
    return _copied(np.transpose(data, axes or None))


def flip(data: npt.NDArray[Any], axis: int | tuple[int, ...]) -> NDArray:
    """The other way round along one axis or several."""
    return _copied(np.flip(data, axis))


def expand_dims(data: npt.NDArray[Any], axis: int) -> NDArray:
    """With a new axis of length 1 at `axis`."""
    return _copied(np.expand_dims(data, axis))


def flatten(data: npt.NDArray[Any]) -> NDArray:
    """The first axis as it is, all others as one: (n, a, b) becomes (n, a * b)."""
    return _copied(np.reshape(data, (len(data), math.prod(data.shape[1:]))))


def reshape(data: npt.NDArray[Any], shape: Sequence[int]) -> NDArray:
    """NDArray.reshape, as a copy."""
    return _copied(data.view(NDArray).reshape(shape))


def slice(
    data: npt.NDArray[Any],
    begin: Sequence[int | None],
    end: Sequence[int | None],
    step: Sequence[int | None] | None = None,
) -> NDArray:
    """data[begin[0]:end[0]:step[0], begin[1]:...]; None is an edge, or step 1."""
    steps = step or [None] * len(begin)
    return _copied(data[tuple(map(builtins.slice, begin, end, steps))])


def slice_axis(
    data: npt.NDArray[Any], axis: int, begin: int, end: int | None
) -> NDArray:
    """begin:end along one axis, negative numbers from its end; None is the end.

    ParameterError when `begin` or `end` is outside the axis.
    """
    length = data.shape[axis]
    for name, place in (("begin", begin), ("end", length if end is None else end)):
        if not -length <= place <= length:
            raise ParameterError(
                f"{name} must be in [{-length}, {length}], the length of axis {axis}, "
                f"got {place}"
            )
    return _copied(np.moveaxis(np.moveaxis(data, axis, 0)[begin:end], 0, axis))


def waitall() -> None:
    """Nothing to wait for: all values are there."""


def _copied(view: npt.NDArray[Any]) -> NDArray:
    return np.array(view, order="C").view(NDArray)


def save(
    fname: str | os.PathLike[str],
    data: npt.NDArray[Any]
    | Sequence[npt.NDArray[Any]]
    | Mapping[str, npt.NDArray[Any]],
) -> None:
    """Write an array, a list of arrays or a dict of named ones as an NDArray list file.

    The file appears under its name only when whole. Raises TypeError for what is no
    array or has a dtype MXNet does not know, ParameterError for 0-d arrays (the format
    has no scalars), OSError naming the file.
    """
    names: list[str] = []
    if isinstance(data, np.ndarray):
        arrays = [data]
    elif isinstance(data, Mapping):
        names = list(data)
        arrays = list(data.values())
    else:
        arrays = list(data)
    heads = [_array_head(item, place) for place, item in enumerate(arrays)]
    for name in names:
        if not isinstance(name, str):
            kind = type(name).__name__
            raise TypeError(f"names of arrays must be text, got {name!r} ({kind})")
    tags = [name.encode() for name in names]
    file = PendingFile(os.fspath(fname))
    file.write(struct.pack("<QQQ", _LIST_MAGIC, 0, len(arrays)))
    for head, item in zip(heads, arrays, strict=True):
        file.write(head)
        file.write(item.astype(item.dtype.newbyteorder("<"), "C", copy=False).tobytes())
    file.write(struct.pack("<Q", len(tags)))
    for tag in tags:
        file.write(struct.pack("<Q", len(tag)) + tag)
    publish(file)


def load(fname: str | os.PathLike[str]) -> list[NDArray] | dict[str, NDArray]:
    """The arrays of an NDArray list file: a dict if they have names, else a list.

    Reads all versions of the format (V0 to V3). An array that MXNet saved without a
    shape comes back as float32 of shape (0,). Raises DataError, naming file and byte
    offset, for damaged files, sparse arrays and types NumPy lacks; OSError when the
    system refuses.
    """
    path = os.fspath(fname)
    with naming(path), open(path, "rb") as file:
        reader = _Reader(path, file)
        magic, _, count = reader.numbers("<QQQ", "the list header")
        if magic != _LIST_MAGIC:
            reader.fail(f"magic number is {magic:#x}, an NDArray list has 0x112", 0)
        arrays: list[NDArray] = []
        while len(arrays) < count:
            arrays.append(_read_array(reader))
        (name_count,) = reader.numbers("<Q", "the number of names")
        if name_count == 0:
            return arrays
        if name_count != count:
            reader.fail(f"{name_count} names for {count} arrays")
        return {_read_name(reader): item for item in arrays}


class _Reader:
    """Takes numbers and bytes off a file, never more than it has."""

    def __init__(self, path: str, file: BufferedReader) -> None:
        self.path = path
        self.offset = 0
        self._file = file
        self._size = os.fstat(file.fileno()).st_size

    def fail(self, problem: str, offset: int | None = None) -> NoReturn:
        at = self.offset if offset is None else offset
        raise DataError(f"{self.path}: byte {at}: {problem}", self.path, offset=at)

    def expect(self, size: int, what: str) -> None:
        """Fail unless `size` more bytes are there."""
        left = self._size - self.offset
        if size > left:
            self.fail(f"{what} needs {size} bytes, {left} left")

    def fill(self, out: npt.NDArray[Any], what: str) -> None:
        """Read the next out.nbytes bytes into a C-contiguous array."""
        self.expect(out.nbytes, what)
        if self._file.readinto(out.reshape(-1).view(np.uint8).data) != out.nbytes:
            self.fail(f"{what}: the file became shorter while it was read")
        self.offset += out.nbytes

    def take(self, size: int, what: str) -> bytes:
        self.expect(size, what)
        taken = np.empty(size, np.uint8)
        self.fill(taken, what)
        return taken.tobytes()

    def numbers(self, layout: str, what: str) -> tuple[int, ...]:
        return struct.unpack(layout, self.take(struct.calcsize(layout), what))


def _array_head(item: object, place: int) -> bytes:
    """What stands before the data of an array in version 2 of the format."""
    if not isinstance(item, np.ndarray):
        raise TypeError(f"entry {place} must be an array, got {type(item).__name__}")
    flag = _FLAGS.get(item.dtype.newbyteorder("<"))
    if flag is None:
        known = ", ".join(dtype.name for dtype in _FLAGS)
        raise TypeError(f"array {place} has dtype {item.dtype}; known: {known}")
    if item.ndim == 0:
        raise ParameterError(f"array {place} is a scalar; give it the shape (1,)")
    shape = struct.pack(f"<i{item.ndim}q", item.ndim, *item.shape)
    return struct.pack("<Ii", _V2_MAGIC, 0) + shape + struct.pack("<iii", 1, 0, flag)


def _read_array(reader: _Reader) -> NDArray:
    start = reader.offset
    shape = _read_shape(reader)
    if shape is None:
        return np.zeros(0, np.float32).view(NDArray)
    _, _, flag = reader.numbers("<iii", "context and type of an array")
    if flag not in _TYPES:
        reader.fail(f"type flag {flag} has no NumPy type", reader.offset - 4)
    dtype = _TYPES[flag]
    what = f"the data of an array of shape {shape}, {dtype}"
    reader.expect(math.prod(shape) * dtype.itemsize, what)
    try:
        item = np.empty(shape, dtype)
    except ValueError as error:
        reader.fail(f"no array of shape {shape}: {error}", start)
    reader.fill(item, what)
    return item.view(NDArray)


def _read_shape(reader: _Reader) -> tuple[int, ...] | None:
    """The shape of the array that begins here; None for an array that ends with it."""
    (magic,) = reader.numbers("<I", "an array")
    if magic in (_V2_MAGIC, _V3_MAGIC):
        (storage,) = reader.numbers("<i", "the storage type of an array")
        if storage != 0:
            kind = _STORAGE.get(storage, f"storage type {storage}")
            reader.fail(
                f"a sparse array ({kind}); only dense ones can be read",
                reader.offset - 4,
            )
    letter = "q"
    dimensions = magic
    if magic in (_V1_MAGIC, _V2_MAGIC, _V3_MAGIC):
        (dimensions,) = reader.numbers("<i", "the number of dimensions")
    else:
        letter = "I"  # version 0: what would be the magic number is the number itself
    if magic == _V3_MAGIC and dimensions == -1:
        return None
    if not 0 <= dimensions <= _MAX_DIMENSIONS:
        reader.fail(
            f"an array of {dimensions} dimensions; at most {_MAX_DIMENSIONS} can be",
            reader.offset - 4,
        )
    if dimensions == 0 and magic != _V3_MAGIC:
        return None
    shape = reader.numbers(f"<{dimensions}{letter}", f"a shape of {dimensions}")
    if magic == _V3_MAGIC and -1 in shape:
        return None
    if any(length < 0 for length in shape):
        reader.fail(f"shape {shape} has a negative length")
    return shape


def _read_name(reader: _Reader) -> str:
    (length,) = reader.numbers("<Q", "the length of a name")
    start = reader.offset
    try:
        return reader.take(length, "a name").decode()
    except UnicodeDecodeError:
        reader.fail("a name that is not UTF-8", start)
