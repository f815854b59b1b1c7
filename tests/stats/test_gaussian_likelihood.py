"""The likelihood against dense normal densities, its slopes against differences."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

from panopt.stats import gaussian_sums
from panopt.stats.gaussian_likelihood import (
    RISE,
    SCALE,
    TAIL,
    design,
    evaluate,
    find_mode,
    location_cov,
    own_means,
    slopes,
)
from panopt.stats.gaussian_sums import PanelSums, panel_sums

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FLOOR = np.array([0.01, 0.02, 0.0])
X = np.log([0.3, 0.5, 0.8, 0.9])
ANCHORS = [[], [0], [0, 2]]


def scores(n: int = 25) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Give scores of three judges, some missing, some repeated; item 3 has none."""
    rng = np.random.default_rng(1)
    item = rng.integers(0, n, 90)
    item[item == 3] = 4
    judge = rng.integers(0, 3, 90)
    return item, judge, rng.normal(size=n)[item] + 0.5 * judge + 0.3 * rng.normal(size=90)


def flags(anchor: list[int]) -> Flags:
    return np.isin(np.arange(3), anchor)


def dense(sums: PanelSums, anchor: list[int], x: Floats) -> tuple[float, Floats, Floats]:
    """Give log density, locations and their covariance by the full covariance matrix."""
    item, judge, score = scores()
    z = (score - sums.center[judge]) / sums.scale
    sigma2, tau2 = FLOOR + np.exp(2 * x[:3]), np.exp(2 * x[3])
    cov = tau2 * (item[:, None] == item) + np.diag(sigma2[judge])
    columns = design(flags(anchor), np.ones(3, dtype=bool)).columns[judge]
    information = columns.T @ np.linalg.solve(cov, columns)
    location = np.linalg.solve(information, columns.T @ np.linalg.solve(cov, z))
    log_likelihood = multivariate_normal(columns @ location, cov).logpdf(z)
    # Locations with a flat prior integrate to the inverse root of their information.
    log_density = log_likelihood - 0.5 * np.linalg.slogdet(information)[1]
    log_density += np.sum(RISE * x - (RISE + TAIL) / 2 * np.log1p(np.exp(2 * x) / SCALE**2))
    return (
        float(log_density),
        np.asarray(location, float),
        np.asarray(np.linalg.inv(information), float),
    )


def as_patterns(anchor: list[int], monkeypatch: pytest.MonkeyPatch) -> PanelSums:
    """Sum by pattern even where there are nearly as many patterns as items."""
    monkeypatch.setattr(gaussian_sums, "_ROWS", 10**6)
    item, judge, score = scores()
    sums = panel_sums(item, judge, score, 25, anchor=flags(anchor))
    monkeypatch.undo()
    assert sums.cross is not None
    return sums


def as_items(anchor: list[int], *, sparse: bool, monkeypatch: pytest.MonkeyPatch) -> PanelSums:
    """Sum item by item, on dense or on sparse tables."""
    monkeypatch.setattr(gaussian_sums, "_ROWS", 0)
    if sparse:
        monkeypatch.setattr(gaussian_sums, "_ROOM", -(10**9))
    item, judge, score = scores()
    sums = panel_sums(item, judge, score, 25, anchor=flags(anchor))
    monkeypatch.undo()
    assert sums.cross is None
    assert isinstance(sums.counts, np.ndarray) != sparse
    return sums


@pytest.fixture(params=["patterns", "items", "sparse"])
def made(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, PanelSums]:
    if request.param == "patterns":
        return {str(anchor): as_patterns(anchor, monkeypatch) for anchor in ANCHORS}
    return {
        str(anchor): as_items(anchor, sparse=request.param == "sparse", monkeypatch=monkeypatch)
        for anchor in ANCHORS
    }


@pytest.mark.parametrize("anchor", ANCHORS, ids=str)
def test_density_is_that_of_the_full_normal(made: dict[str, PanelSums], anchor: list[int]) -> None:
    sums, plan = made[str(anchor)], design(flags(anchor), np.ones(3, dtype=bool))
    points = np.stack([X, X + 0.3, X - [1.0, 0.5, 0.0, 0.7]])
    found = evaluate(sums, plan, FLOOR, points)
    cov = location_cov(sums, plan, found.weight, found.prior)
    constant = 0.5 * 90 * np.log(2 * np.pi)
    for k, x in enumerate(points):
        log_density, location, location_spread = dense(sums, anchor, x)
        assert found.log_density[k] - constant == pytest.approx(log_density, abs=1e-9)
        assert found.location[k] == pytest.approx(location, abs=1e-10)
        assert cov[k] == pytest.approx(location_spread, abs=1e-12)


@pytest.mark.parametrize("anchor", ANCHORS, ids=str)
def test_gradient_is_that_of_differences(made: dict[str, PanelSums], anchor: list[int]) -> None:
    sums, plan = made[str(anchor)], design(flags(anchor), np.ones(3, dtype=bool))
    gradient, curvature = slopes(sums, plan, FLOOR, X)
    steps = 1e-5 * np.eye(4)
    found = evaluate(sums, plan, FLOOR, np.concatenate((X + steps, X - steps))).log_density
    assert gradient == pytest.approx((found[:4] - found[4:]) / 2e-5, rel=1e-6, abs=1e-6)
    slope = [
        (slopes(sums, plan, FLOOR, X - s)[0] - slopes(sums, plan, FLOOR, X + s)[0]) / 2e-5
        for s in steps
    ]
    assert curvature == pytest.approx(np.array(slope), abs=0.15 * np.abs(curvature).max())


def by_pattern(anchor: list[int]) -> tuple[PanelSums, tuple[NDArray[np.int64], ...], Floats]:
    """Give scores of 60 items by four patterns of judges, one of them with a repeat."""
    rng = np.random.default_rng(2)
    item, judge = np.divmod(np.arange(180), 3)
    kept = ((judge != 1) | (item < 40)) & ((judge != 2) | (item >= 15))
    item, judge = item[kept], judge[kept]
    item, judge = np.append(item, np.arange(50, 60)), np.append(judge, np.zeros(10, dtype=int))
    score = rng.normal(size=60)[item] + 0.5 * judge + 0.3 * rng.normal(size=item.size)
    sums = panel_sums(item, judge, score, 61, anchor=flags(anchor))
    assert own_means(sums)
    return sums, (item, judge), score


@pytest.mark.parametrize("anchor", [*ANCHORS, [0, 1, 2]], ids=str)
def test_patterns_have_means_of_their_own_where_they_are_few(anchor: list[int]) -> None:
    sums, (item, judge), score = by_pattern(anchor)
    plan = design(flags(anchor), np.ones(3, dtype=bool))
    z = (score - sums.center[judge]) / sums.scale
    group = np.empty(61, dtype=int)
    group[sums.order] = np.repeat(np.arange(len(sums.size)), np.diff(sums.starts))
    own = np.unique(group[item], return_inverse=True)[1][:, None] == np.arange(4)
    columns = np.column_stack((own, plan.basis[judge]))
    points = np.stack([X, X + 0.3, X - [1.0, 0.5, 0.0, 0.7]])
    found = evaluate(sums, plan, FLOOR, points)
    for k, x in enumerate(points):
        sigma2, tau2 = FLOOR + np.exp(2 * x[:3]), np.exp(2 * x[3])
        cov = tau2 * (item[:, None] == item) + np.diag(sigma2[judge])
        information = columns.T @ np.linalg.solve(cov, columns)
        fitted = np.linalg.solve(information, columns.T @ np.linalg.solve(cov, z))
        expected = multivariate_normal(columns @ fitted, cov).logpdf(z)
        constant = 0.5 * len(z) * np.log(2 * np.pi)
        assert found.log_likelihood[k] - constant == pytest.approx(expected, abs=1e-9)
        expected -= 0.5 * np.linalg.slogdet(information)[1]
        expected += np.sum(RISE * x - (RISE + TAIL) / 2 * np.log1p(np.exp(2 * x) / SCALE**2))
        assert found.log_density[k] - constant == pytest.approx(expected, abs=1e-9)
    gradient, curvature = slopes(sums, plan, FLOOR, X)
    steps = 1e-5 * np.eye(4)
    around = evaluate(sums, plan, FLOOR, np.concatenate((X + steps, X - steps))).log_density
    assert gradient == pytest.approx((around[:4] - around[4:]) / 2e-5, rel=1e-6, abs=1e-6)
    slope = [
        (slopes(sums, plan, FLOOR, X - s)[0] - slopes(sums, plan, FLOOR, X + s)[0]) / 2e-5
        for s in steps
    ]
    assert curvature == pytest.approx(np.array(slope), abs=0.15 * np.abs(curvature).max())


def test_mode_is_where_the_slope_vanishes(made: dict[str, PanelSums]) -> None:
    sums, plan = made["[]"], design(flags([]), np.ones(3, dtype=bool))
    mode = find_mode(sums, plan, FLOOR)
    assert mode.converged
    gradient, _ = slopes(sums, plan, FLOOR, mode.x)
    assert np.abs(gradient).max() < 0.01
    around = mode.x + 0.05 * np.random.default_rng(0).normal(size=(50, 4))
    top = evaluate(sums, plan, FLOOR, mode.x[None]).log_density[0]
    assert evaluate(sums, plan, FLOOR, around).log_density.max() < top


def test_biases_are_centred_on_the_central_judges() -> None:
    plan = design(flags([]), np.array([True, False, True]))
    assert plan.mu.tolist() == [0.5, 0.0, 0.5]
    assert design(flags([1]), np.ones(3, dtype=bool)).mu.tolist() == [1.0, 0.0, 0.0]


def test_many_points_are_evaluated_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    sums, plan = as_patterns([], monkeypatch), design(flags([]), np.ones(3, dtype=bool))
    points = X + 0.1 * np.random.default_rng(0).normal(size=(40, 4))
    whole = evaluate(sums, plan, FLOOR, points)
    monkeypatch.setattr("panopt.stats.gaussian_likelihood._CELLS", 100)
    parts = evaluate(sums, plan, FLOOR, points)
    assert parts.log_density == pytest.approx(whole.log_density, rel=1e-12)
    assert parts.location == pytest.approx(whole.location, rel=1e-9)
