"""Power of comparisons by judges like these: simulation, the noncentral t, and designs."""

from __future__ import annotations

import numpy as np
import pytest

from panopt.stats.components import variance_components
from panopt.stats.design import decision_study
from panopt.stats.detectable import power_of
from panopt.stats.judge_sample import judged_difference
from panopt.stats.judged_power import judged_power


@pytest.mark.parametrize(
    ("judges", "items", "judge", "item", "rest", "effect"),
    [
        (2, 39, 0.0004, 0.0064, 0.01, 0.05),
        (3, 84, 0.0, 0.0064, 0.01, 0.03),
        (5, 45, 0.0009, 0.04, 0.04, 0.1),
        (4, 40, 0.0, 0.0, 0.01, 0.02),
    ],
)
def test_power_by_simulation(  # noqa: PLR0917 - a design
    judges: int, items: int, judge: float, item: float, rest: float, effect: float
) -> None:
    rng, runs, shown = np.random.default_rng(2), 600, 0
    for _ in range(runs):
        seen = effect + rng.normal(0, judge**0.5, judges) + rng.normal(0, item**0.5, (items, 1))
        found = judged_difference(seen + rng.normal(0, rest**0.5, (items, judges)))
        assert found.low is not None
        shown += found.low > 0
    power = judged_power(effect, judges=judges, items=items, judge=judge, item=item, rest=rest)
    assert abs(shown / runs - power) <= 3 * np.sqrt(power * (1 - power) / runs) + 0.003


def test_items_alone_are_the_noncentral_t() -> None:
    found = judged_power(0.1, judges=3, items=60, judge=0.0, item=0.09, rest=0.0, sides=1)
    assert found == pytest.approx(power_of(0.3, 0.1, 60, sides=1), abs=0.003)


def test_one_judge_or_one_item_shows_nothing() -> None:
    assert judged_power(0.5, judges=1, items=1000, judge=0.0, item=0.01, rest=0.01) == 0.0
    assert judged_power(0.5, judges=5, items=1, judge=0.0, item=0.01, rest=0.01) == 0.0
    assert judged_power(0.5, judges=3, items=3, judge=0.0, item=0.0, rest=0.0) == 1.0


def test_designs_are_the_least_that_are_enough() -> None:
    rng = np.random.default_rng(4)
    seen = rng.normal(0, 0.01, 6) + rng.normal(0, 0.1, (60, 1)) + rng.normal(0, 0.1, (60, 6))
    item, judge = np.indices(seen.shape).reshape(2, -1)
    pilot = variance_components(item, judge, seen.ravel(), rng=rng)
    own, liking, rest, _ = pilot.values().tolist()

    def power(items: int, judges: int) -> float:
        return judged_power(0.06, judges=judges, items=items, judge=liking, item=own, rest=rest)

    def enough(items: int, judges: int, repeats: int, alike: bool) -> bool:  # noqa: FBT001
        assert repeats == 1
        return not alike or power(items, judges) >= 0.8

    free = decision_study(pilot, se=0.06 / 2.8)
    found = decision_study(pilot, se=0.06 / 2.8, enough=enough)
    assert power(free.designs[0].items, free.designs[0].judges) < 0.4
    assert found.designs_fixed == free.designs_fixed
    for one in found.designs:
        assert enough(one.items, one.judges, 1, True)  # noqa: FBT003 - as it is called
        before = next(each.items for each in free.designs if each.judges == one.judges)
        assert one.items == before or not enough(one.items - 1, one.judges, 1, True)  # noqa: FBT003
    none = decision_study(pilot, se=0.06 / 2.8, max_judges=1, enough=enough)
    assert none.reason == "no number of items is enough with 1 judges or fewer"
