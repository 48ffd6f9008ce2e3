"""ImageIter: batches from records and from lists of files."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mxio.errors import DataError, ParameterError
from mxio.image import CastAug, CenterCropAug, ImageIter
from mxio.io import DataBatch, DataIter
from mxio.recordio import MXIndexedRecordIO, MXRecordIO, unpack_img
from tests.conftest import DataSet, encoded, picture, record, write_rec, write_set


def images(data: DataSet, **options: Any) -> ImageIter:
    given: dict[str, Any] = {
        "batch_size": 4,
        "data_shape": (3, 8, 8),
        "path_imgrec": data.rec,
    }
    return ImageIter(**(given | options))


def labels_of(batches: list[DataBatch]) -> list[list[Any]]:
    return [batch.label[0].asnumpy().tolist() for batch in batches]


def listed(folder: Path, count: int) -> list[list[Any]]:
    """PNG files 0.png, ... of 8 x 8, every value 20 * i, and a list with labels i."""
    for i in range(count):
        pixels = np.full((8, 8, 3), 20 * i, np.uint8)
        (folder / f"{i}.png").write_bytes(encoded(pixels))
    return [[float(i), f"{i}.png"] for i in range(count)]


# Batches


def test_a_batch_has_pixels_channels_first_and_labels(colours: DataSet) -> None:
    batches = list(images(colours, data_shape=(3, 12, 16), batch_size=3))

    assert [batch.pad for batch in batches] == [0, 0, 2]
    data = batches[0].data[0]
    assert (data.shape, data.dtype.name) == ((3, 3, 12, 16), "float32")
    for i in range(7):
        row = batches[i // 3].data[0].asnumpy()[i % 3]
        assert np.array_equal(row, colours.pixels[i].transpose(2, 0, 1))
    assert labels_of(batches) == [[0, 1, 2], [3, 4, 5], [6, 0, 1]]
    assert batches[0].label[0].dtype == np.float32


def test_shapes_are_plain_pairs(ten: DataSet) -> None:
    narrow = images(ten)
    wide = images(ten, label_width=3, data_name="a", label_name="b")

    assert isinstance(narrow, DataIter)
    assert narrow.provide_data == [("data", (4, 3, 8, 8))]
    assert narrow.provide_label == [("softmax_label", (4,))]
    assert wide.provide_data == [("a", (4, 3, 8, 8))]
    assert wide.provide_label == [("b", (4, 3))]


def test_a_larger_image_is_cropped_and_normalised(photos: DataSet) -> None:
    mean, std = np.array([100.0, 110, 120]), np.array([2.0, 4, 5])

    batch = images(photos, data_shape=(3, 30, 30), mean=mean, std=std).next()

    with MXRecordIO(photos.rec, "r") as reader:
        first = reader.read()
    assert first is not None
    stored = unpack_img(first, 1)[1]
    assert stored is not None
    height, width = stored.shape[:2]
    y, x = (height - 30) // 2, (width - 30) // 2
    box = stored[y : y + 30, x : x + 30, ::-1]
    expected = ((box - mean) / std).transpose(2, 0, 1)
    np.testing.assert_allclose(batch.data[0].asnumpy()[0], expected, rtol=1e-5)


def test_labels_of_several_numbers(tmp_path: Path) -> None:
    image = encoded(picture(0, 8, 8))
    payloads = [record(image, [i, i + 0.5, -i]) for i in range(3)]
    rec, _, _ = write_rec(tmp_path, payloads)

    (batch,) = ImageIter(3, (3, 8, 8), 3, path_imgrec=rec)

    assert labels_of([batch]) == [[[0, 0.5, 0], [1, 1.5, -1], [2, 2.5, -2]]]


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64", np.int64])
def test_labels_have_the_dtype(dtype: Any, tmp_path: Path) -> None:
    large = 2**24 + 1
    entries = [[large, listed(tmp_path, 1)[0][1]]]

    (batch,) = ImageIter(1, (3, 8, 8), imglist=entries, path_root=tmp_path, dtype=dtype)

    assert batch.label[0].dtype == dtype
    assert batch.label[0].asscalar() == np.array(large).astype(dtype)


# The end of an epoch


def test_padding_comes_from_the_start_and_is_counted(ten: DataSet) -> None:
    batches = images(ten)

    epochs = []
    for _ in range(2):
        epoch = list(batches)
        epochs.append((labels_of(epoch), [batch.pad for batch in epoch]))
        batches.reset()

    expected = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1]], [0, 0, 2]
    assert epochs == [expected, expected]


@pytest.mark.parametrize("index", [False, True])
def test_a_batch_larger_than_all_is_filled_by_going_round(
    ten: DataSet, index: bool
) -> None:
    options = {"path_imgidx": ten.idx} if index else {}

    (batch,) = images(ten, batch_size=23, **options)

    assert batch.pad == 13
    assert labels_of([batch]) == [[i % 10 for i in range(23)]]
    assert batch.data[0].asnumpy()[:, 0, 0, 0].tolist() == [
        20 * (i % 10) for i in range(23)
    ]


def test_discard_drops_the_rest(ten: DataSet) -> None:
    batches = images(ten, last_batch_handle="discard")

    assert labels_of(list(batches)) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    batches.reset()
    assert labels_of(list(batches)) == [[0, 1, 2, 3], [4, 5, 6, 7]]


@pytest.mark.parametrize("index", [False, True])
def test_roll_over_keeps_the_rest_for_the_next_epoch(ten: DataSet, index: bool) -> None:
    options = {"path_imgidx": ten.idx} if index else {}
    batches = images(ten, last_batch_handle="roll_over", **options)

    first = list(batches)
    batches.reset()
    second = list(batches)
    batches.reset()
    third = list(batches)

    assert labels_of(first) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert labels_of(second) == [[8, 9, 0, 1], [2, 3, 4, 5], [6, 7, 8, 9]]
    assert labels_of(third) == labels_of(first)
    # As in MXNet, the rows that do not come from the epoch before.
    assert [batch.pad for batch in second] == [2, 0, 0]
    assert second[0].data[0].asnumpy()[:, 0, 0, 0].tolist() == [160, 180, 0, 20]


def test_a_hard_reset_forgets_what_rolls_over(ten: DataSet) -> None:
    batches = images(ten, last_batch_handle="roll_over")
    list(batches)

    batches.hard_reset()

    assert labels_of([batches.next()]) == [[0, 1, 2, 3]]


def test_less_than_a_batch_rolls_on_until_it_is_one(tmp_path: Path) -> None:
    entries = listed(tmp_path, 3)
    batches = ImageIter(
        8, (3, 8, 8), imglist=entries, path_root=tmp_path, last_batch_handle="roll_over"
    )

    epochs = []
    for _ in range(3):
        epochs.append(labels_of(list(batches)))
        batches.reset()

    assert epochs == [[], [], [[0, 1, 2, 0, 1, 2, 0, 1]]]


@pytest.mark.parametrize("batch_size", [4, 5])
@pytest.mark.parametrize("how", ["pad", "discard", "roll_over"])
def test_an_epoch_that_is_over_stays_over(
    ten: DataSet, batch_size: int, how: str
) -> None:
    batches = images(ten, batch_size=batch_size, last_batch_handle=how)
    list(batches)

    for _ in range(2):
        with pytest.raises(StopIteration):
            batches.next()
    with pytest.raises(StopIteration):  # it went on behind samples that had padded
        batches.next_sample()
    batches.reset()
    assert len(batches.next().data[0]) == batch_size


def test_a_reset_in_mid_epoch_starts_again(ten: DataSet) -> None:
    batches = images(ten)
    batches.next()

    batches.reset()

    assert labels_of([batches.next()]) == [[0, 1, 2, 3]]


# Order and parts


@pytest.mark.parametrize("index", [False, True])
def test_a_shuffle_is_another_order_of_all_in_every_epoch(
    many: DataSet, index: bool
) -> None:
    options = {"path_imgidx": many.idx} if index else {}
    random.seed(3)
    batches = images(
        many, data_shape=(3, 4, 4), batch_size=100, shuffle=True, **options
    )

    epochs = []
    for _ in range(2):
        epochs.append([x for row in labels_of(list(batches)) for x in row])
        batches.reset()

    assert sorted(epochs[0]) == sorted(epochs[1]) == many.labels
    apart = [np.abs(np.array(epoch) - many.labels).mean() for epoch in epochs]
    assert min(apart) > 250  # a third of 1000 is what chance gives
    assert epochs[0] != epochs[1]


def test_the_same_seed_gives_the_same_order(ten: DataSet) -> None:
    orders = []
    for _ in range(2):
        random.seed(11)
        orders.append(labels_of(list(images(ten, shuffle=True, path_imgidx=ten.idx))))

    assert orders[0] == orders[1] != labels_of(list(images(ten)))


@pytest.mark.parametrize("index", [False, True])
def test_parts_are_equal_and_leave_out_the_rest(ten: DataSet, index: bool) -> None:
    options = {"path_imgidx": ten.idx} if index else {}

    parts = [
        labels_of(list(images(ten, batch_size=3, num_parts=3, part_index=i, **options)))
        for i in range(3)
    ]

    assert parts == [[[0, 1, 2]], [[3, 4, 5]], [[6, 7, 8]]]


def test_an_empty_part_is_refused(ten: DataSet) -> None:
    with pytest.raises(ParameterError, match="part 2 of 11 has no image"):
        images(ten, num_parts=11, part_index=2)


def test_records_split_by_the_magic_number_are_found_without_an_index() -> None:
    golden = Path(__file__).parent / "golden/files/imgmagic5.rec"
    given: dict[str, Any] = {"batch_size": 5, "data_shape": (3, 16, 20)}

    (straight,) = ImageIter(path_imgrec=golden, **given)
    (shuffled,) = ImageIter(path_imgrec=golden, shuffle=True, **given)

    order = np.argsort(shuffled.label[0])
    assert np.array_equal(shuffled.label[0][order], np.sort(straight.label[0]))
    straight_order = np.argsort(straight.label[0])
    assert np.array_equal(shuffled.data[0][order], straight.data[0][straight_order])


# Lists


def test_a_list_of_files(tmp_path: Path) -> None:
    entries = listed(tmp_path, 5)

    (batch,) = ImageIter(5, (3, 8, 8), imglist=entries, path_root=tmp_path)

    assert labels_of([batch]) == [[0, 1, 2, 3, 4]]
    assert batch.data[0].asnumpy()[:, 1, 2, 3].tolist() == [0, 20, 40, 60, 80]


def test_the_three_ways_to_write_a_label_in_a_list(tmp_path: Path) -> None:
    listed(tmp_path, 3)
    entries: list[Any] = [
        [[1, 2], "0.png"],
        [3, 4, "1.png"],
        [np.array([5, 6]), "2.png"],
    ]

    (batch,) = ImageIter(3, (3, 8, 8), 2, imglist=entries, path_root=str(tmp_path))

    assert labels_of([batch]) == [[[1, 2], [3, 4], [5, 6]]]


def test_a_list_file_of_files(tmp_path: Path) -> None:
    listed(tmp_path, 3)
    (tmp_path / "a.lst").write_text("5\t1.5\t2.png\n7\t2\t0.png\n\n2\t4.5\t1.png\n")

    (batch,) = ImageIter(
        3, (3, 8, 8), path_imglist=tmp_path / "a.lst", path_root=tmp_path
    )

    assert labels_of([batch]) == [[1.5, 2, 4.5]]
    assert batch.data[0].asnumpy()[:, 0, 0, 0].tolist() == [40, 0, 20]


def test_names_without_a_root_are_paths(tmp_path: Path) -> None:
    listed(tmp_path, 1)

    (batch,) = ImageIter(1, (3, 8, 8), imglist=[[4, str(tmp_path / "0.png")]])

    assert labels_of([batch]) == [[4]]


@pytest.mark.parametrize("index", [False, True])
def test_a_list_file_gives_the_labels_of_records(
    tmp_path: Path, ten: DataSet, index: bool
) -> None:
    # By the key of the index (0, 1, ...) or, without one, the record's id (100, ...).
    first = 0 if index else 100
    options = {"path_imgidx": ten.idx} if index else {}
    lines = [f"{first + i}\t{i + 0.5}\tx.png\n" for i in range(10)]
    (tmp_path / "a.lst").write_text("".join(lines))

    batches = images(ten, path_imglist=tmp_path / "a.lst", **options)

    assert labels_of([batches.next()]) == [[0.5, 1.5, 2.5, 3.5]]


def test_a_record_without_a_line_is_refused_at_once(
    tmp_path: Path, ten: DataSet
) -> None:
    (tmp_path / "a.lst").write_text("0\t1\tx.png\n")

    with pytest.raises(DataError, match=r"a\.lst has no line for 9 of 10 .* key 1"):
        images(ten, path_imglist=tmp_path / "a.lst", path_imgidx=ten.idx)


def test_a_record_whose_id_has_no_line_is_named(tmp_path: Path, ten: DataSet) -> None:
    (tmp_path / "a.lst").write_text("100\t1\tx.png\n")
    batches = images(ten, path_imglist=tmp_path / "a.lst", batch_size=1)
    batches.next()

    with pytest.raises(DataError, match="record 1, id 101 is not in the list"):
        batches.next()


@pytest.mark.parametrize("line", ["x\t1\ta.png", "1", "1\tone\ta.png"])
def test_a_damaged_list_names_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.lst").write_text(f"0\t1\tx.png\n{line}\n")

    with pytest.raises(DataError, match=r"a\.lst, line 2: "):
        ImageIter(1, (3, 8, 8), path_imglist=tmp_path / "a.lst")


# Own classes


def test_every_step_can_be_replaced(ten: DataSet) -> None:
    class Own(ImageIter):
        def next_sample(self) -> tuple[Any, Any]:
            label, encoded = super().next_sample()
            return label + 100, b"x" + encoded

        def imdecode(self, s: bytes) -> Any:
            return super().imdecode(s[1:])

        def augmentation_transform(self, data: Any) -> Any:
            return super().augmentation_transform(data) + 1

        def postprocess_data(self, datum: Any) -> Any:
            return super().postprocess_data(datum) * 2

    batch = Own(4, (3, 8, 8), path_imgrec=ten.rec).next()

    assert labels_of([batch]) == [[100, 101, 102, 103]]
    assert batch.data[0].asnumpy()[:, 0, 0, 0].tolist() == [2, 42, 82, 122]


def test_samples_can_come_from_anywhere(tmp_path: Path) -> None:
    class Generated(ImageIter):
        def next_sample(self) -> tuple[Any, Any]:
            self.cur += 1
            if self.cur > 3:
                raise StopIteration
            return self.cur, encoded(np.full((8, 8, 3), self.cur, np.uint8))

        def read_image(self, fname: str) -> bytes:
            raise AssertionError

    batches = Generated(2, (3, 8, 8), imglist=[[0, "none"]])

    assert labels_of(list(batches)) == [[1, 2], [3, 1]]


def test_an_own_list_of_augmenters_replaces_the_usual(colours: DataSet) -> None:
    augmenters = [CenterCropAug((8, 8)), lambda image: image // 2, CastAug()]

    batch = images(colours, aug_list=augmenters).next()

    assert np.array_equal(
        batch.data[0].asnumpy()[0],
        (colours.pixels[0] // 2)[2:10, 4:12].transpose(2, 0, 1),
    )


def test_images_that_are_not_valid_are_left_out_and_listed(ten: DataSet) -> None:
    class Picky(ImageIter):
        def check_valid_image(self, data: Any) -> None:
            super().check_valid_image(data)
            if data[0, 0, 0] % 40:
                raise RuntimeError("odd")

    batches = Picky(4, (3, 8, 8), path_imgrec=ten.rec)

    assert labels_of(list(batches)) == [[0, 2, 4, 6], [8, 0, 2, 4]]
    errors = batches.errors()
    assert len(errors) == 5
    assert errors[0] == f"{ten.rec}, record 1, id 101: odd"


@pytest.mark.parametrize("how", ["pad", "discard", "roll_over"])
def test_an_epoch_without_a_valid_image_is_an_error(ten: DataSet, how: str) -> None:
    class Never(ImageIter):
        def check_valid_image(self, data: Any) -> None:
            raise RuntimeError("no")

    batches = Never(4, (3, 8, 8), path_imgrec=ten.rec, last_batch_handle=how)

    with pytest.raises(DataError, match=r"none of the images is valid; .*id 100: no"):
        batches.next()
    with pytest.raises(StopIteration):
        batches.next()


# Bad files


@pytest.mark.parametrize("index", [False, True])
def test_a_broken_image_names_file_and_record(tmp_path: Path, index: bool) -> None:
    good = encoded(picture(0, 8, 8))
    payloads = [record(good, 0, 7), record(b"broken", 1, 8), record(good, 2, 9)]
    rec, idx, _ = write_rec(tmp_path, payloads)
    options: dict[str, Any] = {"path_imgidx": idx} if index else {}
    batches = ImageIter(1, (3, 8, 8), path_imgrec=rec, **options)
    batches.next()

    what = "key 1" if index else "record 1, id 8"
    with pytest.raises(
        DataError, match=rf"Broken image .*data\.rec, {what}: "
    ) as caught:
        batches.next()
    assert caught.value.path == str(rec)
    assert labels_of([batches.next()]) == [[2]]


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"bad")
    batches = ImageIter(1, (3, 8, 8), imglist=[[0, "bad.png"]], path_root=tmp_path)

    with pytest.raises(DataError, match=r"Broken image .*bad\.png, key 1: "):
        batches.next()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    batches = ImageIter(1, (3, 8, 8), imglist=[[0, "none.png"]], path_root=tmp_path)

    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        batches.next()


def test_a_record_that_is_none_is_named(tmp_path: Path) -> None:
    rec, idx, _ = write_rec(tmp_path, [b"short"])

    cases: list[dict[str, Any]] = [{}, {"path_imgidx": idx}]
    for options in cases:
        with pytest.raises(DataError, match=r"data\.rec, .*has at least 24 bytes"):
            ImageIter(1, (3, 8, 8), path_imgrec=rec, **options).next()


def test_a_record_that_vanishes_is_named(tmp_path: Path) -> None:
    data = write_set(tmp_path, [picture(i, 8, 8) for i in range(2)])
    batches = images(data, batch_size=2, num_parts=2, part_index=1)
    with open(data.rec, "r+b") as file:
        file.truncate(data.offsets[1])

    with pytest.raises(DataError, match=r"data\.rec: byte .*the file ends"):
        batches.next()


def test_a_label_of_another_width_is_named(ten: DataSet) -> None:
    with pytest.raises(DataError, match=r"id 100: the label has 1 values, .* is 2"):
        images(ten, label_width=2).next()


def test_augmenters_that_give_another_shape_are_named(colours: DataSet) -> None:
    with pytest.raises(ParameterError, match=r"gave shape \(3, 12, 16\), data_shape"):
        images(colours, aug_list=[]).next()


def test_a_missing_record_file_or_index_is_named(tmp_path: Path, ten: DataSet) -> None:
    cases: list[dict[str, Any]] = [{}, {"shuffle": True}]
    for options in cases:
        with pytest.raises(FileNotFoundError, match=r"none\.rec"):
            ImageIter(1, (3, 8, 8), path_imgrec=tmp_path / "none.rec", **options)
    with pytest.raises(FileNotFoundError, match=r"none\.idx"):
        images(ten, path_imgidx=tmp_path / "none.idx")


def test_an_index_of_another_file_is_noticed(tmp_path: Path, ten: DataSet) -> None:
    larger = write_set(tmp_path, [picture(i, 40, 40) for i in range(3)])

    with pytest.raises(DataError, match=r"data\.idx, line 2"):
        images(ten, path_imgidx=larger.idx)


# Parameters


@pytest.mark.parametrize(
    ("options", "kind", "sentence"),
    [
        ({"batch_size": 0}, ParameterError, "batch_size must be >= 1, got 0"),
        ({"batch_size": "4"}, TypeError, "batch_size must be a whole number, got '4'"),
        ({"label_width": 0}, ParameterError, "label_width must be >= 1"),
        (
            {"data_shape": (1, 8, 8)},
            ParameterError,
            r"must be \(3, height, width\), got",
        ),
        ({"data_shape": (3, 8)}, ParameterError, r"must be \(3, height, width\), got"),
        (
            {"data_shape": (3, 8, 0)},
            ParameterError,
            r"must be \(3, height, width\), got",
        ),
        ({"num_parts": 0}, ParameterError, "num_parts must be >= 1"),
        ({"part_index": 1}, ParameterError, r"part_index must be in \[0, 1\), got 1"),
        ({"part_index": -1}, ParameterError, "part_index must be >= 0, got -1"),
        ({"dtype": "uint8"}, ParameterError, "dtype must be one of .*'uint8'"),
        ({"dtype": "number"}, ParameterError, "dtype must be one of .*'number'"),
        ({"last_batch_handle": "x"}, ParameterError, "last_batch_handle must be one"),
        ({"path_imgrec": None}, TypeError, "one of path_imgrec, path_imglist and"),
        ({"imglist": [[0, "a"]]}, ParameterError, "imglist excludes path_imgrec"),
        ({"rand_mirorr": True}, TypeError, "did you mean 'rand_mirror'"),
        ({"path_imgrek": "x"}, TypeError, "did you mean 'path_imgrec'"),
        ({"zzz": 1}, TypeError, "ImageIter has no parameter 'zzz'$"),
        ({"aug_list": [], "mean": True}, ParameterError, "mean has no effect beside"),
        ({"rand_gray": 2}, ParameterError, "rand_gray must be in"),
    ],
)
def test_wrong_parameters_are_refused(
    ten: DataSet, options: dict[str, Any], kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        images(ten, **options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"imglist": []}, "the list of images is empty"),
        ({"imglist": [["a.png"]]}, r"entry 1 of imglist must be \[label, name\]"),
        ({"imglist": [[1, 2]]}, r"entry 1 of imglist must be \[label, name\]"),
        ({"imglist": [[1, "a"]], "path_imgidx": "x"}, "path_imgidx needs path_imgrec"),
        ({"imglist": [[1, "a"]], "path_imglist": "x"}, "imglist excludes"),
    ],
)
def test_wrong_lists_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        ImageIter(1, (3, 8, 8), **options)


def test_the_shape_may_be_a_list(ten: DataSet) -> None:
    assert images(ten, data_shape=[3, 8, 8]).provide_data == [("data", (4, 3, 8, 8))]


def test_attributes_that_programs_use(ten: DataSet) -> None:
    batches = images(ten, path_imgidx=ten.idx)

    assert isinstance(batches.imgrec, MXIndexedRecordIO)
    assert batches.imgidx == batches.seq == list(range(10))
    assert (batches.num_image, batches.cur, batches.imglist) == (10, 0, None)
    assert [type(part).__name__ for part in batches.auglist] == [
        "CenterCropAug",
        "CastAug",
    ]
    assert images(ten).seq is None
