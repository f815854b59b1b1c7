"""How judges of pairs behave: ties, first-shown wins, flips when the order is swapped, cycles.

Rates with intervals clustered by item. A cycle is a circular triad (Kendall & Babington Smith
1940): a beats b, b beats c, c beats a.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_keys
from panopt.stats.mean import MeanInterval, mean_interval
from panopt.stats.pair_cells import cluster_codes, coded, outcomes, refuse_missing, shown_first

__all__ = [
    "cycle_rate",
    "each_pair_once",
    "flip_rate",
    "position_bias",
    "share_interval",
    "tie_rate",
]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


def tie_rate(
    outcome: ArrayLike, *, clusters: ArrayLike | None = None, alpha: float = 0.05
) -> MeanInterval:
    """Give the share of comparisons that ended in a tie.

    Parameters
    ----------
    outcome
        1 the first won, .5 tie, 0 the second won, NaN missing (n,).
    clusters
        Cluster of each comparison (its item), where they are not independent.
    alpha
        One minus the level of the interval.

    Examples
    --------
    >>> tie_rate([1, 0.5, 0, 1]).value
    0.25
    """
    result = outcomes(outcome)
    groups = cluster_codes(clusters, result.size)
    kept = ~np.isnan(result)
    return mean_interval(
        result[kept] == 0.5, clusters=None if groups is None else groups[kept], alpha=alpha
    )


def position_bias(
    outcome: ArrayLike,
    order: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    alpha: float = 0.05,
) -> MeanInterval:
    """Give the share of comparisons that the answer shown first won, ties half; .5 is no bias.

    Parameters
    ----------
    outcome
        1 the first won, .5 tie, 0 the second won, NaN missing (n,).
    order
        0 where the first was shown first, 1 where the second was, NaN unknown (left out) (n,).
    clusters, alpha
        As in `tie_rate`.

    Notes
    -----
    Where one system is shown first more often than the other, its strength is in the rate too;
    `bradley_terry` with `order` tells the two apart.

    Examples
    --------
    >>> position_bias([1, 0, 1, 1], [0, 1, 0, 1]).value
    0.75
    """
    result = outcomes(outcome)
    side = shown_first(order, result.size)
    groups = cluster_codes(clusters, result.size)
    kept = ~np.isnan(result) & (side != 0)
    return mean_interval(
        np.where(side > 0, result, 1 - result)[kept],
        clusters=None if groups is None else groups[kept],
        alpha=alpha,
    )


def flip_rate(  # noqa: PLR0913 - the columns of a comparison
    item: ArrayLike,
    outcome: ArrayLike,
    order: ArrayLike,
    *,
    kind: Literal["any", "reversal"] = "any",
    clusters: ArrayLike | None = None,
    alpha: float = 0.05,
) -> MeanInterval:
    """Give the share of pairs whose verdict changes when the answers are shown the other way round.

    Parameters
    ----------
    item
        Code or name of the pair (one judge's comparison of two answers to one question) (n,);
        rows of one item in either order are matched first with first, second with second.
    outcome, order
        As in `position_bias`; unmatched rows are left out.
    kind
        "any": between win, tie and loss; "reversal": from win to loss or back alone. One minus
        the rate of any flip is position consistency.
    clusters
        Cluster of each row (the item where not given); rows of one item must share it.
    alpha
        One minus the level of the interval.

    Returns
    -------
    MeanInterval
        `n` counts matched pairs; value None, with the reason, where no item was judged in both
        orders.

    Examples
    --------
    >>> flip_rate(["a", "a", "b", "b"], [1, 0, 1, 1], [0, 1, 0, 1]).value
    0.5
    """
    if kind not in get_args(Literal["any", "reversal"]):
        raise ValueError(f"kind = {kind!r} must be any or reversal")
    result = outcomes(outcome)
    n = result.size
    side = shown_first(order, n)
    keys = as_keys("item", item)
    if keys.shape != (n,):
        raise ValueError(f"item has shape {keys.shape}; it must be that of outcome, ({n},)")
    items = coded("item", keys, None)[0]
    groups = cluster_codes(clusters, n)
    groups = items if groups is None else groups
    one, other = _matched(items, np.where(np.isnan(result), 0, side))
    changed = result[one] != result[other]
    if kind == "reversal":
        changed = np.abs(result[one] - result[other]) == 1
    if not one.size:
        reason = "no pair was judged in both orders"
        return MeanInterval(None, None, None, None, 0, 0, alpha, "none", (), reason)
    return mean_interval(changed, clusters=groups[one], alpha=alpha)


def cycle_rate(  # noqa: PLR0913 - the columns of a comparison
    first: ArrayLike,
    second: ArrayLike,
    outcome: ArrayLike,
    *,
    group: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    alpha: float = 0.05,
) -> MeanInterval:
    """Give the share of triples of systems whose preferences go round in a circle.

    Parameters
    ----------
    first, second
        Names or codes of the systems compared (n,).
    outcome
        1 the first won, .5 tie, 0 the second won, NaN missing (n,).
    group
        What is to be consistent with itself: one judge on one question, say (n,); everything
        together where not given. Several comparisons of a pair in a group count by their sum.
    clusters
        Cluster of each row (its group where not given); rows of one group must share it.
    alpha
        One minus the level of the interval.

    Returns
    -------
    MeanInterval
        `n` counts triples in which all three pairs were compared and none is even, over all
        groups; value None, with the reason, where there is none. Random verdicts give .25.

    Examples
    --------
    >>> cycle_rate(["a", "b", "c"], ["b", "c", "a"], [1, 1, 1]).value
    1.0
    """
    from scipy import sparse  # noqa: PLC0415 - scipy is imported late

    result = outcomes(outcome)
    n = result.size
    pair = []
    for name, values in (("first", first), ("second", second)):
        keys = as_keys(name, values)
        if keys.shape != (n,):
            raise ValueError(f"{name} has shape {keys.shape}; it must be that of outcome, ({n},)")
        refuse_missing(name, keys)
        pair.append(keys)
    codes, names = coded("first and second", np.concatenate(pair), None)
    given = cluster_codes(group, n)
    groups = np.zeros(n, dtype=np.int64) if given is None else given
    units = cluster_codes(clusters, n)
    units = groups if units is None else units
    kept = ~np.isnan(result)
    n_groups = int(groups.max(initial=-1)) + 1
    # One graph of which every group is a block: node = group and system.
    node = np.tile(groups, 2) * max(1, len(names)) + codes
    present, node = np.unique(node, return_inverse=True)
    one, two = node[:n][kept], node[n:][kept]
    shape = (present.size, present.size)
    net = sparse.csr_matrix((2 * result[kept] - 1, (one, two)), shape=shape)
    net = net - net.T
    beats = (net > 0).astype(np.float64)
    twice = beats @ beats
    round_ = np.asarray(twice.multiply(beats.T).sum(axis=1)).ravel() / 3  # a triple has 3 starts
    straight = np.asarray(twice.multiply(beats).sum(axis=1)).ravel()
    of = present // max(1, len(names))
    cycles = np.bincount(of, weights=round_, minlength=n_groups)
    triples = cycles + np.bincount(of, weights=straight, minlength=n_groups)
    unit_of = np.zeros(n_groups, dtype=np.int64)
    unit_of[groups] = units
    if not np.rint(triples.sum()):
        reason = "no three systems were compared with each other and told apart"
        return MeanInterval(None, None, None, None, 0, 0, alpha, "none", (), reason)
    return share_interval(np.rint(cycles), np.rint(triples), clusters=unit_of, alpha=alpha)


def each_pair_once(
    first: Codes, second: Codes, outcome: Floats
) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Give each pair of systems once, with the outcome that the sum of its comparisons says.

    Parameters
    ----------
    first, second
        Small codes of the systems (n,).
    outcome
        1 the first won, .5 tie, 0 the second won (n,).

    Returns
    -------
    tuple
        First, second and outcome (pairs,); pairs whose comparisons are even are left out.

    Examples
    --------
    >>> one, two = np.array([0, 1, 0]), np.array([1, 0, 2])
    >>> [x.tolist() for x in each_pair_once(one, two, np.array([1, 0.5, 0]))]
    [[0, 0], [1, 2], [1.0, 0.0]]
    """
    n = int(max(first.max(initial=-1), second.max(initial=-1))) + 1
    points = np.bincount(first * n + second, weights=2 * outcome - 1, minlength=n**2)
    lead = points.reshape(n, n) - points.reshape(n, n).T
    one, two = np.nonzero(np.triu(lead != 0, 1))
    return one, two, (np.sign(lead[one, two]) + 1) / 2


def share_interval(
    hits: Floats, totals: Floats, *, clusters: Codes, alpha: float = 0.05
) -> MeanInterval:
    """Give ``sum(hits) / sum(totals)`` with an interval over clusters, as `mean_interval` does.

    For shares whose single trials are too many to list: each row holds some of the trials.

    Parameters
    ----------
    hits, totals
        Successes (ties may count half) and trials of each row (n,).
    clusters
        Code of each row's cluster (n,).
    alpha
        One minus the level of the interval.
    """
    rows = totals > 0
    codes = coded("clusters", clusters[rows], None)[0]
    size = np.bincount(codes, weights=totals[rows])
    made = np.bincount(codes, weights=hits[rows], minlength=size.size)
    total, groups = float(size.sum()), size.size
    n = round(total)
    holds = (
        "clusters are independent draws; the interval holds their sampling and every error that "
        "is independent between them"
    )
    drawn = (holds,)
    if not n:
        reason = "there is no comparison"
        return MeanInterval(None, None, None, None, 0, 0, alpha, "none", (), reason)
    value = float(made.sum()) / total
    if groups < 2:
        reason = "one cluster gives no standard error: two are needed"
        return MeanInterval(value, None, None, None, n, 1, alpha, "none", drawn, reason)
    from panopt.stats.bounded import wilson_interval  # noqa: PLC0415 - it imports scipy

    pulled = (made - value * size) / (1.0 - size / total)
    se = float(np.sqrt((groups - 1.0) / groups * np.sum(pulled**2))) / total
    units = max(2.0, total**2 / float(np.sum(size**2)))
    low, high = wilson_interval(value, se, n_units=units, alpha=alpha)
    how = f"Wilson at the effective sample size, {units - 1:.4g} df"
    return MeanInterval(value, low, high, se, n, groups, alpha, how, drawn, None)


def _matched(items: Codes, side: Codes) -> tuple[NDArray[Any], NDArray[Any]]:
    """Match rows of one item shown one way with its rows shown the other way, in turn."""
    ends = []
    for shown in (1, -1):
        rows = np.flatnonzero(side == shown)
        key = items[rows]
        order = np.argsort(key, kind="stable")
        key = key[order]
        first = np.searchsorted(key, key, side="left")
        ends.append((rows[order], key, np.arange(key.size) - first))
    (rows, key, rank), (rows2, key2, rank2) = ends
    depth = int(max(rank.max(initial=0), rank2.max(initial=0))) + 1
    _, at, at2 = np.intersect1d(
        key * depth + rank, key2 * depth + rank2, assume_unique=True, return_indices=True
    )
    return rows[at], rows2[at2]
