"""Score interval for the difference of two proportions in paired data (Tango 1998)."""

from __future__ import annotations

from math import copysign, inf, sqrt

__all__ = ["tango_interval"]


def tango_interval(ahead: int, behind: int, n: int, *, reach: float) -> tuple[float, float]:
    """Give the differences of pass rates that the score test does not reject.

    Parameters
    ----------
    ahead, behind
        Pairs that only the first passes, and that only the second passes.
    n
        All pairs.
    reach
        Standard errors that the test allows: 1.96 for 95%.

    Examples
    --------
    >>> low, high = tango_interval(1, 0, 44, reach=1.959964)
    >>> round(low, 4), round(high, 4)
    (-0.0594, 0.1181)
    """
    value = (ahead - behind) / n
    low = _crossing(ahead, behind, n, -1.0, value, reach)
    high = _crossing(ahead, behind, n, value, 1.0, -reach)
    return low, high


def _crossing(  # noqa: PLR0913, PLR0917 - three counts, a bracket and a target
    ahead: int, behind: int, n: int, low: float, high: float, target: float
) -> float:
    """Find where the statistic, which falls as the difference rises, takes a value."""
    for _ in range(60):
        middle = (low + high) / 2.0
        above = _statistic(ahead, behind, n, middle) > target
        low, high = (middle, high) if above else (low, middle)
    return (low + high) / 2.0


def _statistic(ahead: int, behind: int, n: int, difference: float) -> float:
    """Give Tango's z at a supposed difference, with the rate of `behind` that fits it best."""
    linear = -(ahead + behind) + (2.0 * n - ahead + behind) * difference
    constant = -behind * difference * (1.0 - difference)
    rate = (sqrt(max(linear**2 - 8.0 * n * constant, 0.0)) - linear) / (4.0 * n)
    variance = n * (2.0 * rate + difference * (1.0 - difference))
    gap = ahead - behind - n * difference
    if variance <= 1e-14:
        return 0.0 if abs(gap) < 1e-12 else copysign(inf, gap)
    return gap / sqrt(variance)
