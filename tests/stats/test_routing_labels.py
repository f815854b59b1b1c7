"""Labels while they come in: Bayes' rule by brute force, EM against a peer, discounts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panopt.stats.label_models import dawid_skene
from panopt.stats.routing_dependence import (
    Together,
    informed_correlation,
    prior_correlation,
    vote_weights,
)
from panopt.stats.routing_label_learner import LabelLearner
from panopt.stats.routing_labels import LabelHabits, first_habits, label_posterior, learn_labels
from panopt.stats.routing_value import Asking, best_of, damped, set_values


def habits(rng: np.random.Generator, n_judges: int, n_labels: int) -> LabelHabits:
    return LabelHabits(
        rng.gamma(2.0, size=(n_judges, n_labels, n_labels)) + 0.1, rng.gamma(2.0, size=n_labels)
    )


@pytest.mark.parametrize(("n_judges", "n_labels"), [(1, 2), (3, 2), (4, 3)])
def test_posterior_is_bayes_rule_by_brute_force(n_judges: int, n_labels: int) -> None:
    rng = np.random.default_rng(n_judges)
    of = habits(rng, n_judges, n_labels)
    for votes in itertools.product(range(-1, n_labels), repeat=n_judges):
        joint = []
        for truth in range(n_labels):
            chance = of.prevalence[truth]
            for judge, vote in enumerate(votes):
                chance *= of.confusion[judge, truth, vote] if vote >= 0 else 1.0
            joint.append(chance)
        ones = np.ones(sum(vote >= 0 for vote in votes))
        expected = np.array(joint) / sum(joint)
        np.testing.assert_allclose(label_posterior(of, votes, ones), expected, rtol=1e-12)


def test_em_finds_what_dawid_skene_finds() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 3000)
    right = rng.random((3000, 4)) < [0.9, 0.8, 0.7, 0.6]
    votes = np.where(right, truth[:, None], 1 - truth[:, None])
    patterns, counts = np.unique(votes, axis=0, return_counts=True)
    found = learn_labels(patterns, counts, counts * 0 - 1, prior=first_habits(4, 2))
    item, judge = np.divmod(np.arange(votes.size), 4)
    peer = dawid_skene(item, judge, votes.reshape(-1), smoothing=1.0)
    np.testing.assert_allclose(found.accuracy, peer.accuracy, atol=0.01)
    np.testing.assert_allclose(found.confusion, peer.confusion, atol=0.02)


def test_learning_is_blind_to_who_was_chosen_by_earlier_votes() -> None:
    # The second and third judge are asked only where the first says yes: missing at random.
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, 40_000)
    right = rng.random((40_000, 3)) < [0.8, 0.9, 0.7]
    votes = np.where(right, truth[:, None], 1 - truth[:, None])
    votes[1000:, 1:][votes[1000:, 0] == 0] = -1
    patterns, counts = np.unique(votes, axis=0, return_counts=True)
    found = learn_labels(patterns, counts, counts * 0 - 1, prior=first_habits(3, 2), max_iter=2000)
    np.testing.assert_allclose(found.accuracy, [0.8, 0.9, 0.7], atol=0.02)


def test_known_labels_count_as_certain() -> None:
    found = learn_labels([[1], [0]], [30, 10], [1, 1], prior=first_habits(1, 2))
    np.testing.assert_allclose(found.confusion[0, 1], [(1.2 + 10) / 44, (2.8 + 30) / 44])


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be \(patterns, 2\)"):
        learn_labels([[1]], [1], [-1], prior=first_habits(2, 2))


@given(st.integers(1, 6), st.floats(0.0, 0.95))
def test_alike_judges_weigh_as_kish_says(n: int, rho: float) -> None:
    r = np.full((n, n), rho) + (1 - rho) * np.eye(n)
    np.testing.assert_allclose(vote_weights(r), 1 / (1 + (n - 1) * rho), rtol=1e-9)


def test_a_copy_tells_next_to_nothing_and_is_not_asked() -> None:
    r = prior_correlation(["openai", "openai", "meta"], [0, 0, 1])
    together = Together(r)
    assert together.novelty((0,), 1) < 0.06
    assert together.novelty((0,), 2) > 0.55
    learner = LabelLearner(3, 2, r)
    for truth in (0, 1) * 50:
        learner.add("", (truth, truth, truth if learner.seen else 1 - truth), truth)
    learner.refit()
    asked = learner.best("", (1, -1, -1), (1, 2), (1.0, 1.0, 1.0))
    assert (1, 2)[asked.first] == 2


def test_labels_correct_what_is_assumed_of_judges() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, 1000)
    wrong = rng.random((1000, 3)) < 0.2
    wrong[:, 1] = wrong[:, 0]
    votes = np.where(wrong, 1 - truth[:, None], truth[:, None]).astype(float)
    assumed = prior_correlation([None] * 3, [0, 1, 2])
    found = informed_correlation(assumed, votes, truth, labels=True)
    assert found[0, 1] > 0.9
    assert found[0, 2] < 0.1
    assert np.linalg.eigvalsh(found)[0] > 0
    few = informed_correlation(assumed, votes[:19], truth[:19], labels=True)
    np.testing.assert_array_equal(few, assumed)


def test_correlation_off_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"apart = 1\.0 must lie in \[0, 1\)"):
        prior_correlation([None], [0], apart=1.0)
    with pytest.raises(ValueError, match="makers names 2 judges, models 1"):
        prior_correlation([None, None], [0])


def brute_force_value(posterior: np.ndarray, confusion: np.ndarray) -> float:
    """Expected fall of the chance of an error, over every outcome one by one."""
    risk_after = 0.0
    k = len(posterior)
    for votes in itertools.product(range(k), repeat=len(confusion)):
        joint = [
            posterior[z] * np.prod([confusion[j, z, v] for j, v in enumerate(votes)])
            for z in range(k)
        ]
        risk_after += sum(joint) - max(joint)
    return float(1 - posterior.max() - risk_after)


@pytest.mark.parametrize(("n_judges", "n_labels"), [(1, 2), (4, 2), (3, 3)])
def test_value_is_the_brute_force_one(n_judges: int, n_labels: int) -> None:
    rng = np.random.default_rng(n_judges)
    for _ in range(5):
        of = habits(rng, n_judges, n_labels)
        now = rng.dirichlet(np.ones(n_labels))
        found = set_values(now, of.confusion)
        expected = [brute_force_value(now, of.confusion[:n]) for n in range(1, n_judges + 1)]
        np.testing.assert_allclose(found, expected, atol=1e-12)


@given(
    st.floats(0.01, 0.99),
    st.lists(st.tuples(st.floats(0.02, 0.98), st.floats(0.02, 0.98)), min_size=1, max_size=6),
    st.floats(0.0, 1.0),
)
def test_value_is_never_negative_grows_with_votes_and_shrinks_with_damping(
    p: float, rates: list[tuple[float, float]], novelty: float
) -> None:
    confusion = np.array([[[1 - a, a], [1 - b, b]] for a, b in rates])
    now = np.array([1 - p, p])
    values = set_values(now, confusion)
    assert (values >= 0).all()
    assert (np.diff(values) >= -1e-12).all()
    less = damped(confusion, now, np.full(len(rates), novelty))
    np.testing.assert_allclose(less.sum(axis=2), 1.0)
    assert set_values(now, damped(confusion, now, np.zeros(len(rates))))[-1] < 1e-9
    np.testing.assert_allclose(damped(confusion, now, np.ones(len(rates))), confusion)


def test_two_votes_are_asked_for_where_one_could_turn_nothing() -> None:
    judge = [[0.7, 0.3], [0.3, 0.7]]
    sets = set_values([0.2, 0.8], [judge, judge])
    assert sets[0] == 0.0
    found = best_of(sets, [0.0, 0.0], [1, 0], [1.0, 1.0])
    assert (found.first, found.n) == (1, 2)


def test_where_nothing_is_worth_anything_the_first_in_order_is_named_with_no_value() -> None:
    assert best_of([0.0], [0.0, 0.0], [1, 0], [3.0, 5.0]) == Asking(1, 1, 0.0, 5.0)


def test_families_lean_on_all_families_together() -> None:
    learner = LabelLearner(2, 2, np.eye(2))
    for family, right in (("a", 180), ("b", 120)):
        for i in range(200):
            for truth in (0, 1):
                learner.add(family, (truth if i < right else 1 - truth, truth), truth)
    learner.add("c", (1, 1), 1)
    learner.refit()
    pooled = learner.pooled.accuracy[0]
    a, b, c = (learner.habits_of(family).accuracy[0] for family in "abc")
    assert pooled == pytest.approx(0.75, abs=0.002)
    assert a == pytest.approx((180 + 20 * pooled) / 220, abs=0.001)
    assert b == pytest.approx((120 + 20 * pooled) / 220, abs=0.001)
    assert c == pytest.approx(pooled, abs=0.01)
    assert learner.habits_of("new").accuracy[0] == pooled
