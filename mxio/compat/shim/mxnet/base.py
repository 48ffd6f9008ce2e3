"""mx.base: the error, and the tuples of types that programs test with."""

import numpy as np

from mxio.compat import _subset
from mxio.errors import MXNetError

__all__ = [
    "MXNetError",
    "integer_types",
    "mx_real_t",
    "numeric_types",
    "py_str",
    "string_types",
]

integer_types = (int, np.int32, np.int64)
numeric_types = (float, int, np.generic)
string_types = (str,)
mx_real_t = np.float32


def py_str(text: bytes) -> str:
    """Text of UTF-8 bytes."""
    return text.decode()


__getattr__ = _subset.close(__name__)
