"""What is written into one log: a score for each judged sample, in numbers and in words."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from panopt.records.ask import Ask
from panopt.records.consensus import OUTCOMES
from panopt.records.report import CriterionReport, Report
from panopt.records.source import Source
from panopt.shims.inspect.rawjson import dump
from panopt.shims.inspect.words import Words

__all__ = ["SCHEMA", "Annotation", "annotations_of", "by_sample"]

#: Version of what stands under ``metadata["panopt"]`` of a score.
SCHEMA = 1

#: Bytes of a score's ``metadata["panopt"]``; the samples table drops what is above 1024.
MOST_DETAILS = 1000
MOST_NAME = 120  # characters of a criterion's name there

Numbers = list[float | None]


@dataclass(frozen=True)
class Annotation:
    """One criterion as far as one log is concerned.

    Attributes
    ----------
    name
        Key of its scores in the log.
    part
        What was concluded.
    ask
        How.
    responses
        Responses of this log, as indices.
    """

    name: str
    part: CriterionReport
    ask: Ask
    responses: NDArray[np.int64]

    @cached_property
    def by_sample(self) -> dict[tuple[str, int], int]:
        """Response of each sample, by id and epoch."""
        matrix = self.part.matrix
        items, epochs = matrix.names["item"], matrix.response_ids["epoch"]
        codes = matrix.items[self.responses].tolist()
        keys = zip(codes, epochs[self.responses].tolist(), strict=True)
        return {
            (items[code], epoch): response
            for (code, epoch), response in zip(keys, self.responses.tolist(), strict=True)
        }

    def score(self, response: int) -> dict[str, Any]:
        """Give the score of one response, as Inspect writes scores."""
        part = self.part
        outcome = OUTCOMES[int(part.consensus.outcome[response])]
        value = self.value(response)
        decision = part.decisions.name(response) if part.decisions is not None else None
        numbers = {name: values[response] for name, values in self._numbers.items()}
        words = self._words.of(response, value=value, outcome=outcome, numbers=numbers)
        details: dict[str, Any] = {
            "schema": SCHEMA,
            "criterion": part.criterion[:MOST_NAME],
            "method": part.consensus.method,
            "outcome": outcome,
            "decision": decision,
            "n_votes": int(part.consensus.n_votes[response]),
            **numbers,
        }
        while len(dump(details)) > MOST_DETAILS and len(details) > 1:
            details.popitem()  # columns of other plugins stand last
        score: dict[str, Any] = {"value": math.nan if value is None else value}
        if decision is not None:
            score["answer"] = decision
        score["explanation"] = words
        if value is None:
            score["reason"] = f"panopt:{outcome}"
        return score | {"metadata": {"panopt": details}, "history": []}

    def value(self, response: int) -> float | str | None:
        """Give the panel's value on [0, 1], or its label; None where it is inconclusive."""
        matrix = self.part.matrix
        if matrix.scale.kind == "nominal":
            verdict = int(self.part.consensus.verdict[response])
            return matrix.labels[verdict] if verdict >= 0 else None
        return self._numbers["value"][response]

    @cached_property
    def _numbers(self) -> dict[str, Numbers]:
        """Numbers of all responses, rounded for a stable spelling; None where unknown."""
        consensus = self.part.consensus
        columns = {
            "value": consensus.value,
            "sd": consensus.sd,
            "confidence": consensus.confidence,
            "disagreement": consensus.disagreement,
            **self.part.findings.columns,
        }
        return {name: _rounded(values) for name, values in columns.items()}

    @cached_property
    def _words(self) -> Words:
        return Words(self.part, self.ask)


def annotations_of(report: Report, source: Source) -> list[Annotation]:
    """Collect what is to be written into one log: an annotation for each criterion judged there.

    With one criterion its scores stand under ``panopt``, with several under
    ``panopt_CRITERION``, in ASCII letters and digits.
    """
    found: list[tuple[CriterionReport, NDArray[np.int64]]] = []
    for part in report.criteria:
        runs = part.matrix.names["run"]
        mine = np.isin(
            part.matrix.response_ids["run"],
            [code for code, run in enumerate(runs) if run in source.runs],
        )
        if mine.any():
            found.append((part, np.flatnonzero(mine)))
    names = _names([part.criterion for part, _ in found])
    return [
        Annotation(name, part, report.ask, responses)
        for name, (part, responses) in zip(names, found, strict=True)
    ]


def by_sample(found: Sequence[Annotation], sample: tuple[str, int]) -> Mapping[str, dict[str, Any]]:
    """Give the scores of one sample, by name."""
    scores = {}
    for annotation in found:
        response = annotation.by_sample.get(sample)
        if response is not None:
            scores[annotation.name] = annotation.score(response)
    return scores


def _names(criteria: Sequence[str]) -> list[str]:
    if len(criteria) == 1:
        return ["panopt"]
    names: list[str] = []
    for criterion in criteria:
        slug = re.sub(r"[^a-z0-9]+", "_", criterion.lower()).strip("_") or "criterion"
        name, count = f"panopt_{slug}", 1
        while name in names:
            name, count = f"panopt_{slug}_{count}", count + 1
        names.append(name)
    return names


def _rounded(values: NDArray[np.float64]) -> Numbers:
    rounded: list[float] = np.round(np.asarray(values, dtype=np.float64), 6).tolist()
    return [number if math.isfinite(number) else None for number in rounded]
