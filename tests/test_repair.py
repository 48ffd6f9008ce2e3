"""mxio repair: what is written, under which names, and what is said."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

import mxio
from mxio.cli import main
from mxio.errors import DataError, ParameterError
from mxio.recordio import MXIndexedRecordIO
from mxio.tools._keys import Keys
from tests.conftest import DataSet, encoded, payloads_of, picture, record, write_rec
from tests.killing import check_moments
from tests.small_disk import small_disk

GARBAGE = b"\x99" * 11


@pytest.fixture
def damaged(tmp_path: Path, photos: DataSet) -> Path:
    """The photos with garbage in front of record 3 and the head of record 7 wiped."""
    data = photos.rec.read_bytes()
    third, seventh = photos.offsets[3], photos.offsets[7]
    rec = tmp_path / "damaged.rec"
    wiped = data[third:seventh] + bytes(8) + data[seventh + 8 :]
    rec.write_bytes(data[:third] + GARBAGE + wiped)
    return rec


def test_every_whole_record_is_saved_as_it_was_with_its_id_as_key(
    tmp_path: Path, photos: DataSet, damaged: Path
) -> None:
    out = tmp_path / "saved.rec"

    report = mxio.repair(damaged, out)

    wanted = payloads_of(photos.rec)
    del wanted[7]
    assert payloads_of(out) == wanted
    with MXIndexedRecordIO(tmp_path / "saved.idx", out, "r") as index:
        assert index.keys == [id for id in photos.ids if id != 107]
        assert [index.read_idx(key) for key in index.keys] == wanted
    third, seventh, eighth = (photos.offsets[i] for i in (3, 7, 8))
    assert [(each.offset, each.end) for each in report.lost] == [
        (third, third + 11),
        (seventh + 11, eighth + 11),
    ]
    assert report.bytes_lost == 11 + eighth - seventh
    assert (report.records, report.keys, report.doubtful) == (36, "id", ())


@pytest.mark.parametrize("keys", ["auto", "number"])
def test_records_without_ids_are_numbered(tmp_path: Path, keys: Keys) -> None:
    rec, _, _ = write_rec(tmp_path, [b"no header", b"", b"nor here"])

    report = mxio.repair(rec, tmp_path / "out.rec", keys=keys)

    assert report.keys == "number"
    lines = (tmp_path / "out.idx").read_text().splitlines()
    assert lines == ["0\t0", "1\t20", "2\t28"]


def test_ids_that_repeat_are_keys_only_when_asked_for(tmp_path: Path) -> None:
    rec, _, _ = write_rec(tmp_path, [record(b"a", id=4), record(b"b", id=4)])

    assert mxio.repair(rec, tmp_path / "a.rec").keys == "number"
    assert mxio.repair(rec, tmp_path / "b.rec", keys="id").keys == "id"
    assert (tmp_path / "b.idx").read_text() == "4\t0\n4\t36\n"


def test_ids_that_are_not_there_cannot_be_keys(tmp_path: Path) -> None:
    rec, _, _ = write_rec(tmp_path, [record(b"a", id=4), b"short"])

    with pytest.raises(DataError, match="the record at byte 36 has no image header"):
        mxio.repair(rec, tmp_path / "out.rec", keys="id")

    assert not (tmp_path / "out.rec").exists()


def test_a_last_record_without_padding_gets_it_back(tmp_path: Path) -> None:
    rec, _, _ = write_rec(tmp_path, [b"one", b"three"])
    rec.write_bytes(rec.read_bytes()[:-3])

    mxio.repair(rec, tmp_path / "out.rec")

    assert (tmp_path / "out.rec").stat().st_size == 12 + 16
    assert payloads_of(tmp_path / "out.rec") == [b"one", b"three"]


def test_strict_leaves_out_what_is_doubtful(tmp_path: Path) -> None:
    rec, _, offsets = write_rec(tmp_path, [b"sure", b"doubtful", b"last"])
    data = rec.read_bytes()
    rec.write_bytes(data[: offsets[2]] + GARBAGE + data[offsets[2] :])

    kept = mxio.repair(rec, tmp_path / "kept.rec")
    strict = mxio.repair(rec, tmp_path / "strict.rec", strict=True)

    assert (kept.records, kept.doubtful) == (3, (12,))
    assert payloads_of(tmp_path / "strict.rec") == [b"sure", b"last"]
    assert strict.lost[0].reason == "nothing confirms its length"


def test_decode_leaves_out_pictures_that_do_not_decode(tmp_path: Path) -> None:
    good = record(encoded(picture(1, 30, 30), ".jpg"), id=1)
    cut = record(encoded(picture(2, 30, 30), ".jpg")[:-200], id=2)
    rec, _, offsets = write_rec(tmp_path, [good, cut, good])

    report = mxio.repair(rec, tmp_path / "out.rec", decode=True)

    assert payloads_of(tmp_path / "out.rec") == [good, good]
    assert report.lost[0].offset == offsets[1]


def test_the_input_is_replaced_only_when_asked_for(
    tmp_path: Path, damaged: Path
) -> None:
    link = tmp_path / "link.rec"
    link.symlink_to(damaged)
    before = damaged.read_bytes()

    with pytest.raises(ParameterError, match="another file"):
        mxio.repair(damaged, link)
    assert damaged.read_bytes() == before
    mxio.repair(damaged, damaged, in_place=True)

    assert len(payloads_of(damaged)) == 36
    assert (tmp_path / "damaged.idx").exists()


@pytest.mark.parametrize("content", [b"", b"no record in it" * 9])
def test_a_file_without_a_whole_record_gives_no_file(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    rec = tmp_path / "in.rec"
    rec.write_bytes(content)

    code = main(["repair", str(rec), str(tmp_path / "out.rec")])

    assert code == 1
    assert capsys.readouterr().err == f"mxio repair: {rec}: no record of it is whole\n"
    assert os.listdir(tmp_path) == ["in.rec"]


def test_the_command_tells_what_was_lost(
    tmp_path: Path, damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.rec"

    text_code = main(["repair", str(damaged), str(out)])
    text = capsys.readouterr()
    json_code = main(["repair", str(damaged), str(out), "--json"])
    told = json.loads(capsys.readouterr().out)

    assert (text_code, json_code, text.err) == (0, 0, "")
    assert f"{out}: 36 records" in text.out
    assert "keys are ids" in text.out
    assert re.search(r"left out \d+ bytes:\n  bytes \d+ to \d+: no record", text.out)
    assert (told["schema"], told["records"], told["keys"]) == (1, 36, "id")
    assert [each["reason"] for each in told["lost"]] == [
        "no record head",
        "no record head",
    ]


@pytest.mark.parametrize(
    "words", [["a.rec"], ["a.rec", "b.rec", "--in-place"], ["a.rec", "a.rec"]]
)
def test_an_output_must_be_clear(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.rec").write_bytes(b"")

    assert main(["repair", *words]) == 2
    assert os.listdir() == ["a.rec"]


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_left(
    tmp_path: Path, damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing" / "out.rec"

    code = main(["repair", str(damaged), str(missing)])

    assert code == 4
    told = f"mxio repair: {missing}: No such file or directory\n"
    assert capsys.readouterr().err == told


@pytest.mark.parametrize("size", [4096, 16384])
def test_a_full_disk_is_told_and_nothing_is_left(
    tmp_path: Path, damaged: Path, size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_disk(tmp_path, size) as disk:
        out = disk / "out.rec"

        code = main(["repair", str(damaged), str(out)])

        assert code == 4
        told = f"mxio repair: {out}: No space left on device\n"
        assert capsys.readouterr().err == told
        assert os.listdir(disk) == []


def test_a_read_only_disk_is_told(
    tmp_path: Path, damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_disk(tmp_path, 4096, "ro") as disk:
        code = main(["repair", str(damaged), str(disk / "out.rec")])

    assert code == 4
    assert "out.rec: Read-only file system\n" in capsys.readouterr().err


def many_copies(path: Path, data: DataSet, megabytes: int) -> Path:
    """A damaged file large enough to be killed in the middle of its repair."""
    block = data.rec.read_bytes() + GARBAGE
    path.write_bytes(block * (megabytes * 1_000_000 // len(block)))
    return path


@pytest.mark.parametrize(
    ("megabytes", "moments"),
    [(10, 4), pytest.param(100, 50, marks=pytest.mark.soak)],
)
def test_killed_at_any_moment_it_leaves_nothing_wrong_under_a_final_name(
    tmp_path: Path, photos: DataSet, megabytes: int, moments: int
) -> None:
    source = many_copies(tmp_path / "large.rec", photos, megabytes)
    out, index = tmp_path / "out.rec", tmp_path / "out.idx"

    def clean() -> None:
        out.write_bytes(b"records from before")
        index.write_bytes(b"an index from before")
        for rest in tmp_path.glob("*.tmp"):
            rest.unlink()

    words = ["repair", str(source), str(out), "--quiet"]
    interrupted = check_moments(words, [out, index], moments, clean)

    assert interrupted > 0
