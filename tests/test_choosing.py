"""mxio index, subset, split, shuffle, cat, extract: records keep their bytes."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mxio
from mxio.adapters.numpy import ImageRecordLoader
from mxio.cli import main
from mxio.errors import DataError, ParameterError
from mxio.recordio import MXIndexedRecordIO
from mxio.tools._source import NewKeys
from tests.conftest import DataSet, encoded, payloads_of, picture, record, write_rec
from tests.killing import check_moments
from tests.small_disk import small_disk

MAGIC = b"\x0a\x23\xd7\xce"
GOLDEN = Path(__file__).parent / "golden/files"


def by_key(rec: Path) -> dict[int, bytes]:
    """Records as the index finds them; it must list each once, in order."""
    with MXIndexedRecordIO(rec.with_suffix(".idx"), rec, "r") as reader:
        found = {key: reader.read_idx(key) for key in reader.keys}
    assert list(found.values()) == payloads_of(rec)
    return found


@pytest.fixture
def mixed(tmp_path: Path) -> tuple[Path, list[bytes]]:
    """20 records of labels 0, 1, 2 in turn, ids 100 to 119, keys 0 to 19; some are cut
    at magic numbers, and the last lacks its padding.
    """
    payloads = [
        record(b"picture" + MAGIC * (i % 3) * 4 + b"x" * i, float(i % 3), 100 + i)
        for i in range(20)
    ]
    rec, _, _ = write_rec(tmp_path, payloads, "mixed")
    assert len(payloads[-1]) % 4 == 2
    rec.write_bytes(rec.read_bytes()[:-2])
    return rec, payloads


# index


@pytest.mark.parametrize("name", ["many57", "imgmagic5", "tiny10"])
def test_an_index_has_the_offsets_that_mxnet_wrote(tmp_path: Path, name: str) -> None:
    stored = (GOLDEN / f"{name}.idx").read_text().splitlines()
    wanted = sorted(int(line.split()[1]) for line in stored)

    report = mxio.index(GOLDEN / f"{name}.rec", tmp_path / "made.idx", keys="number")

    lines = (tmp_path / "made.idx").read_text().splitlines()
    assert lines == [f"{number}\t{offset}" for number, offset in enumerate(wanted)]
    assert (report.records, report.keys) == (len(wanted), "number")


def test_an_index_by_ids_is_that_of_the_ids(
    mixed: tuple[Path, list[bytes]], capsys: pytest.CaptureFixture[str]
) -> None:
    rec, payloads = mixed

    code = main(["index", str(rec)])

    told = capsys.readouterr().out
    assert code == 0
    assert told == f"{rec.with_suffix('.idx')}: 20 records, keys are ids\n"
    assert by_key(rec) == {100 + i: payload for i, payload in enumerate(payloads)}


def test_a_damaged_file_gets_no_index(
    tmp_path: Path, photos: DataSet, capsys: pytest.CaptureFixture[str]
) -> None:
    rec = tmp_path / "cut.rec"
    rec.write_bytes(photos.rec.read_bytes()[:-20])

    code = main(["index", str(rec)])

    assert code == 1
    assert "cut.rec: record 36 at byte" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["cut.rec"]


# subset


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--key", "3", "17", "5"], [3, 17, 5]),
        (["--label", "2"], [2, 5, 8, 11, 14, 17]),
        (["--label", "0", "1.5"], [0, 3, 6, 9, 12, 15, 18]),
        (["--slice=-3:"], [17, 18, 19]),
        (["--slice", "::7"], [0, 7, 14]),
        (["--slice", "9:2:-4"], [9, 5]),
        ([], list(range(20))),
    ],
)
def test_a_subset_holds_the_chosen_records_under_their_keys(
    tmp_path: Path,
    mixed: tuple[Path, list[bytes]],
    words: list[str],
    wanted: list[int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    rec, payloads = mixed
    out = tmp_path / "out.rec"

    code = main(["subset", str(rec), str(out), *words])

    told = capsys.readouterr()
    assert (code, told.err) == (0, "")
    assert list(by_key(out).items()) == [(key, payloads[key]) for key in wanted]
    assert f"{len(wanted)} records, {out.stat().st_size} bytes" in told.out
    assert "keys are as in the input's index" in told.out
    assert mxio.verify(out, decode=False).good


def test_a_list_chooses_by_its_first_field(
    tmp_path: Path, mixed: tuple[Path, list[bytes]]
) -> None:
    rec, payloads = mixed
    chosen = tmp_path / "chosen.lst"
    chosen.write_text("\ufeff14\t1.0\tcats/a cat.jpg\n\n1\t2.0\tb.jpg\n")
    words = [str(rec), str(tmp_path / "out.rec"), "--list", str(chosen)]

    assert main(["subset", *words]) == 0

    wanted = [(14, payloads[14]), (1, payloads[1])]
    assert list(by_key(tmp_path / "out.rec").items()) == wanted


@pytest.mark.parametrize(
    "records",
    [
        [7, 2, 5],
        np.array([7, 2, 5]),
        range(3, 9),
        slice(-3, None),
        slice(9, 2, -4),
        mxio.LabelRange(1, 3),
        lambda key, label: key > 4 and label == 2,
        None,
    ],
)
@pytest.mark.parametrize("index", [True, False])
def test_records_means_what_it_means_to_the_loaders(
    tmp_path: Path, records: Any, index: bool
) -> None:
    pictures = [encoded(picture(i, 8, 8)) for i in range(20)]
    payloads = [record(data, float(i % 3), i) for i, data in enumerate(pictures)]
    rec, idx, _ = write_rec(tmp_path, payloads)
    if not index:
        idx.unlink()
    loader = ImageRecordLoader(
        path_imgrec=str(rec),
        path_imgidx=str(idx) if index else "",
        data_shape=(3, 8, 8),
        batch_size=20,
        last_batch="partial",
        records=records,
    )
    with loader as batches:
        (batch,) = batches
        wanted = batch.index[: len(batch.data) - batch.pad].tolist()

    mxio.subset(rec, tmp_path / "out.rec", records=records)
    extracted = mxio.extract(rec, tmp_path / "files", records=records, names="{id}")
    out = io.BytesIO()
    count = mxio.cat(rec, out, records=records)

    assert payloads_of(tmp_path / "out.rec") == [payloads[id] for id in wanted]
    assert out.getvalue() == b"".join(pictures[id] for id in wanted)
    assert count == extracted.files == len(wanted)


@pytest.mark.parametrize(
    ("records", "kind", "said"),
    [
        ([3, 99], ParameterError, "has no key 99"),
        ([3, 5, 3], ParameterError, "records holds 3 twice"),
        ([], ParameterError, r"records chooses no record: \[\]"),
        (slice(5, 1), ParameterError, "records chooses no record: slice"),
        (mxio.LabelRange(7, 8), ParameterError, "records chooses no record: LabelRan"),
        ({3, 4}, TypeError, "a set has none, sort it"),
        ("3", TypeError, "records must be keys, a slice, a LabelRange, or a function"),
        (3, TypeError, "records must be keys, a slice, a LabelRange, or a function"),
    ],
)
def test_records_that_cannot_be_are_told_as_by_the_loaders(
    tmp_path: Path,
    mixed: tuple[Path, list[bytes]],
    records: Any,
    kind: type[Exception],
    said: str,
) -> None:
    with pytest.raises(kind, match=said):
        mxio.subset(mixed[0], tmp_path / "out.rec", records=records)

    assert not (tmp_path / "out.rec").exists()


def test_a_key_that_the_index_has_twice_chooses_no_record(
    tmp_path: Path, mixed: tuple[Path, list[bytes]]
) -> None:
    rec, _ = mixed
    idx = rec.with_suffix(".idx")
    idx.write_text(idx.read_text().replace("9\t", "8\t", 1))

    with pytest.raises(ParameterError, match="has the key 8 twice"):
        mxio.subset(rec, tmp_path / "out.rec", records=[8])


@pytest.mark.parametrize(
    ("keys", "index", "wanted"),
    [
        ("keep", True, ("kept", [1, 4])),
        ("keep", False, ("id", [101, 104])),
        ("id", True, ("id", [101, 104])),
        ("auto", True, ("id", [101, 104])),
        ("number", True, ("number", [0, 1])),
    ],
)
def test_keys_of_the_new_index_are_as_asked_and_told(
    tmp_path: Path,
    mixed: tuple[Path, list[bytes]],
    keys: NewKeys,
    index: bool,
    wanted: tuple[str, list[int]],
) -> None:
    rec, _ = mixed
    if not index:
        rec.with_suffix(".idx").unlink()

    written = mxio.subset(rec, tmp_path / "out.rec", records=[1, 4], keys=keys)

    assert (written.keys, list(by_key(tmp_path / "out.rec"))) == wanted


def test_records_that_the_index_leaves_out_are_not_there(
    tmp_path: Path, mixed: tuple[Path, list[bytes]]
) -> None:
    rec, payloads = mixed
    idx = rec.with_suffix(".idx")
    lines = idx.read_text().splitlines(keepends=True)
    idx.write_text("".join([lines[9].replace("9\t", "nine\t"), lines[2]]))

    mxio.subset(rec, tmp_path / "out.rec", records=slice(0, 2))

    assert payloads_of(tmp_path / "out.rec") == [payloads[2], payloads[9]]
    lines = (tmp_path / "out.idx").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["2", "nine"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["out.rec", "--key", "7", "99"], 2, "has no key 99"),
        (["out.rec", "--label", "7.5"], 2, "records chooses no record"),
        (["out.rec", "--slice", "5"], 2, "must be A:B"),
        (["mixed.rec"], 2, "would replace a file that is read"),
        (["out.idx"], 2, "would replace a file that is written, too"),
        (["out.rec", "--list", "none.lst"], 4, "none.lst: No such file"),
        (["out.rec", "--index", "none.idx"], 4, "none.idx: No such file"),
        (["folder/out.rec"], 4, "folder/out.rec: No such file"),
    ],
)  # fmt: skip
def test_what_cannot_be_chosen_or_written_is_one_sentence(
    mixed: tuple[Path, list[bytes]],
    words: list[str],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(mixed[0].parent)

    got = main(["subset", "mixed.rec", *words])

    assert got == code
    assert said in capsys.readouterr().err
    assert sorted(os.listdir()) == ["mixed.idx", "mixed.rec"]


def test_an_index_that_points_elsewhere_is_refused(
    tmp_path: Path, mixed: tuple[Path, list[bytes]]
) -> None:
    rec, _ = mixed
    rec.with_suffix(".idx").write_text("0\t0\n1\t9\n")

    with pytest.raises(DataError, match="no record starts at byte 9 of"):
        mxio.subset(rec, tmp_path / "out.rec", records=[0])


def test_a_damaged_input_gives_no_output(
    tmp_path: Path, mixed: tuple[Path, list[bytes]]
) -> None:
    rec, _ = mixed
    data = rec.read_bytes()
    rec.write_bytes(data[:-60] + b"\x99" * 3 + data[-60:])

    with pytest.raises(DataError, match="`mxio repair` saves"):
        mxio.subset(rec, tmp_path / "out.rec", records=[0])

    assert not (tmp_path / "out.rec").exists()


# split


@given(
    fractions=st.lists(st.integers(5, 60), min_size=1, max_size=4).filter(
        lambda shares: sum(shares) <= 100
    ),
    stratify=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=25)
def test_parts_are_disjoint_and_as_large_as_asked(
    tmp_path: Path, many: DataSet, fractions: list[int], stratify: bool, seed: int
) -> None:
    shares = {f"p{i}": share / 100 for i, share in enumerate(fractions)}

    written = mxio.split(
        many.rec, tmp_path / "x", fractions=shares, stratify=stratify, seed=seed
    )

    parts = {name: by_key(Path(each.path)) for name, each in written.items()}
    keys = [key for part in parts.values() for key in part]
    assert len(set(keys)) == len(keys)
    assert all(list(part) == sorted(part) for part in parts.values())
    for name, share in shares.items():
        # Every record has a label of its own: one by one, by chance.
        slack = 120 if stratify else 1
        assert abs(len(parts[name]) - share * 1000) <= slack
    if sum(fractions) == 100:
        assert len(keys) == 1000


def test_stratified_parts_have_each_label_in_proportion(
    tmp_path: Path, mixed: tuple[Path, list[bytes]]
) -> None:
    rec, _ = mixed

    mxio.split(
        rec, tmp_path / "x", fractions={"a": 0.5, "b": 0.25, "c": 0.25}, stratify=True
    )

    for name, share in (("a", 0.5), ("b", 0.25), ("c", 0.25)):
        labels = Counter(key % 3 for key in by_key(tmp_path / f"x_{name}.rec"))
        for label, total in enumerate((7, 7, 6)):
            assert abs(labels[label] - share * total) < 1


def test_counts_are_exact_and_the_seed_decides_who(
    tmp_path: Path, mixed: tuple[Path, list[bytes]], capsys: pytest.CaptureFixture[str]
) -> None:
    rec, payloads = mixed
    words = ["split", str(rec), "--counts", "train=12", "val=5"]

    codes = [
        main([*words[:2], str(tmp_path / name), *words[2:], "--seed", seed])
        for name, seed in (("x", "1"), ("y", "1"), ("z", "2"))
    ]

    told = capsys.readouterr().out
    x, y, z = (by_key(tmp_path / f"{name}_train.rec") for name in "xyz")
    assert codes == [0, 0, 0]
    assert (len(x), len(by_key(tmp_path / "x_val.rec"))) == (12, 5)
    assert x == y == {key: payloads[key] for key in x}
    assert x != z
    assert "x_val.rec: 5 records" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fractions", "a=0.7", "b=0.4"], "together at most 1"),
        (["--counts", "a=21"], "together at most 20"),
        (["--counts", "a=0"], "must be > 0"),
        (["--fractions", "a=0.01", "b=0.9"], "part 'a' gets none of the 20"),
        (["--fractions", "a=0.2", "a=0.3"], "each NAME must be given once"),
        (["--fractions", "half"], "must be NAME=FRACTION, got 'half'"),
        (["--counts", "a/b=3"], "must be NAME=COUNT"),
        (["--counts", "a=3", "--seed", "-1"], "seed must be in"),
        ([], "required"),
    ],
)
def test_parts_that_cannot_be_are_refused(
    mixed: tuple[Path, list[bytes]],
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = mixed[0].parent

    code = main(["split", str(mixed[0]), str(folder / "x"), *words])

    assert code == 2
    assert said in capsys.readouterr().err
    assert sorted(os.listdir(folder)) == ["mixed.idx", "mixed.rec"]


def test_an_empty_file_has_no_parts(tmp_path: Path) -> None:
    # It divided by the number of records.
    (tmp_path / "empty.rec").touch()

    with pytest.raises(ParameterError, match="gets none of the 0 records"):
        mxio.split(
            tmp_path / "empty.rec", tmp_path / "x", fractions={"a": 0.5}, stratify=True
        )


# shuffle


def test_a_shuffled_file_has_all_records_in_an_order_of_the_seed(
    tmp_path: Path, mixed: tuple[Path, list[bytes]]
) -> None:
    rec, payloads = mixed

    codes = [
        main(["shuffle", str(rec), str(tmp_path / f"{name}.rec"), "--seed", seed])
        for name, seed in (("x", "3"), ("y", "3"), ("z", "4"))
    ]

    x, y, z = (by_key(tmp_path / f"{name}.rec") for name in "xyz")
    # From NumPy's documentation: RandomState keeps its numbers for all time.
    assert list(x) == np.random.RandomState(3).permutation(20).tolist()
    assert codes == [0, 0, 0]
    assert list(x) == list(y) != list(z)
    assert x == z == dict(enumerate(payloads))
    assert mxio.verify(tmp_path / "x.rec", decode=False).good


def test_large_and_small_records_are_copied_alike(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    sizes = [0, 1, 5_000_003, 7, 1_100_000, 3, 2, 900_000, 900_001]
    payloads = [rng.bytes(size) for size in sizes]
    rec, _, _ = write_rec(tmp_path, payloads)

    mxio.shuffle(rec, tmp_path / "out.rec", seed=5)
    mxio.subset(rec, tmp_path / "same.rec")

    assert by_key(tmp_path / "out.rec") == dict(enumerate(payloads))
    assert (tmp_path / "same.rec").read_bytes() == rec.read_bytes()


@pytest.mark.parametrize("words", [["shuffle"], ["subset"], ["split"]])
def test_a_full_disk_is_told_and_nothing_is_left(
    tmp_path: Path,
    photos: DataSet,
    words: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with small_disk(tmp_path, 16384) as disk:
        out = disk / ("out" if words == ["split"] else "out.rec")
        more = ["--fractions", "a=1"] if words == ["split"] else []

        code = main([*words, str(photos.rec), str(out), *more])

        told = capsys.readouterr().err
        assert code == 4
        assert re.search(r"out(_a)?\.rec: No space left on device\n", told)
        assert os.listdir(disk) == []


@pytest.mark.soak
def test_killed_while_shuffling_it_leaves_nothing_wrong(
    tmp_path: Path, photos: DataSet
) -> None:
    source = tmp_path / "large.rec"
    source.write_bytes(photos.rec.read_bytes() * 1000)
    out, index = tmp_path / "out.rec", tmp_path / "out.idx"

    def clean() -> None:
        out.write_bytes(b"records from before")
        index.write_bytes(b"an index from before")
        for rest in tmp_path.glob("*.tmp"):
            rest.unlink()

    words = ["shuffle", str(source), str(out), "--quiet"]
    assert check_moments(words, [out, index], 50, clean) > 0


# cat and extract


def test_cat_writes_pictures_payloads_or_records(
    mixed: tuple[Path, list[bytes]],
) -> None:
    rec, payloads = mixed
    chosen = [2, 5]
    out = {what: io.BytesIO() for what in ("picture", "payload", "record")}

    counts = [
        mxio.cat(rec, out["picture"], records=chosen),
        mxio.cat(rec, out["payload"], records=chosen, what="payload"),
        mxio.cat(rec, out["record"], what="record"),
    ]

    assert counts == [2, 2, 20]
    assert out["picture"].getvalue() == payloads[2][24:] + payloads[5][24:]
    assert out["payload"].getvalue() == payloads[2] + payloads[5]
    with pytest.raises(ParameterError, match="what must be one of"):
        mxio.cat(rec, io.BytesIO(), what="pictures")  # type: ignore[arg-type]
    # The last record gets the padding that it lacks in the file.
    assert out["record"].getvalue() == rec.read_bytes() + bytes(2)


def test_cat_sends_bytes_to_the_standard_output(photos: DataSet) -> None:
    command = [sys.executable, "-m", "mxio.cli", "cat", str(photos.rec), "--key", "7"]

    done = subprocess.run(command, capture_output=True)

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == encoded(photos.pixels[7], ".jpg")


def test_extract_writes_pictures_as_they_are_by_label_and_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = [
        (encoded(picture(1, 9, 9), ".jpg"), 0.0, ".jpg"),
        (encoded(picture(2, 9, 9), ".png"), 1.0, ".png"),
        (encoded(picture(3, 9, 9), ".webp"), 1.0, ".webp"),
        (b"what is this", 2.5, ".bin"),
    ]
    payloads = [record(data, label) for data, label, _ in pictures]
    rec, _, _ = write_rec(tmp_path, [*payloads, record(b"", 7.0)])
    folder = tmp_path / "files"

    code = main(["extract", str(rec), str(folder)])

    assert code == 0
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*.*")
        if path.is_file()
    }
    assert found == {
        f"{label:g}/{key}{suffix}": data
        for key, (data, label, suffix) in enumerate(pictures)
    }
    assert "4 files" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ("{key:0>4}_{label}", ["0001_1.bin", "0004_1.bin"]),
        ("{id}-{ordinal}", ["101-1.bin", "104-4.bin"]),
    ],
)  # fmt: skip
def test_extracted_files_are_named_as_asked(
    tmp_path: Path, mixed: tuple[Path, list[bytes]], names: str, wanted: list[str]
) -> None:
    report = mxio.extract(
        mixed[0],
        tmp_path / "files",
        records=lambda key, label: label == 1 and key < 5,
        names=names,
        payload=True,
    )

    assert sorted(os.listdir(tmp_path / "files")) == wanted
    assert (tmp_path / "files" / wanted[1]).read_bytes() == mixed[1][4]
    assert (report.files, report.bytes) == (2, len(mixed[1][1]) + len(mixed[1][4]))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("{label}", "one name, '0'"),
        ("../{key}", "is no file name"),
        ("/{key}", "is no file name"),
        ("{key}{", "names may hold"),
        ("{size}", "names may hold"),
        ("{key.x}", "names may hold"),
        ("{id[0]}", "names may hold"),
    ],
)
def test_names_that_collide_or_lead_away_are_refused(
    tmp_path: Path, mixed: tuple[Path, list[bytes]], names: str, said: str
) -> None:
    with pytest.raises(ParameterError, match=said):
        mxio.extract(mixed[0], tmp_path / "files", names=names)

    assert not (tmp_path / "files").exists()


def test_large_labels_keep_their_digits_in_names(tmp_path: Path) -> None:
    """Labels of more than 6 digits became one folder, such as 1.23457e+06."""
    labels = [1234567.0, 1234568.0, 0.25]
    rec, _, _ = write_rec(tmp_path, [record(b"a picture", label) for label in labels])

    mxio.extract(rec, tmp_path / "files")

    assert sorted(os.listdir(tmp_path / "files")) == ["0.25", "1234567", "1234568"]


def test_a_key_of_the_index_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    rec, idx, _ = write_rec(tmp_path, [record(b"a picture")])
    idx.write_text("../../x\t0\n")

    mxio.extract(rec, tmp_path / "a/b", names="{key}")

    assert os.listdir(tmp_path / "a/b") == [".._.._x.bin"]
    assert sorted(os.listdir(tmp_path)) == ["a", "data.idx", "data.rec"]


@pytest.mark.parametrize("verb", [["cat"], ["extract", "files"]])
def test_records_without_an_image_header_need_to_be_asked_for_whole(
    tmp_path: Path,
    verb: list[str],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    rec, _, _ = write_rec(tmp_path, [b"short"])

    code = main([verb[0], str(rec), *verb[1:]])

    assert code == 1
    assert "payload takes any record" in capfd.readouterr().err
