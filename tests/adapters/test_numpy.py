"""The NumPy face: one epoch an iteration, exact lengths, ranks, the last batch."""

import gc
import mmap
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mxio.adapters.numpy import ImageRecordLoader
from mxio.errors import DataError, MxioError, ParameterError
from tests.conftest import (
    DataSet,
    encoded,
    epoch_ids,
    iterator,
    picture,
    record,
    write_rec,
)


def loader(data: DataSet | Path, **options: Any) -> ImageRecordLoader:
    rec = data.rec if isinstance(data, DataSet) else data
    given: dict[str, Any] = {"data_shape": (3, 8, 8), "batch_size": 4} | options
    return ImageRecordLoader(**({"path_imgrec": rec} | given))


def ids_by_batch(batches: Any) -> list[list[int]]:
    return [(batch.index - 100).tolist() for batch in batches]


def test_a_batch_has_data_label_and_ids(ten: DataSet) -> None:
    batch = next(iter(loader(ten)))

    data, label = batch

    assert type(data) is type(label) is np.ndarray
    assert (data.shape, data.dtype.name) == ((4, 3, 8, 8), "float32")
    assert (label.shape, label.dtype.name) == ((4,), "float32")
    assert data[:, 0, 0, 0].tolist() == [0, 20, 40, 60]
    assert label.tolist() == [0, 1, 2, 3]
    assert batch.index.tolist() == [100, 101, 102, 103]
    assert batch.pad == 0


def test_bfloat16_is_what_ml_dtypes_makes_of_float32(photos: DataSet) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    options = {"data_shape": (3, 31, 29), "mean_r": 123.68, "std_b": 57.4}

    narrow = list(loader(photos, dtype=ml_dtypes.bfloat16, **options))
    wide = list(loader(photos, **options))

    assert len(narrow) == len(wide) == 10
    for some, exact in zip(narrow, wide, strict=True):
        assert some.data.dtype == ml_dtypes.bfloat16
        assert (some.data == exact.data.astype(ml_dtypes.bfloat16)).all()


def test_bfloat16_needs_a_type_that_numpy_knows(
    ten: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)

    with pytest.raises(TypeError, match="dtype='bfloat16' unless ml_dtypes is"):
        loader(ten, dtype="bfloat16")


@pytest.mark.parametrize(
    ("options", "expected", "pads"),
    [
        ({}, [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]], [0, 0, 0]),
        (
            {"last_batch": "partial"},
            [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]],
            [0, 0, 0],
        ),
        ({"last_batch": "drop"}, [[0, 1, 2, 3], [4, 5, 6, 7]], [0, 0]),
        (
            {"last_batch": "pad"},
            [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1]],
            [0, 0, 2],
        ),
        ({"last_batch": "pad", "batch_size": 16}, [[*range(10), *range(6)]], [6]),
        (
            {"last_batch": "pad", "batch_size": 23},
            [[*range(10), *range(10), 0, 1, 2]],
            [13],
        ),
        ({"last_batch": "partial", "batch_size": 16}, [[*range(10)]], [0]),
        ({"last_batch": "drop", "batch_size": 16}, [], []),
        ({"batch_size": 5}, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]], [0, 0]),
    ],
)
def test_the_last_batch_is_what_was_asked_for_in_every_epoch(
    ten: DataSet, options: dict[str, Any], expected: list[list[int]], pads: list[int]
) -> None:
    batches = loader(ten, **options)

    for _ in range(2):
        epoch = list(batches)

        assert ids_by_batch(epoch) == expected
        assert [batch.pad for batch in epoch] == pads
        assert [len(batch.data) for batch in epoch] == [len(ids) for ids in expected]
        assert [len(batch.label) for batch in epoch] == [len(ids) for ids in expected]
    assert len(batches) == len(expected)


def test_each_iteration_is_the_next_epoch(photos: DataSet) -> None:
    batches = loader(photos, shuffle=True)

    first, second = epoch_ids(batches), epoch_ids(batches)
    batches.set_epoch(0)
    again, after = epoch_ids(batches), epoch_ids(batches)

    assert sorted(first) == sorted(second) == photos.ids
    assert first != second
    assert (again, after) == (first, second)


def test_epochs_are_those_of_the_mx_face(photos: DataSet) -> None:
    options = {"shuffle": True, "seed": 8, "rand_crop": True, "data_shape": (3, 20, 20)}
    old = iterator(photos, round_batch=False, **options)
    list(old)
    old.reset()

    expected = [batch.data[0][: 4 - (batch.pad or 0)] for batch in old]
    batches = loader(photos, **options)
    batches.set_epoch(1)
    actual = [batch.data for batch in batches]

    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("epoch", [-1, -(2**40), 2**31])
def test_an_epoch_out_of_range_is_refused(ten: DataSet, epoch: int) -> None:
    with pytest.raises(ParameterError, match=f"epoch must be in .*, got {epoch}"):
        loader(ten).set_epoch(epoch)


@pytest.mark.parametrize("epoch", [1.5, "3", None, True, np.float64(2)])
def test_an_epoch_that_is_no_whole_number_is_refused(ten: DataSet, epoch: Any) -> None:
    # 1.5 was taken, and was no epoch at all.
    with pytest.raises(TypeError, match="epoch must be a whole number, got"):
        loader(ten).set_epoch(epoch)


def test_an_epoch_of_numpy_becomes_a_plain_number(ten: DataSet) -> None:
    # The state held the NumPy scalar, and could not be loaded.
    one = loader(ten)
    one.set_epoch(np.int64(3))  # type: ignore[arg-type]  # as programs do
    state = one.state_dict()

    loader(ten).load_state_dict(state)

    assert type(state["epoch"]) is int


def test_a_second_live_iterator_is_refused(ten: DataSet) -> None:
    batches = loader(ten)
    first = iter(batches)
    next(first)

    with pytest.raises(MxioError, match="under way"):
        iter(batches)

    assert next(first).index.tolist() == [104, 105, 106, 107]


def test_an_iterator_that_was_dropped_or_ended_is_not_in_the_way(ten: DataSet) -> None:
    # One that had ended but was still held kept the loader from going on.
    batches = loader(ten)
    for _ in batches:
        break
    ended = iter(batches)

    epoch = list(ended)

    assert len(epoch) == len(list(batches)) == 3
    assert list(ended) == []


def test_a_dropped_epoch_counts(photos: DataSet) -> None:
    broken, whole = loader(photos, shuffle=True), loader(photos, shuffle=True)
    for _ in broken:
        break
    list(whole)

    assert epoch_ids(broken) == epoch_ids(whole)


def test_with_closes(ten: DataSet) -> None:
    with loader(ten) as batches:
        kept = next(iter(batches))

    with pytest.raises(MxioError, match="closed"):
        list(batches)
    assert kept.label.tolist() == [0, 1, 2, 3]


def test_a_loader_that_is_no_longer_needed_is_freed(ten: DataSet) -> None:
    batches = loader(ten)
    next(iter(batches))
    gone = weakref.ref(batches)

    del batches
    gc.collect()

    assert gone() is None


# ---- ranks ----


@pytest.mark.parametrize("world", [1, 2, 3, 5])
@pytest.mark.parametrize("last", ["drop", "pad", "partial"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_ranks_deal_out_the_batches_of_one_order(
    photos: DataSet, world: int, last: str, shuffle: bool
) -> None:
    options = {"shuffle": shuffle, "seed": 2}
    order = epoch_ids(loader(photos, **options))
    ranks = [
        loader(photos, rank=rank, world_size=world, last_batch=last, **options)
        for rank in range(world)
    ]

    dealt = [[batch.index.tolist() for batch in one] for one in ranks]

    assert [len(one) for one in ranks] == [len(batches) for batches in dealt]
    whole = 4 * world
    for rank, batches in enumerate(dealt):
        for step, ids in enumerate(batches):
            first = step * whole + rank * 4
            wanted = order[first : first + 4]
            assert ids[: len(wanted)] == wanted
            assert len(ids) == 4 or last == "partial"
    seen = [id for batches in dealt for ids in batches for id in ids]
    if last == "partial":
        assert sorted(seen) == photos.ids
    elif last == "drop":
        assert len(seen) == len(set(seen)) == 37 // whole * whole
        assert len({len(batches) for batches in dealt}) == 1
    else:
        assert set(seen) == set(photos.ids)
        assert {len(batches) for batches in dealt} == {-(-37 // whole)}


def test_padding_of_ranks_is_counted(ten: DataSet) -> None:
    ranks = [
        loader(ten, rank=rank, world_size=3, last_batch="pad", batch_size=4)
        for rank in range(3)
    ]

    pads = [[batch.pad for batch in one] for one in ranks]

    assert pads == [[0], [0], [2]]


def test_rank_and_world_size_come_from_the_environment(
    ten: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")

    from_environment = ids_by_batch(loader(ten))
    given = ids_by_batch(loader(ten, rank=0, world_size=1))

    assert from_environment == [[4, 5, 6, 7]]
    assert given == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_ranks_may_share_a_part(ten: DataSet) -> None:
    shares = [
        ids_by_batch(
            loader(
                ten,
                path_imgidx=ten.idx,
                num_parts=2,
                part_index=1,
                rank=rank,
                world_size=2,
                batch_size=2,
            )
        )
        for rank in range(2)
    ]

    assert shares == [[[5, 6], [9]], [[7, 8]]]


# ---- lengths ----


@pytest.mark.parametrize("num_parts", [1, 2, 3])
@pytest.mark.parametrize("index", [False, True])
def test_the_length_of_a_part_is_exact(
    ten: DataSet, num_parts: int, index: bool
) -> None:
    parts = [
        loader(
            ten,
            num_parts=num_parts,
            part_index=k,
            batch_size=3,
            **({"path_imgidx": ten.idx} if index else {}),
        )
        for k in range(num_parts)
    ]

    lengths = [len(part) for part in parts]

    assert lengths == [len(list(part)) for part in parts]


def test_errors_are_told(tmp_path: Path) -> None:
    payloads = [record(encoded(picture(i, 8, 8)), 0, 100 + i) for i in range(6)]
    payloads[2] = record(b"bad", 0, 102)
    rec, _, _ = write_rec(tmp_path, payloads)
    batches = loader(rec, on_error="skip")

    epoch = ids_by_batch(batches)

    assert epoch == [[0, 1, 3, 4], [5]]
    assert [(entry.record, entry.id) for entry in batches.errors()] == [(2, 102)]


def test_without_an_index_the_heads_are_counted(ten: DataSet, tmp_path: Path) -> None:
    rec = tmp_path / "copy.rec"
    rec.write_bytes(ten.rec.read_bytes() * 3)

    batches = loader(rec, batch_size=7)

    assert len(batches) == 5
    assert len(epoch_ids(batches)) == 30


def test_a_missing_file_is_refused_in_the_constructor(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        loader(tmp_path / "none.rec")


def test_a_damaged_file_is_refused_in_the_constructor(tmp_path: Path) -> None:
    (tmp_path / "a.rec").write_bytes(b"nothing of the kind")

    with pytest.raises(DataError):
        loader(tmp_path / "a.rec")


class Memory:
    """Gives memory for batches, and knows which it gave."""

    def __init__(self) -> None:
        self.given: list[NDArray[np.uint8]] = []

    def __call__(self, size: int) -> NDArray[np.uint8]:
        self.given.append(np.full(size, 0xA5, np.uint8))
        return self.given[-1]

    def holds(self, array: NDArray[Any]) -> bool:
        return any(np.shares_memory(array, one) for one in self.given)


def test_batches_lie_in_memory_of_the_caller(photos: DataSet) -> None:
    memory = Memory()
    expected = [batch.data.copy() for batch in loader(photos)]

    for number, batch in enumerate(loader(photos, memory=memory, preprocess_threads=3)):
        assert memory.holds(batch.data)
        assert memory.holds(batch.label)
        assert memory.holds(batch.index)
        np.testing.assert_array_equal(batch.data, expected[number])

    # Those ahead, the one that is held, and the one that takes its place.
    assert len(memory.given) == 4 + 2


def test_batches_that_are_held_get_more_memory_and_keep_theirs(photos: DataSet) -> None:
    memory = Memory()
    expected = [batch.data.copy() for batch in loader(photos)]
    batches = loader(photos, memory=memory, prefetch_buffer=1)

    held = list(batches)
    del batches
    gc.collect()

    assert len(held) == 10
    for batch, data in zip(held, expected, strict=True):
        assert memory.holds(batch.data)
        np.testing.assert_array_equal(batch.data, data)


def test_memory_of_the_caller_is_let_go_with_loader_and_batches(
    photos: DataSet,
) -> None:
    class Kept(np.ndarray[Any, np.dtype[np.uint8]]):
        pass

    given: list[weakref.ref[Kept]] = []

    def memory(size: int) -> Kept:
        one = np.zeros(size, np.uint8).view(Kept)
        given.append(weakref.ref(one))
        return one

    batches = loader(photos, memory=memory)
    batch: Any = next(iter(batches))

    del batches
    gc.collect()
    assert all(one() is not None for one in given)  # one of them is under the batch
    data = batch.data
    del batch
    assert all(one() is not None for one in given)
    del data
    assert not any(one() is not None for one in given)


@pytest.mark.parametrize(
    ("memory", "error", "words"),
    [
        (lambda size: np.zeros(size - 1, np.uint8), ValueError, "must have .* bytes"),
        (lambda size: np.zeros(size + 1, np.uint8)[1:], ValueError, "multiple of 16"),
        (lambda size: np.zeros(2 * size, np.uint8)[::2], BufferError, "contiguous"),
        (bytes, BufferError, "not writable|read-only"),
        (lambda size: None, TypeError, "bytes-like"),
    ],
)
def test_memory_that_cannot_be_used_is_refused(
    photos: DataSet, memory: Any, error: type[Exception], words: str
) -> None:
    batches = iter(loader(photos, memory=memory))

    with pytest.raises(error, match=words):
        next(batches)


def test_memory_that_cannot_be_called_is_refused_at_once(photos: DataSet) -> None:
    with pytest.raises(TypeError, match=r"memory must be callable, got 3 \(int\)"):
        loader(photos, memory=3)
    with pytest.raises(TypeError, match="'memroy'; did you mean 'memory'"):
        loader(photos, memroy=bytearray)


def test_memory_is_not_given_twice(photos: DataSet) -> None:
    one = np.zeros(1 << 16, np.uint8)
    batches = iter(loader(photos, memory=lambda size: one))

    with pytest.raises(ValueError, match="under another batch already"):
        next(batches)


def test_parts_of_one_array_may_be_given(photos: DataSet) -> None:
    parts = iter(np.zeros((16, 1 << 12), np.uint8))
    expected = [batch.data.copy() for batch in loader(photos)]

    batches = loader(photos, memory=lambda size: next(parts))

    for batch, data in zip(batches, expected, strict=True):
        np.testing.assert_array_equal(batch.data, data)


def test_what_the_function_for_memory_raises_comes_through_and_passes(
    photos: DataSet,
) -> None:
    memory = Memory()
    failures = [MemoryError("none is left")]

    def now_and_then(size: int) -> NDArray[np.uint8]:
        if len(memory.given) == 2 and failures:
            raise failures.pop()
        return memory(size)

    batches = iter(loader(photos, memory=now_and_then))

    with pytest.raises(MemoryError, match="none is left"):
        next(batches)
    assert next(batches).index.tolist() == [100, 101, 102, 103]


def test_memory_may_be_shared_with_others(photos: DataSet, tmp_path: Path) -> None:
    maps: list[tuple[mmap.mmap, mmap.mmap]] = []

    def shared(size: int) -> mmap.mmap:
        path = tmp_path / str(len(maps))
        path.write_bytes(bytes(size))
        with path.open("r+b") as file:
            ours, theirs = (mmap.mmap(file.fileno(), size) for _ in range(2))
        maps.append((ours, theirs))
        return ours

    batch = next(iter(loader(photos, memory=shared)))

    seen = [np.frombuffer(theirs, np.float32, batch.data.size) for _, theirs in maps]
    assert sum((one == batch.data.ravel()).all() for one in seen) == 1
