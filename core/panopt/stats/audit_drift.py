"""Whether a judge scores as it did: between two versions of it, and as time goes by.

Two versions on the same responses are a paired difference. Over time, the judge's difference from
the other judges is averaged by run and the runs' means are regressed on their dates: what sets
one run apart (other systems, other items) is then part of the error, not of the trend.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_clusters
from panopt.stats.audit_effect import (
    AuditEffect,
    check_alpha,
    column,
    paired_effect,
    unknown,
)
from panopt.stats.paired_data import cluster_codes

__all__ = ["time_drift", "version_drift"]

Floats = NDArray[np.float64]

_FEWEST_RUNS = 4


def version_drift(
    earlier: ArrayLike,
    later: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    alpha: float = 0.05,
) -> AuditEffect:
    """Estimate how much higher the later version of a judge scores the same responses.

    Parameters
    ----------
    earlier, later
        Scores of the two versions on the same responses (responses,); NaN is missing.
    clusters
        Key of each response's cluster; every response its own where not given.
    alpha
        One minus the level.

    Returns
    -------
    AuditEffect
        In units of the score; a reason below 8 clusters.

    Examples
    --------
    >>> found = version_drift([0.5, 0.6, 0.4, 0.7, 0.5, 0.6, 0.8, 0.3], [0.6] * 8)
    >>> round(found.value, 3), found.n
    (0.05, 8)
    """
    check_alpha(alpha)
    before, after = column("earlier", earlier), column("later", later)
    return paired_effect(after, before, clusters=clusters, alpha=alpha)


def time_drift(
    difference: ArrayLike,
    time: ArrayLike,
    *,
    runs: ArrayLike | None = None,
    alpha: float = 0.05,
) -> AuditEffect:
    """Estimate how much a judge's scores move from the panel's in a unit of time.

    Parameters
    ----------
    difference
        Judge's score less that of the others, response by response (responses,); NaN is missing.
    time
        When each response was judged, in any unit (responses,).
    runs
        Key of the run each response was judged in; a run for each time where not given.
    alpha
        One minus the level.

    Returns
    -------
    AuditEffect
        Slope in units of the score per unit of time; `n_clusters` counts the runs. With a reason
        for fewer than four runs, or one time alone. `details`: ``span``, the time between the
        first and the last run.

    Raises
    ------
    ValueError
        For arrays of different length, infinities, a time that is missing, or alpha off (0, 1).

    Notes
    -----
    Least squares on the runs' means, each counted once; Student's t with runs - 2 degrees of
    freedom. Assumes that runs depart from the trend independently and about normally. A trend of
    what is judged, which judge and others see differently, is a trend of the difference, too.

    Examples
    --------
    >>> day = np.repeat([0.0, 30.0, 60.0, 90.0, 120.0], 2)
    >>> found = time_drift([0.0, 0.1, 0.1, 0.1, 0.1, 0.3, 0.3, 0.1, 0.2, 0.3], day)
    >>> round(found.value * 30, 4), round(found.p, 4), found.n_clusters
    (0.05, 0.0088, 5)
    """
    check_alpha(alpha)
    off = column("difference", difference)
    when = column("time", time, len(off))
    if np.isnan(when).any():
        raise ValueError("time must be a number for every response; leave the others out")
    keys = when if runs is None else as_clusters("runs", runs)
    if keys.shape != off.shape:
        raise ValueError(f"runs has shape {keys.shape}; it must be {off.shape}, one a response")
    kept = ~np.isnan(off)
    if not kept.any():
        return unknown("no response was scored by the judge and by others", alpha)
    codes, n_runs = cluster_codes(keys[kept])
    size = np.bincount(codes)
    mean, date = (np.bincount(codes, x[kept]) / size for x in (off, when))
    n = int(kept.sum())
    if n_runs < _FEWEST_RUNS:
        told = f"{n_runs} run(s) with a date: {_FEWEST_RUNS} are needed to tell a trend"
        return unknown(told, alpha, n=n, n_clusters=n_runs)
    span = float(np.ptp(date))
    if span <= 0.0:
        return unknown("all runs have one date", alpha, n=n, n_clusters=n_runs)
    return _trend(mean, date - date.mean(), n, span, alpha)


def _trend(mean: Floats, date: Floats, n: int, span: float, alpha: float) -> AuditEffect:
    from scipy.special import stdtr, stdtrit  # noqa: PLC0415 - scipy is imported late

    square = float(date @ date)
    slope = float(date @ mean) / square
    left = mean - mean.mean() - slope * date
    df = len(mean) - 2.0
    se = sqrt(float(left @ left) / df / square)
    reason = None
    low = high = p = None
    if se * span <= 1e-12:
        flat = abs(slope) * span <= 1e-12
        p = 1.0 if flat else None
        reason = "the runs' means lie on one line: no spread to go by"
    else:
        half = float(stdtrit(df, 1.0 - alpha / 2.0)) * se
        low, high = slope - half, slope + half
        p = min(1.0, 2.0 * float(stdtr(df, -abs(slope) / se)))
    return AuditEffect(
        *(slope, low, high, se, df, p, n, len(mean), alpha),
        method=f"trend of the runs' mean difference from the panel; t, {df:.4g} df",
        details={"span": span},
        reason=reason,
    )
