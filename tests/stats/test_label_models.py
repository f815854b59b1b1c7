"""Dawid-Skene, one-coin and MACE: published results, properties, bad input."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from panopt.stats.label_models import LabelModel, dawid_skene, mace, one_coin

Floats = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]
Model = Callable[..., LabelModel]


def seeded_mace(*votes: Any, **options: Any) -> LabelModel:  # noqa: ANN401 - passed on
    """MACE from the same starts each time."""
    return mace(*votes, rng=np.random.default_rng(0), **options)


MODELS: list[Model] = [dawid_skene, one_coin, seeded_mace, partial(seeded_mace, variational=False)]


class Task(NamedTuple):
    """A task of a crowd data set: votes, gold, names."""

    votes: tuple[Codes, Codes, Codes]
    gold: Codes


def crowd_task(shared: Path, task: str) -> Task:
    """Read one task of the classic crowd-sourcing sets."""
    pandas = pytest.importorskip("pandas")
    table = pandas.read_parquet(shared / "data/sets/crowd_classic_a/scores.parquet")
    rows = table[table.task == task]
    _, first, item = np.unique(rows.item_id, return_index=True, return_inverse=True)
    judge = np.unique(rows.judge, return_inverse=True)[1]
    classes, code = np.unique(np.r_[rows.score, rows.label], return_inverse=True)
    assert classes.size >= 2
    return Task((item, judge, code[: len(rows)]), code[len(rows) :][first])


def accuracy(posterior: Floats, gold: Codes) -> float:
    """Percent right, ties shared."""
    top = posterior == posterior.max(axis=1, keepdims=True)
    return float(np.mean(top[np.arange(gold.size), gold] / top.sum(axis=1)) * 100)


def simulate(
    rng: np.random.Generator, confusion: Floats, prior: Floats, n_items: int
) -> tuple[Codes, Codes, Codes, Codes]:
    """Draw a vote of every judge on every item; give item, judge, label and the truth."""
    n_judges = confusion.shape[0]
    truth = rng.choice(prior.size, p=prior, size=n_items)
    item, judge = np.divmod(np.arange(n_items * n_judges), n_judges)
    below = np.cumsum(confusion, axis=2)[judge, truth[item]]
    label = (rng.random(item.size)[:, None] > below).sum(axis=1)
    return item, judge, label, truth


def coins(accuracies: list[float], n_labels: int = 2) -> Floats:
    """Confusion matrices of judges whose errors fall evenly."""
    right = np.array(accuracies)[:, None, None]
    same = np.eye(n_labels, dtype=bool)
    return np.where(same, right, (1 - right) / (n_labels - 1))


CROWD = [
    ("rte", 92.75, -3679.63),
    ("dog", 84.26, -4745.55),
    ("temporal", 94.16, -1256.96),
    ("wsd", 99.44, -178.98),
    ("bluebird", 89.81, -1888.12),
]


@pytest.mark.parametrize(("task", "right", "log_likelihood"), CROWD)
def test_dawid_skene_gets_the_published_accuracies_and_likelihoods(
    shared: Path, task: str, right: float, log_likelihood: float
) -> None:
    votes, gold = crowd_task(shared, task)
    plain = dawid_skene(*votes, smoothing=0)
    assert plain.converged
    assert accuracy(plain.posterior, gold) == pytest.approx(right, abs=0.01)
    assert plain.log_likelihood > log_likelihood - 0.01
    smooth = dawid_skene(*votes)
    assert accuracy(smooth.posterior, gold) == pytest.approx(right, abs=0.01)
    assert smooth.log_likelihood <= plain.log_likelihood


@pytest.mark.parametrize(
    ("task", "one_coin_right", "mace_right"),
    [("rte", 92.50, 92.62), ("temporal", 93.94, 93.94), ("dog", 83.02, 83.02)],
)
def test_one_coin_and_mace_are_as_right_as_crowd_kit(
    shared: Path, task: str, one_coin_right: float, mace_right: float
) -> None:
    """Accuracies of crowd-kit 1.4.2, classes with their defaults, `fit_predict` against gold."""
    votes, gold = crowd_task(shared, task)
    assert accuracy(one_coin(*votes).posterior, gold) == pytest.approx(one_coin_right, abs=0.01)
    assert accuracy(seeded_mace(*votes).posterior, gold) == pytest.approx(mace_right, abs=0.7)


# From crowd-kit 1.4.2, on a frame of the votes below with columns task, worker and label: the
# attribute probas_ of DawidSkene and OneCoinDawidSkene with n_iter as given and tol of -1e9,
# fitted. It clips probabilities at 1e-10.
PEER_LABELS = [0, 0, 1, 1, 1, 1, 2, 2, 0, 0, 0, 0, 1, 2, 1, 2, 2, 2, 1, 0, 1, 0, 0, 2]
PEER = [
    (dawid_skene, 1, 0, [0.8398821594, 0.1518536940, 0.0082641466]),
    (dawid_skene, 1, 4, [0.0193963384, 0.9164769916, 0.0641266700]),
    (dawid_skene, 5, 0, [0.9977971929, 0.0022028071, 0.0]),
    (dawid_skene, 5, 6, [0.0013658135, 0.9986341865, 0.0]),
    (one_coin, 1, 0, [0.8949434311, 0.0862002617, 0.0188563072]),
    (one_coin, 1, 6, [0.1487314086, 0.8274521240, 0.0238164674]),
    (one_coin, 5, 4, [0.0008955909, 0.9955162535, 0.0035881557]),
    (one_coin, 5, 7, [0.9984486788, 0.0004812498, 0.0010700713]),
]


@pytest.mark.parametrize(("model", "n_iter", "row", "expected"), PEER)
def test_posteriors_after_some_passes_equal_crowd_kit(
    model: Model, n_iter: int, row: int, expected: list[float]
) -> None:
    item, judge = np.divmod(np.arange(24), 3)
    found = model(item, judge, PEER_LABELS, smoothing=0, max_iter=n_iter, tol=0)
    assert found.n_iter == n_iter
    np.testing.assert_allclose(found.posterior[row], expected, atol=2e-9)


def likelihood_by_hand(model: LabelModel, votes: tuple[Codes, Codes, Codes]) -> float:
    """Sum over items the log of the sum over labels, vote by vote."""
    item, judge, label = votes
    total = 0.0
    for i in range(int(item.max()) + 1):
        joint = model.prior.copy()
        for k in np.flatnonzero(item == i):
            joint = joint * model.confusion[judge[k], :, label[k]]
        total += float(np.log(joint.sum()))
    return total


@pytest.mark.parametrize("model", MODELS)
def test_the_log_likelihood_is_that_of_the_parameters_given(model: Model) -> None:
    rng = np.random.default_rng(1)
    confusion = coins([0.9, 0.7, 0.6, 0.8], 3)
    item, judge, label, _ = simulate(rng, confusion, np.array([0.5, 0.3, 0.2]), 60)
    keep = rng.random(item.size) < 0.8
    votes = item[keep], judge[keep], label[keep]
    found = model(*votes)
    assert found.log_likelihood == pytest.approx(likelihood_by_hand(found, votes), abs=1e-8)
    np.testing.assert_allclose(found.confusion.sum(axis=2), 1.0)
    np.testing.assert_allclose(found.posterior.sum(axis=1), 1.0)


def test_the_likelihood_rises_with_every_pass() -> None:
    rng = np.random.default_rng(2)
    item, judge, label, _ = simulate(rng, coins([0.8, 0.7, 0.6]), np.array([0.6, 0.4]), 200)
    for model in (dawid_skene, one_coin):
        reached = [
            model(item, judge, label, smoothing=0, max_iter=n, tol=0).log_likelihood
            for n in range(1, 30)
        ]
        assert (np.diff(reached) > -1e-9).all()
        assert reached[-1] > reached[0] + 0.1


def test_confusion_matrices_are_recovered() -> None:
    rng = np.random.default_rng(3)
    truth = np.array(
        [
            [[0.9, 0.05, 0.05], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]],
            [[0.6, 0.3, 0.1], [0.05, 0.9, 0.05], [0.1, 0.3, 0.6]],
            [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.3, 0.0, 0.7]],
            [[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.0, 0.1, 0.9]],
        ]
    )
    prior = np.array([0.5, 0.2, 0.3])
    item, judge, label, real = simulate(rng, truth, prior, 50_000)
    found = dawid_skene(item, judge, label)
    np.testing.assert_allclose(found.confusion, truth, atol=0.02)
    np.testing.assert_allclose(found.prior, prior, atol=0.015)
    sure = found.posterior.max(axis=1)  # posteriors are calibrated where the model holds
    hit = found.posterior.argmax(axis=1) == real
    assert abs(float(hit.mean() - sure.mean())) < 3 * np.sqrt(0.25 / 50_000)


def test_a_judge_below_chance_is_read_the_other_way() -> None:
    rng = np.random.default_rng(4)
    confusion = coins([0.9, 0.85, 0.1, 0.8])
    item, judge, label, truth = simulate(rng, confusion, np.array([0.5, 0.5]), 3000)
    found = dawid_skene(item, judge, label)
    assert found.accuracy[2] == pytest.approx(0.1, abs=0.03)
    votes = label.reshape(-1, 4)
    counted = np.mean((votes.mean(axis=1) > 0.5) == truth)
    assert np.mean(found.posterior.argmax(axis=1) == truth) > counted + 0.05


@pytest.mark.parametrize("model", MODELS)
def test_swapping_the_labels_swaps_the_answer(model: Model) -> None:
    rng = np.random.default_rng(5)
    item, judge, label, _ = simulate(rng, coins([0.9, 0.8, 0.7]), np.array([0.6, 0.4]), 400)
    passes = {} if model in (dawid_skene, one_coin) else {"n_iter": 3000}
    one = model(item, judge, label, tol=1e-9, **passes)
    two = model(item, judge, 1 - label, tol=1e-9, **passes)
    # MACE's random starts differ between the two, its optimum does not.
    np.testing.assert_allclose(one.posterior, two.posterior[:, ::-1], atol=1e-3)
    np.testing.assert_allclose(one.accuracy, two.accuracy, atol=1e-3)


@given(st.integers(0, 2**32 - 1))
def test_order_of_votes_and_names_of_judges_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    item, judge, label, _ = simulate(rng, coins([0.9, 0.8, 0.7]), np.array([0.6, 0.4]), 30)
    order, swap = rng.permutation(item.size), rng.permutation(3)
    one = dawid_skene(item, judge, label, n_labels=2, max_iter=30)
    two = dawid_skene(item[order], swap[judge][order], label[order], n_labels=2, max_iter=30)
    np.testing.assert_allclose(one.posterior, two.posterior, atol=1e-8)
    np.testing.assert_allclose(one.accuracy, two.accuracy[swap], atol=1e-8)


def test_a_repeated_vote_counts_as_two_votes() -> None:
    item, judge = np.divmod(np.arange(120), 3)
    label = np.random.default_rng(6).integers(0, 2, 120)
    prior, confusion = (
        getattr(dawid_skene(item, judge, label, max_iter=1), name)
        for name in ("prior", "confusion")
    )
    twice = dawid_skene(np.r_[item, 0], np.r_[judge, 0], np.r_[label, label[0]], max_iter=1)
    joint = twice.prior * np.prod(twice.confusion[judge[:3], :, label[:3]], axis=0)
    joint *= twice.confusion[0, :, label[0]]
    np.testing.assert_allclose(twice.posterior[0], joint / joint.sum())
    assert prior.shape == (2,)
    assert confusion.shape == (3, 2, 2)


@pytest.mark.parametrize("model", MODELS)
def test_known_labels_stand_and_identify_two_judges(model: Model) -> None:
    rng = np.random.default_rng(7)
    item, judge, label, truth = simulate(rng, coins([0.9, 0.7]), np.array([0.5, 0.5]), 4000)
    known = np.where(np.arange(4000) < 2000, truth, -1)
    found = model(item, judge, label, known=known)
    np.testing.assert_array_equal(found.posterior[:2000], np.eye(2)[truth[:2000]])
    np.testing.assert_allclose(found.accuracy, [0.9, 0.7], atol=0.03)
    assert found.identified.all()


def test_known_labels_turn_a_panel_that_shares_its_errors() -> None:
    rng = np.random.default_rng(8)
    truth = rng.integers(0, 2, 1000)
    misled = rng.random(1000) < 0.6
    votes = np.stack([np.where(misled, 1 - truth, truth)] * 3 + [truth], axis=1)
    flips = rng.random(votes.shape) < np.array([0.1, 0.1, 0.1, 0.15])
    votes = np.where(flips, 1 - votes, votes)
    item, judge = np.divmod(np.arange(4000), 4)
    blind = dawid_skene(item, judge, votes.ravel())
    known = np.where(np.arange(1000) < 100, truth, -1)
    told = dawid_skene(item, judge, votes.ravel(), known=known, unknown_weight=0)
    right = [np.mean(m.posterior.argmax(axis=1)[100:] == truth[100:]) for m in (blind, told)]
    assert right[0] < 0.6
    assert right[1] > 0.7
    np.testing.assert_allclose(told.posterior[:100], np.eye(2)[truth[:100]])
    share = np.mean(votes[:100] == truth[:100, None], axis=0)
    np.testing.assert_allclose(told.accuracy, share)


def test_mace_learns_competence_and_is_the_same_with_the_same_seed() -> None:
    rng = np.random.default_rng(9)
    truth = rng.integers(0, 3, 5000)
    item, judge = np.divmod(np.arange(20_000), 4)
    theta = np.array([0.95, 0.7, 0.4, 0.0])
    copies = rng.random(20_000) < theta[judge]
    label = np.where(copies, truth[item], rng.choice(3, p=[0.6, 0.3, 0.1], size=20_000))
    for variational in (True, False):
        found = seeded_mace(item, judge, label, variational=variational, n_iter=200)
        assert found.competence is not None
        np.testing.assert_allclose(found.competence, theta, atol=0.05)
        again = seeded_mace(item, judge, label, variational=variational, n_iter=200)
        np.testing.assert_array_equal(found.posterior, again.posterior)


def test_more_restarts_never_give_a_lower_likelihood() -> None:
    rng = np.random.default_rng(10)
    item, judge, label, _ = simulate(rng, coins([0.6, 0.6, 0.6, 0.6]), np.array([0.5, 0.5]), 50)
    votes = item, judge, label
    one = mace(*votes, rng=rng, n_restarts=1, n_iter=400, variational=False, smoothing=0)
    many = mace(*votes, rng=rng, n_restarts=20, n_iter=400, variational=False, smoothing=0)
    assert many.log_likelihood >= one.log_likelihood - 1e-6


@pytest.mark.parametrize("model", MODELS)
def test_judges_who_always_agree_are_taken_at_their_word(model: Model) -> None:
    item, judge = np.divmod(np.arange(300), 3)
    found = model(item, judge, item % 2)
    np.testing.assert_array_equal(found.posterior.argmax(axis=1), np.arange(100) % 2)
    assert (found.accuracy > 0.95).all()


@pytest.mark.parametrize("model", MODELS)
def test_items_and_judges_without_votes_are_no_nan_unsaid(model: Model) -> None:
    item, judge = np.divmod(np.arange(30), 3)
    label = [0, 0, 1, 1, 1, 1] * 5
    found = model(item, judge, label, n_items=12, n_judges=5, names=["a", "b", "c", "d", "e"])
    np.testing.assert_allclose(found.posterior[10:], np.stack([found.prior] * 2), atol=1e-12)
    assert np.isnan(found.accuracy[3:]).all()
    assert "no vote from d, e: accuracy is unknown" in found.warnings
    bare = model(item, judge, label)
    np.testing.assert_allclose(found.posterior[:10], bare.posterior, atol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_one_or_two_judges_are_refused(model: Model) -> None:
    for n_judges in (1, 2):
        item, judge = np.divmod(np.arange(10 * n_judges), n_judges)
        with pytest.raises(ValueError, match=rf"not identified.*\({n_judges} vote at all\)"):
            model(item, judge, item % 2)


@pytest.mark.parametrize("model", MODELS)
def test_a_panel_in_two_parts_is_named(model: Model) -> None:
    item = [0, 0, 0, 1, 1, 1, 2, 2]
    judge = [0, 1, 2, 0, 1, 2, 3, 4]
    found = model(item, judge, [0, 0, 1, 1, 1, 1, 0, 1], names=["a", "b", "c", "d", "e"])
    told = "2 groups of judges that share no item: a, b, c | d, e"
    assert any(told in text for text in found.warnings)
    assert any("how d, e err" in text for text in found.warnings)
    assert found.identified.tolist() == [True, True, True, False, False]


@pytest.mark.parametrize("model", MODELS)
def test_one_item_and_one_label_are_answered_with_a_warning(model: Model) -> None:
    found = model([0, 0, 0], [0, 1, 2], [1, 1, 1], n_labels=2)
    assert found.posterior[0, 1] > 0.5
    assert any("all votes are for label 1" in text for text in found.warnings)


def test_stopping_early_is_said() -> None:
    rng = np.random.default_rng(11)
    item, judge, label, _ = simulate(rng, coins([0.7, 0.7, 0.6]), np.array([0.5, 0.5]), 100)
    found = dawid_skene(item, judge, label, max_iter=2)
    assert not found.converged
    assert "not converged after 2 passes over the votes: allow more" in found.warnings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"smoothing": -0.1}, "smoothing = -0.1 must be a finite number of at least 0"),
        ({"smoothing": np.nan}, "smoothing = nan must be"),
        ({"tol": np.inf}, "tol = inf must be"),
        ({"max_iter": 0}, "max_iter = 0 must be a whole number of at least 1"),
        ({"max_iter": 2.5}, "max_iter = 2.5 must be"),
        ({"names": ["a"]}, "names: got 1 for 3 judges"),
        ({"unknown_weight": -1}, r"unknown_weight = -1 must lie in \[0, 1\]"),
        ({"unknown_weight": 0}, "unknown_weight = 0 needs known labels to learn from"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    item, judge = np.divmod(np.arange(9), 3)
    for model in (dawid_skene, one_coin):
        with pytest.raises(ValueError, match=message):
            model(item, judge, [0, 0, 1, 1, 1, 1, 0, 1, 0], **options)


def test_mace_needs_a_start() -> None:
    item, judge = np.divmod(np.arange(9), 3)
    with pytest.raises(ValueError, match="n_restarts = 0 must be a whole number of at least 1"):
        seeded_mace(item, judge, [0, 0, 1, 1, 1, 1, 0, 1, 0], n_restarts=0)


def test_many_judges_and_few_votes_take_the_sparse_way_to_the_same_answer() -> None:
    rng = np.random.default_rng(12)
    confusion = coins(list(rng.uniform(0.6, 0.95, 120)))
    item, judge, label, truth = simulate(rng, confusion, np.array([0.5, 0.5]), 800)
    keep = rng.random(item.size) < 0.08
    found = dawid_skene(item[keep], judge[keep], label[keep])
    assert np.mean(found.posterior.argmax(axis=1) == truth) > 0.93
    votes = item[keep], judge[keep], label[keep]
    assert found.log_likelihood == pytest.approx(likelihood_by_hand(found, votes), abs=1e-7)
