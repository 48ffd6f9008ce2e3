"""Epoch numbers that processes agree upon without a lock."""

import pytest

torch = pytest.importorskip("torch", reason="needs torch")

from mxio._epochs import LAST_EPOCH, Epochs  # noqa: E402


def processes(slots: int = 4) -> list[Epochs]:
    """The object as each process has it: its own, over one table in shared memory."""
    words = torch.zeros(slots, dtype=torch.int64)
    return [Epochs(words) for _ in range(slots)]


def test_one_process_counts_from_zero() -> None:
    alone, *_ = processes()

    numbers = [alone.next(0, seed) for seed in (11, 5, 99)]

    assert numbers == [0, 1, 2]


def test_workers_of_one_iteration_take_the_same_epoch() -> None:
    workers = processes()

    first = [workers[slot].next(slot, 7) for slot in (1, 2, 3)]
    second = [workers[slot].next(slot, 8) for slot in (3, 1, 2)]

    assert first == [0, 0, 0]
    assert second == [1, 1, 1]


def test_workers_that_persist_count_their_iterations() -> None:
    # Their base seed stays: what they began themselves makes the difference.
    workers = processes()

    rounds = [
        [workers[slot].next(slot, 7) for slot in order]
        for order in ((1, 2, 3), (3, 2, 1), (2, 1, 3))
    ]

    assert rounds == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]


def test_new_workers_go_on_behind_the_old_ones() -> None:
    old, *fresh = processes()
    for seed in (1, 2, 3):
        old.next(0, seed)

    numbers = [worker.next(slot, 4) for slot, worker in enumerate(fresh, 1)]

    assert numbers == [3, 3, 3]


@pytest.mark.parametrize("epoch", [0, 5, LAST_EPOCH])
def test_the_number_of_the_next_epoch_can_be_set(epoch: int) -> None:
    own, one, other, _ = processes()
    own.next(0, 1)
    one.next(1, 2)

    own.set(epoch)

    assert [one.next(1, 3), other.next(2, 3)] == [epoch, epoch]
    assert [one.next(1, 4), other.next(2, 4)] == [epoch + 1, epoch + 1]


def test_a_slot_whose_worker_ended_does_not_hold_the_others_back() -> None:
    one, _, _, other = processes()
    other.next(3, 1)

    numbers = [one.next(1, seed) for seed in (2, 3)]

    assert numbers == [1, 2]
