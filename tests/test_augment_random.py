"""Distributions of every random augmentation, against MXNet's laws.

Seeds are fixed: what passes once passes always. Limits are those that the law itself
would exceed once in a thousand seeds.
"""

import functools
from collections.abc import Callable, Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from mxio import _core, params

COUNT = 20000


def plans(
    count: int = COUNT,
    *,
    width: int = 60,
    height: int = 50,
    epoch: int = 0,
    first: int = 0,
    **options: Any,
) -> list[dict[str, Any]]:
    """Plans of `count` records for images of 60 x 50 and a sample of (3, 20, 20)."""
    shape = options.pop("data_shape", (3, 20, 20))
    given = {"path_imgrec": "x", "data_shape": shape, "batch_size": 1} | options
    bound = params.bind("test", params.NUMPY, given)
    return _core.draw_plans(bound, epoch, first, count, width, height)


def values(drawn: Sequence[dict[str, Any]], name: str) -> NDArray[Any]:
    return np.array([plan[name] for plan in drawn])


def boxes(drawn: Sequence[dict[str, Any]]) -> NDArray[Any]:
    """x, y, width, height of the first crop of each plan."""
    found = []
    for plan in drawn:
        crops = [step[1:5] for step in plan["steps"] if step[0] == "crop"]
        found.append(crops[0])
    return np.array(found)


def assert_even(samples: ArrayLike, count: int) -> None:
    """Chi-square: the samples 0..count-1 come equally often."""
    seen = np.bincount(np.asarray(samples), minlength=count)
    assert len(seen) == count
    expected = seen.sum() / count
    chi_square = ((seen - expected) ** 2 / expected).sum()
    free = count - 1
    # Wilson and Hilferty's approximation of the quantile .999.
    limit = free * (1 - 2 / (9 * free) + 3.09 * np.sqrt(2 / (9 * free))) ** 3
    assert chi_square < limit


def assert_law(samples: ArrayLike, law: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
    """Kolmogorov and Smirnov: the samples follow the distribution function."""
    ordered = np.sort(np.asarray(samples, np.float64))
    count = len(ordered)
    expected = law(ordered)
    above = (np.arange(1, count + 1) / count - expected).max()
    below = (expected - np.arange(count) / count).max()
    assert max(above, below) * np.sqrt(count) < 1.95


def assert_uniform(samples: ArrayLike, low: float, high: float) -> None:
    found = np.asarray(samples, np.float64)
    slack = 1e-6 * max(abs(low), abs(high))
    assert found.min() >= low - slack
    assert found.max() <= high + slack
    assert_law(found, lambda x: np.clip((x - low) / (high - low), 0, 1))


def assert_unrelated(first: ArrayLike, second: ArrayLike) -> None:
    """No correlation beyond that of chance, of the values nor of their squares."""
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    limit = 3.3 / np.sqrt(len(one))
    for power in (1, 2):
        a, b = (one - one.mean()) ** power, (other - other.mean()) ** power
        assert abs(np.corrcoef(a, b)[0, 1]) < limit


# ---- affine ----


def decomposed(drawn: Sequence[dict[str, Any]]) -> NDArray[Any]:
    """(degrees, hs, ws, shear) of each plan's matrix."""
    m = values(drawn, "matrix").astype(np.float64)
    angle = np.arctan2(-m[:, 3], m[:, 4])
    a, b = np.cos(angle), np.sin(angle)
    ws = np.hypot(m[:, 3], m[:, 4])
    hs = m[:, 0] * a + m[:, 1] * b
    shear = (m[:, 1] * a - m[:, 0] * b) / ws
    return np.stack([np.degrees(angle), hs, ws, shear], axis=1)


@pytest.mark.parametrize("most", [1, 7, 45])
def test_angles_are_whole_degrees_uniform_up_to_both_ends(most: int) -> None:
    drawn = plans(max_rotate_angle=most)

    degrees = decomposed(drawn)[:, 0]
    whole = np.rint(degrees)
    np.testing.assert_allclose(degrees, whole, atol=1e-4)
    assert_even(whole.astype(int) + most, 2 * most + 1)


def test_angles_of_a_list_are_picked_equally_often() -> None:
    listed = [10, 20, -30, 90]

    drawn = plans(rotate_list="10, 20,-30,90")

    degrees = np.rint(decomposed(drawn)[:, 0]).astype(int).tolist()
    assert set(degrees) == set(listed)
    assert_even([listed.index(angle) for angle in degrees], len(listed))


def test_a_list_of_angles_beats_a_fixed_one_and_that_a_random_one() -> None:
    every: dict[str, Any] = {"max_rotate_angle": 30, "rotate": 45}

    fixed = decomposed(plans(200, **every))[:, 0]
    listed = decomposed(plans(200, rotate_list="-60", **every))[:, 0]

    np.testing.assert_allclose(fixed, 45, atol=1e-4)
    np.testing.assert_allclose(listed, -60, atol=1e-4)


def test_shear_is_uniform_around_zero() -> None:
    drawn = plans(max_shear_ratio=0.3)

    assert_uniform(decomposed(drawn)[:, 3], -0.3, 0.3)


def test_scale_is_uniform_and_sets_the_canvas() -> None:
    drawn = plans(min_random_scale=0.7, max_random_scale=1.6)

    scale = decomposed(drawn)[:, 1]
    canvas = np.array([plan["steps"][0][3:5] for plan in drawn])
    assert_uniform(scale, 0.7, 1.6)
    exact = scale.astype(np.float32)[:, None] * np.array([60, 50])
    assert np.abs(canvas + 0.5 - exact).max() <= 0.5001


@pytest.mark.parametrize(
    ("options", "low", "high"),
    [
        ({"max_aspect_ratio": 0.4}, 0.6, 1.4),
        ({"min_aspect_ratio": 0.5, "max_aspect_ratio": 0.9}, 0.5, 0.9),
    ],
)
def test_stretch_is_uniform_and_keeps_the_sum_of_the_sides(
    options: dict[str, Any], low: float, high: float
) -> None:
    drawn = plans(**options)

    _, hs, ws, _ = decomposed(drawn).T
    assert_uniform(ws / hs, low, high)
    np.testing.assert_allclose(hs + ws, 2, rtol=1e-5)


def test_the_draws_of_one_transform_are_unrelated() -> None:
    drawn = plans(
        max_rotate_angle=30,
        max_shear_ratio=0.2,
        min_random_scale=0.8,
        max_random_scale=1.2,
        max_aspect_ratio=0.2,
    )

    angle, hs, ws, shear = decomposed(drawn).T
    scale, ratio = (hs + ws) / 2, ws / hs
    for one, other in (
        (angle, shear),
        (angle, scale),
        (shear, scale),
        (shear, ratio),
        (scale, ratio),
    ):
        assert_unrelated(one, other)


# ---- crops ----


def test_offsets_of_a_random_crop_reach_every_place_equally_often() -> None:
    drawn = plans(rand_crop=True, width=27, height=24)

    x, y, width, height = boxes(drawn).T
    assert set(width) | set(height) == {20}
    assert_even(x * 5 + y, 8 * 5)


@pytest.mark.parametrize("rand_crop", [False, True])
def test_the_side_of_a_random_square_is_uniform(rand_crop: bool) -> None:
    drawn = plans(min_crop_size=21, max_crop_size=33, rand_crop=rand_crop)

    x, y, width, height = boxes(drawn).T
    assert (width == height).all()
    assert_even(width - 21, 13)
    if rand_crop:
        assert (x + width).max() == 60
        assert (y + height).max() == 50
        # Uniform over the places that the side leaves.
        for side in (21, 33):
            assert_even(x[width == side], 60 - side + 1)
            assert_even(y[width == side], 50 - side + 1)
    else:
        np.testing.assert_array_equal(x, (60 - width) // 2)
        np.testing.assert_array_equal(y, (50 - height) // 2)


RESIZED: dict[str, Any] = {"random_resized_crop": True, "width": 2000, "height": 2000}


def test_the_area_of_a_resized_crop_is_uniform() -> None:
    drawn = plans(**RESIZED, min_random_area=0.1, max_random_area=0.4)

    _, _, width, height = boxes(drawn).T
    # Sides are whole numbers: the area is within a thousandth of the one drawn.
    assert_law(
        width * height / 2000**2 + np.random.default_rng(0).normal(0, 1e-4, COUNT),
        lambda x: np.clip((x - 0.1) / 0.3, 0, 1),
    )


def test_the_ratio_of_a_resized_crop_is_uniform_and_swapped_half_of_the_time() -> None:
    drawn = plans(
        **RESIZED,
        min_random_area=0.2,
        max_random_area=0.3,
        min_aspect_ratio=1.2,
        max_aspect_ratio=2.0,
    )

    _, _, width, height = boxes(drawn).T
    ratio = width / height
    wide = ratio > 1
    assert_uniform(np.clip(np.where(wide, ratio, 1 / ratio), 1.2, 2.0), 1.2, 2.0)
    assert_even(wide.astype(int), 2)


def test_a_resized_crop_lies_anywhere_inside() -> None:
    drawn = plans(
        **RESIZED,
        min_random_area=0.25,
        max_random_area=0.25,
    )

    x, y, width, height = boxes(drawn).T
    assert set(width) | set(height) == {1000}
    assert_uniform(x + np.random.default_rng(1).random(COUNT), 0, 1001)
    assert_uniform(y + np.random.default_rng(2).random(COUNT), 0, 1001)
    assert_unrelated(x, y)


def test_a_resized_crop_that_cannot_fit_becomes_a_plain_one() -> None:
    drawn = plans(
        1000,
        random_resized_crop=True,
        min_aspect_ratio=50.0,
        max_aspect_ratio=60.0,
        min_random_area=0.9,
    )

    np.testing.assert_array_equal(boxes(drawn), [[20, 15, 20, 20]] * 1000)


# ---- colours ----

JITTERS = ["brightness", "contrast", "saturation"]


@pytest.mark.parametrize("name", JITTERS)
def test_the_factor_of_a_jitter_is_uniform_around_one(name: str) -> None:
    place = JITTERS.index(name)
    options: dict[str, Any] = {name: 0.4}

    alpha = values(plans(**options), "alpha")

    assert_uniform(alpha[:, place], 0.6, 1.4)
    assert alpha[:, place].mean() == pytest.approx(1, abs=0.005)
    assert alpha[:, place].var() == pytest.approx(0.8**2 / 12, rel=0.03)
    assert (np.delete(alpha, place, axis=1) == 1).all()


def test_the_three_jitters_come_in_every_order_equally_often() -> None:
    drawn = plans(brightness=0.1, contrast=0.1, saturation=0.1)

    order = values(drawn, "order")
    alpha = values(drawn, "alpha")
    assert (np.sort(order, axis=1) == [0, 1, 2]).all()
    kinds = sorted(set(map(tuple, order.tolist())))
    assert len(kinds) == 6
    assert_even([kinds.index(tuple(one)) for one in order.tolist()], 6)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert_unrelated(alpha[:, one], alpha[:, other])


@pytest.mark.parametrize(
    ("name", "place", "most"),
    [("random_h", 0, 36), ("random_l", 1, 50), ("random_s", 2, 50), ("random_h", 0, 1)],
)
def test_hls_shifts_follow_their_law(name: str, place: int, most: int) -> None:
    """r = (u1 + 4 u2) / 5, delta = int(r * 2 v - v)."""
    options: dict[str, Any] = {name: most}

    shift = values(plans(**options), "hls")

    own = shift[:, place]
    assert (np.delete(shift, place, axis=1) == 0).all()
    # The law of r by its definition, on a fine grid of u1 and u2.
    u = (np.arange(1500) + 0.5) / 1500
    r = ((u[:, None] + 4 * u) / 5).ravel()
    wanted = np.bincount(np.trunc(r * 2 * most - most).astype(int) + most)
    share = wanted / wanted.sum()
    seen = np.bincount(own + most, minlength=len(share))
    kept = share * COUNT > 5
    chi_square = ((seen - share * COUNT)[kept] ** 2 / (share * COUNT)[kept]).sum()
    free = kept.sum()
    assert len(seen) == len(share)
    assert chi_square < free + 3.3 * np.sqrt(2 * free) + 5


def test_the_three_hls_shifts_are_unrelated() -> None:
    shift = values(plans(random_h=90, random_s=120, random_l=120), "hls")

    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert_unrelated(shift[:, one], shift[:, other])


# The columns are the axes: what one normal adds to red, green, blue.
AXES = np.array(
    [
        [55.46 * -0.5675, 4.794 * 0.7192, 1.148 * 0.4009],
        [55.46 * -0.5808, 4.794 * -0.0045, 1.148 * -0.8140],
        [55.46 * -0.5836, 4.794 * -0.6948, 1.148 * 0.4203],
    ]
)


def test_pca_noise_is_three_normals_along_the_axes() -> None:
    sigma = 0.5

    noise = values(plans(pca_noise=sigma), "noise").astype(np.float64)

    normals = np.linalg.solve(AXES, noise.T) / sigma
    for axis in normals:
        assert axis.mean() == pytest.approx(0, abs=0.024)
        assert axis.var() == pytest.approx(1, abs=0.033)
        assert (axis**3).mean() == pytest.approx(0, abs=0.09)
        assert (axis**4).mean() == pytest.approx(3, abs=0.25)
        # Quantiles of the normal distribution.
        assert (np.abs(axis) < 0.6744897501960817).mean() == pytest.approx(
            0.5, abs=0.012
        )
        assert (np.abs(axis) < 1.959963984540054).mean() == pytest.approx(
            0.95, abs=0.006
        )
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert_unrelated(normals[one], normals[other])


# ---- tone and mirror ----


def test_contrast_and_illumination_are_uniform_and_unrelated() -> None:
    drawn = plans(max_random_contrast=0.3, max_random_illumination=25.0)

    contrast, light = values(drawn, "tone").T
    assert_uniform(contrast, 0.7, 1.3)
    assert_uniform(light, -25, 25)
    assert_unrelated(contrast, light)


def test_half_of_the_images_are_mirrored_whatever_else_is_drawn() -> None:
    drawn = plans(
        rand_mirror=True, rand_crop=True, brightness=0.3, max_random_contrast=0.3
    )

    mirror = values(drawn, "mirror").astype(int)
    assert_even(mirror, 2)
    assert_unrelated(mirror, boxes(drawn)[:, 0])
    assert_unrelated(mirror, values(drawn, "alpha")[:, 0])
    assert_unrelated(mirror, values(drawn, "tone")[:, 0])


def test_a_random_method_is_each_of_five_equally_often() -> None:
    drawn = plans(inter_method=10, resize=30)

    assert_even([plan["steps"][0][5] for plan in drawn], 5)


# ---- epochs, records, seeds ----

EVERYTHING: dict[str, Any] = {
    "rand_crop": True,
    "rand_mirror": True,
    "max_rotate_angle": 180,
    "brightness": 0.5,
    "random_h": 180,
    "pca_noise": 0.2,
    "max_random_illumination": 9.0,
}


def numbers(drawn: Sequence[dict[str, Any]]) -> NDArray[Any]:
    """Six numbers of each plan."""
    return np.stack(
        [
            boxes(drawn)[:, 0],
            decomposed(drawn)[:, 0],
            values(drawn, "alpha")[:, 0],
            values(drawn, "hls")[:, 0],
            values(drawn, "noise")[:, 0],
            values(drawn, "tone")[:, 1],
        ],
        axis=1,
    )


@functools.cache
def all_numbers() -> NDArray[Any]:
    return numbers(plans(**EVERYTHING))


@pytest.mark.parametrize(
    "other",
    [{"epoch": 1}, {"epoch": 2**40}, {"seed": 1}, {"seed": -1}, {"first": COUNT}],
    ids=str,
)
def test_other_epochs_seeds_and_records_draw_unrelated_numbers(
    other: dict[str, int],
) -> None:
    second = numbers(plans(**EVERYTHING, **other))

    for one, another in zip(all_numbers().T, second.T, strict=True):
        assert (one == another).mean() < 0.1
        assert_unrelated(one, another)


def test_neighbouring_records_draw_unrelated_numbers() -> None:
    for column in all_numbers().T:
        for lag in (1, 2, 64):
            assert_unrelated(column[:-lag], column[lag:])


def test_a_record_draws_the_same_wherever_it_is_asked_for() -> None:
    together = plans(50, **EVERYTHING)

    alone = [plans(1, first=record, **EVERYTHING)[0] for record in range(50)]

    assert alone == together


def test_seed_aug_takes_the_place_of_seed() -> None:
    expected = plans(20, seed=5, **EVERYTHING)

    actual = plans(20, seed=77, seed_aug=5, **EVERYTHING)

    assert actual == expected


@pytest.mark.parametrize(
    ("one", "other"),
    list(pairwise(["rand_crop", "max_rotate_angle", "brightness", "random_h"])),
)
def test_an_option_does_not_change_the_draws_of_another(one: str, other: str) -> None:
    places = {"rand_crop": 0, "max_rotate_angle": 1, "brightness": 2, "random_h": 3}
    given: dict[str, Any] = {one: EVERYTHING[one], other: EVERYTHING[other]}
    # A rotation keeps the canvas, so the crop has the same room with it and without.
    steady: dict[str, Any] = {"max_rotate_angle": 1} if "rand_crop" in given else {}

    both = plans(100, **(steady | given))
    alone = plans(100, **(steady | {one: EVERYTHING[one]}))

    pick: dict[int, Callable[[Sequence[dict[str, Any]]], NDArray[Any]]] = {
        0: lambda drawn: boxes(drawn)[:, 0],
        1: lambda drawn: decomposed(drawn)[:, 0],
        2: lambda drawn: values(drawn, "alpha")[:, 0],
        3: lambda drawn: values(drawn, "hls")[:, 0],
    }
    np.testing.assert_array_equal(pick[places[one]](both), pick[places[one]](alone))


def test_the_whole_product_of_places_and_mirrors_is_reached_evenly() -> None:
    drawn = plans(rand_crop=True, rand_mirror=True, width=22, height=21)

    seen = [
        (*place, mirror)
        for place, mirror in zip(
            boxes(drawn)[:, :2].tolist(), values(drawn, "mirror").tolist(), strict=True
        )
    ]
    kinds = list(product(range(3), range(2), (False, True)))
    assert_even([kinds.index(one) for one in seen], len(kinds))
