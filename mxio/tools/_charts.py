"""Charts as SVG to put into a page; colours are those of the page's style."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np

__all__ = ["Bar", "bins", "columns_chart", "rows_chart", "short"]

Bar = tuple[str, float]  # what it stands for, and how long it is

_WIDTH, _HEIGHT, _FOOT, _HEAD = 420, 150, 22, 16
_GAP = 2
_ROW, _TAIL, _ROWS_WIDTH = 22, 70, 640
_LETTER = 7  # about the width of one
_NAMES = (4, 30)  # letters of the shortest and the longest names shown
_STEPS = (1, 2, 5, 10)


def short(number: float) -> str:
    """A number for people: 1234 as 1,234, 0.5 as 0.5."""
    if number == int(number):
        return f"{int(number):,}"
    return f"{number:.3g}"


def bins(values: Sequence[float], wanted: int = 24) -> list[Bar]:
    """How many values lie in each of some equal ranges that begin at round numbers.

    Values are whole and not negative; the names are those of the lower ends. Ranges
    are at least 1 wide, and about `wanted` of them.
    """
    if not len(values):
        return []
    data = np.asarray(values, np.float64)
    low, high = float(data.min()), float(data.max())
    rough = max((high - low) / wanted, 1.0)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in _STEPS if factor * power >= rough)
    first = math.floor(low / step) * step
    count = int((high - first) // step) + 1
    places = ((data - first) // step).astype(np.int64)
    counts = np.bincount(places, minlength=count)
    return [
        (short(first + place * step), float(number))
        for place, number in enumerate(counts.tolist())
    ]


def columns_chart(title: str, bars: Sequence[Bar], unit: str) -> str:
    """Upright bars, named below the first, the middle and the last of them."""
    if not bars:
        return ""
    top = max(length for _, length in bars) or 1.0
    each = _WIDTH / len(bars)
    parts = [_open(_WIDTH, _HEAD + _HEIGHT + _FOOT, title)]
    for place, (name, length) in enumerate(bars):
        height = _HEIGHT * length / top
        if length:
            height = max(height, 1.5)
        gap = min(_GAP, each / 4)
        parts.append(
            f'<rect class="bar" x="{place * each:.2f}" '
            f'y="{_HEAD + _HEIGHT - height:.2f}" width="{each - gap:.2f}" '
            f'height="{height:.2f}" rx="1.5"><title>{html.escape(name)} '
            f"{html.escape(unit)}: {short(length)}</title></rect>"
        )
    parts.append(
        f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{_HEAD + _HEIGHT}" '
        f'y2="{_HEAD + _HEIGHT}"/>'
    )
    highest = max(range(len(bars)), key=lambda place: bars[place][1])
    parts.append(_text(_near(highest * each + each / 2), 11, short(top), "middle"))
    bottom = _HEAD + _HEIGHT + 16
    ends = {0: "start", len(bars) // 2: "middle", len(bars) - 1: "end"}
    for place, anchor in ends.items():
        x = {"start": 0.0, "end": float(_WIDTH)}.get(anchor, (place + 0.5) * each)
        parts.append(_text(x, bottom, bars[place][0], anchor))
    parts.append("</svg>")
    return "".join(parts)


def _near(x: float) -> float:
    """A place for a short text in the middle, away from the edges."""
    return min(max(x, 20.0), _WIDTH - 20.0)


def rows_chart(title: str, bars: Sequence[Bar]) -> str:
    """Lying bars, each with its name before and its length behind it."""
    if not bars:
        return ""
    top = max(length for _, length in bars) or 1.0
    fewest, most = _NAMES
    letters = min(max(max(len(name) for name, _ in bars), fewest), most)
    names_width = letters * _LETTER + 12
    room = _ROWS_WIDTH - names_width - _TAIL
    parts = [_open(_ROWS_WIDTH, _ROW * len(bars), title)]
    for place, (name, length) in enumerate(bars):
        y = place * _ROW
        width = max(room * length / top, 1.5 if length else 0.0)
        shown = name
        if len(name) > letters:
            shown = f"{name[: letters - 1]}\N{HORIZONTAL ELLIPSIS}"
        parts.append(_text(names_width - 8, y + 15, shown, "end", "name"))
        parts.append(
            f'<rect class="bar" x="{names_width}" y="{y + 3}" width="{width:.2f}" '
            f'height="{_ROW - 6}" rx="2"><title>{html.escape(name)}: '
            f"{short(length)}</title></rect>"
        )
        parts.append(_text(names_width + width + 6, y + 15, short(length), "start"))
    parts.append("</svg>")
    return "".join(parts)


def _open(width: int, height: int, title: str) -> str:
    label = html.escape(title, quote=True)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'


def _text(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y}" text-anchor="{anchor}">'
        f"{html.escape(text)}</text>"
    )
