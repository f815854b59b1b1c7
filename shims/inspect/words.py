"""The panel's answer on one response in words, for people who read the log."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from panopt.records.ask import Ask
from panopt.records.judgment import STATUSES
from panopt.records.markdown import escaped
from panopt.records.report import CriterionReport

__all__ = ["Words", "escaped"]

MOST_WORDS = 1000  # characters of an explanation: the samples table cuts at 1024
MOST_VOTES = 12  # judges named in an explanation
MOST_NAME = 120  # characters of a name


class Words:
    """Makes the sentences of one criterion.

    Parameters
    ----------
    part, ask
        What was concluded, and how.
    """

    def __init__(self, part: CriterionReport, ask: Ask) -> None:
        self._part = part
        self._level = f"{100 * (1 - ask.alpha):g}%"
        self._head = escaped(part.criterion[:MOST_NAME])
        self._method = part.consensus.method
        ranges = {(scale.low, scale.high) for scale in part.matrix.judge_scales} - {(0.0, 1.0)}
        self._range = ""
        if ranges and part.matrix.scale.kind != "nominal":  # the value is on [0, 1], these are not
            said = " or ".join(f"{low:g} to {high:g}" for low, high in sorted(ranges))
            self._range = f" (of {said})"

    def of(
        self,
        response: int,
        *,
        value: float | str | None,
        outcome: str,
        numbers: Mapping[str, float | None],
    ) -> str:
        """Say value, interval, decision, its reason, and who voted how; in Markdown, one line.

        Parameters
        ----------
        response
            Its index.
        value, outcome
            The panel's value or label, None where it is inconclusive, and then why.
        numbers
            Further numbers: ``sd``, ``conformal_low``, ``conformal_high`` are said.
        """
        if value is None:
            said = f"{self._head}: no value ({outcome.replace('_', ' ')})"
        else:
            shown = escaped(value) if isinstance(value, str) else f"{value:.3g}"
            said = f"{self._head}: **{shown}** by {self._method}"
            if numbers.get("sd") is not None:
                said += f" (sd {numbers['sd']:.2g})"
        low, high = numbers.get("conformal_low"), numbers.get("conformal_high")
        if low is not None and high is not None:
            said += f", interval {low:.2f} to {high:.2f} ({self._level}, conformal)"
        decisions = self._part.decisions
        if decisions is not None:
            said += f". **{decisions.name(response)}**: {decisions.why(response)}"
        return f"{said}. Votes{self._range}: {self._votes_of(response)}."[:MOST_WORDS]

    def _votes_of(self, response: int) -> str:
        said, starts = self._votes
        own = said[starts[response] : starts[response + 1]]
        more = len(own) - MOST_VOTES
        return ", ".join(own[:MOST_VOTES]) + (f" and {more} more" if more > 0 else "")

    @cached_property
    def _votes(self) -> tuple[list[str], list[int]]:
        """Votes in words, by response, and where each response's begin."""
        matrix = self._part.matrix
        votes = matrix.votes
        order = np.argsort(votes.response, kind="stable")
        starts = np.searchsorted(votes.response[order], np.arange(matrix.n_responses + 1))
        low = np.array([scale.low for scale in matrix.judge_scales] or [0.0])
        width = np.array([scale.high - scale.low for scale in matrix.judge_scales] or [1.0])
        raw = votes.score * width[votes.judge] + low[votes.judge]
        judges = [escaped(judge[:MOST_NAME]) for judge in matrix.judges]
        labels = [escaped(label[:MOST_NAME]) for label in matrix.labels]
        said = []
        for judge, status, label, score in zip(
            votes.judge[order].tolist(),
            votes.status[order].tolist(),
            votes.label[order].tolist(),
            raw[order].tolist(),
            strict=True,
        ):
            vote = labels[label] if label >= 0 else f"{score:.4g}"
            said.append(f"{judges[judge]} {vote if status == 0 else STATUSES[status]}")
        return said, starts.tolist()
