"""ResizeIter and PrefetchingIter: batches, ends, exceptions, no thread left over."""

import contextlib
import copy
import gc
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxio.errors import DataError, MxioError, ParameterError
from mxio.io import (
    DataBatch,
    DataDesc,
    DataIter,
    NDArrayIter,
    PrefetchingIter,
    ResizeIter,
)
from tests.conftest import DataSet, iterator, run_python

Step = int | BaseException


class Steps(DataIter):
    """An iterator of one number a batch; exceptions among them are raised."""

    def __init__(self, steps: list[Step], pad: int | None = 0) -> None:
        super().__init__(1)
        self.provide_data: list[Any] = [DataDesc("data", (1,), np.int64, "N")]
        self.provide_label: list[Any] = []
        self.steps = steps
        self.pad = pad
        self.taken = 0  # in this epoch
        self.calls = 0  # of next, in all
        self.resets = 0

    def reset(self) -> None:
        self.resets += 1
        self.taken = 0

    def next(self) -> DataBatch:
        self.calls += 1
        if self.taken == len(self.steps):
            raise StopIteration
        step = self.steps[self.taken]
        self.taken += 1
        if isinstance(step, BaseException):
            raise copy.copy(step)  # the one raised holds on to its callers
        return DataBatch([np.array([step])], None, self.pad, np.array([step + 100]))


def numbers(batches: Any) -> list[int]:
    """The first number of each batch of one epoch."""
    return [int(batch.data[0].ravel()[0]) for batch in batches]


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does, 10 seconds at most."""
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert condition()


@pytest.fixture(autouse=True)
def no_thread_is_left_over() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    if not set(threading.enumerate()) <= before:
        gc.collect()
    assert set(threading.enumerate()) <= before


# ---- ResizeIter ----


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, []), (2, [0, 1]), (3, [0, 1, 2]), (7, [0, 1, 2, 0, 1, 2, 0])],
)
def test_an_epoch_has_the_size_asked_for(size: int, expected: list[int]) -> None:
    batches = ResizeIter(Steps([0, 1, 2]), size)

    epochs = [numbers(batches)]
    batches.reset()
    epochs.append(numbers(batches))

    assert epochs == [expected, expected]


def test_without_reset_internal_an_epoch_goes_on_where_the_last_one_was() -> None:
    inner = Steps([0, 1, 2])
    batches = ResizeIter(inner, 2, reset_internal=False)

    epochs = []
    for _ in range(3):
        epochs.append(numbers(batches))
        batches.reset()

    assert epochs == [[0, 1], [2, 0], [1, 2]]
    assert inner.resets == 1


@given(
    lengths=st.integers(1, 6),
    sizes=st.lists(st.integers(0, 15), min_size=1, max_size=4),
)
def test_epochs_of_any_size_go_round_without_a_gap(
    lengths: int, sizes: list[int]
) -> None:
    inner = Steps(list(range(lengths)))

    seen = [
        number
        for size in sizes
        for number in numbers(ResizeIter(inner, size, reset_internal=False))
    ]

    assert seen == [place % lengths for place in range(sum(sizes))]


def test_a_resized_iterator_looks_like_the_one_behind_it() -> None:
    inner: Any = Steps([5, 6], pad=3)
    inner.default_bucket_key = 32
    batches = ResizeIter(inner, 2)

    moved = batches.iter_next()

    assert moved
    assert (batches.provide_data, batches.provide_label) == ([("data", (1,))], [])
    assert (batches.batch_size, batches.default_bucket_key) == (1, 32)
    assert batches.getdata()[0].tolist() == [5]
    assert batches.getlabel() is None
    assert (batches.getpad(), batches.getindex().tolist()) == (3, [105])
    assert not hasattr(ResizeIter(Steps([]), 1), "default_bucket_key")


def test_the_end_comes_again_until_reset() -> None:
    batches = ResizeIter(Steps([1]), 2)
    list(batches)

    for _ in range(3):
        with pytest.raises(StopIteration):
            batches.next()
    batches.reset()

    assert numbers(batches) == [1, 1]


def test_resizing_an_empty_iterator_is_an_error_and_no_endless_loop() -> None:
    batches = ResizeIter(Steps([]), 2)

    with pytest.raises(MxioError, match=r"needs 2 batches, but data_iter \(Steps\)"):
        batches.next()


def test_a_resized_iterator_refuses_wrong_arguments() -> None:
    options: dict[str, Any] = {"reset": True}

    with pytest.raises(ParameterError, match="size must be at least 0, got -1"):
        ResizeIter(Steps([1]), -1)
    with pytest.raises(TypeError, match="did you mean 'reset_internal'"):
        ResizeIter(Steps([1]), 1, **options)


# ---- PrefetchingIter: batches ----


def test_one_iterator_gives_its_own_batches() -> None:
    data, label = np.arange(20).reshape(10, 2), np.arange(10)
    batches = PrefetchingIter(NDArrayIter(data, label, 4))
    plain = list(NDArrayIter(data, label, 4))

    for _ in range(3):
        epoch = list(batches)

        assert len(epoch) == len(plain) == 3
        for batch, expected in zip(epoch, plain, strict=True):
            np.testing.assert_array_equal(batch.data[0], expected.data[0])
            np.testing.assert_array_equal(batch.label[0], expected.label[0])
            assert (batch.pad, batch.index) == (expected.pad, None)
        batches.reset()


def test_batches_of_several_iterators_lie_side_by_side() -> None:
    left = NDArrayIter({"b": np.arange(4), "a": np.arange(4) + 10}, np.arange(4), 3)
    right = NDArrayIter(np.arange(4) + 20, None, 3)
    batches = PrefetchingIter([left, right])

    epoch = [
        ([array.tolist() for array in batch.data], len(batch.label), batch.pad)
        for batch in batches
    ]

    assert epoch == [
        ([[10, 11, 12], [0, 1, 2], [20, 21, 22]], 1, 0),
        ([[13, 10, 11], [3, 0, 1], [23, 20, 21]], 1, 2),
    ]
    assert [one.name for one in batches.provide_data] == ["a", "b", "data"]
    assert [one.name for one in batches.provide_label] == ["softmax_label"]
    assert batches.batch_size == 3


def test_pad_and_index_are_those_of_the_first() -> None:
    batches = PrefetchingIter([Steps([1], pad=7), Steps([2], pad=7)])

    batch = batches.next()

    assert (batch.pad, batch.index.tolist(), batch.label) == (7, [101], [])
    assert batch.provide_data == batches.provide_data
    assert batch.provide_label == []


def test_the_getters_show_the_current_batch() -> None:
    batches = PrefetchingIter(Steps([3, 4], pad=2))
    shown = []

    while batches.iter_next():
        shown.append((batches.getdata()[0].tolist(), batches.getindex().tolist()))
        assert (batches.getpad(), batches.getlabel()) == (2, [])

    assert shown == [([3], [103]), ([4], [104])]


@pytest.mark.parametrize(
    "batches", [ResizeIter(Steps([1]), 1), PrefetchingIter(Steps([1]))]
)
def test_the_getters_without_a_batch_say_what_to_call(batches: DataIter) -> None:
    for getter in (
        batches.getdata,
        batches.getlabel,
        batches.getpad,
        batches.getindex,
    ):
        with pytest.raises(MxioError, match="call iter_next"):
            getter()


def test_one_batch_is_taken_in_advance_and_no_more() -> None:
    inner = Steps([0, 1, 2, 3])
    batches = PrefetchingIter(inner)
    unused = inner.calls

    batches.next()
    until(lambda: inner.calls == 2)
    time.sleep(0.02)

    assert (unused, inner.calls) == (0, 2)
    batches.next()
    until(lambda: inner.calls == 3)


def test_iterators_are_asked_at_the_same_time() -> None:
    meeting = threading.Barrier(2)

    class Meets(Steps):
        def next(self) -> DataBatch:
            meeting.wait(timeout=10)
            return super().next()

    batches = PrefetchingIter([Meets([1, 2]), Meets([3, 4])])

    epoch = [[array.item() for array in batch.data] for batch in batches]

    assert epoch == [[1, 3], [2, 4]]


def test_the_end_of_an_epoch_comes_again_until_reset() -> None:
    inner = Steps([1, 2])
    batches = PrefetchingIter(inner)
    list(batches)

    for _ in range(3):
        with pytest.raises(StopIteration):
            batches.next()
    calls = inner.calls
    batches.reset()

    assert calls == 3  # the end was asked for once
    assert numbers(batches) == [1, 2]


@pytest.mark.parametrize("taken", [0, 1, 2, 3])
def test_reset_waits_for_the_look_ahead_and_starts_again(taken: int) -> None:
    class Slow(Steps):
        busy = False

        def next(self) -> DataBatch:
            self.busy = True
            time.sleep(0.01)
            try:
                return super().next()
            finally:
                self.busy = False

        def reset(self) -> None:
            assert not self.busy
            super().reset()

    inner = Slow([1, 2, 3])
    batches = PrefetchingIter(inner)
    for _ in range(taken):
        batches.next()

    batches.reset()

    assert inner.resets == 1
    assert numbers(batches) == [1, 2, 3]


def test_a_reset_that_fails_can_be_tried_again() -> None:
    class Reluctant(Steps):
        def reset(self) -> None:
            super().reset()
            if self.resets == 1:
                raise OSError("not now")

    batches = PrefetchingIter(Reluctant([1, 2]))
    batches.next()

    with pytest.raises(OSError, match="not now"):
        batches.reset()
    batches.reset()

    assert numbers(batches) == [1, 2]


def test_record_iterators_can_be_prefetched(ten: DataSet) -> None:
    batches = PrefetchingIter(iterator(ten, batch_size=4))

    epochs = []
    for _ in range(2):
        epochs.append([(batch.index.tolist(), batch.pad) for batch in batches])
        batches.reset()

    first, second = epochs
    assert first[2] == ([108, 109, 100, 101], 2)
    assert second == [([102, 103, 104, 105], 0), ([106, 107, 108, 109], 0)]


def test_iterators_can_be_stacked() -> None:
    stacked = PrefetchingIter(ResizeIter(PrefetchingIter(Steps([1, 2])), 5))

    first = numbers(stacked)
    stacked.reset()

    assert first == numbers(stacked) == [1, 2, 1, 2, 1]


@given(
    lengths=st.lists(st.integers(0, 4), min_size=1, max_size=3),
    epochs=st.integers(1, 3),
)
def test_equal_lengths_end_together_and_others_are_an_error(
    lengths: list[int], epochs: int
) -> None:
    batches = PrefetchingIter([Steps(list(range(length))) for length in lengths])

    for _ in range(epochs):
        for place in range(min(lengths)):
            assert [array.item() for array in batches.next().data] == [place] * len(
                lengths
            )
        for _ in range(2):
            if len(set(lengths)) == 1:
                assert batches.iter_next() is False
            else:
                with pytest.raises(AssertionError, match="Number of entry mismatches"):
                    batches.next()
        batches.reset()


def test_batches_of_different_pad_are_an_error() -> None:
    batches = PrefetchingIter([Steps([1], pad=0), Steps([2], pad=1)])

    with pytest.raises(AssertionError, match=r"mismatches .* pad \[0, 1\]"):
        batches.next()


# ---- PrefetchingIter: names ----


def test_data_and_labels_are_renamed_iterator_by_iterator() -> None:
    inner = [NDArrayIter(np.zeros((4, 3)), np.zeros(4), 2, layout="NC") for _ in "ab"]
    batches = PrefetchingIter(
        inner,
        rename_data=[{"data": "left"}, {"data": "right"}],
        rename_label=[{"softmax_label": "one"}, {"softmax_label": "two"}],
    )

    batch = batches.next()

    assert batches.provide_data == [("left", (2, 3)), ("right", (2, 3))]
    assert batches.provide_label == [("one", (2,)), ("two", (2,))]
    assert {one.layout for one in batches.provide_data} == {"NC"}
    assert batch.provide_data == batches.provide_data


def test_descriptions_that_are_plain_pairs_are_renamed_too() -> None:
    inner = Steps([1])
    inner.provide_data = [("data", (1,))]

    batches = PrefetchingIter(inner, [{"data": "other"}])

    assert batches.provide_data == [("other", (1,))]
    assert isinstance(batches.provide_data[0], DataDesc)


@pytest.mark.parametrize("which", ["rename_data", "rename_label"])
def test_a_name_that_is_missing_from_the_renaming_is_a_key_error(which: str) -> None:
    options: dict[str, Any] = {which: [{"other": "x"}]}

    with pytest.raises(KeyError, match=r"data|softmax_label"):
        PrefetchingIter(NDArrayIter(np.zeros(3), np.zeros(3)), **options)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"rename_data": []}, ParameterError, "one dict for each of the 1 .* got 0"),
        ({"rename_label": {"a": "b"}}, TypeError, "rename_label must be a list"),
        ({"iters": []}, ParameterError, "at least one iterator"),
        ({"rename": None}, TypeError, "did you mean 'rename_data'"),
    ],
)
def test_wrong_arguments_are_refused(
    options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        PrefetchingIter(**({"iters": Steps([1])} | options))


# ---- PrefetchingIter: exceptions ----


@pytest.mark.parametrize(
    "error", [DataError("record 3 is damaged"), OSError(5, "no"), KeyboardInterrupt()]
)
def test_what_is_raised_in_the_thread_comes_from_next(error: BaseException) -> None:
    # In MXNet the thread died and next() waited for ever.
    batches = PrefetchingIter(Steps([1, error, 2]))

    first = batches.next().data[0].item()
    with pytest.raises(type(error)) as caught:
        batches.next()
    rest = numbers(batches)

    assert caught.value.args == error.args
    assert (first, rest) == (1, [2])


def test_iterators_stay_in_step_behind_an_error() -> None:
    left, right = Steps([1, ValueError("bad"), 3]), Steps([10, 20, 30])
    batches = PrefetchingIter([left, right])

    batches.next()
    with pytest.raises(ValueError, match="bad"):
        batches.next()
    behind = [[array.item() for array in batch.data] for batch in batches]

    assert behind == [[3, 30]]


def test_an_error_in_every_batch_is_raised_every_time_and_never_hangs() -> None:
    class Broken(Steps):
        def next(self) -> DataBatch:
            self.calls += 1
            raise RuntimeError(f"call {self.calls}")

    batches = PrefetchingIter(Broken([]))

    for call in range(1, 4):
        with pytest.raises(RuntimeError, match=f"call {call}"):
            batches.next()
    batches.reset()
    with pytest.raises(RuntimeError, match="call"):
        batches.next()


def test_an_error_of_a_batch_that_reset_drops_is_dropped_with_it() -> None:
    inner = Steps([1, ValueError("never asked for"), 2])
    batches = PrefetchingIter(inner)
    batches.next()
    until(lambda: inner.calls == 2)

    batches.reset()

    assert batches.next().data[0].item() == 1


def test_an_error_keeps_neither_iterator_nor_threads() -> None:
    batches = PrefetchingIter([Steps([ValueError("bad")]), Steps([1])])
    seen = weakref.ref(batches)
    gc.disable()
    try:
        with contextlib.suppress(ValueError):
            batches.next()

        del batches

        assert seen() is None
    finally:
        gc.enable()


# ---- PrefetchingIter: threads ----


def test_there_is_one_daemon_thread_for_each_iterator_from_the_first_next_on() -> None:
    before = set(threading.enumerate())
    batches = PrefetchingIter([Steps([1, 2]), Steps([3, 4]), Steps([5, 6])])
    unused = set(threading.enumerate()) - before

    batches.next()
    started = set(threading.enumerate()) - before
    batches.reset()

    assert unused == set()
    assert len(started) == 3
    assert all(thread.daemon for thread in started)
    assert set(threading.enumerate()) - before == started


def test_a_thread_that_cannot_start_leaves_the_others_in_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batches = PrefetchingIter([Steps([1, 2, 3]), Steps([4, 5, 6])])
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def once(thread: threading.Thread) -> None:
        if len(started) == 1:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", once)
        with pytest.raises(RuntimeError, match="new thread"):
            batches.next()
    epoch = [[array.item() for array in batch.data] for batch in batches]

    assert epoch == [[1, 4], [2, 5], [3, 6]]


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_dropping_the_iterator_ends_its_threads(taken: int) -> None:
    before = threading.active_count()

    for _ in range(20):
        batches = PrefetchingIter([Steps([1, 2]), Steps([3, 4])])
        for _ in range(taken):
            batches.iter_next()
        del batches

    assert threading.active_count() == before


def test_dropping_the_iterator_drops_the_ones_behind_it() -> None:
    inner = Steps([1, 2])
    seen = weakref.ref(inner)
    batches = PrefetchingIter(inner)
    batches.next()

    del batches, inner

    until(lambda: seen() is None)


def test_an_iterator_that_never_answers_does_not_hold_up_dropping_it() -> None:
    free = threading.Event()
    before = threading.active_count()

    class Stuck(Steps):
        def next(self) -> DataBatch:
            if self.calls:
                free.wait()
            return super().next()

    batches = PrefetchingIter([Stuck([1, 2]), Stuck([1, 2])])
    batches.next()
    start = time.monotonic()

    del batches
    took = time.monotonic() - start
    free.set()

    assert took < 5
    until(lambda: threading.active_count() == before)


PROGRAM = """
import os, sys, time
import numpy as np
from mxio.errors import MxioError
from mxio.io import DataBatch, DataIter, NDArrayIter, PrefetchingIter

class Stuck(NDArrayIter):
    def next(self):
        if self.cursor >= 0:
            time.sleep(3600)
        return super().next()

"""


def test_a_program_ends_with_a_batch_under_way_for_ever() -> None:
    program = PROGRAM + (
        "batches = PrefetchingIter(Stuck(np.arange(4)))\n"
        "batches.next()\n"
        "print('done')\n"
    )

    done = run_python(program, timeout=30)

    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_a_program_ends_when_an_exception_leaves_it() -> None:
    program = PROGRAM + (
        "batches = PrefetchingIter(NDArrayIter(np.arange(4)))\n"
        "for batch in batches:\n"
        "    raise SystemExit(3)\n"
    )

    done = run_python(program, timeout=30)

    assert (done.returncode, done.stderr) == (3, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_told_and_does_not_hang() -> None:
    program = PROGRAM + (
        "import warnings; warnings.simplefilter('ignore')  # of 3.12, about fork\n"
        "batches = PrefetchingIter(NDArrayIter(np.arange(4)))\n"
        "fresh = PrefetchingIter(NDArrayIter(np.arange(4)))\n"
        "batches.next()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    for call in (batches.next, batches.reset):\n"
        "        try:\n"
        "            call()\n"
        "        except MxioError as error:\n"
        "            print('make another' in str(error))\n"
        "    print(len(list(fresh)), flush=True)\n"
        "    del batches\n"
        "    sys.exit()\n"
        "status = os.waitpid(child, 0)[1]\n"
        "print(status, len(list(batches)))\n"
    )

    done = run_python(program, timeout=30)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "True\nTrue\n4\n0 3\n"
