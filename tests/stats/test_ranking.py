from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from panopt.stats.binomial import clopper_pearson
from panopt.stats.ranking import aurc, auroc, average_precision, excess_aurc, risk_coverage
from panopt.stats.scored import Estimate

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], tuple[Floats, NDArray[np.bool_]]]
Measure = Callable[..., Estimate]
MEASURES: list[Measure] = [auroc, average_precision, aurc, excess_aurc]


def samples() -> list[tuple[Floats, NDArray[np.bool_]]]:
    rng = np.random.default_rng(0)
    found = []
    for x in (rng.random(500), rng.integers(0, 6, 500) / 5, rng.normal(size=9000), np.ones(9)):
        y = rng.random(x.size) < np.clip(x, 0.2, 0.8)
        y[:2] = True, False
        found.append((x, y))
    return found


@pytest.mark.parametrize("case", range(4))
def test_P_9_auroc_and_auprc_are_scikit_learn_s(case: int) -> None:
    x, y = samples()[case]
    assert auroc(x, y).value == pytest.approx(roc_auc_score(y, x), abs=1e-10)
    assert average_precision(x, y).value == pytest.approx(average_precision_score(y, x), abs=1e-10)


def test_standard_error_of_auroc_is_delong_s() -> None:
    x, y = samples()[1]
    hits, misses = x[y], x[~y]
    wins = (hits[:, None] > misses) + (hits[:, None] == misses) / 2
    variance = wins.mean(axis=1).var(ddof=1) / hits.size + wins.mean(axis=0).var(ddof=1) / (
        misses.size
    )
    assert auroc(x, y).se == pytest.approx(np.sqrt(variance), rel=1e-10)


def test_standard_error_of_clustered_auroc_is_obuchowski_s() -> None:
    rng = np.random.default_rng(1)
    x, y, g = rng.integers(0, 6, 300) / 5, rng.random(300) < 0.7, rng.integers(0, 60, 300)
    hits, misses = x[y], x[~y]
    wins = (hits[:, None] > misses) + (hits[:, None] == misses) / 2
    area, m, n = wins.mean(), hits.size, misses.size
    above = np.bincount(g[y], weights=wins.mean(axis=1) - area, minlength=60)
    below = np.bincount(g[~y], weights=wins.mean(axis=0) - area, minlength=60)
    k = 60 / 59  # the same number of clusters for both kinds: all of them hold both
    assert np.unique(g[y]).size == np.unique(g).size == 60
    variance = k * (
        np.sum(above**2) / m**2 + np.sum(below**2) / n**2 + 2 * np.sum(above * below) / (m * n)
    )
    assert auroc(x, y, clusters=g).se == pytest.approx(np.sqrt(variance), rel=1e-10)


@pytest.mark.parametrize("measure", MEASURES)
def test_standard_errors_are_nearly_the_jackknife_s(measure: Measure) -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(0, 11, 400) / 10
    y, n = rng.random(400) < x, 400
    left_out = np.array([measure(np.delete(x, i), np.delete(y, i)).value for i in range(n)])
    jackknife = np.sqrt((n - 1) / n * np.sum((left_out - left_out.mean()) ** 2))
    assert measure(x, y).se == pytest.approx(jackknife, rel=0.02)


@pytest.mark.parametrize("measure", MEASURES)
def test_doubled_verdicts_in_clusters_of_two_are_the_same_evidence(measure: Measure) -> None:
    rng = np.random.default_rng(3)
    x = rng.random(400)
    y = rng.random(400) < x
    once = measure(x, y)
    twice = measure(np.r_[x, x], np.r_[y, y], clusters=np.r_[np.arange(400), np.arange(400)])
    naive = measure(np.r_[x, x], np.r_[y, y])
    assert once.se is not None
    assert twice.se == pytest.approx(once.se, rel=0.02)
    assert naive.se == pytest.approx(once.se / np.sqrt(2), rel=0.02)
    assert twice.n_clusters == 400


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_values_lie_in_their_intervals(pairs: list[tuple[int, bool]]) -> None:
    x, y = np.array([a for a, _ in pairs]) / 5, np.array([b for _, b in pairs])
    for measure in MEASURES:
        found = measure(x, y)
        if found.value is None:
            assert found.reason
        elif found.low is None or found.high is None:
            assert found.no_interval
        else:
            assert 0.0 <= found.low <= found.value <= found.high <= 1.0


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_ranks_are_all_that_counts(pairs: list[tuple[int, bool]]) -> None:
    x, y = np.array([float(a) for a, _ in pairs]), np.array([b for _, b in pairs])
    for measure in MEASURES:
        assert measure(np.exp(x), y).value == measure(x, y).value


def test_T_4_tied_confidences_move_together() -> None:
    x, y = [0.9, 0.9, 0.9, 0.5], [1, 1, 0, 0]
    curve = risk_coverage(x, y)
    assert curve.threshold.tolist() == [0.9, 0.5]
    assert curve.coverage.tolist() == [0.75, 1.0]
    assert curve.risk.tolist() == [1 / 3, 0.5]
    low, high = clopper_pearson([1, 2], [3, 4])
    assert curve.low.tolist() == low.tolist()
    assert curve.high.tolist() == high.tolist()
    assert aurc(x, y).value == pytest.approx((3 * (1 / 3) + 0.5) / 4)
    assert aurc(x[::-1], y[::-1]).value == aurc(x, y).value


def test_aurc_is_the_mean_risk_of_accepting_one_more() -> None:
    rng = np.random.default_rng(4)
    x = rng.permutation(200) / 200
    y = rng.random(200) < x
    wrong = ~y[np.argsort(-x)]
    by_hand = np.mean(np.cumsum(wrong) / np.arange(1, 201))
    best = np.mean(np.cumsum(np.sort(wrong)) / np.arange(1, 201))
    assert aurc(x, y).value == pytest.approx(by_hand, abs=1e-12)
    assert excess_aurc(x, y).value == pytest.approx(by_hand - best, abs=1e-12)


def test_perfect_ranking_is_no_certainty() -> None:
    found = auroc([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 0])
    assert found.value == 1.0
    assert found.low is not None
    assert found.low < 0.5
    assert excess_aurc([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 0]).value == 0.0


def test_one_class_one_label_and_no_label_are_answered_in_words() -> None:
    assert auroc([0.5, 0.6], [1, 1]).reason == "all 2 labelled verdicts are right"
    assert auroc([0.5, 0.6], [0, 0]).reason == "all 2 labelled verdicts are wrong"
    assert auroc([], []).reason == "there is no labelled verdict"
    assert average_precision([0.5], [0]).reason == "no verdict is right"
    assert average_precision([], []).reason == "there is no labelled verdict"
    assert aurc([], []).reason == "there is no labelled verdict"
    only = auroc([0.5, 0.6, 0.7], [1, 1, 0])
    assert only.value == 0.0
    assert only.no_interval is not None
    assert "the only verdict of its kind" in only.no_interval
    one = auroc([0.5, 0.6], [1, 0], clusters=[7, 7])
    assert one.no_interval == "one independent verdict gives no standard error"
    assert aurc([0.5], [1]).no_interval == "one independent verdict gives no standard error"
    assert risk_coverage([], []).risk.size == 0


def test_error_free_labels_leave_room_for_errors() -> None:
    found = aurc(np.linspace(0.5, 1, 20), np.ones(20))
    assert found.value == 0.0
    assert found.high is not None
    assert found.high > 0.1


def test_infinite_confidence_is_refused() -> None:
    with pytest.raises(ValueError, match="confidence must be finite"):
        auroc([0.5, -np.inf], [1, 0])
    with pytest.raises(ValueError, match="level = 2"):
        aurc([0.5], [1], level=2)


# Coverage. The truth is the measure of 400,000 draws from the same law; votes are tied as those
# of five judges are, `rare` has one error in ten, found by confidence.
def spread(rng: np.random.Generator, n: int) -> tuple[Floats, NDArray[np.bool_]]:
    x = 0.5 + 0.5 * rng.beta(2, 1, n)
    return x, rng.random(n) < x


def votes(rng: np.random.Generator, n: int) -> tuple[Floats, NDArray[np.bool_]]:
    kind = rng.choice(3, n, p=[0.2, 0.3, 0.5])
    return np.array([0.6, 0.8, 1.0])[kind], rng.random(n) < np.array([0.6, 0.85, 0.97])[kind]


def rare(rng: np.random.Generator, n: int) -> tuple[Floats, NDArray[np.bool_]]:
    y = rng.random(n) < 0.9
    return rng.normal(y * 2.5), y


def covered(measure: Measure, draw: Draw, n: int, draws: int, *, each: int = 1) -> tuple[int, int]:
    """Count intervals that hold the truth, of verdicts that come `each` times."""
    truth = measure(*draw(np.random.default_rng(10**6), 400_000)).value
    assert truth is not None
    held = answered = 0
    for seed in range(draws):
        x, y = draw(np.random.default_rng(seed), n)
        group = np.tile(np.arange(n), each)
        found = measure(np.tile(x, each), np.tile(y, each), clusters=group)
        if found.low is not None and found.high is not None:
            answered += 1
            held += found.low <= truth <= found.high
    return held, answered


def enough(level: float, draws: int) -> float:
    return level - 3 * float(np.sqrt(level * (1 - level) / draws))


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("draw", [spread, votes, rare])
def test_P_9_intervals_of_rankings_cover_fast(measure: Measure, draw: Draw) -> None:
    held, answered = covered(measure, draw, 100, 200)
    assert answered > 190
    assert held / answered >= enough(0.94, answered)


@pytest.mark.slow
@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("draw", [spread, votes, rare])
@pytest.mark.parametrize("n", [30, 100, 400, 2000])
@pytest.mark.parametrize("each", [1, 3])
def test_P_9_intervals_of_rankings_cover(measure: Measure, draw: Draw, n: int, each: int) -> None:
    held, answered = covered(measure, draw, n, 2000, each=each)
    assert answered > 1500
    assert held / answered >= enough(0.94, answered)
