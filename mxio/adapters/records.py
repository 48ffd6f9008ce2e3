"""Records of any kind: each payload goes through a function of the caller's."""

import functools
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Unpack

from mxio import _core, _state, params
from mxio._files import resolve
from mxio._options import RawOptions
from mxio._patience import Reading, timeout_of, within
from mxio._ranks import fill_rank
from mxio._scan import read_index
from mxio._views import View, settle
from mxio.recordio import unpack as unpack_record

__all__ = ["Making", "RecordBatch", "RecordDataset", "RecordReader"]

_PARTIAL = params.TABLE["last_batch"].choices.index("partial")
# What the core wants to know of pictures, which nobody asks for here.
_NO_PICTURE = {"data_shape": (3, 1, 1)}
# Read by one thread: long beside its start, short beside a disk's answer.
_SECONDS_AHEAD = 0.005
_BYTES_AHEAD = 1 << 22


class RecordBatch(list[Any]):
    """What the function made of the records of a batch.

    ordinals: of the records in the files. pad: how many at the end are repeats.
    """

    def __init__(self, values: Iterator[Any], ordinals: list[int], pad: int) -> None:
        super().__init__(values)
        self.ordinals = ordinals
        self.pad = pad


class Making:
    """What becomes of a record: payload, or header and rest, go to a function."""

    def __init__(self, function: Callable[..., object] | None, unpack: bool) -> None:
        self._function = params.function("function", function)
        self._unpack = params.flag("unpack", unpack)

    def __call__(self, payload: bytes) -> Any:
        """What the function makes of it, or without one what it would get."""
        given = unpack_record(payload) if self._unpack else (payload,)
        if self._function is None:
            return given if self._unpack else payload
        try:
            return self._function(*given)
        except StopIteration as error:  # no end of the epoch
            raise RuntimeError("function raised StopIteration") from error


Given = tuple[list[bytes], list[int], int]
# A batch, a failure, or the end; and the positions that are done then.
_Ahead = tuple[Given | Exception | None, int]


class RecordReader:
    """Batches of payloads of one part of a data set: what ImageLoader is for pictures.

    Internal to the faces, which bind and settle the options. What is waited for with a
    timeout is read in a thread of its own, a few milliseconds' worth at a time.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        given = dict(options)
        view: View | None = given.pop("records", None)  # not for the core's table
        self.options = given
        self._view = view
        self._timeout = timeout_of(given)
        self._core = within(self._timeout, "not opened", self._open)
        self._records: int | None = None  # of this part, once they were counted
        self._ready: deque[_Ahead] = deque()
        self._reading: Reading[None] | None = None
        self._samples = 0

    def _open(self) -> _core.RecordFeed:
        self._files = resolve(self.options["path_imgrec"])
        index = self.options.get("path_imgidx") or None
        offsets = None if index is None else read_index(index)[1]
        return _core.RecordFeed(
            _NO_PICTURE | self.options,
            self._files,
            None if offsets is None else offsets.data,
            index,
            None if self._view is None else self._view.chosen,
        )

    def start(self, epoch: int, base: int = 0, batch: int = 0, step: int = 1) -> None:
        """Begin an epoch, `base` positions in; batches batch, batch + step, ... are
        read.
        """
        self._wait(lambda: False)
        self._ready.clear()
        self._core.start(epoch, base, batch, step)
        self._samples = base

    def next(self) -> Given | None:
        """(payloads, ordinals, repeats at the end); None at the end of the epoch."""
        if not self._ready and self._timeout <= 0:
            self._read(0)
        while not self._ready:
            self._reading = self._reading or Reading(lambda: self._read(_SECONDS_AHEAD))
            self._wait(lambda: self._ready)
        made, self._samples = self._ready.popleft()
        if isinstance(made, Exception):
            raise made
        if made is None:
            return None
        payloads, ordinals, pad = made
        return payloads, ordinals, pad - (self.options["batch_size"] - len(payloads))

    def _wait(self, enough: Callable[[], object]) -> None:
        """For the thread, if there is one; after a TimeoutError it is still there."""
        if self._reading is None:
            return
        self._reading.wait(self._timeout, "no record", enough)
        if self._reading.over:
            ended, self._reading = self._reading, None
            ended.result()

    def _read(self, seconds: float) -> None:
        """Make ready what comes in so much time, one batch at least."""
        end = time.monotonic() + seconds
        size = 0
        while True:
            made: Given | Exception | None
            try:
                made = self._core.next()
            except Exception as error:  # it is the turn of others first
                made = error
            self._ready.append((made, self._core.progress()))
            if not isinstance(made, tuple):
                return
            size += sum(map(len, made[0]))
            if size >= _BYTES_AHEAD or time.monotonic() >= end:
                return

    def samples(self) -> int:
        """Positions of this epoch that are done once all ranks have their share of the
        batches so far.
        """
        return self._samples

    @functools.cached_property
    def identity(self) -> dict[str, Any]:
        """What a state says of files and options, see `_state`."""
        count = self.count()
        made = within(
            self._timeout,
            "no state",
            lambda: _state.describe(self.options, self._files, count),
        )
        if self._view is not None:
            made["options"]["records"] = self._view.digest()
        return made

    def count(self) -> int:
        """Records of this part."""
        if self._records is None:
            self._records = within(self._timeout, "not counted", self._core.count)
        return self._records

    def batches(self, base: int = 0, batch: int = 0, step: int = 1) -> int:
        """Batches of an epoch, `base` positions in: batch, batch + step, ..."""
        self.count()  # the core looks for what is not known yet
        return self._core.batches(base, batch, step)


class RecordDataset(_state.Resumable):
    """Records of any kind from RecordIO files, in the order of an image loader.

    >>> dataset = RecordDataset(
    ...     json.loads, path_imgrec="notes.rec", shuffle=True, seed=1
    ... )  # doctest: +SKIP
    >>> for note in dataset:  # one epoch  # doctest: +SKIP
    ...     use(note)

    function: what becomes of a record: it gets the payload (bytes), or with unpack=True
    the header and what follows it (IRHeader, bytes); without a function, that is what
    is yielded. It is called in the iterating thread.
    With batch_size, lists (`RecordBatch`) are yielded, and ranks deal out whole
    batches; without, single records, which ranks deal out in turn. `len` counts what an
    epoch yields. Files, order, ranks, views, ends, epochs and states are those of
    mxio.adapters.numpy.ImageRecordLoader, with the same options.

    DataError names a record that is damaged; the iteration can go on behind its batch.
    """

    _kind = "dataset"

    def __init__(
        self,
        function: Callable[..., object] | None = None,
        *,
        unpack: bool = False,
        **options: Unpack[RawOptions],
    ) -> None:
        bound = params.bind(
            type(self).__name__,
            params.RAW,
            options,
            optional=("batch_size",),
            beside=("function", "unpack"),
        )
        fill_rank(bound)
        settle(bound)
        self._single = "batch_size" not in bound
        if self._single:
            bound["batch_size"] = 1
        self._options = bound
        self._made = Making(function, unpack)
        self._reader = RecordReader(bound)
        super().__init__()

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state["_reader"] = self._reader.samples()
        state["_live"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reader = RecordReader(self._options)
        if self._cursor.begun is not None:  # and left here, for state_dict to say
            self._reader.start(self._cursor.begun, state["_reader"])

    def __len__(self) -> int:
        return self._reader.batches()

    def __iter__(self) -> Iterator[Any]:
        self._refuse_while_under_way()
        epoch = _Epoch(self._reader, self._cursor, self._made, self._single)
        self._live = weakref.ref(epoch)
        return epoch

    @property
    def _source(self) -> RecordReader:
        return self._reader


class _Epoch(Iterator[Any]):
    """The records of one epoch."""

    def __init__(
        self,
        reader: RecordReader,
        cursor: _state.Cursor,
        made: Callable[[bytes], object],
        single: bool,
    ) -> None:
        self._reader = reader
        self._cursor = cursor
        self._made = made
        self._single = single
        reader.start(cursor.epoch, cursor.samples)
        self._number, _ = cursor.begin()
        self.going = True

    def __next__(self) -> Any:
        samples = self._reader.samples()
        given = self._reader.next() if self.going else None
        if given is None:
            if self.going and self._cursor.begun == self._number:
                self._cursor.begun = None
            self.going = False
            raise StopIteration
        payloads, ordinals, pad = given
        try:
            if self._single:
                return self._made(payloads[0])
            return RecordBatch(map(self._made, payloads), ordinals, pad)
        except Exception:
            raise
        except BaseException:  # Ctrl-C is none of the item's doing: it comes again
            self._reader.start(self._number, samples)
            raise


RecordDataset.__signature__ = params.signature(  # type: ignore[attr-defined]
    params.RAW, optional=("batch_size",), own=RecordDataset.__init__
)
