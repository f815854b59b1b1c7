"""Drift: a rank test that is exact with ties, and bets that may be looked at any time."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from panopt.stats.drift import drift_test, risk_wealth

SHARES = np.array([0.6, 0.8, 1.0])


def rejections(draws: int, level: float, *, n: int, m: int, odds: list[float]) -> float:
    """Share of tests at `level` that see drift: reference of equal odds, sample of `odds`."""
    rng = np.random.default_rng(1)
    seen = 0
    for _ in range(draws):
        then, now = rng.choice(SHARES, n), rng.choice(SHARES, m, p=odds)
        p_value = drift_test(then, now, rng=rng, n_permutations=199).p_value
        assert p_value is not None
        seen += p_value <= level
    return seen / draws


def test_statistic_orders_samples_as_scipy_s_does() -> None:
    # scipy standardises by moments that depend on the sizes alone: an affine function of ours.
    rng, ours, theirs = np.random.default_rng(0), [], []
    for shift in range(8):
        then, now = rng.integers(0, 5, 30) / 4, rng.integers(0, 5 + shift // 3, 50) / 4
        ours.append(drift_test(then, now, rng=rng).statistic)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it caps its p-values and says so
            theirs.append(stats.anderson_ksamp([then, now], variant="midrank").statistic)
    (slope, offset), rest, *_ = np.polyfit(np.array(ours, float), theirs, 1, full=True)
    assert slope > 0
    assert rest[0] < 1e-20
    assert offset == pytest.approx(-slope)  # the statistic's mean without drift is 1


def test_p_value_is_that_of_scipy_s_permutations() -> None:
    rng = np.random.default_rng(3)
    then, now = np.repeat(SHARES, [9, 14, 17]), np.repeat(SHARES, [12, 11, 7])
    method = stats.PermutationMethod(n_resamples=1999, random_state=4)
    theirs = stats.anderson_ksamp([then, now], variant="midrank", method=method).pvalue
    ours = drift_test(then, now, rng=rng).p_value
    assert ours is not None
    assert 0.005 < theirs < 0.5
    assert abs(ours - theirs) < 4 * np.sqrt(2 * theirs * (1 - theirs) / 2000)


def test_difference_is_kolmogorov_s() -> None:
    rng = np.random.default_rng(0)
    then, now = rng.random(50), rng.random(70) ** 2
    found = drift_test(then, now, rng=rng)
    assert found.difference == pytest.approx(stats.ks_2samp(then, now).statistic)
    assert (found.n_reference, found.n) == (50, 70)


def test_many_values_are_binned_alike_for_both_samples() -> None:
    rng = np.random.default_rng(0)
    same = drift_test(rng.random(500), rng.random(20_000), rng=rng).p_value
    moved = drift_test(rng.random(500), rng.beta(1.3, 1, 20_000), rng=rng).p_value
    assert same is not None
    assert same > 0.01
    assert moved == pytest.approx(1 / 2000)


@pytest.mark.parametrize(("n", "m"), [(30, 30), (75, 1000)])
def test_false_alarms_are_at_most_the_level(n: int, m: int) -> None:
    for level in (0.05, 0.1):
        found = rejections(400, level, n=n, m=m, odds=[1 / 3] * 3)
        assert found <= level + 3 * np.sqrt(level * (1 - level) / 400)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m"), [(22, 5), (30, 30), (75, 1000), (500, 100)])
def test_false_alarms_are_at_most_the_level_in_many_draws(n: int, m: int) -> None:
    for level in (0.01, 0.05, 0.1):
        found = rejections(6000, level, n=n, m=m, odds=[1 / 3] * 3)
        assert found <= level + 3 * np.sqrt(level * (1 - level) / 6000)


def test_a_shift_is_seen() -> None:
    assert rejections(100, 0.01, n=100, m=300, odds=[0.6, 0.25, 0.15]) > 0.95


def test_nothing_to_compare_is_told() -> None:
    rng = np.random.default_rng(0)
    assert drift_test([], [0.5], rng=rng).reason == "the reference is empty"
    found = drift_test([0.5], [], rng=rng)
    assert (found.p_value, found.reason) == (None, "the sample is empty")


@given(st.lists(st.floats(0, 1), min_size=1), st.lists(st.floats(0, 1), min_size=1))
def test_any_samples_have_a_p_value(then: list[float], now: list[float]) -> None:
    found = drift_test(then, now, rng=np.random.default_rng(0), n_permutations=19)
    assert found.p_value is not None
    assert found.difference is not None
    assert 0.05 <= found.p_value <= 1
    assert 0 <= found.difference <= 1
    if len(set(then + now)) == 1:
        assert found.p_value == 1


@pytest.mark.parametrize(
    ("then", "now", "options", "message"),
    [
        ([0.5, np.nan], [0.5], {}, "reference must not be NaN"),
        ([0.5], [[0.5]], {}, "sample must have one dimension, not 2"),
        ([0.5], ["a"], {}, "sample has dtype"),
        ([0.5], [0.5], {"n_permutations": 0}, "n_permutations = 0 must be at least 1"),
    ],
)
def test_bad_samples_are_named(
    then: list[float], now: list[float], options: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        drift_test(then, now, rng=np.random.default_rng(0), **options)


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (3, 10), (12, 40)])
def test_wealth_is_the_mean_over_bets(k: int, n: int) -> None:
    alpha = 0.15

    def bet(q: float) -> float:
        return float((q / alpha) ** k * ((1 - q) / (1 - alpha)) ** (n - k))

    mean = integrate.quad(bet, alpha, 1)[0] / (1 - alpha)
    assert float(risk_wealth(k, n, alpha=alpha)) == pytest.approx(mean)


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_wealth_is_fair_at_alpha_and_shrinks_below(alpha: float) -> None:
    counts, n = np.arange(61), 60
    wealth = risk_wealth(counts, n, alpha=alpha)
    assert float(stats.binom.pmf(counts, n, alpha) @ wealth) == pytest.approx(1.0)
    assert float(stats.binom.pmf(counts, n, alpha / 2) @ wealth) < 1.0


def ever_rich(draws: int, risk: float) -> float:
    """Share of streams of 500 labels whose wealth is 20 at some time."""
    wrong = np.random.default_rng(2).random((draws, 500)) < risk
    wealth = risk_wealth(np.cumsum(wrong, axis=1), np.arange(1, 501), alpha=0.1)
    return float((wealth.max(axis=1) >= 20).mean())


def test_looking_after_every_label_keeps_the_level() -> None:
    assert ever_rich(1000, 0.1) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)
    assert ever_rich(200, 0.25) > 0.99


@pytest.mark.slow
def test_looking_after_every_label_keeps_the_level_in_many_streams() -> None:
    assert ever_rich(20_000, 0.1) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 20_000)


def test_wealth_of_many_labels_is_finite_or_zero_without_a_warning() -> None:
    assert float(risk_wealth(0, 10**6, alpha=0.1)) == 0.0
    assert float(risk_wealth(10**6, 10**6, alpha=0.1)) == np.inf


@pytest.mark.parametrize(
    ("errors", "n", "alpha", "message"),
    [
        (2, 1, 0.1, "errors must lie between 0 and n"),
        (-1, 1, 0.1, "errors must lie between 0 and n"),
        (0.5, 1, 0.1, "must be whole numbers"),
        (0, 1, 0.0, "alpha = 0.0 must lie strictly between 0 and 1"),
    ],
)
def test_bad_counts_are_named(errors: float, n: float, alpha: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        risk_wealth(errors, n, alpha=alpha)
