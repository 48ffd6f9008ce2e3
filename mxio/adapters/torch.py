"""The PyTorch face: an IterableDataset over the native loader."""

import os
import secrets
import weakref
from collections.abc import Iterator
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from mxio import params
from mxio._cores import cores
from mxio._epochs import LAST_EPOCH, Epochs
from mxio._options import TorchOptions
from mxio._ranks import fill_rank
from mxio._views import settle
from mxio.errors import MxioError, ParameterError
from mxio.loader import BadRecord, Batch, ImageLoader

__all__ = ["ImageRecordDataset"]

Pair = tuple[Tensor, Tensor]

# Without batch_size, records are read and dealt in units of this many.
_SAMPLES_AT_ONCE = 32
_PARTITION = params.TABLE["shard"].choices.index("partition")
_SKIP = params.TABLE["on_error"].choices.index("skip")
_PARTIAL = params.TABLE["last_batch"].choices.index("partial")
# Slots of the shared table: DataLoader workers, and slot 0 for the process itself.
_MOST_WORKERS = 1024


class ImageRecordDataset(IterableDataset[Pair]):
    """Images from RecordIO files, decoded and augmented by native threads.

    >>> dataset = ImageRecordDataset(
    ...     path_imgrec="train.rec", data_shape=(3, 224, 224), batch_size=128
    ... )  # doctest: +SKIP
    >>> loader = DataLoader(dataset, batch_size=None, num_workers=0)  # doctest: +SKIP

    With batch_size it yields whole batches, for `DataLoader(dataset, batch_size=None)`:
    data (batch_size, channels, height, width) and labels (batch_size,), or (batch_size,
    label_width). Their order does not depend on num_workers. Without batch_size it
    yields single samples, (channels, height, width) and a label; then only the set of
    samples is promised, not their order.

    shard="records" deals whole batches of one global order to ranks and workers;
    "partition" lets each worker of each rank read one RecordIO partition from end to
    end, as MXNet's num_parts and part_index do; `len` of the latter needs num_workers.
    Rank and world size are rank= and world_size=, else RANK and WORLD_SIZE. Each `iter`
    is the next epoch; `set_epoch` chooses one.

    Errors as for mxio.io.ImageRecordIter. on_error="skip" needs a single reader.
    """

    def __init__(self, **options: Unpack[TorchOptions]) -> None:
        super().__init__()
        bound = params.bind(
            type(self).__name__, params.TORCH, options, optional=("batch_size",)
        )
        fill_rank(bound)
        settle(bound)
        self._rank: int = bound["rank"]
        self._world: int = bound["world_size"]
        self._partition = bound.pop("shard", 0) == _PARTITION
        self._declared_workers: int | None = bound.pop("num_workers", None)
        self._samples = "batch_size" not in bound
        self._partial = bound.get("last_batch", _PARTIAL) == _PARTIAL
        if self._samples:
            if not self._partial:
                raise ParameterError(
                    "last_batch needs batch_size: single samples have no last batch"
                )
            bound["batch_size"] = _SAMPLES_AT_ONCE
        self._options = bound
        self._epochs = Epochs(torch.zeros(_MOST_WORKERS + 1, dtype=torch.int64))
        self._readers: dict[tuple[int, int], ImageLoader] = {}
        self._owner = os.getpid()
        self._live: weakref.ref[_Batches] | None = None
        # Files and parameters are checked here, before any worker starts.
        self._reader(0, self._declared_workers or 1)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state["_readers"] = {}
        state["_live"] = None
        return state

    def __iter__(self) -> Iterator[Pair]:
        info = get_worker_info()
        self._leave_epoch(in_worker=info is not None)
        worker, workers = (0, 1) if info is None else (info.id, info.num_workers)
        self._check_workers(workers)
        if info is None:
            epoch = self._epochs.next(0, secrets.randbits(64))
        else:
            epoch = self._epochs.next(1 + worker, info.seed - worker)
        reader = self._reader(worker, workers)
        if self._partition:
            reader.start(epoch)
        else:
            reader.start(epoch, 0, worker, workers)
        epoch_iterator = (_Samples if self._samples else _Batches)(
            reader, self._partial
        )
        self._live = weakref.ref(epoch_iterator)
        return epoch_iterator

    def __len__(self) -> int:
        if not self._partition:
            reader = self._reader(0, 1)
            if not self._samples:
                return reader.batches()
            return _dealt(reader.count(), self._world, self._rank)
        if self._declared_workers is None:
            raise TypeError(
                "len() of shard='partition' depends on the number of workers:"
                " give num_workers="
            )
        workers = max(1, self._declared_workers)
        readers = [self._reader(worker, workers) for worker in range(workers)]
        return sum(r.count() if self._samples else r.batches() for r in readers)

    def set_epoch(self, epoch: int) -> None:
        """The number of the next epoch, from 0; running workers see it, too."""
        if not 0 <= epoch <= LAST_EPOCH:
            raise ParameterError(f"epoch must be in [0, {LAST_EPOCH}], got {epoch}")
        self._epochs.set(epoch)

    def errors(self) -> list[BadRecord]:
        """The records that were left out or replaced in this process."""
        if self._owner != os.getpid():
            return []
        return [bad for reader in self._readers.values() for bad in reader.errors()]

    def close(self) -> None:
        """Stop the threads of this process. Batches handed out stay valid."""
        if self._owner == os.getpid():
            for reader in self._readers.values():
                reader.close()

    def _leave_epoch(self, in_worker: bool) -> None:
        live = None if self._live is None else self._live()
        if live is None or not live.going or self._owner != os.getpid():
            return
        if not in_worker:
            raise MxioError(
                "an epoch of this dataset is under way: finish or close its iterator"
            )
        live.close()  # a persistent worker holds the epoch that its DataLoader left

    def _check_workers(self, workers: int) -> None:
        if self._options.get("on_error", 0) == _SKIP and workers > 1:
            raise ParameterError(
                "on_error='skip' would give the DataLoader workers unequal shares:"
                f" use 'replace' with num_workers={workers}"
            )
        declared = self._declared_workers
        if self._partition and declared is not None and workers != max(1, declared):
            raise ParameterError(
                f"the dataset was told num_workers={declared},"
                f" the DataLoader has {workers}"
            )
        if workers > _MOST_WORKERS:
            raise ParameterError(f"at most {_MOST_WORKERS} workers, got {workers}")

    def _reader(self, worker: int, workers: int) -> ImageLoader:
        """The loader of this process for a worker's share; threads start when it is
        used.
        """
        if self._owner != os.getpid():  # forked: the parent's loaders are of no use
            self._readers = {}
            self._owner = os.getpid()
            self._live = None
        key = (worker, workers) if self._partition else (0, 1)
        if key not in self._readers:
            options = dict(self._options)
            if self._partition:
                options["num_parts"] = self._world * workers
                options["part_index"] = self._rank * workers + worker
                options["rank"], options["world_size"] = 0, 1
            if not options.get("preprocess_threads") and get_worker_info() is not None:
                sharing = workers * int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
                options["preprocess_threads"] = max(1, cores() // sharing)
            self._readers[key] = ImageLoader(options, running=False)
        return self._readers[key]


ImageRecordDataset.__signature__ = params.signature(  # type: ignore[attr-defined]
    params.TORCH, optional=("batch_size",)
)


def _dealt(count: int, world: int, rank: int) -> int:
    """Samples of this rank when units of _SAMPLES_AT_ONCE are dealt out."""
    whole, rest = divmod(count, world * _SAMPLES_AT_ONCE)
    own = min(max(rest - rank * _SAMPLES_AT_ONCE, 0), _SAMPLES_AT_ONCE)
    return whole * _SAMPLES_AT_ONCE + own


class _Batches(Iterator[Pair]):
    """The batches of one epoch, as tensors over the loader's memory."""

    def __init__(self, reader: ImageLoader, partial: bool) -> None:
        self._reader = reader
        self._partial = partial
        self.going = True

    def _rows(self) -> tuple[Batch, int]:
        batch = self._reader.next() if self.going else None
        if batch is None:
            self.going = False
            raise StopIteration
        return batch, len(batch.data) - (batch.pad if self._partial else 0)

    def __next__(self) -> Pair:
        batch, rows = self._rows()
        return torch.from_numpy(batch.data[:rows]), torch.from_numpy(batch.label[:rows])

    def close(self) -> None:
        """Give up the rest of the epoch."""
        self.going = False


class _Samples(_Batches):
    """The same, one sample at a time."""

    def __init__(self, reader: ImageLoader, partial: bool) -> None:
        super().__init__(reader, partial)
        self._left: Iterator[Pair] = iter(())

    def __next__(self) -> Pair:
        sample = next(self._left, None)
        if sample is None:
            data, label = super().__next__()
            self._left = zip(data, label, strict=True)
            sample = next(self._left)
        return sample
