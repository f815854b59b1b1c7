from __future__ import annotations

import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from sklearn.calibration import CalibratedClassifierCV
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from venn_abers import VennAbers as TheirVennAbers

from panopt.stats.calibration_maps import (
    CrossVennAbers,
    fit_isotonic,
    fit_platt,
    fit_venn_abers,
)
from panopt.stats.scored import scored

Floats = NDArray[np.float64]


def sample(seed: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(8, 80))
    x = rng.random(n) if seed % 2 else rng.integers(0, 6, n) / 5
    y = (rng.random(n) < x).astype(float)
    y[:2] = 0, 1
    return x, y


def refitted(x: Floats, y: Floats, at: float, label: int) -> float:
    """Fit the isotonic regression anew with one more verdict, the definition of Venn-Abers."""
    values, inverse = np.unique(np.r_[x, at], return_inverse=True)
    n = np.bincount(inverse)
    fitted = isotonic_regression(np.bincount(inverse, weights=np.r_[y, label]) / n, weights=n).x
    return float(fitted[np.searchsorted(values, at)])


@pytest.mark.parametrize("seed", range(12))
def test_venn_abers_is_two_isotonic_fits_and_the_package_s(seed: int) -> None:
    x, y = sample(seed)
    new = np.r_[x[:10], np.random.default_rng(seed).random(10), 0.0, 1.0]
    fitted = fit_venn_abers(scored(x, y))
    p0, p1 = fitted.interval(new)
    for k, at in enumerate(new.tolist()):
        assert p0[k] == pytest.approx(refitted(x, y, at, 0), abs=1e-12)
        assert p1[k] == pytest.approx(refitted(x, y, at, 1), abs=1e-12)
    theirs = TheirVennAbers()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it takes the nanmin of nothing at ties
        theirs.fit(np.column_stack((1 - x, x)), y)
        merged, both = theirs.predict_proba(np.column_stack((1 - new, new)))
    np.testing.assert_allclose(np.column_stack((p0, p1)), both, atol=1e-8)
    np.testing.assert_allclose(fitted.predict(new), merged[:, 1], atol=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_isotonic_is_scikit_learn_s(seed: int) -> None:
    x, y = sample(seed)
    new = np.r_[np.random.default_rng(seed).random(30), x, -1.0, 2.0]
    theirs = IsotonicRegression(out_of_bounds="clip").fit(x, y)
    np.testing.assert_allclose(
        fit_isotonic(scored(x, y)).predict(new), theirs.predict(new), atol=1e-9
    )


@pytest.mark.parametrize("seed", range(6))
def test_platt_is_a_logistic_fit_to_smoothed_targets(seed: int) -> None:
    x, y = sample(seed)
    n1, n0 = y.sum(), (1 - y).sum()
    target = np.where(y == 1, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))
    glm = sm.GLM(target, sm.add_constant(x), family=sm.families.Binomial())
    intercept, slope = glm.fit(tol=1e-14).params
    found = fit_platt(scored(x, y))
    assert found.intercept == pytest.approx(intercept, abs=1e-8)
    assert found.slope == pytest.approx(slope, abs=1e-8)


def test_platt_is_scikit_learn_s_sigmoid() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 1))
    y = rng.random(400) < 1 / (1 + np.exp(-2 * x[:, 0]))
    model = LogisticRegression().fit(x[:200], y[:200])
    theirs = CalibratedClassifierCV(model, method="sigmoid", cv=2, ensemble=False)
    theirs.fit(x, y)
    scores = theirs.calibrated_classifiers_[0].estimator.decision_function(x)
    platt = theirs.calibrated_classifiers_[0].calibrators[0]
    ours = 1 / (1 + np.exp(platt.a_ * scores + platt.b_))
    np.testing.assert_allclose(theirs.predict_proba(x)[:, 1], ours, atol=1e-12)
    refit = type(platt)().fit(scores, y)
    found = fit_platt(scored(scores, y, bounded=False))
    np.testing.assert_allclose(found.predict(scores), refit.predict(scores), atol=1e-4)


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=30))
def test_venn_abers_maps_rise_and_hold_the_isotonic_fit_between_them(
    pairs: list[tuple[int, bool]],
) -> None:
    x, y = np.array([a for a, _ in pairs]) / 6, np.array([b for _, b in pairs])
    table = scored(x, y)
    fitted = fit_venn_abers(table)
    p0, p1 = fitted.interval(np.linspace(0, 1, 25))
    assert (np.diff(p0) >= -1e-12).all()
    assert (np.diff(p1) >= -1e-12).all()
    assert (p0 < p1).all()
    at = fit_isotonic(table).predict(table.values)
    low, high = fitted.interval(table.values)
    assert (low <= at + 1e-12).all()
    assert (at <= high + 1e-12).all()
    merged = fitted.predict(table.values)
    assert ((merged > 0) & (merged < 1)).all()


def test_platt_survives_parted_labels_one_class_and_one_confidence() -> None:
    parted = fit_platt(scored([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]))
    assert np.isfinite([parted.intercept, parted.slope]).all()
    assert parted.slope > 0
    same = fit_platt(scored([0.7] * 4, [1, 1, 1, 0]))
    assert same.slope == 0.0
    smoothed = (3 * 4 / 5 + 1 / 3) / 4
    assert same.predict([0.7, 0.1]) == pytest.approx([smoothed, smoothed])
    one = fit_platt(scored([0.5, 0.9], [1, 1]))
    assert one.predict([0.5]) == pytest.approx([0.75])


def test_missing_confidence_stays_missing() -> None:
    table = scored([0.5, 0.6, 0.9], [0, 1, 1])
    for fitted in (fit_isotonic(table), fit_platt(table), fit_venn_abers(table)):
        assert np.isnan(fitted.predict([np.nan, 0.5])).tolist() == [True, False]
    p0, p1 = fit_venn_abers(table).interval([np.nan])
    assert np.isnan([p0, p1]).all()


def test_cross_venn_abers_merges_by_geometric_means() -> None:
    x, y = sample(3)
    parts = [fit_venn_abers(scored(x[k::3], y[k::3])) for k in range(3)]
    found = CrossVennAbers(tuple(parts)).predict([0.4])
    ends = [part.interval([0.4]) for part in parts]
    right = np.prod([p1[0] for _, p1 in ends]) ** (1 / 3)
    wrong = np.prod([1 - p0[0] for p0, _ in ends]) ** (1 / 3)
    assert found[0] == pytest.approx(right / (right + wrong), abs=1e-12)
    sure = CrossVennAbers((fit_venn_abers(scored([0.9], [1])), parts[0])).predict([0.95])
    assert 0 < sure[0] <= 1


def test_one_of_both_venn_abers_probabilities_is_calibrated() -> None:
    # Vovk et al. 2015, theorem 1: the mean of p_y, y the true outcome, over draws is that of y.
    seen, said = [], []
    for seed in range(1500):
        rng = np.random.default_rng(seed)
        x = rng.integers(0, 6, 13) / 5
        y = rng.random(13) < 0.3 + 0.4 * x
        p0, p1 = fit_venn_abers(scored(x[:12], y[:12])).interval(x[12:])
        seen.append(float(y[12]))
        said.append(float(p1[0] if y[12] else p0[0]))
    gap = np.array(seen) - np.array(said)
    assert abs(gap.mean()) <= 3 * gap.std() / np.sqrt(gap.size)
