"""The replay provider, and the judge over Inspect's model API."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from inspect_ai.model import ChatMessageUser, GenerateConfig, Model, ModelOutput, get_model

from panopt.errors import AskError, SourceError
from panopt.judging.parse import Reading
from panopt.judging.prompts import PromptMaker
from panopt.judging.protocol import Answer, JudgeError, Question
from panopt.judging.verdict import Boolean, Labelled, VerdictKind
from panopt.shims.inspect.live.model_judge import InspectJudge
from panopt.shims.inspect.live.recording import FAULTS, open_recording
from panopt.shims.inspect.live.replay_provider import Replay

from .conftest import Replayed

ASKED = {"item": "1", "epoch": 1, "system": "m", "criterion": "score", "draw": 0, "order": None}


def ask(model: Model, config: GenerateConfig | None = None, **asked: Any) -> ModelOutput:  # noqa: ANN401
    message = ChatMessageUser(content="judge this", metadata={"panopt": ASKED | asked})

    async def call() -> ModelOutput:
        return await model.generate([message], config=config or GenerateConfig(max_retries=1))

    return anyio.run(call)


def judge(name: str, kind: VerdictKind | None = None, **options: Any) -> Answer:  # noqa: ANN401
    kind = kind or Boolean()
    asking = InspectJudge(f"panopt-replay/{name}", PromptMaker(kind), **options)
    question = Question("1", "task", ("response",), "R?", kind, system="m")
    return anyio.run(asking, question)


def test_the_most_narrow_line_answers(replayed: Replayed) -> None:
    base = {"item": "1", "judge": "a"}
    replayed.record(
        [
            {**base, "verdict": True, "reason": "any"},
            {**base, "draw": 1, "verdict": True, "reason": "draw"},
            {**base, "draw": 1, "order": 1, "verdict": True, "reason": "both"},
            {**base, "system": "other", "verdict": True, "reason": "system"},
        ]
    )
    model = get_model("panopt-replay/a")
    found = [
        json.loads(ask(model, **asked).completion)["reason"]
        for asked in ({}, {"draw": 1}, {"draw": 1, "order": 1}, {"system": "other"}, {"item": 1})
    ]
    assert found == ["any", "draw", "both", "system", "any"]


def test_what_was_not_recorded_is_an_error_that_names_it(replayed: Replayed) -> None:
    replayed.record([{"item": "1", "judge": "a", "verdict": True}])
    with pytest.raises(Exception, match="nothing recorded of judge 'b' on item '1'"):
        ask(get_model("panopt-replay/b"))
    with pytest.raises(Exception, match="do not say under 'panopt' which item"):
        anyio.run(get_model("panopt-replay/a").generate, "hello")


def test_usage_and_log_probabilities_are_the_recorded_ones(replayed: Replayed) -> None:
    replayed.record(
        [
            {
                "item": "1",
                "judge": "a",
                "verdict": "good",
                "reason": "a good one",
                "probabilities": {"good": 0.75, "bad": 0.25},
                "input_tokens": 11,
                "output_tokens": 5,
                "cost": 0.5,
            }
        ]
    )
    model = get_model("panopt-replay/a")
    out = ask(model, GenerateConfig(logprobs=True, top_logprobs=5))
    assert out.usage is not None
    assert (out.usage.input_tokens, out.usage.output_tokens, out.usage.total_cost) == (11, 5, 0.5)
    assert out.choices[0].logprobs is not None
    tokens = out.choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == out.completion
    verdict = tokens[1]
    assert verdict.token == "good"  # noqa: S105 - of a text
    shares = {top.token: math.exp(top.logprob) for top in verdict.top_logprobs or ()}
    assert shares == pytest.approx({"good": 0.75, "bad": 0.25})
    assert ask(model).choices[0].logprobs is None


def test_faults_by_share_are_the_same_ones_each_time(replayed: Replayed) -> None:
    items = [str(i) for i in range(300)]
    replayed.record([{"item": item, "judge": "a", "verdict": True} for item in items])

    def spoilt(seed: int) -> list[str]:
        model = get_model("panopt-replay/a", faults={"empty": 0.3}, fault_seed=seed)
        return [item for item in items if not ask(model, item=item).completion]

    first = spoilt(1)
    assert first == spoilt(1)
    assert first != spoilt(2)
    assert abs(len(first) / 300 - 0.3) < 3 * math.sqrt(0.3 * 0.7 / 300)


def test_a_fault_may_pass(replayed: Replayed) -> None:
    replayed.record([{"item": "1", "judge": "a", "verdict": True, "fault": "429", "failures": 2}])
    model = get_model("panopt-replay/a", memoize=False)
    assert ask(model, GenerateConfig(max_retries=3)).completion


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"faults": {"fire": 0.1}}, "faults names 'fire', which is none of"),
        ({"faults": {"429": 1.5}}, r"faults\['429'\] = 1.5 must lie in 0 to 1"),
        ({"faults": {"429": 0.8, "500": 0.8}}, "add up to 1.6"),
    ],
)
def test_bad_options_of_the_provider(
    replayed: Replayed, options: dict[str, Any], message: str
) -> None:
    replayed.record([])
    with pytest.raises(AskError, match=message):
        Replay("a", **options)


def test_a_recording_that_is_missing_or_broken_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PANOPT_REPLAY", raising=False)
    with pytest.raises(AskError, match="needs a recording: set PANOPT_REPLAY"):
        Replay("a")
    with pytest.raises(SourceError, match="cannot be opened"):
        open_recording(tmp_path / "none.jsonl")
    for line, message in (
        ("{", "line 2: no recorded answer"),
        ('{"item": 1, "judge": "a", "verdikt": 1}', "line 2: no recorded answer.*verdikt"),
        ('{"item": 1, "judge": "a"}', "line 2: a line needs verdict, text or fault"),
        ('{"item": 1, "judge": "a", "fault": "fire"}', "line 2: no recorded answer"),
    ):
        path = tmp_path / f"{abs(hash(line))}.jsonl"
        path.write_text(f'{{"item": 1, "judge": "a", "verdict": true}}\n{line}\n', encoding="utf-8")
        with pytest.raises(SourceError, match=message):
            open_recording(path)
    assert len(set(FAULTS)) == len(FAULTS) == 15


def test_a_judge_tells_usage_of_both_calls_when_asked_again(replayed: Replayed) -> None:
    line = {"item": "1", "judge": "a", "verdict": True, "input_tokens": 10, "output_tokens": 2}
    replayed.record([{**line, "fault": "prose", "failures": 1}])
    answer = judge("a")
    assert answer.verdict is True
    assert (answer.usage.calls, answer.usage.input_tokens) == (2, 20)
    replayed.record([{**line, "judge": "b", "fault": "prose"}])
    with pytest.raises(JudgeError, match="no verdict in the reply") as caught:
        judge("b")
    assert caught.value.kind == "parse"
    assert caught.value.usage.calls == 2


def test_a_provider_that_rejects_the_schema_is_asked_in_the_prompt_from_then_on(
    replayed: Replayed,
) -> None:
    replayed.record([{"item": "1", "judge": "a", "verdict": True, "fault": "schema"}])
    asking = InspectJudge("panopt-replay/a", PromptMaker(Boolean()))
    question = Question("1", "task", ("response",), "R?", Boolean())
    answers = [anyio.run(asking, question) for _ in range(2)]
    assert [answer.usage.calls for answer in answers] == [2, 1]


def test_other_errors_are_not_swallowed(replayed: Replayed) -> None:
    replayed.record([{"item": "1", "judge": "a", "fault": "crash"}])
    with pytest.raises(RuntimeError, match="the provider's client crashed"):
        judge("a")


class Fixed:
    """A reader of confidences that always says the same."""

    source = "told by the test"
    is_stated = False
    top_logprobs: int | None = 3

    def read(
        self, question: Question, reading: Reading, output: ModelOutput
    ) -> tuple[float | None, Mapping[str, float] | None]:
        assert output.choices[0].logprobs is not None
        return 0.75, {"good": 0.75, "bad": 0.25}


def test_a_confidence_reader_sees_the_log_probabilities(replayed: Replayed) -> None:
    replayed.record(
        [{"item": "1", "judge": "a", "verdict": "good", "probabilities": {"good": 0.75}}]
    )
    answer = judge("a", Labelled(("good", "bad")), confidence=Fixed())
    assert (answer.confidence, answer.confidence_source) == (0.75, "told by the test")
    assert answer.probabilities == {"good": 0.75, "bad": 0.25}
