"""Files that are long in the making: journal, names, locks."""

import errno
import json
import os
from contextlib import closing
from pathlib import Path

import pytest

from mxio._draft import Draft
from mxio.errors import MxioError, ParameterError


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def abandon(draft: Draft) -> None:
    """Let go of the files as a killed process does."""
    os.close(draft._journal)
    for part in draft._parts:
        os.close(part)
    draft._journal, draft._parts = -1, []


def new(folder: Path, identity: str = "x") -> Draft:
    return Draft([str(folder / "a.rec"), str(folder / "a.idx")], identity)


def test_files_have_their_names_only_when_published(tmp_path: Path) -> None:
    (tmp_path / "a.rec").write_bytes(b"old")
    (tmp_path / "a.idx").write_bytes(b"old index")
    with closing(new(tmp_path)) as draft:
        draft.begin()
        draft.append(0, b"new")
        draft.append(1, b"new index")
        before = files(tmp_path)
        draft.publish(None)

    assert before["a.rec"] == b"old"
    assert before["a.idx"] == b"old index"
    assert files(tmp_path) == {"a.rec": b"new", "a.idx": b"new index"}


def test_without_a_checkpoint_nothing_stays(tmp_path: Path) -> None:
    with closing(new(tmp_path)) as draft:
        draft.begin()
        draft.append(0, b"new")

    assert files(tmp_path) == {}


def test_a_killed_run_goes_on_at_its_last_checkpoint(tmp_path: Path) -> None:
    draft = new(tmp_path)
    draft.begin()
    draft.append(0, b"one")
    draft.append(1, b"1")
    draft.checkpoint({"done": 1})
    draft.append(0, b"torn off")
    abandon(draft)

    with closing(new(tmp_path)) as again:
        again.resume()
        state, sizes = again.state, list(again.sizes)
        again.append(0, b", two")
        again.append(1, b"2")
        again.publish(None)

    assert (state, sizes) == ({"done": 1}, [3, 1])
    assert files(tmp_path) == {"a.rec": b"one, two", "a.idx": b"12"}


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_torn_line_of_the_journal_was_not_written(tmp_path: Path, cut: int) -> None:
    draft = new(tmp_path)
    draft.begin()
    for text in (b"one", b"two"):
        draft.append(0, text)
        draft.checkpoint(text.decode())
    abandon(draft)
    journal = tmp_path / "a.rec.journal"
    journal.write_bytes(journal.read_bytes()[:-cut])

    with closing(new(tmp_path)) as again:
        again.resume()
        state, sizes = again.state, list(again.sizes)
        again.checkpoint("three")

    assert (state, sizes) == ("one", [3, 0])
    assert files(tmp_path)["a.rec.partial"] == b"one"
    lines = journal.read_text().splitlines()
    assert [json.loads(line).get("state") for line in lines] == [None, "one", "three"]


def test_a_checkpoint_whose_bytes_are_lost_does_not_count(tmp_path: Path) -> None:
    draft = new(tmp_path)
    draft.begin()
    for text in (b"one", b"two"):
        draft.append(0, text)
        draft.checkpoint(text.decode())
    abandon(draft)
    os.truncate(tmp_path / "a.rec.partial", 5)

    with closing(new(tmp_path)) as again:
        again.resume()
        assert (again.state, again.sizes) == ("one", [3, 0])


@pytest.mark.parametrize("journal", [b"", b"\0\0\0\0", b"[1]\n", b'{"identity": "x"'])
def test_a_journal_without_a_line_begins_anew(tmp_path: Path, journal: bytes) -> None:
    (tmp_path / "a.rec.journal").write_bytes(journal)
    (tmp_path / "a.rec.partial").write_bytes(b"what")

    with closing(new(tmp_path)) as draft:
        draft.resume()
        assert draft.state is None
        draft.append(0, b"new")
        draft.publish(None)

    assert files(tmp_path) == {"a.rec": b"new", "a.idx": b""}


def test_the_work_of_another_run_is_left_alone(tmp_path: Path) -> None:
    draft = new(tmp_path, "one list")
    draft.begin()
    draft.checkpoint(1)
    abandon(draft)
    before = files(tmp_path)

    with (
        closing(new(tmp_path, "another")) as again,
        pytest.raises(ParameterError, match=r"a\.rec: the interrupted run had another"),
    ):
        again.resume()

    assert files(tmp_path) == before


@pytest.mark.parametrize("renamed", [0, 1, 2])
def test_a_run_killed_while_it_gave_names_has_them_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renamed: int
) -> None:
    (tmp_path / "a.rec").write_bytes(b"old")
    (tmp_path / "a.idx").write_bytes(b"old index")
    draft = new(tmp_path)
    draft.begin()
    draft.append(0, b"new")
    draft.append(1, b"new index")
    replace = os.replace
    calls: list[str] = []

    def killed(source: str, target: str) -> None:
        if len(calls) == renamed:
            raise KeyboardInterrupt
        calls.append(target)
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        if renamed < 2:
            with pytest.raises(KeyboardInterrupt):
                draft.publish("done")
        else:
            draft.publish("done")
    abandon(draft)
    between = files(tmp_path)

    with closing(new(tmp_path)) as again:
        again.resume()
        assert (again.state, again.published) == ("done", True)
        assert b"".join(again.chunks(1)) == b"new index"

    assert between.get("a.idx") != b"old index"  # never beside the new file
    assert files(tmp_path) == {"a.rec": b"new", "a.idx": b"new index"}


def test_what_was_published_and_then_changed_is_made_again(tmp_path: Path) -> None:
    draft = new(tmp_path)
    draft.begin()
    draft.append(0, b"new")
    draft.publish("done")
    abandon(draft)
    (tmp_path / "a.rec").write_bytes(b"something else")

    with closing(new(tmp_path)) as again:
        again.resume()
        assert (again.state, again.published) == (None, False)


def test_two_runs_do_not_write_the_same_files(tmp_path: Path) -> None:
    with closing(new(tmp_path)) as draft:
        draft.begin()
        draft.append(0, b"mine")
        with pytest.raises(MxioError, match=r"a\.rec: another run is writing"):
            new(tmp_path)
        draft.publish(None)

    assert files(tmp_path) == {"a.rec": b"mine", "a.idx": b""}


def test_a_journal_removed_while_it_was_waited_for_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    lock = fcntl.flock
    removed: list[bool] = []

    def late(descriptor: int, operation: int) -> None:
        if not removed:
            removed.append(True)
            os.unlink(tmp_path / "a.rec.journal")
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with closing(new(tmp_path)) as draft:
        draft.begin()

        assert (tmp_path / "a.rec.journal").exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    import fcntl

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with closing(new(tmp_path)) as draft:
        draft.begin()
        draft.publish(None)

    assert files(tmp_path) == {"a.rec": b"", "a.idx": b""}


def test_a_folder_or_a_device_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.idx").mkdir()

    with pytest.raises(IsADirectoryError, match=r"a\.idx"):
        new(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["a.idx"]


def test_a_link_keeps_standing_for_its_file(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "a.rec").symlink_to(tmp_path / "disk" / "real.rec")

    with closing(new(tmp_path)) as draft:
        draft.begin()
        draft.append(0, b"new")
        draft.publish(None)

    assert (tmp_path / "a.rec").is_symlink()
    assert (tmp_path / "disk" / "real.rec").read_bytes() == b"new"


@pytest.mark.parametrize("identity", ["x", "another"])
def test_clearing_removes_only_what_is_of_the_same_identity(
    tmp_path: Path, identity: str
) -> None:
    draft = new(tmp_path, identity)
    draft.begin()
    draft.checkpoint(1)
    abandon(draft)

    with closing(new(tmp_path, "x")) as again:
        again.clear()

    assert bool(files(tmp_path)) == (identity == "another")
