"""How fast the PyTorch faces are, beside DataLoaders with Pillow, OpenCV, torchvision.

    python bench/torch.py FOLDER_OR_REC [--repeat 9] [--threads 2] [--out FILE]

Every contender is a process of its own; they take turns, one epoch each. What they do,
and what the columns mean, says bench/README.md. Linux only.
"""

import argparse
import os
import platform
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

# This file has the name of a package that it imports.
sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from bench.throughput import (  # noqa: E402
    LABEL_HEAD,
    MEAN,
    MIB,
    SIDE,
    STD,
    WORKLOADS,
    Contender,
    PillowDataset,
    at_least_one,
    cpu_model,
    cpu_seconds,
    crop_box,
    payload_of,
    prepare,
    ratios,
    record_spans,
    spread,
)

OPTIONS: dict[str, Any] = {
    "data_shape": (3, SIDE, SIDE),
    "last_batch": "partial",
    "shuffle": True,
    "seed": 1,
    "random_resized_crop": True,
    "min_random_area": 0.08,
    "max_random_area": 1.0,
    "min_aspect_ratio": 3 / 4,
    "max_aspect_ratio": 4 / 3,
    "rand_mirror": True,
    **{f"mean_{c}": value for c, value in zip("rgb", MEAN, strict=True)},
    **{f"std_{c}": value for c, value in zip("rgb", STD, strict=True)},
}
CONTENDERS = {
    "bare": "mxio.adapters.numpy, the bare loader",
    "Loader": "mxio Loader",
    "dataset0": "mxio ImageRecordDataset, 0 workers",
    "dataset1": "mxio ImageRecordDataset, 1 worker",
    "dataset2": "mxio ImageRecordDataset, 2 workers",
    "pillow": "DataLoader + Pillow",
    "cv2": "DataLoader + OpenCV",
    "torchvision": "DataLoader + torchvision",
}
Epoch = Callable[[], int]


def native(task: argparse.Namespace) -> Epoch:
    """mxio's contenders."""
    from torch.utils.data import DataLoader

    from mxio.adapters.numpy import ImageRecordLoader
    from mxio.adapters.torch import ImageRecordDataset, Loader

    options = OPTIONS | {"path_imgrec": task.rec, "batch_size": task.batch}
    batches: Any
    if task.contender == "bare":
        batches = ImageRecordLoader(**options, preprocess_threads=task.threads)
        return lambda: sum(len(batch.data) for batch in batches)
    if task.contender == "Loader":
        batches = Loader(**options, preprocess_threads=task.threads)
    else:
        workers = int(task.contender[-1])
        each = max(1, task.threads // max(1, workers))
        batches = DataLoader(
            ImageRecordDataset(**options, preprocess_threads=each),
            batch_size=None,
            num_workers=workers,
            persistent_workers=workers > 0,
        )
    return lambda: sum(len(data) for data, _ in batches)


class OpenCvDataset(PillowDataset):
    """The same as PillowDataset with OpenCV: decode, crop, resize, flip."""

    def __getitem__(self, place: int) -> tuple[NDArray[np.uint8], float]:
        import cv2

        if self.file < 0:
            self.file = os.open(self.path, os.O_RDONLY)
            cv2.setNumThreads(0)
        offset, size = self.spans[place].tolist()
        payload = payload_of(os.pread(self.file, size, offset))
        flag, label, _, _ = LABEL_HEAD.unpack_from(payload)
        encoded = np.frombuffer(payload, np.uint8, offset=LABEL_HEAD.size + 4 * flag)
        image = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        assert image is not None
        box = crop_box(image.shape[1], image.shape[0])
        left, top, right, bottom = map(round, box)
        image = cv2.resize(image[top:bottom, left:right], (SIDE, SIDE))
        if random.random() < 0.5:
            image = image[:, ::-1]
        red_first: NDArray[np.uint8] = np.ascontiguousarray(
            image[:, :, ::-1].transpose(2, 0, 1)
        )
        return red_first, label


def torchvision_transform() -> Any:
    """RandomResizedCrop and RandomHorizontalFlip on Pillow's images."""
    import torch

    while True:
        try:
            from torchvision import transforms  # type: ignore[import-not-found]

            break
        except RuntimeError as error:
            # A build for another torch: its operators are missing, and only declared
            # here; transforms of Pillow's images use none.
            missing = re.match(r"operator torchvision::(\w+) does not", str(error))
            if missing is None:
                raise
            torch.library.define(f"torchvision::{missing[1]}", "(Tensor x) -> Tensor")
            for name in [one for one in sys.modules if one.startswith("torchvision")]:
                del sys.modules[name]
    return transforms.Compose(
        [
            transforms.RandomResizedCrop(SIDE),
            transforms.RandomHorizontalFlip(),
            transforms.PILToTensor(),
        ]
    )


class TorchvisionDataset(PillowDataset):
    """The same with torchvision's transforms."""

    def __init__(self, path: Path, train: bool) -> None:
        super().__init__(path, train)
        self.transform = torchvision_transform()

    def __getitem__(self, place: int) -> tuple[Any, float]:
        import io

        from PIL import Image

        if self.file < 0:
            self.file = os.open(self.path, os.O_RDONLY)
        offset, size = self.spans[place].tolist()
        payload = payload_of(os.pread(self.file, size, offset))
        flag, label, _, _ = LABEL_HEAD.unpack_from(payload)
        encoded = io.BytesIO(memoryview(payload)[LABEL_HEAD.size + 4 * flag :])
        return self.transform(Image.open(encoded).convert("RGB")), label


def peers(task: argparse.Namespace) -> Epoch:
    """DataLoaders whose workers give uint8; the main process normalises batches."""
    import torch
    from torch.utils.data import DataLoader

    kinds = {
        "pillow": PillowDataset,
        "cv2": OpenCvDataset,
        "torchvision": TorchvisionDataset,
    }
    loader: DataLoader[Any] = DataLoader(
        kinds[task.contender](task.rec, True),  # type: ignore[arg-type]
        batch_size=task.batch,
        shuffle=True,
        num_workers=task.threads,
        persistent_workers=True,
    )
    torch.set_num_threads(1)
    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (MEAN, STD))
    scale, shift = 1 / std, -mean / std

    def epoch() -> int:
        images = 0
        for pixels, _ in loader:
            images += len(pixels.float().mul_(scale).add_(shift))
        return images

    return epoch


def versions(contender: str) -> str:
    import torch

    import mxio

    if contender == "torchvision":
        torchvision_transform()
        return f"torchvision {sys.modules['torchvision'].__version__} on Pillow"
    if contender in ("pillow", "cv2"):
        module = __import__({"pillow": "PIL", "cv2": "cv2"}[contender])
        return f"{module.__name__} {module.__version__}"
    features = ", ".join(f"{k} {v}" for k, v in mxio.features().items())
    return f"mxio {mxio.__version__} ({features}), torch {torch.__version__}"


def serve(task: argparse.Namespace) -> None:
    """Say who we are; then for each line of stdin: one epoch, one line of results."""
    made = peers if task.contender in ("pillow", "cv2", "torchvision") else native
    epoch = made(task)
    print(versions(task.contender), flush=True)
    for _ in sys.stdin:
        cpu, start = cpu_seconds(), time.perf_counter()
        images = epoch()
        seconds = time.perf_counter() - start
        print(images, f"{seconds:.6f} {cpu_seconds() - cpu:.6f}", flush=True)


def table(contenders: list[Contender]) -> Iterator[str]:
    """A Markdown row for each contender; ratios are those of each round."""
    by_name = {one.name: one for one in contenders}
    bare, vision = by_name["bare"], by_name.get("torchvision")
    heads = ["", "images/s", "CPU s per 1000 images", "CPU of bare / own"]
    yield f"| {' | '.join(heads)} | speed / torchvision |"
    yield "|---|---|---|---|---|"
    for own in contenders:
        faster = "" if vision is None else spread(ratios(own.rates, vision.rates), 2)
        yield (
            f"| {CONTENDERS[own.name]} | {spread(own.rates, 0)} | {spread(own.cpu, 3)}"
            f" | {spread(ratios(bare.cpu, own.cpu), 2)} | {faster} |"
        )


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("rec", type=Path, metavar="INPUT", help="a folder of JPEGs or a .rec file")
    add("--repeat", type=at_least_one, default=1, help="use the input N times over")
    add("--threads", type=at_least_one, default=2, help="threads or workers (2)")
    add("--batch", type=at_least_one, default=128, help="images in a batch (128)")
    add("--rounds", type=at_least_one, default=5, help="measured epochs each (5)")
    add("--only", default=",".join(CONTENDERS), help="contenders, by commas")
    add("--out", type=Path, metavar="FILE", help="keep the dated text in FILE")
    add("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        serve(options)
        return
    with tempfile.TemporaryDirectory(prefix="mxio-bench-") as folder, ExitStack() as on:
        rec = prepare(options.rec, options.repeat, Path(folder))
        records = len(record_spans(rec))
        own = [sys.executable, str(Path(__file__).resolve()), str(rec)]
        own += [f"--threads={options.threads}", f"--batch={options.batch}"]
        contenders = [
            on.enter_context(Contender(name, [*own, "--contender", name]))
            for name in options.only.split(",")
        ]
        for contender in contenders:
            contender.warm_up(records)
        for number in range(options.rounds):
            for contender in contenders:
                contender.measure()
            rates = ", ".join(f"{one.name} {one.rates[-1]:.0f}" for one in contenders)
            print(f"round {number + 1}: {rates}", file=sys.stderr, flush=True)
        others = [share for one in contenders for share in one.others]
        lines = [
            f"bench/torch.py, {time.strftime('%Y-%m-%d %H:%M %Z')}",
            f"{cpu_model()}, {len(os.sched_getaffinity(0))} cores,"
            f" {platform.system()} {platform.release()}, Python"
            f" {platform.python_version()}",
            *dict.fromkeys(one.about for one in contenders),
            f"{records} records, {rec.stat().st_size / MIB:.0f} MiB;"
            f" {options.threads} threads or workers; batch {options.batch};"
            f" median (lowest..highest) of {options.rounds} rounds after a warm-up",
            f"train: {WORKLOADS['train']}",
            "",
            *table(contenders),
            "",
            f"Cores that other programs took meanwhile: {spread(others, 2)}",
        ]
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
