"""Keys of the index that a tool writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from mxio.errors import DataError, ParameterError

__all__ = ["KEYS", "Keys", "Numbering"]

Keys = Literal["auto", "id", "number"]
KEYS: tuple[Keys, ...] = ("auto", "id", "number")

_KEY_MOST = 2**63 - 1  # readers of an index take keys for signed 64-bit numbers


@dataclass
class Numbering:
    """Chooses the keys of the records that are shown to it in order.

    "id": the ids in their image headers; "number": 0, 1, 2, ...; "auto": ids when every
    record has an image header and no id occurs twice, else numbers.
    """

    wanted: Keys
    ids: list[int] = field(default_factory=list)
    count: int = 0
    fault: str | None = None

    def __post_init__(self) -> None:
        if self.wanted not in KEYS:
            raise ParameterError(
                f"keys must be one of {', '.join(KEYS)}, got {self.wanted!r}"
            )

    def add(self, id: int | None, place: str) -> None:
        """One more record: the id in its image header, None without such a header."""
        self.count += 1
        if self.wanted == "number" or self.fault is not None:
            return
        if id is None or id > _KEY_MOST:
            what = "no image header" if id is None else f"the id {id}, beyond 2^63"
            self.fault = f"the record {place} has {what}"
            self.ids = []
        else:
            self.ids.append(id)

    def keys(self) -> tuple[Literal["id", "number"], Sequence[int]]:
        """Which keys it is to be, and those of all records.

        DataError when ids were asked for and a record has none.
        """
        if self.wanted == "id" and self.fault is not None:
            raise DataError(f"ids cannot be keys: {self.fault}")
        distinct = self.wanted == "id" or len(set(self.ids)) == len(self.ids)
        if self.wanted == "number" or self.fault is not None or not distinct:
            return "number", range(self.count)
        return "id", self.ids
