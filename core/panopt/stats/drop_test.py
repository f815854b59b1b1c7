"""Whether a candidate scores lower than a baseline by more than is tolerated.

One-sided bounds of the mean drop over paired items. Student's t errs on one side where a few large
differences decide, and the accelerated bootstrap errs elsewhere; so the bound is the more cautious
of the two (and of Tango's score bound, for single binary scores). A drop is shown only if the
sign-flip test rejects, too: for systems that are exchangeable on every cluster that happens with
probability alpha at most, whatever the scores and however few. And for scores on [0, 1] the bound
from above leaves room for total losses on items so rare that none of them was drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.paired import Method, PairedDifference, paired_difference
from panopt.stats.paired_data import Differences, pair_up
from panopt.stats.signflip import permutation_test
from panopt.stats.tango import tango_interval

__all__ = ["DropBounds", "drop_bounds"]

Floats = NDArray[np.float64]

_METHODS: tuple[Method, ...] = ("t", "bca")


@dataclass(frozen=True, slots=True)
class DropBounds:
    """How far a candidate fell, with a bound on either side.

    Attributes
    ----------
    value
        Mean drop: baseline less candidate, positive where the candidate is worse.
    low
        The drop is at least this, at level 1 - alpha_low; at most 0 where the sign-flip test
        cannot tell the systems apart. None with `reason`.
    high
        The drop is at most this, at level 1 - alpha_high. None with `reason`.
    se
        Cluster-robust standard error.
    p
        One-sided sign-flip p-value of no drop.
    n, n_clusters
        Pairs, and independent clusters of them.
    notes
        What to beware of.
    reason
        Why there are no bounds.
    """

    value: float | None
    low: float | None
    high: float | None
    se: float | None
    p: float | None
    n: int
    n_clusters: int
    notes: tuple[str, ...]
    reason: str | None


def drop_bounds(  # noqa: PLR0913 - the options of one test
    baseline: ArrayLike,
    candidate: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    alpha_low: float = 0.05,
    alpha_high: float = 0.05,
    rng: np.random.Generator | None = None,
) -> DropBounds:
    """Bound the mean of baseline - candidate from below and from above.

    Parameters
    ----------
    baseline, candidate
        Scores on the same items (pairs,); NaN is missing, and its pair left out.
    clusters
        Key of each pair's cluster; every pair its own where not given.
    alpha_low, alpha_high
        Probability that the true drop is below `low`, and that it is above `high`; in (0, .5).
    rng
        Source of randomness of the bootstrap; a generator of seed 0 where not given.

    Returns
    -------
    DropBounds
        Without bounds for fewer than two clusters, or where the spread cannot be estimated.

    Raises
    ------
    ValueError
        For arrays of different length, infinite scores, or levels off their range.

    Examples
    --------
    >>> found = drop_bounds([1] * 30 + [0] * 10, [1] * 18 + [0] * 22)
    >>> found.value, round(found.low, 3), round(found.high, 3), round(found.p, 6)
    (0.3, 0.175, 0.434, 0.000244)
    """
    for name, alpha in (("alpha_low", alpha_low), ("alpha_high", alpha_high)):
        if not 0.0 < alpha < 0.5:
            raise ValueError(f"{name} = {alpha} must lie strictly between 0 and .5")
    source = np.random.default_rng(0) if rng is None else rng
    pairs = pair_up(baseline, candidate, clusters)
    below, by_t = _ends(pairs, alpha_low, source)
    above = below if alpha_high == alpha_low else _ends(pairs, alpha_high, source)[0]
    if by_t.reason is not None or not below or not above or by_t.value is None:
        return DropBounds(
            by_t.value,
            low=None,
            high=None,
            se=by_t.se,
            p=None,
            n=pairs.n,
            n_clusters=pairs.n_clusters,
            notes=by_t.notes,
            reason=by_t.reason,
        )
    low, high = min(low for low, _ in below), max(high for _, high in above)
    test = permutation_test(pairs.a, pairs.b, clusters=pairs.codes, rng=source)
    both = 1.0 if test.p is None else test.p
    p = both / 2.0 if by_t.value > 0.0 else 1.0 - both / 2.0
    if p > alpha_low:
        low = min(low, 0.0)
    if min(pairs.a.min(), pairs.b.min()) >= 0.0 and max(pairs.a.max(), pairs.b.max()) <= 1.0:
        # This share of items may lose all their score without one of them having been drawn.
        unseen = 1.0 - alpha_high ** (1.0 / pairs.n_clusters)
        high = max(high, by_t.value + unseen * (1.0 - by_t.value))
    return DropBounds(
        by_t.value,
        low=low,
        high=high,
        se=by_t.se,
        p=p,
        n=pairs.n,
        n_clusters=pairs.n_clusters,
        notes=by_t.notes,
        reason=None,
    )


def _ends(
    pairs: Differences, alpha: float, rng: np.random.Generator
) -> tuple[list[tuple[float, float]], PairedDifference]:
    """Give the bounds of every method at one one-sided level, and what t has found."""
    found = [
        paired_difference(
            pairs.a, pairs.b, clusters=pairs.codes, alpha=2.0 * alpha, method=method, rng=rng
        )
        for method in _METHODS
    ]
    ends = [(one.low, one.high) for one in found if one.low is not None and one.high is not None]
    tango = _tango(pairs.a, pairs.b, single=pairs.codes is None, alpha=alpha)
    if ends and tango is not None:
        ends.append(tango)
    return ends, found[0]


def _tango(a: Floats, b: Floats, *, single: bool, alpha: float) -> tuple[float, float] | None:
    """Give the score bounds of single binary scores; None for others."""
    from scipy.special import stdtrit  # noqa: PLC0415 - scipy is imported late

    binary = np.isin(a, (0.0, 1.0)).all() and np.isin(b, (0.0, 1.0)).all()
    if not single or len(a) < 2 or not binary:
        return None
    ahead, behind = int(np.count_nonzero(a > b)), int(np.count_nonzero(a < b))
    reach = float(stdtrit(len(a) - 1.0, 1.0 - alpha)) * sqrt(1.0 + 1.0 / len(a))
    return tango_interval(ahead, behind, len(a), reach=reach)
