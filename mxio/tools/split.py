"""`mxio split`: a file in parts, such as training and validation."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mxio.errors import ParameterError
from mxio.tools._command import Exit, add_json, add_quiet, new_parser, print_json
from mxio.tools._source import NewKeys, Source, Written, add_keys, tell, write

if TYPE_CHECKING:
    from mxio.tools._command import Commands

__all__ = ["add_parser", "run", "split"]


def split(
    path: str | os.PathLike[str],
    prefix: str | os.PathLike[str],
    *,
    fractions: Mapping[str, float] | None = None,
    counts: Mapping[str, int] | None = None,
    stratify: bool = False,
    seed: int = 0,
    path_imgidx: str | os.PathLike[str] | None = None,
    keys: NewKeys = "keep",
    progress: bool = False,
) -> dict[str, Written]:
    """Deal the records to PREFIX_NAME.rec for each name, by chance, as the seed says.

    fractions: of all records, together at most 1; or counts, together at most as many
        as there are. What is left belongs to no part.
    stratify: deal each first label in these proportions by itself.
    seed: 0 to 2**32 - 1.

    Within a part records keep their order. See `subset` for the rest. ParameterError
    when the parts do not go together or one of them gets nothing.
    """
    if not 0 <= seed < 2**32:
        raise ParameterError(f"seed must be in [0, 2**32 - 1], got {seed}")
    if (fractions is None) == (counts is None):
        raise ParameterError("give either fractions or counts")
    source = Source(path, path_imgidx, progress)
    wanted = _wanted(fractions or {}, counts or {}, len(source))
    chance = np.random.RandomState(seed)  # NumPy promises its numbers for all time
    if stratify:
        dealt = _stratified(source.labels, list(wanted.values()), chance)
    else:
        dealt = _dealt(chance.permutation(len(source)), list(wanted.values()))
    parts = dict(zip(wanted, dealt, strict=True))
    for name, part in parts.items():
        if len(part) == 0:
            raise ParameterError(
                f"part {name!r} gets none of the {len(source)} records of {source.path}"
            )
    outputs = {name: f"{os.fspath(prefix)}_{name}.rec" for name in parts}
    source.check_outputs(outputs.values())
    return {
        name: write(source, np.sort(part), outputs[name], keys, progress)
        for name, part in parts.items()
    }


def _wanted(
    fractions: Mapping[str, float], counts: Mapping[str, int], total: int
) -> dict[str, int]:
    """Records for each part."""
    shares: list[float] = [*fractions.values(), *counts.values()]
    most = 1 if fractions else total
    if not all(share > 0 for share in shares) or sum(shares) > most * (1 + 1e-9):
        what = "fractions" if fractions else "counts"
        raise ParameterError(
            f"{what} must be > 0 and together at most {most}, got {shares}"
        )
    if counts:
        return dict(counts)
    edges = np.rint(np.cumsum([0.0, *fractions.values()]) * total)
    return {
        name: int(b - a)
        for name, a, b in zip(fractions, edges[:-1], edges[1:], strict=True)
    }


def _dealt(order: NDArray[np.int64], counts: list[int]) -> list[NDArray[np.int64]]:
    return np.split(order, np.cumsum(counts))[: len(counts)]


def _stratified(
    labels: NDArray[np.float64], counts: list[int], chance: np.random.RandomState
) -> list[NDArray[np.int64]]:
    """Deal each label in the proportions of the counts: to within one record."""
    shares = np.array([*counts, len(labels) - sum(counts)]) / max(len(labels), 1)
    order = chance.permutation(len(labels))
    _, groups = np.unique(labels[order], return_inverse=True)
    by_label = np.split(
        order[np.argsort(groups, kind="stable")], np.cumsum(np.bincount(groups))[:-1]
    )
    dealt = [_dealt(group, _whole(shares * len(group), chance)) for group in by_label]
    return [np.concatenate(part) for part in zip(*dealt, strict=True)][: len(counts)]


def _whole(shares: NDArray[np.float64], chance: np.random.RandomState) -> list[int]:
    """The shares rounded down or up, by chance, so that their sum, a whole number,
    stays; on average each is itself.
    """
    # An edge lies in the same place of its step for all: systematic rounding.
    edges = np.concatenate([[0.0], np.cumsum(shares)])
    edges[-1] = round(edges[-1])
    steps = np.diff(np.floor(edges + chance.random_sample()))
    return [int(step) for step in steps]


def add_parser(commands: Commands) -> None:
    """Describe the options."""
    parser = new_parser(
        commands,
        "split",
        "parts by fractions or counts, such as train and val",
        "Deal the records of IN, as they are, to PREFIX_NAME.rec for each NAME, by\n"
        "chance as the seed says, and write the indexes beside them.",
    )
    parser.add_argument("input", metavar="IN", help="a .rec file")
    parser.add_argument("prefix", metavar="PREFIX", help="of the files to write")
    shares = parser.add_mutually_exclusive_group(required=True)
    shares.add_argument(
        "--fractions",
        nargs="+",
        type=_fraction,
        metavar="NAME=F",
        help="shares of all records: train=0.9 val=0.1",
    )
    shares.add_argument(
        "--counts",
        nargs="+",
        type=_count,
        metavar="NAME=N",
        help="numbers of records: train=50000 val=10000",
    )
    parser.add_argument(
        "--stratify",
        action="store_true",
        help="each label in the same proportions, to within one record",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="(default: %(default)s)"
    )
    add_keys(parser)
    add_json(parser)
    add_quiet(parser)


def _fraction(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        return _name(name), float(number)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be NAME=FRACTION, got {text!r}"
        ) from None


def _count(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    try:
        return _name(name), int(number)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be NAME=COUNT, got {text!r}") from None


def _name(name: str) -> str:
    if not name or "/" in name:
        raise ValueError
    return name


def run(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    shares = options.fractions or options.counts
    if len(dict(shares)) < len(shares):
        raise ParameterError("each NAME must be given once")
    written = split(
        options.input,
        options.prefix,
        fractions=dict(options.fractions) if options.fractions else None,
        counts=dict(options.counts) if options.counts else None,
        stratify=options.stratify,
        seed=options.seed,
        path_imgidx=options.index,
        keys=options.keys,
        progress=not options.quiet,
    )
    if options.json:
        print_json({"parts": written})
    else:
        tell(written.values())
    return Exit.GOOD
