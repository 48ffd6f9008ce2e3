"""Images per second of im2rec, beside MXNet's own im2rec.py.

    python bench/packing.py PHOTOS --reference mxenv/bin/python [--json FILE]

PHOTOS is a folder of JPEGs; every one is listed `--times` times. The large originals
are made of them: enlarged to 4000 x 3000, with noise, about 3 MB each. The reference is
a Python with mxnet==1.9.1 and OpenCV. Both tools run as whole processes, in turn, with
the same number of threads, and write into the same folder; the time that mxio waits for
the disk (fsync, which MXNet leaves out) is measured apart and taken off.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from mxio.im2rec import make_list

# Runs im2rec, and tells the seconds spent in fsync.
OURS = """
import os, sys, time
spent, fsync = [0.0], os.fsync
def timed(descriptor):
    start = time.monotonic()
    fsync(descriptor)
    spent[0] += time.monotonic() - start
os.fsync = timed
from mxio.im2rec import main
code = main(sys.argv[1:])
print("fsync", spent[0])
sys.exit(code)
"""
THEIRS = "import mxnet, os; print(os.path.dirname(mxnet.__file__))"
LARGE = (4000, 3000)
LARGE_BYTES = 3_000_000


@dataclass(frozen=True)
class Case:
    """What is packed, and with which options of both tools and of mxio alone."""

    name: str
    prefix: Path
    root: Path
    images: int
    options: tuple[str, ...]
    ours: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """One process: images a second of wall time, CPU milliseconds an image, seconds of
    fsync, all but the last without these.
    """

    rate: float
    cpu: float
    fsync: float


def main() -> None:
    """Measure all cases, print a table, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, metavar="PHOTOS")
    parser.add_argument("--reference", metavar="PYTHON")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--times", type=int, default=9, metavar="N")
    parser.add_argument("--large", type=int, default=40, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cases = list(make_cases(options, Path(folder)))
        results = [measure(case, options) for case in cases]
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


def make_cases(options: argparse.Namespace, folder: Path) -> Iterator[Case]:
    """The lists and pictures of all cases."""
    photos = list_of(folder / "photos", options.photos, options.times)
    small = ("--resize", "256", "--quality", "95")
    for name, given in (("resize 256", small), ("pass-through", ("--pass-through",))):
        yield Case(name, folder / "photos", options.photos, photos, given)
    make_large(options.photos, folder / "large", options.large)
    count = list_of(folder / "big", folder / "large", 1)
    scaled = ("--scaled-decode",)
    for name, ours in (("large originals", ()), ("the same, scaled decode", scaled)):
        yield Case(name, folder / "big", folder / "large", count, small, ours)


def list_of(prefix: Path, root: Path, times: int) -> int:
    """Write PREFIX.lst with every picture so often; how many lines it has."""
    make_list(prefix, root, recursive=True)
    path = prefix.with_suffix(".lst")
    lines = path.read_text().splitlines() * times
    parts = (line.partition("\t") for line in lines)
    numbered = [f"{number}\t{rest}\n" for number, (_, _, rest) in enumerate(parts)]
    path.write_text("".join(numbered))
    return len(lines)


def make_large(photos: Path, folder: Path, count: int) -> None:
    """Photographs enlarged, with noise that makes them about 3 MB."""
    folder.mkdir()
    noise = np.random.default_rng(0)
    paths = sorted(photos.rglob("*.jpg"))
    for number, path in enumerate(paths[:: max(1, len(paths) // count)][:count]):
        photo = cv2.imread(str(path))
        assert photo is not None
        image = cv2.resize(photo, LARGE, interpolation=cv2.INTER_CUBIC)
        grain = np.asarray(noise.normal(0, 6, image.shape), np.float32)
        image = np.clip(image + grain, 0, 255).astype(np.uint8)
        encoded = b""
        for quality in range(95, 60, -3):
            done, array = cv2.imencode(".jpg", image, [1, quality])
            assert done
            encoded = array.tobytes()
            if len(encoded) <= LARGE_BYTES:
                break
        (folder / f"{number}.jpg").write_bytes(encoded)


def measure(case: Case, options: argparse.Namespace) -> dict[str, object]:
    """Run both tools in turn; the medians, printed and given."""
    words = [str(case.prefix), str(case.root), *case.options]
    words += ["--num-thread", str(options.threads)]
    commands = {"mxio": [sys.executable, "-c", OURS, *words, *case.ours]}
    if options.reference:
        folder = subprocess.check_output([options.reference, "-c", THEIRS], text=True)
        tool = os.path.join(folder.strip(), "tools", "im2rec.py")
        commands["mxnet"] = [options.reference, tool, *words]
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(options.rounds):
        for name, command in commands.items():
            runs[name].append(run(command, case.images))
    return tell(case, runs)


def run(command: Sequence[str], images: int) -> Run:
    """One process, its descendants included."""
    start = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    shown = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command}: exit code {process.returncode}")
    waits = [line.split()[1] for line in shown.splitlines() if line[:5] == "fsync"]
    fsync = float(waits[0]) if waits else 0.0
    cpu = (usage.ru_utime + usage.ru_stime) / images * 1000
    return Run(images / (seconds - fsync), cpu, fsync)


def tell(case: Case, runs: dict[str, list[Run]]) -> dict[str, object]:
    """Print the medians of a case; they and all runs."""
    print(f"{case.name}: {case.images} images", flush=True)
    rates, cpus = {}, {}
    for name, each in runs.items():
        rates[name] = statistics.median(run.rate for run in each)
        cpus[name] = statistics.median(run.cpu for run in each)
        fsync = statistics.median(run.fsync for run in each)
        print(
            f"  {name:6} {rates[name]:8.0f} images/s  {cpus[name]:7.2f} CPU ms/image"
            f"  {fsync:5.2f} s fsync"
        )
    if "mxnet" in runs:
        print(
            f"  {rates['mxio'] / rates['mxnet']:.2f} times the images/s, "
            f"{cpus['mxnet'] / cpus['mxio']:.2f} times less CPU",
            flush=True,
        )
    all_runs = {name: [asdict(run) for run in each] for name, each in runs.items()}
    return {"case": case.name, "images": case.images, "runs": all_runs}


if __name__ == "__main__":
    main()
