"""Pack the images of a list into a RecordIO file, with an index beside it."""

from __future__ import annotations

import os
import random
import sys
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mxio import _core
from mxio._atomic import PendingFile, publish
from mxio._cores import cores
from mxio._lists import Line, Lines
from mxio.errors import DataError, MxioError
from mxio.image import decode_bgr, encode_bgr, resize_short
from mxio.recordio import IRHeader, pack

__all__ = ["PackReport", "pack_list"]

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
    lines = Lines(list_path, nsplit, part)
    packer = _Packer(os.fspath(root), recipe)
    threads = num_thread or cores()
    with (
        closing(_Progress(lines.count, progress)) as shown,
        ThreadPoolExecutor(threads) as pool,
        closing(_Output(*names)) as out,
    ):
        work = _in_order(pool, packer.pack, lines, threads * _LOOK_AHEAD)
        _write_all(out, work, shown, stop=on_error == "fail")
        if out.skipped and not out.ids:
            raise DataError(
                f"{list_path}: none of its {out.skipped} lines could be packed; "
                "nothing is written",
                list_path,
            )
        out.publish()
    return out.report()


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

    def __init__(self, root: str, recipe: _Recipe) -> None:
        self._root = root
        self._recipe = recipe

    def pack(self, line: Line) -> _Packed:
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
            record = _core.encode_record(self._payload(entry, data))
        except OSError as error:
            raise _BadLine(f"{path}: {error.strerror}") from None
        except MemoryError:
            raise _BadLine(f"{path}: no memory for an image of its size") from None
        except (MxioError, ValueError) as error:
            raise _BadLine(f"{path}: {error}") from None
        return _Packed(entry.id, record, entry.rounded)

    def _parse(self, line: Line) -> _Entry:
        width = self._recipe.label_width
        words = _words(line.text, width)
        if len(words) < 3 and width is None:
            raise _BadLine("a line is id, label(s) and path, separated by tabs")
        try:
            number, _ = int(words[0]), [float(word) for word in words[1:2]]
        except ValueError:
            raise _BadLine(f"id and label must be numbers, got {words[:2]}") from None
        if not 0 <= number < 1 << 64:
            raise _BadLine(f"id must be in [0, 2**64), got {number}")
        if width is not None:
            _check_width(line, words, width)
        texts = words[1:-1] if self._recipe.pack_label else words[1:2]
        labels, rounded = _as_float32(texts)
        return _Entry(number, labels, rounded, words[-1])

    def _path_of(self, name: str) -> str:
        if self._recipe.label_width is None:
            return os.path.join(self._root, name)
        root = self._root  # put in front of every name, even one that begins with a /
        return root + name if root.endswith("/") or not root else f"{root}/{name}"

    def _payload(self, entry: _Entry, image: bytes) -> bytes:
        labels = entry.labels
        if not self._recipe.pack_label or len(labels) == 1:
            return pack(IRHeader(0, labels[0], entry.id, 0), image)
        payload = pack(IRHeader(0, labels, entry.id, 0), image)
        if self._recipe.label_width is None:
            return payload
        # The C++ tool leaves the first label in the head too, behind 4 bytes of flag.
        return payload[:4] + labels[:1].tobytes() + payload[8:]

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


def _words(text: str, label_width: int | None) -> list[str]:
    """The fields of a line, as `pack_list` describes them."""
    if label_width is not None:
        return text.split(None, label_width + 1)
    if "\t" in text:
        return [word.strip() for word in text.split("\t")]
    return text.split()


def _check_width(line: Line, words: list[str], width: int) -> None:
    """A list with another number of labels is wrong as a whole: DataError."""
    labels = words[1 : width + 1]
    if len(words) < width + 2 or not all(map(_is_number, labels)):
        problem = f"no {width} labels and a path behind the id"
    elif "\t" in words[-1]:
        problem = f"{words[-1]!r} begins with further labels"
    else:
        return
    raise DataError(f"{line.place}: {problem}; is label_width={width} so?", line.path)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _as_float32(texts: list[str]) -> tuple[npt.NDArray[np.float32], bool]:
    """Labels, and whether float32 changes a whole number or cannot hold one."""
    try:
        labels = np.array([float(text) for text in texts])
    except ValueError:
        raise _BadLine(f"labels must be numbers, got {texts}") from None
    with np.errstate(over="ignore"):
        stored = labels.astype("<f4")
    return stored, any(map(_is_rounded, texts, stored.tolist()))


def _is_rounded(text: str, stored: float) -> bool:
    """Whether what was stored is not the whole number, or became infinite."""
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
    interp = recipe.inter_method
    if interp == _RANDOM_INTERPOLATION:
        interp = random.Random(number).randint(0, 4)
    pixels = image.reshape(*image.shape[:2], -1)
    resized = resize_short(pixels, recipe.resize, interp).asnumpy()
    return resized[:, :, 0] if image.ndim == 2 else resized


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


def _in_order(
    pool: ThreadPoolExecutor,
    work: Callable[[Line], _Packed],
    lines: Lines,
    depth: int,
) -> Iterator[tuple[Line, Future[_Packed]]]:
    """Every line with its work, in the list's order, at most `depth` ahead."""
    waiting: deque[tuple[Line, Future[_Packed]]] = deque()
    for line in lines:
        waiting.append((line, pool.submit(work, line)))
        if len(waiting) == depth:
            yield waiting.popleft()
    while waiting:
        yield waiting.popleft()


def _write_all(
    out: _Output,
    work: Iterable[tuple[Line, Future[_Packed]]],
    shown: _Progress,
    *,
    stop: bool,
) -> None:
    """Write what was packed, show what could not be; `stop` there with DataError."""
    for line, future in work:
        try:
            out.write(future.result())
        except _BadLine as bad:
            problem = f"{line.place}: {bad}"
            if stop:
                raise DataError(problem, line.path) from None
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
