"""Intervals for accuracies that were learned without the truth cover, and say what they must."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from panopt.stats.label_accuracy import accuracy_interval, accuracy_se
from panopt.stats.label_check import check_labels
from panopt.stats.label_estimate import unshrunk
from panopt.stats.label_models import dawid_skene
from panopt.stats.label_table import checked_votes

Floats = NDArray[np.float64]

#: Accuracies of judges (equal on all labels, errors even), and shares of labels.
DESIGNS: list[tuple[list[float], list[float]]] = [
    ([0.9, 0.8, 0.7], [0.5, 0.5]),
    ([0.9, 0.8, 0.7], [0.2, 0.8]),
    ([0.95, 0.9, 0.85, 0.8, 0.75], [0.1, 0.9]),
    ([0.7, 0.7, 0.7, 0.7, 0.7], [0.5, 0.5]),
    ([0.9, 0.8, 0.7, 0.6], [0.5, 0.3, 0.2]),
    ([0.98, 0.97, 0.99], [0.3, 0.7]),
    ([0.65, 0.6, 0.6], [0.5, 0.5]),
]


def covered(
    rng: np.random.Generator,
    right: list[float],
    prior: list[float],
    n_items: int,
    n_runs: int,
    *,
    per_item: int = 1,
) -> Floats:
    """Share of runs in which the 95% interval holds the truth, per judge (judges,).

    With `per_item` responses an item, all of an item's have one truth, and a judge errs on all or
    none of them: they are no more evidence than one.
    """
    accuracy, k = np.array(right), len(prior)
    hits = np.zeros(accuracy.size)
    for _ in range(n_runs):
        truth = rng.choice(k, p=prior, size=(n_items, 1))
        wrong = (truth + rng.integers(1, k, (n_items, accuracy.size))) % k
        votes = np.where(rng.random(wrong.shape) < accuracy, truth, wrong)
        votes = np.repeat(votes, per_item, axis=0)
        item, judge = np.divmod(np.arange(votes.size), accuracy.size)
        table = checked_votes(item, judge, votes.ravel(), n_labels=k)
        model = dawid_skene(item, judge, votes.ravel(), n_labels=k)
        clusters = None if per_item == 1 else np.arange(len(votes)) // per_item
        se = accuracy_se(table, model, smoothing=0.01, rng=rng, clusters=clusters)
        n = np.full(accuracy.size, float(n_items))
        low, high = accuracy_interval(model.accuracy, se, n, level=0.95)
        hits += (low <= accuracy) & (accuracy <= high)
    return hits / n_runs


def least(n_runs: int, nominal: float) -> float:
    """Three standard errors below the nominal coverage."""
    return nominal - 3 * float(np.sqrt(nominal * (1 - nominal) / n_runs))


@pytest.mark.parametrize("design", [1, 4])
def test_intervals_cover(design: int) -> None:
    found = covered(np.random.default_rng(design), *DESIGNS[design], 150, 80)
    assert found.mean() >= least(80, 0.95)


@pytest.mark.slow
@pytest.mark.parametrize("design", range(len(DESIGNS)))
@pytest.mark.parametrize("n_items", [100, 300, 1000])
def test_intervals_cover_in_every_design(design: int, n_items: int) -> None:
    """Weak judges at few items cost up to 3 points: the information is estimated, too."""
    found = covered(np.random.default_rng(design), *DESIGNS[design], n_items, 400)
    assert found.mean() >= least(400, 0.95) - 0.01
    assert found.min() >= least(400, 0.92)


def test_copies_of_a_response_are_no_more_evidence() -> None:
    rng = np.random.default_rng(0)
    clustered = covered(rng, [0.9, 0.8, 0.75, 0.8], [0.5, 0.5], 150, 60, per_item=4)
    assert clustered.mean() >= least(60, 0.95)


def test_clusters_of_one_change_the_error_little_and_copies_double_it() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 2000)
    votes = np.where(
        rng.random((2000, 4)) < [0.9, 0.8, 0.7, 0.8], truth[:, None], 1 - truth[:, None]
    )
    item, judge = np.divmod(np.arange(8000), 4)
    table = checked_votes(item, judge, votes.ravel(), n_labels=2)
    model = dawid_skene(item, judge, votes.ravel())
    plain = accuracy_se(table, model, smoothing=0.01, rng=rng)
    single = accuracy_se(table, model, smoothing=0.01, rng=rng, clusters=np.arange(2000))
    np.testing.assert_allclose(single, plain, rtol=0.01)
    again = np.repeat(votes, 4, axis=0)
    item, judge = np.divmod(np.arange(32_000), 4)
    table = checked_votes(item, judge, again.ravel(), n_labels=2)
    copied = accuracy_se(table, model, smoothing=0.01, rng=rng, clusters=np.arange(8000) // 4)
    np.testing.assert_allclose(copied, plain, rtol=0.02)


def test_a_sample_of_items_gives_nearly_the_same_error(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    item, judge = np.divmod(np.arange(40_000), 8)
    truth = rng.integers(0, 2, 5000)[item]
    votes = np.where(rng.random(40_000) < 0.75, truth, 1 - truth)
    table = checked_votes(item, judge, votes, n_labels=2)
    model = dawid_skene(item, judge, votes)
    whole = accuracy_se(table, model, smoothing=0.01, rng=rng)
    monkeypatch.setattr("panopt.stats.label_accuracy._WORK", 150 * 34**2)
    assert table.counts.size > 150
    sampled = accuracy_se(table, model, smoothing=0.01, rng=rng)
    assert (sampled != whole).any()
    np.testing.assert_allclose(sampled, whole, rtol=0.35)


def test_too_many_parameters_have_no_standard_error() -> None:
    item, judge = np.divmod(np.arange(4000), 400)
    label = np.random.default_rng(3).integers(0, 2, 4000)
    table = checked_votes(item, judge, label, n_labels=2)
    se = accuracy_se(
        table, dawid_skene(item, judge, label), smoothing=0.01, rng=np.random.default_rng(0)
    )
    assert np.isnan(se).all()


def test_intervals_lie_in_range_around_the_value_and_never_beat_known_answers() -> None:
    accuracy, n = np.array([0.0, 0.2, 0.5, 1.0]), np.full(4, 20.0)
    for error in (0.0, 1e-9, 0.05, 10.0):
        low, high = accuracy_interval(accuracy, np.full(4, error), n, level=0.9)
        assert ((low >= 0) & (low <= accuracy) & (accuracy <= high) & (high <= 1)).all()
        assert (high - low > 0.1).all()


def test_estimates_of_systems_are_not_pulled_together() -> None:
    """Two systems that pass .9 and .3 of their items, judged by weak judges, 40 times."""
    rng = np.random.default_rng(4)
    means, leaning = [], []
    for _ in range(40):
        truth = np.r_[rng.random(400) < 0.9, rng.random(400) < 0.3].astype(int)
        flips = rng.random((800, 4)) > [0.8, 0.75, 0.7, 0.8]
        votes = np.where(flips, 1 - truth[:, None], truth[:, None])
        item, judge = np.divmod(np.arange(3200), 4)
        table = checked_votes(item, judge, votes.ravel(), n_labels=2)
        model = dawid_skene(item, judge, votes.ravel())
        estimate = unshrunk(table, model, np.array([0.0, 1.0]))
        means.append([estimate[:400].mean() - 0.9, estimate[400:].mean() - 0.3])
        leaning.append(
            [model.posterior[:400, 1].mean() - 0.9, model.posterior[400:, 1].mean() - 0.3]
        )
    error = np.std(means, axis=0) / np.sqrt(40)
    assert (np.abs(np.mean(means, axis=0)) < 3 * error).all()
    assert (np.abs(np.mean(leaning, axis=0)) > 0.05).all()


def test_votes_that_tell_nothing_have_no_unshrunk_estimate() -> None:
    item = np.arange(401)
    truth = np.append(np.arange(400) % 2, -1)
    vote = (np.arange(401) // 2) % 2  # as often 1 whatever the truth
    table = checked_votes(item, item * 0, vote, n_labels=2, known=truth)
    model = dawid_skene(item, item * 0, vote, known=truth, smoothing=0)
    found = unshrunk(table, model, np.array([0.0, 1.0]))
    assert np.isnan(found[-1])
    np.testing.assert_array_equal(found[:-1], truth[:-1])


def test_a_model_that_holds_is_seldom_refuted() -> None:
    rng = np.random.default_rng(5)
    refuted = []
    for _ in range(200):
        truth = rng.integers(0, 2, 300)
        flips = rng.random((300, 5)) > [0.9, 0.8, 0.7, 0.75, 0.8]
        votes = np.where(flips, 1 - truth[:, None], truth[:, None])
        item, judge = np.divmod(np.arange(1500), 5)
        model = dawid_skene(item, judge, votes.ravel(), max_iter=100)
        known = np.where(np.arange(300) < 50, truth, -1)
        found = check_labels(model.posterior, known, used=np.ones(300, dtype=bool))
        assert found is not None
        assert found.n == 50
        refuted.append(found.p_value < 0.01)
    assert np.mean(refuted) <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / 200)


def test_shared_errors_are_found_out() -> None:
    rng = np.random.default_rng(6)
    truth = rng.integers(0, 2, 300)
    item, judge = np.divmod(np.arange(1500), 5)
    known = np.where(np.arange(300) < 50, truth, -1)
    misled = np.where(rng.random(300) < 0.4, 1 - truth, truth)
    flips = rng.random((300, 5)) < 0.1
    votes = np.where(flips, 1 - misled[:, None], misled[:, None])
    model = dawid_skene(item, judge, votes.ravel())
    found = check_labels(model.posterior, known, used=np.ones(300, dtype=bool))
    assert found is not None
    assert found.p_value < 1e-6


def test_no_label_no_check() -> None:
    posterior, used = np.full((3, 2), 0.5), np.array([True, True, False])
    assert check_labels(posterior, np.full(3, -1), used=used) is None
    assert check_labels(posterior, np.array([-1, -1, 1]), used=used) is None
