"""Files that are long in the making: an interrupted run goes on where it was whole."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mxio._atomic import naming, refuse_special
from mxio.errors import MxioError, ParameterError

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["Draft"]

_PARTIAL = ".partial"
_JOURNAL = ".journal"
_CHUNK = 1 << 20
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Draft:
    """Files written as PATH.partial; they get their names together, when all are whole.

    The first is the one the others belong to: they never stand beside another one of
    its name. Beside it PATH.journal holds a line for each checkpoint: a run that was
    killed between two of them is taken up at the first. The journal is locked, so that
    two runs never write the same files. `identity` says what is written, and from what:
    a run does not go on with another one's work.

    Nothing is buffered here, and a forked child removes nothing. Every OSError names
    the file whose part could not be written.
    """

    def __init__(self, paths: Sequence[str], identity: str) -> None:
        """Lock the journal; MxioError when another run holds it."""
        self.paths = list(paths)
        self.sizes = [0] * len(self.paths)
        self.state: Any = None
        self.has_checkpoint = False
        self.published = False
        self.dropped_work = False
        self._identity = identity
        self._owner = os.getpid()
        self._targets = [os.path.realpath(path) for path in paths]
        self._journal_path = self._targets[0] + _JOURNAL
        self._parts: list[int] = []
        self._journal = -1
        for path, target in zip(self.paths, self._targets, strict=True):
            with naming(path):
                refuse_special(target)
        with naming(self.paths[0]):
            self._journal = self._lock()

    def begin(self) -> None:
        """Start anew; what an interrupted run left is gone, `dropped_work` says so."""
        self._open_parts()
        for part in self._parts:
            os.ftruncate(part, 0)
        with naming(self.paths[0]):
            self.dropped_work = len(self._read_journal()[0]) > 1
            os.ftruncate(self._journal, 0)
            self._note({"identity": self._identity})

    def resume(self) -> None:
        """Go on at the last checkpoint, whose state is then `state`; else begin.

        Where the interrupted run was about to give the files their names, they have
        them then, and `published` is true. ParameterError when that run was another.
        """
        with naming(self.paths[0]):
            notes, ends = self._read_journal()
        if not notes:
            self.begin()
            return
        if notes[0].get("identity") != self._identity:
            self.has_checkpoint = True  # that run may still be gone on with
            raise ParameterError(
                f"{self.paths[0]}: the interrupted run had another list, root or other "
                "options; repeat those, or start anew without resume"
            )
        if "publish" in notes[-1]:
            self._rename(left_over=True)
            if self._has_names(notes[-1]["sizes"]):
                self.state = notes[-1]["publish"]
            else:
                self.published = False
                self.begin()
            return
        self._open_parts()
        there = [os.fstat(part).st_size for part in self._parts]
        while len(notes) > 1 and not _fits(notes[-1]["sizes"], there):
            notes.pop()
        with naming(self.paths[0]):
            os.ftruncate(self._journal, ends[len(notes) - 1])
        if len(notes) > 1:
            self.state, self.sizes = notes[-1]["state"], notes[-1]["sizes"]
            self.has_checkpoint = True
        for part, size in zip(self._parts, self.sizes, strict=True):
            os.ftruncate(part, size)
            os.lseek(part, size, os.SEEK_SET)

    def clear(self) -> None:
        """Let `close` remove what an interrupted run of the same identity left."""
        with naming(self.paths[0]):
            notes, _ = self._read_journal()
        another = bool(notes) and notes[0].get("identity") != self._identity
        self.has_checkpoint = another

    def append(self, which: int, data: Buffer) -> None:
        """Append `data` whole to one of the files."""
        left = memoryview(data).cast("B")
        size = len(left)
        with naming(self.paths[which]):
            while left:
                left = left[os.write(self._parts[which], left) :]
        self.sizes[which] += size

    def chunks(self, which: int) -> Iterator[bytes]:
        """What one of the files holds so far, before it has its name and after."""
        name = self._targets[which] + ("" if self.published else _PARTIAL)
        with naming(self.paths[which]), open(name, "rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def checkpoint(self, state: Any) -> None:
        """Let what was appended survive a power failure, and `state` (JSON) with it."""
        self._sync()
        with naming(self.paths[0]):
            self._note({"sizes": self.sizes, "state": state})
        self.has_checkpoint = True

    def publish(self, state: Any) -> None:
        """Give the files their names; `state` is kept until `close`."""
        self._sync()
        with naming(self.paths[0]):
            self._note({"sizes": self.sizes, "publish": state})
        self.has_checkpoint = True
        self._rename()

    def close(self) -> None:
        """Remove the journal of what is published, and all of what has no checkpoint.

        Otherwise everything stays for a run that resumes. Idempotent.
        """
        for part in self._parts:
            os.close(part)
        self._parts = []
        if self._journal < 0:
            return
        keeps = self.has_checkpoint and not self.published
        if self._owner == os.getpid() and not keeps:
            names = [target + _PARTIAL for target in self._targets]
            for name in [*names, self._journal_path]:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name)
        os.close(self._journal)
        self._journal = -1

    def _lock(self) -> int:
        """The journal, open and locked."""
        while True:
            journal = os.open(self._journal_path, _FLAGS, 0o666)
            try:
                fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_file(journal, self._journal_path):
                    return journal
            except BlockingIOError:
                os.close(journal)
                raise MxioError(
                    f"{self.paths[0]}: another run is writing this file"
                ) from None
            except OSError as error:
                if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
                    return journal  # a file system without locks
                os.close(journal)
                raise
            os.close(journal)  # its owner removed it in between

    def _open_parts(self) -> None:
        for path, target in zip(self.paths, self._targets, strict=True):
            with naming(path):
                self._parts.append(os.open(target + _PARTIAL, _FLAGS, 0o666))

    def _read_journal(self) -> tuple[list[Any], list[int]]:
        """Its whole lines, and where each ends; a torn one was not written."""
        size = os.fstat(self._journal).st_size
        text = os.pread(self._journal, size, 0)
        notes, ends, end = [], [], 0
        for line in text.splitlines(keepends=True):
            try:
                note = json.loads(line)
            except ValueError:
                break
            if not line.endswith(b"\n") or not isinstance(note, dict):
                break
            end += len(line)
            notes.append(note)
            ends.append(end)
        return notes, ends

    def _note(self, note: dict[str, Any]) -> None:
        os.lseek(self._journal, 0, os.SEEK_END)
        line = memoryview(json.dumps(note).encode() + b"\n")
        while line:
            line = line[os.write(self._journal, line) :]
        os.fsync(self._journal)

    def _sync(self) -> None:
        for path, part in zip(self.paths, self._parts, strict=True):
            with naming(path):
                os.fsync(part)

    def _has_names(self, sizes: Sequence[int]) -> bool:
        """Whether the files with the names are those that were published."""
        try:
            return [os.path.getsize(target) for target in self._targets] == sizes
        except FileNotFoundError:
            return False

    def _rename(self, left_over: bool = False) -> None:
        """Rename all, the first goes first; or what an interrupted run left over."""
        partials = [target + _PARTIAL for target in self._targets]
        if os.path.exists(partials[0]):
            for path, target in zip(self.paths[1:], self._targets[1:], strict=True):
                with naming(path), contextlib.suppress(FileNotFoundError):
                    os.unlink(target)
        for path, partial, target in zip(
            self.paths, partials, self._targets, strict=True
        ):
            if not left_over or os.path.exists(partial):
                with naming(path):
                    os.replace(partial, target)
        with naming(self.paths[0]):
            _sync_folder(os.path.dirname(self._targets[0]))
        self.published = True


def _fits(sizes: Sequence[int], there: Sequence[int]) -> bool:
    return all(size <= found for size, found in zip(sizes, there, strict=True))


def _is_file(descriptor: int, path: str) -> bool:
    """Whether the open file is the one that has the name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _sync_folder(path: str) -> None:
    """Let the names of files survive a power failure."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
