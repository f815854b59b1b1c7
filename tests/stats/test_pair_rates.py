"""Habits of judges of pairs: given numbers, brute force, coverage, messages."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from panopt.stats.mean import mean_interval
from panopt.stats.pair_names import split_pairs
from panopt.stats.pair_rates import (
    cycle_rate,
    flip_rate,
    position_bias,
    share_interval,
    tie_rate,
)

NAN = np.nan


def judged_by(shared: Path, judge: str) -> dict[str, NDArray[Any]]:
    table = pq.read_table(shared / "data" / "sets" / "prd_vicuna80" / "scores.parquet")
    names = ("item_id", "response_id", "score", "order", "question_id", "judge", "repeat")
    columns = {name: table[name].to_numpy() for name in names}
    keep = (columns["judge"] == judge) & (columns["repeat"] == 0)
    return {name: column[keep] for name, column in columns.items()}


# --- Given numbers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("judge", "consistency"),
    [("gpt4", 0.689), ("gpt35", 0.694), ("claude", 0.549), ("vicuna-13b", 0.374), ("bard", 0.369)],
)
def test_J_13_position_consistency_of_prd(shared: Path, judge: str, consistency: float) -> None:
    data = judged_by(shared, judge)
    found = flip_rate(data["item_id"], data["score"], data["order"], clusters=data["question_id"])
    assert found.value is not None
    assert 1 - found.value == pytest.approx(consistency, abs=5e-4)
    assert (found.n, found.n_clusters) == (800, 80)


@pytest.mark.parametrize(("judge", "rate"), [("bard", 0.801), ("gpt4", 0.605), ("claude", 0.373)])
def test_J_13_first_position_win_rate_of_prd(shared: Path, judge: str, rate: float) -> None:
    data = judged_by(shared, judge)
    found = position_bias(data["score"], data["order"], clusters=data["question_id"])
    assert found.value == pytest.approx(rate, abs=5e-4)
    assert found.low is not None
    assert found.high is not None
    assert found.low > 0.5 or found.high < 0.5


def test_J_13_cycles_of_prd_are_those_counted_by_hand(shared: Path) -> None:
    data = judged_by(shared, "claude")
    pairs = np.array([name.split("|") for name in data["response_id"].tolist()])
    found = cycle_rate(pairs[:, 0], pairs[:, 1], data["score"], group=data["question_id"])
    cycles, triples = by_hand(
        pairs[:, 0].tolist(),
        pairs[:, 1].tolist(),
        data["score"].tolist(),
        data["question_id"].tolist(),
    )
    assert (found.value, found.n) == (cycles / triples, triples)
    assert triples > 300


def by_hand(
    first: list[Any], second: list[Any], outcome: list[float], group: list[Any]
) -> tuple[int, int]:
    """Count circular and told triples, one by one."""
    lead: dict[tuple[Any, Any, Any], float] = {}
    for a, b, x, g in zip(first, second, outcome, group, strict=True):
        if x == x:  # noqa: PLR0124 - NaN
            lead[g, a, b] = lead.get((g, a, b), 0) + 2 * x - 1
            lead[g, b, a] = lead.get((g, b, a), 0) - 2 * x + 1
    cycles = triples = 0
    for g in set(group):
        for trio in combinations(sorted({*first, *second}), 3):
            a, b, c = trio
            way = [lead.get((g, x, y), 0) for x, y in ((a, b), (b, c), (c, a))]
            if all(way):
                triples += 1
                cycles += len({x > 0 for x in way}) == 1
    return cycles, triples


# --- Properties ------------------------------------------------------------------------------


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6))
def test_cycles_are_those_counted_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, s = int(rng.integers(1, 60)), int(rng.integers(2, 6))
    first = rng.integers(0, s, n)
    second = (first + rng.integers(1, s, n)) % s
    outcome = rng.choice([0, 0.5, 1, NAN], n)
    group = rng.integers(0, 3, n)
    cycles, triples = by_hand(*(x.tolist() for x in (first, second, outcome, group)))
    found = cycle_rate(first, second, outcome, group=group)
    if triples:
        assert found.value == pytest.approx(cycles / triples)
        assert found.n == triples
    else:
        assert found.reason == "no three systems were compared with each other and told apart"


def test_random_verdicts_go_round_in_a_quarter_of_triples() -> None:
    rng = np.random.default_rng(0)
    first, second = np.tile([[0, 1, 2], [1, 2, 0]], 3000)
    outcome = rng.integers(0, 2, 9000)
    found = cycle_rate(first, second, outcome, group=np.repeat(np.arange(3000), 3))
    assert found.value == pytest.approx(0.25, abs=3 * np.sqrt(0.1875 / 3000))


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_a_share_of_sums_has_the_interval_of_its_single_trials(seed: int) -> None:
    rng = np.random.default_rng(seed)
    score = rng.choice([0, 0.5, 1.0], 80)
    cluster = rng.integers(0, 15, 80)
    whole = mean_interval(score, clusters=cluster, alpha=0.1)
    sums = share_interval(
        np.bincount(cluster, weights=score).astype(float),
        np.bincount(cluster).astype(float),
        clusters=np.arange(int(cluster.max()) + 1),
        alpha=0.1,
    )
    assert (sums.value, sums.se) == pytest.approx((whole.value, whole.se))
    assert sums.n_clusters == whole.n_clusters
    assert (sums.low, sums.high) == pytest.approx((whole.low, whole.high))


def test_flips_match_repeats_in_turn_and_leave_the_rest_out() -> None:
    item = ["a"] * 5 + ["b", "c", "d", "d"]
    order = [0, 0, 1, 1, 1, 0, NAN, 0, 1]
    outcome = [1, 0, 1, 0.5, 0, 1, 1, 1, NAN]
    found = flip_rate(item, outcome, order, clusters=["x"] * 5 + ["y", "z", "w", "w"])
    assert (found.value, found.n) == (0.5, 2)  # 1 = 1, 0 against .5; the third has no partner
    turned = flip_rate(item, outcome, order, kind="reversal")
    assert turned.value == 0.0


def test_rates_leave_missing_verdicts_and_unknown_orders_out() -> None:
    assert tie_rate([0.5, 1, NAN, NAN]).value == 0.5
    assert position_bias([1, 0, 1, NAN], [0, 0, NAN, 1]).n == 2


# --- Coverage -------------------------------------------------------------------------------


def test_cycle_rate_intervals_cover() -> None:
    """Four systems on 80 items, random verdicts: a quarter of triples; triples share pairs."""
    i, j = np.triu_indices(4, 1)
    hits, runs = 0, 300
    for k in range(runs):
        rng = np.random.default_rng([1, k])
        first, second = np.tile(i, 80), np.tile(j, 80)
        found = cycle_rate(
            first,
            second,
            rng.integers(0, 2, first.size),
            group=np.repeat(np.arange(80), i.size),
            alpha=0.1,
        )
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0.25 <= found.high
    assert abs(hits / runs - 0.9) < 3 * np.sqrt(0.09 / runs)


@pytest.mark.parametrize("what", ["tie", "position", "flip"])
def test_rates_cover_where_verdicts_of_an_item_agree(what: str) -> None:
    """Items differ in how often they end one way: a beta with mean .3, 8 verdicts an item."""
    hits, runs = 0, 200
    for k in range(runs):
        rng = np.random.default_rng([2, k])
        chance = np.repeat(rng.beta(0.6, 1.4, 60), 8)
        event = rng.random(480) < chance
        item = np.repeat(np.arange(60), 8)
        order = np.tile([0, 1], 240)
        if what == "tie":
            found = tie_rate(np.where(event, 0.5, 1.0), clusters=item, alpha=0.1)
        elif what == "position":
            found = position_bias(
                np.where(event, 1 - order, order), order, clusters=item, alpha=0.1
            )
        else:
            turned = event.reshape(-1, 2)[:, 0]
            outcome = np.stack((np.ones(240), 1.0 - turned), axis=1).ravel()
            found = flip_rate(
                np.repeat(np.arange(240), 2), outcome, order, clusters=item, alpha=0.1
            )
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0.3 <= found.high
    assert abs(hits / runs - 0.9) < 3 * np.sqrt(0.09 / runs)


# --- Answers that cannot be given, and messages ----------------------------------------------


def test_nothing_to_rate_is_none_with_the_reason() -> None:
    assert tie_rate([NAN]).reason == "there is no score"
    assert position_bias([1.0], [NAN]).value is None
    assert flip_rate(["a"], [1], [0]).reason == "no pair was judged in both orders"
    assert cycle_rate([], [], []).value is None
    assert cycle_rate(["a"], ["b"], [1]).value is None
    assert share_interval(np.zeros(0), np.zeros(0), clusters=np.zeros(0, dtype=int)).reason == (
        "there is no comparison"
    )
    one = cycle_rate(["a", "b", "c"], ["b", "c", "a"], [1, 1, 0])
    assert (one.value, one.low) == (0.0, None)
    assert one.reason == "one cluster gives no standard error: two are needed"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tie_rate([0.3]), r"outcome\[0\] = 0.3; it must be 1"),
        (lambda: tie_rate([1], clusters=[1, 2]), "clusters has shape"),
        (lambda: position_bias([1], [3]), r"order\[0\] = 3"),
        (lambda: flip_rate(["a"], [1], [0], kind="all"), "kind = 'all'"),  # type: ignore[arg-type]
        (lambda: flip_rate(["a", "b"], [1], [0]), "item has shape"),
        (lambda: cycle_rate(["a", "b"], ["b"], [1]), "first has shape"),
        (lambda: cycle_rate([NAN], [1.0], [1]), "first: names must not be missing"),
    ],
)
def test_bad_arguments_are_named(call: Any, message: str) -> None:  # noqa: ANN401 - any call
    with pytest.raises(ValueError, match=message):
        call()


# --- Names of pairs ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["a|b", "b|c"], (("a", "b"), ("b", "c"))),
        (["openai/gpt-4|meta/llama_3"], (("openai/gpt-4", "meta/llama_3"),)),
        (["gpt 4 vs llama", "x vs gpt 4"], (("gpt 4", "llama"), ("x", "gpt 4"))),
        (["a vs. b"], (("a", "b"),)),
        (["a_vs_b"], (("a", "b"),)),
        (
            ["bloom-7b_llama-7b", "llama-7b_opt-7b"],
            (("bloom-7b", "llama-7b"), ("llama-7b", "opt-7b")),
        ),
        (["a/b", "b/a"], (("a", "b"), ("b", "a"))),
    ],
)
def test_names_of_pairs_are_read(names: list[str], pairs: tuple[tuple[str, str], ...]) -> None:
    assert split_pairs(names).pairs == pairs


@pytest.mark.parametrize(
    "names",
    [["openai/gpt-4", "meta/llama"], ["gpt_4"], [""], [], ["a|b|c"], ["a|"], ["a|a"], ["a|b", "c"]],
)
def test_other_names_are_no_pairs(names: list[str]) -> None:
    found = split_pairs(names)
    assert found.pairs is None
    assert found.reason is not None
    assert "name it as first|second" in found.reason


def test_pandalm_names_are_pairs(shared: Path) -> None:
    table = pq.read_table(shared / "data" / "sets" / "pandalm" / "scores.parquet")
    names = sorted(set(table["response_id"].to_pylist()))
    found = split_pairs(names)
    assert found.pairs is not None
    assert len({system for pair in found.pairs for system in pair}) == 5
