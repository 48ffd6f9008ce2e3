"""PyTorch: whole batches from two DataLoader workers, then single samples."""

import tempfile

from torch.utils.data import DataLoader

from mxio.adapters.torch import ImageRecordDataset
from mxio.quickstart import pack_samples


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        rec, idx, _ = pack_samples(directory)

        batches = ImageRecordDataset(
            path_imgrec=rec,
            path_imgidx=idx,
            data_shape=(3, 128, 128),
            batch_size=8,
            last_batch="partial",
            shuffle=True,
            seed=7,
            random_resized_crop=True,
            min_random_area=0.08,
            min_aspect_ratio=3 / 4,
            max_aspect_ratio=4 / 3,
            rand_mirror=True,
            label_dtype="int64",
        )
        # batch_size=None: the dataset makes the batches, their order is the same for
        # any number of workers.
        for data, label in DataLoader(batches, batch_size=None, num_workers=2):
            print(f"batch  {tuple(data.shape)} {data.dtype}, labels {label.tolist()}")

        samples = ImageRecordDataset(
            path_imgrec=rec, data_shape=(3, 128, 128), resize=128
        )
        data, label = next(iter(samples))
        print(f"sample {tuple(data.shape)} {data.dtype}, label {label}")


if __name__ == "__main__":
    main()
