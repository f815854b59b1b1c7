"""A few products of tables of items by judges, dense or sparse alike.

A table is a numpy array, or a compressed sparse one where most judges score few items; two
sparse tables that meet here have the same filled cells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FloatArray: TypeAlias = NDArray[np.float64]
Sparse: TypeAlias = "csr_array[np.float64, tuple[int, int]]"
Table: TypeAlias = "FloatArray | Sparse"

_BLOCK = 4096  # rows made dense at a time


def times(table: Table, dense: FloatArray) -> FloatArray:
    """Multiply a table by a dense vector or matrix."""
    return np.asarray(table @ dense)


def back(table: Table, dense: FloatArray) -> FloatArray:
    """Multiply the transpose of a table by a dense vector or matrix."""
    return np.asarray(table.T @ dense)


def gram(left: Table, weight: FloatArray, right: Table) -> FloatArray:
    """Sum weight times the outer product of two tables' rows (columns, columns)."""
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return np.asarray(left.T @ (weight[:, None] * np.asarray(right)))
    scaled = _like(right, right.data * np.repeat(weight, np.diff(right.indptr)))
    return np.asarray((left.T @ scaled).toarray())


def by_column(table: Table, factor: FloatArray) -> Table:
    """Multiply each column by a number."""
    if isinstance(table, np.ndarray):
        return np.asarray(table * factor)
    return _like(table, table.data * factor[table.indices])


def minus(left: Table, right: Table) -> Table:
    """Subtract a table from another."""
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        rest: FloatArray = np.asarray(left) - np.asarray(right)
        return rest
    return _like(left, left.data - right.data)


def over(left: Table, right: Table) -> Table:
    """Divide a table by another of positive numbers where that is filled; 0 elsewhere."""
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        below = np.asarray(right)
        ratio: FloatArray = np.zeros(below.shape)
        np.divide(np.asarray(left), below, out=ratio, where=below > 0)
        return ratio
    return _like(left, left.data / right.data)


def squared(table: Table) -> Table:
    """Square every cell."""
    if isinstance(table, np.ndarray):
        dense: FloatArray = np.square(table)
        return dense
    return _like(table, np.square(table.data))


def row_forms(table: Table, form: FloatArray) -> FloatArray:
    """Evaluate the quadratic form r' F r at every row r (rows,)."""
    forms = np.empty(table.shape[0])
    for low in range(0, len(forms), _BLOCK):
        part = table[low : low + _BLOCK]
        rows = part if isinstance(part, np.ndarray) else np.asarray(part.toarray())
        forms[low : low + _BLOCK] = np.einsum("rj,rj->r", rows @ form, rows)
    return forms


def _like(table: Sparse, data: FloatArray) -> Sparse:
    """Fill the same cells with other numbers."""
    from scipy.sparse import csr_array  # noqa: PLC0415  # only crowds need it

    return csr_array((data, table.indices, table.indptr), shape=table.shape)
