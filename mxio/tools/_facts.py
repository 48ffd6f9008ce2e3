"""What can be said about a RecordIO file after one pass over it."""

from __future__ import annotations

import os
import random
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from mxio import _core
from mxio._formats import suffix_of
from mxio.errors import DataError
from mxio.recordio import unpack
from mxio.tools._fetch import sha256_of
from mxio.tools._gallery import decoded
from mxio.tools._quality import jpeg_quality
from mxio.tools._samples import class_of
from mxio.tools._threads import in_order

__all__ = ["Damage", "Facts", "Place", "gather"]

_CHUNK = 32  # records that one thread looks at
_CHUNK_BYTES = 8 << 20
_DAMAGES_KEPT = 1000


@dataclass(frozen=True)
class Place:
    """Where a record is: file, ordinal in the file set, byte of its head."""

    path: str
    record: int
    offset: int


@dataclass(frozen=True)
class Damage:
    """A record that is damaged, the id in its header if that can be read, and why."""

    place: Place
    id: int | None
    reason: str


@dataclass
class Facts:
    """What the records of some files have in common.

    sha256: of each file. labels: records of each whole-number label; other_labels:
    records with other labels, by how many numbers they have. widths, heights, sizes: of
    pictures, in pixels and bytes, where the header could be read. qualities: of JPEGs.
    damaged: how many; damages: the first of them. sample: some records, drawn by seed.
    checked: whether all pictures were decoded.
    """

    paths: list[str]
    bytes: int
    checked: bool
    sha256: list[str] = field(default_factory=list)
    records: int = 0
    labels: Counter[int] = field(default_factory=Counter)
    other_labels: Counter[int] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    channels: Counter[int] = field(default_factory=Counter)
    widths: array[int] = field(default_factory=lambda: array("I"))
    heights: array[int] = field(default_factory=lambda: array("I"))
    sizes: array[int] = field(default_factory=lambda: array("I"))
    qualities: Counter[int] = field(default_factory=Counter)
    damaged: int = 0
    damages: list[Damage] = field(default_factory=list)
    sample: list[Place] = field(default_factory=list)

    @property
    def label_width(self) -> int:
        """The most labels that a record has."""
        return max([1, *self.other_labels])


@dataclass(frozen=True)
class _Seen:
    """What one thread says about one record."""

    place: Place
    id: int | None = None
    labels: tuple[float, ...] = ()
    size: int | None = None
    format: str = ""
    shape: tuple[int, int, int] | None = None
    quality: int | None = None
    problem: str | None = None


def gather(
    paths: Sequence[str],
    *,
    decode: bool,
    sample: int,
    seed: int,
    threads: int,
    advance: Callable[[int], object],
) -> Facts:
    """Read every record of the files once; `advance` is told the bytes that are done.

    decode: decode every picture, to find damage; without, headers only. sample: so many
    records are drawn by the seed, each as likely as any other. A damaged head ends the
    file: what is behind it is for `mxio repair` to find. OSError.
    """
    for path in paths:
        _core.RecordFile(path).close()  # refuses what is no plain file, and may not end
    facts = Facts(list(paths), sum(os.path.getsize(path) for path in paths), decode)
    drawing = random.Random(seed)

    def look(chunk: list[tuple[Place, bytes | None, str]]) -> list[_Seen]:
        return [_look_at(place, data, why, decode) for place, data, why in chunk]

    with ThreadPoolExecutor(1) as aside:
        digests = [aside.submit(sha256_of, path) for path in paths]
        done = 0
        for chunk in in_order(look, _chunks(paths), threads):
            for seen in chunk:
                _add(facts, seen)
                _draw(facts, seen, sample, drawing)
            reached = sum(
                os.path.getsize(path)
                for path in paths[: paths.index(chunk[-1].place.path)]
            )
            reached += chunk[-1].place.offset
            advance(reached - done)
            done = reached
        advance(facts.bytes - done)
        facts.sha256 = [digest.result() or "" for digest in digests]
    facts.sample.sort(key=lambda place: place.record)
    return facts


def _chunks(
    paths: Sequence[str],
) -> Iterator[list[tuple[Place, bytes | None, str]]]:
    """(place, payload or None, reason) of all records, some at a time."""
    chunk: list[tuple[Place, bytes | None, str]] = []
    total = 0
    for place, payload, why in _records(paths):
        chunk.append((place, payload, why))
        total += len(payload or b"")
        if len(chunk) == _CHUNK or total > _CHUNK_BYTES:
            yield chunk
            chunk, total = [], 0
    if chunk:
        yield chunk


def _records(paths: Sequence[str]) -> Iterator[tuple[Place, bytes | None, str]]:
    number = 0
    for path in paths:
        file = _core.RecordFile(path)
        offset = 0
        while True:
            place = Place(path, number, offset)
            try:
                found = file.read(offset)
            except DataError as error:
                number += 1
                yield place, None, f"{error}; nothing behind it was looked at"
                break
            if found is None:
                break
            number += 1
            payload, offset = found
            yield place, payload, ""
        file.close()


def _look_at(place: Place, payload: bytes | None, why: str, decode: bool) -> _Seen:
    if payload is None:
        return _Seen(place, problem=why)
    try:
        header, picture = unpack(payload)
    except DataError as error:
        return _Seen(place, problem=str(error))
    labels = tuple(np.atleast_1d(np.asarray(header.label, np.float32)).tolist())
    size, kind, shape, problem = len(picture), suffix_of(picture)[1:], None, None
    try:
        facts = _core.probe(picture)
        if facts is not None:
            shape = facts[1:4]
        if decode or facts is None:
            pixels = decoded(picture)
            if shape is None:
                height, width, channels = pixels.shape
                shape = (height, width, channels)
    except DataError as error:
        problem = str(error)
    quality = jpeg_quality(picture)
    return _Seen(place, header.id, labels, size, kind, shape, quality, problem)


def _add(facts: Facts, seen: _Seen) -> None:
    facts.records += 1
    if seen.problem is not None:
        facts.damaged += 1
        if len(facts.damages) < _DAMAGES_KEPT:
            facts.damages.append(Damage(seen.place, seen.id, seen.problem))
    if seen.size is None:
        return
    label = class_of(seen.labels)
    if label is None:
        facts.other_labels[len(seen.labels)] += 1
    else:
        facts.labels[label] += 1
    facts.formats[seen.format] += 1
    facts.sizes.append(seen.size)
    if seen.shape is not None:
        height, width, channels = seen.shape
        facts.heights.append(height)
        facts.widths.append(width)
        facts.channels[channels] += 1
    if seen.quality is not None:
        facts.qualities[seen.quality] += 1


def _draw(facts: Facts, seen: _Seen, wanted: int, drawing: random.Random) -> None:
    """Keep the sample fair while it is not known how many records will come."""
    if len(facts.sample) < wanted:
        facts.sample.append(seen.place)
    elif wanted:
        place = drawing.randrange(facts.records)
        if place < wanted:
            facts.sample[place] = seen.place
