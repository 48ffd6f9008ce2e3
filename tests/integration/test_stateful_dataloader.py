"""torchdata's StatefulDataLoader resumes exactly, whatever its workers."""

from collections.abc import Iterable
from itertools import islice, product
from typing import Any

import pytest

from tests.conftest import DataSet

pytest.importorskip("torch", reason="needs torch")
torchdata = pytest.importorskip(
    "torchdata.stateful_dataloader", reason="needs torchdata"
)

from mxio.adapters.torch import (  # noqa: E402
    ImageRecordDataset,
    Loader,
    global_state,
)

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("default")]

CASES = [
    (workers, persistent, every)
    for workers, persistent, every in product([0, 1, 2, 3], [False, True], [1, 3])
    if workers > 0 or not persistent
]


def dataset(data: DataSet, **options: Any) -> ImageRecordDataset:
    given: dict[str, Any] = {"data_shape": (3, 8, 8), "batch_size": 3, "shuffle": True}
    given |= {"path_imgrec": data.rec, "preprocess_threads": 1} | options
    if given["batch_size"] is None:
        del given["batch_size"]
    return ImageRecordDataset(**given)


def labels(batches: Iterable[Any]) -> list[list[int]]:
    return [label.int().tolist() for _, label in batches]


@pytest.mark.parametrize(("workers", "persistent", "every"), CASES)
@pytest.mark.parametrize("stop", [0, 1, 4, 7, 12, 13])
def test_it_resumes_at_any_batch(
    photos: DataSet, workers: int, persistent: bool, every: int, stop: int
) -> None:
    whole = dataset(photos)
    epochs = [labels(whole) for _ in range(4)]

    def made() -> Any:
        return torchdata.StatefulDataLoader(
            dataset(photos),
            batch_size=None,
            num_workers=workers,
            persistent_workers=persistent,
            snapshot_every_n_steps=every,
        )

    first = made()
    assert labels(first) == epochs[0]
    begun = labels(islice(iter(first), stop))
    state = first.state_dict()
    del first

    second = made()
    second.load_state_dict(state)

    assert begun + labels(second) == epochs[1]
    assert [labels(second), labels(second)] == epochs[2:]

    other = dataset(photos, batch_size=2)
    other.load_state_dict(global_state(state))
    rest = [one for batch in epochs[1][stop:] for one in batch]
    assert [one for batch in labels(other) for one in batch] == rest


@pytest.mark.parametrize("workers", [0, 2])
def test_behind_an_epoch_it_goes_on_with_the_next(
    photos: DataSet, workers: int
) -> None:
    whole = dataset(photos)
    epochs = [labels(whole) for _ in range(2)]
    first, second = (
        torchdata.StatefulDataLoader(
            dataset(photos), batch_size=None, num_workers=workers
        )
        for _ in range(2)
    )
    labels(first)
    state = first.state_dict()

    second.load_state_dict(state)

    assert labels(second) == epochs[1]
    with Loader(
        path_imgrec=photos.rec, data_shape=(3, 8, 8), batch_size=3, shuffle=True
    ) as loader:
        loader.load_state_dict(global_state(state))
        assert labels(loader) == epochs[1]


@pytest.mark.parametrize(("workers", "stop"), [*product([0, 1, 2, 3], [0, 1, 5])])
def test_single_samples_come_once_over_a_stop(
    photos: DataSet, workers: int, stop: int
) -> None:
    def made() -> Any:
        return torchdata.StatefulDataLoader(
            dataset(photos, batch_size=None), batch_size=4, num_workers=workers
        )

    first = made()
    begun = labels(islice(iter(first), stop))
    state = first.state_dict()
    second = made()
    second.load_state_dict(state)

    came = [one for batch in begun + labels(second) for one in batch]

    assert sorted(came) == list(range(37))
