"""mx.log: loggers whose lines begin with level, time and place."""

import logging
import warnings
from logging import CRITICAL, DEBUG, ERROR, INFO, NOTSET, WARNING

from mxio.compat import _subset

__all__ = [
    "CRITICAL",
    "DEBUG",
    "ERROR",
    "INFO",
    "NOTSET",
    "WARNING",
    "getLogger",
    "get_logger",
]

_FORMAT = "%(levelname).1s%(asctime)s %(process)d %(pathname)s:%(lineno)d] %(message)s"


def get_logger(
    name: str | None = None,
    filename: str | None = None,
    filemode: str | None = None,
    level: int = WARNING,
) -> logging.Logger:
    """The logger of a name, with one handler that writes to a file, or to stderr.

    The root logger (name None) is given as it is.
    """
    logger = logging.getLogger(name)
    if name is not None and not logger.handlers:
        handler: logging.Handler = logging.StreamHandler()
        if filename is not None:
            handler = logging.FileHandler(filename, filemode or "a")
        handler.setFormatter(logging.Formatter(_FORMAT, "%m%d %H:%M:%S"))
        logger.addHandler(handler)
        logger.setLevel(level)
    return logger


def getLogger(
    name: str | None = None,
    filename: str | None = None,
    filemode: str | None = None,
    level: int = WARNING,
) -> logging.Logger:
    """The old name of get_logger."""
    warnings.warn(
        "getLogger is deprecated, use get_logger", DeprecationWarning, stacklevel=2
    )
    return get_logger(name, filename, filemode, level)


__getattr__ = _subset.close(__name__)
