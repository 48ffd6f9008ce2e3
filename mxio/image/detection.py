"""ImageDetIter: batches of images and the boxes of the objects in them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mxio.errors import DataError, ParameterError
from mxio.image.checks import check_names
from mxio.image.det_augmenters import (
    DetAugmenter,
    DetBorrowAug,
    DetHorizontalFlipAug,
    DetRandomCropAug,
    DetRandomPadAug,
    DetRandomSelectAug,
)
from mxio.image.iterators import ImageIter
from mxio.image.recipes import (
    CreateDetAugmenter,
    CreateMultiRandCropAugmenter,
    statistics,
)
from mxio.ndarray import NDArray

__all__ = [
    "CreateDetAugmenter",
    "CreateMultiRandCropAugmenter",
    "DetAugmenter",
    "DetBorrowAug",
    "DetHorizontalFlipAug",
    "DetRandomCropAug",
    "DetRandomPadAug",
    "DetRandomSelectAug",
    "ImageDetIter",
]

_HEAD_WIDTH = 2  # numbers of a label that say how wide its head and objects are
_OBJECT_WIDTH = 5


class ImageDetIter(ImageIter):
    """Batches of images and the boxes of the objects in them.

    Parameters are those of ImageIter, without label_width and dtype; keywords that are
    left go to `CreateDetAugmenter`.

    A label in a record or list is (A, B, A - 2 numbers that are not used, then B for
    each object: class, left, top, right, bottom, ...), the sides as shares of width and
    height. In a batch labels are float32 (batch_size, objects, B), with as many
    objects as the largest label of all images has; rows without one hold -1.
    The constructor reads all labels for that.

    Objects whose box is empty are left out, and so are images without any other, or
    whose label is none; `errors` lists them. DataError when no image is left.
    """

    def __init__(
        self,
        batch_size: int,
        data_shape: Sequence[int],
        path_imgrec: Any = None,
        path_imglist: Any = None,
        path_root: Any = None,
        path_imgidx: Any = None,
        shuffle: bool = False,
        part_index: int = 0,
        num_parts: int = 1,
        aug_list: Sequence[Callable[..., Any]] | None = None,
        imglist: Sequence[Sequence[Any]] | None = None,
        data_name: str = "data",
        label_name: str = "label",
        last_batch_handle: str = "pad",
        **kwargs: Any,
    ) -> None:
        check_names(
            type(self).__name__, ImageDetIter, CreateDetAugmenter, aug_list, kwargs
        )
        super().__init__(
            batch_size=batch_size,
            data_shape=data_shape,
            path_imgrec=path_imgrec,
            path_imglist=path_imglist,
            path_root=path_root,
            path_imgidx=path_imgidx,
            shuffle=shuffle,
            part_index=part_index,
            num_parts=num_parts,
            aug_list=[],
            imglist=imglist,
            data_name=data_name,
            label_name=label_name,
            last_batch_handle=last_batch_handle,
        )
        self._settings = None if aug_list is not None else kwargs
        if aug_list is None:
            self.auglist = list(CreateDetAugmenter(self.data_shape, **kwargs))
        else:
            self.auglist = list(aug_list)
        self.label_shape = self._measure_labels()
        self.provide_label = [(label_name, (self.batch_size, *self.label_shape))]

    def reshape(
        self,
        data_shape: Sequence[int] | None = None,
        label_shape: Sequence[int] | None = None,
    ) -> None:
        """Another shape of images, or room for more objects; None keeps one.

        Augmenters that were made from keywords are made again for the new data_shape.
        Samples that were to roll over are forgotten. ParameterError for a shape that is
        not (3, height, width), fewer objects, or another object width.
        """
        self._rolled = None
        if data_shape is not None:
            self.check_data_shape(data_shape)
            self.data_shape = tuple(data_shape)
            shape = (self.batch_size, *self.data_shape)
            self.provide_data = [(self.provide_data[0][0], shape)]
            if self._settings is not None:
                self.auglist = list(
                    CreateDetAugmenter(self.data_shape, **self._settings)
                )
        if label_shape is not None:
            self.check_label_shape(label_shape)
            self.label_shape = (label_shape[0], label_shape[1])
            shape = (self.batch_size, *self.label_shape)
            self.provide_label = [(self.provide_label[0][0], shape)]

    def check_label_shape(self, label_shape: Sequence[int]) -> None:
        """ParameterError unless it is (at least as many objects, the same width)."""
        objects, width = self.label_shape
        if len(label_shape) != 2 or label_shape[0] < objects or label_shape[1] != width:
            raise ParameterError(
                f"label_shape must be ({objects} or more, {width}), got "
                f"{tuple(label_shape)}"
            )

    def sync_label_shape(self, it: ImageDetIter, verbose: bool = False) -> ImageDetIter:
        """Give both iterators room for as many objects as the larger one has.

        Returns `it`. verbose: log the new shape. ParameterError when the objects differ
        in width.
        """
        if not isinstance(it, ImageDetIter):
            raise TypeError(f"it must be an ImageDetIter, got {type(it).__name__}")
        (mine, width), (other, other_width) = self.label_shape, it.label_shape
        if width != other_width:
            raise ParameterError(
                f"objects have {width} numbers here, {other_width} in it"
            )
        shape = (max(mine, other), width)
        for iterator in (self, it):
            if iterator.label_shape != shape:
                iterator.reshape(label_shape=shape)
                if verbose:
                    logging.info("label_shape is now %s", shape)
        return it

    def augmentation_transform(self, data: Any, label: Any) -> tuple[Any, Any]:  # type: ignore[override]
        """The image and its label after all augmenters."""
        for augmenter in self.auglist:
            data, label = augmenter(data, label)
        return data, label

    def draw_next(
        self,
        color: Sequence[float] | None = None,
        thickness: int = 2,
        mean: bool | npt.ArrayLike | None = None,
        std: bool | npt.ArrayLike | None = None,
        clip: bool = True,
        waitKey: int | None = None,
        window_name: str = "draw_next",
        id2labels: Mapping[int, str] | None = None,
    ) -> Iterator[npt.NDArray[np.uint8]]:
        """Images with their boxes drawn, blue first, to the end of the epoch.

        color: of the boxes, red first; None draws one for each by NumPy's global state.
        mean, std: what the augmenters subtracted and divided by, to be undone (see
        `CreateAugmenter`). clip: to 0..255, instead of wrapping around.
        waitKey: show each in the window, for so many ms, 0 until a key is pressed; this
        needs an OpenCV with windows.
        id2labels: names of classes, written into the boxes.
        """
        import cv2

        centre, spread = statistics(mean, std)
        while True:
            try:
                found, encoded = self.next_sample()
            except StopIteration:
                return
            made = self._augmented(self.imdecode(encoded), found)
            if made is None:
                continue
            image, label = np.asarray(made[0], np.float32), made[1]
            image = image * np.float32(1 if spread is None else spread)
            image = image + np.float32(0 if centre is None else centre)
            image = np.ascontiguousarray(image.view(np.ndarray)[:, :, ::-1])
            if clip:
                image = image.clip(0, 255)
            drawn = image.astype(np.int64).astype(np.uint8)
            for row in label:
                _draw(drawn, row, color, thickness, id2labels or {})
            if waitKey is not None:
                cv2.imshow(window_name, drawn)
                cv2.waitKey(waitKey)
            yield drawn

    def _measure_labels(self) -> tuple[int, int]:
        """(most objects of an image, numbers of an object) of all valid labels."""
        shapes = set()
        self.reset()
        for found in self._labels():
            try:
                shapes.add(self._parse_label(found).shape)
            except RuntimeError as error:
                self._leave_out(error)
        if not shapes:
            self._fail_without_image()
        widths = sorted({width for _, width in shapes})
        if len(widths) > 1:
            message = f"objects must have one width, these have {widths}"
            raise DataError(message, self._place[0] or None)
        self.reset()
        return max(count for count, _ in shapes), widths[0]

    def _labels(self) -> Iterator[Any]:
        """The labels of an epoch, without a look at the images where that can be."""
        if self.imgrec is None and type(self).next_sample is ImageIter.next_sample:
            for key in self.seq or ():
                label, name = self._of_list(key)
                self._place = self._listed_place(key, name)
                yield label
            return
        while True:
            try:
                yield self.next_sample()[0]
            except StopIteration:
                return

    def _empty_labels(self) -> NDArray:
        return np.full(self.provide_label[0][1], -1, np.float32).view(NDArray)

    def _sample(self, image: Any, label: Any) -> tuple[Any, Any] | None:
        made = self._augmented(image, label)
        return None if made is None else (self.postprocess_data(made[0]), made[1])

    def _augmented(self, image: Any, label: Any) -> tuple[Any, Any] | None:
        """Image and label after all augmenters; None for one that is left out."""
        try:
            self.check_valid_image([image])
            boxes = self._parse_label(label)
            image, boxes = self.augmentation_transform(image, boxes)
            self._check_valid_label(boxes)
        except ParameterError:  # of an augmenter, not of the image
            raise
        except RuntimeError as error:
            self._leave_out(error)
            return None
        return image, boxes

    def _put_label(self, label: NDArray, row: int, found: Any) -> None:
        objects, width = self.label_shape
        if len(found) > objects or found.shape[1] != width:
            raise ParameterError(
                f"{self._where()}: the augmenters gave a label of shape {found.shape}, "
                f"label_shape is {self.label_shape}"
            )
        label[row] = -1
        label[row, : len(found)] = found

    def _parse_label(self, label: Any) -> npt.NDArray[Any]:
        """The objects of a label as rows; RuntimeError when there is none."""
        raw = np.ravel(label).view(np.ndarray)
        if raw.size < _HEAD_WIDTH + _OBJECT_WIDTH:
            raise RuntimeError(
                f"a label needs {_HEAD_WIDTH + _OBJECT_WIDTH} numbers, has {raw.size}"
            )
        head, width = int(raw[0]), int(raw[1])
        if (
            head < _HEAD_WIDTH
            or width < _OBJECT_WIDTH
            or raw.size < head
            or (raw.size - head) % width
        ):
            raise RuntimeError(
                f"a label of {raw.size} numbers cannot be a head of {head} (>= 2) and "
                f"objects of {width} (>= 5)"
            )
        objects = raw[head:].reshape(-1, width)
        valid = _has_area(objects)
        if not valid.any():
            raise RuntimeError("no object has a box with an area")
        return objects[valid]

    def _check_valid_label(self, label: npt.NDArray[Any]) -> None:
        """RuntimeError unless an object has a class and a box."""
        if label.ndim != 2 or label.shape[1] < _OBJECT_WIDTH:
            raise RuntimeError(
                f"the augmenters gave a label of shape {label.shape}, not (1+, 5+)"
            )
        if not (_has_area(label) & (label[:, 0] >= 0)).any():
            raise RuntimeError("the augmenters left no object with a class and a box")


def _has_area(objects: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    wide = objects[:, 3] > objects[:, 1]
    return np.asarray(wide & (objects[:, 4] > objects[:, 2]))


def _draw(
    image: npt.NDArray[np.uint8],
    row: npt.NDArray[Any],
    color: Sequence[float] | None,
    thickness: int,
    names: Mapping[int, str],
) -> None:
    """Draw one object, its name inside."""
    import cv2

    height, width = image.shape[:2]
    left, top, right, bottom = (
        int(side * size)
        for side, size in zip(row[1:5], (width, height, width, height), strict=True)
    )
    if left < 0:
        return
    colour = np.random.rand(3) * 255 if color is None else np.asarray(color)[::-1]
    cv2.rectangle(image, (left, top), (right, bottom), colour.tolist(), thickness)
    name = names.get(int(row[0]))
    if name is not None:
        font, scale, weight = cv2.FONT_HERSHEY_SIMPLEX, 0.5, 2
        (_, tall), _ = cv2.getTextSize(name, font, scale, weight)
        place = (left + 5, top + tall + 5)
        cv2.putText(image, name, place, font, scale, (255, 255, 255), weight)
