"""Adaptive intervals over streams, and the checks of exchangeability."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from panopt.plugins.conformal import (
    AdaptiveThreshold,
    adaptive_conformal,
    conformal_martingale,
    exchangeability_test,
    split_threshold,
)

Floats = NDArray[np.float64]


@given(
    hnp.arrays(np.float64, st.integers(1, 300), elements=st.floats(0, 10)),
    st.sampled_from([0.05, 0.1, 0.3]),
    st.sampled_from([0.01, 0.1, 0.5]),
)
def test_share_of_misses_is_near_alpha_on_any_stream(r: Floats, alpha: float, gamma: float) -> None:
    found = adaptive_conformal(r, alpha=alpha, gamma=gamma, window=20)
    assert found.coverage is not None
    assert abs(1 - found.coverage - alpha) <= found.deviation + 1e-12
    assert found.coverage_low - 1e-12 <= found.coverage <= found.coverage_high + 1e-12


def test_adaptive_bound_follows_a_drift_that_a_fixed_one_misses() -> None:
    rng = np.random.default_rng(0)
    r = np.abs(rng.normal(size=4000)) * np.linspace(1, 5, 4000)
    fixed = split_threshold(r[:200], alpha=0.1).value
    found = adaptive_conformal(r[200:], alpha=0.1, gamma=0.02, window=200, calibration=r[:200])
    assert np.mean(r[200:] > fixed) > 0.4
    assert found.missed.mean() == pytest.approx(0.1, abs=0.015)
    assert np.mean(found.missed[-1000:]) == pytest.approx(0.1, abs=0.03)


def test_adaptive_bound_starts_as_the_split_bound_and_forgets_by_window() -> None:
    r = np.random.default_rng(0).random(300)
    state = AdaptiveThreshold(alpha=0.2, gamma=1e-12, window=100, residuals=r[:100])
    for i in range(100, 300):
        assert state.value == split_threshold(r[i - 100 : i], alpha=0.2).value
        state.update(float(r[i]))
    state.update(np.nan)
    assert state.value == split_threshold(r[200:], alpha=0.2).value


def test_adaptive_stream_without_labels_promises_nothing() -> None:
    found = adaptive_conformal([np.nan, np.nan], alpha=0.1)
    assert (found.coverage, found.n, found.deviation) == (None, 0, 1.0)
    assert found.threshold.tolist() == [np.inf, np.inf]
    assert found.reason is not None
    enough = adaptive_conformal(np.ones(found.labels_needed), alpha=0.1)
    assert enough.deviation <= 0.05
    assert enough.reason is None
    for options, message in (
        ({"gamma": 0.0}, "gamma = 0"),
        ({"window": 0}, "window = 0"),
        ({"alpha": 1.0}, "alpha = 1"),
    ):
        with pytest.raises(ValueError, match=message):
            adaptive_conformal([0.1], **options)


# --- exchangeability


@pytest.mark.parametrize("kind", ["continuous", "five levels", "two columns"])
def test_labels_drawn_at_random_seldom_fail_the_check(kind: str) -> None:
    rng, draws, p_values = np.random.default_rng(0), 400, []
    for _ in range(draws):
        x: Floats = rng.normal(size=(240, 2 if kind == "two columns" else 1))
        if kind == "five levels":
            x = np.asarray(np.round(np.clip(x, -2, 2)), dtype=np.float64)
        found = exchangeability_test(x[:60], x[60:], n_permutations=99, rng=rng)
        p_values.append(found.p_value)
    for level in (0.05, 0.2):
        share = np.mean(np.array(p_values) <= level)
        assert share <= level + 3 * np.sqrt(level * (1 - level) / draws)
        assert kind == "two columns" or share >= level / 2


def test_permutation_p_value_is_that_of_permuting_the_responses() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 5, 40).astype(float), rng.integers(1, 6, 70).astype(float)

    def distance(x: Floats, y: Floats) -> float:
        both = np.concatenate([x, y])
        levels, counts = np.unique(both, return_counts=True)
        share = np.cumsum(counts)[:-1] / len(both)
        f = np.array([np.mean(x <= level) for level in levels[:-1]])
        mass = (counts[:-1] + counts[1:]) / (2 * len(both))
        return float(np.sum((f - share) ** 2 / (share * (1 - share)) * mass))

    seen, both, larger = distance(a, b), np.concatenate([a, b]), 0
    for _ in range(2000):
        mixed = rng.permutation(both)
        larger += distance(mixed[:40], mixed[40:]) >= seen - 1e-12
    found = exchangeability_test(a, b, n_permutations=20_000, rng=rng)
    assert found.p_value is not None
    assert found.p_value == pytest.approx(
        (1 + larger) / 2001, abs=3 * np.sqrt(found.p_value / 2000) + 1e-3
    )


def test_shift_spread_and_missing_scores_are_seen() -> None:
    rng = np.random.default_rng(2)
    old, new = rng.normal(size=300), rng.normal(size=3000)
    found = exchangeability_test(old, new + 0.4, rng=rng)
    assert found.p_value == 0.001
    assert found.shift == pytest.approx(0.4, abs=0.15)
    wide = exchangeability_test(old, 1.5 * new, rng=rng)
    assert wide.p_value is not None
    assert wide.p_value < 0.01
    holes = np.where(rng.random(3000) < 0.3, np.nan, new)
    assert exchangeability_test(old, holes, rng=rng).p_value == 0.001
    second = np.column_stack([new, new + 1.0])
    both = exchangeability_test(np.column_stack([old, old]), second, rng=rng)
    assert (both.feature, both.p_value) == (1, 0.002)


def test_check_of_few_or_constant_numbers() -> None:
    few = exchangeability_test([0.1] * 4, [0.2] * 50)
    assert (few.p_value, few.reason) == (
        None,
        "4 labelled and 50 new responses: 5 of each are needed",
    )
    assert exchangeability_test([1.0] * 9, [1.0] * 9).p_value == 1.0
    assert exchangeability_test([np.nan] * 9, [np.nan] * 9).p_value == 1.0
    with pytest.raises(ValueError, match="labelled must be finite"):
        exchangeability_test([np.inf] * 9, [1.0] * 9)
    with pytest.raises(ValueError, match="labelled has 1 columns, new 2"):
        exchangeability_test([1.0] * 9, np.ones((9, 2)))
    with pytest.raises(ValueError, match="n_permutations = 0"):
        exchangeability_test([1.0] * 9, [1.0] * 9, n_permutations=0)


def test_martingale_seldom_cries_wolf_and_sees_a_shift() -> None:
    rng, false, seen = np.random.default_rng(0), 0, []
    for _ in range(200):
        x = rng.normal(size=300)
        false += conformal_martingale(x, level=0.1, rng=rng).alarm is not None
        drift = conformal_martingale(np.concatenate([x, x[:150] + 1.0]), level=0.1, rng=rng)
        seen.append(drift.alarm)
    assert false / 200 <= 0.1 + 3 * np.sqrt(0.09 / 200)
    assert np.mean([alarm is not None for alarm in seen]) > 0.95


def test_martingale_of_ties_and_nothing() -> None:
    flat = conformal_martingale(np.ones(500))
    assert flat.alarm is None
    empty = conformal_martingale([])
    assert (empty.n, empty.p_value, empty.alarm) == (0, 1.0, None)
    up = conformal_martingale(np.arange(300.0))
    assert up.alarm is not None
    assert up.p_value < 1e-6
    assert 10.0 ** -up.log10_wealth[up.alarm] <= 0.01
    with pytest.raises(ValueError, match="values must be one row of finite"):
        conformal_martingale([np.nan])
