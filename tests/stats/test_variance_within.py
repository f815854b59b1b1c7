"""Self-consistency of one judge: peers, closed forms, real repeats, odd data."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import beta, iqr

from panopt.stats.variance_within import modal_share, self_consistency, within_judge

NAN = np.nan
cells = st.one_of(st.just(NAN), st.integers(0, 4).map(float), st.floats(-9, 9, width=32))


@given(arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(1, 6)), elements=cells))
def test_P_5_variance_and_iqr_equal_numpy_and_scipy_row_by_row(
    score: np.ndarray,
) -> None:
    found = self_consistency(score, n_boot=0)
    for row, scores in enumerate(score):
        kept = scores[~np.isnan(scores)]
        assert found.n_repeats[row] == kept.size
        if kept.size < 2:
            assert np.isnan([found.variance[row], found.iqr[row]]).all()
            continue
        assert found.mean[row] == pytest.approx(kept.mean(), abs=1e-9)
        assert found.variance[row] == pytest.approx(kept.var(ddof=1), abs=1e-9)
        assert found.iqr[row] == pytest.approx(iqr(kept), abs=1e-9)


def test_P_5_the_bayesian_bootstrap_of_two_repeats_is_uniform_between_them() -> None:
    """The weight of one of two repeats is Beta(1, 1)."""
    found = self_consistency([[2.0, 4.0]] * 3, n_boot=40_000, rng=np.random.default_rng(1))
    np.testing.assert_allclose([found.low, found.high], [[2.05] * 3, [3.95] * 3], atol=0.01)


def test_P_5_the_bayesian_bootstrap_of_passes_is_a_beta() -> None:
    """With 7 of 10 passes the weight of the passes is Beta(7, 3); a row of another length too."""
    rows = np.full((2, 12), NAN)
    rows[0, :10] = [1] * 7 + [0] * 3
    rows[1, 2:] = [0] * 3 + [1] * 7
    found = self_consistency(rows, level=0.9, n_boot=40_000, rng=np.random.default_rng(2))
    np.testing.assert_allclose(found.low, beta.ppf(0.05, 7, 3), atol=0.01)
    np.testing.assert_allclose(found.high, beta.ppf(0.95, 7, 3), atol=0.01)


@pytest.mark.parametrize(("repeats", "stated"), [(2, 0.47), (5, 0.79), (10, 0.88), (20, 0.92)])
def test_P_5_few_repeats_cover_as_stated(repeats: int, stated: float) -> None:
    """The documented shares, of 4000 judges with normal repeats."""
    rng = np.random.default_rng(3)
    found = self_consistency(rng.normal(size=(4000, repeats)), n_boot=1000, rng=rng)
    covered = float(np.mean((found.low <= 0) & (found.high >= 0)))
    assert covered == pytest.approx(stated, abs=3 * np.sqrt(0.25 / 4000) + 0.01)


def test_P_5_equal_repeats_have_no_interval() -> None:
    found = self_consistency([[0.1, 0.1, 0.1], [0.1, 0.2, NAN]])
    assert found.variance[0] == 0.0
    assert np.isnan(found.low[0])
    assert not np.isnan(found.low[1])


def test_without_repeats_there_is_a_reason() -> None:
    for scores in (
        [[1.0], [2.0]],
        [[1.0, NAN], [NAN, NAN]],
        np.zeros((3, 0)),
        np.zeros((0, 2)),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = self_consistency(scores)
        assert found.reason == "no item was scored twice"
        assert np.isnan(found.variance).all()


def test_rows_share_no_more_than_their_draws() -> None:
    """Many values or few, the intervals are the same."""
    rng = np.random.default_rng(4)
    rows = rng.integers(0, 3, (200, 4)) * 1.0
    few = self_consistency(rows, rng=np.random.default_rng(5))
    many = self_consistency(np.r_[rows, rng.normal(size=(200, 4))], rng=np.random.default_rng(5))
    np.testing.assert_allclose(many.low[:200], few.low)


#: README of the data set, answers without a verdict dropped. There an item whose judge gave one
#: verdict counts as agreeing with itself (3 items of Starling); one verdict shows nothing.
MODAL = {
    "gemma-1.1-7b-it": (0.914, 0),
    "Meta-Llama-3-8B-Instruct": (0.767, 0),
    "Starling-LM-7B-beta": (0.730, 3),
}


@pytest.mark.parametrize("judge", sorted(MODAL))
def test_P_5_modal_share_of_a_hundred_real_repeats(shared: Path, judge: str) -> None:
    file = shared / "data/sets/judge_repeat100/scores.parquet"
    wanted = [("temperature", "=", 1.0), ("judge", "=", judge)]
    rows = pq.read_table(file, filters=wanted).to_pydict()
    given, repeat = np.array(rows["choice"]), np.array(rows["repeat"])
    items = np.unique(rows["item_id"], return_inverse=True)[1]
    labels = np.full((items.max() + 1, 100), NAN)
    known = given != "NONE"
    labels[items[known], repeat[known]] = np.unique(given[known], return_inverse=True)[1]
    found = modal_share(labels)
    published, alone = MODAL[judge]
    assert np.count_nonzero(np.count_nonzero(~np.isnan(labels), axis=1) == 1) == alone
    assert found.value is not None
    with_lone = (found.value * found.n + alone) / (found.n + alone)
    assert with_lone == pytest.approx(published, abs=6e-4)


def test_modal_share_without_repeats_has_a_reason() -> None:
    for labels in ([[1.0], [2.0]], np.zeros((0, 3)), [[NAN, NAN]]):
        found = modal_share(labels)
        assert (found.value, found.n, found.reason) == (
            None,
            0,
            "no item was judged twice",
        )


def test_within_judge_pools_variances_and_covers() -> None:
    rng = np.random.default_rng(6)
    sd = np.array([0.1, 0.5, 1.0])
    items, judges, _ = np.indices((40, 3, 3)).reshape(3, -1)
    held, runs = np.zeros(3), 200
    for _ in range(runs):
        y = rng.normal(size=(40, 1, 1)) + sd[:, None] * rng.normal(size=(40, 3, 3))
        found = within_judge(items, judges, y.ravel(), 3)
        np.testing.assert_allclose(found[:, 0] ** 2, y.var(axis=2, ddof=1).mean(axis=0))
        held += (found[:, 1] <= sd) & (sd <= found[:, 2])
    assert held.min() / runs >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs)


def test_within_judge_says_what_it_cannot_tell() -> None:
    items, judges = np.array([0, 0, 1, 1, 0, 1]), np.array([0, 0, 0, 0, 1, 2])
    found = within_judge(items, judges, np.array([1.0, 1.0, 2.0, 2.0, 3.0, 4.0]), 4)
    np.testing.assert_array_equal(found[0], [0.0, NAN, NAN, 2.0])
    np.testing.assert_array_equal(found[1:, 3], [0.0, 0.0, 0.0])
    assert np.isnan(found[1:, :3]).all()


@pytest.mark.parametrize(
    ("score", "options", "message"),
    [
        ([1.0, 2.0], {}, "score of shape .2,. must have two axes: items, repeats"),
        ([[1.0, np.inf]], {}, "score holds an infinity"),
        ([["a", "b"]], {}, "score has dtype"),
        ([[1.0, 2.0]], {"level": 0.0}, "level = 0.0 must lie strictly between 0 and 1"),
        (
            [[1.0, 2.0]],
            {"n_boot": 7},
            "n_boot = 7 must be 0 .no interval. or at least 100",
        ),
    ],
)
def test_bad_scores_and_options_are_named(
    score: list[list[float]], options: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        self_consistency(score, **options)  # type: ignore[arg-type]


def test_bad_labels_are_named() -> None:
    with pytest.raises(ValueError, match=r"label of shape .2,. must have two axes"):
        modal_share([1.0, 2.0])
    with pytest.raises(ValueError, match="label holds an infinity"):
        modal_share([[1.0, np.inf]])
