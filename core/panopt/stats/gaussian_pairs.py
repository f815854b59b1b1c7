"""Second moments of every two judges of a panel, over the items both scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.stats.gaussian_sums import PanelSums
from panopt.stats.tables import FloatArray, back, gram, over, squared, times


@dataclass(frozen=True, slots=True)
class Pairs:
    """Moments of every two judges over the items both scored, repeats averaged."""

    n: FloatArray
    """Items shared (judges, judges); the diagonal counts a judge's own."""
    mean: FloatArray
    """Mean score of the first over the items shared with the second (judges, judges)."""
    cov: FloatArray
    """Covariance (judges, judges)."""
    var: FloatArray
    """Variance of the first over the items shared with the second (judges, judges)."""
    excess: FloatArray
    """Covariance of the two errors, as the other judges of each item show it."""
    judged: FloatArray
    """Items that rests on: shared, and scored by a third judge (judges, judges)."""
    others: FloatArray
    """Means, over those items, of 1 / L, 1 / (L (L - 1)) and [L = 1], L judges being the others
    (3,)."""
    within: FloatArray
    """Squared deviations of repeats from their mean, summed (judges,)."""


def pair_moments(sums: PanelSums) -> Pairs:
    """Compute the moments of all pairs of judges.

    The covariance of two errors is the mean over items, with y the scores, o and oo their mean
    and the mean of their products over the item's other judges, of y_j y_k - (y_j + y_k) o + oo:
    truths cancel. An item with one other judge has half of (y_j + y_k) o alone.
    """
    counts, ones = sums.counts, np.ones(len(sums.size))
    filled, means = over(sums.counts, sums.counts), over(sums.sums, sums.counts)
    n_others = times(filled, np.ones(len(sums.n))) - 2
    some, several = n_others >= 1, n_others >= 2
    first = np.where(several, 1 / np.maximum(n_others, 1), np.where(some, 0.5, 0.0))
    second = np.where(several, 1 / np.maximum(n_others * (n_others - 1), 1), 0.0)
    mixed = first + 2 * second
    n = gram(filled, sums.size, filled)
    if sums.cross is None:
        product = gram(means, ones, means)
        inner = gram(means, some + 2 * (mixed - second), means)
        own, total = squared(means), times(means, np.ones(len(sums.n)))
        joint = gram(means, mixed * total, filled)
        spare = second * (total**2 - times(own, np.ones(len(sums.n))))
        within = sums.squares - back(over(squared(sums.sums), counts), ones)
    else:
        weight = np.asarray(filled) / np.maximum(np.asarray(counts), 1.0)
        cross = sums.cross * weight[:, :, None] * weight[:, None, :]
        product = cross.sum(axis=0)
        inner = np.tensordot(some + 2 * (mixed - second), cross, axes=1)
        own, all_of = np.diagonal(cross, axis1=1, axis2=2).copy(), cross.sum(axis=2)
        joint = gram(all_of, mixed, filled)
        spare = second * (all_of.sum(axis=1) - own.sum(axis=1))
        within = sums.squares - np.sum(own * np.asarray(counts), axis=0)
    apart = gram(own, mixed, filled) - joint
    judged = gram(filled, sums.size * some, filled)
    total_weight = sums.size * n_others * (n_others + 1) * some
    mean = gram(means, ones, filled) / np.maximum(n, 1.0)
    return Pairs(
        n=n,
        mean=mean,
        cov=product / np.maximum(n, 1.0) - mean * mean.T,
        var=np.maximum(gram(own, ones, filled) / np.maximum(n, 1.0) - mean**2, 0.0),
        excess=(inner + apart + apart.T + gram(filled, spare, filled)) / np.maximum(judged, 1.0),
        judged=judged,
        others=np.array([total_weight @ part for part in (first, second, n_others == 1)])
        / max(float(total_weight.sum()), 1.0),
        within=np.maximum(within, 0.0),
    )


def components(linked: NDArray[np.bool_], anchor: NDArray[np.bool_]) -> list[list[int]]:
    """Group the judges that are linked (judges, judges), the anchors being one."""
    linked = linked | (anchor[:, None] & anchor) | np.eye(len(linked), dtype=bool)
    label = np.arange(len(linked))
    while True:
        lowest = np.where(linked, label, len(linked)).min(axis=1)
        lowest = lowest[lowest]
        if np.array_equal(lowest, label):
            break
        label = lowest
    return [np.flatnonzero(label == first).tolist() for first in np.unique(label)]
