"""Agreement of many raters on categories beyond chance: Fleiss' kappa, Gwet's AC1 and AC2.

Each is (observed - expected) / (1 - expected) agreement, where two ratings agree wholly, not at
all or, with weights, in part. Fleiss expects the agreement of two ratings drawn from all ratings;
Gwet expects far less where most ratings are of one category, since few raters then guess.
Fleiss 1971; Gwet 2008; for missing ratings, weights and standard errors Gwet 2014, "Handbook of
inter-rater reliability", 4th ed., chapters 2, 3 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.patterns import IntArray, level_codes
from panopt.stats.reliability import (
    Clusters,
    Reliability,
    checked_ratings,
    clusters_of,
    mean_error,
    too_few,
    undefined,
    with_interval,
)
from panopt.stats.units import Units, level_tally, rated_units, unlike_pairs

FloatArray = NDArray[np.float64]
CategoryWeights = Literal["linear", "quadratic", "ordinal"]

_MOST_CATEGORIES = 1000  # a table of weights for all pairs is held: 8 MB
_ROWS = 1 << 12  # patterns times categories made dense at a time


def gwet_ac1(
    ratings: ArrayLike,
    *,
    n_levels: int | None = None,
    alpha: float = 0.05,
    clusters: ArrayLike | None = None,
    raters: Sequence[str] | None = None,
) -> Reliability:
    """Compute Gwet's AC1: agreement beyond chance, little moved by a lopsided prevalence.

    Parameters
    ----------
    ratings, clusters, raters
        As in `panopt.plugins.reliability.krippendorff_alpha`; ratings are categories.
    n_levels
        Categories on offer, used or not; by default those that occur.
    alpha
        Probability that the interval misses, in (0, 1).

    Returns
    -------
    Reliability
        `se` is Gwet's (raters fixed, units sampled; over clusters where given); the interval is
        Wilson's on [-1, 1] with that error.

    Raises
    ------
    ValueError
        For ratings or options outside their range, or more categories than `n_levels`.

    Examples
    --------
    >>> round(gwet_ac1([[1, 1], [1, 1], [1, 0], [0, 0]]).value, 4)
    0.5294
    """
    matrix, groups = checked_ratings(ratings, alpha=alpha, clusters=clusters, raters=raters)
    units = rated_units(matrix, at_least=1)
    used = level_codes(units.values)[0]
    if n_levels is not None and n_levels < max(used.size, 2):
        raise ValueError(f"n_levels = {n_levels} must be at least 2 and the {used.size} that occur")
    reason = None
    if n_levels is None and used.size < 2:
        reason = "one category only; say how many were on offer (n_levels)"
    table = _Table(used, n_levels or used.size, None)
    return _result(units, table, "gwet", groups, matrix.shape[1], alpha=alpha, reason=reason)


def gwet_ac(  # noqa: PLR0913 - options of one estimate and of its interval
    ratings: ArrayLike,
    *,
    weights: CategoryWeights | None = None,
    levels: ArrayLike | None = None,
    alpha: float = 0.05,
    clusters: ArrayLike | None = None,
    raters: Sequence[str] | None = None,
) -> Reliability:
    """Compute Gwet's AC1 (no weights) or AC2 (near misses count in part).

    Parameters
    ----------
    ratings, clusters, raters
        As in `panopt.plugins.reliability.krippendorff_alpha`; ratings are categories.
    weights
        `None`: ratings agree or not. "linear", "quadratic": by their difference, or its square,
        over the range of the categories. "ordinal": by the pairs of categories from one to the
        other, going by their order alone.
    levels
        Values of the categories on offer, used or not; by default those that occur.
    alpha
        Probability that the interval misses, in (0, 1).

    Returns
    -------
    Reliability
        As `gwet_ac1`.

    Raises
    ------
    ValueError
        For ratings or options outside their range, ratings that are none of `levels`, and more
        than 1,000 categories with weights.

    Examples
    --------
    >>> ratings = [[1, 1], [2, 3], [3, 3], [1, 2]]
    >>> round(gwet_ac(ratings, weights="linear").value, 4)
    0.4483
    """
    if weights is not None and weights not in get_args(CategoryWeights):
        raise ValueError(f"weights = {weights!r} must be None, 'linear', 'quadratic' or 'ordinal'")
    matrix, groups = checked_ratings(ratings, alpha=alpha, clusters=clusters, raters=raters)
    units = rated_units(matrix, at_least=1)
    offered = _offered(level_codes(units.values)[0], levels)
    reason = None if offered.size > 1 else "one category only; say which were on offer (levels)"
    weight = None if weights is None or reason else _weights(offered, weights)
    table = _Table(offered, offered.size, weight)
    result = _result(units, table, "gwet", groups, matrix.shape[1], alpha=alpha, reason=reason)
    return result if weights is None else replace(result, level=weights)


def fleiss_kappa(
    ratings: ArrayLike,
    *,
    alpha: float = 0.05,
    clusters: ArrayLike | None = None,
    raters: Sequence[str] | None = None,
) -> Reliability:
    """Compute Fleiss' kappa of many raters on categories.

    Parameters
    ----------
    ratings, clusters, raters
        As in `panopt.plugins.reliability.krippendorff_alpha`; ratings are categories.
    alpha
        Probability that the interval misses, in (0, 1).

    Returns
    -------
    Reliability
        Fleiss 1971 where every unit has the same number of ratings, else Gwet's extension:
        agreement is the mean over units with two ratings or more, prevalence the mean over units
        of the shares of each category. `se` is Gwet's (raters fixed, units sampled; over clusters
        where given), not the error under no agreement of Fleiss 1971; the interval is Wilson's on
        [-1, 1] with that error.

    Raises
    ------
    ValueError
        For ratings or options outside their range.

    Examples
    --------
    >>> round(fleiss_kappa([[1, 1, 1], [1, 1, 0], [0, 0, 0], [0, 0, 1]]).value, 4)
    0.3333
    """
    matrix, groups = checked_ratings(ratings, alpha=alpha, clusters=clusters, raters=raters)
    units = rated_units(matrix, at_least=1)
    used = level_codes(units.values)[0]
    reason = None
    if used.size < 2:
        reason = f"no variation: all {units.n_ratings} ratings are equal"
    table = _Table(used, used.size, None)
    return _result(units, table, "fleiss", groups, matrix.shape[1], alpha=alpha, reason=reason)


class _Table(NamedTuple):
    """Categories and how far two of them agree; `weight` None: wholly or not at all."""

    levels: FloatArray
    n_levels: int
    weight: FloatArray | None


def _result(  # noqa: PLR0913 - the parts of one estimate
    units: Units,
    table: _Table,
    chance: Literal["gwet", "fleiss"],
    groups: Clusters | None,
    n_raters: int,
    *,
    alpha: float,
    reason: str | None,
) -> Reliability:
    paired = units.sizes >= 2
    n_units = int(units.counts[paired].sum())
    n_ratings = int(units.counts[paired] @ units.sizes[paired])
    why = too_few(units.n_raters, n_units) or reason
    if why is not None:
        return undefined(
            why, n_units=n_units, n_ratings=n_ratings, level="nominal", n_raters=n_raters
        )
    value, influence = _coefficient(units, table, chance)
    within = influence[units.pattern]
    se, free = mean_error(within, clusters_of(groups, units.kept))
    result = Reliability(value, None, None, se, n_units, n_ratings, "nominal", n_raters=n_raters)
    return with_interval(result, free, alpha=alpha, bounds=(-1, 1))


def _coefficient(units: Units, table: _Table, chance: str) -> tuple[float, FloatArray]:
    """Give the coefficient, and the influence of each pattern on it, whose mean over units is 0.

    Units of one rating count towards prevalence alone.
    """
    codes = _codes(units.values, table.levels)
    sizes, counts, n = units.sizes, units.counts, units.n_units
    paired = sizes >= 2
    n_paired = int(counts[paired].sum())
    apart = unlike_pairs(codes) if table.weight is None else _apart(codes, table.weight)
    share = np.zeros(sizes.size)
    np.divide(apart, sizes * (sizes - 1), out=share, where=paired)
    share = np.where(paired, 1.0 - share, 0.0)
    observed = float(counts @ share) / n_paired
    prevalence = level_tally(codes, table.levels.size)((counts / sizes)[None, :])[0] / n
    met = _by_chance(prevalence, table, chance)
    expected = float(prevalence @ met)
    by_chance = np.append(met, 0.0)[codes].sum(axis=1) / sizes  # code -1 reads the last 0
    value = (observed - expected) / (1 - expected)
    direct = (n / n_paired) * np.where(paired, share - expected, 0.0) / (1 - expected)
    return value, direct - value - 2 * (1 - value) * (by_chance - expected) / (1 - expected)


def _by_chance(prevalence: FloatArray, table: _Table, chance: str) -> FloatArray:
    """Expect how far a rating of each category agrees with another by chance."""
    if chance == "fleiss":
        return prevalence
    if table.weight is None:
        return (1 - prevalence) / (table.n_levels - 1)
    met: FloatArray = (1 - prevalence) * table.weight.sum()
    return met / (table.n_levels * (table.n_levels - 1))


def _codes(values: FloatArray, levels: FloatArray) -> IntArray:
    """Give the position of every value among the levels, -1 where missing."""
    codes: IntArray = np.searchsorted(levels, values).astype(np.int32)
    codes[np.isnan(values)] = -1
    return codes


def _apart(codes: IntArray, weight: FloatArray) -> FloatArray:
    """Sum the disagreement 1 - weight over the ordered pairs of ratings of every pattern."""
    unlike, found = 1.0 - weight, np.empty(codes.shape[0])
    for start in range(0, found.size, _ROWS):
        part = codes[start : start + _ROWS]
        counts = np.zeros((part.shape[0], weight.shape[0]))
        for column in part.T:
            rated = np.flatnonzero(column >= 0)
            counts[rated, column[rated]] += 1
        found[start : start + _ROWS] = np.einsum("pk,pk->p", counts @ unlike, counts)
    return found


def _offered(used: FloatArray, levels: ArrayLike | None) -> FloatArray:
    if levels is None:
        return used
    offered = np.unique(as_floats("levels", levels))
    if not np.isfinite(offered).all():
        raise ValueError("levels hold NaN or an infinity; they must be finite")
    foreign = used[~np.isin(used, offered)]
    if foreign.size:
        raise ValueError(f"ratings hold {foreign[0]:g}, which is none of the levels")
    return offered


def _weights(levels: FloatArray, weights: str) -> FloatArray:
    """Say how far each pair of categories agrees: 1 for the same, 0 for the farthest apart."""
    if levels.size > _MOST_CATEGORIES:
        raise ValueError(
            f"ratings have {levels.size} categories; weights = {weights!r} takes at most "
            f"{_MOST_CATEGORIES}: use krippendorff_alpha or icc for continuous scores"
        )
    at = np.arange(levels.size) if weights == "ordinal" else levels
    gap: FloatArray = np.abs(at[:, None] - at).astype(np.float64)
    if weights == "quadratic":
        gap *= gap
    elif weights == "ordinal":
        gap *= (gap + 1) / 2
    weight: FloatArray = 1.0 - gap / gap.max()
    return weight
