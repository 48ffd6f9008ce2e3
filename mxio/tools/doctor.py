"""`mxio doctor`: what mxio finds on this machine, and what could be better."""

from __future__ import annotations

import argparse
import importlib.metadata
import math
import os
import platform
import resource
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mxio import __version__, _core
from mxio._atomic import naming
from mxio._cores import control_groups, cores, quota, schedulable
from mxio.tools._command import Exit, add_json, new_parser, print_json

if TYPE_CHECKING:
    from mxio.tools._command import Commands

__all__ = ["DoctorReport", "FileState", "add_parser", "doctor", "run"]

PACKAGES = ("numpy", "opencv-python-headless", "pillow", "tqdm", "torch")
_FLAGS = ("sse4_2", "avx", "avx2", "fma", "bmi2", "avx512f", "avx512bw", "asimd", "sve")
_LEVELS = {"avx2": "AVX2", "asimd": "NEON"}  # of the kernels, by the processor's flags
_FEW_FILES = 1024
_LITTLE_SHARED = 1 << 30
_UNLIMITED_V1 = 1 << 60  # what version 1 of control groups says for "no limit"


@dataclass(frozen=True)
class FileState:
    """A file: its bytes, its file system, and the share that is in memory (None where
    the system does not tell).
    """

    path: str
    bytes: int
    filesystem: str | None
    cached: float | None


@dataclass(frozen=True)
class DoctorReport:
    """What `doctor` found; None stands for what the system does not tell, and for no
    limit. Memory is in bytes.
    """

    mxio: str
    python: str
    system: str
    processor: str | None
    processor_flags: list[str]
    features: dict[str, str]
    packages: dict[str, str | None]
    cores_total: int
    cores_affinity: int
    cores_quota: float | None
    cores_used: int
    memory_total: int | None
    memory_available: int | None
    memory_limit: int | None
    shared_memory_free: int | None
    files_limit: int | None
    files_open: int | None
    processes_limit: int | None
    paths: list[FileState]
    advice: list[str]


def doctor(paths: Sequence[str | os.PathLike[str]] = ()) -> DoctorReport:
    """Look at the processor, the codecs, the limits of this process, and at files.

    OSError naming a file that cannot be read.
    """
    memory = _memory_info()
    limit = quota()
    report = DoctorReport(
        mxio=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        processor=_processor(),
        processor_flags=_flags(),
        features=_core.features(),
        packages={name: _version(name) for name in PACKAGES},
        cores_total=os.cpu_count() or 1,
        cores_affinity=schedulable(),
        cores_quota=None if math.isinf(limit) else limit,
        cores_used=cores(),
        memory_total=memory.get("MemTotal"),
        memory_available=memory.get("MemAvailable"),
        memory_limit=_memory_limit(),
        shared_memory_free=_shared_memory(),
        files_limit=_limit(resource.RLIMIT_NOFILE),
        files_open=_open_files(),
        processes_limit=_limit(getattr(resource, "RLIMIT_NPROC", None)),
        paths=[_look_at(os.fspath(path)) for path in paths],
        advice=[],
    )
    report.advice.extend(advice_for(report))
    return report


def advice_for(report: DoctorReport) -> list[str]:
    """One sentence for each thing that could be better."""
    found: list[str] = []
    if report.features.get("simd") == "scalar":
        found.extend(
            f"the kernels run without {name}, which this processor has"
            for flag, name in _LEVELS.items()
            if flag in report.processor_flags
        )
    if report.cores_used < report.cores_total:
        found.append(
            f"this process may use {report.cores_used} of {report.cores_total} cores"
        )
    if (report.memory_limit or math.inf) < (report.memory_total or 0):
        gigabytes = (report.memory_limit or 0) / 1e9
        found.append(
            f"a control group allows {gigabytes:.1f} GB of memory, with cached files"
        )
    if report.files_limit is not None and report.files_limit < _FEW_FILES:
        found.append(
            f"only {report.files_limit} files may be open: ulimit -n raises it"
        )
    if (
        report.packages.get("torch") is not None
        and report.shared_memory_free is not None
        and report.shared_memory_free < _LITTLE_SHARED
    ):
        megabytes = report.shared_memory_free / 1e6
        found.append(
            f"/dev/shm has {megabytes:.0f} MB, through which DataLoader's workers send "
            "batches: use fewer workers, or make it larger (docker: --shm-size)"
        )
    for file in report.paths:
        if file.cached is not None and file.cached < 0.5:
            found.append(
                f"{file.path} is not in memory: its first epoch reads the disk"
            )
    return found


def _processor() -> str | None:
    for line in _lines("/proc/cpuinfo"):
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or None


def _flags() -> list[str]:
    for line in _lines("/proc/cpuinfo"):
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            there = set(value.split())
            return [flag for flag in _FLAGS if flag in there]
    return []


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _lines(path: str | Path) -> list[str]:
    try:
        return Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return []


def _memory_info() -> dict[str, int]:
    """/proc/meminfo in bytes."""
    found = {}
    for line in _lines("/proc/meminfo"):
        name, _, value = line.partition(":")
        words = value.split()
        if words and words[0].isdecimal():
            found[name] = int(words[0]) * (1024 if words[1:] == ["kB"] else 1)
    return found


def _memory_limit() -> int | None:
    """The least that the control groups allow, of version 2 or 1."""
    places = [group / "memory.max" for group in control_groups()]
    places.append(control_groups()[-1] / "memory" / "memory.limit_in_bytes")
    limits = [
        int(line) for place in places for line in _lines(place) if line.isdecimal()
    ]
    least = min(limits, default=_UNLIMITED_V1)
    return least if least < _UNLIMITED_V1 else None


def _shared_memory() -> int | None:
    try:
        return shutil.disk_usage("/dev/shm").free
    except OSError:
        return None


def _limit(kind: int | None) -> int | None:
    if kind is None:
        return None
    soft, _ = resource.getrlimit(kind)
    return None if soft == resource.RLIM_INFINITY else soft


def _open_files() -> int | None:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return None


def _look_at(path: str) -> FileState:
    from mxio.tools._cache import cached_share

    # Refuses what is no plain file, and may never answer.
    _core.RecordFile(path).close()
    with naming(path):
        return FileState(
            path, os.path.getsize(path), _filesystem(path), cached_share([path])
        )


def _filesystem(path: str) -> str | None:
    """The type of the file system, from the longest mount point above the file."""
    real = os.path.realpath(path)
    best, kind = "", None
    for line in _lines("/proc/self/mounts"):
        words = line.split()
        if len(words) < 3:
            continue
        point = words[1].encode().decode("unicode_escape", errors="replace")
        above = real == point or real.startswith(point.rstrip("/") + "/")
        if above and len(point) >= len(best):
            best, kind = point, words[2]
    return kind


def add_parser(commands: Commands) -> None:
    """Describe `mxio doctor`."""
    parser = new_parser(
        commands,
        "doctor",
        "what mxio finds on this machine",
        "Show processor, codecs, versions, and the limits of cores, memory and open\n"
        "files; of the files given, what is in memory.",
    )
    parser.add_argument("paths", nargs="*", metavar="FILE", help="files to look at")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run `mxio doctor`."""
    report = doctor(options.paths)
    if options.json:
        print_json(report)
        return Exit.GOOD
    for name, value in _table(report):
        print(f"{name:<15} {value}")
    for file in report.paths:
        share = "" if file.cached is None else f", {file.cached:.0%} in memory"
        place = "" if file.filesystem is None else f" on {file.filesystem}"
        print(f"{file.path}: {file.bytes / 1e6:.1f} MB{place}{share}")
    for sentence in report.advice:
        print(f"note: {sentence}", file=sys.stdout)
    return Exit.GOOD


def _table(report: DoctorReport) -> list[tuple[str, str]]:
    def told(value: float | None, show: Callable[[float], str]) -> str:
        return "no limit" if value is None else show(value)

    def gigabytes(value: float) -> str:
        return f"{value / 1e9:.1f} GB"

    def whole(value: float) -> str:
        return f"{value:g}"

    packages = (f"{name} {version or '-'}" for name, version in report.packages.items())
    total = report.memory_total
    free = report.memory_available
    memory = "unknown" if total is None else gigabytes(total)
    if free is not None:
        memory += f", {gigabytes(free)} available"
    return [
        ("mxio", f"{report.mxio}, Python {report.python}, {report.system}"),
        ("processor", report.processor or "unknown"),
        ("instructions", " ".join(report.processor_flags) or "unknown"),
        *((f"  {name}", value) for name, value in report.features.items()),
        ("packages", ", ".join(packages)),
        (
            "cores",
            f"{report.cores_used} used: {report.cores_total} in the machine, affinity "
            f"{report.cores_affinity}, quota {told(report.cores_quota, whole)}",
        ),
        ("memory", f"{memory}, limit {told(report.memory_limit, gigabytes)}"),
        ("open files", f"limit {told(report.files_limit, whole)}"),
        ("processes", f"limit {told(report.processes_limit, whole)}"),
    ]
