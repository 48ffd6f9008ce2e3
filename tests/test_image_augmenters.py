"""Augmenters, against their formulas in NumPy."""

import colorsys
import json
import random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mxio import image
from mxio.errors import ParameterError
from mxio.ndarray import NDArray, array

pytestmark = pytest.mark.usefixtures("seeded")


LUMA = np.array([0.299, 0.587, 0.114])


def picture(height: int = 12, width: int = 16) -> npt.NDArray[np.uint8]:
    rng = np.random.default_rng(5)
    return rng.integers(0, 256, (height, width, 3), np.uint8)


def as_floats(height: int = 12, width: int = 16) -> NDArray:
    return array(picture(height, width))


def drawn(level: float, count: int = 1) -> list[float]:
    """What an augmenter with this seed draws next."""
    state = random.getstate()
    numbers = [random.uniform(-level, level) for _ in range(count)]
    random.setstate(state)
    return numbers


# One at a time


def test_brightness_multiplies() -> None:
    (number,) = drawn(0.4)

    out = image.BrightnessJitterAug(0.4)(as_floats())

    assert out.dtype == np.float32
    np.testing.assert_allclose(out, picture() * (1 + number), rtol=1e-5)


def test_contrast_blends_with_the_mean_luma() -> None:
    (number,) = drawn(0.4)
    share = 1 + number
    mean = (picture() @ LUMA).mean()

    out = image.ContrastJitterAug(0.4)(as_floats())

    expected = picture() * share + (1 - share) * mean
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-3)


def test_saturation_blends_with_the_luma() -> None:
    (number,) = drawn(0.4)
    share = 1 + number
    gray = (picture() @ LUMA)[:, :, None]

    out = image.SaturationJitterAug(0.4)(as_floats())

    expected = picture() * share + (1 - share) * gray
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-3)


def test_hue_turns_the_iq_plane() -> None:
    (number,) = drawn(0.3)
    pixels = picture() / 255

    out = image.HueJitterAug(0.3)(array(pixels))

    # colorsys has NTSC's own rounding of the same matrix.
    for before, after in zip(pixels.reshape(-1, 3), out.reshape(-1, 3), strict=True):
        y, i, q = colorsys.rgb_to_yiq(*before)
        turned = (i + 1j * q) * np.exp(1j * number * np.pi)
        y2, i2, q2 = colorsys.rgb_to_yiq(*after.tolist())
        if min(after) > 0 and max(after) < 1:
            assert abs(complex(i2, q2) - turned) < 0.02
            assert abs(y2 - y) < 0.01


def test_no_hue_leaves_the_image() -> None:
    out = image.HueJitterAug(0)(as_floats())

    # The two matrices are rounded to three digits.
    assert np.abs(out - picture()).max() < 2


def test_lighting_adds_principal_components() -> None:
    values = np.array([55.46, 4.794, 1.148])
    vectors = np.arange(9, dtype=float).reshape(3, 3) / 9
    state = np.random.get_state()
    weights = np.random.normal(0, 0.1, 3)
    np.random.set_state(state)

    out = image.LightingAug(0.1, values, vectors)(as_floats())

    colour = sum(weights[k] * values[k] * vectors[:, k] for k in range(3))
    np.testing.assert_allclose(
        out - picture(), np.broadcast_to(colour, out.shape), atol=1e-4
    )


def test_gray_is_a_weighted_sum_in_all_channels() -> None:
    out = image.RandomGrayAug(1)(as_floats())

    expected = picture() @ [0.21, 0.72, 0.07]
    assert type(out) is NDArray
    for channel in range(3):
        np.testing.assert_allclose(out[:, :, channel], expected, rtol=1e-5)


def test_a_flip_exchanges_left_and_right() -> None:
    out = image.HorizontalFlipAug(1)(picture())

    assert np.array_equal(out, np.fliplr(picture()))
    assert out.flags.c_contiguous


def test_a_cast_copies() -> None:
    source = as_floats()

    same, half = image.CastAug()(source), image.CastAug("float16")(picture())

    assert same.dtype == np.float32
    assert not np.shares_memory(same, source)
    assert half.dtype == np.float16


def test_normalising_uses_float32() -> None:
    augmenter = image.ColorNormalizeAug(np.array([1.0, 2, 3]), np.array([2.0, 4, 8]))

    out = augmenter(as_floats())

    expected = (picture().astype(float) - [1, 2, 3]) / [2, 4, 8]
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, expected, rtol=1e-5)


def test_sizes_of_resizers_and_crops() -> None:
    source = picture(20, 40)

    shapes = [
        image.ResizeAug(10)(source).shape,
        image.ForceResizeAug((7, 9))(source).shape,
        image.CenterCropAug((6, 5))(source).shape,
        image.RandomCropAug((6, 5))(source).shape,
        image.RandomSizedCropAug((6, 5), 0.1, (0.5, 2))(source).shape,
    ]

    assert shapes == [(10, 20, 3), (9, 7, 3), (5, 6, 3), (5, 6, 3), (5, 6, 3)]


def test_the_old_name_of_area_warns() -> None:
    with pytest.warns(DeprecationWarning, match="min_area is now area"):
        augmenter = image.RandomSizedCropAug((6, 5), 0, (1, 1), min_area=0.7)

    assert augmenter.area == 0.7


# Several


class Note(image.Augmenter):
    """Writes down that it was called."""

    def __init__(self, name: str, notes: list[str]) -> None:
        super().__init__(name=name)
        self.name, self.notes = name, notes

    def __call__(self, src: npt.NDArray[Any]) -> npt.NDArray[Any]:
        self.notes.append(self.name)
        return src


def test_a_sequence_keeps_its_order() -> None:
    notes: list[str] = []
    augmenter = image.SequentialAug([Note(name, notes) for name in "abc"])

    for _ in range(3):
        augmenter(picture())

    assert "".join(notes) == "abcabcabc"


def test_a_random_order_has_all_orders_equally_often() -> None:
    notes: list[str] = []
    augmenter = image.RandomOrderAug([Note(name, notes) for name in "abc"])

    for _ in range(3000):
        augmenter(picture(1, 1))

    orders = ["".join(notes[i : i + 3]) for i in range(0, 9000, 3)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert max(abs(count - 500) for count in counts) < 110


def test_colour_jitter_leaves_out_what_is_0() -> None:
    names = [
        [type(part).__name__ for part in image.ColorJitterAug(*levels).ts]
        for levels in [(0.1, 0.2, 0.3), (0, 0.2, 0), (0, 0, 0)]
    ]

    assert names[0] == [
        "BrightnessJitterAug",
        "ContrastJitterAug",
        "SaturationJitterAug",
    ]
    assert names[1:] == [["ContrastJitterAug"], []]


# How often, how far


@pytest.mark.parametrize("p", [0, 0.3, 1])
@pytest.mark.parametrize("kind", [image.HorizontalFlipAug, image.RandomGrayAug])
def test_chance_has_the_probability(kind: Any, p: float) -> None:
    source = as_floats(2, 2)
    augmenter = kind(p)

    changed = sum(augmenter(source) is not source for _ in range(2000))

    assert abs(changed - 2000 * p) <= 5 * (2000 * p * (1 - p)) ** 0.5


def test_jitter_is_uniform() -> None:
    augmenter = image.BrightnessJitterAug(0.5)

    factors = np.array(
        [float(augmenter(array([[[1.0]]]))[0, 0, 0]) for _ in range(4000)]
    )

    assert 0.5 <= factors.min() < 0.51 < 1.49 < factors.max() <= 1.5
    assert abs(factors.mean() - 1) < 0.02
    assert abs(factors.std() - 1 / 12**0.5) < 0.01


def test_lighting_is_normal() -> None:
    augmenter = image.LightingAug(0.2, np.ones(3), np.eye(3))

    noise = np.array([augmenter(array(np.zeros((1, 1, 3))))[0, 0] for _ in range(3000)])

    assert np.abs(noise.mean(axis=0)).max() < 0.02
    assert np.abs(noise.std(axis=0) - 0.2).max() < 0.01
    assert np.abs(np.corrcoef(noise.T) - np.eye(3)).max() < 0.08


# What they say


def test_dumps_is_json_of_name_and_settings() -> None:
    augmenter = image.LightingAug(0.1, np.array([1.0, 2, 3]), np.eye(3))

    assert json.loads(image.ResizeAug(5, 1).dumps()) == [
        "resizeaug",
        {"size": 5, "interp": 1},
    ]
    assert json.loads(augmenter.dumps()) == [
        "lightingaug",
        {"alphastd": 0.1, "eigval": [1, 2, 3], "eigvec": np.eye(3).tolist()},
    ]
    assert json.loads(image.CastAug().dumps()) == ["castaug", {"type": "float32"}]
    assert json.loads(image.CastAug(np.float16).dumps())[1] == {"type": "float16"}
    assert json.loads(image.HorizontalFlipAug(np.float64(0.5)).dumps())[1] == {"p": 0.5}
    normal = image.ColorNormalizeAug(array([1, 2, 3]), None)
    assert json.loads(normal.dumps())[1] == {"mean": [1, 2, 3], "std": None}


@pytest.mark.parametrize(
    ("make", "mean", "told"),
    [
        (image.CreateAugmenter, True, float(np.float32(123.68))),
        (image.CreateDetAugmenter, True, 123.68),
        (image.CreateAugmenter, np.array([123.68, 0, 0]), 123.68),
        (image.CreateDetAugmenter, np.array([123.68, 0, 0]), 123.68),
    ],
)
def test_dumps_tells_the_mean_as_it_was_given(make: Any, mean: Any, told: Any) -> None:
    # Written down from MXNet 1.9.1. All were rounded to float32.
    last = make((3, 8, 8), mean=mean)[-1]

    parts = last.dumps()
    settings = json.loads(parts if isinstance(parts, str) else parts[1])[1]

    assert settings["mean"][0] == told


def test_dumps_of_several_is_a_list_of_theirs() -> None:
    parts = [image.CastAug(), image.HueJitterAug(0.1)]

    assert image.SequentialAug(parts).dumps() == [
        "sequentialaug",
        [part.dumps() for part in parts],
    ]
    assert image.ColorJitterAug(0, 0.5, 0).dumps() == [
        "colorjitteraug",
        ['["contrastjitteraug", {"contrast": 0.5}]'],
    ]


def test_an_own_augmenter_must_be_callable() -> None:
    class Nothing(image.Augmenter):
        pass

    with pytest.raises(NotImplementedError, match="Nothing must define __call__"):
        Nothing()(picture())


@pytest.mark.parametrize(
    "augmenter",
    [
        image.BrightnessJitterAug(0.1),
        image.ContrastJitterAug(0.1),
        image.SaturationJitterAug(0.1),
        image.HueJitterAug(0.1),
        image.RandomGrayAug(1),
        image.LightingAug(0.1, np.ones(3), np.eye(3)),
    ],
)
def test_colours_of_whole_numbers_are_refused(augmenter: Any) -> None:
    with pytest.raises(TypeError, match=r"Aug needs floats .*got uint8"):
        augmenter(picture())


# CreateAugmenter


def names_of(augmenters: list[Any]) -> list[str]:
    return [type(augmenter).__name__ for augmenter in augmenters]


def test_the_order_of_all_augmenters() -> None:
    given = image.CreateAugmenter(
        (3, 5, 6),
        resize=8,
        rand_crop=True,
        rand_resize=True,
        rand_mirror=True,
        mean=True,
        std=True,
        brightness=0.1,
        contrast=0.1,
        saturation=0.1,
        hue=0.1,
        pca_noise=0.1,
        rand_gray=0.1,
        inter_method=10,
    )

    assert names_of(given) == [
        "ResizeAug",
        "RandomSizedCropAug",
        "HorizontalFlipAug",
        "CastAug",
        "ColorJitterAug",
        "HueJitterAug",
        "LightingAug",
        "RandomGrayAug",
        "ColorNormalizeAug",
    ]
    settings = {
        name: told for name, told in map(json.loads, map(dumped, given)) if told
    }
    assert settings["resizeaug"] == {"size": 8, "interp": 10}
    assert settings["randomsizedcropaug"] == {
        "size": [6, 5],
        "area": 0.08,
        "ratio": [3 / 4, 4 / 3],
        "interp": 10,
    }
    assert settings["lightingaug"]["eigval"] == [55.46, 4.794, 1.148]
    np.testing.assert_allclose(
        settings["colornormalizeaug"]["mean"], [123.68, 116.28, 103.53], rtol=1e-6
    )
    np.testing.assert_allclose(
        settings["colornormalizeaug"]["std"], [58.395, 57.12, 57.375], rtol=1e-6
    )


def dumped(augmenter: Any) -> str:
    told = augmenter.dumps()
    return told if isinstance(told, str) else json.dumps([told[0], {}])


def test_the_least_list_crops_the_middle_and_casts() -> None:
    given = image.CreateAugmenter((3, 5, 6))
    random_one = image.CreateAugmenter((3, 5, 6), rand_crop=True)

    assert names_of(given) == ["CenterCropAug", "CastAug"]
    assert names_of(random_one) == ["RandomCropAug", "CastAug"]
    assert json.loads(given[0].dumps())[1] == {"size": [6, 5], "interp": 2}


def test_the_whole_list_gives_float32_of_the_shape() -> None:
    given = image.CreateAugmenter(
        (3, 5, 6), 8, True, True, True, True, True, 0.1, 0.1, 0.1, 0.1, 0.1, 0.5, 10
    )

    out: Any = picture(30, 20)
    for augmenter in given:
        out = augmenter(out)

    assert (type(out), out.shape, out.dtype) == (NDArray, (5, 6, 3), np.float32)


@pytest.mark.parametrize("mean", [np.array([1.0, 2, 3]), [1, 2, 3], (1, 2, 3)])
def test_a_mean_can_be_any_three_numbers(mean: Any) -> None:
    given = image.CreateAugmenter((3, 5, 6), mean=mean)

    assert json.loads(given[-1].dumps())[1] == {"mean": [1, 2, 3], "std": None}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"data_shape": (3, 5)}, "data_shape must be"),
        ({"data_shape": (3, 0, 5)}, "data_shape must be"),
        ({"resize": -1}, "resize must be >= 0, got -1"),
        ({"rand_resize": True}, "rand_resize needs rand_crop"),
        ({"brightness": -0.1}, r"brightness must be in \[0, inf\], got -0.1"),
        ({"contrast": float("nan")}, "contrast must be in"),
        ({"saturation": -1}, "saturation must be in"),
        ({"hue": -1}, "hue must be in"),
        ({"pca_noise": -1}, "pca_noise must be in"),
        ({"rand_gray": 1.5}, r"rand_gray must be in \[0, 1\], got 1.5"),
        ({"inter_method": 7}, "inter_method must be one of .* got 7"),
        ({"mean": [1, 2]}, "mean must be True, or 1 or 3 numbers"),
        ({"std": [1, 0, 1]}, "std must not be 0"),
        ({"std": [1, float("inf"), 1]}, "std must be True, or 1 or 3 numbers"),
    ],
)
def test_wrong_settings_are_refused(settings: Any, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        image.CreateAugmenter(**{"data_shape": (3, 5, 6), **settings})


@pytest.mark.parametrize("settings", [{"resize": 2.5}, {"brightness": "much"}])
def test_settings_of_a_wrong_type_are_refused(settings: Any) -> None:
    with pytest.raises(TypeError, match="must be a"):
        image.CreateAugmenter((3, 5, 6), **settings)
