"""The number of cores: affinity, bounded by the quota of the control group."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mxio import _cores
from mxio._cores import cores
from tests.conftest import DataSet, iterator
from tests.threads import settled

Group = Callable[[str, str], None]


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Group:
    """A control group file system that holds the files written to it; 8 cores."""
    monkeypatch.setattr(_cores, "_CGROUP", tmp_path)
    monkeypatch.setattr(_cores, "_MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)

    def write(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    return write


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("max 100000", 8),
        ("50000 100000", 1),
        ("100000 100000", 1),
        ("150000 100000", 2),
        ("400000 100000", 4),
        ("9900000 100000", 8),
        ("1000 100000", 1),
        ("nonsense", 8),
    ],
)
def test_a_quota_of_version_2_bounds_the_cores(
    group: Group, limit: str, expected: int
) -> None:
    group("cpu.max", f"{limit}\n")

    count = cores()

    assert count == expected


@pytest.mark.parametrize(
    ("quotas", "expected"),
    [
        ({"a/b": "300000 100000"}, 3),
        ({"a": "300000 100000"}, 3),
        ({"": "300000 100000"}, 3),
        ({"a/b": "500000 100000", "a": "200000 100000", "": "max 100000"}, 2),
        ({"a/c": "100000 100000"}, 8),
    ],
)
def test_the_tightest_of_the_groups_around_the_process_counts(
    group: Group, quotas: dict[str, str], expected: int
) -> None:
    # Only the root was looked at, where systemd's services have no quota.
    group("membership", "1:name=systemd:/elsewhere\n0::/a/b\n")
    for name, quota in quotas.items():
        group(f"{name}/cpu.max" if name else "cpu.max", quota)

    count = cores()

    assert count == expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", 8), ("300000", 3), ("x", 8)])
def test_a_quota_of_version_1_bounds_the_cores(
    group: Group, quota: str, expected: int
) -> None:
    group("cpu/cpu.cfs_quota_us", f"{quota}\n")
    group("cpu/cpu.cfs_period_us", "100000\n")

    count = cores()

    assert count == expected


def test_without_a_quota_the_affinity_counts(group: Group) -> None:
    count = cores()

    assert count == 8


def test_systems_without_affinity_count_all_cores(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)

    count = cores()

    assert count == 1


def threads_of_this_process() -> set[str]:
    return set(os.listdir("/proc/self/task"))


@pytest.mark.parametrize("asked", [1, 3, 20])
def test_the_number_of_threads_asked_for_is_the_number_used(
    ten: DataSet, asked: int
) -> None:
    before = threads_of_this_process()
    batches = iterator(ten, preprocess_threads=asked)

    constructed = settled(lambda: len(threads_of_this_process() - before), 0)
    batches.next()

    assert constructed == 0
    assert len(threads_of_this_process() - before) == asked
    batches.close()


def test_zero_threads_stand_for_every_core(
    ten: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mxio.loader.cores", lambda: 5)
    before = threads_of_this_process()
    batches = iterator(ten)

    batches.next()

    assert settled(lambda: len(threads_of_this_process() - before), 5) == 5
    batches.close()
