"""Use few labels twice, to fit a predictor and to calibrate it: CV+ and jackknife+.

Every label's residual comes from a fit that has not seen it, and a new response is predicted by
each of those fits (Barber et al. 2021). Guaranteed is 1 - 2 alpha; what comes out is near
1 - alpha. Where 1 - alpha itself must be guaranteed, fit and calibrate on different labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats, as_keys
from panopt.stats.conformal_recalibration import recalibrated_panel
from panopt.stats.conformal_split import EXCHANGEABLE, one_row, rank_and_need, too_few

__all__ = ["CrossConformal", "Fit", "cv_plus", "cv_plus_interval"]

Floats = NDArray[np.float64]

#: Learns from features (labels, columns) and human scores; gives a predictor of new features.
Fit = Callable[[Floats, Floats], Callable[[Floats], Floats]]

_CELLS = 1 << 21  # label times new response at a time: 16 MB


@dataclass(frozen=True, slots=True)
class CrossConformal:
    """Intervals of new responses.

    Attributes
    ----------
    low, high
        Ends, within the scale; NaN where there is no prediction.
    n, folds
        Labels, and parts they were left out in.
    guaranteed
        Coverage that is guaranteed, at worst: about 1 - 2 alpha (Barber et al. 2021, theorems 1
        and 4).
    alpha
        Miscoverage asked for, near which it mostly lies.
    labels_needed
        Fewest labels with finite intervals.
    coverage_low, coverage_high
        None: see `no_band`.
    assumption, no_band, reason
        What it rests on; why no law of the coverage is known; why intervals are the whole scale.
    """

    low: Floats
    high: Floats
    n: int
    folds: int
    guaranteed: float
    alpha: float
    labels_needed: int
    assumption: str
    reason: str | None
    coverage_low: float | None = None
    coverage_high: float | None = None
    no_band: str = "fits that share labels give the coverage no known exact law"


def cv_plus(  # noqa: PLR0913 - what is fitted, and to what
    features: ArrayLike,
    human: ArrayLike,
    new_features: ArrayLike,
    *,
    alpha: float = 0.1,
    folds: int = 10,
    fit: Fit | None = None,
    clusters: ArrayLike | None = None,
    scale_low: float = -np.inf,
    scale_high: float = np.inf,
    rng: np.random.Generator | None = None,
) -> CrossConformal:
    """Give intervals of human scores by a predictor fitted to the labels, out of fold.

    Parameters
    ----------
    features
        Judges' scores of labelled responses (labels, judges), NaN missing.
    human
        Human score of each (labels,).
    new_features
        Judges' scores of new responses (responses, judges).
    alpha
        Miscoverage in (0, 1) that intervals are made for; `guaranteed` says what is certain.
    folds
        Parts left out in turn, 2 to the number of labels; with as many as labels: jackknife+.
    fit
        Learner of another predictor; by default the recalibrated panel
        (`panopt.stats.conformal_recalibration`).
    clusters
        Cluster of each label; whole clusters are left out together. The guarantee takes labels
        that are exchangeable one by one: count one of each cluster to have it.
    scale_low, scale_high
        Ends of the scale, which intervals are cut at.
    rng
        Deals labels into folds; one of fixed seed by default.

    Returns
    -------
    CrossConformal

    Raises
    ------
    ValueError
        For arguments that do not fit, NaN labels, or rows without any score.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> human = rng.normal(size=400)
    >>> scores = 3.0 + human[:, None] + rng.normal(0, 0.5, (400, 3))
    >>> found = cv_plus(scores[:200], human[:200], scores[200:], alpha=0.1)
    >>> bool(np.mean((found.low <= human[200:]) & (human[200:] <= found.high)) > 0.85)
    True
    >>> round(found.guaranteed, 2)
    0.71
    """
    x, new = _table("features", features), _table("new_features", new_features)
    y = one_row("human", human)
    if y.shape != (len(x),):
        raise ValueError(f"human holds {len(y)} labels, features {len(x)} rows")
    if not np.isfinite(y).all():
        raise ValueError("human must be finite")
    if np.isinf(x).any() or np.isinf(new).any():
        raise ValueError("features and new_features must be finite, NaN where missing")
    if new.shape[1] != x.shape[1]:
        raise ValueError(f"new_features have {new.shape[1]} columns, features {x.shape[1]}")
    needed = rank_and_need(len(y), alpha)[1]
    if len(y) < max(needed, 3):
        return _whole(len(new), len(y), alpha, max(needed, 3), (scale_low, scale_high))
    if not 2 <= folds <= len(y):
        raise ValueError(f"folds = {folds} must lie between 2 and the number of labels, {len(y)}")
    fold = _deal(len(y), clusters, folds, np.random.default_rng(0) if rng is None else rng)
    learn: Fit = _recalibrate if fit is None else fit
    residuals = np.empty(len(y))
    predicted = np.empty((int(fold.max()) + 1, len(new)))
    for f in range(len(predicted)):
        out = fold == f
        predict = learn(x[~out], y[~out])
        residuals[out] = np.abs(y[out] - predict(x[out]))
        predicted[f] = predict(new)
    return cv_plus_interval(
        residuals, fold, predicted, alpha=alpha, scale_low=scale_low, scale_high=scale_high
    )


def cv_plus_interval(  # noqa: PLR0913 - options of one interval
    residuals: ArrayLike,
    fold: ArrayLike,
    predicted: ArrayLike,
    *,
    alpha: float = 0.1,
    scale_low: float = -np.inf,
    scale_high: float = np.inf,
) -> CrossConformal:
    """Give the CV+ intervals of fits made elsewhere (Barber et al. 2021, eq. 14).

    Parameters
    ----------
    residuals
        ``|human - prediction|`` of each label by the fit without its fold (labels,).
    fold
        Fold of each label, from 0 (labels,).
    predicted
        Prediction of each new response by the fit without each fold (folds, responses).
    alpha, scale_low, scale_high
        As in :func:`cv_plus`.

    Returns
    -------
    CrossConformal

    Examples
    --------
    With equal fits it is the split interval of the out-of-fold residuals:

    >>> found = cv_plus_interval(np.arange(1.0, 20.0), np.arange(19) % 2, [[0.0], [0.0]])
    >>> found.low.tolist(), found.high.tolist()
    ([-18.0], [18.0])
    """
    r, p = one_row("residuals", residuals), _table("predicted", predicted)
    part = as_keys("fold", fold)
    if part.shape != r.shape or (part.size and part.dtype.kind not in "iu"):
        raise ValueError(f"fold must hold one whole number a label: {len(r)}")
    if part.size and not 0 <= part.min() <= part.max() < len(p):
        raise ValueError(f"fold must lie in 0..{len(p) - 1}, the rows of predicted")
    if part.size and len(np.unique(part)) != len(p):
        raise ValueError(f"predicted has {len(p)} rows: each must be of a fold with labels")
    if np.any(r < 0) or np.isinf(r).any() or np.isinf(p).any():
        raise ValueError("residuals and predicted must be finite, residuals not negative")
    if not scale_low < scale_high:
        raise ValueError(f"scale_low = {scale_low} must be below scale_high = {scale_high}")
    n, (k, needed) = len(r), rank_and_need(len(r), alpha)
    if k > n:
        return _whole(p.shape[1], n, alpha, needed, (scale_low, scale_high))
    low, high = np.empty(p.shape[1]), np.empty(p.shape[1])
    step = max(1, _CELLS // n)
    for first in range(0, p.shape[1], step):
        block = p[part, first : first + step]
        here = slice(first, first + step)
        low[here] = np.partition(block - r[:, None], n - k, axis=0)[n - k]
        high[here] = np.partition(block + r[:, None], k - 1, axis=0)[k - 1]
    blank = np.isnan(p).any(axis=0)
    low[blank] = high[blank] = np.nan
    crossed = low > high  # only where alpha is above .5
    low[crossed] = high[crossed] = ((low + high) / 2.0)[crossed]
    folds = len(p)
    slack = min(2 * (1 - 1 / folds) / (n / folds + 1), (1 - folds / n) / (folds + 1))
    return CrossConformal(
        low=np.clip(low, scale_low, scale_high),
        high=np.clip(high, scale_low, scale_high),
        n=n,
        folds=folds,
        guaranteed=max(0.0, 1.0 - 2.0 * alpha - max(slack, 0.0)),
        alpha=alpha,
        labels_needed=needed,
        assumption=EXCHANGEABLE,
        reason=None,
    )


def _whole(
    n_new: int, n: int, alpha: float, needed: int, ends: tuple[float, float]
) -> CrossConformal:
    return CrossConformal(
        low=np.full(n_new, ends[0]),
        high=np.full(n_new, ends[1]),
        n=n,
        folds=0,
        guaranteed=1.0,
        alpha=alpha,
        labels_needed=needed,
        assumption=EXCHANGEABLE,
        reason=too_few(n, alpha, needed),
    )


def _recalibrate(features: Floats, human: Floats) -> Callable[[Floats], Floats]:
    return recalibrated_panel(features, human).predict


def _deal(
    n: int, clusters: ArrayLike | None, folds: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Deal labels, or whole clusters of them, into folds of equal size."""
    if clusters is None:
        return np.asarray(rng.permutation(n) % folds)
    keys = as_keys("clusters", clusters)
    if keys.shape != (n,):
        raise ValueError(f"clusters of shape {keys.shape} must hold one entry a label: {n}")
    code = np.unique(keys, return_inverse=True)[1]
    several = int(code.max()) + 1
    if several < folds:
        raise ValueError(f"{several} clusters cannot be left out in folds = {folds} parts")
    return np.asarray((rng.permutation(several) % folds)[code])


def _table(name: str, values: ArrayLike) -> Floats:
    x = as_floats(name, values)
    if x.ndim != 2:
        raise ValueError(f"{name} must have two dimensions, not {x.ndim}")
    return x
