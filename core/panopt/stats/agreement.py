"""Measure agreement of a panel by pairs of equal ratings: plainly, and by Gwet's AC1.

Both come with the influence of each unit (its share in the linearised error of the estimate),
which gives the standard error at once, for independent units and for clusters of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.coincidence import Units, level_tally, rated_units, unlike_pairs
from panopt.stats.patterns import level_codes
from panopt.stats.reliability import (
    Reliability,
    check_alpha,
    cluster_codes,
    clusters_of,
    mean_error,
    rating_matrix,
    too_few,
    undefined,
    with_interval,
)

FloatArray = NDArray[np.float64]


def raw_agreement(
    ratings: ArrayLike,
    *,
    alpha: float = 0.05,
    clusters: ArrayLike | None = None,
    raters: Sequence[str] | None = None,
) -> Reliability:
    """Compute the share of rater pairs that give equal ratings, averaged over units.

    Parameters
    ----------
    ratings, clusters, raters
        As in `panopt.plugins.reliability.krippendorff_alpha`. Ratings are equal or not: on a
        continuous scale few are.
    alpha
        Probability that the interval misses, in (0, 1).

    Returns
    -------
    Reliability
        With Wilson's interval at the effective number of units (`panopt.stats.bounded`), which
        has width even when all agree.

    Raises
    ------
    ValueError
        For ratings or options outside their range.

    Examples
    --------
    >>> round(raw_agreement([[1, 1, 0], [1, 1, 1]]).value, 4)
    0.6667
    """
    matrix = rating_matrix(ratings, raters)
    check_alpha(alpha)
    groups = cluster_codes(clusters, matrix.shape[0])
    units = rated_units(matrix)
    n_units, n_ratings = units.n_units, units.n_ratings
    reason = too_few(matrix, n_units)
    if reason is not None:
        return undefined(reason, n_units=n_units, n_ratings=n_ratings, level="nominal")
    value, influence = pair_agreement(units)
    se, free = mean_error(influence[units.pattern], clusters_of(groups, units.kept))
    result = Reliability(value, None, None, se, n_units, n_ratings, "nominal")
    return with_interval(result, free, alpha=alpha, bounds=(0, 1))


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
    matrix = rating_matrix(ratings, raters)
    check_alpha(alpha)
    groups = cluster_codes(clusters, matrix.shape[0])
    units = rated_units(matrix, at_least=1)
    used = level_codes(units.values)[0].size
    if n_levels is not None and n_levels < max(used, 2):
        raise ValueError(f"n_levels = {n_levels} must be at least 2 and the {used} that occur")
    shared = units.counts[units.sizes >= 2]
    n_units, n_ratings = int(shared.sum()), int(shared @ units.sizes[units.sizes >= 2])
    reason = too_few(matrix, n_units)
    if reason is None and n_levels is None and used < 2:
        reason = "one category only; say how many were on offer (n_levels)"
    if reason is not None:
        return undefined(reason, n_units=n_units, n_ratings=n_ratings, level="nominal")
    value, influence = first_order_coefficient(units, n_levels or used)
    se, free = mean_error(influence[units.pattern], clusters_of(groups, units.kept))
    result = Reliability(value, None, None, se, n_units, n_ratings, "nominal")
    return with_interval(result, free, alpha=alpha, bounds=(-1, 1))


def pair_agreement(units: Units) -> tuple[float, FloatArray]:
    """Give the mean over units of the share of rater pairs with equal ratings.

    Parameters
    ----------
    units
        Units with at least two ratings each.

    Returns
    -------
    tuple
        The mean, and each pattern's deviation from it (patterns,).

    Examples
    --------
    >>> pair_agreement(rated_units(np.array([[0.0, 0.0, 1.0], [1.0, 1.0, 1.0]])))[0]
    0.6666666666666667
    """
    _, codes = level_codes(units.values)
    share = 1.0 - unlike_pairs(codes) / (units.sizes * (units.sizes - 1))
    value = float(units.counts @ share) / units.n_units
    return value, share - value


def first_order_coefficient(units: Units, n_levels: int) -> tuple[float, FloatArray]:
    """Give Gwet's AC1 and the influence of each pattern on it.

    Parameters
    ----------
    units
        Units with at least one rating each, some with two; the lone ones count towards
        prevalence.
    n_levels
        Categories on offer, at least 2, used or not.

    Returns
    -------
    tuple
        AC1, and influences whose mean over units is 0 (patterns,); Gwet 2014, "Handbook of
        inter-rater reliability", 4th ed., section 5.3 (2008 for complete ratings).
    """
    levels, codes = level_codes(units.values)
    sizes, counts, n = units.sizes, units.counts, units.n_units
    paired = sizes >= 2
    n_paired = int(counts[paired].sum())
    share = np.zeros(sizes.size)
    np.divide(unlike_pairs(codes), sizes * (sizes - 1), out=share, where=paired)
    share = np.where(paired, 1.0 - share, 0.0)
    observed = float(counts @ share) / n_paired
    prevalence = level_tally(codes, levels.size)((counts / sizes)[None, :])[0] / n
    expected = float(prevalence @ (1 - prevalence)) / (n_levels - 1)
    value = (observed - expected) / (1 - expected)
    unlikely = np.append(1 - prevalence, 0.0)[codes].sum(axis=1)  # code -1 reads the last 0
    by_chance = unlikely / sizes / (n_levels - 1)
    direct = (n / n_paired) * np.where(paired, share - expected, 0.0) / (1 - expected)
    return value, direct - value - 2 * (1 - value) * (by_chance - expected) / (1 - expected)
