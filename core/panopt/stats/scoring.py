"""How good stated confidence is as a probability: Brier score and reliability curve.

Brier 1950, decomposed after Murphy 1973 with the terms within bins of Stephenson, Coelho &
Jolliffe 2008, so that the parts add up exactly; reliability curve with an exact interval a bin and
a band that holds all bins at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.binomial import clopper_pearson
from panopt.stats.bins import Binned, Strategy, binned
from panopt.stats.mean import mean_interval
from panopt.stats.scored import Scored, checked_level, scored

__all__ = [
    "BrierScore",
    "ReliabilityCurve",
    "brier_score",
    "curve_of",
    "reliability_curve",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BrierScore:
    """Mean squared difference of confidence and outcome, and what it is made of.

    ``value = reliability - resolution + uncertainty + within_variance - within_covariance``.

    Attributes
    ----------
    value
        The score, 0 best; None where there is no labelled verdict.
    low, high, se
        Interval at `level` and standard error, by clusters; None where `reason` says why.
    reliability, resolution, uncertainty
        Squared miscalibration of the bins; spread of the bins' shares right; p (1 - p) of all.
    within_variance, within_covariance
        Variance of confidence within bins; twice its covariance with the outcome there. Both 0
        where every bin is one confidence.
    n, n_clusters
        Labelled verdicts, and independent clusters of them.
    level, method
        Confidence level of the interval; which it is.
    reason
        Why there is no value or no interval.
    """

    value: float | None
    low: float | None
    high: float | None
    se: float | None
    reliability: float | None
    resolution: float | None
    uncertainty: float | None
    within_variance: float | None
    within_covariance: float | None
    n: int
    n_clusters: int
    level: float
    method: str
    reason: str | None = None

    @property
    def skill(self) -> float | None:
        """Share of the uncertainty that confidence removes; None where nothing is uncertain."""
        if self.value is None or not self.uncertainty:
            return None
        return 1.0 - self.value / self.uncertainty


@dataclass(frozen=True, slots=True)
class ReliabilityCurve:
    """Share right against confidence, bin by bin; empty bins are left out.

    Attributes
    ----------
    left, right
        Edges of each bin, which holds confidences above `left` and up to `right`.
    confidence, accuracy
        Mean confidence and share right.
    n
        Verdicts in each bin.
    low, high
        Interval of each share right by itself.
    band_low, band_high
        Band that holds all of them at once.
    level, method
        Confidence level of both; which interval it is.
    """

    left: Floats
    right: Floats
    confidence: Floats
    accuracy: Floats
    n: Floats
    low: Floats
    high: Floats
    band_low: Floats
    band_high: Floats
    level: float
    method: str


def brier_score(  # noqa: PLR0913 - options of the bins and of the interval
    confidence: ArrayLike,
    agrees: ArrayLike,
    *,
    n_bins: int = 10,
    strategy: Strategy = "width",
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> BrierScore:
    """Give the Brier score with its decomposition.

    Parameters
    ----------
    confidence
        Probability given to each verdict being right, in [0, 1] (n,); NaN is missing.
    agrees
        Whether the label confirms it (n,); NaN is missing.
    n_bins, strategy
        Bins of the decomposition: ``width`` for equal widths of [0, 1], ``mass`` for equal
        numbers of verdicts (ties stay together), ``values`` for one a distinct confidence.
    clusters
        Key of each verdict's cluster (n,), where verdicts are not independent.
    level
        Confidence level of the interval, in (0, 1).

    Raises
    ------
    ValueError
        For arrays of different shape, confidence off [0, 1], other labels, or options off range.

    Notes
    -----
    Assumes that verdicts (or clusters) are a random sample. The interval is that of a mean of
    squared errors, :func:`panopt.stats.mean.mean_interval`.

    Examples
    --------
    >>> found = brier_score([0.9, 0.9, 0.6, 0.6], [1, 1, 1, 0], strategy="values")
    >>> round(found.value, 4), round(found.reliability - found.resolution + found.uncertainty, 4)
    (0.135, 0.135)
    """
    checked_level(level)
    table = scored(confidence, agrees, clusters=clusters, counted=strategy != "width")
    if not table.n:
        none = (None,) * 9
        return BrierScore(*none, 0, 0, level, "none", "there is no labelled verdict")
    bins = binned(table, n_bins=n_bins, strategy=strategy)
    squares = (table.x - table.y) ** 2
    mean = mean_interval(squares, clusters=table.clusters, alpha=1.0 - level)
    n, rate = bins.n, float(table.right.sum()) / table.n
    away = table.values - bins.confidence[bins.of]
    shares = np.divide(table.right, table.counts) - bins.accuracy[bins.of]
    return BrierScore(
        value=float(table.right @ (1.0 - table.values) ** 2 + table.wrong @ table.values**2)
        / table.n,
        low=mean.low,
        high=mean.high,
        se=mean.se,
        reliability=float(n @ (bins.confidence - bins.accuracy) ** 2) / table.n,
        resolution=float(n @ (bins.accuracy - rate) ** 2) / table.n,
        uncertainty=rate * (1.0 - rate),
        within_variance=float(table.counts @ away**2) / table.n,
        within_covariance=2.0 * float(table.counts @ (away * shares)) / table.n,
        n=table.n,
        n_clusters=table.n_clusters,
        level=level,
        method=f"mean squared error; {mean.method}",
        reason=mean.reason,
    )


def reliability_curve(  # noqa: PLR0913 - options of the bins and of the interval
    confidence: ArrayLike,
    agrees: ArrayLike,
    *,
    n_bins: int = 10,
    strategy: Strategy = "width",
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> ReliabilityCurve:
    """Give the reliability curve with an interval a bin and a band for all bins at once.

    Parameters
    ----------
    confidence, agrees, n_bins, strategy, clusters, level
        As in :func:`brier_score`.

    Notes
    -----
    Clopper-Pearson intervals; the band takes them at ``level ** (1 / bins)`` (Sidak: bins are
    independent given the confidences). With clusters: the interval of a clustered mean, and the
    band by Bonferroni.

    Examples
    --------
    >>> curve = reliability_curve([0.95, 0.95, 0.95, 0.65], [1, 0, 1, 1])
    >>> curve.accuracy.round(4).tolist(), curve.low.round(4).tolist()
    ([1.0, 0.6667], [0.025, 0.0943])
    """
    checked_level(level)
    table = scored(confidence, agrees, clusters=clusters, counted=strategy != "width")
    return curve_of(table, binned(table, n_bins=n_bins, strategy=strategy), level=level)


def curve_of(table: Scored, bins: Binned, *, level: float) -> ReliabilityCurve:
    """Give the reliability curve of verdicts that are binned already."""
    most = max(bins.n.size, 1)
    share = level ** (1.0 / most) if table.clusters is None else 1.0 - (1.0 - level) / most
    low, high = _shares(table, bins, level)
    band_low, band_high = _shares(table, bins, share)
    method = "Clopper-Pearson" if table.clusters is None else "Wilson, by cluster"
    return ReliabilityCurve(
        bins.left,
        bins.right,
        bins.confidence,
        bins.accuracy,
        bins.n,
        low,
        high,
        band_low,
        band_high,
        level,
        method,
    )


def _shares(table: Scored, bins: Binned, level: float) -> tuple[Floats, Floats]:
    """Give an interval for the share right of each bin."""
    if table.clusters is None:
        return clopper_pearson(bins.hits, bins.n, level=level)
    of = bins.of[table.codes()]
    low, high = np.zeros(bins.n.size), np.ones(bins.n.size)
    for k in range(bins.n.size):
        inside = of == k
        found = mean_interval(table.y[inside], clusters=table.clusters[inside], alpha=1.0 - level)
        if found.low is not None and found.high is not None:
            low[k], high[k] = found.low, found.high
    return low, high
