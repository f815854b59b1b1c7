"""Whether what a certificate was calibrated on still holds: two tests that may expire it.

Without labels: do confidences of now and of then come from one distribution? The rank statistic
of Anderson & Darling for two samples (Pettitt 1976; with ties: Scholz & Stephens 1987, eq. 7)
weighs the ends, where thresholds lie, and is compared with its permutations: exact, however many
values are tied. With labels: a bet against "at most a share alpha of the accepted judgments is
wrong", which may be looked at after every label (Ville 1939; Waudby-Smith & Ramdas 2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.steps import vector

__all__ = ["Drift", "drift_test", "risk_wealth"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

#: Confidences of more values than this are put into so many bins of about equal size.
MOST_BINS = 200

#: Permutations; the least p-value is one over one more.
PERMUTATIONS = 1999

#: Slack when a permuted statistic is compared with the observed one: rounding is no evidence.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Drift:
    """How far two samples are apart, and how often chance alone puts them so far.

    Attributes
    ----------
    statistic
        Anderson-Darling statistic for two samples; its mean without drift is about 1.
    p_value
        Share of permutations at least as far apart, the observed one counted: at most p with
        probability p where both samples are of one distribution. None where a sample is empty,
        with a `reason`.
    difference
        Largest difference between the two distribution functions, in [0, 1].
    n_reference, n
        Sizes of the two samples.
    """

    statistic: float | None
    p_value: float | None
    difference: float | None
    n_reference: int
    n: int
    reason: str | None = None


def drift_test(
    reference: ArrayLike,
    sample: ArrayLike,
    *,
    rng: np.random.Generator,
    n_permutations: int = PERMUTATIONS,
) -> Drift:
    """Test whether two samples are of one distribution.

    Parameters
    ----------
    reference, sample
        Numbers without NaN, independent of one another (one of each cluster), shapes
        (reference,) and (sample,). What both hold of one item makes the test err less often.
    rng
        Draws the permutations.
    n_permutations
        Permutations, at least 1.

    Returns
    -------
    Drift
        Without a p-value where a sample is empty. O(n log n) time, at most 200 x permutations
        numbers of memory besides the data.

    Raises
    ------
    ValueError
        For NaN, more than one dimension, or no permutation.

    Examples
    --------
    >>> shares = [0.6, 0.8, 1.0]
    >>> then, now = np.repeat(shares, [10, 20, 70]), np.repeat(shares, [30, 30, 40])
    >>> found = drift_test(then, now, rng=np.random.default_rng(0))
    >>> round(found.difference, 2), found.p_value
    (0.3, 0.0005)
    """
    then, now = vector("reference", reference), vector("sample", sample)
    if n_permutations < 1:
        raise ValueError(f"n_permutations = {n_permutations} must be at least 1")
    if not len(then) or not len(now):
        which = "reference" if not len(then) else "sample"
        return Drift(None, None, None, len(then), len(now), f"the {which} is empty")
    pooled = np.concatenate((then, now))
    code = _bins(pooled)
    total = np.bincount(code)
    fresh = np.bincount(code[len(then) :], minlength=len(total))
    observed = _anderson_darling(fresh[None, :], total)[0]
    shuffled = _permuted(total, len(now), n_permutations, rng)
    as_far = _anderson_darling(shuffled, total) >= observed * (1.0 - ROUNDING) - ROUNDING
    apart = np.cumsum(fresh) / len(now) - np.cumsum(total - fresh) / len(then)
    return Drift(
        statistic=float(observed),
        p_value=float((1 + np.count_nonzero(as_far)) / (1 + n_permutations)),
        difference=float(np.abs(apart).max()),
        n_reference=len(then),
        n=len(now),
    )


def risk_wealth(errors: ArrayLike, n: ArrayLike, *, alpha: float) -> Floats:
    """Bet 1 that more than a share alpha of judgments is wrong; give what it has become.

    Parameters
    ----------
    errors, n
        Whole numbers, any shapes that broadcast: errors among the first n labels.
    alpha
        Risk that was promised, in (0, 1).

    Returns
    -------
    ndarray
        Wealth. While the risk of every next judgment is at most alpha, it reaches 1 / level at any
        time with probability at most level, so the risk may be called above alpha where it did.

    Raises
    ------
    ValueError
        For counts that are not whole, negative or more errors than labels; alpha off (0, 1).

    Notes
    -----
    For q above alpha, ``(q / alpha)^errors ((1 - q) / (1 - alpha))^(n - errors)`` does not grow on
    average as long as the risk is at most alpha. The wealth is its mean over q uniform on
    (alpha, 1), an incomplete beta function; it depends on the counts, not on their order.

    Examples
    --------
    >>> [float(wealth.round(2)) for wealth in risk_wealth([0, 10, 20], [0, 100, 100], alpha=0.1)]
    [1.0, 0.05, 9.39]
    """
    from scipy.special import betaincc, betaln  # noqa: PLC0415 - scipy is imported late

    k, total = np.broadcast_arrays(as_floats("errors", errors), as_floats("n", n))
    if np.any(k != np.floor(k)) or np.any(total != np.floor(total)):
        raise ValueError("errors and n must be whole numbers")
    if np.any(k < 0) or np.any(k > total):
        raise ValueError("errors must lie between 0 and n")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha = {alpha} must lie strictly between 0 and 1")
    right = total - k
    with np.errstate(divide="ignore", over="ignore"):  # a lost bet is 0, a sure one may overflow
        log_mean = betaln(k + 1.0, right + 1.0) + np.log(betaincc(k + 1.0, right + 1.0, alpha))
        log_wealth = log_mean - k * np.log(alpha) - (right + 1.0) * np.log1p(-alpha)
        return np.asarray(np.exp(log_wealth), dtype=np.float64)


def _bins(pooled: Floats) -> NDArray[np.intp]:
    """Give each number its bin, of few values each value's own; sees the pooled sample alone."""
    values, code = np.unique(pooled, return_inverse=True)
    if len(values) <= MOST_BINS:
        return np.asarray(code)
    rank = np.cumsum(np.bincount(code)) / len(pooled)
    bin_of = np.minimum((rank * MOST_BINS).astype(np.intp), MOST_BINS - 1)
    return np.asarray(np.unique(bin_of, return_inverse=True)[1][code])


def _permuted(total: Counts, n: int, draws: int, rng: np.random.Generator) -> Counts:
    """Draw how many of n judgments picked blindly fall into each bin, (draws, bins)."""
    return np.asarray(rng.multivariate_hypergeometric(total, n, size=draws, method="marginals"))


def _anderson_darling(fresh: Counts, total: Counts) -> Floats:
    """Give the statistic of each row of counts (draws, bins), out of the pooled counts (bins,)."""
    size, n = int(total.sum()), fresh.sum(axis=1, keepdims=True)
    below = np.cumsum(total) - total / 2.0
    mine = np.cumsum(fresh, axis=1) - fresh / 2.0
    scale = below * (size - below) - size * total / 4.0
    gap = size * mine - n * below
    weight = np.divide(total, scale, out=np.zeros(len(total)), where=scale > 0)
    # Over both samples: gaps are the same but for their sign, so the sizes' inverses add up.
    both = 1.0 / n[:, 0] + 1.0 / (size - n[:, 0])
    found: Floats = (gap * gap) @ weight * both * (size - 1.0) / size**2
    return found
