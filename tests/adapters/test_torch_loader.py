"""Loader: batches, epochs, states and what frameworks do to it, without any of them."""

import gc
import inspect
import multiprocessing
import os
import pickle
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxio
from mxio.adapters.numpy import ImageRecordLoader
from mxio.errors import DataError, MxioError, ParameterError
from tests.conftest import DataSet, encoded, picture, record, write_rec
from tests.threads import settled, tasks, tasks_at_rest

torch = pytest.importorskip("torch", reason="needs torch")

from mxio.adapters.torch import (  # noqa: E402
    ImageRecordDataset,
    ImageRecordMapDataset,
    Loader,
    RecordDataset,
)


def loader(data: DataSet | Path, **options: Any) -> Loader:
    rec = data.rec if isinstance(data, DataSet) else data
    given: dict[str, Any] = {"data_shape": (3, 8, 8), "batch_size": 5}
    return Loader(**({"path_imgrec": rec} | given | options))


def labels(batches: Iterable[Any]) -> list[list[int]]:
    """The labels, which count the records, of each batch."""
    return [batch[1].int().tolist() for batch in batches]


# ---- batches ----


def test_a_batch_is_data_and_labels_for_a_classifier(ten: DataSet) -> None:
    batches = list(loader(ten, batch_size=4))

    data, label = batches[0]

    assert (tuple(data.shape), data.dtype) == ((4, 3, 8, 8), torch.float32)
    assert (tuple(label.shape), label.dtype) == ((4,), torch.int64)
    assert data[:, 0, 0, 0].tolist() == [0, 20, 40, 60]
    assert labels(batches) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


@pytest.mark.parametrize(
    ("given", "data_type", "label_type"),
    [
        ({"dtype": "uint8", "label_dtype": "float32"}, torch.uint8, torch.float32),
        ({"dtype": torch.float16, "label_dtype": torch.int32}, "float16", "int32"),
    ],
)
def test_types_are_names_or_torchs_own(
    ten: DataSet, given: dict[str, Any], data_type: Any, label_type: Any
) -> None:
    data, label = next(iter(loader(ten, **given)))

    wanted = [
        getattr(torch, one) if isinstance(one, str) else one
        for one in (data_type, label_type)
    ]
    assert [data.dtype, label.dtype] == wanted


def test_types_of_arrays_are_types_to_a_type_checker(ten: DataSet) -> None:
    # mypy, by `make check`, refused all of these but names.
    one = Loader(
        path_imgrec=ten.rec,
        data_shape=(3, 8, 8),
        batch_size=5,
        dtype=torch.uint8,
        label_dtype=torch.int32,
    )
    other = ImageRecordLoader(
        path_imgrec=ten.rec,
        data_shape=(3, 8, 8),
        batch_size=5,
        dtype=np.uint8,
        label_dtype=np.dtype("int32"),
    )

    for ours, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(ours[0], theirs.data)
        np.testing.assert_array_equal(ours[1], theirs.label)


def test_several_numbers_a_label_are_real(tmp_path: Path) -> None:
    image = encoded(np.zeros((8, 8, 3), np.uint8))
    rec, _, _ = write_rec(tmp_path, [record(image, [i, i + 0.5]) for i in range(3)])

    (batch,) = loader(rec, label_width=2)

    assert (batch[1].dtype, batch[1].tolist()) == (
        torch.float32,
        [[0, 0.5], [1, 1.5], [2, 2.5]],
    )


def test_whole_labels_of_a_list_are_exact_above_2_to_the_24(tmp_path: Path) -> None:
    image = encoded(np.zeros((8, 8, 3), np.uint8))
    rec, _, _ = write_rec(tmp_path, [record(image, 0.0, i) for i in range(3)])
    listed = [2**24 + 1, 2**31 + 1, 2**53 - 1]
    lst = tmp_path / "labels.lst"
    lst.write_text("".join(f"{i}\t{n}\tname\n" for i, n in enumerate(listed)))

    (batch,) = loader(rec, path_imglist=lst)

    assert batch[1].tolist() == listed


def test_channels_last_is_the_same_picture_in_that_memory_format(
    colours: DataSet,
) -> None:
    plain, _ = next(iter(loader(colours)))

    data, _ = next(iter(loader(colours, channels_last=True)))

    assert torch.equal(data, plain)
    assert data.is_contiguous(memory_format=torch.channels_last)
    assert not data.is_contiguous()


def test_channels_last_with_another_layout_is_refused(ten: DataSet) -> None:
    with pytest.raises(ParameterError, match="wants layout='NHWC', got 'NCHW'"):
        loader(ten, channels_last=True, layout="NCHW")


@pytest.mark.parametrize(
    ("last", "rows", "good"),
    [("partial", [4, 4, 2], 2), ("pad", [4, 4, 4], 2), ("drop", [4, 4], 4)],
)
def test_the_mask_marks_repeats(
    ten: DataSet, last: Any, rows: list[int], good: int
) -> None:
    given = loader(ten, batch_size=4, last_batch=last, with_mask=True)

    batches = list(given)

    assert [len(mask) for _, _, mask in batches] == rows
    assert [len(data) for data, _, _ in batches] == rows
    assert batches[-1][2].tolist() == [True] * good + [False] * (rows[-1] - good)
    assert all(mask.all() for _, _, mask in batches[:-1])
    assert len(given) == len(rows)


def test_a_transform_makes_what_is_yielded(ten: DataSet) -> None:
    def halved(data: Any, label: Any, mask: Any) -> dict[str, Any]:
        return {"pixels": data / 2, "labels": label, "mask": mask}

    first, *_ = loader(ten, with_mask=True, transform=halved)

    assert first["pixels"][:, 1, 2, 3].tolist() == [0, 10, 20, 30, 40]
    assert first["labels"].tolist() == [0, 1, 2, 3, 4]
    assert first["mask"].all()


def test_batches_are_writable_and_outlive_the_loader(ten: DataSet) -> None:
    given = loader(ten, batch_size=4)
    data, label = next(iter(given))

    given.close()
    del given
    gc.collect()
    data += 1

    assert data[:, 0, 0, 0].tolist() == [1, 21, 41, 61]
    assert label.tolist() == [0, 1, 2, 3]


def test_batches_are_those_of_the_data_set(photos: DataSet) -> None:
    options: dict[str, Any] = {
        "path_imgrec": photos.rec,
        "data_shape": (3, 20, 20),
        "batch_size": 8,
        "shuffle": True,
        "rand_crop": True,
        "rand_mirror": True,
        "rank": 1,
        "world_size": 2,
    }
    expected, given = ImageRecordDataset(**options), Loader(**options)

    for _ in range(2):
        for one, other in zip(given, expected, strict=True):
            assert torch.equal(one[0], other[0])
            assert one[1].tolist() == other[1].tolist()


def test_partitions_are_one_to_each_rank(photos: DataSet) -> None:
    ranks = [
        loader(
            photos, shard="partition", rank=rank, world_size=2, path_imgidx=photos.idx
        )
        for rank in range(2)
    ]

    seen = [[one for batch in labels(rank) for one in batch] for rank in ranks]

    assert seen == [list(range(19)), list(range(19, 37))]
    assert [len(one) for one in ranks] == [4, 4]


# ---- epochs ----


def epochs(data: DataSet, count: int) -> list[list[list[int]]]:
    """Epochs 0, 1, ... in a shuffled order."""
    whole = loader(data, shuffle=True)
    return [labels(whole) for _ in range(count)]


def test_each_iteration_is_the_next_epoch(photos: DataSet) -> None:
    first, second = epochs(photos, 2)
    given = loader(photos, shuffle=True)

    given.set_epoch(1)
    seen = labels(given)
    given.sampler.set_epoch(0)
    again = labels(given)

    assert first != second
    assert (seen, again) == (second, first)


def test_the_epoch_may_be_set_after_iter(photos: DataSet) -> None:
    # Lightning makes the iterator of the first epoch, and then sets its number.
    expected = epochs(photos, 3)
    given = loader(photos, shuffle=True)

    begun = iter(given)
    given.sampler.set_epoch(2)

    assert labels(begun) == expected[2]


def test_a_loop_left_in_the_middle_ends_its_epoch(photos: DataSet) -> None:
    expected = epochs(photos, 2)
    given = loader(photos, shuffle=True)
    for _ in given:
        break

    assert labels(given) == expected[1]


def test_a_second_iterator_ends_the_first(photos: DataSet) -> None:
    expected = epochs(photos, 2)
    given = loader(photos, shuffle=True)
    first = iter(given)
    next(first)

    second = labels(given)

    assert second == expected[1]
    with pytest.raises(MxioError, match="another iteration of the loader has begun"):
        next(first)


def test_reset_gives_up_the_rest_of_the_epoch(photos: DataSet) -> None:
    # As programs written for DALI do, also at the end of an epoch.
    expected = epochs(photos, 3)
    given = loader(photos, shuffle=True)
    first = iter(given)
    next(first)

    given.reset()
    second = labels(given)
    given.reset()

    assert [second, labels(given)] == expected[1:]
    with pytest.raises(MxioError, match="the loader was reset"):
        next(first)


@pytest.mark.parametrize("epoch", [-1, 2**31])
def test_an_epoch_out_of_range_is_refused(ten: DataSet, epoch: int) -> None:
    with pytest.raises(ParameterError, match=f"epoch must be in .*, got {epoch}"):
        loader(ten).set_epoch(epoch)


@pytest.mark.parametrize("epoch", [np.int64(1), torch.tensor(1)])
def test_an_epoch_of_another_type_is_that_number(ten: DataSet, epoch: Any) -> None:
    # The first batch failed: "start() argument 1 must be int".
    one, other = loader(ten, shuffle=True), loader(ten, shuffle=True)

    one.set_epoch(1)
    other.set_epoch(epoch)

    assert labels(other) == labels(one)
    assert type(other.state_dict()["epoch"]) is int


# ---- states ----


@pytest.mark.parametrize("stop", [0, 1, 5, 8])
def test_a_loader_goes_on_where_it_stopped(photos: DataSet, stop: int) -> None:
    expected = epochs(photos, 3)
    first = loader(photos, shuffle=True)
    labels(first)
    begun = iter(first)
    for _ in range(stop):
        next(begun)
    if stop:
        del begun  # the loop was left: what it took counts all the same

    state = first.state_dict()
    other = loader(photos, shuffle=True)
    other.load_state_dict(state)

    assert (state["epoch"], state["samples"]) == (1, min(5 * stop, 37))
    assert other.state_dict() == state
    assert labels(other) == expected[1][stop:]
    assert labels(other) == expected[2]
    assert len(other) == 8


def test_behind_an_epoch_the_state_is_the_start_of_the_next(photos: DataSet) -> None:
    given = loader(photos)
    labels(given)

    state = given.state_dict()

    assert (state["epoch"], state["samples"]) == (1, 0)


def test_setting_the_epoch_of_a_loaded_state_keeps_its_position(
    photos: DataSet,
) -> None:
    # Lightning: load_state_dict, iter, set_epoch.
    expected = epochs(photos, 3)
    first = loader(photos, shuffle=True)
    begun = iter(first)
    next(begun)
    state = first.state_dict()
    same, other = loader(photos, shuffle=True), loader(photos, shuffle=True)

    seen = []
    for given, epoch in [(same, 0), (other, 2)]:
        given.load_state_dict(state)
        iterator = iter(given)
        given.sampler.set_epoch(epoch)
        seen.append(labels(iterator))

    assert seen == [expected[0][1:], expected[2]]


def test_loading_ends_an_epoch_under_way(photos: DataSet) -> None:
    expected = epochs(photos, 1)
    given = loader(photos, shuffle=True)
    begun = iter(given)
    next(begun)
    state = given.state_dict()
    next(begun)

    given.load_state_dict(state)

    with pytest.raises(MxioError, match="a state was loaded since it began"):
        next(begun)
    assert labels(given) == expected[0][1:]


def test_a_state_of_other_data_is_refused(photos: DataSet, ten: DataSet) -> None:
    with pytest.raises(ParameterError, match=r"bytes"):
        loader(ten).load_state_dict(loader(photos).state_dict())
    with pytest.raises(TypeError, match="state_dict"):
        loader(ten).load_state_dict({"epoch": 1})


# ---- the rest ----


def test_a_bad_record_takes_its_turn(tmp_path: Path) -> None:
    payloads = [record(encoded(picture(i, 8, 8)), float(i)) for i in range(6)]
    payloads[3] = record(b"bad")
    rec, _, _ = write_rec(tmp_path, payloads)
    given = iter(loader(rec, batch_size=2))
    next(given)

    with pytest.raises(DataError, match="record 3"):
        next(given)

    assert labels(given) == [[4, 5]]


def test_replaced_records_are_listed(tmp_path: Path) -> None:
    payloads = [record(encoded(picture(i, 8, 8)), float(i)) for i in range(6)]
    payloads[3] = record(b"bad")
    rec, _, _ = write_rec(tmp_path, payloads)

    with loader(rec, batch_size=2, on_error="replace") as given:
        seen = labels(given)
        assert [bad.record for bad in given.errors()] == [3]

    assert seen == [[0, 1], [2, 4], [4, 5]]
    with pytest.raises(MxioError, match="closed"):
        list(given)


def test_what_makes_no_sense_is_refused(ten: DataSet) -> None:
    with pytest.raises(TypeError, match="'num_workers'"):
        loader(ten, num_workers=2)
    with pytest.raises(TypeError, match="batch_size"):
        loader(ten, batch_size=None)
    with pytest.raises(TypeError, match="did you mean 'shuffle'"):
        loader(ten, shufle=True)


@pytest.mark.parametrize(
    ("kind", "wrong", "right"),
    [
        (Loader, "devce", "device"),
        (Loader, "pin_memroy", "pin_memory"),
        (ImageRecordDataset, "transforms", "transform"),
        (ImageRecordMapDataset, "transforms", "transform"),
        (RecordDataset, "func", "function"),
        (mxio.RecordDataset, "unpak", "unpack"),
    ],
)
def test_a_misspelt_name_of_a_face_s_own_is_recognised(
    kind: Any, wrong: str, right: str
) -> None:
    # "did you mean 'on_error'?" for pin_memroy, and no hint for others.
    with pytest.raises(TypeError, match=f"parameter '{wrong}'; did you mean '{right}'"):
        kind(path_imgrec="any.rec", **{wrong: 1})
    with pytest.raises(TypeError, match=f"parameter '{wrong}'"):
        kind(path_imgrec="any.rec", **{wrong: None})


def test_signatures_show_what_a_face_takes_beside_the_table() -> None:
    # help() and editors showed a Loader without device.
    own = ["device", "pin_memory", "channels_last", "with_mask", "transform"]
    shared = ["mesh", "dp_dims", "process_group", "path_imgrec"]
    shown = {
        kind: list(inspect.signature(kind).parameters)
        for kind in (Loader, ImageRecordDataset, ImageRecordMapDataset, RecordDataset)
    }

    assert shown[Loader][:9] == [*own, *shared]
    assert "num_workers" not in shown[Loader]
    assert shown[ImageRecordDataset][:6] == ["transform", "with_mask", *shared]
    assert shown[ImageRecordMapDataset][:2] == ["transform", "path_imgrec"]
    assert shown[RecordDataset][:6] == ["function", "unpack", *shared]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"device": "gpu"}, ParameterError, "device must be .*, got 'gpu'"),
        ({"device": 1.5}, ParameterError, "device must be .*, got 1.5"),
        ({"transform": 3}, TypeError, r"transform must be callable, got 3 \(int\)"),
        ({"with_mask": 2}, ParameterError, "with_mask must be True or False, got 2"),
        ({"with_mask": []}, TypeError, "with_mask must be True or False"),
        ({"channels_last": "no"}, ParameterError, "channels_last must be True or"),
        ({"pin_memory": "no"}, ParameterError, "pin_memory must be True or False"),
    ],
)
def test_a_wrong_option_of_torch_is_named_at_construction(
    ten: DataSet, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    # Words of torch's own without the name, an error at the first batch, or none.
    with pytest.raises(error, match=said):
        loader(ten, **options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_a_device_that_is_not_there_is_named(ten: DataSet) -> None:
    with pytest.raises(ParameterError, match="that torch has here, got 'cuda'"):
        loader(ten, device="cuda")


def test_a_transform_that_ends_an_iterator_of_its_own_ends_no_epoch(
    ten: DataSet,
) -> None:
    # Its StopIteration was taken for the end: the rest of the epoch was lost.
    own = iter([1])
    given = iter(loader(ten, transform=lambda data, label: next(own)))

    assert next(given) == 1
    with pytest.raises(RuntimeError, match="transform raised StopIteration"):
        next(given)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_cannot_go_on_with_an_iteration(ten: DataSet) -> None:
    # It found a loader of its own that had begun nothing, and took that for the end.
    begun = iter(loader(ten))
    next(begun)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def go_on() -> None:
        try:
            theirs.send(f"{len(list(begun))} batches")
        except MxioError as error:
            theirs.send(str(error))

    child = context.Process(target=go_on)
    child.start()
    said = ours.recv()
    child.join()

    assert "cannot be used in its forked child" in said


def test_a_loader_pickles_once_it_has_been_iterated(ten: DataSet) -> None:
    # "cannot pickle 'weakref.ReferenceType' object", which a fresh one has not.
    given = loader(ten)
    first = labels(given)

    again = pickle.loads(pickle.dumps(given))

    assert again.state_dict() == given.state_dict()
    assert labels(again) == first


@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is one")
def test_pinned_memory_needs_an_accelerator(ten: DataSet) -> None:
    with pytest.raises(ParameterError, match="pin_memory=True needs an accelerator"):
        loader(ten, pin_memory=True)

    assert labels(loader(ten, pin_memory=None)) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_loaders_dropped_in_mid_epoch_leave_nothing_behind(ten: DataSet) -> None:
    def make_and_drop() -> None:
        given = loader(ten, preprocess_threads=2)
        next(iter(given))
        gone.append(weakref.ref(given))

    gone: list[weakref.ref[Loader]] = []
    make_and_drop()
    gc.collect()  # what other tests left
    threads, files = tasks_at_rest(), os.listdir("/proc/self/fd")

    for _ in range(50):
        make_and_drop()

    assert settled(tasks, threads) == threads
    assert len(os.listdir("/proc/self/fd")) == len(files)
    assert {one() for one in gone} == {None}
