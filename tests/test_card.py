"""mxio.card: the page, the facts on it, its charts."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import mxio
from mxio.cli import main
from mxio.errors import ParameterError
from mxio.tools._charts import bins, columns_chart, rows_chart, short
from mxio.tools._facts import Facts, gather
from mxio.tools._quality import jpeg_quality
from tests.conftest import DataSet, encoded, picture, record, write_rec

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></svg></style><b>",
    "' onload='alert(1)",
    "evil\u202egnp\x1b[31m",
    "&lt;",
]
VOID = {"meta", "img", "br", "line", "rect"}


class Page(HTMLParser):
    """The tags, attributes and text of a page; `unclosed` has to stay empty."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.unclosed: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID - {"rect"}:
            self.unclosed.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def facts_of(rec: Path, decode: bool = True, sample: int = 0, seed: int = 0) -> Facts:
    return gather(
        [str(rec)],
        decode=decode,
        sample=sample,
        seed=seed,
        threads=2,
        advance=lambda count: None,
    )


@pytest.fixture
def hostile(tmp_path: Path) -> tuple[Path, Path]:
    """A file and names of classes that try to break out of the page."""
    folder = tmp_path / '<b a="'
    folder.mkdir()
    data = encoded(picture(1, 20, 30), ".jpg")
    payloads = [record(data, float(label), label) for label in range(6)]
    payloads += [record(b"<script>no picture</script>", 1.0, 9)]
    rec, _, _ = write_rec(folder, payloads, "x'><i>")
    names = tmp_path / "names"
    names.write_text("\n".join(HOSTILE), encoding="utf-8")
    return rec, names


# The page.


def test_the_page_says_what_the_file_holds(tmp_path: Path, photos: DataSet) -> None:
    out = tmp_path / "card.html"

    report = mxio.card(photos.rec, out, seconds=0, samples=5)

    page = Page(out)
    digest = hashlib.sha256(photos.rec.read_bytes()).hexdigest()
    assert page.unclosed == []
    assert (report.records, report.classes, report.damaged) == (37, 37, 0)
    assert report.sha256 == [digest]
    assert digest in page.text
    assert "37 classes, 1 record in each." in page.text
    assert "Formats: 37 jpg. Channels: 37 with 3." in page.text
    assert "None found." in page.text
    assert page.tags.count("img") == 5
    assert page.tags.count("figure") == 5


def test_pictures_on_the_page_are_the_records(tmp_path: Path, ten: DataSet) -> None:
    out = tmp_path / "card.html"

    mxio.card(ten.rec, out, seconds=0, samples=10)

    sources = [value for tag, name, value in Page(out).attributes if name == "src"]
    for number, source in enumerate(sources):
        kind, _, data = source.partition(",")
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
        assert kind == "data:image/jpeg;base64"
        assert abs(pixels.mean() - 20 * number) < 2
    assert len(sources) == 10


def test_nothing_is_loaded_and_nothing_runs(
    tmp_path: Path, hostile: tuple[Path, Path]
) -> None:
    rec, names = hostile
    out = tmp_path / "card.html"

    mxio.card(rec, out, seconds=0, classes=names)

    page = Page(out)
    assert page.unclosed == []
    assert set(page.tags).isdisjoint({"script", "link", "iframe", "object", "i"})
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    for _, name, value in page.attributes:
        if name in ("src", "href", "xlink:href", "action"):
            assert value.startswith("data:image/jpeg;base64,")
    assert not re.search(r"url\(|@import|https?://", out.read_text(encoding="utf-8"))
    policies = [value for tag, name, value in page.attributes if name == "content"]
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in policies


def test_hostile_names_are_shown_as_text(
    tmp_path: Path, hostile: tuple[Path, Path]
) -> None:
    rec, names = hostile
    out = tmp_path / "card.html"

    mxio.card(rec, out, seconds=0, classes=names)

    text = Page(out).text
    for name in HOSTILE[:4]:
        assert name in text
    assert "evil\ufffdgnp\ufffd[31m" in text
    assert "x'><i>.rec" in text
    assert "\u202e" not in out.read_text(encoding="utf-8")
    assert "\x1b" not in out.read_text(encoding="utf-8")


def test_damage_is_listed_with_record_id_and_byte(tmp_path: Path) -> None:
    jpg = encoded(picture(1, 40, 40), ".jpg")
    payloads = [record(jpg, 1.0, 70 + i) for i in range(6)]
    payloads[2] = record(jpg[: len(jpg) // 2], 1.0, 72)
    payloads[4] = b"short"
    rec, _, offsets = write_rec(tmp_path, payloads)

    facts = facts_of(rec)
    code = main(["card", str(rec), f"--out={tmp_path / 'card.html'}", "--seconds=0"])

    found = [(each.place.record, each.id, each.place.offset) for each in facts.damages]
    assert found == [(2, 72, offsets[2]), (4, None, offsets[4])]
    assert (facts.records, facts.damaged) == (6, 2)
    assert code == 1
    text = Page(tmp_path / "card.html").text
    assert f"72{offsets[2]}" in text
    assert "at least 24 bytes, got 5" in text


def test_a_damaged_head_ends_the_file_and_is_told(tmp_path: Path) -> None:
    payloads = [record(encoded(picture(i, 8, 8)), 1.0, i) for i in range(5)]
    rec, _, offsets = write_rec(tmp_path, payloads)
    content = bytearray(rec.read_bytes())
    content[offsets[3] : offsets[3] + 4] = b"xxxx"
    rec.write_bytes(content)

    facts = facts_of(rec)

    assert (facts.records, facts.damaged) == (4, 1)
    assert facts.damages[0].place.offset == offsets[3]
    assert "nothing behind it was looked at" in facts.damages[0].reason


def test_headers_alone_do_not_show_damage_in_pictures(tmp_path: Path) -> None:
    jpg = encoded(picture(1, 40, 40), ".jpg")
    rec, _, _ = write_rec(tmp_path, [record(jpg[: len(jpg) // 2])])

    report = mxio.card(rec, tmp_path / "card.html", decode=False, seconds=0)

    assert report.damaged == 0
    text = Page(tmp_path / "card.html").text
    assert "headers only were read" in text
    assert "None found in the headers." in text


def test_facts_count_labels_formats_and_sizes(tmp_path: Path) -> None:
    kinds = [".jpg", ".png", ".webp", ".bmp"]
    pictures = [encoded(picture(i, 10 + i, 20), kinds[i]) for i in range(4)]
    labels = [3.0, 3.0, 0.5, [1.0, 2.0]]
    payloads = [record(p, label) for p, label in zip(pictures, labels, strict=True)]
    rec, _, _ = write_rec(tmp_path, payloads)

    facts = facts_of(rec)

    assert facts.labels == {3: 2}
    assert facts.other_labels == {1: 1, 2: 1}
    assert facts.formats == {"jpg": 1, "png": 1, "webp": 1, "bmp": 1}
    assert list(facts.heights) == [10, 11, 12, 13]
    assert list(facts.widths) == [20] * 4
    assert list(facts.sizes) == list(map(len, pictures))
    assert facts.channels == {3: 4}


def test_the_sample_is_drawn_by_the_seed_and_fairly(many: DataSet) -> None:
    drawn = [
        [place.record for place in facts_of(many.rec, False, 50, seed).sample]
        for seed in (1, 1, 2)
    ]

    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0] == sorted(set(drawn[0]))
    assert 300 < np.mean(drawn[0]) < 700


def test_several_files_are_one_data_set(
    tmp_path: Path, ten: DataSet, colours: DataSet
) -> None:
    out = tmp_path / "card.html"

    report = mxio.card(f"{ten.rec};{colours.rec}", out, seconds=0)

    assert report.records == 17
    assert len(report.sha256) == 2
    assert "data.rec and 1 more" in Page(out).text


def test_more_classes_than_fit_show_the_largest(tmp_path: Path) -> None:
    data = encoded(picture(1, 4, 4))
    payloads = [record(data, float(i)) for i in range(60) for _ in range(1 + i // 30)]
    rec, _, _ = write_rec(tmp_path, payloads)

    mxio.card(rec, tmp_path / "card.html", seconds=0, samples=0)

    text = Page(tmp_path / "card.html").text
    assert "60 classes, 1 to 2 records in each." in text
    assert "The 40 largest:" in text


def test_speed_is_on_the_page_when_measured(tmp_path: Path, photos: DataSet) -> None:
    mxio.card(photos.rec, tmp_path / "card.html", seconds=0.01, samples=0)

    text = Page(tmp_path / "card.html").text
    assert "Limited by" in text
    assert "decoding, 1 thread" in text


@pytest.mark.parametrize(
    ("labels", "said"),
    [([[1.0, 2.0]] * 3, "Images per second"), ([0.0, [1.0, 2.0]], "Not measured: ")],
)
def test_records_with_several_labels_have_a_card(
    tmp_path: Path, labels: list[float | list[float]], said: str
) -> None:
    """The speed of loading one label could not be measured, and there was no page."""
    image = encoded(picture(1, 12, 12), ".jpg")
    rec, _, _ = write_rec(tmp_path, [record(image, label) for label in labels])

    report = mxio.card(rec, tmp_path / "card.html", seconds=0.01)

    assert report.damaged == 0
    assert said in Page(tmp_path / "card.html").text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"samples": -1}, r"samples must be in \[0, 500\], got -1"),
        ({"seconds": -1}, r"seconds must be in \[0, 3600\], got -1"),
        ({"seconds": float("nan")}, "seconds must be in"),
    ],
)
def test_a_wrong_argument_is_told(
    tmp_path: Path, ten: DataSet, options: dict[str, float], said: str
) -> None:
    with pytest.raises(ParameterError, match=said):
        mxio.card(ten.rec, tmp_path / "card.html", **options)  # type: ignore[arg-type]


def test_the_file_itself_is_not_written_over(ten: DataSet) -> None:
    with pytest.raises(ParameterError, match="would replace a file"):
        mxio.card(ten.rec, ten.rec)


def test_the_command_reports_as_json(
    tmp_path: Path, ten: DataSet, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "card.html"

    code = main(["card", str(ten.rec), f"--out={out}", "--seconds=0", "--json"])

    report = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (report["out"], report["records"], report["damaged"]) == (str(out), 10, 0)


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is needed")
def test_chromium_shows_the_page_without_a_complaint(
    tmp_path: Path, hostile: tuple[Path, Path]
) -> None:
    rec, names = hostile
    out, shot = tmp_path / "card.html", tmp_path / "card.png"
    mxio.card(rec, out, seconds=0, classes=names)

    done = subprocess.run(
        [
            *("chromium", "--headless", "--no-sandbox", "--enable-logging=stderr"),
            *(f"--screenshot={shot}", "--window-size=1100,1600", out.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert shot.stat().st_size > 10_000
    assert "CONSOLE" not in done.stderr


# Charts.


def test_bins_are_round_and_hold_every_value() -> None:
    chart = bins([180, 181, 200, 239, 240], wanted=6)

    assert chart == [
        *(("180", 2), ("190", 0), ("200", 1), ("210", 0), ("220", 0)),
        *(("230", 1), ("240", 1)),
    ]


@pytest.mark.parametrize(
    "values", [[5], [0, 0, 0], [1, 10**9], list(range(1000)), [0.25, 0.5]]
)
def test_bins_count_all_values_in_a_bounded_number(values: list[float]) -> None:
    chart = bins(values)

    assert sum(length for _, length in chart) == len(values)
    assert 1 <= len(chart) <= 26


def test_no_values_make_no_chart() -> None:
    assert bins([]) == []
    assert columns_chart("t", [], "") == rows_chart("t", []) == ""


def test_lengths_of_bars_are_in_proportion() -> None:
    chart = rows_chart("t", [("a", 10.0), ("b", 5.0), ("c", 0.0)])

    widths = [float(found) for found in re.findall(r'width="([\d.]+)" height', chart)]
    assert widths[1] == pytest.approx(widths[0] / 2, abs=0.01)
    assert widths[2] == 0


def test_a_long_name_is_cut_but_told_in_full() -> None:
    chart = rows_chart("t", [("x" * 200, 1.0)])

    assert "x" * 29 + "\N{HORIZONTAL ELLIPSIS}" in chart
    assert f"<title>{'x' * 200}: 1</title>" in chart


@pytest.mark.parametrize(
    ("number", "text"), [(1234567, "1,234,567"), (0.5, "0.5"), (2.0, "2")]
)
def test_numbers_are_short(number: float, text: str) -> None:
    assert short(number) == text


# JPEG quality.


@pytest.mark.parametrize("quality", [1, 5, 10, 25, 49, 50, 51, 75, 90, 95, 99, 100])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_quality_of_a_jpeg_is_found(quality: int, channels: int) -> None:
    pixels = picture(3, 16, 16, channels)
    by_opencv = encoded(pixels, ".jpg", cv2.IMWRITE_JPEG_QUALITY, quality)
    out = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(out, "JPEG", quality=quality)

    assert jpeg_quality(by_opencv) == quality
    assert jpeg_quality(out.getvalue()) == quality


def test_a_progressive_jpeg_with_comments_has_a_quality() -> None:
    out = io.BytesIO()
    Image.fromarray(picture(3, 16, 16)).save(
        out, "JPEG", quality=60, progressive=True, comment=b"\xff\xdb" * 50
    )

    assert jpeg_quality(out.getvalue()) == 60


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xdb", b"\x89PNG\r\n\x1a\n1234"],
)
def test_what_has_no_table_has_no_quality(data: bytes) -> None:
    assert jpeg_quality(data) is None


def test_any_damage_gives_a_quality_or_none() -> None:
    whole = encoded(picture(3, 16, 16), ".jpg")
    rng = np.random.default_rng(1)

    for _ in range(500):
        data = bytearray(whole[: rng.integers(2, len(whole))])
        for _ in range(rng.integers(0, 5)):
            data[rng.integers(2, max(3, len(data))) % len(data)] = rng.integers(256)
        found = jpeg_quality(bytes(data))
        assert found is None or 1 <= found <= 100
