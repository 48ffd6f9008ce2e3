"""Runs public MXNet programs, unmodified, under mxio.compat; compares with MXNet.

    git clone --depth 1 https://github.com/deepinsight/insightface
    git clone --depth 1 --branch 1.9.1 https://github.com/apache/mxnet
    make integration INSIGHTFACE=insightface MXNET=mxnet REFERENCE=mxenv/bin/python

REFERENCE, which may be left out, is a Python 3.11 with mxnet==1.9.1, numpy==1.23.5,
opencv-python-headless<4.9, scikit-learn<1.4 and scipy<1.12: it runs the same programs
with MXNet itself, and what both write must be equal. The Python that runs this needs
mxio with its test packages, torchvision, scikit-learn and nose, but no h5py: MXNet's
test_io opens files as only h5py before 3 did, and leaves that out when there is none.

Not part of `make test`: nothing here fetches anything, and nothing of the fetched
programs is kept.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mxio.recordio import MXRecordIO

INSIGHTFACE = "{insightface}/recognition"
COMMON = f"{INSIGHTFACE}/arcface_mxnet/common"
TORCH = f"{INSIGHTFACE}/arcface_torch"
ITERATORS = f"{INSIGHTFACE}/arcface_mxnet/image_iter.py"
BUILDERS = {
    "mx": f"{COMMON}/rec_builder.py",
    "py": "{insightface}/python-package/insightface/data/rec_builder.py",
}
BUILT = "mx-pixels", "mx-bytes", "py-pixels", "py-bytes", "py-labels"
IM2REC = "{mxnet}/tools/im2rec.py"
PACKINGS = {
    "one": "",
    "two": "--num-thread 2",
    "bytes": "--pass-through",
    "small": "--resize 64 --center-crop --quality 80 --num-thread 2",
    "gray": "--encoding .png --quality 3 --color 0",
}
TESTS = "{mxnet}/tests/python/unittest"


class Client(NamedTuple):
    """A command line of a program, and which of its files MXNet makes equal.

    same: byte by byte. records: the same records, in any order. arrays: an .npz whose
    arrays are equal to those of another one that MXNet wrote, in what both have.
    Without any of these MXNet does not run it.
    """

    words: str
    same: tuple[str, ...] = ()
    records: str = ""
    arrays: tuple[str, str] | None = None


def clients() -> Iterator[Client]:
    """All of them; later ones read what earlier ones wrote."""
    for out in BUILT:
        kind, what = out.split("-")
        yield Client(
            f"{{drivers}} build {BUILDERS[kind]} {{faces}} {out} {what}",
            (f"{out}/train.rec", f"{out}/train.idx", f"{out}/property"),
        )
        made = f"{out}.npz"
        yield Client(f"{{drivers}} read {out} {made}", arrays=(made, made))
    yield Client(
        f"{TORCH}/scripts/shuffle_rec.py mx-bytes",
        records="shuffled_mx-bytes/train.rec",
    )
    yield Client(f"{COMMON}/rec2shufrec.py --input mx-bytes --output shuffled")
    yield Client(
        f"{COMMON}/rec2image.py --include mx-bytes --output images",
        ("images/*/*.jpg",),
    )
    for method in ("fork", "spawn"):
        made = f"{method}.npz"
        yield Client(
            f"{{drivers}} faces {TORCH}/dataset.py mx-bytes {made} {method}",
            arrays=(made, "mx-bytes.npz"),
        )
    yield Client(
        f"{{drivers}} iterate {ITERATORS} py-bytes/train.rec batches.npz",
        arrays=("batches.npz", "batches.npz"),
    )
    yield Client(f"{{drivers}} train {ITERATORS} shuffled_mx-bytes/train.rec")
    yield Client(
        f"{{drivers}} verify {TORCH}/eval/verification.py {{faces}} verification.npz"
    )
    for name, options in PACKINGS.items():
        start = f"{IM2REC} {name} {{faces}}"
        yield Client(f"{start} --list --recursive", (f"{name}.lst",))
        yield Client(f"{start} {options}", (f"{name}.rec", f"{name}.idx"))
    yield Client(f"-m pytest -q -p no:cacheprovider {TESTS}/test_recordio.py")
    yield Client(f"{{drivers}} test_image {TESTS}/test_image.py {{faces}}")
    yield Client(f"{{drivers}} test_io {TESTS}/test_io.py")


def main() -> int:
    """Run and compare all clients; 1 if one of them fails or differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--insightface", type=Path, required=True, metavar="DIR")
    parser.add_argument("--mxnet", type=Path, required=True, metavar="DIR")
    parser.add_argument("--reference", type=Path, metavar="PYTHON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        places = {
            "drivers": Path(__file__).with_name("drivers.py"),
            "faces": work / "faces",
            "insightface": options.insightface.resolve(),
            "mxnet": options.mxnet.resolve(),
        }
        write_faces(places["faces"])
        failed = 0
        for client in clients():
            problem = run(client, places, work, options.reference)
            failed += problem is not None
            words = client.words.format(
                drivers="-", faces="FACES", insightface="insightface", mxnet="mxnet"
            )
            print(f"{'FAILED' if problem else 'ok':8}{words}", flush=True)
            if problem is not None:
                print(problem)
    return 1 if failed else 0


def run(
    client: Client, places: dict[str, Path], work: Path, reference: Path | None
) -> str | None:
    """Why a client failed, if it did."""
    words = [word.format(**places) for word in client.words.split()]
    ours, theirs = work / "mxio", work / "mxnet"
    problem = start([sys.executable, "-m", "mxio.compat", "run", *words], ours)
    if problem is not None:
        return f"under mxio.compat: {problem}"
    if reference is None:
        return None
    writes_arrays = client.arrays and client.arrays[0] == client.arrays[1]
    if client.same or client.records or writes_arrays:
        problem = start([os.path.abspath(reference), *words], theirs)
        if problem is not None:
            return f"under MXNet: {problem}"
    return "\n".join(differences(client, ours, theirs)) or None


def start(command: list[str], folder: Path) -> str | None:
    """Run a program in a folder; what it said, if it failed."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=600
    )
    return None if done.returncode == 0 else done.stdout + done.stderr


def differences(client: Client, ours: Path, theirs: Path) -> Iterator[str]:
    """What is not as MXNet made it."""
    for pattern in client.same:
        names = [
            {str(path.relative_to(side)) for path in side.glob(pattern)}
            for side in (ours, theirs)
        ]
        if names[0] != names[1] or not names[0]:
            yield f"{pattern}: {sorted(names[0])} and {sorted(names[1])}"
        for name in names[0] & names[1]:
            if (ours / name).read_bytes() != (theirs / name).read_bytes():
                yield f"{name} differs"
    if client.records and records(ours / client.records) != records(
        theirs / client.records
    ):
        yield f"the records of {client.records} differ"
    if client.arrays is not None:
        made = np.load(ours / client.arrays[0])
        expected = np.load(theirs / client.arrays[1])
        names_of_both = set(made) & set(expected)
        if not names_of_both:
            yield f"{client.arrays[0]} has none of the arrays of {client.arrays[1]}"
        for name in names_of_both:
            if not np.array_equal(made[name], expected[name]):
                yield f"{name} of {client.arrays[0]} differs"


def records(path: Path) -> list[bytes]:
    """The records of a file, sorted."""
    with MXRecordIO(path, "r") as reader:
        return sorted(iter(reader.read, None))


def write_faces(folder: Path) -> None:
    """Seventy people with three to five JPEGs each: blurred colours, and noise."""
    rng = np.random.default_rng(5)
    for person in range(70):
        (folder / str(person)).mkdir(parents=True)
        coarse = rng.integers(0, 256, (7, 7, 3), np.uint8)
        face = cv2.resize(coarse, (112, 112), interpolation=cv2.INTER_CUBIC)
        for number in range(3 + person % 3):
            noisy = np.clip(face + rng.integers(-12, 13, face.shape), 0, 255)
            path = os.fspath(folder / str(person) / f"{number}.jpg")
            cv2.imwrite(path, noisy.astype(np.uint8))


if __name__ == "__main__":
    sys.exit(main())
