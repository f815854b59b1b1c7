"""What every coefficient of agreement shares: its result, the checks of ratings, its interval."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats, as_keys
from panopt.stats.bounded import wilson_interval

FloatArray = NDArray[np.float64]
Clusters = NDArray[np.intp]


_LEAST_SIZE, _MOST_SIZE = 1e-100, 1e100  # squares, and sums of them, keep their digits
_FEW_RATERS = 6  # so many raters of fewer units are an ordinary small example
TOO_ALIKE = "too few responses differ to give an interval"


@dataclass(frozen=True, slots=True)
class Reliability:
    """One coefficient of agreement; `value` is None where it is undefined, with the `reason`."""

    value: float | None
    """The coefficient; 1 is perfect agreement."""
    low: float | None
    """Lower end of its interval; `None` with `no_interval` or `reason`."""
    high: float | None
    """Upper end of its interval."""
    se: float | None
    """Standard error."""
    n_units: int
    """Units with two or more ratings."""
    n_ratings: int
    """Ratings of those units."""
    level: str
    """Level of measurement of alpha, weights of kappa; ``nominal``: alike or not."""
    reason: str | None = None
    """Why there is no value."""
    no_interval: str | None = None
    """Why there is a value but no interval."""
    n_raters: int = 0
    """Columns of the ratings: a glance shows whether rows were units."""


def undefined(
    reason: str, *, n_units: int, n_ratings: int, level: str, n_raters: int = 0
) -> Reliability:
    """Give the result that has no value, only a reason."""
    none = None
    return Reliability(none, none, none, none, n_units, n_ratings, level, reason, n_raters=n_raters)


def checked_ratings(
    ratings: ArrayLike,
    *,
    alpha: float,
    clusters: ArrayLike | None = None,
    raters: Sequence[str] | None = None,
) -> tuple[FloatArray, Clusters | None]:
    """Check what every coefficient takes: ratings, miss probability, clusters, rater names.

    Returns
    -------
    tuple
        Matrix (units, raters), NaN missing; cluster code of each row, None where rows are
        their own.

    Raises
    ------
    ValueError
        Naming argument, value and rule.
    """
    matrix = rating_matrix(ratings, raters, stacklevel=4)
    check_alpha(alpha)
    return matrix, cluster_codes(clusters, matrix.shape[0])


def rating_matrix(
    ratings: ArrayLike, raters: Sequence[str] | None = None, *, stacklevel: int = 3
) -> FloatArray:
    """Check a matrix (units, raters) and give it as floats, NaN missing.

    `stacklevel` is that of the warning, 3 for the caller of a function that calls this.

    Raises
    ------
    ValueError
        When it is not a matrix of finite numbers of ordinary size, or has other columns than
        named raters.

    Warns
    -----
    UserWarning
        When it has more columns than rows (and than six) and nobody named the raters: it may
        be transposed.
    """
    matrix = as_floats("ratings", ratings)
    if matrix.ndim != 2:
        raise ValueError(f"ratings of shape {matrix.shape} must have two axes: units, raters")
    _check_size(matrix)
    n_units, n_raters = matrix.shape
    if raters is not None and len(raters) != n_raters:
        raise ValueError(
            f"ratings have {n_raters} columns but {len(raters)} raters are named; "
            "rows must be units and columns raters"
        )
    if raters is None and n_raters > max(n_units, _FEW_RATERS):
        warnings.warn(
            f"ratings have {n_units} rows and {n_raters} columns: rows must be units and columns "
            "raters; name the raters to confirm",
            stacklevel=stacklevel,
        )
    return matrix


def _check_size(matrix: FloatArray) -> None:
    """Refuse infinities, and ratings whose squares leave what a float can hold."""
    ends = (
        np.fmin.reduce(matrix, axis=None, initial=0.0),
        np.fmax.reduce(matrix, axis=None, initial=0.0),
    )
    far = float(max(ends, key=abs))
    if np.isinf(far):
        raise ValueError("ratings hold an infinity; they must be finite, NaN for a missing one")
    if far and not _LEAST_SIZE <= abs(far) <= _MOST_SIZE:
        raise ValueError(
            f"ratings reach {far:g}; unless all are 0 the largest must be of a size from "
            f"{_LEAST_SIZE:g} to {_MOST_SIZE:g}: choose another unit"
        )


def check_rng(rng: object) -> None:
    """Refuse a seed, or anything else, in the place of a generator.

    Raises
    ------
    TypeError
        Naming argument, value and rule.
    """
    if rng is not None and not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng = {rng!r} must be a numpy.random.Generator, such as numpy.random.default_rng(0)"
        )


def check_alpha(alpha: float) -> None:
    """Refuse an alpha outside (0, 1)."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha = {alpha} must lie strictly between 0 and 1")


def too_few(n_raters: int, n_units: int) -> str | None:
    """Say why there is nothing to compare, if so: one rater, or fewer than two shared units."""
    if n_raters < 2:
        return f"{n_raters} judge(s) gave ratings; agreement needs two"
    if n_units < 2:
        return f"{n_units} unit(s) have two or more ratings; agreement needs two"
    return None


def cluster_codes(clusters: ArrayLike | None, n_rows: int) -> Clusters | None:
    """Check the cluster of each row and number the clusters; `None` where rows are their own.

    Raises
    ------
    ValueError
        When there is not one cluster a row.
    """
    if clusters is None:
        return None
    given = as_keys("clusters", clusters)
    if given.shape != (n_rows,):
        raise ValueError(f"clusters of shape {given.shape} must hold one entry a unit: {n_rows}")
    whole = given.dtype.kind in "iu" and n_rows > 0 and given.min() >= 0
    if whole and given.max() < 4 * n_rows:  # codes already: no need to sort
        present = np.bincount(given) > 0
        if np.count_nonzero(present) == n_rows:
            return None
        return np.asarray((np.cumsum(present) - 1)[given], dtype=np.intp)
    names, codes = np.unique(given, return_inverse=True)
    return None if names.size == n_rows else codes


def clusters_of(codes: Clusters | None, kept: NDArray[np.intp]) -> Clusters | None:
    """Give the clusters of some rows new numbers without gaps."""
    if codes is None:
        return None
    some = codes[kept]
    if 8 * some.size < codes.max(initial=0):  # a few of many
        return np.unique(some, return_inverse=True)[1]
    present = np.bincount(some) > 0
    return (np.cumsum(present) - 1)[some]


def mean_error(influence: FloatArray, clusters: Clusters | None) -> tuple[float, int]:
    """Give the standard error of a mean of influences, and the number of independent units.

    Parameters
    ----------
    influence
        Of each unit, with mean 0 (units,).
    clusters
        Cluster code of each unit, from 0 without gaps (units,); `None`: units are independent.

    Returns
    -------
    tuple
        Standard error (0 with fewer than two independent units), units or clusters.
    """
    totals = influence if clusters is None else np.bincount(clusters, weights=influence)
    if totals.size < 2:
        return 0.0, totals.size
    squares = float(totals @ totals) * totals.size / (totals.size - 1)
    return float(np.sqrt(squares)) / influence.size, totals.size


def with_interval(
    result: Reliability, free: int, *, alpha: float, bounds: tuple[float, float]
) -> Reliability:
    """Add Wilson's interval on the scale of a result that has a value and a standard error.

    Parameters
    ----------
    result
        The result so far.
    free
        Independent units behind it; with fewer than two there is no interval.
    alpha
        Probability that the interval misses.
    bounds
        Ends of the scale.
    """
    if result.value is None or result.se is None or free < 2:
        return replace(result, se=None, no_interval="all units are of one cluster")
    if result.se < 1e-12 and bounds[0] < result.value < bounds[1] - 1e-12:
        return replace(result, se=None, no_interval=TOO_ALIKE)  # no spread inside the scale
    low, high = wilson_interval(result.value, result.se, n_units=free, alpha=alpha, bounds=bounds)
    return replace(result, low=low, high=high)
