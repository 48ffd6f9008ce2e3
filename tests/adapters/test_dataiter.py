"""The mx.io face: MXNet's protocol, the end of an epoch, labels, memory of batches."""

import gc
import itertools
import locale
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxio
from mxio.errors import DataError, MxioError, ParameterError
from mxio.io import (
    DataBatch,
    DataDesc,
    DataIter,
    ImageRecordInt8Iter,
    ImageRecordIter,
    ImageRecordUInt8Iter,
)
from mxio.ndarray import NDArray
from tests.conftest import (
    DataSet,
    encoded,
    epoch_bytes,
    epoch_ids,
    iterator,
    picture,
    record,
    write_rec,
    write_set,
)


def places(batches: Any) -> list[tuple[list[int], int]]:
    """Ordinals and padding of each batch of one epoch; ids count from 100."""
    return [((batch.index - 100).tolist(), batch.pad) for batch in batches]


# ---- the end of an epoch ----


def test_the_last_batch_is_completed_with_records_of_the_next_epoch(
    ten: DataSet,
) -> None:
    batches = iterator(ten, batch_size=4)
    epochs = []

    for _ in range(3):
        epochs.append(places(batches))
        batches.reset()

    odd = [([0, 1, 2, 3], 0), ([4, 5, 6, 7], 0), ([8, 9, 0, 1], 2)]
    even = [([2, 3, 4, 5], 0), ([6, 7, 8, 9], 0)]
    assert epochs == [odd, even, odd]


def test_an_epoch_that_ends_with_a_batch_carries_nothing_over(ten: DataSet) -> None:
    batches = iterator(ten, batch_size=5)

    first = places(batches)
    batches.reset()
    second = places(batches)

    assert first == second == [([0, 1, 2, 3, 4], 0), ([5, 6, 7, 8, 9], 0)]


def test_a_second_reset_starts_at_the_first_record(ten: DataSet) -> None:
    batches = iterator(ten, batch_size=4)
    list(batches)

    batches.reset()
    batches.reset()

    assert places(batches)[0] == ([0, 1, 2, 3], 0)


@pytest.mark.parametrize("taken", [1, 2])
def test_a_reset_in_mid_epoch_starts_at_the_first_record(
    ten: DataSet, taken: int
) -> None:
    # MXNet went on at record 2 when its producer was ahead.
    batches = iterator(ten, batch_size=4, prefetch_buffer=8)
    for _ in range(taken):
        batches.next()

    batches.reset()

    assert places(batches)[0] == ([0, 1, 2, 3], 0)


def test_a_reset_behind_the_padded_batch_goes_on_even_before_the_end_is_seen(
    ten: DataSet,
) -> None:
    batches = iterator(ten, batch_size=4)
    for _ in range(3):
        batches.next()

    batches.reset()

    assert places(batches) == [([2, 3, 4, 5], 0), ([6, 7, 8, 9], 0)]


def test_what_was_carried_is_forgotten_by_a_reset_in_mid_epoch(ten: DataSet) -> None:
    batches = iterator(ten, batch_size=4)
    list(batches)
    batches.reset()
    batches.next()

    batches.reset()

    assert places(batches)[0] == ([0, 1, 2, 3], 0)


def test_a_batch_may_be_larger_than_the_set(ten: DataSet) -> None:
    batches = iterator(ten, batch_size=16)

    epoch = places(batches)

    assert epoch == [([*range(10), *range(6)], 6)]


def test_a_batch_of_more_than_two_epochs_is_refused_with_both_numbers(
    ten: DataSet,
) -> None:
    batches = iterator(ten, batch_size=21)

    with pytest.raises(ParameterError, match=r"batch_size=21 .* 10 records"):
        batches.next()


def test_rows_of_a_batch_that_failed_are_not_skipped_in_the_next_epoch(
    tmp_path: Path,
) -> None:
    # The carry was that of the batch made, not of the one received.
    payloads = [record(encoded(picture(i, 8, 8)), id=100 + i) for i in range(10)]
    payloads[9] = record(b"no picture", id=109)
    rec, _, _ = write_rec(tmp_path, payloads)
    batches = iterator(rec, batch_size=4)
    batches.next()
    batches.next()
    with pytest.raises(DataError):
        batches.next()

    batches.reset()

    assert (batches.next().index - 100).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("threads", [1, 3])
def test_without_round_batch_missing_rows_are_zero_and_counted(
    ten: DataSet, threads: int
) -> None:
    # MXNet gave pad 0 and whatever the memory held.
    batches = iterator(ten, round_batch=False, preprocess_threads=threads, mean_r=3)

    for _ in range(2):
        epoch = [(batch, batch.data[0].copy()) for batch in batches]
        last, data = epoch[-1]

        assert [batch.pad for batch, _ in epoch] == [0, 0, 2]
        assert last.index.tolist() == [108, 109, 0, 0]
        assert last.label[0].tolist() == [8.0, 9.0, 0.0, 0.0]
        assert not data[2:].any()
        np.testing.assert_array_equal(data[:2, 1, 0, 0], [160, 180])
        batches.reset()


def test_the_padding_of_a_batch_never_shows_in_later_ones(ten: DataSet) -> None:
    # MXNet left the pad in a batch object that it used again.
    batches = iterator(ten, prefetch_buffer=1)
    pads = []

    for _ in range(4):
        pads += [batch.pad for batch in batches]
        batches.reset()

    assert pads == [0, 0, 2, 0, 0, 0, 0, 2, 0, 0]


def test_wrapped_rows_have_the_order_and_the_key_of_the_next_epoch(
    photos: DataSet,
) -> None:
    options = {
        "data_shape": (3, 20, 20),
        "batch_size": 8,
        "shuffle": True,
        "rand_crop": True,
        "rand_mirror": True,
        "dtype": "uint8",
    }
    running = iterator(photos, **options)
    last = list(running)[-1]
    alone = iterator(photos, **options)
    list(alone)
    alone.reset()
    alone.reset()

    first = alone.next()

    assert last.pad == 3
    np.testing.assert_array_equal(last.index[5:], first.index[:3])
    np.testing.assert_array_equal(last.data[0][5:], first.data[0][:3])


def test_an_epoch_and_its_carry_hold_every_record_once(photos: DataSet) -> None:
    batches = iterator(photos, batch_size=8, shuffle=True, data_shape=(3, 8, 8))
    first = [id for batch in batches for id in batch.index.tolist()]
    batches.reset()

    second = [id for batch in batches for id in batch.index.tolist()]

    count = len(photos.ids)
    assert sorted(first[:count]) == photos.ids
    assert sorted((first[count:] + second)[:count]) == photos.ids


# ---- the protocol ----


def test_stop_iteration_comes_again_until_reset(ten: DataSet) -> None:
    batches = iterator(ten)
    list(batches)

    for _ in range(3):
        with pytest.raises(StopIteration):
            batches.next()
        assert batches.iter_next() is False
    batches.reset()

    assert batches.iter_next() is True


def test_iter_next_ends_on_a_fresh_iterator(ten: DataSet) -> None:
    # In MXNet it returned True for ever.
    batches = iterator(ten)
    moved = 0

    while batches.iter_next():
        moved += 1

    assert moved == 3


def test_the_getters_show_the_current_batch(ten: DataSet) -> None:
    batches = iterator(ten)
    pads = []

    while batches.iter_next():
        data, label = batches.getdata(), batches.getlabel()
        pads.append(batches.getpad())
        np.testing.assert_array_equal(data[:, 0, 0, 0], label * 20)
        np.testing.assert_array_equal(batches.getindex(), label.asnumpy() + 100)
        assert isinstance(data, NDArray)
        assert isinstance(label, NDArray)

    assert pads == [0, 0, 2]


def test_the_getters_without_a_batch_say_what_to_call(ten: DataSet) -> None:
    batches = iterator(ten)

    for getter in (
        batches.getdata,
        batches.getlabel,
        batches.getpad,
        batches.getindex,
    ):
        with pytest.raises(MxioError, match="call iter_next"):
            getter()


def test_next_gives_lists_of_one_array_and_the_record_ids(ten: DataSet) -> None:
    batch = iterator(ten).next()

    assert [array.shape for array in batch.data] == [(4, 3, 8, 8)]
    assert [array.shape for array in batch.label or []] == [(4,)]
    assert type(batch.data[0].asnumpy()) is np.ndarray
    assert batch.index.dtype == np.uint64
    assert batch.index.tolist() == [100, 101, 102, 103]
    assert batch.pad == 0
    assert str(batch) == ("DataBatch: data shapes: [(4, 3, 8, 8)] label shapes: [(4,)]")


def test_an_iterator_is_its_own_iterator_and_has_no_length(ten: DataSet) -> None:
    batches = iterator(ten)

    assert iter(batches) is batches
    assert isinstance(batches, DataIter)
    assert batches.batch_size == 4
    assert not hasattr(batches, "__len__")


def test_a_second_loop_does_not_reset_by_itself(ten: DataSet) -> None:
    batches = iterator(ten)

    first, second = len(list(batches)), len(list(batches))

    assert (first, second) == (3, 0)


@pytest.mark.parametrize(
    ("options", "shape", "layout", "dtype"),
    [
        ({}, (4, 3, 8, 8), "NCHW", np.float32),
        ({"layout": "NHWC", "dtype": "uint8"}, (4, 8, 8, 3), "NHWC", np.uint8),
        ({"data_shape": (1, 4, 6), "dtype": "int8"}, (4, 1, 4, 6), "NCHW", np.int8),
        ({"dtype": "float16"}, (4, 3, 8, 8), "NCHW", np.float16),
    ],
)
def test_provide_data_describes_the_batches(
    ten: DataSet,
    options: dict[str, Any],
    shape: tuple[int, ...],
    layout: str,
    dtype: type,
) -> None:
    batches = iterator(ten, data_name="pixels", **options)

    (described,) = batches.provide_data
    data = batches.next().data[0]

    assert described == ("pixels", shape)
    assert (described.name, described.shape) == ("pixels", shape)
    assert (described.dtype, described.layout) == (dtype, layout)
    assert (data.shape, data.dtype) == (shape, dtype)


@pytest.mark.parametrize("asked", [None, "None", "uint8", np.uint8, np.dtype("uint8")])
def test_a_name_with_a_type_takes_that_type_in_any_spelling(
    ten: DataSet, asked: Any
) -> None:
    # dtype=numpy.uint8 was refused.
    options: dict[str, Any] = {"data_shape": (3, 8, 8), "batch_size": 4}
    batches = ImageRecordUInt8Iter(path_imgrec=ten.rec, dtype=asked, **options)

    assert batches.next().data[0].dtype == np.uint8
    with pytest.raises(ParameterError, match="Int8Iter gives int8, got dtype='uint8'"):
        ImageRecordInt8Iter(path_imgrec=ten.rec, dtype="uint8", **options)


def test_provide_label_describes_the_labels(ten: DataSet) -> None:
    default, named = iterator(ten), iterator(ten, label_name="svm_label")

    (label,) = default.provide_label

    assert label.dtype is np.float32
    assert label == ("softmax_label", (4,))
    assert named.provide_label[0].name == "svm_label"


@pytest.mark.parametrize(
    ("layout", "axis"), [(None, 0), ("NCHW", 0), ("TNC", 1), ("CHW", -1)]
)
def test_the_batch_axis_is_where_the_layout_has_n(
    layout: str | None, axis: int
) -> None:
    assert DataDesc.get_batch_axis(layout) == axis


def test_a_description_is_a_pair_with_more_to_it() -> None:
    described = DataDesc("data", [2, 3], np.int32, "NT")

    name, shape = described
    copy = pickle.loads(pickle.dumps(described))

    assert (name, shape) == ("data", (2, 3))
    assert described == ("data", (2, 3))
    assert repr(described) == "DataDesc[data,(2, 3),<class 'numpy.int32'>,NT]"
    assert repr(copy) == repr(described)


def test_descriptions_are_made_from_shapes_and_types() -> None:
    shapes = [("a", (1, 2)), ("b", (3,))]

    plain = DataDesc.get_list(shapes, None)
    typed = DataDesc.get_list(shapes, [("b", np.int8), ("a", np.float16)])

    assert plain == typed == shapes
    assert [one.dtype for one in plain] == [np.float32, np.float32]
    assert [one.dtype for one in typed] == [np.float16, np.int8]


@pytest.mark.parametrize("name", ["data", "label"])
def test_a_batch_takes_lists_only(name: str) -> None:
    given: dict[str, Any] = {"data": [], name: np.zeros(2)}

    with pytest.raises(AssertionError, match=f"{name} must be a list"):
        DataBatch(**given)


def test_a_batch_without_labels_says_so() -> None:
    batch = DataBatch([np.zeros((2, 3))])

    assert str(batch) == "DataBatch: data shapes: [(2, 3)] label shapes: None"
    assert (batch.label, batch.pad, batch.index) == (None, None, None)


def test_the_base_class_makes_batches_from_the_getters() -> None:
    class Three(DataIter):
        left = 3

        def iter_next(self) -> bool:
            self.left -= 1
            return self.left >= 0

        def getdata(self) -> Any:
            return [np.full(2, self.left)]

        def getpad(self) -> int:
            return 0

    batches = list(Three(2))

    assert [batch.data[0].tolist() for batch in batches] == [[2, 2], [1, 1], [0, 0]]
    assert [batch.index for batch in batches] == [None, None, None]


def test_the_base_class_alone_is_empty() -> None:
    base = DataIter(5)

    base.reset()

    assert base.batch_size == 5
    assert list(base) == []
    assert (base.getdata(), base.getlabel(), base.getindex(), base.getpad()) == (
        None,
        None,
        None,
        None,
    )


def test_errors_of_mxnet_are_caught_under_their_old_name(ten: DataSet) -> None:
    with pytest.raises(mxio.MXNetError):
        iterator(ten, batch_size=0)


def test_a_closed_iterator_refuses_to_go_on(ten: DataSet) -> None:
    batches = iterator(ten)
    kept = batches.next()

    batches.close()
    batches.close()

    with pytest.raises(MxioError, match="closed"):
        batches.next()
    np.testing.assert_array_equal(kept.data[0][:, 0, 0, 0], [0, 20, 40, 60])


# ---- memory of batches ----


def test_a_batch_that_is_kept_is_never_overwritten(ten: DataSet) -> None:
    batches = iterator(ten, prefetch_buffer=2)
    kept = []

    for _ in range(20):
        kept += [(batch, batch.data[0].copy(), batch.index.copy()) for batch in batches]
        batches.reset()

    for batch, data, index in kept:
        np.testing.assert_array_equal(batch.data[0], data)
        np.testing.assert_array_equal(batch.index, index)


def test_a_batch_that_is_dropped_is_used_again(ten: DataSet) -> None:
    batches = iterator(ten, batch_size=1, prefetch_buffer=2)
    addresses = set()

    for _ in range(20):
        for batch in batches:
            addresses.add(batch.data[0].ctypes.data)
        batches.reset()

    # 2 slots, one for the consumer, one on its way, idle ones.
    assert len(addresses) <= 6


def test_batches_in_use_are_counted(ten: DataSet) -> None:
    batches = iterator(ten, batch_size=1, prefetch_buffer=2)
    core: Any = batches._loader._core

    unused = core.memory()
    kept = [batches.next() for _ in range(5)]
    held, _ = core.memory()
    batches._batch = None
    kept.clear()
    released, idle = core.memory()

    assert unused == (0, 0)
    assert held == 2 + 5
    assert released == 2
    assert idle <= 2


def test_arrays_are_writable_and_outlive_the_iterator(ten: DataSet) -> None:
    batches = iterator(ten)
    batch = batches.next()
    data, label, index = batch.data[0], batch.label[0], batch.index

    del batches, batch
    gc.collect()
    data += 1
    label *= 2
    index[:] = 7

    np.testing.assert_array_equal(data[:, 2, 3, 3], [1, 21, 41, 61])
    assert label.tolist() == [0, 2, 4, 6]
    assert index.tolist() == [7] * 4


def test_one_array_keeps_the_memory_of_its_batch(ten: DataSet) -> None:
    batches = iterator(ten, prefetch_buffer=1)
    label = batches.next().label[0].asnumpy()[1:3]

    for _ in range(5):
        batches.reset()
        list(batches)

    assert label.tolist() == [1.0, 2.0]


# ---- labels ----


def labelled(folder: Path, labels: list[Any], ids: list[int] | None = None) -> Path:
    ids = ids or list(range(len(labels)))
    image = encoded(np.zeros((8, 8, 3), np.uint8))
    payloads = [record(image, label, id) for label, id in zip(labels, ids, strict=True)]
    return write_rec(folder, payloads)[0]


def test_packed_labels_come_in_rows(tmp_path: Path) -> None:
    labels = [[1.0, -2.5, 3e6], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]
    rec = labelled(tmp_path, labels)

    batches = iterator(rec, batch_size=3, label_width=3)

    assert batches.provide_label == [("softmax_label", (3, 3))]
    assert batches.next().label[0].tolist() == labels


def test_one_packed_label_is_a_label(tmp_path: Path) -> None:
    rec = labelled(tmp_path, [[1.5], [2.5]])

    label = iterator(rec, batch_size=2).next().label[0]

    assert label.tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("label", "width", "words"),
    [
        ([1.0, 2.0], 3, r"holds 2 labels, label_width is 3"),
        ([1.0, 2.0], 1, r"holds 2 labels, label_width is 1"),
        (1.0, 2, r"holds one label, label_width is 2"),
    ],
)
def test_labels_that_do_not_fit_label_width_are_an_error_that_names_the_record(
    tmp_path: Path, label: Any, width: int, words: str
) -> None:
    rec = labelled(tmp_path, [label], [77])

    with pytest.raises(DataError, match=words) as caught:
        iterator(rec, batch_size=1, label_width=width).next()

    where = caught.value
    assert (where.path, where.record, where.id, where.offset) == (str(rec), 0, 77, 0)


def test_a_list_replaces_the_labels_of_the_records(
    ten: DataSet, tmp_path: Path
) -> None:
    lines = [f"{100 + i}\t{i * 10}\t-{i}.5\tpath {i}.jpg\n" for i in range(12)]
    (tmp_path / "a.lst").write_text("".join(reversed(lines)))

    batches = iterator(ten, path_imglist=tmp_path / "a.lst", label_width=2)

    label = batches.next().label[0]
    assert label.tolist() == [[0, -0.5], [10, -1.5], [20, -2.5], [30, -3.5]]


@pytest.mark.parametrize(
    "text",
    [
        "100 1 2 3 a.jpg\n101 4 5 6 b.jpg\n",
        "  100\t1 \t 2\n\n\n101\t4\t5",
        "100 1 2\r\n101 4 5\r\n",
        "101 4.0 +5e0\n100 1.000000 2.000000 extra words here\n",
        "100 9 9 early\n100 1 2 late\n101 4 5\n",
    ],
)
def test_lists_are_read_as_loosely_as_they_are_written(
    ten: DataSet, tmp_path: Path, text: str
) -> None:
    (tmp_path / "a.lst").write_text(text)

    batches = iterator(
        ten, path_imglist=tmp_path / "a.lst", label_width=2, batch_size=2
    )

    label = batches.next().label[0]
    assert label.tolist() == [[1, 2], [4, 5]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("100 1 2\n101 1\n", r"a.lst: line 2: 1 labels, label_width is 2"),
        ("100\n", r"a.lst: line 1: 0 labels, label_width is 2"),
        ("100 1 path.jpg\n", r"a.lst: line 1: label 2 of 2 .* 'path.jpg'"),
        ("100 1,5 2\n", r"a.lst: line 1: label 1 of 2 .* '1,5'"),
        ("100 1 2\n\nx 1 2\n", r"a.lst: line 3: the id is not a whole number: 'x'"),
        ("-1 1 2\n", r"a.lst: line 1: the id .* '-1'"),
        ("1.5 1 2\n", r"a.lst: line 1: the id .* '1.5'"),
    ],
)
def test_a_list_that_is_wrong_is_an_error_that_names_path_and_line(
    ten: DataSet, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "a.lst").write_text(text)

    with pytest.raises(DataError, match=words) as caught:
        iterator(ten, path_imglist=tmp_path / "a.lst", label_width=2)

    assert caught.value.path == str(tmp_path / "a.lst")


def test_a_record_without_a_line_in_the_list_is_named(
    ten: DataSet, tmp_path: Path
) -> None:
    (tmp_path / "a.lst").write_text("100 1\n102 1\n103 1\n")
    batches = iterator(ten, path_imglist=tmp_path / "a.lst")

    with pytest.raises(
        DataError, match="path_imglist has no line with id 101"
    ) as caught:
        batches.next()

    assert (caught.value.record, caught.value.id) == (1, 101)


def test_a_list_that_is_missing_is_a_file_not_found_error(
    ten: DataSet, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.lst"):
        iterator(ten, path_imglist=tmp_path / "none.lst")


def test_labels_of_a_list_are_read_whatever_the_locale(
    ten: DataSet, tmp_path: Path
) -> None:
    (tmp_path / "a.lst").write_text("100 1.5\n101 2.5\n")
    before = locale.setlocale(locale.LC_NUMERIC)
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8"):
        try:
            locale.setlocale(locale.LC_NUMERIC, name)
            break
        except locale.Error:
            continue
    else:
        pytest.skip("needs a locale with a decimal comma")

    try:
        batches = iterator(ten, path_imglist=tmp_path / "a.lst", batch_size=2)
    finally:
        locale.setlocale(locale.LC_NUMERIC, before)

    assert batches.next().label[0].tolist() == [1.5, 2.5]


@pytest.mark.parametrize("id", [0, 2**32 + 5, 2**63 + 1, 2**64 - 1])
def test_ids_have_64_bits(tmp_path: Path, id: int) -> None:
    rec = labelled(tmp_path, [0.0], [id])
    (tmp_path / "a.lst").write_text(f"{id} 42\n")

    batch = iterator(rec, batch_size=1, path_imglist=tmp_path / "a.lst").next()

    assert batch.index.tolist() == [id]
    assert batch.label[0].tolist() == [42.0]


# ---- parts and several files ----


def test_several_files_are_one_set(tmp_path: Path) -> None:
    sets = [
        write_set(tmp_path, [picture(i, 8, 8) for i in range(3)], name=name)
        for name in "ab"
    ]

    joined = iterator(
        tmp_path, path_imgrec=f"{sets[0].rec};{sets[1].rec}", batch_size=3
    )

    assert epoch_ids(joined) == [100, 101, 102, 100, 101, 102]


@pytest.mark.parametrize("num_parts", [1, 2, 3, 4])
def test_parts_by_bytes_are_those_of_the_format(ten: DataSet, num_parts: int) -> None:
    total = ten.rec.stat().st_size
    step = -(-total // num_parts)
    step += -step % 4
    expected = [
        [100 + i for i, at in enumerate(ten.offsets) if k * step <= at < (k + 1) * step]
        for k in range(num_parts)
    ]

    actual = [
        epoch_ids(iterator(ten, num_parts=num_parts, part_index=k, round_batch=False))
        for k in range(num_parts)
    ]

    assert actual == expected
    assert [id for part in actual for id in part] == ten.ids


@pytest.mark.parametrize("num_parts", [1, 3, 4, 5, 10])
def test_parts_by_index_have_equal_counts(ten: DataSet, num_parts: int) -> None:
    step = -(-10 // num_parts)
    expected = [ten.ids[k * step : (k + 1) * step] for k in range(num_parts)]

    actual = [
        epoch_ids(
            iterator(
                ten,
                num_parts=num_parts,
                part_index=k,
                path_imgidx=ten.idx,
                round_batch=False,
            )
        )
        for k in range(num_parts)
    ]

    assert actual == expected


def test_a_part_without_a_record_is_an_error_not_the_end(ten: DataSet) -> None:
    # MXNet raised a bare StopIteration from the constructor.
    with pytest.raises(
        DataError, match="part_index=29 of num_parts=30 holds no record"
    ):
        iterator(ten, num_parts=30, part_index=29)


def test_shuffling_stays_inside_the_part(ten: DataSet) -> None:
    parts = [
        epoch_ids(
            iterator(ten, num_parts=2, part_index=k, shuffle=True, round_batch=False)
        )
        for k in range(2)
    ]
    plain = [
        epoch_ids(iterator(ten, num_parts=2, part_index=k, round_batch=False))
        for k in range(2)
    ]

    assert [sorted(part) for part in parts] == plain


def test_an_index_may_leave_records_out(ten: DataSet, tmp_path: Path) -> None:
    wanted = [7, 2, 5]
    lines = [f"{i}\t{ten.offsets[i]}\n" for i in wanted]
    (tmp_path / "some.idx").write_text("".join(lines))

    batches = iterator(ten, path_imgidx=tmp_path / "some.idx", batch_size=3)

    assert epoch_ids(batches) == [102, 105, 107]


def test_the_index_is_written_beside_the_data_when_asked_for(
    ten: DataSet, tmp_path: Path
) -> None:
    rec = tmp_path / "copy.rec"
    rec.write_bytes(ten.rec.read_bytes())

    batches = iterator(rec, cache_index=True)

    assert (tmp_path / "copy.idx").read_text() == ten.idx.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.idx", "copy.rec"]
    batches.close()


def test_an_index_that_is_there_already_stays(ten: DataSet, tmp_path: Path) -> None:
    # Keys of im2rec were replaced by numbers.
    rec, idx = tmp_path / "copy.rec", tmp_path / "copy.idx"
    rec.write_bytes(ten.rec.read_bytes())
    idx.write_text("895099\t0\n")

    iterator(rec, cache_index=True).close()

    assert idx.read_text() == "895099\t0\n"


# ---- order ----


def test_an_unshuffled_epoch_has_the_order_of_the_file(photos: DataSet) -> None:
    batches = iterator(photos, batch_size=37)

    assert epoch_ids(batches) == photos.ids


def test_a_shuffled_epoch_is_another_permutation_each_time(many: DataSet) -> None:
    batches = iterator(many, batch_size=100, shuffle=True, data_shape=(3, 4, 4))
    first = epoch_ids(batches)
    batches.reset()

    second = epoch_ids(batches)

    assert sorted(first) == sorted(second) == many.ids
    assert first != many.ids
    # About one record in 1000 keeps its place by chance.
    assert sum(a == b for a, b in zip(first, second, strict=True)) < 10
    assert sum(a + 1 == b for a, b in itertools.pairwise(first)) < 10


def test_a_shuffled_order_is_the_same_with_and_without_an_index(many: DataSet) -> None:
    options = {"batch_size": 100, "shuffle": True, "seed": 4, "data_shape": (3, 4, 4)}

    without = epoch_ids(iterator(many, **options))
    with_index = epoch_ids(iterator(many, path_imgidx=many.idx, **options))

    assert with_index == without


def test_a_reset_without_a_batch_is_the_same_epoch_again(photos: DataSet) -> None:
    options = {"shuffle": True, "rand_crop": True, "data_shape": (3, 20, 20)}
    once, twice = iterator(photos, **options), iterator(photos, **options)
    twice.reset()
    twice.reset()

    expected, actual = epoch_bytes(once), epoch_bytes(twice)

    assert actual == expected


def test_a_reset_in_mid_epoch_is_the_next_epoch(photos: DataSet) -> None:
    options = {"shuffle": True, "batch_size": 37, "data_shape": (3, 8, 8)}
    whole, broken = (
        iterator(photos, **options),
        iterator(photos, **options | {"batch_size": 5}),
    )
    first = epoch_ids(whole)
    whole.reset()
    broken.next()
    broken.reset()

    second, after = epoch_ids(whole), epoch_ids(broken)

    assert after == second != first


def test_the_class_is_that_of_mx_io() -> None:
    assert mxio.io.ImageRecordIter is ImageRecordIter
