"""Detection: augmenters of images with boxes, and ImageDetIter."""

import json
import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mxio import image
from mxio.errors import DataError, ParameterError
from mxio.image import ImageDetIter, ImageIter
from mxio.recordio import IRHeader, pack
from tests.conftest import encoded, picture, write_rec

pytestmark = pytest.mark.usefixtures("seeded")

Boxes = npt.NDArray[np.float32]


def boxes(*rows: tuple[float, ...]) -> Boxes:
    return np.array(rows, np.float32)


def places(height: int, width: int) -> npt.NDArray[np.uint8]:
    """An image whose pixel (y, x) is (y, x, 0)."""
    out = np.zeros((height, width, 3), np.uint8)
    out[:, :, 0], out[:, :, 1] = np.indices((height, width))
    return out


def in_pixels(label: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    return np.asarray(label[:, 1:5] * [width, height, width, height])


# Augmenters


def test_a_flip_moves_the_boxes() -> None:
    label = boxes((4, 0.1, 0.2, 0.3, 0.5, 9), (2, 0, 0, 1, 1, 8))
    source = places(6, 10)

    out, moved = image.DetHorizontalFlipAug(1)(source, label)
    same = image.DetHorizontalFlipAug(0)(source, label)

    assert np.array_equal(out, np.fliplr(source))
    np.testing.assert_allclose(
        moved, [(4, 0.7, 0.2, 0.9, 0.5, 9), (2, 0, 0, 1, 1, 8)], rtol=1e-6
    )
    assert same[0] is source and same[1] is label
    assert label[0, 1] == np.float32(0.1)


def test_a_borrowed_augmenter_leaves_the_boxes() -> None:
    label = boxes((4, 0.1, 0.2, 0.3, 0.5))
    augmenter = image.DetBorrowAug(image.ForceResizeAug((5, 4)))

    out, same = augmenter(places(6, 10), label)

    assert out.shape == (4, 5, 3)
    assert same is label
    with pytest.raises(TypeError, match="must be an Augmenter, got 3"):
        image.DetBorrowAug(3)  # type: ignore[arg-type]  # what is being tested


def crops(
    augmenter: image.DetRandomCropAug, label: Boxes, count: int = 300
) -> list[tuple[tuple[int, int, int, int], npt.NDArray[Any]]]:
    """((left, top, width, height), label) of crops of an image of 80 x 100."""
    found = []
    for _ in range(count):
        out, kept = augmenter(places(80, 100), label)
        top, left = out[0, 0, :2].tolist()
        expected = places(80, 100)[top : top + out.shape[0], left:][:, : out.shape[1]]
        assert np.array_equal(out, expected)
        found.append(((left, top, out.shape[1], out.shape[0]), kept))
    return found


def test_crops_keep_to_their_ranges() -> None:
    label = boxes((0, 0, 0, 1, 1))
    augmenter = image.DetRandomCropAug(0, (0.5, 2), (0.1, 0.5), 0, 200)

    sizes = np.array([place[2:] for place, _ in crops(augmenter, label, 1000)])

    areas = sizes.prod(axis=1) / 8000
    ratios = sizes[:, 0] / sizes[:, 1]
    assert 0.1 <= areas.min() < 0.13 < 0.45 < areas.max() <= 0.5
    assert 0.45 < ratios.min() < 0.6 < 1.8 < ratios.max() < 2.1


def test_boxes_in_a_crop_are_what_is_seen_of_them() -> None:
    label = boxes((3, 0.2, 0.25, 0.6, 0.75, 7), (1, 0.5, 0.5, 0.9, 1, 6))
    augmenter = image.DetRandomCropAug(0.1, (0.5, 2), (0.1, 0.9), 0.3)

    found = crops(augmenter, label)

    counts = set()
    for (left, top, width, height), kept in found:
        counts.add(len(kept))
        seen = {int(row[0]): row for row in kept}
        for row, pixels in zip(label, in_pixels(label, 80, 100), strict=True):
            cut = np.clip(pixels, [left, top] * 2, [left + width, top + height] * 2)
            share = np.prod(np.maximum(cut[2:] - cut[:2], 0)) / np.prod(
                pixels[2:] - pixels[:2]
            )
            # Touched objects are covered by more than a tenth, kept from three on.
            assert share < 1e-4 or share > 0.1 - 1e-4
            if abs(share - 0.3) < 1e-4:
                continue
            assert (int(row[0]) in seen) == (share > 0.3)
            if share > 0.3:
                expected = (cut - [left, top] * 2) / [width, height, width, height]
                np.testing.assert_allclose(seen[int(row[0])][1:5], expected, atol=1e-5)
                assert seen[int(row[0])][5] == row[5]
    assert counts == {1, 2}


def test_a_crop_that_covers_enough_is_not_always_found() -> None:
    label = boxes((0, 0, 0, 1, 1))
    augmenter = image.DetRandomCropAug(0.9, (1, 1), (0.1, 0.2), 0.3)
    source = places(20, 20)

    out, kept = augmenter(source, label)

    assert out is source and kept is label


def test_tiny_objects_do_not_hold_a_crop() -> None:
    label = boxes((0, 0.5, 0.5, 0.501, 0.501))
    augmenter = image.DetRandomCropAug(0, (1, 1), (0.5, 1))
    source = places(20, 20)

    out, _ = augmenter(source, label)

    assert out is source


def test_padding_keeps_to_its_ranges_and_moves_the_boxes() -> None:
    label = boxes((3, 0.2, 0.25, 0.6, 0.75))
    augmenter = image.DetRandomPadAug((0.5, 2), (1, 4), pad_val=(250, 251, 252))
    areas, seen = [], []

    for _ in range(300):
        source = places(40, 50)
        out, moved = augmenter(source, label)
        height, width = out.shape[:2]
        if out is source:
            continue
        areas.append(height * width / 2000)
        y, x = np.argwhere(out[:, :, 2] == 0)[0]
        assert np.array_equal(out[y : y + 40, x : x + 50], source)
        padded = out[out[:, :, 2] != 0]
        assert padded.shape == (height * width - 2000, 3)
        assert (padded == (250, 251, 252)).all()
        expected = in_pixels(label, 40, 50)[0] + [x, y, x, y]
        np.testing.assert_allclose(
            in_pixels(moved, height, width)[0], expected, atol=1e-3
        )
        seen.append((y > 0, x > 0))

    assert len(areas) > 290
    assert 1 < min(areas) < 1.4 < 3.6 < max(areas) <= 4.05
    assert len(set(seen)) > 1


def test_ranges_may_be_numbers() -> None:
    crop = image.DetRandomCropAug(0.1, 1, 0.25, 0.1)
    pad = image.DetRandomPadAug(1, 2.25, 50, 7)

    box, _ = crop(places(40, 40), boxes((0, 0, 0, 1, 1)))
    large, _ = pad(places(40, 40), boxes((0, 0, 0, 1, 1)))

    assert box.shape == (20, 20, 3)
    assert large.shape == (60, 60, 3)
    assert np.sum(large == 7) >= 3 * (3600 - 1600)


def test_one_of_several_is_taken_or_none() -> None:
    class Mark(image.DetAugmenter):
        def __init__(self, mark: int) -> None:
            super().__init__(mark=mark)
            self.mark = mark

        def __call__(self, src: Any, label: Any) -> Any:
            return src + self.mark, label

    augmenter = image.DetRandomSelectAug([Mark(1), Mark(2)], skip_prob=0.4)
    label = boxes((0, 0, 0, 1, 1))

    marks = [int(augmenter(np.zeros(1), label)[0][0]) for _ in range(3000)]

    counts = [marks.count(mark) for mark in range(3)]
    assert np.abs(np.array(counts) - [1200, 900, 900]).max() < 135
    assert image.DetRandomSelectAug([], 0).skip_prob == 1
    assert (
        image.DetRandomSelectAug(Mark(3)).aug_list[0].dumps() == '["mark", {"mark": 3}]'
    )


def test_dumps_tells_what_there_is() -> None:
    crop = image.DetRandomCropAug()
    borrowed = image.DetBorrowAug(image.CastAug())

    assert json.loads(crop.dumps()) == [
        "detrandomcropaug",
        {
            "min_object_covered": 0.1,
            "aspect_ratio_range": [0.75, 1.33],
            "area_range": [0.05, 1],
            "min_eject_coverage": 0.3,
            "max_attempts": 50,
        },
    ]
    assert borrowed.dumps() == ["detborrowaug", image.CastAug().dumps()]
    assert image.DetRandomSelectAug([borrowed]).dumps() == [
        "detrandomselectaug",
        [borrowed.dumps()],
    ]


def test_several_crops_are_made_from_lists() -> None:
    covered = [0.1, 0.5, 0.9]
    areas = [(0.1, 1.0), (0.2, 1.0), (0.3, 0.9)]

    made = image.CreateMultiRandCropAugmenter(covered, area_range=areas, skip_prob=0.2)

    told = [json.loads(part.dumps())[1] for part in made.aug_list]
    assert made.skip_prob == 0.2
    assert [one["min_object_covered"] for one in told] == covered
    assert [tuple(one["area_range"]) for one in told] == areas
    assert {tuple(one["aspect_ratio_range"]) for one in told} == {(0.75, 1.33)}


def test_the_order_of_all_augmenters() -> None:
    given = image.CreateDetAugmenter(
        (3, 5, 6),
        resize=8,
        rand_crop=0.5,
        rand_pad=0.25,
        rand_gray=0.1,
        rand_mirror=True,
        mean=True,
        std=True,
        brightness=0.1,
        contrast=0.1,
        saturation=0.1,
        pca_noise=0.1,
        hue=0.1,
    )

    names = [
        type(getattr(part, "augmenter", part)).__name__.removeprefix("Det")
        for part in given
    ]
    assert names == [
        "ResizeAug",
        "RandomSelectAug",
        "HorizontalFlipAug",
        "RandomSelectAug",
        "ForceResizeAug",
        "CastAug",
        "ColorJitterAug",
        "HueJitterAug",
        "LightingAug",
        "RandomGrayAug",
        "ColorNormalizeAug",
    ]
    crop, pad = given[1], given[3]
    assert isinstance(crop, image.DetRandomSelectAug)
    assert isinstance(pad, image.DetRandomSelectAug)
    assert (crop.skip_prob, pad.skip_prob) == (0.5, 0.75)
    told = json.loads(pad.aug_list[0].dumps())
    assert told[0] == "detrandompadaug"
    assert told[1]["area_range"] == [1, 3]
    assert told[1]["pad_val"] == [127, 127, 127]


def test_the_least_list_resizes_and_casts() -> None:
    given = image.CreateDetAugmenter((3, 5, 6))
    label = boxes((0, 0.1, 0.1, 0.5, 0.5))

    out: Any = picture(0, 30, 20)
    for augmenter in given:
        out, label = augmenter(out, label)

    expected = cv2.resize(picture(0, 30, 20), (6, 5), interpolation=cv2.INTER_CUBIC)
    assert len(given) == 2
    assert out.dtype == np.float32
    assert np.array_equal(out, expected)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: image.DetRandomCropAug(aspect_ratio_range=(2, 1)), "aspect_ratio_ran"),
        (
            lambda: image.DetRandomCropAug(aspect_ratio_range=(0, 1)),
            "least <= most > 0",
        ),
        (lambda: image.DetRandomCropAug(area_range=(0.5, 0.1)), "area_range must be"),
        (lambda: image.DetRandomCropAug(area_range=0), "area_range must reach above 0"),
        (lambda: image.DetRandomCropAug(-1), r"min_object_covered must be in \[0, 1\]"),
        (lambda: image.DetRandomCropAug(max_attempts=0), "max_attempts must be >= 1"),
        (lambda: image.DetRandomPadAug(area_range=(0.5, 1)), "must reach above 1"),
        (lambda: image.DetRandomPadAug((1, 2, 3)), "a number or .least, most."),
        (lambda: image.CreateDetAugmenter((3, 5, 6), rand_crop=2), "rand_crop must be"),
        (lambda: image.CreateDetAugmenter((3, 5, 6), rand_pad=-1), "rand_pad must be"),
        (lambda: image.CreateDetAugmenter((3, 5)), "data_shape must be"),
        (
            lambda: image.CreateDetAugmenter(
                (3, 5, 6), rand_pad=1, area_range=(0.1, 1)
            ),
            "area_range must reach above 1",
        ),
        (
            lambda: image.CreateMultiRandCropAugmenter(
                [0.1, 0.2], max_attempts=[1, 2, 3]
            ),
            "min_object_covered must be 1 value or 3, .* got 2",
        ),
    ],
)
def test_wrong_settings_are_refused(make: Any, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        make()


def test_only_det_augmenters_can_be_selected_from() -> None:
    with pytest.raises(ParameterError, match="must hold DetAugmenters"):
        image.DetRandomSelectAug([image.CastAug()])  # type: ignore[list-item]  # tested


# ImageDetIter

HEAD = (2.0, 5.0)
LABELS = [
    [*HEAD, 0, 0.1, 0.2, 0.3, 0.4],
    [*HEAD, 1, 0.5, 0.5, 0.9, 0.8, 2, 0, 0, 1, 1],
    [4, 5, 99, 98, 3, 0.25, 0.25, 0.75, 0.5],
]


def det_files(folder: Path, labels: list[Any]) -> list[list[Any]]:
    entries = []
    for i, label in enumerate(labels):
        pixels = np.full((12, 16, 3), 10 + 20 * i, np.uint8)
        (folder / f"{i}.png").write_bytes(encoded(pixels))
        entries.append([label, f"{i}.png"])
    return entries


def det_iter(folder: Path, labels: list[Any] = LABELS, **options: Any) -> ImageDetIter:
    given: dict[str, Any] = {
        "batch_size": 2,
        "data_shape": (3, 8, 8),
        "path_root": folder,
    }
    return ImageDetIter(imglist=det_files(folder, labels), **(given | options))


def test_labels_are_rows_filled_up_with_minus_1(tmp_path: Path) -> None:
    batches = det_iter(tmp_path)

    assert isinstance(batches, ImageIter)
    assert batches.label_shape == (2, 5)
    assert batches.provide_data == [("data", (2, 3, 8, 8))]
    assert batches.provide_label == [("label", (2, 2, 5))]
    found = list(batches)
    labels = np.concatenate([batch.label[0].asnumpy() for batch in found])
    none = [-1.0] * 5
    expected: list[list[list[float]]] = [
        [[0, 0.1, 0.2, 0.3, 0.4], none],
        [[1, 0.5, 0.5, 0.9, 0.8], [2, 0, 0, 1, 1]],
        [[3, 0.25, 0.25, 0.75, 0.5], none],
        [[0, 0.1, 0.2, 0.3, 0.4], none],
    ]
    np.testing.assert_allclose(labels, expected, rtol=1e-6)
    assert [batch.pad for batch in found] == [0, 1]
    data = np.concatenate([batch.data[0].asnumpy() for batch in found])
    assert data[:, 0, 0, 0].tolist() == [10, 30, 50, 10]


@pytest.mark.parametrize("index", [False, True])
def test_records_give_the_same_as_files(tmp_path: Path, index: bool) -> None:
    expected = [
        (batch.data[0].tobytes(), batch.label[0].tobytes(), batch.pad)
        for batch in det_iter(tmp_path)
    ]
    payloads = [
        pack(IRHeader(0, label, i, 0), (tmp_path / f"{i}.png").read_bytes())
        for i, label in enumerate(LABELS)
    ]
    rec, idx, _ = write_rec(tmp_path, payloads)
    options: dict[str, Any] = {"path_imgidx": idx} if index else {}

    batches = ImageDetIter(2, (3, 8, 8), path_imgrec=rec, **options)

    assert expected == [
        (batch.data[0].tobytes(), batch.label[0].tobytes(), batch.pad)
        for batch in batches
    ]


def test_images_are_not_read_to_measure_listed_labels(tmp_path: Path) -> None:
    entries = [[label, f"none{i}.png"] for i, label in enumerate(LABELS)]

    batches = ImageDetIter(2, (3, 8, 8), imglist=entries, path_root=tmp_path)

    assert batches.label_shape == (2, 5)
    with pytest.raises(FileNotFoundError, match=r"none0\.png"):
        batches.next()


def test_an_own_source_is_asked_for_the_labels(tmp_path: Path) -> None:
    class Doubled(ImageDetIter):
        def next_sample(self) -> tuple[Any, Any]:
            label, found = super().next_sample()
            return [*label, *list(label)[2:]], found

    entries = det_files(tmp_path, LABELS[:2])

    batches = Doubled(2, (3, 8, 8), imglist=entries, path_root=tmp_path)

    assert batches.label_shape == (4, 5)
    assert batches.next().label[0].asnumpy()[1, :, 0].tolist() == [1, 2, 1, 2]


def test_what_cannot_be_used_is_left_out_and_listed(tmp_path: Path) -> None:
    flat = [*HEAD, 0, 0.5, 0.5, 0.5, 0.9]
    labels = [
        [1, 2],
        [*HEAD, 0, 0.5, 0.5, 0.9],
        [2, 4, 0, 1, 2, 3, 4, 5, 6, 7],
        [1, 5, 0, 0, 1, 1, 2],
        flat,
        [*flat, 7, 0, 0, 1, 1],
    ]

    batches = det_iter(tmp_path, labels, batch_size=1)

    (batch,) = batches
    assert batches.label_shape == (1, 5)
    assert batch.label[0].asnumpy().tolist() == [[[7, 0, 0, 1, 1]]]
    errors = batches.errors()
    assert len(errors) == 5
    assert errors[0].endswith("0.png, key 1: a label needs 7 numbers, has 2")
    assert "a head of 2 (>= 2) and objects of 4 (>= 5)" in errors[2]
    assert errors[4].endswith("no object has a box with an area")


def test_without_a_valid_label_the_constructor_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of the images is valid; .*0\.png"):
        det_iter(tmp_path, [[1, 2], [3, 4]])


@pytest.mark.parametrize("how", ["pad", "discard", "roll_over"])
def test_an_epoch_without_a_valid_image_ends_with_an_error(
    tmp_path: Path, how: str
) -> None:
    # In MXNet an ImageDetIter could go round for ever (apache/mxnet#13037).
    def lose(src: Any, label: Any) -> tuple[Any, Any]:
        return src, label * 0 - 1

    batches = det_iter(tmp_path, aug_list=[lose], last_batch_handle=how)

    with pytest.raises(DataError, match=r"none of the images is valid.*no object with"):
        batches.next()
    with pytest.raises(StopIteration):
        batches.next()


def test_a_wrong_value_in_an_augmenter_is_no_invalid_image(tmp_path: Path) -> None:
    class Empty(image.DetAugmenter):
        def __call__(self, src: Any, label: Any) -> tuple[Any, Any]:
            return image.imresize(src, 0, 8), label

    batches = det_iter(tmp_path, LABELS, aug_list=[Empty()])

    with pytest.raises(ParameterError, match="w and h must be >= 1, got 0 and 8"):
        batches.next()


def test_filling_a_batch_ends_when_nothing_more_is_valid(tmp_path: Path) -> None:
    class Once(ImageDetIter):
        seen = 0

        def check_valid_image(self, data: Any) -> None:
            self.seen += 1
            if self.seen > 1:
                raise RuntimeError("only one")

    batches = Once(
        8, (3, 8, 8), imglist=det_files(tmp_path, LABELS), path_root=tmp_path
    )

    with pytest.raises(DataError, match="none of the images is valid"):
        batches.next()


def test_objects_of_different_widths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"one width, these have \[5, 6\]"):
        det_iter(tmp_path, [LABELS[0], [2, 6, 0, 0, 0, 1, 1, 9]])


def test_all_augmenters_together_give_whole_batches(tmp_path: Path) -> None:
    batches = det_iter(
        tmp_path,
        data_shape=(3, 24, 20),
        resize=30,
        rand_crop=1,
        rand_pad=1,
        rand_gray=0.1,
        rand_mirror=True,
        mean=True,
        std=np.array([1.1, 1.03, 1.05]),
        brightness=0.1,
        contrast=0.1,
        saturation=0.1,
        pca_noise=0.1,
        hue=0.1,
        inter_method=10,
        min_object_covered=0.5,
        aspect_ratio_range=(0.2, 5),
        area_range=(0.1, 4.0),
        min_eject_coverage=0.5,
        shuffle=True,
    )

    for _ in range(20):
        for batch in batches:
            label = batch.label[0].asnumpy()
            real = label[label[:, :, 0] >= 0]
            assert batch.data[0].shape == (2, 3, 24, 20)
            assert np.isfinite(batch.data[0].asnumpy()).all()
            assert 2 <= len(real) <= 4
            assert real[:, 1:].min() >= 0 and real[:, 1:].max() <= 1
            assert (real[:, 3:] > real[:, 1:3]).all()
        batches.reset()
    assert batches.errors() == []


def test_roll_over_and_discard_work_as_in_image_iter(tmp_path: Path) -> None:
    rolling = det_iter(tmp_path, last_batch_handle="roll_over")
    dropping = det_iter(tmp_path, last_batch_handle="discard")

    first = [batch.label[0].asnumpy()[:, 0, 0].tolist() for batch in rolling]
    rolling.reset()
    second = [batch.label[0].asnumpy()[:, 0, 0].tolist() for batch in rolling]

    assert (first, second) == ([[0, 1]], [[3, 0], [1, 3]])
    assert len(list(dropping)) == 1


# Shapes


def test_reshape_makes_room_and_resizes(tmp_path: Path) -> None:
    batches = det_iter(tmp_path)

    batches.reshape(data_shape=(3, 6, 10), label_shape=(4, 5))

    batch = batches.next()
    assert batches.provide_data == [("data", (2, 3, 6, 10))]
    assert batches.provide_label == [("label", (2, 4, 5))]
    assert batch.data[0].shape == (2, 3, 6, 10)
    assert batch.label[0].shape == (2, 4, 5)
    assert (batch.label[0].asnumpy()[:, 2:] == -1).all()


def test_own_augmenters_stay_when_the_shape_changes(tmp_path: Path) -> None:
    given = image.CreateDetAugmenter((3, 6, 10))
    batches = det_iter(tmp_path, aug_list=given)

    with pytest.raises(ParameterError, match=r"gave shape \(3, 6, 10\)"):
        batches.next()
    batches.reset()
    batches.reshape(data_shape=(3, 6, 10))

    assert batches.next().data[0].shape == (2, 3, 6, 10)


@pytest.mark.parametrize(
    ("shapes", "sentence"),
    [
        ({"data_shape": (1, 6, 6)}, r"must be \(3, height, width\)"),
        ({"label_shape": (1, 5)}, r"must be \(2 or more, 5\), got \(1, 5\)"),
        ({"label_shape": (3, 6)}, r"must be \(2 or more, 5\)"),
        ({"label_shape": (3,)}, r"must be \(2 or more, 5\)"),
    ],
)
def test_wrong_shapes_are_refused(tmp_path: Path, shapes: Any, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        det_iter(tmp_path).reshape(**shapes)


def test_two_iterators_get_the_same_label_shape(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    train, small = det_iter(tmp_path), det_iter(tmp_path, LABELS[:1])

    given = train.sync_label_shape(small, verbose=True)
    back = det_iter(tmp_path, LABELS[:1])
    back.sync_label_shape(train)

    assert given is small
    assert train.label_shape == small.label_shape == back.label_shape == (2, 5)
    assert small.next().label[0].shape == (2, 2, 5)
    assert [entry.getMessage() for entry in caplog.records] == [
        "label_shape is now (2, 5)"
    ]


def test_only_like_iterators_can_be_synchronised(tmp_path: Path) -> None:
    train = det_iter(tmp_path)
    wide = det_iter(tmp_path, [[2, 6, 0, 0, 0, 1, 1, 9]])

    with pytest.raises(ParameterError, match="objects have 5 numbers here, 6 in it"):
        train.sync_label_shape(wide)
    with pytest.raises(TypeError, match="must be an ImageDetIter, got int"):
        train.sync_label_shape(3)  # type: ignore[arg-type]  # what is being tested


def test_augmenters_that_add_objects_are_told_so(tmp_path: Path) -> None:
    def double(src: Any, label: Any) -> tuple[Any, Any]:
        return src, np.concatenate([label, label, label])

    given = [*image.CreateDetAugmenter((3, 8, 8)), double]

    with pytest.raises(ParameterError, match=r"label of shape \(3, 5\).* is \(2, 5\)"):
        det_iter(tmp_path, aug_list=given).next()


@pytest.mark.parametrize(
    ("options", "kind", "sentence"),
    [
        ({"rand_cropp": 1}, TypeError, "did you mean 'rand_crop'"),
        ({"label_width": 2}, TypeError, "ImageDetIter has no parameter 'label_width'"),
        ({"aug_list": [], "hue": 1}, ParameterError, "hue has no effect beside"),
        ({"rand_pad": 2}, ParameterError, r"rand_pad must be in \[0, 1\], got 2"),
        ({"data_shape": (1, 8, 8)}, ParameterError, "must be"),
        ({"batch_size": 0}, ParameterError, "batch_size must be >= 1"),
    ],
)
def test_wrong_parameters_are_refused(
    tmp_path: Path, options: Any, kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        det_iter(tmp_path, **options)


# Drawing


def test_boxes_are_drawn_in_the_colour_blue_first(tmp_path: Path) -> None:
    batches = det_iter(tmp_path, data_shape=(3, 40, 40))

    drawn = list(batches.draw_next(color=(255, 128, 0), thickness=1))

    assert len(drawn) == 3
    for shown, value in zip(drawn, (10, 30, 50), strict=True):
        assert (shown.shape, shown.dtype) == ((40, 40, 3), np.dtype(np.uint8))
        assert {tuple(pixel) for pixel in shown.reshape(-1, 3).tolist()} == {
            (0, 128, 255),
            (value, value, value),
        }
    y, x = np.nonzero(drawn[0][:, :, 2] == 255)
    assert (x.min(), y.min(), x.max(), y.max()) == (4, 8, 12, 16)


def test_statistics_are_undone_before_drawing(tmp_path: Path) -> None:
    mean, std = np.array([120.0, 110, 100]), np.array([50.0, 55, 60])
    batches = det_iter(tmp_path, data_shape=(3, 40, 40), mean=mean, std=std)

    shown = next(batches.draw_next(mean=mean, std=std))

    assert np.abs(shown[0, 0].astype(int) - 10).max() <= 1


def test_names_and_random_colours(tmp_path: Path) -> None:
    label = [*HEAD, 3, 0.05, 0.05, 0.95, 0.95]
    plain = det_iter(tmp_path, [label], batch_size=1, data_shape=(3, 90, 90))
    named = det_iter(tmp_path, [label], batch_size=1, data_shape=(3, 90, 90))

    without = next(plain.draw_next(id2labels={2: "cat"}))
    shown = next(named.draw_next(id2labels={3: "cat"}))

    assert (without == 255).all(axis=2).sum() == 0
    assert (shown == 255).all(axis=2).sum() > 20


def test_a_window_is_shown_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(cv2, "imshow", lambda name, pixels: shown.append(name))
    monkeypatch.setattr(cv2, "waitKey", shown.append)

    for _ in det_iter(tmp_path).draw_next(waitKey=5, window_name="look"):
        pass

    assert shown == ["look", 5] * 3
