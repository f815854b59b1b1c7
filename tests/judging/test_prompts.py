"""What judges are told: all they need, nothing they must not know, no way out of the marks."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panopt.errors import AskError
from panopt.judging.prompts import PromptMaker
from panopt.judging.protocol import Question
from panopt.judging.schema import verdict_schema
from panopt.judging.verdict import Boolean, Labelled, Numeric, Pairwise, VerdictKind

KINDS: list[VerdictKind] = [
    Boolean(),
    Labelled(("good", "bad"), descriptions={"good": "as asked"}),
    Numeric(1, 5, anchors={1: "useless", 5: "perfect"}),
    Pairwise(),
    Pairwise(ties=False),
]


def question(kind: VerdictKind, *texts: str) -> Question:
    return Question("secret-id", "the task", texts or ("one", "two")[: 1 + _pair(kind)], "R?", kind)


def _pair(kind: VerdictKind) -> bool:
    return isinstance(kind, Pairwise)


@pytest.mark.parametrize("kind", KINDS)
def test_the_reason_stands_before_the_verdict_and_null_abstains(kind: VerdictKind) -> None:
    schema = verdict_schema(kind)
    assert list(schema["properties"]) == schema["required"] == ["reason", "verdict"]
    assert schema["additionalProperties"] is False
    assert {"type": "null"} in schema["properties"]["verdict"]["anyOf"]
    assert list(verdict_schema(kind, confidence=True)["properties"])[-1] == "confidence"


@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_tells_task_texts_rubric_scale_and_form_and_no_ids(kind: VerdictKind) -> None:
    asked = question(kind)
    prompt = PromptMaker(kind).make(asked)
    for part in ("the task", "R?", *asked.responses):
        assert part in prompt.user
    assert json.dumps(verdict_schema(kind)) in prompt.user
    assert "secret-id" not in prompt.system + prompt.user
    short = PromptMaker(kind).make(asked, schema_in_prompt=False).user
    assert "anyOf" not in short
    assert '"verdict"' in short


def test_labels_levels_and_references_are_told() -> None:
    told = PromptMaker(KINDS[1]).make(question(KINDS[1])).user
    assert "- good: as asked\n- bad" in told
    assert "- 1: useless\n- 5: perfect" in PromptMaker(KINDS[2]).make(question(KINDS[2])).user
    asked = replace(question(Boolean()), reference="42 it is")
    assert "42 it is" in PromptMaker(Boolean()).make(asked).user


def test_the_second_order_shows_the_second_response_first() -> None:
    asked = question(Pairwise(), "ALPHA", "OMEGA")
    usual = PromptMaker(Pairwise()).make(replace(asked, order=0)).user
    swapped = PromptMaker(Pairwise()).make(replace(asked, order=1)).user
    assert re.search(r"<first-response-\w+>\nALPHA\n", usual)
    assert re.search(r"<first-response-\w+>\nOMEGA\n", swapped)


@given(st.text())
def test_no_response_can_close_its_own_marks(text: str) -> None:
    user = PromptMaker(Boolean()).make(question(Boolean(), text)).user
    [mark] = re.findall(r"<response-([0-9a-f]{8})>", user) or [""]
    assert mark
    assert mark not in text
    assert user.count(f"</response-{mark}>") == 1


@given(st.text(), st.text())
def test_texts_bring_no_places_of_their_own(task: str, response: str) -> None:
    maker = PromptMaker(Boolean(), template="{{{task}|{response}}}|{rubric}")
    asked = replace(question(Boolean(), response), task=task)
    assert maker.make(asked).user.startswith(f"{{{task}|{response}}}|R?\n\n")


def test_templates_take_details_and_say_what_is_missing() -> None:
    maker = PromptMaker(Boolean(), template="{details.level} {response} {answer_form}")
    asked = replace(question(Boolean()), details={"level": 3})
    assert maker.make(asked).user.startswith("3 one Answer with")
    with pytest.raises(AskError, match=r"template asks for \{details.level\}"):
        maker.make(question(Boolean()))
    with pytest.raises(AskError, match=r"template has the place \{Task\}"):
        PromptMaker(Boolean(), template="{Task} {response}")
    with pytest.raises(AskError, match=r"template has no place \{second\}"):
        PromptMaker(Pairwise(), template="{first}")
    with pytest.raises(AskError, match="rubric must not be blank"):
        PromptMaker(Boolean(), rubric=" ")


def test_the_hash_changes_with_all_that_is_told_and_with_nothing_else() -> None:
    base = PromptMaker(Boolean(), "R?", "score")
    others = [
        PromptMaker(Boolean(), "R!", "score"),
        PromptMaker(Boolean(), "R?", "clarity"),
        PromptMaker(Boolean(), "R?", "score", template="{response}"),
        PromptMaker(Boolean(), "R?", "score", system="You judge."),
        PromptMaker(Boolean(), "R?", "score", confidence=True),
        PromptMaker(Numeric(), "R?", "score"),
        PromptMaker(Numeric(0, 2), "R?", "score"),
    ]
    assert len({base.hash, *(maker.hash for maker in others)}) == 1 + len(others)
    assert PromptMaker(Boolean(), "R?", "score").hash == base.hash
    assert re.fullmatch("[0-9a-f]{16}", base.hash)


def test_a_threshold_is_no_part_of_what_judges_are_told() -> None:
    assert PromptMaker(Numeric(threshold=0.5)).hash == PromptMaker(Numeric(threshold=0.6)).hash
