"""Which files a data path stands for, and the bytes of one."""

import errno
import os
import re

from mxio import _core
from mxio._manifest import SUFFIX, files_of, index_of
from mxio.errors import ParameterError, system_error

__all__ = ["read_index", "read_whole", "resolve"]


def resolve(paths: str, parameter: str = "path_imgrec") -> list[str]:
    """The files that `paths`, the value of `parameter`, names, in order: MXNet's
    rule, directories sorted.

    Names are joined by ';'. Each is a file; or a manifest (NAME.mxio.json), for its
    files in order; or a directory, for all plain files in it; or a regular expression
    that the whole paths of the files beside it are matched against. Empty files are
    left out of directories and patterns. ParameterError for
    what MXNet takes for a stream, or for the name of a copy that it is to make.
    """
    found: list[str] = []
    for path in paths.split(";"):
        if path:
            found += _resolve_one(path, parameter)
    if not found:
        raise ParameterError(f"{parameter} must name a file, got {paths!r}")
    return found


def _refuse_streams(path: str, parameter: str) -> None:
    if path == "stdin":
        raise ParameterError(
            f"{parameter} must name files, got 'stdin', which cannot be read again for "
            "the next epoch: write it to a file"
        )
    name, mark, copy = path.rpartition("#")
    if mark and os.path.exists(name):
        raise ParameterError(
            f"{parameter} must name files, got {path!r}: no copy is made under the "
            f"name {copy!r}, files are read where they are; leave {mark + copy!r} out"
        )


def _plain_files(directory: str) -> list[str]:
    names = sorted(os.listdir(directory or "."))
    files = [os.path.join(directory, name) for name in names]
    return [file for file in files if os.path.isfile(file) and os.path.getsize(file)]


def _resolve_one(path: str, parameter: str) -> list[str]:
    if os.path.isdir(path):
        files = _plain_files(path)
        if not files:
            raise system_error(errno.ENOENT, "no file with content in", path)
        return files
    if path.endswith(SUFFIX):
        return files_of(path)
    if os.path.exists(path):
        return [path]
    directory = os.path.dirname(path)
    try:
        pattern = re.compile(path)
        beside = _plain_files(directory)
    except (re.error, OSError):
        beside = []
    files = [file for file in beside if pattern.fullmatch(file)]
    if not files:
        _refuse_streams(path, parameter)
        raise system_error(errno.ENOENT, "no file of this name or pattern", path)
    return files


def read_index(path: str) -> bytes:
    """All bytes of an index; of a manifest, those of its files' indices as of one."""
    return index_of(path) if path.endswith(SUFFIX) else read_whole(path)


def read_whole(path: str) -> bytes:
    """All bytes of a file; an MxioError that is also the OSError when it cannot be."""
    file = _core.RecordFile(path)
    try:
        return file.raw(0, file.size())
    finally:
        file.close()
