from __future__ import annotations

import gzip
import json
import math
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
from inspect_ai.log import read_eval_log, write_eval_log

from panopt.errors import SourceError
from panopt.reading import read as panopt_read
from panopt.records.ask import Reading, checked
from panopt.records.source import Counts, SourceFile
from panopt.records.study import Study
from panopt.shims import inspect as shim
from panopt.shims.inspect import api, fast, schema
from panopt.shims.inspect import read as reader
from panopt.shims.inspect.sniff import sniff, top_keys

MakeEval = Callable[..., Path]
LOGS = sorted((Path(__file__).parents[1] / "logs" / "inspect").glob("*.eval"))
LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5}


def read(place: Path | str, tier: str = "fast", **options: object) -> Study:
    study = reader.read_log(
        SourceFile(str(place)), checked(Reading, tier=tier, **options), lambda _: None
    )
    assert study is not None
    return study


def rows(study: Study) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = study.table.to_pylist()
    return found


def expected(log: Path) -> dict[str, Any]:
    text = log.with_name(f"{log.stem}.expected.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def number(value: str | float | None) -> float | None:
    return LETTERS[value] if isinstance(value, str) else value


# What is written here that the tables of expected votes do not have: the human's grade that is
# missing is no row, and the edited score is a label beside the judge's own.
@pytest.mark.parametrize(
    "log", [log for log in LOGS if log.stem != "value_types"], ids=lambda p: p.stem
)
def test_every_vote_of_every_panel_style_is_recovered(log: Path) -> None:
    known = expected(log)
    study = read(log, human=("human",) if log.stem == "human_scorer" else ())
    invalidated = set(known.get("invalidated", ()))
    wanted = Counter(
        (str(v["id"]), v["epoch"], v["scorer"], v["judge"], number(v["value"]))
        for v in known["votes"]
        if v["id"] not in invalidated and not (v["judge"] == "human" and v["value"] is None)
    )
    if log.stem == "invalidated":  # q04: a reader made a C of judge-b's I
        key = ("q04", 1, "model_graded_qa1")
        del wanted[*key, "replay/judge-b", 1.0]
        wanted[*key, "replay/judge-b", 0.0] += 1
        wanted[*key, "reader", 1.0] += 1
    found = Counter(
        (r["item"], r["epoch"], r["score_name"], r["judge"], r["score"]) for r in rows(study)
    )
    assert found == wanted
    criteria = {v["criterion"] for v in known["votes"]} - {None}
    assert len(study.criteria) == max(1, len(criteria))
    assert criteria <= set(study.criteria)


@pytest.mark.parametrize("log", LOGS, ids=lambda p: p.stem)
def test_both_tiers_give_the_same_rows(log: Path) -> None:
    fast, api = read(log, "fast"), read(log, "api")
    assert fast.table.equals(api.table)
    assert fast.digest == api.digest
    assert fast.sources[0].counts == api.sources[0].counts


def test_a_json_log_reads_as_the_eval_log_does(inspect_logs: Path) -> None:
    log = inspect_logs / "panel_majority.json"
    direct, api = read(log, "fast"), read(log, "api")
    assert direct.table.equals(api.table)
    zipped = read(inspect_logs / "panel_majority.eval")
    for column in ("item", "judge", "score", "status", "criterion"):
        assert direct.table[column].to_pylist() == zipped.table[column].to_pylist()


def test_a_gzipped_json_log_is_read(inspect_logs: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.json.gz"
    log.write_bytes(gzip.compress((inspect_logs / "panel_majority.json").read_bytes()))
    assert len(read(log, "auto")) == 30


def test_auto_checks_the_fast_reader_and_says_nothing_where_it_agrees(inspect_logs: Path) -> None:
    source = read(inspect_logs / "panel_majority.eval", "auto").sources[0]
    assert source.notes == ()
    assert source.warnings == ()


def test_a_fast_reader_that_differs_is_left_for_inspect(
    inspect_logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(data: bytes, kind: type[schema.Sample]) -> schema.Sample:
        sample = schema.decode(data, kind)
        for verdict in (sample.scores or {}).values():
            verdict.value = "I"
        return sample

    monkeypatch.setattr(fast, "decode", wrong)
    log = inspect_logs / "scorers_list.eval"
    study = read(log, "auto")
    assert study.table.equals(read(log, "api").table)
    assert "differs in scores" in study.sources[0].warnings[0]


def test_where_inspect_fails_the_fast_reader_stands_with_a_warning(
    inspect_logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[schema.EventfulSample]:
        raise ValueError("from the future")

    monkeypatch.setattr(api, "read_samples", fail)
    monkeypatch.setattr(fast, "confirmed", lambda *_: False)
    study = read(inspect_logs / "scorers_list.eval", "auto")
    assert len(study) == 30
    assert (
        "could not be checked, since Inspect fails on the log: from the future"
        in (study.sources[0].warnings[0])
    )


def test_a_log_that_inspect_cannot_read_is_read_without_it(
    make_eval: MakeEval, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(location: str, *_: str) -> None:
        raise SourceError("Inspect cannot read this log", source=location)

    monkeypatch.setattr(reader, "ApiLog", fail)
    study = read(make_eval([{"q": 1}], header={"version": 3}), "auto")
    assert len(study) == 1
    assert "read without Inspect" in study.sources[0].notes[0]
    assert study.sources[0].sha256 is not None
    assert "log format 3 is newer" in study.sources[0].warnings[0]


def test_without_inspect_local_logs_are_read_all_the_same(
    inspect_logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_inspect = read(inspect_logs / "panel_mode.eval", "api")
    monkeypatch.setattr(reader, "is_installed", lambda: False)
    study = read(inspect_logs / "panel_mode.eval", "auto")
    assert study.table.equals(with_inspect.table)
    assert "Inspect is not installed" in study.sources[0].notes[0]
    assert len(read(inspect_logs / "panel_majority.json", "auto")) == 30
    assert len(read(inspect_logs / "in_progress.eval", "auto")) == 30
    with pytest.raises(SourceError, match=r"API tier needs Inspect; pip install"):
        read(inspect_logs / "panel_mode.eval", "api")


@pytest.mark.parametrize("installed", [True, False])
def test_remote_logs_are_read_through_fsspec(
    inspect_logs: Path, monkeypatch: pytest.MonkeyPatch, *, installed: bool
) -> None:
    monkeypatch.setattr(reader, "is_installed", lambda: installed)
    log = inspect_logs / "panel_majority.eval"
    with fsspec.open("memory://logs/remote.eval", "wb") as remote:
        remote.write(log.read_bytes())
    study = read("memory://logs/remote.eval", "auto")
    assert study.table["score"].equals(read(log).table["score"])
    assert study.sources[0].sha256 is None
    with pytest.raises(SourceError, match=r"memory://logs/absent.eval"):
        read("memory://logs/absent.eval", "auto")


def test_every_real_log_reads_alike_in_both_tiers(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "logs" / "inspect"
    old = tmp_path / "log_with_nan.json"  # format 1
    shutil.copy(folder / "formats" / "log_with_nan.txt", old)
    logs = [*folder.rglob("*.eval"), *folder.rglob("*.json"), old]
    assert len(logs) > 25
    for log in logs:
        fast, api = read(log, "fast"), read(log, "api")
        assert fast.table.equals(api.table), log
        assert fast.sources[0].counts == api.sources[0].counts, log
        assert read(log, "auto").table.equals(api.table), log


def test_real_logs_have_the_accuracies_inspect_reported(shared: Path) -> None:
    folder = shared / "data" / "logs" / "inspect"
    for log in folder.rglob("*.eval"):
        with zipfile.ZipFile(log) as archive:
            names = archive.namelist()
            zstd = archive.getinfo(names[0]).compress_type == 93
            header = None if zstd else json.loads(archive.read("header.json"))
        if header is None or not header["results"]["scores"]:
            continue
        found = [r["score"] for r in rows(read(log)) if r["status"] == "ok"]
        metric = header["results"]["scores"][0]["metrics"].get("accuracy")
        if metric is not None and found:
            assert math.fsum(found) / len(found) == pytest.approx(metric["value"])


def test_a_model_that_grades_itself_is_named_as_judge(shared: Path) -> None:
    [log] = (shared / "data" / "logs" / "inspect" / "theory_of_mind").glob("*.eval")
    study = read(log)
    assert study.criteria == ("model_graded_fact",)
    assert set(study.table["judge"].to_pylist()) == {"openai/gpt-4o-mini"}
    assert set(study.table["judge_kind"].to_pylist()) == {"llm"}
    assert "grades itself" in " ".join(study.sources[0].notes)
    assert all(r["rationale"] for r in rows(study))


def test_programs_are_told_from_judges(shared: Path) -> None:
    log = next((shared / "data" / "logs" / "inspect" / "popularity").glob("*.eval"))
    study = read(log)
    assert study.criteria == ("match",)
    assert set(study.table["judge_kind"].to_pylist()) == {"program"}


@pytest.mark.parametrize("tier", ["fast", "api"])
def test_counts_tell_what_others_overtook(inspect_logs: Path, tmp_path: Path, tier: str) -> None:
    log = read_eval_log(str(inspect_logs / "epochs.eval"))
    assert log.samples is not None
    ids = log.eval.dataset.sample_ids
    assert ids is not None
    there = {ids[place] for place in (0, 2, 5)}
    log.samples = [sample for sample in log.samples if sample.id in there and sample.epoch == 1]
    log.status, log.results = "started", None
    write_eval_log(log, str(tmp_path / "running.eval"))
    counts = read(tmp_path / "running.eval", tier).sources[0].counts
    assert (counts.planned, counts.scored, counts.waiting) == (30, 3, 3)


def test_counts_tell_what_became_of_every_response(inspect_logs: Path, make_eval: MakeEval) -> None:
    def counts(name: str) -> Counts:
        return read(inspect_logs / f"{name}.eval").sources[0].counts

    assert counts("errors") == Counts(planned=10, completed=9, scored=9, errored=1)
    assert counts("failed") == Counts(planned=10, completed=5, scored=5, errored=2)
    assert counts("invalidated") == Counts(planned=10, completed=10, scored=8, invalidated=2)
    assert counts("epochs") == Counts(planned=30, completed=30, scored=30)
    refusal = {"value": math.nan, "reason": "refusal"}
    failure = {"value": math.nan, "reason": "grader_failed"}
    log = make_eval([{"q": 1}, {"q": refusal}, {"q": failure}, {}, {"q": "N"}], name="mixed.eval")
    found = read(log).sources[0].counts
    assert found == Counts(planned=5, completed=5, scored=1, unscored=2, declined=2)


def test_runs_that_did_not_end_well_are_warned_of(inspect_logs: Path) -> None:
    assert (
        "status 'error': 7 of 10 planned"
        in read(inspect_logs / "failed.eval").sources[0].warnings[0]
    )
    growing = read(inspect_logs / "in_progress.eval").sources[0]
    assert "has not ended" in growing.warnings[0]
    assert growing.sha256 is None
    assert "2 responses were tried again" in read(inspect_logs / "errors.eval").sources[0].notes[-1]


def test_scores_given_to_failed_samples_afterwards_are_left_out(make_eval: MakeEval) -> None:
    error = {"error": {"message": "boom", "traceback": "", "traceback_ansi": ""}}
    log = make_eval([{"q": 1}, {"q": 0}], samples=[{}, error])
    study = read(log)
    assert [r["item"] for r in rows(study)] == ["1"]
    assert "failed but were scored afterwards" in study.sources[0].warnings[0]
    kept = make_eval(
        [{"q": 1}, {"q": 0}],
        samples=[{}, error],
        name="kept.eval",
        config={"score_on_error": True},
    )
    assert len(read(kept)) == 2


def test_usage_prompts_families_and_answers_come_along(inspect_logs: Path) -> None:
    found = rows(read(inspect_logs / "scorers_list.eval"))
    assert {r["family"] for r in found} == {"odd", "even"}
    assert {(r["input_tokens"], r["output_tokens"]) for r in found} == {(148, 9), (148, 5)}
    assert len({r["prompt_hash"] for r in found}) == 1
    assert None not in {r["prompt_hash"] for r in found}
    assert len({r["response_hash"] for r in found}) == 10
    with zipfile.ZipFile(inspect_logs / "scorers_list.eval") as log:
        sample = json.loads(log.read("samples/q01_epoch_1.json"))
    said = sample["output"]["choices"][0]["message"]["content"]
    assert {r["response_length"] for r in found if r["item"] == "q01"} == {len(said)}
    assert {r["system"] for r in found} == {"replay/system-x"}
    q01 = [r for r in found if r["item"] == "q01"]
    assert q01[1]["rationale"] == "judge-b compared the answer with the criterion.\n\nGRADE: C"
    without = read(inspect_logs / "scorers_list.eval", rationales=False)
    assert set(without.table["rationale"].to_pylist()) == {None}


def test_votes_from_the_transcript_bring_each_judges_words_tokens_and_time(
    inspect_logs: Path,
) -> None:
    found = rows(read(inspect_logs / "panel_mode.eval"))
    for row in found:
        assert row["rationale"].startswith((row["judge"].removeprefix("replay/"), "I would rather"))
        assert row["latency"] > 0
        assert row["input_tokens"] == 148
    failed = [r for r in found if r["status"] == "failed"]
    assert {(r["item"], r["judge"][-1]) for r in failed} == {
        ("q06", "c"),
        ("q09", "a"),
        ("q09", "b"),
    }
    assert all("no grade in the reply" in r["error"] for r in failed)


def test_the_other_judges_words_are_not_given_to_judge_0(inspect_logs: Path) -> None:
    found = rows(read(inspect_logs / "panel_majority.eval"))
    assert all(r["rationale"] for r in found if r["judge"].endswith("a"))
    q06 = {r["judge"][-1]: r for r in found if r["item"] == "q06"}
    assert q06["b"]["rationale"] is None
    assert q06["c"]["status"] == "failed"
    assert q06["c"]["error"].startswith("grader_failed: Grade not found")


def test_annotations_of_our_own_are_not_read(make_eval: MakeEval) -> None:
    log = make_eval([{"q": 1, "panopt": 0.5, "panopt_q": 0.5}])
    assert [r["score_name"] for r in rows(read(log))] == ["q"]


def test_what_is_no_inspect_log_is_left_to_others(tmp_path: Path) -> None:
    for name, text in {
        "a.json": '{"evalId": "eval-x", "results": {}, "config": {}}',
        "b.json": "[]",
        "c.json": '{"eval": {}}',
        "d.json": "",
        "e.csv": "item,judge,score",
    }.items():
        (tmp_path / name).write_text(text)
        assert sniff(SourceFile(str(tmp_path / name))) is None
        assert shim.panopt_read(SourceFile(str(tmp_path / name)), Reading(), lambda _: None) is None
    assert top_keys(b'{"a": {"b": [1, "x"]}, "eval": {"task": "cut sho') == ("a", "eval")
    assert tuple(shim.panopt_suffixes()) == (".eval", ".json")


def test_broken_logs_are_refused_in_one_line(
    inspect_logs: Path, tmp_path: Path, make_eval: MakeEval
) -> None:
    whole = (inspect_logs / "panel_majority.eval").read_bytes()
    log = tmp_path / "cut.eval"
    log.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        SourceError, match=r"cut\.eval: not a whole zip archive .*copy the file again"
    ):
        read(log, "auto")
    log.write_bytes(b"")
    with pytest.raises(SourceError, match=r"cut\.eval: the file is empty"):
        read(log, "auto")
    damaged = bytearray(whole)
    at = whole.index(b"samples/q03_epoch_1.json") + 200
    damaged[at : at + 4] = b"\0\0\0\0"
    log.write_bytes(damaged)
    with pytest.raises(
        SourceError, match=r"cut\.eval: samples/q03_epoch_1\.json: the member is damaged"
    ):
        read(log, "auto")
    with zipfile.ZipFile(log, "w") as archive:
        archive.writestr("other.txt", "x")
    with pytest.raises(SourceError, match=r"neither header\.json nor _journal/start\.json"):
        read(log, "auto")
    broken = tmp_path / "broken.json"
    broken.write_text('{"version": 2, "status": "success", "eval": {"task": "t"}, "samples": [{')
    with pytest.raises(SourceError, match=r"broken\.json: the JSON is broken"):
        read(broken, "auto")
    strange = make_eval([{"q": 1}], samples=[{"epoch": "one"}], name="strange.eval")
    with pytest.raises(
        SourceError, match=r"strange\.eval: samples/1_epoch_one\.json: not a sample"
    ):
        read(strange)


def test_a_log_in_an_unknown_compression_is_left_to_inspect(
    make_eval: MakeEval, tmp_path: Path
) -> None:
    log = make_eval([{"q": 1}, {"q": 0}])
    squeezed = tmp_path / "bz2.eval"
    with zipfile.ZipFile(log) as old, zipfile.ZipFile(squeezed, "w", zipfile.ZIP_BZIP2) as new:
        for name in old.namelist():
            kind = zipfile.ZIP_BZIP2 if name.startswith("samples/") else zipfile.ZIP_DEFLATED
            new.writestr(name, old.read(name), kind)
    with pytest.raises(
        SourceError, match=r"compressed by method 12, which this reader does not know"
    ):
        read(squeezed)


def test_a_newer_format_is_read_with_a_warning(inspect_logs: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer.json"
    data = json.loads((inspect_logs / "panel_majority.json").read_text())
    newer.write_text(json.dumps(data | {"version": 3}))
    study = read(newer, "auto")
    assert len(study) == 30
    assert "log format 3 is newer" in " ".join(study.sources[0].warnings)


def test_a_log_without_samples_is_an_empty_study(make_eval: MakeEval) -> None:
    study = read(make_eval([], header={"status": "cancelled", "results": None}))
    assert len(study) == 0
    assert "status 'cancelled'" in study.sources[0].warnings[0]


def test_progress_goes_from_nothing_to_all(inspect_logs: Path) -> None:
    told: list[float] = []
    reader.read_log(
        SourceFile(str(inspect_logs / "epochs.eval")), Reading(tier="fast"), told.append
    )
    assert told == sorted(told)
    assert told[0] == 0
    assert told[-1] == 1


def test_an_attempt_is_dated_in_utc_and_only_where_the_log_dates_it(make_eval: MakeEval) -> None:
    dated = read(make_eval([{"q": 1}], created="2026-01-02T03:04:05+02:00")).sources[0]
    assert dated.attempt == ("task-1", "2026-01-02T01:04:05+00:00")
    assert read(make_eval([{"q": 1}], created="once")).sources[0].attempt is None
    assert dated.begun == "2026-01-02T01:04:05+00:00"
    assert read(make_eval([{"q": 1}], created="once")).sources[0].begun is None
    assert read(make_eval([{"q": 1}], task_id="")).sources[0].attempt is None


def test_a_retried_log_and_its_retry_count_each_response_once(
    make_eval: MakeEval, tmp_path: Path
) -> None:
    later = {"created": "2026-01-02T05:00:00+00:00", "eval_id": "eval-2"}
    make_eval([{"q": 1}, {"q": 0}, {"q": 1}], name="a.eval", **later)
    make_eval([{"q": 1}, {"q": 0}], name="b.eval", eval_id="eval-1")
    study = panopt_read(tmp_path, reading=checked(Reading, tier="fast"))
    assert len(study) == 3
    assert study.table["run"].to_pylist() == ["eval-2"] * 3
    [note] = [note for note in study.sources[0].notes if "several attempts" in note]
    assert note.startswith("2 responses stand")
