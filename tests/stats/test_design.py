"""Decision study: formulas, the search, what is said where there is no design."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from panopt.stats.components import VarianceComponents, variance_components
from panopt.stats.design import decision_study

Floats = NDArray[np.float64]


def pilot(n: int = 60, k: int = 5, r: int = 3, *, judge: float = 0.02) -> VarianceComponents:
    rng = np.random.default_rng(0)
    y = (
        0.25 * rng.normal(size=(n, 1, 1))
        + judge * rng.normal(size=(1, k, 1))
        + 0.15 * rng.normal(size=(n, k, 1))
        + 0.2 * rng.normal(size=(n, k, r))
    )
    items, judges, _ = np.indices(y.shape).reshape(3, -1)
    return variance_components(items, judges, y.ravel())


def variance(parts: VarianceComponents, i: int, j: int, r: int, *, fixed: bool) -> float:
    item, judge, cross, repeat = parts.values().tolist()
    return float(item / i + cross / (i * j) + repeat / (i * j * r) + (0 if fixed else judge / j))


def test_standard_errors_follow_the_formula() -> None:
    parts = pilot()
    found = decision_study(parts, se=0.03)
    for one in (*found.designs, *found.designs_fixed, found.pilot):
        i, j, r = one.items, one.judges, one.repeats
        assert one.se.value == pytest.approx(variance(parts, i, j, r, fixed=False) ** 0.5)
        assert one.se_fixed.value == pytest.approx(variance(parts, i, j, r, fixed=True) ** 0.5)
        _, judge, cross, repeat = parts.values().tolist()
        response = (judge + cross + repeat / r) / j
        assert one.se_response.value == pytest.approx(response**0.5)
        assert one.se_response_fixed.value == pytest.approx((repeat / (j * r)) ** 0.5)
    assert (found.pilot.items, found.pilot.judges, found.pilot.repeats) == (60, 5, 3)


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize(("call", "item"), [(1.0, 0.0), (1.0, 5.0), (0.0, 1.0), (0.2, 0.7)])
def test_the_cheapest_design_is_the_one_a_full_search_finds(
    *, fixed: bool, call: float, item: float
) -> None:
    parts = pilot(judge=0.05)
    wanted = 0.04
    found = decision_study(
        parts, se=wanted, cost_call=call, cost_item=item, max_judges=5, max_repeats=3
    )
    best = min(
        i * item + i * j * r * call
        for i, j, r in itertools.product(range(2, 400), range(1, 6), range(1, 4))
        if variance(parts, i, j, r, fixed=fixed) <= wanted**2
    )
    cheapest = found.cheapest_fixed if fixed else found.cheapest
    assert cheapest is not None
    assert cheapest.cost == pytest.approx(best)
    error = cheapest.se_fixed if fixed else cheapest.se
    assert error.value is not None
    assert error.value <= wanted
    assert error.low is not None
    assert error.high is not None
    assert error.low <= error.value <= error.high


def test_these_judges_are_never_more_than_there_are() -> None:
    found = decision_study(pilot(k=3), se=0.05, max_judges=10)
    assert max(one.judges for one in found.designs_fixed) == 3
    assert max(one.judges for one in found.designs) == 10


def test_dear_items_ask_for_more_judges() -> None:
    parts = pilot()
    cheap = decision_study(parts, se=0.03, cost_item=0.0).cheapest_fixed
    dear = decision_study(parts, se=0.03, cost_item=50.0).cheapest_fixed
    assert cheap is not None
    assert dear is not None
    assert (cheap.judges, cheap.repeats) == (1, 1)
    assert dear.judges == 5
    assert dear.items < cheap.items


def test_no_number_of_items_makes_up_for_judges_that_differ() -> None:
    parts = pilot(judge=0.5)
    found = decision_study(parts, se=0.02, max_judges=10)
    assert found.cheapest is None
    assert found.reason is not None
    needed = int(found.reason.split("at least ")[1].split()[0])
    assert "no number of items reaches 0.02 with 10 judges or fewer" in found.reason
    assert decision_study(parts, se=0.02, max_judges=needed).cheapest is not None
    assert decision_study(parts, se=0.02, max_judges=needed - 1).cheapest is None
    assert found.cheapest_fixed is not None


def test_without_repeats_no_design_has_them() -> None:
    found = decision_study(pilot(r=1), se=0.04, max_repeats=5)
    assert {one.repeats for one in (*found.designs, *found.designs_fixed)} == {1}
    assert found.pilot.se_response.value is not None
    assert found.pilot.se_response_fixed.reason is not None
    assert "no judge scored an item twice" in found.pilot.se_response_fixed.reason


def test_one_judge_speaks_only_for_itself() -> None:
    found = decision_study(pilot(k=1), se=0.04)
    assert found.cheapest is None
    assert found.reason is not None
    assert "no item has scores of two judges" in found.reason
    assert {one.judges for one in found.designs_fixed} == {1}
    assert found.pilot.se.reason == found.reason


def test_constant_scores_and_single_items_give_no_design() -> None:
    constant = variance_components([0, 0, 1, 1], [0, 1, 0, 1], [0.5] * 4)
    found = decision_study(constant, se=0.1)
    assert found.designs == found.designs_fixed == ()
    assert found.reason == "all scores of a system are equal: nothing is known of how they vary"
    single = decision_study(variance_components([0, 0], [0, 1], [0.1, 0.4]), se=0.1)
    assert single.pilot.se_fixed.value is None
    assert single.reason_fixed is not None


def test_a_wish_beyond_any_number_of_items_is_told() -> None:
    found = decision_study(pilot(), se=1e-9)
    assert found.designs_fixed == ()
    assert found.reason_fixed == "1e-09 takes more than 1,000,000,000 items"


def test_systems_count_their_own_items() -> None:
    rng = np.random.default_rng(1)
    items, judges = np.indices((90, 3)).reshape(2, -1)
    system, prompt = np.arange(90) // 30, np.arange(90) % 30
    parts = variance_components(
        items,
        judges,
        rng.normal(size=270) + system[items] * 50,
        system=system,
        clusters=prompt,
    )
    found = decision_study(parts, se=0.5)
    assert found.pilot.items == 30
    assert found.pilot.se_fixed.value is not None
    assert found.pilot.se_fixed.value < 1.0  # systems far apart are no error of a system's mean


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"se": 0.0}, "se = 0.0 must be a finite number above 0"),
        ({"se": np.nan}, "se = nan must be a finite number above 0"),
        ({"se": 1e-300}, r"se = 1e-300 must be from 1e-100 to 1e\+100"),
        ({"se": 1e300}, r"se = 1e\+300 must be from 1e-100 to 1e\+100"),
        ({"cost_item": 1e308}, r"cost_item = 1e\+308 must be 1e\+100 or less"),
        ({"cost_call": -1.0}, "cost_call = -1.0 must be a finite number, not below 0"),
        ({"cost_item": np.inf}, "cost_item = inf must be a finite number"),
        ({"cost_call": 0.0}, "cost_call = cost_item = 0; one of them"),
        ({"max_judges": 0}, "max_judges = 0 must be 1 or more"),
        ({"max_repeats": -2}, "max_repeats = -2 must be 1 or more"),
        (
            {"max_judges": 10_000, "max_repeats": 10},
            "max_judges . max_repeats = 100000 must be",
        ),
    ],
)
def test_bad_options_are_named(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decision_study(pilot(), **({"se": 0.1} | options))  # type: ignore[arg-type]


def test_a_standard_error_out_of_all_reach_is_told_in_readable_numbers() -> None:
    found = decision_study(pilot(), se=1e-50)
    assert found.reason == "1e-50 takes more than 1,000,000,000 judges"
    assert found.reason_fixed == "1e-50 takes more than 1,000,000,000 items"
