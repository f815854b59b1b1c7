"""Calibration error: the mean (ECE) and largest (MCE) distance of confidence and share right.

In bins of equal width or equal mass (Naeini et al. 2015; Guo et al. 2017). A binned error is
biased upwards: even a perfectly calibrated confidence shows one by chance. How much is said beside
it, the interval allows for it, and the mean squared distance is estimated without it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.bins import Binned, Strategy, binned
from panopt.stats.scored import Estimate, Scored, checked_level, scored
from panopt.stats.scoring import curve_of

__all__ = ["CalibrationError", "expected_calibration_error", "maximum_calibration_error"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """Mean distance of confidence and share right, over bins weighted by their verdicts.

    Attributes
    ----------
    value
        The plain estimate (ECE), biased upwards; None where there is no labelled verdict.
    low, high
        Interval for the error in these bins, at least at `level`; None where `reason` says why.
    by_chance
        About what a perfectly calibrated confidence would show with these verdicts and bins.
    squared
        Estimate of the mean squared distance without that bias, over pairs of independent
        verdicts of a bin (Ferro & Fricker 2012 for verdicts that are independent); can fall
        below 0. None where no bin has two.
    overconfidence
        Mean confidence less share right.
    n_bins
        Bins that hold verdicts.
    n, n_clusters
        Labelled verdicts, and independent clusters of them.
    level, method
        Confidence level of the interval; bins and interval in a few words.
    reason
        Why there is no value or no interval.
    """

    value: float | None
    low: float | None
    high: float | None
    by_chance: float | None
    squared: float | None
    overconfidence: float | None
    n_bins: int
    n: int
    n_clusters: int
    level: float
    method: str
    reason: str | None = None


def expected_calibration_error(  # noqa: PLR0913 - options of the bins and of the interval
    confidence: ArrayLike,
    agrees: ArrayLike,
    *,
    n_bins: int = 10,
    strategy: Strategy = "width",
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> CalibrationError:
    """Give the expected calibration error with an interval that allows for its bias.

    Parameters
    ----------
    confidence, agrees, n_bins, strategy, clusters, level
        As in :func:`panopt.stats.scoring.brier_score`.

    Notes
    -----
    Assumes that verdicts (or clusters) are a random sample; the error is that of the given bins,
    which is at most the error bin by bin of finer ones. With r the bins' mean residuals (normal,
    the sum of r over bins is how overconfident the panel is) and ECE = sum |r|:
    ``high = ECE + t_{1 - a/2} sd``, as sum |r| is never below the sum of r times the true signs,
    of standard deviation at most sd; ``low`` is the larger of ``ECE - q_{1 - a/4}``, q the
    quantile of sum |error of r|, and ``|sum r| - t_{1 - a/4} se``. Coverage is at least `level`,
    whatever the calibration; it is more where all bins err.

    Examples
    --------
    >>> found = expected_calibration_error([0.95, 0.95, 0.95, 0.65], [1, 0, 1, 1])
    >>> round(found.value, 4), round(found.by_chance, 3)
    (0.3, 0.17)
    """
    checked_level(level)
    table = scored(confidence, agrees, clusters=clusters, counted=strategy != "width")
    named = {"width": "equal-width", "mass": "equal-mass", "values": "single-value"}
    if not table.n:
        none = (None,) * 6
        return CalibrationError(*none, 0, 0, 0, level, "none", "there is no labelled verdict")
    bins = binned(table, n_bins=n_bins, strategy=strategy)
    residual = bins.n * (bins.accuracy - bins.confidence) / table.n
    value = float(np.abs(residual).sum())
    ends = _ends(table, bins, residual, level=level)
    return CalibrationError(
        value=value,
        low=None if ends is None else min(ends[0], value),
        high=None if ends is None else min(max(ends[1], value), 1.0),
        by_chance=float(np.sqrt(2.0 / np.pi) * np.sqrt(bins.calibrated).sum()) / table.n,
        squared=_debiased_square(table, bins, residual),
        overconfidence=-float(residual.sum()),
        n_bins=bins.n.size,
        n=table.n,
        n_clusters=table.n_clusters,
        level=level,
        method=f"mean distance in {bins.n.size} {named[strategy]} bins; interval for sums of "
        "normal residuals, conservative",
        reason=None if ends is not None else "one cluster gives no interval: two are needed",
    )


def maximum_calibration_error(  # noqa: PLR0913 - options of the bins and of the interval
    confidence: ArrayLike,
    agrees: ArrayLike,
    *,
    n_bins: int = 10,
    strategy: Strategy = "width",
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Give the largest distance of confidence and share right over the bins.

    Parameters
    ----------
    confidence, agrees, n_bins, strategy, clusters, level
        As in :func:`panopt.stats.scoring.brier_score`.

    Notes
    -----
    The interval follows from the band of :func:`panopt.stats.scoring.reliability_curve`, which
    holds all bins at once.

    Examples
    --------
    >>> round(maximum_calibration_error([0.95, 0.95, 0.95, 0.65], [1, 0, 1, 1]).value, 4)
    0.35
    """
    checked_level(level)
    table = scored(confidence, agrees, clusters=clusters, counted=strategy != "width")
    if not table.n:
        reason = "there is no labelled verdict"
        return Estimate(None, None, None, None, 0, 0, level, "none", reason)
    curve = curve_of(table, binned(table, n_bins=n_bins, strategy=strategy), level=level)
    distance = np.abs(curve.accuracy - curve.confidence)
    outside = np.maximum(curve.band_low - curve.confidence, curve.confidence - curve.band_high)
    farthest = np.maximum(curve.confidence - curve.band_low, curve.band_high - curve.confidence)
    value = float(distance.max())
    low, high = max(float(outside.max()), 0.0), float(farthest.max())
    method = f"largest distance over {curve.n.size} bins; from the band of all bins"
    return Estimate(value, low, high, None, table.n, table.n_clusters, level, method)


def _cross(table: Scored, bins: Binned) -> tuple[Floats, Floats, Floats]:
    """Sum products of the clusters' residuals over bins, and their sizes squared by bin.

    Gives the matrix (bins, bins) of sum over clusters of R R', R the summed residuals of a
    cluster by bin; and for each bin the sums of squared sizes and of squared residuals.
    """
    if table.clusters is None:
        return np.diag(bins.squares), bins.n, bins.squares
    from scipy.sparse import csr_array  # noqa: PLC0415 - scipy is imported late

    of = bins.of[table.codes()]
    shape = (table.n_clusters, bins.n.size)
    residuals = csr_array((table.y - table.x, (table.clusters, of)), shape=shape)
    sizes = csr_array((np.ones(table.n), (table.clusters, of)), shape=shape)
    cross = np.asarray((residuals.T @ residuals).toarray())
    return cross, np.asarray(sizes.power(2).sum(axis=0)), np.diag(cross).copy()


def _ends(
    table: Scored, bins: Binned, residual: Floats, *, level: float
) -> tuple[float, float] | None:
    if table.n_clusters < 2:
        return None
    from scipy.special import gammaincinv, stdtrit  # noqa: PLC0415 - scipy is imported late

    cross, sizes, _ = _cross(table, bins)
    # A bin that is all right or all wrong shows no spread, and one with few errors too little:
    # never take less than calibrated confidences or Agresti and Coull's share would have.
    units = bins.n**2 / sizes
    same = (bins.hits == 0) | (bins.hits == bins.n)
    share = (bins.accuracy * np.where(same, units, bins.n) + 2.0) / (
        np.where(same, units, bins.n) + 4.0
    )
    least = share * (1.0 - share) * np.where(same, sizes, bins.n)
    diagonal = np.maximum(np.diag(cross), np.maximum(bins.calibrated, least))
    np.fill_diagonal(cross, diagonal)
    cross = cross * (table.n_clusters / (table.n_clusters - 1.0)) / table.n**2
    sd = np.sqrt(np.diag(cross))
    miss, df = 1.0 - level, table.n_clusters - 1.0
    value = float(np.abs(residual).sum())
    high = value + float(stdtrit(df, 1.0 - miss / 2.0) * np.sqrt(np.abs(cross).sum()))
    # Sum of |normal| errors: exact mean and variance, quantile of the gamma that shares them.
    between = cross / np.outer(sd, sd)
    between = np.clip(between, -1.0, 1.0)
    joint = np.sqrt(1.0 - between**2) + between * np.arcsin(between) - 1.0
    mean = float(np.sqrt(2.0 / np.pi) * sd.sum())
    variance = float((2.0 / np.pi) * np.sum(np.outer(sd, sd) * joint))
    noise = float(gammaincinv(mean**2 / variance, 1.0 - miss / 4.0)) * variance / mean
    overall = float(stdtrit(df, 1.0 - miss / 4.0) * np.sqrt(max(float(cross.sum()), 0.0)))
    low = max(value - noise, abs(float(residual.sum())) - overall, 0.0)
    return low, high


def _debiased_square(table: Scored, bins: Binned, residual: Floats) -> float | None:
    """Average products of residuals over pairs of verdicts of a bin from different clusters."""
    _, sizes, squares = _cross(table, bins)
    pairs = bins.n**2 - sizes
    paired = pairs > 0
    if not paired.any():
        return None
    products = (residual * table.n) ** 2 - squares
    of_bin = products[paired] / pairs[paired]
    return float(bins.n[paired] @ of_bin / bins.n[paired].sum())
