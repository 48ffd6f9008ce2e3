"""NVIDIA DALI on the CPU: its RecordIO reader, decoding of the crop alone, its own
resizing and normalising, two batches ahead.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import nvidia.dali as dali  # type: ignore[import-not-found]  # of the other interpreter
from nvidia.dali import fn, types

from bench.serve import Epoch, Task, serve
from bench.workloads import AREA, ASPECT, MEAN, STD, Workload


def cropped(jpegs: Any, work: Workload) -> Any:
    """Decoded pictures of the wanted size; only the pixels of the crop are made."""
    size = (work.side, work.side)
    if "random_resized_crop" in work.options:
        crop = fn.decoders.image_random_crop(
            jpegs, device="cpu", random_area=AREA, random_aspect_ratio=ASPECT
        )
        return fn.resize(crop, size=size, antialias=False)
    place = {}
    if "rand_crop" in work.options:
        for name in ("crop_pos_x", "crop_pos_y"):
            place[name] = fn.random.uniform(range=(0.0, 1.0))
    return fn.decoders.image_crop(jpegs, device="cpu", crop=size, **place)


def finished(pixels: Any, work: Workload) -> Any:
    """Mirrored, and as float32 planes unless bytes are wanted."""
    mirror = fn.random.coin_flip() if "rand_mirror" in work.options else 0
    if work.dtype == "uint8":
        return fn.flip(pixels, horizontal=mirror)
    return fn.crop_mirror_normalize(
        pixels,
        dtype=types.FLOAT,
        output_layout="CHW",
        mean=list(MEAN),
        std=list(STD) if "std_r" in work.options else [1.0] * 3,
        mirror=mirror,
    )


def make(task: Task) -> Epoch:
    """The pipeline goes round without end; an epoch is as many images as records."""
    work = task.work

    @dali.pipeline_def(  # type: ignore[untyped-decorator]
        batch_size=task.batch,
        num_threads=task.threads,
        device_id=None,
        prefetch_queue_depth=2,
        seed=1,
    )
    def pipeline() -> Any:
        jpegs, labels = fn.readers.mxnet(
            path=[task.data], index_path=[task.index], name="reader"
        )
        return finished(cropped(jpegs, work), work), labels

    line = pipeline()
    line.build()
    owed = 0

    def epoch() -> Iterator[int]:
        nonlocal owed
        owed += task.records
        while owed > 0:
            pixels, _ = line.run()
            owed -= len(np.asarray(pixels.as_tensor()))
            yield task.batch

    return epoch


if __name__ == "__main__":
    serve(f"DALI {dali.__version__}, no GPU", make)
