from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from panopt.findings import Finding, Findings, finite


def finding(**fields: object) -> Finding:
    base = {
        "plugin": "p",
        "name": "mean",
        "criterion": "tone",
        "value": 0.5,
        "low": 0.4,
        "high": 0.6,
        "level": 0.95,
        "n": 10,
        "method": "by hand",
    }
    return Finding.model_validate({**base, **fields})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"value": None}, "finding 'mean' has no value and no reason"),
        ({"value": None, "reason": ""}, "has no value and no reason"),
        ({"low": None}, "has neither interval nor no_interval"),
        ({"high": None}, "has neither interval nor no_interval"),
        ({"low": 0.7}, r"low 0\.7 is above high 0\.6"),
        ({"level": None}, "has an interval without a level"),
        ({"level": 1}, "less than 1"),
        ({"value": float("nan")}, "finite number"),
        ({"high": float("inf")}, "finite number"),
        ({"n": -1}, "greater than or equal to 0"),
        ({"subject_kind": "crowd"}, "'panel', 'judge', 'judge_pair'"),
        ({"mood": "fine"}, "Extra inputs are not permitted"),
    ],
)
def test_refuses_what_is_not_honest(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        finding(**fields)


def test_a_value_may_stand_without_an_interval_for_a_reason() -> None:
    assert finding(low=None, high=None, level=None, no_interval="one response").value == 0.5
    assert finding(value=None, low=None, high=None, level=None, reason="no labels").value is None


def test_named_and_subject() -> None:
    rows = (finding(subject="a"), finding(subject="b"), finding(name="bias", subject="a"))
    found = Findings(rows)
    assert found.named("mean") == rows[:2]
    assert found.named("mean", subject="b") == rows[1:2]
    assert found.named("other") == ()
    assert (len(found), tuple(found)) == (3, rows)


def test_merge_refuses_two_columns_of_a_name() -> None:
    one = Findings((finding(),), {"low": np.zeros(2)}, ("note one",))
    two = Findings((finding(subject="b"),), {"high": np.ones(2)}, ("note two",))
    both = Findings.merge([one, two])
    assert len(both) == 2
    assert sorted(both.columns) == ["high", "low"]
    assert both.notes == ("note one", "note two")
    assert Findings.merge([]) == Findings()
    with pytest.raises(ValueError, match="two analyzers give a column 'low'"):
        Findings.merge([one, one])


def test_finite() -> None:
    assert finite(np.float64(0.25)) == 0.25
    assert finite(np.float64(np.nan)) is None
    assert finite(-np.inf) is None
    assert isinstance(finite(np.float64(1)), float)
