"""The mx.io way: an iterator of DataBatch, started again for every epoch."""

import tempfile

import mxio as mx
from mxio.quickstart import pack_samples


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        rec, idx, _ = pack_samples(directory)
        train = mx.io.ImageRecordIter(
            path_imgrec=rec,
            path_imgidx=idx,
            data_shape=(3, 128, 128),
            batch_size=16,
            shuffle=True,
            seed=7,
            resize=144,
            rand_crop=True,
            rand_mirror=True,
            mean_r=123.68,
            mean_g=116.28,
            mean_b=103.53,
        )
        print("provide_data ", train.provide_data)
        print("provide_label", train.provide_label)
        for epoch in range(2):
            train.reset()
            for number, batch in enumerate(train):
                data, label = batch.data[0].asnumpy(), batch.label[0].asnumpy()
                print(
                    f"epoch {epoch} batch {number}: {data.shape} {data.dtype}, "
                    f"labels {label[:6].astype(int)}..., {batch.pad} rows of padding"
                )


if __name__ == "__main__":
    main()
