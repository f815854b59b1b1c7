"""Turn sums of squares into variances, and into draws that say how sure those are.

Generalized confidence intervals (Weerahandi 1993; for gauges Burdick, Borror & Montgomery 2005,
chapter 3): each sum of squares is taken to be its expectation times a chi-square over its degrees
of freedom, and turning that around gives draws of the variances, hence of any function of them.
Degrees of freedom by Satterthwaite: for sums over items at most what normal errors
give, and fewer where the items' own parts spread more (binary scores off one half, outliers), so
that the intervals do not rest on normality. A sample shows too little of that spread, as rare items
are missing from it: the farthest item counts twice. The parts' correlation carries over to the
draws. The
sum over judges has too few terms to tell, so judge effects are taken as normal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from panopt.stats.variance_sums import Sums

__all__ = ["chance_degrees", "draw_variances", "solve_variances"]

FloatArray = NDArray[np.float64]

_OVER_ITEMS = [0, 2, 3]  # item, item x judge, repeat
_FEWEST = 0.5
_MOST = 1e7
_CLOSEST = 0.999  # correlation of two sums


def solve_variances(total: FloatArray, expected: FloatArray) -> FloatArray:
    """Solve the triangular equations ``expected @ variances = total``.

    Parameters
    ----------
    total
        Sums of squares (4, ...), in the order item, judge, item x judge, repeat.
    expected
        Their coefficients (4, 4); a variance whose own coefficient is 0 is taken as 0, and so
        stays in the variances it cannot be told from.

    Returns
    -------
    ndarray
        Variances (4, ...), not floored: they may be negative.
    """
    found = np.zeros_like(total)
    for row in (3, 2, 1, 0):
        if expected[row, row] > 0:
            known = np.tensordot(expected[row, row + 1 :], found[row + 1 :], axes=1)
            found[row] = (total[row] - known) / expected[row, row]
    return found


def chance_degrees(sums: Sums, clusters: NDArray[Any] | None) -> tuple[FloatArray, FloatArray]:
    """Give the degrees of freedom of the four sums, and how those over items go together.

    Parameters
    ----------
    sums
        Sums of squares of the whole data.
    clusters
        Cluster of each item, codes from 0 without gaps (items,); None: items are independent.

    Returns
    -------
    tuple
        Degrees of freedom (4,), and correlations (3, 3) of the sums item, item x judge, repeat.
    """
    largest = float(sums.total.max()) or 1.0  # squares of squares must not overflow
    scaled = sums.total / largest
    plain = np.maximum(solve_variances(scaled, sums.expected), 0.0)
    width, shared, again, inverse = sums.weight
    weight = np.stack([width * plain[0] + plain[2] + inverse * plain[3], shared, again])
    total, df = scaled[_OVER_ITEMS], sums.df[_OVER_ITEMS]
    whole = weight.sum(axis=1, keepdims=True)
    share = np.divide(weight, whole, out=np.zeros_like(weight), where=whole > 0)
    off = sums.by_item / largest - share * total[:, None]
    squared = np.sum(share**2, axis=1)
    n = width.size
    if clusters is not None:
        n = int(clusters.max()) + 1
        off = np.stack([np.bincount(clusters, weights=row) for row in off])
        grouped = [np.bincount(clusters, weights=row) for row in share]
        squared = np.maximum(squared, np.sum(np.square(grouped), axis=1))
    moments = off @ off.T * (n / max(n - 1, 1))
    own = np.diag(moments) + np.max(np.abs(off), axis=1) ** 2
    squared = np.where(squared > 0, squared, 1.0)
    # Of n equal parts with df degrees each the sum has n * df; unequal parts count for less.
    normal = df / width.size / squared
    seen = np.divide(2 * total**2, own, out=np.full(3, np.inf), where=own > 0)
    degrees = np.empty(4)
    degrees[_OVER_ITEMS] = np.minimum(normal, seen)
    degrees[1] = _judge_degrees(sums, plain)
    scale = np.sqrt(own * own[:, None])
    related = np.divide(moments, scale, out=np.zeros((3, 3)), where=scale > 0)
    related = np.clip(related, -_CLOSEST, _CLOSEST)
    np.fill_diagonal(related, 1.0)
    return np.clip(degrees, _FEWEST, _MOST), related


def _judge_degrees(sums: Sums, plain: FloatArray) -> float:
    """Give those of the judges' sum; the same judges in several groups are counted once."""
    between = sums.between
    spread, df = float(np.trace(between)), float(sums.df[1])
    if spread <= 0:
        return 0.0
    rest = (sums.expected[1, 2] * plain[2] + sums.expected[1, 3] * plain[3]) / df
    most = float(np.linalg.matrix_rank(between, hermitian=True))
    expected = plain[1] * spread + rest * df
    if expected <= 0:
        return most
    squares = plain[1] ** 2 * np.sum(between**2) + 2 * plain[1] * rest * spread + rest**2 * df
    return min(most, float(expected**2 / squares))


def draw_variances(
    sums: Sums,
    degrees: FloatArray,
    related: FloatArray,
    n_draws: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Draw the four variances, each floored at 0.

    Parameters
    ----------
    sums, degrees, related
        Sums of squares, and what `chance_degrees` says of them.
    n_draws
        Number of draws; each sum's are spread evenly over its distribution.
    rng
        Source of randomness.

    Returns
    -------
    ndarray
        Draws (4, n_draws).
    """
    from scipy.special import gammaincinv, ndtr, ndtri  # noqa: PLC0415 - scipy is imported late

    even = np.tile((np.arange(n_draws) + 0.5) / n_draws, (4, 1))
    normal = ndtri(rng.permuted(even, axis=1))
    values, vectors = np.linalg.eigh(related)
    normal[_OVER_ITEMS] = (vectors * np.sqrt(values.clip(0.0))) @ normal[_OVER_ITEMS]
    half = degrees[:, None] / 2
    chi = gammaincinv(half, ndtr(normal)) / half  # a chi-square over its degrees of freedom
    drawn = sums.total[:, None] / np.maximum(chi, 1e-12)
    variances: FloatArray = np.maximum(solve_variances(drawn, sums.expected), 0.0)
    return variances
