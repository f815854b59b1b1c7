"""Agreement of systems' means with a reference order: reference numbers, coverage, refusals."""

from __future__ import annotations

from itertools import permutations, product
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from panopt.stats.rank_correlation import RankMethod
from panopt.stats.ranking_agreement import _rho_bounds, _tau_bounds, ranking_agreement
from panopt.stats.ranks import shown_better

Floats = NDArray[np.float64]
METHODS: tuple[RankMethod, ...] = get_args(RankMethod)


def peer(x: Floats, y: Floats, method: RankMethod) -> float:
    """Give scipy's correlation."""
    found = stats.spearmanr(x, y) if method == "spearman" else stats.kendalltau(x, y)
    return float(found.statistic)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("systems", [4, 9])
def test_P_10_value_and_p_equal_scipy(systems: int, method: RankMethod) -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(30, systems)) + np.arange(systems) * 0.2
    reference = rng.integers(0, 4, systems).astype(float)
    found = ranking_agreement(scores, reference, method=method)
    mean = scores.mean(axis=0)
    assert found.value == pytest.approx(peer(mean, reference, method), abs=1e-12)
    assert found.p_exact == (systems == 4)
    test = stats.permutation_test(
        (mean,),
        lambda x: peer(x, reference, method),
        permutation_type="pairings",
        n_resamples=4000 if systems == 4 else 800,
        rng=rng,
    )
    assert found.p is not None
    below = abs(found.p - float(test.pvalue))
    assert below < (1e-12 if systems == 4 else 0.06)


@pytest.mark.parametrize("method", METHODS)
def test_bounds_hold_every_order_that_is_not_ruled_out(method: RankMethod) -> None:
    """All orders of five systems gone through; tau's bounds are tight, rho's for intervals."""
    rng = np.random.default_rng(1)
    tight = 0
    for seed in range(20):
        table = rng.normal(size=(40, 5)) + rng.permutation(5) * 0.35
        codes = np.arange(40)
        shown = shown_better(table, codes, alpha=0.05, n_boot=999, rng=np.random.default_rng(seed))
        order = stats.rankdata(rng.integers(0, 9, 5)) - 3.0
        if np.ptp(order) == 0.0:
            continue
        possible = [
            peer(np.array(means), order, method)
            for means in permutations(range(5))
            if all(means[i] > means[j] for i, j in np.argwhere(shown))
        ]
        low, high = (_rho_bounds if method == "spearman" else _tau_bounds)(shown, order)
        assert low <= min(possible) + 1e-9
        assert high >= max(possible) - 1e-9
        tight += high - low < max(possible) - min(possible) + 0.25
        assert shown.any()
    assert tight >= 15


def covered(method: RankMethod, gap: float, runs: int, *, reverse: bool) -> tuple[float, float]:
    """Give the share of runs in which either interval holds the truth, for eight systems."""
    rng, systems, n = np.random.default_rng(2), 8, 60
    reference = np.arange(systems, dtype=float)
    order = reference if not reverse else np.random.default_rng(3).permutation(systems)
    truth, inside, moved = peer(order.astype(float), reference, method), 0, 0
    for _ in range(runs):
        scores = rng.normal(size=(n, 1)) + rng.normal(size=(n, systems))
        scores += order * gap / np.sqrt(n)
        found = ranking_agreement(scores, reference, method=method, n_boot=999, rng=rng)
        assert found.low is not None
        assert found.high is not None
        assert found.resampled_high is not None
        inside += found.low - 1e-9 <= truth <= found.high + 1e-9
        moved += truth <= found.resampled_high + 1e-9
    return inside / runs, moved / runs


@pytest.mark.parametrize("method", METHODS)
def test_P_10_the_truth_is_held_where_resampling_misses_it(method: RankMethod) -> None:
    inside, moved = covered(method, 0.5, 60, reverse=False)
    assert inside >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 60)
    assert moved < 0.3


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("gap", "reverse"), list(product((0.3, 1.0, 3.0, 8.0), (True, False))))
def test_agreement_holds_in_full(method: RankMethod, gap: float, *, reverse: bool) -> None:
    inside, _ = covered(method, gap, 600, reverse=reverse)
    assert inside >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 600)


def test_p_is_uniform_where_the_reference_is_any_order() -> None:
    rng = np.random.default_rng(4)
    p = np.array(
        [
            ranking_agreement(rng.normal(size=(6, 5)), rng.permutation(5), n_boot=999, rng=rng).p
            for _ in range(400)
        ]
    )
    for level in (0.05, 0.1, 0.5):
        assert np.mean(p <= level) <= level + 3 * np.sqrt(level * (1 - level) / 400)


@pytest.mark.parametrize("method", METHODS)
def test_P_10_resamples_with_equal_means_are_counted_and_left_out(method: RankMethod) -> None:
    scores = np.zeros((6, 3))
    scores[:2, 0] = 1.0
    found = ranking_agreement(scores, [3, 2, 1], method=method)
    assert found.n_constant / found.n_boot == pytest.approx((4 / 6) ** 6, abs=0.03)
    assert found.resampled_low is not None
    rare = np.zeros((400, 3))
    rare[0, 0] = 1.0
    few = ranking_agreement(rare, [3, 2, 1], method=method)
    assert few.n_constant / few.n_boot == pytest.approx(np.exp(-1), abs=0.05)


def test_many_items_are_not_drawn_and_identical_systems_stay_tied() -> None:
    rng = np.random.default_rng(5)
    base = rng.random((3000, 1))
    scores = np.hstack((base, base, base + 0.3 * rng.random((3000, 1))))
    found = ranking_agreement(scores, [1, 2, 3], rng=rng)
    tied = peer(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]), "spearman")
    for seen in (found.value, found.resampled_low, found.resampled_high):
        assert seen == pytest.approx(tied)
    assert found.low == pytest.approx(0.5)
    assert found.high == pytest.approx(1.0)


def test_clusters_are_the_units() -> None:
    rng = np.random.default_rng(6)
    scores = np.repeat(rng.normal(size=(12, 4)) + np.arange(4) * 0.9, 30, axis=0)
    alone = ranking_agreement(scores, [1, 2, 3, 4])
    found = ranking_agreement(scores, [1, 2, 3, 4], clusters=np.repeat(np.arange(12), 30))
    assert (found.n, found.n_clusters) == (360, 12)
    assert alone.low is not None
    assert found.low is not None
    assert found.low < alone.low


def test_no_agreement_has_its_reason() -> None:
    scores = [[1.0, 2.0, 3.0], [2.0, 1.0, np.nan]]
    one = ranking_agreement(scores, [1, np.nan, np.nan])
    assert one.reason == "1 systems have a reference: two are needed"
    assert one.n_unreferenced == 2
    assert ranking_agreement(scores, [2, 2, 2]).reason is not None
    found = ranking_agreement(scores, [1, 2, 3])
    assert (found.value, found.low, found.n_missing) == (1.0, None, 1)
    assert found.reason == "one cluster gives no interval: two are needed"
    assert "same mean" in str(ranking_agreement(np.ones((5, 3)), [1, 2, 3]).reason)
    none = ranking_agreement(np.full((3, 2), np.nan), [1, 2])
    assert none.reason == "there is no item that all systems have"
    assert ranking_agreement(np.empty((0, 2)), [1, 2]).value is None


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"scores": [1.0, 2.0]}, r"scores must have shape \(items, systems\), not \(2,\)"),
        ({"scores": [[1.0, np.inf]]}, "scores must be finite"),
        ({"reference": [1.0]}, r"one score a system, \(2,\), not \(1,\)"),
        ({"reference": [1.0, np.inf]}, "reference must be finite"),
        ({"method": "pearson"}, "method = 'pearson' must be one of"),
        ({"alpha": 1.0}, r"alpha = 1\.0 must lie"),
        ({"n_boot": 10}, "n_boot = 10 must be at least 999"),
        ({"clusters": [1, 2]}, "one key an item"),
    ],
)
def test_bad_arguments_of_an_agreement_are_named(change: dict[str, object], match: str) -> None:
    arguments: dict[str, object] = {"scores": [[1.0, 2.0]], "reference": [1.0, 2.0]} | change
    with pytest.raises(ValueError, match=match):
        ranking_agreement(**arguments)  # type: ignore[arg-type]
