"""What a batch of the native loader becomes: tensors over its memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mxio.loader import Batch

__all__ = ["BFLOAT16", "Tensors", "Transform", "transformed"]

# Arrays of bfloat16 come as these, and their tensors are viewed as what they are.
BFLOAT16 = np.dtype(np.int16)

# What is called with (data, label) returns the item in their place.
Transform = Callable[..., Any]


def transformed(transform: Transform | None, item: tuple[torch.Tensor, ...]) -> Any:
    """What the transform makes of an item. Its StopIteration is no end of the epoch."""
    if transform is None:
        return item
    try:
        return transform(*item)
    except StopIteration as error:
        raise RuntimeError("transform raised StopIteration") from error


class Tensors:
    """Makes (data, label), or (data, label, mask), of a batch; nothing is copied.

    partial: rows of padding are cut off. mask: (rows,) bool, False for them.
    channels_last: the batch is NHWC, and becomes the view of shape NCHW that torch
    calls channels_last.
    """

    def __init__(self, *, partial: bool, with_mask: bool, channels_last: bool) -> None:
        self._partial = partial
        self._with_mask = with_mask
        self._channels_last = channels_last

    def __call__(self, batch: Batch) -> tuple[torch.Tensor, ...]:
        rows = len(batch.data)
        good = rows - batch.pad
        if self._partial:
            rows = good
        data = torch.from_numpy(batch.data[:rows])
        if batch.data.dtype == BFLOAT16:
            data = data.view(torch.bfloat16)
        if self._channels_last:
            data = data.permute(0, 3, 1, 2)
        label = torch.from_numpy(batch.label[:rows])
        if not self._with_mask:
            return data, label
        return data, label, torch.arange(rows) < good
