from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from panopt.findings import Finding, Findings
from panopt.plugins.confidence import (
    auroc,
    brier_score,
    expected_calibration_error,
    panopt_analyze,
)
from panopt.plugins.recalibration import recalibrate
from panopt.records.ask import Ask
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.records.study import Study

Judge = Callable[..., Any]


class HasMatrix(Protocol):
    @property
    def matrix(self) -> Matrix: ...
    @property
    def consensus(self) -> Consensus: ...


def panel(
    judged: Judge, n: int, labels: int, *, over: float = 0.0, seed: int = 0
) -> tuple[NDArray[np.bool_], Any]:
    """Give a panel that says c and is right c - over of the time; humans judged the first."""
    rng = np.random.default_rng(seed)
    confidence = 0.5 + 0.5 * rng.random(n)
    verdict = (rng.random(n) < 0.6).astype(float)
    right = rng.random(n) < confidence - over
    human = np.where(right, verdict, 1 - verdict)
    human[labels:] = np.nan
    return right[:labels], judged(verdict[:, None], human=human, confidence=confidence)


def analyzed(case: HasMatrix) -> Findings:
    found = panopt_analyze(case.matrix, case.consensus, Ask())
    assert found is not None
    return found


def one(found: Findings, name: str) -> Finding:
    (row,) = (row for row in found.named(name) if row.subject_kind == "panel")
    return row


def test_P_9_hook_reports_what_scikit_learn_does(judged: Judge) -> None:
    right, case = panel(judged, 500, 300, over=0.1)
    found = analyzed(case)
    x = case.consensus.confidence[:300]
    assert one(found, "auroc").value == pytest.approx(roc_auc_score(right, x), abs=1e-10)
    assert one(found, "brier").value == pytest.approx(brier_score_loss(right, x), abs=1e-10)
    precision = one(found, "auprc")
    assert precision.value == pytest.approx(average_precision_score(right, x), abs=1e-10)
    assert precision.details["auprc_of_errors"] == pytest.approx(
        average_precision_score(~right, -x), abs=1e-10
    )
    assert one(found, "ece").value == expected_calibration_error(x, right).value
    assert [row.name for row in found.rows if row.headline] == ["ece", "auroc"]
    assert {row.n for row in found.rows if row.subject_kind == "panel"} == {300}


def test_hook_says_in_words_that_the_panel_is_overconfident(judged: Judge) -> None:
    right, case = panel(judged, 300, 300, over=0.3)
    (note, *_) = analyzed(case).notes
    assert note.startswith("score: the panel is overconfident: where it says 0.")
    says, is_right = (float(note.split(word)[1].split()[0]) for word in ("says ", "right "))
    x = case.consensus.confidence
    inside = np.abs(x - says) < 0.055
    assert right[inside].mean() == pytest.approx(is_right, abs=0.1)
    modest = panel(judged, 300, 300, over=-0.3)[1]
    assert "the panel is not confident enough" in analyzed(modest).notes[0]


def test_hook_has_no_such_words_for_a_calibrated_panel(judged: Judge) -> None:
    told = 0
    for seed in range(40):
        found = analyzed(panel(judged, 200, 200, seed=seed)[1])
        told += any("confiden" in note and "where it says" in note for note in found.notes)
    assert told / 40 <= 0.05 + 3 * np.sqrt(0.0475 / 40)


def test_hook_says_when_confidence_tells_nothing(judged: Judge) -> None:
    rng = np.random.default_rng(0)
    verdict = (rng.random(400) < 0.5).astype(float)
    human = np.where(rng.random(400) < 0.7, verdict, 1 - verdict)
    case = judged(verdict[:, None], human=human, confidence=0.5 + 0.5 * rng.random(400))
    assert any("nothing shows that the panel is surer" in note for note in analyzed(case).notes)


def test_hook_without_labels_says_how_many_would_tell(judged: Judge) -> None:
    _, case = panel(judged, 400, 0)
    found = analyzed(case)
    (row,) = found.rows
    assert row.value is None
    assert row.reason is not None
    needed = row.details["labels_needed"]
    assert f"about {needed} on randomly drawn responses" in row.reason
    assert isinstance(needed, int)
    rng = np.random.default_rng(1)
    x = rng.choice(case.consensus.confidence, needed)
    chance = expected_calibration_error(x, np.zeros(needed)).by_chance
    assert chance == pytest.approx(0.05, rel=0.1)
    unheard = analyzed(judged(np.full((3, 1), np.nan), human=np.ones(3))).rows[0]
    assert unheard.reason == "the panel has no verdict on any of the 3 labelled responses"
    silent = judged(np.full((3, 1), np.nan))
    assert analyzed(silent).rows[0].reason == (
        "no human labels, and no response with a verdict to label"
    )


def test_hook_answers_one_class_and_one_label(judged: Judge) -> None:
    votes = np.ones((30, 3))
    votes[:10, 0] = 0
    found = analyzed(judged(votes, human=np.ones(30)))
    assert one(found, "auroc").value is None
    assert one(found, "auroc").reason == "all 30 labelled verdicts are right"
    assert one(found, "auprc").value == 1.0
    human = np.full(30, np.nan)
    human[3] = 1.0
    few = analyzed(judged(votes, human=human))
    assert one(few, "ece").n == 1
    assert one(few, "ece").no_interval == "one cluster gives no interval: two are needed"


def test_hook_counts_epochs_of_an_item_as_one(judged: Judge) -> None:
    rng = np.random.default_rng(2)
    confidence, right = 0.5 + 0.5 * rng.random(60), rng.random(60) < 0.7
    case = judged(
        np.ones((180, 1)),
        human=np.repeat(right, 3).astype(float),
        item=[f"i{k // 3:03d}" for k in range(180)],
        epoch=[k % 3 + 1 for k in range(180)],
        confidence=np.repeat(confidence, 3),
    )
    row = one(analyzed(case), "auroc")
    assert row.details["n_clusters"] == 60
    assert row.assumptions[0].startswith("labelled clusters are a random sample")
    alone = auroc(confidence, right)
    assert row.details["se"] == pytest.approx(alone.se, rel=0.05)


def test_reliability_rows_hold_every_label_once(judged: Judge) -> None:
    right, case = panel(judged, 300, 200)
    rows = analyzed(case).named("reliability")
    assert sum(row.n for row in rows) == 200
    total = sum(row.n * (row.value or 0.0) for row in rows)
    assert total == pytest.approx(right.sum())
    assert all(row.subject_kind == "group" and not row.headline for row in rows)


def stated_study(kind: str) -> Study:
    rng = np.random.default_rng(3)
    n = 200
    confidence = 0.5 + 0.5 * rng.random(n)
    verdict = (rng.random(n) < 0.5).astype(float)
    human = np.where(rng.random(n) < confidence, verdict, 1 - verdict)
    if kind == "pairwise":
        verdict[:10] = 0.5
    items = [f"i{k:03d}" for k in range(n)]
    return Study.from_columns(
        {
            "item": items * 3,
            "judge": ["says"] * n + ["silent"] * n + ["ann"] * n,
            "judge_kind": ["llm"] * 2 * n + ["human"] * n,
            "score": np.r_[verdict, 1 - verdict, human].tolist(),
            "confidence": confidence.tolist() + [None] * 2 * n,
            "scale": kind,
        }
    )


@pytest.mark.parametrize("kind", ["binary", "pairwise"])
def test_hook_holds_a_judge_to_what_it_states(judged: Judge, kind: str) -> None:
    from panopt.analysis import analyze  # noqa: PLC0415 - the whole way, for this test alone

    found = analyze(stated_study(kind)).criteria[0].findings
    rows = [row for row in found.rows if row.plugin == "confidence" and row.subject_kind == "judge"]
    assert [(row.name, row.subject) for row in rows] == [("ece", "says"), ("auroc", "says")]
    assert rows[0].n == (200 if kind == "binary" else 190)  # a tie is no verdict
    assert rows[0].value is not None
    assert rows[0].low == 0.0
    assert rows[1].value is not None
    assert rows[1].value > 0.55


def test_vote_shares_of_nine_judges_rank_their_verdicts(shared: Path) -> None:
    table = pq.read_table(shared / "data/sets/triviaqa_judges_dev/scores.parquet").to_pandas()
    llm = table[table.judge_kind == "llm"].pivot_table(
        index="item_id", columns="judge", values="score"
    )
    human = table[table.judge_kind == "human"].set_index("item_id")["score"].loc[llm.index]
    share = llm.mean(axis=1).to_numpy()
    confidence, right = np.maximum(share, 1 - share), (share >= 0.5) == (human.to_numpy() >= 0.5)
    assert right.mean() == pytest.approx(0.926, abs=0.003)
    found = auroc(confidence, right)
    assert found.value == pytest.approx(roc_auc_score(right, confidence), abs=1e-10)
    assert found.low is not None
    assert found.low > 0.8
    question = table[table.judge_kind == "human"].set_index("item_id")["question_id"]
    grouped = auroc(confidence, right, clusters=question.loc[llm.index].to_numpy().astype(str))
    assert grouped.n_clusters == 400
    assert grouped.se is not None


def test_token_probabilities_are_overconfident_and_mended_out_of_fold(shared: Path) -> None:
    table = pq.read_table(shared / "data/sets/llm_rubric/scores.parquet").to_pandas()
    llm = table[(table.judge_kind == "llm") & (table["part"] == "synth")]
    llm = llm[llm.label.notna()]
    right = (llm.argmax == llm.label.round()).to_numpy()
    stated = llm[["p1", "p2", "p3", "p4"]].max(axis=1).to_numpy(dtype=float).clip(0, 1)
    dialogue = llm.item_id.to_numpy().astype(str)
    found = expected_calibration_error(stated, right, clusters=dialogue)
    assert found.low is not None
    assert found.low > 0.05
    assert found.overconfidence is not None
    assert found.overconfidence > 0.05
    mended = recalibrate(stated, right, clusters=dialogue)
    after = expected_calibration_error(mended.probability, right, clusters=dialogue)
    assert after.value is not None
    assert found.value is not None
    assert after.value < found.value / 2
    assert mended.gain is not None
    assert mended.gain.low is not None
    assert mended.gain.low > 0


def test_margins_of_reward_models_are_no_probabilities(shared: Path) -> None:
    table = pq.read_table(shared / "data/sets/judgebench_rm/scores.parquet").to_pandas()
    judge = table[table.judge.str.contains("Gemma-2-27B") & table.confidence.notna()]
    right = (judge.score == judge.label).to_numpy()
    stated = judge.confidence.to_numpy(dtype=float)
    assert right.mean() == pytest.approx(0.643, abs=0.01)
    items = judge.item_id.to_numpy().astype(str)
    found = expected_calibration_error(stated, right, clusters=items)
    assert found.low is not None
    assert found.low > 0.05
    mended = recalibrate(stated, right, clusters=items)
    score = brier_score(mended.probability, right, clusters=items)
    assert mended.brier_before is not None
    assert score.value is not None
    assert score.value < mended.brier_before
