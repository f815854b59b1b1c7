"""Give an estimate on a bounded scale an interval that stays on the scale and never has width 0.

An estimate plus or minus a multiple of its standard error runs over the edge of the scale and
claims certainty when every unit happens to agree. Here the estimate is treated as a proportion
of the scale seen in an effective number of units, and gets Wilson's score interval.
"""

from __future__ import annotations

from math import sqrt


def wilson_interval(
    value: float,
    se: float,
    *,
    n_units: float,
    alpha: float,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> tuple[float, float]:
    """Give the score interval of an estimate with a standard error on a bounded scale.

    Wilson 1927 with the effective sample size u (1 - u) / se^2 of survey sampling (Korn and
    Graubard 1998) and the quantile of Student's t with `n_units` - 1 degrees of freedom.
    Where the units show no spread the effective size is their number.

    Parameters
    ----------
    value
        The estimate, inside `bounds`.
    se
        Its standard error.
    n_units
        Independent units behind it, at least 2; an effective number where they differ in size.
    alpha
        Total probability left outside.
    bounds
        Ends of the scale.

    Returns
    -------
    tuple
        `low` and `high`, both inside `bounds`.

    Examples
    --------
    >>> low, high = wilson_interval(0.9, 0.03, n_units=10**6, alpha=0.05)
    >>> round(low, 4), round(high, 4)
    (0.8256, 0.9448)
    """
    bottom, top = bounds
    width = top - bottom
    share = min(max((value - bottom) / width, 0.0), 1.0)
    spread = share * (1 - share)
    noise = (se / width) ** 2
    size = spread / noise if noise > 0 and spread > 0 else float(n_units)
    from scipy.special import stdtrit  # noqa: PLC0415 - a fast start

    reach = float(stdtrit(n_units - 1, 1 - alpha / 2)) ** 2 / size
    middle = (share + reach / 2) / (1 + reach)
    half = sqrt(reach * (spread + reach / 4)) / (1 + reach)
    low, high = max(middle - half, 0.0), min(middle + half, 1.0)
    return bottom + width * low, bottom + width * high
