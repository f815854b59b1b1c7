"""What promptfoo wrote over the years, and what others made of it, is read for what it is worth."""

from __future__ import annotations

import copy
import gzip
import json
import math
import random
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from panopt.errors import SourceError
from panopt.records.study import Study
from panopt.shims.promptfoo.live.votes import row_votes
from panopt.shims.promptfoo.recognise import key_paths

ReadResults = Callable[..., Study]
MakeResults = Callable[..., Path]


def judged(score: object, **fields: object) -> dict[str, Any]:
    """Give the component of one judge."""
    assertion: dict[str, Any] = {"type": "llm-rubric", "value": "good", "provider": "openai:judge"}
    return {"assertion": assertion, "pass": True, "score": score, "reason": "r"} | fields


SCORES: dict[str, tuple[dict[str, Any], float | None, str]] = {
    "a number": (judged(0.25), 0.25, "ok"),
    "off any scale": (judged(85), 85.0, "ok"),
    "true": (judged(score=True), 1.0, "ok"),
    "a number as text": (judged("0.5"), 0.5, "ok"),
    "text": (judged("high"), 1.0, "ok"),
    "null with pass": (judged(None), None, "failed"),
    "null with fail": (judged(None, **{"pass": False}), None, "failed"),
    "null alone": (judged(None, **{"pass": None}), None, "failed"),
    "no number": (judged(math.nan, **{"pass": False}), None, "failed"),
    "missing with pass": ({"assertion": judged(1)["assertion"], "pass": True}, 1.0, "ok"),
    "missing with fail": ({"assertion": judged(1)["assertion"], "pass": False}, 0.0, "ok"),
    "missing": ({"assertion": judged(1)["assertion"]}, None, "failed"),
    "a list": (judged([1], **{"pass": "yes"}), None, "failed"),
    "infinite": (judged("inf", **{"pass": None}), None, "failed"),
    "an honest no": (judged(0, **{"pass": False}), 0.0, "ok"),
    "a flagged error": (judged(0, metadata={"graderError": True}), None, "failed"),
    "an error of older releases": (judged(0, reason="API error: 429 Too Many"), None, "failed"),
    "an error with no flag": (judged(0, reason="No output"), None, "failed"),
    "a judge on API errors": (judged(0, reason="API error: not handled"), 0.0, "ok"),
    "a judge that errs and scores": (judged(0.5, reason="No output"), 0.5, "ok"),
    "an abstention": (judged(0, metadata={"abstained": True}), None, "abstained"),
}


@pytest.mark.parametrize("case", SCORES)
def test_scores_are_numbers_or_have_a_status(
    read_results: ReadResults, make_results: MakeResults, case: str
) -> None:
    component, score, status = SCORES[case]
    row = read_results(make_results([[component]])).table.to_pylist()[0]
    assert (row["score"], row["status"]) == (score, status)
    assert (row["error"] is None) == (status == "ok")


@pytest.mark.parametrize("case", SCORES)
def test_a_running_row_counts_a_score_as_its_file_does(case: str) -> None:
    component, score, status = SCORES[case]
    (live,) = row_votes([component])
    assert (live.vote.value, live.vote.status) == (score, status)


ERRORS: dict[str, tuple[str, str, bool]] = {
    "closedqa yes": ("model-graded-closedqa", "The submission meets the criterion:\nY", False),
    "closedqa no": (
        "model-graded-closedqa",
        "The submission does not meet the criterion:\nN",
        False,
    ),
    "closedqa malformed": ("model-graded-closedqa", "Model grader produced a malformed re", True),
    "closedqa provider": ("model-graded-closedqa", "socket hang up", True),
    "factuality no": ("factuality", "(D) the answers disagree", False),
    "factuality malformed": (
        "factuality",
        "Factuality checker output did not match expected f: ",
        False,
    ),
    "factuality format": (
        "factuality",
        "Factuality checker output did not match expected format: {",
        True,
    ),
    "factuality category": ("not-factuality", "Invalid category value: Z", True),
    "select-best lost": ("select-best", "Output not selected: best", False),
    "select-best invalid": ("select-best", "Invalid select-best verdict: NaN", True),
    "similar no": ("similar", "Similarity 0.12 is less than threshold 0.75", False),
    "similar distance": ("similar:euclidean", "Distance 3.00 is greater than threshold 1", False),
    "similar error": ("similar:cosine", "Embedding not found", True),
    "python": ("python", "Error running Python script: ValueError: x\nStack", True),
    "python result": ("python", "Python code execution failed: Python assertion must return", True),
    "python no": ("python", "Python code returned false", False),
    "javascript": ("javascript", "Custom function threw error: x is not defined", True),
    "webhook": ("webhook", "Webhook error: 503", True),
    "g-eval": ("g-eval", "G-Eval score call to openai:x returned no output", True),
}


@pytest.mark.parametrize("case", ERRORS)
def test_judge_errors_are_told_from_a_no(
    read_results: ReadResults, make_results: MakeResults, case: str
) -> None:
    kind, reason, failed = ERRORS[case]
    component = {"assertion": {"type": kind}, "pass": False, "score": 0, "reason": reason}
    row = read_results(make_results([[component]])).table.to_pylist()[0]
    assert (row["status"] == "failed") is failed
    assert row["error"] == (reason.split("\n")[0].strip() if failed else None)


def test_missing_and_mistyped_parts_of_a_row_do_not_stop_the_reader(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    rows: list[Any] = [
        {"components": [None, judged(1)], "metadata": "none"},
        {"components": [judged(1, metadata="x", tokensUsed=7)], "provider": None, "prompt": None},
        {"components": [judged(1, assertion="llm-rubric")], "promptIdx": "0"},
        {"components": [judged(1)], "testCase": "file://tests.yaml", "vars": None},
        {"components": [judged(1)], "response": "text", "vars": ["a"]},
        {"components": [judged(1, assertion={"type": ["llm-rubric"], "metric": {"a": 1}})]},
        {"gradingResult": "passed"},
        {"gradingResult": {"pass": True, "componentResults": {"0": judged(1)}}},
    ]
    study = read_results(make_results(rows))
    assert len(study) == 6
    assert study.sources[0].counts.unscored == 2


def test_half_surrogate_pairs_do_not_stop_the_reader(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    """A model's answer may be cut inside an emoji; JSON.stringify then writes half of it."""
    half = "cut \ud83d"
    row = {
        "vars": {"q": half},
        "response": {"output": half},
        "prompt": {"label": half},
        "metadata": {"item_id": half},
        "components": [judged(0.5, reason=half, metadata={"judge": half})],
    }
    other = {"vars": {"q": "x" + half}, "components": [judged(0.5)]}
    for name in ("a.json", "a.jsonl"):
        table = read_results(make_results([row, other], name=name)).table
        assert table["rationale"].to_pylist() == ["cut �", "r"]
        assert len(set(table["item"].to_pylist())) == 2


def test_the_row_score_is_never_a_verdict(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    bare = {"gradingResult": {"pass": True, "score": 0.9, "reason": "No assertions"}}
    study = read_results(make_results([bare, [judged(0.4)]]))
    assert study.table["score"].to_pylist() == [0.4]
    assert any("graded by no assertion" in text for text in study.sources[0].warnings)


def test_a_single_assertion_of_older_releases_is_read_from_the_row(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    old = {"gradingResult": judged(0.7)}
    assert read_results(make_results([old])).table["score"].to_pylist() == [0.7]
    null = {"gradingResult": judged(None, **{"pass": False})}
    row = read_results(make_results([null])).table.to_pylist()[0]
    assert (row["score"], row["status"], row["error"]) == (None, "failed", "the score is null")


def test_a_human_rating_that_is_null_is_no_label(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    ratings = [judged(score, assertion={"type": "human"}) for score in (None, 1)]
    table = read_results(make_results([[judged(1), rating] for rating in ratings])).table
    people = [row for row in table.to_pylist() if row["judge_kind"] == "human"]
    assert [row["label"] for row in people] == ["pass"]


def test_errors_of_the_system_are_counted_and_judge_nothing(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    rows = [
        {"failureReason": 2, "response": {"error": "down"}, "gradingResult": None},
        {"failureReason": 2, "response": None, "error": "boom", "gradingResult": None},
        {"failureReason": None, "response": {"error": "down"}, "gradingResult": None},
        [judged(1)],
        [judged(0, metadata={"abstained": True})],
        [judged(0, metadata={"graderError": True})],
    ]
    source = read_results(make_results(rows)).sources[0]
    counts = source.counts
    assert (counts.errored, counts.scored, counts.declined, counts.unscored) == (3, 1, 1, 1)
    assert counts.completed == 3
    assert any("3 of 6 rows are errors" in text for text in source.warnings)


def test_weight_zero_hides_the_pass_flag(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    """promptfoo forces pass to true where an assertion has no weight."""
    assertion = judged(1)["assertion"] | {"weight": 0}
    rows = [[judged(0.1, assertion=assertion)], [judged(0.1)]]
    assert read_results(make_results(rows)).table["label"].to_pylist() == [None, "pass"]


def test_tokens_and_families_are_read(read_results: ReadResults, make_results: MakeResults) -> None:
    row = {
        "metadata": {"stratum": "hard", "cluster": "doc-1"},
        "components": [judged(1, tokensUsed={"prompt": 50, "completion": 10, "total": 60})],
    }
    found = read_results(make_results([row, [judged(1)]])).table.to_pylist()
    keys = ("input_tokens", "output_tokens", "family", "cluster")
    assert [found[0][key] for key in keys] == [50, 10, "hard", "doc-1"]
    assert [found[1][key] for key in keys] == [None] * 4


def test_a_redacted_label_is_refused(read_results: ReadResults, make_results: MakeResults) -> None:
    path = make_results([{"vars": {"token": "[REDACTED]"}, "components": [judged(1)]}])
    with pytest.raises(SourceError, match=r"result 1: vars.token is \[REDACTED\]: promptfoo hides"):
        read_results(path, human=("vars.token",))


JUNK: list[Any] = [None, [], {}, "x", "", 0, -1, 1.5, True, ["a", 1], {"a": [1]}, "\ud83d", [None]]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    """Give the path of everything inside JSON."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for name, content in inner:
        yield (*path, name)
        if isinstance(content, dict | list):
            yield from places(content, (*path, name))


@pytest.mark.parametrize("seed", range(12))
def test_rows_with_anything_anywhere_are_read(
    promptfoo_logs: Path, read_results: ReadResults, tmp_path: Path, seed: int
) -> None:
    """Junk in place of a few values of real rows never raises, and always counts every row."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    with gzip.open(promptfoo_logs / "full_multi.jsonl.gz") as file:
        rows = [json.loads(line) for line in file][seed::12]
    for row in rows:
        for *path, last in draw.sample(list(places(row)), 5):
            inside: Any = row
            try:
                for name in path:
                    inside = inside[name]
                inside[last] = copy.deepcopy(draw.choice(JUNK))
            except (KeyError, IndexError, TypeError):
                continue  # an earlier change took this place away
    path_of = tmp_path / "odd.jsonl"
    path_of.write_text("".join(json.dumps(row) + "\n" for row in rows))
    study = read_results(path_of)
    study.table.validate(full=True)
    counts = study.sources[0].counts
    assert counts.scored + counts.unscored + counts.declined + counts.errored == len(rows)


def test_rows_nested_without_end_are_refused(read_results: ReadResults, tmp_path: Path) -> None:
    deep = '{"componentResults": [' * 5000 + "]}" * 5000
    path = tmp_path / "deep.jsonl"
    path.write_text(f'{{"testIdx": 0, "promptIdx": 0, "gradingResult": {deep}}}\n')
    with pytest.raises(SourceError, match="line 1: is no row of promptfoo results"):
        read_results(path)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_head_full_of_brackets_costs_little_memory(opening: bytes) -> None:
    head = (opening * 65536)[:65536]
    tracemalloc.start()
    keys = key_paths(head)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert keys == (frozenset() if opening == b"[" else {"a", "a.a", "a.a.a"})
    assert peak < 4e6


@pytest.mark.parametrize("as_object", [False, True])
def test_user_password_and_query_of_a_url_are_no_part_of_a_judges_name(
    read_results: ReadResults, make_results: MakeResults, *, as_object: bool
) -> None:
    urls = [f"https://me:pa55word@host/v1?key=sk-{number}" for number in "12"]
    rows = []
    for url in urls:
        component = judged(1)
        component["assertion"]["provider"] = {"id": url} if as_object else url
        rows.append(component)
    study = read_results(make_results([rows]))
    told = repr(study.table.to_pylist()) + repr(study.sources)
    assert "https://host/v1" in told
    assert "pa55word" not in told
    assert "sk-" not in told
    assert len(study.table) == 2
    source = study.sources[0]
    assert as_object or any("https://host/v1" in said for said in source.notes + source.warnings)


BOMB = """evalId: eval-made
config: {{}}
results:
  version: 3
  bomb:
    a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]
{levels}
  results: [{{testIdx: 0, promptIdx: 0, metadata: *{last}}}]
"""


@pytest.mark.parametrize("letters", ["abcdefghi", "abcdefghijklmno"])
def test_aliases_that_stand_for_gigabytes_are_refused(
    tmp_path: Path, read_results: ReadResults, letters: str
) -> None:
    levels = "\n".join(f"    {b}: &{b} [{', '.join(['*' + a] * 9)}]" for a, b in pairwise(letters))
    path = tmp_path / "bomb.yaml"
    path.write_text(BOMB.format(levels=levels, last=letters[-1]))
    with pytest.raises(SourceError, match=r"bomb\.yaml: .*aliases stand for more than 67 MB"):
        read_results(path)


def test_an_alias_within_itself_is_refused(tmp_path: Path, read_results: ReadResults) -> None:
    path = tmp_path / "ring.yaml"
    path.write_text(BOMB.format(levels="    z: &z {y: [*z]}", last="a"))
    with pytest.raises(SourceError, match="an alias stands within what it stands for"):
        read_results(path)
