"""mxio repack: other bytes, the same pictures, labels, ids and keys."""

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest

import mxio
from mxio.adapters.numpy import ImageRecordLoader
from mxio.cli import main
from mxio.errors import DataError, ParameterError
from mxio.recordio import IRHeader, MXIndexedRecordIO, pack, unpack
from tests.conftest import encoded, picture

DRI = b"\xff\xdd\x00\x04"


def jpeg(seed: int, *options: int) -> bytes:
    return encoded(picture(seed, 70, 90), ".jpg", *options)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """JPEGs of several kinds, and what is none, with labels, ids and keys of theirs."""
    gray = cv2.imencode(".jpg", picture(3, 50, 60)[:, :, 0])[1].tobytes()
    with_exif = io.BytesIO()
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.fromarray(picture(4, 40, 60)).save(with_exif, "JPEG", exif=exif)
    pictures = [
        jpeg(1),
        jpeg(2, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        gray,
        with_exif.getvalue(),
        encoded(picture(5, 20, 20)),
        b"",
    ]
    with MXIndexedRecordIO(tmp_path / "in.idx", tmp_path / "in.rec", "w") as out:
        for i, one in enumerate(pictures):
            label: Any = float(i) if i % 2 else [i, 7.5, 0.25]
            out.write_idx(10 * i, pack(IRHeader(0, label, 100 + i, i), one))
    return tmp_path / "in.rec"


def records(rec: Path) -> dict[int, bytes]:
    with MXIndexedRecordIO(rec.with_suffix(".idx"), rec, "r") as file:
        return {key: file.read_idx(key) for key in file.keys}


def pixels(data: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def test_everything_but_the_code_of_the_jpegs_is_the_same(
    mixed: Path, tmp_path: Path
) -> None:
    report = mxio.repack(mixed, tmp_path / "out.rec", threads=2)

    before, after = records(mixed), records(tmp_path / "out.rec")
    assert list(after) == list(before) == [0, 10, 20, 30, 40, 50]
    for key, old in before.items():
        new_header, new = unpack(after[key])
        old_header, picture = unpack(old)
        np.testing.assert_array_equal(new_header.label, old_header.label)
        assert new_header[2:] == old_header[2:]
        assert (DRI in new) == (key < 40)
        if key < 40:
            np.testing.assert_array_equal(pixels(new), pixels(picture))
            np.testing.assert_array_equal(
                np.asarray(PIL.Image.open(io.BytesIO(new))),
                np.asarray(PIL.Image.open(io.BytesIO(picture))),
            )
        else:
            assert after[key] == old
    assert PIL.Image.open(io.BytesIO(unpack(after[30])[1])).getexif()[0x0112] == 6
    assert (report.records, report.pictures) == (6, 4)
    assert report.kept == {"PNG": 1, "no picture": 1}
    assert report.damaged == ()
    assert report.bytes_before == mixed.stat().st_size
    assert report.bytes_after == (tmp_path / "out.rec").stat().st_size


def test_the_loaders_give_the_same_batches(tmp_path: Path) -> None:
    with MXIndexedRecordIO(tmp_path / "in.idx", tmp_path / "in.rec", "w") as out:
        for i in range(9):
            out.write_idx(i, pack(IRHeader(0, float(i), i, 0), jpeg(i)))
    mxio.repack(tmp_path / "in.rec", tmp_path / "out.rec")

    batches = [
        [
            (data.copy(), label.copy())
            for data, label in ImageRecordLoader(
                path_imgrec=tmp_path / name,
                data_shape=(3, 24, 24),
                batch_size=4,
                random_resized_crop=True,
                min_random_area=0.1,
                rand_mirror=True,
                shuffle=True,
            )
        ]
        for name in ("in.rec", "out.rec")
    ]

    for (data, label), (other, label_too) in zip(*batches, strict=True):
        np.testing.assert_array_equal(data, other)
        np.testing.assert_array_equal(label, label_too)


def test_bytes_do_not_depend_on_threads(mixed: Path, tmp_path: Path) -> None:
    for threads in (1, 4):
        mxio.repack(mixed, tmp_path / f"{threads}.rec", threads=threads)

    one, four = (tmp_path / f"{threads}.rec" for threads in (1, 4))
    assert one.read_bytes() == four.read_bytes()
    assert one.with_suffix(".idx").read_bytes() == four.with_suffix(".idx").read_bytes()


def test_a_damaged_jpeg_is_kept_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torn = jpeg(1)[:700]
    with MXIndexedRecordIO(tmp_path / "in.idx", tmp_path / "in.rec", "w") as out:
        out.write_idx(5, pack(IRHeader(0, 0.0, 5, 0), jpeg(0)))
        out.write_idx(6, pack(IRHeader(0, 1.0, 6, 0), torn))
        offset = out.idx[6]

    code = main(["repack", str(tmp_path / "in.rec"), str(tmp_path / "o.rec"), "--json"])

    told = json.loads(capsys.readouterr().out)
    assert code == 1
    assert unpack(records(tmp_path / "o.rec")[6])[1] == torn
    assert told["kept"] == {"damaged": 1}
    [damaged] = told["damaged"]
    assert (damaged["record"], damaged["key"], damaged["offset"]) == (1, 6, offset)
    assert damaged["reason"]


def test_the_command_tells(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = mixed.with_name("out.rec")

    assert main(["repack", str(mixed), str(target), "--restart", "9"]) == 0

    said = capsys.readouterr().out
    assert f"{target}: 6 records, 4 JPEGs written anew" in said
    assert "1 as they are: PNG" in said
    assert b"\xff\xdd\x00\x04\x00\x09" in target.read_bytes()


@pytest.mark.parametrize("restart", [0, 65536])
def test_another_interval_is_refused(mixed: Path, restart: int) -> None:
    with pytest.raises(ParameterError, match=r"restart must be in \[1, 65535\] MCUs"):
        mxio.repack(mixed, mixed.with_name("o.rec"), restart=restart)


def test_the_input_is_not_replaced(mixed: Path) -> None:
    with pytest.raises(ParameterError, match="would replace a file"):
        mxio.repack(mixed, mixed)


def test_a_damaged_file_gives_no_output(mixed: Path) -> None:
    content = mixed.read_bytes()
    mixed.write_bytes(content[:-10])

    with pytest.raises(DataError):
        mxio.repack(mixed, mixed.with_name("out.rec"))

    assert not mixed.with_name("out.rec").exists()
    assert sorted(os.listdir(mixed.parent)) == ["in.idx", "in.rec"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_an_interrupted_run_leaves_nothing(
    mixed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mxio.tools import repack as module

    def interrupted(self: Any, ordinal: int) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(module._Repacker, "make", interrupted)

    assert main(["repack", str(mixed), str(mixed.with_name("out.rec"))]) == 130
    assert sorted(os.listdir(mixed.parent)) == ["in.idx", "in.rec"]


def test_an_empty_file_is_repacked_to_an_empty_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # It ended in a ZeroDivisionError.
    (tmp_path / "in.rec").touch()

    code = main(["repack", str(tmp_path / "in.rec"), str(tmp_path / "out.rec")])

    assert code == 0
    assert "0 records, 0 JPEGs written anew, 0 bytes (+0.0%)" in capsys.readouterr().out
    assert (tmp_path / "out.rec").read_bytes() == b""
