"""How often all judges agree, and the middle of their range: a whole plugin of a third party.

The share of responses on which every judge gave the same score, with Wilson's score interval
(Wilson 1927); and the aggregation method ``midrange``, the mean of the lowest and highest score.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from panopt.findings import Finding, Findings
from panopt.records.ask import Ask
from panopt.records.consensus import OUTCOMES, Consensus
from panopt.records.matrix import Matrix
from panopt.spec import hookimpl

__all__ = ["Unanimity", "midrange", "unanimity"]


@dataclass(frozen=True, slots=True)
class Unanimity:
    """Share of responses with one score, of the `n` that two judges or more scored."""

    value: float | None
    low: float | None
    high: float | None
    n: int


def unanimity(scores: NDArray[np.float64], *, level: float = 0.95) -> Unanimity:
    """Estimate how often all judges agree.

    Parameters
    ----------
    scores
        Shape (responses, judges), NaN where a judge gave no score.
    level
        Confidence level of the interval.

    Examples
    --------
    >>> found = unanimity(np.array([[1.0, 1.0], [0.0, 1.0], [1.0, np.nan]]))
    >>> found.value, found.n
    (0.5, 2)
    """
    several = np.count_nonzero(~np.isnan(scores), axis=1) >= 2
    n = int(several.sum())
    if n == 0:
        return Unanimity(None, None, None, 0)
    low, high = np.nanmin(scores[several], axis=1), np.nanmax(scores[several], axis=1)
    share = float(np.mean(low == high))
    z = NormalDist().inv_cdf((1 + level) / 2)
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2) / (1 + z * z / n)
    return Unanimity(share, max(0.0, center - half), min(1.0, center + half), n)


def midrange(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take the middle between the lowest and the highest score; NaN where there is none.

    Examples
    --------
    >>> midrange(np.array([[0.0, 0.5, 1.0], [0.25, np.nan, 0.25]]))
    array([0.5 , 0.25])
    """
    middle = np.full(len(scores), np.nan)
    scored = ~np.isnan(scores).all(axis=1)
    middle[scored] = (np.nanmin(scores[scored], axis=1) + np.nanmax(scores[scored], axis=1)) / 2
    return middle


@hookimpl
def panopt_methods() -> tuple[str, ...]:
    """Name the aggregation method."""
    return ("midrange",)


@hookimpl
def panopt_aggregate(matrix: Matrix, method: str, why: str, ask: Ask) -> Consensus | None:
    """Aggregate by the middle of the range; the share of judges on its side is the confidence."""
    scores = matrix.scores()
    value = midrange(scores)
    scored = ~np.isnan(value)
    n_votes = np.count_nonzero(~np.isnan(scores), axis=1)
    verdict = np.where(scored, value >= ask.threshold, -1).astype(np.int32)
    with_it = np.where(np.isnan(scores), 0, (scores >= ask.threshold) == verdict[:, None])
    share = np.where(scored, with_it.sum(axis=1) / np.maximum(n_votes, 1), np.nan)
    unknown = np.full(len(value), np.nan)
    spread, reach = unknown.copy(), unknown.copy()
    spread[scored] = np.nanstd(scores[scored], axis=1)
    reach[scored] = np.nanmax(scores[scored], axis=1) - np.nanmin(scores[scored], axis=1)
    outcome = np.where(scored, OUTCOMES.index("decided"), OUTCOMES.index("no_votes"))
    return Consensus(
        criterion=matrix.criterion,
        method=method,
        why=why,
        value=value,
        sd=unknown,
        estimate=value,
        blind_value=value,
        blind_sd=unknown,
        confidence=share,
        confidence_source="vote share",
        verdict=verdict,
        outcome=outcome.astype(np.int8),
        n_votes=n_votes.astype(np.int32),
        disagreement=reach,
        spread=spread,
        agreement=share,
    )


@hookimpl
def panopt_analyze(matrix: Matrix, ask: Ask) -> Findings | None:
    """Find how often all judges agree."""
    found = unanimity(matrix.scores(), level=ask.level)
    row = Finding(
        plugin="unanimity",
        name="unanimity",
        criterion=matrix.criterion,
        value=found.value,
        unit="share of responses",
        low=found.low,
        high=found.high,
        level=ask.level,
        n=found.n,
        method="share of responses with equal scores, Wilson interval",
        assumptions=("responses are a random sample",),
        reason=None if found.value is not None else "no response has scores of two judges",
    )
    return Findings((row,))
