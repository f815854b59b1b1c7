"""Wilson's interval on any scale, against statsmodels where the units are coins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from panopt.stats.bounded import wilson_interval


@pytest.mark.parametrize("successes", [0, 3, 500, 997, 1000])
def test_a_share_of_many_coins_has_wilsons_own_interval(successes: int) -> None:
    n = 1000
    share = successes / n
    se = np.sqrt(share * (1 - share) / n)
    found = wilson_interval(share, se, n_units=n, alpha=0.1)
    expected = proportion_confint(successes, n, alpha=0.1, method="wilson")
    np.testing.assert_allclose(found, expected, atol=2e-4)  # t with 999 degrees, not normal


@given(
    st.floats(-1, 1), st.floats(0, 0.5), st.integers(2, 10_000), st.floats(0.001, 0.5)
)  # fmt: skip
def test_the_interval_holds_the_value_and_stays_on_the_scale(
    value: float, se: float, n_units: int, alpha: float
) -> None:
    low, high = wilson_interval(value, se, n_units=n_units, alpha=alpha, bounds=(-1, 1))
    assert -1 <= low <= value + 1e-9
    assert value - 1e-9 <= high <= 1
    if se == 0 or se > 1e-3:
        assert high - low > 0


def test_no_spread_is_worth_the_number_of_units() -> None:
    # All of n agree: low end n / (n + t^2), with t = 2.0930 at 19 degrees of freedom.
    low, high = wilson_interval(1.0, 0.0, n_units=20, alpha=0.05)
    assert low == pytest.approx(20 / (20 + 2.0930**2), abs=1e-4)
    assert high == pytest.approx(1.0)
    wide = wilson_interval(1.0, 0.0, n_units=20, alpha=0.05, bounds=(-1, 1))
    assert wide[0] == pytest.approx(2 * low - 1)
