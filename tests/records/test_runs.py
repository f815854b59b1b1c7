"""A run that stands in two formats counts once."""

from __future__ import annotations

from panopt.records.runs import drop_twins
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
