"""Where an ImageIter's samples come from: records by key or in turn, and lists."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mxio import _core, params
from mxio._atomic import naming
from mxio._codec import decode_with_opencv
from mxio.errors import DataError, ParameterError
from mxio.ndarray import NDArray, array
from mxio.recordio import MXIndexedRecordIO, MXRecordIO

__all__ = ["CountedRecords", "check_listed", "open_records", "read_lists"]


class CountedRecords(MXRecordIO):
    """A RecordIO file without an index: records by number, found by their heads."""

    def __init__(self, uri: str | os.PathLike[str]) -> None:
        super().__init__(uri, "r")
        # The core's loader hops over the heads; batches are never asked of it.
        options = {"path_imgrec": self.uri, "data_shape": (3, 1, 1), "batch_size": 1}
        core = _core.Loader(
            params.bind("ImageIter", params.MX, options) | {"preprocess_threads": 1},
            [self.uri],
            True,
            decode_with_opencv,
            None,
            None,
            None,
            None,
            None,
        )
        self._offsets = np.frombuffer(memoryview(core.offsets()), np.uint64).copy()
        core.close()
        self.keys = list(range(len(self._offsets)))

    def read_idx(self, idx: int) -> bytes:
        """The record of a number, by one positional read."""
        found = self._reader().read(int(self._offsets[idx]))
        assert found is not None  # a head is never at the end of the file
        return found[0]


def open_records(
    path: str | os.PathLike[str] | None,
    index: str | os.PathLike[str] | None,
    any_order: bool,
) -> tuple[MXRecordIO | None, list[Any] | None]:
    """The records, and their keys unless they are only read one after the other."""
    if path is None:
        if index is not None:
            raise ParameterError("path_imgidx needs path_imgrec")
        return None, None
    if index is None and not any_order:
        return MXRecordIO(path, "r"), None
    if index is None:
        counted = CountedRecords(path)
        return counted, list(counted.keys)
    indexed = MXIndexedRecordIO(index, path, "r")
    return indexed, list(indexed.keys)


def read_lists(
    path_imgrec: str | os.PathLike[str] | None,
    path_imglist: str | os.PathLike[str] | None,
    imglist: Sequence[Sequence[Any]] | None,
    dtype: np.dtype[Any],
) -> tuple[dict[Any, tuple[NDArray, str]] | None, list[Any]]:
    """(labels, name) by key, and the keys in order, of the one list that is given."""
    if imglist is not None and (path_imgrec or path_imglist):
        raise ParameterError("imglist excludes path_imgrec and path_imglist")
    if path_imglist is not None:
        return _read_list_file(os.fspath(path_imglist), dtype)
    if imglist is None:
        if path_imgrec is None:
            raise TypeError("one of path_imgrec, path_imglist and imglist is needed")
        return None, []
    found: dict[Any, tuple[NDArray, str]] = {}
    for number, entry in enumerate(imglist, 1):
        if len(entry) < 2 or not isinstance(entry[-1], str | os.PathLike):
            raise ParameterError(
                f"entry {number} of imglist must be [label, name], got {entry!r}"
            )
        labels = entry[:-1] if len(entry) > 2 else np.atleast_1d(entry[0])
        found[str(number)] = array(labels, dtype=dtype), os.fspath(entry[-1])
    return found, list(found)


def _read_list_file(
    path: str, dtype: np.dtype[Any]
) -> tuple[dict[Any, tuple[NDArray, str]], list[Any]]:
    found: dict[Any, tuple[NDArray, str]] = {}
    keys: list[Any] = []
    with naming(path), open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            fields = line.strip().split("\t")
            if fields == [""]:
                continue
            try:
                key, *labels, name = fields
                found[int(key)] = array(list(map(_number, labels)), dtype=dtype), name
            except ValueError:
                message = f"{path}, line {number}: not key, labels, name: {line[:80]!r}"
                raise DataError(message, path) from None
            keys.append(int(key))
    return found, keys


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def check_listed(
    keys: Sequence[Any],
    listed: Mapping[Any, object] | None,
    path: str | os.PathLike[str] | None,
) -> None:
    """DataError unless each of the keys is in the list that was read from `path`."""
    missing = [key for key in keys if listed is not None and key not in listed]
    if missing:
        raise DataError(
            f"{os.fspath(path or '')} has no line for {len(missing)} of {len(keys)} "
            f"records, such as the one of key {missing[0]}",
            os.fspath(path or ""),
        )
