from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from panopt.stats.bins import Strategy
from panopt.stats.calibration_error import expected_calibration_error, maximum_calibration_error
from panopt.stats.scoring import brier_score, reliability_curve

Floats = NDArray[np.float64]
STRATEGIES: list[Strategy] = ["width", "mass", "values"]


def samples() -> list[tuple[Floats, NDArray[np.bool_]]]:
    rng = np.random.default_rng(0)
    xs = rng.random(1000), rng.integers(0, 6, 1000) / 5, 1 - rng.random(777) ** 3
    return [(x, rng.random(x.size) < x) for x in xs]


@pytest.mark.parametrize("case", range(3))
def test_P_9_brier_and_reliability_curve_are_scikit_learn_s(case: int) -> None:
    x, y = samples()[case]
    assert brier_score(x, y).value == pytest.approx(brier_score_loss(y, x), abs=1e-12)
    for strategy, theirs in (("width", "uniform"), ("mass", "quantile")):
        for n_bins in (5, 10, 15):
            right, mean = calibration_curve(y, x, n_bins=n_bins, strategy=theirs)
            curve = reliability_curve(x, y, n_bins=n_bins, strategy=strategy)  # type: ignore[arg-type]
            np.testing.assert_allclose(curve.accuracy, right, atol=1e-12)
            np.testing.assert_allclose(curve.confidence, mean, atol=1e-12)


@pytest.mark.parametrize("case", range(3))
def test_P_9_ece_and_mce_are_those_of_their_definition(case: int) -> None:
    # The reference: Guo et al. 2017, eqs. 3 and 5, over bins of scikit-learn's calibration_curve.
    x, y = samples()[case]
    right, mean = calibration_curve(y, x, n_bins=10)
    edges = np.linspace(0, 1, 11)
    n = np.array([((x > a) & (x <= b)).sum() for a, b in pairwise(edges)])
    n[0] += (x == 0).sum()
    gaps = np.abs(right - mean)
    ece = expected_calibration_error(x, y)
    assert ece.value == pytest.approx(n[n > 0] @ gaps / x.size, abs=1e-12)
    assert maximum_calibration_error(x, y).value == pytest.approx(gaps.max(), abs=1e-12)
    assert ece.overconfidence == pytest.approx(x.mean() - y.mean(), abs=1e-12)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=40),
    st.sampled_from(STRATEGIES),
    st.integers(1, 12),
)
def test_parts_of_the_brier_score_add_up(
    pairs: list[tuple[int, bool]], strategy: Strategy, n_bins: int
) -> None:
    x, y = np.array([a for a, _ in pairs]) / 20, np.array([b for _, b in pairs])
    found = brier_score(x, y, n_bins=n_bins, strategy=strategy)
    assert found.reliability is not None
    assert found.resolution is not None
    assert found.uncertainty is not None
    assert found.within_variance is not None
    assert found.within_covariance is not None
    whole = found.reliability - found.resolution + found.uncertainty
    whole += found.within_variance - found.within_covariance
    assert found.value == pytest.approx(np.mean((x - y) ** 2), abs=1e-12)
    assert found.value == pytest.approx(whole, abs=1e-12)
    if strategy == "values":
        assert found.within_variance == pytest.approx(0, abs=1e-12)
        assert found.within_covariance == pytest.approx(0, abs=1e-12)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=40),
    st.sampled_from(STRATEGIES),
)
def test_errors_lie_in_their_intervals(pairs: list[tuple[int, bool]], strategy: Strategy) -> None:
    x, y = np.array([a for a, _ in pairs]) / 20, np.array([b for _, b in pairs])
    ece = expected_calibration_error(x, y, strategy=strategy)
    mce = maximum_calibration_error(x, y, strategy=strategy)
    assert ece.value is not None
    assert mce.value is not None
    assert mce.low is not None
    assert mce.high is not None
    assert 0 <= ece.value <= mce.value + 1e-12
    assert 0 <= mce.low <= mce.value + 1e-12 <= mce.high + 2e-12
    if len(pairs) > 1:
        assert ece.low is not None
        assert ece.high is not None
        assert 0 <= ece.low <= ece.value <= ece.high <= 1
    else:
        assert ece.reason == "one cluster gives no interval: two are needed"


def test_confident_and_never_wrong_is_not_certain() -> None:
    found = expected_calibration_error(np.ones(30), np.ones(30))
    assert found.value == 0.0
    assert found.by_chance == 0.0
    assert found.high is not None
    assert found.high > 0.08  # three errors in a hundred would go unseen in 30 labels


def test_repeated_verdicts_of_an_item_are_no_new_evidence() -> None:
    rng = np.random.default_rng(1)
    x = rng.random(200)
    y = rng.random(200) < x**2
    group = np.repeat(np.arange(200), 5)
    xs, ys = np.repeat(x, 5), np.repeat(y, 5)
    once, again = (
        expected_calibration_error(x, y),
        expected_calibration_error(xs, ys, clusters=group),
    )
    assert again.n_clusters == 200
    assert again.value == pytest.approx(once.value, abs=1e-12)
    assert again.low == pytest.approx(once.low, abs=0.01)
    assert again.high == pytest.approx(once.high, abs=0.01)
    assert again.squared == pytest.approx(once.squared, abs=1e-12)
    wide = reliability_curve(xs, ys, clusters=group)
    naive = reliability_curve(xs, ys)
    assert np.mean(wide.high - wide.low) > 1.5 * np.mean(naive.high - naive.low)
    assert brier_score(xs, ys, clusters=group).n_clusters == 200


def test_debiased_square_is_the_mean_over_pairs() -> None:
    x, y = np.array([0.55, 0.58, 0.52, 0.95, 0.97]), np.array([1.0, 0, 1, 1, 0])
    residual = y - x
    by_bin = []
    for rows in ([0, 1, 2], [3, 4]):
        r = residual[rows]
        pairs = np.outer(r, r)[~np.eye(len(rows), dtype=bool)]
        by_bin.append(pairs.mean())
    found = expected_calibration_error(x, y)
    assert found.squared == pytest.approx((3 * by_bin[0] + 2 * by_bin[1]) / 5, abs=1e-12)
    assert expected_calibration_error([0.55, 0.95], [1, 1]).squared is None


def test_no_label_is_answered_in_words() -> None:
    for found in (
        brier_score([], []),
        expected_calibration_error([], []),
        maximum_calibration_error([np.nan], [1]),
    ):
        assert found.value is None
        assert found.reason == "there is no labelled verdict"
    assert brier_score([], []).skill is None
    assert brier_score([0.9, 0.8], [1, 1]).skill is None
    assert reliability_curve([], []).n.size == 0


# Truths: `shifted` is overconfident by a constant `over`, which is its ECE and MCE in any bins;
# `waves` by +-`over` in alternate bins of width .1, so that its signed errors cancel.
def shifted(rng: np.random.Generator, n: int, over: float) -> tuple[Floats, NDArray[np.bool_]]:
    x = 0.5 + 0.5 * rng.beta(2, 1, n)
    return x, rng.random(n) < x - over


def waves(rng: np.random.Generator, n: int, over: float) -> tuple[Floats, NDArray[np.bool_]]:
    x = rng.uniform(0.2, 0.8, n)
    sign = np.where(np.ceil(x * 10) % 2 == 0, 1.0, -1.0)
    return x, rng.random(n) < x - over * sign


def tied(rng: np.random.Generator, n: int, over: float) -> tuple[Floats, NDArray[np.bool_]]:
    x = rng.choice([0.6, 0.8, 1.0], n, p=[0.2, 0.3, 0.5])
    return x, rng.random(n) < x - over


LAWS = {"shifted": shifted, "waves": waves, "tied": tied}


def held(law: str, over: float, n: int, draws: int, each: int = 1) -> Floats:
    """Share of draws in which ECE, MCE, every interval and the whole band hold the truth."""
    counts = np.zeros(4)
    for seed in range(draws):
        x, y = LAWS[law](np.random.default_rng(seed), n, over)
        group = None if each == 1 else np.tile(np.arange(n), each)
        x, y = np.tile(x, each), np.tile(y, each)
        ece = expected_calibration_error(x, y, clusters=group)
        mce = maximum_calibration_error(x, y, clusters=group)
        curve = reliability_curve(x, y, clusters=group)
        truth = curve.confidence - over
        if law == "waves":
            truth = curve.confidence - over * np.where(np.round(curve.right * 10) % 2, -1.0, 1.0)
        inside = (curve.low <= truth) & (truth <= curve.high)
        band = (curve.band_low <= truth) & (truth <= curve.band_high)
        assert ece.low is not None
        assert ece.high is not None
        assert mce.low is not None
        assert mce.high is not None
        slack = 1e-9
        holds = [
            ece.low - slack <= over <= ece.high + slack,
            mce.low - slack <= over <= mce.high + slack,
            inside.mean(),
            band.all(),
        ]
        counts += np.array(holds, dtype=float)
    return counts / draws


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("over", [0.0, 0.15])
def test_P_9_calibration_errors_and_bands_cover_fast(law: str, over: float) -> None:
    assert (held(law, over, 100, 120) >= 0.95 - 3 * np.sqrt(0.0475 / 120)).all()


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("over", [0.0, 0.03, 0.15])
@pytest.mark.parametrize("n", [30, 100, 400])
def test_P_9_calibration_errors_and_bands_cover(law: str, over: float, n: int) -> None:
    assert (held(law, over, n, 1500) >= 0.95 - 3 * np.sqrt(0.0475 / 1500)).all()


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("over", [0.0, 0.15])
def test_P_9_calibration_errors_of_clusters_cover(law: str, over: float) -> None:
    assert (held(law, over, 200, 400, each=3)[:2] >= 0.95 - 3 * np.sqrt(0.0475 / 400)).all()


def test_by_chance_is_what_perfect_calibration_shows() -> None:
    rng = np.random.default_rng(5)
    x = 0.5 + 0.5 * rng.beta(2, 1, 200)
    seen = [expected_calibration_error(x, rng.random(200) < x) for _ in range(300)]
    told = seen[0].by_chance
    assert told == pytest.approx(np.mean([found.value for found in seen]), rel=0.06)
    squares = [found.squared for found in seen]
    assert abs(np.mean(squares)) <= 3 * np.std(squares) / np.sqrt(300)  # type: ignore[arg-type]


def test_debiased_square_is_unbiased_where_confidence_is_off() -> None:
    found = []
    for seed in range(400):
        x, y = tied(np.random.default_rng(seed), 60, 0.15)
        found.append(expected_calibration_error(x, y).squared)
    squares = np.array(found, dtype=float)
    assert abs(squares.mean() - 0.15**2) <= 3 * squares.std() / 20
