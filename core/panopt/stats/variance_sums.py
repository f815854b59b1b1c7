"""Sums of squares of an unbalanced table items x judges, and what each is expected to be.

Fitting constants (Henderson 1953, method III; Searle, Casella & McCulloch 1992, section 5.4) on the
means of the cells (item, judge): items adjusted for judges, judges adjusted for items, and what
neither explains; within the cells the repeats. Every expectation is a linear function of the four
variances, also where cells are missing or differ in repeats; a complete table gives the mean
squares of the two-way analysis of variance. Time and memory are linear in the scores, plus a
matrix judges x judges.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_JUDGES", "Cells", "Sums", "add_by", "add_up", "make_cells"]

FloatArray = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]

#: A matrix of more judges than this squared takes too long to take apart.
MOST_JUDGES = 2000
_BLOCK = 1 << 16  # entries of a dense block of items x judges held at a time
_ZERO = 1e-10  # eigenvalues below this share of the largest are none
_NOISE = 1e-20  # squares below this share of the whole are rounding


@dataclass(frozen=True, slots=True)
class Cells:
    """Scores of a table items x judges, those of one item by one judge taken together.

    Cells are in the order of the items, whose codes are from 0 without gaps.
    """

    item: Codes
    judge: Codes
    mean: FloatArray
    """Mean score of each cell, less that of all scores."""
    size: FloatArray
    """Scores of each cell."""
    squares: FloatArray
    """Sum of squares of each cell about its mean."""

    def part(self, start: int, stop: int) -> Cells:
        """Give the cells from one position to another, their items numbered from 0."""
        cut = slice(start, stop)
        return Cells(
            self.item[cut] - self.item[start],
            self.judge[cut],
            self.mean[cut],
            self.size[cut],
            self.squares[cut],
        )


@dataclass(frozen=True, slots=True)
class Sums:
    """Four sums of squares, their expectations, and their parts by item.

    A sum's expectation is ``item * var_item + judge * var_judge + cross * var_cross +
    repeat * var_repeat`` with the coefficients in its row; rows and columns are in the order
    item, judge, cross (item x judge), repeat.
    """

    total: FloatArray
    """Sums of squares (4,)."""
    expected: FloatArray
    """Coefficients (4, 4)."""
    df: FloatArray
    """Degrees of freedom (4,)."""
    by_item: FloatArray
    """Parts of the sums that each item holds (3, items): item, cross, repeat."""
    weight: FloatArray
    """What those parts are expected to be in proportion to (4, items): scores of the item by
    different judges, those less one, repeats less the cells, mean of 1 / repeats."""
    between: FloatArray
    """Information on differences of judges, items fitted (judges, judges)."""


def add_by(codes: Codes, values: FloatArray, n: int) -> FloatArray:
    """Add up values by code, 0 to n - 1."""
    sums: FloatArray = np.bincount(codes, weights=values, minlength=n).astype(
        np.float64, copy=False
    )
    return sums


def make_cells(item: Codes, judge: Codes, score: FloatArray, n_items: int, n_judges: int) -> Cells:
    """Take the scores of one item by one judge together.

    Parameters
    ----------
    item, judge
        Codes from 0 without gaps (scores,).
    score
        Finite numbers (scores,).
    n_items, n_judges
        How many there are of each.
    """
    key = item.astype(np.int64) * n_judges + judge
    centred = score - score.mean()
    ones, zeros = np.ones(1), np.zeros(1)
    if bool((key[1:] > key[:-1]).all()):  # one score a cell, in order
        return Cells(item, judge, centred, _fill(ones, key.size), _fill(zeros, key.size))
    if n_items * n_judges <= 4 * score.size + (1 << 16):
        there: NDArray[np.integer[Any]] | None = None
        place: NDArray[np.integer[Any]] = key
        counts = np.bincount(key, minlength=n_items * n_judges)
    else:
        there, place, counts = np.unique(key, return_inverse=True, return_counts=True)
    sums = add_by(place, centred, counts.size)
    if there is None and not counts.all():
        there = np.flatnonzero(counts)
    if there is None:
        rows = np.repeat(np.arange(n_items, dtype=np.int32), n_judges)
        columns = np.tile(np.arange(n_judges, dtype=np.int32), n_items)
    else:
        rows = (there // n_judges).astype(np.int32)
        columns = (there % n_judges).astype(np.int32)
    if counts.max() == 1:
        means = sums if counts.size == rows.size else sums[there]
        return Cells(rows, columns, means, _fill(ones, rows.size), _fill(zeros, rows.size))
    means = sums / np.maximum(counts, 1)
    squares = add_by(place, (centred - means[place]) ** 2, counts.size)
    squares[squares < _NOISE * float(centred @ centred)] = 0.0
    if counts.size > rows.size:
        counts, means, squares = counts[there], means[there], squares[there]
    return Cells(rows, columns, means, counts.astype(np.float64), squares)


def _fill(value: FloatArray, size: int) -> FloatArray:
    return np.broadcast_to(value, size)  # no memory


def add_up(cells: Cells, n_judges: int) -> Sums:
    """Add up the squares of one table, whose items are numbered from 0 without gaps.

    Parameters
    ----------
    cells
        From :func:`make_cells`, or a part of them.
    n_judges
        Number of judges, of whom some may have no score here; at most `MOST_JUDGES`.
    """
    item, judge = cells.item, cells.judge
    n_items, n_cells = int(item[-1]) + 1, item.size
    width = np.bincount(item, minlength=n_items).astype(np.float64)
    depth = np.bincount(judge, minlength=n_judges).astype(np.float64)
    alike = cells.size.min() == cells.size.max()
    step = max(1, _BLOCK // n_judges)
    edges = np.searchsorted(item, np.arange(0, n_items + step, step)).tolist()
    cuts = [
        (number * step, slice(start, stop)) for number, (start, stop) in enumerate(pairwise(edges))
    ]
    part = np.empty((5, n_items))  # item, cross, repeat, repeats, mean of 1 / repeats
    sums = np.zeros((3, n_judges))  # of cell means, their deviations, 1 / repeats
    shared, noise = np.zeros((n_judges, n_judges)), np.zeros((n_judges, n_judges))
    for first, cut in cuts:
        rows, columns, means = item[cut] - first, judge[cut], cells.mean[cut]
        here = slice(first, first + int(rows[-1]) + 1)
        own, inverse = width[here], 1.0 / cells.size[cut]
        centre = np.bincount(rows, weights=means) / own
        part[3, here] = np.bincount(rows, weights=cells.size[cut])
        part[4, here] = np.bincount(rows, weights=inverse) / own
        for row, values in enumerate((means, means - centre[rows], inverse)):
            sums[row] += add_by(columns, values, n_judges)
        shared += _shared(rows, columns, own, n_judges)
        if not alike:
            noise += _noise(rows, columns, own, inverse, n_judges)
    between = np.diag(depth) - shared
    solve, rank = _pseudo_inverse(between)
    effect = solve @ sums[1]
    centres, inverses = _ratio(sums[0], depth), _ratio(sums[2], depth)
    for first, cut in cuts:
        rows, columns, means = item[cut] - first, judge[cut], cells.mean[cut]
        here = slice(first, first + int(rows[-1]) + 1)
        rest = means - effect[columns]
        rest -= (np.bincount(rows, weights=rest) / width[here])[rows]
        rest *= rest
        spread = (means - centres[columns]) ** 2 - rest
        for row, values in enumerate((spread, rest, cells.squares[cut])):
            part[row, here] = np.bincount(rows, weights=values)
    lift = rank / float(cells.size[0]) if alike else float(np.sum(solve * noise))
    used = np.count_nonzero(depth)
    whole, in_items = sums[2].sum(), part[4].sum()
    expected = np.array(
        [
            [
                n_cells - used,
                0,
                n_items + rank - used,
                in_items + lift - inverses.sum(),
            ],
            [0, np.trace(between), rank, lift],
            [0, 0, n_cells - n_items - rank, whole - in_items - lift],
            [0, 0, 0, part[3].sum() - n_cells],
        ],
        dtype=np.float64,
    )
    df = np.array([n_items + rank - used, rank, expected[2, 2], expected[3, 3]])
    total = np.array([part[0].sum(), sums[1] @ effect, part[1].sum(), part[2].sum()])
    size = float(cells.mean @ cells.mean) + float(total[3])
    total[total < _NOISE * size] = 0.0  # rounding, not spread
    weight = np.stack([width, width - 1.0, part[3] - width, part[4]])
    return Sums(total, expected, df, part[:3], weight, between)


def _ratio(sums: FloatArray, counts: FloatArray) -> FloatArray:
    ratio: FloatArray = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    return ratio


def _shared(rows: Codes, columns: Codes, width: FloatArray, n_judges: int) -> FloatArray:
    """Add up, over items, 1 / judges of the item for every pair of its judges."""
    if rows.size == width.size * n_judges:
        return np.full((n_judges, n_judges), width.size / n_judges)
    there = np.zeros((width.size, n_judges))
    there[rows, columns] = 1.0
    found: FloatArray = np.matmul((there / width[:, None]).T, there)
    return found


def _noise(
    rows: Codes, columns: Codes, width: FloatArray, inverse: FloatArray, n_judges: int
) -> FloatArray:
    """Give the covariance of the judges' adjusted totals that repeats of variance 1 make."""
    there, variance = np.zeros((2, width.size, n_judges))
    there[rows, columns] = 1.0
    variance[rows, columns] = inverse
    share = there / width[:, None]
    crossed: FloatArray = np.matmul(variance.T, share)
    own = np.diag(variance.sum(axis=0))
    again: FloatArray = np.matmul((share * variance.sum(axis=1)[:, None]).T, share)
    return own - crossed - crossed.T + again


def _pseudo_inverse(matrix: FloatArray) -> tuple[FloatArray, int]:
    values, vectors = np.linalg.eigh(matrix)
    kept = values > _ZERO * max(1.0, float(values[-1]))
    vectors = vectors[:, kept]
    inverse: FloatArray = np.matmul(vectors / values[kept], vectors.T)
    return inverse, int(kept.sum())
