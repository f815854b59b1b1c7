"""A hash of what a judge was asked, with the question and the answer taken out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from panopt.shims.inspect.header import Scorer
from panopt.shims.inspect.schema import Sample, Verdict, text_of

__all__ = ["prompt_hash"]


def prompt_hash(name: str, scorer: Scorer, probes: Sequence[Sample]) -> str | None:
    """Hash the template of a scorer's prompt.

    The template is what the prompts of several samples share once each sample's own question,
    answer and target are taken out. Where the log holds no prompts, or they share none, it is
    the template and instructions among the scorer's options; without those, None.

    Parameters
    ----------
    name, scorer
        Key of the scores, and their scorer.
    probes
        A few samples.
    """
    templates = [
        template
        for probe in probes
        if (template := _template(probe, (probe.scores or {}).get(name))) is not None
    ]
    if len(templates) > 1 and len(set(templates)) == 1:
        return _hash(templates[0])
    given = {
        key: scorer.options[key] for key in ("template", "instructions") if key in scorer.options
    }
    return _hash(json.dumps([scorer.base, given], sort_keys=True, default=str)) if given else None


def _template(sample: Sample, verdict: Verdict | None) -> str | None:
    grading = verdict.metadata.grading if verdict is not None and verdict.metadata else None
    if not isinstance(grading, list) or not grading or not isinstance(grading[0], dict):
        return None
    prompt = text_of(grading[0].get("content"))
    if prompt is None:
        return None
    own = {
        "answer": sample.output.text if sample.output else None,
        "question": _question(sample.input),
        "target": _joined(sample.target),
    }
    for field, text in sorted(own.items(), key=lambda pair: -len(pair[1] or "")):
        if text and text.strip():
            prompt = prompt.replace(text.strip(), f"{{{field}}}")
    return prompt


def _question(value: Any) -> str | None:  # noqa: ANN401 - a JSON value
    """Give the text of a sample's input: a string, or the last thing the user said."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        said = [part for part in value if isinstance(part, dict) and part.get("role") == "user"]
        return text_of(said[-1].get("content")) if said else None
    return None


def _joined(value: Any) -> str | None:  # noqa: ANN401 - a JSON value
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
