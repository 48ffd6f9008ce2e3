"""RecordDataset: any payload, in the order of an image loader."""

import inspect
import itertools
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxio import DataError, LabelRange, MxioError, ParameterError, RecordDataset
from mxio.adapters.numpy import ImageRecordLoader
from mxio.recordio import IRHeader
from tests.conftest import DataSet, epoch_ids, record, write_rec


def number_of(header: IRHeader, payload: bytes) -> int:
    assert payload.startswith(b"\x89PNG")
    return int(header.id) - 100


def test_payloads_go_through_the_function_in_file_order(notes: Path) -> None:
    dataset = RecordDataset(int, path_imgrec=notes)

    assert len(dataset) == 23
    assert list(dataset) == list(range(23))
    assert list(RecordDataset(path_imgrec=notes))[-1] == b"22"


def test_unpacked_records_come_as_header_and_rest(ten: DataSet) -> None:
    plain = RecordDataset(unpack=True, path_imgrec=ten.rec)

    assert list(RecordDataset(number_of, unpack=True, path_imgrec=ten.rec)) == [
        *range(10)
    ]
    header, image = next(iter(plain))
    assert (header.label, header.id) == (0.0, 100)
    assert image.startswith(b"\x89PNG")


def test_what_is_no_image_record_cannot_be_unpacked(notes: Path) -> None:
    dataset = RecordDataset(number_of, unpack=True, path_imgrec=notes)

    with pytest.raises(DataError, match="at least 24 bytes, got 1"):
        next(iter(dataset))


@pytest.mark.parametrize("last_batch", ["drop", "pad", "partial"])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("world", [1, 3])
def test_batches_hold_what_those_of_an_image_loader_hold(
    many: DataSet, last_batch: Any, shuffle: bool, world: int
) -> None:
    for rank in range(world):
        options: dict[str, Any] = {
            "path_imgrec": many.rec,
            "batch_size": 7,
            "last_batch": last_batch,
            "shuffle": shuffle,
            "seed": 4,
            "rank": rank,
            "world_size": world,
            "records": range(990),
        }
        with ImageRecordLoader(data_shape=(3, 4, 4), **options) as images:
            expected = [
                [(b.index - 100).tolist() for b in images] for epoch in range(2)
            ]
            pads = [b.pad for b in images]

        dataset = RecordDataset(number_of, unpack=True, **options)

        found = [list(dataset) for epoch in range(2)]
        assert found == expected
        assert len(dataset) == len(expected[0])
        last = list(dataset)
        assert [batch.pad for batch in last] == pads
        assert all(batch.ordinals == batch for batch in last)


@settings(max_examples=30)
@given(
    world=st.integers(1, 5),
    parts=st.integers(1, 3),
    shuffle=st.booleans(),
    batch=st.none() | st.integers(1, 8),
)
def test_ranks_and_parts_hold_every_record_once(
    notes: Path, world: int, parts: int, shuffle: bool, batch: int | None
) -> None:
    found: list[int] = []
    for rank in range(world):
        for part in range(parts):
            options: dict[str, Any] = {} if batch is None else {"batch_size": batch}
            dataset = RecordDataset(
                int,
                path_imgrec=notes,
                shuffle=shuffle,
                rank=rank,
                world_size=world,
                num_parts=parts,
                part_index=part,
                **options,
            )
            share = list(dataset)
            assert len(dataset) == len(share)
            found += share if batch is None else [x for some in share for x in some]

    assert sorted(found) == list(range(23))


def test_views_choose_records_of_any_kind(notes: Path, ten: DataSet) -> None:
    assert list(RecordDataset(int, path_imgrec=notes, records=[20, 3])) == [20, 3]
    chosen = RecordDataset(
        number_of, unpack=True, path_imgrec=ten.rec, records=LabelRange(2, 5)
    )
    assert list(chosen) == [2, 3, 4]
    with pytest.raises(DataError, match="24 bytes"):
        RecordDataset(path_imgrec=notes, records=LabelRange(2, 5))


def test_chunks_keep_neighbours_together(tmp_path: Path) -> None:
    rec, _, _ = write_rec(tmp_path, (bytes([i]) * 60_000 for i in range(60)))

    found = list(
        RecordDataset(lambda payload: payload[0], path_imgrec=rec, shuffle_chunk_size=1)
    )

    assert sorted(found) == list(range(60))
    steps = [b - a for a, b in itertools.pairwise(found)]
    assert 50 < steps.count(1) < 59


@settings(max_examples=30)
@given(
    stop=st.integers(0, 11),
    batches=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    shuffle=st.booleans(),
)
def test_a_state_goes_on_with_another_batch_size(
    notes: Path, stop: int, batches: tuple[int, int], shuffle: bool
) -> None:
    options: dict[str, Any] = {"path_imgrec": notes, "shuffle": shuffle, "seed": 9}
    whole = list(RecordDataset(int, **options))
    first = RecordDataset(int, batch_size=batches[0], **options)
    epoch = iter(first)
    taken = [x for _ in range(min(stop, len(first))) for x in next(epoch)]
    state = pickle.loads(pickle.dumps(first.state_dict()))

    second = RecordDataset(int, batch_size=batches[1], **options)
    second.load_state_dict(state)
    second.set_epoch(state["epoch"])
    rest = [x for batch in second for x in batch]

    assert taken + rest == whole or (len(taken) == 23 and taken == whole)


def test_a_state_of_other_files_or_options_is_refused(
    notes: Path, many: DataSet
) -> None:
    state = RecordDataset(path_imgrec=notes).state_dict()

    with pytest.raises(ParameterError, match="seed was 0, is 1"):
        RecordDataset(path_imgrec=notes, seed=1).load_state_dict(state)
    with pytest.raises(ParameterError, match=r"file 0 \(data.rec\) had"):
        RecordDataset(path_imgrec=many.rec).load_state_dict(state)


def test_a_copy_knows_where_the_epoch_was_left(notes: Path) -> None:
    # Its state was that of the epoch's first record: a resumed run read some twice.
    dataset = RecordDataset(int, path_imgrec=notes, shuffle=True)
    epoch = iter(dataset)
    for _ in range(7):
        next(epoch)

    copy = pickle.loads(pickle.dumps(dataset))

    assert copy.state_dict() == dataset.state_dict()
    del epoch
    assert list(copy) == list(dataset) != list(range(23))


def test_one_epoch_at_a_time(notes: Path) -> None:
    dataset = RecordDataset(path_imgrec=notes)
    epoch = iter(dataset)
    next(epoch)

    with pytest.raises(MxioError, match="under way"):
        iter(dataset)
    with pytest.raises(MxioError, match="under way"):
        dataset.load_state_dict(dataset.state_dict())
    del epoch

    assert len(list(dataset)) == 23


def test_epochs_differ_and_can_be_chosen(notes: Path) -> None:
    dataset = RecordDataset(int, path_imgrec=notes, shuffle=True)
    first, second = list(dataset), list(dataset)

    dataset.set_epoch(0)

    assert first != second
    assert list(dataset) == first


def test_a_damaged_record_is_named_and_the_others_still_come(tmp_path: Path) -> None:
    rec, _, offsets = write_rec(tmp_path, (str(i).encode() for i in range(6)))
    content = bytearray(rec.read_bytes())
    content[offsets[2] : offsets[2] + 4] = b"\0\0\0\0"
    rec.write_bytes(content)
    epoch = iter(RecordDataset(int, path_imgrec=rec))
    found = [next(epoch), next(epoch)]

    with pytest.raises(DataError) as caught:
        next(epoch)

    assert (caught.value.record, caught.value.offset) == (2, offsets[2])
    assert found + list(epoch) == [0, 1, 3, 4, 5]


def test_a_function_that_raises_is_heard_and_costs_its_record(notes: Path) -> None:
    def seven(payload: bytes) -> int:
        if payload == b"7":
            raise KeyError(payload)
        return int(payload)

    epoch = iter(RecordDataset(seven, path_imgrec=notes))
    found = [next(epoch) for _ in range(7)]

    with pytest.raises(KeyError):
        next(epoch)

    assert found + list(epoch) == [i for i in range(23) if i != 7]


def test_a_function_that_ends_an_iterator_of_its_own_ends_no_epoch(notes: Path) -> None:
    # Its StopIteration was taken for the end: the rest of the epoch was lost.
    own = iter([1])
    epoch = iter(RecordDataset(lambda payload: next(own), path_imgrec=notes))

    assert next(epoch) == 1
    with pytest.raises(RuntimeError, match="function raised StopIteration"):
        next(epoch)


@pytest.mark.parametrize("options", [{}, {"batch_size": 4, "last_batch": "pad"}])
def test_ctrl_c_within_the_function_costs_no_record(notes: Path, options: Any) -> None:
    # The record counted as done: a run resumed from there left it out.
    interrupt = [KeyboardInterrupt()]

    def eight(payload: bytes) -> int:
        if payload == b"8" and interrupt:
            raise interrupt.pop()
        return int(payload)

    dataset = RecordDataset(eight, path_imgrec=notes, rank=0, world_size=2, **options)
    whole = list(RecordDataset(int, path_imgrec=notes, rank=0, world_size=2, **options))
    begun: Any = iter(dataset)
    first: list[Any] = []
    with pytest.raises(KeyboardInterrupt):
        for item in begun:
            first.append(item)
    resumed = RecordDataset(int, path_imgrec=notes, rank=0, world_size=2, **options)
    resumed.load_state_dict(dataset.state_dict())

    for rest in (begun, resumed):
        assert first + list(rest) == whole


def test_what_cannot_be_called_is_refused(notes: Path) -> None:
    function: Any = "int"
    with pytest.raises(TypeError, match="function must be callable, got 'int'"):
        RecordDataset(function, path_imgrec=notes)
    with pytest.raises(ParameterError, match="unpack must be True or False, got 2"):
        RecordDataset(int, unpack=cast("bool", 2), path_imgrec=notes)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_another_process_can_read(notes: Path, method: str) -> None:
    dataset = RecordDataset(int, path_imgrec=notes, records=slice(3, 6))
    context: Any = multiprocessing.get_context(method)

    with ProcessPoolExecutor(1, mp_context=context) as pool:
        found = pool.submit(list, dataset).result(timeout=60)

    assert found == [3, 4, 5]


def test_options_of_pictures_are_unknown_here(notes: Path) -> None:
    with pytest.raises(TypeError, match="does not take the parameter 'data_shape'"):
        RecordDataset(path_imgrec=notes, data_shape=(3, 1, 1))  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="needs the parameter path_imgrec"):
        RecordDataset()

    shown = inspect.signature(RecordDataset).parameters

    assert list(shown)[:3] == ["function", "unpack", "path_imgrec"]


def test_an_index_or_file_that_is_not_right_is_named(notes: Path) -> None:
    bad = notes.with_suffix(".bad")
    bad.write_text("0\t4\n")

    with pytest.raises(DataError, match=r"data.bad: no record starts at byte 4"):
        RecordDataset(path_imgrec=notes, path_imgidx=bad)
    with pytest.raises(FileNotFoundError):
        RecordDataset(path_imgrec=notes.with_name("none.rec"))
    with pytest.raises(ParameterError, match="batch_size must be in"):
        RecordDataset(path_imgrec=notes, batch_size=0)


def test_records_longer_than_a_read_and_empty_ones_are_whole(tmp_path: Path) -> None:
    payloads = [b"", bytes(range(256)) * 20_000, record(b"", 3.0), b"\x0a\x23\xd7\xce"]
    rec, _, _ = write_rec(tmp_path, payloads)

    assert list(RecordDataset(path_imgrec=rec)) == payloads


def test_epoch_ids_agree_with_the_helper(ten: DataSet) -> None:
    with ImageRecordLoader(
        path_imgrec=ten.rec, data_shape=(3, 8, 8), batch_size=3, shuffle=True
    ) as images:
        expected = [id - 100 for id in epoch_ids(images)]

    found = list(
        RecordDataset(number_of, unpack=True, path_imgrec=ten.rec, shuffle=True)
    )

    assert found == expected
