"""docs/images/performance.png from the numbers of a run.

    python -m bench.plot bench/results/DATE.json docs/images/performance.png

Bars are CPU microseconds per image, the median of the rounds: the clock of a machine
that others use says less.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import matplotlib

from bench.contender import ENTRIES
from bench.workloads import WORKLOADS

matplotlib.use("Agg")
from matplotlib import pyplot

SHOWN = ("W1", "W1u", "W2", "W3", "W8", "W4", "W4j")
COLOURS = {
    "mxio": "#1b6ca8",
    "repacked": "#63a9d8",
    "decode": "#9a9a9a",
    "mxnet": "#d98032",
    "dali": "#7aa23f",
    "tf": "#b5653f",
}


def panel(axes: Any, name: str, found: dict[str, Any]) -> None:
    """One workload: a bar for each contender, its value and mxio's advantage."""
    contenders = found["contenders"]
    costs = {n: statistics.median(one["cpu"]) for n, one in contenders.items()}
    names = list(costs)[::-1]
    axes.barh(
        [ENTRIES[n].title for n in names],
        [costs[n] for n in names],
        color=[COLOURS[n] for n in names],
    )
    for place, peer in enumerate(names):
        cost = costs[peer]
        text = f" {cost:,.0f}" if cost >= 100 else f" {cost:.3g}"
        if peer in found["ratios"]["mxio"]:
            text += f"  ({found['ratios']['mxio'][peer][1]:.1f}x)"
        axes.text(costs[peer], place, text, va="center", fontsize=8)
    axes.set_xlim(0, max(costs.values()) * 1.3)
    axes.set_title(f"{name}: {WORKLOADS[name].what}", fontsize=8, loc="left", wrap=True)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def draw(facts: dict[str, Any], out: Path) -> None:
    """All workloads of the run, two in a row."""
    names = [name for name in SHOWN if name in facts["workloads"]]
    rows = -(-len(names) // 2)
    figure, grid = pyplot.subplots(rows, 2, figsize=(11, 2.1 * rows), squeeze=False)
    for axes, name in zip(grid.flat, names, strict=False):
        panel(axes, name, facts["workloads"][name])
    for axes in list(grid.flat)[len(names) :]:
        axes.axis("off")
    figure.suptitle(
        "CPU microseconds per image, less is better (in brackets: mxio's advantage)",
        fontsize=10,
    )
    figure.text(0.01, 0.005, f"{facts['machine']}; {facts['date']}", fontsize=7)
    figure.tight_layout(rect=(0, 0.02, 1, 0.99))
    figure.savefig(out, dpi=110)


def main() -> None:
    """Read, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, help="NAME.json of bench.run")
    parser.add_argument("out", type=Path, help="the picture")
    given = parser.parse_args()
    draw(json.loads(given.results.read_text()), given.out)


if __name__ == "__main__":
    main()
