"""Reduce the repeated draws of one judge on one response to one vote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from statistics import median

from panopt.errors import AskError
from panopt.judging.pairs import both_ways
from panopt.judging.protocol import Usage, Vote
from panopt.judging.verdict import Labelled, Numeric, Pairwise, VerdictKind

__all__ = [
    "REDUCTIONS",
    "REPEATS",
    "TIE_BREAKS",
    "break_tie",
    "reduce_passes",
    "reduction_of",
    "verdict_of",
]

#: Source of a confidence that is counted from repeats, as in :mod:`panopt.records.answers`.
REPEATS = "vote share over repeats"
#: How repeats become one vote: numbers by their mean or median, everything else by plurality.
REDUCTIONS = ("mean", "median", "plurality")
#: Which of the verdicts given equally often counts: none, by the order of the scale, or of giving.
TIE_BREAKS = (None, "low", "high", "first")

Verdict = float | str


def reduction_of(kind: VerdictKind, reduce: str | None) -> str:
    """Give the way to reduce repeats of a kind, and refuse one that does not suit it.

    Raises
    ------
    AskError
        Naming `reduce`.
    """
    if reduce is None:
        return "mean" if isinstance(kind, Numeric) else "plurality"
    if reduce not in REDUCTIONS:
        raise AskError(f"reduce = {reduce!r} must be one of {', '.join(REDUCTIONS)}")
    if isinstance(kind, Numeric) == (reduce == "plurality"):
        fits = "mean or median" if isinstance(kind, Numeric) else "plurality"
        raise AskError(f"reduce = {reduce!r} does not suit {type(kind).__name__}; use {fits}")
    return reduce


def reduce_passes(
    passes: Sequence[Vote],
    *,
    kind: VerdictKind,
    reduce: str | None = None,
    tie_break: str | None = None,
) -> Vote:
    """Make one vote of all draws of one judge on one response.

    Parameters
    ----------
    passes
        Its checked draws; of pairs, with the order shown. One or more.
    kind
        Kind of verdict.
    reduce
        A name in `REDUCTIONS`; by default as suits the kind.
    tie_break
        A name in `TIE_BREAKS`: what counts where draws tie; None: the judge abstains.

    Returns
    -------
    Vote
        With all draws in `passes`, their usage added up, and the confidence that they together
        give this verdict: the mean of theirs (of a draw with the other verdict what is left to
        one, of three verdicts nothing), or without any the share of draws that gave it. A judge
        no draw of which is decisive has abstained if one did, else failed.

    Examples
    --------
    >>> from panopt.judging.verdict import Boolean
    >>> draws = [Vote("a", "ok", value, draw=k) for k, value in enumerate((1.0, 1.0, 0.0))]
    >>> vote = reduce_passes(draws, kind=Boolean())
    >>> vote.value, round(vote.confidence, 3), vote.confidence_source
    (1.0, 0.667, 'vote share over repeats')
    """
    how = reduction_of(kind, reduce)
    if len(passes) == 1:
        return passes[0]
    draws = list(passes)
    if isinstance(kind, Pairwise):
        by_draw = sorted(passes, key=attrgetter("draw"))
        draws = [both_ways(list(one)) for _, one in groupby(by_draw, key=attrgetter("draw"))]
    usage = passes[0].usage
    for one in passes[1:]:
        usage += one.usage
    decisive = [one for one in draws if one.status == "ok"]
    if not decisive:
        return _undecided(draws, passes, usage)
    verdict = _reduced(decisive, kind, how, tie_break)
    if verdict is None:
        silent = replace(decisive[0], status="abstained", value=None, label=None)
        note = f"its {len(decisive)} draws tie"
        return _whole(silent, passes, usage, note=note, flipped=False)
    confidence, source = _believed(verdict, [one for one in passes if one.status == "ok"], kind)
    spoken = _nearest(decisive, verdict)
    return replace(
        spoken,
        value=None if isinstance(verdict, str) else verdict,
        label=verdict if isinstance(verdict, str) else None,
        confidence=confidence,
        confidence_source=source,
        probabilities=_mean_probabilities(decisive),
        draw=0,
        order=None,
        usage=usage,
        cached=all(one.cached for one in passes),
        passes=tuple(passes),
        note="",
    )


def _undecided(draws: Sequence[Vote], passes: Sequence[Vote], usage: Usage) -> Vote:
    silent = [one for one in draws if one.status == "abstained"]
    chosen = next((one for one in silent if one.flipped), (silent or draws)[0])
    flipped = any(one.flipped for one in draws)
    return _whole(chosen, passes, usage, note=chosen.note, flipped=flipped)


def _whole(vote: Vote, passes: Sequence[Vote], usage: Usage, *, note: str, flipped: bool) -> Vote:
    """Give the vote of a judge without a verdict."""
    return replace(
        vote,
        confidence=None,
        confidence_source=None,
        probabilities=None,
        draw=0,
        order=None,
        flipped=flipped,
        usage=usage,
        cached=all(one.cached for one in passes),
        passes=tuple(passes),
        note=note,
    )


def verdict_of(vote: Vote) -> Verdict:
    """Give the value or label of a decisive vote."""
    found = vote.label if vote.value is None else vote.value
    if found is None:
        raise ValueError(f"the vote of {vote.judge!r} is not decisive")
    return found


def _reduced(
    decisive: Sequence[Vote], kind: VerdictKind, how: str, tie_break: str | None
) -> Verdict | None:
    if how == "mean":
        values = [float(verdict_of(one)) for one in decisive]
        return min(max(sum(values) / len(values), min(values)), max(values))
    if how == "median":
        return median(float(verdict_of(one)) for one in decisive)
    counts: dict[Verdict, int] = {}
    for one in decisive:
        counts[verdict_of(one)] = counts.get(verdict_of(one), 0) + 1
    most = max(counts.values())
    tied = [verdict for verdict, count in counts.items() if count == most]
    return tied[0] if len(tied) == 1 else break_tie(tied, kind, tie_break)


def break_tie(tied: Sequence[Verdict], kind: VerdictKind, tie_break: str | None) -> Verdict | None:
    """Give the verdict that counts of those given equally often, in the order of giving."""
    if tie_break is None:
        return None
    if tie_break == "first":
        return tied[0]

    def place(verdict: Verdict) -> float:
        if isinstance(verdict, str) and isinstance(kind, Labelled):
            return kind.labels.index(verdict)
        return float(verdict)

    return (min if tie_break == "low" else max)(tied, key=place)


def _believed(
    verdict: Verdict, decisive: Sequence[Vote], kind: VerdictKind
) -> tuple[float | None, str | None]:
    """Give the confidence of all draws together in a verdict, and its source."""
    side = _side(verdict, kind)
    stated = [one for one in decisive if one.confidence is not None]
    if not stated:
        if side is None or len(decisive) < 2:
            return None, None
        same = sum(_side(verdict_of(one), kind) == side for one in decisive)
        return same / len(decisive), REPEATS
    sources = sorted({one.confidence_source or "stated" for one in stated})
    margin = any(source.casefold().startswith("margin") for source in sources)
    two_sided = not isinstance(kind, Labelled | Pairwise)  # of labels no log tells how many
    total = 0.0
    for one in stated:
        sure = one.confidence or 0.0
        if side is None or _side(verdict_of(one), kind) == side:
            total += sure
        elif margin:
            total -= sure
        elif two_sided:
            total += 1.0 - sure
    return total / len(stated), " and ".join(sources)


def _side(verdict: Verdict, kind: VerdictKind) -> Verdict | None:
    """Give what a confidence is in: pass or fail, a label, a winner; None where nothing is."""
    if isinstance(kind, Numeric):
        return None if kind.threshold is None else float(float(verdict) >= kind.threshold)
    return verdict


def _nearest(decisive: Sequence[Vote], verdict: Verdict) -> Vote:
    """Give the draw that speaks for all: of the same verdict, or the nearest score."""
    if isinstance(verdict, str):
        return next(one for one in decisive if one.label == verdict)
    return min(decisive, key=lambda one: abs((one.value or 0.0) - verdict))


def _mean_probabilities(decisive: Sequence[Vote]) -> dict[str, float] | None:
    """Average the probabilities, where every draw has them of the same labels."""
    tables = [one.probabilities for one in decisive]
    first = tables[0]
    if first is None:
        return None
    total = dict.fromkeys(first, 0.0)
    for table in tables:
        if table is None or table.keys() != total.keys():
            return None
        for label, share in table.items():
            total[label] += share
    return {label: share / len(tables) for label, share in total.items()}
