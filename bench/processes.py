"""What Linux knows about processes and the machine. Standard library only."""

import os
import platform
import resource
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def family(process: int) -> list[int]:
    """The ids of a process and of all its living descendants."""
    members = [process]
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:  # the thread ended while we looked
            continue
        for child in children:
            members += family(int(child))
    return members


def cpu_seconds() -> float:
    """User and system seconds of this process, its ended and its living children."""
    spent = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        use = resource.getrusage(who)
        spent += use.ru_utime + use.ru_stime
    for process in family(os.getpid())[1:]:
        try:
            stat = Path(f"/proc/{process}/stat").read_text()
        except OSError:  # ended just now: counted with the ended ones next time
            continue
        spent += sum(map(int, stat.rpartition(")")[2].split()[11:13])) / TICKS
    return spent


def machine_busy_seconds() -> float:
    """CPU seconds that the whole machine has worked since it started."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, *_ = map(
            int, file.readline().split()[1:]
        )
    return (user + nice + system + irq + softirq) / TICKS


def memory_mib(process: int) -> float:
    """Peak resident memory of a lone process; present sum of PSS of a family.

    Pages of files that are mapped count in both.
    """
    members = family(process)
    name, wanted = ("smaps_rollup", "Pss:")
    if len(members) == 1:
        name, wanted = ("status", "VmHWM:")
    kib = 0
    for member in members:
        try:
            lines = Path(f"/proc/{member}/{name}").read_text().splitlines()
        except OSError:  # a worker that ended just now
            continue
        kib += sum(int(line.split()[1]) for line in lines if line.startswith(wanted))
    return kib / 1024


def machine() -> str:
    """Processor, cores, memory, system and Python, in one line."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return (
        f"{model}, {len(os.sched_getaffinity(0))} cores, {pages / 2**30:.0f} GiB, "
        f"{platform.system()} {platform.release()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )
