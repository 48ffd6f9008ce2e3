"""Records made of the lines of a list, by the threads of the core."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mxio import _core
from mxio._entries import BadLine, Entry, EntryReader
from mxio._lists import Line
from mxio._recipe import Recipe
from mxio.errors import DataError

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["Made", "Records"]


@dataclass(frozen=True, slots=True)
class Made:
    """A line and its record, or what is wrong with it.

    entry: None where the line could not be read.
    """

    line: Line
    entry: Entry | None
    record: Buffer | None
    problem: str = ""

    @property
    def path(self) -> str:
        """Of the picture, as far as it is known."""
        return "" if self.entry is None else self.entry.path

    @property
    def sentence(self) -> str:
        """The problem, with its place."""
        where = f"{self.path}: " if self.path else ""
        return f"{self.line.place}: {where}{self.problem}"


class Records:
    """Has the records of lines made by the threads of the core, in the lines' order."""

    def __init__(
        self, entries: EntryReader, recipe: Recipe, packer: _core.Packer
    ) -> None:
        self._entries = entries
        self._recipe = recipe
        self._packer = packer

    def of(self, lines: Iterable[Line], depth: int) -> Iterator[Made]:
        """Every line made; at most `depth` lines are read ahead."""
        waiting: deque[tuple[Line, Entry | Exception]] = deque()
        for line in lines:
            waiting.append((line, self._begin(line)))
            if len(waiting) == depth:
                yield self._end(*waiting.popleft())
        while waiting:
            yield self._end(*waiting.popleft())

    def _begin(self, line: Line) -> Entry | Exception:
        """The entry, its picture handed to the core; a problem waits for its turn."""
        try:
            entry = self._entries.read(line)
            number = self._recipe.interpolation(line.number)
            self._packer.add(entry.path, entry.head, number)
        except (BadLine, DataError, ValueError) as error:
            return error
        return entry

    def _end(self, line: Line, begun: Entry | Exception) -> Made:
        if isinstance(begun, DataError):  # about the list as a whole
            raise begun
        if isinstance(begun, Exception):
            return Made(line, None, None, str(begun))
        try:
            record = self._packer.next()
            if record is not None:
                return Made(line, begun, record)
            return Made(line, begun, self._anew(begun, line.number))
        except OSError as error:
            problem = str(error.strerror)
        except MemoryError:
            problem = "no memory for an image of its size"
        except (DataError, ValueError) as error:
            problem = str(error)
        return Made(line, begun, None, problem)

    def _anew(self, entry: Entry, number: int) -> bytes:
        """The record of a picture whose format the core does not know."""
        with open(entry.path, "rb") as file:
            data = file.read()
        return _core.encode_record(entry.head + self._recipe.encode_anew(data, number))
