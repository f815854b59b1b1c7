"""The report: the study, what was concluded of it, and how; what is shown, stored and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from panopt.findings import Finding, Findings
from panopt.records.ask import Ask
from panopt.records.consensus import Consensus
from panopt.records.decisions import Decisions
from panopt.records.matrix import Matrix
from panopt.records.study import Study

__all__ = ["CriterionReport", "Problem", "Report"]

#: Version of the JSON form; raised when a field changes its meaning.
REPORT_SCHEMA = 1

#: A warning names the numbers it is about, up to this many.
MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """A plugin that could not answer; the others did."""

    plugin: str
    hook: str
    message: str
    criterion: str | None = None


@dataclass(frozen=True)
class CriterionReport:
    """What was concluded of one criterion."""

    criterion: str
    matrix: Matrix
    consensus: Consensus
    findings: Findings
    decisions: Decisions | None


@dataclass(frozen=True)
class Report:
    """The whole answer: reproducible from `study`, `ask` and `versions`."""

    study: Study
    ask: Ask
    criteria: tuple[CriterionReport, ...]
    versions: Mapping[str, str]
    """Version of panopt, numpy, scipy and of every plugin that took part."""
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def warnings(self) -> tuple[str, ...]:
        """Everything that may spoil a conclusion, each sentence once."""
        return self._warnings(headline=False)

    @property
    def headline_warnings(self) -> tuple[str, ...]:
        """The same without what is only about numbers that are no headlines."""
        return self._warnings(headline=True)

    def _warnings(self, *, headline: bool) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for source in self.study.sources:
            for text in source.warnings:
                found[f"{source.location}: {text}"] = None
        for part in self.criteria:
            for text in part.consensus.warnings:
                found[f"{part.criterion}: {text}"] = None
            told = _told(part.findings)
            for text, rows in told.items():
                if not headline or any(row.headline for row in rows):
                    found[f"{part.criterion}: {_about(rows)}: {text}"] = None
        for problem in self.problems:
            found[f"{problem.plugin} ({problem.hook}): {problem.message}"] = None
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form: plain types, no NaN, the same bytes for the same input."""
        return {
            "schema": REPORT_SCHEMA,
            "versions": dict(self.versions),
            "ask": self.ask.model_dump(mode="json"),
            "digest": self.study.digest,
            "judgments": len(self.study),
            "sources": [_source(source) for source in self.study.sources],
            "criteria": [_criterion(part) for part in self.criteria],
            "problems": [
                {"plugin": p.plugin, "hook": p.hook, "criterion": p.criterion, "message": p.message}
                for p in self.problems
            ],
            "warnings": list(self.warnings),
            "notes": list(self.notes),
        }


def _told(findings: Findings) -> dict[str, list[Finding]]:
    """List the numbers that each warning is about."""
    told: dict[str, list[Finding]] = {}
    for row in findings:
        for text in row.warnings:
            told.setdefault(text, []).append(row)
    return told


def _about(rows: list[Finding]) -> str:
    """Name the numbers a warning is about, or their kinds where they are many."""
    names = dict.fromkeys(f"{row.name} {row.subject}".rstrip() for row in rows)
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    kinds = list(dict.fromkeys(row.name for row in rows))
    more = len(kinds) - MOST_NAMES
    about = ", ".join(kinds[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
    return f"{about} of {len({row.subject for row in rows})}"


def _source(source: Any) -> dict[str, Any]:  # noqa: ANN401 - a slotted dataclass has no __dict__
    counts = source.counts
    return {
        "location": source.location,
        "format": source.format,
        "sha256": source.sha256,
        "runs": list(source.runs),
        "counts": {name: getattr(counts, name) for name in counts.__dataclass_fields__},
        "notes": list(source.notes),
        "warnings": list(source.warnings),
    }


def _criterion(part: CriterionReport) -> dict[str, Any]:
    matrix, consensus, decisions = part.matrix, part.consensus, part.decisions
    return {
        "criterion": part.criterion,
        "scale": str(matrix.scale),
        "responses": matrix.n_responses,
        "labelled": matrix.n_labelled,
        "judges": list(matrix.judges),
        "judge_scales": [str(scale) for scale in matrix.judge_scales],
        "humans": list(matrix.humans),
        "systems": list(matrix.names["system"]),
        "aggregate": {
            "method": consensus.method,
            "why": consensus.why,
            "anchor": consensus.anchor,
            "assumptions": list(consensus.assumptions),
        },
        "findings": [_finding(row) for row in part.findings],
        "notes": list(part.findings.notes),
        "decisions": None
        if decisions is None
        else {
            "method": decisions.method,
            "counts": decisions.counts(),
            "guarantee": decisions.guarantee,
            "no_guarantee": decisions.no_guarantee,
        },
    }


def _finding(row: Finding) -> dict[str, Any]:
    return row.model_dump(mode="json", exclude_defaults=False)
