from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from panopt.errors import AskError
from panopt.records.ask import Ask, Reading, checked


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0}, "^option alpha = 0: Input should be greater than 0$"),
        ({"alpha": 1}, "option alpha = 1: Input should be less than 1"),
        ({"alpha": float("nan")}, "option alpha = nan: "),
        ({"delta": 0.51}, "option delta = 0.51: Input should be less than or equal to 0.5"),
        ({"level": 95}, "option level = 95: Input should be less than 1"),
        ({"threshold": -0.1}, "option threshold = -0.1: .* greater than or equal to 0"),
        ({"min_successful": 0}, "option min_successful = 0"),
        ({"seed": -1}, "option seed = -1"),
        ({"n_boot": -1}, "option n_boot = -1"),
        ({"alfa": 0.1}, "option alfa = 0.1: Extra inputs are not permitted"),
        ({"criterion": (1,)}, r"option criterion\.0 = 1: Input should be a valid string"),
    ],
)
def test_bad_options_are_named_with_value_and_rule(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AskError, match=message) as error:
        checked(Ask, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scorers": "people"}, "option scorers = 'people': .*'auto', 'judges' or 'criteria'"),
        ({"keys": "x"}, "option keys = 'x'"),
        ({"off_scale": "ignore"}, "option off_scale = 'ignore': .*'error' or 'fail'"),
        ({"tier": "slow"}, "option tier = 'slow'"),
        ({"judge_kind": "robot"}, "option judge_kind = 'robot'"),
        ({"labels": "x.csv"}, "option labels = 'x.csv': Extra inputs"),
    ],
)
def test_bad_options_of_reading(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AskError, match=message):
        checked(Reading, **options)


def test_an_ask_error_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="option alpha"):
        checked(Ask, alpha=2)


def test_options_are_frozen_and_have_defaults() -> None:
    ask = checked(Ask)
    assert (ask.alpha, ask.delta, ask.level, ask.threshold, ask.aggregate) == (
        0.1,
        0.1,
        0.95,
        0.5,
        "auto",
    )
    with pytest.raises(ValidationError, match="frozen"):
        setattr(ask, "alpha", 0.2)  # noqa: B010 - what mypy would refuse
