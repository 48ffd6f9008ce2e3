"""State and resume: every record once in an epoch, whatever stops and changes."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxio.adapters.numpy import ImageRecordLoader
from mxio.errors import MxioError, ParameterError
from mxio.io import ImageDetRecordIter, ImageRecordIter
from tests import hanging
from tests.conftest import DataSet, encoded, picture, record, write_rec, write_set

SIZES = (1, 5, 16, 37)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[int, DataSet]:
    folder = tmp_path_factory.mktemp("sets")
    return {
        n: write_set(folder, [picture(i, 4, 4) for i in range(n)], name=f"{n}")
        for n in SIZES
    }


def loader(data: DataSet, **options: Any) -> ImageRecordLoader:
    given_options: dict[str, Any] = {
        "path_imgrec": data.rec,
        "path_imgidx": data.idx,
        "data_shape": (3, 4, 4),
        "batch_size": 4,
        "preprocess_threads": 1,
    }
    return ImageRecordLoader(**(given_options | options))


def ordinals(batch: Any) -> list[int]:
    """The new records of a batch."""
    rows = len(batch.data) - batch.pad
    ids: list[int] = (batch.index[:rows] - 100).tolist()
    return ids


def run(
    data: DataSet,
    world: int,
    state: dict[str, Any] | None,
    steps: int | None,
    **more: Any,
) -> tuple[list[list[int]], list[int], dict[str, Any]]:
    """So many steps (None: to the end) of all ranks: new records of each step, batches
    of each rank, and a state.
    """
    seen: list[list[int]] = []
    counts = []
    for rank in range(world):
        one = loader(data, rank=rank, world_size=world, **more)
        if state is not None:
            one.load_state_dict(state)
        epoch = iter(one)
        taken = 0
        while steps is None or taken < steps:
            batch = next(epoch, None)
            if batch is None:
                break
            if len(seen) == taken:
                seen.append([])
            seen[taken] += ordinals(batch)
            taken += 1
        counts.append(taken)
        if rank == 0:
            out = one.state_dict()
        one.close()
    return seen, counts, out


@settings(max_examples=60)
@given(st.data())
def test_stops_and_other_worlds_lose_and_repeat_nothing(
    sets: dict[int, DataSet], data: st.DataObject
) -> None:
    count = data.draw(st.sampled_from(SIZES))
    last = data.draw(st.sampled_from(["drop", "pad", "partial"]))
    order = data.draw(
        st.sampled_from(
            [
                {},
                {"shuffle": True, "seed": 5},
                {"shuffle": True, "shuffle_chunk_size": 1},
            ]
        )
    )
    state: dict[str, Any] | None = None
    seen: list[int] = []
    left = count
    for _ in range(data.draw(st.integers(0, 3))):
        world, batch = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 5))
        stop = data.draw(st.integers(0, 3))
        # A stop behind the end would be the state of the next epoch.
        stop = min(stop, max(0, left // (world * batch) - 1))
        steps, _, state = run(
            sets[count], world, state, stop, batch_size=batch, last_batch=last, **order
        )
        seen += [i for step in steps for i in step]
        left -= stop * world * batch
        state = pickle.loads(pickle.dumps(json.loads(json.dumps(state))))
        assert state is not None
        assert (state["epoch"], state["samples"]) == (0, count - left)
    world, batch = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 5))
    whole = world * batch

    steps, counts, _ = run(
        sets[count], world, state, None, batch_size=batch, last_batch=last, **order
    )

    seen += [i for step in steps for i in step]
    assert len(set(seen)) == len(seen)
    if last == "drop":
        assert len(seen) == count - left % whole
        assert set(counts) == {left // whole}
    else:
        assert sorted(seen) == list(range(count))
    if last == "pad":
        assert set(counts) == {-(-left // whole)}


@pytest.mark.parametrize("last", ["drop", "pad", "partial"])
@pytest.mark.parametrize("stop", range(4))
@pytest.mark.parametrize("world", [1, 2])
def test_a_resumed_run_gives_the_batches_of_the_uninterrupted_one(
    sets: dict[int, DataSet], last: str, stop: int, world: int
) -> None:
    options: dict[str, Any] = {
        "last_batch": last,
        "shuffle": True,
        "rand_mirror": True,
        "pca_noise": 0.1,
        "batch_size": 8,
    }
    whole = [b.data.copy() for b in loader(sets[37], **options)]
    options["batch_size"] //= world
    ranks = []
    for rank in range(world):
        first = loader(sets[37], rank=rank, world_size=world, **options)
        epoch = iter(first)
        before = [next(epoch).data.copy() for _ in range(stop)]
        second = loader(  # other threads, and no index
            sets[37],
            rank=rank,
            world_size=world,
            preprocess_threads=2,
            path_imgidx=None,
            **options,
        )
        second.load_state_dict(first.state_dict())
        ranks.append(before + [b.data.copy() for b in second])

    for step, expected in enumerate(whole):
        rows = [rank[step] for rank in ranks if step < len(rank)]
        np.testing.assert_array_equal(np.concatenate(rows), expected)


def test_after_a_break_the_state_is_that_of_the_epoch_left(ten: DataSet) -> None:
    one = loader(ten, data_shape=(3, 8, 8))
    for number, _ in enumerate(one):
        if number == 1:
            break

    state = one.state_dict()
    rest = loader(ten, data_shape=(3, 8, 8))
    rest.load_state_dict(state)

    assert (state["epoch"], state["samples"]) == (0, 8)
    assert [ordinals(batch) for batch in rest] == [[8, 9]]
    assert [ordinals(batch)[0] for batch in one] == [0, 4, 8]
    assert one.state_dict()["epoch"] == 2


def test_set_epoch_keeps_a_loaded_place_in_the_same_epoch(ten: DataSet) -> None:
    one = loader(ten, data_shape=(3, 8, 8))
    next(iter(one))
    state = one.state_dict()

    same, other = loader(ten, data_shape=(3, 8, 8)), loader(ten, data_shape=(3, 8, 8))
    for resumed, epoch in ((same, 0), (other, 1)):
        resumed.load_state_dict(state)
        resumed.set_epoch(epoch)

    assert [ordinals(batch)[0] for batch in same] == [4, 8]
    assert [ordinals(batch)[0] for batch in other] == [0, 4, 8]


def test_no_record_before_the_cursor_is_read(ten: DataSet, tmp_path: Path) -> None:
    rec = tmp_path / "damaged.rec"
    content = bytearray(ten.rec.read_bytes())
    for offset in ten.offsets[:8]:  # payloads of the first eight: no pictures any more
        content[offset + 32 : offset + 40] = b"damaged!"
    rec.write_bytes(content)
    one = loader(ten._replace(rec=rec), data_shape=(3, 8, 8))
    state = one.state_dict() | {"samples": 8}

    one.load_state_dict(state)

    assert [ordinals(batch) for batch in one] == [[8, 9]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 9}, "seed was 0, is 9"),
        ({"rand_mirror": True}, "rand_mirror was False, is True"),
        ({"dtype": "uint8"}, "dtype was 'float32', is 'uint8'"),
        ({"data_shape": (3, 6, 8)}, r"data_shape was \[3, 8, 8\], is \[3, 6, 8\]"),
        ({"shuffle": True}, "shuffle was False, is True"),
    ],
)
def test_a_changed_option_is_refused_by_name(
    ten: DataSet, change: dict[str, Any], said: str
) -> None:
    state = loader(ten, data_shape=(3, 8, 8)).state_dict()

    with pytest.raises(ParameterError, match=f"does not fit this loader: {said}"):
        loader(ten, **({"data_shape": (3, 8, 8)} | change)).load_state_dict(state)


def test_a_changed_file_is_refused_by_name(ten: DataSet, tmp_path: Path) -> None:
    rec = tmp_path / "other.rec"
    shutil.copy(ten.rec, rec)
    state = loader(ten, data_shape=(3, 8, 8)).state_dict()
    moved = loader(ten._replace(rec=rec), data_shape=(3, 8, 8))
    moved.load_state_dict(state)  # the same content elsewhere is the same file
    content = bytearray(rec.read_bytes())
    content[ten.offsets[4] + 60] ^= 1
    rec.write_bytes(content)

    with pytest.raises(ParameterError, match=r"file 0 \(other.rec\) has other content"):
        loader(ten._replace(rec=rec), data_shape=(3, 8, 8)).load_state_dict(state)
    with open(rec, "ab") as file:
        file.write(bytes(4))
    with pytest.raises(ParameterError, match=r"had \d+ bytes, now \d+"):
        loader(
            ten._replace(rec=rec), data_shape=(3, 8, 8), on_error="replace"
        ).load_state_dict(state)


@pytest.mark.parametrize(
    ("state", "error", "said"),
    [
        (7, TypeError, "expected a dict that state_dict"),
        ({"epoch": 0}, TypeError, r"that state_dict\(\) gave, got one with 'epoch' in"),
        ({"version": 99}, ParameterError, "version 99, this mxio reads 1"),
        ({"version": 1, "epoch": 0}, ParameterError, "the state lacks"),
    ],
)
def test_what_is_no_state_is_refused(
    ten: DataSet, state: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        loader(ten, data_shape=(3, 8, 8)).load_state_dict(state)


@pytest.mark.parametrize("samples", [-1, 11, "3"])
def test_a_place_that_is_none_is_refused(ten: DataSet, samples: Any) -> None:
    one = loader(ten, data_shape=(3, 8, 8))

    with pytest.raises(ParameterError, match="samples"):
        one.load_state_dict(one.state_dict() | {"samples": samples})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"epoch": 2**31}, r"epoch of a state must be in \[0, 2\^31\), got 2147483648"),
        ({"epoch": "0"}, "epoch of a state"),
        ({"carry": -1}, r"carry of a state must be in \[0, 2\^48\), got -1"),
        ({"carry": None}, "carry of a state"),
        ({"options": "none"}, "strange 'options': 'none'"),
        ({"files": None}, "strange 'files': None"),
        ({"files": [{"name": "a.rec"}]}, "strange 'files'"),
    ],
)
def test_a_spoilt_state_is_refused_by_name(
    ten: DataSet, change: dict[str, Any], said: str
) -> None:
    # AttributeError or TypeError of Python's own, or the number was taken.
    one = iterate(ten)

    with pytest.raises(ParameterError, match=said):
        one.load_state_dict(one.state_dict() | change)


def test_loading_in_the_middle_of_an_epoch_is_refused(ten: DataSet) -> None:
    one = loader(ten, data_shape=(3, 8, 8))
    state = one.state_dict()
    epoch = iter(one)
    next(epoch)

    with pytest.raises(MxioError, match="an epoch of this loader is under way"):
        one.load_state_dict(state)


def iterate(data: DataSet, **options: Any) -> ImageRecordIter:
    return ImageRecordIter(
        path_imgrec=data.rec, data_shape=(3, 8, 8), batch_size=4, **options
    )


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("stop", range(7))
def test_a_dataiter_goes_on_with_its_carry(
    ten: DataSet, stop: int, shuffle: bool
) -> None:
    def collect(batches: ImageRecordIter, most: int) -> list[list[int]]:
        out = []
        for _ in range(most):
            try:
                batch = batches.next()
            except StopIteration:
                batches.reset()
                batch = batches.next()
            out.append(batch.index.tolist())
        return out

    one = iterate(ten, shuffle=shuffle)
    collect(one, stop)
    state = json.loads(json.dumps(one.state_dict()))
    other = iterate(ten, shuffle=shuffle, preprocess_threads=1)
    other.load_state_dict(state)

    assert collect(other, 8) == collect(one, 8)


def test_a_dataiter_resumes_on_skipped_records(tmp_path: Path, ten: DataSet) -> None:
    rec = tmp_path / "damaged.rec"
    content = bytearray(ten.rec.read_bytes())
    content[ten.offsets[1] + 32 : ten.offsets[1] + 40] = b"damaged!"
    rec.write_bytes(content)
    damaged = ten._replace(rec=rec)
    one = iterate(damaged, on_error="skip", round_batch=False)
    first = one.next().index.tolist()
    other = iterate(damaged, on_error="skip", round_batch=False)

    other.load_state_dict(one.state_dict())

    assert first == [100, 102, 103, 104]
    assert other.next().index.tolist() == [105, 106, 107, 108]


@pytest.mark.parametrize("on_error", ["skip", "replace"])
def test_a_crop_that_met_damage_says_nothing_of_later_epochs(
    tmp_path: Path, on_error: str
) -> None:
    # The record was left out of all of them, but not of those of a resumed run.
    images = [encoded(picture(i, 120, 120), ".jpg") for i in range(30)]
    images[::2] = [image[: len(image) // 2] for image in images[::2]]
    rec, _, _ = write_rec(tmp_path, (record(x, id=i) for i, x in enumerate(images)))
    options: dict[str, Any] = {
        "path_imgrec": rec,
        "data_shape": (3, 24, 24),
        "batch_size": 4,
        "rand_crop": True,
        "shuffle": True,
        "on_error": on_error,
        "preprocess_threads": 1,
    }
    one, other = ImageRecordLoader(**options), ImageRecordLoader(**options)
    for _ in range(4):
        assert len(list(one)) > 0

    other.load_state_dict(one.state_dict())
    resumed = [batch.index.tolist() for batch in other]

    assert one.errors()
    assert [batch.index.tolist() for batch in one] == resumed


def test_batches_go_into_memory_of_the_caller(ten: DataSet) -> None:
    expected = [b.data.copy() for b in loader(ten, data_shape=(3, 8, 8))]
    data = np.zeros((4, 3, 8, 8), np.float32)
    label = np.zeros(4, np.float32)
    epoch = iter(loader(ten, data_shape=(3, 8, 8)))

    for step, pixels in enumerate(expected):
        batch = epoch.next_into(data, label)
        np.testing.assert_array_equal(batch.data, pixels)
        assert np.shares_memory(batch.data, data)
        assert batch.label.tolist() == list(range(4 * step, 4 * step + len(pixels)))
    with pytest.raises(StopIteration):
        epoch.next_into(data, label)


def test_memory_that_does_not_fit_is_refused(ten: DataSet) -> None:
    epoch = iter(loader(ten, data_shape=(3, 8, 8)))
    good = np.zeros((4, 3, 8, 8), np.float32)
    strange: Any = [1]

    with pytest.raises(ValueError, match=r"data must be float32\(4, 3, 8, 8\)"):
        epoch.next_into(np.zeros((4, 3, 8, 8)))
    with pytest.raises(TypeError, match=r"data must be a numpy.ndarray, got list"):
        epoch.next_into(strange)
    with pytest.raises(TypeError, match=r"label must be a numpy.ndarray, got list"):
        epoch.next_into(good, strange)


def test_memory_that_is_read_only_costs_no_batch(ten: DataSet) -> None:
    # The batch was taken before NumPy refused to write: a program that went on lost it.
    epoch = iter(loader(ten, data_shape=(3, 8, 8)))
    data = np.zeros((4, 3, 8, 8), np.float32)
    data.flags.writeable = False

    with pytest.raises(ValueError, match="data must be writable"):
        epoch.next_into(data)

    assert next(epoch).label.tolist() == [0, 1, 2, 3]


def test_a_batch_speaks_dlpack(ten: DataSet) -> None:
    batch = next(iter(loader(ten, data_shape=(3, 8, 8))))

    taken = np.from_dlpack(batch)

    np.testing.assert_array_equal(taken, batch.data)
    assert np.shares_memory(taken, batch.data)


def test_the_mask_marks_repeats(ten: DataSet) -> None:
    batches = list(loader(ten, data_shape=(3, 8, 8), last_batch="pad"))

    assert [b.mask.tolist() for b in batches[1:]] == [
        [True] * 4,
        [True, True, False, False],
    ]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler")
@pytest.mark.parametrize("index", ["None", "idx"])
def test_a_file_system_that_hangs_ends_in_an_error(
    ten: DataSet, tmp_path: Path, index: str
) -> None:
    program = f"""
        from mxio.io import ImageRecordIter
        idx = {str(ten.idx)!r}
        batches = ImageRecordIter(path_imgrec={str(ten.rec)!r}, path_imgidx={index},
                                  data_shape=(3, 8, 8), batch_size=2, timeout=0.5)
        print(batches.next().index.tolist())
        try:
            while True:
                batches.next()
        except TimeoutError as error:
            print(error)
    """
    environment = os.environ | hanging.read_at(tmp_path, ten.offsets[4])

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert done.returncode == 0, done.stderr
    first, said = done.stdout.splitlines()
    assert first == "[100, 101]"
    assert "no batch within timeout=0.5 s: a worker is stuck" in said
    if index == "idx":
        assert "stuck reading" in said
        assert f"record 4 at byte {ten.offsets[4]}" in said
        assert ten.rec.name in said


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler")
def test_a_run_of_records_that_hangs_is_named_by_its_first(tmp_path: Path) -> None:
    # The row that the ticket before had ended with was named.
    pictures = [record(encoded(picture(i, 16, 16)), i, i) for i in range(400)]
    rec, idx, offsets = write_rec(tmp_path, pictures)
    program = f"""
        from mxio.io import ImageRecordIter
        batches = ImageRecordIter(
            path_imgrec={str(rec)!r}, path_imgidx={str(idx)!r}, data_shape=(3, 8, 8),
            batch_size=40, preprocess_threads=1, timeout=0.5
        )
        try:
            for batch in batches:
                pass
        except TimeoutError as error:
            print(error)
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=os.environ | hanging.read_of(tmp_path, offsets[300]),
        capture_output=True,
        text=True,
        timeout=30,
    )

    begun = int(done.stderr.split()[0])
    assert begun < offsets[300]  # it is a run
    first = offsets.index(begun)
    assert "a worker is stuck reading" in done.stdout
    assert f"record {first} at byte {begun}" in done.stdout


def test_images_with_boxes_resume_too(tmp_path: Path) -> None:
    boxes = np.array([2, 5, 0, 0.1, 0.1, 0.9, 0.9], np.float32)
    payloads = [record(encoded(picture(i, 8, 8)), boxes, 100 + i) for i in range(6)]
    rec, _, _ = write_rec(tmp_path, payloads)
    options: dict[str, Any] = {"path_imgrec": rec, "data_shape": (3, 8, 8)}
    one = ImageDetRecordIter(batch_size=2, rand_mirror_prob=0.5, **options)
    one.next()
    other = ImageDetRecordIter(batch_size=2, rand_mirror_prob=0.5, **options)

    other.load_state_dict(json.loads(json.dumps(one.state_dict())))

    expected, actual = one.next(), other.next()
    assert actual.index.tolist() == expected.index.tolist() == [102, 103]
    np.testing.assert_array_equal(actual.data[0], expected.data[0])
    np.testing.assert_array_equal(actual.label[0], expected.label[0])
