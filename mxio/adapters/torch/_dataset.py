"""The IterableDataset: batches or samples, for DataLoader and its workers."""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import torch

from mxio import params
from mxio._options import TorchOptions
from mxio._ranks import Mesh, announce
from mxio.adapters.torch._batches import Tensors, Transform, transformed
from mxio.adapters.torch._iterable import Epoch, EpochDataset
from mxio.adapters.torch._readers import PARTIAL, Readers, Told, bind
from mxio.adapters.torch._resume import Place, place_of
from mxio.errors import ParameterError
from mxio.loader import Batch, ImageLoader

__all__ = ["ImageRecordDataset"]

# Without batch_size, records are read and dealt in units of this many.
_SAMPLES_AT_ONCE = 32


class ImageRecordDataset(Told, EpochDataset):
    """Images from RecordIO files, decoded and augmented by native threads.

    >>> dataset = ImageRecordDataset(
    ...     path_imgrec="train.rec", data_shape=(3, 224, 224), batch_size=128
    ... )  # doctest: +SKIP
    >>> loader = DataLoader(dataset, batch_size=None, num_workers=0)  # doctest: +SKIP

    With batch_size it yields whole batches, for `DataLoader(dataset, batch_size=None)`:
    data (batch_size, channels, height, width) and labels (batch_size,), or (batch_size,
    label_width). Their order does not depend on num_workers. Without batch_size it
    yields single samples, (channels, height, width) and a label; then only the set of
    samples is promised, not their order.

    `transform(data, label)` is called with what would be yielded, a batch or a sample,
    in the process that reads it; what it returns is yielded instead. `with_mask`
    yields (data, label, mask): mask (batch_size,) is False for the rows that
    last_batch="pad" repeats; transform then gets all three.

    shard="records" deals whole batches of one global order to ranks and workers;
    "partition" lets each worker of each rank read one RecordIO partition from end to
    end, as MXNet's num_parts and part_index do; `len` of the latter needs num_workers.
    Which rank this is comes from the first of rank= and world_size=, mesh= (a
    DeviceMesh: its data-parallel dimensions, `dp_dims` when they have other names),
    process_group=, torch.distributed, RANK and WORLD_SIZE; it is decided here, not in
    a worker, and logged.

    Each `iter` is the next epoch, and ends the one before; `set_epoch` chooses one.
    What `iter` returns has `state_dict` and `load_state_dict`, so that torchdata's
    StatefulDataLoader resumes at any batch; `global_state` of its state, given to
    `load_state_dict` of a data set, resumes with another number of workers or ranks.

    Errors as for mxio.io.ImageRecordIter. on_error="skip" needs a single reader.
    """

    _readers: Readers

    def __init__(
        self,
        *,
        transform: Transform | None = None,
        with_mask: bool = False,
        mesh: Mesh | None = None,
        dp_dims: Sequence[str] | None = None,
        process_group: Any = None,
        **options: Unpack[TorchOptions],
    ) -> None:
        self._transform = params.function("transform", transform)
        with_mask = params.flag("with_mask", with_mask)
        bound, source = bind(
            type(self),
            dict(options),
            ("batch_size",),
            mesh=mesh,
            dp_dims=dp_dims,
            process_group=process_group,
        )
        declared: int | None = bound.pop("num_workers", None)
        self._samples = "batch_size" not in bound
        partial = bound.get("last_batch", PARTIAL) == PARTIAL
        if self._samples and (not partial or with_mask):
            raise ParameterError(
                f"{'with_mask' if partial else 'last_batch'} needs batch_size:"
                " single samples have no last batch"
            )
        bound.setdefault("batch_size", _SAMPLES_AT_ONCE)
        self._tensors = Tensors(
            partial=partial, with_mask=with_mask, channels_last=False
        )
        super().__init__(Readers(bound), declared)
        # Files and parameters are checked here, before any worker starts.
        reader = self._readers.get(0, declared or 1)
        what = f"{bound['batch_size']} records a batch"
        if not self._readers.partition:
            unit = "samples" if self._samples else "batches"
            what = f"{reader.count()} records, {len(self)} {unit} an epoch"
        announce(bound, source, what)

    def _begin(self, reader: ImageLoader, slot: int, epoch: int, place: Place) -> Epoch:
        kind = _Samples if self._samples else Epoch
        return kind(self, reader, slot, epoch, place)

    def _item(self, given: Batch) -> Any:
        return transformed(self._transform, self._tensors(given))

    def __len__(self) -> int:
        if not self._readers.partition:
            reader = self._readers.get()
            if not self._samples:
                return reader.batches()
            return _dealt(reader.count(), self._readers.world, self._readers.rank)
        if self._declared_workers is None:
            raise TypeError(
                "len() of shard='partition' depends on the number of workers:"
                " give num_workers="
            )
        workers = max(1, self._declared_workers)
        readers = [self._readers.get(worker, workers) for worker in range(workers)]
        return sum(r.count() if self._samples else r.batches() for r in readers)


ImageRecordDataset.__signature__ = params.signature(  # type: ignore[attr-defined]
    params.TORCH, optional=("batch_size",), own=ImageRecordDataset.__init__
)


def _dealt(count: int, world: int, rank: int) -> int:
    """Samples of this rank when units of _SAMPLES_AT_ONCE are dealt out."""
    whole, rest = divmod(count, world * _SAMPLES_AT_ONCE)
    own = min(max(rest - rank * _SAMPLES_AT_ONCE, 0), _SAMPLES_AT_ONCE)
    return whole * _SAMPLES_AT_ONCE + own


class _Samples(Epoch):
    """The same, one sample at a time, from batches of _SAMPLES_AT_ONCE."""

    def __init__(
        self,
        dataset: ImageRecordDataset,
        reader: ImageLoader,
        slot: int,
        epoch: int,
        place: Place,
    ) -> None:
        super().__init__(dataset, reader, slot, epoch, place)
        self._images = dataset
        self._before = place
        self._rows: list[tuple[torch.Tensor, ...]] = []

    def __next__(self) -> Any:
        self._check()
        if self._before.row == len(self._rows):
            self._before, self._rows = self._place, []
            self._rows = list(
                zip(*self._images._tensors(self._next_given()), strict=True)
            )
        row = self._before.row
        behind = self._before._replace(row=row + 1)
        try:
            item = transformed(self._images._transform, self._rows[row])
        except Exception:
            self._before = behind
            raise
        self._before = behind  # not so after Ctrl-C
        return item

    def state_dict(self) -> dict[str, Any]:
        place = self._before
        if place.row == len(self._rows):
            place = self._place
        readers = self._images._readers
        exact = place.workers == readers.world == 1 and not readers.skips
        if exact:
            place = place._replace(samples=place.samples + place.row)
        return place_of(self._reader, self._epoch, place, exact=exact)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self._before = self._place._replace(row=0)
