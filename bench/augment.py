"""What each augmentation costs, beside OpenCV and, when there is one, MXNet 1.9.1.

    python bench/augment.py [--mxnet PYTHON] [--threads 2] [--rounds 5] [--only REGEX]

bench/README.md says what the two tables hold. The pictures are made on the fly from the
samples in the package: mosaics of 256 x 256 pixels, as JPEG and as uncompressed PNG.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

SIDE = 256
CROP = 224
PICTURES = 64
BATCH = 64
MEANS = {"mean_r": 123.68, "mean_g": 116.28, "mean_b": 103.53}
STDS = {"std_r": 58.395, "std_g": 57.12, "std_b": 57.375}
INTERS = {0: "nearest", 1: "bilinear", 2: "cubic", 3: "area", 4: "Lanczos"}

Options = Mapping[str, Any]

# Workload W8: everything that a classic recipe may ask for.
HEAVY: Options = {
    "rand_crop": True,
    "rand_mirror": True,
    "brightness": 0.4,
    "contrast": 0.4,
    "saturation": 0.4,
    "pca_noise": 0.1,
    "random_h": 36,
    "random_s": 50,
    "random_l": 50,
    "max_rotate_angle": 10,
    **MEANS,
    **STDS,
}

# One row of the MXNet table each; beside these data_shape (3, 224, 224), float32.
ROWS: dict[str, Options] = {
    "centre crop": {},
    "mean, std, scale": {**MEANS, **STDS, "scale": 0.5},
    "dtype uint8": {"dtype": "uint8"},
    "dtype int8, mean": {"dtype": "int8", **MEANS},
    "gray": {"data_shape": (1, CROP, CROP)},
    "rand_crop": {"rand_crop": True},
    "rand_mirror": {"rand_mirror": True},
    **{
        f"resize to {size}, {name}": {"resize": size, "inter_method": inter}
        for size in (240, 300)
        for inter, name in INTERS.items()
        if inter != 0
    },
    "random_resized_crop": {
        "random_resized_crop": True,
        "min_random_area": 0.08,
        "min_aspect_ratio": 0.75,
        "max_aspect_ratio": 4 / 3,
    },
    "min, max_crop_size": {"min_crop_size": 180, "max_crop_size": 240},
    "max_rotate_angle": {"max_rotate_angle": 10},
    "rotate 45": {"rotate": 45},
    "rotate, cubic": {"max_rotate_angle": 10, "inter_method": 2},
    "rotate, Lanczos": {"max_rotate_angle": 10, "inter_method": 4},
    "max_shear_ratio": {"max_shear_ratio": 0.1},
    "random scale": {"min_random_scale": 0.9, "max_random_scale": 1.2},
    "max_aspect_ratio": {"max_aspect_ratio": 0.25},
    "max_img_size": {"max_img_size": 240.0},
    "pad": {"pad": 4, "rand_crop": True},
    "brightness": {"brightness": 0.4},
    "contrast": {"contrast": 0.4},
    "saturation": {"saturation": 0.4},
    "all three": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4},
    "random_h": {"random_h": 36},
    "random_s": {"random_s": 50},
    "random_l": {"random_l": 50},
    "random_h, s, l": {"random_h": 36, "random_s": 50, "random_l": 50},
    "pca_noise": {"pca_noise": 0.1},
    "random contrast": {"max_random_contrast": 0.2, **MEANS, **STDS},
    "random illumination": {"max_random_illumination": 20.0, **MEANS, **STDS},
    "W8": HEAVY,
}


# The pictures.


def mosaics(count: int) -> Iterator[Any]:
    """Pictures of SIDE x SIDE, blue first: four corners of four samples each."""
    import cv2
    import numpy as np

    import mxio

    folder = Path(mxio.__file__).parent / "data/samples"
    samples = [cv2.imread(str(path)) for path in sorted(folder.rglob("*.jpg"))]
    half = SIDE // 2
    rng = np.random.default_rng(8)

    def corner() -> Any:
        image: Any = samples[rng.integers(len(samples))]
        y, x = (int(rng.integers(size - half + 1)) for size in image.shape[:2])
        return image[y : y + half, x : x + half]

    for _ in range(count):
        rows = [np.hstack([corner(), corner()]) for _ in range(2)]
        yield np.vstack(rows)


def write_records(path: Path, suffix: str, quality: int, repeat: int) -> None:
    """A .rec of the mosaics in turn, `repeat` times."""
    from mxio.recordio import IRHeader, MXRecordIO, pack_img

    packed = [
        pack_img(IRHeader(0, float(i), i, 0), image, quality, suffix)
        for i, image in enumerate(mosaics(PICTURES))
    ]
    with MXRecordIO(str(path), "w") as writer:
        for _ in range(repeat):
            for payload in packed:
                writer.write(payload)


# The table of kernels: CPU time of one thread.


def opencv_calls(image: Any) -> dict[str, Callable[[], object]]:
    """By row of the table: what a careful program calls for the same pixels."""
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), 10, 1.0)
    cut = np.ascontiguousarray(image[16:240, 16:240])
    mean = np.array(list(MEANS.values()), np.float32)
    shift: Any = (9, 12, 15, 0)
    inverse = 1 / np.array(list(STDS.values()), np.float32)

    def warp(inter: int) -> Callable[[], object]:
        return lambda: cv2.warpAffine(image, turn, (SIDE, SIDE), flags=inter)

    def resize(size: int, inter: int) -> Callable[[], object]:
        return lambda: cv2.resize(image, (size, size), interpolation=inter)

    def contrast() -> object:
        gray = cv2.cvtColor(cut, cv2.COLOR_RGB2GRAY)
        return cv2.convertScaleAbs(cut, alpha=1.2, beta=-0.2 * cv2.mean(gray)[0])

    def saturation() -> object:
        gray = cv2.cvtColor(cut, cv2.COLOR_RGB2GRAY)
        return cv2.addWeighted(cut, 1.2, cv2.merge([gray, gray, gray]), -0.2, 0)

    def shift_hls() -> object:
        hls = cv2.cvtColor(cut, cv2.COLOR_RGB2HLS)
        return cv2.cvtColor(cv2.add(hls, shift), cv2.COLOR_HLS2RGB)

    def normalise() -> object:
        planes = cv2.split(cut)
        return np.stack(
            [(planes[c] - mean[c]) * inverse[c] for c in range(3)], dtype=np.float32
        )

    return {
        "mean, std, scale": normalise,
        "rand_mirror": lambda: cv2.flip(cut, 1),
        **{
            f"resize to {size}, {name}": resize(size, inter)
            for size in (240, 300)
            for inter, name in INTERS.items()
        },
        "max_rotate_angle": warp(cv2.INTER_LINEAR),
        "rotate, cubic": warp(cv2.INTER_CUBIC),
        "rotate, Lanczos": warp(cv2.INTER_LANCZOS4),
        "pad": lambda: cv2.copyMakeBorder(image, 4, 4, 4, 4, cv2.BORDER_CONSTANT),
        "brightness": lambda: cv2.convertScaleAbs(cut, alpha=1.2),
        "contrast": contrast,
        "saturation": saturation,
        "random_h, s, l": shift_hls,
        "pca_noise": lambda: cv2.add(cut, shift),
    }


def microseconds(work: Callable[[], int]) -> float:
    """CPU time of this process for one image; `work` returns how many it did."""
    start = time.process_time()
    images = work()
    return 1e6 * (time.process_time() - start) / images


def repeated(call: Callable[[], object], times: int) -> Callable[[], int]:
    def work() -> int:
        for _ in range(times):
            call()
        return times

    return work


def kernel_table(rec: Path, rounds: int, wanted: re.Pattern[str]) -> Iterator[str]:
    """Cost of each option beyond that of the plain centre crop, and OpenCV's."""
    calls = opencv_calls(next(mosaics(1)))
    kept = {
        name: options
        for name, options in ROWS.items()
        if wanted.search(name) and name != "centre crop"
    }
    plain_uint8 = mxio_epoch(rec, {"dtype": "uint8"}, threads=1)
    plain_float = mxio_epoch(rec, {}, threads=1)
    yield f"{'microseconds per image':28}{'mxio':>10}{'OpenCV':>10}{'ratio':>8}"
    for name, options in kept.items():
        if "dtype" in options or "data_shape" in options:
            continue
        as_float = any(
            key.startswith(("mean", "std", "max_random_")) for key in options
        )
        # Where only pixels change, bytes come out: less to measure beside the change.
        base = plain_float if as_float and name != "mean, std, scale" else plain_uint8
        given = options if as_float else {**options, "dtype": "uint8"}
        own = mxio_epoch(rec, given, threads=1)
        call = calls.get(name)
        costs, theirs = [], []
        for _ in range(rounds + 1):
            costs.append(microseconds(own) - microseconds(base))
            if call is not None:
                theirs.append(microseconds(repeated(call, 200)))
        cost = statistics.median(costs[1:])
        line = f"{name:28}{cost:10.1f}"
        if call is not None:
            their = statistics.median(theirs[1:])
            line += f"{their:10.1f}{cost / their:8.2f}"
        yield line


# The table of loaders: epochs in turns.


def mxio_epoch(rec: Path, options: Options, threads: int) -> Callable[[], int]:
    """A function that runs one epoch and returns its images."""
    from mxio.io import ImageRecordIter

    given: dict[str, Any] = {"data_shape": (3, CROP, CROP), **options}
    batches = ImageRecordIter(
        path_imgrec=str(rec),
        batch_size=BATCH,
        preprocess_threads=threads,
        **given,
    )
    return epochs_of(batches, lambda data: data)


def mxnet_epoch(rec: Path, options: Options, threads: int) -> Callable[[], int]:
    """The same in MXNet: with ctx="cpu" OpenMP's number of threads is in force."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import mxnet  # type: ignore[import-not-found]  # of the other interpreter

    given: dict[str, Any] = {"data_shape": (3, CROP, CROP), **options}
    # MXNet's ImageRecordIter fails for some types that its other iterators give.
    kind = given.pop("dtype", "float32")
    made = {
        "float32": mxnet.io.ImageRecordIter,
        "uint8": mxnet.io.ImageRecordUInt8Iter,
        "int8": mxnet.io.ImageRecordInt8Iter,
    }[kind]
    batches = made(
        path_imgrec=str(rec),
        batch_size=BATCH,
        ctx="cpu",
        verbose=False,
        **given,
    )
    return epochs_of(batches, lambda data: data.wait_to_read())


def epochs_of(batches: Any, wait: Callable[[Any], object]) -> Callable[[], int]:
    def epoch() -> int:
        images = 0
        batches.reset()
        for batch in batches:
            wait(batch.data[0])
            images += batch.data[0].shape[0] - (batch.pad or 0)
        return images

    return epoch


def serve(task: argparse.Namespace) -> None:
    """One epoch for each line of stdin; its images, seconds and CPU seconds."""
    make = {"mxio": mxio_epoch, "mxnet": mxnet_epoch}[task.contender]
    options = json.loads(task.options)
    if "data_shape" in options:
        options["data_shape"] = tuple(options["data_shape"])
    epoch = make(task.rec, options, task.threads)
    for _ in sys.stdin:
        start, cpu = time.perf_counter(), time.process_time()
        images = epoch()
        spent = time.perf_counter() - start, time.process_time() - cpu
        print(images, *spent, flush=True)
    os._exit(0)  # MXNet may hang when it is taken down in order


class Contender:
    """A process that runs epochs, and the microseconds per image of each."""

    def __init__(self, python: str, name: str, rec: Path, row: str, threads: int):
        command = [python, str(Path(__file__).resolve()), "--contender", name]
        command += ["--rec", str(rec), "--threads", str(threads)]
        command += ["--options", json.dumps(dict(ROWS[row]))]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def epoch(self, counted: bool) -> None:
        """Run one; the first is a warm-up."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None and stdout is not None
        stdin.write("\n")
        stdin.flush()
        answer = stdout.readline()
        if not answer:
            raise SystemExit("a contender gave up; its own message is above")
        images, wall, cpu = map(float, answer.split())
        if counted:
            self.wall.append(1e6 * wall / images)
            self.cpu.append(1e6 * cpu / images)

    def close(self) -> None:
        self.process.communicate()


def race(rec: Path, row: str, options: argparse.Namespace) -> list[Contender]:
    """mxio and, when asked for, MXNet, in turns."""
    pythons = {"mxio": sys.executable}
    if options.mxnet:
        pythons["mxnet"] = options.mxnet
    contenders = [
        Contender(python, name, rec, row, options.threads)
        for name, python in pythons.items()
    ]
    for number in range(options.rounds + 1):
        for contender in contenders:
            contender.epoch(counted=number > 0)
    for contender in contenders:
        contender.close()
    return contenders


def loader_table(
    rec: Path, options: argparse.Namespace, wanted: re.Pattern[str]
) -> Iterator[str]:
    """Microseconds per image by the clock and by the processor, and MXNet's over
    ours.
    """
    heads = ["mxio", "CPU"]
    if options.mxnet:
        heads += ["MXNet", "CPU", "faster", "CPU"]
    yield f"{'microseconds per image':28}" + "".join(f"{head:>10}" for head in heads)
    for row in ROWS:
        if not wanted.search(row):
            continue
        found = race(rec, row, options)
        cells = [statistics.median(c) for one in found for c in (one.wall, one.cpu)]
        line = f"{row:28}" + "".join(f"{cell:10.1f}" for cell in cells)
        if len(found) == 2:
            own, other = found
            for ours, theirs in ((own.wall, other.wall), (own.cpu, other.cpu)):
                ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
                line += f"{statistics.median(ratios):10.2f}"
        yield line


# Telling.


def cpu_model() -> str:
    """The name of the processor as the kernel gives it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def others_busy_seconds() -> float:
    """CPU seconds since the machine started that were not ours; children are, once
    they have ended.
    """
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, *_ = map(
            int, file.readline().split()[1:]
        )
    all_busy = (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
    return all_busy - sum(os.times()[:4])


def report(options: argparse.Namespace) -> Iterator[str]:
    """The lines of the text, as they come."""
    import cv2

    import mxio

    wanted = re.compile(options.only)
    began, others = time.monotonic(), others_busy_seconds()
    features = ", ".join(f"{k} {v}" for k, v in mxio.features().items())
    yield f"bench/augment.py, {time.strftime('%Y-%m-%d %H:%M %Z')}"
    yield (
        f"{cpu_model()}, {len(os.sched_getaffinity(0))} cores, {platform.system()} "
        f"{platform.release()} {platform.machine()}, Python "
        f"{platform.python_version()}\n"
        f"mxio {mxio.__version__} ({features}), OpenCV {cv2.__version__}"
    )
    with tempfile.TemporaryDirectory(prefix="mxio-bench-") as folder:
        png, jpeg = Path(folder, "png.rec"), Path(folder, "jpeg.rec")
        write_records(png, ".png", 0, options.repeat)
        write_records(jpeg, ".jpg", 95, options.repeat)
        yield "\nOne thread, beyond a centre crop of the same records\n"
        yield from kernel_table(png, options.rounds, wanted)
        size = jpeg.stat().st_size / options.repeat / PICTURES / 1024
        yield (
            f"\nWhole loaders, {options.threads} threads each, in turns; JPEG of "
            f"{SIDE} x {SIDE} (mean {size:.0f} KiB) to {CROP} x {CROP}\n"
        )
        yield from loader_table(jpeg, options, wanted)
    others = (others_busy_seconds() - others) / (time.monotonic() - began)
    yield f"\nCores that other programs took meanwhile: {others:.2f}"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; --contender is how this program starts its own children."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--mxnet", metavar="PYTHON", help="a Python that has MXNet 1.9.1")
    add("--threads", type=int, default=2, help="threads of each loader (2)")
    add("--rounds", type=int, default=5, help="measured epochs of each (5)")
    add("--repeat", type=int, default=20, help=f"times {PICTURES} images an epoch (20)")
    add("--only", default="", metavar="REGEX", help="rows whose name holds this")
    add("--out", type=Path, metavar="FILE", help="keep the text in FILE, too")
    add("--contender", choices=["mxio", "mxnet"], help=argparse.SUPPRESS)
    add("--rec", type=Path, help=argparse.SUPPRESS)
    add("--options", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, keep."""
    options = parse(arguments)
    if options.contender:
        serve(options)
        return
    lines = []
    for line in report(options):
        print(line, flush=True)
        lines.append(line)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
