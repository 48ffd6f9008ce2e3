"""Shards packed as tasks of Ray, on as many machines as its cluster has."""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from mxio._lists import count_parts
from mxio._pace import Pace
from mxio._packing import PackReport
from mxio._shards import Plan, pack_shard, prepare
from mxio.errors import MxioError, ParameterError

__all__ = ["pack_on_ray"]

_RETRIES = 3  # of a task whose process died or met a system error, by Ray
_AGAIN = 1  # times that a shard which failed all of these is tried once more
_IN_FLIGHT = 4  # tasks for each that can run at once
_SECONDS = 1.0


def pack_on_ray(
    plan: Plan,
    address: str | None,
    *,
    num_thread: int = 0,
    resume: bool = False,
    progress: bool = False,
) -> list[PackReport]:
    """Write all shards of a plan, each as one task; their reports in order.

    address: of the cluster, None for the one that Ray finds, or else a new one on this
        machine. An initialised Ray is used as it is.
    num_thread: threads, and CPUs, of each task; 0 means 1.

    All machines must see the list, the images and the output under the same paths. A
    task that is killed goes on at its last checkpoint. Raises ParameterError without
    Ray, what a task raised, and MxioError naming the shards that could not be made.
    """
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError:
        raise ParameterError("ray is not installed: pip install 'mxio[ray]'") from None
    if not ray.is_initialized():
        ray.init(address=address)
    cpus = max(num_thread, 1)
    make = ray.remote(
        num_cpus=cpus,
        max_retries=_RETRIES,
        retry_exceptions=[OSError],
        scheduling_strategy="SPREAD",
    )(_make)
    shared = ray.put(plan)
    room = _IN_FLIGHT * max(1, int(ray.cluster_resources().get("CPU", 1)) // cpus)
    prepare(plan, range(plan.shards), resume)
    counts = count_parts(plan.task.list_path, plan.shards)
    with closing(Pace(sum(counts), progress)) as shown:
        return _collect(
            ray, lambda shard: make.remote(shared, shard, cpus), counts, room, shown
        )


def _make(plan: Plan, shard: int, num_thread: int) -> PackReport:
    """The task: one shard, from where an earlier try came to."""
    with closing(Pace(0, False)) as silent:
        return pack_shard(plan, shard, silent, num_thread=num_thread, resume=True)


def _collect(
    ray: Any, begin: Any, counts: Sequence[int], room: int, progress: Pace
) -> list[PackReport]:
    """Keep `room` tasks in flight until every shard is made."""
    waiting = deque(range(len(counts)))
    tries = [0] * len(counts)
    reports: dict[int, PackReport] = {}
    failures: dict[int, Exception] = {}
    pending: dict[Any, int] = {}
    while waiting or pending:
        while waiting and len(pending) < room:
            shard = waiting.popleft()
            tries[shard] += 1
            pending[begin(shard)] = shard
        done, _ = ray.wait(list(pending), num_returns=1, timeout=_SECONDS)
        for task in done:
            shard = pending.pop(task)
            try:
                reports[shard] = ray.get(task)
                progress.step(counts[shard])
            except ray.exceptions.RayTaskError as error:
                cause = error.cause
                if not isinstance(cause, OSError):  # the same would come again
                    for other in pending:
                        ray.cancel(other)
                    raise cause from None
                failures[shard] = cause
            except ray.exceptions.RayError as error:
                failures[shard] = error
            if shard not in reports and tries[shard] <= _AGAIN:
                waiting.append(shard)
    lost = [shard for shard in range(len(counts)) if shard not in reports]
    if lost:
        raise MxioError(
            f"{len(lost)} of {len(counts)} shards could not be made, with resume they "
            f"are tried again; number {lost[0]}: {failures[lost[0]]}"
        )
    return [reports[shard] for shard in range(len(counts))]
