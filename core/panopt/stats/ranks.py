"""Ranks of systems that score the same items, with intervals that hold for all of them at once.

A system's rank is at least one more than the number of systems shown to be better, and at most the
number of systems not shown to be worse (Klein, Wright & Wieczorek 2020; Mogstad et al. 2024).
Shown means beyond the largest |t| that any pair of equal systems would reach: quantile of the
maximum over pairs of a multivariate t with the covariance seen (the single step of Hothorn, Bretz
& Westfall 2008), clusters of items being the units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_clusters, as_floats
from panopt.stats.generators import generator
from panopt.stats.paired_data import cluster_codes

__all__ = ["RankIntervals", "rank_intervals", "shown_better"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_FEW_DIFFER = 10  # clusters on which two systems must differ to be told apart
_CELLS = 1 << 19


@dataclass(frozen=True, slots=True, eq=False)
class RankIntervals:
    """Rank of each system, 1 the best; arrays have one entry a system.

    Attributes
    ----------
    value
        Rank by mean score; tied systems share the mean of their ranks. None with `reason`.
    low, high
        Best and worst rank not ruled out, for all systems at once at level 1 - alpha; None where
        `reason` says why.
    mean
        Mean score on the items that all systems have.
    n, n_clusters, n_missing
        Items used, clusters of them, and items left out as a system lacks them.
    alpha
        One minus the level.
    reason
        Why there are no ranks or no intervals.
    """

    value: Floats | None
    low: Counts | None
    high: Counts | None
    mean: Floats | None
    n: int
    n_clusters: int
    n_missing: int
    alpha: float
    reason: str | None


def rank_intervals(
    scores: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    alpha: float = 0.05,
    n_boot: int = 9999,
    rng: np.random.Generator | int | None = None,
) -> RankIntervals:
    """Rank systems by mean score on common items, with simultaneous intervals of the ranks.

    Parameters
    ----------
    scores
        Scores (items, systems); items with a NaN are left out.
    clusters
        Key of each item's cluster (items,); every item its own where not given.
    alpha
        One minus the level, in (0, 1): all ranks lie within their intervals with probability
        1 - alpha.
    n_boot
        Draws of the largest |t|, at least 999.
    rng
        Source of randomness, or a seed; seed 0 where not given.

    Returns
    -------
    RankIntervals
        Without intervals for fewer than two clusters.

    Raises
    ------
    ValueError
        For scores of other than two dimensions, infinite scores, or options off their range.

    Notes
    -----
    Assumes that clusters are independent draws. Two systems that differ on fewer than ten clusters
    (half of the clusters, if those are fewer) are never told apart. Memory: scores, and systems
    squared times 64 KB in blocks.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = rank_intervals(rng.normal(size=(200, 3)) + np.array([0.0, 0.1, 1.0]))
    >>> found.value.tolist(), found.low.tolist(), found.high.tolist()
    ([3.0, 2.0, 1.0], [2, 2, 1], [3, 3, 1])
    """
    table = as_floats("scores", scores)
    if table.ndim != 2 or table.shape[1] < 2:
        raise ValueError(f"scores must have shape (items, two or more systems), not {table.shape}")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha = {alpha} must lie strictly between 0 and 1")
    if n_boot < 999:
        raise ValueError(f"n_boot = {n_boot} must be at least 999")
    if np.isinf(table).any():
        raise ValueError("scores must be finite, NaN where missing")
    keys = np.arange(len(table)) if clusters is None else as_clusters("clusters", clusters)
    if keys.shape != (len(table),):
        raise ValueError(f"clusters must have one key an item, ({len(table)},), not {keys.shape}")
    whole = ~np.isnan(table).any(axis=1)
    missing = int(np.count_nonzero(~whole))
    table, (codes, groups) = table[whole], cluster_codes(keys[whole])
    if not len(table):
        none = "there is no item that all systems have"
        return RankIntervals(None, None, None, None, 0, 0, missing, alpha, none)
    mean = table.mean(axis=0)
    gap = mean[:, None] - mean  # positive where the row is better
    noise = 1e-12 * float(np.abs(table).max())
    better, worse = np.sum(gap < -noise, axis=1), np.sum(gap > noise, axis=1)
    value = (1.0 + better + len(mean) - worse) / 2.0
    if groups < 2:
        none = "one cluster gives no standard error: two are needed"
        return RankIntervals(value, None, None, mean, len(table), groups, missing, alpha, none)
    source = generator(rng)
    shown = shown_better(table, codes, alpha=alpha, n_boot=n_boot, rng=source)
    low = 1 + np.count_nonzero(shown, axis=0)
    high = len(mean) - np.count_nonzero(shown, axis=1)
    return RankIntervals(value, low, high, mean, len(table), groups, missing, alpha, None)


def shown_better(
    table: Floats,
    codes: NDArray[np.intp],
    *,
    alpha: float,
    n_boot: int,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Tell which systems are shown to have the larger mean, for all pairs at once.

    Parameters
    ----------
    table
        Scores (items, systems), whole and finite.
    codes
        Cluster of each item, from 0 without gaps; at least two.
    alpha
        Probability that any pair is told apart the wrong way round, or though it is equal.
    n_boot
        Draws of the largest |t|.
    rng
        Source of randomness.

    Returns
    -------
    ndarray
        True at [i, j] where system i is shown to be better than j (systems, systems).
    """
    groups = int(codes.max()) + 1
    mean = table.mean(axis=0)
    gap = mean[:, None] - mean  # positive where the row is better
    noise = 1e-12 * float(np.abs(table).max())
    size = np.bincount(codes, minlength=groups).astype(np.float64)
    sums = np.stack([np.bincount(codes, column, groups) for column in table.T], axis=1)
    residual = (sums - size[:, None] * mean) / len(table)
    covariance = groups / (groups - 1.0) * (residual.T @ residual)
    spread = np.sqrt(np.maximum(_of_gaps(covariance), 0.0))
    reach = _largest_t(covariance, spread, groups - 1, alpha, n_boot, rng)
    enough = min(_FEW_DIFFER, max(1, groups // 2))
    differ = np.stack(
        [np.count_nonzero(np.abs(sums - column[:, None]) > noise, axis=0) for column in sums.T]
    )
    shown: NDArray[np.bool_] = (gap > reach * spread + noise) & (differ >= enough)
    return shown


def _of_gaps(covariance: Floats) -> Floats:
    """Give the variance of the difference of every two means."""
    own = np.diag(covariance)
    variance: Floats = own[:, None] + own - 2.0 * covariance
    return variance


def _largest_t(  # noqa: PLR0913, PLR0917 - the parts of one quantile
    covariance: Floats,
    spread: Floats,
    df: int,
    alpha: float,
    n_boot: int,
    rng: np.random.Generator,
) -> float:
    """Give the quantile of the largest |t| over all pairs of equal systems."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    one, other = np.triu_indices(len(covariance), 1)
    scale = spread[one, other]
    one, other, scale = one[scale > 0.0], other[scale > 0.0], scale[scale > 0.0]
    if not scale.size:
        return 0.0
    largest = np.empty(n_boot)
    rows = max(1, _CELLS // scale.size)
    for start in range(0, n_boot, rows):
        block = largest[start : start + rows]
        drawn = rng.standard_normal((block.size, len(root))) @ root.T
        drawn /= np.sqrt(rng.chisquare(df, size=(block.size, 1)) / df)
        np.max(np.abs(drawn[:, one] - drawn[:, other]) / scale, axis=1, out=block)
    return float(np.quantile(largest, 1.0 - alpha))
