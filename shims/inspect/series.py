"""Streams of verdicts: one for each scorer, key of a dict, place in a list, vote of a panel.

Gathering knows nothing of judges and criteria; :mod:`panopt.shims.inspect.layout` says what
each stream is once all values have been seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from panopt.records.arrow import texts
from panopt.shims.inspect.juries import Call, Jury, is_measure, jury_of
from panopt.shims.inspect.panels import Reply
from panopt.shims.inspect.schema import UNCHANGED, Details, Sample, Verdict, text_of
from panopt.shims.inspect.values import is_missing

__all__ = ["Form", "Gathered", "Label", "Series", "SeriesKey", "Texts", "is_ours"]

Form = Literal["scalar", "dict", "list", "votes", "events", "jury"]

MOST_REASON = 300  # characters of an explanation that tell why there is no score
PACK = 1024  # texts


class SeriesKey(NamedTuple):
    """Which stream: the score's name, its form, and the place within it."""

    name: str
    form: Form
    place: int = -1
    """Position of a vote or a list entry, number of a jury's draw; -1 for others."""
    part: str | None = None
    """Key of a dict, judge of a jury."""


@dataclass(slots=True)
class Texts:
    """A growing column of texts; all but the last few are packed, as Python strings are big."""

    packed: list[pa.Array] = field(default_factory=list)
    loose: list[str | None] = field(default_factory=list)

    def append(self, text: str | None) -> None:
        """Add one text."""
        self.loose.append(text)
        if len(self.loose) == PACK:
            self.pack()

    def pack(self) -> None:
        """Pack the last few too."""
        if self.loose:
            self.packed.append(texts(self.loose, large=True))
            self.loose = []

    def take_all(self) -> pa.Array:
        """Give all texts as one array, and let go of them."""
        self.pack()
        chunked = pa.chunked_array(self.packed, pa.large_string())
        self.packed = []
        return chunked.combine_chunks()


@dataclass(slots=True)
class Series:
    """One stream; columns of one length, one entry a sample that has it."""

    key: SeriesKey
    sample: list[int] = field(default_factory=list)
    value: list[Any] = field(default_factory=list)
    reason: list[str | None] = field(default_factory=list)
    """Why there is no value; None where there is one."""
    rationale: Texts = field(default_factory=Texts)
    reply: list[Reply | None] = field(default_factory=list)
    """The judge's own call, where it was read from the transcript."""
    call: list[Call] = field(default_factory=list)
    """The judge's own call, where a jury of panopt's wrote it into the score."""
    scale: str | None = None
    """Where the jury says it."""


@dataclass(frozen=True, slots=True)
class Label:
    """A score that somebody edited."""

    sample: int
    name: str
    part: str | None
    value: Any
    author: str


@dataclass(slots=True)
class Gathered:
    """All streams of a log.

    Attributes
    ----------
    series
        By key, in the order they were found.
    edits
        Values that people put in the place of a judge's.
    lengths
        By score name, the lengths its lists have had.
    jury
        By score name, the names its metadata give the judges.
    texts
        Every text value, by itself.
    named
        By score name, the criterion that its jury was given.
    unasked
        By score name, how many responses its jury was not asked about.
    """

    humans: Callable[[str], bool]
    """Tells score names whose scores are human labels: their edits are theirs."""
    rationales: bool
    """Keep what the judges wrote."""
    series: dict[SeriesKey, Series] = field(default_factory=dict)
    edits: list[Label] = field(default_factory=list)
    lengths: dict[str, set[int]] = field(default_factory=dict)
    jury: dict[str, tuple[str, ...]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    unasked: dict[str, int] = field(default_factory=dict)

    def add(self, index: int, sample: Sample, replies: Mapping[str, list[Reply | None]]) -> None:
        """Add the scores of one sample; `replies` are votes read from its transcript."""
        for name, verdict in (sample.scores or {}).items():
            if is_ours(name) or is_measure(verdict.metadata):
                continue
            value = self._original(index, name, verdict)
            details = verdict.metadata
            votes = _panel(details).get("votes")
            recovered = replies.get(name)
            jury = jury_of(details)
            if jury is not None:
                self._add_jury(index, name, jury)
            elif recovered is not None:
                self._add_replies(index, name, recovered)
            elif isinstance(votes, list):
                self._add_votes(index, name, votes, verdict)
            elif isinstance(value, dict):
                self._add_dict(index, name, value, verdict)
            elif isinstance(value, list):
                self.lengths.setdefault(name, set()).add(len(value))
                for place, part in enumerate(value):
                    self._append(SeriesKey(name, "list", place), index, part, verdict, None)
            else:
                key = SeriesKey(name, "scalar")
                self._append(key, index, value, verdict, _rationale(verdict))

    def settle(self) -> None:
        """Spread the unscored samples of a score over its parts.

        A score that is a dict, a list or a panel elsewhere is a plain NaN where it is unscored;
        then each of its judges, or keys, is without a score.
        """
        for key in [key for key in self.series if key.form == "scalar"]:
            siblings = [
                self.series[other]
                for other in self.series
                if other.name == key.name and other.form != "scalar"
            ]
            own = self.series[key]
            if not siblings or not all(map(is_missing, own.value)):
                continue
            for sibling in siblings:
                for i, sample in enumerate(own.sample):
                    self._append(sibling.key, sample, None, own.reason[i], None)
            del self.series[key]

    def _append(  # noqa: PLR0913, PLR0917 - the fields of one entry
        self,
        key: SeriesKey,
        index: int,
        value: Any,  # noqa: ANN401 - a JSON value
        why: Verdict | str | None,
        rationale: str | None,
        reply: Reply | None = None,
    ) -> None:
        """Add one entry; `why` tells, or holds, the reason where there is no value."""
        series = self.series.get(key)
        if series is None:
            series = self.series[key] = Series(key)
        reason: str | None = None
        if isinstance(value, dict | list):
            reason = f"the score is a {type(value).__name__} inside another value"
            value = None
        elif is_missing(value):
            reason = _reason(why) if isinstance(why, Verdict) else why
        elif isinstance(value, str):
            value = self.texts.setdefault(value, value)  # one object for all the "C"s of a log
        series.sample.append(index)
        series.value.append(value)
        series.reason.append(reason)
        series.rationale.append(rationale if self.rationales else None)
        if reply is not None:
            series.reply.extend([None] * (len(series.sample) - 1 - len(series.reply)))
            series.reply.append(reply)

    def _add_dict(self, index: int, name: str, value: dict[str, Any], verdict: Verdict) -> None:
        jury = verdict.metadata.jury if verdict.metadata else None
        if isinstance(jury, dict) and isinstance(jury.get("judges"), list):
            self.jury.setdefault(name, tuple(str(judge) for judge in jury["judges"]))
        rationale = _rationale(verdict)
        for part, own in value.items():
            self._append(SeriesKey(name, "dict", -1, part), index, own, verdict, rationale)

    def _add_votes(self, index: int, name: str, votes: list[Any], verdict: Verdict) -> None:
        failures = _failures(verdict.metadata)
        for place, vote in enumerate(votes):
            reason, said = failures.get(place, (None, None))
            if place == 0:
                said = _grading(verdict.metadata) or said
            if isinstance(vote, dict):
                for part, own in vote.items():
                    self._append(SeriesKey(name, "votes", place, part), index, own, reason, said)
            else:
                self._append(SeriesKey(name, "votes", place), index, vote, reason, said)

    def _add_jury(self, index: int, name: str, jury: Jury) -> None:
        if jury.criterion is not None:
            self.named.setdefault(name, jury.criterion)
        if not jury.calls:
            self.unasked[name] = self.unasked.get(name, 0) + 1
        for call in jury.calls:
            place = 3 * call.repeat + (0 if call.order is None else 1 + call.order)
            key = SeriesKey(name, "jury", place, call.judge)
            self._append(key, index, call.value, call.error, call.rationale)
            series = self.series[key]
            series.call.append(call)
            series.scale = jury.scale

    def _add_replies(self, index: int, name: str, replies: list[Reply | None]) -> None:
        for place, reply in enumerate(replies):
            key = SeriesKey(name, "events", place)
            if reply is None:
                self._append(key, index, None, "no reply of this judge in the transcript", None)
            else:
                self._append(key, index, reply.vote, reply.reason, reply.text, reply)

    def _original(self, index: int, name: str, verdict: Verdict) -> Any:  # noqa: ANN401
        """Give the value the scorer gave; keep what people made of it as labels."""
        if not verdict.history or self.humans(name):
            return verdict.value
        first, *edits = verdict.history
        if first.provenance is not None:  # no trace of the original
            first, edits = type(first)(), list(verdict.history)
        original = verdict.value if first.value == UNCHANGED else first.value
        value = original
        author = None
        for edit in edits:
            who = edit.provenance.author if edit.provenance else ""
            if edit.value != UNCHANGED and not is_ours(who):
                value, author = edit.value, who or "editor"
        if author is not None:
            self.edits.extend(_differences(index, name, original, value, author))
        return original


def is_ours(name: str) -> bool:
    """Tell whether a score, tag or author is an annotation of panopt's own."""
    return name == "panopt" or name.startswith(("panopt_", "panopt/", "panopt "))


def _panel(details: Details | None) -> dict[str, Any]:
    return details.panel if details is not None and isinstance(details.panel, dict) else {}


def _reason(verdict: Verdict) -> str | None:
    reason = verdict.reason
    if reason is None and verdict.metadata is not None:
        reason = verdict.metadata.unscored_reason  # before Score had a field for it
    return _with_explanation(reason, verdict.explanation)


def _with_explanation(reason: Any, explanation: Any) -> str | None:  # noqa: ANN401
    parts = [part for part in (reason, explanation) if isinstance(part, str) and part]
    return ": ".join(parts)[:MOST_REASON] if parts else None


def _rationale(verdict: Verdict) -> str | None:
    if isinstance(verdict.explanation, str):
        return verdict.explanation
    return _grading(verdict.metadata)


def _grading(details: Details | None) -> str | None:
    """Give what the grader wrote, from the transcript model_graded_qa keeps."""
    if details is None or not isinstance(details.grading, list) or not details.grading:
        return None
    last = details.grading[-1]
    if isinstance(last, dict) and last.get("role") == "assistant":
        return text_of(last.get("content"))
    return None


def _failures(details: Details | None) -> dict[int, tuple[str | None, str | None]]:
    failures = _panel(details).get("failures")
    found: dict[int, tuple[str | None, str | None]] = {}
    for failure in failures if isinstance(failures, list) else ():
        if isinstance(failure, dict) and isinstance(failure.get("index"), int):
            said = failure.get("explanation")
            reason = _with_explanation(failure.get("reason"), said)
            found[failure["index"]] = (reason, said if isinstance(said, str) else None)
    return found


def _differences(
    index: int,
    name: str,
    old: Any,  # noqa: ANN401 - a JSON value
    new: Any,  # noqa: ANN401 - a JSON value
    author: str,
) -> Iterable[Label]:
    if isinstance(new, dict):
        before = old if isinstance(old, dict) else {}
        return [
            Label(index, name, part, value, author)
            for part, value in new.items()
            if part not in before or not _same(before[part], value)
        ]
    return [] if isinstance(new, list) else [Label(index, name, None, new, author)]


def _same(a: Any, b: Any) -> bool:  # noqa: ANN401 - JSON values
    return bool(a == b or (a != a and b != b))  # noqa: PLR0124 - NaN
