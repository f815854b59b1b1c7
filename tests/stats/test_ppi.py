from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from panopt.stats.mean import mean_interval
from panopt.stats.ppi import PpiEstimate, ppi_mean, ppi_pass_rate
from panopt.stats.ppi_sums import regress
from panopt.stats.ppi_table import table_estimate

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], tuple[Floats, Floats, Floats]]

SCORES = (
    np.array([1.0, 1.0, 0.0, 1.0, 0.0, 1.0]),
    np.array([0.9, 0.8, 0.4, 0.6, 0.1, 0.7]),
    np.array([0.8, 0.3, 0.9, 0.7, 0.2, 0.6, 0.9, 0.5]),
)


@pytest.mark.parametrize(
    ("lam", "value", "low", "high"),
    [
        # ppi-python 0.2.3: ppi_mean_pointestimate(y, f, u, lam=lam), ppi_mean_ci(y, f, u,
        # alpha=0.05, lam=lam)
        (0.0, 0.666667, 0.289471, 1.043862),
        (0.5, 0.68125, 0.381419, 0.981081),
        (1.0, 0.695833, 0.421895, 0.969772),
    ],
)
def test_a_given_lambda_is_the_published_estimate(
    lam: float, value: float, low: float, high: float
) -> None:
    found = ppi_mean(*SCORES, lam=lam)
    assert (found.value, found.low, found.high) == pytest.approx((value, low, high), abs=1e-6)
    assert found.lam == lam


#: ppi-python 0.2.3 on 400 responses sorted by item, the first 100 labelled, judge Llama-7B: system,
#: then value, low and high at lambda .3 and at lambda 1.
PUBLISHED = """
gpt-4t          .933 .886948 .979052   .94     .865935 1.014065
llama2-13b-base .717 .645453 .788547   .756667 .679426  .833907
llama2-13b-chat .578 .492478 .663522   .62     .524705  .715295
llama2-70b-base .867 .811366 .922634   .86     .784158  .935842
llama2-70b-chat .759 .686353 .831647   .733333 .655847  .810819
llama2-7b-base  .625 .54932  .70068    .66     .579953  .740047
mistral-7B      .747 .678603 .815397   .74     .659443  .820557
mistral-7b-chat .664 .583134 .744866   .696667 .610004  .783329
"""


def trivia(shared: Path, judge: str) -> dict[str, tuple[Floats, Floats]]:
    """Labels and verdicts of one judge by system, sorted by item; those it gave."""
    pandas = pytest.importorskip("pandas")
    table = pandas.read_parquet(shared / "data/sets/triviaqa_judges_dev/scores.parquet")
    table = table[table.judge == judge].dropna(subset=["score"]).sort_values("item_id")
    return {
        name: (rows.label.to_numpy(float), rows.score.to_numpy(float))
        for name, rows in table.groupby("response_id")
    }


def test_real_labels_equal_the_peer_at_the_same_lambda(shared: Path) -> None:
    data = trivia(shared, "Llama-7B")
    for line in PUBLISHED.split("\n")[1:-1]:
        name, *numbers = line.split()
        y, f = data[name]
        for lam, expected in ((0.3, numbers[:3]), (1.0, numbers[3:])):
            found = ppi_mean(y[:100], f[:100], f[100:], lam=lam)
            peer = pytest.approx([float(text) for text in expected], abs=1e-5)
            assert [found.value, found.low, found.high] == peer


@pytest.mark.parametrize("judge", ["Llama-7B", "GPT-4", "JudgeLM", "Llama3-70B"])
def test_real_intervals_are_narrower_than_the_labels_own_and_hold_the_truth(
    shared: Path, judge: str
) -> None:
    narrower, holds = 0, 0
    for y, f in trivia(shared, judge).values():
        found = ppi_mean(y[:100], f[:100], f[100:])
        assert found.low is not None
        assert found.high is not None
        classical = 2 * 1.96 * float(np.sqrt(y[:100].var() / 100))
        narrower += found.high - found.low < classical
        holds += found.low <= y.mean() <= found.high
    assert narrower >= 7
    assert holds == 9


def test_a_table_is_post_stratified() -> None:
    y, f = np.repeat([0, 1, 0, 1], [3, 2, 2, 43]), np.repeat([0, 1], [5, 45])
    found = ppi_mean(y, f, np.repeat([0, 1], [105, 895]))
    share = (895 + 45) / 1050
    assert found.value == pytest.approx(share * 43 / 45 + (1 - share) * 2 / 5)
    slope = 43 / 45 - 2 / 5
    assert found.lam == pytest.approx(slope * 1000 / 1050)
    # the same as lambda times what the judge says beyond the labelled
    assert found.value == pytest.approx(0.9 + slope * 1000 / 1050 * (0.895 - 0.9))


def test_the_jackknife_is_the_leave_one_out_formula() -> None:
    rng = np.random.default_rng(0)
    y, f, pool = rng.random(12), rng.random(12), rng.random(30)
    clusters = np.repeat([0, 1, 2, 3], 3)
    pool_clusters = np.r_[np.repeat([0, 3], 5), np.repeat([4, 5, 6, 7], 5)]

    def value(keep: Floats, keep_pool: Floats) -> float:
        a, b, c = y[keep], f[keep], pool[keep_pool]
        slope = np.cov(a, b)[0, 1] / b.var(ddof=1)
        return float(a.mean() + slope * (np.append(b, c).mean() - b.mean()))

    found = regress(y, f, pool, clusters=clusters, pool_clusters=pool_clusters)
    everything = np.ones(12, bool), np.ones(30, bool)
    assert found.value == pytest.approx(value(*everything))
    each = np.array([value(clusters != g, pool_clusters != g) for g in range(4)])
    assert found.labelled == pytest.approx(3 / 4 * np.sum((each - found.value) ** 2))
    far = np.array([value(everything[0], pool_clusters != g) - found.value for g in range(4, 8)])
    assert found.pool == pytest.approx(np.sum(far**2))
    assert found.units == 4


def test_each_response_its_own_cluster_is_no_clustering() -> None:
    rng = np.random.default_rng(0)
    y, f, pool = rng.random(40), rng.random(40), rng.random(300)
    plain = ppi_mean(y, f, pool)
    keyed = ppi_mean(y, f, pool, clusters=np.arange(40), clusters_unlabeled=np.arange(40, 340))
    assert (plain.value, plain.low, plain.high) == pytest.approx(
        (keyed.value, keyed.low, keyed.high), rel=1e-9
    )


def test_alike_weights_are_no_weights() -> None:
    rng = np.random.default_rng(0)
    y, f, pool = rng.random(40), rng.random(40), rng.random(300)
    plain, weighed = ppi_mean(y, f, pool), ppi_mean(y, f, pool, weights=np.full(40, 7.0))
    assert (plain.value, plain.low, plain.high) == pytest.approx(
        (weighed.value, weighed.low, weighed.high), rel=1e-9
    )


labels = st.lists(st.integers(0, 4), min_size=5, max_size=40)


@given(y=labels, seed=st.integers(0, 999), binary=st.booleans(), few=st.booleans())
@settings(max_examples=80)
def test_intervals_hold_their_value_and_stay_on_the_scale(
    y: list[int], seed: int, *, binary: bool, few: bool
) -> None:
    rng = np.random.default_rng(seed)
    truth = np.array(y) >= 2 if binary else np.array(y) / 4
    judge = rng.integers(0, 2, len(y)) if few else rng.normal(size=len(y))
    pool = rng.integers(0, 2, 30) if few else rng.normal(size=30)
    found = ppi_mean(truth, judge, pool)
    assert found.reason is None
    assert 0 <= found.low <= found.value <= found.high <= 1  # type: ignore[operator]
    assert found.high > found.low  # type: ignore[operator]
    assert found.ess is None or found.ess > 0
    flipped = ppi_mean(1 - truth * 1.0, judge, pool)
    assert flipped.value == pytest.approx(1 - found.value)  # type: ignore[operator]
    ends = (1 - found.high, 1 - found.low)  # type: ignore[operator]
    assert (flipped.low, flipped.high) == pytest.approx(ends, abs=1e-9)


@given(scale=st.floats(0.01, 100), shift=st.floats(-50, 50), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_the_judge_s_scale_does_not_matter(scale: float, shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.random(60)
    f, pool = y + rng.normal(size=60) / 3, rng.normal(size=200)
    one, two = ppi_mean(y, f, pool), ppi_mean(y, scale * f + shift, scale * pool + shift)
    assert two.value == pytest.approx(one.value, abs=1e-8)
    assert (two.low, two.high) == pytest.approx((one.low, one.high), abs=1e-8)


@pytest.mark.parametrize("y", [[1] * 20, [0] * 20])
def test_labels_of_one_class_leave_doubt(y: list[int]) -> None:
    found = ppi_mean(y, [1] * 19 + [0], np.repeat([0, 1], [50, 950]))
    assert found.value == y[0]
    assert found.high - found.low > 0.05  # type: ignore[operator]


def test_a_judge_that_says_one_thing_is_labels_alone() -> None:
    y = np.repeat([1, 0], [15, 5])
    found, alone = ppi_mean(y, np.ones(20), np.ones(500)), mean_interval(y)
    assert (found.value, found.low, found.high) == (alone.value, alone.low, alone.high)
    assert found.lam == 0
    graded = ppi_mean(y / 2 + 0.1, np.ones(20), np.ones(500))
    assert graded.lam == 0
    assert graded.value == pytest.approx(0.475)


def test_few_labels_or_no_others_are_labels_alone() -> None:
    y = np.array([1.0, 0.0, 1.0, 1.0])
    alone = mean_interval(y)
    for pool in ([0.0, 1.0], []):
        found = ppi_mean(y, y, pool)
        assert (found.value, found.low, found.high) == (alone.value, alone.low, alone.high)
    many = np.tile(y, 20)
    assert ppi_mean(many, many, []).low == mean_interval(many).low


def test_no_label_and_one_label_have_reasons() -> None:
    none = ppi_mean([], [], [0.5, 0.6])
    assert (none.value, none.low, none.reason) == (None, None, "there is no label")
    one = ppi_mean([0.5], [0.4], [0.5, 0.6])
    assert (one.value, one.low) == (0.5, None)
    assert one.reason == "one labelled cluster gives no standard error: two are needed"
    constant = ppi_mean([7.0] * 9, np.arange(9.0), np.arange(30.0))
    assert constant.low is None
    assert constant.reason == "all labels are equal: their spread cannot be estimated"


def test_labels_of_any_size_are_taken() -> None:
    y = np.tile([1e100, 2e100], 10)
    found = ppi_mean(y, y / 1e100, np.tile([1.0, 2.0], 50))
    assert found.value == pytest.approx(1.5e100)
    far = ppi_mean(y / 1e100 + 1e8, y / 1e100 + 1e8, np.tile([1.0, 2.0], 50) + 1e8)
    assert far.value == pytest.approx(1e8 + 1.5, abs=1e-6)


def test_pass_rates_take_sides_first() -> None:
    y, f, pool = np.linspace(0, 1, 30), np.linspace(0, 1, 30) ** 2, np.linspace(0, 1, 100)
    found = ppi_pass_rate(y, f, pool, threshold=0.4)
    assert found == ppi_mean(y >= 0.4, f >= 0.4, pool >= 0.4)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"y": [0.5, np.nan, 1, 0, 1, 0]}, "y must be finite; leave responses without it out"),
        ({"yhat_unlabeled": [np.inf]}, "yhat_unlabeled must be finite"),
        ({"y": [[1.0, 0.0]]}, "y must have one dimension, not 2"),
        ({"yhat": [1.0]}, r"yhat must have the shape of y, \(6,\), not \(1,\)"),
        ({"y": ["a"] * 6}, "y has dtype"),
        ({"alpha": 1.0}, r"alpha = 1.0 must lie strictly between 0 and 1"),
        ({"lam": np.nan}, "lam = nan must be a finite number, or None to fit it"),
        ({"lam": 0.5, "yhat_unlabeled": []}, "lam = 0.5 needs unlabelled scores"),
        ({"weights": [1, 1, 1, 1, 1, 0]}, "weights must be above 0"),
        ({"clusters": [1] * 6}, "clusters and clusters_unlabeled must both be given"),
        ({"clusters": [1], "clusters_unlabeled": [1] * 8}, "clusters must have the shape of y"),
        (
            {"clusters": [1] * 6, "clusters_unlabeled": [1]},
            "clusters_unlabeled must have the shape",
        ),
    ],
)
def test_wrong_calls_are_refused(change: dict[str, Any], match: str) -> None:
    given = dict(zip(("y", "yhat", "yhat_unlabeled"), SCORES, strict=True)) | change
    with pytest.raises(ValueError, match=match):
        ppi_mean(**given)


def test_a_threshold_must_be_a_number() -> None:
    with pytest.raises(ValueError, match="threshold = nan must be a finite number"):
        ppi_pass_rate(*SCORES, threshold=float("nan"))


def judge_of(p: float, sensitivity: float, specificity: float) -> Draw:
    """A binary truth and a judge that errs at known rates; the truth's mean is p."""

    def draw(rng: np.random.Generator, n: int) -> tuple[Floats, Floats, Floats]:
        truth = rng.random(n + 1000) < p
        passed = truth & (rng.random(n + 1000) < sensitivity)
        passed |= ~truth & (rng.random(n + 1000) >= specificity)
        return truth[:n].astype(float), passed[:n].astype(float), passed[n:].astype(float)

    return draw


def panel_of(p: float, hit: float, alarm: float, judges: int) -> Draw:
    """A binary truth and the share of a panel's votes."""

    def draw(rng: np.random.Generator, n: int) -> tuple[Floats, Floats, Floats]:
        truth = rng.random(n + 1000) < p
        share = rng.binomial(judges, np.where(truth, hit, alarm)) / judges
        return truth[:n].astype(float), share[:n], share[n:]

    return draw


def graded(a: float, b: float) -> Draw:
    """Skewed scores, Beta(a, b), and a judge that is noisy and lenient; mean a / (a + b)."""

    def draw(rng: np.random.Generator, n: int) -> tuple[Floats, Floats, Floats]:
        truth = rng.beta(a, b, n + 1000)
        judge = np.clip(truth + 0.05 + 0.1 * rng.normal(size=n + 1000), 0, 1)
        return truth[:n], judge[:n], judge[n:]

    return draw


def coverage(draw: Draw, truth: float, n: int, draws: int) -> tuple[float, float]:
    """Share of intervals that hold the truth, and their mean width."""
    rng = np.random.default_rng(1)
    held, width = 0, 0.0
    for _ in range(draws):
        found = ppi_mean(*draw(rng, n))
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
        width += found.high - found.low
    return held / draws, width / draws


#: Draws, truth, labels, and the width that the best peers need for the same coverage.
CASES = [
    (judge_of(0.9, 0.95, 0.6), 0.9, 20, 0.236),
    (judge_of(0.9, 0.95, 0.6), 0.9, 50, 0.143),
    (judge_of(0.9, 0.95, 0.6), 0.9, 200, 0.074),
    (judge_of(0.6, 0.9, 0.8), 0.6, 20, 0.32),
    (judge_of(0.6, 0.9, 0.8), 0.6, 50, 0.198),
    (judge_of(0.6, 0.9, 0.8), 0.6, 200, 0.106),
    (panel_of(0.9, 0.9, 0.35, 5), 0.9, 20, 0.21),
    (panel_of(0.7, 0.85, 0.3, 3), 0.7, 50, 0.19),
    (graded(8, 2), 0.8, 20, 0.085),
    (graded(0.5, 4.5), 0.1, 50, 0.05),
]


@pytest.mark.parametrize(("draw", "truth", "n", "widest"), CASES)
def test_intervals_hold_the_truth_at_few_labels(
    draw: Draw, truth: float, n: int, widest: float
) -> None:
    held, width = coverage(draw, truth, n, 400)
    assert held >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 400)
    assert width <= widest * 1.02


@pytest.mark.slow
@pytest.mark.parametrize(("draw", "truth", "n", "widest"), CASES)
def test_intervals_hold_the_truth_at_few_labels_in_many_draws(
    draw: Draw, truth: float, n: int, widest: float
) -> None:
    held, width = coverage(draw, truth, n, 10_000)
    assert held >= 0.94
    assert width <= widest


def exact_coverage(p: float, sensitivity: float, specificity: float, n: int) -> float:
    """Coverage over every table, where what the judge says of all is known (10^7 responses)."""
    from scipy.stats import binom  # noqa: PLC0415

    q = p * sensitivity + (1 - p) * (1 - specificity)
    good, bad = p * sensitivity / q, p * (1 - sensitivity) / (1 - q)
    everyone, held, seen = 10**7, 0.0, 0.0
    for m in range(n + 1):
        for k in range(m + 1):
            outer = binom.pmf(m, n, q) * binom.pmf(k, m, good)
            if outer < 1e-5:
                continue
            for j in range(n - m + 1):
                chance = outer * binom.pmf(j, n - m, bad)
                if chance < 1e-6:
                    continue
                found = table_estimate(
                    np.array([n - m, m]), np.array([j, k]), round(q * everyone), everyone, 0.05
                )
                seen += chance
                held += chance * (found.low <= p <= found.high)
    return held / seen


@pytest.mark.parametrize(
    ("p", "sensitivity", "specificity"), [(0.9, 0.95, 0.6), (0.6, 0.9, 0.8), (0.5, 0.9, 0.9)]
)
def test_tables_of_20_labels_cover_by_enumeration(
    p: float, sensitivity: float, specificity: float
) -> None:
    assert exact_coverage(p, sensitivity, specificity, 20) >= 0.94


def test_epochs_of_an_item_are_one_cluster_in_coverage() -> None:
    """Five epochs of 30 labelled items and 200 others share an item effect; the mean is .5."""
    rng = np.random.default_rng(0)
    held = plain = 0
    keys = np.repeat(np.arange(230), 5)
    for _ in range(400):
        item = np.repeat(rng.normal(size=230), 5) * 0.15
        truth = np.clip(0.5 + item + 0.1 * rng.normal(size=1150), 0, 1)
        judge = truth + np.repeat(rng.normal(size=230), 5) * 0.1 + 0.1 * rng.normal(size=1150)
        parts = truth[:150], judge[:150], judge[150:]
        clustered = ppi_mean(*parts, clusters=keys[:150], clusters_unlabeled=keys[150:])
        held += holds(clustered, 0.5)
        plain += holds(ppi_mean(*parts), 0.5)
    assert abs(held / 400 - 0.95) <= 3 * np.sqrt(0.95 * 0.05 / 400)
    assert plain / 400 < 0.85


def test_weights_undo_unequal_chances_of_a_label() -> None:
    """Responses of high score are labelled three times as often, for a reason humans share."""
    rng = np.random.default_rng(0)
    held = plain = 0
    for _ in range(300):
        truth = rng.beta(2, 3, 1200)
        judge = rng.random(1200)
        chance = np.where(truth > 0.4, 0.15, 0.05)
        has = rng.random(1200) < chance
        parts = truth[has], judge[has], judge[~has]
        held += holds(ppi_mean(*parts, weights=1 / chance[has]), 0.4)
        plain += holds(ppi_mean(*parts), 0.4)
    assert held / 300 >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300)
    assert plain / 300 < 0.5


def test_weights_that_verdicts_decide_leave_the_table() -> None:
    """Failed responses were labelled twice as often: within a verdict all had the same chance."""
    y, f = np.repeat([0, 1, 0, 1], [5, 5, 1, 39]), np.repeat([0, 1], [10, 40])
    pool = np.repeat([0, 1], [95, 855])
    found = ppi_mean(y, f, pool, weights=np.where(f == 0, 1.0, 2.0))
    plain = ppi_mean(y, f, pool)
    assert (found.value, found.low, found.high) == (plain.value, plain.low, plain.high)
    mixed = ppi_mean(y, f, pool, weights=np.where(np.arange(50) % 2, 1.0, 2.0))
    assert "jackknife" in mixed.method
    assert mixed.value != plain.value
    none = ppi_mean(y, f, [], weights=np.where(f == 0, 1.0, 2.0))
    assert none.value == pytest.approx((5 + 2 * 39) / (10 + 2 * 40))


def holds(found: PpiEstimate, truth: float) -> bool:
    assert found.low is not None
    assert found.high is not None
    return found.low <= truth <= found.high


def test_a_million_responses_take_no_time_to_speak_of() -> None:
    rng = np.random.default_rng(0)
    y, f = rng.random(1000), rng.random(1000)
    found = ppi_mean(y, f, rng.random(1_000_000))
    assert found.n_unlabeled == 1_000_000
    assert found.lam == pytest.approx(np.cov(y, f)[0, 1] / f.var(ddof=1) * 1000 / 1001)
