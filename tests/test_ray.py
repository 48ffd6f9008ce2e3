"""The driver for Ray, against a stand-in; the real one is in tests/integration."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mxio.errors import DataError, MxioError, ParameterError
from mxio.im2rec import pack_list
from mxio.tools.merge import merge
from mxio.tools.pack import pack
from tests.im2rec_files import write_image, write_list


class RayError(Exception):
    """The death of a worker."""


class RayTaskError(RayError):
    """What a task raised is its cause."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause


class Ray:
    """Runs a task when its result is asked for; the last one begun ends first.

    fail: called with the shard before each, to raise what a cluster may.
    """

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, fail: Callable[[int], None]) -> None:
        self._fail = fail
        self.settings: dict[str, Any] = {}
        self.address: object = "never asked for"
        self.most = self.flying = 0
        self.cancelled: list[object] = []

    def is_initialized(self) -> bool:
        return False

    def init(self, address: str | None) -> None:
        self.address = address

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}

    def put(self, value: object) -> object:
        return value

    def remote(self, **settings: Any) -> Callable[[Callable[..., Any]], Any]:
        self.settings = settings

        def of(function: Callable[..., Any]) -> Any:
            def begin(*arguments: Any) -> Any:
                self.flying += 1
                self.most = max(self.most, self.flying)

                def task() -> Any:
                    self._fail(arguments[1])
                    try:
                        return function(*arguments)
                    except Exception as error:
                        raise RayTaskError(error) from None

                return task

            return SimpleNamespace(remote=begin)

        return of

    def wait(self, tasks: list[Any], **_: Any) -> tuple[list[Any], list[Any]]:
        return tasks[-1:], tasks[:-1]

    def get(self, task: Callable[[], Any]) -> Any:
        self.flying -= 1
        return task()

    def cancel(self, task: object) -> None:
        self.cancelled.append(task)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    write_image(tmp_path / "a.jpg")
    lst = write_list(tmp_path, *(f"{number}\t1\ta.jpg" for number in range(40)))
    pack_list(lst, tmp_path, tmp_path / "whole.rec")
    return lst


def install(
    monkeypatch: pytest.MonkeyPatch, fail: Callable[[int], None] = lambda shard: None
) -> Ray:
    ray = Ray(fail)
    monkeypatch.setitem(sys.modules, "ray", ray)
    return ray


def test_tasks_make_the_bytes_of_a_single_run(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = install(monkeypatch)

    report = pack(images, tmp_path, tmp_path / "o.rec", shards=20, ray="auto")

    merge(tmp_path / "o.rec")
    assert (tmp_path / "o.rec").read_bytes() == (tmp_path / "whole.rec").read_bytes()
    assert (tmp_path / "o.idx").read_bytes() == (tmp_path / "whole.idx").read_bytes()
    assert report.packed == 40
    assert (ray.address, ray.most) == (None, 8)  # four for each of two CPUs
    assert ray.settings == {
        "num_cpus": 1,
        "max_retries": 3,
        "retry_exceptions": [OSError],
        "scheduling_strategy": "SPREAD",
    }


def test_a_shard_whose_worker_died_is_tried_once_more(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths = [3, 5]

    def fail(shard: int) -> None:
        if shard in deaths:
            deaths.remove(shard)
            raise RayError("the worker died")

    ray = install(monkeypatch, fail)

    report = pack(images, tmp_path, shards=6, ray="ray://head:1", num_thread=2)

    assert (report.packed, ray.address) == (40, "ray://head:1")
    assert (ray.settings["num_cpus"], ray.most) == (2, 4)


@pytest.mark.parametrize(
    "error", [RayError("it died"), RayTaskError(OSError(28, "No space left"))]
)
def test_shards_that_cannot_be_made_are_named(
    tmp_path: Path,
    images: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    def fail(shard: int) -> None:
        if shard in (2, 4):
            raise error

    install(monkeypatch, fail)

    with pytest.raises(MxioError, match=r"2 of 6 shards .* number 2: .*(died|space)"):
        pack(images, tmp_path, shards=6, ray="auto")

    install(monkeypatch)
    report = pack(images, tmp_path, shards=6, ray="auto", resume=True)
    assert [shard.resumed > 0 for shard in report.shards].count(False) == 2


def test_a_bad_line_ends_all_tasks_where_it_is_to_fail(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = images.read_text().splitlines()
    lines[20] = "20\t1\tmissing.jpg"
    write_list(tmp_path, *lines)
    ray = install(monkeypatch)

    with pytest.raises(DataError, match=r"image\.lst:21: .*missing\.jpg"):
        pack(images, tmp_path, shards=6, ray="auto", on_error="fail")

    assert ray.cancelled


def test_without_ray_the_extra_is_named(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(ParameterError, match=r"pip install 'mxio\[ray\]'"):
        pack(images, tmp_path, shards=2, ray="auto")
