"""ImageDetRecordIter: labels, augmentation of images and boxes, errors."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mxio import params
from mxio.adapters.dataiter import DataDesc
from mxio.errors import DataError, ParameterError
from mxio.io import ImageDetRecordIter
from tests.conftest import encoded, picture, record, write_rec

DET = params.DET
# Two objects, and one, of 5 numbers.
TWO = [2, 5, 7, 0.25, 0.25, 0.5, 0.75, 8, 0.5, 0.125, 1, 0.5]
ONE = [2, 5, 3, 0.125, 0.5, 0.625, 1]


def written(
    folder: Path, labels: Sequence[Any], height: int = 24, width: int = 32
) -> Path:
    """A data set of PNG pictures with these labels and ids 50, 51, ..."""
    payloads = [
        record(encoded(picture(i, height, width)), label, 50 + i)
        for i, label in enumerate(labels)
    ]
    return write_rec(folder, payloads, "det")[0]


def construct(path: Path, **options: Any) -> ImageDetRecordIter:
    base: dict[str, Any] = {
        "path_imgrec": path,
        "data_shape": (3, 24, 32),
        "batch_size": 2,
    }
    return ImageDetRecordIter(**(base | options))


def first(iterator: ImageDetRecordIter) -> tuple[np.ndarray, np.ndarray]:
    """Data and label of the first batch."""
    batch = next(iterator)
    iterator.close()
    return batch.data[0].asnumpy(), batch.label[0].asnumpy()


def objects(row: np.ndarray) -> np.ndarray:
    """The objects of a label row, (count, width)."""
    label = row[4 : 4 + int(row[3])]
    return label[int(label[0]) :].reshape(-1, int(label[1]))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures of 24 x 32 with two objects and with one."""
    return written(tmp_path_factory.mktemp("pair"), [TWO, ONE])


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A white rectangle on black, and its box; the picture is 40 x 40."""
    image = np.zeros((40, 40, 3), np.uint8)
    image[10:20, 20:36] = 255
    label = [2, 5, 1, 20 / 40, 10 / 40, 36 / 40, 20 / 40]
    payload = record(encoded(image), label, 1)
    return write_rec(tmp_path_factory.mktemp("marked"), [payload] * 20, "det")[0]


# ---- labels ----


def test_a_label_row_has_sizes_count_values_and_padding(pair: Path) -> None:
    iterator = construct(pair)

    data, label = first(iterator)

    assert data.shape == (2, 3, 24, 32)
    assert label.dtype == np.float32
    np.testing.assert_array_equal(label[0], [3, 24, 32, 12, *TWO])
    np.testing.assert_array_equal(label[1], [3, 24, 32, 7, *ONE, *[-1] * 5])
    assert iterator.provide_data == [DataDesc("data", (2, 3, 24, 32))]
    assert iterator.provide_label == [DataDesc("softmax_label", (2, 16))]


def test_pixels_are_those_of_the_record(pair: Path) -> None:
    data, _ = first(construct(pair, dtype="uint8"))

    for i in range(2):
        np.testing.assert_array_equal(data[i], picture(i, 24, 32).transpose(2, 0, 1))


def test_a_picture_that_opencv_decodes_is_augmented_like_any(tmp_path: Path) -> None:
    sets = []
    for suffix in (".png", ".bmp"):
        payloads = [record(encoded(picture(i, 24, 32), suffix), TWO) for i in range(2)]
        path = write_rec(tmp_path, payloads, suffix[1:])[0]
        sets.append(first(construct(path, **(AUGMENTED | {"shuffle": False}))))

    for png, bmp in zip(*sets, strict=True):
        np.testing.assert_array_equal(bmp, png)


def test_beside_an_image_with_alpha_the_rest_is_transparent(tmp_path: Path) -> None:
    image = picture(0, 10, 20, 4)
    path = write_rec(tmp_path, [record(encoded(image), ONE)], "rgba")[0]

    data, _ = first(
        construct(
            path, data_shape=(4, 20, 20), resize_mode="fit", dtype="uint8", batch_size=1
        )
    )

    np.testing.assert_array_equal(data[0][:, :10], image.transpose(2, 0, 1))
    assert [np.unique(plane).tolist() for plane in data[0][:, 10:]] == [
        [127],
        [127],
        [127],
        [0],
    ]


def test_a_gray_image_has_one_channel(pair: Path) -> None:
    data, label = first(construct(pair, data_shape=(1, 24, 32)))

    assert data.shape == (2, 1, 24, 32)
    assert label[0][0] == 1


@pytest.mark.parametrize(("asked", "width"), [(12, 16), (13, 17), (40, 44), ("40", 44)])
def test_label_pad_width_sets_the_width_of_a_row(
    pair: Path, asked: Any, width: int
) -> None:
    _, label = first(construct(pair, label_pad_width=asked, label_pad_value=-3.5))

    assert label.shape == (2, width)
    assert set(label[1][11:]) == {-3.5}


def test_a_label_pad_width_below_the_widest_label_is_refused(pair: Path) -> None:
    with pytest.raises(ParameterError) as caught:
        construct(pair, label_pad_width=11)

    assert "label_pad_width=11" in str(caught.value)
    assert "widest label, 12" in str(caught.value)


def test_only_the_labels_of_the_part_decide_the_width(tmp_path: Path) -> None:
    path = written(tmp_path, [ONE, ONE, TWO, TWO])
    index = path.with_suffix(".idx")

    widths = [
        construct(path, path_imgidx=index, num_parts=2, part_index=k)
        .provide_label[0]
        .shape[1]
        for k in range(2)
    ]

    assert widths == [11, 16]


def test_objects_without_area_are_dropped(tmp_path: Path) -> None:
    flat = [2, 6, 1, 0.5, 0.1, 0.5, 0.9, 9, 2, 0.1, 0.1, 0.2, 0.2, 9]
    flat += [3, 0.1, 0.5, 0.3, 0.4, 9]
    path = written(tmp_path, [flat])

    _, label = first(construct(path, batch_size=1))

    wanted = [3, 24, 32, 8, 2, 6, 2, 0.1, 0.1, 0.2, 0.2, 9, *[-1] * 12]
    np.testing.assert_allclose(label[0], wanted, rtol=1e-6)


def test_a_longer_header_and_wider_objects_are_kept(tmp_path: Path) -> None:
    stored = [4, 6, 640, 480, 1, 0.25, 0.25, 0.5, 0.5, 0]
    path = written(tmp_path, [stored])

    _, label = first(construct(path, batch_size=1, rand_mirror_prob=1))

    mirrored = [4, 6, 640, 480, 1, 0.5, 0.25, 0.75, 0.5, 0]
    np.testing.assert_array_equal(label[0], [3, 24, 32, 10, *mirrored])


def test_a_list_replaces_the_labels_whatever_their_width(
    pair: Path, tmp_path: Path
) -> None:
    listing = tmp_path / "a.lst"
    listing.write_text(
        "51\t2\t5\t1\t0\t0\t.5\t.5\tb.jpg\n"
        "50 2 5 1 0 0 1 1 2 .25 .25 .5 .5 3 0 0 .5 1 a/b.jpg\n"
    )

    _, label = first(construct(pair, path_imglist=listing))

    assert label.shape == (2, 4 + 17)
    np.testing.assert_array_equal(objects(label[1]), [[1, 0, 0, 0.5, 0.5]])
    np.testing.assert_array_equal(objects(label[0])[:, 0], [1, 2, 3])


def test_a_list_of_a_given_label_width_needs_no_paths(
    pair: Path, tmp_path: Path
) -> None:
    listing = tmp_path / "a.lst"
    listing.write_text("51 2 5 1 0 0 .5 .5\n50 2 5 2 0 0 1 1\n")

    _, label = first(construct(pair, path_imglist=listing, label_width=7))

    assert label.shape == (2, 11)
    assert [objects(row)[0, 0] for row in label] == [2, 1]


def test_a_record_without_a_line_is_an_error_that_names_its_id(
    pair: Path, tmp_path: Path
) -> None:
    listing = tmp_path / "a.lst"
    listing.write_text("51 2 5 1 0 0 .5 .5 b.jpg\n")
    iterator = construct(pair, path_imglist=listing)

    with pytest.raises(DataError, match="path_imglist has no line with id 50"):
        next(iterator)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("50 2 5 x 0 0 1 1 a.jpg\n", "line 1: label 3 is not a number: 'x'"),
        ("50\n", "line 1: nothing behind the id"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(
    pair: Path, tmp_path: Path, text: str, words: str
) -> None:
    listing = tmp_path / "a.lst"
    listing.write_text(text)

    with pytest.raises(DataError, match=words) as caught:
        construct(pair, path_imglist=listing)

    assert caught.value.path == str(listing)


BAD_LABELS: list[tuple[Any, str]] = [
    (1.0, "not enough label for detection: 0 numbers"),
    ([2, 5, 1, 0, 0, 1], "not enough label for detection: 6 numbers"),
    ([1, 5, 1, 0, 0, 1, 1], "width of its header"),
    ([2, 4, 1, 0, 0, 1, 1], "width of an object"),
    ([2, 5, 1, 0, 0, 1, 1, 9], "8 numbers of a label, without a header of 2"),
]


@pytest.mark.parametrize(("label", "words"), BAD_LABELS)
def test_a_label_that_is_none_is_an_error_of_the_constructor(
    tmp_path: Path, label: Any, words: str
) -> None:
    path = written(tmp_path, [ONE, label])

    with pytest.raises(DataError, match=words) as caught:
        construct(path)

    assert (caught.value.record, caught.value.id) == (1, 51)


@pytest.mark.parametrize("policy", ["skip", "replace"])
def test_bad_labels_are_left_out_or_replaced_like_any_bad_record(
    tmp_path: Path, policy: str
) -> None:
    path = written(tmp_path, [ONE, 1.0, TWO])
    iterator = construct(path, on_error=policy, round_batch=False)

    ids = [int(i) for batch in iterator for i in batch.index[: 2 - (batch.pad or 0)]]

    assert ids == {"skip": [50, 52], "replace": [50, 52, 52]}[policy]
    assert [bad.id for bad in iterator.errors()] == [51]


def test_no_good_label_at_all_is_an_error_under_every_policy(tmp_path: Path) -> None:
    path = written(tmp_path, [1.0, 2.0])

    with pytest.raises(DataError, match="not enough label for detection"):
        construct(path, on_error="skip")


def test_a_label_width_that_is_not_that_of_a_record_is_an_error(pair: Path) -> None:
    with pytest.raises(DataError, match="has 12 numbers, label_width is 7"):
        construct(pair, label_width=7)


def test_batches_go_on_into_the_next_epoch(tmp_path: Path) -> None:
    path = written(tmp_path, [ONE] * 5)
    iterator = construct(path)

    epochs = []
    for _ in range(2):
        epochs.append([(batch.index.tolist(), batch.pad) for batch in iterator])
        iterator.reset()

    assert epochs == [
        [([50, 51], 0), ([52, 53], 0), ([54, 50], 1)],
        [([51, 52], 0), ([53, 54], 0)],
    ]


# ---- fit, shrink, fill ----


@pytest.mark.parametrize("inter_method", [0, 3])
@pytest.mark.parametrize("size", [(13, 45), (40, 13), (9, 11)])
def test_what_is_mirrored_is_mirrored_before_it_is_fit(
    pair: Path, inter_method: int, size: tuple[int, int]
) -> None:
    # As in MXNet. Nearest, and area where a side grows, tell left from right.
    height, width = size
    options = {"data_shape": (3, height, width), "inter_method": inter_method}

    data, _ = first(construct(pair, rand_mirror_prob=1, **options))

    flipped = np.ascontiguousarray(picture(0, 24, 32)[:, ::-1])
    expected = cv2.resize(flipped, (width, height), interpolation=inter_method)
    np.testing.assert_allclose(data[0], expected.transpose(2, 0, 1), atol=1)


@pytest.mark.parametrize("mode", ["fit", "shrink"])
@pytest.mark.parametrize("mirror", [0, 1])
@pytest.mark.parametrize("fill", [127, 0, 200])
def test_what_an_image_leaves_free_is_fill_value_normalised(
    pair: Path, mode: str, mirror: int, fill: int
) -> None:
    data, label = first(
        construct(
            pair,
            data_shape=(3, 40, 40) if mode == "fit" else (3, 30, 50),
            resize_mode=mode,
            rand_mirror_prob=mirror,
            fill_value=fill,
            mean_r=10,
            mean_g=-5,
            std_b=2,
            scale=0.5,
        )
    )

    height, width = (30, 40) if mode == "fit" else (24, 32)
    assert label[:, 1:3].tolist() == [[height, width]] * 2
    wanted = [(fill - 10) / 2, (fill + 5) / 2, fill / 4]
    for c in range(3):
        below, beside = data[:, c, height:], data[:, c, :height, width:]
        np.testing.assert_allclose(below, wanted[c], rtol=1e-6)
        np.testing.assert_allclose(beside, wanted[c], rtol=1e-6)
    assert data[:, 0, :height, :width].std() > 1


def test_shrinking_a_small_image_keeps_its_pixels_in_the_corner(pair: Path) -> None:
    options = {"data_shape": (3, 30, 50), "resize_mode": "shrink", "dtype": "uint8"}

    data, _ = first(construct(pair, rand_mirror_prob=1, **options))

    flipped = picture(0, 24, 32)[:, ::-1].transpose(2, 0, 1)
    np.testing.assert_array_equal(data[0][:, :24, :32], flipped)


def test_fit_is_the_resize_of_opencv(pair: Path) -> None:
    data, _ = first(
        construct(pair, data_shape=(3, 40, 40), resize_mode="fit", dtype="uint8")
    )

    wanted = cv2.resize(picture(1, 24, 32), (40, 30)).transpose(2, 0, 1)
    apart = np.abs(data[1][:, :30].astype(int) - wanted)
    assert apart.max() <= 1


# ---- normalisation ----


def test_negative_means_alone_are_ignored_as_in_mxnet(pair: Path) -> None:
    plain, _ = first(construct(pair))
    shifted, _ = first(construct(pair, mean_r=-5, mean_g=-1))

    np.testing.assert_array_equal(shifted, plain)


def test_means_above_zero_beat_the_mean_image(pair: Path, tmp_path: Path) -> None:
    plain, _ = first(construct(pair))
    path = tmp_path / "mean.bin"

    shifted, _ = first(construct(pair, mean_b=3, mean_img=path))

    np.testing.assert_array_equal(shifted[:, 2], plain[:, 2] - 3)
    np.testing.assert_array_equal(shifted[:, :2], plain[:, :2])
    assert not path.exists()


@pytest.mark.parametrize("mirror", [0, 1])
def test_a_mean_image_is_made_and_subtracted_behind_the_mirror(
    pair: Path, tmp_path: Path, mirror: int
) -> None:
    path = tmp_path / "mean.bin"
    plain, _ = first(construct(pair, rand_mirror_prob=mirror))

    shifted, _ = first(construct(pair, rand_mirror_prob=mirror, mean_img=path))

    mean = np.mean([picture(i, 24, 32) for i in range(2)], axis=0).transpose(2, 0, 1)
    np.testing.assert_allclose(shifted, plain - mean, atol=1e-3)


def test_a_std_of_zero_divides_nothing(pair: Path) -> None:
    plain, _ = first(construct(pair))

    divided, _ = first(construct(pair, std_r=0, std_g=4, std_b=0.0))

    np.testing.assert_allclose(divided[:, 1], plain[:, 1] / 4, rtol=1e-6)
    np.testing.assert_array_equal(divided[:, [0, 2]], plain[:, [0, 2]])


# ---- augmentation ----


def test_a_mirrored_image_is_flipped_with_its_boxes(pair: Path) -> None:
    data, label = first(construct(pair, rand_mirror_prob=1, dtype="uint8"))

    np.testing.assert_array_equal(
        data[0], picture(0, 24, 32)[:, ::-1].transpose(2, 0, 1)
    )
    np.testing.assert_array_equal(
        objects(label[0]), [[7, 0.5, 0.25, 0.75, 0.75], [8, 0, 0.125, 0.5, 0.5]]
    )


def test_half_of_the_images_are_mirrored(marked: Path) -> None:
    iterator = construct(
        marked, data_shape=(3, 8, 8), batch_size=20, rand_mirror_prob=0.5
    )

    flipped = []
    for _ in range(40):
        flipped += [
            objects(row)[0, 1] < 0.3 for row in next(iterator).label[0].asnumpy()
        ]
        iterator.reset()

    assert len(flipped) == 800
    assert 320 < sum(flipped) < 480  # 5.6 standard deviations


def rectangle(image: np.ndarray) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the white pixels, as shares of the image."""
    rows, columns = np.nonzero(image[0] > 190)
    height, width = image.shape[1:]
    return (
        columns.min() / width,
        rows.min() / height,
        (columns.max() + 1) / width,
        (rows.max() + 1) / height,
    )


def test_boxes_follow_their_pixels_through_mirror_pad_and_crop(marked: Path) -> None:
    iterator = construct(
        marked,
        data_shape=(3, 120, 120),
        batch_size=20,
        rand_mirror_prob=0.5,
        rand_pad_prob=0.5,
        max_pad_scale=2.0,
        rand_crop_prob=0.5,
        min_crop_scales=0.6,
        min_crop_object_coverages=0.5,
        dtype="uint8",
    )

    for _ in range(5):
        batch = next(iterator)
        for image, row in zip(
            batch.data[0].asnumpy(), batch.label[0].asnumpy(), strict=True
        ):
            (box,) = objects(row)
            assert np.abs(box[1:] - rectangle(image)).max() < 0.08
            assert box[1:].min() >= 0 and box[1:].max() <= 1
        iterator.reset()


def test_pads_have_scales_up_to_the_largest_in_their_share(marked: Path) -> None:
    iterator = construct(
        marked,
        data_shape=(3, 8, 8),
        batch_size=20,
        rand_pad_prob=0.5,
        max_pad_scale=3.0,
    )

    widths = []
    for _ in range(50):
        labels = next(iterator).label[0].asnumpy()
        widths += [box[3] - box[1] for box in (objects(row)[0] for row in labels)]
        iterator.reset()
    scales = 0.4 / np.array(widths)
    padded = scales[scales > 1.01]

    assert 420 < len(padded) < 560  # half of 1000, less the 2.5 % below 1.05
    assert 1.05 <= padded.min() < 1.1 and 2.9 < padded.max() <= 3.0001
    assert abs(padded.mean() - (1.05 + 3) / 2) < 0.12


def test_crops_are_within_their_scales(marked: Path) -> None:
    iterator = construct(
        marked,
        data_shape=(3, 8, 8),
        batch_size=20,
        rand_crop_prob=1.0,
        min_crop_scales=0.6,
        max_crop_scales=0.9,
        min_crop_object_coverages=1.0,
        max_crop_trials=200,
    )

    boxes = []
    for _ in range(20):
        boxes += [objects(row)[0] for row in next(iterator).label[0].asnumpy()]
        iterator.reset()
    scales = 0.4 / np.array([box[3] - box[1] for box in boxes])

    assert scales.min() >= 0.6 - 1e-4 and scales.max() <= 0.9 + 1e-4
    assert scales.max() - scales.min() > 0.25


def test_colours_change_in_their_share_within_their_range(tmp_path: Path) -> None:
    image = np.full((8, 8, 3), 100, np.uint8)
    path = write_rec(tmp_path, [record(encoded(image), ONE)] * 20, "det")[0]
    iterator = construct(
        path,
        data_shape=(3, 8, 8),
        batch_size=20,
        random_contrast_prob=0.25,
        max_random_contrast=0.5,
        dtype="uint8",
    )

    values = []
    for _ in range(50):
        values += next(iterator).data[0].asnumpy()[:, 0, 0, 0].tolist()
        iterator.reset()
    changed = [value for value in values if value != 100]

    assert 190 < len(changed) < 310
    assert 50 <= min(changed) < 60 and 140 < max(changed) <= 150


def test_hue_saturation_and_lightness_are_those_of_opencv(tmp_path: Path) -> None:
    image = np.full((8, 8, 3), (180, 90, 40), np.uint8)
    path = write_rec(tmp_path, [record(encoded(image), ONE)] * 20, "det")[0]
    before = cv2.cvtColor(image, cv2.COLOR_RGB2HLS)[0, 0].astype(int)
    ranges = {"hue": (0, 10), "illumination": (1, 15), "saturation": (2, 20)}

    for name, (channel, most) in ranges.items():
        changes = {f"random_{name}_prob": 1.0, f"max_random_{name}": most}
        iterator = construct(
            path, data_shape=(3, 8, 8), batch_size=20, dtype="uint8", **changes
        )
        pixels = next(iterator).data[0].asnumpy()[:, :, 0, 0]
        after = cv2.cvtColor(pixels[None], cv2.COLOR_RGB2HLS)[0].astype(int)
        moved = after - before
        others = [c for c in range(3) if c != channel]
        assert np.abs(moved[:, channel]).max() <= most + 2
        assert np.ptp(moved[:, channel]) > most
        assert np.abs(moved[:, others]).max() <= 4


AUGMENTED: dict[str, Any] = {
    "data_shape": (3, 20, 20),
    "batch_size": 3,
    "shuffle": True,
    "seed": 5,
    "resize": 30,
    "random_hue_prob": 0.5,
    "max_random_hue": 20,
    "random_contrast_prob": 0.5,
    "max_random_contrast": 0.3,
    "rand_mirror_prob": 0.5,
    "rand_pad_prob": 0.5,
    "max_pad_scale": 2.0,
    "rand_crop_prob": 0.7,
    "num_crop_sampler": 2,
    "min_crop_scales": (0.3, 0.6),
    "min_crop_overlaps": (0.1, 0.0),
    "inter_method": 10,
    "resize_mode": "fit",
}


def epochs(path: Path, count: int = 2, **options: Any) -> list[np.ndarray]:
    iterator = construct(path, **(AUGMENTED | options))
    arrays = []
    for _ in range(count):
        for batch in iterator:
            arrays += [batch.data[0].asnumpy(), batch.label[0].asnumpy(), batch.index]
        iterator.reset()
    iterator.close()
    return arrays


@pytest.fixture(scope="module")
def dozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("dozen"), [TWO, ONE] * 6)


def test_batches_do_not_depend_on_threads(dozen: Path) -> None:
    expected = epochs(dozen, preprocess_threads=1)

    for threads in (2, 7):
        actual = epochs(dozen, preprocess_threads=threads)
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["seed", "seed_aug"])
def test_another_seed_gives_other_images(dozen: Path, name: str) -> None:
    a = epochs(dozen, count=1, shuffle=False, **{name: 1})
    b = epochs(dozen, count=1, shuffle=False, **{name: 2})

    assert not np.array_equal(a[0], b[0])


def test_every_epoch_is_augmented_anew(dozen: Path) -> None:
    batches = epochs(dozen, shuffle=False, batch_size=12)

    assert not np.array_equal(batches[0], batches[3])
    np.testing.assert_array_equal(batches[2], batches[5])


def test_impossible_constraints_leave_the_image_whole(pair: Path) -> None:
    plain, label = first(construct(pair))

    same, same_label = first(
        construct(pair, rand_crop_prob=1, max_crop_scales=0.1, min_crop_overlaps=0.99)
    )

    np.testing.assert_array_equal(same, plain)
    np.testing.assert_array_equal(same_label, label)


# ---- parameters ----

ROWS = {
    name.removeprefix("det_"): row
    for name, row in params.TABLE.items()
    if row.faces & DET
}
NUMBERS = [
    name for name, row in ROWS.items() if row.kind in ("INT", "REAL", "INTS", "REALS")
]
# What else has to be said for a value at the end of a range to make sense.
BESIDE: dict[str, dict[str, Any]] = {
    "part_index": {"num_parts": 10**9},
    "min_crop_aspect_ratios": {"max_crop_aspect_ratios": 1000.0},
    "max_crop_aspect_ratios": {"min_crop_aspect_ratios": 0.0},
}


def bind(**options: Any) -> dict[str, Any]:
    base = {"path_imgrec": "x", "data_shape": (3, 1, 1), "batch_size": 1}
    return params.bind("x", DET, base | options)


def test_the_signature_shows_the_defaults_of_mxnet() -> None:
    shown = inspect.signature(ImageDetRecordIter).parameters

    defaults = {
        "label_width": -1,
        "label_pad_width": 0,
        "label_pad_value": -1.0,
        "fill_value": 127,
        "std_r": 0.0,
        "mean_r": 0.0,
        "scale": 1.0,
        "aug_seq": "det_aug_default",
        "resize": -1,
        "rand_crop_prob": 0.0,
        "num_crop_sampler": 1,
        "min_crop_scales": (0.0,),
        "max_crop_scales": (1.0,),
        "min_crop_aspect_ratios": (1.0,),
        "max_crop_aspect_ratios": (1.0,),
        "min_crop_overlaps": (0.0,),
        "max_crop_object_coverages": (1.0,),
        "crop_emit_mode": "center",
        "emit_overlap_thresh": 0.3,
        "max_crop_trials": (25,),
        "rand_pad_prob": 0.0,
        "max_pad_scale": 1.0,
        "max_random_hue": 0,
        "rand_mirror_prob": 0.0,
        "inter_method": 1,
        "resize_mode": "force",
        "data_name": "data",
        "label_name": "softmax_label",
    }
    assert {name: shown[name].default for name in defaults} == defaults
    assert not [name for name in shown if name.startswith("det_")]
    assert "detect" not in shown


def test_all_defaults_together_are_accepted(pair: Path) -> None:
    given = {name: row.default for name, row in ROWS.items() if not row.required}

    data, _ = first(construct(pair, **given))

    assert data.shape == (2, 3, 24, 32)


def test_harmless_names_of_mxnet_are_accepted(pair: Path) -> None:
    made = construct(pair, aug_seq="det_aug_default", ctx="cpu", label_name="label")

    assert made.provide_label[0].name == "label"
    made.close()


@pytest.mark.parametrize(
    ("name", "value", "canonical"),
    [
        ("min_crop_scales", 0.5, (0.5,)),
        ("min_crop_scales", [0.5, 1], (0.5, 1.0)),
        ("min_crop_scales", "(0.3, 0.5)", (0.3, 0.5)),
        ("min_crop_scales", "[0.3,]", (0.3,)),
        ("min_crop_scales", "0.25", (0.25,)),
        ("min_crop_scales", np.array([0.5, 0.25]), (0.5, 0.25)),
        ("min_crop_scales", np.float64(0.5), (0.5,)),
        ("max_crop_trials", "(25, 50)", (25, 50)),
        ("max_crop_trials", 50, (50,)),
        ("max_crop_trials", (np.int32(5), 6), (5, 6)),
    ],
)
def test_lists_are_given_as_numbers_sequences_or_text(
    name: str, value: Any, canonical: tuple[float, ...]
) -> None:
    assert bind(**{name: value})[name] == canonical


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_crop_scales", (True,)),
        ("min_crop_scales", {"a": 1}),
        ("min_crop_scales", (None,)),
        ("min_crop_scales", ("x",)),
        ("max_crop_trials", 1.5),
        ("max_crop_trials", (1, 2.0)),
        ("rand_crop_prob", (1,)),
        ("max_random_hue", 1.5),
    ],
)
def test_a_value_of_a_wrong_type_is_a_type_error(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=name):
        bind(**{name: value})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("min_crop_scales", "(0.3, x)"),
        ("min_crop_scales", "0.3, 0.5"),
        ("max_crop_trials", "(1.5)"),
        ("resize_mode", "stretch"),
        ("crop_emit_mode", ""),
        ("aug_seq", "aug_default"),
    ],
)
def test_text_that_is_no_value_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(ParameterError, match=name):
        bind(**{name: text})


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("end", ["low", "high"])
def test_a_number_outside_its_range_is_named_with_its_value(
    pair: Path, name: str, end: str
) -> None:
    row = ROWS[name]
    step = 1 if row.kind in ("INT", "INTS") else 0.5 + abs(getattr(row, end)) / 2
    wrong = row.low - step if end == "low" else row.high + step
    shown = str(wrong) if row.kind == "INT" else f"{wrong:.15g}"

    with pytest.raises(ParameterError) as caught:
        construct(pair, **{name: wrong})

    assert str(caught.value).startswith((f"{name} ", f"each number of {name} "))
    assert shown in str(caught.value)


@pytest.mark.parametrize("name", ["det_fill_value", "detect", "rand_crop", "mirror"])
def test_names_of_the_core_and_of_other_faces_are_refused(
    pair: Path, name: str
) -> None:
    with pytest.raises(TypeError, match=f"does not take the parameter '{name}'"):
        construct(pair, **{name: 1})


def test_an_unknown_name_is_refused_with_the_nearest_one(pair: Path) -> None:
    with pytest.raises(TypeError, match="did you mean 'rand_mirror_prob'"):
        construct(pair, rand_mirror_probs=0.5)


@pytest.mark.parametrize("name", ["path_imgrec", "data_shape", "batch_size"])
def test_a_missing_parameter_is_named(pair: Path, name: str) -> None:
    with pytest.raises(TypeError, match=f"needs the parameter {name}"):
        construct(pair, **{name: None})


CONFLICTS: list[tuple[dict[str, Any], list[str]]] = [
    ({"label_width": 5}, ["label_width must be -1", "at least 7, got 5"]),
    ({"num_crop_sampler": 3, "min_crop_scales": (0.1, 0.2)}, ["min_crop_scales", "3"]),
    ({"max_crop_trials": (1, 2)}, ["max_crop_trials", "num_crop_sampler=1"]),
    (
        {"min_crop_overlaps": 0.5, "max_crop_overlaps": 0.4},
        ["min_crop_overlaps=0.5 is above max_crop_overlaps=0.4"],
    ),
    ({"max_crop_aspect_ratios": 0.5}, ["min_crop_aspect_ratios=1 is above"]),
    ({"min_crop_scales": ()}, ["min_crop_scales must hold 1 to 64"]),
    ({"min_crop_scales": (0.1,) * 65}, ["min_crop_scales must hold 1 to 64", "65"]),
    ({"std_r": 1e-300}, ["std_r must be 0", "1e-300"]),
    ({"inter_method": 7}, ["inter_method", "7"]),
    ({"dtype": "uint8", "mean_r": 1}, ["uint8"]),
    ({"dtype": "uint8", "std_r": 2}, ["uint8"]),
    ({"dtype": "int8", "scale": 2}, ["int8"]),
    (
        {"data_shape": (1, 8, 8), "random_hue_prob": 1, "max_random_hue": 5},
        ["max_random_hue", "3 or 4 channels"],
    ),
]


@pytest.mark.parametrize(("options", "words"), CONFLICTS)
def test_parameters_that_make_no_sense_together_are_refused(
    pair: Path, options: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ParameterError) as caught:
        construct(pair, **options)

    assert [word for word in words if word not in str(caught.value)] == []


def test_a_change_of_pixels_goes_with_every_dtype(pair: Path) -> None:
    data, _ = first(
        construct(
            pair, dtype="uint8", random_contrast_prob=1.0, max_random_contrast=0.5
        )
    )

    assert data.dtype == np.uint8


CHOICES: dict[str, list[Any]] = {
    "data_shape": [(3, 9, 14), (1, 20, 20), (3, 1, 1)],
    "resize": [-1, 1, 17, 40],
    "inter_method": [0, 1, 2, 3, 4, 9, 10],
    "resize_mode": ["force", "fit", "shrink"],
    "rand_mirror_prob": [0, 0.5, 1],
    "rand_pad_prob": [0, 0.5, 1],
    "max_pad_scale": [1, 1.2, 6],
    "rand_crop_prob": [0, 0.5, 1],
    "num_crop_sampler": [1, 3],
    "min_crop_scales": [0, 0.1, 1],
    "min_crop_aspect_ratios": [0, 0.5, 1],
    "max_crop_aspect_ratios": [1, 5, 1000],
    "min_crop_overlaps": [0, 0.3],
    "min_crop_object_coverages": [0, 1],
    "max_crop_sample_coverages": [0.01, 1],
    "max_crop_trials": [0, 1, 25],
    "crop_emit_mode": ["center", "overlap"],
    "emit_overlap_thresh": [0, 1],
    "random_contrast_prob": [0, 1],
    "max_random_contrast": [0, 3],
    "random_illumination_prob": [0, 1],
    "max_random_illumination": [0, 1000],
    "layout": ["NCHW", "NHWC"],
    "dtype": ["float32", "float16", "uint8", "int8"],
    "label_pad_width": [0, 30],
}


@pytest.mark.parametrize("seed", range(150))
def test_any_combination_gives_rows_that_hold_together(dozen: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    options = {name: some[rng.integers(len(some))] for name, some in CHOICES.items()}
    iterator = construct(dozen, batch_size=6, seed=seed, **options)

    for batch in iterator:
        data, label = batch.data[0].asnumpy(), batch.label[0].asnumpy()
        assert np.isfinite(data.astype(np.float64)).all()
        channels, height, width = options["data_shape"]
        for row in label:
            assert row[0] == channels
            assert 1 <= row[1] <= height and 1 <= row[2] <= width
            found = objects(row)
            assert row[3] == 2 + 5 * len(found)
            assert (found[:, 1:] >= 0).all() and (found[:, 1:] <= 1).all()
            assert (found[:, 1] < found[:, 3]).all()
            assert (found[:, 2] < found[:, 4]).all()
            assert (row[4 + int(row[3]) :] == -1).all()
    iterator.close()
