"""Reads a judge's reply: bare JSON, JSON in a fence or in prose, refusals, or nothing of use.

What is read is not yet checked against the scale: a number may be off its range, a label unknown.
The jury checks, before anything is aggregated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from panopt.judging.protocol import JudgeError
from panopt.judging.schema import PLACES
from panopt.judging.verdict import Boolean, Labelled, Numeric, Pairwise, VerdictKind, folded

__all__ = ["Reading", "is_refusal", "read_reply"]

_MOST_READ = 50_000  # characters from the end of a reply
_MOST_TRIES = 200  # braces that may begin an answer
_MOST_SAID = 200  # characters of a reply that an error quotes
_TRUE = frozenset({"true", "yes", "pass", "passed", "correct"})
_FALSE = frozenset({"false", "no", "fail", "failed", "incorrect"})
_ABSTAINED = frozenset({"abstain", "abstained", "null", "none", "n/a", "cannot judge"})
_PLACES = {
    "first": "first",
    "1": "first",
    "a": "first",
    "second": "second",
    "2": "second",
    "b": "second",
    "tie": "tie",
    "draw": "tie",
    "equal": "tie",
}
_OPENING = re.compile(r'\{\s*"')
_REFUSAL = re.compile(
    r"(?:\W|^)(?:i['\u2019]?m (?:really |very |so )?sorry|i am sorry|sorry,|i apologi[sz]e|"
    r"unfortunately,? i|as an ai\b|i (?:can['\u2019]?t|cannot|can not|won['\u2019]?t|will not|"
    r"must decline|decline|am (?:not able|unable)|['\u2019]?m (?:not able|unable))|"
    r"i['\u2019]m (?:not able|unable))"
)
_REFUSED = re.compile(
    r"(?:help|assist|comply|evaluate|judge|grade|rate|assess|score|answer|provide|engage|continue|"
    r"fulfil|fulfill|discuss|respond|do that|with that|this request|that request)"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply says; `verdict` is None where the judge abstained."""

    verdict: bool | float | str | None
    rationale: str
    confidence: Any = None
    """As stated, unchecked; None where the reply states none."""

    @property
    def abstained(self) -> bool:
        """True where the judge declined."""
        return self.verdict is None


def read_reply(text: str, kind: VerdictKind) -> Reading:
    """Read what a judge answered.

    Parameters
    ----------
    text
        Its reply: the JSON of :func:`panopt.judging.schema.verdict_schema`, alone, fenced or
        among other words; or a refusal.
    kind
        What verdict was wanted; decides how a verdict is spelt, never what kind it is.

    Returns
    -------
    Reading
        For pairs the verdict is the place as shown.

    Raises
    ------
    JudgeError
        Of kind ``parse``: no verdict, or several that contradict one another.

    Examples
    --------
    >>> read_reply('Sure! ```json {"reason": "Right.", "verdict": "yes"} ```', Boolean()).verdict
    True
    >>> read_reply("I'm sorry, but I cannot evaluate this.", Boolean()).abstained
    True
    """
    told = text.rpartition("</think>")[2].strip()  # what a model thought aloud is no answer
    if not told:
        raise JudgeError("the reply is empty", "parse")
    found = list(_answers(told[-_MOST_READ:]))
    if not found:
        if is_refusal(told):
            return Reading(None, told)
        raise JudgeError(f"no verdict in the reply: {_quoted(told)}", "parse")
    readings = [_reading(answer, kind) for answer in found]
    if len({(type(one.verdict), one.verdict) for one in readings}) > 1:
        raise JudgeError(f"several verdicts in the reply: {_quoted(told)}", "parse")
    last = readings[-1]
    return last if last.rationale else Reading(last.verdict, _around(told), last.confidence)


def is_refusal(text: str) -> bool:
    """Tell whether a reply without a verdict declines to judge.

    Examples
    --------
    >>> is_refusal("I can't help with that."), is_refusal("The answer can't be right.")
    (True, False)
    """
    opening = text.strip()[:300].lower()
    start = _REFUSAL.match(opening[:60])
    return start is not None and _REFUSED.search(opening) is not None


def _answers(text: str) -> Iterator[dict[str, Any]]:
    """Find the JSON objects that hold a verdict, in the order they stand."""
    try:
        whole = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        pass
    else:
        if isinstance(whole, dict) and "verdict" in whole:
            yield whole
        return
    decoder = json.JSONDecoder(object_pairs_hook=_object)
    at, tries = 0, 0
    while (opening := _OPENING.search(text, at)) is not None and tries < _MOST_TRIES:
        tries += 1
        try:
            value, end = decoder.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            at = opening.start() + 1
            continue
        at = end
        if isinstance(value, dict) and "verdict" in value:
            yield value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    verdicts = [value for name, value in pairs if name == "verdict"]
    if any(value != verdicts[0] for value in verdicts[1:]):
        raise ValueError("an object with two verdicts")
    return dict(pairs)


def _reading(answer: dict[str, Any], kind: VerdictKind) -> Reading:
    reason = answer.get("reason")
    rationale = reason if isinstance(reason, str) else ""
    confidence = answer.get("confidence")
    verdict = answer["verdict"]
    if verdict is None or answer.get("abstain") is True or _abstains(verdict, kind):
        return Reading(None, rationale, confidence)
    spelt = _spelt(verdict, kind)
    if spelt is None:
        raise JudgeError(f"verdict {_quoted(json.dumps(verdict))} is not {_wanted(kind)}", "parse")
    return Reading(spelt, rationale, confidence)


def _abstains(verdict: object, kind: VerdictKind) -> bool:
    if not isinstance(verdict, str) or folded(verdict) not in _ABSTAINED:
        return False
    return not (isinstance(kind, Labelled) and kind.find(verdict) is not None)


def _spelt(verdict: object, kind: VerdictKind) -> bool | float | str | None:
    """Give a verdict in the type of its kind; None where it has another."""
    match kind:
        case Boolean():
            if isinstance(verdict, str):
                word = folded(verdict)
                return True if word in _TRUE else False if word in _FALSE else None
            if isinstance(verdict, bool):
                return verdict
            return bool(verdict) if isinstance(verdict, int | float) and verdict in (0, 1) else None
        case Labelled():
            return (kind.find(verdict) or verdict) if isinstance(verdict, str) else None
        case Numeric():
            return _number(verdict)
        case Pairwise():
            place = _PLACES.get(folded(str(verdict)))
            return place if not isinstance(verdict, bool) and place in PLACES else None


def _number(verdict: object) -> float | None:
    if isinstance(verdict, bool) or not isinstance(verdict, int | float | str):
        return None
    try:
        return float(verdict)
    except (ValueError, OverflowError):
        return None


def _wanted(kind: VerdictKind) -> str:
    match kind:
        case Boolean():
            return "true or false"
        case Labelled():
            return f"one of {', '.join(kind.labels)}"
        case Numeric():
            return f"a number from {kind.low:g} to {kind.high:g}"
        case Pairwise():
            return "first, second or tie"


def _around(text: str) -> str:
    """Give the prose before the answer, where the answer gives no reason."""
    opening = _OPENING.search(text)
    return text[: opening.start()].removesuffix("```json\n").strip() if opening else ""


def _quoted(text: str) -> str:
    plain = " ".join(text.split())
    return repr(plain if len(plain) <= _MOST_SAID else f"{plain[:_MOST_SAID]} ...")
