"""`records=`: a part of the records, chosen in one of four ways."""

import multiprocessing
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxio import DataError, LabelRange, ParameterError
from mxio._views import View, settle
from mxio.adapters.numpy import ImageRecordLoader
from tests.conftest import DataSet, epoch_ids, record, write_rec, write_set


def loader(data: DataSet, **options: Any) -> ImageRecordLoader:
    given: dict[str, Any] = {"data_shape": (3, 8, 8), "batch_size": 4} | options
    return ImageRecordLoader(path_imgrec=data.rec, **given)


def read(data: DataSet, **options: Any) -> list[int]:
    """The records of one epoch, by ordinal (their ids are 100 and up)."""
    with loader(data, **options) as batches:
        return [id - 100 for id in epoch_ids(batches)]


def even(key: int, label: float) -> bool:
    return label % 2 == 0


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ([7, 2, 5], [7, 2, 5]),
        (range(3, 6), [3, 4, 5]),
        (np.array([9, 0], np.int32), [9, 0]),
        (slice(2, 5), [2, 3, 4]),
        (slice(None, None, -3), [9, 6, 3, 0]),
        (slice(-2, None), [8, 9]),
        (LabelRange(4, 7), [4, 5, 6]),
        (LabelRange(7.5, 1e9), [8, 9]),
        (even, [0, 2, 4, 6, 8]),
        (lambda key, label: key in (1, 8), [1, 8]),
    ],
)
def test_chosen_records_are_read_in_the_order_asked_for(
    ten: DataSet, chosen: Any, expected: list[int], indexed: bool
) -> None:
    index = {"path_imgidx": ten.idx} if indexed else {}

    with loader(ten, records=chosen, **index) as batches:
        assert len(batches) == -(-len(expected) // 4)
        data = [(batch.data, batch.label) for batch in batches]

    np.testing.assert_array_equal(np.concatenate([b[1] for b in data]), expected)
    pixels = np.concatenate([b[0] for b in data])[:, 0, 0, 0]
    np.testing.assert_array_equal(pixels, [20 * i for i in expected])
    assert read(ten, records=chosen, **index) == expected


def test_keys_are_those_of_the_index(ten: DataSet, tmp_path: Path) -> None:
    index = tmp_path / "other.idx"
    lines = [f"{1000 - 7 * i}\t{offset}\n" for i, offset in enumerate(ten.offsets)]
    index.write_text("".join(reversed(lines)))
    asked: list[tuple[int, float]] = []

    def above_980(key: int, label: float) -> bool:
        asked.append((key, label))
        return key > 980

    found = read(ten, records=[993, 1000, 965], path_imgidx=index)
    by_key = read(ten, records=above_980, path_imgidx=index)

    assert found == [1, 0, 5]
    assert by_key == [0, 1, 2]
    assert asked == [(1000 - 7 * i, float(i)) for i in range(10)]


def test_shuffling_permutes_the_chosen_records_and_each_epoch_anew(
    many: DataSet,
) -> None:
    chosen = list(range(900, 100, -2))

    with loader(many, records=chosen, shuffle=True, seed=5, batch_size=64) as batches:
        first, second = ([id - 100 for id in epoch_ids(batches)] for _ in range(2))

    assert sorted(first) == sorted(second) == sorted(chosen)
    assert first != chosen
    assert first != second


def test_a_record_is_augmented_as_without_a_view(photos: DataSet) -> None:
    options: dict[str, Any] = {
        "rand_crop": True,
        "rand_mirror": True,
        "brightness": 0.4,
        "seed": 3,
    }
    with loader(photos, **options) as batches:
        everything = np.concatenate([b.data[: 4 - b.pad] for b in batches])

    with loader(photos, records=[30, 4, 19], **options) as batches:
        chosen = np.concatenate([b.data for b in batches])

    np.testing.assert_array_equal(chosen, everything[[30, 4, 19]])


@settings(max_examples=40)
@given(
    chosen=st.lists(st.integers(0, 999), min_size=1, max_size=90, unique=True),
    world=st.integers(1, 4),
    batch=st.integers(1, 9),
    shuffle=st.booleans(),
)
def test_ranks_deal_out_every_chosen_record_once(
    many: DataSet, chosen: list[int], world: int, batch: int, shuffle: bool
) -> None:
    shares = [
        read(
            many,
            records=chosen,
            rank=rank,
            world_size=world,
            batch_size=batch,
            shuffle=shuffle,
        )
        for rank in range(world)
    ]

    assert sorted(id for share in shares for id in share) == sorted(chosen)


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_parts_hold_every_chosen_record_once(ten: DataSet, parts: int) -> None:
    chosen = [9, 3, 4, 1, 7]

    shares = [
        read(ten, records=chosen, num_parts=parts, part_index=part)
        for part in range(min(parts, 5))
    ]

    assert [id for share in shares for id in share] == chosen


@pytest.mark.parametrize("shuffle", [False, True])
def test_chunks_are_made_of_chosen_records(tmp_path: Path, shuffle: bool) -> None:
    rng = np.random.default_rng(0)
    pixels = [rng.integers(0, 256, (150, 150, 3), np.uint8) for _ in range(40)]
    data = write_set(tmp_path, pixels)  # PNG noise: about 67 kB each
    chosen = list(range(0, 40, 1))[::-1]

    found = read(data, records=chosen, shuffle_chunk_size=1, shuffle=shuffle)

    assert sorted(found) == sorted(chosen)
    assert found != chosen
    steps = np.diff(found)
    assert (np.count_nonzero(steps == -1) > 30) != shuffle


def test_labels_come_from_the_list_when_there_is_one(
    ten: DataSet, tmp_path: Path
) -> None:
    listed = tmp_path / "labels.lst"
    big = 2**24 + 1  # no float32
    listed.write_text("".join(f"{100 + i}\t{big + i}\tx.jpg\n" for i in range(10)))

    found = read(ten, records=LabelRange(big + 1, big + 4), path_imglist=listed)

    assert found == [1, 2, 3]


def test_of_several_labels_a_range_takes_the_first_and_a_function_gets_all(
    tmp_path: Path,
) -> None:
    picture = write_set(tmp_path, [np.zeros((8, 8, 3), np.uint8)], name="one")
    payload = picture.rec.read_bytes()[8 + 24 :]
    rec, _, _ = write_rec(
        tmp_path, [record(payload, [i, 10 - i], 100 + i) for i in range(5)]
    )
    data = picture._replace(rec=rec)
    options = {"label_width": 2}

    assert read(data, records=LabelRange(1, 3), **options) == [1, 2]
    assert read(
        data, records=lambda key, label: label[1] - label[0] >= 6, **options
    ) == [0, 1, 2]


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ([], "records chooses no record"),
        (slice(10, 20), "records chooses no record"),
        (LabelRange(50, 60), "records chooses no record"),
        (lambda key, label: False, "records chooses no record"),
        ([3, 4, 3], "records holds 3 twice"),
        ([3, 10], "there is no record 10, they are 0 to 9"),
        ([-1], "there is no record -1"),
        ([2**64 - 1], "there is no key 18446744073709551615"),
    ],
)
def test_a_selection_that_cannot_be_says_why(
    ten: DataSet, chosen: Any, sentence: str
) -> None:
    with pytest.raises(ParameterError, match=sentence):
        loader(ten, records=chosen)


def test_keys_that_an_index_does_not_have_or_has_twice_are_named(
    ten: DataSet, tmp_path: Path
) -> None:
    index = tmp_path / "odd.idx"
    index.write_text(f"5\t{ten.offsets[0]}\n6\t{ten.offsets[1]}\n5\t{ten.offsets[2]}\n")

    with pytest.raises(ParameterError, match=r"odd.idx has no key 7; .* 5 to 6"):
        loader(ten, records=[6, 7], path_imgidx=index)
    with pytest.raises(ParameterError, match=r"odd.idx has the key 5 twice"):
        loader(ten, records=[5], path_imgidx=index)


@pytest.mark.parametrize(
    "chosen", [{1, 2}, "keys", 3, np.array(3), [1.5], [[1]], [True], object()]
)
def test_a_selection_of_another_type_is_a_type_error(ten: DataSet, chosen: Any) -> None:
    with pytest.raises(TypeError, match="records must be"):
        loader(ten, records=chosen)


def test_a_slice_of_something_else_is_a_type_error(ten: DataSet) -> None:
    with pytest.raises(TypeError, match="records"):
        loader(ten, records=slice("a", "b"))
    with pytest.raises(ParameterError, match="records: slice step cannot be zero"):
        loader(ten, records=slice(0, 3, 0))


def test_a_function_that_raises_is_heard(ten: DataSet) -> None:
    with pytest.raises(ZeroDivisionError):
        loader(ten, records=lambda key, label: 1 / 0)


def test_a_function_that_ends_something_of_its_own_is_no_end(ten: DataSet) -> None:
    def end(key: int, label: float) -> bool:
        raise StopIteration

    with pytest.raises(RuntimeError, match="records raised StopIteration"):
        loader(ten, records=end)


def test_a_record_without_a_label_to_choose_by_is_named(
    ten: DataSet, tmp_path: Path
) -> None:
    listed = tmp_path / "labels.lst"
    listed.write_text("".join(f"{100 + i}\t{i}\tx.jpg\n" for i in range(10) if i != 6))

    with pytest.raises(DataError, match=r"record 6 \(id 106\): .* no line") as caught:
        loader(ten, records=even, path_imglist=listed)
    with pytest.raises(DataError, match="holds 1 labels, label_width is 3"):
        loader(ten, records=LabelRange(0, 1), label_width=3)

    assert (caught.value.record, caught.value.id) == (6, 106)


@pytest.mark.parametrize(("start", "stop"), [(3, 3), (4, 3), (float("nan"), 1)])
def test_a_label_range_must_hold_something(start: float, stop: float) -> None:
    with pytest.raises(ParameterError, match="start must be below stop"):
        LabelRange(start, stop)


def test_the_index_that_is_cached_holds_all_records(tmp_path: Path) -> None:
    data = write_set(tmp_path, [np.zeros((8, 8, 3), np.uint8)] * 5)
    data.idx.unlink()

    loader(data, records=[1, 0], cache_index=True).close()

    expected = "".join(f"{i}\t{offset}\n" for i, offset in enumerate(data.offsets))
    assert data.idx.read_text() == expected


def test_a_mean_image_is_that_of_the_chosen_records(
    ten: DataSet, tmp_path: Path
) -> None:
    with loader(ten, records=[1, 3], mean_img=tmp_path / "mean.nd") as batches:
        (batch,) = batches

    np.testing.assert_array_equal(batch.data[0], np.full((3, 8, 8), 20 - 40))


def settled(data: DataSet, chosen: Any, **options: Any) -> dict[str, Any]:
    made = {"path_imgrec": str(data.rec), "records": chosen} | options
    settle(made)
    return made


def test_a_view_pickles_as_numbers_whatever_chose_it(ten: DataSet) -> None:
    made = settled(ten, lambda key, label: label in (1, 2, 5))

    again = pickle.loads(pickle.dumps(made))

    assert again["records"].all().tolist() == [1, 2, 5]
    assert again["records"].digest() == made["records"].digest()


def test_neighbours_in_order_take_no_memory(many: DataSet) -> None:
    view = settled(many, LabelRange(10, 900))["records"]

    assert view.ordinals is None
    assert (view.first, view.count) == (10, 890)


def digest(data: DataSet, chosen: Any) -> str:
    view = settled(data, chosen)["records"]
    assert isinstance(view, View)
    return view.digest()


@pytest.mark.parametrize(
    "other", [[1, 2, 4], [2, 1, 3], [1, 2], slice(1, 5), lambda key, label: key > 6]
)
def test_another_view_has_another_digest(ten: DataSet, other: Any) -> None:
    assert digest(ten, [1, 2, 3]) == digest(ten, slice(1, 4))
    assert digest(ten, [1, 2, 3]) == digest(ten, LabelRange(1, 4))
    assert digest(ten, [1, 2, 3]) != digest(ten, other)


def test_a_state_goes_on_inside_of_the_view_and_fits_no_other(many: DataSet) -> None:
    options: dict[str, Any] = {"shuffle": True, "seed": 2}
    even = list(range(0, 1000, 2))
    whole = read(many, records=even, batch_size=10, **options)
    with loader(many, records=even, batch_size=10, **options) as batches:
        epoch = iter(batches)
        for _ in range(3):
            next(epoch)
        state = batches.state_dict()

    with loader(many, records=slice(0, 1000, 2), batch_size=7, **options) as again:
        again.load_state_dict(state)
        rest = [id - 100 for id in epoch_ids(again)]

    assert rest == whole[30:]
    with (
        loader(many, records=slice(1, 1000, 2), **options) as other,
        pytest.raises(ParameterError, match=r"records was '[0-9a-f]{16}', is '"),
    ):
        other.load_state_dict(state)


def test_settling_again_changes_nothing(ten: DataSet) -> None:
    made = settled(ten, [3, 1])
    view = made["records"]

    settle(made)

    assert made["records"] is view


def private_kilobytes() -> int:
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if "Private_Dirty" in line)


def use_view(view: View, make: Callable[[], Any], send: Any) -> None:
    before = private_kilobytes()
    chosen = view.chosen
    made = make()
    send.send((private_kilobytes() - before, len(chosen), made is not None))


def test_forked_processes_share_a_large_view(many: DataSet) -> None:
    rows = 2_000_000
    view = View(np.arange(0, 2 * rows, 2, dtype=np.uint64))  # 16 MB
    receive, send = multiprocessing.get_context("fork").Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=use_view, args=(view, object, send)
    )

    process.start()
    grown, length, _ = receive.recv()
    process.join()

    assert length == rows
    assert grown < 4_000


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_of_pytorch_read_the_view_that_a_function_chose(
    ten: DataSet, workers: int
) -> None:
    torch = pytest.importorskip("torch")
    from mxio.adapters.torch import ImageRecordDataset

    dataset = ImageRecordDataset(
        path_imgrec=ten.rec,
        data_shape=(3, 8, 8),
        batch_size=2,
        records=lambda key, label: label > 4,
        preprocess_threads=1,
    )
    again = pickle.loads(pickle.dumps(dataset))  # as spawn does

    batches = torch.utils.data.DataLoader(
        again, batch_size=None, num_workers=workers, multiprocessing_context=None
    )

    assert len(dataset) == 3
    assert [label.tolist() for _, label in batches] == [[5, 6], [7, 8], [9]]
