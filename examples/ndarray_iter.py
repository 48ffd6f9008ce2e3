"""Arrays in memory, in batches: shuffled, prefetched, the rest carried over."""

import numpy as np

import mxio as mx


def main() -> None:
    np.random.seed(1)  # the order of NDArrayIter comes from NumPy's generator
    data = {"pixels": np.random.rand(10, 3, 8, 8), "place": np.arange(10)}
    label = np.arange(10) % 2
    train = mx.io.PrefetchingIter(
        mx.io.NDArrayIter(
            data, label, batch_size=4, shuffle=True, last_batch_handle="roll_over"
        )
    )
    print("provide_data ", train.provide_data)
    print("provide_label", train.provide_label)
    for epoch in range(2):
        for batch in train:
            pixels, place = batch.data
            print(
                f"epoch {epoch}: {pixels.shape} {pixels.dtype}, "
                f"samples {place.astype(int)}, labels {batch.label[0].astype(int)}"
            )
        train.reset()


if __name__ == "__main__":
    main()
