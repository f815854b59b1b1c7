"""Truths integrated out of Student's t errors, against dense grids."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm, t

from panopt.stats.student_truth import Settings, group_scores, truth_moments

Floats = NDArray[np.float64]

N = 60


@pytest.mark.parametrize("df", [2.0, 5.0, 300.0])
@pytest.mark.parametrize(
    "scale", [[0.2], [0.08, 0.3, 0.5], [0.02, 0.3, 0.4], [0.3] * 5, [0.4] * 12], ids=len
)
def test_moments_are_those_of_a_grid(scale: list[float], df: float) -> None:
    rng = np.random.default_rng(0)
    sizes = np.array(scale)
    item, judge = np.divmod(np.arange(N * sizes.size), sizes.size)
    truth = 0.1 + 0.8 * rng.normal(size=N)
    bias: Floats = np.linspace(0.0, 0.05 * (sizes.size - 1), sizes.size)
    error = sizes[judge] * rng.standard_t(df, size=item.size)
    value = truth[item] + bias[judge] + error
    weight = (df + 1) / (df + (error / sizes[judge]) ** 2)
    at = Settings(
        sizes[None], np.asarray(0.1 + bias)[None], *(np.array([x]) for x in (0.1, 0.8, df))
    )
    scores = group_scores(item, judge, value, N + 1)
    log_likelihood, mean, var = truth_moments(scores, weight, at)

    grid = np.linspace(-6, 8, 14_001)
    dense = np.tile(norm.logpdf(grid, 0.1, 0.8), (N, 1))
    draw = (value - bias[judge]).reshape(N, -1)
    for k, one in enumerate(scale):
        dense += t.logpdf((grid - draw[:, [k]]) / one, df) - np.log(one)
    top = dense.max(axis=1, keepdims=True)
    mass = np.exp(dense - top)
    total = mass.sum(axis=1)
    expected = mass @ grid / total
    sd = np.sqrt(np.maximum(mass @ grid**2 / total - expected**2, 0))
    log_total = np.log(total * (grid[1] - grid[0])) + top[:, 0]
    assert log_likelihood[0] == pytest.approx(log_total.sum(), abs=0.02 * N)
    assert np.abs((mean[0, :N] - expected) / sd).max() < 0.06
    assert np.sqrt(var[0, :N]) == pytest.approx(sd, rel=0.06)
    assert np.isnan(mean[0, N])
    assert np.isnan(var[0, N])


def test_a_precise_judge_with_heavy_tails_gains_nothing_from_the_gaps_between_nodes() -> None:
    # Its tails fall by powers from a peak 2,000 times narrower than the prior.
    item, judge = np.array([0, 0]), np.array([0, 1])
    value, scale = np.array([0.0, 0.4]), np.array([5e-4, 0.3])
    at = Settings(scale[None], np.zeros((1, 2)), *(np.array([x]) for x in (0.0, 1.0, 1.5)))
    found = truth_moments(group_scores(item, judge, value, 1), np.ones(2), at)[0][0]
    grid = np.concatenate((-(np.geomspace(1e-7, 8, 200_001)[::-1]), np.geomspace(1e-7, 8, 200_001)))
    dense = norm.pdf(grid) * t.pdf(grid / 5e-4, 1.5) / 5e-4 * t.pdf((grid - 0.4) / 0.3, 1.5) / 0.3
    assert found == pytest.approx(np.log(np.trapezoid(dense, grid)), abs=0.05)
