"""`mxio cat`: records to the standard output."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO, Literal

from mxio import _core
from mxio._views import Selection
from mxio.errors import DataError, ParameterError
from mxio.recordio import unpack
from mxio.tools._command import Exit, new_parser
from mxio.tools._source import Source, add_selection, records_given

if TYPE_CHECKING:
    from mxio.tools._command import Commands

__all__ = ["add_parser", "cat", "run"]

What = Literal["picture", "payload", "record"]
_WHAT: tuple[What, ...] = ("picture", "payload", "record")


def cat(
    path: str | os.PathLike[str],
    out: BinaryIO,
    *,
    records: Selection | Sequence[int | str] | None = None,
    what: What = "picture",
    path_imgidx: str | os.PathLike[str] | None = None,
) -> int:
    """Write records to `out`, one behind the other; gives how many.

    records: which, as for `subset`; by default all.
    what: "picture", what is behind the image header; "payload"; or "record", with heads
    and padding, so that what comes out is a RecordIO file. See `subset` for the rest.
    """
    if what not in _WHAT:
        raise ParameterError(f"what must be one of {', '.join(_WHAT)}, got {what!r}")
    source = Source(path, path_imgidx)
    file = _core.RecordFile(source.path)
    chosen = source.chosen(records)
    for offset in source.offsets[chosen].tolist():
        out.write(_bytes_of(file, offset, what))
    return len(chosen)


def _bytes_of(file: _core.RecordFile, offset: int, what: What) -> bytes:
    found = file.read(offset)
    assert found is not None  # a record has been found there
    payload = found[0]
    if what == "picture":
        return unpack(payload)[1]
    return payload if what == "payload" else _core.encode_record(payload)


def add_parser(commands: Commands) -> None:
    """Describe the options."""
    parser = new_parser(
        commands,
        "cat",
        "records to the standard output",
        "Write records of FILE, one behind the other, to the standard output:\n"
        "  mxio cat train.rec --key 7 > 7.jpg",
    )
    parser.add_argument("file", metavar="FILE", help="a .rec file")
    parser.add_argument(
        "--what",
        choices=_WHAT,
        default="picture",
        help="what is behind the image header, all of the payload, or the record as "
        "it is in the file (default: %(default)s)",
    )
    parser.add_argument(
        "--index", metavar="IDX", help="(default: beside FILE, if there is one)"
    )
    add_selection(parser)


def run(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    if sys.stdout.isatty():
        raise ParameterError("these are bytes and no text: send them to a file")
    try:
        cat(
            options.file,
            sys.stdout.buffer,
            records=records_given(options),
            what=options.what,
            path_imgidx=options.index,
        )
    except DataError as error:
        hint = " (--what payload takes any record)" if error.path is None else ""
        raise DataError(f"{error}{hint}", error.path) from None
    return Exit.GOOD
