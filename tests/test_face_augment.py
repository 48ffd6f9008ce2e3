"""The augmentations for faces: low resolution, blur, hue and saturation, gray; against
OpenCV and NumPy.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mxio import ParameterError, _core, params
from mxio.adapters.numpy import ImageRecordLoader
from tests.conftest import Pixels, picture, write_set

SIDE = 112
# YIQ, and back, with DALI's numbers.
TO_YIQ = np.array(
    [[0.299, 0.587, 0.114], [0.596, -0.274, -0.321], [0.211, -0.523, 0.311]]
)
FROM_YIQ = np.array([[1, 0.956, 0.621], [1, -0.272, -0.647], [1, -1.107, 1.705]])


def plans(count: int, **options: Any) -> list[dict[str, Any]]:
    given = {"path_imgrec": "x", "data_shape": (3, SIDE, SIDE), "batch_size": 1}
    bound = params.bind("plans", params.NUMPY, given | options)
    return _core.draw_plans(bound, 0, 0, count, SIDE, SIDE)


def read(folder: Path, pixels: list[Pixels], **options: Any) -> NDArray[np.uint8]:
    """The samples, (count, height, width, channels)."""
    data = write_set(folder, pixels)
    channels = pixels[0].shape[2]
    with ImageRecordLoader(
        path_imgrec=data.rec,
        data_shape=(channels, SIDE, SIDE),
        batch_size=len(pixels),
        dtype="uint8",
        layout="NHWC",
        **options,
    ) as batches:
        (batch,) = batches
    out: NDArray[np.uint8] = batch.data
    return out


def pictures(count: int, channels: int = 3) -> list[Pixels]:
    return [picture(i, SIDE, SIDE, channels) for i in range(count)]


def turned(pixels: Pixels, degrees: float, gain: float) -> Pixels:
    """Hue and saturation changed in floats."""
    a, b = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[1, 0, 0], [0, a * gain, b * gain], [0, -b * gain, a * gain]])
    right = pixels.astype(float) @ (FROM_YIQ @ turn @ TO_YIQ).T
    rounded: Pixels = np.clip(np.round(right), 0, 255).astype(np.uint8)
    return rounded


def assert_near(made: NDArray[Any], right: NDArray[Any], most: float) -> None:
    difference = np.abs(made.astype(float) - right.reshape(made.shape).astype(float))
    assert difference.max() <= most
    assert difference.mean() <= most / 4


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_low_resolution_is_a_shrunk_and_enlarged_picture(
    tmp_path: Path, channels: int
) -> None:
    originals = pictures(6, channels)
    drawn = plans(6, rand_downscale_prob=1.0)
    sizes = [plan["steps"][0][3:5] for plan in drawn]

    made = read(tmp_path, originals, rand_downscale_prob=1.0)

    assert len(set(sizes)) > 3
    for sample, original, (width, height) in zip(made, originals, sizes, strict=True):
        assert 56 <= width == height <= 90
        small = cv2.resize(original, (width, height), interpolation=cv2.INTER_AREA)
        large = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        assert_near(sample, large, 2)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("most", [1, 2, 4])
def test_blur_is_opencv_s(tmp_path: Path, channels: int, most: int) -> None:
    originals = pictures(8, channels)
    options = {"rand_blur_prob": 1.0, "max_blur_radius": most}
    radii = [plan["steps"][0][5] for plan in plans(8, **options)]

    made = read(tmp_path, originals, **options)

    assert set(radii) <= set(range(1, most + 1))
    assert len(set(radii)) == min(most, len(set(radii)) if most == 4 else most)
    for sample, original, radius in zip(made, originals, radii, strict=True):
        taps = 2 * radius + 1
        sigma = ((taps - 1) * 0.5 - 1) * 0.3 + 0.8
        blurred = cv2.GaussianBlur(original, (taps, taps), sigma)
        assert_near(sample, blurred, 1)


def test_hue_and_saturation_are_turned_in_yiq(tmp_path: Path) -> None:
    originals = pictures(8)
    options = {"rand_hsv_prob": 1.0, "max_hue_turn": 60.0, "max_saturation_gain": 2.0}
    turns = [plan["turn"] for plan in plans(8, **options)]

    made = read(tmp_path, originals, **options)

    for sample, original, (degrees, gain) in zip(made, originals, turns, strict=True):
        assert 0 <= degrees < 60
        assert 1 <= gain < 2
        assert_near(sample, turned(original, degrees, gain), 1)


def test_gray_is_opencv_s_within_one_level(tmp_path: Path) -> None:
    originals = pictures(4)

    made = read(tmp_path, originals, rand_gray_prob=1.0)

    for sample, original in zip(made, originals, strict=True):
        gray = cv2.cvtColor(original, cv2.COLOR_RGB2GRAY)
        assert_near(sample, np.dstack([gray] * 3), 1)
        np.testing.assert_array_equal(sample[..., :1], sample[..., 1:2])


@pytest.mark.parametrize("channels", [1, 4])
def test_colours_of_gray_pictures_and_alpha_are_left_alone(
    tmp_path: Path, channels: int
) -> None:
    originals = pictures(3, channels)

    made = read(tmp_path, originals, rand_gray_prob=1.0, rand_hsv_prob=1.0)

    np.testing.assert_array_equal(
        made[..., -1], np.stack(originals)[..., -1] if channels == 4 else made[..., -1]
    )
    if channels == 1:
        np.testing.assert_array_equal(made, np.stack(originals))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("rand_downscale_prob", lambda plan: len(plan["steps"]) == 2),
        ("rand_blur_prob", lambda plan: len(plan["steps"]) == 1),
        ("rand_hsv_prob", lambda plan: plan["turned"]),
        ("rand_gray_prob", lambda plan: plan["gray"]),
    ],
)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_a_probability_is_the_share_of_the_images(
    name: str, shown: Any, share: float
) -> None:
    drawn = plans(4000, **{name: share})

    found = np.mean([shown(plan) for plan in drawn])

    # Five standard deviations of a binomial share.
    assert abs(found - share) <= 5 * np.sqrt(share * (1 - share) / 4000)


def test_each_is_drawn_by_itself() -> None:
    half: dict[str, Any] = {
        f"rand_{what}_prob": 0.5 for what in ("downscale", "blur", "hsv", "gray")
    }

    drawn = plans(4000, rand_mirror=True, **half)

    kinds = ["".join(step[0][0] for step in plan["steps"]) for plan in drawn]
    seen = [
        (kind, plan["turned"], plan["gray"], plan["mirror"])
        for kind, plan in zip(kinds, drawn, strict=True)
    ]
    counts = [seen.count(one) for one in set(seen)]
    assert len(counts) == 32
    assert min(counts) > 70  # of 125 expected
    assert set(kinds) == {"", "rr", "b", "rrb"}


def test_new_augmentations_leave_the_draws_of_the_others_as_they_were() -> None:
    old: dict[str, Any] = {
        "rand_mirror": True,
        "brightness": 0.3,
        "contrast": 0.3,
        "saturation": 0.3,
        "pca_noise": 0.1,
        "random_h": 10,
    }
    new = {f"rand_{what}_prob": 1.0 for what in ("downscale", "blur", "hsv", "gray")}

    for before, after in zip(plans(50, **old), plans(50, **old, **new), strict=True):
        for name in ("mirror", "order", "alpha", "hls", "noise", "tone"):
            assert before[name] == after[name]


def test_all_at_once_in_order(tmp_path: Path) -> None:
    (original,) = pictures(1)
    options: dict[str, Any] = {
        f"rand_{what}_prob": 1.0 for what in ("downscale", "blur", "hsv", "gray")
    }
    (plan,) = plans(1, **options)
    (_, _, _, width, height, _), _, (*_, radius) = plan["steps"]
    taps = 2 * radius + 1

    (made,) = read(tmp_path, [original], mirror=True, **options)

    small = cv2.resize(original, (width, height), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    blurred = cv2.GaussianBlur(large, (taps, taps), 0.3 * (radius - 1) + 0.8)
    colours = turned(blurred.astype(np.uint8), *plan["turn"])
    gray = cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY)[:, ::-1]
    assert_near(made, np.dstack([gray] * 3), 3)


def test_a_range_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"min_downscale=0\.9 is above max_down"):
        plans(1, min_downscale=0.9)
