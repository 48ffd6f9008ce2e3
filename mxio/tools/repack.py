"""`mxio repack`: JPEGs written anew for fast loading, without loss."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mxio import _core
from mxio._codec import MAX_PIXELS
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
from mxio.tools._output import RecordCopier
from mxio.tools._source import NewKeys, Source, add_keys
from mxio.tools._threads import in_order, thread_count

if TYPE_CHECKING:
    from mxio.tools._command import Commands

__all__ = ["KeptPicture", "RepackReport", "repack"]

_SHOWN = 20


@dataclass(frozen=True)
class KeptPicture:
    """A damaged picture that was copied as it is."""

    record: int
    key: int | str
    offset: int
    reason: str


@dataclass(frozen=True)
class RepackReport:
    """What was written.

    records: all of them. pictures: JPEGs written anew. kept: how many records were
    copied as they are, by reason. damaged: JPEGs that were copied although they do not
    decode. bytes_before, bytes_after: of the .rec files.
    """

    path: str
    output: str
    index: str
    records: int
    pictures: int
    kept: dict[str, int]
    damaged: tuple[KeptPicture, ...]
    bytes_before: int
    bytes_after: int


@dataclass(frozen=True)
class _Made:
    record: bytes | None  # None: the record stays as it is
    reason: str = ""
    damaged: bool = False


class _Repacker:
    """Makes the new record of one in the file; any number of threads."""

    def __init__(self, source: Source, restart: int) -> None:
        self._file = _core.RecordFile(source.path)
        self._source = source
        self._restart = restart

    def make(self, ordinal: int) -> tuple[int, _Made]:
        """The new bytes of the record, or why it stays."""
        return ordinal, self._made(int(self._source.offsets[ordinal]))

    def _made(self, offset: int) -> _Made:
        found = self._file.read(offset)
        if found is None:
            raise DataError(f"{self._source.path}: the file now ends at byte {offset}")
        payload = found[0]
        try:
            picture = unpack(payload)[1]
        except DataError:
            return _Made(None, "no image record")
        if not picture:
            return _Made(None, "no picture")
        facts = _core.probe(picture)
        if facts is None or facts[0].lower() != "jpeg":
            return _Made(None, "no JPEG" if facts is None else facts[0].upper())
        try:
            fast = _core.transcode_jpeg(picture, self._restart, MAX_PIXELS)
        except DataError as error:
            return _Made(None, str(error), damaged=True)
        if isinstance(fast, str):
            return _Made(None, fast)
        head = payload[: len(payload) - len(picture)]  # header and labels, to the bit
        return _Made(_core.encode_record(head + fast))


def repack(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    restart: int = _core.FAST_RESTART,
    path_imgidx: str | os.PathLike[str] | None = None,
    keys: NewKeys = "keep",
    threads: int = 0,
    progress: bool = False,
) -> RepackReport:
    """Copy a file with its JPEGs written anew, for loaders that decode only a crop.

    Each becomes a baseline JPEG with Huffman tables of its own and a restart marker
    every `restart` MCUs (1 to 65535). Coefficients, segments (EXIF, ICC), labels and
    ids are the same; every picture is read again and compared before it is written.
    Any reader of JPEG reads it; mxio's loaders jump to the part that they need.

    path_imgidx: the index, by default the one beside the file, if there is one; records
        that it does not list are not there. keys: of the new index, see subset.
    threads: that work; 0 means every core.

    What is no JPEG, or cannot be said in baseline, is copied as it is, and so is a JPEG
    that does not decode: the report names them. DataError when the structure of file
    or index is damaged; OSError. The output appears when it is whole.
    """
    if not 1 <= restart <= _core.MAX_RESTART:
        raise ParameterError(
            f"restart must be in [1, {_core.MAX_RESTART}] MCUs, got {restart}"
        )
    workers = thread_count(threads)
    source = Source(path, path_imgidx, progress)
    count = len(source)
    _, names = source.new_keys(np.arange(count), keys)
    worker = _Repacker(source, restart)
    kept: Counter[str] = Counter()
    damaged = []
    with (
        RecordCopier(source.path, output, source.files) as out,
        progress_bar(progress, "repack", count, "record") as advance,
    ):
        for ordinal, made in in_order(worker.make, range(count), workers):
            offset, end = int(source.offsets[ordinal]), int(source.ends[ordinal])
            if made.record is not None:
                out.append(made.record)
            else:
                out.add(offset, end)
                kept["damaged" if made.damaged else made.reason] += 1
            if made.damaged:
                key = source.key(ordinal)
                damaged.append(KeptPicture(ordinal, key, offset, made.reason))
            advance(1)
        out.publish(names)
    return RepackReport(
        source.path,
        out.path,
        out.index_path,
        count,
        count - kept.total(),
        dict(kept),
        tuple(damaged),
        os.path.getsize(source.path),
        out.size,
    )


def add_parser(commands: Commands) -> None:
    """Describe the options."""
    parser = new_parser(
        commands,
        "repack",
        "JPEGs written anew for fast loading, without loss",
        "Copy IN to OUT with its JPEGs written anew, without loss, so that loaders\n"
        "need to read only the part of a picture that they use. Any reader reads OUT.\n"
        "The exit code is 1 when a JPEG is damaged; it is copied as it is.",
    )
    parser.add_argument("input", metavar="IN", help="a .rec file")
    parser.add_argument("output", metavar="OUT", help="the .rec to write")
    parser.add_argument(
        "--restart",
        type=int,
        default=_core.FAST_RESTART,
        metavar="MCUS",
        help="MCUs between two restart markers (default: %(default)s)",
    )
    add_keys(parser)
    add_threads(parser)
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    report = repack(
        options.input,
        options.output,
        restart=options.restart,
        path_imgidx=options.index,
        keys=options.keys,
        threads=options.threads,
        progress=not options.quiet,
    )
    if options.json:
        print_json(report)
    else:
        _tell(report)
    return Exit.PROBLEM if report.damaged else Exit.GOOD


def _tell(report: RepackReport) -> None:
    before = report.bytes_before
    change = report.bytes_after / before - 1 if before else 0.0
    print(
        f"{report.output}: {report.records} records, {report.pictures} JPEGs written"
        f" anew, {report.bytes_after} bytes ({change:+.1%}); {report.index}"
    )
    for reason, count in sorted(report.kept.items()):
        print(f"  {count} as they are: {reason}")
    for each in report.damaged[:_SHOWN]:
        print(
            f"  record {each.record}, key {each.key}, byte {each.offset}: {each.reason}"
        )
    if len(report.damaged) > _SHOWN:
        print(f"  and {len(report.damaged) - _SHOWN} more (--json lists all)")
