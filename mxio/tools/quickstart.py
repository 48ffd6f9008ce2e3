"""`mxio quickstart`: pack pictures, load them through every face, look at them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mxio.tools._command import Exit, add_threads, new_parser

if TYPE_CHECKING:
    from mxio.tools._command import Commands

__all__ = ["add_parser", "run"]


def add_parser(commands: Commands) -> None:
    """Describe the options."""
    parser = new_parser(
        commands,
        "quickstart",
        "pack pictures, load them by every face, draw a sheet",
        "Pack pictures into RecordIO, load them through every face of mxio, compare\n"
        "the speed with plain decoding, and draw a contact sheet.",
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="folder of JPEGs or PNGs, flat or with a folder for each class "
        "(default: the bundled pictures)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="PNG",
        default=Path("quickstart.png"),
        help="where the contact sheet goes (default: %(default)s)",
    )
    add_threads(parser)


def run(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    from mxio import quickstart

    quickstart.run(options.images, options.out, options.threads)
    return Exit.GOOD
