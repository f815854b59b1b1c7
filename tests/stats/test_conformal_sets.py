"""Label sets: definitions, coverage, classes, order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from panopt.plugins.conformal import (
    class_conditional_threshold,
    class_coverage,
    label_scores,
    label_sets,
    label_threshold,
    split_threshold,
)
from panopt.stats.conformal_sets import SetScore, left_out_coverage

Floats = NDArray[np.float64]
METHODS: tuple[SetScore, ...] = ("lac", "aps", "ordinal")


def drawn(n: int, seed: int, k: int = 5, *, sharp: float = 0.7) -> tuple[Floats, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(k, sharp), n)
    return p, np.array([rng.choice(k, p=row) for row in p])


def test_lac_is_that_of_mapie() -> None:
    """Compare with MAPIE 1.6.0, given the same probabilities p and labels y.

    SplitConformalClassifier(given, confidence_level=.9, prefit=True, conformity_score="lac")
    with .conformalize(p[:400], y[:400]).predict_set(p[400:])[1][:, :, 0]
    """
    p, y = drawn(600, 5)
    bound = label_threshold(p[:400], y[:400], alpha=0.1)
    sets = label_sets(p[400:], bound)
    assert sets.sum(axis=0).tolist() == [103, 128, 96, 108, 116]
    assert sets[np.arange(200), y[400:]].sum() == 176


def test_aps_score_is_the_mass_of_labels_at_least_as_likely() -> None:
    p, _ = drawn(50, 0)
    wanted = [[row[row >= row[label]].sum() for label in range(5)] for row in p]
    np.testing.assert_allclose(label_scores(p, method="aps"), wanted)
    random = label_scores(p, method="aps", rng=np.random.default_rng(0))
    assert np.all(random <= label_scores(p, method="aps"))
    assert np.all(random >= label_scores(p, method="aps") - p)


@given(st.integers(0, 10_000), st.integers(2, 7), st.floats(0.0, 1.0))
def test_ordinal_sets_have_no_holes_and_hold_every_lac_set(seed: int, k: int, q: float) -> None:
    p = np.random.default_rng(seed).dirichlet(np.full(k, 0.5), 20)
    sets = label_sets(p, q, method="ordinal")
    changes = np.count_nonzero(np.diff(sets.astype(int), axis=1), axis=1)
    ends = sets[:, 0].astype(int) + sets[:, -1]
    assert np.all(changes + ends <= 2), "at most one run of levels"
    assert not np.any(sets & ~label_sets(p, q)), "the score is never smaller than that of LAC"
    filled = label_sets(p, q, method="ordinal", fill=True)
    assert filled.any(axis=1).all()


@pytest.mark.parametrize("method", METHODS)
def test_sets_cover_as_promised(method: SetScore) -> None:
    share = []
    for seed in range(60):
        p, y = drawn(300, seed)
        wrong = p[:, ::-1] if seed % 2 else p  # right or wrong, the coverage holds
        bound = label_threshold(wrong[:100], y[:100], alpha=0.2, method=method)
        sets = label_sets(wrong[100:], bound, method=method)
        share.append(sets[np.arange(200), y[100:]].mean())
    error = 3 * np.std(share) / np.sqrt(len(share))
    assert 0.8 - error <= np.mean(share) <= 0.8 + 1 / 101 + error


def test_randomised_aps_gives_smaller_sets_of_the_same_coverage() -> None:
    p, y = drawn(4000, 1)
    rng = np.random.default_rng(0)
    sets = []
    for with_rng in (None, rng):
        bound = label_threshold(p[:2000], y[:2000], alpha=0.1, method="aps", rng=with_rng)
        sets.append(label_sets(p[2000:], bound, method="aps", rng=with_rng))
    assert sets[1].sum() < sets[0].sum()
    assert sets[1][np.arange(2000), y[2000:]].mean() == pytest.approx(0.9, abs=0.03)


def test_each_label_is_held_as_often_where_each_is_calibrated_on_its_own() -> None:
    """A panel that hardly sees failures: marginal sets miss them, class-conditional ones do not."""
    rng = np.random.default_rng(0)
    y = (rng.random(6000) < 0.08).astype(int)
    fail = np.clip(0.05 + 0.1 * y + rng.normal(0, 0.03, 6000), 0.001, 0.999)
    p = np.column_stack([1 - fail, fail])
    marginal = class_coverage(
        label_sets(p[3000:], label_threshold(p[:3000], y[:3000], alpha=0.1)), y[3000:]
    )
    own = class_coverage(
        label_sets(p[3000:], class_conditional_threshold(p[:3000], y[:3000], alpha=0.1)), y[3000:]
    )
    assert marginal.low < 0.9 < marginal.high + 0.02
    assert marginal.class_high[1] < 0.2
    assert np.all(own.class_coverage > 0.9 - 3 * np.sqrt(0.09 / own.class_n) - 0.03)


def test_a_label_with_too_few_is_in_every_set_and_says_how_many_it_takes() -> None:
    p, _ = drawn(40, 3, 3)
    bounds = class_conditional_threshold(p, [0] * 35 + [2] * 5, alpha=0.1)
    assert [np.isinf(bound.value) for bound in bounds] == [False, True, True]
    assert bounds[2].reason == "5 labels give no finite bound at alpha = 0.1: 9 are needed"
    assert label_sets(p, bounds)[:, 1:].all()


def test_left_out_coverage_is_that_of_bounds_made_without_each() -> None:
    rng = np.random.default_rng(0)
    for n in (5, 12, 40):
        s = np.round(rng.random(n), 1)  # with ties
        wanted = [s[i] <= split_threshold(np.delete(s, i), alpha=0.2).value for i in range(n)]
        assert left_out_coverage(s, alpha=0.2).tolist() == wanted


def test_empty_sets_can_be_given_the_likeliest_label() -> None:
    p = np.array([[0.4, 0.35, 0.25], [0.9, 0.05, 0.05]])
    assert label_sets(p, 0.3).sum(axis=1).tolist() == [0, 1]
    assert label_sets(p, 0.3, fill=True).tolist() == [[True, False, False]] * 2
    assert label_sets(p, np.inf).all()


@pytest.mark.parametrize(
    ("p", "labels", "message"),
    [
        ([[0.5, 0.6]], [0], "row 0 are .* add up to 1"),
        ([[1.5, -0.5]], [0], "must be at least 0"),
        ([0.5, 0.5], [0], "must be a matrix"),
        ([[0.5, 0.5]], [2], r"lie in 0\.\.1"),
        ([[0.5, 0.5]], [0.5], "whole numbers"),
        ([[0.5, 0.5]], [0, 1], "one code a response"),
        ([[np.nan, np.nan]], [0], "must not be NaN; leave these out"),
    ],
)
def test_bad_probabilities_and_labels_are_named(p: object, labels: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        label_threshold(p, labels)  # type: ignore[arg-type]


def test_bad_options_of_sets_are_named() -> None:
    p, y = drawn(20, 0)
    with pytest.raises(ValueError, match="method = 'best' must be one of lac, aps, ordinal"):
        label_scores(p, method="best")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rng randomises aps alone"):
        label_threshold(p, y, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="threshold = nan must be one number, not NaN"):
        label_sets(p, np.nan)
    with pytest.raises(ValueError, match="2 bounds for 5 labels"):
        label_sets(p, (split_threshold([0.1]),) * 2)
    with pytest.raises(ValueError, match="of bool"):
        class_coverage(p, y)
    assert label_threshold(p[:0], y[:0]).value == np.inf
    assert label_sets(p[:0], 0.5).shape == (0, 5)
