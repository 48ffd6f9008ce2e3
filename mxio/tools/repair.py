"""`mxio repair`: save every whole record of a damaged file."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mxio._cores import cores
from mxio._salvage import Lost, Whole, parse, picture_fault
from mxio.errors import DataError, ParameterError
from mxio.tools._command import (
    Exit,
    add_json,
    add_quiet,
    new_parser,
    print_json,
    progress_bar,
)
from mxio.tools._heads import HeadReader
from mxio.tools._index import index_of
from mxio.tools._keys import KEYS, Keys, Numbering
from mxio.tools._output import RecordCopier
from mxio.tools._threads import in_order

if TYPE_CHECKING:
    from mxio.tools._command import Commands

__all__ = ["LostBytes", "RepairReport", "add_parser", "repair", "run"]

_SHOWN = 20  # lost stretches that are printed; --json has all


@dataclass(frozen=True)
class LostBytes:
    """Bytes [offset, end) of the damaged file that were left out, and why."""

    offset: int
    end: int
    reason: str


@dataclass(frozen=True)
class RepairReport:
    """What `repair` did.

    records: how many were saved. doubtful: offsets in the damaged file of those that
    nothing but their own head confirms (damage follows them, and their payload is no
    picture that can be decoded). lost: what was left out. keys: what the keys of the
    index are, "id" or "number".
    """

    path: str
    output: str
    index: str
    keys: Literal["id", "number"]
    records: int
    bytes_saved: int
    bytes_lost: int
    doubtful: tuple[int, ...]
    lost: tuple[LostBytes, ...]


def repair(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    keys: Keys = "auto",
    strict: bool = False,
    decode: bool = False,
    in_place: bool = False,
    progress: bool = False,
) -> RepairReport:
    """Copy every whole record of `path` to `output`, and write the index beside it.

    keys: of the index: "id", the ids in the image headers; "number", 0, 1, ...;
        "auto", ids if every record has one of its own, else numbers.
    strict: leave out doubtful records, too.
    decode: leave out records whose picture does not decode.
    in_place: `output` may be `path`.
    progress: show a bar, if stderr is a terminal.

    Both files appear when they are whole. DataError when no record is whole, or when
    one has no id to be its key; ParameterError when the output would replace the input
    or its index; OSError.
    """
    source, target = os.fspath(path), os.fspath(output)
    replaces = os.path.realpath(source) == os.path.realpath(target)
    if replaces and not in_place:
        raise ParameterError(
            f"output must be another file than {source}, unless in_place is given"
        )
    kept = [] if replaces else [source, index_of(source)]
    numbering = Numbering(keys)
    doubtful: list[int] = []
    lost: list[LostBytes] = []
    saved = 0
    with (
        HeadReader(source) as heads,
        RecordCopier(source, target, kept) as out,
        progress_bar(progress, "repair", heads.size, "B") as advance,
    ):
        for piece in _pieces(heads, decode):
            advance(piece.end - piece.offset)
            if isinstance(piece, Whole) and piece.doubtful and strict:
                piece = Lost(piece.offset, piece.end, "nothing confirms its length")
            if isinstance(piece, Lost):
                lost.append(LostBytes(*piece))
                continue
            if piece.doubtful:
                doubtful.append(piece.offset)
            row = heads.row(piece.offset)
            id = None if row is None or row.header is None else row.header.id
            numbering.add(id, f"at byte {piece.offset}")
            out.add(piece.offset, piece.end)
            saved += piece.end - piece.offset
        if not out.offsets:
            raise DataError(f"{source}: no record of it is whole", source)
        kind, names = numbering.keys()
        out.publish(names)
    return RepairReport(
        source,
        target,
        out.index_path,
        kind,
        len(out.offsets),
        saved,
        sum(each.end - each.offset for each in lost),
        tuple(doubtful),
        tuple(lost),
    )


def _pieces(heads: HeadReader, decode: bool) -> Iterator[Whole | Lost]:
    """The pieces of the file; with `decode`, bad pictures are lost."""
    if not decode:
        yield from parse(heads.path)
        return

    def judged(piece: Whole | Lost) -> Whole | Lost:
        found = None if isinstance(piece, Lost) else heads.file.read(piece.offset)
        problem = None if found is None else picture_fault(found[0])
        return piece if problem is None else Lost(piece.offset, piece.end, problem)

    yield from in_order(judged, parse(heads.path), cores())


def add_parser(commands: Commands) -> None:
    """Describe the options."""
    parser = new_parser(
        commands,
        "repair",
        "save every whole record of a damaged file",
        "Copy every whole record of IN, damaged or cut off, to OUT, and write the\n"
        "index beside it. Nothing is made up: what is in doubt is listed.",
    )
    parser.add_argument("input", metavar="IN", help="the damaged .rec file")
    parser.add_argument("output", metavar="OUT", nargs="?", help="the .rec to write")
    parser.add_argument(
        "--in-place", action="store_true", help="replace IN; there is no OUT then"
    )
    parser.add_argument(
        "--keys",
        choices=KEYS,
        default="auto",
        help="of the index: ids of the records, numbers, or ids if they are distinct "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="leave out doubtful records, too"
    )
    parser.add_argument(
        "--decode", action="store_true", help="leave out pictures that do not decode"
    )
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    if (options.output is None) != options.in_place:
        raise ParameterError("give either OUT or --in-place")
    report = repair(
        options.input,
        options.input if options.in_place else options.output,
        keys=options.keys,
        strict=options.strict,
        decode=options.decode,
        in_place=options.in_place,
        progress=not options.quiet,
    )
    if options.json:
        print_json(report)
    else:
        _tell(report)
    return Exit.GOOD


def _tell(report: RepairReport) -> None:
    keys = {"id": "ids", "number": "numbers from 0"}[report.keys]
    print(f"{report.output}: {report.records} records, {report.bytes_saved} bytes")
    print(f"{report.index}: keys are {keys}")
    if report.lost:
        print(f"left out {report.bytes_lost} bytes:")
    for each in report.lost[:_SHOWN]:
        print(f"  bytes {each.offset} to {each.end}: {each.reason}")
    if len(report.lost) > _SHOWN:
        print(f"  and {len(report.lost) - _SHOWN} more stretches (--json lists all)")
    if report.doubtful:
        print(
            f"{len(report.doubtful)} of the records are doubtful (--strict leaves them "
            f"out): damage follows them, so that only their own heads say how long "
            f"they are"
        )
