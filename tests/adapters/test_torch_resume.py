"""ImageRecordDataset goes on where it was: states of its iterators, and of all of its
workers together.
"""

import errno
import json
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mxio.errors import DataError, MxioError, ParameterError, system_error
from mxio.loader import ImageLoader
from tests.conftest import DataSet, encoded, picture, record, write_rec

torch = pytest.importorskip("torch", reason="needs torch")

from torch.utils.data import DataLoader  # noqa: E402

from mxio.adapters.torch import ImageRecordDataset, Loader, global_state  # noqa: E402

# Python 3.12 warns of a fork beside threads, torch of more workers than cores.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
]


def dataset(data: DataSet | Path, **options: Any) -> ImageRecordDataset:
    rec = data.rec if isinstance(data, DataSet) else data
    given: dict[str, Any] = {"data_shape": (3, 8, 8), "batch_size": 5, "shuffle": True}
    given |= options
    if given["batch_size"] is None:
        del given["batch_size"]
    return ImageRecordDataset(**({"path_imgrec": rec} | given))


def labels(batches: Iterable[Any]) -> list[list[int]]:
    """The labels, which count the records, of each batch."""
    return [label.int().tolist() for _, label in batches]


def taken(iterator: Any, count: int) -> list[Any]:
    return [next(iterator)[1].int().tolist() for _ in range(count)]


def worker_iterator(
    monkeypatch: pytest.MonkeyPatch, given: ImageRecordDataset, id: int, count: int
) -> Any:
    """The iterator that a DataLoader worker has."""
    info = SimpleNamespace(id=id, num_workers=count, seed=50 + id)
    with monkeypatch.context() as patch:
        patch.setattr("mxio.adapters.torch._iterable.get_worker_info", lambda: info)
        return iter(given)


# ---- the state of an iterator ----


@pytest.mark.parametrize("stop", [0, 1, 4, 8])
def test_an_iterator_goes_on_where_its_state_was_taken(
    photos: DataSet, stop: int
) -> None:
    whole = dataset(photos)
    epochs = [labels(whole) for _ in range(3)]
    first: Any = dataset(photos)
    labels(first)
    begun = iter(first)
    taken(begun, stop)

    state = json.loads(json.dumps(begun.state_dict()))
    other: Any = dataset(photos)
    resumed = iter(other)
    resumed.load_state_dict(state)

    assert (state["epoch"], state["samples"]) == (1, min(5 * stop, 37))
    assert labels(resumed) == epochs[1][stop:]
    assert labels(other) == epochs[2]


def test_the_same_batches_come_from_another_batch_size(photos: DataSet) -> None:
    (order,) = labels(dataset(photos, batch_size=37))
    begun: Any = iter(dataset(photos, batch_size=3))
    taken(begun, 4)

    resumed: Any = iter(dataset(photos, batch_size=10))
    resumed.load_state_dict(begun.state_dict())

    assert labels(resumed) == [order[12:22], order[22:32], order[32:]]


def test_a_state_loaded_after_the_first_item_is_refused(photos: DataSet) -> None:
    begun: Any = iter(dataset(photos))
    state = begun.state_dict()
    next(begun)

    with pytest.raises(MxioError, match="before the first item is taken"):
        begun.load_state_dict(state)


def test_a_bad_batch_counts_as_taken(tmp_path: Path) -> None:
    payloads = [record(encoded(picture(i, 8, 8)), float(i)) for i in range(8)]
    payloads[3] = record(b"bad")
    rec, _, _ = write_rec(tmp_path, payloads)
    begun: Any = iter(dataset(rec, batch_size=2, shuffle=False))
    next(begun)
    with pytest.raises(DataError, match="record 3"):
        next(begun)

    state = begun.state_dict()
    resumed: Any = iter(dataset(rec, batch_size=2, shuffle=False))
    resumed.load_state_dict(state)

    assert labels(resumed) == labels(begun) == [[4, 5], [6, 7]]


@pytest.mark.parametrize("stop", [0, 1, 31, 32, 33, 37])
def test_samples_go_on_at_the_next_sample(photos: DataSet, stop: int) -> None:
    order = [int(label) for _, label in dataset(photos, batch_size=None)]
    begun: Any = iter(dataset(photos, batch_size=None))
    taken(begun, stop)

    state = begun.state_dict()
    resumed: Any = iter(dataset(photos, batch_size=None))
    resumed.load_state_dict(state)

    assert state["samples"] == stop
    assert [int(label) for _, label in resumed] == order[stop:]


@pytest.mark.parametrize("stop", [0, 3, 5])
def test_samples_of_a_worker_go_on_at_its_next_sample(
    photos: DataSet, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    # Worker 1 of 2 has the second unit of 32: 5 samples.
    order = [int(label) for _, label in dataset(photos, batch_size=None)]
    first = dataset(photos, batch_size=None)
    begun = worker_iterator(monkeypatch, first, 1, 2)
    taken(begun, stop)

    state = begun.state_dict()
    other = dataset(photos, batch_size=None)
    resumed = worker_iterator(monkeypatch, other, 1, 2)
    resumed.load_state_dict(state)

    assert [int(label) for _, label in resumed] == order[32 + stop :]
    with pytest.raises(ParameterError, match="no prefix of the epoch"):
        global_state(state)


def test_a_batch_that_the_system_failed_is_used_up(
    photos: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only damage was counted: the resumed worker gave the last batch again.
    begun = worker_iterator(monkeypatch, dataset(photos), 0, 2)
    expected = worker_iterator(monkeypatch, dataset(photos), 0, 2)
    given, failed, *rest = taken(expected, 4)
    read = ImageLoader.next

    def failing(self: ImageLoader) -> Any:
        read(self)
        raise system_error(errno.EIO, "no disk")

    first = taken(begun, 1)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="no disk"):
        patch.setattr(ImageLoader, "next", failing)
        next(begun)
    first += taken(begun, 1)
    resumed = worker_iterator(monkeypatch, dataset(photos), 0, 2)
    resumed.load_state_dict(begun.state_dict())

    assert first + labels(resumed) == [given, *rest]
    assert failed not in rest


@pytest.mark.parametrize("size", [5, None])
def test_an_item_that_ctrl_c_came_into_is_not_done(
    photos: DataSet, size: int | None
) -> None:
    # It had been counted before the transform: a run resumed from there left it out.
    interrupt = [None, None, KeyboardInterrupt()]

    def interrupted(data: Any, label: Any) -> Any:
        if interrupt and (error := interrupt.pop(0)):
            raise error
        return data, label

    given = dataset(photos, batch_size=size, transform=interrupted)
    begun: Any = iter(given)
    first = taken(begun, 2)
    with pytest.raises(KeyboardInterrupt):
        next(begun)
    resumed = dataset(photos, batch_size=size)
    resumed.load_state_dict(global_state(begun.state_dict()))

    whole = [label.int().tolist() for _, label in dataset(photos, batch_size=size)]
    for rest in (begun, resumed):
        assert first + [label.int().tolist() for _, label in rest] == whole


@pytest.mark.parametrize("face", [ImageRecordDataset, Loader])
def test_a_state_of_some_samples_of_a_rank_is_no_state_of_all(
    photos: DataSet, face: Any
) -> None:
    # It was taken for one of whole batches: samples that had come already came again.
    options: dict[str, Any] = {"path_imgrec": photos.rec, "data_shape": (3, 8, 8)}
    begun: Any = iter(ImageRecordDataset(**options, rank=0, world_size=2))
    taken(begun, 3)

    with pytest.raises(ParameterError, match="no prefix of the epoch"):
        face(**options, batch_size=5).load_state_dict(begun.state_dict())


def test_a_state_of_another_worker_is_refused(
    photos: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = worker_iterator(monkeypatch, dataset(photos), 0, 2).state_dict()

    for id, count, options in [(1, 2, {}), (0, 3, {}), (0, 2, {"batch_size": 4})]:
        other = worker_iterator(monkeypatch, dataset(photos, **options), id, count)
        with pytest.raises(ParameterError, match=r"worker 0 of 2.* global_state\(\)"):
            other.load_state_dict(state)


def test_a_partition_goes_on_in_the_same_partition_only(photos: DataSet) -> None:
    options: dict[str, Any] = {"shard": "partition", "world_size": 2, "shuffle": False}
    begun: Any = iter(dataset(photos, rank=1, **options))
    expected = labels(dataset(photos, rank=1, **options))
    taken(begun, 2)

    state = begun.state_dict()
    same: Any = iter(dataset(photos, rank=1, **options))
    same.load_state_dict(state)
    other: Any = iter(dataset(photos, rank=0, **options))

    assert labels(same) == expected[2:]
    with pytest.raises(ParameterError, match="part_index was 1, is 0"):
        other.load_state_dict(state)
    with pytest.raises(ParameterError, match="shard='records'"):
        global_state(state)
    with pytest.raises(ParameterError, match="resume is for shard='records'"):
        dataset(photos, rank=1, **options).load_state_dict(state)


# ---- the state of a data set ----


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("persistent", [False, True])
def test_a_data_set_goes_on_with_any_number_of_workers(
    photos: DataSet, count: int, persistent: bool
) -> None:
    whole = dataset(photos)
    epochs = [labels(whole) for _ in range(4)]
    begun: Any = iter(dataset(photos))
    taken(begun, 3)

    given = dataset(photos)
    given.load_state_dict(global_state(begun.state_dict()))
    loader: Any = DataLoader(
        given,
        batch_size=None,
        num_workers=count,
        persistent_workers=persistent and count > 0,
    )

    assert labels(loader) == epochs[0][3:]
    assert labels(loader) == epochs[1]
    assert len(loader) == 8


def test_setting_the_epoch_of_the_state_keeps_the_position(photos: DataSet) -> None:
    whole = dataset(photos)
    epochs = [labels(whole) for _ in range(3)]
    begun: Any = iter(dataset(photos))
    taken(begun, 3)
    state = global_state(begun.state_dict())
    same, other = dataset(photos), dataset(photos)

    for given, epoch in [(same, 0), (other, 2)]:
        given.load_state_dict(state)
        given.set_epoch(epoch)

    assert [labels(same), labels(same)] == [epochs[0][3:], epochs[1]]
    assert labels(other) == epochs[2]


def test_loading_ends_the_iterations_that_have_begun(photos: DataSet) -> None:
    # The state would not apply to them, and nobody would notice.
    given = dataset(photos)
    state = global_state(iter(dataset(photos)).state_dict())  # type: ignore[attr-defined]
    begun = iter(given)
    next(begun)

    given.load_state_dict(state)

    with pytest.raises(MxioError, match="a state was loaded into the data set"):
        next(begun)


def test_no_record_before_the_position_is_read(tmp_path: Path) -> None:
    good = [record(encoded(picture(i, 8, 8)), float(i)) for i in range(40)]
    rec, _, _ = write_rec(tmp_path, good)
    given: Any = iter(dataset(rec, shuffle=False))
    taken(given, 7)
    state = given.state_dict()
    payloads = [record(b"unreadable" * 8) for _ in range(35)] + good[35:]
    broken, _, _ = write_rec(tmp_path, payloads, "broken")
    resumed: Any = dataset(broken, shuffle=False)
    # The files differ, on purpose.
    state |= {key: resumed._readers.get().identity[key] for key in ("files", "records")}

    resumed.load_state_dict(global_state(state))

    assert labels(resumed) == [[35, 36, 37, 38, 39]]


def test_a_state_of_something_else_is_refused(photos: DataSet, ten: DataSet) -> None:
    begun: Any = iter(dataset(photos, rand_crop=True))
    state = begun.state_dict()

    with pytest.raises(ParameterError, match="rand_crop was True, is False"):
        dataset(photos).load_state_dict(state)
    with pytest.raises(ParameterError, match=r"bytes"):
        dataset(ten, rand_crop=True).load_state_dict(state)
    with pytest.raises(ParameterError, match="no state of a StatefulDataLoader"):
        global_state({"_snapshot": {}})
    none: Any = None
    with pytest.raises(TypeError, match=r"state_dict.* gave, got NoneType"):
        global_state(none)
    with pytest.raises(ParameterError, match="no state of a StatefulDataLoader"):
        global_state({"fetcher_state": {"dataset_iter_state": None}})


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"base": 0}, "strange 'reader'"),
        (5, "strange 'reader'"),
        ({"next": -1}, r"next of a state must be in \[0, 2\^48\), got -1"),
        ({"base": 2**70}, "base of a state"),
    ],
)
def test_a_state_that_was_tampered_with_is_refused(
    photos: DataSet, own: Any, words: str
) -> None:
    fresh: Any = iter(dataset(photos))
    state = fresh.state_dict()
    if isinstance(own, dict) and own != {"base": 0}:
        own = state["reader"] | own

    with pytest.raises(ParameterError, match=words):
        fresh.load_state_dict(state | {"reader": own})
    with pytest.raises(ParameterError, match=words):
        global_state(state | {"reader": own})


# ---- the state of all workers ----


def of_workers(states: list[dict[str, Any]], steps: int = 0) -> dict[str, Any]:
    """As torchdata's StatefulDataLoader has it."""
    snapshots = {
        f"worker_{i}": {"worker_id": i, "fetcher_state": {"dataset_iter_state": one}}
        for i, one in enumerate(states)
    }
    return {
        "_snapshot": {"_worker_snapshots": snapshots},
        "_steps_since_snapshot": steps,
        "_iterator_finished": False,
    }


@pytest.mark.parametrize("done", range(9))
def test_the_state_of_all_workers_is_that_of_the_last_batch(
    photos: DataSet, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    states = []
    for id in range(3):
        one = worker_iterator(monkeypatch, dataset(photos), id, 3)
        taken(one, len(range(id, done, 3)))
        states.append(one.state_dict())

    state = global_state(of_workers(states))

    assert (state["epoch"], state["samples"]) == (0, min(5 * done, 37))
    assert "reader" not in state


def test_steps_behind_the_last_snapshot_count(
    photos: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = worker_iterator(monkeypatch, dataset(photos), 0, 2)
    taken(one, 1)

    counted = [
        global_state(of_workers([one.state_dict()], steps))["samples"]
        for steps in (0, 2, 7)
    ]

    assert counted == [5, 15, 37]


def test_behind_the_end_the_next_epoch_begins(photos: DataSet) -> None:
    begun: Any = iter(dataset(photos))
    labels(begun)
    finished = of_workers([begun.state_dict()]) | {"_iterator_finished": True}

    state = global_state(finished)

    assert (state["epoch"], state["samples"]) == (1, 0)
