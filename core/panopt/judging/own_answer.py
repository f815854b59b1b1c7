"""What one judge alone says of a response, all its draws together, and how sure it is of that.

The rule of :func:`panopt.records.answers.answers_of`, one judge and one response at a time and
without numpy: what a live cascade decides, ``panopt analyze --certificate`` decides again from its
log. A test holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from panopt.judging.passes import REPEATS
from panopt.judging.protocol import Usage, Vote
from panopt.judging.verdict import Labelled, Numeric, Pairwise, VerdictKind
from panopt.records.margins import is_margin

__all__ = ["own_answer", "side_of"]

Side = float | str

#: The side of a draw that calls a tie: of a pair, no verdict.
_TIE = 0.5


def own_answer(
    judge: str, passes: Sequence[Vote], *, kind: VerdictKind, source: str, threshold: float = 0.5
) -> Vote:
    """Make one vote of all draws of a judge, with the confidence that they together have in it.

    Parameters
    ----------
    judge
        Its name.
    passes
        Its checked draws, of pairs both orders too, whose values are of the pair.
    kind
        Of verdict.
    source
        Where its confidence comes from. A draw that tells another has none.
    threshold
        A score on [0, 1] passes from here on.

    Returns
    -------
    Vote
        Status ``ok`` where it has a verdict: of numbers the mean, of everything else the
        commonest of its draws. It has abstained where these tie, or call a tie; failed where all
        failed. The confidence is the mean over the draws that tell one; of draws with the other
        verdict what is left to 1 (of a margin, its negative; of three verdicts or more 0). With
        `REPEATS` it is the share of draws on the verdict's side, of two draws or more.
    """
    usage = sum((one.usage for one in passes), Usage())
    decisive = [one for one in passes if one.status == "ok"]
    verdict = _verdict(decisive, kind)
    if verdict is None or (isinstance(kind, Pairwise) and verdict == _TIE):
        return _silent(judge, passes, decisive, usage)
    spoken = next(
        (one for one in decisive if _value(one) == verdict), decisive[0]
    )  # of numbers perhaps none is the mean
    side = side_of(verdict, kind, threshold)
    return replace(
        spoken,
        judge=judge,
        value=None if isinstance(verdict, str) else verdict,
        label=verdict if isinstance(verdict, str) else None,
        confidence=(found := _believed(decisive, side, kind, source, threshold)),
        confidence_source=None if found is None else source,
        draw=0,
        order=None,
        usage=usage,
        passes=tuple(passes) if len(passes) > 1 else (),
        note=spoken.note if len(passes) == 1 else "",
    )


def side_of(verdict: Side, kind: VerdictKind, threshold: float) -> Side:
    """Give what a verdict comes down to: a label, who won, pass (1) or fail (0)."""
    if isinstance(verdict, str) or isinstance(kind, Pairwise):
        return verdict
    return float(_unit(verdict, kind) >= threshold)


def _unit(value: float, kind: VerdictKind) -> float:
    if isinstance(kind, Numeric):
        return (value - kind.low) / (kind.high - kind.low)
    return value


def _value(vote: Vote) -> Side | None:
    return vote.label if vote.value is None else vote.value


def _verdict(decisive: Sequence[Vote], kind: VerdictKind) -> Side | None:
    values = [value for one in decisive if (value := _value(one)) is not None]
    if not values:
        return None
    if isinstance(kind, Numeric):
        numbers = [float(value) for value in values]
        return min(max(sum(numbers) / len(numbers), min(numbers)), max(numbers))
    counts = {value: values.count(value) for value in values}
    most = [value for value, count in counts.items() if count == max(counts.values())]
    return most[0] if len(most) == 1 else None


def _believed(
    decisive: Sequence[Vote], side: Side, kind: VerdictKind, source: str, threshold: float
) -> float | None:
    sides = [
        side_of(value, kind, threshold) for one in decisive if (value := _value(one)) is not None
    ]
    if source == REPEATS:
        return sides.count(side) / len(sides) if len(sides) > 1 else None
    two_sided = not isinstance(kind, Labelled | Pairwise)  # of labels no log tells how many
    margin = is_margin(source)
    total, told = 0.0, 0
    for one, own in zip(decisive, sides, strict=True):
        sure = one.confidence
        if sure is None or one.confidence_source != source:
            continue
        told += 1
        if own == side:
            total += sure
        elif margin:
            total -= sure
        elif two_sided:
            total += 1.0 - sure
    if not told:
        return None
    return total / told if margin else min(max(total / told, 0.0), 1.0)


def _silent(judge: str, passes: Sequence[Vote], decisive: Sequence[Vote], usage: Usage) -> Vote:
    """Give the vote of a judge without a verdict, and why."""
    quiet = [one for one in passes if one.status == "abstained"]
    first = (decisive or quiet or list(passes))[0]
    note = first.note
    if decisive:
        ties = all(one.value == _TIE for one in decisive)
        note = "it calls a tie" if ties else f"its {len(decisive)} draws tie"
    return replace(
        first,
        judge=judge,
        status="abstained" if decisive or quiet else "failed",
        value=None,
        label=None,
        confidence=None,
        confidence_source=None,
        probabilities=None,
        draw=0,
        order=None,
        usage=usage,
        passes=tuple(passes) if len(passes) > 1 else (),
        note=note,
    )
