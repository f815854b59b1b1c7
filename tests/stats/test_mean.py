from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from panopt.stats.binomial import wilson
from panopt.stats.mean import mean_interval

Floats = NDArray[np.float64]
Rng = np.random.Generator

#: How scores of a system are spread; the mean of each is known in closed form.
SPREADS: dict[str, tuple[Callable[[Rng, int], Floats], float]] = {
    "uniform": (lambda rng, n: rng.random(n), 0.5),
    "skewed": (lambda rng, n: rng.beta(0.5, 2.0, n), 0.2),
    "ceiling": (lambda rng, n: np.where(rng.random(n) < 0.7, 1.0, rng.random(n)), 0.85),
    "Likert": (lambda rng, n: rng.choice(5, n, p=[0.05, 0.05, 0.1, 0.3, 0.5]) / 4.0, 0.7875),
    "binary": (lambda rng, n: (rng.random(n) < 0.9).astype(np.float64), 0.9),
    "three votes": (lambda rng, n: rng.binomial(3, rng.beta(4.0, 1.0, n)) / 3.0, 0.8),
}


def covered(spread: str, n: int, draws: int) -> float:
    make, truth = SPREADS[spread]
    hits = 0
    for seed in range(draws):
        result = mean_interval(make(np.random.default_rng(seed), n))
        assert result.low is not None
        assert result.high is not None
        hits += result.low <= truth <= result.high
    return hits / draws


@pytest.mark.parametrize("n", [20, 100, 1000])
@pytest.mark.parametrize("spread", SPREADS)
def test_interval_covers_at_its_level(spread: str, n: int) -> None:
    draws = 300
    floor = 0.93 if n == 20 else 0.94  # skewed scores of 20 items: .93 in 4000 draws
    assert covered(spread, n, draws) >= floor - 3 * np.sqrt(0.95 * 0.05 / draws)


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 100, 1000])
@pytest.mark.parametrize("spread", SPREADS)
def test_interval_covers_at_its_level_in_many_draws(spread: str, n: int) -> None:
    draws = 4000
    floor = 0.93 if n == 20 else 0.94
    assert floor - 3 * np.sqrt(0.95 * 0.05 / draws) <= covered(spread, n, draws) <= 0.99


@pytest.mark.parametrize(("items", "epochs"), [(15, 4), (40, 3)])
def test_clustered_interval_covers_where_the_plain_one_does_not(items: int, epochs: int) -> None:
    # Pass rates of items are Beta(1, 1): epochs of one item are alike (truth .5).
    draws, hits, naive = 400, 0, 0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        rate = np.repeat(rng.random(items), epochs)
        x = (rng.random(items * epochs) < rate).astype(np.float64)
        key = np.repeat(np.arange(items), epochs)
        robust, plain = mean_interval(x, clusters=key), mean_interval(x)
        assert robust.low is not None
        assert robust.high is not None
        assert plain.low is not None
        assert plain.high is not None
        hits += robust.low <= 0.5 <= robust.high
        naive += plain.low <= 0.5 <= plain.high
    assert hits / draws >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / draws)
    assert naive / draws < 0.92


@pytest.mark.parametrize(
    ("clusters", "alike", "least"), [(20, 0.6, 0.90), (20, 0.3, 0.93), (50, 0.6, 0.91)]
)
def test_interval_of_unequal_clusters_covers(clusters: int, alike: float, least: float) -> None:
    # Three clusters of one score to one of ten; pass rates are Beta with mean .8. With the factor
    # G / (G - 1) and G - 1 degrees of freedom .86, .91 and .91 in 2000 draws.
    draws, hits = 1000, 0
    first, second = 0.8 * (1 - alike) / alike, 0.2 * (1 - alike) / alike
    rng = np.random.default_rng(0)
    for _ in range(draws):
        size = rng.choice([1, 1, 1, 10], clusters)
        key = np.repeat(np.arange(clusters), size)
        x = (rng.random(key.size) < rng.beta(first, second, clusters)[key]).astype(np.float64)
        result = mean_interval(x, clusters=key)
        assert result.low is not None
        assert result.high is not None
        hits += result.low <= 0.8 <= result.high
    assert hits / draws >= least - 3 * np.sqrt(0.95 * 0.05 / draws)


def test_standard_error_is_statsmodels_cluster_robust_one() -> None:
    rng = np.random.default_rng(0)
    key = np.repeat(np.arange(25), 5)
    x = rng.normal(size=25)[key] + rng.normal(size=125)
    result = mean_interval(x, clusters=key)
    # Its small-sample factor is G/(G-1) (n-1)/(n-k), and k = 1 here.
    fit = sm.OLS(x, np.ones(125)).fit(cov_type="cluster", cov_kwds={"groups": key}, use_t=True)
    assert result.se == pytest.approx(float(fit.bse[0]))
    assert result.method == "t, 24 df"
    assert (result.low, result.high) == pytest.approx(tuple(fit.conf_int()[0]))


def test_standard_error_is_the_jackknife_over_clusters() -> None:
    rng = np.random.default_rng(0)
    key = rng.integers(0, 12, 60)
    x = rng.normal(size=12)[key] + rng.normal(size=60)
    # Leaving a cluster out moves the mean by r / (n - m); CR3 centres these on the full mean.
    left = np.array([x[key != k].mean() for k in range(12)])
    se = np.sqrt(11 / 12 * np.sum((left - x.mean()) ** 2))
    result = mean_interval(x, clusters=key)
    assert result.se == pytest.approx(se)
    units = 60**2 / np.sum(np.bincount(key) ** 2)
    assert result.method == f"t, {units - 1:.4g} df"


def test_every_score_its_own_cluster_is_the_textbook_standard_error() -> None:
    x = np.random.default_rng(1).normal(2.0, 1.0, 30)
    assert mean_interval(x).se == pytest.approx(x.std(ddof=1) / np.sqrt(30))


def test_binary_scores_get_wilson_s_interval() -> None:
    low, high = wilson(18, 20)
    result = mean_interval(np.r_[np.ones(18), np.zeros(2)])
    assert (result.low, result.high) == (float(low), float(high))
    assert result.method == "Wilson"


@settings(deadline=None)
@given(
    hnp.arrays(np.float64, st.integers(2, 40), elements=st.floats(0, 1)),
    st.integers(1, 4),
)
def test_interval_of_scores_on_the_unit_scale_stays_there(x: Floats, size: int) -> None:
    result = mean_interval(x, clusters=np.arange(len(x)) // size)
    if result.low is None or result.high is None:
        assert result.reason
        return
    assert 0.0 <= result.low <= result.high <= 1.0
    assert result.low - 1e-9 <= float(x.mean()) <= result.high + 1e-9


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_copies_of_every_item_in_its_cluster_change_nothing(seed: int) -> None:
    x = np.random.default_rng(seed).random(12)
    once = mean_interval(x, clusters=np.arange(12))
    thrice = mean_interval(np.repeat(x, 3), clusters=np.repeat(np.arange(12), 3))
    assert (once.value, once.low, once.high) == pytest.approx(
        (thrice.value, thrice.low, thrice.high)
    )
    assert once.n_clusters == thrice.n_clusters


def test_an_error_shared_by_all_scores_widens_the_interval_and_is_said() -> None:
    x = np.random.default_rng(0).random(2000)
    alone, shared = mean_interval(x), mean_interval(x, shared_sd=0.05)
    assert alone.se is not None
    assert shared.se == pytest.approx(np.hypot(alone.se, 0.05))
    assert shared.low is not None
    assert alone.low is not None
    assert shared.low < alone.low - 0.05
    assert "shared by all scores of standard error 0.05" in shared.assumptions[1]
    assert "does not hold an error that all scores share" in alone.assumptions[1]


def test_equal_scores_are_not_certainty() -> None:
    result = mean_interval(np.full(10, 0.7))
    assert result.low is not None
    assert result.high is not None
    assert result.low < 0.6
    assert result.high > 0.8
    passes = mean_interval(np.ones(10), clusters=np.arange(10) // 2)
    assert passes.low is not None
    assert passes.low < 0.6
    assert passes.high == 1.0


def test_missing_intervals_have_reasons() -> None:
    nothing, one = mean_interval([]), mean_interval([0.4])
    assert nothing.value is None
    assert nothing.reason == "there is no score"
    assert one.value == 0.4
    assert one.low is None
    assert one.reason is not None
    assert "two are needed" in one.reason
    assert mean_interval([0.1, 0.9], clusters=["a", "a"]).n_clusters == 1
    assert mean_interval([3.0, 3.0]).reason == (
        "all scores are equal: their spread cannot be estimated"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"score": [np.nan, 1.0]}, "score must be finite"),
        ({"score": [[1.0]]}, "score must have one dimension, not 2"),
        ({"alpha": 1.0}, "alpha = 1.0 must lie strictly between"),
        ({"shared_sd": -1.0}, "shared_sd = -1.0 must be a finite number"),
        ({"clusters": [1]}, r"clusters must have the shape of score, \(2,\)"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    call: dict[str, object] = {"score": [0.1, 0.2], **arguments}
    with pytest.raises(ValueError, match=message):
        mean_interval(**call)  # type: ignore[arg-type]
