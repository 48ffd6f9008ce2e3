"""Epoch numbers that processes agree upon without a lock."""

import pytest

torch = pytest.importorskip("torch", reason="needs torch")

from mxio._epochs import LAST_EPOCH, WORDS, Epochs  # noqa: E402


def processes() -> list[Epochs]:
    """The object as 4 processes have it: their own, over one table in shared memory."""
    words = torch.zeros(WORDS, dtype=torch.int64)
    return [Epochs(words) for _ in range(4)]


def epoch(of: Epochs, slot: int, seed: int) -> int:
    """The number alone of the epoch that a slot begins."""
    number, base = of.next(slot, seed)
    assert base == 0
    return number


def test_one_process_counts_from_zero() -> None:
    alone, *_ = processes()

    numbers = [epoch(alone, 0, seed) for seed in (11, 5, 99)]

    assert numbers == [0, 1, 2]


def test_workers_of_one_iteration_take_the_same_epoch() -> None:
    workers = processes()

    first = [epoch(workers[slot], slot, 7) for slot in (1, 2, 3)]
    second = [epoch(workers[slot], slot, 8) for slot in (3, 1, 2)]

    assert first == [0, 0, 0]
    assert second == [1, 1, 1]


def test_workers_that_persist_count_their_iterations() -> None:
    # Their base seed stays: what they began themselves makes the difference.
    workers = processes()

    rounds = [
        [epoch(workers[slot], slot, 7) for slot in order]
        for order in ((1, 2, 3), (3, 2, 1), (2, 1, 3))
    ]

    assert rounds == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]


def test_iterations_of_one_seed_are_epochs_of_their_own() -> None:
    # With torch.manual_seed(0) before each epoch, the first came again and again.
    rounds = []
    table = torch.zeros(WORDS, dtype=torch.int64)
    for order in ((1, 2), (2, 1), (1, 2)):
        workers = {slot: Epochs(table) for slot in order}
        rounds.append([epoch(workers[slot], slot, 7) for slot in order])

    assert rounds == [[0, 0], [1, 1], [2, 2]]


def test_new_workers_go_on_behind_the_old_ones() -> None:
    old, *fresh = processes()
    for seed in (1, 2, 3):
        epoch(old, 0, seed)

    numbers = [epoch(worker, slot, 4) for slot, worker in enumerate(fresh, 1)]

    assert numbers == [3, 3, 3]


@pytest.mark.parametrize("chosen", [0, 5, LAST_EPOCH])
def test_the_number_of_the_next_epoch_can_be_set(chosen: int) -> None:
    own, one, other, _ = processes()
    epoch(own, 0, 1)
    epoch(one, 1, 2)

    own.set(chosen)

    assert [epoch(one, 1, 3), epoch(other, 2, 3)] == [chosen] * 2
    assert [epoch(one, 1, 4), epoch(other, 2, 4)] == [chosen + 1] * 2


def test_fewer_workers_in_between_do_not_bring_back_an_epoch_of_the_same_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Slots 3 and 4 still had the epoch: workers 1 and 2 took it, the others the next.
    table = torch.zeros(WORDS, dtype=torch.int64)
    rounds = []
    for process, (seed, order) in enumerate([(7, (1, 2, 3, 4)), (9, (2, 1))] * 2):
        monkeypatch.setattr("os.getpid", lambda number=process: number)
        monkeypatch.setattr("mxio._epochs._lives", lambda one, now=process: one == now)
        workers = {slot: Epochs(table) for slot in order}
        rounds.append([epoch(workers[slot], slot, seed) for slot in order])

    assert rounds == [[0] * 4, [1] * 2, [2] * 4, [3] * 2]


@pytest.mark.parametrize("loaded", [None, 70])
def test_an_epoch_that_is_set_while_workers_start_is_for_the_next_iteration(
    loaded: int | None,
) -> None:
    # Some workers took the new epoch, others the old: records were lost or repeated.
    own, one, other, _ = processes()
    if loaded is not None:
        own.load(7, loaded)
    first = one.next(1, 5)

    for _ in range(2):
        own.set(3)

    assert other.next(2, 5) == first == ((0, 0) if loaded is None else (7, loaded))
    assert [epoch(other, 2, 6), epoch(one, 1, 6)] == [3, 3]


def test_workers_of_one_seed_take_the_epoch_that_was_set_between() -> None:
    table = torch.zeros(WORDS, dtype=torch.int64)
    rounds = []
    for chosen, order in ((5, (1, 2)), (3, (2, 1)), (9, (1, 2))):
        workers = {slot: Epochs(table) for slot in (0, *order)}
        workers[0].set(chosen)
        rounds.append([epoch(workers[slot], slot, 7) for slot in order])

    assert rounds == [[5, 5], [3, 3], [9, 9]]


def test_a_slot_whose_worker_ended_does_not_hold_the_others_back() -> None:
    one, _, _, other = processes()
    epoch(other, 3, 1)

    numbers = [epoch(one, 1, seed) for seed in (2, 3)]

    assert numbers == [1, 2]


# ---- a loaded cursor ----


def test_the_first_iteration_after_a_load_begins_at_the_cursor() -> None:
    own, one, other, _ = processes()

    own.load(3, 70)

    assert [one.next(1, 5), other.next(2, 5)] == [(3, 70), (3, 70)]
    assert [other.next(2, 6), one.next(1, 6)] == [(4, 0), (4, 0)]


def test_setting_the_epoch_of_a_waiting_cursor_keeps_it() -> None:
    # Lightning loads a state, and then sets its epoch.
    own, one, _, _ = processes()
    own.load(3, 70)

    own.set(3)

    assert one.next(1, 5) == (3, 70)


def test_setting_the_epoch_drops_the_cursor_of_another_or_one_that_was_used() -> None:
    own, one, _, _ = processes()
    own.load(3, 70)
    own.set(4)
    other_epoch = one.next(1, 5)
    own.load(3, 70)
    used = one.next(1, 6)
    own.set(3)

    again = one.next(1, 7)

    assert (other_epoch, used, again) == ((4, 0), (3, 70), (3, 0))


def test_each_load_is_counted() -> None:
    own, one, _, _ = processes()

    own.load(3, 70)
    own.load(1, 0)

    assert (own.loads(), one.loads()) == (2, 2)


def test_workers_move_to_the_epoch_of_their_own_states() -> None:
    own, one, other, _ = processes()
    for seed in (1, 2, 3):
        own.next(0, seed)
    one.next(1, 4)
    other.next(2, 4)

    one.move(1, 0)
    other.move(2, 0)

    assert [epoch(one, 1, 5), epoch(other, 2, 5)] == [1, 1]
