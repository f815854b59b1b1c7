"""Fleiss' kappa, AC1 and AC2: peers, definitions, coverage, what has no answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from statsmodels.stats import inter_rater

from panopt.plugins.reliability import (
    CategoryWeights,
    fleiss_kappa,
    gwet_ac,
    gwet_ac1,
    percent_agreement,
    raw_agreement,
)

NAN = np.nan
WEIGHTS: tuple[CategoryWeights | None, ...] = (None, "linear", "quadratic", "ordinal")


def defined(value: float | None) -> float:
    assert value is not None
    return value


def _panel() -> tuple[np.ndarray, np.ndarray]:
    """Draw four raters on 1-5 of 40 units; then with a fifth of the ratings missing."""
    rng = np.random.default_rng(3)
    ratings = rng.integers(1, 6, (40, 4)) * 1.0
    ratings[:, 1] = np.where(rng.random(40) < 0.6, ratings[:, 0], ratings[:, 1])
    ratings[:, 2] = np.clip(ratings[:, 0] + rng.integers(-1, 2, 40), 1, 5)
    holes = ratings.copy()
    holes[rng.random(ratings.shape) < 0.2] = NAN
    return ratings, holes


# irrCAC 0.4.4 (Python): irrCAC.raw.CAC(pandas.DataFrame(ratings), weights=weights).gwet()["est"],
# weights "identity", "linear", "quadratic", "ordinal": coefficient_value and se.
IRRCAC = {
    "whole": [(0.20895, 0.05024), (0.27942, 0.06393), (0.31889, 0.09462), (0.30765, 0.08488)],
    "holes": [(0.18862, 0.06039), (0.25801, 0.07760), (0.29349, 0.11286), (0.28338, 0.10187)],
}


@pytest.mark.parametrize("which", ["whole", "holes"])
def test_gwet_equals_irrcac(which: str) -> None:
    ratings = dict(zip(("whole", "holes"), _panel(), strict=True))[which]
    for weights, (value, se) in zip(WEIGHTS, IRRCAC[which], strict=True):
        found = gwet_ac(ratings, weights=weights)
        assert defined(found.value) == pytest.approx(value, abs=6e-6)
        assert defined(found.se) == pytest.approx(se, abs=6e-6)
        assert found.level == (weights or "nominal")
    assert gwet_ac(ratings) == gwet_ac1(ratings)


def test_fleiss_equals_irrcac_with_missing_ratings() -> None:
    # irrCAC: .fleiss()["est"] of the same ratings.
    for ratings, value, se in zip(_panel(), (0.20585, 0.18569), (0.04997, 0.06030), strict=True):
        found = fleiss_kappa(ratings)
        assert defined(found.value) == pytest.approx(value, abs=6e-6)
        assert defined(found.se) == pytest.approx(se, abs=6e-6)


@given(
    hnp.arrays(
        np.float64,
        st.tuples(st.integers(2, 12), st.integers(2, 6)),
        elements=st.sampled_from([0.0, 1.0, 2.5, 7.0]),
    )
)
def test_fleiss_equals_statsmodels(ratings: np.ndarray) -> None:
    found = fleiss_kappa(ratings)
    if np.unique(ratings).size < 2:
        assert found.reason == f"no variation: all {ratings.size} ratings are equal"
        return
    table, _ = inter_rater.aggregate_raters(ratings)
    assert defined(found.value) == pytest.approx(inter_rater.fleiss_kappa(table), abs=1e-8)


def _gap(weights: str | None, levels: np.ndarray) -> np.ndarray:
    place = np.arange(levels.size) if weights == "ordinal" else levels
    apart: np.ndarray = np.abs(place[:, None] - place)
    if weights is None:
        return (apart > 0) * 1.0
    power = {"linear": apart, "quadratic": apart**2, "ordinal": apart * (apart + 1)}[weights]
    return np.asarray(power / power.max())


@given(
    hnp.arrays(
        np.float64,
        st.tuples(st.integers(3, 10), st.integers(2, 5)),
        elements=st.sampled_from([1.0, 2.0, 4.0, 5.0, NAN]),
    ),
    st.sampled_from(WEIGHTS),
)
def test_gwet_equals_its_definition(ratings: np.ndarray, weights: CategoryWeights | None) -> None:
    """Gwet 2014: observed over units with two ratings, prevalence over units with one."""
    levels = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    weight = 1 - _gap(weights, levels)
    rated = [row[~np.isnan(row)] for row in ratings]
    shared = [row for row in rated if row.size > 1]
    found = gwet_ac(ratings, weights=weights, levels=levels)
    if len(shared) < 2:
        assert found.value is None
        return
    observed = np.mean(
        [
            np.mean(
                [
                    weight[int(a) - 1, int(b) - 1]
                    for i, a in enumerate(row)
                    for j, b in enumerate(row)
                    if i != j
                ]
            )
            for row in shared
        ]
    )
    share = np.mean([[np.mean(row == level) for level in levels] for row in rated if row.size], 0)
    chance = weight.sum() * (share @ (1 - share)) / (5 * 4)
    assert found.value == pytest.approx((observed - chance) / (1 - chance), abs=1e-12)


def test_levels_on_offer_count_though_nobody_used_them() -> None:
    ratings = [[1, 1], [2, 2], [1, 2], [2, 2]]
    assert defined(gwet_ac(ratings, levels=[1, 2, 3]).value) == pytest.approx(
        defined(gwet_ac1(ratings, n_levels=3).value)
    )
    near, far = (
        gwet_ac(ratings, weights="linear", levels=levels) for levels in ([1, 2, 5], [1, 2])
    )
    assert defined(near.value) > defined(far.value)  # 1 and 2 are close on a scale to 5


@pytest.mark.parametrize("function", [fleiss_kappa, gwet_ac, percent_agreement])
def test_what_has_no_agreement_says_why(function: object) -> None:
    assert callable(function)
    one = "1 judge(s) gave ratings; agreement needs two"
    assert function(np.ones((5, 1))).reason == one
    assert function([[1, NAN], [0, NAN]]).reason == one
    missing = function(np.full((3, 2), NAN))
    assert missing.reason == "0 judge(s) gave ratings; agreement needs two"
    assert function(np.empty((0, 2))).value is None
    alone = "1 unit(s) have two or more ratings; agreement needs two"
    assert function([[1, 0], [0, NAN]]).reason == alone
    apart = "0 unit(s) have two or more ratings; agreement needs two"
    assert function([[1, NAN], [NAN, 0]]).reason == apart
    with pytest.raises(ValueError, match="ratings hold an infinity"):
        function([[1, np.inf], [0, 0]])
    with pytest.raises(ValueError, match="ratings has dtype <U1"):
        function([["a", "b"], ["a", "a"]])


def test_one_category_and_bad_levels_are_named() -> None:
    same = gwet_ac([[1, 1], [1, 1]], weights="linear")
    assert same.reason == "one category only; say which were on offer (levels)"
    assert gwet_ac([[1, 1], [1, 1]], weights="linear", levels=[1, 2]).value == 1.0
    with pytest.raises(ValueError, match=r"ratings hold 3, which is none of the levels"):
        gwet_ac([[1, 3], [1, 1]], levels=[1, 2])
    with pytest.raises(ValueError, match="levels hold NaN or an infinity"):
        gwet_ac([[1, 3], [1, 1]], levels=[1, 3, NAN])
    with pytest.raises(ValueError, match=r"weights = 'cubic' must be None, 'linear', 'quadratic'"):
        gwet_ac([[1, 3], [1, 1]], weights="cubic")  # type: ignore[arg-type]
    continuous = np.random.default_rng(0).normal(size=(2000, 2))
    with pytest.raises(ValueError, match=r"4000 categories; .* takes at most 1000"):
        gwet_ac(continuous, weights="quadratic")


def test_percent_agreement_is_the_share_of_equal_pairs() -> None:
    ratings, holes = _panel()
    assert percent_agreement(holes) == raw_agreement(holes)
    pairs = [(ratings[:, i] == ratings[:, j]).mean() for i in range(4) for j in range(i)]
    assert percent_agreement(ratings).value == pytest.approx(np.mean(pairs))


def test_copies_of_a_unit_in_one_cluster_add_no_certainty() -> None:
    ratings = _panel()[1]
    copies, clusters = np.tile(ratings, (4, 1)), np.tile(np.arange(40), 4)
    for once, grouped, naive in (
        (fleiss_kappa(ratings), fleiss_kappa(copies, clusters=clusters), fleiss_kappa(copies)),
        (
            gwet_ac(ratings, weights="linear"),
            gwet_ac(copies, weights="linear", clusters=clusters),
            gwet_ac(copies, weights="linear"),
        ),
    ):
        assert grouped.value == pytest.approx(defined(once.value))
        assert grouped.se == pytest.approx(defined(once.se))
        assert defined(naive.se) < 0.6 * defined(once.se)


# --- Coverage -----------------------------------------------------------------------------


def _truth(chances: np.ndarray, prevalence: np.ndarray) -> tuple[float, float]:
    """Population Fleiss kappa and quadratic AC2 of raters independent given the true level.

    `chances[t]` is the law of a rating where the truth is t. Two ratings agree (by weight) with
    mean sum_t p_t c_t' W c_t; a rating has the law m = sum_t p_t c_t.
    """
    law = prevalence @ chances
    q = law.size
    weight = 1 - _gap("quadratic", np.arange(q))

    def met(w: np.ndarray) -> float:
        return float(np.einsum("t,tk,kl,tl->", prevalence, chances, w, chances))

    same, near = met(np.eye(q)), met(weight)
    chance = weight.sum() * (law @ (1 - law)) / (q * (q - 1))
    return (same - law @ law) / (1 - law @ law), (near - chance) / (1 - chance)


def _draw(
    rng: np.random.Generator, chances: np.ndarray, prevalence: np.ndarray, items: int, each: int
) -> np.ndarray:
    """Draw three raters' levels of `each` responses an item, all of one true level."""
    truth = np.repeat(rng.choice(prevalence.size, items, p=prevalence), each)
    edges = chances[truth].cumsum(axis=1)
    ratings: np.ndarray = (rng.random((items * each, 3, 1)) > edges[:, None, :]).sum(axis=2) * 1.0
    return np.asarray(np.minimum(ratings, prevalence.size - 1))


def _coverage(draws: int, items: int, each: int) -> tuple[float, float]:
    chances = np.array([[0.7, 0.2, 0.08, 0.02], [0.15, 0.6, 0.2, 0.05], [0.02, 0.08, 0.3, 0.6]])
    chances = np.vstack((chances, [0.0, 0.05, 0.15, 0.8]))
    prevalence = np.array([0.2, 0.2, 0.2, 0.4])
    truth = _truth(chances, prevalence)
    hits, rng = np.zeros(2), np.random.default_rng([items, each])
    clusters = np.repeat(np.arange(items), each)
    for _ in range(draws):
        ratings = _draw(rng, chances, prevalence, items, each)
        found = (
            fleiss_kappa(ratings, alpha=0.1, clusters=clusters),
            gwet_ac(ratings, weights="quadratic", levels=range(4), alpha=0.1, clusters=clusters),
        )
        hits += [
            defined(result.low) <= value <= defined(result.high)
            for result, value in zip(found, truth, strict=True)
        ]
    return float(hits[0] / draws), float(hits[1] / draws)


@pytest.mark.parametrize(("items", "each"), [(60, 1), (40, 4)])
def test_ninety_percent_intervals_cover(items: int, each: int) -> None:
    draws = 300
    for share in _coverage(draws, items, each):
        assert abs(share - 0.9) <= 3 * np.sqrt(0.9 * 0.1 / draws)


@pytest.mark.slow
@pytest.mark.parametrize(("items", "each"), [(20, 1), (100, 1), (30, 4), (100, 4)])
def test_ninety_percent_intervals_cover_in_many_draws(items: int, each: int) -> None:
    draws = 4000
    least = 0.9 - 3 * np.sqrt(0.9 * 0.1 / draws) - (0.015 if items < 40 else 0.0)
    for share in _coverage(draws, items, each):
        assert share >= least
