"""NDArrayIter against what MXNet 1.9.1 gave for the same arrays, and by arithmetic."""

import inspect
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxio import ndarray
from mxio._csr import csr
from mxio._param import NDARRAY
from mxio.errors import MxioError, ParameterError
from mxio.io import DataIter, NDArrayIter
from mxio.ndarray import NDArray

TEN = np.arange(10)

Epoch = list[tuple[list[int], int]]


def epoch_of(batches: Any) -> Epoch:
    """Data and padding of each batch; the labels must be ten times the data."""
    epoch = []
    for batch in batches:
        data = batch.data[0].astype(int).tolist()
        if batch.label:
            assert (batch.label[0] / 10).astype(int).tolist() == data
        epoch.append((data, batch.pad))
    return epoch


def epochs_of(batches: Any, count: int) -> list[Epoch]:
    """The same for several epochs, with a reset behind each."""
    epochs = []
    for _ in range(count):
        epochs.append(epoch_of(batches))
        batches.reset()
    return epochs


class Dataset:
    """Behaves as an h5py.Dataset: no memory of its own, rising numbers as index."""

    def __init__(self, values: Any) -> None:
        self._values = np.array(values)
        self.shape, self.dtype = self._values.shape, self._values.dtype
        self.reads: list[Any] = []

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, key: Any) -> Any:
        place = key[-1]
        if isinstance(place, list) and place != sorted(set(place)):
            raise TypeError("Indexing elements must be in increasing order")
        self.reads.append(place)
        return self._values[key]


# ---- the last batch ----


def test_pad_completes_the_last_batch_from_the_start() -> None:
    batches = NDArrayIter(TEN, TEN * 10, 4)

    epochs = epochs_of(batches, 2)

    expected = [([0, 1, 2, 3], 0), ([4, 5, 6, 7], 0), ([8, 9, 0, 1], 2)]
    assert epochs == [expected, expected]


def test_pad_goes_round_as_often_as_a_large_batch_needs() -> None:
    batches = NDArrayIter([np.arange(3)], None, 8)

    epoch = epoch_of(batches)

    assert epoch == [([0, 1, 2, 0, 1, 2, 0, 1], 5)]


@pytest.mark.parametrize(
    ("batch_size", "expected"),
    [
        (3, [([0, 1, 2], 0), ([3, 4, 5], 0), ([6, 7, 8], 0)]),
        (5, [([0, 1, 2, 3, 4], 0), ([5, 6, 7, 8, 9], 0)]),
        (16, []),
    ],
)
def test_discard_leaves_an_incomplete_batch_out(
    batch_size: int, expected: Epoch
) -> None:
    batches = NDArrayIter(TEN, TEN * 10, batch_size, last_batch_handle="discard")

    epochs = epochs_of(batches, 2)

    assert epochs == [expected, expected]


def test_roll_over_puts_an_incomplete_batch_before_the_next_epoch() -> None:
    batches = NDArrayIter(TEN, TEN * 10, 3, last_batch_handle="roll_over")

    epochs = epochs_of(batches, 4)

    assert epochs == [
        [([0, 1, 2], 0), ([3, 4, 5], 0), ([6, 7, 8], 0)],
        [([9, 0, 1], 2), ([2, 3, 4], 0), ([5, 6, 7], 0)],
        [([8, 9, 0], 1), ([1, 2, 3], 0), ([4, 5, 6], 0), ([7, 8, 9], 0)],
        [([0, 1, 2], 0), ([3, 4, 5], 0), ([6, 7, 8], 0)],
    ]


def test_roll_over_gathers_several_epochs_for_a_large_batch() -> None:
    # MXNet failed when the data did not fill the batch up in the second epoch.
    batches = NDArrayIter([np.arange(3)], None, 8, last_batch_handle="roll_over")

    epochs = epochs_of(batches, 4)

    assert epochs == [[], [], [([0, 1, 2, 0, 1, 2, 0, 1], 2)], []]


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_roll_over_holds_nothing_when_the_epoch_was_not_run_to_its_end(
    taken: int,
) -> None:
    batches = NDArrayIter(TEN, None, 4, last_batch_handle="roll_over")
    for _ in range(taken):
        batches.next()

    batches.reset()

    assert epoch_of(batches) == [([0, 1, 2, 3], 0), ([4, 5, 6, 7], 0)]


def test_what_rolled_over_is_given_up_by_a_reset_before_its_batch() -> None:
    batches = NDArrayIter(TEN, None, 4, last_batch_handle="roll_over")
    list(batches)

    batches.reset()
    batches.reset()

    assert epoch_of(batches)[0] == ([0, 1, 2, 3], 0)


@pytest.mark.parametrize("resets", [0, 1])
def test_hard_reset_gives_up_what_rolled_over(resets: int) -> None:
    batches = NDArrayIter(TEN, None, 4, last_batch_handle="roll_over")
    list(batches)
    for _ in range(resets):
        batches.reset()

    batches.hard_reset()

    assert epoch_of(batches)[0] == ([0, 1, 2, 3], 0)


def test_asking_again_at_the_end_changes_nothing() -> None:
    # In MXNet the cursor ran on, and what was to roll over was lost.
    batches = NDArrayIter(TEN, None, 4, last_batch_handle="roll_over")
    list(batches)

    for _ in range(3):
        with pytest.raises(StopIteration):
            batches.next()
    batches.reset()

    assert epoch_of(batches)[0] == ([8, 9, 0, 1], 2)


@given(
    count=st.integers(0, 30),
    batch_size=st.integers(1, 40),
    axis=st.integers(0, 1),
    shuffle=st.booleans(),
    on_disk=st.booleans(),
)
def test_pad_gives_every_sample_once_an_epoch(
    count: int, batch_size: int, axis: int, shuffle: bool, on_disk: bool
) -> None:
    values = np.arange(count * (1 + 2 * axis)).reshape((3, count) if axis else (count,))
    source: Any = Dataset(values) if on_disk else values
    layout = "TN" if axis else "N"
    batches = NDArrayIter(source, values, batch_size, shuffle, layout=layout)

    for _ in range(3):
        batches.reset()
        epoch = list(batches)

        assert len(epoch) == -(-count // batch_size)
        pads = [batch.pad for batch in epoch]
        assert pads[:-1] == [0] * len(pads[:-1])
        assert pads[-1:] == ([len(epoch) * batch_size - count] if count else [])
        for batch in epoch:
            np.testing.assert_array_equal(batch.data[0], batch.label[0])
            assert batch.data[0].shape[axis] == batch_size
        given = [np.moveaxis(batch.data[0], axis, 0) for batch in epoch]
        seen = [row.tolist() for row in itertools.chain(*given)]
        order = np.moveaxis(values, axis, 0)[batches.idx].tolist()
        assert seen == [order[place % count] for place in range(len(seen))]


@given(count=st.integers(0, 30), batch_size=st.integers(1, 40))
def test_discard_gives_each_of_the_first_samples_once(
    count: int, batch_size: int
) -> None:
    data = [np.arange(count)]
    batches = NDArrayIter(data, None, batch_size, last_batch_handle="discard")

    epochs = epochs_of(batches, 2)

    whole = count // batch_size * batch_size
    for epoch in epochs:
        assert [pad for _, pad in epoch] == [0] * (count // batch_size)
        assert [row for rows, _ in epoch for row in rows] == list(range(whole))


@given(
    count=st.integers(0, 30),
    batch_size=st.integers(1, 40),
    epochs=st.integers(1, 6),
    shuffle=st.booleans(),
)
def test_roll_over_gives_the_epochs_without_a_gap(
    count: int, batch_size: int, epochs: int, shuffle: bool
) -> None:
    data = [np.arange(count)]
    batches = NDArrayIter(data, None, batch_size, shuffle, "roll_over")
    orders: list[int] = []
    seen: list[int] = []

    for _ in range(epochs):
        orders += batches.idx.tolist()
        held = len(orders) - count - len(seen)
        for place, (rows, pad) in enumerate(epoch_of(batches)):
            assert pad == (batch_size - held if place == 0 and held else 0)
            seen += rows
        batches.reset()

    assert len(seen) == epochs * count // batch_size * batch_size
    assert seen == orders[: len(seen)]


# ---- names, types, shapes ----


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (TEN, ["x"]),
        ([TEN], ["x"]),
        ([TEN, TEN], ["_0_x", "_1_x"]),
        ([TEN] * 12, [f"_{place}_x" for place in range(12)]),
        ({"b": TEN, "a": TEN}, ["a", "b"]),
    ],
)
def test_arrays_are_named_by_their_place_or_key(data: Any, names: list[str]) -> None:
    batches = NDArrayIter(data, data, 2, data_name="x", label_name="x")

    provided = [one.name for one in batches.provide_data]
    provided_label = [one.name for one in batches.provide_label]

    assert provided == provided_label == [name for name, _ in batches.data] == names


def test_the_names_are_data_and_softmax_label_unless_told() -> None:
    batches = NDArrayIter(np.zeros((4, 3)), np.zeros((4, 2)), 2)

    assert batches.provide_data == [("data", (2, 3))]
    assert batches.provide_label == [("softmax_label", (2, 2))]
    assert batches.provide_data[0].layout == "NCHW"


def test_entries_of_a_dict_keep_their_own_values_and_the_dict_is_left_alone() -> None:
    entries = {"b": TEN, "a": TEN + 100}
    batches = NDArrayIter(entries, None, 2)

    batch = batches.next()

    assert [array.tolist() for array in batch.data] == [[100, 101], [0, 1]]
    assert entries["b"] is TEN
    assert list(entries) == ["b", "a"]


@pytest.mark.parametrize("label", [None, [], {}])
def test_without_labels_the_lists_are_empty(label: Any) -> None:
    batches = NDArrayIter(TEN, label, 4)

    batch = batches.next()

    assert (batches.provide_label, batches.label, batch.label) == ([], [], [])


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "float64", "bool"])
def test_numpy_arrays_become_float32(dtype: str) -> None:
    batches = NDArrayIter(np.ones((4, 2), dtype), np.ones(4, dtype), 2)

    batch = batches.next()

    for described in batches.provide_data + batches.provide_label:
        assert described.dtype is np.float32
    assert [array.dtype for array in (*batch.data, *batch.label)] == [np.float32] * 2


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float16, np.float64])
def test_an_ndarray_keeps_its_dtype(dtype: type) -> None:
    source = ndarray.array([1, 2, 3], dtype=dtype)
    batches = NDArrayIter(source, source, 2)

    last = list(batches)[-1]

    assert batches.provide_data[0].dtype is dtype
    assert (last.data[0].dtype, last.label[0].dtype) == (dtype, dtype)
    assert batches.data[0][1] is source


def test_lists_of_numbers_and_arrays_of_other_kinds_are_arrays_too() -> None:
    class Other:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return np.array([5, 6], dtype)

    batches = NDArrayIter(Other(), [[7, 8]])

    first = batches.next()

    assert (first.data[0].tolist(), first.label[0].tolist()) == ([5.0], [7.0])


def test_samples_beyond_those_of_the_first_array_are_left_out() -> None:
    batches = NDArrayIter({"a": np.arange(5), "b": np.arange(9)}, np.arange(7), 4)

    last = list(batches)[-1]

    assert last.pad == 3
    for array in (*last.data, *last.label):
        assert array.tolist() == [4, 0, 1, 2]


def test_the_layout_says_which_axis_the_samples_are_on() -> None:
    values = np.arange(12).reshape(2, 6)
    batches = NDArrayIter(values, values, 4, layout="TN")

    first, last = list(batches)

    assert batches.provide_data == [("data", (2, 4))]
    assert batches.provide_label == [("softmax_label", (2, 4))]
    assert batches.provide_data[0].layout == "TN"
    assert first.data[0].tolist() == [[0, 1, 2, 3], [6, 7, 8, 9]]
    assert last.data[0].tolist() == [[4, 5, 0, 1], [10, 11, 6, 7]]
    assert (last.pad, batches.num_data) == (2, 2)


def test_no_samples_give_no_batches() -> None:
    for handle in ("pad", "discard", "roll_over"):
        batches = NDArrayIter(np.zeros((0, 3)), None, 2, last_batch_handle=handle)

        assert epochs_of(batches, 2) == [[], []]
        assert batches.provide_data == [("data", (2, 3))]


# ---- memory ----


def test_batches_are_copies() -> None:
    source = ndarray.array(np.arange(4))
    batches = NDArrayIter(source, None, 2)
    first = batches.next()

    first.data[0][:] = 9

    assert source.tolist() == [0, 1, 2, 3]
    assert type(first.data[0]) is NDArray
    assert first.data[0].flags.c_contiguous


def test_a_numpy_array_may_change_afterwards() -> None:
    source = np.arange(4, dtype=np.float32)
    batches = NDArrayIter(source, None, 4)

    source[:] = 9

    assert epoch_of(batches) == [([0, 1, 2, 3], 0)]


def test_batches_of_an_inner_axis_lie_in_memory_in_their_order() -> None:
    values = np.arange(24).reshape(2, 6, 2)

    for shuffle, handle in itertools.product((False, True), ("pad", "roll_over")):
        batches = NDArrayIter(values, None, 4, shuffle, handle, layout="TNC")
        list(batches)
        batches.reset()

        for batch in batches:
            assert batch.data[0].flags.c_contiguous


# ---- shuffle ----


def test_the_seed_of_numpy_gives_the_batches_of_mxnet() -> None:
    # Written down from MXNet 1.9.1: three epochs of roll_over, whose second and third
    # orders are orders of what the one before left.
    np.random.seed(3)
    batches = NDArrayIter(TEN, TEN * 10, 4, shuffle=True, last_batch_handle="roll_over")

    epochs = epochs_of(batches, 3)

    assert epochs == [
        [([5, 4, 1, 2], 0), ([9, 6, 7, 0], 0)],
        [([3, 8, 1, 2], 2), ([4, 9, 3, 8], 0), ([6, 0, 5, 7], 0)],
        [([4, 7, 1, 3], 0), ([6, 5, 0, 2], 0)],
    ]


def test_idx_says_where_each_sample_was_in_every_epoch() -> None:
    # In MXNet only until the second shuffle.
    source = np.arange(100, 110)
    batches = NDArrayIter(source, None, 5, shuffle=True)

    for _ in range(3):
        order = batches.idx
        rows = [row for rows, _ in epoch_of(batches) for row in rows]

        assert rows == source[order].tolist()
        assert batches.data[0][1].tolist() == rows
        assert sorted(rows) == source.tolist()
        batches.reset()


def test_shuffling_leaves_the_array_of_the_caller_alone() -> None:
    source = ndarray.array(TEN)

    batches = NDArrayIter(source, None, 5, shuffle=True)
    batches.reset()

    assert source.tolist() == TEN.tolist()


def test_without_shuffle_the_generator_is_not_touched() -> None:
    np.random.seed(5)
    expected = np.random.randint(1 << 30)
    np.random.seed(5)

    list(NDArrayIter(TEN, TEN, 4))

    assert np.random.randint(1 << 30) == expected


# ---- data sets on disk, sparse matrices ----


def test_a_data_set_on_disk_is_read_batch_by_batch() -> None:
    source = Dataset(np.arange(20, dtype=np.float64).reshape(10, 2))
    batches = NDArrayIter(source, TEN, 4)

    epoch = list(batches)

    assert batches.data[0][1] is source
    assert batches.provide_data[0].dtype is np.float32
    assert [batch.data[0].dtype for batch in epoch] == [np.float32] * 3
    assert epoch[-1].data[0].tolist() == [[16, 17], [18, 19], [0, 1], [2, 3]]
    slices = [slice(0, 4), slice(4, 8), slice(8, 10), slice(0, 2)]
    assert source.reads == slices


def test_a_shuffled_data_set_on_disk_stays_beside_its_labels() -> None:
    # MXNet's reordering of the rows was right for pairs and wrong for larger cycles.
    source = Dataset(np.arange(50))
    batches = NDArrayIter(source, np.arange(50), 20, shuffle=True)

    for _ in range(2):
        rows = []
        for batch in batches:
            assert batch.data[0].tolist() == batch.label[0].tolist()
            rows += batch.data[0].tolist()

        assert sorted(rows[:50]) == list(range(50))
        assert rows[:50] != list(range(50))
        batches.reset()


def test_an_hdf5_data_set_is_one(tmp_path: Any) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        source = file.create_dataset("a", data=np.arange(21).reshape(7, 3))

        for shuffle in (False, True):
            batches = NDArrayIter(source, np.arange(7), 3, shuffle)
            for batch in batches:
                np.testing.assert_array_equal(batch.data[0][:, 0], batch.label[0] * 3)
            assert batches.data[0][1] is source


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_sparse_matrix_gives_sparse_batches(shuffle: bool) -> None:
    # Rows (5, 0, 7), (0, 0, 0), (0, 1, 0), (2, 3, 4), (0, 0, 6).
    values = np.array([5, 7, 1, 2, 3, 4, 6], np.float64)
    columns, ends = np.array([0, 2, 1, 0, 1, 2, 2]), np.array([0, 2, 2, 3, 6, 7])
    dense = np.array([[5, 0, 7], [0, 0, 0], [0, 1, 0], [2, 3, 4], [0, 0, 6]])
    source = csr(values, columns, ends, (5, 3))
    batches = NDArrayIter({"x": source}, np.arange(5), 2, shuffle, "discard")

    for _ in range(3):
        epoch = list(batches)

        assert batches.provide_data == [("x", (2, 3))]
        assert [batch.pad for batch in epoch] == [0, 0]
        for batch in epoch:
            assert (batch.data[0].stype, batch.data[0].shape) == ("csr", (2, 3))
            assert batch.data[0].dtype == np.float64
            rows = batch.label[0].astype(int)
            np.testing.assert_array_equal(batch.data[0].asnumpy(), dense[rows])
        batches.reset()


def test_every_sparse_format_of_scipy_is_taken() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    dense = np.arange(20, dtype=np.float32).reshape(5, 4) % 3

    for kind in (sparse.csr_matrix, sparse.csc_matrix, sparse.coo_array):
        batches = NDArrayIter(kind(dense), None, 2, last_batch_handle="discard")

        first = batches.next()

        np.testing.assert_array_equal(first.data[0].asnumpy(), dense[:2])


@pytest.mark.parametrize(
    ("handle", "layout"), [("pad", "NC"), ("roll_over", "NC"), ("discard", "CN")]
)
def test_a_sparse_matrix_is_refused_unless_it_is_cut_in_whole_batches_of_rows(
    handle: str, layout: str
) -> None:
    nothing = np.zeros(0, np.int64)
    source = csr(nothing, nothing, np.zeros(4, np.int64), (3, 3))

    for data, label in ((source, None), (np.zeros((3, 3)), source)):
        with pytest.raises(NotImplementedError, match="must be 'discard' and the"):
            NDArrayIter(data, label, 2, False, handle, layout=layout)


# ---- the protocol ----


def test_the_getters_show_the_current_batch() -> None:
    batches = NDArrayIter(TEN, TEN * 10, 4)
    shown = []

    while batches.iter_next():
        data, label = batches.getdata(), batches.getlabel()
        shown.append((data[0].tolist(), label[0].tolist(), batches.getpad()))
        assert batches.getindex() is None

    assert shown[-1] == ([8, 9, 0, 1], [80, 90, 0, 10], 2)
    assert len(shown) == 3


@pytest.mark.parametrize("handle", ["pad", "discard", "roll_over"])
def test_iter_next_and_next_see_the_same_batches(handle: str) -> None:
    # In MXNet iter_next also showed the incomplete batch that next keeps back.
    by_next = NDArrayIter(TEN, None, 3, last_batch_handle=handle)
    by_getters = NDArrayIter(TEN, None, 3, last_batch_handle=handle)

    for _ in range(3):
        shown = []
        while by_getters.iter_next():
            rows = by_getters.getdata()[0].astype(int).tolist()
            shown.append((rows, by_getters.getpad()))

        assert shown == epoch_of(by_next)
        by_next.reset()
        by_getters.reset()


def test_the_cursor_is_the_place_of_the_current_batch() -> None:
    batches = NDArrayIter(TEN, None, 4, last_batch_handle="roll_over")

    places = [batches.cursor]
    for _ in range(2):
        places += [batches.cursor for _ in batches]
        batches.reset()

    assert places == [-4, 0, 4, -2, 2, 6]
    assert (batches.num_data, batches.batch_size) == (10, 4)


def test_the_getters_without_a_batch_say_what_to_call() -> None:
    fresh, done = NDArrayIter(TEN, TEN, 4), NDArrayIter(TEN, TEN, 4)
    list(done)

    for batches, name in itertools.product((fresh, done), ("getdata", "getlabel")):
        with pytest.raises(MxioError, match="call iter_next"):
            getattr(batches, name)()


def test_it_is_a_dataiter_without_length() -> None:
    batches = NDArrayIter(TEN)

    assert isinstance(batches, DataIter)
    assert iter(batches) is batches
    assert not hasattr(batches, "__len__")
    assert batches.next().index is None


# ---- arguments ----


@pytest.mark.parametrize("data", [None, [], {}])
def test_data_are_needed(data: Any) -> None:
    with pytest.raises(AssertionError, match="at least one array"):
        NDArrayIter(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("text", "data must be an array, .* got str"),
        (5, "data must be an array, .* got int"),
        ((TEN, TEN), "data must be an array, .* got tuple"),
        ({"a": "text"}, "a must be an array, got str"),
        ([TEN, object()], "_1_data must be an array, got object"),
        ([[[1, 2], [3]]], "data must be an array, got list"),
    ],
)
def test_what_is_no_array_is_a_type_error(data: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        NDArrayIter(data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"batch_size": "-3"}, "batch_size must be at least 1, got -3"),
        ({"batch_size": "four"}, "batch_size must be a whole number, got 'four'"),
        ({"shuffle": 2}, "shuffle must be True or False, got 2"),
        ({"shuffle": "yes"}, "shuffle must be True or False, got 'yes'"),
        (
            {"last_batch_handle": "keep"},
            "must be one of 'pad', 'discard', 'roll_over', got 'keep'",
        ),
        ({"layout": "TC"}, "layout must have an 'N', got 'TC'"),
        ({"layout": "CN"}, r"data must have an axis 1, .* 'CN', got shape \(10,\)"),
        ({"label": [1.0]}, r"softmax_label must have an axis 0, .* got shape \(\)"),
        ({"label": TEN[:9]}, "softmax_label .* the 10 samples of data, got 9"),
    ],
)
def test_a_wrong_value_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        NDArrayIter(TEN, **options)

    assert isinstance(caught.value, MxioError)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 2.5}, r"batch_size must be a whole number, got 2\.5 \(float\)"),
        ({"batchsize": 2}, "no parameter 'batchsize'; did you mean 'batch_size'?"),
        ({"last_batch": "pad"}, "NDArrayIter does not take .* 'last_batch'"),
        ({"handle": "pad"}, "no parameter 'handle'"),
    ],
)
def test_a_wrong_type_or_name_is_a_type_error(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        NDArrayIter(TEN, **options)


def test_the_data_argument_is_needed() -> None:
    with pytest.raises(TypeError, match="data"):
        NDArrayIter()  # type: ignore[call-arg]  # what is tested


def test_values_may_be_given_as_text_or_by_place() -> None:
    options: dict[str, Any] = {"batch_size": "4", "shuffle": "false"}
    size: Any = np.int64(4)

    by_text = NDArrayIter(TEN, TEN * 10, **options)
    by_place = NDArrayIter(TEN, TEN * 10, size, False, "pad")

    assert epoch_of(by_text) == epoch_of(by_place)
    assert by_text.shuffle is False


# ---- the table of parameters ----


def test_the_signature_is_that_of_the_table() -> None:
    parameters = inspect.signature(NDArrayIter).parameters

    shown = {
        name: ... if parameter.default is parameter.empty else parameter.default
        for name, parameter in parameters.items()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    }

    assert shown == {
        name: ... if row.required else row.default for name, row in NDARRAY.items()
    }
