from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from panopt.errors import AskError
from panopt.records.schema import SCHEMA
from panopt.records.source import Source
from panopt.records.study import Study

NAMES = st.sampled_from(["a", "b", "c", "a/b", "", "é"])
ROWS = st.lists(
    st.tuples(
        NAMES,
        st.sampled_from(["x", "y", "z"]),
        st.sampled_from([None, "q", "r"]),
        st.integers(0, 3),
        st.sampled_from([None, 0, 1]),
        st.sampled_from([None, 0.0, 0.5, 2.0]),
    ),
    min_size=1,
    max_size=30,
)
Row = tuple[str, str, str | None, int, int | None, float | None]


def study_of(rows: list[Row]) -> Study:
    system, judge, cluster, epoch, order, score = zip(*rows, strict=True)
    return Study.from_columns(
        {
            "item": "i",
            "system": system,
            "judge": judge,
            "cluster": pa.array(cluster, pa.string()),
            "epoch": epoch,
            "order": pa.array(order, pa.int8()),
            "score": pa.array(score, pa.float64()),
        }
    )


@given(ROWS, st.permutations(["system", "judge", "cluster", "epoch", "order"]), st.integers(1, 5))
def test_group_numbers_the_combinations_of_values(
    rows: list[Row], columns: list[str], n_columns: int
) -> None:
    study, wanted = study_of(rows), columns[:n_columns]
    tuples = [tuple(row[name] for name in wanted) for row in study.table.select(wanted).to_pylist()]
    group = study.group(wanted)
    assert sorted(set(group.tolist())) == list(range(len(set(tuples))))
    pairs = set(zip(group.tolist(), tuples, strict=True))
    assert len(pairs) == len(set(tuples))


def test_group_survives_keys_wider_than_64_bits() -> None:
    n = 70_000
    rng = np.random.default_rng(0)
    names = pa.array(np.char.mod("n%d", np.arange(n)))
    codes = [pa.array(rng.permutation(n).astype(np.int32)) for _ in range(4)]
    run, system, item, cluster = (pa.DictionaryArray.from_arrays(c, names) for c in codes)
    columns = {"run": run, "system": system, "item": item, "cluster": cluster}
    study = Study.from_columns({**columns, "judge": "j", "score": 1.0})
    twice = Study.concat([study, study])
    group = twice.group(["run", "system", "item", "cluster"])
    assert_array_equal(group[:n], group[n:])
    assert len(np.unique(group)) == n


def test_group_of_nothing() -> None:
    assert Study.concat([]).group(["item", "epoch"]).shape == (0,)


@settings(max_examples=50)
@given(ROWS, st.lists(st.integers(0, 30), max_size=4), st.randoms(use_true_random=False))
def test_digest_does_not_depend_on_chunks_dictionaries_or_files(
    rows: list[Row], cuts: list[int], random: Random
) -> None:
    study = study_of(rows)
    ends = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    parts = [study_of(rows[a:b]) for a, b in pairwise(ends)]
    assert Study.concat(parts).digest == study.digest
    padded = study_of([*rows, ("zzz", "x", "q", 1, 0, 1.0)])
    assert padded.filter(np.arange(len(padded)) < len(rows)).digest == study.digest
    named = Study(study.table, (Source("elsewhere.csv", "tables"),))
    assert named.digest == study.digest
    assert study.with_column("rationale", pa.array(["why"] * len(rows))).digest == study.digest
    shuffled = list(rows)
    random.shuffle(shuffled)
    if shuffled != rows:
        assert study_of(shuffled).digest != study.digest


@pytest.mark.parametrize("column", [name for name in SCHEMA.names if name != "source"])
def test_digest_tells_any_other_change(column: str) -> None:
    base: dict[str, Any] = {"item": ["a", "b"], "judge": ["x", "y"], "score": [1.0, 0.0]}
    others: dict[str, Any] = {
        "epoch": [1, 2],
        "repeat": [0, 1],
        "order": [0, 1],
        "score": [1.0, 0.5],
        "status": ["ok", "failed"],
        "scale": ["binary", "ordinal:0:1"],
        "judge_kind": ["llm", "human"],
        "confidence": [0.5, None],
        "probabilities": [[0.5, 0.5], None],
        "response_length": [1, None],
        "input_tokens": [1, None],
        "output_tokens": [None, 2],
        "cost": [0.5, 0.1],
        "latency": [1.0, 2.0],
        "cached": [True, False],
    }
    changed = {**base, column: others.get(column, ["one", "two"])}
    same = Study.from_columns(changed).digest == Study.from_columns(base).digest
    assert same == (column == "rationale")


def test_names_that_only_look_alike_when_joined_have_different_digests() -> None:
    one = Study.from_columns({"item": ["a\x00b", "c"], "judge": "j", "score": 1})
    two = Study.from_columns({"item": ["a", "b\x00c"], "judge": "j", "score": 1})
    assert one.digest != two.digest


def test_codes_give_minus_one_for_empty_cells() -> None:
    study = study_of([("a", "x", None, 1, None, 1.0), ("b", "x", "q", 1, 0, None)])
    codes, names = study.codes("cluster")
    assert_array_equal(codes, [-1, 0])
    assert names == ["q"]
    assert_array_equal(study.numbers("order"), [np.nan, 0])
    assert_array_equal(study.numbers("score"), [1.0, np.nan])
    empty = Study.concat([])
    assert empty.codes("item")[1] == []
    assert empty.digest == Study.from_columns({"item": [], "judge": []}).digest


def test_where_keeps_the_rows_of_some_names() -> None:
    study = study_of([(name, "x", None, 1, None, 1.0) for name in "abcab"])
    assert study.where("system", "a").table["system"].to_pylist() == ["a", "a"]
    assert study.where("system", ["a", "c"]).table["system"].to_pylist() == ["a", "c", "a"]
    assert len(study.where("system", "nobody")) == 0
    assert study.where("judge", "x") is study


def test_concat_joins_dictionaries_and_sources() -> None:
    one = Study(study_of([("a", "x", None, 1, None, 1.0)]).table, (Source("1.csv", "tables"),))
    two = Study(study_of([("b", "y", None, 1, None, 0.0)]).table, (Source("2.csv", "tables"),))
    both = Study.concat([one, two])
    assert both.table["system"].to_pylist() == ["a", "b"]
    assert [source.location for source in both.sources] == ["1.csv", "2.csv"]
    assert both.codes("judge")[1] == ["x", "y"]


def test_criteria_are_what_others_than_humans_judged() -> None:
    columns = {"item": "a", "criterion": ["tone", "facts", "style"], "score": 1}
    study = Study.from_columns(
        {**columns, "judge": ["x", "x", "bob"], "judge_kind": ["llm", "program", "human"]}
    )
    assert study.criteria == ("facts", "tone")
    people = Study.from_columns({**columns, "judge": "bob", "judge_kind": "human"})
    assert people.criteria == ("facts", "style", "tone")
    assert Study.concat([]).criteria == ()
    assert study.where("criterion", "facts").criteria == ("facts",)


def test_matrix_of_an_unknown_criterion_names_the_judged_ones() -> None:
    study = Study.from_columns({"item": "a", "judge": "x", "criterion": ["tone"], "score": 1})
    with pytest.raises(AskError, match="criterion 'tune' was not judged; judged criteria: 'tone'"):
        study.matrix("tune")


def test_a_table_of_another_schema_is_refused() -> None:
    with pytest.raises(TypeError, match=r"columns of panopt\.records\.schema\.SCHEMA"):
        Study(pa.table({"item": ["a"]}))
    table = SCHEMA.empty_table()
    index = SCHEMA.get_field_index("score")
    with pytest.raises(TypeError, match="SCHEMA"):
        Study(table.set_column(index, "score", pa.array([], pa.string())))


def test_a_study_is_never_changed() -> None:
    study = study_of([("a", "x", None, 1, None, 1.0)])
    before = study.digest
    study.with_column("score", pa.array([0.0]))
    study.filter(np.array([False]))
    scores = study.numbers("score")
    if scores.flags.writeable:
        scores[0] = 7
    assert study.digest == before
