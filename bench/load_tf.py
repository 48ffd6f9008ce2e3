"""tf.data on files: decoding of the crop alone, autotuning off (measured: with it whole
epochs ran at two thirds of the speed).
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf  # type: ignore[import-untyped]  # of the other interpreter

from bench.serve import Epoch, Task, serve
from bench.workloads import AREA, ASPECT, MEAN, STD, Workload


def one_image(path: Any, work: Workload) -> Any:
    """The random_resized_crop of a file, mirrored at random."""
    data = tf.io.read_file(path)
    begin, size, _ = tf.image.sample_distorted_bounding_box(
        tf.image.extract_jpeg_shape(data),
        tf.zeros((1, 0, 4)),
        area_range=AREA,
        aspect_ratio_range=ASPECT,
        max_attempts=10,
        use_image_if_no_bounding_boxes=True,
    )
    box = tf.stack([begin[0], begin[1], size[0], size[1]])
    pixels = tf.image.decode_and_crop_jpeg(
        data, box, channels=3, dct_method="INTEGER_ACCURATE"
    )
    pixels = tf.image.resize(pixels, (work.side, work.side), "bilinear")
    pixels = tf.image.random_flip_left_right(pixels)
    if work.dtype == "uint8":
        return tf.cast(pixels, tf.uint8)
    pixels = (pixels - tf.constant(MEAN)) * (1 / tf.constant(STD))
    return tf.transpose(pixels, (2, 0, 1))


def make(task: Task) -> Epoch:
    """Batches as NumPy arrays."""
    files = Path(task.data).with_suffix(".txt").read_text().splitlines()
    options = tf.data.Options()
    options.threading.private_threadpool_size = task.threads
    options.autotune.enabled = False
    batches = (
        tf.data.Dataset.from_tensor_slices(files)
        .map(
            lambda path: one_image(path, task.work),
            num_parallel_calls=task.threads,
        )
        .batch(task.batch)
        .prefetch(2)
        .with_options(options)
    )

    def epoch() -> Iterator[int]:
        for pixels in batches:
            yield len(pixels.numpy())

    return epoch


if __name__ == "__main__":
    serve(f"TensorFlow {tf.__version__}", make)
