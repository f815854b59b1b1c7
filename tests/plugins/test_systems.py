from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from panopt.plugins.systems import panopt_analyze, system_mean
from panopt.records.ask import Ask
from panopt.records.scale import Scale
from panopt.stats.mean import mean_interval

Judge = Callable[..., Any]


def test_system_mean_is_the_ground_floor_s() -> None:
    assert system_mean is mean_interval


def test_hook_gives_each_system_its_mean_and_pass_rate(judged: Judge) -> None:
    rng = np.random.default_rng(0)
    votes = rng.random((60, 3))
    system = ["a"] * 20 + ["b"] * 40
    case = judged(
        votes,
        system=system,
        item=[f"i{i:02d}" for i in (*range(20), *range(40))],
        scale="continuous",
    )
    found = panopt_analyze(case.matrix, case.consensus, Ask(level=0.9))
    assert found is not None
    assert [(row.name, row.subject) for row in found] == [
        ("mean", "a"),
        ("pass_rate", "a"),
        ("mean", "b"),
        ("pass_rate", "b"),
    ]
    mean, rate = found.named("mean", subject="b")[0], found.named("pass_rate", subject="b")[0]
    expected = mean_interval(votes[20:].mean(axis=1), alpha=0.1)
    assert mean.value == pytest.approx(expected.value)
    assert (mean.low, mean.high) == pytest.approx((expected.low, expected.high))
    assert (mean.level, mean.n) == (0.9, 40)
    assert rate.value == np.mean(votes[20:].mean(axis=1) >= 0.5)
    assert mean.details["pass_rate"] == rate.value
    assert "a bias of all judges is in the value" in mean.assumptions[2]


def test_hook_takes_epochs_of_an_item_for_one_cluster(judged: Judge) -> None:
    rng = np.random.default_rng(0)
    item, epoch = [f"i{i // 3:02d}" for i in range(90)], [i % 3 + 1 for i in range(90)]
    votes = np.repeat(rng.random(30), 3)[:, None]
    case = judged(votes, item=item, epoch=epoch, scale="continuous")
    found = panopt_analyze(case.matrix, case.consensus, Ask())
    assert found is not None
    row = found.named("mean")[0]
    once = mean_interval(votes[::3, 0])
    assert row.details["n_clusters"] == 30
    assert (row.low, row.high) == pytest.approx((once.low, once.high))


def test_hook_leaves_responses_without_a_value_out_and_says_so(judged: Judge) -> None:
    votes = np.random.default_rng(0).random((10, 2))
    votes[:2] = np.nan
    case = judged(votes, scale="continuous")
    found = panopt_analyze(case.matrix, case.consensus, Ask())
    assert found is not None
    row = found.named("mean")[0]
    assert (row.n, row.details["n_inconclusive"]) == (8, 2)
    assert row.warnings == ("responses without a panel value are left out",)


def test_hook_adds_the_error_that_all_scores_of_a_system_share(judged: Judge) -> None:
    system = ["a"] * 200 + ["b"] * 300
    item = [f"i{i:03d}" for i in range(500)]
    case = judged(
        np.random.default_rng(0).random((500, 2)), system=system, item=item, scale="continuous"
    )
    error = np.where(case.matrix.systems == 0, 0.04, 0.01)
    alone = panopt_analyze(case.matrix, case.consensus, Ask())
    shared = panopt_analyze(case.matrix, replace(case.consensus, shared_sd=error), Ask())
    assert alone is not None
    assert shared is not None
    for name, sd in (("a", 0.04), ("b", 0.01)):
        plain, wide = (found.named("mean", subject=name)[0] for found in (alone, shared))
        assert isinstance(plain.details["se"], float)
        assert wide.details["se"] == pytest.approx(np.hypot(plain.details["se"], sd))
        assert f"standard error {sd}" in wide.assumptions[1]


def test_hook_without_values_gives_reasons(judged: Judge) -> None:
    case = judged(np.full((3, 2), np.nan))
    found = panopt_analyze(case.matrix, case.consensus, Ask())
    assert found is not None
    assert [row.reason for row in found] == ["there is no score"] * 2
    one = judged(np.ones((1, 2)))
    single = panopt_analyze(one.matrix, one.consensus, Ask())
    assert single is not None
    assert single.rows[0].value == 1.0
    assert single.rows[0].no_interval == "one cluster gives no standard error: two are needed"


def test_hook_has_no_mean_of_labels(judged: Judge) -> None:
    case = judged(np.ones((5, 2)))
    nominal = replace(case.matrix, scale=Scale("nominal"))
    found = panopt_analyze(nominal, case.consensus, Ask())
    assert found is not None
    assert [row.reason for row in found] == ["labels on a nominal scale have no mean"]
