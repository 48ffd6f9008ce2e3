"""Pixels of every augmentation, against OpenCV and NumPy."""

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mxio import _core, params
from mxio.adapters.numpy import ImageRecordLoader
from mxio.errors import DataError, ParameterError
from mxio.io import ImageRecordIter
from tests.conftest import DataSet, Pixels, picture, write_set
from tests.test_golden import assert_close

COUNT = 4
INTERS = {
    0: cv2.INTER_NEAREST,
    1: cv2.INTER_LINEAR,
    2: cv2.INTER_CUBIC,
    3: cv2.INTER_AREA,
    4: cv2.INTER_LANCZOS4,
}
# Classes of tests/golden/README.md; nearest is exact.
TOLERANCE = {0: "exact", 1: "rs", 2: "cub", 3: "rs", 4: "cub"}
CHANNELS = [1, 3, 4]


def pictures(width: int, height: int, channels: int) -> list[Pixels]:
    return [picture(i, height, width, channels) for i in range(COUNT)]


def augmented(
    folder: Path, images: list[Pixels], shape: tuple[int, int], **options: Any
) -> NDArray[Any]:
    """The first batch of the images, NHWC uint8 unless told otherwise."""
    channels = images[0].shape[2]
    name = f"set{len(list(folder.iterdir()))}"
    data = write_set(folder, images, name=name)
    given: dict[str, Any] = {"dtype": "uint8", "layout": "NHWC"} | options
    loader = ImageRecordLoader(
        path_imgrec=data.rec,
        data_shape=(channels, *shape),
        batch_size=len(images),
        **given,
    )
    out: NDArray[Any] = next(iter(loader)).data
    return out


def plans(width: int, height: int, shape: tuple[int, int, int], **options: Any) -> Any:
    """The plans of the first COUNT records of epoch 0."""
    given = {"path_imgrec": "x", "data_shape": shape, "batch_size": 1} | options
    bound = params.bind("test", params.NUMPY, given)
    return _core.draw_plans(bound, 0, 0, COUNT, width, height)


def three_axes(image: NDArray[Any]) -> NDArray[Any]:
    """OpenCV leaves out the axis of one channel."""
    return image.reshape(*image.shape[:2], -1)


def fill_of(channels: int, value: int) -> tuple[int, ...]:
    return (value, value, value, 0)[: max(channels, 1)]


def centre(image: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    y, x = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[y : y + height, x : x + width]


# ---- resize ----


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("inter", list(INTERS))
@pytest.mark.parametrize(
    ("width", "height", "short"),
    [(61, 40, 23), (40, 61, 23), (33, 29, 57), (64, 64, 32), (50, 31, 30), (7, 5, 16)],
)
def test_the_first_resize_is_that_of_opencv(
    tmp_path: Path, channels: int, inter: int, width: int, height: int, short: int
) -> None:
    tall = height > width
    size = (
        (short, short * height // width) if tall else (short * width // height, short)
    )
    images = pictures(width, height, channels)

    actual = augmented(
        tmp_path, images, (size[1], size[0]), resize=short, inter_method=inter
    )

    expected = [
        three_axes(cv2.resize(i, size, None, 0, 0, INTERS[inter])) for i in images
    ]
    assert_close(actual, np.array(expected), TOLERANCE[inter])


@pytest.mark.parametrize(
    ("short", "method"),
    [(20, cv2.INTER_AREA), (80, cv2.INTER_CUBIC)],
    ids=["shrinking", "enlarging"],
)
def test_method_9_takes_area_to_shrink_and_cubic_to_enlarge(
    tmp_path: Path, short: int, method: int
) -> None:
    images = pictures(45, 45, 3)

    actual = augmented(tmp_path, images, (short, short), resize=short, inter_method=9)

    expected = [cv2.resize(i, (short, short), None, 0, 0, method) for i in images]
    assert_close(actual, np.array(expected), "cub")


def test_method_10_takes_every_method_and_each_is_opencvs(tmp_path: Path) -> None:
    options: dict[str, Any] = {"resize": 30, "inter_method": 10}
    drawn = [
        plan
        for seed in range(10)
        for plan in plans(45, 45, (3, 30, 30), seed=seed, **options)
    ]
    images = pictures(45, 45, 3)

    actual = augmented(tmp_path, images, (30, 30), **options)

    assert {plan["steps"][0][5] for plan in drawn} == set(INTERS)
    for row, image, plan in zip(actual, images, drawn, strict=False):
        inter = plan["steps"][0][5]
        expected = cv2.resize(image, (30, 30), None, 0, 0, INTERS[inter])
        assert_close(row, expected, TOLERANCE[inter])


@pytest.mark.parametrize("inter", list(INTERS))
def test_what_is_too_small_is_enlarged_by_the_method_then_cropped(
    tmp_path: Path, inter: int
) -> None:
    images = pictures(40, 20, 3)

    actual = augmented(tmp_path, images, (32, 32), inter_method=inter)

    large = [cv2.resize(i, (64, 32), None, 0, 0, INTERS[inter]) for i in images]
    expected = np.array([centre(image, 32, 32) for image in large])
    assert_close(actual, expected, TOLERANCE[inter])


@pytest.mark.parametrize("inter", list(INTERS))
def test_random_squares_are_resized_to_the_shape(tmp_path: Path, inter: int) -> None:
    options: dict[str, Any] = {
        "min_crop_size": 20,
        "max_crop_size": 38,
        "rand_crop": True,
        "inter_method": inter,
    }
    images = pictures(50, 40, 3)

    actual = augmented(tmp_path, images, (24, 24), **options)

    for row, image, plan in zip(
        actual, images, plans(50, 40, (3, 24, 24), **options), strict=True
    ):
        _, x, y, width, height, _ = plan["steps"][0]
        box = np.ascontiguousarray(image[y : y + height, x : x + width])
        expected = cv2.resize(box, (24, 24), None, 0, 0, INTERS[inter])
        assert width == height
        assert_close(row, expected, TOLERANCE[inter])


# ---- affine ----


def matrix_of(
    width: int,
    height: int,
    angle: float,
    scale: float = 1,
    ratio: float = 1,
    shear: float = 0,
    canvas: tuple[float, float] | None = None,
) -> NDArray[np.float32]:
    """MXNet's matrix of rotation, shear, scale and stretch."""
    a, b = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    hs = 2 * scale / (1 + ratio)
    ws = ratio * hs
    m = np.array(
        [[hs * a - shear * b * ws, hs * b + shear * a * ws, 0], [-b * ws, a * ws, 0]]
    )
    size = canvas or (scale * width, scale * height)
    m[0, 2] = (size[0] - (m[0, 0] * width + m[0, 1] * height)) / 2
    m[1, 2] = (size[1] - (m[1, 0] * width + m[1, 1] * height)) / 2
    return m.astype(np.float32)


def warped(
    image: Pixels, matrix: NDArray[Any], size: tuple[int, int], inter: int, fill: int
) -> NDArray[Any]:
    # warpAffine with area is done as bilinear.
    flags = cv2.INTER_LINEAR if inter == 3 else INTERS[inter]
    border = fill_of(image.shape[2], fill)
    return three_axes(
        cv2.warpAffine(
            image,
            matrix,
            size,
            flags=flags,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=border,
        )
    )


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("inter", [1, 2, 3, 4])
@pytest.mark.parametrize("angle", [1, 30, 90, 145, 180, 270])
def test_a_fixed_rotation_is_opencvs_warp_by_the_matrix_of_mxnet(
    tmp_path: Path, channels: int, inter: int, angle: int
) -> None:
    images = pictures(60, 47, channels)
    matrix = matrix_of(60, 47, angle)

    actual = augmented(
        tmp_path, images, (47, 60), rotate=angle, inter_method=inter, fill_value=90
    )

    expected = [warped(image, matrix, (60, 47), inter, 90) for image in images]
    assert_close(actual, np.array(expected), "warp")


def test_a_quarter_turn_is_counter_clockwise_on_the_screen(tmp_path: Path) -> None:
    images = pictures(41, 41, 3)

    actual = augmented(tmp_path, images, (41, 41), rotate=90)

    expected = np.array([np.rot90(image) for image in images])
    # The centre of the formula is half a pixel off the centre of the grid.
    np.testing.assert_array_equal(actual[:, 1:], expected[:, :-1])


@pytest.mark.parametrize(
    "options",
    [
        {"max_rotate_angle": 40},
        {"rotate_list": "10, -35,170"},
        {"max_shear_ratio": 0.4},
        {"min_random_scale": 0.6, "max_random_scale": 1.5},
        {"max_aspect_ratio": 0.4},
        {"min_aspect_ratio": 0.5, "max_aspect_ratio": 0.8},
        {"max_img_size": 45.0},
        {"min_img_size": 70.0},
        {
            "max_rotate_angle": 180,
            "max_shear_ratio": 0.2,
            "min_random_scale": 0.8,
            "max_random_scale": 1.2,
            "max_aspect_ratio": 0.3,
        },
    ],
    ids=lambda options: "-".join(options),
)
@pytest.mark.parametrize("channels", CHANNELS)
def test_random_transforms_are_opencvs_warp_by_the_plan(
    tmp_path: Path, channels: int, options: dict[str, Any]
) -> None:
    images = pictures(52, 60, channels)
    shape = (36, 31)

    actual = augmented(tmp_path, images, shape, fill_value=33, **options)

    for row, image, plan in zip(
        actual, images, plans(52, 60, (channels, *shape), **options), strict=True
    ):
        kind, _, _, width, height, _ = plan["steps"][0]
        matrix = np.array(plan["matrix"]).reshape(2, 3)
        whole = warped(image, matrix, (width, height), 1, 33)
        if min(height - shape[0], width - shape[1]) >= 0:
            assert_close(row, centre(whole, *shape), "warp")
        assert kind == "warp"


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"rotate": 25}, {"angle": 25}),
        ({"rotate_list": "-70"}, {"angle": -70}),
        ({"min_random_scale": 1.5, "max_random_scale": 1.5}, {"scale": 1.5}),
        ({"min_aspect_ratio": 0.5, "max_aspect_ratio": 0.5}, {"ratio": 0.5}),
        (
            {
                "rotate": 200,
                "min_random_scale": 0.5,
                "max_random_scale": 0.5,
                "min_aspect_ratio": 1.5,
                "max_aspect_ratio": 1.5,
            },
            {"angle": 200, "scale": 0.5, "ratio": 1.5},
        ),
        ({"max_img_size": 50.0}, {"angle": 0, "canvas": (50, 50)}),
        ({"min_img_size": 75.5}, {"angle": 0, "canvas": (80, 75.5)}),
    ],
    ids=lambda value: "-".join(value),
)
def test_the_matrix_of_a_plan_is_that_of_the_formula(
    options: dict[str, Any], wanted: dict[str, Any]
) -> None:
    expected = matrix_of(80, 60, **({"angle": 0} | wanted))

    drawn = plans(80, 60, (3, 24, 24), **options)

    actual = np.array([plan["matrix"] for plan in drawn]).reshape(COUNT, 2, 3)
    np.testing.assert_allclose(actual, [expected] * COUNT, rtol=1e-5, atol=1e-4)


def test_corners_of_a_rotation_have_the_fill_value_and_no_alpha(tmp_path: Path) -> None:
    images = [np.full((40, 40, 4), 200, np.uint8)]

    actual = augmented(tmp_path, images, (40, 40), rotate=45, fill_value=17)

    corners = actual[0][[0, 0, -1, -1], [0, -1, 0, -1]]
    np.testing.assert_array_equal(corners, [[17, 17, 17, 0]] * 4)


# ---- pad, crop, mirror ----


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("fill", [0, 127, 255])
def test_pad_is_copy_make_border(tmp_path: Path, channels: int, fill: int) -> None:
    images = pictures(21, 18, channels)

    actual = augmented(tmp_path, images, (28, 31), pad=5, fill_value=fill)

    colour = fill_of(channels, fill)
    expected = [
        three_axes(cv2.copyMakeBorder(i, 5, 5, 5, 5, cv2.BORDER_CONSTANT, value=colour))
        for i in images
    ]
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("channels", CHANNELS)
def test_random_crops_of_a_padded_image_are_exact(
    tmp_path: Path, channels: int, mirror: bool
) -> None:
    images = pictures(25, 22, channels)
    options: dict[str, Any] = {"pad": 4, "rand_crop": True, "mirror": mirror}

    actual = augmented(tmp_path, images, (20, 19), fill_value=9, **options)

    for row, image, plan in zip(
        actual, images, plans(25, 22, (channels, 20, 19), **options), strict=True
    ):
        (_, x, y, width, height, _) = plan["steps"][1]
        wide = cv2.copyMakeBorder(
            image, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=fill_of(channels, 9)
        )
        expected = three_axes(wide)[y : y + height, x : x + width]
        np.testing.assert_array_equal(row, expected[:, ::-1] if mirror else expected)


def test_a_square_larger_than_the_image_is_an_error_that_says_so(
    tmp_path: Path,
) -> None:
    images = pictures(25, 22, 3)

    with pytest.raises(DataError, match=r"25 x 22 .* max_crop_size=23"):
        augmented(tmp_path, images, (9, 9), min_crop_size=9, max_crop_size=23)


# ---- colours ----


def rounded(values: NDArray[Any]) -> Pixels:
    """To 8 bits as OpenCV: nearest, ties to even, saturated."""
    out: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return out


def gray_of(image: Pixels) -> NDArray[Any]:
    """MXNet's: RGB weights on channels that are blue, green, red."""
    if image.shape[2] == 1:
        return image[:, :, 0].astype(np.float32)
    bgr = np.ascontiguousarray(image[:, :, 2::-1])
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_RGB2GRAY), np.float32)


def jittered(image: Pixels, plan: dict[str, Any]) -> Pixels:
    """The colours of the image by MXNet's formulas; alpha is left alone."""
    out = image.copy()
    colours = min(image.shape[2], 3)
    for step in plan["order"]:
        alpha = plan["alpha"][step]
        values = out[:, :, :colours].astype(np.float32)
        gray = gray_of(out)
        if step == 0:
            values = values * alpha
        elif step == 1:
            values = values * alpha + (1 - alpha) * gray.mean()
        elif colours == 3:
            values = values * alpha + gray[:, :, None] * (1 - alpha)
        out[:, :, :colours] = rounded(values)
    return out


JITTERS: list[dict[str, float]] = [
    {"brightness": 0.5},
    {"contrast": 0.5},
    {"saturation": 0.5},
    {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0},
]


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("options", JITTERS, ids="-".join)
def test_jitter_follows_the_formulas_in_the_order_of_the_plan(
    tmp_path: Path, channels: int, options: dict[str, float]
) -> None:
    if channels == 1:
        options = {k: v for k, v in options.items() if k != "saturation"}
    images = pictures(33, 26, channels)

    actual = augmented(tmp_path, images, (26, 33), **options)

    drawn = plans(33, 26, (channels, 26, 33), **options)
    for row, image, plan in zip(actual, images, drawn, strict=True):
        # One level of 256 may round the other way: OpenCV's gray has a few bits more in
        # some versions than in others.
        apart = np.abs(row.astype(int) - jittered(image, plan))
        assert apart.max() <= 1
        assert np.mean(apart > 0) < 0.01


def test_saturation_weighs_blue_as_mxnet_does(tmp_path: Path) -> None:
    blue = np.zeros((8, 8, 3), np.uint8)
    blue[:, :, 2] = 100
    options: dict[str, Any] = {"saturation": 1.0}
    alpha = np.array([p["alpha"][2] for p in plans(8, 8, (3, 8, 8), **options)])

    actual = augmented(tmp_path, [blue] * COUNT, (8, 8), **options)

    # .299 of blue, where the eye, and OpenCV, would see .114.
    red = np.clip(30 * (1 - alpha), 0, 255)
    np.testing.assert_allclose(actual[:, 0, 0, 0], red, atol=0.51)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(
    "options",
    [
        {"random_h": 180},
        {"random_s": 255},
        {"random_l": 255},
        {"random_h": 40, "random_s": 60, "random_l": 50},
    ],
    ids="-".join,
)
def test_hls_shifts_are_those_of_opencvs_colour_space(
    tmp_path: Path, channels: int, options: dict[str, int]
) -> None:
    rng = np.random.default_rng(4)
    images = [rng.integers(0, 256, (40, 45, channels), np.uint8) for _ in range(COUNT)]

    actual = augmented(tmp_path, images, (40, 45), **options)

    drawn = plans(45, 40, (channels, 40, 45), **options)
    for row, image, plan in zip(actual, images, drawn, strict=True):
        bgr = np.ascontiguousarray(image[:, :, 2::-1])
        hls = cv2.cvtColor(bgr, cv2.COLOR_BGR2HLS).astype(int) + plan["hls"]
        limited = np.clip(hls, 0, (180, 255, 255)).astype(np.uint8)
        expected = cv2.cvtColor(limited, cv2.COLOR_HLS2BGR)[:, :, ::-1]
        apart = np.abs(row[:, :, :3].astype(int) - expected)
        # A level of hue that rounds the other way moves a channel by a few.
        assert np.mean(apart <= 1) > 0.995
        assert apart.max() <= 9
        np.testing.assert_array_equal(row[:, :, 3:], image[:, :, 3:])


def test_lightness_of_a_gray_image_is_its_value(tmp_path: Path) -> None:
    images = pictures(20, 20, 1)
    options: dict[str, Any] = {"random_l": 60}

    actual = augmented(tmp_path, images, (20, 20), **options)

    shift = [plan["hls"][1] for plan in plans(20, 20, (1, 20, 20), **options)]
    expected = [
        np.clip(image.astype(int) + by, 0, 255)
        for image, by in zip(images, shift, strict=True)
    ]
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("channels", [3, 4])
def test_pca_noise_is_added_and_cut(tmp_path: Path, channels: int) -> None:
    images = pictures(30, 20, channels)
    options: dict[str, Any] = {"pca_noise": 0.5}

    actual = augmented(tmp_path, images, (20, 30), **options)

    drawn = plans(30, 20, (channels, 20, 30), **options)
    for row, image, plan in zip(actual, images, drawn, strict=True):
        noise = np.zeros(channels, np.float32)
        noise[:3] = plan["noise"]
        expected = np.clip(np.trunc(image.astype(np.float32) + noise), 0, 255)
        np.testing.assert_array_equal(row, expected)


def test_all_colours_are_changed_in_turn_and_alpha_is_not(tmp_path: Path) -> None:
    images = pictures(24, 24, 4)
    options: dict[str, Any] = {
        "brightness": 0.4,
        "contrast": 0.4,
        "saturation": 0.4,
        "random_h": 30,
        "random_s": 30,
        "random_l": 30,
        "pca_noise": 0.3,
    }

    actual = augmented(tmp_path, images, (24, 24), **options)

    np.testing.assert_array_equal(actual[..., 3], np.array(images)[..., 3])
    assert (actual[..., :3] != np.array(images)[..., :3]).mean() > 0.8


# ---- to values ----

MEANS = {"mean_r": 120.5, "mean_g": -3.0, "mean_b": 90.25, "mean_a": 7.5}
STDS = {"std_r": 58.5, "std_g": 2.0, "std_b": 0.5, "std_a": 30.0}


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8", "int8"])
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("mirror", [False, True])
def test_values_follow_the_formula_of_their_type(
    tmp_path: Path, channels: int, dtype: str, layout: str, mirror: bool
) -> None:
    images = pictures(37, 21, channels)
    options: dict[str, Any] = {"dtype": dtype, "layout": layout, "mirror": mirror}
    if dtype != "uint8":
        options |= MEANS
    if dtype.startswith("float"):
        options |= STDS | {"scale": 0.25}

    actual = augmented(tmp_path, images, (21, 37), **options)

    values = np.array(images, np.float32)
    if mirror:
        values = values[:, :, ::-1]
    mean = np.array(list(MEANS.values()), np.float32)[:channels]
    std = np.array(list(STDS.values()), np.float32)[:channels]
    if dtype == "int8":
        half_away = np.sign(mean) * np.floor(np.abs(mean) + 0.5)
        values = np.clip(values - half_away, -128, 127)
    elif dtype != "uint8":
        values = (values - mean) * (np.float32(0.25) / std)
    expected = values if layout == "NHWC" else values.transpose(0, 3, 1, 2)
    assert actual.dtype == dtype
    np.testing.assert_allclose(
        actual, expected.astype(dtype), rtol=1e-3 if dtype == "float16" else 1e-6
    )


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("channels", CHANNELS)
def test_contrast_and_illumination_act_on_normalised_values(
    tmp_path: Path, channels: int, layout: str
) -> None:
    images = pictures(19, 23, channels)
    options: dict[str, Any] = {
        "max_random_contrast": 0.5,
        "max_random_illumination": 40.0,
        "scale": 0.5,
        **MEANS,
        **STDS,
    }

    actual = augmented(
        tmp_path, images, (23, 19), dtype="float32", layout=layout, **options
    )

    mean = np.array(list(MEANS.values()), np.float64)[:channels]
    std = np.array(list(STDS.values()), np.float64)[:channels]
    drawn = plans(19, 23, (channels, 23, 19), **options)
    for row, image, plan in zip(actual, images, drawn, strict=True):
        contrast, light = plan["tone"]
        expected = (image - mean) * (contrast * 0.5 / std) + light * 0.5 / std
        if layout == "NCHW":
            expected = expected.transpose(2, 0, 1)
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_every_type_gives_the_same_pixels_after_the_same_augmentation(
    tmp_path: Path, dtype: str
) -> None:
    images = pictures(40, 40, 3)
    options: dict[str, Any] = {
        "max_rotate_angle": 20,
        "rand_crop": True,
        "rand_mirror": True,
        "brightness": 0.3,
        "saturation": 0.3,
        "random_h": 20,
    }

    plain = augmented(tmp_path, images, (30, 30), **options)
    typed = augmented(tmp_path, images, (30, 30), dtype=dtype, **options)

    expected = np.minimum(plain, 127) if dtype == "int8" else plain
    np.testing.assert_array_equal(typed, expected.astype(dtype))


# ---- what is refused ----

SQUARE = ["min_crop_size", "max_crop_size"]
AREA: dict[str, Any] = {"random_resized_crop": True}
GRAY: dict[str, Any] = {"data_shape": (1, 8, 8)}
# Options, and the words that the message has to hold.
REFUSED: list[tuple[dict[str, Any], list[str]]] = [
    ({"max_crop_size": 20}, [*SQUARE, "got -1 and 20"]),
    ({"min_crop_size": 20}, [*SQUARE, "got 20 and -1"]),
    ({"min_crop_size": 21, "max_crop_size": 20}, [*SQUARE, "got 21 and 20"]),
    ({"min_crop_size": 0, "max_crop_size": 20}, [*SQUARE, "got 0 and 20"]),
    ({"max_crop_size": -2}, ["max_crop_size", "-2"]),
    *(
        ({**AREA, **options}, ["random_resized_crop", *options])
        for options in (
            {"rand_crop": True},
            {"min_crop_size": 5, "max_crop_size": 8},
            {"min_crop_size": 5},
            {"max_crop_size": 5},
            {"min_random_scale": 0.5},
            {"max_random_scale": 1.5},
        )
    ),
    ({**AREA, "min_aspect_ratio": 0.0}, ["min_aspect_ratio", "above"]),
    ({"max_random_area": 0.5}, ["min_random_area", "max_random_area"]),
    (
        {"max_random_area": 0.5, "min_random_area": 0.2},
        ["max_random_area", "random_resized_crop"],
    ),
    (
        {"min_random_scale": 1.5, "max_random_scale": 1.25},
        ["min_random_scale=1.5", "max_random_scale=1.25"],
    ),
    ({"max_random_scale": 0.5}, ["min_random_scale=1", "max_random_scale=0.5"]),
    ({"min_random_scale": 2.0}, ["min_random_scale=2", "max_random_scale=1"]),
    (
        {"min_img_size": 50.0, "max_img_size": 40.0},
        ["min_img_size=50", "max_img_size=40"],
    ),
    ({"max_aspect_ratio": 1.0}, ["aspect ratio", "max_aspect_ratio", "0"]),
    ({"max_aspect_ratio": 1.5}, ["aspect ratio", "max_aspect_ratio", "-0.5"]),
    (
        {"min_aspect_ratio": 2.0, "max_aspect_ratio": 1.0},
        ["min_aspect_ratio=2", "max_aspect_ratio=1"],
    ),
    *(
        ({"inter_method": method}, ["inter_method", str(method)])
        for method in (-1, 5, 6, 7, 8, 11)
    ),
    *(
        ({"inter_method": 0, **options}, ["inter_method=0"])
        for options in (
            {"max_rotate_angle": 1},
            {"rotate": 1},
            {"rotate_list": "5"},
            {"max_shear_ratio": 0.1},
            {"max_random_scale": 1.1},
            {"min_random_scale": 0.9},
            {"max_aspect_ratio": 0.1},
            {"max_img_size": 50.0},
            {"min_img_size": 5.0},
        )
    ),
    *(
        ({"rotate_list": text}, ["rotate_list", repr(text), "[-360, 360]"])
        for text in (" ", ",", "10,", ",10", "10 20", "10,x", "1.5", "361", "-361")
    ),
    ({"rotate": 361}, ["rotate", "361"]),
    ({"max_rotate_angle": 181}, ["max_rotate_angle", "181"]),
    ({"max_rotate_angle": -1}, ["max_rotate_angle", "-1"]),
    ({"fill_value": 256}, ["fill_value", "256"]),
    ({"pad": -1}, ["pad", "-1"]),
    ({"brightness": -0.1}, ["brightness", "-0.1"]),
    ({"contrast": 1.5}, ["contrast", "1.5"]),
    ({"saturation": float("nan")}, ["saturation", "nan"]),
    ({"random_h": 181}, ["random_h", "181"]),
    ({"random_s": 256}, ["random_s", "256"]),
    ({"random_l": -1}, ["random_l", "-1"]),
    ({"pca_noise": -0.5}, ["pca_noise", "-0.5"]),
    *(
        ({**GRAY, **options}, [*options, "channels"])
        for options in (
            {"saturation": 0.1},
            {"random_h": 1},
            {"random_s": 1},
            {"pca_noise": 0.1},
        )
    ),
    *(
        ({"dtype": dtype, **options}, [dtype, *options])
        for dtype in ("uint8", "int8")
        for options in (
            {"max_random_contrast": 0.1},
            {"max_random_illumination": 0.1},
            {"scale": 2.0},
        )
    ),
    ({"aug_seq": "other"}, ["aug_seq", "other", "aug_default"]),
]


@pytest.mark.parametrize(("options", "words"), REFUSED, ids=str)
def test_options_that_make_no_sense_are_refused_by_name(
    ten: DataSet, options: dict[str, Any], words: list[str]
) -> None:
    given: dict[str, Any] = {"data_shape": (3, 8, 8), "batch_size": 2} | options

    with pytest.raises(ParameterError) as caught:
        ImageRecordIter(path_imgrec=ten.rec, **given)

    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    "options",
    [
        {**GRAY, "brightness": 0.4, "contrast": 0.4, "random_l": 20, "rotate": 5},
        {**AREA, "max_aspect_ratio": 0.0},
        {"min_crop_size": 3, "max_crop_size": 3},
        {"rotate_list": "-360,360, 0"},
        {"max_random_scale": 1.0, "min_random_scale": 0.0},
        {"inter_method": 9, "rotate": 10},
        {"inter_method": 10, "rotate": 10},
    ],
    ids=str,
)
def test_what_only_looks_odd_is_accepted(ten: DataSet, options: dict[str, Any]) -> None:
    given: dict[str, Any] = {"data_shape": (3, 8, 8), "batch_size": 2} | options

    batches = ImageRecordIter(path_imgrec=ten.rec, **given)

    assert len(list(batches)) == 5
