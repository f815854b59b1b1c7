"""The few fields of an Inspect log that panopt reads, as partial msgspec structs.

A field that is not named here is skipped by the decoder, never built. Both tiers of the reader
give these same objects. Field names are those of ``inspect_ai.log``.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

__all__ = [
    "UNCHANGED",
    "Choice",
    "Details",
    "Edit",
    "Error",
    "Event",
    "EventfulSample",
    "Facts",
    "Message",
    "Output",
    "Provenance",
    "Sample",
    "Skipped",
    "Usage",
    "Verdict",
    "decode",
    "sample_kinds",
    "text_of",
]

#: What Inspect writes in an edit for a field it leaves as it was.
UNCHANGED = "UNCHANGED"


class Usage(msgspec.Struct):
    """Tokens one model used in one sample or call."""

    input_tokens: int | None = None
    output_tokens: int | None = None


class Message(msgspec.Struct):
    """One chat message."""

    content: Any = None


class Choice(msgspec.Struct):
    """One of a model's answers."""

    message: Message | None = None


class Output(msgspec.Struct):
    """What a model answered."""

    choices: list[Choice] | None = None
    usage: Usage | None = None

    @property
    def text(self) -> str | None:
        """Text of the first answer; None where there is none."""
        if not self.choices or self.choices[0].message is None:
            return None
        return text_of(self.choices[0].message.content)


class Details(msgspec.Struct):
    """The part of a score's metadata that tells of judges."""

    panel: Any = None
    grading: Any = None
    jury: Any = None
    votes: Any = None
    errors: Any = None
    rationales: Any = None
    probabilities: Any = None
    notes: Any = None
    unscored_reason: Any = None


class Provenance(msgspec.Struct):
    """Who made an edit."""

    author: str = ""


class Edit(msgspec.Struct):
    """One entry of a score's history; the first is the score as the scorer gave it."""

    value: Any = UNCHANGED
    provenance: Provenance | None = None


class Verdict(msgspec.Struct):
    """One score of one sample."""

    value: Any = None
    explanation: Any = None
    reason: Any = None
    metadata: Details | None = None
    history: list[Edit] | None = None


class Facts(msgspec.Struct):
    """The part of a sample's metadata that tells which items belong together."""

    task_family: Any = None
    family: Any = None
    cluster: Any = None


class Skipped(msgspec.Struct):
    """An object of which only the presence counts."""


class Error(msgspec.Struct):
    """What halted a sample."""

    message: str = ""


class Sample(msgspec.Struct):
    """One response and its scores; the transcript is passed over."""

    id: int | str
    epoch: int = 1
    input: Any = None
    target: Any = None
    output: Output | None = None
    scores: dict[str, Verdict] | None = None
    score: Verdict | None = None  # logs of 2024 had one score without a name
    metadata: Facts | None = None
    model_usage: dict[str, Usage] | None = None
    error: Error | None = None
    error_retries: list[Skipped] | None = None
    invalidation: Skipped | None = None


class Event(msgspec.Struct):
    """One event of a transcript; which fields it has depends on its kind."""

    event: str = ""
    id: Any = None
    span_id: Any = None
    parent_id: Any = None
    type: Any = None
    name: Any = None
    action: Any = None
    model: Any = None
    output: Any = None
    error: Any = None
    pending: Any = None
    working_time: Any = None


class EventfulSample(Sample):
    """One response, its scores and its transcript."""

    events: list[Event] = []


@cache
def sample_kinds(cluster: str) -> tuple[type[Sample], type[EventfulSample]]:
    """Give the two kinds of samples, with their cluster in another field of the metadata."""
    if not cluster:
        return Sample, EventfulSample
    others = [name for name in ("task_family", "family") if name != cluster]
    facts = msgspec.defstruct(
        "NamedFacts",
        [("cluster", Any, None), *((name, Any, None) for name in others)],
        rename={"cluster": cluster},
        namespace={name: None for name in ("task_family", "family") if name not in others},
    )
    metadata = [("metadata", facts | None, None)]
    brief = msgspec.defstruct("NamedSample", metadata, bases=(Sample,))
    whole = msgspec.defstruct("NamedEventfulSample", metadata, bases=(EventfulSample,))
    return cast("type[Sample]", brief), cast("type[EventfulSample]", whole)


Decoded = TypeVar("Decoded")
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def decode(data: bytes, kind: type[Decoded]) -> Decoded:
    """Decode JSON into `kind`; bare NaN and Infinity, which Inspect writes, are floats.

    Raises
    ------
    msgspec.DecodeError
        For text that is no JSON, or not of that kind (``ValidationError``).
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        decoded: Decoded = decoder.decode(data)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        try:
            loose = json.loads(data)
        except ValueError:
            raise error from None
        return msgspec.convert(loose, kind)
    return decoded


def text_of(content: Any) -> str | None:  # noqa: ANN401 - a JSON value
    """Give the text of a message's content: a string, or a list of parts; None if neither."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n".join(part for part in parts if isinstance(part, str))
    return None
