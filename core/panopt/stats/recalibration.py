"""Turn confidence into the share that is right, out of fold on what is labelled.

A map fitted to labels looks better on those labels than it is. Here each labelled verdict gets its
probability from a map that never saw its label, nor that of any verdict of its cluster; verdicts
without a label get theirs from a map fitted to all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.calibration_maps import (
    CalibrationMap,
    CrossVennAbers,
    VennAbers,
    fit_isotonic,
    fit_platt,
    fit_venn_abers,
)
from panopt.stats.mean import MeanInterval, mean_interval
from panopt.stats.scored import Scored, scored

__all__ = ["LEAST_LABELS", "LEAST_RARER", "Method", "Recalibration", "recalibrate"]

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Method = Literal["venn_abers", "cross_venn_abers", "isotonic", "platt"]

#: Fewer independent labels, or fewer of the rarer outcome, than this teach no map.
LEAST_LABELS, LEAST_RARER = 20, 5

_SAID: dict[Method, str] = {
    "venn_abers": "inductive Venn-Abers, p1 / (1 - p0 + p1)",
    "cross_venn_abers": "cross Venn-Abers, folds merged by geometric means",
    "isotonic": "isotonic regression, linear between confidences",
    "platt": "logistic in the confidence, Platt's smoothed targets",
}


@dataclass(frozen=True, slots=True)
class Recalibration:
    """Recalibrated confidence of labelled verdicts, and the map for others.

    Attributes
    ----------
    probability
        Out of fold, of each verdict (n,); NaN where confidence or label is missing, or `reason`
        says that there are too few.
    low, high
        Venn-Abers' p0 and p1, out of fold (n,); None for other methods.
    fold
        Fold of each verdict (n,); -1 where it was left out.
    fitted
        Map fitted to all labels: ``fitted.predict(confidence)``; None where `reason` says why.
    brier_before, brier_after
        Mean squared error of the confidence as stated, and out of fold as recalibrated.
    gain
        Brier score gained out of fold, with its interval by clusters.
    n, n_clusters
        Labelled verdicts, and independent clusters of them.
    method
        Which map, and how it is regularised.
    warnings
        What speaks against using it.
    reason
        Why there is none.
    """

    probability: Floats
    low: Floats | None
    high: Floats | None
    fold: Codes
    fitted: CalibrationMap | None
    brier_before: float | None
    brier_after: float | None
    gain: MeanInterval | None
    n: int
    n_clusters: int
    method: str
    warnings: tuple[str, ...] = ()
    reason: str | None = None


def recalibrate(  # noqa: PLR0913 - options of the fit and of its folds
    confidence: ArrayLike,
    agrees: ArrayLike,
    *,
    method: Method = "venn_abers",
    folds: int = 10,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> Recalibration:
    """Recalibrate confidence by labels, out of fold.

    Parameters
    ----------
    confidence
        Stated confidence of each verdict, in [0, 1] (n,); NaN is missing.
    agrees
        Whether the label confirms it (n,); NaN is unknown.
    method
        ``venn_abers`` (two probabilities that hold the right one between them, merged),
        ``cross_venn_abers`` (the same fold by fold), ``isotonic``, ``platt``.
    folds
        Parts that clusters are dealt into, at least 2 (3 for ``cross_venn_abers``).
    clusters
        Key of each verdict's cluster (n,); a cluster is never on both sides of a fit.
    level
        Confidence level of the interval of `gain`.
    rng
        Deals the folds; one of fixed seed by default.

    Raises
    ------
    ValueError
        For arrays of different shape, confidence off [0, 1], other labels, unknown methods, or
        options off range.

    Notes
    -----
    Assumes that labelled verdicts (or clusters) are a random sample of those the map is used for.
    Folds hold both outcomes in like shares. The interval of `gain` takes the maps as given.

    Examples
    --------
    >>> stated = np.repeat([0.6, 0.9], 50)
    >>> agrees = np.r_[np.arange(50) % 2, np.arange(50) % 5 > 0]
    >>> found = recalibrate(stated, agrees, method="platt")
    >>> found.fitted.predict([0.6, 0.9]).round(2).tolist()
    [0.51, 0.79]
    """
    if method not in get_args(Method):
        raise ValueError(f"method = {method!r} must be one of {', '.join(get_args(Method))}")
    least = 3 if method == "cross_venn_abers" else 2
    if isinstance(folds, bool) or folds != int(folds) or folds < least:
        raise ValueError(f"folds = {folds} must be a whole number of at least {least}")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level = {level} must lie strictly between 0 and 1")
    table = scored(confidence, agrees, clusters=clusters)
    x, y = as_floats("confidence", confidence), as_floats("agrees", agrees)
    known = ~np.isnan(x) & ~np.isnan(y)
    probability, fold = np.full(x.shape, np.nan), np.full(x.shape, -1, dtype=np.intp)
    reason = _too_few(table)
    if reason is not None:
        return Recalibration(
            probability,
            None,
            None,
            fold,
            None,
            None,
            None,
            None,
            table.n,
            table.n_clusters,
            _SAID[method],
            (),
            reason,
        )
    rng = np.random.default_rng(0) if rng is None else rng
    parts = min(int(folds), table.n_clusters)
    dealt = _deal(table, parts, rng)
    ends = np.full((2, table.n), np.nan)
    out = np.empty(table.n)
    for part in range(parts):
        held = dealt == part
        fitted = _fit(table, ~held, dealt, method)
        out[held] = fitted.predict(table.x[held])
        if isinstance(fitted, VennAbers | CrossVennAbers):
            ends[:, held] = fitted.interval(table.x[held])
    probability[known], fold[known] = out, dealt
    before, after = (table.x - table.y) ** 2, (out - table.y) ** 2
    gain = mean_interval(before - after, clusters=table.clusters, alpha=1.0 - level)
    both = None
    if method in ("venn_abers", "cross_venn_abers"):
        both = np.full((2, *x.shape), np.nan)
        both[:, known] = ends
    everything = np.ones(table.n, dtype=np.bool_)
    return Recalibration(
        probability=probability,
        low=None if both is None else both[0],
        high=None if both is None else both[1],
        fold=fold,
        fitted=_fit(table, everything, dealt, method),
        brier_before=float(before.mean()),
        brier_after=float(after.mean()),
        gain=gain,
        n=table.n,
        n_clusters=table.n_clusters,
        method=_SAID[method],
        warnings=_warnings(table, gain),
    )


def _too_few(table: Scored) -> str | None:
    what = "labelled verdicts" if table.clusters is None else "labelled clusters"
    if table.n_clusters < LEAST_LABELS:
        return f"{table.n_clusters} {what}: a map takes at least {LEAST_LABELS}"
    right, wrong = (_clusters_of(table, side) for side in (table.y, ~table.y))
    if min(right, wrong) < LEAST_RARER:
        rarer = "right" if right < wrong else "wrong"
        return (
            f"only {min(right, wrong)} of {table.n_clusters} {what} "
            f"{'hold' if table.clusters is not None else 'are'} {rarer}"
            f"{' verdicts' if table.clusters is not None else ''}: "
            f"a map takes at least {LEAST_RARER}"
        )
    return None


def _clusters_of(table: Scored, side: NDArray[np.bool_]) -> int:
    if table.clusters is None:
        return int(np.count_nonzero(side))
    return int(np.unique(table.clusters[side]).size)


def _deal(table: Scored, parts: int, rng: np.random.Generator) -> Codes:
    """Deal clusters into folds at random, those with wrong verdicts evenly."""
    groups = np.arange(table.n) if table.clusters is None else table.clusters
    order = rng.permutation(table.n_clusters)
    errs = np.zeros(table.n_clusters, dtype=np.bool_)
    errs[groups[~table.y]] = True
    order = order[np.argsort(errs[order], kind="stable")]
    part = np.empty(table.n_clusters, dtype=np.intp)
    part[order] = np.arange(table.n_clusters) % parts
    dealt: Codes = part[groups]
    return dealt


def _fit(table: Scored, rows: NDArray[np.bool_], dealt: Codes, method: Method) -> CalibrationMap:
    if method == "cross_venn_abers":
        each = [rows & (dealt == part) for part in np.unique(dealt[rows]).tolist()]
        return CrossVennAbers(tuple(fit_venn_abers(_part(table, inside)) for inside in each))
    part = _part(table, rows)
    if method == "venn_abers":
        return fit_venn_abers(part)
    return fit_isotonic(part) if method == "isotonic" else fit_platt(part)


def _part(table: Scored, rows: NDArray[np.bool_]) -> Scored:
    return table if rows.all() else scored(table.x[rows], table.y[rows])


def _warnings(table: Scored, gain: MeanInterval) -> tuple[str, ...]:
    told = []
    if gain.value is not None and gain.value < 0.0:
        told.append(
            f"recalibrated confidence is no better out of fold: Brier score {-gain.value:.3g} worse"
        )
    if table.values.size == 1:
        told.append("all confidences are equal: the map is the share that is right")
    elif float(table.x[table.y].mean()) < float(table.x[~table.y].mean()):
        told.append("higher confidence goes with fewer right verdicts")
    return tuple(told)
