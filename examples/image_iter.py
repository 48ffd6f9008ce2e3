"""mx.image: batches made image by image in Python, and a step of one's own."""

import random
import tempfile
from typing import Any

import numpy as np
import numpy.typing as npt

import mxio as mx
from mxio.quickstart import pack_samples


class Vignette(mx.image.Augmenter):
    """Darken the corners: an augmenter is a callable from image to image."""

    def __call__(self, src: npt.NDArray[Any]) -> npt.NDArray[Any]:
        height, width = src.shape[:2]
        y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        shade = (1 - 0.3 * (x**2 + y**2)).astype(np.float32)
        return np.asarray(src * shade[:, :, None])


def main() -> None:
    random.seed(7)
    augmenters = mx.image.CreateAugmenter(
        (3, 128, 128), resize=144, rand_crop=True, rand_mirror=True, brightness=0.2
    )
    with tempfile.TemporaryDirectory() as directory:
        rec, idx, _ = pack_samples(directory)
        train = mx.image.ImageIter(
            batch_size=16,
            data_shape=(3, 128, 128),
            path_imgrec=rec,
            path_imgidx=idx,
            shuffle=True,
            aug_list=[*augmenters, Vignette()],
        )
        print("augmenters", [type(step).__name__ for step in train.auglist])
        for number, batch in enumerate(train):
            data, label = batch.data[0].asnumpy(), batch.label[0].asnumpy()
            print(
                f"batch {number}: {data.shape} {data.dtype}, labels "
                f"{label[:6].astype(int)}..., {batch.pad} rows of padding"
            )


if __name__ == "__main__":
    main()
