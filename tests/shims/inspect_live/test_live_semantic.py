"""The scorer panopt/semantic_entropy: draws, meanings by match or by a model, and failures."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from inspect_ai import Task
from inspect_ai import eval as evaluate
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import match
from inspect_ai.solver import generate

import panopt
from panopt.errors import AskError
from panopt.shims.inspect.live.semantic import semantic_entropy
from panopt.stats.semantic import semantic_entropy as entropy_of

from .conftest import Replayed, scores_of

SAME = {"Paris", "It is Paris.", "The city of Paris"}
MODEL = "panopt-replay/a"
#: Inspect's own mock waits by an option that tenacity would have renamed.
MOCK = pytest.mark.filterwarnings("ignore:The 'initial' parameter is deprecated")


def record(replayed: Replayed, texts: Sequence[str], **more: Any) -> None:  # noqa: ANN401
    """Record what a model says of item 1, draw by draw."""
    lines = [{"item": "1", "judge": "a", "draw": d, "text": text} for d, text in enumerate(texts)]
    for name, values in more.items():
        for one, value in zip(lines, values, strict=True):
            one[name] = value
    replayed.record(lines)


def told(log: EvalLog) -> tuple[dict[str, Any], dict[str, Any]]:
    assert log.status == "success", log.error
    score = scores_of(log, "semantic_entropy")["1"]
    value: Any = score.value
    return value, (score.metadata or {})["semantic_entropy"]


def test_P_4_meanings_by_normalised_exact_match_and_counts(replayed: Replayed) -> None:
    texts = ["Paris", "paris.", "Rome", "the Paris"]
    record(replayed, texts)
    value, more = told(replayed.run(semantic_entropy(4, model=MODEL), ["1"]))
    expected = float(entropy_of([0] * 4, texts).entropy[0])
    assert value["entropy"] == pytest.approx(expected) == pytest.approx(0.5623, abs=1e-4)
    assert value["sure"] == pytest.approx(1 - expected / math.log(4))
    assert (value["meanings"], value["majority"], value["n"]) == (2, 0.75, 4)
    assert more["clusters"] == [0, 0, 1, 0]
    assert (more["calls"], more["entailer"]) == (4, "normalised exact match")


def test_P_4_meanings_weigh_by_likelihood_too(replayed: Replayed) -> None:
    p = [0.5, 0.25, 0.1]
    logprobs = [[{"token": "x", "logprob": math.log(one) / 2}] * 2 for one in p]
    record(replayed, ["yes", "no", "yes"], logprobs=logprobs)
    scorer = semantic_entropy(3, model=MODEL, weights="likelihoods")
    value, _ = told(replayed.run(scorer, ["1"]))
    yes = 0.6 / 0.85
    expected = -yes * math.log(yes) - (1 - yes) * math.log(1 - yes)
    assert value["entropy"] == pytest.approx(expected)
    per_token = semantic_entropy(3, model=MODEL, weights="likelihoods per token")
    value, more = told(replayed.run(per_token, ["1"]))
    root = [math.sqrt(one) for one in p]
    yes = (root[0] + root[2]) / sum(root)
    assert value["majority"] == pytest.approx(yes)
    assert more["predictive_entropy"] == pytest.approx(-sum(map(math.log, root)) / 3)


def entailing(calls: list[str]) -> Any:  # noqa: ANN401 - a model of Inspect's
    """Give a model that knows which texts are of one city."""

    def reply(messages: Any, *_: object) -> ModelOutput:  # noqa: ANN401 - Inspect's messages
        text = messages[-1].text
        calls.append(text)
        first = text.split("The first text:")[1].split("\n")[2]
        second = text.split("The second text:")[1].split("\n")[2]
        verdict = {"verdict": (first in SAME) == (second in SAME)}
        output = ModelOutput.from_content("mockllm/entailer", json.dumps(verdict))
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    return get_model("mockllm/entailer", custom_outputs=reply, memoize=False)


@MOCK
def test_P_4_a_model_tells_whether_texts_entail_each_other(replayed: Replayed) -> None:
    texts = ["Paris", "It is Paris.", "Rome, I think", "The city of Paris", "Paris"]
    record(replayed, texts)
    calls: list[str] = []
    scorer = semantic_entropy(5, model=MODEL, entailer=entailing(calls))
    value, more = told(replayed.run(scorer, ["1"]))
    assert more["clusters"] == [0, 0, 1, 0, 0]
    assert value["entropy"] == pytest.approx(-0.8 * math.log(0.8) - 0.2 * math.log(0.2))
    # Three others against the first; back where the first direction holds; never twice.
    assert len(calls) == len(set(calls)) == 5
    assert more["calls"] == 10
    assert all("question 1" in text for text in calls)


def test_P_4_rationales_of_a_judge(replayed: Replayed) -> None:
    lines = [
        {"item": "1", "judge": "a", "draw": d, "verdict": True, "reason": reason}
        for d, reason in enumerate(["It is right.", "it is right", "No source."])
    ]
    replayed.record(lines)
    value, _ = told(replayed.run(semantic_entropy(3, "rationales", model=MODEL), ["1"]))
    assert (value["meanings"], value["n"]) == (2, 3)


def test_texts_that_all_differ_by_their_words_say_nothing_of_meanings(
    replayed: Replayed, caplog: pytest.LogCaptureFixture
) -> None:
    record(replayed, ["Paris", "It is Paris.", "The city of Paris"])
    log = replayed.run(semantic_entropy(3, model=MODEL), ["1"])
    value, more = told(log)
    assert value["entropy"] == pytest.approx(math.log(3))
    assert more["warning"].startswith("no two texts are the same words: this is log n")
    assert more["warning"] in str(scores_of(log, "semantic_entropy")["1"].explanation)
    record(replayed, ["Paris", "It is Paris.", "Paris"])
    assert "warning" not in told(replayed.run(semantic_entropy(3, model=MODEL), ["1"]))[1]
    assert "without an entailer is" not in caplog.text
    semantic_entropy(3, "rationales", model=MODEL)
    assert "rationales without an entailer is that of their words" in caplog.text


def test_draws_that_fail_are_left_out_and_told(replayed: Replayed) -> None:
    record(replayed, ["yes", "yes", "no", "x"], fault=[None, None, "empty", "500"])
    value, more = told(replayed.run(semantic_entropy(4, model=MODEL), ["1"]))
    assert (value["n"], value["entropy"], value["sure"]) == (2, 0.0, 1.0)
    assert more["failed"] == 2
    assert any("status" in error for error in more["errors"])


def test_one_text_has_no_entropy(replayed: Replayed) -> None:
    record(replayed, ["yes", "no"], fault=[None, "crash"])
    log = replayed.run(semantic_entropy(2, model=MODEL), ["1"])
    value, more = told(log)
    assert math.isnan(value["entropy"])
    assert "1 of 2 draws gave a text: an entropy takes two" in more["reason"]
    assert scores_of(log, "semantic_entropy")["1"].reason == "grader_failed"


def test_an_entailer_that_fails_costs_the_entropy_and_not_the_sample(replayed: Replayed) -> None:
    record(replayed, ["one thing", "another"])
    scorer = semantic_entropy(2, model=MODEL, entailer="panopt-replay/none")
    log = replayed.run(scorer, ["1"])
    value, more = told(log)
    assert math.isnan(value["entropy"])
    assert "nothing recorded of judge 'none'" in more["reason"]
    assert scores_of(log, "semantic_entropy")["1"].reason == "scoring_failed"


def test_likelihoods_without_token_probabilities_are_no_draws(replayed: Replayed) -> None:
    record(replayed, ["yes", "no"])
    scorer = semantic_entropy(2, model=MODEL, weights="likelihoods")
    _, more = told(replayed.run(scorer, ["1"]))
    assert "without token probabilities" in more["reason"]


@MOCK
def test_the_model_under_test_is_asked_again_without_its_answer(replayed: Replayed) -> None:
    seen: list[list[str]] = []

    def reply(messages: Any, *_: object) -> ModelOutput:  # noqa: ANN401 - Inspect's messages
        seen.append([message.role for message in messages])
        output = ModelOutput.from_content("mockllm/model", "four")
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    model = get_model("mockllm/model", custom_outputs=reply, memoize=False)
    task = Task(
        dataset=[Sample(id="1", input="2 + 2?", target="four")],
        solver=generate(),
        scorer=[match(), semantic_entropy(3)],
    )
    [log] = evaluate(task, model=model, display="none", log_dir=str(replayed.folder / "logs"))
    value, _ = told(log)
    assert (value["entropy"], value["n"]) == (0.0, 3)
    assert seen == [["user"]] * 4
    # It is a measure of the response: no judge of an analysis.
    study = panopt.read(log.location)
    assert {row["judge"] for row in study.table.to_pylist()} == {"match"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 1}, "n = 1 must be a whole number, 2 or more"),
        ({"of": "thoughts"}, "of = 'thoughts' must be one of answers, rationales"),
        ({"weights": "luck"}, "weights = 'luck' must be one of"),
        ({"weights": "likelihoods", "of": "rationales"}, "are of answers; of rationales only"),
        ({"correction": "more"}, "correction = 'more' must be none or miller_madow"),
        ({"correction": "miller_madow", "weights": "likelihoods"}, "is for counts, not for"),
        ({"entailer": "nobody/x"}, "entailer names 'nobody/x'"),
        ({"timeout": 0}, "timeout = 0 must be seconds above 0"),
    ],
)
def test_options_that_are_wrong_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AskError, match=message):
        semantic_entropy(**options)
