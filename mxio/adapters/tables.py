"""The mx.io face of what is no picture in a record: MNIST's files, CSV, LibSVM."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from collections.abc import Mapping
from typing import IO, Any, NoReturn, cast

import numpy as np
import numpy.typing as npt

from mxio import _core, params
from mxio._atomic import naming
from mxio._csr import csr
from mxio._files import resolve
from mxio.adapters.dataiter import MXDataIter
from mxio.errors import DataError, MxioError, ParameterError
from mxio.loader import Batch
from mxio.params import Param

__all__ = ["CSVIter", "LibSVMIter", "MNISTIter"]


# ---- parameters ----

_MOST = 2**31 - 1  # values in a row
_FAR = 2**63 - 1


def _row(
    group: str,
    kind: str,
    name: str,
    default: Any,
    doc: str,
    low: int | None = None,
    high: int | None = None,
    choices: tuple[str, ...] = (),
) -> Param:
    required = default is ...
    value = None if required else default
    return Param(name, kind, group, params.MX, required, value, low, high, choices, doc)


def _table(*rows: Param) -> dict[str, Param]:
    return {row.name: row for row in rows}


_WITHOUT_EFFECT = "Accepted and without effect"
_BATCH_SIZE = _row("BATCH", "INT", "batch_size", ..., "Rows in a batch.", 1, 1048576)
_ROUND_BATCH = _row(
    "BATCH",
    "FLAG",
    "round_batch",
    True,
    "Complete the last batch with rows of the next epoch, which then starts behind"
    " them.",
)
_PARTS = (
    _row("DATASET", "INT", "num_parts", 1, "Parts of the data set.", 1, 1000000000),
    _row("DATASET", "INT", "part_index", 0, "The part that is read.", 0, 999999999),
)
_COMMON = (
    _row("DATASET", "TEXT", "data_name", "data", "Name in provide_data."),
    _row("DATASET", "TEXT", "label_name", "softmax_label", "Name in provide_label."),
    _row("BACKEND", "INT", "prefetch_buffer", 4, "Batches made ahead.", 1, 1024),
    _row(
        "BACKEND",
        "CHOICE",
        "ctx",
        "gpu",
        f"{_WITHOUT_EFFECT}: batches are always in host memory.",
        choices=("gpu", "cpu"),
    ),
    _row("BACKEND", "INT", "device_id", 0, f"{_WITHOUT_EFFECT}, as ctx.", -1, 65535),
    _row("AUXILIARY", "FLAG", "verbose", False, f"{_WITHOUT_EFFECT}."),
    _row("AUXILIARY", "FLAG", "silent", False, f"{_WITHOUT_EFFECT}."),
)


def _dtype(*names: str) -> Param:
    return _row(
        "BATCH", "CHOICE", "dtype", "float32", "Type of the data.", choices=names
    )


def _shape(name: str, default: Any, doc: str) -> Param:
    return _row("DATASET", "SIZES", name, default, doc, 1, _MOST)


_CSV = _table(
    _row(
        "DATASET", "TEXT", "data_csv", ..., "CSV files: names joined by ';', folders."
    ),
    _shape("data_shape", ..., "Shape of one row."),
    _row("DATASET", "TEXT", "label_csv", "NULL", "CSV files of the labels; none: 0."),
    _shape("label_shape", (1,), "Shape of the label of one row."),
    _BATCH_SIZE,
    _ROUND_BATCH,
    _dtype("float32", "int32", "int64"),
    *_COMMON,
)
_LIBSVM = _table(
    _row("DATASET", "TEXT", "data_libsvm", ..., "LibSVM files: as data_csv."),
    _shape("data_shape", ..., "Features of one row, one number."),
    _row("DATASET", "TEXT", "label_libsvm", "NULL", "Files whose features are labels."),
    _shape("label_shape", (1,), "Features of a label, above 1 with label_libsvm."),
    *_PARTS,
    _BATCH_SIZE,
    _ROUND_BATCH,
    _dtype("float32"),
    *_COMMON,
)
_MNIST = _table(
    _row("DATASET", "TEXT", "image", "./train-images-idx3-ubyte", "File of images."),
    _row("DATASET", "TEXT", "label", "./train-labels-idx1-ubyte", "File of labels."),
    *_PARTS,
    _row("DATASET", "FLAG", "shuffle", True, "Shuffle once, by seed."),
    _row("DATASET", "INT", "seed", 0, "Seed of the order.", -_FAR, _FAR),
    _BATCH_SIZE._replace(required=False, default=128, doc="Images in a batch."),
    _row("BATCH", "FLAG", "flat", False, "Images as rows instead of planes."),
    _dtype("float32"),
    *_COMMON,
)


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


class _TextRows:
    """A Source of batches from text: threads, files and memory are the core's."""

    layout = "NCHW"

    def __init__(
        self,
        options: Mapping[str, Any],
        kind: str,
        data_shape: tuple[int, ...],
        label_shape: tuple[int, ...],
    ) -> None:
        self._sparse = kind == "libsvm"
        self.batch_size: int = options["batch_size"]
        self.dtype = np.dtype(options["dtype"])
        self.label_dtype = self.dtype
        self.data_shape: tuple[int, ...] = (self.batch_size, *data_shape)
        wide = () if label_shape == (1,) else label_shape
        self.label_shape: tuple[int, ...] = (self.batch_size, *wide)
        files = resolve(options[f"data_{kind}"], f"data_{kind}")
        label_files = _text_files(options, f"label_{kind}")
        self._sparse_label = self._sparse and bool(label_files)
        self._carry = 0
        self._core = _core.RowFeed(
            self._sparse,
            ("float32", "int32", "int64").index(options["dtype"]),
            self.batch_size,
            options["round_batch"],
            options.get("num_parts", 1),
            options.get("part_index", 0),
            options["prefetch_buffer"],
            files,
            math.prod(data_shape),
            label_files,
            math.prod(label_shape),
        )

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


class CSVIter(MXDataIter):
    """Batches of rows of numbers from CSV files, as MXNet's mx.io.CSVIter gives them.

    >>> batches = CSVIter(
    ...     data_csv="data.csv", data_shape=(28, 28), label_csv="label.csv",
    ...     batch_size=100,
    ... )  # doctest: +SKIP

    Data are (batch_size, *data_shape), labels (batch_size,), or (batch_size,
    *label_shape) when that is not (1,), both of type `dtype`: float32 (rounded to the
    nearest), int32 or int64. `index` holds the numbers of the rows. Lines are parted by
    commas, blanks around numbers and blank lines do not matter; there is no header and
    no quoting. With round_batch=False rows that the last batch lacks are zeros.

    TypeError for an unknown or missing parameter, ParameterError for a wrong value,
    OSError for a file that cannot be read, all from the constructor; DataError, naming
    file, line and byte, for a bad row from the batch that it is in, the next call goes
    on behind that.
    """

    def __init__(self, **options: Any) -> None:
        bound = params.bind_rows(type(self).__name__, _CSV, options)
        source = _TextRows(bound, "csv", bound["data_shape"], bound["label_shape"])
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
        bound = params.bind_rows(type(self).__name__, _LIBSVM, options)
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
        source = _TextRows(bound, "libsvm", bound["data_shape"], bound["label_shape"])
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

_GZIP = b"\x1f\x8b"
_PIECE = 1 << 20


class _IdxFile:
    """One of MNIST's files: a magic number, sizes, and bytes; perhaps packed by gzip.

    Numbers are big-endian. DataError, naming file and byte, for anything else.
    """

    def __init__(self, path: str, magic: int, axes: int) -> None:
        self.path = path
        self.offset = 0  # of what is read next, unpacked
        with naming(path), open(path, "rb") as file:
            packed = file.read(2) == _GZIP
            self._left = None if packed else os.fstat(file.fileno()).st_size
        with naming(path):
            opened = gzip.open(path) if packed else open(path, "rb")  # noqa: SIM115
        self._file = cast(IO[bytes], opened)
        try:
            self._read_head(magic, axes)
        except BaseException:
            self._file.close()
            raise

    def _read_head(self, magic: int, axes: int) -> None:
        (found,) = struct.unpack(">I", self._take(4, "the magic number"))
        if found != magic:
            kind = "images" if axes == 3 else "labels"
            self._fail(f"magic number {found}, MNIST's {kind} have {magic}", 0)
        self.shape = struct.unpack(f">{axes}I", self._take(4 * axes, "the header"))
        if 0 in self.shape:
            self._fail(f"the header says {self.shape}: nothing is in it", 4)

    def _fail(self, problem: str, offset: int) -> NoReturn:
        raise DataError(
            f"{self.path}: byte {offset}: {problem}", self.path, offset=offset
        ) from None

    def _take(self, size: int, what: str) -> bytearray:
        """Exactly `size` bytes, a piece at a time: a header may claim any number."""
        start = self.offset
        if self._left is not None and start + size > self._left:
            self._fail(f"{what} needs {size} bytes, {self._left - start} left", start)
        taken = bytearray()
        while len(taken) < size:
            piece = self._read(min(size - len(taken), _PIECE))
            if not piece:
                self._fail(
                    f"{what} needs {size} bytes from byte {start} on, the file ends",
                    self.offset,
                )
            taken += piece
        return taken

    def _read(self, size: int) -> bytes:
        with naming(self.path):
            try:
                piece = self._file.read(size)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                self._fail(f"damaged gzip data: {error}", self.offset)
        self.offset += len(piece)
        return piece

    def rows(self, begin: int, end: int) -> npt.NDArray[np.uint8]:
        """Rows [begin, end) as (end - begin, ...) uint8; only these are kept."""
        size = math.prod(self.shape[1:])
        self._skip(begin * size)
        data = np.frombuffer(self._take((end - begin) * size, "the data"), np.uint8)
        self._skip((self.shape[0] - end) * size)
        if self._read(1):
            self._fail("bytes behind those that the header says", self.offset - 1)
        return data.reshape(end - begin, *self.shape[1:])

    def _skip(self, size: int) -> None:
        """Pass over bytes that have to be there."""
        if self._left is not None:
            if self.offset + size > self._left:
                self._take(size, "the data")
            self.offset += size
            self._file.seek(self.offset)
            return
        while size > 0:
            size -= len(self._take(min(size, _PIECE), "the data"))

    def close(self) -> None:
        self._file.close()


def _read_idx(
    path: str, magic: int, axes: int, num_parts: int, part_index: int
) -> tuple[npt.NDArray[np.uint8], int, int]:
    """The rows of the part, the first of them, and the count of all."""
    file = _IdxFile(path, magic, axes)
    try:
        count = file.shape[0]
        begin = int(count / num_parts * part_index)
        end = int(count / num_parts * (part_index + 1))
        if part_index + 1 == num_parts:
            end = count  # the product may be a little less
        return file.rows(begin, end), begin, count
    finally:
        file.close()


class _Mnist:
    """A Source of batches of MNIST's images, which stay in memory as bytes."""

    layout = "NCHW"
    dtype: np.dtype[Any] = np.dtype(np.float32)
    label_dtype: np.dtype[Any] = np.dtype(np.float32)

    def __init__(self, options: Mapping[str, Any]) -> None:
        part = options["num_parts"], options["part_index"]
        images, begin, count = _read_idx(options["image"], 2051, 3, *part)
        labels, _, label_count = _read_idx(options["label"], 2049, 1, *part)
        if label_count != count:
            raise DataError(
                f"{options['label']}: byte 4: {label_count} labels for {count} images",
                options["label"],
                offset=4,
            )
        self.batch_size: int = options["batch_size"]
        if len(images) < self.batch_size:
            raise ParameterError(
                f"batch_size must be at most {len(images)}, the images of part "
                f"{part[1]} of {part[0]}, got {self.batch_size}"
            )
        self._index = np.arange(begin, begin + len(images), dtype=np.uint64)
        if options["shuffle"]:
            order = _permutation(len(images), options["seed"])
            images, labels, self._index = (
                images[order],
                labels[order],
                self._index[order],
            )
        shape = (
            (math.prod(images.shape[1:]),)
            if options["flat"]
            else (
                1,
                *images.shape[1:],
            )
        )
        self._images = images.reshape(len(images), *shape)
        self._labels = labels.astype(np.float32)
        self._at: int | None = 0
        self.data_shape: tuple[int, ...] = (self.batch_size, *shape)
        self.label_shape: tuple[int, ...] = (self.batch_size,)

    def start(self, epoch: int, carry: int) -> None:
        """Back to the first batch; all epochs are alike."""
        self._check_open()
        self._at = 0

    def _check_open(self) -> int:
        if self._at is None:
            raise MxioError("the iterator is closed")
        return self._at

    def next(self) -> Batch | None:
        """The next whole batch, or None."""
        at = self._check_open()
        end = at + self.batch_size
        if end > len(self._images):
            return None
        data = np.multiply(self._images[at:end], np.float32(1 / 256), dtype=np.float32)
        self._at = end
        return Batch(data, self._labels[at:end].copy(), self._index[at:end].copy(), 0)

    def carry(self) -> int:
        """None: incomplete batches are dropped."""
        return 0

    def close(self) -> None:
        """Give up the images; idempotent."""
        self._at = None
        self._images = self._images[:0]


def _permutation(count: int, seed: int) -> npt.NDArray[np.int64]:
    """The same for a seed in every version of NumPy: RandomState is frozen."""
    entropy = np.random.SeedSequence(seed % 2**64)
    return np.random.RandomState(np.random.MT19937(entropy)).permutation(count)


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
    that cannot be read, DataError, naming file and byte, for damaged files.
    """

    def __init__(self, **options: Any) -> None:
        bound = params.bind_rows(type(self).__name__, _MNIST, options)
        _check_part(bound)
        super().__init__(_Mnist(bound), bound["data_name"], bound["label_name"])


CSVIter.__signature__ = params.signature_of(  # type: ignore[attr-defined]
    _CSV.values()
)
LibSVMIter.__signature__ = params.signature_of(  # type: ignore[attr-defined]
    _LIBSVM.values()
)
MNISTIter.__signature__ = params.signature_of(  # type: ignore[attr-defined]
    _MNIST.values()
)
