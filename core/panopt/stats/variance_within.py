"""Say how far one judge agrees with itself when it is asked the same again.

Variance and interquartile range of its repeats, an interval of their mean by the Bayesian bootstrap
(Rubin 1981: weights Dirichlet(1, ..., 1) on the repeats), and for labels the modal share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.patterns import distinct_rows, few_level_codes
from panopt.stats.variance_sums import add_by, make_cells

__all__ = [
    "ModalShare",
    "SelfConsistency",
    "modal_share",
    "modal_shares",
    "self_consistency",
    "within_judge",
]

FloatArray = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]

_CELLS = 1 << 17  # bootstrap means held at a time
_FEW_LEVELS = 64
_NOISE = 1e-24


@dataclass(frozen=True, slots=True)
class SelfConsistency:
    """How one judge's repeats spread, item by item; NaN where an item has fewer than two.

    Attributes
    ----------
    n_repeats
        Repeats of each item (items,).
    mean, variance, iqr
        Mean (NaN without any), variance (ddof 1) and interquartile range (items,).
    low, high
        Interval of the mean (items,); NaN too where all repeats are equal, as resampling equal
        numbers shows nothing, and everywhere without bootstrap draws.
    level
        Probability the interval holds.
    reason
        Why nothing is known of any item.
    """

    n_repeats: NDArray[np.int64]
    mean: FloatArray
    variance: FloatArray
    iqr: FloatArray
    low: FloatArray
    high: FloatArray
    level: float
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ModalShare:
    """Share of repeats that say what the judge says most often.

    Attributes
    ----------
    share
        Share of each item (items,); NaN with fewer than two repeats.
    value
        Mean over those items; None with `reason`.
    n
        Items with two repeats or more.
    reason
        Why there is no value.
    """

    share: FloatArray
    value: float | None
    n: int
    reason: str | None = None


def self_consistency(
    score: ArrayLike,
    *,
    level: float = 0.95,
    n_boot: int = 1000,
    rng: np.random.Generator | None = None,
) -> SelfConsistency:
    """Measure how one judge's repeats on each item spread.

    Parameters
    ----------
    score
        Scores of one judge (items, repeats); NaN is missing.
    level
        Probability that the interval of the mean holds, in (0, 1).
    n_boot
        Draws of the Bayesian bootstrap; 0 for no interval. Items with the same number of repeats
        share the draws of weights, which leaves each interval as it is.
    rng
        Source of randomness; one of fixed seed by default.

    Raises
    ------
    ValueError
        For scores that are not a matrix of finite numbers, or options off their range.

    Notes
    -----
    Assumes repeats to be independent draws. With few repeats the interval is short: of 95% ones
    about .47 hold the mean at 2 normal repeats, .79 at 5, .88 at 10 and .92 at 20.

    Examples
    --------
    >>> found = self_consistency([[1, 2, 3, 4], [2, 2, 2, 2], [5, np.nan, np.nan, np.nan]])
    >>> found.variance.round(4).tolist(), found.iqr.tolist()
    ([1.6667, 0.0, nan], [1.5, 0.0, nan])
    """
    scores = as_floats("score", score)
    if scores.ndim != 2:
        raise ValueError(f"score of shape {scores.shape} must have two axes: items, repeats")
    if np.isinf(scores).any():
        raise ValueError("score holds an infinity; it must be finite, NaN for a missing one")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level = {level} must lie strictly between 0 and 1")
    if n_boot < 0 or 0 < n_boot < 100:
        raise ValueError(f"n_boot = {n_boot} must be 0 (no interval) or at least 100")
    rng = np.random.default_rng(0) if rng is None else rng
    ordered = np.sort(scores, axis=1)  # NaN last
    counts = np.count_nonzero(~np.isnan(scores), axis=1)
    mean, variance = _moments(ordered, counts)
    iqr = _quantile(ordered, counts, 0.75) - _quantile(ordered, counts, 0.25)
    low, high = np.full((2, counts.size), np.nan)
    for n in np.unique(counts[counts > 1]).tolist() if n_boot else ():
        rows = np.flatnonzero((counts == n) & (variance > 0))
        weights = rng.standard_exponential((n_boot, n))
        weights /= weights.sum(axis=1, keepdims=True)
        low[rows], high[rows] = _weighted(ordered[rows, :n], weights, level)
    reason = None if (counts > 1).any() else "no item was scored twice"
    iqr[counts < 2] = np.nan
    return SelfConsistency(counts, mean, variance, iqr, low, high, level, reason)


def _moments(ordered: FloatArray, counts: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    filled = np.where(np.isnan(ordered), 0.0, ordered)
    nan = np.full(counts.size, np.nan)
    mean = np.divide(filled.sum(axis=1), counts, out=nan.copy(), where=counts > 0)
    off = np.where(np.isnan(ordered), 0.0, ordered - mean[:, None])
    squares = np.sum(off**2, axis=1)
    squares[squares <= _NOISE * np.sum(filled**2, axis=1)] = 0.0  # rounding, not spread
    variance = np.divide(squares, counts - 1, out=nan, where=counts > 1)
    return mean, variance


def _quantile(ordered: FloatArray, counts: NDArray[np.int64], share: float) -> FloatArray:
    """Interpolate linearly between the ordered repeats of each row, as numpy's default does."""
    if not ordered.shape[1]:
        return np.full(counts.size, np.nan)
    place = share * np.maximum(counts - 1, 0)
    below = place.astype(np.intp)
    above = np.minimum(below + 1, np.maximum(counts - 1, 0))
    rows = np.arange(counts.size)
    first, second = ordered[rows, below], ordered[rows, above]
    between: FloatArray = first + (place - below) * (second - first)
    return between


def _weighted(rows: FloatArray, weights: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Give quantiles of the weighted means of each row; equal rows are worked out once."""
    inverse = None
    few = few_level_codes(rows, limit=_FEW_LEVELS)
    if few is not None and rows.size:
        found = distinct_rows(few[1], n_levels=few[0].size, return_inverse=True)
        rows, inverse = rows[found.first], found.pattern_of_rows()
    ends = np.empty((2, len(rows)))
    step = max(1, _CELLS // len(weights))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        tails = [(1 - level) / 2, (1 + level) / 2]
        ends[:, part] = np.quantile(rows[part] @ weights.T, tails, axis=1)
    low, high = ends if inverse is None else ends[:, inverse]
    return low, high


def within_judge(  # noqa: PLR0913 - scores, and the options of the interval
    item: Codes,
    judge: Codes,
    score: FloatArray,
    n_judges: int,
    *,
    clusters: Codes | None = None,
    level: float = 0.95,
) -> FloatArray:
    """Estimate the standard deviation of each judge's repeats, pooled over items.

    Parameters
    ----------
    item, judge
        Codes from 0 (scores,).
    score
        Finite numbers (scores,).
    n_judges
        Number of judges.
    clusters
        Cluster of each item (items,), where items are not independent.
    level
        Level of the interval: chi-square, with degrees of freedom at most those of normal repeats
        and fewer where some items' repeats spread far more than others' (Satterthwaite).

    Returns
    -------
    ndarray
        Standard deviation, low, high, and items with repeats (judges, 4). NaN where a judge never
        repeated; low and high are NaN where all its repeats are equal too.
    """
    from scipy.special import chdtri  # noqa: PLC0415 - scipy is imported late

    cells = make_cells(item, judge, score, int(item.max(initial=-1)) + 1, n_judges)
    again = cells.size > 1
    who, where = cells.judge[again], cells.item[again]
    squares, df = cells.squares[again], cells.size[again] - 1.0

    def add(values: FloatArray) -> FloatArray:
        return add_by(who, values, n_judges)

    total, degrees = add(squares), add(df)
    nan = np.full(n_judges, np.nan)
    mean = np.divide(total, degrees, out=nan.copy(), where=degrees > 0)
    among = where if clusters is None else clusters[where]
    key, place = np.unique(among.astype(np.int64) * n_judges + who, return_inverse=True)
    off = np.bincount(place, weights=squares - mean[who] * df, minlength=key.size)
    groups = np.bincount(key % n_judges, minlength=n_judges)
    seen = np.bincount(key % n_judges, weights=off**2, minlength=n_judges)
    seen *= np.divide(groups, groups - 1, out=np.ones(n_judges), where=groups > 1)
    known = (total > 0) & (groups > 1)
    seen = np.divide(2 * total**2, seen, out=np.full(n_judges, np.inf), where=seen > 0)
    degrees = np.clip(np.minimum(degrees, seen), 0.5, 1e7)
    ends = [
        np.sqrt(np.divide(mean * degrees, chdtri(degrees, tail), out=nan.copy(), where=known))
        for tail in ((1 - level) / 2, (1 + level) / 2)
    ]
    return np.stack([np.sqrt(mean), *ends, add(np.ones(who.size))], axis=1)


def modal_share(label: ArrayLike) -> ModalShare:
    """Measure how often one judge's repeats on each item say the commonest thing.

    Parameters
    ----------
    label
        Labels of one judge as numbers (items, repeats); NaN is missing.

    Raises
    ------
    ValueError
        For labels that are not a matrix of finite numbers.

    Examples
    --------
    >>> found = modal_share([[1, 1, 2], [0, 1, 2], [3, np.nan, np.nan]])
    >>> found.share.round(3).tolist(), round(found.value, 3), found.n
    ([0.667, 0.333, nan], 0.5, 2)
    """
    labels = as_floats("label", label)
    if labels.ndim != 2:
        raise ValueError(f"label of shape {labels.shape} must have two axes: items, repeats")
    if np.isinf(labels).any():
        raise ValueError("label holds an infinity; it must be a number, NaN for a missing one")
    there = ~np.isnan(labels)
    codes = np.unique(labels[there], return_inverse=True)[1]
    share, _ = modal_shares(np.nonzero(there)[0], codes, len(labels))
    known = share[~np.isnan(share)]
    if not known.size:
        return ModalShare(share, None, 0, "no item was judged twice")
    return ModalShare(share, float(known.mean()), known.size)


def modal_shares(unit: Codes, label: Codes, n_units: int) -> tuple[FloatArray, NDArray[np.int64]]:
    """Give the share of the commonest label of each unit, and its number of labels.

    Parameters
    ----------
    unit, label
        Codes from 0 (labels,).
    n_units
        Number of units; those with fewer than two labels have NaN.
    """
    width = int(label.max(initial=0)) + 1
    keys, tally = np.unique(unit.astype(np.int64) * width + label, return_counts=True)
    most = np.zeros(n_units, dtype=np.int64)
    np.maximum.at(most, keys // width, tally)
    counts = np.bincount(unit, minlength=n_units)
    share = np.divide(most, counts, out=np.full(n_units, np.nan), where=counts > 1)
    return share, counts
