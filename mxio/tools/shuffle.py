"""`mxio shuffle`: the records of a file in another order."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

import numpy as np

from mxio.errors import ParameterError
from mxio.tools._command import Exit, add_json, add_quiet, new_parser, print_json
from mxio.tools._source import NewKeys, Source, Written, add_keys, tell, write

if TYPE_CHECKING:
    from mxio.tools._command import Commands

__all__ = ["add_parser", "run", "shuffle"]


def shuffle(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    seed: int = 0,
    path_imgidx: str | os.PathLike[str] | None = None,
    keys: NewKeys = "keep",
    progress: bool = False,
) -> Written:
    """Copy all records in an order that follows from the seed, 0 to 2**32 - 1.

    It is a permutation of the whole file; memory holds offsets, not records. See
    `subset` for the rest. The loaders shuffle by themselves: this is for programs that
    read from start to end.
    """
    if not 0 <= seed < 2**32:
        raise ParameterError(f"seed must be in [0, 2**32 - 1], got {seed}")
    source = Source(path, path_imgidx, progress)
    # RandomState, as NumPy promises its numbers for all time.
    chosen = np.random.RandomState(seed).permutation(len(source))
    return write(source, chosen.astype(np.int64), output, keys, progress)


def add_parser(commands: Commands) -> None:
    """Describe the options."""
    parser = new_parser(
        commands,
        "shuffle",
        "the records in another order",
        "Copy all records of IN, as they are, to OUT, in an order that follows from\n"
        "the seed, and write the index beside it.",
    )
    parser.add_argument("input", metavar="IN", help="a .rec file")
    parser.add_argument("output", metavar="OUT", help="the .rec to write")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="(default: %(default)s)"
    )
    add_keys(parser)
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    written = shuffle(
        options.input,
        options.output,
        seed=options.seed,
        path_imgidx=options.index,
        keys=options.keys,
        progress=not options.quiet,
    )
    if options.json:
        print_json(written)
    else:
        tell([written])
    return Exit.GOOD
