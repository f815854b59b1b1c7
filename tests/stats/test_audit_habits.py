"""Use of the scale, repeats, the side shown first, versions and time: references and levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from panopt.stats.audit_drift import time_drift, version_drift
from panopt.stats.audit_effect import adjust_effects, paired_effect, unknown
from panopt.stats.audit_habits import flip_shares, position_lean, range_use, repeat_instability
from panopt.stats.mean import mean_interval
from panopt.stats.paired import paired_difference
from panopt.stats.signflip import permutation_test

LEVELS = [1, 2, 3, 4, 5]


def likert(rng: np.random.Generator, n: int, judges: int, level: float = 3.0) -> Any:  # noqa: ANN401
    quality = rng.normal(level, 1, n)
    return np.clip(np.round(quality[:, None] + rng.normal(0, 0.7, (n, judges))), 1, 5)


def test_paired_effect_is_the_paired_interval_and_the_exact_test() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 3, (2, 60)) / 2
    clusters = np.arange(60) // 2
    found = paired_effect(a, b, clusters=clusters, alpha=0.1, scale=0.5)
    interval = paired_difference(a, b, clusters=clusters, alpha=0.1)
    assert interval.value is not None
    assert interval.low is not None
    assert found.value == interval.value / 2
    assert found.low == interval.low / 2
    assert found.p == permutation_test(a, b, clusters=clusters).p
    assert (found.n, found.n_clusters) == (60, 30)


def test_adjusting_counts_the_tests_that_were_made() -> None:
    rng = np.random.default_rng(0)
    family = [paired_effect(rng.normal(0.4, 1, 30), np.zeros(30)) for _ in range(3)]
    family.insert(1, unknown("nothing there", 0.05))
    adjusted = adjust_effects(family)
    p = sorted(found.p for found in family if found.p is not None)
    smallest = min(found.p_adjusted for found in adjusted if found.p_adjusted is not None)
    assert smallest == pytest.approx(min(1.0, 3 * p[0]))
    assert adjusted[1].p_adjusted is None
    assert not adjusted[1].shown()
    assert adjust_effects([]) == ()


def test_range_use_counts_levels_ends_and_entropy() -> None:
    score = np.array([5.0, 5, 5, 5, 4, 1, np.nan, 3, 5, 5])
    found = range_use(score, np.full((10, 2), 3.0), levels=LEVELS)
    share = np.array([1, 0, 1, 1, 6]) / 9
    assert found.bottom == pytest.approx(1 / 9)
    assert found.top == pytest.approx(6 / 9)
    assert (found.n_used, found.n_levels) == (4, 5)
    assert found.entropy == pytest.approx(stats.entropy(share) / np.log(5))
    assert found.ends.value == pytest.approx(7 / 9)
    thrice = range_use(np.tile(score, 3), np.full((30, 2), 3.0), levels=LEVELS)
    assert thrice.spread.value == pytest.approx(found.entropy)


def test_range_use_without_levels_takes_tenths_and_the_ends_themselves() -> None:
    score = np.linspace(0, 1, 41)
    found = range_use(score, score[::-1])
    assert (found.n_levels, found.n_used) == (10, 10)
    assert found.bottom == found.top == pytest.approx(1 / 41)
    assert found.ends.value == pytest.approx(0.0, abs=1e-12)


def test_the_error_of_the_difference_of_entropies_is_that_of_draws() -> None:
    rng = np.random.default_rng(1)
    found = [
        range_use(s[:, 0], s[:, 1:], levels=LEVELS)
        for s in (likert(rng, 80, 4) for _ in range(200))
    ]
    spread = [each.spread for each in found]
    values = np.array([each.value for each in spread], dtype=float)
    errors = np.array([each.se for each in spread], dtype=float)
    assert errors.mean() == pytest.approx(values.std(), rel=0.2)


def test_missing_scores_of_others_leave_their_responses_out_of_their_entropy_alone() -> None:
    rng = np.random.default_rng(2)
    scores = likert(rng, 60, 3)
    scores[:30, 2] = np.nan
    found = range_use(scores[:, 0], scores[:, 1:], levels=LEVELS)
    first = range_use(scores[:, 0], scores[:, 1], levels=LEVELS)
    second = range_use(scores[30:, 0], scores[30:, 2], levels=LEVELS)
    assert first.spread.value is not None
    assert second.spread.value is not None
    assert found.spread.value == pytest.approx((first.spread.value + second.spread.value) / 2)


def test_a_scale_of_two_levels_and_a_judge_alone_have_no_range() -> None:
    two = range_use([0, 1] * 10, [1, 0] * 10, levels=[0, 1])
    assert two.ends.reason == "a scale of two levels has only its ends"
    alone = range_use([1, 2, 3] * 5, np.empty((15, 0)), levels=LEVELS)
    assert alone.ends.reason == "no other judge scored the same responses"
    assert alone.entropy is not None
    silent = range_use([np.nan] * 9, [1.0] * 9, levels=LEVELS)
    assert (silent.top, silent.entropy, silent.n_used) == (None, None, 0)
    few = range_use([1, 2, 3], [1, 2, 3], levels=LEVELS)
    assert few.spread.reason == "3 independent items bear on it: 20 are needed"


def test_flip_shares_count_pairs_of_repeats() -> None:
    score = np.array([[0.2, 0.7, 0.5, np.nan], [1, 1, 1, 1], [0.4, np.nan, np.nan, np.nan]])
    assert flip_shares(score).tolist() == [
        pytest.approx(2 / 3),
        0.0,
        pytest.approx(np.nan, nan_ok=True),
    ]
    assert flip_shares(score, threshold=0.6)[0] == pytest.approx(2 / 3)


def test_instability_is_the_mean_rate_and_its_difference_to_others() -> None:
    rng = np.random.default_rng(3)
    chance = rng.beta(0.5, 0.5, 50)[:, None, None]
    flips = flip_shares((rng.random((50, 3, 4)) < chance).astype(float))
    rate = repeat_instability(flips[:, 0])
    interval = mean_interval(flips[:, 0])
    assert (rate.value, rate.low, rate.p) == (interval.value, interval.low, None)
    more = repeat_instability(flips[:, 0], flips[:, 1:])
    assert more.value == pytest.approx(np.mean(flips[:, 0] - flips[:, 1:].mean(axis=1)))
    assert more.details["rate"] == rate.value
    assert repeat_instability([np.nan] * 9).reason == "the judge scored no response twice"
    alone = repeat_instability(flips[:, 0], np.full(50, np.nan))
    assert alone.reason == "no other judge scored the same responses twice"


def test_position_lean_is_free_of_who_is_stronger() -> None:
    first, second = (
        np.array([1, 1, 1, 1, 1, 0, 1, 0.5, 1, 1]),
        np.array([0, 1, 1, 1, 0, 0, 1, 0.5, 1, 1]),
    )
    found = position_lean(first, second)
    assert found.value == pytest.approx(0.1)
    assert position_lean(first, first).value == 0.0


def test_time_drift_is_a_line_through_the_runs_means() -> None:
    rng = np.random.default_rng(4)
    run = np.repeat(np.arange(7), rng.integers(3, 9, 7))
    day = np.array([0.0, 3, 4, 10, 18, 30, 31])
    off = rng.normal(0, 0.2, run.size) + 0.01 * day[run]
    off[2] = np.nan
    means = [np.nanmean(off[run == r]) for r in range(7)]
    line = stats.linregress(day, means)
    found = time_drift(off, day[run], runs=run)
    assert found.value == pytest.approx(line.slope)
    assert found.se == pytest.approx(line.stderr)
    assert found.p == pytest.approx(line.pvalue)
    assert (found.df, found.n_clusters, found.details["span"]) == (5, 7, 31)


def test_time_drift_needs_four_runs_of_different_dates() -> None:
    three = time_drift(np.zeros(9), np.arange(9) // 3)
    assert three.reason == "3 run(s) with a date: 4 are needed to tell a trend"
    one = time_drift(np.zeros(8), np.ones(8), runs=np.arange(8) // 2)
    assert one.reason == "all runs have one date"
    none = time_drift(np.full(8, np.nan), np.arange(8))
    assert none.reason == "no response was scored by the judge and by others"
    line = time_drift(np.arange(8) / 10, np.arange(8))
    assert (line.low, line.p) == (None, None)
    assert line.reason == "the runs' means lie on one line: no spread to go by"


def flat_ends(rng: np.random.Generator, n: int) -> Any:  # noqa: ANN401 - an effect
    scores = likert(rng, n, 4)
    return range_use(scores[:, 0], scores[:, 1:], levels=LEVELS).ends


def flat_spread(rng: np.random.Generator, n: int) -> Any:  # noqa: ANN401
    scores = likert(rng, n, 4)
    return range_use(scores[:, 0], scores[:, 1:], levels=LEVELS).spread


def equally_unsteady(rng: np.random.Generator, n: int) -> Any:  # noqa: ANN401
    chance = rng.beta(0.5, 0.5, n)[:, None, None]
    flips = flip_shares((rng.random((n, 4, 5)) < chance).astype(float))
    return repeat_instability(flips[:, 0], flips[:, 1:])


def no_lean(rng: np.random.Generator, n: int) -> Any:  # noqa: ANN401
    chance = rng.beta(1, 1, n)
    first, second = (rng.random((2, n)) < chance).astype(float)
    return position_lean(first, second)


def same_version(rng: np.random.Generator, n: int) -> Any:  # noqa: ANN401
    scores = likert(rng, n, 2)
    return version_drift(scores[:, 0], scores[:, 1])


def no_trend(rng: np.random.Generator, n: int) -> Any:  # noqa: ANN401
    run = np.repeat(np.arange(n // 2), 5)
    off = rng.normal(0, 0.1, n // 2)[run] + rng.normal(0, 0.3, run.size)
    return time_drift(off, 7.0 * run)


FAIR = (flat_ends, flat_spread, equally_unsteady, no_lean, same_version, no_trend)


def accused(draw: Any, n: int, draws: int) -> float:  # noqa: ANN401 - one of FAIR
    rng = np.random.default_rng([n, draws])
    return float(np.mean([draw(rng, n).p <= 0.05 for _ in range(draws)]))


@pytest.mark.parametrize("draw", FAIR)
def test_fair_judges_are_accused_at_the_level(draw: Any) -> None:  # noqa: ANN401
    assert accused(draw, 20, 150) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "n"), [(draw, n) for draw in FAIR for n in (8, 20, 60) if n > 8 or draw != flat_spread]
)
def test_fair_judges_are_accused_at_the_level_at_length(draw: Any, n: int) -> None:  # noqa: ANN401
    assert accused(draw, n, 2000) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: range_use([0.5], [2.0]), r"must lie in \[0, 1\] where no levels are given"),
        (lambda: range_use([1], [1], levels=[3]), "levels has 1 values; it must have 2 to 101"),
        (lambda: range_use([1], [1], levels=[1, np.nan]), "levels has"),
        (lambda: range_use([1, 2], [1], levels=[1, 2]), r"rest has shape \(1,\)"),
        (lambda: flip_shares([1, 0]), r"score must be finite numbers \(responses, repeats\)"),
        (lambda: flip_shares([[1, np.inf]]), "score must be finite numbers"),
        (lambda: repeat_instability([1.5]), r"flips must lie in \[0, 1\]"),
        (lambda: repeat_instability([0.5], alpha=2), "alpha = 2 must lie strictly"),
        (lambda: position_lean([2.0], [0.0]), r"first and second must lie in \[0, 1\]"),
        (lambda: version_drift([1, 2], [1]), "2"),
        (lambda: version_drift([np.inf], [1]), "earlier holds an infinity"),
        (lambda: time_drift([1, 2], [1, np.nan]), "time must be a number for every response"),
        (lambda: time_drift([1, 2], [1]), "time has 1 entries; it must have 2"),
        (lambda: time_drift([1, 2], [1, 2], runs=[1]), r"runs has shape \(1,\)"),
        (
            lambda: time_drift([1, 2], [1, 2], runs=np.array(["a", None], dtype=object)),
            "runs has missing entries",
        ),
    ],
)
def test_calls_that_are_wrong_are_refused(call: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=message):
        call()
