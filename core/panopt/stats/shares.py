"""How evenly the votes on a response are split, and how much single judges contradict themselves.

The law of total variance over judges and their repeats: a response's variance is that of the
judges' own means plus the mean of the variances within judges, the latter taken out of the former
where it was estimated from R repeats (``var of means - within / R``, floored at 0).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["larger_share", "within_share"]

Floats = NDArray[np.float64]
Codes = NDArray[np.integer]
Counts = NDArray[np.int64]


def larger_share(response: Codes, side: Codes, n_responses: int) -> Floats:
    """Give the share of each response's votes that are on its larger side.

    Parameters
    ----------
    response, side
        Code of the response and of the side, a label or pass and fail, of each vote; side -1 is
        no vote.
    n_responses
        Number of responses.

    Returns
    -------
    ndarray
        Shape (n_responses,); NaN below two votes.

    Examples
    --------
    >>> larger_share(np.array([0, 0, 0, 1]), np.array([1, 1, 0, 1]), 2).round(3)
    array([0.667,   nan])
    """
    voted = side >= 0
    width = int(side.max(initial=0)) + 1
    key = response[voted].astype(np.int64) * width + side[voted]
    cells, counts = np.unique(key, return_counts=True)
    largest = np.zeros(n_responses)
    np.maximum.at(largest, cells // width, counts)
    total = np.bincount(response[voted], minlength=n_responses)
    return _divide(largest, total, total >= 2, np.nan)


def within_share(response: Codes, judge: Codes, score: Floats, n_responses: int) -> Floats:
    """Give the share of each response's variance that is within judges, over their repeats.

    Parameters
    ----------
    response, judge, score
        Code of response and judge, and score, of each judgment; NaN scores do not count.
    n_responses
        Number of responses.

    Returns
    -------
    ndarray
        Shape (n_responses,); NaN where no judge scored twice or nothing varies. O(judgments).

    Examples
    --------
    >>> response, judge = np.zeros(4, dtype=int), np.array([0, 0, 1, 1])
    >>> within_share(response, judge, np.array([0.0, 1.0, 1.0, 0.0]), 1)
    array([1.])
    >>> within_share(response, judge, np.array([0.1, 0.1, 0.9, 0.9]), 1)
    array([0.])
    """
    ok = ~np.isnan(score)
    judges = int(judge.max(initial=0)) + 1
    key = response[ok].astype(np.int64) * judges + judge[ok]
    cell, code, repeats = np.unique(key, return_inverse=True, return_counts=True)
    of, again = cell // judges, repeats > 1
    if not again.any():
        return np.full(n_responses, np.nan)
    mean = np.bincount(code, weights=score[ok]) / repeats
    square = np.bincount(code, weights=(score[ok] - mean[code]) ** 2)
    within = _divide(square, repeats - 1.0, again, 0.0)
    count, repeated = (np.bincount(x, minlength=n_responses) for x in (of, of[again]))
    noise = _mean(of[again], within[again], repeated)
    centre = _mean(of, mean, count)
    spread = np.bincount(of, weights=(mean - centre[of]) ** 2, minlength=n_responses)
    between = _divide(spread, count - 1.0, count > 1, 0.0)
    own = np.maximum(between - noise * _mean(of, 1.0 / repeats, count), 0.0)
    return _divide(noise, noise + own, (repeated > 0) & (noise + own > 0.0), np.nan)


def _mean(of: Counts, x: Floats, count: Counts) -> Floats:
    return _divide(np.bincount(of, weights=x, minlength=len(count)), count, count > 0, 0.0)


def _divide(
    over: NDArray[np.number], under: NDArray[np.number], where: NDArray[np.bool_], other: float
) -> Floats:
    quotient: Floats = np.divide(over, under, out=np.full(over.shape, other), where=where)
    return quotient
