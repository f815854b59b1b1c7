"""Plan the next comparison: what a pilot could show, and what a wanted difference takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from panopt.errors import AskError
from panopt.host import Host
from panopt.lineup import Lineup, line_ups
from panopt.records.ask import Ask
from panopt.records.matrix import Matrix
from panopt.records.pairing import Contender
from panopt.records.study import Study
from panopt.stats.components import VarianceComponents, variance_components
from panopt.stats.design import DecisionStudy, Enough, decision_study
from panopt.stats.detectable import detectable_effect, items_needed, power_of
from panopt.stats.judged_power import judged_power
from panopt.stats.paired import PairedDifference, paired_difference
from panopt.stats.variance_sums import MOST_JUDGES

__all__ = ["PlannedPair", "plan_effect"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PlannedPair:
    """What the pilot says of comparing two systems like these.

    Attributes
    ----------
    criterion, a, b
        What was judged, and the two systems of the pilot; `b` is None where it holds one alone.
        Then the other is taken to be like it and to do well on other items: differences between
        systems that share their strengths vary less, and take fewer items.
    value
        Difference seen in the pilot, a less b.
    sd
        Standard deviation of the differences between items (between clusters, per item).
    n_items, n_clusters
        Items of both systems, and clusters of them.
    detectable
        Least true difference that as many items show with the wanted power; None with `reason`.
    items_needed
        Items that show the wanted difference with this very panel; None with `reason`, or where a
        billion are too few.
    reason
        Why there is no plan.
    aggregate
        How the panel's judges were combined; `designs` take the mean of their scores.
    epochs
        Answers of a system to an item, on average; the plans take as many.
    designs
        Numbers of items, judges and repeats that show it, cheapest first; None with
        `designs_reason`.
    designs_reason
        Why there are none.
    """

    criterion: str
    a: str
    b: str | None
    value: float | None
    sd: float | None
    n_items: int
    n_clusters: int
    detectable: float | None
    items_needed: int | None
    reason: str | None
    aggregate: str
    epochs: float
    designs: DecisionStudy | None
    designs_reason: str | None


def plan_effect(  # noqa: PLR0913 - options
    studies: Sequence[Study],
    *,
    effect: float,
    ask: Ask | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
    sides: Literal[1, 2] = 2,
    cost_call: float = 1.0,
    cost_item: float = 0.0,
    max_judges: int = 10,
    max_repeats: int = 5,
    names: Sequence[str] = (),
    force: bool = False,
    host: Host | None = None,
) -> tuple[PlannedPair, ...]:
    """Say, for every two systems of a pilot, what showing a difference takes.

    Parameters
    ----------
    studies
        A pilot that holds two systems or more, several studies of one each, as
        :func:`panopt.reading.read_sides` gives them, or one system, which gives a bound.
    effect
        True difference of mean scores on [0, 1] that is to be shown, in (0, 1].
    ask
        Options: `criterion`, `aggregate`, `level`, `threshold`, `min_successful`, `seed`.
    alpha, power, sides
        Level of the test, wanted probability of showing the difference, one- or two-sided.
    cost_call, cost_item
        Cost of one judge call, and of one answer of a system whatever the number of judges.
    max_judges, max_repeats
        As in :func:`panopt.stats.design.decision_study`.
    names
        Short name of each study.
    force
        Go on though tasks or criteria differ.
    host
        Plugins; the installed ones where not given.

    Raises
    ------
    AskError
        For options off their range, and for a pilot that no plan can be made from.

    Notes
    -----
    Items needed are from the noncentral t, as are designs for these judges; for judges like these
    the power is that of :func:`panopt.stats.judge_sample.judged_difference`. A pilot's variances
    are taken for the true ones: from a small pilot, the power that is reached may well be another.
    """
    ask = ask or Ask()
    if not 0.0 < effect <= 1.0:
        raise AskError(f"effect = {effect} must lie in (0, 1]: scores are on [0, 1]")
    if not 0.0 < alpha < 1.0:
        raise AskError(f"alpha = {alpha} must lie strictly between 0 and 1")
    if not alpha < power < 1.0:
        raise AskError(f"power = {power} must lie strictly between alpha = {alpha} and 1")
    for name, cost in (("cost_call", cost_call), ("cost_item", cost_item)):
        if not 0.0 <= cost < float("inf"):
            raise AskError(f"{name} = {cost} must be a finite number, not below 0")
    from scipy.special import ndtri  # noqa: PLC0415 - scipy is imported late

    se = effect / float(ndtri(1.0 - alpha / sides) + ndtri(power))
    found = []
    for side in line_ups(
        studies,
        ask,
        names=names or [f"study {k}" for k in range(1, len(studies) + 1)],
        cluster="auto",
        passed=False,
        force=force,
        host=host or Host(),
        least=1,
    ):
        if len(side.contenders) == 1:
            found.append(_alone(side, effect, alpha, power, sides))
        for one, other in combinations(range(len(side.contenders)), 2):
            both = side.contenders[one], side.contenders[other]
            epochs = _epochs(side.matrix, both)
            designs = _designs(
                side,
                *both,
                ask,
                se=se,
                enough=lambda parts: _enough(parts, effect, alpha, power, sides),
                cost_call=2.0 * epochs * cost_call,
                cost_item=2.0 * epochs * cost_item,
                max_judges=max_judges,
                max_repeats=max_repeats,
            )
            seen = paired_difference(
                side.items.scores[:, one], side.items.scores[:, other], clusters=side.items.clusters
            )
            takes = _planned(seen, effect, alpha, power, sides)
            found.append(
                PlannedPair(
                    side.criterion,
                    side.contenders[one].name,
                    side.contenders[other].name,
                    seen.value,
                    *takes,
                    aggregate=side.consensus.method,
                    epochs=epochs,
                    designs=None if isinstance(designs, str) else designs,
                    designs_reason=designs if isinstance(designs, str) else None,
                )
            )
    if all(plan.detectable is None for plan in found):
        lost = found[0]
        pair = lost.a if lost.b is None else f"{lost.a} - {lost.b}"
        raise AskError(f"criterion {lost.criterion!r}: no plan from {pair}: {lost.reason}")
    return tuple(found)


def _alone(
    side: Lineup, effect: float, alpha: float, power: float, sides: Literal[1, 2]
) -> PlannedPair:
    """Bound what two systems take from one, as if their scores had nothing in common."""
    scores, (one,) = side.items.scores[:, 0], side.contenders
    seen = paired_difference(scores, np.zeros_like(scores), clusters=side.items.clusters)
    return PlannedPair(
        side.criterion,
        one.name,
        None,
        None,
        *_planned(seen, effect, alpha, power, sides, systems=2),
        aggregate=side.consensus.method,
        epochs=_epochs(side.matrix, (one,)),
        designs=None,
        designs_reason="one system tells nothing of what judges like better: two are needed",
    )


def _planned(  # noqa: PLR0913 - the parts of one result
    seen: PairedDifference,
    effect: float,
    alpha: float,
    power: float,
    sides: Literal[1, 2],
    *,
    systems: int = 1,
) -> tuple[float | None, int, int, float | None, int | None, str | None]:
    """Give spread, items, clusters, what they show, what the effect takes, and why not."""
    sd = detectable = needed = None
    reason = seen.reason
    if seen.se is not None and seen.se > 0.0:
        sd = seen.se * (systems * seen.n_clusters) ** 0.5
        per_cluster = seen.n / seen.n_clusters
        detectable = detectable_effect(sd, seen.n_clusters, alpha=alpha, power=power, sides=sides)
        clusters = items_needed(sd, effect, alpha=alpha, power=power, sides=sides)
        needed = None if clusters is None else round(clusters * per_cluster)
    elif reason is None:
        reason = "scores are alike on every item: how differences vary cannot be estimated"
    return sd, seen.n, seen.n_clusters, detectable, needed, reason


def _designs(  # noqa: PLR0913 - options
    side: Lineup,
    one: Contender,
    other: Contender,
    ask: Ask,
    *,
    se: float,
    enough: Callable[[VarianceComponents], Enough],
    cost_call: float,
    cost_item: float,
    max_judges: int,
    max_repeats: int,
) -> DecisionStudy | str:
    """Find designs from the variance of each judge's differences; or say why there are none."""
    matrix = side.matrix
    if matrix.n_judges > MOST_JUDGES:
        return f"{matrix.n_judges} judges; at most {MOST_JUDGES} can be told apart"
    keys, scores = _cells(matrix, one)
    other_keys, other_scores = _cells(matrix, other)
    common, here, there = np.intersect1d(keys, other_keys, assume_unique=True, return_indices=True)
    if not common.size:
        return "no judge scored an item for both systems"
    # the repeats of a judge are numbered last, see _cells
    cell = common // _depth(matrix)
    item = cell // matrix.n_judges
    place = {name: k for k, name in enumerate(side.items.names)}
    own = np.array([place[name] for name in matrix.names["item"]])[item]
    clusters = own if side.items.clusters is None else side.items.clusters[own]
    try:
        parts = variance_components(
            item,
            cell % matrix.n_judges,
            scores[here] - other_scores[there],
            clusters=clusters,
            level=ask.level,
            rng=np.random.default_rng(ask.seed),
        )
        return decision_study(
            parts,
            se=se,
            cost_call=cost_call,
            cost_item=cost_item,
            max_judges=max_judges,
            max_repeats=max_repeats,
            enough=enough(parts),
        )
    except ValueError as error:
        raise AskError(str(error)) from error


def _enough(
    parts: VarianceComponents, effect: float, alpha: float, power: float, sides: Literal[1, 2]
) -> Enough:
    """Tell whether a design shows the effect as often as wanted, by the interval it will get."""
    item, judge, cross, again = parts.values().tolist()

    def shows(items: int, judges: int, repeats: int, alike: bool) -> bool:  # noqa: FBT001
        rest = cross + again / repeats
        spread = (item + rest / judges) ** 0.5
        if alike:
            found = judged_power(
                effect,
                judges=judges,
                items=items,
                judge=judge,
                item=item,
                rest=rest,
                alpha=alpha,
                sides=sides,
            )
        elif spread > 0.0:
            found = power_of(spread, effect, items, alpha=alpha, sides=sides)
        else:
            found = 1.0
        return found >= power

    return shows


def _epochs(matrix: Matrix, both: Sequence[Contender]) -> float:
    """Give the answers of a system to an item, on average."""
    answers = sum(len(one.responses) for one in both)
    return answers / sum(len(np.unique(matrix.items[one.responses])) for one in both)


def _depth(matrix: Matrix) -> int:
    return int(matrix.votes.repeat.max(initial=0)) + 1


def _cells(matrix: Matrix, one: Contender) -> tuple[Codes, Floats]:
    """Give a contender's mean score over epochs by item, judge and repeat, and what they are."""
    votes = matrix.votes
    mine = np.zeros(matrix.n_responses, dtype=np.bool_)
    mine[one.responses] = True
    rows = mine[votes.response] & ~np.isnan(votes.score)
    item = matrix.items[votes.response[rows]].astype(np.int64)
    key = (item * matrix.n_judges + votes.judge[rows]) * _depth(matrix) + votes.repeat[rows]
    keys, code = np.unique(key, return_inverse=True)
    total = np.bincount(code, weights=votes.score[rows], minlength=len(keys))
    return keys, total / np.bincount(code, minlength=len(keys))
