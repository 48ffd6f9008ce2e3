"""Records per second of `read` and `read_idx`, beside MXNet's own recordio.

    python bench/recordio.py REC [REC ...] --reference mxenv/bin/python [--out FILE]

REC is a RecordIO file with its .idx beside it; a file of 10,000 records of about 2.7 KB
is made for the occasion. The reference is a Python with mxnet==1.9.1. One process of
each stays; they take turns, one pass each, the first not counted.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mxio.recordio import MXIndexedRecordIO

SMALL_RECORDS = 10_000
SMALL_BYTES = (2400, 3000)  # lowest and highest size
SEED = 3

# Answers each line "sequential" or "random" with [records, seconds, CPU seconds].
SERVER = """
import json, random, sys, time
if sys.argv[1] == "mxnet":
    import numpy
    numpy.bool = bool  # MXNet asks for it; NumPy left it out
    from mxnet import recordio
else:
    from mxio import recordio
record, index, times, seed = sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]
order = random.Random(seed)
by_key = recordio.MXIndexedRecordIO(index, record, "r")
keys = list(by_key.keys) * times
def sequential():
    count = 0
    for _ in range(times):
        reader = recordio.MXRecordIO(record, "r")
        while reader.read() is not None:
            count += 1
    return count
def by_random_key():
    for key in keys:
        by_key.read_idx(key)
    return len(keys)
for line in sys.stdin:
    order.shuffle(keys)
    clock, processor = time.perf_counter(), time.process_time()
    count = {"sequential": sequential, "random": by_random_key}[line.strip()]()
    took = time.perf_counter() - clock, time.process_time() - processor
    print(json.dumps([count, *took]), flush=True)
"""


@dataclass(frozen=True)
class Pass:
    """One pass over a file: microseconds a record, by the clock and of the CPU."""

    clock: float
    cpu: float


class Contender:
    """A process that reads one file when it is told."""

    def __init__(self, python: str, name: str, record: Path, times: int) -> None:
        words = [str(record), str(record.with_suffix(".idx")), str(times), str(SEED)]
        self.process = subprocess.Popen(
            [python, "-W", "ignore", "-c", SERVER, name, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self, way: str) -> Pass:
        """One pass over all records."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{way}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.process.args!r} ended: {self.process.wait()}")
        count, clock, cpu = json.loads(answer)
        return Pass(clock / count * 1e6, cpu / count * 1e6)

    def close(self) -> None:
        """Let it end."""
        self.process.communicate()


def main() -> None:
    """Measure all files, print a table, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", type=Path, nargs="*", metavar="REC")
    parser.add_argument("--reference", required=True, metavar="PYTHON")
    parser.add_argument("--rounds", type=int, default=9, metavar="N")
    parser.add_argument("--out", type=Path, metavar="FILE")
    options = parser.parse_args()
    lines = [*machine(options.rounds), ""]
    with tempfile.TemporaryDirectory() as folder:
        for record in (make_small(Path(folder)), *options.records):
            lines += measure(record, options)
    text = "\n".join(lines)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


def machine(rounds: int) -> list[str]:
    """What was measured, when and where."""
    now = datetime.datetime.now(datetime.UTC)
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    cores = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    return [
        f"bench/recordio.py, {now:%Y-%m-%d %H:%M} UTC",
        f"{names[0] if names else 'CPU unknown'}, {cores}, {system}, "
        f"Python {platform.python_version()}",
        "microseconds a record, page cache warm; median (lowest..highest) of "
        f"{rounds} rounds after a warm-up; the ratio is MXNet's over mxio's, by round",
    ]


def make_small(folder: Path) -> Path:
    """The file of small records."""
    record, sizes = folder / "small.rec", random.Random(SEED)
    with MXIndexedRecordIO(record.with_suffix(".idx"), record, "w") as writer:
        for key in range(SMALL_RECORDS):
            writer.write_idx(key, sizes.randbytes(sizes.randint(*SMALL_BYTES)))
    return record


def measure(record: Path, options: argparse.Namespace) -> list[str]:
    """Both tools in turn, both ways; the lines of the table."""
    count = len(record.with_suffix(".idx").read_text().splitlines())
    size = record.stat().st_size
    times = max(1, 2000 // count)  # a pass of a few milliseconds measures nothing
    both = {
        "mxio": Contender(sys.executable, "mxio", record, times),
        "mxnet": Contender(options.reference, "mxnet", record, times),
    }
    lines = [f"{record.name}: {count} records of {size / count / 1000:.1f} KB, mean"]
    for way in ("sequential", "random"):
        runs: dict[str, list[Pass]] = {name: [] for name in both}
        for _ in range(options.rounds + 1):
            for name, contender in both.items():
                runs[name].append(contender.read(way))
        for kind in ("clock", "cpu"):
            ours, theirs = (
                [getattr(each, kind) for each in runs[name][1:]]
                for name in ("mxio", "mxnet")
            )
            ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
            lines.append(
                f"  {way:10} {kind:5}  mxio {spread(ours)}  mxnet {spread(theirs)}"
                f"  ratio {spread(ratios)}"
            )
    for contender in both.values():
        contender.close()
    return lines


def spread(values: list[float]) -> str:
    """Median (lowest..highest)."""
    middle = statistics.median(values)
    return f"{middle:7.2f} ({min(values):.2f}..{max(values):.2f})"


if __name__ == "__main__":
    main()
