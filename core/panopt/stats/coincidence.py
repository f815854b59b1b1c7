"""Compare ratings of the same unit with ratings drawn from all units: Krippendorff's alpha.

Alpha is 1 - observed / expected disagreement over the pairable ratings (those of units with
two or more ratings). Raters are interchangeable in it, so a unit is its sorted ratings, and units
with the same sorted ratings are one pattern with a count. Krippendorff 2011, "Computing
Krippendorff's alpha-reliability"; ordinal differences are differences of mid-ranks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from panopt.stats.patterns import IntArray, level_codes
from panopt.stats.ratio import pairs_total
from panopt.stats.units import Units, level_tally, unlike_pairs

FloatArray = NDArray[np.float64]
Coefficient = Callable[[FloatArray], FloatArray]

_MOST_SUMS = 330  # sums kept of a unit at most: 25 ordinal levels
_MOST_CELLS = 1 << 22  # patterns x sums at most: 32 MB
_ROWS = 1 << 14  # rows summed at a time: they stay in cache


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


def alpha_by_sums(units: Units, level: str) -> tuple[FloatArray, Coefficient] | None:
    """Prepare alpha as a function of a few sums over units, where a few are enough.

    Parameters
    ----------
    units, level
        As in `krippendorff`.

    Returns
    -------
    tuple or None
        Columns (patterns, sums), and a function of totals of those columns over units
        (data sets, sums) that gives alpha (data sets,), NaN where all ratings are equal. None
        where the sums would be as many as the ratings: ordinal and ratio scales of many levels.

    Examples
    --------
    >>> units = Units(np.array([[0.0, 1.0], [1.0, 1.0]]), np.array([1, 1]), np.array([2.0, 2.0]),
    ...               np.array([0, 1]), 2)
    >>> columns, alpha = alpha_by_sums(units, "nominal")
    >>> alpha(columns.sum(axis=0)[None, :]).tolist()
    [0.0]
    """
    if level == "interval":
        return _moments(units)[2], _alpha_of_moments
    levels, codes = level_codes(units.values)
    n_levels, n_patterns = levels.size, units.counts.size
    n_sums = n_levels + 2 if level == "nominal" else n_levels * (n_levels + 1) // 2
    if n_sums > _MOST_SUMS or n_sums * n_patterns > _MOST_CELLS:
        return None
    if level == "nominal":
        columns = np.zeros((n_patterns, n_sums))
        for column in codes.T:
            rated = np.flatnonzero(column >= 0)
            columns[rated, column[rated]] += 1
        columns[:, -2] = unlike_pairs(codes) / (units.sizes - 1)
        columns[:, -1] = units.sizes
        return columns, _alpha_of_tallies
    return _coincidences(codes, units.sizes, n_levels), _alpha_of_coincidences(levels, level)


def _alpha_of_moments(sums: FloatArray) -> FloatArray:
    n, total, squares, inside = sums.T
    expected = 2.0 * (n * squares - total**2)
    return _coefficient(n, inside, expected, expected > 1e-9 * n * squares)


def _alpha_of_tallies(sums: FloatArray) -> FloatArray:
    found, within, n = sums[:, :-2], sums[:, -2], sums[:, -1]
    varied = np.count_nonzero(found, axis=1) > 1
    return _coefficient(n, within, n**2 - np.square(found).sum(axis=1), varied)


def _coincidences(codes: IntArray, sizes: FloatArray, n_levels: int) -> FloatArray:
    """Spread every pattern over its pairs of levels: the upper triangle of coincidences."""
    counts = np.zeros((codes.shape[0], n_levels))
    for column in codes.T:
        rated = np.flatnonzero(column >= 0)
        counts[rated, column[rated]] += 1
    first, second = np.triu_indices(n_levels)
    columns: FloatArray = counts[:, first] * (counts[:, second] - (first == second))
    columns *= np.where(first == second, 1.0, 2.0) / (sizes - 1)[:, None]
    return columns


def _alpha_of_coincidences(levels: FloatArray, level: str) -> Coefficient:
    first, second = np.triu_indices(levels.size)
    marginal = np.zeros((first.size, levels.size))
    marginal[np.arange(first.size), first] += 0.5
    marginal[np.arange(first.size), second] += 0.5

    def alpha(sums: FloatArray) -> FloatArray:
        found = sums @ marginal
        n = found.sum(axis=1)
        if level == "ratio":
            both = levels[first] + levels[second]
            gap = (levels[first] - levels[second]) / np.where(both == 0, 1.0, both)
            inside, total = sums @ gap**2, pairs_total(levels, found)
        else:
            ranks = np.cumsum(found, axis=1) - found / 2 - n[:, None] / 2
            inside = np.einsum("sp,sp->s", sums, np.square(ranks[:, first] - ranks[:, second]))
            total = 2.0 * n * (found * ranks**2).sum(axis=1)
        varied = np.count_nonzero(found > 1e-9, axis=1) > 1
        return _coefficient(n, inside, total, varied)

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


def _ratio_pairs(values: FloatArray) -> FloatArray:
    """Sum the ratio difference over the ordered pairs of every row."""
    total = np.zeros(values.shape[0])
    for i in range(1, values.shape[1]):
        for j in range(i):
            both = values[:, i] + values[:, j]
            gap = (values[:, i] - values[:, j]) / np.where(both == 0, 1.0, both)
            total += 2.0 * np.where(np.isnan(gap), 0.0, gap**2)
    return total
