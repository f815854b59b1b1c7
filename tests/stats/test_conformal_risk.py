"""Risk control, bounds by betting, and selection with few false picks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from panopt.plugins.conformal import (
    conformal_risk_control,
    conformal_selection,
    loss_upper,
    risk_controlling_setting,
    split_threshold,
)
from panopt.stats.binomial import risk_upper
from panopt.stats.conformal_betting import refuted_means

Floats = NDArray[np.float64]
GRID = np.linspace(0.0, 3.0, 61)


@given(st.integers(9, 200), st.sampled_from([0.1, 0.2, 0.3, 0.5]))
def test_risk_of_missing_is_split_conformal(n: int, alpha: float) -> None:
    r = np.random.default_rng(n).random(n)
    settings = np.append(np.sort(r), 2.0)
    losses = (r[:, None] > settings).astype(float)
    found = conformal_risk_control(losses, settings, alpha=alpha)
    assert found.value == split_threshold(r, alpha=alpha).value
    assert found.feasible


def shortfall(distance: Floats) -> Floats:
    """How far a score lies outside an interval, at most 1."""
    return np.minimum(np.maximum(distance[:, None] - GRID, 0.0), 1.0)


def test_expected_loss_of_a_new_response_is_controlled() -> None:
    rng, draws, alpha = np.random.default_rng(0), 1500, 0.1
    lost = np.empty(draws)
    for i in range(draws):
        distance = np.abs(rng.normal(size=41))
        found = conformal_risk_control(shortfall(distance[:40]), GRID, alpha=alpha)
        lost[i] = shortfall(distance[40:])[0, found.index]
    error = 3 * lost.std() / np.sqrt(draws)
    assert alpha - 0.03 - error <= lost.mean() <= alpha + error


def test_too_few_labels_control_no_loss_and_say_how_many_would() -> None:
    for n, feasible in ((8, False), (9, True)):
        found = conformal_risk_control(np.zeros((n, 2)), [0.0, 1.0], alpha=0.1)
        assert (found.feasible, found.labels_needed) == (feasible, 9)
    few = conformal_risk_control(np.zeros((0, 2)), [0.0, 1.0], alpha=0.1)
    assert (few.value, few.risk) == (1.0, None)
    assert few.reason == "0 labels control no loss at alpha = 0.1: 9 are needed"
    bad = conformal_risk_control(np.ones((50, 2)), [0.0, 1.0], alpha=0.1)
    assert bad.reason == "even the most careful setting loses more than alpha = 0.1"
    large = conformal_risk_control(np.zeros((50, 1)), [0.0], alpha=0.1, bound=5.0)
    assert large.labels_needed == 49


def test_setting_with_delta_fails_no_more_often_than_delta() -> None:
    rng, draws, fails = np.random.default_rng(1), 400, 0
    truth = shortfall(np.abs(rng.normal(size=200_000))).mean(axis=0)
    chosen = []
    for _ in range(draws):
        found = risk_controlling_setting(
            shortfall(np.abs(rng.normal(size=150))), GRID, alpha=0.15, delta=0.1, rng=rng
        )
        assert found.feasible
        chosen.append(found.value)
        fails += truth[found.index] > 0.15
    assert fails / draws <= 0.1 + 3 * np.sqrt(0.09 / draws)
    assert np.mean(chosen) < 1.5, "it must not buy safety with the whole scale"


def test_losses_of_nothing_and_all_take_the_exact_binomial() -> None:
    losses = np.zeros((22, 1), dtype=bool)
    assert risk_controlling_setting(losses, [1.0], alpha=0.1, delta=0.1).feasible
    few = risk_controlling_setting(losses[:21], [1.0], alpha=0.1, delta=0.1)
    assert (few.feasible, few.labels_needed) == (False, 22)
    assert few.reason == "21 labels control no loss at alpha = 0.1: 22 are needed"
    betting = risk_controlling_setting(losses.astype(float), [1.0], alpha=0.1, delta=0.1)
    assert not betting.feasible
    assert betting.labels_needed > 22
    enough = np.zeros((betting.labels_needed, 1))
    assert risk_controlling_setting(enough, [1.0], alpha=0.1, delta=0.1).feasible
    assert not risk_controlling_setting(enough[1:], [1.0], alpha=0.1, delta=0.1).feasible


@pytest.mark.parametrize(
    ("losses", "settings", "alpha", "message"),
    [
        ([[0.0, 0.5]], [0, 1], 0.1, "losses of label 0 rise from setting 0 to 1"),
        ([[0.0, np.nan]], [0, 1], 0.1, "losses must not be NaN"),
        ([[2.0, 0.0]], [0, 1], 0.1, r"they must lie in 0\.\.1"),
        ([[0.5, 0.0]], [0], 0.1, "a column for each of 1 settings"),
        ([[0.5, 0.0]], [0, 1], 1.0, r"alpha = 1\.0 must lie strictly"),
    ],
)
def test_bad_losses_are_named(losses: object, settings: object, alpha: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        conformal_risk_control(losses, settings, alpha=alpha)  # type: ignore[arg-type]


# --- upper bounds


def wealth(x: Floats, share: float, delta: float) -> float:
    """Largest wealth of Bates et al. 2021, section 3.1.3, one bet after the other."""
    n, largest, now = len(x), 0.0, 1.0
    total, squares = 0.5, 0.25
    for i in range(n):
        stake = min(1.0, np.sqrt(2 * np.log(1 / delta) / (n * squares / (i + 1))))
        now *= 1 - stake * (x[i] - share)
        largest = max(largest, now)
        total += x[i]
        squares += (x[i] - total / (i + 2)) ** 2
    return largest


@given(st.integers(0, 1000), st.integers(1, 80), st.sampled_from([0.05, 0.1, 0.3]))
def test_betting_bound_is_where_wealth_reaches_its_goal(seed: int, n: int, delta: float) -> None:
    x = np.random.default_rng(seed).beta(0.5, 2.0, n)
    found = loss_upper(x, delta=delta)
    assert found.method == "betting"
    if found.value == 1.0:
        assert wealth(x, 1.0, delta) <= 1 / delta
        assert found.reason is not None
        return
    assert wealth(x, found.value + 1e-9, delta) > 1 / delta
    assert wealth(x, found.value - 1e-6, delta) <= 1 / delta


@pytest.mark.parametrize(("a", "b"), [(0.3, 3.0), (5.0, 45.0), (2.0, 2.0)])
def test_betting_bound_holds_and_beats_hoeffding(a: float, b: float) -> None:
    rng, draws, delta = np.random.default_rng(2), 1000, 0.1
    bounds = np.array([loss_upper(rng.beta(a, b, 100), delta=delta).value for _ in range(draws)])
    assert np.mean(bounds < a / (a + b)) <= delta + 3 * np.sqrt(delta * (1 - delta) / draws)
    column = np.column_stack([rng.beta(a, b, 100) for _ in range(20)])
    for share in (0.3, 0.6):
        wanted = [loss_upper(x, delta=delta).value < share for x in column.T]
        assert refuted_means(column, share, delta).tolist() == wanted
    hoeffding = a / (a + b) + np.sqrt(np.log(10) / 200)
    assert bounds.mean() < hoeffding


def test_bound_scales_with_the_largest_loss() -> None:
    x = np.random.default_rng(0).random(50)
    assert loss_upper(5 * x, bound=5.0).value == pytest.approx(5 * loss_upper(x).value)
    exact = loss_upper([False, True] * 20, delta=0.05)
    assert (exact.method, exact.value) == ("binomial", float(risk_upper(20, 40, 0.05)))
    assert loss_upper([]).value == 1.0
    assert loss_upper([]).mean is None
    for losses, message in (([1.5], r"must lie in 0\.\.1"), ([np.nan], "must not be NaN")):
        with pytest.raises(ValueError, match=message):
            loss_upper(losses)
    with pytest.raises(ValueError, match="binomial takes only these two"):
        loss_upper([0.5], method="binomial")
    with pytest.raises(ValueError, match="delta = 0 must"):
        loss_upper([0.1], delta=0)
    with pytest.raises(ValueError, match="method = 'x'"):
        loss_upper([0.1], method="x")  # type: ignore[arg-type]


# --- selection


@pytest.mark.parametrize("signal", [0.0, 1.0, 3.0])
def test_false_picks_are_as_few_as_promised(signal: float) -> None:
    rng, draws, fdr = np.random.default_rng(3), 500, 0.2
    false, found_share = np.empty(draws), np.empty(draws)
    for i in range(draws):
        human = rng.normal(size=350)
        prediction = np.round(signal * human + rng.normal(size=350), 1)  # ties
        found = conformal_selection(
            prediction[:200], human[:200], prediction[200:], above=0.5, fdr=fdr
        )
        good = human[200:] > 0.5
        false[i] = np.sum(found.selected & ~good) / max(found.n_selected, 1)
        found_share[i] = np.sum(found.selected & good) / good.sum()
    assert false.mean() <= fdr + 3 * false.std() / np.sqrt(draws)
    if signal == 3.0:
        assert found_share.mean() > 0.7


def test_selection_is_benjamini_hochberg_on_its_p_values() -> None:
    from statsmodels.stats.multitest import multipletests  # noqa: PLC0415 - slow to import

    rng = np.random.default_rng(0)
    human = rng.normal(size=300)
    prediction = human + rng.normal(0, 0.5, 300)
    found = conformal_selection(prediction[:150], human[:150], prediction[150:], above=0.0)
    assert found.selected.tolist() == multipletests(found.p_value, 0.1, "fdr_bh")[0].tolist()
    assert 0 < found.n_selected < 150


def test_selection_without_labels_enough_picks_none_and_says_why() -> None:
    few = conformal_selection([0.1] * 8, [0.0] * 8, [0.9, np.nan], above=0.5)
    assert not few.selected.any()
    assert few.reason == "8 labels allow no pick at a false discovery rate of 0.1: 9 are needed"
    assert np.isnan(few.p_value[1])
    enough = conformal_selection([0.1] * 9, [0.0] * 9, [0.9], above=0.5)
    assert enough.selected.tolist() == [True]
    none = conformal_selection(np.arange(50.0), np.zeros(50), [3.0], above=0.5)
    assert none.reason is not None
    assert "stands out" in none.reason
    with pytest.raises(ValueError, match="fdr = 0"):
        conformal_selection([0.1], [0.1], [0.1], above=0.5, fdr=0)
    with pytest.raises(ValueError, match="above must be one number"):
        conformal_selection([0.1], [0.1], [0.1], above=[0.1, 0.2])
