"""Label models as aggregators and analyzers: what a user gets of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from panopt.findings import Findings
from panopt.plugins import labels
from panopt.records.ask import Ask
from panopt.records.consensus import OUTCOMES, Consensus
from panopt.records.matrix import Matrix
from panopt.records.study import Study

Floats = NDArray[np.float64]
Judge = Callable[..., Any]


def panel(
    seed: int, n: int, right: list[float], share: float = 0.6
) -> tuple[Floats, NDArray[np.int64]]:
    """Binary votes of judges of some accuracy, and the truth."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < share).astype(np.int64)
    votes = np.where(rng.random((n, len(right))) < right, truth[:, None], 1 - truth[:, None])
    return votes.astype(float), truth


def aggregate(matrix: Matrix, method: str = "dawid_skene", ask: Ask | None = None) -> Consensus:
    """Ask the plugin for one method."""
    found = labels.panopt_aggregate(
        matrix, method, "asked for", ask or Ask(), np.random.default_rng(0)
    )
    assert found is not None
    return found


def analyze(matrix: Matrix, ask: Ask | None = None) -> Findings:
    """Ask the plugin for findings."""
    found = labels.panopt_analyze(matrix, ask or Ask(), np.random.default_rng(0))
    assert found is not None
    return found


def nominal(rows: list[tuple[str, str, str, str]]) -> Matrix:
    """Build a nominal criterion from item, judge, kind and label."""
    item, judge, kind, label = zip(*rows, strict=True)
    columns = {
        "item": list(item),
        "judge": list(judge),
        "judge_kind": list(kind),
        "label": list(label),
        "scale": "nominal",
    }
    return Study.from_columns(columns).matrix("score")


def scaled(votes: Floats, scale: str) -> Matrix:
    """Build a criterion of some scale from raw scores (responses, judges)."""
    item, judge = np.divmod(np.arange(votes.size), votes.shape[1])
    columns = {
        "item": [f"i{i:04d}" for i in item.tolist()],
        "judge": [f"j{j}" for j in judge.tolist()],
        "score": votes.ravel().tolist(),
        "scale": scale,
    }
    return Study.from_columns(columns).matrix("score")


@pytest.mark.parametrize("method", labels.METHODS)
def test_binary_verdicts_beat_the_majority_where_judges_differ(judged: Judge, method: str) -> None:
    votes, truth = panel(0, 1500, [0.95, 0.6, 0.6, 0.6, 0.6])
    found = aggregate(judged(votes).matrix, method)
    majority = (votes.mean(axis=1) > 0.5) == truth
    assert np.mean(found.verdict == truth) > majority.mean() + 0.1
    assert found.method == method
    assert found.confidence_source == "posterior probability"
    assert found.levels == (0.0, 1.0)
    assert found.probabilities is not None
    np.testing.assert_allclose(found.value, found.probabilities[:, 1])
    np.testing.assert_allclose(found.confidence, found.probabilities.max(axis=1))
    np.testing.assert_allclose(found.sd, np.sqrt(found.value * (1 - found.value)), atol=1e-7)
    np.testing.assert_array_equal(found.value, found.blind_value)
    share = np.where(found.verdict == 1, votes.mean(axis=1), 1 - votes.mean(axis=1))
    np.testing.assert_allclose(found.agreement, share)
    np.testing.assert_allclose(found.spread, votes.std(axis=1), atol=1e-7)
    np.testing.assert_array_equal(found.disagreement, np.ptp(votes, axis=1))
    unsure = 0.1 if method == "mace" else 0.05  # its published priors make MACE modest
    assert abs(found.confidence.mean() - np.mean(found.verdict == truth)) < unsure


def test_what_calibration_rests_on_has_seen_no_human_label(judged: Judge) -> None:
    votes, truth = panel(1, 400, [0.9, 0.8, 0.7])
    human = np.where(np.arange(400) < 100, truth, np.nan)
    with_people, without = (
        aggregate(judged(votes, human=human).matrix),
        aggregate(judged(votes).matrix),
    )
    for name in ("blind_value", "blind_sd", "confidence", "verdict", "probabilities"):
        np.testing.assert_array_equal(getattr(with_people, name), getattr(without, name))
    np.testing.assert_array_equal(with_people.value[:100], truth[:100])
    np.testing.assert_array_equal(with_people.sd[:100], 0.0)
    np.testing.assert_array_equal(with_people.estimate[:100], truth[:100])
    assert with_people.anchor == "humans"


def test_two_judges_need_labels(judged: Judge) -> None:
    votes, truth = panel(2, 300, [0.9, 0.7])
    with pytest.raises(ValueError, match="not identified"):
        aggregate(judged(votes).matrix)
    human = np.where(np.arange(300) < 60, truth, np.nan)
    found = aggregate(judged(votes, human=human).matrix)
    assert found.confidence_source == "vote share"
    assert np.isnan(found.blind_sd).all()
    np.testing.assert_allclose(found.blind_value, votes.mean(axis=1))
    assert any(
        "without human labels verdicts are those of the most votes" in w for w in found.warnings
    )
    assert np.mean((found.value > 0.5)[60:] == truth[60:]) > 0.85


def test_labels_that_refute_the_model_are_heeded(judged: Judge) -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, 400)
    misled = np.where(rng.random(400) < 0.6, 1 - truth, truth)
    votes = np.stack([misled, misled, misled, truth], axis=1)
    votes = np.where(rng.random((400, 4)) < [0.1, 0.1, 0.1, 0.15], 1 - votes, votes).astype(float)
    human = np.where(np.arange(400) < 80, truth, np.nan)
    matrix = judged(votes, human=human).matrix
    found = aggregate(matrix)
    assert any("do not trust verdicts made without human labels" in w for w in found.warnings)
    assert np.mean((found.value >= 0.5)[80:] == truth[80:]) > 0.7
    assert np.mean(found.verdict[80:] == truth[80:]) < 0.5
    rows = analyze(matrix).rows
    shares = np.mean(votes[:80] == truth[:80, None], axis=0)
    np.testing.assert_allclose([row.value or 0.0 for row in rows], shares, atol=0.01)
    assert all(row.details["labelled_alone"] and row.n == 80 for row in rows)


def test_J_10_outcomes_tell_why_there_is_no_verdict(judged: Judge) -> None:
    votes, _ = panel(4, 60, [0.9, 0.8, 0.7])
    votes[0] = np.nan
    votes[1, 1:] = np.nan
    found = aggregate(judged(votes).matrix, ask=Ask(min_successful=2))
    names = [OUTCOMES[code] for code in found.outcome[:3]]
    assert names[1:] == ["quorum_not_met", "decided"]
    assert names[0] in {"all_failed", "no_votes"}
    assert (found.verdict[:2] == -1).all()
    for values in (found.value, found.sd, found.estimate, found.confidence):
        assert np.isnan(values[:2]).all()
        assert not np.isnan(values[2:]).any()
    assert found.probabilities is not None
    assert np.isnan(found.probabilities[:2]).all()
    assert found.n_votes[:3].tolist() == [0, 1, 3]


def test_nominal_labels_have_verdicts_and_no_values() -> None:
    rng = np.random.default_rng(5)
    names = ["cat", "dog", "owl"]
    truth = rng.integers(0, 3, 200)
    rows = []
    for i, k in enumerate(truth.tolist()):
        for j, right in enumerate((0.9, 0.8, 0.7, 0.8)):
            said = k if rng.random() < right else (k + rng.integers(1, 3)) % 3
            rows.append((f"i{i:03d}", f"j{j}", "llm", names[said]))
        if i < 30:
            rows.append((f"i{i:03d}", "ann", "human", names[k]))
    found = aggregate(nominal(rows))
    assert sorted(map(str, found.levels)) == names
    said = [str(found.levels[code]) for code in found.verdict.tolist()]
    assert np.mean(np.array(said) == np.array(names)[truth]) > 0.9
    assert np.isnan(found.value).all()
    assert found.probabilities is not None
    np.testing.assert_allclose(found.confidence, found.probabilities.max(axis=1))


def test_J_8_repeats_of_a_judge_count_once() -> None:
    votes, _ = panel(6, 100, [0.9, 0.8, 0.7])
    once: dict[str, list[Any]] = {"item": [], "judge": [], "score": []}
    for i, row in enumerate(votes.tolist()):
        for j, score in enumerate(row):
            for _ in range(3 if j == 0 else 1):
                once["item"].append(f"i{i:03d}")
                once["judge"].append(f"j{j}")
                once["score"].append(score)
    repeated = aggregate(Study.from_columns({**once, "scale": "binary"}).matrix("score"))
    single = aggregate(scaled(votes, "binary"))
    np.testing.assert_allclose(repeated.value, single.value)


def test_a_pair_that_is_most_likely_a_tie_has_no_winner() -> None:
    rng = np.random.default_rng(7)
    truth = rng.choice([0.0, 0.5, 1.0], size=300)
    votes = np.where(rng.random((300, 4)) < 0.8, truth[:, None], rng.choice([0, 0.5, 1], (300, 4)))
    found = aggregate(scaled(votes, "pairwise"))
    assert found.levels == (0.0, 0.5, 1.0)
    expected = np.where(truth == 0.5, -1, truth)
    assert np.mean(found.verdict == expected) > 0.9
    tied = found.verdict == -1
    assert {OUTCOMES[code] for code in found.outcome[tied]} == {"tie"}
    assert np.isnan(found.confidence[tied]).all()
    assert aggregate(scaled(np.where(votes > 0.5, 1.0, 0.0), "pairwise")).levels == (0.0, 1.0)


def test_P_14_few_levels_are_labels_and_many_are_none() -> None:
    rng = np.random.default_rng(8)
    truth = rng.integers(1, 6, 300)
    votes = np.where(rng.random((300, 4)) < 0.8, truth[:, None], rng.integers(1, 6, (300, 4)))
    found = aggregate(scaled(votes.astype(float), "ordinal:1:5"))
    assert found.levels == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert np.abs(found.value - (truth - 1) / 4).mean() < 0.05
    assert any("without an order" in text for text in found.assumptions)
    with pytest.raises(
        ValueError, match=r"scale continuous:1:5 has no labels.*use gaussian or mean"
    ):
        aggregate(scaled(votes.astype(float), "continuous:1:5"))
    with pytest.raises(ValueError, match="more than 10"):
        aggregate(scaled(votes.astype(float), "ordinal:0:100"))
    assert (
        labels.panopt_analyze(
            scaled(votes.astype(float), "ordinal:1:5"), Ask(), np.random.default_rng(0)
        )
        is None
    )


def test_accuracies_are_found_without_the_truth(judged: Judge) -> None:
    right = [0.95, 0.85, 0.75, 0.3]
    votes, _ = panel(9, 3000, right)
    found = analyze(judged(votes).matrix)
    for row, true in zip(found.rows, right, strict=True):
        assert row.value is not None
        assert row.low is not None
        assert row.high is not None
        assert row.low - 0.02 < true < row.high + 0.02
        assert (row.name, row.subject_kind, row.headline) == ("accuracy", "judge", False)
        assert row.n == 3000
        assert any("independent given the true label" in text for text in row.assumptions)
    assert len(found.notes) == 1
    assert re.search(r"right less often than guessing would be: llm3 \(\d\d%\)", found.notes[0])


def test_copies_of_items_widen_the_interval(judged: Judge) -> None:
    votes, _ = panel(10, 300, [0.9, 0.8, 0.7])
    many = np.repeat(votes, 3, axis=0)
    item = [f"i{i // 3:04d}" for i in range(900)]
    epochs = judged(many, item=item, epoch=[i % 3 + 1 for i in range(900)]).matrix
    widths = [
        row.high - row.low
        for matrix in (judged(votes).matrix, epochs, judged(many).matrix)
        for row in analyze(matrix).rows
        if row.high is not None and row.low is not None
    ]
    one, clustered, blind = np.reshape(widths, (3, 3))
    np.testing.assert_allclose(clustered, one, rtol=0.15)
    assert (blind < 0.75 * one).all()


@pytest.mark.parametrize(
    ("votes", "reason"),
    [
        (np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), r"2 judge\(s\) and 0 human labels"),
        (np.array([[1.0], [0.0]]), r"1 judge\(s\) and 0 human labels"),
        (np.ones((20, 4)), "all votes are for one label"),
        (np.full((3, 3), np.nan), "no judge gave a vote"),
    ],
)
def test_what_cannot_be_answered_has_its_reason(judged: Judge, votes: Floats, reason: str) -> None:
    found = analyze(judged(votes).matrix)
    assert len(found) == votes.shape[1]
    for row in found.rows:
        assert row.value is None
        assert row.reason is not None
        assert re.search(reason, row.reason)


def test_a_judge_of_other_items_is_named(judged: Judge) -> None:
    votes, _ = panel(11, 200, [0.9, 0.8, 0.7, 0.8])
    votes[:150, 3] = np.nan
    votes[150:, :3] = np.nan
    matrix = judged(votes).matrix
    last = analyze(matrix).rows[-1]
    assert last.value is None
    assert last.reason == "the judge shares too few responses with others to tell how it errs"
    told = aggregate(matrix).warnings
    assert any("share no item: llm0, llm1, llm2 | llm3" in text for text in told)


def test_no_vote_at_all_is_an_error(judged: Judge) -> None:
    with pytest.raises(ValueError, match="no judge gave a vote"):
        aggregate(judged(np.full((3, 3), np.nan)).matrix)


def test_llmbar_neighbor_is_refuted_by_fifty_labels(shared: Path) -> None:
    """Judges fooled alike: blind verdicts are wrong, and fifty labels say so."""
    pandas = pytest.importorskip("pandas")
    table = pandas.read_parquet(shared / "data/sets/llmbar/scores.parquet")
    rows = table[(table.task == "Neighbor") & (table.score != 0.5) & table.score.notna()]
    rows = rows[rows.judge_kind == "llm"]
    judge = rows.judge + " " + rows.prompt_variant.astype(str) + " " + rows.order.astype(str)
    gold = rows.groupby("item_id").label.first()
    columns = {
        "item": [*rows.item_id, *gold.index[:50]],
        "judge": [*judge, *["human"] * 50],
        "judge_kind": ["llm"] * len(rows) + ["human"] * 50,
        "score": [*rows.score.astype(float), *gold.iloc[:50].astype(float)],
        "scale": "binary",
    }
    matrix = Study.from_columns(columns).matrix("score")
    found = aggregate(matrix)
    truth = gold.loc[[matrix.name("item", i) for i in range(matrix.n_responses)]].to_numpy()
    assert np.mean(found.verdict == truth) < 0.4
    assert any("do not trust verdicts made without human labels" in w for w in found.warnings)
    rest = np.isnan(matrix.human_mean)
    assert np.mean((found.value >= 0.5)[rest] == truth[rest]) >= 0.8  # that of the best judge


def test_more_labels_than_votes_can_teach_are_refused_at_once() -> None:
    rng = np.random.default_rng(0)
    study = Study.from_columns(
        {
            "item": [f"i{k // 3}" for k in range(900)],
            "judge": ["abc"[k % 3] for k in range(900)],
            "label": [f"label {k}" for k in rng.integers(0, 400, 900)],
            "scale": "nominal",
        }
    )
    found = labels.panopt_analyze(study.matrix("score"), Ask(), rng)
    assert found is not None
    reasons = {row.reason for row in found}
    assert len(reasons) == 1
    assert "can be mistaken in more ways than there are votes (900)" in str(reasons.pop())
