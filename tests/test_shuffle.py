"""The order of epochs: shuffle, and the chunks of shuffle_chunk_size."""

import math
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mxio import _core
from mxio.adapters.numpy import ImageRecordLoader
from mxio.io import ImageRecordIter
from tests.conftest import (
    DataSet,
    encoded,
    epoch_ids,
    iterator,
    record,
    write_rec,
    write_set,
)

MEGABYTE = 2**20


def epochs(batches: ImageRecordIter, count: int) -> list[list[int]]:
    """The ids of `count` epochs."""
    found = []
    for _ in range(count):
        found.append(epoch_ids(batches))
        batches.reset()
    return found


def chi_square(table: np.ndarray) -> float:
    """Of counts that should all be the same."""
    expected = table.sum() / table.size
    return float(((table - expected) ** 2 / expected).sum())


@pytest.fixture(scope="module")
def dozen(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """12 tiny pictures, ids 100 to 111."""
    pixels = [np.full((2, 2, 3), i, np.uint8) for i in range(12)]
    return write_set(tmp_path_factory.mktemp("dozen"), pixels)


# ---- shuffle ----


def test_every_record_comes_to_every_place_equally_often(dozen: DataSet) -> None:
    batches = iterator(dozen, data_shape=(3, 2, 2), batch_size=12, shuffle=True)

    orders = np.array(epochs(batches, 1500)) - 100

    seen = np.zeros((12, 12))
    for place in range(12):
        seen[place] += np.bincount(orders[:, place], minlength=12)
    assert (np.sort(orders, axis=1) == np.arange(12)).all()
    assert chi_square(seen) < 121 + 3.3 * math.sqrt(2 * 121)


def test_which_of_two_records_comes_first_is_open(dozen: DataSet) -> None:
    batches = iterator(dozen, data_shape=(3, 2, 2), batch_size=12, shuffle=True)

    places = np.argsort(np.array(epochs(batches, 1000)), axis=1)

    for one in range(12):
        for other in range(one):
            before = (places[:, one] < places[:, other]).mean()
            assert before == pytest.approx(0.5, abs=0.07)


@pytest.mark.parametrize("with_index", [False, True])
def test_a_long_epoch_is_mixed_through_and_through(
    many: DataSet, with_index: bool
) -> None:
    options = {"path_imgidx": many.idx} if with_index else {}
    batches = iterator(
        many, data_shape=(3, 4, 4), batch_size=100, shuffle=True, **options
    )

    orders = np.array(epochs(batches, 4)) - 100

    ranks = np.arange(1000)
    assert (np.sort(orders, axis=1) == ranks).all()
    for i, order in enumerate(orders):
        # Spearman's correlation with the file's order and with the other epochs.
        for other in (ranks, *np.argsort(orders[:i], axis=1)):
            at = np.argsort(order)
            assert abs(np.corrcoef(at, other)[0, 1]) < 0.105
        # Neighbours are torn apart; a record moves a third of the way on average.
        moved = np.abs(order - ranks)
        assert (np.abs(np.diff(order)) == 1).mean() < 0.01
        assert moved.mean() == pytest.approx(1000 / 3, rel=0.08)


def test_an_order_is_that_of_its_seed_and_epoch_and_of_nothing_else(
    many: DataSet,
) -> None:
    def orders(**options: Any) -> list[list[int]]:
        given = {"shuffle": True, "data_shape": (3, 4, 4), "batch_size": 50} | options
        return epochs(iterator(many, **given), 2)

    first = orders(seed=9)

    assert first == orders(seed=9)
    assert first == orders(seed=9, batch_size=125, preprocess_threads=3)
    assert first == orders(seed=9, path_imgidx=many.idx, rand_crop=True)
    assert first[0] != first[1]
    assert first[0] not in orders(seed=10)


def test_without_shuffle_every_epoch_is_the_file(many: DataSet) -> None:
    batches = iterator(many, data_shape=(3, 4, 4), batch_size=100, seed=3)

    assert epochs(batches, 2) == [many.ids, many.ids]


@pytest.mark.parametrize("parts", [2, 3])
def test_parts_shuffle_their_own_records_only(many: DataSet, parts: int) -> None:
    options = {"data_shape": (3, 4, 4), "batch_size": 10, "num_parts": parts}

    plain = [
        epochs(iterator(many, part_index=i, round_batch=False, **options), 1)[0]
        for i in range(parts)
    ]
    mixed = [
        epochs(
            iterator(many, part_index=i, shuffle=True, round_batch=False, **options), 1
        )[0]
        for i in range(parts)
    ]

    assert [sorted(part) for part in mixed] == plain
    assert mixed != plain


# ---- chunks ----

LARGE_COUNT = 60
PADDING = 100_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """6 MB: 60 tiny pictures with 90 to 110 KB behind each, which decoders ignore."""
    pixels = [np.full((2, 2, 3), i, np.uint8) for i in range(LARGE_COUNT)]
    payloads = [
        record(encoded(image), float(i), 100 + i)
        + bytes(PADDING + 2000 * (i % 11) - 10_000)
        for i, image in enumerate(pixels)
    ]
    rec, idx, offsets = write_rec(tmp_path_factory.mktemp("large"), payloads)
    ids = [100 + i for i in range(LARGE_COUNT)]
    return DataSet(rec, idx, ids, [float(i) for i in range(60)], pixels, offsets)


def chunked(data: DataSet, **options: Any) -> ImageRecordIter:
    given = {"data_shape": (3, 2, 2), "batch_size": 60, "shuffle_chunk_size": 1}
    return iterator(data, **(given | options))


def chunks_of(data: DataSet, megabytes: int) -> list[list[int]]:
    """The ids in each chunk: as many equal ranges of bytes as MXNet makes."""
    size = data.rec.stat().st_size
    pieces = math.ceil(size * 1.1 / (megabytes * MEGABYTE))
    # A record belongs to the range in which its first byte lies.
    places = [offset * pieces // size for offset in data.offsets]
    return [
        [id for id, _ in group]
        for _, group in groupby(
            zip(data.ids, places, strict=True), key=lambda pair: pair[1]
        )
    ]


def in_chunks(
    order: Sequence[int], chunks: Sequence[Sequence[int]]
) -> Iterator[tuple[int, list[int]]]:
    """(chunk, its ids as they came) for each run of the order."""
    home = {id: number for number, chunk in enumerate(chunks) for id in chunk}
    for number, group in groupby(order, key=lambda id: home[id]):
        yield number, list(group)


@pytest.mark.parametrize("with_index", [False, True])
@pytest.mark.parametrize("megabytes", [1, 2, 3])
def test_chunks_stay_whole_and_come_in_a_new_order_each_epoch(
    large: DataSet, megabytes: int, with_index: bool
) -> None:
    options = {"path_imgidx": large.idx} if with_index else {}
    chunks = chunks_of(large, megabytes)

    orders = epochs(chunked(large, shuffle_chunk_size=megabytes, **options), 12)

    assert len(chunks) == {1: 7, 2: 4, 3: 3}[megabytes]
    visits = [list(in_chunks(order, chunks)) for order in orders]
    for visit in visits:
        assert sorted(number for number, _ in visit) == list(range(len(chunks)))
        for number, ids in visit:
            assert ids == chunks[number]
    assert len({tuple(number for number, _ in visit) for visit in visits}) > 3


def test_shuffle_permutes_inside_of_chunks_too(large: DataSet) -> None:
    chunks = chunks_of(large, 1)

    orders = epochs(chunked(large, shuffle=True), 20)

    kept = 0
    for order in orders:
        visit = list(in_chunks(order, chunks))
        assert sorted(number for number, _ in visit) == list(range(len(chunks)))
        for number, ids in visit:
            assert sorted(ids) == chunks[number]
            kept += ids == chunks[number]
    assert kept == 0
    assert len(set(map(tuple, orders))) == len(orders)


def test_every_chunk_comes_first_equally_often(large: DataSet) -> None:
    chunks = chunks_of(large, 1)

    orders = epochs(chunked(large), 350)

    seen = np.zeros((7, 7))
    for order in orders:
        for place, (number, _) in enumerate(in_chunks(order, chunks)):
            seen[place, number] += 1
    assert chi_square(seen) < 36 + 3.3 * math.sqrt(2 * 36)


def test_the_places_inside_of_a_chunk_are_even(large: DataSet) -> None:
    chunks = chunks_of(large, 1)
    own = chunks[2]

    orders = epochs(chunked(large, shuffle=True), 400)

    seen = np.zeros((len(own), len(own)))
    for order in orders:
        (ids,) = (ids for number, ids in in_chunks(order, chunks) if number == 2)
        for place, id in enumerate(ids):
            seen[place, own.index(id)] += 1
    free = (len(own) - 1) ** 2
    assert chi_square(seen) < free + 3.3 * math.sqrt(2 * free)


@pytest.mark.parametrize("shuffle", [False, True])
def test_both_seeds_change_the_order_of_chunks(large: DataSet, shuffle: bool) -> None:
    def orders(**seeds: int) -> list[list[int]]:
        return epochs(chunked(large, shuffle=shuffle, **seeds), 3)

    plain = orders()

    assert plain == orders()
    assert plain != orders(shuffle_chunk_seed=1)
    assert plain != orders(seed=1)
    assert orders(shuffle_chunk_seed=1) != orders(shuffle_chunk_seed=2)


@pytest.mark.parametrize("seed", [2**63 - 1, -(2**63) + 1, 0])
@pytest.mark.parametrize("chunk_seed", [2**63 - 1, -(2**63) + 1])
def test_the_largest_seeds_are_seeds_like_others(
    large: DataSet, seed: int, chunk_seed: int
) -> None:
    batches = chunked(large, shuffle=True, seed=seed, shuffle_chunk_seed=chunk_seed)

    (order,) = epochs(batches, 1)

    assert sorted(order) == large.ids


def test_each_part_has_chunks_of_its_own(large: DataSet) -> None:
    options = {"num_parts": 2, "batch_size": 5, "round_batch": False}

    plain = [
        epoch_ids(chunked(large, part_index=i, shuffle_chunk_size=0, **options))
        for i in range(2)
    ]
    mixed = [epochs(chunked(large, part_index=i, **options), 3) for i in range(2)]

    for own, orders in zip(plain, mixed, strict=True):
        assert [sorted(order) for order in orders] == [own] * 3
        # A run of the file's order ends where a chunk ends: few of them.
        breaks = [int((np.diff(order) != 1).sum()) for order in orders]
        assert max(breaks) <= 4
        assert max(breaks) > 0
    assert sorted(plain[0] + plain[1]) == large.ids


def test_a_chunk_as_large_as_the_file_is_the_file(large: DataSet) -> None:
    orders = epochs(chunked(large, shuffle_chunk_size=4096), 3)

    assert orders == [large.ids] * 3


def test_round_batch_goes_on_in_the_chunks_of_the_next_epoch(large: DataSet) -> None:
    whole = epochs(chunked(large), 2)
    batches = chunked(large, batch_size=48)

    rows = []
    for _ in range(2):
        rows += [id for batch in batches for id in batch.index.tolist()]
        batches.reset()

    # 96 ids, the last 36 from the second epoch, which then goes on with its other 24,
    # completed by the third.
    assert rows[:60] == whole[0]
    assert rows[60:96] + rows[96:120] == whole[1]


# ---- large indexes ----


@pytest.mark.soak
def test_an_index_of_ten_million_lines_loads_within_a_second(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = 10_000_000
    empty = _core.encode_record(b"")
    rec, idx = tmp_path / "many.rec", tmp_path / "many.idx"
    rec.write_bytes(empty * count)
    with idx.open("w") as out:
        for start in range(0, count, 100_000):
            keys = range(start, start + 100_000)
            out.write("".join(f"{key}\t{len(empty) * key}\n" for key in keys))

    begun = time.process_time()
    loader = ImageRecordLoader(
        path_imgrec=rec,
        path_imgidx=idx,
        data_shape=(3, 2, 2),
        batch_size=100,
        shuffle=True,
    )
    spent = time.process_time() - begun

    with capsys.disabled():
        print(f"\n10 million lines of index: {spent:.2f} s of CPU")
    assert len(loader) == count // 100
    assert spent < 1
