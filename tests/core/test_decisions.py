from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from panopt.records.decisions import DECISIONS, Decisions


def decisions(**fields: object) -> Decisions:
    base: dict[str, Any] = {
        "criterion": "tone",
        "method": "by hand",
        "decision": np.array([0, 1, 1], dtype=np.int8),
        "reason": np.array([0, 1, 1], dtype=np.int16),
        "reasons": ("confidence {confidence:.2f} is enough", "{confidence:.0%} is too little"),
        "numbers": {"confidence": np.array([0.97, 0.5, 0.625])},
        "no_guarantee": "no labels",
    }
    return Decisions(**{**base, **fields})


def test_reasons_are_filled_from_the_numbers_of_the_response() -> None:
    found = decisions()
    assert [found.name(i) for i in range(len(found))] == ["trust", "escalate", "escalate"]
    assert [found.why(i) for i in range(len(found))] == [
        "confidence 0.97 is enough",
        "50% is too little",
        "62% is too little",
    ]
    assert found.counts() == {"trust": 1, "escalate": 2, "ambiguous": 0, "human": 0}


def test_no_responses() -> None:
    empty = np.array([], dtype=np.int8)
    found = decisions(decision=empty, reason=empty, numbers={"confidence": np.array([])})
    assert sum(found.counts().values()) == len(found) == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"no_guarantee": None}, "exactly one of guarantee and no_guarantee"),
        ({"guarantee": "holds"}, "exactly one of guarantee and no_guarantee"),
        ({"reason": np.array([0, 1])}, "decisions' arrays differ in length"),
        ({"numbers": {"confidence": np.ones(2)}}, "decisions' arrays differ in length: .*'confid"),
        ({"decision": np.array([0, 1, 4])}, r"decision codes must lie in 0\.\.3"),
        ({"decision": np.array([0, 1, -1])}, r"decision codes must lie in 0\.\.3"),
        ({"reason": np.array([0, 1, 2])}, r"reason codes must lie in 0\.\.1"),
        ({"numbers": {}}, r"reason 'confidence \{confidence:\.2f\} .*' cannot be filled: KeyError"),
        ({"reasons": ("{", "")}, r"reason '\{' cannot be filled: ValueError"),
        ({"reasons": ("{}", "")}, r"reason '\{\}' cannot be filled: IndexError"),
    ],
)
def test_refuses(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decisions(**fields)


def test_decisions_keep_their_codes() -> None:
    assert DECISIONS == ("trust", "escalate", "ambiguous", "human")
