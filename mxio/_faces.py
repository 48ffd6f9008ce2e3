"""InsightFace's layout of a .rec file, recognised without a conversion.

Its writers (rec_builder.py, face2rec2.py) put images under the keys 1 to n; then, under
the keys n + 1 to m - 1, one record for each identity, without a picture, whose two
labels [a, b) are the keys of its images; and under key 0 a header, also without a
picture, whose two labels are n + 1 and m. The id of a record is its key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mxio import _core
from mxio._scan import Heads, Records
from mxio.errors import DataError, MxioError, ParameterError

__all__ = ["FaceRecords", "find", "identity_ranges"]

# Above this a float32, which is what labels are, does not hold every whole number.
_EXACT = 2**24


class FaceRecords(NamedTuple):
    """Ordinals of the images, in file order, and of the identities' records, in order
    of their keys; and the key of each record, by ordinal.
    """

    images: NDArray[np.uint64]
    identities: NDArray[np.uint64]
    keys: NDArray[np.int64]


def find(files: Sequence[str], index: str | None, *, must: bool) -> FaceRecords | None:
    """The images among the records of files in InsightFace's layout, or None.

    An ordinary set of files costs no more than a look at its first and last bytes. With
    `must`, ParameterError says why it is not the layout.
    """
    try:
        if not must and not _has_empty_end(files):
            return None
        faces = _images(files, index)
    except (MxioError, OSError):
        if must:
            raise
        return None  # whoever reads the records will say what is wrong
    if isinstance(faces, FaceRecords):
        return faces
    if must:
        raise ParameterError(f"record_layout='insightface': {files[0]}: {faces}")
    return None


def identity_ranges(records: Records, faces: FaceRecords) -> NDArray[np.int64]:
    """The keys [first, last + 1) of the images of each identity, (identities, 2).

    DataError for ranges that are not within the images.
    """
    labels = records.heads(faces.identities, 2).label
    whole = np.isfinite(labels) & (np.abs(labels) < 2**62)
    ranges = np.where(whole, labels, 0).astype(np.int64)
    image_keys = faces.keys[faces.images.astype(np.int64)]
    if len(ranges) and ranges.max() >= _EXACT:
        ranges = _exact_ranges(records, faces, image_keys, ranges)
    low, high = int(image_keys.min()), int(image_keys.max()) + 1
    wrong = (ranges[:, 0] < 1) | (ranges[:, 1] <= ranges[:, 0]) | (ranges[:, 1] > high)
    if bool(wrong.any()):
        row = int(np.flatnonzero(wrong)[0])
        key = faces.keys[int(faces.identities[row])]
        raise DataError(
            f"{records.files[0]}: the identity of key {key} has the images"
            f" {labels[row, 0]:.0f} to {labels[row, 1] - 1:.0f},"
            f" there are {low} to {high - 1}",
            records.files[0],
            int(faces.identities[row]),
        )
    return ranges


def _no_header(flag: int, size: int, labels: NDArray[np.float32]) -> str | None:
    """Why a record is not the header; None when it may be."""
    if flag != 2 or size != 0:
        return (
            "the record of key 0 must be a header, 2 labels and no picture, it has"
            f" {max(flag, 1)} labels and a picture of {size} bytes"
        )
    first, end = labels.tolist()
    if not (1 < first < end < 2**63 and first % 1 == 0 and end % 1 == 0):
        return (
            "the labels of the header, key 0, must be the keys of the identities,"
            f" they are {first} and {end}"
        )
    return None


def _has_empty_end(files: Sequence[str]) -> bool:
    """Whether the first or the last record has two labels and no picture: a header or
    an identity stands there, whichever writer it was.
    """
    size = 8 + 24 + 8
    flag = (2).to_bytes(4, "little")
    start = _core.encode_record(bytes(size - 8))[:8] + flag
    first, last = _core.RecordFile(files[0]), _core.RecordFile(files[-1])
    end = max(0, last.size() - size)
    return start in (first.raw(0, len(start)), last.raw(end, len(start)))


def _images(files: Sequence[str], index: str | None) -> FaceRecords | str:
    """The images, or why this is not the layout."""
    records = Records(files, index)
    if records.keys is not None:
        keys = records.keys
        empty = None
    else:
        parts = [(h.id, h.flag, h.size) for h in records.scan()]
        ids, flags, sizes = (np.concatenate(p) for p in zip(*parts, strict=True))
        keys = ids.astype(np.int64)
        empty = np.flatnonzero((flags == 2) & (sizes == 0))
    headers = np.flatnonzero(keys == 0)
    if len(headers) != 1:
        return f"there are {len(headers)} records with key 0"
    header = records.heads(headers.astype(np.uint64), 2)
    problem = _no_header(int(header.flag[0]), int(header.size[0]), header.label[0])
    if problem is not None:
        return problem
    first, end = _bounds(records, keys, header)
    images = np.flatnonzero((keys >= 1) & (keys < first)).astype(np.uint64)
    identities = np.flatnonzero((keys >= first) & (keys < end)).astype(np.uint64)
    identities = identities[np.argsort(keys[identities.astype(np.int64)])]
    if len(images) == 0:
        return f"no record has a key from 1 to {first - 1}"
    if empty is not None and len(empty) != len(identities) + 1:
        return (
            f"{len(empty)} records have two labels and no picture, the header speaks of"
            f" {len(identities)} and itself"
        )
    # One look at the borders; loading says what is wrong with any other record.
    for ordinals, are_images in ((images, True), (identities, False)):
        borders = records.heads(_borders(ordinals, keys), 2)
        wrong = (borders.size != 0) != are_images
        if not are_images:
            wrong |= borders.flag != 2
        if bool(wrong.any()):
            key = keys[int(borders.ordinal[wrong][0])]
            return (
                f"the record of key {key} must "
                + ("have a picture" if are_images else "be an identity, without one")
                + f": the header says that identities are {first} to {end - 1}"
            )
    return FaceRecords(images, identities, keys)


def _borders(
    ordinals: NDArray[np.uint64], keys: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """Those of the lowest and the highest key, none of none."""
    if len(ordinals) == 0:
        return ordinals
    own = keys[ordinals.astype(np.int64)]
    return ordinals[[int(own.argmin()), int(own.argmax())]]


def _bounds(
    records: Records, keys: NDArray[np.int64], header: Heads
) -> tuple[int, int]:
    """The first key of an identity, and the one behind the last.

    A label above 2^24 is rounded: the records beside it tell which key was meant.
    """
    first, end = (int(label) for label in header.label[0])
    if end >= _EXACT:
        end = int(keys.max()) + 1
    if first >= _EXACT:
        reach = int(np.spacing(np.float32(first)))
        near = np.flatnonzero((keys >= first - reach) & (keys <= first + reach))
        near = near[np.argsort(keys[near])]
        heads = records.heads(near.astype(np.uint64))
        empty = np.flatnonzero((heads.size == 0) & (heads.flag == 2))
        if len(empty):
            first = int(keys[int(near[empty[0]])])
    return first, end


def _exact_ranges(
    records: Records,
    faces: FaceRecords,
    image_keys: NDArray[np.int64],
    ranges: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Ranges above 2^24 again, from where the images' labels change: the labels of the
    identities' records are rounded there.
    """
    exact = ranges.copy()
    rounded = np.flatnonzero(ranges[:, 1] >= _EXACT)
    before = int(rounded[0])  # identities with exact ranges
    start = int(ranges[before - 1, 1]) if before else int(image_keys.min())
    beyond = np.flatnonzero(image_keys >= start)
    beyond = beyond[np.argsort(image_keys[beyond])]
    labels = records.heads(faces.images[beyond]).label[:, 0]
    changes = np.flatnonzero(labels[1:] != labels[:-1]) + 1
    keys = image_keys[beyond]
    edges = np.concatenate([keys[:1], keys[changes], keys[-1:] + 1])
    if len(edges) != len(rounded) + 1:
        raise DataError(
            f"{records.files[0]}: {len(rounded)} identities have images from key"
            f" {start} on, the images there have {len(edges) - 1} labels",
            records.files[0],
        )
    exact[rounded, 0], exact[rounded, 1] = edges[:-1], edges[1:]
    return exact
