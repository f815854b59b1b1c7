"""Compare ratings of the same unit with ratings drawn from all units: Krippendorff's alpha.

Alpha is 1 - observed / expected disagreement over the pairable ratings (those of units with
two or more ratings). Raters are interchangeable in it, so a unit is its sorted ratings, and units
with the same sorted ratings are one pattern with a count. Krippendorff 2011, "Computing
Krippendorff's alpha-reliability"; ordinal differences are differences of mid-ranks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.stats.patterns import IntArray, distinct_rows, few_level_codes, level_codes
from panopt.stats.ratio import pairs_total

FloatArray = NDArray[np.float64]
Coefficient = Callable[[FloatArray], FloatArray]

_MOST_LEVELS = 1 << 12  # beyond this, rows hardly ever coincide
_ROWS = 1 << 14  # rows summed at a time: they stay in cache
_DENSE_LEVELS = 64  # up to here a matrix product counts levels faster than a loop
_DENSE_CELLS = 1 << 20  # patterns x levels held as a matrix at most: 8 MB


@dataclass(frozen=True, slots=True)
class Units:
    """Rated units as distinct sorted rows: who gave which rating is left out."""

    values: FloatArray
    """Ratings of each pattern in rising order, NaN after the last (patterns, most ratings)."""
    counts: NDArray[np.int64]
    """Units that carry each pattern (patterns,)."""
    sizes: FloatArray
    """Ratings in each pattern (patterns,)."""
    kept: NDArray[np.intp]
    """Positions of these units among all rows of the ratings (units,)."""
    pattern: NDArray[np.intp]
    """Pattern of each of these units (units,)."""

    @property
    def n_units(self) -> int:
        """Number of units."""
        return self.kept.size

    @property
    def n_ratings(self) -> int:
        """Number of ratings."""
        return int(self.counts @ self.sizes)


def rated_units(ratings: FloatArray, *, at_least: int = 2) -> Units:
    """Keep the units with enough ratings and merge those with the same ratings.

    Parameters
    ----------
    ratings
        Matrix (units, raters) of finite numbers, NaN missing.
    at_least
        Ratings a unit needs; 2 makes it pairable.

    Examples
    --------
    >>> units = rated_units(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, np.nan]]))
    >>> units.values.tolist(), units.counts.tolist()
    ([[0.0, 1.0]], [2])
    """
    coded = few_level_codes(ratings, limit=_MOST_LEVELS)
    rated = ~np.isnan(ratings) if coded is None else coded[1] >= 0
    sizes = np.zeros(ratings.shape[0], dtype=np.int64)
    for column in rated.T:
        sizes += column
    kept = np.flatnonzero(sizes >= at_least)
    every = kept.size == sizes.size
    if not every:
        sizes = sizes[kept]
    most = int(sizes.max(initial=0))
    if coded is None:
        values = np.sort(ratings if every else ratings[kept], axis=1)[:, :most]
        one = np.ones(kept.size, dtype=np.int64)
        return Units(values, one, sizes.astype(np.float64), kept, np.arange(kept.size))
    levels, codes = coded[0], coded[1] if every else coded[1][kept]
    found = distinct_rows(codes, n_levels=levels.size, return_inverse=True)
    rows = codes[found.first].astype(np.int32)
    rows[rows < 0] = levels.size  # missing ones go last
    rows = np.sort(rows, axis=1)[:, :most]
    values = np.append(levels, np.nan)[rows]
    rows[rows == levels.size] = -1
    merged = distinct_rows(rows, n_levels=levels.size, return_inverse=True)
    joined = merged.pattern_of_rows()
    counts = np.bincount(joined, weights=found.counts, minlength=merged.first.size)
    return Units(
        values[merged.first],
        counts.astype(np.int64),
        (rows[merged.first] >= 0).sum(axis=1).astype(np.float64),
        kept,
        joined[found.pattern_of_rows()],
    )


def krippendorff(units: Units, level: str) -> Coefficient:
    """Prepare alpha as a function of how often each pattern occurs.

    Parameters
    ----------
    units
        Patterns of the pairable units.
    level
        "nominal", "ordinal", "interval" or "ratio".

    Returns
    -------
    callable
        Takes weights (data sets, patterns), gives alpha (data sets,), NaN where the weighted
        ratings are all equal. Ordinal ranks are those of each data set.
    """
    if level == "interval":
        return _interval(units)
    levels, codes = level_codes(units.values)
    tally = level_tally(codes, levels.size)
    if level == "ordinal":
        return _ordinal(units, codes, tally)
    within = unlike_pairs(codes) if level == "nominal" else _ratio_pairs(units.values)
    within /= units.sizes - 1

    def alpha(weights: FloatArray) -> FloatArray:
        found = tally(weights)
        n = weights @ units.sizes
        if level == "nominal":
            total = n**2 - np.square(found).sum(axis=1)
        else:
            total = pairs_total(levels, found)
        varied = np.count_nonzero(found, axis=1) > 1
        return _coefficient(n, weights @ within, total, varied)

    return alpha


def _coefficient(
    n: FloatArray, within: FloatArray, total: FloatArray, varied: NDArray[np.bool_]
) -> FloatArray:
    """Turn sums over ordered pairs, inside units and over all ratings, into alpha."""
    value = np.full(n.shape, np.nan)
    np.divide((n - 1) * within, total, out=value, where=varied & (total > 0))
    return 1.0 - value


def _interval(units: Units) -> Coefficient:
    """Interval alpha needs no matrix of levels: moments are enough."""
    low, high, columns = _moments(units)

    def alpha(weights: FloatArray) -> FloatArray:
        n, total, squares, inside = (weights @ columns).T
        expected = 2.0 * (n * squares - total**2)
        varied = expected > 1e-9 * n * squares
        for at in np.flatnonzero(~varied):  # rounding or a real but small spread: look
            drawn = weights[at] > 0
            varied[at] = drawn.any() and low[drawn].min() < high[drawn].max()
        return _coefficient(n, inside, expected, varied)

    return alpha


def _moments(units: Units) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give least and greatest rating of each pattern, and the four sums interval alpha adds up."""
    values, sizes = units.values, units.sizes
    low = values[:, 0]
    high = values[np.arange(sizes.size), sizes.astype(np.intp) - 1]
    columns = np.empty((sizes.size, 4))
    # Centred sums: squares of the scores themselves would lose the digits of their spread.
    center = float(low.mean()) if low.size else 0.0
    for start in range(0, sizes.size, _ROWS):
        rows = slice(start, start + _ROWS)
        size, rated = sizes[rows], ~np.isnan(values[rows])
        gaps = np.where(rated, values[rows] - center, 0.0)
        first = gaps.sum(axis=1)
        spread = np.where(rated, gaps - (first / size)[:, None], 0.0)
        within = 2.0 * size / (size - 1) * np.square(spread).sum(axis=1)
        within[low[rows] == high[rows]] = 0.0
        columns[rows] = np.stack((size, first, np.square(gaps).sum(axis=1), within), axis=1)
    return low, high, columns


def _ordinal(units: Units, codes: IntArray, tally: Coefficient) -> Coefficient:
    """Ordinal alpha is interval alpha on the mid-ranks of the ratings at hand."""
    sizes = units.sizes
    alone, together = 2.0 * sizes / (sizes - 1), 2.0 / (sizes - 1)

    def alpha(weights: FloatArray) -> FloatArray:
        found = tally(weights)
        n = weights @ sizes
        ranks = np.cumsum(found, axis=1) - found / 2 - n[:, None] / 2
        total = 2.0 * n * (found * ranks**2).sum(axis=1)
        # Per unit 2 (m sum r^2 - (sum r)^2) / (m - 1); its first part needs no unit.
        inside = (tally(weights * alone) * ranks**2).sum(axis=1)
        padded = np.append(ranks, np.zeros((n.size, 1)), axis=1)  # code -1 reads this 0
        sums = padded[:, codes[:, 0]]
        for column in codes.T[1:]:
            sums += padded[:, column]
        inside -= np.einsum("sp,sp,sp,p->s", weights, sums, sums, together)
        return _coefficient(n, inside, total, total > 0)

    return alpha


def level_tally(codes: IntArray, n_levels: int) -> Coefficient:
    """Prepare the count of every level as a function of how often each pattern occurs.

    Parameters
    ----------
    codes
        Codes of the ratings of each pattern, -1 missing (patterns, most ratings).
    n_levels
        Number of codes.

    Returns
    -------
    callable
        Takes weights (data sets, patterns), gives counts (data sets, levels).

    Examples
    --------
    >>> tally = level_tally(np.array([[0, 0], [0, 1]]), 2)
    >>> tally(np.array([[1.0, 3.0]])).tolist()
    [[5.0, 3.0]]
    """
    at, column = np.nonzero(codes >= 0)
    code = codes[at, column].astype(np.intp)
    n_rows = codes.shape[0]
    if n_levels <= _DENSE_LEVELS and n_rows * n_levels <= _DENSE_CELLS:
        cells = np.bincount(at * n_levels + code, minlength=n_rows * n_levels)
        dense = cells.reshape(n_rows, n_levels).astype(np.float64)
        return lambda weights: weights @ dense

    def tally(weights: FloatArray) -> FloatArray:
        found = np.empty((weights.shape[0], n_levels))
        for row, weight in zip(found, weights, strict=True):
            row[:] = np.bincount(code, weights=weight[at], minlength=n_levels)
        return found

    return tally


def unlike_pairs(codes: IntArray) -> FloatArray:
    """Count the ordered pairs of unlike codes in every row.

    Parameters
    ----------
    codes
        Codes in rising order, -1 after the last (rows, most ratings).

    Examples
    --------
    >>> unlike_pairs(np.array([[0, 0, 1], [2, 2, -1]])).tolist()
    [4.0, 0.0]
    """
    n_rows = codes.shape[0]
    size, alike, run = np.zeros(n_rows), np.zeros(n_rows), np.zeros(n_rows)
    before = np.full(n_rows, -1)
    for column in codes.T:
        here = column >= 0
        run = np.where(column == before, run + 1, 1.0)
        size += here
        alike += np.where(here, 2 * run - 1, 0.0)  # a run of r ends at 1 + 3 + .. = r^2
        before = column
    return size**2 - alike


def _ratio_pairs(values: FloatArray) -> FloatArray:
    """Sum the ratio difference over the ordered pairs of every row."""
    total = np.zeros(values.shape[0])
    for i in range(1, values.shape[1]):
        for j in range(i):
            both = values[:, i] + values[:, j]
            gap = (values[:, i] - values[:, j]) / np.where(both == 0, 1.0, both)
            total += 2.0 * np.where(np.isnan(gap), 0.0, gap**2)
    return total
