"""Every level of the kernels gives the same bytes (MXIO_SIMD)."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import mxio
from tests.conftest import DataSet, picture, write_set

PROGRAM = Path(__file__).with_name("batch_digests.py")
# The name in MXIO_SIMD, and the one in features().
LEVELS = {"off": "scalar", "avx2": "avx2", "neon": "neon"}

NORMS: list[dict[str, Any]] = [
    {},
    {"mean_r": 123.68, "mean_g": 116.28, "mean_b": 103.53, "std_r": 58.4, "std_b": 57},
    {"mean_g": 99.5, "scale": 0.017, "max_random_contrast": 0.3},
]
MEANS: list[dict[str, Any]] = [{}, {"mean_r": 120.5, "mean_g": 0.5, "mean_b": 300}]
TYPES = {"float32": NORMS, "float16": NORMS, "uint8": NORMS[:1], "int8": MEANS}
if importlib.util.find_spec("ml_dtypes"):
    TYPES["bfloat16"] = NORMS
CROPS: list[dict[str, Any]] = [
    {"rand_crop": True},
    {"random_resized_crop": True, "min_random_area": 0.2, "max_random_area": 1.0},
]
AUGMENTATIONS: list[dict[str, Any]] = [
    *({"inter_method": method, "resize": 33} for method in range(5)),
    {"max_rotate_angle": 30, "max_shear_ratio": 0.2, "inter_method": 1},
    {"max_rotate_angle": 30, "inter_method": 2},
    {"max_rotate_angle": 30, "inter_method": 4},
    {"brightness": 0.4, "contrast": 0.4, "random_l": 50},
    {"pad": 3, "fill_value": 17, "mirror": True},
]
COLOURS: list[dict[str, Any]] = [
    {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "pca_noise": 0.1},
    {"random_h": 36, "random_s": 50, "random_l": 50},
]


def options(channels: int) -> list[dict[str, Any]]:
    """Every type, layout, normalisation and crop; then every augmentation once."""
    shapes = [(channels, 29, 27), (channels, 16, 32)]
    out = [
        {"data_shape": shape, "dtype": dtype, "layout": layout, "rand_mirror": True}
        | norm
        | crop
        for dtype, norms in TYPES.items()
        for shape, layout, norm, crop in product(shapes, ["NCHW", "NHWC"], norms, CROPS)
    ]
    return out + [
        {"data_shape": shapes[0], "dtype": dtype, "resize": 40} | augmentation
        for augmentation in AUGMENTATIONS + (COLOURS if channels > 1 else [])
        for dtype in ["float32", "uint8"]
    ]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The digests of a level, or none: all channels of PNGs, colour of JPEGs."""
    folder = tmp_path_factory.mktemp("simd")

    def made(channels: int, suffix: str) -> DataSet:
        pixels = [picture(i, 37 + i, 52 - i, channels) for i in range(9)]
        return write_set(folder, pixels, suffix, f"{channels}{suffix}")

    asked = [
        (str(data.rec), given)
        for channels, suffix in [(1, ".png"), (3, ".png"), (4, ".png"), (3, ".jpg")]
        for data in [made(channels, suffix)]
        for given in options(channels)
    ]

    @cache
    def answer(level: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, PROGRAM],
            input=json.dumps({"level": LEVELS[level], "asked": asked}) + "\n",
            env=os.environ | {"MXIO_SIMD": level},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        digests: list[str] = json.loads(done.stdout)
        return digests

    return answer


def test_features_name_libraries_and_level() -> None:
    features = mxio.features()

    assert features["jpeg"].startswith("libjpeg-turbo ")
    assert re.fullmatch(
        r"libpng 1\.[\d.]+, (libdeflate|zlib) 1\.[\d.]+", features["png"]
    )
    assert features["simd"] in LEVELS.values()


@pytest.mark.parametrize("level", [level for level in LEVELS if level != "off"])
def test_every_level_gives_the_bytes_of_the_plain_code(ask: Any, level: str) -> None:
    digests = ask(level)
    if not digests:
        pytest.skip(f"this processor has no {level}")

    plain = ask("off")

    assert len(set(plain)) > len(plain) / 2
    assert digests == plain
