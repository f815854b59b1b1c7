"""``panopt power --cost``: calls, tokens and money, and what stays unknown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from panopt.errors import AskError
from panopt.records.study import Study
from panopt.spending import plan_spending


class Ended(Protocol):
    """How a run of the command ended; see conftest.py."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]
Fails = Callable[..., str]
Table = Callable[..., Path]


def recorded(n: int = 20, *, b_cost: float | None = 0.01, repeats: int = 1) -> Study:
    """Record two judges: a takes 100 or 120 tokens a call and a tenth of a cent."""
    columns: dict[str, list[object]] = {
        name: [] for name in ("item", "judge", "repeat", "score", "input_tokens", "cost")
    }
    rng = np.random.default_rng(0)
    for i in range(n):
        for judge in "ab":
            for repeat in range(repeats):
                columns["item"].append(f"i{i}")
                columns["judge"].append(judge)
                columns["repeat"].append(repeat)
                columns["score"].append(float(rng.integers(0, 2)))
                columns["input_tokens"].append(100 + 20 * (i % 2))
                columns["cost"].append(0.001 if judge == "a" else b_cost)
    return Study.from_columns(columns | {"scale": "binary"})


def test_V_11_cost_is_items_epochs_judges_repeats_and_the_price_of_a_call() -> None:
    (found,) = plan_spending(recorded(), items=1000, epochs=3, repeats=2)
    (everyone,) = found.policies
    assert found.responses == 3000
    assert everyone.calls == 3000 * 2 * 2
    assert everyone.cost.value == pytest.approx(3000 * 2 * (0.001 + 0.01))
    assert everyone.input_tokens.value == pytest.approx(12_000 * 110)
    n, sd = 6000, np.std([100, 120] * 10, ddof=1)
    reach = 1.959964 * np.sqrt(2 * sd**2 * (n + n**2 / 20))
    assert everyone.input_tokens.high == pytest.approx(12_000 * 110 + reach, rel=1e-6)
    assert everyone.output_tokens.value is None
    assert everyone.output_tokens.reason == "output tokens not recorded for a, b"


def test_recorded_repeats_count_where_none_are_asked_for() -> None:
    (found,) = plan_spending(recorded(repeats=3), items=10)
    assert [judge.calls for judge in found.judges] == [3, 3]
    assert found.policies[0].calls == 60


def test_an_unknown_price_stays_unknown_and_a_given_one_counts() -> None:
    study = recorded(b_cost=None)
    (found,) = plan_spending(study, items=10, policies=["all", "single"])
    everyone, single = found.policies
    assert everyone.cost.value is None
    assert everyone.cost.reason == "cost not recorded for b; give --price"
    assert single.cost.value == pytest.approx(10 * 0.001)
    assert "some prices are unknown" in found.notes[0]
    (found,) = plan_spending(study, items=10, prices={"b": 0.5})
    assert found.policies[0].cost.value == pytest.approx(10 * 0.501)


def test_policies_take_replayed_calls_and_no_labels() -> None:
    (found,) = plan_spending(recorded(300), items=1000, policies=["all", "cheapest_first", "voi"])
    everyone, cheapest, voi = found.policies
    assert everyone.calls == 2000
    for policy in (cheapest, voi):
        assert policy.calls is not None
        assert 1000 <= policy.calls <= 2000
    (few,) = plan_spending(recorded(199), policies=["voi"])
    assert few.policies[0].calls is None
    assert few.policies[0].reason == few.policies[0].cost.reason
    assert "takes 200 responses" in str(few.policies[0].reason)


def test_cached_calls_are_no_measure_of_cost() -> None:
    study = Study.from_columns(
        {
            "item": ["x", "y"],
            "judge": "a",
            "score": [1.0, 0.0],
            "cost": [0.0, 0.02],
            "cached": [True, False],
            "scale": "binary",
        }
    )
    (found,) = plan_spending(study, items=1)
    assert found.policies[0].cost.value == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"items": 0}, "items = 0 must be 1 or more"),
        ({"epochs": 0}, "epochs = 0 must be 1 or more"),
        ({"policies": ["best"]}, "policy 'best' must be one of"),
        ({"prices": {"x": 1.0}}, "--price names 'x', which is no judge here: 'a', 'b'"),
        ({"prices": {"a": -1.0}}, "price -1 of 'a' must be finite"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(AskError, match=message):
        plan_spending(recorded(), **options)  # type: ignore[arg-type]


@pytest.fixture
def log(table: Table) -> Path:
    lines = ["item,judge,score,input_tokens,output_tokens,cost"]
    for i in range(10):
        lines += [f"i{i},a,1,100,10,0.001", f"i{i},b,0,200,20,"]
    return table("log.csv", "\n".join([*lines, ""]))


def test_V_11_power_shows_the_cost_before_the_run(run: Run, log: Path) -> None:
    ended = run("power", log, "--cost", "--scale", "binary", "--items", "500", "--epochs", "2")
    assert (ended.code, ended.err) == (0, "")
    words = " ".join(ended.out.split())
    for part in ("500 items x 2 epochs x 2 judges", "2,000", "300,000", "cost not recorded for b"):
        assert part in words
    ended = run("power", log, "--cost", "--scale", "binary", "--price", "b=0.002", "--json")
    (found,) = json.loads(ended.out)["criteria"]
    assert found["policies"][0]["cost"]["value"] == pytest.approx(10 * 0.003)


def test_power_answers_one_question(fails: Fails, log: Path) -> None:
    for options in ((), ("--design", "--cost")):
        told = fails("power", log, "--scale", "binary", *options)
        assert "give --design, --cost, --effect or" in told
    assert "is no number" in fails("power", log, "--cost", "--price", "b=x")
