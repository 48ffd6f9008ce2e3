"""A whole file to choose records from, and where the chosen ones go."""

from __future__ import annotations

import argparse
import os
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mxio._atomic import naming, refuse_replacing
from mxio._views import Selection, refuse_no_keys, refuse_none, test_of
from mxio.errors import DataError, ParameterError
from mxio.tools._command import progress_bar
from mxio.tools._heads import HeadReader
from mxio.tools._index import Key, index_of, read_index
from mxio.tools._keys import Numbering
from mxio.tools._output import RecordCopier

__all__ = [
    "NEW_KEYS",
    "NewKeys",
    "Source",
    "Written",
    "add_keys",
    "add_selection",
    "records_given",
    "tell",
    "write",
]

NewKeys = Literal["keep", "auto", "id", "number"]
NEW_KEYS: tuple[NewKeys, ...] = ("keep", "auto", "id", "number")


@dataclass(frozen=True)
class Written:
    """A .rec and its .idx that were written.

    keys: what the keys of the index are: "kept" from the index of the input, "id" or
    "number".
    """

    path: str
    index: str
    records: int
    bytes: int
    keys: Literal["kept", "id", "number"]


class Source:
    """The records of a file in columns, by ordinal.

    With an index (`path_imgidx`, or the one beside the file), only the records that it
    lists are there, and `keys` are theirs; else `keys` is None. DataError when file or
    index are damaged; OSError.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        path_imgidx: str | os.PathLike[str] | None = None,
        progress: bool = False,
    ) -> None:
        self.path = os.fspath(path)
        beside = index_of(self.path)
        self.files = [self.path, beside]  # outputs must not replace them
        if path_imgidx is not None:
            self.files.append(os.fspath(path_imgidx))
        offsets, ends, ids = array("Q"), array("Q"), array("Q")
        labels, headed = array("d"), array("b")
        with (
            HeadReader(self.path) as heads,
            progress_bar(progress, "read", heads.size, "B") as advance,
        ):
            for row in heads.rows():
                headed.append(row.header is not None)
                offsets.append(row.offset)
                ends.append(row.end)
                ids.append(0 if row.header is None else row.header.id)
                labels.append(np.nan if row.header is None else row.header.label)
                advance(row.end - row.offset)
        self.offsets = np.array(offsets, np.uint64)
        self.ends = np.array(ends, np.uint64)
        self.ids = np.array(ids, np.uint64)
        self.labels = np.array(labels, np.float64)
        self.headed = np.array(headed, bool)  # has an image header
        self.keys: list[Key] | None = None
        self._read_index(path_imgidx)

    def __len__(self) -> int:
        return len(self.offsets)

    def key(self, ordinal: int) -> Key:
        """What a record is called."""
        return ordinal if self.keys is None else self.keys[ordinal]

    def chosen(self, records: Selection | Sequence[Key] | None) -> NDArray[np.int64]:
        """Ordinals of the records that `records` means, as in the loaders: keys and
        slices in the order given, else rising; None is all.

        TypeError and ParameterError as of the loaders; keys may be text.
        """
        every = np.arange(len(self))
        if records is None:
            return every
        test = test_of(records)
        if isinstance(records, slice):
            found = every[records]
        elif test is not None:
            keys = np.array(self.keys if self.keys is not None else every, object)
            found = np.flatnonzero(test(keys, self.labels[:, np.newaxis]))
        else:
            refuse_no_keys(records)
            found = self._find([str(key) for key in records])  # type: ignore[union-attr]
        refuse_none(len(found), records)
        return found

    def _find(self, keys: Sequence[str]) -> NDArray[np.int64]:
        """Where each key is; ParameterError for one that is not there, or twice."""
        places = {str(self.key(ordinal)): ordinal for ordinal in range(len(self))}
        for key in keys:
            if key not in places:
                what = "key" if self.keys is not None else "record, and no index:"
                raise ParameterError(f"records: {self.path} has no {what} {key}")
        asked, there = Counter(keys), Counter(map(str, self.keys or ()))
        for key in keys:
            if asked[key] > 1:
                raise ParameterError(f"records holds {key} twice")
            if there[key] > 1:
                raise ParameterError(
                    f"records: the index of {self.path} has the key {key} twice;"
                    " choose the record by a slice or a function"
                )
        return np.array([places[key] for key in keys], np.int64)

    def check_outputs(self, outputs: Iterable[str | os.PathLike[str]]) -> None:
        """ParameterError when one of these .rec files, or its index, would replace a
        file of the source, or another output.
        """
        files = [file for path in outputs for file in (path, index_of(path))]
        refuse_replacing(files, self.files)

    def _read_index(self, given: str | os.PathLike[str] | None) -> None:
        path = index_of(self.path) if given is None else os.fspath(given)
        if given is None and not os.path.isfile(path):
            return
        index = read_index(path)
        fault = next(iter(index.faults), None)
        if fault is not None:
            raise DataError(f"{path}, line {fault.line}: {fault.reason}", path)
        wrong = index.offsets[~np.isin(index.offsets, self.offsets)]
        if len(wrong):
            raise DataError(
                f"{path}: no record starts at byte {wrong[0]} of {self.path}; "
                "`mxio index` makes a new index",
                path,
                offset=int(wrong[0]),
            )
        listed = np.isin(self.offsets, index.offsets)
        for name in ("offsets", "ends", "ids", "labels", "headed"):
            setattr(self, name, getattr(self, name)[listed])
        keys = index.keys_at(self.offsets)
        self.keys = [key for key in keys if key is not None]

    def new_keys(
        self, chosen: NDArray[np.int64], wanted: NewKeys
    ) -> tuple[Literal["kept", "id", "number"], Sequence[object]]:
        """Keys for the index of the chosen records."""
        if wanted == "keep" and self.keys is not None:
            return "kept", [self.keys[ordinal] for ordinal in chosen]
        numbering = Numbering("auto" if wanted == "keep" else wanted)
        for ordinal in chosen.tolist():
            numbering.add(
                int(self.ids[ordinal]) if self.headed[ordinal] else None,
                f"at byte {self.offsets[ordinal]}",
            )
        return numbering.keys()


def _listed(path: str | os.PathLike[str]) -> list[str]:
    """The first field of each line of a list."""
    with (
        naming(os.fspath(path)),
        open(path, encoding="utf-8-sig", errors="surrogateescape") as file,
    ):
        return [
            line.split("\t" if "\t" in line else None)[0].strip()
            for line in file
            if line.strip()
        ]


def write(
    source: Source,
    chosen: NDArray[np.int64],
    output: str | os.PathLike[str],
    keys: NewKeys,
    progress: bool = False,
) -> Written:
    """Copy the chosen records, in this order. ParameterError when there are none, or
    when the output would replace a file of the source.
    """
    target = os.fspath(output)
    if len(chosen) == 0:
        raise ParameterError(f"no record of {source.path} is chosen for {target}")
    kind, names = source.new_keys(chosen, keys)
    with (
        RecordCopier(source.path, target, source.files) as out,
        progress_bar(progress, "copy", len(chosen), "record") as advance,
    ):
        for offset, end in zip(
            source.offsets[chosen].tolist(), source.ends[chosen].tolist(), strict=True
        ):
            out.add(offset, end)
            advance(1)
        out.publish(names)
    return Written(out.path, out.index_path, len(chosen), out.size, kind)


def add_keys(parser: argparse.ArgumentParser) -> None:
    """--index and --keys."""
    parser.add_argument(
        "--index",
        metavar="IDX",
        help="index of the input (default: beside it, if there is one)",
    )
    parser.add_argument(
        "--keys",
        choices=NEW_KEYS,
        default="keep",
        help="of the new index: those of the input's index, ids of the records, or "
        "numbers; auto: ids if they are distinct (default: %(default)s, auto without "
        "an index)",
    )


def add_selection(parser: argparse.ArgumentParser) -> None:
    """--key, --label, --list and --slice, of which one may be given."""
    titled = parser.add_argument_group("which records (one of these; else all)")
    group = titled.add_mutually_exclusive_group()
    group.add_argument("--key", nargs="+", metavar="KEY", help="keys of the index")
    group.add_argument(
        "--label", nargs="+", type=float, metavar="X", help="values of the first label"
    )
    group.add_argument(
        "--list", metavar="FILE", help="lines that begin with a key, such as a .lst"
    )
    group.add_argument(
        "--slice",
        type=_slice,
        metavar="A:B:STEP",
        help="of the records in the order of the file, as in Python; the last 9 are "
        "--slice=-9:",
    )


def records_given(options: argparse.Namespace) -> Selection | Sequence[Key] | None:
    """What add_selection's options say, as `records`."""
    if options.label is not None:
        labels = set(np.array(options.label, np.float32).tolist())  # as records hold it
        return lambda key, label: label in labels
    if options.list is not None:
        return _listed(options.list)
    chosen: list[str] | slice | None = options.key or options.slice
    return chosen


def _slice(text: str) -> slice:
    try:
        numbers = [int(part) if part else None for part in text.split(":")]
        if not 2 <= len(numbers) <= 3 or (len(numbers) == 3 and numbers[2] == 0):
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be A:B or A:B:STEP with whole numbers, got {text!r}"
        ) from None
    return slice(*numbers)


def tell(written: Iterable[Written]) -> None:
    """What was written, a line each."""
    words = {"kept": "as in the input's index", "id": "ids", "number": "numbers from 0"}
    for each in written:
        print(
            f"{each.path}: {each.records} records, {each.bytes} bytes; "
            f"{each.index}: keys are {words[each.keys]}"
        )
