"""Repeats and both orders of a pair become one vote, by the same count as offline."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panopt.errors import AskError
from panopt.judging import (
    Boolean,
    Failure,
    Labelled,
    Numeric,
    Pairwise,
    Usage,
    VerdictKind,
    Vote,
    reduce_passes,
)
from panopt.judging.assignment import position_of, seats
from panopt.judging.pairs import both_ways, orders_of
from panopt.judging.passes import REPEATS
from panopt.judging.verdict import scale_text
from panopt.records import answers
from panopt.records.answers import answers_of
from panopt.records.ballots import ballots
from panopt.records.study import Study

THREE = Labelled(("a", "b", "c"))


def draws(*values: float | str) -> list[Vote]:
    found = []
    for k, value in enumerate(values):
        if value in {"abstained", "failed"}:
            failure = Failure("timeout", "slow") if value == "failed" else None
            found.append(Vote("j", value, failure=failure, draw=k))  # type: ignore[arg-type]
        elif isinstance(value, str):
            found.append(Vote("j", "ok", label=value, draw=k))
        else:
            found.append(Vote("j", "ok", value, draw=k))
    return found


def pair(first: float | str, second: float | str, draw: int = 0) -> list[Vote]:
    """Both orders of one draw, as values of the pair."""
    return [replace(one, draw=draw, order=order) for order, one in enumerate(draws(first, second))]  # type: ignore[arg-type]


def test_J_8_decisive_passes_reduce_to_one_vote_and_every_pass_is_kept() -> None:
    passes = draws(1.0, 1.0, 0.0, "abstained", "failed")
    vote = reduce_passes(passes, kind=Boolean())
    assert (vote.status, vote.value, vote.passes) == ("ok", 1.0, tuple(passes))
    assert reduce_passes(draws("a", "b", "a"), kind=THREE).label == "a"
    assert reduce_passes(draws(0.1, 0.9, 0.2), kind=Numeric()).value == pytest.approx(0.4)
    median = reduce_passes(draws(0.1, 0.9, 0.2), kind=Numeric(), reduce="median")
    assert median.value == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("tie_break", "value"), [(None, None), ("low", 0.0), ("high", 1.0), ("first", 1.0)]
)
def test_J_8_a_tie_of_repeats_is_broken_as_told_or_the_judge_abstains(
    tie_break: str | None, value: float | None
) -> None:
    vote = reduce_passes(draws(1.0, 0.0), kind=Boolean(), tie_break=tie_break)
    assert vote.value == value
    assert vote.status == ("abstained" if value is None else "ok")
    assert vote.note == ("its 2 draws tie" if value is None else "")
    label = reduce_passes(draws("c", "b"), kind=THREE, tie_break=tie_break).label
    assert label == {None: None, "low": "b", "high": "c", "first": "c"}[tie_break]


def test_J_13_a_judge_that_follows_the_place_abstains_and_is_counted_as_a_flip() -> None:
    vote = reduce_passes(pair(1.0, 0.0), kind=Pairwise())
    assert (vote.status, vote.value, vote.flipped) == ("abstained", None, True)
    assert len(vote.passes) == 2
    same = reduce_passes(pair(0.0, 0.0), kind=Pairwise())
    assert (same.status, same.value, same.flipped) == ("ok", 0.0, False)
    assert reduce_passes(pair(0.5, 0.5), kind=Pairwise()).value == 0.5
    assert reduce_passes(pair(0.5, 1.0), kind=Pairwise()).flipped


def test_one_order_alone_proves_nothing() -> None:
    failed = reduce_passes(pair(1.0, "failed"), kind=Pairwise())
    assert (failed.status, failed.flipped) == ("failed", False)
    assert failed.failure == Failure("timeout", "slow")
    assert failed.note == "one order failed, so the other proves nothing"
    assert reduce_passes(pair("abstained", 1.0), kind=Pairwise()).status == "abstained"
    assert reduce_passes(pair("abstained", "failed"), kind=Pairwise()).status == "failed"
    assert both_ways(pair(1.0, 1.0)).order is None


def test_pairs_are_confirmed_draw_by_draw() -> None:
    passes = [*pair(1.0, 1.0, 0), *pair(1.0, 0.0, 1), *pair(0.0, 1.0, 2)]
    vote = reduce_passes(passes, kind=Pairwise())
    assert (vote.value, vote.flipped, len(vote.passes)) == (1.0, False, 6)
    flips = [*pair(1.0, 0.0, 0), *pair("failed", 1.0, 1)]
    assert reduce_passes(flips, kind=Pairwise()).flipped


def test_orders_change_with_the_draw_where_only_one_is_shown() -> None:
    single = Pairwise(both_orders=False)
    assert [orders_of(single, k) for k in range(3)] == [(0,), (1,), (0,)]
    assert orders_of(Pairwise(), 1) == (0, 1)


def test_no_decisive_draw_is_abstention_if_one_was_else_failure() -> None:
    assert reduce_passes(draws("failed", "abstained"), kind=Boolean()).status == "abstained"
    broken = reduce_passes(draws("failed", "failed"), kind=Boolean())
    assert (broken.status, broken.failure) == ("failed", Failure("timeout", "slow"))


def test_usage_adds_up_and_a_single_draw_is_itself() -> None:
    passes = [Vote("j", "ok", 1.0, usage=Usage(1, 10, 2, 0.5, 1.0), draw=k) for k in range(2)]
    passes[1] = Vote("j", "failed", failure=Failure("parse", "x"), usage=Usage(1, None, 3), draw=1)
    assert reduce_passes(passes, kind=Boolean()).usage == Usage(2, 10, 5, 0.5, 1.0)
    assert reduce_passes(passes[:1], kind=Boolean()) is passes[0]


def test_confidences_of_draws_are_those_in_the_verdict() -> None:
    said = [("logprobs", 1.0, 0.9), ("logprobs", 1.0, 0.8), ("logprobs", 0.0, 0.6)]
    passes = [
        Vote("j", "ok", value, confidence=c, confidence_source=source, draw=k)
        for k, (source, value, c) in enumerate(said)
    ]
    vote = reduce_passes(passes, kind=Boolean())
    assert vote.confidence == pytest.approx((0.9 + 0.8 + 0.4) / 3)
    assert vote.confidence_source == "logprobs"
    shares = [Vote("j", "ok", 1.0, probabilities={"1": p, "0": 1 - p}) for p in (0.8, 0.6)]
    assert reduce_passes(shares, kind=Boolean()).probabilities == pytest.approx(
        {"1": 0.7, "0": 0.3}
    )
    other = [shares[0], Vote("j", "ok", 1.0, probabilities={"1": 1.0})]
    assert reduce_passes(other, kind=Boolean()).probabilities is None


def test_the_rationale_is_of_a_draw_that_says_the_same() -> None:
    passes = [
        Vote("j", "ok", value, rationale=text, draw=k)
        for k, (value, text) in enumerate([(0.0, "bad"), (1.0, "good"), (1.0, "fine")])
    ]
    assert reduce_passes(passes, kind=Boolean()).rationale == "good"


@settings(max_examples=120)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.5, 1.0, "abstained", "failed"]),
            st.one_of(st.none(), st.sampled_from([0.5, 0.7, 0.95])),
        ),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["boolean", "numeric", "labelled", "pairwise"]),
    st.sampled_from(["logprobs", "margin of rewards"]),
)
def test_repeats_reduce_as_they_are_later_read_off_the_log(
    given_draws: list[tuple[Any, float | None]], shape: str, source: str
) -> None:
    kind: Any = {
        "boolean": Boolean(),
        "numeric": Numeric(threshold=0.5),
        "labelled": THREE,
        "pairwise": Pairwise(both_orders=False),
    }[shape]
    silent = ("abstained", "failed")
    values = []
    for value, _ in given_draws:
        if value in silent:
            values.append(value)
        elif shape == "labelled":
            values.append("abc"[round(2 * value)])
        else:
            values.append(float(value >= 0.5) if shape == "boolean" else value)
    passes = draws(*values)
    passes = [
        Vote(
            "j", one.status, one.value, one.label, failure=one.failure, draw=k,
            confidence=c if one.status == "ok" else None,
            confidence_source=source if one.status == "ok" and c is not None else None,
        )
        for k, (one, (_, c)) in enumerate(zip(passes, given_draws, strict=True))
    ]  # fmt: skip
    n = len(passes)
    anchor = ["a", "b", "c"] if shape == "labelled" else []  # so that every label occurs
    study = Study.from_columns(
        {
            "item": ["i"] * n + ["other"] * len(anchor),
            "judge": ["j"] * n + ["j"] * len(anchor),
            "scale": [scale_text(kind)] * (n + len(anchor)),
            "status": [one.status for one in passes] + ["ok"] * len(anchor),
            "score": [one.value for one in passes] + [None] * len(anchor),
            "label": [one.label for one in passes] + anchor,
            "confidence": [one.confidence for one in passes] + [None] * len(anchor),
            "confidence_source": [one.confidence_source for one in passes] + [None] * len(anchor),
        }
    )
    matrix = study.matrix("score")
    item = [matrix.name("item", k) for k in range(matrix.n_responses)].index("i")
    votes, status = ballots(matrix)
    found = reduce_passes(passes, kind=kind)
    assert found.status == ("ok", "abstained", "failed")[status[item, 0]]
    if found.status == "ok":
        cast = found.value if shape != "labelled" else matrix.labels.index(str(found.label))
        assert cast == pytest.approx(votes[item, 0])
        told = answers_of(matrix, threshold=0.5)
        draw = shape == "pairwise" and found.value == 0.5  # read off a log, a tie is no verdict
        expected = told.confidence[item, 0]
        if n > 1 and not draw:
            assert found.confidence == (None if math.isnan(expected) else pytest.approx(expected))


def test_the_source_of_shares_is_the_one_that_certificates_know() -> None:
    assert answers.REPEATS == REPEATS


@pytest.mark.parametrize(
    ("kind", "reduce", "message"),
    [
        (Boolean(), "mean", r"reduce = 'mean' does not suit Boolean; use plurality"),
        (Numeric(), "plurality", r"reduce = 'plurality' does not suit Numeric; use mean or median"),
        (THREE, "mode", r"reduce = 'mode' must be one of mean, median, plurality"),
    ],
)
def test_reductions_that_do_not_suit(kind: VerdictKind, reduce: str, message: str) -> None:
    with pytest.raises(AskError, match=message):
        reduce_passes(draws(1.0, 1.0), kind=kind, reduce=reduce)


# --- J-5: who is asked --------------------------------------------------------------------


def test_J_5_cyclic_assignment_is_by_position_alone() -> None:
    assert [seats(3, i, "cyclic") for i in range(4)] == [(0,), (1,), (2,), (0,)]
    assert seats(3, 9) == (0, 1, 2)


def test_J_5_items_without_a_place_spread_evenly_and_always_alike() -> None:
    places = np.array([position_of(f"item {i}") % 4 for i in range(4000)])
    counts = np.bincount(places, minlength=4)
    assert abs(counts - 1000).max() < 3 * math.sqrt(4000 * 0.25 * 0.75)
    assert position_of("q1") == position_of("q1")
    assert {position_of("q1", epoch) % 3 for epoch in (1, 2, 3)} == {0, 1, 2}


def test_bad_positions_and_assignments() -> None:
    with pytest.raises(AskError, match=r"assignment = 'random' must be one of all, cyclic"):
        seats(3, 0, "random")
    for position in (-1, 1.5, True):
        with pytest.raises(AskError, match=r"position = .* must be a whole number, 0 or more"):
            seats(3, position, "cyclic")  # type: ignore[arg-type]
