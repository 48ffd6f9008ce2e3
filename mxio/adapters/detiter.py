"""The mx.io face for object detection: images with boxes."""

from typing import Unpack

from mxio import params
from mxio._options import DetOptions
from mxio.adapters.dataiter import RecordIter
from mxio.loader import ImageLoader

__all__ = ["ImageDetRecordIter"]


class ImageDetRecordIter(RecordIter):
    """Batches of images and the boxes in them, as MXNet's mx.io.ImageDetRecordIter
    gives them.

    >>> batches = ImageDetRecordIter(
    ...     path_imgrec="train.rec", data_shape=(3, 300, 300), batch_size=32,
    ...     rand_mirror_prob=0.5, rand_pad_prob=0.5, max_pad_scale=4.0, mean_r=123.68,
    ...     rand_crop_prob=0.8, num_crop_sampler=2, min_crop_scales=0.3,
    ...     min_crop_overlaps=(0.1, 0.5), shuffle=True,
    ... )  # doctest: +SKIP

    Stored labels are A, B, A - 2 more numbers of a header, then objects of B numbers:
    class, left, top, right, bottom, ...; A is at least 2, B at least 5, coordinates are
    shares of the image in [0, 1]. Objects without area are left out.

    Data are (batch_size, channels, height, width). Labels are float32 (batch_size, 4 +
    W), W being label_pad_width or, without it, that of the widest label, which the
    constructor looks for. A row is [channels, rows, columns, n, the n numbers of the
    label, label_pad_value ...]; rows and columns are those of the image, which lies in
    the top left corner. With resize_mode "fit" or "shrink" the rest of the data is what
    pixels of fill_value become by mean, std and scale. `index` holds the record ids.

    In this order: resize, colours, mirror, pad, crop, fit to data_shape; then mean, std
    and scale. One mean_r, mean_g, mean_b, mean_a above 0 makes all four count, and
    mean_img not; else they are ignored.

    Errors are those of ImageRecordIter. A label that is none is a DataError, from the
    constructor with on_error="raise"; ParameterError when label_pad_width is too small.
    """

    def __init__(self, **options: Unpack[DetOptions]) -> None:
        bound = params.bind(type(self).__name__, params.DET, options)
        if any(bound.get(name, 0) > 0 for name in _MEANS):
            bound.pop("mean_img", None)
        super().__init__(ImageLoader(bound | {"detect": 1}, running=True), bound)


_MEANS = ("mean_r", "mean_g", "mean_b", "mean_a")

ImageDetRecordIter.__signature__ = params.signature(params.DET)  # type: ignore[attr-defined]
