"""What is found in damaged files, against what was written into them.

Records are written here byte by byte, so that it is known where each one starts,
whatever happens to the file afterwards.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mxio import _salvage
from mxio._salvage import Lost, Whole
from tests.conftest import encoded, picture
from tests.conftest import record_part as part

MAGIC = struct.pack("<I", 0xCED7230A)


def written(payload: bytes) -> bytes:
    """A record as the format says: cut at every aligned magic number."""
    pieces = [b""]
    for start in range(0, len(payload), 4):
        word = payload[start : start + 4]
        if word == MAGIC:
            pieces.append(b"")
        else:
            pieces[-1] += word
    if len(pieces) == 1:
        return part(0, payload)
    kinds = [1, *[2] * (len(pieces) - 2), 3]
    return b"".join(map(part, kinds, pieces))


def file_of(payloads: Sequence[bytes]) -> bytes:
    return b"".join(map(written, payloads))


@dataclass
class Scene:
    """A file of records; `places` are (start, end) of each."""

    data: bytes
    places: list[tuple[int, int]]


def scene(payloads: Sequence[bytes]) -> Scene:
    records = [written(payload) for payload in payloads]
    ends = list(accumulate(map(len, records)))
    starts = [0, *ends[:-1]]
    return Scene(b"".join(records), list(zip(starts, ends, strict=True)))


def found_in(folder: Path, data: bytes) -> list[tuple[int, int]]:
    """(offset, end) of the whole records; pieces must tile the file."""
    path = folder / "damaged.rec"
    path.write_bytes(data)
    pieces = list(_salvage.parse(path))
    edges = [0, *(piece.end for piece in pieces)]
    assert edges[:-1] == [piece.offset for piece in pieces]
    assert edges[-1] == len(data)
    assert all(piece.end > piece.offset for piece in pieces)
    return [(p.offset, p.end) for p in pieces if isinstance(p, Whole)]


plain = st.binary(max_size=40)
# A RecordIO file inside of a payload, at any alignment of it, and single magic numbers.
nested = st.builds(
    lambda before, records, after: before + file_of(records) + after,
    st.binary(max_size=5),
    st.lists(plain, min_size=1, max_size=3),
    st.binary(max_size=5),
)
dotted = st.lists(st.sampled_from([MAGIC, b"abc", b"abcd", b"e"]), max_size=8).map(
    b"".join
)
payloads = st.lists(st.one_of(plain, nested, dotted), min_size=1, max_size=6)


@given(payloads)
def test_all_records_of_a_whole_file_are_found(
    tmp_path: Path, payloads: list[bytes]
) -> None:
    file = scene(payloads)

    assert found_in(tmp_path, file.data) == file.places


@given(payloads, st.data())
def test_a_cut_file_keeps_what_is_before_the_cut(
    tmp_path: Path, payloads: list[bytes], data: st.DataObject
) -> None:
    file = scene(payloads)
    size = data.draw(st.integers(0, len(file.data)))

    found = found_in(tmp_path, file.data[:size])

    # Only padding of the last one may be gone.
    assert found[: len(found) - 1] == file.places[: max(len(found) - 1, 0)]
    whole = [place for place in file.places if place[1] <= size]
    assert found[: len(whole)] == whole
    for start, end in found[len(whole) :]:
        place, payload = file.places[len(whole)], payloads[len(whole)]
        assert (start, end) == (place[0], size)
        assert place[1] - size <= -len(payload) % 4


@given(payloads, st.data())
def test_one_wrong_bit_costs_one_record(
    tmp_path: Path, payloads: list[bytes], data: st.DataObject
) -> None:
    file = scene(payloads)
    byte = data.draw(st.integers(0, len(file.data) - 1))
    bit = data.draw(st.integers(0, 7))
    broken = bytearray(file.data)
    broken[byte] ^= 1 << bit

    found = found_in(tmp_path, bytes(broken))

    untouched = [place for place in file.places if not place[0] <= byte < place[1]]
    assert [place for place in found if place in untouched] == untouched
    assert set(found) <= set(file.places)


@dataclass
class Alteration:
    """Bytes [start, end) of a scene are replaced by others; `hit` are the places of the
    records that this touches.
    """

    file: Scene
    start: int
    end: int
    new: bytes

    def __post_init__(self) -> None:
        self.data = self.file.data[: self.start] + self.new + self.file.data[self.end :]
        shift = len(self.data) - len(self.file.data)
        places = self.file.places
        self.before = [place for place in places if place[1] <= self.start]
        self.behind = [
            (a + shift, b + shift) for a, b in places if a >= max(self.end, self.start)
        ]
        self.hit = [
            place for place in places if place[0] < self.end and place[1] > self.start
        ]
        if self.start == self.end:
            self.hit = [place for place in places if place[0] < self.start < place[1]]

    def is_ambiguous(self) -> bool:
        """Whether a record at the alteration claims all that follows, or would do so
        with one other bit: then it may have been written so, and hold the rest.
        """
        size = len(self.data)
        for start, _ in self.before[-1:] + self.hit:
            head = self.data[start : start + 8].ljust(8, b"\xff")
            magic, word = struct.unpack("<4sI", head)
            lengths = [(word ^ bit) & (1 << 29) - 1 for bit in one_bit]
            ends = [start + 8 + -(-length // 4) * 4 for length in lengths]
            starts = {place[0] for place in self.behind[1:]}
            if magic == MAGIC and (
                ends[0] >= size
                or any(size <= end < size + 4 or end in starts for end in ends)
            ):
                return True
        return False


one_bit = [0, *(1 << bit for bit in range(29))]


@st.composite
def alterations(
    draw: st.DrawFn, payloads: st.SearchStrategy[list[bytes]]
) -> Alteration:
    file = scene(draw(payloads))
    size = len(file.data)
    start = draw(st.integers(0, size))
    end = draw(st.integers(start, min(size, start + 60)))
    return Alteration(file, start, end, draw(st.binary(max_size=30)))


@given(alterations(st.lists(plain, min_size=1, max_size=8)))
def test_an_alteration_costs_what_it_touches_and_makes_nothing_up(
    tmp_path: Path, change: Alteration
) -> None:
    assume(not change.is_ambiguous())

    found = found_in(tmp_path, change.data)

    # The record before it may look as if it had lost its end.
    surely = change.before[:-1] + change.behind
    assert [place for place in found if place in surely] == surely
    starts = {start for start, _ in change.hit}
    written_ones = {change.file.data[start:end] for start, end in change.file.places}
    for start, end in found:
        assert start in starts or change.data[start:end] in written_ones


NESTED = b"x" + file_of([b"inner", b"also inner"]) + b"yz"
MANY = [b"one", NESTED, b"", MAGIC * 3 + b"three", b"f" * 1000, NESTED, b"last one"]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 12, 13, 4095, 4100, 9_000_000])
@pytest.mark.parametrize("byte", [b"\0", b"\xff", None])
def test_garbage_between_records_costs_no_record(
    tmp_path: Path, size: int, byte: bytes | None
) -> None:
    file = scene(MANY)
    garbage = random.Random(size).randbytes(size) if byte is None else byte * size
    data = b"".join(garbage + file.data[start:end] for start, end in file.places)

    found = found_in(tmp_path, data + garbage)

    assert found == [
        (start + size * number, end + size * number)
        for number, (start, end) in enumerate(file.places, 1)
    ]


@pytest.mark.parametrize("size", [4, 8, 256, 4096])
def test_a_picture_before_garbage_is_kept_though_one_bit_could_explain_it(
    tmp_path: Path, size: int
) -> None:
    head = struct.pack("<IfQQ", 0, 1.0, 0, 0)
    images = [head + encoded(picture(n, 40, 40), ".png") for n in range(6)]
    file = scene([image + bytes(-len(image) % 4) for image in images])
    lengths = [end - start - 8 for start, end in file.places]
    assert any(length ^ size == length + size for length in lengths)
    data = b"".join(file.data[start:end] + bytes(size) for start, end in file.places)

    found = found_in(tmp_path, data)

    assert found == [
        (start + size * number, end + size * number)
        for number, (start, end) in enumerate(file.places)
    ]


@pytest.mark.parametrize("cut", range(1, 40))
def test_half_a_record_between_others_is_no_record(tmp_path: Path, cut: int) -> None:
    half = written(b"h" * 40)[:cut]
    before, behind = written(b"before"), file_of([b"behind", b"and last, not least"])

    found = found_in(tmp_path, before + half + behind)

    start = len(before) + cut
    assert found == [(0, 16), (start, start + 16), (start + 16, start + 16 + 28)]


def test_records_behind_a_cut_picture_are_found_though_it_claims_them(
    tmp_path: Path,
) -> None:
    image = struct.pack("<IfQQ", 0, 1.0, 0, 0) + encoded(picture(1, 40, 40), ".png")
    cut = written(image)[:1001]
    behind = file_of([b"one", b"two"])

    found = found_in(tmp_path, cut + behind)

    assert found == [(1001, 1013), (1013, 1025)]


@pytest.mark.parametrize("size", range(10, 60))
def test_a_cut_payload_that_is_a_file_gives_none_of_its_records(
    tmp_path: Path, size: int
) -> None:
    data = written(NESTED + b"and much more behind it")

    assert found_in(tmp_path, data[:size]) == []


def test_a_wiped_block_costs_the_records_in_it(tmp_path: Path) -> None:
    file = scene([bytes([65 + i]) * (300 + 7 * i) for i in range(30)])
    data = bytearray(file.data)
    data[2048:4096] = bytes(2048)

    found = found_in(tmp_path, bytes(data))

    kept = [place for place in file.places if place[1] <= 2048 or place[0] >= 4096]
    # The record that the block begins in still has its head and its length.
    hit = [place for place in file.places if place[0] < 2048 < place[1]]
    assert sorted(set(found) - set(hit)) == kept


def pieces_of(folder: Path, data: bytes) -> list[Whole | Lost]:
    path = folder / "damaged.rec"
    path.write_bytes(data)
    return list(_salvage.parse(path))


def test_a_record_that_nothing_confirms_is_doubtful(tmp_path: Path) -> None:
    data = written(b"raw") + b"\x99" * 6 + written(b"next")

    pieces = pieces_of(tmp_path, data)

    assert pieces == [Whole(0, 12, True), Lost(12, 18, "no record head"), (18, 30, 0)]


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_picture_with_damage_behind_it_is_decoded_to_be_sure(
    tmp_path: Path, suffix: str
) -> None:
    head = struct.pack("<IfQQ", 0, 1.0, 0, 0)
    image = written(head + encoded(picture(1, 40, 40), suffix))
    last = written(b"last")

    good = pieces_of(tmp_path, image + b"garbage" + last)
    bad = pieces_of(tmp_path, image[:200] + b"\x99" * 40 + image[200:] + last)

    end = len(image)
    assert good[0] == Whole(0, end, False)
    assert isinstance(bad[0], Lost)
    assert [(p.offset, p.end) for p in bad] == [(0, end + 40), (end + 40, end + 52)]


def test_adjoining_losses_are_one(tmp_path: Path) -> None:
    orphans = part(3, b"tail") + part(2, b"body") + b"\x98\x99" * 20

    pieces = pieces_of(tmp_path, written(b"one") + orphans + written(b"two"))

    reason = "a part without the start of its record"
    assert pieces[1] == Lost(12, 12 + len(orphans), reason)
    assert [type(piece) for piece in pieces] == [Whole, Lost, Whole]


def test_an_empty_file_has_no_pieces(tmp_path: Path) -> None:
    assert pieces_of(tmp_path, b"") == []


def test_a_file_of_nothing_but_heads_is_gone_through_once(tmp_path: Path) -> None:
    draw = random.Random(5)
    words = [
        struct.pack("<I", draw.randrange(4) << 29 | draw.randrange(1 << 20))
        for _ in range(20_000)
    ]
    data = b"".join(MAGIC + word + bytes(draw.randrange(4)) for word in words)

    found = found_in(tmp_path, data)

    assert found == []
