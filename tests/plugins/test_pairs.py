"""Pairs through the hook: who hears what of which criterion, on real and on odd data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from panopt.findings import Findings
from panopt.plugins import pairs
from panopt.plugins.pairs import bradley_terry, cycle_rate, flip_rate, panopt_analyze, position_bias
from panopt.records.ask import Ask
from panopt.records.study import Study
from panopt.stats import bradley_terry as ground
from panopt.stats import pair_rates

Judge = Callable[..., Any]


def analyzed(columns: dict[str, Any], *, scale: str = "pairwise", level: float = 0.95) -> Findings:
    study = Study.from_columns({"scale": scale, **columns})
    found = panopt_analyze(study, study.matrix("score"), Ask(level=level))
    assert found is not None
    return found


def drawn(n: int = 60, *, judges: int = 2, seed: int = 0, lean: float = 0.0) -> dict[str, Any]:
    """Three systems on `n` items, both orders; a is best; judges lean to what is shown first."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[Any]] = {
        key: [] for key in ("item", "cluster", "system", "judge", "order", "score")
    }
    strength = {"a": 0.8, "b": 0.0, "c": -0.8}
    for i in range(n):
        for pair in (("a", "b"), ("a", "c"), ("b", "c")):
            for judge in range(judges):
                for order in (0, 1):
                    d = strength[pair[0]] - strength[pair[1]] + lean * (1 - 2 * order)
                    won = rng.random() < 1 / (1 + np.exp(-d))
                    rows["item"].append(f"q{i}{pair}")
                    rows["cluster"].append(f"q{i}")
                    rows["system"].append("|".join(pair))
                    rows["judge"].append(f"judge{judge}")
                    rows["order"].append(order)
                    rows["score"].append(0.5 if rng.random() < 0.1 else float(won))
    return rows


def test_functions_are_the_ground_floor_s() -> None:
    assert bradley_terry is ground.bradley_terry
    assert (cycle_rate, flip_rate) == (pair_rates.cycle_rate, pair_rates.flip_rate)
    assert set(pairs.__all__) >= {"bradley_terry", "split_pairs", "tie_rate"}


def test_J_13_the_hook_ranks_the_systems_of_prd_and_tells_the_partial_judges(shared: Path) -> None:
    table = pq.read_table(shared / "data" / "sets" / "prd_vicuna80" / "scores.parquet")
    table = table.filter(np.asarray(table["judge_kind"]) == "llm")
    columns = {
        "item": table["item_id"],
        "cluster": table["question_id"].cast("string"),
        "system": table["response_id"],
        **{name: table[name] for name in ("judge", "order", "score", "repeat")},
    }
    found = analyzed(columns)
    rank = {row.subject: row.details["rank"] for row in found.named("strength")}
    assert rank == {"gpt4": 1, "claude": 2, "vicuna-13b": 3, "gpt35": 4, "bard": 5}
    first = found.named("position_bias", subject="bard")[0]
    assert first.value == pytest.approx(0.801, abs=5e-4)
    flips = found.named("flip_rate", subject="claude")[0]
    assert flips.value == pytest.approx(1 - 0.549, abs=5e-4)
    assert found.named("judge_scale", subject="vicuna-13b")[0].value < 0.5  # type: ignore[operator]
    cycles = found.named("cycle_rate", subject="")[0]
    assert cycles.subject_kind == "panel"
    assert cycles.value is not None
    assert cycles.value < 0.02
    assert not any(row.headline for row in found)
    assert len(found.notes) == 1
    assert "bard (80%), claude (37%), gpt4 (60%)" in found.notes[0]
    assert "count verdicts that change as undecided" in found.notes[0]


def test_hook_gives_what_the_functions_give() -> None:
    columns = drawn()
    found = analyzed(columns, level=0.9)
    ends = np.array([name.split("|") for name in columns["system"]])
    fit = bradley_terry(
        ends[:, 0],
        ends[:, 1],
        columns["score"],
        judge=columns["judge"],
        order=columns["order"],
        clusters=columns["cluster"],
        scale=True,
        alpha=0.1,
    )
    assert fit.strength is not None
    assert fit.low is not None
    rows = found.named("strength")
    assert [row.subject for row in rows] == ["a", "b", "c"]
    assert [row.value for row in rows] == pytest.approx(fit.strength.tolist(), abs=1e-9)
    assert [row.low for row in rows] == pytest.approx(fit.low.tolist(), abs=1e-9)
    assert [row.value for row in found.named("win_rate")] == pytest.approx(fit.win_rate.tolist())
    own = np.array(columns["judge"]) == "judge1"
    bias = position_bias(
        np.array(columns["score"])[own],
        np.array(columns["order"])[own],
        clusters=np.array(columns["cluster"])[own],
        alpha=0.1,
    )
    row = found.named("position_bias", subject="judge1")[0]
    assert (row.value, row.low, row.high) == pytest.approx((bias.value, bias.low, bias.high))
    assert {row.level for row in found} == {0.9}
    assert found.notes == () or "judge" in found.notes[0]


def test_hook_is_silent_on_other_scales(judged: Judge) -> None:
    case = judged(np.ones((5, 2)), scale="binary")
    assert panopt_analyze(case.study, case.matrix, Ask()) is None


def test_hook_without_orders_says_so_and_ranks_all_the_same() -> None:
    columns = drawn()
    del columns["order"]
    found = analyzed(columns)
    row = found.named("position_bias")[0]
    assert row.reason == "no column `order` says which answer was shown first"
    assert found.named("flip_rate")[0].reason == "no pair was judged in both orders"
    assert found.named("strength")[0].value is not None
    assert not found.named("position_effect")
    assert found.notes == ()


def test_hook_without_names_of_systems_gives_the_reason_and_the_rates() -> None:
    columns = drawn() | {"system": "model"}
    found = analyzed(columns)
    row = found.named("strength")[0]
    assert row.value is None
    assert row.reason == (
        "the systems of a pair are unknown: name it as first|second, not as model"
    )
    assert found.named("tie_rate")
    assert not found.named("win_rate")


def test_hook_shrinks_where_a_system_never_lost_and_warns() -> None:
    columns = drawn()
    columns["score"] = [
        1.0 if name.startswith("a") else score
        for name, score in zip(columns["system"], columns["score"], strict=True)
    ]
    found = analyzed(columns)
    row = found.named("strength", subject="a")[0]
    assert row.details["rank"] == 1
    assert row.value is not None
    assert row.warnings[0].startswith("the verdicts alone give no finite strengths (a never lost)")


def test_hook_names_groups_that_never_met() -> None:
    columns = drawn()
    columns["system"] = ["x|y" if name == "b|c" else "a|b" for name in columns["system"]]
    found = analyzed(columns)
    reason = found.named("strength")[0].reason
    assert reason is not None
    assert "groups that were never compared with each other: a, b | x, y" in reason


def test_hook_warns_of_a_rate_that_holds_strength() -> None:
    columns = drawn()
    keep = [i for i, order in enumerate(columns["order"]) if order == 0 or i % 20 == 1]
    found = analyzed({key: [values[i] for i in keep] for key, values in columns.items()})
    row = found.named("position_bias")[0]
    assert "strength is in the rate too" in row.warnings[0]


def test_hook_counts_cycles_over_all_items_where_items_hold_one_pair() -> None:
    columns = drawn()
    del columns["cluster"]
    row = analyzed(columns).named("cycle_rate", subject="")[0]
    assert (row.value, row.n) == (0.0, 1)
    assert row.no_interval is not None
    assert "of all items together" in row.method


def test_hook_survives_one_row_failed_votes_and_systems_only_humans_compared() -> None:
    one = analyzed({"item": ["q"], "system": "a|b", "judge": "j", "score": [1.0]})
    assert one.named("strength")[0].value is None
    failed = analyzed({"item": ["q", "r"], "system": "a|b", "judge": "j", "score": [None, None]})
    assert failed.named("strength")[0].reason == "there is no comparison"
    columns = drawn()
    extra: dict[str, list[Any]] = {
        "item": ["h"],
        "cluster": ["h"],
        "system": ["a|z"],
        "judge": ["ann"],
        "order": [0],
        "score": [1.0],
        "judge_kind": ["human"],
    }
    n = len(columns["item"])
    columns["judge_kind"] = ["llm"] * n
    both = analyzed({key: [*columns[key], *extra[key]] for key in extra})
    assert [row.subject for row in both.named("strength")] == ["a", "b", "c"]


def test_hook_keeps_hostile_names_as_they_are() -> None:
    columns = drawn()
    columns["system"] = [name.replace("a", "[red]{a}") for name in columns["system"]]
    found = analyzed(columns)
    assert found.named("strength", subject="[red]{a}")
