"""Replies of judges: what is read in them, and what is refused."""

from __future__ import annotations

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panopt.judging.parse import is_refusal, read_reply
from panopt.judging.protocol import JudgeError
from panopt.judging.verdict import Boolean, Labelled, Numeric, Pairwise, VerdictKind

LABELS = Labelled(("good", "not good", "abstain"))


@pytest.mark.parametrize(
    ("text", "kind", "verdict"),
    [
        ('{"reason": "r", "verdict": true}', Boolean(), True),
        ('{"reason": "r", "verdict": "No"}', Boolean(), False),
        ('{"reason": "r", "verdict": 1}', Boolean(), True),
        ('```json\n{"reason": "r", "verdict": 7}\n```', Numeric(1, 10), 7.0),
        ('```\n{"reason": "r", "verdict": "7.5"}\n```\nDone.', Numeric(1, 10), 7.5),
        ('I think {so}. {"reason": "a {b}", "verdict": "NOT  good"} bye', LABELS, "not good"),
        (
            '<think>{"verdict": "tie"}</think>{"reason": "", "verdict": "Second"}',
            Pairwise(),
            "second",
        ),
        ('{"reason": "r", "verdict": "B"}', Pairwise(), "second"),
        ('{"reason": "it says {\\"verdict\\": false}", "verdict": true}', Boolean(), True),
        ('{"verdict": true} I repeat: {"verdict": true}', Boolean(), True),
    ],
)
def test_J_6_replies_are_read_bare_fenced_and_in_prose(
    text: str, kind: VerdictKind, verdict: object
) -> None:
    found = read_reply(text, kind).verdict
    assert found == verdict
    assert type(found) is type(verdict)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("", Boolean(), "the reply is empty"),
        ("<think>hm</think>  ", Boolean(), "the reply is empty"),
        ("It is right.", Boolean(), "no verdict in the reply: 'It is right.'"),
        ('{"reason": "cut', Boolean(), "no verdict in the reply"),
        ("true", Boolean(), "no verdict in the reply"),
        ('{"verdict": "maybe"}', Boolean(), "is not true or false"),
        ('{"verdict": 2}', Boolean(), "is not true or false"),
        ('{"verdict": true}', Numeric(0, 1), "is not a number from 0 to 1"),
        ('{"verdict": "7/10"}', Numeric(1, 10), "is not a number from 1 to 10"),
        ('{"verdict": 3}', LABELS, "is not one of good, not good, abstain"),
        ('{"verdict": "third"}', Pairwise(), "is not first, second or tie"),
        ('{"verdict": [1]}', Numeric(), "is not a number"),
        ('{"verdict": true} no, {"verdict": false}', Boolean(), "several verdicts"),
        ('{"verdict": true, "verdict": false}', Boolean(), "no verdict"),
    ],
)
def test_what_holds_no_one_verdict_is_a_parse_failure(
    text: str, kind: VerdictKind, message: str
) -> None:
    with pytest.raises(JudgeError, match=message) as caught:
        read_reply(text, kind)
    assert caught.value.kind == "parse"


def test_numbers_that_are_none_come_through_for_the_ballot_to_refuse() -> None:
    assert math.isnan(float(read_reply('{"verdict": NaN}', Numeric()).verdict or 0))
    assert read_reply('{"verdict": 1e999}', Numeric()).verdict == math.inf
    assert read_reply('{"verdict": 85}', Numeric()).verdict == 85


@pytest.mark.parametrize(
    "text",
    [
        '{"reason": "no way to tell", "verdict": null}',
        '{"reason": "x", "verdict": "n/a"}',
        '{"reason": "x", "verdict": true, "abstain": true}',
        "I'm sorry, but I can't assist with that request.",
        "I cannot evaluate this content.",
        "As an AI, I am unable to judge this.",
        "Sorry, I won't help with this.",
    ],
)
def test_J_7_declining_is_an_abstention(text: str) -> None:
    found = read_reply(text, Boolean())
    assert found.abstained
    assert found.rationale


def test_a_label_named_abstain_is_a_label() -> None:
    assert read_reply('{"reason": "", "verdict": "Abstain"}', LABELS).verdict == "abstain"


@pytest.mark.parametrize(
    "text",
    [
        "The response says it cannot help, which is right.",
        "Unfortunately the answer is wrong.",
        "Sorry state of affairs: the answer is wrong.",
        "I can see that the answer is right.",
    ],
)
def test_talk_of_refusals_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)
    with pytest.raises(JudgeError, match="no verdict"):
        read_reply(text, Boolean())


@given(st.text(), st.sampled_from([Boolean(), LABELS, Numeric(), Pairwise()]))
def test_any_text_is_read_or_refused_never_more(text: str, kind: VerdictKind) -> None:
    try:
        found = read_reply(text, kind)
    except JudgeError:
        return
    assert found.abstained or found.verdict is not None


@given(
    st.text(max_size=40),
    st.text(alphabet=st.characters(exclude_characters="{"), max_size=40),
    st.booleans(),
)
def test_an_answer_is_found_whatever_stands_around_it(
    reason: str,
    around: str,
    verdict: bool,  # noqa: FBT001 - drawn
) -> None:
    answer = json.dumps({"reason": reason, "verdict": verdict})
    tail = around.replace("</think>", "")
    assert read_reply(f"{around} {answer} {tail}", Boolean()).verdict is verdict


@pytest.mark.parametrize(
    "text", ['{"a":' * 40_000, "[" * 100_000, '{"' * 50_000, '{"verdict": ' * 9_000]
)
def test_a_hostile_reply_is_refused_in_no_time(text: str) -> None:
    start = time.process_time()
    with pytest.raises(JudgeError):
        read_reply(text, Boolean())
    assert time.process_time() - start < 2.0
