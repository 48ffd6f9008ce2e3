"""The quality that a JPEG was saved with, judged by its quantisation table."""

from __future__ import annotations

import functools
import struct

import numpy as np
from numpy.typing import NDArray

__all__ = ["jpeg_quality"]

# Annex K of the JPEG standard, table K.1: luminance, row by row.
_STANDARD = (
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)
_SIDE = 8
_DQT, _SOS, _EOI, _FILL = 0xDB, 0xDA, 0xD9, 0xFF
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length


def jpeg_quality(data: bytes) -> int | None:
    """The quality, 1 to 100, whose table is nearest to that of the luminance.

    Exact for files of libjpeg and its kin. None when the data are no JPEG or their
    table is not found.
    """
    table = _luminance_table(data)
    return None if table is None else _nearest(table)


def _luminance_table(data: bytes) -> tuple[int, ...] | None:
    """Quantisation table 0 in zigzag order, from the markers before the first scan."""
    if data[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 4 <= len(data) and data[at] == _FILL:
        marker = data[at + 1]
        if marker == _FILL:  # filling before a marker
            at += 1
            continue
        if marker in _ALONE:
            at += 2
            continue
        if marker in (_SOS, _EOI):
            return None
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker == _DQT:
            table = _table_in(data[at + 4 : at + 2 + length])
            if table is not None:
                return table
        at += 2 + max(length, 2)
    return None


def _table_in(segment: bytes) -> tuple[int, ...] | None:
    """Table 0 of a DQT segment, which may hold several."""
    at = 0
    while at < len(segment):
        wide, number = segment[at] >> 4, segment[at] & 15
        size = 128 if wide else 64
        values = segment[at + 1 : at + 1 + size]
        if len(values) < size:
            return None
        if number == 0:
            return struct.unpack(">64H" if wide else "64B", values)
        at += 1 + size
    return None


@functools.lru_cache(4096)
def _nearest(table: tuple[int, ...]) -> int:
    distances = np.abs(_tables() - np.array(table)).sum(axis=1)
    return 1 + int(distances.argmin())


@functools.cache
def _tables() -> NDArray[np.int64]:
    """The tables of the qualities 1 to 100 as libjpeg scales them, in zigzag order."""
    standard = np.array(_STANDARD)[_zigzag()]
    quality = np.arange(1, 101)[:, np.newaxis]
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    scaled: NDArray[np.int64] = ((standard * percent + 50) // 100).clip(1, 255)
    return scaled


def _zigzag() -> list[int]:
    """Places in a table row by row, in the order of the file: along the diagonals."""
    places = [(row, column) for row in range(_SIDE) for column in range(_SIDE)]
    places.sort(
        key=lambda place: (
            sum(place),
            place[0] if sum(place) % 2 else place[1],
        )
    )
    return [row * _SIDE + column for row, column in places]
