"""Which records a loader reads: `records=` and `record_layout=` become a view."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mxio import _core, _faces
from mxio._files import read_whole, resolve
from mxio._patience import timeout_of, within
from mxio._progress import Progress
from mxio._scan import Heads, Records
from mxio.errors import DataError, ParameterError

__all__ = [
    "LabelRange",
    "Selection",
    "View",
    "labels_of",
    "refuse_no_keys",
    "refuse_none",
    "settle",
    "test_of",
]

AUTO, PLAIN, INSIGHTFACE = range(3)  # places among the choices of record_layout
_ROWS_WITHOUT_BAR = 1_000_000


@dataclass(frozen=True)
class LabelRange:
    """As `records=`: the records whose label is at least `start` and below `stop`.

    Of several labels the first counts. Raises ParameterError unless start < stop.

    >>> LabelRange(0, 100)
    LabelRange(start=0, stop=100)
    """

    start: float
    stop: float

    def __post_init__(self) -> None:
        if not self.start < self.stop:
            raise ParameterError(f"start must be below stop, got {self}")


Selection = (
    slice
    | LabelRange
    | Sequence[int]
    | NDArray[np.integer[Any]]
    | Callable[[int, Any], object]
)

# Of keys, and labels (rows, label_width): which of the records are chosen.
Test = Callable[[NDArray[Any], NDArray[np.float64]], NDArray[np.bool_]]


class View:
    """Records by ordinal, in this order: first, first + 1, ..., or those of an array.

    An array has 8 bytes a record. It is never written to: forked processes share it,
    and the core borrows it.
    """

    def __init__(self, ordinals: NDArray[np.uint64] | range) -> None:
        self.count = len(ordinals)
        self.first = int(ordinals[0])
        self.ordinals: NDArray[np.uint64] | None = None
        if isinstance(ordinals, range):
            return
        last = int(ordinals[-1])
        if last - self.first != self.count - 1 or bool(
            (ordinals[1:] != ordinals[:-1] + np.uint64(1)).any()
        ):
            self.ordinals = np.ascontiguousarray(ordinals)
            self.ordinals.flags.writeable = False

    @property
    def chosen(self) -> tuple[int, int] | memoryview:
        """As _core.Loader wants it."""
        if self.ordinals is None:
            return self.first, self.count
        return self.ordinals.data

    def all(self) -> NDArray[np.uint64]:
        """The ordinals, as an array."""
        if self.ordinals is None:
            return np.arange(self.first, self.first + self.count, dtype=np.uint64)
        return self.ordinals

    def digest(self) -> str:
        """A short name of the records and their order."""
        made = hashlib.sha256(f"{self.first} {self.count}".encode())
        if self.ordinals is not None:
            made.update(self.ordinals.data)
        return made.hexdigest()[:16]


def settle(options: MutableMapping[str, Any]) -> None:
    """Replace `records` and `record_layout` of bound options by what they mean: a View
    under `records`, or nothing when all records are read. Idempotent.

    Raises ParameterError for a selection that is empty, has a record twice or one that
    there is not, and for record_layout='insightface' on other files; TypeError for a
    selection of another type; DataError for damage that was met.
    """
    chosen = options.get("records")
    if isinstance(chosen, View):
        return
    layout = options.get("record_layout", AUTO)
    index = options.get("path_imgidx") or None
    timeout = timeout_of(options)

    def look() -> tuple[list[str], _faces.FaceRecords | None]:
        files = resolve(options["path_imgrec"])
        if layout == PLAIN:
            return files, None
        return files, _faces.find(files, index, must=layout == INSIGHTFACE)

    files, faces = within(timeout, "not opened", look)
    options["record_layout"] = PLAIN if faces is None else INSIGHTFACE
    options.pop("records", None)
    images = None if faces is None else View(faces.images)
    if chosen is not None:
        records = Records(files, index, timeout=timeout)
        options["records"] = _Choice(options, records, images).of(chosen)
    elif images is not None:
        options["records"] = images


class _Choice:
    """A selection, resolved among the records of a view, or among all."""

    def __init__(
        self, options: Mapping[str, Any], records: Records, among: View | None
    ) -> None:
        self._options = options
        self._records = records
        self._among = among

    def of(self, chosen: Any) -> View:
        test = test_of(chosen)
        if isinstance(chosen, slice):
            view = self._slice(chosen)
        elif test is not None:
            view = self._where(test)
        else:
            view = self._keys(_numbers(chosen))
        refuse_none(len(view), chosen)
        return View(view)

    def _all(self) -> View:
        return self._among or View(range(self._records.count()))

    def _slice(self, chosen: slice) -> NDArray[np.uint64]:
        try:
            return self._all().all()[chosen]
        except (TypeError, ValueError) as error:
            kind = ParameterError if isinstance(error, ValueError) else TypeError
            raise kind(f"records: {error}, got {chosen}") from None

    def _keys(self, keys: NDArray[np.int64]) -> NDArray[np.uint64]:
        if self._records.keys is None:
            ordinals = keys
            outside = (keys < 0) | (keys >= self._records.count())
            if bool(outside.any()):
                raise ParameterError(
                    f"records: there is no record {keys[outside][0]},"
                    f" they are 0 to {self._records.count() - 1}"
                )
        else:
            ordinals = self._find(self._records.keys, keys)
        sorted_ordinals = np.sort(ordinals)
        twice = sorted_ordinals[1:] == sorted_ordinals[:-1]
        if bool(twice.any()):
            double = keys[ordinals == sorted_ordinals[1:][twice][0]][0]
            raise ParameterError(f"records holds {double} twice")
        if self._among is not None:
            outside = ~np.isin(ordinals, self._among.all())
            if bool(outside.any()):
                raise ParameterError(
                    f"records: {keys[outside][0]} is no image, but a header or an"
                    " identity of InsightFace's layout"
                )
        return ordinals.astype(np.uint64)

    def _find(
        self, known: NDArray[np.int64], keys: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Where each key is among those of the index."""
        path = self._options["path_imgidx"]
        order = np.argsort(known, kind="stable")
        places = np.searchsorted(known, keys, sorter=order)
        ordinals = order[np.minimum(places, len(known) - 1)]
        missing = known[ordinals] != keys
        if bool(missing.any()):
            raise ParameterError(
                f"records: {path} has no key {keys[missing][0]}; "
                f"its keys are {known.min()} to {known.max()}"
            )
        more = order[np.minimum(places + 1, len(known) - 1)]
        double = (known[more] == keys) & (more != ordinals)
        if bool(double.any()):
            raise ParameterError(
                f"records: {path} has the key {keys[double][0]} twice;"
                " choose the record by a slice or a function"
            )
        return ordinals

    def _where(self, test: Test) -> NDArray[np.uint64]:
        """Ordinals of the records that pass a test of keys and labels."""
        found = []
        for heads, labels in labels_of(self._options, self._records, self._among):
            keys = heads.ordinal if heads.key is None else heads.key
            found.append(heads.ordinal[test(keys, labels)])
        return np.concatenate(found)


def labels_of(
    options: Mapping[str, Any], records: Records, among: View | None = None
) -> Iterator[tuple[Heads, NDArray[np.float64]]]:
    """Headers and labels (rows, label_width) of all records, or of those of a view, in
    parts: labels of path_imglist when that is given, else those of the records.

    On a terminal a bar shows how far a long scan is. DataError for a record without a
    header, with too few labels, or without a line in path_imglist.
    """
    width = options.get("label_width", 1)
    path = options.get("path_imglist")
    listed = None
    if path:
        ids = np.concatenate([h.id for h in _scan(records, among, 1)])
        text = within(timeout_of(options), "no list", lambda: read_whole(str(path)))
        block = _core.list_labels(text, path, ids.data, width)
        listed = np.frombuffer(memoryview(block), np.float64).reshape(-1, width)
    first = 0
    for heads in _scan(records, among, width):
        end = first + len(heads.id)
        labels = heads.label.astype(np.float64) if listed is None else listed[first:end]
        first = end
        missing = np.isnan(labels).any(axis=1)
        if bool(missing.any()):
            row = int(np.flatnonzero(missing)[0])
            ordinal, id = int(heads.ordinal[row]), int(heads.id[row])
            held = max(1, int(heads.flag[row]))
            if listed is not None:
                what = f"{path} has no line with id {id}"
            elif held < width:
                what = f"it holds {held} labels, label_width is {width}"
            else:
                what = "its label is not a number"
            raise DataError(f"record {ordinal} (id {id}): {what}", None, ordinal, id)
        yield heads, labels


def _scan(records: Records, among: View | None, width: int) -> Iterator[Heads]:
    total = records.count() if among is None else among.count
    progress = Progress(total, "record", shown=total > _ROWS_WITHOUT_BAR)
    try:
        for heads in (
            records.scan(width) if among is None else _parts(records, among, width)
        ):
            yield heads
            progress.step(len(heads.id))
    finally:
        progress.close()


def _parts(records: Records, among: View, width: int) -> Iterator[Heads]:
    rows = 65536
    ordinals = among.all()
    for first in range(0, len(ordinals), rows):
        yield records.heads(ordinals[first : first + rows], width)


def test_of(chosen: object) -> Test | None:
    """The test that a LabelRange or a function is; None for keys and slices."""
    if isinstance(chosen, LabelRange):
        return _within(chosen)
    return _asking(chosen) if callable(chosen) else None


def refuse_none(count: int, chosen: object) -> None:
    """ParameterError for a selection that chooses no record."""
    if count == 0:
        raise ParameterError(f"records chooses no record: {_shown(chosen)}")


def _within(chosen: LabelRange) -> Test:
    def test(keys: NDArray[Any], labels: NDArray[np.float64]) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = (labels[:, 0] >= chosen.start) & (
            labels[:, 0] < chosen.stop
        )
        return inside

    return test


def _asking(function: Callable[[int, Any], object]) -> Test:
    def test(keys: NDArray[Any], labels: NDArray[np.float64]) -> NDArray[np.bool_]:
        values = labels[:, 0].tolist() if labels.shape[1] == 1 else labels
        try:
            answers = [
                bool(function(*each))
                for each in zip(keys.tolist(), values, strict=True)
            ]
        except StopIteration as error:  # no end of the records
            raise RuntimeError("records raised StopIteration") from error
        return np.array(answers, bool)

    return test


def refuse_no_keys(chosen: object) -> None:
    """TypeError for what is no sequence of keys."""
    if isinstance(chosen, str | bytes | Mapping) or not hasattr(chosen, "__len__"):
        raise _wrong(chosen)
    if isinstance(chosen, set | frozenset):
        raise TypeError("records must be in an order: a set has none, sort it")


def _wrong(chosen: object) -> TypeError:
    return TypeError(
        "records must be keys, a slice, a LabelRange, or a function of (key, label),"
        f" got {_shown(chosen)}"
    )


def _numbers(chosen: Any) -> NDArray[np.int64]:
    """Keys as an array; TypeError for what is none."""
    refuse_no_keys(chosen)
    try:
        keys = np.asarray(chosen)
    except (TypeError, ValueError):
        raise _wrong(chosen) from None
    if keys.shape == (0,):
        return np.empty(0, np.int64)
    if keys.ndim != 1 or keys.dtype.kind not in "iu":
        raise _wrong(chosen)
    if keys.dtype.kind == "u" and int(keys.max()) >= 2**63:
        raise ParameterError(f"records: there is no key {keys.max()}")
    return keys.astype(np.int64)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
