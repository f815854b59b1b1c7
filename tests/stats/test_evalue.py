from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from panopt.stats.confseq import RunningInterval, difference_sequence
from panopt.stats.confseq_wealth import BETS, LOG_WEIGHTS
from panopt.stats.drift import risk_wealth
from panopt.stats.evalue import anytime_gate, drop_e_process, risk_e_process

Floats = NDArray[np.float64]
Pairs = tuple[Floats, Floats]


def equal(rng: np.random.Generator, n: int) -> Pairs:
    """Two systems alike on every item: no drop."""
    hard = rng.random(n)
    return (rng.random(n) > hard).astype(np.float64), (rng.random(n) > hard).astype(np.float64)


def mostly_ties(rng: np.random.Generator, n: int) -> Pairs:
    """A drop of .02, one item of 20 deciding it."""
    d = rng.choice([-1.0, 0.0, 1.0], n, p=[0.015, 0.95, 0.035])
    return np.maximum(d, 0.0), np.maximum(-d, 0.0)


def rare_loss(rng: np.random.Generator, n: int) -> Pairs:
    """A drop of .0485: almost always .05, seldom a win of 1 that makes up for it."""
    won = rng.random(n) < 1.0 / 700.0
    return np.where(won, 0.0, 0.55), np.where(won, 1.0, 0.5)


NULLS: dict[str, tuple[Callable[[np.random.Generator, int], Pairs], float]] = {
    "equal": (equal, 0.0),
    "mostly_ties": (mostly_ties, 0.02),
    "rare_loss": (rare_loss, 0.05 - 1.05 / 700.0),
}


def at_most(alpha: float, runs: int) -> float:
    return float(alpha + 3.0 * np.sqrt(alpha * (1.0 - alpha) / runs))


# Reference numbers


def test_e_values_are_bets_multiplied_out() -> None:
    a, b = equal(np.random.default_rng(0), 60)
    found = drop_e_process(a, b, max_drop=0.1)
    x, at = (a - b + 1) / 2, 1.1 / 2
    for n in (1, 7, 60):
        growth = [np.prod((1 + bet * x[:n]) / (1 + bet * at)) for bet in BETS]
        assert found.values[n - 1] == pytest.approx(np.exp(LOG_WEIGHTS) @ np.array(growth))
    assert found.max == pytest.approx(max(1.0, found.values.max()))
    assert found.p == pytest.approx(1.0 / found.max)


def test_risk_process_is_the_certificate_s_monitor() -> None:
    wrong = np.random.default_rng(0).random(50) < 0.2
    found = risk_e_process(wrong, alpha=0.1)
    assert found.values[-1] == risk_wealth(wrong.sum(), 50, alpha=0.1)
    assert found.n == 50


def test_what_watching_costs_in_power() -> None:
    """A drop of .15 against a tolerated .05, four pairs of ten differing: 400 items show it."""
    rng = np.random.default_rng(1)
    shown = []
    for _ in range(60):
        d = rng.choice([-1.0, 0.0, 1.0], 400, p=[0.125, 0.6, 0.275])
        gate = anytime_gate(d, max_drop=0.05)
        shown.append(gate.status == "worse")
        assert gate.status != "no worse"
    assert np.mean(shown) > 0.5


# Properties

SCORES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 0.75, 1.0])),
    min_size=1,
    max_size=80,
)


@settings(max_examples=60, deadline=None)
@given(SCORES, st.sampled_from([-0.2, 0.0, 0.05, 0.3]))
def test_evidence_and_interval_agree(scores: list[tuple[float, float]], drop: float) -> None:
    a, b = (np.array(part) for part in zip(*scores, strict=True))
    interval = difference_sequence(a, b, alpha=0.1)
    worse = drop_e_process(a, b, max_drop=drop)
    spared = drop_e_process(a, b, max_drop=drop, show="no worse")
    if interval.reason is None:
        assert (interval.low[-1] > drop) == (worse.rejected_at(0.05) is not None)
        assert (interval.high[-1] < drop) == (spared.rejected_at(0.05) is not None)
    mirrored = drop_e_process(b, a, max_drop=-drop)
    assert mirrored.values == pytest.approx(spared.values, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(SCORES, st.randoms(use_true_random=False))
def test_gate_does_not_know_the_order(scores: list[tuple[float, float]], order: object) -> None:
    d = [x - y for x, y in scores]
    one = anytime_gate(d, max_drop=0.05)
    order.shuffle(d)  # type: ignore[attr-defined]  # random.Random
    other = anytime_gate(d, max_drop=0.05)
    assert (other.low, other.high) == pytest.approx((one.low, one.high), abs=1e-9)
    assert other.e_worse == pytest.approx(one.e_worse, rel=1e-6)
    assert one.low <= np.mean(d) <= one.high
    assert (one.status == "worse") == (one.low > 0.05)


def test_unknown_scores_give_the_least_evidence() -> None:
    a, b = np.ones(30), np.zeros(30)
    whole = drop_e_process(a, b, max_drop=0.0)
    holed = drop_e_process(np.where(np.arange(30) < 5, np.nan, a), b, max_drop=0.0)
    zeros = drop_e_process(np.where(np.arange(30) < 5, 0.0, a), b, max_drop=0.0)
    assert holed.values == pytest.approx(zeros.values)
    assert np.all(holed.values <= whole.values + 1e-12)
    gate = anytime_gate([np.nan] * 5 + [0.2] * 40, max_drop=0.0)
    assert (gate.n, gate.n_unknown) == (45, 5)
    assert gate.value == pytest.approx(0.2)
    known = anytime_gate([0.2] * 40, max_drop=0.0)
    assert gate.low < known.low
    assert gate.high > known.high


def test_clusters_count_once_each() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.random((2, 90))
    keys = np.repeat(np.arange(30), 3)
    found = drop_e_process(a, b, max_drop=0.0, clusters=keys)
    means = drop_e_process(*np.add.reduceat([a, b], np.arange(0, 90, 3), axis=1) / 3, max_drop=0.0)
    assert found.values == pytest.approx(means.values)
    gate = anytime_gate(a - b, max_drop=0.1, clusters=keys)
    assert gate.n == 30
    running = RunningInterval(alpha=0.1, intersect=False)
    running.update(((a - b).reshape(30, 3).mean(axis=1) + 1) / 2)
    assert gate.low == pytest.approx(2 * running.low - 1)


def test_other_ranges() -> None:
    a, b = np.random.default_rng(3).integers(1, 6, (2, 50))
    found = drop_e_process(a, b, max_drop=0.4, low=1, high=5)
    unit = drop_e_process((a - 1) / 4, (b - 1) / 4, max_drop=0.1)
    assert found.values == pytest.approx(unit.values)


def test_overwhelming_evidence_stays_finite() -> None:
    found = drop_e_process(np.ones(5000), np.zeros(5000), max_drop=0.0)
    assert np.isfinite(found.max)
    assert found.p > 0
    assert np.isfinite(risk_e_process(np.ones(3000), alpha=0.01).max)
    assert np.isfinite(anytime_gate(np.ones(5000), max_drop=0.0).e_worse)


# Type-I error


@pytest.mark.parametrize("kind", NULLS)
def test_a_tolerated_drop_is_seldom_ever_called_larger(kind: str) -> None:
    draw, drop = NULLS[kind]
    rng = np.random.default_rng(4)
    runs = 200
    shown = [
        drop_e_process(*draw(rng, 400), max_drop=drop).rejected_at(0.1) is not None
        for _ in range(runs)
    ]
    assert np.mean(shown) <= at_most(0.1, runs)


@pytest.mark.slow
@pytest.mark.parametrize("kind", NULLS)
@pytest.mark.parametrize("show", ["worse", "no worse"])
def test_two_thousand_looks_keep_the_level(kind: str, show: str) -> None:
    draw, drop = NULLS[kind]
    rng = np.random.default_rng(5)
    runs, shown = 2000, 0
    for _ in range(runs):
        a, b = draw(rng, 2000)
        found = drop_e_process(a, b, max_drop=drop, show=show)  # type: ignore[arg-type]
        shown += found.rejected_at(0.05) is not None
    assert shown / runs <= at_most(0.05, runs)


@pytest.mark.slow
def test_a_claim_that_holds_of_every_item_in_its_own_way_keeps_the_level() -> None:
    """Drops of different items, none above .1, in a fixed order."""
    rng = np.random.default_rng(6)
    share = 0.1 * np.abs(np.sin(np.arange(1000)))
    runs, shown = 2000, 0
    for _ in range(runs):
        a = (rng.random(1000) < share).astype(np.float64)
        shown += drop_e_process(a, np.zeros(1000), max_drop=0.1).rejected_at(0.05) is not None
    assert shown / runs <= at_most(0.05, runs)


@pytest.mark.slow
@pytest.mark.parametrize("kind", NULLS)
def test_gate_of_a_growing_log_errs_at_most_alpha(kind: str) -> None:
    """Looked at after 5, 25, 45 ... 1000 items, sorted otherwise each time."""
    draw, drop = NULLS[kind]
    rng = np.random.default_rng(7)
    runs, worse, spared = 1000, 0, 0
    for _ in range(runs):
        a, b = draw(rng, 1000)
        seen = {
            anytime_gate(rng.permutation((a - b)[:n]), max_drop=drop).status
            for n in range(5, 1001, 60)
        }
        worse += "worse" in seen
        spared += "no worse" in seen
    assert worse / runs <= at_most(0.05, runs)
    assert spared / runs <= at_most(0.05, runs)


@pytest.mark.slow
def test_a_kept_promise_is_seldom_called_broken() -> None:
    rng = np.random.default_rng(8)
    runs = 2000
    broken = [
        risk_e_process(rng.random(1000) < 0.1, alpha=0.1).rejected_at(0.05) is not None
        for _ in range(runs)
    ]
    assert np.mean(broken) <= at_most(0.05, runs)


# Messages


def test_empty_has_a_reason() -> None:
    for found in (drop_e_process([], [], max_drop=0.1), risk_e_process([], alpha=0.1)):
        assert (found.max, found.p, found.reason) == (1.0, 1.0, "there are no values")
        assert found.rejected_at() is None
    gate = anytime_gate([], max_drop=0.1)
    assert (gate.status, gate.value, gate.reason) == (
        "inconclusive",
        None,
        "no difference is known",
    )
    assert (gate.low, gate.high, gate.e_worse) == (-1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: drop_e_process([1], [0], max_drop=1), "max_drop = 1 must lie strictly between -1"),
        (lambda: drop_e_process([1], [0], max_drop=np.nan), "max_drop = nan must lie strictly"),
        (lambda: drop_e_process([1], [0, 1], max_drop=0), "not 1 and 2"),
        (lambda: drop_e_process([np.inf], [0], max_drop=0), "a spans inf"),
        (
            lambda: drop_e_process([1], [0], max_drop=0, show="better"),  # type: ignore[arg-type]
            "show = 'better' must be 'worse' or 'no worse'",
        ),
        (lambda: drop_e_process([1], [0], max_drop=0).rejected_at(0), "alpha = 0 must lie"),
        (lambda: anytime_gate([0.1], max_drop=0.1, alpha=0.5), "alpha = 0.5 must lie strictly"),
        (lambda: anytime_gate([1.5], max_drop=0.1), "differences spans 1.5"),
        (lambda: anytime_gate([[0.1]], max_drop=0.1), "differences must have one dimension"),
        (lambda: anytime_gate([0.1], max_drop=0.1, clusters=[1, 2]), "clusters must have"),
        (lambda: risk_e_process([0.5], alpha=0.1), "wrong must be 0 or 1"),
        (lambda: risk_e_process([np.nan], alpha=0.1), "wrong must be 0 or 1"),
        (lambda: risk_e_process([1], alpha=1.0), "alpha = 1.0 must lie strictly"),
    ],
)
def test_bad_arguments_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
