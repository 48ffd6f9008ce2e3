"""Single images, against OpenCV and Pillow."""

import io
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageOps
import pytest

from mxio.errors import DataError, ParameterError
from mxio.image import (
    center_crop,
    color_normalize,
    copyMakeBorder,
    decode_with_opencv,
    fixed_crop,
    imdecode,
    imread,
    imresize,
    imrotate,
    random_crop,
    random_rotate,
    random_size_crop,
    resize_short,
    scale_down,
)
from mxio.ndarray import NDArray, array
from mxio.recordio import MXRecordIO, unpack
from tests.conftest import difference

GOLDEN = Path(__file__).parent / "golden" / "files"


def photo(
    height: int = 40, width: int = 56, channels: int = 3
) -> npt.NDArray[np.uint8]:
    """A smooth picture that JPEG hardly changes, red first."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin((x + k * y) / (9 + k)) for k in range(channels)]
    return (120 + 100 * np.stack(waves, axis=2)).astype(np.uint8)


def encoded(image: npt.NDArray[Any], kind: str, **settings: Any) -> bytes:
    """The image in a format, by Pillow."""
    out = io.BytesIO()
    squeezed = image[:, :, 0] if image.shape[2] == 1 else image
    PIL.Image.fromarray(squeezed).save(out, kind, **settings)
    return out.getvalue()


def webp(image: npt.NDArray[Any]) -> bytes:
    return encoded(image, "WEBP", lossless=True, exact=True)


def by_pillow(data: bytes, mode: str) -> npt.NDArray[np.uint8]:
    upright = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data)))
    assert upright is not None
    return np.asarray(upright.convert(mode))


# Decoding


def test_a_png_is_decoded_exactly_red_first() -> None:
    image = imdecode(encoded(photo(), "PNG"))

    assert type(image) is NDArray
    assert image.dtype == np.uint8
    assert image.flags.writeable
    assert np.array_equal(image, photo())
    assert np.array_equal(image.asnumpy()[:, :, ::-1], photo()[:, :, ::-1])


@pytest.mark.parametrize("settings", [{}, {"progressive": True}, {"subsampling": 0}])
def test_a_jpeg_is_decoded_as_pillow_does(settings: dict[str, Any]) -> None:
    data = encoded(photo(41, 57), "JPEG", quality=92, **settings)

    image = imdecode(data)

    assert difference(image, by_pillow(data, "RGB")) <= 3


def test_orientation_is_applied() -> None:
    record = MXRecordIO(GOLDEN / "fmt_exif6.rec", "r").read()
    assert record is not None
    _, data = unpack(record)
    assert PIL.Image.open(io.BytesIO(data)).getexif()[0x0112] == 6

    image = imdecode(data)

    assert difference(image, by_pillow(data, "RGB")) <= 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
@pytest.mark.parametrize("channels", [1, 3])
def test_flag_0_gives_one_gray_channel(kind: str, channels: int) -> None:
    data = encoded(photo(channels=channels), kind)
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert expected is not None

    image = imdecode(data, flag=0)

    assert difference(image, np.asarray(expected)[:, :, None]) <= 3


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_without_to_rgb_blue_is_first(kind: str) -> None:
    image = imdecode(encoded(photo(), kind), to_rgb=False)

    assert np.array_equal(image, photo()[:, :, ::-1])


@pytest.mark.parametrize(
    "wrap", [bytes, bytearray, memoryview, lambda data: np.frombuffer(data, np.uint8)]
)
@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_any_buffer_can_be_decoded(kind: str, wrap: Any) -> None:
    assert np.array_equal(imdecode(wrap(encoded(photo(), kind))), photo())


def test_every_second_byte_of_an_array_is_not_taken_for_all() -> None:
    data = np.repeat(np.frombuffer(encoded(photo(), "PNG"), np.uint8), 2)

    assert np.array_equal(imdecode(data[::2]), photo())


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "WEBP"])
def test_formats_the_core_does_not_know_go_through_opencv(kind: str) -> None:
    data = webp(photo()) if kind == "WEBP" else encoded(photo(), kind)

    assert np.array_equal(imdecode(data), photo())


def test_sixteen_bits_are_cut_to_the_high_eight() -> None:
    deep = photo().astype(np.uint16) * 256 + 255
    data = cv2.imencode(".png", deep[:, :, ::-1])[1].tobytes()

    assert np.array_equal(imdecode(data), photo())


@pytest.mark.parametrize("data", [b"", b"no image at all", b"BM and then nothing"])
def test_what_is_no_image_is_a_data_error(data: bytes) -> None:
    with pytest.raises(DataError):
        imdecode(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_truncated_image_is_a_data_error(kind: str) -> None:
    data = encoded(photo(), kind)

    with pytest.raises(DataError):
        imdecode(data[: len(data) // 2])


@pytest.mark.parametrize("flag", [-1, 2])
def test_another_flag_is_refused(flag: int) -> None:
    with pytest.raises(ParameterError, match=f"0 .gray. or 1 .colour., got {flag}"):
        imdecode(encoded(photo(), "PNG"), flag)


def test_imread_decodes_a_file_and_names_it(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(encoded(photo(), "PNG"))
    (tmp_path / "bad.png").write_bytes(b"bad")

    assert np.array_equal(imread(tmp_path / "good.png"), photo())
    assert imread(str(tmp_path / "good.png"), flag=0).shape == (40, 56, 1)
    with pytest.raises(DataError, match=r"bad\.png: ") as caught:
        imread(tmp_path / "bad.png")
    assert caught.value.path == str(tmp_path / "bad.png")
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        imread(tmp_path / "none.png")


# The decoder of last resort


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_opencv_decodes_for_the_loader(channels: int) -> None:
    image = photo(channels=channels)

    data = encoded(image, "TIFF") if channels < 4 else webp(image)
    decoded = decode_with_opencv(data, channels)

    assert decoded.dtype == np.uint8
    assert decoded.flags.c_contiguous
    assert np.array_equal(decoded, image)


def test_opencv_cuts_sixteen_bits_to_eight() -> None:
    deep = photo(channels=4).astype(np.uint16) * 256 + 255
    data = cv2.imencode(".tiff", deep[:, :, [2, 1, 0, 3]])[1].tobytes()

    assert np.array_equal(decode_with_opencv(data, 4), photo(channels=4))


@pytest.mark.parametrize("found", [1, 3])
def test_four_channels_must_be_there(found: int) -> None:
    with pytest.raises(DataError, match=f"expected 4 channels, got {found}"):
        decode_with_opencv(encoded(photo(channels=found), "BMP"), 4)


@pytest.mark.parametrize("data", [b"", b"no image at all"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_what_opencv_cannot_decode_is_a_data_error(data: bytes, channels: int) -> None:
    with pytest.raises(DataError):
        decode_with_opencv(data, channels)


# Resizing


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(("w", "h"), [(56, 40), (31, 17), (100, 90), (1, 1), (20, 80)])
def test_bilinear_is_within_a_level_of_opencv(channels: int, w: int, h: int) -> None:
    image = photo(channels=channels)

    resized = imresize(image, w, h)

    expected = cv2.resize(image, (w, h), interpolation=cv2.INTER_LINEAR)
    assert type(resized) is NDArray
    assert difference(resized, expected.reshape(h, w, channels)) <= 1


@pytest.mark.parametrize("interp", [0, 2, 3, 4])
def test_other_interpolations_are_those_of_opencv(interp: int) -> None:
    for channels in (1, 3):
        image = photo(channels=channels)

        resized = imresize(image, 30, 20, interp)

        expected = cv2.resize(image, (30, 20), interpolation=interp)
        assert np.array_equal(resized, expected.reshape(20, 30, channels))


@pytest.mark.parametrize(
    ("w", "h", "same"), [(90, 90, 2), (20, 20, 3), (90, 20, 1), (20, 90, 1)]
)
def test_interpolation_9_chooses_by_size(w: int, h: int, same: int) -> None:
    assert np.array_equal(imresize(photo(), w, h, 9), imresize(photo(), w, h, same))


def test_interpolation_10_is_one_of_them() -> None:
    possible = [imresize(photo(), 30, 20, interp).tolist() for interp in range(5)]

    assert imresize(photo(), 30, 20, 10).tolist() in possible


@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_other_types_are_resized_too(dtype: type) -> None:
    image: Any = photo().astype(dtype)

    resized = imresize(image, 30, 20)

    assert resized.dtype == dtype
    assert np.array_equal(resized, cv2.resize(image, (30, 20), interpolation=1))


@pytest.mark.parametrize("interp", [-1, 5, 8, 11])
def test_an_unknown_interpolation_is_refused(interp: int) -> None:
    with pytest.raises(ParameterError, match=f"interp must be one of .*, got {interp}"):
        imresize(photo(), 9, 9, interp)


@pytest.mark.parametrize(("w", "h"), [(0, 5), (5, -1)])
def test_an_empty_size_is_refused(w: int, h: int) -> None:
    with pytest.raises(ParameterError, match="w and h must be >= 1"):
        imresize(photo(), w, h)


def test_an_image_without_three_axes_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"\(h, w, c\).*\(40, 56\)"):
        imresize(photo()[:, :, 0], 5, 5)


def test_a_view_is_resized_as_its_copy() -> None:
    flipped = photo()[:, ::-1, ::-1]

    assert np.array_equal(imresize(flipped, 30, 20), imresize(flipped.copy(), 30, 20))


@pytest.mark.parametrize(
    ("height", "width", "size", "shape"),
    [(40, 57, 20, (20, 28, 3)), (57, 40, 20, (28, 20, 3)), (9, 9, 30, (30, 30, 3))],
)
def test_resize_short_makes_the_shorter_edge_fit(
    height: int, width: int, size: int, shape: tuple[int, ...]
) -> None:
    image = photo(height, width)

    resized = resize_short(image, size)

    expected = cv2.resize(image, shape[1::-1], interpolation=cv2.INTER_CUBIC)
    assert resized.shape == shape
    assert np.array_equal(resized, expected)


def test_opencv_is_not_imported_before_it_is_needed() -> None:
    program = (
        "import sys; sys.path[:] = sys.argv[1].split(':')\n"
        "from mxio.image import imdecode\n"
        "import mxio.recordio, mxio.im2rec\n"
        "print(sorted({'cv2', 'PIL', 'torch', 'tqdm'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, ":".join(sys.path)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "[]\n"


def test_a_type_that_opencv_cannot_resize_is_a_value_error() -> None:
    with pytest.raises(ParameterError, match="OpenCV cannot resize"):
        imresize(photo().astype(np.int64), 9, 9)


# Where results go


def test_out_receives_the_pixels(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(photo(), "PNG"))
    out = array(np.zeros((40, 56, 3)), dtype=np.uint8)
    small = array(np.zeros((20, 28, 3)))
    border = array(np.zeros((42, 56, 3)), dtype=np.uint8)

    given = imread(tmp_path / "a.png", out=out)
    imresize(photo(), 28, 20, 1, out=small)
    copyMakeBorder(photo(), 1, 1, 0, 0, out=border)

    assert given is out
    assert np.array_equal(out, photo())
    assert np.array_equal(small, imresize(photo(), 28, 20))
    assert np.array_equal(border[1:-1], photo())


def test_an_out_of_another_shape_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"out must have shape \(20, 28, 3\)"):
        imresize(photo(), 28, 20, out=array(np.zeros((20, 20, 3))))


# Borders


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("margins", [(1, 2, 3, 4), (0, 0, 0, 5), (0, 0, 0, 0)])
def test_borders_are_those_of_opencv(
    kind: int, channels: int, margins: tuple[int, int, int, int]
) -> None:
    image = photo(6, 8, channels)
    values = (10.0, 20.0, 30.0, 40.0)
    expected = cv2.copyMakeBorder(image, *margins, kind, value=values)

    bordered = copyMakeBorder(image, *margins, type=kind, values=values)

    assert type(bordered) is NDArray
    assert np.array_equal(bordered, np.reshape(expected, bordered.shape))


@pytest.mark.parametrize(
    ("settings", "colour"),
    [
        ({}, [0, 0, 0, 0]),
        ({"value": 7}, [7, 7, 7, 0]),
        ({"values": (9,)}, [9, 9, 9, 9]),
        ({"values": 9}, [9, 9, 9, 9]),
        ({"values": (1, 2, 3), "value": 7}, [1, 2, 3, 0]),
        ({"values": (300, -5, 2.6, 4)}, [255, 0, 3, 4]),
        ({"values": (1, 2, 3, 4), "type": 16}, [1, 2, 3, 4]),
    ],
)
def test_the_colour_of_a_border(settings: Any, colour: list[int]) -> None:
    bordered = copyMakeBorder(photo(4, 4, 4), 1, 0, 0, 0, **settings)

    assert bordered.shape == (5, 4, 4)
    assert bordered[0, 0].tolist() == colour


def test_a_border_of_floats_is_not_rounded() -> None:
    image: Any = photo(3, 3).astype(np.float32)

    bordered = copyMakeBorder(image, 0, 1, 0, 0, values=(300.5, -1.25, 0))

    assert bordered.dtype == np.float32
    assert bordered[-1, 0].tolist() == [300.5, -1.25, 0]


@pytest.mark.parametrize(
    ("margins", "kind"), [((1, 1, 1, 1), 5), ((1, 1, 1, 1), -1), ((1, -1, 1, 1), 0)]
)
def test_a_wrong_border_is_refused(
    margins: tuple[int, int, int, int], kind: int
) -> None:
    with pytest.raises(
        ParameterError, match=r"type must be 0 to 4|margins must be >= 0"
    ):
        copyMakeBorder(photo(4, 4), *margins, type=kind)


# Crops


@pytest.mark.parametrize(
    ("source", "size", "expected"),
    [
        ((640, 480), (720, 120), (640, 106)),
        ((360, 1000), (480, 500), (360, 375)),
        ((300, 400), (0, 0), (0, 0)),
        ((10, 10), (4, 6), (4, 6)),
        ((30, 10), (20, 20), (10, 10)),
        ((3, 100), (7, 200), (3, 85)),
    ],
)
def test_a_size_is_scaled_down_until_it_fits(
    source: tuple[int, int], size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert scale_down(source, size) == expected


def test_a_fixed_crop_is_a_copy_of_its_box() -> None:
    image = array(photo(), dtype=np.uint8)

    box = fixed_crop(image, 5, 7, 20, 10)
    box[:] = 0

    assert box.shape == (10, 20, 3)
    assert np.array_equal(fixed_crop(image, 5, 7, 20, 10), photo()[7:17, 5:25])


@pytest.mark.parametrize("size", [(8, 9), [8, 9]])
def test_a_fixed_crop_is_resized_unless_it_has_the_size(size: Any) -> None:
    box = np.ascontiguousarray(photo()[7:17, 5:25])
    expected = cv2.resize(box, (8, 9), interpolation=cv2.INTER_CUBIC)

    assert np.array_equal(fixed_crop(photo(), 5, 7, 20, 10, size), expected)
    assert np.array_equal(fixed_crop(photo(), 5, 7, 8, 9, size), photo()[7:16, 5:13])


def test_a_crop_beside_the_image_is_refused() -> None:
    with pytest.raises(
        ParameterError, match=r"3 x 4 at \(56, 0\) has no pixel.*56 x 40"
    ):
        fixed_crop(photo(), 56, 0, 3, 4)


@pytest.mark.parametrize(("height", "width"), [(40, 56), (41, 57)])
def test_a_centre_crop_is_cut_from_the_middle(height: int, width: int) -> None:
    image = photo(height, width)

    box, place = center_crop(image, (21, 10))

    assert place == (int((width - 21) / 2), int((height - 10) / 2), 21, 10)
    assert np.array_equal(box, image[place[1] : place[1] + 10, place[0] :][:, :21])


def test_a_centre_crop_of_a_small_image_is_enlarged() -> None:
    expected = cv2.resize(
        np.ascontiguousarray(photo()[:, 8:48]), (80, 80), interpolation=cv2.INTER_CUBIC
    )

    box, place = center_crop(photo(), (80, 80))

    assert place == (8, 0, 40, 40)
    assert np.array_equal(box, expected)


def test_random_crops_reach_every_place_equally() -> None:
    image = photo(12, 13)
    random.seed(1)
    counts = np.zeros((3, 4))

    for _ in range(2400):
        box, (x, y, w, h) = random_crop(image, (10, 10))
        counts[y, x] += 1
        assert (w, h) == (10, 10)
        assert np.array_equal(box, image[y : y + 10, x : x + 10])

    assert abs(counts - 200).max() < 5 * 200**0.5


def test_random_sized_crops_follow_area_and_log_ratio() -> None:
    image = photo(200, 200)
    random.seed(2)

    boxes = [
        random_size_crop(image, (8, 8), (0.1, 0.3), (0.5, 2.0), 0) for _ in range(3000)
    ]

    sizes = np.array([place for _, place in boxes], float)
    areas = sizes[:, 2] * sizes[:, 3] / 40000
    ratios = np.log(sizes[:, 2] / sizes[:, 3])
    assert {box.shape for box, _ in boxes} == {(8, 8, 3)}
    assert 0.095 < areas.min() < 0.105 < 0.295 < areas.max() < 0.305
    assert abs(areas.mean() - 0.2) < 0.004
    assert abs(areas.std() - 0.2 / 12**0.5) < 0.002
    assert abs(ratios).max() < np.log(2) + 0.03
    assert abs(ratios.mean()) < 0.03
    assert abs(ratios.std() - 2 * np.log(2) / 12**0.5) < 0.02


def test_one_area_is_the_least_and_the_old_name_warns() -> None:
    random.seed(3)
    everything = random_size_crop(photo(40, 40), (8, 8), 1.0, (1.0, 1.0))[1]
    with pytest.warns(DeprecationWarning, match="min_area is now area"):
        renamed = random_size_crop(photo(), (8, 8), 0, (1.0, 1.0), min_area=(0.5, 0.5))

    assert everything == (0, 0, 40, 40)
    assert renamed[1][2:] == (33, 33)  # the root of half of 40 x 56


def test_boxes_that_never_fit_become_the_middle() -> None:
    box, place = random_size_crop(photo(10, 100), (10, 10), (0.9, 1.0), (1.0, 1.0))

    assert place == (45, 0, 10, 10)
    assert box.shape == (10, 10, 3)


# Colours


def test_normalising_works_in_place() -> None:
    image = array(photo())
    mean, std = array([1, 2, 3]), array([2, 4, 8])

    normalised = color_normalize(image, mean, std)

    expected = (photo().astype(np.float64) - [1, 2, 3]) / [2, 4, 8]
    assert normalised is image
    assert normalised.dtype == np.float32
    np.testing.assert_allclose(image, expected, rtol=1e-6)


def test_normalising_takes_numbers_and_none() -> None:
    only_mean = color_normalize(array(photo()), 5)
    only_std = color_normalize(array(photo()), None, 2)

    np.testing.assert_array_equal(only_mean, photo().astype(np.float32) - 5)
    np.testing.assert_array_equal(only_std, photo().astype(np.float32) / 2)


def test_whole_numbers_cannot_be_normalised() -> None:
    with pytest.raises(TypeError, match="must hold floats to be normalised, got uint8"):
        color_normalize(photo(), 5)


# Rotation


def turned_by_opencv(
    image: npt.NDArray[np.float32], angle: float, zoom: float = 1
) -> npt.NDArray[np.float64]:
    """One image, channels first. OpenCV turns counter-clockwise, too."""
    height, width = image.shape[1:]
    middle = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(middle, angle, zoom)
    rows = image.transpose(1, 2, 0)
    turned = cv2.warpAffine(rows, matrix, (width, height), flags=cv2.INTER_LINEAR)
    return np.asarray(turned, np.float64).transpose(2, 0, 1)


def floats(*shape: int) -> npt.NDArray[np.float32]:
    """Smooth pictures, channels first; OpenCV's warp has places in 1/32 of a pixel."""
    x = np.arange(np.prod(shape)).reshape(shape)
    return (100 + 90 * np.sin(x % shape[-1] / 7) * np.cos(x / 500)).astype(np.float32)


@pytest.mark.parametrize("angle", [0, 6, -30, 90, 123.4, 360])
@pytest.mark.parametrize(("height", "width"), [(30, 60), (33, 20)])
def test_rotation_is_that_of_opencv(angle: float, height: int, width: int) -> None:
    image = floats(3, height, width)

    turned = imrotate(image, angle)

    apart = np.abs(turned - turned_by_opencv(image, angle))
    assert type(turned) is NDArray
    assert turned.dtype == np.float32
    assert apart.mean() < 1
    assert np.mean(apart < 3) > 0.97  # the rest is at the edge


def test_a_quarter_turn_is_exact() -> None:
    image = floats(3, 9, 9)

    turned = imrotate(image, 90)

    np.testing.assert_allclose(turned, np.rot90(image, axes=(1, 2)), atol=1e-3)


def test_outside_of_the_image_there_is_0() -> None:
    corner = imrotate(np.ones((1, 21, 21), np.float32), 45)[0, 0, 0]

    assert corner == 0


@pytest.mark.parametrize("angle", [10, -20, 45, 100])
@pytest.mark.parametrize(("height", "width"), [(30, 60), (61, 31)])
def test_zooming_in_shows_no_outside(angle: float, height: int, width: int) -> None:
    turned = imrotate(np.ones((1, height, width), np.float32), angle, zoom_in=True)

    # The formula counts pixels, not the gaps between them: corners come half from out
    # there, as in MXNet.
    assert turned.min() > 0.5
    assert turned[:, 1:-1, 1:-1].min() > 0.999


@pytest.mark.parametrize("angle", [10, -20, 45, 100])
def test_zooming_out_shows_all_of_the_image(angle: float) -> None:
    height, width = 30, 60
    radians = np.radians(abs(angle))
    reach_x = width * abs(np.cos(radians)) + height * abs(np.sin(radians))
    reach_y = width * abs(np.sin(radians)) + height * abs(np.cos(radians))
    zoom = min(width / reach_x, height / reach_y)

    turned = imrotate(np.ones((1, height, width), np.float32), angle, zoom_out=True)

    assert abs(turned.sum() - height * width * zoom**2) < 0.1 * turned.sum()
    expected = turned_by_opencv(np.ones((3, height, width), np.float32), angle, zoom)
    assert np.abs(turned[0] - expected[0]).mean() < 0.02


def test_a_batch_is_rotated_image_by_image() -> None:
    images = floats(3, 2, 20, 30)

    several = imrotate(images, [5, 10, 15])
    same = imrotate(images, 5)

    for i, angle in enumerate((5, 10, 15)):
        np.testing.assert_array_equal(several[i], imrotate(images[i], angle))
        np.testing.assert_array_equal(same[i], imrotate(images[i], 5))


@pytest.mark.parametrize(
    ("image", "angle", "zooms", "kind", "sentence"),
    [
        (floats(1, 4, 4), 1, (True, True), ParameterError, "zoom_in and zoom_out"),
        (np.ones((1, 4, 4)), 1, (False, False), TypeError, "float32, got float64"),
        (floats(1, 4, 4), [1], (False, False), TypeError, "one image needs one angle"),
        (
            floats(2, 1, 4, 4),
            [1],
            (False, False),
            ParameterError,
            "2 images need 2 angles",
        ),
        (
            floats(4, 4),
            1,
            (False, False),
            ParameterError,
            r"\(c, h, w\) or \(n, c, h, w\)",
        ),
    ],
)
def test_wrong_rotations_are_refused(
    image: Any, angle: Any, zooms: tuple[bool, bool], kind: type, sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        imrotate(image, angle, *zooms)


def test_random_angles_come_from_numpys_state() -> None:
    image, batch = floats(1, 9, 9), floats(2, 1, 9, 9)
    np.random.seed(4)
    one, several = np.random.uniform(-30, 10), np.random.uniform(-30, 10, size=2)
    np.random.seed(4)

    turned, all_turned = (
        random_rotate(image, (-30, 10)),
        random_rotate(batch, (-30, 10)),
    )

    np.testing.assert_array_equal(turned, imrotate(image, one))
    np.testing.assert_array_equal(all_turned, imrotate(batch, several))


def test_the_names_of_mxnets_modules_are_there() -> None:
    import mxio.image.detection

    assert mxio.image.det is mxio.image.detection
    assert mxio.image.image.imread is imread
    assert mxio.image.detection.ImageDetIter is mxio.image.ImageDetIter
