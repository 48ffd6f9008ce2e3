"""Whose picture is which: the records of a data set, grouped by identity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mxio import _faces
from mxio._files import resolve
from mxio._scan import Records
from mxio._views import INSIGHTFACE, View, labels_of

__all__ = ["Identities", "identities_of"]


class Identities:
    """The identities of a data set, and which of its records are whose.

    label: of each identity, float64 (identities,), rising or in the order of
    InsightFace's file. count: images of each, int64 (identities,). range: int64
    (identities, 2), the keys [first, end) of the images of each in InsightFace's
    layout, before records= chose; None in other files. Identities without a chosen
    record are left out.

    >>> identities = dataset.identities  # doctest: +SKIP
    >>> identities.images(7)  # positions in the data set  # doctest: +SKIP
    """

    def __init__(
        self,
        label: NDArray[np.float64],
        identity: NDArray[np.int64],
        range: NDArray[np.int64] | None = None,
    ) -> None:
        """identity: that of each record, by position; -1 for none."""
        order = np.argsort(identity, kind="stable")
        starts = np.searchsorted(identity[order], np.arange(len(label) + 1))
        there = np.flatnonzero(np.diff(starts))
        self._positions = order[starts[0] :]
        self._ends = np.concatenate([[0], np.cumsum(np.diff(starts)[there])])
        self.label = label[there]
        self.count: NDArray[np.int64] = np.diff(self._ends)
        self.range = None if range is None else range[there]

    def __len__(self) -> int:
        return len(self.label)

    def __repr__(self) -> str:
        return f"Identities({len(self)} of {len(self._positions)} images)"

    def images(self, identity: int) -> NDArray[np.int64]:
        """Positions in the data set, rising, of the images of identity number 0, 1, ...

        IndexError for another number.
        """
        if not 0 <= identity < len(self):
            raise IndexError(
                f"identity must be in [0, {len(self) - 1}], got {identity}"
            )
        return self._positions[self._ends[identity] : self._ends[identity + 1]]


def identities_of(options: Mapping[str, Any], view: View | None) -> Identities:
    """The identities of a data set with settled options: in InsightFace's layout from
    the records of the identities, else from the labels of all records.

    DataError for damage that was met.
    """
    files = resolve(options["path_imgrec"])
    index = options.get("path_imgidx") or None
    records = Records(files, index)
    if options.get("record_layout") == INSIGHTFACE and not options.get("path_imglist"):
        faces = _faces.find(files, index, must=True)
        assert faces is not None  # else it raised
        return _from_ranges(records, faces, view)
    labels = [part[:, 0] for _, part in labels_of(options, records, view)]
    label, identity = np.unique(np.concatenate(labels), return_inverse=True)
    return Identities(label, identity.astype(np.int64))


def _from_ranges(
    records: Records, faces: _faces.FaceRecords, view: View | None
) -> Identities:
    ranges = _faces.identity_ranges(records, faces)
    ordinals = faces.images if view is None else view.all()
    keys = faces.keys[ordinals.astype(np.int64)]
    order = np.argsort(ranges[:, 0], kind="stable")
    place = np.searchsorted(ranges[order, 0], keys, side="right") - 1
    identity = order[np.maximum(place, 0)]
    outside = (place < 0) | (keys >= ranges[identity, 1])
    identity[outside] = -1
    # The label of an identity is that of its first image here.
    seen, first = np.unique(identity, return_index=True)
    label = np.full(len(ranges), np.nan)
    heads = records.heads(ordinals[first[seen >= 0]])
    label[seen[seen >= 0]] = heads.label[:, 0]
    return Identities(label, identity, ranges)
