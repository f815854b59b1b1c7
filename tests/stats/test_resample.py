"""Random groups of units: sums are sums, whole clusters stay whole, errors stay what they were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from panopt.plugins.reliability import Level, alpha_without, krippendorff_alpha
from panopt.stats import alpha as alpha_module
from panopt.stats.coincidence import alpha_by_sums, krippendorff
from panopt.stats.resample import group_draws, group_sums, random_groups
from panopt.stats.units import rated_units

NAN = np.nan
LEVELS: tuple[Level, ...] = ("nominal", "ordinal", "interval", "ratio")

matrices = hnp.arrays(
    np.float64,
    st.tuples(st.integers(2, 14), st.integers(2, 5)),
    elements=st.sampled_from([0.0, 1.0, 2.0, 2.5, 7.0, NAN]),
)


def defined(value: float | None) -> float:
    assert value is not None
    return value


@settings(max_examples=60)
@given(matrices, st.sampled_from(LEVELS), st.integers(0, 2**32 - 1))
def test_alpha_of_sums_is_alpha_of_the_units(ratings: np.ndarray, level: Level, seed: int) -> None:
    units = rated_units(ratings)
    assume(units.n_units > 0)
    weights = np.random.default_rng(seed).integers(0, 4, (5, units.counts.size)).astype(float)
    prepared = alpha_by_sums(units, level)
    assert prepared is not None
    columns, of_sums = prepared
    np.testing.assert_allclose(
        of_sums(weights @ columns), krippendorff(units, level)(weights), atol=1e-9
    )


def test_scales_of_many_levels_have_no_few_sums() -> None:
    units = rated_units(np.random.default_rng(0).normal(size=(300, 3)) ** 2)
    assert alpha_by_sums(units, "ordinal") is None
    assert alpha_by_sums(units, "ratio") is None
    assert alpha_by_sums(units, "interval") is not None


@pytest.mark.parametrize("n_sums", [3, 20])
@pytest.mark.parametrize(("n", "patterns", "groups"), [(500, 4, 7), (3000, 3000, 1500)])
def test_group_sums_are_sums(n: int, patterns: int, groups: int, n_sums: int) -> None:
    rng = np.random.default_rng(1)
    columns = rng.normal(size=(patterns, n_sums))
    pattern, group = rng.integers(0, patterns, n), rng.integers(0, groups, n)
    expected = np.zeros((groups, n_sums))
    np.add.at(expected, group, columns[pattern])
    np.testing.assert_allclose(group_sums(columns, pattern, group, groups), expected, atol=1e-9)


def test_groups_are_even_and_keep_clusters_whole() -> None:
    rng = np.random.default_rng(2)
    clusters = rng.permutation(np.repeat(np.arange(900), 3))
    group, n_groups = random_groups(2700, clusters, rng, most=100)
    assert n_groups == 100
    for cluster in range(900):
        assert np.unique(group[clusters == cluster]).size == 1
    assert (np.bincount(group) == 27).all()
    same, few = random_groups(2700, clusters, rng)
    assert few == 900
    np.testing.assert_array_equal(same, clusters)


def test_draws_are_resamples() -> None:
    draws = np.concatenate(list(group_draws(50, 4000, np.random.default_rng(3))))
    assert draws.shape == (4000, 50)
    assert (draws.sum(axis=1) == 50).all()
    np.testing.assert_allclose(draws.var(axis=0).mean(), 1 - 1 / 50, rtol=0.02)


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_an_interval_over_groups_is_that_over_clusters(
    level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(4)
    item = rng.integers(0, 5, (1500, 1))
    ratings = np.clip(np.repeat(item, 3, axis=0) + rng.integers(-1, 2, (4500, 3)), 0, 4) * 1.0
    clusters = np.repeat(np.arange(1500), 3)
    by_cluster = krippendorff_alpha(ratings, level=level, n_boot=1500, clusters=clusters)
    monkeypatch.setattr(
        alpha_module, "random_groups", lambda n, c, r: random_groups(n, c, r, most=500)
    )
    by_group = krippendorff_alpha(ratings, level=level, n_boot=1500, clusters=clusters)
    assert by_group.value == by_cluster.value
    assert defined(by_group.se) == pytest.approx(defined(by_cluster.se), rel=0.15)
    assert by_group.low == pytest.approx(defined(by_cluster.low), abs=0.25 * defined(by_cluster.se))


# --- Without each rater -------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
def test_alpha_without_a_rater_is_alpha_of_the_others(level: Level) -> None:
    rng = np.random.default_rng(5)
    ratings = np.clip(rng.integers(0, 5, (80, 1)) + rng.integers(-1, 2, (80, 4)), 0, 4) * 1.0
    ratings[rng.random(ratings.shape) < 0.3] = NAN
    found = alpha_without(ratings, level=level, n_boot=100, raters="abcd")
    whole = krippendorff_alpha(ratings, level=level)
    for j, left in enumerate(found):
        others = krippendorff_alpha(np.delete(ratings, j, axis=1), level=level)
        assert left.rater == "abcd"[j]
        assert left.without.value == pytest.approx(defined(others.value), abs=1e-12)
        assert (left.without.n_units, left.without.n_ratings) == (others.n_units, others.n_ratings)
        assert left.difference == pytest.approx(defined(others.value) - defined(whole.value))
        assert defined(left.low) < defined(left.difference) < defined(left.high)
        assert defined(left.without.low) < defined(left.without.value)


def test_the_rater_that_guesses_is_found() -> None:
    rng = np.random.default_rng(6)
    truth = rng.integers(0, 2, (200, 1))
    ratings = np.where(rng.random((200, 4)) < 0.9, truth, 1 - truth)
    ratings[:, 2] = rng.integers(0, 2, 200)
    found = alpha_without(ratings, rng=rng)
    assert [defined(left.low) > 0 for left in found] == [False, False, True, False]
    assert all(defined(left.high) < 0 for j, left in enumerate(found) if j != 2)


def _false_alarms(draws: int, n: int, *, each: int = 1) -> float:
    """Share of panels of four equal raters in which any rater is said to lower alpha (or raise).

    Raters are right with probability .85 each, so alpha of any three equals alpha of all four in
    the population, and every true difference is 0. Responses of an item share the truth.
    """
    rng, missed = np.random.default_rng([n, each]), 0
    clusters = np.repeat(np.arange(n), each)
    for _ in range(draws):
        truth = np.repeat(rng.random((n, 1)) < 0.5, each, axis=0)
        ratings = np.where(rng.random((n * each, 4)) < 0.85, truth, ~truth)
        found = alpha_without(ratings, n_boot=400, rng=rng, alpha=0.1, clusters=clusters)
        missed += any(defined(left.low) > 0 or defined(left.high) < 0 for left in found)
    return missed / draws


def test_equal_raters_are_seldom_told_apart() -> None:
    assert _false_alarms(150, 80) <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 150)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "each"), [(20, 1), (40, 1), (200, 1), (60, 4)])
def test_equal_raters_are_seldom_told_apart_in_many_draws(n: int, each: int) -> None:
    draws = 1500
    assert _false_alarms(draws, n, each=each) <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / draws)


def test_what_cannot_be_left_out_is_said() -> None:
    with pytest.raises(ValueError, match="ratings have 2 columns; alpha without one needs three"):
        alpha_without([[1, 0], [0, 1]])
    with pytest.raises(TypeError, match=r"rng = 0 must be a numpy\.random\.Generator"):
        alpha_without(np.eye(3), rng=0)  # type: ignore[arg-type]
    found = alpha_without(np.array([[1, 1, NAN], [0, 1, NAN], [1, 0, NAN], [0, 0, 1]]))
    assert found[0].without.reason == "1 unit(s) have two or more ratings; agreement needs two"
    assert (found[0].difference, found[0].low) == (None, None)
    empty = alpha_without(np.full((4, 3), NAN))
    assert {left.without.reason for left in empty} == {
        "0 judge(s) gave ratings; agreement needs two"
    }
    same = alpha_without(np.ones((5, 3)), n_boot=50)
    assert {left.without.reason for left in same} == {
        "no variation: all 10 ratings of shared units are equal"
    }
    plain = alpha_without(np.array([[1, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0]]), n_boot=0)
    assert plain[2].without.value == 1.0
    assert plain[2].without.no_interval == "no bootstrap was asked for (n_boot = 0)"


def test_a_crowd_of_raters_is_merged_like_any_panel() -> None:
    rng = np.random.default_rng(7)
    crowd = np.full((400, 60), NAN)
    for row in crowd:
        row[rng.choice(60, 5, replace=False)] = rng.integers(0, 3, 5)
    few = np.array([row[~np.isnan(row)] for row in crowd])
    names = [str(j) for j in range(60)]
    for level in LEVELS:
        one = krippendorff_alpha(crowd, level=level, raters=names)
        assert one.value == pytest.approx(
            defined(krippendorff_alpha(few, level=level).value), abs=1e-12
        )
    assert rated_units(crowd).values.shape[1] == 5
