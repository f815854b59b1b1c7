"""Bounds of a drop: with equal systems never beyond their level, and cautious at the border."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from panopt.stats.drop_test import drop_bounds
from panopt.stats.paired import paired_difference
from panopt.stats.signflip import permutation_test

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], tuple[Floats, Floats]]


def equal_binary(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    hard = rng.beta(2, 1, n)
    return (rng.random(n) < hard).astype(np.float64), (rng.random(n) < hard).astype(np.float64)


def equal_ties(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Likert scores that agree nearly everywhere."""
    base = rng.integers(0, 5, n) / 4
    other = np.clip(base + rng.choice([-0.25, 0, 0, 0, 0.25], n), 0, 1)
    swap = rng.random(n) < 0.5
    return np.where(swap, base, other), np.where(swap, other, base)


def fell_by_a_tenth(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Binary scores of a candidate that only loses: the bound from above is at its worst."""
    return np.ones(n), (rng.random(n) >= 0.1).astype(np.float64)


def fell_rarely_and_deeply(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """One item in ten loses most of its score, the others gain a hair; the mean falls by .1."""
    base = np.full(n, 0.95)
    deep = rng.random(n) < 0.12
    return base, base - np.where(deep, 0.1 / 0.12 + 0.01 * 0.88 / 0.12, -0.01)


@pytest.mark.parametrize("n", [5, 20, 100])
@pytest.mark.parametrize("draw", [equal_binary, equal_ties])
def test_equal_systems_are_said_to_be_worse_in_at_most_alpha_of_runs(draw: Draw, n: int) -> None:
    rng, runs = np.random.default_rng(11), 400
    told = sum((drop_bounds(*draw(rng, n)).low or 0.0) > 0.0 for _ in range(runs))
    assert told / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize(
    ("draw", "n", "runs"),
    [
        (fell_by_a_tenth, 20, 200),
        (fell_by_a_tenth, 200, 200),
        (fell_rarely_and_deeply, 60, 100),
        pytest.param(fell_by_a_tenth, 100, 1500, marks=pytest.mark.slow),
        pytest.param(fell_rarely_and_deeply, 20, 600, marks=pytest.mark.slow),
        pytest.param(fell_rarely_and_deeply, 200, 600, marks=pytest.mark.slow),
    ],
)
def test_a_drop_as_large_as_allowed_is_hardly_ever_said_to_be_smaller_or_larger(
    draw: Draw, n: int, runs: int
) -> None:
    rng, larger, smaller = np.random.default_rng(12), 0, 0
    for _ in range(runs):
        found = drop_bounds(*draw(rng, n))
        if found.low is not None and found.high is not None:
            larger += found.low > 0.1 + 1e-9
            smaller += found.high < 0.1 - 1e-9
    most = 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert larger / runs <= most
    assert smaller / runs <= most


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 20, 100, 300])
def test_clustered_equal_systems_keep_the_level(n: int) -> None:
    rng, runs, told = np.random.default_rng(13), 2000, 0
    for _ in range(runs):
        topic = np.repeat(rng.normal(0, 0.1, (n, 1)), 10, axis=0)[:, 0]
        sign = np.repeat(rng.choice([-1.0, 1.0], n), 10)
        d = sign * (topic + rng.normal(0, 0.1, 10 * n)).round(2)
        clusters = np.repeat(np.arange(n), 10)
        told += (drop_bounds(d, np.zeros(10 * n), clusters=clusters).low or 0.0) > 0.0
    assert told / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_bounds_are_the_more_cautious_of_t_and_bca_and_p_is_the_sign_flip_test() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.6, 0.1, 80), rng.normal(0.5, 0.1, 80)
    found = drop_bounds(a, b, alpha_low=0.01, alpha_high=0.05)
    t = [paired_difference(a, b, alpha=2 * alpha) for alpha in (0.01, 0.05)]
    assert found.value == t[0].value
    assert found.low is not None
    assert found.high is not None
    assert t[0].low is not None
    assert t[1].high is not None
    assert found.low <= t[0].low
    assert found.high >= t[1].high
    assert found.p == pytest.approx((permutation_test(a, b).p or 0) / 2)
    risen = drop_bounds(b, a)
    assert risen.p == pytest.approx(1 - (permutation_test(a, b).p or 0) / 2)
    assert (risen.low or 0) < 0 < found.low


def test_no_loss_seen_leaves_room_for_one() -> None:
    """The rule of three: 1 - alpha^(1/n) of the items may have been lost without being drawn."""
    base = np.random.default_rng(0).random(50)
    found = drop_bounds(base, base - 0.001 * np.random.default_rng(1).random(50) * base)
    assert found.high == pytest.approx(1 - 0.05 ** (1 / 50), abs=0.001)
    risen = drop_bounds(base / 2, base)
    assert risen.high is not None
    assert risen.high < 0


def test_identical_systems_have_bounds_around_nothing() -> None:
    passes = np.array([1.0] * 30 + [0.0] * 10)
    found = drop_bounds(passes, passes)
    assert (found.value, found.p) == (0.0, 0.5)
    assert found.low is not None
    assert found.high is not None
    assert -0.12 < found.low <= 0 < found.high < 0.12


def test_what_cannot_be_bounded_has_its_reason() -> None:
    assert "one cluster" in (drop_bounds([1.0], [0.0]).reason or "")
    assert drop_bounds([], []).reason == "there is no pair with both scores"
    assert drop_bounds([1.0, 3.0], [np.nan, np.nan]).reason is not None


@pytest.mark.parametrize("name", ["alpha_low", "alpha_high"])
def test_levels_off_their_range_are_named(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} = 0\.5 must lie strictly between 0 and \.5"):
        drop_bounds([1, 0], [0, 1], **{name: 0.5})  # type: ignore[arg-type]
