"""The NumPy face: an iterable of batches, one epoch for each `iter`."""

import weakref
from collections.abc import Iterator
from typing import Unpack

from mxio import params
from mxio._options import NumpyOptions
from mxio._ranks import fill_rank
from mxio.errors import MxioError, ParameterError
from mxio.loader import BadRecord, Batch, ImageLoader

__all__ = ["ImageRecordLoader"]


class ImageRecordLoader:
    """Batches of images from RecordIO files as NumPy arrays.

    >>> loader = ImageRecordLoader(
    ...     path_imgrec="train.rec", data_shape=(3, 224, 224), batch_size=128
    ... )  # doctest: +SKIP
    >>> for data, label in loader:  # one epoch  # doctest: +SKIP
    ...     step(data, label)

    Each `iter` is the next epoch, the first is epoch 0 (`set_epoch` chooses); `len` is
    its exact number of batches for this rank. last_batch says what becomes of an
    incomplete one: "drop", "pad" (completed with repeats, which `Batch.pad` counts) or
    "partial". With world_size > 1 the ranks deal out whole batches of one order. `with`
    closes.

    Errors as for mxio.io.ImageRecordIter; MxioError when `iter` is called while an
    epoch is under way.
    """

    def __init__(self, **options: Unpack[NumpyOptions]) -> None:
        bound = params.bind(type(self).__name__, params.NUMPY, options)
        fill_rank(bound)
        self._loader = ImageLoader(bound, running=False)
        self._partial = bound.get("last_batch", _PARTIAL) == _PARTIAL
        self._epoch = 0
        self._live: weakref.ref[_Epoch] | None = None

    def __len__(self) -> int:
        return self._loader.batches()

    def __iter__(self) -> Iterator[Batch]:
        live = None if self._live is None else self._live()
        if live is not None and live.going:
            raise MxioError(
                "an epoch of this loader is under way: finish or drop its iterator"
            )
        epoch = _Epoch(self._loader, self._epoch, self._partial)
        self._epoch += 1
        self._live = weakref.ref(epoch)
        return epoch

    def set_epoch(self, epoch: int) -> None:
        """The number of the next epoch, from 0; each `iter` adds one."""
        if epoch < 0:
            raise ParameterError(f"epoch must be at least 0, got {epoch}")
        self._epoch = epoch

    def errors(self) -> list[BadRecord]:
        """The records that on_error='skip' left out or 'replace' replaced so far."""
        return self._loader.errors()

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

    def __init__(self, loader: ImageLoader, epoch: int, partial: bool) -> None:
        self._loader = loader
        self._partial = partial
        loader.start(epoch)
        self.going = True

    def __next__(self) -> Batch:
        batch = self._loader.next() if self.going else None
        if batch is None:
            self.going = False
            raise StopIteration
        if self._partial and batch.pad:
            rows = slice(0, len(batch.data) - batch.pad)
            return Batch(batch.data[rows], batch.label[rows], batch.index[rows], 0)
        return batch


ImageRecordLoader.__signature__ = params.signature(params.NUMPY)  # type: ignore[attr-defined]
