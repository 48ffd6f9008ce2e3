"""`mxio merge`: join shards into one file, or by a manifest."""

from __future__ import annotations

import argparse
import json
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mxio._atomic import naming, refuse_replacing
from mxio._draft import Draft
from mxio._manifest import SUFFIX, Shard, shifted_index, write_manifest
from mxio._packing import Outputs
from mxio.errors import DataError, ParameterError
from mxio.tools._command import (
    Exit,
    add_json,
    add_quiet,
    new_parser,
    print_json,
    progress_bar,
)

if TYPE_CHECKING:
    from mxio.tools._command import Commands

__all__ = ["MergeReport", "add_parser", "merge", "run"]

_CHUNK = 1 << 20
_NUMBERED = re.compile(r"-(\d{5})-of-(\d{5})\.done\.json")


@dataclass(frozen=True)
class MergeReport:
    """What `merge` wrote; index is empty for a manifest."""

    output: str
    index: str
    shards: int
    records: int
    bytes: int


@dataclass(frozen=True)
class _Done:
    """A shard and what its done-record says."""

    shard: Shard
    digest: str
    number: int
    of: int


def merge(
    output: str | os.PathLike[str],
    shards: Sequence[str | os.PathLike[str]] = (),
    *,
    progress: bool = False,
) -> MergeReport:
    """Join the shards of a list that `pack` wrote.

    output: with a name ending in .mxio.json a manifest, which the loaders read as one
        data set; else a RecordIO file with its index beside it, the bytes those of a
        single run.
    shards: the .rec files, in any order. By default those called as `pack` calls the
        shards of `output`, such as train-00000-of-00004.rec for train.rec.
    progress: show it on stderr.

    Every byte is compared with the checksum of its shard before the output has its
    name; for a manifest, only sizes are. An interrupted call is repeated.

    Raises DataError when a shard is missing, damaged, or of another list or options;
    OSError naming the file that cannot be read or written; MxioError when another run
    writes the output; ParameterError when there is nothing to join, or when the output
    would replace a shard.
    """
    output = os.fspath(output)
    outputs = Outputs.of(output)
    written = [output] if output.endswith(SUFFIX) else [output, outputs.index]
    refuse_replacing(written, [])
    found = [_read_done(os.fspath(path)) for path in shards]
    if not shards:
        found = [_read_done(path) for path in _shards_of(output)]
    ordered = [each.shard for each in _whole_set(output, found)]
    kept = [path for shard in ordered for path in (shard.record, shard.index)]
    refuse_replacing(written, kept)
    for shard in ordered:
        _check_size(shard)
    if output.endswith(SUFFIX):
        write_manifest(output, ordered)
        index = ""
    else:
        index = outputs.index
        _join(outputs, ordered, progress)
    return MergeReport(
        output,
        index,
        len(ordered),
        sum(shard.records for shard in ordered),
        sum(shard.bytes for shard in ordered),
    )


def _shards_of(output: str) -> list[str]:
    """Records with the names of shards of `output`."""
    folder, name = os.path.split(output)
    suffix = SUFFIX if name.endswith(SUFFIX) else os.path.splitext(name)[1]
    stem = name.removesuffix(suffix)
    with naming(folder or "."):
        names = os.listdir(folder or ".")
    found = [
        f"{stem}-{match[1]}-of-{match[2]}"
        for each in names
        if each.startswith(stem) and (match := _NUMBERED.fullmatch(each, len(stem)))
    ]
    kinds = [suffix] if suffix not in (SUFFIX, "") else [".rec"]
    if not found:
        raise ParameterError(
            f"no shards of {output}: no {os.path.join(folder, stem)}-?????-of-?????"
            ".done.json is there"
        )
    return [os.path.join(folder, each + kinds[0]) for each in sorted(found)]


def _read_done(path: str) -> _Done:
    outputs = Outputs.of(path)
    try:
        with naming(outputs.done), open(outputs.done, encoding="utf-8") as file:
            facts = json.load(file)
        shard = Shard(
            outputs.record,
            outputs.index,
            int(facts["records"]),
            int(facts["bytes"]),
            str(facts["crc32"]),
        )
        return _Done(
            shard, str(facts["digest"]), int(facts["shard"]), int(facts["shards"])
        )
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{outputs.done}: no done-record of im2rec") from None


def _whole_set(output: str, found: Sequence[_Done]) -> list[_Done]:
    """In order, when they are all shards of one list, each once."""
    first = found[0]
    for each in found:
        if (each.digest, each.of) != (first.digest, first.of):
            raise DataError(
                f"{each.shard.record} is not of the same list, options, codecs and "
                f"number of shards as {first.shard.record}"
            )
    by_number = {each.number: each for each in found}
    missing = [number for number in range(first.of) if number not in by_number]
    if missing:
        raise DataError(
            f"{output}: {len(missing)} of {first.of} shards are missing, the first is "
            f"number {missing[0]}; pack them, then merge again"
        )
    if len(found) != first.of:
        raise DataError(f"{output}: a shard is given twice")
    return [by_number[number] for number in range(first.of)]


def _check_size(shard: Shard) -> None:
    with naming(shard.record):
        size = os.path.getsize(shard.record)
    if size != shard.bytes:
        raise DataError(
            f"{shard.record} has {size} bytes, its done-record says {shard.bytes}; "
            "pack it anew"
        )


def _join(outputs: Outputs, shards: Sequence[Shard], progress: bool) -> None:
    total = sum(shard.bytes for shard in shards)
    with closing(Draft([outputs.record, outputs.index], "")) as draft:
        draft.begin()
        with progress_bar(progress, "merge", total, "B") as step:
            for shard in shards:
                start = draft.sizes[0]
                index = shifted_index(shard.index, start, shard.bytes)
                if len(index) != shard.records:
                    raise DataError(
                        f"{shard.index} has {len(index)} lines, its file "
                        f"{shard.records} records"
                    )
                for chunk in _checked(shard):
                    draft.append(0, chunk)
                    step(len(chunk))
                draft.append(1, b"".join(index))
        draft.publish(None)


def _checked(shard: Shard) -> Iterator[bytes]:
    """The bytes of a shard; DataError at the end when they are not those packed."""
    crc32 = 0
    with naming(shard.record), open(shard.record, "rb") as file:
        while chunk := file.read(_CHUNK):
            crc32 = zlib.crc32(chunk, crc32)
            yield chunk
    if f"{crc32:08x}" != shard.crc32:
        raise DataError(
            f"{shard.record}: the checksum is {crc32:08x}, its done-record says "
            f"{shard.crc32}; pack it anew"
        )


def add_parser(commands: Commands) -> None:
    """Add the subcommand."""
    parser = new_parser(
        commands,
        "merge",
        "join shards into one .rec and .idx, or by a manifest",
        "Join the shards that `im2rec --shards` wrote. OUTPUT.rec becomes the file\n"
        "that a single run would have written, OUTPUT.mxio.json a manifest that the\n"
        "loaders read as one data set.",
    )
    parser.add_argument("output", metavar="OUTPUT", help=".rec or .mxio.json to write")
    parser.add_argument(
        "shards",
        nargs="*",
        metavar="SHARD",
        help="the .rec files (default: those named after OUTPUT)",
    )
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Do what the command line says; gives the exit code."""
    report = merge(options.output, options.shards, progress=not options.quiet)
    if options.json:
        print_json(report)
    else:
        print(f"{report.output}: {report.records} records of {report.shards} shards")
    return Exit.GOOD
