from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from panopt.plugins.recalibration import Method, VennAbers, panopt_analyze, recalibrate
from panopt.records.ask import Ask

Judge = Callable[..., Any]
METHODS: list[Method] = list(get_args(Method))


def sample(n: int, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    x = 0.5 + 0.5 * rng.random(n)
    return x, rng.random(n) < 1.3 * x - 0.45


@pytest.mark.parametrize("method", METHODS)
def test_no_label_has_a_part_in_its_own_probability(method: Method) -> None:
    x, y = sample(120)
    first = recalibrate(x, y, method=method, folds=4)
    flipped = y.copy()
    own = np.flatnonzero(y)[0]
    flipped[own] = False
    # Another label of this fold flips with it, so that every fold deals as it did before.
    mates = np.flatnonzero((first.fold == first.fold[own]) & ~y)
    flipped[mates[0]] = True
    again = recalibrate(x, flipped, method=method, folds=4)
    if (again.fold == first.fold).all():
        same = first.fold == first.fold[own]
        np.testing.assert_array_equal(again.probability[same], first.probability[same])
    for part in range(4):
        held = first.fold == part
        rest = recalibrate(x[~held], y[~held], method=method, folds=4)
        assert rest.fitted is not None
        if method != "cross_venn_abers":
            np.testing.assert_allclose(
                rest.fitted.predict(x[held]), first.probability[held], atol=1e-9
            )


def test_isotonic_out_of_fold_is_scikit_learn_s_on_the_same_folds() -> None:
    x, y = sample(200)
    found = recalibrate(x, y, method="isotonic", folds=5)
    for part in range(5):
        held = found.fold == part
        theirs = IsotonicRegression(out_of_bounds="clip").fit(x[~held], y[~held])
        np.testing.assert_allclose(found.probability[held], theirs.predict(x[held]), atol=1e-9)
    assert found.low is None


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from(METHODS))
def test_clusters_are_never_on_both_sides(seed: int, method: Method) -> None:
    rng = np.random.default_rng(seed)
    x, y = sample(150, seed)
    clusters = rng.integers(0, 60, 150) * 10**9
    found = recalibrate(x, y, method=method, clusters=clusters, rng=rng)
    assert found.reason is None
    for cluster in np.unique(clusters):
        assert np.unique(found.fold[clusters == cluster]).size == 1
    assert ((found.probability >= 0) & (found.probability <= 1)).all()
    assert set(np.unique(found.fold).tolist()) == set(range(10))


@pytest.mark.parametrize("method", METHODS)
def test_recalibration_pays_where_confidence_is_off(method: Method) -> None:
    x, y = sample(600)
    found = recalibrate(x, y, method=method)
    assert found.gain is not None
    assert found.gain.low is not None
    assert found.gain.low > 0
    assert found.warnings == ()
    assert found.fitted is not None
    assert found.fitted.predict([0.75])[0] == pytest.approx(1.3 * 0.75 - 0.45, abs=0.1)


def test_venn_abers_gives_both_its_probabilities() -> None:
    x, y = sample(200)
    found = recalibrate(x, y)
    assert found.low is not None
    assert found.high is not None
    assert (found.low <= found.probability).all()
    assert (found.probability <= found.high).all()
    assert isinstance(found.fitted, VennAbers)
    few = recalibrate(x[:40], y[:40])
    assert few.low is not None
    assert few.high is not None
    assert np.mean(few.high - few.low) > np.mean(found.high - found.low)


def test_missing_confidence_and_labels_are_left_out() -> None:
    x, y = sample(100)
    agrees = y.astype(float)
    agrees[3], x[5] = np.nan, np.nan
    found = recalibrate(x, agrees)
    assert found.n == 98
    assert np.flatnonzero(np.isnan(found.probability)).tolist() == [3, 5]
    assert np.flatnonzero(found.fold == -1).tolist() == [3, 5]


def test_too_few_labels_or_one_class_are_answered_in_words() -> None:
    x, y = sample(100)
    assert recalibrate([], []).reason == "0 labelled verdicts: a map takes at least 20"
    few = recalibrate(x[:10], y[:10])
    assert few.reason == "10 labelled verdicts: a map takes at least 20"
    assert (few.fitted, few.gain, few.brier_before) == (None, None, None)
    assert np.isnan(few.probability).all()
    right = recalibrate(x, np.ones(100))
    assert right.reason == ("only 0 of 100 labelled verdicts are wrong: a map takes at least 5")
    clusters = np.repeat(np.arange(10), 10)
    assert recalibrate(x, y, clusters=clusters).reason == (
        "10 labelled clusters: a map takes at least 20"
    )
    grouped = recalibrate(x, np.arange(100) < 96, clusters=np.repeat(np.arange(50), 2))
    assert grouped.reason == (
        "only 2 of 50 labelled clusters hold wrong verdicts: a map takes at least 5"
    )


def test_what_speaks_against_a_map_is_said() -> None:
    rng = np.random.default_rng(1)
    x = rng.random(200)
    assert "higher confidence goes with fewer right verdicts" in (
        recalibrate(x, rng.random(200) > x).warnings
    )
    same = recalibrate(np.full(60, 0.8), rng.random(60) < 0.8, method="platt")
    assert "all confidences are equal: the map is the share that is right" in same.warnings
    calibrated = recalibrate(x, rng.random(200) < x, method="isotonic", folds=2)
    assert calibrated.gain is not None
    assert calibrated.gain.value is not None
    assert calibrated.gain.value < 0
    assert any("no better out of fold" in text for text in calibrated.warnings)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"method": "beta"}, "method = 'beta' must be one of venn_abers"),
        ({"folds": 1}, "folds = 1 must be a whole number of at least 2"),
        ({"folds": 2, "method": "cross_venn_abers"}, "folds = 2 must be .* at least 3"),
        ({"folds": 2.5}, r"folds = 2\.5 must be"),
        ({"level": 1.0}, r"level = 1\.0 must lie"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], match: str) -> None:
    x, y = sample(50)
    with pytest.raises(ValueError, match=match):
        recalibrate(x, y, **options)


def test_same_seed_same_folds() -> None:
    x, y = sample(100)
    one, two, other = (recalibrate(x, y, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.probability, two.probability)
    assert (one.fold != other.fold).any()


def calibrated(judged: Judge, labels: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)
    n = 400
    confidence = 0.5 + 0.5 * rng.random(n)
    verdict = (rng.random(n) < 0.6).astype(float)
    right = rng.random(n) < confidence - 0.25
    human = np.where(right, verdict, 1 - verdict)
    human[labels:] = np.nan
    case = judged(verdict[:, None], human=human, confidence=confidence)
    found = panopt_analyze(case.matrix, case.consensus, Ask(), np.random.default_rng(0))
    return right, case, found


def test_hook_calibrates_labelled_and_other_responses(judged: Judge) -> None:
    right, case, found = calibrated(judged, 200)
    column = found.columns["calibrated_confidence"]
    assert not np.isnan(column).any()
    expected = recalibrate(
        case.consensus.confidence[:200], right[:200], rng=np.random.default_rng(0)
    )
    np.testing.assert_array_equal(column[:200], expected.probability)
    assert expected.fitted is not None
    others = expected.fitted.predict(case.consensus.confidence[200:])
    np.testing.assert_array_equal(column[200:], others)
    assert np.mean(column[200:]) == pytest.approx(right[200:].mean(), abs=0.1)
    (row,) = found.rows
    assert row.value == pytest.approx(np.mean((expected.probability - right[:200]) ** 2))
    assert row.low < row.value < row.high
    assert not row.headline
    assert "use it where a probability is wanted" in found.notes[0]


def test_hook_gives_undecided_responses_no_confidence(judged: Judge) -> None:
    votes = np.ones((60, 1))
    votes[[0, 50]] = np.nan
    human = np.where(np.arange(60) % 3 == 0, 0.0, 1.0)
    human[40:] = np.nan
    case = judged(votes, human=human)
    found = panopt_analyze(case.matrix, case.consensus, Ask(), np.random.default_rng(0))
    assert found is not None
    missing = np.isnan(found.columns["calibrated_confidence"])
    assert np.flatnonzero(missing).tolist() == [0, 50]


def test_hook_says_that_labels_are_too_few(judged: Judge) -> None:
    assert calibrated(judged, 0)[2] is None
    _, _, found = calibrated(judged, 12)
    assert found.columns == {}
    (row,) = found.rows
    assert row.value is None
    assert row.reason == "12 labelled verdicts: a map takes at least 20"
