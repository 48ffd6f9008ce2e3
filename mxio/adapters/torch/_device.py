"""Batches on their way to a device."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

__all__ = ["Copies", "Sent", "pinned"]


def _each(item: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """The item with every tensor in it changed: tuples, lists and dicts are entered."""
    if isinstance(item, torch.Tensor):
        return change(item)
    if isinstance(item, tuple) and hasattr(item, "_fields"):
        return type(item)(*(_each(one, change) for one in item))
    if isinstance(item, tuple | list):
        return type(item)(_each(one, change) for one in item)
    if isinstance(item, dict):
        return {key: _each(one, change) for key, one in item.items()}
    return item


def pinned(item: Any) -> Any:
    """A copy in page-locked memory, from which a device copies on its own."""
    return _each(item, torch.Tensor.pin_memory)


def streams_of(device: torch.device) -> Any:
    """torch.cuda, torch.xpu, ...: the module with the streams of a device, or None."""
    module = getattr(torch, device.type, None)
    wanted = ("Event", "Stream", "current_stream", "stream")
    there = device.type != "cpu" and all(hasattr(module, name) for name in wanted)
    return module if there else None


class Sent(NamedTuple):
    """An item whose copy has been ordered, and what happens when it is there."""

    item: Any
    arrival: Any


class Copies:
    """Copies to a device, ordered on a stream of their own, beside the computing.

    `send` returns at once; `receive` lets the stream that computes wait for the copy,
    not the program. Memory of a received tensor is not given away before that stream
    is done with it. Devices without streams are copied to in turn.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._backend = streams_of(device)
        self._stream: Any = None
        if self._backend is not None:
            self._stream = self._backend.Stream(device=device)

    def send(self, item: Any) -> Sent:
        """Order the copy of an item whose memory is page-locked."""
        if self._backend is None:
            return Sent(_each(item, lambda one: one.to(self._device)), None)
        with self._backend.stream(self._stream):
            there = _each(item, lambda one: one.to(self._device, non_blocking=True))
            arrival = self._backend.Event()
            arrival.record(self._stream)
        return Sent(there, arrival)

    def receive(self, sent: Sent) -> Any:
        """The item, for the current stream of the device."""
        if self._backend is None:
            return sent.item
        current = self._backend.current_stream(self._device)
        current.wait_event(sent.arrival)

        def used_here(one: torch.Tensor) -> torch.Tensor:
            one.record_stream(current)
            return one

        return _each(sent.item, used_here)
