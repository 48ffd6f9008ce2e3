"""From the numbers of a run to the text that people read."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from bench.contender import ENTRIES
from bench.workloads import WORKLOADS

MIB = 1024 * 1024
MEASURES = ("clock", "CPU", "least CPU")
HEADINGS = (
    "images/s",
    "CPU us per image",
    "first batch s (CPU)",
    "peak MiB",
    f"mxio faster: {', '.join(MEASURES)}",
    f"repacked: {', '.join(MEASURES)}",
)
HEADS = ("aim", ", ".join(MEASURES), "reached by")


def spread(values: Sequence[float], digits: int) -> str:
    """Median (lowest..highest)."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}..{high:.{digits}f})"


def aligned(rows: list[list[str]]) -> Iterator[str]:
    """The lines of a Markdown table whose first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "| " + " | ".join(cells) + " |"


def cell(ratios: Sequence[float] | None) -> str:
    return "" if ratios is None else ", ".join(f"{ratio:.2f}" for ratio in ratios)


def start_table(found: dict[str, Any]) -> Iterator[str]:
    """Contenders of a workload that is over with the first batch."""
    rows = [["", "seconds", "CPU seconds", f"mxio faster: {', '.join(MEASURES)}"]]
    for name, one in found["contenders"].items():
        times = [spread([1e-6 * t for t in one[of]], 3) for of in ("seconds", "cpu")]
        ratios = cell(found["ratios"]["mxio"].get(name))
        rows.append([ENTRIES[name].title, *times, ratios])
    return aligned(rows)


def workload_table(found: dict[str, Any]) -> Iterator[str]:
    """All contenders of one workload."""
    rows = [["", *HEADINGS]]
    for name, one in found["contenders"].items():
        cpu = statistics.median(one["cpu"])
        first = ""
        if one["first_seconds"] is not None:
            first = f"{one['first_seconds']:.3f} ({one['first_cpu']:.3f})"
        rows.append(
            [
                ENTRIES[name].title,
                spread([1e6 / value for value in one["seconds"]], 0),
                spread(one["cpu"], 0 if cpu >= 100 else 2),
                first,
                f"{one['peak_mib']:.0f}",
                cell(found["ratios"]["mxio"].get(name)),
                cell(found["ratios"].get("repacked", {}).get(name)),
            ]
        )
    return aligned(rows)


def verdict(ratios: Sequence[float] | None, target: float | None) -> list[str]:
    """Three cells: wanted, found, reached by which of the two."""
    if target is None:
        return ["", "", ""]
    if ratios is None:
        return [f"{target}", "not measured", ""]
    reached = [name for name, r in zip(MEASURES, ratios, strict=True) if r >= target]
    return [f"{target}", cell(ratios), ", ".join(reached) or "no"]


def target_table(workloads: dict[str, Any]) -> Iterator[str]:
    """What was aimed at, and what came out."""
    rows = [["", "times faster than", *HEADS, *(f"{head}, repacked" for head in HEADS)]]
    for name, found in workloads.items():
        for peer, (plain, repacked) in WORKLOADS[name].targets.items():
            row = [name, ENTRIES[peer].title]
            for mine, target in (("mxio", plain), ("repacked", repacked)):
                row += verdict(found["ratios"].get(mine, {}).get(peer), target)
            rows.append(row)
    return aligned(rows)


def text_of(facts: dict[str, Any]) -> str:
    """The whole text."""
    workloads: dict[str, Any] = facts["workloads"]
    about = {
        name: one["about"]
        for found in workloads.values()
        for name, one in found["contenders"].items()
    }
    lines = [f"bench.run, {facts['date']}", facts["machine"]]
    lines += [f"{ENTRIES[name].title}: {text}" for name, text in about.items()]
    lines += [
        f"Median (lowest..highest) of {facts['rounds']} rounds after a warm-up; "
        "ratios are medians of the rounds' ratios.",
        "",
        *target_table(workloads),
    ]
    for name, found in workloads.items():
        work = WORKLOADS[name]
        absent = ", ".join(found["absent"])
        lines += [
            "",
            f"{name}: {work.what}",
            f"{found['records']} records, {found['bytes'] / MIB:.0f} MiB; "
            f"{found['threads']} threads or workers each"
            + (f"; batch {work.batch}" if work.kind != "sequential" else "")
            + (f"; {work.passes} epochs timed as one" if work.passes > 1 else "")
            + (f"; not there: {absent}" if absent else ""),
            "",
            *(start_table if work.first_only else workload_table)(found),
        ]
    for name, count in facts.get("instructions", {}).items():
        lines += ["", f"Instructions per image, W1, {ENTRIES[name].title}: {count:.0f}"]
    others = [
        x
        for found in workloads.values()
        for one in found["contenders"].values()
        for x in one["others"]
    ]
    if others:
        lines += ["", "Cores that other programs took meanwhile: " + spread(others, 2)]
    return "\n".join(lines) + "\n"
