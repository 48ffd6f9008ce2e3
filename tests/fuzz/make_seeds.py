"""Writes small valid inputs: make_seeds.py TARGET FOLDER.

They are made by Pillow, struct and zlib, not by mxio.
"""

import gzip
import io
import struct
import sys
import zlib
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from PIL import Image

MAGIC = struct.pack("<I", 0xCED7230A)
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def picture(mode: str, width: int = 37, height: int = 29) -> Image.Image:
    """Random blocks of 4 x 4 pixels: edges and flat areas."""
    rng = np.random.default_rng(7)
    bands = len(Image.new(mode, (1, 1)).getbands())
    blocks = rng.integers(0, 256, (height // 4 + 1, width // 4 + 1, bands), np.uint8)
    pixels = blocks.repeat(4, 0).repeat(4, 1)[:height, :width].squeeze()
    return Image.frombytes(mode, (width, height), pixels.tobytes())


def jpegs() -> Iterator[bytes]:
    def save(image: Image.Image, **options: object) -> bytes:
        out = io.BytesIO()
        image.save(out, "JPEG", **options)
        return out.getvalue()

    for mode, progressive in product(["L", "RGB", "CMYK"], [False, True]):
        yield save(picture(mode), progressive=progressive)
    for subsampling in ["4:4:4", "4:2:2", "4:2:0"]:
        yield save(picture("RGB"), subsampling=subsampling)
    yield save(picture("RGB"), restart_marker_blocks=2)
    yield save(picture("RGB"), restart_marker_rows=1, progressive=True)
    yield save(picture("L", 1, 1))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield save(picture("RGB"), exif=exif)
    yield from first_scans(save(picture("RGB"), progressive=True))
    yield without_huffman_tables(save(picture("RGB")))


def segments(jpeg: bytes) -> list[bytes]:
    """The file cut before each marker that starts a segment."""
    starts = [
        at
        for at in range(len(jpeg) - 1)
        if jpeg[at] == 0xFF
        and jpeg[at + 1] >= 0xC0
        and not 0xD0 <= jpeg[at + 1] <= 0xD7
    ]
    return [jpeg[a:b] for a, b in pairwise([*starts, len(jpeg)])]


def first_scans(progressive: bytes) -> Iterator[bytes]:
    """The picture with its later refinements left out: whole, but coarse."""
    parts = segments(progressive)
    scans = [number for number, part in enumerate(parts) if part[1] == 0xDA]
    for scan in scans[:-1]:
        yield b"".join(parts[: scan + 1]) + b"\xff\xd9"


def without_huffman_tables(jpeg: bytes) -> bytes:
    """As in Motion JPEG, where the tables of the standard are understood."""
    return b"".join(part for part in segments(jpeg) if part[1] != 0xC4)


def baselines() -> Iterator[bytes]:
    """Pictures that our own entropy decoding takes, some of them slightly wrong."""

    def save(mode: str, **options: object) -> bytes:
        out = io.BytesIO()
        picture(mode).save(out, "JPEG", **options)
        return out.getvalue()

    for mode, quality, optimize in product(["L", "RGB", "CMYK"], [30, 98], [0, 1]):
        yield save(mode, quality=quality, optimize=bool(optimize))
    for subsampling, blocks in product(["4:4:4", "4:2:2", "4:2:0"], [1, 2, 3, 5]):
        yield save("RGB", subsampling=subsampling, restart_marker_blocks=blocks)
    jpeg = save("RGB", restart_marker_blocks=2)
    yield jpeg.replace(b"\xff\xd1", b"stray\xff\xd1")
    yield jpeg.replace(b"\xff\xd1", b"\xff\xff\xd1")
    yield jpeg.replace(b"\xff\xd1", b"")
    yield jpeg.replace(b"\xff\xd1", b"\xff\xd2")
    yield jpeg[:-2]


def chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def png(
    colour: int, bits: int, interlaced: bool, width: int = 13, height: int = 11
) -> bytes:
    """A PNG of any kind, of random samples, rows with filters 0 to 4 in turn."""
    rng = np.random.default_rng(7)
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    steps = [(8, 8, 0, 0), (8, 8, 4, 0), (4, 8, 0, 4), (4, 4, 2, 0), (2, 4, 0, 2)]
    steps += [(2, 2, 1, 0), (1, 2, 0, 1)]
    rows = b""
    for across, down, x, y in steps if interlaced else [(1, 1, 0, 0)]:
        columns = len(range(x, width, across))
        size = (columns * samples * bits + 7) // 8
        for i, _ in enumerate(range(y, height, down) if columns else []):
            rows += bytes([i % 5]) + rng.bytes(size)
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    palette = chunk(b"PLTE", rng.bytes(3 << bits)) + chunk(b"tRNS", b"\x00\x80")
    return (
        SIGNATURE
        + chunk(b"IHDR", header)
        + (palette if colour == 3 else b"")
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def pngs() -> Iterator[bytes]:
    kinds = {0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16]}
    for colour, depths in kinds.items():
        for bits, interlaced in product(depths, [False, True]):
            yield png(colour, bits, interlaced)
    for mode in ["L", "RGB", "P", "RGBA"]:
        out = io.BytesIO()
        picture(mode, 40, 9).save(out, "PNG", icc_profile=b"no profile")
        yield out.getvalue()


def part(kind: int, payload: bytes) -> bytes:
    head = MAGIC + struct.pack("<I", kind << 29 | len(payload))
    return head + payload + bytes(-len(payload) % 4)


def recordios() -> Iterator[bytes]:
    plain = struct.pack("<IfQQ", 0, 1.5, 7, 0) + b"picture"
    labels = struct.pack("<IfQQ3f", 3, 0.0, 8, 0, 1.0, 2.0, 3.0) + b"picture"
    yield b""
    yield part(0, b"")
    yield part(0, plain)
    yield part(0, plain) + part(0, labels)
    yield part(1, b"four") + part(2, b"") + part(3, b"end") + part(0, plain)
    yield b"four" + MAGIC + MAGIC + b"end"
    yield b"0\t0\n1\t48\n-5 18446744073709551615\n"


def texts() -> Iterator[bytes]:
    yield b"1,2,3\n4.5,-6e-3,.5\r\n\n7,8,9"
    yield b"-9223372036854775808,2147483647\r0,1\r"
    yield b"inf,-nan,1e400\n0.1000000000000000055511151231257827,1e-45,2\n"
    yield b"1 0:0.5 2:1.2 # words\n-2\n# words\n3.5 qid:4 1:-1e5\n"
    yield b"\xef\xbb\xbf 1 , 2\t\n,\n"
    yield b"2.4703282292062327208e-324"
    yield b"1.0000000596046447753906251\n"


def idxs() -> Iterator[bytes]:
    labels = struct.pack(">2I", 2049, 5) + bytes(range(5))
    images = struct.pack(">4I", 2051, 3, 2, 4) + bytes(range(24))
    for plain in (labels, images):
        yield plain
        yield gzip.compress(plain, mtime=0)
        yield gzip.compress(plain[:9], mtime=0) + gzip.compress(plain[9:], mtime=0)
        yield gzip.compress(plain, 0, mtime=0) + bytes(9)


def main() -> None:
    target, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {
        "entropy": baselines,
        "idx": idxs,
        "jpeg": jpegs,
        "marks": recordios,
        "png": pngs,
        "recordio": recordios,
        "rows": texts,
        "transcode": jpegs,
    }
    seeds = kinds[target]()
    for number, seed in enumerate(seeds):
        (folder / f"seed{number:02}").write_bytes(seed)


if __name__ == "__main__":
    main()
