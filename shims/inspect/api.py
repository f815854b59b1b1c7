"""The API tier: logs read with ``inspect_ai.log``; any version, remote files, logs in progress."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from panopt.errors import SourceError
from panopt.shims.inspect.header import Header
from panopt.shims.inspect.logs import N_PROBES, collector_paused
from panopt.shims.inspect.schema import (
    Choice,
    Details,
    Edit,
    Error,
    Event,
    EventfulSample,
    Facts,
    Message,
    Output,
    Provenance,
    Sample,
    Skipped,
    Usage,
    Verdict,
)

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample
    from inspect_ai.model import ModelOutput
    from inspect_ai.scorer import Score

__all__ = ["ApiLog", "is_installed", "read_samples"]

#: Fields of a sample that are never looked at.
UNREAD = {"messages", "store", "attachments"}
TRANSCRIPT = {"events", "events_data"}


def is_installed() -> bool:
    """Tell whether Inspect can be imported; does not import it."""
    return find_spec("inspect_ai") is not None


class ApiLog:
    """A log that ``read_eval_log`` reads, from wherever that reads.

    Raises
    ------
    SourceError
        When Inspect cannot read it.
    """

    def __init__(self, location: str, cluster: str = "") -> None:
        self._location = location
        self._cluster = cluster
        self._log = self._read(eventful=False)
        self.header = Header(_header(self._log))

    @property
    def n_samples(self) -> int:
        """Number of samples in the log."""
        return len(self._log.samples or ())

    def probes(self) -> Sequence[EventfulSample]:
        """Give the first samples that have scores, with their transcripts."""
        scored = [sample for sample in self._log.samples or () if sample.scores][:N_PROBES]
        if self._location.lower().endswith(".eval"):
            keys = [(one.id, one.epoch) for one in scored]
            return read_samples(self._location, keys, self._cluster)
        return [_sample(one, self._cluster) for one in scored]

    def samples(self, *, eventful: bool) -> Iterator[Sample]:
        """Go through the samples."""
        if eventful and self._location.lower().endswith(".eval"):
            self._log = self._read(eventful=True)
        for sample in self._log.samples or ():
            yield _sample(sample, self._cluster)

    def facts(self) -> tuple[str, ...]:
        """Name the fields of the first sample's metadata."""
        first = next(iter(self._log.samples or ()), None)
        return () if first is None else tuple(first.metadata or ())

    def close(self) -> None:
        """Let go of the samples."""
        self._log.samples = None

    def _read(self, *, eventful: bool) -> EvalLog:
        from inspect_ai.log import read_eval_log  # noqa: PLC0415 - a second to import

        try:
            with collector_paused():
                return read_eval_log(
                    self._location, exclude_fields=UNREAD if eventful else UNREAD | TRANSCRIPT
                )
        except Exception as error:  # whatever pydantic, zipfile and the file systems raise
            first = " ".join(str(error).split())[:200] or type(error).__name__
            raise SourceError(
                f"Inspect cannot read this log ({first})", source=self._location
            ) from error


def read_samples(
    location: str, keys: Sequence[tuple[int | str, int]], cluster: str = ""
) -> list[EventfulSample]:
    """Read single samples by id and epoch with their transcripts."""
    from inspect_ai.log import read_eval_log_sample  # noqa: PLC0415 - a second to import

    with collector_paused():
        return [
            _sample(read_eval_log_sample(location, own, epoch, exclude_fields=UNREAD), cluster)
            for own, epoch in keys
        ]


def _header(log: EvalLog) -> dict[str, Any]:
    text = log.model_dump_json(
        exclude={"samples", "reductions"}, exclude_none=True, fallback=lambda _: None
    )
    data: dict[str, Any] = json.loads(text)
    spec = data["eval"]
    if spec.get("eval_id") == _made_up_id(spec):
        del spec["eval_id"]
    return data


def _made_up_id(spec: dict[str, Any]) -> str:
    """Compute the id Inspect gives a log of 2024 that has none, as inspect_ai._util.hash does."""
    text = f"{spec.get('run_id', '')}{spec.get('task_id', '')}{spec.get('created', '')}"
    number = int.from_bytes(hashlib.blake2s(text.encode(), digest_size=16).digest(), "big")
    alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    digits = ""
    while number:
        number, digit = divmod(number, len(alphabet))
        digits = alphabet[digit] + digits
    return digits[-22:].rjust(22, alphabet[0])


def _sample(sample: EvalSample, cluster: str = "") -> EventfulSample:
    """Bring one of Inspect's samples to the fields of the fast tier."""
    facts = sample.metadata or {}
    return EventfulSample(
        id=sample.id,
        epoch=sample.epoch,
        input=_plain_input(sample.input),
        target=sample.target,
        output=_output(sample.output),
        scores={name: _verdict(score) for name, score in (sample.scores or {}).items()},
        metadata=Facts(
            task_family=None if cluster == "task_family" else facts.get("task_family"),
            family=None if cluster == "family" else facts.get("family"),
            cluster=facts.get(cluster or "cluster"),
        ),
        model_usage={
            model: Usage(used.input_tokens, used.output_tokens)
            for model, used in (sample.model_usage or {}).items()
        },
        error=Error(sample.error.message) if sample.error else None,
        error_retries=[Skipped()] * len(sample.error_retries or ()),
        invalidation=Skipped() if sample.invalidation else None,
        events=[_event(event) for event in sample.events or ()],
    )


def _plain_input(value: Any) -> Any:  # noqa: ANN401 - a string or Inspect's messages
    if isinstance(value, str):
        return value
    return [{"role": message.role, "content": message.text} for message in value]


def _output(output: ModelOutput | None) -> Output | None:
    if output is None or not output.choices:
        return None
    usage = output.usage
    return Output(
        choices=[Choice(Message(output.choices[0].message.text))],
        usage=Usage(usage.input_tokens, usage.output_tokens) if usage else None,
    )


def _verdict(score: Score) -> Verdict:
    details = score.metadata
    return Verdict(
        value=score.value,
        explanation=score.explanation,
        reason=score.reason,
        metadata=Details(
            panel=details.get("panel"),
            grading=details.get("grading"),
            jury=details.get("jury"),
            votes=details.get("votes"),
            errors=details.get("errors"),
            rationales=details.get("rationales"),
            probabilities=details.get("probabilities"),
            notes=details.get("notes"),
            unscored_reason=details.get("unscored_reason"),
        )
        if details is not None
        else None,
        history=[
            Edit(edit.value, Provenance(edit.provenance.author) if edit.provenance else None)
            for edit in score.history or ()
        ],
    )


def _event(event: Any) -> Event:  # noqa: ANN401 - one of thirty kinds
    def get(field: str) -> Any:  # noqa: ANN401 - whatever the kind has there
        return getattr(event, field, None)

    output = _output(get("output")) if event.event == "model" else None
    return Event(
        event=event.event,
        id=get("id"),
        span_id=get("span_id"),
        parent_id=get("parent_id"),
        type=get("type"),
        name=get("name"),
        action=get("action"),
        model=get("model"),
        output=None
        if output is None
        else {
            "choices": [{"message": {"content": output.text}}],
            "usage": output.usage
            and {
                "input_tokens": output.usage.input_tokens,
                "output_tokens": output.usage.output_tokens,
            },
        },
        error=get("error") if event.event == "model" else None,
        pending=get("pending"),
        working_time=get("working_time"),
    )
