"""Mean of scores with an interval that holds at small n, for skewed scores and in clusters.

Standard error: cluster-robust (Liang & Zeger 1986), each cluster's residual divided by one minus
its share of the scores (the jackknife, CR3 of Bell & McCaffrey 2002; with clusters of one size the
usual factor G / (G - 1)), as a large cluster pulls the mean towards itself. Interval, for scores in
[0, 1]: Wilson's score interval at the effective sample size ``m (1 - m) / se^2``, with Student's t
at one less than the effective number of clusters ``n^2 / sum m_g^2`` (Kish 1965) for the normal
quantile (Korn & Graubard 1998 for shares in clustered samples).

Unlike ``m -+ t se`` it stays within [0, 1], is skewed as the scores are, and
does not shrink to a point where all scores happen to be equal; in simulation it covers more at
20 items and is as narrow at 1000. Scores off [0, 1] get ``m -+ t se``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_clusters, as_floats
from panopt.stats.binomial import wilson

__all__ = ["MeanInterval", "mean_interval"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MeanInterval:
    """A mean, its standard error and interval.

    Attributes
    ----------
    value
        Mean of all scores; None where there are none.
    low, high, se
        Interval at level 1 - alpha and standard error; None where `reason` says why.
    n, n_clusters
        Scores, and independent clusters of them.
    alpha
        One minus the level.
    method
        Which interval it is.
    assumptions
        Which sources of error the interval holds, and which it does not.
    reason
        Why there is no value or no interval.
    """

    value: float | None
    low: float | None
    high: float | None
    se: float | None
    n: int
    n_clusters: int
    alpha: float
    method: str
    assumptions: tuple[str, ...]
    reason: str | None


def mean_interval(
    score: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    alpha: float = 0.05,
    shared_sd: float = 0.0,
) -> MeanInterval:
    """Give the mean of scores with an interval over the items they were drawn from.

    Parameters
    ----------
    score
        Scores, shape (n,), without NaN. Scores measured with independent errors need nothing
        more: those errors are part of the scores' own spread.
    clusters
        Integer or string key of each score's cluster (the item, where it was answered in several
        epochs); every score its own cluster where not given.
    alpha
        One minus the level, in (0, 1).
    shared_sd
        Standard error of an error that all scores share (a judge bias that was estimated), which
        no number of items averages out; added to the standard error in squares.

    Returns
    -------
    MeanInterval
        Without interval, and with a reason, for fewer than two clusters.

    Raises
    ------
    ValueError
        For NaN scores, arrays of different length, or options off their range.

    Examples
    --------
    >>> result = mean_interval([1, 1, 1, 1, 1, 1, 1, 1, 0, 0])
    >>> result.value, round(result.low, 4), round(result.high, 4), result.method
    (0.8, 0.4902, 0.9433, 'Wilson')
    >>> mean_interval([0.5]).reason
    'one cluster gives no standard error: two are needed'
    """
    x = as_floats("score", score)
    if x.ndim != 1:
        raise ValueError(f"score must have one dimension, not {x.ndim}")
    if not np.isfinite(x).all():
        raise ValueError("score must be finite; leave responses without a score out")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha = {alpha} must lie strictly between 0 and 1")
    if not 0.0 <= shared_sd < np.inf:
        raise ValueError(f"shared_sd = {shared_sd} must be a finite number, not below 0")
    codes, groups = _codes(clusters, len(x))
    n = len(x)
    assumptions = _assumptions(n, groups, shared_sd)
    mean = float(x.mean()) if n else None
    constant = n > 0 and bool(x.min() == x.max())
    if mean is None:
        reason = "there is no score"
    elif groups < 2:
        reason = "one cluster gives no standard error: two are needed"
    elif constant and not 0.0 <= mean <= 1.0:
        reason = "all scores are equal: their spread cannot be estimated"
    else:
        reason = None
    if mean is None or reason:
        return MeanInterval(mean, None, None, None, n, groups, alpha, "none", assumptions, reason)
    residual = np.bincount(codes, weights=x - mean, minlength=groups)
    size = np.bincount(codes, minlength=groups).astype(np.float64)
    pulled = residual / (1.0 - size / n)
    own = 0.0 if constant else float(np.sqrt((groups - 1.0) / groups * np.sum(pulled**2))) / n
    # The largest clusters count for most of the mean; below one degree of freedom t is beyond use.
    units = max(2.0, n**2 / float(np.sum(size**2)))
    low, high, method = _interval(x, own, shared_sd, units=units, alpha=alpha)
    se = float(np.hypot(own, shared_sd))
    return MeanInterval(mean, low, high, se, n, groups, alpha, method, assumptions, None)


def _codes(clusters: ArrayLike | None, n: int) -> tuple[NDArray[np.intp], int]:
    if clusters is None:
        return np.arange(n), n
    keys = as_clusters("clusters", clusters)
    if keys.shape != (n,):
        raise ValueError(f"clusters must have the shape of score, ({n},), not {keys.shape}")
    codes = np.unique(keys, return_inverse=True)[1]
    return codes, int(codes.max(initial=-1)) + 1


def _assumptions(n: int, groups: int, shared_sd: float) -> tuple[str, ...]:
    drawn = "scores" if groups == n else "clusters"
    holds = (
        f"{drawn} are independent draws; the interval holds their sampling and every error that "
        "is independent between them"
    )
    shared = (
        f"and an error shared by all scores of standard error {shared_sd:.3g}"
        if shared_sd
        else "it does not hold an error that all scores share, such as a bias of all judges"
    )
    return holds, shared


def _interval(
    x: Floats, own: float, shared: float, *, units: float, alpha: float
) -> tuple[float, float, str]:
    from scipy.special import stdtrit  # noqa: PLC0415 - scipy is imported late

    from panopt.stats.bounded import wilson_interval  # noqa: PLC0415 - it imports scipy

    n, mean = len(x), float(x.mean())
    if x.min() < 0.0 or x.max() > 1.0:
        half = float(stdtrit(units - 1.0, 1.0 - alpha / 2.0)) * float(np.hypot(own, shared))
        return mean - half, mean + half, f"t, {units - 1:.4g} df"
    binary = bool(np.isin(x, (0.0, 1.0)).all())
    if binary and units == n and not shared:
        low, high = wilson(x.sum(), n, level=1.0 - alpha)
        return float(low), float(high), "Wilson"
    widest = mean * (1.0 - mean)
    if own == 0.0:  # equal scores tell nothing of their spread: take the largest there can be
        own = float(np.sqrt(widest / units))
    elif binary:  # a chance negative correlation within clusters is no gain
        own = max(own, float(np.sqrt(widest / n)))
    se = float(np.hypot(own, shared))
    ends = wilson_interval(mean, se, n_units=units, alpha=alpha)
    return *ends, f"Wilson at the effective sample size, {units - 1:.4g} df"
