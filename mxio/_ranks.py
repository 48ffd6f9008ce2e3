"""Which share of an epoch this process has."""

import os
from typing import Any

from mxio.errors import ParameterError

__all__ = ["fill_rank"]


def _from_environment(name: str) -> int | None:
    text = os.environ.get(name)
    if text is None or text == "":
        return None
    try:
        return int(text)
    except ValueError:
        raise ParameterError(
            f"the environment variable {name} must be a whole number, got {text!r}"
        ) from None


def fill_rank(options: dict[str, Any]) -> None:
    """Set rank and world_size: as given, else from RANK and WORLD_SIZE, else 0 and 1.

    The two belong together: one alone is an error wherever it comes from.
    """
    rank, world = options.get("rank"), options.get("world_size")
    if rank is None and world is None:
        rank, world = _from_environment("RANK"), _from_environment("WORLD_SIZE")
        if rank is None and world is None:
            rank, world = 0, 1
    if rank is None or world is None:
        missing, there = (
            ("rank", "world_size") if rank is None else ("world_size", "rank")
        )
        raise ParameterError(f"{there} is given without {missing}")
    if world < 1:
        raise ParameterError(f"world_size must be at least 1, got {world}")
    if not 0 <= rank < world:
        raise ParameterError(
            f"rank must be in [0, world_size - 1] = [0, {world - 1}], got {rank}"
        )
    options["rank"], options["world_size"] = rank, world
