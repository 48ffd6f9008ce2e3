"""Which share of an epoch this process has."""

import logging
import os
import sys
from collections.abc import Sequence
from typing import Any, Protocol

from mxio.errors import ParameterError

__all__ = ["Mesh", "announce", "fill_rank"]

# Ranks along these dimensions of a mesh read different records ...
_DATA_DIMS = (
    "dp",
    "dp_replicate",
    "dp_shard",
    "ddp",
    "fsdp",
    "replicate",
    "shard",
    "data",
)
# ... and along these the same ones. Any other name is asked about.
_MODEL_DIMS = ("tp", "cp", "pp", "sp")

_log = logging.getLogger("mxio")


class Mesh(Protocol):
    """What is asked of a torch.distributed.device_mesh.DeviceMesh."""

    @property
    def mesh_dim_names(self) -> tuple[str, ...] | None: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    def get_coordinate(self) -> Sequence[int] | None: ...


def fill_rank(
    options: dict[str, Any],
    *,
    mesh: Mesh | None = None,
    dp_dims: Sequence[str] | None = None,
    process_group: Any = None,
    in_worker: bool = False,
) -> str:
    """Set rank and world_size in `options`; gives in words where they come from.

    The first of these decides: rank and world_size as given, `mesh`, `process_group`,
    the initialised torch.distributed, RANK and WORLD_SIZE, one process. Of the first
    three only one may be given. `in_worker`: this is a DataLoader worker, which cannot
    know about torch.distributed.

    ParameterError when they contradict each other or make no sense.
    """
    given = [
        name
        for name, there in (
            ("rank and world_size", {"rank", "world_size"} & options.keys()),
            ("mesh", mesh is not None),
            ("process_group", process_group is not None),
        )
        if there
    ]
    if len(given) > 1:
        raise ParameterError(f"give only one of {', '.join(given)}")
    if dp_dims is not None and mesh is None:
        raise ParameterError("dp_dims names dimensions of mesh=, which is not given")
    if mesh is not None:
        rank, world, source = _of_mesh(mesh, dp_dims)
    elif process_group is not None:
        rank, world, source = _of_group(process_group)
    elif given:
        rank, world, source = _of_pair(
            options.get("rank"), options.get("world_size"), "rank", "world_size"
        )
    else:
        rank, world, source = _discovered(in_worker)
    if world < 1:
        raise ParameterError(f"world_size must be at least 1, got {world}")
    if not 0 <= rank < world:
        raise ParameterError(
            f"rank must be in [0, world_size - 1] = [0, {world - 1}], got {rank}"
        )
    options["rank"], options["world_size"] = rank, world
    return source


def announce(options: dict[str, Any], source: str, share: str) -> None:
    """One line in the log named mxio: who this is, and what an epoch is to it.

    At level INFO for rank 0, so that a wrong guess is seen; DEBUG for the others.
    """
    rank, world = options["rank"], options["world_size"]
    level = logging.INFO if rank == 0 else logging.DEBUG
    _log.log(level, "rank %d of %d (from %s): %s", rank, world, source, share)


Found = tuple[int, int, str]


def _discovered(in_worker: bool) -> Found:
    # Asked only if the program has imported it: this face may be that of NumPy.
    distributed = sys.modules.get("torch.distributed")
    if (
        distributed is not None
        and distributed.is_available()
        and distributed.is_initialized()
    ):
        return distributed.get_rank(), distributed.get_world_size(), "torch.distributed"
    rank, world = _from_environment("RANK"), _from_environment("WORLD_SIZE")
    if rank is not None or world is not None:
        return _of_pair(rank, world, "RANK", "WORLD_SIZE")
    if in_worker:
        raise ParameterError(
            "a data set that is made inside a DataLoader worker cannot know its rank:"
            " make it before the DataLoader, or give rank= and world_size="
        )
    return 0, 1, "nothing: one process"


def _of_pair(rank: int | None, world: int | None, first: str, second: str) -> Found:
    if rank is None or world is None:
        missing, there = (first, second) if rank is None else (second, first)
        raise ParameterError(f"{there} is given without {missing}")
    return rank, world, f"{first} and {second}"


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


def _of_group(group: Any) -> Found:
    import torch.distributed as dist

    if not dist.is_available() or not dist.is_initialized():
        raise ParameterError(
            "process_group is given, but torch.distributed is not initialised"
        )
    rank = dist.get_rank(group)
    if rank < 0:
        raise ParameterError("this process is not in process_group")
    return rank, dist.get_world_size(group), "process_group"


def _of_mesh(mesh: Mesh, dp_dims: Sequence[str] | None) -> Found:
    """The place along the data-parallel dimensions, the last of them fastest."""
    if not hasattr(mesh, "get_coordinate"):
        raise TypeError(
            f"mesh must be a DeviceMesh, got {mesh!r} ({type(mesh).__name__})"
        )
    sizes, coordinate = tuple(mesh.shape), mesh.get_coordinate()
    if coordinate is None:
        raise ParameterError("this process is not in mesh")
    rank, world, names = 0, 1, []
    for name, size, place in zip(
        _dims_of_mesh(mesh, dp_dims), sizes, coordinate, strict=True
    ):
        if name is not None:
            rank, world = rank * size + place, world * size
            names.append(name)
    return rank, world, f"mesh, dimensions {', '.join(names) or 'none'}"


def _dims_of_mesh(mesh: Mesh, dp_dims: Sequence[str] | None) -> list[str | None]:
    """The name of each dimension that is data-parallel, None for each that is not."""
    names = mesh.mesh_dim_names
    if isinstance(dp_dims, str):  # not its letters
        dp_dims = (dp_dims,)
    if names is None:
        if dp_dims is not None or len(tuple(mesh.shape)) > 1:
            raise ParameterError(
                f"mesh has {len(tuple(mesh.shape))} dimensions without names: which of"
                " them are data-parallel? Give it mesh_dim_names"
            )
        return ["0"]
    if dp_dims is not None:
        strange = [name for name in dp_dims if name not in names]
        if strange:
            raise ParameterError(
                f"dp_dims names {strange[0]!r}, mesh has {', '.join(names)}"
            )
        return [name if name in dp_dims else None for name in names]
    for name in names:
        if name not in _DATA_DIMS + _MODEL_DIMS:
            raise ParameterError(
                f"mesh has a dimension {name!r}: data-parallel are"
                f" {', '.join(_DATA_DIMS)}, others {', '.join(_MODEL_DIMS)};"
                " dp_dims= names the data-parallel ones of other meshes"
            )
    return [name if name in _DATA_DIMS else None for name in names]
