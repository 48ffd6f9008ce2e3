"""Writes what follows from mxio/native/params.def: `make gen`, or `--check` in CI.

mxio/_options.py gets the types of every parameter (for editors and mypy),
docs/parameters.md the tables for people. The .def text itself is read, so no build is
needed; tests/test_house.py proves that this reading and the compiler's agree.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FACES = {"MX": 1, "NUMPY": 2, "TORCH": 4, "DET": 8}
NAMES: dict[str, int] = {
    **FACES,
    "NOBODY": 0,
    "ALL": 7,
    "EVERY": 15,
    "OWN": 6,
    "INT64_MIN": -(2**63),
    "INT64_MAX": 2**63 - 1,
    "MXIO_NONE": -(2**63),
}
DOT_DEF = "mxio/native/params.def"
PREFACE = f"""\
# Parameters

Made from `{DOT_DEF}` by `make gen`; do not edit. Every face knows a
parameter by the same name; *faces* says where it exists: `mx` is
`mxio.io.ImageRecordIter`, `numpy` is `mxio.adapters.numpy.ImageRecordLoader`,
`torch` is `mxio.adapters.torch.ImageRecordDataset`, `det` is
`mxio.io.ImageDetRecordIter`; where `det` has another default or means something
else by a name, that name has a second row. A name that a face does
not know is a `TypeError`, a value outside its range a `ParameterError`."""


class Row(NamedTuple):
    """One parameter: the fields of a row of _core.PARAMS, in its order."""

    name: str
    kind: str
    group: str
    faces: int
    required: bool
    default: int | float | bool | str | tuple[int | float, ...] | None
    low: int | float | None
    high: int | float | None
    choices: tuple[str, ...]
    doc: str

    @property
    def shown(self) -> str:
        """The name by which its faces know it."""
        return self.name.removeprefix("det_")


def arguments(text: str) -> list[str]:
    """The arguments of a macro call: split at commas that no string holds."""
    return [part.strip() for part in re.findall(r'(?:"[^"]*"|[^,"])+', text)]


def number(text: str) -> int | float:
    """The value of a C constant expression of the table, such as INT64_MIN + 1."""
    value = eval(text, {"__builtins__": {}}, NAMES)
    if not isinstance(value, int | float):
        raise ValueError(f"{DOT_DEF}: {text!r} is not a number")
    return value


def value_of(kind: str, text: str) -> int | float | bool | None:
    """A default or a bound, as Python has it."""
    value = number(text)
    if text == "MXIO_NONE":
        return None
    if kind == "FLAG":
        return bool(value)
    return int(value) if kind in ("INT", "INTS") else float(value)


def row_of(macro: str, values: list[str]) -> Row:
    kind = values.pop(0) if macro in ("NUMBER", "LIST") else macro
    group, faces, need, name, *middle, quoted = values
    default: int | float | bool | str | tuple[int | float, ...] | None = None
    low: int | float | None = None
    high: int | float | None = None
    choices: tuple[str, ...] = ()
    if macro == "NUMBER":
        default, low, high = (value_of(kind, text) for text in middle)
    elif macro == "LIST":
        first, low, high = (value_of(kind, text) for text in middle)
        assert first is not None
        default = (first,)
    elif macro == "CHOICE":
        choices = tuple(middle[1].strip('"').split("|"))
        default = choices[int(middle[0])]
    elif macro == "TEXT":
        default = middle[0].strip('"')
    return Row(
        name,
        kind,
        group,
        int(number(faces)),
        need == "REQUIRED",
        default,
        low,
        high,
        choices,
        quoted.strip('"'),
    )


def read_table(text: str) -> tuple[list[Row], dict[str, str]]:
    """The rows of params.def, and what its headings say of each group."""
    headings = dict(re.findall(r"^/\* (\w+): (.+) \*/$", text, re.MULTILINE))
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    calls = re.findall(r'(\w+)\(((?:"[^"]*"|[^()"])*)\)', code)
    return [row_of(macro, arguments(values)) for macro, values in calls], headings


def type_of(row: Row) -> str:
    if row.kind == "TEXT" and (row.name.startswith("path_") or row.name == "mean_img"):
        return "str | os.PathLike[str]"
    if row.kind == "CHOICE":
        choices = ", ".join(f'"{choice}"' for choice in row.choices)
        return f"Literal[{choices}]"
    plain = {
        "INT": "int",
        "REAL": "float",
        "FLAG": "bool",
        "TEXT": "str",
        "SHAPE": "tuple[int, int, int]",
        "INTS": "int | Sequence[int]",
        "REALS": "float | Sequence[float]",
        "OBJECT": "Selection | None",
    }[row.kind]
    may_be_none = row.kind in ("INT", "REAL") and row.default is None
    return f"{plain} | None" if may_be_none else plain


def options_class(name: str, base: str, doc: str, rows: list[Row]) -> Iterator[str]:
    yield ""
    yield ""
    yield f"class {name}({base}, total=False):"
    yield f'    """{doc}"""'
    yield ""
    for row in rows:
        yield f"    {row.shown}: {type_of(row)}"


def options_py(rows: list[Row]) -> str:
    """mxio/_options.py: what most faces share, and a class for each face."""
    shared = [row for row in rows if row.faces & NAMES["ALL"] == NAMES["ALL"]]
    lines = [
        f'"""Types of the options of every face, from {DOT_DEF} by `make gen`."""',
        "",
        "import os",
        "from collections.abc import Sequence",
        "from typing import Literal, TypedDict",
        "",
        "from mxio._views import Selection",
    ]
    doc = "Options that the faces for classification share."
    lines += options_class("Options", "TypedDict", doc, shared)
    for face, base, title in [
        ("MX", "Options", "mxio.io.ImageRecordIter"),
        ("NUMPY", "Options", "mxio.adapters.numpy.ImageRecordLoader"),
        ("TORCH", "Options", "mxio.adapters.torch.ImageRecordDataset"),
        ("DET", "TypedDict", "mxio.io.ImageDetRecordIter"),
    ]:
        known = shared if base == "Options" else []
        own = [row for row in rows if row.faces & FACES[face] and row not in known]
        doc = f"Options of {title}."
        lines += options_class(f"{face.capitalize()}Options", base, doc, own)
    return "\n".join(lines) + "\n"


def bound(value: int | float) -> str:
    names = {-(2**63) + 1: "-2^63 + 1", 2**63 - 1: "2^63 - 1"}
    return names.get(int(value), f"{value:.12g}")


def cells(row: Row) -> Iterator[str]:
    """name, type, default, range, faces, what."""
    yield f"`{row.shown}`"
    yield {
        "INT": "int",
        "REAL": "float",
        "FLAG": "bool",
        "CHOICE": "str",
        "TEXT": "str or path" if "PathLike" in type_of(row) else "str",
        "SHAPE": "tuple of 3 int",
        "INTS": "int, or tuple of them",
        "REALS": "float, or tuple of them",
        "OBJECT": "see there",
    }[row.kind]
    yield "required" if row.required else f"`{row.default!r}`"
    if row.kind in ("INT", "REAL", "INTS", "REALS"):
        assert row.low is not None and row.high is not None
        yield f"{bound(row.low)} to {bound(row.high)}"
    else:
        yield ", ".join(f"`{choice!r}`" for choice in row.choices)
    faces = [face.lower() for face, bit in FACES.items() if row.faces & bit]
    yield "all" if len(faces) == len(FACES) else ", ".join(faces)
    yield row.doc.replace("|", "\\|")


def parameters_md(rows: list[Row], headings: dict[str, str]) -> str:
    """docs/parameters.md: a table for each of the five kinds."""
    lines = [PREFACE]
    for heading, what in headings.items():
        lines += ["", f"## {heading}: {what}", ""]
        lines += ["| name | type | default | range | faces | what |"]
        lines += ["|---|---|---|---|---|---|"]
        lines += [
            f"| {' | '.join(cells(row))} |"
            for row in rows
            if row.group == heading.upper() and row.faces
        ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what is stale")
    check = parser.parse_args().check

    rows, headings = read_table((ROOT / DOT_DEF).read_text())
    stale = []
    for name, text in [
        ("mxio/_options.py", options_py(rows)),
        ("docs/parameters.md", parameters_md(rows, headings)),
    ]:
        path = ROOT / name
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text)
            print(f"wrote {name}")
    if check and stale:
        print(
            f"{', '.join(stale)}: older than {DOT_DEF}; run `make gen`", file=sys.stderr
        )
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
