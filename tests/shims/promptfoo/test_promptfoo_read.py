"""Every generation is read whole, every verdict once, and nothing of a secret gets out."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from panopt.errors import SourceError
from panopt.reading import read
from panopt.records.ask import Reading
from panopt.records.source import SourceFile
from panopt.records.study import Study
from panopt.shims.promptfoo import panopt_read

ReadResults = Callable[..., Study]
MakeResults = Callable[..., Path]

#: Judgments of each kind by hand, from the assertions of the configurations.
MADE = {
    "after_each_minimal.json": {"program": 4},
    "cache_fresh_repeat3.json": {"llm": 12},
    "cache_replayed_repeat3.json": {"llm": 12},
    "filter_base.json": {"program": 4},
    "filter_range_2_4.json": {"program": 2},
    "filter_zero_tests.json": {},
    # 68 rows x (3 judges, a set of 2 judges and a check, 2 judges in Python, a check),
    # and on 6 rows select-best and max-score
    "full_multi.json.gz": {"llm": 68 * 7 + 6, "program": 68 * 2 + 6},
    "full_multi.jsonl.gz": {"llm": 68 * 7 + 6, "program": 68 * 2 + 6},
    "full_multi.yaml.gz": {"llm": 68 * 7 + 6, "program": 68 * 2 + 6},
    "hooks_scoring_v0121.json": {"llm": 24},
    "hooks_scoring_v0123.json": {"llm": 24},
    "hooks_scoring_v0123.jsonl": {"llm": 24},
    "human_rating_export.json": {"llm": 24, "program": 8, "human": 1},
    "import_minimal.json": {"llm": 1},
    "import_minimal_export.json": {"llm": 1},
    "import_roundtrip_export.json": {"llm": 24, "program": 8},
    "judge_ratelimit_rows_lost.jsonl.gz": {"llm": 26 * 7, "program": 26 * 2},
    "judges_by_label_circular_errors.json.gz": {"llm": 27},
    "jury_provider.json.gz": {"llm": 9 * 2 * 5},
    "openai_judge_shapes.json": {"llm": 40},
    "panel5_base.json.gz": {"llm": 2400},
    "panel5_base.jsonl.gz": {"llm": 2400},
    "panel5_cand.json.gz": {"llm": 2400},
    "python_assertion_return_forms.json": {"llm": 2, "program": 38},
    "scoring_function_error.json": {"program": 4},
    "scoring_replaces_components.json": {"program": 2},
    "select_best_order.json": {"llm": 6},
}
#: Rows and judgments of what others left behind.
WILD = {
    "examples_french-greeting-test_output__0.120.16_trimmed.json": (1, 5),
    "examples_js-config_output.json": (8, 0),
    "examples_multishot_output.json": (8, 0),
    "examples_node-package-typescript_output__2024-06-04_de6586223.json": (16, 8),
    "examples_node-package-typescript_output__2024-06-05_2ac593c9c.json": (16, 8),
    "examples_replicate-llama2_output__2023-07-19_6a3af6b1f.json": (10, 0),
    "examples_simple-cli_output.json": (8, 0),
    "examples_simple-cli_output.yaml": (8, 0),
    "examples_simple-cli_output__2023-04-29_77124885d.json": (4, 0),
    "examples_simple-cli_output__2023-05-01_7407f1063.json": (4, 0),
    "examples_simple-cli_output__2023-05-02_c636ca8cc.json": (4, 0),
    "examples_simple-cli_output__2023-05-02_ce70d9057.json": (4, 0),
    "examples_simple-cli_output__2023-05-03_c6a3a5914.json": (4, 0),
    "examples_simple-cli_output__2024-10-07_8449ea334.json": (8, 0),
    "examples_simple-test_output.json": (4, 0),
    "test___fixtures___sample-export.json": (4, 14),
    "test_server_v3evalToShare__2024-10-07_8449ea334.json": (8, 0),
    "test_server_v4evalToShare__2024-10-07_8449ea334.json": (8, 0),
}
REFUSED = {
    "made/full_multi.csv": r"full_multi\.csv: promptfoo's CSV rounds scores .* export JSON",
    "wild/examples_replicate-llama4-scout_output.csv": r"CSV rounds scores",
    "wild/examples_simple-cli_output.csv": r"CSV rounds scores",
    "wild/examples_simple-test_output.csv": r"CSV rounds scores",
    "wild/examples_node-package_output.json": r"saved without its results; .* export eval eval-IF3",
    "wild/examples_node-package-typescript_output.json": r"saved without its results",
}
NOT_OURS = (
    "made/full_multi.junit.xml",
    "made/python_assertion_context_v0123.json",
    "made/scoring_function_context_v0123.json",
    "wild/LICENSE.promptfoo",
    "wild/README.md",
)
SECRETS = ("sk-SECRET", "sk-fake", "hunter2", "apiKey")


@pytest.fixture(scope="session")
def results(shared: Path) -> Path:
    """The shared folder of promptfoo results."""
    return shared / "data" / "logs" / "promptfoo"


def load(path: Path) -> list[dict[str, Any]]:
    """Load the rows of a file with the standard library."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    name = path.name.removesuffix(".gz")
    if name.endswith(".jsonl"):
        return [json.loads(line) for line in text.splitlines()]
    whole = yaml.safe_load(text) if name.endswith(".yaml") else json.loads(text)
    while isinstance(whole, dict):
        whole = whole.get("results", whole.get("data"))
    return [row for row in whole or [] if isinstance(row, dict)]


def count_verdicts(components: list[dict[str, Any]]) -> int:
    """Count results that hold no other result, passing over those listed a second time."""
    total = at = 0
    while at < len(components):
        component = components[at]
        at += 1
        inner = component.get("componentResults") or []
        if inner:
            total += count_verdicts(inner)
            again = components[at : at + len(inner)]
            same = [(c["score"], c["reason"]) for c in again]
            at += len(inner) * (same == [(c["score"], c["reason"]) for c in inner])
        else:
            verdicts = ((component.get("metadata") or {}).get("panel") or {}).get("verdicts") or []
            total += len(verdicts) or 1
    return total


def expected_count(rows: list[dict[str, Any]]) -> int:
    """Count the verdicts of all rows."""
    total = 0
    for row in rows:
        grading = row.get("gradingResult") or {}
        components = grading.get("componentResults")
        total += count_verdicts(components) if components else bool(grading.get("assertion"))
    return total


def test_every_shared_file_is_in_one_of_the_lists(results: Path) -> None:
    known = {f"made/{name}" for name in MADE} | {f"wild/{name}" for name in WILD}
    found = {f"{path.parent.name}/{path.name}" for path in results.glob("*/*")}
    assert found == known | set(REFUSED) | set(NOT_OURS)


@pytest.mark.parametrize("name", MADE)
def test_every_verdict_of_made_results_is_read_once(
    results: Path, read_results: ReadResults, name: str
) -> None:
    study = read_results(results / "made" / name)
    assert dict(Counter(study.table["judge_kind"].to_pylist())) == MADE[name]
    assert len(study) == expected_count(load(results / "made" / name))


@pytest.mark.parametrize("name", WILD)
def test_every_generation_in_the_wild_is_read(
    results: Path, read_results: ReadResults, name: str
) -> None:
    rows, judgments = WILD[name]
    path = results / "wild" / name
    study = read_results(path)
    counts = study.sources[0].counts
    parts = (counts.scored, counts.unscored, counts.declined, counts.errored, counts.invalidated)
    assert len(study) == judgments == expected_count(load(path))
    assert sum(parts) == rows
    assert bool(study.sources[0].warnings) or judgments


@pytest.mark.parametrize("name", REFUSED)
def test_results_that_cannot_hold_judges_are_refused(results: Path, name: str) -> None:
    with pytest.raises(SourceError, match=REFUSED[name]) as caught:
        panopt_read(SourceFile(str(results / name)), Reading(), lambda _: None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NOT_OURS)
def test_other_files_are_left_to_other_shims(results: Path, name: str) -> None:
    assert panopt_read(SourceFile(str(results / name)), Reading(), lambda _: None) is None


@pytest.mark.parametrize("name", [name for name in (*MADE, *WILD) if "yaml" not in name])
def test_streaming_and_parsing_at_once_give_the_same_study(
    results: Path, read_results: ReadResults, name: str
) -> None:
    path = results / ("made" if name in MADE else "wild") / name
    whole, streamed = read_results(path), read_results(path, low_memory=True)
    assert whole.table.equals(streamed.table)
    assert whole.sources == streamed.sources


def without(study: Study, *columns: str) -> list[dict[str, Any]]:
    """List the rows of a study in an order of their own, less some columns."""
    rows = study.table.drop_columns([*columns, "source", "sample_id"]).to_pylist()
    return sorted(rows, key=repr)


def test_json_jsonl_and_yaml_of_one_run_say_the_same(
    results: Path, read_results: ReadResults
) -> None:
    base = results / "made"
    as_json = read_results(base / "full_multi.json.gz")
    for other in ("full_multi.jsonl.gz", "full_multi.yaml.gz"):
        assert without(read_results(base / other), "run") == without(as_json, "run")


def test_a_run_without_an_id_is_named_by_its_rows_in_any_order(
    results: Path, read_results: ReadResults, tmp_path: Path
) -> None:
    source = results / "made" / "hooks_scoring_v0123.jsonl"
    shuffled = tmp_path / "shuffled.jsonl"
    shuffled.write_text("\n".join(reversed(source.read_text().splitlines())))
    fewer = tmp_path / "fewer.jsonl"
    fewer.write_text("\n".join(source.read_text().splitlines()[1:]))
    runs = [read_results(path).sources[0].runs for path in (source, shuffled, fewer)]
    assert runs[0] == runs[1] != runs[2]


def test_rows_without_ids_name_their_run_too(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    def row(item: str, score: float) -> dict[str, Any]:
        part = {"assertion": {"type": "llm-rubric"}, "pass": True, "score": score, "reason": ""}
        fields = {"metadata": {"item_id": item}, "testIdx": 0, "response": {"output": item}}
        return fields | {"components": [part]}

    rows = [row("a", 0.1), row("b", 0.2)]
    contents = [rows, rows[::-1], [row("a", 0.1), row("b", 0.3)], [row("a", 0.1), row("c", 0.2)]]
    runs = [
        read_results(make_results(content, name="results.jsonl")).sources[0].runs[0]
        for content in contents
    ]
    assert runs[0] == runs[1]
    assert len(set(runs)) == 3


def test_majority_of_the_panel_has_the_known_pass_rates(promptfoo_logs: Path) -> None:
    """Votes of five judges, one of them on 1-5: .7625 on target-x, where the truth is .7208."""
    study = read(promptfoo_logs / "panel5_base.jsonl.gz")
    assert study.criteria == ("panel",)
    matrix = study.matrix("panel")
    assert [str(scale) for scale in matrix.judge_scales] == [
        "continuous:0:1",
        "binary",
        "binary",
        "binary",
        "ordinal:1:5",
    ]
    scores = matrix.scores()
    votes = np.nansum(scores >= 0.5, axis=1) / np.sum(~np.isnan(scores), axis=1)
    systems = matrix.names["system"]
    rates = {
        name: float(np.mean(votes[matrix.systems == code] > 0.5))
        for code, name in enumerate(systems)
    }
    assert rates == {
        "target-x": pytest.approx(0.7625),
        "target-y": pytest.approx(0.73333, abs=1e-4),
    }


def test_pass_flags_of_the_judges_are_kept_beside_their_scores(
    promptfoo_logs: Path, read_results: ReadResults
) -> None:
    rows = read_results(promptfoo_logs / "panel5_base.jsonl.gz").table.to_pylist()
    flags: dict[tuple[str, str, int], list[bool]] = {}
    for row in rows:
        if row["status"] == "ok":
            key = (row["system"], row["item"], row["epoch"])
            flags.setdefault(key, []).append(row["label"] == "pass")
    wins = [sum(votes) * 2 > len(votes) for key, votes in flags.items() if key[0] == "target-x"]
    assert len(wins) == 240
    assert sum(wins) / len(wins) == pytest.approx(0.7625)


def test_repeats_are_recovered_and_items_do_not_depend_on_testidx(
    results: Path, read_results: ReadResults
) -> None:
    panel = read_results(results / "made" / "panel5_base.json.gz").table.to_pylist()
    answers = {(row["system"], row["item"], row["epoch"]) for row in panel}
    assert len(answers) == 480
    assert {epoch for _, _, epoch in answers} == {1, 2, 3}
    base = read_results(results / "made" / "filter_base.json").table["item"].to_pylist()
    part = read_results(results / "made" / "filter_range_2_4.json").table["item"].to_pylist()
    assert base == ["i0", "i1", "i2", "i3"]
    assert part == ["i2", "i3"]


@pytest.mark.parametrize("name", [name for name in MADE if "context" not in name])
def test_no_secret_of_a_provider_gets_out(
    results: Path, read_results: ReadResults, name: str
) -> None:
    study = read_results(results / "made" / name)
    told = repr(study.table.to_pylist()) + repr(study.sources)
    assert not [secret for secret in SECRETS if secret in told]


def test_a_secret_in_clear_is_told_of_but_not_shown(
    results: Path, read_results: ReadResults
) -> None:
    notes = read_results(results / "made" / "openai_judge_shapes.json").sources[0].notes
    assert any("holds a secret in clear" in note for note in notes)
    quiet = read_results(results / "made" / "panel5_base.json.gz").sources[0].notes
    assert not any("secret" in note for note in quiet)


def test_provider_config_is_never_decoded(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    """A key in clear ends neither in a judge's name nor in a hash, and tells judges apart."""
    judge = {"id": "file://judge.py", "config": {"apiKey": "sk-live-1", "name": "a"}}
    other = {"id": "file://judge.py", "config": {"apiKey": "sk-live-2", "name": "b"}}
    row = [
        {"assertion": {"type": "llm-rubric", "metric": "a", "value": "r", "provider": judge}},
        {"assertion": {"type": "llm-rubric", "metric": "b", "value": "r", "provider": other}},
    ]
    for component in row:
        component |= {"pass": True, "score": 1, "reason": "fine"}  # type: ignore[dict-item]
    study = read_results(make_results([row]))
    assert study.table["judge"].to_pylist() == ["file://judge.py (a)", "file://judge.py (b)"]
    assert "sk-live" not in repr(study)
    assert "sk-live" not in repr(study.table.to_pylist())


BROKEN: dict[str, tuple[str, bytes, str]] = {
    "truncated": ("a.json", b'{"evalId": "e", "results": {"version": 3, "results": [', "parsed"),
    "version": (
        "a.json",
        b'{"evalId": "e", "results": {"version": 9, "results": []}}',
        "results of version 9, which is not known; versions 1 to 4 are read",
    ),
    "no rows": ("a.json", b'{"evalId": "e", "config": {}}', "no results stand in it"),
    "a row that is none": (
        "a.json",
        b'{"evalId": "e", "results": {"version": 3, "results": [7]}}',
        "result 1: is no row of promptfoo results",
    ),
    "a broken line": (
        "a.jsonl",
        b'{"testIdx": 0, "promptIdx": 0}\n{"testIdx": \n{"testIdx": 2, "promptIdx": 0}\n',
        "line 2: is no row of promptfoo results",
    ),
    "yaml": ("a.yaml", b"evalId: e\nresults: {version: 3\n", "cannot be parsed"),
    "gzip": (
        "a.json.gz",
        gzip.compress(b'{"evalId": "e", "results": {}}' * 99)[:-20],
        "read|opened",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_results_are_refused_in_one_line(tmp_path: Path, case: str) -> None:
    name, content, message = BROKEN[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        panopt_read(SourceFile(str(path)), Reading(), lambda _: None)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_last_line_that_is_cut_off_is_left_out_and_told(
    results: Path, read_results: ReadResults, tmp_path: Path
) -> None:
    content = (results / "made" / "hooks_scoring_v0123.jsonl").read_bytes()
    path = tmp_path / "killed.jsonl"
    path.write_bytes(content[:-500])
    study = read_results(path)
    assert len(study) == 21
    assert any("last line is cut off" in text for text in study.sources[0].warnings)


@pytest.mark.parametrize("size", [1 << 12, 1 << 18])
@pytest.mark.parametrize("indent", [None, 2, 3])
def test_rows_are_cut_out_of_any_layout(
    monkeypatch: pytest.MonkeyPatch,
    read_results: ReadResults,
    make_results: MakeResults,
    indent: int | None,
    size: int,
) -> None:
    """Braces and line breaks inside texts, empty rows of JSON and small chunks do not matter."""
    monkeypatch.setattr("panopt.shims.promptfoo.stream.CHUNK", size)
    hostile = '}\n      }\n      {"a": ["]}", é日本🎉 \\" \\\\'
    rows = [
        {
            "vars": {"q": hostile * (i % 3), "n": i},
            "components": [
                {
                    "assertion": {"type": "contains", "value": "x"},
                    "pass": True,
                    "score": i / 50,
                    "reason": hostile * (i % 7),
                }
            ],
        }
        for i in range(50)
    ]
    path = make_results(rows, indent=indent)
    whole, streamed = read_results(path), read_results(path, low_memory=True)
    assert whole.table["score"].to_pylist() == [i / 50 for i in range(50)]
    assert whole.table["rationale"].to_pylist() == [hostile * (i % 7) or None for i in range(50)]
    assert whole.table.equals(streamed.table)


def test_progress_ends_at_one(results: Path) -> None:
    told: list[float] = []
    panopt_read(SourceFile(str(results / "made" / "panel5_base.json.gz")), Reading(), told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_rationales_can_be_left_out(promptfoo_logs: Path, read_results: ReadResults) -> None:
    path = promptfoo_logs / "panel3.json"
    assert read_results(path).table["rationale"].null_count == 0
    bare = read_results(path, rationales=False)
    assert bare.table["rationale"].null_count == len(bare)


def test_json_and_jsonl_of_one_run_count_once(results: Path) -> None:
    """promptfoo is often told to write both, into one folder."""
    names = ("hooks_scoring_v0123.json", "hooks_scoring_v0123.jsonl")
    paths = [results / "made" / name for name in names]
    both = read(*paths)
    assert len(both) == len(read(paths[0])) == 24
    assert set(both.table["source"].to_pylist()) == {str(paths[0])}
    assert any("they count once" in note for source in both.sources for note in source.notes)


def test_responses_come_with_their_length_and_runs_with_their_date(
    shared: Path, read_results: ReadResults
) -> None:
    path = shared / "data/logs/promptfoo/made/panel5_base.json.gz"
    study = read_results(path)
    told = json.loads(gzip.decompress(path.read_bytes()))["results"]["results"]
    lengths = dict(enumerate(len(row["response"]["output"]) for row in told))
    found = study.table.select(["sample_id", "response_length"]).to_pylist()
    assert {int(row["sample_id"]): row["response_length"] for row in found} == lengths
    begun = study.sources[0].begun
    assert begun is not None
    assert begun[:10] in study.sources[0].runs[0]
