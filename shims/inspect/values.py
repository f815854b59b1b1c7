"""Inspect's score values as numbers or labels: C/I/P/N, bools, numbers, texts, NaN."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from panopt.records.judgment import Status  # loads numpy, which a live scorer does without

__all__ = ["Converted", "Kind", "convert", "is_missing", "kind_of", "kinds_of", "scale_of"]

Kind = str
"""``letter``, ``truth``, ``number``, ``text`` or ``missing``."""

LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5}
TRUTHS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}  # as inspect_ai.scorer.value_to_float
NO_ANSWER = "N"

#: Reasons of an unscored value that mean somebody declined; all others are failures.
DECLINED = frozenset({"refusal", "no_response", "declined", "abstained", "panopt:abstained"})


@dataclass(frozen=True, slots=True)
class Converted:
    """The values of one stream of scores; lists of one length."""

    score: list[float | None]
    label: list[str | None] | None
    status: list[Status]
    error: list[str | None]


def kind_of(value: Any) -> Kind:  # noqa: ANN401 - a JSON value
    """Tell what kind of value this is."""
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        return "number" if math.isfinite(value) else "missing"
    return _kind_of_text(value) if isinstance(value, str) else "missing"


def _kind_of_text(value: str) -> Kind:
    if value in LETTERS or value == NO_ANSWER:
        return "letter"
    text = value.strip().lower()
    if text in TRUTHS:
        return "truth"
    if _number(text) is not None:
        return "number"
    return "text" if text else "missing"


def kinds_of(values: Iterable[Any]) -> frozenset[Kind]:
    """Tell the kinds of values in a stream, ``missing`` left out."""
    distinct = {(type(value), value) for value in values}
    return frozenset(kind_of(value) for _, value in distinct) - {"missing"}


def is_missing(value: Any) -> bool:  # noqa: ANN401 - a JSON value
    """Tell whether there is no value here: None, NaN, an infinity, an empty string."""
    return kind_of(value) == "missing"


def convert(values: Sequence[Any], reasons: Sequence[str | None], *, nominal: bool) -> Converted:
    """Convert one stream of values.

    Parameters
    ----------
    values
        As they stand in the log: strings, numbers, bools or None.
    reasons
        Why there is no value, where the log says; read only there.
    nominal
        True makes every value a label; False wants numbers and their spellings.
    """
    known: dict[tuple[type, Any], tuple[float | None, str | None, Status, str | None]] = {}
    score: list[float | None] = []
    label: list[str | None] = []
    status: list[Status] = []
    error: list[str | None] = []
    for value, reason in zip(values, reasons, strict=True):
        key = (type(value), value)  # True == 1 and hash alike: the type keeps them apart
        found = known.get(key)
        if found is None:
            found = known[key] = _one(value, nominal=nominal)
        number, text, state, why = found
        if state == "failed":
            state, why = _why_missing(value, reason)
        score.append(number)
        label.append(text)
        status.append(state)
        error.append(why)
    return Converted(score, label if nominal else None, status, error)


def scale_of(kinds: frozenset[Kind], *, partial: bool) -> str | None:
    """Declare the scale of values of these kinds; None where it is to be inferred.

    `partial` is True where partial credit ("P") occurs in the criterion.
    """
    if "text" in kinds:
        return "nominal"
    if kinds and kinds <= {"letter", "truth"}:
        return "continuous:0:1" if partial else "binary"
    return None


def _one(value: Any, *, nominal: bool) -> tuple[float | None, str | None, Status, str | None]:  # noqa: ANN401
    kind = kind_of(value)
    if kind == "missing":
        return None, None, "failed", None
    if nominal:
        return None, value.strip() if isinstance(value, str) else _plain(value), "ok", None
    if kind == "letter":
        if value == NO_ANSWER:
            return None, None, "abstained", "no answer (N)"
        return LETTERS[value], None, "ok", None
    if kind == "truth" and isinstance(value, str):
        return TRUTHS[value.strip().lower()], None, "ok", None
    return float(value), None, "ok", None


def _why_missing(value: Any, reason: str | None) -> tuple[Status, str]:  # noqa: ANN401
    if reason is None:
        if isinstance(value, float) and math.isinf(value):
            return "failed", f"the score is {value}, not a number"
        return "failed", "unscored, no reason given"
    first = reason.split(":", 1)[0] if not reason.startswith("panopt:") else reason
    state: Status = "abstained" if first.strip() in DECLINED else "failed"
    return state, reason


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _plain(value: float | bool) -> str:  # noqa: FBT001 - a score may be a bool
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}"
