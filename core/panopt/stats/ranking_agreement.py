"""Whether systems' mean scores order them as a reference does, other items considered.

Spearman's rho or Kendall's tau-b of the means with the reference. Its interval holds every
correlation of an order of the systems that the items do not rule out: pairs of systems are told
apart at the level of all pairs at once (:mod:`panopt.stats.ranks`), the others may stand either
way. For rho the ranks so bounded are assigned to systems as well and as badly as they can be
(a linear assignment, which may leave the bounds wider than need be).

Resampled items are shown beside it, not instead: where systems lie close, a resample disorders
means that are out of order already, and percentiles of resampled correlations lie too low. Of 8
systems half a standard error apart, ordered just as the reference, they never hold the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from math import factorial, sqrt
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_clusters, as_floats
from panopt.stats.generators import generator
from panopt.stats.paired_data import cluster_codes
from panopt.stats.rank_correlation import RankMethod
from panopt.stats.ranks import shown_better

__all__ = ["RankingAgreement", "ranking_agreement"]

Floats = NDArray[np.float64]

_ORDERS = 9999  # orders that are drawn where there are more
_FEW = 500  # clusters that are drawn; means of more are normal
_CELLS = 1 << 17
_SAME = 1e-12


@dataclass(frozen=True, slots=True)
class RankingAgreement:
    """How far systems' means agree with a reference order, from -1 to 1.

    Attributes
    ----------
    value
        The correlation of the means on the items of all systems; None where `reason` says why.
    low, high
        Correlations of all orders that the items do not rule out, at level 1 - alpha; None where
        `reason` says why.
    resampled_low, resampled_high
        Percentiles of the correlation over resampled items: how it moves, which is no interval of
        what it truly is. None where most resamples are constant, or there is no interval.
    p
        Share of all orders of the systems that agree with the reference at least as well or as
        badly as the one seen; small only where there are five or more systems.
    p_exact
        Whether all orders were gone through, not drawn.
    n, n_clusters, n_missing
        Items used, clusters of them, and items left out as a system lacks them.
    n_systems, n_unreferenced
        Systems compared, and those left out as the reference lacks them.
    n_boot, n_constant
        Resamples, and those of them in which all means are equal, which count for nothing.
    alpha
        One minus the level.
    method
        Which correlation.
    reason
        Why there is no value or no interval.
    """

    value: float | None
    low: float | None
    high: float | None
    resampled_low: float | None
    resampled_high: float | None
    p: float | None
    p_exact: bool
    n: int
    n_clusters: int
    n_missing: int
    n_systems: int
    n_unreferenced: int
    n_boot: int
    n_constant: int
    alpha: float
    method: str
    reason: str | None


def ranking_agreement(  # noqa: PLR0913 - the options of one estimate
    scores: ArrayLike,
    reference: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    method: RankMethod = "spearman",
    alpha: float = 0.05,
    n_boot: int = 2000,
    rng: np.random.Generator | int | None = None,
) -> RankingAgreement:
    """Correlate the order of systems by mean score with a reference, over the items drawn.

    Parameters
    ----------
    scores
        Scores (items, systems); items with a NaN are left out.
    reference
        Score of each system by the reference (systems,), larger the better (negate ranks of which
        1 is the best); systems with NaN are left out.
    clusters
        Key of each item's cluster (items,); every item its own where not given.
    method
        ``spearman``, or ``kendall`` (tau-b, for ties).
    alpha
        One minus the level, in (0, 1).
    n_boot
        Resamples of clusters and draws of the largest |t|, at least 999.
    rng
        Source of randomness, or a seed; seed 0 where not given.

    Returns
    -------
    RankingAgreement
        Without value for fewer than two systems or where means or reference are all equal;
        without interval for fewer than two clusters.

    Raises
    ------
    ValueError
        For shapes that do not fit, infinite numbers, or options off their range.

    Notes
    -----
    Assumes that clusters are independent draws of the items one asks about, and that no two
    systems are truly equal. The reference and the systems are taken as given: for other systems
    of the kind correlate with :func:`panopt.stats.rank_correlation.rank_correlation`. Two systems
    that differ on fewer than ten clusters may stand either way.

    Examples
    --------
    >>> scores = np.random.default_rng(0).normal(size=(200, 4)) + [0.0, 0.1, 1.0, 2.0]
    >>> found = ranking_agreement(scores, [10, 20, 30, 40])
    >>> found.value, round(found.low, 2), found.high, round(found.p, 4)
    (1.0, 0.8, 1.0, 0.0833)
    """
    table, against, keys = _checked(scores, reference, clusters, method, alpha, n_boot)
    there = ~np.isnan(against)
    table, against = table[:, there], against[there]
    whole = ~np.isnan(table).any(axis=1)
    table, (codes, groups) = table[whole], cluster_codes(keys[whole])
    name = "Spearman's rho" if method == "spearman" else "Kendall's tau-b"

    def result(reason: str | None, **found: object) -> RankingAgreement:
        ends = ("value", "low", "high", "resampled_low", "resampled_high", "p")
        fields: dict[str, object] = dict.fromkeys(ends)
        fields |= {"p_exact": False, "n": len(table), "n_clusters": groups}
        fields |= {"n_missing": int(np.count_nonzero(~whole)), "n_systems": len(against)}
        fields |= {"n_unreferenced": int(np.count_nonzero(~there)), "n_boot": 0, "n_constant": 0}
        fields |= {"alpha": alpha, "method": name, "reason": reason}
        return RankingAgreement(**(fields | found))  # type: ignore[arg-type]  # field by field

    if len(against) < 2:
        return result(f"{len(against)} systems have a reference: two are needed")
    if not len(table):
        return result("there is no item that all systems have")
    if against.min() == against.max():
        return result("the reference is constant: there is no order to compare")
    mean = _rounded(table.mean(axis=0, keepdims=True), float(np.abs(table).max()))
    order = _ranks(against[None])[0]
    value = float(_correlation(mean, order, method)[0])
    if np.isnan(value):
        return result("all systems have the same mean: there is no order to compare")
    source = generator(rng)
    p, exact = _chance(mean[0], order, method, abs(value), source)
    seen = {"value": value, "p": p, "p_exact": exact}
    if groups < 2:
        return result("one cluster gives no interval: two are needed", **seen)
    draws = _correlation(_resampled(table, codes, groups, n_boot, source), order, method)
    kept = draws[~np.isnan(draws)]
    moved = {}
    if 2 * kept.size >= n_boot:
        bottom, top = np.quantile(kept, (alpha / 2.0, 1.0 - alpha / 2.0))
        moved = {"resampled_low": float(bottom), "resampled_high": float(top)}
    shown = shown_better(table, codes, alpha=alpha, n_boot=n_boot, rng=source)
    low, high = (_rho_bounds if method == "spearman" else _tau_bounds)(shown, order)
    ends = {"low": max(-1.0, min(low, value)), "high": min(1.0, max(high, value))}
    return result(None, **seen, **ends, **moved, n_boot=n_boot, n_constant=n_boot - kept.size)


def _checked(  # noqa: PLR0913, PLR0917 - the arguments of one estimate
    scores: ArrayLike,
    reference: ArrayLike,
    clusters: ArrayLike | None,
    method: str,
    alpha: float,
    n_boot: int,
) -> tuple[Floats, Floats, NDArray[np.generic]]:
    table, against = as_floats("scores", scores), as_floats("reference", reference)
    if table.ndim != 2:
        raise ValueError(f"scores must have shape (items, systems), not {table.shape}")
    if against.shape != table.shape[1:]:
        raise ValueError(
            f"reference must have one score a system, {table.shape[1:]}, not {against.shape}"
        )
    if method not in get_args(RankMethod):
        raise ValueError(f"method = {method!r} must be one of {get_args(RankMethod)}")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha = {alpha} must lie strictly between 0 and 1")
    if n_boot < 999:
        raise ValueError(f"n_boot = {n_boot} must be at least 999")
    for name, values in (("scores", table), ("reference", against)):
        if np.isinf(values).any():
            raise ValueError(f"{name} must be finite, NaN where missing")
    keys = np.arange(len(table)) if clusters is None else as_clusters("clusters", clusters)
    if keys.shape != (len(table),):
        raise ValueError(f"clusters must have one key an item, ({len(table)},), not {keys.shape}")
    return table, against, keys


def _rounded(means: Floats, largest: float) -> Floats:
    """Round means so that those that differ by the last digits of a sum are tied."""
    if largest == 0.0:
        return means
    grain = largest * _SAME
    rounded: Floats = np.rint(means / grain)
    return rounded


def _ranks(rows: Floats) -> Floats:
    """Give mid-ranks within each row, about their mean."""
    from scipy.stats import rankdata  # noqa: PLC0415 - scipy is imported late

    ranks: Floats = rankdata(rows, axis=1) - (rows.shape[1] + 1.0) / 2.0
    return ranks


def _correlation(means: Floats, order: Floats, method: str) -> Floats:
    """Correlate each row of means (rows, systems) with the order; NaN for a constant row."""
    if method == "spearman":
        ranks = _ranks(means)
        top, under = ranks @ order, np.einsum("ij,ij->i", ranks, ranks) * float(order @ order)
    else:
        one, other = np.triu_indices(len(order), 1)
        sign = np.sign(order[one] - order[other])
        top, under = np.zeros(len(means)), np.zeros(len(means))
        rows = max(1, _CELLS // len(one))
        for start in range(0, len(means), rows):
            part = slice(start, start + rows)
            step = np.sign(means[part][:, one] - means[part][:, other])
            top[part], under[part] = step @ sign, np.count_nonzero(step, axis=1)
        under *= float(np.count_nonzero(sign))
    out = np.full(len(means), np.nan)
    np.divide(top, np.sqrt(under), out=out, where=under > 0.0)
    return out


def _chance(
    mean: Floats, order: Floats, method: str, seen: float, rng: np.random.Generator
) -> tuple[float, bool]:
    """Give the share of orders of the systems that agree as well or as badly, by permutation."""
    systems = len(order)
    exact = factorial(systems) <= _ORDERS
    if exact:
        orders = mean[np.array(list(permutations(range(systems))))]
    else:
        orders = rng.permuted(np.broadcast_to(mean, (_ORDERS, systems)), axis=1)
    beyond = int(np.count_nonzero(np.abs(_correlation(orders, order, method)) >= seen - 1e-9))
    return (beyond / len(orders) if exact else (beyond + 1.0) / (_ORDERS + 1.0)), exact


def _resampled(
    table: Floats, codes: NDArray[np.intp], groups: int, n_boot: int, rng: np.random.Generator
) -> Floats:
    """Give means of the systems in resamples of clusters (n_boot, systems)."""
    size = np.bincount(codes, minlength=groups).astype(np.float64)
    sums = np.stack([np.bincount(codes, column, groups) for column in table.T], axis=1)
    mean, largest = table.mean(axis=0), float(np.abs(table).max())
    if groups > _FEW:
        residual = (sums - size[:, None] * mean) / len(table)
        values, vectors = np.linalg.eigh(residual.T @ residual)
        # Systems that always score alike have a direction of no spread, which rounding blurs.
        root = vectors * np.sqrt(np.where(values > _SAME * values[-1], values, 0.0))
        return _rounded(mean + rng.standard_normal((n_boot, len(mean))) @ root.T, largest)
    out = np.empty((n_boot, len(mean)))
    rows = max(1, _CELLS // groups)
    for start in range(0, n_boot, rows):
        block = out[start : start + rows]
        weights = rng.multinomial(groups, np.full(groups, 1.0 / groups), size=len(block))
        block[:] = _rounded((weights @ sums) / (weights @ size)[:, None], largest)
    return out


def _rho_bounds(shown: NDArray[np.bool_], order: Floats) -> tuple[float, float]:
    """Give the least and the largest rho of ranks within what the pairs shown allow."""
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - scipy is imported late

    systems = len(order)
    ranks = np.arange(systems) - (systems - 1.0) / 2.0
    lowest = np.count_nonzero(shown, axis=1)
    highest = systems - 1 - np.count_nonzero(shown, axis=0)
    place = np.arange(systems)
    allowed = (place >= lowest[:, None]) & (place <= highest[:, None])
    product = np.multiply.outer(order, ranks)
    scale = sqrt(float(order @ order) * float(ranks @ ranks))
    ends = []
    for sign in (1.0, -1.0):
        chosen = linear_sum_assignment(np.where(allowed, sign * product, np.inf))
        ends.append(float(product[chosen].sum()) / scale)
    return ends[0], ends[1]


def _tau_bounds(shown: NDArray[np.bool_], order: Floats) -> tuple[float, float]:
    """Give the least and the largest tau-b with all pairs not shown against or for it."""
    pairs = len(order) * (len(order) - 1) / 2.0
    with_it = np.sign(np.subtract.outer(order, order))
    told = float(with_it.sum(where=shown))
    open_pairs = np.triu(~(shown | shown.T) & (with_it != 0.0), 1)
    free = float(np.count_nonzero(open_pairs))
    scale = sqrt(pairs * float(np.count_nonzero(with_it)) / 2.0)
    return (told - free) / scale, (told + free) / scale
