"""ImageIter: batches of images made one by one in Python, every step overridable."""

from __future__ import annotations

import operator
import os
import random
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from mxio._atomic import naming
from mxio.adapters.dataiter import DataBatch, DataIter
from mxio.errors import DataError, ParameterError
from mxio.image.checks import at_least, check_names, check_part, one_of
from mxio.image.functions import imdecode
from mxio.image.recipes import CreateAugmenter
from mxio.image.sources import (
    CountedRecords,
    check_listed,
    open_records,
    read_lists,
)
from mxio.ndarray import NDArray
from mxio.recordio import IRHeader, MXIndexedRecordIO, unpack

__all__ = ["ImageIter"]

_LABEL_TYPES = ("int32", "float32", "int64", "float64")
_LAST_BATCHES = ("pad", "discard", "roll_over")


class ImageIter(DataIter):
    """Batches of images from a RecordIO file, or from image files and a list of them.

    >>> batches = ImageIter(
    ...     batch_size=32, data_shape=(3, 224, 224), path_imgrec="train.rec",
    ...     shuffle=True, rand_crop=True, rand_mirror=True, mean=True, std=True,
    ... )  # doctest: +SKIP

    Every image goes through `next_sample`, `imdecode`, `check_valid_image`,
    `augmentation_transform` and `postprocess_data`, each of which a subclass may
    replace. ImageRecordIter does the usual things in C, and much faster.

    batch_size, data_shape: images in a batch, (3, height, width).
    label_width: numbers in a label.
    path_imgrec, path_imgidx: the records, and their index. Without an index, shuffling
    and parts first look for the records' heads; their keys are then 0, 1, ...
    path_imglist: a text file, `key TAB labels... TAB name` in each line. With
    path_imgrec its labels replace those of the records of the same key (without an
    index: of the same id); otherwise the names are files below `path_root`.
    imglist: the same as a list of [label, name], [labels, name] or [label, ..., name].
    shuffle: another order in every epoch, by Python's `random`.
    num_parts, part_index: read that one of so many equal parts; a rest is left out.
    aug_list: the augmenters; None makes them by `CreateAugmenter` from the keywords
    that are left.
    dtype: of the labels: int32, int64, float32 or float64. Data are float32.
    last_batch_handle: what becomes of samples that do not fill a batch: 'pad' fills it
    from the start of the epoch (`pad` counts those), 'discard' drops them, 'roll_over'
    keeps them for the first batch after `reset` (whose `pad` counts the others, as in
    MXNet).

    Images for which `check_valid_image` raises RuntimeError are left out; `errors`
    lists them.

    Raises TypeError for unknown keywords, ParameterError for wrong values, OSError and
    DataError, naming file and record, for bad files; after one of an image the next
    call goes on behind that image. An epoch that has ended goes on ending until
    `reset`; one without a valid image is a DataError.
    """

    def __init__(
        self,
        batch_size: int,
        data_shape: Sequence[int],
        label_width: int = 1,
        path_imgrec: str | os.PathLike[str] | None = None,
        path_imglist: str | os.PathLike[str] | None = None,
        path_root: str | os.PathLike[str] | None = None,
        path_imgidx: str | os.PathLike[str] | None = None,
        shuffle: bool = False,
        part_index: int = 0,
        num_parts: int = 1,
        aug_list: Sequence[Callable[..., Any]] | None = None,
        imglist: Sequence[Sequence[Any]] | None = None,
        data_name: str = "data",
        label_name: str = "softmax_label",
        dtype: npt.DTypeLike = "float32",
        last_batch_handle: str = "pad",
        **kwargs: Any,
    ) -> None:
        check_names(type(self).__name__, ImageIter, CreateAugmenter, aug_list, kwargs)
        super().__init__(at_least("batch_size", batch_size, 1))
        self.check_data_shape(data_shape)
        self.data_shape = tuple(map(operator.index, data_shape))
        self.label_width = at_least("label_width", label_width, 1)
        name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
        self._dtype = np.dtype(one_of("dtype", name, _LABEL_TYPES))
        check_part(part_index, num_parts)
        self.last_batch_handle = one_of(
            "last_batch_handle", last_batch_handle, _LAST_BATCHES
        )
        self.path_root = path_root
        self.shuffle = shuffle
        self.provide_data = [(data_name, (self.batch_size, *self.data_shape))]
        wide = (self.label_width,) if self.label_width > 1 else ()
        self.provide_label = [(label_name, (self.batch_size, *wide))]
        self.imgrec, self.imgidx = open_records(
            path_imgrec, path_imgidx, shuffle or num_parts > 1
        )
        self.imglist, keys = read_lists(path_imgrec, path_imglist, imglist, self._dtype)
        self.seq = keys if self.imgrec is None else self.imgidx
        if num_parts > 1 and self.seq is not None:
            size = len(self.seq) // num_parts
            self.seq = self.seq[part_index * size : (part_index + 1) * size]
        self.num_image = None if self.seq is None else len(self.seq)
        if self.num_image == 0:
            raise ParameterError(
                f"part {part_index} of {num_parts} has no image"
                if num_parts > 1
                else "the list of images is empty"
            )
        self._listed = self.imglist is not None and self.imgrec is not None
        if self._listed and self.seq is not None:
            check_listed(self.seq, self.imglist, path_imglist)
        self.auglist: list[Callable[..., Any]] = list(
            CreateAugmenter(self.data_shape, **kwargs) if aug_list is None else aug_list
        )
        self.cur = 0
        self._read = 0  # samples of the epoch so far
        self._good = 0  # those of them that were valid
        self._over = False
        self._padded = False  # the epoch has ended, with samples from its start
        self._place = ("", "")  # where the last sample came from, and what it is
        self._rolled: tuple[NDArray, NDArray] | None = None
        self._errors: dict[tuple[str, str], str] = {}
        self.reset()

    # The epoch

    def reset(self) -> None:
        """Begin the next epoch, in a new order if it is shuffled.

        Samples that roll over stay.
        """
        if self.seq is not None and self.shuffle:
            random.shuffle(self.seq)
        self._rewind()
        self._read = 0
        self._good = 0
        self._over = False
        self._padded = False

    def hard_reset(self) -> None:
        """`reset`, and forget the samples that would have rolled over."""
        self._rolled = None
        self.reset()

    def next(self) -> DataBatch:
        """The next batch; StopIteration at the end of the epoch, until `reset`."""
        if self._over:
            raise StopIteration
        data = np.zeros((self.batch_size, *self.data_shape), np.float32).view(NDArray)
        label = self._empty_labels()
        rolled, self._rolled = self._rolled, None
        start = 0
        if rolled is not None:
            start = len(rolled[0])
            data[:start], label[:start] = rolled
        count = self._fill(data, label, start)
        if count == self.batch_size:
            pad = count - start if start else 0
            return DataBatch([data], [label], pad=pad)
        self._over = True
        if self._good == 0 and self._read > 0:
            self._fail_without_image()
        if self.last_batch_handle == "roll_over" and count > 0:
            self._rolled = data[:count].view(NDArray), label[:count].view(NDArray)
        if self.last_batch_handle != "pad" or count == 0:
            raise StopIteration
        filled = count
        while filled < self.batch_size:
            self._rewind()
            before = filled
            filled = self._fill(data, label, filled)
            if filled == before:
                self._fail_without_image()
        self._padded = True
        return DataBatch([data], [label], pad=self.batch_size - count)

    def _rewind(self) -> None:
        self.cur = 0
        if self.imgrec is not None and self.seq is None:
            self.imgrec.reset()

    def _empty_labels(self) -> NDArray:
        return np.zeros(self.provide_label[0][1], self._dtype).view(NDArray)

    def _fill(self, data: NDArray, label: NDArray, start: int) -> int:
        """Make samples from row `start` on, and give the row that is not made."""
        row = start
        while row < self.batch_size:
            try:
                found, encoded = self.next_sample()
            except StopIteration:
                break
            self._read += 1
            image = self.imdecode(encoded)
            made = self._sample(image, found)
            if made is not None:
                self._put(data, label, row, *made)
                self._good += 1
                row += 1
        return row

    def _sample(self, image: Any, label: Any) -> tuple[Any, Any] | None:
        """Data (3, height, width) and label; None for an image that is left out."""
        try:
            self.check_valid_image(image)
        except RuntimeError as error:
            self._leave_out(error)
            return None
        return self.postprocess_data(self.augmentation_transform(image)), label

    def _put(
        self, data: NDArray, label: NDArray, row: int, datum: Any, found: Any
    ) -> None:
        if datum.shape != self.data_shape:
            raise ParameterError(
                f"{self._where()}: the augmenters gave shape {datum.shape}, "
                f"data_shape is {self.data_shape}"
            )
        data[row] = datum
        self._put_label(label, row, found)

    def _put_label(self, label: NDArray, row: int, found: Any) -> None:
        values = np.ravel(found)
        if values.size != self.label_width:
            raise DataError(
                f"{self._where()}: the label has {values.size} values, label_width is "
                f"{self.label_width}",
                self._place[0],
            )
        label[row] = values if self.label_width > 1 else values[0]

    # What a subclass may replace

    def next_sample(self) -> tuple[Any, Any]:
        """(label, encoded image) of the next sample; StopIteration at the end."""
        if self._padded:
            raise StopIteration
        if self.seq is None:
            return self._next_record()
        if self.cur >= len(self.seq):
            raise StopIteration
        key = self.seq[self.cur]
        self.cur += 1
        if self.imgrec is None:
            label, name = self._of_list(key)
            self._place = self._listed_place(key, name)
            return label, self.read_image(name)
        self._place = (self.imgrec.uri, f"key {key}")
        assert isinstance(self.imgrec, MXIndexedRecordIO | CountedRecords)
        header, encoded = self._unpack(self.imgrec.read_idx(key))
        return self._of_list(key)[0] if self._listed else header.label, encoded

    def imdecode(self, s: Any) -> Any:
        """The image of `s`, (height, width, 3); DataError, naming file and record."""
        try:
            return imdecode(s)
        except DataError as error:
            message = f"Broken image {self._where()}: {error}"
            raise DataError(message, self._place[0] or None) from None

    def read_image(self, fname: str) -> bytes:
        """The bytes of an image file below `path_root`."""
        path = self._path_of(fname)
        with naming(path), open(path, "rb") as file:
            return file.read()

    def augmentation_transform(self, data: Any) -> Any:
        """The image after all augmenters."""
        for augmenter in self.auglist:
            data = augmenter(data)
        return data

    def postprocess_data(self, datum: Any) -> Any:
        """The image as it goes into the batch: channels first."""
        return datum.transpose(2, 0, 1)

    def check_data_shape(self, data_shape: Sequence[int]) -> None:
        """ParameterError unless the shape is (3, height, width)."""
        if len(data_shape) != 3 or data_shape[0] != 3 or min(data_shape) < 1:
            raise ParameterError(
                f"data_shape must be (3, height, width), got {tuple(data_shape)}"
            )

    def check_valid_image(self, data: Any) -> None:
        """RuntimeError for an image to be left out: one that has no pixels."""
        if len(data[0].shape) == 0:
            raise RuntimeError("the image has no shape")

    # What went wrong

    def errors(self) -> list[str]:
        """A sentence for each image that was left out so far."""
        return [f"{path}, {what}: {why}" for (path, what), why in self._errors.items()]

    def _leave_out(self, error: RuntimeError) -> None:
        self._errors.setdefault(self._place, str(error))

    def _fail_without_image(self) -> NoReturn:
        message = "none of the images is valid"
        for sentence in self.errors()[:1]:
            message += f"; {sentence}"
        raise DataError(message, self._place[0] or None)

    def _where(self) -> str:
        return ", ".join(filter(None, self._place)) or "of next_sample"

    # Where samples come from

    def _next_record(self) -> tuple[Any, Any]:
        assert self.imgrec is not None
        number = self.cur
        self._place = (self.imgrec.uri, f"record {number}")
        record = self.imgrec.read()
        if record is None:
            raise StopIteration
        self.cur += 1
        header, encoded = self._unpack(record)
        self._place = (self.imgrec.uri, f"record {number}, id {header.id}")
        return self._of_list(header.id)[0] if self._listed else header.label, encoded

    def _unpack(self, record: bytes) -> tuple[IRHeader, bytes]:
        try:
            return unpack(record)
        except DataError as error:
            message = f"{self._where()}: {error}"
            raise DataError(message, self._place[0]) from None

    def _of_list(self, key: Any) -> tuple[NDArray, str]:
        assert self.imglist is not None
        if key not in self.imglist:
            raise DataError(f"{self._where()} is not in the list", self._place[0])
        return self.imglist[key]

    def _listed_place(self, key: Any, name: str) -> tuple[str, str]:
        return self._path_of(name), f"key {key}"

    def _path_of(self, name: str) -> str:
        return os.path.join(self.path_root or "", name)
