"""Options of early stopping: what they mean, and what is refused before a task starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inspect_ai.scorer import Score, Value

from panopt.errors import AskError
from panopt.shims.inspect.live.early_stopping import stop_when_settled
from panopt.shims.inspect.live.early_stopping_claim import claim_of
from panopt.shims.inspect.live.early_stopping_values import Measure


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "nothing to settle: give above, below, max_drop, better or width"),
        ({"above": 0.5, "below": 0.5}, "above and below are claims each: give one"),
        ({"above": 1.0}, "above = 1.0 must be a number between 0 and 1"),
        ({"above": 0.0}, "above = 0.0 must be a number between 0 and 1"),
        ({"below": "0.5"}, "below = '0.5' must be a number between 0 and 1"),
        ({"above": float("nan")}, "above = nan must be a number"),
        ({"above": True}, "above = True must be a number"),
        ({"max_drop": 0.1}, "max_drop is about a difference: give the baseline, too"),
        ({"better": True}, "better is about a difference: give the baseline, too"),
        ({"max_drop": -0.1, "paired": True}, "max_drop = -0.1 must be a number from 0 to below 1"),
        ({"max_drop": 0.1, "better": True, "paired": True}, "max_drop and better are claims each"),
        ({"above": -1.0, "paired": True}, "above = -1.0 must be a number between -1 and 1"),
        ({"width": 0.0}, "width = 0.0 must be a number between 0 and 1"),
        ({"width": 2.5, "paired": True}, "width = 2.5 must be a number between 0 and 2"),
        ({"above": 0.5, "alpha": 1.0}, "alpha = 1.0 must be a number between 0 and 1"),
        ({"above": 0.5, "min_items": 0}, "min_items = 0 must be a whole number, 1 or more"),
        ({"above": 0.5, "min_items": 2.5}, "min_items = 2.5 must be a whole number"),
        ({"above": 0.5, "population": "all"}, "population = 'all' must be one of 'dataset', 'it"),
        ({"above": 0.5, "score_range": (1, 0)}, r"score_range = \(1, 0\) must be two numbers"),
        ({"above": 0.5, "score_range": 5}, "score_range = 5 must be two numbers"),
    ],
)
def test_claims_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AskError, match=message):
        claim_of(**options)


def test_options_of_the_task_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(AskError, match=r"baseline = '.*none\.eval' is no file"):
        stop_when_settled(better=True, baseline=tmp_path / "none.eval")
    with pytest.raises(AskError, match="scorer = ' ' must be a name"):
        stop_when_settled(above=0.5, scorer=" ")
    with pytest.raises(AskError, match="value_to_float = 3 must be a function"):
        stop_when_settled(above=0.5, value_to_float=3)  # type: ignore[arg-type]


def test_claims_are_settled_either_way() -> None:
    above, below = claim_of(above=0.6), claim_of(below=0.6)
    assert (above.verdict(0.61, 0.9), below.verdict(0.61, 0.9)) == ("shown", "refuted")
    assert (above.verdict(0.1, 0.59), below.verdict(0.1, 0.59)) == ("refuted", "shown")
    assert above.verdict(0.6, 0.9) is None
    assert above.verdict(0.9, 0.7) is None  # empty: nothing follows
    narrow = claim_of(above=0.6, width=0.1)
    assert narrow.verdict(0.55, 0.65) == "narrow enough"
    assert narrow.verdict(0.61, 0.65) == "shown"
    worse = claim_of(max_drop=0.05, paired=True)
    assert (worse.verdict(-0.04, 0.2), worse.verdict(-0.3, -0.06)) == ("shown", "refuted")
    assert claim_of(better=True, paired=True).verdict(0.01, 0.2) == "shown"
    likert = claim_of(above=3.5, score_range=(1, 5))
    assert likert.words("jury.panel") == "mean jury.panel is above 3.5"


def read(
    value: Value,
    key: str | None = None,
    **options: Any,  # noqa: ANN401 - of Measure
) -> tuple[float | None, str | None]:
    measure = Measure("own", key, options.pop("to_float", None), 0.0, 1.0)
    return measure.read({"own": Score(value=value, **options)})


def test_values_become_numbers_or_say_why_not() -> None:
    assert [read(value)[0] for value in ("C", "P", "I", True, 0.25, "0.5", "yes")] == [
        1.0,
        0.5,
        0.0,
        1.0,
        0.25,
        0.5,
        1.0,
    ]
    assert read("N") == (None, "no answer (N)")
    assert read(float("nan"), reason="grader_failed") == (None, "grader_failed")
    assert read({"a": 1, "b": float("nan")}, "a") == (1.0, None)
    assert read({"a": 1, "b": float("nan")}, "b")[0] is None
    assert read(float("nan"), "a")[0] is None  # a jury that broke has no dict
    assert Measure("other", None, None, 0.0, 1.0).read({}) == (None, "no score of other")
    assert read("good", to_float=lambda value: float(value == "good")) == (1.0, None)
    assert read(float("nan"), to_float=lambda _: 1.0)[0] is None


@pytest.mark.parametrize(
    ("value", "key", "message"),
    [
        ("good", None, "own gives 'good', which is no number; give value_to_float="),
        (7, None, r"own gives 7, off score_range = \(0, 1\)"),
        ([1, 0], None, "own gives a list; give value_to_float="),
        ({"a": 1, "b": 0}, None, r"own gives a dict: name one of its keys \('a', 'b'\) by key="),
        ({"a": 1}, "c", "key = 'c' is none of own's: 'a'"),
        (1, "c", "key = 'c': own gives no dict, but 1"),
    ],
)
def test_values_that_cannot_count_are_named(value: Any, key: str | None, message: str) -> None:  # noqa: ANN401 - a score's
    with pytest.raises(AskError, match=message):
        read(value, key)
