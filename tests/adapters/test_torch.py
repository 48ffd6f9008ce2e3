"""The PyTorch face: batches and samples, workers, ranks, epochs, what is refused."""

import copy
import gc
import logging
import os
import weakref
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from pickle import dumps, loads
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mxio.errors import DataError, MxioError, ParameterError
from mxio.loader import ImageLoader
from tests.conftest import (
    DataSet,
    encoded,
    epoch_ids,
    iterator,
    picture,
    record,
    run_python,
    write_rec,
)
from tests.threads import settled, tasks, tasks_at_rest

torch = pytest.importorskip("torch", reason="needs torch")

from torch.utils.data import DataLoader  # noqa: E402

from mxio.adapters.torch import ImageRecordDataset  # noqa: E402

# Python 3.12 warns of a fork beside threads, torch of more workers than cores.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
]


def dataset(data: DataSet | Path, **options: Any) -> ImageRecordDataset:
    rec = data.rec if isinstance(data, DataSet) else data
    given: dict[str, Any] = {"data_shape": (3, 8, 8)} | options
    return ImageRecordDataset(**({"path_imgrec": rec} | given))


def workers(given: ImageRecordDataset, count: int, **options: Any) -> Any:
    """A DataLoader whose batches are those of the data set."""
    return DataLoader(given, batch_size=None, num_workers=count, **options)


def in_worker(monkeypatch: pytest.MonkeyPatch, id: int, count: int) -> None:
    """Let this process pass for a worker: a real one that fails takes 5 s to end."""
    info = SimpleNamespace(id=id, num_workers=count, seed=1000 + id)
    monkeypatch.setattr("mxio.adapters.torch._iterable.get_worker_info", lambda: info)


def labels(batches: Iterable[Any]) -> list[list[int]]:
    """The labels, which count the records, of each batch."""
    return [label.int().tolist() for _, label in batches]


def flat(lists: Iterable[list[int]]) -> list[int]:
    return [one for each in lists for one in each]


EVERY_TEN = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]

# ---- batches and samples ----


def test_with_batch_size_it_yields_batches_of_tensors(ten: DataSet) -> None:
    batches = list(dataset(ten, batch_size=4))

    data, label = batches[0]

    assert (tuple(data.shape), data.dtype) == ((4, 3, 8, 8), torch.float32)
    assert (tuple(label.shape), label.dtype) == ((4,), torch.float32)
    assert data[:, 0, 0, 0].tolist() == [0, 20, 40, 60]
    assert labels(batches) == EVERY_TEN


def test_without_batch_size_it_yields_samples(ten: DataSet) -> None:
    samples = list(dataset(ten))

    data, label = samples[3]

    assert len(samples) == 10
    assert (tuple(data.shape), tuple(label.shape)) == ((3, 8, 8), ())
    assert data[:, 5, 5].tolist() == [60] * 3
    assert [int(label) for _, label in samples] == list(range(10))


@pytest.mark.parametrize(
    ("dtype", "label_dtype"),
    [("float16", "int64"), ("uint8", "int32"), ("int8", "float64")],
)
def test_tensors_have_the_types_asked_for(
    ten: DataSet, dtype: Any, label_dtype: Any
) -> None:
    data, label = next(
        iter(dataset(ten, batch_size=2, dtype=dtype, label_dtype=label_dtype))
    )

    assert data.dtype == getattr(torch, dtype)
    assert label.dtype == getattr(torch, label_dtype)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("width", [5, 8, 29])
def test_bfloat16_is_what_torch_makes_of_float32(
    photos: DataSet, layout: Any, width: int
) -> None:
    options: dict[str, Any] = {
        "data_shape": (3, 31, width),
        "layout": layout,
        "batch_size": 5,
        "rand_crop": True,
        "rand_mirror": True,
        "mean_r": 123.68,
        "mean_b": 103.53,
        "std_g": 57.12,
        "scale": 0.017,
    }

    narrow = list(dataset(photos, dtype=torch.bfloat16, **options))
    wide = list(dataset(photos, dtype="float32", **options))

    assert len(narrow) == len(wide) == 8
    for (data, _), (exact, _) in zip(narrow, wide, strict=True):
        assert data.dtype == torch.bfloat16
        assert torch.equal(data, exact.to(torch.bfloat16))


def test_nhwc_is_the_order_of_the_axes(ten: DataSet) -> None:
    data, _ = next(iter(dataset(ten, batch_size=2, layout="NHWC")))

    assert tuple(data.shape) == (2, 8, 8, 3)


def test_wide_labels_come_in_rows(tmp_path: Path) -> None:
    image = encoded(np.zeros((8, 8, 3), np.uint8))
    rec, _, _ = write_rec(tmp_path, [record(image, [i, i + 0.5]) for i in range(3)])

    (batch,) = dataset(rec, batch_size=3, label_width=2)
    (first, *_) = dataset(rec, label_width=2)

    assert batch[1].tolist() == [[0, 0.5], [1, 1.5], [2, 2.5]]
    assert first[1].tolist() == [0, 0.5]


def test_tensors_are_writable_and_outlive_the_data_set(ten: DataSet) -> None:
    given = dataset(ten, batch_size=4)
    data, label = next(iter(given))

    del given
    gc.collect()
    data += 1
    label.zero_()

    assert data[:, 0, 0, 0].tolist() == [1, 21, 41, 61]
    assert label.tolist() == [0] * 4


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("partial", EVERY_TEN),
        ("drop", EVERY_TEN[:2]),
        ("pad", [*EVERY_TEN[:2], [8, 9, 0, 1]]),
    ],
)
def test_the_last_batch_is_what_was_asked_for(
    ten: DataSet, last: Any, expected: list[list[int]]
) -> None:
    given = dataset(ten, batch_size=4, last_batch=last)

    assert labels(given) == expected
    assert len(given) == len(expected)


@pytest.mark.parametrize("last", ["drop", "pad"])
def test_samples_have_no_last_batch(ten: DataSet, last: Any) -> None:
    with pytest.raises(ParameterError, match="last_batch needs batch_size"):
        dataset(ten, last_batch=last)


def test_batches_are_those_of_the_mx_face(photos: DataSet) -> None:
    options: dict[str, Any] = {
        "data_shape": (3, 20, 20),
        "batch_size": 8,
        "shuffle": True,
        "rand_crop": True,
        "rand_mirror": True,
        "seed": 4,
    }
    expected = [
        batch.data[0][: 8 - (batch.pad or 0)]
        for batch in iterator(photos, round_batch=False, **options)
    ]

    actual = [data.numpy() for data, _ in dataset(photos, **options)]

    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other)


# ---- workers ----


def whole_epochs(given: ImageRecordDataset, loader: Any, count: int) -> list[Any]:
    return [
        [(data.numpy().tobytes(), label.tolist()) for data, label in loader]
        for _ in range(count)
    ]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_order_of_batches_does_not_depend_on_the_workers(
    photos: DataSet, count: int
) -> None:
    options: dict[str, Any] = {
        "batch_size": 5,
        "shuffle": True,
        "rand_crop": True,
        "data_shape": (3, 20, 20),
    }
    alone, shared = dataset(photos, **options), dataset(photos, **options)
    expected = whole_epochs(alone, workers(alone, 0), 2)

    actual = whole_epochs(shared, workers(shared, count), 2)

    assert actual == expected
    assert expected[0] != expected[1]


def test_a_spawned_worker_gives_the_same_batches(photos: DataSet) -> None:
    options: dict[str, Any] = {"batch_size": 5, "shuffle": True}
    alone, shared = dataset(photos, **options), dataset(photos, **options)

    spawned = workers(shared, 1, multiprocessing_context="spawn")

    assert labels(spawned) == labels(alone)


def test_workers_that_persist_go_through_epochs(photos: DataSet) -> None:
    options: dict[str, Any] = {"batch_size": 5, "shuffle": True}
    alone, shared = dataset(photos, **options), dataset(photos, **options)
    persistent = workers(shared, 2, persistent_workers=True)

    epochs = [labels(persistent) for _ in range(3)]

    assert epochs == [labels(alone) for _ in range(3)]
    assert all(sorted(flat(epoch)) == list(range(37)) for epoch in epochs)
    assert len({str(epoch) for epoch in epochs}) == 3


def test_workers_that_persist_leave_an_epoch_in_the_middle(many: DataSet) -> None:
    # The workers still held their iterators, and refused to begin the next epoch.
    options: dict[str, Any] = {
        "batch_size": 5,
        "shuffle": True,
        "data_shape": (3, 4, 4),
    }
    alone, shared = dataset(many, **options), dataset(many, **options)
    persistent = workers(shared, 2, persistent_workers=True)
    for _ in persistent:
        break
    labels(alone)

    second = labels(persistent)

    assert second == labels(alone)


def test_workers_see_the_epoch_that_was_set(photos: DataSet) -> None:
    options: dict[str, Any] = {"batch_size": 5, "shuffle": True}
    alone, shared = dataset(photos, **options), dataset(photos, **options)
    expected = [labels(alone) for _ in range(8)]
    persistent = workers(shared, 2, persistent_workers=True)

    actual = []
    for epoch in (7, 0, 5):
        shared.set_epoch(epoch)
        actual.append(labels(persistent))
    following = labels(persistent)

    assert actual == [expected[7], expected[0], expected[5]]
    assert following == expected[6]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_samples_come_once_each_whatever_the_workers(
    photos: DataSet, count: int
) -> None:
    given = dataset(photos, shuffle=True)
    loader = DataLoader(given, batch_size=4, num_workers=count)

    epochs = [labels(loader) for _ in range(2)]

    assert [sorted(flat(epoch)) for epoch in epochs] == [list(range(37))] * 2
    assert epochs[0] != epochs[1]
    assert len(loader) == 10


def test_workers_share_the_cores(
    ten: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mxio.adapters.torch._readers.cores", lambda: 8)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    made = tmp_path / "made"

    def noted(options: dict[str, Any], **how: Any) -> Any:
        with made.open("a") as out:
            out.write(f"{options.get('preprocess_threads')}\n")
        return ImageLoader(options, **how)

    monkeypatch.setattr("mxio.adapters.torch._readers.ImageLoader", noted)

    labels(workers(dataset(ten, batch_size=2), 2))

    # 8 cores over 2 ranks, for the check of the parameters, where the offsets are found
    # and then lent; then over 2 workers each.
    assert made.read_text().split() == ["4", "4", "2", "2"]


@pytest.mark.parametrize("told", ["x", "-2", "0"])
def test_what_torchrun_cannot_say_is_refused(
    ten: DataSet, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", told)

    with pytest.raises(ParameterError, match=f"LOCAL_WORLD_SIZE must .* got '{told}'"):
        dataset(ten, batch_size=2)


def test_an_error_in_a_worker_says_where(tmp_path: Path) -> None:
    payloads = [record(encoded(picture(i, 8, 8)), 0, 100 + i) for i in range(6)]
    payloads[3] = record(b"bad", 0, 103)
    rec, _, _ = write_rec(tmp_path, payloads)

    batches = iter(workers(dataset(rec, batch_size=2), 1))
    next(batches)

    with pytest.raises(DataError) as caught:
        next(batches)

    assert f"{rec}: record 3 (id 103)" in str(caught.value)
    assert len(list(batches)) == 1


# ---- shards ----


def epochs_of_ranks(
    data: DataSet, world: int, count: int, **options: Any
) -> list[list[list[int]]]:
    """The batches of each rank in one epoch."""
    ranks = [
        dataset(data, rank=rank, world_size=world, **options) for rank in range(world)
    ]
    return [labels(workers(one, count)) for one in ranks]


@pytest.mark.parametrize(("world", "count"), [*product([1, 2, 3], [0, 2])])
def test_records_deals_every_record_to_one_worker_of_one_rank(
    photos: DataSet, world: int, count: int
) -> None:
    order = flat(labels(dataset(photos, batch_size=4, shuffle=True)))

    ranks = epochs_of_ranks(photos, world, count, batch_size=4, shuffle=True)

    assert sorted(flat(map(flat, ranks))) == list(range(37))
    for rank, batches in enumerate(ranks):
        for step, batch in enumerate(batches):
            first = (step * world + rank) * 4
            assert batch == order[first : first + 4]


@pytest.mark.parametrize("index", [False, True])
@pytest.mark.parametrize(("world", "count"), [(1, 2), (2, 0), (2, 2), (3, 1)])
def test_partition_gives_each_worker_mxnets_part(
    photos: DataSet, world: int, count: int, index: bool
) -> None:
    each = max(1, count)
    more: dict[str, Any] = {"path_imgidx": photos.idx} if index else {}
    expected = [
        [
            id - 100
            for worker in range(each)
            for id in epoch_ids(
                iterator(
                    photos,
                    num_parts=world * each,
                    part_index=rank * each + worker,
                    round_batch=False,
                    **more,
                )
            )
        ]
        for rank in range(world)
    ]

    ranks = epochs_of_ranks(
        photos,
        world,
        count,
        shard="partition",
        batch_size=4,
        num_workers=count,
        **more,
    )

    assert [sorted(flat(batches)) for batches in ranks] == expected
    assert sorted(flat(map(flat, ranks))) == list(range(37))


@pytest.mark.parametrize("count", [0, 2])
@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize("shard", ["records", "partition"])
@pytest.mark.parametrize("world", [1, 3])
def test_the_length_is_exact(
    photos: DataSet, world: int, shard: str, batch_size: int | None, count: int
) -> None:
    ranks = [
        dataset(
            photos,
            rank=rank,
            world_size=world,
            shard=shard,
            num_workers=count,
            **({} if batch_size is None else {"batch_size": batch_size}),
        )
        for rank in range(world)
    ]

    lengths = [len(one) for one in ranks]

    assert lengths == [len(list(workers(one, count))) for one in ranks]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_epochs_differ_for_a_program_that_seeds_torch_before_each(
    photos: DataSet, count: int
) -> None:
    # The workers took the second iteration for the first: epoch 0 came again and again.
    given = dataset(photos, batch_size=5, shuffle=True)
    expected = [labels(given) for _ in range(3)]
    given.set_epoch(0)
    seen = []

    for _ in range(3):
        torch.manual_seed(0)
        seen.append(labels(workers(given, count)))

    assert seen == expected


def test_the_length_of_a_partition_needs_the_number_of_workers(ten: DataSet) -> None:
    given = dataset(ten, batch_size=4, shard="partition")

    with pytest.raises(TypeError, match="num_workers"):
        len(given)


def test_another_number_of_workers_than_declared_is_refused(
    ten: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = dataset(ten, batch_size=4, shard="partition", num_workers=2)

    in_worker(monkeypatch, 0, 1)

    with pytest.raises(ParameterError, match="num_workers=2, the DataLoader has 1"):
        iter(given)


def test_rank_and_world_size_come_from_the_environment(
    ten: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")

    dealt = labels(dataset(ten, batch_size=4))
    part = labels(dataset(ten, batch_size=10, shard="partition", path_imgidx=ten.idx))

    assert dealt == [[4, 5, 6, 7]]
    assert part == [[5, 6, 7, 8, 9]]


@pytest.mark.parametrize("shard", ["records", "partition"])
@pytest.mark.parametrize(
    ("rank", "world", "words"),
    [
        (2, 2, r"rank must be in .*\[0, 1\], got 2"),
        (0, 0, "world_size"),
        (-1, 1, "rank"),
    ],
)
def test_ranks_that_make_no_sense_are_refused(
    ten: DataSet, shard: Any, rank: int, world: int, words: str
) -> None:
    with pytest.raises(ParameterError, match=words):
        dataset(ten, batch_size=4, shard=shard, rank=rank, world_size=world)


# ---- epochs and iterators ----


def test_each_iteration_is_the_next_epoch(photos: DataSet) -> None:
    given = dataset(photos, batch_size=5, shuffle=True)

    first, second = labels(given), labels(given)
    given.set_epoch(0)
    again = labels(given)

    assert first != second
    assert again == first


@pytest.mark.parametrize("epoch", [-1, 2**31, 2**80])
def test_an_epoch_out_of_range_is_refused(ten: DataSet, epoch: int) -> None:
    with pytest.raises(ParameterError, match=f"epoch must be in .*, got {epoch}"):
        dataset(ten).set_epoch(epoch)


@pytest.mark.parametrize("epoch", [1.5, "3", None, True])
def test_an_epoch_that_is_no_whole_number_is_refused(ten: DataSet, epoch: Any) -> None:
    # 1.5 was taken for 1.
    with pytest.raises(TypeError, match="epoch must be a whole number, got"):
        dataset(ten).set_epoch(epoch)


@pytest.mark.parametrize(
    ("options", "share"),
    [
        ({}, "10 samples an epoch"),
        ({"batch_size": 4}, "3 batches an epoch"),
        ({"batch_size": 4, "shard": "partition"}, "4 records a batch"),
    ],
)
def test_the_log_tells_what_an_epoch_gives(
    ten: DataSet,
    caplog: pytest.LogCaptureFixture,
    options: dict[str, Any],
    share: str,
) -> None:
    # Of single samples it told the batches that they are read in.
    caplog.set_level(logging.INFO, "mxio")

    dataset(ten, **options)

    assert caplog.messages[0].endswith(share)


@pytest.mark.parametrize("options", [{}, {"batch_size": 4}])
def test_a_second_iterator_ends_the_first(
    ten: DataSet, options: dict[str, Any]
) -> None:
    # Lightning makes the next iterator while it holds the one that it left.
    given = dataset(ten, **options)
    first = iter(given)
    next(first)

    second = iter(given)

    with pytest.raises(MxioError, match="another iteration of the data set has begun"):
        next(first)
    assert len(list(second)) == len(given)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_loop_left_in_the_middle_is_not_in_the_way(
    photos: DataSet, wrapped: bool
) -> None:
    # The data set held its iterator, which then counted as live for ever.
    options: dict[str, Any] = {"batch_size": 5, "shuffle": True}
    given, whole = dataset(photos, **options), dataset(photos, **options)
    loop = workers(given, 0) if wrapped else given
    for _ in loop:
        break
    labels(whole)

    second = labels(loop)

    assert second == labels(whole)


def test_an_iterator_that_ended_is_not_in_the_way(ten: DataSet) -> None:
    given = dataset(ten, batch_size=4)
    ended = iter(given)
    list(ended)

    assert labels(given) == EVERY_TEN
    assert list(ended) == []


def test_an_iterator_can_be_closed(ten: DataSet) -> None:
    given = dataset(ten, batch_size=4)
    first: Any = iter(given)
    next(first)

    first.close()

    assert list(first) == []
    assert labels(given) == EVERY_TEN


def test_a_closed_data_set_refuses_to_go_on(ten: DataSet) -> None:
    given = dataset(ten, batch_size=4)
    data, _ = next(iter(given))

    given.close()

    with pytest.raises(MxioError, match="closed"):
        list(given)
    assert data[:, 0, 0, 0].tolist() == [0, 20, 40, 60]


# ---- the rest ----


def test_a_data_set_survives_pickling(photos: DataSet) -> None:
    given = dataset(photos, batch_size=5, shuffle=True, seed=3)
    expected = [labels(given) for _ in range(2)]
    given.set_epoch(0)
    began = iter(given)
    next(began)

    copied = loads(dumps(given))

    assert labels(copied) == expected[1]
    assert len(copied) == len(given) == 8


@pytest.mark.parametrize("made", [copy.deepcopy, lambda one: loads(dumps(one))])
def test_workers_of_a_copy_go_through_epochs(photos: DataSet, made: Any) -> None:
    # The table of epochs of a copy was in no shared memory: each epoch was the first.
    given = dataset(photos, batch_size=5, shuffle=True)
    copied = made(given)

    epochs = [labels(workers(copied, 2)) for _ in range(2)]

    assert epochs == [labels(given) for _ in range(2)]
    assert epochs[0] != epochs[1]


def test_skip_is_refused_with_several_readers(
    ten: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = dataset(ten, batch_size=2, on_error="skip")
    in_worker(monkeypatch, 1, 2)

    with pytest.raises(ParameterError, match="use 'replace' with num_workers=2"):
        iter(given)
    with pytest.raises(ParameterError, match="use 'replace' with world_size=2"):
        dataset(ten, batch_size=2, on_error="skip", rank=0, world_size=2)


@pytest.mark.parametrize("count", [0, 1])
def test_skip_works_with_one_reader(tmp_path: Path, count: int) -> None:
    payloads = [record(encoded(picture(i, 8, 8)), float(i)) for i in range(6)]
    payloads[1] = record(b"bad")
    rec, _, _ = write_rec(tmp_path, payloads)
    given = dataset(rec, batch_size=2, on_error="skip")

    epoch = labels(workers(given, count))

    assert epoch == [[0, 2], [3, 4], [5]]
    assert [entry.record for entry in given.errors()] == ([1] if count == 0 else [])


def test_replace_works_with_several_readers(tmp_path: Path) -> None:
    payloads = [record(encoded(picture(i, 8, 8)), float(i)) for i in range(8)]
    payloads[1] = record(b"bad")
    rec, _, _ = write_rec(tmp_path, payloads)

    epoch = labels(workers(dataset(rec, batch_size=2, on_error="replace"), 2))

    assert epoch == [[0, 2], [2, 3], [4, 5], [6, 7]]


def test_parameters_of_other_faces_are_refused(ten: DataSet) -> None:
    for name in ("num_parts", "round_batch", "ctx", "data_name"):
        with pytest.raises(TypeError, match=f"does not take the parameter '{name}'"):
            dataset(ten, **{name: 1})
    with pytest.raises(TypeError, match="did you mean 'batch_size'"):
        dataset(ten, batchsize=1)


def test_files_and_parameters_are_checked_before_any_worker(
    ten: DataSet, tmp_path: Path
) -> None:
    before = tasks_at_rest()

    with pytest.raises(FileNotFoundError):
        dataset(tmp_path / "none.rec", batch_size=2)
    with pytest.raises(ParameterError, match="resize"):
        dataset(ten, batch_size=2, resize=-5)

    dataset(ten, batch_size=2)
    assert settled(tasks, before) == before


def test_data_sets_dropped_in_mid_epoch_leave_nothing_behind(ten: DataSet) -> None:
    def make_and_drop() -> None:
        given = dataset(ten, batch_size=2, preprocess_threads=2)
        next(iter(given))
        gone.append(weakref.ref(given))

    gone: list[weakref.ref[ImageRecordDataset]] = []
    make_and_drop()
    gc.collect()
    threads, files = tasks_at_rest(), os.listdir("/proc/self/fd")

    for _ in range(50):
        make_and_drop()
    gc.collect()

    assert settled(tasks, threads) == threads
    assert len(os.listdir("/proc/self/fd")) == len(files)
    assert {one() for one in gone} == {None}


def test_the_other_faces_work_without_torch(ten: DataSet) -> None:
    program = """
import sys
sys.modules["torch"] = None
from mxio.adapters.numpy import ImageRecordLoader
from mxio.io import ImageRecordIter
given = dict(path_imgrec=sys.argv[1], data_shape=(3, 8, 8), batch_size=4)
print(len(list(ImageRecordLoader(**given))), len(list(ImageRecordIter(**given))))
try:
    import mxio.adapters.torch
except ImportError as error:
    print(error.name)
"""

    done = run_python(program, ten.rec)

    assert (done.stdout, done.stderr) == ("3 3\ntorch\n", "")
