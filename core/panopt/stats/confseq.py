"""Intervals for a mean, or a paired difference, that hold at every moment of a running evaluation.

An interval for a fixed number of items is wrong more often than it says once it is looked at again
and again, or once looking decides when to stop. A confidence sequence is wrong at any time with
probability alpha (`panopt.stats.confseq_wealth`; Waudby-Smith & Ramdas 2024; Howard et al. 2021).

Values must come in an order that does not depend on them: the schedule's. What is finished first is
not: quick items may be the easy ones. Take the finished beginning of the schedule, and an item that
failed as unknown, instead of leaving it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_clusters
from panopt.stats.confseq_closed import closed_form_low
from panopt.stats.confseq_running import RunningInterval, one_dimension, within
from panopt.stats.paired_data import cluster_codes

__all__ = [
    "ConfidenceSequence",
    "RunningInterval",
    "SequenceMethod",
    "by_cluster",
    "difference_ends",
    "difference_sequence",
    "mean_sequence",
]

Floats = NDArray[np.float64]
SequenceMethod = Literal["betting", "empirical_bernstein", "hoeffding"]


@dataclass(frozen=True, slots=True, eq=False)
class ConfidenceSequence:
    """Intervals after each value; all of them hold together.

    Attributes
    ----------
    low, high
        Ends after each step (n,), the steps before counted.
    estimate
        Mean of the known values after each step (n,); NaN before the first.
    n
        Steps: values, or complete clusters of them.
    read
        Values read when each step was taken (n,).
    alpha
        Probability that any of the intervals leaves out the mean.
    method
        What they are.
    reason
        Why they say nothing, or no more from some step on; None where they do.
    """

    low: Floats
    high: Floats
    estimate: Floats
    n: int
    read: NDArray[np.intp]
    alpha: float
    method: str
    reason: str | None


def mean_sequence(  # noqa: PLR0913 - the options of one estimate
    x: ArrayLike,
    *,
    alpha: float = 0.05,
    low: float = 0.0,
    high: float = 1.0,
    population: int | None = None,
    clusters: ArrayLike | None = None,
    method: SequenceMethod = "betting",
) -> ConfidenceSequence:
    """Bound a mean after each value, at all times at once.

    Parameters
    ----------
    x
        Values (values,) in the order of the schedule; NaN is unknown, and counts as `low` for the
        lower end and as `high` for the upper.
    alpha
        Probability, in (0, 1), that any interval leaves out the mean.
    low, high
        Least and largest value there can be.
    population
        Number of items (clusters, where given) of a finite data set that they are drawn from at
        random without replacement; None: the mean of items like these.
    clusters
        Key of each value's item; an item counts by its mean, when its last value is in.
    method
        ``betting`` is the narrowest. ``empirical_bernstein`` (Waudby-Smith & Ramdas 2024,
        theorem 2) and ``hoeffding`` (theorem 1) are there for comparison, no assumption is saved.

    Returns
    -------
    ConfidenceSequence
        O(values) time and memory; a hundred thousand values take under a second.

    Raises
    ------
    ValueError
        For values off [low, high], more of them than `population`, or options off their range.

    Examples
    --------
    >>> found = mean_sequence([1.0, 1.0, 0.0, 1.0] * 50)
    >>> [found.low[[9, 49, 199]].round(3).tolist(), found.high[[9, 49, 199]].round(3).tolist()]
    [[0.297, 0.541, 0.646], [0.996, 0.909, 0.839]]
    """
    values = one_dimension("x", x)
    _check_range(low, high)
    within("x", values, low, high)
    missing = np.isnan(values)
    ends = np.where(missing, low, values), np.where(missing, high, values)
    running = RunningInterval(alpha=alpha, population=population)
    return _sequence(ends, clusters, (low, high), running, method)


def difference_sequence(  # noqa: PLR0913 - the options of one estimate
    a: ArrayLike,
    b: ArrayLike,
    *,
    alpha: float = 0.05,
    low: float = 0.0,
    high: float = 1.0,
    population: int | None = None,
    clusters: ArrayLike | None = None,
    method: SequenceMethod = "betting",
) -> ConfidenceSequence:
    """Bound the mean of a - b over pairs after each pair, at all times at once.

    Parameters
    ----------
    a, b
        Scores of two systems on the same items (pairs,), in the order of the schedule, each in
        [low, high]; NaN is unknown: the pair then counts as far down, and up, as it may be.
    alpha, low, high, population, clusters, method
        As in :func:`mean_sequence`; `low` and `high` are those of a score.

    Returns
    -------
    ConfidenceSequence
        Of the mean difference, in [low - high, high - low].

    Raises
    ------
    ValueError
        As :func:`mean_sequence`, and for arrays of different length.

    Examples
    --------
    >>> found = difference_sequence([1, 1, 1, 1, 0] * 40, [1, 1, 0, 1, 0] * 40)
    >>> [float(end[-1].round(3)) for end in (found.estimate, found.low, found.high)]
    [0.2, 0.123, 0.3]
    """
    ends = difference_ends(a, b, low, high)
    running = RunningInterval(alpha=alpha, population=population)
    return _sequence(ends, clusters, (low - high, high - low), running, method)


def difference_ends(a: ArrayLike, b: ArrayLike, low: float, high: float) -> tuple[Floats, Floats]:
    """Give the least and the largest that each a - b can be, NaN being anything in [low, high].

    Raises
    ------
    ValueError
        For scores off [low, high], or arrays of different length.
    """
    x, y = one_dimension("a", a), one_dimension("b", b)
    if x.shape != y.shape:
        raise ValueError(f"a and b must have one score a pair each, not {len(x)} and {len(y)}")
    _check_range(low, high)
    within("a", x, low, high)
    within("b", y, low, high)
    no_x, no_y = np.isnan(x), np.isnan(y)
    least = np.where(no_x, low, x) - np.where(no_y, high, y)
    most = np.where(no_x, high, x) - np.where(no_y, low, y)
    return least, most


def by_cluster(
    ends: tuple[Floats, Floats], clusters: ArrayLike | None
) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Average what values lie between by cluster, in the order in which clusters are complete.

    Returns
    -------
    tuple
        Least and largest mean of each cluster, and how many values were read when its last was.

    Raises
    ------
    ValueError
        For clusters of another shape than the values.
    """
    least, most = ends
    if clusters is None:
        return least, most, np.arange(1, len(least) + 1)
    keys = as_clusters("clusters", clusters)
    if keys.shape != least.shape:
        raise ValueError(
            f"clusters must have the shape of the values, {least.shape}, not {keys.shape}"
        )
    codes, many = cluster_codes(keys)
    size = np.bincount(codes, minlength=many)
    last = np.zeros(many, dtype=np.intp)
    np.maximum.at(last, codes, np.arange(1, len(codes) + 1))
    order = np.argsort(last)
    means = [np.bincount(codes, part, many)[order] / size[order] for part in (least, most)]
    return means[0], means[1], last[order]


def _sequence(
    ends: tuple[Floats, Floats],
    clusters: ArrayLike | None,
    scale: tuple[float, float],
    running: RunningInterval,
    method: SequenceMethod,
) -> ConfidenceSequence:
    if method not in get_args(SequenceMethod):
        raise ValueError(
            f"method = {method!r} must be one of {', '.join(get_args(SequenceMethod))}"
        )
    least, most, read = by_cluster(ends, clusters)
    base, width = scale[0], scale[1] - scale[0]
    lows, highs = (np.clip((part - base) / width, 0.0, 1.0) for part in (least, most))
    if method == "betting":
        low, high = running.take(lows, highs)
        named = running.method
    else:
        running.refuse_more(len(lows))
        half, population = running.alpha / 2.0, running.population
        low = closed_form_low(lows, alpha=half, population=population, method=method)
        high = 1.0 - closed_form_low(1.0 - highs, alpha=half, population=population, method=method)
        running.agree(low, high)
        named = f"{method.replace('_', ' ')}; valid at every time"
    known = least == most
    count = np.cumsum(known)
    total = np.cumsum(np.where(known, least, 0.0))
    estimate = np.divide(total, count, out=np.full(len(least), np.nan), where=count > 0)
    return ConfidenceSequence(
        low=base + width * low,
        high=base + width * high,
        estimate=estimate,
        n=len(least),
        read=read,
        alpha=running.alpha,
        method=named,
        reason=running.reason if len(least) else "there are no values",
    )


def _check_range(low: float, high: float) -> None:
    if not (low < high and np.isfinite(2.0 * float(high) - 2.0 * float(low))):
        raise ValueError(f"low = {low} and high = {high} must be finite, low below high")
