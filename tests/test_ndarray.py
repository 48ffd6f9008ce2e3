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

from mxio import ndarray
from mxio.errors import DataError, MxioError
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
    with pytest.raises(ValueError, match="exactly 1 element, got 2"):
        ndarray.array([1, 2]).asscalar()


def test_the_rest_is_numpy() -> None:
    array = ndarray.array([[1, 2, 3], [4, 5, 6]])

    changed = (array[:, ::-1] * 2).astype(np.uint8).copy()

    assert type(changed) is NDArray
    assert changed.tolist() == [[6, 4, 2], [12, 10, 8]]
    assert isinstance(array.sum(), np.float32)
    assert type(array.sum(axis=0)) is NDArray
    assert type(pickle.loads(pickle.dumps(array))) is NDArray


def test_array_is_float32_unless_told_otherwise() -> None:
    whole = np.array([1, 2])

    assert ndarray.array(whole).dtype == np.float32
    assert ndarray.array(whole, dtype="int64").dtype == np.int64
    assert ndarray.array(whole.view(NDArray)).dtype == whole.dtype
    assert not np.shares_memory(ndarray.array(whole.view(NDArray)), whole)


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
        (np.zeros(()), ValueError, r"scalar; give it the shape \(1,\)"),
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
