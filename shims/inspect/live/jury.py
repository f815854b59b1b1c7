"""The scorer ``panopt/jury``: several models judge every response, and one ruling counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import TaskState
from inspect_ai.util import resource

from panopt.judging.prompts import DEFAULT_RUBRIC, PromptMaker
from panopt.judging.protocol import Judge
from panopt.jury import Jury, check_options
from panopt.shims.inspect.live.bench import Bench, question_of
from panopt.shims.inspect.live.metrics import panel_agreement, panel_judges, panel_mean, panel_votes
from panopt.shims.inspect.live.model_judge import InspectJudge
from panopt.shims.inspect.live.options import (
    Models,
    budget_of,
    jury_reader,
    kind_of,
    known_models,
    mapping,
    number,
    outspoken,
)

__all__ = ["jury"]


@scorer(metrics=[panel_mean(), panel_agreement(), panel_judges(), panel_votes()])
@outspoken
def jury(  # noqa: PLR0913 - every option of a panel, each with a default
    models: Models | None = None,
    role: str = "grader",
    kind: str = "boolean",
    *,
    rubric: str | None = None,
    criterion: str | None = None,
    template: str | None = None,
    reference: bool = False,
    history: bool = False,
    labels: str | Sequence[str] | None = None,
    passing_labels: str | Sequence[str] | None = None,
    descriptions: str | Mapping[str, str] | None = None,
    score_range: str | Sequence[float] | None = None,
    threshold: float | None = None,
    anchors: str | Mapping[str, str] | None = None,
    rule: str | None = None,
    min_successful: int = 1,
    repeats: int = 1,
    reduce: str | None = None,
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
    """Let several models judge each response.

    Every option is a JSON value, so that ``inspect score LOG --scorer panopt/jury -S models=a,b``
    can give it; lists are also read from texts with commas, mappings from JSON.

    Parameters
    ----------
    models
        The judges; None: the models that `role` is bound to (``--model-role grader=...``).
    role
        Name of that role. Bound to nothing, the run stops: no judge is taken by chance.
    kind
        ``boolean`` (pass or fail), ``labelled`` or ``numeric``.
    rubric
        By what to judge: a text, or a file that holds it.
    criterion
        Name of what is judged, in prompts and analyses; the scorer's name by default.
    template
        The judges' message instead of the usual one, or a file that holds it; see
        :class:`panopt.judging.prompts.PromptMaker`.
    reference
        Show the judges the sample's target. Leave it off where the target is a human label of
        the response: the judges would copy it.
    history
        Show the judges the whole conversation, not the sample's input alone.
    labels, passing_labels, descriptions
        Labelled: the labels, those that pass, what they mean.
    score_range, threshold, anchors
        Numeric: ends of the range (0, 1 by default), what passes, what levels mean.
    rule, min_successful, repeats, reduce, tie_break, weights, assignment
        How votes count; see :class:`panopt.jury.Jury`.
    replacements
        Models that stand in for judges that failed.
    strict_panel, families
        Refuse judges of the family of the model under test; families by name of model.
    timeout
        Seconds that a call may take, with its retries.
    max_concurrency
        Most calls at once for one response.
    budget_calls, budget_tokens, budget_cost
        What this scorer may spend in all; Inspect's limits do not bound scorers.
    cache
        Keep answers in Inspect's cache: True, or for how long ("1W").
    structured
        Ask for the JSON by a response schema where the provider has that.
    confidence
        How sure each judge is: ``logprobs`` or ``verbalised``; repeats give their share of votes
        without it.

    Raises
    ------
    AskError
        Naming the option that is wrong.
    """
    verdict = kind_of(
        kind,
        labels=labels,
        passing_labels=passing_labels,
        descriptions=descriptions,
        score_range=score_range,
        threshold=threshold,
        anchors=anchors,
    )
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
            reduce=reduce,
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
            reduce=reduce,
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
            reference=reference,
            history=history,
        )
        return await bench.seated(question.system).score(question, state)

    return score
