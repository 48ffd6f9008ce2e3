"""Files that appear under their names only when whole; system errors with names."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TextIO

from mxio.errors import ParameterError, system_error

if TYPE_CHECKING:
    from typing_extensions import Buffer


_COPY_BLOCK = 8 << 20


class PendingFile:
    """A file written under a temporary name beside `path`, until `publish` renames it.

    `write` buffers nothing, so a forked child holds no bytes it could write by
    accident, and only the process that opened the file publishes or removes it.
    Dropped unpublished, it removes its temporary file: what `path` held before stays.
    Every OSError names `path`.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.size = 0
        self._descriptor = -1
        self._owner = os.getpid()
        self._target = os.path.realpath(path)
        self._temporary = temporary_name(self._target)
        with naming(path):
            refuse_special(self._target)
            self._descriptor = os.open(
                self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666
            )

    def write(self, data: Buffer) -> None:
        """Append `data` whole; after a failure the temporary file is gone."""
        left = memoryview(data).cast("B")
        self.size += len(left)
        try:
            with naming(self.path):
                while left:
                    left = left[os.write(self._descriptor, left) :]
        except BaseException:
            self.discard()
            raise

    def copy(self, source: str, descriptor: int, offset: int, count: int) -> None:
        """Append `count` bytes of the open file `source` from `offset` on.

        The system copies where it can. OSError names the file that failed; after one
        of this file the temporary file is gone.
        """
        self.size += count
        with contextlib.suppress(AttributeError, OSError):
            while count > 0:
                done = os.copy_file_range(
                    descriptor, self._descriptor, count, offset_src=offset
                )
                if done == 0:
                    break
                offset, count = offset + done, count - done
        self.size -= count  # what is left is written, which also says why it failed
        while count > 0:
            with naming(source):
                data = os.pread(descriptor, min(count, _COPY_BLOCK), offset)
                if not data:
                    raise OSError(errno.EIO, f"The file now ends at byte {offset}")
            self.write(data)
            offset, count = offset + len(data), count - len(data)

    def text(self) -> TextIO:
        """A buffered text file that writes here; close it before publishing."""
        return open(
            self._descriptor,
            "w",
            encoding="utf-8",
            errors="surrogateescape",
            newline="\n",
            closefd=False,
        )

    def discard(self) -> None:
        """Close and remove the temporary file; idempotent, harmless once published."""
        if self._descriptor < 0:
            return
        os.close(self._descriptor)
        self._descriptor = -1
        if self._owner == os.getpid():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._temporary)

    def _sync(self) -> None:
        """Let the system report now what it could not store."""
        with naming(self.path):
            os.fsync(self._descriptor)

    def _remove_old(self) -> None:
        with naming(self.path), contextlib.suppress(FileNotFoundError):
            os.unlink(self._target)

    def _rename(self) -> None:
        with naming(self.path):
            os.replace(self._temporary, self._target)
        os.close(self._descriptor)
        self._descriptor = -1

    def __del__(self) -> None:
        self.discard()


def publish(file: PendingFile, companion: PendingFile | None = None) -> None:
    """Give `file`, and then its `companion`, their names; on failure remove both.

    The companion's predecessor goes first: at no moment does a new file stand beside
    an old companion. Processes give names in a folder one after the other: no file gets
    the companion of another.
    """
    files = [file] if companion is None else [file, companion]
    try:
        for each in files:
            each._sync()
        with _alone_in(os.path.dirname(file._target)):
            if companion is not None:
                companion._remove_old()
            for each in files:
                each._rename()
    finally:
        for each in files:
            each.discard()


@contextlib.contextmanager
def _alone_in(folder: str) -> Iterator[None]:
    """Let others that ask for the same wait, where the system has such locks."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def temporary_name(path: str) -> str:
    """What this process calls `path`, a file or a folder, until it is whole."""
    return f"{path}.{os.getpid()}-{secrets.token_hex(4)}.tmp"


def remove_leftovers(path: str) -> None:
    """Remove what writers of `path` left behind that were killed on this machine."""
    target = os.path.realpath(path)
    for name in glob.glob(f"{glob.escape(target)}.*.tmp"):
        found = re.fullmatch(r"(\d+)-[0-9a-f]{8}\.tmp", name[len(target) + 1 :])
        if found is None or _is_running(int(found[1])):
            continue
        if os.path.isdir(name) and not os.path.islink(name):
            shutil.rmtree(name, ignore_errors=True)
            continue
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def write_file(path: str, data: Buffer) -> None:
    """A small file of many, whole under its name; the system stores it in its time."""
    file = PendingFile(path)
    try:
        file.write(data)
        file._rename()
    finally:
        file.discard()


@contextlib.contextmanager
def atomic_text(path: str) -> Iterator[TextIO]:
    """A UTF-8 text file to write, named at the end of the block unless that raises.

    Bytes of file names that are no text come back as they were. An OSError inside the
    block is taken for one of this file.
    """
    file = PendingFile(path)
    try:
        with naming(path), file.text() as text:
            yield text
        publish(file)
    finally:
        file.discard()


@contextlib.contextmanager
def naming(path: str) -> Iterator[None]:
    """Turn an OSError into the MxioError of its kind that names `path`."""
    try:
        yield
    except OSError as error:
        text = error.strerror or str(error)
        raise system_error(error.errno or errno.EIO, text, path) from None


def refuse_replacing(
    outputs: Iterable[str | os.PathLike[str]], inputs: Iterable[str | os.PathLike[str]]
) -> None:
    """ParameterError when an output would replace one of the inputs, or another one."""
    roles = {os.path.realpath(path): "is read" for path in inputs}
    for path in outputs:
        place = os.path.realpath(path)
        if place in roles:
            raise ParameterError(
                f"the output {os.fspath(path)} would replace a file that "
                f"{roles[place]}: choose another name"
            )
        roles[place] = "is written, too"


def refuse_special(target: str) -> None:
    """A rename would replace a directory or a device instead of writing to it."""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), target)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "Not a regular file", target)
