"""mxio.cli and mxio.quickstart: the command line, and what it says when it fails."""

import importlib.util
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mxio
from mxio import cli, im2rec, quickstart
from mxio.cli import main
from mxio.errors import DataError, MxioError, ParameterError, system_error
from mxio.tools import quickstart as tool
from tests.conftest import run_python

FILES = Path(__file__).parent / "golden/files"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure as briefly as possible."""
    monkeypatch.setattr(quickstart, "EPOCH_SECONDS", 0.001)
    monkeypatch.setattr(quickstart, "TURN_SECONDS", 0.001)


def save_pictures(folder: Path, kinds: list[str], each: int = 2) -> None:
    rng = np.random.default_rng(5)
    for kind in kinds:
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            pixels = rng.integers(0, 255, (32, 48, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / kind / f"{number}.jpg")


def test_without_arguments_it_prints_its_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main([])

    assert code == 0
    assert "quickstart" in capsys.readouterr().out


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--version"])

    assert (code, capsys.readouterr().out) == (0, f"mxio {mxio.__version__}\n")


def test_every_subcommand_has_one_line_in_the_help_and_a_help_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["--help"])
    overview = capsys.readouterr().out

    for name in cli.SUBCOMMANDS:
        assert re.search(rf"^    {name} +\w.*$", overview, re.MULTILINE)
        assert main([name, "--help"]) == 0
        own = capsys.readouterr().out
        assert own.startswith(f"usage: mxio {name}")
        assert "exit codes: 0 good" in own


def test_the_help_loads_no_heavy_package() -> None:
    program = (
        "import sys; from mxio.cli import main; main(['--help']); "
        "print(sorted({'torch', 'cv2', 'PIL', 'tqdm'} & set(sys.modules)))"
    )

    done = run_python(program)

    assert (done.stdout.splitlines()[-1], done.stderr) == ("[]", "")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (DataError("a.rec: byte 8:\nno record"), 1, "a.rec: byte 8: no record"),
        (MxioError("no"), 1, "no"),
        (ParameterError("width must be 1, got 2"), 2, "width must be 1, got 2"),
        (FileNotFoundError(2, "No such file", "a.rec"), 4, "a.rec: No such file"),
        (system_error(28, "No space left", "a.rec"), 4, "a.rec: No space left"),
        (OSError("odd"), 4, "odd"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_each_kind_of_failure_is_one_line_and_an_exit_code(
    error: BaseException,
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(options: object) -> int:
        raise error

    monkeypatch.setattr(tool, "run", fail)

    got = main(["quickstart"])

    assert got == code
    assert capsys.readouterr().err == f"mxio quickstart: {said}\n"


GUARDED = "import sys; from mxio.tools._command import guarded; "


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_told_and_gives_4() -> None:
    program = GUARDED + "sys.exit(guarded('mxio', lambda: print('much') or 0))"
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}

    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=buffered,
        )

    assert done.returncode == 4
    assert done.stderr == "mxio: standard output: No space left on device\n"


def test_a_reader_that_goes_away_ends_it_without_a_word() -> None:
    program = GUARDED + "sys.exit(guarded('mxio', lambda: print('much ' * 99999) or 0))"

    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()

    assert (process.returncode, told) == (4, b"")


@pytest.mark.parametrize("command", [["im2rec"], ["rec2idx", "tiny10.rec", "x.idx"]])
def test_a_reader_that_goes_away_ends_the_other_commands_likewise(
    command: list[str], tmp_path: Path
) -> None:
    # They ended in a traceback.
    shutil.copy(FILES / "tiny10.rec", tmp_path)
    with subprocess.Popen(
        [sys.executable, "-m", f"mxio.{command[0]}", *command[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()

    assert (process.returncode, told) == (4, b"")


@pytest.mark.parametrize("encoding", ["ascii", "utf-8:strict"])
@pytest.mark.parametrize("name", ["\xe9.rec", os.fsdecode(b"no-text-\xff.rec")])
def test_names_that_the_output_cannot_show_are_escaped(
    name: str, encoding: str, tmp_path: Path
) -> None:
    # It ended in a UnicodeEncodeError.
    shutil.copy(FILES / "tiny10.rec", tmp_path / name)
    shown = name.encode(encoding.partition(":")[0], "backslashreplace")

    done = subprocess.run(
        [sys.executable, "-m", "mxio.cli", "verify", name],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(shown + b": good: 10 records")


def test_a_name_in_an_error_cannot_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["info", "\x1b[31m.rec"]) == 4

    assert "mxio info: \\x1b[31m.rec: " in capsys.readouterr().err


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_nothing(closed: str, tmp_path: Path) -> None:
    # Without an output it ended in an AttributeError.
    shutil.copy(FILES / "tiny10.rec", tmp_path)
    program = [sys.executable, "-m", "mxio.cli", "index", "tiny10.rec"]

    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *program], cwd=tmp_path, check=False
    )

    assert done.returncode == 0
    lines = (tmp_path / "tiny10.idx").read_text().splitlines()
    assert len(lines) == 10
    assert all(re.fullmatch(r"\d+\t\d+", line) for line in lines)


_JSON: dict[str, Any] = {  # what each command prints beside "schema"
    "info in.rec": {"files"},
    "verify in.rec": {"files"},
    "repair in.rec out.rec": mxio.RepairReport,
    "index in.rec": mxio.IndexReport,
    "view in.rec": mxio.ViewReport,
    "card in.rec --seconds 0": mxio.CardReport,
    "convert in.rec out.tar": mxio.ConvertReport,
    "subset in.rec out.rec --slice 0:2": mxio.Written,
    "split in.rec out --counts a=2": {"parts"},
    "shuffle in.rec out.rec": mxio.Written,
    "repack in.rec out.rec": mxio.RepackReport,
    "extract in.rec out": mxio.ExtractReport,
    "bench in.rec --seconds 0.01 --threads 1": mxio.BenchReport,
    "doctor in.rec": mxio.DoctorReport,
    "merge out.rec": mxio.MergeReport,
}


@pytest.mark.parametrize("words", _JSON)
def test_json_is_one_object_with_the_fields_of_the_result(
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # index, subset, split, shuffle, extract and merge had no --json.
    monkeypatch.chdir(tmp_path)
    save_pictures(tmp_path / "im", ["a"], each=4)
    assert im2rec.main(["in", "im", "--list", "--recursive", "--quiet"]) == 0
    assert im2rec.main(["in", "im", "--quiet"]) == 0
    (tmp_path / "in.lst").rename("out.lst")
    assert im2rec.main(["out", "im", "--shards", "2", "--quiet"]) == 0
    kind = _JSON[words]
    wanted = kind if isinstance(kind, set) else {field.name for field in fields(kind)}
    capsys.readouterr()

    code = main([*words.split(), "--json"])

    printed, told = capsys.readouterr()
    assert (code, told, printed.count("\n")) == (0, "", 1)
    found = json.loads(printed)
    assert found["schema"] == 1
    assert set(found) == wanted | {"schema"}


@pytest.mark.parametrize(
    ("command", "name"),
    [
        *itertools.product(("info", "verify", "index", "cat"), ("", ".", "/", "fifo")),
        *itertools.product(("card", "view"), ("", ".", "fifo")),
    ],
)
def test_what_is_no_file_is_one_sentence(
    command: str,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    # The index beside "." ended in a traceback, and card waited for a fifo for ever.
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    if name == "fifo":
        os.mkfifo(name)

    code = main([command, name])

    assert code in (2, 4)
    assert capfd.readouterr().err.count("\n") == 1
    assert set(os.listdir()) <= {"fifo"}


def test_every_command_with_text_for_output_has_json() -> None:
    tested = {words.split()[0] for words in _JSON}

    assert set(cli.SUBCOMMANDS) - tested == {"quickstart", "cat", "download"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["quickstrat"], "quickstrat"),
        (["quickstart", "--threads", "0"], "must be in [1, 1024], got 0"),
        (["quickstart", "--threads", "two"], "must be in [1, 1024], got two"),
        (["quickstart", "--colour"], "--colour"),
    ],
)
def test_a_wrong_call_is_told_and_gives_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(arguments)

    assert code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["images", "out"])
def test_a_missing_folder_is_one_sentence_and_gives_4(
    missing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = tmp_path / "absent"
    given = {"images": tmp_path, "out": tmp_path / "sheet.png"}
    given[missing] = absent if missing == "images" else absent / "sheet.png"

    code = main(["quickstart", *(f"--{name}={path}" for name, path in given.items())])

    told = capsys.readouterr().err
    assert code == 4
    assert str(absent) in told
    assert told.count("\n") == 1


def test_a_folder_without_pictures_is_one_sentence_and_gives_4(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("no picture")

    code = main(["quickstart", f"--images={tmp_path}", f"--out={tmp_path / 'x.png'}"])

    told = capsys.readouterr().err
    assert code == 4
    assert str(tmp_path) in told
    assert told.count("\n") == 1
    assert not (tmp_path / "x.png").exists()


def test_quickstart_measures_every_face_and_draws_all_classes(
    tmp_path: Path, hasty: None, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sheet.png"

    code = main(["quickstart", f"--out={out}", "--threads=2"])

    told = capsys.readouterr().out
    assert code == 0
    assert "40 pictures of 5 classes (cat, coffee, galaxy, gravel, rocket)" in told
    faces = ["io.ImageRecordIter", "adapters.numpy.ImageRecordLoader"]
    if importlib.util.find_spec("torch") is not None:
        faces.append("adapters.torch.ImageRecordDataset")
    for face in faces:
        assert re.search(rf"mxio\.{face} +[0-9]+ +[0-9]+%", told)
    with Image.open(out) as sheet:
        assert sheet.format == "PNG"
        assert sheet.height > 5 * 100


def test_quickstart_without_torch_says_that_a_face_is_left_out(
    tmp_path: Path,
    hasty: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)

    code = main(["quickstart", f"--out={tmp_path / 'sheet.png'}"])

    assert code == 0
    assert "torch is not installed" in capsys.readouterr().out


def test_quickstart_takes_a_flat_folder_as_one_class(
    tmp_path: Path, hasty: None, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "holiday"
    save_pictures(folder, ["."], each=3)

    code = main(["quickstart", f"--images={folder}", f"--out={tmp_path / 'x.png'}"])

    assert code == 0
    assert "3 pictures of 1 class (holiday)" in capsys.readouterr().out


def test_quickstart_leaves_out_what_is_no_picture_and_names_it(
    tmp_path: Path, hasty: None, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pictures"
    save_pictures(folder, ["red", "blue"])
    (folder / "red" / "broken.jpg").write_bytes(b"no picture")

    code = main(["quickstart", f"--images={folder}", f"--out={tmp_path / 'x.png'}"])

    told = capsys.readouterr().out
    assert code == 0
    assert "Left out red/broken.jpg" in told
    assert "4 pictures of 2 classes (blue, red)" in told


def test_quickstart_takes_a_part_of_a_large_folder(
    tmp_path: Path,
    hasty: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save_pictures(tmp_path / "many", [f"kind{number:02}" for number in range(20)])
    monkeypatch.setattr(quickstart, "PICTURES_MAX", 20)
    out = tmp_path / "x.png"

    code = main(["quickstart", f"--images={tmp_path / 'many'}", f"--out={out}"])

    told = capsys.readouterr().out
    assert code == 0
    assert "Of 40 pictures" in told
    assert "20 pictures of 20 classes (kind00, kind01, kind02" in told


def test_pack_samples_gives_five_labelled_classes(tmp_path: Path) -> None:
    rec, idx, lst = quickstart.pack_samples(tmp_path)

    lines = [line.split("\t") for line in lst.read_text().splitlines()]
    classes = ["cat", "coffee", "galaxy", "gravel", "rocket"]
    assert [int(key) for key, _, _ in lines] == list(range(40))
    assert [classes[int(float(label))] for _, label, _ in lines] == [
        Path(name).parent.name for _, _, name in lines
    ]
    assert len(idx.read_text().splitlines()) == 40
    assert rec.read_bytes()[:4] == b"\x0a\x23\xd7\xce"
