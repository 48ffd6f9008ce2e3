"""`mxio card`: one page about a file, to keep beside it or to hand on."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mxio.errors import DataError, ParameterError
from mxio.tools._command import (
    Exit,
    add_json,
    add_quiet,
    new_parser,
    print_json,
    progress_bar,
)

if TYPE_CHECKING:
    from mxio.tools._command import Commands
    from mxio.tools._facts import Place
    from mxio.tools._gallery import Pixels
    from mxio.tools._page import Thumbnail
    from mxio.tools.bench import BenchReport

__all__ = ["CardReport", "add_parser", "card", "run"]

MOST_SAMPLES = 500
_THUMBNAIL = 292  # pixels: twice the side of a cell, for fine screens
_THUMBNAIL_QUALITY = 82


@dataclass(frozen=True)
class CardReport:
    """What `card` wrote, and the main facts: records, classes (whole-number labels),
    damaged records, SHA-256 of each file.
    """

    out: str
    records: int
    classes: int
    damaged: int
    sha256: list[str]


def card(
    path_imgrec: str | os.PathLike[str],
    out: str | os.PathLike[str] = "card.html",
    *,
    samples: int = 24,
    seed: int = 0,
    decode: bool = True,
    seconds: float = 1.0,
    classes: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> CardReport:
    """Write one self-contained HTML page about a RecordIO file.

    It shows the records of each class, sizes and formats of the pictures, the quality
    of JPEGs, a grid of samples, damaged records, speed, and checksums. There are no
    scripts and nothing is loaded from elsewhere.

    samples: pictures in the grid, drawn by `seed`. decode: decode every picture, to
    find damage; else only what headers say is checked. seconds: for each measurement of
    speed; 0 leaves speed out. classes: file with names of labels; without it
    NAME.classes.txt beside NAME.rec.

    Raises ParameterError for wrong arguments, OSError. Damage is no error: it is shown.
    """
    from mxio import __version__
    from mxio._atomic import atomic_text, refuse_replacing
    from mxio._cores import cores
    from mxio._files import resolve
    from mxio.tools._facts import gather
    from mxio.tools._gallery import file_title
    from mxio.tools._index import index_of
    from mxio.tools._page import page
    from mxio.tools._samples import class_names
    from mxio.tools.bench import bench

    if not 0 <= samples <= MOST_SAMPLES:
        raise ParameterError(f"samples must be in [0, {MOST_SAMPLES}], got {samples}")
    if not 0 <= seconds <= 3600:
        raise ParameterError(f"seconds must be in [0, 3600], got {seconds}")
    files = resolve(os.fspath(path_imgrec))
    given = [path_imgrec] if classes is None else [path_imgrec, classes]
    refuse_replacing([out], [*given, *files, *map(index_of, files)])
    names = class_names(files, classes)
    size = sum(os.path.getsize(file) for file in files)
    with progress_bar(progress, file_title(files), size, "B") as advance:
        facts = gather(
            files,
            decode=decode,
            sample=samples,
            seed=seed,
            threads=cores(),
            advance=advance,
        )
    speed: BenchReport | str | None = None
    if seconds and not facts.damaged and facts.records:
        try:
            width = facts.label_width
            speed = bench(";".join(files), seconds=seconds, label_width=width)
        except DataError as error:  # of what a loader cannot take, though it is whole
            speed = str(error)
    shown = [_thumbnail(place, names) for place in facts.sample]
    with atomic_text(os.fspath(out)) as file:
        file.write(page(file_title(files), facts, names, shown, speed, __version__))
    return CardReport(
        os.fspath(out), facts.records, len(facts.labels), facts.damaged, facts.sha256
    )


def _thumbnail(place: Place, names: tuple[str, ...]) -> Thumbnail:
    from mxio import _core
    from mxio.recordio import unpack
    from mxio.tools._gallery import decoded, label_text
    from mxio.tools._page import Thumbnail

    label, key = "?", f"#{place.record}"
    try:
        found = _core.RecordFile(place.path).read(place.offset)
        assert found is not None  # it was there when it was drawn
        header, data = unpack(found[0])
        label, key = label_text(header.label, names), f"{key}  id {header.id}"
        return Thumbnail(_small(decoded(data)), label, key)
    except DataError:
        return Thumbnail(None, label, key)


def _small(pixels: Pixels) -> bytes:
    """A JPEG of the picture, not larger than a thumbnail."""
    import io

    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_THUMBNAIL_QUALITY)
    return out.getvalue()


def add_parser(commands: Commands) -> None:
    """Describe `mxio card`."""
    parser = new_parser(
        commands,
        "card",
        "an HTML page: classes, sizes, samples, damage, speed",
        "Write one self-contained HTML page about a RecordIO file: classes, sizes and\n"
        "quality of the pictures, samples, damaged records, speed, checksum.",
    )
    parser.add_argument("record", metavar="REC", help="path of the .rec file")
    parser.add_argument(
        "--out", default="card.html", metavar="HTML", help="the page (%(default)s)"
    )
    parser.add_argument(
        "--samples",
        type=int,
        default=24,
        metavar="N",
        help="pictures to show (%(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of their choice (%(default)s)"
    )
    parser.add_argument(
        "--no-decode", action="store_true", help="read headers only: faster, less sure"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=1.0,
        metavar="S",
        help="for each measurement of speed, 0 for none (%(default)s)",
    )
    parser.add_argument(
        "--classes", metavar="FILE", help="names of the labels, one on each line"
    )
    add_quiet(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run `mxio card`."""
    report = card(
        options.record,
        options.out,
        samples=options.samples,
        seed=options.seed,
        decode=not options.no_decode,
        seconds=options.seconds,
        classes=options.classes,
        progress=not options.quiet,
    )
    if options.json:
        print_json(report)
    else:
        found = f"{report.records} records, {report.damaged} damaged"
        print(f"{report.out}: {found}")
    return Exit.PROBLEM if report.damaged else Exit.GOOD
