"""The sparse type of LibSVMIter, with SciPy and without."""

import pickle
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mxio import _csr
from mxio._csr import CSRNDArray, csr

DENSE = [[0.5, 0.0, 1.5], [0.0, 0.0, 0.0], [0.0, -2.0, 0.0]]


def matrix() -> Any:
    return csr(
        np.array([0.5, 1.5, -2.0], np.float32),
        np.array([0, 2, 1], np.int64),
        np.array([0, 2, 2, 3], np.int64),
        (3, 3),
    )


@pytest.fixture
def without_scipy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    _csr._kind.cache_clear()
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    yield
    _csr._kind.cache_clear()


def test_a_sparse_matrix_has_the_methods_of_mxnet() -> None:
    sparse = matrix()

    sparse.wait_to_read()

    assert sparse.asnumpy().tolist() == DENSE
    assert type(sparse.asnumpy()) is np.ndarray
    assert (sparse.shape, sparse.dtype, sparse.stype) == ((3, 3), np.float32, "csr")
    assert str(sparse.context) == "cpu(0)"
    assert np.asarray(sparse.data).tolist() == [0.5, 1.5, -2.0]
    assert np.asarray(sparse.indices).tolist() == [0, 2, 1]
    assert np.asarray(sparse.indptr).tolist() == [0, 2, 2, 3]


def test_a_sparse_matrix_survives_pickling() -> None:
    copy = pickle.loads(pickle.dumps(matrix()))

    assert copy.asnumpy().tolist() == DENSE
    assert copy.stype == "csr"


def test_with_scipy_the_matrix_is_one_of_its_own() -> None:
    sparse = pytest.importorskip("scipy.sparse")

    made = matrix()

    assert isinstance(made, sparse.csr_matrix)
    assert (made @ np.eye(3)).tolist() == DENSE


@pytest.mark.usefixtures("without_scipy")
def test_without_scipy_the_small_type_does() -> None:
    made = matrix()

    assert type(made) is CSRNDArray
    assert made.asnumpy().tolist() == DENSE
    assert made.data.asnumpy().tolist() == [0.5, 1.5, -2.0]
    assert made.indices.dtype == made.indptr.dtype == np.int64
    assert (made.nnz, made.ndim) == (3, 2)
    assert repr(made) == "CSRNDArray(shape=(3, 3), dtype=float32, nnz=3)"
    assert pickle.loads(pickle.dumps(made)).asnumpy().tolist() == DENSE
