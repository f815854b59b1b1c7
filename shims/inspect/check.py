"""The fast tier's self-check: a few samples are read with Inspect too, and must be the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from panopt.shims.inspect.juries import jury_parts
from panopt.shims.inspect.logs import order_key
from panopt.shims.inspect.schema import EventfulSample, Sample
from panopt.shims.inspect.transcript import calls_by_scorer

__all__ = ["N_CHECKED", "UncheckedError", "chosen", "differs"]


class UncheckedError(Exception):
    """Inspect cannot read the samples, so that there is nothing to compare with."""


N_CHECKED = 3


def chosen(n_samples: int) -> frozenset[int]:
    """Draw the positions of the samples to check, always the same for one length."""
    rng = np.random.default_rng(0)
    return frozenset(rng.permutation(n_samples)[:N_CHECKED].tolist())


def differs(location: str, samples: Sequence[Sample], cluster: str = "") -> str | None:
    """Read the same samples with Inspect; tell the first difference, None where there is none.

    Parameters
    ----------
    location
        A ``.eval`` file.
    samples
        As the fast tier read them.
    cluster
        Field of the metadata that names clusters.

    Raises
    ------
    UncheckedError
        When Inspect cannot read them, as an older one may not.
    """
    from panopt.shims.inspect.api import read_samples  # noqa: PLC0415 - imports Inspect later

    keys = [(sample.id, sample.epoch) for sample in samples]
    try:
        others = read_samples(location, keys, cluster)
    except Exception as error:  # whatever pydantic, zipfile and Inspect raise
        raise UncheckedError(" ".join(str(error).split())[:200]) from error
    for mine, other in zip(
        sorted(samples, key=order_key), sorted(others, key=order_key), strict=True
    ):
        eventful = isinstance(mine, EventfulSample)
        own, theirs = _plain(mine, eventful=eventful), _plain(other, eventful=eventful)
        for field, value in own.items():
            if msgspec.json.encode(value) != msgspec.json.encode(theirs[field]):
                return f"sample {mine.id!r} epoch {mine.epoch} differs in {field}"
    return None


def _plain(sample: Sample, *, eventful: bool) -> dict[str, Any]:
    """Give all of a sample that becomes part of a study."""
    facts = sample.metadata
    scores = {
        name: {
            "value": _number_or_text(verdict.value),
            "explanation": verdict.explanation,
            "reason": verdict.reason
            or (verdict.metadata.unscored_reason if verdict.metadata else None),
            "panel": verdict.metadata.panel if verdict.metadata else None,
            "grading": verdict.metadata.grading if verdict.metadata else None,
            "jury": [_number_or_text(part) for part in jury_parts(verdict.metadata)],
            "history": [
                [_number_or_text(edit.value), edit.provenance and edit.provenance.author]
                for edit in verdict.history or ()
            ],
        }
        for name, verdict in sorted((sample.scores or {}).items())
    }
    calls = (
        calls_by_scorer(sample.events) if isinstance(sample, EventfulSample) and eventful else {}
    )
    return {
        "id": sample.id,
        "epoch": sample.epoch,
        "target": sample.target,
        "output": sample.output.text or None if sample.output else None,
        "scores": scores,
        "facts": [facts and (facts.task_family or facts.family), facts and facts.cluster],
        "usage": sorted(
            [model, used.input_tokens, used.output_tokens]
            for model, used in (sample.model_usage or {}).items()
        ),
        "error": sample.error is not None,
        "retries": len(sample.error_retries or ()),
        "invalidation": sample.invalidation is not None,
        "calls": {name: [str(call.model) for call in own] for name, own in sorted(calls.items())},
    }


def _number_or_text(value: Any) -> Any:  # noqa: ANN401 - a JSON value
    """Write NaN, which JSON has not, as text."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return {key: _number_or_text(part) for key, part in sorted(value.items())}
    if isinstance(value, list):
        return [_number_or_text(part) for part in value]
    return value
