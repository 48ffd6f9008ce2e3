"""NAME.mxio.json: several RecordIO files that the loaders read as one data set."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mxio._atomic import atomic_text, naming
from mxio.errors import DataError, ParameterError

__all__ = [
    "SUFFIX",
    "Shard",
    "expanded",
    "files_of",
    "index_of",
    "refuse_manifest",
    "write_manifest",
]

SUFFIX = ".mxio.json"
_SCHEMA = 1


@dataclass(frozen=True)
class Shard:
    """One file of a data set: its paths, what it holds, the CRC-32 of its bytes."""

    record: str
    index: str
    records: int
    bytes: int
    crc32: str


def write_manifest(path: str, shards: Sequence[Shard]) -> None:
    """Write the manifest; paths are stored as seen from its folder."""
    folder = os.path.dirname(os.path.abspath(path))
    files = [
        asdict(shard)
        | {name: os.path.relpath(getattr(shard, name), folder) for name in _PATHS}
        for shard in shards
    ]
    records = sum(shard.records for shard in shards)
    content = {"schema": _SCHEMA, "records": records, "files": files}
    with atomic_text(path) as file:
        file.write(json.dumps(content, indent=1) + "\n")


_PATHS = ("record", "index")


def files_of(path: str) -> list[str]:
    """The files of a manifest that have records, in order.

    DataError when it is no manifest, and for a file that is not of its size.
    """
    shards = [shard for shard in _read(path) if shard.bytes]
    for shard in shards:
        with naming(shard.record):
            size = os.path.getsize(shard.record)
        if size != shard.bytes:
            raise DataError(
                f"{shard.record} has {size} bytes, {shard.bytes} says {path}", path
            )
    return [shard.record for shard in shards]


def expanded(paths: Iterable[str]) -> list[str]:
    """The paths, those of manifests replaced by their files."""
    files: list[str] = []
    for path in paths:
        files += files_of(path) if path.endswith(SUFFIX) else [path]
    return files


def refuse_manifest(path: str) -> None:
    """ParameterError for a manifest, where one RecordIO file is needed."""
    if path.endswith(SUFFIX):
        raise ParameterError(
            f"{path} is a manifest of several files: name one of them, or join them by "
            "`mxio merge`"
        )


def index_of(path: str) -> bytes:
    """The index of all files of a manifest as if they were one.

    DataError when it is no manifest, and for a damaged index.
    """
    lines = []
    start = 0
    for shard in _read(path):
        lines += shifted_index(shard.index, start, shard.bytes)
        start += shard.bytes
    return b"".join(lines)


def shifted_index(path: str, start: int, size: int) -> list[bytes]:
    """The lines of an index, for when its file of `size` bytes begins at `start`.

    DataError names the line that is no line of an index of such a file.
    """
    lines = []
    with naming(path), open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                key, offset = line.split()
                if not 0 <= int(offset) < size:
                    raise ValueError
                lines.append(b"%s\t%d\n" % (key, start + int(offset)))
            except ValueError:
                raise DataError(
                    f"{path}:{number}: expected a key and an offset below {size}, "
                    f"got {line.strip()!r}",
                    path,
                ) from None
    return lines


def _read(path: str) -> list[Shard]:
    folder = os.path.dirname(path)
    try:
        with naming(path), open(path, encoding="utf-8") as file:
            content = json.load(file)
        if content["schema"] != _SCHEMA:
            raise DataError(
                f"{path}: expected schema {_SCHEMA}, got {content['schema']!r}", path
            )
        return [_shard(entry, folder) for entry in content["files"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: no manifest of mxio: {error!r}", path) from None


def _shard(entry: dict[str, Any], folder: str) -> Shard:
    record, index, crc32 = entry["record"], entry["index"], entry["crc32"]
    if not all(isinstance(text, str) for text in (record, index, crc32)):
        raise ValueError("record, index and crc32 are texts")
    return Shard(
        os.path.join(folder, record),
        os.path.join(folder, index),
        int(entry["records"]),
        int(entry["bytes"]),
        crc32,
    )
