"""Packed lists, against hand-made bytes, MXNet's files, OpenCV and Pillow."""

import errno
import io
import os
import re
import struct
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest

from mxio import _core, _pace, _packing
from mxio._lists import Lines, make_list
from mxio._packing import pack_list
from mxio._recipe import Recipe
from mxio._records import Made
from mxio.errors import DataError, MxioError
from tests.conftest import difference
from tests.im2rec_files import decoded, pairs, photo, record, write_image, write_list

GOLDEN = Path(__file__).parent / "golden" / "files"


def packed_image(
    folder: Path, source: npt.NDArray[Any], **settings: Any
) -> npt.NDArray[Any]:
    """A PNG of `source` packed with settings, decoded by OpenCV."""
    write_image(folder / "source.png", source)
    lst = write_list(folder, "0\t0\tsource.png")
    pack_list(lst, folder, folder / "out.rec", **settings)
    [(_, data)] = pairs(folder / "out.rec")
    return decoded(data)


# Lines


@pytest.mark.parametrize("name", ["/a.jpg", "a.jpg"])
def test_with_a_label_width_the_root_stands_before_every_name(
    tmp_path: Path, name: str
) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, f"0\t0\t{name}")

    report = pack_list(lst, tmp_path, label_width=1)

    assert report.packed == 1


def test_packed_labels_follow_the_head_and_the_first_stays_in_it(
    tmp_path: Path,
) -> None:
    data = write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, "3 1.5 2 a.jpg")
    out = tmp_path / "o.rec"

    pack_list(lst, tmp_path, out, label_width=2, pack_label=True, pass_through=True)

    head = struct.pack("<IfQQff", 2, 1.5, 3, 0, 1.5, 2)
    assert out.read_bytes() == record(head + data)


def test_blanks_separate_a_line_without_tabs(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, "3 1.5 a.jpg", "4    2   a.jpg")

    pack_list(lst, tmp_path)

    heads = [head[:3] for head, _ in pairs(tmp_path / "image.rec")]
    assert heads == [(0, 1.5, 3), (0, 2.0, 4)]


def test_labels_that_float32_rounds_and_ids_that_repeat_are_counted(
    tmp_path: Path,
) -> None:
    write_image(tmp_path / "a.jpg")
    right = ["1", "16777216", "0.1", str(2.0**30)]
    rounded = ["16777217", "-16777219", "1e39", "99999999999999991"]
    ids = [5, 6, 5, 7, 5, 8, 9, 9]
    lines = [
        f"{id_}\t{label}\ta.jpg"
        for id_, label in zip(ids, right + rounded, strict=True)
    ]
    lst = write_list(tmp_path, *lines)

    report = pack_list(lst, tmp_path)

    assert (report.packed, report.rounded, report.duplicates) == (8, 4, 3)
    index = (tmp_path / "image.idx").read_text()
    assert [line.split("\t")[0] for line in index.splitlines()] == list(map(str, ids))


def test_ids_of_64_bits_are_kept(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, f"{2**64 - 1}\t0\ta.jpg", f"{2**33}\t0\ta.jpg")

    pack_list(lst, tmp_path)

    heads = [head.id for head, _ in pairs(tmp_path / "image.rec")]
    assert heads == [2**64 - 1, 2**33]


def test_names_that_are_not_text_are_listed_and_packed(tmp_path: Path) -> None:
    data = write_image(tmp_path / "a.jpg")
    os.rename(tmp_path / "a.jpg", os.fsencode(tmp_path) + b"/\xff\xfe.jpg")

    make_list(tmp_path / "x", tmp_path)
    pack_list(tmp_path / "x.lst", tmp_path, pass_through=True)

    assert (tmp_path / "x.lst").read_bytes() == b"0\t0.000000\t\xff\xfe.jpg\n"
    assert [image for _, image in pairs(tmp_path / "x.rec")] == [data]


@pytest.mark.parametrize(
    ("line", "width", "text"),
    [
        ("1\t2\t3\ta.jpg", 4, "no 4 labels and a path"),
        ("1\t2\ta.jpg", 2, "no 2 labels and a path"),
        ("1\t2\tb\ta.jpg", 2, "no 2 labels and a path"),
        ("1\t2\t3\t4\ta.jpg", 2, "begins with further labels"),
    ],
)
def test_a_wrong_label_width_stops_with_the_line(
    tmp_path: Path, line: str, width: int, text: str
) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, line)

    with pytest.raises(DataError, match=rf"image\.lst:1: .*{text}.*={width} so"):
        pack_list(lst, tmp_path, label_width=width)

    assert sorted(os.listdir(tmp_path)) == ["a.jpg", "image.lst"]


def test_a_list_is_read_only_a_little_ahead(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, *(f"{number}\t0\ta.jpg" for number in range(1000)))
    ahead = []
    made: list[int] = []

    class Read(Lines):
        def __iter__(self) -> Any:
            for line in super().__iter__():
                ahead.append(line.number - len(made))
                yield line

    class Written(_packing._Output):
        def add(self, each: Made) -> None:
            made.append(each.line.number - 1)
            super().add(each)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_packing, "Lines", Read)
        patch.setattr(_packing, "_Output", Written)
        pack_list(lst, tmp_path, num_thread=3)

    assert made == list(range(1000))
    assert max(ahead) <= 3 * _packing._LOOK_AHEAD


@pytest.mark.parametrize("nsplit", [2, 3, 7])
def test_parts_hold_every_line_once(tmp_path: Path, nsplit: int) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, *(f"{number}\t1\ta.jpg" for number in range(9)))
    out = tmp_path / "o.rec"

    reports = [
        pack_list(lst, tmp_path, out, nsplit=nsplit, part=part, pass_through=True)
        for part in range(nsplit)
    ]

    ids = []
    for part, report in enumerate(reports):
        assert report.output == f"{out}.part{part:03d}"
        assert report.index == f"{tmp_path}/o.idx.part{part:03d}"
        index = Path(report.index).read_text().splitlines()
        assert os.path.getsize(report.output) > 0 or not index
        ids += [line.split("\t")[0] for line in index]
    assert ids == [str(number) for number in range(9)]


# Images


@pytest.mark.parametrize("shape", [(40, 56), (56, 40), (33, 33)])
@pytest.mark.parametrize("size", [20, 33, 70])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_shorter_edge_is_resized(
    tmp_path: Path, shape: tuple[int, int], size: int, channels: int
) -> None:
    source = photo(*shape, channels)
    short = min(shape)
    height, width = (edge * size // short for edge in shape)

    image = packed_image(tmp_path, source, resize=size, color=-1, encoding=".png")

    expected = cv2.resize(source, (width, height), interpolation=cv2.INTER_LINEAR)
    assert difference(image, expected) <= 1


@pytest.mark.parametrize("size", [20, 60])
@pytest.mark.parametrize("inter_method", [0, 2, 3, 4, 9])
def test_interpolation_is_opencvs(tmp_path: Path, inter_method: int, size: int) -> None:
    settings = {"resize": size, "inter_method": inter_method}

    image = packed_image(tmp_path, photo(), encoding=".png", **settings)

    fitting = cv2.INTER_AREA if size < 40 else cv2.INTER_CUBIC
    method = fitting if inter_method == 9 else inter_method
    expected = cv2.resize(photo(), (size * 56 // 40, size), interpolation=method)
    assert difference(image, expected) <= (inter_method != 0)


@pytest.mark.parametrize(("resize", "by"), [(20, 8), (30, 4), (50, 2), (90, 2)])
@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("center_crop", [False, True])
def test_scaled_decoding_is_the_resize_of_a_picture_of_smaller_blocks(
    tmp_path: Path, resize: int, by: int, orientation: int, center_crop: bool
) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    source = PIL.Image.fromarray(photo(181, 243)[:, :, ::-1])
    source.save(tmp_path / "a.jpg", exif=exif, quality=95)
    lst = write_list(tmp_path, "0\t0\ta.jpg")
    settings: dict[str, Any] = {"resize": resize, "center_crop": center_crop}

    pack_list(lst, tmp_path, encoding=".png", scaled_decode=True, **settings)

    # OpenCV shrinks by the same smaller transforms, and turns the picture upright.
    flag = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}
    shrunk = decoded(
        (tmp_path / "a.jpg").read_bytes(), flag.get(by, cv2.IMREAD_REDUCED_COLOR_8)
    )
    height, width = (181, 243) if orientation != 6 else (243, 181)
    size = (resize * width // min(height, width), resize * height // min(height, width))
    if center_crop:
        side = min(shrunk.shape[:2])
        top, left = (edge - side for edge in shrunk.shape[:2])
        shrunk = shrunk[top // 2 : top // 2 + side, left // 2 : left // 2 + side]
        size = (resize, resize)
    [(_, data)] = pairs(tmp_path / "image.rec")
    expected = cv2.resize(shrunk, size, interpolation=cv2.INTER_LINEAR)
    assert difference(decoded(data), expected) <= 1


@pytest.mark.parametrize("pass_through", [False, True])
def test_repacked_jpegs_have_the_same_pixels_and_a_marker_every_four_mcus(
    tmp_path: Path, pass_through: bool
) -> None:
    cv2.imwrite(
        str(tmp_path / "a.jpg"), photo(96, 128), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    )
    write_image(tmp_path / "b.png")
    lst = write_list(tmp_path, "0\t0\ta.jpg", "1\t1\tb.png")
    plain: dict[str, Any] = {"pass_through": pass_through}

    pack_list(lst, tmp_path, tmp_path / "plain.rec", **plain)
    pack_list(lst, tmp_path, tmp_path / "fast.rec", repack=True, **plain)

    before, after = pairs(tmp_path / "plain.rec"), pairs(tmp_path / "fast.rec")
    for (old_header, old), (new_header, new) in zip(before, after, strict=True):
        assert new_header == old_header
        np.testing.assert_array_equal(decoded(new), decoded(old))
    jpeg, other = after[0][1], after[1][1]
    assert b"\xff\xdd\x00\x04\x00\x04" in jpeg  # DRI: 4 MCUs
    assert b"\xff\xc2" not in jpeg  # progressive no more
    assert (other == before[1][1]) == pass_through


def test_a_damaged_jpeg_is_not_repacked(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg", photo(96, 128))
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    lst = write_list(tmp_path, "0\t0\ta.jpg")

    with pytest.raises(DataError, match=r"a\.jpg"):
        pack_list(lst, tmp_path, pass_through=True, repack=True, on_error="fail")


def test_scaled_decoding_leaves_alone_what_shrinks_by_less_than_two(
    tmp_path: Path,
) -> None:
    write_image(tmp_path / "a.jpg", photo(40, 56))
    lst = write_list(tmp_path, "0\t0\ta.jpg")

    made = []
    for scaled_decode in (False, True):
        pack_list(lst, tmp_path, resize=21, scaled_decode=scaled_decode)
        made.append((tmp_path / "image.rec").read_bytes())

    assert made[0] == made[1]


def test_the_square_in_the_middle_is_cut_before_resizing(tmp_path: Path) -> None:
    source = photo(41, 56)

    whole = packed_image(tmp_path, source, center_crop=True, encoding=".png")
    small = packed_image(tmp_path, source, center_crop=True, encoding=".png", resize=20)

    square = source[:, 7:48]
    expected = cv2.resize(square, (20, 20), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(whole, square)
    assert difference(small, expected) <= 1


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

    png = packed_image(tmp_path, source, color=color, encoding=".png")
    jpeg = packed_image(tmp_path, source, color=color)

    assert png.shape == shape
    assert difference(png, expected) <= 1
    assert jpeg.shape == (shape[0], shape[1], 3)[: len(shape)]


@pytest.mark.parametrize(("settings", "quality"), [({}, 95), ({"quality": 80}, 80)])
def test_quality_is_95_unless_told_otherwise(
    tmp_path: Path, settings: dict[str, int], quality: int
) -> None:
    packed_image(tmp_path, photo(), **settings)
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

    pack_list(lst, tmp_path, out, encoding=".png")

    for name, (_, data) in zip(names, pairs(out), strict=True):
        expected = decoded((tmp_path / name).read_bytes(), cv2.IMREAD_COLOR)
        assert difference(decoded(data), expected) <= 3, name


def test_sixteen_bits_stay_in_a_png_and_are_cut_for_a_jpeg(tmp_path: Path) -> None:
    deep = photo().astype(np.uint16) * 257

    png = packed_image(tmp_path, deep, color=-1, encoding=".png")
    jpeg = packed_image(tmp_path, deep, color=-1)

    assert np.array_equal(png, deep)
    expected = decoded(cv2.imencode(".jpg", photo(), [1, 95])[1].tobytes())
    assert difference(jpeg, expected) <= 3


# Files


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


def test_an_empty_list_makes_empty_files(tmp_path: Path) -> None:
    lst = write_list(tmp_path)

    report = pack_list(lst, tmp_path)

    assert report.packed == 0
    assert (tmp_path / "image.rec").read_bytes() == b""
    assert (tmp_path / "image.idx").read_bytes() == b""


# Errors


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


@pytest.mark.parametrize("label_width", [None, 1])
def test_bad_lines_and_images_are_reported_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], label_width: int | None
) -> None:
    lst = make_bad_list(tmp_path)

    report = pack_list(lst, tmp_path, label_width=label_width)

    errors = capsys.readouterr().err.splitlines()
    assert (report.packed, report.skipped, len(errors)) == (2, 9, 9)
    assert [head.id for head, _ in pairs(tmp_path / "image.rec")] == [0, 9]
    for error, (line, text) in zip(
        errors,
        (
            (2, "empty.jpg: the file is empty"),
            (3, "text.jpg: "),
            (4, "torn.jpg: "),
            (5, "missing.jpg: cannot open: No such file or directory"),
            (7, "folder.jpg: not a plain file: Is a directory"),
            (8, "six"),
            (9, "x"),
            (10, "-8"),
            (11, str(2**64)),
        ),
        strict=True,
    ):
        assert f"image.lst:{line}: " in error
        assert text in error


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("1\ta.jpg", "a line is id, label(s) and path, separated by tabs"),
        ("1\t2\tthree\ta.jpg", "labels must be numbers, got ['2', 'three']"),
    ],
)
def test_a_line_without_label_or_with_words_for_labels_is_bad(
    tmp_path: Path, line: str, text: str
) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, line)

    with pytest.raises(DataError) as caught:
        pack_list(lst, tmp_path, pack_label=True, on_error="fail")

    assert str(caught.value) == f"{lst}:1: {text}"


def test_an_image_too_large_for_the_memory_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(tmp_path / "large.jpg")
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, "0\t0\tlarge.jpg", "1\t0\ta.jpg")
    outcomes: list[bytes | Exception] = [MemoryError(), b""]

    class Small:
        """A packer without memory for its first picture."""

        def add(self, path: str, head: bytes, inter: int) -> None:
            pass

        def next(self) -> bytes:
            outcome = outcomes.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        def close(self) -> None:
            pass

    monkeypatch.setattr(Recipe, "packer", lambda *_: Small())
    report = pack_list(lst, tmp_path)

    assert (report.packed, report.skipped) == (1, 1)
    assert "large.jpg: no memory for an image" in capsys.readouterr().err


def test_on_error_fail_stops_and_leaves_the_old_files(tmp_path: Path) -> None:
    lst = make_bad_list(tmp_path)
    (tmp_path / "o.rec").write_bytes(b"old")
    before = sorted(os.listdir(tmp_path))

    with pytest.raises(DataError, match=r"image\.lst:2: .*empty\.jpg") as caught:
        pack_list(lst, tmp_path, tmp_path / "o.rec", on_error="fail")

    assert caught.value.path == str(lst)
    assert (tmp_path / "o.rec").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == before


def test_nothing_is_written_when_not_one_image_is_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lst = write_list(tmp_path, "0\t0\ta.jpg", "1\t0\tb.jpg")

    with pytest.raises(DataError, match="none of its 2 lines could be packed"):
        pack_list(lst, tmp_path)

    errors = capsys.readouterr().err
    assert "image.lst:1: " in errors
    assert "image.lst:2: " in errors
    assert os.listdir(tmp_path) == ["image.lst"]


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
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
    with pytest.raises(OSError, match=r"No space left on device.*o\.rec"):
        pack_list(lst, tmp_path, tmp_path / "o.rec")

    assert (tmp_path / "o.rec").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == before


def test_another_on_error_is_refused(tmp_path: Path) -> None:
    lst = write_list(tmp_path, "0\t0\ta.jpg")

    with pytest.raises(ValueError, match='on_error must be "skip" or "fail"'):
        pack_list(lst, tmp_path, on_error="ignore")


@pytest.mark.parametrize(
    "wrong", [{2: 2}, {4: -1}, {7: 0}, {7: 101}, {9: 0}, {10: 0}, {6: True, 7: 10}]
)
def test_the_core_refuses_numbers_out_of_range(wrong: dict[int, int]) -> None:
    right = [False, False, 3, False, 0, False, False, 95, 1000, 1, 1]
    numbers = [wrong.get(place, number) for place, number in enumerate(right)]

    with pytest.raises(ValueError, match="out of its range"):
        _core.Packer(*numbers)  # type: ignore[arg-type]


def test_the_core_refuses_other_methods_and_impossible_names() -> None:
    packer = _core.Packer(True, False, 3, False, 0, False, False, 95, 1000, 1, 1)

    with pytest.raises(ValueError, match="inter must be 0 to 4 or 9, got 5"):
        packer.add("a", b"", 5)
    with pytest.raises(ValueError, match="null"):
        packer.add("a\0b", b"", 1)
    with pytest.raises(MxioError, match="no job is inside"):
        packer.next()


# What is shown


def test_progress_is_a_line_now_and_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, "0\t0\ta.jpg", "1\t0\ta.jpg")
    monkeypatch.setattr(_pace, "_SECONDS_BETWEEN_LINES", 0.0)

    pack_list(lst, tmp_path, progress=True)

    shown = capsys.readouterr().err
    assert re.search(r"im2rec: 1 of 2, \d+ images/s, \d:\d\d:\d\d left\n", shown)
    assert re.search(r"im2rec: 2 of 2, \d+ images/s, 0:00:00 left\n", shown)


def test_progress_is_a_bar_on_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, "0\t0\ta.jpg", "1\t0\tmissing.jpg")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    pack_list(lst, tmp_path, progress=True)

    shown = capsys.readouterr().err
    assert "2/2" in shown
    assert "images/s" in shown
    assert "missing.jpg: cannot open: No such file" in shown
