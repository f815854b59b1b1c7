from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from panopt.stats.binomial import (
    certifies,
    clopper_pearson,
    errors_allowed,
    labels_needed,
    risk_upper,
    wilson,
    zero_error_labels,
)

levels = st.floats(0.001, 0.999)


def test_T_1_bound_vectors_of_zero_errors_in_thirty() -> None:
    assert risk_upper(0, 30, 0.1) == pytest.approx(0.0739, abs=5e-5)
    assert risk_upper(0, 30, 0.1 / 3) == pytest.approx(0.1072, abs=5e-5)


def test_T_1_zero_errors_needed() -> None:
    assert [zero_error_labels(a, 0.05) for a in (0.01, 0.02, 0.05, 0.10)] == [299, 149, 59, 29]
    assert zero_error_labels(0.1, 0.1) == 22


@pytest.mark.parametrize(
    ("alpha", "delta", "n"),
    # (1 - alpha)^n equals delta exactly as decimals, not as floats.
    [(0.1, 0.81, 2), (0.5, 0.25, 2), (0.1, 0.729, 3), (0.3, 0.343, 3), (0.2, 0.4096, 4)],
)
def test_zero_error_labels_at_the_boundary_does_not_ask_for_one_more(
    alpha: float, delta: float, n: int
) -> None:
    assert zero_error_labels(alpha, delta) == n
    assert bool(certifies(0, n, alpha=alpha, delta=delta))


def test_risk_upper_is_scipys_beta_quantile() -> None:
    n, k = np.meshgrid(np.arange(1, 60), np.arange(60))
    n, k = n[k < n], k[k < n]
    for delta in (0.001, 0.1, 0.5):
        expected = stats.beta.ppf(1 - delta, k + 1, n - k)
        np.testing.assert_allclose(risk_upper(k, n, delta), expected, rtol=1e-10)


def test_risk_upper_is_one_without_a_success() -> None:
    assert risk_upper([0, 1, 7], [0, 1, 7], 0.1).tolist() == [1.0, 1.0, 1.0]


def test_intervals_are_statsmodels() -> None:
    n, k = np.meshgrid(np.array([1, 2, 7, 40, 1000]), np.arange(41))
    n, k = n[k <= n], k[k <= n]
    for level in (0.8, 0.95):
        for ours, method in ((clopper_pearson, "beta"), (wilson, "wilson")):
            low, high = ours(k, n, level=level)
            expected = proportion_confint(k, n, alpha=1 - level, method=method)
            np.testing.assert_allclose(low, np.maximum(expected[0], 0), atol=1e-9)
            np.testing.assert_allclose(high, np.minimum(expected[1], 1), atol=1e-9)


@settings(deadline=None)
@given(st.integers(1, 3000), st.data(), levels, levels)
def test_certifies_is_the_bound_and_the_exact_tail(
    n: int, data: st.DataObject, alpha: float, delta: float
) -> None:
    k = data.draw(st.integers(0, n))
    tail = stats.binom.cdf(k, n, alpha)
    if abs(tail - delta) < 1e-9:
        return
    assert bool(certifies(k, n, alpha=alpha, delta=delta)) == (k < n and tail <= delta)
    assert bool(certifies(k, n, alpha=alpha, delta=delta)) == bool(risk_upper(k, n, delta) <= alpha)


def test_certifies_settles_every_count_near_the_boundary_as_the_exact_tail_does() -> None:
    # The bracket of Zubkov and Serov is tightest, and a wrong sign costs most, around k_max.
    for n in (500, 20_000):
        for alpha, delta in ((0.1, 0.1), (0.02, 0.01), (0.6, 0.4)):
            most = int(errors_allowed(n, alpha=alpha, delta=delta))
            k = np.arange(max(most - 40, 0), most + 40)
            expected = stats.binom.cdf(k, n, alpha) <= delta
            assert (certifies(k, n, alpha=alpha, delta=delta) == expected).all()


@settings(deadline=None, max_examples=50)
@given(levels, levels)
def test_labels_needed_is_least_and_errors_allowed_its_inverse(alpha: float, delta: float) -> None:
    k = np.arange(12)
    n = labels_needed(k, alpha=alpha, delta=delta)
    assert certifies(k, n, alpha=alpha, delta=delta).all()
    assert not certifies(k, n - 1, alpha=alpha, delta=delta).any()
    assert (errors_allowed(n - 1, alpha=alpha, delta=delta) < k).all()
    assert (errors_allowed(n, alpha=alpha, delta=delta) >= k).all()


def test_upper_bound_covers_at_least_its_level_exactly() -> None:
    # Summed over the binomial, not simulated: P(bound < risk) <= delta at every risk.
    n, k = 40, np.arange(41)
    bound = risk_upper(k, n, 0.1)
    for risk in np.linspace(0.01, 0.99, 99):
        assert stats.binom.pmf(k, n, risk)[bound < risk].sum() <= 0.1 + 1e-12


def test_bad_counts_are_named() -> None:
    with pytest.raises(ValueError, match="errors must lie between 0 and n"):
        risk_upper(3, 2, 0.1)
    with pytest.raises(ValueError, match="whole numbers"):
        risk_upper(0.5, 2, 0.1)
    with pytest.raises(ValueError, match=r"delta = 1\.0 must lie strictly between"):
        risk_upper(0, 2, 1.0)
    with pytest.raises(ValueError, match="n above 0"):
        wilson(0, 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1, 0.5, 2.0**60])
def test_what_is_no_count_is_named(bad: float) -> None:
    with pytest.raises(ValueError, match=r"errors = \S+ must be a whole number from 0"):
        labels_needed([0, bad], alpha=0.1, delta=0.1)
    with pytest.raises(ValueError, match=r"n = \S+ must be a whole number from 0"):
        errors_allowed(bad, alpha=0.1, delta=0.1)
    with pytest.raises(ValueError, match=r"whole numbers|between 0 and n"):
        risk_upper(0, bad if bad != 2.0**60 else np.inf, 0.1)


def test_counts_may_be_whole_floats() -> None:
    assert labels_needed(1.0, alpha=0.1, delta=0.1) == 38
    assert errors_allowed(38.0, alpha=0.1, delta=0.1) == 1
    with pytest.raises(ValueError, match=r"alpha = 1\.5 must lie strictly between"):
        errors_allowed(0, alpha=1.5, delta=0.1)
