"""Which epoch an iteration of a dataset is, agreed upon by processes that share no
lock.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LAST_EPOCH", "Epochs"]

# A loader that begins there can go on for as many epochs again.
LAST_EPOCH = 2**31 - 1
_EPOCH_BITS = 32
_KEY_BITS = 31


class Epochs:
    """A table in shared memory: one word for each process, (key of the iteration, epoch
    + 1).

    All workers of one DataLoader iteration see the same key: its base seed, and how
    many iterations they have begun themselves (persistent workers begin several). The
    first to begin takes the epoch behind all others in the table; whoever finds its key
    there takes the epoch beside it. A word is written at once, so two that begin at the
    same time take the same epoch.
    """

    def __init__(self, words: "Tensor") -> None:
        words.share_memory_()  # type: ignore[no-untyped-call]
        self._words = words
        self._begun: dict[int, int] = {}

    def next(self, slot: int, seed: int) -> int:
        """The epoch of the iteration that `slot` begins now."""
        begun = self._begun[seed] = self._begun.get(seed, 0) + 1
        key = hash((seed, begun)) & ((1 << _KEY_BITS) - 1)
        words: list[int] = self._words.tolist()
        same = [w for w in words if w and w >> _EPOCH_BITS == key]
        last = max(w & ((1 << _EPOCH_BITS) - 1) for w in words)
        number = same[0] & ((1 << _EPOCH_BITS) - 1) if same else last + 1
        self._words[slot] = key << _EPOCH_BITS | number
        return number - 1

    def set(self, epoch: int) -> None:
        """Make `epoch` the next one."""
        self._words.zero_()
        self._words[0] = epoch
