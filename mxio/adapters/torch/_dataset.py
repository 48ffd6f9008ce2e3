"""The IterableDataset: batches or samples, for DataLoader and its workers."""

import secrets
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Unpack

import torch
from torch.utils.data import IterableDataset, get_worker_info

from mxio import _state, params
from mxio._epochs import WORDS, Epochs, check_epoch
from mxio._options import TorchOptions
from mxio._ranks import Mesh, announce
from mxio._stats import Stats
from mxio.adapters.torch._batches import Tensors, Transform
from mxio.adapters.torch._readers import PARTIAL, Readers, bind
from mxio.adapters.torch._resume import Place, check_place, place_of
from mxio.errors import DataError, MxioError, ParameterError
from mxio.loader import BadRecord, ImageLoader

__all__ = ["ImageRecordDataset"]

# Without batch_size, records are read and dealt in units of this many.
_SAMPLES_AT_ONCE = 32


class ImageRecordDataset(IterableDataset[Any]):
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

    `transform(data, label)` is called with what would be yielded, a batch or a sample,
    in the process that reads it; what it returns is yielded instead. `with_mask`
    yields (data, label, mask): mask (batch_size,) is False for the rows that
    last_batch="pad" repeats; transform then gets all three.

    shard="records" deals whole batches of one global order to ranks and workers;
    "partition" lets each worker of each rank read one RecordIO partition from end to
    end, as MXNet's num_parts and part_index do; `len` of the latter needs num_workers.
    Which rank this is comes from the first of rank= and world_size=, mesh= (a
    DeviceMesh: its data-parallel dimensions, `dp_dims` when they have other names),
    process_group=, torch.distributed, RANK and WORLD_SIZE; it is decided here, not in
    a worker, and logged.

    Each `iter` is the next epoch, and ends the one before; `set_epoch` chooses one.
    What `iter` returns has `state_dict` and `load_state_dict`, so that torchdata's
    StatefulDataLoader resumes at any batch; `global_state` of its state, given to
    `load_state_dict` of a data set, resumes with another number of workers or ranks.

    Errors as for mxio.io.ImageRecordIter. on_error="skip" needs a single reader.
    """

    def __init__(
        self,
        *,
        transform: Transform | None = None,
        with_mask: bool = False,
        mesh: Mesh | None = None,
        dp_dims: Sequence[str] | None = None,
        process_group: Any = None,
        **options: Unpack[TorchOptions],
    ) -> None:
        super().__init__()
        bound, source = bind(
            type(self).__name__,
            dict(options),
            ("batch_size",),
            mesh=mesh,
            dp_dims=dp_dims,
            process_group=process_group,
        )
        self._declared_workers: int | None = bound.pop("num_workers", None)
        self._samples = "batch_size" not in bound
        partial = bound.get("last_batch", PARTIAL) == PARTIAL
        if self._samples and (not partial or with_mask):
            raise ParameterError(
                f"{'with_mask' if partial else 'last_batch'} needs batch_size:"
                " single samples have no last batch"
            )
        bound.setdefault("batch_size", _SAMPLES_AT_ONCE)
        self._tensors = Tensors(
            partial=partial, with_mask=with_mask, channels_last=False
        )
        self._transform = transform
        self._epochs = Epochs(torch.zeros(WORDS, dtype=torch.int64))
        self._readers = Readers(bound)
        self._live: weakref.ref[_Epoch] | None = None
        # Files and parameters are checked here, before any worker starts.
        reader = self._readers.get(0, self._declared_workers or 1)
        what = f"{bound['batch_size']} records a batch"
        if not self._readers.partition:
            what = f"{reader.count()} records, {reader.batches()} batches an epoch"
        announce(bound, source, what)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_live": None}

    def __iter__(self) -> Iterator[Any]:
        info = get_worker_info()
        if info is None:
            worker, workers, slot, seed = 0, 1, 0, secrets.randbits(64)
        else:
            worker, workers = info.id, info.num_workers
            slot, seed = 1 + worker, info.seed - worker
        self._check_workers(workers)
        reader = self._readers.get(worker, workers)
        live = None if self._live is None else self._live()
        if live is not None:
            live.outdate("another iteration of the data set has begun")
        epoch, base = self._epochs.next(slot, seed)
        share = (0, 1) if self._readers.partition else (worker, workers)
        kind = _Samples if self._samples else _Epoch
        begun = kind(self, reader, slot, epoch, Place.begin(base, *share))
        self._live = weakref.ref(begun)
        return begun

    def __len__(self) -> int:
        if not self._readers.partition:
            reader = self._readers.get()
            if not self._samples:
                return reader.batches()
            return _dealt(reader.count(), self._readers.world, self._readers.rank)
        if self._declared_workers is None:
            raise TypeError(
                "len() of shard='partition' depends on the number of workers:"
                " give num_workers="
            )
        workers = max(1, self._declared_workers)
        readers = [self._readers.get(worker, workers) for worker in range(workers)]
        return sum(r.count() if self._samples else r.batches() for r in readers)

    def set_epoch(self, epoch: int) -> None:
        """The number of the next epoch, from 0; running workers see it, too. A position
        that `load_state_dict` set in that epoch is kept.
        """
        check_epoch(epoch)
        self._epochs.set(epoch)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on where a state was taken, that of a `Loader` or
        what `global_state` gave; no record before that is read.

        To be called before the DataLoader's iterator is made: iterations that have
        begun end, and taking from them raises MxioError. ParameterError, naming every
        difference, for a state of other files or options.
        """
        if self._readers.partition:
            raise ParameterError(
                "shard='partition' has no position common to all workers:"
                " resume is for shard='records'"
            )
        epoch, samples = _state.check(self._readers.get(), state)
        check_epoch(epoch)
        self._epochs.load(epoch, samples)

    def errors(self) -> list[BadRecord]:
        """The records that were left out or replaced in this process."""
        return self._readers.errors()

    def stats(self) -> Stats:
        """What the native threads of this process have done, and how long it took."""
        return self._readers.stats()

    def explain(self) -> str:
        """The same in words: what holds the loading up."""
        return self.stats().explain()

    def close(self) -> None:
        """Stop the threads of this process. Batches handed out stay valid."""
        self._readers.close()

    def _check_workers(self, workers: int) -> None:
        declared = self._declared_workers
        if (
            self._readers.partition
            and declared is not None
            and workers != max(1, declared)
        ):
            raise ParameterError(
                f"the dataset was told num_workers={declared},"
                f" the DataLoader has {workers}"
            )
        if workers > Epochs.workers_max:
            raise ParameterError(f"at most {Epochs.workers_max} workers, got {workers}")


ImageRecordDataset.__signature__ = params.signature(  # type: ignore[attr-defined]
    params.TORCH, optional=("batch_size",)
)


def _dealt(count: int, world: int, rank: int) -> int:
    """Samples of this rank when units of _SAMPLES_AT_ONCE are dealt out."""
    whole, rest = divmod(count, world * _SAMPLES_AT_ONCE)
    own = min(max(rest - rank * _SAMPLES_AT_ONCE, 0), _SAMPLES_AT_ONCE)
    return whole * _SAMPLES_AT_ONCE + own


class _Epoch(Iterator[Any]):
    """The batches of one epoch, or of what is left of it, that one worker reads."""

    def __init__(
        self,
        dataset: ImageRecordDataset,
        reader: ImageLoader,
        slot: int,
        epoch: int,
        place: Place,
    ) -> None:
        self._dataset = dataset
        self._reader = reader
        self._slot = slot
        self._epoch = epoch
        self._place = place
        self._loads = dataset._epochs.loads()
        self._started = False
        self._over = False
        self._outdated = ""

    def __next__(self) -> Any:
        self._check()
        return self._made(self._next_tensors())

    def outdate(self, why: str) -> None:
        """Taking more from it raises: the loader serves another iteration now."""
        self._outdated = self._outdated or why

    def close(self) -> None:
        """Give up the rest of the epoch."""
        self._over = True

    def state_dict(self) -> dict[str, Any]:
        """Where this worker is, behind the last item taken."""
        return place_of(self._reader, self._epoch, self._place, exact=True)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the state of the same worker was taken, or, with a single
        worker, any state. MxioError once an item was taken.
        """
        if self._started:
            raise MxioError(
                "a state must be loaded before the first item is taken: it would not"
                " apply to this epoch"
            )
        epoch, place = check_place(self._reader, state, self._place)
        check_epoch(epoch)
        self._dataset._epochs.move(self._slot, epoch)
        self._epoch, self._place = epoch, place

    def _check(self) -> None:
        if self._over:
            raise StopIteration
        if self._loads != self._dataset._epochs.loads():
            self._outdated = "a state was loaded into the data set since it began"
        if self._outdated:
            raise MxioError(f"this iteration is over: {self._outdated}")
        if not self._started:
            self._started = True
            place = self._place
            self._reader.start(self._epoch, place.base, place.next, place.workers)

    def _next_tensors(self) -> tuple[torch.Tensor, ...]:
        try:
            batch = self._reader.next()
        except DataError:
            self._place = self._place.behind(self._reader)  # its batch is used up
            raise
        if batch is None:
            self._over = True
            raise StopIteration
        self._place = self._place.behind(self._reader)
        return self._dataset._tensors(batch)

    def _made(self, item: tuple[torch.Tensor, ...]) -> Any:
        transform = self._dataset._transform
        return item if transform is None else transform(*item)


class _Samples(_Epoch):
    """The same, one sample at a time, from batches of _SAMPLES_AT_ONCE."""

    def __init__(
        self,
        dataset: ImageRecordDataset,
        reader: ImageLoader,
        slot: int,
        epoch: int,
        place: Place,
    ) -> None:
        super().__init__(dataset, reader, slot, epoch, place)
        self._before = place
        self._rows: list[tuple[torch.Tensor, ...]] = []

    def __next__(self) -> Any:
        self._check()
        if self._before.row == len(self._rows):
            self._before, self._rows = self._place, []
            self._rows = list(zip(*self._next_tensors(), strict=True))
        row = self._before.row
        self._before = self._before._replace(row=row + 1)
        return self._made(self._rows[row])

    def state_dict(self) -> dict[str, Any]:
        place = self._before
        if place.row == len(self._rows):
            place = self._place
        readers = self._dataset._readers
        exact = place.workers == readers.world == 1 and not readers.skips
        if exact:
            place = place._replace(samples=place.samples + place.row)
        return place_of(self._reader, self._epoch, place, exact=exact)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self._before = self._place._replace(row=0)
