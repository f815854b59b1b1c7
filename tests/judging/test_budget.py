"""A budget is never overspent by calls under way, and says what it cannot bound."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panopt.errors import AskError
from panopt.judging import Budget, Usage


def test_calls_are_set_aside_before_they_start() -> None:
    budget = Budget(calls=3)
    held = budget.reserve("a", 2)
    assert held is not None
    assert budget.reserve("b", 2) is None, "all or none"
    one = budget.reserve("b")
    assert one is not None
    assert (budget.exhausted, budget.refused) == (True, 2)
    budget.release(one[0])
    assert not budget.exhausted
    for hold in held:
        budget.settle(hold, Usage(calls=1))
        budget.settle(hold, Usage(calls=1))  # settled once
        budget.release(hold)
    assert budget.spent.calls == 2


def test_tokens_and_cost_are_expected_from_the_dearest_call_so_far() -> None:
    budget = Budget(tokens=100, cost=1.0)
    (hold,) = budget.reserve("a") or ()
    budget.settle(hold, Usage(1, 30, 10, 0.1))
    assert budget.reserve("a", 2) is None, "two more of 40 would be 120"
    assert budget.reserve("cheap", 5) is not None, "another judge is not known to be dear"
    assert budget.reserve("a") is not None


def test_a_stated_worst_case_bounds_the_first_calls_too() -> None:
    budget = Budget(cost=1.0, per_call=Usage(1, cost=0.3))
    assert budget.reserve("a", 3) is not None
    assert budget.reserve("b") is None


def test_ten_dimes_make_a_dollar() -> None:
    budget = Budget(cost=1.0, per_call=Usage(1, cost=0.1))
    held = [budget.reserve("a") for _ in range(10)]
    assert None not in held
    assert budget.reserve("a") is None


def test_a_call_broken_off_is_charged_what_was_set_aside() -> None:
    budget = Budget(calls=5, cost=1.0, per_call=Usage(1, cost=0.25))
    (hold,) = budget.reserve("a") or ()
    budget.settle(hold, None)
    assert budget.spent == Usage(1, 0, 0, 0.25)


def test_what_is_not_told_is_counted_and_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    budget = Budget(cost=1.0)
    with caplog.at_level(logging.WARNING):
        for hold in budget.reserve("a", 2) or ():
            budget.settle(hold, Usage(calls=1))
    assert budget.untold == 2
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("judge 'a' does not tell its tokens or cost")
    assert Budget(calls=2).untold == 0


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(1, 3), st.sampled_from(["ok", "cut", "back"])),
        max_size=20,
    ),
    st.integers(1, 12),
)
def test_what_is_held_and_spent_never_passes_the_limit_and_all_of_it_returns(
    steps: list[tuple[str, int, str]], limit: int
) -> None:
    budget = Budget(calls=limit, cost=0.25 * limit, per_call=Usage(1, cost=0.25))
    open_holds: list[Any] = []
    for judge, n, end in steps:
        open_holds += budget.reserve(judge, n) or ()
        assert budget.spent.calls + len(open_holds) <= limit
        if open_holds:
            hold = open_holds.pop(0)
            if end == "back":
                budget.release(hold)
            else:
                budget.settle(hold, Usage(1, cost=0.25) if end == "ok" else None)
    for hold in open_holds:
        budget.release(hold)
    left = limit - budget.spent.calls
    assert budget.exhausted == (left == 0)
    assert left == 0 or budget.reserve("a", left) is not None
    assert budget.reserve("a") is None


def test_threads_never_overspend_together() -> None:
    budget = Budget(calls=500)

    def work(_: int) -> int:
        done = 0
        for _ in range(100):
            for hold in budget.reserve("a", 2) or ():
                budget.settle(hold, Usage(calls=1))
                done += 1
        return done

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 500
    assert budget.spent.calls == 500


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"calls": 0}, r"budget calls = 0 must be a whole number above 0, or None"),
        ({"calls": 1.5}, r"budget calls = 1\.5 must be a whole number above 0"),
        ({"calls": True}, r"budget calls = True must be a whole number above 0"),
        ({"tokens": -3}, r"budget tokens = -3 must be a whole number above 0"),
        ({"cost": float("nan")}, r"budget cost = nan must be a number above 0"),
        ({"cost": "5"}, r"budget cost = '5' must be a number above 0"),
    ],
)
def test_bad_limits_name_themselves(limits: dict[str, Any], message: str) -> None:
    with pytest.raises(AskError, match=message):
        Budget(**limits)
    assert "calls=3" in repr(Budget(calls=3))
