"""`mxio convert`: RecordIO, folders and WebDataset tars into each other.

MNIST's and CIFAR's files are read, too.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mxio._atomic import naming, refuse_replacing
from mxio._manifest import SUFFIX
from mxio.errors import DataError, ParameterError
from mxio.tools._command import (
    Exit,
    add_json,
    add_quiet,
    new_parser,
    print_json,
    progress_bar,
)

if TYPE_CHECKING:
    from mxio.tools._command import Commands
    from mxio.tools._samples import Source
    from mxio.tools._sinks import Sink

__all__ = ["ConvertReport", "add_parser", "convert", "move", "run"]

SOURCE_KINDS = ("rec", "folder", "webdataset", "mnist", "cifar10", "cifar100")
TARGET_KINDS = ("rec", "folder", "webdataset")
_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")

_Path = str | os.PathLike[str]


@dataclass(frozen=True)
class ConvertReport:
    """What `convert` wrote: its files (or folder), how many samples, the classes."""

    files: list[str]
    samples: int
    classes: list[str]


def convert(
    source: _Path | Sequence[_Path],
    target: _Path,
    *,
    source_kind: str | None = None,
    target_kind: str | None = None,
    classes: _Path | None = None,
    encoding: str = ".png",
    quality: int = 95,
    coarse: bool = False,
    progress: bool = False,
) -> ConvertReport:
    """Make `target` of the samples of one or more sources, one by one.

    source: "rec" RecordIO files; "folder" one folder of pictures, with a folder for
        each class, or with a list images.lst; "webdataset" tar files (.gz too);
        "mnist" image files, labels beside them; "cifar10", "cifar100" binary files.
        Several become one, in order. Pictures that are files stay byte for byte.
    target: "rec" with .idx and, when names of classes are known, .classes.txt;
        "folder", with a folder for each class and images.lst, which must not exist;
        "webdataset", one tar.
    source_kind, target_kind: one of those names; None tells it by the path.
    classes: a file with a name for each label, from 0, one on each line.
    encoding: ".png" or ".jpg" with `quality`, 1 to 100, for MNIST and CIFAR.
    coarse: take the 20 coarse labels of CIFAR-100, not the 100 fine ones.

    What was at `target` stays until all is written. Memory does not grow with the
    size. Ids: of "rec" and of a folder with a list those that are there, else 0, 1, ...

    Raises ParameterError for wrong arguments, DataError, naming file and place, for
    what cannot be used, FileExistsError for a folder that is there, OSError.
    """
    from mxio.tools._lock import locked
    from mxio.tools._samples import read_classes
    from mxio.tools._sinks import FolderSink, RecordSink, TarSink

    many = [source] if isinstance(source, str | os.PathLike) else list(source)
    paths = [os.fspath(path) for path in many]
    out = os.path.normpath(os.fspath(target))
    if not paths:
        raise ParameterError("source must name at least one file, got none")
    source_kind = source_kind or _kind_of(paths[0], os.path.isdir(paths[0]))
    if source_kind is None:
        with naming(paths[0]):
            os.stat(paths[0])
        raise _untold(paths[0], "source_kind", SOURCE_KINDS)
    target_kind = target_kind or _kind_of(out, not os.path.splitext(out)[1])
    if target_kind is None:
        raise _untold(out, "target_kind", TARGET_KINDS)
    if target_kind not in TARGET_KINDS:
        kinds = ", ".join(TARGET_KINDS)
        raise ParameterError(f"target_kind must be one of {kinds}, got {target_kind!r}")
    names = read_classes(classes) if classes is not None else ()
    read = _read(source_kind, paths, encoding, quality, coarse)
    read = replace(read, classes=names or read.classes)
    sink_of = {"rec": RecordSink, "folder": FolderSink, "webdataset": TarSink}
    with locked(f"{out}.lock"), sink_of[target_kind](out, read.classes) as sink:
        refuse_replacing(sink.files, read.files)
        count = move(read, sink, progress=progress)
    return ConvertReport(sink.files, count, list(read.classes))


def _kind_of(path: str, is_folder: bool) -> str | None:
    """What the name tells; None when it does not."""
    name = os.path.basename(path)
    if is_folder:
        return "folder"
    if name.endswith((".rec", SUFFIX)):
        return "rec"
    if name.endswith(_TAR_SUFFIXES):
        return "webdataset"
    return "mnist" if "images-idx3-ubyte" in name else None


def _untold(path: str, what: str, kinds: Sequence[str]) -> ParameterError:
    return ParameterError(
        f"{path}: its name does not tell the kind; {what} must be one of "
        f"{', '.join(kinds)}"
    )


def _read(
    kind: str, paths: list[str], encoding: str, quality: int, coarse: bool
) -> Source:
    from mxio.tools import _sources

    how = _sources.Encoding(encoding, quality)
    if coarse and kind != "cifar100":
        raise ParameterError(f"coarse is for cifar100, the source is {kind}")
    if kind == "rec":
        return _sources.read_records(paths)
    if kind == "folder":
        if len(paths) != 1:
            raise ParameterError(f"source must be one folder, got {len(paths)}")
        return _sources.read_folder(paths[0])
    if kind == "webdataset":
        return _sources.read_tars(paths)
    if kind == "mnist":
        return _sources.read_mnist(paths, how)
    if kind == "cifar10":
        return _sources.read_cifar(paths, 1, 0, how)
    if kind == "cifar100":
        return _sources.read_cifar(paths, 2, 0 if coarse else 1, how)
    kinds = ", ".join(SOURCE_KINDS)
    raise ParameterError(f"source_kind must be one of {kinds}, got {kind!r}")


def move(source: Source, sink: Sink, *, progress: bool) -> int:
    """Write all samples and publish the sink; how many there were.

    DataError when there is none.
    """
    count = 0
    what = os.path.basename(sink.files[0])
    with progress_bar(progress, what, source.count, "image") as advance:
        for sample in source.samples:
            sink.write(sample)
            count += 1
            advance(1)
        if count == 0:
            raise DataError(f"{sink.files[0]}: not written: the source has no sample")
        sink.publish()
    return count


def add_parser(commands: Commands) -> None:
    """Describe `mxio convert`."""
    parser = new_parser(
        commands,
        "convert",
        "from and to folders, WebDataset, MNIST, CIFAR",
        "Make TARGET of the samples of SOURCE: RecordIO files (.rec), folders with a\n"
        "folder for each class, WebDataset tars (.tar), MNIST's files and CIFAR's\n"
        "binary files. TARGET is a .rec, a folder or a .tar.",
    )
    parser.add_argument("source", nargs="+", metavar="SOURCE", help="what is read")
    parser.add_argument("target", metavar="TARGET", help="what is made")
    parser.add_argument(
        "--from",
        dest="source_kind",
        choices=SOURCE_KINDS,
        help="kind of SOURCE, when its name does not tell",
    )
    parser.add_argument(
        "--to",
        dest="target_kind",
        choices=TARGET_KINDS,
        help="kind of TARGET, when its name does not tell",
    )
    parser.add_argument(
        "--classes", metavar="FILE", help="names of the classes, one on each line"
    )
    parser.add_argument(
        "--encoding",
        default=".png",
        choices=(".png", ".jpg"),
        help="of MNIST's and CIFAR's pictures (default: .png, lossless)",
    )
    parser.add_argument(
        "--quality",
        type=int,
        default=95,
        metavar="N",
        help="of .jpg, 1 to 100 (default: %(default)s)",
    )
    parser.add_argument(
        "--coarse", action="store_true", help="CIFAR-100's 20 labels, not its 100"
    )
    add_quiet(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run `mxio convert`."""
    report = convert(
        options.source,
        options.target,
        source_kind=options.source_kind,
        target_kind=options.target_kind,
        classes=options.classes,
        encoding=options.encoding,
        quality=options.quality,
        coarse=options.coarse,
        progress=not options.quiet,
    )
    if options.json:
        print_json(report)
    else:
        print(f"{report.files[0]}: {report.samples} images")
    return Exit.GOOD
