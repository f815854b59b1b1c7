"""What each judge alone says: against a plain loop over its judgments."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panopt.records.answers import Answers, answers_of
from panopt.records.study import Study


def answers(scale: str = "binary", **columns: Any) -> Answers:  # noqa: ANN401 - any column
    study = Study.from_columns({"item": "i", "judge": "x", "scale": scale, **columns})
    return answers_of(study.matrix("score"), threshold=0.5)


@pytest.mark.parametrize(
    ("scores", "stated", "verdict", "confidence"),
    [
        ([1.0], [0.8], 1, 0.8),
        ([0.0], [0.8], 0, 0.8),
        ([1.0, 1.0, 0.0], [0.9, 0.7, 0.6], 1, (0.9 + 0.7 + 0.4) / 3),
        ([1.0, 0.0], [0.9, 0.9], -1, np.nan),  # evenly split: a panel would count no vote
        ([1.0, 1.0, 0.0], [None, None, None], 1, 2 / 3),
        ([1.0, 1.0, 1.0], [0.6, None, None], 1, 0.6),
        ([1.0], [None], 1, np.nan),
    ],
)
def test_verdict_and_confidence_over_repeats(
    scores: list[float], stated: list[float | None], verdict: int, confidence: float
) -> None:
    found = answers(score=scores, confidence=stated, repeat=list(range(len(scores))))
    assert found.verdict.tolist() == [[verdict]]
    np.testing.assert_allclose(found.confidence, [[confidence]])
    assert found.draws == (len(scores),)


def test_a_margin_counts_against_a_verdict_it_is_not_for() -> None:
    found = answers(
        score=[1.0, 1.0, 0.0],
        confidence=[4.0, 3.0, 1.0],
        confidence_source="margin of rewards",
        repeat=[0, 1, 2],
    )
    assert found.confidence.tolist() == [[2.0]]
    assert (found.sources, found.unit) == ((("margin of rewards",),), (False,))


def test_a_pairwise_tie_is_no_verdict() -> None:
    found = answers("pairwise", item=["a", "b"], score=[0.5, 1.0], confidence=[0.9, 0.9])
    assert found.verdict.tolist() == [[-1], [1]]
    np.testing.assert_equal(found.confidence, [[np.nan], [0.9]])


def test_labels_are_counted_by_name() -> None:
    found = answers(
        "nominal",
        item=["a"] * 3 + ["b"] * 2,
        label=["good", "bad", "good", "good", "fair"],
        repeat=[0, 1, 2, 0, 1],
    )
    assert found.verdict[0, 0] >= 0
    assert found.verdict[1, 0] == -1
    np.testing.assert_allclose(found.confidence, [[2 / 3], [np.nan]])
    assert found.sources == (("vote share over repeats",),)


def test_a_judge_that_failed_was_asked_and_one_without_a_row_was_not() -> None:
    study = Study.from_columns(
        {
            "item": ["a", "b", "a"],
            "judge": ["x", "x", "y"],
            "score": [1.0, None, 1.0],
            "status": ["ok", "failed", "ok"],
            "confidence": [0.9, None, 0.8],
            "confidence_source": ["logprobs", None, None],
            "scale": "binary",
        }
    )
    found = answers_of(study.matrix("score"), threshold=0.5)
    assert found.asked.tolist() == [[True, True], [True, False]]
    assert found.verdict.tolist() == [[1, 1], [-1, -1]]
    assert found.sources == (("logprobs",), ("stated",))


def test_several_sources_are_all_told() -> None:
    found = answers(
        item=["a", "b"],
        score=1.0,
        confidence=[0.9, 3.0],
        confidence_source=["logprobs", "margin"],
    )
    assert found.sources == (("logprobs", "margin"),)


ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 2),
        st.sampled_from([0.0, 0.25, 0.75, 1.0]),
        st.one_of(st.none(), st.sampled_from([0.5, 0.75, 1.0])),
    ),
    min_size=1,
    max_size=30,
)


@given(ROWS)
def test_as_a_loop_over_judgments_has_it(
    rows: list[tuple[int, int, float, float | None]],
) -> None:
    item, judge, score, stated = zip(*rows, strict=True)
    repeat, counted = [], Counter[tuple[int, int]]()
    for key in zip(item, judge, strict=True):
        repeat.append(counted[key])
        counted[key] += 1
    study = Study.from_columns(
        {
            "item": [str(i) for i in item],
            "judge": [str(j) for j in judge],
            "score": list(score),
            "confidence": list(stated),
            "repeat": repeat,
            "scale": "continuous:0:1",
        }
    )
    matrix = study.matrix("score")
    found = answers_of(matrix, threshold=0.5)
    for r in range(matrix.n_responses):
        for m, name in enumerate(matrix.judges):
            mine = [
                (x, c) for i, j, x, c in rows if (str(i), str(j)) == (matrix.name("item", r), name)
            ]
            assert found.asked[r, m] == bool(mine)
            if not mine:
                assert found.verdict[r, m] == -1
                continue
            passes = bool(np.mean([x for x, _ in mine]) >= 0.5)
            assert found.verdict[r, m] == passes
            told = [c if (x >= 0.5) == passes else 1 - c for x, c in mine if c is not None]
            if found.sources[m] == ("stated",):
                expected = float(np.mean(told)) if told else np.nan
            else:
                share = float(np.mean([(x >= 0.5) == passes for x, _ in mine]))
                expected = share if len(mine) > 1 else np.nan
            np.testing.assert_allclose(found.confidence[r, m], expected)
