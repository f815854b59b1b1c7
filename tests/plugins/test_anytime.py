from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from panopt.findings import Findings
from panopt.plugins import anytime
from panopt.plugins.anytime import RunningInterval, panopt_analyze
from panopt.records.ask import Ask
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.records.scale import Scale
from panopt.records.source import Counts, Source
from panopt.records.study import Study
from panopt.stats.confseq import RunningInterval as GroundFloorRunningInterval

Judge = Callable[..., Any]


class Case(NamedTuple):
    """What a hook sees of a criterion."""

    study: Study
    matrix: Matrix
    consensus: Consensus


def partly(study: Study, *, planned: int | None, errored: int = 0) -> Study:
    """The same study, of one source that planned so many responses."""
    names = study.codes("run")[1]
    scored = len(set(zip(*(study.codes(c)[0].tolist() for c in ("run", "item")), strict=True)))
    counts = Counts(planned=planned, scored=scored, errored=errored)
    return Study(study.table, (Source("log", "tables", runs=tuple(names), counts=counts),))


def found_in(case: Case, study: Study, ask: Ask | None = None) -> Findings | None:
    return panopt_analyze(study, case.matrix, ask or Ask())


def votes(n: int, seed: int = 0) -> NDArray[np.float64]:
    return (np.random.default_rng(seed).random((n, 3)) < 0.8).astype(np.float64)


def test_the_methods_are_the_ground_floor_s() -> None:
    assert RunningInterval is GroundFloorRunningInterval
    assert sorted(anytime.__all__) == sorted(set(anytime.__all__))


def test_hook_bounds_the_mean_of_a_run_that_is_not_complete(judged: Judge) -> None:
    case = judged(votes(60))
    found = found_in(case, partly(case.study, planned=100), Ask(level=0.9))
    assert found is not None
    (row,) = found.rows
    running = RunningInterval(alpha=0.1, intersect=False)
    running.update(votes(60).mean(axis=1))
    assert (row.name, row.n, row.level) == ("mean_anytime", 60, 0.9)
    assert row.value == pytest.approx(votes(60).mean())
    assert (row.low, row.high) == pytest.approx((running.low, running.high))
    assert row.headline
    assert "read the mean at every look (`mean_anytime`)" in found.notes[0]


@pytest.mark.parametrize("planned", [None, 60])
def test_hook_is_silent_where_all_is_there(judged: Judge, planned: int | None) -> None:
    case = judged(votes(60))
    assert found_in(case, partly(case.study, planned=planned)) is None
    assert found_in(case, case.study) is None


def test_hook_is_silent_about_names(judged: Judge) -> None:
    case = judged(votes(20))
    nominal = replace(case.matrix, scale=Scale("nominal"))
    assert panopt_analyze(partly(case.study, planned=50), nominal, Ask()) is None


def test_hook_takes_failures_for_anything(judged: Judge) -> None:
    silent = votes(60)
    silent[:4] = np.nan
    case = judged(silent)
    found = found_in(case, partly(case.study, planned=100, errored=6))
    assert found is not None
    (row,) = found.rows
    running = RunningInterval(intersect=False)
    running.update(silent[4:].mean(axis=1))
    running.update_unknown(10)
    assert (row.n, row.details["n_unknown"]) == (66, 10)
    assert (row.low, row.high) == pytest.approx((running.low, running.high))
    assert row.value == pytest.approx(silent[4:].mean())


def test_hook_takes_what_others_overtook_for_anything(judged: Judge) -> None:
    """The mean of what ended first misses; with what they overtook it holds at every look."""
    rng, missed, naive, runs = np.random.default_rng(3), 0, 0, 12
    for _ in range(runs):
        right = rng.random(60) < 0.5
        ends = np.arange(60) + np.where(right, 0.5, 45.0)
        bad = worse = False
        for now in (25.0, 40.0, 55.0):
            there = np.flatnonzero(ends <= now)
            waiting = int(there.max()) + 1 - there.size
            case = judged(right[there, None].astype(np.float64))
            study = partly(case.study, planned=60)
            (source,) = study.sources
            counts = replace(source.counts, waiting=waiting)
            found = found_in(case, Study(study.table, (replace(source, counts=counts),)))
            plain = found_in(case, study)
            assert found is not None
            assert plain is not None
            (row,), (other,) = found.rows, plain.rows
            assert row.low is not None
            assert row.high is not None
            assert other.low is not None
            bad |= not row.low <= 0.5 <= row.high
            worse |= other.low > 0.5
        missed += bad
        naive += worse
    assert missed <= 1
    assert naive >= runs // 2


def test_hook_takes_the_first_epoch_that_later_ones_may_not_change(judged: Judge) -> None:
    items = sorted([f"i{i:02d}" for i in range(30)] * 2 + [f"i{i:02d}" for i in range(30, 40)])
    epochs = [1, 2] * 30 + [1] * 9 + [2]  # the last item failed in its first
    case = judged(votes(70), item=items, epoch=epochs)
    found = found_in(case, partly(case.study, planned=200, errored=2))
    assert found is not None
    (row,) = found.rows
    running = RunningInterval(intersect=False)
    running.update(votes(70).mean(axis=1)[[*range(0, 60, 2), *range(60, 69)]])
    assert row.value == pytest.approx(running.estimate)
    running.update_unknown(1)
    assert row.n == 40
    assert (row.low, row.high) == pytest.approx((running.low, running.high))
    assert "every item's first epoch alone counts" in row.warnings[0]
    assert any("2 responses that failed" in text for text in row.warnings)


def test_hook_warns_of_clusters_that_may_grow(judged: Judge) -> None:
    case = judged(votes(60))
    ids = case.matrix.response_ids | {"cluster": (np.arange(60) // 3).astype(np.int32)}
    names = case.matrix.names | {"cluster": tuple(f"c{k}" for k in range(20))}
    matrix = replace(case.matrix, response_ids=ids, names=names)
    found = panopt_analyze(partly(case.study, planned=100), matrix, Ask())
    assert found is not None
    (row,) = found.rows
    assert row.n == 20
    assert "clusters count by what is in of them" in row.warnings[0]
    running = RunningInterval(intersect=False)
    running.update(votes(60).mean(axis=1).reshape(20, 3).mean(axis=1))
    assert (row.low, row.high) == pytest.approx((running.low, running.high))


def test_hook_has_a_reason_where_nothing_was_scored(judged: Judge) -> None:
    case = judged(np.full((10, 3), np.nan))
    found = found_in(case, partly(case.study, planned=50))
    assert found is not None
    (row,) = found.rows
    assert (row.value, row.low) == (None, None)
    assert row.reason == "no item has a score"


def test_hook_tells_systems_apart_and_shows_few(judged: Judge) -> None:
    system = [f"s{i // 10:02d}" for i in range(100)]
    items = [f"i{i % 10}" for i in range(100)]
    case = judged(votes(100), item=items, system=system)
    found = found_in(case, partly(case.study, planned=2000))
    assert found is not None
    assert [row.subject for row in found.rows] == [f"s{i:02d}" for i in range(10)]
    assert not any(row.headline for row in found.rows)


@pytest.mark.slow
def test_hook_errs_at_most_alpha_however_often_a_log_is_looked_at(judged: Judge) -> None:
    """Looks after 10, 30 ... 190 of 200 items, p = .8: the mean of `items like these`."""
    missed, runs = 0, 150
    for seed in range(runs):
        scores = np.random.default_rng(seed).random((200, 1)) < 0.8
        for n in range(10, 200, 20):
            case = judged(scores[:n].astype(np.float64))
            found = found_in(case, partly(case.study, planned=200), Ask(level=0.9))
            assert found is not None
            row = found.rows[0]
            assert row.low is not None
            assert row.high is not None
            if not row.low <= 0.8 <= row.high:
                missed += 1
                break
    assert missed / runs <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / runs)
