"""Make lists of images, and pack the images of a list into a RecordIO file.

Two command lines share one packer: that of MXNet's C++ tool (`im2rec LIST ROOT OUTPUT
key=value ...`) and that of its Python tool (`im2rec.py PREFIX ROOT --list ...`).
"""

from __future__ import annotations

import argparse
import difflib
import errno
import inspect
import os
import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, NoReturn

from mxio._lists import EXTENSIONS, ListReport, make_list
from mxio._packing import PackReport, pack_list
from mxio._task import make_task
from mxio.errors import ParameterError, system_error
from mxio.tools._command import EXIT_CODES, Exit, guarded
from mxio.tools.pack import pack

__all__ = ["ListReport", "PackReport", "main", "make_list", "pack_list"]

# What the keys of the list form, and the same options of the prefix form, are about.
_KEYS = {
    "label_width": "labels on every line of the list",
    "pack_label": "store all labels of a line, not only the first",
    "resize": "new length of the shorter edge; 0 leaves images as they are",
    "center_crop": "cut out the square in the middle before resizing",
    "color": "1 colour, 0 gray, -1 as in the image file",
    "encoding": ".jpg or .png",
    "quality": "of JPEG, 1 to 100; compression of PNG, 0 to 9 (more means 3)",
    "inter_method": "0 nearest, 1 bilinear, 2 cubic, 3 area, 4 Lanczos, 9 the fitting "
    "one, 10 any",
    "unchanged": "store the image files as they are",
    "nsplit": "parts of the list; OUTPUT gets the suffix .part000 and so on",
    "part": "the part to pack",
}
_FLAG_KEYS = ("pack_label", "center_crop", "unchanged")
_LIST_FORM_DEFAULTS = {"label_width": 1}  # where they are not those of pack_list
_LISTING = {"list", "no_shuffle", *inspect.signature(make_list).parameters}
_SHARDING = {"shards", "worker", "ray"}
_BOOLEANS = {"1": True, "true": True, "0": False, "false": False}


def main(argv: list[str] | None = None) -> int:
    """The command `im2rec`; without arguments it prints its help.

    Gives the exit code, a mxio.tools._command.Exit.
    """
    words = sys.argv[1:] if argv is None else argv
    hint = "; the same command with --resume goes on"
    return guarded("im2rec", lambda: _run(words), hint)


def _run(words: list[str]) -> int:
    if not words or "-h" in words or "--help" in words:
        print(_full_help(), end="")
    elif _is_list_form(words):
        _run_list_form(words)
    else:
        _run_prefix_form(words)
    return Exit.GOOD


class _Parser(argparse.ArgumentParser):
    """A parser that raises ParameterError, with the nearest name of an unknown option.

    Only what was given is in the namespace: defaults are those of the functions called.
    """

    def __init__(self, usage: str, description: str) -> None:
        super().__init__(
            usage=usage,
            description=description,
            argument_default=argparse.SUPPRESS,
            add_help=False,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        raise ParameterError(message)

    def read(self, words: Sequence[str]) -> dict[str, Any]:
        """The arguments given; names may have _ for -, flags a value behind them."""
        plain: list[str] = []
        rest = deque(words)
        while rest:
            word = rest.popleft()
            if word.startswith("--"):
                name, equals, value = word.partition("=")
                name = name.replace("_", "-")
                action = self._option_string_actions.get(name)
                if action is None:
                    known = list(self._option_string_actions)
                    raise ParameterError(
                        f"unknown option {name}{_nearest(name, known)}"
                    )
                if action.type is _boolean and not equals:
                    has_value = bool(rest) and rest[0].lower() in _BOOLEANS
                    equals, value = "=", rest.popleft() if has_value else "true"
                if action.const is not None and not equals:
                    equals, value = "=", str(action.const)
                word = name + equals + value
            plain.append(word)
        return vars(self.parse_intermixed_args(plain))


def _boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError(f"{text!r} is not 1, 0, true or false") from None


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"


def _is_list_form(words: Sequence[str]) -> bool:
    """Whether there are three names, or key=value: the C++ tool's command line."""
    names = len(words) >= 3 and not any(word.startswith("-") for word in words[:3])
    return names or any(_is_setting(word) for word in words)


def _is_setting(word: str) -> bool:
    key, equals, _ = word.partition("=")
    return bool(equals) and key in _KEYS


def _run_list_form(words: Sequence[str]) -> None:
    given = _list_parser().read(words)
    list_path, root, output = (given.pop(name) for name in ("list", "root", "output"))
    if _is_setting(list_path) or _is_setting(root) or _is_setting(output):
        raise ParameterError(
            f"LIST ROOT OUTPUT must come first, got {list_path} {root} {output}"
        )
    settings = _LIST_FORM_DEFAULTS | dict(map(_parse_setting, given.pop("settings")))
    settings["pass_through"] = settings.pop("unchanged", False)
    if settings.get("resize", 0) <= 0:
        settings["center_crop"] = False  # as in the C++ tool, part of resizing only
    _pack_and_tell(list_path, root, output=output, **settings, **given)


def _parse_setting(word: str) -> tuple[str, Any]:
    key, equals, text = word.partition("=")
    if not equals:
        raise ParameterError(f"expected key=value behind the output, got {word!r}")
    if key not in _KEYS:
        raise ParameterError(f"unknown key {key}{_nearest(key, list(_KEYS))}")
    if key == "encoding":
        return key, text
    try:
        return key, _boolean(text) if key in _FLAG_KEYS else int(text)
    except ValueError:
        kind = "0 or 1" if key in _FLAG_KEYS else "a whole number"
        raise ParameterError(f"{key} must be {kind}, got {text!r}") from None


def _run_prefix_form(words: Sequence[str]) -> None:
    given = _prefix_parser().read(words)
    prefix, root = given.pop("prefix"), given.pop("root")
    listing = {name: given.pop(name) for name in _LISTING & given.keys()}
    if listing.pop("list", False):
        _list_and_tell(prefix, root, given.get("quiet", False), **listing)
        return
    lists = _lists_of(prefix)
    if len(lists) > 1 and "report" in given:
        raise ParameterError(f"--report is for one list, there are {len(lists)}")
    if len(lists) > 1 and not given.keys() & _SHARDING:
        given["done_record"] = True  # --resume is to know which are finished
    for path in lists:
        _pack_and_tell(path, root, **given)


def _lists_of(prefix: str) -> list[str]:
    """Every file in the folder `prefix`, if it is one with lists, or else whose path
    starts with `prefix`, that ends in .lst.
    """
    places = [(prefix, "")] if os.path.isdir(prefix) else []
    for folder, start in [*places, os.path.split(prefix)]:
        names = sorted(os.listdir(folder or "."))
        chosen = [
            name for name in names if name.startswith(start) and name.endswith(".lst")
        ]
        if chosen:
            return [os.path.join(folder, name) for name in chosen]
    problem = "No such list; --list makes one"
    raise system_error(errno.ENOENT, problem, f"{prefix}*.lst")


def _list_and_tell(prefix: str, root: str, quiet: bool, **settings: Any) -> None:
    if settings.pop("no_shuffle", False):
        settings["shuffle"] = False
    report = make_list(prefix, root, **settings)
    if quiet:
        return
    if settings.get("recursive", False):
        for folder, label in report.labels.items():
            print(folder.encode(errors="backslashreplace").decode(), label)
    print(f"{report.images} images in {', '.join(report.paths)}")


def _pack_and_tell(
    list_path: str, root: str, *, quiet: bool = False, **settings: Any
) -> None:
    start = time.monotonic()
    report = pack(list_path, root, progress=not quiet, **settings)
    for count, what in (
        (report.duplicates, "lines repeat an id; the index finds the last of each"),
        (
            report.rounded,
            "lines have labels that float32 rounds; path_imglist does not",
        ),
        (report.skipped, "bad lines or images were skipped"),
    ):
        if count:
            print(f"im2rec: {list_path}: {count} {what}", file=sys.stderr)
    if not quiet:
        seconds = time.monotonic() - start
        before = f" ({report.resumed} lines were done before)" * bool(report.resumed)
        print(f"{report.output}: {report.packed} images{before} in {seconds:.1f} s")


def _list_parser() -> _Parser:
    parser = _Parser(
        "im2rec LIST ROOT OUTPUT [key=value ...] [options]",
        "Pack the images of LIST, found under ROOT, into OUTPUT, with an index beside "
        "it. A line of LIST is id, label(s) and path, separated by tabs or blanks.",
    )
    for name in ("list", "root", "output"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("settings", nargs="*", default=[], help=argparse.SUPPRESS)
    _add_common_options(parser)
    return parser


def _prefix_parser() -> _Parser:
    parser = _Parser(
        "im2rec PREFIX ROOT --list [options]\n       im2rec PREFIX ROOT [options]",
        "With --list, list the images under ROOT in PREFIX.lst; without, pack every "
        "list PREFIX*.lst into a .rec and a .idx beside it. A flag may have a value: "
        "--list, --list 1 and --list=true are the same.",
    )
    for name in ("prefix", "root"):
        parser.add_argument(name, help=argparse.SUPPRESS)

    lists = parser.add_argument_group("making lists")
    _add_flag(lists, "--list", "make lists instead of packing")
    suffixes = " ".join(EXTENSIONS)
    _add(lists, "--exts", f"suffixes of images [{suffixes}]", nargs="+", metavar="EXT")
    _add(lists, "--chunks", "lists to make [1]", type=int)
    _add(lists, "--train-ratio", "share for PREFIX_train.lst [1]", type=float)
    _add(lists, "--test-ratio", "share for PREFIX_test.lst [0]", type=float)
    _add_flag(lists, "--recursive", "look into folders, each with a label of its own")
    _add_flag(lists, "--no-shuffle", "keep the sorted order")
    _add_flag(lists, "--shuffle", "the same the other way round, on by default")

    packing = parser.add_argument_group("packing")
    for name in ("resize", "color", "quality"):
        _add(packing, f"--{name}", f"{_KEYS[name]} [{_default(name)}]", type=int)
    _add(packing, "--encoding", f"{_KEYS['encoding']} [{_default('encoding')}]")
    _add_flag(packing, "--center-crop", _KEYS["center_crop"])
    _add_flag(packing, "--pack-label", _KEYS["pack_label"])
    _add_flag(packing, "--pass-through", _KEYS["unchanged"])
    _add_common_options(parser)
    return parser


def _add_common_options(parser: _Parser) -> None:
    group = parser.add_argument_group("options")
    _add(group, "--num-thread", "threads; 0 means every core [0]", type=int)
    doc = "skip leaves bad images out, fail stops at the first one [skip]"
    _add(group, "--on-error", doc, choices=("skip", "fail"))
    doc = "shrink large JPEGs already while they are decoded: faster, other pixels"
    _add_flag(group, "--scaled-decode", doc)
    doc = "write JPEGs for fast loading, without loss; any reader reads them"
    _add_flag(group, "--repack", doc)
    _add_flag(group, "--resume", "go on where an interrupted run was whole")
    _add(group, "--report", "file for bad lines and images, with reasons")
    _add(group, "--shards", "files to make, NAME-00000-of-00008.rec ...", type=int)
    doc = "pack the i-th of n shares of the shards; env: as the launcher says"
    _add(group, "--worker", doc, metavar="i/n|env")
    doc = "make the shards on a Ray cluster: --ray, or --ray=ADDRESS"
    _add(group, "--ray", doc, nargs="?", const="auto", metavar="ADDRESS")
    _add_flag(group, "--quiet", "show problems, but no progress")


def _add(group: Any, option: str, doc: str, **settings: Any) -> None:
    settings.setdefault("metavar", "VALUE")
    group.add_argument(option, help=doc, **settings)


def _add_flag(group: Any, option: str, doc: str) -> None:
    group.add_argument(option, help=doc, type=_boolean, nargs="?", metavar="BOOL")


def _default(name: str) -> Any:
    """The default of a setting of `pack_list`."""
    return inspect.signature(make_task).parameters[name].default


def _full_help() -> str:
    pack_list_names = {"unchanged": "pass_through"}
    defaults = {key: _default(pack_list_names.get(key, key)) for key in _KEYS}
    shown = {
        key: f"{key}={value:d}" if isinstance(value, int) else f"{key}={value}"
        for key, value in (defaults | _LIST_FORM_DEFAULTS).items()
    }
    return (
        "im2rec packs images into RecordIO files, in one of two ways.\n\n"
        f"{_prefix_parser().format_help()}\n\n{_list_parser().format_help()}\nkeys:\n"
        + "".join(f"  {text:<17} {_KEYS[key]}\n" for key, text in shown.items())
        + f"\n{EXIT_CODES}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
