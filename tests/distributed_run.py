"""A training run of several ranks, for torchrun: see test_torch_distributed.py.

    torchrun ... distributed_run.py REC FOLDER GLOBAL_BATCH WORKERS STOP

Each rank takes DDP steps to the end of 3 epochs and writes down, for each step, which
rows it got. Rank 0 keeps the state behind each step in FOLDER/state.json, and a run
begins there if there is one. With STOP >= 0 the last rank kills itself at that step.
"""

import hashlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.utils.data import DataLoader

from mxio.adapters.torch import ImageRecordDataset, Loader, global_state

EPOCHS = 3


def batches(
    options: dict[str, Any], workers: int, state: dict[str, Any] | None
) -> Iterator[tuple[int, Any, dict[str, Any]]]:
    """(epoch, batch, state behind it) to the end of the last epoch.

    workers 0: Loader; else DataLoader over ImageRecordDataset, whose iterators' states
    come with the batches.
    """
    first = 0 if state is None else state["epoch"]
    source: Any = ImageRecordDataset(**options) if workers else Loader(**options)
    if state is not None:
        source.load_state_dict(state)
    for epoch in range(first, EPOCHS):
        source.set_epoch(epoch)
        if not workers:
            for batch in source:
                yield epoch, batch, source.state_dict()
            continue
        for batch, place in DataLoader(
            WithState(source), batch_size=None, num_workers=workers
        ):
            yield epoch, batch, global_state(json.loads(place))


class WithState(torch.utils.data.IterableDataset[Any]):
    """The batches of a data set, each with the state behind it as text."""

    def __init__(self, source: ImageRecordDataset) -> None:
        self.source = source

    def __iter__(self) -> Iterator[Any]:
        batches: Any = iter(self.source)
        for batch in batches:
            yield batch, json.dumps(batches.state_dict())


def main(rec: str, folder: Path, whole: int, workers: int, stop: int) -> None:
    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    kept = folder / "state.json"
    state = json.loads(kept.read_text()) if kept.exists() else None
    options: dict[str, Any] = {
        "path_imgrec": rec,
        "data_shape": (3, 8, 8),
        "batch_size": whole // world,
        "last_batch": "pad",
        "with_mask": True,
        "shuffle": True,
        "rand_crop": True,
        "rand_mirror": True,
        "seed": 11,
        "preprocess_threads": 1,
    }
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(3 * 8 * 8, 1))
    steps = 0
    with (folder / f"rank{rank}of{world}.jsonl").open("a") as log:
        for epoch, (data, label, mask), behind in batches(options, workers, state):
            if steps == stop and rank == world - 1:
                os.kill(os.getpid(), signal.SIGKILL)
            model(data.flatten(1)).sum().backward()  # waits for all ranks
            digests = [hashlib.sha256(row.numpy()).hexdigest() for row in data]
            rows = list(zip(label.int().tolist(), mask.tolist(), digests, strict=True))
            done = behind["samples"]
            print(json.dumps([epoch, done, rank, rows]), file=log, flush=True)
            dist.barrier()
            if rank == 0:
                kept.with_suffix(".new").write_text(json.dumps(behind))
                kept.with_suffix(".new").rename(kept)
            steps += 1
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
