"""The names of mx.context. Every array lives in the memory of the CPU."""

from typing import NamedTuple, Self

__all__ = ["Context", "cpu", "cpu_pinned", "current_context", "gpu", "num_gpus"]


class Context(NamedTuple):
    """A device by name, to be handed around; as a `with` block it changes nothing.

    >>> Context("gpu", 1)
    gpu(1)
    """

    device_type: str
    device_id: int = 0

    def __str__(self) -> str:
        return f"{self.device_type}({self.device_id})"

    def __repr__(self) -> str:
        return str(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


def cpu(device_id: int = 0) -> Context:
    """The CPU."""
    return Context("cpu", device_id)


def cpu_pinned(device_id: int = 0) -> Context:
    """The CPU, with memory that a GPU reads fast in MXNet."""
    return Context("cpu_pinned", device_id)


def gpu(device_id: int = 0) -> Context:
    """A GPU; arrays that are asked for there are made on the CPU."""
    return Context("gpu", device_id)


def current_context() -> Context:
    """Where arrays are made: cpu(0)."""
    return cpu()


def num_gpus() -> int:
    """How many GPUs hold arrays: 0."""
    return 0
