"""The grid that scores lie on."""

from __future__ import annotations

import numpy as np
import pytest

from panopt.stats.gaussian_screen import rounding


@pytest.mark.parametrize(
    ("levels", "step"),
    [
        (np.arange(1, 6), 1.0),
        (np.array([0.0, 1.0]), 1.0),
        (np.linspace(0, 1, 11), 0.1),
        (1 + np.arange(13) / 3, 1 / 3),
        (np.array([1.0, 2.0, 2.5, 5.0]), 0.5),
        (np.arange(0, 101), 1.0),
        (np.array([3.0]), 0.0),
        (np.random.default_rng(0).random(50), 0.0),
        (np.random.default_rng(0).random(500), 0.0),
        (np.array([0.0, 1.0, 2.0, np.pi]), 0.0),
    ],
    ids=lambda value: f"{value.size} levels" if isinstance(value, np.ndarray) else None,
)
@pytest.mark.parametrize("copies", [4, 4000])
def test_step_of_a_grid(levels: np.ndarray, step: float, copies: int) -> None:
    score = np.random.default_rng(1).permutation(np.repeat(levels.astype(float), copies))
    assert rounding(score) == pytest.approx(step)


def test_rounding_errors_are_no_levels() -> None:
    score = np.tile([0.1 + 0.2, 0.3, 0.1, 0.7, 0.8 - 0.1], 10)
    assert rounding(score) == pytest.approx(0.2)


def test_scores_that_hardly_repeat_are_no_grid() -> None:
    assert rounding(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 5.0])) == 0.0
