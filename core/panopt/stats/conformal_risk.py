"""Choose how careful to be so that a loss of any kind stays below alpha (conformal risk control).

Losses that fall as a setting gets more careful (misses of a set, distance to the human score, money
lost) are controlled in the mean over new responses (Angelopoulos et al. 2024, theorem 1), or, with
a `delta`, for the labels at hand with probability 1 - delta (Bates et al. 2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.conformal_betting import (
    BoundMethod,
    bound_method,
    loss_upper,
    refuted_means,
)
from panopt.stats.conformal_split import EXCHANGEABLE, one_row, rank_and_need

__all__ = ["RiskControl", "conformal_risk_control", "risk_controlling_setting"]

Floats = NDArray[np.float64]

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class RiskControl:
    """The least careful setting whose loss is controlled.

    Attributes
    ----------
    value
        The setting; where none is controlled the most careful one.
    index
        Its place on the grid.
    feasible
        Whether its loss is controlled.
    risk
        Mean loss on the labels at that setting; None without labels.
    bound
        What was kept at most alpha: ``(n risk + B) / (n + 1)``, or the upper confidence bound.
    n, alpha, delta
        Labels; loss tolerated; failure probability, None where the mean is controlled.
    labels_needed
        Fewest labels at which a setting without any loss is controlled.
    coverage_low, coverage_high
        None: a loss is no coverage; `bound` stands for it.
    assumption, reason
        What it rests on; why it is not feasible.
    """

    value: float
    index: int
    feasible: bool
    risk: float | None
    bound: float
    n: int
    alpha: float
    delta: float | None
    labels_needed: int
    assumption: str
    reason: str | None
    coverage_low: float | None = None
    coverage_high: float | None = None


def conformal_risk_control(
    losses: ArrayLike,
    settings: ArrayLike,
    *,
    alpha: float,
    bound: float = 1.0,
) -> RiskControl:
    """Find the least careful setting whose expected loss on a new response is at most alpha.

    Parameters
    ----------
    losses
        Loss of each labelled response at each setting (labels, settings), in [0, bound], never
        rising from one setting to the next.
    settings
        The settings (settings,), from the least careful to the most careful.
    alpha
        Loss tolerated, positive and below `bound`.
    bound
        Largest loss there can be.

    Returns
    -------
    RiskControl
        Infeasible, with the labels needed, where even the most careful setting is not controlled.

    Raises
    ------
    ValueError
        For losses that rise, are NaN or outside [0, bound], and arguments that do not fit.

    Notes
    -----
    For the loss 0/1 of an interval it is split conformal prediction, quantile and all.

    Examples
    --------
    >>> distance = np.linspace(0, 1, 100)
    >>> settings = np.linspace(0, 1, 11)
    >>> losses = np.maximum(distance[:, None] - settings, 0.0)  # how far outside the interval
    >>> found = conformal_risk_control(losses, settings, alpha=0.1)
    >>> round(found.value, 2), round(found.bound, 3), found.labels_needed
    (0.6, 0.09, 9)
    """
    table, grid = _checked(losses, settings, bound)
    if not 0.0 < alpha < bound:
        raise ValueError(f"alpha = {alpha} must lie strictly between 0 and bound = {bound}")
    _refuse_rising(table)
    n = len(table)
    total = table.sum(axis=0)
    kept = (total + bound) / (n + 1)
    passed = kept <= alpha + _ROUNDING * bound / (n + 1)
    feasible = bool(passed[-1])
    index = int(np.argmax(passed)) if feasible else len(grid) - 1
    needed = rank_and_need(n, alpha / bound)[1]
    return RiskControl(
        value=float(grid[index]),
        index=index,
        feasible=feasible,
        risk=float(total[index] / n) if n else None,
        bound=float(kept[index]),
        n=n,
        alpha=alpha,
        delta=None,
        labels_needed=needed,
        assumption=EXCHANGEABLE,
        reason=None if feasible else _infeasible(n, alpha, needed),
    )


def risk_controlling_setting(  # noqa: PLR0913 - options of one guarantee
    losses: ArrayLike,
    settings: ArrayLike,
    *,
    alpha: float,
    delta: float = 0.1,
    bound: float = 1.0,
    method: BoundMethod = "auto",
    rng: np.random.Generator | None = None,
) -> RiskControl:
    """Find the least careful setting whose mean loss is at most alpha, with probability 1 - delta.

    Settings are tested from the most careful on, each at level delta, until the first that cannot
    be shown safe (fixed-sequence testing): losses need not fall with care, only start low.

    Parameters
    ----------
    losses
        Loss of each labelled response at each setting (labels, settings), in [0, bound].
    settings
        The settings (settings,), from the least careful to the most careful.
    alpha, delta
        Loss tolerated; failure probability over the draw of the labels, in (0, 1).
    bound
        Largest loss there can be.
    method
        Upper bound used: exact binomial for losses given as bool, else betting; see
        :func:`panopt.stats.conformal_betting.loss_upper`.
    rng
        Draws the order in which labels are bet on; one of fixed seed by default.

    Returns
    -------
    RiskControl
        `bound` is the upper confidence bound of that setting.

    Examples
    --------
    >>> distance = np.linspace(0, 1, 400)
    >>> settings = np.linspace(0, 1, 11)
    >>> losses = np.maximum(distance[:, None] - settings, 0.0)
    >>> found = risk_controlling_setting(losses, settings, alpha=0.1)
    >>> round(found.value, 2), found.bound <= 0.1
    (0.6, True)
    """
    table, grid = _checked(losses, settings, bound)
    if not 0.0 < alpha < bound:
        raise ValueError(f"alpha = {alpha} must lie strictly between 0 and bound = {bound}")
    if not 0.0 < delta < 1.0:
        raise ValueError(f"delta = {delta} must lie strictly between 0 and 1")
    named = bound_method(method, losses)
    order = (np.random.default_rng(0) if rng is None else rng).permutation(len(table))
    table = table[order]
    safe = _safe(table, alpha, delta, bound, named)
    feasible = bool(safe[-1])
    first_unsafe = np.flatnonzero(~safe)
    index = int(first_unsafe[-1]) + 1 if first_unsafe.size else 0
    index = index if feasible else len(grid) - 1
    found = loss_upper(table[:, index], delta=delta, bound=bound, method=named)
    needed = _needed(alpha / bound, delta, named)
    return RiskControl(
        value=float(grid[index]),
        index=index,
        feasible=feasible,
        risk=found.mean,
        bound=found.value,
        n=len(table),
        alpha=alpha,
        delta=delta,
        labels_needed=needed,
        assumption=found.assumption,
        reason=None if feasible else _infeasible(len(table), alpha, needed),
    )


def _safe(
    table: Floats, alpha: float, delta: float, bound: float, method: BoundMethod
) -> NDArray[np.bool_]:
    """Tell of each setting whether its loss is shown to be at most alpha."""
    if method == "betting":
        return refuted_means(table / bound, alpha / bound, delta)
    upper = [loss_upper(column, delta=delta, bound=bound, method=method) for column in table.T]
    return np.array([one.value <= alpha for one in upper])


def _needed(share: float, delta: float, method: BoundMethod) -> int:
    """Count the labels that, without any loss, show it to be below this share."""
    from panopt.stats.binomial import zero_error_labels  # noqa: PLC0415 - a fast start

    if method == "binomial":
        return zero_error_labels(share, delta)
    low, high = 0, 1
    while not _shown(high, share, delta, method):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _shown(middle, share, delta, method) else (middle, high)
    return high


def _shown(n: int, share: float, delta: float, method: BoundMethod) -> bool:
    return bool(_safe(np.zeros((n, 1)), share, delta, 1.0, method)[0])


def _infeasible(n: int, alpha: float, needed: int) -> str:
    if n < needed:
        return f"{n} labels control no loss at alpha = {alpha:g}: {needed} are needed"
    return f"even the most careful setting loses more than alpha = {alpha:g}"


def _checked(losses: ArrayLike, settings: ArrayLike, bound: float) -> tuple[Floats, Floats]:
    table, grid = as_floats("losses", losses), one_row("settings", settings)
    if not (bound > 0 and np.isfinite(bound)):
        raise ValueError(f"bound = {bound} must be positive and finite")
    if table.ndim != 2 or table.shape[1] != len(grid) or not len(grid):
        raise ValueError(
            f"losses of shape {table.shape} must have a column for each of {len(grid)} settings"
        )
    if np.isnan(table).any():
        raise ValueError("losses must not be NaN; leave responses without a label out")
    if table.size and not 0.0 <= table.min() <= table.max() <= bound:
        raise ValueError(
            f"losses span {table.min():g}..{table.max():g}; they must lie in 0..{bound:g}"
        )
    return table, grid


def _refuse_rising(table: Floats) -> None:
    rising = np.diff(table, axis=1) > 0
    if rising.any():
        row, at = (int(where[0]) for where in np.nonzero(rising))
        raise ValueError(
            f"losses of label {row} rise from setting {at} to {at + 1}; they must never rise with "
            "care (see risk_controlling_setting for losses that do)"
        )
