"""The page of `mxio card`: everything in one file, without scripts or addresses.

Whatever comes from the data set goes through `_safe`.
"""

from __future__ import annotations

import base64
import html
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mxio.tools._charts import Bar, bins, columns_chart, rows_chart, short
from mxio.tools._command import printable

if TYPE_CHECKING:
    from mxio.tools._facts import Facts
    from mxio.tools.bench import BenchReport

__all__ = ["Thumbnail", "page"]

_CLASSES_SHOWN = 40
_DAMAGES_SHOWN = 200
_LARGE = 20_000  # bytes of a picture; smaller ones are not told in kB

_STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --card: #f6f7f9; --ink: #1c2127;
  --faint: #66707c; --line: #dde1e6; --bar: #3b7dd8; --bad: #b42318; --badp: #fdecea; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171b; --card: #1d2127;
  --ink: #e7eaee; --faint: #98a2ae; --line: #323941; --bar: #5b9bf0; --bad: #ff8a7a;
  --badp: #3a1d1a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 28px; margin: 0; overflow-wrap: anywhere; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 40px 0 12px; }
h3 { font-size: 14px; margin: 0 0 6px; font-weight: 600; }
p { margin: 6px 0; } .faint, .tick { color: var(--faint); fill: var(--faint); }
code { font: 13px/1.5 ui-monospace, Menlo, monospace; overflow-wrap: anywhere; }
.tiles { display: grid; gap: 12px; margin: 24px 0 0;
  grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); }
.tile, .panel { background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; padding: 14px 16px; }
.tile b { display: block; font-size: 21px; line-height: 1.3; white-space: nowrap; }
.tile span { color: var(--faint); font-size: 13px; }
.tile.bad { background: var(--badp); } .tile.bad b { color: var(--bad); }
.panel + .panels { margin-top: 12px; }
.panels { display: grid; gap: 12px;
  grid-template-columns: repeat(auto-fit, minmax(min(380px, 100%), 1fr)); }
svg { display: block; width: 100%; height: auto; } .wide svg { max-width: 760px; }
.bar { fill: var(--bar); } .axis { stroke: var(--line); }
.tick, .name { font-size: 11.5px; } .name { fill: var(--ink); }
.grid { display: grid; gap: 12px;
  grid-template-columns: repeat(auto-fill, minmax(146px, 1fr)); }
figure { margin: 0; } figure div { background: var(--card); border-radius: 8px;
  border: 1px solid var(--line); height: 146px; display: flex; align-items: center;
  justify-content: center; overflow: hidden; }
figure img { max-width: 100%; max-height: 100%; display: block; }
figure div.bad { background: var(--badp); color: var(--bad); font-size: 13px; }
figcaption { font-size: 13px; line-height: 1.35; margin-top: 4px; text-align: center;
  overflow-wrap: anywhere; } figcaption span { color: var(--faint); font-size: 12px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; width: 100%; }
th { text-align: left; font-weight: 600; color: var(--faint); }
th, td { padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line);
  vertical-align: top; } td.n, th.n { text-align: right; font-variant-numeric:
  tabular-nums; } footer { margin-top: 48px; color: var(--faint); font-size: 13px; }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Thumbnail:
    """A small JPEG of a record, its label and key; None in place of one damaged."""

    jpeg: bytes | None
    label: str
    key: str


def page(
    title: str,
    facts: Facts,
    names: Sequence[str],
    thumbnails: Sequence[Thumbnail],
    speed: BenchReport | str | None,
    version: str,
) -> str:
    """The whole HTML document; `speed` may be the reason why there is none."""
    body = [
        f"<h1>{_safe(title)}</h1>",
        f'<p class="faint">{_summary(facts)}</p>',
        _tiles(facts),
        _section("Classes", _classes(facts, names)),
        _section("Pictures", _pictures(facts)),
        _section("Samples", _samples(thumbnails)),
        _section("Damage", _damage(facts)),
        _section("Speed", _speed(speed)),
        _section("Files", _files(facts)),
        f"<footer>Made by mxio {_safe(version)}: mxio card.</footer>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_safe(title)}</title><style>{_STYLE}</style></head>\n<body><main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main></body></html>\n"
    )


def _safe(text: str) -> str:
    return html.escape(printable(text), quote=True)


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>" if content else ""


def _amount(size: float) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size:.0f} bytes"


def _summary(facts: Facts) -> str:
    files = "1 file" if len(facts.paths) == 1 else f"{len(facts.paths)} files"
    checked = "every picture was decoded" if facts.checked else "headers only were read"
    return f"{files}, {_amount(facts.bytes)}; {checked}."


def _tiles(facts: Facts) -> str:
    tiles = [
        (short(facts.records), "records", False),
        (short(len(facts.labels)), "classes", False),
    ]
    if facts.widths:
        width = statistics.median(facts.widths)
        height = statistics.median(facts.heights)
        tiles.append(
            (
                f"{short(width)}\N{MULTIPLICATION SIGN}{short(height)}",
                "median size",
                False,
            )
        )
        tiles.append((_amount(statistics.median(facts.sizes)), "median picture", False))
    if facts.qualities:
        quality = statistics.median(facts.qualities.elements())
        tiles.append((short(quality), "JPEG quality", False))
    tiles.append((short(facts.damaged), "damaged", facts.damaged > 0))
    return (
        '<div class="tiles">'
        + "".join(
            f'<div class="tile{" bad" if bad else ""}"><b>{value}</b>'
            f"<span>{name}</span></div>"
            for value, name, bad in tiles
        )
        + "</div>"
    )


def _classes(facts: Facts, names: Sequence[str]) -> str:
    parts = []
    if facts.labels:
        labels = sorted(facts.labels)
        counts = [facts.labels[label] for label in labels]
        least, most = min(counts), max(counts)
        each = short(least) if least == most else f"{short(least)} to {short(most)}"
        noun = "record" if most == 1 else "records"
        said = f"{short(len(labels))} classes, {each} {noun}"
        parts.append(f'<p class="faint">{said} in each.</p>')
        shown = labels
        if len(labels) > _CLASSES_SHOWN:
            ordered = sorted(labels, key=lambda label: (-facts.labels[label], label))
            shown = ordered[:_CLASSES_SHOWN]
            parts.append(f'<p class="faint">The {_CLASSES_SHOWN} largest:</p>')
        bars: list[Bar] = [
            (_class_name(label, names), float(facts.labels[label])) for label in shown
        ]
        chart = rows_chart("Records of each class", bars)
        parts.append(f'<div class="panel wide">{chart}</div>')
        if len(labels) > _CLASSES_SHOWN:
            spread = columns_chart("Classes by size", bins(counts), "records")
            parts.append(
                '<div class="panels"><div class="panel"><h3>Classes, by their records'
                f"</h3>{spread}</div></div>"
            )
    for width, count in sorted(facts.other_labels.items()):
        kind = "a label that is no whole number" if width == 1 else f"{width} labels"
        parts.append(f"<p>{short(count)} records have {kind}.</p>")
    return "".join(parts)


def _class_name(label: int, names: Sequence[str]) -> str:
    return printable(names[label]) if label < len(names) else str(label)


def _pictures(facts: Facts) -> str:
    if not facts.sizes:
        return ""
    shorter = [min(pair) for pair in zip(facts.widths, facts.heights, strict=True)]
    longer = [max(pair) for pair in zip(facts.widths, facts.heights, strict=True)]
    large = max(facts.sizes) >= _LARGE
    unit = "kB" if large else "bytes"
    sizes = [size / 1000 for size in facts.sizes] if large else facts.sizes
    panels = [
        ("Shorter edge, pixels", bins(shorter), "pixels"),
        ("Longer edge, pixels", bins(longer), "pixels"),
        (f"Size of the file, {unit}", bins(sizes), unit),
        ("JPEG quality, by the quantisation table", _each(facts.qualities), ""),
    ]
    charts = "".join(
        f'<div class="panel"><h3>{title}</h3>{columns_chart(title, bars, unit)}</div>'
        for title, bars, unit in panels
        if bars
    )
    kinds = ", ".join(
        f"{short(count)} {_safe(kind)}" for kind, count in facts.formats.most_common()
    )
    channels = ", ".join(
        f"{short(count)} with {number}"
        for number, count in sorted(facts.channels.items())
    )
    said = f'<p class="faint">Formats: {kinds}. Channels: {channels or "unknown"}.</p>'
    return f'{said}<div class="panels">{charts}</div>'


def _each(counts: Counter[int]) -> list[Bar]:
    """A bar for every number from the least to the largest."""
    if not counts:
        return []
    low, high = max(min(counts) - 3, 0), min(max(counts) + 3, 100)
    return [(str(number), float(counts[number])) for number in range(low, high + 1)]


def _samples(thumbnails: Sequence[Thumbnail]) -> str:
    if not thumbnails:
        return ""
    figures = []
    for each in thumbnails:
        if each.jpeg is None:
            picture = '<div class="bad">damaged</div>'
        else:
            data = base64.b64encode(each.jpeg).decode()
            alt = f"{_safe(each.label)}, {_safe(each.key)}"
            source = f"data:image/jpeg;base64,{data}"
            picture = f'<div><img alt="{alt}" src="{source}"></div>'
        caption = f"{_safe(each.label)}<br><span>{_safe(each.key)}</span>"
        figures.append(f"<figure>{picture}<figcaption>{caption}</figcaption></figure>")
    return f'<div class="grid">{"".join(figures)}</div>'


def _damage(facts: Facts) -> str:
    if not facts.damaged:
        said = "None found" if facts.checked else "None found in the headers"
        return f'<p class="faint">{said}.</p>'
    rows = "".join(
        f'<tr><td class="n">{damage.place.record}</td><td class="n">'
        f"{'' if damage.id is None else damage.id}</td>"
        f'<td class="n">{damage.place.offset}</td><td>{_safe(damage.reason)}</td></tr>'
        for damage in facts.damages[:_DAMAGES_SHOWN]
    )
    more = facts.damaged - min(len(facts.damages), _DAMAGES_SHOWN)
    tail = f'<p class="faint">and {short(more)} more.</p>' if more else ""
    head = (
        '<tr><th class="n">record</th><th class="n">id</th><th class="n">byte</th>'
        "<th>problem</th></tr>"
    )
    return f'<div class="scroll"><table>{head}{rows}</table></div>{tail}'


def _speed(speed: BenchReport | str | None) -> str:
    if speed is None:
        return ""
    if isinstance(speed, str):
        return f'<p class="faint">Not measured: {_safe(speed)}.</p>'
    bars: list[Bar] = []
    for rate in speed.rates:
        threads = "1 thread" if rate.threads == 1 else f"{rate.threads} threads"
        bars.append((f"loader, {threads}", float(round(rate.loader))))
        bars.append((f"decoding, {threads}", float(round(rate.decode))))
    cached = "" if speed.cached is None else f", {speed.cached:.0%} of it in memory"
    said = (
        f"Images per second at 224 x 224 on the machine that made this page, which has "
        f"{speed.cores} cores. Reading: {speed.read_rate / 1e6:.0f} MB/s{cached}. "
        f"Limited by {speed.limit}: {_safe(speed.why)}."
    )
    chart = rows_chart("Images per second", bars)
    return f'<p class="faint">{said}</p><div class="panel wide">{chart}</div>'


def _files(facts: Facts) -> str:
    rows = "".join(
        f"<tr><td><code>{_safe(path)}</code></td><td><code>{digest}</code></td></tr>"
        for path, digest in zip(facts.paths, facts.sha256, strict=True)
    )
    head = "<tr><th>file</th><th>SHA-256</th></tr>"
    return f'<div class="scroll"><table>{head}{rows}</table></div>'
