"""`mxio view`: a contact sheet of records, as stored or as training sees them."""

from __future__ import annotations

import argparse
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mxio._atomic import PendingFile, publish, refuse_replacing
from mxio.errors import DataError, ParameterError
from mxio.tools._augmentation import add_augmentation, augmentation_given
from mxio.tools._command import Exit, add_json, new_parser, print_json, printable
from mxio.tools._index import index_of

if TYPE_CHECKING:
    from PIL.Image import Image

    from mxio.tools._command import Commands
    from mxio.tools._gallery import Gallery

__all__ = ["ViewReport", "add_parser", "run", "view"]

MOST_PICTURES = 2000  # of a sheet; more would be a picture that nothing can show


@dataclass(frozen=True)
class ViewReport:
    """What `view` drew: the file, its size in pixels, the ordinals of the records, and
    (ordinal, reason) of those that are damaged.
    """

    out: str
    width: int
    height: int
    records: list[int]
    damaged: list[tuple[int, str]]


def view(
    path_imgrec: str | os.PathLike[str],
    out: str | os.PathLike[str] = "sheet.png",
    *,
    records: Sequence[int] | str | None = None,
    count: int | None = None,
    columns: int = 8,
    epoch: int = 0,
    epochs: int = 6,
    seed: int = 0,
    classes: str | os.PathLike[str] | None = None,
    **augmentation: Any,
) -> ViewReport:
    """Draw records as a PNG, with their labels and keys.

    Without options of augmentation: a grid of the pictures as they are stored. With
    them, those of ImageRecordIter (data_shape is (3, 224, 224) unless given): a line
    for each record, the picture as stored and what the loader makes of it in some
    epochs.

    records: ordinals, or text such as "0,7,20-25"; None draws `count` of them by `seed`
        (24, with augmentation 6).
    columns: pictures in a line of the grid. epoch, epochs: the first, and how many.
    seed: of the choice and of the augmentation; the same seed makes the same bytes.
    classes: file with names of labels; without it NAME.classes.txt beside NAME.rec.

    A damaged record is drawn as such, with the reason. Raises ParameterError and
    TypeError for wrong arguments, DataError when no record can be drawn, OSError.
    """
    from mxio.tools._gallery import Gallery, chosen, records_from

    whole = Gallery(os.fspath(path_imgrec), classes)
    given = [path_imgrec, classes, augmentation.get("path_imglist")]
    kept = [*filter(None, given), *whole.files, *map(index_of, whole.files)]
    refuse_replacing([out], kept)
    there = whole.records.count()
    for name, value in (("columns", columns), ("epochs", epochs)):
        if not 1 <= value <= MOST_PICTURES:
            raise ParameterError(f"{name} must be in [1, {MOST_PICTURES}], got {value}")
    if epoch < 0:
        raise ParameterError(f"epoch must be at least 0, got {epoch}")
    if records is None:
        wanted = (6 if augmentation else 24) if count is None else count
        if wanted < 1:
            raise ParameterError(f"count must be at least 1, got {wanted}")
        ordinals = chosen(there, wanted, seed)
    elif count is not None:
        raise ParameterError("give records or count, not both")
    else:
        text = records if isinstance(records, str) else ",".join(map(str, records))
        ordinals = records_from(text, there)
    each = epochs + 1 if augmentation else 1
    if len(ordinals) * each > MOST_PICTURES:
        raise ParameterError(
            f"a sheet has at most {MOST_PICTURES} pictures, "
            f"asked for {len(ordinals) * each}"
        )
    damaged: list[tuple[int, str]] = []
    if augmentation:
        every = range(epoch, epoch + epochs)
        drawn = _rows_sheet(whole, ordinals, every, seed, augmentation, damaged)
    else:
        drawn = _grid(whole, ordinals, columns, damaged)
    encoded = io.BytesIO()
    drawn.save(encoded, "PNG", optimize=False)
    file = PendingFile(os.fspath(out))
    file.write(encoded.getvalue())
    publish(file)
    return ViewReport(os.fspath(out), *drawn.size, ordinals, damaged)


def _grid(
    whole: Gallery,
    ordinals: Sequence[int],
    columns: int,
    damaged: list[tuple[int, str]],
) -> Image:
    from mxio._sheet import Cell, grid_sheet
    from mxio.tools._gallery import damaged_picture

    cells = []
    for ordinal in ordinals:
        label, key = whole.caption(ordinal)
        try:
            picture = whole.picture(ordinal)
            note = f"{key}  {picture.shape[1]} x {picture.shape[0]}"
        except DataError as error:
            damaged.append((ordinal, str(error)))
            picture, note = damaged_picture(str(error)), key
        cells.append(Cell(picture, label, note))
    said = f"{_how_many(whole, ordinals)}, as stored: label, ordinal, id, size."
    return grid_sheet(whole.title, said, cells, columns)


def _rows_sheet(
    whole: Gallery,
    ordinals: Sequence[int],
    epochs: Sequence[int],
    seed: int,
    options: dict[str, Any],
    damaged: list[tuple[int, str]],
) -> Image:
    from mxio._sheet import Row, contact_sheet
    from mxio.tools._gallery import Augmented, damaged_picture

    augmented = Augmented(";".join(whole.files), seed, options)
    made = {}
    try:
        for ordinal in ordinals:
            try:
                labels = whole.labels(ordinal)
                made[ordinal] = augmented.samples(ordinal, labels, epochs)
            except DataError as error:
                damaged.append((ordinal, str(error)))
    finally:
        augmented.close()
    flat = [sample for samples in made.values() for sample in samples]
    levels, remark = augmented.shown(flat)
    reasons = dict(damaged)
    rows = []
    for ordinal in ordinals:
        label, key = whole.caption(ordinal)
        if ordinal in reasons:
            card = damaged_picture(reasons[ordinal])
            rows.append(Row(label, card, [card] * len(epochs), key))
            continue
        samples, levels = levels[: len(epochs)], levels[len(epochs) :]
        rows.append(Row(label, whole.picture(ordinal), samples, key))
    height, width = augmented.side
    given = ", ".join(f"{name} {_short(value)}" for name, value in options.items())
    said = (
        f"{_how_many(whole, ordinals)}, and what training sees of them at "
        f"{width} x {height}, seed {seed}: {given}. {remark}"
    )
    heads = ["as stored", *(f"epoch {epoch}" for epoch in epochs)]
    return contact_sheet(whole.title, said, heads, rows, "")


def _how_many(whole: Gallery, ordinals: Sequence[int]) -> str:
    return f"{len(ordinals)} of {whole.records.count()} records"


def _short(value: object) -> str:
    text = printable(str(value))
    return text if len(text) <= 40 else f"{text[:37]}..."


def add_parser(commands: Commands) -> None:
    """Describe `mxio view`."""
    parser = new_parser(
        commands,
        "view",
        "draw a contact sheet of records, raw or augmented",
        "Draw records of a RecordIO file as a PNG, with labels and keys. With options\n"
        "of augmentation: each record as stored, and as training sees it in some\n"
        "epochs. The same seed makes the same sheet.",
    )
    parser.add_argument("record", metavar="REC", help="path of the .rec file")
    parser.add_argument(
        "--out", default="sheet.png", metavar="PNG", help="the sheet (%(default)s)"
    )
    parser.add_argument(
        "--records", metavar="LIST", help="ordinals to draw, such as 0,7,20-25"
    )
    parser.add_argument(
        "--count",
        type=int,
        metavar="N",
        help="draw so many, chosen by --seed (24; 6 with augmentation)",
    )
    parser.add_argument(
        "--columns", type=int, default=8, metavar="N", help="in a line (%(default)s)"
    )
    parser.add_argument(
        "--epoch", type=int, default=0, metavar="N", help="first epoch (%(default)s)"
    )
    parser.add_argument(
        "--epochs", type=int, default=6, metavar="N", help="how many (%(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="(%(default)s)"
    )
    parser.add_argument(
        "--classes", metavar="FILE", help="names of the labels, one on each line"
    )
    add_json(parser)
    add_augmentation(parser)


def run(options: argparse.Namespace) -> int:
    """Run `mxio view`."""
    report = view(
        options.record,
        options.out,
        records=options.records,
        count=options.count,
        columns=options.columns,
        epoch=options.epoch,
        epochs=options.epochs,
        seed=options.seed,
        classes=options.classes,
        **augmentation_given(options),
    )
    if options.json:
        print_json(report)
    else:
        size = f"{report.width} x {report.height}"
        print(f"{report.out}: {len(report.records)} records, {size}")
        for ordinal, reason in report.damaged:
            print(f"record {ordinal} is damaged: {reason}")
    return Exit.PROBLEM if report.damaged else Exit.GOOD
