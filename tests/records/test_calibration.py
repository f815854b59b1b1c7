from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from panopt.records.ask import Ask
from panopt.records.calibration import calibrate, certify, human_verdicts, one_of_each_cluster
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.records.study import Study


def labelled(scale: str, human: list[tuple[str, float]], items: int = 4) -> Matrix:
    """Give a criterion with one passing judge and the human scores listed by item."""
    names = [f"i{i}" for i in range(items)]
    study = Study.from_columns(
        {
            "item": names + [item for item, _ in human],
            "judge": ["j"] * items + [f"h{i}" for i in range(len(human))],
            "judge_kind": ["llm"] * items + ["human"] * len(human),
            "score": [1.0] * items + [score for _, score in human],
            "scale": scale,
        }
    )
    return study.matrix("score")


def passing(matrix: Matrix) -> Consensus:
    n = matrix.n_responses
    ones, missing = np.ones(n), np.full(n, np.nan)
    return Consensus(
        criterion="score",
        method="mean",
        why="a test",
        value=ones,
        sd=missing,
        estimate=ones,
        blind_value=ones,
        blind_sd=missing,
        confidence=ones,
        confidence_source="vote share",
        verdict=np.ones(n, dtype=np.int32),
        outcome=np.zeros(n, dtype=np.int8),
        n_votes=np.ones(n, dtype=np.int32),
        disagreement=missing,
        spread=missing,
        agreement=ones,
    )


def test_human_verdict_is_the_side_most_of_their_labels_are_on() -> None:
    human = [("i0", 1.0), ("i1", 0.0), ("i2", 1.0), ("i2", 0.0)]
    for threshold in (0.3, 0.5, 0.7):
        matrix = labelled("binary", human)
        assert human_verdicts(matrix, threshold=threshold).tolist() == [1, 0, -2, -1]
    # Two of three pass, whatever the threshold makes of their mean of .667.
    most = labelled("binary", [("i0", 1.0), ("i0", 1.0), ("i0", 0.0)])
    assert human_verdicts(most, threshold=0.7)[0] == 1
    spread = labelled("ordinal:1:5", [("i0", 3.0), ("i0", 3.0), ("i0", 1.0), ("i1", 3.0)])
    assert human_verdicts(spread, threshold=0.5).tolist() == [1, 1, -1, -1]
    assert human_verdicts(spread, threshold=0.51).tolist() == [0, 0, -1, -1]


def test_three_equal_scores_are_their_mean_to_the_last_bit() -> None:
    same = labelled("continuous:0:1", [("i0", 0.7)] * 3)
    assert same.human_mean[0] == 0.7
    assert human_verdicts(same, threshold=0.7)[0] == 1


def test_a_human_tie_between_two_answers_is_a_label_of_its_own() -> None:
    votes = {"i0": [0.5], "i1": [1.0, 1.0, 0.5], "i2": [1.0, 0.5, 0.5], "i3": [0.0, 0.5]}
    human = [(item, score) for item, scores in votes.items() for score in scores]
    matrix = labelled("pairwise", human)
    assert human_verdicts(matrix, threshold=0.5).tolist() == [-2, 1, -2, -2]
    found = calibrate(matrix, passing(matrix), Ask())
    assert found.agrees.tolist() == [False, True, False, False]
    assert found.n_tied == 3


def test_human_label_is_the_plurality() -> None:
    study = Study.from_columns(
        {
            "item": ["i0", "i1", *["i0"] * 3, *["i1"] * 2],
            "judge": ["j", "j", "a", "b", "c", "a", "b"],
            "judge_kind": ["llm"] * 2 + ["human"] * 5,
            "label": ["red", "red", "blue", "blue", "red", "blue", "red"],
            "scale": "nominal",
        }
    )
    matrix = study.matrix("score")
    assert human_verdicts(matrix, threshold=0.5).tolist() == [matrix.labels.index("blue"), -2]


def test_calibration_is_where_both_decided_and_the_pool_is_elsewhere() -> None:
    matrix = labelled(
        "binary", [("i0", 1.0), ("i1", 0.0), ("i2", 1.0), ("i2", 0.0), ("i3", 1.0)], 6
    )
    consensus = passing(matrix)
    verdict = consensus.verdict.copy()
    verdict[3] = -1
    found = calibrate(matrix, replace(consensus, verdict=verdict), Ask())
    assert found.rows.tolist() == [0, 1, 2]
    assert found.agrees.tolist() == [True, False, False], "evenly split humans do not agree"
    assert (found.n_tied, found.n_undecided, len(found.pool)) == (1, 1, 2)
    assert not found.clustered


def test_pool_leaves_out_other_responses_to_labelled_items() -> None:
    study = Study.from_columns(
        {
            "item": ["i0", "i0", "i1", "i0"],
            "epoch": [1, 2, 1, 1],
            "judge": ["j", "j", "j", "h"],
            "judge_kind": ["llm", "llm", "llm", "human"],
            "score": [1.0, 1.0, 1.0, 1.0],
            "scale": "binary",
        }
    )
    matrix = study.matrix("score")
    assert len(calibrate(matrix, passing(matrix), Ask()).pool) == 1


def test_certificate_depends_on_the_calibration_and_the_ask_alone() -> None:
    matrix = labelled("binary", [(f"i{i}", 1.0) for i in range(30)], 30)
    calibration = calibrate(matrix, passing(matrix), Ask())
    assert certify(calibration, Ask()) == certify(calibration, Ask())
    assert certify(calibration, Ask()).feasible
    assert not certify(calibration, Ask(alpha=0.05)).feasible


@pytest.mark.parametrize("seed", [0, 1])
def test_one_response_of_each_cluster_is_drawn_blindly(seed: int) -> None:
    rows, clusters = np.arange(3, 43), np.repeat(np.arange(25), 2)
    kept, note = one_of_each_cluster(rows, clusters, seed=seed)
    assert len(np.unique(clusters[kept])) == len(kept) == len(np.unique(clusters[rows]))
    assert not (kept % 2 == kept[0] % 2).all(), "always the same position is not a draw"
    assert "one of each of 21 clusters" in note[0]
    assert one_of_each_cluster(np.arange(0, 50, 2), clusters, seed=seed)[1] == ()
