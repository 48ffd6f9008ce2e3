"""Records of any kind through DataLoader: order, workers, ranks, states."""

import pickle
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import mxio
from mxio.errors import ParameterError
from mxio.recordio import IRHeader
from tests.conftest import DataSet

torch = pytest.importorskip("torch", reason="needs torch")

from torch.utils.data import DataLoader  # noqa: E402

from mxio.adapters.torch import RecordDataset, global_state  # noqa: E402

# Python 3.12 warns of a fork beside threads, torch of more workers than cores.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
]


def as_it_is(batch: Any) -> Any:
    return batch


def number_of(header: IRHeader, payload: bytes) -> int:
    return int(header.id) + len(payload[:0])


def test_payloads_go_through_the_function(notes: Path, ten: DataSet) -> None:
    dataset = RecordDataset(int, path_imgrec=notes)

    assert list(dataset) == list(range(23))
    assert len(dataset) == 23
    assert next(iter(RecordDataset(path_imgrec=notes))) == b"0"
    unpacked = RecordDataset(number_of, unpack=True, path_imgrec=ten.rec)
    assert list(unpacked) == ten.ids


@pytest.mark.parametrize("count", [0, 1, 3])
def test_batches_are_those_of_the_plain_face_whatever_the_workers(
    notes: Path, count: int
) -> None:
    options: dict[str, Any] = {
        "path_imgrec": notes,
        "batch_size": 4,
        "shuffle": True,
        "last_batch": "pad",
    }
    plain = mxio.RecordDataset(int, **options)
    expected = [[(list(b), b.ordinals, b.pad) for b in plain] for _ in range(2)]
    loader: Any = DataLoader(
        RecordDataset(int, **options),
        batch_size=None,
        num_workers=count,
        collate_fn=as_it_is,
        persistent_workers=count > 0,
    )

    seen = [[(list(b), b.ordinals, b.pad) for b in loader] for _ in range(2)]

    assert seen == expected
    assert len(loader) == 6


@pytest.mark.parametrize(("world", "count"), [(1, 2), (3, 0), (2, 2)])
def test_single_records_come_once_each(notes: Path, world: int, count: int) -> None:
    seen: list[int] = []
    for rank in range(world):
        dataset = RecordDataset(
            int, path_imgrec=notes, shuffle=True, rank=rank, world_size=world
        )
        for batch in DataLoader(dataset, batch_size=4, num_workers=count):
            seen += batch.tolist()

    assert sorted(seen) == list(range(23))


def test_it_goes_on_where_it_stopped(notes: Path) -> None:
    whole = RecordDataset(int, path_imgrec=notes, shuffle=True)
    epochs = [list(whole) for _ in range(2)]
    begun: Any = iter(RecordDataset(int, path_imgrec=notes, shuffle=True))
    assert list(islice(begun, 9)) == epochs[0][:9]
    state = begun.state_dict()

    same: Any = iter(RecordDataset(int, path_imgrec=notes, shuffle=True))
    same.load_state_dict(state)
    given = RecordDataset(int, path_imgrec=notes, shuffle=True)
    given.load_state_dict(global_state(state))
    loader = DataLoader(given, batch_size=None, num_workers=2)

    assert list(same) == epochs[0][9:]
    assert [int(n) for n in loader] == epochs[0][9:]
    assert [int(n) for n in loader] == epochs[1]


def test_it_pickles_and_is_spawned(notes: Path) -> None:
    dataset = RecordDataset(int, path_imgrec=notes)
    loader: Any = DataLoader(
        dataset, batch_size=None, num_workers=1, multiprocessing_context="spawn"
    )

    assert list(pickle.loads(pickle.dumps(dataset))) == list(range(23))
    assert list(loader) == list(range(23))


def test_options_of_images_are_refused(notes: Path) -> None:
    wrong: dict[str, Any] = {"data_shape": (3, 8, 8)}

    with pytest.raises(TypeError, match="does not take the parameter 'data_shape'"):
        RecordDataset(path_imgrec=notes, **wrong)
    with pytest.raises(ParameterError, match="rank must be in"):
        RecordDataset(path_imgrec=notes, rank=2, world_size=2)
