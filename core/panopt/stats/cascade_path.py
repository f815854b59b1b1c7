"""In which order a cascade of judges should give up caution: learned from some of the labels.

A cascade accepts the verdict of the first judge whose confidence reaches its threshold. A path is
a sequence of threshold vectors, each at most the one before, from a cascade that decides nothing
to one that decides everything. It is grown block by block: lower next the threshold whose next
block of judgments errs least. A block holds few labels, so its errors are pulled towards what a
model expects (:mod:`panopt.stats.cascade_errors`).

Nothing here carries a guarantee; :mod:`panopt.stats.cascade` tests the path on other labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Preference", "deciding_judge", "learn_path", "tally"]

Preference = Literal["coverage", "cost"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Blocks that the judgments of a judge are cut into: 2.5% of them each.
BLOCKS = 40

#: Labels that the expected error of a block is worth beside its own.
PULL = 30.0

#: Score of a block that brings no coverage and no fewer errors: after every other.
USELESS = 5.0


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Thresholds of one judge from high to low, and the rows that each newly reaches."""

    thresholds: Floats
    rows: tuple[list[int], ...]


@dataclass(frozen=True, slots=True)
class _Grown:
    """Who decides each item so far, and what that errs: seen, and expected.

    `missed` and `thought` hold a list a judge; `decides` is the number of judges where none does.
    """

    missed: list[list[float]]
    thought: list[list[float]]
    decides: list[int]
    errors: list[float]
    expects: list[float]
    safe: float

    def score(self, judge: int, rows: list[int], weight: float) -> float:
        """Give the error of what a block adds, pulled to what is expected of it."""
        missed, thought, nobody = self.missed[judge], self.thought[judge], len(self.missed)
        more, observed, hoped = 0, 0.0, 0.0
        for row in rows:
            if self.decides[row] > judge:
                more += self.decides[row] == nobody
                observed += missed[row] - self.errors[row]
                hoped += thought[row] - self.expects[row]
        if more:
            error = (observed + PULL * max(hoped, 0.0) / more) / (more + PULL)
            return max(error, self.safe) * weight
        return hoped if max(observed, hoped) <= 0.0 else USELESS + hoped

    def take(self, judge: int, rows: list[int]) -> None:
        """Let a judge decide the items of a block that no judge before it decides."""
        for row in rows:
            if self.decides[row] > judge:
                self.decides[row] = judge
                self.errors[row] = self.missed[judge][row]
                self.expects[row] = self.thought[judge][row]


def deciding_judge(confidence: Floats, thresholds: Floats) -> NDArray[np.intp]:
    """Give the first judge whose confidence reaches its threshold, -1 where none does.

    NaN never does, and an infinite threshold decides nothing, whatever the confidence.

    Examples
    --------
    >>> deciding_judge(np.array([[0.9, 0.2], [0.1, 0.8], [np.nan, 0.1]]), np.array([0.8, 0.7]))
    array([ 0,  1, -1])
    """
    reached = (confidence >= thresholds) & (thresholds < np.inf)
    first = np.argmax(reached, axis=1) if reached.shape[1] else np.zeros(len(reached), np.intp)
    return np.where(reached.any(axis=1), first, -1)


def tally(confidence: Floats, path: Floats, *weights: Floats | Flags) -> list[Floats]:
    """Count what the cascade accepts at each step of a path, and add up weights of it.

    Parameters
    ----------
    confidence
        Of each judge on each item, shape (items, judges); NaN where a judge did not answer.
    path
        Threshold vectors, shape (steps, judges), each at most the one before.
    *weights
        Of each judge's verdict on each item (1 where wrong), shape (items, judges).

    Returns
    -------
    list of ndarray
        Accepted items, then the sum of each weight over them, each of shape (steps,).

    Examples
    --------
    >>> path = np.array([[np.inf, 0.8], [0.7, 0.8]])
    >>> c, wrong = np.array([[0.7, 0.9], [0.2, 0.8]]), np.array([[True, False], [True, False]])
    >>> [counts.tolist() for counts in tally(c, path, wrong)]
    [[2.0, 2.0], [0.0, 1.0]]
    """
    items, judges = confidence.shape
    # The first step at which each judge's confidence reaches its threshold.
    enters = np.full((items, judges), len(path), dtype=np.intp)
    for m in range(judges):
        answered = ~np.isnan(confidence[:, m])
        enters[answered, m] = np.searchsorted(-path[:, m], -confidence[answered, m], side="left")
    # Judges hand over to earlier ones as their thresholds fall: judge m decides from its own
    # entry to the first entry of a judge before it.
    before = np.minimum.accumulate(np.c_[np.full(items, len(path)), enters[:, :-1]], axis=1)
    starts, ends = np.minimum(enters, before).ravel(), before.ravel()
    totals: list[Floats] = []
    for weight in (np.ones((items, judges)), *weights):
        flat = weight.ravel().astype(np.float64)
        change = np.bincount(starts, flat, len(path) + 1) - np.bincount(ends, flat, len(path) + 1)
        totals.append(np.cumsum(change)[:-1])
    totals[0] = np.rint(totals[0])
    return totals


def learn_path(  # noqa: PLR0913 - one argument an option
    confidence: Floats,
    wrong: Flags,
    expected: Floats,
    *,
    least: Floats,
    safe: float = 0.0,
    asked: Floats | None = None,
    pool: Floats | None = None,
) -> Floats:
    """Grow a path on labels that will not be used for testing it.

    Parameters
    ----------
    confidence, wrong, expected
        Of each judge on each item, shape (items, judges): NaN where it did not answer, and
        whether it was wrong, and how probable that seemed.
    least
        Threshold that each judge's may not fall below, shape (judges,); no confidence is lower.
    safe
        Errors rarer than this are as good as none: there the earlier judge goes first.
    asked
        Cost of asking up to each judge, shape (judges,): with it the next block is the one of
        least error times cost, without it that of least error.
    pool
        Confidences of other items, shape (pool, judges), to take the blocks from.

    Returns
    -------
    ndarray
        Threshold vectors, shape (steps, judges), each at most the one before.
    """
    items, judges = confidence.shape
    source = confidence if pool is None else np.concatenate([confidence, pool])
    blocks = [_blocks(source[:, m], confidence[:, m], float(least[m])) for m in range(judges)]
    weight = [1.0] * judges if asked is None else asked.tolist()
    # Blocks hold a few rows each: plain lists take a fifth of the time of small arrays.
    grown = _Grown(
        wrong.T.astype(np.float64).tolist(),
        expected.T.tolist(),
        [judges] * items,
        [0.0] * items,
        [0.0] * items,
        safe,
    )
    reached = [0] * judges
    thresholds = [np.inf] * judges
    path = []
    while True:
        best, lowest = -1, np.inf
        for m in range(judges):
            if reached[m] < len(blocks[m].rows):
                score = grown.score(m, blocks[m].rows[reached[m]], weight[m])
                if score < lowest:
                    best, lowest = m, score
        if best < 0:
            break
        grown.take(best, blocks[best].rows[reached[best]])
        thresholds[best] = float(blocks[best].thresholds[reached[best]])
        reached[best] += 1
        path.append(thresholds.copy())
    return np.array(path).reshape(-1, judges)


def _blocks(source: Floats, confidence: Floats, least: float) -> _Blocks:
    """Cut the confidences of one judge at quantiles; ties stay in one block."""
    known = np.sort(source[~np.isnan(source)])
    if not known.size:
        return _Blocks(np.empty(0), ())
    cuts = known[np.floor(len(known) * (1.0 - np.arange(1, BLOCKS) / BLOCKS)).astype(np.intp)]
    cuts = np.unique(cuts[cuts > known[0]])[::-1]
    thresholds = np.append(cuts, least)
    at = np.searchsorted(-thresholds, -confidence, side="left")  # NaN falls beyond the last
    at[np.isnan(confidence)] = len(thresholds)
    order = np.argsort(at, kind="stable")
    ends = np.searchsorted(at[order], np.arange(len(thresholds) + 1)).tolist()
    ordered = order.tolist()
    return _Blocks(thresholds, tuple(ordered[i:j] for i, j in pairwise(ends)))
