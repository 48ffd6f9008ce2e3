"""`mxio index`: the index of a file, by ids or by numbers."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mxio._atomic import atomic_text, refuse_replacing
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

if TYPE_CHECKING:
    from mxio.tools._command import Commands

__all__ = ["IndexReport", "add_parser", "index", "run"]


@dataclass(frozen=True)
class IndexReport:
    """The index that was written; its keys are ids or numbers from 0."""

    path: str
    index: str
    records: int
    keys: Literal["id", "number"]


def index(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    keys: Keys = "auto",
    progress: bool = False,
) -> IndexReport:
    """Write the index of a RecordIO file, whole or not at all.

    output: by default beside the file, its suffix replaced by .idx.
    keys: "id", the ids in the image headers; "number", 0, 1, ...; "auto", ids if every
        record has one of its own, else numbers.

    DataError, naming record and byte, when the file is damaged, or when a record has no
    id to be its key; ParameterError when the index would replace the file; OSError.
    """
    source = os.fspath(path)
    target = index_of(source) if output is None else os.fspath(output)
    refuse_replacing([target], [source])
    numbering = Numbering(keys)
    offsets = []
    with (
        HeadReader(source) as heads,
        progress_bar(progress, "index", heads.size, "B") as advance,
    ):
        for row in heads.rows():
            id = None if row.header is None else row.header.id
            numbering.add(id, f"at byte {row.offset}")
            offsets.append(row.offset)
            advance(row.end - row.offset)
    kind, names = numbering.keys()
    with atomic_text(target) as file:
        for name, offset in zip(names, offsets, strict=True):
            file.write(f"{name}\t{offset}\n")
    return IndexReport(source, target, len(offsets), kind)


def add_parser(commands: Commands) -> None:
    """Describe the options."""
    parser = new_parser(
        commands,
        "index",
        "write the index of a file",
        "Write the index of REC, by default beside it.",
    )
    parser.add_argument("input", metavar="REC", help="a .rec file")
    parser.add_argument("output", metavar="IDX", nargs="?", help="the index to write")
    parser.add_argument(
        "--keys",
        choices=KEYS,
        default="auto",
        help="ids of the records, numbers, or ids if they are distinct "
        "(default: %(default)s)",
    )
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    report = index(
        options.input, options.output, keys=options.keys, progress=not options.quiet
    )
    if options.json:
        print_json(report)
        return Exit.GOOD
    keys = {"id": "ids", "number": "numbers from 0"}[report.keys]
    print(f"{report.index}: {report.records} records, keys are {keys}")
    return Exit.GOOD
