"""Votes of panels that a log reduced to one value, recovered from the judges' own replies.

A reducer such as ``mode``, ``mean`` or ``collect`` keeps neither who voted how nor why; every
judge's call still stands in the transcript, inside the span of the scorer.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from panopt.shims.inspect.header import Header, Scorer
from panopt.shims.inspect.schema import EventfulSample, Output, Verdict
from panopt.shims.inspect.transcript import calls_by_scorer
from panopt.shims.inspect.values import LETTERS

__all__ = ["Panel", "Reply", "find_panels", "replies_of", "reproduces"]

_SPACE = r"[\s\u200b\u200c\u200d\u200e\u200f\u2060\u2063\ufeff]*"
#: The last "GRADE: word" of a reply, as inspect_ai.scorer.model_graded_qa reads it.
GRADE = re.compile(rf"(?is).*(?<!\w)GRADE(?!\w){_SPACE}:{_SPACE}(\w*)")
GRADES = {"c": "C", "correct": "C", "i": "I", "incorrect": "I", "p": "P", "partial": "P"}

REDUCERS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "max": max,
    "mean": statistics.fmean,
    "median": statistics.median,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What one judge answered about one sample."""

    model: str
    vote: str | None
    reason: str | None
    text: str | None
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency: float | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """A scorer whose votes stand in the transcript alone.

    Attributes
    ----------
    name
        Key of its scores.
    judges
        Its models in order; a model named twice is asked twice.
    pattern
        Finds the grade in a reply: group 1.
    own_pattern
        True where the pattern is the log's own: what it finds is the vote.
    grades
        Votes that were on offer; all others are no vote.
    reducer
        What made one value of the votes.
    """

    name: str
    judges: tuple[str, ...]
    pattern: re.Pattern[str]
    own_pattern: bool
    grades: frozenset[str]
    reducer: str | None

    def vote(self, text: str | None) -> str | None:
        """Read the vote in a reply; None where it holds none."""
        match = self.pattern.search(text or "")
        if match is None:
            return None
        if self.own_pattern:
            return (match.group(1) if match.re.groups else match.group(0)).strip() or None
        grade = GRADES.get(match.group(1).lower())
        return grade if grade in self.grades else None


def find_panels(
    header: Header, probes: Sequence[EventfulSample]
) -> tuple[dict[str, Panel], tuple[str, ...]]:
    """Find the scorers whose votes must be read from the transcript.

    A scorer is one when its models are several, or different models were called in its span,
    and its score holds no votes; and when the replies in `probes` hold grades.

    Parameters
    ----------
    header
        Of the log.
    probes
        A few samples with their transcripts.

    Returns
    -------
    tuple
        Panels by score name, and the names of scorers with several models whose votes are lost.
    """
    found: dict[str, Panel] = {}
    lost: list[str] = []
    names = {name for probe in probes for name in probe.scores or {}}
    for name in sorted(names):
        scorer = header.scorer(name)
        verdicts = [scores[name] for probe in probes if name in (scores := probe.scores or {})]
        if scorer.is_program or not all(_holds_no_votes(verdict, scorer) for verdict in verdicts):
            continue
        calls = [calls_by_scorer(probe.events).get(name, ()) for probe in probes]
        models = header.models(scorer)
        told = len(models) > 1
        if not told:
            models = tuple(dict.fromkeys(str(call.model) for part in calls for call in part))
        if len(models) < 2:
            continue
        panel = _panel(name, models, scorer, header)
        votes = [panel.vote(_output(call.output).text) for part in calls for call in part]
        if any(votes) and (told or all(votes)):
            found[name] = panel
        elif told:
            lost.append(name)
    return found, tuple(lost)


def replies_of(
    sample: EventfulSample, panels: Mapping[str, Panel]
) -> dict[str, list[Reply | None]]:
    """Read the judges' replies on one sample: by score name, in the order of the panel."""
    calls = calls_by_scorer(sample.events)
    return {
        name: _in_order([_reply(call, panel) for call in calls.get(name, ())], panel.judges)
        for name, panel in panels.items()
        if name in (sample.scores or {})
    }


def reproduces(replies: Sequence[Reply | None], panel: Panel, verdict: Verdict) -> bool | None:
    """Tell whether the votes reduce to the score in the log; None where that is not known."""
    votes = [reply.vote for reply in replies if reply is not None and reply.vote is not None]
    recorded = verdict.value
    if not votes:
        return isinstance(recorded, float) and math.isnan(recorded)
    if panel.reducer == "collect":
        return bool(recorded == votes)
    if panel.reducer in ("mode", None):
        return bool(recorded == Counter(votes).most_common(1)[0][0])
    numbers = [LETTERS[vote] for vote in votes if vote in LETTERS]
    reduce = REDUCERS.get(panel.reducer)
    if reduce is None or len(numbers) < len(votes) or not isinstance(recorded, int | float):
        return None
    return math.isclose(reduce(numbers), recorded, abs_tol=1e-9)


def _holds_no_votes(verdict: Verdict, scorer: Scorer) -> bool:
    if verdict.metadata is not None and verdict.metadata.panel is not None:
        return False
    if isinstance(verdict.value, list):
        return scorer.reducer == "collect"
    return not isinstance(verdict.value, dict)


def _panel(name: str, models: tuple[str, ...], scorer: Scorer, header: Header) -> Panel:
    options: dict[str, Any] = dict(scorer.options)
    parts = options.get("scorers")
    if isinstance(parts, list) and parts and isinstance(parts[0], Mapping):
        params = parts[0].get("params")
        options |= params if isinstance(params, Mapping) else {}
    own = options.get("grade_pattern")
    pattern, is_own = GRADE, False
    if isinstance(own, str):
        try:
            pattern, is_own = re.compile(own), True
        except re.error:  # then no grade was ever read by it either
            pattern, is_own = re.compile(r"(?!)"), True
    offered = {"C", "I"}
    if options.get("partial_credit") or options.get("instructions") or _accepted_all(header):
        offered.add("P")
    return Panel(name, models, pattern, is_own, frozenset(offered), scorer.reducer)


def _accepted_all(header: Header) -> bool:
    """Tell whether this Inspect took a P for a vote even where none was offered."""
    numbers = re.findall(r"\d+", header.inspect_version or "")[:3]
    return tuple(map(int, numbers)) < (0, 3, 262)


def _output(output: Any) -> Output:  # noqa: ANN401 - a JSON value
    try:
        return msgspec.convert(output, Output)
    except msgspec.ValidationError:
        return Output()


def _reply(call: Any, panel: Panel) -> Reply:  # noqa: ANN401 - an Event of kind model
    output = _output(call.output)
    text = output.text
    vote = panel.vote(text)
    reason = None
    if vote is None:
        said = call.error if isinstance(call.error, str) else text
        reason = f"grader_failed: no grade in the reply: {(said or 'no reply')[:200]}"
    usage = output.usage
    seconds = call.working_time
    return Reply(
        model=str(call.model),
        vote=vote,
        reason=reason,
        text=text,
        input_tokens=usage.input_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        latency=float(seconds) if isinstance(seconds, int | float) else None,
    )


def _in_order(replies: list[Reply], judges: tuple[str, ...]) -> list[Reply | None]:
    """Bring replies, which come as they were ready, to the order of the panel."""
    by_model: dict[str, list[Reply]] = {}
    for reply in replies:
        by_model.setdefault(reply.model, []).append(reply)
    places = Counter(judges)
    if len(replies) == len(judges) and not by_model.keys() & places.keys():
        return list(replies)  # the header names models otherwise than the transcript does
    queues = {judge: by_model.get(judge, [])[-count:] for judge, count in places.items()}
    return [queues[judge].pop(0) if queues[judge] else None for judge in judges]
