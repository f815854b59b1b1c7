"""Compress a panel's scores into the sums its Gaussian likelihood needs.

Items scored by the same judges equally often share one covariance matrix, so for each such
pattern of judges the number of items, the summed scores and their summed cross products are
sufficient. Where almost every item has its own pattern (crowds), each item is its own row and
its cross products are the product of its sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from panopt.stats.patterns import distinct_rows

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FloatArray: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.integer[Any]]
Matrix: TypeAlias = "FloatArray | csr_array[np.float64, tuple[int, int]]"

_BLOCK = 1 << 16  # items gathered at a time
_ROOM = 100_000  # cells a dense table may have whatever the number of scores


@dataclass(frozen=True, slots=True)
class PanelSums:
    """Sufficient statistics of a panel, for scores centred by judge and divided by `scale`.

    Judges are numbered 0 .. judges - 1 and each has a score; rows are patterns of judges, or
    single items (`cross` is None).
    """

    counts: Matrix
    """Scores each judge gave to an item of the row (rows, judges)."""
    size: FloatArray
    """Items of the row (rows,)."""
    sums: Matrix
    """Scores summed over the row's items (rows, judges)."""
    cross: FloatArray | None
    """Products of an item's sums for two judges, summed over the row's items."""
    n: FloatArray
    """Scores of each judge (judges,)."""
    squares: FloatArray
    """Squared scores summed (judges,)."""
    center: FloatArray
    """Mean raw score of each judge (judges,)."""
    scale: float
    """Standard deviation of the raw scores around their judge's mean."""
    cells: Matrix
    """Scores summed per scored item and judge (items, judges)."""
    scored: NDArray[np.intp]
    """Code of each scored item, in the order of `cells` (items,)."""
    order: NDArray[np.intp]
    """Positions in `cells` sorted by row (items,)."""
    starts: NDArray[np.intp]
    """Where each row begins in `order`, and its end (rows + 1,)."""


def panel_sums(item: Codes, judge: Codes, score: FloatArray, n_items: int) -> PanelSums:
    """Sum scores in long format, in one pass.

    Parameters
    ----------
    item, judge
        Codes (scores,); every judge code from 0 to the largest occurs.
    score
        Scores (scores,), not all equal within each judge.
    n_items
        Number of item codes; items without a score are left out.

    Notes
    -----
    Time and memory are linear in the scores plus items x judges cells, or in the scores alone
    where fewer than one cell in eight is filled.
    """
    n = np.bincount(judge).astype(np.float64)
    n_judges = n.size
    center = np.bincount(judge, weights=score) / n
    deviation = center[judge]
    np.subtract(score, deviation, out=deviation)
    scale = float(np.sqrt(np.dot(deviation, deviation) / deviation.size))
    deviation /= scale
    dense = n_items * n_judges <= 8 * score.size + _ROOM
    tables = _dense_tables if dense else _sparse_tables
    counts, cells, scored = tables(item, judge, deviation, n_items, n_judges)
    squares = np.bincount(judge, weights=np.square(deviation, out=deviation))
    del deviation
    if isinstance(counts, np.ndarray):
        found = distinct_rows(counts, n_levels=int(counts.max()) + 1, return_inverse=True)
        if found.first.size * n_judges <= max(len(scored), 64) and found.inverse is not None:
            order = np.argsort(found.inverse.astype(_small(found.first.size)), kind="stable")
            starts = np.concatenate(([0], np.cumsum(found.counts))).astype(np.intp)
            sums, cross = _pattern_sums(cells, order, starts)
            rows = counts[found.first].astype(np.float64)
            size = found.counts.astype(np.float64)
            return PanelSums(
                rows, size, sums, cross, n, squares, center, scale, cells, scored, order, starts
            )
        counts = counts.astype(np.float64)
    each = np.arange(len(scored) + 1)
    size = np.ones(len(scored))
    return PanelSums(
        counts, size, cells, None, n, squares, center, scale, cells, scored, each[:-1], each
    )


def _dense_tables(
    item: Codes, judge: Codes, deviation: FloatArray, n_items: int, n_judges: int
) -> tuple[NDArray[Any], FloatArray, NDArray[np.intp]]:
    cell = item.astype(np.int64)
    cell *= n_judges
    cell += judge
    counts = np.bincount(cell, minlength=n_items * n_judges)
    most = int(counts.max())
    counts = counts.astype(np.int8 if most < 1 << 7 else np.int32).reshape(n_items, n_judges)
    if most == 1:
        cells = np.zeros(n_items * n_judges)
        cells[cell] = deviation
    else:
        cells = np.bincount(cell, weights=deviation, minlength=n_items * n_judges)
    cells = cells.reshape(n_items, n_judges)
    scored = np.flatnonzero(counts.any(axis=1))
    if len(scored) < n_items:
        counts, cells = counts[scored], cells[scored]
    return counts, cells, scored


def _sparse_tables(
    item: Codes, judge: Codes, deviation: FloatArray, n_items: int, n_judges: int
) -> tuple[Matrix, Matrix, NDArray[np.intp]]:
    from scipy.sparse import csr_array  # noqa: PLC0415  # only crowds need it

    scored = np.flatnonzero(np.bincount(item, minlength=n_items))
    place = np.empty(n_items, dtype=np.intp)
    place[scored] = np.arange(len(scored))
    at, shape = (place[item], judge), (len(scored), n_judges)
    return (
        csr_array((np.ones(len(deviation)), at), shape),
        csr_array((deviation, at), shape),
        scored,
    )


def _small(size: int) -> type[np.unsignedinteger[Any]]:
    """Give a type that numpy sorts by radix where it can."""
    return np.uint8 if size < 1 << 8 else np.uint16 if size < 1 << 16 else np.uint32


def _pattern_sums(
    cells: FloatArray, order: NDArray[np.intp], starts: NDArray[np.intp]
) -> tuple[FloatArray, FloatArray]:
    n_rows, n_judges = len(starts) - 1, cells.shape[1]
    sums = np.zeros((n_rows, n_judges))
    cross = np.zeros((n_rows, n_judges, n_judges))
    for row in range(n_rows):
        for low in range(starts[row], starts[row + 1], _BLOCK):
            part = cells[order[low : min(low + _BLOCK, starts[row + 1])]]
            sums[row] += part.sum(axis=0)
            cross[row] += part.T @ part
    return sums, cross


def times(matrix: Matrix, dense: FloatArray) -> FloatArray:
    """Multiply a table of rows by a dense matrix."""
    return np.asarray(matrix @ dense)


def back(matrix: Matrix, dense: FloatArray) -> FloatArray:
    """Multiply the transpose of a table of rows by a dense matrix."""
    return np.asarray(matrix.T @ dense)


def gram(left: Matrix, weight: FloatArray, right: Matrix) -> FloatArray:
    """Sum weight times the outer product of two tables' rows (judges, judges)."""
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return np.asarray(left.T @ (weight[:, None] * right))
    from scipy.sparse import csr_array  # noqa: PLC0415

    return np.asarray((csr_array(left).T @ csr_array(right).multiply(weight[:, None])).toarray())


def by_column(matrix: Matrix, factor: FloatArray) -> Matrix:
    """Multiply each judge's column by a number."""
    if isinstance(matrix, np.ndarray):
        return matrix * factor
    scaled = matrix.copy()
    scaled.data *= factor[scaled.indices]
    return scaled


def on_filled(matrix: Matrix, counts: Matrix, function: np.ufunc) -> Matrix:
    """Apply a ufunc to the filled cells of two tables with the same cells; 0 elsewhere."""
    if isinstance(matrix, np.ndarray) and isinstance(counts, np.ndarray):
        return np.asarray(function(matrix, counts, out=np.zeros(counts.shape), where=counts > 0))
    result = matrix.copy()
    result.data = function(matrix.data, counts.data)  # type: ignore[union-attr]
    return result


def row_forms(matrix: Matrix, form: FloatArray) -> FloatArray:
    """Evaluate the quadratic form r' F r at every row r (rows,)."""
    if isinstance(matrix, np.ndarray):
        return np.einsum("rj,rj->r", matrix @ form, matrix)
    forms = np.empty(matrix.shape[0])
    for low in range(0, matrix.shape[0], 4096):
        part = matrix[low : low + 4096]
        forms[low : low + 4096] = np.asarray(part.multiply(part @ form).sum(axis=1)).ravel()
    return forms
