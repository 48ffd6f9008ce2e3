"""How many threads are worth starting."""

import math
import os
from pathlib import Path

__all__ = ["control_groups", "cores", "quota", "schedulable"]

_CGROUP = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def control_groups() -> list[Path]:
    """Folders of the control groups (version 2) that this process is in, up to the
    root.
    """
    try:
        lines = _MEMBERSHIP.read_text().splitlines()
    except OSError:
        lines = []
    paths = [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]
    own = Path(paths[0]) if paths else Path()
    return [_CGROUP / group for group in (own, *own.parents)]


def _quota_of(group: Path) -> float:
    """Cores that a control group of version 2 may use."""
    try:
        limit, period = (group / "cpu.max").read_text().split()
        return math.inf if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        return math.inf


def _quota_of_version_1() -> float:
    try:
        limit = int((_CGROUP / "cpu/cpu.cfs_quota_us").read_text())
        period = int((_CGROUP / "cpu/cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return math.inf
    return limit / period if limit > 0 else math.inf


def schedulable() -> int:
    """Cores that the affinity of this process allows."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def quota() -> float:
    """Cores that the control groups allow; infinite without a limit."""
    return min(_quota_of_version_1(), *map(_quota_of, control_groups()))


def cores() -> int:
    """Cores that this process may use: its affinity, bounded by the quotas of its
    control groups.
    """
    count, limit = schedulable(), quota()
    return count if limit >= count else max(1, math.ceil(limit))
