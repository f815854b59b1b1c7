"""Turn what a judge answered, or how it broke, into one checked vote.

Every vote is checked before any is counted: a score off the range, an infinity, a label of no set
is one failed vote, never a lost response and never a pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from numbers import Real

from panopt.judging.protocol import Answer, Failure, FailureKind, Order, Usage, Vote
from panopt.judging.verdict import Boolean, Labelled, Numeric, Pairwise, VerdictKind, folded
from panopt.records.margins import is_margin
from panopt.records.markdown import readable

__all__ = ["checked", "failed_vote", "read_vote"]

#: What a judge of pairs may answer: the place that won as shown.
PLACES: Mapping[str, float] = {"first": 1.0, "tie": 0.5, "second": 0.0}

_TRUTHS: Mapping[str, float] = {
    "true": 1.0,
    "false": 0.0,
    "yes": 1.0,
    "no": 0.0,
    "pass": 1.0,
    "fail": 0.0,
}
_SURE = 1e-6  # probabilities may miss a sum of 1 by rounding
_MOST_MESSAGE = 500
_MOST_QUOTE = 60

Read = tuple[float | None, str | None]


def read_vote(  # noqa: PLR0913 - whose answer it is
    answer: object,
    *,
    judge: str,
    kind: VerdictKind,
    draw: int = 0,
    order: Order | None = None,
    stands_for: str | None = None,
) -> Vote:
    """Check an answer against the kind of verdict that was asked for.

    Parameters
    ----------
    answer
        What the judge gave, whatever it is.
    judge, draw, order, stands_for
        Whose it is and which; see :class:`panopt.judging.protocol.Vote`.
    kind
        What was asked for.

    Returns
    -------
    Vote
        ``ok`` with a value or label on the scale, in the order of the pair and not as shown;
        ``abstained``; or ``failed`` with the rule that the verdict breaks. A confidence or
        probabilities that are none are left out, and the note says so.

    Examples
    --------
    >>> vote = read_vote(Answer(85), judge="a", kind=Numeric(0, 1))
    >>> vote.status, vote.failure.message
    ('failed', 'score 85 is off the range 0 to 1')
    >>> read_vote(Answer("first"), judge="a", kind=Pairwise(), order=1).value
    0.0
    """
    if not isinstance(answer, Answer):
        told = f"the judge gave a {type(answer).__name__}, not an answer"
        return failed_vote(judge, "parse", told, draw=draw, order=order, stands_for=stands_for)
    usage = _usage(answer.usage)
    rationale = _text(answer.rationale)
    cached = answer.cached is True
    blank = Vote(
        judge, "abstained", None, None, rationale, None, draw=draw, order=order,
        stands_for=stands_for, usage=usage, cached=cached,
    )  # fmt: skip
    if answer.abstained:
        return blank
    read = _read(answer.verdict, kind)
    if isinstance(read, str):
        return replace(blank, status="failed", failure=Failure("parse", read))
    value, label = read
    if order == 1 and value is not None:
        value = 1.0 - value
    confidence, odd = _confidence(answer.confidence, answer.confidence_source)
    shares, wrong = _probabilities(answer.probabilities)
    source = answer.confidence_source if isinstance(answer.confidence_source, str) else None
    return Vote(
        judge,
        "ok",
        value,
        label,
        rationale,
        None,
        confidence,
        None if confidence is None else source,
        shares,
        draw,
        order,
        stands_for,
        usage=usage,
        cached=cached,
        note="; ".join(part for part in (odd, wrong) if part),
    )


def failed_vote(  # noqa: PLR0913 - whose it is
    judge: str,
    kind: FailureKind,
    message: str,
    *,
    draw: int = 0,
    order: Order | None = None,
    stands_for: str | None = None,
    usage: Usage = Usage(calls=1),  # noqa: B008 - frozen
) -> Vote:
    """Give the vote of a judge that could not answer."""
    return Vote(
        judge,
        "failed",
        failure=Failure(kind, readable(message[:_MOST_MESSAGE])),
        draw=draw,
        order=order,
        stands_for=stands_for,
        usage=_usage(usage),
    )


def checked(vote: Vote, kind: VerdictKind) -> Vote:
    """Check a vote that was not read by :func:`read_vote`: values on the scale, statuses true.

    Examples
    --------
    >>> checked(Vote("a", "ok", float("nan")), Numeric()).failure.message
    'score nan is not finite'
    """
    if vote.status != "ok":
        if vote.value is None and vote.label is None:
            return vote
        return replace(vote, value=None, label=None)
    read = _known(vote, kind)
    if isinstance(read, str):
        trouble = Failure("parse", read)
        return replace(vote, status="failed", value=None, label=None, failure=trouble)
    if read == (vote.value, vote.label) and type(vote.value) is not bool:
        return vote
    return replace(vote, value=read[0], label=read[1])


def _known(vote: Vote, kind: VerdictKind) -> Read | str:
    """Read the value or label of a vote; of pairs it is a number already, not a place."""
    if isinstance(kind, Labelled):
        return _read(vote.label, kind)
    if isinstance(kind, Pairwise):
        if vote.value is None or vote.value not in PLACES.values():
            return f"{_shown(vote.value)} is neither 1, 1/2 (a tie) nor 0"
        if vote.value == PLACES["tie"] and not kind.ties:
            return "a tie is not among the verdicts"
        return float(vote.value), None
    return _read(vote.value, kind)


def _read(verdict: object, kind: VerdictKind) -> Read | str:
    """Give value and label of a verdict, or what is wrong with it."""
    if verdict is None:
        return "the judge gave no verdict"
    match kind:
        case Boolean():
            return _truth(verdict)
        case Labelled():
            return _label(verdict, kind)
        case Numeric():
            return _number(verdict, kind)
        case Pairwise():
            return _place(verdict, kind)


def _truth(verdict: object) -> Read | str:
    if isinstance(verdict, str):
        value = _TRUTHS.get(folded(verdict))
    else:
        value = float(verdict) if isinstance(verdict, Real) and verdict in {0, 1} else None
    if value is None:
        return f"{_shown(verdict)} is neither true nor false"
    return value, None


def _label(verdict: object, kind: Labelled) -> Read | str:
    label = kind.find(verdict) if isinstance(verdict, str) else None
    if label is None:
        allowed = ", ".join(kind.labels)
        return f"{_shown(verdict)} is none of the labels {allowed}"
    return None, label


def _number(verdict: object, kind: Numeric) -> Read | str:
    if isinstance(verdict, bool) or not isinstance(verdict, (Real, str)):
        return f"{_shown(verdict)} is not a number"
    try:
        value = float(verdict)
    except (ValueError, OverflowError):
        return f"{_shown(verdict)} is not a number"
    if not math.isfinite(value):
        return f"score {value:g} is not finite"
    if not kind.low <= value <= kind.high:
        return f"score {value:g} is off the range {kind.low:g} to {kind.high:g}"
    return value, None


def _place(verdict: object, kind: Pairwise) -> Read | str:
    place = folded(verdict) if isinstance(verdict, str) else ""
    value = PLACES.get(place)
    if value is None:
        return f"{_shown(verdict)} is neither first, second nor tie"
    if place == "tie" and not kind.ties:
        return "a tie is not among the verdicts"
    return value, None


def _confidence(given: object, source: object) -> tuple[float | None, str]:
    if given is None:
        return None, ""
    number = isinstance(given, Real) and not isinstance(given, bool)
    confidence = float(given) if number else math.nan  # type: ignore[arg-type]
    if is_margin(source if isinstance(source, str) else None):
        rule, fits = "finite", math.isfinite(confidence)
    else:
        rule, fits = "in [0, 1]", 0.0 <= confidence <= 1.0
    return (confidence, "") if fits else (None, f"confidence {_shown(given)} is not {rule}")


def _probabilities(given: object) -> tuple[Mapping[str, float] | None, str]:
    if given is None:
        return None, ""
    if not isinstance(given, Mapping):
        return None, "probabilities are no mapping"
    shares = {str(label): _amount(share) for label, share in given.items()}
    known = {label: share for label, share in shares.items() if share is not None}
    if len(known) < len(shares) or math.fsum(known.values()) > 1.0 + _SURE:
        return None, "probabilities are not in [0, 1] with a sum of at most 1"
    return known, ""


def _usage(given: object) -> Usage:
    """Keep of a usage what can be true."""
    if not isinstance(given, Usage):
        return Usage(calls=1)
    calls = _count(given.calls)
    tokens = (_count(given.input_tokens), _count(given.output_tokens))
    cost, seconds = _amount(given.cost), _amount(given.seconds)
    return Usage(1 if calls is None else calls, *tokens, cost, seconds)


def _count(given: object) -> int | None:
    number = isinstance(given, int) and not isinstance(given, bool) and given >= 0
    return given if number else None  # type: ignore[return-value]


def _amount(given: object) -> float | None:
    number = isinstance(given, Real) and not isinstance(given, bool)
    amount = float(given) if number else math.nan  # type: ignore[arg-type]
    return amount if math.isfinite(amount) and amount >= 0 else None


def _text(given: object) -> str:
    """Keep a text as it is, without halves of signs, which no file can hold."""
    text = given if isinstance(given, str) else "" if given is None else _shown(given)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _shown(given: object) -> str:
    """Quote a verdict in a message, shortly."""
    try:
        text = f"{given:g}" if isinstance(given, float) else repr(given)
    except Exception:  # noqa: BLE001 - other people's objects, and numbers too long to write
        text = f"<{type(given).__name__}>"
    return readable(text if len(text) <= _MOST_QUOTE else f"{text[:_MOST_QUOTE]}...")
