"""What is whole in a RecordIO file that may be damaged.

Writers cut a payload wherever it holds the magic number at a multiple of 4, so at the
alignment of the records every magic number is a head, and no part holds another one.
That tells a damaged length from a good one, and where records go on behind damage. A
magic number at another alignment is a head only behind bytes that were lost or added;
elsewhere it is part of a payload, which may well hold a whole RecordIO file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mxio import _core
from mxio._codec import MAX_PIXELS
from mxio._formats import format_of
from mxio._marks import (
    HEAD_SIZE,
    LENGTH_BITS,
    LENGTH_MASK,
    MAGIC,
    Marks,
    kind_of,
    part_size,
)
from mxio.errors import DataError
from mxio.recordio import unpack

__all__ = ["Lost", "Whole", "parse", "picture_fault"]

_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
# Times the largest record so far: a longer one is not believed unless it is whole.
_FAR = 64

NO_HEAD = "no record head"


class Whole(NamedTuple):
    """A record that is there from its head to its last byte.

    Its bytes are [offset, end); the padding of the last record of a file may be
    missing. doubtful: what follows it is damaged, so that only its own head says how
    long it is, and bytes may have been lost or added in it.
    """

    offset: int
    end: int
    doubtful: bool


class Lost(NamedTuple):
    """Bytes [offset, end) that belong to no whole record, and why."""

    offset: int
    end: int
    reason: str


def parse(path: str | os.PathLike[str]) -> Iterator[Whole | Lost]:
    """All bytes of a file, in order, as whole records and what lies between them.

    Memory stays bounded whatever the file holds. OSError when it cannot be read.
    """
    with Marks(path) as marks:
        lost: Lost | None = None
        for piece in _Parser(marks).pieces():
            if isinstance(piece, Whole):
                if lost is not None:
                    yield lost
                    lost = None
                yield piece
            elif piece.end > piece.offset:
                # One damage is told once, with its first reason.
                lost = piece if lost is None else lost._replace(end=piece.end)
        if lost is not None:
            yield lost


def picture_fault(payload: bytes) -> str | None:
    """What is wrong with the picture of an image record, all of it decoded.

    None when it is whole, or when it is of a format that the core does not know.
    """
    try:
        picture = unpack(payload)[1]
        _core.decode(picture, 0, False, False, MAX_PIXELS)
    except DataError as error:
        return str(error)
    return None


@dataclass
class _Record:
    """What follows from the heads at `offset`: parts up to `end`.

    fault: why it is not whole. inner: the first aligned magic number inside of what the
        last part claims. head, length: where the last part starts, and its length.
    """

    offset: int
    end: int
    head: int
    length: int = 0
    fault: str | None = None
    inner: int | None = None


class _Parser:
    """Goes through the marks of one file; `offset` is what is known up to."""

    def __init__(self, marks: Marks) -> None:
        self.marks = marks
        self.offset = 0
        self.largest = 0  # of the records so far

    @property
    def size(self) -> int:
        return self.marks.size

    def pieces(self) -> Iterator[Whole | Lost]:
        while self.offset < self.size:
            self.marks.forget(self.offset)
            record = self.read(self.offset)
            if record is None:
                yield self.cross_gap(NO_HEAD)
                continue
            if record.fault is not None and self.is_implausible(record):
                yield self.cross_gap(record.fault)
                continue
            confirmed = record.fault is None and self.is_confirmed(record)
            if confirmed:
                self.largest = max(self.largest, record.end - record.offset)
                self.offset = min(record.end, self.size)
                yield Whole(record.offset, self.offset, False)
            elif record.inner is not None:
                yield self.skip_to(record.inner, record.fault)
            elif record.end > self.size:
                yield self.skip_to(self.behind_cut(record), record.fault)
            elif record.end == self.size or self.marks.word(record.end) is not None:
                yield self.skip_to(record.end, record.fault)
            else:
                yield from self.judge(record)

    def read(self, offset: int) -> _Record | None:
        """The record, or the part of one, whose head is at `offset`."""
        marks = self.marks
        word = marks.word(offset)
        if word is None or kind_of(word) > _LAST:
            return None
        record = _Record(offset, offset, offset)
        if kind_of(word) in (_MIDDLE, _LAST):
            record.fault = "a part without the start of its record"
        total = -4
        while True:
            kind, record.length = kind_of(word), word & LENGTH_MASK
            record.head = record.end
            record.end += part_size(record.length)
            record.inner = marks.following(record.head, record.end)
            total += 4 + record.length
            if record.inner is not None:
                record.fault = "its length leads beyond the next record"
            elif record.head + HEAD_SIZE + record.length > self.size:
                record.fault = "the file ends in it"
            elif total > LENGTH_MASK:
                record.fault = "it has 2^29 bytes or more"
            elif kind in (_FIRST, _MIDDLE) and record.length % 4 != 0:
                record.fault = "a part of it is damaged"
            if record.fault is not None or kind in (_WHOLE, _LAST):
                self.check_padding(record)
                return record
            next_word = marks.word(record.end)
            if next_word is None or kind_of(next_word) not in (_MIDDLE, _LAST):
                record.fault = "a part of it is missing"
                return record
            word = next_word

    def is_implausible(self, record: _Record) -> bool:
        """Whether a length is no length: far beyond all others, or all that is left."""
        usual = min(self.largest or self.size, self.size - record.head)
        return record.length > _FAR * usual

    def check_padding(self, record: _Record) -> None:
        """Padding that is not zero means that the length is damaged."""
        count = -record.length % 4
        if record.fault is None and count:
            padding = self.marks.bytes_at(record.end - count, count)
            if padding.strip(b"\0"):
                record.fault = "the padding behind it is not zero"

    def is_confirmed(self, record: _Record) -> bool:
        """Whether the end of the file, or a head, follows a record that seems whole.

        What follows may also show that the record goes on: a fault of it.
        """
        if record.end >= self.size:
            return True
        word = self.marks.word(record.end)
        if word is None:
            return False
        if record.length % 4 == 0 and self.closes(record.end):
            record.fault = "a part of it is missing"
            return False
        return True

    def closes(self, offset: int) -> bool:
        """Whether parts that continue a record, and its end, are at `offset`."""
        while True:
            word = self.marks.word(offset)
            if word is None or kind_of(word) not in (_MIDDLE, _LAST):
                return False
            end = offset + part_size(word & LENGTH_MASK)
            if self.marks.following(offset, end) is not None:
                return False
            if kind_of(word) == _LAST:
                after = self.marks.word(end)
                starts = after is not None and kind_of(after) in (_WHOLE, _FIRST)
                return starts or end >= self.size
            offset = end

    def judge(self, record: _Record) -> Iterator[Whole | Lost]:
        """A record, whole or not, with damage behind it."""
        resume = self.marks.resume(record.end)
        if self.is_damaged_head(record.end, resume):
            yield self.verdict(record, record.fault is None)
            yield self.skip_to(resume, "a damaged record head")
        elif not (proven := self.decodes(record)) and self.one_bit_off(record, resume):
            yield self.skip_to(resume, record.fault or "its length is damaged")
        elif (crossing := self.crossing(record)) is not None:
            yield self.skip_to(crossing, record.fault or "bytes of it are missing")
        else:
            yield self.verdict(record, proven)
            yield self.cross_gap(NO_HEAD)

    def verdict(self, record: _Record, proven: bool) -> Whole | Lost:
        self.offset = record.end
        if record.fault is not None:
            return Lost(record.offset, record.end, record.fault)
        return Whole(record.offset, record.end, not proven)

    def decodes(self, record: _Record) -> bool:
        """Whether the picture of a record decodes; a fault of the record if it does
        not, False for other payloads.
        """
        if record.fault is None and self.is_picture(record):
            record.fault = picture_fault(self.marks.payload(record.offset))
            return record.fault is None
        return False

    def skip_to(self, end: int, reason: str | None) -> Lost:
        start, self.offset = self.offset, end
        return Lost(start, end, reason or NO_HEAD)

    def start_at(self, offset: int) -> _Record | None:
        """The record whose head is at `offset`, if it seems whole."""
        word = self.marks.word(offset)
        if word is None or kind_of(word) not in (_WHOLE, _FIRST):
            return None
        record = self.read(offset)
        return record if record is not None and record.fault is None else None

    def cross_gap(self, reason: str) -> Lost:
        """From where no head is, or a false one, to the next record, at this alignment
        or another.
        """
        start = self.offset
        resume = self.marks.resume(start)
        if self.is_damaged_head(start, resume):
            return self.skip_to(resume, "a damaged record head")
        for place in self.marks.unaligned(start, resume, start):
            record = self.start_at(place)
            if record is not None and self.is_believable(record):
                return self.skip_to(place, reason)
        return self.skip_to(resume, reason)

    def is_believable(self, record: _Record) -> bool:
        """Whether nothing speaks against a record found in a gap."""
        confirmed = self.is_confirmed(record)
        return record.fault is None and (confirmed or self.crossing(record) is None)

    def is_damaged_head(self, offset: int, resume: int) -> bool:
        """Whether half of a head is at `offset`, or one that the file ends in."""
        head = self.marks.bytes_at(offset, HEAD_SIZE)
        if len(head) < HEAD_SIZE:  # cut off
            return head.startswith(MAGIC[: len(head)])
        word = int.from_bytes(head[4:], "little")
        end = offset + part_size(word & LENGTH_MASK)
        unpadded = offset + HEAD_SIZE + (word & LENGTH_MASK)
        leads = end == resume or (resume == self.size and unpadded <= resume < end)
        if leads and kind_of(word) <= _LAST:
            return True
        has_magic = self.marks.word(offset) is not None
        return has_magic and (leads or bool(one_bit_fixes(offset, word, resume)))

    def one_bit_off(self, record: _Record, resume: int) -> bool:
        """Whether the record would be whole, up to `resume`, with one other bit in its
        last length.
        """
        for bit in one_bit_fixes(record.head, record.length, resume):
            padding = -(record.length ^ bit) % 4
            if not self.marks.bytes_at(resume - padding, padding).strip(b"\0"):
                return True
        return False

    def crossing(self, record: _Record) -> int | None:
        """Where whole records at another alignment start in a record, and go on beyond
        its end: bytes of it are missing then, for records do not overlap.
        """
        return self.chain_in(record, record.end, record.end + 1)

    def behind_cut(self, record: _Record) -> int:
        """Where to go on behind a record that claims more than the file has.

        The file may have been cut there, and other records written behind it. They
        reach to the end of the file; that is not enough where a payload may be a
        RecordIO file itself, but a picture is none.
        """
        found = None
        if self.is_picture(record):
            found = self.chain_in(record, self.size, self.size)
        return self.size if found is None else found

    def chain_in(self, around: _Record, stop: int, reach: int) -> int | None:
        """The first place in the last part of a record, at another alignment and before
        `stop`, from which whole records follow each other to `reach` at least, and a
        head or the end of the file follows them.
        """
        seen: set[int] = set()
        for place in self.marks.unaligned(around.head + 1, stop, around.offset):
            at = place
            while at not in seen:
                seen.add(at)
                record = self.start_at(at)
                if record is None:
                    break
                at = min(record.end, self.size)
                if at >= min(reach, self.size) and self.is_confirmed(record):
                    return place
        return None

    def is_picture(self, record: _Record) -> bool:
        start = self.marks.bytes_at(record.offset + HEAD_SIZE, 1 << 16)
        try:
            picture = unpack(start)[1]
        except DataError:
            return False
        return format_of(picture) in ("jpeg", "png")


def one_bit_fixes(offset: int, word: int, resume: int) -> list[int]:
    """The bits of a head's second word of which each alone would make the part lead to
    `resume`.
    """
    return [
        bit
        for bit in (1 << place for place in range(LENGTH_BITS))
        if offset + part_size((word ^ bit) & LENGTH_MASK) == resume
    ]
