"""A regression estimate of a mean and its jackknife variance over clusters, from sums alone.

``ybar + b (F - fbar)``: labels' mean, moved by what the judge says of all responses (F) beyond what
it says of the labelled ones. Every delete-one-cluster estimate, slope and all, is a ratio of
differences of sums (Efron & Stein 1981), so that the whole jackknife costs one pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Regression", "regress"]

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Regression:
    """An estimate of a mean helped by a judge."""

    value: float
    slope: float
    """Of labels on the judge's scores."""
    labelled: float
    """Variance that comes from which responses were labelled, and their clusters."""
    pool: float
    """Variance that comes from which other responses there are."""
    alone: float
    """Variance of the labels' own mean."""
    units: float
    """Effective number of labelled clusters."""


def regress(  # noqa: PLR0913 - one argument an option
    y: Floats,
    f: Floats,
    pool: Floats,
    *,
    weights: Floats | None = None,
    clusters: Codes | None = None,
    pool_clusters: Codes | None = None,
    slope: float | None = None,
) -> Regression:
    """Estimate a mean from labels y of responses scored f, and scores of further responses.

    Parameters
    ----------
    y, f
        Labels and judge's scores (labelled,).
    pool
        Judge's scores of the other responses (others,).
    weights
        One over the chance of being labelled, up to a factor (labelled,).
    clusters, pool_clusters
        Codes from 0 of one numbering without gaps, clusters with a label first (labelled,),
        (others,); each response its own where not given.
    slope
        Fixed beforehand; by least squares where not given, 0 where scores are constant.

    Examples
    --------
    >>> y, f = np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0, 2.0])
    >>> found = regress(y, f, np.array([1.0, 2.0, 3.0]))
    >>> round(found.value, 6), found.slope
    (0.916667, 0.5)
    """
    codes = np.arange(len(y)) if clusters is None else clusters
    w = np.ones(len(y)) if weights is None else weights
    mid_y, mid_f = float(np.average(y, weights=w)), float(np.average(f, weights=w))
    y, f, rest = y - mid_y, f - mid_f, pool - mid_f
    size = int(codes.max()) + 1
    sums = np.stack(
        [np.bincount(codes, part, size) for part in (w, w * y, w * f, w * y * f, w * f * f, f)]
    )
    count = np.bincount(codes, minlength=size).astype(np.float64)
    far_sum = far_count = np.empty(0)
    if pool_clusters is not None:
        mine = pool_clusters < size  # others in clusters that have a labelled response
        sums[5] += np.bincount(pool_clusters[mine], rest[mine], size)
        count += np.bincount(pool_clusters[mine], minlength=size)
        far_sum, far_count = _far(rest[~mine], pool_clusters[~mine] - size)
    total = sums.sum(axis=1)
    total[5] += float(far_sum.sum()) if pool_clusters is not None else float(rest.sum())
    everyone = float(len(y) + len(pool))
    b = _slope(total) if slope is None else np.asarray(slope)
    value = float(_value(total, everyone, b))
    left = total[:, None] - sums
    n = count.size
    each = _value(left, everyone - count, _slope(left) if slope is None else b)
    own = left[1] / left[0]
    grand = float(total[1] / total[0])
    mean = float(total[5]) / everyone
    if pool_clusters is None:  # each its own cluster
        pooled = float(np.dot(rest, rest)) - mean * (2.0 * float(rest.sum()) - rest.size * mean)
        pooled *= (float(b) / (everyone - 1.0)) ** 2
    else:
        moved = float(b) * (far_sum - far_count * mean) / (everyone - far_count)
        pooled = float(np.sum(moved**2))
    share = sums[0] / total[0]
    factor = (n - 1.0) / n
    return Regression(
        value=mid_y + value,
        slope=float(b),
        labelled=factor * float(np.sum((each - value) ** 2)),
        pool=max(pooled, 0.0),
        alone=factor * float(np.sum((own - grand) ** 2)),
        units=1.0 / float(np.sum(share**2)),
    )


def _far(rest: Floats, codes: Codes) -> tuple[Floats, Floats]:
    """Add up, by cluster, the scores of responses in clusters without a label."""
    count = np.bincount(codes).astype(np.float64)
    sums = np.bincount(codes, rest, count.size)
    return np.asarray(sums[count > 0], dtype=np.float64), count[count > 0]


def _slope(sums: Floats) -> Floats:
    """Give the least-squares slope of each column of sums; 0 where scores do not differ."""
    w, y, f, yf, ff = sums[:5]
    spread = ff - f * f / w
    flat = spread <= 1e-12 * np.maximum(ff, np.finfo(np.float64).tiny)
    return np.asarray(np.where(flat, 0.0, (yf - y * f / w) / np.where(flat, 1.0, spread)))


def _value(sums: Floats, everyone: Floats | float, slope: Floats) -> Floats:
    w, y, f = sums[:3]
    return np.asarray(y / w + slope * (sums[5] / everyone - f / w))
