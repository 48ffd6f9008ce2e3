"""The exceptions of mxio.

    RuntimeError
    └── MxioError                 what mxio raises on purpose; also MXNetError
        ├── ParameterError        a parameter has a wrong value (also a ValueError)
        ├── DataError             the input is damaged; says path, record, id, offset
        └── Mxio...Error          the system refused; each is also the matching OSError,
                                  such as FileNotFoundError (made on demand)

An unknown or missing parameter, and a value of a wrong type, are a plain TypeError.
mxio.recordio raises what MXNet's does where a reader writes or a writer reads
(AssertionError), and ValueError for a file that is closed.
"""

import builtins
from typing import TypeGuard

__all__ = ["DataError", "MXNetError", "MxioError", "ParameterError", "system_error"]


class MxioError(RuntimeError):
    """What mxio raises on purpose; programs for MXNet catch it as MXNetError."""


MXNetError = MxioError


class ParameterError(MxioError, ValueError):
    """A parameter has a wrong value, or two of them exclude each other."""


class DataError(MxioError):
    """Damaged input.

    `path` names the file, `record` the ordinal of the record in the file set, `id` the
    id in its header, `offset` the byte in the file; each is None when it is not known.
    """

    def __init__(
        self,
        message: str,
        path: str | None = None,
        record: int | None = None,
        id: int | None = None,
        offset: int | None = None,
    ) -> None:
        super().__init__(message)
        self.path = path
        self.record = record
        self.id = id
        self.offset = offset

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.args[0], self.path, self.record, self.id, self.offset)


_system_kinds: dict[type[OSError], type[OSError]] = {}


def system_error(number: int, message: str, path: str | None = None) -> OSError:
    """An MxioError that is also the OSError which fits the errno `number`."""
    kind = _system_kind(type(OSError(number, message)))
    return kind(number, message, path) if path is not None else kind(number, message)


def _system_kind(builtin: type[OSError]) -> type[OSError]:
    if builtin not in _system_kinds:
        body = {"__module__": __name__}
        _system_kinds[builtin] = type(
            f"Mxio{builtin.__name__}", (builtin, MxioError), body
        )
    return _system_kinds[builtin]


def __getattr__(name: str) -> type[OSError]:
    """A system failure by its name: another process has to know what it unpickles."""
    builtin = getattr(builtins, name.removeprefix("Mxio"), None)
    if name.startswith("Mxio") and _is_system_error(builtin):
        return _system_kind(builtin)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _is_system_error(thing: object) -> TypeGuard[type[OSError]]:
    return isinstance(thing, type) and issubclass(thing, OSError)
