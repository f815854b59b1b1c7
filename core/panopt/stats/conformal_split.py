"""Bound a new residual by the k-th smallest of the calibration ones: split conformal prediction.

With ``k = ceil((n + 1)(1 - alpha))`` a new residual, exchangeable with the n calibration ones, is
among the k smallest of all n + 1 with probability at least 1 - alpha, whatever their distribution
(Vovk et al. 2005; Lei et al. 2018, section 2.2). Given the calibration set the coverage is
Beta(k, n + 1 - k) (Vovk 2012).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats

__all__ = [
    "EXCHANGEABLE",
    "SplitThreshold",
    "coverage_band",
    "kth_smallest",
    "one_row",
    "ordinal_levels",
    "rank_and_need",
    "split_interval",
    "split_threshold",
    "too_few",
]

Floats = NDArray[np.float64]

EXCHANGEABLE = "labelled and new responses are exchangeable (drawn alike, in random order)"

#: Rounding in the last digits must not push a level out of its interval.
ROUNDING = 1e-9

#: From how many values on a sample first says where their k-th smallest lies, and its size.
_MANY = 50_000
_SAMPLE = 4096


@dataclass(frozen=True, slots=True)
class SplitThreshold:
    """Bound on the residual of a new response.

    Attributes
    ----------
    value
        The bound, in units of the residuals; infinity (the whole scale) where there are fewer
        than `labels_needed` of them.
    n, k
        Residuals; which of them in rising order the bound is (above n: none).
    coverage_low, coverage_high
        5% and 95% points of the coverage this calibration set really gives.
    labels_needed
        Fewest residuals with a finite bound.
    alpha
        Miscoverage asked for.
    assumption
        What the coverage rests on.
    reason
        Why the bound is infinite; None where it is not.
    """

    value: float
    n: int
    k: int
    coverage_low: float
    coverage_high: float
    labels_needed: int
    alpha: float
    assumption: str
    reason: str | None


def split_threshold(residuals: ArrayLike, *, alpha: float = 0.1) -> SplitThreshold:
    """Bound the residual of a new response with probability 1 - alpha.

    Parameters
    ----------
    residuals
        Nonconformity of each labelled response, shape (labels,), e.g. ``|human - panel|``; the
        panel's value must not have been fitted on these labels.
    alpha
        Miscoverage in (0, 1).

    Returns
    -------
    SplitThreshold
        With value infinity and a reason where ``k > n``.

    Raises
    ------
    ValueError
        For NaN residuals or alpha outside (0, 1).

    Notes
    -----
    O(n) time by partition. `alpha` is read as the decimal it is written as, so that
    ``alpha=0.29, n=99`` takes the 71st residual and not, by rounding, the 72nd.

    Examples
    --------
    >>> result = split_threshold([0.3, 0.1, 0.9, 0.2, 0.4, 0.6, 0.5, 0.8, 0.7], alpha=0.2)
    >>> result.value, result.k, round(result.coverage_low, 4)
    (0.8, 8, 0.5709)
    >>> split_threshold([0.1, 0.2], alpha=0.1).reason
    '2 labels give no finite bound at alpha = 0.1: 9 are needed'
    """
    r = one_row("residuals", residuals)
    k, needed = rank_and_need(len(r), alpha)
    n = len(r)
    finite = k <= n
    low, high = coverage_band(k, n) if finite else (1.0, 1.0)
    return SplitThreshold(
        value=kth_smallest(r, k) if finite else np.inf,
        n=n,
        k=k,
        coverage_low=low,
        coverage_high=high,
        labels_needed=needed,
        alpha=alpha,
        assumption=EXCHANGEABLE,
        reason=None if finite else too_few(n, alpha, needed),
    )


def rank_and_need(n: int, alpha: float) -> tuple[int, int]:
    """Give which of n residuals in rising order bounds a new one, and how many any bound takes.

    Raises
    ------
    ValueError
        For alpha outside (0, 1).

    Examples
    --------
    >>> rank_and_need(99, 0.29), rank_and_need(8, 0.1)
    ((71, 3), (9, 9))
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha = {alpha} must lie strictly between 0 and 1")
    share = Fraction(str(float(alpha)))
    return ceil((n + 1) * (1 - share)), ceil(1 / share) - 1


def kth_smallest(values: Floats, k: int) -> float:
    """Give the k-th smallest of a row without NaN, k from 1.

    Of many values all but those near it are set aside first, by where it lies in a sample of them
    (Floyd & Rivest 1975): a third of the time of a partition, and exact whatever the sample.

    Examples
    --------
    >>> kth_smallest(np.array([0.3, 0.1, 0.2]), 2)
    0.2
    """
    n = len(values)
    if n >= _MANY:
        sample = np.sort(values[:: n // _SAMPLE])
        at, reach = k / n * len(sample), 4.0 * np.sqrt(len(sample))
        first, last = int(at - reach / 2), int(at + reach / 2)
        low = sample[first] if first >= 0 else -np.inf
        high = sample[last] if last < len(sample) else np.inf
        before = int(np.count_nonzero(values < low))
        near = values[(values >= low) & (values <= high)]
        if before < k <= before + len(near):
            return float(np.partition(near, k - before - 1)[k - before - 1])
    return float(np.partition(values, k - 1)[k - 1])


def too_few(n: int, alpha: float, needed: int, what: str = "labels") -> str:
    """Say that so many labels give no finite bound."""
    return f"{n} {what} give no finite bound at alpha = {alpha:g}: {needed} are needed"


def one_row(name: str, values: ArrayLike) -> Floats:
    """Give nonconformities of labelled responses as a row of numbers without NaN.

    Raises
    ------
    ValueError
        For another shape, or NaN.
    """
    r = as_floats(name, values)
    if r.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not {r.ndim}")
    if r.size and np.isnan(r.min()):
        raise ValueError(f"{name} must not be NaN; leave responses without label or value out")
    return r


def coverage_band(k: int, n: int) -> tuple[float, float]:
    """Give the 5% and 95% points of the coverage of the k-th smallest of n: Beta(k, n + 1 - k).

    Exact for residuals without ties; with ties the coverage is larger, never smaller (Vovk 2012).

    Examples
    --------
    >>> [round(end, 4) for end in coverage_band(91, 100)]
    [0.8482, 0.9447]
    """
    from scipy.special import betaincinv  # noqa: PLC0415 - scipy is imported late

    low, high = betaincinv(float(k), float(n + 1 - k), np.array([0.05, 0.95]))
    return float(low), float(high)


def split_interval(
    prediction: ArrayLike,
    threshold: float,
    *,
    scale_low: float,
    scale_high: float,
    spread: ArrayLike | None = None,
) -> tuple[Floats, Floats]:
    """Give the interval of each human score: prediction -+ threshold, within the scale.

    Parameters
    ----------
    prediction
        Panel value of each response, any shape, in units of the scale; NaN where there is none.
    threshold
        Bound from :func:`split_threshold`, not negative; infinity gives the whole scale.
    scale_low, scale_high
        Ends of the scale.
    spread
        Where residuals were divided by a spread (``|h - f| / s``): s of each response, positive.

    Returns
    -------
    tuple of ndarray
        Low and high ends, NaN where the prediction is.

    Raises
    ------
    ValueError
        For infinite predictions, a threshold or ends that bound nothing, or a spread that is not
        positive or of another shape.

    Examples
    --------
    >>> low, high = split_interval([0.1, 0.5], 0.25, scale_low=0.0, scale_high=1.0)
    >>> low.tolist(), high.tolist()
    ([0.0, 0.25], [0.35, 0.75])
    """
    f = as_floats("prediction", prediction)
    if not scale_low < scale_high:
        raise ValueError(f"scale_low = {scale_low} must be below scale_high = {scale_high}")
    if np.isinf(f).any():
        raise ValueError("prediction must be finite, NaN where there is none")
    if np.ndim(threshold) or not threshold >= 0.0:
        raise ValueError(f"threshold = {threshold} must be one number, not negative, not NaN")
    half: float | Floats = float(threshold)
    if spread is not None:
        s = as_floats("spread", spread)
        if s.ndim and s.shape != f.shape:
            raise ValueError(f"spread of shape {s.shape} must have that of prediction: {f.shape}")
        s = np.broadcast_to(s, f.shape)
        if np.any(s[~np.isnan(f)] <= 0):
            raise ValueError("spread must be positive wherever there is a prediction")
        half = threshold * s
    ends = np.empty((2, *f.shape))  # one block: asking for memory is most of the time
    np.subtract(f, half, out=ends[0])
    np.add(f, half, out=ends[1])
    np.clip(ends, scale_low, scale_high, out=ends)
    return ends[0], ends[1]


def ordinal_levels(
    low: ArrayLike, high: ArrayLike, levels: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the set of levels each interval holds, as first and last index into `levels`.

    An interval between two levels holds none; it is given the nearest one, a larger set, so the
    coverage of human scores that are levels is kept.

    Parameters
    ----------
    low, high
        Ends of the intervals, any shape; NaN where there is none.
    levels
        Levels of the scale, rising.

    Returns
    -------
    tuple of ndarray
        Indices, first <= last; -1 where there is no interval.

    Examples
    --------
    >>> first, last = ordinal_levels([1.2, 2.6], [3.4, 2.7], [1, 2, 3, 4, 5])
    >>> first.tolist(), last.tolist()
    ([1, 2], [2, 2])
    """
    a, b = as_floats("low", low), as_floats("high", high)
    steps = as_floats("levels", levels)
    if a.shape != b.shape:
        raise ValueError(f"low and high differ in shape: {a.shape} and {b.shape}")
    if steps.ndim != 1 or not steps.size or not np.isfinite(steps).all():
        raise ValueError("levels must be one row of at least one level, all of them finite")
    if np.any(np.diff(steps) <= 0):
        raise ValueError("levels must be one rising row of at least one level")
    if np.any(a > b):
        raise ValueError("low must not lie above high")
    slack = ROUNDING * float(max(np.abs(steps).max(), 1.0))
    first = np.searchsorted(steps, a - slack, side="left")
    last = np.searchsorted(steps, b + slack, side="right") - 1
    nearest = np.searchsorted((steps[1:] + steps[:-1]) / 2.0, (a + b) / 2.0)
    empty, none = first > last, np.isnan(a) | np.isnan(b)
    first = np.where(none, -1, np.where(empty, nearest, first))
    last = np.where(none, -1, np.where(empty, nearest, last))
    return first, last
