"""The scorer ``panopt/cascade``: judges cheap to strong, asked until one is sure enough."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from inspect_ai.model import Model
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import TaskState
from inspect_ai.util import resource

from panopt.cascade import Cascade, Passage, check_way
from panopt.errors import AskError, CertificateError
from panopt.judging.annotators import Annotators
from panopt.judging.prompts import DEFAULT_RUBRIC, PromptMaker
from panopt.judging.protocol import Judge, Usage
from panopt.judging.verdict import Pairwise, VerdictKind
from panopt.jury import check_options
from panopt.shims.inspect.live.bench import names_of, question_of, response_error
from panopt.shims.inspect.live.cascade_metrics import cascade_rates, cascade_stages
from panopt.shims.inspect.live.cascade_score import score_of
from panopt.shims.inspect.live.confidence import reader_of
from panopt.shims.inspect.live.metrics import panel_mean
from panopt.shims.inspect.live.model_judge import InspectJudge
from panopt.shims.inspect.live.options import (
    Models,
    bound_to,
    budget_of,
    kind_of,
    known_models,
    listed,
    mapping,
    number,
    outspoken,
)
from panopt.shims.inspect.live.pairwise import DEFAULT_RUBRIC as DEFAULT_PAIR_RUBRIC
from panopt.shims.inspect.live.pairwise import TARGET, other_response

if TYPE_CHECKING:
    from panopt.records.certificate import Certificate

__all__ = ["cascade"]

_log = logging.getLogger(__name__)

PAIRWISE = "pairwise"
NEVER = ("", "none", "never", "null")


@scorer(metrics=[panel_mean(), cascade_rates(), cascade_stages()])
@outspoken
def cascade(  # noqa: PLR0913 - every option of a cascade, each with a default
    models: Models | None = None,
    certificate: str | None = None,
    role: str = "grader",
    kind: str = "boolean",
    *,
    thresholds: str | float | Sequence[float | None] | None = None,
    ask_all: bool = False,
    confidence: str | Sequence[str] = "logprobs",
    reason: bool = True,
    top_logprobs: int | None = None,
    repeats: int = 1,
    annotators: str | None = None,
    annotators_n: int = 5,
    annotators_k: int = 5,
    annotators_mode: str = "majority",
    annotators_votes: bool = False,
    seed: int = 0,
    same_prompts: bool = False,
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
    baseline: str = TARGET,
    both_orders: bool = True,
    ties: bool = True,
    strict_panel: bool = False,
    families: str | Mapping[str, str] | None = None,
    timeout: float | None = None,
    budget_calls: int | None = None,
    budget_tokens: int | None = None,
    budget_cost: float | None = None,
    cache: bool | str = False,
    structured: bool = True,
) -> Scorer:
    """Ask judges in turn, cheap to strong, until one is sure enough to be trusted.

    To begin with, run it with ``ask_all`` on responses that humans label, and certify: ``panopt
    calibrate LOG --labels FILE --cascade cheap,strong``. Then run it with that ``certificate``.

    Parameters
    ----------
    models
        The judges, cheap to strong; None: those that `role` is bound to, in that order.
    certificate
        File of the certificate. Judges, prompts, scale, criterion and sources of confidence that
        are not as certified are refused before the first call.
    thresholds
        Without a certificate: the confidence from which each judge decides, or one number for
        all; ``none``: that judge never does. No guarantee comes with them.
    ask_all
        Ask all judges about all responses and let none decide: the run to calibrate from.
    role
        Name of the role.
    kind
        ``boolean``, ``labelled``, ``numeric`` or ``pairwise``.
    confidence
        Of all judges, or of each: ``logprobs`` (probability of the verdict's tokens),
        ``verbalised`` (what the judge says), ``annotators`` (simulated annotators), ``votes``
        (share of `repeats`), ``lexical`` (how alike the rationales of `repeats` are), ``margin``
        (any number in the reply's field ``confidence``, as reward models may give).
    reason
        Let judges reason before the verdict; simulated annotators never do.
    top_logprobs
        Alternatives a token to ask for; by default enough for the verdict's options.
    repeats
        Draws of every judge.
    annotators, annotators_n, annotators_k, annotators_mode, annotators_votes, seed
        File of labelled examples (:mod:`panopt.judging.annotators`), number of simulated
        annotators, examples that each is shown, ``individual``, ``majority`` or ``randomised``,
        whether verdicts are counted instead of token probabilities, and the seed of the draw.
    same_prompts
        Vouch that judges whose prompt is not known have the certified one.
    baseline, both_orders, ties
        Pairs: as those of :func:`panopt.shims.inspect.live.pairwise.pairwise_jury`.
    threshold
        Numeric: the score that passes; by default that of the certificate.
    rubric, criterion, template, reference, history, labels, passing_labels, descriptions,
    score_range, anchors, strict_panel, families, timeout, budget_calls, budget_tokens,
    budget_cost, cache, structured
        As those of :func:`panopt.shims.inspect.live.jury.jury`.

    Raises
    ------
    AskError
        Naming the option that is wrong.
    CertificateError
        Naming every difference from what was certified.
    """
    check_way(certificate, thresholds, ask_all=ask_all)
    pair = kind == PAIRWISE
    certified = None if certificate is None else _read(certificate)
    verdict: VerdictKind = (
        Pairwise(both_orders=both_orders, ties=ties)
        if pair
        else kind_of(
            kind,
            labels=labels,
            passing_labels=passing_labels,
            descriptions=descriptions,
            score_range=score_range,
            threshold=threshold,
            anchors=anchors,
        )
    )
    check_options(verdict, repeats=repeats, timeout=timeout)
    told = DEFAULT_PAIR_RUBRIC if pair else DEFAULT_RUBRIC
    told = told if rubric is None else resource(rubric)
    shown = None if template is None else resource(template)
    budget = budget_of(budget_calls, budget_tokens, budget_cost)
    makers = {str(name): str(own) for name, own in mapping("families", families).items()}
    sources = listed("confidence", confidence)
    drawn = _drawn(
        annotators if "annotators" in sources else None,
        verdict,
        annotators_n,
        annotators_k,
        annotators_mode,
        seed,
    )
    if (annotators is None) == ("annotators" in sources):
        raise AskError(
            "confidence = 'annotators' and a file of labelled examples (annotators) go together; "
            f"given: confidence = {list(sources)}, annotators = {annotators!r}"
        )

    def make(model: str | Model, name: str, source: str) -> Judge:
        simulates = source == "annotators"
        reader = reader_of(
            source, verdict, reason=reason and not simulates, top_logprobs=top_logprobs
        )
        prompts = PromptMaker(
            verdict,
            told,
            criterion,
            shown,
            confidence=reader is not None and reader.is_stated,
            reason=reason and not simulates,
        )
        counted = simulates and annotators_votes
        judge = InspectJudge(
            model, prompts, name=name, cache=cache, structured=structured,
            confidence=None if counted else reader,
        )  # fmt: skip
        if not simulates or drawn is None:
            return judge
        from panopt.judging.simulated import SimulatedAnnotators  # noqa: PLC0415 - rarely used

        return SimulatedAnnotators(judge, drawn, kind=verdict, votes=counted)

    def seat(given: Sequence[str | Model]) -> Cascade:
        names = names_of(given)
        if len(sources) not in (1, len(names)):
            raise AskError(
                f"confidence = {list(sources)} must name one source, or one for each of "
                f"{', '.join(names)}"
            )
        own = sources * len(names) if len(sources) == 1 else sources
        return Cascade(
            [make(*each) for each in zip(given, names, own, strict=True)],
            kind=verdict,
            certificate=certified,
            thresholds=_thresholds(thresholds, len(names)),
            ask_all=ask_all,
            criterion=criterion,
            repeats=repeats,
            same_prompts=same_prompts,
            timeout=timeout,
            budget=budget,
            strict_panel=strict_panel,
            families=makers,
        )

    seats = _Seats(None if models is None else known_models("models", models), role, seat)

    async def score(state: TaskState, target: Target) -> Score:
        question = question_of(
            state,
            target,
            kind=verdict,
            rubric=told,
            criterion=criterion,
            reference=reference and not pair,
            history=history,
        )
        missing = response_error(state)
        if pair:
            other, lacks = other_response(baseline, state, target)
            missing = missing or lacks
            question = replace(question, responses=(*question.responses, other))
        seated = seats.seated(question.system)
        try:
            return score_of(seated, await seated.judge(question, response_error=missing))
        except AskError:  # the options do not fit the run
            raise
        except Exception as error:  # noqa: BLE001 - raising would lose the sample
            _log.exception("sample %s: the cascade broke", state.sample_id)
            broke = f"{type(error).__name__}: {error}"
            lost = Passage("abstained", (), None, broke, None, Usage())
            return score_of(seated, lost, broke=broke)

    return score


class _Seats:
    """Seats the judges: at once where they are given, else when the run has bound the role."""

    def __init__(
        self,
        models: Sequence[str | Model] | None,
        role: str,
        seat: Callable[[Sequence[str | Model]], Cascade],
    ) -> None:
        self._role = role
        self._seat = seat
        self._seated = None if models is None else seat(models)
        self._bound: dict[tuple[int, ...], tuple[Cascade, Sequence[Model]]] = {}
        self._warned: set[str | None] = set()

    def seated(self, system: str | None) -> Cascade:
        """Give the cascade of this run; the first call warns of judges of the system's family."""
        found = self._seated
        if found is None:
            models = bound_to(self._role)
            key = tuple(map(id, models))
            if key not in self._bound:
                self._bound[key] = (self._seat(models), models)  # kept, so that ids stay theirs
            found = self._bound[key][0]
        if system not in self._warned:
            for warning in found.check(system):
                _log.warning("%s", warning)
            self._warned.add(system)
        return found


def _read(path: str) -> Certificate:
    from panopt.records.certificate import Certificate  # noqa: PLC0415 - loads numpy

    try:
        return Certificate.from_json(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise CertificateError(f"certificate = {path!r} cannot be read ({why})") from error
    except CertificateError as error:
        raise CertificateError(f"{path}: {error}") from error


def _drawn(  # noqa: PLR0913, PLR0917 - what a draw depends on
    path: str | None, kind: VerdictKind, n: int, k: int, mode: str, seed: int
) -> Annotators | None:
    if path is None:
        return None
    import numpy as np  # noqa: PLC0415 - rarely used

    from panopt.judging.annotators import draw_annotators, read_examples  # noqa: PLC0415 - as above

    labelled = read_examples(path, kind)
    rng = np.random.default_rng(seed)
    return draw_annotators(labelled, kind=kind, rng=rng, n=n, k=k, mode=mode)  # type: ignore[arg-type]  # checked there


def _thresholds(given: object, n: int) -> list[float | None] | None:
    """Read thresholds: a number for all, a list, or a text with commas; none for one that never."""
    if given is None:
        return None
    if isinstance(given, int | float) and not isinstance(given, bool):
        return [float(given)] * n
    parts = given.split(",") if isinstance(given, str) else given
    if not isinstance(parts, Sequence):
        raise AskError(f"thresholds = {given!r} must be a number, or one for each judge")
    read = [
        None
        if part is None or (isinstance(part, str) and part.strip().lower() in NEVER)
        else number("thresholds", part)
        for part in parts
    ]
    return read * n if len(read) == 1 else read
