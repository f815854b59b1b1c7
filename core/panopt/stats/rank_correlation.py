"""Rank correlation of two orders of the same systems or items, with an interval over them.

Spearman's rho (Pearson's correlation of mid-ranks) or Kendall's tau-b. Interval: pairs (x, y) are
resampled together as weights, so that nothing is sorted twice. Below fifty pairs the interval is
their percentiles, corrected for median bias, at levels expanded for small samples (Efron 1987;
Hesterberg 2015); from there Student's t on Fisher's scale (Bonett & Wright 2000) with the standard
error of the resamples, as percentiles of high correlations are too short. A resample in which one
side is constant has no correlation: such resamples are counted and left out. Past a thousand
pairs: the jackknife over groups of pairs, on Fisher's scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import atanh, sqrt, tanh
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.bootstrap import percentile_interval
from panopt.stats.generators import generator
from panopt.stats.paired_data import pair_up

__all__ = ["RankCorrelation", "RankMethod", "rank_correlation"]

Floats = NDArray[np.float64]
RankMethod = Literal["spearman", "kendall"]

_MANY = 50  # pairs from which on resamples give a standard error, not percentiles
_FEW = 1000  # pairs that are resampled one by one
_GROUPS = 50  # groups of the jackknife
_FEWEST = 4  # pairs that give an interval
_CELLS = 1 << 17


@dataclass(frozen=True, slots=True)
class RankCorrelation:
    """How far two orders agree, from -1 to 1.

    Attributes
    ----------
    value
        The correlation; None where `reason` says why.
    low, high
        Interval at level 1 - alpha; None where `reason` says why.
    n, n_missing
        Pairs, and pairs left out as one side was missing.
    n_boot, n_constant
        Resamples, and those of them that were constant on one side and count for nothing.
    alpha
        One minus the level.
    method
        Which correlation and interval.
    notes
        What to beware of.
    reason
        Why there is no value or no interval.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    n_missing: int
    n_boot: int
    n_constant: int
    alpha: float
    method: str
    notes: tuple[str, ...]
    reason: str | None


def rank_correlation(  # noqa: C901, PLR0913 - the options of one estimate
    x: ArrayLike,
    y: ArrayLike,
    *,
    method: RankMethod = "spearman",
    alpha: float = 0.05,
    n_boot: int = 2000,
    rng: np.random.Generator | int | None = None,
) -> RankCorrelation:
    """Correlate two orders of the same systems or items, with a bootstrap interval over them.

    Parameters
    ----------
    x, y
        Scores or ranks of the same systems or items (n,); NaN is missing, and its pair left out.
    method
        ``spearman``, or ``kendall`` (tau-b, for ties).
    alpha
        One minus the level, in (0, 1).
    n_boot
        Resamples, at least 100; none are drawn for more than 1000 pairs.
    rng
        Source of randomness, or a seed; seed 0 where not given.

    Returns
    -------
    RankCorrelation
        Without value where one side is constant; without interval for fewer than four pairs, or
        where most resamples are constant.

    Raises
    ------
    ValueError
        For arrays of different length, infinite numbers, or options off their range.

    Notes
    -----
    Assumes that pairs are independent draws from the systems or items one asks about. Where the
    orders agree perfectly every resample does, too; then the interval is that of the data with one
    imagined pair that speaks against it. Memory: 1000 x 1000 numbers at most for Kendall.

    Examples
    --------
    >>> found = rank_correlation([1, 2, 3, 4, 5, 6, 7], [2, 1, 3, 5, 4, 7, 6])
    >>> round(found.value, 4), found.low < found.value < found.high
    (0.8929, True)
    >>> rank_correlation([1, 1, 1], [1, 2, 3]).reason
    'x is constant: there is no order to compare'
    """
    if method not in get_args(RankMethod):
        raise ValueError(f"method = {method!r} must be one of {get_args(RankMethod)}")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha = {alpha} must lie strictly between 0 and 1")
    if n_boot < 100:
        raise ValueError(f"n_boot = {n_boot} must be at least 100")
    pairs = pair_up(x, y, None)
    counts = (pairs.n, pairs.n_missing)
    name = "Spearman's rho" if method == "spearman" else "Kendall's tau-b"
    if reason := _no_value(pairs.a, pairs.b):
        return RankCorrelation(None, None, None, *counts, 0, 0, alpha, name, (), reason)
    value = _value(pairs.a, pairs.b, method)
    if pairs.n < _FEWEST:
        reason = f"{pairs.n} pairs give no interval: {_FEWEST} are needed"
        return RankCorrelation(value, None, None, *counts, 0, 0, alpha, name, (), reason)
    source = generator(rng)
    one, two = pairs.a, pairs.b
    notes: tuple[str, ...] = ()
    perfect = abs(value) > 1.0 - 1e-12
    if perfect:  # one more pair, at the top of one order and the bottom of the other
        worst = two.min() if value > 0.0 else two.max()
        one, two = np.append(one, one.max()), np.append(two, worst)
        notes = ("perfect agreement: the interval imagines one pair that speaks against it",)
    centre = _value(one, two, method) if perfect else value
    if len(one) > _FEW:
        low, high = _jackknife(one, two, method, centre, alpha, source)
        found, constant, how = 0, 0, f"jackknife over {_GROUPS} groups of pairs"
    else:
        draws = _draws(one, two, method, n_boot, source)
        kept = draws[~np.isnan(draws)]
        found, constant, how = n_boot, n_boot - kept.size, "percentiles of resampled pairs"
        if len(one) >= _MANY:
            how = "t on Fisher's scale, standard error of resampled pairs"
        if 2 * kept.size < n_boot:
            reason = f"{constant} of {n_boot} resamples are constant on one side"
            return RankCorrelation(
                value, None, None, *counts, n_boot, constant, alpha, name, notes, reason
            )
        ends = _turned if len(one) >= _MANY else percentile_interval
        low, high = ends(kept, centre, n_units=len(one), alpha=alpha)
        if constant:
            notes = (*notes, f"{constant} of {n_boot} resamples were constant and are left out")
    if perfect:
        low, high = (low, 1.0) if value > 0.0 else (-1.0, high)
    low, high = max(-1.0, min(low, value)), min(1.0, max(high, value))
    name = f"{name}; {how}"
    return RankCorrelation(value, low, high, *counts, found, constant, alpha, name, notes, None)


def _no_value(x: Floats, y: Floats) -> str | None:
    if len(x) < 2:
        return f"{len(x)} pairs have no order: two are needed"
    for name, values in (("x", x), ("y", y)):
        if values.min() == values.max():
            return f"{name} is constant: there is no order to compare"
    return None


def _value(x: Floats, y: Floats, method: RankMethod) -> float:
    if method == "kendall":
        if len(x) <= _FEW:
            return float(_kendall(x, y)(np.ones((1, len(x))))[0])
        from scipy.stats import kendalltau  # noqa: PLC0415 - scipy is imported late

        return float(kendalltau(x, y).statistic)
    left, right = _mid_ranks(x), _mid_ranks(y)
    return float(left @ right) / sqrt(float(left @ left) * float(right @ right))


def _mid_ranks(x: Floats) -> Floats:
    """Give ranks about their mean, ties sharing theirs."""
    _, kind, times = np.unique(x, return_inverse=True, return_counts=True)
    upto = np.cumsum(times)
    ranks: Floats = (upto - (times - 1.0) / 2.0 - (len(x) + 1.0) / 2.0)[kind]
    return ranks


def _draws(
    x: Floats, y: Floats, method: RankMethod, n_boot: int, rng: np.random.Generator
) -> Floats:
    """Give the correlation in resamples (n_boot,), NaN where one side is constant."""
    n = len(x)
    correlate = _kendall(x, y) if method == "kendall" else _spearman(x, y)
    out = np.empty(n_boot)
    rows = max(1, _CELLS // n)
    for start in range(0, n_boot, rows):
        block = out[start : start + rows]
        weights = rng.multinomial(n, np.full(n, 1.0 / n), size=block.size).astype(np.float64)
        block[:] = correlate(weights)
    return out


def _spearman(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    """Make the function of weights (resamples, pairs) that gives rho in each resample."""
    sides = []
    for values in (x, y):
        order = np.argsort(values, kind="stable")
        kind = np.unique(values, return_inverse=True)[1]
        sides.append((order, np.searchsorted(values[order], np.unique(values)), kind))

    def ranks(weights: Floats, side: tuple[NDArray[np.intp], ...]) -> Floats:
        order, first, kind = side
        times = np.add.reduceat(weights[:, order], first, axis=1)
        middle = np.cumsum(times, axis=1) - times / 2.0 - len(x) / 2.0
        found: Floats = middle[:, kind]
        return found

    def correlate(weights: Floats) -> Floats:
        left, right = (ranks(weights, side) for side in sides)
        product = np.einsum("ij,ij,ij->i", weights, left, right)
        squares = [np.einsum("ij,ij,ij->i", weights, side, side) for side in (left, right)]
        return _ratio(product, squares[0], squares[1])

    return correlate


def _kendall(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    """Make the function of weights (resamples, pairs) that gives tau-b in each resample."""
    left, right = (np.sign(np.subtract.outer(values, values)) for values in (x, y))

    def correlate(weights: Floats) -> Floats:
        over = [
            np.einsum("ij,ij->i", weights @ table, weights)
            for table in (left * right, left * left, right * right)
        ]
        return _ratio(*over)

    return correlate


def _ratio(product: Floats, one: Floats, other: Floats) -> Floats:
    below = np.sqrt(one * other)
    out = np.full(product.shape, np.nan)
    np.divide(product, below, out=out, where=below > 1e-9)
    clipped: Floats = np.clip(out, -1.0, 1.0)
    return clipped


def _turned(draws: Floats, value: float, *, n_units: int, alpha: float) -> tuple[float, float]:
    """Give Student's t interval on Fisher's scale from resampled correlations."""
    from scipy.special import stdtrit  # noqa: PLC0415 - scipy is imported late

    se = float(draws.std(ddof=1)) * sqrt(n_units / (n_units - 1.0))
    half = float(stdtrit(n_units - 1.0, 1.0 - alpha / 2.0)) * se / (1.0 - value**2)
    return tanh(atanh(value) - half), tanh(atanh(value) + half)


def _jackknife(  # noqa: PLR0913, PLR0917 - the parts of one estimate
    x: Floats,
    y: Floats,
    method: RankMethod,
    value: float,
    alpha: float,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Leave out a random group of pairs at a time (Shao & Tu 1995, section 2.3)."""
    from scipy.special import stdtrit  # noqa: PLC0415 - scipy is imported late

    group = np.resize(np.arange(_GROUPS), len(x))
    rng.shuffle(group)
    parts = [(x[group != g], y[group != g]) for g in range(_GROUPS)]
    kept = [_value(*part, method) for part in parts if _no_value(*part) is None]
    edge = 1.0 - 1e-12
    turned = np.arctanh(np.clip(kept, -edge, edge))
    se = sqrt((len(kept) - 1.0) / len(kept) * float(np.sum((turned - turned.mean()) ** 2)))
    half = float(stdtrit(len(kept) - 1.0, 1.0 - alpha / 2.0)) * se
    middle = atanh(min(max(value, -edge), edge))
    return tanh(middle - half), tanh(middle + half)
