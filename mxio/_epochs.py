"""Which epoch an iteration of a dataset is, and where it begins, agreed upon by
processes that share no lock.
"""

import operator
import os
from typing import TYPE_CHECKING, Any, SupportsIndex

from mxio.errors import ParameterError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LAST_EPOCH", "WORDS", "Epochs", "check_epoch"]

# A loader that begins there can go on for as many epochs again.
LAST_EPOCH = 2**31 - 1
_EPOCH_BITS = 32
_KEY_BITS = 31
# Slots of processes: slot 0 of the one that made the table, the others of DataLoader
# workers. Behind them: epoch + 1 and position of the loaded cursor, and which process
# wrote each slot. All of this makes a page, which is there twice: as it is, and as it
# was before an epoch was set. Then, how often a cursor was loaded.
_SLOTS = 1025
_CURSOR_EPOCH, _CURSOR_SAMPLES, _WRITERS = _SLOTS, _SLOTS + 1, _SLOTS + 2
_PAGE = _WRITERS + _SLOTS
_LOADS = 2 * _PAGE
WORDS = _LOADS + 1


def check_epoch(epoch: object) -> int:
    """The epoch as a plain number, for a state to hold.

    TypeError for what is no whole number, ParameterError for an epoch that no loader
    can begin with.
    """
    if isinstance(epoch, bool) or not isinstance(epoch, SupportsIndex):
        raise TypeError(
            f"epoch must be a whole number, got {epoch!r} ({type(epoch).__name__})"
        )
    number = operator.index(epoch)
    if not 0 <= number <= LAST_EPOCH:
        raise ParameterError(f"epoch must be in [0, {LAST_EPOCH}], got {number}")
    return number


class Epochs:
    """A table in shared memory: one word for each process, (key of the iteration, epoch
    + 1), and a cursor.

    All workers of one DataLoader iteration see the same key: its base seed and number
    of workers, and how many iterations they have begun themselves (persistent workers
    begin several). The first to begin takes the epoch behind all others in the table;
    whoever finds its key there takes the epoch beside it. A program that seeds torch
    anew before each iteration gives all of them one key; a worker knows the epochs that
    its slot has begun already. A word is written at once, so two that begin at the same
    time take the same epoch.

    Workers start while the program goes on, and it may set an epoch before all of them
    have begun. Then the others follow those that have, whose words are in the page from
    before.

    The cursor of a loaded state is written before the iteration that it is for, and
    belongs to the first one that is its epoch.
    """

    workers_max = _SLOTS - 1

    def __init__(self, words: "Tensor") -> None:
        words.share_memory_()  # type: ignore[no-untyped-call]
        self._words = words
        self._seed = 0
        self._begun = 0

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._words.share_memory_()  # type: ignore[no-untyped-call]  # those of a copy

    def next(self, slot: int, seed: int) -> tuple[int, int]:
        """The epoch of the iteration that `slot` begins now, and the position in it."""
        self._begun = self._begun + 1 if seed == self._seed else 1
        self._seed = seed
        key = self._key()
        words: list[int] = self._words.tolist()
        page, number = 0, _begun_by_others(words[:_PAGE], slot, key)
        if not number:
            page, number = _PAGE, _begun_by_others(words[_PAGE:], slot, key)
        if not number:
            page, number = 0, max(map(_number, words[:_SLOTS])) + 1
        self._words[page + _WRITERS + slot] = os.getpid()
        self._words[page + slot] = key << _EPOCH_BITS | number
        loaded = words[page + _CURSOR_EPOCH] == number
        return number - 1, words[page + _CURSOR_SAMPLES] if loaded else 0

    def move(self, slot: int, epoch: int) -> None:
        """The iteration that `slot` has begun is another epoch: its own state says so.

        Every worker of the iteration does the same.
        """
        key = self._key()
        for place, word in enumerate(self._words[:_SLOTS].tolist()):
            if word >> _EPOCH_BITS != key:
                self._words[place] = 0
        self._words[slot] = key << _EPOCH_BITS | epoch + 1
        self._words[_CURSOR_EPOCH] = self._words[_CURSOR_SAMPLES] = 0

    def set(self, epoch: int) -> None:
        """Make `epoch` the next one, from its start unless a cursor in it was loaded
        and waits.
        """
        slots = self._words[:_SLOTS]
        begun = bool((slots >> _EPOCH_BITS).any())
        if not begun and int(self._words[_CURSOR_EPOCH]) == epoch + 1:
            return
        if begun:
            self._words[_PAGE : 2 * _PAGE] = self._words[:_PAGE]
        slots.zero_()
        self._words[0] = epoch
        self._words[_CURSOR_EPOCH] = self._words[_CURSOR_SAMPLES] = 0

    def load(self, epoch: int, samples: int) -> None:
        """Make `epoch` the next one, begun behind `samples` positions."""
        self.set(epoch)
        self._words[_CURSOR_SAMPLES] = samples
        self._words[_CURSOR_EPOCH] = epoch + 1
        self._words[_LOADS] += 1

    def loads(self) -> int:
        """How often a cursor was loaded: an iteration that began before is outdated."""
        return int(self._words[_LOADS])

    def _key(self) -> int:
        """The key of the iteration of this process; 0 stands for none."""
        return hash((self._seed, self._begun)) & ((1 << _KEY_BITS) - 1) or 1


def _number(word: int) -> int:
    """The epoch + 1 in a slot."""
    return word & ((1 << _EPOCH_BITS) - 1)


def _begun_by_others(page: list[int], slot: int, key: int) -> int:
    """The number beside `key`, of an epoch that `slot` has not begun with it; or 0."""
    slots = page[:_SLOTS]
    newest = max((word for word in slots if word >> _EPOCH_BITS == key), default=0)
    if newest == slots[slot]:
        return 0
    if _number(slots[slot]) > _number(newest):
        # Maybe the slot has begun it, and a DataLoader with fewer workers came since.
        writers = [page[_WRITERS + i] for i in range(_SLOTS) if slots[i] == newest]
        if not any(map(_lives, writers)):
            return 0
    return _number(newest)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
