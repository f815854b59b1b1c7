"""Merge rated units that carry the same ratings, whoever gave which: they are one pattern.

Coefficients of agreement treat raters alike, so a unit is its sorted ratings, and a table of the
distinct ones with their counts holds all that the coefficients need.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.stats.patterns import IntArray, distinct_rows, few_level_codes

FloatArray = NDArray[np.float64]
Tally = Callable[[FloatArray], FloatArray]

_MOST_LEVELS = 1 << 12  # beyond this, rows hardly ever coincide
_CROWD = 12  # more raters than this seldom all rate a unit
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
    of_row: NDArray[np.intp]
    """Pattern of every row of the ratings, -1 where it has too few (rows,)."""
    n_raters: int
    """Raters that gave any rating at all."""

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(self.counts.sum())

    @property
    def n_ratings(self) -> int:
        """Number of ratings."""
        return int(self.counts @ self.sizes)

    @property
    def kept(self) -> NDArray[np.intp]:
        """Positions of these units among all rows of the ratings (units,)."""
        return np.flatnonzero(self.of_row >= 0)

    @property
    def pattern(self) -> NDArray[np.intp]:
        """Pattern of each of these units (units,)."""
        return self.of_row[self.of_row >= 0]


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
    if coded is None:
        return _unmerged(ratings, at_least)
    levels, codes = coded
    n_rows, n_raters = codes.shape
    rows, of_row, counts = codes, None, np.ones(n_rows, dtype=np.int64)
    if (levels.size + 1.0) ** n_raters <= 4 * n_rows:  # many rows are equal as they stand
        found = distinct_rows(codes, n_levels=levels.size, return_inverse=True)
        rows, of_row, counts = codes[found.first], found.pattern_of_rows(), found.counts
    active = int(np.count_nonzero(rows.max(axis=0, initial=-1) >= 0))
    rows = _sorted(rows)
    merged = distinct_rows(rows, n_levels=levels.size, return_inverse=True)
    joined = merged.pattern_of_rows()
    counts = np.bincount(joined, weights=counts, minlength=merged.first.size).astype(np.int64)
    rows = rows[merged.first]
    sizes = (rows >= 0).sum(axis=1)
    enough = sizes >= at_least
    if not enough.all():
        place = np.where(enough, np.cumsum(enough) - 1, -1)
        joined, rows, sizes, counts = (place[joined], rows[enough], sizes[enough], counts[enough])
    width = int(sizes.max(initial=0))
    return Units(
        np.append(levels, np.nan)[rows[:, :width]],
        counts,
        sizes.astype(np.float64),
        joined if of_row is None else joined[of_row],
        active,
    )


def _unmerged(ratings: FloatArray, at_least: int) -> Units:
    """Take every unit for a pattern of its own: ratings with so many values hardly coincide."""
    rated = ~np.isnan(ratings)
    sizes = np.zeros(ratings.shape[0], dtype=np.int64)
    for column in rated.T:
        sizes += column
    enough = sizes >= at_least
    kept = np.flatnonzero(enough)
    every = kept.size == sizes.size
    if not every:
        sizes = sizes[kept]
    most = int(sizes.max(initial=0))
    values = np.sort(ratings if every else ratings[kept], axis=1)[:, :most]
    of_row = np.arange(kept.size) if every else np.where(enough, np.cumsum(enough) - 1, -1)
    one = np.ones(kept.size, dtype=np.int64)
    active = int(np.count_nonzero(rated.any(axis=0)))
    return Units(values, one, sizes.astype(np.float64), of_row, active)


def _sorted(codes: IntArray) -> IntArray:
    """Sort every row, missing ones last."""
    if codes.shape[1] <= _CROWD:
        close = codes.copy(order="C")
    else:  # most of a crowd rate few units: move each row's ratings together first
        rated = codes >= 0
        sizes = np.count_nonzero(rated, axis=1)
        at, column = np.nonzero(rated)
        rank = np.arange(at.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        close = np.full((codes.shape[0], int(sizes.max(initial=0))), -1, dtype=codes.dtype)
        close[at, rank] = codes[at, column]
    close.view(f"u{close.dtype.itemsize}").sort(axis=1)  # unsigned, -1 is the greatest
    return close


def level_tally(codes: IntArray, n_levels: int) -> Tally:
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
