"""Narrow intervals by learning from some labels, and keep them exact by calibrating on the others.

A part of the labels decides how the interval is built: around the panel's own value or around a
prediction recalibrated to humans, of one width, by the spread of the panel or by the error that is
expected of each response. The other labels calibrate that interval by split conformal prediction;
nothing they say had a part in choosing, so that its coverage is exact, whatever was learned (Lei et
al. 2018, section 2.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.conformal_expected import expected_error
from panopt.stats.conformal_recalibration import (
    RecalibratedPanel,
    panel_moments,
    recalibrated_panel,
)
from panopt.stats.conformal_split import (
    SplitThreshold,
    one_row,
    rank_and_need,
    split_interval,
    split_threshold,
)
from panopt.stats.conformal_spread import (
    LEAST_GAIN,
    SpreadChoice,
    choose_spread,
    floored_spread,
)

__all__ = ["IntervalPlan", "LearnedIntervals", "learned_intervals", "plan_intervals"]

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

_FOLDS = 5
_LEARN_SHARE = 2  # one label in so many is learned from
_MOST_LEARNED = 2000
_LEAST_LEARNED = 50
_LEAST_LEFT = 100  # labels that must be left to calibrate: the coverage is then known to -+ 5%


@dataclass(frozen=True, slots=True)
class IntervalPlan:
    """How intervals are built.

    Attributes
    ----------
    centre
        Middle of the interval of each response (responses,), NaN where there is none.
    spread
        What half-widths are multiples of (responses,); None: one width for all.
    calibrate
        Rows that may calibrate: those that decided nothing.
    recalibrated
        Whether the centre is a prediction learned from labels.
    n_learned
        Labels learned from.
    reason
        The choice in words.
    """

    centre: Floats
    spread: Floats | None
    calibrate: Rows
    recalibrated: bool
    n_learned: int
    reason: str


@dataclass(frozen=True, slots=True)
class LearnedIntervals:
    """Intervals of human scores.

    Attributes
    ----------
    low, high
        Ends within the scale (responses,), NaN where there is none.
    halfwidth
        Mean half-width before intervals are cut at the scale's ends; infinity where labels are
        too few.
    threshold
        The bound, with the law of the coverage and the labels needed to calibrate.
    plan
        How they were built.
    """

    low: Floats
    high: Floats
    halfwidth: float
    threshold: SplitThreshold
    plan: IntervalPlan


def plan_intervals(  # noqa: PLR0913 - a panel, its labels, and the promise to be made
    value: ArrayLike,
    scores: ArrayLike,
    spread: ArrayLike,
    human: ArrayLike,
    rows: ArrayLike,
    *,
    alpha: float = 0.1,
    rng: np.random.Generator | None = None,
) -> IntervalPlan:
    """Decide on some labels how intervals are built, and leave the others to calibrate them.

    Parameters
    ----------
    value
        Panel's value of each response, which no label entered (responses,); NaN: none.
    scores
        Judges' scores (responses, judges), NaN missing.
    spread
        Spread of the panel or sd of its value (responses,), NaN unknown.
    human
        Human scores (responses,), NaN without.
    rows
        Responses whose labels may be used, one of each cluster.
    alpha
        Miscoverage that will be asked for, in (0, 1).
    rng
        Draws the labels that decide; one of fixed seed by default.

    Returns
    -------
    IntervalPlan
        With fewer than 150 labels nothing is learned and all calibrate.

    Raises
    ------
    ValueError
        For shapes that differ, infinite values, or rows that are no responses with value and
        label, each named once: one that both taught and calibrated would break the promise.
    """
    f, x = as_floats("value", value), as_floats("scores", scores)
    s, y = as_floats("spread", spread), as_floats("human", human)
    at = _as_rows("rows", rows, len(x))
    if x.ndim != 2 or not f.shape == s.shape == y.shape == (len(x),):
        raise ValueError(
            f"value {f.shape}, spread {s.shape} and human {y.shape} must have one entry for each "
            f"of the rows of scores {x.shape}"
        )
    if np.isnan(f[at]).any() or np.isnan(y[at]).any():
        raise ValueError("rows must be of responses with a value and a human score")
    if np.isinf(f).any() or np.isinf(y[at]).any():
        raise ValueError("value and human must be finite, NaN where there is none")
    left_at_least = max(_LEAST_LEFT, 5 * rank_and_need(len(at), alpha)[1])
    n_learned = min(len(at) // _LEARN_SHARE, len(at) - left_at_least, _MOST_LEARNED)
    if n_learned < _LEAST_LEARNED:
        return IntervalPlan(
            centre=f,
            spread=None,
            calibrate=at,
            recalibrated=False,
            n_learned=0,
            reason="around the panel's value, one width: too few labels to learn more from",
        )
    order = (np.random.default_rng(0) if rng is None else rng).permutation(at)
    learn, left = order[:n_learned], np.sort(order[n_learned:])
    own = np.abs(y[learn] - f[learn])
    model, told = _recalibrated(x, y, learn)
    error = np.abs(y[learn] - told)
    gain = 0.0 if model is None else 1.0 - _width_ratio(error, own, alpha)
    use = model is not None and gain >= LEAST_GAIN
    centre = f
    if use and model is not None:
        centre = np.where(np.isnan(f), np.nan, model.predict(x))
    else:
        error, told = own, f[learn]
    unit, choice = _unit(error, told, centre, floored_spread(s), learn, alpha=alpha)
    what = (
        f"around the panel's scores recalibrated to {n_learned} labels ({gain:.0%} narrower)"
        if use
        else "around the panel's value"
    )
    return IntervalPlan(
        centre=centre,
        spread=unit if choice.use else None,
        calibrate=left,
        recalibrated=use,
        n_learned=n_learned,
        reason=f"{what}, {choice.reason}",
    )


def learned_intervals(  # noqa: PLR0913 - a panel, its labels, and the promise made
    scores: ArrayLike,
    human: ArrayLike,
    *,
    value: ArrayLike | None = None,
    spread: ArrayLike | None = None,
    alpha: float = 0.1,
    scale_low: float = -np.inf,
    scale_high: float = np.inf,
    rng: np.random.Generator | None = None,
) -> LearnedIntervals:
    """Give every response an interval of its human score, as narrow as labels allow, and exact.

    Parameters
    ----------
    scores
        Judges' scores (responses, judges), NaN missing.
    human
        Human score of each response, NaN where nobody labelled it (responses,).
    value, spread
        Panel's value and spread; mean and sd of the judges by default.
    alpha
        Miscoverage in (0, 1).
    scale_low, scale_high
        Ends of the scale.
    rng
        Draws the labels that are learned from; one of fixed seed by default.

    Returns
    -------
    LearnedIntervals

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.normal(size=900)
    >>> scores = 2.0 + 1.5 * truth[:, None] + rng.normal(0, 0.3, (900, 3))
    >>> human = np.where(np.arange(900) < 450, truth, np.nan)
    >>> found = learned_intervals(scores, human)
    >>> found.plan.recalibrated, found.threshold.n, round(found.halfwidth, 2)
    (True, 225, 0.19)
    """
    x, y = as_floats("scores", scores), as_floats("human", human)
    mean, sd, _ = panel_moments(x)
    f = mean if value is None else as_floats("value", value)
    s = sd if spread is None else as_floats("spread", spread)
    if not f.shape == s.shape == y.shape == (len(x),):
        raise ValueError("scores, human, value and spread must have one entry a response")
    rows = np.flatnonzero(~np.isnan(f) & ~np.isnan(y))
    plan = plan_intervals(f, x, s, y, rows, alpha=alpha, rng=rng)
    at = plan.calibrate
    unit = np.ones(len(f)) if plan.spread is None else plan.spread
    threshold = split_threshold(np.abs(y[at] - plan.centre[at]) / unit[at], alpha=alpha)
    low, high = split_interval(
        plan.centre,
        threshold.value,
        scale_low=scale_low,
        scale_high=scale_high,
        spread=plan.spread,
    )
    known = ~np.isnan(plan.centre)
    mean_unit = float(unit[known].mean()) if known.any() else 1.0
    return LearnedIntervals(
        low=low, high=high, halfwidth=threshold.value * mean_unit, threshold=threshold, plan=plan
    )


def _as_rows(name: str, rows: ArrayLike, n: int) -> Rows:
    """Give places in an array of n as whole numbers, each once.

    Raises
    ------
    ValueError
        For anything else.
    """
    given = as_floats(name, rows)
    if given.ndim != 1 or not np.isin(given, np.arange(n)).all():
        raise ValueError(f"{name} must be one row of whole numbers in 0..{n - 1}")
    at = given.astype(np.int64)
    if len(np.unique(at)) != len(at):
        raise ValueError(f"{name} must name each response once")
    return at


def _recalibrated(x: Floats, y: Floats, learn: Rows) -> tuple[RecalibratedPanel | None, Floats]:
    """Learn to predict human scores; give also the predictions of five folds left out in turn."""
    rows = learn[~np.isnan(x[learn]).all(axis=1)]
    told = np.full(len(learn), np.nan)
    if len(rows) < len(learn):  # a value without scores: it comes from elsewhere
        return None, told
    for out in _folds(len(learn)):
        fitted = recalibrated_panel(x[learn[~out]], y[learn[~out]])
        told[out] = fitted.predict(x[learn[out]])
    return recalibrated_panel(x[learn], y[learn]), told


def _unit(  # noqa: PLR0913 - residuals, and what may tell them
    error: Floats, told: Floats, centre: Floats, spread: Floats, learn: Rows, *, alpha: float
) -> tuple[Floats, SpreadChoice]:
    """Choose what half-widths are multiples of: the spread, or the error that is expected.

    `error` and `told` are residuals and predictions of the rows in `learn`, out of fold; the
    expected error is compared out of fold too.
    """
    by_spread = choose_spread(error, spread[learn], alpha=alpha)
    if by_spread.width_ratio is None:
        return spread, by_spread
    expected = np.empty(len(learn))
    for out in _folds(len(learn)):
        if not error[~out].any():
            return spread, by_spread
        fitted = expected_error(error[~out], told[~out], spread[learn[~out]])
        expected[out] = fitted.predict(told[out], spread[learn[out]])
    by_error = choose_spread(error, expected, alpha=alpha, what="the expected error")
    if by_error.width_ratio is None or by_error.width_ratio >= by_spread.width_ratio:
        return spread, by_spread
    fitted = expected_error(error, told, spread[learn])
    unit = fitted.predict(centre, spread)
    return np.where(np.isnan(unit), fitted.intercept, unit), by_error


def _folds(n: int) -> Iterator[NDArray[np.bool_]]:
    """Give, for each of five folds of labels in random order, which are left out."""
    fold = np.arange(n) % _FOLDS
    for f in range(_FOLDS):
        yield fold == f


def _width_ratio(new: Floats, old: Floats, alpha: float) -> float:
    levels = 1.0 - alpha * np.linspace(0.5, 1.5, 5)
    levels = levels[levels > 0]
    a = np.quantile(one_row("residuals", new), levels, method="higher")
    b = np.quantile(old, levels, method="higher")
    if a.min() <= 0.0 or b.min() <= 0.0:
        return 1.0
    return float(np.exp(np.mean(np.log(a / b))))
