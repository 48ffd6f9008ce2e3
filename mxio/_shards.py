"""One list packed into several files, by one process, by many, on many machines."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from mxio._atomic import naming
from mxio._draft import Draft
from mxio._lists import count_parts
from mxio._pace import Pace
from mxio._packing import Outputs, PackReport, discard, pack_task
from mxio._task import Task
from mxio.errors import DataError, ParameterError

__all__ = [
    "Plan",
    "join_reports",
    "make_plan",
    "pack_shard",
    "pack_shards",
    "prepare",
    "shard_name",
    "share_of",
    "summary",
    "worker_of",
]

_SHARDS_MAX = 100_000  # numbers have 5 digits
# This process's number and how many there are, where a launcher tells them.
_VARIABLES = (
    ("RANK", "WORLD_SIZE"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("JOB_COMPLETION_INDEX", "WORLD_SIZE"),
)
_ARRAY = "SLURM_ARRAY_TASK"


@dataclass(frozen=True)
class Plan:
    """Which files a list becomes. It decides every byte of them, wherever it is done.

    task: of the whole list. reports: every shard writes its bad lines, too.
    """

    task: Task
    digest: str
    output: str
    shards: int
    reports: bool

    def task_of(self, shard: int) -> Task:
        return replace(self.task, nsplit=self.shards, part=shard)

    def outputs_of(self, shard: int) -> Outputs:
        outputs = Outputs.of(
            shard_name(self.output, shard, self.shards), keeps_done=True
        )
        stem = os.path.splitext(outputs.record)[0]
        return replace(outputs, report=f"{stem}.bad.tsv" if self.reports else "")


def shard_name(output: str, shard: int, shards: int) -> str:
    """train.rec becomes train-00003-of-00512.rec."""
    stem, suffix = os.path.splitext(output)
    return f"{stem}-{shard:05d}-of-{shards:05d}{suffix}"


def make_plan(task: Task, output: str, shards: int, reports: bool) -> Plan:
    """The plan for `shards` files; ParameterError when that many cannot be."""
    if not 1 <= shards <= _SHARDS_MAX:
        raise ParameterError(f"shards must be in [1, {_SHARDS_MAX}], got {shards}")
    if task.nsplit != 1:
        raise ParameterError(f"shards do not go with nsplit, got {task.nsplit}")
    whole = replace(task, nsplit=shards)
    return Plan(task, whole.digest(), output, shards, reports)


def worker_of(
    text: str, environment: Mapping[str, str] = os.environ
) -> tuple[int, int]:
    """(i, n) of "i/n", or of the launcher's variables for "env".

    These are, in this order: RANK and WORLD_SIZE; those of a Slurm array, each of its
    jobs with its tasks; SLURM_PROCID and SLURM_NTASKS; those of Open MPI and of PMI;
    JOB_COMPLETION_INDEX of Kubernetes with WORLD_SIZE. ParameterError when there is
    none, or i is not in [0, n).
    """
    if text == "env":
        number, count = _from_launcher(environment)
    else:
        first, slash, second = text.partition("/")
        if not slash or not first.isdecimal() or not second.isdecimal():
            raise ParameterError(f"worker must be i/n or env, got {text!r}")
        number, count = int(first), int(second)
    if not 0 <= number < count:
        raise ParameterError(f"worker i/n must have 0 <= i < n, got {number}/{count}")
    return number, count


def _from_launcher(environment: Mapping[str, str]) -> tuple[int, int]:
    def number(name: str, default: str = "") -> int:
        text = environment.get(name) or default
        if not text.isdecimal():
            raise ParameterError(f"{name} must be a whole number, got {text!r}")
        return int(text)

    if environment.get(f"{_ARRAY}_COUNT") and not environment.get("RANK"):
        first, step = number(f"{_ARRAY}_MIN", "0"), number(f"{_ARRAY}_STEP", "1")
        tasks = number("SLURM_NTASKS", "1")
        place = (number(f"{_ARRAY}_ID") - first) // max(step, 1)
        count = number(f"{_ARRAY}_COUNT") * tasks
        return place * tasks + number("SLURM_PROCID", "0"), count
    for pair in _VARIABLES:
        if all(map(environment.get, pair)):
            return number(pair[0]), number(pair[1])
    names = ", ".join("/".join(pair) for pair in _VARIABLES)
    raise ParameterError(f"worker env: none of {names} is set; give i/n")


def share_of(plan: Plan, worker: tuple[int, int]) -> range:
    """The shards of worker i of n: i, i + n, i + 2 n, ..."""
    return range(worker[0], plan.shards, worker[1])


def pack_shard(
    plan: Plan, shard: int, progress: Pace, *, num_thread: int = 0, resume: bool
) -> PackReport:
    """Write one shard and its done-record; see `pack_task`."""
    return pack_task(
        plan.task_of(shard),
        plan.outputs_of(shard),
        progress,
        digest=plan.digest,
        num_thread=num_thread,
        resume=resume,
        may_be_empty=True,
    )


def prepare(plan: Plan, share: Sequence[int], resume: bool) -> None:
    """Unless resuming, remove what earlier runs left: then every shard may resume."""
    if not resume:
        for shard in share:
            discard(plan.task_of(shard), plan.outputs_of(shard))


def pack_shards(
    plan: Plan,
    share: Sequence[int],
    *,
    num_thread: int = 0,
    resume: bool = False,
    progress: bool = False,
) -> list[PackReport]:
    """Write these shards one after the other, with `num_thread` threads."""
    counts = count_parts(plan.task.list_path, plan.shards)
    prepare(plan, share, resume)
    with closing(Pace(sum(counts[shard] for shard in share), progress)) as shown:
        return [
            pack_shard(plan, shard, shown, num_thread=num_thread, resume=True)
            for shard in share
        ]


def summary(plan: Plan, reports: Sequence[PackReport], output: str) -> PackReport:
    """One report of several; DataError when not one line could be packed."""

    def total(of: Callable[[PackReport], int]) -> int:
        return sum(map(of, reports))

    packed, skipped = total(lambda r: r.packed), total(lambda r: r.skipped)
    if skipped and not packed:
        raise DataError(
            f"{plan.task.list_path}: none of {skipped} lines could be packed",
            plan.task.list_path,
        )
    return PackReport(
        output,
        "",
        packed,
        skipped,
        total(lambda r: r.duplicates),
        total(lambda r: r.rounded),
        total(lambda r: r.resumed),
        tuple(reports),
    )


def join_reports(plan: Plan, path: str) -> None:
    """One file of bad lines from those of all shards."""
    with closing(Draft([path], plan.digest)) as draft:
        draft.begin()
        for shard in range(plan.shards):
            name = plan.outputs_of(shard).report
            with naming(name), open(name, "rb") as file:
                draft.append(0, file.read())
        draft.publish(None)
