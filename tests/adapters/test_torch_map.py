"""The map-style data set: records by number, several at once, with samplers."""

import copy
import pickle
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mxio.errors import DataError, MxioError, ParameterError
from mxio.loader import ImageLoader
from tests.conftest import DataSet, encoded, picture, record, write_rec

torch = pytest.importorskip("torch", reason="needs torch")

from torch.utils.data import DataLoader, DistributedSampler  # noqa: E402

from mxio.adapters.torch import (  # noqa: E402
    ImageRecordDataset,
    ImageRecordMapDataset,
    Loader,
)

# Python 3.12 warns of a fork beside threads, torch of more workers than cores.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
]

RANDOM: dict[str, Any] = {"rand_crop": True, "rand_mirror": True, "brightness": 0.4}


def dataset(data: DataSet | Path, **options: Any) -> ImageRecordMapDataset:
    rec = data.rec if isinstance(data, DataSet) else data
    given: dict[str, Any] = {"data_shape": (3, 8, 8)}
    return ImageRecordMapDataset(**({"path_imgrec": rec} | given | options))


def labels(samples: Iterable[Any]) -> list[int]:
    """The labels, which count the records."""
    return [int(label) for _, label in samples]


def test_a_record_is_a_picture_and_its_label(colours: DataSet) -> None:
    given = dataset(colours, data_shape=(3, 12, 16), dtype="uint8")

    data, label = given[3]

    np.testing.assert_array_equal(data.numpy(), colours.pixels[3].transpose(2, 0, 1))
    assert (label.shape, label.item()) == ((), 3)
    assert len(given) == 7


def test_several_records_come_in_the_order_asked_for(photos: DataSet) -> None:
    given = dataset(photos, preprocess_threads=3)
    wanted = [5, 36, 0, 5, 17, *range(36, -1, -1)]

    assert labels(given.__getitems__(wanted)) == wanted
    assert given.__getitems__([]) == []
    numbers: list[Any] = [np.int64(4), torch.tensor(9), -1]
    assert labels(given[number] for number in numbers) == [4, 9, 36]


@pytest.mark.parametrize("number", [10, -11, 2**40, 2**70])
def test_a_number_that_is_no_record_is_an_index_error(
    ten: DataSet, number: int
) -> None:
    given: Any = dataset(ten)

    with pytest.raises(IndexError, match=f"no record {number}, they are 0 to 9"):
        given[number]
    with pytest.raises(TypeError):
        given["3"]
    assert labels(given) == list(range(10))


def test_labels_may_be_wide_and_whole(tmp_path: Path) -> None:
    image = encoded(np.zeros((8, 8, 3), np.uint8))
    rec, _, _ = write_rec(tmp_path, [record(image, [i, i + 5]) for i in range(3)])

    _, label = dataset(rec, label_width=2, label_dtype="int64")[1]

    assert (label.dtype, label.tolist()) == (torch.int64, [1, 6])


def test_numbers_are_places_among_the_chosen_records(photos: DataSet) -> None:
    given = dataset(photos, records=[30, 2, 17], path_imgidx=photos.idx)

    assert labels(given.__getitems__([2, 0, -2])) == [17, 30, 2]
    assert len(given) == 3


# ---- augmentation ----


def test_a_record_is_augmented_as_in_the_same_epoch_of_a_loader(
    photos: DataSet,
) -> None:
    options: dict[str, Any] = {**RANDOM, "data_shape": (3, 20, 20), "seed": 3}
    loader = Loader(path_imgrec=photos.rec, batch_size=37, **options)
    epochs = [next(iter(loader))[0] for _ in range(2)]
    given = dataset(photos, **options)

    for epoch, expected in enumerate(epochs):
        given.set_epoch(epoch)
        for number in (36, 0, 9):
            assert torch.equal(given[number][0], expected[number])
    assert not torch.equal(*epochs)


def test_the_epoch_of_a_record_is_how_often_it_came(photos: DataSet) -> None:
    # Otherwise a run that never calls set_epoch would see the same crops for ever.
    counted, told = dataset(photos, **RANDOM), dataset(photos, **RANDOM)

    for epoch in range(3):
        told.set_epoch(epoch)
        for one, other in zip(
            counted.__getitems__(range(37)), told.__getitems__(range(37)), strict=True
        ):
            assert torch.equal(one[0], other[0])


def test_a_record_that_is_asked_for_twice_is_augmented_twice(photos: DataSet) -> None:
    # A sampler that repeats gave the same picture again, when both were in one batch.
    repeating, told = dataset(photos, **RANDOM), dataset(photos, **RANDOM)

    batch = repeating.__getitems__([9, 4, 9, 9])

    for (data, _), (number, epoch) in zip(
        batch, [(9, 0), (4, 0), (9, 1), (9, 2)], strict=True
    ):
        told.set_epoch(epoch)
        assert torch.equal(data, told[number][0])


@pytest.mark.parametrize(("count", "persistent"), [(0, False), (2, False), (2, True)])
def test_workers_count_together(photos: DataSet, count: int, persistent: bool) -> None:
    # In another order each record has another worker in each epoch.
    told = dataset(photos, **RANDOM)
    loader: Any = DataLoader(
        dataset(photos, **RANDOM),
        batch_size=3,
        shuffle=True,
        num_workers=count,
        persistent_workers=persistent,
    )

    for epoch in range(2):
        told.set_epoch(epoch)
        expected = [data for data, _ in told.__getitems__(range(37))]
        seen = []
        for data, label in loader:
            for one, number in zip(data, label.int().tolist(), strict=True):
                assert torch.equal(one, expected[number])
                seen.append(number)
        assert sorted(seen) == list(range(37))


# ---- with torch ----


def test_a_distributed_sampler_deals_it(photos: DataSet) -> None:
    seen: list[int] = []
    for rank in range(2):
        given = dataset(photos)
        sampler: Any = DistributedSampler(given, 2, rank, shuffle=True, seed=4)
        sampler.set_epoch(1)
        for _, label in DataLoader(given, batch_size=5, sampler=sampler):
            seen += label.int().tolist()

    assert len(seen) == 38  # it repeats one
    assert sorted(set(seen)) == list(range(37))


def test_a_batch_is_one_request(ten: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    fetch = ImageLoader.fetch

    def noted(self: ImageLoader, places: Any, epochs: Any) -> None:
        asked.append(places.tolist())
        fetch(self, places, epochs)

    monkeypatch.setattr(ImageLoader, "fetch", noted)

    batches = list(DataLoader(dataset(ten), batch_size=4))

    assert asked == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert tuple(batches[0][0].shape) == (4, 3, 8, 8)


def test_a_spawned_worker_reads_it(ten: DataSet) -> None:
    loader: Any = DataLoader(
        dataset(ten), batch_size=5, num_workers=1, multiprocessing_context="spawn"
    )

    assert [label.int().tolist() for _, label in loader] == [
        [0, 1, 2, 3, 4],
        [5, 6, 7, 8, 9],
    ]


@pytest.mark.parametrize("kind", [ImageRecordMapDataset, ImageRecordDataset])
def test_a_transform_that_cannot_be_called_is_refused(ten: DataSet, kind: Any) -> None:
    with pytest.raises(TypeError, match="transform must be callable, got 'flip'"):
        kind(path_imgrec=ten.rec, data_shape=(3, 8, 8), transform="flip")


def test_a_transform_makes_the_sample(ten: DataSet) -> None:
    given = dataset(ten, transform=lambda data, label: (data.sum().item(), int(label)))

    assert given[2] == (40.0 * 3 * 8 * 8, 2)
    assert given.__getitems__([0, 1])[1] == (20.0 * 3 * 8 * 8, 1)


def test_workers_count_for_a_copy_too(photos: DataSet) -> None:
    # Its counts were in no shared memory: every epoch had the crops of the first.
    given = dataset(photos, **RANDOM)
    loader: Any = DataLoader(copy.deepcopy(given), batch_size=37, num_workers=1)

    for _ in range(2):
        (seen,) = loader
        expected = given.__getitems__(range(37))
        assert torch.equal(seen[0], torch.stack([data for data, _ in expected]))


def test_it_pickles(ten: DataSet) -> None:
    given = dataset(ten)
    given[3]

    again = pickle.loads(pickle.dumps(given))

    assert labels(again.__getitems__([3, 1])) == [3, 1]


def test_threads_may_share_it(photos: DataSet) -> None:
    given = dataset(photos)
    seen: list[int] = []

    def read(first: int) -> None:
        for number in range(first, 37, 3):
            seen.append(int(given[number][1]))

    threads = [threading.Thread(target=read, args=(first,)) for first in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert sorted(seen) == list(range(37))


# ---- errors ----


def test_a_bad_record_is_named_and_the_next_request_works(tmp_path: Path) -> None:
    payloads = [record(encoded(picture(i, 8, 8)), float(i)) for i in range(6)]
    payloads[3] = record(b"bad", 3.0, 103)
    rec, _, _ = write_rec(tmp_path, payloads)
    given = dataset(rec)

    with pytest.raises(DataError, match=r"record 3 \(id 103\)"):
        given.__getitems__([0, 3, 5])

    assert labels(given.__getitems__([0, 5])) == [0, 5]


def test_the_next_record_replaces_a_bad_one(tmp_path: Path) -> None:
    payloads = [record(encoded(picture(i, 8, 8)), float(i)) for i in range(6)]
    payloads[3] = payloads[4] = record(b"bad")
    rec, _, _ = write_rec(tmp_path, payloads)
    given = dataset(rec, on_error="replace")

    assert labels(given.__getitems__([0, 3, 5])) == [0, 5, 5]
    assert [bad.record for bad in given.errors()] == [3, 4]


def test_a_closed_data_set_refuses(ten: DataSet) -> None:
    given = dataset(ten)
    data, _ = given[3]

    given.close()

    with pytest.raises(MxioError, match="closed"):
        given[3]
    assert data[0, 0, 0] == 60


@pytest.mark.parametrize(
    "name", ["batch_size", "shuffle", "rank", "last_batch", "num_workers"]
)
def test_what_the_data_loader_decides_is_refused(ten: DataSet, name: str) -> None:
    with pytest.raises(TypeError, match=f"does not take the parameter '{name}': "):
        dataset(ten, **{name: 1})


def test_a_record_that_was_asked_for_is_not_skipped(ten: DataSet) -> None:
    with pytest.raises(ParameterError, match="use 'replace'"):
        dataset(ten, on_error="skip")
