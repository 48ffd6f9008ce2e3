"""InsightFace's layout is recognised, and nothing else is taken for it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mxio import DataError, LabelRange, ParameterError, _faces
from mxio._scan import Records
from mxio._views import settle
from mxio.adapters.numpy import ImageRecordLoader
from tests.conftest import encoded, epoch_ids, record, write_rec
from tests.face_records import face_file, image, pair, write

Paths = tuple[Path, Path]


def keys(paths: Paths, **options: Any) -> list[int]:
    """Keys of one epoch; ids are keys in these files."""
    rec, idx = paths
    given: dict[str, Any] = {
        "path_imgidx": idx,
        "data_shape": (3, 8, 8),
        "batch_size": 4,
    } | options
    with ImageRecordLoader(path_imgrec=rec, **given) as batches:
        found = epoch_ids(batches)
        assert len(batches) == -(-len(found) // 4)
    return found


@pytest.mark.parametrize("header", ["last", "middle", "first"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("indexed", [False, True])
def test_only_images_are_read_from_insightface_s_layout(
    tmp_path: Path, header: str, packed: bool, indexed: bool
) -> None:
    paths = face_file(tmp_path, [3, 1, 5], header=header, packed=packed)
    index = {} if indexed else {"path_imgidx": None}

    assert keys(paths, **index) == list(range(1, 10))
    assert keys(paths, record_layout="insightface", **index) == list(range(1, 10))


def test_images_are_shuffled_all_together(tmp_path: Path) -> None:
    paths = face_file(tmp_path, [30] * 10)

    found = keys(paths, shuffle=True)

    assert sorted(found) == list(range(1, 301))
    # Of neighbours in a random order a tenth is of one identity.
    labels = (np.array(found) - 1) // 30
    assert np.mean(labels[1:] == labels[:-1]) < 0.25


def test_plain_layout_reads_every_record_and_fails_at_the_header(
    tmp_path: Path,
) -> None:
    paths = face_file(tmp_path, [2, 2])

    with pytest.raises(DataError) as caught:
        keys(paths, record_layout="plain")

    assert (caught.value.record, caught.value.id) == (4, 5)


def test_a_view_chooses_among_the_images(tmp_path: Path) -> None:
    paths = face_file(tmp_path, [3, 1, 5])

    assert keys(paths, records=slice(-3, None)) == [7, 8, 9]
    assert keys(paths, records=LabelRange(1, 2)) == [4]
    assert keys(paths, records=[9, 2]) == [9, 2]
    assert keys(paths, records=lambda key, label: label == 2) == [5, 6, 7, 8, 9]
    for wrong in (0, 10, 12):
        with pytest.raises(ParameterError, match=f"{wrong} is no image"):
            keys(paths, records=[1, wrong])
    with pytest.raises(ParameterError, match="no key 13"):
        keys(paths, records=[13])


def test_a_file_with_two_labels_and_a_picture_in_every_record_is_plain(
    tmp_path: Path,
) -> None:
    paths = write(tmp_path, ((i, image(i, (float(i + 2), 9.0))) for i in range(6)))

    assert keys(paths, label_width=2) == list(range(6))
    with pytest.raises(ParameterError, match=r"train.rec: the record of key 0 must be"):
        keys(paths, record_layout="insightface")


def test_what_shuffle_rec_writes_is_plain(tmp_path: Path) -> None:
    # shuffle_rec.py packs the images again, under new keys from 0 on, ids unchanged.
    order = [5, 2, 9, 1, 4, 8, 3, 7, 6]
    paths = write(tmp_path, ((i, image(key, 1.0)) for i, key in enumerate(order)))

    assert keys(paths) == order


@pytest.mark.parametrize("place", [0, 5])
def test_one_damaged_record_without_a_picture_makes_no_header(
    tmp_path: Path, place: int
) -> None:
    records = [(i, image(i, (2.0, 4.0))) for i in range(6)]
    records[place] = (place, pair(place, 2.0, 4.0))
    paths = write(tmp_path, records)

    with pytest.raises(DataError) as caught:
        keys(paths, label_width=2)

    assert caught.value.record == place


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ((1.5, 9.0), "must be the keys of the identities, they are 1.5 and 9.0"),
        ((1.0, 3.0), "they are 1.0 and 3.0"),
        ((5.0, 5.0), "they are 5.0 and 5.0"),
        ((float("nan"), 5.0), "they are nan and 5.0"),
        ((2.0, float("inf")), "they are 2.0 and inf"),
        ((3.0, 6.0), "key 3 must be an identity"),
        ((7.0, 8.0), "key 6 must have a picture"),
    ],
)
def test_a_header_that_cannot_be_true_is_explained(
    tmp_path: Path, labels: tuple[float, float], sentence: str
) -> None:
    images = [(key, image(key, 0.0)) for key in range(1, 5)]
    identities = [(5, pair(5, 1, 3)), (6, pair(6, 3, 5))]
    paths = write(tmp_path, [*images, *identities, (0, pair(0, *labels))])

    with pytest.raises(ParameterError, match="record_layout='insightface'") as caught:
        keys(paths, record_layout="insightface")

    assert sentence in str(caught.value)


def test_a_missing_or_double_key_0_is_explained(tmp_path: Path) -> None:
    without = write(tmp_path / "a", [(1, image(1, 0.0)), (2, pair(2, 1, 2))])
    double = write(tmp_path / "b", [(1, image(1, 0.0)), *[(0, pair(0, 2, 3))] * 2])

    for paths, count in ((without, 0), (double, 2)):
        with pytest.raises(ParameterError, match=f"there are {count} records with key"):
            keys(paths, record_layout="insightface")


def test_an_index_of_fewer_records_makes_fewer_images(tmp_path: Path) -> None:
    rec, idx = face_file(tmp_path, [3, 1, 5])
    lines = idx.read_text().splitlines()
    idx.write_text("\n".join(line for line in lines if line[:2] not in ("2\t", "9\t")))

    assert keys((rec, idx)) == [1, 3, 4, 5, 6, 7, 8]


def test_damage_at_the_ends_is_left_to_the_loader(tmp_path: Path) -> None:
    rec, idx = face_file(tmp_path, [3, 2])
    rec.write_bytes(b"no record" + rec.read_bytes()[9:])

    with pytest.raises(DataError, match=r"train.rec"):
        keys((rec, idx), path_imgidx=None)


@pytest.mark.parametrize("start", [2**24 - 5, 2**24 + 1, 2**25 + 3])
def test_keys_that_labels_cannot_hold_are_found_all_the_same(
    tmp_path: Path, start: int
) -> None:
    counts = [4, 1, 3, 2, 5]
    rec, idx = face_file(tmp_path, counts, start=start)

    assert keys((rec, idx)) == list(range(start, start + 15))
    faces = _faces.find([str(rec)], str(idx), must=True)
    assert faces is not None
    ranges = _faces.identity_ranges(Records([str(rec)], str(idx)), faces)
    ends = start + np.cumsum(counts)
    np.testing.assert_array_equal(ranges[:, 1], ends)
    np.testing.assert_array_equal(ranges[:, 0], ends - counts)


def test_an_ordinary_file_is_not_scanned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = encoded(np.zeros((8, 8, 3), np.uint8))
    rec, idx, _ = write_rec(tmp_path, [record(picture, [1.0, 2.0], i) for i in (0, 1)])
    opened: list[object] = []
    monkeypatch.setattr(_faces, "Records", lambda *files: opened.append(files))
    options = {"path_imgrec": str(rec), "path_imgidx": str(idx)}

    settle(options)

    assert opened == []
    assert "records" not in options
