"""Compare two raters beyond chance: Cohen's kappa with its large-sample standard error.

Kappa is 1 - observed / expected disagreement, the expectation being over independent draws
from the two raters' own ratings (Cohen 1960, 1968; standard error of Fleiss, Cohen and Everitt
1969). Differences are those of the ratings themselves, so a level nobody used changes nothing,
and no matrix of levels is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.patterns import IntArray, distinct_rows, level_codes
from panopt.stats.reliability import (
    Clusters,
    Reliability,
    checked_ratings,
    clusters_of,
    mean_error,
    undefined,
    with_interval,
)

FloatArray = NDArray[np.float64]
Weights = Literal["linear", "quadratic"]


@dataclass(frozen=True, slots=True)
class PairwiseKappa:
    """Cohen's kappa of every pair of raters; arrays are (raters, raters), NaN where undefined."""

    raters: tuple[str, ...]
    """Names, in the order of the columns."""
    value: FloatArray
    """Kappa; the diagonal is NaN."""
    low: FloatArray
    """Lower ends of the intervals."""
    high: FloatArray
    """Upper ends of the intervals."""
    n_units: NDArray[np.int64]
    """Units that both rated."""
    level: str
    """Weights: ``nominal``, ``linear`` or ``quadratic``."""
    pairs: tuple[Reliability, ...]
    """The same pair by pair, with reasons: (0, 1), (0, 2) ... (1, 2) ..."""


def cohen_kappa(
    a: ArrayLike,
    b: ArrayLike,
    *,
    weights: Weights | None = None,
    alpha: float = 0.05,
    clusters: ArrayLike | None = None,
) -> Reliability:
    """Compute Cohen's kappa of two raters.

    Parameters
    ----------
    a, b
        Ratings of the same units by each (units,), NaN missing; units that only one rated are
        left out.
    weights
        `None`: ratings are alike or not. "linear", "quadratic": by their difference, or its
        square, on the scale of the ratings.
    alpha
        Probability that the interval misses, in (0, 1).
    clusters
        Cluster of each unit (units,), where units are not independent.

    Returns
    -------
    Reliability
        `se` is the large-sample error of Fleiss, Cohen and Everitt 1969 (over clusters where
        given); the interval is Wilson's on [-1, 1] with that error. It is too short while the
        rarer label has fewer than about 10 ratings.

    Raises
    ------
    ValueError
        For lists of different lengths, and options outside their range.

    Examples
    --------
    >>> round(cohen_kappa([1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 1]).value, 4)
    0.3333
    """
    first, second = as_floats("a", a), as_floats("b", b)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(
            f"a and b of shapes {first.shape} and {second.shape} must be lists of one length"
        )
    _check_weights(weights)
    matrix, groups = checked_ratings(
        np.stack((first, second), axis=1), alpha=alpha, clusters=clusters
    )
    levels, codes = level_codes(matrix)
    return _result(codes, levels, weights, groups, alpha)


def pairwise_kappa(
    ratings: ArrayLike,
    *,
    weights: Weights | None = None,
    alpha: float = 0.05,
    clusters: ArrayLike | None = None,
    raters: Sequence[str] | None = None,
) -> PairwiseKappa:
    """Compute Cohen's kappa of every pair of raters.

    Parameters
    ----------
    ratings
        Matrix (units, raters), NaN missing.
    weights, alpha, clusters
        As in `cohen_kappa`.
    raters
        Names of the columns; their numbers by default.

    Examples
    --------
    >>> pairwise_kappa([[1, 1, 0], [0, 0, 1], [1, 0, 0]]).value.round(2)[0]
    array([ nan,  0.4, -0.8])
    """
    _check_weights(weights)
    matrix, groups = checked_ratings(ratings, alpha=alpha, clusters=clusters, raters=raters)
    n_raters = matrix.shape[1]
    names = tuple(raters) if raters is not None else tuple(str(j) for j in range(n_raters))
    levels, codes = level_codes(matrix)
    value, low, high = (np.full((n_raters, n_raters), np.nan) for _ in range(3))
    n_units = np.zeros((n_raters, n_raters), dtype=np.int64)
    pairs = []
    for i in range(n_raters - 1):
        mine = np.flatnonzero(codes[:, i] >= 0)  # few of a crowd's units
        rows = codes[mine]
        among = None if groups is None else groups[mine]
        for j in range(i + 1, n_raters):
            found = _result(rows[:, [i, j]], levels, weights, among, alpha)
            pairs.append(found)
            n_units[i, j] = n_units[j, i] = found.n_units
            for table, number in ((value, found.value), (low, found.low), (high, found.high)):
                table[i, j] = table[j, i] = np.nan if number is None else number
    return PairwiseKappa(names, value, low, high, n_units, weights or "nominal", tuple(pairs))


def _result(
    codes: IntArray,
    levels: FloatArray,
    weights: Weights | None,
    clusters: Clusters | None,
    alpha: float,
) -> Reliability:
    """Give kappa of two columns of codes with its interval, or the reason why there is none."""
    value, se, n, free = pair_kappa(codes, levels, weights=weights, clusters=clusters)
    level = weights or "nominal"
    reason = None
    if n < 2:
        reason = f"{n} unit(s) rated by both; kappa needs two"
    elif np.isnan(value):
        reason = f"no variation: all {2 * n} ratings are equal"
    if reason is not None:
        return undefined(reason, n_units=n, n_ratings=2 * n, level=level, n_raters=2)
    result = Reliability(value, None, None, se, n, 2 * n, level, n_raters=2)
    return with_interval(result, free, alpha=alpha, bounds=(-1, 1))


def pair_kappa(
    codes: IntArray,
    levels: FloatArray,
    *,
    weights: Weights | None = None,
    clusters: Clusters | None = None,
) -> tuple[float, float, int, int]:
    """Give kappa of two raters, its standard error, and the units both rated.

    Parameters
    ----------
    codes
        Positions in `levels`, -1 missing (units, 2).
    levels
        Value of each code, rising.
    weights
        As in `cohen_kappa`.
    clusters
        Cluster code of each unit (units,).

    Returns
    -------
    tuple
        Kappa and its standard error (NaN where nothing can differ by chance), units, and
        independent units: clusters where given.

    Examples
    --------
    >>> codes = np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], [20, 5, 10, 15], axis=0)
    >>> kappa, se, n, _ = pair_kappa(codes, np.array([0.0, 1.0]))
    >>> round(kappa, 4), round(se, 4), n
    (0.4, 0.127, 50)
    """
    found = distinct_rows(codes, n_levels=levels.size, return_inverse=True)
    rows = codes[found.first].astype(np.intp)
    both = (rows[:, 0] >= 0) & (rows[:, 1] >= 0)
    (a, b), counts = rows[both].T, found.counts[both].astype(np.float64)
    n = float(counts.sum())
    if n == 0:
        return np.nan, np.nan, 0, 0
    share_a = np.bincount(a, counts, minlength=levels.size) / n
    share_b = np.bincount(b, counts, minlength=levels.size) / n
    if np.count_nonzero(share_a + share_b) < 2:
        return np.nan, np.nan, int(n), int(n)
    apart = _apart(levels[a], levels[b], weights)
    # What a rating would meet by chance among the other rater's ratings, for both sides.
    by_chance = _chance(levels, share_b, weights)[a] + _chance(levels, share_a, weights)[b]
    expected = float(counts @ by_chance) / n / 2
    ratio = float(counts @ apart) / n / expected
    influence = apart - ratio * by_chance
    influence = (influence - counts @ influence / n) / expected
    if clusters is None:
        return 1.0 - ratio, float(np.sqrt(counts @ influence**2)) / n, int(n), int(n)
    per_pattern = np.zeros(both.size)
    per_pattern[both] = influence
    pattern = found.pattern_of_rows()
    kept = np.flatnonzero(both[pattern])
    se, free = mean_error(per_pattern[pattern[kept]], clusters_of(clusters, kept))
    return 1.0 - ratio, se, int(n), free


def _apart(a: FloatArray, b: FloatArray, weights: Weights | None) -> FloatArray:
    gap: FloatArray = np.abs(a - b)
    if weights is None:
        gap = np.sign(gap)
    elif weights == "quadratic":
        gap *= gap
    return gap


def _chance(levels: FloatArray, share: FloatArray, weights: Weights | None) -> FloatArray:
    """Expect the disagreement of every level with a random rating of the given shares."""
    if weights is None:
        return 1.0 - share
    centred = levels - levels @ share
    if weights == "quadratic":
        squares: FloatArray = centred**2
        return squares + float(squares @ share)
    # E|x - B| from partial sums over the sorted levels: no pair of levels is formed.
    mass, part = np.cumsum(share), np.cumsum(share * centred)
    expected: FloatArray = centred * (2 * mass - 1) - 2 * part + part[-1]
    return expected


def _check_weights(weights: str | None) -> None:
    if weights is not None and weights not in get_args(Weights):
        raise ValueError(f"weights = {weights!r} must be None, 'linear' or 'quadratic'")
