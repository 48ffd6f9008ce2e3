"""What `convert` moves: encoded pictures with labels, and how they are called."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mxio._atomic import naming
from mxio._formats import suffix_of
from mxio._marks import LENGTH_MASK
from mxio.errors import DataError, ParameterError

__all__ = [
    "CLASSES_SUFFIX",
    "LARGEST_PICTURE",
    "NO_FOLDER",
    "Sample",
    "Source",
    "class_names",
    "class_of",
    "folder_of",
    "path_of",
    "read_classes",
]

CLASSES_SUFFIX = ".classes.txt"  # of names of classes, beside NAME.rec and NAME.tar
LARGEST_PICTURE = LENGTH_MASK  # bytes: what a record can hold, its header included

NO_FOLDER = {"", ".", ".."}


@dataclass(frozen=True)
class Sample:
    """An encoded picture, its labels (at least one), and its id, below 2**64."""

    id: int
    labels: tuple[float, ...]
    picture: bytes


@dataclass(frozen=True)
class Source:
    """Samples to read once, how many (None when not known), names of classes: that of
    label 0 first, empty when there are none; and files that must stay what they are.
    """

    samples: Iterator[Sample]
    count: int | None
    classes: tuple[str, ...]
    files: Sequence[str]


def class_of(labels: Sequence[float]) -> int | None:
    """The label, when there is one and it is a whole number from 0 on."""
    if len(labels) != 1 or not labels[0].is_integer() or labels[0] < 0:
        return None
    return int(labels[0])


def path_of(sample: Sample, number: int, classes: Sequence[str]) -> str:
    """A file name for sample `number`, in the folder of its class.

    DataError when its label has no name among `classes`.
    """
    label = class_of(sample.labels)
    if label is None:
        folder = "pictures"
    elif not classes:
        folder = str(label)
    elif label < len(classes):
        folder = folder_of(classes[label])
    else:
        raise DataError(
            f"record {number} has the label {label}, "
            f"and there are names for 0 to {len(classes) - 1}",
            record=number,
        )
    return f"{folder}/{number:08d}{suffix_of(sample.picture)}"


def folder_of(name: str) -> str:
    """The folder of a class: one that a line of a list can name."""
    return re.sub(r"[/\t]", "_", name.strip())


def class_names(
    files: Sequence[str], classes: str | os.PathLike[str] | None = None
) -> tuple[str, ...]:
    """Names of labels: those of the file `classes`, or of that beside the first of the
    files, when there is one.
    """
    beside = f"{os.path.splitext(files[0])[0]}{CLASSES_SUFFIX}"
    if classes is not None:
        return read_classes(classes)
    return read_classes(beside) if os.path.exists(beside) else ()


def read_classes(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Names of classes, one on each line, the first that of label 0.

    OSError naming the file; ParameterError, naming the line, for a name that is empty,
    occurs twice, or cannot be that of a folder.
    """
    path = os.fspath(path)
    with naming(path), open(path, encoding="utf-8-sig", errors="replace") as file:
        names = [line.removesuffix("\n") for line in file]
    seen: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        folder = folder_of(name)
        if folder in NO_FOLDER or "\0" in name:
            raise ParameterError(f"{path}:{number}: {name!r} is no name of a class")
        if folder in seen:
            raise ParameterError(
                f"{path}:{number}: {name!r} is there already, in line {seen[folder]}"
            )
        seen[folder] = number
    if not names:
        raise ParameterError(f"{path}: no names of classes are in it")
    return tuple(names)
