"""Make lists of images, and pack the images of a list into a RecordIO file.

Two command lines share one packer: that of MXNet's C++ tool (`im2rec LIST ROOT OUTPUT
key=value ...`) and that of its Python tool (`im2rec.py PREFIX ROOT --list ...`).
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import errno
import inspect
import os
import random
import re
import signal
import struct
import sys
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, BinaryIO, NoReturn, Self

import numpy as np
import numpy.typing as npt

from mxio import _core
from mxio._atomic import PendingFile, atomic_text, naming, publish
from mxio.errors import DataError, MxioError, system_error
from mxio.image import decode_bgr, encode_bgr, imresize

__all__ = ["ListReport", "PackReport", "main", "make_list", "pack_list"]

_EXTENSIONS = (".jpeg", ".jpg", ".png")
_SHUFFLE_SEED = 100  # MXNet's, so that lists come out in the same order
_RANDOM_INTERPOLATION = 10
_PNG_LEVEL_MAX = 9
_PNG_LEVEL = 3  # stands for every quality above the highest level
_LOOK_AHEAD = 4  # lines in work for each thread
_THREADS_MAX = 1024
_SECONDS_BETWEEN_LINES = 10.0
_ALLOWED: dict[str, Sequence[object]] = {
    "resize": range(-1, 65501),
    "color": (1, 0, -1),
    "encoding": (".jpg", ".png"),
    "quality": range(101),
    "inter_method": (0, 1, 2, 3, 4, 9, _RANDOM_INTERPOLATION),
}


@dataclass(frozen=True)
class ListReport:
    """What `make_list` wrote: its files, how many images, the label of each folder."""

    paths: list[str]
    images: int
    labels: dict[str, int]


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


def make_list(
    prefix: str | os.PathLike[str],
    root: str | os.PathLike[str],
    *,
    exts: Sequence[str] = _EXTENSIONS,
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

    Raises ValueError for ratios and chunks out of range, FileNotFoundError when no
    image is found, OSError naming the file that cannot be written.
    """
    if chunks < 1:
        raise ValueError(f"chunks must be >= 1, got {chunks}")
    if min(train_ratio, test_ratio) < 0 or train_ratio + test_ratio > 1 + 1e-9:
        raise ValueError(
            "train_ratio and test_ratio must be >= 0 and together at most 1, "
            f"got {train_ratio} and {test_ratio}"
        )
    root = os.fspath(root)
    suffixes = {
        ext.lower() if ext.startswith(".") else f".{ext.lower()}" for ext in exts
    }
    found = list(_find_images(root, suffixes, recursive))
    if not found:
        hint = "" if recursive else "; recursive looks into its folders"
        kinds = " ".join(sorted(suffixes))
        raise system_error(errno.ENOENT, f"No image ({kinds}) in it{hint}", root)
    labels: dict[str, int] = {}
    lines = []
    for number, path in enumerate(found):
        folder = os.path.dirname(path) or "."
        label = labels.setdefault(folder, len(labels))
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
    recipe = _Recipe(
        label_width=label_width,
        pack_label=pack_label,
        resize=resize,
        center_crop=center_crop,
        color=color,
        encoding=encoding,
        quality=quality,
        inter_method=inter_method,
        pass_through=pass_through,
    )
    if on_error not in ("skip", "fail"):
        raise ValueError(f'on_error must be "skip" or "fail", got {on_error!r}')
    if not 0 <= num_thread <= _THREADS_MAX:
        raise ValueError(f"num_thread must be in [0, {_THREADS_MAX}], got {num_thread}")
    if not 0 <= part < nsplit:
        raise ValueError(f"part must be in [0, nsplit = {nsplit}), got {part}")
    names = _output_names(os.fspath(output), nsplit, part)
    if os.path.realpath(list_path) in map(os.path.realpath, names):
        raise ValueError(f"the output {names[0]} would replace the list {list_path}")
    lines = _Lines(list_path, nsplit, part)
    packer = _Packer(list_path, os.fspath(root), recipe)
    threads = num_thread or _cores()
    with (
        _Progress(lines.count, progress) as shown,
        ThreadPoolExecutor(threads) as pool,
        _Output(*names) as out,
    ):
        for line, future in _in_order(pool, packer.pack, lines, threads * _LOOK_AHEAD):
            try:
                out.write(future.result())
            except _BadLine as bad:
                problem = f"{list_path}:{line.number}: {bad}"
                if on_error == "fail":
                    raise DataError(problem, list_path) from None
                out.skipped += 1
                shown.say(problem)
            shown.step()
        if out.skipped and not out.ids:
            raise DataError(
                f"{list_path}: none of its {out.skipped} lines could be packed; "
                "nothing is written",
                list_path,
            )
        out.publish()
    return out.report()


def main(argv: list[str] | None = None) -> int:
    """The command `im2rec`; without arguments it prints its help.

    Returns 0 when done, 1 after an error, 2 for a wrong command line, 130 when
    interrupted.
    """
    words = sys.argv[1:] if argv is None else argv
    if not words or "-h" in words or "--help" in words:
        print(_full_help(), end="")
        return 0
    try:
        with _cleaning_up_when_terminated():
            run = _run_list_form if _is_list_form(words) else _run_prefix_form
            run(words)
            return 0
    except ValueError as error:
        print(f"im2rec: {error}", file=sys.stderr)
        return 2
    except (OSError, MxioError) as error:
        print(f"im2rec: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("im2rec: interrupted; nothing is written", file=sys.stderr)
        return 130


# Lists


def _find_images(root: str, suffixes: set[str], recursive: bool) -> Iterator[str]:
    """Paths of images relative to `root`, sorted in each folder; links are followed."""
    for folder, folders, files in os.walk(root, followlinks=True, onerror=_raise):
        here = os.path.realpath(folder)
        folders[:] = sorted(
            name for name in folders if not _is_loop(os.path.join(folder, name), here)
        )
        for name in sorted(files):
            path = os.path.join(folder, name)
            if os.path.splitext(name)[1].lower() in suffixes and os.path.isfile(path):
                relative = os.path.relpath(path, root)
                if re.search(r"[\t\r\n]", relative):
                    print(
                        f"im2rec: left out, as no list can hold its name: {relative!r}",
                        file=sys.stderr,
                    )
                else:
                    yield relative
        if not recursive:
            return


def _is_loop(path: str, here: str) -> bool:
    """Whether `path` is a link to the real folder `here` or to one above it."""
    if not os.path.islink(path):
        return False
    target = os.path.realpath(path)
    return os.path.commonpath([target, here]) == target


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
class _Line:
    number: int
    text: str


class _Lines:
    """The lines of one part of a list that are not blank, read when asked for.

    A part is a range of bytes whose ends are moved to the next start of a line.
    """

    def __init__(self, path: str, nsplit: int, part: int) -> None:
        self._path = path
        with naming(path), open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            step = -(-size // nsplit)
            self._begin = _next_line(file, min(part * step, size))
            self._end = _next_line(file, min((part + 1) * step, size))
            self._first = 1 + _count_lines(file, 0, self._begin)
            self.count = _count_lines(file, self._begin, self._end)

    def __iter__(self) -> Iterator[_Line]:
        with naming(self._path), open(self._path, "rb") as file:
            file.seek(self._begin)
            number = self._first
            left = self._end - self._begin
            while left > 0 and (raw := file.readline()):
                left -= len(raw)
                mark = b"\xef\xbb\xbf" if number == 1 else b""
                text = raw.removeprefix(mark).decode(errors="surrogateescape").strip()
                if text:
                    yield _Line(number, text)
                number += 1


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


# Packing


@dataclass(frozen=True, kw_only=True)
class _Recipe:
    """What becomes of a line and its image: the arguments of `pack_list`, checked."""

    label_width: int | None
    pack_label: bool
    resize: int
    center_crop: bool
    color: int
    encoding: str
    quality: int
    inter_method: int
    pass_through: bool

    def __post_init__(self) -> None:
        for name, allowed in _ALLOWED.items():
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(f"{name} must be {_one_of(allowed)}, got {value!r}")
        if self.encoding == ".jpg" and self.quality == 0:
            raise ValueError("quality must be in [1, 100] for .jpg, got 0")
        if self.label_width is not None and self.label_width < 1 + self.pack_label:
            least = "2 with pack_label" if self.pack_label else "1"
            raise ValueError(f"label_width must be >= {least}, got {self.label_width}")


def _one_of(allowed: Sequence[object]) -> str:
    if isinstance(allowed, range):
        return f"in [{allowed[0]}, {allowed[-1]}]"
    return f"one of {', '.join(map(str, allowed))}"


class _BadLine(Exception):
    """A line that cannot be packed; the message says why."""


@dataclass(frozen=True)
class _Entry:
    id: int
    labels: npt.NDArray[np.float32]
    rounded: bool
    name: str


@dataclass(frozen=True)
class _Packed:
    id: int
    record: bytes
    rounded: bool


class _Packer:
    """Makes a record of a line; any number of threads may do so at once."""

    def __init__(self, list_path: str, root: str, recipe: _Recipe) -> None:
        self._list_path = list_path
        self._root = root
        self._recipe = recipe

    def pack(self, line: _Line) -> _Packed:
        """The record of a line; _BadLine, or DataError when label_width is wrong."""
        entry = self._parse(line)
        path = self._path_of(entry.name)
        try:
            with open(path, "rb") as file:
                data = file.read()
            if not data:
                raise ValueError("the file is empty")
            if not self._recipe.pass_through:
                data = self._encode_anew(data, line.number)
            record = _core.encode_record(self._head(entry) + data)
        except OSError as error:
            raise _BadLine(f"{path}: {error.strerror}") from None
        except MemoryError:
            raise _BadLine(f"{path}: no memory for an image of its size") from None
        except (MxioError, ValueError) as error:
            raise _BadLine(f"{path}: {error}") from None
        return _Packed(entry.id, record, entry.rounded)

    def _parse(self, line: _Line) -> _Entry:
        width = self._recipe.label_width
        if width is not None:
            words = line.text.split(None, width + 1)
        elif "\t" in line.text:
            words = [word.strip() for word in line.text.split("\t")]
        else:
            words = line.text.split()
        if len(words) < 3 and width is None:
            raise _BadLine("a line is id, label(s) and path, separated by tabs")
        try:
            number = int(words[0])
            first = [float(word) for word in words[1:2]]
        except ValueError:
            raise _BadLine(f"id and label must be numbers, got {words[:2]}") from None
        if not 0 <= number < 1 << 64:
            raise _BadLine(f"id must be in [0, 2**64), got {number}")
        if width is not None:
            self._check_width(line, words, width)
        texts = words[1:-1] if self._recipe.pack_label else words[1:2]
        try:
            labels = np.array(first + [float(text) for text in texts[1:]])
        except ValueError:
            raise _BadLine(f"labels must be numbers, got {texts}") from None
        with np.errstate(over="ignore"):
            stored = labels.astype("<f4")
        rounded = any(map(_is_rounded, texts, stored.tolist()))
        return _Entry(number, stored, rounded, words[-1])

    def _check_width(self, line: _Line, words: list[str], width: int) -> None:
        """A list with another number of labels is wrong as a whole."""
        labels = words[1 : width + 1]
        if len(words) < width + 2 or not all(map(_is_number, labels)):
            problem = f"no {width} labels and a path behind the id"
        elif "\t" in words[-1]:
            problem = f"{words[-1]!r} begins with further labels"
        else:
            return
        raise DataError(
            f"{self._list_path}:{line.number}: {problem}; is label_width={width} so?",
            self._list_path,
        )

    def _path_of(self, name: str) -> str:
        if self._recipe.label_width is None:
            return os.path.join(self._root, name)
        root = self._root  # put in front of every name, even one that begins with a /
        return root + name if root.endswith("/") or not root else f"{root}/{name}"

    def _head(self, entry: _Entry) -> bytes:
        labels = entry.labels
        if not self._recipe.pack_label or len(labels) == 1:
            return struct.pack("<IfQQ", 0, labels[0], entry.id, 0)
        first = 0 if self._recipe.label_width is None else labels[0]
        head = struct.pack("<IfQQ", len(labels), first, entry.id, 0)
        return head + labels.tobytes()

    def _encode_anew(self, data: bytes, number: int) -> bytes:
        recipe = self._recipe
        image = decode_bgr(data, recipe.color)
        if recipe.center_crop:
            image = _square(image)
        if recipe.resize > 0 and recipe.resize != min(image.shape[:2]):
            image = _resized(image, recipe, number)
        if recipe.encoding == ".jpg" and image.dtype == np.uint16:
            image = (image >> 8).astype(np.uint8)
        quality = recipe.quality
        if recipe.encoding == ".png" and quality > _PNG_LEVEL_MAX:
            quality = _PNG_LEVEL
        return encode_bgr(image, recipe.encoding, quality)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_rounded(text: str, stored: float) -> bool:
    """Whether a whole number, or one that is finite, is not what was stored."""
    try:
        return int(text) != stored
    except ValueError:
        value = float(text)
    return value != stored and (value.is_integer() or np.isinf(stored))


def _square(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    height, width = image.shape[:2]
    size = min(height, width)
    top, left = (height - size) // 2, (width - size) // 2
    return image[top : top + size, left : left + size]


def _resized(image: npt.NDArray[Any], recipe: _Recipe, number: int) -> npt.NDArray[Any]:
    height, width = image.shape[:2]
    short = min(height, width)
    h, w = height * recipe.resize // short, width * recipe.resize // short
    interp = recipe.inter_method
    if interp == _RANDOM_INTERPOLATION:
        interp = random.Random(number).randint(0, 4)
    pixels = image.reshape(height, width, -1)
    resized = imresize(pixels, w, h, interp).asnumpy()
    return resized.reshape(h, w, *image.shape[2:])


class _Output:
    """The two files being written, and what is known of them."""

    def __init__(self, record_path: str, index_path: str) -> None:
        self._records = PendingFile(record_path)
        self._index = PendingFile(index_path)
        self.ids = array("Q")
        self.skipped = 0
        self._rounded = 0

    def write(self, packed: _Packed) -> None:
        self._index.write(f"{packed.id}\t{self._records.size}\n".encode())
        self._records.write(packed.record)
        self.ids.append(packed.id)
        self._rounded += packed.rounded

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._records.discard()
        self._index.discard()


def _output_names(output: str, nsplit: int, part: int) -> tuple[str, str]:
    index = os.path.splitext(output)[0] + ".idx"
    if index == output:
        raise ValueError(f"output must not have the name of an index, got {output}")
    suffix = f".part{part:03d}" if nsplit > 1 else ""
    return output + suffix, index + suffix


def _in_order(
    pool: ThreadPoolExecutor,
    work: Callable[[_Line], _Packed],
    lines: _Lines,
    depth: int,
) -> Iterator[tuple[_Line, Future[_Packed]]]:
    """Every line with its work, in the list's order, at most `depth` ahead."""
    waiting: deque[tuple[_Line, Future[_Packed]]] = deque()
    for line in lines:
        waiting.append((line, pool.submit(work, line)))
        if len(waiting) == depth:
            yield waiting.popleft()
    while waiting:
        yield waiting.popleft()


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # a system without affinity
        return os.cpu_count() or 1


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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()


# The two command lines

# What the keys of the list form, and the same options of the prefix form, are about.
_KEYS = {
    "label_width": "labels on every line of the list",
    "pack_label": "store all labels of a line, not only the first",
    "resize": "new length of the shorter edge; 0 leaves images as they are",
    "center_crop": "cut out the square in the middle before resizing",
    "color": "1 colour, 0 gray, -1 as in the image file",
    "encoding": ".jpg or .png",
    "quality": "of JPEG, 1 to 100; compression of PNG, 0 to 9 (more means 3)",
    "inter_method": "0 nearest, 1 bilinear, 2 cubic, 3 area, 4 Lanczos, 9 the fitting "
    "one, 10 any",
    "unchanged": "store the image files as they are",
    "nsplit": "parts of the list; OUTPUT gets the suffix .part000 and so on",
    "part": "the part to pack",
}
_FLAG_KEYS = ("pack_label", "center_crop", "unchanged")
_BOOLEANS = {"1": True, "true": True, "0": False, "false": False}


class _Parser(argparse.ArgumentParser):
    """A parser that raises ValueError, and knows the nearest name of an unknown option.

    Only what was given is in the namespace: defaults are those of the functions called.
    """

    def __init__(self, usage: str, description: str) -> None:
        super().__init__(
            usage=usage,
            description=description,
            argument_default=argparse.SUPPRESS,
            add_help=False,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)

    def read(self, words: Sequence[str]) -> dict[str, Any]:
        """The arguments given; names may have _ for -, flags a value behind them."""
        plain: list[str] = []
        rest = deque(words)
        while rest:
            word = rest.popleft()
            if word.startswith("--"):
                name, equals, value = word.partition("=")
                name = name.replace("_", "-")
                action = self._option_string_actions.get(name)
                if action is None:
                    known = list(self._option_string_actions)
                    raise ValueError(f"unknown option {name}{_nearest(name, known)}")
                if action.type is _boolean and not equals:
                    has_value = bool(rest) and rest[0].lower() in _BOOLEANS
                    equals, value = "=", rest.popleft() if has_value else "true"
                word = name + equals + value
            plain.append(word)
        return vars(self.parse_intermixed_args(plain))


def _boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError(f"{text!r} is not 1, 0, true or false") from None


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"


def _is_list_form(words: Sequence[str]) -> bool:
    """Whether there are three names, or key=value: the C++ tool's command line."""
    names = len(words) >= 3 and not any(word.startswith("-") for word in words[:3])
    return names or any(_is_setting(word) for word in words)


def _is_setting(word: str) -> bool:
    key, equals, _ = word.partition("=")
    return bool(equals) and key in _KEYS


def _run_list_form(words: Sequence[str]) -> None:
    given = _list_parser().read(words)
    list_path, root, output = (given.pop(name) for name in ("list", "root", "output"))
    if _is_setting(list_path) or _is_setting(root) or _is_setting(output):
        raise ValueError(
            f"LIST ROOT OUTPUT must come first, got {list_path} {root} {output}"
        )
    settings = {"label_width": 1, **dict(map(_parse_setting, given.pop("settings")))}
    settings["pass_through"] = settings.pop("unchanged", False)
    if settings.get("resize", 0) <= 0:
        settings["center_crop"] = False  # as in the C++ tool, part of resizing only
    _pack_and_tell(list_path, root, output, **settings, **given)


def _parse_setting(word: str) -> tuple[str, Any]:
    key, equals, text = word.partition("=")
    if not equals:
        raise ValueError(f"expected key=value behind the output, got {word!r}")
    if key not in _KEYS:
        raise ValueError(f"unknown key {key}{_nearest(key, list(_KEYS))}")
    if key == "encoding":
        return key, text
    try:
        return key, _boolean(text) if key in _FLAG_KEYS else int(text)
    except ValueError:
        kind = "0 or 1" if key in _FLAG_KEYS else "a whole number"
        raise ValueError(f"{key} must be {kind}, got {text!r}") from None


def _run_prefix_form(words: Sequence[str]) -> None:
    given = _prefix_parser().read(words)
    prefix, root = given.pop("prefix"), given.pop("root")
    listing = {name: given.pop(name) for name in _LISTING & given.keys()}
    if listing.pop("list", False):
        _list_and_tell(prefix, root, given.get("quiet", False), **listing)
        return
    for path in _lists_of(prefix):
        _pack_and_tell(path, root, os.path.splitext(path)[0] + ".rec", **given)


def _lists_of(prefix: str) -> list[str]:
    """Every file whose path starts with `prefix` and ends in .lst."""
    folder, start = (prefix, "") if os.path.isdir(prefix) else os.path.split(prefix)
    names = sorted(os.listdir(folder or "."))
    chosen = [
        name for name in names if name.startswith(start) and name.endswith(".lst")
    ]
    if not chosen:
        problem = "No such list; --list makes one"
        raise system_error(errno.ENOENT, problem, f"{prefix}*.lst")
    return [os.path.join(folder, name) for name in chosen]


def _list_and_tell(prefix: str, root: str, quiet: bool, **settings: Any) -> None:
    if settings.pop("no_shuffle", False):
        settings["shuffle"] = False
    report = make_list(prefix, root, **settings)
    if quiet:
        return
    if settings.get("recursive", False):
        for folder, label in report.labels.items():
            print(folder.encode(errors="backslashreplace").decode(), label)
    print(f"{report.images} images in {', '.join(report.paths)}")


def _pack_and_tell(
    list_path: str, root: str, output: str, *, quiet: bool = False, **settings: Any
) -> None:
    start = time.monotonic()
    report = pack_list(list_path, root, output, progress=not quiet, **settings)
    for count, what in (
        (report.duplicates, "lines repeat an id; the index finds the last of each"),
        (
            report.rounded,
            "lines have labels that float32 rounds; path_imglist does not",
        ),
        (report.skipped, "bad lines or images were skipped"),
    ):
        if count:
            print(f"im2rec: {list_path}: {count} {what}", file=sys.stderr)
    if not quiet:
        seconds = time.monotonic() - start
        print(f"{report.output}: {report.packed} images in {seconds:.1f} s")


def _list_parser() -> _Parser:
    parser = _Parser(
        "im2rec LIST ROOT OUTPUT [key=value ...] [options]",
        "Pack the images of LIST, found under ROOT, into OUTPUT, with an index beside "
        "it. A line of LIST is id, label(s) and path, separated by tabs or blanks.",
    )
    for name in ("list", "root", "output"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("settings", nargs="*", default=[], help=argparse.SUPPRESS)
    _add_common_options(parser)
    return parser


_LISTING = {
    "list",
    "exts",
    "chunks",
    "train_ratio",
    "test_ratio",
    "recursive",
    "no_shuffle",
    "shuffle",
}


def _prefix_parser() -> _Parser:
    parser = _Parser(
        "im2rec PREFIX ROOT --list [options]\n       im2rec PREFIX ROOT [options]",
        "With --list, list the images under ROOT in PREFIX.lst; without, pack every "
        "list PREFIX*.lst into a .rec and a .idx beside it. A flag may have a value: "
        "--list, --list 1 and --list=true are the same.",
    )
    for name in ("prefix", "root"):
        parser.add_argument(name, help=argparse.SUPPRESS)

    lists = parser.add_argument_group("making lists")
    _add_flag(lists, "--list", "make lists instead of packing")
    suffixes = " ".join(_EXTENSIONS)
    _add(lists, "--exts", f"suffixes of images [{suffixes}]", nargs="+", metavar="EXT")
    _add(lists, "--chunks", "lists to make [1]", type=int)
    _add(lists, "--train-ratio", "share for PREFIX_train.lst [1]", type=float)
    _add(lists, "--test-ratio", "share for PREFIX_test.lst [0]", type=float)
    _add_flag(lists, "--recursive", "look into folders, each with a label of its own")
    _add_flag(lists, "--no-shuffle", "keep the sorted order")
    _add_flag(lists, "--shuffle", "the same the other way round, on by default")

    packing = parser.add_argument_group("packing")
    for name in ("resize", "color", "quality"):
        _add(packing, f"--{name}", f"{_KEYS[name]} [{_default(name)}]", type=int)
    _add(packing, "--encoding", f"{_KEYS['encoding']} [{_default('encoding')}]")
    _add_flag(packing, "--center-crop", _KEYS["center_crop"])
    _add_flag(packing, "--pack-label", _KEYS["pack_label"])
    _add_flag(packing, "--pass-through", _KEYS["unchanged"])
    _add_common_options(parser)
    return parser


def _add_common_options(parser: _Parser) -> None:
    group = parser.add_argument_group("options")
    _add(group, "--num-thread", "threads; 0 means every core [0]", type=int)
    doc = "skip leaves bad images out, fail stops at the first one [skip]"
    _add(group, "--on-error", doc, choices=("skip", "fail"))
    _add_flag(group, "--quiet", "show problems, but no progress")


def _add(group: Any, option: str, doc: str, **settings: Any) -> None:
    settings.setdefault("metavar", "VALUE")
    group.add_argument(option, help=doc, **settings)


def _add_flag(group: Any, option: str, doc: str) -> None:
    group.add_argument(option, help=doc, type=_boolean, nargs="?", metavar="BOOL")


def _default(name: str) -> Any:
    """The default of an argument of `pack_list`."""
    return inspect.signature(pack_list).parameters[name].default


def _full_help() -> str:
    names = {"unchanged": "pass_through"}
    defaults = {key: _default(names.get(key, key)) for key in _KEYS} | {
        "label_width": 1
    }
    shown = {
        key: f"{key}={value:d}" if isinstance(value, int) else f"{key}={value}"
        for key, value in defaults.items()
    }
    return (
        "im2rec packs images into RecordIO files, in one of two ways.\n\n"
        f"{_prefix_parser().format_help()}\n\n{_list_parser().format_help()}\nkeys:\n"
        + "".join(f"  {text:<17} {_KEYS[key]}\n" for key, text in shown.items())
    )


@contextlib.contextmanager
def _cleaning_up_when_terminated() -> Iterator[None]:
    """Let SIGTERM end the program as an exception does: no half-written file stays."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _exit_on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _exit_on_signal(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
