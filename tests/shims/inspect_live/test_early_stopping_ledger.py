"""The interval over planned samples: reference numbers, and coverage under hostile finishing."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panopt.shims.inspect.live import early_stopping_ledger
from panopt.shims.inspect.live.early_stopping_claim import Population, claim_of
from panopt.shims.inspect.live.early_stopping_ledger import Ledger
from panopt.stats.confseq import RunningInterval


def ledger_of(
    n: int,
    *,
    epochs: int = 1,
    population: Population = "dataset",
    alpha: float = 0.05,
    baseline: Mapping[str, float] | None = None,
) -> Ledger:
    claim = claim_of(width=0.1, alpha=alpha, population=population, paired=baseline is not None)
    names = [f"i{k}" for k in range(n)]
    return Ledger(names, epochs=epochs, claim=claim, baseline=baseline)


def test_in_the_order_of_the_plan_it_is_the_running_interval() -> None:
    values = np.random.default_rng(1).integers(0, 2, 60).astype(float)
    for population in ("dataset", "items like these"):
        ledger = ledger_of(100, population=population)
        for place, value in enumerate(values):
            ledger.end(f"i{place}", 1, float(value))
        running = RunningInterval(alpha=0.05, population=100 if population == "dataset" else None)
        running.update(values)
        now = ledger.interval()
        sure = (values.sum() / 100, (values.sum() + 40) / 100)
        low, high = running.low, running.high
        if population == "dataset":
            low, high = max(low, sure[0]), min(high, sure[1])
        assert (now.low, now.high) == pytest.approx((low, high), abs=1e-12)
        assert now.estimate == pytest.approx(values.mean())
        assert (now.n_items, now.n_samples, now.n_unknown) == (60, 60, 0)


def test_a_whole_run_is_known_exactly_whatever_the_order() -> None:
    rng = np.random.default_rng(2)
    values = rng.random((3, 40))
    ledger = ledger_of(40, epochs=3)
    for cell in rng.permutation(120):
        ledger.end(f"i{cell % 40}", cell // 40 + 1, values.flat[cell])
    now = ledger.interval()
    assert now.low == pytest.approx(values.mean(), abs=1e-12)
    assert now.high == pytest.approx(values.mean(), abs=1e-12)
    assert now.low <= now.high


def test_what_failed_leaves_the_interval_as_wide_as_it_could_have_moved_the_mean() -> None:
    ledger = ledger_of(20)
    for place in range(20):
        ledger.end(f"i{place}", 1, None if place < 2 else 1.0)
    now = ledger.interval()
    assert (now.low, now.high) == pytest.approx((0.9, 1.0))
    assert (now.n_samples, now.n_unknown) == (18, 2)


def test_earlier_epochs_of_the_data_set_are_known() -> None:
    ledger = ledger_of(10, epochs=2)
    for place in range(10):
        ledger.end(f"i{place}", 1, 1.0)
    now = ledger.interval()
    assert (now.low, now.high) == pytest.approx((0.5, 1.0))


def test_one_epoch_of_several_tells_of_items_like_these() -> None:
    ledger = ledger_of(50, epochs=4, population="items like these")
    for place in range(50):
        ledger.end(f"i{place}", 1, 1.0)
    alone = RunningInterval(alpha=0.025)
    alone.update(np.ones(50))
    assert ledger.interval().low == pytest.approx(alone.low)
    for place in range(50):
        ledger.end(f"i{place}", 2, 1.0)
    assert ledger.interval().low == pytest.approx(alone.low)  # the same items again


def test_a_baseline_leaves_out_what_it_has_not() -> None:
    baseline = {"i0": 1.0, "i2": 0.0, "elsewhere": 1.0}
    ledger = ledger_of(3, baseline=baseline)
    assert ledger.items == ("i0", "i2")
    assert not ledger.end("i1", 1, 1.0)
    ledger.end("i0", 1, 0.0)
    ledger.end("i2", 1, 0.5)
    now = ledger.interval()
    assert (now.low, now.high, now.estimate) == pytest.approx((-0.25, -0.25, -0.25))


def test_items_like_these_may_differ_by_what_no_planned_one_can() -> None:
    """A baseline that has all of few planned items right says nothing of those it gets wrong."""
    ledger = ledger_of(
        10, population="items like these", baseline={f"i{k}": 1.0 for k in range(10)}
    )
    for place in range(10):
        ledger.end(f"i{place}", 1, float(place > 0))
    now = ledger.interval()
    alone = RunningInterval(alpha=0.05)
    alone.update([0.0, *[0.5] * 9])
    assert (now.low, now.high) == pytest.approx((2 * alone.low - 1, 2 * alone.high - 1))
    assert now.high > 0  # the candidate may yet be better


def test_what_ends_again_or_was_not_planned_changes_nothing() -> None:
    ledger = ledger_of(30)
    assert ledger.end("i0", 1, 1.0)
    before = ledger.interval()
    for item, epoch in (("i0", 1), ("i0", 2), ("i0", 0), ("unplanned", 1)):
        assert not ledger.end(item, epoch, 0.0)
    assert ledger.interval() == before


def test_a_sample_that_never_ends_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_stopping_ledger, "MOST_WAITING", 20)
    stuck, free = ledger_of(400), ledger_of(400)
    for place in range(1, 300):
        stuck.end(f"i{place}", 1, 1.0)
        free.end(f"i{place}", 1, 1.0)
        stuck.interval()
    free.end("i0", 1, 0.0)
    assert stuck.interval().low == pytest.approx(free.interval().low, abs=1e-12)
    wide = stuck.interval().high
    stuck.end("i0", 1, 0.0)  # known after all: the data set's mean cannot be what it was
    assert stuck.interval().high == pytest.approx(wide - 1 / 400)


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=5, max_size=40),
    missing=st.lists(st.booleans(), min_size=40, max_size=40),
    population=st.sampled_from([None, 40]),
)
def test_unknown_values_only_widen_at_every_time(
    values: list[float], missing: list[bool], population: int | None
) -> None:
    known = RunningInterval(population=population)
    unknown = RunningInterval(population=population)
    for value, is_missing in zip(values, missing, strict=False):
        known.update([value])
        unknown.update_between([0.0 if is_missing else value], [1.0 if is_missing else value])
        assert unknown.low <= known.low + 1e-9
        assert unknown.high >= known.high - 1e-9


def missed(
    ledger: Ledger,
    values: np.ndarray,
    truth: float,
    rng: np.random.Generator,
    *,
    fails: bool,
    at_once: int = 10,
) -> bool:
    """Run a plan `at_once` at a time, right answers fast, and look all the while.

    With `fails`, half of the wrong answers have no score.
    """
    n = values.shape[1]
    plan = [(epoch, place) for epoch in range(values.shape[0]) for place in range(n)]
    running: list[tuple[float, int, int]] = []
    clock, ended = 0.0, 0
    wrong = False
    while plan or running:
        while plan and len(running) < at_once:
            epoch, place = plan.pop(0)
            lasts = rng.exponential(1.0 + 20.0 * (1.0 - values[epoch, place]))
            heapq.heappush(running, (clock + lasts, epoch, place))
        clock, epoch, place = heapq.heappop(running)
        value = values[epoch, place]
        is_gone = fails and value < 0.5 and rng.random() < 0.5
        ledger.end(f"i{place}", epoch + 1, None if is_gone else float(value))
        ended += 1
        if ended >= 5 and (ended % 7 == 0 or not plan):
            now = ledger.interval()
            wrong |= not now.low - 1e-9 <= truth <= now.high + 1e-9
    return wrong


def share_missed(
    case: str, n_runs: int, *, n: int, epochs: int = 1, fails: bool = False, p: float = 0.6
) -> float:
    """Share of runs whose interval misses the truth at any time; alpha is .2."""
    rng = np.random.default_rng(7)
    population: Population = "items like these" if case.endswith("like these") else "dataset"
    count = 0
    for _ in range(n_runs):
        chance = rng.beta(4 * p, 4 * (1 - p), n)
        values = (rng.random((epochs, n)) < chance).astype(float)
        baseline = None
        truth = p if case == "like these" else float(values.mean())
        if case.startswith("paired"):
            own = (rng.random(n) < chance).astype(float)
            baseline = {f"i{k}": float(own[k]) for k in range(n)}
            truth = 0.0 if case == "paired like these" else truth - float(own.mean())
        ledger = ledger_of(n, epochs=epochs, population=population, alpha=0.2, baseline=baseline)
        count += missed(ledger, values, truth, rng, fails=fails)
    return count / n_runs


CASES = [
    ("dataset", 1, False, 0.6),
    ("dataset", 1, True, 0.9),
    ("dataset", 3, False, 0.9),
    ("like these", 1, True, 0.6),
    ("like these", 3, False, 0.9),
    ("paired", 1, False, 0.9),
    ("paired like these", 1, False, 0.9),
]


@pytest.mark.parametrize(("case", "epochs", "fails", "p"), CASES[1:5:2])
def test_coverage_holds_where_right_answers_finish_first(
    case: str, epochs: int, p: float, *, fails: bool
) -> None:
    share = share_missed(case, 30, n=42, epochs=epochs, fails=fails, p=p)
    assert share <= 0.2 + 3 * np.sqrt(0.2 * 0.8 / 30)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "epochs", "fails", "p"), CASES)
def test_coverage_holds_where_right_answers_finish_first_in_full(
    case: str, epochs: int, p: float, *, fails: bool
) -> None:
    share = share_missed(case, 2000, n=60 // epochs, epochs=epochs, fails=fails, p=p)
    assert share <= 0.2 + 3 * np.sqrt(0.2 * 0.8 / 2000)


def test_the_mean_of_what_is_finished_would_miss() -> None:
    """What the order of the plan is for: the same runs, taken as they finish."""
    rng = np.random.default_rng(7)
    n_runs, wrong = 60, 0
    for _ in range(n_runs):
        values = (rng.random(200) < 0.6).astype(float)
        # At 50 at once, the first 100 that finish of 200 begun in order.
        lasts = rng.exponential(1.0 + 20.0 * (1.0 - values))
        slots = np.zeros(50)
        ends = np.empty(200)
        for place in range(200):
            slot = int(np.argmin(slots))
            slots[slot] += lasts[place]
            ends[place] = slots[slot]
        running = RunningInterval(alpha=0.2)
        running.update(values[np.argsort(ends)])
        wrong += not running.low <= 0.6 <= running.high
    assert wrong / n_runs > 0.2 + 3 * np.sqrt(0.2 * 0.8 / n_runs)


def test_looks_are_spaced_out_as_a_run_grows() -> None:
    ledger = ledger_of(10_000)
    places = range(1, 10_000)  # the first never ends
    looks = sum(ledger.end(f"i{place}", 1, float(place % 2)) for place in places)
    assert 300 < looks < 800
