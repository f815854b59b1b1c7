from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from panopt.analysis import analyze, choose_method
from panopt.errors import AskError
from panopt.plugins.supervised import panopt_aggregate, panopt_analyze
from panopt.records.ask import Ask

Array = NDArray[Any]
Judge = Callable[..., Any]

aggregate_hook: Callable[..., Any] = panopt_aggregate
analyze_hook: Callable[..., Any] = panopt_analyze


def camps(n_human: int, seed: int = 0) -> tuple[Array, Array]:
    """Two good judges, three that are wrong together; the first responses are labelled."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, 200)
    right = rng.random((200, 3)) < [0.9, 0.85, 0.3]
    votes = np.where(right, truth[:, None], 1 - truth[:, None])[:, [0, 1, 2, 2, 2]]
    return votes.astype(float), np.where(np.arange(200) < n_human, truth, np.nan)


def test_auto_weighs_votes_where_labels_show_it_is_better(judged: Judge) -> None:
    votes, human = camps(60)
    method, why = choose_method(judged(votes, human=human).matrix)
    assert method == "supervised"
    assert "of 60 of them" in why
    assert choose_method(judged(votes, human=camps(39)[1]).matrix)[0] == "majority"
    assert choose_method(judged(votes).matrix)[0] == "majority"


def test_auto_keeps_a_majority_that_is_as_good(judged: Judge) -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 100)
    right = rng.random((100, 5)) < 0.85
    votes = np.where(right, truth[:, None], 1 - truth[:, None]).astype(float)
    assert choose_method(judged(votes, human=truth).matrix)[0] == "majority"


def test_value_uses_labels_and_nothing_blind_does(judged: Judge) -> None:
    votes, human = camps(60)
    ask = Ask()
    first = aggregate_hook(judged(votes, human=human).matrix, "asked for", ask)
    other = aggregate_hook(judged(votes, human=np.where(human == 1, 0, 1)).matrix, "x", ask)
    for name in ("blind_value", "blind_sd", "confidence", "verdict", "outcome"):
        np.testing.assert_array_equal(getattr(first, name), getattr(other, name))
    assert not np.allclose(first.value, other.value)
    assert any("no label entered" in text for text in first.assumptions)
    plain = analyze(judged(votes).study, Ask(aggregate="majority")).criteria[0].consensus
    for name in ("blind_value", "confidence", "verdict", "outcome"):
        np.testing.assert_array_equal(getattr(first, name), getattr(plain, name))


def test_the_findings_set_weighed_votes_beside_majority_and_judges(judged: Judge) -> None:
    votes, human = camps(60)
    case = judged(votes, human=human)
    consensus = aggregate_hook(case.matrix, "asked for", Ask())
    found = analyze_hook(case.matrix, consensus, Ask())
    (row,) = found.named("supervised_agreement")
    assert row.low < row.value < row.high
    assert row.value > row.details["majority"] + 0.2
    assert len(found.named("judge_agreement")) == 5
    assert analyze_hook(case.matrix, case.consensus, Ask()) is None


def test_scores_that_are_no_votes_are_sent_to_gaussian(judged: Judge) -> None:
    scores = np.random.default_rng(2).integers(1, 6, (50, 3)).astype(float)
    study = judged(scores, human=scores[:, 0], scale="ordinal:1:5").study
    with pytest.raises(AskError, match="has ordinal scores; use gaussian"):
        analyze(study, Ask(aggregate="supervised"))


def test_too_few_labels_are_refused(judged: Judge) -> None:
    votes, human = camps(10)
    with pytest.raises(AskError, match="labels 10 independent"):
        analyze(judged(votes, human=human).study, Ask(aggregate="supervised"))


def test_auto_tells_of_scores_that_may_be_verdicts_with_ties(judged: Judge) -> None:
    rng = np.random.default_rng(0)
    votes = rng.choice([0.0, 0.5, 1.0], (60, 4))
    method, why = choose_method(judged(votes, scale="continuous:0:1").matrix)
    assert method == "gaussian"
    assert "if .5 is a tie between two answers, say --scale pairwise" in why
    votes[0, 0] = 0.25
    assert "tie" not in choose_method(judged(votes, scale="continuous:0:1").matrix)[1]
    sides = (votes > 0.5).astype(float)
    assert "tie" not in choose_method(judged(sides, scale="continuous:0:1").matrix)[1]
