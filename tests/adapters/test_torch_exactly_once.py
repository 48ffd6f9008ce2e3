"""Every record once an epoch: whatever ranks, workers and batch size a run has, and
however often it stops and goes on with others.
"""

import itertools
import pickle
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import encoded, record, write_rec

pytest.importorskip("torch", reason="needs torch")

from mxio.adapters.torch import (
    ImageRecordDataset,
    Loader,
    global_state,
)

MOST = 60
SEED = 5
IMAGE = encoded(np.zeros((4, 4, 3), np.uint8))

Item = tuple[list[int], list[bool]]  # labels, which count the records, and the mask
State = dict[str, Any]


class Stage(NamedTuple):
    """Ranks with workers each that take so many steps from where the last ones were."""

    world: int
    workers: int
    batch: int
    steps: int


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """By number of records."""
    folder = tmp_path_factory.mktemp("files")
    payloads = [record(IMAGE, float(i)) for i in range(MOST)]
    return [folder / "none"] + [
        write_rec(folder, payloads[:count], f"{count}")[0]
        for count in range(1, MOST + 1)
    ]


def item(taken: tuple[Any, ...]) -> Item:
    _, label, mask = taken
    return label.int().tolist(), mask.tolist()


def of_workers(dataset: ImageRecordDataset, workers: int) -> Iterator[tuple[Item, Any]]:
    """What a DataLoader with so many workers gives, and the state of the worker that
    made it: each has its own copy of the data set, and they take turns.
    """
    readers = []
    for worker in range(workers):
        copy = pickle.loads(pickle.dumps(dataset))
        info = SimpleNamespace(id=worker, num_workers=workers, seed=9 + worker)
        with patch("mxio.adapters.torch._iterable.get_worker_info", lambda i=info: i):
            readers.append(iter(copy))
    for reader in itertools.cycle(readers):
        taken = next(reader, None)
        if taken is None:
            return
        yield item(taken), reader.state_dict()


def of_rank(
    stage: Stage, rank: int, state: State | None, **options: Any
) -> Iterator[tuple[Item, State]]:
    """The batches of a rank from a state on, each with the state behind it."""
    options |= {
        "batch_size": stage.batch,
        "rank": rank,
        "world_size": stage.world,
        "with_mask": True,
        "preprocess_threads": 1,
    }
    if stage.workers > 0:
        dataset = ImageRecordDataset(**options)
        if state is not None:
            dataset.load_state_dict(state)
        for taken, place in of_workers(dataset, stage.workers):
            yield taken, global_state(place)
        return
    with Loader(**options) as loader:
        if state is not None:
            loader.load_state_dict(state)
        for taken in loader:
            yield item(taken), loader.state_dict()


def expected_of_rank(
    order: list[int], base: int, stage: Stage, rank: int, last: str
) -> list[Item]:
    """By the rule: step s is the positions from base + s * world * batch on, and a
    rank's batch its slice of them.
    """
    whole = stage.world * stage.batch
    steps = (len(order) - base) // whole
    if last != "drop":
        steps = -(-(len(order) - base) // whole)
    out = []
    for step in range(min(steps, stage.steps)):
        first = base + step * whole + rank * stage.batch
        places = range(first, first + stage.batch)
        if last == "partial":
            places = range(first, min(first + stage.batch, len(order)))
        if places:
            labels = [order[place % len(order)] for place in places]
            out.append((labels, [place < len(order) for place in places]))
    return out


stages = st.builds(
    Stage,
    world=st.integers(1, 4),
    workers=st.integers(0, 3),
    batch=st.integers(1, 7),
    steps=st.integers(0, 4),
)


@settings(max_examples=60)
@given(
    count=st.integers(1, MOST),
    stops=st.lists(stages, max_size=3),
    end=stages,
    last=st.sampled_from(["drop", "pad", "partial"]),
    shuffle=st.booleans(),
)
def test_each_record_comes_once_whatever_stops_and_goes_on(
    files: list[Path],
    count: int,
    stops: list[Stage],
    end: Stage,
    last: str,
    shuffle: bool,
) -> None:
    options: dict[str, Any] = {
        "path_imgrec": files[count],
        "data_shape": (3, 4, 4),
        "shuffle": shuffle,
        "seed": SEED,
        "last_batch": last,
        "label_dtype": "int64",
    }
    alone = Loader(**options, batch_size=1)
    order = [int(label) for _, label in alone]
    state: State | None = None
    base = 0
    came: list[int] = []

    for stage in [*stops, end._replace(steps=MOST)]:
        ranks = [
            list(itertools.islice(of_rank(stage, rank, state, **options), stage.steps))
            for rank in range(stage.world)
        ]

        batches = [[taken for taken, _ in rank] for rank in ranks]
        assert batches == [
            expected_of_rank(order, base, stage, rank, last)
            for rank in range(stage.world)
        ]
        if last != "partial":
            assert len({len(rank) for rank in batches}) == 1
        came += [
            label
            for rank in batches
            for labels, mask in rank
            for label, good in zip(labels, mask, strict=True)
            if good
        ]
        if ranks[0]:
            whole = stage.world * stage.batch
            state = ranks[0][-1][1]
            base = min(base + len(ranks[0]) * whole, count)
            assert (state["epoch"], state["samples"]) == (0, base)

    assert sorted(order) == list(range(count))
    assert sorted(came) == sorted(order if last != "drop" else order[:base])
    assert last != "drop" or count - base < end.world * end.batch
