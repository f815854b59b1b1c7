"""What is written back: a few named scores and flat metadata a row, metrics a prompt, one report.

Named scores of a row are shown by promptfoo as percentages and averaged over rows, so they are
values in [0, 1]. Flat metadata can be filtered in its web UI. Every name starts with ``panopt``;
with several criteria the criterion follows, for the four most judged ones at most.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from panopt.records.consensus import OUTCOMES
from panopt.records.decisions import DECISIONS
from panopt.records.report import CriterionReport, Report
from panopt.records.source import Source
from panopt.shims.promptfoo.metrics import is_ours

__all__ = ["Annotations", "Column", "gather", "is_ours", "run_report"]

MARK = "panopt"
MOST_CRITERIA = 4
LONGEST_REASON = 320
LONGEST_SLUG = 40
DIGITS = 6
DECIDED = OUTCOMES.index("decided")
TRUST = DECISIONS.index("trust")
Floats = NDArray[np.float64]


class Column(NamedTuple):
    """One criterion, and where its responses stand among the rows of the file."""

    part: CriterionReport
    name: str
    """Of its value among named scores: ``panopt``, or ``panopt.CRITERION``."""
    prefix: str
    """Of its metadata: ``panopt``, or ``panopt_CRITERION``."""
    response: dict[int, int]
    """By row of the file: the response of the criterion."""
    low: Floats
    high: Floats
    longest: int

    @property
    def nominal(self) -> bool:
        """True where the verdict is a label and no number."""
        return self.part.matrix.scale.kind == "nominal"


class Annotations(NamedTuple):
    """Everything to be written into one file."""

    columns: tuple[Column, ...]

    def scores(self, row: int) -> dict[str, float]:
        """Give the named scores of a row."""
        found: dict[str, float] = {}
        for column in self.columns:
            response = column.response.get(row)
            if response is None:
                continue
            value = float(column.part.consensus.value[response])
            if math.isfinite(value) and not column.nominal:
                found[column.name] = _number(value)
            decisions = column.part.decisions
            if decisions is not None and len(self.columns) <= MOST_CRITERIA // 2:
                trusted = int(decisions.decision[response]) == TRUST
                found[_beside(column.name, "trust")] = int(trusted)
        return found

    def metadata(self, row: int) -> dict[str, str | float]:
        """Give the flat metadata of a row."""
        found: dict[str, str | float] = {}
        for column in self.columns:
            response = column.response.get(row)
            if response is None:
                continue
            consensus, decisions = column.part.consensus, column.part.decisions
            if decisions is not None:
                found[f"{column.prefix}_decision"] = decisions.name(response)
            verdict = int(consensus.verdict[response])
            if column.nominal and verdict >= 0:
                found[f"{column.prefix}_label"] = column.part.matrix.labels[verdict]
            for name, values in (
                ("value", consensus.value),
                ("low", column.low),
                ("high", column.high),
            ):
                if math.isfinite(values[response]) and not column.nominal:
                    found[f"{column.prefix}_{name}"] = _number(float(values[response]))
            if int(consensus.outcome[response]) != DECIDED:
                found[f"{column.prefix}_outcome"] = OUTCOMES[int(consensus.outcome[response])]
            if decisions is not None:
                found[f"{column.prefix}_why"] = _cut(decisions.why(response), column.longest)
        return found

    def metrics(self, rows: list[int]) -> tuple[dict[str, float], dict[str, int]]:
        """Give sums and counts of the named scores of some rows, one prompt's.

        The ends of the system's interval stand among the sums without a count, which promptfoo
        shows as they are.
        """
        parts: dict[str, list[float]] = {}
        for row in rows:
            for name, value in self.scores(row).items():
                parts.setdefault(name, []).append(value)
        sums = {name: _number(math.fsum(values)) for name, values in sorted(parts.items())}
        for column in self.columns:
            if len(self.columns) > 1:
                break
            found = [column.response[row] for row in rows if row in column.response]
            for end, value in _system_interval(column, found).items():
                sums[_beside(column.name, end)] = value
        return sums, {name: len(values) for name, values in sorted(parts.items())}


def gather(report: Report, source: Source) -> Annotations:
    """Gather what is written into the rows of `source`."""
    placed = [(part, _rows_of(report, part, source)) for part in report.criteria]
    parts = [(part, rows) for part, rows in placed if rows]
    parts.sort(key=lambda pair: (-pair[0].matrix.n_judges, pair[0].criterion))
    shown = parts[:MOST_CRITERIA]
    columns = []
    several = len(report.criteria) > 1
    slugs = _slugs([part.criterion for part in report.criteria])
    for part, rows in sorted(shown, key=lambda pair: pair[0].criterion):
        low, high = _interval(part, report.ask.level)
        columns.append(
            Column(
                part,
                f"{MARK}.{part.criterion}" if several else MARK,
                f"{MARK}_{slugs[part.criterion]}" if several else MARK,
                rows,
                low,
                high,
                LONGEST_REASON // len(shown),
            )
        )
    return Annotations(tuple(columns))


def run_report(report: Report, source: Source, origin: Mapping[str, Any]) -> dict[str, Any]:
    """Give the run's report for ``config.metadata``: what was concluded, of what, and how.

    Parameters
    ----------
    report
        The whole answer; the criteria found in this file are kept.
    source
        The file it is written into.
    origin
        Name and digest of the file that was first annotated: a copy of a copy keeps them, so
        that it is the same copy.
    """
    whole = report.to_dict()
    runs = set(source.runs)
    mine = {part.criterion for part in report.criteria if runs & set(part.matrix.names["run"])}
    return {
        "schema": whole["schema"],
        "versions": whole["versions"],
        "ask": whole["ask"],
        "source": dict(origin),
        "judgments": whole["judgments"],
        # promptfoo takes 64 hex digits alone for a secret and hides them
        "digest": f"sha256:{whole['digest']}",
        "criteria": [part for part in whole["criteria"] if part["criterion"] in mine],
        "problems": whole["problems"],
        "notes": list(source.notes),
        "warnings": list(source.warnings),
    }


def _rows_of(report: Report, part: CriterionReport, source: Source) -> dict[int, int]:
    """Find the row of the file each response of a criterion stands in."""
    study = report.study.where("criterion", part.criterion)
    places, place_names = study.codes("source")
    samples, sample_names = study.codes("sample_id")
    if source.location not in place_names:
        return {}
    votes = part.matrix.votes
    here = places[votes.row] == place_names.index(source.location)
    response, first = np.unique(votes.response[here], return_index=True)
    sample = samples[votes.row[here][first]]
    return {
        int(sample_names[code]): int(number)
        for code, number in zip(sample.tolist(), response.tolist(), strict=True)
    }


def _interval(part: CriterionReport, level: float) -> tuple[Floats, Floats]:
    """Give the conformal interval of each response, else the one its sd says, in [0, 1]."""
    columns = part.findings.columns
    low, high = columns.get("conformal_low"), columns.get("conformal_high")
    if low is not None and high is not None and np.isfinite(low).any():
        return low, high
    reach = NormalDist().inv_cdf((1 + level) / 2) * part.consensus.sd
    value = part.consensus.value
    return np.clip(value - reach, 0.0, 1.0), np.clip(value + reach, 0.0, 1.0)


def _system_interval(column: Column, responses: list[int]) -> dict[str, float]:
    """Give the ends of the interval of the one system these responses are of."""
    matrix = column.part.matrix
    systems = {int(matrix.systems[response]) for response in responses}
    if len(systems) != 1:
        return {}
    system = systems.pop()
    if int(np.count_nonzero(matrix.systems == system)) != len(responses):
        return {}  # it also answered elsewhere: the finding is not of this run alone
    name = matrix.names["system"][system]
    for finding in column.part.findings.named("mean", subject=name):
        if finding.low is not None and finding.high is not None:
            return {"low": _number(finding.low), "high": _number(finding.high)}
    return {}


def _beside(name: str, what: str) -> str:
    return f"{MARK}.{what}" if name == MARK else f"{name}.{what}"


def _slugs(criteria: list[str]) -> dict[str, str]:
    """Give each criterion a short name of letters, digits and underscores."""
    slugs: dict[str, str] = {}
    for criterion in criteria:
        slug = re.sub(r"\W+", "_", criterion).strip("_")[:LONGEST_SLUG] or "criterion"
        rank = sum(other == slug or other.startswith(f"{slug}_n") for other in slugs.values())
        slugs[criterion] = f"{slug}_n{rank + 1}" if rank else slug
    return slugs


def _cut(text: str, longest: int) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def _number(value: float) -> float:
    """Round, and write whole numbers as JavaScript does."""
    rounded = round(value, DIGITS)
    return int(rounded) if rounded == int(rounded) else rounded
