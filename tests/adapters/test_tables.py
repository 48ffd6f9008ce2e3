"""MNISTIter, CSVIter, LibSVMIter: values, parts, and the end of an epoch."""

import gc
import gzip
import inspect
import multiprocessing
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import textwrap
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxio.errors import DataError, MxioError, ParameterError
from mxio.io import CSVIter, LibSVMIter, MNISTIter
from tests import hanging
from tests.conftest import run_python
from tests.threads import settled, tasks, tasks_at_rest


def text_file(folder: Path, text: str, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def csv(folder: Path, text: str, **options: Any) -> CSVIter:
    """One value in a row, two rows in a batch, unless told otherwise."""
    path = text_file(folder, text)
    given = {"data_csv": path, "data_shape": (1,), "batch_size": 2} | options
    return CSVIter(**given)


def svm(folder: Path, text: str, **options: Any) -> LibSVMIter:
    """Three features, two rows in a batch, unless told otherwise."""
    path = text_file(folder, text, "data.t")
    given = {"data_libsvm": path, "data_shape": (3,), "batch_size": 2} | options
    return LibSVMIter(**given)


def rows_of(batches: Any) -> list[tuple[list[int], int]]:
    return [(batch.index.tolist(), batch.pad) for batch in batches]


TEN = "".join(f"{i}\n" for i in range(10))


# ---- the end of an epoch ----


def test_the_last_batch_is_completed_and_the_next_epoch_starts_behind(
    tmp_path: Path,
) -> None:
    batches = csv(tmp_path, TEN, batch_size=4)
    epochs = []

    for _ in range(3):
        epochs.append(rows_of(batches))
        batches.reset()

    odd = [([0, 1, 2, 3], 0), ([4, 5, 6, 7], 0), ([8, 9, 0, 1], 2)]
    even = [([2, 3, 4, 5], 0), ([6, 7, 8, 9], 0)]
    assert epochs == [odd, even, odd]


@pytest.mark.parametrize("taken", [1, 2])
def test_a_reset_in_mid_epoch_starts_at_the_first_row(
    tmp_path: Path, taken: int
) -> None:
    # MXNet went on at row 2 when its producer was ahead.
    batches = csv(tmp_path, TEN, batch_size=4, prefetch_buffer=8)
    for _ in range(taken):
        batches.next()

    batches.reset()

    assert rows_of(batches)[0] == ([0, 1, 2, 3], 0)


def test_a_second_reset_starts_at_the_first_row(tmp_path: Path) -> None:
    batches = csv(tmp_path, TEN, batch_size=4)
    list(batches)

    batches.reset()
    batches.reset()

    assert rows_of(batches)[0] == ([0, 1, 2, 3], 0)


def test_the_end_comes_again_until_reset(tmp_path: Path) -> None:
    batches = csv(tmp_path, TEN)
    list(batches)

    for _ in range(3):
        with pytest.raises(StopIteration):
            batches.next()
        assert batches.iter_next() is False
    batches.reset()

    assert batches.iter_next() is True


def test_without_round_batch_missing_rows_are_zeros(tmp_path: Path) -> None:
    batches = csv(tmp_path, "1\n2\n3\n", round_batch=False)

    for _ in range(2):
        _, last = [(b.data[0].tolist(), b.index.tolist(), b.pad) for b in batches]
        batches.reset()

        assert last == ([[3.0], [0.0]], [2, 0], 1)


@settings(max_examples=60)
@given(count=st.integers(1, 30), size=st.integers(1, 12), depth=st.integers(1, 5))
def test_epochs_and_their_carry_hold_every_row_once(
    tmp_path_factory: pytest.TempPathFactory, count: int, size: int, depth: int
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    size = min(size, count)
    text = "".join(f"{i}\n" for i in range(count))
    batches = csv(folder, text, batch_size=size, prefetch_buffer=depth)
    given: list[int] = []

    for _ in range(3):
        epoch = list(batches)
        pads = [batch.pad for batch in epoch]
        assert not any(pads[:-1])
        given += [i for batch in epoch for i in batch.index.tolist()]
        batches.reset()

    assert given == [i % count for i in range(len(given))]


def test_a_batch_of_more_than_two_epochs_is_refused_with_the_numbers(
    tmp_path: Path,
) -> None:
    batches = csv(tmp_path, TEN, batch_size=21)

    for _ in range(2):
        with pytest.raises(ParameterError, match=r"batch_size=21 .* 10 rows left"):
            batches.next()


# ---- CSV ----


def test_values_have_the_shape_asked_for_and_labels_are_zeros(tmp_path: Path) -> None:
    batches = csv(tmp_path, "1,2,3,4,5,6\n7,8,9,10,11,12", data_shape=(2, 3))

    batch = batches.next()

    expected = np.arange(1, 13, dtype=np.float32).reshape(2, 2, 3)
    np.testing.assert_array_equal(batch.data[0], expected)
    assert batch.label[0].tolist() == [0.0, 0.0]
    assert batch.index.dtype == np.uint64


@pytest.mark.parametrize("dtype", ["float32", "int32", np.int64])
def test_provided_shapes_are_those_of_the_batches(tmp_path: Path, dtype: Any) -> None:
    label = text_file(tmp_path, "1,2,3,4\n5,6,7,8\n", "label.csv")
    batches = csv(
        tmp_path,
        "1\n2\n",
        dtype=dtype,
        label_csv=label,
        label_shape="(2, 2)",
        data_name="x",
        label_name="y",
    )

    batch = batches.next()

    (data,), (labels,) = batches.provide_data, batches.provide_label
    assert data.dtype == labels.dtype == np.dtype(dtype)
    assert data == ("x", (2, 1)) == ("x", batch.data[0].shape)
    assert labels == ("y", (2, 2, 2)) == ("y", batch.label[0].shape)
    assert batch.data[0].dtype == batch.label[0].dtype == np.dtype(dtype)
    assert batches.batch_size == 2


@pytest.mark.parametrize("label_shape", [(1,), (1, 1), (1, 1, 1)])
def test_labels_of_one_number_have_one_axis(
    tmp_path: Path, label_shape: tuple[int, ...]
) -> None:
    # As in MXNet; a label_shape of several axes kept them.
    label = text_file(tmp_path, "1\n2\n", "label.csv")
    batches = csv(tmp_path, "1\n2\n", label_csv=label, label_shape=label_shape)

    assert batches.provide_label == [("softmax_label", (2,))]
    assert batches.next().label[0].tolist() == [1, 2]


def test_whole_numbers_beyond_float32_are_exact(tmp_path: Path) -> None:
    text = "16777217,-9223372036854775808\n9007199254740993,9223372036854775807\n"

    batch = csv(tmp_path, text, data_shape=(2,), dtype="int64").next()

    assert batch.data[0].tolist() == [
        [16777217, -(2**63)],
        [9007199254740993, 2**63 - 1],
    ]


@pytest.mark.parametrize(
    "text", ["1\n2\n", "1\r2\r", "1\r\n2", "\n\n 1 \n\t\n\t2\t\r\n\r\n", "\ufeff1\n2"]
)
def test_ends_of_lines_blanks_and_blank_lines_do_not_matter(
    tmp_path: Path, text: str
) -> None:
    batches = csv(tmp_path, text, batch_size=1)

    assert [batch.data[0].item() for batch in batches] == [1.0, 2.0]


def test_folders_patterns_and_lists_name_several_files(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    for i, name in enumerate(["b.csv", "a.csv", "c.csv"]):
        text_file(folder, f"{i}", name)
    text_file(folder, "", "aa.csv")

    def values(data_csv: str) -> list[float]:
        batches = CSVIter(data_csv=data_csv, data_shape=(1,), batch_size=1)
        return [batch.data[0].item() for batch in batches]

    assert values(f"{folder}") == [1, 0, 2]
    assert values(f"{folder}/c.csv;{folder}/b.csv") == [2, 0]
    assert values(f"{folder}/.*[bc].csv".replace("[bc]", "b")) == [0]


def random_number(rng: random.Random) -> str:
    """A number as programs write them, and as they do not."""
    kind = rng.randrange(6)
    if kind == 0:
        (value,) = struct.unpack("<f", rng.randbytes(4))
        return "0" if value != value or np.isinf(value) else repr(value)
    if kind == 1:
        return f"{rng.gauss(0, 1):.18e}"
    if kind == 2:
        return f"{rng.uniform(-1000, 1000):.{rng.randrange(20)}f}"
    if kind == 3:
        return str(rng.randrange(-(10 ** rng.randrange(1, 30)), 10**20))
    digits = "".join(rng.choices("0123456789", k=rng.randrange(1, 30)))
    if kind == 4:
        return f"{rng.randrange(100)}.{digits}E{rng.randrange(-50, 35)}"
    # close to the middle between two floats, where rounding twice goes wrong
    low = np.float32(rng.gauss(0, 1))
    high = np.nextafter(low, np.float32(9))
    return f"{(float(low) + float(high)) / 2:.50f}" + rng.choice(["", "0001"])


def nearest_float32(text: str) -> np.float32:
    """The float32 nearest to a number, ties to the even one, by exact fractions."""
    exact = Fraction(text)
    guess = np.float32(float(text))
    near = [guess, *(np.nextafter(guess, np.float32(way)) for way in (-np.inf, np.inf))]

    def distance(value: np.float32) -> tuple[Fraction, int]:
        return abs(Fraction(float(value)) - exact), int(value.view(np.uint32)) & 1

    return min((value for value in near if np.isfinite(value)), key=distance)


def test_numbers_are_rounded_to_the_nearest_float32(tmp_path: Path) -> None:
    rng = random.Random(5)
    texts = [random_number(rng) for _ in range(20000)]
    expected = [nearest_float32(text) for text in texts]

    batches = csv(tmp_path, "\n".join(texts), batch_size=20000)
    actual = batches.next().data[0].reshape(-1)

    np.testing.assert_array_equal(actual, np.array(expected, np.float32))


def test_infinite_values_and_those_that_are_no_number_are_read(tmp_path: Path) -> None:
    batches = csv(tmp_path, "inf,-Infinity,NAN,1e999,-0\n", data_shape=5, batch_size=1)

    values = batches.next().data[0].asnumpy()[0]

    expected = np.array([np.inf, -np.inf, np.nan, np.inf, -0.0], np.float32)
    np.testing.assert_array_equal(values, expected)
    assert np.signbit(values[4])


@pytest.mark.parametrize(
    ("text", "options", "words", "offset"),
    [
        ("1,2\n3\n", {}, r"data.csv: byte 4: line 2: a row of 1 values, data_shape", 4),
        ("a,b\n1,2\n", {}, r"line 1: value 1 of 2 is not a number: 'a'", 0),
        ("1,2\n3,\n", {}, r"line 2: value 2 of 2 is not a number: ''", 6),
        ("1,2\n3,4 5\n", {}, r"line 2: value 2 of 2 is not a number: '4 5'", 6),
        ('1,"2"\n', {}, r"line 1: value 2 of 2 is not a number", 2),
        ("1,2\n3,4;5\n", {}, r"line 2: value 2 of 2 .*'4;5'", 6),
        ("1,2\n3,1.5\n", {"dtype": "int32"}, r"whole number \(int32\): '1.5'", 6),
        ("1,2\n3,1e3\n", {"dtype": "int64"}, r"whole number \(int64\): '1e3'", 6),
        ("1,2147483648\n", {"dtype": "int32"}, r"'2147483648'", 2),
    ],
)
def test_a_bad_row_is_an_error_that_says_where(
    tmp_path: Path, text: str, options: dict[str, Any], words: str, offset: int
) -> None:
    batches = csv(tmp_path, text, data_shape=(2,), **options)

    with pytest.raises(DataError, match=words) as caught:
        batches.next()

    where = caught.value
    assert (where.path, where.offset) == (str(tmp_path / "data.csv"), offset)


def test_after_a_bad_row_the_next_call_goes_on_behind_its_batch(
    tmp_path: Path,
) -> None:
    batches = csv(tmp_path, "0\nx\n2\n3\n4\n5\n")

    with pytest.raises(DataError):
        batches.next()

    assert rows_of(batches) == [([2, 3], 0), ([4, 5], 0)]
    batches.reset()
    with pytest.raises(DataError):
        batches.next()


def test_a_bad_label_names_the_label_file(tmp_path: Path) -> None:
    label = text_file(tmp_path, "1\n?\n", "label.csv")
    batches = csv(tmp_path, "1\n2\n", label_csv=label)

    with pytest.raises(DataError, match=r"label.csv: byte 2: line 2: .*'\?'") as caught:
        batches.next()

    assert caught.value.path == str(label)


def test_fewer_rows_of_labels_than_of_data_are_an_error(tmp_path: Path) -> None:
    label = text_file(tmp_path, "1\n2\n3\n", "label.csv")
    batches = csv(tmp_path, "1\n2\n3\n4\n", label_csv=label)
    batches.next()

    for _ in range(2):
        with pytest.raises(DataError, match=r"label.csv: only 3 rows of labels"):
            batches.next()


@pytest.mark.parametrize("text", ["", "\n\n  \n"])
def test_a_file_without_a_row_is_an_error_not_the_end(
    tmp_path: Path, text: str
) -> None:
    # MXNet raised a bare StopIteration from the constructor.
    with pytest.raises(DataError, match=r"data.csv: there is no"):
        csv(tmp_path, text).next()


def test_a_file_that_is_missing_is_a_file_not_found_error(tmp_path: Path) -> None:
    options = {"data_shape": (1,), "batch_size": 1}
    text_file(tmp_path, "1")

    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        CSVIter(data_csv=tmp_path / "none.csv", **options)
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        csv(tmp_path, "1\n", label_csv=tmp_path / "none.csv")


def test_batches_stay_as_they_were_given(tmp_path: Path) -> None:
    batches = csv(tmp_path, TEN, prefetch_buffer=1)
    kept = list(batches)
    batches.reset()
    del batches
    gc.collect()

    assert [batch.data[0].reshape(-1).tolist() for batch in kept] == [
        [float(i), float(i + 1)] for i in range(0, 10, 2)
    ]
    assert kept[0].data[0].flags.writeable


# ---- parameters ----


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"batchsize": 3}, TypeError, "no parameter 'batchsize'; .*'batch_size'"),
        ({"path_imgrec": "a"}, TypeError, "does not take the parameter 'path_imgrec'"),
        ({"batch_size": None}, TypeError, "CSVIter needs the parameter batch_size"),
        ({"data_shape": None}, TypeError, "CSVIter needs the parameter data_shape"),
        ({"batch_size": 0}, ParameterError, r"batch_size .* \[1, 1048576\], got 0"),
        ({"batch_size": "x"}, ParameterError, "batch_size .* whole number, got 'x'"),
        ({"batch_size": 1.5}, TypeError, "batch_size must be a whole number, got 1.5"),
        ({"batch_size": 2**70}, ParameterError, "batch_size must be in"),
        ({"data_shape": (0,)}, ParameterError, r"data_shape .* positive .* \(0,\)"),
        ({"data_shape": ()}, ParameterError, r"data_shape .* got \(\)"),
        ({"data_shape": "six"}, ParameterError, "data_shape .* got 'six'"),
        ({"data_shape": 1.5}, TypeError, "data_shape must be a shape"),
        ({"data_shape": (2**20, 2**20)}, ParameterError, "data_shape .* product"),
        ({"label_shape": (-1,)}, ParameterError, "label_shape"),
        ({"dtype": "uint8"}, ParameterError, "dtype must be one of 'float32', .*uint8"),
        ({"dtype": "float64"}, ParameterError, "dtype must be one of"),
        ({"round_batch": "yes"}, ParameterError, "round_batch must be True or False"),
        ({"prefetch_buffer": 0}, ParameterError, r"prefetch_buffer .* \[1, 1024\]"),
        ({"ctx": "tpu"}, ParameterError, "ctx must be one of 'gpu', 'cpu'"),
        ({"data_csv": ""}, ParameterError, "data_csv must name a file"),
        ({"data_csv": 5}, TypeError, "data_csv must be text or a path"),
    ],
)
def test_wrong_parameters_are_refused_by_name(
    tmp_path: Path, options: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        csv(tmp_path, "1\n", **options)


def test_values_may_be_given_as_text(tmp_path: Path) -> None:
    batches = csv(
        tmp_path,
        "1,2\n3,4\n5,6\n",
        batch_size="2",
        data_shape="[2,]",
        round_batch="FALSE",
        prefetch_buffer="16",
        ctx="cpu",
        silent="1",
        label_csv="NULL",
        label_shape="3",
        device_id=-1,
    )

    first, last = batches

    assert (first.pad, last.pad) == (0, 1)
    assert first.label[0].shape == (2, 3)


@pytest.mark.parametrize("kind", [CSVIter, LibSVMIter, MNISTIter])
def test_signatures_show_the_parameters(kind: Any) -> None:
    parameters = inspect.signature(kind).parameters

    assert {"batch_size", "prefetch_buffer", "ctx", "dtype", "silent"} < set(parameters)
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters.values())
    with pytest.raises(TypeError):
        kind("positional")


# ---- LibSVM ----

SVM = "1.0 0:0.5 2:1.25\n-2\n3 qid:7 0:-4 1:.5 2:1e1 # words\n\n4 1:1\n"
SVM_DENSE = [[0.5, 0, 1.25], [0, 0, 0], [-4, 0.5, 10], [0, 1, 0]]


def test_sparse_rows_and_their_labels_are_read(tmp_path: Path) -> None:
    batches = svm(tmp_path, SVM)

    read = list(batches)

    dense = np.concatenate([batch.data[0].asnumpy() for batch in read])
    labels = np.concatenate([batch.label[0].asnumpy() for batch in read])
    assert dense.tolist() == SVM_DENSE
    assert labels.tolist() == [1, -2, 3, 4]
    assert labels.dtype == np.float32
    assert read[0].data[0].stype == "csr"
    assert np.asarray(read[1].data[0].indptr).tolist() == [0, 3, 4]
    assert batches.provide_data[0] == ("data", (2, 3))
    assert batches.provide_label[0] == ("softmax_label", (2,))


def test_label_files_give_sparse_labels(tmp_path: Path) -> None:
    label = text_file(tmp_path, "0 4:1\n0 0:2\n0\n9 1:1 2:2\n", "label.t")
    batches = svm(tmp_path, SVM, label_libsvm=label, label_shape=(5,), batch_size=4)

    batch = batches.next()

    assert batch.label[0].asnumpy().tolist() == [
        [0, 0, 0, 0, 1],
        [2, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 1, 2, 0, 0],
    ]
    assert batches.provide_label[0] == ("softmax_label", (4, 5))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1 3:1", r"line 2: index 3 is outside data_shape \(3,\).*'3:1'"),
        ("1 -1:1", "line 2: a negative index"),
        ("1 1:1 0:1", "line 2: index 0 behind 1, indices must ascend"),
        ("1 1:1 1:1", "line 2: index 1 behind 1"),
        ("1 1:x", "line 2: the value is not a number"),
        ("1 1", "line 2: not index:value: '1'"),
        ("x 1:1", "line 2: the label is not a number: 'x'"),
    ],
)
def test_a_bad_sparse_row_is_an_error_that_says_where(
    tmp_path: Path, row: str, words: str
) -> None:
    # MXNet did not notice an index that is too large, and crashed now and then.
    batches = svm(tmp_path, f"1 0:1\n{row}\n")

    with pytest.raises(DataError, match=rf"data\.t: byte \d+: {words}") as caught:
        batches.next()

    assert caught.value.path == str(tmp_path / "data.t")
    assert (caught.value.offset or 0) >= 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"round_batch": False}, "round_batch must be True"),
        ({"data_shape": (3, 3)}, r"data_shape must have one number, got \(3, 3\)"),
        ({"label_shape": (2,)}, "label_shape must be above 1 with label_libsvm"),
        ({"label_libsvm": "data.t"}, "label_shape must be above 1 with label_libsvm"),
        (
            {"num_parts": 2, "part_index": 2},
            r"part_index must be in .* \[0, 1\], got 2",
        ),
        ({"num_parts": 0}, "num_parts must be in"),
        ({"dtype": "int32"}, "dtype must be one of 'float32'"),
    ],
)
def test_options_that_libsvm_does_not_have_are_refused(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ParameterError, match=words):
        svm(tmp_path, SVM, **options)


@settings(max_examples=80)
@given(
    widths=st.lists(st.integers(0, 9), min_size=1, max_size=12),
    breaks=st.sets(st.integers(0, 11)),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    parts=st.integers(1, 9),
)
def test_every_row_is_in_exactly_one_part_with_its_label(
    tmp_path_factory: pytest.TempPathFactory,
    widths: list[int],
    breaks: set[int],
    end: str,
    parts: int,
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    files = [""]
    for i, width in enumerate(widths):
        files[-1] += f"{i} 0:{i + 1}" + " " * width + end
        if i in breaks:
            files.append("")
    paths = [text_file(folder, text, f"{i}.t") for i, text in enumerate(files) if text]
    label = text_file(folder, "".join(f"0 1:{i + 1}\n" for i in range(12)), "label")
    found = []

    for part in range(parts):
        try:
            batches = LibSVMIter(
                data_libsvm=";".join(map(str, paths)),
                data_shape=1,
                label_libsvm=label,
                label_shape=2,
                batch_size=1,
                num_parts=parts,
                part_index=part,
            )
        except DataError as error:
            assert "holds no line" in str(error)
            continue
        for batch in batches:
            assert batch.data[0].asnumpy().item() == batch.label[0].asnumpy()[0, 1]
            found.append(int(batch.data[0].asnumpy().item()))

    assert found == [i + 1 for i in range(len(widths))]


def test_lines_are_counted_from_the_start_of_the_file_in_any_part(
    tmp_path: Path,
) -> None:
    batches = svm(tmp_path, "1\n\n2\n3\n4\n5\nx\n", num_parts=2, part_index=1)

    with pytest.raises(DataError, match=r"byte 11: line 7: the label .* 'x'"):
        list(batches)


# ---- threads, signals, processes ----


def many_rows(folder: Path, count: int = 200000) -> CSVIter:
    return csv(folder, "1.5,2.5\n" * count, data_shape=2, batch_size=100)


def test_an_iterator_gives_its_thread_back(tmp_path: Path) -> None:
    before = tasks_at_rest()
    made = [many_rows(tmp_path) for _ in range(4)]
    for batches in made:
        batches.next()
    running = settled(tasks, before + 4)

    made[0].close()
    del batches, made
    gc.collect()

    assert running == before + 4
    assert settled(tasks, before) == before


def test_a_closed_iterator_says_so(tmp_path: Path) -> None:
    batches = many_rows(tmp_path)
    batches.next()

    batches.close()
    batches.close()

    with pytest.raises(MxioError, match="closed"):
        batches.next()
    with pytest.raises(MxioError, match="closed"):
        batches.reset()


def test_closing_is_prompt_in_the_middle_of_a_huge_batch(tmp_path: Path) -> None:
    batches = csv(tmp_path, "1.5,2.5\n" * 2000000, data_shape=2, batch_size=1000000)

    def read() -> None:
        with pytest.raises(MxioError, match="closed"):
            batches.next()

    reader = threading.Thread(target=read)
    reader.start()
    time.sleep(0.02)

    start = time.monotonic()
    batches.close()
    seconds = time.monotonic() - start
    reader.join()

    assert seconds < 1


def child_tries(batches: CSVIter, answers: Any) -> None:
    try:
        batches.next()
        answers.put("a batch")
    except MxioError as error:
        answers.put(str(error))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_is_refused_with_a_sentence(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    batches = many_rows(tmp_path)
    batches.next()
    answers = context.Queue()

    child = context.Process(target=child_tries, args=(batches, answers))
    child.start()
    answer = answers.get(timeout=30)
    child.join(30)

    assert "cannot be used in its forked child" in answer
    assert child.exitcode == 0
    assert batches.next().index[0] == 100


def test_ctrl_c_ends_the_waiting(tmp_path: Path) -> None:
    text_file(tmp_path, "1.5,2.5\n" * 3000000)
    program = """
import os, signal, sys, threading
from mxio.io import CSVIter
batches = CSVIter(data_csv=sys.argv[1], data_shape=2, batch_size=1048576)
threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    while True:
        list(batches)
        batches.reset()
except KeyboardInterrupt:
    print("interrupted")
"""

    result = run_python(program, tmp_path / "data.csv")

    assert (result.stdout, result.stderr) == ("interrupted\n", "")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    text_file(tmp_path, "1.5,2.5,3.5,4.5,5.5,6.5,7.5,8.5\n" * 1500000)
    program = """
import resource, sys
from mxio.io import CSVIter
batches = CSVIter(data_csv=sys.argv[1], data_shape=8, batch_size=100)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(sum(1 for _ in batches))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""

    result = run_python(program, tmp_path / "data.csv")

    batches, megabytes = map(int, result.stdout.split())
    assert batches == 15000
    assert megabytes < 10  # the file has 48


# ---- MNIST ----


def idx_files(
    folder: Path, count: int = 10, rows: int = 2, columns: int = 3
) -> tuple[Path, Path]:
    """Image i holds 10 * i, 10 * i + 1, ...; its label is i."""
    pixels = bytes(
        (10 * i + k) % 256 for i in range(count) for k in range(rows * columns)
    )
    image, label = folder / "images", folder / "labels"
    image.write_bytes(struct.pack(">4I", 2051, count, rows, columns) + pixels)
    label.write_bytes(struct.pack(">2I", 2049, count) + bytes(range(count)))
    return image, label


def mnist(folder: Path, **options: Any) -> MNISTIter:
    """Unshuffled, four images in a batch, unless told otherwise."""
    given = {
        "image": folder / "images",
        "label": folder / "labels",
        "batch_size": 4,
        "shuffle": False,
    }
    return MNISTIter(**given | options)


def test_images_are_bytes_over_256_and_the_last_batch_is_dropped(
    tmp_path: Path,
) -> None:
    idx_files(tmp_path)
    batches = mnist(tmp_path)

    epoch = list(batches)
    batches.reset()
    again = list(batches)

    assert [batch.label[0].tolist() for batch in epoch] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [batch.pad for batch in epoch] == [0, 0]
    assert epoch[1].index.tolist() == [4, 5, 6, 7]
    data = epoch[0].data[0]
    assert (data.shape, data.dtype) == ((4, 1, 2, 3), np.float32)
    assert data[1].tolist() == [
        [[10 / 256, 11 / 256, 12 / 256], [13 / 256, 14 / 256, 15 / 256]]
    ]
    assert again[1].data[0].tobytes() == epoch[1].data[0].tobytes()


def test_flat_images_are_rows(tmp_path: Path) -> None:
    idx_files(tmp_path)

    batches = mnist(tmp_path, flat="true")

    assert batches.provide_data[0] == ("data", (4, 6))
    assert batches.provide_label[0] == ("softmax_label", (4,))
    assert batches.next().data[0][2].tolist() == [(20 + k) / 256 for k in range(6)]


def test_files_packed_by_gzip_are_the_same(tmp_path: Path) -> None:
    for path in idx_files(tmp_path):
        path.with_suffix(".gz").write_bytes(gzip.compress(path.read_bytes()))
    options = {"num_parts": 2, "part_index": 1, "batch_size": 5}

    packed = mnist(
        tmp_path, image=tmp_path / "images.gz", label=tmp_path / "labels.gz", **options
    ).next()

    plain = mnist(tmp_path, **options).next()
    assert packed.label[0].tolist() == plain.label[0].tolist() == [5, 6, 7, 8, 9]
    np.testing.assert_array_equal(packed.data[0], plain.data[0])


@pytest.mark.parametrize("count", [10, 49, 98])
@pytest.mark.parametrize("parts", [1, 3, 7, 10])
def test_parts_hold_every_image_once(tmp_path: Path, count: int, parts: int) -> None:
    idx_files(tmp_path, count, 1, 1)

    found = [
        int(label)
        for part in range(parts)
        for batch in mnist(tmp_path, batch_size=1, num_parts=parts, part_index=part)
        for label in batch.label[0]
    ]

    assert found == list(range(count))


def test_shuffling_is_by_seed_and_the_same_in_every_epoch(tmp_path: Path) -> None:
    idx_files(tmp_path, 100, 1, 2)

    def labels(**options: Any) -> list[float]:
        batches = mnist(tmp_path, batch_size=100, **options)
        batch = batches.next()
        expected = [
            [[[10 * i % 256 / 256, (10 * i + 1) % 256 / 256]]] for i in batch.index
        ]
        np.testing.assert_array_equal(batch.data[0], np.array(expected))
        assert batch.label[0].tolist() == batch.index.tolist()
        batches.reset()
        assert batches.next().label[0].tolist() == batch.label[0].tolist()
        return list(batch.label[0].tolist())

    first, same, other = (labels(shuffle=True, seed=seed) for seed in (3, 3, -4))

    assert sorted(first) == list(range(100))
    assert first == same != other
    assert first != sorted(first)
    assert labels(shuffle=True) == labels(shuffle="1", seed=0)


def test_shuffle_is_on_unless_told_otherwise(tmp_path: Path) -> None:
    idx_files(tmp_path, 100)

    parameters = inspect.signature(MNISTIter).parameters

    assert parameters["shuffle"].default is True
    assert parameters["batch_size"].default == 128
    assert parameters["image"].default == "./train-images-idx3-ubyte"


def test_a_batch_larger_than_the_part_is_refused(tmp_path: Path) -> None:
    # MXNet raised StopIteration from the constructor.
    idx_files(tmp_path)

    with pytest.raises(ParameterError, match=r"batch_size .* most 5, .* got 6"):
        mnist(tmp_path, batch_size=6, num_parts=2)


def spoil(path: Path, change: Any) -> None:
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("name", "change", "words", "offset"),
    [
        ("images", lambda b: b[:3], "the magic number needs 4 bytes, 3 left", 0),
        ("images", lambda b: b"\0\0\x08\x01" + b[4:], "magic number 2049, .*2051", 0),
        ("labels", lambda b: b"\0\0\x08\x03" + b[4:], "magic number 2051, .*2049", 0),
        ("images", lambda b: b[:9], "the header needs 12 bytes, 5 left", 4),
        ("images", lambda b: b[:-1], "the data needs 60 bytes, 59 left", 16),
        ("images", lambda b: b + b"x", "bytes behind those that the header says", 76),
        ("images", lambda b: b[:4] + bytes(12) + b[16:], "nothing is in it", 4),
        (
            "images",
            lambda b: b[:4] + b"\xff" * 12 + b[16:],
            "the data needs .* 60 left",
            16,
        ),
        ("labels", lambda b: b[:7] + b"\x09" + b[8:-1], "9 labels for 10 images", 4),
        ("images", lambda b: gzip.compress(b)[:-12], "damaged gzip data", None),
        ("images", lambda b: gzip.compress(b)[:-3], "damaged gzip data", None),
        (
            "images",
            lambda b: gzip.compress(b)[:-8] + bytes(8),
            "damaged gzip data",
            None,
        ),
        ("images", lambda b: b"\x1f\x8bnonsense", "damaged gzip data", 0),
        ("images", lambda b: gzip.compress(b[:50]), "the data needs 60 bytes from", 50),
        ("images", lambda b: gzip.compress(b + b"x"), "bytes behind those", 76),
    ],
)
def test_a_damaged_file_is_an_error_that_says_where(
    tmp_path: Path, name: str, change: Any, words: str, offset: int | None
) -> None:
    idx_files(tmp_path)
    spoil(tmp_path / name, change)

    with pytest.raises(DataError, match=rf"{name}: byte \d+: .*{words}") as caught:
        mnist(tmp_path)

    assert caught.value.path == str(tmp_path / name)
    assert offset in (None, caught.value.offset)


def test_a_missing_image_file_is_a_file_not_found_error(tmp_path: Path) -> None:
    idx_files(tmp_path)

    with pytest.raises(FileNotFoundError, match="none"):
        mnist(tmp_path, label=tmp_path / "none")


@pytest.mark.parametrize("depth", [1, 3])
def test_images_are_made_ahead_by_a_thread(tmp_path: Path, depth: int) -> None:
    # prefetch_buffer was without effect.
    idx_files(tmp_path, 100)
    batches = mnist(tmp_path, batch_size=2, prefetch_buffer=depth)
    before = tasks_at_rest()

    kept = list(batches)
    batches.reset()
    batches.next()
    running = settled(tasks, before + 1)
    batches.close()

    assert running == before + 1
    assert settled(tasks, before) == before
    labels = [label for batch in kept for label in batch.label[0].tolist()]
    assert labels == list(range(100))


def test_a_header_of_sizes_that_no_file_has_asks_for_no_memory(tmp_path: Path) -> None:
    idx_files(tmp_path)
    claim = struct.pack(">4I", 2051, 10, 2**31, 2**20)
    packed = gzip.compress(claim + bytes(1000))
    (tmp_path / "images").write_bytes(packed)

    with pytest.raises(
        DataError, match=rf"needs {10 * 2**51} bytes, at most"
    ) as caught:
        mnist(tmp_path)

    assert caught.value.offset == 16


def test_a_closed_mnist_iterator_says_so(tmp_path: Path) -> None:
    idx_files(tmp_path)
    batches = mnist(tmp_path)

    batches.close()

    with pytest.raises(MxioError, match="closed"):
        batches.next()
    with pytest.raises(MxioError, match="closed"):
        batches.reset()


# ---- file systems that hang ----


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler")
def test_a_read_that_hangs_is_an_error_that_says_where(tmp_path: Path) -> None:
    # The consumer waited for ever, and the constructor of MNISTIter did.
    place = 1 << 18  # the second block of lines is read there, the third of a stream
    text_file(tmp_path, "1.5\n" * (place // 2), "data.csv")
    text_file(tmp_path, "1 0:1.5\n" * (place // 4), "data.svm")
    count = place // 64
    (tmp_path / "images").write_bytes(
        struct.pack(">IIII", 0x803, count, 8, 16) + bytes(count * 128)
    )
    (tmp_path / "labels").write_bytes(struct.pack(">II", 0x801, count) + bytes(count))
    program = """
        import contextlib, sys, time
        from mxio.io import CSVIter, LibSVMIter, MNISTIter

        @contextlib.contextmanager
        def stuck():
            begun = time.monotonic()
            try:
                yield
            except TimeoutError as error:
                print(error, time.monotonic() - begun < 4, sep="|", flush=True)

        given = {"data_shape": (1,), "batch_size": 1000, "timeout": 0.5}
        folder = sys.argv[1]
        csv = CSVIter(data_csv=f"{folder}/data.csv", **given)
        csv.next()
        with stuck():
            list(csv)
        with stuck():
            csv.reset()
        csv.close()
        svm = LibSVMIter(data_libsvm=f"{folder}/data.svm", **given)
        with stuck():
            list(svm)
        del svm
        with stuck():
            LibSVMIter(data_libsvm=f"{folder}/data.svm", num_parts=2, **given)
        with stuck():
            MNISTIter(image=f"{folder}/images", label=f"{folder}/labels", timeout=0.5)
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), tmp_path],
        env=os.environ | hanging.read_at(tmp_path, place),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")
    late = "within timeout=0.5 s: a worker is stuck reading"
    for said, lacking, name in zip(
        done.stdout.splitlines(),
        ("no batch", "no new start", "no batch", "not opened", "not opened"),
        ("data.csv", "data.csv", "data.svm", "data.svm", "images"),
        strict=True,
    ):
        assert f"{lacking} {late}" in said
        assert f"byte {place}" in said
        assert name in said
        assert said.endswith("|True")


def test_a_timeout_is_checked_and_0_waits(tmp_path: Path) -> None:
    assert len(list(csv(tmp_path, TEN, timeout="0"))) == 5
    with pytest.raises(ParameterError, match=r"timeout .* \[0, 1e\+06\], got -1"):
        csv(tmp_path, TEN, timeout=-1)
