"""What is measured: each workload once, in MXNet's names. Needs the standard library
only, since every contender's interpreter reads it.
"""

from dataclasses import dataclass, field
from typing import Any

MEAN = (123.68, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)
MEANS = {"mean_r": MEAN[0], "mean_g": MEAN[1], "mean_b": MEAN[2]}
STDS = {"std_r": STD[0], "std_g": STD[1], "std_b": STD[2]}
AREA = (0.08, 1.0)
ASPECT = (3 / 4, 4 / 3)
RESIZED_CROP = {
    "random_resized_crop": True,
    "min_random_area": AREA[0],
    "max_random_area": AREA[1],
    "min_aspect_ratio": ASPECT[0],
    "max_aspect_ratio": ASPECT[1],
    "rand_mirror": True,
}
RANDOM_CROP = {"rand_crop": True, "rand_mirror": True}
JITTER = {
    "brightness": 0.4,
    "contrast": 0.4,
    "saturation": 0.4,
    "pca_noise": 0.1,
    "random_h": 36,
    "random_s": 50,
    "random_l": 50,
    "max_rotate_angle": 10,
}

Targets = dict[str, tuple[float, float | None]]


@dataclass(frozen=True)
class Workload:
    """One row of work.

    file: name of the .rec without its suffix (or the folder of MNIST's files).
    options: of MXNet's iterator, beyond files and batch. passes: epochs in a row that
    are timed as one, so that a measurement is not over at once. contenders: who takes
    part, beside mxio. targets: by contender, the wanted ratio on unchanged files and on
    repacked ones. first_only: each round is a new process up to its first batch.
    face: which of its faces mxio takes part with.
    """

    what: str
    file: str
    contenders: tuple[str, ...]
    kind: str = "images"
    batch: int = 128
    side: int = 224
    dtype: str = "float32"
    options: dict[str, Any] = field(default_factory=dict)
    passes: int = 1
    threads: int | None = None
    targets: Targets = field(default_factory=dict)
    first_only: bool = False
    face: str = "numpy"

    @property
    def entries(self) -> tuple[str, ...]:
        """Names of all who take part, mxio first."""
        repacked = any(aims[1] for aims in self.targets.values())
        return ("mxio", *(["repacked"] if repacked else []), *self.contenders)


WORKLOADS = {
    "W1": Workload(
        "train: random_resized_crop 224, mirror, mean, std, float32 NCHW",
        "photos",
        ("decode", "mxnet", "dali", "tf"),
        options=RESIZED_CROP | MEANS | STDS,
        targets={"decode": (1.5, 2.0), "mxnet": (2.2, 3.0), "dali": (2.3, 3.2)},
    ),
    "W1u": Workload(
        "the same, uint8 (NHWC, as tf and dali; mxnet has NCHW only)",
        "photos",
        ("decode", "mxnet", "dali", "tf"),
        dtype="uint8",
        options=RESIZED_CROP,
        targets={"tf": (1.6, 2.2)},
    ),
    "W2": Workload(
        "short side 256, random crop 224, mirror, mean, std, float32 NCHW",
        "photos256",
        ("decode", "mxnet", "dali"),
        options=RANDOM_CROP | MEANS | STDS,
        targets={"decode": (1.2, 1.27), "mxnet": (1.8, 1.9), "dali": (1.7, 1.8)},
    ),
    "W3": Workload(
        "evaluation: short side 256, centre crop 224, mean, std, float32 NCHW",
        "photos256",
        ("decode", "mxnet", "dali"),
        options=MEANS | STDS,
        targets={"dali": (1.45, 1.55)},
    ),
    "W4": Workload(
        "32x32 PNG, random crop 28, mirror, mean, float32 NCHW",
        "tiny_png",
        ("mxnet", "dali"),
        batch=100,
        side=28,
        options=RANDOM_CROP | MEANS,
        passes=3,
        targets={"mxnet": (2.0, None), "dali": (4.0, None)},
    ),
    "W4j": Workload(
        "the same from 32x32 JPEG",
        "tiny_jpg",
        ("mxnet", "dali"),
        batch=100,
        side=28,
        options=RANDOM_CROP | MEANS,
        passes=5,
        targets={"mxnet": (1.4, None), "dali": (3.0, None)},
    ),
    "W5": Workload(
        "MXRecordIO.read, photographs",
        "photos",
        ("mxnet",),
        kind="sequential",
        passes=3,
        threads=1,
        targets={"mxnet": (1.2, None)},
    ),
    "W5 tiny": Workload(
        "MXRecordIO.read, 32x32 PNG",
        "tiny_png",
        ("mxnet",),
        kind="sequential",
        passes=5,
        threads=1,
        targets={"mxnet": (1.2, None)},
    ),
    "W5r": Workload(
        "MXIndexedRecordIO.read_idx, photographs, random keys",
        "photos",
        ("mxnet",),
        kind="random",
        passes=3,
        threads=1,
        targets={"mxnet": (1.2, None)},
    ),
    "W5r tiny": Workload(
        "MXIndexedRecordIO.read_idx, 32x32 PNG, random keys",
        "tiny_png",
        ("mxnet",),
        kind="random",
        passes=5,
        threads=1,
        targets={"mxnet": (1.2, None)},
    ),
    "W7": Workload(
        "MNISTIter, shuffled",
        "mnist",
        ("mxnet",),
        kind="mnist",
        batch=100,
        passes=10,
    ),
    "W8": Workload(
        "W2 with brightness, contrast, saturation, HLS, PCA noise, rotation",
        "photos256",
        ("decode", "mxnet"),
        options=RANDOM_CROP | MEANS | STDS | JITTER,
        targets={"mxnet": (2.0, None)},
    ),
    "torch": Workload(
        "W1 as tensors: Loader, ImageRecordDataset, other data sets in DataLoader",
        "photos",
        (
            "numpy",
            "dataset0",
            "dataset1",
            "dataset2",
            "torchvision",
            "native",
            "opencv",
        ),
        options=RESIZED_CROP | MEANS | STDS,
        face="torch",
        targets={"torchvision": (4.0, None), "native": (4.0, None)},
    ),
    "start": Workload(
        "from nothing to the first batch of a million records, shuffled, with index",
        "million",
        ("mxnet",),
        side=16,
        options={"shuffle": True},
        first_only=True,
    ),
}
