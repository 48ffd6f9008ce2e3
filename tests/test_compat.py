"""mxio.compat: programs for MXNet, run as they are. Each is a small one of our own."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import cv2
import numpy as np
import pytest

from mxio import compat
from tests.conftest import DataSet

MAGIC = 0xCED7230A


def start(
    folder: Path, *words: object, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """python -m mxio.compat WORDS, warnings as errors, in a folder."""
    command = [sys.executable, "-W", "error", "-m", "mxio.compat", *map(str, words)]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def run(folder: Path, program: str, *words: object, **options: Any) -> Any:
    """What a program says in JSON, run as program.py in a folder."""
    (folder / "program.py").write_text(dedent(program))
    done = start(folder, "run", "program.py", *words, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def with_script_folder() -> dict[str, str]:
    """The environment of a shell, in which Python puts a script's folder first."""
    return {name: os.environ[name] for name in os.environ if name != "PYTHONSAFEPATH"}


def write_records(folder: Path, payloads: dict[int, bytes]) -> None:
    """train.rec and train.idx, made by hand, with the keys in the order given."""
    body, index = b"", ""
    for key, payload in payloads.items():
        index += f"{key}\t{len(body)}\n"
        body += struct.pack("<II", MAGIC, len(payload)) + payload
        body += bytes(-len(payload) % 4)
    (folder / "train.rec").write_bytes(body)
    (folder / "train.idx").write_text(index)


def faces(folder: Path) -> None:
    """An InsightFace data set: two people with two images, header record at its end."""
    red = np.zeros((4, 6, 3), np.uint8)
    red[:, :, 2] = 255
    png = cv2.imencode(".png", red)[1].tobytes()
    image = [
        struct.pack("<IfQQ", 0, place // 2, place + 1, 0) + png for place in (0, 2)
    ]
    people = {
        key: struct.pack("<IfQQff", 2, 0, key, 0, *span)
        for key, span in ((3, (1, 2)), (4, (2, 3)), (0, (3, 5)))
    }
    write_records(folder, {1: image[0], 2: image[1], **people})


READ_FACES = """
    import json
    import mxnet as mx

    def label_of(key):
        return mx.recordio.unpack(record.read_idx(key))[0].label

    record = mx.recordio.MXIndexedRecordIO("train.idx", "train.rec", "r")
"""


def test_all_ways_to_import_give_the_same_modules(tmp_path: Path) -> None:
    program = """
        import json
        import mxnet as mx
        import mxnet.gluon.data.vision.datasets
        import mxnet.image.detection, mxnet.io.io
        import mxnet.ndarray as other_nd
        from mxnet import context, image, io, nd, recordio, ndarray
        from mxnet.base import MXNetError
        from mxnet.gluon.data import DataLoader, Dataset
        from mxnet.io import DataBatch
        from mxnet.recordio import *
        from mxnet.test_utils import *

        print(json.dumps([
            nd is mx.nd is mx.ndarray is other_nd is ndarray,
            mx.img is image and mx.io is io and mx.recordio is recordio,
            mx.image.image.imread is mx.img.imread,
            MXIndexedRecordIO is mx.recordio.MXIndexedRecordIO,
            DataBatch is mx.io.DataBatch is mx.io.io.DataBatch,
            MXNetError is mx.MXNetError is mx.base.MXNetError,
            callable(assert_almost_equal) and rnd.randint(1) == 0,
            mx.cpu() == context.cpu(0) == mx.current_context(),
            mx.__version__.split("+")[0],
        ]))
    """

    said = run(tmp_path, program)

    assert said == [True] * 8 + ["1.9.1"]


def test_a_script_is_run_as_python_would_run_it(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below/helper.py").write_text("NAME = 'beside the script'")
    program = """
        import helper, json, sys
        main = sys.modules["__main__"]
        print(json.dumps([
            sys.argv, __name__, __file__, main.__dict__ is globals(), helper.NAME,
        ]))
        sys.exit(7)
    """
    script = tmp_path / "below/program.py"
    script.write_text(dedent(program))

    done = start(
        tmp_path,
        *("run", "below/program.py", "-m", "--help", "a b"),
        environment=with_script_folder(),
    )

    assert json.loads(done.stdout) == [
        ["below/program.py", "-m", "--help", "a b"],
        "__main__",
        str(script),
        True,
        "beside the script",
    ]
    assert (done.returncode, done.stderr) == (7, "")


def test_what_a_program_raises_is_shown(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import mxnet\nraise ValueError('its own')\n")

    done = start(tmp_path, "run", "program.py")

    assert done.returncode == 1
    assert 'program.py", line 2' in done.stderr
    assert done.stderr.endswith("ValueError: its own\n")


def test_a_module_is_run_from_the_working_folder(tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text(
        "import mxnet, sys; print(__name__, sys.argv[1:])"
    )

    done = start(
        tmp_path, "run", "-m", "tool", "-m", "x", environment=with_script_folder()
    )

    assert (done.returncode, done.stdout) == (0, "__main__ ['-m', 'x']\n")


def test_im2rec_is_a_module_of_mxnet(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    pixels = np.zeros((8, 8, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "images/one.png"), pixels)

    done = start(tmp_path, "run", "-m", "mxnet.tools.im2rec", "a", "images", "--list")

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.lst").read_text() == "0\t0.000000\tone.png\n"


def test_rec2idx_numbers_the_records(tmp_path: Path) -> None:
    faces(tmp_path)
    lines = (tmp_path / "train.idx").read_text().splitlines()
    offsets = [line.split("\t")[1] for line in lines]

    done = start(tmp_path, "run", "-m", "mxnet.tools.rec2idx", "train.rec", "new.idx")

    assert (done.returncode, done.stdout) == (0, "new.idx: 5 records\n"), done.stderr
    expected = "".join(f"{key}\t{offset}\n" for key, offset in enumerate(offsets))
    assert (tmp_path / "new.idx").read_text() == expected


def test_rec2idx_leaves_no_index_of_a_damaged_file(tmp_path: Path) -> None:
    faces(tmp_path)
    damaged = (tmp_path / "train.rec").read_bytes()[:-4]
    (tmp_path / "train.rec").write_bytes(damaged)

    done = start(tmp_path, "run", "-m", "mxnet.tools.rec2idx", "train.rec", "new.idx")

    assert done.returncode == 1
    assert done.stderr.startswith("rec2idx: train.rec")
    assert not (tmp_path / "new.idx").exists()


def test_children_of_every_kind_find_mxnet(tmp_path: Path) -> None:
    program = (
        READ_FACES
        + """
    import multiprocessing, subprocess, sys

    if __name__ == "__main__":
        labels = []
        for method in ("fork", "spawn"):
            context = multiprocessing.get_context(method)
            with context.Pool(1) as pool:
                labels.append(pool.map(label_of, [2, 1]))
        child = "import mxnet, sys; print(mxnet.__version__)"
        command = [sys.executable, "-c", child]
        version = subprocess.run(command, capture_output=True, text=True, cwd="/")
        print(json.dumps([labels, version.stdout.strip() == mx.__version__]))
    """
    )
    faces(tmp_path)

    labels, same_version = run(tmp_path, program)

    assert labels == [[1.0, 0.0], [1.0, 0.0]]
    assert same_version


def test_a_checkout_is_found_by_children_in_other_folders(tmp_path: Path) -> None:
    checkout = Path(compat.__file__).parents[2]
    program = tmp_path / "program.py"
    program.write_text(
        "import subprocess, sys\n"
        "child = [sys.executable, '-c', 'import mxnet, mxio.image']\n"
        "sys.exit(subprocess.run(child, cwd='/').returncode)\n"
    )
    shell = with_script_folder()
    del shell["PYTHONPATH"]

    done = start(checkout, "run", program, environment=shell)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_data_set_of_insightface_is_read_as_its_programs_do(tmp_path: Path) -> None:
    program = (
        READ_FACES
        + """
    header, rest = mx.recordio.unpack(record.read_idx(0))
    images = range(1, int(header.label[0]))
    rgb = mx.image.imdecode(mx.recordio.unpack(record.read_idx(1))[1]).asnumpy()
    bgr = mx.recordio.unpack_img(record.read_idx(1))[1]
    print(json.dumps([
        header.flag, list(header.label), rest == b"", record.keys, list(images),
        [isinstance(label_of(key), float) for key in images],
        [list(label_of(key)) for key in (3, 4)],
        rgb.shape, rgb[0, 0].tolist(), bgr[0, 0].tolist(),
        rgb[:, :, ::-1].tolist() == bgr.tolist(),
    ], default=float))
    """
    )
    faces(tmp_path)

    said = run(tmp_path, program)

    assert said == [
        *(2, [3.0, 5.0], True, [1, 2, 3, 4, 0], [1, 2]),
        *([True, True], [[1.0, 2.0], [2.0, 3.0]]),
        *([4, 6, 3], [255, 0, 0], [0, 0, 255], True),
    ]


def test_readers_take_attributes_and_key_types(tmp_path: Path) -> None:
    program = """
        import json
        import mxnet as mx

        record = mx.recordio.MXIndexedRecordIO(
            "train.idx", "train.rec", "r", key_type=str)
        record.close = lambda: None
        record.close()
        header = mx.recordio.IRHeader(flag=9, label=2, id=5, id2=6)
        try:
            record.read_idx(1)
        except KeyError:
            print(json.dumps([
                record.keys, record.is_open, record.read_idx("1")[:4].hex(),
                mx.recordio.pack(header, b"xyz").hex(), type(header).__name__,
            ]))
    """
    faces(tmp_path)

    keys, is_open, start_of_record, packed, name = run(tmp_path, program)

    assert (keys, is_open) == (["1", "2", "3", "4", "0"], True)
    assert start_of_record == "00000000"
    assert packed == (struct.pack("<IfQQ", 0, 2, 5, 6) + b"xyz").hex()
    assert name == "HEADER"


def test_elements_of_arrays_are_arrays_as_in_mxnet(tmp_path: Path) -> None:
    program = """
        import json
        import mxnet as mx

        labels = mx.nd.zeros((3,))
        labels[1][:] = 4
        matrix = mx.nd.arange(6).reshape((2, 3))
        last = matrix[1, 2]
        last += 10
        same = last
        same += 0
        print(json.dumps([
            labels.asnumpy().tolist(), labels[1].asscalar(), labels[1].shape,
            float(labels[1]), int(labels[1]), [x.asscalar() for x in labels],
            matrix.sum().asscalar(), matrix.max().shape, (labels == 4).sum().asscalar(),
            mx.nd.sum(matrix, axis=0).asnumpy().tolist(), matrix[0].shape,
            mx.nd.ones((2, 3, 4)).flatten().shape, mx.nd.zeros_like(labels).shape,
            mx.nd.clip(labels, 1, 2).asnumpy().tolist(), same is last,
        ], default=float))
    """

    said = run(tmp_path, program)

    assert said == [
        *([0, 4, 0], 4, [1], 4.0, 4, [0, 4, 0]),
        *(25, [1], 1, [3, 5, 17], [3]),
        *([2, 12], [3], [1, 2, 1], True),
    ]


PRINTED = {
    "a": "\n[1. 2. 2.]\n<NDArray 3 @cpu(0)>",
    "a[0]": "\n[1.]\n<NDArray 1 @cpu(0)>",
    "a.astype('int32')": "\n[1 2 2]\n<NDArray 3 @cpu(0)>",
    "a.astype('uint8')[2]": "\n[2]\n<NDArray 1 @cpu(0)>",
    "mx.nd.ones((2, 2)) / 2": "\n[[0.5 0.5]\n [0.5 0.5]]\n<NDArray 2x2 @cpu(0)>",
    "a.argmax().astype('float32')": "\n[1.]\n<NDArray 1 @cpu(0)>",
    "a.argmin(axis=0)": "\n[0]\n<NDArray 1 @cpu(0)>",
}


def test_arrays_are_printed_as_mxnet_prints_them(tmp_path: Path) -> None:
    # Whole numbers could not be printed: TypeError from NDArray.__format__.
    program = f"""
        import json
        import mxnet as mx

        a = mx.nd.array([1, 2, 2])
        values = [{", ".join(PRINTED)}]
        print(json.dumps([[str(one), repr(one), f"{{one}}"] for one in values]))
    """

    said = run(tmp_path, program)

    assert dict(zip(PRINTED, said, strict=True)) == {
        value: [shown] * 3 for value, shown in PRINTED.items()
    }


def test_batches_come_from_the_iterators_of_mx_io(tmp_path: Path, ten: DataSet) -> None:
    program = """
        import json, sys
        import mxnet as mx

        batches = mx.io.ImageRecordIter(
            path_imgrec=sys.argv[1], data_shape=(3, 8, 8), batch_size=5)
        print(json.dumps([
            [batch.data[0].asnumpy()[0, 0, 0, 0], batch.label[0][4].asscalar()]
            for batch in batches
        ], default=float))
    """

    said = run(tmp_path, program, ten.rec)

    assert said == [[0, 4], [100, 9]]


def test_options_that_mxnet_ignores_are_left_out_with_a_warning(
    tmp_path: Path, ten: DataSet
) -> None:
    program = """
        import json, sys, warnings
        import mxnet as mx

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            batches = mx.io.ImageRecordIter(
                path_imgrec=sys.argv[1], data_shape=(3, 8, 8), batch_size=5,
                and_mirror=True, data_names="x")
        print(json.dumps([
            [str(warning.message) for warning in caught], caught[0].filename,
            mx.io.ImageRecordIter is mx.io.io.ImageRecordIter,
            next(batches).data[0].shape,
        ]))
    """

    messages, place, is_same, shape = run(tmp_path, program, ten.rec)

    assert messages == [
        f"ImageRecordIter has no parameter {name!r}: ignored, as by MXNet; "
        f"did you mean {near!r}?"
        for name, near in (("and_mirror", "rand_mirror"), ("data_names", "data_name"))
    ]
    assert Path(place).name == "program.py"
    assert (is_same, shape) == (True, [5, 3, 8, 8])


def test_a_name_outside_the_subset_is_refused_by_name_and_reason(
    tmp_path: Path,
) -> None:
    expected = {
        "import mxnet.gluon.nn": ("mxnet.gluon.nn", "need MXNet itself"),
        "from mxnet.gluon import nn": ("mxnet.gluon.nn", "need MXNet itself"),
        "from mxnet import nd, mod": ("mxnet.mod", "need MXNet itself"),
        "import mxnet.module.module": ("mxnet.module", "need MXNet itself"),
        "from mxnet.recordio import x": ("mxnet.recordio.x", "image records"),
        "from mxnet.base import _LIB": ("mxnet.base._LIB", "no libmxnet"),
        "mx.gluon.Trainer": ("mxnet.gluon.Trainer", "need MXNet itself"),
        "mx.sym.Variable": ("mxnet.sym", "need MXNet itself"),
        "mx.nd.Pooling": ("mxnet.ndarray.Pooling", "functions of NumPy"),
        "mx.gluon.data.vision.CIFAR10": (
            "mxnet.gluon.data.vision.CIFAR10",
            "fetches nothing",
        ),
    }
    program = """
        import json, sys
        import mxnet as mx

        said = []
        for statement in json.loads(sys.argv[1]):
            kind = ImportError if "import" in statement else AttributeError
            try:
                exec(statement)
            except kind as error:
                said.append(str(error))
        print(json.dumps(said))
    """

    said = run(tmp_path, program, json.dumps(list(expected)))

    for sentence, (name, reason) in zip(said, expected.values(), strict=True):
        opening = f"{name} is not part of the data subset that mxio provides: "
        assert sentence.startswith(opening)
        assert reason in sentence


def test_programs_may_ask_what_there_is(tmp_path: Path) -> None:
    program = """
        import json
        import mxnet as mx

        try:
            from mxnet.gluon import nn
        except ImportError:
            nn = None
        try:
            import mxnet.profiler as profiler
        except ModuleNotFoundError:
            profiler = None
        print(json.dumps([
            nn, profiler, hasattr(mx, "sym"), hasattr(mx.recordio, "pack"),
            hasattr(mx.gluon, "data"), getattr(mx.nd, "softmax", 5),
        ]))
    """

    said = run(tmp_path, program)

    assert said == [None, None, False, True, True, 5]


def test_mxnet_is_not_there_without_the_runner(tmp_path: Path) -> None:
    program = "import mxio, mxio.compat, mxio.io\nimport mxnet\n"

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )

    assert done.returncode == 1
    assert done.stderr.endswith("ModuleNotFoundError: No module named 'mxnet'\n")


def test_a_real_mxnet_that_is_imported_is_not_mixed_with(tmp_path: Path) -> None:
    (tmp_path / "mxnet.py").write_text("")
    (tmp_path / "program.py").write_text("print('ran')")
    program = """
        import sys
        sys.path.insert(0, "")
        import mxnet
        from mxio.compat import main
        sys.exit(main(["run", "program.py"]))
    """

    done = subprocess.run(
        [sys.executable, "-c", dedent(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert f"imported already, from {tmp_path / 'mxnet.py'}" in done.stderr


def test_a_mxnet_beside_the_program_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "mxnet.py").write_text("raise ImportError('the real one')")
    program = """
        import sys
        sys.path.insert(0, ".")
        import mxnet as mx
        print(mx.nd.ones((2,)).shape[0])
    """

    said = run(tmp_path, program, environment=with_script_folder())

    assert said == 2


def test_activate_makes_the_shim_importable(tmp_path: Path) -> None:
    program = """
        from mxio import compat
        compat.activate()
        compat.activate()
        import os, sys, mxnet
        shims = [place for place in sys.path if place.endswith("shim")]
        inherited = os.environ["PYTHONPATH"].split(os.pathsep)
        print(mxnet.__version__, shims == sys.path[:1] == inherited[:1])
    """

    done = subprocess.run(
        [sys.executable, "-c", dedent(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1.9.1+mxio")
    assert done.stdout.endswith("True\n")


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"], ["run", "--help"]])
def test_help_is_printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = compat.main(words)

    assert code == 0
    assert capsys.readouterr().out.startswith("usage: python -m mxio.compat run SCRIPT")


@pytest.mark.parametrize(
    "words", [["run"], ["run", "-m"], ["run", "-x", "a.py"], ["walk", "a.py"], ["a.py"]]
)
def test_a_wrong_command_line_is_answered_with_the_usage(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = compat.main(words)

    assert code == 2
    assert capsys.readouterr().err.startswith("usage: python -m mxio.compat run SCRIPT")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["absent.py"], 2, "cannot open absent.py: No such file or directory"),
        (["-m", "absent"], 1, "no module named absent"),
        (["-m", "absent.below"], 1, "No module named 'absent'"),
        (["-m", "mxnet.kvstore"], 1, "mxnet.kvstore is not part of the data subset"),
    ],
)
def test_a_program_that_is_not_there_is_named(
    tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    done = start(tmp_path, "run", *words)

    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"mxio.compat: {said}")
    assert done.stderr.count("\n") == 1


def test_datasets_of_gluon_are_cut_filtered_and_transformed(tmp_path: Path) -> None:
    program = """
        import json
        import mxnet as mx
        from mxnet.gluon.data import ArrayDataset, SimpleDataset

        def listed(dataset):
            return [dataset[place] for place in range(len(dataset))]

        def refusal(function, *arguments):
            try:
                function(*arguments)
            except (AssertionError, TypeError) as error:
                return type(error).__name__

        seven = SimpleDataset(list(range(7)))
        pairs = ArrayDataset(mx.nd.array([1, 2]), ["a", "b"])
        print(json.dumps([
            [listed(seven.shard(3, part)) for part in range(3)],
            listed(seven.take(2)), len(seven.take(None)), len(seven.take(9)),
            listed(seven.filter(lambda x: x % 3 == 1)),
            listed(seven.transform(lambda x: -x, lazy=False).take(3)),
            listed(pairs.transform(lambda number, letter: letter * int(number))),
            listed(pairs.transform_first(lambda number: number + 0.5)),
            listed(ArrayDataset([5, 6])),
            refusal(seven.shard, 3, 3), refusal(seven.sample, [1]),
            refusal(ArrayDataset), refusal(ArrayDataset, [1], [1, 2]),
        ], default=float))
    """

    said = run(tmp_path, program)

    assert said == [
        [[0, 1, 2], [3, 4], [5, 6]],
        *([0, 1], 7, 7, [1, 4], [0, -1, -2]),
        *(["a", "bb"], [[1.5, "a"], [2.5, "b"]], [5, 6]),
        *("AssertionError", "TypeError", "AssertionError", "AssertionError"),
    ]


def test_image_datasets_and_the_loader_make_batches(
    tmp_path: Path, ten: DataSet
) -> None:
    for kind, value in (("cat", 10), ("dog", 20)):
        (tmp_path / "images" / kind).mkdir(parents=True)
        pixels = np.full((5, 6, 3), value, np.uint8)
        cv2.imwrite(str(tmp_path / f"images/{kind}/0.PNG"), pixels)
    (tmp_path / "images/notes.txt").write_text("")
    (tmp_path / "images/dog/notes.txt").write_text("")
    program = """
        import json, sys, warnings
        from mxnet.gluon.data import DataLoader, RecordFileDataset
        from mxnet.gluon.data.vision import ImageFolderDataset, ImageRecordDataset

        records = ImageRecordDataset(sys.argv[1])
        said = [len(RecordFileDataset(sys.argv[1])[0]) > 24]
        for workers in (0, 2):
            loader = DataLoader(records, 4, num_workers=workers, last_batch="discard")
            said.append(len(loader))
            for images, labels in loader:
                said.append([images.shape, labels.asnumpy().tolist(),
                             images[:, 0, 0, 0].asnumpy().tolist()])
        gray = ImageRecordDataset(sys.argv[1], 0, lambda image, label: image.shape)
        said.append(gray[9])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            folders = ImageFolderDataset("images")
        said += [folders.synsets, len(caught), len(folders)]
        said += [folders[1][0].asnumpy()[0, 0].tolist(), folders[1][1]]
        shuffled = [place for batch in DataLoader(range(9), 2, True) for place in batch]
        said.append(sorted(place.asscalar() for place in shuffled))
        print(json.dumps(said, default=int))
    """

    said = run(tmp_path, program, ten.rec)

    batches = [
        [[4, 8, 8, 3], [0, 1, 2, 3], [0, 20, 40, 60]],
        [[4, 8, 8, 3], [4, 5, 6, 7], [80, 100, 120, 140]],
    ]
    assert said == [
        *(True, 2, *batches, 2, *batches, [8, 8, 1]),
        *(["cat", "dog"], 2, 2, [20, 20, 20], 1, list(range(9))),
    ]


def test_samplers_hold_over_and_refuse_what_excludes_itself(tmp_path: Path) -> None:
    program = """
        import json
        from mxnet.gluon.data import (
            BatchSampler, DataLoader, RandomSampler, SequentialSampler)

        rolling = BatchSampler(SequentialSampler(5, start=1), 3, "rollover")
        said = [[list(rolling), len(rolling), list(rolling)]]
        said.append([len(BatchSampler(RandomSampler(5), 3, how))
                     for how in ("keep", "discard", "rollover")])
        for options in (
            {}, {"batch_size": 2, "shuffle": True, "sampler": RandomSampler(3)},
            {"batch_size": 2, "batch_sampler": rolling},
            {"batch_size": 2, "last_batch": "wrap"},
        ):
            try:
                DataLoader([1, 2, 3], **options)
            except ValueError as error:
                said.append(str(error))
        print(json.dumps(said))
    """

    said = run(tmp_path, program)

    assert said[:2] == [[[[1, 2, 3]], 2, [[4, 5, 1], [2, 3, 4]]], [2, 1, 1]]
    assert said[2:] == [
        "give a batch_size, or a batch_sampler",
        "shuffle and sampler exclude each other",
        "batch_sampler excludes batch_size, shuffle, sampler and last_batch",
        "last_batch must be one of ('keep', 'discard', 'rollover'), got 'wrap'",
    ]


def test_a_sample_that_fails_stops_the_loader_and_its_threads(tmp_path: Path) -> None:
    program = """
        import json, threading
        from mxnet.gluon.data import DataLoader, SimpleDataset

        fractions = SimpleDataset([1, 2, 0, 4]).transform(lambda x: 1 / x)
        seen = []
        try:
            for batch in DataLoader(fractions, 1, num_workers=2, prefetch=3):
                seen.append(batch.asscalar())
        except ZeroDivisionError:
            seen.append("stopped")
        print(json.dumps([seen, threading.active_count()], default=float))
    """

    said = run(tmp_path, program)

    assert said == [[1.0, 0.5, "stopped"], 1]


def test_the_utilities_of_tests_compare_and_restore(tmp_path: Path) -> None:
    program = """
        import json, os
        import mxnet as mx
        from mxnet.test_utils import *

        def refused(*arguments, **options):
            try:
                assert_almost_equal(*arguments, **options)
            except AssertionError:
                return True
            return False

        said = [
            refused(mx.nd.array([1.0]), np.array([1.0005], np.float32)),
            refused(mx.nd.array([1.0]), np.array([1.01], np.float32)),
            refused(np.array([1], np.uint8), np.array([2], np.uint8)),
            refused(np.array([1.0]), np.array([1.5]), rtol=1),
            almost_equal(np.array([1.0]), np.array([1.001])),
            same(mx.nd.ones(3), np.ones(3)),
        ]
        os.environ["KEPT"] = "before"
        with environment({"KEPT": None, "ADDED": "1"}), environment("LAST", "2"):
            said.append([os.environ.get(x) for x in ("KEPT", "ADDED", "LAST")])
        said.append([os.environ.get(x) for x in ("KEPT", "ADDED", "LAST")])
        assert_exception(int, ValueError, "x")
        said += [len(rand_shape_2d()), len(rand_shape_3d()), len(rand_shape_nd(4))]
        said += [rand_ndarray((2, 3)).shape, random_arrays((2,), (3,))[1].shape]
        full = rand_ndarray((2, 3), "csr", density=1).asnumpy()
        said.append([full.shape, bool((full > 0).all()), full.dtype.name])
        for function in (get_mnist_ubyte, get_cifar10):
            try:
                function()
            except FileNotFoundError as error:
                said.append(str(error).split(": ")[0].split(", ")[0])
        said.append([default_context() == mx.cpu(), list_gpus(), mx.context.num_gpus()])
        print(json.dumps(said))
    """

    said = run(tmp_path, program)

    assert said == [
        *(False, True, True, False, False, True),
        *([None, "1", "2"], ["before", None, None]),
        *(2, 3, 4, [2, 3], [3], [[2, 3], True, "float32"]),
        *("data/train-images-idx3-ubyte", "data/cifar/train.rec"),
        [True, [], 0],
    ]


def test_the_random_numbers_follow_their_own_seed(tmp_path: Path) -> None:
    program = """
        import json
        import mxnet as mx
        import numpy as np

        def draw():
            mx.random.seed(5)
            np.random.rand(3)
            return [
                mx.nd.random.uniform(2, 3, (2, 2)).asnumpy().tolist(),
                mx.random.normal(5, 0, shape=3).asnumpy().tolist(),
                mx.random.randint(4, 5, (2,)).asnumpy().tolist(),
            ]

        first, second = draw(), draw()
        print(json.dumps([first == second, first]))
    """

    equal, (uniform, normal, whole) = run(tmp_path, program)

    assert equal
    assert np.shape(uniform) == (2, 2)
    assert np.min(uniform) >= 2 > np.max(uniform) - 1
    assert (normal, whole) == ([5, 5, 5], [4, 4])


def test_loggers_write_level_and_place(tmp_path: Path) -> None:
    program = """
        import json, logging, warnings
        import mxnet as mx

        logger = mx.log.get_logger("train", "train.log", level=mx.log.INFO)
        logger.debug("left out")
        logger.info("epoch %d", 3)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            again = mx.log.getLogger("train")
        print(json.dumps([
            again is logger, len(logger.handlers), len(caught),
            mx.log.get_logger() is logging.getLogger(),
        ]))
    """

    said = run(tmp_path, program)

    written = (tmp_path / "train.log").read_text()
    assert said == [True, 1, 1, True]
    assert written.startswith("I")
    assert written.endswith("program.py:7] epoch 3\n")
