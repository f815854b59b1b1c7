"""What else moves a judge's score than quality: a slope, with quality taken out.

Judge and panel see one quality through scales of their own: a judge that uses more of the scale, or
passes bad answers, departs from the panel most where quality is low, and so on every system that is
worse than others. A plain difference from the panel takes that for a liking. So the judge's score
is regressed on what is asked about (`x`) and on the panel's score; as that is quality plus error,
which would bias the slope towards 0, part of the panel stands for quality and another part is its
instrument (two-stage least squares: Wright 1928; errors in variables with replicates: Fuller 1987,
section 1.4), each part in its turn, and the results are averaged. Where the parts agree little with
each other (first-stage F below 16.4; Stock & Yogo 2005), that and a slope of 1 on the panel's mean
are both tried, and the one that shows less is given; with one other judge the slope is 1.

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
_USABLE = 4.0
_SWEEPS = 60
_SETTLED = 1e-10
_NOTHING = 1e-12


class Slope(NamedTuple):
    """A slope and each response's influence on it and weight in it."""

    value: float
    influence: Floats
    weight: Floats
    panel: float
    """Slope on the panel's score; 1 where it is taken as that."""
    quality: float
    """Slope of the panel's score on what is asked about: how much better the panel finds it."""


def demeaned(columns: Floats, groups: tuple[Codes, ...]) -> Floats:
    """Take the means of groups out of columns (responses, columns): all groups' at once.

    One grouping takes one sweep; of several, sweeps alternate until nothing moves.
    """
    out: Floats = columns - columns.mean(axis=0)
    sizes = [np.bincount(codes).astype(np.float64) for codes in groups]
    scale = np.abs(columns).max(axis=0, initial=0.0)
    for _ in range(_SWEEPS if len(groups) > 1 else len(groups)):
        moved = 0.0
        for codes, size in zip(groups, sizes, strict=True):
            for j in range(out.shape[1]):
                mean = np.bincount(codes, out[:, j], len(size)) / size
                moved = max(moved, float(np.abs(mean).max()) / (scale[j] or 1.0))
                out[:, j] -= mean[codes]
        if moved <= _SETTLED:
            break
    out[np.abs(out) <= _NOTHING * scale] = 0.0  # what rounding leaves of nothing
    return out


def fit_slope(flat: Floats, *, exact: bool = False) -> tuple[Slope, ...]:
    """Regress a judge's score on what is asked about and on quality, which the others show.

    Parameters
    ----------
    flat
        The judge's score, what is asked about, and the scores of the others, one column each
        (responses, 2 + judges); without means and without NaN.
    exact
        Whether the third column is quality itself (a human's score), not a measurement.

    Returns
    -------
    tuple of Slope
        One; two where the others agree too little to choose; none where what is asked about does
        not vary, or only as quality does.
    """
    gram = flat.T @ flat
    if gram[1, 1] <= 0.0:
        return ()
    size, n = gram.shape[0], len(flat)
    quality = np.zeros((1, size))
    quality[0, 2:] = 1.0 / (size - 2)
    own, shared = float(quality[0] @ gram @ quality[0]), float(gram[1] @ quality[0])
    if own > 0.0 and own - shared**2 / gram[1, 1] <= _NOTHING * own:
        return ()  # what is asked about moves as quality does
    better = shared / float(gram[1, 1])
    itself = [(quality[0], quality[0])] if own > 0.0 else []
    parts = itself if exact else _parts(size)
    fits = [_two_stage(gram, rest, part, n, exact=exact) for part, rest in parts]
    solved = [fit for fit in fits if fit is not None]
    found = []
    if solved and len(solved) == len(fits):
        found.append(_mean_slope(flat, solved, better))
        if exact or min(fit.strength for fit in solved) >= _STRONG:
            return tuple(found)
    value = float((gram[1, 0] - quality[0] @ gram[:, 1]) / gram[1, 1])
    weight = np.eye(size)[1] / gram[1, 1]
    plain = _Fit(value, 1.0, weight, _residual(value, 1.0, quality[0]), 0.0)
    return (*found, _mean_slope(flat, [plain], better))


def _mean_slope(flat: Floats, fits: list[_Fit], better: float) -> Slope:
    k, size = len(fits), flat.shape[1]
    # A response's influence, weight times residual averaged over the fits, is a quadratic form.
    form = sum((np.outer(fit.weight, fit.left) for fit in fits), np.zeros((size, size))) / k
    weight = sum((fit.weight for fit in fits), np.zeros(size)) / k
    return Slope(
        sum(fit.value for fit in fits) / k,
        np.einsum("ij,ij->i", flat @ form, flat),
        flat @ weight,
        sum(fit.slope for fit in fits) / k,
        better,
    )


class _Fit(NamedTuple):
    """One solution; weights and residuals as combinations of the columns."""

    value: float
    slope: float
    weight: Floats
    left: Floats
    strength: float
    """First-stage F: how far one part of the others tells what another part says."""


def _parts(size: int) -> list[tuple[Floats, Floats]]:
    """Cut the others into parts: the mean of each, and that of all the rest, as combinations."""
    k = size - 2
    if k < 2:
        return []
    cuts = np.arange(k) % min(k, PARTS)
    made = []
    for part in range(int(cuts.max()) + 1):
        inside = np.r_[0.0, 0.0, np.where(cuts == part, 1.0, 0.0)]
        outside = np.r_[0.0, 0.0, np.where(cuts == part, 0.0, 1.0)]
        made.append((inside / inside.sum(), outside / outside.sum()))
    return made


def _residual(value: float, slope: float, quality: Floats) -> Floats:
    left = -slope * quality
    left[:2] += (1.0, -value)
    return left


def _two_stage(gram: Floats, q: Floats, z: Floats, n: int, *, exact: bool) -> _Fit | None:
    """Solve the two moment conditions x'e = 0, z'e = 0 of e = y - value x - slope q."""
    xx, xq, zx, zq = gram[1, 1], gram[1] @ q, z @ gram[:, 1], z @ gram @ q
    own_q, own_z = q @ gram @ q - xq**2 / xx, z @ gram @ z - zx**2 / xx
    shared = zq - zx * xq / xx  # covariance of the parts beyond what x has to do with both
    if min(own_q, own_z) <= _NOTHING * max(float(q @ gram @ q), float(z @ gram @ z), 1e-300):
        return None
    square = min(1.0, float(shared**2 / (own_q * own_z)))
    strength = (n - 3) * square / max(1.0 - square, 1e-12)
    if not exact and (shared <= 0.0 or strength < _USABLE):
        return None
    xy, zy = gram[1, 0], z @ gram[:, 0]
    determinant = xx * zq - xq * zx
    value = float((zq * xy - xq * zy) / determinant)
    slope = float((xx * zy - zx * xy) / determinant)
    weight = -xq * z / determinant
    weight[1] += zq / determinant
    return _Fit(value, slope, weight, _residual(value, slope, q), strength)


def slope_effect(
    fits: tuple[Slope, ...],
    codes: Codes,
    *,
    alpha: float,
    per: str,
    still: str = "what is asked about does not vary at equal quality",
) -> AuditEffect:
    """Turn a slope into an effect, its standard error by cluster.

    Parameters
    ----------
    fits
        As :func:`fit_slope` gives them; of two, the one that shows less.
    codes
        Cluster of each response, from 0 without gaps (responses,).
    alpha
        One minus the level.
    per
        What the slope is, in words, for `method`.
    still
        The reason where there is no slope.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, quality = rng.normal(size=(2, 300))
    >>> noise = 0.3 * rng.normal(size=(4, 300))
    >>> panel = quality + 0.5 * x + noise
    >>> flat = demeaned(np.column_stack((panel[3] + 0.2 * x, x, *panel[:3])), ())
    >>> found = slope_effect(fit_slope(flat), np.arange(300), alpha=0.05, per="slope")
    >>> round(found.value, 2), round(found.se, 2), round(found.details["slope"], 2)
    (0.2, 0.02, 0.94)
    """
    if not fits:
        return unknown(still, alpha, n=len(codes))
    found = [_one_effect(fit, codes, alpha=alpha, per=per) for fit in fits]
    return max(found, key=lambda effect: -1.0 if effect.p is None else effect.p)


def _one_effect(fit: Slope, codes: Codes, *, alpha: float, per: str) -> AuditEffect:
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
        *(fit.value, None, None, se, df, None, n, groups, alpha, per),
        details={"slope": fit.panel, "quality": fit.quality},
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
