"""Datasets of images: in a RecordIO file, or in folders."""

import os
import warnings
from collections.abc import Callable
from typing import Any

from mxio.compat import _subset
from mxio.image import imdecode, imread
from mxio.recordio import unpack

from ..dataset import Dataset, RecordFileDataset

__all__ = ["ImageFolderDataset", "ImageRecordDataset"]

_Transform = Callable[[Any, Any], Any]
_SUFFIXES = (".jpg", ".jpeg", ".png")


class ImageRecordDataset(RecordFileDataset):
    """(image, label) of each record: uint8 (height, width, channels), red first.

    The label is a float, or the array of a record with several. flag 0 decodes to
    gray. `transform` makes a sample of the two.
    """

    def __init__(
        self,
        filename: str | os.PathLike[str],
        flag: int = 1,
        transform: _Transform | None = None,
    ) -> None:
        super().__init__(filename)
        self._flag = flag
        self._transform = transform

    def __getitem__(self, idx: int) -> Any:
        header, data = unpack(super().__getitem__(idx))
        image = imdecode(data, self._flag)
        if self._transform is not None:
            return self._transform(image, header.label)
        return image, header.label


class ImageFolderDataset(Dataset):
    """(image, label) of each image in the folders under `root`; a folder is a label.

    `synsets` lists the folders in sorted order, `items` the (path, label) of the
    images. What is no folder, or no .jpg, .jpeg or .png in one, is left out with a
    warning. The rest as for ImageRecordDataset.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        flag: int = 1,
        transform: _Transform | None = None,
    ) -> None:
        self._flag = flag
        self._transform = transform
        self.synsets: list[str] = []
        self.items: list[tuple[str, int]] = []
        root = os.path.expanduser(root)
        for folder in sorted(os.listdir(root)):
            path = os.path.join(root, folder)
            if os.path.isdir(path):
                self._add(folder, path)
            else:
                warnings.warn(f"{path} is left out: not a folder", stacklevel=2)

    def _add(self, folder: str, path: str) -> None:
        label = len(self.synsets)
        self.synsets.append(folder)
        for name in sorted(os.listdir(path)):
            if name.lower().endswith(_SUFFIXES):
                self.items.append((os.path.join(path, name), label))
            else:
                kinds = ", ".join(_SUFFIXES)
                warnings.warn(
                    f"{os.path.join(path, name)} is left out: not one of {kinds}",
                    stacklevel=3,
                )

    def __getitem__(self, idx: int) -> Any:
        path, label = self.items[idx]
        image = imread(path, self._flag)
        if self._transform is not None:
            return self._transform(image, label)
        return image, label

    def __len__(self) -> int:
        return len(self.items)


__getattr__ = _subset.close(__name__)
