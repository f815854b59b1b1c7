"""Which verdicts are a panel on one criterion, who the judges are, and whose labels are of what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from panopt.records.study import Study

ReadResults = Callable[..., Study]
MakeResults = Callable[..., Path]
Json = dict[str, Any]


def judged(
    provider: object = None, value: str = "good", kind: str = "llm-rubric", **fields: object
) -> Json:
    """Give the component of one judge."""
    assertion: Json = {"type": kind, "value": value}
    if provider is not None:
        assertion["provider"] = provider
    if "metric" in fields:
        assertion["metric"] = fields.pop("metric")
    return {"assertion": assertion, "pass": True, "score": 0.5, "reason": "r"} | fields


def panel_of(*inner: Json, metric: str | None = None) -> list[Json]:
    """Give an assert-set's result, followed by the copies promptfoo lists."""
    told = {"assertionSet": {"type": "assert-set", "metric": metric}} if metric else {}
    whole = {"pass": True, "score": 0.5, "reason": "all", "componentResults": list(inner)}
    return [whole | {"metadata": told}, *inner]


@pytest.fixture
def panels(read_results: ReadResults, make_results: MakeResults) -> Callable[..., Any]:
    """Give a function that tells criterion and judge of every verdict of some rows."""

    def tell(*rows: Sequence[Json] | Mapping[str, Any], **options: object) -> list[tuple[str, str]]:
        table = read_results(make_results(rows), **options).table
        return list(zip(table["criterion"].to_pylist(), table["judge"].to_pylist(), strict=True))

    return tell


def test_judges_of_one_rubric_are_a_panel(panels: Callable[..., Any]) -> None:
    row = [judged("gpt", metric="judge_1"), judged("claude", metric="judge_2"), judged("gemini")]
    assert panels(row) == [("llm-rubric", name) for name in ("gpt", "claude", "gemini")]


def test_a_metric_that_judges_share_is_a_criterion(panels: Callable[..., Any]) -> None:
    row = [
        judged("gpt", "is it right?", metric="right"),
        judged("claude", "right or wrong?", metric="right"),
        judged("gpt", "is it kind?", metric="kind"),
        judged("claude", "kind or rude?", metric="kind"),
    ]
    assert panels(row) == [
        ("right", "gpt"),
        ("right", "claude"),
        ("kind", "gpt"),
        ("kind", "claude"),
    ]


def test_rubrics_of_one_judge_are_criteria(panels: Callable[..., Any]) -> None:
    row = [judged("gpt", "right?", metric="right"), judged("gpt", "kind?"), judged("gpt", "short?")]
    assert panels(row) == [("right", "gpt"), ("llm-rubric", "gpt"), ("llm-rubric 2", "gpt")]


def test_an_assert_set_with_a_judge_each_is_a_panel_whatever_the_rubrics(
    panels: Callable[..., Any],
) -> None:
    inner = [judged("gpt", "right?", metric="a"), judged("claude", "from 1 to 5?", metric="b")]
    assert panels(panel_of(*inner, metric="panel")) == [("panel", "gpt"), ("panel", "claude")]
    assert panels(panel_of(*inner)) == [("llm-rubric", "gpt"), ("llm-rubric", "claude")]


def test_an_assert_set_with_one_judge_twice_holds_criteria(panels: Callable[..., Any]) -> None:
    inner = [judged("gpt", "right?", metric="right"), judged("gpt", "kind?", metric="kind")]
    assert panels(panel_of(*inner, metric="all")) == [("right", "gpt"), ("kind", "gpt")]


def test_rubrics_of_each_test_are_one_criterion(panels: Callable[..., Any]) -> None:
    """Tests with a rubric of their own ask one thing: does the answer meet its rubric."""
    assert (
        panels([judged("gpt", "mentions Paris")], [judged("gpt", "mentions Rome")])
        == [("llm-rubric", "gpt")] * 2
    )


def test_a_judge_alone_in_a_row_stays_in_its_panel(panels: Callable[..., Any]) -> None:
    whole = [judged("gpt", metric="j1"), judged("claude", metric="j2")]
    assert panels(whole, [judged("claude", metric="j2")])[-1] == ("llm-rubric", "claude")


def test_checks_are_never_mixed_with_judges(panels: Callable[..., Any]) -> None:
    row = [
        judged("gpt", metric="right"),
        judged(kind="contains", metric="right"),
        judged(kind="contains"),
        judged(kind="contains", value="other"),
        judged(kind="is-json", metric="form"),
        judged(kind="contains", metric="form"),
    ]
    assert panels(row) == [
        ("right", "gpt"),
        ("right (contains)", "contains"),
        ("contains", "contains"),
        ("contains 2", "contains"),
        ("form", "is-json"),
        ("form", "contains"),
    ]


def test_inverted_rubrics_are_another_criterion(panels: Callable[..., Any]) -> None:
    row = [judged("gpt", "rude"), judged("claude", "rude", kind="not-llm-rubric")]
    assert panels(row) == [("llm-rubric", "gpt"), ("not-llm-rubric", "claude")]


def test_scorers_judges_and_criteria_override(panels: Callable[..., Any]) -> None:
    row = [judged("gpt", "right?", metric="right"), judged("claude", "kind?", metric="kind")]
    assert panels(row, scorers="judges") == [
        ("llm-rubric", "gpt"),
        ("llm-rubric", "claude"),
    ]
    same = [judged("gpt", metric="a"), judged("claude", metric="b")]
    assert panels(same, scorers="criteria") == [("a", "gpt"), ("b", "claude")]


SHAPES: dict[str, tuple[object, str]] = {
    "text": ("openai:chat:gpt", "openai:chat:gpt"),
    "id": ({"id": "openai:gpt", "config": {"temperature": 0}}, "openai:gpt"),
    "label": ({"id": "openai:gpt", "label": "Judge A", "config": {}}, "Judge A"),
    "empty label": ({"id": "openai:gpt", "label": ""}, "openai:gpt"),
    "live dump": ({"modelName": "gpt", "config": {}, "env": {}, "mcpClient": None}, "gpt"),
    "python dump": ({"options": {"id": "file://j.py", "config": {}}, "pool": {}}, "file://j.py"),
    "labelled dump": ({"label": "J", "scriptPath": "j.py", "pool": {"workers": []}}, "J"),
    "script": ({"scriptPath": "j.py", "isInitialized": True}, "j.py"),
    "map": ({"text": {"id": "openai:gpt"}, "embedding": "openai:e"}, "openai:gpt"),
    "none": (None, "the_metric"),
    "null": ({"id": None}, "the_metric"),
}


@pytest.mark.parametrize("case", SHAPES)
def test_judges_are_named_in_every_shape(panels: Callable[..., Any], case: str) -> None:
    provider, name = SHAPES[case]
    assert panels([judged(provider, metric="the_metric")]) == [("the_metric", name)]


def test_a_judge_that_names_itself_is_believed_also_where_it_failed(
    panels: Callable[..., Any],
) -> None:
    named = judged("file://j.py", metadata={"judge": "strict"})
    failed = judged("file://j.py", score=0, metadata={"graderError": True})
    assert panels([named], [failed]) == [("llm-rubric", "strict")] * 2


def test_a_grader_that_sends_each_row_to_another_judge_is_several_judges(
    panels: Callable[..., Any],
) -> None:
    rows = [[judged("router", metadata={"judge": name})] for name in ("a", "b")]
    assert panels(*rows, [judged("router")]) == [
        ("llm-rubric", "a"),
        ("llm-rubric", "b"),
        ("llm-rubric", "router"),
    ]


def test_the_grader_of_the_test_is_used_where_the_assertion_names_none(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    row = {
        "components": [judged(metric="m"), judged(kind="contains")],
        "testCase": {"options": {"provider": {"label": "jury", "pool": {}}}},
    }
    study = read_results(make_results([row]))
    assert study.table["judge"].to_pylist() == ["jury", "contains"]
    assert not study.sources[0].warnings


def test_the_default_grader_is_named_by_metric_with_a_warning(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    study = read_results(make_results([[judged(metric="tone"), judged(value="other")]]))
    assert study.table["judge"].to_pylist() == ["tone", "llm-rubric"]
    assert any(
        "the grader of llm-rubric, tone is promptfoo's default" in text
        for text in study.sources[0].warnings
    )


def test_a_python_check_that_spends_tokens_is_a_model(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    rows = [
        [
            judged(kind="python", metric="a", tokensUsed={"total": 9}),
            judged(kind="python", metric="b"),
        ]
    ]
    assert read_results(make_results(rows)).table["judge_kind"].to_pylist() == ["llm", "program"]


def test_a_jury_in_one_grader_is_read_verdict_by_verdict(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    verdicts = [
        {"judge": "j1", "score": 0.9, "pass": True, "reason": "yes", "confidence": 0.8},
        {"model": "m2", "score": 1, "error": "timeout"},
        {"name": "j3", "abstained": True},
        {"score": 0.2},
    ]
    row = [judged("jury", score=0.79, metadata={"panel": {"verdicts": verdicts}})]
    rows = read_results(make_results([row])).table.to_pylist()
    assert [(r["judge"], r["score"], r["status"]) for r in rows] == [
        ("j1", 0.9, "ok"),
        ("m2", None, "failed"),
        ("j3", None, "abstained"),
        ("judge 4", 0.2, "ok"),
    ]
    assert [r["error"] for r in rows] == [None, "timeout", "the judge abstained", None]
    assert (rows[0]["confidence"], rows[0]["confidence_source"]) == (0.8, "stated by the judge")
    assert {r["judge_kind"] for r in rows} == {"llm"}


def labels(study: Study) -> list[tuple[Any, ...]]:
    """Give the human labels of a study."""
    keys = ("criterion", "judge", "score", "label", "scale")
    rows = study.table.to_pylist()
    return [tuple(row[key] for key in keys) for row in rows if row["judge_kind"] == "human"]


def test_ratings_of_people_are_labels(read_results: ReadResults, make_results: MakeResults) -> None:
    rating = {"assertion": {"type": "human"}, "pass": False, "score": 0, "reason": "Manual result"}
    row = {
        "gradingResult": {
            "pass": False,
            "comment": "wrong year",
            "componentResults": [judged("gpt"), judged("claude"), rating],
        }
    }
    study = read_results(make_results([row, [judged("gpt"), judged("claude")]]))
    assert labels(study) == [("llm-rubric", "human", 0.0, "fail", "binary")]
    assert study.table["rationale"].to_pylist()[-1] == "wrong year"


EXPECTED: dict[str, tuple[object, tuple[float | None, str | None, str | None]]] = {
    "word": ("pass", (1.0, "pass", "binary")),
    "other word": ("Incorrect", (0.0, "fail", "binary")),
    "flag": (True, (1.0, "pass", "binary")),
    "number": (4, (4.0, None, None)),
    "number as text": ("0.75", (0.75, None, None)),
    "class": ("harmful", (None, "harmful", None)),
}


@pytest.mark.parametrize("case", EXPECTED)
def test_expected_labels_are_labels(
    read_results: ReadResults, make_results: MakeResults, case: str
) -> None:
    value, found = EXPECTED[case]
    row = {
        "components": [judged("gpt"), judged("claude")],
        "metadata": {"expected_label": value, "split": "calibration"},
    }
    study = read_results(make_results([row]))
    assert labels(study) == [("llm-rubric", "expected_label", *found)]
    assert not study.sources[0].warnings


def test_expected_labels_of_several_systems_are_told(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    row = {"components": [judged("gpt")], "metadata": {"expected_label": "pass"}}
    other = row | {"promptIdx": 1, "provider": {"id": "other"}}
    study = read_results(make_results([row, other]))
    assert len(labels(study)) == 2
    assert any("2 systems answered" in text for text in study.sources[0].warnings)


def test_labels_are_found_in_metrics_variables_and_metadata(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    row = {
        "components": [judged("gpt"), judged(kind="javascript", metric="gold", score=1)],
        "vars": {"rating": 0.25},
        "metadata": {"rater": "fail"},
    }
    path = make_results([row])
    human = ("gold", "vars.rating", "metadata.rater", "vars.absent")
    study = read_results(path, human=human)
    assert sorted(labels(study)) == [
        ("llm-rubric", "gold", 1.0, None, None),
        ("llm-rubric", "metadata.rater", 0.0, "fail", "binary"),
        ("llm-rubric", "vars.rating", 0.25, None, None),
    ]
    assert any("no row has vars.absent" in text for text in study.sources[0].warnings)
    assert labels(read_results(path)) == []


def test_a_judge_may_be_a_person(read_results: ReadResults, make_results: MakeResults) -> None:
    path = make_results([[judged("gpt"), judged("claude"), judged("file://crowd.py", score=1)]])
    study = read_results(path, human=("file://crowd.py",))
    assert labels(study) == [("llm-rubric", "file://crowd.py", 1.0, "pass", None)]


def test_labels_of_rows_with_several_criteria_go_to_the_panel_or_nowhere(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    metadata = {"expected_label": "pass"}
    tone = judged("gpt", "kind?", metric="tone")
    row = {"components": [judged("gpt"), judged("claude"), tone], "metadata": metadata}
    panel = read_results(make_results([row]))
    assert labels(panel)[0][0] == "llm-rubric"
    assert any("taken for 'llm-rubric'" in text for text in panel.sources[0].warnings)
    row = {"components": [judged("gpt"), tone], "metadata": metadata}
    nowhere = read_results(make_results([row]))
    assert labels(nowhere)[0][0] == "human"
    assert any("1 human labels fit none" in text for text in nowhere.sources[0].warnings)


def test_repeats_of_a_judge_are_repeats(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    again = judged("gpt", metric="j_again", metadata={"cachedResponse": True})
    study = read_results(make_results([[judged("gpt", metric="j"), again]]))
    assert set(study.table["judge"].to_pylist()) == {"gpt"}
    assert study.table["cached"].to_pylist() == [False, True]
    assert any("1 of 2 verdicts are cached copies" in text for text in study.sources[0].warnings)


def test_systems_are_told_apart_by_prompt_only_where_they_have_several(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    def row(index: int, provider: str, label: str) -> Json:
        return {
            "promptIdx": index,
            "provider": {"id": provider},
            "prompt": {"raw": "x", "label": label},
            "components": [judged("gpt")],
        }

    long = "You are a helpful assistant. " * 9
    rows = [row(0, "a", "q"), row(1, "b", "short"), row(2, "b", long), row(3, "b", "short")]
    systems = read_results(make_results(rows)).table["system"].to_pylist()
    assert systems[0] == "a"
    assert systems[1] == "b | short #1"
    assert systems[2].startswith("b | You are a helpful assistant.")
    assert len(systems[2]) < 70
    assert systems[3] == "b | short #3"


def test_items_are_named_by_the_test_or_its_variables(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    rows: list[Json] = [
        {"metadata": {"testCaseId": "t", "item_id": "i"}, "vars": {"q": 1}},
        {"metadata": {"item_id": 7}, "vars": {"q": 2}},
        {"vars": {"q": 3, "sessionId": "s1", "_conversation": []}},
        {"vars": {"sessionId": "s2", "q": 3}},
        {"metadata": {"testCaseId": "t"}, "vars": {"q": 9}},
    ]
    made = [row | {"components": [judged("gpt")]} for row in rows]
    study = read_results(make_results(made))
    items = study.table["item"].to_pylist()
    assert items[:2] == ["t", "7"]
    assert items[2] == items[3]
    assert items[2].startswith("vars-")
    assert study.table["epoch"].to_pylist() == [1, 1, 1, 2, 2]
    assert any("1 item ids stand for several sets" in text for text in study.sources[0].warnings)
