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

from panopt.stats.patterns import IntArray, distinct_rows
from panopt.stats.tables import FloatArray, Table

if TYPE_CHECKING:
    from panopt.stats.gaussian_repeats import Repeats

Codes: TypeAlias = NDArray[np.integer[Any]]

BLOCK = 1 << 13  # items gathered at a time: they stay in cache
_ROWS = 64  # cells of patterns that are summed by pattern however few the items
_ROOM = 20_000  # cells a dense table may have whatever the number of scores


@dataclass(frozen=True, slots=True)
class PanelSums:
    """Sufficient statistics of a panel, for scores centred by judge and divided by `scale`.

    Judges are numbered 0 .. judges - 1 and each has a score; rows are patterns of judges, or
    single items (`cross` is None).
    """

    counts: Table
    """Scores each judge gave to an item of the row (rows, judges)."""
    size: FloatArray
    """Items of the row (rows,)."""
    sums: Table
    """Scores summed over the row's items (rows, judges)."""
    cross: FloatArray | None
    """Products of an item's sums for two judges, summed over the row's items."""
    n: FloatArray
    """Scores of each judge (judges,)."""
    mass: FloatArray
    """Their weights summed: `n` where none is weighted (judges,)."""
    totals: FloatArray
    """Scores summed (judges,)."""
    squares: FloatArray
    """Squared scores summed (judges,)."""
    center: FloatArray
    """Raw score that is 0 here, near each judge's mean (judges,)."""
    scale: float
    """Standard deviation of the raw scores around their judge's mean."""
    cells: Table
    """Scores summed per item and judge (items, judges)."""
    order: NDArray[np.intp]
    """Items sorted by row (items,)."""
    starts: NDArray[np.intp]
    """Where each row begins in `order`, and its end (rows + 1,)."""
    repeats: Repeats | None = None
    """What repeats told, where scores are means of those."""


def panel_sums(
    item: Codes, judge: Codes, score: FloatArray, n_items: int, *, anchor: NDArray[np.bool_]
) -> PanelSums:
    """Sum scores in long format, in one pass.

    Parameters
    ----------
    item, judge
        Codes (scores,); every judge code from 0 to the largest occurs.
    score
        Scores (scores,).
    n_items
        Number of item codes; an item without a score is a row without counts.
    anchor
        Judges that share one center (judges,).

    Raises
    ------
    ValueError
        No judge's scores vary.

    Notes
    -----
    Time and memory are linear in the scores plus items x judges cells, or in the scores alone
    where fewer than one cell in eight is filled.
    """
    n = np.bincount(judge).astype(np.float64)
    n_judges = n.size
    center = _total(judge, score, n_judges) / n
    if anchor.any():
        center[anchor] = np.average(center[anchor], weights=n[anchor])
    deviation = center[judge]
    np.subtract(score, deviation, out=deviation)
    scale = float(np.sqrt(np.dot(deviation, deviation) / deviation.size))
    if scale <= 1e-12 * float(np.abs(center).max()):
        raise ValueError(
            "score: no judge's scores vary, so neither noise nor differences between items can be "
            "estimated; give scores that differ"
        )
    deviation /= scale
    totals = _total(judge, deviation, n_judges)
    counts: Table
    cells: Table
    tally: IntArray | None
    if n_items * n_judges > 8 * score.size + _ROOM:
        tally = None
        counts, cells = _sparse_tables(item, judge, deviation, n_items, n_judges)
    else:
        tally, cells = _dense_tables(item, judge, deviation, n_items, n_judges)
    squares = _total(judge, np.square(deviation, out=deviation), n_judges)
    del deviation
    moments = (n, n, totals, squares, center, scale)
    if tally is not None and isinstance(cells, np.ndarray):
        found = distinct_rows(tally, n_levels=int(tally.max()) + 1, return_inverse=True)
        if found.first.size * n_judges <= max(n_items, _ROWS) and found.inverse is not None:
            order = np.argsort(found.inverse.astype(_small(found.first.size)), kind="stable")
            starts = np.concatenate(([0], np.cumsum(found.counts))).astype(np.intp)
            sums, cross = _pattern_sums(cells, order, starts)
            rows = tally[found.first].astype(np.float64)
            size = found.counts.astype(np.float64)
            return PanelSums(rows, size, sums, cross, *moments, cells, order, starts)
        counts = tally.astype(np.float64)
    each = np.arange(n_items + 1)
    size = np.ones(n_items)
    return PanelSums(counts, size, cells, None, *moments, cells, each[:-1], each)


def _dense_tables(
    item: Codes, judge: Codes, deviation: FloatArray, n_items: int, n_judges: int
) -> tuple[IntArray, FloatArray]:
    """Count scores (in few bytes) and sum them per item and judge."""
    cell = item.astype(np.int64)
    cell *= n_judges
    cell += judge
    tally = np.bincount(cell, minlength=n_items * n_judges)
    most = int(tally.max())
    counts: IntArray = tally.astype(np.int8 if most < 1 << 7 else np.int32)
    del tally
    if most == 1:
        cells = np.zeros(n_items * n_judges)
        cells[cell] = deviation
    else:
        cells = _total(cell, deviation, n_items * n_judges)
    return counts.reshape(n_items, n_judges), cells.reshape(n_items, n_judges)


def _sparse_tables(
    item: Codes, judge: Codes, deviation: FloatArray, n_items: int, n_judges: int
) -> tuple[Table, Table]:
    from scipy.sparse import csr_array  # noqa: PLC0415  # only crowds need it

    at, shape = (item, judge), (n_items, n_judges)
    return csr_array((np.ones(item.size), at), shape), csr_array((deviation, at), shape)


def _total(code: Codes, value: FloatArray, size: int) -> FloatArray:
    return np.bincount(code, weights=value, minlength=size).astype(np.float64, copy=False)


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
        for low in range(starts[row], starts[row + 1], BLOCK):
            part = cells.take(order[low : min(low + BLOCK, starts[row + 1])], axis=0)
            sums[row] += np.ones(len(part)) @ part
            cross[row] += part.T @ part
    return sums, cross
