"""Pack the images of a list into a RecordIO file, with an index beside it."""

from __future__ import annotations

import os
import sys
import time
from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mxio import _core
from mxio._atomic import PendingFile, publish
from mxio._cores import cores
from mxio._entries import BadLine, Entry, EntryReader
from mxio._lists import Line, Lines
from mxio._recipe import Recipe
from mxio.errors import DataError, MxioError

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["PackReport", "pack_list"]

_LOOK_AHEAD = 4  # lines in work for each thread
_THREADS_MAX = 1024
_SECONDS_BETWEEN_LINES = 10.0


@dataclass(frozen=True)
class PackReport:
    """What `pack_list` wrote, and what it noticed.

    duplicates counts lines whose id had occurred before, rounded lines with a whole
    number as label that float32 cannot hold.
    """

    output: str
    index: str
    packed: int
    skipped: int
    duplicates: int
    rounded: int


def pack_list(
    list_path: str | os.PathLike[str],
    root: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    label_width: int | None = None,
    pack_label: bool = False,
    resize: int = 0,
    center_crop: bool = False,
    color: int = 1,
    encoding: str = ".jpg",
    quality: int = 95,
    inter_method: int = 1,
    pass_through: bool = False,
    scaled_decode: bool = False,
    num_thread: int = 0,
    on_error: str = "skip",
    nsplit: int = 1,
    part: int = 0,
    progress: bool = False,
) -> PackReport:
    """Pack the images of a list into `output`, and its index beside it.

    output: by default the list's name with .rec. The index has the output's name with
        the last suffix replaced by .idx. Both appear when they are whole; until then,
        and after any error, the old ones stay.
    label_width: that many labels are between id and path, the rest of the line is the
        path, as the C++ tool reads lists. None: fields are separated by tabs (by blanks
        in a line without tabs), and all between the first and the last are labels.
    pack_label: store all labels; otherwise only the first.
    resize: new length of the shorter edge; 0 or -1 leaves the image as it is.
    center_crop: cut out the square in the middle before.
    color: 1 colour, 0 gray, -1 as in the image file.
    encoding: ".jpg" or ".png".
    quality: of JPEG, 1 to 100; compression of PNG, 0 to 9 (more means 3).
    inter_method: as in `mxio.image.imresize`; a random choice depends on the line only.
    pass_through: store the bytes of the image files as they are.
    scaled_decode: shrink JPEGs by 2, 4 or 8 already while they are decoded where
        `resize` asks for less than half of the shorter edge: faster, and less aliased,
        but other pixels than MXNet's.
    num_thread: 0 means every core; the bytes written are the same for any number.
    on_error: "skip" leaves bad lines and images out; "fail" stops at the first one.
    nsplit, part: pack only this part of the list; both names get the suffix .part000
        and so on.
    progress: show it on stderr. Bad lines are reported there in any case.

    Raises DataError for the first bad line with on_error="fail", when not one line
    could be packed, and when label_width does not fit the list; OSError naming the file
    that cannot be read or written; ValueError for arguments out of range.
    """
    list_path = os.fspath(list_path)
    output = os.path.splitext(list_path)[0] + ".rec" if output is None else output
    recipe = Recipe(
        resize=resize,
        center_crop=center_crop,
        color=color,
        encoding=encoding,
        quality=quality,
        inter_method=inter_method,
        pass_through=pass_through,
        scaled_decode=scaled_decode,
    )
    _check_label_width(label_width, pack_label)
    if on_error not in ("skip", "fail"):
        raise ValueError(f'on_error must be "skip" or "fail", got {on_error!r}')
    if not 0 <= num_thread <= _THREADS_MAX:
        raise ValueError(f"num_thread must be in [0, {_THREADS_MAX}], got {num_thread}")
    if not 0 <= part < nsplit:
        raise ValueError(f"part must be in [0, nsplit = {nsplit}), got {part}")
    names = _output_names(os.fspath(output), nsplit, part)
    if os.path.realpath(list_path) in map(os.path.realpath, names):
        raise ValueError(f"the output {names[0]} would replace the list {list_path}")
    lines = Lines(list_path, nsplit, part)
    entries = EntryReader(os.fspath(root), label_width, pack_label)
    threads = num_thread or cores()
    depth = threads * _LOOK_AHEAD
    with (
        closing(_Progress(lines.count, progress)) as shown,
        closing(recipe.packer(threads, depth)) as packer,
        closing(_Output(*names)) as out,
    ):
        made = _Records(entries, recipe, packer).of(lines, depth)
        _write_all(out, made, shown, stop=on_error == "fail")
        if out.skipped and not out.ids:
            raise DataError(
                f"{list_path}: none of its {out.skipped} lines could be packed; "
                "nothing is written",
                list_path,
            )
        out.publish()
    return out.report()


def _check_label_width(label_width: int | None, pack_label: bool) -> None:
    if label_width is not None and label_width < 1 + pack_label:
        least = "2 with pack_label" if pack_label else "1"
        raise ValueError(f"label_width must be >= {least}, got {label_width}")


@dataclass(frozen=True, slots=True)
class _Made:
    """A line, its entry and its record, or what is wrong with the line."""

    line: Line
    entry: Entry | None
    record: Buffer
    problem: str = ""


class _Records:
    """Has the records of lines made by the threads of the core, in the lines' order."""

    def __init__(
        self, entries: EntryReader, recipe: Recipe, packer: _core.Packer
    ) -> None:
        self._entries = entries
        self._recipe = recipe
        self._packer = packer

    def of(self, lines: Iterable[Line], depth: int) -> Iterator[_Made]:
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

    def _end(self, line: Line, begun: Entry | Exception) -> _Made:
        if isinstance(begun, DataError):  # about the list as a whole
            raise begun
        if isinstance(begun, Exception):
            return _Made(line, None, b"", str(begun))
        try:
            record = self._packer.next()
            if record is not None:
                return _Made(line, begun, record)
            return _Made(line, begun, self._anew(begun, line.number))
        except OSError as error:
            problem = str(error.strerror)
        except MemoryError:
            problem = "no memory for an image of its size"
        except (MxioError, ValueError) as error:
            problem = str(error)
        return _Made(line, None, b"", f"{begun.path}: {problem}")

    def _anew(self, entry: Entry, number: int) -> bytes:
        """The record of a picture whose format the core does not know."""
        with open(entry.path, "rb") as file:
            data = file.read()
        return _core.encode_record(entry.head + self._recipe.encode_anew(data, number))


class _Output:
    """The two files being written, and what is known of them."""

    def __init__(self, record_path: str, index_path: str) -> None:
        self._records = PendingFile(record_path)
        self._index = PendingFile(index_path)
        self.ids = array("Q")
        self.skipped = 0
        self._rounded = 0

    def write(self, entry: Entry, record: Buffer) -> None:
        self._index.write(f"{entry.id}\t{self._records.size}\n".encode())
        self._records.write(record)
        self.ids.append(entry.id)
        self._rounded += entry.rounded

    def publish(self) -> None:
        publish(self._records, self._index)

    def report(self) -> PackReport:
        ordered = np.sort(np.frombuffer(self.ids, np.uint64))
        duplicates = int(np.count_nonzero(ordered[1:] == ordered[:-1]))
        return PackReport(
            self._records.path,
            self._index.path,
            len(self.ids),
            self.skipped,
            duplicates,
            self._rounded,
        )

    def close(self) -> None:
        """Remove what is not published."""
        self._records.discard()
        self._index.discard()


def _output_names(output: str, nsplit: int, part: int) -> tuple[str, str]:
    index = os.path.splitext(output)[0] + ".idx"
    if index == output:
        raise ValueError(f"output must not have the name of an index, got {output}")
    suffix = f".part{part:03d}" if nsplit > 1 else ""
    return output + suffix, index + suffix


def _write_all(
    out: _Output, made: Iterable[_Made], shown: _Progress, *, stop: bool
) -> None:
    """Write what was packed, show what could not be; `stop` there with DataError."""
    for each in made:
        if each.entry is not None:
            out.write(each.entry, each.record)
        else:
            problem = f"{each.line.place}: {each.problem}"
            if stop:
                raise DataError(problem, each.line.path)
            out.skipped += 1
            shown.say(problem)
        shown.step()


class _Progress:
    """A bar on a terminal, elsewhere a line now and then; nothing unless `shown`."""

    def __init__(self, total: int, shown: bool) -> None:
        self._total = total
        self._done = 0
        self._shown = shown
        self._start = self._last = time.monotonic()
        self._bar: Any = None
        if shown and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit="image", file=sys.stderr)

    def step(self) -> None:
        self._done += 1
        if self._bar is not None:
            self._bar.update()
        elif self._shown and time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            rate = self._done / (self._last - self._start)
            self.say(f"{self._done} of {self._total} lines, {rate:.0f} a second")

    def say(self, text: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        print(f"im2rec: {text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
