from __future__ import annotations

import numpy as np
import pytest

from panopt.stats.shares import larger_share, within_share


def test_larger_share_by_hand() -> None:
    response = np.array([0, 0, 0, 1, 1, 2, 3, 3])
    side = np.array([1, 1, 0, 0, 1, 1, -1, 1])
    np.testing.assert_allclose(larger_share(response, side, 5), [2 / 3, 0.5, *[np.nan] * 3])


def test_within_share_is_the_analysis_of_variance_of_each_response() -> None:
    rng = np.random.default_rng(0)
    score = rng.normal(size=(6, 4, 3)) + rng.normal(size=(6, 4, 1))
    response, judge, _ = np.indices(score.shape)
    within = score.var(axis=2, ddof=1).mean(axis=1)
    between = np.maximum(score.mean(axis=2).var(axis=1, ddof=1) - within / 3, 0)
    shares = within_share(response.ravel(), judge.ravel(), score.ravel(), 6)
    np.testing.assert_allclose(shares, within / (within + between))


def test_within_share_recovers_the_true_split() -> None:
    # Between-judge variance 1, within-judge variance 3: share .75.
    rng = np.random.default_rng(1)
    score = rng.normal(0, 1, (300, 6, 1)) + rng.normal(0, np.sqrt(3), (300, 6, 4))
    response, judge, _ = np.indices(score.shape)
    shares = within_share(response.ravel(), judge.ravel(), score.ravel(), 300)
    assert np.mean(shares) == pytest.approx(0.75, abs=0.03)


def test_missing_scores_and_single_votes_do_not_count() -> None:
    response = np.array([0, 0, 0, 1, 1])
    judge = np.array([0, 0, 1, 0, 1])
    score = np.array([0.2, np.nan, 0.9, 0.1, 0.3])
    assert np.isnan(within_share(response, judge, score, 3)).all()
    assert np.isnan(within_share(np.zeros(2, int), np.zeros(2, int), np.ones(2), 1)).all()
