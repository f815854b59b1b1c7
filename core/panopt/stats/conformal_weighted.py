"""Keep the coverage where new responses are of another mix than the labelled ones.

Where the probability of a response today over its probability among the labelled ones (its
weight) is known, residuals count by weight, that of the new response included (Tibshirani et al.
2019, corollary 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.conformal_split import one_row, rank_and_need

__all__ = ["WeightedThreshold", "weighted_threshold"]

Floats = NDArray[np.float64]

_ROUNDING = 1e-12
_MOST_NEEDED = 2.0**53


@dataclass(frozen=True, slots=True)
class WeightedThreshold:
    """Bound on the residual of each new response, by its weight.

    Attributes
    ----------
    value
        The bounds, of the shape of the new weights; infinity where the labels do not reach.
    n
        Labels.
    n_effective
        Equally weighted labels they are worth: ``sum(w)^2 / sum(w^2)``.
    n_infinite
        New responses without a finite bound.
    labels_needed
        About how many labels of the same mean weight give every new response a finite bound.
    coverage_low, coverage_high
        None: see `no_band`.
    alpha, assumption
        Miscoverage asked for; what the coverage rests on.
    no_band
        Why no law of the coverage is known.
    reason
        Why some bounds are infinite; None where none is.
    """

    value: Floats
    n: int
    n_effective: float
    n_infinite: int
    labels_needed: int
    alpha: float
    assumption: str
    reason: str | None
    coverage_low: float | None = None
    coverage_high: float | None = None
    no_band: str = "with weights the coverage given the labels has no known exact law"


def weighted_threshold(
    residuals: ArrayLike, weights: ArrayLike, new_weights: ArrayLike, *, alpha: float = 0.1
) -> WeightedThreshold:
    """Bound the residual of new responses whose mix differs from that of the labelled ones.

    Parameters
    ----------
    residuals
        Nonconformity of each labelled response (labels,).
    weights
        Density ratio (today over then) of each, up to one factor common to all: not negative.
    new_weights
        The same of each new response, any shape, not negative.
    alpha
        Miscoverage in (0, 1).

    Returns
    -------
    WeightedThreshold

    Raises
    ------
    ValueError
        For NaN, infinite or negative weights, or shapes that differ.

    Examples
    --------
    Equal weights give the unweighted bound; a heavier new response gets a wider one.

    >>> weighted_threshold(np.arange(1.0, 20.0), np.ones(19), [1.0, 1.5, 3.0]).value.tolist()
    [18.0, 19.0, inf]
    """
    r, w = one_row("residuals", residuals), one_row("weights", weights)
    new = as_floats("new_weights", new_weights)
    if r.shape != w.shape:
        raise ValueError(f"residuals and weights differ in length: {len(r)} and {len(w)}")
    for name, values in (("weights", w), ("new_weights", new)):
        if not np.isfinite(values).all() or np.any(values < 0):
            raise ValueError(f"{name} must be finite and not negative")
    rank_and_need(len(r), alpha)
    largest = max(float(w.max(initial=0.0)), float(new.max(initial=0.0)))
    if largest > 0.0:  # only ratios count, and their sums must stay finite
        w, new = w / largest, new / largest
    order = np.argsort(r, kind="stable")
    mass = np.cumsum(w[order])
    total = float(mass[-1]) if len(r) else 0.0
    reach = (1.0 - alpha) * (total + new)
    at = np.searchsorted(mass, reach * (1.0 - _ROUNDING), side="left")
    bound = np.append(r[order], np.inf)[at]
    bound = np.where(total + new > 0, bound, np.inf)
    n_infinite = int(np.count_nonzero(np.isinf(bound)))
    mean, heaviest = (total / len(r) if len(r) else 0.0), float(new.max(initial=0.0))
    odds = (1.0 - alpha) / alpha
    ratio = 1.0  # without labels or weight there is nothing to go by
    if len(r) and heaviest > 0:
        ratio = min(heaviest / max(mean, heaviest / _MOST_NEEDED), _MOST_NEEDED)
    needed = int(np.ceil(odds * ratio - 1e-9))
    square = float(np.square(w).sum())
    return WeightedThreshold(
        value=bound,
        n=len(r),
        n_effective=total**2 / square if square > 0 else 0.0,
        n_infinite=n_infinite,
        labels_needed=max(needed, 1),
        alpha=alpha,
        assumption="but for their weights, which are true, all responses are drawn alike",
        reason=None
        if n_infinite == 0
        else f"{n_infinite} of {bound.size} new responses outweigh the labels at "
        f"alpha = {alpha:g}: "
        f"about {max(needed, 1)} labels are needed",
    )
