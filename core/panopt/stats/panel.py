"""Count the votes of every response at once, and apply a panel rule to the counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.stats.rule_names import DECIDED, LABELLED, RULES, SIDED, SPLIT, TIE
from panopt.stats.votes import FloatArray, IntArray, Modes, row_median, row_modes

__all__ = [
    "DECIDED",
    "LABELLED",
    "RULES",
    "SIDED",
    "SPLIT",
    "TIE",
    "Ruling",
    "Tally",
    "apply_rule",
    "tally_votes",
]

Codes = NDArray[np.int8]
Ruling = tuple[FloatArray, Codes]

_SNAP = 1e-12


@dataclass(frozen=True, slots=True)
class Tally:
    """Decisive votes of every response and what rules need of them; NaN where there are none."""

    votes: FloatArray
    """Votes (responses, judges), NaN where not decisive."""
    ordered: FloatArray
    """The same in rising order, NaN last."""
    n: IntArray
    """Votes of each response."""
    low: FloatArray
    """Least vote."""
    high: FloatArray
    """Greatest vote."""
    mean: FloatArray
    """Mean vote."""
    sd: FloatArray
    """Population standard deviation of the votes."""
    limit: float | None
    """What a vote must reach to count as a pass."""
    reach: IntArray
    """Votes that reach the limit; 0 without one."""
    modes: Modes | None
    """Commonest votes; None where sides of the limit are what counts."""

    def largest_bloc(self) -> FloatArray:
        """Give the share of votes in the largest bloc: equal votes, or one side of the limit."""
        if self.modes is not None:
            return _share(self.modes.size.astype(np.float64), self.n)
        return _share(np.maximum(self.reach, self.n - self.reach).astype(np.float64), self.n)

    def settle(self, value: FloatArray) -> FloatArray:
        """Move averages that miss the limit by rounding alone onto it.

        The mean of three votes of .6 is .6 less one bit, and must reach a limit of .6.
        """
        if self.limit is None:
            return value
        near = np.abs(value - self.limit) <= _SNAP * max(1.0, abs(self.limit))
        return np.where(near, self.limit, value)


def tally_votes(votes: FloatArray, limit: float | None, *, labels: bool = False) -> Tally:
    """Count the votes of every response.

    Parameters
    ----------
    votes
        Votes (responses, judges), NaN where not decisive.
    limit
        What a vote must reach to count as a pass, if that matters.
    labels
        Equal votes are what counts, whatever the limit; so it is without a limit.

    Examples
    --------
    >>> counted = tally_votes(np.array([[0.0, 0.6, 0.9]]), 0.5)
    >>> counted.mean.tolist(), counted.reach.tolist()
    ([0.5], [2])
    """
    ordered = np.sort(votes, axis=1)
    n = np.count_nonzero(~np.isnan(votes), axis=1)
    low, high = ordered[:, 0], ordered[np.arange(n.size), np.maximum(n - 1, 0)]
    mean = np.clip(_share(_row_sums(ordered), n), low, high)
    deviation = ordered - mean[:, None]
    sd = np.sqrt(_share(_row_sums(np.square(deviation, out=deviation)), n))
    reach = (
        np.zeros(n.size, dtype=np.int64)
        if limit is None
        else np.count_nonzero(votes >= limit, axis=1)
    )
    modes = row_modes(ordered) if labels or limit is None else None
    return Tally(votes, ordered, n, low, high, mean, sd, limit, reach, modes)


def apply_rule(rule: str, tally: Tally, *, trim: float, tie_break: str | None) -> Ruling:
    """Apply a rule by name to counted votes.

    Parameters
    ----------
    rule
        A name in `RULES`.
    tally
        The counted votes.
    trim
        Share of votes "trimmed_mean" drops at each end.
    tie_break
        Label "plurality" takes among tied ones: `None`, "low", "high" or "first".

    Returns
    -------
    tuple
        Value of each response (NaN where undecided or without votes), and `DECIDED`, `TIE` or
        `SPLIT`.
    """
    match rule:
        case "mean":
            value = tally.settle(tally.mean)
        case "median":
            value = tally.settle(row_median(tally.ordered, tally.n))
        case "min":
            value = tally.low
        case "max":
            value = tally.high
        case "trimmed_mean":
            value = tally.settle(_trimmed_mean(tally, trim))
        case "unanimous":
            value = (tally.reach == tally.n).astype(np.float64)
        case "majority":
            return _majority(tally)
        case "plurality":
            return _plurality(tally, tie_break)
        case "absolute_majority":
            return _absolute_majority(tally)
        case _:
            raise ValueError(f"rule = {rule!r} must be one of {', '.join(RULES)}")
    return value, np.full(value.size, DECIDED, dtype=np.int8)


def _trimmed_mean(tally: Tally, trim: float) -> FloatArray:
    cut = np.floor(trim * tally.n + 1e-9).astype(np.int64)
    place = np.arange(tally.ordered.shape[1])
    kept = (place >= cut[:, None]) & (place < (tally.n - cut)[:, None])
    total = _row_sums(np.where(kept, tally.ordered, np.nan))
    return np.clip(_share(total, tally.n - 2 * cut), tally.low, tally.high)


def _majority(tally: Tally) -> Ruling:
    tied = 2 * tally.reach == tally.n
    value = np.where(2 * tally.reach > tally.n, 1.0, 0.0)
    return (
        np.where(tied, tally.settle(tally.mean), value),
        np.where(tied, TIE, DECIDED).astype(np.int8),
    )


def _plurality(tally: Tally, tie_break: str | None) -> Ruling:
    modes = tally.modes or row_modes(tally.ordered)
    tied = modes.n > 1
    value = modes.highest if tie_break == "high" else modes.lowest
    if tie_break is None:
        value = np.where(tied, np.nan, value)
    elif tie_break == "first":
        rows = np.flatnonzero(tied)
        some, largest = tally.votes[rows], modes.size[rows]
        winner = np.empty(rows.size)
        for vote in some.T[::-1]:  # backwards: the first judge of a tied label is the last to say
            counts = np.count_nonzero(some == vote[:, None], axis=1)
            winner = np.where(counts == largest, vote, winner)
        value = value.copy()
        value[rows] = winner
    return value, np.where(tied, TIE, DECIDED).astype(np.int8)


def _absolute_majority(tally: Tally) -> Ruling:
    modes = tally.modes or row_modes(tally.ordered)
    won = 2 * modes.size > tally.n
    undecided = np.where(modes.n > 1, TIE, SPLIT)
    return (
        np.where(won, modes.lowest, np.nan),
        np.where(won, DECIDED, undecided).astype(np.int8),
    )


def _row_sums(ordered: FloatArray) -> FloatArray:
    """Sum from the least vote up: the same votes give the same bits, whoever cast them."""
    total = np.zeros(ordered.shape[0])
    for vote in ordered.T:
        total += np.where(np.isnan(vote), 0.0, vote)
    return total


def _share(part: FloatArray, n: IntArray) -> FloatArray:
    share: FloatArray = np.divide(part, n, out=np.full(n.size, np.nan), where=n > 0)
    return share
