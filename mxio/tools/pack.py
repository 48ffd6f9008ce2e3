"""Packing of lists into RecordIO files: into one, or into many on many machines.

Its command is `im2rec`.
"""

from __future__ import annotations

import os
from typing import Unpack

from mxio._manifest import SUFFIX
from mxio._packing import Outputs, PackReport, pack_list
from mxio._shards import (
    join_reports,
    make_plan,
    pack_shards,
    share_of,
    summary,
    worker_of,
)
from mxio._task import Settings, make_task
from mxio.errors import ParameterError
from mxio.tools.merge import merge

__all__ = ["PackReport", "pack"]


def pack(
    list_path: str | os.PathLike[str],
    root: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    shards: int | None = None,
    worker: str | None = None,
    ray: str | None = None,
    num_thread: int = 0,
    resume: bool = False,
    done_record: bool = False,
    report: str | os.PathLike[str] | None = None,
    progress: bool = False,
    **settings: Unpack[Settings],
) -> PackReport:
    """Pack the images of a list into `output`, or into shards of it.

    Without the arguments below this is `mxio.im2rec.pack_list`, which describes the
    others.

    shards: as many files, train-00000-of-00008.rec and so on for train.rec, each with
        its index and a done-record (.done.json). Which lines are in which, and every
        byte, depends on the list and the settings only. When all are written, so is a
        manifest (train.mxio.json), which the loaders read as one data set.
    worker: "i/n" packs only the shards i, i + n, i + 2 n, ...: for n processes on
        any machines that see the same files, without a word between them. "env" takes i
        and n from the launcher: RANK and WORLD_SIZE, Slurm, MPI, Kubernetes. The number
        of shards is n unless given. `mxio.merge` writes the manifest, or one file.
    ray: the address of a Ray cluster, "auto" for the one that is running or else a new
        one on this machine; every shard is a task with num_thread (1) CPUs.

    With shards, `resume` leaves out those that are done and goes on with those begun;
    `report` is made of those of the shards, and left to each of them with `worker`.

    Raises what pack_list does, ParameterError for arguments that do not go together,
    and MxioError naming the shards that Ray could not make.
    """
    list_path = os.fspath(list_path)
    target = os.path.splitext(list_path)[0] + ".rec" if output is None else output
    target = os.fspath(target)
    if shards is None and worker is None and ray is None:
        return pack_list(
            list_path,
            root,
            target,
            num_thread=num_thread,
            resume=resume,
            done_record=done_record,
            report=report,
            progress=progress,
            **settings,
        )
    if worker is not None and ray is not None:
        raise ParameterError("worker and ray exclude each other")
    place = (0, 1) if worker is None else worker_of(worker)
    if shards is None and worker is None:
        raise ParameterError("ray needs shards: as many as there are to be tasks")
    task = make_task(list_path, root, **settings)
    whole = Outputs.of(target)
    told = "" if report is None else os.fspath(report)
    task.check_outputs(whole.record, whole.index, told)
    count = place[1] if shards is None else shards
    plan = make_plan(task, target, count, report is not None)
    if ray is not None:
        from mxio._ray import pack_on_ray

        reports = pack_on_ray(
            plan,
            None if ray == "auto" else ray,
            num_thread=num_thread,
            resume=resume,
            progress=progress,
        )
    else:
        share = share_of(plan, place)
        reports = pack_shards(
            plan, share, num_thread=num_thread, resume=resume, progress=progress
        )
    if place[1] > 1:
        return summary(plan, reports, target)
    manifest = os.path.splitext(target)[0] + SUFFIX
    total = summary(plan, reports, manifest)
    if report is not None:
        join_reports(plan, os.fspath(report))
    merge(manifest, [each.output for each in reports])
    return total
