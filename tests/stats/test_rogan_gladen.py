from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panopt.stats.rogan_gladen import rogan_gladen


def test_the_estimate_is_the_published_one() -> None:
    found = rogan_gladen(620, 1000, positives=(90, 100), negatives=(80, 100))
    assert found.value == pytest.approx((0.62 + 0.8 - 1) / (0.9 + 0.8 - 1))
    assert (found.raw, found.sensitivity, found.specificity) == pytest.approx((0.62, 0.9, 0.8))


def test_a_judge_known_to_be_perfect_leaves_the_share_s_own_interval() -> None:
    found = rogan_gladen(8, 10, positives=(10**8, 10**8), negatives=(10**8, 10**8))
    # Jeffreys' interval: scipy.stats.beta(8.5, 2.5).ppf([.025, .975])
    assert (found.low, found.high) == pytest.approx((0.4972, 0.9559), abs=2e-3)


@pytest.mark.parametrize(
    ("p", "sensitivity", "specificity", "n", "known"),
    [
        (0.9, 0.95, 0.6, 1000, 50),
        (0.6, 0.9, 0.8, 1000, 50),
        (0.6, 0.9, 0.8, 100, 20),
        (0.5, 0.7, 0.6, 500, 100),
        (0.98, 0.95, 0.9, 500, 50),
    ],
)
def test_the_interval_holds_the_true_rate(
    p: float, sensitivity: float, specificity: float, n: int, known: int
) -> None:
    rng = np.random.default_rng(0)
    share = p * sensitivity + (1 - p) * (1 - specificity)
    held = draws = 0
    for _ in range(500):
        good, bad = rng.binomial(known, sensitivity), rng.binomial(known, specificity)
        passed = rng.binomial(n, share)
        found = rogan_gladen(
            int(passed), n, positives=(int(good), known), negatives=(int(bad), known)
        )
        if found.low is None or found.high is None:
            continue
        draws += 1
        held += found.low <= p <= found.high
    assert draws > 480
    assert held / draws >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / draws)


@given(
    passed=st.integers(0, 40), good=st.integers(0, 20), bad=st.integers(0, 20), known=st.just(20)
)
def test_intervals_hold_their_value(passed: int, good: int, bad: int, known: int) -> None:
    found = rogan_gladen(passed, 40, positives=(good, known), negatives=(bad, known))
    if good + bad <= known:
        assert found.value is None
        assert found.reason is not None
        return
    assert 0 <= found.low <= found.value <= found.high <= 1  # type: ignore[operator]
    mirror = rogan_gladen(40 - passed, 40, positives=(bad, known), negatives=(good, known))
    assert mirror.value == pytest.approx(1 - found.value)  # type: ignore[operator]
    ends = (1 - found.high, 1 - found.low)  # type: ignore[operator]
    assert (mirror.low, mirror.high) == pytest.approx(ends, abs=1e-6)


def test_a_judge_no_better_than_chance_has_a_reason() -> None:
    found = rogan_gladen(5, 10, positives=(5, 10), negatives=(5, 10))
    assert (found.value, found.low) == (None, None)
    assert found.reason is not None
    assert "its verdicts tell nothing" in found.reason


def test_wrong_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="passed = 11 of 10 must be a count"):
        rogan_gladen(11, 10, positives=(5, 10), negatives=(5, 10))
    with pytest.raises(ValueError, match="positives = 0 of 0 must be a count of at least one"):
        rogan_gladen(5, 10, positives=(0, 0), negatives=(5, 10))
    with pytest.raises(ValueError, match="negatives = -1 of 10"):
        rogan_gladen(5, 10, positives=(5, 10), negatives=(-1, 10))
    with pytest.raises(ValueError, match=r"alpha = 1\.5 must lie strictly between 0 and 1"):
        rogan_gladen(5, 10, positives=(9, 10), negatives=(9, 10), alpha=1.5)
