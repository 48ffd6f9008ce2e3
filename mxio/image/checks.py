"""What constructors of this package ask of their arguments."""

from __future__ import annotations

import difflib
import inspect
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

from mxio.errors import ParameterError
from mxio.image.functions import INTERPOLATIONS

__all__ = [
    "at_least",
    "check_interpolation",
    "check_level",
    "check_names",
    "check_part",
    "check_shape",
    "one_of",
    "pair_of",
]


def check_names(
    caller: str,
    owner: type,
    maker: Callable[..., Any],
    aug_list: Sequence[Any] | None,
    given: Mapping[str, object],
) -> None:
    """TypeError for keywords that the `maker` of augmenters does not know;
    ParameterError for those it knows beside an `aug_list`, which they do not change.
    """
    known = [
        name for name in inspect.signature(maker).parameters if name != "data_shape"
    ]
    own = [*inspect.signature(owner).parameters][:-1]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, own + known, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"{caller} has no parameter {name!r}{hint}")
        if aug_list is not None:
            raise ParameterError(f"{name} has no effect beside aug_list")


def at_least(name: str, value: int, low: int) -> int:
    """The whole number; TypeError for others, ParameterError below `low`."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, got {value!r}") from None
    if number < low:
        raise ParameterError(f"{name} must be >= {low}, got {number}")
    return number


def one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    """The name; ParameterError unless it is known."""
    if value not in known:
        raise ParameterError(f"{name} must be one of {known}, got {value!r}")
    return value


def check_part(part_index: int, num_parts: int) -> None:
    """TypeError, ParameterError unless it is one of so many parts."""
    at_least("num_parts", num_parts, 1)
    if not 0 <= at_least("part_index", part_index, 0) < num_parts:
        raise ParameterError(
            f"part_index must be in [0, {num_parts}), got {part_index}"
        )


def pair_of(name: str, given: Any, above: float | None) -> tuple[float, float]:
    """(least, most) of a range, or of a number that is both; ParameterError for others,
    for empty ones, and for those that begin at or below `above`.
    """
    pair = (given, given) if isinstance(given, Real) else given
    if (
        not isinstance(pair, list | tuple)
        or len(pair) != 2
        or not all(isinstance(end, Real) for end in pair)
    ):
        raise ParameterError(f"{name} must be a number or (least, most), got {given!r}")
    least, most = float(pair[0]), float(pair[1])
    if not least <= most or (above is not None and least <= above):
        beyond = "" if above is None else f" > {above}"
        raise ParameterError(f"{name} must be least <= most{beyond}, got {given!r}")
    return least, most


def check_shape(data_shape: Sequence[int]) -> tuple[int, int, int]:
    """(channels, height, width); ParameterError for others."""
    sides = tuple(map(operator.index, data_shape))
    if len(sides) != 3 or min(sides) < 1:
        raise ParameterError(
            f"data_shape must be (channels, height, width), all >= 1, got {data_shape}"
        )
    return sides


def check_interpolation(inter_method: int) -> None:
    """ParameterError for a number that `imresize` does not know."""
    if inter_method not in INTERPOLATIONS:
        raise ParameterError(
            f"inter_method must be one of {INTERPOLATIONS}, got {inter_method!r}"
        )


def check_level(name: str, level: Any, most: float = math.inf) -> None:
    """TypeError for what is no number; ParameterError outside of [0, most]."""
    if not isinstance(level, Real):
        raise TypeError(f"{name} must be a number, got {level!r}")
    if not 0 <= float(level) <= most:
        raise ParameterError(f"{name} must be in [0, {most}], got {level}")
