"""Exact bounds on an error rate from counted errors, and how many labels a bound needs.

Clopper & Pearson 1934 (exact), Wilson 1927 (score interval), Zubkov & Serov 2012 (the bracket of
the binomial tail that makes many exact tests cheap). Every function is vectorised; no
bound here depends on a normal approximation except Wilson's, which says so.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats

__all__ = [
    "certifies",
    "clopper_pearson",
    "errors_allowed",
    "labels_needed",
    "risk_upper",
    "wilson",
    "zero_error_labels",
]

Floats = NDArray[np.float64]

#: Relative slack of a probability compared with its level: rounding in the last digits must not
#: turn a count that meets the level exactly (alpha = .1, delta = .81, n = 2) into a failure.
ROUNDING = 1e-12

#: Counts from here on are no longer exact as floats.
MOST = 2.0**53

#: Counts whose bracket comes closer than this to the level are summed exactly.
BRACKET = 1e-6


def risk_upper(errors: ArrayLike, n: ArrayLike, delta: float) -> Floats:
    """Bound an error rate from above, exactly, with probability 1 - delta.

    Parameters
    ----------
    errors, n
        Whole numbers, any shapes that broadcast: errors counted among `n` independent trials.
    delta
        Probability that the bound lies below the true rate, in (0, 1).

    Returns
    -------
    ndarray
        Clopper-Pearson upper bound: the (1 - delta) quantile of Beta(errors + 1, n - errors);
        1 where every trial failed or there was none.

    Raises
    ------
    ValueError
        For counts that are not whole, negative or more errors than trials.

    Examples
    --------
    >>> risk_upper([0, 0, 3], [30, 0, 3], 0.1).round(4)
    array([0.0739, 1.    , 1.    ])
    """
    from scipy.special import betainccinv  # noqa: PLC0415 - scipy is imported late

    k, total = _counts(errors, n)
    _probability("delta", delta)
    open_above = k < total
    rest = np.where(open_above, total - k, 1.0)
    return np.where(open_above, betainccinv(k + 1.0, rest, delta), 1.0)


def clopper_pearson(
    successes: ArrayLike, n: ArrayLike, *, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Give the exact two-sided interval of a rate; it covers at least `level` at every n.

    Parameters
    ----------
    successes, n
        Whole numbers, any shapes that broadcast.
    level
        Confidence level in (0, 1), split evenly between both sides.

    Returns
    -------
    tuple of ndarray
        Low and high ends; (0, 1) where `n` is 0.

    Examples
    --------
    >>> low, high = clopper_pearson(8, 10)
    >>> round(float(low), 4), round(float(high), 4)
    (0.4439, 0.9748)
    """
    k, total = _counts(successes, n)
    _probability("level", level)
    tail = (1.0 - level) / 2.0
    return 1.0 - risk_upper(total - k, total, tail), risk_upper(k, total, tail)


def wilson(successes: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Give Wilson's score interval of a rate: covers about `level`, also at small n.

    Parameters
    ----------
    successes, n
        Any shapes that broadcast; `n` > 0 need not be whole, so that an effective sample size
        (clustered trials) can stand for it, with ``successes = rate * n``.
    level
        Confidence level in (0, 1).

    Returns
    -------
    tuple of ndarray
        Low and high ends.

    Examples
    --------
    >>> low, high = wilson(8, 10)
    >>> round(float(low), 4), round(float(high), 4)
    (0.4902, 0.9433)
    """
    from scipy.special import ndtri  # noqa: PLC0415 - scipy is imported late

    k, total = as_floats("successes", successes), as_floats("n", n)
    if np.any(~(total > 0)) or np.any(~((k >= 0) & (k <= total))):
        raise ValueError("successes must lie between 0 and n, and n above 0")
    _probability("level", level)
    z2 = float(ndtri((1.0 + level) / 2.0)) ** 2
    rate = k / total
    middle = (rate + z2 / (2.0 * total)) / (1.0 + z2 / total)
    half = np.sqrt(z2 * (rate * (1.0 - rate) / total + z2 / (4.0 * total**2))) / (1.0 + z2 / total)
    # At no success and no failure the end is exactly 0 or 1; rounding leaves 1e-17 of it.
    low = np.where(k == 0, 0.0, np.maximum(middle - half, 0.0))
    high = np.where(k == total, 1.0, np.minimum(middle + half, 1.0))
    return low, high


def certifies(errors: ArrayLike, n: ArrayLike, *, alpha: float, delta: float) -> NDArray[np.bool_]:
    """Tell which counts show, at level delta, that the error rate is at most alpha.

    The same answer as ``risk_upper(errors, n, delta) <= alpha``, from the binomial tail
    P(Bin(n, alpha) <= errors) <= delta, which costs less than its inverse.

    Examples
    --------
    >>> certifies([0, 0, 1], [21, 22, 22], alpha=0.1, delta=0.1)
    array([False,  True, False])
    """
    from scipy.special import betaincc, ndtri  # noqa: PLC0415 - scipy is imported late

    _probability("alpha", alpha)
    _probability("delta", delta)
    counts = np.broadcast_arrays(*_counts(errors, n))
    shape = counts[0].shape
    k, total = counts[0].ravel(), counts[1].ravel()
    passed = np.zeros(k.shape, dtype=np.bool_)
    # The tail lies between Phi(g(k)) and Phi(g(k + 1)), g the signed root of twice the
    # log-likelihood ratio: two logarithms settle all counts but one or two at each n, and only
    # those are summed exactly (16 times as dear at n = 1e6).
    inner = (k > 0) & (k < total - 1)
    z = float(ndtri(delta))
    passed[inner] = _signed_root(k[inner] + 1.0, total[inner], alpha) <= z - BRACKET
    unsettled = (k < total) & ~passed
    unsettled[inner] &= _signed_root(k[inner], total[inner], alpha) <= z + BRACKET
    few, of = k[unsettled], total[unsettled]
    passed[unsettled] = betaincc(few + 1.0, of - few, alpha) <= delta * (1.0 + ROUNDING)
    return passed.reshape(shape)


def _signed_root(errors: Floats, n: Floats, alpha: float) -> Floats:
    """Give sign(k/n - alpha) sqrt(2 n KL(k/n, alpha)), 0 < errors < n (Zubkov & Serov 2012)."""
    rate = errors / n
    ratio = errors * np.log(rate / alpha) + (n - errors) * np.log((1.0 - rate) / (1.0 - alpha))
    return np.copysign(np.sqrt(2.0 * np.maximum(ratio, 0.0)), rate - alpha)


def labels_needed(errors: ArrayLike, *, alpha: float, delta: float) -> NDArray[np.int64]:
    """Give the least n at which this many errors still certify an error rate of alpha.

    Parameters
    ----------
    errors
        Whole numbers, any shape.
    alpha, delta
        Tolerated error rate and failure probability, each in (0, 1).

    Returns
    -------
    ndarray of int
        Same shape as `errors`.

    Examples
    --------
    >>> labels_needed([0, 1, 2], alpha=0.1, delta=0.1)
    array([22, 38, 52])
    """
    from scipy.special import gammainccinv  # noqa: PLC0415 - scipy is imported late

    k = _whole("errors", errors)
    _probability("alpha", alpha)
    _probability("delta", delta)
    # P(Bin(n, alpha) <= k) is nearly P(Poisson((2n - k) alpha / (2 - alpha)) <= k): the root of
    # the latter is a step or two off, which the exact tail then mends.
    root = (gammainccinv(k + 1.0, delta) * (2.0 - alpha) / alpha + k) / 2.0
    high = np.maximum(np.ceil(root).astype(np.int64), k + 1)
    step = 1
    while not (enough := certifies(k, high, alpha=alpha, delta=delta)).all():
        high, step = np.where(enough, high, high + step), 2 * step
    low, step = np.maximum(high - 1, k), 1
    while (enough := certifies(k, low, alpha=alpha, delta=delta)).any():
        high = np.where(enough, low, high)
        low, step = np.where(enough, np.maximum(low - step, k), low), 2 * step
    while np.any(high - low > 1):
        middle = (low + high) // 2
        enough = certifies(k, middle, alpha=alpha, delta=delta)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.asarray(high)


def errors_allowed(n: ArrayLike, *, alpha: float, delta: float) -> NDArray[np.int64]:
    """Give the most errors among n labels that still certify an error rate of alpha.

    The inverse of :func:`labels_needed`; -1 where not even an empty count certifies.

    Examples
    --------
    >>> errors_allowed([21, 22, 37, 38], alpha=0.1, delta=0.1)
    array([-1,  0,  0,  1])
    """
    total = _whole("n", n)
    _probability("alpha", alpha)
    _probability("delta", delta)
    low = np.full(total.shape, -1, dtype=np.int64)
    high = total.copy()  # as many errors as labels never certify
    while np.any(high - low > 1):
        middle = np.maximum((low + high) // 2, 0)
        enough = certifies(middle, total, alpha=alpha, delta=delta) & (high - low > 1)
        high = np.where(enough | (high - low <= 1), high, middle)
        low = np.where(enough, middle, low)
    return low


def zero_error_labels(alpha: float, delta: float) -> int:
    """Give the fewest labels that can certify: without one error, (1 - alpha)^n <= delta.

    Examples
    --------
    >>> [zero_error_labels(alpha, 0.05) for alpha in (0.01, 0.02, 0.05, 0.1)]
    [299, 149, 59, 29]
    """
    _probability("alpha", alpha)
    _probability("delta", delta)
    return _without_error(alpha, delta)


@lru_cache(maxsize=256)
def _without_error(alpha: float, delta: float) -> int:
    """Find the count once: every certificate asks for it, and replays make thousands."""
    return int(labels_needed(0, alpha=alpha, delta=delta))


def _counts(errors: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    k, total = as_floats("errors", errors), as_floats("n", n)
    if np.any(k != np.floor(k)) or np.any(total != np.floor(total)) or np.isinf(total).any():
        raise ValueError("errors and n must be whole numbers")
    if np.any(k < 0) or np.any(k > total):
        raise ValueError("errors must lie between 0 and n")
    return k, total


def _whole(name: str, values: ArrayLike) -> NDArray[np.int64]:
    given = as_floats(name, values)
    bad = ~((given >= 0) & (given == np.floor(given)) & (given < MOST))
    if bad.any():
        raise ValueError(f"{name} = {given[bad].flat[0]:g} must be a whole number from 0")
    return given.astype(np.int64)


def _probability(name: str, value: float) -> None:
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name} = {value} must lie strictly between 0 and 1")
