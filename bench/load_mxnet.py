"""MXNet 1.9.1: ImageRecordIter, recordio, MNISTIter.

With its default ctx MXNet halves the cores and with ctx="cpu" it ignores
preprocess_threads: OMP_NUM_THREADS, which the runner sets, is what counts.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mxnet  # type: ignore[import-not-found]  # of the other interpreter

from bench.serve import Epoch, Task, serve


def batches_of(iterator: Any) -> Epoch:
    """A batch counts when its data has been computed; it stays in MXNet's memory."""
    used = False

    def epoch() -> Iterator[int]:
        nonlocal used
        if used:
            iterator.reset()
        used = True
        for batch in iterator:
            batch.data[0].wait_to_read()
            yield batch.data[0].shape[0]

    return epoch


def images(task: Task) -> Epoch:
    """Batches of pictures."""
    work = task.work
    options = dict(work.options)
    if "shuffle" in options:
        options["path_imgidx"] = task.index
    kinds = {
        "float32": mxnet.io.ImageRecordIter,
        "uint8": mxnet.io.ImageRecordUInt8Iter,
    }
    return batches_of(
        kinds[work.dtype](
            path_imgrec=task.data,
            data_shape=(3, work.side, work.side),
            batch_size=task.batch,
            preprocess_threads=task.threads,
            ctx="cpu",
            round_batch=False,
            verbose=False,
            **options,
        )
    )


def sequential(task: Task) -> Epoch:
    """Raw records, from the first to the last."""
    reader = mxnet.recordio.MXRecordIO(task.data, "r")

    def epoch() -> Iterator[int]:
        reader.reset()
        while reader.read() is not None:
            yield 1

    return epoch


def by_key(task: Task) -> Epoch:
    """Raw records in random order."""
    reader = mxnet.recordio.MXIndexedRecordIO(task.index, task.data, "r")
    keys = list(reader.keys)
    random.Random(1).shuffle(keys)

    def epoch() -> Iterator[int]:
        for key in keys:
            reader.read_idx(key)
            yield 1

    return epoch


def mnist(task: Task) -> Epoch:
    """MNIST's files."""
    return batches_of(
        mxnet.io.MNISTIter(
            image=str(Path(task.data, "images-idx3-ubyte")),
            label=str(Path(task.data, "labels-idx1-ubyte")),
            batch_size=task.batch,
            shuffle=True,
            silent=True,
        )
    )


KINDS = {
    "images": images,
    "sequential": sequential,
    "random": by_key,
    "mnist": mnist,
}

if __name__ == "__main__":
    serve(f"MXNet {mxnet.__version__}", lambda task: KINDS[task.work.kind](task))
