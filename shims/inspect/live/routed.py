"""The scorer ``panopt/routed_jury``: as many judges as a response takes, the most telling first."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import TaskState
from inspect_ai.util import resource

from panopt.errors import AskError
from panopt.judging.prompts import DEFAULT_RUBRIC, PromptMaker
from panopt.judging.protocol import Judge
from panopt.shims.inspect.live.bench import Bench, position_of, question_of, response_error
from panopt.shims.inspect.live.metrics import panel_agreement, panel_judges, panel_mean, panel_votes
from panopt.shims.inspect.live.model_judge import InspectJudge
from panopt.shims.inspect.live.options import (
    Models,
    budget_of,
    kind_of,
    known_models,
    listed,
    mapping,
    number,
    outspoken,
)

if TYPE_CHECKING:
    from panopt.routed_jury import Routed

__all__ = ["routed_jury"]

_log = logging.getLogger(__name__)


@scorer(metrics=[panel_mean(), panel_agreement(), panel_judges(), panel_votes()])
@outspoken
def routed_jury(  # noqa: PLR0913 - every option of a panel, each with a default
    models: Models | None = None,
    role: str = "grader",
    kind: str = "boolean",
    *,
    policy: str = "voi",
    costs: str | Mapping[str, float] | None = None,
    epsilon: float = 0.02,
    width: float | None = None,
    error_cost: float | None = None,
    at_least: int = 1,
    pilot: int = 50,
    explore: float = 0.02,
    order: str | Sequence[str] | None = None,
    correlation: float = 0.25,
    budget_units: float | None = None,
    snapshot: str | None = None,
    seed: int = 0,
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
    repeats: int = 1,
    reduce: str | None = None,
    strict_panel: bool = False,
    families: str | Mapping[str, str] | None = None,
    timeout: float | None = None,
    budget_calls: int | None = None,
    budget_tokens: int | None = None,
    budget_cost: float | None = None,
    cache: bool | str = False,
    structured: bool = True,
) -> Scorer:
    """Ask judges about each response until it is settled.

    Parameters
    ----------
    models, role, kind, rubric, criterion, template, reference, history
        As of ``panopt/jury``; so are the options of the kind, of calls and of the budget.
    policy
        How judges are chosen: ``voi``, ``thompson``, ``random``, ``cheapest_first``,
        ``escalate``, ``single`` or ``all``. See :class:`panopt.router.RouterOptions`, also for
        the options up to `correlation` and for `seed`.
    costs
        Cost of one call, by model, in any one unit; 1 where not given.
    budget_units
        What the run may spend, in that unit.
    snapshot
        File that keeps what was learned of the judges: read where it exists, so that the next
        run needs no pilot, and kept up to date.

    Raises
    ------
    AskError
        Naming the option that is wrong.
    """
    # Imports numpy, which every run of Inspect would pay for.
    from panopt.jury import check_options  # noqa: PLC0415
    from panopt.routed_jury import RoutedJury, read_router  # noqa: PLC0415
    from panopt.router import Router, RouterOptions  # noqa: PLC0415

    verdict = kind_of(
        kind,
        labels=labels,
        passing_labels=passing_labels,
        descriptions=descriptions,
        score_range=score_range,
        threshold=threshold,
        anchors=anchors,
    )
    if policy == "cascade":
        raise AskError("policy 'cascade' is the scorer panopt/cascade, which takes a certificate")
    options = RouterOptions(
        policy=policy,  # type: ignore[arg-type] # checked there
        epsilon=epsilon,
        width=width,
        error_cost=error_cost,
        at_least=at_least,
        pilot=pilot,
        explore=explore,
        order=() if order is None else listed("order", order),
        correlation=correlation,
        budget=budget_units,
        seed=seed,
    )
    check_options(verdict, repeats=repeats, reduce=reduce, timeout=timeout)
    prices = {str(name): number("costs", cost) for name, cost in mapping("costs", costs).items()}
    makers = {str(name): str(own) for name, own in mapping("families", families).items()}
    told = resource(rubric) if rubric is not None else DEFAULT_RUBRIC
    prompts = PromptMaker(
        verdict, told, criterion, None if template is None else resource(template)
    )
    budget = budget_of(budget_calls, budget_tokens, budget_cost)
    kept = None if snapshot is None else Path(snapshot)

    def seat(members: Sequence[Judge], _: Sequence[Judge]) -> RoutedJury:
        names = [judge.name for judge in members]
        if kept is not None and kept.exists():
            router = read_router(kept, judges=names, kind=verdict, options=options, costs=prices)
        else:
            models = {judge.name: judge.model for judge in members if judge.model is not None}
            router = Router(names, verdict, options=options, costs=prices, models=models)
        return RoutedJury(
            members,
            kind=verdict,
            router=router,
            repeats=repeats,
            reduce=reduce,
            strict_panel=strict_panel,
            families=makers,
            timeout=timeout,
            budget=budget,
            snapshot=kept,
        )

    bench = Bench(
        None if models is None else known_models("models", models),
        (),
        role=role,
        seat=seat,
        make=lambda model, name: InspectJudge(
            model, prompts, name=name, cache=cache, structured=structured
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
        seated = bench.seated(question.system)
        jury = seated.jury
        if not isinstance(jury, RoutedJury):
            raise TypeError("the bench of a routed jury seats routed juries")
        try:
            found = await jury.route(
                question,
                position=position_of(state.sample_id),
                response_error=response_error(state),
            )
            return _told(seated.panel.score(found.ruling), found)
        except AskError:
            raise
        except Exception as error:  # noqa: BLE001 - raising would lose the sample
            _log.exception("sample %s: the routed jury broke", state.sample_id)
            return seated.panel.failed(f"{type(error).__name__}: {error}")

    return score


def _told(score: Score, found: Routed) -> Score:
    """Add why the router stopped."""
    router = found.as_dict()
    if not router:
        return score
    line = f"Stopped: {router['reason']}."
    if found.belief is not None and found.belief.error is not None:
        line += f" Chance of error, as the judges are known: {found.belief.error:.3g}."
    return score.model_copy(
        update={
            "explanation": f"{score.explanation}\n\n{line}",
            "metadata": {**(score.metadata or {}), "router": router},
        }
    )
