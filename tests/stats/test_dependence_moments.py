from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from panopt.stats.dependence import effective_number, residual_correlation
from panopt.stats.dependence_distrust import opposed_judges, panel_distrust

FloatArray = NDArray[np.float64]
VARIANTS = ("CoT", "Reference", "Swap", "Swap_CoT", "Vanilla", "Vanilla_NoRules")


def neighbor(shared: Path, task: str = "Neighbor") -> tuple[FloatArray, FloatArray, list[str]]:
    """Votes of 36 judges (model and prompt), mean of both orders, ties missing; and the truth."""
    table = pq.read_table(shared / "data/sets/llmbar/scores.parquet").to_pandas()
    rows = table[(table.task == task) & (table.judge_kind == "llm")]
    rows = rows[rows.prompt_variant.isin(VARIANTS)]
    rows = rows.assign(who=rows.judge + "/" + rows.prompt_variant)
    votes = rows.pivot_table(index="item_id", columns="who", values="score", aggfunc="mean")
    truth = rows.groupby("item_id").label.first().loc[votes.index]
    scores = votes.to_numpy()
    return np.where(scores == 0.5, np.nan, scores), truth.to_numpy(), list(votes.columns)


def independent(
    n: int, accuracy: list[float], rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    truth = rng.integers(0, 2, n)
    right = rng.random((n, len(accuracy))) < accuracy
    return np.where(right, truth[:, None], 1 - truth[:, None]).astype(float), truth.astype(float)


def test_errors_against_the_truth_correlate_as_numpy_says() -> None:
    rng = np.random.default_rng(0)
    scores, truth = rng.normal(size=(80, 4)), rng.normal(size=80)
    found = residual_correlation(scores, truth=truth)
    peer = np.asarray(np.corrcoef((scores - truth[:, None]).T))
    np.testing.assert_allclose(found.correlation, peer, atol=1e-12)
    assert found.mean == pytest.approx(peer[np.triu_indices(4, 1)].mean())


def test_equally_correlated_errors_are_worth_the_known_number_of_judges() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=20_000)
    shared = rng.normal(size=(20_000, 1))
    scores = truth[:, None] + 0.6**0.5 * shared + 0.4**0.5 * rng.normal(size=(20_000, 5))
    found = residual_correlation(scores, truth=truth, n_boot=100, rng=rng)
    assert found.mean == pytest.approx(0.6, abs=0.02)
    assert found.effective == pytest.approx(5 / 3.4, abs=0.05)
    assert found.effective_low is not None
    assert found.effective_high is not None
    assert found.effective_low < 5 / 3.4 < found.effective_high


def test_without_labels_independent_judges_show_no_negative_correlation() -> None:
    # Centring at the panel's mean would show -1 / 4 here.
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(20_000, 1)) + rng.normal(size=(20_000, 5))
    found = residual_correlation(scores)
    assert found.mean == pytest.approx(0.0, abs=0.01)
    assert found.effective == pytest.approx(5, abs=0.2)


def test_a_copy_is_named_with_and_without_labels() -> None:
    rng = np.random.default_rng(3)
    votes, truth = independent(300, [0.8, 0.75, 0.7, 0.8, 0.72], rng)
    votes[:, 4] = votes[:, 1]
    blind = residual_correlation(votes, labels=True, n_boot=200, rng=rng)
    told = residual_correlation(votes, truth=truth, labels=True, n_boot=200, rng=rng)
    assert blind.copies == told.copies == ((1, 4),)
    assert blind.p_value[1, 4] < 1e-6


def test_perfect_judges_are_no_copies() -> None:
    votes = np.repeat(np.tile([0.0, 1.0], 50)[:, None], 5, axis=1)
    assert residual_correlation(votes, labels=True, n_boot=50).copies == ()


def test_an_error_all_judges_share_is_seen_with_labels_alone() -> None:
    rng = np.random.default_rng(4)
    said, _ = independent(2000, [0.9] * 5, rng)
    blind = residual_correlation(said, labels=True)
    wrong = rng.random(2000) < 0.3
    truth = np.where(wrong, 1 - (said.mean(axis=1) > 0.5), said.mean(axis=1) > 0.5)
    told = residual_correlation(said, truth=truth, labels=True)
    assert blind.mean is not None
    assert told.mean is not None
    assert blind.mean < 0.05
    assert told.mean > 0.4


def false_alarms(n_runs: int, seed: int) -> tuple[int, int, int, int]:
    """Count runs with an alarm, a pair called dependent, an overturning model, a covered 0."""
    rng = np.random.default_rng(seed)
    designs = ([0.9, 0.8, 0.7, 0.6, 0.55], [0.97, 0.97, *[0.58] * 5], [0.95, 0.9, 0.3, 0.35, 0.55])
    alarms = named = overturned = covered = 0
    for run in range(n_runs):
        votes, _ = independent(120, list(designs[run % 3]), rng)
        found = residual_correlation(votes, labels=True, n_boot=100, rng=rng)
        marks = panel_distrust(votes, found)
        assert marks is not None
        assert found.mean_low is not None
        assert found.mean_high is not None
        alarms += marks.untrusted
        named += marks.n_dependent > 0
        overturned += marks.overturned >= 0.1
        covered += found.mean_low <= 0 <= found.mean_high
    return alarms, named, overturned, covered


def check_false_alarms(n_runs: int, seed: int) -> None:
    alarms, named, overturned, covered = false_alarms(n_runs, seed)
    slack = 3 * (0.05 * 0.95 / n_runs) ** 0.5
    assert alarms <= named
    assert named / n_runs <= 0.05 + slack
    assert overturned / n_runs > 0.5  # the label model often overturns majorities, rightly
    assert covered / n_runs >= 0.95 - 0.03 - slack  # measured .93 to .96


def test_independent_judges_raise_no_alarm_whatever_the_label_model_overturns() -> None:
    check_false_alarms(90, seed=5)


@pytest.mark.slow
def test_false_alarms_over_many_draws() -> None:
    check_false_alarms(900, seed=6)


def coverage(n_runs: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    hits = 0
    for _ in range(n_runs):
        truth = rng.normal(size=100)
        scores = truth[:, None] + 0.4**0.5 * rng.normal(size=(100, 1))
        scores = scores + 0.6**0.5 * rng.normal(size=(100, 4))
        found = residual_correlation(scores, truth=truth, n_boot=300, rng=rng)
        assert found.effective_low is not None
        assert found.effective_high is not None
        hits += found.effective_low <= effective_number(4, 0.4) <= found.effective_high
    return hits / n_runs


def test_the_interval_of_the_effective_number_covers() -> None:
    # 200 draws; the bootstrap at n = 100 may miss nominal .95 by .02
    assert coverage(200, seed=7) >= 0.93 - 3 * (0.95 * 0.05 / 200) ** 0.5


@pytest.mark.slow
def test_the_interval_of_the_effective_number_covers_over_many_draws() -> None:
    assert coverage(2000, seed=8) >= 0.93 - 3 * (0.95 * 0.05 / 2000) ** 0.5


@pytest.mark.parametrize("task", ["Neighbor", "GPTInst"])
def test_the_adversarial_panel_is_not_to_be_trusted(shared: Path, task: str) -> None:
    votes, truth, names = neighbor(shared, task)
    found = residual_correlation(votes, labels=True, n_boot=200, judges=names)
    marks = panel_distrust(votes, found)
    assert marks is not None
    assert marks.untrusted
    assert marks.overturned > 0.2
    assert marks.certain > 0.95
    assert marks.posterior is not None
    # and rightly so: the model is worse than chance where it is so sure
    assert ((marks.posterior[:, 1] > 0.5) == truth).mean() < 0.3
    assert all(names[judge].startswith(("GPT-4", "PaLM2")) for judge in marks.below_chance)


def test_good_panels_are_left_in_peace(shared: Path) -> None:
    votes, _, names = neighbor(shared, "Natural")
    panels = [votes]
    table = pq.read_table(shared / "data/sets/triviaqa_judges_dev/scores.parquet").to_pandas()
    rows = table[table.judge_kind == "llm"]
    panels.append(rows.pivot_table(index="item_id", columns="judge", values="score").to_numpy())
    table = pq.read_table(shared / "data/sets/crowd_classic_a/scores.parquet").to_pandas()
    for task in ("rte", "bluebird"):
        rows = table[table.task == task]
        wide = rows.pivot_table(index="item_id", columns="judge", values="score").to_numpy()
        most = np.sort(np.argsort(-np.count_nonzero(~np.isnan(wide), axis=0))[:60])
        panels.append(wide[:, most] - 1 if np.nanmin(wide) == 1 else wide[:, most])
    assert len(names) == 36
    for panel in panels:
        found = residual_correlation(panel, labels=True, n_boot=100, judges=[""] * panel.shape[1])
        marks = panel_distrust(panel, found)
        assert marks is not None
        assert not marks.untrusted


def test_no_judge_of_hanna_is_called_opposed(shared: Path) -> None:
    table = pq.read_table(shared / "data/sets/hanna/scores.parquet").to_pandas()
    rows = table[(table.judge_kind == "llm") & (table.prompt_variant == "eval_prompt_1")]
    for task in ("relevance", "surprise", "complexity"):
        wide = rows[rows.task == task].pivot_table(index="item_id", columns="judge", values="score")
        assert opposed_judges(residual_correlation(wide.to_numpy(), n_boot=100)) == ()


@given(st.integers(1, 50), st.floats(-1, 1))
def test_the_effective_number_lies_between_one_and_the_panel(n: int, rho: float) -> None:
    assert 1.0 - 1e-9 <= effective_number(n, rho) <= n


def test_order_of_judges_and_scale_do_not_matter() -> None:
    rng = np.random.default_rng(9)
    scores = rng.normal(size=(100, 1)) + rng.normal(size=(100, 5))
    order = [3, 0, 4, 1, 2]
    found = residual_correlation(scores)
    again = residual_correlation(7 + 3 * scores[:, order])
    np.testing.assert_allclose(
        again.correlation, found.correlation[np.ix_(order, order)], atol=1e-4
    )


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        (np.zeros((0, 3)), "no response"),
        (np.zeros((30, 1)), "0 judge"),
        (np.zeros((30, 5)), "0 judge"),
        (np.full((30, 5), np.nan), "0 judge"),
        (np.random.default_rng(0).normal(size=(30, 3)), "fewer than 4 judges"),
        (np.random.default_rng(0).normal(size=(5, 5)), "0 judge"),
    ],
)
def test_what_cannot_be_known_is_none_with_its_reason(scores: FloatArray, reason: str) -> None:
    found = residual_correlation(scores, n_boot=10)
    assert found.mean is None
    assert found.effective is None
    assert found.reason is not None
    assert reason in found.reason


def test_no_interval_says_why() -> None:
    scores = np.random.default_rng(0).normal(size=(40, 4))
    assert "n_boot = 0" in str(residual_correlation(scores).no_interval)
    one = residual_correlation(scores, n_boot=10, clusters=np.arange(40) % 3)
    assert "3 independent response" in str(one.no_interval)


def test_bad_arguments_are_named() -> None:
    scores = np.random.default_rng(0).normal(size=(40, 4))
    with pytest.raises(ValueError, match="infinity"):
        residual_correlation(np.where(scores > 2, np.inf, np.full((40, 4), np.inf)))
    with pytest.raises(ValueError, match=r"truth of shape \(3,\) must be one a row: 40"):
        residual_correlation(scores, truth=[1, 2, 3])
    with pytest.raises(ValueError, match="n_boot = 1"):
        residual_correlation(scores, n_boot=1)
    with pytest.raises(ValueError, match=r"alpha = 1\.5"):
        residual_correlation(scores, alpha=1.5)
    with pytest.raises(ValueError, match="n_judges = 0"):
        effective_number(0, 0.1)
    with pytest.raises(ValueError, match="correlation = 2"):
        effective_number(3, 2)
    told = residual_correlation(scores, truth=scores.mean(axis=1))
    with pytest.raises(ValueError, match="found against a truth"):
        panel_distrust((scores > 0).astype(float), told)
    blind = residual_correlation(scores)
    with pytest.raises(ValueError, match="label codes"):
        panel_distrust(scores, blind)


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("truth", [None, np.zeros(5)])
def test_no_score_at_all_is_no_dependence(truth: FloatArray | None, *, labels: bool) -> None:
    found = residual_correlation(np.full((5, 4), np.nan), truth=truth, labels=labels)
    assert found.mean is None
    assert found.reason == "0 judges vary over 10 responses shared with another; two must"


@pytest.mark.parametrize("n_judges", [4, 6])
def test_judges_that_never_differ_are_not_called_independent(n_judges: int) -> None:
    same = np.tile((np.arange(100) % 3 == 0).astype(float)[:, None], n_judges)
    found = residual_correlation(same, labels=True, n_boot=50)
    assert found.effective is None
    assert found.reason is not None
    assert "hardly ever differ" in found.reason
