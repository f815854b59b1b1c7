"""Answers become checked votes: what is off the scale fails alone, and says why."""

from __future__ import annotations

import json
import math
from concurrent.futures import Future
from typing import NamedTuple

import numpy as np
import pytest

from panopt.judging import (
    Answer,
    Boolean,
    Failure,
    JudgeError,
    Labelled,
    Numeric,
    Pairwise,
    Usage,
    VerdictKind,
    Vote,
)
from panopt.judging.ballot import checked, read_vote
from panopt.judging.failures import failure_of

YES = True
LABELS = Labelled(("right", "half right", "wrong"))


def read(verdict: object, kind: VerdictKind, **more: object) -> Vote:
    return read_vote(Answer(verdict, **more), judge="a", kind=kind)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdict", "kind", "value"),
    [
        (True, Boolean(), 1.0),
        (False, Boolean(), 0.0),
        (1, Boolean(), 1.0),
        (" YES ", Boolean(), 1.0),
        ("fail", Boolean(), 0.0),
        (4, Numeric(1, 5), 4.0),
        ("4.5", Numeric(1, 5), 4.5),
        (np.float32(0.5), Numeric(), 0.5),
        ("First", Pairwise(), 1.0),
        ("second", Pairwise(), 0.0),
        ("tie", Pairwise(), 0.5),
    ],
)
def test_verdicts_that_are_on_the_scale(verdict: object, kind: VerdictKind, value: float) -> None:
    vote = read(verdict, kind)
    assert (vote.status, vote.value, vote.label) == ("ok", value, None)


def test_J_labels_compare_case_and_space_insensitively() -> None:
    assert read("  Half   RIGHT ", LABELS).label == "half right"


@pytest.mark.parametrize(
    ("verdict", "kind", "message"),
    [
        (None, Boolean(), "the judge gave no verdict"),
        (0.7, Boolean(), "0.7 is neither true nor false"),
        ("maybe", Boolean(), "'maybe' is neither true nor false"),
        ([True], Boolean(), "[True] is neither true nor false"),
        ("great", LABELS, "'great' is none of the labels right, half right, wrong"),
        (1, LABELS, "1 is none of the labels right, half right, wrong"),
        (True, Numeric(), "True is not a number"),
        ("4/5", Numeric(1, 5), "'4/5' is not a number"),
        ({"score": 4}, Numeric(1, 5), "{'score': 4} is not a number"),
        pytest.param(10**400, Numeric(), "1000000000", id="huge"),
        pytest.param(10**5000, Numeric(), "<int> is not a number", id="unwritable"),
        (math.nan, Numeric(), "score nan is not finite"),
        ("inf", Numeric(), "score inf is not finite"),
        (85, Numeric(), "score 85 is off the range 0 to 1"),
        (0, Numeric(1, 5), "score 0 is off the range 1 to 5"),
        ("left", Pairwise(), "'left' is neither first, second nor tie"),
        (1, Pairwise(), "1 is neither first, second nor tie"),
        ("tie", Pairwise(ties=False), "a tie is not among the verdicts"),
    ],
)
def test_J_6_a_verdict_off_the_scale_is_a_failed_vote_that_says_why(
    verdict: object, kind: VerdictKind, message: str
) -> None:
    vote = read(verdict, kind)
    assert (vote.status, vote.value, vote.label) == ("failed", None, None)
    assert vote.failure is not None
    assert vote.failure.kind == "parse"
    assert vote.failure.message.startswith(message)
    json.dumps(vote.failure.message)


@pytest.mark.parametrize("answer", [None, "yes", {"verdict": True}, 0.5])
def test_what_is_no_answer_has_failed(answer: object) -> None:
    vote = read_vote(answer, judge="a", kind=Boolean())
    assert vote.failure is not None
    assert vote.failure.kind == "parse"
    assert "not an answer" in vote.failure.message


def test_J_7_declared_abstention_is_no_failure() -> None:
    vote = read(None, Boolean(), abstained=True, rationale="I cannot say.")
    assert (vote.status, vote.failure, vote.rationale) == ("abstained", None, "I cannot say.")
    assert read(YES, Boolean(), abstained=True).value is None


def test_a_pair_shown_the_other_way_round_is_turned_back() -> None:
    for order, value in ((0, 1.0), (1, 0.0)):
        vote = read_vote(Answer("first"), judge="a", kind=Pairwise(), order=order)  # type: ignore[arg-type]
        assert vote.value == value
    assert read_vote(Answer("tie"), judge="a", kind=Pairwise(), order=1).value == 0.5


@pytest.mark.parametrize(
    ("confidence", "source", "kept", "note"),
    [
        (0.9, "verbalised", 0.9, ""),
        (1.7, "verbalised", None, "confidence 1.7 is not in [0, 1]"),
        (math.nan, "logprobs", None, "confidence nan is not in [0, 1]"),
        ("high", "verbalised", None, "confidence 'high' is not in [0, 1]"),
        (-3.5, "margin of rewards", -3.5, ""),
        (math.inf, "margin of rewards", None, "confidence inf is not finite"),
    ],
)
def test_a_confidence_that_is_none_is_left_out_and_the_vote_stays(
    confidence: object, source: str, kept: float | None, note: str
) -> None:
    vote = read(YES, Boolean(), confidence=confidence, confidence_source=source)
    assert (vote.status, vote.confidence, vote.note) == ("ok", kept, note)
    assert vote.confidence_source == (None if kept is None else source)


@pytest.mark.parametrize("shares", [{"a": 1.2}, {"a": 0.9, "b": 0.9}, {"a": math.nan}, [0.5, 0.5]])
def test_probabilities_that_are_none_are_left_out(shares: object) -> None:
    vote = read(YES, Boolean(), probabilities=shares)
    assert (vote.status, vote.probabilities) == ("ok", None)
    assert "probabilities" in vote.note


def test_hostile_text_and_usage_never_reach_a_file() -> None:
    usage = Usage(calls=-1, input_tokens=True, output_tokens=5, cost=math.nan, seconds=-1.0)
    vote = read(YES, Boolean(), rationale="half \ud800 sign", usage=usage)
    assert vote.rationale.encode("utf-8") == b"half ? sign"
    assert vote.usage == Usage(1, None, 5, None, None)


def test_votes_from_elsewhere_are_checked_too() -> None:
    assert checked(Vote("a", "ok", 2.0), Numeric()).status == "failed"
    assert checked(Vote("a", "failed", 0.5), Numeric()).value is None
    assert checked(Vote("a", "ok", label="RIGHT"), LABELS).label == "right"
    assert checked(Vote("a", "ok", 0.5), Pairwise(ties=False)).status == "failed"
    assert checked(Vote("a", "ok", 0.25), Pairwise()).status == "failed"
    assert checked(Vote("a", "ok", None), Pairwise()).status == "failed"
    kept = Vote("a", "ok", 0.5)
    assert checked(kept, Numeric()) is kept


# --- Failures -----------------------------------------------------------------------------


class RateLimitError(Exception):
    status_code = 429


class _Response(NamedTuple):
    status_code: int


class HTTPStatusError(Exception):
    response = _Response(503)


class APITimeoutError(Exception):
    pass


class RetryError(Exception):
    """As a retry library raises it: the last attempt holds what went wrong."""

    def __init__(self, error: Exception) -> None:
        super().__init__("retried")
        self.last_attempt: Future[object] = Future()
        self.last_attempt.set_exception(error)


class UnreadableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (TimeoutError("slow"), "timeout", "TimeoutError: slow"),
        (APITimeoutError(), "timeout", "APITimeoutError"),
        (ConnectionResetError("gone"), "connection", "ConnectionResetError: gone"),
        (RateLimitError("slow down"), "status", "RateLimitError 429: slow down"),
        (HTTPStatusError("bad"), "status", "HTTPStatusError 503: bad"),
        (json.JSONDecodeError("no", "x", 0), "parse", "JSONDecodeError: no: line 1"),
        (RuntimeError("odd"), "unknown", "RuntimeError: odd"),
        (JudgeError("cut off", "parse"), "parse", "cut off"),
        (caused(RuntimeError("wrapped"), RateLimitError("x")), "status", "RuntimeError: wrapped"),
        (RetryError(ConnectionError("down")), "connection", "RetryError: retried"),
        (ExceptionGroup("many", [ValueError("a"), TimeoutError("b")]), "timeout", "ValueError: a"),
        (BaseExceptionGroup("many", [RateLimitError("a")]), "status", "RateLimitError 429: a"),
        (
            UnreadableError(),
            "unknown",
            "UnreadableError: its message cannot be read (RuntimeError)",
        ),
        (RuntimeError("\x1b[31m red\n\u202e"), "unknown", "RuntimeError: [31m red"),
    ],
)
def test_J_7_failure_kinds_with_the_message_kept(
    error: BaseException, kind: str, message: str
) -> None:
    failure = failure_of(error)
    assert failure.kind == kind
    assert failure.message.startswith(message)


def test_messages_are_short() -> None:
    assert len(failure_of(RuntimeError("x" * 100_000)).message) <= 500
    assert failure_of(JudgeError("", "odd")) == Failure("unknown", "JudgeError")  # type: ignore[arg-type]
