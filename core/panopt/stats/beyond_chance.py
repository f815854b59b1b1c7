"""Tell whether judges agree beyond chance: the lower end of Krippendorff's alpha is above 0.

Krippendorff 2011, "Computing Krippendorff's alpha-reliability"; the interval is the bootstrap's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.bootstrap import cluster_weights, pattern_weights, percentile_interval
from panopt.stats.coincidence import Coefficient, krippendorff
from panopt.stats.units import Units, rated_units

_DRAWS = 300  # of the bootstrap that tells agreement from chance
_FEW_DRAWS = 60  # where clusters are many: each draw then walks over every unit
_MANY_UNITS = 100_000


def unproven_agreement(
    ratings: ArrayLike,
    *,
    n_boot: int,
    rng: np.random.Generator,
    level: float = 0.95,
    clusters: NDArray[np.integer] | None = None,
) -> str | None:
    """Say why the judges' agreement beyond chance is not shown; None where it is.

    It is shown when the lower end of the bootstrap interval of Krippendorff's nominal alpha is
    above 0. Resamples in which all ratings are equal count as agreement by chance. Independent
    responses (or clusters) so few that chance puts them all on one side with probability above
    (1 - level) / 2, as in a sign test, show nothing: at 95% it takes six.

    Parameters
    ----------
    ratings
        Sides or labels as numeric codes, shape (responses, judges), NaN missing.
    n_boot
        Bootstrap draws, of which at most 300 are made; 0 goes by alpha itself.
    rng
        Source of randomness.
    level
        Level of the two-sided interval, in (0, 1).
    clusters
        Cluster of each response, from 0, shape (responses,); whole clusters are resampled.

    Raises
    ------
    ValueError
        For ratings that are no matrix, or options off their range.

    Notes
    -----
    Assumes that responses (or clusters) are a random sample. Work is in the distinct rows.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> unproven_agreement([[1, 1], [0, 0]] * 10, n_boot=300, rng=rng)
    >>> unproven_agreement([[1, 0], [0, 1]] * 10, n_boot=300, rng=rng)
    'the judges agree no better than chance (alpha -0.950)'
    """
    units = rated_units(_checked(ratings, n_boot, level))
    if units.n_units < 2:
        return f"{units.n_units} response(s) have votes of two judges, so agreement is not shown"
    coefficient = krippendorff(units, "nominal")
    value = float(coefficient(units.counts[None, :].astype(np.float64))[0])
    if np.isnan(value):
        return "all votes are the same verdict, so agreement cannot be told from chance"
    if value <= 0.0:
        return f"the judges agree no better than chance (alpha {value:.3f})"
    among = _clusters(units, clusters)
    free = units.n_units if among is None else int(among.max()) + 1
    if 2.0**-free > (1.0 - level) / 2:
        return f"{free} independent response(s) are too few to tell agreement from chance"
    low = value  # the estimate alone, where no draws were asked for
    if n_boot:
        draws = min(max(n_boot, _FEW_DRAWS), _DRAWS)
        low = _least_alpha(
            units, coefficient, value, n_boot=draws, rng=rng, level=level, among=among
        )
    if low > 0.0:
        return None
    return (
        f"the judges are not shown to agree better than chance (alpha {value:.3f}, "
        f"{level:.0%} interval from {low:.3f})"
    )


def _least_alpha(  # noqa: PLR0913 - the parts of one interval
    units: Units,
    coefficient: Coefficient,
    value: float,
    *,
    n_boot: int,
    rng: np.random.Generator,
    level: float,
    among: NDArray[np.intp] | None,
) -> float:
    weights = None
    if among is not None:
        draws = min(n_boot, _FEW_DRAWS) if units.n_units > _MANY_UNITS else n_boot
        weights = cluster_weights(units.pattern, among, draws, rng)
    if weights is None:
        weights = pattern_weights(units.counts, n_boot, rng)
    free = units.n_units if among is None else int(among.max()) + 1
    found = np.nan_to_num(np.concatenate([coefficient(block) for block in weights]), nan=0.0)
    return percentile_interval(found, value, n_units=free, alpha=1.0 - level)[0]


def _checked(ratings: ArrayLike, n_boot: int, level: float) -> NDArray[np.float64]:
    given = np.asarray(ratings, dtype=np.float64)
    if given.ndim != 2:
        raise ValueError(f"ratings of shape {given.shape} must have two axes: responses, judges")
    if n_boot < 0:
        raise ValueError(f"n_boot = {n_boot} must be 0 or more")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level = {level} must lie strictly between 0 and 1")
    return given


def _clusters(units: Units, clusters: NDArray[np.integer] | None) -> NDArray[np.intp] | None:
    """Give the clusters of the units numbers without gaps; None where each unit is one."""
    if clusters is None:
        return None
    among = np.unique(clusters[units.kept], return_inverse=True)[1]
    return None if int(among.max()) + 1 == units.n_units else among
