"""Parts of a data set: every record in exactly one, for any sizes, files, parts."""

import itertools
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mxio import recordio
from mxio._core import Loader

OPTIONS = {"data_shape": (1, 1, 1), "batch_size": 1, "preprocess_threads": 1}
# Sizes of the payloads of each file.
FILES = st.lists(
    st.lists(st.integers(0, 300), min_size=1, max_size=12), min_size=1, max_size=4
)


def write(folder: Path, sizes: list[list[int]]) -> tuple[list[str], list[int]]:
    """The files, and where their records start in all of them together."""
    paths: list[str] = []
    starts: list[int] = []
    base = 0
    for number, payloads in enumerate(sizes):
        path = folder / f"{number}.rec"
        with recordio.MXRecordIO(str(path), "w") as out:
            for size in payloads:
                starts.append(base)
                out.write(bytes(size))
                base += 8 + (size + 3) // 4 * 4
        paths.append(str(path))
    return paths, starts


def count(paths: list[str], parts: int, part: int, index: bytes | None) -> int:
    """Records of a part; 0 for an empty one, which is an error."""
    options = OPTIONS | {"path_imgrec": "x", "num_parts": parts, "part_index": part}
    try:
        loader = Loader(
            options,
            paths,
            False,
            lambda *_: np.zeros(0, np.uint8),
            index,
            None,
            None,
            None,
            None,
        )
    except Exception as error:
        assert f"part_index={part} of num_parts=" in str(error)
        return 0
    return loader.count()


@settings(max_examples=60)
@given(FILES, st.integers(1, 9))
def test_parts_by_bytes_hold_every_record_once(
    sizes: list[list[int]], parts: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths, starts = write(Path(folder), sizes)
        total = sum(Path(path).stat().st_size for path in paths)
        step = -(-total // parts)
        step += -step % 4
        bounds = [min(k * step, total) for k in range(parts + 1)]
        wanted = [
            sum(low <= start < high for start in starts)
            for low, high in itertools.pairwise(bounds)
        ]

        counts = [count(paths, parts, part, None) for part in range(parts)]

    assert counts == wanted
    assert sum(counts) == len(starts)


@settings(max_examples=60)
@given(FILES, st.integers(1, 9))
def test_parts_by_index_hold_every_record_once(
    sizes: list[list[int]], parts: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths, starts = write(Path(folder), sizes)
        lines = [f"{i}\t{start}\n" for i, start in enumerate(starts)]
        index = "".join(reversed(lines)).encode()
        step = -(-len(starts) // parts)
        wanted = [
            max(0, min((k + 1) * step, len(starts)) - k * step) for k in range(parts)
        ]

        counts = [count(paths, parts, part, index) for part in range(parts)]

    assert counts == wanted
