"""A live cascade: who is asked, who decides, and that logs of it are decided alike again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panopt.cascade import Cascade, Passage
from panopt.errors import AskError, CertificateError
from panopt.judging import (
    Answer,
    Boolean,
    Budget,
    Labelled,
    Numeric,
    Pairwise,
    Question,
    Usage,
    VerdictKind,
    Vote,
)
from panopt.judging.confidence import LEXICAL, REPEATS
from panopt.judging.own_answer import own_answer
from panopt.judging.verdict import scale_text
from panopt.records.answers import answers_of
from panopt.records.certificate import Certificate
from panopt.records.study import Study
from panopt.stats.binomial import risk_upper

Run = Callable[[Callable[[], Any]], Any]
Make = Callable[..., Any]
YES, NO = True, False
NAMES = ("cheap", "mid", "strong")


# --- One judge's own answer, live as from a log ---------------------------------------------

KINDS: dict[str, VerdictKind] = {
    "binary": Boolean(),
    "numeric": Numeric(1, 5),
    "two": Labelled(("a", "b")),
    "three": Labelled(("a", "b", "c")),
    "pairs": Pairwise(),
}
VALUES: dict[str, list[Any]] = {
    "binary": [0.0, 1.0],
    "numeric": [1.0, 2.0, 3.0, 4.0, 4.7, 5.0],
    "two": ["a", "b"],
    "three": ["a", "b", "c"],
    "pairs": [0.0, 0.5, 1.0],
}
Drawn = tuple[str, Any, float | None]


def draws_of(name: str) -> st.SearchStrategy[list[Drawn]]:
    one = st.tuples(
        st.sampled_from(["ok", "ok", "ok", "ok", "abstained", "failed"]),
        st.sampled_from(VALUES[name]),
        st.one_of(st.none(), st.sampled_from([0.0, 0.25, 0.5, 0.7, 0.9, 1.0])),
    )
    return st.lists(one, min_size=1, max_size=5)


def votes_of(drawn: Sequence[Drawn], source: str, *, stated: bool) -> list[Vote]:
    votes = []
    for k, (status, value, sure) in enumerate(drawn):
        vote = Vote("j", status, draw=k)  # type: ignore[arg-type]
        if status == "ok":
            text = isinstance(value, str)
            vote = replace(vote, value=None if text else value, label=value if text else None)
            if stated and sure is not None:
                vote = replace(vote, confidence=sure, confidence_source=source)
        votes.append(vote)
    return votes


def study_of(votes: Sequence[Sequence[Vote]], kind: VerdictKind, judge: str = "j") -> Study:
    rows = [(f"i{i:04d}", one) for i, own in enumerate(votes) for one in own]
    labels = [one.label for _, one in rows]
    return Study.from_columns(
        {
            "item": [item for item, _ in rows],
            "judge": [judge] * len(rows),
            "judge_kind": ["llm"] * len(rows),
            "repeat": [one.draw for _, one in rows],
            "score": [one.value for _, one in rows],
            **({"label": labels} if isinstance(kind, Labelled) else {}),
            "status": [one.status for _, one in rows],
            "error": [None if one.status == "ok" else one.status for _, one in rows],
            "confidence": [one.confidence for _, one in rows],
            "confidence_source": [one.confidence_source for _, one in rows],
            "scale": scale_text(kind),
        }
    )


@pytest.mark.parametrize("name", list(KINDS))
@pytest.mark.parametrize("source", ["logprobs", "margin of rewards", REPEATS])
@settings(max_examples=15)
@given(data=st.data(), threshold=st.sampled_from([0.3, 0.5, 0.75]))
def test_T_2_a_judge_answers_live_as_its_log_is_read(
    name: str, source: str, data: st.DataObject, threshold: float
) -> None:
    kind = KINDS[name]
    drawn = data.draw(st.lists(draws_of(name), min_size=1, max_size=6))
    # A confidence comes up, as in any real log; not every label does.
    last: list[Drawn] = [("ok", VALUES[name][0], 0.5)]
    votes = [votes_of(own, source, stated=source != REPEATS) for own in [*drawn, last]]
    matrix = study_of(votes, kind).matrix("score")
    read = answers_of(matrix, threshold=threshold)
    order = {item: i for i, item in enumerate(matrix.names["item"])}
    place = {int(code): i for i, code in enumerate(matrix.response_ids["item"].tolist())}
    for i, own in enumerate(votes):
        live = own_answer("j", own, kind=kind, source=source, threshold=threshold)
        row = place[order[f"i{i:04d}"]]
        assert (live.status == "ok") == (read.verdict[row, 0] >= 0), own
        if live.status == "ok":
            if isinstance(kind, Labelled):
                assert matrix.labels[read.verdict[row, 0]] == live.label
            else:
                assert live.value is not None
                unit = (live.value - 1) / 4 if isinstance(kind, Numeric) else live.value
                assert read.verdict[row, 0] == (unit >= threshold)
        told = np.nan if live.confidence is None else live.confidence
        assert read.confidence[row, 0] == pytest.approx(told, nan_ok=True)


# --- Asking in turn -------------------------------------------------------------------------


def sure(verdict: object, confidence: float | None, source: str = "logprobs") -> Answer:
    usage = Usage(1, 10, 2, 0.5)
    told = source if confidence is not None else None
    return Answer(verdict, confidence=confidence, confidence_source=told, usage=usage)  # type: ignore[arg-type]


def made(scripted: type[Any], *replies: object, source: str = "logprobs") -> list[Any]:
    return [
        scripted(name, reply, prompt_hash=f"p-{name}", confidence_source=source)
        for name, reply in zip(NAMES, replies, strict=False)
    ]


def certificate(kind: VerdictKind = Boolean(), **changes: Any) -> Certificate:  # noqa: ANN401, B008
    def stage(judge: str, threshold: float | None) -> dict[str, Any]:
        decided = 22 if judge == "cheap" else 0
        seen = [{"confidence": 0.5, "count": 28}]
        if decided:
            seen.append({"confidence": 0.95, "count": decided})
        return {
            "judge": judge, "threshold": threshold, "source": "logprobs", "unit": True,
            "draws": 1, "cost": 1.0, "n": decided, "errors": 0, "seen": seen,
        }  # fmt: skip

    scale = scale_text(kind)
    return Certificate.model_validate(
        {
            "format": 2,
            "scope": {
                "criterion": "helpful",
                "scale": scale,
                "judges": [
                    {"name": name, "kind": "llm", "scale": scale, "prompts": [f"p-{name}"]}
                    for name in NAMES
                ],
                "aggregate": "cascade",
                "confidence": "deciding judge's own",
                "threshold": 0.5,
                "min_successful": 1,
            },
            "deciding": [stage("cheap", 0.9), stage("mid", None), stage("strong", 0.7)],
            "alpha": 0.1, "delta": 0.1, "n": 22, "errors": 0, "level": 0.1,
            "bound": float(risk_upper(0, 22, 0.1)),
            "coverage": 0.44, "expected_cost": 1.56, "n_labels": 50, "n_tied": 0,
            "n_undecided": 0, "n_responses": 50, "promised": "of the trusted verdicts",
            "method": "joint_path", "assumption": "labels are a random sample", "seed": 0,
            "data": "0" * 64, "date": None, "versions": {"panopt": version("panopt")},
            **changes,
        }
    )  # fmt: skip


def passage(run: Run, cascade: Cascade, question: Question, **more: Any) -> Passage:  # noqa: ANN401
    found = run(lambda: cascade.judge(question, **more))
    assert isinstance(found, Passage)
    return found


def test_T_1_the_first_sure_judge_decides_and_no_other_is_asked(
    scripted: type[Any], run: Run, question: Make
) -> None:
    judges = made(scripted, sure(YES, 0.95), sure(NO, 1.0), sure(NO, 1.0))
    found = passage(run, Cascade(judges, kind=Boolean(), certificate=certificate()),
                    question(Boolean()))  # fmt: skip
    assert (found.end, found.stage, found.passed) == ("decided", 1, True)
    assert found.vote is not None
    assert (found.vote.judge, found.vote.confidence) == ("cheap", 0.95)
    assert [len(judge.asked) for judge in judges] == [1, 0, 0]
    assert "'cheap' decides: confidence 0.950 (logprobs) reaches 0.9" in found.reason


def test_T_1_an_unsure_judge_passes_on_and_one_that_never_decides_is_passed_over(
    scripted: type[Any], run: Run, question: Make
) -> None:
    judges = made(scripted, sure(YES, 0.89), sure(NO, 1.0), sure(NO, 0.7))
    found = passage(run, Cascade(judges, kind=Boolean(), certificate=certificate()),
                    question(Boolean()))  # fmt: skip
    assert (found.end, found.stage, found.passed) == ("decided", 3, False)
    assert [len(judge.asked) for judge in judges] == [1, 0, 1]
    assert [step.vote.judge for step in found.steps] == ["cheap", "strong"]
    assert found.usage.cost == 1.0
    assert "is below 0.9; ask 'strong'" in found.steps[0].reason


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (TimeoutError("slow"), "'cheap' failed: timeout"),
        (Answer(None, abstained=True), "'cheap' abstained"),
        (Answer(math_nan := float("nan")), "'cheap' failed: parse"),
        (sure(YES, None), "'cheap' has no confidence"),
        (sure(YES, 1.5), "'cheap' has no confidence"),
        (sure(YES, 0.99, "verbalised"), "'cheap' has no confidence"),
    ],
)
def test_a_judge_that_fails_or_tells_no_confidence_escalates_and_that_is_said(
    scripted: type[Any], run: Run, question: Make, reply: object, reason: str
) -> None:
    assert math_nan != math_nan  # noqa: PLR0124 - it is one
    judges = made(scripted, reply, None, sure(YES, 0.8))
    found = passage(run, Cascade(judges, kind=Boolean(), certificate=certificate()),
                    question(Boolean()))  # fmt: skip
    assert (found.end, found.stage) == ("decided", 3)
    assert reason in found.steps[0].reason


def test_the_cascade_abstains_where_nobody_is_sure(
    scripted: type[Any], run: Run, question: Make
) -> None:
    judges = made(scripted, sure(YES, 0.6), None, sure(YES, 0.6))
    found = passage(run, Cascade(judges, kind=Boolean(), certificate=certificate()),
                    question(Boolean()))  # fmt: skip
    assert (found.end, found.stage, found.vote, found.passed) == ("abstained", None, None, None)
    assert len(found.steps) == 2
    assert "no judge is left: ask a human" in found.steps[-1].reason


def test_thresholds_by_hand_promise_nothing(scripted: type[Any], run: Run, question: Make) -> None:
    judges = made(scripted, sure(YES, 0.6), sure(YES, 0.99), sure(NO, 0.0))
    cascade = Cascade(judges, kind=Boolean(), thresholds=[0.8, None, 0.0])
    found = passage(run, cascade, question(Boolean()))
    assert (found.end, found.stage, found.passed) == ("decided", 3, False)
    assert cascade.guarantee is None
    assert "no guarantee: the thresholds were given by hand" in (cascade.no_guarantee or "")
    assert not judges[1].asked
    certified = Cascade(judges, kind=Boolean(), certificate=certificate())
    assert "at least 0.9 of the trusted verdicts agree with the human" in (
        certified.guarantee or ""
    )
    assert certified.no_guarantee is None


def test_a_run_to_calibrate_from_asks_everybody(
    scripted: type[Any], run: Run, question: Make
) -> None:
    judges = made(scripted, sure(YES, 1.0), TimeoutError("slow"), sure(YES, 1.0))
    cascade = Cascade(judges, kind=Boolean(), ask_all=True)
    found = passage(run, cascade, question(Boolean()))
    assert (found.end, found.stage, len(found.steps)) == ("asked_all", None, 3)
    assert "none decides" in (cascade.no_guarantee or "")


def test_a_judge_that_cannot_be_paid_for_was_not_asked(
    scripted: type[Any], run: Run, question: Make
) -> None:
    judges = made(scripted, sure(YES, 0.6), None, sure(YES, 1.0))
    budget = Budget(calls=1)
    cascade = Cascade(judges, kind=Boolean(), certificate=certificate(), budget=budget)
    found = passage(run, cascade, question(Boolean()))
    assert (found.end, len(found.steps)) == ("budget", 1)
    assert "the budget is spent before 'strong'" in found.reason
    assert not judges[2].asked


def test_a_response_that_errored_is_not_judged(
    scripted: type[Any], run: Run, question: Make
) -> None:
    judges = made(scripted, sure(YES, 0.6), None, sure(YES, 1.0))
    cascade = Cascade(judges, kind=Boolean(), certificate=certificate())
    found = passage(run, cascade, question(Boolean()), response_error="no output")
    assert (found.end, found.steps, found.reason) == ("response_error", (), "no output")
    assert not any(judge.asked for judge in judges)


def test_T_3_vote_share_over_repeats_and_lexical_similarity_as_confidence(
    scripted: type[Any], run: Run, question: Make
) -> None:
    def votes(asked: Question) -> Answer:
        return Answer(asked.draw < 3, rationale="all the same words" if asked.draw < 2 else "other")

    judge = scripted("cheap", votes)
    cascade = Cascade([judge], kind=Boolean(), thresholds=[0.75], repeats=4)
    assert cascade.sources == (REPEATS,)
    found = passage(run, cascade, question(Boolean()))
    assert found.vote is not None
    assert (found.vote.confidence, found.vote.confidence_source) == (0.75, REPEATS)
    judge = scripted("cheap", votes, confidence_source=LEXICAL)
    found = passage(
        run, Cascade([judge], kind=Boolean(), thresholds=[0.3], repeats=4), question(Boolean())
    )
    assert found.vote is not None
    assert found.vote.confidence == pytest.approx(2 / 6)  # two of six pairs are the same
    told = [one.confidence is not None for one in found.vote.passes]
    assert told == [True, True, True, False]  # the draw with another verdict tells none


def test_pairs_are_asked_in_both_orders_and_the_place_alone_decides_nothing(
    scripted: type[Any], run: Run, question: Make
) -> None:
    kind = Pairwise()
    place = scripted("cheap", sure("first", 1.0), confidence_source="logprobs")
    cascade = Cascade([place], kind=kind, thresholds=[0.5])
    found = passage(run, cascade, question(kind))
    assert (found.end, len(place.asked)) == ("abstained", 2)
    true = scripted(
        "cheap",
        lambda asked: sure("second" if asked.order else "first", 0.9 - 0.2 * asked.order),
        confidence_source="logprobs",
    )
    found = passage(run, Cascade([true], kind=kind, thresholds=[0.5]), question(kind))
    assert found.vote is not None
    assert (found.end, found.vote.value) == ("decided", 1.0)
    assert found.vote.confidence == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt_hash": "p-new"}, "the prompt of judge 'cheap' is p-new, certified was p-cheap"),
        ({"prompt_hash": None}, "not known whether judge 'cheap' has the same prompt"),
        ({"name": "other"}, "judge 'other' is not among the certified"),
        ({"confidence_source": "verbalised"}, "the confidence of 'cheap' is 'verbalised', it was"),
    ],
)
def test_a_certificate_of_other_judges_is_refused_before_any_call(
    scripted: type[Any], change: dict[str, Any], message: str
) -> None:
    judges = made(scripted, sure(YES, 1.0), None, sure(YES, 1.0))
    judges[0] = replace(judges[0], **change)
    with pytest.raises(CertificateError, match=message):
        Cascade(judges, kind=Boolean(), certificate=certificate())
    assert not any(judge.asked for judge in judges)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"criterion": "safe"}, "the criterion is 'safe', it was 'helpful'"),
        ({"kind": Numeric(1, 5)}, "the scale is 'continuous:1:5', it was 'binary'"),
        ({"repeats": 3}, "judge 'cheap' is asked 3 times a response, it was 1"),
        ({"threshold": 0.7}, "option threshold is 0.7, it was 0.5"),
    ],
)
def test_a_certificate_of_another_question_is_refused(
    scripted: type[Any], options: dict[str, Any], message: str
) -> None:
    judges = made(scripted, sure(YES, 1.0), None, sure(YES, 1.0))
    with pytest.raises(CertificateError, match=message):
        Cascade(judges, **{"kind": Boolean(), "certificate": certificate(), **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "takes one of certificate .* given: none of them"),
        ({"thresholds": [1.0] * 3, "ask_all": True}, "given: thresholds and ask_all"),
        ({"thresholds": [0.5]}, "must have one entry a judge: cheap, mid, strong"),
        ({"thresholds": [None] * 3}, "let no judge decide"),
        ({"thresholds": [float("nan")] * 3}, "must be finite numbers"),
        (
            {"thresholds": [0.5, 90, None]},
            r"thresholds: 90 of 'mid' must lie in 0 to 1, as its confidence \(.*\) does",
        ),
        ({"thresholds": [-0.1, None, None]}, "thresholds: -0.1 of 'cheap' must lie in 0 to 1"),
        ({"thresholds": [0.5] * 3, "threshold": 2.0}, "threshold = 2.0 must lie in 0 to 1"),
        (
            {"thresholds": [0.5] * 3, "kind": Numeric(1, 5, threshold=2), "threshold": 0.5},
            r"threshold = 0.5, and the verdict's own is 0.25",
        ),
    ],
)
def test_arguments_that_contradict_are_refused(
    scripted: type[Any], options: dict[str, Any], message: str
) -> None:
    judges = made(scripted, sure(YES, 1.0), sure(YES, 1.0), sure(YES, 1.0))
    with pytest.raises(AskError, match=message):
        Cascade(judges, **{"kind": Boolean(), **options})


def test_judges_without_confidence_or_names_of_their_own_are_refused(
    scripted: type[Any],
) -> None:
    with pytest.raises(AskError, match="judge 'a' has no confidence"):
        Cascade([scripted("a", YES)], kind=Boolean(), thresholds=[0.5])
    twice = made(scripted, YES) + made(scripted, NO)
    with pytest.raises(AskError, match="judges name 'cheap' twice"):
        Cascade(twice, kind=Boolean(), thresholds=[0.5, 0.5])
    with pytest.raises(AskError, match="one judge or more"):
        Cascade([], kind=Boolean(), thresholds=[])


def test_a_judge_of_the_system_s_family_is_warned_of_or_refused(
    scripted: type[Any], caplog: pytest.LogCaptureFixture
) -> None:
    judge = scripted("a", YES, model="openai/gpt-4o", confidence_source="x")
    other = scripted("b", YES, model="anthropic/claude", confidence_source="x")
    with caplog.at_level(logging.WARNING):
        cascade = Cascade([judge, other], kind=Boolean(), thresholds=[0.5, 0.5])
    assert cascade.check("openai/o3-mini")
    strict = Cascade([judge, other], kind=Boolean(), thresholds=[0.5, 0.5], strict_panel=True)
    with pytest.raises(AskError, match="openai"):
        strict.check("openai/o3-mini")
