"""Runs programs written for MXNet, unmodified, on mxio.

    python -m mxio.compat run SCRIPT [ARGUMENT ...]
    python -m mxio.compat run -m MODULE [ARGUMENT ...]

Such a program, and every Python it starts, finds a package `mxnet` that holds MXNet's
data loading and nothing else. No other Python does.
"""

import builtins
import importlib
import importlib.util
import io
import os
import runpy
import sys
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from types import ModuleType

from mxio.compat._subset import MissingModuleError, MissingNameError
from mxio.errors import MxioError

__all__ = ["MissingModuleError", "MissingNameError", "activate", "main"]

_HERE = os.path.dirname(os.path.abspath(__file__))
_ROOT = os.path.dirname(os.path.dirname(_HERE))  # the folder that mxio lies in
_SHIM = os.path.join(_HERE, "shim")
_USAGE = """\
usage: python -m mxio.compat run SCRIPT [ARGUMENT ...]
       python -m mxio.compat run -m MODULE [ARGUMENT ...]

Run a program written for MXNet, unmodified, on mxio. It and the Pythons it starts find
a package mxnet that holds MXNet's data loading: mx.io, mx.recordio, mx.image, arrays,
gluon.data, and the tools, such as -m mxnet.tools.im2rec.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line as Python would run the program in it.

    Returns 0 when the program ran to its end, 1 when MXNet itself is in the way or the
    module is not there, 2 for a wrong command line or a script that cannot be read.
    What the program raises passes through, SystemExit included.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help") or words[1:] in (["-h"], ["--help"]):
        print(_USAGE, end="")
        return 0
    is_module = words[1:2] == ["-m"]
    program = words[2:] if is_module else words[1:]
    if words[0] != "run" or not program or program[0].startswith("-"):
        print(_USAGE, end="", file=sys.stderr)
        return 2
    try:
        activate()
        if is_module:
            _run_module(program)
        else:
            _run_script(program)
    except _CannotStart as problem:
        print(f"mxio.compat: {problem}", file=sys.stderr)
        return problem.exit_code
    return 0


def activate() -> None:
    """Make `import mxnet` find the shim, in this process and in those it starts.

    Raises MxioError when another mxnet is imported already: the two would share the
    name, and a program would get some of each.
    """
    loaded = sys.modules.get("mxnet")
    if loaded is not None and not _is_shim(loaded):
        place = getattr(loaded, "__file__", None) or "an unknown place"
        raise _CannotStart(
            f"MXNet itself is imported already, from {place}; run the program in a "
            "Python that has not imported it",
            1,
        )
    places = [_SHIM]
    if _ROOT in sys.path[:1] and _ROOT not in sys.path[1:]:
        places.append(_ROOT)  # Python was started there; its children may not be
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    places += [place for place in inherited if place and place not in places]
    os.environ["PYTHONPATH"] = os.pathsep.join(places)
    sys.path[:] = [_SHIM, *(place for place in sys.path if place != _SHIM)]
    if _ROOT in places and _ROOT not in sys.path[2:]:
        sys.path.append(_ROOT)
    # From here on no folder that the program puts before it on the path counts.
    importlib.import_module("mxnet")


class _CannotStart(MxioError):
    """The program cannot be started; says which exit code that is."""

    def __init__(self, problem: str, exit_code: int) -> None:
        super().__init__(problem)
        self.exit_code = exit_code


def _is_shim(module: ModuleType) -> bool:
    place = getattr(module, "__file__", None)
    return place is not None and os.path.dirname(os.path.dirname(place)) == _SHIM


def _run_script(words: list[str]) -> None:
    """Run words[0] with the rest as arguments, as __main__, which it stays."""
    path = os.path.abspath(words[0])
    try:
        with io.open_code(path) as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
    except OSError as error:
        raise _CannotStart(f"cannot open {words[0]}: {error.strerror}", 2) from None
    sys.argv[:] = words
    if not sys.flags.safe_path:
        sys.path[1] = os.path.dirname(os.path.realpath(path))
    program = ModuleType("__main__")
    # What Python sets for a script; multiprocessing looks for __file__ and __spec__.
    program.__dict__.update(
        __file__=path,
        __builtins__=builtins,
        __cached__=None,
        __loader__=SourceFileLoader("__main__", path),
    )
    sys.modules["__main__"] = program
    exec(code, program.__dict__)


def _run_module(words: list[str]) -> None:
    """The same for the module words[0]."""
    name = words[0]
    try:
        found = importlib.util.find_spec(name)
    except ImportError as error:
        raise _CannotStart(str(error), 1) from None
    if found is None:
        raise _CannotStart(f"no module named {name}", 1)
    sys.argv[:] = words
    runpy.run_module(name, run_name="__main__", alter_sys=True)
