"""Rank systems from comparisons of two: Bradley-Terry strengths with ties, judges and positions.

Bradley & Terry 1952; ties by Davidson 1970 or Rao & Kupper 1967, or as half a win for each side;
an effect of being shown first as in Davidson & Beaver 1977. With strengths l, judge j's scale k_j
and position effect p_j, system a is ahead of b by the log-odds ``k_j (l_a - l_b) +- p_j``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.pair_cells import Cells, Name, cluster_codes, compress
from panopt.stats.pair_models import Ties

if TYPE_CHECKING:
    from panopt.stats.pair_fit import Fit, Layout

__all__ = ["BradleyTerry", "Effect", "JudgeEffect", "bradley_terry"]

Floats = NDArray[np.float64]


class Effect(NamedTuple):
    """One estimate: value, standard error (of its log, for a tie parameter) and interval."""

    value: float
    se: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class JudgeEffect:
    """How one judge compares; None where it was not estimated.

    Attributes
    ----------
    judge, n
        Name, and (weight of the) comparisons it made.
    tie
        Davidson's nu or Rao & Kupper's theta. Without ties it is at the edge (nu = 0, theta = 1)
        and not estimated.
    scale
        How steeply its verdicts follow the strengths; judges average 1.
    position
        Log-odds that being shown first adds; 0 is no bias.
    """

    judge: Name
    n: float
    tie: Effect | None
    scale: Effect | None
    position: Effect | None


@dataclass(frozen=True, slots=True, eq=False)
class BradleyTerry:
    """Strengths of systems; arrays have one entry a system.

    Attributes
    ----------
    systems
        Names, sorted.
    strength, se, low, high
        Log-strengths that sum to zero, standard errors, ends of the intervals; None with `reason`.
    covariance
        Covariance of the strengths (systems, systems), which `difference` uses.
    win_rate, n
        Share of its comparisons that a system won, ties half (NaN where it has none), and their
        number.
    judges
        Tie parameter, scale and position effect of each judge.
    log_likelihood
        At the maximum, without penalty; ties as half a win and half a loss for "half".
    n_clusters
        Clusters behind the intervals; None where comparisons count as independent.
    n_iter, converged
        Newton steps, and whether the last one changed nothing.
    alpha
        One minus the level of the intervals.
    ties
        Model of ties.
    reason
        Why there are no strengths, and what would give them.
    """

    systems: tuple[Name, ...]
    strength: Floats | None
    se: Floats | None
    low: Floats | None
    high: Floats | None
    covariance: Floats | None
    win_rate: Floats
    n: Floats
    judges: tuple[JudgeEffect, ...]
    log_likelihood: float | None
    n_clusters: int | None
    n_iter: int
    converged: bool
    alpha: float
    ties: Ties
    reason: str | None

    def difference(self, one: Name, other: Name) -> Effect | None:
        """Give how much stronger `one` is than `other`, in log-odds; None without strengths.

        Raises
        ------
        ValueError
            For a system that is not in `systems`.
        """
        for name in (one, other):
            if name not in self.systems:
                raise ValueError(f"{name!r} is no system here; systems are {self.systems}")
        if self.strength is None or self.covariance is None:
            return None
        i, j = self.systems.index(one), self.systems.index(other)
        c = self.covariance
        variance = max(0.0, float(c[i, i] + c[j, j] - 2 * c[i, j]))
        ahead = float(self.strength[i] - self.strength[j])
        return _effect(ahead, variance, _reach(self.alpha, self.n_clusters))


def bradley_terry(  # noqa: PLR0913 - the columns of a comparison, and options of the model
    first: ArrayLike,
    second: ArrayLike,
    outcome: ArrayLike,
    *,
    judge: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    order: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    ties: Ties = "davidson",
    scale: bool = False,
    penalty: float = 0.0,
    alpha: float = 0.05,
    systems: Sequence[Name] | None = None,
    judges: Sequence[Name] | None = None,
) -> BradleyTerry:
    """Estimate how strong systems are from who beat whom.

    Parameters
    ----------
    first, second
        Names (or integer codes, which are quickest) of the two systems of each comparison (n,).
    outcome
        1 the first won, .5 tie, 0 the second won; NaN missing, which is left out.
    judge
        Who compared. Each judge has its own tie parameter, and its own position effect where
        `order` is known.
    weights
        How often each comparison occurred; 1 by default. Weights that are no frequencies need
        `clusters` for their intervals.
    order
        0 where the first was shown first, 1 where the second was, NaN where unknown. Where given,
        every judge's position effect is estimated and taken out of the strengths.
    clusters
        Cluster of each comparison, where they are not independent (one question compared in two
        orders, by several judges): covariance by the sandwich over clusters, quantiles of
        Student's t at clusters - 1 degrees of freedom.
    ties
        "davidson" or "rao_kupper" models; "half" counts a tie as half a win for each and takes the
        sandwich covariance, as halves are no draws of that model.
    scale
        Estimate each judge's scale; judges that are near-random get one near 0.
    penalty
        Precision of a normal prior of mean 0 on strengths and position effects: finite estimates
        where the likelihood has none, shrunk towards 0; intervals are then approximate.
    alpha
        One minus the level of the intervals, in (0, 1).
    systems, judges
        What integer codes stand for.

    Returns
    -------
    BradleyTerry
        Strengths None, with the reason, where systems fall into groups that never met, where the
        likelihood has no finite maximum (a system that never lost; Ford 1957), or where positions
        cannot be told from strengths. Judges that only tied inform no model of ties and are left
        out of it.

    Raises
    ------
    ValueError
        For arrays of different length and values or options outside their range.

    Notes
    -----
    Assumes that strengths are the same on every item and that clusters are independent. Time and
    memory are linear in the comparisons, after that cubic in the systems.

    Examples
    --------
    >>> found = bradley_terry(["a", "a", "a", "b"], ["b", "b", "b", "a"], [1, 1, 0, 0])
    >>> found.systems, found.strength.round(4).tolist()  # log(3) apart: a won 3 of 4
    (('a', 'b'), [0.5493, -0.5493])
    """
    from panopt.stats.pair_fit import NoFit, fit, layout  # noqa: PLC0415 - it imports scipy
    from panopt.stats.pair_reasons import (  # noqa: PLC0415 - it imports scipy
        disconnected,
        no_finite_maximum,
        position_confounded,
    )

    cells = compress(
        first,
        second,
        outcome,
        judge=judge,
        weights=weights,
        order=order,
        systems=systems,
        judges=judges,
    )
    groups = cluster_codes(clusters, np.shape(outcome)[0])
    _check_options(ties, penalty, alpha)
    reason = disconnected(cells)
    if reason is not None:
        return _without(cells, ties, alpha, reason)
    informative = _drop_tied_judges(cells, ties)
    reason = disconnected(informative)
    if reason is not None:
        return _without(cells, ties, alpha, f"without judges that only tied, {reason}")
    where = layout(informative, ties, scale=scale)
    if not penalty:
        reason = position_confounded(informative, where)
        if reason is not None:
            return _without(cells, ties, alpha, reason)
    n_clusters = None
    if groups is not None:
        n_clusters = int(np.count_nonzero(np.bincount(groups[informative.row])))
    if n_clusters is not None and n_clusters < 2:
        return _without(cells, ties, alpha, "one cluster gives no standard error: two are needed")
    robust = ties == "half" and bool(cells.counts[:, 1].any())
    try:
        found = fit(informative, where, ties, penalty=penalty, clusters=groups, robust=robust)
    except NoFit:
        return _without(cells, ties, alpha, no_finite_maximum(informative, ties, scale=scale))
    return _result(cells, where, found, ties, alpha, n_clusters)


def _check_options(ties: Ties, penalty: float, alpha: float) -> None:
    if ties not in get_args(Ties):
        raise ValueError(f"ties = {ties!r} must be one of {', '.join(get_args(Ties))}")
    if not 0 <= penalty < np.inf:
        raise ValueError(f"penalty = {penalty} must be a finite number, at least 0")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha = {alpha} must lie strictly between 0 and 1")


def _drop_tied_judges(cells: Cells, ties: Ties) -> Cells:
    """Leave out judges without a decided comparison, whose tie parameter would be infinite."""
    if ties == "half":
        return cells
    decided = cells.counts[:, 0] + cells.counts[:, 2]
    useful = np.bincount(cells.judge, weights=decided, minlength=len(cells.judges)) > 0
    keep = useful[cells.judge]
    if keep.all():
        return cells
    rows = keep[cells.slot // 3]
    cell = (np.cumsum(keep) - 1)[cells.slot[rows] // 3]
    return replace(
        cells,
        first=cells.first[keep],
        second=cells.second[keep],
        judge=cells.judge[keep],
        side=cells.side[keep],
        counts=cells.counts[keep],
        slot=cell * 3 + cells.slot[rows] % 3,
        row=cells.row[rows],
        weight=cells.weight[rows],
    )


def _without(cells: Cells, ties: Ties, alpha: float, reason: str) -> BradleyTerry:
    rate, met = _win_rate(cells)
    return BradleyTerry(
        cells.systems,
        strength=None,
        se=None,
        low=None,
        high=None,
        covariance=None,
        win_rate=rate,
        n=met,
        judges=_effects(cells, None, None, ties, 0.0),
        log_likelihood=None,
        n_clusters=None,
        n_iter=0,
        converged=False,
        alpha=alpha,
        ties=ties,
        reason=reason,
    )


def _result(  # noqa: PLR0913, PLR0917 - the parts of one result
    cells: Cells, where: Layout, found: Fit, ties: Ties, alpha: float, n_clusters: int | None
) -> BradleyTerry:
    n = len(cells.systems)
    covariance = found.covariance[:n, :n]
    strength = found.theta[:n] - found.theta[:n].mean()
    se = np.sqrt(np.maximum(covariance.diagonal(), 0.0))
    reach = _reach(alpha, n_clusters)
    rate, met = _win_rate(cells)
    return BradleyTerry(
        cells.systems,
        strength,
        se,
        strength - reach * se,
        strength + reach * se,
        covariance,
        win_rate=rate,
        n=met,
        judges=_effects(cells, where, found, ties, reach),
        log_likelihood=found.log_likelihood,
        n_clusters=n_clusters,
        n_iter=found.n_iter,
        converged=found.converged,
        alpha=alpha,
        ties=ties,
        reason=None,
    )


def _win_rate(cells: Cells) -> tuple[Floats, Floats]:
    points, met = cells.wins()
    return np.divide(points, met, out=np.full(met.shape, np.nan), where=met > 0), met


def _effects(
    cells: Cells, where: Layout | None, found: Fit | None, ties: Ties, reach: float
) -> tuple[JudgeEffect, ...]:
    total = cells.counts.sum(axis=1)
    made = np.bincount(cells.judge, weights=total, minlength=len(cells.judges))
    effects = []
    for code, name in enumerate(cells.judges):
        tie = scale = position = None
        if where is not None and found is not None:
            scale = _parameter(found, int(where.scale[code]), reach)
            position = _parameter(found, int(where.position[code]), reach)
            log_tie = _parameter(found, int(where.tie[code]), reach)
            if log_tie is not None:
                low = log_tie.low if ties == "davidson" else max(0.0, log_tie.low)
                ends = (float(np.exp(x)) for x in (log_tie.value, low, log_tie.high))
                value, low, high = ends
                tie = Effect(value, log_tie.se, low, high)
        effects.append(JudgeEffect(name, float(made[code]), tie, scale, position))
    return tuple(effects)


def _parameter(found: Fit, place: int, reach: float) -> Effect | None:
    if place < 0:
        return None
    return _effect(float(found.theta[place]), float(found.covariance[place, place]), reach)


def _effect(value: float, variance: float, reach: float) -> Effect:
    se = float(np.sqrt(max(variance, 0.0)))
    return Effect(value, se, value - reach * se, value + reach * se)


def _reach(alpha: float, n_clusters: int | None) -> float:
    from scipy.special import ndtri, stdtrit  # noqa: PLC0415 - scipy is imported late

    upper = 1 - alpha / 2
    return float(ndtri(upper) if n_clusters is None else stdtrit(n_clusters - 1, upper))
