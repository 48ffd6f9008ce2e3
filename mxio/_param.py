"""One parameter; and all those of the iterators over tables, which params.def lacks.

Imports nothing of mxio: tools/gen.py reads it before anything is built.
"""

from typing import Any, NamedTuple

__all__ = ["CSV", "LIBSVM", "MNIST", "NDARRAY", "Param"]


class Param(NamedTuple):
    """One parameter: what a row of params.def says, in the order of _core.PARAMS.

    kind: INT, REAL, FLAG, CHOICE, TEXT, SHAPE (of an image), INTS, REALS; SIZES, a
    shape of any number of axes; ARRAYS, what NDArrayIter takes.
    """

    name: str
    kind: str
    group: str
    faces: int
    required: bool
    default: Any
    low: Any
    high: Any
    choices: tuple[str, ...]
    doc: str

    @property
    def shown(self) -> str:
        """The name by which its faces know it."""
        return self.name.removeprefix("det_")


_MOST = 2**31 - 1  # values in a row
_FAR = 2**63 - 1


def _row(
    group: str,
    kind: str,
    name: str,
    default: Any,
    doc: str,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Param:
    required = default is ...
    value = None if required else default
    return Param(name, kind, group, 0, required, value, low, high, choices, doc)


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
    _row(
        "AUXILIARY",
        "REAL",
        "timeout",
        300.0,
        "Seconds to wait for a batch, or for the files in the constructor, before an"
        " error says where a thread is stuck; 0 waits for ever.",
        0.0,
        1e6,
    ),
    _row("AUXILIARY", "FLAG", "verbose", False, f"{_WITHOUT_EFFECT}."),
    _row("AUXILIARY", "FLAG", "silent", False, f"{_WITHOUT_EFFECT}."),
)


def _dtype(*names: str) -> Param:
    return _row(
        "BATCH", "CHOICE", "dtype", "float32", "Type of the data.", choices=names
    )


def _shape(name: str, default: Any, doc: str) -> Param:
    return _row("DATASET", "SIZES", name, default, doc, 1, _MOST)


CSV = _table(
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
LIBSVM = _table(
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
MNIST = _table(
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
NDARRAY = _table(
    _row("DATASET", "ARRAYS", "data", ..., "An array, a list, or a dict of them."),
    _row("DATASET", "ARRAYS", "label", None, "As data."),
    _BATCH_SIZE._replace(
        required=False, default=1, high=_FAR, doc="Samples in a batch."
    ),
    _row("DATASET", "FLAG", "shuffle", False, "A new order at each reset, by NumPy."),
    _row(
        "BATCH",
        "CHOICE",
        "last_batch_handle",
        "pad",
        "Complete an incomplete last batch from the start; leave it out; keep it for"
        " the next epoch.",
        choices=("pad", "discard", "roll_over"),
    ),
    _row("DATASET", "TEXT", "data_name", "data", "Name in provide_data, of one array."),
    _row("DATASET", "TEXT", "label_name", "softmax_label", "As data_name, of label."),
    _row("BATCH", "TEXT", "layout", "NCHW", "'N' in it is the axis of the samples."),
)
