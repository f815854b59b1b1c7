"""The error that is expected of each response: a peer's numbers, and what intervals make of it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from panopt.plugins.conformal import expected_error, learned_intervals, split_threshold


def test_expected_error_is_scikit_learn_s_ridge_of_the_standardised_three() -> None:
    rng = np.random.default_rng(3)
    value, spread = rng.random(200), rng.gamma(2.0, 0.1, 200)
    error = np.abs(rng.normal(0, 0.05 + spread * (1 - (2 * value - 1) ** 2)))
    found = expected_error(error, value, spread)
    columns = np.column_stack([value, ((value - value.mean()) / value.std()) ** 2, spread])
    told = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    peer = Ridge(alpha=0.3 * len(value)).fit(told, error)
    want = np.maximum(peer.predict(told), 0.3 * error.mean())
    np.testing.assert_allclose(found.predict(value, spread), want, rtol=1e-9)
    assert found.predict(value, spread).min() > 0.0


def test_expected_error_takes_what_tells_nothing_and_refuses_what_cannot_be() -> None:
    flat = expected_error([0.1, 0.2, 0.3], [0.5, 0.5, 0.5], [0.1, 0.1, 0.1])
    np.testing.assert_allclose(flat.predict([0.2, np.nan], [0.9, 0.1]), [0.2, np.nan])
    for residuals in ([0.0, 0.0, 0.0], [0.1, -0.1, 0.2]):
        with pytest.raises(ValueError, match="residuals must be distances, not all of them 0"):
            expected_error(residuals, [1.0, 2.0, 3.0], [1.0, 1.0, 2.0])
    with pytest.raises(ValueError, match="2 labels are too few to learn from: 3"):
        expected_error([0.1, 0.2], [1.0, 2.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="differ in length: 3, 3 and 2"):
        expected_error([0.1, 0.2, 0.3], [1.0, 2.0, 3.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="must be finite"):
        expected_error([0.1, 0.2, 0.3], [1.0, 2.0, np.inf], [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="one entry a response each"):
        flat.predict([0.1], [0.1, 0.2])


def test_intervals_go_by_the_expected_error_where_judges_err_most_in_the_middle() -> None:
    """No spread tells: judges agree alike everywhere, and humans differ from all of them."""
    inside, width, used = [], [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        common = rng.random(500)
        truth = common + rng.normal(0, 0.02 + 0.8 * common * (1 - common))
        scores = common[:, None] + rng.normal(0, 0.01, (500, 3))
        human = np.where(np.arange(500) < 300, truth, np.nan)
        found = learned_intervals(scores, human, rng=rng)
        used.append("in units of the expected error" in found.plan.reason)
        inside.append(np.mean(((found.low <= truth) & (truth <= found.high))[300:]))
        one = split_threshold(np.abs(truth - found.plan.centre)[:300], alpha=0.1).value
        width.append(found.halfwidth / one)
    error = 3 * np.std(inside) / np.sqrt(len(inside))
    assert 0.9 - error <= np.mean(inside) <= 0.9 + 1 / 151 + error
    assert np.mean(used) > 0.9
    assert np.mean(width) < 0.95
