"""The scorer ``panopt/pairwise_jury``: models say which of two responses is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import TaskState
from inspect_ai.util import resource

from panopt.errors import AskError
from panopt.judging.prompts import PromptMaker
from panopt.judging.protocol import Judge
from panopt.judging.verdict import Pairwise
from panopt.jury import Jury, check_options
from panopt.shims.inspect.live.bench import Bench, question_of
from panopt.shims.inspect.live.metrics import panel_agreement, panel_judges, panel_mean, panel_votes
from panopt.shims.inspect.live.model_judge import InspectJudge
from panopt.shims.inspect.live.options import (
    Models,
    budget_of,
    jury_reader,
    known_models,
    mapping,
    number,
    outspoken,
)

__all__ = ["other_response", "pairwise_jury"]

DEFAULT_RUBRIC = "Which response is the more correct, complete and helpful answer to the task?"
#: Where the other response of a pair may stand, beside the sample's metadata.
TARGET = "target"


@scorer(metrics=[panel_mean(), panel_agreement(), panel_judges(), panel_votes()])
@outspoken
def pairwise_jury(  # noqa: PLR0913 - every option of a panel, each with a default
    models: Models | None = None,
    role: str = "grader",
    baseline: str = TARGET,
    *,
    rubric: str | None = None,
    criterion: str | None = None,
    template: str | None = None,
    history: bool = False,
    both_orders: bool = True,
    ties: bool = True,
    rule: str | None = None,
    min_successful: int = 1,
    repeats: int = 1,
    tie_break: str | None = None,
    weights: str | Mapping[str, float] | None = None,
    assignment: str = "all",
    replacements: Models | None = None,
    strict_panel: bool = False,
    families: str | Mapping[str, str] | None = None,
    timeout: float | None = None,
    max_concurrency: int | None = None,
    budget_calls: int | None = None,
    budget_tokens: int | None = None,
    budget_cost: float | None = None,
    cache: bool | str = False,
    structured: bool = True,
    confidence: str | None = None,
) -> Scorer:
    """Let several models compare each response with another one.

    The score's ``panel`` is 1 where the response wins, 0 where the other does, 1/2 for a tie.

    Parameters
    ----------
    baseline
        Where the other response stands: ``target``, or a key of the sample's metadata.
    both_orders
        Show every judge both orders; one that follows the place abstains, and counts as flipped.
    ties
        Whether a judge may call a tie.
    models, role, rubric, criterion, template, history, rule, min_successful, repeats, tie_break,
    weights, assignment, replacements, strict_panel, families, timeout, max_concurrency,
    budget_calls, budget_tokens, budget_cost, cache, structured, confidence
        As those of :func:`panopt.shims.inspect.live.jury.jury`.

    Raises
    ------
    AskError
        Naming the option that is wrong.
    """
    where: object = baseline  # -S gives whatever the command line says
    if not isinstance(where, str) or not where.strip():
        raise AskError("baseline must be 'target' or a key of the samples' metadata")
    verdict = Pairwise(both_orders=both_orders, ties=ties)
    told = resource(rubric) if rubric is not None else DEFAULT_RUBRIC
    reader = None if confidence is None else jury_reader(confidence, verdict)
    prompts = PromptMaker(
        verdict,
        told,
        criterion,
        None if template is None else resource(template),
        confidence=reader is not None and reader.is_stated,
    )
    shares = {
        str(name): number("weights", own) for name, own in mapping("weights", weights).items()
    }
    makers = {str(name): str(own) for name, own in mapping("families", families).items()}
    budget = budget_of(budget_calls, budget_tokens, budget_cost)
    if models is None:  # what names no judge is refused before the run binds the role
        check_options(
            verdict,
            rule=rule,
            min_successful=min_successful,
            repeats=repeats,
            weights=shares or None,
            assignment=assignment,
            tie_break=tie_break,
            timeout=timeout,
            max_concurrency=max_concurrency,
        )

    def seat(members: Sequence[Judge], spare: Sequence[Judge]) -> Jury:
        return Jury(
            members,
            kind=verdict,
            rule=rule,
            min_successful=min_successful,
            repeats=repeats,
            weights=shares or None,
            assignment=assignment,
            replacements=spare,
            tie_break=tie_break,
            strict_panel=strict_panel,
            families=makers,
            timeout=timeout,
            max_concurrency=max_concurrency,
            budget=budget,
        )

    bench = Bench(
        None if models is None else known_models("models", models),
        () if replacements is None else known_models("replacements", replacements),
        role=role,
        seat=seat,
        make=lambda model, name: InspectJudge(
            model, prompts, name=name, cache=cache, structured=structured, confidence=reader
        ),
        kind=verdict,
        criterion=criterion,
    )

    async def score(state: TaskState, target: Target) -> Score:
        question = question_of(
            state,
            target,
            kind=verdict,
            rubric=told,
            criterion=criterion,
            reference=False,
            history=history,
        )
        other, missing = other_response(baseline, state, target)
        pair = replace(question, responses=(question.responses[0], other))
        return await bench.seated(question.system).score(pair, state, missing)

    return score


def other_response(baseline: str, state: TaskState, target: Target) -> tuple[str, str | None]:
    """Give the other response, and what is wrong where there is none."""
    given = target.text if baseline == TARGET else (state.metadata or {}).get(baseline)
    if isinstance(given, str) and given.strip():
        return given, None
    return "", f"there is no other response under {baseline!r}"
