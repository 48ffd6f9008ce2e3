"""NumPy arrays, no framework: every record once per epoch, in a known order."""

import tempfile

import numpy as np

from mxio.adapters.numpy import ImageRecordLoader
from mxio.quickstart import pack_samples


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        rec, idx, _ = pack_samples(directory)
        with ImageRecordLoader(
            path_imgrec=rec,
            path_imgidx=idx,
            data_shape=(3, 128, 128),
            batch_size=16,
            last_batch="partial",
            shuffle=True,
            seed=7,
            random_resized_crop=True,
            min_random_area=0.08,
            min_aspect_ratio=3 / 4,
            max_aspect_ratio=4 / 3,
            rand_mirror=True,
            dtype="uint8",
            layout="NHWC",
            label_dtype="int64",
        ) as loader:
            for epoch in range(2):
                seen = []
                for batch in loader:
                    print(
                        f"epoch {epoch}: data {batch.data.shape} {batch.data.dtype}, "
                        f"label {batch.label.dtype}, first ids {batch.index[:4]}"
                    )
                    seen.append(batch.index)
                ids = np.concatenate(seen)
                print(f"epoch {epoch}: {len(ids)} records, {len(set(ids))} different")


if __name__ == "__main__":
    main()
