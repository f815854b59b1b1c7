"""Bootstrap of a paired mean difference over clusters, from counts or in closed form.

Resampling clusters with replacement makes the mean difference a ratio of two sums of independent
draws. Few clusters, or many of which few differ, are drawn; else the distribution that infinitely
many draws would give follows from its first four cumulants (Edgeworth expansion, Hall 1992,
section 2.4), with an error of order clusters ** -1.5 and none from simulation.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb, exp, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from panopt.stats.paired_data import Sums

__all__ = ["bootstrap_interval", "bootstrap_levels"]

Floats = NDArray[np.float64]

_FEW_KINDS = 32  # distinct clusters that are drawn as counts
_FEW = 1000  # clusters that are drawn one by one
_JOINED = 100  # clusters up to which percentile and BCa are joined; if skewed or BCa, _FEW
_SKEWED = 0.1 / 6.0  # acceleration of a mean with skewness .1, a tenth of an error
_CELLS = 1 << 17  # draws held at a time: 1 MB
_FINE = 0.02  # steps, over the error of the mean, that are no coarser than 9999 draws are
_BENT = 0.3  # skewness or kurtosis of the mean up to which four cumulants tell all


def bootstrap_interval(
    sums: Sums, *, alpha: float, accelerated: bool, n_boot: int, rng: np.random.Generator
) -> tuple[float, float, str]:
    """Give the ends of the percentile or the BCa interval, and how the distribution was made.

    Levels are expanded for small samples (Hesterberg 2015, section 5): plain percentiles are too
    short, as a sample is narrower than what it is drawn from. Up to a hundred clusters both give
    the farther of the two ends on each side; BCa does up to a thousand, percentiles where the mean
    is skewed: of 20 skewed differences BCa alone holds the truth 92% of the time at 95%,
    percentiles of exponential ones 93%.

    Parameters
    ----------
    sums
        Clusters, at least 2.
    alpha
        Total probability left outside.
    accelerated
        BCa (Efron 1987) with the jackknife's acceleration in closed form, else percentile.
    n_boot
        Resamples, where they are drawn.
    rng
        Source of randomness, where they are drawn.
    """
    cdf = None
    spread = sqrt(float(sums.count @ (sums.total - sums.size * sums.mean) ** 2)) / sums.n
    step = 0.0 if sums.unit is None else 1.0 / (sums.unit * sums.n)  # of what the mean can be
    if sums.n_clusters > _FEW and step < _FINE * spread:
        cdf = _edgeworth(sums)
    draws = np.empty(0) if cdf else np.sort(_draw(sums, n_boot, rng))
    plain = bootstrap_levels(sums.n_clusters, alpha)
    bent = _bent_levels(sums, alpha, draws, cdf)
    levels = bent if accelerated else plain
    skewed = accelerated or abs(_bend(sums)) > _SKEWED
    if sums.n_clusters <= (_FEW if skewed else _JOINED):
        # The skewness that BCa corrects for is itself a guess from few: each end is the farther.
        levels = min(plain[0], bent[0]), max(plain[1], bent[1])
    if cdf is None:
        low, high = np.quantile(draws, levels)
        return float(low), float(high), f"{n_boot} resamples"
    low, high = (_inverse(cdf, level, sums.mean, spread) for level in levels)
    return low, high, "Edgeworth expansion of the bootstrap distribution, no draws"


def _bent_levels(
    sums: Sums, alpha: float, draws: Floats, cdf: Callable[[float], float] | None
) -> tuple[float, float]:
    """Give the levels of BCa."""
    mean = sums.mean
    if cdf is None:
        ends = np.searchsorted(draws, (mean - 1e-12 * abs(mean), mean + 1e-12 * abs(mean)))
        below = float(ends.mean()) / draws.size
    else:
        below = cdf(mean)
    return bootstrap_levels(sums.n_clusters, alpha, below=below, acceleration=_bend(sums))


def _bend(sums: Sums) -> float:
    """Give the acceleration, a sixth of the mean's skewness, by the jackknife in closed form."""
    residual = sums.total - sums.size * sums.mean
    square = residual * residual
    third, second = float(sums.count @ (square * residual)), float(sums.count @ square)
    return float(third / (6.0 * second**1.5))


def bootstrap_levels(
    n_clusters: int, alpha: float, *, below: float = 0.5, acceleration: float = 0.0
) -> tuple[float, float]:
    """Give the two levels of the bootstrap distribution at which an interval ends.

    Parameters
    ----------
    n_clusters
        Clusters resampled, at least 2; the levels are expanded for few.
    alpha
        Total probability left outside.
    below
        Share of the bootstrap distribution below the estimate, for median bias.
    acceleration
        Of BCa (Efron 1987, eq. 6.6); 0 for none.

    Examples
    --------
    >>> [round(level, 4) for level in bootstrap_levels(10**9, 0.05)]
    [0.025, 0.975]
    >>> [round(level, 4) for level in bootstrap_levels(20, 0.05)]
    [0.0159, 0.9841]
    """
    from scipy.special import ndtr, ndtri, stdtrit  # noqa: PLC0415 - scipy is imported late

    reach = sqrt(n_clusters / (n_clusters - 1.0)) * float(stdtrit(n_clusters - 1, 1 - alpha / 2))
    shift = float(np.clip(ndtri(below), -1.0, 1.0))
    ends = []
    for side in (shift - reach, shift + reach):
        bent = 1.0 - acceleration * side
        # Past its pole the transformation turns round: the end is the sample's own.
        ends.append(float(ndtr(shift + side / bent)) if bent > 0.0 else float(side > 0.0))
    return ends[0], ends[1]


def _draw(sums: Sums, n_boot: int, rng: np.random.Generator) -> Floats:
    """Draw the mean difference of resampled clusters (n_boot,)."""
    clusters, kinds = sums.n_clusters, sums.total.size
    columns = np.stack((sums.total, sums.size), axis=1)
    by_count = kinds <= _FEW_KINDS
    each = np.repeat(np.arange(kinds), sums.count.astype(np.intp))
    rows = max(1, _CELLS // (kinds if by_count else clusters))
    out = np.empty(n_boot)
    for start in range(0, n_boot, rows):
        block = out[start : start + rows]
        if by_count:
            weights = rng.multinomial(clusters, sums.count / clusters, size=block.size)
            both = weights @ columns
        else:
            drawn = each[rng.integers(0, clusters, size=(block.size, clusters))]
            top = sums.total[drawn].sum(axis=1)
            under = top * 0 + sums.n if sums.one_size else sums.size[drawn].sum(axis=1)
            both = np.stack((top, under), axis=1)
        np.divide(both[:, 0], both[:, 1], out=block)
    return out


def _edgeworth(sums: Sums) -> Callable[[float], float] | None:
    """Give the bootstrap distribution function; None where four cumulants cannot tell it.

    The mean is at most x where the sum of ``total - x size`` over the draws is at most 0; the
    cumulants of that sum are polynomials in x, so that the data are gone through once.
    """
    from scipy.special import ndtr  # noqa: PLC0415 - scipy is imported late

    clusters, mean = sums.n_clusters, sums.mean
    top = sums.total - mean * sums.size  # centred, or the powers lose digits
    scale = sqrt(float(sums.count @ top**2) / clusters)
    if scale == 0.0:
        return None
    top = top / scale
    under = sums.size * (clusters / sums.n)
    cross = _moments(top, under, sums)
    heavy = (abs(cross[3, 0]) / sqrt(clusters), (cross[4, 0] - 3.0) / clusters)
    if max(heavy) > _BENT:
        return None
    per_size = scale * clusters / sums.n

    def cdf(x: float) -> float:
        move = -(x - mean) / per_size
        raw = [sum(comb(k, j) * cross[k - j, j] * move**j for j in range(k + 1)) for k in range(5)]
        m1, m2 = raw[1], raw[2] - raw[1] ** 2
        m3 = raw[3] - 3 * m1 * raw[2] + 2 * m1**3
        m4 = raw[4] - 4 * m1 * raw[3] + 6 * m1**2 * raw[2] - 3 * m1**4
        skew, kurtosis = m3 / m2**1.5, m4 / m2**2 - 3.0
        z = -m1 / sqrt(m2) * sqrt(clusters)
        density = exp(-z * z / 2.0) / sqrt(2.0 * pi)
        first = skew * (z**2 - 1.0) / (6.0 * sqrt(clusters))
        second = kurtosis * (z**3 - 3 * z) / 24.0 + skew**2 * (z**5 - 10 * z**3 + 15 * z) / 72.0
        return float(ndtr(z) - density * (first + second / clusters))

    return cdf


def _moments(top: Floats, under: Floats, sums: Sums) -> Floats:
    """Give the mean of ``top**i * under**j`` over clusters at [i, j], up to i + j = 4."""
    out = np.zeros((5, 5))
    weighted, square = sums.count * top, top * top
    if sums.one_size:
        straight = (float(weighted.sum()), *(float(weighted @ x) for x in (top, square)))
        out[:, 0] = (sums.n_clusters, *straight, float((weighted * top) @ square))
        for j in range(1, 5):  # sizes are all 1 on the scale of their mean
            out[: 5 - j, j] = out[: 5 - j, 0]
        return out / sums.n_clusters
    beside = sums.count
    for j in range(5):
        term = beside
        for i in range(5 - j):
            out[i, j] = term.sum()
            term = term * top
        beside = beside * under
    return out / sums.n_clusters


def _inverse(cdf: Callable[[float], float], level: float, mean: float, spread: float) -> float:
    low, high = mean - 12.0 * spread, mean + 12.0 * spread
    for _ in range(36):  # to 1e-10 of the spread
        middle = (low + high) / 2.0
        low, high = (middle, high) if cdf(middle) < level else (low, middle)
    return (low + high) / 2.0
