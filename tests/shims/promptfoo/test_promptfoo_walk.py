"""Verdicts are found once each, in whatever sets and panels promptfoo listed them twice."""

from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from panopt.shims.promptfoo.schema import decode_row
from panopt.shims.promptfoo.walk import leaves

Json = dict[str, Any]


@st.composite
def graded(draw: st.DrawFn, depth: int = 2) -> tuple[Json | None, Json, list[str]]:
    """Draw an assertion, its result and the reasons of the verdicts in it."""
    kinds = ["judge", "check"] + (["set", "panel"] if depth else [])
    kind = draw(st.sampled_from(kinds))
    name = str(draw(st.integers(0, 10**6)))
    score = draw(st.sampled_from([0, 0.5, 1]))
    if kind == "set":
        inner = draw(st.lists(graded(depth=0), min_size=1, max_size=3))
        asserted = {"type": "assert-set", "assert": [part[0] for part in inner]}
        result = {
            "pass": True,
            "score": 0.7,
            "reason": "Aggregate",
            "componentResults": flat(inner),
        }
        return asserted, result, [reason for part in inner for reason in part[2]]
    if kind == "panel":
        inner = draw(st.lists(graded(depth=0), min_size=1, max_size=3))
        asserted = {"type": "python", "value": "file://panel.py"}
        parts = [part[1] for part in inner]
        result = {"pass": True, "score": 0.6, "reason": "panel", "componentResults": parts}
        return asserted, result | {"assertion": asserted}, [r for p in inner for r in p[2]]
    asserted = {"type": "llm-rubric" if kind == "judge" else "contains", "value": name}
    reason = name if kind == "judge" else "Assertion passed"
    result = {"assertion": asserted, "pass": True, "score": score, "reason": reason}
    return asserted, result, [reason]


def flat(parts: list[tuple[Json | None, Json, list[str]]]) -> list[Json]:
    """List results as promptfoo does: each, followed by copies of the results inside it."""
    found = []
    for _, result, _ in parts:
        found.append(result)
        found += result.get("componentResults", [])
    return found


def walked(asserts: list[Json | None] | None, components: list[Json]) -> list[str]:
    """Give the reasons of the verdicts that the walk finds."""
    test = {} if asserts is None else {"assert": asserts}
    row = {"testCase": test, "gradingResult": {"componentResults": components}}
    decoded = decode_row(json.dumps(row).encode())
    assert decoded.gradingResult is not None
    assert decoded.testCase is not None
    found = leaves(decoded.testCase.asserts, decoded.gradingResult.components or [])
    return [str(leaf.component.reason) for leaf in found]


@settings(max_examples=200)
@given(st.lists(graded(), min_size=1, max_size=5))
def test_every_verdict_is_found_once(parts: list[tuple[Json | None, Json, list[str]]]) -> None:
    reasons = [reason for part in parts for reason in part[2]]
    assert walked([part[0] for part in parts], flat(parts)) == reasons


@given(st.lists(graded(), min_size=1, max_size=4), st.integers(1, 3))
def test_appended_results_are_found_after_the_others(
    parts: list[tuple[Json | None, Json, list[str]]], count: int
) -> None:
    """select-best and max-score come last, ratings of people too."""
    kinds = ["select-best", "max-score", "human"][:count]
    asserts = [{"type": kind} for kind in kinds if kind != "human"] + [part[0] for part in parts]
    added = [
        {"assertion": {"type": kind}, "pass": True, "score": 1, "reason": kind} for kind in kinds
    ]
    reasons = [reason for part in parts for reason in part[2]]
    assert walked(asserts, [*flat(parts), *added]) == [*reasons, *kinds]


def one(reason: str, kind: str = "llm-rubric") -> Json:
    """Give the result of one assertion."""
    return {"assertion": {"type": kind}, "pass": True, "score": 1, "reason": reason}


def test_sets_of_releases_that_did_not_list_twice_are_read() -> None:
    inner = [one("Assertion passed", "contains")]
    asserts: list[Json | None] = [
        {"type": "assert-set", "assert": [{"type": "contains"}]},
        {"type": "llm-rubric"},
    ]
    whole = {"pass": True, "score": 1, "reason": "all", "componentResults": inner}
    assert walked(asserts, [whole, one("fine")]) == ["Assertion passed", "fine"]


def test_components_that_replace_the_asserted_ones_are_taken_as_they_are() -> None:
    own = [{"pass": True, "score": 0.9, "reason": "only me"}]
    assert walked([{"type": "contains"}, {"type": "contains"}], own) == ["only me"]


def test_a_run_that_stopped_early_leaves_fewer_components() -> None:
    asserts: list[Json | None] = [{"type": "llm-rubric"}, {"type": "llm-rubric"}]
    assert walked(asserts, [one("first")]) == ["first"]


def test_without_assertions_copies_are_told_by_their_content() -> None:
    inner = [one("a"), one("b")]
    whole = {"pass": True, "score": 1, "reason": "all", "componentResults": inner}
    assert walked(None, [one("z"), whole, *inner, one("c")]) == ["z", "a", "b", "c"]
