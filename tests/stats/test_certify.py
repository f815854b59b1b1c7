from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from panopt.stats.binomial import labels_needed, risk_upper, zero_error_labels
from panopt.stats.certify import CertifiedThreshold, certify_threshold, least_abstention
from panopt.stats.steps import Goal, choose_steps

Floats = NDArray[np.float64]
Rng = np.random.Generator

#: Risk at rank u, 0 the surest judgment and 1 the least sure: monotone, and not.
RISKS: dict[str, Callable[[Floats], Floats]] = {
    "just above alpha": lambda u: np.full(u.shape, 0.101),
    "rising through alpha": lambda u: 0.4 * u,
    "sure and wrong": lambda u: np.where(u < 0.08, 0.6, np.where(u < 0.5, 0.02, 0.5)),
    "waves around alpha": lambda u: np.clip(0.11 + 0.1 * np.sin(25 * u), 0, 1),
    "spikes": lambda u: np.where((u * 8) % 1 < 0.25, 0.42, 0.0) + 0.005,
    "best at the bottom": lambda u: 0.25 - 0.2 * u,
    "coin": lambda u: np.full(u.shape, 0.5),
}


class Population:
    """Judgments whose risk is known at every threshold; confidence is 1 - u or tied."""

    def __init__(self, risk: Callable[[Floats], Floats], levels: int | None) -> None:
        cells = 20_000
        self.u = (np.arange(cells) + 0.5) / cells
        self.levels = levels
        self.risk = risk
        confidence = self.confidence(self.u)
        order = np.argsort(-confidence, kind="stable")
        self.c = confidence[order]
        self.cumulative = np.cumsum(risk(self.u)[order])

    def confidence(self, u: Floats) -> Floats:
        c = 1.0 - u
        tied: Floats = (np.floor(c * (self.levels or 1)) + 1) / (self.levels or 1)
        return c if self.levels is None else tied

    def draw(self, n: int, rng: Rng) -> tuple[Floats, NDArray[np.bool_]]:
        u = rng.random(n)
        return self.confidence(u), rng.random(n) >= self.risk(u)

    def true_risk(self, threshold: float) -> float:
        accepted = int(np.searchsorted(-self.c, -threshold, side="right"))
        return float(self.cumulative[accepted - 1] / accepted) if accepted else 0.0


def failures(
    population: Population, n: int, draws: int, certify: Callable[..., CertifiedThreshold]
) -> int:
    failed = 0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        c, a = population.draw(n, rng)
        result = certify(c, a, population.draw(300, rng)[0])
        # The grid of cells gives the risk to about 1e-4.
        failed += result.feasible and population.true_risk(result.threshold) > 0.1 + 2e-4
    return failed


def own(c: Floats, a: NDArray[np.bool_], pool: Floats) -> CertifiedThreshold:
    return certify_threshold(c, a)


def from_pool(c: Floats, a: NDArray[np.bool_], pool: Floats) -> CertifiedThreshold:
    return certify_threshold(c, a, pool=pool)


def every_value(c: Floats, a: NDArray[np.bool_], pool: Floats) -> CertifiedThreshold:
    return certify_threshold(c, a, grid=c)


def union(c: Floats, a: NDArray[np.bool_], pool: Floats) -> CertifiedThreshold:
    return certify_threshold(c, a, method="bonferroni")


def at_most(delta: float, draws: int) -> float:
    return delta * draws + 3 * math.sqrt(draws * delta * (1 - delta))


@pytest.mark.parametrize("levels", [None, 5, 20])
@pytest.mark.parametrize("name", RISKS)
def test_T_1_guarantee_holds_whatever_the_risk_looks_like(name: str, levels: int | None) -> None:
    # True risk of the returned threshold, known from the population, above alpha in at most a
    # share delta of the draws; 20 levels among 60 labels are ties inside preset counts.
    population, draws = Population(RISKS[name], levels), 120
    assert failures(population, 60, draws, own) <= at_most(0.1, draws)


@pytest.mark.slow
@pytest.mark.parametrize("certify", [own, from_pool, every_value, union])
@pytest.mark.parametrize("levels", [None, 5, 20])
@pytest.mark.parametrize("name", RISKS)
def test_T_1_guarantee_holds_in_many_draws(
    name: str, levels: int | None, certify: Callable[..., CertifiedThreshold]
) -> None:
    population, draws = Population(RISKS[name], levels), 2500
    for n in (40, 200, 1000):
        assert failures(population, n, draws, certify) <= at_most(0.1, draws)


@pytest.mark.parametrize("certify", [from_pool, every_value, union])
def test_T_1_other_sources_of_steps_hold_too(
    certify: Callable[..., CertifiedThreshold],
) -> None:
    for name in ("rising through alpha", "spikes"):
        assert failures(Population(RISKS[name], None), 80, 200, certify) <= at_most(0.1, 200)


def test_point_estimate_breaks_the_promise_and_says_so() -> None:
    population = Population(RISKS["just above alpha"], None)

    def naive(c: Floats, a: NDArray[np.bool_], pool: Floats) -> CertifiedThreshold:
        return certify_threshold(c, a, method="point_estimate")

    assert failures(population, 60, 100, naive) > 80
    c, a = population.draw(60, np.random.default_rng(0))
    assert "NO guarantee" in certify_threshold(c, a, method="point_estimate").assumption


def test_T_1_zero_errors_in_22_labels_certify_and_in_21_do_not() -> None:
    c = np.linspace(0.2, 0.9, 22)
    enough = certify_threshold(c, np.ones(22))
    assert enough.feasible
    assert (enough.n, enough.errors, enough.coverage) == (22, 0, 1.0)
    assert enough.bound <= 0.1
    short = certify_threshold(c[:21], np.ones(21))
    assert not short.feasible
    assert short.threshold == np.inf
    assert (short.coverage, short.bound, short.labels_needed) == (0.0, 1.0, 22)
    assert short.reason is not None
    assert "22 without a single error" in short.reason


@pytest.mark.parametrize("tied", [False, True])
def test_T_1_perfect_judge_keeps_everything(*, tied: bool) -> None:
    c = np.random.default_rng(0).random(500)
    result = certify_threshold(np.round(c, 1) if tied else c, np.ones(500), alpha=0.05)
    assert result.coverage == 1.0
    assert result.threshold == 0.0
    assert result.bound == pytest.approx(float(risk_upper(0, 500, 0.1)))


def test_T_1_accepting_everything_off_the_unit_scale_is_minus_infinity() -> None:
    result = certify_threshold(np.linspace(-3, 3, 100), np.ones(100), unit=False)
    assert result.threshold == -np.inf
    assert result.feasible


def test_T_1_coin_flip_judge_gets_no_coverage() -> None:
    rng = np.random.default_rng(1)
    result = certify_threshold(rng.random(500), rng.random(500) < 0.5, alpha=0.15)
    assert result.threshold == np.inf
    assert result.coverage == 0.0
    assert result.reason is not None
    assert "above alpha = 0.15" in result.reason


def test_T_1_ties_move_together() -> None:
    c = np.repeat([0.9, 0.6, 0.3], [60, 60, 60])
    a = np.r_[np.ones(60), np.ones(55), np.zeros(5), np.zeros(60)]
    result = certify_threshold(c, a, alpha=0.1)
    assert result.threshold == 0.6
    assert (result.n, result.errors) == (120, 5)


def test_T_1_steps_that_hold_too_few_labels_are_passed_over() -> None:
    c = np.linspace(0, 1, 100)
    result = certify_threshold(c, np.ones(100), grid=[0.95, 0.9, 0.5])
    assert result.threshold == 0.5
    assert result.n_tested == 1


def test_a_failed_step_stops_the_sequence() -> None:
    # Errors on top: lower steps would pass, but come after one that failed.
    c = np.linspace(0, 1, 400)
    a = np.ones(400)
    a[-30:-20] = 0
    result = certify_threshold(c, a, grid=[0.9, 0.5, 0.0])
    assert not result.feasible
    assert result.n_tested == 1


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 300),
    alpha=st.floats(0.02, 0.6),
    tied=st.booleans(),
)
def test_result_counts_what_the_threshold_accepts(
    *, seed: int, n: int, alpha: float, tied: bool
) -> None:
    rng = np.random.default_rng(seed)
    c = rng.random(n)
    c = np.round(c, 1) if tied else c
    a = rng.random(n) > alpha * rng.random()
    result = certify_threshold(c, a, alpha=alpha)
    accepted = c >= result.threshold
    assert result.n == accepted.sum()
    assert result.errors == np.count_nonzero(accepted & ~a)
    assert result.coverage == accepted.mean()
    assert result.level <= 0.1
    assert result.bound == float(risk_upper(result.errors, result.n, result.level))
    if result.feasible:
        assert result.bound <= alpha * (1 + 1e-9)
        assert result.reason is None
    else:
        assert result.reason
    assert result.labels_needed == zero_error_labels(alpha, 0.1)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_order_of_the_labels_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    c, order = np.round(rng.random(80), 2), rng.permutation(80)
    a = rng.random(80) < 0.5 + 0.5 * c
    assert certify_threshold(c, a) == certify_threshold(c[order], a[order])


def test_a_monotone_map_of_confidence_changes_nothing_but_the_threshold() -> None:
    rng = np.random.default_rng(3)
    c = rng.random(300)
    a = rng.random(300) < 0.7 + 0.3 * c
    plain, mapped = certify_threshold(c, a), certify_threshold(c**3 / 7, a)
    assert (plain.n, plain.errors, plain.bound) == (mapped.n, mapped.errors, mapped.bound)


def test_steps_know_nothing_of_labels_and_the_first_allows_errors() -> None:
    c = np.sort(np.random.default_rng(0).random(500))
    steps = choose_steps(c, None, None, Goal(0.1, 0.1, "fixed_sequence"))
    counts = [int(np.count_nonzero(c >= t)) for t in steps.thresholds]
    assert counts == sorted(counts)
    assert counts[-1] == 500
    assert counts[0] in labels_needed(np.arange(20), alpha=0.1, delta=0.1)
    assert counts[0] >= 90


def test_pool_starts_where_its_first_step_surely_holds_enough_labels() -> None:
    pool = np.random.default_rng(0).random(2000)
    short: list[bool] = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        c = rng.random(100)
        steps = choose_steps(c, None, pool, Goal(0.1, 0.1, "fixed_sequence"))
        short.append(int(np.count_nonzero(c >= steps.thresholds[0])) < 22)
    assert sum(short) <= 3


def test_clusters_count_once() -> None:
    c, a = np.repeat(np.linspace(0.5, 1, 11), 2), np.ones(22)
    assert certify_threshold(c, a).feasible
    result = certify_threshold(c, a, clusters=np.repeat(np.arange(11), 2))
    assert not result.feasible
    assert result.n_labels == 11
    names = np.array(["a", "b"] * 50)
    assert certify_threshold(np.ones(100), np.ones(100), clusters=names).n_labels == 2


def test_clusters_keep_the_guarantee_that_copies_would_break() -> None:
    # Ten copies of 40 judgments with risk just above alpha: counted singly they look like 400.
    failed = {True: 0, False: 0}
    draws = 200
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        c, a = np.repeat(rng.random(40), 10), np.repeat(rng.random(40) > 0.11, 10)
        key = np.repeat(np.arange(40), 10)
        for known in failed:
            failed[known] += certify_threshold(c, a, clusters=key if known else None).feasible
    assert failed[True] <= at_most(0.1, draws)
    assert failed[False] > at_most(0.1, draws)


def test_more_labels_of_a_good_judge_keep_more() -> None:
    # A judge with 3% errors: coverage must be near 1 with 1000 labels (power, not validity).
    kept = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        kept.append(certify_threshold(rng.random(1000), rng.random(1000) > 0.03).coverage)
    assert np.mean(kept) > 0.95


def test_T_1_a_tenth_of_good_judgments_is_found_and_kept_true() -> None:
    # One in ten is good: less than the share the sequence once started from.
    population = Population(lambda u: np.where(u < 0.1, 0.01, 0.4), None)
    kept, failed, draws = [], 0, 60
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        c, a = population.draw(2000, rng)
        pool = population.draw(1000, rng)[0]
        for result in (certify_threshold(c, a), certify_threshold(c, a, pool=pool)):
            kept.append(result.coverage)
            assert result.level <= 0.1 * (1 + 1e-12)
            failed += population.true_risk(result.threshold) > 0.1 + 2e-4
    assert np.mean(kept) > 0.08
    assert failed <= 2 * at_most(0.1, draws)


def test_T_1_levels_that_enter_along_the_sequence_keep_delta_together() -> None:
    # Risk just above alpha everywhere: each of the entries has its own chance to err.
    population, draws, failed = Population(RISKS["just above alpha"], None), 400, 0
    for seed in range(draws):
        drawn = population.draw(1000, np.random.default_rng(seed))
        failed += certify_threshold(*drawn).feasible
    assert failed <= at_most(0.1, draws)
    c = np.random.default_rng(0).random(1000)
    steps = choose_steps(c, None, c, Goal(0.1, 0.1, "fixed_sequence"))
    assert len(steps.entries) == 3
    assert sum(part for _, part in steps.entries) == pytest.approx(1.0)
    assert [index for index, _ in steps.entries] == sorted(index for index, _ in steps.entries)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([60, 99, 1000, 10**6]))
def test_single_precision_accepts_what_was_tested(seed: int, values: int) -> None:
    rng = np.random.default_rng(seed)
    double = rng.integers(0, values, 1000) / values
    single = double.astype(np.float32)
    a = rng.random(1000) >= np.where(double >= 0.6, 0.02, 0.6)
    for confidence in (double, single):
        result = certify_threshold(confidence, a)
        for compared in (double, single):
            assert np.count_nonzero(compared >= result.threshold) == result.n


def test_T_1_coarse_steps_keep_more_than_one_step_a_label() -> None:
    # The published sequence tests every confidence in turn; same data, same guarantee.
    population, ours, theirs = Population(lambda u: 0.2 * u, None), [], []
    for seed in range(100):
        c, a = population.draw(300, np.random.default_rng(seed))
        ours.append(certify_threshold(c, a).coverage)
        theirs.append(certify_threshold(c, a, grid=c).coverage)
    assert np.mean(ours) > np.mean(theirs)


def test_all_thresholds_of_a_million_labels_take_under_half_a_second() -> None:
    rng = np.random.default_rng(0)
    c = rng.random(10**6)
    a = rng.random(10**6) > 0.15 * (1 - c)
    times = []
    for _ in range(3):
        start = time.process_time()
        certify_threshold(c, a, grid=c)
        times.append(time.process_time() - start)
    assert min(times) < 1.0  # .2 s on an idle machine


def test_bonferroni_shares_delta_among_preset_steps() -> None:
    c = np.linspace(0, 1, 100)
    result = certify_threshold(c, np.ones(100), method="bonferroni")
    assert result.labels_needed == zero_error_labels(0.1, 0.01)
    assert result.bound == pytest.approx(float(risk_upper(0, 100, 0.01)))
    tied = certify_threshold(np.ones(100), np.ones(100), method="bonferroni")
    assert tied.labels_needed == zero_error_labels(0.1, 0.01)


def test_least_abstention() -> None:
    assert least_abstention(0.28, alpha=0.1) == pytest.approx(0.2)
    assert least_abstention(0.1, alpha=0.1) == 0.0
    with pytest.raises(ValueError, match=r"risk = 1\.5"):
        least_abstention(1.5, alpha=0.1)


def test_no_labels_is_an_answer_not_an_error() -> None:
    result = certify_threshold([], [])
    assert result.threshold == np.inf
    assert result.reason is not None
    assert result.reason.startswith("0 labels cannot certify")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 0.0}, "alpha = 0.0 must lie strictly between 0 and 1"),
        ({"delta": 1.0}, "delta = 1.0 must lie strictly between 0 and 1"),
        ({"method": "guess"}, "method = 'guess' must be one of fixed_sequence"),
        ({"agrees": [1.0, 0.5]}, "agrees must be 0 or 1"),
        ({"agrees": [1.0]}, "differ in shape"),
        ({"confidence": [np.nan, 1.0]}, "confidence must not be NaN"),
        ({"clusters": [1]}, "clusters must have the shape of confidence"),
        ({"clusters": [None, "a"]}, "clusters must be keys of one kind"),
        ({"alpha": "x"}, "alpha = 'x' must lie strictly between 0 and 1"),
        ({"rng": 0}, "rng = 0 must be a numpy Generator"),
        ({"grid": []}, "grid must hold at least one threshold"),
        ({"pool": []}, "pool must hold at least one confidence"),
        ({"pool": [[0.1]]}, "pool must have one dimension, not 2"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    call: dict[str, object] = {"confidence": [0.5, 0.6], "agrees": [1, 0], **arguments}
    with pytest.raises(ValueError, match=message):
        certify_threshold(**call)  # type: ignore[arg-type]
