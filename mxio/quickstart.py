"""`mxio quickstart`: pack pictures, load them through every face, look at them."""

import importlib.resources
import importlib.util
import io
import math
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mxio import im2rec, image
from mxio._atomic import PendingFile, publish
from mxio._lists import readable
from mxio._options import Options
from mxio._sheet import Row, contact_sheet
from mxio.adapters.numpy import ImageRecordLoader
from mxio.errors import MxioError
from mxio.io import ImageRecordIter

__all__ = ["pack_samples", "run"]

SIDE = 224
BATCH = 64
AUGMENTATION: Options = {
    "random_resized_crop": True,
    "min_random_area": 0.08,
    "max_random_area": 1.0,
    "min_aspect_ratio": 3 / 4,
    "max_aspect_ratio": 4 / 3,
    "rand_mirror": True,
}
NORMALISATION: Options = {
    "mean_r": 123.68,
    "mean_g": 116.28,
    "mean_b": 103.53,
    "std_r": 58.395,
    "std_g": 57.12,
    "std_b": 57.375,
}
# A look at a large folder must not take longer than a look at a small one.
PICTURES_MAX = 1000
BYTES_MAX = 200 * 1024 * 1024
# Long enough for the threads to get under way, short enough to fit into a turn.
EPOCH_SECONDS = 0.2
TURN_SECONDS = 0.3
ROUNDS = 7
SHEET_ROWS = 8
SHEET_EPOCHS = 6


@dataclass(frozen=True)
class Picture:
    """One picture of a list: its line there, its class, and its file's bytes."""

    line: str
    kind: str
    encoded: bytes

    @property
    def id(self) -> int:
        return int(self.line.partition("\t")[0])


def pack_samples(directory: str | Path) -> tuple[Path, Path, Path]:
    """Pack the bundled pictures into `directory`, which must exist.

    Gives the paths of samples.rec, samples.idx and samples.lst: 40 JPEGs of 5 classes,
    labels 0 to 4, ids 0 to 39, in the order of their names. OSError when a file cannot
    be written.
    """
    lst = Path(directory) / "samples.lst"
    with bundled() as root:
        make_list(root, lst)
        rec = pack(root, lst)
    return rec, rec.with_suffix(".idx"), lst


def run(images: Path | None, out: Path, threads: int) -> None:
    """Do all that `mxio quickstart` does, and print what came of it.

    `images` is a folder of pictures, flat or with a folder for each class; None takes
    the bundled ones. The contact sheet goes to `out`, a PNG whatever its name. OSError
    when a file cannot be read or written, MxioError when there is nothing to load.
    """
    folder = out.absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(f"cannot write {out}: there is no folder {folder}")
    with tempfile.TemporaryDirectory(prefix="mxio-") as name, bundled() as samples:
        scratch = Path(name)
        root = samples if images is None else images
        pictures = choose(root, scratch / "all.lst")
        rec = pack_chosen(pictures, root, scratch / "pictures.lst")
        print(f"Packed {counted(pictures)}: {megabytes(rec.stat().st_size)}\n")
        compare(pictures, rec, threads)
        credit = credit_line() if images is None else ""
        sheet(pictures, root, scratch, out, threads, credit)
    print(f"\nWrote {out}: the same pictures, as training sees them.")


# Pictures.


@contextmanager
def bundled() -> Iterator[Path]:
    """The folder of the sample pictures that come with the package."""
    data = importlib.resources.files("mxio") / "data"
    with importlib.resources.as_file(data / "samples") as folder:
        yield folder


def credit_line() -> str:
    """Who made the sample pictures, from the table in data/CREDITS.md."""
    data = importlib.resources.files("mxio") / "data"
    lines = (data / "CREDITS.md").read_text("utf-8").splitlines()
    _, _, *rows = [line.strip("| ").split(" | ") for line in lines if line[:1] == "|"]
    given = (f"{kind} by {author} ({terms})" for kind, _, author, terms in rows)
    return f"Pictures: {', '.join(given)}."


def make_list(root: Path, lst: Path) -> None:
    """List the pictures below `root`, in the order of their names."""
    im2rec.make_list(lst.with_suffix(""), root, recursive=True, shuffle=False)


def pack(root: Path, lst: Path) -> Path:
    """Pack a list, every file as it is; the path of the .rec."""
    im2rec.pack_list(lst, root, pass_through=True)
    return lst.with_suffix(".rec")


def pack_chosen(pictures: Sequence[Picture], root: Path, lst: Path) -> Path:
    """Write the list of some pictures and pack it."""
    lines = "".join(picture.line for picture in pictures)
    lst.write_text(lines, "utf-8", "surrogateescape")
    return pack(root, lst)


def choose(root: Path, lst: Path) -> list[Picture]:
    """The pictures below `root`, or a part of them spread evenly over a large folder.

    Those that cannot be decoded are named and left out.
    """
    if not root.is_dir():
        raise NotADirectoryError(f"{root} is no folder; --images takes one of pictures")
    make_list(root, lst)
    with lst.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        lines = file.readlines()
    some = lines[:: math.ceil(len(lines) / PICTURES_MAX)]
    size = sum((root / name_of(line)).stat().st_size for line in some)
    some = some[:: math.ceil(size / BYTES_MAX) or 1]
    pictures = []
    for line in some:
        name = name_of(line)
        encoded = (root / name).read_bytes()
        try:
            image.imdecode(encoded)
        except MxioError as error:
            print(f"Left out {readable(name)}: {error}")
            continue
        folder = str(Path(name).parent)
        kind = root.resolve().name if folder == "." else folder
        pictures.append(Picture(line, readable(kind), encoded))
    if not pictures:
        raise MxioError(f"{root} holds no JPEG or PNG that can be decoded")
    if len(pictures) < len(lines):
        print(f"Of {len(lines)} pictures in {root}, {len(pictures)} are used.")
    return pictures


def name_of(line: str) -> str:
    """The path at the end of a line of a list."""
    return line.rstrip("\n").rpartition("\t")[2]


def counted(pictures: Sequence[Picture]) -> str:
    """How many pictures, of which classes."""
    kinds = list(dict.fromkeys(picture.kind for picture in pictures))
    shown = kinds[:SHEET_ROWS] + ["..."] * (len(kinds) > SHEET_ROWS)
    classes = "1 class" if len(kinds) == 1 else f"{len(kinds)} classes"
    return f"{len(pictures)} pictures of {classes} ({', '.join(shown)})"


def megabytes(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / 1e6:.1f} MB"


# Speed.


@dataclass
class Contender:
    """Somebody who can go through all records once, and the speeds measured so far."""

    name: str
    epoch: Callable[[], int]
    rates: list[float]

    def turn(self, seconds: float) -> None:
        """Whole epochs for at least that long."""
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            count += self.epoch()
        self.rates.append(count / (time.perf_counter() - start))


def compare(pictures: Sequence[Picture], rec: Path, threads: int) -> None:
    """Measure the decoder and every face in turns, and print a table."""
    encoded = [picture.encoded for picture in pictures]
    start = time.perf_counter()
    decode_all(encoded, threads)
    repeat = math.ceil(EPOCH_SECONDS / (time.perf_counter() - start))
    decoder = Contender(
        "plain full decode", lambda: decode_all(encoded * repeat, threads), []
    )
    options: Options = {
        **AUGMENTATION,
        **NORMALISATION,
        "path_imgrec": ";".join([str(rec)] * repeat),
        "data_shape": (3, SIDE, SIDE),
        "batch_size": BATCH,
        "shuffle": True,
        "preprocess_threads": threads,
    }
    contenders = [decoder, *faces(options)]
    print(
        "Loading: records are read and decoded, a random crop of 8 to 100 % of\n"
        f"the area is resized to {SIDE} x {SIDE}, mirrored at random, normalised;\n"
        f"shuffled float32 batches of {BATCH}. Plain full decode: the same pictures,\n"
        "in memory already, become pixels by OpenCV, whose JPEGs are libjpeg-turbo's,\n"
        "and that is all.\n"
        f"{threads} threads each, in turns: median of {ROUNDS} turns of at least "
        f"{TURN_SECONDS} s;\nan epoch is {len(pictures) * repeat} pictures.\n"
    )
    for contender in contenders:
        contender.epoch()
    for _ in range(ROUNDS):
        for contender in contenders:
            contender.turn(TURN_SECONDS)
    print(f"{'':40}  images/s   of the decode")
    for contender in contenders:
        rate = statistics.median(contender.rates)
        pairs = zip(contender.rates, decoder.rates, strict=True)
        share = statistics.median(own / plain for own, plain in pairs)
        print(f"{contender.name:40}  {rate:8.0f}  {share:14.0%}")
    if importlib.util.find_spec("torch") is None:
        print("mxio.adapters.torch is left out: torch is not installed")


def decode_all(encoded: Sequence[bytes], threads: int) -> int:
    """Decode everything in full on that many threads; how many images."""
    shared = iter([np.frombuffer(picture, np.uint8) for picture in encoded])

    def work() -> None:
        for picture in shared:
            cv2.imdecode(picture, cv2.IMREAD_COLOR)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return len(encoded)


def faces(options: Options) -> Iterator[Contender]:
    """Every face of mxio that can be used here, each over the same records."""
    iterator = ImageRecordIter(**options, round_batch=False)

    def io_epoch() -> int:
        iterator.reset()
        return sum(len(batch.data[0]) - (batch.pad or 0) for batch in iterator)

    yield Contender("mxio.io.ImageRecordIter", io_epoch, [])
    loader = ImageRecordLoader(**options, last_batch="partial")
    yield Contender(
        "mxio.adapters.numpy.ImageRecordLoader",
        lambda: sum(len(batch.data) for batch in loader),
        [],
    )
    if importlib.util.find_spec("torch") is not None:
        from torch.utils.data import DataLoader

        from mxio.adapters.torch import ImageRecordDataset

        batches: DataLoader[Any] = DataLoader(
            ImageRecordDataset(**options, last_batch="partial"), batch_size=None
        )
        yield Contender(
            "mxio.adapters.torch.ImageRecordDataset",
            lambda: sum(len(data) for data, _ in batches),
            [],
        )


# The contact sheet.


def sheet(
    pictures: Sequence[Picture],
    root: Path,
    scratch: Path,
    out: Path,
    threads: int,
    credit: str,
) -> None:
    """Draw the first picture of each class, and what the first epochs make of it."""
    firsts: dict[str, Picture] = {}
    for picture in pictures:
        firsts.setdefault(picture.kind, picture)
    shown = list(firsts.values())[:: math.ceil(len(firsts) / SHEET_ROWS)]
    rec = pack_chosen(shown, root, scratch / "sheet.lst")
    samples: dict[int, list[np.ndarray[Any, np.dtype[np.uint8]]]]
    samples = {picture.id: [] for picture in shown}
    options: Options = {
        **AUGMENTATION,
        "path_imgrec": rec,
        "data_shape": (3, SIDE, SIDE),
        "batch_size": len(shown),
        "layout": "NHWC",
        "preprocess_threads": threads,
    }
    with ImageRecordLoader(**options, dtype="uint8") as loader:
        for _ in range(SHEET_EPOCHS):
            for batch in loader:
                for key, pixels in zip(batch.index, batch.data, strict=True):
                    samples[int(key)].append(pixels)
    rows = [
        Row(picture.kind, image.imdecode(picture.encoded), samples[picture.id])
        for picture in shown
    ]
    each = "each class"
    if len(shown) < len(firsts):
        each = f"{len(shown)} of the {len(firsts)} classes"
    drawn = contact_sheet(
        "mxio quickstart",
        f"A picture of {each}, and what training sees of it in its first "
        f"{SHEET_EPOCHS} epochs: random_resized_crop to {SIDE} x {SIDE}, 8 to 100 % of "
        "the area, ratio 3/4 to 4/3, rand_mirror.",
        ["original", *(f"epoch {number}" for number in range(SHEET_EPOCHS))],
        rows,
        credit,
    )
    encoded = io.BytesIO()
    drawn.save(encoded, "PNG")
    file = PendingFile(str(out))
    file.write(encoded.getvalue())
    publish(file)
