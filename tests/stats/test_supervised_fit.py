from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from panopt.stats.supervised import paired_sign_test, supervised_votes

FloatArray = NDArray[np.float64]
VARIANTS = ("CoT", "Reference", "Swap", "Swap_CoT", "Vanilla", "Vanilla_NoRules")


def panel(shared: Path, name: str, task: str | None) -> tuple[FloatArray, FloatArray]:
    table = pq.read_table(shared / f"data/sets/{name}/scores.parquet").to_pandas()
    rows = table[table.judge_kind == "llm"]
    if task is not None:
        rows = rows[rows.task == task]
    if name == "llmbar":
        rows = rows[rows.prompt_variant.isin(VARIANTS)]
        rows = rows.assign(judge=rows.judge + "/" + rows.prompt_variant)
    wide = rows.pivot_table(index="item_id", columns="judge", values="score", aggfunc="mean")
    truth = rows.groupby("item_id").label.first().loc[wide.index]
    return wide.to_numpy(), truth.to_numpy()


def held_out(
    votes: FloatArray, truth: FloatArray, n_labels: int | None, *, n_runs: int, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Label 50 at random, again and again; accuracy of both on the others."""
    rng = np.random.default_rng(seed)
    codes = range(n_labels or 2)
    counts = np.stack([(votes == code).sum(axis=1) for code in codes], axis=1)
    tied = (counts == counts.max(axis=1, keepdims=True)).sum(axis=1) > 1
    plain = np.where(tied, 0.5, counts.argmax(axis=1) == truth)
    ours, theirs = [], []
    names = [str(judge) for judge in range(votes.shape[1])]
    for _ in range(n_runs):
        order = rng.permutation(len(truth))
        told = np.full(len(truth), np.nan)
        told[order[:50]] = truth[order[:50]]
        rest = order[50:]
        found = supervised_votes(votes, told, n_labels=n_labels, rng=rng, judges=names)
        ours.append((found.probabilities[rest].argmax(axis=1) == truth[rest]).mean())
        theirs.append(plain[rest].mean())
    return np.array(ours), np.array(theirs)


def check_neighbor(shared: Path, n_runs: int) -> None:
    votes, truth = panel(shared, "llmbar", "Neighbor")
    each = np.where(votes == 0.5, 0.5, (votes > 0.5) == truth[:, None])
    best = np.where(np.isnan(votes), 0.5, each).mean(axis=0).max()
    assert 0.79 < best < 0.82
    ours, theirs = held_out(votes, truth, None, n_runs=n_runs, seed=1)
    error = ours.std(ddof=1) / n_runs**0.5
    assert ours.mean() >= best - 3 * error
    assert ours.mean() > 0.88  # measured .92
    assert theirs.mean() < 0.45


def test_fifty_labels_recover_the_best_judge_where_the_majority_fails(shared: Path) -> None:
    check_neighbor(shared, 6)


@pytest.mark.slow
def test_fifty_labels_recover_the_best_judge_over_200_choices(shared: Path) -> None:
    check_neighbor(shared, 200)


@pytest.mark.parametrize(
    ("name", "task", "n_labels"),
    [("triviaqa_judges_dev", None, None), ("alttest_dev", "cebab_aspects", 3)],
)
def test_nothing_is_lost_to_a_good_majority(
    shared: Path, name: str, task: str | None, n_labels: int | None
) -> None:
    votes, truth = panel(shared, name, task)
    known = ~np.isnan(truth)
    ours, theirs = held_out(votes[known], truth[known], n_labels, n_runs=10, seed=2)
    gap = ours - theirs
    assert gap.mean() >= -3 * gap.std(ddof=1) / len(gap) ** 0.5 - 0.002


def test_the_sign_test_is_the_binomial_one() -> None:
    difference = np.array([1.0] * 11 + [-1.0] * 4 + [0.0] * 9)
    assert paired_sign_test(difference) == pytest.approx(binomtest(4, 15).pvalue, abs=1e-12)
    clusters = np.repeat(np.arange(12), 2)
    sums = np.bincount(clusters, weights=difference)
    peer = binomtest(int((sums > 0).sum()), int((sums != 0).sum())).pvalue
    assert paired_sign_test(difference, clusters=clusters) == pytest.approx(peer, abs=1e-12)
    assert paired_sign_test([0, 0]) == 1.0


def random_labels(n_runs: int, seed: int) -> tuple[float, float]:
    """Rate of intervals that cover 1/2, and of tests that reject, where votes say nothing."""
    rng = np.random.default_rng(seed)
    covered = rejected = 0
    for _ in range(n_runs):
        votes = rng.integers(0, 2, (60, 5)).astype(float)
        truth = rng.integers(0, 2, 60).astype(float)
        rival = (votes.sum(axis=1) > 2).astype(float)
        found = supervised_votes(votes, truth, rival=rival, rng=rng)
        assert found.low is not None
        assert found.high is not None
        assert found.p_value is not None
        covered += found.low <= 0.5 <= found.high
        rejected += found.p_value < 0.05 and found.accuracy > (found.rival or 0)
    return covered / n_runs, rejected / n_runs


def test_votes_that_say_nothing_do_not_look_better_than_the_majority() -> None:
    _, rejected = random_labels(30, seed=3)
    assert rejected <= 0.05 + 3 * (0.05 * 0.95 / 30) ** 0.5


@pytest.mark.slow
def test_votes_that_say_nothing_over_many_draws() -> None:
    _, rejected = random_labels(1000, seed=4)
    assert rejected <= 0.05 + 3 * (0.05 * 0.95 / 1000) ** 0.5


def test_no_response_is_answered_with_its_own_label() -> None:
    # One item's label is turned: its own out-of-fold answer must not change.
    rng = np.random.default_rng(5)
    z = rng.integers(0, 2, 60)
    votes = np.where(rng.random((60, 4)) < 0.8, z[:, None], 1 - z[:, None]).astype(float)
    for row in (0, 17, 42):
        turned = z.copy()
        turned[row] = 1 - z[row]
        found = [
            supervised_votes(votes, truth, rng=np.random.default_rng(0)).probabilities[row]
            for truth in (z, turned)
        ]
        np.testing.assert_allclose(found[0], found[1], atol=1e-9)


def test_probabilities_sum_to_one_and_are_missing_without_votes() -> None:
    rng = np.random.default_rng(6)
    truth = rng.integers(0, 3, 90).astype(float)
    votes = np.where(rng.random((90, 4)) < 0.7, truth[:, None], rng.integers(0, 3, (90, 4)))
    votes[3] = np.nan
    truth[40:] = np.nan
    found = supervised_votes(votes, truth, n_labels=3, rng=rng)
    assert np.isnan(found.probabilities[3]).all()
    rest = np.delete(found.probabilities, 3, axis=0)
    np.testing.assert_allclose(rest.sum(axis=1), 1.0, atol=1e-12)
    assert found.n == 39


def test_clusters_are_left_out_whole() -> None:
    rng = np.random.default_rng(7)
    truth = rng.integers(0, 2, 120).astype(float)
    votes = np.where(rng.random((120, 3)) < 0.8, truth[:, None], 1 - truth[:, None])
    found = supervised_votes(votes, truth, clusters=np.arange(120) // 4, rng=rng)
    assert (found.n, found.n_clusters) == (120, 30)


@pytest.mark.parametrize(
    ("votes", "truth", "n_labels", "message"),
    [
        (np.ones((30, 2)), np.r_[[0.0, 1.0] * 5, [np.nan] * 20], None, "10 independent"),
        (np.ones((30, 2)), np.ones(30), None, "label 1 alone"),
        (np.full((30, 2), np.nan), np.ones(30), None, "0 independent"),
        (np.full((30, 2), 2.0), np.tile([0.0, 1.0], 15), None, r"scores lie in \[0, 1\]"),
        (np.ones((30, 2)), np.full(30, 2.0), None, r"truth holds 2; it must hold codes 0\.\.1"),
        (np.full((30, 2), 0.5), np.tile([0.0, 1.0], 15), 3, "codes 0..2"),
        (np.full((30, 2), np.inf), np.tile([0.0, 1.0], 15), None, "infinity"),
        (np.ones((30, 2)), np.ones(4), None, "one label a response: 30"),
    ],
)
def test_bad_arguments_are_named(
    votes: FloatArray, truth: FloatArray, n_labels: int | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        supervised_votes(votes, truth, n_labels=n_labels)


@pytest.mark.parametrize("n_labels", [1, 2.5, True])
def test_the_number_of_labels_is_named_where_it_is_none(n_labels: object) -> None:
    votes, truth = np.ones((40, 3)), np.arange(40) % 2
    with pytest.raises(ValueError, match=r"n_labels = .* must be a whole number of at least 2"):
        supervised_votes(votes, truth, n_labels=n_labels)  # type: ignore[arg-type]


def test_a_truth_of_texts_is_named() -> None:
    with pytest.raises(ValueError, match="truth has dtype"):
        supervised_votes(np.ones((40, 3)), np.array(["a", "b"] * 20))
