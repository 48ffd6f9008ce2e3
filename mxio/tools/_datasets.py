"""The data sets that `mxio.download` knows: where they are, and how to know them again.

Checksums: those of MNIST, Fashion-MNIST and CIFAR-10 stand in TensorFlow Datasets'
lists (url_checksums) and, beside the MD5 sums that the authors publish, in several
other projects. A file is known by its checksum alone, so it does not matter which
server it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["DATASETS", "Dataset", "RemoteFile"]


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch: its name on every server, its bytes, their SHA-256 in hex.

    members: for an archive, the files that are taken out of it, and how many bytes each
    has at most; for NAME.gz the one file NAME.
    """

    name: str
    size: int
    sha256: str
    members: Mapping[str, int]


@dataclass(frozen=True)
class Dataset:
    """A data set: what it is called, its servers (addresses of folders, the first is
    asked first), its files, the folder it goes to, the names of its classes.
    """

    title: str
    servers: tuple[str, ...]
    files: tuple[RemoteFile, ...]
    folder: str
    classes: tuple[str, ...]


def _idx(name: str, size: int, sha256: str, unpacked: int) -> RemoteFile:
    return RemoteFile(f"{name}.gz", size, sha256, {name: unpacked})


_IMAGES_HEAD, _LABELS_HEAD = 16, 8
_TRAIN, _TEST, _PIXELS = 60000, 10000, 28 * 28
_CIFAR_BATCH = 10000 * (1 + 3 * 32 * 32)
_CIFAR = "cifar-10-batches-bin"

DATASETS: dict[str, Dataset] = {
    "mnist": Dataset(
        title="MNIST",
        servers=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        files=(
            _idx(
                "train-images-idx3-ubyte",
                9912422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                _IMAGES_HEAD + _TRAIN * _PIXELS,
            ),
            _idx(
                "train-labels-idx1-ubyte",
                28881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                _LABELS_HEAD + _TRAIN,
            ),
            _idx(
                "t10k-images-idx3-ubyte",
                1648877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                _IMAGES_HEAD + _TEST * _PIXELS,
            ),
            _idx(
                "t10k-labels-idx1-ubyte",
                4542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                _LABELS_HEAD + _TEST,
            ),
        ),
        folder="data/mnist",
        classes=tuple("0123456789"),
    ),
    "fashion-mnist": Dataset(
        title="Fashion-MNIST",
        servers=(
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/"
            "data/fashion/",
        ),
        files=(
            _idx(
                "train-images-idx3-ubyte",
                26421880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                _IMAGES_HEAD + _TRAIN * _PIXELS,
            ),
            _idx(
                "train-labels-idx1-ubyte",
                29515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                _LABELS_HEAD + _TRAIN,
            ),
            _idx(
                "t10k-images-idx3-ubyte",
                4422102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                _IMAGES_HEAD + _TEST * _PIXELS,
            ),
            _idx(
                "t10k-labels-idx1-ubyte",
                5148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                _LABELS_HEAD + _TEST,
            ),
        ),
        folder="data/fashion-mnist",
        classes=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
    ),
    "cifar10": Dataset(
        title="CIFAR-10, binary version",
        servers=("https://www.cs.toronto.edu/~kriz/",),
        files=(
            RemoteFile(
                "cifar-10-binary.tar.gz",
                170052171,
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                {
                    f"{_CIFAR}/{name}.bin": _CIFAR_BATCH
                    for name in (
                        *(f"data_batch_{number}" for number in range(1, 6)),
                        "test_batch",
                    )
                },
            ),
        ),
        folder="data/cifar",
        classes=(
            *("airplane", "automobile", "bird", "cat", "deer"),
            *("dog", "frog", "horse", "ship", "truck"),
        ),
    ),
}
