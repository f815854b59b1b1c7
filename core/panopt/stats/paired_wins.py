"""How often one system beats another on the same items, ties counting one half."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from panopt.stats.mean import MeanInterval, mean_interval
from panopt.stats.paired_data import pair_up

__all__ = ["win_rate"]


def win_rate(
    a: ArrayLike,
    b: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    alpha: float = 0.05,
) -> MeanInterval:
    """Give the share of pairs on which a scores above b, ties one half, with an interval.

    Parameters
    ----------
    a, b
        Scores of two systems on the same items (pairs,); NaN is missing, and its pair left out.
    clusters
        Key of each pair's cluster; every pair its own where not given.
    alpha
        One minus the level, in (0, 1).

    Returns
    -------
    MeanInterval
        .5 where neither is better. The interval is that of a mean on [0, 1]: Wilson's.

    Raises
    ------
    ValueError
        For arrays of different length, infinite scores, alpha off its range.

    Examples
    --------
    >>> found = win_rate([3, 2, 5, 4], [1, 2, 4, 5])
    >>> found.value, round(found.low, 3), round(found.high, 3)
    (0.625, 0.118, 0.954)
    """
    pairs = pair_up(a, b, clusters)
    won = (np.sign(pairs.a - pairs.b) + 1.0) / 2.0
    return mean_interval(won, clusters=pairs.codes, alpha=alpha)
