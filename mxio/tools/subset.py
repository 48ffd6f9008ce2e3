"""`mxio subset`: some records of a file as a file of their own."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mxio._views import Selection
from mxio.tools._command import Exit, add_json, add_quiet, new_parser, print_json
from mxio.tools._source import (
    NewKeys,
    Source,
    Written,
    add_keys,
    add_selection,
    records_given,
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
    records: Selection | Sequence[int | str] | None = None,
    path_imgidx: str | os.PathLike[str] | None = None,
    keys: NewKeys = "keep",
    progress: bool = False,
) -> Written:
    """Copy some records.

    records: which, as the loaders choose them: keys of the index (ordinals where there
        is none) or a slice, in the order given; a LabelRange or a function of (key,
        label), in the order of the file. The label is the first one. None is all.
    path_imgidx: the index, by default the one beside the file, if there is one; records
        that it does not list are not there.
    keys: of the new index: "keep" those of the old one (as "auto" without one),
        "id", "number", or "auto", ids if they are distinct, else numbers.

    The bytes of the records stay as they are. ParameterError for keys that there are
    not, or twice, and when no record is left; DataError when file or index are damaged;
    OSError.
    """
    source = Source(path, path_imgidx, progress)
    return write(source, source.chosen(records), output, keys, progress)


def add_parser(commands: Commands) -> None:
    """Describe the options."""
    parser = new_parser(
        commands,
        "subset",
        "some records, by key, label, list or slice",
        "Copy some records of IN, as they are, to OUT, and write the index beside it.\n"
        "Keys, lists and slices are copied in the order given.",
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
        records=records_given(options),
        path_imgidx=options.index,
        keys=options.keys,
        progress=not options.quiet,
    )
    if options.json:
        print_json(written)
    else:
        tell([written])
    return Exit.GOOD
