from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, binomtest
from statsmodels.stats.multitest import multipletests

from panopt.plugins.coverage import coverage_width, holm, interval_coverage, panopt_analyze
from panopt.records.ask import Ask

Judge = Callable[..., Any]


def test_P_9_marginal_coverage_is_scipy_s() -> None:
    truth = np.r_[np.zeros(83), np.full(17, 2.0)]
    found = interval_coverage(truth, truth * 0 - 1, truth * 0 + 1, nominal=0.9)
    theirs = binomtest(83, 100, 0.9, alternative="less")
    ends = binomtest(83, 100).proportion_ci(0.95, method="exact")
    assert found.value == 0.83
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high), abs=1e-10)
    assert found.p_value == pytest.approx(theirs.pvalue, abs=1e-10)


def test_P_9_groups_are_adjusted_together() -> None:
    rng = np.random.default_rng(0)
    truth, groups = rng.normal(size=300), rng.choice(["a", "b", "c"], 300)
    half = np.where(groups == "c", 0.5, 2.0)
    found = interval_coverage(truth, -half, half, nominal=0.95, groups=groups)
    assert found.groups == ("a", "b", "c")
    inside = np.abs(truth) <= half
    hits = [int(inside[groups == name].sum()) for name in found.groups]
    raw = binom.cdf(hits, found.group_n, 0.95)
    np.testing.assert_allclose(
        found.group_p_value, multipletests(raw, method="holm")[1], atol=1e-10
    )
    for k, count in enumerate(hits):
        ends = binomtest(count, int(found.group_n[k])).proportion_ci(0.95 ** (1 / 3))
        assert (found.group_low[k], found.group_high[k]) == pytest.approx(
            (ends.low, ends.high), abs=1e-9
        )
    assert found.group_p_value[2] < 1e-6


def test_P_9_a_constant_score_covers_in_all_and_not_in_its_class() -> None:
    truth = np.r_[np.ones(946), np.zeros(54)]
    found = interval_coverage(truth, truth * 0 + 0.9, truth * 0 + 1, groups=truth.astype(str))
    assert found.value == 0.946
    assert found.group_value.tolist() == [0.0, 1.0]


def test_holm_is_statsmodels() -> None:
    p = np.random.default_rng(1).random(20) ** 3
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], atol=1e-12)
    assert holm([]).size == 0
    with pytest.raises(ValueError, match="p_values must be one row of numbers in"):
        holm([0.5, np.nan])


def test_P_9_pareto_front_of_coverage_and_width() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(size=500)
    half = np.array([0.5, 1.0, 1.0, np.inf])
    centre = np.array([0.0, 0.0, 3.0, 0.0])
    low = np.broadcast_to(centre - half, (500, 4))
    found = coverage_width(truth, low, np.broadcast_to(centre + half, (500, 4)))
    assert found.front.tolist() == [True, True, False, True]
    assert found.coverage[3] == 1.0
    assert np.isinf(found.width[3])
    y, a, b = truth, -1.0, 1.0
    score = np.mean(b - a + 20 * np.maximum(a - y, 0) + 20 * np.maximum(y - b, 0))
    assert found.score[1] == pytest.approx(score)
    assert coverage_width(truth, -truth[:, None] * 0 - 1, truth[:, None] * 0 + 1).front.all()


def test_missing_rows_are_left_out_and_counted() -> None:
    found = interval_coverage([1.0, np.nan, 1.0], [0, 0, np.nan], [2, 2, 2])
    assert (found.n, found.n_missing, found.value) == (1, 2, 1.0)
    assert found.groups == ()
    empty = interval_coverage([], [], [])
    assert empty.value is None
    assert empty.reason == "no truth has an interval"
    assert interval_coverage([np.nan], [0], [1], groups=["a"]).groups == ()
    infinite = interval_coverage([1.0], [-np.inf], [np.inf])
    assert infinite.value == 1.0
    single = interval_coverage([1.0, 1.0], [0, 0], [2, 2], clusters=["a", "a"])
    assert (single.value, single.low) == (1.0, None)


@pytest.mark.parametrize(
    ("args", "options", "match"),
    [
        (([1.0], [2.0], [0.0]), {}, "low = 2 is above high = 0"),
        (([np.inf], [0.0], [1.0]), {}, "truth must be finite"),
        (([1.0, 2.0], [0.0], [1.0]), {}, "must have one shape"),
        (([1.0], [0.0], [1.0]), {"nominal": 1.0}, r"nominal = 1\.0 must lie strictly"),
        (([1.0], [0.0], [1.0]), {"level": 0.0}, r"level = 0\.0 must lie strictly"),
        (([1.0], [0.0], [1.0]), {"groups": ["a", "b"]}, "groups must have the shape of truth"),
        (([1.0], [0.0], [1.0]), {"clusters": ["a", "b"]}, "clusters must have the shape of"),
    ],
)
def test_bad_arguments_are_refused(
    args: tuple[list[float], ...], options: dict[str, Any], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        interval_coverage(*args, **options)


def test_widths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"low and high \(n, ways\)"):
        coverage_width([1.0], [0.0], [1.0])
    with pytest.raises(ValueError, match="no row has a truth"):
        coverage_width([np.nan], [[0.0]], [[1.0]])


def simultaneous(draws: int, *, each: int = 1) -> tuple[float, float, float]:
    """Share of draws whose marginal interval, and all group intervals, hold; and false alarms.

    Each of four groups has coverage .9 exactly, of independent items seen `each` times.
    """
    marginal = all_groups = alarms = 0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        miss = np.tile((rng.random(120) < 0.1).astype(float), each)
        groups = np.tile(np.repeat(list("abcd"), 30), each)
        found = interval_coverage(
            miss, miss * 0, miss * 0 + 0.5, groups=groups, clusters=np.tile(np.arange(120), each)
        )
        assert found.low is not None
        assert found.high is not None
        marginal += found.low <= 0.9 <= found.high
        all_groups += bool(((found.group_low <= 0.9) & (found.group_high >= 0.9)).all())
        alarms += bool((found.group_p_value <= 0.05).any())
    return marginal / draws, all_groups / draws, alarms / draws


def test_P_9_coverage_intervals_hold_all_groups_at_once_fast() -> None:
    marginal, all_groups, alarms = simultaneous(300)
    assert min(marginal, all_groups) >= 0.95 - 3 * np.sqrt(0.0475 / 300)
    assert alarms <= 0.05 + 3 * np.sqrt(0.0475 / 300)


@pytest.mark.slow
@pytest.mark.parametrize("each", [1, 3])
def test_P_9_coverage_intervals_hold_all_groups_at_once(each: int) -> None:
    marginal, all_groups, alarms = simultaneous(3000, each=each)
    assert min(marginal, all_groups) >= 0.94 - 3 * np.sqrt(0.0475 / 3000)
    assert alarms <= 0.05 + 3 * np.sqrt(0.0475 / 3000)


def test_hook_checks_intervals_and_probabilities(judged: Judge) -> None:
    rng = np.random.default_rng(3)
    truth = rng.random(200)
    value = np.clip(truth + rng.normal(size=200) * 0.1, 0, 1)
    confidence = 0.5 + 0.5 * rng.random(200)
    case = judged(
        value[:, None],
        human=truth,
        scale="continuous",
        confidence=confidence,
        consensus={"blind_sd": np.full(200, 0.05)},
    )
    found = panopt_analyze(case.matrix, case.consensus, Ask())
    assert found is not None
    row, fit = found.rows
    assert (row.name, fit.name) == ("interval_coverage", "hosmer_lemeshow_p")
    inside = np.abs(truth - value) <= 1.959963984540054 * 0.05
    assert row.value == inside.mean()
    assert row.high is not None
    assert row.high < 0.95
    assert "trust the conformal ones instead" in found.notes[0]
    assert fit.value is not None
    assert fit.details["df"] == fit.details["groups"]
    assert not any(entry.headline for entry in found.rows)


def test_hook_takes_one_response_of_each_item_for_the_test(judged: Judge) -> None:
    rng = np.random.default_rng(4)
    votes = (rng.random((120, 1)) < 0.5).astype(float)
    case = judged(
        votes,
        human=votes[:, 0],
        item=[f"i{k // 3:03d}" for k in range(120)],
        epoch=[k % 3 + 1 for k in range(120)],
        confidence=np.full(120, 0.8),
    )
    found = panopt_analyze(case.matrix, case.consensus, Ask())
    assert found is not None
    fit = found.named("hosmer_lemeshow_p")[0]
    assert fit.n == 40
    assert "one of each of 40 clusters" in fit.assumptions[1]


def test_hook_says_when_there_is_nothing_to_check(judged: Judge) -> None:
    case = judged(np.ones((5, 2)))
    assert panopt_analyze(case.matrix, case.consensus, Ask()) is None
    case = judged(np.ones((5, 2)), human=[1, 1, 1, 1, 1])
    found = panopt_analyze(case.matrix, case.consensus, Ask())
    assert found is not None
    assert [row.value for row in found.rows] == [None, None]
    assert found.rows[0].reason == "mean gives no interval of its own"
    assert found.rows[1].reason is not None
    assert "the test takes 5 of either kind" in found.rows[1].reason
