"""Difference of two systems for judges like these: items and judges are both a sample.

A panel of other judges would find another difference. The mean over judges of each one's mean
difference, with the variance of studies of many readers and many cases: that of the judges'
differences over their number, plus the covariance that judges share as they saw the same items
(Obuchowski & Rockette 1995; covariance cluster-robust over items). With two or three judges the
first part is known badly, and approximate degrees of freedom (Hillis 2007) make intervals cover
91-93% instead of 95%. So each part gets the t quantile of its own degrees of freedom (Banerjee
1961), which is never too short where the parts are independent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import hypot, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats, as_keys
from panopt.stats.paired_data import cluster_codes

__all__ = ["JudgedDifference", "judged_difference"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class JudgedDifference:
    """How much better one system is than another, for judges like these.

    Attributes
    ----------
    value
        Mean over judges of the mean difference each one sees; None with `reason`.
    low, high, se
        Interval at level 1 - alpha, and standard error; None with `reason`.
    p
        Two-sided p-value: one less the level of the interval that just ends at 0.
    of_judge
        Mean difference that each judge sees (judges,); NaN for one without a common item.
    n, n_clusters, n_judges
        Items that any judge scored for both systems, clusters of them, and judges that did.
    alpha
        One minus the level.
    reason
        Why there is no value or no interval.
    """

    value: float | None
    low: float | None
    high: float | None
    se: float | None
    p: float | None
    of_judge: Floats
    n: int
    n_clusters: int
    n_judges: int
    alpha: float
    reason: str | None


def judged_difference(
    differences: ArrayLike, *, clusters: ArrayLike | None = None, alpha: float = 0.05
) -> JudgedDifference:
    """Estimate the mean difference over items and judges, both drawn from more like them.

    Parameters
    ----------
    differences
        Score of one system less that of the other by each judge (items, judges), its repeats
        averaged; NaN where a judge did not score both.
    clusters
        Key of each item's cluster (items,); every item its own where not given.
    alpha
        One minus the level, in (0, 1).

    Returns
    -------
    JudgedDifference
        Without interval, and with a reason, for fewer than two judges or two clusters.

    Raises
    ------
    ValueError
        For differences of other than two dimensions, infinite ones, or options off their range.

    Notes
    -----
    Assumes that clusters and judges are independent draws, and a judge's preference for one of
    the systems to be normal over judges. Holds the sampling of items, of judges and of their
    repeats; not an error that all judges there could be share.

    Examples
    --------
    >>> seen = np.array([[0.3, 0.2], [0.1, 0.1], [0.4, 0.1], [0.2, 0.2]])
    >>> found = judged_difference(seen)
    >>> round(found.value, 4), round(found.se, 4), found.of_judge.round(3).tolist()
    (0.2, 0.05, [0.25, 0.15])
    """
    table, keys = _checked(differences, clusters, alpha)
    seen = ~np.isnan(table)
    some = seen.any(axis=1)
    table, seen = table[some], seen[some]
    codes, groups = cluster_codes(keys[some])
    size = seen.sum(axis=0)
    of_judge: Floats = np.divide(
        np.where(seen, table, 0.0).sum(axis=0),
        size,
        out=np.full(table.shape[1], np.nan),
        where=size > 0,
    )
    judges = int(np.count_nonzero(size))
    means = of_judge[size > 0]
    value = float(means.mean()) if judges else None

    def result(
        reason: str | None,
        half: float | None = None,
        se: float | None = None,
        p: float | None = None,
    ) -> JudgedDifference:
        low = high = None
        if value is not None and half is not None:
            low, high = value - half, value + half
        return JudgedDifference(
            value, low, high, se, p, of_judge, len(table), groups, judges, alpha, reason
        )

    if value is None:
        return result("no judge scored an item for both systems")
    if judges < 2:
        return result("one judge tells nothing of how judges differ: two are needed")
    if groups < 2:
        return result("one cluster gives no standard error: two are needed")
    residual = np.where(seen, table - of_judge, 0.0)[:, size > 0] / size[size > 0]
    shared = max(_shared(residual, codes, groups), 0.0)
    between = float(means.var(ddof=1)) / judges
    # rounding leaves a trace of differences that are all equal
    if shared + between <= (1e-14 * max(1.0, float(np.abs(means).max()))) ** 2:
        return result("all differences are equal: their spread cannot be estimated")
    from scipy.special import stdtrit  # noqa: PLC0415 - scipy is imported late

    # A part of no variance has no quantile either: infinity times nothing is no number.
    parts = [(df - 1.0, v) for df, v in ((judges, between), (groups, shared)) if v > 0.0]

    def reach(level: float) -> float:
        return hypot(*(float(stdtrit(df, level / 2.0)) * sqrt(v) for df, v in parts))

    p = _level(reach, abs(value))
    return result(None, half=reach(alpha), se=sqrt(shared + between), p=p)


def _checked(
    differences: ArrayLike, clusters: ArrayLike | None, alpha: float
) -> tuple[Floats, NDArray[np.generic]]:
    table = as_floats("differences", differences)
    if table.ndim != 2:
        raise ValueError(f"differences must have shape (items, judges), not {table.shape}")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha = {alpha} must lie strictly between 0 and 1")
    if np.isinf(table).any():
        raise ValueError("differences must be finite, NaN where a judge did not score both")
    keys = np.arange(len(table)) if clusters is None else as_keys("clusters", clusters)
    if keys.shape != (len(table),):
        raise ValueError(f"clusters must have one key an item, ({len(table)},), not {keys.shape}")
    return table, keys


def _shared(residual: Floats, codes: NDArray[np.intp], groups: int) -> float:
    """Give the mean covariance of two judges' differences, as they saw the same items."""
    sums = np.stack([np.bincount(codes, column, groups) for column in residual.T], axis=1)
    covariance = groups / (groups - 1.0) * (sums.T @ sums)
    judges = len(covariance)
    return float(covariance.sum() - np.trace(covariance)) / (judges * (judges - 1.0))


def _level(reach: Callable[[float], float], distance: float) -> float:
    """Find the level whose interval just ends at 0: a p-value."""
    low, high = -300.0, 0.0  # of its logarithm to base 10
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if reach(10.0**middle) > distance else (low, middle)
    return float(10.0**high)
