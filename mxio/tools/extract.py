"""`mxio extract`: records as files, named by key and label."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mxio import _core
from mxio._atomic import naming, write_file
from mxio._formats import suffix_of
from mxio._views import Selection
from mxio.errors import DataError, ParameterError
from mxio.recordio import unpack
from mxio.tools._command import (
    Exit,
    add_json,
    add_quiet,
    new_parser,
    number_text,
    print_json,
    progress_bar,
)
from mxio.tools._source import Source, add_selection, records_given

if TYPE_CHECKING:
    from mxio.tools._command import Commands

__all__ = ["ExtractReport", "add_parser", "extract", "run"]

_NAMES = "{label}/{key}"


@dataclass(frozen=True)
class ExtractReport:
    """Files that were written into `folder`; empty: records without a picture, which
    were left out.
    """

    folder: str
    files: int
    bytes: int
    empty: int


def extract(
    path: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    records: Selection | Sequence[int | str] | None = None,
    names: str = _NAMES,
    payload: bool = False,
    path_imgidx: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> ExtractReport:
    """Write the picture of each record to a file of its own, as it is stored.

    records: which, as for `subset`; by default all.
    names: of the files below `folder`, in which {key}, {label} (the first one),
        {id} and {ordinal} stand for those of the record; the suffix is that of the
        format (.jpg, .png, ...; .bin when unknown).
    payload: write all of each record, with the suffix .bin.

    Files that are there are replaced. ParameterError when two records get one name, or
    a name leads out of the folder; DataError when file or index are damaged; OSError.
    """
    source = Source(path, path_imgidx, progress)
    file = _core.RecordFile(source.path)
    chosen = source.chosen(records).tolist()
    target = os.fspath(folder)
    stems = _stems(source, chosen, names)
    files = size = empty = 0
    with progress_bar(progress, "extract", len(chosen), "record") as advance:
        for ordinal, stem in zip(chosen, stems, strict=True):
            advance(1)
            data = _content(file, int(source.offsets[ordinal]), payload)
            if not data and not payload:
                empty += 1
                continue
            suffix = ".bin" if payload else suffix_of(data)
            place = os.path.join(target, stem + suffix)
            with naming(os.path.dirname(place)):
                os.makedirs(os.path.dirname(place), exist_ok=True)
            write_file(place, data)
            files, size = files + 1, size + len(data)
    return ExtractReport(target, files, size, empty)


def _content(file: _core.RecordFile, offset: int, payload: bool) -> bytes:
    found = file.read(offset)
    assert found is not None  # a record has been found there
    return found[0] if payload else unpack(found[0])[1]


def _stems(source: Source, chosen: list[int], names: str) -> list[str]:
    """Names without suffix, all different, none of which leads out of the folder."""
    seen: dict[str, int] = {}
    for ordinal in chosen:
        values = {
            "key": str(source.key(ordinal)).replace("/", "_"),
            "label": number_text(float(source.labels[ordinal])),
            "id": int(source.ids[ordinal]),
            "ordinal": ordinal,
        }
        try:
            stem = names.format(**values)
        except (LookupError, ValueError, AttributeError, TypeError) as error:
            raise ParameterError(
                "names may hold {key}, {label}, {id} and {ordinal}, "
                f"got {names!r} ({error})"
            ) from None
        parts = stem.split("/")
        if "\0" in stem or any(part in ("", ".", "..") for part in parts):
            raise ParameterError(
                f"names {names!r} gives {stem!r}, which is no file name"
            )
        if stem in seen:
            raise ParameterError(
                f"names {names!r} gives the records {seen[stem]} and {ordinal} one "
                f"name, {stem!r}"
            )
        seen[stem] = ordinal
    return list(seen)


def add_parser(commands: Commands) -> None:
    """Describe the options."""
    parser = new_parser(
        commands,
        "extract",
        "records as files, named by key and label",
        "Write the picture of each record of FILE to a file of its own below DIR.",
    )
    parser.add_argument("file", metavar="FILE", help="a .rec file")
    parser.add_argument("folder", metavar="DIR", help="where the files go")
    parser.add_argument(
        "--names",
        default=_NAMES,
        metavar="TEXT",
        help="of the files, without suffix, from {key}, {label}, {id} and {ordinal} "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--payload", action="store_true", help="all of each record, not its picture"
    )
    parser.add_argument(
        "--index", metavar="IDX", help="(default: beside FILE, if there is one)"
    )
    add_selection(parser)
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    try:
        report = extract(
            options.file,
            options.folder,
            records=records_given(options),
            names=options.names,
            payload=options.payload,
            path_imgidx=options.index,
            progress=not options.quiet,
        )
    except DataError as error:
        hint = " (--payload takes any record)" if error.path is None else ""
        raise DataError(f"{error}{hint}", error.path) from None
    if options.json:
        print_json(report)
        return Exit.GOOD
    left_out = f"; {report.empty} records have no picture" if report.empty else ""
    print(f"{report.folder}: {report.files} files, {report.bytes} bytes{left_out}")
    return Exit.GOOD
