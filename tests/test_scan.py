"""Headers of all records, without the pictures."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from mxio import DataError, _core
from mxio._scan import Heads, Records
from tests.conftest import record, write_rec


def joined(parts: list[Heads]) -> Heads:
    return Heads(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def test_a_scan_tells_what_was_packed(tmp_path: Path) -> None:
    payloads = [
        record(b"abc", 7.5, 40),
        record(b"", [1.0, 2.0], 41),
        record(bytes(100_000), [3.0, 4.0, 5.0], 42),
    ]
    rec, idx, offsets = write_rec(tmp_path, payloads)

    heads = joined(list(Records([str(rec)], str(idx)).scan(width=2)))

    assert heads.ordinal.tolist() == [0, 1, 2]
    assert heads.key is not None and heads.key.tolist() == [0, 1, 2]
    assert heads.id.tolist() == [40, 41, 42]
    assert heads.flag.tolist() == [0, 2, 3]
    np.testing.assert_array_equal(heads.label, [[7.5, np.nan], [1, 2], [3, 4]])
    assert heads.size.tolist() == [3, 0, 100_000]
    assert heads.offset.tolist() == offsets


def test_a_scan_of_many_records_comes_in_parts_with_and_without_an_index(
    tmp_path: Path,
) -> None:
    rec, idx, offsets = write_rec(
        tmp_path, (record(b"", float(i), i) for i in range(70_000))
    )

    parts = list(Records([str(rec)]).scan())
    indexed = joined(list(Records([str(rec)], str(idx)).scan()))

    assert [len(part.id) for part in parts] == [65_536, 4_464]
    assert all(part.key is None for part in parts)
    for column in ("ordinal", "id", "offset"):
        both = np.concatenate([getattr(part, column) for part in parts])
        expected = offsets if column == "offset" else range(70_000)
        np.testing.assert_array_equal(both, expected)
        np.testing.assert_array_equal(getattr(indexed, column), expected)


def test_keys_belong_to_records_in_file_order_whatever_the_order_of_the_index(
    tmp_path: Path,
) -> None:
    rec, idx, offsets = write_rec(tmp_path, [record(b"a", 0, i) for i in range(4)])
    lines = [f"{50 - i}\t{offset}\n" for i, offset in enumerate(offsets)]
    idx.write_text(lines[2] + lines[0] + lines[3] + lines[1])

    heads = Records([str(rec)], str(idx)).heads(np.array([3, 0], np.uint64))

    assert heads.key is not None and heads.key.tolist() == [47, 50]
    assert heads.id.tolist() == [3, 0]


def test_records_of_several_files_are_counted_through(tmp_path: Path) -> None:
    first, _, _ = write_rec(tmp_path, [record(b"a", 0, 1), record(b"b", 0, 2)], "a")
    second, _, _ = write_rec(tmp_path, [record(b"c", 0, 3)], "b")

    records = Records([str(first), str(second)])

    assert records.count() == 3
    assert records.heads(np.array([2], np.uint64)).id.tolist() == [3]
    assert records.read(2)[24:] == b"c"
    size = os.path.getsize(first)
    assert records.heads(np.array([2], np.uint64)).offset.tolist() == [size]


def test_an_ordinal_behind_the_last_record_is_an_index_error(tmp_path: Path) -> None:
    rec, idx, _ = write_rec(tmp_path, [record(b"a")])

    with pytest.raises(IndexError, match="no record 1"):
        Records([str(rec)], str(idx)).heads(np.array([0, 1], np.uint64))
    with pytest.raises(DataError, match="no such record") as caught:
        Records([str(rec)], str(idx)).read(1)

    assert caught.value.record == 1


def test_damage_names_file_record_and_byte(tmp_path: Path) -> None:
    rec, idx, offsets = write_rec(tmp_path, [record(b"abc")] * 3)
    content = bytearray(rec.read_bytes())
    content[offsets[1] : offsets[1] + 4] = b"\0\0\0\0"
    rec.write_bytes(content)

    for path in (None, str(idx)):
        with pytest.raises(DataError) as caught:
            list(Records([str(rec)], path).scan())

        assert caught.value.path == str(rec)
        assert (caught.value.record, caught.value.offset) == (1, offsets[1])


def test_more_labels_than_there_is_room_for_are_damage(tmp_path: Path) -> None:
    payload = struct.pack("<IfQQ", 5, 0, 9, 0) + b"only16bytesthere"
    rec, _, _ = write_rec(tmp_path, [record(b"abc"), payload])

    with pytest.raises(DataError, match="5 labels, there is room for 4") as caught:
        list(Records([str(rec)]).scan())

    assert caught.value.record == 1


def test_an_index_of_other_files_is_named(tmp_path: Path) -> None:
    rec, idx, _ = write_rec(tmp_path, [record(b"abc")])
    idx.write_text("0\t4\n")

    with pytest.raises(DataError, match="no record starts at byte 4") as caught:
        Records([str(rec)], str(idx))

    assert caught.value.path == str(idx)


def test_a_missing_file_or_index_is_a_file_not_found_error(tmp_path: Path) -> None:
    rec, idx, _ = write_rec(tmp_path, [record(b"abc")])

    with pytest.raises(FileNotFoundError):
        Records([str(tmp_path / "no.rec")])
    with pytest.raises(FileNotFoundError):
        Records([str(rec)], str(idx) + "x")


def test_payloads_are_read_by_ordinal(tmp_path: Path) -> None:
    magic = struct.pack("<I", 0xCED7230A)
    payloads = [b"", b"plain", b"1234" + magic + b"5", bytes(3_000_000)]
    rec, _, _ = write_rec(tmp_path, payloads)

    records = Records([str(rec)])

    assert [records.read(i) for i in (3, 0, 2, 1)] == [
        payloads[i] for i in (3, 0, 2, 1)
    ]


@pytest.mark.parametrize(("rows", "width"), [(-1, 1), (2**20 + 1, 1), (1, 0)])
def test_the_core_bounds_what_one_call_takes(
    tmp_path: Path, rows: int, width: int
) -> None:
    rec, _, _ = write_rec(tmp_path, [record(b"abc")])

    with pytest.raises(ValueError, match="rows must be in"):
        _core.RecordSet([str(rec)], None, None).heads(0, rows, width)
