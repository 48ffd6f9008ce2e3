"""The NDArray face, and NDArray list files against MXNet's and hand-made ones."""

import errno
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import mxio
from mxio import context, ndarray, recordio
from mxio.context import Context
from mxio.errors import DataError, MxioError, ParameterError
from mxio.ndarray import NDArray

GOLDEN = Path(__file__).parent / "golden" / "files"
VALUES = np.arange(6, dtype="<f4").reshape(2, 3)
CPU_FLOAT = struct.pack("<iii", 1, 0, 0)
V1 = struct.pack("<Iiqq", 0xF993FAC8, 2, 2, 3) + CPU_FLOAT + VALUES.tobytes()
V2 = struct.pack("<Iiiqq", 0xF993FAC9, 0, 2, 2, 3) + CPU_FLOAT + VALUES.tobytes()
V3 = struct.pack("<Iiiqq", 0xF993FACA, 0, 2, 2, 3) + CPU_FLOAT + VALUES.tobytes()
V0 = struct.pack("<III", 2, 2, 3) + CPU_FLOAT + VALUES.tobytes()
TYPES = {
    np.float32: 0,
    np.float64: 1,
    np.float16: 2,
    np.uint8: 3,
    np.int32: 4,
    np.int8: 5,
    np.int64: 6,
    np.bool_: 7,
    np.int16: 8,
    np.uint16: 9,
    np.uint32: 10,
    np.uint64: 11,
}


def list_file(*items: bytes, names: tuple[bytes, ...] = ()) -> bytes:
    """The bytes of a list file around arrays that are bytes already."""
    tail = b"".join(struct.pack("<Q", len(name)) + name for name in names)
    head = struct.pack("<QQQ", 0x112, 0, len(items))
    return head + b"".join(items) + struct.pack("<Q", len(names)) + tail


def load_bytes(folder: Path, data: bytes) -> Any:
    path = folder / "a.params"
    path.write_bytes(data)
    return ndarray.load(path)


# The array


def test_asnumpy_is_a_plain_view() -> None:
    array = ndarray.array([[1, 2], [3, 4]])

    plain = array.asnumpy()
    plain[0, 0] = 9

    assert type(plain) is np.ndarray
    assert array[0, 0] == 9


def test_mxnets_methods_are_there() -> None:
    array = ndarray.array([5])

    array.wait_to_read()

    assert (array.asscalar(), type(array.asscalar())) == (5.0, np.float32)
    assert (str(array.context), array.ctx.device_type) == ("cpu(0)", "cpu")
    with pytest.raises(ParameterError, match="exactly 1 element, got 2"):
        ndarray.array([1, 2]).asscalar()


def test_the_rest_is_numpy() -> None:
    array = ndarray.array([[1, 2, 3], [4, 5, 6]])

    changed = (array[:, ::-1] * 2).astype(np.uint8).copy()

    assert type(changed) is NDArray
    assert changed.tolist() == [[6, 4, 2], [12, 10, 8]]
    assert isinstance(array.sum(), np.float32)
    assert type(array.sum(axis=0)) is NDArray
    assert type(pickle.loads(pickle.dumps(array))) is NDArray


def test_what_is_written_in_place_stays_the_same_object() -> None:
    # `array += 1` made the name stand for another object over the same memory.
    array = kept = ndarray.array([1, 2])

    array += 1
    array *= array

    assert array is kept
    assert kept.tolist() == [4, 9]
    assert np.add(kept, 1, out=kept) is kept


NUMBER_TYPES = [
    *(np.float16, np.float32, np.float64, np.int8, np.int16, np.int32, np.int64),
    *(np.uint8, np.uint16, np.uint32, np.uint64),
]


@pytest.mark.parametrize("dtype", NUMBER_TYPES)
def test_an_element_has_mxnets_methods_and_is_a_number_of_numpy(dtype: Any) -> None:
    # asscalar was missing: a program that changes the import called it on elements.
    element: Any = ndarray.array([3, 4], dtype=dtype)[0]

    assert type(element.asscalar()) is dtype
    assert (element.asnumpy().tolist(), element.asnumpy().dtype) == ([3], dtype)
    assert element.as_in_context(element.context) is element
    assert element.wait_to_read() is None
    assert isinstance(element, dtype)
    assert bool(np.isscalar(element))
    assert np.array([element]).dtype == np.dtype(type(element)) == element.dtype
    assert type(pickle.loads(pickle.dumps(element))) is dtype
    assert {3: "three"}[element] == "three"
    assert f"{element:.2f}" == f"{dtype(3):.2f}"
    assert str(element) == str(dtype(3))
    assert type(element + element) is dtype
    assert (element * np.ones(2, dtype)).dtype == dtype


def test_an_element_is_a_copy() -> None:
    array = ndarray.array([1, 2])
    element = array[0]

    array[0] = 9

    assert element == 1


@pytest.mark.parametrize(
    ("expression", "right"),
    [
        ("x.sum()", 10),
        ("x.max()", 4),
        ("x.min()", 1),
        ("x.prod()", 24),
        ("x.mean()", 2.5),
        ("x.var()", 1.25),
        ("x.std()", 1.25**0.5),
        ("x.argmax()", 3),
        ("x.argmin()", 0),
        ("x[0].dot(x[1])", 11),
        ("(x[0] @ x[1])", 11),
        ("(x == 1).sum()", 1),
        ("(x > 2).mean()", 0.5),
        ("np.mean(x)", 2.5),
        ("x.sum(axis=0).max()", 6),
        ("list(x[0])[1]", 2),
    ],
)
def test_what_a_reduction_gives_has_mxnets_methods(
    expression: str, right: float
) -> None:
    number = eval(expression, {"x": ndarray.array([[1, 2], [3, 4]]), "np": np})

    assert number.asscalar() == pytest.approx(right)
    assert number.asnumpy().shape == (1,)


def test_a_label_taken_from_a_batch_is_packed_as_one_number() -> None:
    label = ndarray.array([7, 8])[0]

    record = recordio.pack(recordio.IRHeader(0, label, 1, 0), b"")

    assert record == struct.pack("<IfQQ", 0, 7.0, 1, 0)


def test_array_is_float32_unless_told_otherwise() -> None:
    whole = np.array([1, 2])

    assert ndarray.array(whole).dtype == np.float32
    assert ndarray.array(whole, dtype="int64").dtype == np.int64
    assert ndarray.array(whole.view(NDArray)).dtype == whole.dtype
    assert not np.shares_memory(ndarray.array(whole.view(NDArray)), whole)


# What MXNet's methods and functions give; expected values are those of MXNet 1.9.1.

BLOCK = np.arange(24).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("codes", "shape"),
    [
        ((0, -1), (2, 12)),
        ((-1, 0), (8, 3)),
        ((0, 0, -1), (2, 3, 4)),
        ((-2,), (2, 3, 4)),
        ((0, -2), (2, 3, 4)),
        ((-2, 1, 1), (2, 3, 4, 1, 1)),
        ((-3, 0), (6, 4)),
        ((0, -3), (2, 12)),
        ((0, -3, 1), (2, 12, 1)),
        ((-3, -2), (6, 4)),
        ((-4, 1, 2, -2), (1, 2, 3, 4)),
        ((0, -4, -1, 3, 0), (2, 1, 3, 4)),
        ((0, -4, 3, -1, 0), (2, 3, 1, 4)),
        ((4, 6), (4, 6)),
        ((-1,), (24,)),
    ],
)
def test_reshape_knows_the_codes_of_mxnet(
    codes: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    array = ndarray.array(BLOCK)

    shaped = (
        array.reshape(codes),
        array.reshape(*codes),
        array.reshape(shape=codes),
        array.reshape(list(codes)),
        ndarray.reshape(array, shape=codes),
    )

    for one in shaped:
        assert type(one) is NDArray
        np.testing.assert_array_equal(one, BLOCK.reshape(shape))
    assert np.shares_memory(shaped[0], array)
    assert not np.shares_memory(shaped[-1], array)


@pytest.mark.parametrize(
    "codes", [(5, -1), (0, 0, 0, 0), (-3, -3), (-4, 2), (-4, 0, -1, -2), (-5, 1)]
)
def test_a_shape_that_does_not_fit_is_refused(codes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"shape|dimension"):
        ndarray.array(BLOCK).reshape(codes)


def test_reshape_is_still_that_of_numpy() -> None:
    array, empty = ndarray.array(BLOCK), ndarray.zeros((3, 0))

    assert array.reshape((6, 4), order="F").tolist() == (
        BLOCK.reshape((6, 4), order="F").tolist()
    )
    assert array.reshape(24).shape == np.reshape(array, -1).shape == (24,)
    assert empty.reshape((0, 7)).shape == (0, 7)
    assert ndarray.array([5]).reshape(()).shape == ()


def test_numpy_functions_that_flatten_still_work() -> None:
    array = ndarray.array([[3, 1], [2, 3]])

    assert np.unique(array).tolist() == [1, 2, 3]
    assert np.median(array) == 2.5
    assert np.sort(array, axis=None).tolist() == [1, 2, 3, 3]
    assert array.flatten().shape == (4,)


@pytest.mark.parametrize("axes", [None, (2, 0, 1), [2, 0, 1], (1, 0, 2)])
def test_axes_are_transposed_however_they_are_given(axes: Any) -> None:
    array = ndarray.array(BLOCK)
    expected = BLOCK.transpose(axes)

    by_method = array.transpose(axes), array.transpose(axes=axes)
    by_function = ndarray.transpose(array, axes), ndarray.transpose(array, axes=axes)

    for one in (*by_method, *by_function):
        np.testing.assert_array_equal(one, expected)
        assert type(one) is NDArray
    assert array.transpose(1, 2, 0).shape == (3, 4, 2)
    assert array.transpose().shape == array.T.shape == (4, 3, 2)


def test_what_a_function_gives_is_new_memory_in_its_order() -> None:
    array = ndarray.array(BLOCK)

    made = [
        ndarray.transpose(array, (0, 1, 2)),
        ndarray.transpose(array),
        ndarray.flip(array, axis=2),
        ndarray.expand_dims(array, axis=0),
        ndarray.flatten(array),
        ndarray.slice(array, (0,), (2,)),
        ndarray.slice_axis(array, 1, 0, 3),
        array.flip(0),
        array.expand_dims(-1),
        array.slice((0,), (1,)),
        array.slice_axis(2, 1, None),
        array.copyto(array.context),
    ]

    for one in made:
        assert type(one) is NDArray
        assert one.flags.c_contiguous
        assert not np.shares_memory(one, array)


def test_flip_turns_one_axis_or_several() -> None:
    array = ndarray.array(BLOCK)

    assert ndarray.flip(data=array, axis=2)[0, 0].tolist() == [3, 2, 1, 0]
    assert ndarray.flip(array, axis=(0, 1))[0, 0].tolist() == [20, 21, 22, 23]
    assert array.flip(axis=1)[0, 0].tolist() == [8, 9, 10, 11]


def test_flatten_as_a_function_keeps_the_first_axis() -> None:
    assert ndarray.flatten(ndarray.array(BLOCK)).shape == (2, 12)
    assert ndarray.flatten(ndarray.array([1, 2, 3])).shape == (3, 1)
    assert ndarray.flatten(ndarray.zeros((0, 2, 3))).shape == (0, 6)


def test_slices_are_cut_by_begin_end_and_step() -> None:
    array = ndarray.array(BLOCK)

    rows = ndarray.slice(array, begin=(0, 1), end=(1, 3))
    steps = array.slice((None, 0, 0), (None, 2, 4), step=(None, None, 2))

    assert rows.tolist() == [[[4, 5, 6, 7], [8, 9, 10, 11]]]
    assert steps.tolist() == [[[0, 2], [4, 6]], [[12, 14], [16, 18]]]
    assert "slice" not in ndarray.__all__


@pytest.mark.parametrize(
    ("axis", "begin", "end", "expected"),
    [
        (2, 1, None, BLOCK[:, :, 1:]),
        (2, -2, 4, BLOCK[:, :, 2:]),
        (-1, 0, -1, BLOCK[:, :, :3]),
        (0, 1, 2, BLOCK[1:]),
        (1, 0, 3, BLOCK),
    ],
)
def test_one_axis_is_sliced_from_begin_to_end(
    axis: int, begin: int, end: int | None, expected: Any
) -> None:
    array = ndarray.array(BLOCK)

    cut = ndarray.slice_axis(array, axis=axis, begin=begin, end=end)

    np.testing.assert_array_equal(cut, expected)
    np.testing.assert_array_equal(array.slice_axis(axis, begin, end), expected)


def test_a_slice_beyond_its_axis_is_refused() -> None:
    array = ndarray.array(BLOCK)

    with pytest.raises(ParameterError, match=r"end must be in \[-4, 4\], .* got 9"):
        array.slice_axis(2, 0, 9)
    with pytest.raises(ParameterError, match=r"begin must be in \[-2, 2\], .* got -3"):
        ndarray.slice_axis(array, 0, -3, None)


def test_new_arrays_are_float32_unless_told_otherwise() -> None:
    cpu = Context("cpu", 0)

    assert ndarray.zeros(3).tolist() == [0, 0, 0]
    assert ndarray.ones((1, 2), cpu).tolist() == [[1, 1]]
    assert ndarray.full((2,), 3).tolist() == [3, 3]
    assert ndarray.empty((2, 1)).shape == (2, 1)
    for made in (
        ndarray.zeros(3, dtype=None),
        ndarray.ones(3, cpu),
        ndarray.full(3, 1),
        ndarray.empty(3, ctx=cpu),
        ndarray.arange(3),
    ):
        assert type(made) is NDArray
        assert made.dtype == np.float32
    for typed in (
        ndarray.zeros((2,), cpu, "uint8"),
        ndarray.ones((2,), dtype=np.uint8),
        ndarray.full((2,), 1, dtype="uint8"),
        ndarray.empty((2,), cpu, "uint8"),
        ndarray.arange(2, dtype="uint8"),
    ):
        assert typed.dtype == np.uint8


def test_arange_counts_and_repeats() -> None:
    assert ndarray.arange(5).tolist() == [0, 1, 2, 3, 4]
    assert ndarray.arange(2, 8, 2, repeat=2).tolist() == [2, 2, 4, 4, 6, 6]
    assert ndarray.arange(1, 0, -0.25).tolist() == [1, 0.75, 0.5, 0.25]


def test_arrays_are_joined_along_an_axis_or_a_new_one() -> None:
    ones, zeros = ndarray.ones((2, 1)), ndarray.zeros((2, 2))

    assert ndarray.concat(ones, zeros).tolist() == [[1, 0, 0], [1, 0, 0]]
    assert ndarray.concat(ones, ones, dim=0).shape == (4, 1)
    assert ndarray.concatenate([ones, ones]).shape == (4, 1)
    assert ndarray.concatenate([ones, zeros], axis=1).shape == (2, 3)
    assert ndarray.stack(zeros, zeros).shape == (2, 2, 2)
    assert ndarray.stack(ones[:, 0], zeros[:, 0], axis=1).tolist() == [[1, 0], [1, 0]]
    assert type(ndarray.stack(ones)) is type(ndarray.concat(ones)) is NDArray


def test_copyto_casts_into_the_other_array() -> None:
    source, target = ndarray.array([1.5, 2.5]), ndarray.zeros(2, dtype="uint8")

    returned = source.copyto(target)
    copied = source.copyto(Context("gpu", 1))

    assert returned is target
    assert target.tolist() == [1, 2]
    assert copied.tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("other", "kind", "message"),
    [
        (ndarray.zeros(3), ParameterError, r"needs the shape \(1,\), got \(3,\)"),
        (5, TypeError, "needs an NDArray or a Context, got int"),
    ],
)
def test_copyto_refuses_other_targets(
    other: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        ndarray.array([1]).copyto(other)


def test_devices_are_names_and_every_array_is_on_the_cpu() -> None:
    array = ndarray.array([1], ctx=mxio.gpu(1))

    with mxio.gpu(2) as device, mxio.Context("cpu_pinned"):
        moved = array.as_in_context(device)
        ndarray.waitall()

    assert moved is array
    assert array.context == array.ctx == mxio.cpu() == mxio.cpu(0)
    assert [str(device), repr(mxio.cpu()), f"{context.cpu_pinned()}"] == [
        "gpu(2)",
        "cpu(0)",
        "cpu_pinned(0)",
    ]
    assert (device.device_type, device.device_id) == ("gpu", 2)
    assert {mxio.gpu(): 1}[context.Context("gpu", 0)] == 1
    assert (context.current_context(), context.num_gpus()) == (mxio.cpu(), 0)


def test_the_validation_pairs_of_a_face_program_are_made() -> None:
    # Decode, move channels to the front, keep the mirrored picture beside it.
    picture = ndarray.array(BLOCK, dtype="uint8")
    pairs = [ndarray.empty((1, 4, 2, 3)) for _ in range(2)]

    image = ndarray.transpose(picture, axes=(2, 0, 1))
    for place in (0, 1):
        if place == 1:
            image = ndarray.flip(data=image, axis=2)
        pairs[place][0][:] = image

    np.testing.assert_array_equal(pairs[0][0], BLOCK.transpose(2, 0, 1))
    np.testing.assert_array_equal(pairs[1][0], BLOCK.transpose(2, 0, 1)[:, :, ::-1])


# Files of MXNet, and hand-made ones


def test_a_mean_image_of_mxnet_is_read_and_written_byte_for_byte(
    tmp_path: Path,
) -> None:
    source = GOLDEN / "mean_crop28.bin"

    loaded = ndarray.load(source)
    ndarray.save(tmp_path / "mean.bin", loaded)

    assert isinstance(loaded, dict)
    assert list(loaded) == ["mean_img"]
    assert loaded["mean_img"].shape == (3, 28, 28)
    assert loaded["mean_img"].dtype == np.float32
    assert (tmp_path / "mean.bin").read_bytes() == source.read_bytes()


def test_the_oldest_version_holds_the_same_mean_image() -> None:
    old = ndarray.load(GOLDEN / "mean_crop28_v0.bin")
    new = ndarray.load(GOLDEN / "mean_crop28.bin")

    [old_mean] = old.values() if isinstance(old, dict) else old
    [new_mean] = new.values() if isinstance(new, dict) else new

    assert np.array_equal(old_mean, new_mean)


@pytest.mark.parametrize("item", [V0, V1, V2, V3])
def test_every_version_is_read(tmp_path: Path, item: bytes) -> None:
    loaded = load_bytes(tmp_path, list_file(item, item))

    assert [type(array) for array in loaded] == [NDArray, NDArray]
    assert all(np.array_equal(array, VALUES) for array in loaded)
    assert loaded[0].flags.writeable


@pytest.mark.parametrize(
    "item",
    [
        struct.pack("<Iii", 0xF993FAC9, 0, 0),
        struct.pack("<Ii", 0xF993FAC8, 0),
        struct.pack("<I", 0),
        struct.pack("<Iii", 0xF993FACA, 0, -1),
        struct.pack("<Iiiq", 0xF993FACA, 0, 1, -1),
    ],
)
def test_an_array_without_shape_is_empty(tmp_path: Path, item: bytes) -> None:
    empty, full = load_bytes(tmp_path, list_file(item, V2))

    assert (empty.shape, empty.dtype) == ((0,), np.float32)
    assert np.array_equal(full, VALUES)


def test_a_scalar_of_version_3_is_read(tmp_path: Path) -> None:
    item = struct.pack("<Iii", 0xF993FACA, 0, 0) + CPU_FLOAT + struct.pack("<f", 2.5)

    [scalar] = load_bytes(tmp_path, list_file(item))

    assert (scalar.shape, scalar.asscalar()) == ((), 2.5)


@pytest.mark.parametrize(("dtype", "flag"), TYPES.items())
def test_every_type_has_its_flag(tmp_path: Path, dtype: type, flag: int) -> None:
    values: Any = np.array([[0, 1], [1, 0]]).astype(dtype)
    context_and_type = struct.pack("<iii", 1, 0, flag)
    shape = struct.pack("<Iiiqq", 0xF993FAC9, 0, 2, 2, 2)
    expected = list_file(shape + context_and_type + values.tobytes())

    ndarray.save(tmp_path / "a", values)

    assert (tmp_path / "a").read_bytes() == expected
    [loaded] = ndarray.load(tmp_path / "a")
    assert isinstance(loaded, NDArray)
    assert loaded.dtype == values.dtype
    assert np.array_equal(loaded, values)


def test_order_and_byte_order_in_memory_do_not_matter(tmp_path: Path) -> None:
    for values in (VALUES.T.copy().T, VALUES.astype(">f4"), VALUES[:, ::-1][:, ::-1]):
        ndarray.save(tmp_path / "a", [values])

        assert (tmp_path / "a").read_bytes() == list_file(V2)


shapes = arrays.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=4)
some_arrays = st.sampled_from(list(TYPES)).flatmap(
    lambda dtype: (
        arrays.arrays(dtype, shapes, elements={"allow_nan": False})
        if issubclass(dtype, np.floating)
        else arrays.arrays(dtype, shapes)
    )
)


@given(items=st.dictionaries(st.text(max_size=5), some_arrays, max_size=4))
def test_named_arrays_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, items: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("round") / "a.params"

    ndarray.save(path, items)
    loaded = ndarray.load(path)

    if not items:
        assert loaded == []
        return
    assert isinstance(loaded, dict)
    assert list(loaded) == list(items)
    for name, values in items.items():
        assert (loaded[name].shape, loaded[name].dtype) == (values.shape, values.dtype)
        assert np.array_equal(loaded[name], values)


# Hostile files


def test_a_file_cut_anywhere_is_a_data_error_that_says_where(tmp_path: Path) -> None:
    whole = list_file(V2, V0, V1, names=(b"a", b"bc", b""))

    for size in range(len(whole)):
        with pytest.raises(DataError, match=r"a\.params: byte \d+: .* left") as caught:
            load_bytes(tmp_path, whole[:size])
        assert caught.value.path == str(tmp_path / "a.params")
        assert caught.value.offset is not None
        assert caught.value.offset <= size


def test_bytes_behind_the_list_do_no_harm(tmp_path: Path) -> None:
    assert len(load_bytes(tmp_path, list_file(V2) + b"tail")) == 1


HUGE = 2**62


@pytest.mark.parametrize(
    ("data", "offset", "message"),
    [
        (struct.pack("<QQQ", 0x113, 0, 0), 0, "magic number is 0x113"),
        (struct.pack("<QQQ", 0x112, 0, 2**64 - 1), 24, "needs 4 bytes, 0 left"),
        (
            list_file(struct.pack("<Iiiqq", 0xF993FAC9, 0, 2, HUGE, HUGE) + CPU_FLOAT),
            64,
            "needs .* bytes, 8 left",
        ),
        (
            list_file(
                struct.pack("<Iiiqqq", 0xF993FAC9, 0, 3, 0, HUGE, HUGE) + CPU_FLOAT
            ),
            24,
            "no array of shape",
        ),
        (list_file(struct.pack("<Iiiq", 0xF993FAC9, 0, 1, -5)), 44, "negative"),
        (list_file(struct.pack("<Iii", 0xF993FAC9, 0, 2**31 - 1)), 32, "at most 32"),
        (list_file(struct.pack("<Iii", 0xF993FAC9, 0, -1)), 32, "at most 32"),
        (list_file(struct.pack("<I", 0xFFFFFFFF)), 24, "at most 32"),
        (list_file(struct.pack("<Ii", 0xF993FAC9, 1)), 28, r"sparse .*row_sparse"),
        (list_file(struct.pack("<Ii", 0xF993FAC9, 2)), 28, r"sparse .*csr"),
        (list_file(struct.pack("<Ii", 0xF993FAC9, 9)), 28, r"sparse .*type 9"),
        (list_file(V2[:-28] + struct.pack("<i", 12) + bytes(24)), 60, "type flag 12"),
        (list_file(V2[:-28] + struct.pack("<i", -1) + bytes(24)), 60, "type flag -1"),
        (list_file(V2, V2, names=(b"one",)), 160, "1 names for 2 arrays"),
        (list_file(V2, names=(b"\xff\xff",)), 104, "UTF-8"),
        (list_file(V2)[:-8] + struct.pack("<QQ", 1, 2**63), 104, "needs"),
    ],
)
def test_a_hostile_file_is_a_data_error_that_says_where(
    tmp_path: Path, data: bytes, offset: int, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_bytes(tmp_path, data)

    assert caught.value.offset == offset


@given(
    changes=st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 255)), max_size=4)
)
def test_changed_bytes_give_arrays_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(list_file(V2, V0, names=(b"a", b"b")))
    for place, value in changes:
        data[place % len(data)] = value

    try:
        loaded = load_bytes(tmp_path_factory.mktemp("hostile"), bytes(data))
    except DataError:
        loaded = []

    items = loaded.values() if isinstance(loaded, dict) else loaded
    assert sum(array.nbytes for array in items) <= len(data)


# Writing


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        ([VALUES, "text"], TypeError, "entry 1 must be an array, got str"),
        ([np.array(["text"])], TypeError, "array 0 has dtype <U4; known: float32"),
        ([VALUES.astype(complex)], TypeError, "complex128"),
        (np.float32(1) + np.zeros(()), TypeError, "float"),
        (np.zeros(()), ParameterError, r"scalar; give it the shape \(1,\)"),
        ({1: VALUES}, TypeError, r"names of arrays must be text, got 1 \(int\)"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(
    tmp_path: Path, data: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        ndarray.save(tmp_path / "a", data)

    assert os.listdir(tmp_path) == []


def test_a_full_disk_names_the_file_and_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.params"
    path.write_bytes(b"old")

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match=r"No space left.*a\.params") as caught:
        ndarray.save(path, VALUES)

    assert isinstance(caught.value, MxioError)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.params"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.params"):
        ndarray.load(tmp_path / "none.params")
