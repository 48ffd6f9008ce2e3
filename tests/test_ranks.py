"""Which share of an epoch a process has, and who says so."""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from mxio._ranks import announce, fill_rank
from mxio.adapters.numpy import ImageRecordLoader
from mxio.errors import ParameterError
from tests.conftest import DataSet, run_python


class FakeMesh(NamedTuple):
    """A DeviceMesh as far as it is asked."""

    mesh_dim_names: tuple[str, ...] | None
    shape: tuple[int, ...]
    coordinate: Sequence[int] | None

    def get_coordinate(self) -> Sequence[int] | None:
        return self.coordinate


def found(**given: Any) -> tuple[int, int, str]:
    """(rank, world_size, source) of the arguments; those two are options."""
    options: dict[str, Any] = {}
    for name in ("rank", "world_size"):
        if name in given:
            options[name] = given.pop(name)
    source = fill_rank(options, **given)
    return options["rank"], options["world_size"], source


# ---- one source after the other ----


def test_alone_it_is_one_process() -> None:
    assert found() == (0, 1, "nothing: one process")


def test_the_environment_says_who_this_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "5")

    assert found() == (3, 5, "RANK and WORLD_SIZE")


def test_what_is_given_comes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "5")

    assert found(rank=1, world_size=2) == (1, 2, "rank and world_size")
    assert found(mesh=FakeMesh(("dp",), (4,), [2]))[:2] == (2, 4)


# ---- meshes ----


@pytest.mark.parametrize(
    ("names", "shape", "coordinate", "expected"),
    [
        (None, (4,), [3], (3, 4)),
        (("dp",), (4,), [3], (3, 4)),
        (("fsdp",), (2,), [1], (1, 2)),
        (("dp", "tp"), (2, 4), [1, 3], (1, 2)),
        (("dp_replicate", "dp_shard"), (2, 3), [1, 2], (5, 6)),
        (("replicate", "shard"), (2, 3), [1, 0], (3, 6)),
        (
            ("pp", "dp_replicate", "cp", "dp_shard", "tp"),
            (2, 3, 2, 5, 2),
            [1, 2, 0, 4, 1],
            (14, 15),  # place 2 of 3 and 4 of 5, the last fastest: 2 * 5 + 4
        ),
        (("tp",), (4,), [3], (0, 1)),
    ],
)
def test_data_parallel_dimensions_of_a_mesh_count(
    names: tuple[str, ...] | None,
    shape: tuple[int, ...],
    coordinate: list[int],
    expected: tuple[int, int],
) -> None:
    assert found(mesh=FakeMesh(names, shape, coordinate))[:2] == expected


def test_peers_along_other_dimensions_have_the_same_share() -> None:
    places = [(dp, tp) for dp in range(2) for tp in range(3)]

    shares = [found(mesh=FakeMesh(("dp", "tp"), (2, 3), place)) for place in places]

    assert [share[:2] for share in shares] == [(0, 2)] * 3 + [(1, 2)] * 3
    assert shares[0][2] == "mesh, dimensions dp"


def test_other_names_can_be_said_to_be_data_parallel() -> None:
    mesh = FakeMesh(("hosts", "dp", "experts"), (2, 3, 4), [1, 2, 3])

    assert found(mesh=mesh, dp_dims=("hosts", "experts"))[:2] == (7, 8)
    assert found(mesh=mesh, dp_dims="hosts")[:2] == (1, 2)


@pytest.mark.parametrize(
    ("mesh", "more", "words"),
    [
        (FakeMesh(("dp", "ep"), (2, 2), [0, 0]), {}, "'ep': data-parallel are dp,"),
        (FakeMesh(None, (2, 2), [0, 0]), {}, "2 dimensions without names"),
        (FakeMesh(None, (2,), [0]), {"dp_dims": ["dp"]}, "without names"),
        (FakeMesh(("dp",), (2,), None), {}, "this process is not in mesh"),
        (FakeMesh(("dp",), (2,), [0]), {"dp_dims": ["tp"]}, "dp_dims names 'tp'"),
    ],
)
def test_a_mesh_that_leaves_a_doubt_is_refused(
    mesh: FakeMesh, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(ParameterError, match=words):
        found(mesh=mesh, **more)


# ---- contradictions ----


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"rank": 0, "world_size": 1, "mesh": FakeMesh(("dp",), (2,), [0])},
            "only one of rank and world_size, mesh",
        ),
        (
            {"process_group": object(), "mesh": FakeMesh(("dp",), (2,), [0])},
            "only one of mesh, process_group",
        ),
        ({"rank": 0, "process_group": object()}, "only one of"),
        ({"dp_dims": ["dp"]}, "mesh=, which is not given"),
        ({"rank": 0}, "rank is given without world_size"),
        ({"world_size": 2}, "world_size is given without rank"),
        ({"rank": 2, "world_size": 2}, r"\[0, 1\], got 2"),
    ],
)
def test_what_contradicts_itself_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        found(**given)


def test_what_is_no_mesh_or_has_no_group_is_refused() -> None:
    # "'str' object has no attribute 'shape'", and words of torch's own.
    mesh: Any = "dp"
    with pytest.raises(TypeError, match=r"mesh must be a DeviceMesh, got 'dp' \(str\)"):
        found(mesh=mesh)
    pytest.importorskip("torch")
    with pytest.raises(ParameterError, match="process_group is given, but"):
        found(process_group="dp")


def test_half_an_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")

    with pytest.raises(ParameterError, match="WORLD_SIZE is given without RANK"):
        found()


def test_a_worker_cannot_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    # There torch.distributed is not initialised: it would read everything.
    with pytest.raises(ParameterError, match="inside a DataLoader worker"):
        found(in_worker=True)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")

    assert found(in_worker=True)[:2] == (1, 2)


# ---- the log ----


@pytest.mark.parametrize(("rank", "level"), [(0, "INFO"), (1, "DEBUG")])
def test_one_line_says_who_this_is(
    ten: DataSet, caplog: pytest.LogCaptureFixture, rank: int, level: str
) -> None:
    caplog.set_level(logging.DEBUG, "mxio")
    options = {"rank": rank, "world_size": 2}

    announce(options, "mesh, dimensions dp", "10 records, 2 batches an epoch")

    assert caplog.record_tuples == [
        (
            "mxio",
            logging.getLevelNamesMapping()[level],
            f"rank {rank} of 2 (from mesh, dimensions dp):"
            " 10 records, 2 batches an epoch",
        )
    ]


# ---- the real thing ----

GLOO = """
import logging, os, sys
import torch, torch.distributed as dist
import torch.multiprocessing as mp
from torch.distributed.device_mesh import init_device_mesh
from mxio.adapters.numpy import ImageRecordLoader
from mxio.adapters.torch import Loader

def records(face, **how):
    given = dict(path_imgrec=sys.argv[1], data_shape=(3, 8, 8), batch_size=5)
    return [int(n) for batch in face(**given, **how) for n in tuple(batch)[1]]

def main(rank):
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    dist.init_process_group("gloo", f"file://{sys.argv[2]}", rank=rank, world_size=2)
    pair = dist.new_group([0, 1])
    alone = dist.new_group([rank], use_local_synchronization=True)
    mesh = init_device_mesh("cpu", (2, 1), mesh_dim_names=("tp", "dp"))
    seen = [
        records(ImageRecordLoader), records(Loader),
        records(Loader, process_group=pair), records(Loader, process_group=alone),
        records(Loader, mesh=mesh["tp"]),
    ]
    dist.barrier()
    assert seen[0] == seen[1] == seen[2] == list(range(5 * rank, 5 * rank + 5)), seen
    assert seen[3] == seen[4] == list(range(10)), seen
    sys.stdout.flush()
    os._exit(0)  # as to the end of gloo, see tests/test_pytorch_page.py

mp.start_processes(main, nprocs=2, start_method="fork")
"""


def test_ranks_of_a_real_process_group_and_mesh(ten: DataSet, tmp_path: Any) -> None:
    pytest.importorskip("torch", reason="needs torch")

    done = run_python(
        GLOO, ten.rec, tmp_path / "store", warnings="default", timeout=180
    )

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "rank 0 of 2 (from torch.distributed): 10 records, 1 batches an epoch" in (
        lines
    )
    assert "rank 0 of 2 (from process_group): 10 records, 1 batches an epoch" in lines
    assert not [line for line in lines if line.startswith("rank 1 ")]


def test_the_numpy_face_finds_the_same_rank(
    ten: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    loader = ImageRecordLoader(path_imgrec=ten.rec, data_shape=(3, 8, 8), batch_size=5)

    seen = [label.tolist() for _, label in loader]

    assert seen == [[5, 6, 7, 8, 9]]
