"""How large a difference a paired comparison can show, and how many items a difference takes.

Power of Student's t of paired differences, from the noncentral t distribution (Cohen 1988,
chapter 2): a difference is shown when its two-sided interval leaves out 0, or one-sided ends
before it.
"""

from __future__ import annotations

import math
from typing import Literal

__all__ = ["detectable_effect", "items_needed", "power_of"]

Sides = Literal[1, 2]

_MOST = 10**9
_LARGE = 100_000.0  # degrees of freedom from which on t is normal to five digits


def power_of(sd: float, effect: float, n: int, *, alpha: float = 0.05, sides: Sides = 2) -> float:
    """Give the probability that a true mean difference is shown.

    Parameters
    ----------
    sd
        Standard deviation of the differences between items (clusters), above 0.
    effect
        True mean difference, above 0.
    n
        Independent items, at least 2.
    alpha
        Level of the test, in (0, 1).
    sides
        1 for a test in the direction of the effect.

    Raises
    ------
    ValueError
        For values off their range.

    Examples
    --------
    >>> round(power_of(0.4, 0.1, 100), 4)
    0.697
    """
    _check(sd, alpha, effect=effect)
    if n < 2:
        raise ValueError(f"n = {n} must be at least 2")
    return _power(effect / sd * math.sqrt(n), n - 1.0, alpha / sides)


def detectable_effect(
    sd: float, n: int, *, alpha: float = 0.05, power: float = 0.8, sides: Sides = 2
) -> float:
    """Give the least true mean difference that is shown with a wanted probability.

    Parameters
    ----------
    sd, n, alpha, sides
        As in :func:`power_of`.
    power
        Wanted probability, above alpha and below 1.

    Raises
    ------
    ValueError
        For values off their range.

    Examples
    --------
    >>> round(detectable_effect(0.4, 100), 4)
    0.1132
    """
    _check(sd, alpha, power=power)
    if n < 2:
        raise ValueError(f"n = {n} must be at least 2")
    low, high = 0.0, 1.0
    while _power(high, n - 1.0, alpha / sides) < power:
        high *= 2.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (
            (middle, high) if _power(middle, n - 1.0, alpha / sides) < power else (low, middle)
        )
    return high * sd / math.sqrt(n)


def items_needed(
    sd: float, effect: float, *, alpha: float = 0.05, power: float = 0.8, sides: Sides = 2
) -> int | None:
    """Give the fewest items that show a true mean difference with a wanted probability.

    Parameters
    ----------
    sd, effect, alpha, power, sides
        As in :func:`power_of` and :func:`detectable_effect`.

    Returns
    -------
    int or None
        None where a billion are too few.

    Raises
    ------
    ValueError
        For values off their range.

    Examples
    --------
    >>> items_needed(0.4, 0.1), items_needed(0.4, 0.1, sides=1)
    (128, 101)
    """
    _check(sd, alpha, power=power, effect=effect)

    def enough(n: int) -> bool:
        return _power(effect / sd * math.sqrt(n), n - 1.0, alpha / sides) >= power

    low, high = 1, 2
    while not enough(high):
        low, high = high, 2 * high
        if high > 2 * _MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high if high <= _MOST else None


def _check(
    sd: float, alpha: float, *, power: float | None = None, effect: float | None = None
) -> None:
    if not 0.0 < sd < math.inf:
        raise ValueError(f"sd = {sd} must be a finite number above 0")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha = {alpha} must lie strictly between 0 and 1")
    if power is not None and not alpha < power < 1.0:
        raise ValueError(f"power = {power} must lie strictly between alpha = {alpha} and 1")
    if effect is not None and not 0.0 < effect < math.inf:
        raise ValueError(f"effect = {effect} must be a finite number above 0")


def _power(shift: float, df: float, tail: float) -> float:
    from scipy.special import nctdtr, ndtr, stdtrit  # noqa: PLC0415 - scipy is imported late

    reach = float(stdtrit(df, 1.0 - tail))
    if df >= _LARGE or shift > 30.0:
        # Johnson & Welch's normal form, which the series of the noncentral t cannot reach
        return float(ndtr((shift - reach) / math.sqrt(1.0 + reach**2 / (2.0 * df))))
    return 1.0 - float(nctdtr(df, shift, reach))
