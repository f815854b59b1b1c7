"""The certificate of a cascade as a record: whole, unambiguous, and apart from a panel's."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from panopt.errors import CertificateError
from panopt.records.certificate import ALWAYS, Certificate
from panopt.stats.binomial import risk_upper

STAGES: list[dict[str, Any]] = [
    {
        "judge": "cheap",
        "threshold": 0.9,
        "source": "logprobs",
        "unit": True,
        "draws": 1,
        "cost": 0.1,
        "n": 40,
        "errors": 1,
        "seen": [
            {"confidence": None, "count": 5},
            {"confidence": 0.5, "count": 55},
            {"confidence": 1.0, "count": 40},
        ],
    },
    {
        "judge": "mid",
        "threshold": None,
        "source": "vote share over repeats",
        "unit": True,
        "draws": 5,
        "cost": 1.0,
        "n": 0,
        "errors": 0,
        "seen": [{"confidence": 0.6, "count": 60}],
    },
    {
        "judge": "strong",
        "threshold": -1.5,
        "source": "margin of rewards",
        "unit": False,
        "draws": 1,
        "cost": 10.0,
        "n": 30,
        "errors": 2,
        "seen": [{"confidence": -7.5, "count": 30}, {"confidence": 2.5, "count": 30}],
    },
]

CONTENT: dict[str, Any] = {
    "format": 2,
    "scope": {
        "criterion": "score",
        "scale": "binary",
        "judges": [
            {"name": name, "kind": "llm", "scale": "binary", "prompts": [prompt]}
            for name, prompt in (("cheap", "c1"), ("mid", "m1"), ("strong", None))
        ],
        "aggregate": "cascade",
        "confidence": "deciding judge's own",
        "threshold": 0.5,
        "min_successful": 1,
    },
    "deciding": STAGES,
    "alpha": 0.1,
    "delta": 0.1,
    "n": 56,
    "errors": 2,
    "bound": float(risk_upper(2, 56, 0.1)),
    "level": 0.1,
    "coverage": 0.7,
    "expected_cost": 6.1,
    "n_labels": 100,
    "n_tied": 0,
    "n_undecided": 0,
    "n_responses": 200,
    "promised": "of the trusted verdicts",
    "method": "joint_path",
    "assumption": "labels are a random sample",
    "seed": 0,
    "data": "0" * 64,
    "date": "2026-03-01",
    "versions": {},
}


def made(**changes: object) -> Certificate:
    return Certificate.model_validate({**CONTENT, **changes})


def staged(place: int, **changes: object) -> list[dict[str, Any]]:
    return [{**stage, **(changes if s == place else {})} for s, stage in enumerate(STAGES)]


def test_it_comes_back_as_it_was_with_null_for_a_judge_that_never_decides() -> None:
    text = made().to_json()
    assert Certificate.from_json(text) == made()
    assert Certificate.from_json(text).to_json() == text
    assert [stage["threshold"] for stage in json.loads(text)["deciding"]] == [0.9, None, -1.5]


def test_stages_are_in_their_order_and_the_panel_has_none() -> None:
    assert [stage.judge for stage in made().stages] == ["cheap", "mid", "strong"]
    assert made().asked == ("cheap", "strong")
    assert made().threshold == np.inf
    assert made().stage("strong").cost == 10.0


def test_an_edit_is_noticed() -> None:
    text = made().to_json().replace('"cost": 0.1', '"cost": 0.2')
    with pytest.raises(CertificateError, match="was changed after it was made"):
        Certificate.from_json(text)


@pytest.mark.parametrize(
    ("judge", "confidence", "decides"),
    [
        ("cheap", 0.9, True),
        ("cheap", 0.8999, False),
        ("cheap", None, False),
        ("cheap", math.nan, False),
        ("mid", 1.0, False),
        ("strong", -1.5, True),
        ("strong", -1.6, False),
        ("strong", 1e9, True),
    ],
)
def test_a_judge_decides_at_its_threshold(
    judge: str, confidence: float | None, *, decides: bool
) -> None:
    assert made().decides(judge, confidence) is decides


@pytest.mark.parametrize(
    ("judge", "confidence", "message"),
    [
        ("cheap", 1.1, r"confidence = 1\.1 of judge 'cheap' \(logprobs\) must be in \[0, 1\]"),
        ("cheap", -0.1, r"must be in \[0, 1\]"),
        ("cheap", math.inf, r"must be in \[0, 1\]"),
        ("strong", math.inf, "must be a finite number"),
    ],
)
def test_confidence_off_its_range_is_refused(judge: str, confidence: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made().decides(judge, confidence)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_always_is_below_every_finite_margin(confidence: float) -> None:
    always = staged(2, threshold=ALWAYS, n=60)
    assert made(deciding=always, coverage=1.0).decides("strong", confidence)


def test_a_judge_without_a_stage_is_named() -> None:
    with pytest.raises(CertificateError, match="has no judge 'gpt'; its cascade is 'cheap', 'mid'"):
        made().stage("gpt")


def test_what_reached_a_judge_is_given_response_by_response() -> None:
    assert made().stages[0].confidences().tolist() == [ALWAYS] * 5 + [0.5] * 55 + [1.0] * 40


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 1}, "format 1, of a panel, has `seen`, no stages"),
        ({"format": 3}, "format"),
        ({"expected_cost": None}, "format 2, of a cascade, has stages and expected_cost"),
        ({"seen": [{"votes": 1, "confidence": 1, "count": 100}]}, "no `seen`"),
        ({"deciding": [{"judge": "cheap", "threshold": 0.9}]}, "format 2, of a cascade"),
        ({"deciding": STAGES[:2]}, "the stages are of .*, the scope is of"),
        ({"n_labels": 99}, "seen counts 100 labels, not the 99"),
        ({"alpha": 0.05}, r"2 errors in 56 do not prove alpha = 0\.05"),
        ({"method": "per_stage"}, "the stages' n do not add up to n = 56"),
        (
            {"method": "per_stage", "n": 70, "errors": 3},
            r"level = 0\.1 must not be above delta / 3",
        ),
        (
            {"method": "per_stage", "n": 70, "errors": 3, "level": 0.03},
            "1 errors in 40 do not prove",
        ),
        ({"deciding": staged(0, errors=41)}, "'cheap' has 41 errors in 40"),
        ({"deciding": staged(1, n=1)}, "'mid' never decides, but decided 1"),
        ({"deciding": staged(0, n=39)}, "'cheap' decides 40 of its `seen`, not n = 39"),
        (
            {"deciding": staged(1, seen=[{"confidence": 0.6, "count": 61}])},
            "60 labelled responses reach 'mid', not its `seen`",
        ),
        ({"deciding": staged(2, n=61)}, "'strong' decided 61 of 60"),
        ({"deciding": staged(2, unit=True)}, r"'strong' has confidences off \[0, 1\]"),
        ({"deciding": staged(0, draws=0)}, "greater than or equal to 1"),
        ({"deciding": staged(0, source="")}, "at least 1 character"),
        ({"deciding": staged(0, threshold=0.4)}, "'cheap' decides 95 of its `seen`, not n = 40"),
        ({"deciding": staged(2, threshold=-9.0)}, "'strong' decides 60 of its `seen`, not n = 30"),
        ({"deciding": staged(2, n=29)}, "'strong' decides 30 of its `seen`, not n = 29"),
        ({"deciding": staged(2, cost=1.0)}, r"the stages cost 0\.7 a response, not expected_cost"),
        ({"expected_cost": 0.1}, r"cost 6\.1 a response, not expected_cost = 0\.1"),
        ({"errors": 4}, r"4 errors in n = 56 are no part of the stages' 3 errors in 70"),
        ({"n": 69, "errors": 1}, r"1 errors in n = 69 are no part of the stages' 3 errors in 70"),
        ({"coverage": 0.9}, r"coverage = 0\.9 does not follow from 70 trusted of 100 labels"),
        ({"bound": 0.01}, r"bound = 0\.01 does not follow: 2 errors in 56 at level 0\.1"),
        ({"level": 0.09}, r"bound = .* does not follow: 2 errors in 56 at level 0\.09"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        made(**changes)


def test_a_cascade_in_which_nobody_decides_is_none() -> None:
    never = [{**stage, "threshold": None, "n": 0, "errors": 0} for stage in STAGES]
    never[1]["seen"] = never[2]["seen"] = [{"confidence": 0.5, "count": 100}]
    with pytest.raises(ValidationError, match="no judge of the cascade ever decides"):
        made(deciding=never)
