"""mxio info: what headers say, against what was written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import mxio
from mxio.cli import main
from mxio.errors import DataError
from tests.conftest import DataSet, encoded, picture, record, write_rec
from tests.face_records import face_file

GOLDEN = Path(__file__).parent / "golden/files"


def test_sizes_formats_labels_and_index_are_told(photos: DataSet) -> None:
    told = mxio.info(photos.rec)

    assert (told.records, told.pictures, told.layout) == (37, 37, "plain")
    assert told.bytes == photos.rec.stat().st_size
    assert (told.index, told.index_state) == (str(photos.idx), "matches")
    assert told.index_keys == "number"
    assert told.labels is not None
    assert (told.labels.width, told.labels.first) == ((1, 1), (0.0, 36.0))
    assert told.labels.histogram == tuple((i, 1) for i in range(37))
    probes = told.probes
    assert (probes.formats, probes.channels, probes.bits) == (
        {"jpeg": 37},
        {3: 37},
        {8: 37},
    )
    assert probes.height == mxio.tools.info.Spread(40, 58, 76)
    assert probes.width == mxio.tools.info.Spread(40, 58, 76)


def test_every_format_is_named(tmp_path: Path) -> None:
    image = picture(3, 20, 30)
    sixteen = cv2.imencode(".png", np.zeros((9, 9), np.uint16))[1].tobytes()
    pictures = [
        *(encoded(image, suffix) for suffix in (".jpg", ".png", ".bmp", ".webp")),
        *(encoded(image, ".tiff"), encoded(image[:, :, :1], ".jpg"), sixteen),
    ]
    rec, _, _ = write_rec(tmp_path, [record(each) for each in pictures])

    probes = mxio.info(rec).probes

    assert probes.formats == {"jpeg": 2, "png": 2, "bmp": 1, "webp": 1, "tiff": 1}
    assert probes.channels == {1: 2, 3: 2}
    assert probes.bits == {8: 3, 16: 1}


def test_a_size_behind_a_long_comment_is_found(tmp_path: Path) -> None:
    jpeg = encoded(picture(3, 20, 30), ".jpg")
    comment = b"\xff\xfe" + (60_002).to_bytes(2, "big") + bytes(60_000)
    rec, _, _ = write_rec(tmp_path, [record(jpeg[:2] + comment + jpeg[2:])])

    probes = mxio.info(rec).probes

    assert probes.formats == {"jpeg": 1}
    assert probes.width is not None
    assert probes.width.low == 30


def test_a_record_cut_at_magic_numbers_is_read_by_its_parts() -> None:
    told = mxio.info(GOLDEN / "magiclabel.rec")

    assert told.pictures == told.records
    assert "unknown" not in told.probes.formats


def test_many_labels_have_a_width_and_no_pictures_no_labels(tmp_path: Path) -> None:
    image = encoded(picture(1, 9, 9))
    labels = [[1.0, 2.5], [3.0], [-1.5, 0.0, 7.0]]
    rec, _, _ = write_rec(tmp_path, [record(image, label) for label in labels])
    endless, _, _ = write_rec(tmp_path, [record(image, np.inf)], "endless")
    other, _, _ = write_rec(tmp_path, [b"x" * 50, b"", b"y" * 20], "other")

    told, nothing = mxio.info(rec), mxio.info(other)

    assert told.labels == mxio.tools.info.LabelInfo((1, 3), (-1.5, 3.0), 3, ())
    assert (nothing.layout, nothing.labels, nothing.pictures) == ("other", None, 0)
    assert nothing.records == 3
    told = mxio.info(endless)  # NumPy warned of it
    assert told.labels == mxio.tools.info.LabelInfo((1, 1), (np.inf, np.inf), 1, ())


@pytest.mark.parametrize(
    ("lines", "state", "keys"),
    [
        ("0\t0\n1\t36\n2\t72\n", "matches", "number"),
        ("7\t72\n5\t0\n6\t36\n", "matches", "id"),
        ("cat\t0\n5\t36\n7\t72\n", "matches", "other"),
        ("3\t0\n2\t72\n", "partial", "other"),
        ("0\t0\n1\t37\n", "wrong", "number"),
        ("0\t0\nwhat is this\n", "wrong", "number"),
        (None, "missing", None),
    ],
)
def test_the_state_of_the_index_is_told(
    tmp_path: Path, lines: str | None, state: str, keys: str | None
) -> None:
    rec, idx, offsets = write_rec(tmp_path, [record(b"pic", id=i) for i in (5, 6, 7)])
    idx.unlink()
    if lines is not None:
        idx.write_text(lines)

    told = mxio.info(rec)

    assert offsets == [0, 36, 72]
    assert (told.index_state, told.index_keys) == (state, keys)


def test_some_pictures_of_many_are_looked_at(
    many: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mxio.tools.info._PROBED", 10)

    some, every = mxio.info(many.rec), mxio.info(many.rec, every=True)

    assert (some.probes.probed, every.probes.probed) == (10, 1000)
    assert some.probes.formats == {"png": 10}
    assert some.labels == every.labels


def test_a_damaged_file_is_told_with_the_way_out(
    tmp_path: Path, photos: DataSet, capsys: pytest.CaptureFixture[str]
) -> None:
    rec = tmp_path / "cut.rec"
    shutil.copy(photos.rec, rec)
    with open(rec, "r+b") as file:
        file.truncate(photos.offsets[9] + 40)

    with pytest.raises(DataError, match="record 9 at byte"):
        mxio.info(rec)
    code = main(["info", str(rec)])

    told = capsys.readouterr().err
    assert code == 1
    assert f"record 9 at byte {photos.offsets[9]}: the record claims" in told
    assert "`mxio repair` saves what is whole" in told


def test_the_command_prints_text_or_json(
    photos: DataSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text_code = main(["info", str(photos.rec), str(GOLDEN / "tiny10.rec")])
    text = capsys.readouterr().out
    json_code = main(["info", "--json", str(photos.rec)])
    told = json.loads(capsys.readouterr().out)
    missing_code = main(["info", str(tmp_path / "none.rec")])

    assert (text_code, json_code, missing_code) == (0, 0, 4)
    assert "records    37 in" in text
    assert "classes    0: 1, 1: 1" in text
    assert "and 27 more" in text
    assert told["schema"] == 1
    assert told["files"][0]["probes"]["formats"] == {"jpeg": 37}


def test_the_layout_of_insightface_is_recognised(tmp_path: Path) -> None:
    rec, _ = face_file(tmp_path / "faces", [3, 4])

    told = mxio.info(rec)

    assert (told.layout, told.identities) == ("insightface", 2)
    assert (told.records, told.pictures) == (10, 7)
    assert told.labels is not None
    assert told.labels.histogram == ((0, 3), (1, 4))
