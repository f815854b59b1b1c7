"""How often the promises of selective judging hold, replayed on labels whose answers are known.

Every method is calibrated again and again on labels drawn at random, and what it then accepts is
compared with the human labels: coverage, agreement, who decides, what it costs, and in how many
replays the risk stayed within alpha (the table of Jung, Brahman & Choi 2025).

Success is measured in two ways. *Known population*: the labelled items are the population, labels
are drawn from it with replacement, and the risk of what was accepted is that of the population,
without noise; this is where a guarantee must show. *Held out*: the items are split, and the risk
is that of the part that was not drawn; its sampling noise makes a true promise look broken, the
more so the closer the risk is to alpha.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.stats.binomial import clopper_pearson
from panopt.stats.cascade import CascadeMethod, certify_cascade
from panopt.stats.cascade_path import deciding_judge
from panopt.stats.certify import CertificateMethod, certify_threshold
from panopt.stats.certify_checks import check_levels, check_scale

__all__ = ["Labelled", "Measured", "Replayed", "replay"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rows = NDArray[np.intp]

#: Risks and confidences are compared with this slack: .9 of one rounding meets .9 of another.
ROUNDING = 1e-12

#: Share of the replays that a range of coverage or agreement spans.
MIDDLE = 0.95

#: Seeds of the two ways of measuring, besides the one that is given.
KNOWN, HELD_OUT = 1, 2


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labelled items, and how sure and how right each judge and the panel were.

    Attributes
    ----------
    confidence, agrees
        Of each judge of the cascade, cheap to strong, shape (items, judges); NaN: no answer. No
        judges: the panel is replayed alone.
    panel, panel_agrees
        Of the panel, shape (items,); NaN: no verdict.
    clusters
        Cluster of each item, codes, shape (items,): drawn and held out together, and weighing
        alike whatever their size.
    costs
        Of one judgment of each judge, shape (judges,), not falling.
    panel_cost
        Of asking the whole panel.
    """

    confidence: Floats
    agrees: Flags
    panel: Floats
    panel_agrees: Flags
    clusters: NDArray[np.integer]
    costs: Floats
    panel_cost: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What became of one method in all replays, measured in one way.

    Attributes
    ----------
    n_splits, n_success
        Replays, and those in which at most a share alpha of what was accepted was wrong, or
        nothing was accepted.
    success, success_low, success_high, level
        Their share with its Clopper-Pearson interval: of the simulation, given these items.
    nothing
        Share of replays in which nothing was accepted.
    coverage, coverage_range
        Mean share of items accepted; between which ends it lay in the middle 95% of replays.
    agreement, agreement_range
        As coverage: agreement with humans among accepted items, over the replays that accepted
        any; None where none did.
    composition
        Mean share of the accepted items that each judge decides, over the same replays.
    cost
        Mean cost of an item, whether it was accepted or not.
    """

    n_splits: int
    n_success: int
    success: float
    success_low: float
    success_high: float
    level: float
    nothing: float
    coverage: float
    coverage_range: tuple[float, float]
    agreement: float | None
    agreement_range: tuple[float, float] | None
    composition: tuple[float, ...] | None
    cost: float


@dataclass(frozen=True, slots=True)
class Replayed:
    """One method in the replays.

    Attributes
    ----------
    method
        Its name.
    guaranteed
        Whether it promises success with probability 1 - delta.
    judges
        Columns of ``Labelled.confidence`` that may decide; None: the panel.
    known_population
        Against the population that the labels were drawn from: exact.
    held_out
        Against the items that were not drawn: with test noise. None where every cluster was.
    """

    method: str
    guaranteed: bool
    judges: tuple[int, ...] | None
    known_population: Measured
    held_out: Measured | None


@dataclass(frozen=True, slots=True)
class _Items:
    """What one method sees of some items: columns of confidence, errors, and their prices."""

    confidence: Floats
    wrong: Flags
    costs: Floats


Calibrate = Callable[[Floats, Flags, np.random.Generator], Floats]


@dataclass(frozen=True, slots=True)
class _Method:
    name: str
    judges: tuple[int, ...] | None
    items: _Items
    calibrate: Calibrate
    guaranteed: bool = False


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one method accepts of weighed items: shares that a replay is made of."""

    coverage: float
    risk: float
    composition: Floats
    cost: float


def replay(  # noqa: PLR0913 - one argument an option
    labelled: Labelled,
    *,
    alpha: float = 0.1,
    delta: float = 0.1,
    splits: int = 1000,
    labels: int | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[Replayed, ...]:
    """Measure how often each method of selective judging keeps the risk within alpha.

    Parameters
    ----------
    labelled
        Items with human labels.
    alpha, delta
        Risk tolerated among accepted items, and probability of failure, each in (0, 1).
    splits
        Replays, at least 1, in each of both ways.
    labels
        Clusters that a replay is calibrated on, one item of each drawn blindly; half of them
        where not given. Where it is all of them or more, nothing is held out.
    seed
        Of everything random: same seed, same numbers.
    level
        Confidence level of the success rate's interval.

    Returns
    -------
    tuple of Replayed
        With judges: no selection and confidence >= 1 - alpha (of the strongest judge), the same
        of each judge in turn, the point estimate (of the strongest judge), the cascade certified
        per stage and along a joint path, and the panel's certificate. Without: those of the
        panel.

    Raises
    ------
    ValueError
        For options off their range, confidence off [0, 1], arrays that do not fit, or fewer than
        two clusters.

    Notes
    -----
    A replay of the known population draws clusters with replacement, then one item of each: so
    labels are independent draws from items whose clusters weigh alike, which is what the methods
    assume and what their promise is about. Every measure weighs items by 1 / size of cluster.

    O(splits methods items) time beside the calibrations, O(methods splits + items) memory.

    Examples
    --------
    >>> import numpy as np
    >>> ones = np.ones(100)
    >>> found = replay(
    ...     Labelled(np.empty((100, 0)), np.empty((100, 0), bool), ones, ones == 1,
    ...              np.arange(100), np.empty(0), 1.0),
    ...     splits=10,
    ... )
    >>> found[-1].method, found[-1].known_population.success, found[-1].known_population.coverage
    ('panel certificate', 1.0, 1.0)
    """
    check_levels(alpha, delta)
    _check(labelled)
    _check_options(splits, labels, level)
    codes = np.unique(labelled.clusters, return_inverse=True)[1]
    sizes = np.bincount(codes)
    order, starts = np.argsort(codes, kind="stable"), np.cumsum(sizes) - sizes
    n_clusters, weights = len(sizes), 1.0 / sizes[codes]
    drawn = n_clusters // 2 if labels is None else labels
    methods = _methods(labelled, alpha, delta)

    def of_each(clusters: Rows, rng: np.random.Generator) -> Rows:
        within = (rng.random(len(clusters)) * sizes[clusters]).astype(np.intp)
        rows: Rows = order[starts[clusters] + within]
        return rows

    known: list[list[_Seen]] = [[] for _ in methods]
    memo: list[dict[bytes, _Seen]] = [{} for _ in methods]
    for split in range(splits):
        rng = np.random.default_rng((seed, KNOWN, split))
        rows = of_each(rng.integers(0, n_clusters, drawn), rng)
        for m, method in enumerate(methods):
            thresholds = _calibrated(method, rows, rng)
            key = thresholds.tobytes()
            if key not in memo[m]:
                memo[m][key] = _accepted(method.items, thresholds, weights)
            known[m].append(memo[m][key])
    held_out: list[list[_Seen]] = [[] for _ in methods]
    for split in range(splits if drawn < n_clusters else 0):
        rng = np.random.default_rng((seed, HELD_OUT, split))
        shuffled = rng.permutation(n_clusters)
        rows = of_each(shuffled[:drawn], rng)
        outside = np.ones(n_clusters, dtype=np.bool_)
        outside[shuffled[:drawn]] = False
        rest = np.flatnonzero(outside[codes])
        for m, method in enumerate(methods):
            items = _Items(
                method.items.confidence[rest], method.items.wrong[rest], method.items.costs
            )
            thresholds = _calibrated(method, rows, rng)
            held_out[m].append(_accepted(items, thresholds, weights[rest]))
    return tuple(
        Replayed(
            method.name,
            method.guaranteed,
            method.judges,
            _measured(known[m], alpha, level),
            _measured(held_out[m], alpha, level) if held_out[m] else None,
        )
        for m, method in enumerate(methods)
    )


def _methods(labelled: Labelled, alpha: float, delta: float) -> list[_Method]:
    """List the methods in the order of the field's table: without, then with a guarantee."""

    def always(threshold: float, columns: int) -> Calibrate:
        return lambda _c, _w, _rng: np.full(columns, threshold)

    def single(method: CertificateMethod) -> Calibrate:
        def calibrate(c: Floats, wrong: Flags, _: np.random.Generator) -> Floats:
            known = ~np.isnan(c[:, 0])
            found = certify_threshold(
                c[known, 0], ~wrong[known, 0], alpha=alpha, delta=delta, method=method
            )
            return np.array([found.threshold])

        return calibrate

    def cascade(method: CascadeMethod) -> Calibrate:
        def calibrate(c: Floats, wrong: Flags, rng: np.random.Generator) -> Floats:
            return certify_cascade(
                c, ~wrong, alpha=alpha, delta=delta, method=method, rng=rng
            ).thresholds

        return calibrate

    sure = 1.0 - alpha - ROUNDING
    panel = _Items(
        labelled.panel[:, None],
        ~labelled.panel_agrees[:, None],
        np.array([labelled.panel_cost]),
    )
    certificate = _Method(
        "panel certificate", None, panel, single("fixed_sequence"), guaranteed=True
    )
    judges = labelled.confidence.shape[1]
    if not judges:
        return [
            _Method("no selection", None, panel, always(-np.inf, 1)),
            _Method("heuristic", None, panel, always(sure, 1)),
            _Method("point estimate", None, panel, single("point_estimate")),
            certificate,
        ]
    everyone = tuple(range(judges))
    chain = _Items(labelled.confidence, ~labelled.agrees, labelled.costs)
    last = _Items(chain.confidence[:, -1:], chain.wrong[:, -1:], chain.costs[-1:])
    strongest = everyone[-1:]
    return [
        _Method("no selection", strongest, last, always(-np.inf, 1)),
        _Method("heuristic", strongest, last, always(sure, 1)),
        _Method("cascaded heuristic", everyone, chain, always(sure, judges)),
        _Method("point estimate", strongest, last, single("point_estimate")),
        _Method("per-stage fixed sequence", everyone, chain, cascade("per_stage"), guaranteed=True),
        _Method("joint path", everyone, chain, cascade("joint_path"), guaranteed=True),
        certificate,
    ]


def _calibrated(method: _Method, rows: Rows, rng: np.random.Generator) -> Floats:
    return method.calibrate(method.items.confidence[rows], method.items.wrong[rows], rng)


def _accepted(items: _Items, thresholds: Floats, weights: Floats) -> _Seen:
    """Apply thresholds: what is accepted, by whom, how often wrongly and at what cost."""
    stage = deciding_judge(items.confidence, thresholds)
    accepted = np.flatnonzero(stage >= 0)
    by = np.bincount(stage[accepted], weights[accepted], len(thresholds)).astype(np.float64)
    whole, total = float(by.sum()), float(weights.sum())
    errs = float(weights[accepted] @ items.wrong[accepted, stage[accepted]])
    asked = np.cumsum(np.where(thresholds < np.inf, items.costs, 0.0))
    return _Seen(
        coverage=min(whole / total, 1.0),
        risk=min(errs / whole, 1.0) if accepted.size else 0.0,
        composition=by / whole if accepted.size else by,
        cost=float(weights @ asked[stage] / total),  # -1, nobody decides: all were asked
    )


def _measured(seen: list[_Seen], alpha: float, level: float) -> Measured:
    coverage = np.array([one.coverage for one in seen])
    risk = np.array([one.risk for one in seen])
    some = coverage > 0.0
    good = int(np.count_nonzero((risk <= alpha + ROUNDING) | ~some))
    low, high = clopper_pearson(good, len(seen), level=level)
    return Measured(
        n_splits=len(seen),
        n_success=good,
        success=good / len(seen),
        success_low=float(low),
        success_high=float(high),
        level=level,
        nothing=float(np.mean(~some)),
        coverage=float(coverage.mean()),
        coverage_range=_range(coverage),
        agreement=float(1.0 - risk[some].mean()) if some.any() else None,
        agreement_range=_range(1.0 - risk[some]) if some.any() else None,
        composition=tuple(
            np.mean([one.composition for one in seen if one.coverage > 0.0], axis=0).tolist()
        )
        if some.any()
        else None,
        cost=float(np.mean([one.cost for one in seen])),
    )


def _range(values: Floats) -> tuple[float, float]:
    low, high = np.quantile(values, [(1.0 - MIDDLE) / 2.0, (1.0 + MIDDLE) / 2.0])
    return float(low), float(high)


def _check(labelled: Labelled) -> None:
    items = len(labelled.panel)
    table, row = labelled.confidence.shape, (items,)
    if len(table) != 2 or table[0] != items or labelled.agrees.shape != table:
        raise ValueError(
            f"confidence and agrees have shapes {table} and {labelled.agrees.shape}; both must be "
            f"({items}, judges), as panel has {items} items"
        )
    if not labelled.panel_agrees.shape == labelled.clusters.shape == labelled.panel.shape == row:
        raise ValueError(f"panel, panel_agrees and clusters must all have shape {row}")
    if labelled.costs.shape != table[1:]:
        raise ValueError(f"costs has shape {labelled.costs.shape}; it must be {table[1:]}")
    price = np.append(labelled.costs, labelled.panel_cost)
    if not (np.isfinite(price) & (price >= 0.0)).all():
        raise ValueError(f"costs = {price.tolist()} must be finite and not negative")
    if (np.diff(labelled.costs) < 0.0).any():
        raise ValueError("costs must not fall: judges are ordered from cheap to strong")
    for name, c in (("confidence", labelled.confidence), ("panel", labelled.panel)):
        check_scale(name, c[~np.isnan(c)], unit=True)
    if len(np.unique(labelled.clusters)) < 2:
        raise ValueError("a replay needs at least two clusters of labelled items")


def _check_options(splits: int, labels: int | None, level: float) -> None:
    for name, value in (("splits", splits), ("labels", 1 if labels is None else labels)):
        if isinstance(value, bool) or value != int(value) or value < 1:
            raise ValueError(f"{name} = {value!r} must be a whole number of at least 1")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level = {level!r} must lie strictly between 0 and 1")
