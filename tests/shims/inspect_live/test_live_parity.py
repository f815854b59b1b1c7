"""The lines V and J of the parity list, on scores that a real eval produced."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from inspect_ai.log import EvalLog, resolve_sample_attachments
from inspect_ai.scorer import Score

from panopt.errors import AskError
from panopt.shims.inspect.live.cascade import cascade
from panopt.shims.inspect.live.jury import jury
from panopt.shims.inspect.live.pairwise import pairwise_jury
from panopt.shims.inspect.live.panel_of import panel_of
from panopt.shims.inspect.live.routed import routed_jury
from panopt.shims.inspect.live.semantic import semantic_entropy

from .conftest import Replayed, Votes, metrics_of, scores_of

NAN = math.nan


def values(score: Score) -> dict[str, Any]:
    assert isinstance(score.value, dict)
    return dict(score.value)


def facts(score: Score) -> dict[str, Any]:
    assert score.metadata is not None
    return dict(score.metadata["jury"])


def same(a: object, b: object) -> bool:
    return a == b or (a != a and b != b)  # noqa: PLR0124 - NaN


THREE = {"q": {"a": 0.8, "b": 0.6, "c": 0.8}}


@pytest.mark.parametrize(
    ("rule", "threshold", "value"),
    [("mean", 0.5, 2.2 / 3), ("median", 0.5, 0.8), ("min", 0.5, 0.6), ("majority", 0.6, 1.0)],
)
def test_V_4_rules_on_three_judges(
    replayed: Replayed, rule: str, threshold: float, value: float
) -> None:
    score = replayed.judged(THREE, kind="numeric", rule=rule, threshold=threshold)["q"]
    assert values(score)["panel"] == pytest.approx(value)
    assert values(score)["passed"] == 1.0


def test_V_4_majority_tie_falls_back_to_mean(replayed: Replayed) -> None:
    votes: Votes = {"q": {"a": 0.2, "b": 0.8}}
    score = replayed.judged(votes, kind="numeric", rule="majority", threshold=0.5)["q"]
    assert values(score)["panel"] == pytest.approx(0.5)
    assert facts(score)["outcome"] == "tie"


def test_V_2_every_judge_gets_the_same_prompt(replayed: Replayed) -> None:
    log = replayed.log_of(THREE, kind="numeric", rubric="Is it *true*?")
    assert log.samples is not None
    sample = resolve_sample_attachments(log.samples[0], "full")
    prompts = {
        "\n".join(message.text for message in event.input)
        for event in sample.events
        if event.event == "model"
    }
    assert len(prompts) == 1
    assert "Is it *true*?" in prompts.pop()


def test_V_5_threshold_is_inclusive_and_on_the_range(replayed: Replayed) -> None:
    votes: Votes = {"at": {"a": 3, "b": 3}, "below": {"a": 3, "b": 2.9}}
    scores = replayed.judged(votes, kind="numeric", score_range="1,5", threshold=3)
    assert [values(scores[item])["passed"] for item in ("at", "below")] == [1.0, 0.0]


def test_V_6_V_7_failed_judges_leave_first_and_all_failed_fails_outright(
    replayed: Replayed,
) -> None:
    votes: Votes = {
        "one": {"a": 0.9, "b": {"fault": "crash"}, "c": 0.7},
        "all": {name: {"fault": "crash"} for name in "abc"},
    }
    scores = replayed.judged(votes, kind="numeric", threshold=0.5)
    assert values(scores["one"])["panel"] == pytest.approx(0.8)
    assert math.isnan(values(scores["one"])["panopt-replay/b"])
    assert facts(scores["one"])["failed"] == 1
    assert scores["one"].metadata is not None
    assert "crashed" in scores["one"].metadata["errors"]["1"]
    assert math.isnan(values(scores["all"])["panel"])
    assert facts(scores["all"])["outcome"] == "all_failed"
    assert scores["all"].reason == "grader_failed"


def test_V_8_V_10_evidence_and_disagreement(replayed: Replayed) -> None:
    score = replayed.judged(THREE, kind="numeric", threshold=0.5)["q"]
    line = (score.explanation or "").splitlines()[0]
    for part in ("PASS", "mean", "3", "a=0.80", "b=0.60", "c=0.80", "0.73"):
        assert part in line
    assert facts(score)["disagreement"] == pytest.approx(0.2)
    assert facts(score)["sd"] == pytest.approx(0.0942809, rel=1e-5)


BOOLEAN: Votes = {
    "TTF": {"a": True, "b": True, "c": False},
    "TF": {"a": True, "b": False},
    "none": {"a": {"fault": "refuse"}, "b": {"verdict": None, "reason": "cannot tell"}},
}


def test_J_11_vectors_of_booleans(replayed: Replayed) -> None:
    scores = replayed.judged(BOOLEAN, judges=["a", "b", "c"])
    first = values(scores["TTF"])
    assert (first["panel"], first["agreement"], first["n"]) == (1.0, pytest.approx(2 / 3), 3)
    assert facts(scores["TTF"])["sd"] == pytest.approx(math.sqrt(2 / 9), rel=1e-5)
    assert facts(scores["TF"])["outcome"] == "tie"
    assert values(scores["TF"])["agreement"] == 0.5


def test_J_7_refusals_abstain_and_all_abstained_is_its_own_outcome(replayed: Replayed) -> None:
    score = replayed.judged({"q": BOOLEAN["none"]})["q"]
    assert facts(score)["outcome"] == "all_abstained"
    assert facts(score)["abstained"] == 2
    assert score.reason == "panopt:abstained"


@pytest.mark.parametrize(
    ("fault", "kind", "status"),
    [
        ("timeout", "timeout", "f"),
        ("connection", "connection", "f"),
        ("429", "status", "f"),
        ("500", "status", "f"),
        ("crash", "unknown", "f"),
        ("truncated", "parse", "f"),
        ("filtered", "parse", "f"),
        ("malformed", "parse", "f"),
        ("prose", "parse", "f"),
        ("empty", "parse", "f"),
        ("nan", "parse", "f"),
        ("out_of_range", "parse", "f"),
        ("refuse", None, "a"),
        ("schema", None, "o"),
    ],
)
def test_J_7_every_fault_has_its_kind(
    replayed: Replayed, fault: str, kind: str | None, status: str
) -> None:
    votes: Votes = {"q": {"a": {"verdict": 0.5, "fault": fault}, "b": 0.5}}
    score = replayed.judged(votes, kind="numeric")["q"]
    assert score.metadata is not None
    assert score.metadata["votes"]["status"] == status + "o"
    assert facts(score)["outcome"] == "decided"
    if kind is not None:
        assert score.metadata["errors"]["0"].startswith(f"{kind}: ")


def test_J_6_schema_rejected_fenced_and_prose_replies_are_read(replayed: Replayed) -> None:
    fenced = 'So:\n```json\n{"reason": "r", "verdict": "Good "}\n```'
    votes: Votes = {
        "q": {
            "rejects": {"verdict": "good", "fault": "schema"},
            "fenced": {"text": fenced},
            "prose": {"text": 'I say {"reason": "x", "verdict": "GOOD"} and no more'},
            "again": {"verdict": "good", "fault": "prose", "failures": 1},
            "unknown": {"text": '{"reason": "x", "verdict": "fine"}'},
        }
    }
    score = replayed.judged(votes, kind="labelled", labels="good,bad", passing_labels="good")["q"]
    assert score.metadata is not None
    assert score.metadata["votes"]["status"] == "oooof"
    assert values(score)["panel"] == "good"
    assert values(score)["passed"] == 1.0
    # a second try is a second call, and counted
    assert facts(score)["calls"] == 5 + 2


def test_J_5_cyclic_assignment_is_the_same_at_any_concurrency(replayed: Replayed) -> None:
    votes: Votes = {str(i): {"a": True, "b": True, "c": True} for i in range(1, 8)}
    asked = []
    for limit in (1, 20):
        replayed.record_votes(votes)
        names = ["panopt-replay/a", "panopt-replay/b", "panopt-replay/c"]
        scorer = jury(names, assignment="cyclic")
        scores = scores_of(replayed.run(scorer, list(votes), max_samples=limit))
        asked.append({i: (s.metadata or {})["votes"]["judge"] for i, s in scores.items()})
    assert asked[0] == asked[1] == {str(i): [(i - 1) % 3] for i in range(1, 8)}


def test_J_8_repeats_have_draws_of_their_own_and_all_are_kept(replayed: Replayed) -> None:
    replayed.record(
        [
            {"item": "q", "judge": "a", "draw": draw, "verdict": verdict}
            for draw, verdict in enumerate((True, False, True))
        ]
    )
    score = scores_of(replayed.run(jury("panopt-replay/a", repeats=3), ["q"]))["q"]
    assert score.metadata is not None
    assert score.metadata["votes"]["value"] == [1.0, 0.0, 1.0]
    assert score.metadata["votes"]["draw"] == [None, 1, 2]
    assert values(score)["panel"] == 1.0


def test_J_9_J_10_replacements_stand_in_for_failures_alone(replayed: Replayed) -> None:
    votes: Votes = {
        "failed": {"a": {"fault": "crash"}, "b": 1, "spare": 0.5},
        "abstained": {"a": {"fault": "refuse"}, "b": 1, "spare": 0.5},
    }
    scores = replayed.judged(
        votes,
        judges=["a", "b"],
        kind="numeric",
        replacements="panopt-replay/spare",
        min_successful=2,
    )
    assert values(scores["failed"])["panel"] == 0.75
    assert facts(scores["failed"])["replaced"] == 1
    assert facts(scores["abstained"])["outcome"] == "quorum_not_met"
    assert math.isnan(values(scores["abstained"])["panopt-replay/spare"])
    assert list(values(scores["failed"])) == list(values(scores["abstained"]))


def test_J_12_explanation_names_who_voted_what_and_escapes_it(replayed: Replayed) -> None:
    votes: Votes = {"q": {"a": {"verdict": True, "reason": "# <b>x</b> [y](http://z)"}, "b": False}}
    said = replayed.judged(votes)["q"].explanation or ""
    assert "panopt-replay/a" in said
    assert "pass" in said
    assert "fail" in said
    assert "<b>" not in said
    assert "[y](" not in said


def test_J_14_strict_panel_stops_a_run_that_would_judge_its_own_family(
    replayed: Replayed, caplog: pytest.LogCaptureFixture
) -> None:
    replayed.record_votes({"q": {"gpt-4o": True, "claude-3-opus": True}})
    names = ["panopt-replay/gpt-4o", "panopt-replay/claude-3-opus"]
    families = {names[0]: "openai", names[1]: "anthropic", "none/none": "openai"}
    log = replayed.run(jury(names, strict_panel=True, families=families), ["q"])
    assert log.status == "error"
    assert log.error is not None
    assert "strict_panel" in log.error.message
    caplog.clear()
    log = replayed.run(jury(names, families=families), ["q"])
    assert log.status == "success"
    told = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert sum("openai" in text for text in told) == 1


def test_J_15_run_level_numbers(replayed: Replayed) -> None:
    votes: Votes = {
        "1": {"a": True, "b": True, "c": False},
        "2": {"a": True, "b": False, "c": False},
        "3": {"a": True, "b": True, "c": True},
        "4": {"a": {"fault": "refuse"}, "b": {"fault": "crash"}, "c": {"fault": "nan"}},
    }
    found = metrics_of(replayed.log_of(votes))
    assert found["alpha"] == pytest.approx(1 / 9)
    assert found["alpha_low"] <= found["alpha"] <= found["alpha_high"]
    assert (found["decided"], found["quorum_not_met"]) == (3, 1)
    assert (found["votes_failed"], found["votes_abstained"]) == (2, 1)
    assert (found["failed_parse"], found["failed_unknown"]) == (1, 1)
    assert found["undecided_rate"] == 0.25
    assert found["mean"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("votes", "alpha"),
    [
        ({"1": {"a": True, "b": False}, "2": {"a": False, "b": True}}, -0.5),
        ({"1": {"a": True, "b": True}, "2": {"a": True, "b": True}}, None),
        ({"1": {"a": True}, "2": {"a": False}}, None),
    ],
)
def test_J_15_alpha_is_absent_where_it_is_undefined(
    replayed: Replayed, votes: dict[str, dict[str, bool]], alpha: float | None
) -> None:
    found = metrics_of(replayed.log_of(votes)).get("alpha")
    assert found is None if alpha is None else found == pytest.approx(alpha)


def test_J_16_a_response_that_errored_is_not_judged(replayed: Replayed) -> None:
    samples = {"gone": {"metadata": {"answer": None}}}
    log = replayed.log_of({"gone": {"a": True}, "here": {"a": True}}, samples=samples)
    scores = scores_of(log)
    assert facts(scores["gone"])["outcome"] == "response_error"
    assert facts(scores["gone"]).get("calls") is None
    assert scores["gone"].reason == "no_response"
    assert metrics_of(log)["response_error"] == 1


def test_J_better_a_vote_off_the_range_is_one_failed_vote_and_no_pass(replayed: Replayed) -> None:
    score = replayed.judged({"q": {"a": 0.1, "b": 0.1, "c": 85}}, kind="numeric", threshold=0.5)[
        "q"
    ]
    assert values(score)["panel"] == pytest.approx(0.1)
    assert values(score)["passed"] == 0.0
    assert facts(score)["failed"] == 1


def test_J_better_one_survivor_of_five_is_degraded(replayed: Replayed) -> None:
    votes: Votes = {"q": {"a": 1} | {name: {"fault": "crash"} for name in "bcde"}}
    log = replayed.log_of(votes, kind="numeric")
    assert facts(scores_of(log)["q"])["degraded"] is True
    assert metrics_of(log)["degraded"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"models": []}, "models must name one"),
        ({"models": "panopt-replay/a,panopt-replay/a"}, "models name 'panopt-replay/a' twice"),
        ({"models": "nowhere/a"}, "models names 'nowhere/a'"),
        ({"models": "gpt"}, "models names 'gpt'"),
        ({"min_successful": 3}, r"min_successful = 3 must lie in 1\.\.2"),
        ({"repeats": 0}, "repeats"),
        ({"kind": "yes"}, "kind = 'yes' must be one of"),
        ({"kind": "numeric", "labels": "a,b"}, "labels = 'a,b' has no meaning"),
        ({"threshold": 0.5}, "threshold = 0.5 has no meaning for kind = 'boolean'"),
        ({"kind": "numeric", "threshold": 2}, "threshold = 2.0 must lie on the range"),
        ({"kind": "labelled"}, "labels must be given"),
        ({"kind": "labelled", "labels": "a,b", "passing_labels": "c"}, "passing names 'c'"),
        ({"rule": "mode"}, "rule = 'mode'"),
        ({"weights": {"x": 1}}, "weights name 'x'"),
        ({"weights": "{"}, "weights = '{' must be a JSON object"),
        ({"assignment": "some"}, "assignment = 'some'"),
        ({"timeout": 0}, "timeout = 0"),
        ({"budget_calls": 0}, "budget calls = 0"),
        ({"rubric": " "}, "rubric must not be blank"),
        ({"template": "no place"}, "template has no place {response}"),
        ({"template": "{response} {score}"}, "template has the place {score}"),
    ],
)
def test_J_1_J_2_J_3_bad_options_are_refused_when_the_scorer_is_made(
    replayed: Replayed, options: dict[str, Any], message: str
) -> None:
    replayed.record_votes({"q": {"a": True, "b": True}})
    given = {"models": "panopt-replay/a, panopt-replay/b"} | options
    with pytest.raises(AskError, match=message):
        jury(**given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_successful": 0}, "min_successful = 0 must be a whole number, 1 or more"),
        ({"min_successful": 2, "assignment": "cyclic"}, r"min_successful = 2 must lie in 1\.\.1"),
        ({"repeats": 0}, "repeats = 0"),
        ({"rule": "mode"}, "rule = 'mode'"),
        ({"weights": {"x": -1}}, r"weights\['x'\] = -1.0 must be a finite number above 0"),
        ({"reduce": "mode"}, "reduce = 'mode'"),
        ({"tie_break": "last"}, "tie_break = 'last'"),
        ({"assignment": "some"}, "assignment = 'some'"),
        ({"timeout": 0}, "timeout = 0"),
        ({"max_concurrency": 0}, "max_concurrency = 0"),
        ({"families": "[1]"}, r"families = \[1\] must be an object"),
        ({"models": 5}, "models = 5 must be a list"),
        ({"models": "panopt-replay/a", "cache": "weekly"}, "cache = 'weekly' must be True, False"),
    ],
)
def test_J_1_J_3_bad_options_are_refused_before_a_role_is_bound(
    replayed: Replayed, options: dict[str, Any], message: str
) -> None:
    replayed.record_votes({"q": {"a": True}})
    with pytest.raises(AskError, match=message):
        jury(**options)


def test_bad_options_of_other_scorers_are_refused_before_a_role_is_bound() -> None:
    with pytest.raises(AskError, match="rule = 'mean' does not count Pairwise"):
        pairwise_jury(rule="mean")
    with pytest.raises(AskError, match="baseline must be"):
        pairwise_jury(baseline=5)  # type: ignore[arg-type] # as -S baseline=5 gives it
    with pytest.raises(AskError, match="cache = 'weekly' must be True, False"):
        semantic_entropy(cache="weekly")
    with pytest.raises(AskError, match="repeats = 0"):
        routed_jury(repeats=0)
    with pytest.raises(AskError, match="a cascade takes one of certificate"):
        cascade()
    with pytest.raises(AskError, match="min_successful = 'all' must lie in 1"):
        panel_of("a,b", min_successful="all")  # type: ignore[arg-type] # as above


def test_zeros_that_are_facts_stay_in_the_metadata(replayed: Replayed) -> None:
    options = {"kind": "numeric", "score_range": "-1,1", "threshold": 0}
    log = replayed.log_of({"q": {"a": -0.5, "b": -0.5}}, **options)
    told = facts(scores_of(log)["q"])
    assert (told["threshold"], told["passed"], told["disagreement"]) == (0.0, False, 0.0)
    assert "failed" not in told


def test_scores_have_fixed_keys_plain_numbers_and_small_metadata(replayed: Replayed) -> None:
    names = [f"judge-{i}" for i in range(9)]
    votes: Votes = {
        str(item): {
            name: {"fault": "crash"}
            if (item + j) % 4 == 0
            else {"verdict": 0.1234567, "cost": 0.01}
            for j, name in enumerate(names)
        }
        for item in range(1, 5)
    }
    log: EvalLog = replayed.log_of(votes, kind="numeric", threshold=0.1)
    keys = {tuple(values(score)) for score in scores_of(log).values()}
    assert keys == {("panel", "passed", "agreement", "n", *(f"panopt-replay/{n}" for n in names))}
    for score in scores_of(log).values():
        assert all(type(value) in {int, float} for value in values(score).values())
        assert score.metadata is not None
        for name in ("jury", "votes", "errors"):
            assert len(json.dumps(score.metadata[name])) < 1024, name
