"""The torch half of mxio.adapters.insightface."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader

from mxio._ranks import fill_rank
from mxio.adapters.torch._dataset import ImageRecordDataset
from mxio.adapters.torch._device import Copies, Sent
from mxio.adapters.torch._loader import Loader

__all__ = ["FaceDataLoader", "Synthetic", "device_of", "native"]

_SYNTHETIC = 1_000_000  # samples, as in arcface_torch
_SIDE = 112


def device_of(local_rank: int) -> torch.device:
    """The CUDA device of a rank, the CPU where there is none."""
    there = torch.cuda.is_available()
    return torch.device("cuda", local_rank) if there else torch.device("cpu")


def native(device: torch.device, options: dict[str, Any]) -> Loader:
    """Native threads in this process."""
    return Loader(device=device, **options)


class FaceDataLoader(DataLoader[Any]):
    """A DataLoader whose batches the data set makes: `sampler.set_epoch` reaches it,
    and batches come on the device, ordered one ahead.
    """

    def __init__(
        self, device: torch.device, num_workers: int, options: dict[str, Any]
    ) -> None:
        dataset = ImageRecordDataset(**options)
        super().__init__(
            dataset,
            batch_size=None,
            num_workers=num_workers,
            pin_memory=device.type == "cuda",
        )
        self._copies = None if device.type == "cpu" else Copies(device)
        # torch lets nobody replace the sampler; all it asks of this one is to go on.
        object.__setattr__(self, "sampler", _EpochSampler(dataset))

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # a generator will do
        batches = super().__iter__()
        return batches if self._copies is None else _ahead(batches, self._copies)


def _ahead(batches: Iterator[Any], copies: Copies) -> Iterator[Any]:
    sent: Sent | None = None
    for batch in batches:
        last, sent = sent, copies.send(batch)
        if last is not None:
            yield copies.receive(last)
    if sent is not None:
        yield copies.receive(sent)


class _EpochSampler:
    """Endless, as a DataLoader wants it for a data set that makes its own order."""

    def __init__(self, dataset: ImageRecordDataset) -> None:
        self._dataset = dataset

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None

    def set_epoch(self, epoch: int) -> None:
        """The number of the next epoch."""
        self._dataset.set_epoch(epoch)


class Synthetic:
    """A million times the same noise, with label 1, dealt to all ranks."""

    def __init__(self, device: torch.device, batch_size: int) -> None:
        share: dict[str, Any] = {}
        fill_rank(share)
        levels = torch.randint(0, 255, (3, _SIDE, _SIDE))
        image = (levels.float() / 255 - 0.5) / 0.5
        self._data = image.repeat(batch_size, 1, 1, 1).to(device)
        self._label = torch.ones(batch_size, dtype=torch.int64, device=device)
        self._batches = _SYNTHETIC // (batch_size * int(share["world_size"]))

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for _ in range(self._batches):
            yield self._data, self._label

    def reset(self) -> None:
        """Every iteration is whole already."""
