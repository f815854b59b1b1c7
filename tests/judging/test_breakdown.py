"""What people read of a ruling: one line, a list of judges, a tree; other people's words tamed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import pytest

from panopt.errors import AskError
from panopt.judging import (
    Boolean,
    Failure,
    Labelled,
    Numeric,
    Pairwise,
    Ruling,
    Usage,
    VerdictKind,
    Vote,
    evidence,
    explain,
    junit,
    rule_on,
    tree,
)

FAILED = Vote("d", "failed", failure=Failure("timeout", "no answer within 5 s"))


def three(*, more: Sequence[Vote] = (), criterion: str = "score") -> Ruling:
    votes = [
        Vote("a", "ok", 0.8, rationale="Clear and right.", usage=Usage(1, 100, 20, 0.01)),
        Vote("b", "ok", 0.6, confidence=0.9, confidence_source="logprobs", usage=Usage(1, 50, 5)),
        Vote("c", "ok", 0.8),
    ]
    return rule_on([*votes, *more], kind=Numeric(threshold=0.7), criterion=criterion)


def test_V_8_one_line_of_evidence() -> None:
    line = "PASS: mean of 3 of 3 judges (a=0.80, b=0.60, c=0.80) is 0.73; agreement 0.67"
    assert evidence(three()) == line


def test_V_7_a_failed_judge_is_listed_and_has_a_node_of_its_own() -> None:
    ruling = three(more=[FAILED])
    assert evidence(ruling).endswith("; d failed: timeout (no answer within 5 s)")
    root = tree(ruling)
    assert root["metadata"]["failed_judges"] == ["d"]
    node = root["children"][3]
    assert (node["status"], node["passed"], node["score"]) == ("failed", False, None)
    assert "no answer within 5 s" in node["evidence"]
    assert "failed_judges" not in tree(three())["metadata"]


def test_V_9_the_tree_is_panel_judge_criterion_and_survives_json_lines() -> None:
    root = tree(three())
    assert (root["level"], root["passed"], root["status"]) == ("panel", True, "decided")
    assert root["score"] == pytest.approx(0.7333, abs=1e-4)
    assert root["metadata"]["aggregation"] == "mean"
    assert root["metadata"]["threshold"] == 0.7
    assert root["metadata"]["models"] == ["a", "b", "c"]
    assert root["metadata"]["disagreement"] == {"score": pytest.approx(0.2)}
    judge = root["children"][0]
    assert (judge["level"], judge["name"], judge["passed"], judge["score"]) == (
        "judge", "a", True, 0.8,
    )  # fmt: skip
    assert judge["metadata"]["usage"]["input_tokens"] == 100  # type: ignore[index]
    leaf = judge["children"][0]
    assert (leaf["level"], leaf["name"], leaf["evidence"]) == (
        "criterion", "score", "Clear and right.",
    )  # fmt: skip
    line = json.dumps(root, allow_nan=False)
    assert "\n" not in line
    assert json.loads(line) == root


def test_V_9_a_tree_of_two_criteria() -> None:
    clear = three(criterion="clarity")
    true = rule_on([Vote("a", "ok", 0.0), FAILED], kind=Boolean(), criterion="truth")
    root = tree(clear, true)
    assert (root["passed"], root["score"]) == (False, None)
    assert [child["name"] for child in root["children"]] == ["a", "b", "c", "d"]
    assert [leaf["name"] for leaf in root["children"][0]["children"]] == ["clarity", "truth"]
    assert root["children"][0]["passed"] is False
    with pytest.raises(AskError, match="rulings are on criteria"):
        tree(clear, clear)
    with pytest.raises(AskError, match="rulings are on criteria"):
        tree()


def test_V_9_the_tree_survives_junit() -> None:
    hostile = Vote("<b>\x00\x1b[2J]]>", "ok", 0.0, rationale="]]> \x08 <&")
    trees = {
        "q1": tree(three()),
        "q2": tree(rule_on([hostile], kind=Boolean())),
        "q3": tree(rule_on([FAILED], kind=Boolean())),
        "q4": tree(rule_on([Vote("a", "ok", 1.0), Vote("b", "ok", 0.0)], kind=Boolean())),
        "q5": tree(rule_on([Vote("a", "ok", label="x")], kind=Labelled(("x", "y")))),
    }
    root = ET.fromstring(junit(trees))  # noqa: S314 - our own
    assert dict(root.attrib) == {"name": "panopt", "tests": "5", "failures": "1", "errors": "2"}
    kinds = {case.get("name"): [child.tag for child in case] for case in root}
    assert kinds["q1"] == ["system-out"]
    assert kinds["q2"] == ["failure", "system-out"]
    assert kinds["q3"] == kinds["q4"] == ["error", "system-out"]
    assert kinds["q5"] == ["system-out"]
    assert root[3][0].get("type") == "tie"


def test_J_12_the_breakdown_names_who_voted_what_and_why() -> None:
    text = explain(three(more=[FAILED]))
    head, blank, *entries = text.split("\n")
    assert head.startswith("PASS: mean of 3 of 4 judges")
    assert blank == ""
    assert entries == [
        "- **a** 0.80: Clear and right.",
        "- **b** 0.60 (confidence 0.90, logprobs)",
        "- **c** 0.80",
        "- **d** failed: timeout (no answer within 5 s)",
    ]
    assert three().explanation == explain(three())


def test_J_12_ties_say_tie() -> None:
    ruling = rule_on([Vote("a", "ok", 1.0), Vote("b", "ok", 0.0)], kind=Boolean())
    assert evidence(ruling) == (
        "TIE: plurality of 2 of 2 judges (a=pass, b=fail); agreement 0.50; 2 votes are even"
    )


@pytest.mark.parametrize(
    ("votes", "kind", "line"),
    [
        (
            [Vote("a", "ok", 1.0)],
            Pairwise(),
            "FIRST: majority of 1 of 1 judges (a=first) is 1.00; agreement 1.00",
        ),
        (
            [Vote("a", "abstained", flipped=True, note="follows the place")],
            Pairwise(),
            (
                "ALL ABSTAINED: majority of 0 of 1 judges; all 1 judges abstained; "
                "a flipped (follows the place)"
            ),
        ),
        (
            [Vote("a", "ok", label="x")],
            Labelled(("x", "y")),
            "LABEL: plurality of 1 of 1 judges (a=x) is x; agreement 1.00",
        ),
        ([Vote("a", "ok", 0.5)], Numeric(), "SCORE: mean of 1 of 1 judges (a=0.50) is 0.50; agree"),
        (
            [FAILED],
            Boolean(),
            "ALL FAILED: plurality of 0 of 1 judges; d failed: timeout (no answer within 5 s)",
        ),
    ],
)
def test_lines_of_other_outcomes(votes: list[Vote], kind: VerdictKind, line: str) -> None:
    assert evidence(rule_on(votes, kind=kind)).startswith(line)


def test_weights_and_survivors_are_said() -> None:
    ruling = rule_on(
        [Vote("a", "ok", 1.0), *(Vote(x, "abstained") for x in "bcd")],
        kind=Numeric(),
        weights={"a": 2.0},
    )
    line = evidence(ruling)
    assert line.startswith("SCORE: weighted mean of 1 of 4 judges")
    assert "agreement 1.00 by weight; fewer than half of the panel voted" in line
    assert "**a** (weight 2) 1.00" in ruling.explanation


def test_repeats_and_stand_ins_are_said() -> None:
    draws = tuple(Vote("x", "ok", v, draw=k) for k, v in enumerate((1.0, 1.0, 0.0)))
    vote = Vote("x", "ok", 1.0, stands_for="a", passes=draws)
    text = explain(rule_on([FAILED, vote], kind=Boolean()))
    assert "- **x** (for a) pass from 3 draws (pass, pass, fail)" in text


HOSTILE = (
    "# <img src=x onerror=alert(1)> [a](javascript:b) `c` \x1b[31m \u202e \ud800 |x| **b**\n\n- y"
)


def test_hostile_words_stay_words_where_markdown_is_shown() -> None:
    votes = [
        Vote(HOSTILE, "ok", label=HOSTILE[:20], rationale=HOSTILE),
        Vote("b", "failed", failure=Failure("unknown", HOSTILE), rationale=HOSTILE),
        Vote("c", "abstained", note=HOSTILE),
    ]
    ruling = rule_on(votes, kind=Labelled((HOSTILE[:20], "other")))
    text = ruling.explanation
    assert text.count("\n") == 4, "one line, a blank, three judges"
    assert not re.search(r"(?<!\\)[<>`\[|#]|\x1b|\u202e", text)
    assert all(line.startswith(("- **", "LABEL", "")) for line in text.split("\n"))
    for raw in ("\x1b", "\u202e", "\n"):
        assert raw not in evidence(ruling)
    text.encode("utf-8")


def test_long_words_and_large_panels_are_cut() -> None:
    votes = [
        Vote(f"{k}" + "n" * 5000, "ok", 1.0, rationale="r" * 50_000, note="w" * 5000)
        for k in range(40)
    ]
    votes += [Vote(f"x{k}" + "n" * 5000, "abstained") for k in range(40)]
    ruling = rule_on(votes, kind=Boolean())
    assert len(ruling.explanation) < 15_000
    assert "and 28 more" in evidence(ruling)
    assert "and 68 more judges" in ruling.explanation
    assert "28 more without a vote" in evidence(ruling)


def test_everything_is_what_json_knows() -> None:
    draws = (Vote("x", "ok", 1.0, probabilities={"1": 0.8}, order=0), Vote("x", "ok", 1.0, order=1))
    vote = Vote("x", "ok", 1.0, passes=draws, rationale="why" * 10)
    ruling = rule_on([vote, FAILED], kind=Pairwise(), weights={"x": 2.0})
    told = ruling.as_dict(rationale=4)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["outcome"] == "decided"
    assert told["kind"] == {"name": "pairwise", "both_orders": True, "ties": True}
    first = told["votes"][0]  # type: ignore[index]
    assert first["rationale"] == "whyw"
    assert [one["order"] for one in first["passes"]] == [0, 1]
    assert told["votes"][1]["failure"] == {"kind": "timeout", "message": "no answer within 5 s"}  # type: ignore[index]
