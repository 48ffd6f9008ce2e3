"""`mxio info`: what is in a file, by its headers only."""

from __future__ import annotations

import argparse
import os
from array import array
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from mxio import _core, _faces
from mxio._formats import format_of
from mxio._manifest import expanded
from mxio.errors import DataError
from mxio.tools._command import (
    Exit,
    add_json,
    add_quiet,
    new_parser,
    number_text,
    print_json,
    progress_bar,
)
from mxio.tools._heads import HeadReader
from mxio.tools._index import Index, index_of, read_index

if TYPE_CHECKING:
    from mxio.tools._command import Commands

__all__ = [
    "FileInfo",
    "LabelInfo",
    "PictureInfo",
    "Spread",
    "add_parser",
    "info",
    "run",
]

_PROBED = 10_000  # pictures that are looked at, unless all are asked for
_CLASSES = 1000  # a file with more classes has no histogram
_SHOWN = 10  # classes that are printed; --json has all
_START = 4096  # bytes of a picture that usually hold its size


@dataclass(frozen=True)
class Spread:
    """Smallest, middle and largest of some numbers."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class LabelInfo:
    """Labels of the records that have a picture.

    width: how many labels a record has, (smallest, largest). first: range of their
    first labels; distinct: how many different ones. histogram: (label, records) for
    each, in order, if they are whole numbers and no more than 1000.
    """

    width: tuple[int, int]
    first: tuple[float, float]
    distinct: int
    histogram: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class PictureInfo:
    """What headers of pictures say, of `probed` ones spread over the file.

    formats: pictures by format ("unknown" for what nothing here knows). channels: by
    channels as stored, for JPEG and PNG, as the following. bits: by bits a channel.
    """

    probed: int
    formats: dict[str, int]
    channels: dict[int, int]
    bits: dict[int, int]
    width: Spread | None
    height: Spread | None


@dataclass(frozen=True)
class FileInfo:
    """What is in a RecordIO file.

    layout: "plain"; "insightface", with `identities` of them; "other" when no record
    looked at is a picture: labels is None then. index_state: whether its lines are the
    records ("matches"), some of them ("partial"), or point elsewhere ("wrong");
    index_keys: "id" when keys are the ids of the records, "number" when they count from
    0, else "other". picture_bytes: sizes of the encoded pictures.
    """

    path: str
    bytes: int
    records: int
    pictures: int
    layout: Literal["plain", "insightface", "other"]
    identities: int
    index: str | None
    index_state: Literal["missing", "matches", "partial", "wrong"]
    index_keys: Literal["id", "number", "other"] | None
    labels: LabelInfo | None
    picture_bytes: Spread | None
    probes: PictureInfo


def info(
    path: str | os.PathLike[str], *, every: bool = False, progress: bool = False
) -> FileInfo:
    """Look at all record headers of a file, and at the headers of some pictures.

    every: at those of all pictures, not only of 10,000 spread over the file.
    progress: show a bar, if stderr is a terminal.

    OSError when the file cannot be read, DataError, naming record and byte, when it is
    damaged.
    """
    source = os.fspath(path)
    with (
        HeadReader(source) as heads,
        progress_bar(progress, "info", heads.size, "B") as advance,
    ):
        table = _Table(heads, advance)
        probes = _probe(heads, table, every)
    known = any(name != "unknown" for name in probes.formats)
    index_path = index_of(source)
    index = read_index(index_path) if os.path.isfile(index_path) else None
    faces = None
    if known:
        faces = _faces.find([source], None if index is None else index_path, must=False)
    return FileInfo(
        source,
        heads.size,
        len(table.offsets),
        len(table.pictures) if known else 0,
        "other" if not known else "plain" if faces is None else "insightface",
        0 if faces is None else len(faces.identities),
        None if index is None else index_path,
        _state(index, table.offsets),
        None if index is None else _keys(index, table),
        _labels(table) if known else None,
        _spread(table.sizes[table.pictures]) if known else None,
        probes,
    )


class _Table:
    """Columns of all heads; `pictures` are ordinals of records that may have one."""

    def __init__(self, heads: HeadReader, advance: Any) -> None:
        offsets, ids, sizes = array("Q"), array("Q"), array("q")
        widths, labels = array("L"), array("f")
        for row in heads.rows():
            flag, label, id, size = row.header or (0, 0.0, 0, -1)
            offsets.append(row.offset)
            ids.append(id)
            sizes.append(size)
            widths.append(max(flag, 1))
            labels.append(label)
            advance(row.end - row.offset)
        self.offsets = np.array(offsets, np.uint64)
        self.ids = np.array(ids, np.uint64)
        self.sizes = np.array(sizes, np.int64)
        self.widths = np.array(widths, np.int64)
        self.labels = np.array(labels, np.float32)
        self.pictures = np.flatnonzero(self.sizes > 0)


def _probe(heads: HeadReader, table: _Table, every: bool) -> PictureInfo:
    chosen = table.pictures
    if not every and len(chosen) > _PROBED:
        chosen = chosen[np.linspace(0, len(chosen) - 1, _PROBED).astype(np.int64)]
    formats: Counter[str] = Counter()
    channels: Counter[int] = Counter()
    bits: Counter[int] = Counter()
    widths, heights = array("L"), array("L")
    for ordinal in chosen.tolist():
        found = _look(heads, int(table.offsets[ordinal]))
        if isinstance(found, str):
            formats[found] += 1
            continue
        name, height, width, channel_count, bit_count = found
        formats[name] += 1
        channels[channel_count] += 1
        bits[bit_count] += 1
        widths.append(width)
        heights.append(height)
    return PictureInfo(
        len(chosen),
        dict(formats.most_common()),
        dict(sorted(channels.items())),
        dict(sorted(bits.items())),
        _spread(np.array(widths)),
        _spread(np.array(heights)),
    )


def _look(heads: HeadReader, offset: int) -> tuple[str, int, int, int, int] | str:
    """What `_core.probe` says of a picture, else the name of its format."""
    start = heads.picture(offset, _START)
    try:
        found = _core.probe(start)
    except DataError:
        try:  # a long EXIF part comes before the size
            found = _core.probe(heads.picture(offset, None))
        except DataError:
            return "damaged"
    return format_of(start) if found is None else found


def _labels(table: _Table) -> LabelInfo:
    labels, widths = table.labels[table.pictures], table.widths[table.pictures]
    values, counts = np.unique(labels, return_counts=True)
    whole = bool((np.abs(values) < 2**31).all()) and bool((values % 1 == 0).all())
    histogram: tuple[tuple[int, int], ...] = ()
    if whole and len(values) <= _CLASSES:
        histogram = tuple(
            zip(values.astype(int).tolist(), counts.tolist(), strict=True)
        )
    return LabelInfo(
        (int(widths.min()), int(widths.max())),
        (float(labels.min()), float(labels.max())),
        len(values),
        histogram,
    )


def _spread(numbers: NDArray[Any]) -> Spread | None:
    if len(numbers) == 0:
        return None
    return Spread(float(numbers.min()), float(np.median(numbers)), float(numbers.max()))


def _state(
    index: Index | None, offsets: NDArray[np.uint64]
) -> Literal["missing", "matches", "partial", "wrong"]:
    if index is None:
        return "missing"
    listed = np.unique(index.offsets)
    if index.faults or not bool(np.isin(listed, offsets).all()):
        return "wrong"
    return "matches" if len(listed) == len(offsets) else "partial"


def _keys(index: Index, table: _Table) -> Literal["id", "number", "other"]:
    if index.keys.dtype == object:
        return "other"
    order = np.argsort(index.offsets, kind="stable")
    places = np.searchsorted(table.offsets, index.offsets[order])
    keys = index.keys[order]
    if bool((places < len(table.ids)).all()) and bool(
        (keys == table.ids[places].astype(np.int64)).all()
    ):
        return "id"
    return "number" if bool((keys == np.arange(len(keys))).all()) else "other"


def add_parser(commands: Commands) -> None:
    """Describe the options."""
    parser = new_parser(
        commands,
        "info",
        "records, labels, sizes, formats, index",
        "Tell what is in RecordIO files, by their headers: nothing is decoded.",
    )
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="a .rec file, or the manifest of some"
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help=f"look at the headers of all pictures, not only of {_PROBED}",
    )
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    reports = []
    for path in expanded(options.files):
        report = info(path, every=options.all, progress=not options.quiet)
        reports.append(report)
        if not options.json:
            _tell(report)
    if options.json:
        print_json({"files": reports})
    return Exit.GOOD


def _tell(report: FileInfo) -> None:
    print(report.path)
    for name, value in _lines(report):
        print(f"  {name:<10} {value}")


def _lines(report: FileInfo) -> list[tuple[str, str]]:
    lines = [("records", f"{report.records} in {report.bytes} bytes")]
    if report.index is None:
        lines.append(("index", "missing (`mxio index` makes one)"))
    else:
        keys = {"id": "ids", "number": "numbers from 0", "other": "others", None: ""}
        state = f"{report.index_state}, keys are {keys[report.index_keys]}"
        lines.append(("index", state))
    if report.layout == "insightface":
        found = f"InsightFace: {report.identities} identities"
        lines.append(("layout", found))
    if report.labels is None or report.picture_bytes is None:
        return [*lines, ("pictures", "none")]
    probes = report.probes
    low, high = report.labels.width
    lines += [
        ("pictures", str(report.pictures)),
        ("bytes", _shown(report.picture_bytes)),
        ("formats", _counts(probes.formats)),
    ]
    if probes.width is not None and probes.height is not None:
        lines += [
            ("width", _shown(probes.width)),
            ("height", _shown(probes.height)),
            ("channels", _counts(probes.channels)),
            ("bits", _counts(probes.bits)),
        ]
    if probes.probed < report.pictures:
        lines.append(("", f"(of {probes.probed} pictures; --all looks at every one)"))
    each = f"{low}" if low == high else f"{low} to {high}"
    least, most = map(number_text, report.labels.first)
    distinct = f"{report.labels.distinct} different"
    lines.append(("labels", f"{each} each, the first {least} to {most}, {distinct}"))
    ranked = sorted(report.labels.histogram, key=lambda pair: -pair[1])
    if ranked:
        rest = f", and {len(ranked) - _SHOWN} more" if len(ranked) > _SHOWN else ""
        lines.append(("classes", _counts(dict(ranked[:_SHOWN])) + rest))
    return lines


def _shown(spread: Spread) -> str:
    return f"{spread.low:g} to {spread.high:g}, median {spread.median:g}"


def _counts(counts: dict[Any, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in counts.items())
