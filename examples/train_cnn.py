"""PyTorch: a small network learns the five classes of the bundled pictures.

30 pictures are for training, 10 that it never sees for the test: at least 9 of those
are right in the end. It takes a few seconds on one core.
"""

import tempfile
from typing import Any

import torch
from torch import nn

from mxio.adapters.torch import Loader
from mxio.quickstart import pack_samples

EPOCHS = 20
CLASSES = 5
EACH = 8  # pictures of a class, one class behind the other
TESTED = 2  # of them, the last ones
SIDE = 48


def network() -> nn.Module:
    layers: list[nn.Module] = []
    for channels_in, channels in ((3, 16), (16, 32), (32, 64)):
        layers += [
            nn.Conv2d(channels_in, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES)]
    return nn.Sequential(*layers)


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    keys = range(CLASSES * EACH)
    training = [key for key in keys if key % EACH < EACH - TESTED]
    test = [key for key in keys if key not in training]
    with tempfile.TemporaryDirectory() as directory:
        rec, idx, _ = pack_samples(directory)
        common: dict[str, Any] = {
            "path_imgrec": rec,
            "path_imgidx": idx,
            "data_shape": (3, SIDE, SIDE),
            "batch_size": 10,
            "mean_r": 123.68,
            "mean_g": 116.28,
            "mean_b": 103.53,
            "std_r": 58.395,
            "std_g": 57.12,
            "std_b": 57.375,
        }
        train_loader = Loader(
            **common,
            records=training,
            shuffle=True,
            seed=1,
            random_resized_crop=True,
            min_random_area=0.3,
            min_aspect_ratio=3 / 4,
            max_aspect_ratio=4 / 3,
            rand_mirror=True,
            last_batch="drop",
            channels_last=True,
        )
        test_loader = Loader(**common, records=test, resize=SIDE, last_batch="partial")
        model = network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
        for epoch in range(EPOCHS):
            model.train()
            total = 0.0
            for data, label in train_loader:
                loss = nn.functional.cross_entropy(model(data), label)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                total += loss.item() * len(label)
            if (epoch + 1) % 10 == 0:
                print(f"epoch {epoch + 1}: mean loss {total / len(training):.3f}")
        model.eval()
        with torch.no_grad():
            right = sum(
                int((model(data).argmax(1) == label).sum())
                for data, label in test_loader
            )
        print(f"{right} of {len(test)} pictures it had not seen are right")
        print("at least 9 of 10:", right >= 9)


if __name__ == "__main__":
    main()
