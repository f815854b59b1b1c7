"""Repeats: sums of means, what repeats tell of the noise of means, weights of scores."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import chi2, multivariate_normal

from panopt.stats import gaussian_sums
from panopt.stats.gaussian_likelihood import design, evaluate, slopes
from panopt.stats.gaussian_pairs import pair_moments
from panopt.stats.gaussian_repeats import (
    Repeats,
    averaged,
    log_weights,
    merged,
    repeats,
    score_weights,
)
from panopt.stats.gaussian_sums import PanelSums, panel_sums

Floats = NDArray[np.float64]
RHO = np.array([0.2, 0.6, 0.0])
NONE = np.zeros(3, dtype=bool)


def drawn(n: int = 40) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Draw scores of three judges: 0 to 3 an item by the first, 1 to 3, and 1."""
    rng = np.random.default_rng(n)
    times = np.column_stack((rng.integers(0, 4, n), rng.integers(1, 4, n), np.ones(n, dtype=int)))
    item, judge = (np.repeat(code, times.ravel()) for code in np.divmod(np.arange(3 * n), 3))
    same = 0.2 * rng.standard_normal((n, 3))
    score = rng.standard_normal(n)[item] + same[item, judge]
    return item, judge, score + 0.3 * rng.standard_normal(item.size)


def told(sums: PanelSums) -> Repeats:
    found = repeats(sums, pair_moments(sums))
    assert found is not None
    return found


@pytest.fixture(params=["patterns", "items", "sparse"])
def sums(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> PanelSums:
    n = 200 if request.param == "patterns" else 35
    if request.param == "items":
        monkeypatch.setattr(gaussian_sums, "_ROWS", 0)
    if request.param == "sparse":
        monkeypatch.setattr(gaussian_sums, "_ROOM", -(10**9))
    found = panel_sums(*drawn(n), n, anchor=NONE)
    assert (found.cross is None) == (request.param != "patterns")
    assert isinstance(found.counts, np.ndarray) == (request.param != "sparse")
    return found


def test_density_is_that_of_the_means(sums: PanelSums) -> None:
    found = told(sums)
    means = merged(sums, found, RHO)
    plan, x = design(NONE, ~NONE), np.log(np.array([[0.3, 0.4, 0.35, 0.8]]))
    at = evaluate(means, plan, np.zeros(3), x)
    log_likelihood = at.log_likelihood[0] + 0.5 * log_weights(means)
    log_likelihood -= 0.5 * np.log(2 * np.pi) * means.n.sum()
    # Densely: means of repeats, a variance of s^2 c(1) / c(R) each, tau^2 between an item's own.
    n = len(sums.order)
    item, judge, score = drawn(n)
    score = (score - sums.center[judge]) / sums.scale
    cell, place, count = np.unique(item * 3 + judge, return_inverse=True, return_counts=True)
    mean = np.bincount(place, weights=score) / count
    item, judge = np.divmod(cell, 3)
    noise = RHO[judge] + (1 - RHO[judge]) / count
    average = np.array([noise[judge == j].mean() for j in range(3)])
    variance = np.exp(2 * x[0, :3])[judge] * noise / average[judge]
    cov = np.diag(variance) + np.exp(2 * x[0, 3]) * (item[:, None] == item)
    if sums.cross is None:
        location = at.location[0][judge]
        dense = multivariate_normal(location, cov).logpdf(mean)
        assert log_likelihood == pytest.approx(dense, rel=1e-9)
    assert means.mass == pytest.approx(
        [np.sum((average[judge] / noise)[judge == j]) for j in range(3)]
    )
    assert means.squares == pytest.approx(
        [np.sum((average[judge] / noise * mean**2)[judge == j]) for j in range(3)]
    )
    assert means.totals == pytest.approx(
        [np.sum((average[judge] / noise * mean)[judge == j]) for j in range(3)]
    )
    assert found.spare == pytest.approx(sums.n - means.n)
    assert found.inverse == pytest.approx([np.mean(1 / count[judge == j]) for j in range(3)])
    assert not found.even


def test_gradient_is_that_of_differences(sums: PanelSums) -> None:
    means = merged(sums, told(sums), RHO)
    plan, floor = design(NONE, ~NONE), np.full(3, 1e-6)
    for x in ([-0.8, -0.5, -0.3, 0.0], [-2.5, -1.0, -1.0, -0.5], [-1.5, -2.0, -1.0, 0.2]):
        gradient = slopes(means, plan, floor, np.array(x))[0]
        ends = [
            evaluate(means, plan, floor, x + sign * 1e-5 * np.eye(4)).log_density
            for sign in (1, -1)
        ]
        assert gradient == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=2e-3, abs=1e-3)


def test_means_are_possible_as_far_as_repeats_leave_room() -> None:
    found = Repeats(
        np.array([200.0, 0.0]), np.array([20.0, 0.0]), np.array([1 / 3, 1.0]), even=True
    )
    weight = np.array([[40.0, 1.0], [30.0, 50.0], [10.0, 2.0]])
    # sigma^2 = 20 / chi-square(200) is at most 3 s^2.
    expected = chi2(200).logsf(20 * weight[:, 0] / 3)
    assert found.log_share(weight) == pytest.approx(expected, rel=1e-9)
    assert found.log_share(weight[0]) == pytest.approx(expected[0], rel=1e-9)


@pytest.mark.parametrize("weight", [1.5e3, 1e4, 1e6])
def test_the_far_tail_has_no_bottom(weight: float) -> None:
    found = Repeats(np.array([60.0]), np.array([6.0]), np.array([0.5]), even=True)
    shape, at = 30.0, weight * 1.5
    rest = quad(lambda y: np.exp(-y) * (1 + y / at) ** (shape - 1), 0, 60)[0]
    log_gamma = np.log(np.arange(1, 30)).sum()
    expected = (shape - 1) * np.log(at) - at - log_gamma + np.log(rest)
    assert found.log_share(np.array([weight])) == pytest.approx(expected, rel=1e-6)


def test_noise_of_single_scores_is_drawn_where_repeats_allow() -> None:
    found = Repeats(np.array([50.0, 0.0]), np.array([5.0, 0.0]), np.array([0.5, 1.0]), even=True)
    for weight in (10.0, 20.0, 40.0):  # s^2 of .1, .05 and .025: sigma^2 near .1 is at most 2 s^2
        own = found.drawn(np.full((4000, 2), weight))
        assert not own[:, 1].any()
        assert own[:, 0].max() <= 2 / weight
        least = 5 * weight / 2
        share = chi2(50).sf(least)
        mean = quad(lambda q: 5 / q * chi2(50).pdf(q), least, 300)[0] / share
        assert own[:, 0].mean() == pytest.approx(mean, rel=2e-3)
    sd, rho = found.noise(np.full((4000, 2), 10.0), np.full(4000, 1 / 4000))
    assert np.mean(sd[:, 0] ** 2) == pytest.approx(0.1 + np.mean(found.drawn(sd**0 * 10)[:, 0]) / 2)
    assert sd[:, 1] == pytest.approx(np.full(4000, 0.1**0.5))
    assert rho[1] == 0
    assert 0.2 < rho[0] < 0.5


def test_equal_repeats_leave_rounding_whole_and_unequal_ones_average_it() -> None:
    for within, part in ((0.0, 1.0), (100 * 0.5, 1 / 3)):
        found = Repeats(np.array([100.0]), np.array([within]), np.array([1 / 3]), even=True)
        assert found.floor(1.0) == pytest.approx([part / 12], rel=1e-3)
        assert found.floor(0.0) == pytest.approx([0.0])


def test_even_repeats_have_weight_one_whatever_rho_is() -> None:
    item, judge = np.repeat(np.divmod(np.arange(90), 3), 4, axis=1)
    score = np.random.default_rng(0).standard_normal(item.size)
    sums = panel_sums(item, judge, score, 30, anchor=NONE)
    found = told(sums)
    assert found.even
    means = merged(sums, found, RHO)
    assert means.mass == pytest.approx(means.n)
    cells = averaged(item, judge, score, ~NONE, 30)
    plain = panel_sums(*cells, 30, anchor=NONE)
    assert means.squares * sums.scale**2 == pytest.approx(plain.squares * plain.scale**2)
    assert not repeats(plain, pair_moments(plain))


def test_scores_share_the_weight_of_their_mean() -> None:
    item, judge = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 0, 1, 0])
    precision, rho = np.array([4.0, 9.0]), np.array([0.5, np.nan])
    found = score_weights(item, judge, precision, rho)
    assert found == pytest.approx([4 / 1.5, 4 / 1.5, 9, 4 / 1.5, 9, 4 / 1.5])
    plain = score_weights(item, judge, precision, np.full(2, np.nan))
    assert plain.tolist() == precision[judge].tolist()
