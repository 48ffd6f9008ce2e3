"""Writes what follows from mxio/native/params.def: `make gen`, or `--check` in CI.

mxio/_options.py gets the types of every parameter (for editors and mypy),
docs/parameters.md the tables for people, docs/coming-from-mxnet.md the table of what is
not as in MXNet. The .def text itself is read, and mxio/_param.py for what it lacks, so
no build is needed; tests/test_house.py proves that this reading and the compiler's
agree.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mxio._param import Param
    from tools.mxnet import Difference

ROOT = Path(__file__).resolve().parents[1]
FACES = {"MX": 1, "NUMPY": 2, "TORCH": 4, "DET": 8, "RAW": 16}
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


def load(path: str) -> ModuleType:
    """A file of Python that needs nothing built, by its place: `import mxio` would."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PARAM = load("mxio/_param.py")
TABLES: dict[str, dict[str, Param]] = {
    "MNISTIter": PARAM.MNIST,
    "CSVIter": PARAM.CSV,
    "LibSVMIter": PARAM.LIBSVM,
    "NDArrayIter": PARAM.NDARRAY,
}
DOT_DEF = "mxio/native/params.def"
COMING = "docs/coming-from-mxnet.md"
BEGIN_MARK = "<!-- made by `make gen`; do not edit -->"
END_MARK = "<!-- end -->"
PREFACE = f"""\
# Parameters

Made from `{DOT_DEF}` and `mxio/_param.py` by `make gen`; do not edit. First those of
images, in five kinds, then those of tables and arrays. Every face knows a
parameter by the same name; *faces* says where it exists: `mx` is
`mxio.io.ImageRecordIter`, `numpy` is `mxio.adapters.numpy.ImageRecordLoader`,
`torch` is `mxio.adapters.torch.ImageRecordDataset`, `det` is
`mxio.io.ImageDetRecordIter`, `raw` is `mxio.RecordDataset`; where `det` has
another default or means something else by a name, that name has a second row.
A name that a face does not know is a `TypeError`, a value outside its range a
`ParameterError`."""


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


def row_of(macro: str, values: list[str]) -> Param:
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
    row: Param = PARAM.Param(
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
    return row


def read_table(text: str) -> tuple[list[Param], dict[str, str]]:
    """The rows of params.def, and what its headings say of each group."""
    headings = dict(re.findall(r"^/\* (\w+): (.+) \*/$", text, re.MULTILINE))
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    calls = re.findall(r'(\w+)\(((?:"[^"]*"|[^()"])*)\)', code)
    return [row_of(macro, arguments(values)) for macro, values in calls], headings


def is_path(row: Param) -> bool:
    names = ("path_", "data_csv", "data_libsvm", "label_csv", "label_libsvm")
    named = row.name.startswith(names) or row.name in ("mean_img", "image", "label")
    return row.kind == "TEXT" and named


# Types of arrays: by name, NumPy's own, and on its face torch's.
ALIASES = {"dtype": "DataType", "label_dtype": "LabelType"}


def literal(row: Param) -> str:
    choices = ", ".join(f'"{choice}"' for choice in row.choices)
    return f"Literal[{choices}]"


def type_of(row: Param, face: str) -> str:
    if row.name in ALIASES:
        alias = ALIASES[row.name]
        return f'"{alias} | torch.dtype"' if face == "TORCH" else alias
    if is_path(row):
        return "str | os.PathLike[str]"
    if row.kind == "CHOICE":
        return literal(row)
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


def options_class(
    name: str, base: str, doc: str, rows: list[Param], face: str = ""
) -> Iterator[str]:
    yield ""
    yield ""
    yield f"class {name}({base}, total=False):"
    yield f'    """{doc}"""'
    yield ""
    for row in rows:
        yield f"    {row.shown}: {type_of(row, face)}"


def options_py(rows: list[Param]) -> str:
    """mxio/_options.py: what most faces share, and a class for each face."""
    shared = [
        row
        for row in rows
        if row.faces & NAMES["ALL"] == NAMES["ALL"] and row.name not in ALIASES
    ]
    lines = [
        f'"""Types of the options of every face, from {DOT_DEF} by `make gen`."""',
        "",
        "import os",
        "from collections.abc import Sequence",
        "from typing import TYPE_CHECKING, Any, Literal, TypedDict",
        "",
        "import numpy as np",
        "",
        "from mxio._views import Selection",
        "",
        "if TYPE_CHECKING:",
        "    import torch",
        "",
        "NumPyType = np.dtype[Any] | type[np.generic]",
    ]
    lines += [
        f"{ALIASES[row.name]} = {literal(row)} | NumPyType | None"
        for row in rows
        if row.name in ALIASES
    ]
    doc = "Options that the faces for classification share."
    lines += options_class("Options", "TypedDict", doc, shared)
    for face, base, title in [
        ("MX", "Options", "mxio.io.ImageRecordIter"),
        ("NUMPY", "Options", "mxio.adapters.numpy.ImageRecordLoader"),
        ("TORCH", "Options", "mxio.adapters.torch.ImageRecordDataset"),
        ("DET", "TypedDict", "mxio.io.ImageDetRecordIter"),
        ("RAW", "TypedDict", "mxio.RecordDataset"),
    ]:
        known = shared if base == "Options" else []
        own = [row for row in rows if row.faces & FACES[face] and row not in known]
        doc = f"Options of {title}."
        lines += options_class(f"{face.capitalize()}Options", base, doc, own, face)
    return "\n".join(lines) + "\n"


def bound(value: int | float) -> str:
    names = {-(2**63) + 1: "-2^63 + 1", 2**63 - 1: "2^63 - 1"}
    return names.get(int(value), f"{value:.12g}")


def shown_default(row: Param) -> str:
    return "required" if row.required else f"`{row.default!r}`"


def cells(row: Param) -> Iterator[str]:
    """name, type, default, range, what."""
    yield f"`{row.shown}`"
    yield {
        "INT": "int",
        "REAL": "float",
        "FLAG": "bool",
        "CHOICE": "str",
        "TEXT": "str or path" if is_path(row) else "str",
        "SHAPE": "tuple of 3 int",
        "SIZES": "int, or tuple of them",
        "INTS": "int, or tuple of them",
        "REALS": "float, or tuple of them",
        "OBJECT": "see there",
        "ARRAYS": "array, list, dict",
    }[row.kind]
    yield shown_default(row)
    if row.kind in ("INT", "REAL", "INTS", "REALS"):
        assert row.low is not None and row.high is not None
        yield f"{bound(row.low)} to {bound(row.high)}"
    elif row.kind == "SIZES":
        yield f"1 to {bound(row.high)}, also the product"
    else:
        yield ", ".join(f"`{choice!r}`" for choice in row.choices)
    yield row.doc.replace("|", "\\|")


def faces_of(row: Param) -> str:
    faces = [face.lower() for face, bit in FACES.items() if row.faces & bit]
    if row.faces & NAMES["EVERY"] != NAMES["EVERY"]:
        return ", ".join(faces)
    return "all" if len(faces) == len(FACES) else "all but raw"


def table(*columns: str, rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """The lines of a table."""
    yield ""
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def parameters_md(rows: list[Param], headings: dict[str, str]) -> str:
    """docs/parameters.md: a table for each of the five kinds, and for each iterator
    over tables.
    """
    lines = [PREFACE]
    for heading, what in headings.items():
        lines += ["", f"## {heading}: {what}"]
        known = [row for row in rows if row.group == heading.upper() and row.faces]
        lines += table(
            *("name", "type", "default", "range", "faces", "what"),
            rows=(
                [*first, faces_of(row), what]
                for row in known
                for *first, what in [cells(row)]
            ),
        )
    for name, known_rows in TABLES.items():
        lines += ["", f"## mxio.io.{name}"]
        lines += table(
            *("name", "type", "default", "range", "kind", "what"),
            rows=(
                [*first, row.group.capitalize(), what]
                for row in known_rows.values()
                for *first, what in [cells(row)]
            ),
        )
    return "\n".join(lines) + "\n"


# ---- beside MXNet ----


def compared(row: Param, differences: Mapping[str, Difference]) -> Iterator[str]:
    """MXNet's default, mxio's, and the difference."""
    default, what = differences.get(row.name, (None, "Same."))
    ours = shown_default(row)
    yield ours if default is None else f"`{default}`" if default else ""
    yield ours
    yield what


def beside_mxnet(rows: list[Param]) -> str:
    """The table of docs/coming-from-mxnet.md: every parameter that both, or one of
    MXNet's iterators and its like here, have.
    """
    said = load("tools/mxnet.py")
    differences: dict[str, dict[str, Difference]] = said.DIFFERENCES
    of = {FACES["MX"]: "image", FACES["DET"]: "det", FACES["MX"] | FACES["DET"]: "both"}
    images = [(row, of[row.faces & max(of)]) for row in rows if row.faces & max(of)]
    columns = "parameter", "MXNet 1.9.1", "mxio", "what is different"
    lines = ["", "### ImageRecordIter (image), ImageDetRecordIter (det)"]
    lines += table(
        columns[0],
        "of",
        *columns[1:],
        rows=(
            [f"`{row.shown}`", which, *compared(row, differences["images"])]
            for row, which in images
        ),
    )
    tables = {"images": {row.name: row for row, _ in images}} | TABLES
    for name, known in TABLES.items():
        lines += ["", f"### {name}"]
        lines += table(
            *columns,
            rows=(
                [f"`{row.name}`", *compared(row, differences[name])]
                for row in known.values()
            ),
        )
    for name, known in tables.items():
        listed = [*differences[name], *said.SAME[name].split()]
        for wrong in sorted(known.keys() ^ set(listed)):
            problem = "says nothing of" if wrong in known else "has no parameter"
            raise ValueError(f"tools/mxnet.py: {name} {problem} {wrong}")
    return "\n".join(lines) + "\n"


def between_marks(text: str, made: str) -> str:
    """`text` with what is between the marks replaced."""
    before, _, rest = text.partition(BEGIN_MARK)
    _, mark, after = rest.partition(END_MARK)
    if not mark:
        raise ValueError(f"{COMING}: {BEGIN_MARK} and {END_MARK} must be there")
    return f"{before}{BEGIN_MARK}\n{made}\n{END_MARK}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what is stale")
    check = parser.parse_args().check

    rows, headings = read_table((ROOT / DOT_DEF).read_text())
    stale = []
    for name, text in [
        ("mxio/_options.py", options_py(rows)),
        ("docs/parameters.md", parameters_md(rows, headings)),
        (COMING, between_marks((ROOT / COMING).read_text(), beside_mxnet(rows))),
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
            f"{', '.join(stale)}: older than {DOT_DEF}, mxio/_param.py or "
            "tools/mxnet.py; run `make gen`",
            file=sys.stderr,
        )
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
