"""A run that stands in two formats counts once."""

from __future__ import annotations

import itertools

from panopt.records.runs import drop_earlier_attempts, drop_twins, warn_of_doubles
from panopt.records.source import Source
from panopt.records.study import Study


def rows(location: str, run: str, *aliases: str) -> Study:
    """Give a source of two judgments."""
    columns = {"item": ["a", "b"], "judge": "j", "score": [1.0, 0.0], "run": run}
    source = Source(location, "promptfoo", runs=(run,), aliases=aliases)
    return Study.from_columns(columns | {"source": location}, sources=[source])


def test_rows_of_a_twin_are_dropped_whatever_the_order() -> None:
    named, bare = rows("r.json", "eval-1", "rows-7"), rows("r.jsonl", "rows-7")
    for order in ([named, bare], [bare, named]):
        study, notes = drop_twins(Study.concat(order))
        assert study.table["source"].to_pylist() == ["r.json"] * 2
        assert notes == ("r.jsonl holds the same rows as r.json: they count once",)
        assert len(study.sources) == 2


def test_other_runs_stay() -> None:
    whole = Study.concat([rows("r.json", "eval-1", "rows-7"), rows("s.jsonl", "rows-8")])
    study, notes = drop_twins(whole)
    assert len(study) == 4
    assert notes == ()


def attempt(run: str, begun: str, items: list[str], task: str = "t") -> Study:
    """Give a log of one attempt at a task."""
    source = Source(f"{run}.eval", "inspect", runs=(run,), attempt=(task, begun))
    columns = {"item": items, "judge": "j", "score": [1.0] * len(items), "run": run}
    return Study.from_columns(columns | {"source": f"{run}.eval"}, sources=[source])


def test_responses_a_retry_took_over_count_once_whatever_the_order() -> None:
    first = attempt("z", "2025-01-01T10:00:00+00:00", ["a", "b", "only"])
    second = attempt("m", "2025-01-01T11:00:00+00:00", ["a", "b", "c"])
    third = attempt("a", "2025-01-01T12:00:00+00:00", ["a", "c", "d"])
    for order in itertools.permutations([first, second, third]):
        study, notes = drop_earlier_attempts(Study.concat(order))
        kept = zip(study.table["run"].to_pylist(), study.table["item"].to_pylist(), strict=True)
        assert sorted(kept) == [("a", "a"), ("a", "c"), ("a", "d"), ("m", "b"), ("z", "only")]
        [note] = notes
        assert note.startswith("4 responses stand in several attempts at one task")
        assert "4 judgments of earlier ones were dropped" in note


def test_runs_of_other_tasks_and_the_same_run_scored_twice_stay() -> None:
    day = "2025-01-01T10:00:00+00:00"
    other = Study.concat([attempt("r", day, ["a"]), attempt("s", day, ["a"], task="u")])
    assert drop_earlier_attempts(other) == (other, ())
    scored = Study.concat([attempt("r", day, ["a"]), attempt("r", day, ["a"])])
    assert drop_earlier_attempts(scored) == (scored, ())


def scored(run: str, scores: list[float], order: int = 1, location: str | None = None) -> Study:
    """Give a file of one run with one score an item, in some order."""
    at = location or f"{run}.json"
    items = [f"i{k}" for k in range(len(scores))][::order]
    columns = {"item": items, "judge": "j", "score": scores[::order], "run": run, "source": at}
    return Study.from_columns(columns, sources=[Source(at, "promptfoo", runs=(run,))])


def test_runs_with_the_same_judgments_under_two_names_are_warned_of() -> None:
    scores = [0.25 * (k % 4) for k in range(12)]
    near = [*scores[:-1], 0.7]
    whole = Study.concat([scored("a", scores), scored("near", near), scored("b", scores, -1)])
    study = warn_of_doubles(whole)
    assert len(study) == 36
    assert [len(source.warnings) for source in study.sources] == [0, 0, 1]
    assert study.sources[2].warnings[0] == (
        "two runs hold the same 12 judgments (run 'a' of a.json, run 'b'): they are counted "
        "twice unless one is left out"
    )


def test_few_judgments_and_runs_of_one_file_are_not_taken_for_doubles() -> None:
    few = Study.concat([scored("a", [1.0, 0.0]), scored("b", [1.0, 0.0])])
    assert warn_of_doubles(few) is few
    one = [scored(run, [1.0] * 12, location="t.csv") for run in "ab"]
    whole = Study.concat([*one, scored("c", [0.0] * 12)])
    assert warn_of_doubles(whole) is whole
