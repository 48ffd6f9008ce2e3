"""The map-style data set: records by number, for samplers of one's own."""

import operator
import os
import threading
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, get_worker_info

from mxio import params
from mxio._epochs import check_epoch
from mxio._options import TorchOptions
from mxio.adapters.torch._batches import Tensors, Transform, transformed
from mxio.adapters.torch._readers import Readers, Told, bind
from mxio.errors import ParameterError

__all__ = ["ImageRecordMapDataset"]

# What decides an order: here that is the sampler's.
_REFUSED = {
    "batch_size": "the DataLoader has it",
    "last_batch": "the DataLoader's drop_last decides",
    "rank": "a DistributedSampler deals",
    "world_size": "a DistributedSampler deals",
    "shard": "a DistributedSampler deals",
    "num_workers": "the DataLoader has it",
    "shuffle": "the DataLoader's sampler decides",
    "shuffle_chunk_size": "the DataLoader's sampler decides",
    "shuffle_chunk_seed": "the DataLoader's sampler decides",
    "prefetch_buffer": "the DataLoader asks ahead",
}
# The epoch that is not set: it is counted for each record.
_BY_COUNT = -1


class ImageRecordMapDataset(Told, Dataset[Any]):
    """Images from RecordIO files by number, for a DataLoader with a sampler.

    >>> dataset = ImageRecordMapDataset(
    ...     path_imgrec="train.rec", data_shape=(3, 224, 224)
    ... )  # doctest: +SKIP
    >>> sampler = DistributedSampler(dataset)  # doctest: +SKIP
    >>> loader = DataLoader(dataset, 128, sampler=sampler)  # doctest: +SKIP

    dataset[i] is (data, label) of record i, counted in the order of the files: data
    (channels, height, width), label () or (label_width,). A DataLoader asks for the
    records of a whole batch at once (`__getitems__`): the native threads decode them in
    parallel, also without workers. `transform(data, label)` is called with each sample
    in the process that reads it; what it returns is the sample.

    Augmentation is drawn from (seed, epoch, record). Until `set_epoch` is called, the
    epoch of a record is how often it was asked for before, by all workers together: a
    run that takes each record once an epoch need not call it. One that is resumed must:
    the counts are in no checkpoint.

    Options of order, batches and ranks belong to the DataLoader and its sampler here:
    TypeError. Otherwise errors as for mxio.io.ImageRecordIter; IndexError for a number
    that is no record. on_error is "raise" or "replace".
    """

    def __init__(
        self, *, transform: Transform | None = None, **options: Unpack[TorchOptions]
    ) -> None:
        name = type(self).__name__
        for key, value in options.items():
            if key in _REFUSED and value is not None:
                raise TypeError(
                    f"{name} does not take the parameter {key!r}: {_REFUSED[key]}"
                )
        if options.get("on_error") == "skip":
            raise ParameterError(
                "on_error='skip' cannot leave out a record that was asked for:"
                " use 'replace'"
            )
        bound, _ = bind(
            type(self),
            {**options, "rank": 0, "world_size": 1},
            ("batch_size",),
            mesh=None,
            dp_dims=None,
            process_group=None,
        )
        # A batch of the native loader is one record here.
        self._readers = Readers(bound | {"batch_size": 1}, ahead=True)
        self._tensors = Tensors(partial=True, with_mask=False, channels_last=False)
        self._transform = params.function("transform", transform)
        self._count = self._readers.get().count()
        # How often each record was asked for; shared with workers, as is the epoch.
        self._asked = torch.zeros(self._count, dtype=torch.int32)
        self._epoch = torch.full((1,), _BY_COUNT, dtype=torch.int64)
        self._share()
        self._lock = _ProcessLock()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._share()

    def _share(self) -> None:
        for shared in (self._asked, self._epoch):
            shared.share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Any:
        (sample,) = self.__getitems__([number])
        return sample

    def __getitems__(self, numbers: Sequence[int]) -> list[Any]:
        """Several records, decoded in parallel, in the order asked for."""
        places = self._places(numbers)
        with self._lock:
            epochs = self._epochs(places)
            info = get_worker_info()
            reader = self._readers.get(*((info.id, info.num_workers) if info else ()))
            reader.fetch(places, epochs)
            batches = [self._tensors(batch) for batch in iter(reader.next, None)]
        samples = [tuple(tensor[0] for tensor in tensors) for tensors in batches]
        return [transformed(self._transform, sample) for sample in samples]

    def set_epoch(self, epoch: int) -> None:
        """The epoch of the augmentation from now on; running workers see it, too."""
        self._epoch[0] = check_epoch(epoch)

    def _places(self, numbers: Sequence[int]) -> NDArray[np.uint64]:
        asked = [operator.index(number) for number in numbers]
        for number in asked:
            if not -self._count <= number < self._count:
                raise IndexError(
                    f"there is no record {number}, they are 0 to {self._count - 1}"
                )
        places = np.array(asked, np.int64)
        return np.where(places < 0, places + self._count, places).astype(np.uint64)

    def _epochs(self, places: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The epoch of each, and count that it was asked for."""
        epoch = int(self._epoch[0])
        if epoch != _BY_COUNT:
            return np.full(len(places), epoch, np.uint64)
        asked = self._asked.numpy()
        epochs = asked[places] + _times_before(places)
        np.add.at(asked, places, 1)
        return epochs.astype(np.uint64)


ImageRecordMapDataset.__signature__ = params.signature_of(  # type: ignore[attr-defined]
    (
        row
        for name, row in params.TABLE.items()
        if row.faces & params.TORCH and name not in _REFUSED
    ),
    own=ImageRecordMapDataset.__init__,
)


def _times_before(places: NDArray[np.uint64]) -> NDArray[np.int64]:
    """How often each of them comes before, in the same request."""
    order = np.argsort(places, kind="stable")
    first = np.searchsorted(places[order], places[order])
    times = np.empty(len(places), np.int64)
    times[order] = np.arange(len(places)) - first
    return times


class _ProcessLock:
    """One consumer at a time; it pickles, and a forked child has one of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def __reduce__(self) -> Any:
        return _ProcessLock, ()

    def __enter__(self) -> None:
        if self._owner != os.getpid():  # forked, maybe while another thread held it
            self._lock, self._owner = threading.Lock(), os.getpid()
        self._lock.acquire()

    def __exit__(self, *exception: object) -> None:
        self._lock.release()
