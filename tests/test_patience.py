"""Files that do not answer: constructors and questions end in an error, and get on when
the answer is only late.
"""

import os
import shutil
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest

from mxio import RecordDataset
from mxio._patience import Reading, within
from mxio.adapters.numpy import ImageRecordLoader
from mxio.errors import DataError, MxioError
from mxio.io import ImageRecordIter
from tests import hanging
from tests.conftest import DataSet, encoded, picture, record, write_rec
from tests.threads import tasks_at_rest

needs_a_compiler = pytest.mark.skipif(
    shutil.which("gcc") is None, reason="needs a C compiler"
)

FACES = """
import os, sys, threading, time
import mxio
from mxio.adapters.numpy import ImageRecordLoader
from mxio.io import ImageRecordIter
rec, idx = sys.argv[1:]
raw = dict(path_imgrec=rec, timeout=0.3)
images = raw | dict(data_shape=(3, 8, 8), batch_size=2, preprocess_threads=1)
"""


def run(data: DataSet, program: str, environment: dict[str, str]) -> list[str]:
    """The lines that the program prints."""
    done = subprocess.run(
        [sys.executable, "-c", FACES + textwrap.dedent(program), data.rec, data.idx],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def failures(
    data: DataSet, programs: list[str], environment: dict[str, str]
) -> list[str]:
    """What the TimeoutErrors of the programs say."""
    program = f"""
    for text in {programs!r}:
        try:
            eval(text)
        except TimeoutError as error:
            assert isinstance(error, mxio.MxioError)
            print(error)
        else:
            print("no error")
    """
    said = run(data, program, environment)
    assert len(said) == len(programs)
    return said


@needs_a_compiler
def test_files_that_do_not_open(ten: DataSet, tmp_path: Path) -> None:
    # They were opened by the thread that asked.
    for path, programs in (
        (
            ten.rec,
            [
                "ImageRecordIter(**images)",
                "ImageRecordLoader(**images, path_imgidx=idx)",
                "ImageRecordLoader(**images, records=[1, 2])",
                "mxio.RecordDataset(**raw)",
            ],
        ),
        (
            ten.idx,
            [
                "ImageRecordIter(**images, path_imgidx=idx)",
                "ImageRecordLoader(**images, path_imgidx=idx, records=[1, 2])",
                "mxio.RecordDataset(**raw, path_imgidx=idx)",
                "ImageRecordIter(**images, path_imglist=idx)",
            ],
        ),
    ):
        for said in failures(ten, programs, hanging.open_of(tmp_path, path)):
            assert "not opened within timeout=0.3 s: a thread is stuck opening" in said
            assert str(path) in said


@needs_a_compiler
def test_records_that_are_not_read(ten: DataSet, tmp_path: Path) -> None:
    # The files were hopped over, or looked through, by the thread that asked.
    programs = {
        "ImageRecordIter(**images, shuffle=True)": "not opened",
        "ImageRecordLoader(**images)": "not opened",
        "ImageRecordLoader(**images, records=lambda *_: True)": "not counted",
        "ImageRecordLoader(**images, records=slice(3))": "not counted",
        "ImageRecordLoader(**images, path_imgidx=idx, records=lambda *_: True)": (
            "no headers"
        ),
        "mxio.RecordDataset(**raw)": "not opened",
        "list(mxio.RecordDataset(**raw, path_imgidx=idx))": "no record",
        "mxio.RecordDataset(**raw, path_imgidx=idx).state_dict()": "no state",
    }

    said = failures(ten, list(programs), hanging.read_of(tmp_path, ten.offsets[5] + 9))

    for line, lacking in zip(said, programs.values(), strict=True):
        assert f"{lacking} within timeout=0.3 s: a thread is stuck reading" in line
        assert str(ten.rec) in line
        assert "byte " in line


@needs_a_compiler
def test_a_worker_that_looks_for_a_head_says_where(tmp_path: Path) -> None:
    # Only that it looked was said.
    noise = np.random.default_rng(0).integers(0, 256, (6, 90, 90, 3), np.uint8)
    rec, idx, offsets = write_rec(tmp_path, [record(encoded(p)) for p in noise])
    data = DataSet(rec, idx, [], [], [], offsets)

    [said] = failures(
        data, ["list(ImageRecordIter(**images))"], hanging.read_at(tmp_path, offsets[4])
    )

    assert "a worker is stuck looking for the next record head" in said
    assert f"byte {offsets[4]}" in said
    assert str(rec) in said


@needs_a_compiler
def test_records_before_the_one_that_hangs_are_given(
    ten: DataSet, tmp_path: Path
) -> None:
    program = """
    taken = []
    records = mxio.RecordDataset(lambda _: taken.append(0), **raw, path_imgidx=idx)
    records = iter(records)
    for _ in range(2):
        try:
            while True:
                next(records)
        except TimeoutError as error:
            print(len(taken), error)
    """

    said = run(ten, program, hanging.read_of(tmp_path, ten.offsets[5] + 9))

    assert [line.split()[0] for line in said] == ["5", "5"]


@needs_a_compiler
def test_late_answers_are_no_hang(tmp_path: Path) -> None:
    # 24 reads of 50 ms each: the whole takes four times as long as the timeout.
    noise = np.random.default_rng(0).integers(0, 256, (12, 60, 60, 3), np.uint8)
    rec, idx, offsets = write_rec(tmp_path, [record(encoded(p)) for p in noise])
    data = DataSet(rec, idx, [], [], [], offsets)
    program = """
    print(len(ImageRecordLoader(**images, shuffle=True)))
    print(len(list(mxio.RecordDataset(**raw, shuffle=True))))
    """

    assert run(data, program, hanging.slow(tmp_path, 50)) == ["6", "12"]


@needs_a_compiler
def test_who_waits_for_a_head_does_not_wait_for_the_consumer(tmp_path: Path) -> None:
    # explain() blamed the consumer for what the file system did.
    noise = np.random.default_rng(0).integers(0, 256, (12, 60, 60, 3), np.uint8)
    rec, idx, offsets = write_rec(tmp_path, [record(encoded(p)) for p in noise])
    program = """
    batches = ImageRecordIter(**images | dict(preprocess_threads=4, timeout=9))
    count = len(list(batches))
    work = batches._loader._core.work()
    print(count, work["waited"] > 0.2, work["idle"] < 0.5 * work["waited"])
    """

    said = run(
        DataSet(rec, idx, [], [], [], offsets), program, hanging.slow(tmp_path, 40)
    )

    assert said == ["6 True True"]


@needs_a_compiler
def test_ctrl_c_ends_a_look_through_a_file(tmp_path: Path) -> None:
    # It came through when the last head had been found.
    rec, idx, offsets = write_rec(
        tmp_path, [record(encoded(picture(i, 60, 60)), i, i) for i in range(40)]
    )
    program = """
    def interrupt():
        time.sleep(0.5)
        os.kill(os.getpid(), 2)
    threading.Thread(target=interrupt).start()
    begun = time.monotonic()
    try:
        ImageRecordIter(**images, shuffle=True)
    except KeyboardInterrupt:
        print(time.monotonic() - begun < 2)
    """

    said = run(
        DataSet(rec, idx, [], [], [], offsets), program, hanging.slow(tmp_path, 200)
    )

    assert said == ["True"]


def test_nothing_is_left_of_a_thread_that_ended(ten: DataSet) -> None:
    before = tasks_at_rest()

    batches = ImageRecordIter(
        path_imgrec=str(ten.rec), data_shape=(3, 8, 8), batch_size=2, shuffle=True
    )
    assert len(list(RecordDataset(path_imgrec=str(ten.rec)))) == 10

    assert tasks_at_rest() == before
    batches.close()


def test_timeout_0_reads_in_the_thread_that_asks(
    ten: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise AssertionError("a thread was started")

    monkeypatch.setattr(threading.Thread, "start", refuse)

    loader = ImageRecordLoader(
        path_imgrec=str(ten.rec), data_shape=(3, 8, 8), batch_size=2, timeout=0
    )
    assert len(loader) == 5
    assert len(list(RecordDataset(path_imgrec=str(ten.rec), timeout=0))) == 10


def test_failures_come_out_as_they_are() -> None:
    def fail() -> None:
        raise DataError("damaged", "x.rec", 3)

    with pytest.raises(DataError, match="damaged") as caught:
        within(5, "no answer", fail)

    assert caught.value.record == 3


def test_work_within_work_has_no_thread_of_its_own() -> None:
    def outer() -> tuple[int, int]:
        inner = within(5, "no answer", threading.get_ident)
        return threading.get_ident(), inner

    one, other = within(5, "no answer", outer)

    assert one == other != threading.get_ident()


def test_a_fork_in_the_middle_of_a_read_is_an_error_in_the_child() -> None:
    go_on = threading.Event()
    reading = Reading(go_on.wait)

    child = os.fork()
    if child == 0:
        try:
            reading.wait(5, "no answer")
            reading.result()
        except MxioError as error:
            os._exit("forked" in str(error))
        os._exit(2)
    _, status = os.waitpid(child, 0)
    go_on.set()
    reading.wait(5, "no answer")

    assert os.waitstatus_to_exitcode(status) == 1
    assert reading.result() is True
