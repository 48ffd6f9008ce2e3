"""The runner's side: who takes part, with which interpreter, and what each has done."""

import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from bench.processes import machine_busy_seconds, memory_mib
from bench.serve import Task
from bench.workloads import WORKLOADS

ROOT = Path(__file__).resolve().parents[1]
REPACKED = "_repacked"


@dataclass(frozen=True)
class Entry:
    """title: in tables. venv: folder of its virtual environment, "" for the runner's
    own Python, None for the C program. repacked: reads the repacked file.
    """

    title: str
    module: str
    venv: str | None
    face: str = ""
    repacked: bool = False


ENTRIES = {
    "mxio": Entry("mxio", "load_mxio", ""),
    "repacked": Entry("mxio, repacked file", "load_mxio", "", repacked=True),
    "decode": Entry("plain full decode", "", None),
    "mxnet": Entry("MXNet", "load_mxnet", "mxnet"),
    "dali": Entry("DALI", "load_dali", "dali"),
    "tf": Entry("tf.data", "load_tf", "tf"),
    "numpy": Entry("mxio, the NumPy face", "load_mxio", "", "numpy"),
    "dataset0": Entry("mxio data set, no worker", "load_mxio", "", "dataset0"),
    "dataset1": Entry("mxio data set, 1 worker", "load_mxio", "", "dataset1"),
    "dataset2": Entry("mxio data set, 2 workers", "load_mxio", "", "dataset2"),
    "torchvision": Entry("torchvision on Pillow", "load_torch", "torch", "torchvision"),
    "native": Entry("torchvision's decoder, v2", "load_torch", "torch", "native"),
    "opencv": Entry("OpenCV by hand", "load_torch", "torch", "opencv"),
}


@dataclass
class Contender:
    """A process that runs epochs when told to, and what it has achieved so far.

    seconds, cpu: microseconds per image of each round. others: cores that other
    programs took meanwhile. first_seconds, first_cpu: to the first batch, imports not
    included.
    """

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    first_seconds: float | None = None
    first_cpu: float | None = None
    peak_mib: float = 0.0
    about: str = ""

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env=os.environ | self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.about = self.answer()["about"]
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} gave up; its own message is above")
        facts: dict[str, Any] = json.loads(line)
        return facts

    def epoch(self) -> dict[str, Any]:
        """Run one more."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.answer()

    def warm_up(self, images: int) -> None:
        """An epoch that counts for memory, whose watching takes time, and for the
        first batch.
        """
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.2):
                self.peak_mib = max(self.peak_mib, memory_mib(self.process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            found = self.epoch()
        finally:
            ended.set()
            watcher.join()
        if found["images"] != images:
            raise SystemExit(f"{self.name} gave {found['images']} images of {images}")
        self.first_seconds = found.get("first_seconds")
        self.first_cpu = found.get("first_cpu")

    def measure(self) -> None:
        """One round."""
        busy = machine_busy_seconds()
        found = self.epoch()
        took = machine_busy_seconds() - busy - found["cpu"]
        self.others.append(max(0.0, took) / found["seconds"])
        self.seconds.append(1e6 * found["seconds"] / found["images"])
        self.cpu.append(1e6 * found["cpu"] / found["images"])
        self.peak_mib = max(self.peak_mib, memory_mib(self.process.pid))

    def begin(self) -> None:
        """A round of a workload that is over with the first batch; `cpu` and `seconds`
        are those of the whole batch, not of an image.
        """
        found = self.epoch()
        self.seconds.append(1e6 * found["first_seconds"])
        self.cpu.append(1e6 * found["first_cpu"])

    def faster_than(self, peer: "Contender") -> tuple[float, float, float]:
        """How many times less time and CPU time an image takes: medians of the
        rounds' ratios, whose two sides ran next to each other; and how many times
        less CPU time in the least disturbed round of either.
        """
        pairs = ((peer.seconds, self.seconds), (peer.cpu, self.cpu))
        wall, cpu = (
            statistics.median(a / b for a, b in zip(*pair, strict=True))
            for pair in pairs
        )
        return wall, cpu, min(peer.cpu) / min(self.cpu)

    def facts(self) -> dict[str, Any]:
        """Everything measured, for the file of numbers."""
        skipped = ("name", "command", "environment")
        return {k: v for k, v in asdict(self).items() if k not in skipped}


def build_full_decode(folder: Path) -> Path:
    """full_decode.c, compiled against the libjpeg-turbo that mxio builds with."""
    source = Path(__file__).with_name("full_decode.c")
    program = folder / "full_decode"
    libraries = ["-ljpeg"]
    if root := os.environ.get("MXIO_JPEG_ROOT"):
        lib = f"{root}/lib"
        libraries = [f"-I{root}/include", f"-L{lib}", f"-Wl,-rpath,{lib}", "-ljpeg"]
    elif shutil.which("pkg-config"):
        asked = ["pkg-config", "--cflags", "--libs", "libjpeg"]
        found = subprocess.run(asked, capture_output=True, text=True)
        libraries = found.stdout.split() or libraries
    compiler = shlex.split(os.environ.get("CC", "cc"))
    command = [*compiler, "-O3", str(source), "-o", str(program), *libraries]
    try:
        subprocess.run([*command, "-lpthread"], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"cannot build {source.name}: {error}") from error
    return program


@dataclass(frozen=True)
class Hall:
    """Where things are: the data, the virtual environments, the compiled program."""

    data: Path
    venvs: Path | None
    program: Path
    threads: int

    def python(self, venv: str) -> Path | None:
        """The interpreter of an entry; None when it is not installed."""
        if not venv:
            return Path(sys.executable)
        if self.venvs is None:
            return None
        python = self.venvs.absolute() / venv / "bin/python"
        return python if python.exists() else None

    def file(self, workload: str, repacked: bool) -> Path:
        """The .rec file, or MNIST's folder."""
        work = WORKLOADS[workload]
        if work.kind == "mnist":
            return self.data / work.file
        return self.data / f"{work.file}{REPACKED if repacked else ''}.rec"

    def task(self, name: str, workload: str, records: int) -> Task:
        """What a contender is told."""
        entry = ENTRIES[name]
        return Task(
            workload=workload,
            data=str(self.file(workload, entry.repacked).absolute()),
            records=records,
            batch=WORKLOADS[workload].batch,
            threads=WORKLOADS[workload].threads or self.threads,
            face=entry.face or WORKLOADS[workload].face,
        )

    def enter(self, name: str, workload: str, records: int) -> Contender | None:
        """A contender, or None when its package or its file is not there."""
        entry = ENTRIES[name]
        task = self.task(name, workload, records)
        if not Path(task.data).exists():
            return None
        environment: dict[str, str] = {}
        if entry.venv is None:
            command = [str(self.program), task.data, str(task.threads)]
        else:
            python = self.python(entry.venv)
            if python is None:
                return None
            command = [str(python), "-m", f"bench.{entry.module}"]
            command.append(json.dumps(asdict(task)))
        if entry.venv == "mxnet":
            environment["OMP_NUM_THREADS"] = str(task.threads)
            # Its threads wait in a loop otherwise: pure waste on a busy machine.
            environment["OMP_WAIT_POLICY"] = "passive"
        return Contender(entry.title, command, environment)
