"""Data paths and indexes: what they stand for, and what is said when they are wrong."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from mxio import _core
from mxio._files import resolve
from mxio._scan import Records, read_index
from mxio.errors import DataError, MxioError, ParameterError
from tests.conftest import DataSet, epoch_ids, iterator, record, write_rec


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files a.rec, part1.rec to part3.rec, an empty one, and a directory."""
    for name in ("part2.rec", "part1.rec", "part3.rec", "a.rec"):
        (tmp_path / name).write_bytes(b"1234")
    (tmp_path / "part4.rec").touch()
    (tmp_path / "part5.rec").mkdir()
    return tmp_path


def names(files: list[str]) -> list[str]:
    return [Path(file).name for file in files]


def test_a_file_stands_for_itself(folder: Path) -> None:
    files = resolve(str(folder / "a.rec"))

    assert files == [str(folder / "a.rec")]


def test_an_empty_file_named_in_full_is_kept(folder: Path) -> None:
    files = resolve(str(folder / "part4.rec"))

    assert names(files) == ["part4.rec"]


def test_names_are_joined_by_semicolons_in_the_order_given(folder: Path) -> None:
    joined = f"{folder}/part3.rec;{folder}/a.rec;;{folder}/part3.rec;"

    files = resolve(joined)

    assert names(files) == ["part3.rec", "a.rec", "part3.rec"]


def test_a_directory_stands_for_its_files_with_content_sorted(folder: Path) -> None:
    files = resolve(str(folder))

    assert names(files) == ["a.rec", "part1.rec", "part2.rec", "part3.rec"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("part.*rec", ["part1.rec", "part2.rec", "part3.rec"]),
        (r"part[13]\.rec", ["part1.rec", "part3.rec"]),
        (".*", ["a.rec", "part1.rec", "part2.rec", "part3.rec"]),
        ("(a|part2).rec", ["a.rec", "part2.rec"]),
    ],
)
def test_a_pattern_stands_for_the_files_it_matches_whole(
    folder: Path, pattern: str, expected: list[str]
) -> None:
    files = resolve(f"{folder}/{pattern}")

    assert names(files) == expected


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(folder: Path) -> None:
    (folder / "part.*rec").write_bytes(b"1234")

    files = resolve(f"{folder}/part.*rec")

    assert names(files) == ["part.*rec"]


def test_relative_names_are_seen_from_the_working_directory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)

    assert resolve("a.rec") == ["a.rec"]
    assert resolve("part[12].rec") == ["part1.rec", "part2.rec"]
    assert resolve(".") == [f"./{name}" for name in names(resolve(str(folder)))]


@pytest.mark.parametrize(
    "path", ["none.rec", "part9.*", "none/a.rec", "part[.rec", "part1.re", "art1.rec"]
)
def test_what_names_no_file_is_a_file_not_found_error(folder: Path, path: str) -> None:
    with pytest.raises(FileNotFoundError, match="no file of this name") as caught:
        resolve(f"{folder}/a.rec;{folder}/{path}")

    assert isinstance(caught.value, MxioError)
    assert caught.value.filename == f"{folder}/{path}"


def test_a_directory_with_nothing_is_a_file_not_found_error(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    with pytest.raises(FileNotFoundError, match="no file with content"):
        resolve(str(tmp_path))


@pytest.mark.parametrize("paths", ["", ";", ";;;"])
def test_no_name_at_all_is_a_parameter_error(paths: str) -> None:
    with pytest.raises(ParameterError, match="path_imgrec must name"):
        resolve(paths)


def test_a_pattern_loads_its_files_as_one_set(ten: DataSet, tmp_path: Path) -> None:
    for name in ("part0.rec", "part1.rec"):
        (tmp_path / name).write_bytes(ten.rec.read_bytes())

    batches = iterator(tmp_path, path_imgrec=f"{tmp_path}/part.*rec", batch_size=10)

    assert epoch_ids(batches) == ten.ids * 2


# ---- data files that are none ----


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"abc", "not a RecordIO file"),
        (b"not a RecordIO file at all", "not a RecordIO file"),
        (bytes.fromhex("0a23d7ce"), "not a RecordIO file"),
        (bytes.fromhex("0a23d7ce 00000060"), "not a RecordIO file"),  # a last part
    ],
)
def test_a_file_that_is_no_recordio_file_is_named(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "a.rec"
    path.write_bytes(content)

    with pytest.raises(DataError, match=words) as caught:
        iterator(path)

    assert caught.value.path == str(path)
    assert str(path) in str(caught.value)


def test_the_file_of_a_set_that_is_none_is_named(ten: DataSet, tmp_path: Path) -> None:
    path = tmp_path / "b.rec"
    path.write_bytes(b"12345678")

    with pytest.raises(DataError, match="not a RecordIO file") as caught:
        iterator(ten, path_imgrec=f"{ten.rec};{path}")

    assert (caught.value.path, caught.value.offset) == (str(path), 0)


@pytest.mark.parametrize("parameter", ["path_imgrec", "data_csv"])
def test_the_standard_input_is_refused_with_what_to_do(parameter: str) -> None:
    with pytest.raises(ParameterError, match=f"{parameter} .* 'stdin'.* to a file"):
        resolve("stdin", parameter)


def test_a_file_may_be_called_stdin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stdin").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)

    assert resolve("stdin") == ["stdin"]


def test_the_name_of_a_copy_is_refused_with_what_to_do(ten: DataSet) -> None:
    with pytest.raises(ParameterError, match=r"leave '#copy' out"):
        iterator(ten, path_imgrec=f"{ten.rec}#copy")


def test_a_name_may_have_a_number_sign(ten: DataSet, tmp_path: Path) -> None:
    path = tmp_path / "a#b.rec"
    path.write_bytes(ten.rec.read_bytes())

    assert resolve(f"{path}") == [str(path)]
    with pytest.raises(FileNotFoundError, match=r"a#c\.rec"):
        resolve(f"{tmp_path}/a#c.rec")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_a_permission_error(
    ten: DataSet, tmp_path: Path
) -> None:
    path = tmp_path / "a.rec"
    path.write_bytes(ten.rec.read_bytes())
    path.chmod(0)

    with pytest.raises(PermissionError):
        iterator(path)


@pytest.mark.parametrize("cut", [4, 30, 117, 124])
def test_a_truncated_file_is_an_error_at_its_last_record(
    ten: DataSet, tmp_path: Path, cut: int
) -> None:
    path = tmp_path / "short.rec"
    path.write_bytes(ten.rec.read_bytes()[:-cut])
    batches = iterator(path, batch_size=1, round_batch=False)
    good = [batches.next().index[0] for _ in range(9)]

    with pytest.raises(DataError) as caught:
        batches.next()

    where = caught.value
    assert good == ten.ids[:9]
    assert (where.path, where.record, where.offset) == (str(path), 9, ten.offsets[9])
    assert list(batches) == []


def test_the_padding_of_the_last_record_may_be_missing(
    ten: DataSet, tmp_path: Path
) -> None:
    path = tmp_path / "short.rec"
    path.write_bytes(ten.rec.read_bytes()[:-3])

    batches = iterator(path, batch_size=10)

    assert epoch_ids(batches) == ten.ids


# ---- indexes ----


def write_index(folder: Path, text: str) -> Path:
    path = folder / "a.idx"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the index is empty"),
        ("\n \n", "the index is empty"),
        ("0\t0\n1\tabc\n", "line 2: the offset is not a whole number >= 0: 'abc'"),
        ("0\t0\nabc\t120\n", "line 2: the key is not a whole number: 'abc'"),
        (f"0\t{'a' * 99} 1", f"the offset is not a whole number >= 0: '{'a' * 40}'"),
        ("0\t0\n\n1\t1.5\n", "line 3: the offset is not a whole number"),
        ("0\t-1\n", "line 1: the offset is not a whole number >= 0"),
        ("0\t0\n1\t-1\n", "line 2: the offset is not a whole number >= 0"),
        ("0\t0\n1", "line 2: a key without an offset"),
        ("0\t0\n1\n", "line 2: a key without an offset"),
        ("0\t99999999999999999999\n", "line 1: the offset"),
        ("0\t0\n1\t5000\n", "entry 1 points to byte 5000, the data end at 1264"),
        ("0\t0\n1\t1264\n", "entry 1 points to byte 1264, the data end at 1264"),
        ("0\t4\n1\t120\n", "no record starts at byte 4"),
        ("0\t0\n1\t124\n", "no record starts at byte 124"),
        ("0\t0\n1\t1263\n", "no record starts at byte 1263"),
        ("0\t0\n1\t0\n", "byte 0 is listed twice"),
    ],
)
def test_an_index_that_does_not_fit_is_an_error_that_names_it(
    ten: DataSet, tmp_path: Path, text: str, words: str
) -> None:
    path = write_index(tmp_path, text)

    with pytest.raises(DataError) as caught:
        iterator(ten, path_imgidx=path)

    assert words in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert caught.value.path == str(path)


def test_an_entry_in_the_middle_that_is_no_head_is_found_when_it_is_read(
    ten: DataSet, tmp_path: Path
) -> None:
    path = write_index(tmp_path, "0\t0\n1\t124\n2\t248\n")
    batches = iterator(ten, path_imgidx=path, batch_size=1, round_batch=False)
    batches.next()

    with pytest.raises(DataError, match="not a record head") as caught:
        batches.next()

    assert (caught.value.path, caught.value.offset) == (str(ten.rec), 124)
    assert batches.next().index.tolist() == [102]


def test_an_index_that_is_missing_is_a_file_not_found_error(
    ten: DataSet, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        iterator(ten, path_imgidx=tmp_path / "none.idx")

    assert isinstance(caught.value, MxioError)
    assert caught.value.filename == str(tmp_path / "none.idx")


def test_an_index_may_have_any_order_white_space_and_keys(
    ten: DataSet, tmp_path: Path
) -> None:
    lines = [f"  -{7 * i}  {offset} \r\n\n" for i, offset in enumerate(ten.offsets)]
    path = write_index(tmp_path, "".join(reversed(lines)))

    batches = iterator(ten, path_imgidx=path, batch_size=10)

    assert epoch_ids(batches) == ten.ids


def test_an_index_of_a_file_joined_to_others_counts_through_all_of_them(
    ten: DataSet, tmp_path: Path
) -> None:
    size = ten.rec.stat().st_size
    offsets = [*ten.offsets, *(size + offset for offset in ten.offsets)]
    path = write_index(
        tmp_path, "".join(f"{i}\t{offset}\n" for i, offset in enumerate(offsets))
    )

    batches = iterator(
        ten, path_imgrec=f"{ten.rec};{ten.rec}", path_imgidx=path, batch_size=20
    )

    assert epoch_ids(batches) == ten.ids * 2


@pytest.mark.parametrize("number", [1, 2])
def test_an_index_of_one_file_of_several_is_no_index_of_all(
    ten: DataSet, tmp_path: Path, number: int
) -> None:
    # The records of the other file were left out without a word.
    behind = 0 if number == 2 else ten.rec.stat().st_size
    lines = [f"{key}\t{behind + offset}\n" for key, offset in enumerate(ten.offsets)]
    path = write_index(tmp_path, "".join(lines))

    with pytest.raises(DataError, match=f"a.idx: no entry for file {number} of 2"):
        iterator(ten, path_imgrec=f"{ten.rec};{ten.rec}", path_imgidx=path)


@pytest.mark.skipif(sys.platform != "linux", reason="needs names of any bytes")
def test_names_that_are_no_text_are_read_and_told(tmp_path: Path) -> None:
    # The index of such a file, and all errors, ended in a UnicodeError.
    odd = str(tmp_path / os.fsdecode(b"odd-\xff"))
    rec, idx, _ = write_rec(tmp_path, [record(b"no picture", 1.0, 5)])
    os.rename(rec, f"{odd}.rec")
    os.rename(idx, f"{odd}.idx")

    assert read_index(f"{odd}.idx")[0].tolist() == [0]
    assert Records([f"{odd}.rec"], f"{odd}.idx").count() == 1
    with pytest.raises(FileNotFoundError) as missing:
        _core.RecordFile(f"{odd}.none")
    assert missing.value.filename == f"{odd}.none"
    with pytest.raises(DataError) as wrong:
        _core.parse_index(b"no index", f"{odd}.idx")
    assert wrong.value.path == f"{odd}.idx"
    with pytest.raises(DataError) as wrong:
        _core.list_labels(b"no list", f"{odd}.lst", np.array([5], np.uint64).data, 1)
    assert wrong.value.path == f"{odd}.lst"
    beyond = np.array([8], np.uint64).data
    with pytest.raises(DataError) as wrong:
        _core.RecordSet([f"{odd}.rec"], beyond, f"{odd}.idx")
    assert wrong.value.path == f"{odd}.idx"


@pytest.mark.parametrize("parameter", ["path_imgidx", "path_imglist"])
def test_what_is_no_plain_file_is_refused(
    ten: DataSet, tmp_path: Path, parameter: str
) -> None:
    # A named pipe that nobody writes to was waited for, for ever.
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    for path, reason in ((fifo, "Invalid argument"), (tmp_path, "Is a directory")):
        with pytest.raises(OSError, match=f"not a plain file: {reason}") as refused:
            iterator(ten, **{parameter: path})
        assert isinstance(refused.value, MxioError)
        assert refused.value.filename == str(path)


def test_bytes_of_a_file_end_where_it_does(tmp_path: Path) -> None:
    path = tmp_path / "ten"
    path.write_bytes(b"0123456789")
    file = _core.RecordFile(str(path))

    assert file.raw(3, 4) == b"3456"
    assert file.raw(8, 2**63) == b"89"
    assert file.raw(10, 1) == file.raw(2**63, 1) == b""
    path.write_bytes(b"012")
    with pytest.raises(DataError, match="ends at byte 3"):
        file.raw(0, 10)
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.raw(0, 1)
