"""mxio.view: contact sheets of records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mxio
from mxio import params
from mxio._sheet import CELL, GAP, MARGIN, Cell, grid_sheet
from mxio.adapters.numpy import ImageRecordLoader
from mxio.cli import main
from mxio.errors import DataError, ParameterError
from mxio.tools._command import printable
from mxio.tools._gallery import (
    Augmented,
    Gallery,
    chosen,
    label_text,
    records_from,
)
from tests.conftest import DataSet, encoded, picture, record, write_rec


def colours_at(sheet: Path, top: int, count: int) -> list[list[int]]:
    """The colours in the middle of the first cells of a line of a grid."""
    pixels = np.asarray(Image.open(sheet))
    lefts = [MARGIN + place * (CELL + GAP) + CELL // 2 for place in range(count)]
    return [pixels[top, left].tolist() for left in lefts]


def line_of(sheet: Path) -> int:
    """The height of the middle of the first line of a grid: its first dark column."""
    pixels = np.asarray(Image.open(sheet)).astype(int)
    rows = np.flatnonzero((pixels[:, MARGIN + 2] != 255).all(axis=1))
    return int(rows[rows > MARGIN + 60][0]) + CELL // 2


def test_the_grid_shows_the_chosen_records_in_order(
    tmp_path: Path, ten: DataSet
) -> None:
    out = tmp_path / "sheet.png"

    report = mxio.view(ten.rec, out, records=[2, 5, 9])

    assert colours_at(out, line_of(out), 3) == [[40] * 3, [100] * 3, [180] * 3]
    assert report.records == [2, 5, 9]
    assert report.damaged == []
    with Image.open(out) as sheet:
        assert sheet.size == (report.width, report.height)


def test_the_same_seed_makes_the_same_bytes(tmp_path: Path, photos: DataSet) -> None:
    options: dict[str, Any] = {"rand_crop": True, "data_shape": (3, 32, 32)}
    sheets = []
    for number, seed in enumerate([4, 4, 5]):
        raw, augmented = tmp_path / f"{number}.png", tmp_path / f"{number}a.png"
        mxio.view(photos.rec, raw, count=5, seed=seed)
        mxio.view(photos.rec, augmented, count=2, seed=seed, epochs=3, **options)
        sheets.append((raw.read_bytes(), augmented.read_bytes()))

    assert sheets[0] == sheets[1]
    assert sheets[0][0] != sheets[2][0]
    assert sheets[0][1] != sheets[2][1]


def test_the_samples_are_those_that_the_loader_gives(photos: DataSet) -> None:
    options: dict[str, Any] = {
        "data_shape": (3, 24, 24),
        "rand_crop": True,
        "rand_mirror": True,
        "random_h": 20,
    }
    augmented = Augmented(str(photos.rec), 9, options)
    with ImageRecordLoader(
        path_imgrec=photos.rec,
        batch_size=37,
        seed=9,
        dtype="uint8",
        layout="NHWC",
        **options,
    ) as loader:
        epochs = [next(iter(loader)).data for _ in range(3)]

    for ordinal in (0, 20, 36):
        samples = augmented.samples(ordinal, 1, [0, 2])
        np.testing.assert_array_equal(samples[0], epochs[0][ordinal])
        np.testing.assert_array_equal(samples[1], epochs[2][ordinal])
    augmented.close()


def test_normalised_values_are_stretched_from_black_to_white(ten: DataSet) -> None:
    augmented = Augmented(
        str(ten.rec), 0, {"data_shape": (3, 8, 8), "mean_r": 90.0, "scale": 0.5}
    )
    low, high = (augmented.samples(ordinal, 1, [0])[0] for ordinal in (0, 9))

    (black, white), said = augmented.shown([low, high])

    # Red runs from (0 - 90) / 2 to (180 - 90) / 2, green and blue from 0 to 180 / 2.
    assert black[0, 0].tolist() == [0, 85, 85]
    assert white[0, 0].tolist() == [170, 255, 255]
    assert said == "Values from -45 to 90 are shown as black to white."
    augmented.close()


def test_records_of_any_number_of_labels_are_no_damage(tmp_path: Path) -> None:
    """Those with more than one label were called damaged."""
    image = encoded(picture(1, 12, 12))
    labels = [0.0, [1.0], [2.0, 3.0], [4.0] * 6]
    rec, _, _ = write_rec(tmp_path, [record(image, label) for label in labels])

    report = mxio.view(rec, tmp_path / "sheet.png", rand_mirror=True)

    assert (report.records, report.damaged) == ([0, 1, 2, 3], [])


def test_a_damaged_record_is_drawn_as_such(tmp_path: Path) -> None:
    good = record(encoded(picture(1, 20, 20)))
    payloads = [good, record(b"no picture at all"), good, b"short"]
    rec, _, _ = write_rec(tmp_path, payloads)

    raw = mxio.view(rec, tmp_path / "raw.png", records="0-3")
    augmented = mxio.view(
        rec, tmp_path / "a.png", records="0-3", epochs=2, data_shape=(3, 16, 16)
    )

    assert [ordinal for ordinal, _ in raw.damaged] == [1, 3]
    assert [ordinal for ordinal, _ in augmented.damaged] == [1, 3]
    assert main(["view", str(rec), f"--out={tmp_path / 'x.png'}"]) == 1


def test_names_of_classes_stand_beside_the_file(tmp_path: Path, ten: DataSet) -> None:
    rec = tmp_path / "data.rec"
    rec.write_bytes(ten.rec.read_bytes())
    (tmp_path / "data.classes.txt").write_text("zero\none\n")
    (tmp_path / "other").write_text("\ufeffnil\n")  # as Windows writes it

    beside, other = Gallery(str(rec)), Gallery(str(rec), tmp_path / "other")

    assert [beside.caption(i)[0] for i in range(3)] == ["zero", "one", "2"]
    assert [other.caption(i)[0] for i in range(2)] == ["nil", "1"]
    assert beside.caption(1)[1] == "#1  id 101"


def test_several_labels_are_shown_in_short() -> None:
    assert label_text(1.5, ["a", "b"]) == "1.5"
    assert label_text([1, 2, 3, 4, 5], ["a", "b"]) == "1 2 3 4 ..."
    assert label_text(float("nan"), ["a", "b"]) == "nan"
    assert label_text(1.0, ["a", "b"]) == "b"
    assert label_text(1234567.0, []) == "1234567"  # it was 1.23457e+06


def test_what_cannot_be_shown_is_replaced() -> None:
    assert printable("a\x1b[31m\n\udcff\u202eb") == "a\ufffd[31m\ufffd\ufffd\ufffdb"


def test_the_choice_is_by_seed_and_without_repeats() -> None:
    assert chosen(5, 99, 0) == [0, 1, 2, 3, 4]
    assert chosen(1000, 8, 1) == chosen(1000, 8, 1) == sorted(set(chosen(1000, 8, 1)))
    assert chosen(1000, 8, 1) != chosen(1000, 8, 2)


@pytest.mark.parametrize(
    ("text", "found"), [("3", [3]), ("0,7,2-4", [0, 7, 2, 3, 4]), ("9-9", [9])]
)
def test_ordinals_are_read_from_text(text: str, found: list[int]) -> None:
    assert records_from(text, 10) == found


@pytest.mark.parametrize(
    "text", ["", "a", "1-", "-1", "1 2", "10", "4-2", "0-10", "1,"]
)
def test_wrong_ordinals_are_told(text: str) -> None:
    with pytest.raises(ParameterError, match="records must be"):
        records_from(text, 10)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"count": 0}, "count must be at least 1, got 0"),
        ({"columns": 0}, r"columns must be in \[1, 2000\], got 0"),
        ({"epochs": 0}, r"epochs must be in \[1, 2000\], got 0"),
        ({"epoch": -1}, "epoch must be at least 0, got -1"),
        ({"count": 1, "records": [1]}, "give records or count, not both"),
        ({"records": [10]}, r"records must be in \[0, 9\]"),
        ({"count": 10, "epochs": 2000, "mirror": True}, "at most 2000 pictures"),
        ({"pad": -1}, "pad must be in"),
    ],
)
def test_a_wrong_argument_is_told(
    tmp_path: Path, ten: DataSet, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ParameterError, match=said):
        mxio.view(ten.rec, tmp_path / "sheet.png", **options)

    assert list(tmp_path.iterdir()) == []


def test_an_unknown_option_is_told_with_the_nearest(
    tmp_path: Path, ten: DataSet
) -> None:
    with pytest.raises(TypeError, match="did you mean 'rand_mirror'"):
        mxio.view(ten.rec, tmp_path / "sheet.png", rand_miror=True)


def test_the_file_itself_is_not_drawn_over(ten: DataSet) -> None:
    before = ten.rec.read_bytes()

    with pytest.raises(ParameterError, match="would replace a file"):
        mxio.view(ten.rec, ten.rec)

    assert ten.rec.read_bytes() == before


def test_a_file_without_records_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.rec").write_bytes(b"")

    with pytest.raises(DataError, match="no records: the file is empty"):
        mxio.view(tmp_path / "empty.rec", tmp_path / "sheet.png")


def test_the_command_takes_every_option_of_augmentation(
    tmp_path: Path, photos: DataSet, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {
        "TEXT": "",
        "FLAG": "true",
        "SHAPE": "(3, 20, 20)",
    }
    special = {
        "aug_seq": "aug_default",
        "data_shape": "(3,20,20)",
        "seed_aug": "3",
        "rotate_list": "0,90",
    }
    for row in params.TABLE.values():
        if not (row.faces & params.MX and row.group == "AUGMENTATION"):
            continue
        if row.name in (
            "mean_img",  # the others need a second one beside them
            "min_aspect_ratio",
            "max_crop_size",
            "min_crop_size",
        ):
            continue
        value = special.get(row.name, values.get(row.kind, str(row.default)))
        out = tmp_path / "sheet.png"
        words = ["view", str(photos.rec), f"--out={out}", "--count=1", "--epochs=1"]

        code = main([*words, f"--{row.name.replace('_', '-')}={value}"])

        assert code == 0, (row.name, capsys.readouterr().err)


@pytest.mark.parametrize("shape", ["(3,8,8)", "3,8,8", "3, 8, 8"])
def test_the_command_reports_as_json(
    tmp_path: Path, ten: DataSet, shape: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sheet.png"

    code = main(
        [
            "view",
            str(ten.rec),
            "--out",
            str(out),
            "--records=1,3",
            "--rand_mirror",
            "--data-shape",
            shape,
            "--json",
        ]
    )

    report = json.loads(capsys.readouterr().out)
    assert code == 0
    assert report["records"] == [1, 3]
    assert (report["out"], report["damaged"]) == (str(out), [])


def test_a_grid_needs_a_picture_and_a_column() -> None:
    cell = Cell(np.zeros((4, 4, 3), np.uint8), "a", "b")

    for cells, columns in (([], 3), ([cell], 0)):
        with pytest.raises(ValueError, match="at least one picture and one column"):
            grid_sheet("title", "subtitle", cells, columns)
