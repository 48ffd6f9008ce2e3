"""Batches on their way to a device, with a stand-in for one that has streams."""

from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mxio.errors import DataError
from tests.conftest import DataSet, encoded, picture, record, write_rec

torch = pytest.importorskip("torch", reason="needs torch")

from mxio.adapters.torch import Loader, _device  # noqa: E402
from mxio.adapters.torch._device import Copies  # noqa: E402


class Pair(NamedTuple):
    """A named tuple keeps its type."""

    data: Any
    label: Any


class Streams:
    """What torch.cuda has: it writes down what is asked of it, in order."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.copies = 0

    def Stream(self, device: Any) -> Any:
        self.calls.append(("stream made", str(device)))
        return "side"

    @contextmanager
    def stream(self, stream: str) -> Any:
        self.calls.append(("enter", stream))
        yield
        self.calls.append(("leave", stream))

    def Event(self) -> Any:
        number, streams = self.copies, self
        self.copies += 1

        class Event:
            def record(self, stream: str) -> None:
                streams.calls.append(("record", number, stream))

        event = Event()
        event.number = number  # type: ignore[attr-defined]
        return event

    def current_stream(self, device: Any) -> Any:
        streams = self

        class Current:
            def wait_event(self, event: Any) -> None:
                streams.calls.append(("wait", event.number))

        return Current()


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Streams:
    """The device "meta" has streams: its tensors have shapes and no values."""
    made = Streams()
    monkeypatch.setattr(_device, "streams_of", lambda device: made)
    monkeypatch.setattr(
        torch.Tensor,
        "record_stream",
        lambda self, stream: made.calls.append(("used here", tuple(self.shape))),
    )
    return made


def test_a_copy_is_ordered_on_its_own_stream_and_waited_for_by_the_other(
    streams: Streams,
) -> None:
    copies = Copies(torch.device("meta"))

    sent = copies.send((torch.zeros(2, 3), {"label": torch.zeros(2)}, "name"))
    data, rest, name = copies.receive(sent)

    assert streams.calls == [
        ("stream made", "meta"),
        ("enter", "side"),
        ("record", 0, "side"),
        ("leave", "side"),
        ("wait", 0),
        ("used here", (2, 3)),
        ("used here", (2,)),
    ]
    assert (data.device.type, rest["label"].device.type, name) == (
        "meta",
        "meta",
        "name",
    )


def test_the_next_batch_is_ordered_before_this_one_is_given(
    ten: DataSet, streams: Streams
) -> None:
    given = Loader(
        path_imgrec=ten.rec, data_shape=(3, 8, 8), batch_size=5, device="meta"
    )

    batches = iter(given)
    data, label = next(batches)

    assert (data.device.type, label.device.type) == ("meta", "meta")
    order = [call[:2] for call in streams.calls if call[0] in ("record", "wait")]
    assert order == [("record", 0), ("wait", 0), ("record", 1)]
    assert len(list(batches)) == 1


def test_the_state_counts_batches_given_not_those_on_their_way(
    ten: DataSet, streams: Streams
) -> None:
    options: dict[str, Any] = {"path_imgrec": ten.rec, "data_shape": (3, 8, 8)}
    given = Loader(**options, batch_size=3, device="meta")
    batches = iter(given)

    done = []
    for _ in range(4):
        next(batches)
        done.append(given.state_dict()["samples"])
    assert next(batches, None) is None

    assert done == [3, 6, 9, 10]
    assert (given.state_dict()["epoch"], given.state_dict()["samples"]) == (1, 0)


def test_a_failure_ahead_waits_for_its_turn(tmp_path: Path, streams: Streams) -> None:
    payloads = [record(encoded(picture(i, 8, 8)), float(i)) for i in range(6)]
    payloads[3] = record(b"bad")
    rec, _, _ = write_rec(tmp_path, payloads)
    given = Loader(path_imgrec=rec, data_shape=(3, 8, 8), batch_size=2, device="meta")

    batches = iter(given)
    next(batches)

    with pytest.raises(DataError, match="record 3"):
        next(batches)
    assert len(list(batches)) == 1


def test_ctrl_c_while_the_next_batch_is_made_costs_none(
    ten: DataSet, streams: Streams
) -> None:
    # The batch in hand was counted, and never given: a resumed run left it out.
    calls = iter([None, KeyboardInterrupt(), None, None])

    def interrupted(data: Any, label: Any) -> tuple[int, int]:
        if error := next(calls):
            raise error
        return tuple(label.tolist())

    options: dict[str, Any] = {"path_imgrec": ten.rec, "data_shape": (3, 8, 8)}
    given = Loader(**options, batch_size=3, device="meta", transform=interrupted)
    batches = iter(given)

    with pytest.raises(KeyboardInterrupt):
        next(batches)

    assert given.state_dict()["samples"] == 0
    assert next(batches) == (0, 1, 2)


def test_devices_without_streams_get_their_batches_all_the_same(ten: DataSet) -> None:
    given = Loader(
        path_imgrec=ten.rec, data_shape=(3, 8, 8), batch_size=5, device="meta"
    )

    shapes = [(data.device.type, tuple(data.shape)) for data, _ in given]

    assert shapes == [("meta", (5, 3, 8, 8))] * 2


def test_containers_keep_their_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self + 1)
    item = Pair([torch.zeros(1)], (torch.ones(1), None))

    pinned = _device.pinned(item)

    assert pinned == Pair([torch.ones(1)], (torch.ones(1) + 1, None))
    assert isinstance(pinned, Pair)


def test_batches_are_pinned_before_they_are_sent(
    ten: DataSet, streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pin(self: Any) -> Any:
        streams.calls.append(("pinned", tuple(self.shape)))
        return self

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    given = Loader(
        path_imgrec=ten.rec, data_shape=(3, 8, 8), batch_size=5, device="meta"
    )

    next(iter(given))

    assert [call[0] for call in streams.calls[:5]] == [
        "stream made",
        "pinned",
        "pinned",
        "enter",
        "record",
    ]
