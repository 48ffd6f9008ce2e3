"""Small stand-ins for the data sets that `mxio download` knows."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mxio.tools._datasets import DATASETS, Dataset

CIFAR = "cifar-10-batches-bin"
BATCHES = [f"{CIFAR}/data_batch_{number}.bin" for number in range(1, 6)]
TEST_BATCH = f"{CIFAR}/test_batch.bin"


def idx_images(pixels: NDArray[np.uint8]) -> bytes:
    """MNIST's file of (count, height, width) images."""
    return struct.pack(">4I", 2051, *pixels.shape) + pixels.tobytes()


def idx_labels(labels: NDArray[np.uint8]) -> bytes:
    """MNIST's file of labels."""
    return struct.pack(">2I", 2049, len(labels)) + labels.tobytes()


def cifar_rows(seed: int, count: int, heads: int = 1) -> NDArray[np.uint8]:
    """(count, heads + 3072) bytes: labels 0 to 9, then red, green and blue planes."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 256, (count, heads + 3072), np.uint8)
    rows[:, :heads] %= 10
    return rows


def tar_of(files: Mapping[str, bytes], packed: bool = True) -> bytes:
    """A tar with these files, in their order; gzip makes the same bytes each time."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            head = tarfile.TarInfo(name)
            head.size = len(content)
            tar.addfile(head, io.BytesIO(content))
    return gzip.compress(out.getvalue(), mtime=0) if packed else out.getvalue()


def small_mnist() -> dict[str, bytes]:
    """The four files of a data set like MNIST, packed: 12 and 5 images of 6 x 4."""
    rng = np.random.default_rng(7)
    plain = {}
    for name, count in (("train", 12), ("t10k", 5)):
        pixels = rng.integers(0, 256, (count, 6, 4), np.uint8)
        plain[f"{name}-images-idx3-ubyte.gz"] = idx_images(pixels)
        labels = rng.integers(0, 10, count, np.uint8)
        plain[f"{name}-labels-idx1-ubyte.gz"] = idx_labels(labels)
    return {name: gzip.compress(data, mtime=0) for name, data in plain.items()}


def small_cifar(each: int = 9) -> dict[str, bytes]:
    """The archive of a data set like CIFAR-10, its files in another order."""
    names = [BATCHES[0], BATCHES[2], TEST_BATCH, *BATCHES[3:], BATCHES[1]]
    seeds = {name: number for number, name in enumerate([*BATCHES, TEST_BATCH])}
    files = {name: cifar_rows(seeds[name], each).tobytes() for name in names}
    files = {f"{CIFAR}/readme.html": b"<html>", **files}
    return {"cifar-10-binary.tar.gz": tar_of(files)}


def stand_in(name: str, contents: Mapping[str, bytes]) -> Dataset:
    """The data set of that name, with the sizes and checksums of other contents."""
    known = DATASETS[name]
    files = tuple(
        replace(
            file,
            size=len(contents[file.name]),
            sha256=hashlib.sha256(contents[file.name]).hexdigest(),
        )
        for file in known.files
    )
    return replace(known, files=files)
