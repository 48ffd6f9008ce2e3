"""Transcoding for fast reading: other decoders see the same picture."""

import io
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from mxio import DataError, _core
from tests.conftest import picture, record, write_rec

ENOUGH = 10**6


def transcode(data: bytes, restart: int = 4) -> bytes:
    out = _core.transcode_jpeg(data, restart, ENOUGH)
    assert isinstance(out, bytes), out
    return out


def jpeg(seed: int, mode: str = "RGB", **options: object) -> bytes:
    image = Image.fromarray(picture(seed, 131 + seed, 190 - seed)).convert(mode)
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


def jpegs() -> Iterator[bytes]:
    for seed, sampling in enumerate(["4:4:4", "4:2:2", "4:2:0"]):
        yield jpeg(seed, subsampling=sampling)
        yield jpeg(seed, subsampling=sampling, progressive=True, quality=95)
        yield jpeg(seed, subsampling=sampling, restart_marker_blocks=seed + 1)
    yield jpeg(5, "L")
    yield jpeg(6, "L", progressive=True)
    yield jpeg(7, "CMYK")
    yield jpeg(8, "CMYK", progressive=True)


@pytest.mark.parametrize("data", list(jpegs()), ids=range(13))
def test_pillow_and_opencv_see_the_same_pixels(data: bytes) -> None:
    out = transcode(data)

    before, after = (Image.open(io.BytesIO(one)) for one in (data, out))
    assert before.mode == after.mode
    np.testing.assert_array_equal(np.asarray(before), np.asarray(after))
    both = [
        cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR)
        for one in (data, out)
    ]
    np.testing.assert_array_equal(both[0], both[1])


def test_what_comes_out_is_baseline_with_restart_markers() -> None:
    out = transcode(jpeg(1, progressive=True, subsampling="4:2:0"), 6)

    columns, rows = -(-189 // 16), -(-132 // 16)
    markers = [m for m in range(0xD0, 0xD8) for _ in range(out.count(bytes([0xFF, m])))]
    assert len(markers) == (columns * rows - 1) // 6
    assert b"\xff\xdd" + struct.pack(">HH", 4, 6) in out
    assert b"\xff\xc0" in out
    assert "progressive" not in Image.open(io.BytesIO(out)).info


def test_metadata_is_kept() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "what it shows"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = jpeg(
        2, exif=exif, icc_profile=profile, comment=b"some words", dpi=(123, 123)
    )

    before, after = (Image.open(io.BytesIO(one)) for one in (data, transcode(data)))

    assert {**after.info} == {**before.info}
    assert after.info["icc_profile"] == profile
    assert after.info["comment"] == b"some words"
    assert dict(after.getexif()) == {0x0112: 6, 0x010E: "what it shows"}


def test_a_loader_gives_the_same_batches_of_what_was_transcoded(tmp_path: Path) -> None:
    program = """
import hashlib, sys
from mxio.adapters.numpy import ImageRecordLoader
loader = ImageRecordLoader(
    path_imgrec=sys.argv[1], data_shape=(3, 50, 50), batch_size=4, seed=3, shuffle=True,
    random_resized_crop=True, min_random_area=0.05, rand_mirror=True, dtype="uint8",
)
for epoch in range(3):
    for batch in loader:
        print(hashlib.sha256(batch.data.tobytes()).hexdigest())
"""
    images = {"before": list(jpegs()), "after": [transcode(one) for one in jpegs()]}
    files = {
        name: write_rec(tmp_path, [record(image) for image in some], name)[0]
        for name, some in images.items()
    }

    printed = [
        subprocess.run(
            [sys.executable, "-c", program, str(files[name])],
            env=os.environ | {"MXIO_ENTROPY": entropy},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name, entropy in [("before", "stock"), ("after", "own"), ("after", "stock")]
    ]

    assert printed[0] == printed[1] == printed[2]
    assert printed[0].count("\n") >= 9


def test_what_cannot_be_baseline_is_answered_in_words() -> None:
    deep = bytearray(jpeg(3))
    at = deep.index(b"\xff\xc0")
    deep[at + 1 : at + 5] = b"\xc1" + deep[at + 2 : at + 4] + b"\x0c"

    assert _core.transcode_jpeg(b"GIF89a", 4, ENOUGH) == "not a JPEG"
    assert "precision 12" in str(_core.transcode_jpeg(bytes(deep), 4, ENOUGH))


def test_damage_is_an_error_and_names_what_it_is() -> None:
    data = jpeg(4)

    with pytest.raises(DataError, match="JPEG: Premature end of JPEG file"):
        _core.transcode_jpeg(data[:-200], 4, ENOUGH)
    with pytest.raises(DataError, match="are more than max_pixels=100"):
        _core.transcode_jpeg(data, 4, 100)


@pytest.mark.parametrize("restart", [-1, 65536])
def test_an_interval_that_a_jpeg_cannot_hold_is_refused(restart: int) -> None:
    with pytest.raises(
        ValueError, match=rf"restart must be in \[0, 65535\], got {restart}"
    ):
        _core.transcode_jpeg(jpeg(1), restart, ENOUGH)
