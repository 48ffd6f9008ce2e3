"""`mxio bench`: how fast a file loads on this machine, and what limits that."""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mxio.errors import DataError, ParameterError
from mxio.params import TABLE
from mxio.tools._augmentation import add_augmentation, augmentation_given
from mxio.tools._command import Exit, add_json, new_parser, print_json

if TYPE_CHECKING:
    from mxio._scan import Records
    from mxio.loader import ImageLoader
    from mxio.tools._command import Commands

__all__ = ["BenchReport", "Rate", "add_parser", "bench", "run"]

_SAMPLE = 256  # pictures that decoding is measured with
_SAMPLE_BYTES = 64 << 20
_PIECE = 1 << 22
_EPOCH = 16  # batches that an epoch has at least: a small file is read repeatedly
_NEAR = 0.8  # of a limit: what comes that close is limited by it


@dataclass(frozen=True)
class Rate:
    """Images per second with so many threads."""

    threads: int
    loader: float
    decode: float


@dataclass(frozen=True)
class BenchReport:
    """What `bench` measured.

    records, bytes: of the file. picture_bytes, picture_pixels: means over a sample.
    read_rate: bytes per second of plain reading, now (`cached`: the share that was in
    memory before, None when the system does not tell). rates: for each number of
    threads. cores: those that this process may use. limit: "decoding", "reading",
    "augmentation" or "threads"; why: one sentence on it.
    """

    path: str
    records: int
    bytes: int
    picture_bytes: float
    picture_pixels: float
    read_rate: float
    cached: float | None
    cores: int
    rates: list[Rate]
    limit: str
    why: str


def bench(
    path_imgrec: str | os.PathLike[str],
    *,
    threads: Sequence[int] | None = None,
    seconds: float = 2.0,
    batch_size: int = 64,
    **augmentation: Any,
) -> BenchReport:
    """Measure reading, plain decoding, and the loader with its augmentation.

    threads: the numbers to try; None tries 1, 2, 4, ... up to the cores. seconds: for
    each measurement. augmentation: options of ImageRecordIter; data_shape is
    (3, 224, 224) unless given.

    Decoding is that of whole pictures from memory, by as many threads as the loader
    has; a loader that crops need not decode all of a picture, and can be faster. Raises
    ParameterError and TypeError for wrong arguments, DataError, naming the record, for
    a damaged file, OSError.
    """
    from mxio._cores import cores
    from mxio._files import resolve
    from mxio._scan import Records
    from mxio.tools._cache import cached_share

    path = os.fspath(path_imgrec)
    available = cores()
    numbers = _doublings(available) if threads is None else list(threads)
    most = TABLE["preprocess_threads"].high
    for number in numbers or [0]:
        if not 1 <= number <= most:
            raise ParameterError(f"threads must be in [1, {most}], got {number}")
    if not 0 < seconds <= 3600:
        raise ParameterError(f"seconds must be in (0, 3600], got {seconds}")
    files = resolve(path)
    records = Records(files)
    count = records.count()
    size = sum(os.path.getsize(file) for file in files)
    load = _Loading(files, count, batch_size, augmentation)
    load.check()
    cached = cached_share(files)
    pictures, pixels = _sample(records)
    read_rate = _read_rate(files, seconds)
    rates = [
        Rate(
            number, load.rate(number, seconds), _decode_rate(pictures, number, seconds)
        )
        for number in numbers
    ]
    limit, why = explain(rates, available, read_rate, size / count)
    return BenchReport(
        path,
        count,
        size,
        sum(map(len, pictures)) / len(pictures),
        pixels,
        read_rate,
        cached,
        available,
        rates,
        limit,
        why,
    )


def explain(
    rates: Sequence[Rate], cores: int, read_rate: float, record_bytes: float
) -> tuple[str, str]:
    """What limits the fastest of the rates, as a word and as a sentence."""
    best = max(rates, key=lambda rate: rate.loader)
    needed = best.loader * record_bytes
    if needed > _NEAR * read_rate:
        return "reading", (
            f"{needed / 1e6:.0f} of {read_rate / 1e6:.0f} MB/s that can be read are "
            "taken: a faster disk, or more memory for its cache, would help"
        )
    most = max(rate.threads for rate in rates)
    if most < cores:
        return "threads", (
            f"there are {cores} cores, and at most {most} of them were asked for: "
            "more threads would help"
        )
    share = best.loader / best.decode
    if share >= _NEAR:
        return "decoding", (
            f"the loader does {share:.0%} of what plain decoding with as many threads "
            "does: more cores or smaller pictures would help"
        )
    return "augmentation", (
        f"plain decoding alone would be {1 / share:.1f} times as fast: "
        "a smaller data_shape or a simpler augmentation would help, and more cores"
    )


def _doublings(most: int) -> list[int]:
    """1, 2, 4, ... and the most."""
    powers = [1 << power for power in range(most.bit_length())]
    return [number for number in powers if number < most] + [most]


def _sample(records: Records) -> tuple[list[bytes], float]:
    """Some pictures, evenly spread over the file, and their mean number of pixels."""
    from mxio.recordio import unpack
    from mxio.tools._gallery import decoded

    count = records.count()
    pictures: list[bytes] = []
    pixels, total = 0, 0
    for ordinal in range(0, count, math.ceil(count / _SAMPLE)):
        payload = records.read(ordinal)  # names the record by itself
        try:
            _, data = unpack(payload)
            height, width, _ = decoded(data).shape
        except DataError as error:
            place = f"{records.files[0]}: record {ordinal}"
            raise DataError(f"{place}: {error}", records.files[0], ordinal) from None
        pictures.append(data)
        pixels += height * width
        total += len(data)
        if total > _SAMPLE_BYTES:
            break
    return pictures, pixels / len(pictures)


def _read_rate(files: Sequence[str], seconds: float) -> float:
    """Bytes per second, once through the files or for so long."""
    from mxio._atomic import naming

    total, start = 0, time.perf_counter()
    for path in files:
        with naming(path), open(path, "rb", buffering=0) as file:
            while piece := file.read(_PIECE):
                total += len(piece)
                if time.perf_counter() - start > seconds:
                    break
    return total / (time.perf_counter() - start)


def _decode_rate(pictures: Sequence[bytes], threads: int, seconds: float) -> float:
    """Pictures per second, decoded whole by so many threads."""
    from concurrent.futures import ThreadPoolExecutor

    from mxio.tools._gallery import decoded

    end = time.perf_counter() + seconds

    def work(first: int) -> int:
        done = 0
        while not done or time.perf_counter() < end:
            decoded(pictures[(first + done * threads) % len(pictures)])
            done += 1
        return done

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        done = sum(pool.map(work, range(threads)))
    return done / (time.perf_counter() - start)


class _Loading:
    """The loader over the files, repeated when they are small, so that an epoch is
    long enough.
    """

    def __init__(
        self,
        files: Sequence[str],
        count: int,
        batch_size: int,
        augmentation: dict[str, Any],
    ) -> None:
        from mxio import params

        repeats = math.ceil(_EPOCH * batch_size / count) if batch_size > 0 else 1
        self._options = params.bind(
            "bench",
            params.MX,
            {
                "data_shape": (3, 224, 224),
                **augmentation,
                "path_imgrec": ";".join([*files] * repeats),
                "batch_size": batch_size,
                "shuffle": True,
            },
        )

    def check(self) -> None:
        """Raise what is wrong with the options or the files."""
        self._loader(1).close()

    def _loader(self, threads: int) -> ImageLoader:
        from mxio.loader import ImageLoader

        given = self._options | {"preprocess_threads": threads}
        return ImageLoader(given, running=False)

    def rate(self, threads: int, seconds: float) -> float:
        """Images per second, from the first batch on."""
        loader = self._loader(threads)
        try:
            return _rate_of(loader, seconds)
        finally:
            loader.close()


def _rate_of(loader: ImageLoader, seconds: float) -> float:
    done, epoch, begin = 0, 0, 0.0
    loader.start(0)
    while True:
        batch = loader.next()
        if batch is None:
            epoch += 1
            loader.start(epoch)
            continue
        now = time.perf_counter()
        if not begin:
            begin = now  # the threads are under way
            continue
        done += len(batch.data) - batch.pad
        if now - begin >= seconds:
            return done / (now - begin)


def add_parser(commands: Commands) -> None:
    """Describe `mxio bench`."""
    parser = new_parser(
        commands,
        "bench",
        "how fast a file loads on this machine, and what limits it",
        "Measure how fast a RecordIO file can be read, decoded, and loaded with the\n"
        "options given, by more and more threads; say what limits it.",
    )
    parser.add_argument("record", metavar="REC", help="path of the .rec file")
    parser.add_argument(
        "--threads",
        metavar="LIST",
        help="numbers of threads, such as 1,2,8 (default: doubling up to the cores)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=2.0,
        metavar="S",
        help="for each measurement (%(default)s)",
    )
    parser.add_argument(
        "--batch-size", type=int, default=64, metavar="N", help="(%(default)s)"
    )
    add_json(parser)
    add_augmentation(parser)


def run(options: argparse.Namespace) -> int:
    """Run `mxio bench`."""
    report = bench(
        options.record,
        threads=None if options.threads is None else _numbers(options.threads),
        seconds=options.seconds,
        batch_size=options.batch_size,
        **augmentation_given(options),
    )
    if options.json:
        print_json(report)
        return Exit.GOOD
    print(f"{report.path}: {report.records} records, {report.bytes / 1e6:.1f} MB")
    kilobytes, megapixels = report.picture_bytes / 1e3, report.picture_pixels / 1e6
    print(f"a picture has {kilobytes:.1f} kB and {megapixels:.2f} megapixels")
    cached = "" if report.cached is None else f", {report.cached:.0%} of it in memory"
    print(f"reading {report.read_rate / 1e6:.0f} MB/s{cached}")
    print(f"\n{'threads':>7} {'loader':>12} {'decoding':>12}   images/s")
    for rate in report.rates:
        print(f"{rate.threads:>7} {rate.loader:>12.0f} {rate.decode:>12.0f}")
    print(f"\nlimited by {report.limit}: {report.why}")
    return Exit.GOOD


def _numbers(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.isdecimal() and len(part) < 10 for part in parts):
        raise ParameterError(f"threads must be numbers such as 1,2,8, got {text!r}")
    return [int(part) for part in parts]
