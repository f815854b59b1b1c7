"""Bins of confidence that never part equal values: of equal width, of equal mass, or single values.

The edges are those of scikit-learn's ``calibration_curve``: a bin holds the values above its left
edge up to its right one, and equal mass means edges at linearly interpolated quantiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from panopt.stats.scored import Scored

__all__ = ["Binned", "Strategy", "binned", "equal_mass_edges"]

Floats = NDArray[np.float64]
Strategy = Literal["width", "mass", "values"]

_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Binned:
    """Sums of labelled verdicts over the bins that hold any.

    Attributes
    ----------
    of
        Bin of each of the table's `values` (values,).
    left, right
        Edges (bins,).
    n, hits
        Verdicts, and right ones (bins,).
    confidence, accuracy
        Mean confidence and share right (bins,).
    squares
        Sum of squared residuals, outcome less confidence (bins,).
    calibrated
        What variance the sum of outcomes has where confidence is calibrated: sum of p (1 - p).
    """

    of: NDArray[np.intp]
    left: Floats
    right: Floats
    n: Floats
    hits: Floats
    confidence: Floats
    accuracy: Floats
    squares: Floats
    calibrated: Floats


def binned(table: Scored, *, n_bins: int, strategy: Strategy) -> Binned:
    """Sort confidences into bins and sum over each.

    Bins of equal width take a table that is not counted; the others must know what is equal.

    Raises
    ------
    ValueError
        For an unknown strategy, or a number of bins that is not a whole number of at least 1.
    """
    if strategy not in get_args(Strategy):
        raise ValueError(f"strategy = {strategy!r} must be one of {', '.join(get_args(Strategy))}")
    if isinstance(n_bins, bool) or n_bins != int(n_bins) or not 1 <= n_bins <= _MOST:
        raise ValueError(f"n_bins = {n_bins} must be a whole number from 1 to {_MOST}")
    values, counts = table.values, table.counts
    if strategy == "values":
        place, edges = np.arange(values.size), np.concatenate((values[:1], values))
    else:
        equal = np.linspace(0.0, 1.0, int(n_bins) + 1)
        edges = equal if strategy == "width" else equal_mass_edges(values, counts, int(n_bins))
        place = np.searchsorted(edges[1:-1], values)
    held = np.bincount(place) > 0
    used, of = np.flatnonzero(held), (np.cumsum(held) - 1)[place]
    rest = 1.0 - values

    def sums(x: Floats) -> Floats:
        return np.bincount(of, weights=x, minlength=used.size).astype(np.float64)

    n, hits = sums(counts), sums(table.right)
    return Binned(
        of=of,
        left=edges[used],
        right=edges[used + 1],
        n=n,
        hits=hits,
        confidence=sums(counts * values) / n,
        accuracy=hits / n,
        squares=sums(table.right * rest**2 + table.wrong * values**2),
        calibrated=sums(counts * values * rest),
    )


def equal_mass_edges(values: Floats, counts: Floats, n_bins: int) -> Floats:
    """Give the quantiles that part counted values into bins of equal mass, as `numpy.quantile`.

    Examples
    --------
    >>> equal_mass_edges(np.array([0.5, 0.6, 0.9]), np.array([2.0, 1.0, 1.0]), 2).round(4).tolist()
    [0.5, 0.55, 0.9]
    """
    upto = np.cumsum(counts)
    if not upto.size:
        return np.linspace(0.0, 1.0, n_bins + 1)
    percent = np.linspace(0.0, 1.0, n_bins + 1) * 100.0  # as scikit-learn, to the last bit
    position = percent / 100.0 * (upto[-1] - 1.0)
    floor = np.floor(position)
    share = position - floor
    low = values[np.searchsorted(upto, floor, side="right")]
    high = values[np.searchsorted(upto, np.minimum(floor + 1.0, upto[-1] - 1.0), side="right")]
    gap = high - low
    edges: Floats = np.where(share >= 0.5, high - gap * (1.0 - share), low + gap * share)
    return edges
