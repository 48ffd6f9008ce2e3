"""`mxio subset`: some records of a file as a file of their own."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mxio.tools._command import Exit, add_json, add_quiet, new_parser, print_json
from mxio.tools._source import (
    NewKeys,
    Selection,
    Source,
    Written,
    add_keys,
    add_selection,
    tell,
    write,
)

if TYPE_CHECKING:
    from mxio.tools._command import Commands

__all__ = ["add_parser", "run", "subset"]


def subset(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    keys: Sequence[int | str] | None = None,
    labels: Sequence[float] | None = None,
    list_path: str | os.PathLike[str] | None = None,
    slice: slice | None = None,
    path_imgidx: str | os.PathLike[str] | None = None,
    new_keys: NewKeys = "keep",
    progress: bool = False,
) -> Written:
    """Copy the records that fulfil every condition given, in the order of the file.

    keys: those of the index, or ordinals where there is none. labels: values of the
        first label. list_path: a file whose lines begin with a key, such as a .lst.
        slice: of the records in the order of the file.
    path_imgidx: the index, by default the one beside the file, if there is one; records
        that it does not list are not there.
    new_keys: of the new index: "keep" those of the old one (as "auto" without one),
        "id", "number", or "auto", ids if they are distinct, else numbers.

    The bytes of the records stay as they are. ParameterError for keys that there are
    not, and when no record is left; DataError when file or index are damaged; OSError.
    """
    source = Source(path, path_imgidx, progress)
    chosen = source.chosen(Selection(keys, labels, list_path, slice))
    return write(source, chosen, output, new_keys, progress)


def add_parser(commands: Commands) -> None:
    """Describe the options."""
    parser = new_parser(
        commands,
        "subset",
        "some records, by key, label, list or slice",
        "Copy some records of IN, as they are and in their order, to OUT, and write\n"
        "the index beside it.",
    )
    parser.add_argument("input", metavar="IN", help="a .rec file")
    parser.add_argument("output", metavar="OUT", help="the .rec to write")
    add_selection(parser)
    add_keys(parser)
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    written = subset(
        options.input,
        options.output,
        keys=options.key,
        labels=options.label,
        list_path=options.list,
        slice=options.slice,
        path_imgidx=options.index,
        new_keys=options.keys,
        progress=not options.quiet,
    )
    if options.json:
        print_json(written)
    else:
        tell([written])
    return Exit.GOOD
