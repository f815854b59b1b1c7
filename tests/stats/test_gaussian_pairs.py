"""Moments of pairs of judges against loops over items."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from panopt.stats import gaussian_sums
from panopt.stats.gaussian_pairs import Pairs, components, pair_moments
from panopt.stats.gaussian_sums import PanelSums, panel_sums

Floats = NDArray[np.float64]

ITEMS, JUDGES = 60, 4


def made(n: int) -> tuple[PanelSums, Floats]:
    """Sum scores with gaps and repeats; give the table of cell means too."""
    rng = np.random.default_rng(0)
    item, judge = rng.integers(0, ITEMS, n), rng.integers(0, JUDGES, n)
    score = rng.normal(size=ITEMS)[item] + 0.3 * rng.normal(size=n)
    sums = panel_sums(item, judge, score, ITEMS, anchor=np.zeros(JUDGES, dtype=bool))
    table = np.full((ITEMS, JUDGES), np.nan)
    for i, j in np.ndindex(table.shape):
        mine = (item == i) & (judge == j)
        if mine.any():
            table[i, j] = (score[mine].mean() - sums.center[j]) / sums.scale
    return sums, table


@pytest.fixture(params=["patterns", "items", "sparse"])
def found(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Pairs, Floats]:
    if request.param == "sparse":
        monkeypatch.setattr(gaussian_sums, "_ROOM", -(10**9))
    if request.param == "patterns":
        monkeypatch.setattr(gaussian_sums, "_ROWS", 10**6)
    sums, table = made(200)
    assert (sums.cross is None) == (request.param != "patterns")
    return pair_moments(sums), table


def test_moments_are_those_of_the_shared_items(found: tuple[Pairs, Floats]) -> None:
    pairs, table = found
    for j, k in np.ndindex(JUDGES, JUDGES):
        both = ~np.isnan(table[:, j] + table[:, k])
        first, second = table[both, j], table[both, k]
        assert pairs.n[j, k] == both.sum()
        assert pairs.mean[j, k] == pytest.approx(first.mean())
        assert pairs.var[j, k] == pytest.approx(first.var())
        assert pairs.cov[j, k] == pytest.approx(
            np.mean(first * second) - first.mean() * second.mean()
        )


def test_excess_is_the_mean_over_items_of_what_other_judges_leave(
    found: tuple[Pairs, Floats],
) -> None:
    pairs, table = found
    for j, k in np.ndindex(JUDGES, JUDGES):
        if j == k:
            continue
        parts = []
        for row in table:
            others = np.delete(row, [j, k])
            others = others[~np.isnan(others)]
            if np.isnan(row[j] + row[k]) or not others.size:
                continue
            part = row[j] * row[k]
            if others.size == 1:
                part -= 0.5 * (row[j] + row[k]) * others[0]
            else:
                part += others[0] * others[1] - (row[j] + row[k]) * others.mean()
            parts.append(part)
        assert pairs.judged[j, k] == len(parts)
        assert pairs.excess[j, k] == pytest.approx(np.mean(parts))


def test_within_is_what_repeats_differ() -> None:
    item = np.array([0, 0, 1, 1, 0, 1, 2])
    judge = np.array([0, 0, 0, 0, 1, 1, 1])
    score = np.array([1.0, 3.0, 2.0, 2.0, 1.0, 2.0, 5.0])
    sums = panel_sums(item, judge, score, 3, anchor=np.zeros(2, dtype=bool))
    assert pair_moments(sums).within * sums.scale**2 == pytest.approx([2.0, 0.0])


def test_components_follow_links_and_anchors() -> None:
    chain = np.zeros((6, 6), dtype=bool)
    for j, k in ((0, 3), (3, 5), (1, 4)):
        chain[j, k] = chain[k, j] = True
    nobody = np.zeros(6, dtype=bool)
    assert components(chain, nobody) == [[0, 3, 5], [1, 4], [2]]
    assert components(chain, np.isin(np.arange(6), [2, 4])) == [[0, 3, 5], [1, 2, 4]]
