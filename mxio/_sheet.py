"""Labelled contact sheets: a row of pictures for each class, or a grid.

Drawn with Pillow and the font that comes with it, so that it looks the same everywhere.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

CELL = 160
MARGIN = 32
GAP = 8
GROUP_GAP = 24
LABEL_WIDTH = 120
ORIGINAL_WIDTH = CELL * 3 // 2

CAPTION = 34

PAPER = "#ffffff"
INK = "#1f2328"
FAINT = "#6a737d"


@dataclass(frozen=True)
class Row:
    """One class: its name, a picture as it was, and what augmentation made of it.

    Pictures are uint8 arrays of shape (height, width, channels), channels 1, 3 or 4.
    note: what stands below the name.
    """

    label: str
    original: NDArray[np.uint8]
    samples: Sequence[NDArray[np.uint8]]
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """One picture of a grid, as those of a Row, and what stands below it."""

    picture: NDArray[np.uint8]
    label: str
    note: str


def _without_accent(sign: str) -> str:
    """The letter without its accent: the font has ASCII and little else."""
    base = unicodedata.normalize("NFKD", sign)[:1]
    return base if base.isascii() else sign


def contact_sheet(
    title: str, subtitle: str, heads: Sequence[str], rows: Sequence[Row], credit: str
) -> Image.Image:
    """An RGB picture: title, column heads, one line of pictures for each row, credit.

    `heads` names the column of the originals and then every column of samples. Long
    labels are shortened, title, subtitle and credit are broken into lines; an empty
    credit takes no room. Raises ValueError when there are no rows, or when a row has
    another number of samples than there are heads for them.
    """
    if not rows:
        raise ValueError("a contact sheet needs at least one row")
    for row in rows:
        if len(row.samples) != len(heads) - 1:
            raise ValueError(
                f"row {row.label!r} has {len(row.samples)} samples, "
                f"the heads announce {len(heads) - 1}"
            )
    originals = [_fitted(row.original, ORIGINAL_WIDTH, CELL) for row in rows]
    original_left = MARGIN + LABEL_WIDTH
    original_width = max(CELL, *(picture.width for picture in originals))
    samples_left = original_left + original_width + GROUP_GAP
    right = samples_left + (len(heads) - 1) * (CELL + GAP) - GAP
    width = max(right, original_left + original_width) + MARGIN

    canvas = _Canvas(width)
    canvas.paragraph(title, 30, INK)
    canvas.paragraph(subtitle, 16, FAINT)
    canvas.top += GROUP_GAP
    lefts = [original_left]
    lefts += [samples_left + i * (CELL + GAP) for i in range(len(heads) - 1)]
    widths = [original_width] + [CELL] * (len(heads) - 1)
    for head, left, room in zip(heads, lefts, widths, strict=True):
        canvas.text(head, 14, FAINT, left + room // 2, room, "ma")
    canvas.top += 24
    for row, original in zip(rows, originals, strict=True):
        middle = canvas.top + CELL // 2 - (10 if row.note else 0)
        canvas.text(row.label, 18, INK, MARGIN, LABEL_WIDTH - GAP, "lm", middle)
        below = middle + 22
        canvas.text(row.note, 13, FAINT, MARGIN, LABEL_WIDTH - GAP, "lm", below)
        canvas.picture(original, original_left, original_width)
        for sample, left in zip(row.samples, lefts[1:], strict=True):
            canvas.picture(_fitted(sample, CELL, CELL), left, CELL)
        canvas.top += CELL + GAP
    canvas.top -= GAP
    if credit:
        canvas.top += GROUP_GAP
        canvas.paragraph(credit, 13, FAINT)
    return canvas.finished()


def grid_sheet(
    title: str, subtitle: str, cells: Sequence[Cell], columns: int
) -> Image.Image:
    """An RGB picture: title, then pictures line by line, each above its label and note.

    Raises ValueError when there are no cells or no columns.
    """
    if not cells or columns < 1:
        raise ValueError("a contact sheet needs at least one picture and one column")
    across = min(columns, len(cells))
    canvas = _Canvas(max(2 * MARGIN + across * (CELL + GAP) - GAP, 3 * CELL))
    canvas.paragraph(title, 26, INK)
    canvas.paragraph(subtitle, 15, FAINT)
    canvas.top += GAP
    for first in range(0, len(cells), columns):
        for place, cell in enumerate(cells[first : first + columns]):
            left = MARGIN + place * (CELL + GAP)
            canvas.picture(_fitted(cell.picture, CELL, CELL), left, CELL)
            middle, below = left + CELL // 2, canvas.top + CELL + 3
            canvas.text(cell.label, 14, INK, middle, CELL, "ma", below)
            canvas.text(cell.note, 12, FAINT, middle, CELL, "ma", below + 17)
        canvas.top += CELL + CAPTION + GAP
    return canvas.finished()


class _Canvas:
    """Paper of a given width that grows downwards; `top` is where drawing goes on."""

    def __init__(self, width: int) -> None:
        self.image = Image.new("RGB", (width, MARGIN + CELL), PAPER)
        self.pen = ImageDraw.Draw(self.image)
        self.top = MARGIN

    def grow(self, bottom: int) -> None:
        """Make sure that there is paper down to `bottom`."""
        if bottom > self.image.height:
            taller = Image.new("RGB", (self.image.width, 2 * bottom), PAPER)
            taller.paste(self.image)
            self.image = taller
            self.pen = ImageDraw.Draw(taller)

    def text(
        self,
        text: str,
        size: int,
        colour: str,
        left: int,
        room: int,
        anchor: str,
        top: int | None = None,
    ) -> None:
        """One line, shortened until it fits `room` pixels."""
        font = ImageFont.load_default(size)
        plain = "".join(map(_without_accent, text))
        short, kept = plain, len(plain)
        while kept and font.getlength(short) > room:
            kept -= 1
            short = plain[:kept].rstrip() + "..."
        self.grow(self.top + CELL)
        place = (left, self.top if top is None else top)
        self.pen.text(place, short, fill=colour, font=font, anchor=anchor)

    def paragraph(self, text: str, size: int, colour: str) -> None:
        """As many lines as the text needs between the margins."""
        room = self.image.width - 2 * MARGIN
        font = ImageFont.load_default(size)
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".lstrip()
            if lines[-1] and font.getlength(longer) > room:
                lines.append(word)
            else:
                lines[-1] = longer
        for line in lines:
            self.text(line, size, colour, MARGIN, room, "la")
            self.top += size * 3 // 2

    def picture(self, picture: Image.Image, left: int, room: int) -> None:
        """A picture in the middle of a cell `room` wide and CELL high."""
        self.grow(self.top + CELL)
        place_left = left + (room - picture.width) // 2
        place_top = self.top + (CELL - picture.height) // 2
        self.image.paste(picture, (place_left, place_top))

    def finished(self) -> Image.Image:
        """What was drawn, with the lower margin."""
        self.grow(self.top + MARGIN)
        return self.image.crop((0, 0, self.image.width, self.top + MARGIN))


def _fitted(pixels: NDArray[np.uint8], width: int, height: int) -> Image.Image:
    """The picture in RGB, as large as it gets inside width x height."""
    squeezed = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    picture = Image.fromarray(squeezed).convert("RGB")
    scale = min(width / picture.width, height / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)
