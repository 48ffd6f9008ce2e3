"""The mx.io face: MXNet's DataIter protocol over the loader."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, Unpack

import numpy as np

from mxio import _state, params
from mxio._options import MxOptions
from mxio.errors import MxioError, ParameterError
from mxio.loader import Batch, ImageLoader, Told
from mxio.ndarray import NDArray

__all__ = [
    "DataBatch",
    "DataDesc",
    "DataIter",
    "ImageRecordInt8Iter",
    "ImageRecordIter",
    "ImageRecordIter_v1",
    "ImageRecordUInt8Iter",
    "ImageRecordUInt8Iter_v1",
    "MXDataIter",
    "RecordIter",
    "Source",
    "no_batch",
]


class DataDesc(tuple[str, tuple[int, ...]]):
    """Name and shape of an input, as a pair, with `dtype` and `layout` beside."""

    dtype: Any
    layout: str | None

    def __new__(
        cls,
        name: str,
        shape: Sequence[int],
        dtype: Any = np.float32,
        layout: str | None = "NCHW",
    ) -> "DataDesc":
        self = super().__new__(cls, (name, tuple(shape)))
        self.dtype = dtype
        self.layout = layout
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.name, self.shape, self.dtype, self.layout

    @property
    def name(self) -> str:
        """Name of the input."""
        return self[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a batch of it."""
        return self[1]

    def __repr__(self) -> str:
        return f"DataDesc[{self.name},{self.shape},{self.dtype},{self.layout}]"

    @staticmethod
    def get_batch_axis(layout: str | None) -> int:
        """The axis of the samples: 0 without a layout, else that of 'N', -1 if there is
        none.
        """
        return 0 if layout is None else layout.find("N")

    @staticmethod
    def get_list(
        shapes: Sequence[tuple[str, Sequence[int]]],
        types: Sequence[tuple[str, Any]] | None,
    ) -> list["DataDesc"]:
        """Descriptions from (name, shape) and, unless None, (name, dtype) pairs."""
        if types is None:
            return [DataDesc(name, shape) for name, shape in shapes]
        by_name = dict(types)
        return [DataDesc(name, shape, by_name[name]) for name, shape in shapes]


class DataBatch:
    """What a DataIter gives: lists of arrays, rows of padding, record ids.

    data, label: lists of NDArray. pad: rows at the end that are no new samples. index:
    ids of the records, uint64.
    """

    def __init__(
        self,
        data: Sequence[Any],
        label: Sequence[Any] | None = None,
        pad: int | None = None,
        index: Any = None,
        bucket_key: Any = None,
        provide_data: Any = None,
        provide_label: Any = None,
    ) -> None:
        for name, value in (("data", data), ("label", label)):
            if value is not None and not isinstance(value, list | tuple):
                raise AssertionError(
                    f"{name} must be a list of arrays, got {type(value).__name__}"
                )
        self.data = data
        self.label: Any = label
        self.pad = pad
        self.index = index
        self.bucket_key = bucket_key
        self.provide_data = provide_data
        self.provide_label = provide_label

    def __str__(self) -> str:
        data = [array.shape for array in self.data]
        label = [array.shape for array in self.label] if self.label else None
        return f"DataBatch: data shapes: {data} label shapes: {label}"


class DataIter:
    """The base class: `next` is made of `iter_next` and the four getters."""

    def __init__(self, batch_size: int = 0) -> None:
        self.batch_size = batch_size

    def __iter__(self) -> "DataIter":
        return self

    def __next__(self) -> DataBatch:
        return self.next()

    def reset(self) -> None:
        """Back to the start, for the next epoch."""

    def next(self) -> DataBatch:
        """The next batch; StopIteration at the end of the epoch."""
        if not self.iter_next():
            raise StopIteration
        return DataBatch(
            data=self.getdata(),
            label=self.getlabel(),
            pad=self.getpad(),
            index=self.getindex(),
        )

    def iter_next(self) -> bool:
        """Move to the next batch; False at the end."""
        return False

    def getdata(self) -> Any:
        """Data of the current batch."""

    def getlabel(self) -> Any:
        """Label of the current batch."""

    def getindex(self) -> Any:
        """Ids of the current batch's records."""

    def getpad(self) -> Any:
        """Rows of padding in the current batch."""


def no_batch() -> MxioError:
    """What the getters raise before the first `iter_next` and behind the last."""
    return MxioError("there is no current batch: call iter_next() first")


class Source(Protocol):
    """What stands behind an MXDataIter: batches of one shape, epoch by epoch."""

    batch_size: int
    data_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    layout: str
    label_shape: tuple[int, ...]
    label_dtype: np.dtype[Any]

    def start(self, epoch: int, carry: int) -> None:
        """Begin an epoch, `carry` records behind its start."""

    def next(self) -> Batch | None:
        """The next batch, or None at the end of the epoch."""

    def carry(self) -> int:
        """Records of the next epoch that the batches so far have taken."""

    def close(self) -> None:
        """Give up threads and files; idempotent."""


class MXDataIter(DataIter):
    """The DataIter over a source of batches: what MXNet's native iterators are.

    An epoch ends with StopIteration (or False from `iter_next`) until `reset`. Each
    batch has one data array and one label array; `getdata` and `getlabel` give the
    array itself.
    """

    def __init__(
        self,
        handle: Source,
        data_name: str = "data",
        label_name: str = "softmax_label",
        **_: object,
    ) -> None:
        super().__init__(handle.batch_size)
        self.handle = handle
        self.data_name = data_name
        self.label_name = label_name
        self._epoch = 0
        self._carry = 0  # rows of the next epoch in the batches delivered
        self._delivered = False
        self._over = False
        self._first_only = False
        self._batch: Batch | None = None
        handle.start(0, 0)

    @property
    def provide_data(self) -> list[DataDesc]:
        """Name, shape, dtype and layout of the data."""
        source = self.handle
        kind = source.dtype.type
        return [DataDesc(self.data_name, source.data_shape, kind, source.layout)]

    @property
    def provide_label(self) -> list[DataDesc]:
        """Name, shape and dtype of the label."""
        source = self.handle
        return [DataDesc(self.label_name, source.label_shape, source.label_dtype.type)]

    def reset(self) -> None:
        """Begin the next epoch, or the same one again if no batch of it was taken.

        After the last batch of an epoch, records that completed it are not given a
        second time; in mid-epoch the next epoch starts at its first record.
        """
        epoch = self._epoch + self._delivered
        self.handle.start(epoch, self._carry)
        self._epoch = epoch
        self._carry = 0
        self._delivered = False
        self._over = False
        self._batch = None

    def iter_next(self) -> bool:
        """Move to the next batch; False at the end of the epoch, until `reset`."""
        if self._first_only and self._batch is not None:
            return True
        if self._over:
            return False
        self._batch = None
        self._batch = self.handle.next()
        if self._batch is None:
            self._over = True
            return False
        self._carry = self.handle.carry()
        self._delivered = True
        return True

    def next(self) -> DataBatch:
        """The next batch; StopIteration at the end of the epoch, until `reset`."""
        if not self.iter_next():
            raise StopIteration
        return DataBatch(
            data=[self.getdata()],
            label=[self.getlabel()],
            pad=self.getpad(),
            index=self.getindex(),
        )

    def _current(self) -> Batch:
        if self._batch is None:
            raise no_batch()
        return self._batch

    def getdata(self) -> Any:
        """Data of the current batch: one array."""
        return self._current().data.view(NDArray)

    def getlabel(self) -> Any:
        """Label of the current batch: one array."""
        return self._current().label.view(NDArray)

    def getindex(self) -> Any:
        """Ids of the current batch's records, uint64."""
        return self._current().index

    def getpad(self) -> int:
        """Rows at the end of the current batch that are no new samples."""
        return self._current().pad

    def debug_skip_load(self) -> None:
        """From the next batch on, give that batch again and again: for timing."""
        self._first_only = True

    def close(self) -> None:
        """Stop the threads. Batches handed out stay valid."""
        self.handle.close()


class RecordIter(Told, MXDataIter):
    """An MXDataIter over a loader of images."""

    def __init__(self, loader: ImageLoader, options: Mapping[str, Any]) -> None:
        self._loader = loader
        super().__init__(
            loader,
            options.get("data_name", "data"),
            options.get("label_name", "softmax_label"),
        )

    def state_dict(self) -> dict[str, Any]:
        """Where the iterator is, behind the last batch taken: plain values, for a
        checkpoint; also what round_batch took of the next epoch.
        """
        return _state.make(
            self._loader,
            self._epoch,
            self._loader.samples(),
            carry=self._carry,
            delivered=self._delivered,
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was taken; no record before that is read.

        Another batch_size is allowed. ParameterError, naming every difference, for a
        state of other files or options.
        """
        epoch, samples = _state.check(self._loader, state)
        carry = _state.check_count("carry", state.get("carry", 0))
        self._loader.start(epoch, samples)
        self._epoch = epoch
        self._carry = carry
        self._delivered = bool(state.get("delivered", samples > 0))
        self._over = False
        self._batch = None


class ImageRecordIter(RecordIter):
    """Batches of images from RecordIO files, as MXNet's mx.io.ImageRecordIter gives
    them.

    >>> batches = ImageRecordIter(
    ...     path_imgrec="train.rec", data_shape=(3, 224, 224), batch_size=128,
    ...     rand_crop=True, rand_mirror=True, shuffle=True,
    ... )  # doctest: +SKIP
    >>> for batch in batches:  # doctest: +SKIP
    ...     step(batch.data[0].asnumpy(), batch.label[0].asnumpy())

    Data are (batch_size, channels, height, width), labels float32 (batch_size,), or
    (batch_size, label_width) when that is above 1; `index` holds the record ids. All
    parameters are keywords, in docs/parameters.md; values may be given as text.

    TypeError for an unknown or missing parameter, ParameterError for a wrong value,
    OSError for a file that cannot be read, DataError (naming file, record, id, byte)
    for damaged data: all of the first three from the constructor. After a DataError the
    next call goes on behind that batch.
    """

    def __init__(self, **options: Unpack[MxOptions]) -> None:
        bound = params.bind(type(self).__name__, params.MX, options)
        super().__init__(ImageLoader(bound, running=True), bound)


ImageRecordIter.__signature__ = params.signature(params.MX)  # type: ignore[attr-defined]


class _FixedTypeIter(ImageRecordIter):
    """An ImageRecordIter whose dtype is decided by its name."""

    _dtype: Literal["uint8", "int8"]

    def __init__(self, **options: Unpack[MxOptions]) -> None:
        name = type(self).__name__
        bound = params.bind(name, params.MX, options)
        own = params.TABLE["dtype"].choices.index(self._dtype)
        if bound.get("dtype", own) != own:
            raise ParameterError(
                f"{name} gives {self._dtype}, got dtype={options['dtype']!r}"
            )
        options["dtype"] = self._dtype
        super().__init__(**options)


class ImageRecordUInt8Iter(_FixedTypeIter):
    """ImageRecordIter with dtype="uint8": pixels as they are."""

    _dtype = "uint8"


class ImageRecordInt8Iter(_FixedTypeIter):
    """ImageRecordIter with dtype="int8": pixels minus the mean, in -128..127."""

    _dtype = "int8"


# MXNet's older implementations; here there is one.
ImageRecordIter_v1 = ImageRecordIter
ImageRecordUInt8Iter_v1 = ImageRecordUInt8Iter
