"""Which thresholds to test, in which order, chosen without looking at a label.

A test of a threshold is exact when the threshold was fixed without the labels it is tested on;
a sequence of tests keeps its level when the order was. The sources of thresholds here differ in
how exactly they do: see :class:`Steps` ``.assumption`` and the notes of
:func:`panopt.stats.certify.certify_threshold`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.binomial import errors_allowed, labels_needed, zero_error_labels

__all__ = ["CertificateMethod", "Goal", "Steps", "choose_steps", "vector"]

CertificateMethod = Literal["fixed_sequence", "bonferroni", "point_estimate"]

Floats = NDArray[np.float64]

#: Steps of a union bound, and of a grid of quantiles.
STEPS = 10

#: Most steps at preset counts above the share START_SHARE, and below it; more gain nothing that
#: simulation can see.
MOST_COUNTS = 40
EARLY_COUNTS = 10

#: The first step allows this many errors where the labels suffice, and holds this share of them:
#: a first step that allows none fails by accident, and a failed first step certifies nothing.
START_ERRORS = 3
START_SHARE = 0.2
START_LIMIT = 0.4

#: Where that share is more than EARLY_RATIO times what START_ERRORS need, good judgments could be
#: many and still be fewer than it: there EARLY_PART of delta is tried from START_ERRORS on, the
#: most enters at the share, and LATE_PART at LATE_SHARE, for risks just below alpha that failed.
EARLY_PART = 0.2
EARLY_RATIO = 2.0
LATE_PART = 0.1
LATE_SHARE = 0.6

#: Confidences with at most this many values, and this many labels a value, are a discrete scale.
MOST_VALUES = 50
LABELS_A_VALUE = 4

#: A grid from a pool starts where its first step holds enough labels but for this many standard
#: deviations.
MARGIN = 3.0

#: Counts of labels whose steps are remembered: replays ask for the same ones over and over.
REMEMBERED = 4096

MONOTONE = "exact where risk does not fall as confidence falls"


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be certified: risk at most `alpha` but with probability `delta`, and how."""

    alpha: float
    delta: float
    method: CertificateMethod


@dataclass(frozen=True, slots=True)
class Steps:
    """Thresholds to test, from high to low.

    Attributes
    ----------
    thresholds
        Accept at or above each; never empty.
    least
        Those that hold fewer labels are passed over.
    assumption
        What the choice adds to the assumptions of the certificate.
    entries
        Pairs (index into `thresholds`, part of delta): from that step on that part is at hand,
        besides what came through the steps before, all of which passed; the parts sum to 1.
    tests
        Among how many tests a union bound shares its level; ties in confidence, which make
        fewer thresholds of preset counts, must not raise it.
    """

    thresholds: Floats
    least: int
    assumption: str
    tests: int = STEPS
    entries: tuple[tuple[int, float], ...] = ((0, 1.0),)


def choose_steps(
    confidence: Floats, grid: ArrayLike | None, pool: ArrayLike | None, goal: Goal
) -> Steps:
    """Choose the thresholds from a given grid, a pool, or the labelled confidences.

    Parameters
    ----------
    confidence
        Of the labelled judgments, shape (labels,).
    grid, pool
        See :func:`panopt.stats.certify.certify_threshold`.
    goal
        What is to be certified.
    """
    others = None if pool is None else vector("pool", pool)
    unit = _on_unit(confidence) and (others is None or _on_unit(others))
    everything = 0.0 if unit else -np.inf
    if goal.method == "point_estimate":
        return Steps(
            _falling(confidence if grid is None else vector("grid", grid)),
            1,
            "a point estimate: NO guarantee that the risk is at most alpha",
        )
    if grid is not None:
        return _grid_steps(_falling(vector("grid", grid)), goal)
    if others is not None:
        return _pool_steps(len(confidence), others, everything, goal)
    if goal.method == "bonferroni":
        counts = np.ceil(len(confidence) * np.arange(1, STEPS + 1) / STEPS).astype(np.int64)
        steps = _above(np.sort(confidence), counts, everything)
        return Steps(steps, 1, "steps at preset counts: exact for a risk of any shape")
    return _own_steps(np.sort(confidence), everything, goal)


def vector(name: str, values: ArrayLike) -> Floats:
    """Take one row of numbers without NaN, or say which argument is none."""
    x = as_floats(name, values)
    if x.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not {x.ndim}")
    if np.isnan(x).any():
        raise ValueError(f"{name} must not be NaN; leave judgments without it out")
    return x


def _on_unit(x: Floats) -> bool:
    return x.size == 0 or bool(x.min() >= 0.0 and x.max() <= 1.0)


def _falling(x: Floats) -> Floats:
    return np.unique(x)[::-1]


def _grid_steps(steps: Floats, goal: Goal) -> Steps:
    if not steps.size:
        raise ValueError("grid must hold at least one threshold")
    if goal.method == "bonferroni":
        return Steps(steps, 1, "a grid fixed beforehand: exact for a risk of any shape", len(steps))
    need = zero_error_labels(goal.alpha, goal.delta)
    text = f"a grid fixed beforehand: {MONOTONE} (steps with too few labels are passed over)"
    return Steps(steps, need, text)


@lru_cache(maxsize=REMEMBERED)
def _start(n: int, goal: Goal, level: float) -> tuple[tuple[int, float], ...]:
    """Give the numbers of labels at which parts of the level enter; depends on counts alone."""
    none, some = labels_needed([0, START_ERRORS], alpha=goal.alpha, delta=level)
    share = int(START_SHARE * n)
    start = max(int(none), min(int(some), int(START_LIMIT * n)), share)
    allowed = errors_allowed(start, alpha=goal.alpha, delta=level)
    start = int(labels_needed(allowed, alpha=goal.alpha, delta=level)) if allowed >= 0 else start
    if goal.method != "fixed_sequence" or share <= EARLY_RATIO * some:
        return ((start, 1.0),)
    early = labels_needed(START_ERRORS, alpha=goal.alpha, delta=EARLY_PART * level)
    late = int(LATE_SHARE * n)
    return (int(early), EARLY_PART), (start, 1.0 - EARLY_PART - LATE_PART), (late, LATE_PART)


def _pool_steps(n: int, pool: Floats, everything: float, goal: Goal) -> Steps:
    """Take quantiles of confidences that carry no label: exact whatever the shape of the risk.

    The sequence starts where n labels drawn like the pool surely fill the first step, and passes
    none over, so that nothing in it depends on the labelled judgments but their number.
    """
    if not pool.size:
        raise ValueError("pool must hold at least one confidence; leave it out instead")
    level = goal.delta / STEPS if goal.method == "bonferroni" else goal.delta
    need = zero_error_labels(goal.alpha, level)
    starts = _start(n, goal, level)
    values, counts = np.unique(pool, return_counts=True)
    values, share = values[::-1], np.cumsum(counts[::-1]) / (len(pool) + 1.0)
    spread = np.sqrt(n * share * (1.0 - share) * (1.0 + n / (len(pool) + 2.0)))
    enough = n * share >= np.maximum(need + MARGIN * spread, starts[0][0])
    values, share = values[enough], share[enough]
    main = starts[len(starts) > 1][0] / max(n, 1)
    if len(values) >= STEPS:
        wanted = np.linspace(max(share[0], min(main, share[-1])), share[-1], STEPS)[:-1]
        if len(starts) > 1 and share[0] < main:
            wanted = np.r_[np.geomspace(share[0], main, STEPS // 2)[:-1], wanted]
        values = values[chosen := np.unique(np.searchsorted(share, wanted))]
        share = share[chosen]
    later = ((int(np.searchsorted(share, m / n)), part) for m, part in starts[1:])
    return Steps(
        _falling(np.r_[values, everything]),
        0,
        "steps at quantiles of unlabelled confidences drawn alike: exact for a risk of any shape",
        entries=((0, starts[0][1]), *later),
    )


def _own_steps(ascending: Floats, everything: float, goal: Goal) -> Steps:
    """Take steps from the labelled confidences: every value of few, preset counts of many."""
    n, alpha, delta = len(ascending), goal.alpha, goal.delta
    if n < zero_error_labels(alpha, delta):
        return Steps(np.array([everything]), n + 1, "too few labels for any test")
    starts = _start(n, goal, delta)
    values = np.unique(ascending)
    if len(values) <= min(MOST_VALUES, n / LABELS_A_VALUE):
        steps = np.r_[values[:0:-1], everything]
        text = f"steps at every value of a discrete confidence: {MONOTONE}"
    else:
        steps = _above(ascending, _preset_counts(n, starts, goal), everything)
        text = (
            f"steps at preset counts of the labelled confidences: {MONOTONE}, else up to a small "
            "selection effect (none where the confidences of unlabelled responses set the steps)"
        )
    held = n - np.searchsorted(ascending, steps)
    entries = tuple((int(np.searchsorted(held, m)), part) for m, part in starts)
    return Steps(steps, starts[0][0], text, entries=entries)


@lru_cache(maxsize=REMEMBERED)
def _preset_counts(n: int, starts: tuple[tuple[int, float], ...], goal: Goal) -> NDArray[np.int64]:
    """Take the counts at which one more error becomes tolerable, or some of them where many."""
    alpha, delta, start = goal.alpha, goal.delta, starts[len(starts) > 1][0]
    first, last = errors_allowed([start, n], alpha=alpha, delta=delta)
    allowed = np.unique(np.linspace(first, last, MOST_COUNTS).round().astype(np.int64))
    needs = labels_needed(allowed, alpha=alpha, delta=delta)
    # Past the last count that allows one more error nothing is lost by testing in between.
    tail = np.round(np.linspace(needs[-1], n, STEPS)).astype(np.int64)
    if len(starts) == 1:
        return np.unique(np.r_[needs, tail])
    level = starts[0][1] * delta
    most = int(errors_allowed(start, alpha=alpha, delta=level))
    few = np.unique(np.geomspace(START_ERRORS, most, EARLY_COUNTS).round().astype(np.int64))
    return np.unique(np.r_[labels_needed(few, alpha=alpha, delta=level), needs, tail])


def _above(ascending: Floats, counts: NDArray[np.int64], everything: float) -> Floats:
    """Give thresholds that accept what lies strictly above the (m + 1)-th largest value.

    Each is the next number above that value in single precision, unless a label lies in between:
    so it accepts the same in single as in double precision, whichever the caller compares in.
    """
    n = len(ascending)
    below = ascending[n - 1 - counts[counts < n]]
    least = np.append(ascending, np.inf)[np.searchsorted(ascending, below, side="right")]
    with np.errstate(over="ignore"):  # a double beyond single precision stays a double
        single = np.nextafter(below.astype(np.float32), np.float32(np.inf)).astype(np.float64)
    robust = (single > below) & (single <= least) & np.isfinite(single)
    return _falling(np.r_[np.where(robust, single, np.nextafter(below, np.inf)), everything])
