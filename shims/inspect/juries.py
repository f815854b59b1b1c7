"""Reads back what a live jury of panopt's wrote into a score: every call of every judge.

The live side (:mod:`panopt.shims.inspect.live.panel_score`) writes the same names. Whatever does
not fit is passed over: a log may have been edited, or be of a later version.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from panopt.shims.inspect.schema import Details

__all__ = [
    "BY",
    "MEASURE",
    "PANEL",
    "SCHEMA",
    "Call",
    "Jury",
    "is_measure",
    "jury_of",
    "jury_parts",
]

#: What tells a jury of panopt's from other metadata of that name, and the version of its form.
BY, SCHEMA = "panopt", 1
#: Kind of a score of panopt's that measures a response, and judges nothing.
MEASURE = "measure"
#: Key of the panel's own value in the score.
PANEL = "panel"


class Call(NamedTuple):
    """One call of one judge."""

    judge: str
    value: float | str | None
    error: str | None
    """Why there is no value; begins with ``abstained`` where the judge declined."""
    rationale: str | None = None
    repeat: int = 0
    order: int | None = None
    confidence: float | None = None
    source: str | None = None
    probabilities: list[float] | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    latency: float | None = None
    cached: bool = False
    prompt_hash: str | None = None


class Jury(NamedTuple):
    """All calls on one response, and what they were for."""

    criterion: str | None
    scale: str | None
    calls: tuple[Call, ...]


def jury_of(details: Details | None) -> Jury | None:
    """Read a score's jury; None where the score is not that of one.

    Parameters
    ----------
    details
        Metadata of the score.
    """
    told = details.jury if details is not None else None
    if details is None or not isinstance(told, dict) or told.get("by") != BY:
        return None
    if not isinstance(told.get("schema"), int) or not isinstance(details.votes, dict):
        return None
    judges = told.get("judges")
    names = [str(judge) for judge in judges] if isinstance(judges, list) else []
    return Jury(
        _text(told.get("criterion")),
        _text(told.get("scale")),
        tuple(_calls(details, names, told.get("prompts"))),
    )


def is_measure(details: Details | None) -> bool:
    """Tell a score that is no judgment, such as semantic entropy: nobody's, of no criterion."""
    told = details.jury if details is not None else None
    return isinstance(told, dict) and told.get("by") == BY and told.get("kind") == MEASURE


def jury_parts(details: Details | None) -> list[Any]:
    """Give everything of the metadata that :func:`jury_of` looks at."""
    if details is None or not isinstance(details.jury, dict):
        return []
    return [
        details.jury,
        details.votes,
        details.errors,
        details.rationales,
        details.probabilities,
        details.notes,
    ]


def _calls(details: Details, names: Sequence[str], prompts: object) -> list[Call]:
    votes: dict[str, Any] = details.votes
    status = votes.get("status")
    judge = votes.get("judge")
    if not isinstance(status, str) or not isinstance(judge, list) or len(judge) != len(status):
        return []
    calls = []
    for i, state in enumerate(status):
        place = judge[i]
        known = isinstance(place, int) and 0 <= place < len(names)
        value = _at(votes, "value", i)
        usable = state == "o" and _is_value(value)
        confidence = _number(_at(votes, "confidence", i)) if usable else None
        calls.append(
            Call(
                names[place] if known else str(place),
                value if usable else None,
                None if usable else _why(state, _text(_of(details.errors, i)), details.notes, i),
                _text(_of(details.rationales, i)),
                _count(_at(votes, "draw", i)) or 0,
                order if (order := _at(votes, "order", i)) in {0, 1} else None,
                confidence,
                _text(_at(votes, "source", i)) if confidence is not None else None,
                _shares(_of(details.probabilities, i)) if usable else None,
                _count(_at(votes, "in", i)),
                _count(_at(votes, "out", i)),
                _number(_at(votes, "cost", i)),
                _number(_at(votes, "seconds", i)),
                _at(votes, "cached", i) is True,
                _text(prompts[place] if known and isinstance(prompts, list) else prompts),
            )
        )
    return calls


def _why(state: str, error: str | None, notes: object, i: int) -> str:
    if state == "a":
        note = _text(_of(notes, i))
        return f"abstained: {note}" if note else "abstained"
    return error or "failed: no reason in the log"


def _at(columns: Mapping[str, Any], name: str, i: int) -> Any:  # noqa: ANN401 - a JSON value
    """Give one entry of a column; a column may be one value for all."""
    column = columns.get(name)
    if not isinstance(column, list):
        return column
    return column[i] if i < len(column) else None


def _of(texts: object, i: int) -> object:
    return texts.get(str(i)) if isinstance(texts, dict) else None


def _is_value(value: object) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _text(given: object) -> str | None:
    return given if isinstance(given, str) and given else None


def _number(given: object) -> float | None:
    number = isinstance(given, int | float) and not isinstance(given, bool)
    return float(given) if number and math.isfinite(given) else None  # type: ignore[arg-type]


def _count(given: object) -> int | None:
    number = isinstance(given, int) and not isinstance(given, bool) and given >= 0
    return given if number else None  # type: ignore[return-value]


def _shares(given: object) -> list[float] | None:
    if not isinstance(given, dict) or not given:
        return None
    shares = [_number(share) for share in given.values()]
    return None if None in shares else [share for share in shares if share is not None]
