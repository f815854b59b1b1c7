"""How often a comparison by judges like these shows a difference: the power of its interval.

The interval of :mod:`panopt.stats.judge_sample` multiplies what differs between few judges by a
large quantile, so that a design of two or three judges shows far less than its standard error
promises. In the balanced normal design the mean, its variance between judges, and the mean squares
of items and of the rest are independent, the latter three scaled chi-squares (Scheffe 1959, ch. 8);
power is the mean over them of a normal probability, taken at the points of a lattice.
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["judged_power"]

Floats = NDArray[np.float64]

#: Lattice points.
POINTS = 512

#: Degrees of freedom from which the cube root of a chi-square is normal (Wilson & Hilferty 1931).
CUBED = 10

#: Powers of the root of x^4 = x + 1, whose multiples fill a cube evenly.
STEPS = (0.8191725133961645, 0.6710436067037893, 0.5497004779019703)


def judged_power(  # noqa: PLR0913 - a design, its variances and a test
    effect: float,
    *,
    judges: int,
    items: int,
    judge: float,
    item: float,
    rest: float,
    alpha: float = 0.05,
    sides: int = 2,
) -> float:
    """Give the probability that a true mean difference is shown for judges like these.

    Parameters
    ----------
    effect
        True mean difference, above 0.
    judges, items
        Numbers of both, every judge scoring every item.
    judge, item, rest
        Variance of differences between judges, between items, and of single ones besides, a
        judge's repeats averaged.
    alpha, sides
        Level of the test, in (0, 1); 1 for a test in the direction of the effect.

    Returns
    -------
    float
        0 for fewer than two judges or items, which give no interval. To about .002.

    Examples
    --------
    Standard errors are nearly the same; what they show is not:

    >>> parts = {"judge": 0.0004, "item": 0.0064, "rest": 0.01}
    >>> round(judged_power(0.05, judges=2, items=39, **parts), 1)
    0.1
    >>> round(judged_power(0.05, judges=10, items=21, **parts), 1)
    0.7
    """
    from scipy.special import ndtr, stdtrit  # noqa: PLC0415 - scipy is imported late

    if judges < 2 or items < 2:
        return 0.0
    between = judge / judges + rest / (items * judges)
    drawn = between * _mean_square(0, judges - 1)
    whole = (item + rest / judges) / items * _mean_square(1, items - 1)
    lone = rest / (items * judges) * _mean_square(2, (items - 1) * (judges - 1))
    shared = np.maximum(whole - lone, 0.0)
    t = stdtrit(np.array([judges - 1.0, items - 1.0]), 1.0 - alpha / sides)
    reach = np.sqrt(t[0] ** 2 * drawn + t[1] ** 2 * shared)
    se = float(np.sqrt(between + item / items))
    return float(np.mean(ndtr((effect - reach) / se))) if se > 0.0 else 1.0


@cache
def _lattice() -> Floats:
    points: Floats = np.multiply.outer(np.array(STEPS), np.arange(1.0, POINTS + 1.0))
    return np.asarray(np.mod(0.5 + points, 1.0), dtype=np.float64)


@lru_cache(maxsize=512)
def _mean_square(axis: int, df: int) -> Floats:
    """Give quantiles of a chi-square over its degrees of freedom, in the lattice's order."""
    from scipy.special import gammaincinv, ndtri  # noqa: PLC0415 - scipy is imported late

    at = _lattice()[axis]
    if df >= CUBED:
        spread = 2.0 / (9.0 * df)
        return np.asarray((1.0 - spread + ndtri(at) * np.sqrt(spread)) ** 3, dtype=np.float64)
    return np.asarray(gammaincinv(df / 2.0, at) * 2.0 / df, dtype=np.float64)
