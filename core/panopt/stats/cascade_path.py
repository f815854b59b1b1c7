"""In which order a cascade of judges should give up caution: learned from some of the labels.

A cascade accepts the verdict of the first judge whose confidence reaches its threshold. A path is
a sequence of threshold vectors, each at most the one before, from a cascade that decides nothing
to one that decides everything. It is grown block by block: lower next the threshold whose next
block of judgments errs least. A block holds few labels, so its errors are pulled towards what a
logistic regression on the confidences of this judge and of the judges before it expects.

Nothing here carries a guarantee; :mod:`panopt.stats.cascade` tests the path on other labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from panopt.stats.binomial import zero_error_labels

__all__ = ["Preference", "choose_path_steps", "deciding_judge", "expit", "learn_path", "tally"]

Preference = Literal["coverage", "cost"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]

#: Blocks that the judgments of a judge are cut into: 2.5% of them each.
BLOCKS = 40

#: Labels that the expected error of a block is worth beside its own, and that the expected risk
#: of a whole cascade is worth beside the errors that it made.
PULL_BLOCK = 20.0
PULL_RISK = 120.0

#: Steps tested along a path. Fewer stop sooner than they must, more stop by accident.
STEPS = 25

#: The first step holds enough labels but for this many standard deviations.
MARGIN = 2.0

#: Ridge of slopes and intercept, in units of one label; ranks run over [-RANGE / 2, RANGE / 2].
RIDGE, RIDGE_INTERCEPT, RANGE = 1.0, 0.05, 4.0
NEWTON_STEPS, NEWTON_LENGTH, NEWTON_ENOUGH = 30, 5.0, 1e-6

#: Score of a block that brings no coverage and no fewer errors: after every other.
USELESS = 5.0


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Thresholds of one judge from high to low, and the rows that each newly reaches."""

    thresholds: Floats
    rows: tuple[NDArray[np.intp], ...]


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


def tally(confidence: Floats, wrong: Flags, path: Floats) -> tuple[Counts, Counts]:
    """Count what the cascade accepts, and its errors, at each step of a path.

    Parameters
    ----------
    confidence, wrong
        Of each judge on each labelled item, shape (items, judges).
    path
        Threshold vectors, shape (steps, judges).

    Returns
    -------
    tuple of ndarray
        Accepted items and errors among them, each of shape (steps,).
    """
    n, k = np.empty(len(path), dtype=np.int64), np.empty(len(path), dtype=np.int64)
    for step, thresholds in enumerate(path):
        judge = deciding_judge(confidence, thresholds)
        accepted = np.flatnonzero(judge >= 0)
        n[step] = len(accepted)
        k[step] = np.count_nonzero(wrong[accepted, judge[accepted]])
    return n, k


def learn_path(
    confidence: Floats,
    wrong: Flags,
    *,
    floor: float,
    asked: Floats | None = None,
    pool: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Grow a path on labels that will not be used for testing it.

    Parameters
    ----------
    confidence, wrong
        Of each judge on each item, shape (items, judges); NaN where a judge did not answer.
    floor
        Threshold at which a judge decides whatever it answers.
    asked
        Cost of asking up to each judge, shape (judges,): with it the next block is the one of
        least error times cost, without it that of least error.
    pool
        Confidences of other items, shape (pool, judges), to take the blocks from.

    Returns
    -------
    tuple of ndarray
        Threshold vectors, shape (steps, judges), each at most the one before; expected errors of
        each judge on each item, shape (items, judges).
    """
    items, judges = confidence.shape
    expected = _expected_errors(confidence, wrong)
    source = confidence if pool is None else np.concatenate([confidence, pool])
    blocks = [_blocks(source[:, m], confidence[:, m], floor) for m in range(judges)]
    weight = np.ones(judges) if asked is None else asked
    decides = np.full(items, judges)  # `judges` where nobody does
    errors, expects = np.zeros(items), np.zeros(items)
    reached = np.zeros(judges, dtype=np.intp)
    thresholds = np.full(judges, np.inf)
    path = []
    while True:
        best, lowest, taken = -1, np.inf, np.empty(0, dtype=np.intp)
        for m in range(judges):
            if reached[m] == len(blocks[m].thresholds):
                continue
            rows = blocks[m].rows[reached[m]]
            rows = rows[decides[rows] > m]
            more = int(np.count_nonzero(decides[rows] == judges))
            observed = float(wrong[rows, m].sum() - errors[rows].sum())
            thought = float(expected[rows, m].sum() - expects[rows].sum())
            if more:
                pulled = PULL_BLOCK * max(thought, 0.0) / more
                score = (observed + pulled) / (more + PULL_BLOCK) * float(weight[m])
            else:
                score = thought if max(observed, thought) <= 0.0 else USELESS + thought
            if score < lowest:
                best, lowest, taken = m, score, rows
        if best < 0:
            break
        thresholds[best] = blocks[best].thresholds[reached[best]]
        reached[best] += 1
        decides[taken] = best
        errors[taken], expects[taken] = wrong[taken, best], expected[taken, best]
        path.append(thresholds.copy())
    return np.array(path).reshape(-1, judges), expected


def choose_path_steps(
    path: Floats,
    learned: tuple[Floats, Flags, Floats],
    n_test: int,
    *,
    alpha: float,
    delta: float,
) -> Floats:
    """Choose which steps of a path to test, and where to start, on the labels it was grown on.

    Parameters
    ----------
    path
        Threshold vectors, shape (steps, judges).
    learned
        Confidence, errors and expected errors of the items the path was grown on.
    n_test
        Labels that the steps will be tested on.
    alpha, delta
        Risk tolerated and failure probability.

    Returns
    -------
    ndarray
        Rows of `path`: from where the test is most likely to pass, in even steps of coverage to
        the end.
    """
    confidence, wrong, expected = learned
    accepted, observed, thought = _along(path, confidence, wrong, expected)
    kept = np.flatnonzero(np.diff(accepted, prepend=0) > 0)
    if not kept.size:
        return path[-1:]
    path, accepted = path[kept], accepted[kept]
    share = accepted / len(confidence)
    hoped = share * n_test
    doubt = np.sqrt(hoped * (1.0 - share) * (1.0 + n_test / len(confidence)))
    need = zero_error_labels(alpha, delta)
    enough = hoped - MARGIN * doubt >= need
    if not enough.any():
        enough = hoped >= min(need, hoped[-1])
    risk = (observed[kept] + PULL_RISK * thought[kept] / accepted) / (accepted + PULL_RISK)
    margin = (alpha - np.maximum.accumulate(risk)) * np.sqrt(hoped)
    start = int(np.argmax(np.where(enough, margin, -np.inf)))
    wanted = np.linspace(accepted[start], accepted[-1], STEPS)
    rows: Floats = path[np.unique(np.searchsorted(accepted, wanted))]
    return rows


def _along(
    path: Floats, confidence: Floats, wrong: Flags, expected: Floats
) -> tuple[Floats, Floats, Floats]:
    """Count accepted items, errors and expected errors at each step of a nested path."""
    items, judges = confidence.shape
    # The first step at which each judge's confidence reaches its threshold.
    enters = np.empty((items, judges), dtype=np.intp)
    for m in range(judges):
        known = np.nan_to_num(confidence[:, m], nan=-np.inf)
        enters[:, m] = np.searchsorted(-path[:, m], -known, side="left")
        enters[np.isnan(confidence[:, m]), m] = len(path)
    # Judges hand over to earlier ones as their thresholds fall: judge m decides from its own
    # entry to the first entry of a judge before it.
    before = np.minimum.accumulate(np.c_[np.full(items, len(path)), enters[:, :-1]], axis=1)
    starts, ends = np.minimum(enters, before), before
    totals: list[Floats] = []
    for weights in (np.ones((items, judges)), wrong.astype(np.float64), expected):
        change = np.bincount(starts.ravel(), weights.ravel(), len(path) + 1).astype(np.float64)
        change -= np.bincount(ends.ravel(), weights.ravel(), len(path) + 1)
        totals.append(np.cumsum(change)[:-1])
    return np.rint(totals[0]), np.rint(totals[1]), totals[2]


def _blocks(source: Floats, confidence: Floats, floor: float) -> _Blocks:
    """Cut the confidences of one judge at quantiles; ties stay in one block."""
    known = np.sort(source[~np.isnan(source)])
    if not known.size:
        return _Blocks(np.empty(0), ())
    cuts = known[np.floor(len(known) * (1.0 - np.arange(1, BLOCKS) / BLOCKS)).astype(np.intp)]
    cuts = np.unique(cuts[cuts > known[0]])[::-1]
    thresholds = np.append(cuts, floor)
    at = np.searchsorted(-thresholds, -confidence, side="left")  # NaN falls beyond the last
    at[np.isnan(confidence)] = len(thresholds)
    order = np.argsort(at, kind="stable")
    ends = np.searchsorted(at[order], np.arange(len(thresholds) + 1))
    rows = tuple(order[i:j] for i, j in pairwise(ends))
    return _Blocks(thresholds, rows)


def _expected_errors(confidence: Floats, wrong: Flags) -> Floats:
    """Expect the errors of each judge from the ranks of its and the earlier judges' confidence."""
    items, judges = confidence.shape
    ranks = np.zeros((items, judges))  # of a judge that did not answer: in the middle
    expected = np.zeros((items, judges))
    for m in range(judges):
        answered = ~np.isnan(confidence[:, m])
        own = confidence[answered, m]
        if not own.size:
            continue
        rising = np.sort(own)
        middle = np.searchsorted(rising, own, side="left") + np.searchsorted(
            rising, own, side="right"
        )
        ranks[answered, m] = RANGE * (middle / (2.0 * len(own)) - 0.5)
        design = np.c_[np.ones(len(own)), ranks[answered, : m + 1]]
        expected[answered, m] = _logistic(design, wrong[answered, m].astype(np.float64))
    return expected


def expit(x: Floats) -> Floats:
    """Give the logistic function without overflow (that of scipy would load scipy).

    Examples
    --------
    >>> expit(np.array([-1e4, 0.0, 1e4])).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))


def _logistic(design: Floats, y: Floats) -> Floats:
    """Fit probabilities by ridge logistic regression (Newton); fine with one class only."""
    weights = np.zeros(design.shape[1])
    ridge = np.full(design.shape[1], RIDGE)
    ridge[0] = RIDGE_INTERCEPT
    for _ in range(NEWTON_STEPS):
        p = expit(design @ weights)
        slope = design.T @ (y - p) - ridge * weights
        curve = (design.T * (p * (1.0 - p))) @ design + np.diag(ridge)
        step = np.linalg.solve(curve, slope)
        length = float(np.abs(step).max())
        weights += step * min(1.0, NEWTON_LENGTH / max(length, NEWTON_ENOUGH))
        if length < NEWTON_ENOUGH:
            break
    return expit(design @ weights)
