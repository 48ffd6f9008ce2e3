"""The state of a loader: where in which epoch it is, as plain values that go into a
checkpoint.

Positions of an epoch are the same for any number of ranks, workers, threads and any
batch size, so a state is one number of positions, with what makes the order the same:
the files, the seed, and the options that decide what a sample is.
"""

import hashlib
import os
import weakref
from collections.abc import Mapping
from typing import Any, Protocol

from mxio import _core
from mxio._epochs import LAST_EPOCH, check_epoch
from mxio.errors import MxioError, ParameterError
from mxio.params import TABLE, Param

__all__ = [
    "VERSION",
    "Cursor",
    "Resumable",
    "Source",
    "State",
    "check",
    "check_count",
    "describe",
    "make",
]

State = dict[str, Any]


class Source(Protocol):
    """What reads the records: says which, and how far it is."""

    @property
    def identity(self) -> dict[str, Any]: ...
    def samples(self) -> int: ...


VERSION = 1

# Dataset parameters that a resumed run may change: who reads, and where the files are
# now (their content is compared).
_FREE = frozenset(
    {
        "path_imgrec",
        "path_imgidx",
        "path_imglist",
        "mean_img",
        "rank",
        "world_size",
        "shard",
        "num_workers",
        "cache_index",
        "data_name",
        "label_name",
        "records",  # its digest is compared
        "record_layout",
    }
)
_SHAPING = frozenset({"DATASET", "AUGMENTATION"})
_ALSO = frozenset({"dtype", "layout", "round_batch"})
# A file is recognised by its size and by this many bytes at as many places.
_PROBE = 4096
_PROBES = 16
_BITS = 48  # enough for any number of records


def make(loader: Source, epoch: int, samples: int, **more: object) -> State:
    """The state of `loader` with `samples` positions of `epoch` done by all ranks."""
    return {
        "version": VERSION,
        "epoch": epoch,
        "samples": samples,
        **more,
        **loader.identity,
    }


def check(loader: Source, state: Mapping[str, Any]) -> tuple[int, int]:
    """(epoch, samples) of a state of the same data and options as `loader`'s.

    ParameterError that names the first difference; TypeError for what is no state.
    """
    if not isinstance(state, Mapping) or "version" not in state:
        got = type(state).__name__
        if isinstance(state, Mapping):
            got = f"one with {', '.join(map(repr, [*state][:4])) or 'nothing'} in it"
        raise TypeError(f"expected a dict that state_dict() gave, got {got}")
    if state["version"] != VERSION:
        raise ParameterError(
            f"the state has version {state['version']}, this mxio reads {VERSION}"
        )
    missing = {"epoch", "samples", *loader.identity} - set(state)
    if missing:
        raise ParameterError(f"the state lacks {sorted(missing)[0]!r}")
    epoch = check_count("epoch", state["epoch"], LAST_EPOCH.bit_length())
    samples = check_count("samples", state["samples"])
    _check_described(state)
    differences = _differences(state, loader.identity)
    if differences:
        raise ParameterError(
            f"the state does not fit this loader: {'; '.join(differences)}"
        )
    count = loader.identity["records"]
    if count is not None and samples > count:
        raise ParameterError(
            f"the state has {samples} samples done, the data set has {count} records"
        )
    return epoch, samples


def check_count(name: str, value: object, bits: int = _BITS) -> int:
    """A number of a state; ParameterError for what none can hold."""
    if not isinstance(value, int) or not 0 <= value < 2**bits:
        raise ParameterError(
            f"{name} of a state must be in [0, 2^{bits}), got {value!r}"
        )
    return value


def _check_described(state: Mapping[str, Any]) -> None:
    """ParameterError for what `describe` cannot have given."""
    files = state["files"]
    if not isinstance(state["options"], Mapping):
        raise ParameterError(f"the state has strange 'options': {state['options']!r}")
    if not isinstance(files, list) or not all(
        isinstance(file, Mapping) and {"name", "size", "digest"} <= file.keys()
        for file in files
    ):
        raise ParameterError(f"the state has strange 'files': {files!r}")


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    out = []
    old, new = then["files"], now["files"]
    if len(old) != len(new):
        out.append(f"it was of {len(old)} files, there are {len(new)}")
    for number, (was, is_) in enumerate(zip(old, new, strict=False)):
        if was["size"] != is_["size"]:
            out.append(
                f"file {number} ({is_['name']}) had {was['size']} bytes,"
                f" now {is_['size']}"
            )
        elif was["digest"] != is_["digest"]:
            out.append(f"file {number} ({is_['name']}) has other content than then")
    if None not in (then["records"], now["records"]) and (
        then["records"] != now["records"]
    ):
        out.append(f"it was of {then['records']} records, there are {now['records']}")
    if then["seed"] != now["seed"]:
        out.append(f"seed was {then['seed']}, is {now['seed']}")
    before, after = then["options"], now["options"]
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            out.append(f"{name} was {_shown(name, before)}, is {_shown(name, after)}")
    return out


def _shown(name: str, options: Mapping[str, Any]) -> str:
    if name in options:
        return repr(options[name])
    return repr(_plain(TABLE[name], TABLE[name].default)) if name in TABLE else "absent"


def _plain(row: Param, value: Any) -> Any:
    if row.choices:
        return value if isinstance(value, str) else row.choices[value]
    if row.kind == "FLAG":
        return bool(value)
    return list(value) if isinstance(value, tuple) else value


def describe(
    options: Mapping[str, Any], paths: list[str], records: int | None
) -> State:
    """What a state says of the data: files, number of records, options that are not at
    their default.
    """
    chosen = {}
    for name, value in options.items():
        row = TABLE[name]
        if (
            name == "seed"
            or name in _FREE
            or not (row.group in _SHAPING or name in _ALSO)
        ):
            continue
        if value is not None and _plain(row, value) != _plain(row, row.default):
            chosen[name] = _plain(row, value)
    named = [options.get(name) for name in ("path_imglist", "mean_img")]
    files = [_fingerprint(path) for path in [*paths, *(p for p in named if p)]]
    return {
        "seed": options.get("seed", TABLE["seed"].default),
        "options": chosen,
        "files": files,
        "records": records,
    }


def _fingerprint(path: str) -> dict[str, Any]:
    file = _core.RecordFile(path)
    size = file.size()
    digest = hashlib.sha256()
    for i in range(_PROBES):
        place = (size - _PROBE) * i // (_PROBES - 1) if size > _PROBE else 0
        digest.update(file.raw(place, _PROBE))
    file.close()
    return {
        "name": os.path.basename(path),
        "size": size,
        "digest": digest.hexdigest()[:32],
    }


class Cursor:
    """Where the next iteration begins, what `set_epoch` and a loaded state do to that,
    and which epoch was begun and not finished.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self.samples = 0
        self.begun: int | None = None

    def set_epoch(self, epoch: int) -> None:
        """The number of the next epoch; a loaded position in that epoch is kept."""
        number = check_epoch(epoch)
        if number != self.epoch:
            self.epoch, self.samples = number, 0

    def load(self, epoch: int, samples: int) -> None:
        """Begin there."""
        self.epoch, self.samples, self.begun = epoch, samples, None

    def begin(self) -> tuple[int, int]:
        """(epoch, samples) of the iteration that begins; the next is the epoch after
        it.
        """
        began = self.epoch, self.samples
        self.epoch, self.samples, self.begun = self.epoch + 1, 0, self.epoch
        return began

    def state(self, loader: Source) -> State:
        """That of the unfinished epoch, else that of the next."""
        if self.begun is not None:
            return make(loader, self.begun, loader.samples())
        return make(loader, self.epoch, self.samples)


class Resumable:
    """What a face that reads its epochs one after the other tells of them."""

    _kind = "loader"

    def __init__(self) -> None:
        self._cursor = Cursor()
        self._live: weakref.ref[Any] | None = None  # an iterator that says `going`

    @property
    def _source(self) -> Source:
        raise NotImplementedError

    def _is_under_way(self) -> bool:
        live = None if self._live is None else self._live()
        return live is not None and live.going

    def _refuse_while_under_way(self) -> None:
        if self._is_under_way():
            raise MxioError(
                f"an epoch of this {self._kind} is under way: finish its iterator or"
                " drop it"
            )

    def set_epoch(self, epoch: int) -> None:
        """The number of the next epoch, from 0; each `iter` adds one. A position that
        `load_state_dict` set in that epoch is kept.
        """
        self._cursor.set_epoch(epoch)
        if not self._is_under_way():
            self._cursor.begun = None

    def state_dict(self) -> dict[str, Any]:
        """Where it is, behind the last batch or item taken: plain values, for a
        checkpoint. An epoch that was left half done can be finished from it.
        """
        return self._cursor.state(self._source)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next `iter` go on where a state was taken; no record before that is
        read.

        ParameterError, naming every difference, for a state of other files or options;
        MxioError while an epoch is under way.
        """
        self._refuse_while_under_way()
        self._cursor.load(*check(self._source, state))
