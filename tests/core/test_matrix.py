from __future__ import annotations

import itertools
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from panopt.errors import AskError
from panopt.records.judgment import STATUSES
from panopt.records.matrix import Matrix
from panopt.records.scale import Scale
from panopt.records.study import Study

#: Judges of the random tables: kind, scale, and some scores on it.
PANEL: dict[str, tuple[str, str, list[float]]] = {
    "zoe": ("llm", "ordinal:1:5", [1, 2, 3.0, 5]),
    "alf": ("llm", "binary", [0, 1]),
    "len": ("program", "continuous:-1:1", [-1, 0.25, 1]),
    "bob": ("human", "ordinal:1:5", [1, 4, 5]),
    "eve": ("human", "continuous:0:100", [0, 33.0, 100]),
}

Row = dict[str, Any]


@st.composite
def long_tables(draw: st.DrawFn) -> list[Row]:
    """Draw judgments with repeats, missing votes, several systems, runs and epochs."""
    rows = []
    for _ in range(draw(st.integers(1, 40))):
        judge = draw(st.sampled_from(sorted(PANEL)))
        kind, scale, scores = PANEL[judge]
        score = draw(st.one_of(st.none(), st.sampled_from(scores)))
        item = draw(st.sampled_from(["i1", "i2", "i3"]))
        rows.append(
            {
                "run": draw(st.sampled_from(["r1", "r2"])),
                "system": draw(st.sampled_from(["s1", "s2"])),
                "item": item,
                "epoch": draw(st.integers(1, 2)),
                "judge": judge,
                "judge_kind": kind,
                "scale": scale,
                "score": score,
                "status": "ok" if score is not None else draw(st.sampled_from(STATUSES[1:])),
                "cluster": draw(st.sampled_from([None, f"c-{item[0]}"])),
            }
        )
    return rows


def study_of(rows: list[Row]) -> Study:
    return Study.from_columns({name: [row[name] for row in rows] for name in rows[0]})


def key_of(row: Row) -> tuple[str, str, str, int]:
    return row["run"], row["system"], row["item"], row["epoch"]


def keys_of(matrix: Matrix) -> list[tuple[str, str, str, int]]:
    return [
        (
            matrix.name("run", i),
            matrix.name("system", i),
            matrix.name("item", i),
            int(matrix.name("epoch", i)),
        )
        for i in range(matrix.n_responses)
    ]


def unit(row: Row) -> float:
    scale = Scale.parse(row["scale"])
    return (float(row["score"]) - scale.low) / (scale.high - scale.low)


@settings(max_examples=80)
@given(long_tables())
def test_agrees_with_a_loop_over_the_rows(rows: list[Row]) -> None:
    matrix = study_of(rows).matrix("score")
    keys = keys_of(matrix)
    assert set(keys) == {key_of(row) for row in rows}
    assert len(keys) == len(set(keys))
    judges = sorted({row["judge"] for row in rows if row["judge_kind"] != "human"})
    assert matrix.judges == tuple(judges)
    assert matrix.judge_kinds == tuple(PANEL[judge][0] for judge in judges)
    assert [str(s) for s in matrix.judge_scales] == [PANEL[judge][1] for judge in judges]
    cells: dict[tuple[Any, str], list[Row]] = defaultdict(list)
    people: dict[Any, list[float]] = defaultdict(list)
    for row in rows:
        if row["judge_kind"] != "human":
            cells[key_of(row), row["judge"]].append(row)
        elif row["score"] is not None:
            people[key_of(row)].append(unit(row))
    mean, median = matrix.scores(), matrix.scores(reduce="median")
    cube, status, repeats = matrix.cube(), matrix.status(), matrix.n_repeats()
    for (i, key), (j, judge) in itertools.product(enumerate(keys), enumerate(judges)):
        cell = cells[key, judge]
        votes = [unit(row) for row in cell if row["score"] is not None]
        assert_allclose(mean[i, j], np.mean(votes) if votes else np.nan)
        assert_allclose(median[i, j], np.median(votes) if votes else np.nan)
        assert repeats[i, j] == len(votes)
        codes = [STATUSES.index(row["status"]) for row in cell]
        assert status[i, j] == min(codes, default=-1)
        draws = [unit(row) if row["score"] is not None else np.nan for row in cell]
        assert_allclose(cube[i, j, : len(draws)], draws)
        assert np.isnan(cube[i, j, len(draws) :]).all()
    expected = [float(np.mean(people[key])) if people[key] else np.nan for key in keys]
    assert_allclose(matrix.human_mean, np.array(expected))
    assert matrix.n_labelled == sum(bool(people[key]) for key in keys)


@settings(max_examples=30)
@given(long_tables())
def test_votes_lead_back_to_the_rows_of_the_study(rows: list[Row]) -> None:
    matrix = study_of(rows).matrix("score")
    keys = keys_of(matrix)
    seen = []
    for votes, names in ((matrix.votes, matrix.judges), (matrix.human_votes, matrix.humans)):
        for k, row in enumerate(votes.row.tolist()):
            assert key_of(rows[row]) == keys[votes.response[k]]
            assert rows[row]["judge"] == names[votes.judge[k]]
            seen.append(row)
    assert sorted(seen) == list(range(len(rows)))


@settings(max_examples=30)
@given(long_tables())
def test_clusters_are_the_named_ones_else_the_items(rows: list[Row]) -> None:
    matrix = study_of(rows).matrix("score")
    named: dict[Any, str] = {}
    for row in rows:
        if row["cluster"] is not None:
            named[key_of(row)] = row["cluster"]
    expected = [named.get(key, key[2]) for key in keys_of(matrix)]
    for (a, x), (b, y) in itertools.product(zip(matrix.clusters, expected, strict=True), repeat=2):
        assert (a == b) == (x == y)


def test_only_what_belongs_to_the_criterion_is_in_it() -> None:
    study = Study.from_columns(
        {
            "item": ["a", "b", "c"],
            "system": ["s1", "s2", "s3"],
            "criterion": ["tone", "facts", "tone"],
            "judge": ["x", "y", "z"],
            "label": ["kind", "true", "rude"],
            "scale": "nominal",
        }
    )
    matrix = study.matrix("tone")
    assert matrix.names["system"] == ("s1", "s3")
    assert matrix.names["item"] == ("a", "c")
    assert matrix.judges == ("x", "z")
    assert matrix.labels == ("kind", "rude")
    assert_array_equal(matrix.votes.label, [0, 1])
    assert matrix.scale == Scale("nominal")


def test_a_person_may_share_the_name_of_a_judge() -> None:
    study = Study.from_columns(
        {
            "item": ["a", "a"],
            "judge": "sam",
            "judge_kind": ["human", "llm"],
            "score": [5.0, 1.0],
            "scale": ["ordinal:1:5", "binary"],
        }
    )
    matrix = study.matrix("score")
    assert (matrix.judges, matrix.humans) == (("sam",), ("sam",))
    assert matrix.judge_kinds == ("llm",)
    assert matrix.judge_scales == (Scale("binary"),)
    assert_array_equal(matrix.scores(), [[1.0]])
    assert_array_equal(matrix.human_mean, [1.0])


def test_the_scale_of_the_panel_is_the_commonest() -> None:
    columns = {"item": "a", "judge": ["x", "y", "z"], "score": [1.0, 1.0, 5.0]}
    scales = ["binary", "ordinal:1:5", "ordinal:1:5"]
    study = Study.from_columns({**columns, "scale": scales})
    assert study.matrix("score").scale == Scale("ordinal", 1, 5)
    assert_array_equal(study.matrix("score").scores(), [[1.0, 0.0, 1.0]])


def test_scores_without_a_scale_must_be_on_0_to_1() -> None:
    columns: dict[str, Any] = {"item": ["a", "b"], "judge": "x"}
    loose = Study.from_columns({**columns, "score": [0.25, 1.0]})
    assert_array_equal(loose.matrix("score").scores(), [[0.25], [1.0]])
    mixed = Study.from_columns({**columns, "score": [3.0, 1.0], "scale": ["ordinal:1:5", None]})
    assert_array_equal(mixed.matrix("score").scores(), [[0.5], [1.0]])
    raw = Study.from_columns({**columns, "score": [0.25, 4.0]})
    with pytest.raises(AskError, match="score 4 of judge 'x' has no scale and is not on"):
        raw.matrix("score")


def test_humans_alone_make_a_matrix_without_judges() -> None:
    study = Study.from_columns({"item": "a", "judge": ["bob"], "judge_kind": "human", "score": 1.0})
    matrix = study.matrix("score")
    assert (matrix.n_judges, matrix.n_responses, matrix.n_labelled) == (0, 1, 1)
    assert matrix.scores().shape == (1, 0)
    assert matrix.status().shape == (1, 0)
    assert matrix.cube().shape == (1, 0, 1)


def test_names_of_what_is_not_given_are_empty() -> None:
    matrix = Study.from_columns({"item": ["a"], "judge": "x", "score": 1.0}).matrix("score")
    assert [matrix.name(column, 0) for column in ("run", "system", "cluster", "family")] == [""] * 4
    assert matrix.name("epoch", 0) == "1"


def test_margins_are_kept_apart_from_probabilities() -> None:
    study = Study.from_columns(
        {
            "item": ["a", "b", "a", "b"],
            "judge": ["r", "r", "s", "s"],
            "score": [1.0, 0.0, 1.0, 1.0],
            "confidence": [7.5, -2.0, 0.75, 0.5],
            "confidence_source": ["margin", "margin", "verbalised", None],
            "scale": "binary",
        }
    )
    votes = study.matrix("score").votes
    assert votes.margin[:2].tolist() == [7.5, -2.0]
    assert np.isnan(votes.margin[2:]).all()
    assert np.isnan(votes.confidence[:2]).all()
    assert votes.confidence[2:].tolist() == [0.75, 0.5]
    names = study.matrix("score").sources
    assert [names[code] if code >= 0 else None for code in votes.source] == [
        *("margin", "margin", "verbalised", None)
    ]


def test_without_a_source_nothing_is_a_margin() -> None:
    study = Study.from_columns({"item": "a", "judge": "r", "score": 1.0, "confidence": 0.5})
    matrix = study.matrix("score")
    assert (matrix.sources, matrix.votes.source.tolist()) == ((), [-1])
    assert np.isnan(matrix.votes.margin).all()
