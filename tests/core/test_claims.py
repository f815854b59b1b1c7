"""What `gate` and `compare` promise, over many draws of systems whose truth is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import panopt
from panopt.records.study import Study
from panopt.stats.drop_test import drop_bounds

pytestmark = pytest.mark.slow

Pair = tuple[np.ndarray, np.ndarray]


def binary(rng: np.random.Generator, n: int) -> Pair:
    hard = rng.beta(2, 1, n)
    return (rng.random(n) < hard) * 1.0, (rng.random(n) < hard) * 1.0


def rare(rng: np.random.Generator, n: int) -> Pair:
    return (rng.random(n) < 0.98) * 1.0, (rng.random(n) < 0.98) * 1.0


def continuous(rng: np.random.Generator, n: int) -> Pair:
    base = rng.random(n)
    one, other = np.clip(base + rng.normal(0, 0.2, (2, n)), 0, 1)
    return one, other


def levels(rng: np.random.Generator, n: int) -> Pair:
    one, other = np.clip(np.round(rng.normal(3.5, 1, (2, n))), 1, 5) / 5
    return one, other


def tied(rng: np.random.Generator, n: int) -> Pair:
    scores = (rng.random(n) < 0.7) * 1.0
    return scores, scores


@pytest.mark.parametrize("n", [5, 20, 80])
@pytest.mark.parametrize("draw", [binary, rare, continuous, levels, tied])
def test_equal_systems_are_called_worse_in_at_most_alpha_of_runs(
    draw: Callable[[np.random.Generator, int], Pair], n: int
) -> None:
    """Both sides are draws of one law, so that any drop that is shown is a false one."""
    rng, runs, alpha = np.random.default_rng(7), 1000, 0.05
    failed = 0
    for _ in range(runs):
        low = drop_bounds(*draw(rng, n), alpha_low=alpha, alpha_high=alpha, rng=rng).low
        failed += low is not None and low > 1e-12
    assert failed / runs <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / runs)


def judged(rng: np.random.Generator, shape: tuple[int, int, int], sd: tuple[float, ...]) -> Study:
    """Give two systems that are equal for judges like these: likings have mean 0."""
    items, judges, _ = shape
    liking, cross, noise = sd
    seen = (
        rng.normal(0, liking, judges)[:, None]
        + rng.normal(0, 0.1, items)[:, None, None]
        + rng.normal(0, cross, (items, judges, 1))
        + rng.normal(0, noise, shape)
    )
    base = rng.normal(0, noise, shape)
    item, judge, repeat = (axis.ravel().tolist() for axis in np.indices(shape))
    return Study.from_columns(
        {
            "item": [f"i{k}" for k in item] * 2,
            "judge": [f"j{k}" for k in judge] * 2,
            "repeat": repeat * 2,
            "system": ["a"] * seen.size + ["b"] * seen.size,
            "score": np.concatenate([(base + seen).ravel(), base.ravel()]),
            "scale": "continuous:-5:5",
        }
    )


@pytest.mark.parametrize(
    ("shape", "sd"),
    [
        ((40, 3, 3), (0.1, 0.05, 0.1)),
        ((40, 5, 2), (0.05, 0.1, 0.2)),
        ((40, 5, 3), (0.0, 0.0, 0.3)),  # repeats alone are noisy
    ],
)
def test_intervals_over_items_and_judges_hold_repeats_too(
    shape: tuple[int, int, int], sd: tuple[float, ...]
) -> None:
    rng, runs, host = np.random.default_rng(1), 300, panopt.Host()
    held = 0
    for _ in range(runs):
        (found,) = panopt.compare(
            judged(rng, shape, sd),
            ask=panopt.Ask(aggregate="mean"),
            sources="items+judges",
            host=host,
        )
        (pair,) = found.pairs
        held += pair.low is not None and pair.high is not None and pair.low <= 0.0 <= pair.high
    assert held / runs >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs)
