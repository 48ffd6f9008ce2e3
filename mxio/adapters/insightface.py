"""InsightFace: its training loader, and batches of P identities by K images."""

import errno
import os
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mxio import _core, params
from mxio._files import resolve
from mxio._identities import Identities
from mxio._patience import timeout_of
from mxio._ranks import fill_rank
from mxio._scan import Records
from mxio._views import View, settle
from mxio.errors import DataError, ParameterError, system_error
from mxio.recordio import unpack

__all__ = ["Identities", "IdentityBatches", "get_dataloader"]

# DALI's sizes for faces of 112 pixels, int(112 * 0.5) to int(112 * 0.8), as ratios.
_DALI_AUGMENTATION = {
    "rand_downscale_prob": 0.1,
    "min_downscale": 0.5,
    "max_downscale": 89 / 112,
    "rand_blur_prob": 0.2,
    "max_blur_radius": 2,
    "rand_hsv_prob": 0.2,
    "max_hue_turn": 20.0,
    "max_saturation_gain": 1.2,
    "rand_gray_prob": 0.1,
}
_MEAN = 127.5


class HasIdentities(Protocol):
    """A loader or data set of mxio that knows whose pictures it holds."""

    @property
    def identities(self) -> Identities: ...


class IdentityBatches:
    """Batches of `p` identities with `k` images each, for triplets and other metric
    learning: lists of p * k positions in a data set, k of an identity in a row.

    >>> batches = IdentityBatches(dataset, p=32, k=4, seed=1)  # doctest: +SKIP
    >>> loader = DataLoader(map_dataset, batch_sampler=batches)  # doctest: +SKIP

    An epoch visits every identity that has at least `min_images` once, in an order of
    its own; those that make no whole step of all ranks are left out. The images of an
    identity are a random choice, each once before any comes again. All of it is a pure
    function of (seed, epoch); of world_size ranks each takes its share of every step.
    Each `iter` is the next epoch, the first is epoch 0; `set_epoch` chooses.

    dataset: anything with `identities`, or an `Identities`. rank, world_size: as for
    the loaders. ParameterError for numbers out of range, and for too few identities.
    """

    def __init__(
        self,
        dataset: HasIdentities | Identities,
        p: int,
        k: int,
        *,
        seed: int = 0,
        min_images: int = 1,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        self.p = params.whole("p", p, 1)
        self.k = params.whole("k", k, 1)
        self._seed = params.whole("seed", seed, -(2**62))
        if self._seed > 2**62:
            raise ParameterError(f"seed must be at most 2^62, got {seed}")
        share = {"rank": rank, "world_size": world_size}
        share = {name: value for name, value in share.items() if value is not None}
        found: dict[str, Any] = dict(share)
        fill_rank(found)
        self._rank: int = found["rank"]
        self._world: int = found["world_size"]
        self._identities = (
            dataset if isinstance(dataset, Identities) else dataset.identities
        )
        least = params.whole("min_images", min_images, 1)
        self._chosen = np.flatnonzero(self._identities.count >= least)
        self._epoch = 0
        if len(self) == 0:
            raise ParameterError(
                f"p={p} identities on {self._world} ranks are more than the"
                f" {len(self._chosen)} that have at least {least} images"
            )

    def __len__(self) -> int:
        return len(self._chosen) // (self.p * self._world)

    def __iter__(self) -> Iterator[list[int]]:
        epoch, self._epoch = self._epoch, self._epoch + 1
        return (self._batch(epoch, step) for step in range(len(self)))

    def set_epoch(self, epoch: int) -> None:
        """The number of the next epoch, from 0; each `iter` adds one."""
        self._epoch = params.whole("epoch", epoch, 0)

    def _batch(self, epoch: int, step: int) -> list[int]:
        first = (step * self._world + self._rank) * self.p
        places = _permuted(self._seed, epoch, len(self._chosen), first, self.p)
        out: list[int] = []
        for identity in self._chosen[places].tolist():
            images = self._identities.images(identity)
            # An order of its own for each identity; seed alone is that of identities.
            which = _permuted(self._seed + 1 + identity, epoch, len(images), 0, self.k)
            out += images[which].tolist()
        return out


def _permuted(
    seed: int, epoch: int, count: int, first: int, rows: int
) -> NDArray[np.int64]:
    block = _core.permutation(seed, epoch, count, first, rows)
    return np.frombuffer(memoryview(block), np.uint64).astype(np.int64)


def get_dataloader(
    root_dir: str,
    local_rank: int,
    batch_size: int,
    dali: bool = False,
    dali_aug: bool = False,
    seed: int | None = 2048,
    num_workers: int = 2,
) -> Iterable[Any]:
    """The training loader of InsightFace's arcface_torch, without MXNet and DALI.

    root_dir: a folder with train.rec and train.idx, in InsightFace's layout or what
    shuffle_rec.py makes of it; or "synthetic" for a million times the same noise. It
    yields (images, labels): float32 (batch_size, 3, height, width), red first, of the
    size of the first image, (x - 127.5) / 127.5, half of them mirrored; and int64
    (batch_size,). Batches are on the CUDA device `local_rank` where there is one. All
    images are shuffled together, and ranks, those of torch.distributed, get equally
    many whole batches.

    dali=False: a torch DataLoader with `num_workers` and `sampler.set_epoch`.
    dali=True: `mxio.adapters.torch.Loader`, native threads in this process, with
    `reset`; each iteration is the next epoch. dali_aug, with dali=True: low resolution,
    blur, hue and saturation, and gray, as often and as much as arcface_torch asks of
    DALI.

    FileNotFoundError when train.rec or train.idx is missing: mxio packs a folder of
    images with im2rec. Other errors as for mxio.io.ImageRecordIter.
    """
    from mxio.adapters.torch import _faces

    device = _faces.device_of(local_rank)
    if root_dir == "synthetic":
        return _faces.Synthetic(device, batch_size)
    rec, idx = (os.path.join(root_dir, f"train.{kind}") for kind in ("rec", "idx"))
    for path in (rec, idx):
        if not os.path.exists(path):
            raise system_error(
                errno.ENOENT,
                "a folder of images is packed by im2rec, here is no such file",
                path,
            )
    options: dict[str, Any] = {
        "path_imgrec": rec,
        "path_imgidx": idx,
        "data_shape": _shape(rec, idx),
        "batch_size": batch_size,
        "shuffle": True,
        "seed": 0 if seed is None else seed,
        "rand_mirror": True,
        "last_batch": "drop",
        "label_dtype": "int64",
    }
    for colour in "rgb":
        options |= {f"mean_{colour}": _MEAN, f"std_{colour}": _MEAN}
    if not dali:
        return _faces.FaceDataLoader(device, num_workers, options)
    if dali_aug:
        options |= _DALI_AUGMENTATION
    return _faces.native(device, options)


def _shape(rec: str, idx: str) -> tuple[int, int, int]:
    """(3, height, width) of the first image."""
    options: dict[str, Any] = {"path_imgrec": rec, "path_imgidx": idx}
    settle(options)
    view: View | None = options.get("records")
    first = 0 if view is None else view.first
    records = Records(resolve(rec), idx, timeout=timeout_of(options))
    _, image = unpack(records.read(first))
    found = _core.probe(image)
    if found is None:
        raise DataError(f"{rec}: record {first} is neither JPEG nor PNG", rec, first)
    _, height, width, _, _ = found
    return 3, height, width
