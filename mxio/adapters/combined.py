"""Iterators over other iterators: ResizeIter and PrefetchingIter."""

import os
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple, Never, Protocol

from mxio import params
from mxio.adapters.dataiter import DataBatch, DataDesc, DataIter, no_batch
from mxio.errors import MxioError, ParameterError

__all__ = ["PrefetchingIter", "ResizeIter"]

_PATIENCE = 1.0  # seconds that a batch under way may hold up the end of its iterator


class _Inner(Protocol):
    """What is asked of an iterator by those around it."""

    batch_size: int

    @property
    def provide_data(self) -> Sequence[Any]: ...

    @property
    def provide_label(self) -> Sequence[Any]: ...

    def next(self) -> DataBatch: ...

    def reset(self) -> None: ...


class _Outer(DataIter):
    """An iterator whose batches are made by others."""

    current_batch: DataBatch | None = None

    def next(self) -> DataBatch:
        """The next batch; StopIteration at the end of the epoch, until `reset`."""
        if not self.iter_next():
            raise StopIteration
        return self._current()

    def _current(self) -> DataBatch:
        if self.current_batch is None:
            raise no_batch()
        return self.current_batch

    def getdata(self) -> Any:
        """Data of the current batch."""
        return self._current().data

    def getlabel(self) -> Any:
        """Label of the current batch."""
        return self._current().label

    def getindex(self) -> Any:
        """Ids of the current batch's records."""
        return self._current().index

    def getpad(self) -> Any:
        """Rows of padding in the current batch."""
        return self._current().pad


class ResizeIter(_Outer):
    """Exactly `size` batches an epoch, whatever the iterator behind it has.

    >>> from mxio.adapters.arrays import NDArrayIter
    >>> batches = ResizeIter(NDArrayIter([[0, 1, 2]]), size=5)
    >>> [int(batch.data[0][0]) for batch in batches]
    [0, 1, 2, 0, 1]

    data_iter is reset whenever it ends. `reset` begins a new epoch and resets
    data_iter, too, unless reset_internal is False: then it goes on where it was.
    provide_data, provide_label, batch_size, and default_bucket_key if there is one, are
    those of data_iter. ParameterError for a size below 0; MxioError from `next` when
    data_iter has no batch at all.
    """

    default_bucket_key: Any

    def __init__(
        self,
        data_iter: _Inner,
        size: int,
        reset_internal: bool = True,
        **unknown: Never,
    ) -> None:
        known = ("data_iter", "size", "reset_internal")
        params.refuse_unknown(type(self).__name__, unknown, known)
        super().__init__(data_iter.batch_size)
        self.data_iter = data_iter
        self.size = params.whole("size", size, 0)
        self.reset_internal = params.flag("reset_internal", reset_internal)
        self.cur = 0
        self.provide_data = data_iter.provide_data
        self.provide_label = data_iter.provide_label
        if hasattr(data_iter, "default_bucket_key"):
            self.default_bucket_key = data_iter.default_bucket_key

    def reset(self) -> None:
        """Begin the next epoch."""
        self.cur = 0
        self.current_batch = None
        if self.reset_internal:
            self.data_iter.reset()

    def iter_next(self) -> bool:
        """Move to the next batch; False behind `size` of them, until `reset`."""
        if self.cur == self.size:
            return False
        try:
            self.current_batch = self.data_iter.next()
        except StopIteration:
            self.current_batch = self._first_again()
        self.cur += 1
        return True

    def _first_again(self) -> DataBatch:
        self.data_iter.reset()
        try:
            return self.data_iter.next()
        except StopIteration:
            kind = type(self.data_iter).__name__
            raise MxioError(
                f"ResizeIter needs {self.size} batches, but data_iter ({kind}) has "
                "none, even after reset()"
            ) from None


class PrefetchingIter(_Outer):
    """Iterators side by side, the next batch of each taken in advance by a thread.

    >>> from mxio.adapters.arrays import NDArrayIter
    >>> left, right = NDArrayIter([[0, 1]]), NDArrayIter([[5, 6]])
    >>> names = [{"data": "left"}, {"data": "right"}]
    >>> both = PrefetchingIter([left, right], rename_data=names)
    >>> both.provide_data
    [DataDesc[left,(1,),<class 'numpy.float32'>,NCHW], \
DataDesc[right,(1,),<class 'numpy.float32'>,NCHW]]
    >>> [int(array[0]) for batch in both for array in batch.data]
    [0, 5, 1, 6]

    A batch has the data and labels of all iterators, and pad and index of the first.
    iters: one iterator or several, which must give equally many batches of equal pad;
    AssertionError when they do not. rename_data, rename_label: for each iterator a dict
    from its names to new ones; KeyError for a name that is missing there. batch_size
    is the first length of the first data.

    What an iterator raises while its batch is taken comes from the `next` that would
    have given it, and costs that batch of all iterators; the `next` after it goes on.
    Threads start with the first `next` and end with the object. After a fork the child
    cannot go on with it: MxioError.
    """

    def __init__(
        self,
        iters: _Inner | Sequence[_Inner],
        rename_data: Sequence[Mapping[str, str]] | None = None,
        rename_label: Sequence[Mapping[str, str]] | None = None,
        **unknown: Never,
    ) -> None:
        known = ("iters", "rename_data", "rename_label")
        params.refuse_unknown(type(self).__name__, unknown, known)
        self.iters = list(iters) if isinstance(iters, Sequence) else [iters]
        if not self.iters:
            raise ParameterError("iters must hold at least one iterator, got none")
        self._check_renaming("rename_data", rename_data)
        self._check_renaming("rename_label", rename_label)
        self.rename_data = rename_data
        self.rename_label = rename_label
        self._lookaheads = [_Lookahead(inner) for inner in self.iters]
        self._asked = False
        self._process: int | None = None
        super().__init__(self.provide_data[0].shape[0])
        _ = self.provide_label  # a name that rename_label lacks shows here
        weakref.finalize(self, _stop, self._lookaheads)

    @property
    def provide_data(self) -> list[DataDesc]:
        """Name, shape, dtype and layout of each data array, renamed."""
        return _renamed([inner.provide_data for inner in self.iters], self.rename_data)

    @property
    def provide_label(self) -> list[DataDesc]:
        """Name, shape, dtype and layout of each label array, renamed."""
        return _renamed(
            [inner.provide_label for inner in self.iters], self.rename_label
        )

    def reset(self) -> None:
        """Wait for the batches under way, drop them, and begin the next epoch."""
        self._check_process()
        for lookahead in self._lookaheads:
            lookahead.answer()
        running = self._asked
        self._asked = False
        self.current_batch = None
        for inner in self.iters:
            inner.reset()
        if running:
            self._ask()

    def iter_next(self) -> bool:
        """Move to the next batch; False at the end of the epoch, until `reset`."""
        self._check_process()
        if not self._asked:
            self._ask()
        answers = [lookahead.answer() for lookahead in self._lookaheads]
        for answer in answers:
            if isinstance(answer, _Failure):
                self._ask()
                try:
                    raise answer.error
                finally:
                    del answer, answers  # the traceback of the error holds this frame
        batches = [answer for answer in answers if answer is not None]
        if not batches:
            return False
        self._check_equal(batches)
        self.current_batch = DataBatch(
            data=[array for batch in batches for array in batch.data],
            label=[array for batch in batches for array in batch.label or ()],
            pad=batches[0].pad,
            index=batches[0].index,
            provide_data=self.provide_data,
            provide_label=self.provide_label,
        )
        self._ask()
        return True

    def _ask(self) -> None:
        self._process = os.getpid()
        for lookahead in self._lookaheads:
            lookahead.ask()
        self._asked = True

    def _check_equal(self, batches: list[Any]) -> None:
        what = "Number of entry mismatches between iterators"
        if len(batches) < len(self.iters):
            raise AssertionError(
                f"{what}: {len(self.iters) - len(batches)} of {len(self.iters)} ended"
            )
        pads = [batch.pad for batch in batches]
        if any(pad != pads[0] for pad in pads):
            raise AssertionError(f"{what}: their batches have pad {pads}")

    def _check_renaming(
        self, name: str, maps: Sequence[Mapping[str, str]] | None
    ) -> None:
        if maps is None:
            return
        if not isinstance(maps, list | tuple):
            raise TypeError(f"{name} must be a list of dicts, got {maps!r}")
        if len(maps) != len(self.iters):
            raise ParameterError(
                f"{name} must have one dict for each of the {len(self.iters)} "
                f"iterators, got {len(maps)}"
            )

    def _check_process(self) -> None:
        if self._process is not None and self._process != os.getpid():
            raise MxioError(
                f"this PrefetchingIter has its threads in process {self._process}; "
                f"make another one in the forked process {os.getpid()}"
            )


class _Failure(NamedTuple):
    """What an iterator raised instead of giving a batch."""

    error: BaseException


class _Lookahead:
    """An iterator, and a thread that takes its next batch when asked to."""

    def __init__(self, inner: _Inner) -> None:
        self._inner = inner
        self._questions: SimpleQueue[bool] = SimpleQueue()
        self._answers: SimpleQueue[Any] = SimpleQueue()
        self._answer: Any = None
        self._open = False
        self.thread: threading.Thread | None = None

    def ask(self) -> None:
        """Have the next batch taken, unless one is under way."""
        if self._open:
            return
        if self.thread is None:
            # The thread knows neither this object nor its owner, who may go away.
            thread = threading.Thread(
                target=_take_batches,
                args=(self._inner, self._questions, self._answers),
                name="mxio-prefetch",
                daemon=True,
            )
            thread.start()
            self.thread = thread
        self._answer = None
        self._open = True
        self._questions.put(True)

    def answer(self) -> Any:
        """Wait for the batch under way, None at the end of the epoch, or a _Failure;
        the same again until the next `ask`.
        """
        if self._open:
            self._answer = self._answers.get()
            self._open = False
        return self._answer

    def stop(self) -> None:
        """Have the thread end after the batch under way."""
        self._questions.put(False)


def _take_batches(
    inner: _Inner, questions: SimpleQueue[bool], answers: SimpleQueue[Any]
) -> None:
    while questions.get():
        try:
            answers.put(inner.next())
        except StopIteration:
            answers.put(None)
        except BaseException as error:  # for the consumer to see, not for this thread
            answers.put(_Failure(error))


def _stop(lookaheads: list[_Lookahead]) -> None:
    """End the threads. May be called by any thread, also by one of them."""
    for lookahead in lookaheads:
        lookahead.stop()
    deadline = time.monotonic() + _PATIENCE
    for lookahead in lookaheads:
        thread = lookahead.thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))


def _renamed(
    described: list[Sequence[Any]], maps: Sequence[Mapping[str, str]] | None
) -> list[DataDesc]:
    """The descriptions of all iterators in one list, under their new names."""
    result = []
    for place, inputs in enumerate(described):
        for one in inputs:
            one = one if isinstance(one, DataDesc) else DataDesc(*one)
            name = one.name if maps is None else maps[place][one.name]
            result.append(DataDesc(name, one.shape, one.dtype, one.layout))
    return result
