"""The command `mxio`."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from mxio import __version__
from mxio.tools._command import EXIT_CODES, Exit, HelpFormatter, guarded

__all__ = ["main"]

# Each is a module of mxio.tools, in the order of the help.
SUBCOMMANDS = (
    "quickstart",
    "info",
    "verify",
    "repair",
    "index",
    "view",
    "card",
    "convert",
    "subset",
    "split",
    "shuffle",
    "repack",
    "cat",
    "extract",
    "download",
    "bench",
    "doctor",
    "merge",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; gives the exit code, a mxio.tools._command.Exit.

    What fails is told in one sentence on stderr.
    """
    parser = make_parser()
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stop:  # argparse has said why, or printed what was asked for
        return int(stop.code or 0)
    if options.command is None:
        parser.print_help()
        return Exit.GOOD
    return guarded(f"mxio {options.command}", lambda: int(options.run(options)))


def make_parser() -> argparse.ArgumentParser:
    """All subcommands and their options."""
    parser = argparse.ArgumentParser(
        prog="mxio",
        description="Make, inspect and mend RecordIO image data sets.",
        epilog=f"`mxio COMMAND --help` tells the rest.\n{EXIT_CODES}",
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mxio {__version__}")
    commands = parser.add_subparsers(
        dest="command", title="commands", metavar="COMMAND"
    )
    for name in SUBCOMMANDS:
        tool = importlib.import_module(f"mxio.tools.{name}")
        tool.add_parser(commands)
        commands.choices[name].set_defaults(run=tool.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
