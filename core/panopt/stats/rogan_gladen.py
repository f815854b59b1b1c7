"""A pass rate corrected for a judge whose sensitivity and specificity were measured elsewhere.

Rogan & Gladen 1978 (American Journal of Epidemiology 107): p = (q + sp - 1) / (se + sp - 1), q the
share that the judge passes. The interval holds the error of all three: the rates p at which
``q - p se - (1 - p)(1 - sp)`` may be zero (Fieller 1954), the interval of that sum being put
together of Jeffreys' limits by MOVER (Donner & Zou 2012). Where labels are of the very
responses that are counted, `panopt.stats.ppi.ppi_mean` is narrower.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.stats.ppi_table import jeffreys

__all__ = ["RoganGladen", "rogan_gladen"]

Floats = NDArray[np.float64]

#: Rates that are tried first; the ends are then halved to rounding.
GRID = 1001


@dataclass(frozen=True, slots=True)
class RoganGladen:
    """A pass rate corrected for a judge's errors.

    Attributes
    ----------
    value
        Corrected share, cut to [0, 1]; None with a `reason`.
    low, high
        Interval at level 1 - alpha; None where there is none.
    raw
        Share that the judge passes.
    sensitivity, specificity
        Shares of good responses it passes and of bad ones it fails.
    n
        Judged responses.
    alpha
        One minus the level.
    assumptions, reason
        What must hold; why there is no value.
    """

    value: float | None
    low: float | None
    high: float | None
    raw: float
    sensitivity: float
    specificity: float
    n: int
    alpha: float
    assumptions: tuple[str, ...]
    reason: str | None = None


def rogan_gladen(
    passed: int,
    n: int,
    *,
    positives: tuple[int, int],
    negatives: tuple[int, int],
    alpha: float = 0.05,
) -> RoganGladen:
    """Correct the share of responses that a judge passes for its errors.

    Parameters
    ----------
    passed, n
        Responses that the judge passed, and that it judged.
    positives
        Of other responses that humans pass: (those the judge passed too, all).
    negatives
        Of other responses that humans fail: (those the judge failed too, all).
    alpha
        One minus the level, in (0, 1).

    Returns
    -------
    RoganGladen
        Without a value where the judge is no better than chance.

    Raises
    ------
    ValueError
        For counts that are not whole, negative, of nothing, or larger than their total.

    Examples
    --------
    >>> found = rogan_gladen(620, 1000, positives=(90, 100), negatives=(80, 100))
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.6, 0.519, 0.687)
    """
    _check("passed", (passed, n))
    _check("positives", positives)
    _check("negatives", negatives)
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha = {alpha} must lie strictly between 0 and 1")
    counts = np.array([passed, positives[0], negatives[1] - negatives[0]], dtype=np.float64)
    totals = np.array([n, positives[1], negatives[1]], dtype=np.float64)
    rate = counts / totals
    gain = float(rate[1] - rate[2])
    assumptions = (
        "the judge errs on these responses as often as on those it was measured on",
        "responses are independent, and of other items than those it was measured on",
    )
    shown = (float(rate[0]), float(rate[1]), 1.0 - float(rate[2]), n, alpha, assumptions)
    if gain <= 0.0:
        why = "the judge passes bad responses as often as good ones: its verdicts tell nothing"
        return RoganGladen(None, None, None, *shown, reason=why)
    value = min(max(float(rate[0] - rate[2]) / gain, 0.0), 1.0)
    low_rate, high_rate = jeffreys(counts, totals, alpha)
    down, up = rate - low_rate, high_rate - rate

    def gap(p: Floats, *, upper: bool) -> Floats:
        """Give the upper end of q - p se - (1 - p) fp, or its lower end."""
        middle = rate[0] - p * rate[1] - (1.0 - p) * rate[2]
        own, other = (up, down) if upper else (down, up)
        reach = np.sqrt(own[0] ** 2 + (p * other[1]) ** 2 + ((1.0 - p) * other[2]) ** 2)
        return np.asarray(middle + reach if upper else middle - reach)

    grid = np.linspace(0.0, 1.0, GRID)
    kept = (gap(grid, upper=False) <= 0.0) & (gap(grid, upper=True) >= 0.0)
    near = int(np.argmin(np.abs(grid - value)))
    kept[near] = True  # the estimate itself, where it lies between two rates
    first, last = int(np.argmax(kept)), GRID - 1 - int(np.argmax(kept[::-1]))
    low = _edge(lambda p: float(gap(np.asarray(p), upper=False)) <= 0.0, grid, first, -1)
    high = _edge(lambda p: float(gap(np.asarray(p), upper=True)) >= 0.0, grid, last, 1)
    return RoganGladen(value, min(low, value), max(high, value), *shown)


def _edge(inside: Callable[[float], bool], grid: Floats, kept: int, step: int) -> float:
    """Halve the way from a rate that is kept to its neighbour that is not."""
    if not 0 <= kept + step < grid.size:
        return float(grid[kept])
    good, bad = float(grid[kept]), float(grid[kept + step])
    for _ in range(40):
        middle = (good + bad) / 2.0
        good, bad = (middle, bad) if inside(middle) else (good, middle)
    return good


def _check(name: str, counts: tuple[int, int]) -> None:
    try:
        part, total = map(float, counts)
    except (TypeError, ValueError):
        raise ValueError(f"{name} = {counts!r} must be two counts: a part and its total") from None
    whole = part.is_integer() and total.is_integer()
    if not whole or not 0 <= part <= total or total < 1:
        raise ValueError(f"{name} = {part:g} of {total:g} must be a count of at least one response")
