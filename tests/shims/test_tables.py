"""The same judgments in any format are the same study, and bad cells are named by row."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from panopt.errors import SourceError
from panopt.reading import read
from panopt.records.ask import Reading
from panopt.records.settle import settle_scales
from panopt.records.source import SourceFile
from panopt.records.study import Study
from panopt.shims.tables import panopt_read
from panopt.shims.tables.parse import parse_table
from panopt.shims.tables.read import read_table

Rows = Sequence[dict[str, Any]]


def read_text(folder: Path, text: str, name: str = "log.csv", **options: Any) -> Study:  # noqa: ANN401 - options of Reading
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_table(SourceFile(str(path)), Reading(**options))


def column(study: Study, name: str) -> list[Any]:
    values: list[Any] = study.table[name].to_pylist()
    return values


def write_csv(path: Path, rows: Rows, delimiter: str = ",") -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8")


def write_jsonl(path: Path, rows: Rows) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_parquet(path: Path, rows: Rows, *, dictionary: bool = False) -> None:
    table = pa.Table.from_pylist(list(rows))
    if dictionary:
        encoded = [
            col.dictionary_encode() if pa.types.is_string(col.type) else col
            for col in table.columns
        ]
        table = pa.table(dict(zip(table.column_names, encoded, strict=True)))
    parquet.write_table(table, path)


def in_every_format(folder: Path, rows: Rows) -> dict[str, Path]:
    paths = {
        name: folder / name
        for name in (
            "a.csv",
            "b.tsv",
            "c.jsonl",
            "d.parquet",
            "e.parquet",
            "f.csv.gz",
            "g.jsonl.gz",
        )
    }
    write_csv(paths["a.csv"], rows)
    write_csv(paths["b.tsv"], rows, delimiter="\t")
    write_jsonl(paths["c.jsonl"], rows)
    write_parquet(paths["d.parquet"], rows)
    write_parquet(paths["e.parquet"], rows, dictionary=True)
    paths["f.csv.gz"].write_bytes(gzip.compress(paths["a.csv"].read_bytes()))
    paths["g.jsonl.gz"].write_bytes(gzip.compress(paths["c.jsonl"].read_bytes()))
    return paths


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6
)
ROW = st.fixed_dictionaries(
    {
        "item": st.one_of(TEXT, st.sampled_from(["007", "1e5", "NA", "null", "2024-01-31", "a,b"])),
        "judge": st.sampled_from(["x", "None", "true", '"q"']),
        "system": st.sampled_from(["s1", "nan", "s 2"]),
        "epoch": st.integers(1, 3),
        "score": st.one_of(st.none(), st.floats(-100, 100), st.integers(0, 5)),
        "rationale": st.sampled_from(["because", "two\nlines", "comma, and \t tab"]),
        "cached": st.booleans(),
        "input_tokens": st.one_of(st.none(), st.integers(0, 9)),
    }
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROW, min_size=1, max_size=8))
def test_every_format_gives_the_same_study(tmp_path: Path, rows: Rows) -> None:
    studies = {
        name: read_table(SourceFile(str(path)), Reading())
        for name, path in in_every_format(tmp_path, rows).items()
    }
    assert {name: study.digest for name, study in studies.items()} == dict.fromkeys(
        studies, studies["a.csv"].digest
    )
    for study in studies.values():
        assert column(study, "item") == [row["item"] for row in rows]
        assert column(study, "rationale") == [row["rationale"] for row in rows]
        assert column(study, "cached") == [row["cached"] for row in rows]
        scores = study.numbers("score").tolist()
        expected = [np.nan if row["score"] is None else float(row["score"]) for row in rows]
        np.testing.assert_array_equal(scores, expected)


def test_ids_stay_text_and_empty_scores_are_failed_votes(tmp_path: Path) -> None:
    text = "item,judge,score\n007,1,4\nNA,1,\nnull,1,NaN\n1e5,1,n/a\n 8 ,1, 3 \n"
    study = read_text(tmp_path, text)
    assert column(study, "item") == ["007", "NA", "null", "1e5", " 8 "]
    assert column(study, "judge") == ["1"] * 5
    assert column(study, "score") == [4.0, None, None, None, 3.0]
    assert column(study, "status") == ["ok", "failed", "failed", "failed", "ok"]


def test_numbers_after_the_first_block_may_look_otherwise(tmp_path: Path) -> None:
    filler = "x" * 100
    rows = [f"i{i},j,{i % 2},{filler}" for i in range(20_000)]
    text = "\n".join(["item,judge,score,note", *rows, "last,j,0.25,none", "void,j,,7", ""])
    study = read_text(tmp_path, text)
    assert column(study, "score")[-2:] == [0.25, None]
    assert len(study) == 20_002


def test_jsonl_with_nan_mixed_types_and_late_columns(tmp_path: Path) -> None:
    lines = [
        '{"item": 7, "judge": "j", "score": 1}',
        "",
        '{"item": "8", "judge": "j", "score": NaN}',
        '{"item": "2024-01-31", "judge": "j", "score": "2", "system": "late", "mood": "fine"}',
        '{"item": "9", "judge": "j", "score": true}',
    ]
    study = read_text(tmp_path, "\n".join(lines), "log.jsonl")
    assert column(study, "item") == ["7", "8", "2024-01-31", "9"]
    assert column(study, "score") == [1.0, None, 2.0, 1.0]
    assert column(study, "system") == ["", "", "late", ""]
    assert study.sources[0].notes == ("columns left out: mood",)


def test_dates_in_jsonl_stay_as_they_are_written(tmp_path: Path) -> None:
    lines = '{"item": "2024-01-31", "judge": "12:30:00", "score": 1, "at": "2024-01-31T12:00:00"}\n'
    study = read_text(tmp_path, lines, "log.jsonl")
    assert (column(study, "item"), column(study, "judge")) == (["2024-01-31"], ["12:30:00"])


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    assert len(read_text(tmp_path, "\ufeffitem,judge,score\na,j,1\n")) == 1
    line = '\ufeff{"item": "a", "judge": "j", "score": 1}\n'
    assert column(read_text(tmp_path, line, "log.jsonl"), "item") == ["a"]


def test_parquet_types_of_any_kind(tmp_path: Path) -> None:
    table = pa.table(
        {
            "item": pa.array([7, 8, 9]),
            "judge": pa.array(["x", "y", None], pa.large_string())
            .dictionary_encode()
            .fill_null("x"),
            "system": pa.array([1.0, np.nan, 2.5]),
            "score": pa.array([4, 5, None], pa.decimal128(4, 1)),
            "epoch": pa.array([1.0, np.nan, 2.0]),
            "run": pa.nulls(3),
            "cached": pa.array([True, None, False]),
            "probabilities": pa.array([[0.5, 0.5], None, [1.0, 0.0]]),
        }
    )
    path = tmp_path / "log.parquet"
    parquet.write_table(table, path)
    study = read_table(SourceFile(str(path)), Reading())
    assert column(study, "item") == ["7", "8", "9"]
    assert column(study, "system") == ["1", "", "2.5"]
    assert column(study, "score") == [4.0, 5.0, None]
    assert column(study, "epoch") == [1, 1, 2]
    assert column(study, "cached") == [True, False, False]
    assert column(study, "probabilities") == [[0.5, 0.5], None, [1.0, 0.0]]


@pytest.mark.parametrize(
    ("header", "home", "name"),
    [
        ("item_id", "item", "item_id"),
        ("Question ID", "item", "Question ID"),
        ("id", "item", "id"),
        ("sample_id", "item", "sample_id"),
        ("Rater", "judge", "Rater"),
        ("judge-model", "judge", "judge-model"),
        ("rating", "score", "rating"),
        ("model", "system", "model"),
        ("response_id", "system", "response_id"),
        ("metric", "criterion", "metric"),
        ("explanation", "rationale", "explanation"),
    ],
)
def test_other_names_of_columns(tmp_path: Path, header: str, home: str, name: str) -> None:
    values = {"item": "a", "judge": "j", "score": "1", home: "1"}
    names = [header if column == home else column for column in values]
    study = read_text(tmp_path, ",".join(names) + "\n" + ",".join(values.values()) + "\n")
    assert column(study, home) == [1.0 if home == "score" else "1"]
    assert study.sources[0].notes == (f"columns read as: {home} = {name}",)


def test_the_first_of_several_names_wins_and_the_others_are_left_out(tmp_path: Path) -> None:
    text = "id,model,item_id,judge,value,score,response_id\n1,m,q1,j,9,0.5,r\n"
    study = read_text(tmp_path, text)
    found = [column(study, name)[0] for name in ("item", "system", "score")]
    assert found == ["q1", "r", 0.5]
    assert study.sources[0].notes == (
        "columns read as: item = item_id, system = response_id",
        "columns left out: id, model, value",
    )


def test_where_a_row_came_from_is_kept_beside_the_item(tmp_path: Path) -> None:
    study = read_text(tmp_path, "item_id,sample_id,judge,score,source\na,s7,j,1,web\n")
    assert (column(study, "item"), column(study, "sample_id")) == (["a"], ["s7"])
    assert column(study, "source") == [study.sources[0].location]
    assert "columns left out: source" in study.sources[0].notes


def test_a_mapping_names_and_joins_columns(tmp_path: Path) -> None:
    text = "q,judge,prompt_variant,grade,item\n1,x,v1,3,row1\n1,x,v2,4,row2\n2,x,,5,row3\n"
    columns = (("judge", "judge+prompt_variant"), ("item", "q"))
    study = read_text(tmp_path, text, columns=columns)
    assert column(study, "judge") == ["x/v1", "x/v2", "x/"]
    assert column(study, "item") == ["1", "1", "2"]
    assert column(study, "score") == [3.0, 4.0, 5.0]
    assert study.sources[0].notes[1] == "columns left out: item"
    plus = read_text(tmp_path, "a+b,judge,score\n1,x,1\n", columns=(("item", "a+b"),))
    assert column(plus, "item") == ["1"]


def test_a_mapping_for_the_logs_need_not_fit_the_labels(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("q,judge,score\na,x,1\nb,x,0\n")
    (tmp_path / "labels.csv").write_text("item,score\na,1\n")
    study = read(
        tmp_path / "log.csv",
        labels=tmp_path / "labels.csv",
        reading=Reading(columns=(("item", "q"),)),
    )
    assert study.matrix("score").n_labelled == 1


def test_a_range_of_scores_is_a_declared_scale(tmp_path: Path) -> None:
    rows = ["a,x,4,1,5", "a,y,0.5,0,1", "b,y,1,0,1", "a,z,1,0,1.0", "a,w,3.5,1,7", "a,v,2,,5"]
    text = "\n".join(["item,judge,score,score_min,score_max", *rows, ""])
    study = read_text(tmp_path, text)
    assert column(study, "scale") == [
        "ordinal:1:5",
        "continuous:0:1",
        "continuous:0:1",
        "continuous:0:1",
        "continuous:1:7",
        None,
    ]
    assert study.sources[0].notes == ()
    off = read_text(tmp_path, "item,judge,score,score_min,score_max\na,x,6,1,5\n")
    with pytest.raises(SourceError, match=r"item 'a', judge 'x': score 6 is off the scale ordinal"):
        settle_scales(off, {})


def test_a_scale_column_wins_over_a_range(tmp_path: Path) -> None:
    text = "item,judge,score,scale,score_min,score_max\na,x,2,ordinal:0:3,0,10\n"
    study = read_text(tmp_path, text)
    assert column(study, "scale") == ["ordinal:0:3"]
    assert study.sources[0].notes == ("columns left out: score_min, score_max",)


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "log.parquet"])
def test_a_gold_label_beside_scores_is_no_verdict_of_the_judge(tmp_path: Path, name: str) -> None:
    rows = [
        {"item": item, "judge": judge, "score": score, "label": gold}
        for item, gold in (("a", 3.5), ("b", None))
        for judge, score in (("x", 4), ("y", 5))
    ]
    writers = {"log.csv": write_csv, "log.jsonl": write_jsonl, "log.parquet": write_parquet}
    writers[name](tmp_path / name, rows)
    source = SourceFile(str(tmp_path / name))
    study = read_table(source, Reading())
    assert study.table["label"].null_count == 4
    assert study.sources[0].notes == ("columns left out: label",)
    both = read_table(source, Reading(human=("label",)))
    people = both.where("judge_kind", "human")
    assert [column(people, name) for name in ("item", "judge", "score")] == [
        ["a"],
        ["label"],
        [3.5],
    ]
    assert both.sources[0].notes == ()


def test_numbers_in_a_label_column_without_scores_are_scores(tmp_path: Path) -> None:
    study = read_text(tmp_path, "item,judge,label\na,x,4\nb,x,NA\n")
    assert column(study, "score") == [4.0, None]
    assert study.table["label"].null_count == 2


def test_words_are_labels_and_words_for_pass_and_fail_are_scores(tmp_path: Path) -> None:
    words = read_text(tmp_path, "item,judge,verdict\na,x,calm\nb,x,rude\nc,x,\n")
    assert column(words, "label") == ["calm", "rude", None]
    assert column(words, "status") == ["ok", "ok", "failed"]
    passed = read_text(tmp_path, "item,judge,verdict\na,x,Pass\nb,x, fail \nc,x,\n")
    assert column(passed, "score") == [1.0, 0.0, None]
    scored = read_text(tmp_path, "item,judge,score\na,x,True\nb,x,FALSE\nc,x,\n")
    assert column(scored, "score") == [1.0, 0.0, None]
    letters = read_text(tmp_path, "item,judge,score\na,x,C\nb,x,I\n")
    assert column(letters, "score") == [1.0, 0.0]


def test_human_names_judges_and_columns(tmp_path: Path) -> None:
    text = "item,system,judge,score,gold\na,s,x,1,pass\na,s,bob,0,pass\nb,s,x,1,\nb,t,x,1,fail\n"
    study = read_text(tmp_path, text, human=("bob", "gold"))
    people = study.where("judge_kind", "human").table
    found = people.select(["judge", "system", "item", "score"]).to_pylist()
    assert [tuple(row.values()) for row in found] == [
        ("bob", "s", "a", 0.0),
        ("gold", "s", "a", 1.0),
        ("gold", "t", "b", 0.0),
    ]
    with pytest.raises(
        SourceError, match="row 2: column 'gold' gives item 'a' both 1 and 0; a resp"
    ):
        read_text(tmp_path, "item,judge,score,gold\na,x,1,1\na,y,1,0\n", human=("gold",))


def test_human_labels_of_a_nominal_criterion_are_words(tmp_path: Path) -> None:
    text = "item,judge,label,gold\na,x,calm,calm\na,y,rude,calm\nb,x,rude,\n"
    study = read_text(tmp_path, text, human=("gold",))
    people = study.where("judge_kind", "human")
    assert [column(people, name) for name in ("item", "label", "score")] == [
        ["a"],
        ["calm"],
        [None],
    ]
    with pytest.raises(SourceError, match="row 2: column 'gold' gives item 'a' both calm and rude"):
        read_text(tmp_path, text.replace("rude,calm", "rude,rude"), human=("gold",))


def test_metrics_are_programs_and_empty_kinds_the_default(tmp_path: Path) -> None:
    text = "item,judge,judge_kind,score\na,x,metric,1\na,y,,1\na,z,human,1\n"
    assert column(read_text(tmp_path, text), "judge_kind") == ["program", "llm", "human"]
    kinds = column(read_text(tmp_path, text, judge_kind="human"), "judge_kind")
    assert kinds == ["program", "human", "human"]


def test_labels_have_a_default_judge(tmp_path: Path) -> None:
    study = read_text(tmp_path, "item,score\na,1\n", judge_kind="human")
    assert (column(study, "judge"), column(study, "judge_kind")) == (["human"], ["human"])
    assert set(study.sources[0].columns) == {"item", "judge", "score", "judge_kind"}


def test_counts_are_of_responses(tmp_path: Path) -> None:
    rows = [
        "a,x,1,ok",
        "a,y,,failed",
        "b,x,,abstained",
        "b,y,,failed",
        "c,x,,failed",
        "d,x,,",
        "d,y,0,",
    ]
    source = read_text(tmp_path, "\n".join(["item,judge,score,status", *rows, ""])).sources[0]
    counts = source.counts
    assert (counts.planned, counts.completed) == (None, 4)
    assert (counts.scored, counts.declined, counts.unscored) == (2, 1, 1)
    assert (counts.errored, counts.invalidated) == (0, 0)


def test_a_source_is_told_by_its_digest_and_runs(tmp_path: Path) -> None:
    text = "item,judge,score,run\na,x,1,r2\nb,x,1,r1\n"
    source = read_text(tmp_path, text).sources[0]
    assert source.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert (source.format, source.runs) == ("tables", ("r1", "r2"))
    packed = tmp_path / "log.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    source = read_table(SourceFile(str(packed)), Reading()).sources[0]
    assert source.sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()


def test_confidences_that_are_no_probabilities_are_left_out(tmp_path: Path) -> None:
    text = "item,judge,score,confidence\na,x,1,{}\nb,x,1,90\n"
    study = read_text(tmp_path, text.format(20))
    assert study.table["confidence"].null_count == 2
    assert study.sources[0].warnings == (
        "column confidence left out: it goes from 20 to 90, not 0-1",
    )
    kept = read_text(tmp_path, text.format("NA").replace("90", ".9"))
    assert (column(kept, "confidence"), kept.sources[0].warnings) == ([None, 0.9], ())


def test_rationales_may_be_left_out(tmp_path: Path) -> None:
    text = "item,judge,score,reason\na,x,1,because\n"
    assert column(read_text(tmp_path, text), "rationale") == ["because"]
    assert column(read_text(tmp_path, text, rationales=False), "rationale") == [None]


BIG = "item,judge,score\n" + "".join(f"i{i},x,{i % 2}\n" for i in range(3))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "the file is empty; a table has a header"),
        ("a.csv", "\n\n", "cannot be parsed"),
        ("a.csv", "item,judge,score\n", "the table has no rows"),
        ("a.jsonl", "\n\n", "the table has no rows"),
        ("a.csv", "item,judge,judge,score\na,b,c,1\n", "two columns have the name 'judge'"),
        (
            "a.csv",
            "item;judge;score\na;b;1\n",
            r"needs a column item \(or item_id, .* --column item=NAME\); columns are 'item;judge;",
        ),
        ("a.csv", "item,score\na,1\n", r"needs a column judge \(or judge_id, grader, "),
        (
            "a.csv",
            "item,judge\na,b\n",
            "needs a column score or label; columns are 'item', 'judge'",
        ),
        ("a.csv", "item,judge,score\na,x\n", r"CSV parse error: Expected 3 columns, got 2: a,x"),
        ("a.csv", "item,judge,score\na,x,1\nb,x,five\n", "row 2: score 'five' is no number"),
        ("a.csv", "item,judge,score,cost\na,x,1,$5\n", r"row 1: cost '\$5' is no number"),
        ("a.csv", "item,judge,score,epoch\na,x,1,1.5\n", "column 'epoch': Float value 1.5"),
        ("a.csv", "item,judge,score,cached\na,x,1,maybe\n", "column 'cached': Failed to parse"),
        ("a.csv", "item,judge,score,probabilities\na,x,1,[1]\n", "column 'probabilities': Unsup"),
        ("a.csv", "item,judge,score\na,x,1\n,x,1\n", "row 2: column 'item' is empty; every row"),
        ("a.csv", "item,judge,score\na,,1\n", "row 1: column 'judge' is empty"),
        ("a.csv", "item,judge,score,status\na,x,1,fine\n", "row 1: column 'status' has 'fine'; it"),
        ("a.csv", "item,judge,score,judge_kind\na,x,1,dog\n", "column 'judge_kind' has 'dog'; it"),
        ("a.csv", "item,judge,score,scale\na,x,1,stars\n", "row 1: column 'scale' has 'stars'; sc"),
        ("a.csv", "item,judge,score,order\na,x,1,3\n", "row 1: column 'order' has 3; it must be"),
        ("a.jsonl", '{"item": 1}\n{"item": \n', "line 2: is no JSON object"),
        ("a.jsonl", '[{"item": 1}]\n', r"line 1: is no JSON object \(another value\); every line"),
        (
            "a.jsonl",
            '{"item": "a", "judge": "x", "score": {"v": 1}}\n',
            "column 'score': Unsupport",
        ),
        ("a.jsonl", '{"item": "a", "judge": "x", "score": 1, "label": ["b"]}\n', "column 'label'"),
        ("a.jsonl", "[" * 100_000 + "\n", "line 1: JSON nested deeper than 500 levels"),
        ("a.parquet", "PAR1 or not", "cannot be parsed"),
    ],
)
def test_refuses(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as error:
        read_text(tmp_path, content, name)
    assert str(error.value).startswith(str(tmp_path / name))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"columns": (("mood", "score"),)},
            "cannot map to 'mood', which is no column of a judgment",
        ),
        ({"columns": (("source", "score"),)}, "cannot map to 'source'"),
        ({"columns": (("item", "q"),)}, r"column 'q' \(mapped to 'item'\) is not in the file; col"),
        ({"columns": (("item", "item+q"),)}, r"column 'q' \(mapped to 'item'\) is not in the file"),
        ({"human": ("item",)}, "needs a column item"),
    ],
)
def test_refuses_a_mapping(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read_text(tmp_path, BIG, **options)


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_torn_files_are_one_line(tmp_path: Path, cut: int) -> None:
    rows = [{"item": f"i{i}", "judge": "x", "score": i % 2} for i in range(50)]
    for name, path in in_every_format(tmp_path, rows).items():
        if name.endswith((".gz", ".parquet")):
            path.write_bytes(path.read_bytes()[:-cut])
            with pytest.raises(SourceError, match=name.replace(".", r"\.")) as error:
                read_table(SourceFile(str(path)), Reading())
            assert "\n" not in str(error.value)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"item,judge,score\ncaf\xe9,x,1\n")
    with pytest.raises(SourceError, match="invalid UTF8 data"):
        read_table(SourceFile(str(path)), Reading())


def test_the_hook_leaves_other_files_alone(tmp_path: Path) -> None:
    for name in ("log.eval", "log.json", "log.txt", "log"):
        assert panopt_read(SourceFile(str(tmp_path / name)), Reading()) is None


def test_parse_table_keeps_the_text_of_a_csv() -> None:
    table = parse_table(SourceFile("x.csv"), b"a,b\n007,\n1.50,x\n")
    assert table.to_pydict() == {"a": ["007", "1.50"], "b": ["", "x"]}


def test_data_sets_with_their_flaws_are_read(shared: Path) -> None:
    """Every table of the shared sets is read; judged rows and missing scores are all there."""
    paths = sorted((shared / "data" / "sets").glob("*/*.parquet"))
    assert paths
    for path in paths:
        table = parquet.read_table(path)
        if "judge" not in table.column_names:
            continue
        study = read_table(SourceFile(str(path)), Reading())
        assert len(study) == table.num_rows
        score = table["score"].to_numpy(zero_copy_only=False)
        np.testing.assert_array_equal(study.numbers("score"), score)
        kinds = study.table["judge_kind"].to_pylist()
        expected = [
            {"metric": "program"}.get(kind, kind) for kind in table["judge_kind"].to_pylist()
        ]
        assert kinds == expected


def test_a_set_on_the_command_line(shared: Path) -> None:
    """The five judges of hanna with four prompts each are twenty judges; its label is human."""
    path = shared / "data" / "sets" / "hanna" / "scores.parquet"
    columns = (("judge", "judge+prompt_variant"),)
    reading = Reading(columns=columns, human=("label",))
    with pytest.raises(
        SourceError, match=r"judge 'Beluga-13B/eval_prompt_2': score 0\.333333 is o"
    ):
        read(path, reading=reading)
    study = read(path, reading=reading.model_copy(update={"off_scale": "fail"}))
    assert "777 scores off their scale count as failed votes" in study.sources[0].notes
    matrix = study.matrix("empathy")
    assert matrix.n_judges == 20
    assert matrix.n_responses == 1056
    assert "label" in matrix.humans
    assert matrix.scores().min(initial=1, where=~np.isnan(matrix.scores())) >= 0


@pytest.mark.parametrize("between", ["", "\n", "\r\n"])
def test_jsonl_nested_too_deep_is_refused_in_one_line(tmp_path: Path, between: str) -> None:
    deep = between.join(["["] * 20_000) + "]" * 20_000
    lines = ['{"item": "a", "judge": "x", "score": 1, "z": ' + end for end in ("0}", deep + "}")]
    with pytest.raises(SourceError, match=r"deep\.jsonl: .*nested deeper than 500 levels$"):
        read_text(tmp_path, "\n".join(lines), "deep.jsonl")


@pytest.mark.parametrize("noted", ["[" * 900, '\\"' + "{" * 900, [[]] * 900])
def test_brackets_in_texts_and_side_by_side_are_not_deep(tmp_path: Path, noted: object) -> None:
    row = json.dumps({"item": "a", "judge": "x", "score": 1, "note": noted})
    for text in (row, f"\n{row}\n"):
        assert column(read_text(tmp_path, text, "flat.jsonl"), "item") == ["a"]


def test_margins_that_are_called_margins_are_kept(tmp_path: Path) -> None:
    text = "item,judge,score,confidence,confidence_source\na,r,1,7.5,Margin of r\nb,r,0,-2,margin\n"
    study = read_text(tmp_path, text)
    assert study.table["confidence"].to_pylist() == [7.5, -2.0]
    assert study.sources[0].warnings == ()
    mixed = read_text(tmp_path, text.replace("-2,margin", "-2,logprobs"))
    assert mixed.table["confidence"].null_count == 2
    assert mixed.sources[0].warnings == (
        "column confidence left out: it goes from -2 to -2, not 0-1",
    )
