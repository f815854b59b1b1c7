"""Bounds on a drop that hold at every look at a growing run, in place of those for one look.

The same shape as :func:`panopt.stats.drop_test.drop_bounds`, by the bets of
`panopt.stats.confseq_wealth`: wider, 1.5 to 1.9 times as a rule, and valid however often they are
asked for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from panopt.stats.confseq import by_cluster
from panopt.stats.drop_test import DropBounds
from panopt.stats.evalue import anytime_gate
from panopt.stats.paired_data import pair_up

__all__ = ["anytime_drop_bounds"]

_UNEQUAL = "clusters differ in size: each counts once, by its mean"


def anytime_drop_bounds(
    baseline: ArrayLike,
    candidate: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    alpha_low: float = 0.05,
    alpha_high: float = 0.05,
) -> DropBounds:
    """Bound the mean of baseline - candidate from below and from above, at all looks at once.

    Parameters
    ----------
    baseline, candidate
        Scores in [0, 1] on the same items (pairs,), in any order; NaN is missing, and its pair
        left out.
    clusters
        Key of each pair's cluster, which counts once, by its mean; every pair its own where not
        given.
    alpha_low, alpha_high
        Probability that `low` is ever above the true drop, and that `high` is ever below it; in
        (0, .5).

    Returns
    -------
    DropBounds
        `p` is that of no drop, valid at whatever look it is read; there is no standard error.

    Raises
    ------
    ValueError
        For scores off [0, 1], arrays of different length, levels off their range.

    Notes
    -----
    The guarantee is for one run that grows, looked at as often as one likes, if the items in it so
    far are no easier than the others. It is not for many runs, one of which is picked.

    Examples
    --------
    >>> found = anytime_drop_bounds([1] * 30 + [0] * 10, [1] * 18 + [0] * 22)
    >>> found.value, round(found.low, 3), round(found.high, 3), round(found.p, 4)
    (0.3, 0.092, 0.539, 0.0028)
    """
    for name, alpha in (("alpha_low", alpha_low), ("alpha_high", alpha_high)):
        if not 0.0 < alpha < 0.5:
            raise ValueError(f"{name} = {alpha} must lie strictly between 0 and .5")
    pairs = pair_up(baseline, candidate, clusters)
    drops = pairs.a - pairs.b
    for name, scores in (("baseline", pairs.a), ("candidate", pairs.b)):
        if scores.size and not 0.0 <= scores.min() <= scores.max() <= 1.0:
            raise ValueError(
                f"{name} spans {scores.min():g}..{scores.max():g}; bounds at every look need "
                "scores in 0..1"
            )
    means = by_cluster((drops, drops), pairs.codes)[0]
    below = anytime_gate(means, max_drop=0.0, alpha=alpha_low)
    above = anytime_gate(means, max_drop=0.0, alpha=alpha_high)
    unequal = pairs.codes is not None and len(np.unique(np.bincount(pairs.codes))) > 1
    some = below.value is not None
    return DropBounds(
        value=below.value,
        low=below.low if some else None,
        high=above.high if some else None,
        se=None,
        p=min(1.0, 1.0 / below.e_worse) if some else None,
        n=pairs.n,
        n_clusters=pairs.n_clusters,
        notes=(_UNEQUAL,) if unequal else (),
        reason=None if some else "no pair has both scores",
    )
