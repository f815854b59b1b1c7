"""Combine the scores of a panel of judges by a plain rule, and say truthfully what came out.

Mean, median, minimum, maximum, trimmed mean, majority, unanimity and plurality: no model and no
human labels. A judge that abstained or failed never counts as a score; ties, splits, missed
quorums and panels that failed altogether are outcomes of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.records.consensus import OUTCOMES, Consensus
from panopt.records.plain_rule import Combined, combine, plain_consensus
from panopt.spec import hookimpl
from panopt.stats.arrays import as_floats
from panopt.stats.panel import RULES
from panopt.stats.votes import reduce_repeats

if TYPE_CHECKING:
    from panopt.records.ask import Ask
    from panopt.records.matrix import Matrix

__all__ = ["OUTCOMES", "RULES", "Combined", "combine", "explain", "normalise", "reduce_repeats"]

FloatArray = NDArray[np.float64]


def explain(result: Combined, response: int, votes: Mapping[str, float | str]) -> str:
    """Say in one line who voted what on a response, and what the panel made of it.

    Parameters
    ----------
    result
        The combined panel.
    response
        Row of the response.
    votes
        Per judge its score, or in words why it has none ("abstained", "failed: timeout").

    Examples
    --------
    >>> panel = combine([[0.8, 0.6, 0.8, np.nan]], threshold=0.7)
    >>> explain(panel, 0, {"a": 0.8, "b": 0.6, "c": 0.8, "d": "failed"})
    'PASS: mean of 3 of 4 judges (a=0.80, b=0.60, c=0.80) is 0.73; agreement 0.67; d failed'
    """
    outcome = OUTCOMES[result.outcome_code[response]].replace("_", " ")
    value = float(result.value[response])
    n_votes = int(result.n_votes[response])
    if result.passed is None or np.isnan(value):
        head = outcome.upper()
    else:
        verdict = "PASS" if result.passed[response] else "FAIL"
        head = verdict if outcome == "decided" else f"{verdict} ({outcome})"
    line = f"{head}: {result.rule} of {n_votes} of {len(votes)} judges"
    cast = ", ".join(f"{name}={x:.2f}" for name, x in votes.items() if not isinstance(x, str))
    if cast:
        line += f" ({cast})"
    if not np.isnan(value):
        line += f" is {value:.2f}"
    parts = [line]
    if n_votes:
        parts.append(f"agreement {result.agreement[response]:.2f}")
    if n_votes and result.degraded[response]:
        parts.append("fewer than half of the panel voted")
    return "; ".join(parts + [f"{name} {x}" for name, x in votes.items() if isinstance(x, str)])


def normalise(scores: ArrayLike, low: float, high: float) -> FloatArray:
    """Map scores of any shape from the scale [`low`, `high`] to [0, 1].

    Scores off the scale land off [0, 1]; `combine` counts them as failed with ``bounds=(0, 1)``.

    Raises
    ------
    ValueError
        When `low` is not below `high`.

    Examples
    --------
    >>> normalise([1, 3, 5], 1, 5).tolist()
    [0.0, 0.5, 1.0]
    """
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(f"low = {low} must be below high = {high}, both finite")
    return (as_floats("scores", scores) - low) / (high - low)


@hookimpl
def panopt_methods() -> tuple[str, ...]:
    """Name the rules."""
    return RULES


@hookimpl
def panopt_aggregate(matrix: Matrix, method: str, why: str, ask: Ask) -> Consensus | None:
    """Aggregate one criterion by a plain rule, after reducing each judge's repeats to one vote."""
    return plain_consensus(matrix, method, why, ask)
