"""What a cascade made of a response, as Inspect's score.

The score is a dict of fixed keys: ``panel``, the verdict of the judge that decided; ``passed``, 1
or 0, where verdicts can pass; ``decided`` and ``abstained``, 1 or 0; ``stage``, the number of the
judge that decided; and one for each judge. What is missing is NaN: a judge that was not asked, the
stage where nobody decided. The metadata are those of a jury
(:mod:`panopt.shims.inspect.live.panel_score`), so that analyses read every call back, and under
``cascade`` who decided by which threshold, and what is promised.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from inspect_ai.scorer import Score

from panopt.cascade import Cascade, Passage, Step
from panopt.judging.breakdown import told
from panopt.judging.rules import rule_on
from panopt.judging.ruling import Ruling
from panopt.judging.verdict import Labelled, Numeric, Pairwise
from panopt.records.markdown import escaped
from panopt.shims.inspect.juries import PANEL
from panopt.shims.inspect.live.panel_score import PASSED, Panel

__all__ = ["ABSTAINED", "CASCADE", "DECIDED", "STAGE", "key_for", "score_of"]

#: Keys of a score that are no judge's, and where the rest stands in the metadata.
DECIDED, STAGE, ABSTAINED = "decided", "stage", "abstained"
CASCADE = "cascade"
RESERVED = frozenset({PANEL, PASSED, DECIDED, STAGE, ABSTAINED})

MOST_NAME = 80
MOST_RATIONALE = 240
MOST_WORDS = 300
REASONS = {
    "abstained": "panopt:abstained",
    "budget": "panopt:budget",
    "response_error": "no_response",
    "asked_all": "panopt:asked_all",
}


def score_of(cascade: Cascade, passage: Passage, *, broke: str | None = None) -> Score:
    """Write what became of a response.

    Parameters
    ----------
    cascade, passage
        Who might have been asked, and what came of it.
    broke
        Why the scorer itself could not judge, where it could not.
    """
    kind, vote = cascade.kind, passage.vote
    cast = {step.vote.judge: step.vote for step in passage.steps}
    judged = passage.end in ("decided", "abstained", "budget")
    value: dict[str, str | float] = {PANEL: math.nan}
    if vote is not None:
        value[PANEL] = vote.label if vote.label is not None else _number(vote.value)
    if _can_pass(cascade):
        value[PASSED] = math.nan if passage.passed is None else float(passage.passed)
    value[DECIDED] = float(vote is not None) if judged else math.nan
    value[ABSTAINED] = float(vote is None) if judged else math.nan
    value[STAGE] = math.nan if passage.stage is None else float(passage.stage)
    for judge in cascade.judges:
        own = cast.get(judge.name)
        given = None if own is None or own.status != "ok" else own
        value[key_for(judge.name)] = (
            math.nan
            if given is None
            else (given.label if given.label is not None else _number(given.value))
        )
    ruling = _ruling(cascade, passage)
    panel = Panel.of(cascade.judges, (), kind, cascade.criterion)
    return Score(
        value=value,
        answer=passage.end if vote is None else told(vote, ruling),
        explanation=_explanation(cascade, passage, ruling),
        reason="scoring_failed" if broke is not None else REASONS.get(passage.end),
        metadata=panel.metadata(ruling) | {CASCADE: _told(cascade, passage, broke)},
    )


def key_for(judge: str) -> str:
    """Name a judge's key in the score of a cascade.

    Examples
    --------
    >>> key_for("openai/gpt-4o"), key_for("stage")
    ('openai/gpt-4o', 'judge stage')
    """
    return f"judge {judge}" if judge in RESERVED else judge


def _ruling(cascade: Cascade, passage: Passage) -> Ruling:
    """Give the votes in the form of a jury's, with the deciding judge's verdict for the panel's."""
    error = passage.reason if passage.end == "response_error" else None
    counted = rule_on(
        [step.vote for step in passage.steps], kind=cascade.kind, response_error=error
    )
    vote = passage.vote
    return replace(
        counted,
        outcome=passage.end,
        value=None if vote is None else vote.value,
        label=None if vote is None else vote.label,
        passed=passage.passed,
        rule=CASCADE,
        degraded=False,
        reason=None if vote is not None else passage.reason,
    )


def _told(cascade: Cascade, passage: Passage, broke: str | None) -> dict[str, Any]:
    """Give who decided and what is promised: under 1 kB, so that summaries keep it."""
    made = cascade.certificate
    vote = passage.vote
    found: dict[str, Any] = {
        "end": passage.end,
        "stage": passage.stage,
        "judge": None if vote is None else vote.judge,
        "confidence": None if vote is None else vote.confidence,
        "source": None if vote is None else vote.confidence_source,
        "certificate": None if made is None else made.sha256,
        "alpha": None if made is None else made.alpha,
        "delta": None if made is None else made.delta,
        "thresholds": list(cascade.thresholds) or None,
        "no_guarantee": cascade.no_guarantee,
        "broke": None if broke is None else broke[:MOST_WORDS],
    }
    return {name: given for name, given in found.items() if given is not None}


def _explanation(cascade: Cascade, passage: Passage, ruling: Ruling) -> str:
    n, vote = len(cascade.judges), passage.vote
    if vote is not None:
        passed = {True: "PASS", False: "FAIL", None: "DECIDED"}[passage.passed]
        head = f"{passed}: stage {passage.stage} of {n} decides, {told(vote, ruling, escaped)}"
    else:
        head = f"{passage.end.replace('_', ' ').upper()}: {escaped(passage.reason[:MOST_WORDS])}"
    lines = [head]
    if passage.steps:
        lines += ["", *(_line(step, ruling) for step in passage.steps)]
    if cascade.no_guarantee is not None:
        lines += ["", escaped(cascade.no_guarantee)]
    elif cascade.certificate is not None and vote is not None:
        lines += ["", escaped(f"trusted by {cascade.certificate.name}")]
    return "\n".join(lines)


def _line(step: Step, ruling: Ruling) -> str:
    vote = step.vote
    said = told(vote, ruling, escaped) if vote.status == "ok" else vote.status
    line = f"- **{escaped(vote.judge[:MOST_NAME])}** {said}: {escaped(step.reason[:MOST_WORDS])}"
    if vote.rationale:
        text = escaped(vote.rationale[:MOST_RATIONALE].rstrip())
        line += f". {text}{'...' if len(vote.rationale) > MOST_RATIONALE else ''}"
    return line


def _can_pass(cascade: Cascade) -> bool:
    match cascade.kind:
        case Labelled():
            return cascade.kind.passing is not None
        case Numeric():
            return cascade.kind.threshold is not None or cascade.certificate is not None
        case Pairwise():
            return False
        case _:
            return True


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
