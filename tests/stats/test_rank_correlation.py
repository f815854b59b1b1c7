"""Rank correlation and ranks: reference numbers, coverage, constant resamples, refusals."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import get_args

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

import panopt
from panopt.stats.rank_correlation import RankMethod, _kendall, _spearman, rank_correlation
from panopt.stats.ranks import rank_intervals

Floats = NDArray[np.float64]
METHODS: tuple[RankMethod, ...] = get_args(RankMethod)


def peer(x: Floats, y: Floats, method: RankMethod) -> float:
    """Give scipy's correlation."""
    found = stats.spearmanr(x, y) if method == "spearman" else stats.kendalltau(x, y)
    return float(found.statistic)


@given(
    hnp.arrays(np.float64, st.tuples(st.just(2), st.integers(2, 15)), elements=st.integers(0, 5))
)
def test_P_10_values_equal_scipy_with_ties(pair: Floats) -> None:
    x, y = pair
    assume(np.ptp(x) > 0 and np.ptp(y) > 0)
    for method in METHODS:
        found = rank_correlation(x, y, method=method, n_boot=100)
        assert found.value == pytest.approx(peer(x, y, method), abs=1e-10)
        if found.low is not None:
            assert found.high is not None
            assert found.value is not None
            assert -1.0 <= found.low <= found.value <= found.high <= 1.0


@pytest.mark.parametrize("method", METHODS)
def test_weights_give_what_scipy_gives_of_the_resample(method: RankMethod) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 6, 20).astype(float), rng.normal(size=20)
    correlate = (_kendall if method == "kendall" else _spearman)(x, y)
    weights = rng.multinomial(20, np.full(20, 0.05), size=5)
    for w, got in zip(weights, correlate(weights.astype(float)), strict=True):
        expected = peer(np.repeat(x, w), np.repeat(y, w), method)
        assert got == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_P_10_constant_resamples_are_counted_and_left_out(method: RankMethod) -> None:
    found = rank_correlation([0, 0, 0, 1, 1], [1, 2, 3, 2, 5], method=method)
    assert 0 < found.n_constant < 400  # two in 5 ** 5 resamples of five hold one value: 8%
    assert found.low is not None
    assert f"{found.n_constant} of 2000 resamples were constant" in found.notes[0]


def test_mostly_constant_resamples_give_no_interval() -> None:
    x = np.zeros(400)
    x[0] = 1.0
    found = rank_correlation(x, np.random.default_rng(1).random(400), rng=np.random.default_rng(0))
    assert found.n_constant / found.n_boot == pytest.approx(np.exp(-1), abs=0.05)
    four = rank_correlation([0, 0, 0, 1], [0, 1, 0, 0], n_boot=1000)
    assert four.value is not None
    assert four.low is None
    assert four.reason is not None
    assert "resamples are constant on one side" in four.reason


@pytest.mark.parametrize("method", METHODS)
def test_perfect_agreement_is_not_certain(method: RankMethod) -> None:
    few = rank_correlation(range(5), range(5), method=method)
    many = rank_correlation(range(60), range(60), method=method)
    assert few.value == pytest.approx(1.0)
    assert few.high == 1.0
    assert few.low is not None
    assert many.low is not None
    assert few.low < many.low < 1.0
    against = rank_correlation(range(60), range(60, 0, -1), method=method)
    assert against.low == -1.0


def test_P_10_values_equal_scipy_on_real_logs(shared: Path) -> None:
    names = sorted((shared / "data/logs/inspect/popularity").glob("*.eval"))
    logs = []
    for file in names:
        matrix = panopt.read(file).matrix("match")
        scores = matrix.scores()[:, 0].tolist()
        items = [matrix.name("item", i) for i in range(len(scores))]
        logs.append(dict(zip(items, scores, strict=True)))
    items = sorted(set.intersection(*(set(log) for log in logs)))
    table = np.array([[log[item] for item in items] for log in logs])
    assert table.shape == (4, 100)
    for one, other in combinations(table, 2):
        for method in METHODS:
            found = rank_correlation(one, other, method=method, n_boot=200)
            assert found.value == pytest.approx(peer(one, other, method), abs=1e-12)


def coverage(n: int, rho: float, method: RankMethod, runs: int) -> float:
    """Of the population's 6 / pi asin(rho / 2) or 2 / pi asin(rho), for normal pairs."""
    truth = 6 / np.pi * np.arcsin(rho / 2) if method == "spearman" else 2 / np.pi * np.arcsin(rho)
    rng, inside = np.random.default_rng(2), 0
    for _ in range(runs):
        x = rng.normal(size=n)
        y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=n)
        found = rank_correlation(x, y, method=method, n_boot=500, rng=rng)
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= truth <= found.high
    return inside / runs


@pytest.mark.parametrize("method", METHODS)
def test_coverage_with_20_pairs(method: RankMethod) -> None:
    assert coverage(20, 0.5, method, 300) >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("n", "runs"), [(20, 2000), (60, 1000), (100, 1000), (1500, 200)])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_coverage_of_correlation_in_full(n: int, rho: float, method: RankMethod, runs: int) -> None:
    assert coverage(n, rho, method, runs) >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs)


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 49, 100])
def test_coverage_of_five_tied_levels(n: int) -> None:
    """Percentiles held .93 of the high correlations of ordinal scores at 100 pairs."""

    def draw(size: int) -> tuple[Floats, Floats]:
        x = rng.normal(size=size)
        y = 0.9 * x + np.sqrt(0.19) * rng.normal(size=size)
        both: Floats = np.asarray(np.rint(np.clip(1.2 * np.stack((x, y)), -2.0, 2.0)), np.float64)
        return both[0], both[1]

    rng = np.random.default_rng(8)
    truth, inside, runs = peer(*draw(400_000), "spearman"), 0, 1000
    for _ in range(runs):
        found = rank_correlation(*draw(n), n_boot=500, rng=rng)
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= truth <= found.high
    assert inside / runs >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs)


def test_resamples_of_many_pairs_give_a_standard_error() -> None:
    """Within a tenth of the normal theory's width (Bonett & Wright 2000, eq. 4)."""
    rng = np.random.default_rng(9)
    x = rng.normal(size=400)
    y = 0.8 * x + 0.6 * rng.normal(size=400)
    found = rank_correlation(x, y, rng=rng)
    assert "Fisher's scale" in found.method
    assert "percentiles" in rank_correlation(x[:49], y[:49]).method
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    se = np.sqrt((1 + found.value**2 / 2) / 397)
    width = np.arctanh(found.high) - np.arctanh(found.low)
    assert width == pytest.approx(2 * 1.966 * se, rel=0.1)


def test_no_value_has_its_reason() -> None:
    assert rank_correlation([1, 1], [1, 2]).reason == "x is constant: there is no order to compare"
    assert rank_correlation([1, 2], [3, 3]).reason == "y is constant: there is no order to compare"
    assert rank_correlation([1, np.nan], [1, 2]).reason == "1 pairs have no order: two are needed"
    three = rank_correlation([1, 2, 3], [1, 3, 2])
    assert (three.value, three.reason) == (0.5, "3 pairs give no interval: 4 are needed")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"method": "pearson"}, "method = 'pearson' must be one of"),
        ({"alpha": 2.0}, r"alpha = 2\.0 must lie strictly"),
        ({"n_boot": 5}, "n_boot = 5 must be at least 100"),
        ({"y": [1.0]}, "not 3 and 1"),
    ],
)
def test_bad_arguments_of_a_correlation_are_named(change: dict[str, object], match: str) -> None:
    arguments: dict[str, object] = {"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 3.0]} | change
    with pytest.raises(ValueError, match=match):
        rank_correlation(**arguments)  # type: ignore[arg-type]


def test_P_10_ranks_hold_for_all_systems_at_once() -> None:
    """Five equal systems: with probability .95 no rank is ruled out for any of them."""
    rng, runs, wrong = np.random.default_rng(3), 400, 0
    for _ in range(runs):
        scores = rng.normal(size=(25, 1)) + rng.normal(size=(25, 5))
        found = rank_intervals(scores, n_boot=999, rng=rng)
        assert found.low is not None
        assert found.high is not None
        wrong += bool(np.any(found.low > 1) or np.any(found.high < 5))
    assert wrong / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert wrong > 0


def test_ranks_tell_apart_what_is_far_apart_and_not_what_is_the_same() -> None:
    rng = np.random.default_rng(4)
    base = rng.normal(size=(100, 1))
    scores = np.hstack((base, base, base + 1 + 0.1 * rng.normal(size=(100, 1))))
    found = rank_intervals(scores)
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert found.value.tolist() == [2.5, 2.5, 1.0]
    assert (found.low.tolist(), found.high.tolist()) == ([2, 2, 1], [3, 3, 1])


def test_systems_that_differ_on_few_items_are_not_told_apart() -> None:
    scores = np.zeros((100, 2))
    scores[:6, 0] = 1.0  # t is 2.5 here
    found = rank_intervals(scores)
    assert found.low is not None
    assert found.low.tolist() == [1, 1]


def test_ranks_take_whole_rows_and_clusters() -> None:
    rng = np.random.default_rng(5)
    scores = rng.normal(size=(40, 3))
    scores[3, 1] = np.nan
    found = rank_intervals(scores, clusters=np.repeat(np.arange(8), 5))
    assert (found.n, found.n_clusters, found.n_missing) == (39, 8, 1)
    one = rank_intervals(scores, clusters=np.zeros(40, int))
    assert (one.low, one.reason) == (None, "one cluster gives no standard error: two are needed")
    assert (
        rank_intervals(np.full((2, 2), np.nan)).reason == "there is no item that all systems have"
    )


@pytest.mark.parametrize(
    ("scores", "options", "match"),
    [
        ([1.0, 2.0], {}, r"shape \(items, two or more systems\), not \(2,\)"),
        ([[1.0], [2.0]], {}, r"not \(2, 1\)"),
        ([[1.0, np.inf]], {}, "scores must be finite"),
        ([[1.0, 2.0]], {"alpha": 0}, "alpha = 0 must lie"),
        ([[1.0, 2.0]], {"n_boot": 9}, "n_boot = 9 must be at least 999"),
        ([[1.0, 2.0]], {"clusters": [1, 2]}, "one key an item"),
    ],
)
def test_bad_arguments_of_ranks_are_named(
    scores: list[object], options: dict[str, object], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        rank_intervals(scores, **options)  # type: ignore[arg-type]
