"""Intervals whose width follows the response: quantile regression, made to hold (CQR).

Any regressor of scikit-learn's interface that aims at a quantile is fitted to features of the
panel (mean, spread ...); how far human scores lie outside its quantiles on other labels says by
how much to widen, or narrow, them (Romano, Patterson & Candes 2019).
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.conformal_recalibration import panel_moments
from panopt.stats.conformal_split import SplitThreshold, one_row, split_threshold

__all__ = ["QuantileIntervals", "Regressor", "cqr", "cqr_scores", "panel_features"]

Floats = NDArray[np.float64]


class Regressor(Protocol):
    """What is asked of a regressor."""

    def fit(self, X: Any, y: Any) -> Any:  # noqa: ANN401, N803 - scikit-learn's own names
        """Learn from features (rows, columns) and targets (rows,)."""
        ...

    def predict(self, X: Any) -> Any:  # noqa: ANN401, N803 - scikit-learn's own names
        """Give one number a row of features."""
        ...


@dataclass(frozen=True, slots=True)
class QuantileIntervals:
    """Intervals of new responses.

    Attributes
    ----------
    low, high
        Ends, within the scale; the whole scale where labels are too few.
    threshold
        By how much the regressors' quantiles were widened (negative: narrowed), with the law of
        the coverage and the labels needed.
    n_fit
        Labels the regressors learned from.
    """

    low: Floats
    high: Floats
    threshold: SplitThreshold
    n_fit: int


def panel_features(scores: ArrayLike) -> Floats:
    """Give what a panel says of each response: mean, sd, lowest, highest, number of scores.

    Parameters
    ----------
    scores
        Matrix (responses, judges), NaN missing.

    Returns
    -------
    ndarray
        Features (responses, 5), finite: the sd of one score is the mean sd; a response without
        any score stands at the means of the others with number 0.

    Examples
    --------
    >>> panel_features([[0.0, 1.0], [0.5, np.nan]]).tolist()
    [[0.5, 0.5, 0.0, 1.0, 2.0], [0.5, 0.5, 0.5, 0.5, 1.0]]
    """
    x = as_floats("scores", scores)
    mean, sd, n = panel_moments(x)
    given = ~np.isnan(x)
    low = np.where(given, x, np.inf).min(axis=1, initial=np.inf)
    high = np.where(given, x, -np.inf).max(axis=1, initial=-np.inf)
    columns = np.column_stack([mean, sd, low, high])
    columns[~np.isfinite(columns)] = np.nan
    some = ~np.isnan(columns)
    count = np.maximum(some.sum(axis=0), 1)
    middle = np.where(some, columns, 0.0).sum(axis=0) / count
    return np.column_stack([np.where(some, columns, middle), n])


def cqr_scores(low: ArrayLike, high: ArrayLike, human: ArrayLike) -> Floats:
    """Give how far each human score lies outside [low, high]; negative inside.

    Examples
    --------
    >>> cqr_scores([0.2, 0.2], [0.6, 0.6], [0.3, 0.9]).round(2).tolist()
    [-0.1, 0.3]
    """
    a, b, y = one_row("low", low), one_row("high", high), one_row("human", human)
    if not a.shape == b.shape == y.shape:
        raise ValueError(f"low, high and human differ in length: {len(a)}, {len(b)}, {len(y)}")
    return np.maximum(a - y, y - b)


def cqr(  # noqa: PLR0913 - two regressors, three parts of the data
    features: ArrayLike,
    human: ArrayLike,
    new_features: ArrayLike,
    *,
    low_model: Regressor,
    high_model: Regressor,
    alpha: float = 0.1,
    fit_share: float = 0.5,
    scale_low: float = -np.inf,
    scale_high: float = np.inf,
    rng: np.random.Generator | None = None,
) -> QuantileIntervals:
    """Give intervals of human scores by quantile regressors, calibrated on other labels.

    Parameters
    ----------
    features
        Features of labelled responses (labels, columns), e.g. from :func:`panel_features`.
    human
        Human score of each (labels,).
    new_features
        Features of new responses (responses, columns).
    low_model, high_model
        Unfitted regressors of the quantiles alpha / 2 and 1 - alpha / 2; copies are fitted.
        Whatever they give, the coverage holds.
    alpha
        Miscoverage in (0, 1).
    fit_share
        Share of the labels that the regressors learn from, in (0, 1); the others calibrate.
    scale_low, scale_high
        Ends of the scale.
    rng
        Draws which labels; one of fixed seed by default.

    Returns
    -------
    QuantileIntervals

    Raises
    ------
    ValueError
        For arguments that do not fit, or a regressor that answers with NaN.

    Examples
    --------
    >>> class Constant:
    ...     def fit(self, X, y):
    ...         return self
    ...     def predict(self, X):
    ...         return np.zeros(len(X))
    >>> found = cqr(np.ones((40, 1)), np.arange(40.0), np.ones((1, 1)), low_model=Constant(),
    ...             high_model=Constant(), alpha=0.1)
    >>> found.threshold.n, bool(found.high[0] == found.threshold.value)
    (20, True)
    """
    x, new = as_floats("features", features), as_floats("new_features", new_features)
    y = one_row("human", human)
    if x.ndim != 2 or new.ndim != 2 or x.shape[1] != new.shape[1]:
        raise ValueError(
            f"features {x.shape} and new_features {new.shape} must be matrices of equal columns"
        )
    if len(x) != len(y):
        raise ValueError(f"features have {len(x)} rows, human {len(y)} labels")
    if not 0.0 < fit_share < 1.0:
        raise ValueError(f"fit_share = {fit_share} must lie strictly between 0 and 1")
    if not scale_low < scale_high:
        raise ValueError(f"scale_low = {scale_low} must be below scale_high = {scale_high}")
    order = (np.random.default_rng(0) if rng is None else rng).permutation(len(y))
    n_fit = int(len(y) * fit_share)
    learn, hold = order[:n_fit], order[n_fit:]
    threshold = split_threshold(np.zeros(len(hold)), alpha=alpha)
    if n_fit < 2 and np.isfinite(threshold.value):
        raise ValueError(f"fit_share = {fit_share} leaves {n_fit} labels to learn from; 2 at least")
    if np.isinf(threshold.value):
        whole = np.full(len(new), scale_low), np.full(len(new), scale_high)
        return QuantileIntervals(*whole, threshold=threshold, n_fit=n_fit)
    below = deepcopy(low_model).fit(x[learn], y[learn])
    above = deepcopy(high_model).fit(x[learn], y[learn])
    ends = [_predicted(model, part) for part in (x[hold], new) for model in (below, above)]
    threshold = split_threshold(cqr_scores(ends[0], ends[1], y[hold]), alpha=alpha)
    low, high = ends[2] - threshold.value, ends[3] + threshold.value
    crossed = low > high  # of such an interval nothing is left: it is given its middle
    low[crossed] = high[crossed] = ((low + high) / 2.0)[crossed]
    return QuantileIntervals(
        low=np.clip(low, scale_low, scale_high),
        high=np.clip(high, scale_low, scale_high),
        threshold=threshold,
        n_fit=n_fit,
    )


def _predicted(model: Regressor, features: Floats) -> Floats:
    answer = np.array(model.predict(features), dtype=np.float64).reshape(-1)
    if answer.shape != (len(features),) or not np.isfinite(answer).all():
        raise ValueError("a model must predict one finite number a row of features")
    return answer
