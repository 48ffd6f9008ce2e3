"""Bad records under every on_error, where they lie, and pictures only OpenCV knows."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from mxio import errors
from mxio.adapters.numpy import ImageRecordLoader
from mxio.errors import DataError, MxioError, ParameterError, system_error
from mxio.io import ImageRecordIter
from tests.conftest import (
    Pixels,
    encoded,
    epoch_bytes,
    epoch_ids,
    iterator,
    picture,
    record,
    run_python,
    write_rec,
)

COUNT = 23


def jpeg(seed: int) -> bytes:
    return encoded(picture(seed, 40, 40), ".jpg")


def half_jpeg(seed: int) -> bytes:
    whole = jpeg(seed)
    return whole[: len(whole) // 2]


def broken_jpeg(seed: int) -> bytes:
    """A JPEG whose entropy-coded bytes are overwritten with markers."""
    whole = bytearray(jpeg(seed))
    middle = len(whole) // 2
    whole[middle : middle + 40] = b"\xff\xc4" * 20
    return bytes(whole)


def half_png(seed: int) -> bytes:
    whole = encoded(picture(seed, 40, 40))
    return whole[: len(whole) // 2]


def broken_png(seed: int) -> bytes:
    whole = bytearray(encoded(picture(seed, 40, 40)))
    whole[len(whole) // 2] ^= 0x55
    return bytes(whole)


PICTURES: dict[str, Callable[[int], bytes]] = {
    "half a JPEG": half_jpeg,
    "a damaged JPEG": broken_jpeg,
    "half a PNG": half_png,
    "a damaged PNG": broken_png,
    "no picture": lambda _: b"",
    "garbage": lambda seed: np.random.default_rng(seed).bytes(500),
    "a JPEG's first bytes": lambda seed: jpeg(seed)[:3],
    "a PNG's first bytes": lambda seed: half_png(seed)[:8],
    "half a BMP": lambda seed: encoded(picture(seed, 40, 40), ".bmp")[:30],
}
PAYLOADS: dict[str, bytes] = {
    "nothing": b"",
    "half a header": bytes(12),
    "too many labels": b"\xff\x00\x00\x00" + bytes(40),
}
PLACES = {
    "first": [0],
    "last": [COUNT - 1],
    "middle": [10],
    "both ends": [0, COUNT - 1],
    "a whole batch": [8, 9, 10, 11],
    "many": [0, 1, 5, 6, 7, 8, 9, 10, 11, 12, 20, 21, 22],
}


def spoilt(folder: Path, bad: dict[int, bytes], name: str = "data") -> Path:
    """COUNT good records with ids 100 + i, some payloads replaced."""
    payloads = [record(jpeg(i), float(i), 100 + i) for i in range(COUNT)]
    for place, payload in bad.items():
        payloads[place] = payload
    return write_rec(folder, payloads, name)[0]


def outcomes(batches: ImageRecordIter) -> list[Any]:
    """Each batch's ids, or the error in its place, until the end of the epoch."""
    found: list[Any] = []
    while True:
        try:
            batch = batches.next()
        except StopIteration:
            return found
        except DataError as error:
            found.append(error)
        else:
            found.append(epoch_ids([batch]))


@pytest.fixture(params=[1, 7])
def threads(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def options(threads: int, **more: Any) -> dict[str, Any]:
    plain = {"data_shape": (3, 32, 32), "preprocess_threads": threads}
    return plain | {"round_batch": False} | more


# ---- raise ----


@pytest.mark.parametrize("kind", [*PICTURES, *PAYLOADS])
@pytest.mark.parametrize("place", [0, 10, COUNT - 1])
def test_the_error_says_where_and_the_iterator_goes_on_behind_it(
    tmp_path: Path, threads: int, kind: str, place: int
) -> None:
    is_picture = kind in PICTURES
    payload = (
        record(PICTURES[kind](place), float(place), 100 + place)
        if is_picture
        else PAYLOADS[kind]
    )
    rec = spoilt(tmp_path, {place: payload})
    index = (tmp_path / "data.idx").read_text().split()
    # The verdict covers the bytes that are needed: here all of them.
    batches = iterator(rec, **options(threads, data_shape=(3, 40, 40)))

    found = outcomes(batches)

    (error,) = (one for one in found if isinstance(one, DataError))
    assert found.index(error) == place // 4
    assert (error.path, error.record) == (str(rec), place)
    assert error.id == (100 + place if is_picture else None)
    assert error.offset == int(index[2 * place + 1])
    assert f"{rec}: record {place} " in str(error)
    assert f"byte {error.offset}: " in str(error)
    good = [id for ids in found if ids is not error for id in ids]
    lost = range(100 + place // 4 * 4, 100 + place // 4 * 4 + 4)
    assert good == [id for id in range(100, 100 + COUNT) if id not in lost]


def test_the_first_bad_record_of_a_batch_is_the_one_named(
    tmp_path: Path, threads: int
) -> None:
    rec = spoilt(tmp_path, dict.fromkeys([5, 6, 7], record(b"bad")))

    for _ in range(10):
        batches = iterator(rec, **options(threads))
        batches.next()
        with pytest.raises(DataError) as caught:
            batches.next()

        assert caught.value.record == 5


def test_an_iterator_can_be_reset_after_an_error(tmp_path: Path) -> None:
    rec = spoilt(tmp_path, {5: record(b"bad")})
    batches = iterator(rec, **options(3))
    batches.next()
    with pytest.raises(DataError):
        batches.next()

    batches.reset()

    assert epoch_ids([batches.next()]) == [100, 101, 102, 103]


def test_the_numpy_face_goes_on_behind_an_error_too(tmp_path: Path) -> None:
    rec = spoilt(tmp_path, {5: record(b"bad")})
    loader = ImageRecordLoader(path_imgrec=rec, data_shape=(3, 32, 32), batch_size=4)
    batches = iter(loader)
    next(batches)
    with pytest.raises(DataError):
        next(batches)

    rest = [batch.index.tolist() for batch in batches]

    assert rest[0] == [108, 109, 110, 111]
    assert len(rest) == 4


def test_a_picture_larger_than_max_pixels_is_refused_unread(tmp_path: Path) -> None:
    rec = spoilt(tmp_path, {2: record(encoded(picture(0, 100, 100), ".jpg"))})

    with pytest.raises(DataError, match="max_pixels=9999") as caught:
        iterator(rec, **options(1, max_pixels=9999)).next()

    assert caught.value.record == 2


def test_a_file_that_shrinks_while_it_is_read_is_an_error_not_a_crash(
    tmp_path: Path,
) -> None:
    rec = spoilt(tmp_path, {})
    batches = iterator(
        rec, **options(1, prefetch_buffer=1, path_imgidx=tmp_path / "data.idx")
    )
    batches.next()

    with rec.open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(MxioError) as caught:
        for _ in range(COUNT):
            batches.next()

    assert str(rec) in str(caught.value)


# ---- skip ----


@pytest.mark.parametrize("places", PLACES)
@pytest.mark.parametrize("kind", ["half a JPEG", "garbage"])
def test_skip_leaves_bad_records_out_and_fills_the_batch(
    tmp_path: Path, threads: int, places: str, kind: str
) -> None:
    bad = {i: record(PICTURES[kind](i), 0.0, 100 + i) for i in PLACES[places]}
    rec = spoilt(tmp_path, bad)
    good = [100 + i for i in range(COUNT) if i not in bad]
    batches = iterator(rec, **options(threads, on_error="skip"))

    for _ in range(2):
        found = list(batches)
        batches.reset()

        sizes = [4 - (batch.pad or 0) for batch in found]
        assert epoch_ids(found) == good
        assert sizes == [4] * (len(good) // 4) + [len(good) % 4] * (len(good) % 4 > 0)
    assert [entry.record for entry in batches.errors()] == sorted(bad)


@pytest.mark.parametrize("places", PLACES)
@pytest.mark.parametrize("mode", ["skip", "replace"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"round_batch": True},
        {"shuffle": True, "rand_crop": True},
        {"shuffle": True, "round_batch": True, "batch_size": 5, "prefetch_buffer": 1},
    ],
)
def test_what_becomes_of_bad_records_does_not_depend_on_threads(
    tmp_path: Path, places: str, mode: str, more: dict[str, Any]
) -> None:
    # Crops do not need the end of a PNG, where its check sum is.
    kinds = [made for kind, made in PICTURES.items() if kind != "a damaged PNG"]
    bad = {i: record(kinds[i % len(kinds)](i), 0.0, 1) for i in PLACES[places]}
    rec = spoilt(tmp_path, bad)

    def epochs(threads: int) -> list[Any]:
        batches = iterator(rec, **options(threads, on_error=mode) | more)
        found: list[Any] = []
        for _ in range(3):
            found.append(epoch_bytes(batches))
            batches.reset()
        return [*found, batches.errors()]

    expected = epochs(1)

    for _ in range(3):
        assert epochs(7) == expected
    assert {entry.record for entry in expected[3]} == set(bad)


def test_skip_counts_what_it_left_out_into_the_carry(tmp_path: Path) -> None:
    rec = spoilt(tmp_path, dict.fromkeys([0, 22], record(b"bad")))
    batches = iterator(rec, **options(2, on_error="skip", round_batch=True))

    first = list(batches)
    batches.reset()
    second = list(batches)

    # 21 good ones: 5 batches, one of the next epoch's record 1 on, pad 3.
    assert [batch.pad for batch in first] == [0, 0, 0, 0, 0, 3]
    assert first[-1].index.tolist() == [121, 101, 102, 103]
    assert second[0].index.tolist() == [104, 105, 106, 107]


@pytest.mark.parametrize("round_batch", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_skip_gives_up_when_no_record_is_good(
    tmp_path: Path, threads: int, round_batch: bool, shuffle: bool
) -> None:
    # An epoch without a batch, or a complaint about batch_size, came instead.
    rec, _, _ = write_rec(tmp_path, [record(b"bad")] * 6)
    more = {"round_batch": round_batch, "shuffle": shuffle, "on_error": "skip"}
    batches = iterator(rec, **options(threads) | more)

    # With round_batch the last one is not even tried: it cannot fill a batch of 4.
    tried = 5 if round_batch else 6
    said = "5 of 6 records are bad" if round_batch else "all 6 records are bad"
    with pytest.raises(DataError, match=f"{said}.*; the last: not an image") as caught:
        batches.next()

    assert len(batches.errors()) == tried
    assert caught.value.path == str(rec)


# ---- replace ----


@pytest.mark.parametrize("places", PLACES)
def test_replace_takes_the_next_good_record_of_the_order(
    tmp_path: Path, threads: int, places: str
) -> None:
    bad = {i: record(half_jpeg(i), 0.0, 100 + i) for i in PLACES[places]}
    rec = spoilt(tmp_path, bad)

    def good_from(place: int) -> int:
        while place % COUNT in bad:
            place += 1
        return 100 + place % COUNT

    batches = iterator(rec, **options(threads, on_error="replace"))

    found = list(batches)

    assert epoch_ids(found) == [good_from(i) for i in range(COUNT)]
    assert [batch.pad for batch in found] == [0, 0, 0, 0, 0, 1]
    assert [entry.record for entry in batches.errors()] == sorted(bad)
    labels = np.concatenate([batch.label[0][: 4 - (batch.pad or 0)] for batch in found])
    assert labels.tolist() == [good_from(i) - 100 for i in range(COUNT)]


def test_a_replacement_has_the_augmentation_of_its_own_record(tmp_path: Path) -> None:
    rec = spoilt(tmp_path, {3: record(b"bad")})
    more = {"rand_crop": True, "rand_mirror": True, "dtype": "uint8", "batch_size": 5}

    data = iterator(rec, **options(2, on_error="replace", **more)).next().data[0]

    np.testing.assert_array_equal(data[3], data[4])


def test_replace_gives_up_when_no_record_is_good(tmp_path: Path) -> None:
    rec, _, _ = write_rec(tmp_path, [record(b"bad")] * 6)

    with pytest.raises(DataError, match="no good record"):
        iterator(rec, **options(2, on_error="replace")).next()


def test_replace_works_for_every_rank(tmp_path: Path) -> None:
    rec = spoilt(tmp_path, {0: record(b"bad"), 9: record(b"bad")})
    parts = []

    for rank in range(2):
        loader = ImageRecordLoader(
            path_imgrec=rec,
            data_shape=(3, 32, 32),
            batch_size=4,
            rank=rank,
            world_size=2,
            on_error="replace",
        )
        parts.append([batch.index.tolist() for batch in loader])

    assert parts[0][0] == [101, 101, 102, 103]
    assert parts[0][1] == [108, 110, 110, 111]
    assert parts[1][0] == [104, 105, 106, 107]


# ---- max_errors, errors() ----


@pytest.mark.parametrize("mode", ["skip", "replace"])
@pytest.mark.parametrize(("most", "fails"), [(0, True), (2, True), (3, False)])
def test_max_errors_bounds_both(
    tmp_path: Path, threads: int, mode: str, most: int, fails: bool
) -> None:
    rec = spoilt(tmp_path, dict.fromkeys([1, 9, 17], record(b"bad")))
    batches = iterator(rec, **options(threads, on_error=mode, max_errors=most))

    found = outcomes(batches)

    raised = [str(one) for one in found if isinstance(one, DataError)]
    assert bool(raised) == fails
    assert all(f"more than max_errors={most} bad records" in one for one in raised)
    assert len(batches.errors()) == most


def test_a_record_counts_once_however_often_it_is_met(tmp_path: Path) -> None:
    rec = spoilt(tmp_path, {1: record(b"bad")})
    batches = iterator(rec, **options(3, on_error="skip", max_errors=1))

    for _ in range(4):
        assert len(list(batches)) == 6
        batches.reset()

    assert len(batches.errors()) == 1


def test_errors_lists_what_happened(tmp_path: Path) -> None:
    rec = spoilt(tmp_path, {1: b"", 4: record(half_jpeg(4), 0.0, 104)})
    index = (tmp_path / "data.idx").read_text().split()
    batches = iterator(rec, **options(2, on_error="skip"))

    before = batches.errors()
    list(batches)
    empty, broken = batches.errors()

    assert before == []
    assert empty[:4] == (str(rec), 1, None, int(index[3]))
    assert "24 bytes" in empty.message
    assert broken[:4] == (str(rec), 4, 104, int(index[9]))
    assert f"record 4 (id 104) at byte {broken.offset}" in broken.message


def test_errors_names_the_file_of_a_set(tmp_path: Path) -> None:
    one = spoilt(tmp_path, {}, "one")
    two = spoilt(tmp_path, {2: record(b"bad", 0.0, 7)}, "two")
    batches = iterator(one, **options(2, on_error="skip", path_imgrec=f"{one};{two}"))

    list(batches)

    (entry,) = batches.errors()
    index = (tmp_path / "two.idx").read_text().split()
    assert entry[:4] == (str(two), COUNT + 2, 7, int(index[5]))


# ---- formats that only OpenCV knows ----


def with_pillow(pixels: Pixels, kind: str, **how: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **how)
    return out.getvalue()


LOSSLESS: dict[str, Callable[[Pixels], bytes]] = {
    "BMP": lambda pixels: encoded(pixels, ".bmp"),
    "TIFF": lambda pixels: encoded(pixels, ".tiff"),
    "WebP": lambda pixels: with_pillow(pixels, "WEBP", lossless=True),
    "PPM": lambda pixels: encoded(pixels, ".ppm"),
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_foreign_formats_among_others_have_the_right_pixels(
    tmp_path: Path, threads: int, kind: str
) -> None:
    pixels = [picture(i, 30, 36) for i in range(COUNT)]
    payloads = [
        record(LOSSLESS[kind](image) if i % 3 else encoded(image), float(i), 100 + i)
        for i, image in enumerate(pixels)
    ]
    rec, _, _ = write_rec(tmp_path, payloads)

    found = list(
        iterator(
            rec,
            **options(threads, data_shape=(3, 20, 24), dtype="uint8", layout="NHWC"),
        )
    )

    assert epoch_ids(found) == list(range(100, 100 + COUNT))
    rows = np.concatenate([batch.data[0] for batch in found])[:COUNT]
    np.testing.assert_array_equal(rows, [image[5:25, 6:30] for image in pixels])
    labels = np.concatenate([batch.label[0] for batch in found])[:COUNT]
    assert labels.tolist() == list(range(COUNT))


def test_foreign_pictures_are_augmented_like_any_other(tmp_path: Path) -> None:
    pixels = [picture(i, 30, 36) for i in range(9)]
    more = options(
        3,
        data_shape=(3, 20, 24),
        shuffle=True,
        rand_crop=True,
        rand_mirror=True,
        resize=28,
    )
    known, _, _ = write_rec(tmp_path, [record(encoded(p)) for p in pixels], "known")
    foreign, _, _ = write_rec(
        tmp_path, [record(encoded(p, ".bmp")) for p in pixels], "foreign"
    )

    expected, actual = (
        epoch_bytes(iterator(known, **more)),
        epoch_bytes(iterator(foreign, **more)),
    )

    assert actual == expected


@pytest.mark.parametrize("mode", ["raise", "skip", "replace"])
@pytest.mark.parametrize("places", [[0], [22], [4, 5, 6, 7], [0, 3, 9, 10, 22]])
def test_undecodable_foreign_pictures_are_bad_records(
    tmp_path: Path, threads: int, mode: str, places: list[int]
) -> None:
    cut = encoded(picture(0, 40, 40), ".bmp")[:40]
    bad = {i: record(cut, 0.0, 100 + i) for i in places}
    bmp = {
        i: record(encoded(picture(i, 40, 40), ".bmp"), float(i), 100 + i)
        for i in (1, 2, 11, 12)
    }
    rec = spoilt(tmp_path, bmp | bad)
    batches = iterator(rec, **options(threads, on_error=mode))

    found = outcomes(batches)

    all_ids = range(100, 100 + COUNT)
    if mode == "raise":
        failed = [one.record for one in found if isinstance(one, DataError)]
        batches_hit = sorted({place // 4 for place in places})
        assert failed == [min(p for p in places if p // 4 == k) for k in batches_hit]
        return
    ids = [id for batch in found for id in batch]
    if mode == "skip":
        assert ids == [id for id in all_ids if id - 100 not in places]
    else:
        assert len(ids) == COUNT
        assert {id - 100 for id in ids}.isdisjoint(places)
    assert [entry.record for entry in batches.errors()] == places


def rgba(seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (8, 8, 4), np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_four_channels_are_red_green_blue_alpha(
    tmp_path: Path, threads: int, suffix: str
) -> None:
    pixels = [rgba(i) for i in range(6)]
    rec, _, _ = write_rec(tmp_path, [record(encoded(p, suffix)) for p in pixels])

    data = (
        iterator(
            rec,
            batch_size=6,
            data_shape=(4, 8, 8),
            dtype="uint8",
            preprocess_threads=threads,
        )
        .next()
        .data[0]
    )

    np.testing.assert_array_equal(data, np.array(pixels).transpose(0, 3, 1, 2))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_three_channels_where_four_are_asked_for_are_an_error(
    tmp_path: Path, suffix: str
) -> None:
    rec, _, _ = write_rec(tmp_path, [record(encoded(picture(0, 8, 8), suffix))])

    with pytest.raises(DataError, match="channels"):
        iterator(rec, batch_size=1, data_shape=(4, 8, 8)).next()


@pytest.mark.parametrize("suffix", [".bmp", ".tiff", ".png", ".jpg"])
def test_one_channel_of_a_colour_picture_is_its_gray(
    tmp_path: Path, suffix: str
) -> None:
    image = encoded(picture(3, 16, 16), suffix)
    rec, _, _ = write_rec(tmp_path, [record(image)])
    expected = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_GRAYSCALE)

    data = (
        iterator(rec, batch_size=1, data_shape=(1, 16, 16), dtype="uint8")
        .next()
        .data[0]
    )

    apart = np.abs(data[0, 0].astype(int) - np.asarray(expected).astype(int))
    assert apart.max() <= 1


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bits_are_cut_to_their_high_eight(tmp_path: Path, suffix: str) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (8, 8, 3), np.uint16)
    done, out = cv2.imencode(suffix, deep[:, :, ::-1])
    assert done
    rec, _, _ = write_rec(tmp_path, [record(out.tobytes())])

    data = (
        iterator(rec, batch_size=1, data_shape=(3, 8, 8), dtype="uint8", layout="NHWC")
        .next()
        .data[0]
    )

    apart = np.abs(data[0].astype(int) - (deep >> 8).astype(int))
    assert apart.max() <= 1


# ---- the exceptions themselves ----


def test_the_tree_of_exceptions() -> None:
    assert issubclass(MxioError, RuntimeError)
    assert errors.MXNetError is MxioError
    assert issubclass(ParameterError, MxioError)
    assert issubclass(ParameterError, ValueError)
    assert issubclass(DataError, MxioError)


def test_a_data_error_survives_pickling() -> None:
    error = DataError("what", "a.rec", 3, 2**63, 40)

    copy = pickle.loads(pickle.dumps(error))

    assert str(copy) == "what"
    assert (copy.path, copy.record, copy.id, copy.offset) == ("a.rec", 3, 2**63, 40)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (2, FileNotFoundError),
        (13, PermissionError),
        (21, IsADirectoryError),
        (28, OSError),
    ],
)
def test_a_system_error_is_also_the_matching_os_error(
    number: int, kind: type[OSError]
) -> None:
    error = system_error(number, "what", "a.rec")

    assert isinstance(error, kind)
    assert isinstance(error, MxioError)
    assert (error.errno, error.strerror, error.filename) == (number, "what", "a.rec")
    assert type(system_error(number, "more")) is type(error)


def test_a_system_error_crosses_to_another_process() -> None:
    # The one of a DataLoader worker could not be pickled, and its parent waited for
    # ever. The other process may not have raised one yet.
    error = system_error(110, "no batch within timeout=0.5 s", "a.rec")
    program = """
import pickle, sys
error = pickle.loads(bytes.fromhex(sys.argv[1]))
print(type(error).__name__, isinstance(error, TimeoutError), error)
"""

    done = run_python(program, pickle.dumps(error).hex())

    assert done.stdout == (
        f"MxioTimeoutError True [Errno 110] {error.strerror}: 'a.rec'\n"
    ), done.stderr


@pytest.mark.parametrize("name", ["MxioValueError", "MxioNoSuchError", "TimeoutError"])
def test_other_names_are_no_system_errors(name: str) -> None:
    with pytest.raises(AttributeError, match=f"no attribute '{name}'"):
        getattr(errors, name)
