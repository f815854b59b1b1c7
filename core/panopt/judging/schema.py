"""The JSON that a judge is to answer with: its reason first, then the verdict or null."""

from __future__ import annotations

from typing import Any

from panopt.judging.verdict import Boolean, Labelled, Numeric, Pairwise, VerdictKind

__all__ = ["PLACES", "VERDICT_NAME", "verdict_schema"]

#: What a verdict on a pair names: the response shown first or second, or neither.
PLACES = ("first", "second", "tie")
#: Name of the schema, where an API wants one.
VERDICT_NAME = "verdict"


def verdict_schema(
    kind: VerdictKind, *, confidence: bool = False, reason: bool = True
) -> dict[str, Any]:
    """Give the JSON schema of a judge's answer.

    The reason stands before the verdict, so that the verdict can follow from it; a null verdict
    abstains. All fields are required and no others allowed, as strict modes demand.

    Parameters
    ----------
    kind
        What verdict is wanted.
    confidence
        Ask for the probability that the verdict is right, too.
    reason
        Ask for a reason; without one the verdict is what the judge would say at once.

    Examples
    --------
    >>> list(verdict_schema(Boolean())["properties"])
    ['reason', 'verdict']
    """
    properties: dict[str, Any] = {
        "reason": {"type": "string", "description": "Why, in a few sentences."},
        "verdict": {
            "anyOf": [_verdict(kind), {"type": "null"}],
            "description": f"{_meaning(kind)}; null only if you cannot judge.",
        },
    }
    if not reason:
        del properties["reason"]
    if confidence:
        properties["confidence"] = {
            "type": "number",
            "description": "Probability from 0 to 1 that your verdict is right.",
        }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _verdict(kind: VerdictKind) -> dict[str, Any]:
    match kind:
        case Boolean():
            return {"type": "boolean"}
        case Labelled():
            return {"type": "string", "enum": list(kind.labels)}
        case Numeric():
            return {"type": "number"}  # strict modes know no minimum; the reader checks the range
        case Pairwise():
            return {"type": "string", "enum": list(PLACES if kind.ties else PLACES[:2])}


def _meaning(kind: VerdictKind) -> str:
    match kind:
        case Boolean():
            return "true if the response meets the rubric, else false"
        case Labelled():
            return "one of the labels"
        case Numeric():
            return f"a number from {kind.low:g} to {kind.high:g}"
        case Pairwise():
            return "the better response by its place" + (", or tie" if kind.ties else "")
