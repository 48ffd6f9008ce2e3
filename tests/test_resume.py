"""Packing that was interrupted, and then goes on."""

import errno
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mxio import _packing
from mxio._entries import Entry, EntryReader
from mxio._lists import Line
from mxio._packing import PackReport, pack_list
from mxio.errors import DataError, ParameterError
from mxio.im2rec import main
from tests.im2rec_files import photo, write_image, write_list
from tests.small_disk import small_disk

COUNT = 30


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A list of 30 images in a folder; the 4th and 17th are bad."""
    root = tmp_path / "root"
    for number in range(COUNT):
        write_image(root / f"{number}.jpg", photo(20 + number, 60 - number))
    (root / "3.jpg").write_bytes(b"bad")
    (root / "16.jpg").write_bytes(b"")
    lines = (f"{number}\t{number % 3}\t{number}.jpg" for number in range(COUNT))
    return write_list(tmp_path, *lines)


@pytest.fixture
def interrupted_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A function that lets packing end at the line of a number, 0 for never."""
    monkeypatch.setattr(_packing, "_SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr(_packing, "_CHECKPOINT_SHARE", 1e9)

    def interrupt(number: int) -> None:
        class Interrupted(EntryReader):
            def read(self, line: Line) -> Entry:
                if line.number == number:
                    raise KeyboardInterrupt
                return super().read(line)

        monkeypatch.setattr(_packing, "EntryReader", Interrupted)

    return interrupt


def pack(lst: Path, output: Path, **settings: Any) -> PackReport:
    return pack_list(lst, lst.parent / "root", output, num_thread=2, **settings)


@pytest.mark.parametrize("number", [1, 9, 12, 20, 30])
def test_an_interrupted_run_goes_on_and_ends_with_the_same_bytes(
    tmp_path: Path, images: Path, interrupted_at: Callable[[int], None], number: int
) -> None:
    pack(images, tmp_path / "whole.rec", resize=16, report=tmp_path / "whole.bad")
    out = tmp_path / "o.rec"
    settings = {"resize": 16, "report": tmp_path / "o.bad"}
    interrupted_at(number)
    with pytest.raises(KeyboardInterrupt):
        pack(images, out, **settings)
    assert not out.exists()
    done = max(0, number - 8)  # 2 threads look 8 lines ahead
    for place in range(done):
        (tmp_path / "root" / f"{place}.jpg").unlink()  # not to be packed again

    interrupted_at(0)
    report = pack(images, out, resume=True, **settings)

    assert (report.packed, report.skipped) == (28, 2)
    assert report.resumed == done
    for suffix in ("rec", "idx", "bad"):
        made = (tmp_path / f"o.{suffix}").read_bytes()
        assert made == (tmp_path / f"whole.{suffix}").read_bytes()
    left = {name for name in os.listdir(tmp_path) if name.startswith("o.")}
    assert left == {"o.rec", "o.idx", "o.bad", "o.done.json"}


def test_a_finished_run_is_not_repeated(tmp_path: Path, images: Path) -> None:
    out = tmp_path / "o.rec"
    first = pack(images, out, resume=True)
    for path in (tmp_path / "root").iterdir():
        path.unlink()

    again = pack(images, out, resume=True)

    assert (first.resumed, again.resumed) == (0, COUNT)
    assert (again.packed, again.skipped) == (28, 2)


@pytest.mark.parametrize("missing", ["o.rec", "o.idx", "o.done.json"])
def test_a_finished_run_without_one_of_its_files_is_repeated(
    tmp_path: Path, images: Path, missing: str
) -> None:
    out = tmp_path / "o.rec"
    pack(images, out, resume=True)
    expected = out.read_bytes()
    (tmp_path / missing).unlink()

    again = pack(images, out, resume=True)

    assert again.resumed == 0
    assert out.read_bytes() == expected
    assert (tmp_path / missing).exists()


@pytest.mark.parametrize("change", ["list", "options", "root"])
def test_other_work_is_not_gone_on_with(
    tmp_path: Path, images: Path, interrupted_at: Callable[[int], None], change: str
) -> None:
    out = tmp_path / "o.rec"
    interrupted_at(20)
    with pytest.raises(KeyboardInterrupt):
        pack(images, out)
    interrupted_at(0)
    resize, root = 0, tmp_path / "root"
    if change == "list":
        write_list(tmp_path, "0\t0\t0.jpg")
    elif change == "options":
        resize = 20
    else:
        root = tmp_path

    with pytest.raises(ParameterError, match=r"o\.rec: the interrupted run had"):
        pack_list(images, root, out, resume=True, resize=resize)

    assert (tmp_path / "o.rec.partial").stat().st_size > 0


def test_a_finished_file_with_other_options_is_not_taken_for_this_one(
    tmp_path: Path, images: Path
) -> None:
    out = tmp_path / "o.rec"
    pack(images, out, resume=True)

    with pytest.raises(ParameterError, match=r"o\.rec is of another list, or was"):
        pack(images, out, resume=True, quality=50)


def test_a_new_run_removes_the_done_record_of_the_old_file(
    tmp_path: Path, images: Path
) -> None:
    out = tmp_path / "o.rec"
    pack(images, out, done_record=True)
    assert json.loads((tmp_path / "o.done.json").read_text())["records"] == 28

    pack(images, out)

    assert not (tmp_path / "o.done.json").exists()


def test_a_run_begun_anew_is_gone_on_with_though_an_old_file_was_whole(
    tmp_path: Path, images: Path, interrupted_at: Callable[[int], None]
) -> None:
    """The old file's done-record made --resume leave the old file there."""
    out = tmp_path / "o.rec"
    pack(images, out, done_record=True)
    write_image(tmp_path / "root" / "1.jpg", photo(8, 9))
    interrupted_at(20)
    with pytest.raises(KeyboardInterrupt):
        pack(images, out)

    interrupted_at(0)
    report = pack(images, out, resume=True)

    assert report.resumed == 12
    pack(images, tmp_path / "whole.rec")
    assert out.read_bytes() == (tmp_path / "whole.rec").read_bytes()
    left = {name for name in os.listdir(tmp_path) if name.startswith("o.")}
    assert left == {"o.rec", "o.idx", "o.done.json"}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"bytes": SIZE}'])
def test_a_broken_done_record_is_named(tmp_path: Path, images: Path, text: str) -> None:
    out = tmp_path / "o.rec"
    pack(images, out, resume=True)
    size = str(out.stat().st_size)
    (tmp_path / "o.done.json").write_text(text.replace("SIZE", size))

    with pytest.raises(DataError, match=r"o\.done\.json: no done-record of im2rec"):
        pack(images, out, resume=True)


def test_starting_anew_says_that_work_is_dropped(
    tmp_path: Path,
    images: Path,
    interrupted_at: Callable[[int], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupted_at(20)
    with pytest.raises(KeyboardInterrupt):
        pack(images, tmp_path / "o.rec")
    interrupted_at(0)

    report = pack(images, tmp_path / "o.rec")

    assert report.resumed == 0
    assert (
        "o.rec: starting anew; --resume would have gone on" in capsys.readouterr().err
    )


def test_a_disk_that_fills_up_keeps_what_was_whole(
    tmp_path: Path,
    images: Path,
    interrupted_at: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pack(images, tmp_path / "whole.rec")
    interrupted_at(0)  # a checkpoint after every line
    write, room = os.write, [20000]

    def small(descriptor: int, data: memoryview) -> int:
        room[0] -= len(data)
        if room[0] < 0 and len(data) > 500:
            write(descriptor, data[:100])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", small)
        with pytest.raises(OSError, match=r"No space left on device.*o\.rec"):
            pack(images, tmp_path / "o.rec")
    assert not (tmp_path / "o.rec").exists()

    report = pack(images, tmp_path / "o.rec", resume=True)

    assert report.resumed > 0
    whole = (tmp_path / "whole.rec").read_bytes()
    assert (tmp_path / "o.rec").read_bytes() == whole


def test_a_full_disk_is_told_and_can_be_gone_on_with(
    tmp_path: Path,
    images: Path,
    interrupted_at: Callable[[int], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    pack(images, tmp_path / "whole.rec")
    size = (tmp_path / "whole.rec").stat().st_size
    interrupted_at(0)  # a checkpoint after every line
    with small_disk(tmp_path, size // 2) as disk:
        words = [str(images), str(tmp_path / "root"), str(disk / "o.rec")]

        full = main(words)
        told = capsys.readouterr().err
        left = set(os.listdir(disk))
        grow = ["mount", "-o", f"remount,size={4 * size}", str(disk)]
        subprocess.run(grow, check=True)
        code = main([*words, "--resume"])

        assert (full, code) == (4, 0)
        assert f"im2rec: {disk}/o.rec: No space left on device" in told
        assert left == {"o.rec.partial", "o.idx.partial", "o.rec.journal"}
        whole = (tmp_path / "whole.rec").read_bytes()
        assert (disk / "o.rec").read_bytes() == whole


def test_a_full_disk_without_a_checkpoint_is_empty_again(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_disk(tmp_path, 8192) as disk:
        code = main([str(images), str(tmp_path / "root"), str(disk / "o.rec")])

        assert code == 4
        assert "No space left on device" in capsys.readouterr().err
        assert os.listdir(disk) == []


def test_a_read_only_disk_is_told(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_disk(tmp_path, 8192, "ro") as disk:
        code = main([str(images), str(tmp_path / "root"), str(disk / "o.rec")])

    assert code == 4
    assert f"im2rec: {disk}/o.rec: Read-only file system" in capsys.readouterr().err


def test_the_report_has_line_path_and_reason(tmp_path: Path) -> None:
    write_image(tmp_path / "good.jpg")
    (tmp_path / "a  b.jpg").write_bytes(b"")
    lst = write_list(tmp_path, "0\t0\tgood.jpg", "", "1\t0\ta  b.jpg", "x\t0\tgood.jpg")

    report = pack_list(lst, tmp_path, report=tmp_path / "bad.tsv")

    assert report.skipped == 2
    lines = (tmp_path / "bad.tsv").read_text().splitlines()
    assert [line.split("\t") for line in lines] == [
        ["3", f"{tmp_path}/a  b.jpg", "the file is empty"],
        ["4", "", "id and label must be numbers, got ['x', '0']"],
    ]


def test_the_command_resumes_and_reports(
    tmp_path: Path,
    images: Path,
    interrupted_at: Callable[[int], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [str(images), str(tmp_path / "root"), str(tmp_path / "o.rec")]
    words += ["--num-thread=2", "--report", str(tmp_path / "bad.tsv")]
    interrupted_at(20)

    stopped = main(words)
    told = capsys.readouterr().err
    interrupted_at(0)
    code = main([*words, "--resume"])

    assert (stopped, code) == (130, 0)
    assert "interrupted; the same command with --resume goes on" in told
    assert "28 images (12 lines were done before)" in capsys.readouterr().out
    assert len((tmp_path / "bad.tsv").read_text().splitlines()) == 2


def test_several_lists_are_resumed_without_repeating_whole_ones(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images.rename(tmp_path / "x_1.lst")
    write_list(tmp_path, "0\t0\t0.jpg", name="x_2.lst")
    words = [str(tmp_path / "x"), str(tmp_path / "root")]
    assert main(words) == 0
    (tmp_path / "x_2.rec").unlink()

    code = main([*words, "--resume"])

    shown = capsys.readouterr().out.splitlines()
    assert code == 0
    assert "x_1.rec: 28 images (30 lines were done before)" in shown[-2]
    assert "x_2.rec: 1 images in" in shown[-1]
    assert main([*words, "--report", "r"]) == 2
    assert "--report is for one list, there are 2" in capsys.readouterr().err
