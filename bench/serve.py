"""The contender's side: a process that runs one epoch for each line of its input.

Standard library only. The last argument is the task as JSON; answers are lines of JSON
on standard output, and everything else that a library prints goes to standard error.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.processes import cpu_seconds
from bench.workloads import WORKLOADS, Workload

# Yields the number of images of each batch, which is then ready in this memory.
Epoch = Callable[[], Iterator[int]]


@dataclass(frozen=True)
class Task:
    """workload: its name. data: the .rec file, or MNIST's folder. records: its images.
    face: which of a contender's ways to load, when it has several.
    """

    workload: str
    data: str
    records: int
    batch: int
    threads: int
    face: str

    @property
    def work(self) -> Workload:
        return WORKLOADS[self.workload]

    @property
    def index(self) -> str:
        """The .idx file."""
        return self.data.removesuffix(".rec") + ".idx"


def serve(about: str, make: Callable[[Task], Epoch]) -> None:
    """Build the loader, then run epochs until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    task = Task(**json.loads(sys.argv[-1]))
    wall, cpu = time.perf_counter(), cpu_seconds()
    epoch = make(task)
    first: dict[str, float] = {}

    def say(**facts: Any) -> None:
        print(json.dumps(facts), file=answers)

    say(about=about)
    for _ in sys.stdin:
        if first:
            wall, cpu = time.perf_counter(), cpu_seconds()
        images = 0
        for _ in range(task.work.passes):
            seen = 0
            for rows in epoch():
                if not first:
                    first["first_seconds"] = time.perf_counter() - wall
                    first["first_cpu"] = cpu_seconds() - cpu
                # The last batch may be filled up; nobody is paid for that.
                seen = min(seen + rows, task.records)
                if task.work.first_only:
                    break
            images += seen
        seconds = time.perf_counter() - wall
        say(images=images, seconds=seconds, cpu=cpu_seconds() - cpu, **first)
    os._exit(0)  # MXNet may hang when it is taken down in order
