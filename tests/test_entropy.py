"""Our own decoding, behind libjpeg and without it, and libjpeg's: all gives the same.

The choice is made once in a process, so each is a program of its own.
"""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mxio
from tests.conftest import picture, record, write_rec

LOAD = """
import hashlib, sys
import mxio
from mxio.adapters.numpy import ImageRecordLoader

loader = ImageRecordLoader(
    path_imgrec=sys.argv[1], data_shape=(3, 64, 64), batch_size=5, shuffle=True, seed=3,
    random_resized_crop=True, min_random_area=0.05, max_random_area=1.0,
    rand_mirror=True, preprocess_threads=2, dtype="uint8",
)
print(mxio.features()["pixels"], mxio.features()["entropy"], sep="; ")
for epoch in range(3):
    for batch in loader:
        print(hashlib.sha256(batch.data.tobytes()).hexdigest(), batch.index.tolist())
"""

DECODE = """
import hashlib, sys
from pathlib import Path
from mxio import DataError, _core, features

print(features()["pixels"], features()["entropy"], sep="; ")
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        block, *shape = _core.decode(path.read_bytes(), 3, False, False, 10**6)
    except DataError as error:
        print(path.name, error)
    else:
        print(path.name, shape, hashlib.sha256(block).hexdigest())
"""


# What makes each of them run, and what mxio.features() then says of pixels and entropy.
# (Without vector code for this processor, libjpeg makes the pixels.)
WAYS = {
    "plain": {"MXIO_ENTROPY": "own"},
    "entropy": {"MXIO_ENTROPY": "own", "MXIO_SIMD": "off"},
    "stock": {"MXIO_ENTROPY": "stock"},
}
SAID = {
    "plain": ["own; own", "stock (no vector code for this processor); own"],
    "entropy": ["stock (no vector code for this processor); own"],
    "stock": ["stock (MXIO_ENTROPY=stock); stock (MXIO_ENTROPY=stock)"],
}


def run(program: str, argument: Path, way: str) -> list[str]:
    """The lines that the program prints, after what mxio.features() says."""
    result = subprocess.run(
        [sys.executable, "-c", program, str(argument)],
        env=os.environ | WAYS[way],
        capture_output=True,
        text=True,
        check=True,
    )
    said, *lines = result.stdout.splitlines()
    assert said in SAID[way]
    return lines


def jpeg(seed: int, mode: str = "RGB", **options: object) -> bytes:
    height, width = 150 + 7 * seed, 260 - 11 * seed
    image = Image.fromarray(picture(seed, height, width)).convert(mode)
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


def jpegs() -> Iterator[bytes]:
    """Every kind that Pillow writes, more and less than the size from which on tables
    are made at once.
    """
    samplings = ["4:4:4", "4:2:2", "4:2:0"]
    for seed, (sampling, blocks) in enumerate(product(samplings, [0, 1, 4, 7])):
        yield jpeg(seed, subsampling=sampling, restart_marker_blocks=blocks, quality=90)
    for seed, mode in enumerate(["L", "CMYK"]):
        yield jpeg(seed, mode, optimize=True, quality=30 + 60 * seed)
    yield jpeg(3, progressive=True)
    yield jpeg(4, quality=1)


def damaged(intact: bytes) -> Iterator[bytes]:
    rng = np.random.default_rng(5)
    for _ in range(60):
        bad = bytearray(intact)
        for at in rng.integers(2, len(bad), 3):
            bad[at] ^= 1 << int(rng.integers(8))
        yield bytes(bad)
    for size in rng.integers(2, len(intact), 20):
        yield intact[:size]
    for marker in [b"\xff\xd0", b"\xff\xd9", b"\xff", b"stray"]:
        at = int(rng.integers(700, len(intact)))
        yield intact[:at] + marker + intact[at:]


def test_features_says_which_entropy_decoding_runs() -> None:
    # The self-test must pass with the libjpeg-turbo that mxio was built for.
    wish = os.environ.get("MXIO_ENTROPY")

    answer = mxio.features()["entropy"]

    assert answer == ("stock (MXIO_ENTROPY=stock)" if wish == "stock" else "own")


@pytest.mark.parametrize("way", ["plain", "entropy"])
def test_loaders_give_the_same_batches_with_either(tmp_path: Path, way: str) -> None:
    rec, _, _ = write_rec(tmp_path, [record(image, 1.0, 1) for image in jpegs()])

    own = run(LOAD, rec, way)

    assert own == run(LOAD, rec, "stock")
    assert len(own) > 8


@pytest.mark.parametrize("way", ["plain", "entropy"])
def test_damaged_pictures_are_refused_in_the_same_words(
    tmp_path: Path, way: str
) -> None:
    intact = [jpeg(1), jpeg(2, restart_marker_blocks=3)]
    for number, bad in enumerate(bad for one in intact for bad in damaged(one)):
        (tmp_path / f"{number:03}.jpg").write_bytes(bad)

    own = run(DECODE, tmp_path, way)

    assert own == run(DECODE, tmp_path, "stock")
    assert len([line for line in own if "JPEG: " in line]) > 40
    assert len([line for line in own if "[" in line]) > 10
