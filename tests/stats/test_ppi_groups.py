from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from panopt.stats.ppi import PpiEstimate, ppi_mean
from panopt.stats.ppi_crossfit import ppi_calibrated
from panopt.stats.ppi_groups import ppi_difference, ppi_stratified

Floats = NDArray[np.float64]


def holds(found: PpiEstimate, truth: float) -> bool:
    assert found.low is not None
    assert found.high is not None
    return found.low <= truth <= found.high


def systems(
    rng: np.random.Generator, n: int, *, binary: bool
) -> tuple[tuple[Floats, Floats, Floats], tuple[Floats, Floats, Floats]]:
    """Two systems on the same items, of means .8 and .7, and a judge; 800 further items."""
    size = n + 800
    ease = rng.random(size)
    found = []
    for mean in (0.8, 0.7):
        if binary:
            own = np.where(rng.random(size) < 0.5, ease, rng.random(size))
            truth = (own < mean).astype(float)
            judge = np.where(rng.random(size) < 0.85, truth, 1 - truth)
        else:
            truth = np.clip(mean + 0.2 * (ease - 0.5) + rng.uniform(-0.1, 0.1, size), 0, 1)
            judge = truth + 0.1 * rng.normal(size=size)
        found.append((truth[:n], judge[:n], judge[n:]))
    return found[0], found[1]


@pytest.mark.parametrize("n", [20, 50, 200])
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("paired", [True, False])
def test_differences_hold_the_truth(n: int, *, binary: bool, paired: bool) -> None:
    """Means are .8 and .7 whether labels are binary or graded (uniform noise, never cut)."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(300):
        one, two = systems(rng, n, binary=binary)
        if not paired:
            two = systems(rng, n, binary=binary)[1]
        held += holds(ppi_difference(*one, *two, paired=paired), 0.1)
    assert held / 300 >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300)


def test_pairs_tell_more_than_systems_apart() -> None:
    one, two = systems(np.random.default_rng(0), 200, binary=False)
    pairs, apart = ppi_difference(*one, *two), ppi_difference(*one, *two, paired=False)
    assert pairs.value == pytest.approx(apart.value, abs=0.02)
    assert pairs.se < apart.se  # type: ignore[operator]
    assert (pairs.n, apart.n) == (200, 400)
    assert pairs.method.startswith("PPI, least-squares lambda, jackknife; Wilson")


def test_a_difference_without_a_judge_is_that_of_the_means() -> None:
    one, two = systems(np.random.default_rng(0), 60, binary=False)
    found = ppi_difference(*one, *two, lam=0.0)
    assert found.value == pytest.approx(one[0].mean() - two[0].mean())
    se = np.std(one[0] - two[0]) / np.sqrt(60)
    assert found.high == pytest.approx(found.value + 1.959964 * se)


def test_a_system_differs_from_itself_by_nothing() -> None:
    one, _ = systems(np.random.default_rng(0), 60, binary=True)
    found = ppi_difference(*one, *one)
    assert found.value == 0
    assert found.low < 0 < found.high  # type: ignore[operator]
    assert "few pairs differ" in found.method


def test_pairs_in_clusters_widen_the_interval() -> None:
    one, two = systems(np.random.default_rng(0), 60, binary=False)
    tripled = [[np.repeat(part, 3) for part in system] for system in (one, two)]
    keys: dict[str, Any] = {
        "clusters": np.repeat(np.arange(60), 3),
        "clusters_unlabeled": np.repeat(np.arange(60, 860), 3),
    }
    once, thrice = ppi_difference(*one, *two), ppi_difference(*tripled[0], *tripled[1], **keys)
    ends = (once.value, once.low, once.high)
    assert (thrice.value, thrice.low, thrice.high) == pytest.approx(ends, rel=1e-6)
    assert (thrice.n, thrice.n_clusters) == (180, 60)


def test_unbounded_scores_differ_without_bounds() -> None:
    rng = np.random.default_rng(0)
    one = [rng.normal(5, 1, size) for size in (30, 30, 300)]
    two = [rng.normal(2, 1, size) for size in (30, 30, 300)]
    two[1], two[2] = two[0] + two[1], two[2] * 2
    found = ppi_difference(*one, *two)
    assert holds(found, 3)
    assert "; t, " in found.method


def test_strata_labelled_at_different_rates_are_weighed_as_they_are() -> None:
    """Easy responses (mean .9) and hard ones (.5), half and half: .7; hard ones labelled more."""
    rng = np.random.default_rng(0)
    held = plain = 0
    for _ in range(300):
        group = rng.random(1200) < 0.5
        truth = rng.random(1200) < np.where(group, 0.9, 0.5)
        judge = np.where(rng.random(1200) < 0.6, truth, rng.random(1200) < 0.5) * 1.0
        has = rng.random(1200) < np.where(group, 0.03, 0.12)
        parts = truth[has], judge[has], judge[~has]
        options: dict[str, Any] = {"strata": group[has], "strata_unlabeled": group[~has]}
        held += holds(ppi_stratified(*parts, **options), 0.7)
        plain += holds(ppi_mean(*parts), 0.7)
    assert held / 300 >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300)
    assert plain / 300 < 0.85


@pytest.mark.parametrize(("strata", "size", "share"), [(30, 2, 0.8), (10, 5, 0.9), (4, 25, 0.9)])
def test_many_small_strata_hold_the_truth(strata: int, size: int, share: float) -> None:
    """Strata that are alike and a judge that guesses: skew of parts is none of their sum."""
    rng, held, runs = np.random.default_rng(5), 0, 120
    own, others = np.repeat(np.arange(strata), size), np.repeat(np.arange(strata), 50)
    for _ in range(runs):
        y = (rng.random(own.size) < share) * 1.0
        judge = rng.integers(0, 2, own.size + others.size)
        parts = y, judge[: own.size], judge[own.size :]
        held += holds(ppi_stratified(*parts, strata=own, strata_unlabeled=others), share)
    assert held / runs >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs)


def test_strata_off_the_unit_interval_have_no_bounds() -> None:
    rng = np.random.default_rng(0)
    y, pool, names = 5 * rng.normal(size=40), rng.normal(size=90), np.repeat(["a", "b"], [20, 20])
    found = ppi_stratified(y, y, pool, strata=names, strata_unlabeled=np.resize(names, 90))
    assert found.low is not None
    assert found.low < 0
    assert "MOVER" in found.method


def test_one_stratum_is_no_stratum() -> None:
    rng = np.random.default_rng(0)
    y, pool = rng.random(40), rng.random(400)
    f = y + 0.1 * rng.normal(size=40)
    found = ppi_stratified(y, f, pool, strata=["a"] * 40, strata_unlabeled=["a"] * 400)
    plain = ppi_mean(y, f, pool)
    ends = (plain.value, plain.low, plain.high, plain.lam)
    assert (found.value, found.low, found.high, found.lam) == pytest.approx(ends)


def test_strata_without_labels_have_reasons() -> None:
    y, pool = np.array([0.1, 0.5, 0.9, 0.2]), np.linspace(0, 1, 10)
    names = ["a"] * 5 + ["b"] * 5
    none = ppi_stratified(y, y, pool, strata=["a"] * 4, strata_unlabeled=names)
    assert (none.value, none.reason) == (None, "stratum 'b' has no label")
    one = ppi_stratified(y, y, pool, strata=["a"] * 3 + ["b"], strata_unlabeled=names)
    assert one.value is not None
    assert one.low is None
    why = "stratum 'b': one labelled cluster gives no standard error: two are needed"
    assert one.reason == why


def test_a_calibrated_judge_helps_where_its_scale_bends() -> None:
    """Humans' mean is 1/2; the judge says the eighth power, noisily."""
    rng = np.random.default_rng(0)
    held, gains = 0, []
    for _ in range(150):
        truth = rng.random(1200)
        judge = np.clip(truth + 0.1 * rng.normal(size=1200), 0, 1.2) ** 8
        parts = truth[:100], judge[:100], judge[100:]
        found, plain = ppi_calibrated(*parts, rng=rng), ppi_mean(*parts)
        held += holds(found, 0.5)
        gains.append(plain.se / found.se)  # type: ignore[operator]
    assert abs(held / 150 - 0.95) <= 3 * np.sqrt(0.95 * 0.05 / 150)
    assert np.mean(gains) > 1.3


def test_calibration_keeps_clusters_in_one_fold() -> None:
    rng = np.random.default_rng(0)
    y, judge = np.repeat(rng.random(50), 2), np.repeat(rng.random(50), 2)
    keys: dict[str, Any] = {
        "clusters": np.repeat(np.arange(50), 2),
        "clusters_unlabeled": np.arange(50, 550),
    }
    found = ppi_calibrated(y, judge, rng.random(500), rng=rng, **keys)
    assert found.n_clusters == 50
    assert found.lam == pytest.approx(0, abs=0.5)  # humans and judge have nothing in common


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"y_b": [1.0]}, "y_a and y_b must have one entry a pair, not 4 and 1; .* paired=False"),
        ({"yhat_unlabeled_b": [1.0]}, "yhat_unlabeled_a and yhat_unlabeled_b must have one entry"),
        ({"y_a": [np.nan] * 4}, "y_a must be finite"),
        ({"paired": False, "clusters": [1] * 4}, "clusters are of pairs: they need paired=True"),
        ({"alpha": 0.0}, "alpha = 0.0 must lie strictly between 0 and 1"),
    ],
)
def test_wrong_differences_are_refused(change: dict[str, Any], match: str) -> None:
    given: dict[str, Any] = {}
    for system in "ab":
        given |= {f"y_{system}": [0, 1, 1, 0], f"yhat_{system}": [0, 1, 0, 0]}
        given |= {f"yhat_unlabeled_{system}": [1, 1, 0]}
    with pytest.raises(ValueError, match=match):
        ppi_difference(**(given | change))


def test_wrong_strata_and_folds_are_refused() -> None:
    y = np.array([0.0, 1.0, 1.0])
    with pytest.raises(ValueError, match=r"strata must have the shape \(3,\), not \(1,\)"):
        ppi_stratified(y, y, y, strata=["a"], strata_unlabeled=["a"] * 3)
    with pytest.raises(ValueError, match=r"strata_unlabeled must have the shape \(3,\)"):
        ppi_stratified(y, y, y, strata=["a"] * 3, strata_unlabeled=["a"])
    with pytest.raises(ValueError, match="folds = 1 must be at least 2"):
        ppi_calibrated(y, y, y, rng=np.random.default_rng(0), folds=1)
