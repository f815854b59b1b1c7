from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from panopt.findings import Findings
from panopt.plugins import ppi
from panopt.plugins.ppi import panopt_analyze, ppi_mean
from panopt.records.ask import Ask
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.records.scale import Scale
from panopt.records.study import Study
from panopt.stats.ppi import ppi_mean as ground_floor_ppi_mean

Judge = Callable[..., Any]


class Case(NamedTuple):
    """What a hook sees of a criterion."""

    study: Study
    matrix: Matrix
    consensus: Consensus


def found_in(case: Case, ask: Ask | None = None) -> Findings:
    found = panopt_analyze(case.matrix, case.consensus, ask or Ask(), np.random.default_rng(0))
    assert found is not None
    return found


def human(n: int, every: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Labels of 1 with probability .8, on one response in `every`."""
    return np.where(np.arange(n) % every == 0, (rng.random(n) < 0.8) * 1.0, np.nan)


def test_the_methods_are_the_ground_floor_s() -> None:
    assert ppi_mean is ground_floor_ppi_mean
    assert sorted(ppi.__all__) == sorted(set(ppi.__all__))


def test_hook_corrects_each_system_s_mean_by_its_labels(judged: Judge) -> None:
    rng = np.random.default_rng(0)
    labels = human(300, 4, rng)
    votes = (rng.random((300, 3)) < 0.7) * 1.0
    system = ["a"] * 100 + ["b"] * 200
    items = [f"i{i:03d}" for i in (*range(100), *range(200))]
    case = judged(votes, human=labels, system=system, item=items)
    rows = found_in(case, Ask(level=0.9)).named("ppi_mean")
    assert [row.subject for row in rows] == ["a", "b"]
    for row, of in zip(rows, (slice(100), slice(100, 300)), strict=True):
        y, f = labels[of], votes[of].mean(axis=1)
        has = ~np.isnan(y)
        expected = ppi_mean(y[has], f[has], f[~has], alpha=0.1)
        assert (row.value, row.low, row.high) == (expected.value, expected.low, expected.high)
        assert (row.level, row.n, row.subject_kind) == (0.9, int(has.sum()), "system")
        assert row.details["ess"] == expected.ess
        assert row.details["lam"] == expected.lam
        assert row.details["n_unlabeled"] == int((~has).sum())
        assert row.headline
        assert not row.warnings


def test_hook_takes_epochs_of_an_item_for_one_cluster(judged: Judge) -> None:
    rng = np.random.default_rng(0)
    n = 240
    item, epoch = [f"i{i // 3:02d}" for i in range(n)], [i % 3 + 1 for i in range(n)]
    labels = np.where(np.arange(n) < 120, np.repeat((rng.random(80) < 0.7) * 1.0, 3), np.nan)
    case = judged((rng.random((n, 2)) < 0.6) * 1.0, human=labels, item=item, epoch=epoch)
    row = found_in(case).named("ppi_mean")[0]
    assert (row.n, row.details["n_clusters"]) == (120, 40)
    assert row.assumptions[0].endswith("clusters are independent")


def test_hook_gives_the_share_that_humans_pass_where_labels_are_graded(judged: Judge) -> None:
    rng = np.random.default_rng(0)
    votes = rng.random((120, 3))
    labels = np.where(np.arange(120) % 3 == 0, votes.mean(axis=1), np.nan)
    case = judged(votes, human=labels, scale="continuous")
    found = found_in(case, Ask(threshold=0.6))
    row = found.named("ppi_pass_rate")[0]
    y, f, has = labels >= 0.6, votes.mean(axis=1) >= 0.6, ~np.isnan(labels)
    expected = ppi_mean(y[has], f[has], f[~has])
    ends = (expected.value, expected.low, expected.high)
    assert (row.value, row.low, row.high) == pytest.approx(ends)
    assert (row.unit, row.headline) == ("share of responses", False)
    binary = judged(votes, human=np.where(has, y * 1.0, np.nan))
    assert not found_in(binary).named("ppi_pass_rate")


def test_hook_keeps_labels_of_responses_the_panel_is_silent_on(judged: Judge) -> None:
    rng = np.random.default_rng(0)
    votes, labels = rng.random((60, 2)), human(60, 2, rng)
    votes[:10] = np.nan
    case = judged(votes, human=labels, scale="continuous")
    row = found_in(case).named("ppi_mean")[0]
    assert (row.n, row.details["n_unlabeled"], row.details["n_without_panel"]) == (30, 30, 10)
    silent = judged(np.full((60, 2), np.nan), human=labels, scale="continuous")
    alone = found_in(silent).named("ppi_mean")[0]
    assert alone.value == np.nanmean(labels)
    assert alone.details["lam"] == 0


def test_hook_warns_of_labels_that_are_no_random_sample(judged: Judge) -> None:
    rng = np.random.default_rng(0)
    votes = rng.random((400, 3))
    high = np.argsort(votes.mean(axis=1))[-60:]
    labels = np.full(400, np.nan)
    labels[high] = 1.0 * (rng.random(60) < 0.8)
    found = found_in(judged(votes, human=labels, scale="continuous"))
    row = found.named("ppi_mean")[0]
    assert "the panel scores labelled responses unlike the others (mean +0." in row.warnings[0]
    assert "draw the next ones with --label-next" in found.notes[0]
    random = found_in(judged(votes, human=human(400, 7, rng), scale="continuous"))
    assert random.notes == ()


def test_hook_has_reasons_for_single_labels(judged: Judge) -> None:
    labels = np.full(20, np.nan)
    labels[3] = 1.0
    row = found_in(judged(np.ones((20, 2)), human=labels)).named("ppi_mean")[0]
    assert (row.value, row.low) == (1.0, None)
    assert row.no_interval is not None
    assert row.no_interval.startswith("one labelled cluster gives no standard error")


def test_hook_has_nothing_to_add_without_labels_with_all_of_them_or_for_names(
    judged: Judge,
) -> None:
    rng = np.random.default_rng(0)
    votes = np.ones((20, 2))
    every = human(20, 1, rng)
    for case in (judged(votes), judged(votes, human=every)):
        assert panopt_analyze(case.matrix, case.consensus, Ask(), rng) is None
    case = judged(votes, human=human(20, 2, rng))
    nominal = replace(case.matrix, scale=Scale("nominal"))
    assert panopt_analyze(nominal, case.consensus, Ask(), rng) is None


def test_hook_shows_few_systems_at_first_look(judged: Judge) -> None:
    rng = np.random.default_rng(0)
    system = [f"s{i // 10:02d}" for i in range(120)]
    items = [f"i{i % 10}" for i in range(120)]
    case = judged(np.ones((120, 2)), human=human(120, 2, rng), system=system, item=items)
    rows = found_in(case).named("ppi_mean")
    assert len(rows) == 12
    assert not any(row.headline for row in rows)


@pytest.mark.parametrize("ask", [Ask(), Ask(level=0.8)])
def test_hook_is_the_same_each_time(judged: Judge, ask: Ask) -> None:
    rng = np.random.default_rng(0)
    case = judged(rng.random((50, 2)), human=human(50, 3, rng), scale="continuous")
    assert found_in(case, ask).rows == found_in(case, ask).rows
