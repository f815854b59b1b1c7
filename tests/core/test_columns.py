from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panopt.errors import SourceError
from panopt.records.columns import DEFAULTS, to_table
from panopt.records.schema import SCHEMA


def test_one_value_stands_for_all_rows() -> None:
    table = to_table({"item": ["a", "b"], "judge": "j", "score": 1, "cached": True, "epoch": 3})
    assert table.schema.names == SCHEMA.names
    assert table.schema.types == SCHEMA.types
    assert table.select(["item", "judge", "score", "cached", "epoch"]).to_pylist() == [
        {"item": "a", "judge": "j", "score": 1.0, "cached": True, "epoch": 3},
        {"item": "b", "judge": "j", "score": 1.0, "cached": True, "epoch": 3},
    ]
    assert {name: table[name][0].as_py() for name in DEFAULTS if name != "epoch"} == {
        "run": "",
        "system": "",
        "criterion": "score",
        "judge_kind": "llm",
        "repeat": 0,
        "status": "ok",
        "cached": True,
        "source": "",
    }
    assert table["rationale"].null_count == 2


@pytest.mark.parametrize(
    "item",
    [
        ["b", "a", "b"],
        np.array(["b", "a", "b"]),
        np.array(["b", "a", "b"], dtype=object),
        pa.array(["b", "a", "b"]),
        pa.array(["b", "a", "b"], type=pa.large_string()),
        pa.chunked_array([["b"], ["a", "b"]]),
        pa.array(["b", "a", "b"]).dictionary_encode(),
        # dictionaries in another order, with names that never occur, with repeated names
        pa.DictionaryArray.from_arrays(pa.array([2, 1, 2], pa.int8()), ["x", "a", "b"]),
        pa.DictionaryArray.from_arrays(pa.array([2, 1, 0], pa.int64()), ["b", "a", "b"]),
        pa.chunked_array(
            [pa.array(["b"]).dictionary_encode(), pa.array(["a", "b"]).dictionary_encode()]
        ),
    ],
)
def test_any_encoding_of_a_column_gives_the_same_table(item: object) -> None:
    table = to_table({"item": item, "judge": "j", "score": [1, 2, 3]})
    assert table["item"].chunk(0).dictionary.to_pylist() == ["b", "a"]
    assert table["item"].chunk(0).indices.to_pylist() == [0, 1, 0]
    assert table["item"].num_chunks == 1


def test_a_null_inside_a_dictionary_is_a_missing_value() -> None:
    label = pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array([None, "yes"]))
    table = to_table({"item": ["a", "b", "c"], "judge": "j", "label": label})
    assert table["label"].to_pylist() == [None, "yes", None]
    assert table["status"].to_pylist() == ["failed", "ok", "failed"]


def test_numbers_are_ids_too() -> None:
    table = to_table({"item": [7, 8], "judge": np.array([1, 2]), "score": ["0.5", "1"]})
    assert table["item"].to_pylist() == ["7", "8"]
    assert table["judge"].to_pylist() == ["1", "2"]
    assert table["score"].to_pylist() == [0.5, 1.0]


def test_a_verdict_stands_where_and_only_where_the_status_is_ok() -> None:
    table = to_table(
        {
            "item": list("abcdef"),
            "judge": "j",
            "score": [1.0, np.nan, None, 0.0, None, 1.0],
            "label": [None, None, None, None, "fine", "fine"],
            "status": ["ok", "ok", "abstained", "failed", "ok", "abstained"],
        }
    )
    assert table["status"].to_pylist() == ["ok", "failed", "abstained", "failed", "ok", "abstained"]
    assert table["score"].to_pylist() == [1.0, None, None, None, None, None]
    assert table["label"].to_pylist() == [None, None, None, None, "fine", None]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, np.nan, 0.0, 1.5]),
            st.sampled_from([None, "x", "y"]),
            st.sampled_from(["ok", "abstained", "failed"]),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_status_score_and_label_agree_as_in_a_judgment(
    rows: list[tuple[float | None, str | None, str]],
) -> None:
    score, label, status = zip(*rows, strict=True)
    items = [str(i) for i in range(len(rows))]
    table = to_table(
        {
            "item": items,
            "judge": "j",
            "score": pa.array(score, pa.float64()),
            "label": pa.array(label, pa.string()),
            "status": status,
        }
    )
    for row, (x, text, state) in zip(table.to_pylist(), rows, strict=True):
        empty = (x is None or np.isnan(x)) and text is None
        expected = "failed" if state == "ok" and empty else state
        assert row["status"] == expected
        assert row["label"] == (text if expected == "ok" else None)
        assert row["score"] == (x if expected == "ok" and x is not None and x == x else None)  # noqa: PLR0124 - NaN


def test_no_rows() -> None:
    assert to_table({"item": [], "judge": []}).num_rows == 0
    assert to_table({"item": pa.array([], pa.string()), "judge": "j", "score": []}).num_rows == 0


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"mood": "fine"}, "unknown column 'mood'; known columns: run, system, item"),
        ({"item": None}, "^columns: column 'item' is required"),
        ({"judge": None}, "column 'judge' is required"),
        ({"score": [1.0]}, "column 'score' has 1 rows where the others have 3"),
        ({"item": ["a", None, "c"]}, "columns: row 2: column 'item' is empty; every row needs one"),
        ({"item": ["a", "b", ""]}, "row 3: column 'item' has ''; every row needs a name there"),
        ({"judge": ""}, "row 1: column 'judge' has ''"),
        ({"criterion": ["x", "y", None]}, "row 3: column 'criterion' is empty"),
        ({"status": ["ok", "okay", "ok"]}, "row 2: column 'status' has 'okay'; it must be one of"),
        ({"judge_kind": "robot"}, "row 1: column 'judge_kind' has 'robot'; it must be one of llm"),
        ({"scale": [None, "stars", None]}, "row 2: column 'scale' has 'stars'; scale kind 'stars'"),
        ({"scale": "ordinal:5:1"}, "row 1: column 'scale' has 'ordinal:5:1'; scale ordinal:5:1"),
        ({"confidence": [0, 1, 1.01]}, "row 3: column 'confidence' has 1.01; it must be at most 1"),
        ({"confidence": [-0.1, 1, 1]}, "row 1: column 'confidence' has -0.1; it must be at least"),
        ({"order": [0, 1, 2]}, "row 3: column 'order' has 2; it must be at most 1"),
        ({"repeat": [0, -1, 2]}, "row 2: column 'repeat' has -1; it must be at least 0"),
        ({"cost": -1.0}, "row 1: column 'cost' has -1.0; it must be at least 0"),
        ({"epoch": [1, 1.5, 2]}, "column 'epoch': Float value 1.5"),
        ({"epoch": 1.5}, "column 'epoch': Float value 1.5"),
        ({"score": ["1", "good", "2"]}, "column 'score': Failed to parse string: 'good'"),
        ({"score": "good"}, "column 'score': Failed to parse string: 'good'"),
        ({"item": [{"a": 1}] * 3}, "column 'item': Unsupported cast from struct"),
        ({"item": ["a", "\ud800", "c"]}, "column 'item': 'utf-8' codec can't encode"),
        ({"item": ["a", 1, "c"]}, "column 'item': "),
        ({"input_tokens": [2**80, 1, 1]}, "column 'input_tokens': "),
    ],
)
def test_refuses_with_column_row_and_rule(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError, match=message) as error:
        to_table({"item": ["a", "b", "c"], "judge": "j", "score": 1.0, **columns})
    assert "\n" not in str(error.value)


def test_errors_name_the_source() -> None:
    with pytest.raises(SourceError, match=r"^votes\.csv: row 1: column 'item'") as error:
        to_table({"item": [None], "judge": "j"}, source="votes.csv")
    assert (error.value.source, error.value.place) == ("votes.csv", "row 1")


@pytest.mark.parametrize(
    ("confidence", "source", "message"),
    [
        ([7.5, 0.5], ["margin", "margin"], None),
        ([7.5, 0.5], ["margin", None], None),
        (
            [0.5, 7.5],
            ["margin", "logprobs"],
            "row 2: column 'confidence' has 7.5; it must be at most",
        ),
        ([0.5, -7.5], ["margin", None], "row 2: column 'confidence' has -7.5; it must be at least"),
        ([0.5, np.inf], ["logprobs", "margin"], "row 2: .* has inf; a margin must be finite"),
    ],
)
def test_confidence_off_the_unit_is_a_margin_or_refused(
    confidence: list[float], source: list[str | None], message: str | None
) -> None:
    columns = {
        "item": ["a", "b"],
        "judge": "r",
        "score": [1.0, 0.0],
        "confidence": confidence,
        "confidence_source": source,
    }
    if message is None:
        assert to_table(columns)["confidence"].to_pylist() == confidence
        return
    with pytest.raises(SourceError, match=message):
        to_table(columns)
