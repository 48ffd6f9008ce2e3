"""The table of parameters, walked; what each face takes, refuses, and says about it."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mxio import _core, params
from mxio.adapters.numpy import ImageRecordLoader
from mxio.errors import MxioError, ParameterError
from mxio.io import ImageRecordIter
from tests.conftest import DataSet

MX, NUMPY, TORCH = _core.FACE_MX, _core.FACE_NUMPY, _core.FACE_TORCH
# Those of ImageDetRecordIter alone are in tests/adapters/test_detiter.py.
ROWS = [row for row in params.TABLE.values() if row.faces & (MX | NUMPY | TORCH)]
NAMES = [row.name for row in ROWS]
REQUIRED = {"path_imgrec", "data_shape", "batch_size"}
NUMBERS = [row for row in ROWS if row.kind in ("INT", "REAL", "FLAG")]
# What else has to be said for a value at the end of a range to make sense.
BESIDE: dict[str, dict[str, Any]] = {
    "part_index": {"num_parts": 1000000000},
    "rank": {"world_size": 1000000000},
    "world_size": {"rank": 0},
    "max_random_area": {"random_resized_crop": True, "min_random_area": 0.0},
    "min_random_area": {"random_resized_crop": True},
    "min_aspect_ratio": {"max_aspect_ratio": 1000.0},
    "min_downscale": {"max_downscale": 1.0},
    "max_downscale": {"min_downscale": 0.001},
}
BESIDE_LOW: dict[str, dict[str, Any]] = {
    "max_random_scale": {"min_random_scale": 0.0},
}
BESIDE_HIGH: dict[str, dict[str, Any]] = {
    "max_aspect_ratio": {"min_aspect_ratio": 0.5},
    "min_random_scale": {"max_random_scale": 1000.0},
    "max_crop_size": {"min_crop_size": 65535},
    "min_crop_size": {"max_crop_size": 65535},
}


def numeric(row: params.Param, value: Any) -> Any:
    return bool(value) if row.kind == "FLAG" else value


def construct(face: int, data: DataSet, **options: Any) -> Any:
    base = {"path_imgrec": data.rec, "data_shape": (3, 8, 8), "batch_size": 2}
    made = {MX: ImageRecordIter, NUMPY: ImageRecordLoader}[face]
    return made(**(base | options))


def face_of(row: params.Param) -> int:
    """A face that takes the parameter, without torch where that is possible."""
    return NUMPY if row.faces & NUMPY else MX


def names(rows: list[params.Param]) -> list[str]:
    return [row.name for row in rows]


WITHOUT_TORCH = [row for row in ROWS if row.faces != TORCH]


def test_every_parameter_is_described_once() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert [row.name for row in ROWS if not row.doc.endswith(".")] == []
    assert {row.name for row in ROWS if row.required} == REQUIRED


def test_every_default_lies_in_its_range() -> None:
    outside = [
        row.name
        for row in NUMBERS
        if not row.required
        and row.default is not None
        and not row.low <= row.default <= row.high
    ]

    assert outside == []


@pytest.mark.parametrize("name", names(WITHOUT_TORCH))
def test_every_default_is_accepted(ten: DataSet, name: str) -> None:
    row = params.TABLE[name]
    given = {} if row.required else {name: row.default}

    made = construct(face_of(row), ten, **given)

    made.close()


def test_all_defaults_together_are_accepted(ten: DataSet) -> None:
    given = {row.name: row.default for row in ROWS if row.faces & MX}
    given = {name: value for name, value in given.items() if name not in REQUIRED}

    made = construct(MX, ten, **given)

    made.close()


@pytest.mark.parametrize(
    "name", names([row for row in NUMBERS if row.kind != "FLAG" and row.faces != TORCH])
)
def test_both_ends_of_a_range_are_accepted(name: str) -> None:
    row = params.TABLE[name]
    shape = {"path_imgrec": "x", "data_shape": (3, 1, 1), "batch_size": 1}

    for value, more in ((row.low, BESIDE_LOW), (row.high, BESIDE_HIGH)):
        if name in ("max_random_area", "min_aspect_ratio") and value == 0:
            value = 1e-9  # a share or a ratio of 0 is refused by another rule
        beside = BESIDE.get(name, {}) | more.get(name, {})
        given = params.bind("x", face_of(row), shape | beside | {name: value})
        plans = _core.draw_plans(given, 0, 0, 0, 4, 4)

        assert plans == []


@pytest.mark.parametrize("name", names([row for row in NUMBERS if row.kind != "FLAG"]))
@pytest.mark.parametrize("end", ["low", "high"])
def test_a_number_outside_its_range_is_named_with_its_value(
    ten: DataSet, name: str, end: str
) -> None:
    row = params.TABLE[name]
    step = 1 if row.kind == "INT" else 0.5 + abs(getattr(row, end)) / 2
    wrong = row.low - step if end == "low" else row.high + step
    beside = {k: v for k, v in BESIDE.get(name, {}).items() if k in ("rank",)}
    shown = str(wrong) if row.kind == "INT" else f"{wrong:.15g}"

    with pytest.raises(ParameterError) as caught:
        if row.faces == TORCH:
            bound = params.bind("x", TORCH, {name: wrong}, tuple(REQUIRED))
            _core.draw_plans(bound, 0, 0, 1, 4, 4)
        else:
            world = {"world_size": 10} if name == "rank" else {}
            construct(face_of(row), ten, **(beside | world | {name: wrong}))

    assert name in str(caught.value)
    assert shown in str(caught.value)


@pytest.mark.parametrize("name", names([row for row in ROWS if row.kind == "REAL"]))
def test_the_next_double_outside_a_range_is_refused(ten: DataSet, name: str) -> None:
    row = params.TABLE[name]
    outside = [
        np.nextafter(row.low, -np.inf).item(),
        np.nextafter(row.high, np.inf).item(),
        float("nan"),
        float("inf"),
        float("-inf"),
    ]

    for value in outside:
        with pytest.raises(ParameterError, match=name):
            construct(face_of(row), ten, **{name: value})


@pytest.mark.parametrize("value", [2**63, -(2**63), 10**30])
def test_an_integer_that_no_core_number_can_hold_is_refused(
    ten: DataSet, value: int
) -> None:
    with pytest.raises(ParameterError, match=f"seed must be in .*, got {value}"):
        construct(MX, ten, seed=value)


@pytest.mark.parametrize("seed", [2**63 - 1, -(2**63) + 1])
def test_every_other_64_bit_seed_is_taken(ten: DataSet, seed: int) -> None:
    made = construct(MX, ten, seed=seed, seed_aug=seed)

    made.close()


WRONG_TYPES: dict[str, list[Any]] = {
    "INT": [1.5, 2.0, "x", True, (1,), [], 1j, b"1", np.float32(1), np.array([1, 2])],
    "REAL": ["x", True, (1.0,), 1j, b"1", np.array([1.0, 2.0])],
    "FLAG": [1.5, 1.0, "maybe", (), [True], b"true", np.float64(1)],
    "CHOICE": [1, 1.5, [], object(), True],
    "TEXT": [1, b"path", 1.5, True, ("path",), ["path"]],
    "OBJECT": [3, 1.5, "keys", {1: 2}, {1}, [1.5], [[1]], np.float32(1)],
    "SHAPE": [3, 1.5, {"channels": 3}, (3, 8.0, 8), (3, "8", 8)],
}


@pytest.mark.parametrize("name", names(WITHOUT_TORCH))
def test_a_value_of_a_wrong_type_is_a_type_error_that_names_it(
    ten: DataSet, name: str
) -> None:
    row = params.TABLE[name]

    for value in WRONG_TYPES[row.kind]:
        if face_of(row) == MX and isinstance(value, str):
            continue
        with pytest.raises((TypeError, ParameterError), match=name) as caught:
            construct(face_of(row), ten, **{name: value})
        assert isinstance(caught.value, TypeError) or row.kind == "CHOICE"


@pytest.mark.parametrize("face", [MX, NUMPY])
@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("random_crop", "rand_crop"),
        ("and_mirror", "rand_mirror"),
        ("batchsize", "batch_size"),
        ("path_imgrc", "path_imgrec"),
        ("mean_imgs", "mean_img"),
        ("num_part", "num_parts"),
    ],
)
def test_an_unknown_name_is_a_type_error_with_the_nearest_one(
    ten: DataSet, face: int, wrong: str, right: str
) -> None:
    with pytest.raises(TypeError) as caught:
        construct(face, ten, **{wrong: 1})

    assert f"no parameter {wrong!r}; did you mean {right!r}?" in str(caught.value)
    assert not isinstance(caught.value, MxioError)


def test_a_name_like_no_other_is_refused_without_advice(ten: DataSet) -> None:
    with pytest.raises(TypeError, match=r"has no parameter 'zzz'$"):
        construct(MX, ten, zzz=1)


@pytest.mark.parametrize(
    ("face", "name"),
    [(MX, "last_batch"), (MX, "rank"), (NUMPY, "round_batch"), (NUMPY, "ctx")],
)
def test_a_parameter_of_another_face_is_refused(
    ten: DataSet, face: int, name: str
) -> None:
    with pytest.raises(TypeError, match=f"does not take the parameter '{name}'"):
        construct(face, ten, **{name: 1})


@pytest.mark.parametrize("face", [MX, NUMPY])
@pytest.mark.parametrize("name", sorted(REQUIRED))
@pytest.mark.parametrize("given", [{}, {"value": None}])
def test_a_missing_required_parameter_is_a_type_error_that_names_it(
    ten: DataSet, face: int, name: str, given: dict[str, None]
) -> None:
    base = {"path_imgrec": ten.rec, "data_shape": (3, 8, 8), "batch_size": 2}
    del base[name]
    if given:
        base[name] = None
    made: Any = {MX: ImageRecordIter, NUMPY: ImageRecordLoader}[face]

    with pytest.raises(TypeError, match=f"needs the parameter {name}"):
        made(**base)


def test_positional_arguments_are_refused(ten: DataSet) -> None:
    made: Any = ImageRecordIter

    with pytest.raises(TypeError):
        made(str(ten.rec), (3, 8, 8), 2)


TEXTS = [
    ("batch_size", "5", 5),
    ("batch_size", " 5 ", 5),
    ("data_shape", "(3, 8, 8)", (3, 8, 8)),
    ("data_shape", "(3,8,8)", (3, 8, 8)),
    ("data_shape", "[3, 8, 8]", (3, 8, 8)),
    ("data_shape", "(3, 8, 8,)", (3, 8, 8)),
    ("shuffle", "True", 1),
    ("shuffle", "true", 1),
    ("shuffle", "FALSE", 0),
    ("shuffle", "1", 1),
    ("shuffle", "0", 0),
    ("scale", "0.5", 0.5),
    ("scale", "1e-3", 0.001),
    ("resize", "-1", -1),
]


@pytest.mark.parametrize(("name", "text", "value"), TEXTS)
def test_text_is_understood_on_the_face_of_mx(name: str, text: str, value: Any) -> None:
    given = {"path_imgrec": "x", "data_shape": (3, 8, 8), "batch_size": 1, name: text}

    bound = params.bind("x", MX, given)

    assert bound[name] == value


@pytest.mark.parametrize("name", ["seed_aug", "min_aspect_ratio", "dtype", "shuffle"])
def test_the_text_none_stands_for_the_default(ten: DataSet, name: str) -> None:
    made = construct(MX, ten, **{name: "None"})

    assert made.provide_data[0].dtype is np.float32
    assert made.next().data[0].shape == (2, 3, 8, 8)
    made.close()


def test_the_text_none_is_no_value_for_a_required_parameter(ten: DataSet) -> None:
    with pytest.raises(TypeError, match="needs the parameter data_shape"):
        construct(MX, ten, data_shape="None")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("batch_size", "five"),
        ("batch_size", "5.0"),
        ("batch_size", ""),
        ("scale", "big"),
        ("shuffle", "yes"),
        ("data_shape", "3, 8, 8"),
        ("data_shape", "(3, 8, 8"),
        ("data_shape", "(3, 8, x)"),
        ("data_shape", "(3, 8)"),
        ("dtype", "float"),
        ("aug_seq", ""),
        ("ctx", "tpu"),
    ],
)
def test_text_that_is_no_value_is_refused_by_name(
    ten: DataSet, name: str, text: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        construct(MX, ten, **{name: text})

    assert name in str(caught.value)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [(name, text) for name, text, _ in TEXTS] + [("seed", "None"), ("resize", "5")],
)
def test_text_is_refused_on_the_other_faces(ten: DataSet, name: str, text: str) -> None:
    with pytest.raises(TypeError, match=name):
        construct(NUMPY, ten, **{name: text})


@pytest.mark.parametrize("face", [MX, NUMPY])
def test_numpy_scalars_are_numbers_everywhere(ten: DataSet, face: int) -> None:
    made = construct(
        face,
        ten,
        batch_size=np.int32(3),
        data_shape=np.array([3, 8, 8], np.uint16),
        shuffle=np.bool_(False),
        scale=np.float32(0.5),
        seed=np.uint64(2**62),
        mean_r=np.int64(2),
        mean_g=np.float16(1.5),
        dtype=np.str_("float32"),
    )

    batch = made.next() if face == MX else next(iter(made))
    data = batch.data[0] if face == MX else batch.data

    assert data.shape == (3, 3, 8, 8)
    np.testing.assert_array_equal(data[2, 0], np.full((8, 8), (40 - 2) * 0.5))
    np.testing.assert_array_equal(data[2, 1], np.full((8, 8), (40 - 1.5) * 0.5))
    made.close()


@pytest.mark.parametrize("dtype", ["uint8", np.uint8, np.dtype("uint8"), "u1"])
def test_a_dtype_may_be_given_as_numpy_knows_it(ten: DataSet, dtype: Any) -> None:
    if dtype == "u1" and isinstance(dtype, str):
        with pytest.raises(ParameterError, match=r"dtype must be one of .*'u1'"):
            construct(NUMPY, ten, dtype=dtype)
        return

    made = construct(NUMPY, ten, dtype=dtype)

    assert next(iter(made)).data.dtype == np.uint8
    made.close()


@pytest.mark.parametrize("dtype", ["float64", np.float64, "complex64", np.int16])
def test_a_dtype_outside_the_list_is_refused(ten: DataSet, dtype: Any) -> None:
    with pytest.raises(ParameterError, match="dtype must be one of 'float32'"):
        construct(MX, ten, dtype=dtype)


def test_paths_may_be_path_objects(ten: DataSet) -> None:
    made = construct(NUMPY, ten, path_imgrec=ten.rec, path_imgidx=ten.idx)

    assert len(made) == 5
    made.close()


def test_a_path_with_a_nul_character_is_refused(ten: DataSet) -> None:
    with pytest.raises(ParameterError, match="path_imgrec holds a NUL character"):
        construct(MX, ten, path_imgrec="a\0b")


@pytest.mark.parametrize("path", ["", ";", ";;"])
def test_a_path_without_a_name_is_refused(ten: DataSet, path: str) -> None:
    with pytest.raises(ParameterError, match="path_imgrec must name"):
        construct(MX, ten, path_imgrec=path)


SHAPES = [
    ((3, 8), "3 numbers"),
    ((3, 8, 8, 8), "3 numbers"),
    ((2, 8, 8), "1, 3 or 4 channels"),
    ((0, 8, 8), "1, 3 or 4 channels"),
    ((5, 8, 8), "1, 3 or 4 channels"),
    ((3, 0, 8), "height and width"),
    ((3, 8, 0), "height and width"),
    ((3, -8, 8), "height and width"),
    ((3, 65536, 8), "height and width"),
    ((3, 2**70, 8), "larger than any image"),
]


@pytest.mark.parametrize("face", [MX, NUMPY])
@pytest.mark.parametrize(("shape", "words"), SHAPES)
def test_a_wrong_shape_is_refused_with_its_numbers(
    ten: DataSet, face: int, shape: tuple[int, ...], words: str
) -> None:
    with pytest.raises(ParameterError, match=words) as caught:
        construct(face, ten, data_shape=shape)

    assert "data_shape" in str(caught.value)
    assert all(str(side) in str(caught.value) for side in shape)


CONFLICTS: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"random_resized_crop": True, "rand_crop": True},
        ["random_resized_crop", "rand_crop"],
    ),
    ({"min_random_area": 0.5}, ["min_random_area", "random_resized_crop"]),
    (
        {"random_resized_crop": True, "min_random_area": 0.8, "max_random_area": 0.5},
        ["min_random_area=0.8", "max_random_area=0.5"],
    ),
    (
        {"random_resized_crop": True, "min_random_area": 0, "max_random_area": 0},
        ["max_random_area", "above 0"],
    ),
    (
        {"random_resized_crop": True, "min_aspect_ratio": 2.0, "max_aspect_ratio": 1.5},
        ["min_aspect_ratio=2", "max_aspect_ratio=1.5"],
    ),
    (
        {"random_resized_crop": True, "max_aspect_ratio": 1.0},
        ["aspect ratio must be above 0", "max_aspect_ratio"],
    ),
    ({"dtype": "uint8", "mean_r": 1.0}, ["uint8", "mean"]),
    ({"dtype": "uint8", "std_b": 2.0}, ["uint8", "std"]),
    ({"dtype": "uint8", "scale": 0.5}, ["uint8", "scale"]),
    ({"dtype": "uint8", "mean_img": "none.bin"}, ["uint8", "mean"]),
    ({"dtype": "uint8", "max_random_contrast": 0.5}, ["uint8", "max_random_contrast"]),
    (
        {"dtype": "int8", "max_random_illumination": 0.5},
        ["int8", "max_random_illumination"],
    ),
    ({"dtype": "int8", "std_r": 2.0}, ["int8", "std"]),
    ({"dtype": "int8", "scale": 2.0}, ["int8", "scale"]),
    ({"num_parts": 2, "part_index": 2}, ["part_index", "num_parts", "[0, 1]", "2"]),
    ({"part_index": 1}, ["part_index", "[0, 0]", "1"]),
    ({"batch_size": 1048576, "data_shape": (4, 65535, 65535)}, ["batch_size"]),
]


@pytest.mark.parametrize("face", [MX, NUMPY])
@pytest.mark.parametrize(("options", "words"), CONFLICTS)
def test_parameters_that_exclude_each_other_are_refused(
    ten: DataSet, face: int, options: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ParameterError) as caught:
        construct(face, ten, **options)

    assert [word for word in words if word not in str(caught.value)] == []


RANKS: list[tuple[dict[str, Any], list[str]]] = [
    ({"rank": 2, "world_size": 2}, ["rank", "world_size", "[0, 1]", "2"]),
    ({"rank": 0, "world_size": 0}, ["world_size", "0"]),
    ({"rank": 1}, ["rank", "world_size"]),
    ({"world_size": 2}, ["rank", "world_size"]),
    ({"rank": 0, "world_size": 2, "on_error": "skip"}, ["skip", "replace"]),
]


@pytest.mark.parametrize(("options", "words"), RANKS)
def test_ranks_that_make_no_sense_are_refused(
    ten: DataSet, options: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ParameterError) as caught:
        construct(NUMPY, ten, **options)

    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("rank", "world", "words"),
    [
        ("x", "2", "RANK must be a whole number, got 'x'"),
        ("1", "", "RANK is given without WORLD_SIZE"),
    ],
)
def test_an_environment_without_sense_is_refused(
    ten: DataSet, monkeypatch: pytest.MonkeyPatch, rank: str, world: str, words: str
) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", world)

    with pytest.raises(ParameterError, match=words):
        construct(NUMPY, ten)


@pytest.mark.parametrize(
    "options",
    [
        {"device_id": -1},
        {"device_id": 3},
        {"ctx": "cpu"},
        {"ctx": "gpu"},
        {"aug_seq": "aug_default"},
        {"crop_x_start": 5, "crop_y_start": 0},
        {"verbose": False, "silent": True},
    ],
)
def test_old_harmless_names_change_nothing(
    ten: DataSet, options: dict[str, Any]
) -> None:
    plain, dressed = construct(MX, ten), construct(MX, ten, **options)

    expected, actual = plain.next().data[0], dressed.next().data[0]

    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"verbose": True}, "3 threads\n"),
        ({}, ""),
        ({"verbose": True, "silent": True}, ""),
    ],
)
def test_verbose_says_on_stderr_what_is_read(
    ten: DataSet,
    capfd: pytest.CaptureFixture[str],
    options: dict[str, Any],
    expected: str,
) -> None:
    construct(MX, ten, preprocess_threads=3, **options)

    said = capfd.readouterr()

    assert said.out == ""
    assert said.err.endswith(expected)
    assert (str(ten.rec) in said.err) == bool(expected)


SIGNATURES: list[tuple[int, Callable[..., Any], list[str]]] = [
    (MX, ImageRecordIter, []),
    (NUMPY, ImageRecordLoader, ["memory"]),  # help() did not show it
]


@pytest.mark.parametrize(("face", "made", "own"), SIGNATURES)
def test_a_signature_shows_every_parameter_with_its_default(
    face: int, made: Callable[..., Any], own: list[str]
) -> None:
    shown = inspect.signature(made).parameters

    rows = [row for row in ROWS if row.faces & face]
    assert list(shown) == own + [row.name for row in rows]
    assert {p.kind for p in shown.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert {name for name, p in shown.items() if p.default is p.empty} == REQUIRED
    assert all(
        shown[row.name].default == row.default for row in rows if not row.required
    )


def test_the_signature_of_the_torch_face_asks_for_no_batch_size() -> None:
    shown = params.signature(TORCH, optional=("batch_size",)).parameters

    assert shown["batch_size"].default is None
    assert {name for name, p in shown.items() if p.default is p.empty} == (
        REQUIRED - {"batch_size"}
    )
    assert "num_parts" not in shown


def test_nothing_is_made_when_the_parameters_are_wrong(
    ten: DataSet, tmp_path: Path
) -> None:
    # The mean image was made before the other parameters were looked at.
    with pytest.raises(ParameterError):
        construct(MX, ten, dtype="uint8", mean_img=tmp_path / "mean.bin")

    assert list(tmp_path.iterdir()) == []
