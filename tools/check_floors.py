"""The floors of mxio/native: a file includes only what lies below it (architecture.md).

Neighbours on one floor do not know each other, except files of one family (kernels and
kernels_avx2). Python.h stays on the top floor. Prints every violation; exit status 1.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

NATIVE = Path(__file__).resolve().parents[1] / "mxio/native"
FLOORS: list[set[str]] = [
    {"base"},
    {
        "badlist",
        "file",
        "imgrec",
        "inflate",
        "kernels",
        "labels",
        "maths",
        "number",
        "params",
        "pool",
        "recordio",
        "rng",
    },
    {
        "blur",
        "chunks",
        "color",
        "emit",
        "jpeg",
        "lines",
        "marks",
        "order",
        "png",
        "reader",
        "resize",
        "source",
        "stream",
        "warp",
    },
    {"augment", "detlabel", "idx", "scan", "share"},
    {"detect", "mnist", "rows"},
    {"repack", "sample"},
    {"tickets"},
    {"feed", "loader", "packer"},
    {"py"},
]


def floor_of(stem: str) -> tuple[int, str] | None:
    """The floor of a file and its family: kernels_avx2 lives with kernels."""
    for number, families in enumerate(FLOORS):
        for family in families:
            if stem == family or stem.startswith(f"{family}_"):
                return number, family
    return None


def violations(native: Path = NATIVE) -> Iterator[str]:
    """A sentence for each include that looks up or sideways."""
    for path in sorted(native.glob("*.[ch]")):
        place = floor_of(path.stem)
        if place is None:
            yield f"{path.name} has no floor: add it to FLOORS in tools/check_floors.py"
            continue
        floor, family = place
        text = path.read_text()
        if "Python.h" in text and family != "py":
            yield f"{path.name} includes Python.h: only py_*.c may"
        for name in re.findall(r'^\s*#\s*include\s+"(\w+)\.\w+"', text, re.MULTILINE):
            below = floor_of(name)
            if below is None:
                yield f'{path.name} includes "{name}", which has no floor'
            elif below[0] >= floor and below[1] != family:
                yield (
                    f"{path.name} (floor {floor}) includes {name} (floor {below[0]}): "
                    "only lower floors may be included"
                )


def main() -> int:
    found = list(violations())
    for sentence in found:
        print(sentence, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
