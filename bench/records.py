"""RecordIO, read with nothing but the standard library: for peers, and for counting."""

import mmap
import struct
from pathlib import Path

MAGIC = b"\x0a\x23\xd7\xce"
LENGTH_BITS = 29
LABEL_HEAD = struct.Struct("<IfQQ")


def record_spans(path: Path) -> list[tuple[int, int]]:
    """(offset, size) of every record, with all parts of split ones."""
    starts = []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as m:
        size, offset = len(m), 0
        while offset < size:
            if m[offset : offset + 4] != MAGIC:
                raise SystemExit(f"{path}: there is no record head at byte {offset}")
            word = int.from_bytes(m[offset + 4 : offset + 8], "little")
            if word >> LENGTH_BITS in (0, 1):
                starts.append(offset)
            offset += 8 + (word % (1 << LENGTH_BITS) + 3) // 4 * 4
    if offset != size:
        raise SystemExit(f"{path}: the file ends inside its last record")
    ends = [*starts[1:], size]
    return [(start, end - start) for start, end in zip(starts, ends, strict=True)]


def image_of(record: bytes) -> bytes:
    """The image file in one record, its parts joined by the magic number."""
    parts, offset = [], 0
    while offset < len(record):
        word = int.from_bytes(record[offset + 4 : offset + 8], "little")
        length = word % (1 << LENGTH_BITS)
        parts.append(record[offset + 8 : offset + 8 + length])
        offset += 8 + (length + 3) // 4 * 4
    payload = parts[0] if len(parts) == 1 else MAGIC.join(parts)
    flag = LABEL_HEAD.unpack_from(payload)[0]
    return payload[LABEL_HEAD.size + 4 * flag :]
