"""Aleatoric and epistemic variance: noise of few repeats removed, by item and on average."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from panopt.stats.variance_split import uncertainty_split

Floats = NDArray[np.float64]


def long(table: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    items, judges, _ = np.indices(table.shape).reshape(3, -1)
    return items, judges, table.ravel()


def noisy(rng: np.random.Generator, n: int, k: int, r: int, between: float) -> Floats:
    """Scores within a judge of variance 1, judges of variance `between`."""
    own = np.sqrt(between) * rng.normal(size=(n, k, 1))
    return np.asarray(rng.normal(size=(n, 1, 1)) + own + rng.normal(size=(n, k, r)))


def test_P_7_follows_the_law_of_total_variance() -> None:
    y = noisy(np.random.default_rng(0), 30, 4, 3, 0.5)
    found = uncertainty_split(*long(y))
    within, means = y.var(axis=2, ddof=1), y.mean(axis=2)
    np.testing.assert_allclose(found.aleatoric, within.mean(axis=1))
    corrected = means.var(axis=1, ddof=1) - within.mean(axis=1) / 3
    np.testing.assert_allclose(found.raw_epistemic, corrected)
    np.testing.assert_allclose(found.epistemic, np.maximum(corrected, 0))


def test_P_7_averages_are_the_components() -> None:
    y = noisy(np.random.default_rng(1), 30, 4, 3, 0.5)
    found = uncertainty_split(*long(y))
    assert found.mean_epistemic.raw == pytest.approx(found.raw_epistemic.mean())
    assert found.mean_aleatoric.value == pytest.approx(found.aleatoric.mean())


@pytest.mark.parametrize("between", [0.0, 0.3])
def test_P_7_epistemic_variance_is_corrected_for_within_judge_noise(
    between: float,
) -> None:
    """Uncorrected it would be 1 / R too much: half the noise of two repeats."""
    rng = np.random.default_rng(2)
    y = noisy(rng, 4000, 3, 2, between)
    y[:1000, 0, 1] = np.nan  # a judge heard once is taken to vary as the others do
    raw = uncertainty_split(*long(y)).raw_epistemic
    assert raw.mean() == pytest.approx(between, abs=3 * raw.std() / np.sqrt(raw.size))
    assert np.nanmean(y, axis=2).var(axis=1, ddof=1).mean() > between + 0.45


@pytest.mark.parametrize(("k", "r", "between"), [(3, 3, 0.5), (5, 4, 1.0), (4, 2, 0.1)])
def test_P_7_intervals_of_items_cover(k: int, r: int, between: float) -> None:
    n = 2000
    found = uncertainty_split(*long(noisy(np.random.default_rng(3), n, k, r, between)))
    slack = 3 * np.sqrt(0.95 * 0.05 / n)
    for interval, truth in (
        (found.aleatoric_interval, 1.0),
        (found.epistemic_interval, between),
    ):
        covered = np.mean((interval[:, 0] <= truth) & (truth <= interval[:, 1]))
        assert covered >= 0.95 - slack - 0.005
        assert np.all(interval[:, 0] <= interval[:, 1])


def test_P_7_intervals_of_the_averages_cover() -> None:
    rng = np.random.default_rng(4)
    runs, held = 150, np.zeros(2)
    for _ in range(runs):
        judge = 0.5 * rng.normal(size=(1, 4, 1))
        found = uncertainty_split(*long(noisy(rng, 40, 4, 2, 0.3) + judge), rng=rng)
        for number, (part, truth) in enumerate(
            ((found.mean_aleatoric, 1.0), (found.mean_epistemic, 0.55))
        ):
            assert part.low is not None
            assert part.high is not None
            held[number] += part.low <= truth <= part.high
    assert held.min() / runs >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs)


def test_P_7_without_repeats_there_is_no_split() -> None:
    found = uncertainty_split([0, 0, 1, 1], [0, 1, 0, 1], [1.0, 2.0, 3.0, 5.0])
    reason = "no judge scored an item twice: how judges differ cannot be told from their noise"
    assert found.reason == reason
    assert found.mean_aleatoric.reason == reason
    assert found.mean_epistemic.reason == reason
    assert np.isnan([found.aleatoric, found.epistemic]).all()


def test_P_7_one_judge_has_no_epistemic_part() -> None:
    found = uncertainty_split([0, 0, 1, 1], [0] * 4, [1.0, 2.0, 3.0, 5.0])
    assert found.aleatoric.tolist() == [0.5, 2.0]
    assert np.isnan(found.epistemic).all()
    assert found.mean_aleatoric.value == pytest.approx(1.25)
    assert found.reason is not None
    assert found.mean_epistemic.reason == found.reason
    assert "no item has scores of two judges" in found.reason


def test_P_7_items_that_cannot_tell_are_nan_and_others_stand() -> None:
    items, judges = [0, 0, 0, 0, 2, 2, 3, 3], [0, 0, 1, 1, 0, 1, 0, 0]
    found = uncertainty_split(items, judges, [1.0, 2, 3, 4, 1, 2, np.nan, 7])
    assert found.aleatoric.shape == (4,)
    assert found.aleatoric[0] == pytest.approx(0.5)
    assert np.isnan(found.aleatoric[1:]).all()
    assert np.isnan(found.epistemic[1:]).all()


def test_equal_repeats_leave_no_bound_of_their_variance() -> None:
    found = uncertainty_split([0] * 4 + [1] * 4, [0, 0, 1, 1] * 2, [1.0, 1, 3, 3, 1, 2, 4, 6])
    assert found.aleatoric[0] == 0.0
    assert np.isnan(found.aleatoric_interval[0]).all()
    assert found.epistemic[0] == pytest.approx(2.0)
    assert found.epistemic_interval[0, 0] > 0


def test_bad_scores_are_named() -> None:
    with pytest.raises(ValueError, match=r"score.0. is inf"):
        uncertainty_split([0, 1], [0, 0], [np.inf, 1.0])
