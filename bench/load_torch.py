"""torch DataLoader with persistent workers, over torchvision or over OpenCV.

Workers return uint8 and the main process normalises whole batches: a quarter of the
bytes goes through shared memory, which was measured to be faster.
"""

import io
import math
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torchvision
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.transforms import v2

from bench.records import image_of, record_spans
from bench.serve import Epoch, Task, serve
from bench.workloads import AREA, ASPECT, MEAN, STD


def torchvision_sample(side: int) -> Callable[[bytes], torch.Tensor]:
    """The transforms of torchvision's guide on Pillow's images."""
    change = transforms.Compose(
        [
            transforms.RandomResizedCrop(side, scale=AREA, ratio=ASPECT),
            transforms.RandomHorizontalFlip(),
            transforms.PILToTensor(),
        ]
    )

    def sample(image: bytes) -> torch.Tensor:
        changed: torch.Tensor = change(Image.open(io.BytesIO(image)).convert("RGB"))
        return changed

    return sample


def native_sample(side: int) -> Callable[[bytes], torch.Tensor]:
    """torchvision's own decoder, and its transforms of tensors, which average."""
    change = v2.Compose(
        [
            v2.RandomResizedCrop(side, scale=AREA, ratio=ASPECT, antialias=True),
            v2.RandomHorizontalFlip(),
        ]
    )

    def sample(image: bytes) -> torch.Tensor:
        encoded = torch.from_numpy(np.frombuffer(image, np.uint8).copy())
        changed: torch.Tensor = change(decode_jpeg(encoded, mode=ImageReadMode.RGB))
        return changed

    return sample


def opencv_sample(side: int) -> Callable[[bytes], torch.Tensor]:
    """imdecode, a slice, and one resize."""
    cv2.setNumThreads(1)

    def sample(image: bytes) -> torch.Tensor:
        pixels: Any = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR_RGB)
        height, width = pixels.shape[:2]
        for _ in range(10):
            area = height * width * random.uniform(*AREA)
            ratio = math.exp(random.uniform(*map(math.log, ASPECT)))
            w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < w <= width and 0 < h <= height:
                x, y = random.randint(0, width - w), random.randint(0, height - h)
                pixels = pixels[y : y + h, x : x + w]
                break
        pixels = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_LINEAR)
        if random.random() < 0.5:
            pixels = cv2.flip(pixels, 1)
        return torch.from_numpy(pixels.transpose(2, 0, 1).copy())

    return sample


FACES = {
    "torchvision": torchvision_sample,
    "native": native_sample,
    "opencv": opencv_sample,
}


class Records(Dataset[torch.Tensor]):
    """Samples of a .rec file by position."""

    def __init__(self, path: Path, sample: Callable[[bytes], torch.Tensor]) -> None:
        self.path = path
        self.spans = np.array(record_spans(path), dtype=np.int64)
        self.sample = sample
        self.file = -1

    def __len__(self) -> int:
        return len(self.spans)

    def __getitem__(self, place: int) -> torch.Tensor:
        if self.file < 0:
            self.file = os.open(self.path, os.O_RDONLY)
        offset, size = self.spans[place].tolist()
        return self.sample(image_of(os.pread(self.file, size, offset)))


def make(task: Task) -> Epoch:
    """Batches as float32 tensors."""
    torch.set_num_threads(1)  # measured: more of them only get in the workers' way
    loader = DataLoader(
        Records(Path(task.data), FACES[task.face](task.work.side)),
        batch_size=task.batch,
        num_workers=task.threads,
        persistent_workers=True,
        prefetch_factor=2,
    )
    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (MEAN, STD))
    scale, shift = 1 / std, -mean / std

    def epoch() -> Iterator[int]:
        for pixels in loader:
            yield len(pixels.float().mul_(scale).add_(shift))

    return epoch


if __name__ == "__main__":
    serve(
        f"torch {torch.__version__}, torchvision {torchvision.__version__}, "
        f"OpenCV {cv2.__version__}",
        make,
    )
