"""The NumPy face: an iterable of batches, one epoch for each `iter`."""

import weakref
from collections.abc import Callable, Iterator
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from mxio import _state, params
from mxio._identities import Identities
from mxio._options import NumpyOptions
from mxio._ranks import fill_rank
from mxio._views import settle
from mxio.errors import ParameterError
from mxio.loader import Batch, ImageLoader, Told

__all__ = ["ImageRecordLoader"]


class ImageRecordLoader(Told, _state.Resumable):
    """Batches of images from RecordIO files as NumPy arrays.

    >>> loader = ImageRecordLoader(
    ...     path_imgrec="train.rec", data_shape=(3, 224, 224), batch_size=128
    ... )  # doctest: +SKIP
    >>> for data, label in loader:  # one epoch  # doctest: +SKIP
    ...     step(data, label)

    Each `iter` is the next epoch, the first is epoch 0 (`set_epoch` chooses); `len` is
    the exact number of batches of a whole epoch for this rank. last_batch says what
    becomes of an incomplete one: "drop", "pad" (completed with repeats, which
    `Batch.pad` counts and `Batch.mask` marks) or "partial". With world_size > 1 the
    ranks deal out whole batches of one order. `state_dict` says where the loader is, at
    any batch; a loader of the same files and options goes on there, whatever its
    batch_size, world_size and threads. `with` closes.

    memory: a function of a number of bytes that returns a writable buffer of so many,
    which begins at a multiple of 16. The threads write batches straight into it, be it
    page-locked (`lambda size: torch.empty(size, dtype=torch.uint8,
    pin_memory=True).numpy()`) or shared. It is asked for prefetch_buffer + 1 batches
    when the first is taken, later for as many as are held; a batch that is held is
    never written to, and memory is let go with the loader and its batches.

    Errors as for mxio.io.ImageRecordIter; MxioError when `iter` is called while an
    epoch is under way; TypeError for a memory that cannot be called.
    """

    def __init__(
        self,
        *,
        memory: Callable[[int], Any] | None = None,
        **options: Unpack[NumpyOptions],
    ) -> None:
        bound = params.bind(
            type(self).__name__, params.NUMPY, options, beside=("memory",)
        )
        params.function("memory", memory)
        fill_rank(bound)
        settle(bound)
        self._loader = ImageLoader(bound, running=False, memory=memory)
        self._partial = bound.get("last_batch", _PARTIAL) == _PARTIAL
        _state.Resumable.__init__(self)

    def __len__(self) -> int:
        return self._loader.batches()

    def __iter__(self) -> "_Epoch":
        self._refuse_while_under_way()
        epoch = _Epoch(self._loader, self._cursor, self._partial)
        self._live = weakref.ref(epoch)
        return epoch

    @property
    def _source(self) -> ImageLoader:
        return self._loader

    @property
    def identities(self) -> Identities:
        """Which records are whose, see `Identities`: from InsightFace's layout, or else
        from the labels, whose scan reads every header once.
        """
        return self._loader.identities

    def close(self) -> None:
        """Stop the threads. Batches handed out stay valid."""
        self._loader.close()

    def __enter__(self) -> "ImageRecordLoader":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


_PARTIAL = params.TABLE["last_batch"].choices.index("partial")


class _Epoch(Iterator[Batch]):
    """The batches of one epoch."""

    def __init__(
        self, loader: ImageLoader, cursor: _state.Cursor, partial: bool
    ) -> None:
        self._loader = loader
        self._partial = partial
        self._cursor = cursor
        loader.start(cursor.epoch, cursor.samples)
        self._number, _ = cursor.begin()
        self.going = True

    def next_into(self, data: NDArray[Any], label: NDArray[Any] | None = None) -> Batch:
        """The next batch, its data copied into `data`, and its labels into `label`, of
        the shapes and types of a batch; StopIteration at the end. Batches that need no
        copy lie in memory that the loader was made with (`memory`).

        The Batch returned is over the caller's arrays, their first rows when it is
        short. TypeError for what is no numpy.ndarray, ParameterError for another shape
        or dtype and for a read-only one; the batch is still to come then.
        """
        _must_fit("data", data, self._loader.data_shape, self._loader.dtype)
        if label is not None:
            _must_fit(
                "label", label, self._loader.label_shape, self._loader.label_dtype
            )
        batch = next(self)
        rows = slice(0, len(batch.data))
        np.copyto(data[rows], batch.data)
        if label is not None:
            np.copyto(label[rows], batch.label)
            label = label[rows]
        else:
            label = batch.label
        return Batch(data[rows], label, batch.index, batch.pad)

    def __next__(self) -> Batch:
        batch = self._loader.next() if self.going else None
        if batch is None:
            if self.going and self._cursor.begun == self._number:
                self._cursor.begun = None
            self.going = False
            raise StopIteration
        if self._partial and batch.pad:
            rows = slice(0, len(batch.data) - batch.pad)
            return Batch(batch.data[rows], batch.label[rows], batch.index[rows], 0)
        return batch


def _must_fit(
    name: str, array: NDArray[Any], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> None:
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} must be a numpy.ndarray, got {type(array).__name__}")
    if array.shape != shape or array.dtype != dtype:
        raise ParameterError(
            f"{name} must be {dtype}{shape}, got {array.dtype}{array.shape}"
        )
    if not array.flags.writeable:
        raise ParameterError(f"{name} must be writable")


ImageRecordLoader.__signature__ = params.signature(  # type: ignore[attr-defined]
    params.NUMPY, own=ImageRecordLoader.__init__
)
