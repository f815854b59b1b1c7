from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from panopt.stats import confseq_wealth
from panopt.stats.confseq import (
    ConfidenceSequence,
    RunningInterval,
    SequenceMethod,
    difference_sequence,
    mean_sequence,
)
from panopt.stats.confseq_closed import closed_form_low
from panopt.stats.confseq_wealth import LowerWealth

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]

TIES = [0.04, 0.9, 0.06]
#: Values in [0, 1] of several kinds, and their means.
KINDS: dict[str, tuple[Draw, float]] = {
    "rare": (lambda rng, n: (rng.random(n) < 0.02).astype(np.float64), 0.02),
    "even": (lambda rng, n: (rng.random(n) < 0.5).astype(np.float64), 0.5),
    "mostly": (lambda rng, n: (rng.random(n) < 0.9).astype(np.float64), 0.9),
    "skewed": (lambda rng, n: rng.beta(0.3, 3.0, n), 0.3 / 3.3),
    # a mean that a rare large value makes: what fools an interval by the variance
    "hostile": (lambda rng, n: np.where(rng.random(n) < 0.005, 1.0, 0.1), 0.1045),
    "ties": (lambda rng, n: rng.choice([0.0, 0.5, 1.0], n, p=TIES), 0.51),
}


def ever_misses(found: ConfidenceSequence, mean: float) -> bool:
    """Tell whether any interval leaves the mean out, by more than rounding."""
    return bool(np.any((found.low > mean + 1e-12) | (found.high < mean - 1e-12)))


def brute_force_low(x: Floats, alpha: float, population: int | None = None) -> Floats:
    """Multiply every bet's growth out on a grid of means, and intersect what is left."""
    means = np.linspace(0.0, 1.0, 4001)
    log_wealth = np.tile(confseq_wealth.LOG_WEIGHTS[:, None], (1, len(means)))
    ends, low, drawn = [], 0.0, 0.0
    for i, value in enumerate(x):
        bets, given_past = confseq_wealth.BETS, means
        if population is not None:
            left = population - i
            given_past = (population * means - drawn) / left
            bets = bets * 2.0 ** min(6, int(np.log2(population / left)))
        fair = 1.0 + bets[:, None] * np.maximum(given_past, 0.0)
        log_wealth += np.log1p(bets * value)[:, None] - np.log(fair)
        log_wealth[:, given_past < -1e-12] = np.inf
        drawn += value
        kept = np.logaddexp.reduce(log_wealth, axis=0) <= -np.log(alpha)
        low = max(low, float(means[kept].min())) if kept.any() else low
        low = low if population is None else max(low, drawn / population)
        ends.append(low)
    return np.array(ends)


# Reference numbers


@pytest.mark.parametrize("kind", ["mostly", "skewed", "ties"])
def test_bound_is_that_of_every_bet_multiplied_out(kind: str) -> None:
    x = KINDS[kind][0](np.random.default_rng(1), 120)
    found, brute = LowerWealth(0.025).extend(x), brute_force_low(x, 0.025)
    assert np.all(np.abs(found - brute) <= 1.0 / 4000.0)


def test_bound_without_replacement_loses_hardly_anything_to_jensen() -> None:
    x = KINDS["mostly"][0](np.random.default_rng(1), 300)
    found = LowerWealth(0.025, 300).extend(x)[:-1]
    brute = brute_force_low(x, 0.025, population=300)[:-1]
    assert np.all(found <= brute + 1e-12)
    assert np.all(found >= brute - 4.0 / 4000.0)


def test_hoeffding_equals_confseq() -> None:
    """`confseq` 0.0.11 (Waudby-Smith), predmix_hoeffding_lower_cs(x, alpha=.025, N=N)[[49, 399]].

    Its empirical Bernstein bound differs in the guess before the first value alone (0, not .5):
    .5796, .7278 and .5902, .7574.
    """
    x = (np.arange(400) * 7919 % 100 < 80).astype(np.float64)
    peers = {None: [0.60076113, 0.71557394], 500: [0.60929259, 0.74724001]}
    for population, ends in peers.items():
        low = closed_form_low(x, alpha=0.025, population=population, method="hoeffding")
        assert low[[49, 399]] == pytest.approx(ends, abs=5e-9)
    bernstein = closed_form_low(x, alpha=0.025, population=None, method="empirical_bernstein")
    assert bernstein[[49, 399]] == pytest.approx([0.5796, 0.7278], abs=0.008)
    drawn = closed_form_low(x, alpha=0.025, population=500, method="empirical_bernstein")
    assert drawn[[49, 399]] == pytest.approx([0.5902, 0.7574], abs=0.008)


def test_betting_is_as_narrow_as_confseq_or_narrower_from_a_hundred_values() -> None:
    """`confseq.betting.betting_cs(x, alpha=.05, N=N, breaks=2000, running_intersection=True)`.

    Widths after 100, 200 and 400 values of 0 and 1, and of five levels.
    """
    i = np.arange(400)
    peers = {
        (80, None): (0.249, 0.191, 0.147),
        (80, 500): (0.231, 0.163, 0.0825),
        (5, 500): (0.1965, 0.1345, 0.0755),
    }
    for (levels, population), widths in peers.items():
        x = (i * 7919 % 100 < 80) * 1.0 if levels == 80 else (i * 7919 % 100 % 5) / 4.0
        found = mean_sequence(x, population=population)
        ours = (found.high - found.low)[[99, 199, 399]]
        assert np.all(ours <= 1.03 * np.array(widths))


def test_width_against_the_interval_for_a_fixed_number() -> None:
    """Twice 1.96 standard errors: what watching costs, 1.5 to 1.9 times the width."""
    rng = np.random.default_rng(2)
    for kind in ("even", "mostly", "ties"):
        draw = KINDS[kind][0]
        ratios = []
        for _ in range(5):
            x = draw(rng, 10_000)
            found = mean_sequence(x)
            at = np.array([100, 1000, 10_000])
            fixed = 2 * 1.96 * draw(rng, 100_000).std() / np.sqrt(at)
            ratios.append((found.high - found.low)[at - 1] / fixed)
        assert np.all(np.mean(ratios, axis=0) < 1.95), kind


# Properties

UNIT = st.lists(st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 1.0]), min_size=1, max_size=60)


@settings(max_examples=50, deadline=None)
@given(UNIT, st.integers(1, 7), st.booleans())
def test_pieces_give_what_the_whole_gives(x: list[float], size: int, drawn: bool) -> None:  # noqa: FBT001 - a case
    population = len(x) + 5 if drawn else None
    whole = mean_sequence(x, population=population)
    running = RunningInterval(population=population)
    for start in range(0, len(x), size):
        running.update(x[start : start + size])
        end = min(start + size, len(x)) - 1
        assert running.low == pytest.approx(whole.low[end], abs=1e-10)
        assert running.high == pytest.approx(whole.high[end], abs=1e-10)
        assert running.n == end + 1
    assert running.estimate == pytest.approx(np.mean(x))


@settings(max_examples=50, deadline=None)
@given(UNIT)
def test_intervals_only_shrink_and_mirror(x: list[float]) -> None:
    found, mirror = mean_sequence(x), mean_sequence(1.0 - np.array(x))
    assert np.all(np.diff(found.low) >= 0)
    assert np.all(np.diff(found.high) <= 0)
    assert np.all((found.low >= 0) & (found.low <= found.high) & (found.high <= 1))
    assert found.low == pytest.approx(1.0 - mirror.high, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(UNIT, st.randoms(use_true_random=False))
def test_without_intersecting_the_order_does_not_matter(x: list[float], order: object) -> None:
    running, shuffled = RunningInterval(intersect=False), RunningInterval(intersect=False)
    running.update(x)
    mixed = list(x)
    order.shuffle(mixed)  # type: ignore[attr-defined]  # random.Random
    for value in mixed:
        shuffled.update(value)
    assert shuffled.low == pytest.approx(running.low, abs=1e-10)
    assert running.low <= np.mean(x) <= running.high
    assert running.estimate is not None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, np.nan]), min_size=1, max_size=40), st.booleans())
def test_unknown_values_bound_both_ways(x: list[float], drawn: bool) -> None:  # noqa: FBT001 - a case
    """Whatever they were, the interval that knows them lies within the one that does not."""
    population = len(x) if drawn else None
    values = np.array(x)
    found = mean_sequence(values, population=population)
    for filled in (0.0, 0.5, 1.0):
        known = mean_sequence(np.where(np.isnan(values), filled, values), population=population)
        if known.reason is None:
            assert np.all(found.low <= known.low + 1e-9)
            assert np.all(found.high >= known.high - 1e-9)
    running = RunningInterval(population=population)
    for value in x:
        running.update_unknown(1) if np.isnan(value) else running.update(value)
    assert (running.low, running.high) == pytest.approx((found.low[-1], found.high[-1]))
    assert running.n_unknown == np.count_nonzero(np.isnan(values))


def test_all_of_a_data_set_leaves_no_width() -> None:
    x = KINDS["skewed"][0](np.random.default_rng(3), 40)
    found = mean_sequence(x, population=40)
    assert found.low[-1] == found.high[-1] == pytest.approx(x.mean(), abs=1e-15)
    running = RunningInterval(population=40)
    running.update(x[:39])
    running.update_unknown()
    least = x[:39].sum() / 40
    assert running.low == pytest.approx(least)
    assert running.high == pytest.approx(least + 1 / 40)


def test_a_finite_data_set_is_bounded_more_narrowly() -> None:
    x = KINDS["even"][0](np.random.default_rng(3), 1000)
    finite, endless = mean_sequence(x, population=1000), mean_sequence(x)
    width = (finite.high - finite.low) / (endless.high - endless.low)
    assert np.all(np.diff(width[[99, 499, 899, 999]]) < 0)
    assert width[499] < 0.85
    assert width[899] < 0.45


def test_items_count_when_they_are_complete() -> None:
    rng = np.random.default_rng(4)
    scores = rng.random((30, 3))
    by_epoch = mean_sequence(scores.T.reshape(-1), clusters=np.tile(np.arange(30), 3))
    whole = mean_sequence(scores.mean(axis=1))
    assert by_epoch.n == 30
    assert by_epoch.read.tolist() == list(range(61, 91))
    assert by_epoch.low == pytest.approx(whole.low, abs=1e-10)
    by_item = mean_sequence(scores.reshape(-1), clusters=np.repeat(np.arange(30), 3) * 1000 - 7)
    assert by_item.read.tolist() == list(range(3, 91, 3))
    assert by_item.high == pytest.approx(whole.high, abs=1e-10)
    # an epoch that failed leaves its item between two means
    scores[0, 1] = np.nan
    partly = mean_sequence(scores.reshape(-1), clusters=np.repeat(np.arange(30), 3))
    running = RunningInterval()
    running.update_between(scores[0, [0, 2]].sum() / 3, (scores[0, [0, 2]].sum() + 1) / 3)
    running.update(scores[1:].mean(axis=1))
    assert (running.low, running.high) == pytest.approx((partly.low[-1], partly.high[-1]))
    assert np.isnan(partly.estimate[0])


def test_other_ranges_are_brought_to_the_unit_and_back() -> None:
    x = np.random.default_rng(5).integers(1, 6, 50)
    found, unit = mean_sequence(x, low=1, high=5), mean_sequence((x - 1) / 4)
    assert found.low == pytest.approx(1 + 4 * unit.low)
    assert found.high == pytest.approx(1 + 4 * unit.high)
    assert found.estimate[-1] == pytest.approx(x.mean())
    a, b = x, x[::-1]
    apart = difference_sequence(a, b, low=1, high=5)
    assert apart.low == pytest.approx(mean_sequence(a - b, low=-4, high=4).low)


def test_pairs_with_a_hole_are_as_far_apart_as_they_may_be() -> None:
    found = difference_sequence([0.75, np.nan], [np.nan, 0.25])
    running = RunningInterval()
    running.update_between([0.375, 0.375], [0.875, 0.875])  # -.25 .. .75, on [0, 1]
    assert found.low[-1] == pytest.approx(2 * running.low - 1)
    assert found.high[-1] == pytest.approx(2 * running.high - 1)


def test_contradiction_keeps_the_last_interval_and_says_so() -> None:
    running = RunningInterval()
    running.update(np.ones(200))
    kept = running.low, running.high
    running.update(np.zeros(200))
    assert running.low <= running.high
    assert running.low >= kept[0] - 1e-12
    assert running.reason is not None
    assert "contradict" in running.reason
    found = mean_sequence([1.0] * 200 + [0.0] * 200)
    assert found.reason == running.reason
    assert np.all(found.low <= found.high)
    for method in ("empirical_bernstein", "hoeffding"):
        assert mean_sequence([1.0] * 200 + [0.0] * 200, method=method).reason == running.reason


def test_steps_are_vectorised() -> None:
    x = KINDS["mostly"][0](np.random.default_rng(6), 100_000)
    took = min(_seconds(x) for _ in range(2))
    assert took < 1.0


def _seconds(x: Floats) -> float:
    start = time.process_time()
    mean_sequence(x)
    took: float = time.process_time() - start
    return took


# Coverage


def at_most(alpha: float, runs: int) -> float:
    return float(alpha + 3.0 * np.sqrt(alpha * (1.0 - alpha) / runs))


@pytest.mark.parametrize("kind", KINDS)
def test_coverage_at_all_times_at_once(kind: str) -> None:
    draw, mean = KINDS[kind]
    rng = np.random.default_rng(7)
    runs = 60
    missed = np.mean([ever_misses(mean_sequence(draw(rng, 500)), mean) for _ in range(runs)])
    assert missed <= at_most(0.05, runs)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["betting", "empirical_bernstein", "hoeffding"])
def test_coverage_of_two_thousand_looks(kind: str, method: SequenceMethod) -> None:
    draw, mean = KINDS[kind]
    rng = np.random.default_rng(8)
    runs = 2000 if method == "betting" else 500
    missed = np.mean(
        [ever_misses(mean_sequence(draw(rng, 2000), method=method), mean) for _ in range(runs)]
    )
    assert missed <= at_most(0.05, runs)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["betting", "empirical_bernstein"])
def test_coverage_without_replacement(kind: str, method: SequenceMethod) -> None:
    rng = np.random.default_rng(9)
    runs, missed = 2000, 0
    items = KINDS[kind][0](rng, 400)
    for _ in range(runs):
        x = rng.permutation(items)
        missed += ever_misses(mean_sequence(x, population=400, method=method), items.mean())
    assert missed / runs <= at_most(0.05, runs)


@pytest.mark.slow
def test_coverage_with_failures_that_hit_low_values() -> None:
    rng = np.random.default_rng(10)
    runs, missed = 2000, 0
    for _ in range(runs):
        x = (rng.random(500) < 0.7).astype(np.float64)
        seen = np.where((x == 0) & (rng.random(500) < 0.2), np.nan, x)
        missed += ever_misses(mean_sequence(seen), 0.7)
    assert missed / runs <= at_most(0.05, runs)


@pytest.mark.slow
def test_a_drifting_mean_is_held_on_average_without_intersecting() -> None:
    """Items of fixed, different difficulty in a fixed order: the mean of those so far is held."""
    rng = np.random.default_rng(11)
    share = np.linspace(0.95, 0.3, 1000)
    so_far = np.cumsum(share) / np.arange(1, 1001)
    runs, missed = 1000, 0
    for _ in range(runs):
        x = (rng.random(1000) < share).astype(np.float64)
        low = LowerWealth(0.025).extend(x, running=False)
        high = 1.0 - LowerWealth(0.025).extend(1.0 - x, running=False)
        missed += bool(np.any((low > so_far) | (high < so_far)))
    assert missed / runs <= at_most(0.05, runs)


@pytest.mark.slow
def test_coverage_of_differences_that_are_mostly_ties() -> None:
    rng = np.random.default_rng(12)
    runs, missed = 2000, 0
    for _ in range(runs):
        a = (rng.random(500) < 0.8).astype(np.float64)
        b = np.where(rng.random(500) < 0.9, a, rng.random(500) < 0.4)
        missed += ever_misses(difference_sequence(a, b), 0.1 * (0.8 - 0.4))
    assert missed / runs <= at_most(0.05, runs)


# Messages


def test_empty_has_a_reason() -> None:
    found = mean_sequence([])
    assert (found.n, found.reason) == (0, "there are no values")
    running = RunningInterval()
    running.update([])
    assert (running.low, running.high, running.estimate, running.n) == (0.0, 1.0, None, 0)


@pytest.mark.parametrize("values", [[True, False], np.array([1, None], dtype=object), [0.5]])
def test_other_types_are_numbers(values: object) -> None:
    found = mean_sequence(np.asarray(values))
    assert found.n == len(np.asarray(values))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_sequence([0.5, 1.5]), r"x spans 0\.5\.\.1\.5; it must lie in 0\.\.1"),
        (lambda: mean_sequence([np.inf]), "x spans inf"),
        (lambda: mean_sequence([[0.5]]), "x must have one dimension, not 2"),
        (lambda: mean_sequence([0.5], alpha=0.0), "alpha = 0.0 must lie strictly"),
        (lambda: mean_sequence([0.5], low=1.0), "low = 1.0 and high = 1.0 must be finite"),
        (lambda: mean_sequence([0.5] * 3, population=2), "population = 2 items, but 3 are drawn"),
        (
            lambda: mean_sequence([0.5] * 3, population=2, method="hoeffding"),
            "population = 2 items, but 3 are drawn",
        ),
        (lambda: mean_sequence([0.5], population=0), "population = 0 must be a whole number"),
        (lambda: mean_sequence([0.5], method="t"), "method = 't' must be one of betting"),  # type: ignore[arg-type]
        (lambda: mean_sequence([0.5], clusters=[1, 2]), "clusters must have the shape"),
        (
            lambda: mean_sequence([1, 0], clusters=np.array(["a", None], dtype=object)),
            "clusters has missing entries",
        ),
        (lambda: difference_sequence([0.5], [0.5, 1]), "one score a pair each, not 1 and 2"),
        (lambda: difference_sequence([0.5], [2]), "b spans 2..2"),
        (lambda: RunningInterval(alpha=1), "alpha = 1 must lie strictly"),
        (lambda: RunningInterval(population=5, intersect=False), "intersect = False needs"),
        (lambda: RunningInterval().update(-0.1), "values spans -0.1"),
        (lambda: RunningInterval().update_unknown(-1), "k = -1 must be a whole number"),
        (lambda: RunningInterval().update_unknown(1.5), "k = 1.5 must be a whole number"),  # type: ignore[arg-type]
        (lambda: mean_sequence([1], low=-1e308, high=1e308), "must be finite, low below high"),
        (lambda: RunningInterval().update_between(0.6, 0.5), "low not above high"),
        (lambda: RunningInterval().update_between([0.6], [0.7, 1]), "as many, not 1 and 2"),
        (lambda: RunningInterval(population=1).update([1, 1]), "population = 1 items, but 2"),
    ],
)
def test_bad_arguments_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_refused_update_takes_nothing() -> None:
    running = RunningInterval(population=3)
    running.update([1, 0])
    before = running.low, running.high, running.n, running.estimate
    for bad in ([1.0, 1.0], [0.5, 2.0]):
        with pytest.raises(ValueError, match=r"population|values spans"):
            running.update(bad)
    assert (running.low, running.high, running.n, running.estimate) == before


def test_spans_grow_as_a_data_set_empties() -> None:
    wealth = LowerWealth(0.05, 37)
    ends = [float(wealth.extend(np.array([1.0]))[0]) for _ in range(37)]
    assert all(before <= after for before, after in pairwise(ends))
    assert ends[-1] == pytest.approx(1.0)
