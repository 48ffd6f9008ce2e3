"""Records of a file as pictures: as stored, and as training sees them."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mxio import _core, params
from mxio._codec import MAX_PIXELS, as_array, decode_with_opencv
from mxio._files import resolve
from mxio._scan import Records
from mxio.errors import DataError, ParameterError
from mxio.loader import ImageLoader
from mxio.recordio import unpack
from mxio.tools._augmentation import is_normalising
from mxio.tools._command import number_text, printable
from mxio.tools._samples import class_names, class_of

__all__ = [
    "Augmented",
    "Gallery",
    "Pixels",
    "chosen",
    "damaged_picture",
    "decoded",
    "file_title",
    "label_text",
    "records_from",
]

Pixels = NDArray[np.uint8]

_DAMAGED_SIDE = 160
_DAMAGED_PAPER = "#fdecea"
_DAMAGED_INK = "#b42318"
_RANGES = re.compile(r"\d{1,18}(-\d{1,18})?(,\d{1,18}(-\d{1,18})?)*")


def file_title(files: Sequence[str]) -> str:
    """What files are called over a picture of them."""
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return printable(os.path.basename(files[0])) + more


def label_text(label: Any, names: Sequence[str]) -> str:
    """The label of a header for people: the name of the class, if it has one."""
    labels = np.atleast_1d(np.asarray(label, np.float32)).tolist()
    number = class_of(labels)
    if number is not None and number < len(names):
        return printable(names[number])
    return " ".join(map(number_text, labels[:4])) + " ..." * (len(labels) > 4)


class Gallery:
    """The records of RecordIO files, as pictures with captions."""

    def __init__(
        self, path: str, classes: str | os.PathLike[str] | None = None
    ) -> None:
        self.files = resolve(path)
        self.records = Records(self.files)
        self.names = class_names(self.files, classes)
        self.title = file_title(self.files)

    def caption(self, ordinal: int) -> tuple[str, str]:
        """(label, key) of a record, to be read by people."""
        try:
            header, _ = unpack(self.records.read(ordinal))
        except DataError:
            return "?", f"#{ordinal}"
        return label_text(header.label, self.names), f"#{ordinal}  id {header.id}"

    def labels(self, ordinal: int) -> int:
        """How many labels a record has, at least 1; DataError when it is damaged."""
        header, _ = unpack(self.records.read(ordinal))
        return max(1, np.size(header.label))

    def picture(self, ordinal: int) -> Pixels:
        """The picture of a record as stored, in RGB; DataError when it is damaged."""
        _, data = unpack(self.records.read(ordinal))
        return decoded(data)


def decoded(data: bytes) -> Pixels:
    """RGB pixels of an encoded picture, upright; DataError when it is damaged."""
    found = _core.decode(data, 3, False, True, MAX_PIXELS)
    return decode_with_opencv(data, 3) if found is None else as_array(*found)


class Augmented:
    """What training sees of a record: the sample of ImageRecordIter with these options,
    by the record's ordinal, the seed and the epoch.
    """

    def __init__(self, path: str, seed: int, options: Mapping[str, object]) -> None:
        self._options = {"data_shape": (3, 224, 224), **options}
        normalised = any(map(is_normalising, options))
        changed = normalised or any(name.startswith("max_random_") for name in options)
        self._options |= {
            "path_imgrec": path,
            "batch_size": 1,
            "seed": seed,
            "layout": "NHWC",
            "dtype": "float32" if changed else "uint8",
            "preprocess_threads": 1,
            "prefetch_buffer": 1,
        }
        self._normalised = normalised
        self._loaders: dict[int, ImageLoader] = {}  # by the labels of a record
        self.side: tuple[int, ...] = self._bound(1)["data_shape"][1:]

    def _bound(self, labels: int) -> dict[str, Any]:
        asked = {"label_width": labels, **self._options}
        return params.bind("view", params.MX, asked)

    def samples(
        self, ordinal: int, labels: int, epochs: Sequence[int]
    ) -> list[NDArray[Any]]:
        """(height, width, channels) of a record, which has so many labels, in each
        epoch; DataError.
        """
        if labels not in self._loaders:
            self._loaders[labels] = ImageLoader(self._bound(labels), running=False)
        loader = self._loaders[labels]
        found = []
        for epoch in epochs:
            loader.start(epoch, ordinal, 0, 1 << 40)
            batch = loader.next()
            assert batch is not None  # the ordinal is that of a record
            found.append(batch.data[0])
        return found

    def shown(self, samples: Sequence[NDArray[Any]]) -> tuple[list[Pixels], str]:
        """The samples as levels from 0 to 255, and what was done for that."""
        if not self._normalised or not samples:
            return [np.clip(sample, 0, 255).astype(np.uint8) for sample in samples], ""
        low = min(float(sample.min()) for sample in samples)
        high = max(float(sample.max()) for sample in samples)
        factor = 255 / max(high - low, 1e-12)
        levels = [((sample - low) * factor).astype(np.uint8) for sample in samples]
        return (
            levels,
            f"Values from {low:.3g} to {high:.3g} are shown as black to white.",
        )

    def close(self) -> None:
        """Stop the threads."""
        for loader in self._loaders.values():
            loader.close()


def chosen(count: int, wanted: int, seed: int) -> list[int]:
    """So many ordinals of `count` records, drawn by the seed, in rising order."""
    return sorted(random.Random(seed).sample(range(count), min(count, wanted)))


def records_from(text: str, count: int) -> list[int]:
    """Ordinals of a text such as "0,7,20-25"; ParameterError."""
    if not _RANGES.fullmatch(text):
        raise ParameterError(f"records must be numbers such as 0,7,20-25, got {text!r}")
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        begin, end = int(first), int(last or first)
        if not begin <= end < count:
            raise ParameterError(
                f"records must be in [0, {count - 1}], rising, got {part}"
            )
        found += range(begin, end + 1)
    return found


def damaged_picture(reason: str) -> Pixels:
    """What stands for a record that cannot be decoded: a card that says why."""
    card = Image.new("RGB", (_DAMAGED_SIDE, _DAMAGED_SIDE), _DAMAGED_PAPER)
    pen = ImageDraw.Draw(card)
    font, small = ImageFont.load_default(17), ImageFont.load_default(11)
    pen.text((10, 12), "damaged", fill=_DAMAGED_INK, font=font)
    words, line, top = printable(reason).split(), "", 42
    for word in [*words, ""]:
        longer = f"{line} {word}".strip()
        if word and small.getlength(longer) <= _DAMAGED_SIDE - 20:
            line = longer
            continue
        pen.text((10, top), line, fill=_DAMAGED_INK, font=small)
        line, top = word, top + 14
        if top > _DAMAGED_SIDE - 20:
            break
    return np.asarray(card)
