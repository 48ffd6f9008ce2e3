"""Single images, against OpenCV and Pillow."""

import io
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

from mxio.errors import DataError
from mxio.image import decode_with_opencv, imdecode, imread, imresize, resize_short
from mxio.ndarray import NDArray
from mxio.recordio import MXRecordIO, unpack

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


def difference(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> int:
    assert first.shape == second.shape
    return int(np.abs(first.astype(int) - second).max())


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
    with pytest.raises(ValueError, match=f"0 .gray. or 1 .colour., got {flag}"):
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
    with pytest.raises(ValueError, match=f"interp must be one of .*, got {interp}"):
        imresize(photo(), 9, 9, interp)


@pytest.mark.parametrize(("w", "h"), [(0, 5), (5, -1)])
def test_an_empty_size_is_refused(w: int, h: int) -> None:
    with pytest.raises(ValueError, match="w and h must be >= 1"):
        imresize(photo(), w, h)


def test_an_image_without_three_axes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(h, w, c\).*\(40, 56\)"):
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
    with pytest.raises(ValueError, match="OpenCV cannot resize"):
        imresize(photo().astype(np.int64), 9, 9)
