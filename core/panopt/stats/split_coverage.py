"""Split labelled responses again and again, and see which coverage conformal bounds then have.

Given its calibration set a split conformal bound covers a share Beta(k, n + 1 - k) of new responses
(Vovk 2012), of m held-out ones therefore a beta-binomial number. Splits of one set of distinct
residuals follow that law exactly, whatever the residuals are; tied ones are covered more often.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.conformal_split import kth_smallest, one_row, rank_and_need, too_few

__all__ = ["SplitCoverage", "coverage_law", "split_coverage"]

Floats = NDArray[np.float64]

#: Probability of the middle part of the law.
MIDDLE = 0.95


@dataclass(frozen=True, slots=True)
class SplitCoverage:
    """Coverage of split conformal bounds over random splits of labelled responses.

    Attributes
    ----------
    coverage
        Share of the held-out responses within the bound, of each split (splits,).
    law
        Probability of each share 0/m, 1/m ... m/m where residuals are distinct (m + 1,).
    law_low, law_high
        Ends of its middle 95%, shares of m.
    expected
        Its mean, ``k / (n + 1)``.
    n, m, k
        Labels that calibrate, labels held out, which residual in rising order is the bound.
    alpha
        Miscoverage asked for.
    distinct
        Share of the residuals that are distinct; below 1, coverage is above the law.
    """

    coverage: Floats
    law: Floats
    law_low: float
    law_high: float
    expected: float
    n: int
    m: int
    k: int
    alpha: float
    distinct: float


def split_coverage(
    residuals: ArrayLike,
    *,
    rng: np.random.Generator,
    alpha: float = 0.1,
    splits: int = 1000,
    labels: int | None = None,
) -> SplitCoverage:
    """Calibrate on random parts of labelled responses and count what the bound covers of the rest.

    Parameters
    ----------
    residuals
        Nonconformity of each labelled response, shape (labels,), made without these labels.
    rng
        Draws the splits.
    alpha
        Miscoverage in (0, 1).
    splits
        Random splits, at least 1.
    labels
        Labels that calibrate, at least one less than there are; half of them where not given.

    Raises
    ------
    ValueError
        For NaN residuals, options off their range, or labels too few for a finite bound.

    Notes
    -----
    O(splits labels) time, O(labels + splits) memory.

    Examples
    --------
    >>> import numpy as np
    >>> found = split_coverage(np.arange(200.0), rng=np.random.default_rng(0))
    >>> found.n, found.m, found.k, round(found.expected, 4), found.law_low, found.law_high
    (100, 100, 91, 0.901, 0.81, 0.97)
    """
    r = one_row("residuals", residuals)
    if isinstance(splits, bool) or splits != int(splits) or splits < 1:
        raise ValueError(f"splits = {splits!r} must be a whole number of at least 1")
    n = len(r) // 2 if labels is None else labels
    if isinstance(n, bool) or n != int(n) or not 0 <= n < max(len(r), 1):
        raise ValueError(f"labels = {n!r} must be a whole number below the {len(r)} residuals")
    k, needed = rank_and_need(n, alpha)
    if k > n:
        raise ValueError(too_few(n, alpha, needed))
    m = len(r) - n
    coverage = np.empty(splits)
    for split in range(splits):
        drawn = rng.permutation(r)
        coverage[split] = np.count_nonzero(drawn[n:] <= kth_smallest(drawn[:n], k)) / m
    law = coverage_law(n, m, k)
    upto = np.cumsum(law)
    low, high = np.searchsorted(upto, [(1.0 - MIDDLE) / 2.0, (1.0 + MIDDLE) / 2.0])
    return SplitCoverage(
        coverage,
        law,
        float(low / m),
        float(min(high, m) / m),
        k / (n + 1),
        n,
        m,
        k,
        alpha,
        len(np.unique(r)) / len(r),
    )


def coverage_law(n: int, m: int, k: int) -> Floats:
    """Give the probability of each number of m new responses below the k-th smallest of n.

    Beta-binomial(m; k, n + 1 - k), exact for distinct exchangeable residuals.

    Examples
    --------
    >>> coverage_law(1, 1, 1).round(4).tolist()
    [0.5, 0.5]
    """
    if not 1 <= k <= n or m < 1:
        raise ValueError(f"k = {k} must lie from 1 to n = {n}, and m = {m} be at least 1")
    from scipy.special import betaln  # noqa: PLC0415 - scipy is imported late

    hit = np.arange(m + 1, dtype=np.float64)
    ways = -betaln(hit + 1.0, m - hit + 1.0) - np.log(m + 1.0)
    law = np.exp(ways + betaln(hit + k, m - hit + n + 1.0 - k) - betaln(k, n + 1.0 - k))
    return np.asarray(law / law.sum())
