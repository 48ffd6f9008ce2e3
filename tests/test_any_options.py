"""Whatever is asked for, by thousands of random combinations of all parameters: refused
with a message that names a parameter, or one whole epoch; no crash, no hang.
"""

import json
import random
import selectors
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mxio.params import MX, NUMPY, TABLE, Param
from tests.conftest import encoded, picture, record, write_rec

WORKER = Path(__file__).with_name("any_options.py")
WORKERS = 2
PATIENCE = 60.0  # seconds for one combination, on a busy machine, with sanitizers
SECONDS = 20.0  # for all
COUNT = 6000
FACES = {"mx": MX, "numpy": NUMPY}

# Where a whole range would be slow, needs more records, or more memory than there is.
NARROWER: dict[str, tuple[int, int]] = {
    "batch_size": (1, 9),
    "preprocess_threads": (1, 3),
    "prefetch_buffer": (1, 5),
    "label_width": (1, 2),
    "num_parts": (1, 3),
    "part_index": (0, 2),
    "world_size": (1, 3),
    "rank": (0, 2),
    "max_pixels": (500, 200_000),
    "max_errors": (0, 20),
}
# Values of a sensible size, beside those of the whole range.
USUAL: dict[str, tuple[float, float]] = {
    "resize": (1, 60),
    "pad": (0, 20),
    "min_crop_size": (1, 20),
    "max_crop_size": (1, 30),
    "max_random_scale": (1.0, 2.0),
    "min_random_scale": (0.2, 1.0),
    "max_img_size": (1.0, 80.0),
    "min_img_size": (0.0, 50.0),
    "max_aspect_ratio": (0.0, 2.0),
    "min_aspect_ratio": (0.1, 1.0),
    "max_shear_ratio": (0.0, 1.0),
    "max_rotate_angle": (0, 180),
    "inter_method": (1, 4),
}
# Two that make sense together, in rising order.
PAIRS = [
    ("min_crop_size", "max_crop_size"),
    ("min_random_area", "max_random_area"),
    ("min_random_scale", "max_random_scale"),
    ("min_aspect_ratio", "max_aspect_ratio"),
    ("min_img_size", "max_img_size"),
    ("min_downscale", "max_downscale"),
    ("rank", "world_size"),
]
# Given always, or by paths that the test makes.
SET_APART = {"path_imgrec", "path_imgidx", "path_imglist", "data_shape", "mean_img"}


class Files:
    """Small data sets: of colour and gray pictures, and with alpha."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        sizes = [(12, 16), (30, 20), (8, 8), (1, 40), (25, 33), (17, 5), (20, 20)]
        self.sets = {}
        for name, channels in (("colour", 3), ("alpha", 4)):
            payloads = []
            for i, (height, width) in enumerate(sizes):
                image = picture(i, height, width, channels)
                suffix = ".jpg" if name == "colour" and i % 2 else ".png"
                payloads.append(record(encoded(image, suffix), float(i), 100 + i))
            self.sets[channels] = write_rec(folder, payloads, name)
        self.list = folder / "labels.lst"
        self.list.write_text(
            "".join(f"{100 + i}\t{i}\t{i + 1}\tx.jpg\n" for i in range(len(sizes)))
        )


def number_for(draw: random.Random, row: Param) -> Any:
    """Mostly inside of the range; at times an end of it, or outside."""
    whole = row.kind != "REAL"
    low, high = NARROWER.get(row.name, (row.low, row.high))
    kind = draw.random()
    if kind < 0.02:
        number = draw.choice([row.low - 1, row.high + 1, -1e30, 1e30])
        return int(number) if whole else float(number)
    if kind < 0.12:
        return draw.choice([low, high])
    low, high = USUAL.get(row.name, (low, high)) if kind < 0.9 else (low, high)
    if whole:
        return draw.randint(int(low), int(high))
    # Ranges of REALs span many powers of ten.
    near = min(high, max(low, draw.choice([1.0, 10.0, 100.0])))
    return draw.uniform(max(low, -near), near)


def value_for(draw: random.Random, row: Param) -> Any:
    if row.default is None and draw.random() < 0.1:
        return None
    if row.kind == "FLAG":
        return draw.random() < 0.5
    if row.kind == "CHOICE":
        return draw.choice(row.choices)
    if row.name == "rotate_list":
        angles = [draw.randint(-370, 370) for _ in range(draw.randint(0, 4))]
        return draw.choice([",", ", ", ", "]).join(map(str, angles))
    if row.kind == "OBJECT":
        return draw.sample(range(7), draw.randint(0, 7))
    if row.kind == "TEXT":
        return draw.choice(["x", "data", ""])
    return number_for(draw, row)


def join(draw: random.Random, options: dict[str, Any], pair: tuple[str, str]) -> None:
    """Give both of a pair, in order; an area also what it needs."""
    drawn = [value_for(draw, TABLE[name]) for name in pair]
    if None not in drawn:
        options |= dict(zip(pair, sorted(drawn), strict=True))
    if "random_area" in pair[0]:
        options["random_resized_crop"] = True


def combination(files: Files, number: int) -> dict[str, Any]:
    """Face and options number so and so; the same in every run."""
    draw = random.Random(number)
    face = draw.choice(sorted(FACES))
    shape = draw.choice([1, 3, 3, 4]), draw.randint(1, 24), draw.randint(1, 24)
    rec, idx, _ = files.sets[4 if shape[0] == 4 else 3]
    options: dict[str, Any] = {
        "path_imgrec": str(rec),
        "data_shape": shape,
        "batch_size": draw.randint(1, 8),
        "preprocess_threads": draw.randint(1, 3),
        "max_pixels": 200_000,
    }
    if draw.random() < 0.3:
        options["path_imgidx"] = str(idx)
    if draw.random() < 0.2:
        options["path_imglist"] = str(files.list)
    if draw.random() < 0.05:
        options["mean_img"] = str(files.folder / f"mean{number}")
    rows = [
        row
        for row in TABLE.values()
        if row.faces & FACES[face] and row.name not in SET_APART
    ]
    for row in draw.sample(rows, draw.randint(1, 9)):
        options[row.name] = value_for(draw, row)
    for pair in PAIRS:
        if options.keys() & set(pair) and draw.random() < 0.8:
            join(draw, options, pair)
    return {"face": face, "options": options}


class Worker:
    """The process that tries options; it is started again when one ended it."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def answer(self, combination: dict[str, Any]) -> dict[str, str]:
        if self.process is None:
            with self.log.open("wb") as log:
                self.process = subprocess.Popen(
                    [sys.executable, str(WORKER)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                )
        process = self.process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(combination).encode() + b"\n")
        process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            in_time = bool(selector.select(PATIENCE))
        line = process.stdout.readline() if in_time else b""
        if line:
            found: dict[str, str] = json.loads(line)
            return found
        self.close()
        status = "no answer" if not in_time else f"exit status {process.returncode}"
        said = self.log.read_text(errors="replace")[-3000:]
        return {"outcome": "dead", "text": f"{status}\n{said}"}

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


def try_all(
    files: Files, numbers: Iterator[int], seconds: float
) -> tuple[Counter[str], list[str]]:
    """How often each outcome came, and what was said about the bad ones."""
    outcomes: Counter[str] = Counter()
    complaints: list[str] = []
    lock = threading.Lock()
    end = time.monotonic() + seconds

    def work(place: int) -> None:
        worker = Worker(files.folder / f"worker{place}.log")
        while time.monotonic() < end:
            with lock:
                number = next(numbers, None)
            if number is None:
                break
            asked = combination(files, number)
            answer = worker.answer(asked)
            with lock:
                outcomes[answer["outcome"]] += 1
                if answer["outcome"] not in ("ran", "refused"):
                    complaints.append(f"{number}: {asked}\n{answer['text']}")
        worker.close()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes, complaints


def assert_all_are_answered(outcomes: Counter[str], complaints: list[str]) -> None:
    assert complaints == []
    # Else the combinations would not say much.
    assert outcomes["ran"] > 0.3 * outcomes.total()
    assert outcomes["refused"] > 0.1 * outcomes.total()


def test_any_combination_of_options_runs_or_is_refused_by_name(tmp_path: Path) -> None:
    outcomes, complaints = try_all(Files(tmp_path), iter(range(COUNT)), SECONDS)

    assert_all_are_answered(outcomes, complaints)


@pytest.mark.soak
def test_very_many_combinations_run_or_are_refused_by_name(tmp_path: Path) -> None:
    numbers = iter(range(COUNT, 100 * COUNT))

    outcomes, complaints = try_all(Files(tmp_path), numbers, 600)

    assert_all_are_answered(outcomes, complaints)
