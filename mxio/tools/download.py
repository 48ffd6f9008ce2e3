"""`mxio download`: known data sets, fetched, checked, and made ready to load."""

from __future__ import annotations

import argparse
import contextlib
import errno
import gzip
import json
import os
import shutil
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mxio._atomic import PendingFile, atomic_text, naming, publish, remove_leftovers
from mxio.errors import DataError, ParameterError, system_error
from mxio.tools._command import Exit, add_json, add_quiet, new_parser, print_json
from mxio.tools._datasets import DATASETS, Dataset, RemoteFile

if TYPE_CHECKING:
    from mxio.tools._command import Commands

__all__ = ["DownloadReport", "add_parser", "download", "run"]

# What the example on MXNet's page of data loading calls its files, and crops to.
MEAN_NAME = "cifar10_mean.bin"
MEAN_SHAPE = (3, 28, 28)

_PIECE = 1 << 20
_LOCK = ".mxio-download.lock"


@dataclass(frozen=True)
class DownloadReport:
    """What `download` made: the folder, the files in it that are ready to use, the
    names of the classes, and how many bytes came over the network this time.
    """

    dataset: str
    folder: str
    files: list[str]
    classes: list[str]
    received: int


def download(
    dataset: str,
    to: str | os.PathLike[str] | None = None,
    *,
    mirror: str | None = None,
    timeout: float = 30.0,
    tries: int = 5,
    progress: bool = False,
) -> DownloadReport:
    """Fetch a data set into a folder, check it, and make it ready to load.

    dataset: "mnist" and "fashion-mnist" become the four files that MNISTIter reads;
        "cifar10" becomes train.rec and test.rec (lossless PNGs), each with .idx, .lst
        and .classes.txt, and cifar10_mean.bin, the mean image of the training set for
        data_shape (3, 28, 28).
    to: the folder, data/mnist, data/fashion-mnist or data/cifar if None.
    mirror: address of a folder from which to fetch instead of the usual servers.
    timeout: seconds until a silent server has failed. tries: how often each is asked.

    Fetched files are kept, and known by their SHA-256. What is there and whole is left
    alone; an interrupted call goes on where it stopped; of several calls at once one
    works, the others wait.

    Raises ParameterError for an unknown data set or a mirror that is no http(s)
    address; MxioError, naming server and reason, when the data cannot be had;
    FileExistsError when a file that would be made is there and is not from here;
    OSError naming a file that cannot be written.
    """
    from mxio.tools._fetch import checked_server
    from mxio.tools._lock import locked

    chosen = _known(dataset)
    servers = chosen.servers if mirror is None else (checked_server(mirror),)
    if not timeout > 0:
        raise ParameterError(f"timeout must be above 0 seconds, got {timeout}")
    if tries < 1:
        raise ParameterError(f"tries must be at least 1, got {tries}")
    folder = os.fspath(chosen.folder if to is None else to)
    with naming(folder):
        os.makedirs(folder, exist_ok=True)
    outputs = _outputs(dataset)
    with locked(os.path.join(folder, _LOCK), lambda: _say_waiting(folder)):
        record = _Record(folder, dataset)
        received = 0
        if not record.is_whole(outputs):
            record.claim(outputs)
            for file in chosen.files:
                received += _fetch_one(file, servers, folder, timeout, tries, progress)
            _make(dataset, chosen, folder, progress)
            record.finish(outputs)
    files = [os.path.join(folder, name) for name in outputs]
    return DownloadReport(dataset, folder, files, list(chosen.classes), received)


def _known(name: str) -> Dataset:
    if name not in DATASETS:
        names = ", ".join(DATASETS)
        raise ParameterError(f"dataset must be one of {names}, got {name!r}")
    return DATASETS[name]


def _say_waiting(folder: str) -> None:
    print(f"{folder}: another download is at work here; waiting", file=sys.stderr)


def _outputs(dataset: str) -> list[str]:
    """Names of the files that are made."""
    if dataset != "cifar10":
        return [name for file in DATASETS[dataset].files for name in file.members]
    suffixes = (".rec", ".idx", ".lst", ".classes.txt")
    return [
        *(f"{part}{suffix}" for part in ("train", "test") for suffix in suffixes),
        MEAN_NAME,
    ]


def _fetch_one(
    file: RemoteFile,
    servers: Sequence[str],
    folder: str,
    timeout: float,
    tries: int,
    progress: bool,
) -> int:
    from mxio.tools._fetch import fetch

    return fetch(
        [server + file.name for server in servers],
        os.path.join(folder, file.name),
        file.size,
        file.sha256,
        timeout=timeout,
        tries=tries,
        progress=progress,
    )


class _Record:
    """DATASET.json in the folder: which files are from here, and their checksums once
    all of them are whole.
    """

    def __init__(self, folder: str, dataset: str) -> None:
        self._folder = folder
        self._dataset = dataset
        self._path = os.path.join(folder, f"{dataset}.json")
        self._files = self._read()

    def _read(self) -> dict[str, Any]:
        try:
            with naming(self._path), open(self._path, encoding="utf-8") as file:
                found = json.load(file)
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or not isinstance(found.get("files"), dict):
            raise DataError(
                f"{self._path}: not written by mxio download; remove it, or choose "
                "another folder",
                self._path,
            )
        return dict(found["files"])

    def is_whole(self, names: Sequence[str]) -> bool:
        """Whether all of these files are there, with the checksums written down."""
        from mxio.tools._fetch import sha256_of

        return all(
            self._files.get(name) is not None
            and sha256_of(os.path.join(self._folder, name)) == self._files[name]
            for name in names
        )

    def claim(self, names: Sequence[str]) -> None:
        """Write down that these files will be made; FileExistsError when one is there
        that is not from here.
        """
        for name in names:
            path = os.path.join(self._folder, name)
            if name not in self._files and os.path.lexists(path):
                problem = "is there, and not from mxio download; choose another folder"
                raise system_error(errno.EEXIST, problem, path)
            remove_leftovers(path)
        self._write(dict.fromkeys(names))

    def finish(self, names: Sequence[str]) -> None:
        """Write down the checksums."""
        from mxio.tools._fetch import sha256_of

        self._write(
            {name: sha256_of(os.path.join(self._folder, name)) for name in names}
        )

    def _write(self, files: dict[str, str | None]) -> None:
        remove_leftovers(self._path)
        self._files = files
        record = {"schema": 1, "dataset": self._dataset, "files": files}
        with atomic_text(self._path) as file:
            json.dump(record, file, indent=1)
            file.write("\n")


def _make(dataset: str, chosen: Dataset, folder: str, progress: bool) -> None:
    """Make of the fetched files what the loaders read."""
    if dataset == "cifar10":
        _make_cifar(chosen, folder, progress)
        return
    for file in chosen.files:
        for name, limit in file.members.items():
            packed = os.path.join(folder, file.name)
            _unpack_gzip(packed, os.path.join(folder, name), limit)


def _unpack_gzip(packed: str, path: str, limit: int) -> None:
    out = PendingFile(path)
    try:
        with naming(packed), gzip.open(packed) as file:
            while piece := file.read(_PIECE):
                out.write(piece)
                if out.size > limit:
                    raise DataError(f"{packed}: holds more than {limit} bytes", packed)
        publish(out)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{packed}: damaged gzip data: {error}", packed) from None
    finally:
        out.discard()


def _make_cifar(chosen: Dataset, folder: str, progress: bool) -> None:
    from mxio.io import ImageRecordIter
    from mxio.tools._sinks import RecordSink
    from mxio.tools._sources import Encoding, read_cifar
    from mxio.tools.convert import move

    (archive,) = chosen.files
    with _extracted(os.path.join(folder, archive.name), archive.members) as paths:
        for part, chosen_paths in (("train", paths[:-1]), ("test", paths[-1:])):
            source = read_cifar(chosen_paths, 1, 0, Encoding(".png", 95))
            rec = os.path.join(folder, f"{part}.rec")
            with RecordSink(rec, chosen.classes, with_list=True) as sink:
                move(source, sink, progress=progress)
    mean = os.path.join(folder, MEAN_NAME)
    with naming(mean), contextlib.suppress(FileNotFoundError):
        os.unlink(mean)  # it is made by the loader, which keeps what is there
    ImageRecordIter(
        path_imgrec=os.path.join(folder, "train.rec"),
        data_shape=MEAN_SHAPE,
        batch_size=1,
        mean_img=mean,
    ).close()


@contextlib.contextmanager
def _extracted(archive: str, members: Any) -> Iterator[list[str]]:
    """Paths of the members, in the order asked for, while the block lasts.

    Names in the archive are compared, never used as paths.
    """
    from mxio.tools._tar import tar_members

    folder = f"{archive}.unpacked"
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    with naming(folder):
        os.mkdir(folder)
    try:
        paths = {
            name: os.path.join(folder, str(number))
            for number, name in enumerate(members)
        }
        missing = set(members)
        for member in tar_members(archive):
            if member.name not in missing:
                continue
            if member.size > members[member.name]:
                raise DataError(
                    f"{archive}: {member.name}: {member.size} bytes, "
                    f"at most {members[member.name]} are right",
                    archive,
                )
            path = paths[member.name]
            with naming(path), open(path, "xb") as file:
                while piece := member.read(_PIECE):
                    file.write(piece)
            missing.remove(member.name)
        if missing:
            raise DataError(f"{archive}: {min(missing)} is not in it", archive)
        yield list(paths.values())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def add_parser(commands: Commands) -> None:
    """Describe `mxio download`."""
    parser = new_parser(
        commands,
        "download",
        "fetch MNIST, Fashion-MNIST or CIFAR-10, ready to load",
        "Fetch a data set, check it by SHA-256, and make it ready to load. An\n"
        "interrupted download goes on where it stopped; what is whole is left alone.",
    )
    parser.add_argument(
        "dataset", choices=tuple(DATASETS), metavar="DATASET", help=", ".join(DATASETS)
    )
    parser.add_argument(
        "--to",
        metavar="DIR",
        help="folder for the files (default: "
        + ", ".join(known.folder for known in DATASETS.values())
        + ")",
    )
    parser.add_argument(
        "--mirror", metavar="URL", help="fetch from this folder of a web server instead"
    )
    add_quiet(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run `mxio download`."""
    report = download(
        options.dataset, options.to, mirror=options.mirror, progress=not options.quiet
    )
    if options.json:
        print_json(report)
        return Exit.GOOD
    title = DATASETS[report.dataset].title
    fetched = f"{report.received / 1e6:.1f} MB fetched"
    print(f"{title}: {fetched if report.received else 'nothing to fetch'}")
    for path in report.files:
        print(path)
    return Exit.GOOD
