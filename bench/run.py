"""How fast mxio loads, beside a plain full JPEG decode and other loaders.

    python -m bench.run DATA [--venvs DIR] [--only REGEX] [--rounds 5] [--out NAME]

DATA is what bench.make_data made, DIR what bench/setup.sh made. Every contender is a
process of its own with the same number of threads or workers; they take turns, one
epoch each that is not counted, then `--rounds` measured ones. README.md beside this
file says what the columns mean. Linux only.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.contender import ENTRIES, Hall, build_full_decode
from bench.instructions import instructions_per_image
from bench.processes import machine
from bench.records import record_spans
from bench.report import text_of
from bench.workloads import WORKLOADS

DIGITS_AT = slice(4, 8)  # the number of images in MNIST's header
OWN = ("mxio", "repacked")
SETTLE = 0.3  # seconds in which a loader fills its queue behind an epoch


def records_of(hall: Hall, workload: str) -> int:
    """Images in a workload's file."""
    path = hall.file(workload, repacked=False)
    if WORKLOADS[workload].kind == "mnist":
        with (path / "images-idx3-ubyte").open("rb") as file:
            return int.from_bytes(file.read(8)[DIGITS_AT], "big")
    return len(record_spans(path))


def compete(hall: Hall, workload: str, wanted: str, rounds: int) -> dict[str, Any]:
    """One workload: all contenders, taking turns."""
    work = WORKLOADS[workload]
    records = records_of(hall, workload)
    possible = {
        name: hall.enter(name, workload, records)
        for name in work.entries
        if name == "mxio" or re.fullmatch(wanted, name)
    }
    present = {name: one for name, one in possible.items() if one is not None}
    with ExitStack() as stack:
        if not work.first_only:
            for name, contender in present.items():
                stack.enter_context(contender)
                contender.warm_up(records * passes_of(name, workload))
        for number in range(1, rounds + 1):
            for contender in present.values():
                time.sleep(SETTLE)
                if work.first_only:
                    with contender:
                        contender.begin()
                else:
                    contender.measure()
            took = ", ".join(f"{n} {c.cpu[-1]:.1f}" for n, c in present.items())
            line = f"{workload}, round {number} of {rounds}, CPU us: {took}"
            print(line, file=sys.stderr, flush=True)
    return {
        "records": records,
        "bytes": size_of(hall.file(workload, repacked=False)),
        "threads": work.threads or hall.threads,
        "absent": [name for name, one in possible.items() if one is None],
        "contenders": {name: one.facts() for name, one in present.items()},
        "ratios": {
            mine: {
                name: present[mine].faster_than(peer)
                for name, peer in present.items()
                if name not in OWN
            }
            for mine in OWN
            if mine in present
        },
    }


def passes_of(name: str, workload: str) -> int:
    """Epochs that are timed as one."""
    return 1 if ENTRIES[name].venv is None else WORKLOADS[workload].passes


def size_of(path: Path) -> int:
    """Bytes of a file, or of the files in a folder."""
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("data", type=Path, metavar="DATA", help="what bench.make_data made")
    add("--venvs", type=Path, metavar="DIR", help="what bench/setup.sh made")
    add("--only", default=".*", metavar="REGEX", help="workloads whose whole name fits")
    add("--contenders", default=".*", metavar="REGEX", help="the same for contenders")
    add("--threads", type=int, default=2, help="threads or workers of each (2)")
    add("--rounds", type=int, default=5, help="measured epochs of each (5)")
    add("--instructions", action="store_true", help="count them, too, with callgrind")
    add("--out", type=Path, metavar="NAME", help="keep NAME.txt and NAME.json")
    options = parser.parse_args(arguments)
    if min(options.threads, options.rounds) < 1:
        parser.error("--threads and --rounds must be at least 1")
    if not options.data.is_dir():
        parser.error(f"{options.data} is no folder; make one with bench.make_data")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, keep."""
    options = parse(arguments)
    wanted = [name for name in WORKLOADS if re.fullmatch(options.only, name)]
    facts: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d %H:%M %Z"),
        "machine": machine(),
        "rounds": options.rounds,
        "workloads": {},
    }
    with tempfile.TemporaryDirectory(prefix="mxio-bench-") as folder:
        program = build_full_decode(Path(folder))
        hall = Hall(options.data, options.venvs, program, options.threads)
        for name in wanted:
            facts["workloads"][name] = compete(
                hall, name, options.contenders, options.rounds
            )
            if options.out:  # so that an interrupted run has not run for nothing
                keep(options.out, facts)
        if options.instructions:
            facts["instructions"] = instructions_per_image(hall)
    print(text_of(facts), end="")
    if options.out:
        keep(options.out, facts)


def keep(name: Path, facts: dict[str, Any]) -> None:
    """The text and the numbers."""
    name.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")
    name.with_suffix(".txt").write_text(text_of(facts))


if __name__ == "__main__":
    main()
