"""The data of the benchmarks, from a folder of photographs.

    python -m bench.make_data PHOTOS DATA [--times 9]

Every JPEG below PHOTOS is packed `--times` times over, in one seeded order, as it is
(photos.rec) and with the shorter edge at 256 (photos256.rec); the files themselves, for
peers that read files, are named in photos.txt, one line a record. Both are repacked,
too (photos_repacked.rec). Squares cut out of the photographs become 32x32 pictures
(tiny_png.rec, tiny_jpg.rec) and what stands for digits, 28x28 in MNIST's format.
million.rec has the first of the squares a million times, smaller still, for what it
takes to begin.
"""

import argparse
import random
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from bench.contender import REPACKED
from mxio import repack
from mxio.im2rec import make_list, pack_list
from mxio.recordio import IRHeader, MXIndexedRecordIO, pack_img

SEED = 20261123
SHORT_SIDE, SHORT_SIDE_QUALITY = 256, 95
TINY, TINY_SIDE, TINY_CLASSES = 10_000, 32, 10
DIGITS, DIGIT_SIDE = 60_000, 28
PNG_LEVEL, JPEG_QUALITY = 6, 95
MILLION, MILLION_SIDE = 1_000_000, 16
CUT = (0.15, 0.8)  # side of a square, as a share of the photograph's shorter edge


def list_photos(photos: Path, data: Path, times: int) -> list[str]:
    """Write photos.lst and photos.txt; the lines of the list, without ids."""
    make_list(data / "once", photos, exts=[".jpg", ".jpeg"], recursive=True)
    once = data / "once.lst"
    lines = [line.split("\t", 1)[1] for line in once.read_text().splitlines()] * times
    once.unlink()
    random.Random(SEED).shuffle(lines)
    (data / "photos.lst").write_text(
        "".join(f"{number}\t{line}\n" for number, line in enumerate(lines))
    )
    files = [photos.resolve() / line.rpartition("\t")[2] for line in lines]
    (data / "photos.txt").write_text("".join(f"{file}\n" for file in files))
    return lines


def pack_photos(photos: Path, data: Path) -> None:
    """photos.rec and photos256.rec, with indices, and both repacked."""
    names = data / "photos.lst"
    pack_list(names, photos, data / "photos.rec", pass_through=True, progress=True)
    pack_list(
        names,
        photos,
        data / "photos256.rec",
        resize=SHORT_SIDE,
        quality=SHORT_SIDE_QUALITY,
        progress=True,
    )
    for name in ("photos", "photos256"):
        repack(data / f"{name}.rec", data / f"{name}{REPACKED}.rec", progress=True)


def squares(
    photos: Path, files: Sequence[str], count: int, side: int
) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """Pictures of side x side, blue first, each with the number of its photograph."""
    rng = np.random.default_rng([SEED, side])
    per_photo = -(-count // len(files))
    made = 0
    for number, file in enumerate(files):
        image = cv2.imread(str(photos / file))
        if image is None:
            raise SystemExit(f"{photos / file}: OpenCV cannot read it")
        height, width = image.shape[:2]
        for _ in range(min(per_photo, count - made)):
            cut = int(rng.uniform(*CUT) * min(height, width))
            y, x = rng.integers(height - cut + 1), rng.integers(width - cut + 1)
            part = image[y : y + cut, x : x + cut]
            small = cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)
            yield np.asarray(small, np.uint8), number
            made += 1


def write_tiny(photos: Path, files: Sequence[str], data: Path) -> None:
    """tiny_png.rec and tiny_jpg.rec: the same 32x32 pictures in the same order."""
    made = list(squares(photos, files, TINY, TINY_SIDE))
    random.Random(SEED).shuffle(made)
    for name, suffix, quality in (
        ("tiny_png", ".png", PNG_LEVEL),
        ("tiny_jpg", ".jpg", JPEG_QUALITY),
    ):
        index, rec = data / f"{name}.idx", data / f"{name}.rec"
        with MXIndexedRecordIO(str(index), str(rec), "w") as writer:
            for key, (image, number) in enumerate(tqdm(made, desc=name, disable=None)):
                header = IRHeader(0, float(number % TINY_CLASSES), key, 0)
                packed = pack_img(header, image, quality=quality, img_fmt=suffix)
                writer.write_idx(key, packed)


def write_million(photos: Path, files: Sequence[str], data: Path) -> None:
    """A record for each of a million keys."""
    image, _ = next(squares(photos, files, 1, MILLION_SIDE))
    packed = pack_img(IRHeader(0, 0.0, 0, 0), image, img_fmt=".jpg")
    index, rec = data / "million.idx", data / "million.rec"
    with MXIndexedRecordIO(str(index), str(rec), "w") as writer:
        for key in tqdm(range(MILLION), desc="million", disable=None):
            writer.write_idx(key, packed)


def write_digits(photos: Path, files: Sequence[str], folder: Path) -> None:
    """MNIST's two training files."""
    folder.mkdir(exist_ok=True)
    labels = bytearray()
    with (folder / "images-idx3-ubyte").open("wb") as out:
        out.write(struct.pack(">4i", 2051, DIGITS, DIGIT_SIDE, DIGIT_SIDE))
        for image, number in squares(photos, files, DIGITS, DIGIT_SIDE):
            out.write(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).tobytes())
            labels.append(number % 10)
    head = struct.pack(">2i", 2049, DIGITS)
    (folder / "labels-idx1-ubyte").write_bytes(head + labels)


def main() -> None:
    """Make everything; nothing is made twice."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path, help="a folder of JPEGs")
    parser.add_argument("data", type=Path, help="where the files go")
    parser.add_argument("--times", type=int, default=9, help="repetitions (9)")
    given = parser.parse_args()
    given.data.mkdir(parents=True, exist_ok=True)
    lines = list_photos(given.photos, given.data, given.times)
    files = sorted({line.rpartition("\t")[2] for line in lines})
    pack_photos(given.photos, given.data)
    write_tiny(given.photos, files, given.data)
    write_million(given.photos, files, given.data)
    write_digits(given.photos, files, given.data / "mnist")


if __name__ == "__main__":
    main()
