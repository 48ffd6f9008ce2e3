"""Both command lines of im2rec, against hand-made bytes, MXNet's files and OpenCV."""

import errno
import io
import os
import random
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest

from mxio import im2rec
from mxio.errors import DataError
from mxio.im2rec import main, make_list, pack_list
from mxio.recordio import MXIndexedRecordIO, unpack

GOLDEN = Path(__file__).parent / "golden" / "files"
ROOT = Path(__file__).resolve().parents[1]
MAGIC = bytes.fromhex("0a23d7ce")


def photo(
    height: int = 40, width: int = 56, channels: int = 3
) -> npt.NDArray[np.uint8]:
    """A smooth picture that JPEG hardly changes, blue first."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin((x + k * y) / (9 + k)) for k in range(channels)]
    image = (120 + 100 * np.stack(waves, axis=2)).astype(np.uint8)
    return image if channels > 1 else image[:, :, 0]


def write_image(path: Path, image: npt.NDArray[Any] | None = None) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    done, encoded = cv2.imencode(path.suffix, photo() if image is None else image)
    assert done
    path.write_bytes(encoded.tobytes())
    return encoded.tobytes()


def write_list(folder: Path, *lines: str, name: str = "image.lst") -> Path:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def record(payload: bytes) -> bytes:
    """A record of bytes without magic numbers, as the format says."""
    padding = bytes(-len(payload) % 4)
    return MAGIC + struct.pack("<I", len(payload)) + payload + padding


def pairs(path: Path) -> list[tuple[Any, bytes]]:
    """(header, image bytes) of all records, in the order of the index."""
    reader = MXIndexedRecordIO(path.with_suffix(".idx"), path, "r")
    return [unpack(reader.read_idx(key)) for key in reader.keys]


def decoded(data: bytes, flag: int = -1) -> npt.NDArray[Any]:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    assert image is not None
    return np.asarray(image)


def packed_image(
    folder: Path, source: npt.NDArray[Any], *settings: str
) -> npt.NDArray[Any]:
    """A PNG of `source` packed by the list form with settings, decoded by OpenCV."""
    write_image(folder / "source.png", source)
    lst = write_list(folder, "0\t0\tsource.png")
    out = folder / "out.rec"
    assert main([str(lst), str(folder), str(out), *settings]) == 0
    [(_, data)] = pairs(out)
    return decoded(data)


def difference(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> int:
    assert first.shape == second.shape
    return int(np.abs(first.astype(int) - second).max())


# The list form: im2rec LIST ROOT OUTPUT key=value ...


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("blank", ["\t", "  ", "     \t"])
@pytest.mark.parametrize(
    ("output", "index"),
    [("out.rec", "out.idx"), ("output.bin", "output.idx"), ("a.b/c", "a.b/c.idx")],
)
def test_a_packed_file_has_the_bytes_of_the_format(
    tmp_path: Path, slash: str, blank: str, output: str, index: str
) -> None:
    (tmp_path / "a.b").mkdir()
    first = write_image(tmp_path / "images" / "a b.jpg")
    second = write_image(tmp_path / "images" / "sub" / "c.png")
    lines = (("895099", "464", "a b.jpg"), ("7", "0.5", "sub/c.png"))
    lst = write_list(tmp_path, *map(blank.join, lines))

    code = main(
        [str(lst), f"{tmp_path}/images{slash}", str(tmp_path / output), "unchanged=1"]
    )

    one = record(struct.pack("<IfQQ", 0, 464, 895099, 0) + first)
    two = record(struct.pack("<IfQQ", 0, 0.5, 7, 0) + second)
    assert code == 0
    assert (tmp_path / output).read_bytes() == one + two
    assert (tmp_path / index).read_text() == f"895099\t0\n7\t{len(one)}\n"


@pytest.mark.parametrize("name", ["/a.jpg", "a.jpg"])
def test_the_root_stands_before_every_name(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, f"0\t0\t{name}")

    assert main([str(lst), str(tmp_path), str(tmp_path / "o.rec")]) == 0

    assert len(pairs(tmp_path / "o.rec")) == 1


def test_the_walk_of_the_documentation_page(tmp_path: Path) -> None:
    write_image(tmp_path / "root" / "a.jpg", photo(400, 300))
    lst = write_list(tmp_path, "3\t1\t2\t3\t4\ta.jpg", "5  9  8  7  6  a.jpg")
    out = tmp_path / "output.bin"

    code = main([str(lst), f"{tmp_path}/root", str(out), "resize=256", "label_width=4"])

    assert code == 0
    heads = [head for head, _ in pairs(out)]
    assert heads == [(0, 1.0, 3, 0), (0, 9.0, 5, 0)]
    assert [decoded(data).shape for _, data in pairs(out)] == [(341, 256, 3)] * 2


def test_packed_labels_follow_the_head_and_the_first_stays_in_it(
    tmp_path: Path,
) -> None:
    data = write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, "3 1.5 2 a.jpg")
    out = tmp_path / "o.rec"
    settings = ["label_width=2", "pack_label=1", "unchanged=1"]

    assert main([str(lst), str(tmp_path), str(out), *settings]) == 0

    head = struct.pack("<IfQQff", 2, 1.5, 3, 0, 1.5, 2)
    assert out.read_bytes() == record(head + data)


@pytest.mark.parametrize("shape", [(40, 56), (56, 40), (33, 33)])
@pytest.mark.parametrize("size", [20, 33, 70])
def test_the_shorter_edge_is_resized(
    tmp_path: Path, shape: tuple[int, int], size: int
) -> None:
    source = photo(*shape)
    short = min(shape)
    height, width = (edge * size // short for edge in shape)

    image = packed_image(tmp_path, source, f"resize={size}", "encoding=.png")

    expected = cv2.resize(source, (width, height), interpolation=cv2.INTER_LINEAR)
    assert difference(image, expected) <= 1


@pytest.mark.parametrize("inter_method", [0, 2, 3, 4])
def test_interpolation_is_opencvs(tmp_path: Path, inter_method: int) -> None:
    settings = ["resize=20", "encoding=.png", f"inter_method={inter_method}"]

    image = packed_image(tmp_path, photo(), *settings)

    expected = cv2.resize(photo(), (28, 20), interpolation=inter_method)
    assert np.array_equal(image, expected)


def test_the_square_in_the_middle_is_cut_before_resizing_only(tmp_path: Path) -> None:
    source = photo(41, 56)

    whole = packed_image(tmp_path, source, "center_crop=1", "encoding=.png")
    square = packed_image(
        tmp_path, source, "center_crop=1", "encoding=.png", "resize=20"
    )

    expected = cv2.resize(source[:, 7:48], (20, 20), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(whole, source)
    assert difference(square, expected) <= 1


@pytest.mark.parametrize(
    ("channels", "color", "shape"),
    [
        (3, 1, (40, 56, 3)),
        (3, 0, (40, 56)),
        (3, -1, (40, 56, 3)),
        (1, 1, (40, 56, 3)),
        (1, -1, (40, 56)),
        (4, 1, (40, 56, 3)),
        (4, -1, (40, 56, 4)),
    ],
)
def test_color_chooses_the_channels(
    tmp_path: Path, channels: int, color: int, shape: tuple[int, ...]
) -> None:
    source = photo(channels=channels)
    flag = {1: cv2.IMREAD_COLOR, 0: cv2.IMREAD_GRAYSCALE, -1: cv2.IMREAD_UNCHANGED}
    expected = decoded(cv2.imencode(".png", source)[1].tobytes(), flag[color])

    png = packed_image(tmp_path, source, f"color={color}", "encoding=.png")
    jpeg = packed_image(tmp_path, source, f"color={color}")

    assert png.shape == shape
    assert difference(png, expected) <= 1
    assert jpeg.shape == (shape[0], shape[1], 3)[: len(shape)]


@pytest.mark.parametrize(("settings", "quality"), [([], 95), (["quality=80"], 80)])
def test_quality_is_95_unless_told_otherwise(
    tmp_path: Path, settings: list[str], quality: int
) -> None:
    packed_image(tmp_path, photo(), *settings)
    [(_, data)] = pairs(tmp_path / "out.rec")
    expected = io.BytesIO()
    PIL.Image.new("RGB", (8, 8)).save(expected, "JPEG", quality=quality)

    tables = PIL.Image.open(io.BytesIO(data)).quantization  # type: ignore[attr-defined]

    assert tables == PIL.Image.open(expected).quantization  # type: ignore[attr-defined]


def test_pictures_of_all_kinds_are_packed_as_opencv_sees_them(tmp_path: Path) -> None:
    rgb = PIL.Image.fromarray(photo()[:, :, ::-1])
    turned = PIL.Image.Exif()
    turned[0x0112] = 6
    rgb.save(tmp_path / "turned.jpg", exif=turned)
    rgb.convert("CMYK").save(tmp_path / "cmyk.jpg")
    rgb.save(tmp_path / "a.webp", lossless=True)
    write_image(tmp_path / "a.bmp")
    write_image(tmp_path / "deep.png", photo().astype(np.uint16) * 257)
    names = ["turned.jpg", "cmyk.jpg", "a.webp", "a.bmp", "deep.png"]
    lst = write_list(tmp_path, *(f"{i}\t0\t{name}" for i, name in enumerate(names)))
    out = tmp_path / "o.rec"

    assert main([str(lst), str(tmp_path), str(out), "encoding=.png"]) == 0

    for name, (_, data) in zip(names, pairs(out), strict=True):
        expected = decoded((tmp_path / name).read_bytes(), cv2.IMREAD_COLOR)
        assert difference(decoded(data), expected) <= 3, name


def test_sixteen_bits_stay_in_a_png_and_are_cut_for_a_jpeg(tmp_path: Path) -> None:
    deep = photo().astype(np.uint16) * 257

    png = packed_image(tmp_path, deep, "color=-1", "encoding=.png")
    jpeg = packed_image(tmp_path, deep, "color=-1")

    assert np.array_equal(png, deep)
    expected = decoded(cv2.imencode(".jpg", photo(), [1, 95])[1].tobytes())
    assert difference(jpeg, expected) <= 3


@pytest.mark.parametrize("nsplit", [2, 3, 7])
def test_parts_are_disjoint_and_complete(tmp_path: Path, nsplit: int) -> None:
    write_image(tmp_path / "a.jpg")
    lines = [f"{number}\t1\ta.jpg" for number in range(9)]
    lst = write_list(tmp_path, *lines)
    parts = []
    for part in range(nsplit):
        settings = [f"nsplit={nsplit}", f"part={part}", "unchanged=1"]

        assert main([str(lst), str(tmp_path), str(tmp_path / "o.rec"), *settings]) == 0

        index = tmp_path / f"o.idx.part{part:03d}"
        assert (tmp_path / f"o.rec.part{part:03d}").exists()
        parts.append([line.split("\t")[0] for line in index.read_text().splitlines()])

    step = -(-len(lst.read_bytes()) // nsplit)
    starts = [sum(len(line) + 1 for line in lines[:number]) for number in range(9)]
    for part, ids in enumerate(parts):
        expected = [n for n in range(9) if start_part(starts[n], step) == part]
        assert ids == [str(number) for number in expected]


def start_part(start: int, step: int) -> int:
    """The part of a line: one that begins where a part begins is of the one before."""
    return max(start - 1, 0) // step


# Wrong command lines


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["resise=256"], "unknown key resise; did you mean resize?"),
        (["zzz=1"], "unknown key zzz; known are label_width, "),
        (["resize=abc"], "resize must be a whole number, got 'abc'"),
        (["resize=-2"], "resize must be in [-1, 65500], got -2"),
        (["quality=101"], "quality must be in [0, 100], got 101"),
        (["quality=0"], "quality must be in [1, 100] for .jpg, got 0"),
        (["encoding=.gif"], "encoding must be one of .jpg, .png, got '.gif'"),
        (["inter_method=5"], "inter_method must be one of 0, 1, 2, 3, 4, 9, 10, got 5"),
        (["color=2"], "color must be one of 1, 0, -1, got 2"),
        (["pack_label=2"], "pack_label must be 0 or 1, got '2'"),
        (["pack_label=1"], "label_width must be >= 2 with pack_label, got 1"),
        (["label_width=0"], "label_width must be >= 1, got 0"),
        (["nsplit=2", "part=2"], "part must be in [0, nsplit = 2), got 2"),
        (["loose"], "expected key=value behind the output, got 'loose'"),
        (["--resize=4"], "unknown option --resize"),
        (["--quite"], "unknown option --quite; did you mean --quiet?"),
        (["--num-thread=-1"], "num_thread must be in [0, 1024], got -1"),
        (["--on-error=ignore"], "invalid choice: 'ignore'"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, "0\t0\ta.jpg")

    code = main([str(lst), str(tmp_path), str(tmp_path / "o.rec"), *words])

    assert code == 2
    assert message in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["a.jpg", "image.lst"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.lst", "root", "resize=256"], "LIST ROOT OUTPUT must come first"),
        (["prefix", "root", "--train-ration", "1"], "did you mean --train-ratio?"),
        (["prefix", "root", "--list=maybe"], "list"),
        (["prefix"], "root"),
        (["a.lst", "root", "out.idx"], "must not have the name of an index"),
        (["a.lst", "root", "a.lst"], "would replace the list"),
    ],
)
def test_a_wrong_command_line_is_code_2(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    code = main(words)

    assert code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["--help"], ["a", "b", "-h"]])
def test_the_full_help_shows_both_forms(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    code = main(words)

    shown = capsys.readouterr().out
    assert code == 0
    assert "im2rec PREFIX ROOT --list" in shown
    assert "im2rec LIST ROOT OUTPUT [key=value ...]" in shown
    for name in ("--train-ratio", "--pass-through", "label_width=1", "quality=95"):
        assert name in shown


# The prefix form: im2rec PREFIX ROOT --list ..., im2rec PREFIX ROOT ...


def make_tree(root: Path, count: int = 3) -> None:
    for folder in ("b", "a", "a/deep", "empty"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (root / "b" / f"{number}.JPG").write_bytes(b"")
        (root / "a" / "deep" / f"{number}.png").write_bytes(b"")
    (root / "a" / "x.jpeg").write_bytes(b"")
    (root / "a" / "note.txt").write_bytes(b"")
    (root / "top.jpg").write_bytes(b"")


def test_a_recursive_list_has_a_label_for_every_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_tree(tmp_path / "root", 2)
    words = ["--list", "--recursive", "--no-shuffle"]

    code = main([str(tmp_path / "train"), str(tmp_path / "root"), *words])

    assert code == 0
    assert (tmp_path / "train.lst").read_text() == (
        "0\t0.000000\ttop.jpg\n"
        "1\t1.000000\ta/x.jpeg\n"
        "2\t2.000000\ta/deep/0.png\n"
        "3\t2.000000\ta/deep/1.png\n"
        "4\t3.000000\tb/0.JPG\n"
        "5\t3.000000\tb/1.JPG\n"
    )
    assert capsys.readouterr().out.startswith(". 0\na 1\na/deep 2\nb 3\n")


def test_a_flat_list_has_only_the_root_and_label_0(tmp_path: Path) -> None:
    make_tree(tmp_path / "root")

    report = make_list(tmp_path / "train", tmp_path / "root")

    assert (report.images, report.labels) == (1, {".": 0})
    assert (tmp_path / "train.lst").read_text() == "0\t0.000000\ttop.jpg\n"


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
    "words",
    [
        ["--list", "--recursive", "PREFIX", "ROOT", "--exts", ".jpg", "png"],
        [
            "--list",
            "1",
            "--recursive",
            "True",
            "PREFIX",
            "ROOT",
            "--exts",
            ".jpg",
            ".PNG",
        ],
        ["PREFIX", "ROOT", "--list=true", "--exts=.jpg", "--recursive=1"],
        [
            "PREFIX",
            "ROOT",
            "--list",
            "--train_ratio",
            "1.0",
            "--recursive",
            "--chunks=1",
        ],
        [
            "PREFIX",
            "ROOT",
            "--list",
            "--shuffle",
            "False",
            "--recursive",
            "--no_shuffle",
        ],
    ],
)
def test_the_spellings_of_old_scripts_are_understood(
    tmp_path: Path, words: list[str]
) -> None:
    make_tree(tmp_path / "root")
    places = {"PREFIX": str(tmp_path / "x"), "ROOT": str(tmp_path / "root")}

    code = main([places.get(word, word) for word in words])

    lines = (tmp_path / "x.lst").read_text().splitlines()
    assert code == 0
    assert any(line.endswith("b/0.JPG") for line in lines)
    assert any(line.endswith("x.jpeg") for line in lines) == (
        "--exts" not in str(words)
    )


@pytest.mark.parametrize(
    "settings",
    [{"chunks": 0}, {"train_ratio": 1.1}, {"train_ratio": 0.7, "test_ratio": 0.4}],
)
def test_ratios_and_chunks_out_of_range_are_refused(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        make_list(tmp_path / "x", tmp_path, **settings)


def test_a_root_without_images_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "x"), str(tmp_path), "--list"]) == 1
    assert "recursive looks into its folders" in capsys.readouterr().err

    assert main([str(tmp_path / "x"), str(tmp_path / "none"), "--list"]) == 1
    assert "none" in capsys.readouterr().err


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "a" / "1.jpg").write_bytes(b"")
    (root / "a" / "circle").symlink_to(root)
    (root / "b").symlink_to(root / "a")

    report = make_list(tmp_path / "x", root, recursive=True)

    assert (report.images, report.labels) == (2, {"a": 0, "b": 1})


def test_names_that_are_not_text_are_listed_and_packed(tmp_path: Path) -> None:
    data = write_image(tmp_path / "a.jpg")
    os.rename(tmp_path / "a.jpg", os.fsencode(tmp_path) + b"/\xff\xfe.jpg")

    make_list(tmp_path / "x", tmp_path)
    pack_list(tmp_path / "x.lst", tmp_path, pass_through=True)

    assert (tmp_path / "x.lst").read_bytes() == b"0\t0.000000\t\xff\xfe.jpg\n"
    assert [image for _, image in pairs(tmp_path / "x.rec")] == [data]


def test_a_name_that_no_list_can_hold_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a\tb.jpg").write_bytes(b"")
    (tmp_path / "c.jpg").write_bytes(b"")

    report = make_list(tmp_path / "x", tmp_path)

    assert report.images == 1
    assert r"'a\tb.jpg'" in capsys.readouterr().err


def test_every_list_with_the_prefix_is_packed(tmp_path: Path) -> None:
    data = write_image(tmp_path / "root" / "a.jpg")
    for name in ("x_train.lst", "x_val.lst", "other.lst"):
        write_list(tmp_path, "4\t2.000000\ta.jpg", name=name)
    words = [
        str(tmp_path / "x"),
        str(tmp_path / "root"),
        "--pass-through",
        "--num_thread=2",
    ]

    code = main(words)

    expected = record(struct.pack("<IfQQ", 0, 2, 4, 0) + data)
    assert code == 0
    assert (tmp_path / "x_train.rec").read_bytes() == expected
    assert (tmp_path / "x_val.rec").read_bytes() == expected
    assert (tmp_path / "x_val.idx").read_text() == "4\t0\n"
    assert not (tmp_path / "other.rec").exists()


def test_a_prefix_without_list_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([str(tmp_path / "x"), str(tmp_path)])

    assert code == 1
    assert "--list makes one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "head"),
    [
        ([], struct.pack("<IfQQ", 0, 1.5, 3, 0)),
        (["--pack-label"], struct.pack("<IfQQff", 2, 0, 3, 0, 1.5, 2)),
    ],
)
def test_labels_of_the_prefix_form(
    tmp_path: Path, words: list[str], head: bytes
) -> None:
    data = write_image(tmp_path / "a b.jpg")
    write_list(tmp_path, "3\t1.5\t2\ta b.jpg")

    code = main([str(tmp_path / "image"), str(tmp_path), "--pass-through", *words])

    assert code == 0
    assert (tmp_path / "image.rec").read_bytes() == record(head + data)


def test_the_prefix_form_crops_without_resizing_too(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", photo(40, 57))
    write_list(tmp_path, "0\t0\ta.png")
    words = ["--center-crop", "--encoding", ".png", "--quality", "3", "--color", "-1"]

    assert main([str(tmp_path / "image"), str(tmp_path), *words]) == 0

    [(_, data)] = pairs(tmp_path / "image.rec")
    assert np.array_equal(decoded(data), photo(40, 57)[:, 8:48])


def test_blanks_separate_a_line_without_tabs(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg")
    write_list(tmp_path, "3 1.5 a.jpg", "4    2   a.jpg")

    assert main([str(tmp_path / "image"), str(tmp_path)]) == 0

    assert [head[:3] for head, _ in pairs(tmp_path / "image.rec")] == [
        (0, 1.5, 3),
        (0, 2.0, 4),
    ]


# Both forms


@pytest.mark.parametrize("name", ["many57", "jpg4", "imgmagic5", "rgba4", "fmt_exif6"])
def test_a_file_of_mxnet_is_made_again_byte_for_byte(tmp_path: Path, name: str) -> None:
    lines = []
    for place, (head, data) in enumerate(pairs(GOLDEN / f"{name}.rec")):
        (tmp_path / f"{place}.img").write_bytes(data)
        lines.append(f"{head.id}\t{head.label!r}\t{place}.img")
    write_list(tmp_path, *lines, name="x.lst")

    pack_list(tmp_path / "x.lst", tmp_path, pass_through=True)

    assert (tmp_path / "x.rec").read_bytes() == (GOLDEN / f"{name}.rec").read_bytes()


def test_packed_labels_of_mxnet_are_made_again_byte_for_byte(tmp_path: Path) -> None:
    lines = []
    for place, (head, data) in enumerate(pairs(GOLDEN / "multi4.rec")):
        (tmp_path / f"{place}.img").write_bytes(data)
        labels = "\t".join(map(repr, head.label.tolist()))
        lines.append(f"{head.id}\t{labels}\t{place}.img")
    write_list(tmp_path, *lines, name="x.lst")

    pack_list(tmp_path / "x.lst", tmp_path, pass_through=True, pack_label=True)

    assert (tmp_path / "x.rec").read_bytes() == (GOLDEN / "multi4.rec").read_bytes()


def test_the_number_of_threads_does_not_change_a_byte(tmp_path: Path) -> None:
    lines = []
    for number in range(40):
        write_image(tmp_path / f"{number}.jpg", photo(30 + number, 70 - number))
        lines.append(f"{number}\t{number % 3}\t{number}.jpg")
    (tmp_path / "17.jpg").write_bytes(b"bad")
    lst = write_list(tmp_path, *lines)

    made = set()
    for threads in (1, 2, 7):
        out = tmp_path / f"{threads}.rec"
        pack_list(lst, tmp_path, out, resize=24, inter_method=10, num_thread=threads)
        made.add((out.read_bytes(), out.with_suffix(".idx").read_bytes()))

    assert len(made) == 1


def make_bad_list(folder: Path) -> Path:
    good = write_image(folder / "good.jpg")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_bytes(b"no image")
    (folder / "torn.jpg").write_bytes(good[: len(good) // 2])
    (folder / "folder.jpg").mkdir()
    return write_list(
        folder,
        "0\t0\tgood.jpg",
        "1\t0\tempty.jpg",
        "2\t0\ttext.jpg",
        "3\t0\ttorn.jpg",
        "4\t0\tmissing.jpg",
        "",
        "5\t0\tfolder.jpg",
        "six\t0\tgood.jpg",
        "7\tx\tgood.jpg",
        "-8\t0\tgood.jpg",
        f"{2**64}\t0\tgood.jpg",
        "9\t0\tgood.jpg",
    )


@pytest.mark.parametrize("form", ["list", "prefix"])
def test_bad_lines_and_images_are_reported_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    lst = make_bad_list(tmp_path)
    words = {
        "list": [str(lst), str(tmp_path), str(tmp_path / "image.rec")],
        "prefix": [str(tmp_path / "image"), str(tmp_path)],
    }

    code = main(words[form])

    errors = capsys.readouterr().err.splitlines()
    assert code == 0
    assert [head.id for head, _ in pairs(tmp_path / "image.rec")] == [0, 9]
    for line, text in (
        (2, "empty.jpg: the file is empty"),
        (3, "text.jpg: "),
        (4, "torn.jpg: "),
        (5, "missing.jpg: No such file or directory"),
        (7, "folder.jpg: Is a directory"),
        (8, "six"),
        (9, "x"),
        (10, "-8"),
        (11, str(2**64)),
    ):
        [report] = [error for error in errors if f"image.lst:{line}: " in error]
        assert text in report
    assert errors[-1].endswith("9 bad lines or images were skipped")


def test_on_error_fail_stops_and_leaves_the_old_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lst = make_bad_list(tmp_path)
    (tmp_path / "o.rec").write_bytes(b"old")
    before = sorted(os.listdir(tmp_path))

    code = main(
        [str(lst), str(tmp_path), str(tmp_path / "o.rec"), "--on-error", "fail"]
    )

    assert code == 1
    assert "image.lst:2: " in capsys.readouterr().err
    assert (tmp_path / "o.rec").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == before


def test_nothing_is_written_when_not_one_image_is_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lst = write_list(tmp_path, "0\t0\ta.jpg", "1\t0\tb.jpg")

    code = main([str(lst), str(tmp_path), str(tmp_path / "o.rec")])

    errors = capsys.readouterr().err
    assert code == 1
    assert "image.lst:1: " in errors
    assert "image.lst:2: " in errors
    assert "none of its 2 lines could be packed" in errors
    assert os.listdir(tmp_path) == ["image.lst"]


def test_an_empty_list_makes_empty_files(tmp_path: Path) -> None:
    lst = write_list(tmp_path)

    report = pack_list(lst, tmp_path)

    assert report.packed == 0
    assert (tmp_path / "image.rec").read_bytes() == b""
    assert (tmp_path / "image.idx").read_bytes() == b""


@pytest.mark.parametrize(
    ("line", "width", "text"),
    [
        ("1\t2\t3\ta.jpg", 4, "no 4 labels and a path"),
        ("1\t2\ta.jpg", 2, "no 2 labels and a path"),
        ("1\t2\t3\t4\ta.jpg", 2, "begins with further labels"),
    ],
)
def test_a_wrong_label_width_stops_with_the_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    line: str,
    width: int,
    text: str,
) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, line)
    out = tmp_path / "o.rec"

    code = main([str(lst), str(tmp_path), str(out), f"label_width={width}"])

    errors = capsys.readouterr().err
    assert code == 1
    assert "image.lst:1: " in errors
    assert text in errors
    assert not out.exists()


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_is_code_1_and_leaves_nothing_half_written(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    call: str,
) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, *(f"{number}\t0\ta.jpg" for number in range(20)))
    (tmp_path / "o.rec").write_bytes(b"old")
    before = sorted(os.listdir(tmp_path))
    original = os.write

    def full(descriptor: int, data: bytes = b"") -> int:
        if call == "fsync" or len(data) > 100:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(descriptor, data)

    monkeypatch.setattr(os, call, full)
    code = main([str(lst), str(tmp_path), str(tmp_path / "o.rec")])

    errors = capsys.readouterr().err
    assert code == 1
    assert "No space left on device" in errors
    assert str(tmp_path / "o.rec") in errors
    assert (tmp_path / "o.rec").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("place", ["list", "output"])
def test_a_missing_list_or_folder_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    lst = tmp_path / "none.lst" if place == "list" else write_list(tmp_path, "0\t0\ta")
    out = tmp_path / "none" / "o.rec"

    code = main([str(lst), str(tmp_path), str(out)])

    assert code == 1
    assert str(lst if place == "list" else out) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, 130)]
)
def test_a_signal_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, *(f"{place}\t0\ta.jpg" for place in range(200)))

    sent: list[int] = []

    def interrupt(data: bytes, flag: int) -> Any:
        if not sent:
            sent.append(number)
            os.kill(os.getpid(), number)
        return photo()

    monkeypatch.setattr(im2rec, "decode_bgr", interrupt)
    try:
        ended = main([str(lst), str(tmp_path), str(tmp_path / "o.rec")])
    except SystemExit as exit:
        ended = int(exit.code or 0)

    assert ended == code
    assert sorted(os.listdir(tmp_path)) == ["a.jpg", "image.lst"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_labels_that_float32_rounds_and_ids_that_repeat_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "a.jpg")
    labels = [
        1,
        16777216,
        16777217,
        0.1,
        -16777219,
        2.0**30,
        "1e39",
        "99999999999999991",
    ]
    ids = [5, 6, 5, 7, 5, 8, 9, 9]
    lines = [f"{id_}\t{label}\ta.jpg" for id_, label in zip(ids, labels, strict=True)]
    lst = write_list(tmp_path, *lines)
    out = tmp_path / "image.rec"

    code = main([str(lst), str(tmp_path), str(out)])

    errors = capsys.readouterr().err
    assert code == 0
    assert "4 lines have labels that float32 rounds" in errors
    assert "3 lines repeat an id" in errors
    index = out.with_suffix(".idx").read_text()
    assert [line.split("\t")[0] for line in index.splitlines()] == list(map(str, ids))


def test_ids_of_64_bits_are_kept(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, f"{2**64 - 1}\t0\ta.jpg", f"{2**33}\t0\ta.jpg")

    pack_list(lst, tmp_path)

    heads = [head.id for head, _ in pairs(tmp_path / "image.rec")]
    assert heads == [2**64 - 1, 2**33]


def test_a_mark_of_byte_order_and_other_ends_of_line_do_no_harm(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg")
    (tmp_path / "x.lst").write_bytes(b"\xef\xbb\xbf1\t0\ta.jpg\r\n\r\n2\t0\ta.jpg")

    report = pack_list(tmp_path / "x.lst", tmp_path)

    assert (report.packed, report.skipped) == (2, 0)


def test_a_list_is_read_only_a_little_ahead(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, *(f"{number}\t0\ta.jpg" for number in range(1000)))
    ahead = []
    made: list[int] = []

    class Lines(im2rec._Lines):
        def __iter__(self) -> Any:
            for line in super().__iter__():
                ahead.append(line.number - len(made))
                yield line

    class Output(im2rec._Output):
        def write(self, packed: Any) -> None:
            made.append(packed.id)
            super().write(packed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(im2rec, "_Lines", Lines)
        patch.setattr(im2rec, "_Output", Output)
        pack_list(lst, tmp_path, num_thread=3)

    assert made == list(range(1000))
    assert max(ahead) <= 3 * im2rec._LOOK_AHEAD


# What is shown


def test_progress_is_a_line_now_and_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, "0\t0\ta.jpg", "1\t0\ta.jpg")
    monkeypatch.setattr(im2rec, "_SECONDS_BETWEEN_LINES", 0.0)

    main([str(lst), str(tmp_path), str(tmp_path / "o.rec")])

    shown = capsys.readouterr()
    assert "2 of 2 lines" in shown.err
    assert "o.rec: 2 images in " in shown.out


def test_progress_is_a_bar_on_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, "0\t0\ta.jpg", "1\t0\tmissing.jpg")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    main([str(lst), str(tmp_path), str(tmp_path / "o.rec")])

    shown = capsys.readouterr().err
    assert "2/2" in shown
    assert "missing.jpg: No such file" in shown


def test_quiet_shows_problems_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, "0\t0\ta.jpg")
    monkeypatch.setattr(im2rec, "_SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    main([str(lst), str(tmp_path), str(tmp_path / "o.rec"), "--quiet"])
    main([str(tmp_path / "y"), str(tmp_path), "--list", "--quiet", "--recursive"])

    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")


def test_a_bad_argument_of_a_function_is_a_value_error(tmp_path: Path) -> None:
    lst = write_list(tmp_path, "0\t0\ta.jpg")

    with pytest.raises(ValueError, match='on_error must be "skip" or "fail"'):
        pack_list(lst, tmp_path, on_error="ignore")
    with pytest.raises(DataError, match=r"image\.lst:1: .*a\.jpg") as caught:
        pack_list(lst, tmp_path, on_error="fail")
    assert caught.value.path == str(lst)


@pytest.mark.parametrize("how", [["tools/im2rec.py"], ["-m", "mxio.im2rec"]])
def test_the_tool_runs_as_a_program(tmp_path: Path, how: list[str]) -> None:
    write_image(tmp_path / "a.jpg")
    words = [str(tmp_path / "x"), str(tmp_path), "--list"]

    done = subprocess.run(
        [sys.executable, *how, *words], cwd=ROOT, capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "x.lst").read_text() == "0\t0.000000\ta.jpg\n"


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
