"""InsightFace's loader, identities, and batches of P identities by K images."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxio import DataError, LabelRange, ParameterError, _core
from mxio.adapters.insightface import Identities, IdentityBatches, get_dataloader
from mxio.adapters.numpy import ImageRecordLoader
from tests.conftest import run_python
from tests.face_records import face, face_file, image, pair, write

COUNTS = [3, 1, 5, 2, 4]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 15 faces of 5 identities; keys 1 to 15 are in file order."""
    folder = tmp_path_factory.mktemp("faces")
    face_file(folder, COUNTS)
    return folder


def loader(folder: Path, **options: Any) -> ImageRecordLoader:
    return ImageRecordLoader(
        path_imgrec=folder / "train.rec",
        path_imgidx=folder / "train.idx",
        data_shape=(3, 8, 8),
        batch_size=4,
        **options,
    )


def groups(identities: Identities) -> list[list[int]]:
    return [identities.images(i).tolist() for i in range(len(identities))]


def test_identities_are_ranges_of_keys_and_of_positions(faces: Path) -> None:
    with loader(faces) as batches:
        found = batches.identities

    assert len(found) == 5
    assert found.count.tolist() == COUNTS
    assert found.label.tolist() == [0, 1, 2, 3, 4]
    assert found.range is not None
    assert found.range.tolist() == [[1, 4], [4, 5], [5, 10], [10, 12], [12, 16]]
    assert groups(found)[2] == [4, 5, 6, 7, 8]
    assert repr(found) == "Identities(5 of 15 images)"
    for wrong in (-1, 5):
        with pytest.raises(IndexError, match=f"in \\[0, 4\\], got {wrong}"):
            found.images(wrong)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("header", ["first", "middle", "last"])
def test_identities_are_found_wherever_the_header_is(
    tmp_path: Path, header: str, packed: bool
) -> None:
    face_file(tmp_path, COUNTS, header=header, packed=packed)

    with loader(tmp_path) as batches, loader(tmp_path, path_imglist=None) as again:
        assert groups(batches.identities) == groups(again.identities)
        assert batches.identities.count.tolist() == COUNTS
        assert batches.identities.label.tolist() == [0, 1, 2, 3, 4]


def test_identities_of_a_view_count_its_images_only(faces: Path) -> None:
    with loader(faces, records=[15, 5, 1, 7]) as batches:
        found = batches.identities

    assert found.label.tolist() == [0, 2, 4]
    assert groups(found) == [[2], [1, 3], [0]]
    assert found.range is not None
    assert found.range.tolist() == [[1, 4], [5, 10], [12, 16]]


def test_a_map_style_data_set_is_read_in_batches_of_identities(
    torch: Any, faces: Path
) -> None:
    # It had no identities: only a second loader of the same file told them.
    from mxio.adapters.torch import ImageRecordMapDataset

    dataset = ImageRecordMapDataset(
        path_imgrec=faces / "train.rec", data_shape=(3, 8, 8), label_dtype="int64"
    )
    batches = IdentityBatches(dataset, p=2, k=3)
    given = torch.utils.data.DataLoader(dataset, batch_sampler=batches)

    labels = torch.cat([label.reshape(2, 3) for _, label in given])

    assert dataset.identities.count.tolist() == COUNTS
    assert bool((labels == labels[:, :1]).all())
    assert len(set(labels[:, 0].tolist())) == len(labels) == 4


def test_identities_of_a_plain_file_are_its_labels(tmp_path: Path) -> None:
    labels = [7, 3, 7, 9, 3, 7]
    write(tmp_path, ((i, image(i, float(label))) for i, label in enumerate(labels)))

    with (
        loader(tmp_path) as batches,
        loader(tmp_path, records=LabelRange(3, 8)) as some,
    ):
        assert batches.identities.label.tolist() == [3, 7, 9]
        assert batches.identities.range is None
        assert groups(batches.identities) == [[1, 4], [0, 2, 5], [3]]
        assert groups(some.identities) == [[1, 3], [0, 2, 4]]


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        ((1, 9), "1 to 8"),
        ((0, 3), "0 to 2"),
        ((3, 3), "3 to 2"),
        ((float("nan"), 3), "nan to 2"),
        ((1, float("inf")), "1 to inf"),
        ((1e30, 2e30), "to"),
    ],
)
def test_an_identity_of_images_that_are_not_there_is_damage(
    tmp_path: Path, labels: tuple[float, float], shown: str
) -> None:
    images = [(key, image(key, 0.0)) for key in range(1, 4)]
    write(tmp_path, [*images, (4, pair(4, *labels)), (0, pair(0, 4, 5))])

    with (
        loader(tmp_path) as batches,
        pytest.raises(DataError, match=f"key 4 has the images .*{shown}") as caught,
    ):
        _ = batches.identities

    assert "there are 1 to 3" in str(caught.value)
    assert caught.value.record == 3


def batches_of(identities: Identities, **options: Any) -> list[list[int]]:
    return list(IdentityBatches(identities, **options))


def identities_with(counts: list[int]) -> Identities:
    owner = np.repeat(np.arange(len(counts)), counts)
    mixed = np.random.default_rng(1).permutation(owner)
    return Identities(np.arange(len(counts), dtype=np.float64), mixed)


@settings(max_examples=60)
@given(
    counts=st.lists(st.integers(1, 7), min_size=1, max_size=40),
    p=st.integers(1, 6),
    k=st.integers(1, 9),
    world=st.integers(1, 3),
    seed=st.integers(-(2**62), 2**62),
)
def test_each_step_has_p_other_identities_with_k_images_each(
    counts: list[int], p: int, k: int, world: int, seed: int
) -> None:
    identities = identities_with(counts)
    owner = {x: i for i, group in enumerate(groups(identities)) for x in group}
    if len(counts) < p * world:
        with pytest.raises(ParameterError, match="identities on"):
            IdentityBatches(identities, p, k, world_size=world, rank=0)
        return

    shares = [
        batches_of(identities, p=p, k=k, seed=seed, rank=rank, world_size=world)
        for rank in range(world)
    ]

    assert {len(share) for share in shares} == {len(counts) // (p * world)}
    seen: Counter[int] = Counter()
    for batch in (batch for share in shares for batch in share):
        assert len(batch) == p * k
        for first in range(0, p * k, k):
            some = batch[first : first + k]
            (who,) = {owner[x] for x in some}
            seen[who] += 1
            times = Counter(some).values()
            assert len(times) == min(k, counts[who])
            assert max(times) - min(times) <= 1
    assert set(seen.values()) == {1}


def test_batches_are_a_function_of_seed_and_epoch() -> None:
    identities = identities_with([4] * 60)
    one = IdentityBatches(identities, p=4, k=2, seed=3)
    first, second = list(one), list(one)

    again = IdentityBatches(identities, p=4, k=2, seed=3)
    again.set_epoch(1)

    assert list(again) == second != first
    assert batches_of(identities, p=4, k=2, seed=4) != first
    assert len(one) == 15


def test_all_images_of_an_identity_are_drawn_about_equally_often() -> None:
    identities = identities_with([8] * 6)
    batches = IdentityBatches(identities, p=6, k=2)

    drawn = Counter(x for _ in range(600) for batch in batches for x in batch)

    # 150 expected for each of 48; the variance of a hypergeometric choice is below it.
    assert len(drawn) == 48
    assert max(abs(count - 150) for count in drawn.values()) < 5 * np.sqrt(150)


def test_identities_with_few_images_can_be_left_out() -> None:
    identities = identities_with([1, 5, 2, 6, 3])

    batches = IdentityBatches(identities, p=2, k=3, min_images=3)

    assert len(batches) == 1
    allowed = {x for i in (1, 3, 4) for x in identities.images(i)}
    assert all(set(batch) <= allowed for _ in range(20) for batch in batches)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"p": 0, "k": 1}, "p must be at least 1, got 0"),
        ({"p": 1, "k": 0}, "k must be at least 1, got 0"),
        ({"p": 1, "k": 1, "min_images": 0}, "min_images must be at least 1"),
        ({"p": 1, "k": 1, "seed": 2**63 - 1}, "seed must be at most"),
        ({"p": 1, "k": 1, "rank": 0}, "world_size"),
        ({"p": 6, "k": 1}, "p=6 identities on 1 ranks are more than the 5"),
    ],
)
def test_numbers_without_sense_are_refused(options: Any, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        IdentityBatches(identities_with([2] * 5), **options)


def test_the_core_s_permutation_is_that_of_an_epoch() -> None:
    whole = np.frombuffer(memoryview(_core.permutation(5, 2, 100, 0, 100)), np.uint64)
    part = np.frombuffer(memoryview(_core.permutation(5, 2, 100, 90, 20)), np.uint64)

    assert sorted(whole.tolist()) == list(range(100))
    assert part.tolist() == [*whole[90:].tolist(), *whole[:10].tolist()]
    for count, rows in ((0, 1), (5, -1)):
        with pytest.raises(ValueError, match="count must be above 0"):
            _core.permutation(1, 0, count, 0, rows)


# ---- get_dataloader ----


def expected(key: int) -> float:
    return (float(face(key)[0, 0, 0]) - 127.5) / 127.5


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.fixture
def training(tmp_path: Path) -> Path:
    """50 faces of 8 x 8 of 10 identities, in InsightFace's layout."""
    face_file(tmp_path, [5] * 10)
    return tmp_path


@pytest.mark.parametrize("dali", [False, True])
def test_a_training_loop_of_arcface_torch_gets_its_batches(
    torch: Any, training: Path, dali: bool
) -> None:
    train_loader: Any = get_dataloader(
        str(training), 0, 8, dali, False, seed=7, num_workers=0
    )
    epochs = []

    for epoch in range(2):
        if isinstance(train_loader, torch.utils.data.DataLoader):
            train_loader.sampler.set_epoch(epoch)
        batches = [(img, labels) for _, (img, labels) in enumerate(train_loader)]
        epochs.append(torch.cat([img[:, 0, 0, 0] for img, _ in batches]))
        assert len(batches) == len(train_loader) == 6
        for img, labels in batches:
            assert img.dtype == torch.float32
            assert tuple(img.shape) == (8, 3, 8, 8)
            assert labels.dtype == torch.int64
            for one, label in zip(img, labels, strict=True):
                keys = range(5 * int(label) + 1, 5 * int(label) + 6)
                assert float(one[1, 2, 3]) in [
                    pytest.approx(expected(key), abs=1e-6) for key in keys
                ]
        if dali:
            train_loader.reset()

    assert len(set(epochs[0].tolist())) == 48
    assert epochs[0].tolist() != epochs[1].tolist()


def test_both_loaders_give_the_same_batches_and_workers_change_nothing(
    torch: Any, training: Path
) -> None:
    first, second, third = (
        [
            (img.clone(), labels.tolist())
            for img, labels in get_dataloader(
                str(training), 0, 8, dali=dali, num_workers=workers
            )
        ]
        for dali, workers in ((False, 0), (False, 2), (True, 0))
    )

    for other in (second, third):
        assert [labels for _, labels in other] == [labels for _, labels in first]
        assert all(
            torch.equal(a, b) for (a, _), (b, _) in zip(first, other, strict=True)
        )


def test_set_epoch_chooses_the_epoch(torch: Any, training: Path) -> None:
    def labels(made: Any) -> list[list[int]]:
        return [labels.tolist() for _, labels in made]

    made: Any = get_dataloader(str(training), 0, 8, num_workers=0)
    epochs = [labels(made) for _ in range(3)]
    again: Any = get_dataloader(str(training), 0, 8, num_workers=0)

    again.sampler.set_epoch(2)

    assert labels(again) == epochs[2] != epochs[0]


def test_images_are_mirrored_by_halves_and_red_comes_first(
    torch: Any, tmp_path: Path
) -> None:
    from mxio.recordio import IRHeader, pack
    from tests.conftest import encoded

    half = np.zeros((6, 4, 3), np.uint8)
    half[:, :2] = (255, 0, 51)
    write(
        tmp_path,
        ((i, pack(IRHeader(0, 2.0, i, 0), encoded(half))) for i in range(400)),
    )

    (batch,) = get_dataloader(str(tmp_path), 0, 400, dali=True)

    img, labels = batch
    assert tuple(img.shape) == (400, 3, 6, 4)
    assert set(labels.tolist()) == {2}
    lit = img[:, 0, 0, 0] == 1
    assert 150 < int(lit.sum()) < 250
    np.testing.assert_allclose(img[lit][0, :, 0, 0], [1, -1, -0.6], atol=1e-6)


def test_dali_aug_changes_the_shares_that_arcface_torch_asks_for(
    torch: Any, tmp_path: Path
) -> None:
    from mxio.recordio import IRHeader, pack
    from tests.conftest import encoded, picture

    original = picture(1, 112, 112)
    original[:, 56:] = original[:, 56:][:, ::-1]  # mirrored or not
    original[:, 56:] = original[:, :56][:, ::-1]
    payload = pack(IRHeader(0, 0.0, 0, 0), encoded(original))
    write(tmp_path, ((i, payload) for i in range(300)))
    plain = (original.transpose(2, 0, 1).astype(float) - 127.5) / 127.5

    (batch,) = get_dataloader(str(tmp_path), 0, 300, dali=True, dali_aug=True)
    (without,) = get_dataloader(str(tmp_path), 0, 300, dali=True)
    (ignored,) = get_dataloader(str(tmp_path), 0, 300, dali_aug=True, num_workers=0)

    assert abs(without[0].numpy() - plain).max() < 1e-6
    assert abs(ignored[0].numpy() - plain).max() < 1e-6
    img = batch[0].numpy()
    same = np.abs(img - plain).reshape(300, -1).max(axis=1) < 1e-6
    gray = np.ptp(img, axis=1).reshape(300, -1).max(axis=1) < 1e-6
    # .9 * .8 * .8 * .9 stay as they are, .1 are gray: five standard deviations.
    assert abs(same.mean() - 0.5184) < 5 * np.sqrt(0.25 / 300)
    assert abs(gray.mean() - 0.1) < 5 * np.sqrt(0.09 / 300)


def test_synthetic_is_a_million_times_the_same(torch: Any) -> None:
    made: Any = get_dataloader("synthetic", 0, 100, dali=True, num_workers=0)

    img, labels = next(iter(made))

    assert len(made) == 10_000
    assert tuple(img.shape) == (100, 3, 112, 112)
    assert -1 <= float(img.min()) < float(img.max()) <= 1
    assert torch.equal(img[0], img[99])
    assert labels.tolist() == [1] * 100
    made.reset()


@pytest.mark.parametrize("missing", ["train.rec", "train.idx"])
def test_a_missing_file_says_what_to_do(
    torch: Any, training: Path, missing: str
) -> None:
    (training / missing).unlink()

    with pytest.raises(FileNotFoundError, match="packed by im2rec") as caught:
        get_dataloader(str(training), 0, 8)

    assert caught.value.filename == str(training / missing)


def test_a_first_record_that_is_no_picture_is_named(torch: Any, tmp_path: Path) -> None:
    from mxio.recordio import IRHeader, pack

    write(tmp_path, [(0, pack(IRHeader(0, 1.0, 0, 0), b"no picture"))])

    with pytest.raises(DataError, match="record 0 is neither JPEG nor PNG"):
        get_dataloader(str(tmp_path), 0, 1)


def test_nothing_of_torch_is_imported_for_identities(faces: Path) -> None:
    program = (
        "import sys; from mxio.adapters.insightface import IdentityBatches;"
        "print('torch' in sys.modules)"
    )

    assert run_python(program).stdout == "False\n"


def test_a_stand_in_device_gets_every_batch_in_order(
    torch: Any, training: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mxio.adapters.torch import _device, _faces

    class Sending(_device.Copies):
        """Counts how far copies are ahead of what was received."""

        def __init__(self, device: Any) -> None:
            super().__init__(torch.device("cpu"))
            self.ahead: list[int] = []
            self.sent = self.received = 0

        def send(self, item: Any) -> _device.Sent:
            self.sent += 1
            return super().send(item)

        def receive(self, sent: _device.Sent) -> Any:
            self.received += 1
            self.ahead.append(self.sent - self.received)
            return super().receive(sent)

    made: list[Sending] = []
    plain: Callable[[int], Any] = _faces.device_of
    expected_labels = [
        labels.tolist() for _, labels in get_dataloader(str(training), 0, 8)
    ]

    def sending(device: Any) -> Sending:
        made.append(Sending(device))
        return made[-1]

    monkeypatch.setattr(_faces, "Copies", sending)
    monkeypatch.setattr(_faces, "device_of", lambda rank: torch.device("meta"))

    found = [labels.tolist() for _, labels in get_dataloader(str(training), 0, 8)]

    assert plain(0).type in ("cpu", "cuda")
    assert found == expected_labels
    assert made[0].ahead == [1, 1, 1, 1, 1, 0]
