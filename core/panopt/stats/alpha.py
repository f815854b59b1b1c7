"""Give Krippendorff's alpha of a panel an interval, and say what each judge does to it.

Krippendorff 2011, "Computing Krippendorff's alpha-reliability"; the interval is a bootstrap over
units, or over clusters of units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.coincidence import alpha_by_sums, krippendorff
from panopt.stats.reliability import (
    TOO_ALIKE,
    Clusters,
    Reliability,
    check_rng,
    checked_ratings,
    clusters_of,
    too_few,
    undefined,
    with_interval,
)
from panopt.stats.resample import MOST_GROUPS, group_draws, group_sums, random_groups
from panopt.stats.units import Units, rated_units

FloatArray = NDArray[np.float64]
Level = Literal["nominal", "ordinal", "interval", "ratio"]

_FEW_VALUES = 3  # resamples that take no more values than this are no distribution


def krippendorff_alpha(  # noqa: PLR0913 - options of one estimate and of its interval
    ratings: ArrayLike,
    *,
    level: Level = "nominal",
    n_boot: int = 0,
    rng: np.random.Generator | None = None,
    alpha: float = 0.05,
    clusters: ArrayLike | None = None,
    raters: Sequence[str] | None = None,
) -> Reliability:
    """Compute Krippendorff's alpha of a panel, with a bootstrap interval over units.

    Parameters
    ----------
    ratings
        Matrix (units, raters) of finite numbers, NaN missing; labels as numeric codes.
    level
        How two ratings differ: "nominal" at all or not; "ordinal" by the ratings that lie
        between; "interval" by their difference, squared; "ratio" by difference over sum,
        squared (none may be negative).
    n_boot
        Bootstrap resamples of units; 0 gives no interval. Resamples in which all ratings are
        equal have no alpha and are left out; with more than half of them gone there is no
        interval.
    rng
        Source of randomness; one of fixed seed by default.
    alpha
        Probability that the interval misses (not the coefficient), in (0, 1).
    clusters
        Cluster of each unit (units,), where units are not independent (the same item more than
        once): whole clusters are then resampled.
    raters
        Names of the columns, to make sure that columns are raters.

    Returns
    -------
    Reliability
        `low` and `high` form a bias-corrected percentile interval. When the resamples show no
        spread (perfect agreement) it is Wilson's on [-1, 1] instead: agreement seen in n units
        does not prove agreement everywhere.

    Raises
    ------
    ValueError
        For ratings, level or options outside their range.
    TypeError
        For an `rng` that is no generator.

    Notes
    -----
    Assumes that units (or clusters) are a random sample. Memory is linear in the ratings; work
    is in the distinct rows. Beyond 2,000 clusters, or distinct rows, random groups of them are
    resampled (`panopt.stats.resample`). With fewer than about 5 units of the rarer label the
    interval is too short, as every bootstrap is: resamples cannot hold what the sample has not.

    Examples
    --------
    >>> round(krippendorff_alpha([[1, 1, 0], [1, 0, 0], [1, 1, 1]]).value, 4)
    0.1111
    """
    matrix, groups = checked_ratings(ratings, alpha=alpha, clusters=clusters, raters=raters)
    _check(matrix, level, n_boot)
    check_rng(rng)
    units = rated_units(matrix)
    result = _estimate(units, level, matrix.shape[1])
    if result.value is None:
        return result
    if not n_boot:
        return replace(result, no_interval="no bootstrap was asked for (n_boot = 0)")
    among = clusters_of(groups, units.kept)
    draws = _draws(units, level, n_boot, among, np.random.default_rng(0) if rng is None else rng)
    free = result.n_units if among is None else int(among.max()) + 1
    return _with_draws(result, draws, free, alpha=alpha)


@dataclass(frozen=True, slots=True)
class WithoutRater:
    """Alpha of a panel when one rater is left out, and how far that is from alpha of all."""

    rater: str
    """Name of the rater left out."""
    without: Reliability
    """Alpha of the others."""
    difference: float | None
    """Alpha of the others minus alpha of all: above 0 where the rater lowers it."""
    low: float | None
    """Lower end of the interval of the difference, at `alpha` over the number of raters."""
    high: float | None
    """Upper end of that interval."""
    se: float | None = None
    """Standard error of the difference."""


def alpha_without(  # noqa: PLR0913 - options of one estimate and of its interval
    ratings: ArrayLike,
    *,
    level: Level = "nominal",
    n_boot: int = 1000,
    rng: np.random.Generator | None = None,
    alpha: float = 0.05,
    clusters: ArrayLike | None = None,
    raters: Sequence[str] | None = None,
) -> tuple[WithoutRater, ...]:
    """Compute Krippendorff's alpha without each rater in turn, on the same resamples.

    Parameters
    ----------
    ratings, level, n_boot, rng, clusters, raters
        As in `krippendorff_alpha`; at least three raters.
    alpha
        Probability that an interval of alpha misses; and that any interval of a difference
        does (Bonferroni over the raters).

    Returns
    -------
    tuple
        One entry a rater, in the order of the columns.

    Raises
    ------
    ValueError
        For fewer than three raters, and as `krippendorff_alpha`.

    Notes
    -----
    The difference is taken within each resample, so what the two alphas share cancels. Upper ends
    are at least the difference plus the quantile of Student's t times the root mean square of the
    raters' standard errors: with few errors of a rater its own resamples hardly vary.

    Examples
    --------
    >>> ratings = [[1, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0]]
    >>> [round(x.without.value, 2) for x in alpha_without(ratings, n_boot=0)]
    [0.12, 0.12, 1.0]
    """
    matrix, groups = checked_ratings(ratings, alpha=alpha, clusters=clusters, raters=raters)
    _check(matrix, level, n_boot)
    check_rng(rng)
    n_raters = matrix.shape[1]
    if n_raters < 3:
        raise ValueError(f"ratings have {n_raters} columns; alpha without one needs three raters")
    names = [str(j) for j in range(n_raters)] if raters is None else raters
    rng = np.random.default_rng(0) if rng is None else rng
    shared = np.flatnonzero((~np.isnan(matrix)).sum(axis=1) >= 2)
    matrix = matrix[shared]
    among = clusters_of(groups, shared)
    group, n_groups = random_groups(shared.size, among, rng)
    times = list(group_draws(n_groups, n_boot, rng)) if n_boot and n_groups else []
    units = rated_units(matrix)
    whole = _estimate(units, level, n_raters)
    of_all = _grouped_draws(units, level, group, n_groups, times)
    found = []
    for j, name in enumerate(names):
        units = rated_units(np.delete(matrix, j, axis=1))
        part = _estimate(units, level, n_raters - 1)
        if part.value is None or whole.value is None:
            found.append(WithoutRater(name, part, None, None, None))
            continue
        difference = part.value - whole.value
        if not n_boot:
            part = replace(part, no_interval="no bootstrap was asked for (n_boot = 0)")
            found.append(WithoutRater(name, part, difference, None, None))
            continue
        draws = _grouped_draws(units, level, group, n_groups, times)
        inside = clusters_of(among, units.kept)
        free = part.n_units if inside is None else int(inside.max()) + 1
        part = _with_draws(part, draws, min(free, n_groups), alpha=alpha)
        gap = Reliability(difference, None, None, None, part.n_units, part.n_ratings, level)
        gap = _with_draws(gap, draws - of_all, min(free, n_groups), alpha=alpha / n_raters)
        apart = gap.se is not None and gap.se > 0  # no spread: the difference has no interval
        low, high = (gap.low, gap.high) if apart else (None, None)
        found.append(WithoutRater(name, part, difference, low, high, gap.se if apart else None))
    return _widened(found, alpha=alpha)


def _widened(found: list[WithoutRater], *, alpha: float) -> tuple[WithoutRater, ...]:
    """Raise upper ends to what the error of all raters together allows.

    A rater that happens to differ from the others on one unit or none has resamples that
    hardly vary, and would be held to raise alpha for certain.
    """
    from scipy.special import stdtrit  # noqa: PLC0415  # scipy is imported late

    errors = [left.se for left in found if left.se is not None]
    if not errors:
        return tuple(found)
    typical = float(np.sqrt(np.mean(np.square(errors))))
    raised = []
    for left in found:
        if left.high is None or left.difference is None:
            raised.append(left)
            continue
        reach = float(stdtrit(max(left.without.n_units - 1, 1), 1 - alpha / 2 / len(found)))
        raised.append(replace(left, high=max(left.high, left.difference + reach * typical)))
    return tuple(raised)


def _check(matrix: FloatArray, level: str, n_boot: int) -> None:
    if level not in get_args(Level):
        raise ValueError(f"level = {level!r} must be one of {', '.join(get_args(Level))}")
    if n_boot < 0 or n_boot == 1:
        raise ValueError(f"n_boot = {n_boot} must be 0 (no interval) or at least 2")
    if level == "ratio" and (matrix < 0).any():
        raise ValueError(f"ratings hold {np.nanmin(matrix):g}; level 'ratio' needs 0 or more")


def _estimate(units: Units, level: str, n_raters: int) -> Reliability:
    n_units, n_ratings = units.n_units, units.n_ratings
    reason = too_few(units.n_raters, n_units)
    if reason is None:
        value = float(krippendorff(units, level)(units.counts[None, :].astype(np.float64))[0])
        if not np.isnan(value):
            return Reliability(
                value, None, None, None, n_units, n_ratings, level, n_raters=n_raters
            )
        reason = f"no variation: all {n_ratings} ratings of shared units are equal"
    return undefined(reason, n_units=n_units, n_ratings=n_ratings, level=level, n_raters=n_raters)


def _draws(
    units: Units, level: str, n_boot: int, among: Clusters | None, rng: np.random.Generator
) -> FloatArray:
    """Give alpha of resamples of the units, or of whole clusters of them."""
    from panopt.stats.bootstrap import cluster_weights, pattern_weights  # noqa: PLC0415  # scipy

    prepared = alpha_by_sums(units, level)
    few = among is None and units.counts.size <= MOST_GROUPS
    if prepared is not None and not few:
        group, n_groups = random_groups(units.n_units, among, rng)
        times = group_draws(n_groups, n_boot, rng)
        sums = group_sums(prepared[0], units.pattern, group, n_groups)
        return np.concatenate([prepared[1](block @ sums) for block in times])
    if prepared is not None:
        columns, of_sums = prepared
        weights = pattern_weights(units.counts, n_boot, rng)
        return np.concatenate([of_sums(block @ columns) for block in weights])
    coefficient = krippendorff(units, level)
    width = units.values.shape[1] if level == "ordinal" else 1
    weights = (
        pattern_weights(units.counts, n_boot, rng, width=width)
        if among is None
        else cluster_weights(units.pattern, among, n_boot, rng, width=width)
    )
    return np.concatenate([coefficient(block) for block in weights])


def _grouped_draws(
    units: Units, level: str, group: Clusters, n_groups: int, times: list[FloatArray]
) -> FloatArray:
    """Give alpha of given resamples of groups of rows."""
    if not times or not units.n_units:
        return np.empty(0)
    inside = group[units.kept]
    prepared = alpha_by_sums(units, level)
    if prepared is not None:
        sums = group_sums(prepared[0], units.pattern, inside, n_groups)
        return np.concatenate([prepared[1](block @ sums) for block in times])
    coefficient, n_patterns = krippendorff(units, level), units.counts.size
    found = []
    for row in (row for block in times for row in block):
        weights = np.bincount(units.pattern, weights=row[inside], minlength=n_patterns)
        found.append(coefficient(weights[None, :].astype(np.float64)))
    return np.concatenate(found)


def _with_draws(result: Reliability, draws: FloatArray, free: int, *, alpha: float) -> Reliability:
    from panopt.stats.bootstrap import percentile_interval  # noqa: PLC0415  # scipy

    found = draws[~np.isnan(draws)]
    if found.size < max(2.0, draws.size / 2):
        why = f"{draws.size - found.size} of {draws.size} resamples have no variation"
        return replace(result, no_interval=why)
    if free < 2 or np.ptp(found) < 1e-12:
        return with_interval(replace(result, se=0.0), free, alpha=alpha, bounds=(-1, 1))
    if np.unique(found.round(9)).size <= _FEW_VALUES:
        return replace(result, no_interval=TOO_ALIKE)
    value = 0.0 if result.value is None else result.value
    low, high = percentile_interval(found, value, n_units=free, alpha=alpha)
    return replace(result, low=low, high=high, se=float(found.std(ddof=1)))
