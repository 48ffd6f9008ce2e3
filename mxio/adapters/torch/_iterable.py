"""Epochs of an IterableDataset: dealt to DataLoader workers, numbered, resumed."""

import secrets
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import torch
from torch.utils.data import IterableDataset, get_worker_info

from mxio import _state
from mxio._epochs import WORDS, Epochs, check_epoch
from mxio.adapters.torch._resume import Place, check_place, place_of, refuse_part
from mxio.errors import MxioError, ParameterError

__all__ = ["Epoch", "EpochDataset"]


class Shares(Protocol):
    """Gives each worker of this process its reader."""

    @property
    def partition(self) -> bool: ...
    def get(self, worker: int = 0, workers: int = 1) -> Any: ...


class EpochDataset(IterableDataset[Any]):
    """What the data sets have in common; `_item` says what becomes of a batch."""

    _readers: Shares

    def __init__(self, readers: Shares, declared_workers: int | None = None) -> None:
        super().__init__()
        self._readers = readers
        self._declared_workers = declared_workers
        self._epochs = Epochs(torch.zeros(WORDS, dtype=torch.int64))
        self._live: weakref.ref[Epoch] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_live": None}

    def __iter__(self) -> Iterator[Any]:
        info = get_worker_info()
        if info is None:
            worker, workers, slot, seed = 0, 1, 0, secrets.randbits(64)
        else:
            worker, workers = info.id, info.num_workers
            slot, seed = 1 + worker, hash((info.seed - worker, workers))
        self._check_workers(workers)
        reader = self._readers.get(worker, workers)
        live = None if self._live is None else self._live()
        if live is not None:
            live.outdate("another iteration of the data set has begun")
        epoch, base = self._epochs.next(slot, seed)
        share = (0, 1) if self._readers.partition else (worker, workers)
        begun = self._begin(reader, slot, epoch, Place.begin(base, *share))
        self._live = weakref.ref(begun)
        return begun

    def _begin(self, reader: Any, slot: int, epoch: int, place: Place) -> "Epoch":
        """The iterator of an epoch."""
        return Epoch(self, reader, slot, epoch, place)

    def _item(self, given: Any) -> Any:
        """What is yielded for what the reader gave."""
        raise NotImplementedError

    def set_epoch(self, epoch: int) -> None:
        """The number of the next epoch, from 0; running workers see it, too. An
        iteration of which a worker has begun stays as it is. A position that
        `load_state_dict` set in that epoch is kept.
        """
        self._epochs.set(check_epoch(epoch))

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
        refuse_part(state)
        epoch, samples = _state.check(self._readers.get(), state)
        self._epochs.load(epoch, samples)

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


class Epoch(Iterator[Any]):
    """The batches of one epoch, or of what is left of it, that one worker reads."""

    def __init__(
        self,
        dataset: EpochDataset,
        reader: Any,
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
        place = self._place
        given = self._next_given()
        try:
            return self._dataset._item(given)
        except Exception:
            raise
        except BaseException:  # Ctrl-C is none of the item's doing: it comes again
            self._place, self._started = place, False
            raise

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

    def _next_given(self) -> Any:
        """What the reader gives next; StopIteration at the end."""
        samples = self._reader.samples()
        try:
            given = self._reader.next()
        except Exception:
            if self._reader.samples() != samples:  # a batch is used up
                self._place = self._place.behind(self._reader)
            raise
        if given is None:
            self._over = True
            raise StopIteration
        self._place = self._place.behind(self._reader)
        return given
