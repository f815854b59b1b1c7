"""How often each judge of a cascade should be wrong: a few numbers fitted to a few labels.

A logistic regression that all judges share: error falls with the rank of a judge's own
confidence, changes with the ranks of those before it, and each judge has a level of its own. With
some tens of labels a model of each judge alone mistakes luck for skill, so what sets a judge apart
is drawn to what judges have in common, and the order "from cheap to strong" is believed a little.

Nothing here carries a guarantee; :mod:`panopt.stats.cascade` tests what is learned on other labels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["expected_errors", "expit"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Ranks run over [-RANGE / 2, RANGE / 2]: a step of 1 is a quarter of the judgments.
RANGE = 4.0

#: What is believed before any label: log-odds of error fall by SLOPE a quarter of the ranks, and
#: by ORDER from a judge to the next stronger one.
SLOPE, ORDER = -0.8, -0.5

#: How much, in units of one label: the common level, slope, slope in the ranks of judges before;
#: each judge's own level, own slope.
RIDGE, RIDGE_LEVEL, RIDGE_SLOPE = (0.05, 1.0, 1.0), 6.0, 10.0

NEWTON_STEPS, NEWTON_LENGTH, NEWTON_ENOUGH = 30, 5.0, 1e-3


def expected_errors(confidence: Floats, wrong: Flags, known: Flags, source: Floats) -> Floats:
    """Expect the error of every judge on every item from the items whose labels are known.

    Parameters
    ----------
    confidence
        Shape (items, judges); NaN where a judge did not answer.
    wrong
        Same shape; looked at where `known` alone.
    known
        Items that the model is fitted to, shape (items,).
    source
        Confidences that ranks are taken among, shape (other items, judges).

    Returns
    -------
    ndarray
        Probabilities of error, shape (items, judges); 0 where a judge did not answer.
    """
    items, judges = confidence.shape
    ranks = _ranks(confidence, source)
    before = np.zeros((items, judges))
    before[:, 1:] = np.cumsum(ranks, axis=1)[:, :-1] / np.arange(1, judges)
    item, judge = np.nonzero(~np.isnan(confidence))
    design = np.zeros((len(item), 3 + 2 * judges))
    design[:, 0] = 1.0
    design[:, 1] = ranks[item, judge]
    design[:, 2] = before[item, judge]
    places = np.arange(len(item))
    design[places, 3 + judge] = 1.0
    design[places, 3 + judges + judge] = design[:, 1]
    belief = np.zeros(design.shape[1])
    belief[1] = SLOPE
    belief[3 : 3 + judges] = ORDER * (np.arange(judges) - (judges - 1) / 2.0)
    ridge = np.r_[RIDGE, np.full(judges, RIDGE_LEVEL), np.full(judges, RIDGE_SLOPE)]
    fitted = known[item]
    y = wrong[item[fitted], judge[fitted]].astype(np.float64)
    weights = _logistic(design[fitted], y, belief, ridge)
    expected = np.zeros((items, judges))
    expected[item, judge] = expit(design @ weights)
    return expected


def expit(x: Floats) -> Floats:
    """Give the logistic function without overflow (that of scipy would load scipy).

    Examples
    --------
    >>> expit(np.array([-1e4, 0.0, 1e4])).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))


def _ranks(confidence: Floats, source: Floats) -> Floats:
    """Rank each judge's confidences among those of `source`; ties and silence in their middle."""
    ranks = np.zeros(confidence.shape)
    for m in range(confidence.shape[1]):
        rising = np.sort(source[~np.isnan(source[:, m]), m])
        answered = ~np.isnan(confidence[:, m])
        if rising.size:
            own = confidence[answered, m]
            twice = np.searchsorted(rising, own, side="left") + np.searchsorted(
                rising, own, side="right"
            )
            ranks[answered, m] = RANGE * (twice / (2.0 * len(rising)) - 0.5)
    return ranks


def _logistic(design: Floats, y: Floats, belief: Floats, ridge: Floats) -> Floats:
    """Fit a logistic regression drawn to `belief` (Newton); fine with one class or no row."""
    weights = belief.copy()
    for _ in range(NEWTON_STEPS):
        p = expit(design @ weights)
        slope = design.T @ (y - p) - ridge * (weights - belief)
        curve = (design.T * (p * (1.0 - p))) @ design + np.diag(ridge)
        step = np.linalg.solve(curve, slope)
        length = float(np.abs(step).max())
        weights += step * min(1.0, NEWTON_LENGTH / max(length, NEWTON_ENOUGH))
        if length < NEWTON_ENOUGH:
            break
    return weights
