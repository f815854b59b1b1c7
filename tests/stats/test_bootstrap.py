"""Resamples by pattern counts follow the law of resampled units; intervals follow their formula."""

from __future__ import annotations

import numpy as np
import pytest

from panopt.stats.bootstrap import cluster_weights, pattern_weights, percentile_interval


@pytest.mark.parametrize("counts", [[3, 1, 1], [5000, 2000, 1000]])
def test_pattern_weights_have_the_multinomial_law(counts: list[int]) -> None:
    # Small: drawn unit by unit. Large: one multinomial draw. Same mean n p, variance n p (1 - p).
    given = np.array(counts)
    draws = np.concatenate(list(pattern_weights(given, 20_000, np.random.default_rng(0))))
    n, p = given.sum(), given / given.sum()
    assert (draws.sum(axis=1) == n).all()
    error = np.sqrt(n * p * (1 - p) / 20_000)
    assert (np.abs(draws.mean(axis=0) - given) < 4 * error).all()
    np.testing.assert_allclose(draws.var(axis=0), n * p * (1 - p), rtol=0.05)


def test_block_size_does_not_change_the_draws() -> None:
    counts = np.ones(3000, dtype=np.int64)
    one, two = (
        np.concatenate(list(pattern_weights(counts, 100, np.random.default_rng(1), width=width)))
        for width in (1, 50)
    )
    np.testing.assert_array_equal(one, two)


def test_cluster_weights_take_clusters_whole() -> None:
    pattern = np.array([0, 1, 0, 2, 2, 2])
    clusters = np.array([0, 0, 1, 1, 2, 2])
    whole = np.array([[1, 1, 0], [1, 0, 1], [0, 0, 2]])
    draws = np.concatenate(list(cluster_weights(pattern, clusters, 500, np.random.default_rng(2))))
    times = np.linalg.lstsq(whole.T, draws.T, rcond=None)[0]
    np.testing.assert_allclose(times, np.rint(times), atol=1e-9)
    np.testing.assert_allclose(times.sum(axis=0), 3)
    assert np.abs(times.mean(axis=1) - 1).max() < 4 * np.sqrt(2 / 3 / 500)


def test_percentiles_of_unbiased_draws_at_many_units_are_plain_ones() -> None:
    draws = np.random.default_rng(3).normal(size=100_001)
    low, high = percentile_interval(draws, float(np.median(draws)), n_units=10**7, alpha=0.1)
    np.testing.assert_allclose([low, high], np.quantile(draws, [0.05, 0.95]), atol=1e-3)


def test_few_units_widen_the_interval_to_that_of_t() -> None:
    # A mean of 5 units: bootstrap sd s sqrt(4/5), wanted t(4) s; 2.132 * sqrt(5/4) = 2.383.
    draws = np.random.default_rng(4).normal(size=1_000_001)
    low, high = percentile_interval(draws, 0.0, n_units=5, alpha=0.1)
    assert low == pytest.approx(-2.383, abs=0.02)
    assert high == pytest.approx(2.383, abs=0.02)


def test_a_value_in_the_tail_of_its_draws_stays_inside() -> None:
    draws = np.random.default_rng(5).normal(size=2001)
    for value in (-3.0, -1.0, 1.0, 3.0):
        low, high = percentile_interval(draws, value, n_units=100, alpha=0.1)
        assert low < high
        assert low < np.clip(value, -1, 1) < high
