from __future__ import annotations

import gzip
import json
import math
import random
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.analysis import evals_df, samples_df
from inspect_ai.log import (
    ProvenanceData,
    edit_score,
    read_eval_log,
    read_eval_log_sample_summaries,
    recompute_metrics,
    write_eval_log,
)
from inspect_ai.scorer import ScoreEdit

from panopt.analysis import analyze
from panopt.reading import read
from panopt.records.ask import Ask, Reading
from panopt.records.report import Report
from panopt.records.source import SourceFile
from panopt.shims import inspect as shim
from panopt.shims.inspect import write as writer
from panopt.shims.inspect import zipwriter
from panopt.shims.inspect.archive import Archive
from panopt.shims.inspect.rawjson import fields, items, join_fields, join_items
from panopt.shims.inspect.words import escaped

MakeEval = Callable[..., Path]
FOLDER = Path(__file__).parents[1] / "logs" / "inspect"
LOGS = sorted(path for path in FOLDER.glob("*.eval") if path.stem != "in_progress")
NAN = math.nan


def report_on(log: Path, **options: Any) -> Report:  # noqa: ANN401 - of Ask
    human = ("human",) if log.stem.startswith("human") else ()
    ask = Ask(**{"n_boot": 0, **options})
    return analyze(read(log, reading=Reading(tier="fast", human=human)), ask)


def annotate(log: Path, target: Path, **options: Any) -> Report:  # noqa: ANN401 - of Ask
    """Write the annotated copy of `log`, and give the report it was made from."""
    report = report_on(log, **options)
    assert shim.panopt_write(report, report.study.sources[0], target) == target
    return report


def read_back(log: Path, *, header_only: bool = False) -> Any:  # noqa: ANN401 - half of it is optional
    """Read a log as Inspect's users do."""
    return read_eval_log(str(log), header_only=header_only)


def contents(log: Path) -> dict[str, Any]:
    """Give every member of an archive, or the parts of a JSON log, as JSON."""
    if log.suffix == ".json":
        data = json.loads(log.read_bytes())
        samples, summaries = data.pop("samples", None), data.pop("reductions", None)
        return {"header.json": data, "summaries.json": samples or [], "reductions": summaries}
    with Archive(log) as archive:
        return {name: json.loads(archive.read(entry)) for name, entry in archive.members.items()}


def without_ours(log: Path) -> dict[str, Any]:
    """Give the contents of a log as they would be if panopt had not been there."""
    found = contents(log)
    for name, content in found.items():
        if name.startswith("samples/"):
            strip(content)
        elif name == "summaries.json":
            for summary in content:
                strip(summary)
    header = found["header.json"]
    for key in ("log_updates", "tags", "metadata"):
        header.pop(key, None)
    if header.get("results"):
        (header["results"].pop("metadata", None) or {}).pop("panopt", None)
        scores = header["results"].get("scores", [])
        scores[:] = [score for score in scores if not score["name"].startswith("panopt")]
    return found


def strip(sample: dict[str, Any]) -> None:
    scores = sample.get("scores") or {}
    for name in [name for name in scores if name.startswith("panopt")]:
        del scores[name]


def same(a: object, b: object) -> bool:
    """Compare JSON values; NaN equals NaN."""
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copy.eval"


def test_inspect_reads_a_score_for_every_judged_sample(inspect_logs: Path, copy: Path) -> None:
    report = annotate(inspect_logs / "human_scorer.eval", copy)
    [part] = report.criteria
    log = read_back(copy)
    assert len(log.samples) == 10
    for i, sample in enumerate(log.samples):
        score = sample.scores["panopt"]
        assert part.decisions is not None
        assert score.value == pytest.approx(part.consensus.value[i], abs=1e-6)
        assert score.answer == part.decisions.name(i)
        assert part.decisions.why(i) in score.explanation
        details = score.metadata["panopt"]
        assert details["outcome"] == "decided"
        assert details["n_votes"] == part.consensus.n_votes[i]
        assert "conformal_low" not in details, "no interval of a score of two values"


def test_J_12_the_explanation_says_who_voted_what(inspect_logs: Path, copy: Path) -> None:
    report = annotate(inspect_logs / "human_scorer.eval", copy)
    [part] = report.criteria
    words = read_back(copy).samples[5].scores["panopt"].explanation
    assert "replay/judge-a 1, replay/judge-b 1, replay/judge-c failed" in words
    assert part.matrix.votes.status.size == 30, "every vote stays in the records, failed ones too"


def test_the_samples_table_shows_what_the_samples_hold(inspect_logs: Path, copy: Path) -> None:
    annotate(inspect_logs / "panel_majority.eval", copy)
    full = {sample.id: sample.scores["panopt"] for sample in read_back(copy).samples}
    summaries: Any = read_eval_log_sample_summaries(str(copy))
    for summary in summaries:
        assert summary.scores["panopt"] == full[summary.id]


def test_the_header_has_numbers_tags_metadata_and_provenance(
    inspect_logs: Path, copy: Path
) -> None:
    report = annotate(inspect_logs / "human_scorer.eval", copy, seed=7)
    log = read_back(copy, header_only=True)
    assert log.results is not None
    score = log.results.scores[-1]
    [mean] = report.criteria[0].findings.named("mean")
    assert (score.name, score.scored_samples, score.unscored_samples) == ("panopt", 10, 0)
    for metric, value in (("mean", mean.value), ("mean_low", mean.low), ("mean_high", mean.high)):
        assert score.metrics[metric].value == pytest.approx(value, abs=1e-6)
        assert score.metrics[metric].group == "mean"
    [rate] = report.criteria[0].findings.named("pass_rate")
    assert score.metrics["pass_rate_low"].value == pytest.approx(rate.low, abs=1e-6)
    decisions = report.criteria[0].decisions
    assert decisions is not None
    assert {name: score.metrics[name].value for name in decisions.counts()} == decisions.counts()
    assert score.metrics["human_agreement"].value == 1.0
    assert log.tags == ["panopt"]
    assert "guarantee" in log.metadata["panopt"]["model_graded_qa"]
    [update] = log.log_updates
    assert update.provenance.author.startswith("panopt ")
    assert update.provenance.metadata["seed"] == 7
    assert update.provenance.metadata["digest"] == report.study.digest
    assert update.provenance.timestamp.isoformat() == log.stats.completed_at
    whole = log.results.metadata["panopt"]
    assert whole["ask"]["seed"] == 7
    assert [part["criterion"] for part in whole["criteria"]] == ["model_graded_qa"]
    assert str(inspect_logs) not in json.dumps(whole)


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.stem)
def test_nothing_else_in_the_log_changes(log: Path, copy: Path) -> None:
    before = log.read_bytes()
    annotate(log, copy)
    assert log.read_bytes() == before
    assert list(contents(log)) == list(contents(copy))
    assert same(without_ours(log), without_ours(copy))
    with zipfile.ZipFile(log) as a, zipfile.ZipFile(copy) as b:
        for one, other in zip(a.infolist(), b.infolist(), strict=True):
            assert (one.filename, one.date_time, one.external_attr, one.compress_type) == (
                other.filename,
                other.date_time,
                other.external_attr,
                other.compress_type,
            )


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.stem)
def test_annotating_an_annotated_copy_changes_nothing(log: Path, tmp_path: Path) -> None:
    first, again = tmp_path / f"{log.stem}.eval", tmp_path / f"{log.stem}_again.eval"
    one = annotate(log, first)
    two = annotate(first, again)
    assert first.read_bytes() == again.read_bytes()
    assert one.study.digest == two.study.digest


def test_new_conclusions_replace_the_old_ones(inspect_logs: Path, tmp_path: Path) -> None:
    log = inspect_logs / "dict_criteria.eval"
    straight, first, second = (
        tmp_path / f"{name}.eval" for name in ("straight", "first", "second")
    )
    annotate(log, first, aggregate="median")
    annotate(first, second, aggregate="mean", criterion=("depth",))
    annotate(log, straight, aggregate="mean", criterion=("depth",))
    assert second.read_bytes() == straight.read_bytes()
    log_ = read_back(second)
    assert [s.name for s in log_.results.scores if s.name.startswith("panopt")] == ["panopt"]
    assert len(log_.log_updates) == 1


def test_several_criteria_have_a_score_each(inspect_logs: Path, copy: Path) -> None:
    annotate(inspect_logs / "dict_criteria.eval", copy, aggregate="mean")
    log = read_back(copy)
    ours = [score.name for score in log.results.scores if score.name.startswith("panopt")]
    assert ours == ["panopt_clarity", "panopt_depth"]
    assert {"panopt_clarity", "panopt_depth"} < set(log.samples[0].scores)
    assert set(log.metadata["panopt"]) == {"clarity", "depth"}


def test_labels_are_written_as_labels_and_ties_as_unscored(make_eval: MakeEval, copy: Path) -> None:
    scorers = [("pick", {"model": "m/a"}), ("pick", {"model": "m/b"})]
    scores = [{"pick": "A", "pick1": "A"}, {"pick": "A", "pick1": "B"}, {"pick": "B", "pick1": "B"}]
    report = annotate(make_eval(scores, scorers=scorers), copy)
    written = [sample.scores["panopt"] for sample in read_back(copy).samples]
    values = [score.value for score in written]
    assert values[0] == "A"
    assert values[2] == "B"
    assert report.criteria[0].consensus.verdict[1] == -1
    assert math.isnan(values[1])
    assert written[1].reason.startswith("panopt:")
    assert "no value" in written[1].explanation
    score = read_back(copy, header_only=True).results.scores[-1]
    assert (score.scored_samples, score.unscored_samples) == (2, 1)
    assert "mean" not in score.metrics


def test_unscored_errored_and_invalidated_samples_get_no_score_of_ours(
    inspect_logs: Path, tmp_path: Path
) -> None:
    for name, without in (("errors", {"q03"}), ("invalidated", {"q02", "q09"})):
        copy = tmp_path / f"{name}.eval"
        annotate(inspect_logs / f"{name}.eval", copy)
        log = read_back(copy)
        assert {s.id for s in log.samples if "panopt" not in (s.scores or {})} == without


def test_of_members_with_one_name_the_last_is_annotated(inspect_logs: Path, copy: Path) -> None:
    annotate(inspect_logs / "duplicate_member.eval", copy)
    with Archive(copy) as archive:
        found = [
            "panopt" in json.loads(archive.read(entry))["scores"]
            for entry in archive.entries
            if entry.filename == "samples/q01_epoch_1.json"
        ]
    assert found == [False, True]
    log = read_back(copy)
    assert all("panopt" in sample.scores for sample in log.samples)


def test_what_panopt_does_not_know_survives(
    make_eval: MakeEval, tmp_path: Path, copy: Path
) -> None:
    plain = make_eval([{"q": {"value": NAN, "reason": "grader_failed", "later": [1.50]}}, {"q": 1}])
    log = tmp_path / "strange.eval"
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(log, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name).decode()
            if name == "samples/1_epoch_1.json":
                text = text[:-1] + ', "future": {"x": 1.50, "y": "\\ud800", "z": Infinity}}'
            if name == "header.json":
                text = text.replace('"version": 2,', '"version": 2, "novel": 1e2,')
            new.writestr(name, text)
        new.writestr("extra/notes.bin", b"\0\1\2")
    annotate(log, copy, aggregate="mean")
    with zipfile.ZipFile(copy) as archive:
        assert archive.read("extra/notes.bin") == b"\0\1\2"
        sample = archive.read("samples/1_epoch_1.json")
        assert b'{"x": 1.50, "y": "\\ud800", "z": Infinity}' in sample
        assert b'"later": [1.5]' in sample
        assert b'"novel":1e2' in archive.read("header.json")


@pytest.mark.parametrize(
    ("header", "spec", "why"),
    [
        ({}, {"packages": {"inspect_ai": "9.9.9"}}, "written by Inspect 9.9.9, newer than"),
        ({"version": 3}, {}, "log format 3 is newer than 2"),
    ],
)
def test_a_log_of_a_newer_inspect_is_annotated_in_its_header_only(
    make_eval: MakeEval, copy: Path, header: dict[str, Any], spec: dict[str, Any], why: str
) -> None:
    log = make_eval([{"q": 1}, {"q": 0}], header=header, **spec)
    annotate(log, copy, aggregate="mean")
    old, new = contents(log), contents(copy)
    assert all(old[name] == new[name] for name in old if name != "header.json")
    with zipfile.ZipFile(log) as a, zipfile.ZipFile(copy) as b:
        for one in a.infolist():
            other = b.getinfo(one.filename)
            assert one.compress_size == other.compress_size or one.filename == "header.json"
    info = new["header.json"]
    assert why in info["metadata"]["panopt"]["per_sample"]
    assert why in info["results"]["scores"][-1]["metadata"]["panopt"]["per_sample"]
    assert info["results"]["scores"][-1]["metrics"]["mean"]["value"] == 0.5


def test_without_inspect_the_versions_tested_are_the_known_ones(
    make_eval: MakeEval, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(writer, "version", missing)
    log = make_eval([{"q": 1}], packages={"inspect_ai": writer.KNOWN_INSPECT})
    annotate(log, copy, aggregate="mean")
    assert "panopt" in contents(copy)["samples/1_epoch_1.json"]["scores"]


@pytest.mark.parametrize("gzipped", [False, True])
def test_json_logs_are_annotated(inspect_logs: Path, tmp_path: Path, *, gzipped: bool) -> None:
    log = inspect_logs / "panel_majority.json"
    if gzipped:
        content = gzip.compress(log.read_bytes())
        log = tmp_path / "log.json.gz"
        log.write_bytes(content)
    copy = tmp_path / f"copy{'.json.gz' if gzipped else '.json'}"
    again = tmp_path / f"again{'.json.gz' if gzipped else '.json'}"
    annotate(log, copy)
    annotate(copy, again)
    assert copy.read_bytes() == again.read_bytes()
    if gzipped:
        copy.with_suffix("").write_bytes(gzip.decompress(copy.read_bytes()))
        copy = copy.with_suffix("")
    found = read_back(copy)
    assert all("panopt" in sample.scores for sample in found.samples)
    assert found.results.scores[-1].name == "panopt"
    assert found.tags == ["panopt"]


def test_a_run_that_has_not_ended_is_not_annotated(inspect_logs: Path, copy: Path) -> None:
    report = report_on(inspect_logs / "in_progress.eval")
    assert shim.panopt_write(report, report.study.sources[0], copy) is None
    assert not copy.exists()


def test_a_failed_run_has_no_results_and_gets_none(inspect_logs: Path, copy: Path) -> None:
    annotate(inspect_logs / "failed.eval", copy)
    log = read_back(copy)
    assert log.results is None
    assert log.status == "error"
    assert log.tags == ["panopt"]
    assert sum("panopt" in (sample.scores or {}) for sample in log.samples) == 5


def test_sources_of_other_shims_are_left_to_them(inspect_logs: Path, copy: Path) -> None:
    report = report_on(inspect_logs / "panel_majority.eval")
    other = replace(report.study.sources[0], format="promptfoo")
    assert shim.panopt_write(report, other, copy) is None


def test_every_real_log_is_annotated_and_read_by_inspect(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "logs" / "inspect"
    old = tmp_path / "log_of_2024.json"
    shutil.copy(folder / "formats" / "log_formats.json", old)
    annotated = 0
    for number, log in enumerate([old, *folder.rglob("*.eval"), *folder.rglob("*.json")]):
        study = shim.panopt_read(SourceFile(str(log)), Reading(tier="fast"), lambda _: None)
        if study is None or not len(study):
            continue
        copy = tmp_path / f"{number}{log.suffix}"
        again = tmp_path / f"{number}_again{log.suffix}"
        report = annotate(log, copy)
        annotate(copy, again)
        assert copy.read_bytes() == again.read_bytes(), log
        found = read_back(copy)
        expected = 0 if found.version > 2 else report.criteria[0].matrix.n_responses
        assert sum(any_of_ours(sample.scores) for sample in found.samples) == expected, log
        assert same(without_ours(copy), without_ours(log)), log
        annotated += 1
    assert annotated > 25


def any_of_ours(scores: dict[str, Any] | None) -> bool:
    return any(name.startswith("panopt") for name in scores or ())


def test_a_score_without_a_name_gets_its_scorers_name(make_eval: MakeEval, tmp_path: Path) -> None:
    plain = make_eval([{"grade": 1}], scorers=[("grade", {})])
    old = tmp_path / "old.eval"
    with zipfile.ZipFile(plain) as source_, zipfile.ZipFile(old, "w") as target:
        for name in source_.namelist():
            data = json.loads(source_.read(name))
            if name.startswith("samples/"):
                data["score"] = data.pop("scores")["grade"]
            target.writestr(name, json.dumps(data))
    copy = tmp_path / "copy.eval"
    annotate(old, copy, aggregate="mean")
    [sample] = read_back(copy).samples
    assert list(sample.scores) == ["grade", "panopt"]
    assert sample.scores["grade"].value == 1


def test_inspects_own_edits_work_on_an_annotated_log(inspect_logs: Path, tmp_path: Path) -> None:
    copy, edited, again = (tmp_path / f"{name}.eval" for name in ("copy", "edited", "again"))
    annotate(inspect_logs / "epochs.eval", copy)
    log = read_back(copy)
    edit = ScoreEdit(value="I", provenance=ProvenanceData(author="ann"))
    edit_score(log, "q01", "model_graded_qa", edit, epoch=1)
    recompute_metrics(log)
    assert log.results.metadata.keys() == {"panopt"}
    write_eval_log(log, str(edited))
    study = annotate(edited, again).study
    assert len(study) == 91
    assert study.table["judge"].to_pylist().count("ann") == 1
    names = [score.name for score in read_back(again, header_only=True).results.scores]
    assert names == ["model_graded_qa", "model_graded_qa1", "model_graded_qa2", "panopt"]
    reductions = contents(again)["reductions.json"]
    assert not any(reduction["scorer"].startswith("panopt") for reduction in reductions)


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # Inspect's use of pandas
def test_inspects_data_frames_have_the_annotations(inspect_logs: Path, copy: Path) -> None:
    annotate(inspect_logs / "panel_majority.eval", copy)
    assert samples_df(str(copy), quiet=True)["score_panopt"].between(0, 1).all()
    assert evals_df(str(copy), quiet=True)["score_panopt_mean"].between(0, 1).all()


@pytest.mark.programs
def test_inspect_log_dump_shows_the_annotations(inspect_logs: Path, copy: Path) -> None:
    annotate(inspect_logs / "odd_ids.eval", copy)
    done = inspect_program("log", "dump", str(copy))
    log = json.loads(done)
    assert log["tags"] == ["panopt"]
    assert all("panopt" in sample["scores"] for sample in log["samples"])
    assert log["results"]["scores"][-1]["name"] == "panopt"


@pytest.mark.programs
def test_inspect_scores_an_annotated_log_again(inspect_logs: Path, tmp_path: Path) -> None:
    copy, scored = tmp_path / "copy.eval", tmp_path / "scored.eval"
    annotate(inspect_logs / "scorers_list.eval", copy)
    options = ["--scorer", "match", "--action", "append", "--model", "none"]
    inspect_program("score", str(copy), *options, "--output-file", str(scored))
    log = read_back(scored)
    assert [score.name for score in log.results.scores][-2:] == ["panopt", "match"]
    assert set(log.samples[0].scores) >= {"panopt", "match", "model_graded_qa2"}
    assert len(read(scored)) == 40


def inspect_program(*arguments: str) -> str:
    program = Path(sys.executable).with_name("inspect")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def test_hostile_names_are_plain_text_and_short(make_eval: MakeEval, copy: Path) -> None:
    evil = "<script>alert(1)</script> [x](javascript:1) **b** `c`\n# h " + "y" * 5000
    scorers = [(name, {"model": evil + name[-1]}) for name in ("judge_a", "judge_b")]
    log = make_eval([{"judge_a": 1, "judge_b": 0}], scorers=scorers, task="|".join("t" * 900))
    annotate(log, copy, aggregate="mean")
    [sample] = read_back(copy).samples
    score = sample.scores["panopt"]
    assert "<script" not in score.explanation.replace("\\<", "")
    assert "\n" not in score.explanation
    assert len(score.explanation) <= 1000
    assert len(json.dumps(score.metadata["panopt"])) <= 1024
    assert escaped("a_b _c_ 5*6 <i>") == r"a_b \_c\_ 5\*6 \<i\>"


@pytest.mark.parametrize(
    "sign", ["\x1b", "\x9b", "\u202e", "\u2066", "\u200b", "\u2028", "\u2029", "\ud800", "\ue000"]
)
def test_names_in_an_explanation_cannot_steer_a_terminal(sign: str) -> None:
    assert escaped(f"judge{sign}gpt é 中") == "judge gpt é 中"


def test_numbers_are_of_this_logs_responses(make_eval: MakeEval, tmp_path: Path) -> None:
    logs = [
        make_eval(
            [{"q": value}] * 4 + [{"q": 1}], name=f"{i}.eval", eval_id=f"run-{i}", task_id=f"t{i}"
        )
        for i, value in enumerate((0, 1))
    ]
    report = analyze(read(*logs, reading=Reading(tier="fast")), Ask(aggregate="mean", n_boot=0))
    means = []
    for i, one in enumerate(report.study.sources):
        copy = tmp_path / f"copy{i}.eval"
        shim.panopt_write(report, one, copy)
        score = read_back(copy, header_only=True).results.scores[-1]
        means.append(score.metrics["mean"].value)
        assert score.scored_samples == 5
    assert means == [pytest.approx(0.2), 1.0]


def test_numbers_are_those_of_the_report(tmp_path: Path) -> None:
    """Also where human labels anchor the judges' bias, and its error is in every mean."""
    examples = Path(__file__).parents[2] / "examples" / "logs"
    study = read(
        *examples.glob("hanna-complexity-*.eval"),
        labels=examples / "labels" / "hanna-complexity.csv",
        reading=Reading(tier="fast"),
    )
    report = analyze(study, Ask(n_boot=0))
    [part] = report.criteria
    assert part.consensus.anchor == "humans"
    for i, one in enumerate(s for s in report.study.sources if s.format == "inspect"):
        copy = tmp_path / f"copy{i}.eval"
        shim.panopt_write(report, one, copy)
        log = read_back(copy)
        metrics = log.results.scores[-1].metrics
        for name in ("mean", "pass_rate"):
            [finding] = part.findings.named(name, subject=log.eval.model)
            assert metrics[name].value == pytest.approx(finding.value, abs=1e-6)
            assert metrics[f"{name}_low"].value == pytest.approx(finding.low, abs=1e-6)
            assert metrics[f"{name}_high"].value == pytest.approx(finding.high, abs=1e-6)
        groups = [metric.group for metric in metrics.values()]
        runs = [group for k, group in enumerate(groups) if not k or groups[k - 1] != group]
        assert len(runs) == len(set(runs))
        assert {"bias", "noise_sd"} < set(runs)
        words = log.samples[0].scores["panopt"].explanation
        assert "Votes (of 1 to 5): replay/Beluga-13B" in words


def test_json_is_taken_apart_and_put_together_byte_for_byte() -> None:
    text = b' { "a" : 1.50 , "b":[1, 2],"c":{"d": "\\u00e9"}, "e": "\xc3\xa9", "f":null} '
    parts = {
        "a": b"1.50",
        "b": b"[1, 2]",
        "c": b'{"d": "\\u00e9"}',
        "e": b'"\xc3\xa9"',
        "f": b"null",
    }
    assert fields(text) == parts
    with_nan = text.replace(b"null", b"NaN")
    assert fields(with_nan) == parts | {"f": b"NaN"}
    assert fields(join_fields(parts)) == parts
    assert fields(b"{}") == {}
    assert list(items(b"[ ]")) == []
    assert list(items(b"[NaN, [1 ,2] ]")) == [b"NaN", b"[1 ,2]"]
    assert bytes(join_items([b"1", b"[2]"])) == b"[1,[2]]"
    assert bytes(join_items([])) == b"[]"
    with pytest.raises(ValueError, match="not a JSON object"):
        fields(b"[NaN]")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.dictionaries(st.text(), JSON, max_size=5),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)
def test_any_json_is_the_same_after_being_taken_apart(
    value: dict[str, Any],
    indent: int | str | None,
    ascii_only: bool,  # noqa: FBT001 - hypothesis gives it by place
) -> None:
    try:
        text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    except UnicodeEncodeError:  # half a surrogate pair is written as an escape only
        text = json.dumps(value, indent=indent).encode()
    parts = fields(text)
    assert same(json.loads(join_fields(parts)), value)
    assert all(part in text for part in parts.values())
    listed = json.dumps(list(value.values()), indent=indent).encode()
    assert same(json.loads(join_items(items(listed))), list(value.values()))


@pytest.mark.parametrize("limit", [None, 1000])
def test_archives_of_any_size_are_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int | None
) -> None:
    if limit is not None:  # as if 1000 bytes were 4 GiB
        monkeypatch.setattr(zipwriter, "_FROM", limit)
    rng = random.Random(0)  # noqa: S311 - not secrets
    members = {f"é/{i}.json": rng.randbytes(rng.choice((10, 1000, 3000))) for i in range(50)}
    path = tmp_path / "out.zip"
    with path.open("wb") as file:
        out = zipwriter.ZipWriter(file)
        for name, content in members.items():
            info = zipfile.ZipInfo(name, date_time=(2026, 1, 2, 3, 4, 6))
            info.flag_bits = 0x800
            info.compress_type = zipfile.ZIP_STORED
            info.external_attr = 0o600 << 16
            out.add(info, content, size=len(content), crc=zlib.crc32(content))
        out.close()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == members
        assert archive.infolist()[0].date_time == (2026, 1, 2, 3, 4, 6)
    with Archive(path) as own:
        assert all(own.read(entry) == members[name] for name, entry in own.members.items())


def test_more_members_than_16_bits_count(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with path.open("wb") as file:
        out = zipwriter.ZipWriter(file)
        for i in range(70_000):
            out.add(zipfile.ZipInfo(str(i)), b"", size=0, crc=0)
        out.close()
    with zipfile.ZipFile(path) as archive:
        assert len(archive.infolist()) == 70_000


def test_the_annotated_copy_reads_as_the_same_study(inspect_logs: Path, copy: Path) -> None:
    report = annotate(inspect_logs / "panel_mode.eval", copy)
    again = read(copy, reading=Reading(tier="fast"))
    assert again.digest == report.study.digest
    assert np.array_equal(again.numbers("score"), report.study.numbers("score"), equal_nan=True)
