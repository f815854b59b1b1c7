"""Whether intervals hold what they should as often as they say, everywhere, and at what width.

Exact intervals and tests for the share covered (Clopper & Pearson 1934), per group with all groups
held at once: p-values by Holm 1979, intervals by Sidak (Bonferroni for clusters).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats, as_keys
from panopt.stats.binomial import clopper_pearson
from panopt.stats.mean import mean_interval

__all__ = [
    "Coverage",
    "CoverageWidth",
    "coverage_width",
    "holm",
    "interval_coverage",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often intervals held the truth, over all and by group.

    Attributes
    ----------
    value
        Share covered; None where `reason` says why.
    low, high
        Its interval at `level`; None for a single cluster.
    p_value
        Of the hypothesis that coverage is at least `nominal`; None with clusters.
    groups
        Names of groups, sorted (groups,).
    group_n, group_value
        Truths and share covered of each (groups,).
    group_low, group_high
        Intervals that hold all groups at once at `level`.
    group_p_value
        As `p_value`, adjusted for the number of groups; NaN with clusters.
    nominal, level
        Coverage that was promised; confidence level of the intervals here.
    n, n_missing
        Truths with an interval, and those left out because a number was missing.
    method
        Which intervals and tests.
    reason
        Why there is no value.
    """

    value: float | None
    low: float | None
    high: float | None
    p_value: float | None
    groups: tuple[str, ...]
    group_n: NDArray[np.int64]
    group_value: Floats
    group_low: Floats
    group_high: Floats
    group_p_value: Floats
    nominal: float
    level: float
    n: int
    n_missing: int
    method: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class CoverageWidth:
    """Coverage and width of several ways to make intervals, one entry a way.

    Attributes
    ----------
    coverage, width
        Share covered and mean width (ways,).
    score
        Mean interval score at 1 - `nominal`: width plus the penalty for what it misses (Gneiting &
        Raftery 2007, eq. 43); lower is better.
    front
        Whether no other way covers at least as much in at most this width, and better in one.
    n
        Truths for which every way has an interval.
    """

    coverage: Floats
    width: Floats
    score: Floats
    front: NDArray[np.bool_]
    n: int


def interval_coverage(  # noqa: PLR0913 - three numbers a row, and options
    truth: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    *,
    nominal: float = 0.9,
    groups: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Coverage:
    """Check how often intervals hold the truth, over all and in every group.

    Parameters
    ----------
    truth, low, high
        What was to be covered, and the closed interval's ends, which may be infinite (n,); NaN in
        any leaves the row out.
    nominal
        Coverage that the intervals promise, in (0, 1).
    groups
        Name of each row's group (n,): task family, or the true class (class-conditional coverage).
    clusters
        Key of each row's cluster (n,), where rows are not independent.
    level
        Confidence level of the intervals for the coverage.

    Raises
    ------
    ValueError
        For arrays of different shape, low above high, infinite truths, or options off range.

    Notes
    -----
    Assumes that rows (or clusters) are a random sample, and that the intervals were made without
    these truths. Clopper-Pearson and one-sided exact binomial tests; with clusters the interval of
    a clustered mean and no test.

    Examples
    --------
    >>> truth = np.r_[np.zeros(90), np.full(10, 5.0)]
    >>> found = interval_coverage(truth, truth * 0 - 1, truth * 0 + 1, nominal=0.95)
    >>> found.value, round(found.low, 4), round(found.high, 4), round(found.p_value, 4)
    (0.9, 0.8238, 0.951, 0.0282)
    """
    y, a, b = _rows(truth, low, high)
    _share("nominal", nominal)
    _share("level", level)
    codes, names = _groups(groups, y.size)
    keys = None if clusters is None else as_keys("clusters", clusters)
    if keys is not None and keys.shape != y.shape:
        raise ValueError(f"clusters must have the shape of truth, {y.shape}, not {keys.shape}")
    known = ~(np.isnan(y) | np.isnan(a) | np.isnan(b))
    covered = ((a <= y) & (y <= b))[known]
    n_missing = int(y.size - covered.size)
    keys = None if keys is None else keys[known]
    if keys is not None and np.unique(keys).size == keys.size:
        keys = None
    codes = codes[known]
    n = np.bincount(codes, minlength=len(names))
    hits = np.bincount(codes, weights=covered, minlength=len(names)).astype(np.float64)
    held = np.flatnonzero(n)
    names, n, hits = tuple(names[k] for k in held.tolist()), n[held], hits[held]
    codes = np.searchsorted(held, codes)
    most = max(held.size, 1)
    method = "Clopper-Pearson, Sidak over groups; exact binomial tests, Holm over groups"
    shared = level ** (1.0 / most)
    if keys is not None:
        method = "Wilson by cluster, Bonferroni over groups"
        shared = 1.0 - (1.0 - level) / most
    group_low, group_high = _ends(covered, codes, n, hits, keys, shared)
    p_values = np.full(held.size, np.nan)
    if keys is None and held.size:
        p_values = holm(_tail(hits, n, nominal))
    value = low_end = high_end = p_value = None
    if covered.size:
        value = float(covered.mean())
        everything = np.zeros(covered.size, dtype=np.intp)
        total = np.array([covered.size]), np.array([float(covered.sum())])
        ends = _ends(covered, everything, *total, keys, level)
        single = keys is not None and np.unique(keys).size < 2
        low_end, high_end = (None, None) if single else (float(ends[0][0]), float(ends[1][0]))
        p_value = float(_tail(total[1], total[0], nominal)[0]) if keys is None else None
    return Coverage(
        value=value,
        low=low_end,
        high=high_end,
        p_value=p_value,
        groups=names if groups is not None else (),
        group_n=n if groups is not None else n[:0],
        group_value=(hits / n)[: None if groups is not None else 0],
        group_low=group_low[: None if groups is not None else 0],
        group_high=group_high[: None if groups is not None else 0],
        group_p_value=p_values[: None if groups is not None else 0],
        nominal=nominal,
        level=level,
        n=int(covered.size),
        n_missing=n_missing,
        method=method,
        reason=None if covered.size else "no truth has an interval",
    )


def coverage_width(
    truth: ArrayLike, low: ArrayLike, high: ArrayLike, *, nominal: float = 0.9
) -> CoverageWidth:
    """Compare ways to make intervals by coverage and width, on the same truths.

    Parameters
    ----------
    truth
        What was to be covered (n,).
    low, high
        Ends of every way's intervals (n, ways); rows with a NaN in any are left out for all.
    nominal
        Coverage that was aimed at, in (0, 1): sets the price of a miss in `score`.

    Raises
    ------
    ValueError
        For arrays that do not fit, low above high, infinite truths, or no complete row.

    Examples
    --------
    >>> truth = np.arange(10.0)
    >>> half = np.array([0.5, 2.0, 3.0])
    >>> centre = np.r_[truth[:5], truth[5:] + 1.0][:, None]
    >>> found = coverage_width(truth, centre - half, centre + half)
    >>> found.coverage.tolist(), found.width.tolist(), found.front.tolist()
    ([0.5, 1.0, 1.0], [1.0, 4.0, 6.0], [True, True, False])
    """
    _share("nominal", nominal)
    y, a, b = as_floats("truth", truth), as_floats("low", low), as_floats("high", high)
    if y.ndim != 1 or a.ndim != 2 or a.shape != b.shape or a.shape[0] != y.size:
        raise ValueError(
            f"truth must be (n,), low and high (n, ways); not {y.shape}, {a.shape}, {b.shape}"
        )
    _check_ends(y, a, b)
    known = ~(np.isnan(y) | np.isnan(a).any(axis=1) | np.isnan(b).any(axis=1))
    y, a, b = y[known, None], a[known], b[known]
    if not y.size:
        raise ValueError("no row has a truth and an interval of every way")
    coverage, width = ((a <= y) & (y <= b)).mean(axis=0), (b - a).mean(axis=0)
    missed = np.maximum(a - y, 0.0) + np.maximum(y - b, 0.0)
    score = width + 2.0 / (1.0 - nominal) * missed.mean(axis=0)
    no_worse = (coverage[:, None] >= coverage) & (width[:, None] <= width)
    better = (coverage[:, None] > coverage) | (width[:, None] < width)
    front = ~(no_worse & better).any(axis=0)
    return CoverageWidth(coverage, width, score, front, int(y.size))


def holm(p_values: ArrayLike) -> Floats:
    """Adjust p-values so that the chance of any false rejection stays at the level (Holm 1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    p = as_floats("p_values", p_values)
    if p.ndim != 1 or not ((p >= 0.0) & (p <= 1.0)).all():
        raise ValueError("p_values must be one row of numbers in [0, 1]")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(p.size)
    factors = np.arange(p.size, 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p[order]), 1.0)
    return adjusted


def _rows(truth: ArrayLike, low: ArrayLike, high: ArrayLike) -> tuple[Floats, Floats, Floats]:
    y, a, b = as_floats("truth", truth), as_floats("low", low), as_floats("high", high)
    if y.ndim != 1 or a.shape != y.shape or b.shape != y.shape:
        raise ValueError(
            f"truth, low and high must have one shape (n,), not {y.shape}, {a.shape}, {b.shape}"
        )
    _check_ends(y, a, b)
    return y, a, b


def _check_ends(y: Floats, a: Floats, b: Floats) -> None:
    if np.isinf(y).any():
        raise ValueError("truth must be finite, NaN where missing; it holds inf")
    if (a > b).any():
        raise ValueError(f"low = {a[a > b][0]:g} is above high = {b[a > b][0]:g}")


def _share(name: str, value: float) -> None:
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name} = {value} must lie strictly between 0 and 1")


def _groups(groups: ArrayLike | None, n: int) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    if groups is None:
        return np.zeros(n, dtype=np.intp), ("",)
    keys = as_keys("groups", groups)
    if keys.shape != (n,):
        raise ValueError(f"groups must have the shape of truth, ({n},), not {keys.shape}")
    names, codes = np.unique(keys, return_inverse=True)
    return codes, tuple(map(str, names.tolist()))


def _tail(hits: NDArray[np.float64], n: NDArray[np.int64], nominal: float) -> Floats:
    """Give the chance of at most so many hits where coverage is just nominal."""
    from scipy.special import betaincc  # noqa: PLC0415 - scipy is imported late

    missed = n - hits
    open_above = missed > 0
    tail = betaincc(hits + 1.0, np.where(open_above, missed, 1.0), nominal)
    return np.where(open_above, tail, 1.0)


def _ends(  # noqa: PLR0913, PLR0917 - sums of the groups, and the rows they are sums of
    covered: NDArray[np.bool_],
    codes: NDArray[np.intp],
    n: NDArray[np.int64],
    hits: Floats,
    keys: NDArray[np.generic] | None,
    level: float,
) -> tuple[Floats, Floats]:
    if keys is None:
        return clopper_pearson(hits, n, level=level)
    low, high = np.zeros(n.size), np.ones(n.size)
    for k in range(n.size):
        inside = codes == k
        found = mean_interval(covered[inside], clusters=keys[inside], alpha=1.0 - level)
        if found.low is not None and found.high is not None:
            low[k], high[k] = found.low, found.high
    return low, high
