"""Keep the promised coverage within each group, not on average over groups alone (Mondrian).

Each group with enough labels is calibrated by its own (Vovk et al. 2005, section 4.5); groups too
small for that are pooled, and named.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_keys
from panopt.stats.conformal_split import (
    SplitThreshold,
    one_row,
    rank_and_need,
    split_threshold,
)

__all__ = ["GroupThresholds", "mondrian_threshold"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GroupThresholds:
    """Bounds by group.

    Attributes
    ----------
    groups
        Groups with a bound of their own, sorted.
    thresholds
        Their bounds, in the same order; each covers within its group.
    pooled
        Groups too small for that.
    pooled_threshold
        Bound for those and for unknown groups, from the labels of all `pooled` groups, or of all
        groups where these are too few; None where no group is pooled. It covers on average over
        the responses it was made from, not within a group.
    pooled_over
        ``pooled groups`` or ``all groups``.
    overall
        Bound from all labels.
    """

    groups: tuple[str, ...]
    thresholds: tuple[SplitThreshold, ...]
    pooled: tuple[str, ...]
    pooled_threshold: SplitThreshold | None
    pooled_over: str
    overall: SplitThreshold

    def threshold_of(self, groups: ArrayLike) -> Floats:
        """Give the bound of each response by its group; that of all labels where it is unknown."""
        keys = as_keys("groups", groups).astype(str)
        rest = self.overall if self.pooled_threshold is None else self.pooled_threshold
        bound = np.full(keys.shape, self.overall.value)
        bound[np.isin(keys, list(self.pooled))] = rest.value
        if self.groups:
            names = np.array(self.groups)
            at = np.minimum(np.searchsorted(names, keys), len(names) - 1)
            values = np.array([threshold.value for threshold in self.thresholds])
            bound = np.where(names[at] == keys, values[at], bound)
        return bound


def mondrian_threshold(
    residuals: ArrayLike, groups: ArrayLike, *, alpha: float = 0.1, least: int | None = None
) -> GroupThresholds:
    """Bound the residual of a new response of each group with probability 1 - alpha.

    Parameters
    ----------
    residuals
        Nonconformity of each labelled response (labels,).
    groups
        Group of each, e.g. its task family (labels,).
    alpha
        Miscoverage in (0, 1).
    least
        Fewest labels of a group with its own bound; never less than a finite bound takes. More
        keep the coverage that a group really gets closer to 1 - alpha.

    Returns
    -------
    GroupThresholds

    Raises
    ------
    ValueError
        For NaN, alpha outside (0, 1), or shapes that differ.

    Examples
    --------
    >>> found = mondrian_threshold([1.0] * 9 + [5.0] * 9 + [2.0], ["a"] * 9 + ["b"] * 9 + ["c"])
    >>> found.groups, found.pooled, found.pooled_over
    (('a', 'b'), ('c',), 'all groups')
    >>> found.threshold_of(["a", "b", "c", "d"]).tolist()
    [1.0, 5.0, 5.0, 5.0]
    """
    r = one_row("residuals", residuals)
    keys = as_keys("groups", groups).astype(str)
    if keys.shape != r.shape:
        raise ValueError(f"groups of shape {keys.shape} must hold one entry a label: {len(r)}")
    if least is not None and not np.isfinite(least):
        raise ValueError(f"least = {least} must be a number of labels")
    needed = rank_and_need(len(r), alpha)[1]
    least = needed if least is None else max(least, needed)
    names, code, counts = np.unique(keys, return_inverse=True, return_counts=True)
    order = np.split(np.argsort(code, kind="stable"), np.cumsum(counts)[:-1]) if len(r) else []
    own = counts >= least
    overall = split_threshold(r, alpha=alpha)
    pooled, over, rest = names[~own], "pooled groups", None
    if pooled.size:
        together = r[~own[code]]
        over = "pooled groups" if len(together) >= least else "all groups"
        rest = split_threshold(together, alpha=alpha) if len(together) >= least else overall
    return GroupThresholds(
        groups=tuple(names[own].tolist()),
        thresholds=tuple(
            split_threshold(r[order[g]], alpha=alpha) for g in np.flatnonzero(own).tolist()
        ),
        pooled=tuple(pooled.tolist()),
        pooled_threshold=rest,
        pooled_over=over,
        overall=overall,
    )
