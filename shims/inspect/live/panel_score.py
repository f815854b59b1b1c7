"""A ruling as Inspect's score: a number a judge, the panel's beside them, and every call behind it.

The score is a dict of fixed keys: ``panel``, the panel's score or label; ``passed``, 1 or 0, where
verdicts can pass; ``agreement`` and ``n``, the share of the decisive votes in the largest bloc and
their number; and one for each judge. What is missing is NaN, never None, which Inspect's reducers
count as 0.

The metadata hold, in plain JSON, ``jury`` (how the panel was asked and what came out), ``votes``
(every call, column by column), and where there are any ``errors``, ``probabilities``,
``rationales`` and ``notes`` by the number of the call. The first two are under 1 kB up to some nine
judges, so that the sample summaries keep them. :mod:`panopt.shims.inspect.juries` reads them back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inspect_ai.scorer import Score

from panopt.judging.ballot import failed_vote
from panopt.judging.protocol import Judge, Usage, Vote
from panopt.judging.rules import rule_on
from panopt.judging.ruling import Ruling
from panopt.judging.verdict import Boolean, Labelled, Numeric, Pairwise, VerdictKind, scale_text
from panopt.shims.inspect.juries import BY, PANEL, SCHEMA

__all__ = ["AGREEMENT", "COUNT", "PANEL", "PASSED", "Panel", "key_of"]

#: Keys of a score that are no judge's.
PASSED, AGREEMENT, COUNT = "passed", "agreement", "n"
RESERVED = frozenset({PANEL, PASSED, AGREEMENT, COUNT})

MOST_RATIONALE = 4000  # characters
MOST_ERROR = 160
#: What is left out of the metadata where it is 0: nothing of the kind happened.
COUNTED = frozenset(
    {"abstained", "failed", "replaced", "flipped", "degraded", "asked", "calls", "cached"}
)
STATUS = {"ok": "o", "abstained": "a", "failed": "f"}
REASONS = {
    "all_failed": "grader_failed",
    "all_abstained": "panopt:abstained",
    "response_error": "no_response",
}


@dataclass(frozen=True, slots=True)
class Panel:
    """Who is on a panel, for the scores of all its responses.

    Attributes
    ----------
    judges
        Members and replacements, in order.
    kind
        What verdict was wanted.
    criterion
        As it was given; None: the reader names it by the score.
    prompts
        Hash of each judge's prompt, by name.
    models
        Model behind each judge, where it is not its name.
    n_members
        How many of `judges` are members.
    """

    judges: tuple[str, ...]
    kind: VerdictKind
    criterion: str | None
    prompts: Mapping[str, str]
    models: Mapping[str, str]
    n_members: int

    @classmethod
    def of(
        cls,
        members: Sequence[Judge],
        replacements: Sequence[Judge],
        kind: VerdictKind,
        criterion: str | None,
    ) -> Panel:
        """Make it of the judges themselves."""
        everyone = (*members, *replacements)
        return cls(
            tuple(judge.name for judge in everyone),
            kind,
            criterion,
            {judge.name: judge.prompt_hash for judge in everyone if judge.prompt_hash},
            {
                judge.name: judge.model
                for judge in everyone
                if judge.model and judge.model != judge.name
            },
            len(members),
        )

    def score(self, ruling: Ruling) -> Score:
        """Write a ruling as a score."""
        cast = {vote.judge: vote for vote in ruling.votes}
        value: dict[str, str | float] = {PANEL: _panel_value(ruling)}
        if _can_pass(ruling):
            value[PASSED] = math.nan if ruling.passed is None else float(ruling.passed)
        value[AGREEMENT] = math.nan if ruling.agreement is None else ruling.agreement
        value[COUNT] = ruling.n_decisive
        for judge in self.judges:
            vote = cast.get(judge)
            value[key_of(judge)] = math.nan if vote is None else _vote_value(vote)
        return Score(
            value=value,
            answer=_answer(ruling),
            explanation=ruling.explanation,
            reason=self._reason(ruling),
            metadata=self.metadata(ruling),
        )

    def failed(self, error: str) -> Score:
        """Give the score where the scorer itself broke: every member without a vote, and why."""
        told = error[:MOST_RATIONALE]
        members = self.judges[: self.n_members]
        votes = tuple(failed_vote(judge, "unknown", told, usage=Usage()) for judge in members)
        score = self.score(rule_on(votes, kind=self.kind))
        return score.model_copy(update={"reason": "scoring_failed"})

    def metadata(self, ruling: Ruling) -> dict[str, Any]:
        """Give all of a ruling that the score does not say."""
        used, copies = ruling.usage, sum(call.free for call in ruling.calls)
        jury = {
            "by": BY,
            "schema": SCHEMA,
            "kind": type(ruling.kind).__name__.lower(),
            "scale": scale_text(ruling.kind),
            "criterion": self.criterion,
            "judges": list(self.judges),
            "members": self.n_members,
            "prompts": _one([self.prompts.get(judge) for judge in self.judges]),
            "models": dict(self.models) or None,
            "rule": ruling.rule,
            "threshold": ruling.threshold,
            "outcome": ruling.outcome,
            "passed": ruling.passed,
            "asked": ruling.n_asked,
            "abstained": ruling.n_abstained,
            "failed": ruling.n_failed,
            "replaced": ruling.n_replaced,
            "flipped": ruling.n_flipped,
            "degraded": ruling.degraded,
            "disagreement": _short(ruling.disagreement),
            "sd": _short(ruling.sd),
            "calls": used.calls,
            "cost": used.cost,
            "cached": copies,
            "spent": ruling.spent.cost or 0.0 if copies and used.cost is not None else None,
        }
        calls = ruling.calls
        told = {
            name: given
            for name, given in jury.items()
            if given is not None and (given or name not in COUNTED)
        }
        return {"jury": told, "votes": self._votes(calls), **_texts(calls, self.kind)}

    def _votes(self, calls: Sequence[Vote]) -> dict[str, Any]:
        """Give the calls as columns; one that says nothing is left out."""
        place = {judge: i for i, judge in enumerate(self.judges)}
        columns: dict[str, list[Any] | str] = {
            "judge": [place.get(call.judge, call.judge) for call in calls],
            "status": "".join(STATUS[call.status] for call in calls),
            "value": [call.label if call.value is None else call.value for call in calls],
            "draw": [call.draw or None for call in calls],
            "order": [call.order for call in calls],
            "for": [place.get(call.stands_for or "") for call in calls],
            "confidence": [call.confidence for call in calls],
            "source": _one([call.confidence_source for call in calls]),
            "in": [call.usage.input_tokens for call in calls],
            "out": [call.usage.output_tokens for call in calls],
            "cost": [_short(call.usage.cost) for call in calls],
            "seconds": [_short(call.usage.seconds, 3) for call in calls],
            "cached": [call.cached or None for call in calls],
        }
        return {
            name: column
            for name, column in columns.items()
            if isinstance(column, str) or any(entry is not None for entry in column)
        }

    def _reason(self, ruling: Ruling) -> str | None:
        has_value = ruling.value is not None or ruling.label is not None
        if ruling.outcome == "decided" or has_value:
            return None
        if ruling.unpaid:
            return "panopt:budget"
        return REASONS.get(ruling.outcome, f"panopt:{ruling.outcome}")


def key_of(judge: str) -> str:
    """Name a judge's key in a score.

    Examples
    --------
    >>> key_of("openai/gpt-4o"), key_of("panel")
    ('openai/gpt-4o', 'judge panel')
    """
    return f"judge {judge}" if judge in RESERVED else judge


def _one(entries: list[str | None]) -> str | list[str | None]:
    """Give the one entry of all, where they are the same; else the column."""
    first = entries[0] if entries else None
    return first if first is not None and set(entries) == {first} else entries


def _texts(calls: Sequence[Vote], kind: VerdictKind) -> dict[str, dict[str, Any]]:
    """Give what calls wrote or broke of, by the number of the call."""
    texts: dict[str, dict[str, Any]] = {
        "errors": {
            str(i): f"{call.failure.kind}: {call.failure.message[:MOST_ERROR]}"
            for i, call in enumerate(calls)
            if call.failure is not None
        },
        "rationales": {
            str(i): call.rationale[:MOST_RATIONALE]
            for i, call in enumerate(calls)
            if call.rationale
        },
        "probabilities": {
            str(i): _in_order(call.probabilities, kind)
            for i, call in enumerate(calls)
            if call.probabilities
        },
        "notes": {str(i): call.note[:MOST_ERROR] for i, call in enumerate(calls) if call.note},
    }
    return {name: given for name, given in texts.items() if given}


def _in_order(shares: Mapping[str, float], kind: VerdictKind) -> dict[str, float]:
    """Bring the options of a verdict to the order of the scale, lowest first."""
    order: tuple[str, ...] = ()
    if isinstance(kind, Labelled):
        order = kind.labels
    elif isinstance(kind, Boolean):
        order = ("false", "true")
    elif isinstance(kind, Pairwise):
        order = ("second", "tie", "first")
    return {option: shares[option] for option in order if option in shares} | dict(shares)


def _can_pass(ruling: Ruling) -> bool:
    match ruling.kind:
        case Boolean():
            return True
        case Labelled():
            return ruling.kind.passing is not None
        case Numeric():
            return ruling.kind.threshold is not None or ruling.threshold is not None
        case Pairwise():
            return False


def _panel_value(ruling: Ruling) -> str | float:
    if ruling.label is not None:
        return ruling.label
    return math.nan if ruling.value is None else float(ruling.value)


def _vote_value(vote: Vote) -> str | float:
    if vote.status != "ok":
        return math.nan
    return vote.label if vote.value is None and vote.label is not None else _number(vote.value)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _answer(ruling: Ruling) -> str:
    if ruling.label is not None:
        return ruling.label
    if ruling.passed is not None:
        return "pass" if ruling.passed else "fail"
    if isinstance(ruling.kind, Pairwise) and ruling.value is not None:
        return {1.0: "first", 0.0: "second"}.get(ruling.value, "tie")
    return ruling.outcome if ruling.value is None else f"{ruling.value:.4g}"


def _short(number: float | None, digits: int = 6) -> float | None:
    """Round what summaries must hold; exact to six digits."""
    if number is None:
        return None
    return float(f"{number:.{digits}g}")
