"""A judge that is a model behind Inspect's model API: roles, cache, retries, batches and cost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from inspect_ai.model import (
    CachePolicy,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelOutput,
    ResponseSchema,
    get_model,
)
from inspect_ai.util import JSONSchema

from panopt.errors import AskError
from panopt.judging.failures import failure_of
from panopt.judging.parse import Reading, read_reply
from panopt.judging.prompts import PromptMaker
from panopt.judging.protocol import Answer, JudgeError, Question, Usage
from panopt.judging.schema import VERDICT_NAME
from panopt.shims.inspect.live.asked import ASKED, asked_of

__all__ = ["ConfidenceReader", "InspectJudge", "checked_cache", "usage_of"]

#: Inspect's own defaults are retries without end and no limit of time.
MAX_RETRIES = 3
ATTEMPT_TIMEOUT = 120  # seconds

_CUT = ("max_tokens", "model_length")
_EXPIRY = re.compile(r"[0-9]+[smhDWMY]")  # as inspect_ai.model.CachePolicy reads it
_AGAIN = "That was not the JSON object asked for. Give your verdict as that one JSON object alone."
_SCHEMA_WORDS = ("schema", "response_format", "response format", "structured output", "json mode")
_SCHEMA_STATUS = (None, 400, 404, 422, 501)


class ConfidenceReader(Protocol):
    """Reads how sure a judge was off its reply."""

    @property
    def source(self) -> str:
        """Name of the source, as certificates know it."""
        ...

    @property
    def is_stated(self) -> bool:
        """Whether the judge is asked to state it."""
        ...

    @property
    def top_logprobs(self) -> int | None:
        """How many log probabilities a token are wanted; None: none."""
        ...

    def read(
        self, question: Question, reading: Reading, output: ModelOutput
    ) -> tuple[float | None, Mapping[str, float] | None]:
        """Give the confidence in the verdict, and the probability of each option."""
        ...


class InspectJudge:
    """A model as a judge; holds no state of a response.

    Parameters
    ----------
    model
        Its name, or Inspect's model.
    prompts
        What it is told; `prompts.confidence` should be that of `confidence.is_stated`.
    name
        Name in results; the model's by default.
    cache
        True, or how long an answer is kept ("12h", "1W"). Draws, orders and judges never share one.
    config
        Options of generation; `max_retries` and `attempt_timeout` are 3 and 120 s unless this or
        the model says otherwise.
    structured
        Send a response schema. Where the provider rejects it the schema goes into the prompt,
        from then on; where the model answers in prose all the same it is asked once more.
    confidence
        Reads its confidence.
    """

    def __init__(  # noqa: PLR0913 - all but two are options
        self,
        model: str | Model,
        prompts: PromptMaker,
        *,
        name: str | None = None,
        cache: bool | str = False,
        config: GenerateConfig | None = None,
        structured: bool = True,
        confidence: ConfidenceReader | None = None,
    ) -> None:
        self._given = model
        self._prompts = prompts
        self._name = name or str(model)
        self._cache = checked_cache(cache)
        self._config = config or GenerateConfig()
        self._structured = structured
        self._confidence = confidence
        self._schema = ResponseSchema(
            name=VERDICT_NAME, json_schema=JSONSchema.model_validate(prompts.schema), strict=True
        )

    @property
    def name(self) -> str:
        """Name in results."""
        return self._name

    @property
    def model(self) -> str | None:
        """Name of the model, with its provider."""
        return str(self._given)

    @property
    def prompt_hash(self) -> str | None:
        """Hash of what it is told about any response."""
        return self._prompts.hash

    @property
    def confidence_source(self) -> str | None:
        """How its confidence is obtained."""
        return self._confidence.source if self._confidence is not None else None

    async def __call__(self, question: Question) -> Answer:
        """Ask the model once; twice where it answers in prose or rejects the schema.

        Raises
        ------
        JudgeError
            Of kind ``parse``, where the reply was cut or holds no verdict. Errors of Inspect and
            the provider pass through.
        """
        model = get_model(self._given)
        usage = Usage(calls=0)
        output: ModelOutput | None = None
        plain = not self._structured
        if not plain:
            try:
                output = await self._generate(model, self._messages(question, plain=False))
            except Exception as error:
                if not _rejects_schema(error):
                    raise
                plain = True
                usage += Usage(calls=1)
        if output is None:
            messages = self._messages(question, plain=True)
            output = await self._again(model, messages, usage)
            self._structured = False  # the provider's way, not the response's: it stays so
        usage += usage_of(output)
        try:
            reading = self._read(output)
        except _ProseError:
            messages = self._messages(question, plain=True)
            messages += [ChatMessageAssistant(content=output.completion), _user(_AGAIN, question)]
            output = await self._again(model, messages, usage)
            usage += usage_of(output)
            reading = self._read_last(output, usage)
        except JudgeError as error:
            raise JudgeError(str(error), error.kind, usage) from None
        return self._answer(question, reading, output, usage)

    async def _again(self, model: Model, messages: list[ChatMessage], usage: Usage) -> ModelOutput:
        """Ask without a schema; an error then tells what the call before it took, too."""
        if not usage.calls:
            return await self._generate(model, messages, plain=True)
        try:
            return await self._generate(model, messages, plain=True)
        except Exception as error:
            failure = failure_of(error)
            raise JudgeError(failure.message, failure.kind, usage + Usage(calls=1)) from error

    def _read_last(self, output: ModelOutput, usage: Usage) -> Reading:
        try:
            return self._read(output)
        except _ProseError as error:
            raise JudgeError(str(error), "parse", usage) from None
        except JudgeError as error:
            raise JudgeError(str(error), error.kind, usage) from None

    def _messages(self, question: Question, *, plain: bool) -> list[ChatMessage]:
        prompts, shots = self._prompts, list[ChatMessage]()
        for example in question.examples:
            shown = prompts.make(example.question, schema_in_prompt=plain)
            shots += [
                ChatMessageUser(content=shown.user),
                ChatMessageAssistant(content=prompts.answer(example.verdict)),
            ]
        prompt = prompts.make(question, schema_in_prompt=plain)
        return [ChatMessageSystem(content=prompt.system), *shots, _user(prompt.user, question)]

    async def _generate(
        self, model: Model, messages: list[ChatMessage], *, plain: bool = False
    ) -> ModelOutput:
        own = model.config
        wanted: dict[str, Any] = {
            "fail_on_refusal": False,
            "max_retries": MAX_RETRIES if own.max_retries is None else own.max_retries,
            "attempt_timeout": (
                ATTEMPT_TIMEOUT if own.attempt_timeout is None else own.attempt_timeout
            ),
        }
        if not plain:
            wanted["response_schema"] = self._schema
        top = self._confidence.top_logprobs if self._confidence is not None else None
        if top:
            wanted |= {"logprobs": True, "top_logprobs": top}
        config = GenerateConfig(**wanted).merge(self._config)
        if not self._cache:
            return await model.generate(messages, config=config)
        asked = messages[-1].metadata or {}
        scopes = {"judge": self._name} | {
            name: str(asked[ASKED][name]) for name in ("draw", "order")
        }
        policy = CachePolicy(
            expiry=self._cache if isinstance(self._cache, str) else None,
            per_epoch=False,
            scopes=scopes,
        )
        return await model.generate(messages, config=config, cache=policy)

    def _read(self, output: ModelOutput) -> Reading:
        if output.empty:
            raise JudgeError(output.error or "the model gave no answer", "parse")
        text, stop = output.completion, output.stop_reason
        if stop == "content_filter":
            if _begins_answer(text):
                raise JudgeError("the reply was filtered in the middle", "parse")
            details = output.choices[0].stop_details
            told = text.strip() or (details.explanation if details else None) or output.error
            return Reading(None, told or "refused: stopped by a content filter")
        if stop in _CUT:
            raise JudgeError(f"the reply was cut at the limit of tokens ({stop})", "parse")
        try:
            return read_reply(text, self._prompts.kind)
        except JudgeError as error:
            if _begins_answer(text) or not text.strip():
                raise
            raise _ProseError(str(error)) from None

    def _answer(
        self, question: Question, reading: Reading, output: ModelOutput, usage: Usage
    ) -> Answer:
        sure: float | None = None
        shares: Mapping[str, float] | None = None
        if self._confidence is not None and not reading.abstained:
            sure, shares = self._confidence.read(question, reading, output)
        return Answer(
            reading.verdict,
            abstained=reading.abstained,
            rationale=reading.rationale,
            confidence=sure,
            confidence_source=self.confidence_source if sure is not None else None,
            probabilities=shares,
            usage=usage,
            model=output.model,
            cached=bool(self._cache) and _was_cached(output),
        )


class _ProseError(Exception):
    """The reply is prose: another try may help."""


def checked_cache(cache: bool | str) -> bool | str:  # noqa: FBT001 - an option's value
    """Refuse a time that Inspect would refuse at every call: each vote would be lost to it.

    Raises
    ------
    AskError
        Naming `cache`.
    """
    if isinstance(cache, str) and not _EXPIRY.fullmatch(cache):
        raise AskError(f"cache = {cache!r} must be True, False, or how long: '12h', '3D', '1W'")
    return cache


def usage_of(output: ModelOutput) -> Usage:
    """Give what one call took; input tokens with those read from or written to a cache."""
    used = output.usage
    if used is None:
        return Usage(calls=1, seconds=output.time)
    read = used.input_tokens + (used.input_tokens_cache_read or 0)
    return Usage(
        calls=1,
        input_tokens=read + (used.input_tokens_cache_write or 0),
        output_tokens=used.output_tokens,
        cost=used.total_cost,
        seconds=output.time,
    )


def _user(text: str, question: Question) -> ChatMessageUser:
    return ChatMessageUser(content=text, metadata={ASKED: asked_of(question)})


def _begins_answer(text: str) -> bool:
    """Tell whether a reply is an answer in JSON, whole or not."""
    return '"verdict"' in text or text.lstrip().startswith(("{", "```"))


def _rejects_schema(error: Exception) -> bool:
    """Tell whether a provider refused a request for its response schema."""
    status = getattr(error, "status_code", None)
    if status not in _SCHEMA_STATUS:
        return False
    # Inspect's own message quotes the request, and so the schema, whatever was wrong.
    told = getattr(error, "provider_message", None) or str(error.__cause__ or error)
    return any(word in told.lower() for word in _SCHEMA_WORDS)


def _was_cached(output: ModelOutput) -> bool:
    """Tell whether an answer came from Inspect's cache: its event in the transcript says so."""
    from inspect_ai.event import ModelEvent  # noqa: PLC0415 - only with a cache
    from inspect_ai.log import transcript  # noqa: PLC0415 - only with a cache

    own = None if output.empty else output.message.id
    for event in reversed(transcript().events):
        if not isinstance(event, ModelEvent) or event.output.empty:
            continue
        if event.output.message.id == own:
            return event.cache == "read"
    return False
