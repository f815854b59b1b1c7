"""Certified judging where it is evaluated: what is left to humans, weak judges, shift."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from panopt.stats.cascade import certify_cascade
from panopt.stats.certify import certify_threshold
from panopt.stats.conformal_exchange import exchangeability_test

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def judges(rng: np.random.Generator, n: int, strength: tuple[float, ...]) -> tuple[Floats, Flags]:
    """Judges right as often as they say, each sure within its own strength."""
    sure = 0.5 + rng.random((n, len(strength))) * (np.array(strength) - 0.5)
    return sure, rng.random(sure.shape) < sure


def test_T_4_humans_differ_more_about_what_is_abstained_on(shared: Path) -> None:
    """Scores of 1 to 5 by five judges, passing from 3; three humans an item, on coherence."""
    table = pq.read_table(shared / "data" / "sets" / "hanna" / "scores.parquet").to_pandas()
    table = table[table.task == "coherence"]
    people = table[table.judge_kind == "human"].groupby("item_id").score
    spread, human = people.std(), people.mean() >= 3
    panel = table[table.judge_kind == "llm"].groupby("item_id").score.mean().reindex(human.index)
    cut = np.median(panel)  # judges score higher than humans: their middle, which no label moved
    sure = np.abs(panel - cut).rank(pct=True).to_numpy()
    agrees = ((panel >= cut) == human).to_numpy()
    rng, gaps = np.random.default_rng(0), []
    for _ in range(40):
        order = rng.permutation(len(sure))
        labels, new = order[:500], order[500:]
        found = certify_threshold(sure[labels], agrees[labels], alpha=0.25, delta=0.1, rng=rng)
        kept = sure[new] >= found.threshold
        if kept.any() and not kept.all():
            apart = spread.to_numpy()[new]
            gaps.append(apart[~kept].mean() - apart[kept].mean())
    assert len(gaps) > 20
    assert np.mean(gaps) > 0.0


def test_T_4_weaker_cascades_keep_the_promise_and_less_coverage() -> None:
    """Truth by the law of the draw: the risk of a kept item is one minus its judge's confidence."""
    coverage = []
    for strength in ((0.7, 0.75, 0.8), (0.8, 0.9, 0.95), (0.9, 0.95, 1.0)):
        rng, broken, kept = np.random.default_rng(1), [], []
        for _ in range(60):
            sure, agrees = judges(rng, 500, strength)
            found = certify_cascade(sure, agrees, alpha=0.15, delta=0.1, rng=rng)
            new, _ = judges(rng, 20_000, strength)
            stage = np.asarray(found.decide(new))
            decided = np.asarray(stage >= 0)
            risk = 1.0 - new[decided, stage[decided]].mean() if decided.any() else 0.0
            broken.append(risk > 0.15)
            kept.append(decided.mean())
        assert np.mean(broken) <= 0.1 + 3 * np.sqrt(0.09 / 60), strength
        coverage.append(float(np.mean(kept)))
    assert coverage[0] < 0.02
    assert coverage[0] < coverage[1] < coverage[2]
    assert coverage[2] > 0.3


def test_T_4_a_shift_of_the_items_breaks_the_promise_and_is_told_without_labels() -> None:
    """Harder items fill the lower part of what is accepted, however right confidence is."""
    rng, broken, told = np.random.default_rng(2), [], []
    for _ in range(60):
        sure, agrees = judges(rng, 400, (0.98,))
        found = certify_threshold(sure[:, 0], agrees[:, 0], alpha=0.15, delta=0.1, rng=rng)
        today = 0.5 + 0.48 * rng.beta(1.0, 2.0, 20_000)
        accepted = today >= found.threshold
        broken.append(bool(accepted.any() and 1.0 - today[accepted].mean() > 0.15))
        p_value = exchangeability_test(sure[:, 0], today[:500], rng=rng).p_value
        assert p_value is not None
        told.append(p_value)
    assert np.mean(broken) > 0.2
    assert max(told) < 0.01
