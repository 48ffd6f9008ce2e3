"""The names of mx.recordio: RecordIO files and the image records in them.

A file being written stands under a temporary name until `close` (or the end of the
object) gives it, and its index, the names asked for. A writer that fails, or leaves its
`with` block by an exception, leaves what was there before.
"""

from __future__ import annotations

import atexit
import numbers
import os
import struct
import weakref
from collections import namedtuple
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from mxio import _core
from mxio._atomic import PendingFile, naming, publish
from mxio._codec import decode_bgr, encode_bgr
from mxio.errors import DataError, ParameterError

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = [
    "IRHeader",
    "MXIndexedRecordIO",
    "MXRecordIO",
    "pack",
    "pack_img",
    "unpack",
    "unpack_img",
]

IRHeader = namedtuple(  # type: ignore[name-match]
    "HEADER", ["flag", "label", "id", "id2"]
)
"""Head of an image record: `flag` labels follow it; with flag 0, `label` is the one."""

HEADER = IRHeader  # the type's own name, by which pickle looks for it

_IR_FORMAT = "<IfQQ"  # as MXNet calls it
IMAGE_HEADER = struct.Struct(_IR_FORMAT)
"""Flag, label, id and id2, as they begin an image record."""
_IR_SIZE = IMAGE_HEADER.size
_PART_HEAD = 8  # bytes before the data of every part of a record


_writers: weakref.WeakSet[MXRecordIO] = weakref.WeakSet()


@atexit.register
def _close_writers() -> None:
    """Close what the end of the program finds open, as the end of the object would."""
    for writer in list(_writers):
        writer.close()


class MXRecordIO:
    """A RecordIO file, read or written from its start.

    >>> with MXRecordIO("numbers.rec", "w") as writer:
    ...     writer.write(b"one")
    >>> MXRecordIO("numbers.rec", "r").read()
    b'one'

    flag: "r" to read, "w" to write; ParameterError otherwise. Readers may be pickled,
    and used in forked children. Using a closed file raises ValueError, reading a writer
    or writing to a reader AssertionError.
    """

    is_open = False

    def __init__(self, uri: str | os.PathLike[str], flag: str) -> None:
        self.uri = os.fspath(uri)
        self.flag = flag
        self.handle: _core.RecordFile | PendingFile | None = None
        self.open()

    def open(self) -> None:
        """Open at the start; a file that is open is closed first."""
        if self.flag not in ("r", "w"):
            raise ParameterError(f'Invalid flag {self.flag!r}: must be "r" or "w"')
        self.close()
        self.writable = self.flag == "w"
        self._position = 0
        self.pid = os.getpid()
        if self.writable:
            self.handle = PendingFile(self.uri)
            _writers.add(self)
        else:
            self.handle = _core.RecordFile(self.uri)
        self.is_open = True

    def close(self) -> None:
        """Close; a written file appears under its name now. Idempotent.

        OSError, naming the file, when the system could not store it; then nothing is
        left of it. In a forked child a writer is only let go.
        """
        if not self.is_open:
            return
        if self.writable and self.pid == os.getpid():
            pending = self._pending()
            try:
                publish(*pending)
            finally:
                self._let_go()
        else:
            self._let_go()

    def reset(self) -> None:
        """Back to the start: a reader rewinds, a writer begins an empty file."""
        self.close()
        self.open()

    def read(self) -> bytes | None:
        """The next record, None at the end of the file. Raises DataError, OSError."""
        found = self._reader().read(self._position)
        if found is None:
            return None
        payload, self._position = found
        return payload

    def write(self, buf: Buffer) -> None:
        """Append a record of less than 2**29 bytes, else ValueError.

        After an OSError (a full disk), which names the file, the writer is closed and
        nothing is left of it. RuntimeError in a forked child.
        """
        writer = self._writer()
        record = _core.encode_record(buf)
        try:
            writer.write(record)
        except BaseException:
            self._let_go()
            raise

    def _reader(self) -> _core.RecordFile:
        if self.writable:
            raise AssertionError(f"{self.uri} is open for writing, not for reading")
        if not isinstance(self.handle, _core.RecordFile):
            raise ValueError(f"{self.uri} is closed")
        return self.handle

    def _writer(self) -> PendingFile:
        if not self.writable:
            raise AssertionError(f"{self.uri} is open for reading, not for writing")
        if not isinstance(self.handle, PendingFile):
            raise ValueError(f"{self.uri} is closed")
        if self.pid != os.getpid():
            raise RuntimeError(
                "Forbidden operation in multiple processes: "
                f"{self.uri} was opened by process {self.pid}"
            )
        return self.handle

    def _pending(self) -> list[PendingFile]:
        """The files being written, the RecordIO file first."""
        return [self.handle] if isinstance(self.handle, PendingFile) else []

    def _let_go(self) -> None:
        """Close and publish nothing."""
        for file in self._pending():
            file.discard()
        if isinstance(self.handle, _core.RecordFile):
            self.handle.close()
        self.handle = None
        self.is_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None and self.writable:
            self._let_go()
        else:
            self.close()

    def __del__(self) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        if self.is_open and self.writable:
            raise TypeError(f"{self.uri} is open for writing and cannot be pickled")
        return {**self.__dict__, "is_open": self.is_open, "handle": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        was_open = state.pop("is_open")
        self.__dict__.update(state)
        if was_open:
            self.open()


class MXIndexedRecordIO(MXRecordIO):
    """A RecordIO file with an index: records by key, from any number of threads.

    >>> with MXIndexedRecordIO("numbers.idx", "numbers.rec", "w") as writer:
    ...     writer.write_idx(7, b"seven")
    >>> MXIndexedRecordIO("numbers.idx", "numbers.rec", "r").read_idx(7)
    b'seven'

    `idx` maps keys to byte offsets, `keys` lists them in the file's order; a key that
    occurs twice is listed twice and found at its last place. `key_type` makes a key of
    its text. `fidx` is the index file of a writer, None for a reader.

    Opening raises FileNotFoundError without an index, DataError for one that does not
    fit, naming the line.
    """

    def __init__(
        self,
        idx_path: str | os.PathLike[str],
        uri: str | os.PathLike[str],
        flag: str,
        key_type: Callable[[Any], Any] = int,
    ) -> None:
        self.idx_path = os.fspath(idx_path)
        self.key_type = key_type
        self.idx: dict[Any, int] = {}
        self.keys: list[Any] = []
        self.fidx: PendingFile | None = None
        super().__init__(uri, flag)

    def open(self) -> None:
        """Open both files; a reader reads its whole index."""
        if self.flag == "w" and _same_name(self.idx_path, self.uri):
            raise ParameterError(
                f"index and records must be two files, got {self.uri} twice"
            )
        super().open()
        self.idx, self.keys = {}, []
        try:
            if isinstance(self.handle, PendingFile):
                self.fidx = PendingFile(self.idx_path)
            else:
                size = self._reader().size()
                self.keys, offsets = _read_index(self.idx_path, size, self.key_type)
                self.idx = dict(zip(self.keys, offsets, strict=True))
        except BaseException:
            self._let_go()
            raise

    def seek(self, idx: Any) -> None:
        """Let `read` go on at the record of a key; KeyError when there is none."""
        self._reader()
        self._position = self.idx[idx]

    def tell(self) -> int:
        """Where the next record will be written; AssertionError on a reader."""
        return self._writer().size

    def read_idx(self, idx: Any) -> bytes:
        """The record of a key, by one positional read; `read` then goes on behind it.

        KeyError for an unknown key; DataError, naming file, key and offset, when there
        is no whole record.
        """
        reader = self._reader()
        offset = self.idx[idx]
        try:
            found = reader.read(offset)
        except DataError as error:
            raise self._no_record(idx, offset, str(error)) from None
        if found is None:
            problem = f"{self.uri}: byte {offset}: the file ends there"
            raise self._no_record(idx, offset, problem)
        payload, self._position = found
        return payload

    def write_idx(self, idx: Any, buf: Buffer) -> None:
        """Append a record and its line in the index.

        The key becomes key_type(idx); ParameterError if its text is empty or holds a
        tab or an end of line. See `write` for the rest.
        """
        key = self.key_type(idx)
        text = str(key)
        if not text.strip() or any(mark in text for mark in "\t\r\n"):
            raise ParameterError(
                f"a key must be one word or line of text, got {text!r}"
            )
        position = self.tell()
        self.write(buf)
        try:
            self._pending()[1].write(f"{text}\t{position}\n".encode())
        except BaseException:
            self._let_go()
            raise
        self.idx[key] = position
        self.keys.append(key)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if self.is_open:  # read again where it is unpickled
            state.update(idx={}, keys=[])
        return state

    def _no_record(self, key: Any, offset: int, problem: str) -> DataError:
        number = key if isinstance(key, int) else None
        message = f"no record of key {key!r}: {problem}"
        return DataError(message, self.uri, id=number, offset=offset)

    def _pending(self) -> list[PendingFile]:
        both = super()._pending()
        return both if self.fidx is None else [*both, self.fidx]

    def _let_go(self) -> None:
        super()._let_go()
        self.fidx = None


def pack(header: Sequence[Any], s: bytes) -> bytes:
    """An image record: `header` (flag, label, id, id2) and the bytes behind it.

    A number as label is stored in the head, with flag 0. Anything else is stored behind
    it as float32 values, flattened, and flag is their count; the flag given is ignored.
    Raises ParameterError for ids that are no unsigned 64-bit numbers and labels beyond
    float32.
    """
    _, label, id_, id2 = header
    if isinstance(label, numbers.Number):
        return _pack_head(0, label, id_, id2) + s
    labels = np.asarray(label, "<f4")
    return _pack_head(labels.size, 0, id_, id2) + labels.tobytes() + s


def unpack(s: bytes) -> tuple[IRHeader, bytes]:
    """(header, bytes behind it) of an image record.

    The header's label is a float when its flag is 0, else a read-only float32 array of
    `flag` values. Raises DataError when the record is too short.
    """
    if len(s) < _IR_SIZE:
        raise DataError(f"an image record has at least {_IR_SIZE} bytes, got {len(s)}")
    header = IRHeader(*IMAGE_HEADER.unpack_from(s))
    if header.flag == 0:
        return header, s[_IR_SIZE:]
    end = _IR_SIZE + 4 * header.flag
    if len(s) < end:
        raise DataError(
            f"an image record with {header.flag} labels has at least {end} bytes, "
            f"got {len(s)}"
        )
    label = np.frombuffer(s, "<f4", header.flag, _IR_SIZE)
    label.flags.writeable = False
    return header._replace(label=label), s[end:]


def pack_img(
    header: Sequence[Any],
    img: npt.NDArray[Any],
    quality: int = 95,
    img_fmt: str = ".jpg",
) -> bytes:
    """`pack` of an image, encoded.

    img: (h, w) gray, (h, w, 3) blue first, or (h, w, 4) with alpha; uint8, or uint16
    for ".png". img_fmt: ".jpg" or ".jpeg" (quality 1 to 100), ".png" (quality is the
    compression, 0 to 9; more means 9), or another suffix that OpenCV can write. Raises
    AssertionError when the image cannot be encoded.
    """
    try:
        encoded = encode_bgr(np.asarray(img), img_fmt, quality)
    except ValueError as error:
        raise AssertionError(f"failed to encode image: {error}") from error
    return pack(header, encoded)


def unpack_img(s: bytes, iscolor: int = -1) -> tuple[IRHeader, npt.NDArray[Any] | None]:
    """(header, image) of an image record; the image is None when it cannot be decoded.

    iscolor: 1 gives (h, w, 3), blue first; 0 gives (h, w); -1 gives the image as
    stored: (h, w), (h, w, 3) or (h, w, 4), uint16 when it has 16 bits a channel. Other
    flags of cv2.imdecode are passed on. Raises DataError when the record is too short.
    """
    header, data = unpack(s)
    try:
        return header, decode_bgr(data, iscolor)
    except DataError:
        return header, None


def _pack_head(flag: int, label: Any, id_: int, id2: int) -> bytes:
    try:
        return IMAGE_HEADER.pack(flag, label, id_, id2)
    except (struct.error, OverflowError) as error:
        raise ParameterError(
            f"label {label!r}, id {id_!r}, id2 {id2!r} do not fit an image record "
            f"(float32, and whole numbers from 0 to 2**64 - 1): {error}"
        ) from None


def _same_name(first: str, second: str) -> bool:
    return os.path.realpath(first) == os.path.realpath(second)


def _read_index(
    path: str, size: int, key_type: Callable[[Any], Any]
) -> tuple[list[Any], list[int]]:
    """(keys, offsets) of the index of a RecordIO file of `size` bytes, in its order."""
    with naming(path), open(path, "rb") as file:
        text = file.read()
    if key_type is int:
        parsed = _parse_integers(text, path, size)
        if parsed is not None:
            return parsed
    keys: list[Any] = []
    offsets: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            key, offset = _parse_line(line.decode(), key_type)
            if not 0 <= offset <= size - _PART_HEAD:
                raise ValueError(f"byte {offset} is not in the file of {size} bytes")
        except ValueError as error:
            shown = line[:80].decode(errors="replace")
            message = f"{path}, line {number}: {shown!r}: {error}"
            raise DataError(message, path) from None
        keys.append(key)
        offsets.append(offset)
    return keys, offsets


def _parse_integers(
    text: bytes, path: str, size: int
) -> tuple[list[int], list[int]] | None:
    """The same at the core's speed; None unless every line is one good pair."""
    try:
        keys, offsets = (
            np.frombuffer(memoryview(block), dtype)
            for block, dtype in zip(
                _core.parse_index(text, path), (np.int64, np.uint64), strict=True
            )
        )
    except DataError:
        return None
    lines = text.count(b"\n") + (not text.endswith(b"\n"))
    if len(keys) != lines or int(offsets.max()) > size - _PART_HEAD:
        return None
    return keys.tolist(), offsets.tolist()


def _parse_line(line: str, key_type: Callable[[Any], Any]) -> tuple[Any, int]:
    fields = line.split("\t") if "\t" in line else line.split()
    if len(fields) != 2:
        raise ValueError("a line is a key, a tab and a byte offset")
    return key_type(fields[0]), int(fields[1])
