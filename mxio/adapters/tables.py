"""The mx.io face of what is no picture in a record: MNIST's files, CSV, LibSVM."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mxio import _core, params
from mxio._csr import csr
from mxio._files import resolve
from mxio._param import CSV, LIBSVM, MNIST
from mxio.adapters.dataiter import MXDataIter
from mxio.errors import ParameterError
from mxio.loader import Batch

__all__ = ["CSVIter", "LibSVMIter", "MNISTIter"]


def _check_part(options: Mapping[str, Any]) -> None:
    if options["part_index"] >= options["num_parts"]:
        raise ParameterError(
            f"part_index must be in [0, num_parts - 1] = "
            f"[0, {options['num_parts'] - 1}], got {options['part_index']}"
        )


# ---- text ----


def _text_files(options: Mapping[str, Any], name: str) -> list[str]:
    """The files of a parameter; none when MXNet's default, "NULL", says so."""
    value: str = options[name]
    return [] if value in ("", "NULL") else resolve(value, name)


class _Fed:
    """A Source of batches that the core makes ahead: its are threads, files, memory."""

    layout = "NCHW"

    def __init__(
        self,
        core: _core.RowFeed,
        options: Mapping[str, Any],
        data_shape: tuple[int, ...],
        label_shape: tuple[int, ...],
        sparse: bool = False,
        sparse_label: bool = False,
    ) -> None:
        self._core = core
        self._sparse = sparse
        self._sparse_label = sparse_label
        self._carry = 0
        self.batch_size: int = options["batch_size"]
        self.dtype = np.dtype(options["dtype"])
        self.label_dtype = self.dtype
        self.data_shape = (self.batch_size, *data_shape)
        self.label_shape = (self.batch_size, *label_shape)

    def start(self, epoch: int, carry: int) -> None:
        """Begin an epoch, `carry` rows behind its start; all epochs are alike."""
        self._core.start(carry)
        self._carry = 0

    def next(self) -> Batch | None:
        """The next batch, or None at the end of the epoch."""
        given = self._core.next()
        if given is None:
            return None
        block, pad, carry, ids, data, label = given
        memory = memoryview(block)
        self._carry = carry
        return Batch(
            self._array(memory, data, self.data_shape, self._sparse),
            self._array(memory, label, self.label_shape, self._sparse_label),
            np.ndarray(self.batch_size, np.uint64, memory, ids),
            pad,
        )

    def _array(
        self,
        memory: memoryview,
        places: tuple[int, int, int],
        shape: tuple[int, ...],
        sparse: bool,
    ) -> Any:
        values, indices, starts = places
        if not sparse:
            return np.ndarray(shape, self.dtype, memory, values)
        rows, columns = shape
        indptr: npt.NDArray[np.int64] = np.ndarray(rows + 1, np.int64, memory, starts)
        count = int(indptr[-1])
        return csr(
            np.ndarray(count, self.dtype, memory, values),
            np.ndarray(count, np.int64, memory, indices),
            indptr,
            (rows, columns),
        )

    def carry(self) -> int:
        """Rows of the next epoch that the batches so far have taken."""
        return self._carry

    def close(self) -> None:
        """Stop the thread; idempotent."""
        self._core.close()


def _text_rows(kind: str, options: Mapping[str, Any]) -> _Fed:
    """A source of "csv" or of "libsvm"."""
    data_shape, label_shape = options["data_shape"], options["label_shape"]
    label_files = _text_files(options, f"label_{kind}")
    sparse = kind == "libsvm"
    core = _core.RowFeed(
        sparse,
        ("float32", "int32", "int64").index(options["dtype"]),
        options["batch_size"],
        options["round_batch"],
        options.get("num_parts", 1),
        options.get("part_index", 0),
        options["prefetch_buffer"],
        resolve(options[f"data_{kind}"], f"data_{kind}"),
        math.prod(data_shape),
        label_files,
        math.prod(label_shape),
        options["timeout"],
    )
    wide = () if math.prod(label_shape) == 1 else label_shape
    return _Fed(core, options, data_shape, wide, sparse, sparse and bool(label_files))


class CSVIter(MXDataIter):
    """Batches of rows of numbers from CSV files, as MXNet's mx.io.CSVIter gives them.

    >>> batches = CSVIter(
    ...     data_csv="data.csv", data_shape=(28, 28), label_csv="label.csv",
    ...     batch_size=100,
    ... )  # doctest: +SKIP

    Data are (batch_size, *data_shape), labels (batch_size,), or (batch_size,
    *label_shape) when that is more than one number, both of type `dtype`: float32
    (rounded to the nearest), int32 or int64. `index` holds the numbers of the rows.
    Lines are parted by commas, blanks around numbers and blank lines do not matter;
    there is no header and no quoting. With round_batch=False rows that the last batch
    lacks are zeros.

    TypeError for an unknown or missing parameter, ParameterError for a wrong value,
    OSError for a file that cannot be read, all from the constructor; DataError, naming
    file, line and byte, for a bad row from the batch that it is in, the next call goes
    on behind that. TimeoutError, naming file and byte, when reading, here or for a
    batch, takes longer than `timeout`.
    """

    def __init__(self, **options: Any) -> None:
        bound = params.bind_rows(type(self).__name__, CSV, options)
        source = _text_rows("csv", bound)
        super().__init__(source, bound["data_name"], bound["label_name"])


class LibSVMIter(MXDataIter):
    """Sparse batches from LibSVM files, as MXNet's mx.io.LibSVMIter gives them.

    >>> batches = LibSVMIter(
    ...     data_libsvm="data.t", data_shape=(1000,), batch_size=100
    ... )  # doctest: +SKIP

    A line is `label index:value index:value ...`, indices count from 0 and ascend. Data
    are CSR, (batch_size, data_shape): a scipy.sparse.csr_matrix with MXNet's `asnumpy`
    and `stype` when SciPy is installed, else a CSRNDArray. Labels are float32
    (batch_size,); with label_libsvm the features of its lines, CSR. `index` holds the
    numbers of the rows in the part.

    Errors as CSVIter's; an index outside data_shape is one.
    """

    def __init__(self, **options: Any) -> None:
        bound = params.bind_rows(type(self).__name__, LIBSVM, options)
        _check_part(bound)
        for name in ("data_shape", "label_shape"):
            if len(bound[name]) != 1:
                raise ParameterError(f"{name} must have one number, got {bound[name]}")
        wide = bound["label_shape"] != (1,)
        if wide != (bound["label_libsvm"] not in ("", "NULL")):
            raise ParameterError(
                "label_shape must be above 1 with label_libsvm, and 1 without it, got "
                f"label_shape={bound['label_shape']}, "
                f"label_libsvm={bound['label_libsvm']!r}"
            )
        if not bound["round_batch"]:
            raise ParameterError(
                "round_batch must be True: the last batch of LibSVMIter is always full"
            )
        source = _text_rows("libsvm", bound)
        super().__init__(source, bound["data_name"], bound["label_name"])

    def getdata(self) -> Any:
        """Data of the current batch, CSR."""
        return self._current().data

    def getlabel(self) -> Any:
        """Label of the current batch; CSR with label_libsvm."""
        if len(self.handle.label_shape) == 1:
            return super().getlabel()
        return self._current().label


# ---- MNIST ----


def _images(options: Mapping[str, Any]) -> _Fed:
    """A source of MNIST's images."""
    core, *shape = _core.open_mnist(
        [options["image"], options["label"]],
        options["batch_size"],
        options["num_parts"],
        options["part_index"],
        bool(options["shuffle"]),
        options["seed"],
        options["prefetch_buffer"],
        options["timeout"],
    )
    flat = (math.prod(shape),)
    return _Fed(core, options, flat if options["flat"] else (1, *shape), ())


class MNISTIter(MXDataIter):
    """Batches of MNIST's images, as MXNet's mx.io.MNISTIter gives them.

    >>> batches = MNISTIter(
    ...     image="train-images-idx3-ubyte.gz", label="train-labels-idx1-ubyte.gz",
    ...     batch_size=100, flat=True,
    ... )  # doctest: +SKIP

    Data are float32, byte / 256: (batch_size, 1, rows, columns), or (batch_size, rows *
    columns) with flat; labels float32 (batch_size,); `index` holds the places of the
    images in the file. The files may be packed by gzip. Images are shuffled once, by
    seed; every epoch has the same order, and leaves an incomplete last batch out.

    All errors come from the constructor: TypeError for an unknown parameter,
    ParameterError for a wrong value or a batch larger than the part, OSError for a file
    that cannot be read, TimeoutError when that takes longer than `timeout`, DataError,
    naming file and byte, for damaged files.
    """

    def __init__(self, **options: Any) -> None:
        bound = params.bind_rows(type(self).__name__, MNIST, options)
        _check_part(bound)
        super().__init__(_images(bound), bound["data_name"], bound["label_name"])


CSVIter.__signature__ = params.signature_of(  # type: ignore[attr-defined]
    CSV.values()
)
LibSVMIter.__signature__ = params.signature_of(  # type: ignore[attr-defined]
    LIBSVM.values()
)
MNISTIter.__signature__ = params.signature_of(  # type: ignore[attr-defined]
    MNIST.values()
)
