"""ImageRecordIter's options of augmentation, as options of a subcommand."""

from __future__ import annotations

import argparse
from typing import Any

from mxio import params
from mxio.params import Param

__all__ = ["add_augmentation", "augmentation_given", "is_normalising"]

_ALSO = ("data_shape", "path_imglist", "label_width")


def _rows() -> list[Param]:
    return [
        row
        for row in params.TABLE.values()
        if row.faces & params.MX and (row.group == "AUGMENTATION" or row.name in _ALSO)
    ]


def add_augmentation(parser: argparse.ArgumentParser) -> None:
    """Every option of ImageRecordIter that decides what a sample looks like."""
    parser.usage = f"{parser.prog} [options] [augmentation] REC"  # they are many
    group = parser.add_argument_group(
        "augmentation", "as of ImageRecordIter; docs/parameters.md says more"
    )
    for row in _rows():
        names = dict.fromkeys((f"--{row.name.replace('_', '-')}", f"--{row.name}"))
        settings: dict[str, Any] = {"metavar": "VALUE"}
        if row.kind == "FLAG":
            settings |= {"nargs": "?", "const": "true", "metavar": "BOOL"}
        group.add_argument(
            *names,
            dest=row.name,
            default=None,
            help=row.doc.replace("%", "%%"),
            **settings,
        )


def augmentation_given(options: argparse.Namespace) -> dict[str, str]:
    """The values that were given, as text, by the names of the parameters."""
    given = {}
    for row in _rows():
        value = getattr(options, row.name)
        if row.kind == "SHAPE" and value is not None and value[:1].isdigit():
            value = f"({value})"  # 3,32,32 is easier to type in a shell
        if value is not None:
            given[row.name] = value
    return given


def is_normalising(name: str) -> bool:
    """Whether a parameter makes of levels from 0 to 255 something else."""
    return name == "scale" or name.startswith(("mean_", "std_"))
