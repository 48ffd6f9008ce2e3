"""What all subcommands share: exit codes, one way to fail, JSON, options, progress."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import enum
import io
import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mxio._atomic import naming
from mxio._progress import Progress
from mxio._signals import exiting_on_terminate
from mxio.errors import MxioError, ParameterError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

SCHEMA = 1  # of what --json prints; more when a field changes its meaning or goes


class Exit(enum.IntEnum):
    """What the exit code of every subcommand means."""

    GOOD = 0
    PROBLEM = 1  # damage found, or data that cannot be used
    USAGE = 2  # wrongly called
    IO = 4  # the system or the network refused
    INTERRUPTED = 130  # Ctrl-C


EXIT_CODES = """\
exit codes: 0 good, 1 a problem found, 2 wrong usage, 4 input/output error,
130 interrupted, 143 ended by SIGTERM"""


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Descriptions keep their lines; commands and short options take one line each."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)
        # argparse forgets that names of commands are indented twice.
        self._action_max_length = 14


def guarded(name: str, run: Callable[[], int], go_on: str = "") -> int:
    """The exit code of `run`; what it raises is one line on stderr, begun by `name`.

    go_on: what is said after an interruption.
    """
    _settle_streams()
    try:
        with exiting_on_terminate():
            code = run()
            _flush_output()
            return code
    except BrokenPipeError:  # the reader, such as head, has seen enough
        return Exit.IO
    except ParameterError as error:
        return _failed(name, error, Exit.USAGE)
    except OSError as error:
        return _failed(name, error, Exit.IO)
    except MxioError as error:
        return _failed(name, error, Exit.PROBLEM)
    except KeyboardInterrupt:
        print(f"{name}: interrupted{go_on}", file=sys.stderr)
        return Exit.INTERRUPTED


def _settle_streams() -> None:
    """Let closed standard streams lead nowhere: no file that is opened may take their
    numbers, and become what somebody prints to. What a stream cannot encode is escaped.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # the lowest number that is free is its own
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _flush_output() -> None:
    """Let the system report now what it could not take; the rest is dropped then."""
    try:
        with naming("standard output"):
            sys.stdout.flush()
    except OSError:
        # Python flushes once more as it ends, and would complain in its own words.
        with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        raise


def _failed(name: str, error: Exception, code: Exit) -> int:
    words = " ".join(_in_words(error).split())
    sentence = "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode()
        for sign in words  # names of files may hold what a terminal obeys
    )
    print(f"{name}: {sentence}", file=sys.stderr)
    return code


def _in_words(error: Exception) -> str:
    """What an error says, without the number that the system has for it."""
    if isinstance(error, OSError) and error.strerror is not None:
        where = "" if error.filename is None else f"{os.fspath(error.filename)}: "
        return f"{where}{error.strerror}"
    return str(error)


def number_text(value: float) -> str:
    """A label for people: whole numbers in full, others to 6 digits."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:g}"


def printable(text: str) -> str:
    """The text with a replacement for what cannot be shown, such as control characters
    and bytes of file names that are no text.
    """
    return "".join(
        sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text
    )


def new_parser(
    commands: Commands, name: str, help: str, description: str
) -> argparse.ArgumentParser:
    """A parser for the subcommand `name`; `help` is its line in `mxio --help`."""
    return commands.add_parser(
        name,
        help=help,
        description=description,
        epilog=EXIT_CODES,
        formatter_class=HelpFormatter,
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json, which every subcommand has whose output is text."""
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object instead of text"
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """--threads, with as many as there are cores by default."""
    from mxio._cores import cores

    parser.add_argument(
        "--threads",
        type=thread_count,
        metavar="N",
        default=cores(),
        help="worker threads, 1 to 1024 (default: every core, %(default)s here)",
    )


def thread_count(text: str) -> int:
    """argparse type of --threads."""
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"must be in [1, 1024], got {text}")
    return int(text)


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """--quiet, for subcommands that take long."""
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def print_json(result: Any) -> None:
    """One JSON object on stdout: "schema", and the fields of a dataclass or a dict."""
    print(json.dumps({"schema": SCHEMA, **plain(result)}, allow_nan=False))


def plain(value: Any) -> Any:
    """The same of what JSON knows: numbers that are not finite become null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@contextlib.contextmanager
def progress_bar(
    shown: bool, what: str, total: int | None, unit: str
) -> Iterator[Callable[[int], None]]:
    """A function that moves a bar on by so many units; no bar where there is no
    terminal. `what` stands before it; total is None when it is not known.
    """
    bar = Progress(total, unit, shown=shown, what=what)
    try:
        yield bar.step
    finally:
        bar.close()
