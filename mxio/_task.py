"""What is packed from a list: the same wherever and whenever it is done."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from typing import TypedDict

from mxio import _core
from mxio._atomic import naming, refuse_replacing
from mxio._recipe import Recipe
from mxio.errors import ParameterError

__all__ = ["Settings", "Task", "make_task"]

_WAY_OF_PACKING = 1  # more when the same list and options give other bytes


class Settings(TypedDict, total=False):
    """The arguments of `pack_list` that decide what is stored."""

    label_width: int | None
    pack_label: bool
    resize: int
    center_crop: bool
    color: int
    encoding: str
    quality: int
    inter_method: int
    pass_through: bool
    repack: bool
    scaled_decode: bool
    on_error: str
    nsplit: int
    part: int


@dataclass(frozen=True, kw_only=True)
class Task:
    """One part of a list and what becomes of it."""

    list_path: str
    root: str
    label_width: int | None
    pack_label: bool
    recipe: Recipe
    on_error: str
    nsplit: int = 1
    part: int = 0

    def __post_init__(self) -> None:
        if self.on_error not in ("skip", "fail"):
            raise ParameterError(
                f'on_error must be "skip" or "fail", got {self.on_error!r}'
            )
        if self.label_width is not None and self.label_width < 1 + self.pack_label:
            least = "2 with pack_label" if self.pack_label else "1"
            raise ParameterError(
                f"label_width must be >= {least}, got {self.label_width}"
            )
        if not 0 <= self.part < self.nsplit:
            raise ParameterError(
                f"part must be in [0, nsplit = {self.nsplit}), got {self.part}"
            )

    def check_outputs(self, *paths: str) -> None:
        """ParameterError when one of these files would replace the list, or another."""
        refuse_replacing(filter(None, paths), [self.list_path])

    def digest(self) -> str:
        """Of all that decides the bytes of all parts, but where the images are.

        That is: the list, the options, the versions of the libraries that encode.
        """
        with naming(self.list_path), open(self.list_path, "rb") as file:
            of_list = hashlib.file_digest(file, "sha256").hexdigest()
        facts = asdict(replace(self, list_path=of_list, root="", part=0))
        facts["way"] = _WAY_OF_PACKING
        facts["codecs"] = {name: _core.features()[name] for name in ("jpeg", "png")}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def make_task(
    list_path: str | os.PathLike[str],
    root: str | os.PathLike[str],
    *,
    label_width: int | None = None,
    pack_label: bool = False,
    resize: int = 0,
    center_crop: bool = False,
    color: int = 1,
    encoding: str = ".jpg",
    quality: int = 95,
    inter_method: int = 1,
    pass_through: bool = False,
    repack: bool = False,
    scaled_decode: bool = False,
    on_error: str = "skip",
    nsplit: int = 1,
    part: int = 0,
) -> Task:
    """The task that arguments of `pack_list` describe. ParameterError."""
    recipe = Recipe(
        resize=resize,
        center_crop=center_crop,
        color=color,
        encoding=encoding,
        quality=quality,
        inter_method=inter_method,
        pass_through=pass_through,
        repack=repack,
        scaled_decode=scaled_decode,
    )
    return Task(
        list_path=os.fspath(list_path),
        root=os.fspath(root),
        label_width=label_width,
        pack_label=pack_label,
        recipe=recipe,
        on_error=on_error,
        nsplit=nsplit,
        part=part,
    )
