"""What a criterion's human labels teach about its judges' votes, beside the plain majority."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.records.ballots import ballots
from panopt.records.calibration import human_verdicts
from panopt.records.consensus import OUTCOMES
from panopt.records.matrix import Matrix
from panopt.records.outcomes import outcomes
from panopt.stats.supervised import SupervisedVotes, supervised_votes
from panopt.stats.votes import row_modes

__all__ = ["Electorate", "electorate", "supervise"]

FloatArray = NDArray[np.float64]

_KINDS = ("binary", "pairwise", "nominal")


@dataclass(frozen=True, slots=True)
class Electorate:
    """Votes, human labels and the plain verdict of every response; no verdict saw a label."""

    votes: FloatArray
    """Scores on [0, 1], or label codes (responses, judges); NaN where there is none."""
    truth: FloatArray
    """Human label (responses,): 0 or 1, or a code; NaN where unknown or tied."""
    n_labels: int | None
    """Number of labels; None for scores."""
    verdict: NDArray[np.int32]
    """Majority's side, or commonest label; -1 where tied or inconclusive."""
    share: FloatArray
    """Share of the votes on the verdict's side; NaN where there is none."""
    value: FloatArray
    """Majority: 1 or 0, the mean of the votes where tied; NaN for labels or where inconclusive."""
    n_votes: NDArray[np.int32]
    """Decisive judges."""
    outcome: NDArray[np.int8]
    """Codes into OUTCOMES."""


def electorate(matrix: Matrix, *, threshold: float = 0.5, least: int = 1) -> Electorate:
    """Collect votes and human labels, and count the votes.

    Raises
    ------
    ValueError
        For ordinal and continuous criteria, whose scores are no votes.
    """
    kind = matrix.scale.kind
    if kind not in _KINDS:
        raise ValueError(
            f"supervised weighs votes, and {matrix.criterion!r} has {kind} scores; use gaussian, "
            "which takes human labels as its anchor"
        )
    votes, status = ballots(matrix)
    given = ~np.isnan(votes)
    n = np.count_nonzero(given, axis=1)
    outcome = outcomes(status, n, least=least)
    if kind == "nominal":
        modes = row_modes(np.sort(votes, axis=1))
        tied = modes.n > 1
        share = modes.size / np.maximum(n, 1)
        value = np.full(len(votes), np.nan)
        winner = np.nan_to_num(modes.lowest, nan=-1.0)
    else:
        side = np.where(given, votes if kind == "pairwise" else votes >= threshold, 0.0)
        reach = side.sum(axis=1) / np.maximum(n, 1)
        tied = np.abs(reach - 0.5) < 1e-12
        share = np.maximum(reach, 1.0 - reach)
        mean = np.where(given, votes, 0.0).sum(axis=1) / np.maximum(n, 1)
        value = np.where(tied, mean if kind == "binary" else 0.5, reach > 0.5)
        winner = (reach > 0.5).astype(np.float64)
    decided = outcome == OUTCOMES.index("decided")
    outcome[decided & tied] = OUTCOMES.index("tie")
    verdict = np.where(decided & ~tied, winner, -1).astype(np.int32)
    human = human_verdicts(matrix, threshold=threshold)
    return Electorate(
        votes=votes,
        truth=np.where(human >= 0, human, np.nan),
        n_labels=max(2, len(matrix.labels)) if kind == "nominal" else None,
        verdict=verdict,
        share=np.where(decided, share, np.nan),
        value=np.where(decided, value, np.nan),
        n_votes=n.astype(np.int32),
        outcome=outcome,
    )


def supervise(matrix: Matrix, found: Electorate, *, seed: int, level: float) -> SupervisedVotes:
    """Learn from the labelled responses, against the majority; the same answer for all who ask.

    Raises
    ------
    ValueError
        Where there are too few labels to learn from.
    """
    return supervised_votes(
        found.votes,
        found.truth,
        n_labels=found.n_labels,
        rival=found.verdict,
        clusters=matrix.clusters,
        rng=np.random.default_rng([seed, len(matrix.judges)]),
        alpha=1.0 - level,
        judges=matrix.judges,
    )
