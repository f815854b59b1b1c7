"""The scorer ``panopt/semantic_entropy``: how many different things a model says if asked again."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import anyio
from inspect_ai.model import (
    CachePolicy,
    ChatMessage,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelOutput,
    get_model,
)
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import TaskState
from inspect_ai.util import resource

from panopt.errors import AskError
from panopt.judging.call import ask
from panopt.judging.failures import failure_of
from panopt.judging.prompts import DEFAULT_RUBRIC, PromptMaker
from panopt.judging.protocol import Usage
from panopt.judging.verdict import Boolean
from panopt.records.markdown import escaped
from panopt.shims.inspect.juries import BY, MEASURE, SCHEMA
from panopt.shims.inspect.live.asked import ASKED, asked_of
from panopt.shims.inspect.live.bench import question_of, response_error
from panopt.shims.inspect.live.entailer import EXACT, Entailer, meanings_of
from panopt.shims.inspect.live.model_judge import (
    ATTEMPT_TIMEOUT,
    MAX_RETRIES,
    InspectJudge,
    checked_cache,
    usage_of,
)
from panopt.shims.inspect.live.options import known_models, outspoken

__all__ = ["OF", "WEIGHTS", "semantic_entropy"]

_log = logging.getLogger(__name__)

#: What is sampled, and how meanings weigh.
OF = ("answers", "rationales")
WEIGHTS = ("counts", "likelihoods", "likelihoods per token")

#: Tells readers of logs that the score is of no judge.
MARK: dict[str, str | int] = {"by": BY, "schema": SCHEMA, "kind": MEASURE}

MOST_SHOWN = 12
MOST_TEXT = 160
MOST_ERRORS = 3

#: What is to know where texts are told apart by their words and none comes twice.
WORDINGS = (
    "no two texts are the same words: this is log n, whatever they mean (give an entailer to tell "
    "meanings apart)"
)


class Sampled(NamedTuple):
    """One sampled text, or why there is none."""

    text: str | None
    usage: Usage
    error: str | None = None
    log_likelihood: float = math.nan
    tokens: int = 0


@scorer(metrics={"*": [mean()]})
@outspoken
def semantic_entropy(  # noqa: PLR0913 - every option of one estimate, each with a default
    n: int = 10,
    of: str = "answers",
    *,
    model: str | Model | None = None,
    entailer: str | Model | None = None,
    weights: str = "counts",
    correction: str = "none",
    temperature: float | None = 1.0,
    rubric: str | None = None,
    criterion: str | None = None,
    max_concurrency: int | None = None,
    timeout: float | None = None,
    cache: bool | str = False,
) -> Scorer:
    """Sample several answers to the same question, and give the entropy of their meanings.

    The score's ``entropy`` is in nats: 0 where all say the same, ``log n`` where all differ;
    ``sure`` is 1 minus its share of that. Metrics are plain means; samples without two texts have
    NaN, which they leave out.

    Parameters
    ----------
    n
        Texts to sample.
    of
        ``answers``: of `model` to the sample's conversation without its last answer.
        ``rationales``: of `model` as a judge of the response by `rubric`.
    model
        Who is asked; by default the model under test, and of rationales the role ``grader``.
    entailer
        Model that tells whether two texts mean the same; None: normalised exact match, which is
        of use for short answers only. Where no two texts match, the score says that its entropy
        is that of their words.
    weights
        ``counts``; or, of answers, ``likelihoods`` or ``likelihoods per token``.
    correction
        ``none``, or ``miller_madow`` for the bias of counts.
    temperature
        Of the draws; None: the model's own.
    rubric, criterion
        Of rationales; as those of :func:`panopt.shims.inspect.live.jury.jury`.
    max_concurrency
        Most draws of one sample at once.
    timeout
        Seconds that a draw may take.
    cache
        Keep draws in Inspect's cache, each by itself: True, or for how long.

    Raises
    ------
    AskError
        Naming the option that is wrong.
    """
    _check(n, of, weights, correction, max_concurrency, timeout)
    checked_cache(cache)
    for name, given in (("model", model), ("entailer", entailer)):
        if given is not None:
            known_models(name, given)
    told = resource(rubric) if rubric is not None else DEFAULT_RUBRIC
    if of == "rationales" and entailer is None:
        _log.warning("semantic entropy of rationales without an entailer is that of their words")
    prompts = PromptMaker(Boolean(), told, criterion)
    draws = _Draws(of, model, prompts, temperature, cache, timeout, likelihoods=weights != "counts")
    judge = None if entailer is None else Entailer(entailer, cache=cache)

    async def score(state: TaskState, target: Target) -> Score:
        missing = response_error(state) if of == "rationales" else None
        if missing is not None:
            return _nothing(missing, "no_response", Usage(), ())
        found: list[Sampled | None] = [None] * n
        gate = anyio.Semaphore(max_concurrency or n)

        async def one(draw: int) -> None:
            async with gate:
                found[draw] = await draws.sample(state, target, draw)

        async with anyio.create_task_group() as group:
            for draw in range(n):
                group.start_soon(one, draw)
        sampled = [one for one in found if one is not None]
        try:
            return await _score(sampled, judge, weights, correction, state)
        except Exception as error:  # noqa: BLE001 - raising would lose the sample
            _log.exception("sample %s: no entropy", state.sample_id)
            failure = failure_of(error)
            usage = sum((one.usage for one in sampled), Usage())
            return _nothing(f"{failure.kind}: {failure.message}", "scoring_failed", usage, sampled)

    return score


class _Draws:
    """Draws one text at a time; holds nothing of a sample."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a draw depends on
        self,
        of: str,
        model: str | Model | None,
        prompts: PromptMaker,
        temperature: float | None,
        cache: bool | str,  # noqa: FBT001 - Inspect's
        timeout: float | None,
        *,
        likelihoods: bool,
    ) -> None:
        self._of = of
        self._model = model
        self._prompts = prompts
        self._config = GenerateConfig(temperature=temperature)
        self._cache = cache
        self._timeout = timeout
        self._likelihoods = likelihoods

    async def sample(self, state: TaskState, target: Target, draw: int) -> Sampled:
        """Draw once; whatever breaks is told, and only being cancelled is raised."""
        if self._of == "rationales":
            return await self._rationale(state, target, draw)
        try:
            with anyio.fail_after(self._timeout):
                output = await self._answer(state, target, draw)
        except Exception as error:  # noqa: BLE001 - a provider may raise anything
            failure = failure_of(error)
            return Sampled(None, Usage(calls=1), f"{failure.kind}: {failure.message}")
        return self._read(output)

    def _read(self, output: ModelOutput) -> Sampled:
        usage = usage_of(output)
        text = "" if output.empty else output.completion
        if output.error or not text.strip():
            return Sampled(None, usage, output.error or "the answer is empty")
        if output.stop_reason in ("max_tokens", "model_length", "content_filter"):
            return Sampled(None, usage, f"the answer was cut ({output.stop_reason})")
        if not self._likelihoods:
            return Sampled(text, usage)
        logprobs = output.choices[0].logprobs
        tokens = [] if logprobs is None else [one.logprob for one in logprobs.content]
        if not tokens or not all(map(math.isfinite, tokens)):
            return Sampled(None, usage, "the answer came without token probabilities")
        return Sampled(text, usage, None, math.fsum(tokens), len(tokens))

    async def _answer(self, state: TaskState, target: Target, draw: int) -> ModelOutput:
        model = get_model(self._model) if self._model is not None else get_model()
        messages = list(state.messages)
        if messages and messages[-1].role == "assistant":
            messages.pop()
        if not messages:
            messages = [ChatMessageUser(content=state.input_text)]
        config = self._config.merge(
            GenerateConfig(
                max_retries=MAX_RETRIES,
                attempt_timeout=ATTEMPT_TIMEOUT,
                logprobs=True if self._likelihoods else None,
            )
        )
        policy: CachePolicy | bool = False
        if self._cache:
            policy = CachePolicy(
                expiry=self._cache if isinstance(self._cache, str) else None,
                per_epoch=False,
                scopes={"draw": str(draw), "panopt": "semantic_entropy"},
            )
        marked = self._marked(messages, state, target, draw)
        return await model.generate(marked, config=config, cache=policy)

    def _marked(
        self, messages: Sequence[ChatMessage], state: TaskState, target: Target, draw: int
    ) -> list[ChatMessage]:
        """Say in the last message's metadata which draw this is, as judges' calls do."""
        question = question_of(
            state, target, kind=Boolean(), rubric=DEFAULT_RUBRIC, criterion="answers",
            reference=False, history=False,
        )  # fmt: skip
        asked = asked_of(replace(question, draw=draw))
        last = messages[-1]
        metadata = {**(last.metadata or {}), ASKED: asked}
        return [*messages[:-1], last.model_copy(update={"metadata": metadata})]

    async def _rationale(self, state: TaskState, target: Target, draw: int) -> Sampled:
        model = self._model if self._model is not None else get_model(role="grader")
        judge = InspectJudge(model, self._prompts, cache=self._cache, config=self._config)
        question = question_of(
            state, target, kind=self._prompts.kind, rubric=self._prompts.rubric or DEFAULT_RUBRIC,
            criterion=self._prompts.criterion, reference=False, history=False,
        )  # fmt: skip
        vote = await ask(judge, replace(question, draw=draw), timeout=self._timeout)
        if vote.failure is not None:
            told = f"{vote.failure.kind}: {vote.failure.message}"
            return Sampled(None, vote.usage, told)
        if not vote.rationale.strip():
            return Sampled(None, vote.usage, "the judge gave no reason")
        return Sampled(vote.rationale, vote.usage)


async def _score(
    sampled: Sequence[Sampled],
    entailer: Entailer | None,
    weights: str,
    correction: str,
    state: TaskState,
) -> Score:
    usage = sum((one.usage for one in sampled), Usage())
    texts = [one for one in sampled if one.text is not None]
    if len(texts) < 2:
        why = next((one.error for one in sampled if one.error), None)
        few = f"{len(texts)} of {len(sampled)} draws gave a text: an entropy takes two"
        return _nothing(f"{few} ({why})" if why else few, "grader_failed", usage, sampled)
    options: dict[str, Any] = {"correction": correction}
    if weights != "counts":
        options["log_likelihood"] = [one.log_likelihood for one in texts]
    if weights == "likelihoods per token":
        options["length"] = [one.tokens for one in texts]
    found, spent = await meanings_of(
        [one.text or "" for one in texts],
        entailer=entailer,
        question=state.input_text,
        asked={"item": str(state.sample_id), "epoch": state.epoch},
        **options,
    )
    usage += spent
    entropy, n = float(found.entropy[0]), len(texts)
    wordings = entailer is None and int(found.n_clusters[0]) == n
    value: dict[str, str | int | float | bool | None] = {
        "entropy": entropy,
        "sure": 1.0 - min(entropy / math.log(n), 1.0),
        "meanings": float(found.n_clusters[0]),
        "majority": float(found.majority_share[0]),
        "n": float(n),
    }
    told: dict[str, Any] = {
        "method": found.method,
        "clusters": found.cluster.tolist(),
        "entailer": EXACT if entailer is None else entailer.name,
        "failed": len(sampled) - n or None,
        "errors": [one.error for one in sampled if one.error][:MOST_ERRORS] or None,
        "warning": WORDINGS if wordings else None,
        **_spent(usage),
    }
    if found.predictive_entropy is not None:
        told["predictive_entropy"] = float(found.predictive_entropy[0])
    return Score(
        value=value,
        answer=f"{entropy:.3f} nats",
        explanation=_explained(texts, found.cluster.tolist(), entropy, wordings=wordings),
        metadata={
            "jury": MARK,
            "semantic_entropy": {name: part for name, part in told.items() if part is not None},
            "texts": [one.text for one in texts],
        },
    )


def _nothing(why: str, reason: str, usage: Usage, sampled: Sequence[Sampled]) -> Score:
    errors = [one.error for one in sampled if one.error][:MOST_ERRORS]
    n = float(sum(one.text is not None for one in sampled))
    return Score(
        value={
            "entropy": math.nan, "sure": math.nan, "meanings": math.nan, "majority": math.nan,
            "n": n,
        },
        answer="no entropy",
        explanation=escaped(why[:500]),
        reason=reason,
        metadata={
            "jury": MARK,
            "semantic_entropy": {"reason": why[:300], "errors": errors, **_spent(usage)},
        },
    )  # fmt: skip


def _spent(usage: Usage) -> dict[str, Any]:
    return {"calls": usage.calls, "cost": usage.cost}


def _explained(
    texts: Sequence[Sampled], clusters: Sequence[int], entropy: float, *, wordings: bool
) -> str:
    """List the meanings, the commonest first, each by its first text."""
    order = sorted(set(clusters), key=lambda own: (-clusters.count(own), own))
    lines = [f"{len(texts)} texts, {len(order)} meanings: {entropy:.3f} nats", ""]
    if wordings:
        lines.append(f"{WORDINGS}\n")
    for own in order[:MOST_SHOWN]:
        text = (texts[clusters.index(own)].text or "")[:MOST_TEXT]
        lines.append(f"- {clusters.count(own)}: {escaped(text)}")
    if len(order) > MOST_SHOWN:
        lines.append(f"- and {len(order) - MOST_SHOWN} more")
    return "\n".join(lines)


def _check(  # noqa: PLR0913, PLR0917 - one rule each
    n: int,
    of: str,
    weights: str,
    correction: str,
    max_concurrency: int | None,
    timeout: float | None,
) -> None:
    for name, given, least in (("n", n, 2), ("max_concurrency", max_concurrency, 1)):
        if given is not None and (type(given) is not int or given < least):
            raise AskError(f"{name} = {given!r} must be a whole number, {least} or more")
    for name, text, known in (("of", of, OF), ("weights", weights, WEIGHTS)):
        if text not in known:
            raise AskError(f"{name} = {text!r} must be one of {', '.join(known)}")
    if correction not in ("none", "miller_madow"):
        raise AskError(f"correction = {correction!r} must be none or miller_madow")
    if weights != "counts" and of != "answers":
        raise AskError(f"weights = {weights!r} are of answers; of {of} only counts are known")
    if weights != "counts" and correction != "none":
        raise AskError(f"correction = {correction!r} is for counts, not for {weights}")
    if timeout is not None and not timeout > 0:
        raise AskError(f"timeout = {timeout!r} must be seconds above 0, or None")
