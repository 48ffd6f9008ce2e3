"""No tool replaces what it reads, nor one of its outputs by another."""

from pathlib import Path

import numpy as np
import pytest

from mxio import cli, im2rec, rec2idx
from tests.conftest import encoded, picture, record, write_rec
from tests.data_sets import idx_images, idx_labels


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """data.rec and its index, other.idx, a list and its images, two shards."""
    monkeypatch.chdir(tmp_path)
    images = [encoded(picture(seed, 12, 16), ".jpg") for seed in range(4)]
    write_rec(tmp_path, [record(image, 0.0, 7 + n) for n, image in enumerate(images)])
    (tmp_path / "other.idx").write_bytes((tmp_path / "data.idx").read_bytes())
    for number, image in enumerate(images):
        (tmp_path / f"{number}.jpg").write_bytes(image)
    (tmp_path / "list.lst").write_text(
        "".join(f"{number}\t0\t{number}.jpg\n" for number in range(4))
    )
    assert im2rec.main(["list", ".", "--shards", "2", "--quiet"]) == 0
    for name, content in (
        ("images-idx3-ubyte", idx_images(np.zeros((2, 4, 4), np.uint8))),
        ("labels-idx1-ubyte", idx_labels(np.zeros(2, np.uint8))),
    ):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "names").write_text("zero\n")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


_SHARDS = ["list-00000-of-00002.rec", "list-00001-of-00002.rec"]


@pytest.mark.parametrize(
    "words",
    [
        # It wrote the index under the name of the records.
        "index data.rec data.rec",
        # These wrote the index of the output under the name of that of the input.
        "shuffle data.rec data.mixed",
        "subset data.rec data.some --slice 0:2",
        "subset data.rec other.rec --slice 0:2 --index other.idx",
        "split data.rec data --counts a=1",
        "repack data.rec data.fast",
        "repair data.rec data.fixed",
        "convert data.rec data.two --to rec",
        # These wrote one of their outputs over the other.
        "convert data.rec out.idx --to rec",
        # It replaced a file that the manifest stands for, or that of the labels.
        f"convert list.mxio.json {_SHARDS[1]}",
        "convert images-idx3-ubyte labels-idx1-ubyte --to rec",
        "subset data.rec ./out.idx --slice 0:2",
        # These wrote something else over the index of what they show.
        "view data.rec --out data.idx",
        "view data.rec --out data.rec",
        "card data.rec --seconds 0 --out data.idx",
        "card data.rec --seconds 0 --out data.rec",
        # They replaced the manifest, or a file beside that they had read.
        "view list.mxio.json --out list.mxio.json",
        "view data.rec --classes names --out names",
        "view data.rec --path-imglist list.lst --out list.lst",
        "card list.mxio.json --seconds 0 --out list.mxio.json",
        "card data.rec --seconds 0 --classes names --out names",
        # It joined the shards into one of them, which then was no shard any more.
        f"merge {_SHARDS[0]} {_SHARDS[0]} {_SHARDS[1]}",
        f"merge list-00001-of-00002.out {_SHARDS[0]} {_SHARDS[1]}",
        # It ended in a traceback.
        "merge list.idx",
    ],
)
def test_an_output_never_replaces_what_is_read_or_another_output(
    folder: Path, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if words.startswith("split"):  # its parts are called data_a
        for suffix in (".rec", ".idx"):
            (folder / f"data{suffix}").rename(folder / f"data_a{suffix}")
        words = words.replace("data.rec", "data_a.rec")
    before = contents(folder)

    assert cli.main(words.split()) == 2
    assert "would replace a file that is" in capsys.readouterr().err
    assert contents(folder) == before


@pytest.mark.parametrize(
    "words",
    [
        # The bad lines stood where the records or the index should have.
        "list . --report list.rec",
        "list . --report list.idx",
        "list . --report list.lst",
        "list.lst . out.rec --report ./out.rec",
        "list.lst . out.idx",
        "list.lst . list.lst",
        "list.lst . out.idx --shards 2",
        "list . --shards 2 --report list.lst",
    ],
)
def test_im2rec_never_writes_two_things_to_one_file(
    folder: Path, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(folder)

    assert im2rec.main(words.split()) == 2
    assert "would replace a file that is" in capsys.readouterr().err
    assert contents(folder) == before


def test_rec2idx_never_replaces_the_records(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(folder)

    assert rec2idx.main(["data.rec", "data.rec"]) == 2
    assert "would replace a file that is read" in capsys.readouterr().err
    assert contents(folder) == before


def test_repair_in_place_replaces_file_and_index(folder: Path) -> None:
    whole = (folder / "data.rec").read_bytes()
    with open(folder / "data.rec", "ab") as file:
        file.write(b"garbage!")

    assert cli.main(["repair", "data.rec", "--in-place"]) == 0
    assert (folder / "data.rec").read_bytes() == whole
