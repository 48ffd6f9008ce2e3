"""The loader behind all faces: batches as NumPy arrays over the core's memory."""

import functools
import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mxio import _core, _mean, _state
from mxio._cores import cores
from mxio._files import read_index, read_whole, resolve
from mxio._identities import Identities, identities_of
from mxio._patience import timeout_of, within
from mxio._stats import Stats
from mxio._views import View
from mxio.params import TABLE

__all__ = ["BadRecord", "Batch", "ImageLoader", "Told"]

T = TypeVar("T")


class Batch:
    """One batch. It unpacks as `data, label = batch`.

    data: (rows, channels, height, width), or (rows, height, width, channels) in NHWC.
    label: (rows,), or (rows, label_width) when that is above 1; of ImageDetRecordIter
    (rows, width of a row).
    index: ids of the records, (rows,) uint64.
    pad: rows at the end that belong to no record, or to one seen already.

    The arrays are writable, share one block of memory, and live as long as one of them
    does. DLPack (`jax.dlpack.from_dlpack(batch)`) takes the data without a copy, and
    likewise `batch.label`.
    """

    __slots__ = ("data", "index", "label", "pad")

    def __init__(
        self,
        data: NDArray[Any],
        label: NDArray[Any],
        index: NDArray[np.uint64],
        pad: int,
    ) -> None:
        self.data = data
        self.label = label
        self.index = index
        self.pad = pad

    def __iter__(self) -> Iterator[NDArray[Any]]:
        yield self.data
        yield self.label

    def __len__(self) -> int:
        return 2

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(rows,): True for a new record, False for the `pad` rows at the end."""
        rows = len(self.data)
        return np.arange(rows) < rows - self.pad

    def __dlpack__(self, **options: Any) -> Any:
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.data.__dlpack_device__()

    def __repr__(self) -> str:
        return (
            f"Batch(data={self.data.dtype}{self.data.shape},"
            f" label={self.label.dtype}{self.label.shape}, pad={self.pad})"
        )


class BadRecord(NamedTuple):
    """A record that was left out or replaced, and why."""

    path: str
    record: int
    id: int | None
    offset: int
    message: str


def _decode_unknown(data: bytes, channels: int) -> NDArray[np.uint8]:
    # OpenCV is imported only when a record needs it.
    from mxio.image import decode_with_opencv

    return decode_with_opencv(data, channels)


def _data_type(name: str, bfloat16: np.dtype[Any] | None) -> np.dtype[Any]:
    if name != "bfloat16":
        return np.dtype(name)
    if bfloat16 is not None:
        return bfloat16
    try:
        known: np.dtype[Any] = np.dtype(importlib.import_module("ml_dtypes").bfloat16)
        return known
    except ImportError:
        raise TypeError(
            "NumPy knows no dtype='bfloat16' unless ml_dtypes is installed: install"
            " it, take the torch face, or ask for dtype='float16'"
        ) from None


class Told:
    """What a face tells of the loader (`_loader`) behind it."""

    _loader: "ImageLoader"

    def errors(self) -> list[BadRecord]:
        """The records that on_error='skip' left out or 'replace' replaced so far."""
        return self._loader.errors()

    def stats(self) -> Stats:
        """What the loader has done so far, and where the time went."""
        return self._loader.stats()

    def explain(self) -> str:
        """The same in words: what holds the loading up."""
        return self.stats().explain()


class ImageLoader:
    """Batches of decoded, augmented samples of one part of a data set, epoch by epoch.

    Internal to the faces, which bind the options (`params.bind`), settle `records`
    (`_views.settle`) and decide what an epoch is. `running` is the order of mx.io:
    round_batch decides how an epoch ends. `offsets` of another loader of the same files
    need not be found again, nor kept twice. `bfloat16` is the type of arrays that hold
    such values; None is that of ml_dtypes. `memory` gives a buffer of so many bytes for
    each batch that exists at a time; None is memory of the core.
    """

    def __init__(
        self,
        options: dict[str, Any],
        *,
        running: bool,
        offsets: NDArray[np.uint64] | None = None,
        bfloat16: np.dtype[Any] | None = None,
        memory: Callable[[int], Any] | None = None,
    ) -> None:
        given = dict(options)
        self.dtype = _data_type(_name(given, "dtype"), bfloat16)
        view: View | None = given.pop("records", None)  # not for the core's table
        self._timeout = timeout_of(given)
        files = self._within("not opened", lambda: resolve(given["path_imgrec"]))
        if not given.get("preprocess_threads"):
            given["preprocess_threads"] = min(cores(), TABLE["preprocess_threads"].high)
        index = given.get("path_imgidx")
        labels = given.get("path_imglist")

        def core(mean: NDArray[np.float32] | None) -> _core.Loader:
            return _core.Loader(
                given,
                files,
                running,
                _decode_unknown,
                read_index(index) if index and offsets is None else None,
                read_whole(labels) if labels else None,
                None if mean is None else mean.data,
                None if view is None else view.chosen,
                None if offsets is None else offsets.data,
            )

        if _mean.is_absent(given):
            # Before a file is made, everything else has to be right.
            self._within("not opened", lambda: core(None))
        mean = _mean.mean_image(given | {"records": view}, ImageLoader)
        self._core = self._within("not opened", lambda: core(mean))
        self._memory = memory
        self.options = given
        self._files = files
        self._began: float | None = None  # when the first batch was asked for
        self._view = view
        self._records: int | None = None  # of this part, once they were counted
        self._counted = bool(index) or not running or bool(given.get("shuffle"))
        channels, height, width = given["data_shape"]
        self.layout = _name(given, "layout")
        shape = (channels, height, width)
        if self.layout == "NHWC":
            shape = (height, width, channels)
        self.batch_size: int = given["batch_size"]
        self.data_shape: tuple[int, ...] = (self.batch_size, *shape)
        self.label_dtype = np.dtype(_name(given, "label_dtype"))
        label_width = self._core.label_width()
        wide = (label_width,) if label_width > 1 else ()
        self.label_shape: tuple[int, ...] = (self.batch_size, *wide)
        if given.get("cache_index") and not index:
            _write_index(files, self.offsets)
        if given.get("verbose") and not given.get("silent"):
            print(
                f"mxio: {'; '.join(files)}: {given['preprocess_threads']} threads",
                file=sys.stderr,
            )

    def _within(self, lacking: str, work: Callable[[], T]) -> T:
        return within(self._timeout, lacking, work)

    def start(self, epoch: int, base: int = 0, batch: int = 0, step: int = 1) -> None:
        """Begin an epoch, `base` positions in; batches batch, batch + step, ... are
        made.
        """
        self._core.start(epoch, base, batch, step)

    def fetch(self, places: NDArray[np.uint64], epochs: NDArray[np.uint64]) -> None:
        """Let `next` give the records at these places of the plain order, augmented for
        these epochs, in batches; for a loader of one rank that does not shuffle.
        """
        self._core.fetch(places.data, epochs.data)

    def next(self) -> Batch | None:
        """The next batch, of full size; its last `pad` rows are no new records. None at
        the end.
        """
        if self._began is None:
            self._began = time.monotonic()
        while self._memory is not None and (size := self._core.lacks()):
            self._core.lend(self._memory(size))
        given = self._core.next()
        if given is None:
            return None
        block, _, pad, label_offset, id_offset = given
        memory = memoryview(block)
        data: NDArray[Any] = np.ndarray(self.data_shape, self.dtype, memory)
        label: NDArray[Any] = np.ndarray(
            self.label_shape, self.label_dtype, memory, label_offset
        )
        index: NDArray[np.uint64] = np.ndarray(
            self.batch_size, np.uint64, memory, id_offset
        )
        return Batch(data, label, index, pad)

    def carry(self) -> int:
        """Positions of the next epoch that the batches so far have taken."""
        return self._core.progress()[1]

    def samples(self) -> int:
        """Positions of this epoch that are done once all ranks have their share of the
        batches so far.
        """
        return self._core.progress()[0]

    @functools.cached_property
    def identity(self) -> dict[str, Any]:
        """What a state says of files and options, see `_state`."""
        records = self.count() if self._counted else None
        made = self._within(
            "no state",
            lambda: _state.describe(self.options, self._files, records),
        )
        if self._view is not None:
            made["options"]["records"] = self._view.digest()
        return made

    def offsets(self) -> NDArray[np.uint64]:
        """A copy of the offsets of all record heads; to be asked for before `next`."""
        block = self._within("no offsets", self._core.offsets)
        return np.frombuffer(memoryview(block), np.uint64)

    @functools.cached_property
    def identities(self) -> Identities:
        """The identities of the data set, whatever part of it this is."""
        return self._within(
            "no identities", lambda: identities_of(self.options, self._view)
        )

    def count(self) -> int:
        """Records of this part."""
        if self._records is None:
            self._records = self._within("not counted", self._core.count)
        return self._records

    def batches(self, base: int = 0, batch: int = 0, step: int = 1) -> int:
        """Batches of an epoch, `base` positions in: batch, batch + step, ..."""
        self.count()  # the core looks for what is not known yet
        return self._core.batches(base, batch, step)

    def errors(self) -> list[BadRecord]:
        """The records that were left out or replaced, by ordinal."""
        return [BadRecord(*entry) for entry in self._core.errors()]

    def stats(self) -> Stats:
        """What was done since the first `next`, see Stats."""
        seconds = 0.0 if self._began is None else time.monotonic() - self._began
        threads = self.options["preprocess_threads"]
        return Stats.of(self._core.work(), seconds, threads)

    def close(self) -> None:
        """Stop the threads; idempotent. Batches handed out stay valid."""
        self._core.close()


def _name(options: dict[str, Any], name: str) -> str:
    row = TABLE[name]
    return row.choices[options[name]] if name in options else str(row.default)


def _write_index(files: list[str], find: Callable[[], NDArray[np.uint64]]) -> None:
    """Keep the offsets that were found beside the one data file, keys 0, 1, 2, ...

    An index that is there already stays: its keys may be worth more.
    """
    from mxio._atomic import atomic_text

    path = f"{files[0].removesuffix('.rec')}.idx"
    if len(files) != 1 or os.path.exists(path):
        return
    offsets = find().tolist()
    with atomic_text(path) as out:
        out.writelines(f"{key}\t{offset}\n" for key, offset in enumerate(offsets))
