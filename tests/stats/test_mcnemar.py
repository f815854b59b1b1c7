"""McNemar's test, win rates, and p-values adjusted for the number of tests."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from statsmodels.stats.contingency_tables import mcnemar as peer_mcnemar
from statsmodels.stats.multitest import multipletests

from panopt.stats.mcnemar import mcnemar
from panopt.stats.mean import mean_interval
from panopt.stats.multiple import benjamini_hochberg, holm
from panopt.stats.paired_wins import win_rate

Floats = NDArray[np.float64]


def test_P_10_mcnemar_equals_statsmodels_exact_test() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 5, 30, 400):
        a, b = rng.integers(0, 2, (2, n))
        table = np.histogram2d(a, b, bins=2, range=((0, 1), (0, 1)))[0]
        assert mcnemar(a, b).p == pytest.approx(peer_mcnemar(table, exact=True).pvalue, abs=1e-12)


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


def test_p_values_off_range_are_refused() -> None:
    for adjust in (holm, benjamini_hochberg):
        with pytest.raises(ValueError, match="p must lie between 0 and 1"):
            adjust([0.5, 1.5])
        with pytest.raises(ValueError, match="p must have one dimension, not 2"):
            adjust([[0.5]])
