from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from panopt.records.ask import Reading
from panopt.records.source import SourceFile
from panopt.records.study import Study
from panopt.shims.inspect.read import read_log
from panopt.shims.inspect.schema import Event
from panopt.shims.inspect.transcript import calls_by_scorer

MakeEval = Callable[..., Path]


def read(log: Path) -> Study:
    study = read_log(SourceFile(str(log)), Reading(tier="fast"), lambda _: None)
    assert study is not None
    return study


def call(model: str, text: str, span: str | None = "s", **more: object) -> dict[str, Any]:
    output = {"choices": [{"message": {"content": text}}], "usage": {"input_tokens": 7}}
    return {"event": "model", "model": model, "span_id": span, "output": output, **more}


def transcript(*calls: dict[str, Any], name: str = "grade") -> dict[str, Any]:
    spans = [
        {"event": "span_begin", "id": "all", "type": "scorers", "name": "scorers"},
        {"event": "span_begin", "id": "s", "parent_id": "all", "type": "scorer", "name": name},
        {"event": "span_begin", "id": "inner", "parent_id": "s", "type": None, "name": "call"},
    ]
    return {"events": [*spans, *calls]}


def votes(study: Study) -> dict[str, list[float | None]]:
    found: dict[str, list[float | None]] = {}
    for row in study.table.to_pylist():
        found.setdefault(row["judge"], []).append(row["score"])
    return found


OPTIONS = {"model": ["m/a", "m/b"], "reducer": "mode"}


def test_replies_are_taken_by_model_not_by_order(make_eval: MakeEval) -> None:
    log = make_eval(
        [{"grade": "C"}],
        scorers=[("grade", OPTIONS)],
        samples=[transcript(call("m/b", "GRADE: I", span="inner"), call("m/a", "x\nGRADE: C"))],
    )
    assert votes(read(log)) == {"m/a": [1.0], "m/b": [0.0]}


def test_the_last_grade_of_a_reply_counts_and_must_be_one(make_eval: MakeEval) -> None:
    log = make_eval(
        [{"grade": "C"}] * 4,
        scorers=[("grade", OPTIONS)],
        samples=[
            transcript(call("m/a", "GRADE: I, no: GRADE: C"), call("m/b", "grade : correct.")),
            transcript(call("m/a", "downgrade: I"), call("m/b", "GRADE: CI")),
            transcript(call("m/a", "GRADE: C"), call("m/b", "GRADE: P")),
            transcript(call("m/a", "GRADE: C")),
        ],
    )
    study = read(log)
    assert votes(study) == {"m/a": [1.0, None, 1.0, 1.0], "m/b": [1.0, None, None, None]}
    errors = [r["error"] for r in study.table.to_pylist() if r["judge"] == "m/b"]
    assert errors[3] == "no reply of this judge in the transcript"
    assert "give the recorded score in 3 of 4 samples" in study.sources[0].warnings[0]


def test_partial_credit_counts_where_it_was_on_offer(make_eval: MakeEval) -> None:
    events = [transcript(call("m/a", "GRADE: P"), call("m/b", "GRADE: C"))]
    offered = OPTIONS | {"partial_credit": True}
    log = make_eval([{"grade": "P"}], scorers=[("grade", offered)], samples=events)
    assert votes(read(log)) == {"m/a": [0.5], "m/b": [1.0]}
    log = make_eval(
        [{"grade": "P"}],
        scorers=[("grade", OPTIONS)],
        samples=events,
        name="old.eval",
        packages={"inspect_ai": "0.3.100"},
    )
    assert votes(read(log)) == {"m/a": [0.5], "m/b": [1.0]}


def test_a_grade_pattern_of_the_task_is_used(make_eval: MakeEval) -> None:
    log = make_eval(
        [{"grade": 4.5}],
        scorers=[
            ("grade", {"model": ["m/a", "m/b"], "grade_pattern": r"score=(\d)", "reducer": "mean"})
        ],
        samples=[transcript(call("m/a", "score=4"), call("m/b", "score=5"))],
    )
    assert votes(read(log)) == {"m/a": [4.0], "m/b": [5.0]}


def test_a_model_asked_twice_gives_two_votes(make_eval: MakeEval) -> None:
    log = make_eval(
        [{"grade": "C"}],
        scorers=[("grade", {"model": ["m/a", "m/a"], "reducer": "mode"})],
        samples=[transcript(call("m/a", "GRADE: C"), call("m/a", "GRADE: I"))],
    )
    assert votes(read(log)) == {"m/a": [1.0, 0.0]}


def test_failed_attempts_are_not_votes(make_eval: MakeEval) -> None:
    log = make_eval(
        [{"grade": "C"}],
        scorers=[("grade", OPTIONS)],
        samples=[
            transcript(
                call("m/a", "GRADE: I", error="rate limit"),
                call("m/a", "GRADE: C"),
                call("m/b", "", error="gone"),
                call("m/b", "GRADE: I", pending=True),
            )
        ],
    )
    study = read(log)
    assert votes(study) == {"m/a": [1.0], "m/b": [None]}
    assert "gone" in study.table.to_pylist()[1]["error"]


def test_a_panel_nobody_announced_is_found_in_the_transcript(make_eval: MakeEval) -> None:
    events = transcript(call("m/a", "GRADE: C"), call("m/b", "GRADE: I"))
    log = make_eval([{"grade": 0.5}] * 2, scorers=[("grade", {})], samples=[events] * 2)
    assert votes(read(log)) == {"m/a": [1.0, 1.0], "m/b": [0.0, 0.0]}
    mixed = transcript(call("m/a", "the answer is 4"), call("m/b", "GRADE: I"))
    log = make_eval([{"grade": 0.5}], scorers=[("grade", {})], samples=[mixed], name="two.eval")
    assert votes(read(log)) == {"grade": [0.5]}


def test_lost_votes_are_said_to_be_lost(make_eval: MakeEval) -> None:
    log = make_eval([{"grade": 0.5}], scorers=[("grade", OPTIONS)])
    study = read(log)
    assert votes(study) == {"grade": [0.5]}
    assert "votes of its 2 judges are not in the log" in study.sources[0].warnings[0]


def test_scorers_run_by_the_solver_are_not_the_final_ones() -> None:
    events = [
        Event("span_begin", id="t", type="solver", name="agent"),
        Event("span_begin", id="early", parent_id="t", type="scorer", name="grade"),
        Event("model", span_id="early", model="m/early"),
        Event("span_begin", id="all", type="scorers", name="scorers"),
        Event("span_begin", id="s", parent_id="all", type="scorer", name="grade"),
        Event("model", span_id="s", model="m/a"),
        Event("model", span_id="unknown", model="m/x"),
    ]
    assert [(k, [e.model for e in v]) for k, v in calls_by_scorer(events).items()] == [
        ("grade", ["m/a"])
    ]


def test_scorers_of_one_name_are_numbered_as_their_scores_are() -> None:
    events = [
        Event("span_begin", id="all", type="scorers", name="scorers"),
        Event("span_begin", id=1, parent_id="all", type="scorer", name="grade"),
        Event("model", span_id=1, model="m/a"),
        Event("span_begin", id=2, parent_id="all", type="scorer", name="grade"),
        Event("model", span_id=2, model="m/b"),
    ]
    found = calls_by_scorer(events)
    assert {name: [e.model for e in own] for name, own in found.items()} == {
        "grade": ["m/a"],
        "grade1": ["m/b"],
    }


def test_transcripts_of_2024_have_steps_in_place_of_spans() -> None:
    events = [
        Event("step", action="begin", type="solver", name="generate"),
        Event("model", model="m/system"),
        Event("step", action="end", type="solver", name="generate"),
        Event("step", action="begin", type="scorer", name="grade"),
        Event("model", model="m/a"),
        Event("model", model="m/b"),
        Event("step", action="end", type="scorer", name="grade"),
        Event("model", model="m/late"),
    ]
    assert [e.model for e in calls_by_scorer(events)["grade"]] == ["m/a", "m/b"]


def test_the_model_of_a_role_grades(make_eval: MakeEval) -> None:
    roles = {"grader": {"model": "m/role"}, "helper": {"model": "m/helper"}}
    usage = {"model_usage": {"m/role": {"input_tokens": 5, "output_tokens": 2}}}
    log = make_eval(
        [{"model_graded_qa": "C"}],
        scorers=[("model_graded_qa", {})],
        samples=[usage],
        model_roles=roles,
    )
    [row] = read(log).table.to_pylist()
    assert (row["judge"], row["input_tokens"], row["output_tokens"]) == ("m/role", 5, 2)


def test_tokens_of_the_model_under_test_are_not_the_judges(make_eval: MakeEval) -> None:
    usage = {"model_usage": {"mockllm/system": {"input_tokens": 5, "output_tokens": 2}}}
    log = make_eval([{"model_graded_qa": "C"}], scorers=[("model_graded_qa", {})], samples=[usage])
    [row] = read(log).table.to_pylist()
    assert (row["judge"], row["input_tokens"]) == ("mockllm/system", None)


def test_a_grade_pattern_that_does_not_compile_reads_no_grade(make_eval: MakeEval) -> None:
    log = make_eval(
        [{"grade": "C"}],
        scorers=[("grade", OPTIONS | {"grade_pattern": "("})],
        samples=[transcript(call("m/a", "GRADE: C"), call("m/b", "GRADE: C"))],
    )
    assert votes(read(log)) == {"grade": [1.0]}


def test_prompts_of_other_templates_have_other_hashes(inspect_logs: Path) -> None:
    def hashes(name: str) -> set[str | None]:
        return set(read(inspect_logs / name).table["prompt_hash"].to_pylist())

    assert hashes("panel_majority.eval") == hashes("scorers_list.eval")
    assert hashes("panel_majority.eval") != hashes("panel_roles.eval")
    assert hashes("likert_list.eval") == {None}


def test_templates_among_the_options_are_hashed_where_prompts_are_not_logged(
    make_eval: MakeEval,
) -> None:
    def hash_of(template: str) -> str:
        log = make_eval([{"grade": "C"}], scorers=[("grade", {"template": template})])
        [row] = read(log).table.to_pylist()
        return str(row["prompt_hash"])

    assert hash_of("one") == hash_of("one") != hash_of("two")


@pytest.mark.parametrize("name", ["panel_mode", "panel_mean", "panel_collect"])
def test_votes_survive_a_log_whose_zip_members_are_deflated(
    inspect_logs: Path, tmp_path: Path, name: str
) -> None:
    import zipfile_zstd  # type: ignore[import-untyped]  # noqa: F401, PLC0415 - zipfile learns zstd

    deflated = tmp_path / "old.eval"
    with (
        zipfile.ZipFile(inspect_logs / f"{name}.eval") as old,
        zipfile.ZipFile(deflated, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for member in old.namelist():
            new.writestr(member, json.dumps(json.loads(old.read(member))))
    assert read(deflated).table["score"].equals(read(inspect_logs / f"{name}.eval").table["score"])
