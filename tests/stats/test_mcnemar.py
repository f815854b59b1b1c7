"""McNemar's test, win rates, and p-values adjusted for the number of tests."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as peer_mcnemar
from statsmodels.stats.multitest import multipletests

import panopt
from panopt.stats.mcnemar import mcnemar
from panopt.stats.mean import mean_interval
from panopt.stats.multiple import benjamini_hochberg, holm
from panopt.stats.paired_wins import win_rate
from panopt.stats.signflip import permutation_test

Floats = NDArray[np.float64]


def test_P_10_mcnemar_equals_statsmodels_exact_test() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 5, 30, 400):
        a, b = rng.integers(0, 2, (2, n))
        table = np.histogram2d(a, b, bins=2, range=((0, 1), (0, 1)))[0]
        assert mcnemar(a, b).p == pytest.approx(peer_mcnemar(table, exact=True).pvalue, abs=1e-12)


def test_P_10_mcnemar_and_win_rate_on_real_logs(shared: Path) -> None:
    logs = []
    for file in sorted((shared / "data/logs/inspect/popularity").glob("*.eval")):
        matrix = panopt.read(file).matrix("match")
        items = np.array([matrix.name("item", i) for i in range(len(matrix.items))])
        logs.append(matrix.scores()[np.argsort(items), 0])
    differ = 0
    for a, b in combinations(logs, 2):
        table = np.histogram2d(a, b, bins=2, range=((0, 1), (0, 1)))[0]
        found = mcnemar(a, b)
        assert found.n == 100
        assert found.p == pytest.approx(peer_mcnemar(table, exact=True).pvalue, abs=1e-12)
        assert found.p == pytest.approx(permutation_test(a, b).p, abs=1e-12)
        wins = win_rate(a, b).value
        assert wins == pytest.approx(0.5 + (a - b).mean() / 2, abs=1e-12)
        differ += found.a_only + found.b_only
    assert differ > 0


def both_p(n: int, rate: float) -> tuple[float, float]:
    """Give the size at .05 of the exact p and of mid-p, summed over all numbers that differ."""
    size = np.zeros(2)
    for differ in range(n + 1):
        mass = float(stats.binom.pmf(differ, n, rate))
        if mass < 1e-13:
            continue
        for ahead in range(differ + 1):
            a = np.repeat([1, 0, 0], [ahead, differ - ahead, n - differ])
            b = np.repeat([0, 1, 0], [ahead, differ - ahead, n - differ])
            found = mcnemar(a, b)
            assert found.p is not None
            assert found.mid_p is not None
            share = mass * float(stats.binom.pmf(ahead, differ, 0.5))
            size += share * np.array([found.p <= 0.05, found.mid_p <= 0.05])
    return float(size[0]), float(size[1])


@pytest.mark.parametrize("n", [5, 20, 40])
@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
def test_exact_p_keeps_its_level_and_mid_p_comes_near(n: int, rate: float) -> None:
    exact, middle = both_p(n, rate)
    assert exact <= 0.05
    assert exact <= middle <= 0.065  # Fagerland et al. 2013: never far above


def test_mid_p_is_the_exact_p_less_what_was_seen() -> None:
    found = mcnemar([1] * 9 + [0], [0] * 9 + [1])
    assert found.p == pytest.approx(22 / 1024)
    assert found.mid_p == pytest.approx(12 / 1024)


def test_mcnemar_without_a_difference() -> None:
    found = mcnemar([1, 1, 0], [1, 1, 0])
    assert (found.p, found.mid_p, found.value) == (1.0, 1.0, 0.0)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.0 < found.high
    assert mcnemar([np.nan], [1.0]).reason == "there is no pair with both verdicts"


@pytest.mark.parametrize(
    ("a", "alpha", "match"),
    [([0.5], 0.05, "a must hold 0 and 1 alone"), ([1.0], 1.0, r"alpha = 1\.0 must lie")],
)
def test_mcnemar_names_what_is_wrong(a: list[float], alpha: float, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        mcnemar(a, [1.0], alpha=alpha)


def test_win_rate_counts_ties_half_and_keeps_clusters() -> None:
    rng = np.random.default_rng(1)
    a, b, clusters = *rng.integers(0, 4, (2, 50)), np.repeat(np.arange(10), 5)
    found = win_rate(a, b, clusters=clusters)
    won = np.where(a > b, 1.0, np.where(a < b, 0.0, 0.5))
    expected = mean_interval(won, clusters=clusters)
    assert (found.value, found.low, found.high) == (expected.value, expected.low, expected.high)
    assert found.n_clusters == 10
    assert win_rate(b, a, clusters=clusters).value == pytest.approx(1 - won.mean())
    assert win_rate([np.nan], [1.0]).value is None


p_values = hnp.arrays(np.float64, st.integers(1, 12), elements=st.floats(0, 1))


@settings(max_examples=40)
@given(p_values)
def test_P_10_adjusted_p_values_equal_statsmodels(p: Floats) -> None:
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], atol=1e-12)
    found = benjamini_hochberg(p)
    np.testing.assert_allclose(found, multipletests(p, method="fdr_bh")[1], atol=1e-12)


def test_a_test_not_made_does_not_count() -> None:
    np.testing.assert_array_equal(holm([0.01, np.nan, 0.02]), [0.02, np.nan, 0.02])
    np.testing.assert_array_equal(benjamini_hochberg([np.nan]), [np.nan])
    assert holm([]).size == 0


def test_holm_keeps_the_chance_of_any_false_finding() -> None:
    rng = np.random.default_rng(2)
    runs = 4000
    wrong = sum(bool(np.any(holm(rng.random(10)) <= 0.05)) for _ in range(runs))
    assert abs(wrong / runs - 0.05) <= 3 * np.sqrt(0.05 * 0.95 / runs) + 0.0013  # 1 - .995^10


@pytest.mark.slow
@pytest.mark.parametrize(("n", "epochs"), [(5, 1), (20, 1), (40, 5)])
@pytest.mark.parametrize("kind", ["ties", "pass"])
def test_win_rate_of_equal_systems_is_a_half(n: int, epochs: int, kind: str) -> None:
    """The interval leaves out one half at most 5% of the time, five items and ties included."""
    rng, runs, wrong = np.random.default_rng(4), 2000, 0
    clusters = np.repeat(np.arange(n), epochs)
    for _ in range(runs):
        item = rng.normal(size=(2, n))[:, clusters]
        z = 0.5 * item + rng.normal(size=(2, n * epochs))
        a, b = np.round(z) if kind == "ties" else (z > 0.0).astype(float)
        found = win_rate(a, b, clusters=clusters)
        assert found.low is not None
        assert found.high is not None
        wrong += not found.low <= 0.5 <= found.high
    assert wrong / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_shares_of_false_findings_are_kept_of_dependent_sign_flips() -> None:
    """Six pairs of four systems, two of them better: Benjamini-Hochberg's false share, Holm's."""
    rng, runs, share, any_false = np.random.default_rng(5), 400, 0.0, 0
    pairs = list(combinations(range(4), 2))
    equal = np.array([pair in {(0, 1), (2, 3)} for pair in pairs])
    for _ in range(runs):
        scores = rng.normal(size=(30, 1)) + np.round(rng.normal(size=(30, 4)), 1)
        scores += np.array([0.0, 0.0, 0.8, 0.8])
        p = [permutation_test(scores[:, i], scores[:, j]).p for i, j in pairs]
        found = benjamini_hochberg(np.array(p, dtype=float)) <= 0.05
        share += float(np.count_nonzero(found & equal)) / max(1, int(np.count_nonzero(found)))
        any_false += bool(np.any(holm(np.array(p, dtype=float))[equal] <= 0.05))
    bound = 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert share / runs <= bound
    assert any_false / runs <= bound
    assert share > 0.0


def test_p_values_off_range_are_refused() -> None:
    for adjust in (holm, benjamini_hochberg):
        with pytest.raises(ValueError, match="p must lie between 0 and 1"):
            adjust([0.5, 1.5])
        with pytest.raises(ValueError, match="p must have one dimension, not 2"):
            adjust([[0.5]])
