"""A model provider that answers from recorded judge outputs: the live path without any key.

A judge is the model ``panopt-replay/NAME``; the recording (:mod:`.recording`) is the file in the
environment variable ``PANOPT_REPLAY`` or the model argument ``file``. Which item, draw and order
are asked stands in the metadata of the prompt's message under ``panopt``, where
:class:`panopt.shims.inspect.live.model_judge.InspectJudge` puts it; it is never part of the text.

Judges also fail on cue, by the field ``fault`` of a line or by the model arguments ``faults`` (a
share of all calls, or a mapping from fault to share) and ``fault_seed``:

timeout, connection, crash
    Raises at once.
stall
    Answers after an hour.
429, 500
    Raises an error with that status; Inspect tries again, and waits a millisecond for it.
refuse, filtered
    Stops for a content filter: with a refusal, or in the middle of an answer.
truncated, malformed, prose, empty
    Stops at the limit of tokens; breaks the JSON; answers without JSON; says nothing.
nan, out_of_range
    Gives a verdict that is no number, or far off any scale.
schema
    Refuses requests with a response schema (status 400) and answers those without.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

import anyio
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    Logprob,
    Logprobs,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    RetryDecision,
    StopReason,
    TopLogprob,
)
from inspect_ai.tool import ToolChoice, ToolInfo
from tenacity.wait import WaitBaseT, wait_fixed

from panopt.errors import AskError
from panopt.shims.inspect.live.asked import ASKED
from panopt.shims.inspect.live.recording import FAULTS, Recorded, Recording, open_recording

__all__ = ["FILE", "Replay", "ReplayError"]

#: The environment variable that names the recording.
FILE = "PANOPT_REPLAY"

STALL = 3600.0  # seconds
REFUSAL = "I'm sorry, but I can't help with that."
RETRIED = (429, 500)


class ReplayError(Exception):
    """A recorded call that failed, with the status a provider would give."""

    def __init__(self, message: str, status_code: int | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code


class Replay(ModelAPI):
    """Answers as recorded.

    Parameters
    ----------
    file
        The recording; None: the environment variable ``PANOPT_REPLAY``.
    faults
        Share of calls that fail, in all ways alike, or the share of each way.
    fault_seed
        Draws which calls fail: the same ones each time.

    Raises
    ------
    AskError
        When there is no recording, or a fault is unknown or its share off [0, 1].
    """

    def __init__(  # noqa: PLR0913 - the first four are Inspect's
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 - as Inspect declares it
        *,
        file: str | None = None,
        faults: float | Mapping[str, float] | None = None,
        fault_seed: int = 0,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        self._file = file
        self._recording()  # a recording that is missing or broken is said now
        self._faults = _shares(faults)
        self._seed = fault_seed
        self._spoilt: Counter[str] = Counter()

    async def generate(
        self,
        input: list[ChatMessage],  # noqa: A002 - Inspect's name
        tools: list[ToolInfo],  # noqa: ARG002 - Inspect's signature
        tool_choice: ToolChoice,  # noqa: ARG002 - Inspect's signature
        config: GenerateConfig,
    ) -> ModelOutput:
        """Answer from the recording, or fail on cue."""
        asked = _asked(input)
        if asked is None:
            raise ReplayError(
                f"panopt-replay/{self.model_name}: the prompt's metadata do not say under "
                f"{ASKED!r} which item is asked"
            )
        line = self._recording().find(self.model_name, asked)
        if line is None:
            raise ReplayError(
                f"nothing recorded of judge {self.model_name!r} on "
                + ", ".join(f"{name} {value!r}" for name, value in asked.items())
            )
        fault = self._fault(line, asked)
        if fault is not None:
            _raise_on(fault, config)
        seconds = STALL if fault == "stall" else line.seconds
        if seconds > 0:
            await anyio.sleep(seconds)
        return self._output(line, fault, input, config)

    async def count_text_tokens(self, text: str) -> int:
        """Estimate: four characters a token, since a tokenizer would be fetched."""
        return _estimate(text)

    def should_retry(self, ex: Exception) -> RetryDecision:
        """Try again what a real provider would."""
        if isinstance(ex, ReplayError) and ex.status_code in RETRIED:
            return (
                RetryDecision.rate_limit() if ex.status_code == 429 else (RetryDecision.transient())
            )
        return RetryDecision.no()

    def retry_wait(self) -> WaitBaseT:
        """Wait for nobody."""
        return wait_fixed(0.001)

    def _recording(self) -> Recording:
        """Open the recording; models outlive the environment that they were made in."""
        where = self._file or os.environ.get(FILE)
        if not where:
            raise AskError(
                f"panopt-replay/{self.model_name} needs a recording: set {FILE}, or the model "
                "argument file"
            )
        return open_recording(where)

    def _fault(self, line: Recorded, asked: Mapping[str, Any]) -> str | None:
        call = json.dumps([self.model_name, asked], sort_keys=True, default=str)
        if line.fault is not None:
            if line.failures is not None:
                self._spoilt[call] += 1
                if self._spoilt[call] > line.failures:
                    return None
            return line.fault
        if not self._faults:
            return None
        drawn = hashlib.sha256(f"{self._seed} {call}".encode()).digest()
        place = int.from_bytes(drawn[:8], "big") / 2**64
        for fault, share in self._faults.items():
            place -= share
            if place < 0:
                return fault
        return None

    def _output(
        self, line: Recorded, fault: str | None, messages: list[ChatMessage], config: GenerateConfig
    ) -> ModelOutput:
        text, stop = _reply(line, fault)
        written = sum(len(message.text) for message in messages)
        read = line.input_tokens if line.input_tokens is not None else _estimate(" " * written)
        wrote = line.output_tokens if line.output_tokens is not None else _estimate(text)
        return ModelOutput(
            model=self.model_name,
            choices=[
                ChatCompletionChoice(
                    message=ChatMessageAssistant(
                        content=text, model=self.model_name, source="generate"
                    ),
                    stop_reason=cast(StopReason, stop),
                    logprobs=_logprobs(line, config) if config.logprobs and not fault else None,
                )
            ],
            usage=ModelUsage(
                input_tokens=read,
                output_tokens=wrote,
                total_tokens=read + wrote,
                total_cost=line.cost,
            ),
        )


def _asked(messages: list[ChatMessage]) -> dict[str, Any] | None:
    for message in reversed(messages):
        asked = (message.metadata or {}).get(ASKED)
        if isinstance(asked, Mapping):
            return dict(asked)
    return None


def _shares(faults: float | Mapping[str, float] | None) -> dict[str, float]:
    if faults is None:
        return {}
    if isinstance(faults, int | float):
        usual = [fault for fault in FAULTS if fault not in {"stall", "schema"}]
        faults = dict.fromkeys(usual, faults / len(usual))
    for fault, share in faults.items():
        if fault not in FAULTS:
            raise AskError(f"faults names {fault!r}, which is none of {', '.join(FAULTS)}")
        if not 0 <= share <= 1:
            raise AskError(f"faults[{fault!r}] = {share} must lie in 0 to 1")
    if sum(faults.values()) > 1 + 1e-9:
        raise AskError(f"faults add up to {sum(faults.values())}, which must be 1 at most")
    return dict(faults)


def _raise_on(fault: str, config: GenerateConfig) -> None:
    if fault == "timeout":
        raise TimeoutError("the provider did not answer in time")
    if fault == "connection":
        raise ConnectionError("the connection was reset")
    if fault == "crash":
        raise RuntimeError("the provider's client crashed")
    if fault == "429":
        raise ReplayError("rate limit exceeded", 429)
    if fault == "500":
        raise ReplayError("internal server error", 500)
    if fault == "schema" and config.response_schema is not None:
        raise ReplayError("response_format: json_schema is not supported by this model", 400)


def _reply(line: Recorded, fault: str | None) -> tuple[str, str]:
    """Give the reply's text and why it stopped."""
    text = line.text if line.text is not None else _as_json(line)
    half = text[: len(text) // 2]
    spoilt = {
        "refuse": (REFUSAL, "content_filter"),
        "filtered": (half, "content_filter"),
        "truncated": (half, "max_tokens"),
        "malformed": (text.replace(":", "", 1) + "}", "stop"),
        "prose": (f"All in all: {line.reason or 'it depends on how one sees it.'}", "stop"),
        "empty": ("", "stop"),
        "nan": (json.dumps({"reason": line.reason, "verdict": math.nan}), "stop"),
        "out_of_range": (json.dumps({"reason": line.reason, "verdict": 1e6}), "stop"),
    }
    return spoilt.get(fault or "", (text, line.stop_reason or "stop"))


def _as_json(line: Recorded) -> str:
    answer: dict[str, object] = {"reason": line.reason, "verdict": line.verdict}
    if line.confidence is not None:
        answer["confidence"] = line.confidence
    return json.dumps(answer, ensure_ascii=False)


def _logprobs(line: Recorded, config: GenerateConfig) -> Logprobs | None:
    if line.logprobs is not None:
        return Logprobs(content=[Logprob.model_validate(token) for token in line.logprobs])
    if line.probabilities is None or line.verdict is None:
        return None
    said = json.dumps(line.verdict, ensure_ascii=False).strip('"')
    text = line.text if line.text is not None else _as_json(line)
    before, found, after = text.rpartition(said)
    if not found:
        return None
    ranked = sorted(line.probabilities.items(), key=lambda pair: -pair[1])
    top = [
        TopLogprob(token=token, logprob=math.log(share))
        for token, share in ranked[: config.top_logprobs or 0]
        if share > 0
    ]
    own = line.probabilities.get(said, 0.0)
    content = [
        Logprob(token=before, logprob=0.0, top_logprobs=[]),
        Logprob(token=said, logprob=math.log(own) if own > 0 else -9999.0, top_logprobs=top),
        Logprob(token=after, logprob=0.0, top_logprobs=[]),
    ]
    return Logprobs(content=content)


def _estimate(text: str) -> int:
    return max(1, len(text) // 4)
