"""Model calls in a transcript, by the scorer that made them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from panopt.shims.inspect.schema import Event

__all__ = ["calls_by_scorer"]


def calls_by_scorer(events: Sequence[Event]) -> dict[str, list[Event]]:
    """List the finished model calls of each scorer, in the order they were made.

    Parameters
    ----------
    events
        A sample's transcript: with spans (Inspect since 0.3.90), or with steps before that.

    Returns
    -------
    dict
        By score name; scorers run by the solver on the way are left out.
    """
    spans = {event.id: event for event in events if event.event == "span_begin"}
    names = _names(spans)
    found: dict[str, list[Event]] = {}
    step: str | None = None
    used: list[str] = []
    for event in events:
        if event.event == "step" and event.type == "scorer":
            step = _unique(str(event.name), used) if event.action == "begin" else None
        if event.event != "model" or event.pending:
            continue
        name = _scorer_of(event, spans, names) if event.span_id is not None else step
        if name is not None:
            found.setdefault(name, []).append(event)
    return {name: _answered(calls) for name, calls in found.items()}


def _names(spans: dict[object, Event]) -> dict[object, str]:
    """Name the spans of scorers as their scores are named."""
    scorers = [span for span in spans.values() if span.type == "scorer"]
    final = [
        span
        for span in scorers
        if (parent := spans.get(span.parent_id)) is not None and parent.type == "scorers"
    ]
    used: list[str] = []
    return {span.id: _unique(str(span.name), used) for span in final or scorers}


def _unique(base: str, used: list[str]) -> str:
    name, count = base, 1
    while name in used:
        name, count = f"{base}{count}", count + 1
    used.append(name)
    return name


def _scorer_of(event: Event, spans: dict[object, Event], names: dict[object, str]) -> str | None:
    """Walk up the spans to that of a scorer."""
    at, seen = event.span_id, 0
    while at is not None and seen <= len(spans):
        if at in names:
            return names[at]
        span = spans.get(at)
        at, seen = (span.parent_id if span is not None else None), seen + 1
    return None


def _answered(calls: Iterable[Event]) -> list[Event]:
    """Drop attempts that failed and were made again: those with an error and no answer."""
    listed = list(calls)
    good = [call for call in listed if not call.error]
    answered = {call.model for call in good}
    return [call for call in listed if not call.error or call.model not in answered]
