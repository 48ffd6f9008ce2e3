"""The native loaders behind a data set: made in the process that uses them, when it
does.
"""

import inspect
import multiprocessing
import multiprocessing.context
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import get_worker_info

from mxio import params
from mxio._cores import cores
from mxio._identities import Identities
from mxio._ranks import Mesh, fill_rank
from mxio._stats import Stats
from mxio._views import settle
from mxio.adapters.torch._batches import BFLOAT16
from mxio.errors import ParameterError
from mxio.loader import BadRecord, ImageLoader

__all__ = ["PARTIAL", "Readers", "bind"]

PARTIAL = params.TABLE["last_batch"].choices.index("partial")
_PARTITION = params.TABLE["shard"].choices.index("partition")
_MOST_SLOTS = params.TABLE["prefetch_buffer"].high
_SLOTS_A_THREAD = 2
_SKIP = params.TABLE["on_error"].choices.index("skip")


def bind(
    caller: type,
    options: dict[str, Any],
    optional: tuple[str, ...] = (),
    *,
    face: int = params.TORCH,
    mesh: Mesh | None,
    dp_dims: Sequence[str] | None,
    process_group: Any,
) -> tuple[dict[str, Any], str]:
    """Canonical values of the options, rank and world_size among them, and in words
    where those come from. torch's own types stand for their names.
    """
    named = {
        name: str(value).removeprefix("torch.")
        if isinstance(value, torch.dtype)
        else value
        for name, value in options.items()
    }
    known = inspect.signature(caller).parameters
    bound = params.bind(caller.__name__, face, named, optional, known)
    source = fill_rank(
        bound,
        mesh=mesh,
        dp_dims=dp_dims,
        process_group=process_group,
        in_worker=get_worker_info() is not None,
    )
    settle(bound)
    return bound, source


class Readers:
    """One loader for each share of an epoch that this process reads.

    shard="records": one, and a worker's share is every so many batches of it.
    "partition": one for each worker. It pickles, and starts empty in a forked child:
    threads and files of the parent are of no use there. What it does use are the
    offsets of the records: they stay in memory once, whatever the number of workers.
    `ahead`: batches are single records, and every thread has work.
    """

    def __init__(self, options: dict[str, Any], *, ahead: bool = False) -> None:
        self.partition = options.pop("shard", 0) == _PARTITION
        self.rank: int = options["rank"]
        self.world: int = options["world_size"]
        self.skips = options.get("on_error", 0) == _SKIP
        self._ahead = ahead
        self._options = options
        self._offsets = _Offsets()
        self._made: dict[tuple[int, int], ImageLoader] = {}
        self._owner = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_made": {}}

    def get(self, worker: int = 0, workers: int = 1) -> ImageLoader:
        """The loader for a worker's share; its threads start when it is used."""
        if self.skips and workers > 1:
            raise ParameterError(
                "on_error='skip' would give the DataLoader workers unequal shares:"
                f" use 'replace' with num_workers={workers}"
            )
        if not self.here():
            self._made, self._owner = {}, os.getpid()
        key = (worker, workers) if self.partition else (0, 1)
        if key not in self._made:
            self._made[key] = self._make(self._share(worker, workers))
        return self._made[key]

    def _make(self, share: dict[str, Any]) -> ImageLoader:
        known = self._offsets.get()
        made = ImageLoader(share, running=False, offsets=known, bfloat16=BFLOAT16)
        # A part without an index has looked for its own records only.
        if known is not None or (self.partition and not share.get("path_imgidx")):
            return made
        self._offsets.set(made.offsets())
        if share.get("path_imglist"):  # reading it again takes longer than it saves
            return made
        # Once more, without a copy of its own.
        share["verbose"] = 0
        return ImageLoader(
            share, running=False, offsets=self._offsets.get(), bfloat16=BFLOAT16
        )

    def here(self) -> bool:
        """False in a forked child that has not read yet."""
        return self._owner == os.getpid()

    def errors(self) -> list[BadRecord]:
        """The records that were left out or replaced in this process."""
        if not self.here():
            return []
        return [bad for reader in self._made.values() for bad in reader.errors()]

    def stats(self) -> Stats:
        """What the loaders of this process have done."""
        made = list(self._made.values()) if self.here() else []
        return Stats.total([reader.stats() for reader in made])

    def close(self) -> None:
        """Stop the threads of this process."""
        if self.here():
            for reader in self._made.values():
                reader.close()

    def _share(self, worker: int, workers: int) -> dict[str, Any]:
        options = dict(self._options)
        if self.partition:
            options["num_parts"] = self.world * workers
            options["part_index"] = self.rank * workers + worker
            options["rank"], options["world_size"] = 0, 1
        if not options.get("preprocess_threads"):
            sharing = workers * _ranks_here()
            options["preprocess_threads"] = max(1, cores() // sharing)
        if self._ahead:
            slots = _SLOTS_A_THREAD * options["preprocess_threads"]
            options["prefetch_buffer"] = min(slots, _MOST_SLOTS)
        return options


def _ranks_here() -> int:
    """Processes of this run on this machine, as torchrun says."""
    told = os.environ.get("LOCAL_WORLD_SIZE") or "1"
    if not told.isdecimal() or int(told) < 1:
        raise ParameterError(f"LOCAL_WORLD_SIZE must be >= 1, got {told!r}")
    return int(told)


class Told:
    """What a data set tells of the loaders (`_readers`) of this process."""

    _readers: Readers

    def errors(self) -> list[BadRecord]:
        """The records that were left out or replaced in this process."""
        return self._readers.errors()

    def stats(self) -> Stats:
        """What the native threads of this process have done, and how long it took."""
        return self._readers.stats()

    def explain(self) -> str:
        """The same in words: what holds the loading up."""
        return self.stats().explain()

    @property
    def identities(self) -> Identities:
        """Which records are whose, see `mxio.adapters.insightface.Identities`."""
        return self._readers.get().identities

    def close(self) -> None:
        """Stop the threads of this process. What was handed out stays valid."""
        self._readers.close()


class _Offsets:
    """Where the records are: an array that forked processes share as it is, and spawned
    ones through shared memory. Other pickles, which may outlive the files, leave it
    out.
    """

    def __init__(self) -> None:
        self._known: torch.Tensor | None = None

    def __getstate__(self) -> dict[str, Any]:
        spawning = multiprocessing.context.get_spawning_popen() is not None
        return {"_known": self._known if spawning else None}

    def get(self) -> NDArray[np.uint64] | None:
        """None as long as nobody has looked."""
        return None if self._known is None else self._known.numpy()

    def set(self, offsets: NDArray[np.uint64]) -> None:
        """To be called once."""
        self._known = torch.from_numpy(offsets)
