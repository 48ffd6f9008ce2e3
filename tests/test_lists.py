"""Lists made from folders, and lists read line by line, against hand-made text."""

import errno
import os
import random
from pathlib import Path
from typing import Any

import pytest

from mxio._lists import Lines, count_parts, make_list


def make_images(folder: Path, *names: str) -> None:
    """Empty files, which are as good as images for lists."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_a_recursive_list_has_a_label_for_every_folder_with_images(
    tmp_path: Path,
) -> None:
    root = tmp_path / "root"
    make_images(root, "b/0.JPG", "b/1.JPG", "a/deep/0.png", "a/deep/1.png", "a/x.jpeg")
    make_images(root, "a/note.txt", "top.jpg")
    (root / "empty").mkdir()

    report = make_list(tmp_path / "train", root, recursive=True, shuffle=False)

    assert report.labels == {".": 0, "a": 1, "a/deep": 2, "b": 3}
    assert (tmp_path / "train.lst").read_text() == (
        "0\t0.000000\ttop.jpg\n"
        "1\t1.000000\ta/x.jpeg\n"
        "2\t2.000000\ta/deep/0.png\n"
        "3\t2.000000\ta/deep/1.png\n"
        "4\t3.000000\tb/0.JPG\n"
        "5\t3.000000\tb/1.JPG\n"
    )


def test_a_flat_list_has_only_the_root_and_label_0(tmp_path: Path) -> None:
    make_images(tmp_path / "root", "a/x.jpeg", "b/0.JPG", "top.jpg")

    report = make_list(tmp_path / "train", tmp_path / "root")

    assert (report.images, report.labels) == (1, {".": 0})
    assert (tmp_path / "train.lst").read_text() == "0\t0.000000\ttop.jpg\n"


def test_suffixes_are_chosen_with_or_without_their_dot(tmp_path: Path) -> None:
    make_images(tmp_path, "a.jpg", "b.PNG", "c.jpeg", "d.bmp")

    make_list(tmp_path / "x", tmp_path, exts=["PNG", ".bmp"], shuffle=False)

    expected = "0\t0.000000\tb.PNG\n1\t0.000000\td.bmp\n"
    assert (tmp_path / "x.lst").read_text() == expected


def test_the_order_is_mxnets_shuffle(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number:02}.jpg").write_bytes(b"")
    expected = [f"{number}\t{0:f}\t{number:02}.jpg" for number in range(30)]
    random.seed(100)
    random.shuffle(expected)

    make_list(tmp_path / "x", tmp_path)

    assert (tmp_path / "x.lst").read_text().splitlines() == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"x.lst": (0, 10)}),
        ({"train_ratio": 0.7}, {"x_train.lst": (0, 7), "x_val.lst": (7, 10)}),
        (
            {"train_ratio": 0.5, "test_ratio": 0.2},
            {"x_test.lst": (0, 2), "x_train.lst": (2, 7), "x_val.lst": (7, 10)},
        ),
        (
            {"train_ratio": 0.8, "test_ratio": 0.2},
            {"x_test.lst": (0, 2), "x_train.lst": (2, 10)},
        ),
        ({"chunks": 3}, {"x_0.lst": (0, 4), "x_1.lst": (4, 8), "x_2.lst": (8, 10)}),
        (
            {"chunks": 3, "train_ratio": 0.5},
            {
                "x_0_train.lst": (0, 2),
                "x_0_val.lst": (2, 4),
                "x_1_train.lst": (4, 6),
                "x_1_val.lst": (6, 8),
                "x_2_train.lst": (8, 10),
                "x_2_val.lst": (10, 10),
            },
        ),
    ],
)
def test_chunks_and_ratios_cut_as_mxnet_does(
    tmp_path: Path, settings: dict[str, Any], expected: dict[str, tuple[int, int]]
) -> None:
    for number in range(10):
        (tmp_path / f"{number}.jpg").write_bytes(b"")

    report = make_list(tmp_path / "x", tmp_path, shuffle=False, **settings)

    assert sorted(report.paths) == sorted(str(tmp_path / name) for name in expected)
    for name, (begin, end) in expected.items():
        ids = [
            line.split("\t")[0] for line in (tmp_path / name).read_text().splitlines()
        ]
        assert ids == [str(number) for number in range(begin, end)]


@pytest.mark.parametrize(
    "settings",
    [
        {"chunks": 0},
        {"train_ratio": 1.1},
        {"train_ratio": float("nan")},
        {"train_ratio": 0.7, "test_ratio": 0.4},
    ],
)
def test_ratios_and_chunks_out_of_range_are_refused(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        make_list(tmp_path / "x", tmp_path, **settings)


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "a" / "1.jpg").write_bytes(b"")
    (root / "a" / "circle").symlink_to(root)
    (root / "b").symlink_to(root / "a")

    report = make_list(tmp_path / "x", root, recursive=True)

    assert (report.images, report.labels) == (2, {"a": 0, "b": 1})


def test_links_to_each_other_are_no_circle_without_end(tmp_path: Path) -> None:
    """Every picture was listed 41 times, until the system refused to go deeper."""
    root = tmp_path / "root"
    for name, other in ("ab", "ba"):
        (root / name).mkdir(parents=True)
        (root / name / f"{name}.jpg").write_bytes(b"")
        (root / name / "other").symlink_to(f"../{other}")

    report = make_list(tmp_path / "x", root, recursive=True)

    assert list(report.labels) == ["a", "a/other", "b", "b/other"]


def test_a_name_that_no_list_can_hold_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a\tb.jpg").write_bytes(b"")
    (tmp_path / " b.jpg").write_bytes(b"")  # a reader of lists drops the blank
    (tmp_path / "c.jpg").write_bytes(b"")

    report = make_list(tmp_path / "x", tmp_path)

    assert report.images == 1
    told = capsys.readouterr().err
    assert r"'a\tb.jpg'" in told and "' b.jpg'" in told


def test_a_list_that_cannot_be_stored_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "x.lst").write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left.*x\.lst"):
        make_list(tmp_path / "x", tmp_path)

    assert (tmp_path / "x.lst").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["a.jpg", "x.lst"]


# Reading


def test_lines_keep_their_numbers_when_marks_and_blank_lines_are_dropped(
    tmp_path: Path,
) -> None:
    lst = tmp_path / "x.lst"
    lst.write_bytes(b"\xef\xbb\xbf1\t0\ta.jpg\r\n\r\n2\t0\tb.jpg")

    lines = Lines(str(lst), 1, 0)

    found = [(line.place, line.text) for line in lines]
    assert found == [(f"{lst}:1", "1\t0\ta.jpg"), (f"{lst}:3", "2\t0\tb.jpg")]
    assert count_parts(str(lst), 1) == [3]


@pytest.mark.parametrize("nsplit", [1, 2, 3, 7, 200])
def test_every_line_is_in_the_part_where_the_byte_before_it_lies(
    tmp_path: Path, nsplit: int
) -> None:
    texts = [f"{number}\t1\t{'a' * (number % 4)}.jpg" for number in range(9)]
    lst = tmp_path / "x.lst"
    lst.write_text("".join(f"{text}\n" for text in texts))
    starts = [sum(len(text) + 1 for text in texts[:number]) for number in range(9)]
    step = -(-len(lst.read_bytes()) // nsplit)

    parts = [Lines(str(lst), nsplit, part) for part in range(nsplit)]

    for part, lines in enumerate(parts):
        expected = [n for n in range(9) if max(starts[n] - 1, 0) // step == part]
        assert [(line.number, line.text) for line in lines] == [
            (number + 1, texts[number]) for number in expected
        ]
        assert count_parts(str(lst), nsplit)[part] == len(expected)
