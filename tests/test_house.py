"""The rules of the house that a machine can check; CONTRIBUTING.md says what to do."""

import importlib
import importlib.util
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import mxio
from mxio import _core

ROOT = Path(__file__).resolve().parents[1]
NATIVE = ROOT / "mxio/native"
PUBLIC = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "mxio").rglob("*.py")
    if not path.name.startswith("_") and "shim" not in path.parts  # that is mxnet's
)
# Files of the core without a tests/native/test_<file>.c, and why.
TESTED_ELSEWHERE = {
    "augment_plan": "test_augment.c draws its plans and carries them out",
    "jpeg_codec": "test_jpeg.c decodes and encodes with it",
    "jpeg_encode": "test_jpeg.c",
    "jpeg_exif": "test_jpeg.c turns pictures of every orientation, and broken ones",
    "jpeg_selftest": "test_jpeg_entropy.c, tests/test_entropy.py",
    "jpeg_plain": "test_jpeg_entropy.c decodes everything with it and with libjpeg",
    "jpeg_tables": "test_jpeg_entropy.c: tables of many pictures do not mix",
    "kernels_avx2": "test_kernels.c compares it with the scalar kernels",
    "kernels_neon": "test_kernels.c, as arm64 (make neon)",
    "kernels_color": "test_color.c holds it against OpenCV's numbers",
    "kernels_color_avx2": "test_color.c compares it with the scalar kernels",
    "kernels_jpeg_avx2": "test_kernels_jpeg.c compares it with the scalar kernels",
    "kernels_jpeg_neon": "test_kernels_jpeg.c, as arm64 (make neon)",
    "kernels_color_neon": "test_color.c, as arm64 (make neon)",
    "kernels_values_avx2": "test_kernels_values.c speaks of each level",
    "kernels_values_neon": "test_kernels_values.c, as arm64 (make neon)",
    "kernels_png": "test_kernels.c undoes every filter with each level",
    "kernels_png_avx2": "test_kernels.c undoes every filter with each level",
    "kernels_png_neon": "test_kernels.c, as arm64 (make neon)",
    "loader_foreign": "test_loader.c decodes rows for it",
    "loader_look": "test_loader.c asks it",
    "tickets_consumer": "test_tickets.c is its consumer",
    "tickets_records": "test_tickets.c, tests/test_patience.py",
    "reader_extent": "test_reader.c chooses records and cuts parts",
    "rows_side": "test_rows.c reads rows of every kind, good and bad",
    "params_check": "test_params.c",
}


def load_tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"tools/{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True
    )


def test_every_native_file_includes_only_lower_floors() -> None:
    floors = load_tool("check_floors")

    found = list(floors.violations())

    assert found == []


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("reader.c", '#include "loader.h"\n', "reader.c (floor 2) includes loader"),
        (
            "imgrec.h",
            '# include "rng.h"\n',
            "imgrec.h (floor 1) includes rng (floor 1)",
        ),
        ("sample.c", "#include <Python.h>\n", "sample.c includes Python.h"),
        ("base.c", '#include "attic.h"\n', 'base.c includes "attic", which'),
        ("attic.c", "", "attic.c has no floor"),
    ],
)
def test_an_include_that_looks_up_or_sideways_is_reported(
    tmp_path: Path, name: str, text: str, sentence: str
) -> None:
    floors = load_tool("check_floors")
    (tmp_path / name).write_text(text)

    found = list(floors.violations(tmp_path))

    assert len(found) == 1
    assert found[0].startswith(sentence)


def test_a_file_may_include_its_family_and_lower_floors(tmp_path: Path) -> None:
    floors = load_tool("check_floors")
    text = '#include "kernels.h"\n#include "base.h"\n#include <string.h>\n'
    (tmp_path / "kernels_avx2.c").write_text(text)

    found = list(floors.violations(tmp_path))

    assert found == []


def test_generated_files_are_current() -> None:
    result = run_python("tools/gen.py", "--check")

    assert (result.returncode, result.stderr) == (0, "")


def test_params_def_reads_the_same_as_text_and_as_compiled() -> None:
    gen = load_tool("gen")

    rows, headings = gen.read_table((NATIVE / "params.def").read_text())

    assert [tuple(row) for row in rows] == list(_core.PARAMS)
    assert {heading.upper() for heading in headings} == {row.group for row in rows}


@pytest.mark.parametrize(
    ("same", "words"),
    [("flat flta", "has no parameter flta"), ("", "says nothing of flat")],
)
def test_what_is_said_of_mxnet_is_of_the_parameters_that_there_are(
    monkeypatch: pytest.MonkeyPatch, same: str, words: str
) -> None:
    gen = load_tool("gen")
    rows, _ = gen.read_table((NATIVE / "params.def").read_text())
    said = gen.load("tools/mxnet.py")
    said.SAME["MNISTIter"] = f"part_index shuffle {same}"
    monkeypatch.setattr(gen, "load", lambda path: said)

    with pytest.raises(ValueError, match=f"MNISTIter {words}"):
        gen.beside_mxnet(rows)


def test_every_core_file_has_a_test_program_or_a_reason() -> None:
    core = {path.stem for path in NATIVE.glob("*.c") if path.stem[:3] != "py_"}

    tested = {path.stem[5:] for path in ROOT.glob("tests/native/test_*.c")}

    assert core - tested == set(TESTED_ELSEWHERE)
    assert tested - core == set()


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_module_says_what_it_offers(name: str) -> None:
    if name == "mxio.adapters.torch":
        pytest.importorskip("torch")

    module = importlib.import_module(name)

    assert module.__doc__, f"{name} has no docstring"
    assert len(set(module.__all__)) == len(module.__all__) > 0
    for public in module.__all__:
        thing = getattr(module, public)
        if inspect.isroutine(thing) or inspect.isclass(thing):
            assert inspect.getdoc(thing), f"{name}.{public} has no docstring"


def test_importing_mxio_loads_no_heavy_package() -> None:
    where = Path(mxio.__file__).parents[1]
    program = (
        f"import sys; sys.path.insert(0, {str(where)!r}); import mxio; "
        "print(sorted({'torch', 'cv2', 'PIL', 'tqdm'} & set(sys.modules)))"
    )

    result = run_python("-P", "-c", program)

    assert (result.stdout, result.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    "page",
    ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "bench/README.md"]
    + [str(page.relative_to(ROOT)) for page in sorted(ROOT.glob("docs/**/*.md"))],
)
def test_the_links_of_a_page_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text())

    where = (ROOT / page).parent
    assert [link for link in links if not (where / link).exists()] == []


@pytest.mark.parametrize(
    "pattern",
    [
        *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"),
        *("docs/architecture.md", "docs/parameters.md"),
        *(f"docs/decisions/{number:04}-*.md" for number in range(1, 14)),
    ],
)
def test_every_promised_document_is_there_once(pattern: str) -> None:
    found = list(ROOT.glob(pattern))

    assert len(found) == 1
    assert found[0].stat().st_size > 0
