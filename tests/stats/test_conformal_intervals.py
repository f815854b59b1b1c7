"""Conformal intervals beyond the plain split: groups, weights, quantiles, folds, learned ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression, QuantileRegressor, Ridge

from panopt.plugins.conformal import (
    choose_spread,
    cqr,
    cqr_scores,
    cv_plus,
    cv_plus_interval,
    floored_spread,
    learned_intervals,
    mondrian_threshold,
    panel_features,
    plan_intervals,
    recalibrated_panel,
    split_threshold,
    weighted_threshold,
)

Floats = NDArray[np.float64]


def panel(n: int, seed: int = 0, *, noise: float = 0.4, judges: int = 4) -> tuple[Floats, Floats]:
    """Judges with bias and slopes of their own around a true score that humans see."""
    rng = np.random.default_rng(seed)
    human = rng.normal(size=n)
    slope, bias = rng.uniform(0.5, 2.0, judges), rng.normal(0, 1, judges)
    scores = bias + slope * human[:, None] + rng.normal(0, noise, (n, judges))
    return scores, human


# --- Mondrian


def test_P_3_each_family_keeps_its_coverage_and_small_ones_are_pooled_and_named() -> None:
    rng = np.random.default_rng(0)
    sd = {"easy": 0.1, "hard": 1.0, "rare": 0.5, "odd": 0.5}
    hits: dict[str, list[bool]] = {name: [] for name in sd}
    plain = []
    for _ in range(400):
        groups = np.array(["easy"] * 60 + ["hard"] * 60 + ["rare"] * 5 + ["odd"] * 6)
        r = np.abs(rng.normal(0, [sd[g] for g in groups]))
        found = mondrian_threshold(r, groups, alpha=0.1)
        assert found.groups == ("easy", "hard")
        assert found.pooled == ("odd", "rare")
        assert found.pooled_over == "pooled groups"
        for name, bound in zip(sd, found.threshold_of(list(sd)), strict=True):
            hits[name].append(bool(abs(rng.normal(0, sd[name])) <= bound))
        plain.append(abs(rng.normal(0, 1.0)) <= split_threshold(r, alpha=0.1).value)
    for name in ("easy", "hard"):
        assert np.mean(hits[name]) >= 0.9 - 3 * np.sqrt(0.09 / 400)
    assert np.mean(hits["rare"] + hits["odd"]) >= 0.9 - 3 * np.sqrt(0.09 / 800)
    assert np.mean(plain) < 0.85, "without families the hard one is covered too seldom"


def test_P_3_each_family_gets_the_bound_of_its_own_labels() -> None:
    rng = np.random.default_rng(1)
    r, groups = rng.random(300), rng.integers(0, 3, 300)
    found = mondrian_threshold(r, groups, alpha=0.2)
    wanted = [split_threshold(r[groups == g], alpha=0.2) for g in range(3)]
    assert found.thresholds == tuple(wanted)
    assert found.threshold_of(groups).tolist() == [wanted[g].value for g in groups]
    assert found.threshold_of(["unseen"])[0] == split_threshold(r, alpha=0.2).value


def test_P_3_no_labels_give_the_whole_scale() -> None:
    found = mondrian_threshold([], np.array([], dtype=str), alpha=0.1)
    assert found.threshold_of(["a"]).tolist() == [np.inf]
    few = mondrian_threshold([0.1] * 5, ["a"] * 5, alpha=0.1)
    assert (few.groups, few.pooled, few.threshold_of(["a"])[0]) == ((), ("a",), np.inf)
    assert few.pooled_threshold is not None
    assert few.pooled_threshold.labels_needed == 9
    with pytest.raises(ValueError, match="groups of shape"):
        mondrian_threshold([0.1], ["a", "b"])


# --- weights


@given(st.integers(0, 200), st.sampled_from([0.05, 0.1, 0.2, 0.29, 0.5]), st.floats(1e-3, 1e3))
def test_equal_weights_give_the_unweighted_bound(n: int, alpha: float, weight: float) -> None:
    r = np.random.default_rng(n).random(n)
    found = weighted_threshold(r, np.full(n, weight), weight, alpha=alpha)
    assert found.value == split_threshold(r, alpha=alpha).value


def test_weights_keep_the_coverage_under_covariate_shift() -> None:
    # x is uniform among labels and has density 2x today; the error grows with x.
    rng, hits, plain, n = np.random.default_rng(0), [], [], 3000
    for _ in range(n):
        x, today = rng.random(100), np.sqrt(rng.random())
        r, new = np.abs(rng.normal(0, x)), abs(rng.normal(0, today))
        hits.append(new <= weighted_threshold(r, 2 * x, 2 * today, alpha=0.2).value)
        plain.append(new <= split_threshold(r, alpha=0.2).value)
    assert np.mean(hits) >= 0.8 - 3 * np.sqrt(0.16 / n)
    assert np.mean(hits) <= 0.83
    assert np.mean(plain) < 0.75


def test_heavy_new_responses_get_the_whole_scale_and_a_reason() -> None:
    found = weighted_threshold([0.1] * 20, np.ones(20), [1.0, 50.0], alpha=0.1)
    assert found.value.tolist() == [0.1, np.inf]
    assert found.n_infinite == 1
    assert found.labels_needed == 450
    assert found.reason is not None
    assert "about 450 labels are needed" in found.reason
    enough = weighted_threshold([0.1] * 450, np.ones(450), 50.0, alpha=0.1)
    assert np.isfinite(enough.value)
    assert enough.n_effective == pytest.approx(450)
    assert weighted_threshold([], [], 1.0).value == np.inf
    for bad in ([-1.0], [np.inf], [np.nan]):
        with pytest.raises(ValueError, match="weights must"):
            weighted_threshold([0.1], bad, 1.0)


# --- CQR


def uneven(n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Give scores whose spread tells how far off they are."""
    sd = np.exp(rng.uniform(-5, 0, n))
    human = rng.random(n)
    return human[:, None] + rng.normal(0, 1, (n, 8)) * sd[:, None], human


def test_P_2_cqr_covers_with_any_regressor_and_is_narrower_with_a_good_one() -> None:
    rng = np.random.default_rng(0)
    hits: list[list[float]] = [[], []]
    widths: list[list[float]] = [[], []]
    models: list[tuple[Any, Any]] = [
        tuple(QuantileRegressor(quantile=q, alpha=0.0, solver="highs") for q in (0.1, 0.9)),
        (LinearRegression(), LinearRegression()),
    ]
    for _ in range(40):
        scores, human = uneven(400, rng)
        x = panel_features(scores)
        for at, (low, high) in enumerate(models):
            found = cqr(
                x[:200],
                human[:200],
                x[200:],
                low_model=low,
                high_model=high,
                alpha=0.2,
                fit_share=0.4,
                rng=rng,
            )
            inside = (found.low <= human[200:]) & (human[200:] <= found.high)
            hits[at].append(float(inside.mean()))
            widths[at].append(float(np.mean(found.high - found.low)))
    for share in hits:
        error = 3 * np.std(share) / np.sqrt(len(share))
        assert 0.8 - error <= np.mean(share) <= 0.8 + 1 / 121 + error
    assert np.mean(widths[0]) < 0.97 * np.mean(widths[1])


def test_P_2_cqr_with_too_few_labels_gives_the_whole_scale() -> None:
    found = cqr(
        np.ones((10, 1)),
        np.ones(10),
        np.ones((3, 1)),
        low_model=Ridge(),
        high_model=Ridge(),
        scale_low=0.0,
        scale_high=1.0,
    )
    assert found.low.tolist() == [0.0] * 3
    assert found.high.tolist() == [1.0] * 3
    assert found.threshold.reason is not None
    assert "9 are needed" in found.threshold.reason


def test_P_2_cqr_bound_is_the_split_bound_of_its_scores() -> None:
    rng = np.random.default_rng(3)
    low, high, human = rng.normal(-1, 0.1, 50), rng.normal(1, 0.1, 50), rng.normal(size=50)
    scores = cqr_scores(low, high, human)
    bound = split_threshold(scores, alpha=0.2).value
    inside = (human >= low - bound) & (human <= high + bound)
    assert inside.sum() == split_threshold(scores, alpha=0.2).k


def test_panel_features_are_finite_whatever_is_missing() -> None:
    x = panel_features([[0.2, np.nan], [np.nan, np.nan], [0.4, 0.8]])
    assert np.isfinite(x).all()
    assert x[:, 4].tolist() == [1, 0, 2]
    assert np.isfinite(panel_features(np.full((2, 3), np.nan))).sum() == 10
    assert panel_features(np.empty((0, 3))).shape == (0, 5)


# --- CV+ and jackknife+


def by_hand(
    r: Floats, fold: NDArray[np.int64], p: Floats, alpha: float
) -> tuple[list[float], list[float]]:
    """Give CV+ intervals by Barber et al. 2021, eq. 14, one response at a time."""
    n = len(r)
    k = int(np.ceil((n + 1) * (1 - alpha) - 1e-9))
    low, high = [], []
    for new in range(p.shape[1]):
        at = p[fold, new]
        low.append(float(-np.sort(-(at - r))[k - 1]))
        high.append(float(np.sort(at + r)[k - 1]))
    return low, high


@pytest.mark.parametrize("alpha", [0.1, 0.25])
def test_cv_plus_is_its_definition(alpha: float) -> None:
    rng = np.random.default_rng(0)
    r, fold, p = rng.random(43), rng.permutation(43) % 5, rng.normal(size=(5, 30))
    found = cv_plus_interval(r, fold, p, alpha=alpha)
    low, high = by_hand(r, fold, p, alpha)
    assert found.low.tolist() == low
    assert found.high.tolist() == high


def test_cv_plus_covers_what_it_guarantees_and_near_what_was_asked() -> None:
    share = []
    for seed in range(60):
        scores, human = panel(160, seed)
        found = cv_plus(scores[:60], human[:60], scores[60:], alpha=0.2, folds=6)
        share.append(np.mean((found.low <= human[60:]) & (human[60:] <= found.high)))
    error = 3 * np.std(share) / np.sqrt(len(share))
    assert np.mean(share) >= 0.8 - error
    scores, human = panel(100)
    found = cv_plus(scores[:60], human[:60], scores[60:], alpha=0.2, folds=6)
    assert np.mean(share) >= found.guaranteed
    assert found.guaranteed == pytest.approx(1 - 0.4 - min(2 * (5 / 6) / 11, 0.9 / 7))


def test_jackknife_plus_guarantees_one_less_two_alpha() -> None:
    scores, human = panel(60)
    found = cv_plus(scores[:30], human[:30], scores[30:], alpha=0.1, folds=30)
    assert found.guaranteed == pytest.approx(0.8)


def test_cv_plus_takes_any_learner_and_leaves_clusters_out_whole() -> None:
    scores, human = panel(90)
    clusters = np.arange(60) // 3
    seen: list[int] = []

    def fit(x: Floats, y: Floats) -> Any:  # noqa: ANN401 - scikit-learn has no types
        seen.append(len(y))
        return Ridge().fit(x, y).predict

    found = cv_plus(scores[:60], human[:60], scores[60:], folds=5, fit=fit, clusters=clusters)
    assert seen == [48] * 5
    assert np.all(found.low < found.high)


def test_cv_plus_with_too_few_labels_is_the_whole_scale() -> None:
    found = cv_plus(
        np.ones((8, 2)), np.ones(8), np.ones((1, 2)), scale_low=0.0, scale_high=5.0, alpha=0.1
    )
    assert (found.low[0], found.high[0], found.labels_needed) == (0.0, 5.0, 9)
    assert found.reason is not None
    assert found.coverage_low is None
    assert "no known exact law" in found.no_band


def test_bad_arguments_of_cross_fits_are_named() -> None:
    scores, human = panel(30)
    with pytest.raises(ValueError, match="folds = 1 must lie"):
        cv_plus(scores, human, scores, folds=1)
    with pytest.raises(ValueError, match="new_features have 1 columns"):
        cv_plus(scores, human, scores[:, :1])
    with pytest.raises(ValueError, match="human must not be NaN"):
        cv_plus(scores, np.full(30, np.nan), scores)
    with pytest.raises(ValueError, match="3 clusters cannot be left out"):
        cv_plus(scores, human, scores, clusters=np.arange(30) % 3)
    with pytest.raises(ValueError, match=r"fold must lie in 0\.\.1"):
        cv_plus_interval(np.ones(9), np.full(9, 2), np.ones((2, 1)))


# --- recalibration, normalising and learned intervals


def test_recalibrated_panel_is_ridge_regression_of_the_deviations() -> None:
    rng = np.random.default_rng(0)
    human = rng.normal(size=80)
    scores = human[:, None] + rng.normal(0, 1, (80, 4)) * [0.3, 0.6, 1.0, 2.0]
    found = recalibrated_panel(scores, human)
    assert np.isfinite(found.penalty)
    mean = scores.mean(axis=1)
    base = np.column_stack([np.ones(80), mean])
    aside = np.eye(80) - base @ np.linalg.pinv(base)
    peer = Ridge(alpha=found.penalty, fit_intercept=False)
    peer.fit(aside @ (scores - mean[:, None]), aside @ human)
    np.testing.assert_allclose(found.weight, peer.coef_, rtol=1e-8)
    left_out = [
        human[i]
        - _fixed(np.delete(scores, i, 0), np.delete(human, i), found.penalty, scores[i : i + 1])
        for i in range(80)
    ]
    assert found.loo_error == pytest.approx(np.sqrt(np.mean(np.square(left_out))), rel=1e-6)


def _fixed(scores: Floats, human: Floats, penalty: float, new: Floats) -> float:
    """Fit with a given penalty by the normal equations."""
    mean = scores.mean(axis=1)
    design = np.column_stack([np.ones(len(mean)), mean, scores - mean[:, None]])
    gram = design.T @ design + np.diag([0.0, 0.0] + [penalty] * scores.shape[1])
    beta = np.linalg.solve(gram, design.T @ human)
    at = new.mean()
    return float(np.concatenate([[1.0, at], new[0] - at]) @ beta)


def test_recalibrated_panel_takes_missing_scores_and_constant_judges() -> None:
    scores, human = panel(100)
    holes = np.where(np.random.default_rng(1).random(scores.shape) < 0.3, np.nan, scores)
    holes[:, 0] = scores[:, 0]
    found = recalibrated_panel(holes, human)
    assert np.isfinite(found.predict(holes)).all()
    assert np.isnan(found.predict([[np.nan] * 4])).all()
    flat = recalibrated_panel(np.ones((10, 2)), np.arange(10.0))
    assert flat.predict([[1.0, 1.0]])[0] == pytest.approx(4.5)
    with pytest.raises(ValueError, match="too few to learn from"):
        recalibrated_panel([[1.0], [2.0]], [1.0, 2.0])
    with pytest.raises(ValueError, match="rows without any score"):
        recalibrated_panel([[1.0], [2.0], [np.nan]], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="the predictor knows 2"):
        flat.predict([[1.0]])


def test_normalising_is_used_only_where_it_narrows() -> None:
    rng, used = np.random.default_rng(0), []
    for _ in range(200):
        r, s = np.abs(rng.normal(size=166)), rng.uniform(0.1, 1.0, 166)
        used.append(choose_spread(r, s).use)
    assert np.mean(used) < 0.02
    told = rng.uniform(0.1, 1.0, 166)
    assert choose_spread(np.abs(rng.normal(0, told)), told).use
    few = choose_spread([0.1] * 5, [1.0] * 5)
    assert (few.use, few.width_ratio) == (False, None)
    assert "too few" in few.reason
    assert not choose_spread(np.zeros(50), np.ones(50)).use
    with pytest.raises(ValueError, match="spread must be positive"):
        choose_spread([0.1], [0.0])


def test_floored_spreads_are_positive() -> None:
    assert floored_spread([0.0, 0.0]).tolist() == [1.0, 1.0]
    assert floored_spread([np.nan]).tolist() == [1.0]
    assert floored_spread([]).tolist() == []
    with pytest.raises(ValueError, match="spread must be finite and not negative"):
        floored_spread([-0.1])


@pytest.mark.parametrize("kind", ["biased", "uneven", "blind"])
def test_learned_intervals_cover_whatever_they_learn(kind: str) -> None:
    """The labels that choose are not those that calibrate: the coverage is k / (n + 1)."""
    share, width, plain = [], [], []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        if kind == "biased":
            scores, truth = panel(400, seed)
        elif kind == "uneven":
            scores, truth = uneven(400, rng)
        else:
            scores, truth = rng.normal(size=(400, 3)), rng.normal(size=400)
        human = np.where(np.arange(400) < 200, truth, np.nan)
        found = learned_intervals(scores, human, alpha=0.2, rng=rng)
        inside = (found.low <= truth) & (truth <= found.high)
        share.append(inside[200:].mean())
        width.append(found.halfwidth)
        plain.append(split_threshold(np.abs(truth - scores.mean(axis=1))[:200], alpha=0.2).value)
        assert found.threshold.n == 100
    error = 3 * np.std(share) / np.sqrt(len(share))
    assert 0.8 - error <= np.mean(share) <= 0.8 + 1 / 101 + error
    assert np.mean(width) < (0.9 if kind == "biased" else 0.95) * np.mean(plain)


def test_few_labels_all_calibrate_around_the_panels_own_value() -> None:
    scores, truth = panel(200)
    human = np.where(np.arange(200) < 149, truth, np.nan)
    found = learned_intervals(scores, human)
    assert (found.plan.n_learned, found.threshold.n) == (0, 149)
    assert found.halfwidth == found.threshold.value
    none = learned_intervals(scores, np.full(200, np.nan), scale_low=0.0, scale_high=1.0)
    assert (none.low[0], none.high[0], none.halfwidth) == (0.0, 1.0, np.inf)
    with pytest.raises(ValueError, match="rows must be of responses"):
        plan_intervals(scores[:, 0], scores, scores[:, 0], np.full(200, np.nan), [0], alpha=0.1)


def test_plan_is_the_same_whatever_the_calibration_labels_say() -> None:
    scores, truth = panel(400)
    rng = np.random.default_rng
    spread, value = scores.std(axis=1), scores.mean(axis=1)
    rows = np.arange(300)
    plan = plan_intervals(value, scores, spread, truth, rows, rng=rng(0))
    other = truth.copy()
    other[plan.calibrate] = rng(1).normal(size=len(plan.calibrate))
    again = plan_intervals(value, scores, spread, other, rows, rng=rng(0))
    np.testing.assert_array_equal(plan.centre, again.centre)
    assert plan.reason == again.reason
