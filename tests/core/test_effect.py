"""``panopt power --effect``: what a pilot could show, and what a wanted difference takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from panopt.effect import plan_effect
from panopt.errors import AskError
from panopt.records.ask import Ask
from panopt.records.study import Study


class Ended(Protocol):
    """How a run of the command ended; see conftest.py."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]
Fails = Callable[..., str]
Table = Callable[..., Path]

#: Standard deviations of a difference: item, judge, item x judge, repeat.
SPREAD = (0.10, 0.0, 0.08, 0.06)


def pilot(
    items: int, *, judges: int = 4, repeats: int = 2, epochs: int = 1, seed: int = 0
) -> Study:
    """Give two systems whose differences have the spreads above."""
    rng = np.random.default_rng(seed)
    shape = (items, judges, repeats)
    item, cross = rng.normal(0, SPREAD[0], (items, 1, 1)), rng.normal(0, SPREAD[2], shape[:2])
    d = item + cross[:, :, None] + rng.normal(0, SPREAD[3], shape)
    rows: dict[str, list[Any]] = {
        name: [] for name in ("item", "system", "judge", "score", "epoch")
    }
    for system, scores in (("a", 0.5 + d / 2), ("b", 0.5 - d / 2)):
        for epoch in range(1, epochs + 1):
            for k in range(items):
                for j in range(judges):
                    for r in range(repeats):
                        rows["item"].append(f"i{k}")
                        rows["system"].append(system)
                        rows["judge"].append(f"j{j}")
                        rows["score"].append(scores[k, j, r])
                        rows["epoch"].append(epoch)
    return Study.from_columns({**rows, "scale": "continuous:0:1"})


def test_the_panel_as_it_is_takes_what_statsmodels_says() -> None:
    (found,) = plan_effect([pilot(300)], effect=0.02, ask=Ask(aggregate="mean"))
    true_sd = np.sqrt(SPREAD[0] ** 2 + SPREAD[2] ** 2 / 4 + SPREAD[3] ** 2 / 8)
    assert found.sd == pytest.approx(true_sd, rel=0.1)
    peer = TTestPower().solve_power(0.02 / (found.sd or 0), None, 0.05, 0.8)
    assert found.items_needed == int(np.ceil(peer))
    least = TTestPower().solve_power(None, 300, 0.05, 0.8) * (found.sd or 0)
    assert found.detectable == pytest.approx(least, rel=1e-4)


def test_designs_follow_the_parts_of_the_variance() -> None:
    (found,) = plan_effect([pilot(400)], effect=0.02, ask=Ask(aggregate="mean"), max_repeats=2)
    assert found.designs is not None
    for design in found.designs.designs_fixed[:6]:
        j, r = design.judges, design.repeats
        variance = SPREAD[0] ** 2 + SPREAD[2] ** 2 / j + SPREAD[3] ** 2 / (j * r)
        expected = variance * ((1.959964 + 0.841621) / 0.02) ** 2
        assert design.items == pytest.approx(expected, rel=0.15)
        assert design.cost == pytest.approx(2 * design.calls)


def test_few_judges_like_these_take_more_than_their_standard_error_says() -> None:
    """Two judges have one degree of freedom, whose t quantile is 12.7, not 1.96; one has none."""
    (found,) = plan_effect([pilot(400)], effect=0.05, ask=Ask(aggregate="mean"), max_repeats=1)
    assert found.designs is not None
    judges = [design.judges for design in found.designs.designs]
    assert judges
    assert min(judges) > 1
    for design in found.designs.designs:
        assert design.se.value is not None
        assert design.se.value < found.designs.wanted
    spare = {one.judges: one.se.value or 0.0 for one in found.designs.designs}
    assert spare[min(judges)] < 0.8 * found.designs.wanted
    assert spare[min(judges)] < spare[max(judges)]


def test_epochs_count_in_what_it_costs() -> None:
    once, thrice = (
        plan_effect([pilot(60, epochs=epochs)], effect=0.03, ask=Ask(aggregate="mean"))[0]
        for epochs in (1, 3)
    )
    assert (once.epochs, thrice.epochs) == (1.0, 3.0)
    assert once.designs is not None
    assert thrice.designs is not None
    assert thrice.designs.designs_fixed[0].cost == 3 * once.designs.designs_fixed[0].cost


def test_a_pilot_that_no_plan_can_be_made_from_is_refused() -> None:
    study = pilot(10)
    even = study.with_column("score", np.full(len(study), 0.5))
    with pytest.raises(AskError, match="no plan from a - b: scores are alike on every item"):
        plan_effect([even], effect=0.1, ask=Ask(aggregate="mean"))
    with pytest.raises(AskError, match="no plan from a - b: one cluster gives no standard error"):
        plan_effect([pilot(1)], effect=0.1, ask=Ask(aggregate="mean"))


def test_one_system_gives_the_bound_of_two_that_have_nothing_in_common() -> None:
    """Var(x - y) is Var x + Var y for unrelated scores: two standard deviations are as sqrt 2."""
    rng = np.random.default_rng(5)
    x = rng.random(200)
    columns = {"item": [f"i{k}" for k in range(200)], "judge": "m", "scale": "continuous:0:1"}
    one = Study.from_columns({**columns, "system": "a", "score": x})
    (found,) = plan_effect([one], effect=0.05, ask=Ask(aggregate="mean"))
    assert (found.a, found.b, found.value, found.designs) == ("a", None, None, None)
    assert found.sd == pytest.approx(np.sqrt(2) * x.std(ddof=1))
    other = Study.from_columns({**columns, "system": "b", "score": rng.permutation(x)})
    (both,) = plan_effect([one, other], effect=0.05, ask=Ask(aggregate="mean"))
    assert found.items_needed == pytest.approx(both.items_needed, rel=0.15)
    near = Study.from_columns(
        {**columns, "system": "b", "score": np.clip(x + rng.normal(0, 0.1, 200), 0, 1)}
    )
    (alike,) = plan_effect([one, near], effect=0.05, ask=Ask(aggregate="mean"))
    assert (alike.items_needed or 0) < (found.items_needed or 0) / 5


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"effect": 0.0}, r"effect = 0\.0 must lie in \(0, 1\]"),
        ({"effect": 4.0}, r"effect = 4\.0 must lie in \(0, 1\]"),
        ({"effect": 0.1, "alpha": 0.0}, r"alpha = 0\.0 must lie strictly between 0 and 1"),
        ({"effect": 0.1, "power": 1.0}, r"power = 1\.0 must lie strictly between alpha = 0\.05"),
        ({"effect": 0.1, "cost_call": -1.0}, r"cost_call = -1\.0 must be a finite number"),
        ({"effect": 0.1, "max_judges": 0}, "max_judges = 0 must be 1 or more"),
    ],
)
def test_options_off_their_range_are_named(options: dict[str, Any], match: str) -> None:
    with pytest.raises(AskError, match=match):
        plan_effect([pilot(5)], **options)


def test_the_command_shows_and_tells(run: Run, fails: Fails, table: Table) -> None:
    rng = np.random.default_rng(2)
    lines = ["item,system,judge,score"]
    for k in range(30):
        for system in "ab":
            lines += [f"i{k},{system},{judge},{rng.random():.3f}" for judge in "xy"]
    log = table("pilot.csv", "\n".join([*lines, ""]))
    ended = run("power", log, "--effect", ".1")
    assert (ended.code, ended.err) == (0, "")
    words = " ".join(ended.out.split())
    for part in (
        "a true difference of 0.1, shown in 80% of comparisons at level 0.95",
        "a - b 30 1 ",
        "In short: it takes ",
        "items to show a difference of 0.1 with this panel and 1 answer(s) an item",
        "these judges, or some of them",
        "judges like these: another panel",
    ):
        assert part in words
    told = json.loads(run("power", log, "--effect", ".1", "--json").out)
    (pair,) = told["pairs"]
    assert pair["items_needed"] > 30
    for design in pair["designs"]["these_judges"]:
        assert design["calls"] == 2 * design["items"] * design["judges"] * design["repeats"]
    assert "one question at a time" in fails("power", log, "--effect", ".1", "--cost")
