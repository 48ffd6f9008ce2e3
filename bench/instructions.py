"""Instructions per image, counted by callgrind, whom a busy machine cannot disturb."""

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.contender import ENTRIES, ROOT, Hall
from bench.records import record_spans

WORKLOAD = "W1"
PHOTOS = 30
EPOCHS = (1, 5)  # the difference leaves out what starting takes
COUNT = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


def shortened(rec: Path, folder: Path) -> Path:
    """The first records of a file, and their index."""
    spans = record_spans(rec)[:PHOTOS]
    short = folder / rec.name
    with rec.open("rb") as file:
        short.write_bytes(file.read(sum(size for _, size in spans)))
    lines = (f"{key}\t{offset}\n" for key, (offset, _) in enumerate(spans))
    short.with_suffix(".idx").write_text("".join(lines))
    return short


def count(command: list[str], epochs: int, folder: Path) -> int:
    """Instructions of a whole process that runs so many epochs."""
    out = folder / "callgrind"
    valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
    subprocess.run(
        [*valgrind, *command],
        cwd=ROOT,
        input="\n" * epochs,
        text=True,
        check=True,
        capture_output=True,
    )
    found = COUNT.search(out.read_text())
    assert found is not None, "callgrind's file has no totals"
    return int(found[1])


def instructions_per_image(hall: Hall) -> dict[str, Any]:
    """Of mxio, on both kinds of file, and of the plain full decode."""
    if shutil.which("valgrind") is None:
        raise SystemExit("--instructions wants valgrind")
    counts = {}
    with tempfile.TemporaryDirectory(prefix="mxio-bench-") as name:
        folder = Path(name)
        for entry in ("mxio", "repacked", "decode"):
            rec = hall.file(WORKLOAD, ENTRIES[entry].repacked)
            if not rec.exists():
                continue
            task = replace(
                hall.task(entry, WORKLOAD, PHOTOS),
                data=str(shortened(rec, folder)),
                batch=PHOTOS,  # no rows to fill up
                threads=1,
            )
            command = [str(hall.program), task.data, "1"]
            if ENTRIES[entry].venv is not None:
                command = [str(hall.python("")), "-m", "bench.load_mxio"]
                command.append(json.dumps(asdict(task)))
            few, many = (count(command, epochs, folder) for epochs in EPOCHS)
            counts[entry] = (many - few) / (PHOTOS * (EPOCHS[1] - EPOCHS[0]))
    return counts
