"""`mxio verify`: check every record, and the index."""

from __future__ import annotations

import argparse
import enum
import os
from array import array
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from mxio import _core
from mxio._codec import MAX_PIXELS, decode_as_stored
from mxio._manifest import expanded, refuse_manifest
from mxio._salvage import Lost, Whole, parse
from mxio.errors import DataError, ParameterError
from mxio.recordio import unpack
from mxio.tools._command import (
    Exit,
    add_json,
    add_quiet,
    add_threads,
    new_parser,
    print_json,
    progress_bar,
)
from mxio.tools._index import Index, Key, index_of, read_index
from mxio.tools._threads import in_order, thread_count

if TYPE_CHECKING:
    from mxio.tools._command import Commands

__all__ = ["Damage", "VerifyReport", "add_parser", "run", "verify"]

_SHOWN = 50  # damages that are printed; --json has all
_NO_PICTURE = "no image record, or a picture that no decoder here knows"


@dataclass(frozen=True)
class Damage:
    """One thing that is wrong.

    kind: "structure", bytes [offset, end) are no whole record; "picture", the record
    there does not decode; "index", a line of the index, or its absence. record: its
    ordinal among the whole records. key: its key in the index, or that of the line.
    Each is None where it does not apply, or is not known.
    """

    kind: Literal["structure", "picture", "index"]
    reason: str
    offset: int | None = None
    end: int | None = None
    record: int | None = None
    key: Key | None = None
    line: int | None = None


@dataclass(frozen=True)
class VerifyReport:
    """What `verify` found.

    records: whole ones; pictures: those that decoded (0 when nothing was decoded);
    empty: those with labels but no picture; others: those of a file that holds no
    pictures at all. index: the path of the index that was checked, if there is one.
    """

    path: str
    index: str | None
    bytes: int
    records: int
    pictures: int
    empty: int
    others: int
    damage: tuple[Damage, ...]

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.damage


class _Content(enum.Enum):
    PICTURE, EMPTY, OTHER = range(3)


# A sentence says what is wrong with a picture; None is for what was not looked at.
Content = _Content | str | None


def verify(
    path: str | os.PathLike[str],
    *,
    path_imgidx: str | os.PathLike[str] | None = None,
    decode: bool = True,
    threads: int = 0,
    progress: bool = False,
) -> VerifyReport:
    """Check the structure of a RecordIO file, its index, and every picture in full.

    path_imgidx: the index; by default the one beside the file, if there is one. Each of
        its lines must point at a record, and each record must have one.
    decode: False checks only structure and index.
    threads: that decode; 0 means every core.
    progress: show a bar, if stderr is a terminal.

    A file none of whose records is a picture is taken for one that holds other things.
    OSError when a file cannot be read.
    """
    source = os.fspath(path)
    refuse_manifest(source)
    count = thread_count(threads)
    index = _index_for(source, path_imgidx)
    checker = _Checker(source)
    with progress_bar(progress, "verify", os.path.getsize(source), "B") as advance:
        for piece, content in in_order(
            checker.decoded if decode else checker.undecoded,
            parse(source),
            count,
        ):
            checker.count(piece, content)
            advance(piece.end - piece.offset)
    return checker.report(index)


def _index_for(source: str, given: str | os.PathLike[str] | None) -> Index | None:
    if given is not None:
        return read_index(os.fspath(given))
    beside = index_of(source)
    return read_index(beside) if os.path.isfile(beside) else None


class _Checker:
    """Looks at single records, by any number of threads, and sums up."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.file = _core.RecordFile(source)
        self.heads = array("Q")
        self.others = array("Q")  # ordinals
        self.counts = dict.fromkeys(_Content, 0)
        self.damage: list[Damage] = []

    def undecoded(self, piece: Whole | Lost) -> tuple[Whole | Lost, None]:
        """Instead of `decoded` when nothing is."""
        return piece, None

    def decoded(self, piece: Whole | Lost) -> tuple[Whole | Lost, Content]:
        """The piece, and what it holds."""
        return piece, self.content(piece)

    def content(self, piece: Whole | Lost) -> Content:
        """What the record holds; a sentence when its picture is damaged."""
        if isinstance(piece, Lost):
            return None
        try:
            found = self.file.read(piece.offset)
        except DataError as error:  # changed since it was parsed
            return str(error)
        if found is None:
            return "the file ends there"
        try:
            picture = unpack(found[0])[1]
        except DataError:
            return _Content.OTHER
        if not picture:
            return _Content.EMPTY
        try:
            if _core.decode(picture, 0, False, False, MAX_PIXELS) is not None:
                return _Content.PICTURE
        except DataError as error:
            return str(error)
        try:
            decode_as_stored(picture, -1)
        except DataError:
            return _Content.OTHER
        return _Content.PICTURE

    def count(self, piece: Whole | Lost, content: Content) -> None:
        if isinstance(piece, Lost):
            self.damage.append(
                Damage("structure", piece.reason, piece.offset, piece.end)
            )
            return
        record = len(self.heads)
        self.heads.append(piece.offset)
        if isinstance(content, str):
            self.damage.append(
                Damage("picture", content, piece.offset, piece.end, record)
            )
        elif content is not None:
            self.counts[content] += 1
            if content is _Content.OTHER:
                self.others.append(record)

    def report(self, index: Index | None) -> VerifyReport:
        damage, others = self.damage, self.others
        if self.counts[_Content.PICTURE] or any(d.kind == "picture" for d in damage):
            damage += [
                Damage("picture", _NO_PICTURE, self.heads[record], None, record)
                for record in others
            ]
            others = array("Q")
        if index is not None:
            damage = _with_keys(damage, index)
            damage += [
                Damage(
                    "index", each.reason, each.offset, None, None, each.key, each.line
                )
                for each in index.check(np.array(self.heads, np.uint64))
            ]
        return VerifyReport(
            self.source,
            None if index is None else index.path,
            self.file.size(),
            len(self.heads),
            self.counts[_Content.PICTURE],
            self.counts[_Content.EMPTY],
            len(others),
            tuple(sorted(damage, key=_place)),
        )


def _with_keys(damage: list[Damage], index: Index) -> list[Damage]:
    offsets = np.array([each.offset for each in damage], np.uint64)
    keys = index.keys_at(offsets)
    return [replace(each, key=key) for each, key in zip(damage, keys, strict=True)]


def _place(damage: Damage) -> tuple[bool, int, int]:
    """Order in the file; lines that point nowhere come last."""
    return damage.offset is None, damage.offset or 0, damage.line or 0


def add_parser(commands: Commands) -> None:
    """Describe the options."""
    parser = new_parser(
        commands,
        "verify",
        "check every record and the index",
        "Check the structure of RecordIO files, their indexes, and every picture in\n"
        "full; list what is damaged. The exit code is 1 when something is.",
    )
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="a .rec file, or the manifest of some"
    )
    parser.add_argument(
        "--index",
        metavar="IDX",
        help="index of the only FILE (default: beside it, if there is one)",
    )
    parser.add_argument(
        "--no-decode", action="store_true", help="check structure and index only"
    )
    add_threads(parser)
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    files = expanded(options.files)
    if options.index is not None and len(files) > 1:
        raise ParameterError(f"--index belongs to one FILE, got {len(files)} of them")
    reports = []
    for path in files:
        report = verify(
            path,
            path_imgidx=options.index,
            decode=not options.no_decode,
            threads=options.threads,
            progress=not options.quiet,
        )
        reports.append(report)
        if not options.json:
            _tell(report)
    if options.json:
        print_json({"files": reports})
    return Exit.GOOD if all(report.good for report in reports) else Exit.PROBLEM


def _tell(report: VerifyReport) -> None:
    index = "no index" if report.index is None else f"index {report.index}"
    counts = [f"{report.records} records", index]
    if report.pictures:
        counts.insert(1, f"{report.pictures} pictures decoded")
    verdict = f"{len(report.damage)} faults" if report.damage else "good"
    print(f"{report.path}: {verdict}: {', '.join(counts)}")
    for damage in report.damage[:_SHOWN]:
        print(f"  {_in_words(damage)}")
    if len(report.damage) > _SHOWN:
        print(f"  and {len(report.damage) - _SHOWN} more (--json lists all)")


def _in_words(damage: Damage) -> str:
    where = []
    if damage.line is not None:
        where.append(f"line {damage.line}")
    if damage.record is not None:
        where.append(f"record {damage.record}")
    if damage.key is not None:
        where.append(f"key {damage.key}")
    if damage.offset is not None and damage.end is not None:
        where.append(f"bytes {damage.offset} to {damage.end}")
    elif damage.offset is not None and damage.line is None:
        where.append(f"byte {damage.offset}")
    return f"{damage.kind}: {', '.join(where)}: {damage.reason}"
