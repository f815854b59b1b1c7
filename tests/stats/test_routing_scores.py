"""Scores while they come in: posterior and value against simulation, learning against the truth."""

from __future__ import annotations

import numpy as np
import pytest

from panopt.stats.routing_score_learner import ScoreLearner
from panopt.stats.routing_scores import (
    ScoreCell,
    ScoreHabits,
    ScorePrior,
    error_after,
    learn_scores,
    score_posterior,
)


def test_posterior_is_the_conditional_normal() -> None:
    rng = np.random.default_rng(0)
    r = np.full((3, 3), 0.3) + 0.7 * np.eye(3)
    of = ScoreHabits(rng.normal(0, 0.1, 3), np.array([0.01, 0.04, 0.02]), np.zeros(3), 0.6, 0.05)
    sd = np.sqrt(of.noise)
    y = np.array([0.3, 0.9, 0.5])
    joint = of.spread + np.outer(sd, sd) * r  # covariance of the scores; each covaries by spread
    gain = np.linalg.solve(joint, np.full(3, of.spread))
    mean = of.mean + gain @ (y - of.bias - of.mean)
    variance = of.spread - gain @ np.full(3, of.spread)
    found = score_posterior(of, r, [0, 1, 2], y)
    assert found == pytest.approx((mean, np.sqrt(variance)), rel=1e-10)
    assert score_posterior(of, r, [], []) == pytest.approx((0.6, np.sqrt(0.05)))


@pytest.mark.parametrize(("distance", "after"), [(0.2, 0.1), (-0.1, 0.15), (0.0, 0.05)])
def test_error_to_come_is_that_of_simulation(distance: float, after: float) -> None:
    rng = np.random.default_rng(1)
    n, sd = 200_000, 0.2
    mean = distance + rng.normal(size=n) * np.sqrt(sd**2 - after**2)
    truth = mean + rng.normal(size=n) * after
    wrong = np.mean((mean > 0) != (truth > 0))
    se = np.sqrt(wrong * (1 - wrong) / n)
    assert abs(float(error_after(distance, sd, [after])[0]) - wrong) < 3 * se


def test_error_to_come_falls_with_what_is_learned() -> None:
    found = error_after(0.1, 0.2, np.linspace(0.2, 0.0, 50))
    assert (np.diff(found) < 1e-12).all()
    assert found[-1] == 0.0


def simulated(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    theta = rng.normal(0.5, 0.2, n)
    noise = rng.normal(size=(n, 3)) * [0.05, 0.1, 0.2]
    return theta, theta[:, None] + [0.1, 0.0, -0.05] + noise


def test_labels_tell_bias_against_humans() -> None:
    theta, y = simulated(2000, np.random.default_rng(2))
    both = np.column_stack([y, theta])
    cell = ScoreCell((0, 1, 2), 2000, both.sum(axis=0), both.T @ both, labelled=True)
    found = learn_scores([cell], prior=ScorePrior.weak(3), correlation=np.eye(3))
    se = np.array([0.05, 0.1, 0.2]) / np.sqrt(2000)
    assert (np.abs(found.bias - [0.1, 0.0, -0.05]) < 3 * se + 0.001).all()
    np.testing.assert_allclose(np.sqrt(found.noise), [0.05, 0.1, 0.2], rtol=0.05)


def test_a_judge_of_few_scores_does_not_take_over() -> None:
    learner = ScoreLearner(2, np.eye(2), 0.5)
    for _ in range(3):
        learner.add("", {0: 0.4, 1: 0.4})
    learner.refit()
    assert (np.sqrt(learner.pooled.noise) > 0.05).all()


def test_the_quiet_judge_is_asked_at_equal_cost_and_the_noisy_where_it_is_much_cheaper() -> None:
    theta, y = simulated(500, np.random.default_rng(3))
    learner = ScoreLearner(3, np.eye(3), 0.5)
    for truth, row in zip(theta.tolist(), y.tolist(), strict=True):
        learner.add("", dict(enumerate(row)), truth)
    learner.refit()
    assert learner.best("", {}, (0, 1, 2), (1.0, 1.0, 1.0)).first == 0
    assert learner.best("", {}, (0, 1, 2), (100.0, 100.0, 1.0)).first == 2
    width = ScoreLearner(3, np.eye(3), None)
    width.pooled = learner.pooled
    assert width.best("", {}, (0, 1, 2), (1.0, 1.0, 1.0)).first == 0


def coverage(seed: int) -> float:
    """Share of 400 true scores within 90% intervals by two judges learned from 1,000 responses."""
    rng = np.random.default_rng(seed)
    _, y = simulated(1000, rng)
    learner = ScoreLearner(3, np.eye(3), None)
    for row in y.tolist():
        learner.add("", dict(enumerate(row)))
    learner.refit()
    # Without labels biases are against the panel: the truth is known but for their mean.
    truth, new = simulated(400, rng)
    found = [learner.posterior("", {0: row[0], 2: row[2]}) for row in new.tolist()]
    mean, sd = np.array(found).T
    return float(np.mean(np.abs(truth + 0.05 / 3 - mean) < 1.6449 * sd))


def test_posterior_intervals_cover_on_average_when_habits_are_learned() -> None:
    shares = np.array([coverage(seed) for seed in range(30)])
    se = shares.std(ddof=1) / np.sqrt(30)
    assert 0.9 - 3 * se < shares.mean() < 0.92 + 3 * se  # the prior keeps noise a little high
