"""Lists of images (.lst): made from a folder, read line by line."""

from __future__ import annotations

import errno
import itertools
import os
import random
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from mxio._atomic import atomic_text, naming
from mxio.errors import ParameterError, system_error

__all__ = [
    "EXTENSIONS",
    "Line",
    "Lines",
    "ListReport",
    "count_parts",
    "find_images",
    "make_list",
    "readable",
]

EXTENSIONS = (".jpeg", ".jpg", ".png")
_SHUFFLE_SEED = 100  # MXNet's, so that lists come out in the same order


@dataclass(frozen=True)
class ListReport:
    """What `make_list` wrote: its files, how many images, the label of each folder."""

    paths: list[str]
    images: int
    labels: dict[str, int]


def make_list(
    prefix: str | os.PathLike[str],
    root: str | os.PathLike[str],
    *,
    exts: Sequence[str] = EXTENSIONS,
    chunks: int = 1,
    train_ratio: float = 1.0,
    test_ratio: float = 0.0,
    recursive: bool = False,
    shuffle: bool = True,
) -> ListReport:
    """Write lists of the images under `root`, with ids from 0 in sorted order.

    recursive: every folder with images is a label, in sorted order; otherwise only the
        images in `root` itself are listed, with label 0.
    chunks: cut into that many lists, PREFIX_0.lst and so on, else PREFIX.lst.
    train_ratio, test_ratio: below 1, every list becomes _test.lst, _train.lst and, if
        the two leave something, _val.lst.
    shuffle: in MXNet's order, the same every time.

    Raises ParameterError for ratios and chunks out of range, FileNotFoundError when no
    image is found, OSError naming the file that cannot be written.
    """
    if chunks < 1:
        raise ParameterError(f"chunks must be >= 1, got {chunks}")
    ratios = [train_ratio, test_ratio]
    if not all(ratio >= 0 for ratio in ratios) or sum(ratios) > 1 + 1e-9:
        raise ParameterError(
            "train_ratio and test_ratio must be >= 0 and together at most 1, "
            f"got {train_ratio} and {test_ratio}"
        )
    labels: dict[str, int] = {}
    lines = []
    found = find_images(os.fspath(root), exts, recursive)
    for number, path in enumerate(filter(_fits_a_list, found)):
        label = labels.setdefault(os.path.dirname(path) or ".", len(labels))
        lines.append(f"{number}\t{label:f}\t{path}\n")
    if shuffle:
        random.Random(_SHUFFLE_SEED).shuffle(lines)
    chunk_size = -(-len(lines) // chunks)
    paths = []
    for place in range(chunks):
        chunk = lines[place * chunk_size : (place + 1) * chunk_size]
        name = os.fspath(prefix) + (f"_{place}" if chunks > 1 else "")
        for suffix, part in _split(chunk, chunk_size, train_ratio, test_ratio):
            paths.append(f"{name}{suffix}.lst")
            with atomic_text(paths[-1]) as file:
                file.writelines(part)
    return ListReport(paths, len(lines), labels)


def find_images(root: str, exts: Sequence[str], recursive: bool) -> list[str]:
    """Paths of images relative to `root`; FileNotFoundError if there is none."""
    suffixes = {f".{ext.lower().removeprefix('.')}" for ext in exts}
    found = []
    for path in _walk(root, recursive):
        if os.path.splitext(path)[1].lower() in suffixes:
            found.append(path)
    if not found:
        hint = "" if recursive else "; recursive looks into its folders"
        kinds = " ".join(sorted(suffixes))
        raise system_error(errno.ENOENT, f"No image ({kinds}) in it{hint}", root)
    return found


def readable(name: str) -> str:
    """A file name that can be printed, even one that is no text."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def _fits_a_list(path: str) -> bool:
    """Whether a line can name it: no tabs, no blanks at its ends; else that is told."""
    if path == path.strip() and not re.search(r"[\t\r\n]", path):
        return True
    print(f"{path!r} is left out, as no list can hold its name", file=sys.stderr)
    return False


def _walk(root: str, recursive: bool) -> Iterator[str]:
    """Paths of files relative to `root`, sorted in each folder; links are followed."""
    for folder, folders, files in os.walk(root, followlinks=True, onerror=_raise):
        folders[:] = sorted(
            name for name in folders if not _is_loop(os.path.join(folder, name), root)
        )
        for name in sorted(files):
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                yield os.path.relpath(path, root)
        if not recursive:
            return


def _is_loop(path: str, root: str) -> bool:
    """Whether `path` is a link to a folder on the way to it from `root`, through links
    or not, or to one above these.
    """
    if not os.path.islink(path):
        return False
    target = os.path.realpath(path)
    here = path
    while len(here) > len(root):
        here = os.path.dirname(here)
        if os.path.commonpath([target, os.path.realpath(here)]) == target:
            return True
    return False


def _raise(error: OSError) -> None:
    with naming(str(error.filename)):
        raise error


def _split(
    chunk: list[str], chunk_size: int, train_ratio: float, test_ratio: float
) -> Iterator[tuple[str, list[str]]]:
    """(suffix, lines) of the lists that a chunk becomes."""
    if train_ratio == 1.0:
        yield "", chunk
        return
    test_end = int(chunk_size * test_ratio)
    train_end = test_end + int(chunk_size * train_ratio)
    if test_ratio > 0:
        yield "_test", chunk[:test_end]
    if train_ratio + test_ratio < 1.0:
        yield "_val", chunk[train_end:]
    yield "_train", chunk[test_end:train_end]


@dataclass(frozen=True)
class Line:
    """A line of the list `path` that is not blank; the first has number 1.

    end: offset of the first byte behind it.
    """

    path: str
    number: int
    text: str
    end: int

    @property
    def place(self) -> str:
        return f"{self.path}:{self.number}"


class Lines:
    """The lines of one part of a list that are not blank, read when asked for.

    A part is a range of bytes whose ends are moved to the next start of a line.
    OSErrors name the list.
    """

    def __init__(self, path: str, nsplit: int, part: int) -> None:
        self.path = path
        with naming(path), open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            step = -(-size // nsplit)
            self._begin = _next_line(file, min(part * step, size))
            self._end = _next_line(file, min((part + 1) * step, size))
            self._first = 1 + _count_lines(file, 0, self._begin)

    def go_on(self, end: int, number: int) -> None:
        """Begin behind the line of this `end` and `number`."""
        self._begin, self._first = end, number + 1

    def __iter__(self) -> Iterator[Line]:
        with naming(self.path), open(self.path, "rb") as file:
            file.seek(self._begin)
            number = self._first
            end = self._begin
            while end < self._end and (raw := file.readline()):
                end += len(raw)
                mark = b"\xef\xbb\xbf" if number == 1 else b""
                text = raw.removeprefix(mark).decode(errors="surrogateescape").strip()
                if text:
                    yield Line(self.path, number, text, end)
                number += 1


def count_parts(path: str, nsplit: int) -> list[int]:
    """The lines in each of the parts that `Lines` cuts a list into."""
    with naming(path), open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        step = -(-size // nsplit)
        ends = [_next_line(file, min(part * step, size)) for part in range(nsplit + 1)]
        return [_count_lines(file, *part) for part in itertools.pairwise(ends)]


def _next_line(file: BinaryIO, offset: int) -> int:
    """The first start of a line behind `offset`; 0 is one."""
    if offset == 0:
        return 0
    file.seek(offset)
    file.readline()
    return file.tell()


def _count_lines(file: BinaryIO, begin: int, end: int) -> int:
    """Lines in a range of bytes that begins with one; the last may lack its end."""
    file.seek(begin)
    count = 0
    last = b"\n"
    left = end - begin
    while left > 0 and (piece := file.read(min(left, 1 << 20))):
        count += piece.count(b"\n")
        last = piece[-1:]
        left -= len(piece)
    return count + (last != b"\n")
