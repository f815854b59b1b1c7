"""Rank systems from verdicts on pairs of answers, and say how fair the judges of the pairs are.

Bradley-Terry strengths with ties, judge scales and the effect of being shown first
(`panopt.stats.bradley_terry`: Bradley & Terry 1952, Davidson 1970, Davidson & Beaver 1977), and
rates of ties, of wins of the answer shown first, of flips when the order is swapped, and of
preferences that go round in a circle (`panopt.stats.pair_rates`).

In a study the system of a pairwise judgment names both systems, as "first|second"; see
`split_pairs` for other forms. Score 1 means that the first named won, whichever was shown first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from panopt.findings import Finding, Findings, SubjectKind
from panopt.spec import hookimpl
from panopt.stats.bradley_terry import BradleyTerry, Effect, JudgeEffect, bradley_terry
from panopt.stats.mean import MeanInterval
from panopt.stats.pair_names import PairNames, split_pairs
from panopt.stats.pair_rates import (
    cycle_rate,
    each_pair_once,
    flip_rate,
    position_bias,
    share_interval,
    tie_rate,
)

if TYPE_CHECKING:
    from panopt.records.ask import Ask
    from panopt.records.matrix import Matrix
    from panopt.records.study import Study

__all__ = [
    "BradleyTerry",
    "Effect",
    "JudgeEffect",
    "PairNames",
    "bradley_terry",
    "cycle_rate",
    "flip_rate",
    "position_bias",
    "split_pairs",
    "tie_rate",
]

#: Precision of the prior that stands in where a system never lost: an sd of 2 log-odds.
_PENALTY = 0.25
#: Off the middle by this much, with an interval that agrees, a position bias is worth a sentence.
_BIASED = 0.1
#: As many flips are worth a sentence.
_FLIPS = 0.25
#: More triples of systems than this are not searched for cycles.
_MOST_SYSTEMS = 200

_WON = "share of comparisons won, ties half"
_FLIP = "share of pairs whose verdict changes when the answers are shown the other way round"


class _Votes(NamedTuple):
    """Decisive votes on pairs, one entry each."""

    response: NDArray[np.int32]
    judge: NDArray[np.int32]
    outcome: NDArray[np.float64]
    order: NDArray[np.float64]
    cluster: NDArray[np.int32]


@hookimpl
def panopt_analyze(study: Study, matrix: Matrix, ask: Ask) -> Findings | None:
    """Find the strengths of the systems and the habits of the judges, of pairwise criteria."""
    if matrix.scale.kind != "pairwise":
        return None
    votes = _votes(study, matrix)
    rows, unfair = _judge_rates(votes, matrix, ask)
    names = matrix.names["system"]
    split = split_pairs(names)
    if split.pairs is None:
        assert split.reason is not None  # noqa: S101 - one of the two is there
        missing = _unknown(matrix, "strength", "panel", "", split.reason, "Bradley-Terry")
        return Findings((missing, *rows), notes=unfair)
    ends, systems = _coded(split.pairs, np.unique(matrix.systems[votes.response]))
    pair = ends[matrix.systems[votes.response]]
    strengths = _strengths(votes, pair, systems, matrix, ask)
    rates = _win_rates(votes, ends, systems, matrix, ask)
    cycles = _cycles(votes, pair, systems, matrix, ask)
    return Findings((*strengths, *rates, *rows, *cycles), notes=unfair)


def _votes(study: Study, matrix: Matrix) -> _Votes:
    """Take the judges' votes that are a win, a tie or a loss."""
    votes = matrix.votes
    known = np.array([scale.kind in ("pairwise", "binary") for scale in matrix.judge_scales])
    kept = np.flatnonzero(~np.isnan(votes.score) & known[votes.judge])
    order = study.numbers("order")[votes.row[kept]]
    outcome = np.round(2 * votes.score[kept]) / 2
    response = votes.response[kept]
    return _Votes(response, votes.judge[kept], outcome, order, matrix.clusters[response])


def _coded(
    pairs: Sequence[tuple[str, str]], judged: NDArray[np.int32]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Give the codes of both systems of each pair (pairs, 2), and the systems by code.

    Systems of no `judged` pair have code -1.
    """
    systems = tuple(sorted({name for i in judged.tolist() for name in pairs[i]}))
    code = {name: i for i, name in enumerate(systems)}
    ends = [[code.get(a, -1), code.get(b, -1)] for a, b in pairs]
    return np.array(ends, dtype=np.int64), systems


def _strengths(
    votes: _Votes, pair: NDArray[np.int64], systems: tuple[str, ...], matrix: Matrix, ask: Ask
) -> list[Finding]:
    """Fit one model of all judges, with scales where it has any, shrunk where it must be."""
    shown = not bool(np.isnan(votes.order).all())
    found, shrunk = None, False
    for order, scale, penalty in _attempts(shown=shown, scaled=matrix.n_judges > 1):
        tried = bradley_terry(
            pair[:, 0],
            pair[:, 1],
            votes.outcome,
            judge=votes.judge,
            order=votes.order if order else None,
            clusters=votes.cluster,
            scale=scale,
            penalty=penalty,
            alpha=1 - ask.level,
            systems=systems,
            judges=matrix.judges,
        )
        found, shrunk = tried, penalty > 0
        if tried.converged:
            break
    assert found is not None  # noqa: S101 - there is always an attempt
    if found.strength is None or not found.converged:
        reason = found.reason or "the fit did not settle"
        return [_unknown(matrix, "strength", "panel", "", reason, "Bradley-Terry")]
    warnings = _shrunk_note(found) if shrunk else ()
    rows = [_system_strength(found, i, matrix, ask, warnings=warnings) for i in range(len(systems))]
    rows += [
        row
        for effect in found.judges
        for row in _judge_effects(effect, found, matrix, ask, warnings=warnings)
    ]
    return rows


def _attempts(*, shown: bool, scaled: bool) -> list[tuple[bool, bool, float]]:
    """List (position effects, judge scales, penalty), the fullest model first."""
    orders = (True, False) if shown else (False,)
    scales = (True, False) if scaled else (False,)
    plain = [(order, scale, 0.0) for order in orders for scale in scales]
    return [*plain, (False, False, _PENALTY)]


def _shrunk_note(found: BradleyTerry) -> tuple[str, ...]:
    rates = zip(found.systems, found.win_rate.tolist(), strict=True)
    best = [str(name) for name, rate in rates if rate == 1]
    who = f" ({', '.join(best[:3])} never lost)" if best else ""
    told = (
        f"the verdicts alone give no finite strengths{who}: these are shrunk towards 0 by a prior "
        "with standard deviation 2, and their intervals with them"
    )
    return (told,)


def _system_strength(
    found: BradleyTerry, i: int, matrix: Matrix, ask: Ask, *, warnings: tuple[str, ...]
) -> Finding:
    assert found.strength is not None  # noqa: S101 - the caller has seen to it
    assert found.se is not None  # noqa: S101
    assert found.low is not None  # noqa: S101
    assert found.high is not None  # noqa: S101
    return Finding(
        plugin="pairs",
        name="strength",
        criterion=matrix.criterion,
        subject_kind="system",
        subject=str(found.systems[i]),
        value=float(found.strength[i]),
        low=float(found.low[i]),
        high=float(found.high[i]),
        level=ask.level,
        unit="log-odds of winning against the average system",
        n=round(float(found.n[i])),
        method=_model(found),
        warnings=warnings,
        assumptions=(
            "a system is as strong on every item, but for chance",
            "items (or named clusters) are independent draws",
        ),
        details={
            "se": float(found.se[i]),
            "rank": 1 + int(np.count_nonzero(found.strength > found.strength[i])),
            "n_clusters": found.n_clusters,
        },
        headline=False,
    )


def _model(found: BradleyTerry) -> str:
    with_ = ["ties by Davidson's model"]
    if any(effect.scale for effect in found.judges):
        with_.append("a scale for each judge")
    if any(effect.position for effect in found.judges):
        with_.append("the effect of being shown first taken out")
    return f"Bradley-Terry, {', '.join(with_)}; interval by cluster"


def _judge_effects(
    effect: JudgeEffect, found: BradleyTerry, matrix: Matrix, ask: Ask, *, warnings: tuple[str, ...]
) -> list[Finding]:
    """Give a judge's scale and position effect, where the model has them."""
    told = (
        ("judge_scale", effect.scale, "slope, judges average 1"),
        ("position_effect", effect.position, "log-odds that being shown first adds"),
    )
    return [
        Finding(
            plugin="pairs",
            name=name,
            criterion=matrix.criterion,
            subject_kind="judge",
            subject=str(effect.judge),
            value=estimate.value,
            low=estimate.low,
            high=estimate.high,
            level=ask.level,
            unit=unit,
            n=round(effect.n),
            method=_model(found),
            warnings=warnings,
            details={"se": estimate.se},
            headline=False,
        )
        for name, estimate, unit in told
        if estimate is not None
    ]


def _win_rates(
    votes: _Votes,
    ends: NDArray[np.int64],
    systems: tuple[str, ...],
    matrix: Matrix,
    ask: Ask,
) -> list[Finding]:
    """Give each system's share of wins, ties half, from sums of each response's votes."""
    n = matrix.n_responses
    won = np.asarray(np.bincount(votes.response, weights=votes.outcome, minlength=n), dtype=float)
    met = np.bincount(votes.response, minlength=n).astype(np.float64)
    pair = ends[matrix.systems]
    rows = []
    for code, name in enumerate(systems):
        one, two = (np.flatnonzero(pair[:, side] == code) for side in (0, 1))
        both = np.concatenate((one, two))
        hits = np.concatenate((won[one], met[two] - won[two]))
        rate = share_interval(
            hits, met[both], clusters=matrix.clusters[both].astype(np.int64), alpha=1 - ask.level
        )
        rows.append(_rate(matrix, ask, "win_rate", rate, "system", name, _WON))
    return rows


def _judge_rates(votes: _Votes, matrix: Matrix, ask: Ask) -> tuple[list[Finding], tuple[str, ...]]:
    """Give each judge's ties, first-shown wins and flips, and a sentence on the unfair ones."""
    rows: list[Finding] = []
    partial, flipping = [], []
    for code, judge in enumerate(matrix.judges):
        own = votes.judge == code
        of = _Votes(*(column[own] for column in votes))
        alpha, by = 1 - ask.level, of.cluster
        tied = tie_rate(of.outcome, clusters=by, alpha=alpha)
        first = position_bias(of.outcome, of.order, clusters=by, alpha=alpha)
        flips = flip_rate(of.response, of.outcome, of.order, clusters=by, alpha=alpha)
        rows += [
            _rate(matrix, ask, "tie_rate", tied, "judge", judge, "share of ties"),
            _first_rate(matrix, ask, first, judge, of.order),
            _rate(matrix, ask, "flip_rate", flips, "judge", judge, _FLIP),
        ]
        if first.low is not None and first.high is not None and first.value is not None:
            beyond = first.low > 0.5 or first.high < 0.5
            if beyond and abs(first.value - 0.5) >= _BIASED:
                partial.append(f"{judge} ({first.value:.0%})")
        if flips.value is not None and flips.value >= _FLIPS:
            flipping.append(f"{judge} ({flips.value:.0%})")
    return rows, _unfair_note(matrix.criterion, partial, flipping)


def _unfair_note(
    criterion: str, partial: Sequence[str], flipping: Sequence[str]
) -> tuple[str, ...]:
    """Say in words which judges' verdicts hang on the order in which answers are shown."""
    told = []
    if partial:
        told.append(
            f"share of pairs that the answer shown first wins, 50% if fair: {', '.join(partial)}"
        )
    if flipping:
        told.append(f"share of verdicts that change when it is swapped: {', '.join(flipping)}")
    if not told:
        return ()
    note = (
        f"{criterion}: verdicts hang on the order in which answers are shown: {'; '.join(told)}; "
        "show every pair in both orders and count verdicts that change as undecided"
    )
    return (note,)


def _first_rate(
    matrix: Matrix, ask: Ask, rate: MeanInterval, judge: str, order: NDArray[np.float64]
) -> Finding:
    told = "share of pairs won by the answer shown first, ties half"
    if rate.value is None and order.size:
        missing = "no column `order` says which answer was shown first"
        return _unknown(matrix, "position_bias", "judge", judge, missing, told)
    share = float(np.mean(order[~np.isnan(order)] == 0)) if rate.value is not None else 0.5
    warnings = (
        (f"the first named was shown first in {share:.0%} of pairs: strength is in the rate too",)
        if abs(share - 0.5) > _BIASED
        else ()
    )
    return _rate(matrix, ask, "position_bias", rate, "judge", judge, told, warnings=warnings)


def _cycles(
    votes: _Votes, pair: NDArray[np.int64], systems: tuple[str, ...], matrix: Matrix, ask: Ask
) -> list[Finding]:
    """Give the share of circular triples, within items where those hold triples, else over all."""
    if len(systems) < 3 or len(systems) > _MOST_SYSTEMS:
        return []
    alpha = 1 - ask.level
    told = "share of triples of systems preferred in a circle"
    everyone = np.ones(votes.judge.size, dtype=np.bool_)
    found = _within_items(votes, pair, everyone, matrix, alpha)
    by_item = found is not None and found.value is not None
    rows = []
    for code, judge in ((-1, ""), *enumerate(matrix.judges)):
        own = votes.judge == code if judge else everyone
        if by_item and judge:
            found = _within_items(votes, pair, own, matrix, alpha)
        if found is None or not by_item:
            once = each_pair_once(pair[own, 0], pair[own, 1], votes.outcome[own])
            found = cycle_rate(*once, alpha=alpha)
        where = "within items" if by_item else "of all items together"
        kind: SubjectKind = "judge" if judge else "panel"
        rows.append(_rate(matrix, ask, "cycle_rate", found, kind, judge, f"{told}, {where}"))
    return rows


def _within_items(
    votes: _Votes,
    pair: NDArray[np.int64],
    own: NDArray[np.bool_],
    matrix: Matrix,
    alpha: float,
) -> MeanInterval | None:
    """Give the share of circular triples of one item; None where every item is of one pair."""
    least, most = (np.full(int(matrix.clusters.max()) + 1, fill) for fill in (2**31 - 1, -1))
    np.minimum.at(least, matrix.clusters, matrix.systems)
    np.maximum.at(most, matrix.clusters, matrix.systems)
    if (least >= most).all():
        return None
    one, two = pair[own].T
    return cycle_rate(one, two, votes.outcome[own], group=votes.cluster[own], alpha=alpha)


def _rate(  # noqa: PLR0913, PLR0917 - one argument a field
    matrix: Matrix,
    ask: Ask,
    name: str,
    rate: MeanInterval,
    kind: SubjectKind,
    subject: str,
    told: str,
    *,
    warnings: tuple[str, ...] = (),
) -> Finding:
    """Turn a rate into a finding that waits for whoever asks for it."""
    has = rate.low is not None
    return Finding(
        plugin="pairs",
        name=name,
        criterion=matrix.criterion,
        subject_kind=kind,
        subject=subject,
        value=rate.value,
        unit="share in [0, 1]",
        low=rate.low,
        high=rate.high,
        level=ask.level if has else None,
        n=rate.n,
        method=f"{told}; {rate.method}, by cluster" if has else told,
        assumptions=rate.assumptions if rate.value is not None else (),
        warnings=warnings,
        reason=rate.reason if rate.value is None else None,
        no_interval=rate.reason if rate.value is not None else None,
        details={"se": rate.se, "n_clusters": rate.n_clusters},
        headline=False,
    )


def _unknown(  # noqa: PLR0913, PLR0917 - one argument a field
    matrix: Matrix, name: str, kind: SubjectKind, subject: str, reason: str, method: str
) -> Finding:
    return Finding(
        plugin="pairs",
        name=name,
        criterion=matrix.criterion,
        subject_kind=kind,
        subject=subject,
        value=None,
        n=0,
        method=method,
        reason=reason,
        headline=False,
    )
