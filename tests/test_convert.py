"""mxio.convert: RecordIO, folders, WebDataset tars, MNIST and CIFAR."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import signal
import struct
import subprocess
import sys
import tarfile
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mxio
from mxio.cli import main
from mxio.errors import DataError, MxioError, ParameterError
from mxio.recordio import IRHeader, MXIndexedRecordIO, MXRecordIO, pack, unpack
from tests.conftest import DataSet, encoded, picture, record, write_rec
from tests.data_sets import cifar_rows, idx_images, idx_labels, tar_of


def records_of(rec: Path) -> list[tuple[list[float], int, bytes]]:
    """(labels, id, picture) of every record."""
    found = []
    with MXRecordIO(rec, "r") as reader:
        while (payload := reader.read()) is not None:
            header, data = unpack(payload)
            found.append((np.atleast_1d(header.label).tolist(), header.id, data))
    return found


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """A folder with two cats, a dog and a bird, of three formats."""
    root = tmp_path / "zoo"
    for number, name in enumerate(
        ["cat/b.png", "cat/a.jpg", "dog/x.webp", "a bird/y.jpg"]
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(picture(number, 20, 30), path.suffix))
    (root / "cat" / "notes.txt").write_text("no picture")
    return root


# Folders.


def test_a_folder_becomes_records_with_its_sorted_folders_as_classes(
    tmp_path: Path, zoo: Path
) -> None:
    report = mxio.convert(zoo, tmp_path / "zoo.rec")

    names = ["a bird/y.jpg", "cat/a.jpg", "cat/b.png", "dog/x.webp"]
    assert records_of(tmp_path / "zoo.rec") == [
        ([label], id, (zoo / name).read_bytes())
        for id, (label, name) in enumerate(zip([0, 1, 1, 2], names, strict=True))
    ]
    assert (tmp_path / "zoo.classes.txt").read_text() == "a bird\ncat\ndog\n"
    assert report.classes == ["a bird", "cat", "dog"]
    assert report.samples == 4
    index = MXIndexedRecordIO(tmp_path / "zoo.idx", tmp_path / "zoo.rec", "r")
    assert unpack(index.read_idx(3))[0].id == 3


def test_records_become_a_folder_that_im2rec_can_list(
    tmp_path: Path, colours: DataSet
) -> None:
    (tmp_path / "names").write_text("".join(f"kind {i}\n" for i in range(7)))

    mxio.convert(colours.rec, tmp_path / "out", classes=tmp_path / "names")

    lines = (tmp_path / "out/images.lst").read_text().splitlines()
    assert lines[3] == "103\t3.000000\tkind 3/00000003.png"
    for number, line in enumerate(lines):
        path = tmp_path / "out" / line.split("\t")[2]
        np.testing.assert_array_equal(
            pixels_of(path.read_bytes()), colours.pixels[number]
        )
    assert (tmp_path / "out/classes.txt").read_text().splitlines()[6] == "kind 6"
    assert not list(tmp_path.glob("out.*"))


def test_records_to_a_folder_and_back_are_the_same_bytes(tmp_path: Path) -> None:
    labels = [[1.0], [0.5], [3.0, -1.25, 1e30], [float(2**24)], [-2.0]]
    ids = [5, 2**64 - 1, 0, 5, 7]
    payloads = [
        record(
            encoded(picture(number, 9, 8), suffix),
            label if len(label) > 1 else label[0],
            id,
        )
        for number, (label, id, suffix) in enumerate(
            zip(labels, ids, [".jpg", ".png", ".webp", ".bmp", ".tiff"], strict=True)
        )
    ]
    rec, _, _ = write_rec(tmp_path, payloads)

    mxio.convert(rec, tmp_path / "folder")
    mxio.convert(tmp_path / "folder", tmp_path / "again.rec")

    assert (tmp_path / "again.rec").read_bytes() == rec.read_bytes()


def test_no_folder_of_another_is_removed(tmp_path: Path, zoo: Path) -> None:
    """It took any folder OUT.part for what a killed run had left, even its source."""
    source = zoo.rename(tmp_path / "out.part")

    report = mxio.convert(source, tmp_path / "out")

    assert report.samples == 4
    assert sorted(os.listdir(source)) == ["a bird", "cat", "dog"]


def test_what_a_killed_run_left_of_a_folder_is_removed(
    tmp_path: Path, colours: DataSet
) -> None:
    left = tmp_path / f"out.{2**22 + 1}-0123abcd.tmp"  # no process has that number
    (left / "0").mkdir(parents=True)
    (left / "0/00000000.png").write_bytes(b"")

    mxio.convert(colours.rec, tmp_path / "out")

    assert os.listdir(tmp_path) == ["out"]


def test_a_link_to_an_empty_folder_has_it_filled(
    tmp_path: Path, colours: DataSet
) -> None:
    """All was written, and then the name could not be given."""
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")

    mxio.convert(colours.rec, tmp_path / "out")

    assert (tmp_path / "real/images.lst").exists()


def test_classes_of_any_folders_can_be_read_again(tmp_path: Path) -> None:
    """Names that are no text, empty, equal when written, or the root's, made a file of
    classes that every command refused.
    """
    root = tmp_path / "root"
    image = encoded(picture(1, 8, 8), ".jpg")
    folders = [b".", b" ", b"a/b", b"a_b", b"c\nd", b"\xfe", b"\xff", b"t\tu"]
    for folder in folders:
        place = root / os.fsdecode(folder)
        place.mkdir(parents=True, exist_ok=True)
        (place / "x.jpg").write_bytes(image)

    report = mxio.convert(root, tmp_path / "out.rec")
    mxio.convert(tmp_path / "out.rec", tmp_path / "again")
    again = mxio.convert(tmp_path / "again", tmp_path / "again.rec")

    names = ["pictures_", "pictures", "a/b", "a_b_", "c\ufffdd", "t\tu"]
    assert sorted(report.classes) == sorted([*names, "\ufffd", "\ufffd_"])
    assert again.classes == report.classes
    assert (tmp_path / "out.rec").read_bytes() == (tmp_path / "again.rec").read_bytes()


def test_a_folder_is_taken_whole_whatever_its_files_are_called(tmp_path: Path) -> None:
    """Names that a list cannot hold were left out, though no list is made."""
    root = tmp_path / "root"
    root.mkdir()
    for name in ("a\tb.jpg", "c\nd.jpg", " e.jpg"):
        (root / name).write_bytes(encoded(picture(1, 8, 8), ".jpg"))

    assert mxio.convert(root, tmp_path / "out.rec").samples == 3


def test_a_folder_that_is_there_stays(tmp_path: Path, colours: DataSet) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("mine")

    with pytest.raises(FileExistsError) as caught:
        mxio.convert(colours.rec, tmp_path / "out")

    assert caught.value.filename == str(tmp_path / "out")
    assert os.listdir(tmp_path / "out") == ["mine"]
    assert sorted(os.listdir(tmp_path)) == ["out"]


def test_an_empty_folder_is_filled(tmp_path: Path, colours: DataSet) -> None:
    (tmp_path / "out").mkdir()

    mxio.convert(colours.rec, tmp_path / "out")

    assert len(list((tmp_path / "out").glob("*/*.png"))) == 7


def test_a_label_without_a_name_is_told(tmp_path: Path, colours: DataSet) -> None:
    (tmp_path / "names").write_text("only\ntwo\n")

    with pytest.raises(
        DataError, match="record 2 has the label 2, and there are names"
    ):
        mxio.convert(colours.rec, tmp_path / "out", classes=tmp_path / "names")

    assert sorted(os.listdir(tmp_path)) == ["names"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no names of classes are in it"),
        ("a\n\nb\n", ":2: '' is no name"),
        ("a\n..\n", ":2: '..' is no name"),
        ("a\nb\na\n", ":3: 'a' is there already, in line 1"),
        ("a/b\na_b\n", ":2: 'a_b' is there already, in line 1"),
        ("a\0b\n", ":1: .* is no name"),
    ],
)
def test_a_bad_file_of_names_is_told(
    tmp_path: Path, colours: DataSet, text: str, said: str
) -> None:
    (tmp_path / "names").write_text(text)

    with pytest.raises(ParameterError, match=said):
        mxio.convert(colours.rec, tmp_path / "out", classes=tmp_path / "names")


@pytest.mark.parametrize(
    "name", ["../secret.png", "/etc/hostname", "a/../../secret.png"]
)
def test_a_list_cannot_lead_out_of_its_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(encoded(picture(1, 4, 4)))
    (folder / "images.lst").write_text(f"0\t1\t{name}\n")

    with pytest.raises(DataError, match=r"images\.lst:1: .* leads out of"):
        mxio.convert(folder, tmp_path / "out.rec")

    assert not (tmp_path / "out.rec").exists()


@pytest.mark.parametrize(
    "line",
    ["x\t1\ta.png", "0\ta.png", "0\tone\ta.png", "-1\t0\tb", "0", "0\t1\ta\0b"],
)
def test_a_bad_line_of_a_list_is_told(tmp_path: Path, line: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/images.lst").write_text(f"{line}\n")

    with pytest.raises(DataError, match=r"images\.lst:1: a line is id, label"):
        mxio.convert(tmp_path / "folder", tmp_path / "out.rec")


def test_a_class_called_like_a_path_becomes_one_folder(
    tmp_path: Path, colours: DataSet
) -> None:
    (tmp_path / "names").write_text("\n".join(["T-shirt/top", *"abcdef"]))

    mxio.convert(colours.rec, tmp_path / "out", classes=tmp_path / "names")

    assert (tmp_path / "out/T-shirt_top/00000000.png").exists()


# WebDataset.


def test_records_become_a_tar_as_webdataset_has_them(
    tmp_path: Path, colours: DataSet
) -> None:
    mxio.convert(colours.rec, tmp_path / "out.tar")

    with tarfile.open(tmp_path / "out.tar") as tar:
        names = tar.getnames()
        picture_file = tar.extractfile("00000002.png")
        label_file = tar.extractfile("00000002.cls")
        assert picture_file is not None and label_file is not None
        np.testing.assert_array_equal(pixels_of(picture_file.read()), colours.pixels[2])
        assert label_file.read() == b"2"
    assert names[:4] == ["00000000.png", "00000000.cls", "00000001.png", "00000001.cls"]
    assert len(names) == 14


def test_several_labels_go_into_json_and_come_back(tmp_path: Path) -> None:
    labels = [[0.5, 2.0], [1e-3, -7.0]]
    payloads = [record(encoded(picture(1, 4, 4)), label, 9) for label in labels]
    rec, _, _ = write_rec(tmp_path, payloads)

    mxio.convert(rec, tmp_path / "out.tar")
    mxio.convert(tmp_path / "out.tar", tmp_path / "back.rec")

    with tarfile.open(tmp_path / "out.tar") as tar:
        file = tar.extractfile("00000001.json")
        assert file is not None
        assert json.load(file)["label"] == np.array(labels[1], np.float32).tolist()
    assert [found[0] for found in records_of(tmp_path / "back.rec")] == [
        np.array(label, np.float32).tolist() for label in labels
    ]


@pytest.mark.parametrize("packed", [False, True])
def test_tars_of_others_are_read(tmp_path: Path, packed: bool) -> None:
    jpg, png = encoded(picture(1, 8, 9), ".jpg"), encoded(picture(2, 8, 9))
    long = "n" * 180
    files = {
        "./train/0001.seg.png.txt": b"not a picture",
        "./train/0002.jpg": jpg,
        "./train/0002.cls": b" 17\n",
        "./train/0002.txt": b"a caption",
        "other/0002.cls": b"3",
        "other/0002.PNG": png,
        f"{long}.json": b'{"label": [1, 2.5], "more": {}}',
        f"{long}.jpeg": jpg,
        "plain.json": b"4",
        "plain.jpg": jpg,
        "alone.cls": b"5",
        "mac/._a.jpg": b"what macOS has to say of it",
        "mac/a.jpg": jpg,
        "mac/._a.cls": b"and of this",
        "mac/a.cls": b"6",
    }
    path = tmp_path / ("some.tar.gz" if packed else "some.tar")
    path.write_bytes(tar_of(files, packed))

    mxio.convert(path, tmp_path / "out.rec")

    assert records_of(tmp_path / "out.rec") == [
        ([17], 0, jpg),
        ([3], 1, png),
        ([1, 2.5], 2, jpg),
        ([4], 3, jpg),
        ([6], 4, jpg),
    ]


def test_several_tars_become_one(tmp_path: Path) -> None:
    jpg = encoded(picture(1, 8, 9), ".jpg")
    for number in range(3):
        files = {"a.jpg": jpg, "a.cls": str(number).encode()}
        (tmp_path / f"{number}.tar").write_bytes(tar_of(files, False))

    mxio.convert([tmp_path / f"{i}.tar" for i in range(3)], tmp_path / "out.rec")

    assert [found[:2] for found in records_of(tmp_path / "out.rec")] == [
        ([0], 0),
        ([1], 1),
        ([2], 2),
    ]


JPG = encoded(picture(1, 8, 9), ".jpg")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.jpg": JPG}, "a has neither .cls nor .json"),
        ({"a.jpg": JPG, "a.cls": b"seven"}, r"a\.cls: no label is in 'seven'"),
        ({"a.jpg": JPG, "a.json": b"{}"}, r"a\.json: no label is in '{}'"),
        ({"a.jpg": JPG, "a.json": b"[]"}, "no label is in"),
        ({"a.jpg": JPG, "a.json": b"[" * 5000}, "no label is in"),
        ({"a.jpg": JPG, "a.png": JPG, "a.cls": b"1"}, "a: 2 pictures"),
        ({"a.cls": b"1"}, "the source has no sample"),
        ({"a.jpg": JPG, "a.json": bytes((1 << 20) + 1)}, "bytes, at most"),
        # These ended in tracebacks.
        ({"a.jpg": JPG, "a.json": b"9" * 400}, "no label is in"),
        ({"a.jpg": JPG, "a.cls": b"1e39"}, "label 1e[+]39.* do not fit"),
        # The second took the place of the first.
        ({"a.jpg": JPG, "a.JPG": JPG, "a.cls": b"1"}, "a.JPG is there twice"),
    ],
)
def test_a_tar_without_what_is_needed_is_told(
    tmp_path: Path, files: dict[str, bytes], said: str
) -> None:
    (tmp_path / "in.tar").write_bytes(tar_of(files, False))

    with pytest.raises(DataError, match=said):
        mxio.convert(tmp_path / "in.tar", tmp_path / "out.rec")

    assert sorted(os.listdir(tmp_path)) == ["in.tar"]


def test_a_size_far_beyond_the_tar_is_told_at_once(tmp_path: Path) -> None:
    """tarfile went through the missing bytes, 10 kB at a time, for hours."""
    head = tarfile.TarInfo("readme")
    head.size = 1 << 60
    (tmp_path / "in.tar").write_bytes(head.tobuf(tarfile.GNU_FORMAT) + bytes(1000))

    with pytest.raises(DataError, match="ends at byte 1512, in a file"):
        mxio.convert(tmp_path / "in.tar", tmp_path / "out.rec")


@pytest.mark.parametrize("packed", [False, True])
def test_a_tar_cut_anywhere_is_damage(tmp_path: Path, packed: bool) -> None:
    content = tar_of({"a.jpg": JPG, "a.cls": b"1"}, packed)
    whole = len(content) if packed else 512 + 512 * -(-len(JPG) // 512) + 1024
    path = tmp_path / "in.tar"

    for size in sorted({*range(0, whole, 97), *range(0, whole + 1, 512)} - {whole}):
        path.write_bytes(content[:size])
        with pytest.raises(DataError, match=r"in\.tar"):
            mxio.convert(path, tmp_path / "out.rec")

    assert sorted(os.listdir(tmp_path)) == ["in.tar"]


def test_a_tar_of_any_bytes_is_damage_or_read(tmp_path: Path) -> None:
    content = bytearray(tar_of({"a.jpg": JPG, "a.cls": b"1"}, False))
    chance = random.Random(4)
    path = tmp_path / "in.tar"

    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 6)):
            damaged[chance.randrange(512 + 512)] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            mxio.convert(path, tmp_path / "out.rec")
        except DataError as error:
            assert "in.tar" in str(error) or "no sample" in str(error)


def test_a_long_name_that_fills_memory_is_refused(tmp_path: Path) -> None:
    """A head that announces a name of 2 GB of zeros, packed small, was read whole."""
    head = tarfile.TarInfo("././@LongLink")
    head.type = tarfile.GNUTYPE_LONGNAME
    head.size = 1 << 31
    with gzip.open(tmp_path / "in.tar.gz", "wb", 1) as file:
        file.write(head.tobuf(tarfile.GNU_FORMAT))
        for _ in range(16):
            file.write(bytes(1 << 20))

    with pytest.raises(DataError, match="a head of more than"):
        mxio.convert(tmp_path / "in.tar.gz", tmp_path / "out.rec")


def test_a_label_that_json_has_no_word_for_is_told(tmp_path: Path) -> None:
    payload = pack(IRHeader(0, float("nan"), 1, 0), encoded(picture(1, 4, 4)))
    rec, _, _ = write_rec(tmp_path, [payload])

    with pytest.raises(DataError, match="record 0: the label"):
        mxio.convert(rec, tmp_path / "out.tar")

    assert not (tmp_path / "out.tar").exists()


# MNIST and CIFAR.


@pytest.mark.parametrize("packed", [False, True])
def test_mnist_keeps_every_pixel(tmp_path: Path, packed: bool) -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (600, 5, 7), np.uint8)
    labels = rng.integers(0, 10, 600, np.uint8)
    suffix = ".gz" if packed else ""
    made = gzip.compress if packed else bytes
    images = tmp_path / f"train-images-idx3-ubyte{suffix}"
    images.write_bytes(made(idx_images(pixels)))
    (tmp_path / f"train-labels-idx1-ubyte{suffix}").write_bytes(
        made(idx_labels(labels))
    )

    report = mxio.convert(images, tmp_path / "mnist.rec")

    found = records_of(tmp_path / "mnist.rec")
    assert report.samples == 600
    assert [(label, id) for label, id, _ in found] == [
        ([float(label)], id) for id, label in enumerate(labels)
    ]
    for (_, _, data), right in zip(found, pixels, strict=True):
        np.testing.assert_array_equal(pixels_of(data), right)


def test_mnist_with_too_few_labels_is_told(tmp_path: Path) -> None:
    images = tmp_path / "t10k-images-idx3-ubyte"
    images.write_bytes(idx_images(np.zeros((3, 2, 2), np.uint8)))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_labels(np.zeros(2, np.uint8)))

    with pytest.raises(DataError, match="2 labels for 3 images"):
        mxio.convert(images, tmp_path / "out.rec")


def test_mnist_that_claims_more_than_there_is_is_told(tmp_path: Path) -> None:
    images = tmp_path / "t10k-images-idx3-ubyte"
    claim = 2**32 - 1
    images.write_bytes(struct.pack(">4I", 2051, claim, claim, claim))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 2049, claim))

    with pytest.raises(DataError, match="byte 8: images of"):
        mxio.convert(images, tmp_path / "out.rec")


@pytest.mark.parametrize(
    ("kind", "heads", "head", "coarse"),
    [("cifar10", 1, 0, False), ("cifar100", 2, 1, False), ("cifar100", 2, 0, True)],
)
def test_cifar_keeps_every_pixel(
    tmp_path: Path, kind: str, heads: int, head: int, coarse: bool
) -> None:
    rows = cifar_rows(3, 300, heads)
    (tmp_path / "a.bin").write_bytes(rows[:257].tobytes())
    (tmp_path / "b.bin").write_bytes(rows[257:].tobytes())

    mxio.convert(
        [tmp_path / "a.bin", tmp_path / "b.bin"],
        tmp_path / "out.rec",
        source_kind=kind,
        coarse=coarse,
    )

    found = records_of(tmp_path / "out.rec")
    assert [label for label, _, _ in found] == [[float(row[head])] for row in rows]
    for (_, id, data), row in zip(found, rows, strict=True):
        planes = row[heads:].reshape(3, 32, 32)
        np.testing.assert_array_equal(pixels_of(data), planes.transpose(1, 2, 0))
        assert (rows[id] == row).all()


def test_cifar_as_jpeg_is_close(tmp_path: Path) -> None:
    smooth = picture(5, 32, 32)
    row = bytes([4]) + smooth.transpose(2, 0, 1).tobytes()
    (tmp_path / "a.bin").write_bytes(row)

    mxio.convert(
        tmp_path / "a.bin",
        tmp_path / "out.rec",
        source_kind="cifar10",
        encoding=".jpg",
        quality=100,
    )

    ((label, _, data),) = records_of(tmp_path / "out.rec")
    assert label == [4]
    assert data.startswith(b"\xff\xd8")
    assert np.abs(pixels_of(data).astype(int) - smooth).mean() < 6


@pytest.mark.parametrize("size", [0, 3072, 3074, 3073 * 2 + 1])
def test_a_cifar_file_of_an_odd_size_is_told(tmp_path: Path, size: int) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(size))

    with pytest.raises(DataError, match=f"{size} bytes are no whole pictures of 3073"):
        mxio.convert(tmp_path / "a.bin", tmp_path / "out.rec", source_kind="cifar10")


# Arguments and the command.


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source": []}, "source must name at least one file"),
        ({"source": "a.xyz"}, "a.xyz: its name does not tell the kind; source_kind"),
        ({"target": "b.xyz"}, "b.xyz: its name does not tell the kind; target_kind"),
        ({"source_kind": "zip"}, "source_kind must be one of rec, folder"),
        ({"target_kind": "mnist"}, "target_kind must be one of rec, folder, webd"),
        ({"encoding": ".gif"}, "encoding must be .png or .jpg, got '.gif'"),
        ({"quality": 0}, r"quality must be in \[1, 100\], got 0"),
        ({"coarse": True}, "coarse is for cifar100, the source is rec"),
        ({"target": "in.rec"}, "would replace a file that is read"),
    ],
)
def test_a_wrong_argument_is_told(
    tmp_path: Path,
    colours: DataSet,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, object],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.rec").write_bytes(colours.rec.read_bytes())
    Path("a.xyz").touch()
    given = {"source": "in.rec", "target": "out.rec"} | options

    with pytest.raises(ParameterError, match=said):
        mxio.convert(**given)  # type: ignore[arg-type]

    assert sorted(os.listdir(tmp_path)) == ["a.xyz", "in.rec"]


def test_a_source_that_is_not_there_is_told_first(tmp_path: Path) -> None:
    # It said that the name does not tell the kind.
    with pytest.raises(FileNotFoundError, match="nowhere"):
        mxio.convert(tmp_path / "nowhere", tmp_path / "out.rec")


def test_names_of_classes_go_along(tmp_path: Path, zoo: Path) -> None:
    # Those beside a .rec or a tar, and those in a folder with a list, were lost.
    (zoo / "dog").rename(zoo / "d\u2028og")  # which was cut in two
    classes = ["a bird", "cat", "d\u2028og"]

    for source, target in (
        ("zoo", "a.rec"),
        ("a.rec", "b"),
        ("b", "c.rec"),
        ("c.rec", "d.tar"),
        ("d.tar", "e.rec"),
    ):
        report = mxio.convert(tmp_path / source, tmp_path / target)
        assert report.classes == classes, target

    assert sorted(os.listdir(tmp_path / "b")) == sorted(
        [*classes, "classes.txt", "images.lst"]
    )
    assert records_of(tmp_path / "e.rec") == records_of(tmp_path / "a.rec")


def test_a_record_without_a_header_is_told(tmp_path: Path) -> None:
    rec, _, _ = write_rec(tmp_path, [record(JPG), b"short"])

    with pytest.raises(DataError, match="record 1") as caught:
        mxio.convert(rec, tmp_path / "out")

    assert caught.value.record == 1
    assert not (tmp_path / "out").exists()


def test_the_old_file_stays_when_the_source_is_damaged(
    tmp_path: Path, colours: DataSet
) -> None:
    (tmp_path / "in.rec").write_bytes(colours.rec.read_bytes()[:-8])
    (tmp_path / "out.tar").write_bytes(b"old")

    with pytest.raises(DataError, match=r"in\.rec"):
        mxio.convert(tmp_path / "in.rec", tmp_path / "out.tar")

    assert (tmp_path / "out.tar").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["in.rec", "out.tar"]


def test_a_target_that_cannot_be_written_is_named(
    tmp_path: Path, colours: DataSet
) -> None:
    with pytest.raises(MxioError) as caught:
        mxio.convert(colours.rec, tmp_path / "absent" / "out.rec")

    assert isinstance(caught.value, FileNotFoundError)
    assert str(tmp_path / "absent") in str(caught.value)


def test_the_command_converts_and_reports(
    tmp_path: Path, zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "zoo.tar"

    code = main(["convert", str(zoo), str(out), "--json"])

    report = json.loads(capsys.readouterr().out)
    assert code == 0
    assert report["samples"] == 4
    assert report["files"] == [str(out), str(tmp_path / "zoo.classes.txt")]
    assert report["classes"] == ["a bird", "cat", "dog"]


def test_the_command_tells_a_wrong_call_with_2(
    tmp_path: Path, zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["convert", str(zoo), str(tmp_path / "out.xyz")])

    told = capsys.readouterr().err
    assert code == 2
    assert told.count("\n") == 1
    assert "target_kind must be one of rec, folder" in told


# SIGKILL.

CONVERT = "import sys, mxio; mxio.convert(sys.argv[1], sys.argv[2])"


def start(source: Path, target: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", CONVERT, str(source), str(target)])


def state_of(path: Path) -> dict[str, bytes]:
    """What has that name: a file, or the files of a folder."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return {str(file.relative_to(path)): file.read_bytes() for file in files}
    return {path.name: path.read_bytes()} if path.exists() else {}


def kill_and_resume(
    folder: Path, rec: Path, moments: int, names: Sequence[str]
) -> None:
    """SIGKILL at random moments: the name holds nothing, or all; then finish it."""
    chance = random.Random(6)
    for name in names:
        right_path = folder / f"right-{name}"
        begin = time.monotonic()
        assert start(rec, right_path).wait() == 0
        duration = time.monotonic() - begin
        right = list(state_of(right_path).values())
        for moment in range(moments):
            target = folder / f"{moment}-{name}"
            process = start(rec, target)
            time.sleep(chance.uniform(0, duration))
            process.send_signal(signal.SIGKILL)
            process.wait()
            found = list(state_of(target).values())
            assert found in ([], right), f"{name}, moment {moment}"
            if not found:
                assert start(rec, target).wait() == 0
            assert list(state_of(target).values()) == right
            assert not list(folder.glob(f"{moment}-{name}*.tmp"))


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """1000 records of the same small pictures."""
    pictures = [encoded(picture(i, 24, 24), ".jpg") for i in range(20)]
    payloads = [record(pictures[i % 20], float(i % 5), i) for i in range(1000)]
    return write_rec(tmp_path, payloads, "large")[0]


def test_a_killed_conversion_leaves_nothing_wrong(tmp_path: Path, large: Path) -> None:
    kill_and_resume(tmp_path, large, 1, ["out"])


@pytest.mark.soak
def test_a_conversion_killed_at_51_moments_leaves_nothing_wrong(
    tmp_path: Path, large: Path
) -> None:
    kill_and_resume(tmp_path, large, 17, ["out", "out.tar", "out.rec"])


def peak_of(source: Path, target: Path) -> int:
    """The most memory that Python's objects have while this is converted."""
    tracemalloc.start()
    try:
        mxio.convert(source, target)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_samples(tmp_path: Path) -> None:
    """tarfile remembers every member, read or written, unless told not to."""
    payload = record(encoded(picture(1, 24, 24), ".jpg"), 3.0)
    few, _, _ = write_rec(tmp_path, [payload] * 50, "few")
    many, _, _ = write_rec(tmp_path, [payload] * 500, "many")
    mxio.convert(few, tmp_path / "first.tar")  # what is loaded once

    written = [peak_of(rec, rec.with_suffix(".tar")) for rec in (few, many)]
    read = [
        peak_of(rec.with_suffix(".tar"), rec.with_suffix(".back.rec"))
        for rec in (few, many)
    ]

    assert written[1] < written[0] + 100_000
    assert read[1] < read[0] + 100_000
