"""Both command lines of im2rec, against hand-made bytes and OpenCV."""

import os
import signal
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mxio import _pace, _packing
from mxio._entries import Entry, EntryReader
from mxio._lists import Line
from mxio.im2rec import main
from tests.im2rec_files import decoded, pairs, photo, record, write_image, write_list

ROOT = Path(__file__).resolve().parents[1]

# The list form: im2rec LIST ROOT OUTPUT key=value ...


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("blank", ["\t", "  ", "     \t"])
@pytest.mark.parametrize(
    ("output", "index"),
    [("out.rec", "out.idx"), ("output.bin", "output.idx"), ("a.b/c", "a.b/c.idx")],
)
def test_a_packed_file_has_the_bytes_of_the_format(
    tmp_path: Path, slash: str, blank: str, output: str, index: str
) -> None:
    (tmp_path / "a.b").mkdir()
    first = write_image(tmp_path / "images" / "a b.jpg")
    second = write_image(tmp_path / "images" / "sub" / "c.png")
    lines = (("895099", "464", "a b.jpg"), ("7", "0.5", "sub/c.png"))
    lst = write_list(tmp_path, *map(blank.join, lines))

    code = main(
        [str(lst), f"{tmp_path}/images{slash}", str(tmp_path / output), "unchanged=1"]
    )

    one = record(struct.pack("<IfQQ", 0, 464, 895099, 0) + first)
    two = record(struct.pack("<IfQQ", 0, 0.5, 7, 0) + second)
    assert code == 0
    assert (tmp_path / output).read_bytes() == one + two
    assert (tmp_path / index).read_text() == f"895099\t0\n7\t{len(one)}\n"


def test_the_walk_of_the_documentation_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "root" / "a.jpg", photo(400, 300))
    lst = write_list(tmp_path, "3\t1\t2\t3\t4\ta.jpg", "5  9  8  7  6  a.jpg")
    out = tmp_path / "output.bin"

    code = main([str(lst), f"{tmp_path}/root", str(out), "resize=256", "label_width=4"])

    assert code == 0
    assert "output.bin: 2 images in " in capsys.readouterr().out
    heads = [head for head, _ in pairs(out)]
    assert heads == [(0, 1.0, 3, 0), (0, 9.0, 5, 0)]
    assert [decoded(data).shape for _, data in pairs(out)] == [(341, 256, 3)] * 2


@pytest.mark.parametrize(
    ("words", "shape"), [([], (41, 56, 3)), (["resize=20"], (20, 20, 3))]
)
def test_the_list_form_cuts_the_square_only_when_it_resizes(
    tmp_path: Path, words: list[str], shape: tuple[int, ...]
) -> None:
    write_image(tmp_path / "a.jpg", photo(41, 56))
    lst = write_list(tmp_path, "0\t0\ta.jpg")
    out = tmp_path / "o.rec"

    assert main([str(lst), str(tmp_path), str(out), "center_crop=1", *words]) == 0

    [(_, data)] = pairs(out)
    assert decoded(data).shape == shape


# Wrong command lines


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["resise=256"], "unknown key resise; did you mean resize?"),
        (["zzz=1"], "unknown key zzz; known are label_width, "),
        (["resize=abc"], "resize must be a whole number, got 'abc'"),
        (["resize=-2"], "resize must be in [-1, 65500], got -2"),
        (["quality=101"], "quality must be in [0, 100], got 101"),
        (["quality=0"], "quality must be in [1, 100] for .jpg, got 0"),
        (["encoding=.gif"], "encoding must be one of .jpg, .png, got '.gif'"),
        (["inter_method=5"], "inter_method must be one of 0, 1, 2, 3, 4, 9, 10, got 5"),
        (["color=2"], "color must be one of 1, 0, -1, got 2"),
        (["pack_label=2"], "pack_label must be 0 or 1, got '2'"),
        (["pack_label=1"], "label_width must be >= 2 with pack_label, got 1"),
        (["label_width=0"], "label_width must be >= 1, got 0"),
        (["nsplit=2", "part=2"], "part must be in [0, nsplit = 2), got 2"),
        (["loose"], "expected key=value behind the output, got 'loose'"),
        (["--resize=4"], "unknown option --resize"),
        (["--quite"], "unknown option --quite; did you mean --quiet?"),
        (["--num-thread=-1"], "num_thread must be in [0, 1024], got -1"),
        (["--on-error=ignore"], "invalid choice: 'ignore'"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, "0\t0\ta.jpg")

    code = main([str(lst), str(tmp_path), str(tmp_path / "o.rec"), *words])

    assert code == 2
    assert message in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["a.jpg", "image.lst"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.lst", "root", "resize=256"], "LIST ROOT OUTPUT must come first"),
        (["prefix", "root", "--train-ration", "1"], "did you mean --train-ratio?"),
        (["prefix", "root", "--list=maybe"], "list"),
        (["prefix"], "root"),
        (["a.lst", "root", "out.idx"], "would replace a file that is written, too"),
        (["a.lst", "root", "a.lst"], "would replace a file that is read"),
    ],
)
def test_a_wrong_command_line_is_code_2(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    code = main(words)

    assert code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["--help"], ["a", "b", "-h"]])
def test_the_full_help_shows_both_forms(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    code = main(words)

    shown = capsys.readouterr().out
    assert code == 0
    assert "im2rec PREFIX ROOT --list" in shown
    assert "im2rec LIST ROOT OUTPUT [key=value ...]" in shown
    for name in ("--train-ratio", "--pass-through", "label_width=1", "exit codes: 0"):
        assert name in shown


# The prefix form: im2rec PREFIX ROOT --list ..., im2rec PREFIX ROOT ...


def make_tree(root: Path) -> None:
    for name in ("b/0.JPG", "a/deep/0.png", "a/x.jpeg", "top.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def test_a_recursive_list_is_made_and_its_labels_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_tree(tmp_path / "root")
    words = ["--list", "--recursive", "--no-shuffle"]

    code = main([str(tmp_path / "x"), str(tmp_path / "root"), *words])

    shown = capsys.readouterr().out
    assert code == 0
    assert shown.splitlines() == [
        *(". 0", "a 1", "a/deep 2", "b 3"),
        f"4 images in {tmp_path}/x.lst",
    ]
    assert (tmp_path / "x.lst").read_text().startswith("0\t0.000000\ttop.jpg\n")


@pytest.mark.parametrize(
    "words",
    [
        ["--list", "--recursive", "PREFIX", "ROOT", "--exts", ".jpg", "png"],
        [
            "--list",
            "1",
            "--recursive",
            "True",
            "PREFIX",
            "ROOT",
            "--exts",
            ".jpg",
            ".PNG",
        ],
        ["PREFIX", "ROOT", "--list=true", "--exts=.jpg", "--recursive=1"],
        [
            "PREFIX",
            "ROOT",
            "--list",
            "--train_ratio",
            "1.0",
            "--recursive",
            "--chunks=1",
        ],
        [
            "PREFIX",
            "ROOT",
            "--list",
            "--shuffle",
            "False",
            "--recursive",
            "--no_shuffle",
        ],
    ],
)
def test_the_spellings_of_old_scripts_are_understood(
    tmp_path: Path, words: list[str]
) -> None:
    make_tree(tmp_path / "root")
    places = {"PREFIX": str(tmp_path / "x"), "ROOT": str(tmp_path / "root")}

    code = main([places.get(word, word) for word in words])

    lines = (tmp_path / "x.lst").read_text().splitlines()
    assert code == 0
    assert any(line.endswith("b/0.JPG") for line in lines)
    assert any(line.endswith("x.jpeg") for line in lines) == (
        "--exts" not in str(words)
    )


def test_a_root_without_images_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "x"), str(tmp_path), "--list"]) == 4
    assert "recursive looks into its folders" in capsys.readouterr().err

    assert main([str(tmp_path / "x"), str(tmp_path / "none"), "--list"]) == 4
    assert "none" in capsys.readouterr().err


def test_every_list_with_the_prefix_is_packed(tmp_path: Path) -> None:
    data = write_image(tmp_path / "root" / "a.jpg")
    for name in ("x_train.lst", "x_val.lst", "other.lst"):
        write_list(tmp_path, "4\t2.000000\ta.jpg", name=name)
    words = [
        str(tmp_path / "x"),
        str(tmp_path / "root"),
        "--pass-through",
        "--num_thread=2",
    ]

    code = main(words)

    expected = record(struct.pack("<IfQQ", 0, 2, 4, 0) + data)
    assert code == 0
    assert (tmp_path / "x_train.rec").read_bytes() == expected
    assert (tmp_path / "x_val.rec").read_bytes() == expected
    assert (tmp_path / "x_val.idx").read_text() == "4\t0\n"
    assert not (tmp_path / "other.rec").exists()


def test_a_list_beside_a_folder_of_its_name_is_found(tmp_path: Path) -> None:
    """It said that there was none, and that --list makes one, which it had."""
    write_image(tmp_path / "photos/a.jpg")
    words = [str(tmp_path / "photos"), str(tmp_path / "photos")]

    assert (main([*words, "--list"]), main(words)) == (0, 0)

    assert len(pairs(tmp_path / "photos.rec")) == 1


def test_a_prefix_without_list_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([str(tmp_path / "x"), str(tmp_path)])

    assert code == 4
    assert "--list makes one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "head"),
    [
        ([], struct.pack("<IfQQ", 0, 1.5, 3, 0)),
        (["--pack-label"], struct.pack("<IfQQff", 2, 0, 3, 0, 1.5, 2)),
    ],
)
def test_labels_of_the_prefix_form(
    tmp_path: Path, words: list[str], head: bytes
) -> None:
    data = write_image(tmp_path / "a b.jpg")
    write_list(tmp_path, "3\t1.5\t2\ta b.jpg")

    code = main([str(tmp_path / "image"), str(tmp_path), "--pass-through", *words])

    assert code == 0
    assert (tmp_path / "image.rec").read_bytes() == record(head + data)


def test_the_prefix_form_crops_without_resizing_too(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", photo(40, 57))
    write_list(tmp_path, "0\t0\ta.png")
    words = ["--center-crop", "--encoding", ".png", "--quality", "3", "--color", "-1"]

    assert main([str(tmp_path / "image"), str(tmp_path), *words]) == 0

    [(_, data)] = pairs(tmp_path / "image.rec")
    assert np.array_equal(decoded(data), photo(40, 57)[:, 8:48])


# Both forms


@pytest.mark.parametrize("form", ["list", "prefix"])
def test_what_was_noticed_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, "0\t0\ta.jpg", "0\t16777217\ta.jpg", "1\t0\tmissing.jpg")
    words = {
        "list": [str(lst), str(tmp_path), str(tmp_path / "image.rec")],
        "prefix": [str(tmp_path / "image"), str(tmp_path)],
    }

    code = main(words[form])

    errors = capsys.readouterr().err.splitlines()
    assert code == 0
    for error, text in zip(
        errors,
        (
            "image.lst:3: ",
            "image.lst: 1 lines repeat an id",
            "image.lst: 1 lines have labels that float32 rounds",
            "image.lst: 1 bad lines or images were skipped",
        ),
        strict=True,
    ):
        assert text in error


def test_on_error_fail_is_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, "0\t0\ta.jpg", "1\t0\tmissing.jpg")
    words = [str(lst), str(tmp_path), str(tmp_path / "o.rec"), "--on-error", "fail"]

    code = main(words)

    assert code == 1
    assert "image.lst:2: " in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["a.jpg", "image.lst"]


@pytest.mark.parametrize("place", ["list", "output"])
def test_a_missing_list_or_folder_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    lst = tmp_path / "none.lst" if place == "list" else write_list(tmp_path, "0\t0\ta")
    out = tmp_path / "none" / "o.rec"

    code = main([str(lst), str(tmp_path), str(out)])

    assert code == 4
    assert str(lst if place == "list" else out) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, 130)]
)
def test_a_signal_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, *(f"{place}\t0\ta.jpg" for place in range(200)))

    sent: list[int] = []

    class Interrupted(EntryReader):
        def read(self, line: Line) -> Entry:
            if line.number == 20 and not sent:
                sent.append(number)
                os.kill(os.getpid(), number)
            return super().read(line)

    monkeypatch.setattr(_packing, "EntryReader", Interrupted)
    try:
        ended = main([str(lst), str(tmp_path), str(tmp_path / "o.rec")])
    except SystemExit as exit:
        ended = int(exit.code or 0)

    assert ended == code
    assert sorted(os.listdir(tmp_path)) == ["a.jpg", "image.lst"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_it_runs_in_any_thread(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg")

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(main, [str(tmp_path / "x"), str(tmp_path), "--list"])

    assert done.result() == 0
    assert (tmp_path / "x.lst").exists()


def test_quiet_shows_problems_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, "0\t0\ta.jpg")
    monkeypatch.setattr(_pace, "_SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    main([str(lst), str(tmp_path), str(tmp_path / "o.rec"), "--quiet"])
    main([str(tmp_path / "y"), str(tmp_path), "--list", "--quiet", "--recursive"])

    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")


@pytest.mark.parametrize("how", [["tools/im2rec.py"], ["-m", "mxio.im2rec"]])
def test_the_tool_runs_as_a_program(tmp_path: Path, how: list[str]) -> None:
    write_image(tmp_path / "a.jpg")
    words = [str(tmp_path / "x"), str(tmp_path), "--list"]

    done = subprocess.run(
        [sys.executable, *how, *words], cwd=ROOT, capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "x.lst").read_text() == "0\t0.000000\ta.jpg\n"
