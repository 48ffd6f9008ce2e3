"""mxio verify: every kind of damage is found, named and counted, and only damage."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mxio
from mxio.cli import main
from mxio.errors import ParameterError
from tests.conftest import DataSet, encoded, picture, record, write_rec

GOLDEN = Path(__file__).parent / "golden/files"


@pytest.mark.parametrize(
    "name", ["tiny10", "many57", "det4", "imgmagic5", "magiclabel", "multi4", "rgba4"]
)
def test_what_mxnet_wrote_is_good(name: str) -> None:
    report = mxio.verify(GOLDEN / f"{name}.rec")

    lines = (GOLDEN / f"{name}.idx").read_text().splitlines()
    assert report.damage == ()
    assert report.good
    assert report.records == report.pictures == len(lines)
    assert report.index == str(GOLDEN / f"{name}.idx")


@pytest.fixture
def copy(tmp_path: Path, photos: DataSet) -> tuple[Path, Path]:
    """The photos and their index, to be damaged; keys 0 to 36."""
    rec, idx = tmp_path / "photos.rec", tmp_path / "photos.idx"
    rec.write_bytes(photos.rec.read_bytes())
    idx.write_bytes(photos.idx.read_bytes())
    return rec, idx


def flip(path: Path, byte: int) -> None:
    data = bytearray(path.read_bytes())
    data[byte] ^= 0x20
    path.write_bytes(data)


def test_a_damaged_picture_is_named_by_record_key_and_bytes(
    copy: tuple[Path, Path], photos: DataSet
) -> None:
    start, end = photos.offsets[5:7]
    data = copy[0].read_bytes()
    middle = (start + end) // 2
    copy[0].write_bytes(data[:middle] + b"\xff\xd9" * 30 + data[middle + 60 :])

    report = mxio.verify(copy[0])

    (damage,) = report.damage
    assert (damage.kind, damage.record, damage.key) == ("picture", 5, 5)
    assert (damage.offset, damage.end) == (start, end)
    assert (report.records, report.pictures) == (37, 36)
    assert mxio.verify(copy[0], decode=False).good


def test_a_damaged_head_is_named_by_bytes_and_key_and_its_line_by_number(
    copy: tuple[Path, Path], photos: DataSet
) -> None:
    flip(copy[0], photos.offsets[5])

    report = mxio.verify(copy[0])

    structure, line = report.damage
    assert (structure.kind, structure.key) == ("structure", 5)
    assert [structure.offset, structure.end] == photos.offsets[5:7]
    assert (line.kind, line.line, line.key) == ("index", 6, 5)
    assert line.reason == f"no whole record starts at byte {photos.offsets[5]}"
    assert (report.records, report.pictures) == (36, 36)


def test_a_length_that_leads_too_far_is_told_as_such(
    copy: tuple[Path, Path], photos: DataSet
) -> None:
    # It was told that there is no record head.
    data = bytearray(copy[0].read_bytes())
    start, end = photos.offsets[5:7]
    data[start + 4 : start + 8] = (2**29 - 1).to_bytes(4, "little")
    copy[0].write_bytes(data)

    structure, _ = mxio.verify(copy[0]).damage

    assert (structure.offset, structure.end) == (start, end)
    assert structure.reason == "its length leads beyond the next record"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda lines: lines[:-1], [(None, None, "does not list the record")]),
        (
            lambda lines: [*lines, lines[3]],
            [(38, 3, "is listed before"), (38, 3, "the key 3 is used")],
        ),
        (
            lambda lines: [*lines[:4], "9\t6\n", *lines[5:]],
            [(5, 9, "byte 6"), (None, None, "does not list"), (10, 9, "the key 9")],
        ),
        (lambda lines: [*lines, "two words\n"], [(38, None, "'two words' is no key")]),
        (lambda lines: [*lines, "7\t-1\n"], [(38, None, "is no key")]),
        (lambda lines: ["cat\t0\n", *lines[1:]], []),
        (lambda lines: [*lines[::-1], "\n"], []),
    ],
)
def test_an_index_that_disagrees_is_told_line_by_line(
    copy: tuple[Path, Path],
    change: Callable[[list[str]], list[str]],
    told: list[tuple[object, object, str]],
) -> None:
    lines = copy[1].read_text().splitlines(keepends=True)
    copy[1].write_text("".join(change(lines)))

    report = mxio.verify(copy[0], decode=False)

    assert {each.kind for each in report.damage} <= {"index"}
    found = sorted(report.damage, key=lambda each: each.reason)
    assert len(found) == len(told)
    for line, key, reason in told:
        assert any(
            (each.line, each.key) == (line, key) and reason in each.reason
            for each in found
        )


def test_an_index_elsewhere_is_checked_when_named(
    copy: tuple[Path, Path], tmp_path: Path
) -> None:
    moved = copy[1].rename(tmp_path / "moved.idx")

    assert mxio.verify(copy[0]).index is None
    assert mxio.verify(copy[0], path_imgidx=moved).good


def test_records_that_are_no_pictures_are_good_in_a_file_of_such(
    tmp_path: Path,
) -> None:
    rec, _, _ = write_rec(tmp_path, [b"short", b"long enough for a header, and more"])

    report = mxio.verify(rec)

    assert report.good
    assert (report.records, report.pictures, report.others) == (2, 0, 2)


def test_a_record_without_a_picture_among_pictures_is_damage(tmp_path: Path) -> None:
    image = record(encoded(picture(1, 20, 20)))
    claims = struct.pack("<IfQQ", 1 << 30, 0.0, 1, 0) + b"too many labels"
    rec, _, offsets = write_rec(tmp_path, [image, claims, record(b"gibberish")])

    report = mxio.verify(rec)

    assert [(each.record, each.offset) for each in report.damage] == [
        (1, offsets[1]),
        (2, offsets[2]),
    ]
    assert "no image record" in report.damage[0].reason


def test_labels_without_a_picture_are_good(tmp_path: Path) -> None:
    header = record(b"", label=[5.0, 9.0])
    rec, _, _ = write_rec(tmp_path, [header, record(encoded(picture(1, 20, 20)))])

    report = mxio.verify(rec)

    assert report.good
    assert (report.pictures, report.empty) == (1, 1)


def test_formats_of_opencv_are_decoded_by_it(tmp_path: Path) -> None:
    done, bitmap = cv2.imencode(".bmp", np.zeros((5, 5, 3), np.uint8))
    whole = bitmap.tobytes()
    rec, _, _ = write_rec(tmp_path, [record(whole), record(whole[:60])])

    report = mxio.verify(rec)

    assert done
    assert report.pictures == 1
    assert [each.record for each in report.damage] == [1]


@given(
    number=st.integers(0, 36),
    bit=st.integers(0, 63).filter(lambda bit: bit not in (32, 33)),
)
@settings(max_examples=60)
def test_no_wrong_bit_of_a_head_goes_unnoticed(
    tmp_path: Path, photos: DataSet, number: int, bit: int
) -> None:
    # Bits 32 and 33 are the last of the length: they may only count a zero of padding.
    rec = tmp_path / "bits.rec"
    wrong = bytearray(photos.rec.read_bytes())
    wrong[photos.offsets[number] + bit // 8] ^= 1 << bit % 8
    rec.write_bytes(wrong)

    report = mxio.verify(rec)

    assert report.records == 36
    assert report.damage[0].kind == "structure"
    assert report.damage[0].offset == photos.offsets[number]


def test_the_command_lists_damage_and_gives_1(
    copy: tuple[Path, Path], photos: DataSet, capsys: pytest.CaptureFixture[str]
) -> None:
    good_code = main(["verify", str(copy[0])])
    good = capsys.readouterr()
    flip(copy[0], photos.offsets[5])
    bad_code = main(["verify", str(copy[0])])
    bad = capsys.readouterr()
    json_code = main(["verify", "--json", str(copy[0]), str(photos.rec)])
    told = json.loads(capsys.readouterr().out)

    assert (good_code, bad_code, json_code) == (0, 1, 1)
    assert good.out.startswith(f"{copy[0]}: good: 37 records, 37 pictures decoded")
    start, end = photos.offsets[5:7]
    assert f"structure: key 5, bytes {start} to {end}: a damaged record" in bad.out
    assert "index: line 6, key 5: no whole record starts" in bad.out
    assert (good.err, bad.err) == ("", "")
    assert told["schema"] == 1
    assert [len(file["damage"]) for file in told["files"]] == [2, 0]


def test_a_manifest_is_no_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "a.mxio.json").write_text('{"schema": 1, "records": 0, "files": []}')

    with pytest.raises(ParameterError, match="is a manifest"):
        mxio.verify(tmp_path / "a.mxio.json")


@pytest.mark.parametrize("threads", [-1, 1025])
def test_a_number_of_threads_that_cannot_be_is_told(
    tmp_path: Path, photos: DataSet, threads: int
) -> None:
    for tool in (mxio.verify, partial(mxio.repack, output=tmp_path / "out.rec")):
        with pytest.raises(ParameterError, match=r"threads must be in \[0, 1024\]"):
            tool(photos.rec, threads=threads)


def test_what_cannot_be_read_gives_4(
    tmp_path: Path, photos: DataSet, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing.rec"

    rec_code = main(["verify", str(missing)])
    idx_code = main(["verify", str(photos.rec), "--index", str(missing)])
    both_code = main(["verify", str(photos.rec), str(photos.rec), "--index", "x"])

    assert (rec_code, idx_code, both_code) == (4, 4, 2)
    assert capsys.readouterr().err.count(str(missing)) == 2
