"""Where one reader of an epoch is, and what all readers of a DataLoader have done
together.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mxio import _state
from mxio.errors import ParameterError

__all__ = ["Place", "check_place", "global_state", "place_of", "refuse_part"]

# The key under which a reader adds its own place to the state of all.
_READER = "reader"
_FIELDS = ("base", "worker", "workers", "next", "row")
# Where torchdata's StatefulDataLoader keeps what an iterator's state_dict gave.
_ITERATOR = "dataset_iter_state"
_FETCHER = "fetcher_state"


class Place(NamedTuple):
    """Where a worker is in an iteration that began `base` positions into its epoch.

    Of the rank's batches since then it reads number worker, worker + workers, ...;
    `next` is the one to come, of which `row` samples were taken already. `samples` are
    the positions of the epoch that are done once all ranks and workers are as far.
    """

    base: int
    worker: int
    workers: int
    next: int
    row: int
    samples: int

    @classmethod
    def begin(cls, base: int, worker: int = 0, workers: int = 1) -> "Place":
        """Before the first batch."""
        return cls(base, worker, workers, worker, 0, base)

    def behind(self, reader: Any) -> "Place":
        """Behind the batch that the reader gave just now."""
        return self._replace(
            next=self.next + self.workers, row=0, samples=reader.samples()
        )


def _step(reader: Any) -> int:
    """Positions that all ranks together take with a batch each."""
    return int(reader.options["batch_size"]) * int(reader.options["world_size"])


def place_of(reader: Any, epoch: int, place: Place, *, exact: bool) -> dict[str, Any]:
    """The state of one worker; `exact`: its samples are those of whole batches, so that
    any other reader can go on there.
    """
    own = {name: getattr(place, name) for name in _FIELDS}
    own |= {"step": _step(reader), "exact": exact}
    return _state.make(reader, epoch, place.samples, **{_READER: own})


def check_place(
    reader: Any, state: Mapping[str, Any], place: Place
) -> tuple[int, Place]:
    """(epoch, place) of a state for the worker that `place` names.

    ParameterError for other files and options, and for the state of another worker.
    """
    epoch, samples = _state.check(reader, state)
    own = state.get(_READER)
    if own is not None:
        _check_own(own)
    if own is None or (own["exact"] and own["workers"] == place.workers == 1):
        return epoch, Place.begin(samples, place.worker, place.workers)
    then = own["worker"], own["workers"], own["step"]
    now = place.worker, place.workers, _step(reader)
    if then != now:
        raise ParameterError(
            "the state is that of DataLoader worker {} of {}, with {} samples a step,"
            " this is worker {} of {}, with {}: what global_state() makes of the"
            " DataLoader's state fits any".format(*then, *now)
        )
    return epoch, Place(**{name: own[name] for name in _FIELDS}, samples=samples)


def _check_own(own: Any) -> None:
    """ParameterError for what `place_of` cannot have given."""
    if not isinstance(own, Mapping) or set(own) != {*_FIELDS, "step", "exact"}:
        raise ParameterError(f"the state has a strange {_READER!r}: {own!r}")
    for name in (*_FIELDS, "step"):
        _state.check_count(name, own[name])


def global_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a data set, for any number of workers and ranks, from that of
    torchdata's StatefulDataLoader over it.

    >>> dataset.load_state_dict(global_state(checkpoint["loader"]))  # doctest: +SKIP

    Takes the state of a `Loader` and of a data set's iterator, too. With several ranks
    take the state of rank 0, whose share is never the shortest. ParameterError for
    single samples that several workers or ranks have read: what they have done
    together is no prefix of the epoch.
    """
    if not isinstance(state, Mapping):
        raise TypeError(
            f"expected a dict that state_dict() gave, got {type(state).__name__}"
        )
    if "samples" in state:
        steps, finished, states = 0, False, [dict(state)]
    else:
        steps = int(state.get("_steps_since_snapshot", 0))
        finished = bool(state.get("_iterator_finished", False))
        states = list(_iterator_states(state))
    newest = max(states, key=lambda one: one["samples"])
    own = newest.pop(_READER, None)
    if own is not None:
        _check_own(own)
    if finished:
        return newest | {"epoch": newest["epoch"] + 1, "samples": 0}
    if own is None:
        return newest
    if not own["exact"] or "num_parts" in newest["options"]:
        raise _no_prefix()
    done = newest["samples"] + steps * own["step"]
    return newest | {"samples": min(done, newest["records"])}


def refuse_part(state: Mapping[str, Any]) -> None:
    """ParameterError for a state from which only the reader it is of can go on."""
    own = state.get(_READER) if isinstance(state, Mapping) else None
    if own is None:
        return
    _check_own(own)
    if not own["exact"]:
        raise _no_prefix()


def _no_prefix() -> ParameterError:
    return ParameterError(
        "what several workers or ranks have done of single samples, or of"
        " partitions, is no prefix of the epoch: give the data set a batch_size,"
        " and shard='records'"
    )


def _iterator_states(state: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The states of the data set's iterators inside that of a StatefulDataLoader."""
    holders = [state]
    if "_snapshot" in state:
        holders = list(state["_snapshot"].get("_worker_snapshots", {}).values())
    for holder in holders or [{}]:
        fetcher = holder.get(_FETCHER)
        if not fetcher or not fetcher.get(_ITERATOR):
            raise ParameterError(
                "this is no state of a StatefulDataLoader over an ImageRecordDataset"
            )
        yield dict(fetcher[_ITERATOR])
