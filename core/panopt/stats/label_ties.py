"""Find which judges are tied to which by items that both judged: no shared item, no comparison."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.stats.label_table import VoteTable

__all__ = ["VotingGroups", "voting_groups"]


@dataclass(frozen=True, slots=True)
class VotingGroups:
    """Groups of judges, linked within by shared items and to no judge outside."""

    group: NDArray[np.intp]
    """Group of each judge, -1 for a judge without votes (judges,)."""
    identified: NDArray[np.bool_]
    """Groups in which errors can be learned: three judges share items pairwise, or a judge voted
    on an item of known label (groups,)."""

    def judges(self) -> NDArray[np.bool_]:
        """Tell for each judge whether its errors can be learned (judges,)."""
        return np.append(self.identified, False)[self.group]  # group -1: no votes


def voting_groups(table: VoteTable) -> VotingGroups:
    """Group the judges of a panel; quadratic in judges at most, never in items.

    Examples
    --------
    Judges 0, 1 and 2 voted on item 0, judges 3 and 4 on item 1:

    >>> from panopt.stats.label_table import checked_votes
    >>> table = checked_votes([0, 0, 0, 1, 1], [0, 1, 2, 3, 4], [0, 1, 1, 0, 1], n_labels=2)
    >>> found = voting_groups(table)
    >>> found.group.tolist(), found.identified.tolist()
    ([0, 0, 0, 1, 1], [True, False])
    """
    n = table.n_judges
    judge = table.cell // table.n_labels
    pattern = np.repeat(np.arange(table.counts.size), np.diff(table.start))
    voted = np.bincount(judge, minlength=n) > 0
    truth = np.zeros(n, dtype=bool)
    truth[judge[table.truth[pattern] >= 0]] = True
    if _all_on_one(table, judge, voted):
        groups = np.where(voted, 0, -1)
        whole = np.count_nonzero(voted) >= 3 or bool(truth.any())
        return VotingGroups(groups, np.array([whole]))
    from scipy.sparse import csr_array  # noqa: PLC0415  # scipy is imported late
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    ones = np.ones(judge.size, dtype=np.int32)
    seen = csr_array((ones, (pattern, judge)), shape=(table.counts.size, n))
    shared = (seen.T @ seen).tocsr()
    shared.setdiag(0)
    shared.eliminate_zeros()
    shared.data[:] = 1
    _, label = connected_components(shared, directed=False)
    triangle = np.asarray((shared @ shared).multiply(shared).sum(axis=1)).ravel() > 0
    names, group = np.unique(label[voted], return_inverse=True)
    groups = np.full(n, -1, dtype=np.intp)
    groups[voted] = group
    identified = np.zeros(names.size, dtype=bool)
    identified[groups[voted & (triangle | truth)]] = True
    return VotingGroups(groups, identified)


def _all_on_one(table: VoteTable, judge: NDArray[np.int64], voted: NDArray[np.bool_]) -> bool:
    """Tell whether some item was judged by all judges: the common case, and a cheap one."""
    if not judge.size:
        return True
    lengths = np.diff(table.start)
    fullest = int(np.argmax(lengths))
    part = judge[table.start[fullest] : table.start[fullest + 1]]
    return np.unique(part).size == np.count_nonzero(voted)
