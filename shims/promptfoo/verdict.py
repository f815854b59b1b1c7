"""What one component says: a score, an abstention or a failure; and the verdicts of an inner panel.

A judge may declare an abstention in the metadata it returns: ``{"abstained": true}``.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from panopt.shims.promptfoo.failures import first_line, judge_error
from panopt.shims.promptfoo.judges import plain_type
from panopt.shims.promptfoo.schema import Component, ComponentMetadata, decode

__all__ = ["ABSTAINED", "FAILED", "OK", "count", "outcome", "panel_verdicts", "passed"]

OK, ABSTAINED, FAILED = 0, 1, 2
REFUSED = "the judge abstained"
NO_SCORE = "no score"
NULL_SCORE = "the score is null"


class _Verdict(msgspec.Struct, gc=False):
    judge: Any = None
    name: Any = None
    model: Any = None
    score: Any = msgspec.UNSET
    passed: Any = msgspec.field(default=None, name="pass")
    reason: Any = None
    error: Any = None
    abstained: Any = None
    confidence: Any = None
    cached: Any = None
    prompt_hash: Any = None


class _Panel(msgspec.Struct, gc=False):
    verdicts: list[_Verdict] | None = None


_panel = msgspec.json.Decoder(_Panel)


def panel_verdicts(raw: msgspec.Raw) -> list[Component]:
    """Read the verdicts of a jury in one grader (``metadata.panel.verdicts``) as components."""
    try:
        verdicts = decode(raw, _panel).verdicts or []
    except msgspec.DecodeError:
        return []
    return [_as_component(verdict, rank) for rank, verdict in enumerate(verdicts, start=1)]


def _as_component(verdict: _Verdict, rank: int) -> Component:
    names = (verdict.judge, verdict.name, verdict.model)
    judge = next((name for name in names if isinstance(name, str) and name), f"judge {rank}")
    failed = verdict.error not in (None, False, "")
    reason = verdict.error if failed and isinstance(verdict.error, str) else verdict.reason
    return Component(
        passed=verdict.passed,
        score=verdict.score,
        reason=reason,
        metadata=ComponentMetadata(
            judge=judge,
            graderError=failed,
            cachedResponse=verdict.cached,
            abstained=verdict.abstained,
            confidence=verdict.confidence,
            promptHash=verdict.prompt_hash,
        ),
    )


def outcome(component: Component, kind: str) -> tuple[float, int, str | None]:
    """Give score (NaN where there is none), status and error of one verdict.

    Parameters
    ----------
    component
        The result of an assertion.
    kind
        Type of that assertion.
    """
    metadata = component.metadata
    if metadata is not None:
        if metadata.graderError is True:
            return math.nan, FAILED, _line(component.reason)
        if metadata.abstained is True:
            return math.nan, ABSTAINED, _line(component.reason, REFUSED)
    given = component.score
    if given is None:  # what JSON makes of a NaN: its pass flag says nothing, either
        return math.nan, FAILED, NULL_SCORE
    score = given if type(given) is float else _number(given)
    if score is None and isinstance(component.passed, bool):
        score = float(component.passed)
    if score is None:
        return math.nan, FAILED, NO_SCORE
    reason = component.reason
    if score == 0.0 and isinstance(reason, str) and judge_error(plain_type(kind), reason):
        return math.nan, FAILED, _line(reason)
    return score, OK, None


def passed(component: Component) -> int:
    """Give the judge's own pass flag as 1 or 0; -1 where it has none or promptfoo forced it."""
    assertion = component.assertion
    if assertion is not None and assertion.weight == 0:
        return -1  # weight 0 passes whatever the judge says
    given = component.passed
    return 1 if given is True else 0 if given is False else -1


def count(value: Any) -> int:  # noqa: ANN401 - any JSON
    """Give a count of tokens; -1 where it is none."""
    if type(value) is int:
        return value if 0 <= value < 2**31 else -1
    return int(value) if type(value) is float and 0 <= value < 2**31 else -1


def _number(value: Any) -> float | None:  # noqa: ANN401 - any JSON
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return None
        return number if math.isfinite(number) else None
    return None


def _line(reason: Any, default: str = "failed") -> str:  # noqa: ANN401 - any JSON
    return first_line(reason) or default if isinstance(reason, str) else default
