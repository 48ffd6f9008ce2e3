"""RecordIO files and image records, against bytes made by hand, MXNet and OpenCV."""

import errno
import gc
import math
import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxio.errors import DataError, MxioError, ParameterError
from mxio.recordio import (
    IRHeader,
    MXIndexedRecordIO,
    MXRecordIO,
    pack,
    pack_img,
    unpack,
    unpack_img,
)
from tests.conftest import difference
from tests.conftest import record_part as part

GOLDEN = Path(__file__).parent / "golden" / "files"
MAGIC = bytes.fromhex("0a23d7ce")


def escaped(payload: bytes) -> bytes:
    """A record in a file, by the shortest reading of the format."""
    words = [payload[at : at + 4] for at in range(0, len(payload), 4)]
    pieces = [b""]
    for word in words:
        if word == MAGIC:
            pieces.append(b"")
        else:
            pieces[-1] += word
    flags = [1] + [2] * (len(pieces) - 2) + [3] if len(pieces) > 1 else [0]
    return b"".join(map(part, flags, pieces))


def write_all(path: Path, payloads: list[bytes]) -> bytes:
    with MXRecordIO(path, "w") as writer:
        for payload in payloads:
            writer.write(payload)
    return path.read_bytes()


def read_all(path: Path) -> list[bytes]:
    with MXRecordIO(path, "r") as reader:
        return list(iter(reader.read, None))


def write_indexed(folder: Path, records: dict[Any, bytes]) -> tuple[Path, Path]:
    index, path = folder / "a.idx", folder / "a.rec"
    with MXIndexedRecordIO(index, path, "w", type(next(iter(records)))) as writer:
        for key, payload in records.items():
            writer.write_idx(key, payload)
    return index, path


def run_program(program: str, argument: Path, *options: str) -> str:
    """What a Python program that knows this one's modules prints."""
    done = subprocess.run(
        [sys.executable, *options, "-c", program, str(argument)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return done.stdout


payloads = st.lists(
    st.sampled_from(
        [MAGIC, b"\x00", b"ab", b"abcd", MAGIC[:2], MAGIC[2:], b"12345678"]
    ),
    max_size=8,
).map(b"".join)


# Files


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"abc", bytes.fromhex("0a23d7ce 03000000 61626300")),
        (b"", bytes.fromhex("0a23d7ce 00000000")),
        (MAGIC, bytes.fromhex("0a23d7ce 00000020 0a23d7ce 00000060")),
        (MAGIC * 2, part(1, b"") + part(2, b"") + part(3, b"")),
        (b"abcd" + MAGIC + b"e", part(1, b"abcd") + part(3, b"e")),
        (b"a" + MAGIC, part(0, b"a" + MAGIC)),
        (b"abcd" + MAGIC[:3], part(0, b"abcd" + MAGIC[:3])),
    ],
)
def test_a_record_has_the_bytes_of_the_format(
    tmp_path: Path, payload: bytes, expected: bytes
) -> None:
    path = tmp_path / "a.rec"

    written = write_all(path, [payload])

    assert written == expected
    assert read_all(path) == [payload]


@given(records=st.lists(payloads | st.binary(max_size=40), max_size=6))
def test_records_with_magic_numbers_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("round") / "a.rec"

    written = write_all(path, records)

    assert written == b"".join(map(escaped, records))
    assert read_all(path) == records


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.idx")))
def test_files_of_mxnet_are_read_and_written_byte_for_byte(
    tmp_path: Path, name: str
) -> None:
    reader = MXIndexedRecordIO(GOLDEN / f"{name}.idx", GOLDEN / f"{name}.rec", "r")

    index, path = write_indexed(
        tmp_path, {key: reader.read_idx(key) for key in reader.keys}
    )

    assert path.read_bytes() == (GOLDEN / f"{name}.rec").read_bytes()
    assert index.read_bytes() == (GOLDEN / f"{name}.idx").read_bytes()


def test_the_end_is_none_again_and_again_and_an_empty_record_is_not_the_end(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.rec").write_bytes(part(0, b"") + part(0, b"x"))
    reader = MXRecordIO(str(tmp_path / "a.rec"), "r")

    read = [reader.read() for _ in range(4)]

    assert read == [b"", b"x", None, None]


def test_reset_rewinds_a_reader_and_empties_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    writer = MXRecordIO(path, "w")
    writer.write(b"old")
    writer.reset()
    writer.write(b"new")
    writer.close()
    writer.close()
    reader = MXRecordIO(path, "r")

    first = reader.read()
    reader.reset()

    assert (first, reader.read(), reader.read()) == (b"new", b"new", None)


def test_reading_on_after_seek_and_read_idx(tmp_path: Path) -> None:
    index, path = write_indexed(tmp_path, {5: b"five", 3: b"three", 9: b"nine"})
    reader = MXIndexedRecordIO(index, path, "r")

    reader.seek(3)

    assert [reader.read(), reader.read()] == [b"three", b"nine"]
    assert [reader.read_idx(5), reader.read()] == [b"five", b"three"]


def test_attributes_are_those_of_mxnet(tmp_path: Path) -> None:
    index, path = str(tmp_path / "a.idx"), str(tmp_path / "a.rec")
    writer = MXIndexedRecordIO(index, path, "w")
    assert (writer.tell(), writer.fidx is None, writer.writable) == (0, False, True)
    writer.write_idx("7", b"abc")
    assert (writer.tell(), writer.idx, writer.keys) == (12, {7: 0}, [7])
    writer.close()

    reader = MXIndexedRecordIO(index, path, "r")
    reader.close = lambda: None  # type: ignore[method-assign]

    assert (reader.idx_path, reader.uri, reader.flag) == (index, path, "r")
    assert (reader.key_type, reader.pid, reader.fidx) == (int, os.getpid(), None)
    assert (reader.is_open, reader.writable) == (True, False)
    assert reader.handle is not None
    assert (tmp_path / "a.idx").read_text() == "7\t0\n"


def test_keys_keep_the_order_of_the_file_and_the_last_of_equal_ones_is_found(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.rec").write_bytes(
        part(0, b"one") + part(0, b"two") + part(0, b"six")
    )
    (tmp_path / "a.idx").write_text("8\t0\n1\t12\n8\t24\n")

    reader = MXIndexedRecordIO(tmp_path / "a.idx", tmp_path / "a.rec", "r")

    assert (reader.keys, reader.idx) == ([8, 1, 8], {8: 24, 1: 12})
    assert reader.read_idx(8) == b"six"


@pytest.mark.parametrize("key", [0, -4, 2**63 + 5, 2**64])
def test_any_whole_number_can_be_a_key(tmp_path: Path, key: int) -> None:
    index, path = write_indexed(tmp_path, {key: b"abc"})

    reader = MXIndexedRecordIO(index, path, "r")

    assert (reader.keys, reader.read_idx(key)) == ([key], b"abc")


def test_texts_can_be_keys(tmp_path: Path) -> None:
    index, path = write_indexed(tmp_path, {"a b": b"1", "ü": b"2"})

    reader = MXIndexedRecordIO(index, path, "r", key_type=str)

    assert (reader.keys, reader.read_idx("ü")) == (["a b", "ü"], b"2")
    assert index.read_bytes() == "a b\t0\nü\t12\n".encode()


@pytest.mark.parametrize("key", ["", " ", "a\tb", "a\nb", "a\rb"])
def test_a_key_that_an_index_cannot_hold_is_refused(tmp_path: Path, key: str) -> None:
    writer = MXIndexedRecordIO(tmp_path / "a.idx", tmp_path / "a.rec", "w", str)

    with pytest.raises(ParameterError, match="a key must be"):
        writer.write_idx(key, b"x")


# Wrong use


def test_wrong_directions_flags_and_keys_raise_what_mxnet_raises(
    tmp_path: Path,
) -> None:
    index, path = write_indexed(tmp_path, {1: b"one"})
    reader = MXIndexedRecordIO(index, path, "r")
    writer = MXIndexedRecordIO(tmp_path / "b.idx", tmp_path / "b.rec", "w")

    with pytest.raises(ParameterError, match="Invalid flag"):
        MXRecordIO(path, "rb")
    with pytest.raises(KeyError, match="2"):
        reader.read_idx(2)
    with pytest.raises(KeyError, match="2"):
        reader.seek(2)
    refused: list[tuple[str, Any]] = [
        ("a", lambda: reader.write(b"")),
        ("a", reader.tell),
        ("a", lambda: reader.write_idx(1, b"")),
        ("b", writer.read),
        ("b", lambda: writer.seek(1)),
        ("b", lambda: writer.read_idx(1)),
    ]
    for name, call in refused:
        with pytest.raises(AssertionError, match=rf"{name}\.rec"):
            call()


def test_the_checks_stay_when_python_optimises(tmp_path: Path) -> None:
    (tmp_path / "a.rec").write_bytes(part(0, b"x"))
    program = (
        "import sys; from mxio.recordio import MXRecordIO\n"
        "try: MXRecordIO(sys.argv[1], 'r').write(b'')\n"
        "except AssertionError: print('refused')"
    )

    printed = run_program(program, tmp_path / "a.rec", "-O")

    assert printed == "refused\n"


def test_a_closed_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    with MXRecordIO(path, "w") as writer:
        writer.write(b"x")
    with MXRecordIO(path, "r") as reader:
        reader.read()

    with pytest.raises(ValueError, match=r"a\.rec is closed"):
        reader.read()
    with pytest.raises(ValueError, match=r"a\.rec is closed"):
        writer.write(b"")


def test_a_record_of_2_to_the_29_bytes_is_refused_and_the_writer_goes_on(
    tmp_path: Path,
) -> None:
    writer = MXRecordIO(tmp_path / "a.rec", "w")

    with pytest.raises(ValueError, match=r"2\*\*29|536870912|2\^29"):
        writer.write(memoryview(bytearray(2**29)))
    writer.write(b"x")
    writer.close()

    assert read_all(tmp_path / "a.rec") == [b"x"]


def test_index_and_records_cannot_be_one_file(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="two files"):
        MXIndexedRecordIO(tmp_path / "a", tmp_path / "a", "w")

    assert os.listdir(tmp_path) == []


# Damage


def test_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.rec").write_bytes(part(0, b"x"))

    with pytest.raises(FileNotFoundError, match=r"a\.idx"):
        MXIndexedRecordIO(tmp_path / "a.idx", tmp_path / "a.rec", "r")
    with pytest.raises(FileNotFoundError, match=r"b\.rec"):
        MXRecordIO(tmp_path / "b.rec", "r")
    with pytest.raises(FileNotFoundError, match=r"b\.rec"):
        MXRecordIO(tmp_path / "none" / "b.rec", "w")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("0\t0\n1\n2\t12\n", 2),
        ("0\t0\n1\n2\n3\t12\n", 2),
        ("0\t0\nx\t12\n", 2),
        ("0\t0\n\n1\ttwelve\n", 3),
        ("0\t-12\n", 1),
        ("0\t0\n1\t24\n", 2),
        ("0\t0\n1\t17\n", 2),
        ("0\t99999999999999999999999\n", 1),
        ("0\t0\t5\n", 1),
        ("0\t0\n\xff\xfe\t12\n", 2),
        ("\0\0\0\0", 1),
    ],
)
def test_an_index_that_does_not_fit_is_named_with_its_line(
    tmp_path: Path, text: str, line: int
) -> None:
    (tmp_path / "a.rec").write_bytes(part(0, b"one") + part(0, b"two"))
    (tmp_path / "a.idx").write_bytes(text.encode("latin-1"))

    with pytest.raises(DataError, match=rf"a\.idx, line {line}: ") as caught:
        MXIndexedRecordIO(tmp_path / "a.idx", tmp_path / "a.rec", "r")

    assert caught.value.path == str(tmp_path / "a.idx")


@pytest.mark.parametrize("text", ["", "\n", "0 0\r\n1 12\r\n", "0\t0\n\n1\t12"])
def test_blank_lines_and_other_ends_of_line_do_no_harm(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "a.rec").write_bytes(part(0, b"one") + part(0, b"two"))
    (tmp_path / "a.idx").write_bytes(text.encode())

    reader = MXIndexedRecordIO(tmp_path / "a.idx", tmp_path / "a.rec", "r")

    assert reader.idx == ({0: 0, 1: 12} if text.strip() else {})


def test_a_bad_record_is_named_with_file_key_and_offset(tmp_path: Path) -> None:
    damaged = part(0, b"good") + b"\0\0\0\0" + part(0, b"lost")[4:] + part(0, b"long")
    (tmp_path / "a.rec").write_bytes(damaged[:-2])
    (tmp_path / "a.idx").write_text("10\t0\n20\t12\n30\t24\n")
    reader = MXIndexedRecordIO(tmp_path / "a.idx", tmp_path / "a.rec", "r")

    for key, offset in ((20, 12), (30, 24)):
        with pytest.raises(
            DataError, match=rf"key {key}: .*a\.rec: byte {offset}: "
        ) as caught:
            reader.read_idx(key)
        assert (caught.value.path, caught.value.offset, caught.value.id) == (
            str(tmp_path / "a.rec"),
            offset,
            key,
        )

    assert reader.read_idx(10) == b"good"
    with pytest.raises(DataError, match="12"):
        reader.read()


@given(data=st.binary(max_size=80) | payloads.map(lambda made: MAGIC + made))
def test_any_bytes_are_records_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("hostile") / "a.rec"
    path.write_bytes(data)
    reader = MXRecordIO(path, "r")

    read = []
    try:
        while (record := reader.read()) is not None:
            read.append(record)
        whole = True
    except DataError:
        whole = False

    assert sum(map(len, read)) <= len(data)
    assert not whole or len(data) % 4 == 0


# Files appear whole


def test_a_written_file_appears_at_close(tmp_path: Path) -> None:
    index, path = tmp_path / "a.idx", tmp_path / "a.rec"
    path.write_bytes(b"old")
    writer = MXIndexedRecordIO(index, path, "w")
    writer.write_idx(0, b"x")

    before = path.read_bytes(), index.exists()
    writer.close()

    assert before == (b"old", False)
    assert path.read_bytes() == part(0, b"x")
    assert sorted(os.listdir(tmp_path)) == ["a.idx", "a.rec"]


def test_a_dropped_writer_closes_itself(tmp_path: Path) -> None:
    writer = MXRecordIO(tmp_path / "a.rec", "w")
    writer.write(b"x")

    del writer
    gc.collect()

    assert read_all(tmp_path / "a.rec") == [b"x"]


def test_the_end_of_a_program_closes_its_writers(tmp_path: Path) -> None:
    program = (
        "import sys; from mxio.recordio import MXRecordIO\n"
        "sys.kept = MXRecordIO(sys.argv[1], 'w')\n"
        "sys.kept.write(b'x')"
    )

    run_program(program, tmp_path / "a.rec")

    assert os.listdir(tmp_path) == ["a.rec"]
    assert read_all(tmp_path / "a.rec") == [b"x"]


def test_a_with_block_left_by_an_error_leaves_the_old_files(tmp_path: Path) -> None:
    index, path = write_indexed(tmp_path, {1: b"old"})
    before = index.read_bytes(), path.read_bytes()

    with (
        pytest.raises(ZeroDivisionError),
        MXIndexedRecordIO(index, path, "w") as writer,
    ):
        writer.write_idx(2, b"new" * 9)
        1 / 0  # noqa: B018

    assert (index.read_bytes(), path.read_bytes()) == before
    assert sorted(os.listdir(tmp_path)) == ["a.idx", "a.rec"]


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("victim", [0, 1])
def test_a_full_disk_names_the_file_and_leaves_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, victim: int
) -> None:
    index, path = write_indexed(tmp_path, {1: b"old"})
    before = index.read_bytes(), path.read_bytes()
    calls = 0

    def full(descriptor: int, *data: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls > 4 * (call == "write") + victim:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(descriptor, *data)  # type: ignore[no-any-return]

    original = getattr(os, call)
    monkeypatch.setattr(os, call, full)
    writer = MXIndexedRecordIO(index, path, "w")
    with pytest.raises(OSError, match="No space left") as caught:
        for key in range(9):
            writer.write_idx(key, b"new")
        writer.close()

    assert isinstance(caught.value, MxioError)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str((path, index)[victim])
    assert not writer.is_open
    writer.close()
    assert (index.read_bytes(), path.read_bytes()) == before
    assert sorted(os.listdir(tmp_path)) == ["a.idx", "a.rec"]


def test_a_short_write_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: original(fd, data[:3]))

    written = write_all(tmp_path / "a.rec", [b"abcdefgh"])

    assert written == part(0, b"abcdefgh")


def test_a_folder_or_a_device_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        MXRecordIO(tmp_path, "w")
    with pytest.raises(OSError, match=r"Not a regular file.*/dev/null"):
        MXRecordIO("/dev/null", "w")


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real.rec").write_bytes(b"")
    (tmp_path / "a.rec").symlink_to("real.rec")

    write_all(tmp_path / "a.rec", [b"x"])

    assert (tmp_path / "a.rec").is_symlink()
    assert read_all(tmp_path / "real.rec") == [b"x"]


# Threads, processes, pickles


def test_threads_read_by_key_at_the_same_time(tmp_path: Path) -> None:
    records = {key: str(key).encode() * (key % 50) for key in range(200)}
    index, path = write_indexed(tmp_path, records)
    reader = MXIndexedRecordIO(index, path, "r")
    order = [*range(200)] * 20

    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(reader.read_idx, order))

    assert read == [records[key] for key in order]


def test_forked_children_read_without_disturbing_each_other(tmp_path: Path) -> None:
    records = {key: str(key).encode() * 9 for key in range(50)}
    reader = MXIndexedRecordIO(*write_indexed(tmp_path, records), "r")
    reader.read_idx(10)
    fork = multiprocessing.get_context("fork")

    def read_in_child(connection: Any) -> None:
        connection.send([reader.read(), *(reader.read_idx(key) for key in records)])

    ends = []
    for _ in range(3):
        here, there = fork.Pipe()
        child = fork.Process(target=read_in_child, args=(there,))
        child.start()
        ends.append((here, child))
    for here, child in ends:
        assert here.recv() == [records[11], *records.values()]
        child.join()

    assert reader.read() == records[11]


def test_a_writer_refuses_to_work_in_a_forked_child(tmp_path: Path) -> None:
    writer = MXRecordIO(tmp_path / "a.rec", "w")
    writer.write(b"parent")
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()

    def write_in_child() -> None:
        try:
            writer.write(b"child")
        except RuntimeError as error:
            there.send(str(error))
        writer.close()

    child = fork.Process(target=write_in_child)
    child.start()
    child.join()
    message = here.recv()
    writer.write(b"again")
    writer.close()

    assert "Forbidden operation in multiple processes" in message
    assert read_all(tmp_path / "a.rec") == [b"parent", b"again"]


def test_pickling_leaves_the_original_open_and_the_copy_starts_anew(
    tmp_path: Path,
) -> None:
    index, path = write_indexed(tmp_path, {1: b"one", 2: b"two"})
    reader = MXIndexedRecordIO(index, path, "r")
    reader.note = "kept"  # type: ignore[attr-defined]
    reader.read()

    copy = pickle.loads(pickle.dumps(reader))

    assert (copy.read(), reader.read()) == (b"one", b"two")
    assert (copy.keys, copy.read_idx(2), copy.note) == ([1, 2], b"two", "kept")
    reader.close()
    assert not pickle.loads(pickle.dumps(reader)).is_open
    assert copy.read_idx(1) == b"one"


def test_an_open_writer_cannot_be_pickled(tmp_path: Path) -> None:
    writer = MXRecordIO(tmp_path / "a.rec", "w")

    with pytest.raises(TypeError, match=r"a\.rec is open for writing"):
        pickle.dumps(writer)


# Image records


def test_a_number_as_label_is_stored_in_the_head() -> None:
    made = pack(IRHeader(flag=3, label=2.5, id=7, id2=9), b"xyz")

    assert made == bytes.fromhex(
        "00000000 00002040 0700000000000000 0900000000000000 78797a"
    )
    header, rest = unpack(made)
    assert (header, rest) == ((0, 2.5, 7, 9), b"xyz")
    assert isinstance(header.label, float)
    assert type(header).__name__ == "HEADER"
    assert header._fields == ("flag", "label", "id", "id2")


@pytest.mark.parametrize(
    "label", [[1, 2.5], (1, 2.5), np.array([[1], [2.5]]), np.array([1, 2.5], "f2")]
)
def test_other_labels_are_stored_behind_the_head(label: Any) -> None:
    made = pack((0, label, 1, 0), b"x")

    assert made == bytes.fromhex(
        "02000000 00000000 0100000000000000 0000000000000000 0000803f 00002040 78"
    )
    header, rest = unpack(made)
    assert (header.flag, rest) == (2, b"x")
    assert header.label.dtype == np.float32
    assert header.label.tolist() == [1, 2.5]
    assert not header.label.flags.writeable


@pytest.mark.parametrize("label", [3, np.float32(3), np.int64(3), True + 2])
def test_numpy_numbers_are_numbers(label: Any) -> None:
    header, _ = unpack(pack((5, label, 0, 0), b""))

    assert header == (0, 3.0, 0, 0)


@given(
    label=st.floats(width=32, allow_nan=False)
    | st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=9),
    number=st.integers(0, 2**64 - 1),
    rest=st.binary(max_size=30),
)
def test_image_records_come_back_as_they_were(
    label: Any, number: int, rest: bytes
) -> None:
    header, data = unpack(pack(IRHeader(0, label, number, number // 2), rest))

    assert np.array_equal(np.float64(header.label), np.float64(label))
    assert (header.id, header.id2, data) == (number, number // 2, rest)


@pytest.mark.parametrize(
    "header", [(0, 1, -1, 0), (0, 1, 2**64, 0), (0, 1, 0, 1.5), (0, 1e39, 0, 0)]
)
def test_a_header_that_does_not_fit_is_refused(header: Any) -> None:
    with pytest.raises(ParameterError, match="do not fit an image record"):
        pack(header, b"")


@pytest.mark.parametrize("record", [b"", bytes(23), b"\x02" + bytes(30)])
def test_a_short_image_record_is_a_data_error(record: bytes) -> None:
    with pytest.raises(DataError, match="at least"):
        unpack(record)


def test_headers_can_be_pickled() -> None:
    header = IRHeader(0, 1.0, 2, 3)

    assert pickle.loads(pickle.dumps(header)) == header


def photo(channels: int) -> np.ndarray[Any, Any]:
    """A smooth picture, 40 x 56, that JPEG hardly changes."""
    y, x = np.mgrid[0:40, 0:56]
    waves = [np.sin((x + k * y) / (9 + k)) for k in range(channels)]
    image = (120 + 100 * np.stack(waves, axis=2)).astype(np.uint8)
    return image if channels > 1 else image[:, :, 0]


def unpacked(record: bytes, iscolor: int = -1) -> np.ndarray[Any, Any]:
    image = unpack_img(record, iscolor)[1]
    assert image is not None
    return image


def decoded(encoded: Any, flag: int = -1) -> np.ndarray[Any, Any]:
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), flag)
    assert image is not None
    return np.asarray(image)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", [".jpg", ".JPEG"])
def test_a_packed_jpeg_is_what_opencv_makes(channels: int, suffix: str) -> None:
    image = photo(channels)

    record = pack_img((0, 1, 2, 0), image, quality=90, img_fmt=suffix)

    header, encoded = unpack(record)
    theirs = decoded(cv2.imencode(".jpg", image, [1, 90])[1])
    assert header.id == 2
    assert difference(decoded(encoded), theirs) <= 3
    assert difference(unpacked(record), theirs) <= 3


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_packed_png_is_exact_blue_first(channels: int) -> None:
    image = photo(channels)

    record = pack_img((0, 1, 2, 0), image, img_fmt=".png")

    assert np.array_equal(decoded(unpack(record)[1]), image)
    assert np.array_equal(unpacked(record), image)


def test_sixteen_bits_and_other_formats_go_through_opencv() -> None:
    deep = photo(3).astype(np.uint16) * 257

    record = pack_img((0, 0, 0, 0), deep, img_fmt=".png")
    assert np.array_equal(unpacked(record), deep)
    for suffix in (".bmp", ".tiff"):
        record = pack_img((0, 0, 0, 0), photo(3), img_fmt=suffix)
        assert np.array_equal(unpacked(record), photo(3))


def test_quality_and_compression_beyond_their_ranges_are_clamped() -> None:
    for suffix, quality, same in ((".jpg", 0, 1), (".jpg", 101, 100), (".png", 95, 9)):
        made = pack_img((0, 0, 0, 0), photo(3), quality=quality, img_fmt=suffix)
        assert made == pack_img((0, 0, 0, 0), photo(3), quality=same, img_fmt=suffix)


@pytest.mark.parametrize("iscolor", [-1, 0, 1])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
@pytest.mark.parametrize("channels", [1, 3])
def test_unpack_img_gives_what_opencv_gives(
    channels: int, suffix: str, iscolor: int
) -> None:
    encoded = cv2.imencode(suffix, photo(channels))[1].tobytes()

    image = unpacked(pack((0, 0, 0, 0), encoded), iscolor)

    assert image.dtype == np.uint8
    assert difference(image, decoded(encoded, iscolor)) <= 3


@pytest.mark.parametrize("data", [b"", b"not an image", b"\xff\xd8\xff\xe0 torn"])
def test_what_cannot_be_decoded_unpacks_to_none(data: bytes) -> None:
    header, image = unpack_img(pack((0, 4, 0, 0), data))

    assert (header.label, image) == (4.0, None)


@pytest.mark.parametrize(
    ("image", "suffix"),
    [
        (photo(3), ".nothing"),
        (photo(3)[:0], ".jpg"),
        (np.zeros((4, 4, 7), np.uint8), ".png"),
    ],
)
def test_an_image_that_cannot_be_encoded_is_an_assertion_error(
    image: np.ndarray[Any, Any], suffix: str
) -> None:
    with pytest.raises(AssertionError, match="failed to encode image"):
        pack_img((0, 0, 0, 0), image, img_fmt=suffix)


def test_an_insightface_header_record_is_legal(tmp_path: Path) -> None:
    head = pack(IRHeader(2, [3.0, 5.0], 0, 0), b"")
    index, path = write_indexed(tmp_path, {0: head, 1: pack((0, 6, 1, 0), b"jpeg")})

    header, rest = unpack(MXIndexedRecordIO(index, path, "r").read_idx(0))

    assert (header.flag, header.label.tolist(), rest) == (2, [3.0, 5.0], b"")
    assert math.isclose(header.label[0], 3)
