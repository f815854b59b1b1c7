"""What is written into a log's header: numbers for the viewer's table, a summary, the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from panopt.records.decisions import DECISIONS
from panopt.records.report import Report
from panopt.records.source import Source
from panopt.shims.inspect.annotation import SCHEMA, Annotation
from panopt.stats.mean import MeanInterval, mean_interval

__all__ = ["AUTHOR", "eval_score", "log_update", "results_metadata"]

#: Author of panopt's edits; a version follows it.
AUTHOR = "panopt"
TAG = "panopt"


def eval_score(annotation: Annotation, *, left_out: str | None) -> dict[str, Any]:
    """Give the run-level entry of one criterion, which the viewer's table shows.

    Metrics with one ``group`` stand together there. Numbers of systems are of this log's
    responses; numbers of judges and of the panel are of the whole study.
    """
    part, responses = annotation.part, annotation.responses
    values = [annotation.value(int(response)) for response in responses]
    scored = sum(value is not None for value in values)
    metrics: dict[str, dict[str, Any]] = {}

    def put(name: str, value: float | None, group: str) -> None:
        if value is not None:
            number = value if isinstance(value, int) else round(float(value), 6)
            metrics[name] = {"name": name, "group": group, "value": number, "params": {}}

    for name, interval in system_numbers(annotation).items():
        put(name, interval.value, name)
        put(f"{name}_low", interval.low, name)
        put(f"{name}_high", interval.high, name)
    if part.decisions is not None:
        tally = np.bincount(part.decisions.decision[responses], minlength=len(DECISIONS))
        for decision, count in zip(DECISIONS, tally.tolist(), strict=True):
            put(decision, count, "decisions")
    for row in part.findings:
        if row.subject_kind == "panel" and row.headline:
            put(row.name, row.value, row.name)
            put(f"{row.name}_low", row.low, row.name)
            put(f"{row.name}_high", row.high, row.name)
    judges = [row for row in part.findings if row.subject_kind == "judge" and row.headline]
    for row in sorted(judges, key=lambda row: row.name):  # a group must stand together
        put(f"{row.name} {row.subject}", row.value, row.name)
    details: dict[str, Any] = {
        "schema": SCHEMA,
        "criterion": part.criterion,
        **_summary(annotation),
    }
    if left_out is not None:
        details["per_sample"] = left_out
    return {
        "name": annotation.name,
        "scorer": annotation.name,
        "scored_samples": scored,
        "unscored_samples": len(values) - scored,
        "params": {},
        "metrics": metrics,
        "metadata": {"panopt": details},
    }


def system_numbers(annotation: Annotation) -> dict[str, MeanInterval]:
    """Give mean and pass rate of this log's responses, each with its interval."""
    part, consensus = annotation.part, annotation.part.consensus
    if part.matrix.scale.kind == "nominal":
        return {}
    responses = annotation.responses
    alpha = 1.0 - annotation.ask.level
    shared = consensus.shared_sd
    estimated = responses[~np.isnan(consensus.estimate[responses])]
    decided = responses[consensus.verdict[responses] >= 0]
    return {
        "mean": mean_interval(
            consensus.estimate[estimated],
            clusters=part.matrix.clusters[estimated],
            alpha=alpha,
            shared_sd=float(shared[estimated].mean())
            if shared is not None and estimated.size
            else 0.0,
        ),
        "pass_rate": mean_interval(
            consensus.verdict[decided], clusters=part.matrix.clusters[decided], alpha=alpha
        ),
    }


def results_metadata(report: Report, source: Source, found: Sequence[Annotation]) -> dict[str, Any]:
    """Give the whole report as far as it concerns this log, without the place of any file."""
    whole = report.to_dict()
    kept = {annotation.part.criterion for annotation in found}
    warnings = [
        *source.warnings,
        *(f"{a.part.criterion}: {text}" for a in found for text in a.part.consensus.warnings),
    ]
    return {
        "schema": whole["schema"],
        "versions": whole["versions"],
        "ask": whole["ask"],
        "digest": whole["digest"],
        "judgments": whole["judgments"],
        "counts": {
            name: getattr(source.counts, name) for name in source.counts.__dataclass_fields__
        },
        "criteria": [part for part in whole["criteria"] if part["criterion"] in kept],
        "problems": whole["problems"],
        "warnings": warnings,
        "score_names": {annotation.name: annotation.part.criterion for annotation in found},
    }


def log_update(
    report: Report, found: Sequence[Annotation], *, when: str, left_out: str | None
) -> dict[str, Any]:
    """Give the edit of the log's tags and metadata, with who made it, when, why and how.

    Parameters
    ----------
    report, found
        What was concluded.
    when
        Time of the edit: the log's own, so that the same analysis writes the same bytes.
    left_out
        Why samples were not annotated; None where they were.
    """
    summary: dict[str, Any] = {a.part.criterion: _summary(a) for a in found}
    if left_out is not None:
        summary["per_sample"] = left_out
    ask = report.ask
    return {
        "edits": [
            {"type": "tags", "tags_add": [TAG], "tags_remove": []},
            {"type": "metadata", "metadata_set": {"panopt": summary}, "metadata_remove": []},
        ],
        "provenance": {
            "timestamp": when,
            "author": f"{AUTHOR} {report.versions.get('panopt', '')}".strip(),
            "reason": "uncertainty of the judges' scores",
            "metadata": {
                "seed": ask.seed,
                "alpha": ask.alpha,
                "delta": ask.delta,
                "level": ask.level,
                "digest": report.study.digest,
            },
        },
    }


def _summary(annotation: Annotation) -> dict[str, Any]:
    """Give the headline numbers of one criterion, in words a reader of the log understands."""
    part, responses = annotation.part, annotation.responses
    found: dict[str, Any] = {
        "judges": list(part.matrix.judges),
        "method": f"{part.consensus.method} ({part.consensus.why})",
    }
    for name, number in system_numbers(annotation).items():
        if number.value is not None:
            interval = f" ({number.reason})"
            if number.low is not None and number.high is not None:
                level = 100 * annotation.ask.level
                interval = f" [{number.low:.3f}, {number.high:.3f} at {level:g}%]"
            found[name] = f"{number.value:.3f}{interval}"
    if part.decisions is not None:
        tally = np.bincount(part.decisions.decision[responses], minlength=len(DECISIONS))
        found["decisions"] = dict(zip(DECISIONS, tally.tolist(), strict=True))
        found["guarantee"] = part.decisions.guarantee or f"none: {part.decisions.no_guarantee}"
    return found
