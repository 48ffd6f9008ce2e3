"""mxio.bench and mxio.doctor: what they measure and find, and what they say."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mxio
from mxio import _cores
from mxio.cli import main
from mxio.errors import DataError, ParameterError
from mxio.tools._cache import cached_share
from mxio.tools.bench import Rate, explain
from mxio.tools.doctor import FileState, advice_for
from tests.conftest import DataSet, encoded, picture, record, write_rec

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


# bench.


def test_bench_measures_what_it_is_asked_for(photos: DataSet) -> None:
    report = mxio.bench(
        photos.rec, threads=[1, 2], seconds=0.02, batch_size=8, data_shape=(3, 32, 32)
    )

    assert (report.records, report.bytes) == (37, photos.rec.stat().st_size)
    assert [rate.threads for rate in report.rates] == [1, 2]
    assert all(rate.loader > 0 and rate.decode > 0 for rate in report.rates)
    assert report.read_rate > 0
    pixels = [image.shape[0] * image.shape[1] for image in photos.pixels]
    assert report.picture_pixels == pytest.approx(sum(pixels) / 37)
    assert report.cores == _cores.cores()


def test_bench_tries_doublings_up_to_the_cores(
    ten: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_cores, "cores", lambda: 6)

    report = mxio.bench(ten.rec, seconds=0.001, data_shape=(3, 8, 8), batch_size=4)

    assert [rate.threads for rate in report.rates] == [1, 2, 4, 6]


@pytest.mark.parametrize(
    ("rates", "cores", "read", "word", "said"),
    [
        ([(1, 900, 1000), (2, 1800, 2000)], 2, 1e9, "decoding", "90% of what plain"),
        ([(2, 500, 2000)], 2, 1e9, "augmentation", "4.0 times as fast"),
        ([(2, 1900, 2000)], 8, 1e9, "threads", "there are 8 cores, and at most 2"),
        ([(2, 1900, 2000)], 2, 200e6, "reading", "190 of 200 MB/s"),
        ([(1, 990, 1000), (8, 900, 1000)], 8, 1e9, "decoding", "99% of"),
    ],
)
def test_bench_says_what_limits(
    rates: list[tuple[int, float, float]],
    cores: int,
    read: float,
    word: str,
    said: str,
) -> None:
    limit, why = explain([Rate(*rate) for rate in rates], cores, read, 1e5)

    assert limit == word
    assert said in why


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"threads": []}, r"threads must be in \[1, 1024\], got 0"),
        ({"threads": [1, 2000]}, r"threads must be in \[1, 1024\], got 2000"),
        ({"seconds": 0}, r"seconds must be in \(0, 3600\], got 0"),
        ({"batch_size": 0}, "batch_size must be in"),
        ({"data_shape": (2, 8, 8)}, "data_shape"),
    ],
)
def test_bench_tells_a_wrong_argument(
    ten: DataSet, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ParameterError, match=said):
        mxio.bench(ten.rec, **options)


def test_bench_names_a_damaged_record(tmp_path: Path) -> None:
    good = record(encoded(picture(1, 9, 9)))
    rec, _, _ = write_rec(tmp_path, [good, record(b"no picture"), good])

    with pytest.raises(DataError, match="record 1") as caught:
        mxio.bench(rec, seconds=0.01)

    assert caught.value.record == 1


def test_bench_names_a_cut_record_once(tmp_path: Path) -> None:
    # File and record were told twice in a row.
    good = record(encoded(picture(1, 9, 9)))
    rec, _, _ = write_rec(tmp_path, [good, good])
    rec.write_bytes(rec.read_bytes()[:-40])

    with pytest.raises(DataError) as caught:
        mxio.bench(rec, seconds=0.01)

    assert str(caught.value).count("record 1") == 1


def test_the_command_bench_prints_a_table_or_json(
    photos: DataSet, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "bench",
        str(photos.rec),
        "--seconds=0.01",
        "--threads=1,2",
        "--data-shape=(3,16,16)",
        "--batch-size=4",
    ]

    codes = [main(words)]
    text = capsys.readouterr().out
    codes.append(main([*words, "--json"]))

    report = json.loads(capsys.readouterr().out)
    assert codes == [0, 0]
    assert "limited by" in text
    assert [rate["threads"] for rate in report["rates"]] == [1, 2]
    assert main(["bench", str(photos.rec), "--threads=one"]) == 2


# doctor.


def test_doctor_finds_this_machine(ten: DataSet) -> None:
    report = mxio.doctor([ten.rec])

    assert report.features == mxio.features()
    assert report.cores_used == _cores.cores()
    assert report.packages["numpy"] is not None
    assert report.packages["opencv-python-headless"] is not None
    assert [file.path for file in report.paths] == [str(ten.rec)]
    assert report.paths[0].bytes == ten.rec.stat().st_size


@on_linux
def test_doctor_reads_the_limits_of_the_control_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_cores, "_CGROUP", tmp_path)
    monkeypatch.setattr(_cores, "_MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    (tmp_path / "membership").write_text("0::/job/7\n")
    (tmp_path / "job/7").mkdir(parents=True)
    (tmp_path / "job/cpu.max").write_text("250000 100000\n")
    (tmp_path / "job/memory.max").write_text("3000000000\n")
    (tmp_path / "job/7/memory.max").write_text("max\n")

    report = mxio.doctor()

    assert (report.cores_affinity, report.cores_quota, report.cores_used) == (8, 2.5, 3)
    assert report.memory_limit == 3_000_000_000


@on_linux
def test_the_limit_of_version_1_is_read_and_its_no_limit_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_cores, "_CGROUP", tmp_path)
    monkeypatch.setattr(_cores, "_MEMBERSHIP", tmp_path / "absent")
    (tmp_path / "memory").mkdir()
    limit = tmp_path / "memory/memory.limit_in_bytes"

    limit.write_text("2000000000\n")
    limited = mxio.doctor().memory_limit
    limit.write_text("9223372036854771712\n")
    unlimited = mxio.doctor().memory_limit

    assert (limited, unlimited) == (2_000_000_000, None)


def test_doctor_gives_advice_where_something_is_wrong() -> None:
    fine = replace(
        mxio.doctor(),
        processor_flags=["avx2"],
        features={"simd": "avx2"},
        cores_total=8,
        cores_used=8,
        memory_total=64 * 10**9,
        memory_limit=None,
        files_limit=65536,
        shared_memory_free=32 * 10**9,
        packages={"torch": "2.0"},
        paths=[FileState("warm.rec", 10, "ext4", 1.0)],
    )
    worse = replace(
        fine,
        features={"simd": "scalar"},
        cores_used=3,
        memory_limit=2 * 10**9,
        files_limit=256,
        shared_memory_free=64 * 10**6,
        paths=[FileState("cold.rec", 10, "ext4", 0.1)],
    )

    arm = replace(worse, processor_flags=["asimd"])

    assert advice_for(fine) == []
    assert advice_for(arm)[0].startswith("the kernels run without NEON")
    advice = "\n".join(advice_for(worse))
    for said in (
        "without AVX2",
        "may use 3 of 8 cores",
        "allows 2.0 GB of memory",
        "only 256 files may be open",
        "/dev/shm has 64 MB",
        "cold.rec is not in memory",
    ):
        assert said in advice


def test_doctor_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        mxio.doctor([tmp_path / "absent"])

    assert caught.value.filename == str(tmp_path / "absent")


def test_doctor_does_not_wait_for_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(OSError, match="not a plain file"):
        mxio.doctor([tmp_path / "pipe"])


def test_the_command_doctor_prints_text_or_json(
    ten: DataSet, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = [main(["doctor", str(ten.rec)])]
    text = capsys.readouterr().out
    codes.append(main(["doctor", str(ten.rec), "--json"]))

    report = json.loads(capsys.readouterr().out)
    assert codes == [0, 0]
    assert mxio.features()["jpeg"] in text
    assert f"{ten.rec}: " in text
    assert report["features"] == mxio.features()
    assert main(["doctor", str(ten.rec) + "absent"]) == 4


@on_linux
def test_what_was_just_read_is_in_memory_and_what_was_dropped_is_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(1 << 20))
    descriptor = os.open(path, os.O_RDWR)
    os.fsync(descriptor)
    path.read_bytes()

    warm = cached_share([str(path)])
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    cold = cached_share([str(path)])
    os.close(descriptor)

    if cold == 1.0:
        pytest.skip("this file system keeps files in memory")
    assert warm == 1.0
    assert cold == 0.0


def test_an_empty_file_has_no_share(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")

    assert cached_share([str(tmp_path / "empty")]) is None
