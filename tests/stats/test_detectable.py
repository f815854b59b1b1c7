"""Power of paired comparisons: statsmodels' numbers, properties, messages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import TTestPower

from panopt.stats.detectable import detectable_effect, items_needed, power_of

CASES = [
    (0.4, 100, 0.05, 0.8, 2),
    (0.3, 20, 0.05, 0.9, 2),
    (0.5, 5, 0.1, 0.8, 1),
    (0.2, 3000, 0.01, 0.95, 1),
]


@pytest.mark.parametrize(("sd", "n", "alpha", "power", "sides"), CASES)
def test_power_and_least_effect_are_those_of_statsmodels(
    sd: float, n: int, alpha: float, power: float, sides: int
) -> None:
    peer, how = TTestPower(), "two-sided" if sides == 2 else "larger"
    least = detectable_effect(sd, n, alpha=alpha, power=power, sides=sides)  # type: ignore[arg-type]
    assert least / sd == pytest.approx(
        peer.solve_power(None, n, alpha, power, alternative=how), rel=1e-4
    )
    seen = power_of(sd, least, n, alpha=alpha, sides=sides)  # type: ignore[arg-type]
    assert seen == pytest.approx(power, abs=1e-9)
    assert peer.power(least / sd, n, alpha, alternative=how) == pytest.approx(power, abs=1e-4)


@given(st.floats(0.05, 1.0), st.floats(0.005, 0.5))
def test_items_needed_are_enough_and_one_fewer_is_not(sd: float, effect: float) -> None:
    n = items_needed(sd, effect)
    assert n is not None
    if n > 2:
        assert power_of(sd, effect, n) >= 0.8 > power_of(sd, effect, n - 1)
    assert detectable_effect(sd, n) <= effect * (1 + 1e-9)


def test_power_by_simulation() -> None:
    rng, runs, n = np.random.default_rng(5), 4000, 25
    drawn = rng.normal(0.2, 0.5, (runs, n))
    t = drawn.mean(axis=1) / drawn.std(axis=1, ddof=1) * np.sqrt(n)
    shown = np.mean(np.abs(t) > 2.0639)
    expected = power_of(0.5, 0.2, n)
    assert abs(shown - expected) < 3 * np.sqrt(expected * (1 - expected) / runs) + 1e-3


def test_the_normal_form_joins_the_noncentral_t() -> None:
    assert detectable_effect(1.0, 100_000) == pytest.approx(
        detectable_effect(1.0, 100_002), rel=1e-4
    )
    assert items_needed(1.0, 1e-6) is None
    assert power_of(0.001, 0.9, 50) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: power_of(0.0, 0.1, 5), r"sd = 0\.0 must be a finite number above 0"),
        (lambda: power_of(1.0, 0.1, 1), "n = 1 must be at least 2"),
        (lambda: detectable_effect(1.0, 1), "n = 1 must be at least 2"),
        (lambda: power_of(1.0, -0.1, 5), r"effect = -0\.1 must be a finite number above 0"),
        (lambda: items_needed(1.0, 0.1, alpha=1.5), r"alpha = 1\.5 must lie strictly"),
        (lambda: items_needed(1.0, 0.1, power=0.01), r"power = 0\.01 must lie strictly between"),
    ],
)
def test_bad_input_is_named(call: object, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        call()  # type: ignore[operator]
