"""Where `convert` reads samples from; one at a time, so that size does not matter."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mxio import _core
from mxio._atomic import naming
from mxio._cores import cores
from mxio._files import resolve
from mxio._lists import EXTENSIONS, Lines, count_parts, find_images, readable
from mxio._scan import Records
from mxio.errors import DataError, ParameterError
from mxio.recordio import unpack
from mxio.tools._idx import IMAGES_MAGIC, LABELS_MAGIC, IdxFile
from mxio.tools._index import index_of
from mxio.tools._samples import (
    LARGEST_PICTURE,
    NO_FOLDER,
    Sample,
    Source,
    class_names,
    folder_of,
    read_classes,
)
from mxio.tools._tar import tar_members
from mxio.tools._threads import in_order

__all__ = [
    "CIFAR_SIDE",
    "CLASSES_NAME",
    "LIST_NAME",
    "PICTURE_SUFFIXES",
    "Encoding",
    "read_cifar",
    "read_folder",
    "read_mnist",
    "read_records",
    "read_tars",
]

CIFAR_SIDE = 32
CLASSES_NAME = "classes.txt"  # beside the list
LIST_NAME = "images.lst"  # in a folder of pictures: ids, labels, paths
PICTURE_SUFFIXES = (*EXTENSIONS, ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm")
_BLOCK = 256  # pictures encoded by one call
_LABEL_MAX = 1 << 20  # bytes of a label in a tar


# RecordIO.


def read_records(paths: Sequence[str]) -> Source:
    """All records of RecordIO files, in order, whatever an index says; names of classes
    from the file beside the first.
    """
    files = resolve(";".join(paths))
    records = Records(files)
    read = [*paths, *files, *map(index_of, files)]
    samples = _records(records, paths)
    return Source(samples, records.count(), class_names(files), read)


def _records(records: Records, paths: Sequence[str]) -> Iterator[Sample]:
    for ordinal in range(records.count()):
        payload = records.read(ordinal)
        try:
            header, picture = unpack(payload)
        except DataError as error:
            place = f"{';'.join(paths)}: record {ordinal}"
            raise DataError(f"{place}: {error}", paths[0], ordinal) from None
        labels = np.atleast_1d(np.asarray(header.label, np.float32)).tolist()
        yield Sample(header.id, tuple(labels), picture)


# Folders.


def read_folder(root: str) -> Source:
    """The pictures below a folder: those of its list, with the classes of classes.txt,
    if it holds one, else all of them, with the sorted names of their folders as classes
    (see _class_names) and ids from 0.
    """
    names = os.path.join(root, LIST_NAME)
    if os.path.exists(names):
        return _read_listed(root, names)
    found = find_images(root, PICTURE_SUFFIXES, recursive=True)
    folders = sorted({os.path.dirname(path) or "." for path in found})
    labels = {folder: label for label, folder in enumerate(folders)}

    def samples() -> Iterator[Sample]:
        for id, path in enumerate(found):
            label = labels[os.path.dirname(path) or "."]
            yield Sample(id, (float(label),), _read_picture(root, path))

    return Source(samples(), len(found), _class_names(folders), [])


def _class_names(folders: Sequence[str]) -> tuple[str, ...]:
    """Names that a file of classes can hold: none when there is but the root, which is
    "pictures" beside others; what is no text is replaced, and _ stands behind a name
    that would otherwise be that of two folders.
    """
    if folders == ["."]:
        return ()
    names: dict[str, str] = {}  # by their folders when they become some
    for folder in folders:
        name = re.sub(r"[\r\n]", "\N{REPLACEMENT CHARACTER}", readable(folder))
        if folder_of(name) in NO_FOLDER:
            name = "pictures"
        while folder_of(name) in names:
            name += "_"
        names[folder_of(name)] = name
    return tuple(names.values())


def _read_listed(root: str, names: str) -> Source:
    lines = Lines(names, 1, 0)

    def samples() -> Iterator[Sample]:
        for line in lines:
            id, *labels = line.text.split("\t")
            path = labels.pop() if labels else ""
            try:
                numbers = tuple(float(label) for label in labels)
                number = int(id)
            except ValueError:
                numbers, number = (), -1
            if not numbers or not 0 <= number < 1 << 64 or "\0" in path:
                raise DataError(
                    f"{line.place}: a line is id, label(s) and path, separated by tabs",
                    names,
                )
            if os.path.isabs(path) or ".." in path.split("/"):
                raise DataError(f"{line.place}: {path!r} leads out of {root}", names)
            yield Sample(number, numbers, _read_picture(root, path))

    classes = os.path.join(root, CLASSES_NAME)
    known = read_classes(classes) if os.path.exists(classes) else ()
    return Source(samples(), count_parts(names, 1)[0], known, [names])


def _read_picture(root: str, name: str) -> bytes:
    path = os.path.join(root, name)
    with naming(path), open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > LARGEST_PICTURE:
            raise DataError(f"{path}: {size} bytes do not fit a record", path)
        return file.read()


# WebDataset.


def read_tars(paths: Sequence[str]) -> Source:
    """Samples of tar files as WebDataset has them: neighbours of one name, up to the
    first dot, are a picture and its label: NAME.cls with a number, or NAME.json with
    numbers or an object whose "label" they are. Ids count from 0. Names of classes are
    those of the file beside the first.
    """
    return Source(_tar_samples(paths), None, class_names(paths), paths)


def _tar_samples(paths: Sequence[str]) -> Iterator[Sample]:
    id = 0
    for path in paths:
        for key, parts in _tar_groups(path):
            pictures = [name for name in parts if f".{name}" in PICTURE_SUFFIXES]
            if not pictures:
                continue
            if len(pictures) > 1:
                raise DataError(f"{path}: {key}: {len(pictures)} pictures", path)
            labels = _tar_labels(path, key, parts)
            yield Sample(id, labels, parts[pictures[0]])
            id += 1


def _tar_groups(path: str) -> Iterator[tuple[str, dict[str, bytes]]]:
    """(name, contents by suffix) of neighbours with the same name."""
    current, parts = "", dict[str, bytes]()
    for member, content in _tar_files(path):
        folder, _, file = member.rpartition("/")
        stem, _, suffix = file.partition(".")
        key = f"{folder}/{stem}" if folder else stem
        if key != current and parts:
            yield current, parts
            parts = {}
        current, kind = key, suffix.lower()
        if kind in parts:
            raise DataError(f"{path}: {member} is there twice", path)
        parts[kind] = content
    if parts:
        yield current, parts


def _tar_files(path: str) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the pictures and labels of a tar."""
    for member in tar_members(path):
        name = member.name.lower()
        if name.rpartition("/")[2].startswith("."):  # such as macOS's ._a.jpg
            continue
        if name.endswith(PICTURE_SUFFIXES):
            limit = LARGEST_PICTURE
        elif name.endswith((".cls", ".json")):
            limit = _LABEL_MAX
        else:
            continue
        if member.size > limit:
            problem = f"{member.size} bytes, at most {limit} can be used"
            raise DataError(f"{path}: {member.name}: {problem}", path)
        yield member.name, member.read()


def _tar_labels(path: str, key: str, parts: dict[str, bytes]) -> tuple[float, ...]:
    if "cls" not in parts and "json" not in parts:
        raise DataError(f"{path}: {key} has neither .cls nor .json with a label", path)
    kind = "cls" if "cls" in parts else "json"
    text = parts[kind].strip()
    try:
        value: Any = float(text) if kind == "cls" else json.loads(text)
        if isinstance(value, dict):
            value = value["label"]
        labels = tuple(map(float, value if isinstance(value, list) else [value]))
        if not labels:
            raise ValueError
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        shown = text[:80].decode(errors="replace")
        raise DataError(
            f"{path}: {key}.{kind}: no label is in {shown!r}", path
        ) from None
    return labels


# Pictures that are no files yet.


class Encoding:
    """How pixels become files. suffix: ".png" (lossless) or ".jpg" of that quality.

    ParameterError for other values.
    """

    _PNG_LEVEL = 3

    def __init__(self, suffix: str, quality: int) -> None:
        if suffix not in (".png", ".jpg"):
            raise ParameterError(f"encoding must be .png or .jpg, got {suffix!r}")
        if not 1 <= quality <= 100:
            raise ParameterError(f"quality must be in [1, 100], got {quality}")
        self._suffix = suffix
        self._quality = quality

    def encode(self, pixels: NDArray[np.uint8]) -> bytes:
        """The file of (height, width, channels) pixels, red first."""
        height, width, channels = pixels.shape
        data = np.ascontiguousarray(pixels).data
        if self._suffix == ".jpg":
            return _core.encode_jpeg(
                data, height, width, channels, self._quality, False
            )
        return _core.encode_png(data, height, width, channels, self._PNG_LEVEL, False)

    def samples(
        self, blocks: Iterable[tuple[NDArray[np.uint8], NDArray[np.uint8]]]
    ) -> Iterator[Sample]:
        """Samples with ids from 0 of (labels, pixels) blocks, encoded by all cores."""

        def encode_block(
            block: tuple[NDArray[np.uint8], NDArray[np.uint8]],
        ) -> list[tuple[float, bytes]]:
            labels, pixels = block
            return [
                (float(label), self.encode(picture))
                for label, picture in zip(labels, pixels, strict=True)
            ]

        id = 0
        for done in in_order(encode_block, blocks, cores()):
            for label, picture in done:
                yield Sample(id, (label,), picture)
                id += 1


def read_mnist(paths: Sequence[str], encoding: Encoding) -> Source:
    """The pictures of MNIST's files, packed by gzip or not, with their labels.

    paths: image files; that of the labels stands beside each, with "labels-idx1"
    instead of "images-idx3" in its name.
    """
    counts = []
    for path in paths:
        with IdxFile(path, IMAGES_MAGIC, 3) as images:
            counts.append(images.shape[0])

    def blocks() -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
        for path in paths:
            yield from _mnist_blocks(path)

    files = [file for path in paths for file in (path, _mnist_labels(path))]
    return Source(encoding.samples(blocks()), sum(counts), (), files)


def _mnist_labels(path: str) -> str:
    folder, name = os.path.split(path)
    labels = os.path.join(folder, name.replace("images-idx3", "labels-idx1"))
    if labels == path:
        raise ParameterError(f"{path}: 'images-idx3' must be in the name of the file")
    return labels


def _mnist_blocks(
    path: str,
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    label_path = _mnist_labels(path)
    with (
        IdxFile(path, IMAGES_MAGIC, 3) as images,
        IdxFile(label_path, LABELS_MAGIC, 1) as labels,
    ):
        count = images.shape[0]
        if labels.shape[0] != count:
            raise DataError(
                f"{label_path}: {labels.shape[0]} labels for {count} images", label_path
            )
        rows = max(1, min(_BLOCK, (1 << 24) // math.prod(images.shape[1:])))
        for begin in range(0, count, rows):
            some = min(rows, count - begin)
            pixels = images.rows(some)
            yield labels.rows(some), pixels[..., np.newaxis]
        images.expect_end()
        labels.expect_end()


def read_cifar(
    paths: Sequence[str], heads: int, head: int, encoding: Encoding
) -> Source:
    """The pictures of CIFAR's binary files, 32 x 32.

    heads: bytes of labels before each picture, 1 for CIFAR-10, 2 for CIFAR-100 (coarse,
    then fine); head: the one that is the label.
    """
    row = heads + 3 * CIFAR_SIDE * CIFAR_SIDE
    total = 0
    for path in paths:
        with naming(path):
            size = os.stat(path).st_size
        if size == 0 or size % row:
            raise DataError(
                f"{path}: {size} bytes are no whole pictures of {row} bytes", path
            )
        total += size // row

    def blocks() -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
        for path in paths:
            with naming(path), open(path, "rb") as file:
                while piece := file.read(_BLOCK * row):
                    rows = np.frombuffer(piece, np.uint8)
                    if len(rows) % row:
                        raise DataError(f"{path}: it became shorter", path)
                    rows = rows.reshape(-1, row)
                    planes = rows[:, heads:].reshape(-1, 3, CIFAR_SIDE, CIFAR_SIDE)
                    yield rows[:, head], planes.transpose(0, 2, 3, 1)

    return Source(encoding.samples(blocks()), total, (), paths)
