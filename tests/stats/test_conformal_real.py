"""The promises of conformal prediction on real judged data, over many random splits."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from panopt.plugins.conformal import (
    class_coverage,
    cv_plus,
    label_sets,
    label_threshold,
    learned_intervals,
    split_threshold,
)

Floats = NDArray[np.float64]


@cache
def hanna(sets: Path, criterion: str) -> tuple[Floats, Floats]:
    """Scores of five judges (four prompts averaged) and the mean of three humans, on 1 to 5."""
    table = pq.read_table(sets / "hanna" / "scores.parquet").to_pandas()
    table = table[table.task == criterion]
    human = table[table.judge_kind == "human"].groupby("item_id").score.mean()
    judges = table[table.judge_kind == "llm"].pivot_table(
        index="item_id", columns="judge", values="score"
    )
    return judges.reindex(human.index).to_numpy(), human.to_numpy()


@cache
def mlqe(sets: Path, pair: str) -> tuple[Floats, Floats]:
    """Scores of three raters standing for judges, and the mean of the other three, on 0 to 100."""
    table = pq.read_table(sets / "mlqe_da_dev" / "scores.parquet").to_pandas()
    table = table[(table.task == pair) & (table.judge_kind == "human")]
    wide = table.pivot_table(index="item_id", columns="judge", values="score").to_numpy()
    return wide[:, :3], wide[:, 3:].mean(axis=1)


@cache
def rubric(sets: Path) -> tuple[Floats, NDArray[np.int64]]:
    """Token probabilities of four answers to Q0, and the answer nearest the humans' mean."""
    table = pq.read_table(sets / "llm_rubric" / "scores.parquet").to_pandas()
    table = table[table.task == "Q0"]
    humans = table[table.judge_kind == "human"].groupby("item_id").score.mean().dropna()
    judge = table[table.judge_kind == "llm"].set_index("item_id")[["p1", "p2", "p3", "p4"]]
    judge = judge.loc[judge.index.intersection(humans.index)]
    answer = np.round(humans.loc[judge.index].to_numpy()).astype(np.int64) - 1
    return judge.to_numpy(), answer


@pytest.mark.parametrize(
    "splits", [pytest.param(40, id="fast"), pytest.param(1000, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    ("criterion", "narrower"), [("coherence", 0.45), ("engagement", 0.15), ("complexity", -0.02)]
)
def test_recalibrated_intervals_are_narrower_at_the_same_coverage(
    shared: Path, criterion: str, narrower: float, splits: int
) -> None:
    """Of 500 labels: CV+ by all of them out of fold, and exact by a half and the other.

    Widths are before intervals are cut at the scale's ends, against twice the quantile of
    |h - mean of the judges| on the same 500 labels.
    """
    scores, human = hanna(shared / "data" / "sets", criterion)
    rng, rows = np.random.default_rng(0), []
    for _ in range(splits):
        order = rng.permutation(len(human))
        labels, new = order[:500], order[500:]
        raw = split_threshold(np.abs(human - np.nanmean(scores, axis=1))[labels], alpha=0.1)
        known = np.full(len(human), np.nan)
        known[labels] = human[labels]
        exact = learned_intervals(scores, known, alpha=0.1, rng=rng)
        inside = (exact.low <= human) & (human <= exact.high)
        cross = cv_plus(scores[labels], human[labels], scores[new], alpha=0.1, rng=rng)
        rows.append(
            (
                inside[new].mean(),
                np.mean((cross.low <= human[new]) & (human[new] <= cross.high)),
                1 - exact.halfwidth / raw.value,
                1 - np.mean(cross.high - cross.low) / (2 * raw.value),
            )
        )
    table = np.array(rows)
    error = 3 * table.std(axis=0) / np.sqrt(splits)
    assert table[:, 0].mean() >= 0.9 - error[0]
    assert table[:, 1].mean() >= 0.9 - error[1]
    assert table[:, :2].mean() <= 0.915
    gain = table[:, 2:].mean(axis=0)
    assert gain[0] >= narrower - error[2]
    assert gain[1] >= narrower


@pytest.mark.parametrize(
    "splits", [pytest.param(60, id="fast"), pytest.param(1000, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(("pair", "narrower"), [("et-en", 0.45), ("ro-en", 0.1), ("en-de", 0.6)])
def test_learned_intervals_of_translations_cover_and_are_narrower(
    shared: Path, pair: str, narrower: float, splits: int
) -> None:
    scores, human = mlqe(shared / "data" / "sets", pair)
    rng, rows = np.random.default_rng(1), []
    for _ in range(splits):
        order = rng.permutation(len(human))
        labels, new = order[:300], order[300:]
        known = np.full(len(human), np.nan)
        known[labels] = human[labels]
        found = learned_intervals(scores, known, alpha=0.1, rng=rng)
        raw = split_threshold(np.abs(human - scores.mean(axis=1))[labels], alpha=0.1)
        inside = (found.low <= human) & (human <= found.high)
        rows.append((inside[new].mean(), found.halfwidth / raw.value))
    table = np.array(rows)
    error = 3 * table.std(axis=0) / np.sqrt(splits)
    assert 0.9 - error[0] <= table[:, 0].mean() <= 0.9 + 1 / 151 + error[0] + 0.005
    assert table[:, 1].mean() <= 1 - narrower + error[1]


@pytest.mark.parametrize(
    "splits", [pytest.param(100, id="fast"), pytest.param(1000, marks=pytest.mark.slow)]
)
def test_P_1_label_sets_of_rubric_answers(shared: Path, splits: int) -> None:
    p, answer = rubric(shared / "data" / "sets")
    rng, rows = np.random.default_rng(2), []
    half = len(p) // 2
    for _ in range(splits):
        order = rng.permutation(len(p))
        labels, new = order[:half], order[half:]
        bound = label_threshold(p[labels], answer[labels], alpha=0.1)
        found = class_coverage(label_sets(p[new], bound), answer[new])
        ordinal = label_threshold(p[labels], answer[labels], alpha=0.1, method="ordinal")
        level = class_coverage(label_sets(p[new], ordinal, method="ordinal"), answer[new])
        rows.append((found.coverage, level.coverage, found.mean_size, level.mean_size))
    table = np.array(rows)
    error = 3 * table.std(axis=0) / np.sqrt(splits)
    assert np.all(table[:, :2].mean(axis=0) >= 0.9 - error[:2])
    assert np.all(table[:, :2].mean(axis=0) <= 0.9 + 1 / half + error[:2] + 0.005)
    assert table[:, 2].mean() <= 2.66 + error[2]
    assert table[:, 3].mean() <= 3.0
