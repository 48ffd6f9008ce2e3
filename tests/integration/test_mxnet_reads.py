"""MXNet 1.9.1 reads what im2rec wrote, and the other way round.

The environment variable MXIO_REFERENCE names a Python with mxnet==1.9.1 and OpenCV.
"""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mxio.adapters.numpy import ImageRecordLoader
from mxio.im2rec import main
from mxio.recordio import MXIndexedRecordIO, unpack
from mxio.tools.merge import merge
from mxio.tools.pack import pack
from tests.im2rec_files import photo, write_image, write_list

REFERENCE = os.environ.get("MXIO_REFERENCE", "")
COUNT = 31
READ = """
import hashlib, json, sys
import mxnet as mx
rec, idx, label_width = sys.argv[1], sys.argv[2], int(sys.argv[3])
reader = mx.recordio.MXIndexedRecordIO(idx, rec, "r")
records = []
for key in reader.keys:
    head, image = mx.recordio.unpack(reader.read_idx(key))
    label = head.label.tolist() if hasattr(head.label, "tolist") else [head.label]
    records.append([key, head.id, label, hashlib.sha256(image).hexdigest()])
batches = mx.io.ImageRecordIter(
    path_imgrec=rec, data_shape=(3, 24, 24), batch_size=1, label_width=label_width,
    preprocess_threads=1)
means, labels = [], []
for batch in batches:
    means.append(float(batch.data[0].asnumpy().mean()))
    labels.append(batch.label[0].asnumpy().ravel().tolist())
print(json.dumps([records, means, labels]))
"""
TOOL = "import mxnet, os; print(os.path.dirname(mxnet.__file__) + '/tools/im2rec.py')"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not REFERENCE, reason="MXIO_REFERENCE names no Python"),
]


def reference(*words: str | Path) -> str:
    done = subprocess.run(
        [REFERENCE, *map(str, words)],
        env={name: it for name, it in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A list with two labels a line, of JPEGs and PNGs."""
    lines = []
    for number in range(COUNT):
        name = f"{number}.{'png' if number % 5 == 0 else 'jpg'}"
        write_image(tmp_path / "root" / name, photo(60 + number, 110 - number))
        lines.append(f"{3 * number}\t{number / 4}\t{number}\t{name}")
    return write_list(tmp_path, *lines)


def read_here(rec: Path, label_width: int) -> list[Any]:
    """What READ prints, by mxio."""
    reader = MXIndexedRecordIO(rec.with_suffix(".idx"), rec, "r")
    records = []
    for key in reader.keys:
        head, image = unpack(reader.read_idx(key))
        digest = hashlib.sha256(image).hexdigest()
        records.append([key, head.id, np.ravel(head.label).tolist(), digest])
    with ImageRecordLoader(
        path_imgrec=str(rec),
        data_shape=(3, 24, 24),
        batch_size=1,
        label_width=label_width,
    ) as batches:
        pairs = [(batch.data.copy(), batch.label.copy()) for batch in batches]
    means = [float(data.mean()) for data, _ in pairs]
    return [records, means, [label.ravel().tolist() for _, label in pairs]]


def agree(theirs: list[Any], ours: list[Any]) -> bool:
    """Records and labels are equal; the decoders' pixels differ by little."""
    same = theirs[0] == ours[0] and theirs[2] == ours[2]
    return same and np.allclose(theirs[1], ours[1], atol=1)


@pytest.mark.parametrize(
    ("settings", "label_width"),
    [
        ({}, 1),
        ({"pack_label": True, "resize": 32}, 2),
        ({"encoding": ".png", "resize": 32, "quality": 3}, 1),
        ({"resize": 32, "center_crop": True, "scaled_decode": True}, 1),
        ({"pass_through": True}, 1),
        ({"resize": 32, "shards": 4}, 1),
    ],
)
def test_mxnet_reads_what_was_packed(
    tmp_path: Path, images: Path, settings: dict[str, Any], label_width: int
) -> None:
    rec = tmp_path / "o.rec"
    pack(images, tmp_path / "root", rec, **settings)
    if "shards" in settings:
        merge(rec)

    theirs = json.loads(
        reference("-c", READ, rec, rec.with_suffix(".idx"), str(label_width))
    )

    assert len(theirs[0]) == len(theirs[1]) == COUNT
    assert agree(theirs, read_here(rec, label_width))


@pytest.mark.parametrize(
    ("words", "label_width"),
    [
        (["--pass-through"], 1),
        (["--pass-through", "--pack-label"], 2),
        (["--resize", "32", "--quality", "90"], 1),
        (["--resize", "32", "--encoding", ".png", "--quality", "3"], 1),
    ],
)
def test_what_mxnet_packed_is_read_and_packed_alike(
    tmp_path: Path, images: Path, words: list[str], label_width: int
) -> None:
    prefix, root = str(tmp_path / "image"), str(tmp_path / "root")
    reference(reference("-c", TOOL).strip(), prefix, root, *words)
    theirs = [(tmp_path / f"image.{name}").read_bytes() for name in ("rec", "idx")]
    read = json.loads(
        reference("-c", READ, f"{prefix}.rec", f"{prefix}.idx", str(label_width))
    )

    assert agree(read, read_here(tmp_path / "image.rec", label_width))
    assert main([prefix, root, *words]) == 0
    ours = [(tmp_path / f"image.{name}").read_bytes() for name in ("rec", "idx")]
    if "--pass-through" in words:
        assert ours == theirs
    else:
        again = read_here(tmp_path / "image.rec", label_width)
        assert [record[:3] for record in again[0]] == [r[:3] for r in read[0]]
        assert np.allclose(again[1], read[1], atol=1)
