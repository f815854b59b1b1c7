"""The integral over variances against a grid, and posteriors against dense conditioning."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from panopt.stats import gaussian_sums
from panopt.stats.gaussian_likelihood import design, evaluate, find_mode, own_means
from panopt.stats.gaussian_mixture import Mixture, integrate, item_posterior
from panopt.stats.gaussian_sums import PanelSums, panel_sums
from panopt.stats.gaussian_within import locate

Floats = NDArray[np.float64]

NOBODY = np.zeros(3, dtype=bool)
PLAN = design(NOBODY, ~NOBODY)
FLOOR = np.full(3, 1e-6)


def drawn(
    seed: int, n: int, noise: list[float], *, missing: float = 0.2
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats, Floats]:
    rng = np.random.default_rng(seed)
    truth = 0.25 * rng.normal(size=n)
    item, judge = np.divmod(np.arange(3 * n), 3)
    score = truth[item] + np.array(noise)[judge] * rng.normal(size=3 * n)
    kept = rng.random(3 * n) >= missing
    return item[kept], judge[kept], score[kept], truth


def at_one_point(sums: PanelSums, x: Floats) -> Mixture:
    points, cov = locate(sums, PLAN, evaluate(sums, PLAN, FLOOR, x[None]))
    return Mixture(points, np.ones(1), cov, poor=False)


def at_likeliest(sums: PanelSums, x: Floats) -> Floats:
    """Climb the likelihood, without the prior."""

    def loss(x: Floats) -> float:
        return -float(evaluate(sums, PLAN, FLOOR, x[None]).log_likelihood[0])

    return np.asarray(minimize(loss, x, method="L-BFGS-B", bounds=[(-7.0, 2.0)] * 4).x)


@pytest.mark.parametrize("room", [100_000, -(10**9)], ids=["patterns", "sparse"])
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_posterior_given_the_variances_is_that_of_dense_matrices(
    room: int, missing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Biases by weighted least squares on dummies of items and judges, mu by generalised least
    # squares on the scores less those, truths by conditioning the normal on both.
    monkeypatch.setattr(gaussian_sums, "_ROOM", room)
    item, judge, score, _ = drawn(0, 40, [0.1, 0.2, 0.3], missing=missing)
    item = np.unique(item, return_inverse=True)[1]
    n = int(item.max()) + 1
    sums = panel_sums(item, judge, score, n, anchor=NOBODY)
    assert (sums.cross is None) == (room < 0)
    mixture = at_one_point(sums, np.log([0.3, 0.5, 0.8, 0.9]))
    mean, sd = item_posterior(sums, PLAN, mixture)
    z = (score - sums.center[judge]) / sums.scale
    weight, tau2 = 1 / (FLOOR + np.exp(2 * np.log([0.3, 0.5, 0.8]))), 1 / mixture.points.prior[0]
    if not own_means(sums) or missing == 0:
        assert tau2 == pytest.approx(0.81)
    else:
        assert tau2 >= 0.81
    same = (item[:, None] == np.arange(n)).astype(float)
    contrast = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])  # biases of sum zero
    dummies = np.column_stack((same, contrast[judge]))
    cov = np.linalg.inv(dummies.T @ (weight[judge][:, None] * dummies))
    fitted = cov @ dummies.T @ (weight[judge] * z)
    bias, bias_cov = contrast @ fitted[n:], contrast @ cov[n:, n:] @ contrast.T
    full = np.linalg.inv(tau2 * same @ same.T + np.diag(1 / weight[judge]))
    ones, picks = np.ones(len(z)), np.eye(3)[judge]
    to_mu = full.sum(axis=0) / (ones @ full @ ones)
    mu = to_mu @ (z - bias[judge])
    gain = tau2 * same.T @ full
    assert mean == pytest.approx(mu + gain @ (z - mu - bias[judge]), abs=1e-9)
    by_mu = 1 - gain @ ones
    by_bias = (-np.outer(by_mu, to_mu) - gain) @ picks
    own = tau2 - tau2 * np.einsum("is,si->i", gain, same)
    own += by_mu**2 / (ones @ full @ ones) + np.einsum("ij,jk,ik->i", by_bias, bias_cov, by_bias)
    assert sd**2 == pytest.approx(own, abs=1e-9)


@pytest.mark.parametrize("noise", [[0.05, 0.1, 0.2], [0.02, 0.2, 0.3]], ids=str)
@pytest.mark.parametrize("nodes", [17, pytest.param(25, marks=pytest.mark.slow)])
def test_integral_is_that_of_a_grid(noise: list[float], nodes: int) -> None:
    item, judge, score, _ = drawn(1, 60, noise)
    sums = panel_sums(item, judge, score, 60, anchor=NOBODY)
    mode = find_mode(sums, PLAN, FLOOR)
    mixture = integrate(sums, PLAN, FLOOR, mode)
    spread = np.sqrt(np.diag(np.linalg.inv(mode.curvature)))
    axes = [
        np.linspace(center - low, center + 4.5 * sd, nodes)
        for center, sd, low in zip(mode.x, spread, [5.0, *(4.5 * spread[1:])], strict=True)
    ]
    grid = evaluate(sums, PLAN, FLOOR, np.array(list(product(*axes))))
    share = np.exp(grid.log_density - grid.log_density.max())
    share /= share.sum()
    logs, wanted = np.log(mixture.points.weight), np.log(grid.weight)
    mean, expected = mixture.share @ logs, share @ wanted
    error = np.sqrt(share @ (wanted - expected) ** 2)
    assert np.abs(mean - expected).max() < 0.15 * error.max()
    assert mean[1:] == pytest.approx(expected[1:], abs=0.1 * error[1:].max())
    assert np.sqrt(mixture.share @ (logs - mean) ** 2) == pytest.approx(error, rel=0.15)
    located, cov = locate(sums, PLAN, grid)
    exact = Mixture(located, share, cov, poor=False)
    truth, sd = item_posterior(sums, PLAN, mixture)
    reference, reference_sd = item_posterior(sums, PLAN, exact)
    assert truth == pytest.approx(reference, abs=0.02 * reference_sd.min())
    assert sd == pytest.approx(reference_sd, rel=0.02)


@pytest.mark.parametrize("draws", [10, pytest.param(25, marks=pytest.mark.slow)])
def test_integrating_covers_where_plugging_in_does_not(draws: int) -> None:
    # A nearly noiseless judge among three: maximum likelihood makes it noiseless, or another.
    plug_in: list[float] = []
    ours: list[float] = []
    for seed in range(draws):
        item, judge, score, truth = drawn(seed, 100, [0.02, 0.2, 0.3], missing=0.0)
        sums = panel_sums(item, judge, score, 100, anchor=NOBODY)
        mode = find_mode(sums, PLAN, FLOOR)
        likeliest = at_likeliest(sums, mode.x)
        for share, mixture in (
            (plug_in, at_one_point(sums, likeliest)),
            (ours, integrate(sums, PLAN, FLOOR, mode)),
        ):
            mean, sd = item_posterior(sums, PLAN, mixture)
            error = np.abs(sums.center.mean() + sums.scale * mean - truth)
            share.append(float(np.mean(error <= 1.645 * sums.scale * sd)))
    assert np.mean(plug_in) < 0.85
    assert np.mean(ours) > 0.9
    assert min(plug_in) < 0.3
    assert min(ours) > 0.55


def test_few_points_in_many_dimensions_are_flattened_not_trusted() -> None:
    rng = np.random.default_rng(0)
    judge = np.argsort(rng.random((200, 40)), axis=1)[:, :4].ravel()
    item = np.repeat(np.arange(200), 4)
    score = rng.normal(size=200)[item] + 0.3 * rng.normal(size=800)
    nobody = np.zeros(40, dtype=bool)
    sums = panel_sums(item, judge, score, 200, anchor=nobody)
    plan, floor = design(nobody, ~nobody), np.full(40, 1e-6)
    mixture = integrate(sums, plan, floor, find_mode(sums, plan, floor), n_points=64)
    assert mixture.poor
    assert 1 / np.sum(mixture.share**2) == pytest.approx(32, rel=0.01)
