"""Bound a mean from below at all times by formulas: empirical Bernstein and Hoeffding.

Predictable plug-in bounds of Waudby-Smith & Ramdas 2024 (theorems 1 and 2, and for draws without
replacement section 5): wider than betting, and kept to compare it with.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from panopt.stats.conformal_betting import variance_before

__all__ = ["closed_form_low"]

Floats = NDArray[np.float64]

_LARGEST_BET = 0.5  # of the empirical Bernstein bound, which needs bets below 1


def closed_form_low(
    x: Floats,
    *,
    alpha: float,
    population: int | None,
    method: Literal["empirical_bernstein", "hoeffding"],
) -> Floats:
    """Bound the mean of values in [0, 1] from below after each of them.

    Parameters
    ----------
    x
        Values (values,) in their order, no NaN.
    alpha
        Probability that any bound lies above the mean.
    population
        Number of items that values are drawn from without replacement, or None.
    method
        Which bound.

    Returns
    -------
    ndarray
        The largest bound so far, in [0, 1], shape (values,).
    """
    if not len(x):
        return np.empty(0)
    t = np.arange(1.0, len(x) + 1.0)
    before = np.concatenate(([0.0], np.cumsum(x)[:-1]))
    if method == "hoeffding":
        bet = np.minimum(np.sqrt(-8.0 * np.log(alpha) / (t * np.log1p(t))), 1.0)
        price = bet**2 / 8.0
    else:
        spread = variance_before(x)
        bet = np.sqrt(-2.0 * np.log(alpha) / (spread * t * np.log1p(t)))
        bet = np.minimum(bet, _LARGEST_BET)
        guess = (0.5 + before) / t
        price = (x - guess) ** 2 * (-np.log1p(-bet) - bet)
    left = np.inf if population is None else population - t + 1.0
    # The mean of what is left is (population m - before) / left: linear in m.
    weight = np.cumsum(bet * (1.0 + (t - 1.0) / left))
    centre = np.cumsum(bet * (x + before / left)) / weight
    low = centre - (np.cumsum(price) - np.log(alpha)) / weight
    return np.maximum.accumulate(np.clip(low, 0.0, 1.0))
