"""Batches of sparse rows: scipy.sparse matrices where there is SciPy, else a small type
of the same shape.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np
import numpy.typing as npt

from mxio.ndarray import Context, NDArray

__all__ = ["CSRNDArray", "csr"]


class _MXNetMethods:
    """What MXNet's CSRNDArray has beside its three arrays; scipy.sparse lacks it."""

    stype = "csr"

    @property
    def context(self) -> Context:
        """The device of the array: cpu(0)."""
        return Context("cpu", 0)

    ctx = context

    def asnumpy(self) -> npt.NDArray[Any]:
        """A dense copy."""
        dense: npt.NDArray[Any] = self.toarray()  # type: ignore[attr-defined]
        return dense

    def wait_to_read(self) -> None:
        """Nothing to wait for: the values are there."""

    def __reduce__(self) -> tuple[Any, ...]:
        matrix: Any = self
        return csr, (matrix.data, matrix.indices, matrix.indptr, matrix.shape)


class CSRNDArray(_MXNetMethods):
    """A matrix in compressed sparse row format.

    data: the values, (nnz,). indices: their columns, (nnz,) int64, ascending in a row.
    indptr: where each row begins among them, (rows + 1,) int64.
    """

    ndim = 2

    def __init__(
        self,
        data: npt.NDArray[Any],
        indices: npt.NDArray[np.int64],
        indptr: npt.NDArray[np.int64],
        shape: tuple[int, int],
    ) -> None:
        self.data = data.view(NDArray)
        self.indices = indices.view(NDArray)
        self.indptr = indptr.view(NDArray)
        self.shape = shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.data.dtype

    @property
    def nnz(self) -> int:
        """Values that are stored."""
        return len(self.data)

    def toarray(self) -> npt.NDArray[Any]:
        """A dense copy."""
        dense = np.zeros(self.shape, self.dtype)
        rows = np.repeat(np.arange(self.shape[0]), np.diff(self.indptr.asnumpy()))
        dense[rows, self.indices.asnumpy()] = self.data.asnumpy()
        return dense

    def __repr__(self) -> str:
        return f"CSRNDArray(shape={self.shape}, dtype={self.dtype}, nnz={self.nnz})"


@functools.cache
def _kind() -> Any:
    """The type of sparse batches; SciPy is imported when the first one is made."""
    try:
        matrix = importlib.import_module("scipy.sparse").csr_matrix
    except ImportError:
        return None
    return type("CSRNDArray", (_MXNetMethods, matrix), {"__module__": __name__})


def csr(
    data: npt.NDArray[Any],
    indices: npt.NDArray[np.int64],
    indptr: npt.NDArray[np.int64],
    shape: tuple[int, int],
) -> Any:
    """A scipy.sparse.csr_matrix that has `asnumpy` and `stype`, or a CSRNDArray."""
    kind = _kind()
    if kind is None:
        return CSRNDArray(data, indices, indptr, shape)
    return kind((data, indices, indptr), shape=shape)
