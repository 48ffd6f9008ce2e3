"""Records of all sizes, in order and by key: the same bytes however they are read."""

import errno
import multiprocessing
import os
import random
import resource
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mxio import _core
from mxio.errors import DataError
from mxio.recordio import MXIndexedRecordIO, MXRecordIO
from tests.conftest import record_part as part

MAGIC = bytes.fromhex("0a23d7ce")


def payload_of(number: int, size: int) -> bytes:
    """Bytes that hold no magic number, different for every number."""
    return random.Random(number).randbytes(size).replace(b"\x0a", b"\x0b")


def write_records(folder: Path, payloads: list[bytes]) -> tuple[Path, Path, list[int]]:
    """Index and file of payloads in one part each, made by hand; and the offsets."""
    offsets, data = [], bytearray()
    for payload in payloads:
        offsets.append(len(data))
        data += part(0, payload)
    index, path = folder / "a.idx", folder / "a.rec"
    path.write_bytes(data)
    index.write_text("".join(f"{key}\t{at}\n" for key, at in enumerate(offsets)))
    return index, path, offsets


SIZES = {
    "small": [*range(0, 3000, 7)],
    "at the ends of the first read": [*range(4080, 4096)],
    "at the end of the window": [65536 - 8 - 1000 - 8, 1000, 65528, 1, 65529, 2, 65527],
    "mixed": [10, 100_000, 0, 20_000, 16_384, 5000, 16_376, 16_377, 70_000, 3, 3, 3],
    "large": [300_000, 1_000_001, 150_000],
}


@pytest.mark.parametrize("kind", SIZES)
def test_every_size_comes_back_in_order_by_key_and_both_in_turn(
    tmp_path: Path, kind: str
) -> None:
    payloads = [payload_of(number, size) for number, size in enumerate(SIZES[kind])]
    index, path, _ = write_records(tmp_path, payloads)
    keys = random.Random(1).sample(range(len(payloads)), len(payloads))

    reader = MXIndexedRecordIO(index, path, "r")
    in_order = list(iter(reader.read, None))
    by_key = [reader.read_idx(key) for key in keys]
    both = []
    for key in keys:
        reader.seek(key)
        both.append((reader.read(), reader.read(), reader.read_idx(key)))

    assert in_order == payloads
    assert by_key == [payloads[key] for key in keys]
    ends: list[bytes | None] = [*payloads, None]
    assert both == [(payloads[k], ends[k + 1], payloads[k]) for k in keys]


def test_a_record_in_parts_among_small_ones_is_joined(tmp_path: Path) -> None:
    split = part(1, b"a" * 4000) + part(2, b"") + part(3, b"end")
    path = tmp_path / "a.rec"
    path.write_bytes((part(0, b"x" * 3001) + split) * 30)

    read = list(iter(MXRecordIO(path, "r").read, None))

    assert read == [b"x" * 3001, b"a" * 4000 + MAGIC * 2 + b"end"] * 30


@pytest.mark.parametrize("size", [1, 4087, 16_377, 70_001])
def test_the_padding_of_the_last_record_may_be_missing(
    tmp_path: Path, size: int
) -> None:
    path = tmp_path / "a.rec"
    whole = part(0, b"first") + part(0, payload_of(0, size))
    path.write_bytes(whole[: len(part(0, b"first")) + 8 + size])
    reader = MXRecordIO(path, "r")

    read = [reader.read() for _ in range(4)]

    assert read == [b"first", payload_of(0, size), None, None]


@pytest.mark.parametrize("size", [1000, 50_000])
def test_a_file_cut_while_it_is_open_gives_whole_records_and_then_names_the_place(
    tmp_path: Path, size: int
) -> None:
    payloads = [payload_of(number, size) for number in range(200)]
    _, path, offsets = write_records(tmp_path, payloads)
    reader = MXRecordIO(path, "r")
    read = [reader.read()]
    os.truncate(path, offsets[150] + 500)

    with pytest.raises(DataError, match=r"a\.rec: byte \d+: the file ends") as caught:
        while (record := reader.read()) is not None:
            read.append(record)

    assert read == payloads[: len(read)]
    assert 145 <= len(read) <= 150  # the first read of a record may reach too far
    assert (caught.value.path, caught.value.offset) == (str(path), offsets[len(read)])


@pytest.mark.parametrize("before", [10, 40_000])
def test_damage_between_records_is_named_where_it_is(
    tmp_path: Path, before: int
) -> None:
    path = tmp_path / "a.rec"
    good = part(0, b"g" * before)
    lost = bytearray(part(0, b"lost"))
    lost[0] ^= 1
    path.write_bytes(good + lost + good)
    reader = MXRecordIO(path, "r")

    assert reader.read() == b"g" * before
    with pytest.raises(DataError, match="not a record head") as caught:
        reader.read()

    assert (caught.value.path, caught.value.offset) == (str(path), len(good))


def test_a_length_beyond_the_file_is_refused_before_memory_is_taken(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.rec"
    path.write_bytes(MAGIC + struct.pack("<I", 2**29 - 1) + bytes(100))
    reader = MXRecordIO(path, "r")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(DataError, match="claims 536870911 bytes, 100 are left"):
        reader.read()

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 100_000


def test_threads_reading_one_file_in_order_and_by_key_get_their_own_records(
    tmp_path: Path,
) -> None:
    payloads = [payload_of(n, (n * 37) % 9000) for n in range(300)]
    index, path, offsets = write_records(tmp_path, payloads)
    file = _core.RecordFile(str(path))
    reader = MXIndexedRecordIO(index, path, "r")

    def walk(start: int) -> list[bytes]:
        read, offset = [], offsets[start]
        while (found := file.read(offset)) is not None:
            payload, offset = found
            read.append(payload)
            assert reader.read_idx(start) == payloads[start]
        return read

    with ThreadPoolExecutor(8) as pool:
        walks = list(pool.map(walk, range(0, 300, 10)))

    assert walks == [payloads[start:] for start in range(0, 300, 10)]


def test_forked_children_go_on_in_order_on_their_own(tmp_path: Path) -> None:
    payloads = [payload_of(number, 2700) for number in range(100)]
    index, path, _ = write_records(tmp_path, payloads)
    reader = MXIndexedRecordIO(index, path, "r")
    for number in range(10):
        assert reader.read() == payloads[number]
    fork = multiprocessing.get_context("fork")

    def read_in_child(connection: Any) -> None:
        connection.send(list(iter(reader.read, None)))

    ends = []
    for _ in range(3):
        here, there = fork.Pipe()
        child = fork.Process(target=read_in_child, args=(there,))
        child.start()
        ends.append((here, child))

    for here, child in ends:
        assert here.recv() == payloads[10:]
        child.join()
    assert list(iter(reader.read, None)) == payloads[10:]


def test_closing_while_threads_read_ends_in_whole_records_or_a_value_error(
    tmp_path: Path,
) -> None:
    payloads = [payload_of(number, 5000 + 900 * number) for number in range(60)]
    _, path, offsets = write_records(tmp_path, payloads)

    def walk(file: _core.RecordFile) -> int:
        for number, offset in enumerate(offsets):
            try:
                found = file.read(offset)
            except ValueError:
                return number
            assert found is not None and found[0] == payloads[number]
        return len(offsets)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            file = _core.RecordFile(str(path))
            walks = [pool.submit(walk, file) for _ in range(4)]
            file.close()
            assert all(0 <= done.result() <= len(offsets) for done in walks)

    with pytest.raises(ValueError, match="closed"):
        file.read(0)


def test_what_the_system_refuses_is_an_os_error_that_names_the_file(
    tmp_path: Path,
) -> None:
    _, path, _ = write_records(tmp_path, [b"one", b"two"])
    reader = MXRecordIO(path, "r")
    (descriptor,) = (
        int(name)
        for name in os.listdir("/proc/self/fd")
        if os.path.realpath(f"/proc/self/fd/{name}") == str(path.resolve())
    )
    folder = os.open(tmp_path, os.O_RDONLY)
    os.dup2(folder, descriptor)
    os.close(folder)

    with pytest.raises(OSError, match=r"a\.rec") as caught:
        reader.read()

    assert caught.value.errno == errno.EISDIR
