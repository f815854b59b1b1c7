"""What else moves a judge's score than quality: a slope, with quality taken out.

Judge and panel see one quality through scales of their own: a judge that uses more of the scale, or
passes bad answers, departs from the panel most where quality is low, and so on every system that is
worse than others. A plain difference from the panel takes that for a liking. So the judge's score
is regressed on what is asked about (`x`) and on the panel's score; as that is quality plus error,
which would bias the slope towards 0, part of the panel stands for quality and another part is its
instrument (two-stage least squares: Wright 1928; errors in variables with replicates: Fuller 1987,
section 1.4), each part in its turn, and the results are averaged. Where the parts hardly agree with
each other (first-stage F below 16.4; Stock & Yogo 2005) the slope on the panel is taken as 1.

Standard error: clusters' influences, each divided by one minus its leverage (the jackknife, CR3 of
Bell & McCaffrey 2002); degrees of freedom: effective number of clusters less one (Kish 1965).
"""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from panopt.stats.audit_effect import FEWEST, AuditEffect, few, unknown

__all__ = ["PARTS", "Slope", "demeaned", "fit_slope", "slope_effect"]

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

#: The panel is cut into at most so many parts.
PARTS = 4

_STRONG = 16.4
_SWEEPS = 60
_SETTLED = 1e-10


class Slope(NamedTuple):
    """A slope and each response's influence on it and weight in it."""

    value: float
    influence: Floats
    weight: Floats
    panel: float
    """Slope on the panel's score."""
    instrumented: bool


def demeaned(columns: Floats, groups: tuple[Codes, ...]) -> Floats:
    """Take the means of groups out of columns (responses, columns): all groups' at once.

    One grouping takes one sweep; of several, sweeps alternate until nothing moves.
    """
    out: Floats = columns - columns.mean(axis=0)
    if not groups:
        return out
    sizes = [np.bincount(codes).astype(np.float64) for codes in groups]
    scale = np.abs(out).max(initial=0.0) or 1.0
    for _ in range(_SWEEPS if len(groups) > 1 else 1):
        moved = 0.0
        for codes, size in zip(groups, sizes, strict=True):
            for j in range(out.shape[1]):
                mean = np.bincount(codes, out[:, j], len(size)) / size
                moved = max(moved, float(np.abs(mean).max()))
                out[:, j] -= mean[codes]
        if moved <= _SETTLED * scale:
            break
    out[np.abs(out) <= 1e-12 * scale] = 0.0  # what rounding leaves of nothing
    return out


def fit_slope(y: Floats, x: Floats, panel: Floats, *, exact: bool = False) -> Slope | None:
    """Regress `y` on `x` and on quality, which the panel shows; all without mean.

    Parameters
    ----------
    y, x
        Judge's score and what is asked about (responses,).
    panel
        Scores of the others (responses, judges), no NaN.
    exact
        Whether the one column of `panel` is quality itself (a human's score), not a measurement.

    Returns
    -------
    Slope or None
        None where `x` does not vary, or only as quality does.
    """
    spread = float(x @ x)
    if spread <= 0.0:
        return None
    mean = panel.mean(axis=1)
    if exact:
        return _two_stage(y, x, mean, mean, strong=0.0)
    parts = _parts(panel)
    found = [_two_stage(y, x, rest, part, strong=_STRONG) for part, rest in parts]
    fits = [fit for fit in found if fit is not None]
    if fits and len(fits) == len(parts):
        k = len(fits)
        return Slope(
            sum(fit.value for fit in fits) / k,
            np.add.reduce([fit.influence for fit in fits]) / k,
            np.add.reduce([fit.weight for fit in fits]) / k,
            sum(fit.panel for fit in fits) / k,
            instrumented=True,
        )
    weight = x / spread
    left = y - mean
    value = float(weight @ left)
    return Slope(value, weight * (left - value * x), weight, 1.0, instrumented=False)


def _parts(panel: Floats) -> list[tuple[Floats, Floats]]:
    """Cut the panel into parts, and give the mean of each with that of all the other judges."""
    k = panel.shape[1]
    if k < 2:
        return []
    cuts = np.arange(k) % min(k, PARTS)
    return [
        (panel[:, cuts == part].mean(axis=1), panel[:, cuts != part].mean(axis=1))
        for part in range(int(cuts.max()) + 1)
    ]


def _two_stage(y: Floats, x: Floats, quality: Floats, z: Floats, *, strong: float) -> Slope | None:
    """Solve the two moment conditions x'e = 0, z'e = 0 of e = y - value x - slope quality."""
    xx, xq, zx, zq = float(x @ x), float(x @ quality), float(z @ x), float(z @ quality)
    own_q, own_z = float(quality @ quality) - xq**2 / xx, float(z @ z) - zx**2 / xx
    shared = zq - zx * xq / xx  # covariance of the parts beyond what x has to do with both
    if min(own_q, own_z) <= 1e-12 * max(float(quality @ quality), float(z @ z), 1e-300):
        return None
    square = min(1.0, shared**2 / (own_q * own_z))
    if shared <= 0.0 or (len(x) - 3) * square < strong * (1.0 - square):
        return None
    xy, zy = float(x @ y), float(z @ y)
    determinant = xx * zq - xq * zx
    value, slope = (zq * xy - xq * zy) / determinant, (xx * zy - zx * xy) / determinant
    weight = (zq * x - xq * z) / determinant
    return Slope(value, weight * (y - value * x - slope * quality), weight, slope, strong > 0.0)


def slope_effect(fit: Slope | None, codes: Codes, *, alpha: float, per: str) -> AuditEffect:
    """Turn a slope into an effect, its standard error by cluster.

    Parameters
    ----------
    fit
        As :func:`fit_slope` gives it.
    codes
        Cluster of each response, from 0 without gaps (responses,).
    alpha
        One minus the level.
    per
        What the slope is, in words, for `method`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, quality = rng.normal(size=(2, 300))
    >>> noise = 0.3 * rng.normal(size=(4, 300))
    >>> panel = (quality + 0.5 * x + noise[:3]).T
    >>> fit = fit_slope(0.2 * x + (quality + 0.5 * x) + noise[3], x, panel - panel.mean(axis=0))
    >>> found = slope_effect(fit, np.arange(300), alpha=0.05, per="slope")
    >>> round(found.value, 2), round(found.se, 2), round(fit.panel, 2)
    (0.2, 0.02, 0.93)
    """
    if fit is None:
        return unknown("what is asked about does not vary at equal quality", alpha, n=len(codes))
    total = np.bincount(codes, fit.influence)
    share = np.asarray(np.bincount(codes, fit.weight**2), dtype=np.float64)
    share /= share.sum()
    groups = int(np.count_nonzero(share > 0.0))
    effective = 1.0 / float(share @ share)
    n = int(np.count_nonzero(fit.weight))
    if groups < FEWEST:
        return unknown(few(groups), alpha, n=n, n_clusters=groups)
    if effective < 2.0:
        return unknown("one item decides nearly all of it", alpha, n=n, n_clusters=groups)
    pulled = total / (1.0 - np.minimum(share, 0.5))
    se = sqrt((groups - 1.0) / groups * float(pulled @ pulled))
    df = effective - 1.0
    told = AuditEffect(
        fit.value, None, None, se, df, None, n, groups, alpha, per, details={"slope": fit.panel}
    )
    return _with_interval(told)


def _with_interval(told: AuditEffect) -> AuditEffect:
    from scipy.special import stdtr, stdtrit  # noqa: PLC0415 - scipy is imported late

    value, se, df = told.value, told.se, told.df
    assert value is not None  # noqa: S101 - the caller gives all three
    assert se is not None  # noqa: S101
    assert df is not None  # noqa: S101
    if se <= 1e-12:
        none = "judge and others differ nowhere, or everywhere alike: no spread to go by"
        return replace(told, p=1.0 if abs(value) <= 1e-12 else None, reason=none)
    half = float(stdtrit(df, 1.0 - told.alpha / 2.0)) * se
    p = min(1.0, 2.0 * float(stdtr(df, -abs(value) / se)))
    method = f"{told.method}; t, {df:.4g} df, clustered"
    return replace(told, low=value - half, high=value + half, p=p, method=method)
