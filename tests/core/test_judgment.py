from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from panopt.records.judgment import JUDGE_KINDS, STATUSES, Judgment
from panopt.records.schema import SCHEMA
from panopt.records.study import Study


def test_its_fields_are_the_columns_of_a_study() -> None:
    assert set(Judgment.model_fields) == set(SCHEMA.names)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "an ok judgment needs a score or a label"),
        ({"score": 1, "status": "failed"}, "a judgment that failed has neither score nor label"),
        ({"label": "a", "status": "abstained"}, "a judgment that abstained has neither"),
        ({"score": float("nan")}, "finite number"),
        ({"score": float("inf")}, "finite number"),
        ({"score": 1, "status": "okay"}, "'ok', 'abstained' or 'failed'"),
        ({"score": 1, "judge_kind": "robot"}, "'llm', 'human' or 'program'"),
        ({"score": 1, "item": ""}, "at least 1 character"),
        ({"score": 1, "confidence": 1.5}, "less than or equal to 1"),
        ({"score": 1, "epoch": 0}, "greater than or equal to 1"),
        ({"score": 1, "order": 2}, "Input should be 0 or 1"),
        ({"score": 1, "scale": "stars"}, "scale kind 'stars' is unknown"),
        ({"score": 1, "mood": "fine"}, "Extra inputs are not permitted"),
    ],
)
def test_refuses(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Judgment(**{"item": "a", "judge": "j", **fields})


def test_is_frozen() -> None:
    judgment = Judgment(item="a", judge="j", score=1)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(judgment, "score", 2)  # noqa: B010 - what mypy would refuse


def test_a_study_of_judgments_holds_what_they_hold() -> None:
    rows = [
        Judgment(
            item="a",
            judge="j",
            score=4,
            scale="ordinal:1:5",
            probabilities=(0, 0, 0.25, 0.5, 0.25),
            rationale="good \N{SNOWMAN}",
            order=1,
            input_tokens=7,
            cost=0.25,
            cached=True,
            cluster="c",
        ),
        Judgment(item="b", judge="human", judge_kind="human", label="fine"),
        Judgment(item="b", judge="j", status="failed", error="timeout"),
        Judgment(item="b", judge="j", status="abstained", repeat=1, run="r", system="s", epoch=2),
    ]
    study = Study.from_judgments(rows)
    found = study.table.to_pylist()
    for row, judgment in zip(found, rows, strict=True):
        fields = judgment.model_dump()
        fields["probabilities"] = fields["probabilities"] and list(fields["probabilities"])
        assert row == fields
    assert len(Study.from_judgments([])) == 0


def test_the_order_of_codes_is_part_of_the_contract() -> None:
    assert STATUSES == ("ok", "abstained", "failed")
    assert JUDGE_KINDS == ("llm", "human", "program")


def test_a_margin_may_be_any_number_where_its_source_says_so() -> None:
    told = Judgment(item="a", judge="r", score=1.0, confidence=7.5, confidence_source="Margin of r")
    assert told.confidence == 7.5
    with pytest.raises(ValidationError, match="less than or equal to 1, unless its source begins"):
        Judgment(item="a", judge="r", score=1.0, confidence=7.5, confidence_source="logprobs")
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        Judgment(item="a", judge="r", score=1.0, confidence=-0.1)
