"""The sum over all pairs, in linear time, equals the sum over all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from panopt.stats.ratio import pairs_total


def _slow(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    total = values[:, None] + values
    gap = (values[:, None] - values) / np.where(total == 0, 1, total)
    return np.array([w @ gap**2 @ w for w in weights])


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).random(3000),
        np.exp(5 * np.random.default_rng(1).normal(size=2000)),
        np.append(0.0, 1 + np.random.default_rng(2).random(900)),
        np.append([0.0, 1e-9, 1e9], np.random.default_rng(3).random(900)),
        np.linspace(1, 2000, 2000),
        np.linspace(0, 9, 10),  # few: by the matrix
    ],
)
def test_any_spread_of_values(values: np.ndarray) -> None:
    distinct: NDArray[np.float64] = np.unique(np.asarray(values, dtype=np.float64))
    weights = np.random.default_rng(4).integers(0, 4, (3, distinct.size)).astype(np.float64)
    np.testing.assert_allclose(pairs_total(distinct, weights), _slow(distinct, weights), rtol=1e-11)


@pytest.mark.parametrize("spread", [1e-9, 1e-4, 0.0099, 0.0101, 0.02])
def test_values_close_together_keep_their_digits(spread: float) -> None:
    values = 1000 * (1 + spread * np.sort(np.random.default_rng(5).uniform(-1, 1, 1500)))
    weights = np.ones((1, values.size))
    # Near 1 the difference a - b itself has only log10(spread) + 16 digits.
    np.testing.assert_allclose(
        pairs_total(values, weights), _slow(values, weights), rtol=max(1e-9, 1e-15 / spread)
    )


def test_zeros_differ_from_everything_but_each_other() -> None:
    values = np.append(0.0, np.linspace(1, 1.001, 600))
    weights = np.ones((1, 601))
    weights[0, 0] = 5
    rest = _slow(values[1:], weights[:, 1:])[0]
    assert pairs_total(values, weights)[0] == pytest.approx(2 * 5 * 600 + rest, rel=1e-12)
