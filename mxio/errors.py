"""The exceptions of mxio.

    RuntimeError
    └── MxioError                 everything mxio raises on purpose; also MXNetError
        ├── ParameterError        a parameter has a wrong value (also a ValueError)
        ├── DataError             the input is damaged; says path, record, id, offset
        └── Mxio...Error          the system refused; each is also the matching OSError,
                                  such as FileNotFoundError (made on demand)

An unknown or missing parameter is a plain TypeError.
"""

__all__ = ["DataError", "MXNetError", "MxioError", "ParameterError", "system_error"]


class MxioError(RuntimeError):
    """Whatever mxio raises on purpose; programs written for MXNet catch it as
    MXNetError.
    """


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
    builtin = type(OSError(number, message))
    if builtin not in _system_kinds:
        body = {"__module__": __name__}
        _system_kinds[builtin] = type(
            f"Mxio{builtin.__name__}", (builtin, MxioError), body
        )
    kind = _system_kinds[builtin]
    return kind(number, message, path) if path is not None else kind(number, message)
