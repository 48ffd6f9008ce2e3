"""mxio._sheet: the contact sheet."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mxio._sheet import CELL, MARGIN, Row, contact_sheet

HEADS = ["original", "epoch 0", "epoch 1"]


def flat(
    colour: tuple[int, ...], height: int = 40, width: int = 60
) -> NDArray[np.uint8]:
    return np.full((height, width, len(colour)), colour, dtype=np.uint8)


def row(label: str = "cat") -> Row:
    return Row(label, flat((200, 10, 20)), [flat((20, 200, 10)), flat((10, 20, 200))])


def ink(sheet: Image.Image) -> NDArray[np.bool_]:
    """Where anything but white paper is."""
    dark: NDArray[np.bool_] = (np.asarray(sheet) != 255).any(axis=2)
    return dark


def area_of(sheet: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int]:
    """(height, width) of the box around all pixels of a colour."""
    ys, xs = np.nonzero((np.asarray(sheet) == colour).all(axis=2))
    return int(np.ptp(ys)) + 1, int(np.ptp(xs)) + 1


def test_pictures_keep_their_aspect_ratio_and_colour() -> None:
    wide = Row("wide", flat((200, 10, 20), 100, 150), [flat((20, 200, 10), 50, 25)] * 2)

    sheet = contact_sheet("title", "subtitle", HEADS, [wide], "")

    assert area_of(sheet, (200, 10, 20)) == (CELL, CELL * 3 // 2)
    pixels = np.asarray(sheet)
    green = (pixels == (20, 200, 10)).all(axis=2)
    assert green.sum() == 2 * CELL * (CELL // 2)


def test_gray_and_rgba_pictures_are_drawn_too() -> None:
    mixed = Row("mixed", flat((90,)), [flat((20, 200, 10, 255)), flat((70,))])

    sheet = contact_sheet("title", "subtitle", HEADS, [mixed], "")

    pixels = np.asarray(sheet)
    for colour in [(90, 90, 90), (20, 200, 10), (70, 70, 70)]:
        assert (pixels == colour).all(axis=2).any()


def test_accents_are_left_out_as_the_font_has_none() -> None:
    # An empty box stood for every letter with an accent.
    drawn, plain = (
        contact_sheet(name, name, HEADS, [row(name)], name)
        for name in ("\xc9pagneul br\xeat\xf3n", "Epagneul breton")
    )

    assert drawn.tobytes() == plain.tobytes()


def test_nothing_is_drawn_in_the_margins_however_long_the_texts_are() -> None:
    rows = [row("a class name much too long for its column"), row("unbroken" * 30)]

    sheet = contact_sheet(
        "long title " * 30, "unbroken" * 60, HEADS, rows, "word " * 99
    )

    dark = ink(sheet)
    dark[MARGIN:-MARGIN, MARGIN:-MARGIN] = False
    assert sheet.height > 2 * CELL
    assert not dark.any()


def test_a_label_ends_before_the_pictures_begin() -> None:
    sheet = contact_sheet("title", "subtitle", HEADS, [row("W" * 100)], "")

    pixels = np.asarray(sheet)
    ys, xs = np.nonzero((pixels == (200, 10, 20)).all(axis=2))
    label = ink(sheet)[ys.min() : ys.max() + 1, : xs.min()]
    assert label.any()
    assert not label[:, -4:].any()


def test_a_very_narrow_original_leaves_room_for_its_head() -> None:
    narrow = Row("line", flat((200, 10, 20), 4000, 1), list(row().samples))

    sheet = contact_sheet("title", "subtitle", HEADS, [narrow], "")

    assert area_of(sheet, (200, 10, 20)) == (CELL, 1)


def test_the_credit_takes_room_only_when_there_is_one() -> None:
    without = contact_sheet("title", "subtitle", HEADS, [row()], "")

    given = contact_sheet("title", "subtitle", HEADS, [row()], "Pictures: cat by me.")

    below = ink(given)[without.height - MARGIN :]
    assert below.any()
    assert given.size > without.size


def test_a_row_with_a_wrong_number_of_samples_is_refused_by_name() -> None:
    short = Row("cat", flat((1, 2, 3)), [])

    with pytest.raises(ValueError, match="'cat' has 0 samples, the heads announce 2"):
        contact_sheet("title", "subtitle", HEADS, [short], "")


def test_a_sheet_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        contact_sheet("title", "subtitle", HEADS, [], "")
