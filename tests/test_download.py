"""mxio.download: known data sets, from a server on this machine that can misbehave."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

import mxio
from mxio.cli import main
from mxio.errors import DataError, MxioError, ParameterError
from mxio.io import ImageRecordIter, MNISTIter
from mxio.recordio import MXIndexedRecordIO, unpack, unpack_img
from mxio.tools import _fetch
from mxio.tools._datasets import DATASETS
from tests import file_server
from tests.data_sets import (
    BATCHES,
    CIFAR,
    TEST_BATCH,
    cifar_rows,
    small_cifar,
    small_mnist,
    stand_in,
    tar_of,
)
from tests.file_server import serve

MNIST = small_mnist()
BIG = "train-images-idx3-ubyte.gz"


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Lengths of the pauses between tries, which are not made."""
    made: list[float] = []
    monkeypatch.setattr(_fetch, "sleep", made.append)
    return made


def use(
    monkeypatch: pytest.MonkeyPatch, name: str, contents: Mapping[str, bytes]
) -> None:
    monkeypatch.setitem(DATASETS, name, stand_in(name, contents))


@pytest.fixture
def mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "mnist", MNIST)


def unpacked(folder: Path) -> dict[str, bytes]:
    """The four files that are made of MNIST."""
    names = [name.removesuffix(".gz") for name in MNIST]
    return {name: (folder / name).read_bytes() for name in names}


RIGHT = {name.removesuffix(".gz"): gzip.decompress(MNIST[name]) for name in MNIST}


# What comes out.


def test_mnist_is_unpacked_for_mnistiter(tmp_path: Path, mnist: None) -> None:
    with serve(MNIST) as server:
        report = mxio.download("mnist", tmp_path, mirror=server.url)

    batches = MNISTIter(
        image=report.files[0], label=report.files[1], batch_size=12, shuffle=False
    )
    batch = batches.next()
    pixels = np.frombuffer(RIGHT["train-images-idx3-ubyte"], np.uint8, offset=16)
    np.testing.assert_allclose(batch.data[0].asnumpy().ravel(), pixels / 256, atol=1e-6)
    assert batch.label[0].asnumpy().tolist() == list(
        RIGHT["train-labels-idx1-ubyte"][8:]
    )
    assert [Path(path).name for path in report.files] == list(RIGHT)
    assert report.received == sum(map(len, MNIST.values()))
    assert report.classes == [str(digit) for digit in range(10)]


def test_cifar10_becomes_what_the_documentation_page_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = small_cifar(9)
    use(monkeypatch, "cifar10", contents)
    monkeypatch.chdir(tmp_path)

    with serve(contents) as server:
        report = mxio.download("cifar10", mirror=server.url)
    batches = ImageRecordIter(
        path_imgrec="data/cifar/train.rec",
        data_shape=(3, 28, 28),
        batch_size=45,
        mean_img="data/cifar/cifar10_mean.bin",
        preprocess_threads=2,
    )
    batch = batches.next()

    rows = np.concatenate([cifar_rows(number, 9) for number in range(5)])
    planes = rows[:, 1:].reshape(-1, 3, 32, 32)[:, :, 2:30, 2:30].astype(np.float64)
    expected = planes - planes.mean(axis=0)
    np.testing.assert_allclose(batch.data[0].asnumpy(), expected, atol=1e-3)
    assert batch.label[0].asnumpy().tolist() == rows[:, 0].tolist()
    assert report.classes[6] == "frog"
    assert sorted(os.listdir("data/cifar")) == [
        "cifar-10-binary.tar.gz",
        "cifar10.json",
        "cifar10_mean.bin",
        *("test.classes.txt", "test.idx", "test.lst", "test.rec"),
        *("train.classes.txt", "train.idx", "train.lst", "train.rec"),
    ]


def test_cifar10_keeps_every_pixel_label_and_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = small_cifar(3)
    use(monkeypatch, "cifar10", contents)

    with serve(contents) as server:
        mxio.download("cifar10", tmp_path, mirror=server.url)

    rows = cifar_rows(5, 3)
    records = MXIndexedRecordIO(tmp_path / "test.idx", tmp_path / "test.rec", "r")
    lines = (tmp_path / "test.lst").read_text().splitlines()
    names = DATASETS["cifar10"].classes
    assert records.keys == [0, 1, 2]
    for id, row in enumerate(rows):
        header, image = unpack_img(records.read_idx(id), cv2.IMREAD_COLOR)
        assert (header.label, header.id) == (float(row[0]), id)
        assert image is not None
        planes = row[1:].reshape(3, 32, 32)
        np.testing.assert_array_equal(image[:, :, ::-1], planes.transpose(1, 2, 0))
        assert lines[id] == f"{id}\t{row[0]}.000000\t{names[row[0]]}/{id:08d}.png"
    assert (tmp_path / "test.classes.txt").read_text().split() == list(names)


@pytest.mark.parametrize("name", DATASETS)
def test_the_table_says_everything_about_every_file(name: str) -> None:
    known = DATASETS[name]

    assert all(server.startswith("https://") for server in known.servers)
    assert all(server.endswith("/") for server in known.servers)
    assert len(known.classes) == 10
    for file in known.files:
        assert len(bytes.fromhex(file.sha256)) == 32
        assert file.size > 0 and file.members


# What is there already.


def test_a_second_call_asks_no_server(tmp_path: Path, mnist: None) -> None:
    with serve(MNIST) as server:
        mxio.download("mnist", tmp_path, mirror=server.url)
        asked = len(server.requests)

        report = mxio.download("mnist", tmp_path, mirror=server.url)

    assert asked == 4
    assert len(server.requests) == asked
    assert report.received == 0
    assert unpacked(tmp_path) == RIGHT


def test_a_file_damaged_since_is_made_again_without_the_network(
    tmp_path: Path, mnist: None
) -> None:
    with serve(MNIST) as server:
        mxio.download("mnist", tmp_path, mirror=server.url)
        damaged = tmp_path / "t10k-images-idx3-ubyte"
        damaged.write_bytes(damaged.read_bytes()[:-1])

        report = mxio.download("mnist", tmp_path, mirror=server.url)

    assert report.received == 0
    assert len(server.requests) == 4
    assert unpacked(tmp_path) == RIGHT


def test_a_damaged_archive_is_fetched_again(tmp_path: Path, mnist: None) -> None:
    (tmp_path / BIG).write_bytes(b"x" * len(MNIST[BIG]))

    with serve(MNIST) as server:
        mxio.download("mnist", tmp_path, mirror=server.url)

    assert (tmp_path / BIG).read_bytes() == MNIST[BIG]
    assert unpacked(tmp_path) == RIGHT


def test_a_file_from_elsewhere_is_not_replaced(tmp_path: Path, mnist: None) -> None:
    own = tmp_path / "train-labels-idx1-ubyte"
    own.write_bytes(b"mine")

    with (
        serve(MNIST) as server,
        pytest.raises(FileExistsError, match="not from mxio download") as caught,
    ):
        mxio.download("mnist", tmp_path, mirror=server.url)

    assert caught.value.filename == str(own)
    assert own.read_bytes() == b"mine"
    assert server.requests == []


@pytest.mark.parametrize("text", ["", "[]", '{"files": 3}', "\0", "[" * 5000])
def test_a_record_that_is_none_is_named(tmp_path: Path, mnist: None, text: str) -> None:
    (tmp_path / "mnist.json").write_text(text)

    with pytest.raises(DataError, match=r"mnist\.json: not written by"):
        mxio.download("mnist", tmp_path, mirror="http://127.0.0.1:9/")


# Connections that fail.


def test_a_truncated_answer_is_continued_where_it_broke(
    tmp_path: Path, mnist: None, pauses: list[float]
) -> None:
    answers = {BIG: [file_server.truncated, file_server.truncated]}

    with serve(MNIST, answers) as server:
        report = mxio.download("mnist", tmp_path, mirror=server.url)

    size = len(MNIST[BIG])
    asked = [range for name, range in server.requests if name == BIG]
    half = size // 2
    more = half + (size - half) // 2
    assert asked == [None, f"bytes={half}-", f"bytes={more}-"]
    assert unpacked(tmp_path) == RIGHT
    assert report.received == sum(map(len, MNIST.values()))
    assert pauses == [1, 2]


def test_a_server_that_ignores_ranges_starts_again(tmp_path: Path, mnist: None) -> None:
    answers = {BIG: [file_server.truncated, file_server.without_ranges]}

    with serve(MNIST, answers) as server:
        mxio.download("mnist", tmp_path, mirror=server.url)

    assert unpacked(tmp_path) == RIGHT


def test_a_server_that_sends_another_range_starts_again(
    tmp_path: Path, mnist: None
) -> None:
    answers = {BIG: [file_server.truncated, file_server.wrong_range]}

    with serve(MNIST, answers) as server:
        mxio.download("mnist", tmp_path, mirror=server.url)

    assert server.requests[2] == (BIG, None)
    assert unpacked(tmp_path) == RIGHT


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_a_server_that_is_busy_is_asked_again(
    tmp_path: Path, mnist: None, code: int, pauses: list[float]
) -> None:
    answers = {BIG: [file_server.status(code)] * 2}

    with serve(MNIST, answers) as server:
        mxio.download("mnist", tmp_path, mirror=server.url)

    assert pauses == [1, 2]
    assert unpacked(tmp_path) == RIGHT


def test_retry_after_is_heeded_up_to_a_minute(
    tmp_path: Path, mnist: None, pauses: list[float]
) -> None:
    busy = [file_server.status(503, Retry_After=wait) for wait in ("7", "9999", "soon")]

    with serve(MNIST, {BIG: busy}) as server:
        mxio.download("mnist", tmp_path, mirror=server.url)

    assert pauses == [7, 60, 4]


def test_a_missing_file_is_told_at_once(
    tmp_path: Path, mnist: None, pauses: list[float]
) -> None:
    without = {name: data for name, data in MNIST.items() if name != BIG}

    with serve(without) as server, pytest.raises(MxioError) as caught:
        mxio.download("mnist", tmp_path, mirror=server.url)

    assert f"{server.url}/{BIG}: 404 Not Found" in str(caught.value)
    assert isinstance(caught.value, OSError)
    assert pauses == []
    assert not list(tmp_path.glob("*.part"))


def test_nobody_listening_is_told_after_the_tries(
    tmp_path: Path, mnist: None, pauses: list[float]
) -> None:
    with serve(MNIST) as server:
        url = server.url

    with pytest.raises(MxioError, match=r"Connection refused; gave up after 3 tries"):
        mxio.download("mnist", tmp_path, mirror=url, tries=3)

    assert pauses == [1, 2]


@pytest.mark.parametrize("behave", ["silent", "dripping"])
def test_a_connection_that_stalls_is_given_up_and_continued(
    tmp_path: Path, mnist: None, behave: str
) -> None:
    stalled = {
        "silent": file_server.silent_after(100, 0.5),
        "dripping": file_server.dripping(1, 0.02),
    }[behave]

    with serve(MNIST, {BIG: [stalled]}) as server:
        mxio.download("mnist", tmp_path, mirror=server.url, timeout=0.2)

    ranges = [asked for name, asked in server.requests if name == BIG]
    assert ranges[0] is None
    assert ranges[1] is not None
    assert unpacked(tmp_path) == RIGHT


def test_wrong_bytes_never_get_the_name(tmp_path: Path, mnist: None) -> None:
    wrong = bytes(len(MNIST[BIG]))
    answers = {BIG: [file_server.content_of(wrong)] * 3}

    with (
        serve(MNIST, answers) as server,
        pytest.raises(DataError, match="SHA-256") as caught,
    ):
        mxio.download("mnist", tmp_path, mirror=server.url, tries=3)

    assert hashlib.sha256(MNIST[BIG]).hexdigest() in str(caught.value)
    assert hashlib.sha256(wrong).hexdigest() in str(caught.value)
    assert server.count(BIG) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mnist.json"]


def test_wrong_bytes_once_are_fetched_anew_from_the_start(
    tmp_path: Path, mnist: None
) -> None:
    wrong = bytes(len(MNIST[BIG]))

    with serve(MNIST, {BIG: [file_server.content_of(wrong)]}) as server:
        mxio.download("mnist", tmp_path, mirror=server.url)

    assert server.requests[:2] == [(BIG, None), (BIG, None)]
    assert unpacked(tmp_path) == RIGHT


@pytest.mark.parametrize("other", [b"<html>please log in</html>", bytes(10**6)])
def test_a_file_of_another_size_is_not_even_read(
    tmp_path: Path, mnist: None, other: bytes
) -> None:
    answers = {BIG: [file_server.content_of(other)]}

    with (
        serve(MNIST, answers) as server,
        pytest.raises(MxioError, match=f"a file of {len(other)} bytes, not of"),
    ):
        mxio.download("mnist", tmp_path, mirror=server.url)

    assert not (tmp_path / BIG).exists()


def test_the_next_server_is_asked_when_the_first_has_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = stand_in("mnist", MNIST)

    with serve({}) as empty, serve(MNIST) as full:
        monkeypatch.setitem(
            DATASETS,
            "mnist",
            type(known)(
                known.title,
                (f"{empty.url}/", f"{full.url}/"),
                known.files,
                known.folder,
                known.classes,
            ),
        )
        mxio.download("mnist", tmp_path)

    assert [len(empty.requests), len(full.requests)] == [4, 4]
    assert unpacked(tmp_path) == RIGHT


def test_a_redirection_is_followed(tmp_path: Path, mnist: None) -> None:
    with serve(MNIST) as there:
        answers = {BIG: [file_server.moved_to(f"{there.url}/{BIG}")]}
        with serve(MNIST, answers) as server:
            mxio.download("mnist", tmp_path, mirror=server.url)

    assert there.count(BIG) == 1
    assert unpacked(tmp_path) == RIGHT


def test_the_page_beside_a_redirection_is_not_read(
    tmp_path: Path, mnist: None, pauses: list[float]
) -> None:
    """All of it was kept in memory, however much came, and waited for."""
    with serve(MNIST) as there:
        answers = {BIG: [file_server.moved_without_end(f"{there.url}/{BIG}", 1.0)]}
        with serve(MNIST, answers) as server:
            mxio.download("mnist", tmp_path, mirror=server.url, timeout=0.5)

    assert pauses == []
    assert unpacked(tmp_path) == RIGHT


@pytest.mark.parametrize(
    "answer",
    [
        # Each ended in a traceback.
        file_server.moved_to("http://[nowhere/"),
        file_server.with_header("Content-Length", "9" * 5000),
        file_server.status(206, Content_Range="bytes 0-1/" + "9" * 5000),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_failed_try(
    tmp_path: Path, mnist: None, answer: file_server.Answer
) -> None:
    with serve(MNIST, {BIG: [answer]}) as server, pytest.raises(MxioError) as caught:
        mxio.download("mnist", tmp_path, mirror=server.url, tries=1)

    assert "cannot download" in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_what_a_server_says_cannot_reach_the_terminal(
    tmp_path: Path, mnist: None
) -> None:
    def answer(handler: file_server.Handler, content: bytes) -> None:
        handler.send_response(404, "\x1b[31mred")
        handler.end_headers()
        handler.close_connection = True

    with serve(MNIST, {BIG: [answer]}) as server, pytest.raises(MxioError) as caught:
        mxio.download("mnist", tmp_path, mirror=server.url, tries=1)

    assert "404 \ufffd[31mred" in str(caught.value)


@pytest.mark.parametrize(
    "mirror", ["ftp://localhost/", "http://", "http://[nowhere/", "http://localhost:x/"]
)
def test_a_mirror_that_is_no_address_is_refused(tmp_path: Path, mirror: str) -> None:
    with pytest.raises(ParameterError, match="mirror must be"):
        mxio.download("mnist", tmp_path / "to", mirror=mirror)

    assert not (tmp_path / "to").exists()


def test_a_redirection_to_a_local_file_is_refused(tmp_path: Path, mnist: None) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(MNIST[BIG])
    answers = {BIG: [file_server.moved_to(secret.as_uri())] * 2}

    with serve(MNIST, answers) as server, pytest.raises(MxioError, match="file:"):
        mxio.download("mnist", tmp_path / "to", mirror=server.url, tries=1)

    assert not (tmp_path / "to" / BIG).exists()


def test_a_part_that_is_too_long_is_thrown_away(tmp_path: Path, mnist: None) -> None:
    (tmp_path / f"{BIG}.part").write_bytes(bytes(len(MNIST[BIG]) + 1))

    with serve(MNIST) as server:
        mxio.download("mnist", tmp_path, mirror=server.url)

    assert server.requests[0] == (BIG, None)
    assert unpacked(tmp_path) == RIGHT


def test_a_part_that_is_whole_is_not_fetched(tmp_path: Path, mnist: None) -> None:
    (tmp_path / f"{BIG}.part").write_bytes(MNIST[BIG])

    with serve(MNIST) as server:
        mxio.download("mnist", tmp_path, mirror=server.url)

    assert server.count(BIG) == 0
    assert unpacked(tmp_path) == RIGHT


# Archives that are not what they should be.


def traversal(name: str) -> dict[str, bytes]:
    rows = {path: cifar_rows(1, 2).tobytes() for path in (*BATCHES, TEST_BATCH)}
    return {name: b"evil", **rows}


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/mxio-evil", f"{CIFAR}/../../evil", "evil/../../evil"]
)
def test_no_name_in_an_archive_leads_out_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    contents = {"cifar-10-binary.tar.gz": tar_of(traversal(name))}
    use(monkeypatch, "cifar10", contents)
    folder = tmp_path / "deep" / "cifar"

    with serve(contents) as server:
        mxio.download("cifar10", folder, mirror=server.url)

    assert list(tmp_path.rglob("evil*")) == []
    assert not Path("/tmp/mxio-evil").exists()
    assert (folder / "train.rec").exists()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({TEST_BATCH: bytes(3073)}, "data_batch_1.bin is not in it"),
        ({BATCHES[0]: bytes(30730001)}, "30730001 bytes, at most 30730000"),
        (dict.fromkeys([*BATCHES, TEST_BATCH], bytes(3072)), "no whole pictures"),
    ],
)
def test_an_archive_with_other_content_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, bytes],
    said: str,
) -> None:
    contents = {"cifar-10-binary.tar.gz": tar_of(files)}
    use(monkeypatch, "cifar10", contents)

    with serve(contents) as server, pytest.raises(DataError, match=said):
        mxio.download("cifar10", tmp_path, mirror=server.url)

    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"cifar-10-binary.tar.gz", "cifar10.json"}


def test_a_packed_file_that_grows_too_large_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = gzip.compress(bytes(10**8), 9, mtime=0)
    contents = MNIST | {"t10k-labels-idx1-ubyte.gz": bomb}
    use(monkeypatch, "mnist", contents)

    with (
        serve(contents) as server,
        pytest.raises(DataError, match="holds more than 10008 bytes"),
    ):
        mxio.download("mnist", tmp_path, mirror=server.url)

    assert not (tmp_path / "t10k-labels-idx1-ubyte").exists()


# Arguments, the command, and other processes.


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dataset": "mnits"}, "must be one of mnist, fashion-mnist, cifar10"),
        ({"mirror": "file:///etc"}, "http or https address"),
        ({"mirror": "data.example.org/mnist"}, "http or https address"),
        ({"tries": 0}, "tries must be at least 1, got 0"),
        ({"timeout": 0}, "timeout must be above 0 seconds, got 0"),
    ],
)
def test_a_wrong_argument_is_told_before_anything_happens(
    tmp_path: Path, options: dict[str, object], said: str
) -> None:
    given = {"dataset": "mnist", "to": tmp_path / "to"} | options

    with pytest.raises(ParameterError, match=said):
        mxio.download(**given)  # type: ignore[arg-type]

    assert not (tmp_path / "to").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, mnist: None) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(MxioError) as caught:
        mxio.download("mnist", tmp_path / "file" / "to", mirror="http://127.0.0.1:9/")

    assert isinstance(caught.value, OSError)
    assert caught.value.errno in (errno.ENOTDIR, errno.EEXIST)


def test_the_command_prints_the_files(
    tmp_path: Path, mnist: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(MNIST) as server:
        words = ["download", "mnist", "--to", str(tmp_path), "--mirror", server.url]
        code = main(words)
        told = capsys.readouterr()
        again = main([*words, "--json"])

    report = json.loads(capsys.readouterr().out)
    assert (code, again) == (0, 0)
    assert told.out.splitlines()[1:] == [str(tmp_path / name) for name in RIGHT]
    assert report["files"] == [str(tmp_path / name) for name in RIGHT]
    assert report["received"] == 0


@pytest.mark.parametrize(
    ("answer", "code"),
    [(file_server.status(404), 4), (file_server.content_of(bytes(len(MNIST[BIG]))), 1)],
)
def test_the_command_fails_with_one_sentence(
    tmp_path: Path,
    mnist: None,
    answer: file_server.Answer,
    code: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with serve(MNIST, {BIG: [answer] * 5}) as server:
        words = ["download", "mnist", f"--to={tmp_path}", f"--mirror={server.url}"]
        given = main([*words, "--quiet"])

    told = capsys.readouterr().err.splitlines()[-1]
    assert given == code
    assert told.startswith("mxio download: cannot download: http://")


DOWNLOAD = """
import sys
from pathlib import Path
from mxio.tools._datasets import DATASETS
from tests.data_sets import small_cifar, stand_in
import mxio
name, to, mirror, each = sys.argv[1:]
DATASETS[name] = stand_in(name, small_cifar(int(each)))
mxio.download(name, to, mirror=mirror)
"""


def start(*arguments: object) -> subprocess.Popen[bytes]:
    # The mxio that is being tested comes before the one of the checkout.
    places = [os.environ["PYTHONPATH"], str(Path(__file__).parents[1])]
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", DOWNLOAD, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(places)},
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 0, told.decode()


def contents_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_of_two_processes_one_fetches_and_both_succeed(tmp_path: Path) -> None:
    contents = small_cifar(9)

    with serve(contents) as server:
        both = [start("cifar10", tmp_path, server.url, 9) for _ in range(2)]
        for process in both:
            finish(process)

    assert server.count("cifar-10-binary.tar.gz") == 1
    assert (tmp_path / "cifar10_mean.bin").exists()
    assert not list(tmp_path.glob("*.tmp"))


def kill_and_resume(tmp_path: Path, moments: int, longest: float) -> None:
    """SIGKILL at random moments; what has a name is right, and the end is."""
    each = 200
    contents = small_cifar(each)
    (archive,) = contents
    drip = file_server.dripping(len(contents[archive]) // 40, 0.01)
    chance = random.Random(2)
    whole = tmp_path / "whole"
    with serve(contents) as server:
        finish(start("cifar10", whole, server.url, each))
    right = contents_of(whole)
    for moment in range(moments):
        folder = tmp_path / str(moment)
        with serve(contents, {archive: [drip] * 3}) as server:
            for _ in range(2):
                process = start("cifar10", folder, server.url, each)
                time.sleep(chance.uniform(0.0, longest))
                process.send_signal(signal.SIGKILL)
                process.communicate()
                for name, found in contents_of_final(folder, right).items():
                    assert found == right[name], f"{name} is wrong, moment {moment}"
            finish(start("cifar10", folder, server.url, each))
        assert contents_of(folder) == right, f"moment {moment}"


def contents_of_final(folder: Path, right: Mapping[str, bytes]) -> dict[str, bytes]:
    """Files that have their final names; the record may be unfinished."""
    if not folder.exists():
        return {}
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.name in right and path.suffix != ".json"
    }


def test_a_killed_download_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, 1, 1.6)


@pytest.mark.soak
def test_a_download_killed_at_50_moments_ends_the_same(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, 25, 2.0)


def test_threads_of_one_process_share_the_work(tmp_path: Path, mnist: None) -> None:
    with serve(MNIST) as server:
        threads = [
            threading.Thread(
                target=mxio.download,
                args=("mnist", tmp_path),
                kwargs={"mirror": server.url},
            )
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(server.requests) == 4
    assert unpacked(tmp_path) == RIGHT


def test_every_record_of_cifar10_is_an_image_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = small_cifar(2)
    use(monkeypatch, "cifar10", contents)

    with serve(contents) as server:
        mxio.download("cifar10", tmp_path, mirror=server.url)

    records = MXIndexedRecordIO(tmp_path / "train.idx", tmp_path / "train.rec", "r")
    pictures = [unpack(records.read_idx(key))[1] for key in records.keys]
    assert len(pictures) == 10
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_the_script_is_the_command(name: str) -> None:
    script = Path(__file__).parents[1] / f"tools/get_{name}_data.py"

    done = subprocess.run(
        [sys.executable, str(script), "--mirror=ftp://localhost/"],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("mxio download: mirror must be the http or https")
