"""The ways into live judging: roles, cache, epochs, trio, programs, and back by `panopt.read`."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from inspect_ai import Task, eval_set, score
from inspect_ai import eval as evaluate
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import get_model
from inspect_ai.scorer import match

import panopt
from panopt.errors import AskError
from panopt.shims.inspect.live.jury import jury
from panopt.shims.inspect.live.pairwise import pairwise_jury
from panopt.shims.inspect.live.panel_of import panel_of

from .conftest import Replayed, Votes, metrics_of, recorded, scores_of

if TYPE_CHECKING:
    from tests.conftest import Program

A, B, C = (f"panopt-replay/{name}" for name in "abc")
VOTES: Votes = {
    "1": {
        "a": {"verdict": 4, "confidence": 0.9, "cost": 0.25, "input_tokens": 7, "output_tokens": 3},
        "b": {"verdict": 2, "reason": "half *right*"},
    },
    "2": {"a": {"fault": "429"}, "b": {"fault": "refuse"}},
    "3": {"a": 5, "b": 5},
}


def study_of(log: EvalLog) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = panopt.read(log.location).table.to_pylist()
    return rows


def test_the_votes_of_a_jury_are_read_back_as_judgments(replayed: Replayed) -> None:
    log = replayed.log_of(VOTES, kind="numeric", score_range="1,5", criterion="clarity")
    rows = {(row["item"], row["judge"]): row for row in study_of(log)}
    assert len(rows) == 6
    first = rows["1", A]
    assert (first["score"], first["scale"], first["criterion"]) == (4, "continuous:1:5", "clarity")
    assert (first["input_tokens"], first["output_tokens"], first["cost"]) == (7, 3, 0.25)
    assert rows["1", B]["rationale"] == "half *right*"
    assert rows["2", A]["status"] == "failed"
    assert str(rows["2", A]["error"]).startswith("status: ")
    assert rows["2", B]["status"] == "abstained"
    assert len({row["prompt_hash"] for row in rows.values()}) == 1
    assert first["prompt_hash"]
    report = panopt.analyze(panopt.read(log.location))
    [part] = report.criteria
    assert part.criterion == "clarity"
    assert part.consensus.value[0] == pytest.approx((4 - 1 + 2 - 1) / 2 / 4)


def test_both_readers_read_the_same_jury(replayed: Replayed) -> None:
    log = replayed.log_of(VOTES, kind="numeric", score_range="1,5", repeats=2)
    tables = [
        panopt.read(log.location, reading=panopt.Reading(tier=tier)).table
        for tier in ("fast", "api")
    ]
    assert tables[0].equals(tables[1])
    assert sorted(set(tables[0]["repeat"].to_pylist())) == [0, 1]


def test_repeats_orders_and_labels_are_read_back(replayed: Replayed) -> None:
    samples = {"1": {"metadata": {"other": "no"}}}
    votes: Votes = {"1": {"a": {"verdict": "first"}, "b": {"verdict": "tie"}}}
    replayed.record_votes(votes)
    log = replayed.run(pairwise_jury([A, B], baseline="other"), ["1"], samples=samples)
    rows = study_of(log)
    found = {(row["judge"], row["order"]): row["score"] for row in rows}
    # a follows the place: first as shown is the second response in the other order
    assert found == {(A, 0): 1.0, (A, 1): 0.0, (B, 0): 0.5, (B, 1): 0.5}
    assert {row["scale"] for row in rows} == {"pairwise"}
    log = replayed.log_of({"1": {"a": "1", "b": "2"}}, kind="labelled", labels="1,2")
    assert {(row["label"], row["scale"]) for row in study_of(log)} == {
        ("1", "nominal"),
        ("2", "nominal"),
    }


def test_responses_with_errors_have_no_judgments_and_are_counted(replayed: Replayed) -> None:
    log = replayed.log_of(
        {"1": {"a": True, "b": True}, "2": {"a": True, "b": True}},
        samples={"2": {"metadata": {"answer": None}}},
    )
    study = panopt.read(log.location)
    assert set(study.table["item"].to_pylist()) == {"1"}
    assert any("1 responses had an error" in note for note in study.sources[0].notes)


def test_J_13_pairs_are_unswapped_and_flips_abstain(replayed: Replayed) -> None:
    replayed.record(
        [
            {"item": 1, "judge": "a", "order": 0, "verdict": "first"},
            {"item": 1, "judge": "a", "order": 1, "verdict": "second"},
            {"item": 1, "judge": "b", "verdict": "first"},
            {"item": 2, "judge": "a", "verdict": "tie"},
            {"item": 2, "judge": "b", "verdict": "tie"},
        ]
    )
    samples = {str(i): {"metadata": {"other": "x"}} for i in (1, 2, 3)}
    samples["3"] = {"metadata": {}}
    log = replayed.run(pairwise_jury([A, B], baseline="other"), [1, 2, 3], samples=samples)
    scores = scores_of(log, "pairwise_jury")
    assert scores["1"].as_dict()["panel"] == 1.0
    assert math.isnan(float(scores["1"].as_dict()[B] or 0))
    assert (scores["1"].metadata or {})["jury"]["flipped"] == 1
    assert scores["2"].as_dict()["panel"] == 0.5
    assert (scores["3"].metadata or {})["jury"]["outcome"] == "response_error"
    found = metrics_of(log, "pairwise_jury")
    assert (found["wins"], found["ties"], found["losses"]) == (1, 1, 0)
    assert found["votes_flipped"] == 1


def test_panel_of_combines_scorers_that_ran_and_calls_nobody(replayed: Replayed) -> None:
    replayed.record_votes({"1": {"a": True}, "2": {"a": False}})
    samples = {i: {"metadata": {"answer": "C" if i == "1" else "D"}} for i in ("1", "2")}
    scorers = [match(), jury(A), panel_of("match,jury.panel,lost", min_successful=2)]
    log = replayed.run(scorers, ["1", "2"], samples=samples)
    scores = scores_of(log, "panel_of")
    assert [s.as_dict()["panel"] for s in scores.values()] == [1.0, 0.0]
    assert all((s.metadata or {})["jury"].get("calls") is None for s in scores.values())
    assert "the sample has no score 'lost'" in (scores["1"].metadata or {})["errors"]["2"]
    with pytest.raises(AskError, match=r"min_successful = 3 must lie in 1\.\.2"):
        panel_of(["a", "b"], min_successful=3)
    with pytest.raises(AskError, match="weights name 'z'"):
        panel_of(["a", "b"], weights={"z": 2})


def test_a_role_bound_to_several_models_is_the_panel(replayed: Replayed) -> None:
    replayed.record_votes({"1": {"a": True, "b": False, "c": True}})
    graders = [get_model(name) for name in (A, B, C)]
    log = replayed.run(jury(), ["1"], model_roles={"grader": graders})
    assert scores_of(log)["1"].as_dict()["n"] == 3
    log = replayed.run(jury(), ["1"])
    assert log.status == "error"
    assert log.error is not None
    assert "role = 'grader' is bound to no model" in log.error.message


def test_cached_answers_are_told_and_draws_never_share_one(replayed: Replayed) -> None:
    replayed.record(
        [
            {"item": 1, "judge": "a", "draw": draw, "verdict": verdict}
            for draw, verdict in enumerate((0.1, 0.2, 0.3))
        ]
    )
    scorer = jury(A, kind="numeric", repeats=3, cache=True)
    runs = [scores_of(replayed.run(scorer, [1]))["1"].metadata or {} for _ in range(2)]
    assert [run["votes"]["value"] for run in runs] == [[0.1, 0.2, 0.3]] * 2
    assert "cached" not in runs[0]["votes"]
    assert runs[1]["votes"]["cached"] == [True] * 3
    assert "cached" not in runs[0]["jury"]
    assert runs[1]["jury"]["cached"] == runs[1]["jury"]["calls"] == 3
    log = replayed.run(scorer, [1])
    assert {row["cached"] for row in study_of(log)} == {True}


def test_epochs_are_one_cluster_a_sample(replayed: Replayed) -> None:
    votes: Votes = {str(i): {"a": i % 2 == 0, "b": i % 2 == 0} for i in range(1, 13)}
    once = metrics_of(replayed.log_of(votes))
    log = replayed.log_of(votes, epochs=3)
    often = metrics_of(log)
    assert often["mean"] == once["mean"] == 0.5
    # three copies of each answer tell no more than one
    assert often["high"] - often["low"] > 0.98 * (once["high"] - once["low"])
    assert {row["epoch"] for row in study_of(log)} == {1, 2, 3}


def test_a_reducer_for_other_metrics_takes_labels_and_gaps(replayed: Replayed) -> None:
    from inspect_ai import Epochs  # noqa: PLC0415 - one test of many

    replayed.record(
        [
            {"item": 1, "judge": "a", "epoch": epoch, **line}
            for epoch, line in enumerate(
                ({"verdict": "good"}, {"verdict": "good"}, {"fault": "crash"}), start=1
            )
        ]
    )
    scorer = jury(A, kind="labelled", labels="good,bad")
    [log] = (replayed.run(scorer, [1], epochs=Epochs(3, "panel_epochs")),)
    assert log.status == "success"
    from panopt.shims.inspect.live.reducers import panel_epochs  # noqa: PLC0415 - as above

    scores = [sample.scores["jury"] for sample in log.samples or () if sample.scores]
    reduced = panel_epochs()(scores)
    assert reduced.as_dict()["panel"] == "good"
    assert reduced.as_dict()["n"] == pytest.approx(2 / 3)
    assert (reduced.metadata or {})["epochs"][:2] == ["good", "good"]


def test_a_budget_bounds_the_calls_of_a_scorer(replayed: Replayed) -> None:
    votes: Votes = {str(i): {"a": True, "b": True} for i in range(1, 11)}
    log = replayed.log_of(votes, budget_calls=9)
    found = metrics_of(log)
    assert found["calls"] <= 9
    assert found["failed_budget"] == 20 - found["calls"]
    reasons = [score.reason for score in scores_of(log).values()]
    assert "panopt:budget" in reasons
    assert "grader_failed" not in reasons
    assert log.status == "success"


def test_a_log_is_scored_again_without_asking_the_model_under_test(replayed: Replayed) -> None:
    replayed.record_votes({"1": {"a": True, "b": False}})
    log = replayed.run(match(), ["1"])
    again = score(log, jury([A, B]), action="append", display="none")
    assert set(scores_of(again, "jury")) == {"1"}
    assert {"match", "jury"} == {one.name for one in (again.results or log.results).scores}  # type: ignore[union-attr]


def test_an_eval_set_with_a_jury_ends(replayed: Replayed, tmp_path: Path) -> None:
    replayed.record_votes({"1": {"a": True, "b": False}})
    task = Task([Sample(id="1", input="q", target="C")], solver=recorded(), scorer=jury([A, B]))
    done, logs = eval_set(task, log_dir=str(tmp_path / "set"), model="none", display="none")
    assert done
    assert metrics_of(read_eval_log(logs[0].location))["tie"] == 1


def test_batch_mode_is_accepted(replayed: Replayed) -> None:
    replayed.record_votes({"1": {"a": True}})
    log = replayed.run(jury(A), ["1"], batch=True)
    assert scores_of(log)["1"].as_dict()["panel"] == 1.0


def test_a_judge_that_stalls_is_cut_and_the_item_stays(replayed: Replayed) -> None:
    votes: Votes = {"1": {"a": {"verdict": True, "fault": "stall"}, "b": True}}
    told = replayed.judged(votes, timeout=0.2)["1"].metadata or {}
    assert told["votes"]["status"] == "fo"
    assert told["errors"]["0"].startswith("timeout: ")


def test_a_time_limit_of_the_sample_cuts_the_jury_without_inventing_votes(
    replayed: Replayed,
) -> None:
    replayed.record_votes({"1": {"a": {"verdict": True, "fault": "stall"}, "b": True}})
    log = replayed.run(jury([A, B]), ["1"], time_limit=1)
    assert log.samples is not None
    assert not log.samples[0].scores or "jury" not in log.samples[0].scores


def test_hooks_attach_the_report_when_a_task_ends(replayed: Replayed, tmp_path: Path) -> None:
    """In a process of its own: a hook once registered stays."""
    replayed.record_votes({"1": {"a": True, "b": False}, "2": {"a": True, "b": True}})
    done = run_task(replayed, "jury(['panopt-replay/a', 'panopt-replay/b'])", PANOPT_HOOKS="1")
    assert done.returncode == 0, done.stderr
    [path] = (replayed.folder / "logs").glob("*.eval")
    results = read_eval_log(str(path), header_only=True).results
    assert results is not None
    assert results.metadata is not None
    assert results.metadata["panopt"]["judgments"] == 4
    assert len(read_eval_log(str(path)).samples or ()) == 2


def test_trio_runs_the_same_jury(replayed: Replayed) -> None:
    replayed.record_votes({"1": {"a": True, "b": {"fault": "stall"}}, "2": {"a": False, "b": True}})
    text = "jury(['panopt-replay/a', 'panopt-replay/b'], timeout=0.2)"
    done = run_task(replayed, text, INSPECT_ASYNC_BACKEND="trio")
    assert done.returncode == 0, done.stderr
    [path] = (replayed.folder / "logs").glob("*.eval")
    scores = scores_of(read_eval_log(str(path)))
    assert (scores["1"].metadata or {})["votes"]["status"] == "of"
    assert (scores["2"].metadata or {})["jury"]["outcome"] == "tie"


@pytest.mark.programs
def test_inspect_scores_a_log_with_a_jury_named_on_the_command_line(
    replayed: Replayed, inspect_cli: Program, tmp_path: Path
) -> None:
    replayed.record_votes({"1": {"a": 0.4, "b": 0.8}})
    log = replayed.run(match(), ["1"])
    target = tmp_path / "scored.eval"
    environ = {**inspect_cli.environ, "PANOPT_REPLAY": str(replayed.file)}
    program = replace(inspect_cli, environ=environ)
    told = f"models={A},{B}"
    given = ["--scorer", "panopt/jury", "-S", told, "-S", "kind=numeric", "-S", "threshold=0.5"]
    program.run(
        "score", log.location, *given, "--action", "append", "--output-file", target, timeout=120
    )
    scores = scores_of(read_eval_log(str(target)))
    assert scores["1"].as_dict()["panel"] == pytest.approx(0.6)
    assert {row["judge"] for row in study_of(read_eval_log(str(target)))} >= {A, B}
    bad = program.run(
        "score", log.location, *given, "-S", "min_successful=3", check=False, timeout=120
    )
    assert bad.returncode != 0
    assert "min_successful = 3 must" in " ".join((bad.stdout + bad.stderr).split())


def test_the_example_runs_offline_and_is_read_back(
    replayed: Replayed, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = Path(__file__).parents[3] / "examples" / "inspect_jury"
    monkeypatch.setenv("PANOPT_REPLAY", str(example / "recording.jsonl"))
    monkeypatch.chdir(example)
    [log] = evaluate(
        "story_jury.py",
        model="none",
        limit=10,
        display="none",
        log_dir=str(replayed.folder / "logs"),
    )
    assert log.status == "success"
    lines = (example / "recording.jsonl").read_text(encoding="utf-8").splitlines()
    told = {
        (line["item"], f"panopt-replay/{line['judge']}"): line for line in map(json.loads, lines)
    }
    rows = study_of(log)
    assert len(rows) == 50
    assert all(row["score"] == told[row["item"], row["judge"]]["verdict"] for row in rows)
    assert {row["criterion"] for row in rows} == {"complexity"}


def run_task(replayed: Replayed, scorer: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Evaluate a task of two samples in another process."""
    script = (
        "from inspect_ai import Task, eval\n"
        "from inspect_ai.dataset import Sample\n"
        "from inspect_ai.model import ModelOutput\n"
        "from inspect_ai.solver import solver\n"
        "from panopt.shims.inspect.live.registry import jury\n"
        "@solver\n"
        "def recorded():\n"
        "    async def solve(state, generate):\n"
        "        state.output = ModelOutput.from_content('m', 'text')\n"
        "        return state\n"
        "    return solve\n"
        "data = [Sample(id=i, input='q', target='C') for i in ('1', '2')]\n"
        f"task = Task(data, solver=recorded(), scorer={scorer})\n"
        f"eval(task, model='none', display='none', log_dir={str(replayed.folder / 'logs')!r})\n"
    )
    return subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
