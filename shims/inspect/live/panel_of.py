"""The scorer ``panopt/panel_of``: a panel of scorers that ran already; it calls no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import TaskState

from panopt.errors import AskError
from panopt.judging.ballot import failed_vote, read_vote
from panopt.judging.protocol import Answer, Usage, Vote
from panopt.judging.rules import checked_weights, rule_for, rule_on
from panopt.judging.ruling import Ruling
from panopt.judging.verdict import Labelled, VerdictKind
from panopt.shims.inspect.live.bench import response_error
from panopt.shims.inspect.live.metrics import panel_agreement, panel_judges, panel_mean, panel_votes
from panopt.shims.inspect.live.options import kind_of, listed, mapping, number, outspoken
from panopt.shims.inspect.live.panel_score import Panel
from panopt.shims.inspect.values import convert

__all__ = ["panel_of"]

NO_CALL = Usage(calls=0)


@scorer(metrics=[panel_mean(), panel_agreement(), panel_judges(), panel_votes()])
@outspoken
def panel_of(  # noqa: PLR0913 - every option of a rule, each with a default
    scorers: str | Sequence[str],
    kind: str = "boolean",
    *,
    criterion: str | None = None,
    labels: str | Sequence[str] | None = None,
    passing_labels: str | Sequence[str] | None = None,
    score_range: str | Sequence[float] | None = None,
    threshold: float | None = None,
    rule: str | None = None,
    min_successful: int = 1,
    tie_break: str | None = None,
    weights: str | Mapping[str, float] | None = None,
) -> Scorer:
    """Combine scores that other scorers of the task gave, as a panel.

    Put it behind them in the task's list, or run it on a log of theirs (``inspect score --action
    append``). C, P and I are 1, 1/2 and 0; a score that is NaN failed, or abstained where its
    reason says so; N abstains.

    Parameters
    ----------
    scorers
        Names of the scores; ``NAME.KEY`` is one key of a score that is a dict.
    kind, labels, passing_labels, score_range, threshold
        What verdict the scores are; as those of :func:`panopt.shims.inspect.live.jury.jury`.
    criterion
        Name of what is judged.
    rule, min_successful, tie_break, weights
        How votes count; see :func:`panopt.judging.rules.rule_on`.

    Raises
    ------
    AskError
        Naming the option that is wrong.
    """
    names = listed("scorers", scorers)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise AskError(f"scorers name {twice!r} twice")
    quorum: object = min_successful  # -S gives whatever the command line says
    if not isinstance(quorum, int) or not 1 <= quorum <= len(names):
        raise AskError(
            f"min_successful = {min_successful!r} must lie in 1..{len(names)}, the panel's size"
        )
    verdict = kind_of(
        kind,
        labels=labels,
        passing_labels=passing_labels,
        score_range=score_range,
        threshold=threshold,
    )
    shares = {
        str(name): number("weights", own) for name, own in mapping("weights", weights).items()
    }
    counted = checked_weights(rule_for(verdict, rule), shares or None)
    stranger = next((name for name in shares if name not in names), None)
    if stranger is not None:
        raise AskError(f"weights name {stranger!r}, which is none of {', '.join(names)}")
    panel = Panel(names, verdict, criterion, {}, {}, len(names))

    def combine(votes: Sequence[Vote], error: str | None = None) -> Ruling:
        return rule_on(
            votes,
            kind=verdict,
            rule=rule,
            min_successful=min_successful,
            weights=counted,
            tie_break=tie_break,
            criterion=criterion or "score",
            response_error=error,
        )

    combine(())  # what it refuses, it refuses when the scorer is made

    async def score(state: TaskState, target: Target) -> Score:  # noqa: ARG001 - Inspect's
        votes = [_vote(name, state.scores or {}, verdict) for name in names]
        return panel.score(combine(votes, response_error(state)))

    return score


def _vote(name: str, scores: Mapping[str, Score], kind: VerdictKind) -> Vote:
    found, key = scores.get(name), None
    if found is None and "." in name:
        base, _, key = name.partition(".")
        found = scores.get(base)
    if found is None:
        known = ", ".join(scores) or "none"
        told = f"the sample has no score {name!r} (it has: {known})"
        return failed_vote(name, "unknown", told, usage=NO_CALL)
    value: Any = found.value
    if key is not None:
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping | list | tuple):
        told = f"score {name!r} is a {type(value).__name__}; name a key of it, as {name}.KEY"
        return failed_vote(name, "parse", told, usage=NO_CALL)
    why = ": ".join(part for part in (found.reason, found.explanation) if part) or None
    read = convert([value], [why], nominal=isinstance(kind, Labelled))
    said = found.explanation or ""
    if read.status[0] == "failed":
        return failed_vote(name, "unknown", read.error[0] or "no value", usage=NO_CALL)
    verdict: Any = read.label[0] if read.label is not None else read.score[0]
    declined = read.status[0] == "abstained"
    answer = Answer(None if declined else verdict, declined, said, usage=NO_CALL)
    return read_vote(answer, judge=name, kind=kind)
