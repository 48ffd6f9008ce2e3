"""Two ranks, each reading its own RecordIO partition: together every record, once.

A launcher such as torchrun sets RANK and WORLD_SIZE; here the parent process does.
"""

import itertools
import multiprocessing
import os
import tempfile
from pathlib import Path

from mxio.quickstart import pack_samples

WORLD_SIZE = 2


def labels_of_rank(rank: int, rec: Path, lst: Path) -> list[int]:
    """What one training process would do; gives the labels that it saw."""
    from mxio.adapters.torch import ImageRecordDataset  # torch: the parent needs none

    os.environ["RANK"] = str(rank)
    os.environ["WORLD_SIZE"] = str(WORLD_SIZE)
    dataset = ImageRecordDataset(
        path_imgrec=rec,
        path_imglist=lst,
        shard="partition",
        data_shape=(3, 128, 128),
        batch_size=8,
        last_batch="partial",
        resize=128,
        label_dtype="int64",
    )
    return [number for _, label in dataset for number in label.tolist()]


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        rec, _, lst = pack_samples(directory)
        # A list whose labels are the record ids, to see which records came.
        ids = [line.split("\t")[0] for line in lst.read_text().splitlines()]
        by_id = Path(directory) / "by_id.lst"
        by_id.write_text("".join(f"{i}\t{i}\tpicture\n" for i in ids))

        spawn = multiprocessing.get_context("spawn")
        with spawn.Pool(WORLD_SIZE) as pool:
            tasks = [(rank, rec, by_id) for rank in range(WORLD_SIZE)]
            seen = pool.starmap(labels_of_rank, tasks, chunksize=1)
        for rank, records in enumerate(seen):
            print(f"rank {rank} read {len(records)} records: {records}")
        once = sorted(itertools.chain(*seen)) == sorted(map(int, ids))
        print("together they read every record exactly once:", once)


if __name__ == "__main__":
    main()
