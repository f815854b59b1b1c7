"""Annotated copies: what is added, that nothing else changes, that a copy's copy is the copy."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from panopt.analysis import analyze
from panopt.reading import read
from panopt.records.ask import Ask, Reading
from panopt.records.report import Report
from panopt.records.study import Study
from panopt.shims.promptfoo import panopt_write
from panopt.shims.promptfoo.annotate import is_ours

ReadResults = Callable[..., Study]
MakeResults = Callable[..., Path]
QUICK = Ask(n_boot=0)


def report_of(*paths: Path, **options: object) -> Report:
    """Analyze files, without bootstrap."""
    return analyze(read(*paths), QUICK.model_copy(update=options))


def annotate(path: Path, folder: Path, report: Report | None = None) -> Path:
    """Write the annotated copy of a file into a new folder, under its own name."""
    report = report or report_of(path)
    source = next(s for s in report.study.sources if s.location == str(path))
    folder.mkdir()
    target = folder / path.name
    assert panopt_write(report, source, target) == target
    return target


def content(path: Path) -> bytes:
    """Give the decompressed bytes of a file."""
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def parsed(path: Path) -> Any:  # noqa: ANN401 - any JSON
    """Parse results in whatever format, to one value."""
    name = path.name.removesuffix(".gz")
    text = content(path).decode()
    if name.endswith(".jsonl"):
        return [json.loads(line) for line in text.splitlines()]
    return yaml.safe_load(text) if name.endswith(".yaml") else json.loads(text)


def rows_of(whole: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON
    """Give the rows of parsed results."""
    return whole if isinstance(whole, list) else whole["results"]["results"]


def without_ours(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Take everything that panopt adds out of parsed results; keep the order of the rest."""
    if isinstance(value, dict):
        kept = {name: without_ours(inner) for name, inner in value.items() if not is_ours(name)}
        if "metadata" in kept and kept["metadata"] == {} and kept.get("tags") == {}:
            del kept["metadata"]
        return {name: inner for name, inner in kept.items() if (name, inner) != ("tags", {})}
    return [without_ours(inner) for inner in value] if isinstance(value, list) else value


KEPT = [
    "panel3.json",
    "panel5_base.jsonl.gz",
    "full_multi.jsonl.gz",
    "jury_provider.json.gz",
    "openai_judge_shapes.json",
    "human_rating_export.json",
]


@pytest.mark.parametrize("name", KEPT)
def test_nothing_but_our_own_entries_changes(
    promptfoo_logs: Path, tmp_path: Path, name: str
) -> None:
    path = promptfoo_logs / name
    before, after = parsed(path), parsed(annotate(path, tmp_path / "out"))
    assert json.dumps(without_ours(after)) == json.dumps(without_ours(before))
    assert sum(any(map(is_ours, row["namedScores"])) for row in rows_of(after)) >= 1
    for old, new in zip(rows_of(before), rows_of(after), strict=True):
        assert (old["success"], old["score"]) == (new["success"], new["score"])
        assert old["gradingResult"] == new["gradingResult"]


def test_bytes_that_are_not_ours_stay(make_results: MakeResults, tmp_path: Path) -> None:
    """Numbers, escapes and the order of keys are not written anew: lines are only added."""
    row = {
        "components": [judged("a", 0.5), judged("b", 1)],
        "namedScores": {"z": 1, "a": 2},
        "metadata": {"z": 1},
    }
    path = make_results([row], config={"metadata": {"z": 1}, "tags": {"z": "1"}})
    odd = '[1.0, 1e-7, 12345678901234567890, "\\u00e9\\/", {}, [ ]]'
    path.write_text(path.read_text().replace('"z": 1', f'"z": {odd}') + "\n")
    assert path.read_text().count(odd) == 3
    made = iter(annotate(path, tmp_path / "out").read_text().split("\n"))
    for line in path.read_text().split("\n"):
        assert any(other in (line, line + ",") for other in made), line


def judged(judge: str, score: float, **fields: object) -> dict[str, Any]:
    """Give the component of one judge."""
    assertion = {"type": "llm-rubric", "value": "good", "provider": judge}
    reason = f"{judge} says so"
    return {"assertion": assertion, "pass": score >= 0.5, "score": score, "reason": reason} | fields


@pytest.mark.parametrize("name", [*KEPT, "full_multi.json.gz"])
def test_the_copy_of_a_copy_is_the_copy(
    promptfoo_logs: Path, shared: Path, tmp_path: Path, name: str
) -> None:
    path = promptfoo_logs / name
    if not path.exists():
        path = shared / "data" / "logs" / "promptfoo" / "made" / name
    once = annotate(path, tmp_path / "once")
    twice = annotate(once, tmp_path / "twice")
    assert twice.read_bytes() == once.read_bytes()
    assert len(read(once)) == len(read(path))


def test_an_earlier_conclusion_is_replaced(promptfoo_logs: Path, tmp_path: Path) -> None:
    path = promptfoo_logs / "panel3.json"
    first = annotate(path, tmp_path / "first", report_of(path, aggregate="mean"))
    second = annotate(first, tmp_path / "second", report_of(first, aggregate="min"))
    direct = annotate(path, tmp_path / "direct", report_of(path, aggregate="min"))
    assert second.read_bytes() == direct.read_bytes() != first.read_bytes()


@pytest.mark.parametrize("name", ["full_multi.json.gz", "panel5_base.json.gz"])
def test_large_files_are_written_row_by_row_to_the_same_bytes(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = shared / "data" / "logs" / "promptfoo" / "made" / name
    report = report_of(path)
    whole = annotate(path, tmp_path / "whole", report)
    monkeypatch.setattr("panopt.shims.promptfoo.document.STREAM_ABOVE", 0)
    monkeypatch.setattr("panopt.shims.promptfoo.stream.CHUNK", 1000)
    assert annotate(path, tmp_path / "rows", report).read_bytes() == whole.read_bytes()


def test_rows_say_value_decision_and_reason(promptfoo_logs: Path, tmp_path: Path) -> None:
    path = promptfoo_logs / "panel3.json"
    report = report_of(path, aggregate="mean")
    part = report.criteria[0]
    made = rows_of(parsed(annotate(path, tmp_path / "out", report)))
    value_of = {
        (
            part.matrix.name("system", i),
            part.matrix.name("item", i),
            part.matrix.name("epoch", i),
        ): part.consensus.value[i]
        for i in range(part.matrix.n_responses)
    }
    seen: dict[tuple[str, str], list[int]] = {}
    for row in sorted(made, key=lambda row: row["testIdx"]):
        key = (row["provider"]["label"], row["testCase"]["metadata"]["item_id"])
        seen.setdefault(key, []).append(row["testIdx"])
        value = value_of[*key, str(len(seen[key]))]
        assert row["namedScores"]["panopt"] == pytest.approx(value, abs=1e-6)
        assert row["metadata"]["panopt_value"] == row["namedScores"]["panopt"]
        assert row["metadata"]["panopt_decision"] in ("trust", "escalate", "ambiguous", "human")
        assert row["namedScores"]["panopt.trust"] == int(
            row["metadata"]["panopt_decision"] == "trust"
        )
        ours = {k: v for k, v in row["metadata"].items() if is_ours(k)}
        assert 0 < len(ours["panopt_why"]) <= 320
        assert len(json.dumps(ours)) < 1000
        assert all(isinstance(v, str | int | float) for v in ours.values())
        assert all(0 <= v <= 1 for k, v in row["namedScores"].items() if is_ours(k))


def test_metrics_of_a_prompt_are_sums_counts_and_the_interval_of_its_system(
    promptfoo_logs: Path, tmp_path: Path
) -> None:
    path = promptfoo_logs / "panel3.json"
    report = report_of(path)
    whole = parsed(annotate(path, tmp_path / "out", report))
    for index, prompt in enumerate(whole["results"]["prompts"]):
        mine = [row for row in rows_of(whole) if row["promptIdx"] == index]
        metrics = prompt["metrics"]
        total = math.fsum(row["namedScores"]["panopt"] for row in mine)
        assert metrics["namedScores"]["panopt"] == pytest.approx(total, abs=1e-6)
        assert metrics["namedScoresCount"]["panopt"] == len(mine) == 4
        assert metrics["namedScoreWeights"]["panopt"] == 4
        finding = report.criteria[0].findings.named("mean", subject=prompt["provider"])[0]
        assert metrics["namedScores"]["panopt.low"] == pytest.approx(finding.low, abs=1e-6)
        assert metrics["namedScores"]["panopt.high"] == pytest.approx(finding.high, abs=1e-6)
        assert not {"panopt.low", "panopt.high"} & set(metrics["namedScoresCount"])


def test_the_report_stands_in_the_config(promptfoo_logs: Path, tmp_path: Path) -> None:
    path = promptfoo_logs / "panel3.json"
    report = report_of(path)
    config = parsed(annotate(path, tmp_path / "out", report))["config"]
    told = config["metadata"]["panopt"]
    assert config["tags"]["panopt"] == report.versions["panopt"]
    assert told["source"] == {
        "name": "panel3.json",
        "digest": f"sha256:{report.study.sources[0].sha256}",
    }
    assert [part["criterion"] for part in told["criteria"]] == ["llm-rubric"]
    assert told["criteria"][0]["judges"] == list(report.criteria[0].matrix.judges)
    assert str(path.parent) not in json.dumps(told)


def test_several_criteria_are_told_apart_by_name(promptfoo_logs: Path, tmp_path: Path) -> None:
    whole = parsed(annotate(promptfoo_logs / "jury_provider.json.gz", tmp_path / "out"))
    row = rows_of(whole)[0]
    ours = {name for name in row["namedScores"] if is_ours(name)}
    assert ours == {
        "panopt.panel/correct",
        "panopt.panel/correct.trust",
        "panopt.panel/tone",
        "panopt.panel/tone.trust",
    }
    assert {"panopt_panel_correct_decision", "panopt_panel_tone_why"} <= set(row["metadata"])


def test_criteria_of_like_names_do_not_share_metadata(
    make_results: MakeResults, tmp_path: Path
) -> None:
    row = []
    for metric, score in (("a/b", 0.0), ("a b", 1.0), ("a_b", 0.5)):
        for judge in ("x", "y"):
            component = judged(judge, score)
            component["assertion"] |= {"metric": metric}
            row.append(component)
    path = make_results([row])
    metadata = rows_of(parsed(annotate(path, tmp_path / "out")))[0]["metadata"]
    assert len([name for name in metadata if name.endswith("_decision")]) == 3


def test_at_most_four_criteria_are_written_the_most_judged_first(
    promptfoo_logs: Path, tmp_path: Path
) -> None:
    made = rows_of(parsed(annotate(promptfoo_logs / "full_multi.jsonl.gz", tmp_path / "out")))
    for row in made:
        ours = {name for name in row["namedScores"] if is_ours(name)}
        assert len(ours) <= 4
        assert len(json.dumps({k: v for k, v in row["metadata"].items() if is_ours(k)})) < 1500
    assert {"panopt.panel_set", "panopt.pypanel"} <= set(made[0]["namedScores"])


def test_inconclusive_rows_say_why(make_results: MakeResults, tmp_path: Path) -> None:
    failed = [judged(name, 0, metadata={"graderError": True}) for name in "ab"]
    path = make_results([[judged("a", 1), judged("b", 0.5)], failed])
    rows = rows_of(parsed(annotate(path, tmp_path / "out", report_of(path, aggregate="mean"))))
    assert rows[1]["metadata"]["panopt_outcome"] == "all_failed"
    assert "panopt" not in rows[1]["namedScores"]
    assert "panopt_outcome" not in rows[0]["metadata"]


def test_nominal_verdicts_are_labels_and_no_numbers(
    make_results: MakeResults, tmp_path: Path
) -> None:
    """Declared nominal, a panel votes with the pass flags of its judges."""
    rows = [[judged(name, 3.0) for name in "abc"], [judged(name, 0.2) for name in "abc"]]
    path = make_results(rows)
    study = read(path, reading=Reading(scales=(("*", "nominal"),)))
    made = rows_of(parsed(annotate(path, tmp_path / "out", analyze(study, QUICK))))
    assert [row["metadata"]["panopt_label"] for row in made] == ["pass", "fail"]
    assert not any("panopt" in row["namedScores"] for row in made)
    assert not any("panopt_value" in row["metadata"] for row in made)


def test_a_system_judged_in_two_files_gets_no_interval_in_either(
    shared: Path, tmp_path: Path
) -> None:
    """target-y answers in both runs: the interval of its mean is of neither alone."""
    base, cand = (
        shared / "data" / "logs" / "promptfoo" / "made" / f"panel5_{name}.json.gz"
        for name in ("base", "cand")
    )
    report = report_of(base, cand)
    prompts = parsed(annotate(base, tmp_path / "out", report))["results"]["prompts"]
    shown = {p["provider"]: "panopt.low" in p["metrics"]["namedScores"] for p in prompts}
    assert shown == {"target-x": True, "target-y": False}


def test_names_that_only_look_like_ours_stay(make_results: MakeResults, tmp_path: Path) -> None:
    row = {
        "components": [judged("a", 0.5), judged("b", 1)],
        "namedScores": {"panoptic_quality": 0.7, "panopt": 0.1, "panopt.old": 1},
        "metadata": {"panoptic": "yes"},
    }
    path = make_results([row])
    scores = rows_of(parsed(annotate(path, tmp_path / "out")))[0]["namedScores"]
    assert scores["panoptic_quality"] == 0.7
    assert "panopt.old" not in scores
    assert scores["panopt"] != 0.1


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.jsonl", "a.jsonl.gz", "a.yaml"])
@pytest.mark.parametrize("indent", [2, None])
def test_every_format_is_written_as_itself(
    make_results: MakeResults, tmp_path: Path, name: str, indent: int | None
) -> None:
    path = make_results([[judged("a", 0.5), judged("b", 1)], []], name=name, indent=indent)
    target = annotate(path, tmp_path / "out")
    assert rows_of(parsed(target))[0]["namedScores"]["panopt"] >= 0.5
    assert rows_of(parsed(target))[1] == rows_of(parsed(path))[1]
    if name == "a.json":
        assert (b"\n  " in content(target)) is (indent is not None)
    again = annotate(path, tmp_path / "again")
    assert again.read_bytes() == target.read_bytes()
    twice = annotate(target, tmp_path / "twice")
    assert twice.read_bytes() == target.read_bytes()


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_the_broken_last_line_of_a_killed_run_stays(
    make_results: MakeResults, tmp_path: Path, name: str
) -> None:
    path = make_results([[judged("a", 0.5), judged("b", 1)]] * 3, name=name)
    cut = content(path)[:-40]
    path.write_bytes(gzip.compress(cut) if name.endswith(".gz") else cut)
    target = annotate(path, tmp_path / "out")
    *rows, last = content(target).split(b"\n")
    assert last == cut.split(b"\n")[-1]
    assert ["panopt" in json.loads(row)["namedScores"] for row in rows] == [True, True]


def test_no_secret_is_added(promptfoo_logs: Path, tmp_path: Path) -> None:
    path = promptfoo_logs / "openai_judge_shapes.json"
    before = content(path).count(b"SECRET")
    target = annotate(path, tmp_path / "out")
    assert before > 0
    assert content(target).count(b"SECRET") == before
    assert "SECRET" not in json.dumps(parsed(target)["config"]["metadata"])


def test_other_shims_sources_and_generations_without_named_scores_are_left(
    promptfoo_logs: Path, shared: Path, tmp_path: Path
) -> None:
    report = report_of(promptfoo_logs / "panel3.json")
    source = report.study.sources[0]
    other = replace(source, format="tables")
    assert panopt_write(report, other, tmp_path / "a.json") is None
    name = "examples_simple-cli_output__2023-04-29_77124885d.json"
    old = shared / "data" / "logs" / "promptfoo" / "wild" / name
    assert panopt_write(report, replace(source, location=str(old)), tmp_path / "b.json") is None
    assert not (tmp_path / "b.json").exists()
