"""The parameters of the loaders, as Python sees them: names, signatures, conversions.

The one table is native/params.def; it arrives here as `_core.PARAMS`. Ranges, and what
must hold between parameters, are checked in the core, which says what is wrong.
"""

import difflib
import inspect
import math
import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from mxio import _core
from mxio._param import Param
from mxio.errors import ParameterError

__all__ = [
    "DET",
    "MX",
    "NUMPY",
    "RAW",
    "TABLE",
    "TORCH",
    "Param",
    "bind",
    "bind_rows",
    "flag",
    "function",
    "refuse_unknown",
    "signature",
    "signature_of",
    "whole",
]

_Function = TypeVar("_Function")

MX = _core.FACE_MX
NUMPY = _core.FACE_NUMPY
TORCH = _core.FACE_TORCH
DET = _core.FACE_DET
RAW = _core.FACE_RAW


TABLE = {row[0]: Param(*row) for row in _core.PARAMS}

_TRUE = ("true", "1")
_FALSE = ("false", "0")


def signature(
    face: int,
    optional: tuple[str, ...] = (),
    own: Callable[..., object] | None = None,
) -> inspect.Signature:
    """The signature of a loader, see `signature_of`."""
    return signature_of(_rows_of(face).values(), optional, own)


def _rows_of(face: int) -> dict[str, Param]:
    """The rows of a face by their names in the table, each with the name that the face
    shows: without "det_", which keeps a second meaning of a name apart.
    """
    return {
        name: row._replace(name=row.shown)
        for name, row in TABLE.items()
        if row.faces & face
    }


def signature_of(
    rows: Iterable[Param],
    optional: tuple[str, ...] = (),
    own: Callable[..., object] | None = None,
) -> inspect.Signature:
    """The signature with these parameters, by keyword; `optional` names need no value.

    `own`: the constructor, whose parameters beside self and **options come first.
    """
    beside = () if own is None else inspect.signature(own).parameters.values()
    return inspect.Signature(
        [
            parameter.replace(annotation=inspect.Parameter.empty)
            for parameter in beside
            if parameter.name not in ("self", "options")
        ]
        + [
            inspect.Parameter(
                row.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty
                if row.required and row.name not in optional
                else None
                if row.required
                else row.default,
            )
            for row in rows
        ]
    )


def bind(
    caller: str,
    face: int,
    options: Mapping[str, object],
    optional: tuple[str, ...] = (),
    beside: Iterable[str] = (),
) -> dict[str, Any]:
    """Canonical values, int, float, str or tuple, of the options that are not None, by
    their names in the table. `beside`: names that the caller knows itself, which a
    wrong one may stand for.

    On the faces of mx.io values may be given as text, as MXNet takes them. TypeError
    for an unknown or missing name and for a value of a wrong type; ParameterError for a
    value that is wrong.
    """
    rows = _rows_of(face)
    known = {row.name: row for row in rows.values()}
    unknown = [name for name in options if name not in known]
    refuse_unknown(caller, unknown, [*known, *beside])
    given = _bind(caller, known, options, optional, text=face in (MX, DET))
    return {name: given[row.name] for name, row in rows.items() if row.name in given}


def bind_rows(
    caller: str, rows: Mapping[str, Param], options: Mapping[str, object]
) -> dict[str, Any]:
    """As `bind` on the mx.io face, for a table that the core does not know.

    Every parameter has a value, its default if none was given; ranges are checked here,
    and a choice is its name.
    """
    refuse_unknown(caller, (name for name in options if name not in rows), rows)
    given = _bind(caller, rows, options, (), text=True)
    for name, value in given.items():
        row = rows[name]
        if row.kind == "CHOICE":
            given[name] = row.choices[value]
        elif row.kind in ("INT", "REAL") and not row.low <= value <= row.high:
            raise _outside(row, value)
    return {row.name: given.get(row.name, row.default) for row in rows.values()}


def _bind(
    caller: str,
    known: Mapping[str, Param],
    options: Mapping[str, object],
    optional: tuple[str, ...],
    text: bool,
) -> dict[str, Any]:
    given = {
        name: value
        for name, value in options.items()
        if not _is_none(known[name], value, text)
    }
    for row in known.values():
        if row.required and row.name not in given and row.name not in optional:
            raise TypeError(f"{caller} needs the parameter {row.name}: {row.doc}")
    return {name: _convert(known[name], value, text) for name, value in given.items()}


def refuse_unknown(caller: str, unknown: Iterable[str], known: Iterable[str]) -> None:
    """TypeError for the first unknown name, if any, with the nearest of the known."""
    for name in unknown:
        raise TypeError(_unknown(caller, name, known))


def whole(name: str, value: object, low: int) -> int:
    """A whole number for an argument that is not in the table, or its text.

    TypeError for other types, ParameterError below `low`.
    """
    number = int(_convert(_untabled(name, "INT"), value, text=True))
    if number < low:
        raise ParameterError(f"{name} must be at least {low}, got {number}")
    return number


def flag(name: str, value: object) -> bool:
    """True or False for an argument that is not in the table, or its text.

    TypeError for other types, ParameterError for other values.
    """
    return bool(_convert(_untabled(name, "FLAG"), value, text=True))


def function(name: str, value: _Function) -> _Function:
    """The same function, or None; TypeError for what cannot be called."""
    if value is not None and not callable(value):
        kind = type(value).__name__
        raise TypeError(f"{name} must be callable, got {value!r} ({kind})")
    return value


def _untabled(name: str, kind: str) -> Param:
    return Param(name, kind, "", MX, True, None, -(2**63) + 1, 2**63 - 1, (), "")


def _is_none(row: Param, value: object, text: bool) -> bool:
    if text and isinstance(value, str) and row.kind != "TEXT":
        return value.strip() == "None"
    return value is None


def _unknown(caller: str, name: str, known: Iterable[str]) -> str:
    if name in TABLE:
        return f"{caller} does not take the parameter {name!r}"
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{caller} has no parameter {name!r}{hint}"


def _convert(row: Param, value: object, text: bool) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if text and isinstance(value, str) and row.kind != "TEXT":
        value = _from_text(row, value.strip())
    return _CONVERTERS[row.kind](row, value)


def _from_text(row: Param, value: str) -> object:
    try:
        if row.kind == "INT":
            return int(value)
        if row.kind == "REAL":
            return float(value)
        if row.kind == "FLAG" and value.lower() in _TRUE + _FALSE:
            return value.lower() in _TRUE
        if _is_shape(row) and value[:1] + value[-1:] in ("()", "[]"):
            return tuple(int(side) for side in value[1:-1].split(",") if side.strip())
        if row.kind == "REALS" and value[:1] + value[-1:] in ("()", "[]"):
            return tuple(float(part) for part in value[1:-1].split(",") if part.strip())
        if row.kind in ("SIZES", "INTS"):
            return int(value)
        if row.kind == "REALS":
            return float(value)
    except ValueError:
        pass
    if row.kind == "CHOICE":
        return value
    raise ParameterError(f"{row.name} must be {_EXPECTED[row.kind]}, got {value!r}")


def _is_shape(row: Param) -> bool:
    return row.kind in ("SHAPE", "SIZES", "INTS")


_EXPECTED = {
    "INT": "a whole number",
    "REAL": "a number",
    "FLAG": "True or False",
    "CHOICE": "one of its names",
    "TEXT": "text or a path",
    "SHAPE": "(channels, height, width)",
    "SIZES": "a shape such as (3,)",
    "INTS": "a whole number, or several",
    "REALS": "a number, or several",
    "OBJECT": "keys, a slice, a LabelRange, or a function of (key, label)",
}


def _wrong_type(row: Param, value: object) -> TypeError:
    kind = type(value).__name__
    return TypeError(
        f"{row.name} must be {_EXPECTED[row.kind]}, got {value!r} ({kind})"
    )


def _whole(row: Param, value: object) -> int:
    if isinstance(value, bool):
        raise _wrong_type(row, value)
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise _wrong_type(row, value) from None


def _int(row: Param, value: object) -> int:
    number = _whole(row, value)
    if abs(number) >= 2**63:
        raise _outside(row, number)
    return number


def _outside(row: Param, number: float) -> ParameterError:
    return ParameterError(
        f"{row.name} must be in [{_shown(row.low)}, {_shown(row.high)}], got {number}"
    )


def _shown(bound: float) -> str:
    return f"{bound:g}" if isinstance(bound, float) else str(bound)


def _real(row: Param, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(row, value)
    return float(value)


def _flag(row: Param, value: object) -> int:
    if not isinstance(value, bool | int):
        raise _wrong_type(row, value)
    if value not in (0, 1):
        raise ParameterError(f"{row.name} must be True or False, got {value!r}")
    return int(value)


def _choice(row: Param, value: object) -> int:
    if row.name in ("dtype", "label_dtype") and not isinstance(value, str):
        try:
            value = np.dtype(value).name  # type: ignore[call-overload]
        except TypeError:
            raise _wrong_type(row, value) from None
    if not isinstance(value, str):
        raise _wrong_type(row, value)
    if value not in row.choices:
        names = ", ".join(map(repr, row.choices))
        raise ParameterError(f"{row.name} must be one of {names}, got {value!r}")
    return row.choices.index(value)


def _text(row: Param, value: object) -> str:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        raise _wrong_type(row, value)
    if "\0" in value:
        raise ParameterError(f"{row.name} holds a NUL character: {value!r}")
    return value


def _shape(row: Param, value: object) -> tuple[int, ...]:
    if isinstance(value, str) or not hasattr(value, "__len__"):
        raise _wrong_type(row, value)
    sides = tuple(_whole(row, side) for side in value)  # type: ignore[attr-defined]
    if any(abs(side) >= 2**63 for side in sides):
        raise ParameterError(f"{row.name} is larger than any image, got {sides}")
    if len(sides) != 3:
        raise ParameterError(
            f"{row.name} must have 3 numbers, (channels, height, width), got {sides}"
        )
    return sides


def _sizes(row: Param, value: object) -> tuple[int, ...]:
    """A shape of any number of axes; one axis may be a plain number."""
    if isinstance(value, int):
        value = (value,)
    if isinstance(value, str) or not hasattr(value, "__len__"):
        raise _wrong_type(row, value)
    sides = tuple(_whole(row, side) for side in value)  # type: ignore[attr-defined]
    if not sides or min(sides) < 1 or math.prod(sides) > row.high:
        raise ParameterError(
            f"{row.name} must have positive numbers whose product is at most "
            f"{row.high}, got {sides}"
        )
    return sides


def _ints(row: Param, value: object) -> tuple[int, ...]:
    return tuple(_int(row, number) for number in _several(value))


def _reals(row: Param, value: object) -> tuple[float, ...]:
    return tuple(_real(row, number) for number in _several(value))


def _several(value: object) -> list[Any]:
    """The items of a sequence or an array; anything else alone."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [item.item() if isinstance(item, np.generic) else item for item in value]
    return [value]


def _object(row: Param, value: object) -> object:
    """As it is: the face says what it may be."""
    return value


_CONVERTERS = {
    "INT": _int,
    "REAL": _real,
    "FLAG": _flag,
    "CHOICE": _choice,
    "TEXT": _text,
    "SHAPE": _shape,
    "SIZES": _sizes,
    "INTS": _ints,
    "REALS": _reals,
    "OBJECT": _object,
}
