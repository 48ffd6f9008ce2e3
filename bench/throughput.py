"""How fast mxio loads, beside a plain full JPEG decode and torch DataLoader + Pillow.

    python bench/throughput.py FOLDER_OR_REC [--repeat 9] [--threads 2] [--out FILE]

Every contender is a process of its own and works through the same records with the same
number of threads or workers. They take turns: one epoch each that is not counted, then
`--rounds` measured ones. bench/README.md says what each contender does and what the
columns mean. Linux only: CPU time and memory of worker processes come from /proc.
"""

import argparse
import importlib.util
import io
import json
import math
import mmap
import os
import platform
import random
import resource
import shlex
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

MEAN = (123.68, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)
SIDE = 224
WORKLOADS = {
    "train": "random_resized_crop 224 (area 0.08..1, ratio 3/4..4/3), mirror, "
    "mean and std, float32 NCHW, shuffled",
    "eval": "resize 256, centre crop 224, mean and std, float32 NCHW",
}
CONTENDERS = {
    "mxio": "mxio",
    "decode": "(a) full libjpeg decode",
    "torch": "(b) torch + Pillow",
}
RECORD_MAGIC = b"\x0a\x23\xd7\xce"
LENGTH_BITS = 29
LABEL_HEAD = struct.Struct("<IfQQ")
MIB = 1024 * 1024


# Records, read with nothing but the standard library.


def record_spans(path: Path) -> list[tuple[int, int]]:
    """(offset, size) of every record of a RecordIO file, split records whole."""
    starts = []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as m:
        size, offset = len(m), 0
        while offset < size:
            if m[offset : offset + 4] != RECORD_MAGIC:
                raise SystemExit(f"{path}: there is no record head at byte {offset}")
            word = int.from_bytes(m[offset + 4 : offset + 8], "little")
            if word >> LENGTH_BITS in (0, 1):
                starts.append(offset)
            offset += 8 + (word % (1 << LENGTH_BITS) + 3) // 4 * 4
    if offset != size:
        raise SystemExit(f"{path}: the file ends inside its last record")
    return list(zip(starts, np.diff([*starts, size]).tolist(), strict=True))


def payload_of(record: bytes) -> bytes:
    """The payload of one record, its parts joined by the magic number."""
    parts, offset = [], 0
    while offset < len(record):
        word = int.from_bytes(record[offset + 4 : offset + 8], "little")
        length = word % (1 << LENGTH_BITS)
        parts.append(record[offset + 8 : offset + 8 + length])
        offset += 8 + (length + 3) // 4 * 4
    return parts[0] if len(parts) == 1 else RECORD_MAGIC.join(parts)


# The contenders, each in its own process.


def mxio_epoch(task: argparse.Namespace) -> tuple[str, Callable[[], int]]:
    """mxio's NumPy face."""
    import mxio
    from mxio._options import NumpyOptions
    from mxio.adapters.numpy import ImageRecordLoader

    offset, size = record_spans(task.rec)[0]
    with task.rec.open("rb") as file:
        file.seek(offset)
        labels, *_ = LABEL_HEAD.unpack_from(payload_of(file.read(size)))
    options: NumpyOptions = {
        "path_imgrec": task.rec,
        "label_width": max(1, labels),
        "data_shape": (3, SIDE, SIDE),
        "batch_size": task.batch,
        "last_batch": "partial",
        "preprocess_threads": task.threads,
        "mean_r": MEAN[0],
        "mean_g": MEAN[1],
        "mean_b": MEAN[2],
        "std_r": STD[0],
        "std_g": STD[1],
        "std_b": STD[2],
    }
    if task.workload == "eval":
        options["resize"] = 256
    else:
        options |= {
            "shuffle": True,
            "seed": 1,
            "random_resized_crop": True,
            "min_random_area": 0.08,
            "max_random_area": 1.0,
            "min_aspect_ratio": 3 / 4,
            "max_aspect_ratio": 4 / 3,
            "rand_mirror": True,
        }
    loader = ImageRecordLoader(**options)
    about = ", ".join(f"{k} {v}" for k, v in mxio.features().items())
    return (
        f"mxio {mxio.__version__} ({about})",
        lambda: sum(len(batch.data) - batch.pad for batch in loader),
    )


def crop_box(width: int, height: int) -> tuple[float, float, float, float]:
    """torchvision's RandomResizedCrop: left, top, right, bottom."""
    for _ in range(10):
        area = width * height * random.uniform(0.08, 1.0)
        ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = random.randint(0, width - w), random.randint(0, height - h)
            return left, top, left + w, top + h
    return centre_box(width, height, 1.0)


def centre_box(
    width: int, height: int, share: float
) -> tuple[float, float, float, float]:
    """The square in the middle whose side is a share of the shorter edge."""
    side = min(width, height) * share
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


class PillowDataset:
    """What a careful user writes for DataLoader: crop and resize in one call.

    Samples stay uint8: a quarter of the bytes goes through the workers' shared memory,
    which was measured to be faster than normalising in the workers.
    """

    def __init__(self, path: Path, train: bool) -> None:
        self.path = path
        self.train = train
        self.spans = np.array(record_spans(path), dtype=np.int64)
        self.file = -1

    def __len__(self) -> int:
        return len(self.spans)

    def __getitem__(self, place: int) -> tuple[NDArray[np.uint8], float]:
        from PIL import Image

        if self.file < 0:
            self.file = os.open(self.path, os.O_RDONLY)
        offset, size = self.spans[place].tolist()
        payload = payload_of(os.pread(self.file, size, offset))
        flag, label, _, _ = LABEL_HEAD.unpack_from(payload)
        image: Image.Image = Image.open(
            io.BytesIO(memoryview(payload)[LABEL_HEAD.size + 4 * flag :])
        )
        box = (
            crop_box(*image.size)
            if self.train
            else centre_box(*image.size, share=SIDE / 256)
        )
        image = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box)
        pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
        if self.train and random.random() < 0.5:
            pixels = pixels[:, ::-1]
        return np.ascontiguousarray(pixels.transpose(2, 0, 1)), label


def torch_epoch(task: argparse.Namespace) -> tuple[str, Callable[[], int]]:
    """torch DataLoader with persistent workers over Pillow."""
    import PIL.features
    import torch
    from torch.utils.data import DataLoader

    loader: DataLoader[Any] = DataLoader(
        PillowDataset(task.rec, task.workload == "train"),  # type: ignore[arg-type]
        batch_size=task.batch,
        shuffle=task.workload == "train",
        num_workers=task.threads,
        persistent_workers=True,
        prefetch_factor=2,
    )
    torch.set_num_threads(1)  # measured: more of them only get in the workers' way
    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (MEAN, STD))
    scale, shift = 1 / std, -mean / std

    def epoch() -> int:
        images = 0
        for pixels, _ in loader:
            images += len(pixels.float().mul_(scale).add_(shift))
        return images

    codec = PIL.features.version("libjpeg_turbo") or "another libjpeg"
    return (
        f"torch {torch.__version__}, Pillow {PIL.__version__} (libjpeg-turbo {codec}), "
        f"NumPy {np.__version__}",
        epoch,
    )


def serve(task: argparse.Namespace) -> None:
    """Say who we are; then for each line of stdin: one epoch, one line of results."""
    make = mxio_epoch if task.contender == "mxio" else torch_epoch
    about, epoch = make(task)
    print(about, flush=True)
    for _ in sys.stdin:
        cpu, start = cpu_seconds(), time.perf_counter()
        images = epoch()
        seconds = time.perf_counter() - start
        print(images, f"{seconds:.6f} {cpu_seconds() - cpu:.6f}", flush=True)


# What the system knows about processes.


def cpu_seconds() -> float:
    """User and system seconds of this process, its ended and its living children."""
    ended = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    spent = 0.0
    for use in map(resource.getrusage, ended):
        spent += use.ru_utime + use.ru_stime
    for process in family(os.getpid())[1:]:
        try:
            stat = Path(f"/proc/{process}/stat").read_text()
        except OSError:  # ended just now: counted with the ended ones next time
            continue
        ticks = stat.rpartition(")")[2].split()[11:13]
        spent += sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return spent


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


def memory_mib(process: int) -> float:
    """Peak resident memory of a lone process; present sum of PSS of a family."""
    members = family(process)
    lone = len(members) == 1
    name, wanted = ("status", "VmHWM:") if lone else ("smaps_rollup", "Pss:")
    kib = 0
    for member in members:
        try:
            lines = Path(f"/proc/{member}/{name}").read_text().splitlines()
        except OSError:  # a worker that ended just now
            continue
        kib += sum(int(line.split()[1]) for line in lines if line.startswith(wanted))
    return kib / 1024


def machine_busy_seconds() -> float:
    """CPU seconds that the whole machine has worked since it started."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, *_ = map(
            int, file.readline().split()[1:]
        )
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def cpu_model() -> str:
    """The name of the processor as the kernel gives it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


# Measuring.


@dataclass
class Contender:
    """A process that runs epochs when told to, and what it has achieved so far."""

    name: str
    command: Sequence[str]
    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    peak_mib: float = 0.0

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.about = self.answer()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def answer(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} gave up; its own message is above")
        return line.strip()

    def epoch(self) -> tuple[int, float, float]:
        """Images, seconds and CPU seconds of one more epoch."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        images, seconds, cpu = self.answer().split()
        return int(images), float(seconds), float(cpu)

    def warm_up(self, records: int) -> None:
        """An epoch that only counts for memory, whose watching takes time itself."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.2):
                self.peak_mib = max(self.peak_mib, memory_mib(self.process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            images, _, _ = self.epoch()
        finally:
            ended.set()
            watcher.join()
        if images != records:
            raise SystemExit(f"{self.name} gave {images} images of {records} records")

    def measure(self) -> None:
        """One epoch that counts."""
        busy = machine_busy_seconds()
        images, seconds, cpu = self.epoch()
        self.others.append(max(0.0, machine_busy_seconds() - busy - cpu) / seconds)
        self.rates.append(images / seconds)
        self.cpu.append(1000 * cpu / images)
        self.peak_mib = max(self.peak_mib, memory_mib(self.process.pid))


def build_full_decode(folder: Path) -> Path:
    """bench/full_decode.c, compiled against the libjpeg-turbo that mxio builds with."""
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
    command = [*compiler, "-O2", str(source), "-o", str(program), *libraries]
    try:
        subprocess.run([*command, "-lpthread"], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"cannot build {source.name}: {error}") from error
    return program


def prepare(source: Path, repeat: int, folder: Path) -> Path:
    """The .rec to measure: `source` itself, or a temporary one packed from it."""
    rec = source
    if source.is_dir():
        from mxio import im2rec

        photos = folder / "photos"
        im2rec.make_list(photos, source, exts=[".jpg", ".jpeg"], recursive=True)
        im2rec.pack_list(f"{photos}.lst", source, pass_through=True, progress=True)
        rec = photos.with_suffix(".rec")
    if repeat == 1:
        return rec
    repeated = folder / "repeated.rec"
    with repeated.open("wb") as out:
        for _ in range(repeat):
            with rec.open("rb") as file:
                shutil.copyfileobj(file, out, MIB)
    return repeated


def compete(
    workload: str, rec: Path, records: int, program: Path, options: argparse.Namespace
) -> list[Contender]:
    """All contenders on one workload, taking turns."""
    own = [sys.executable, str(Path(__file__).resolve()), str(rec)]
    own += [f"--threads={options.threads}", f"--batch={options.batch}"]
    own += [f"--workload={workload}", "--contender"]
    commands = {
        "mxio": [*own, "mxio"],
        "decode": [str(program), str(rec), str(options.threads)],
        "torch": [*own, "torch"],
    }
    if importlib.util.find_spec("torch") is None:
        del commands["torch"]
    with ExitStack() as stack:
        contenders = [
            stack.enter_context(Contender(name, command))
            for name, command in commands.items()
        ]
        for contender in contenders:
            contender.warm_up(records)
        for number in range(1, options.rounds + 1):
            for contender in contenders:
                contender.measure()
            rates = ", ".join(f"{c.name} {c.rates[-1]:.0f}" for c in contenders)
            say = f"{workload}, round {number} of {options.rounds}: {rates} images/s"
            print(say, file=sys.stderr, flush=True)
    return contenders


# Telling.


def spread(values: Sequence[float], digits: int) -> str:
    """Median (lowest..highest)."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}..{high:.{digits}f})"


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Ratio of every round: both sides of it ran next to each other in time."""
    return [a / b for a, b in zip(above, below, strict=True)]


HEADINGS = (
    "images/s",
    "CPU s per 1000 images",
    "peak MiB",
    "speed / (a)",
    "speed / (b)",
    "CPU of (a) / own",
    "CPU of (b) / own",
)


def table(contenders: Sequence[Contender]) -> Iterator[str]:
    """The lines of a Markdown table, one row for each contender."""
    peers = {c.name: c for c in contenders if c.name != "mxio"}
    rows = [["", *HEADINGS]]
    for own in contenders:
        row = [CONTENDERS[own.name], spread(own.rates, 0), spread(own.cpu, 3)]
        row.append(f"{own.peak_mib:.0f}")
        for speed in (True, False):
            for name in ("decode", "torch"):
                peer = peers.get(name)
                if peer is None or peer is own:
                    row.append("")
                elif speed:
                    row.append(spread(ratios(own.rates, peer.rates), 2))
                else:
                    row.append(spread(ratios(peer.cpu, own.cpu), 2))
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "| " + " | ".join(cells) + " |"


def described(contenders: Sequence[Contender]) -> dict[str, Any]:
    """The same for --json: every round, and the medians."""
    found: dict[str, Any] = {}
    for own in contenders:
        found[own.name] = {
            "about": own.about,
            "images_per_second": own.rates,
            "cpu_seconds_per_1000_images": own.cpu,
            "peak_memory_mib": own.peak_mib,
            "cores_used_by_other_programs": own.others,
            "median_images_per_second": statistics.median(own.rates),
            "median_cpu_seconds_per_1000_images": statistics.median(own.cpu),
        }
        for peer in contenders:
            if own.name == "mxio" and peer is not own:
                speed = statistics.median(ratios(own.rates, peer.rates))
                cpu = statistics.median(ratios(peer.cpu, own.cpu))
                found[own.name][f"speed_over_{peer.name}"] = speed
                found[own.name][f"cpu_of_{peer.name}_over_own"] = cpu
    return found


def report(
    results: dict[str, list[Contender]], rec: Path, options: argparse.Namespace
) -> tuple[str, dict[str, Any]]:
    """The text that people read and the mapping that programs read."""
    records = len(record_spans(rec))
    machine = {
        "date": time.strftime("%Y-%m-%d %H:%M %Z"),
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
    }
    first = next(iter(results.values()))
    lines = [
        f"bench/throughput.py, {machine['date']}",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, "
        f"Python {machine['python']}",
        *(f"{CONTENDERS[c.name]}: {c.about}" for c in first),
        f"{records} records, {rec.stat().st_size / MIB:.0f} MiB"
        + (f", the input {options.repeat} times over" if options.repeat > 1 else "")
        + f"; {options.threads} threads or workers each; batch {options.batch}; "
        f"median (lowest..highest) of {options.rounds} rounds after a warm-up",
    ]
    if len(first) < len(CONTENDERS):
        lines.append("(b) is left out: torch is not installed")
    for workload, contenders in results.items():
        lines += ["", f"{workload}: {WORKLOADS[workload]}", "", *table(contenders)]
    others = [x for found in results.values() for c in found for x in c.others]
    lines += [
        "",
        "Cores that other programs took meanwhile: " + spread(others, 2),
    ]
    facts = {
        **machine,
        "records": records,
        "bytes": rec.stat().st_size,
        **{name: getattr(options, name) for name in ("repeat", "threads", "batch")},
        "workloads": {name: described(found) for name, found in results.items()},
    }
    return "\n".join(lines) + "\n", facts


def at_least_one(text: str) -> int:
    """argparse type of a count."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; --contender is how this program starts its own children."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("rec", type=Path, metavar="INPUT", help="a folder of JPEGs or a .rec file")
    add("--repeat", type=at_least_one, default=1, help="use the input N times over")
    add("--workload", choices=[*WORKLOADS, "both"], default="both")
    add("--threads", type=at_least_one, default=2, help="threads or workers (2)")
    add("--batch", type=at_least_one, default=128, help="images in a batch (128)")
    add("--rounds", type=at_least_one, default=5, help="measured epochs each (5)")
    add("--json", type=Path, metavar="FILE", help="write every number to FILE")
    add("--out", type=Path, metavar="FILE", help="keep the dated text in FILE")
    add("--contender", choices=["mxio", "torch"], help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if not options.rec.exists():
        parser.error(f"{options.rec} does not exist; give a folder or a .rec file")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, keep."""
    options = parse(arguments)
    if options.contender:
        serve(options)
        return
    wanted = list(WORKLOADS) if options.workload == "both" else [options.workload]
    with tempfile.TemporaryDirectory(prefix="mxio-bench-") as folder:
        program = build_full_decode(Path(folder))
        rec = prepare(options.rec, options.repeat, Path(folder))
        records = len(record_spans(rec))
        results = {w: compete(w, rec, records, program, options) for w in wanted}
        text, facts = report(results, rec, options)
    print(text, end="")
    if options.out:
        options.out.write_text(text)
    if options.json:
        options.json.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
