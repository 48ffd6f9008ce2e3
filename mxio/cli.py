"""The command `mxio`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mxio import __version__
from mxio._cores import cores
from mxio.errors import MxioError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; gives the exit code: 0 done, 1 failed, 2 wrongly called.

    What fails is told in one sentence on stderr.
    """
    parser = make_parser()
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stop:  # argparse has said why, or printed what was asked for
        return int(stop.code or 0)
    if options.command is None:
        parser.print_help()
        return 0
    from mxio import quickstart

    try:
        quickstart.run(options.images, options.out, options.threads)
    except (MxioError, OSError) as error:
        print(f"mxio {options.command}: {in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"mxio {options.command}: interrupted", file=sys.stderr)
        return 130
    return 0


def in_words(error: Exception) -> str:
    """What an error says, without the number that the system has for it."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def make_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    parser = argparse.ArgumentParser(
        prog="mxio",
        description="MXNet's data loading, on its own: RecordIO in, batches out.",
    )
    parser.add_argument("--version", action="version", version=f"mxio {__version__}")
    commands = parser.add_subparsers(dest="command", title="commands", metavar="")
    quickstart = commands.add_parser(
        "quickstart",
        help="pack pictures, load them through every face, draw a contact sheet",
        description="Pack pictures into RecordIO, load them through every face of "
        "mxio, compare the speed with plain decoding, and draw a contact sheet.",
    )
    quickstart.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="folder of JPEGs or PNGs, flat or with a folder for each class "
        "(default: the bundled pictures)",
    )
    quickstart.add_argument(
        "--out",
        type=Path,
        metavar="PNG",
        default=Path("quickstart.png"),
        help="where the contact sheet goes (default: %(default)s)",
    )
    quickstart.add_argument(
        "--threads",
        type=thread_count,
        metavar="N",
        default=cores(),
        help="worker threads, 1 to 1024 (default: every core, %(default)s here)",
    )
    return parser


def thread_count(text: str) -> int:
    """argparse type of --threads."""
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"must be in [1, 1024], got {text}")
    return int(text)
