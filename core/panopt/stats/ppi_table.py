"""A share from a few labels and many verdicts, where both say yes or no: post-stratification.

The labelled responses are a table of two binomials, labels among responses that the judge passed
and among those that it failed, and the share of all responses that it passed is known well:
``p = q P(y = 1 | pass) + (1 - q) P(y = 1 | fail)``. Its interval puts those of the three parts
together by MOVER (Donner & Zou 2012, Statistical Methods in Medical Research 21, eq. 4), which
keeps their skewness: Jeffreys' limits (Brown, Cai & DasGupta 2001), closed at no success and no
failure, each measured from (k + 1/8) / (n + 1/4), which was chosen by the coverage of 45 designs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.stats.binomial import wilson

__all__ = ["TableEstimate", "jeffreys", "mover", "table_estimate"]

Floats = NDArray[np.float64]

#: Pseudo-labels on either side that the centre of an interval is measured with.
CENTRE = 0.125


@dataclass(frozen=True, slots=True)
class TableEstimate:
    """A share with its interval."""

    value: float
    """Post-stratified share."""
    low: float
    high: float
    variance: float
    """Of the estimate, at shares shrunk by half a label on either side."""
    alone: float
    """Variance that labels alone would have, at the same shares."""
    slope: float
    """P(y = 1 | pass) - P(y = 1 | fail)."""
    method: str


def table_estimate(
    labels: NDArray[np.integer],
    passed: NDArray[np.integer],
    n_passed: int,
    n_all: int,
    alpha: float,
) -> TableEstimate:
    """Estimate the share of responses whose label is 1.

    Parameters
    ----------
    labels
        Labelled responses that the judge failed and passed (2,).
    passed
        Of these, with label 1 (2,).
    n_passed, n_all
        Responses that the judge passed, and all of them, labelled ones included.
    alpha
        One minus the level.

    Examples
    --------
    Of 50 labelled responses 45 passed, 43 of them rightly; of 1,050 in all 940 passed.

    >>> found = table_estimate(np.array([5, 45]), np.array([2, 43]), 940, 1050, 0.05)
    >>> round(found.value, 4), round(found.low, 4), round(found.high, 4)
    (0.8974, 0.8097, 0.9491)
    """
    n, k = labels.astype(np.float64), passed.astype(np.float64)
    share = n_passed / n_all
    weight = np.array([1.0 - share, share])
    total, right = float(n.sum()), float(k.sum())
    if (n == 0).any():  # a judge that says one thing alone tells nothing
        value = right / total
        ends = wilson(right, total, level=1.0 - alpha)
        spread = (right + 0.5) * (total - right + 0.5) / (total + 1.0) ** 2
        own = spread / total
        return TableEstimate(
            value, float(ends[0]), float(ends[1]), own, own, 0.0, "Wilson, labels alone"
        )
    rate = k / n
    slope = float(rate[1] - rate[0])
    value = float(weight @ rate)
    centre = (k + CENTRE) / (n + 2.0 * CENTRE)
    low_rate, high_rate = jeffreys(k, n, alpha)
    low_share, high_share = jeffreys(np.array([n_passed]), np.array([n_all]), alpha)
    pull = float(centre[1] - centre[0])
    down, up = share - float(low_share[0]), float(high_share[0]) - share
    if pull < 0.0:
        down, up = up, down
    low, high = mover(
        float(weight @ centre),
        np.append(weight * (centre - low_rate), pull * down),
        np.append(weight * (high_rate - centre), pull * up),
    )
    shrunk = (k + 0.5) / (n + 1.0)
    middle = float(weight @ shrunk)
    variance = float(np.sum(weight**2 * shrunk * (1.0 - shrunk) / n))
    variance += float(shrunk[1] - shrunk[0]) ** 2 * share * (1.0 - share) / n_all
    low, high = max(0.0, min(low, value)), min(1.0, max(high, value))
    return TableEstimate(
        value,
        low,
        high,
        variance,
        middle * (1.0 - middle) / total,
        slope,
        "post-stratified by verdict; Jeffreys' limits put together by MOVER",
    )


def mover(centre: float, below: Floats, above: Floats) -> tuple[float, float]:
    """Put distances of parts' limits from their estimates together for a weighted sum.

    Examples
    --------
    >>> mover(0.5, np.array([0.03, 0.04]), np.array([0.06, 0.08]))
    (0.45, 0.6)
    """
    return centre - float(np.sqrt(np.sum(below**2))), centre + float(np.sqrt(np.sum(above**2)))


def jeffreys(k: Floats, n: Floats, alpha: float) -> tuple[Floats, Floats]:
    """Give Jeffreys' limits of rates, 0 at no success and 1 at no failure.

    Examples
    --------
    >>> low, high = jeffreys(np.array([0.0, 8.0]), np.array([10.0, 10.0]), 0.05)
    >>> low.round(4), high.round(4)
    (array([0.    , 0.4972]), array([0.2172, 0.9559]))
    """
    from scipy.special import betaincinv  # noqa: PLC0415 - scipy is imported late

    low = np.where(k <= 0, 0.0, betaincinv(k + 0.5, n - k + 0.5, alpha / 2.0))
    high = np.where(k >= n, 1.0, betaincinv(k + 0.5, n - k + 0.5, 1.0 - alpha / 2.0))
    return low, high
