"""Measure agreement of a panel plainly: the share of pairs of raters that say the same.

It comes with the influence of each unit (its share in the linearised error of the estimate),
which gives the standard error at once, for independent units and for clusters of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.patterns import level_codes
from panopt.stats.reliability import (
    Reliability,
    checked_ratings,
    clusters_of,
    mean_error,
    too_few,
    undefined,
    with_interval,
)
from panopt.stats.units import Units, rated_units, unlike_pairs

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
    matrix, groups = checked_ratings(ratings, alpha=alpha, clusters=clusters, raters=raters)
    units, columns = rated_units(matrix), matrix.shape[1]
    n_units, n_ratings = units.n_units, units.n_ratings
    reason = too_few(units.n_raters, n_units)
    if reason is not None:
        return undefined(
            reason, n_units=n_units, n_ratings=n_ratings, level="nominal", n_raters=columns
        )
    value, influence = pair_agreement(units)
    se, free = mean_error(influence[units.pattern], clusters_of(groups, units.kept))
    result = Reliability(value, None, None, se, n_units, n_ratings, "nominal", n_raters=columns)
    return with_interval(result, free, alpha=alpha, bounds=(0, 1))


percent_agreement = raw_agreement
"""The same by its other name; a share in [0, 1], not a percentage."""


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
