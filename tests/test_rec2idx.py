"""Indexes for files that have none."""

import shutil
from pathlib import Path

import pytest

from mxio import rec2idx

FILES = Path(__file__).parent / "golden/files"


@pytest.mark.parametrize("name", ["many57", "imgmagic5", "tiny10"])
def test_the_offsets_are_those_that_mxnet_wrote(tmp_path: Path, name: str) -> None:
    stored = (FILES / f"{name}.idx").read_text().splitlines()
    wanted = sorted(int(line.split()[1]) for line in stored)
    index = tmp_path / "made.idx"

    code = rec2idx.main([str(FILES / f"{name}.rec"), str(index)])

    lines = [line.split("\t") for line in index.read_text().splitlines()]
    assert code == 0
    assert lines == [[str(i), str(offset)] for i, offset in enumerate(wanted)]


def test_a_damaged_file_gets_no_index(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rec = tmp_path / "cut.rec"
    shutil.copy(FILES / "tiny10.rec", rec)
    rec.write_bytes(rec.read_bytes()[:-20])

    code = rec2idx.main([str(rec), str(tmp_path / "cut.idx")])

    assert code == 1
    assert "cut.rec" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["cut.rec"]
