"""Where `convert` writes samples to; names appear when what they name is whole."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import tarfile
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from mxio import _core
from mxio._atomic import (
    PendingFile,
    atomic_text,
    naming,
    publish,
    remove_leftovers,
    temporary_name,
)
from mxio._formats import suffix_of
from mxio.errors import DataError, system_error
from mxio.recordio import IRHeader, pack
from mxio.tools._samples import CLASSES_SUFFIX, Sample, class_of, path_of
from mxio.tools._sources import CLASSES_NAME, LIST_NAME

__all__ = ["FolderSink", "RecordSink", "Sink", "TarSink"]


class Sink(Protocol):
    """Takes samples one by one; `publish` gives what was written its name, leaving the
    `with` block without it removes everything.
    """

    files: list[str]
    """What `publish` makes."""

    def write(self, sample: Sample) -> None: ...
    def publish(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class _PendingSink:
    """Closes what a sink has open, and removes it unless it was published."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self._pending: list[PendingFile] = []

    def _open(self, path: str) -> PendingFile:
        remove_leftovers(path)
        file = PendingFile(path)
        self._pending.append(file)
        self.files.append(path)
        return file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for file in self._pending:
            file.discard()


class RecordSink(_PendingSink):
    """A RecordIO file, its index by id, the list that im2rec would have needed if
    `with_list`, and the names of the classes if there are any.
    """

    def __init__(
        self, path: str, classes: Sequence[str], *, with_list: bool = False
    ) -> None:
        super().__init__()
        stem = os.path.splitext(path)[0]
        self._classes = classes
        self._names = f"{stem}{CLASSES_SUFFIX}"
        self._count = 0
        try:
            self._records = self._open(path)
            self._index = self._open(f"{stem}.idx")
            self._list = self._open(f"{stem}.lst") if with_list else None
        except BaseException:
            self.__exit__()
            raise
        if classes:
            self.files.append(self._names)

    def write(self, sample: Sample) -> None:
        label = sample.labels if len(sample.labels) > 1 else sample.labels[0]
        try:
            payload = pack(IRHeader(0, label, sample.id, 0), sample.picture)
            record = _core.encode_record(payload)
        except ValueError as error:
            raise DataError(
                f"record {self._count}: {error}", None, self._count
            ) from None
        self._index.write(f"{sample.id}\t{self._records.size}\n".encode())
        self._records.write(record)
        if self._list is not None:
            self._list.write(_list_line(sample, self._count, self._classes).encode())
        self._count += 1

    def publish(self) -> None:
        _publish_classes(self._names, self._classes)
        if self._list is not None:
            publish(self._list)
        publish(self._records, self._index)


class TarSink(_PendingSink):
    """A tar file as WebDataset has them: 00000000.jpg, 00000000.cls (or .json when the
    label is no whole number, or more than one), 00000001.jpg, ...
    """

    def __init__(self, path: str, classes: Sequence[str]) -> None:
        super().__init__()
        self._classes = classes
        self._names = f"{os.path.splitext(path)[0]}{CLASSES_SUFFIX}"
        self._count = 0
        self._file = self._open(path)
        if classes:
            self.files.append(self._names)

    def write(self, sample: Sample) -> None:
        name = f"{self._count:08d}"
        label = class_of(sample.labels)
        self._add(f"{name}{suffix_of(sample.picture)}", sample.picture)
        if label is not None:
            self._add(f"{name}.cls", str(label).encode())
        else:
            if not all(map(math.isfinite, sample.labels)):
                place = f"record {self._count}: the label {sample.labels}"
                raise DataError(f"{place} cannot be written as JSON", None, self._count)
            text = json.dumps({"label": list(sample.labels)})
            self._add(f"{name}.json", text.encode())
        self._count += 1

    def _add(self, name: str, content: bytes) -> None:
        head = tarfile.TarInfo(name)
        head.size = len(content)
        self._file.write(head.tobuf(tarfile.USTAR_FORMAT) + content)
        self._file.write(bytes(-len(content) % tarfile.BLOCKSIZE))

    def publish(self) -> None:
        self._file.write(bytes(2 * tarfile.BLOCKSIZE))
        self._file.write(bytes(-self._file.size % tarfile.RECORDSIZE))
        _publish_classes(self._names, self._classes)
        publish(self._file)


class FolderSink:
    """A folder with a folder for each class, and a list of what is in it.

    It is written beside, under a temporary name, and renamed. FileExistsError when
    there is something of its name, unless it is an empty folder.
    """

    def __init__(self, path: str, classes: Sequence[str]) -> None:
        self._path = os.path.normpath(path)
        self._target = os.path.realpath(self._path)  # where a link leads
        self._part = temporary_name(self._target)
        self._classes = classes
        self._count = 0
        self._made: set[str] = set()
        self._published = False
        self.files = [self._path]
        if os.path.lexists(self._path) and not _is_empty_folder(self._path):
            raise system_error(errno.EEXIST, "is there already", self._path)
        remove_leftovers(self._target)
        with naming(self._path):
            os.mkdir(self._part)
        self._list = PendingFile(os.path.join(self._part, LIST_NAME))

    def write(self, sample: Sample) -> None:
        name = path_of(sample, self._count, self._classes)
        path = os.path.join(self._part, name)
        folder = os.path.dirname(path)
        with naming(os.path.join(self._path, name)):
            if folder not in self._made:
                os.makedirs(folder, exist_ok=True)
                self._made.add(folder)
            with open(path, "xb") as file:
                file.write(sample.picture)
        self._list.write(_list_line(sample, self._count, self._classes).encode())
        self._count += 1

    def publish(self) -> None:
        publish(self._list)
        if self._classes:
            names = os.path.join(self._part, CLASSES_NAME)
            _publish_classes(names, self._classes)
        os.sync()  # the pictures before the name
        with naming(self._path):
            os.rename(self._part, self._target)
        self._published = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._list.discard()
        if not self._published:
            shutil.rmtree(self._part, ignore_errors=True)


def _is_empty_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.listdir(path)


def _list_line(sample: Sample, number: int, classes: Sequence[str]) -> str:
    name = path_of(sample, number, classes)
    labels = "\t".join(_number(label) for label in sample.labels)
    return f"{sample.id}\t{labels}\t{name}\n"


def _number(label: float) -> str:
    return f"{label:.6f}" if label.is_integer() else repr(label)


def _publish_classes(path: str, classes: Sequence[str]) -> None:
    if classes:
        with atomic_text(path) as file:
            file.writelines(f"{name}\n" for name in classes)
