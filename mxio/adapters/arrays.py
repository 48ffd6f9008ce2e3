"""NDArrayIter: batches of arrays in memory, sparse matrices, or HDF5 data sets."""

from collections.abc import Mapping, Sequence
from typing import Any, Never

import numpy as np
import numpy.typing as npt

from mxio import params
from mxio._csr import CSRNDArray, csr
from mxio._param import NDARRAY
from mxio.adapters.dataiter import DataDesc, DataIter, no_batch
from mxio.errors import ParameterError
from mxio.ndarray import NDArray, array

__all__ = ["NDArrayIter"]

_HANDLES = _PAD, _DISCARD, _ROLL_OVER = NDARRAY["last_batch_handle"].choices


class NDArrayIter(DataIter):
    """Batches of samples that lie in arrays, as MXNet's mx.io.NDArrayIter gives them.

    >>> batches = NDArrayIter(np.arange(10).reshape(5, 2), np.arange(5), batch_size=2)
    >>> [(batch.label[0].tolist(), batch.pad) for batch in batches]
    [([0.0, 1.0], 0), ([2.0, 3.0], 0), ([4.0, 0.0], 1)]

    data, label: an array, a list of arrays, or a dict of named ones, whose entries are
    taken in the order of their names. One array is called data_name (label_name),
    those of a longer list _0_data, _1_data and so on. The first says how many samples
    there are; others may have more, which are left out. An NDArray keeps its dtype; all
    else becomes float32, HDF5 data sets (anything like an h5py.Dataset) as their
    batches are read. A sparse matrix becomes CSR and keeps its dtype.

    last_batch_handle: what becomes of an incomplete last batch. 'pad': completed with
    samples from the start, as often as needed. 'discard': left out. 'roll_over': held
    back, to be the head of the next epoch's first batch, unless reset() came before
    the end, or comes again before the next batch; hard_reset() gives it up, too. `pad`
    of a batch counts its rows from the start of the data behind such an end (in 'pad'),
    or such a head (in 'roll_over').

    shuffle: a new order at the start and at every reset, by NumPy's global generator:
    numpy.random.seed gives the batches that it gives in MXNet. `data` and `label` are
    lists of (name, array), put in that order, except HDF5 data sets, whose rows are
    looked up as they are read. `idx` is the order: idx[i] is the original place of the
    sample that is now at i. (In MXNet it said so only until the second shuffle, and
    shuffling made every array float32.)

    layout: 'N' in it is the axis of the samples. `num_data` is the length of the first
    axis, as in MXNet, whatever the layout; `cursor` is the place of the first sample of
    the current batch, below 0 while the batch has a head from the epoch before.

    Batches are copies and have no index. AssertionError without data, TypeError for
    what is no array, ParameterError (a ValueError) for a wrong value or an array with
    too few samples, NotImplementedError for a sparse matrix unless 'discard'.
    """

    def __init__(
        self,
        data: Any,
        label: Any = None,
        batch_size: int = 1,
        shuffle: bool = False,
        last_batch_handle: str = _PAD,
        data_name: str = "data",
        label_name: str = "softmax_label",
        layout: str = "NCHW",
        **unknown: Never,
    ) -> None:
        params.refuse_unknown(type(self).__name__, unknown, NDARRAY)
        super().__init__(params.whole("batch_size", batch_size, 1))
        if last_batch_handle not in _HANDLES:
            names = ", ".join(map(repr, _HANDLES))
            raise ParameterError(
                f"last_batch_handle must be one of {names}, got {last_batch_handle!r}"
            )
        self.shuffle = params.flag("shuffle", shuffle)
        self.last_batch_handle = last_batch_handle
        self.layout = layout
        self._axis = DataDesc.get_batch_axis(layout)
        if self._axis < 0:
            raise ParameterError(f"layout must have an 'N', got {layout!r}")

        self.data = _named_arrays("data", data, data_name)
        self.label = _named_arrays("label", label, label_name)
        if not self.data:
            raise AssertionError(f"data must hold at least one array, got {data!r}")
        self._count = self._checked_count()
        self.num_data = int(self.data[0][1].shape[0])
        self.idx = np.arange(self._count)
        self._order = np.arange(self._count)  # what MXNet calls idx

        self.cursor = -self.batch_size
        self._over = False
        self._held: tuple[list[NDArray], list[NDArray]] = ([], [])
        self._held_count = 0
        self.reset()

    @property
    def provide_data(self) -> list[DataDesc]:
        """Name, shape, dtype and layout of each data array of a batch."""
        return self._described(self.data)

    @property
    def provide_label(self) -> list[DataDesc]:
        """Name, shape, dtype and layout of each label array of a batch."""
        return self._described(self.label)

    def reset(self) -> None:
        """Begin the next epoch; see last_batch_handle and shuffle."""
        if not self._over:
            self._let_go()
        if self.shuffle:
            self._shuffle()
        self.cursor = -self._held_count - self.batch_size
        self._over = False

    def hard_reset(self) -> None:
        """`reset`, giving up what 'roll_over' holds."""
        self._let_go()
        self.reset()

    def iter_next(self) -> bool:
        """Move to the next batch; False at the end of the epoch, until `reset`."""
        if self._over:
            return False
        self.cursor += self.batch_size
        left = self._count - self.cursor
        if left >= self.batch_size or (left > 0 and self.last_batch_handle == _PAD):
            return True
        if left > 0 and self.last_batch_handle == _ROLL_OVER:
            self._held = (self._rows(0, self._count), self._rows(1, self._count))
            self._held_count = left
        else:
            self._let_go()
        self._over = True
        return False

    def getdata(self) -> list[Any]:
        """Data of the current batch: NDArrays, or CSR matrices."""
        return self._current(0)

    def getlabel(self) -> list[Any]:
        """Label of the current batch, [] when there is none."""
        return self._current(1)

    def getpad(self) -> int:
        """Rows at the end of the current batch that are not of this epoch's order."""
        if self.cursor < 0:
            return self.batch_size + self.cursor
        return max(0, self.cursor + self.batch_size - self._count)

    def _checked_count(self) -> int:
        """Samples of the first array, which no other may fall short of."""
        axis, counts = self._axis, {}
        for name, source in self.data + self.label:
            if len(source.shape) <= axis:
                raise ParameterError(
                    f"{name} must have an axis {axis}, the N of layout "
                    f"{self.layout!r}, got shape {tuple(source.shape)}"
                )
            if _is_sparse(source) and (self.last_batch_handle, axis) != (_DISCARD, 0):
                raise NotImplementedError(
                    f"{name} is sparse: last_batch_handle must be {_DISCARD!r} and "
                    f"the layout begin with 'N', got {self.last_batch_handle!r} and "
                    f"{self.layout!r}"
                )
            counts[name] = int(source.shape[axis])
        first = self.data[0][0]
        for name, count in counts.items():
            if count < counts[first]:
                raise ParameterError(
                    f"{name} must have at least the {counts[first]} samples of "
                    f"{first}, got {count}"
                )
        return counts[first]

    def _described(self, sources: list[tuple[str, Any]]) -> list[DataDesc]:
        described = []
        for name, source in sources:
            shape = list(source.shape)
            shape[self._axis] = self.batch_size
            kind = np.float32 if _is_dataset(source) else source.dtype.type
            described.append(DataDesc(name, shape, kind, self.layout))
        return described

    def _let_go(self) -> None:
        self._held = ([], [])
        self._held_count = 0

    def _shuffle(self) -> None:
        """MXNet's steps: its idx is shuffled again and again, and so are the arrays."""
        np.random.shuffle(self._order)
        self.idx = self.idx[self._order]
        self.data = [(name, self._permuted(source)) for name, source in self.data]
        self.label = [(name, self._permuted(source)) for name, source in self.label]

    def _permuted(self, source: Any) -> Any:
        if _is_dataset(source):
            return source
        if _is_sparse(source):
            return _rows_of_csr(source, self._order)
        return self._taken(source, self._order)

    def _current(self, which: int) -> list[Any]:
        if self._over or self.cursor < -self._held_count:
            raise no_batch()
        return self._rows(which, self.cursor + self.batch_size)

    def _rows(self, which: int, stop: int) -> list[Any]:
        """The samples from the cursor to `stop` of the data (0) or the label (1)."""
        begin, end = max(self.cursor, 0), min(stop, self._count)
        rows = []
        for place, (_, source) in enumerate((self.data, self.label)[which]):
            parts = [self._held[which][place]] if self.cursor < 0 else []
            parts.append(self._read(source, begin, end))
            if stop > end:
                parts.append(self._wrapped(source, stop - end))
            rows.append(parts[0] if len(parts) == 1 else self._joined(parts))
        return rows

    def _wrapped(self, source: Any, count: int) -> NDArray:
        """The first `count` samples, counted round and round."""
        head = self._read(source, 0, min(count, self._count))
        return self._taken(head, np.arange(count) % self._count)

    def _read(self, source: Any, begin: int, end: int) -> Any:
        """A copy of the samples from `begin` to `end`."""
        if _is_sparse(source):
            return _rows_of_csr(source, np.arange(begin, end))
        if not _is_dataset(source):
            return self._cut(source, slice(begin, end)).copy()
        if not self.shuffle:
            return array(self._cut(source, slice(begin, end)))
        places = self.idx[begin:end]
        rising = np.argsort(places)  # HDF5 reads in no other order
        found = array(self._cut(source, places[rising].tolist()))
        return self._taken(found, np.argsort(rising))

    def _cut(self, source: Any, places: Any) -> Any:
        """The samples at `places`, a slice or a list."""
        return source[(slice(None),) * self._axis + (places,)]

    def _taken(self, source: NDArray, places: npt.NDArray[np.intp]) -> NDArray:
        return np.take(source, places, self._axis).view(NDArray)

    def _joined(self, parts: Sequence[NDArray]) -> NDArray:
        return np.concatenate(parts, self._axis).view(NDArray)


def _named_arrays(kind: str, given: Any, default_name: str) -> list[tuple[str, Any]]:
    """(name, array) pairs of what the caller gave as data or label."""
    if given is None:
        return []
    if isinstance(given, Mapping):
        items = sorted(given.items())
    elif isinstance(given, list):
        single = len(given) == 1
        items = [
            (default_name if single else f"_{place}_{default_name}", value)
            for place, value in enumerate(given)
        ]
    elif _is_sparse(given) or _is_dataset(given) or hasattr(given, "__array__"):
        items = [(default_name, given)]
    else:
        raise TypeError(
            f"{kind} must be an array, a list of arrays or a dict of them, "
            f"got {type(given).__name__}"
        )
    return [(name, _as_source(name, value)) for name, value in items]


def _as_source(name: str, value: Any) -> Any:
    if isinstance(value, NDArray | CSRNDArray) or _is_dataset(value):
        return value
    if _is_sparse(value):
        return value.tocsr()
    try:
        return array(value)
    except (TypeError, ValueError) as error:
        kind = type(value).__name__
        raise TypeError(f"{name} must be an array, got {kind}: {error}") from None


def _is_sparse(value: Any) -> bool:
    """Whether it is a matrix of scipy.sparse or LibSVMIter."""
    return isinstance(value, CSRNDArray) or hasattr(value, "tocsr")


def _rows_of_csr(matrix: Any, places: npt.NDArray[np.intp]) -> Any:
    """A CSR matrix of the rows at `places`."""
    indptr = np.asarray(matrix.indptr)
    counts = np.diff(indptr)[places]
    ends = np.cumsum(counts)
    taken = np.repeat(indptr[places] - ends + counts, counts) + np.arange(counts.sum())
    shape = (len(places), matrix.shape[1])
    return csr(matrix.data[taken], matrix.indices[taken], np.append(0, ends), shape)


def _is_dataset(value: Any) -> bool:
    """Whether it is read by slices, as an h5py.Dataset is, and no array of its own.

    Arrays of other libraries hand their memory over (__dlpack__); those of pandas have
    more than one way to be indexed (iloc).
    """
    return (
        isinstance(getattr(value, "dtype", None), np.dtype)
        and hasattr(value, "shape")
        and hasattr(value, "__getitem__")
        and not _is_sparse(value)
        and not hasattr(value, "__dlpack__")
        and not hasattr(value, "iloc")
    )
