"""mean_img: made when absent, from the right pixels, once, and read back."""

import os
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mxio import ndarray
from mxio.adapters.numpy import ImageRecordLoader
from mxio.errors import DataError, MxioError
from mxio.io import ImageRecordIter
from tests.conftest import (
    DataSet,
    encoded,
    iterator,
    picture,
    record,
    run_python,
    write_rec,
    write_set,
)

SHAPE = (3, 7, 9)


def centre_mean(data: DataSet) -> NDArray[np.float64]:
    """Mean of the centre crops of the 12 x 16 pictures, (channels, height, width)."""
    crops = np.array([pixels[2:9, 3:12] for pixels in data.pixels], np.float64)
    mean: NDArray[np.float64] = crops.mean(axis=0).transpose(2, 0, 1)
    return mean


def mean_file(path: Path, values: NDArray[np.float32]) -> Path:
    """An NDArray list of one unnamed array, version 2, by the format's description."""
    head = struct.pack("<QQQ", 0x112, 0, 1)
    shape = struct.pack(
        f"<Iii{values.ndim}q", 0xF993FAC9, 0, values.ndim, *values.shape
    )
    context = struct.pack("<iii", 1, 0, 0)
    path.write_bytes(head + shape + context + values.tobytes() + struct.pack("<Q", 0))
    return path


def saved_mean(path: Path) -> NDArray[Any]:
    """The one array of the file, by its name."""
    loaded = ndarray.load(path)
    assert isinstance(loaded, dict)
    assert list(loaded) == ["mean_img"]
    return loaded["mean_img"].asnumpy()


def test_an_absent_file_is_made_from_all_records(
    colours: DataSet, tmp_path: Path
) -> None:
    path = tmp_path / "mean.bin"
    expected = centre_mean(colours)

    batches = iterator(colours, data_shape=SHAPE, batch_size=7, mean_img=path)

    np.testing.assert_allclose(saved_mean(path), expected, atol=1e-5)
    crops = np.array([pixels[2:9, 3:12] for pixels in colours.pixels])
    np.testing.assert_allclose(
        batches.next().data[0], crops.transpose(0, 3, 1, 2) - expected, atol=1e-4
    )
    assert os.listdir(tmp_path) == ["mean.bin"]


def test_the_bytes_of_the_file_are_those_of_mxnet(ten: DataSet, tmp_path: Path) -> None:
    path = tmp_path / "mean.bin"

    iterator(ten, mean_img=path)

    head = (
        struct.pack("<QQQ", 0x112, 0, 1)
        + struct.pack("<Iii3q", 0xF993FAC9, 0, 3, 3, 8, 8)
        + struct.pack("<iii", 1, 0, 0)
    )
    name = struct.pack("<QQ", 1, 8) + b"mean_img"
    values = np.full(3 * 8 * 8, 90, np.float32).tobytes()
    assert path.read_bytes() == head + values + name


@pytest.mark.parametrize(
    "options",
    [
        {"rand_crop": True},
        {"mirror": True},
        {"rand_mirror": True, "seed": 3},
        {"mean_r": 100.0, "mean_g": 1.0},
        {"std_r": 50.0, "scale": 1 / 255},
        {"random_resized_crop": True, "min_random_area": 0.5},
        {"shuffle": True},
        {"num_parts": 2, "part_index": 1},
        {"dtype": "float16"},
        {"dtype": "int8"},
        {"layout": "NHWC"},
        {"round_batch": False, "batch_size": 3},
        {"preprocess_threads": 3, "prefetch_buffer": 1},
    ],
)
def test_the_mean_is_that_of_plain_centre_crops_whatever_else_is_asked_for(
    colours: DataSet, tmp_path: Path, options: dict[str, Any]
) -> None:
    # MXNet averaged what came out of the whole pipeline: another domain.
    path = tmp_path / "mean.bin"

    iterator(colours, mean_img=path, **{"data_shape": SHAPE} | options)

    np.testing.assert_allclose(saved_mean(path), centre_mean(colours), atol=1e-5)


def test_resize_comes_before_the_mean(photos: DataSet, tmp_path: Path) -> None:
    path = tmp_path / "mean.bin"
    shape = (3, 20, 20)
    plain = iterator(photos, data_shape=shape, resize=24, batch_size=37)
    expected = plain.next().data[0].mean(axis=0, dtype=np.float64)

    iterator(photos, data_shape=shape, resize=24, mean_img=path)

    np.testing.assert_allclose(saved_mean(path), expected, atol=1e-4)


def test_the_file_is_read_back_and_not_touched(ten: DataSet, tmp_path: Path) -> None:
    values = np.arange(3 * 8 * 8, dtype=np.float32).reshape(3, 8, 8)
    path = mean_file(tmp_path / "mean.bin", values)
    before = (path.read_bytes(), path.stat().st_mtime_ns)

    data = iterator(ten, mean_img=path).next().data[0]

    for i in range(4):
        np.testing.assert_array_equal(data[i], 20 * i - values)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert os.listdir(tmp_path) == ["mean.bin"]


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_the_mean_belongs_to_places_before_the_mirror(
    colours: DataSet, tmp_path: Path, layout: str, dtype: str
) -> None:
    rng = np.random.default_rng(1)
    values = rng.uniform(-5, 260, (3, 12, 16)).astype(np.float32)
    path = mean_file(tmp_path / "mean.bin", values)
    pixels = np.array(colours.pixels).transpose(0, 3, 1, 2)
    expected: NDArray[Any]
    if dtype == "int8":
        rounded = np.copysign(np.floor(np.abs(values) + 0.5), values)
        expected = np.clip(pixels - rounded, -128, 127)[..., ::-1]
        options = {}
    else:
        expected = ((pixels - values) * np.float32(0.5 / 3.0))[..., ::-1]
        options = {"std_r": 3.0, "std_g": 3.0, "std_b": 3.0, "scale": 0.5}

    batches = iterator(
        colours,
        data_shape=(3, 12, 16),
        batch_size=7,
        mean_img=path,
        mirror=True,
        layout=layout,
        dtype=dtype,
        **options,
    )

    actual = batches.next().data[0].asnumpy()
    actual = actual if layout == "NCHW" else actual.transpose(0, 3, 1, 2)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_the_mean_image_takes_the_place_of_the_mean_colours(
    ten: DataSet, tmp_path: Path
) -> None:
    path = mean_file(tmp_path / "mean.bin", np.full((3, 8, 8), 10, np.float32))

    data = iterator(ten, mean_img=path, mean_r=77.0, mean_g=5.0).next().data[0]

    assert data[:, :, 0, 0].tolist() == [[-10] * 3, [10] * 3, [30] * 3, [50] * 3]


def test_the_other_faces_take_a_mean_image_too(ten: DataSet, tmp_path: Path) -> None:
    path = tmp_path / "mean.bin"

    loader = ImageRecordLoader(
        path_imgrec=ten.rec, data_shape=(3, 8, 8), batch_size=10, mean_img=path
    )

    data = next(iter(loader)).data
    assert data[:, 0, 0, 0].tolist() == [20.0 * i - 90 for i in range(10)]


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((3, 8, 9), r"float32\(3, 8, 9\), data_shape asks for float32\(3, 8, 8\)"),
        ((1, 8, 8), r"float32\(1, 8, 8\)"),
        ((3, 64), r"float32\(3, 64\)"),
    ],
)
def test_a_mean_of_another_shape_is_refused(
    ten: DataSet, tmp_path: Path, shape: tuple[int, ...], words: str
) -> None:
    # MXNet did not look.
    path = mean_file(tmp_path / "mean.bin", np.zeros(shape, np.float32))

    with pytest.raises(DataError, match=words) as caught:
        iterator(ten, mean_img=path)

    assert caught.value.path == str(path)


def test_a_mean_of_another_type_is_refused(ten: DataSet, tmp_path: Path) -> None:
    path = tmp_path / "mean.bin"
    ndarray.save(path, [np.zeros((3, 8, 8))])

    with pytest.raises(DataError, match="the mean image is float64"):
        iterator(ten, mean_img=path)


@pytest.mark.parametrize("count", [0, 2])
def test_a_file_without_exactly_one_array_is_refused(
    ten: DataSet, tmp_path: Path, count: int
) -> None:
    path = tmp_path / "mean.bin"
    ndarray.save(path, [np.zeros((3, 8, 8), np.float32)] * count)

    with pytest.raises(DataError, match=f"holds 1 array, not {count}"):
        iterator(ten, mean_img=path)


@pytest.mark.parametrize("text", [b"", b"no list", b"x" * 100])
def test_a_file_that_is_no_list_of_arrays_is_refused(
    ten: DataSet, tmp_path: Path, text: bytes
) -> None:
    path = tmp_path / "mean.bin"
    path.write_bytes(text)

    with pytest.raises(DataError, match=r"mean\.bin: byte 0"):
        iterator(ten, mean_img=path)

    assert path.read_bytes() == text


def test_a_missing_directory_is_an_error_that_names_the_file(
    ten: DataSet, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match="cannot make the mean image") as caught:
        iterator(ten, mean_img=tmp_path / "none" / "mean.bin")

    assert isinstance(caught.value, MxioError)
    assert caught.value.filename == str(tmp_path / "none" / "mean.bin")


def test_a_bad_record_leaves_no_file_behind(tmp_path: Path) -> None:
    payloads = [record(encoded(picture(i, 8, 8))) for i in range(5)]
    payloads[3] = record(b"no picture")
    rec, _, _ = write_rec(tmp_path, payloads)
    before = sorted(os.listdir(tmp_path))

    with pytest.raises(DataError, match="record 3"):
        iterator(rec, mean_img=tmp_path / "mean.bin")

    assert sorted(os.listdir(tmp_path)) == before


def test_bad_records_are_left_out_of_the_mean_when_they_may_be(tmp_path: Path) -> None:
    payloads = [record(encoded(np.full((8, 8, 3), v, np.uint8))) for v in (10, 20, 30)]
    payloads.insert(1, record(b"no picture"))
    rec, _, _ = write_rec(tmp_path, payloads)

    iterator(rec, mean_img=tmp_path / "mean.bin", on_error="skip")

    saved = saved_mean(tmp_path / "mean.bin")
    assert saved.min() == saved.max() == 20


def test_nothing_is_made_without_a_good_record(tmp_path: Path) -> None:
    rec, _, _ = write_rec(tmp_path, [record(b"no picture")] * 3)

    with pytest.raises(MxioError):
        iterator(rec, mean_img=tmp_path / "mean.bin", on_error="skip")

    assert sorted(os.listdir(tmp_path)) == ["data.idx", "data.rec"]


def test_processes_that_start_together_make_the_file_once(tmp_path: Path) -> None:
    data = write_set(tmp_path, [picture(i, 60, 60) for i in range(300)], ".jpg")
    made = tmp_path / "out"
    made.mkdir()
    program = """
import os, sys, time
from mxio import _mean
from mxio.io import ImageRecordIter
compute = _mean._compute
def counted(*args):
    open(f"{sys.argv[3]}.{os.getpid()}", "w").close()
    return compute(*args)
_mean._compute = counted
time.sleep(max(0, float(sys.argv[4]) - time.time()))
batches = ImageRecordIter(path_imgrec=sys.argv[1], mean_img=sys.argv[2],
                          data_shape=(3, 50, 50), batch_size=300)
print(float(abs(batches.next().data[0].mean(axis=0)).max()))
"""
    start = time.time() + 1
    command = [sys.executable, "-c", program, data.rec, made / "mean.bin"]
    arguments = [*map(str, command), str(tmp_path / "computed"), str(start)]

    processes = [
        subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = [process.communicate(timeout=60)[0] for process in processes]

    assert os.listdir(made) == ["mean.bin"]
    assert len(list(tmp_path.glob("computed.*"))) == 1
    assert all(float(text) < 1e-3 for text in said)


def test_ctrl_c_while_the_mean_is_made_leaves_nothing_behind(tmp_path: Path) -> None:
    image = record(encoded(picture(0, 1500, 1500), ".jpg"))
    rec, _, _ = write_rec(tmp_path, [image] * 200)
    program = """
import os, signal, sys, threading, time
from mxio.io import ImageRecordIter
def interrupt():
    time.sleep(0.4)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    ImageRecordIter(path_imgrec=sys.argv[1], mean_img=sys.argv[2],
                    data_shape=(3, 1400, 1400), batch_size=1, preprocess_threads=1)
except KeyboardInterrupt:
    print("interrupted")
"""

    done = run_python(program, rec, tmp_path / "mean.bin")

    assert (done.stdout, done.stderr) == ("interrupted\n", "")
    assert sorted(os.listdir(tmp_path)) == ["data.idx", "data.rec"]


def test_no_mean_image_is_looked_for_without_the_option(ten: DataSet) -> None:
    batches = ImageRecordIter(
        path_imgrec=ten.rec, data_shape=(3, 8, 8), batch_size=4, mean_img=""
    )

    assert batches.next().data[0][1, 0, 0, 0] == 20
