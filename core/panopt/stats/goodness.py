"""Test whether outcomes fit the probabilities given to them: Hosmer-Lemeshow.

Hosmer & Lemeshow 1980: compare outcomes and probabilities summed over groups of like probability.
The degrees of freedom depend on where the probabilities come from. Fitted to the same outcomes by
a logistic model, groups less 2; given from outside, which is the case for judges' confidence, all
groups count (Hosmer, Lemeshow & Sturdivant 2013, 5.2.2). Groups never part equal probabilities and
are joined until each expects enough outcomes of both kinds for the chi-square to hold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.bins import binned
from panopt.stats.scored import Scored, scored

__all__ = ["GoodnessOfFit", "hosmer_lemeshow"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GoodnessOfFit:
    """A Hosmer-Lemeshow test.

    Attributes
    ----------
    statistic, df, p_value
        Chi-square, its degrees of freedom, and the chance of one as large where probabilities are
        right; None where `reason` says why.
    n, observed, expected
        Outcomes of each group, right ones, and how many were expected (groups,).
    left, right
        Least and largest probability of each group.
    fitted
        Whether the probabilities were fitted to these outcomes.
    method, reason
        Which test; why there is none.
    """

    statistic: float | None
    df: int
    p_value: float | None
    n: Floats
    observed: Floats
    expected: Floats
    left: Floats
    right: Floats
    fitted: bool
    method: str
    reason: str | None = None


def hosmer_lemeshow(
    probability: ArrayLike,
    outcome: ArrayLike,
    *,
    n_groups: int = 10,
    fitted: bool = False,
    least: float = 5.0,
) -> GoodnessOfFit:
    """Test whether probabilities fit the outcomes.

    Parameters
    ----------
    probability
        Probability given to each outcome, in [0, 1] (n,); NaN is missing.
    outcome
        1 or 0 (n,); NaN is missing.
    n_groups
        Groups of about equal size to begin with.
    fitted
        Whether a logistic model with an intercept and one slope was fitted to these outcomes.
    least
        Neighbours are joined until each group expects at least so many outcomes of either kind;
        0 joins none.

    Returns
    -------
    GoodnessOfFit
        With a reason where fewer than 1 group (3 where `fitted`) can be told apart.

    Raises
    ------
    ValueError
        For arrays of different shape, probabilities off [0, 1], other outcomes, or options off
        range.

    Notes
    -----
    Assumes independent outcomes: take one of each cluster. An outcome of probability 0, or the
    lack of one of probability 1, refutes by itself: the statistic is then infinite where no group
    is joined, and the p-value 0.

    Examples
    --------
    >>> p = np.repeat([0.2, 0.5, 0.8], 50)
    >>> y = np.r_[np.arange(50) < 18, np.arange(50) < 25, np.arange(50) < 32]
    >>> found = hosmer_lemeshow(p, y)
    >>> round(found.statistic, 4), found.df, round(found.p_value, 5)
    (16.0, 3, 0.00113)
    """
    if isinstance(n_groups, bool) or n_groups != int(n_groups) or n_groups < 1:
        raise ValueError(f"n_groups = {n_groups} must be a whole number of at least 1")
    if not 0.0 <= least < np.inf:
        raise ValueError(f"least = {least} must be a finite number, not below 0")
    table = scored(probability, outcome)
    groups = _grouped(table, int(n_groups), least)
    n, observed, expected, left, right = groups
    method = "Hosmer-Lemeshow, groups less 2" if fitted else "Hosmer-Lemeshow, all groups count"
    df = n.size - 2 if fitted else n.size
    reason = _reason(table, n.size, df, least)
    if reason is not None:
        return GoodnessOfFit(
            None, max(df, 0), None, n, observed, expected, left, right, fitted, method, reason
        )
    variance = expected * (1.0 - expected / n)
    gap = (observed - expected) ** 2
    certain = variance <= 0.0
    statistic = float(np.sum(gap[~certain] / variance[~certain]))
    if (gap[certain] > 1e-18).any():
        statistic = float("inf")
    from scipy.special import chdtrc  # noqa: PLC0415 - scipy is imported late

    p_value = 0.0 if np.isinf(statistic) else float(chdtrc(df, statistic))
    return GoodnessOfFit(statistic, df, p_value, n, observed, expected, left, right, fitted, method)


def _reason(table: Scored, groups: int, df: int, least: float) -> str | None:
    if not table.n:
        return "there is no labelled verdict"
    if groups and df >= 1:
        return None
    if not groups:
        kinds = f"{float(table.counts @ table.values):.3g} right and "
        kinds += f"{float(table.counts @ (1.0 - table.values)):.3g} wrong"
        return f"{table.n} labels expect {kinds}: the test takes {least:g} of either kind"
    return f"{groups} group(s) leave no degree of freedom to a fitted model: 3 are needed"


def _grouped(table: Scored, n_groups: int, least: float) -> tuple[Floats, ...]:
    """Group by equal mass, ties together; join neighbours until each expects enough."""
    if not table.n:
        return (np.zeros(0),) * 5
    bins = binned(table, n_bins=n_groups, strategy="mass")
    expected = bins.n * bins.confidence
    group, sums = np.zeros(bins.n.size, dtype=np.intp), [0.0, 0.0]
    current = 0
    for k in range(bins.n.size):  # a handful of bins
        group[k] = current
        sums = [sums[0] + expected[k], sums[1] + bins.n[k] - expected[k]]
        if min(sums) >= least:
            current, sums = current + 1, [0.0, 0.0]
    if current == 0 and least > 0.0:
        return (np.zeros(0),) * 5
    group = np.minimum(group, max(current - 1, 0))  # what is left over joins the last
    of = group[bins.of]
    first = np.flatnonzero(np.r_[True, of[1:] != of[:-1]])
    last = np.r_[first[1:] - 1, of.size - 1]

    def total(x: Floats) -> Floats:
        return np.bincount(group, weights=x).astype(np.float64)

    return total(bins.n), total(bins.hits), total(expected), table.values[first], table.values[last]
