"""The comparison plugin: its public functions, and what its hook finds of systems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np
import pytest

from panopt.findings import Findings
from panopt.plugins import compare
from panopt.plugins.compare import (
    by_item,
    holm,
    paired_difference,
    panopt_analyze,
    permutation_test,
    win_rate,
)
from panopt.records.ask import Ask
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.records.scale import Scale
from panopt.stats import paired, signflip


class Judged(Protocol):
    """What the fixture `judged` builds."""

    matrix: Matrix
    consensus: Consensus


Judge = Callable[..., Judged]


def several(judged: Judge, systems: int, n: int = 40, *, epochs: int = 1, seed: int = 0) -> Judged:
    """Judge `systems` systems on the same items, each better than the one before."""
    rng = np.random.default_rng(seed)
    keys = [(s, i, e) for s in range(systems) for i in range(n) for e in range(epochs)]
    level = rng.uniform(0.2, 0.5, n)
    votes = np.array([level[i] + 0.04 * s for s, i, _ in keys])[:, None]
    votes = np.clip(votes + rng.normal(0.0, 0.02, (len(keys), 2)), 0.0, 1.0)
    return judged(
        votes,
        system=[f"s{s:02d}" for s, _, _ in keys],
        item=[f"i{i:03d}" for _, i, _ in keys],
        epoch=[e + 1 for _, _, e in keys],
        scale="continuous",
    )


def found(case: Judged, ask: Ask | None = None) -> Findings:
    result = panopt_analyze(case.matrix, case.consensus, ask or Ask(), np.random.default_rng(0))
    assert result is not None
    return result


def test_its_functions_are_the_ground_floor_s() -> None:
    assert paired_difference is paired.paired_difference
    assert permutation_test is signflip.permutation_test
    assert all(hasattr(compare, name) for name in compare.__all__)


def test_hook_gives_the_paired_difference_of_two_systems(judged: Judge) -> None:
    case = several(judged, 2)
    (row,) = found(case, Ask(level=0.9)).named("difference")
    a, b = (case.consensus.estimate[case.matrix.systems == s] for s in (0, 1))
    expected, test = paired_difference(a, b, alpha=0.1), permutation_test(a, b)
    assert (row.subject, row.headline, row.level, row.n) == ("s00 ~ s01", True, 0.9, 40)
    assert row.value == pytest.approx(np.mean(a - b))
    assert (row.low, row.high) == pytest.approx((expected.low, expected.high))
    assert row.details["p"] == pytest.approx(test.p)
    assert row.details["p_holm"] == row.details["p_benjamini_hochberg"] == row.details["p"]
    assert row.details["win_rate"] == win_rate(a, b).value


def test_hook_averages_epochs_within_their_item(judged: Judge) -> None:
    case = several(judged, 2, 12, epochs=5)
    (row,) = found(case).named("difference")
    means = case.consensus.estimate.reshape(2, 12, 5).mean(axis=2)
    expected = paired_difference(means[0], means[1])
    assert (row.n, row.details["n_clusters"]) == (12, 12)
    assert (row.value, row.low) == pytest.approx((expected.value, expected.low))


def test_hook_adjusts_for_the_number_of_pairs_and_ranks(judged: Judge) -> None:
    result = found(several(judged, 4))
    rows = result.named("difference")
    assert [row.subject for row in rows][:3] == ["s00 ~ s01", "s00 ~ s02", "s00 ~ s03"]
    p = np.array([row.details["p"] for row in rows], dtype=float)
    assert [row.details["p_holm"] for row in rows] == pytest.approx(holm(p).tolist())
    assert not any(row.headline for row in result)
    ranks = result.named("rank")
    assert [(row.value, row.low, row.high) for row in ranks] == [(r, r, r) for r in (4, 3, 2, 1)]


def test_hook_compares_many_systems_with_the_best_alone_and_says_so(judged: Judge) -> None:
    result = found(several(judged, 13, 10))
    assert len(result.named("difference")) == 12
    assert all("s12" in row.subject for row in result.named("difference"))
    assert result.notes == ("13 systems are compared with the best one alone",)


def test_hook_says_that_two_systems_share_no_item(judged: Judge) -> None:
    case = judged(np.ones((6, 2)), system=["a"] * 3 + ["b"] * 3)
    result = found(case)
    (row,) = result.named("difference")
    assert (row.value, row.reason) == (None, "the two systems have no item in common")
    assert {row.reason for row in result.named("rank")} == {
        "there is no item that all systems have"
    }


def test_hook_counts_items_that_only_one_system_has(judged: Judge) -> None:
    case = judged(
        np.random.default_rng(0).random((7, 2)),
        system=["a"] * 3 + ["b"] * 4,
        item=["x", "y", "z", "w", "x", "y", "z"],
        scale="continuous",
    )
    (row,) = found(case).named("difference")
    assert (row.n, row.details["n_only_one"]) == (3, 1)
    assert row.warnings[0] == "1 pairs lack a score and are left out"


def test_hook_has_nothing_to_say_of_one_system_or_of_labels(judged: Judge) -> None:
    case = judged(np.ones((3, 2)))
    rng = np.random.default_rng(0)
    assert panopt_analyze(case.matrix, case.consensus, Ask(), rng) is None
    case = several(judged, 2)
    nominal = replace(case.matrix, scale=Scale("nominal"))
    assert panopt_analyze(nominal, case.consensus, Ask(), rng) is None


def test_hook_on_identical_systems_shows_nothing(judged: Judge) -> None:
    votes = np.tile(np.random.default_rng(0).random((20, 2)), (2, 1))
    items = [f"i{i:02d}" for i in range(20)]
    case = judged(votes, system=["a"] * 20 + ["b"] * 20, item=items * 2, scale="continuous")
    result = found(case)
    (row,) = result.named("difference")
    assert (row.value, row.details["p"]) == (0.0, 1.0)
    assert row.low is not None
    assert row.high is not None
    assert row.low < 0.0 < row.high
    assert [(r.value, r.low, r.high) for r in result.named("rank")] == [(1.5, 1, 2)] * 2


def test_by_item_leaves_holes_where_a_system_has_no_score(judged: Judge) -> None:
    case = judged(
        np.array([[0.2], [0.4], [np.nan], [1.0]]),
        system=["a", "a", "b", "b"],
        item=["x", "y", "x", "y"],
        scale="continuous",
    )
    table = by_item(case.matrix, case.consensus.estimate)
    np.testing.assert_array_equal(table.scores, [[0.2, np.nan], [0.4, 1.0]])
