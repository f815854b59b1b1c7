"""McNemar's test of two systems that pass or fail the same items, with the difference in rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from panopt.stats.paired_data import pair_up
from panopt.stats.tango import tango_interval

__all__ = ["McNemar", "mcnemar"]


@dataclass(frozen=True, slots=True)
class McNemar:
    """Whether two systems pass equally often, from the items that only one of them passes.

    Attributes
    ----------
    p
        Exact two-sided p-value; 1 where no item tells them apart, None without pairs.
    mid_p
        The same with half the weight on what was seen: nearer its level, not guaranteed to be
        below (Fagerland et al. 2013).
    value
        Pass rate of a less that of b.
    low, high
        Score interval of the difference (Tango 1998) at level 1 - alpha.
    a_only, b_only, n
        Pairs that a alone passes, that b alone passes, and all.
    alpha
        One minus the level.
    reason
        Why there is none.
    """

    p: float | None
    mid_p: float | None
    value: float | None
    low: float | None
    high: float | None
    a_only: int
    b_only: int
    n: int
    alpha: float
    reason: str | None


def mcnemar(a: ArrayLike, b: ArrayLike, *, alpha: float = 0.05) -> McNemar:
    """Test whether two systems pass equally often on the same items.

    Parameters
    ----------
    a, b
        1 or True where the system passes the item, else 0 (pairs,); NaN is missing, and its pair
        left out.
    alpha
        One minus the level of the interval, in (0, 1).

    Raises
    ------
    ValueError
        For other numbers than 0 and 1, arrays of different length, alpha off its range.

    Notes
    -----
    Assumes that pairs are independent: with several epochs an item use the sign-flip test over
    items. Source: McNemar 1947, the exact binomial form.

    Examples
    --------
    >>> found = mcnemar([1] * 12 + [0] * 8, [0] * 10 + [1] * 4 + [0] * 6)
    >>> found.a_only, found.b_only, round(found.p, 5), round(found.value, 2)
    (10, 2, 0.03857, 0.4)
    """
    from scipy.special import bdtr, ndtri  # noqa: PLC0415 - scipy is imported late

    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha = {alpha} must lie strictly between 0 and 1")
    pairs = pair_up(a, b, None)
    for name, values in (("a", pairs.a), ("b", pairs.b)):
        if not np.all((values == 0.0) | (values == 1.0)):
            raise ValueError(f"{name} must hold 0 and 1 alone, NaN where missing")
    if not pairs.n:
        reason = "there is no pair with both verdicts"
        return McNemar(None, None, None, None, None, 0, 0, 0, alpha, reason)
    ahead = int(np.count_nonzero(pairs.a > pairs.b))
    behind = int(np.count_nonzero(pairs.a < pairs.b))
    few, differ = min(ahead, behind), ahead + behind
    p = min(1.0, 2.0 * float(bdtr(few, differ, 0.5)))
    at = float(bdtr(few, differ, 0.5) - (bdtr(few - 1, differ, 0.5) if few else 0.0))
    mid_p = 1.0 if ahead == behind else 2.0 * float(bdtr(few, differ, 0.5)) - at
    low, high = tango_interval(ahead, behind, pairs.n, reach=-float(ndtri(alpha / 2.0)))
    value = (ahead - behind) / pairs.n
    return McNemar(p, mid_p, value, low, high, ahead, behind, pairs.n, alpha, None)
