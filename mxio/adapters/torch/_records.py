"""Records of any kind, for DataLoader and its workers."""

from collections.abc import Callable, Sequence
from typing import Any, Unpack

from mxio import params
from mxio._options import RawOptions
from mxio._ranks import Mesh, announce
from mxio.adapters.records import Making, RecordBatch, RecordReader
from mxio.adapters.torch._iterable import EpochDataset
from mxio.adapters.torch._readers import bind

__all__ = ["RecordDataset"]


class RecordDataset(EpochDataset):
    """Records of any kind from RecordIO files, dealt to ranks and DataLoader workers.

    >>> dataset = RecordDataset(json.loads, path_imgrec="notes.rec")  # doctest: +SKIP
    >>> loader = DataLoader(dataset, batch_size=64, num_workers=4)  # doctest: +SKIP

    As mxio.RecordDataset: `function` gets the payload of a record (bytes), or with
    `unpack` its header and what follows it (IRHeader, bytes), and makes the item; it is
    called in the worker. With batch_size, lists (RecordBatch) are yielded, for
    `DataLoader(dataset, batch_size=None, collate_fn=...)`, whose order does not depend
    on num_workers; without, single records, dealt to ranks and workers in turn.

    Ranks, epochs, states and workers are those of `ImageRecordDataset`.
    """

    def __init__(
        self,
        function: Callable[..., object] | None = None,
        *,
        unpack: bool = False,
        mesh: Mesh | None = None,
        dp_dims: Sequence[str] | None = None,
        process_group: Any = None,
        **options: Unpack[RawOptions],
    ) -> None:
        bound, source = bind(
            type(self),
            dict(options),
            ("batch_size",),
            face=params.RAW,
            mesh=mesh,
            dp_dims=dp_dims,
            process_group=process_group,
        )
        self._single = "batch_size" not in bound
        self._made = Making(function, unpack)
        readers = RecordReaders(bound | {"batch_size": bound.get("batch_size", 1)})
        super().__init__(readers)
        reader = readers.get()
        announce(
            bound,
            source,
            f"{reader.count()} records, {reader.batches()} items an epoch",
        )

    def _item(self, given: tuple[list[bytes], list[int], int]) -> Any:
        payloads, ordinals, pad = given
        if self._single:
            return self._made(payloads[0])
        return RecordBatch(map(self._made, payloads), ordinals, pad)

    def __len__(self) -> int:
        items: int = self._readers.get().batches()
        return items


RecordDataset.__signature__ = params.signature(  # type: ignore[attr-defined]
    params.RAW, optional=("batch_size",), own=RecordDataset.__init__
)


class RecordReaders:
    """The one reader of a process; a forked child goes on with its parent's, which has
    no threads.
    """

    partition = False

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._made: RecordReader | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_made": None}

    def get(self, worker: int = 0, workers: int = 1) -> RecordReader:
        """The same for all workers: their shares are every so many batches of it."""
        if self._made is None:
            self._made = RecordReader(self._options)
        return self._made
