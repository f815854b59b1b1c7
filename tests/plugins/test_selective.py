from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from panopt.plugins.selective import (
    certify_cascade,
    certify_panel,
    certify_threshold,
    panopt_analyze,
    zero_error_labels,
)
from panopt.records.ask import Ask
from panopt.records.scale import Scale
from panopt.stats import certify as ground
from panopt.stats.binomial import clopper_pearson

Judge = Callable[..., Any]


def panel(
    judged: Judge, n: int, labels: int, *, error: float = 0.02, seed: int = 0, **more: object
) -> tuple[NDArray[np.bool_], Any]:
    """Give who is right, and a criterion whose first `labels` of n responses humans judged."""
    rng = np.random.default_rng(seed)
    verdict = (rng.random(n) < 0.6).astype(float)
    right = rng.random(n) >= error
    human = np.where(right, verdict, 1 - verdict)
    human[labels:] = np.nan
    confidence = 0.5 + 0.5 * rng.random(n)
    return right, judged(verdict[:, None], human=human, confidence=confidence, **more)


def test_certify_threshold_is_the_ground_floor_s() -> None:
    assert certify_threshold is ground.certify_threshold


def test_T_1_hook_certifies_and_counts_the_responses_it_accepts(judged: Judge) -> None:
    right, case = panel(judged, 1000, 300, error=0.01)
    found = panopt_analyze(case.matrix, case.consensus, Ask())
    assert found is not None
    threshold, coverage, agreement = found.rows
    assert (threshold.name, coverage.name, agreement.name) == (
        "certified_threshold",
        "certified_coverage",
        "human_agreement",
    )
    assert threshold.value is not None
    confidence = case.consensus.confidence
    assert coverage.value == np.mean(confidence >= threshold.value)
    accepted = confidence[:300] >= threshold.value
    assert threshold.details["n"] == accepted.sum()
    assert threshold.details["errors"] == np.count_nonzero(~right[:300][accepted])
    assert "exact for a risk of any shape" in threshold.assumptions[0]  # 700 others are a pool
    low, high = clopper_pearson(right[:300].sum(), 300)
    assert agreement.value == right[:300].mean()
    assert (agreement.low, agreement.high) == (float(low), float(high))


def test_T_1_hook_keeps_its_promise_on_the_other_responses(judged: Judge) -> None:
    # Right with probability equal to confidence above .75, half above .65, none below: known.
    failed, draws = 0, 60
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        confidence = 0.5 + 0.5 * rng.random(600)
        verdict = (rng.random(600) < 0.5).astype(float)
        right = rng.random(600) < np.where(confidence > 0.75, 0.93, 0.5)
        human = np.where(right, verdict, 1 - verdict)
        human[200:] = np.nan
        case = judged(verdict[:, None], human=human, confidence=confidence)
        found = panopt_analyze(case.matrix, case.consensus, Ask())
        assert found is not None
        value = found.rows[0].value
        if value is not None:
            share_good = 0.25 / (1.0 - value) if value < 0.75 else 1.0
            failed += 0.07 * share_good + 0.5 * (1 - share_good) > 0.1
    assert failed / draws <= 0.1 + 3 * np.sqrt(0.09 / draws)


def test_hook_without_labels_says_how_many_it_needs(judged: Judge) -> None:
    _, case = panel(judged, 60, 0)
    found = panopt_analyze(case.matrix, case.consensus, Ask(alpha=0.05))
    assert found is not None
    assert [row.value for row in found.rows] == [None, None, None]
    assert found.rows[0].reason == (
        "no human labels: alpha = 0.05 at delta = 0.1 needs at least "
        f"{zero_error_labels(0.05, 0.1)}"
    )


def test_hook_never_certifies_a_panel_that_flips_a_coin(judged: Judge) -> None:
    _, case = panel(judged, 400, 300, error=0.5)
    found = panopt_analyze(case.matrix, case.consensus, Ask(alpha=0.15))
    assert found is not None
    threshold, coverage, agreement = found.rows
    assert threshold.value is None
    assert threshold.reason is not None
    assert "above alpha = 0.15" in threshold.reason
    assert coverage.value == 0.0
    assert agreement.value == pytest.approx(0.5, abs=0.1)
    assert threshold.details["least_abstention"] == pytest.approx(0.4, abs=0.1)


def test_hook_counts_even_splits_against_and_leaves_silent_panels_out_and_says_so(
    judged: Judge,
) -> None:
    votes = np.ones((40, 1))
    votes[0] = np.nan
    human = np.ones((2, 40))
    human[1, 1] = 0.0
    case = judged(votes, human=human)
    found = panopt_analyze(case.matrix, case.consensus, Ask())
    assert found is not None
    assert found.rows[0].n == 39
    assert found.rows[2].value == 38 / 39
    assert "1 labelled responses of 'score' count as disagreements" in found.notes[0]
    assert "the panel had no verdict" in found.notes[1]


def test_hook_counts_epochs_of_one_item_once(judged: Judge) -> None:
    item, epoch = [f"i{i // 2:03d}" for i in range(60)], [i % 2 + 1 for i in range(60)]
    case = judged(np.ones((60, 2)), human=np.ones(60), item=item, epoch=epoch)
    found = panopt_analyze(case.matrix, case.consensus, Ask())
    assert found is not None
    assert found.rows[0].n == 30
    assert "clusters are independent" in found.rows[0].assumptions[0]
    assert found.rows[2].method.startswith("Wilson at the effective sample size")


def test_hook_compares_labels_on_a_nominal_scale(judged: Judge) -> None:
    _, case = panel(judged, 50, 40, error=0.0)
    labels = case.consensus.verdict.copy()
    human = case.matrix.human_votes
    matrix = replace(
        case.matrix,
        scale=Scale("nominal"),
        labels=("red", "blue"),
        human_votes=replace(human, label=human.score.astype(np.int32)),
    )
    labels[:3] = 1 - labels[:3]
    found = panopt_analyze(matrix, replace(case.consensus, verdict=labels), Ask())
    assert found is not None
    assert found.rows[2].value == 37 / 40


def judged_sets(shared: Path, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Give confidence and agreement of the judges of a real set, weak to strong: a population."""
    table = pq.read_table(shared / "data" / "sets" / name / "scores.parquet").to_pandas()
    if name == "llm_rubric":  # does the satisfaction of humans exceed 2.5? token probabilities
        human = table.query("judge_kind == 'human'").groupby(["item_id", "task"]).score.mean()
        llm = table.query("judge_kind == 'llm'").join(
            human.rename("human"), on=["item_id", "task"], how="inner"
        )
        llm = llm.dropna(subset=["human"])
        high = (llm.p3 + llm.p4).to_numpy()
        c, a = np.maximum(high, 1 - high), (high >= 0.5) == (llm.human >= 2.5).to_numpy()
        return c[:, None], a[:, None]
    if name == "judgebench_rm":  # margins of five reward models
        rows = table.query("judge_kind == 'metric' and order == 0")
        score = rows.pivot_table(index="item_id", columns="judge", values="margin")
        right = rows.groupby("item_id").label.first().reindex(score.index).to_numpy() == 1
        margin = score.to_numpy()
        c, a = 1 / (1 + np.exp(-np.abs(margin))), (margin > 0) == right[:, None]
    else:  # vote share of three panels of three judges
        rows = table.query("judge_kind == 'llm'")
        votes = rows.pivot_table(index="item_id", columns="judge", values="score")
        right = rows.groupby("item_id").label.first().reindex(votes.index).to_numpy() == 1
        order = votes.eq(right.astype(float), axis=0).mean().sort_values().index
        share = np.stack(
            [votes[order[i : i + 3]].mean(axis=1).to_numpy() for i in (0, 3, 6)], axis=1
        )
        c, a = np.maximum(share, 1 - share), (share > 0.5) == right[:, None]
    best = np.argsort(a.mean(axis=0), kind="stable")
    return c[:, best], a[:, best]


REAL = ["triviaqa_judges_dev", "llm_rubric", "judgebench_rm"]


def failures_and_coverage(
    population: tuple[NDArray[np.float64], NDArray[np.bool_]],
    draws: int,
    alpha: float,
    method: str,
) -> tuple[float, float]:
    c, a = population
    failed, kept = 0, 0.0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        drawn = rng.integers(0, len(c), 500)
        if method in {"mean", "learned"}:
            panel = certify_panel(c[drawn], a[drawn], alpha=alpha, combine=method, rng=rng)  # type: ignore[arg-type]
            verdict = panel.decide(c, a)
            accepted, wrong = verdict >= 0, verdict == 0
        else:
            found = certify_cascade(c[drawn], a[drawn], alpha=alpha, method=method, rng=rng)  # type: ignore[arg-type]
            judge = np.asarray(found.decide(c))
            accepted, wrong = judge >= 0, ~a[np.arange(len(a)), judge]
        kept += float(accepted.mean()) / draws
        failed += bool(accepted.any()) and float(wrong[accepted].mean()) > alpha
    return failed / draws, kept


@pytest.mark.parametrize("method", ["joint_path", "per_stage", "mean", "learned"])
@pytest.mark.parametrize("name", REAL)
def test_T_4_cascade_and_panel_keep_their_promise_on_real_judges(
    shared: Path, name: str, method: str
) -> None:
    # All items of a set are the population, so its risk is known; labels are drawn from it.
    failed, _ = failures_and_coverage(judged_sets(shared, name), 25, 0.15, method)
    assert failed <= 0.1 + 3 * np.sqrt(0.09 / 25)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["joint_path", "per_stage", "mean", "learned"])
@pytest.mark.parametrize("alpha", [0.1, 0.15, 0.2])
@pytest.mark.parametrize("name", REAL)
def test_T_4_cascade_and_panel_keep_their_promise_in_many_draws(
    shared: Path, name: str, alpha: float, method: str
) -> None:
    failed, _ = failures_and_coverage(judged_sets(shared, name), 400, alpha, method)
    assert failed <= 0.1 + 3 * np.sqrt(0.09 / 400)


def test_T_4_joint_path_keeps_more_of_real_judges_than_stage_by_stage(shared: Path) -> None:
    population = judged_sets(shared, "triviaqa_judges_dev")
    kept = {
        method: failures_and_coverage(population, 20, 0.1, method)[1]
        for method in ("joint_path", "per_stage", "mean")
    }
    assert kept["joint_path"] > kept["per_stage"] + 0.05
    assert kept["mean"] > kept["per_stage"] + 0.05


def test_confidence_off_the_unit_interval_is_refused_unless_said_to_be_margins() -> None:
    margins = np.linspace(-3, 3, 100)
    with pytest.raises(
        ValueError, match=r"confidence must lie in \[0, 1\], not -3 to 3; pass unit"
    ):
        certify_threshold(margins, np.ones(100))
    assert certify_threshold(margins, np.ones(100), unit=False).coverage == 1.0
    with pytest.raises(ValueError, match="confidence must be finite"):
        certify_threshold([0.5, np.inf], [1, 1], unit=False)


def test_labels_of_one_class_are_answers() -> None:
    c = np.linspace(0, 1, 100)
    assert certify_threshold(c, np.ones(100)).coverage == 1.0
    never = certify_threshold(c, np.zeros(100))
    assert (never.feasible, never.coverage, never.bound) == (False, 0.0, 1.0)


def test_T_4_success_on_real_judges_with_a_known_population(shared: Path) -> None:
    # All 3,600 answers are the population, so its risk at any threshold is known; labels are
    # drawn from it with replacement. Confidence: share of nine judges on the majority's side.
    table = pq.read_table(shared / "data" / "sets" / "triviaqa_judges_dev" / "scores.parquet")
    rows = table.to_pandas().query("judge_kind == 'llm'")
    votes = rows.pivot_table(index="item_id", columns="judge", values="score")
    share = votes.mean(axis=1).to_numpy()
    verdict = share > 0.5
    human = rows.groupby("item_id").label.first().reindex(votes.index).to_numpy() == 1
    confidence, agrees = np.maximum(share, 1 - share), verdict == human
    draws, failed, kept = 300, 0, 0.0
    for seed in range(draws):
        drawn = np.random.default_rng(seed).integers(0, len(agrees), 250)
        result = certify_threshold(confidence[drawn], agrees[drawn], alpha=0.05)
        accepted = confidence >= result.threshold
        failed += bool(accepted.any()) and float(np.mean(~agrees[accepted])) > 0.05
        kept += accepted.mean() / draws
    assert failed / draws <= 0.1 + 3 * np.sqrt(0.09 / draws)
    assert kept > 0.4
