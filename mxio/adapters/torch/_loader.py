"""A loader that needs no DataLoader: native threads in this process."""

import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self, Unpack

import torch

from mxio import _state, params
from mxio._options import TorchOptions
from mxio._ranks import Mesh, announce
from mxio.adapters.torch._batches import Tensors, Transform, transformed
from mxio.adapters.torch._device import Copies, Sent, pinned
from mxio.adapters.torch._readers import PARTIAL, Readers, Told, bind
from mxio.adapters.torch._resume import refuse_part
from mxio.errors import MxioError, ParameterError
from mxio.loader import ImageLoader

__all__ = ["EpochSetter", "Loader"]

_LABEL_TYPES = params.TABLE["label_dtype"].choices


class Loader(Told):
    """Batches of images from RecordIO files as tensors, for the training loop itself.

    >>> loader = Loader(
    ...     path_imgrec="train.rec", data_shape=(3, 224, 224), batch_size=128,
    ...     device="cuda",
    ... )  # doctest: +SKIP
    >>> for data, label in loader:  # one epoch  # doctest: +SKIP
    ...     step(data, label)

    No DataLoader and no worker process: the native threads of this process do the work
    (`preprocess_threads`), and batches lie in its memory. Wrappers such as Accelerate
    and Lightning leave it as it is, since it is an iterable and not a DataLoader.

    data: (batch_size, channels, height, width), with `channels_last` in torch's memory
    format of that name, without a copy. label: (batch_size,) int64 when label_width is
    1 and no label_dtype is given, else float32, (batch_size, label_width).
    `with_mask`: a third tensor, (batch_size,) bool, False for the rows that
    last_batch="pad" repeats. `transform(data, label)`, or (data, label, mask), returns
    what is yielded instead; it sees CPU tensors.

    `device`: batches are copied there one ahead, on a stream of their own, from
    page-locked memory. `pin_memory`: whether batches lie in page-locked memory; None
    means yes if CUDA is there.

    Each `iter` is the next epoch, the first is epoch 0; it ends the iteration before.
    `set_epoch`, or `sampler.set_epoch` as frameworks call it, chooses one. `len` is
    the exact number of batches of a whole epoch for this rank. `state_dict` at any
    batch, and `load_state_dict` before the next `iter`, go on where a run stopped,
    with any batch_size, threads and number of ranks. Ranks are found as
    `ImageRecordDataset` does. `with` closes.

    Errors as for mxio.io.ImageRecordIter. ParameterError for a device that is not
    there, and for pin_memory=True without an accelerator.
    """

    def __init__(
        self,
        *,
        device: torch.device | str | None = None,
        pin_memory: bool | None = None,
        channels_last: bool = False,
        with_mask: bool = False,
        transform: Transform | None = None,
        mesh: Mesh | None = None,
        dp_dims: Sequence[str] | None = None,
        process_group: Any = None,
        **options: Unpack[TorchOptions],
    ) -> None:
        name = type(self).__name__
        given: dict[str, Any] = dict(options)
        if given.get("num_workers") is not None:
            raise TypeError(f"{name} does not take the parameter 'num_workers'")
        channels_last = params.flag("channels_last", channels_last)
        if channels_last:
            layout = given.get("layout")
            if layout not in (None, "NHWC"):
                raise ParameterError(
                    f"channels_last wants layout='NHWC', got {layout!r}"
                )
            given["layout"] = "NHWC"
        bound, source = bind(
            type(self), given, mesh=mesh, dp_dims=dp_dims, process_group=process_group
        )
        if bound.get("label_width", 1) == 1:
            bound.setdefault("label_dtype", _LABEL_TYPES.index("int64"))
        self.batch_size: int = bound["batch_size"]
        self._tensors = Tensors(
            partial=bound.get("last_batch", PARTIAL) == PARTIAL,
            with_mask=params.flag("with_mask", with_mask),
            channels_last=channels_last,
        )
        self._transform = params.function("transform", transform)
        self._pin = _wants_pinned(pin_memory)
        self._copies = None if device is None else _copies_to(device)
        self._cursor = _state.Cursor()
        self._samples = 0
        self._live: weakref.ref[_Epoch] | None = None
        self._readers = Readers(bound)
        reader = self._readers.get()
        announce(
            bound,
            source,
            f"{reader.count()} records, {reader.batches()} batches an epoch",
        )

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_live": None}

    def __len__(self) -> int:
        return self._readers.get().batches()

    def __iter__(self) -> Iterator[Any]:
        self._end("another iteration of the loader has begun")
        begun = _Epoch(self)
        self._live = weakref.ref(begun)
        return begun

    @property
    def sampler(self) -> "EpochSetter":
        """What frameworks call `set_epoch` of."""
        return EpochSetter(self)

    def set_epoch(self, epoch: int) -> None:
        """The number of the next epoch, from 0; also of an iteration that has not given
        its first batch yet. A position that `load_state_dict` set in it is kept.
        """
        self._cursor.set_epoch(epoch)
        if not self._under_way():
            self._cursor.begun = None

    def reset(self) -> None:
        """Give up what is left of the epoch; the next `iter` is the epoch after it."""
        self._end("the loader was reset")
        self._cursor.begun = None

    def state_dict(self) -> dict[str, Any]:
        """Where the loader is, behind the last batch that it gave: plain values, for a
        checkpoint. An epoch that was left half done can be finished from it.
        """
        reader = self._readers.get()
        if self._cursor.begun is not None:
            return _state.make(reader, self._cursor.begun, self._samples)
        return _state.make(reader, self._cursor.epoch, self._cursor.samples)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next `iter` go on where a state was taken; no record before that is
        read.

        The state of another Loader, or what `global_state` gave. An iteration that has
        begun ends, and taking from it raises MxioError. ParameterError, naming every
        difference, for a state of other files or options.
        """
        refuse_part(state)
        epoch, samples = _state.check(self._readers.get(), state)
        if self._under_way():
            self._end("a state was loaded since it began")
        self._cursor.load(epoch, samples)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _end(self, why: str) -> None:
        live = None if self._live is None else self._live()
        if live is not None:
            live.outdated = live.outdated or why

    def _under_way(self) -> bool:
        """An iteration has given a batch and can give more."""
        live = None if self._live is None else self._live()
        return live is not None and live.started and not live.over


Loader.__signature__ = params.signature_of(  # type: ignore[attr-defined]
    (
        row
        for name, row in params.TABLE.items()
        if row.faces & params.TORCH and name != "num_workers"
    ),
    own=Loader.__init__,
)


class EpochSetter:
    """A sampler as far as frameworks ask a loader for one: it has `set_epoch`."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def set_epoch(self, epoch: int) -> None:
        """The number of the loader's next epoch."""
        self._loader.set_epoch(epoch)


def _wants_pinned(asked: bool | None) -> bool:
    if asked is None:
        return torch.cuda.is_available()
    wanted = params.flag("pin_memory", asked)
    if wanted and not torch.accelerator.is_available():
        raise ParameterError("pin_memory=True needs an accelerator, torch finds none")
    return wanted


def _copies_to(device: torch.device | str) -> Copies | None:
    """None for the CPU, where batches are."""
    try:
        place = torch.device(device)
        return None if place.type == "cpu" else Copies(place)
    except (AssertionError, RuntimeError, TypeError) as error:
        raise ParameterError(
            f"device must be one that torch has here, got {device!r}: {error}"
        ) from error


class _Ahead(NamedTuple):
    """What the native loader gave, before its turn: an item, or why there is none."""

    item: Any
    samples: int
    error: Exception | None


class _Epoch(Iterator[Any]):
    """The batches of one epoch. Its number is known when the first is asked for:
    Lightning sets the epoch after `iter`.
    """

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self.started = False
        self.over = False
        self.outdated = ""
        self._ahead: _Ahead | None = None
        self._reader: ImageLoader | None = None

    def __next__(self) -> Any:
        if self.over:
            raise StopIteration
        if self.outdated:
            raise MxioError(f"this iteration is over: {self.outdated}")
        if not self.started:
            self._start()
        loader = self._loader
        taken = self._ahead or self._fetch()
        self._ahead = None
        if loader._copies is not None and taken.error is None:
            self._ahead = taken  # Ctrl-C in what follows leaves it its turn
            taken = taken._replace(item=loader._copies.receive(taken.item))
            self._ahead = self._fetch()
        loader._samples = taken.samples
        if isinstance(taken.error, StopIteration):
            self.over = True
            loader._cursor.begun = None
        if taken.error is not None:
            raise taken.error
        return taken.item

    def _start(self) -> None:
        cursor = self._loader._cursor
        self.started = True
        self._loader._samples = cursor.samples
        self._reader = self._loader._readers.get()
        self._reader.start(cursor.epoch, cursor.samples)
        cursor.begin()

    def _fetch(self) -> _Ahead:
        """The next batch on its way; a failure waits for the batch's turn."""
        loader, reader = self._loader, self._reader
        assert reader is not None  # it has started
        item: Any = None
        error: Exception | None = None
        try:
            batch = reader.next()
            if batch is None:
                error = StopIteration()
            else:
                item = self._finished(loader._tensors(batch))
        except Exception as failure:
            error = failure
        return _Ahead(item, reader.samples(), error)

    def _finished(self, tensors: tuple[torch.Tensor, ...]) -> Sent | Any:
        loader = self._loader
        item = transformed(loader._transform, tensors)
        if loader._pin:
            item = pinned(item)
        return item if loader._copies is None else loader._copies.send(item)
