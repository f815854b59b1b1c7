"""Replays of selective judging: the numbers are those of a plain loop, and promises are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from panopt.stats.certify import certify_threshold
from panopt.stats.replay import Labelled, Replayed, replay

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def labelled(
    confidence: Floats, agrees: Flags, *, clusters: NDArray[np.int64] | None = None
) -> Labelled:
    """Make judges, and a panel that is their strongest."""
    n, judges = confidence.shape
    costs = np.power(10.0, np.arange(judges, dtype=np.float64))
    return Labelled(
        confidence,
        agrees,
        confidence[:, -1],
        agrees[:, -1],
        np.arange(n) if clusters is None else clusters,
        costs,
        float(costs.sum()),
    )


def calibrated(n: int, judges: int, seed: int) -> Labelled:
    """Make judges whose confidence is their accuracy."""
    rng = np.random.default_rng(seed)
    c = rng.uniform(0.5, 1, (n, judges))
    return labelled(c, rng.random((n, judges)) < c)


def by_name(found: tuple[Replayed, ...]) -> dict[str, Replayed]:
    return {one.method: one for one in found}


def test_T_4_table_has_the_field_s_methods_in_its_order() -> None:
    found = replay(calibrated(60, 2, 0), splits=2)
    assert [(one.method, one.guaranteed, one.judges) for one in found] == [
        ("no selection", False, (1,)),
        ("heuristic", False, (1,)),
        ("cascaded heuristic", False, (0, 1)),
        ("point estimate", False, (1,)),
        ("per-stage fixed sequence", True, (0, 1)),
        ("joint path", True, (0, 1)),
        ("panel certificate", True, None),
    ]


def test_a_perfect_judge_is_always_trusted_and_nobody_asked_after_it() -> None:
    sure = np.ones((200, 2))
    costs: dict[tuple[int, ...] | None, float] = {(0, 1): 1.0, (1,): 10.0, None: 11.0}
    for one in replay(labelled(sure, sure == 1), splits=5, alpha=0.05):
        for seen in (one.known_population, one.held_out):
            assert seen is not None
            assert (seen.success, seen.coverage, seen.agreement) == (1.0, 1.0, 1.0)
            assert (seen.n_success, seen.nothing, seen.success_high) == (5, 0.0, 1.0)
        assert one.known_population.cost == pytest.approx(costs[one.judges])
        assert one.known_population.composition == ((1.0, 0.0) if one.judges == (0, 1) else (1.0,))


def test_a_coin_is_never_trusted_by_a_method_that_promises() -> None:
    rng = np.random.default_rng(1)
    items = labelled(rng.uniform(0.5, 1, (400, 2)), rng.random((400, 2)) < 0.5)
    for one in replay(items, splits=20):
        if one.guaranteed:
            seen = one.known_population
            assert (seen.coverage, seen.nothing, seen.success) == (0.0, 1.0, 1.0)
            assert (seen.agreement, seen.agreement_range, seen.composition) == (None, None, None)
            assert seen.cost == 0.0  # a judge that never decides is not asked
        elif one.method != "point estimate":
            assert one.known_population.success == 0.0


def test_numbers_are_those_of_a_plain_loop() -> None:
    items, splits, alpha = calibrated(150, 2, 2), 12, 0.2
    found = by_name(replay(items, splits=splits, alpha=alpha, labels=80, seed=3))
    coverage, agreement, good = [], [], 0
    for split in range(splits):
        drawn = np.random.default_rng((3, 1, split)).integers(0, 150, 80)
        made = certify_threshold(items.panel[drawn], items.panel_agrees[drawn], alpha=alpha)
        accepted = items.panel >= made.threshold
        coverage.append(accepted.mean())
        if accepted.any():
            agreement.append(items.panel_agrees[accepted].mean())
        good += not accepted.any() or agreement[-1] >= 1 - alpha
    seen = found["panel certificate"].known_population
    assert seen.coverage == pytest.approx(np.mean(coverage))
    assert seen.agreement == pytest.approx(np.mean(agreement))
    assert seen.n_success == good
    assert 0.0 < seen.coverage < 1.0
    # Without a threshold the population has one risk, and the cost is one judge's.
    everything = found["no selection"].known_population
    assert everything.agreement == pytest.approx(items.agrees[:, 1].mean())
    assert (everything.coverage, everything.cost) == (1.0, 10.0)
    reached = (items.confidence >= 0.8).argmax(axis=1)
    some = (items.confidence >= 0.8).any(axis=1)
    cascade = found["cascaded heuristic"].known_population
    assert cascade.composition == pytest.approx([np.mean(reached[some] == m) for m in (0, 1)])
    assert cascade.cost == pytest.approx(np.mean(np.where(some & (reached == 0), 1.0, 11.0)))
    held = found["heuristic"].held_out
    assert held is not None
    shares = []
    for split in range(splits):
        rest = np.random.default_rng((3, 2, split)).permutation(150)[80:]
        shares.append(np.mean(items.confidence[rest, 1] >= 0.8))
    assert held.coverage == pytest.approx(np.mean(shares))
    assert held.coverage_range == pytest.approx(np.quantile(shares, [0.025, 0.975]))


def test_an_item_judged_twice_counts_once() -> None:
    once = calibrated(120, 2, 4)
    twice = labelled(
        np.repeat(once.confidence, 2, axis=0),
        np.repeat(once.agrees, 2, axis=0),
        clusters=np.repeat(np.arange(120), 2) * 7 - 3,
    )
    for one, two in zip(
        replay(once, splits=6, alpha=0.2), replay(twice, splits=6, alpha=0.2), strict=True
    ):
        for way in ("known_population", "held_out"):
            first, second = getattr(one, way), getattr(two, way)
            assert first.n_success == second.n_success
            assert first.coverage == pytest.approx(second.coverage)
            assert first.agreement == pytest.approx(second.agreement)
            assert first.cost == pytest.approx(second.cost)


def test_items_without_a_panel_verdict_are_never_accepted() -> None:
    items = calibrated(100, 1, 5)
    panel = np.where(np.arange(100) < 30, np.nan, 1.0)
    alone = replace(
        items,
        confidence=np.empty((100, 0)),
        agrees=np.empty((100, 0), dtype=np.bool_),
        costs=np.empty(0),
        panel=panel,
        panel_agrees=np.ones(100, dtype=np.bool_),
    )
    found = replay(alone, splits=4)
    assert [one.method for one in found] == [
        "no selection",
        "heuristic",
        "point estimate",
        "panel certificate",
    ]
    for one in found:
        assert one.known_population.coverage == pytest.approx(0.7)


def test_same_seed_same_numbers_and_all_labels_hold_nothing_out() -> None:
    items = calibrated(60, 2, 6)
    assert replay(items, splits=3) == replay(items, splits=3)
    assert replay(items, splits=3) != replay(items, splits=3, seed=1)
    found = replay(items, splits=3, labels=60)
    assert all(one.held_out is None for one in found)


@pytest.fixture(scope="module")
def trivia() -> Callable[[Path], Labelled]:
    def make(shared: Path) -> Labelled:
        """Vote shares of three panels of three judges, weak to strong, and of all nine."""
        table = pq.read_table(shared / "data" / "sets" / "triviaqa_judges_dev" / "scores.parquet")
        rows = table.to_pandas().query("judge_kind == 'llm'")
        votes = rows.pivot_table(index="item_id", columns="judge", values="score")
        right = rows.groupby("item_id").label.first().reindex(votes.index).to_numpy() == 1
        order = votes.eq(right.astype(float), axis=0).mean().sort_values().index
        share = np.stack(
            [votes[order[i : i + 3]].mean(axis=1).to_numpy() for i in (0, 3, 6)], axis=1
        )
        whole = votes.mean(axis=1).to_numpy()
        return Labelled(
            np.maximum(share, 1 - share),
            (share > 0.5) == right[:, None],
            np.maximum(whole, 1 - whole),
            (whole > 0.5) == right,
            np.arange(len(right)),
            np.array([1.0, 2.0, 10.0]),
            13.0,
        )

    return make


def test_T_4_promises_are_kept_on_real_judges_and_baselines_break_them(
    shared: Path, trivia: Callable[[Path], Labelled]
) -> None:
    splits, delta = 80, 0.1
    found = by_name(replay(trivia(shared), alpha=0.05, delta=delta, splits=splits, labels=300))
    least = 1 - delta - 3 * np.sqrt(delta * (1 - delta) / splits)
    for one in found.values():
        if one.guaranteed:
            assert one.known_population.success >= least, one.method
    assert found["cascaded heuristic"].known_population.success_high < 1 - delta
    assert found["no selection"].known_population.success == 0.0
    assert found["point estimate"].known_population.success_high < 1 - delta
    assert found["panel certificate"].known_population.coverage > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.05, 0.1])
def test_T_4_promises_are_kept_in_a_thousand_replays(
    shared: Path, trivia: Callable[[Path], Labelled], alpha: float
) -> None:
    for one in replay(trivia(shared), alpha=alpha, splits=1000, labels=300):
        if one.guaranteed:
            assert one.known_population.success >= 0.9 - 3 * np.sqrt(0.09 / 1000), one.method


def test_bad_input_is_refused_by_name() -> None:
    items = calibrated(40, 2, 7)
    with pytest.raises(ValueError, match=r"alpha = 1\.5 must lie strictly between 0 and 1"):
        replay(items, alpha=1.5)
    with pytest.raises(ValueError, match="splits = 0 must be a whole number of at least 1"):
        replay(items, splits=0)
    with pytest.raises(ValueError, match="labels = -1 must be a whole number"):
        replay(items, labels=-1)
    with pytest.raises(ValueError, match=r"level = 1\.0 must lie strictly between 0 and 1"):
        replay(items, level=1.0)
    with pytest.raises(ValueError, match=r"confidence must lie in \[0, 1\]"):
        replay(replace(items, confidence=items.confidence + 1))
    with pytest.raises(ValueError, match="panel must be finite"):
        replay(replace(items, panel=np.full(40, np.inf)))
    with pytest.raises(ValueError, match="costs must not fall"):
        replay(replace(items, costs=np.array([2.0, 1.0])))
    with pytest.raises(ValueError, match="must be finite and not negative"):
        replay(replace(items, panel_cost=float("nan")))
    with pytest.raises(ValueError, match="both must be"):
        replay(replace(items, agrees=items.agrees[:, :1]))
    with pytest.raises(ValueError, match="must all have shape"):
        replay(replace(items, clusters=np.arange(39)))
    with pytest.raises(ValueError, match=r"costs has shape \(1,\)"):
        replay(replace(items, costs=np.ones(1)))
    with pytest.raises(ValueError, match="at least two clusters"):
        replay(replace(items, clusters=np.zeros(40, dtype=np.int64)))
