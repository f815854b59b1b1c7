from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from panopt.stats.drop_anytime import anytime_drop_bounds
from panopt.stats.drop_test import drop_bounds
from panopt.stats.evalue import anytime_gate


def test_bounds_are_the_gate_s_each_at_its_level() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, (2, 80)) / 4
    a[3], b[5] = np.nan, np.nan
    found = anytime_drop_bounds(a, b, alpha_low=0.01, alpha_high=0.1)
    d = (a - b)[~np.isnan(a - b)]
    low, high = anytime_gate(d, max_drop=0.0, alpha=0.01), anytime_gate(d, max_drop=0, alpha=0.1)
    assert (found.low, found.high) == (low.low, high.high)
    assert found.value == pytest.approx(d.mean())
    assert (found.n, found.n_clusters, found.se, found.reason) == (78, 78, None, None)
    assert found.p == pytest.approx(min(1.0, 1.0 / low.e_worse))


def test_many_looks_cost_width_against_one_look() -> None:
    rng = np.random.default_rng(1)
    a = (rng.random(500) < 0.8).astype(np.float64)
    b = np.where(rng.random(500) < 0.8, a, rng.random(500) < 0.7)
    at_once, once = anytime_drop_bounds(a, b), drop_bounds(a, b)
    assert None not in {at_once.low, at_once.high, once.low, once.high}
    ratio = (at_once.high - at_once.low) / (once.high - once.low)  # type: ignore[operator]
    assert 1.3 < ratio < 2.0


def test_a_cluster_counts_once() -> None:
    a, b = np.repeat([1.0, 1.0, 0.0], [4, 1, 1]), np.zeros(6)
    found = anytime_drop_bounds(a, b, clusters=[0, 0, 0, 0, 1, 2])
    assert found.value == pytest.approx(2 / 3)
    assert (found.n, found.n_clusters) == (6, 3)
    assert "each counts once" in found.notes[0]
    assert anytime_drop_bounds(a, b, clusters=np.arange(6)).notes == ()


def test_no_pair_has_a_reason() -> None:
    found = anytime_drop_bounds([np.nan], [1.0])
    assert (found.value, found.low, found.p, found.n) == (None, None, None, 0)
    assert found.reason == "no pair has both scores"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: anytime_drop_bounds([1.2], [1]), "baseline spans 1.2..1.2; bounds at every look"),
        (lambda: anytime_drop_bounds([1], [-0.1]), "candidate spans -0.1"),
        (lambda: anytime_drop_bounds([1], [1, 0]), "one score a pair each"),
        (lambda: anytime_drop_bounds([1], [np.inf]), "b must be finite"),
        (lambda: anytime_drop_bounds([1], [1], alpha_low=0.5), "alpha_low = 0.5 must lie"),
    ],
)
def test_bad_arguments_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
