"""mxio: the NumPy face, the torch Loader, recordio, MNISTIter."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mxio
from bench.serve import Epoch, Task, serve
from mxio.adapters.numpy import ImageRecordLoader
from mxio.io import MNISTIter
from mxio.recordio import MXIndexedRecordIO, MXRecordIO


def images(task: Task) -> Epoch:
    """Batches of pictures."""
    work = task.work
    options: dict[str, Any] = {
        "path_imgrec": task.data,
        "path_imgidx": task.index,
        "data_shape": (3, work.side, work.side),
        "batch_size": task.batch,
        "preprocess_threads": task.threads,
        "last_batch": "partial",
        "dtype": work.dtype,
        "layout": "NHWC" if work.dtype == "uint8" else "NCHW",
        **work.options,
    }
    if task.face != "numpy":
        return tensors(task, options)
    loader = ImageRecordLoader(**options)

    def epoch() -> Iterator[int]:
        for batch in loader:
            yield len(batch.data) - batch.pad

    return epoch


def tensors(task: Task, options: dict[str, Any]) -> Epoch:
    """The same for PyTorch: Loader, or a data set with 0 or more workers, which share
    the threads.
    """
    from torch.utils.data import DataLoader

    from mxio.adapters.torch import ImageRecordDataset, Loader

    batches: Any
    if task.face == "torch":
        batches = Loader(**options)
    else:
        workers = int(task.face.removeprefix("dataset"))
        options["preprocess_threads"] = max(1, task.threads // max(1, workers))
        batches = DataLoader(
            ImageRecordDataset(**options),
            batch_size=None,
            num_workers=workers,
            persistent_workers=workers > 0,
        )

    def epoch() -> Iterator[int]:
        for data, _ in batches:
            yield len(data)

    return epoch


def sequential(task: Task) -> Epoch:
    """Raw records, from the first to the last."""
    reader = MXRecordIO(task.data, "r")

    def epoch() -> Iterator[int]:
        reader.reset()
        while reader.read() is not None:
            yield 1

    return epoch


def by_key(task: Task) -> Epoch:
    """Raw records in random order."""
    reader = MXIndexedRecordIO(task.index, task.data, "r")
    keys = list(reader.keys)
    random.Random(1).shuffle(keys)

    def epoch() -> Iterator[int]:
        for key in keys:
            reader.read_idx(key)
            yield 1

    return epoch


def mnist(task: Task) -> Epoch:
    """MNIST's files."""
    batches = MNISTIter(
        image=str(Path(task.data, "images-idx3-ubyte")),
        label=str(Path(task.data, "labels-idx1-ubyte")),
        batch_size=task.batch,
        shuffle=True,
    )

    def epoch() -> Iterator[int]:
        batches.reset()
        for batch in batches:
            yield task.batch - (batch.pad or 0)

    return epoch


KINDS = {
    "images": images,
    "sequential": sequential,
    "random": by_key,
    "mnist": mnist,
}

if __name__ == "__main__":
    told = ", ".join(f"{key} {value}" for key, value in mxio.features().items())
    serve(f"mxio {mxio.__version__} ({told})", lambda t: KINDS[t.work.kind](t))
