"""Look for what keeps an ordered probit from an answer: lone, constant, copied or apart judges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from panopt.stats.ordinal_table import FloatArray, OrdinalTable, OrdinalVotes

Names = Callable[[Sequence[int]], str]

_SHARED = 20  # items on which two judges must agree always, to be one judge
_FEW = 5  # votes below which a judge takes no part in the sum of offsets
_LITTLE = 30  # items below which the priors are heard


class Screened(NamedTuple):
    """Who is counted, and how much."""

    votes: OrdinalVotes
    """Votes of the judges that are counted, who are numbered anew."""
    counted: NDArray[np.intp]
    """Codes of these judges, as they were."""
    warnings: tuple[str, ...]


class Weights(NamedTuple):
    """What votes count, and what can be told apart."""

    weight: FloatArray
    summed: NDArray[np.bool_]
    gains: bool
    warnings: tuple[str, ...]


def screen_judges(votes: OrdinalVotes, names: Names) -> Screened:
    """Leave out judges without votes, and those that always say the same.

    Raises
    ------
    ValueError
        No votes; fewer than two judges; none or one whose levels vary.
    """
    width = votes.n_judges * votes.n_levels
    cell = votes.judge.astype(np.int64) * votes.n_levels + votes.level
    used = np.bincount(cell, minlength=width).reshape(votes.n_judges, votes.n_levels)
    given = np.flatnonzero(used.sum(axis=1))
    if not given.size:
        raise ValueError("level holds no vote (it is empty, or NaN all over)")
    if given.size == 1:
        raise ValueError(
            f"only {names(given.tolist())} votes; with one judge, noise cannot be told from "
            "differences of the items: at least two must vote (three where there are two levels)"
        )
    counted = np.flatnonzero((used > 0).sum(axis=1) > 1)
    warnings = []
    silent = np.setdiff1d(np.arange(votes.n_judges), given)
    if silent.size:
        warnings.append(f"no vote from {names(silent.tolist())}: offset and noise are NaN")
    constant = np.setdiff1d(given, counted)
    if constant.size:
        told = f"{names(constant.tolist())} always gave the same level"
        if counted.size < 2:
            raise ValueError(
                f"{told}; at least two judges must give different levels to different items"
            )
        warnings.append(f"{told}: left out, offset and noise are NaN")
    if counted.size < votes.n_judges:
        code = np.full(votes.n_judges, -1)
        code[counted] = np.arange(counted.size)
        judge = code[votes.judge]
        kept = judge >= 0
        votes = replace(
            votes,
            item=votes.item[kept],
            judge=judge[kept],
            level=votes.level[kept],
            n_judges=int(counted.size),
        )
    return Screened(votes, counted, tuple(warnings))


def weigh_judges(table: OrdinalTable, names: Names, *, gains: bool) -> Weights:
    """Count copies once, and see that the panel hangs together and is identified.

    Raises
    ------
    ValueError
        Judges that share no item with the others; two judges on two levels.
    """
    from scipy.sparse import coo_array, csr_array  # noqa: PLC0415  # scipy is imported late
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    n, k = table.n_judges, table.n_levels
    column = np.arange(n * k)
    of_judge = csr_array((np.ones(n * k), (column, column // k)), shape=(n * k, n))
    by_judge = table.cells @ of_judge
    weighed = table.cells.multiply(table.counts[:, None]).tocsr()
    shared = ((weighed @ of_judge).T @ by_judge).tocoo()
    _refuse_apart(*connected_components(shared, directed=False), names)
    pairs = (weighed.T @ table.cells).tocoo()
    left, right = pairs.coords
    same = left % k == right % k
    coords = (left[same] // k, right[same] // k)
    agreed = coo_array((pairs.data[same], coords), shape=(n, n)).tocsr()
    row, column = shared.coords
    both = np.asarray(agreed[row, column]).ravel()
    copied = (both == shared.data) & (shared.data >= _SHARED) & (row != column)
    graph = coo_array((np.ones(copied.sum()), (row[copied], column[copied])), shape=(n, n))
    voices, voice = connected_components(graph, directed=False)
    size = np.bincount(voice, minlength=voices)
    warnings = []
    weight = np.ones(n)
    if voices == 1:
        warnings.append(
            "the judges agree always: their noise is set by its prior and least value, not by data"
        )
    elif voices < n:
        weight = 1.0 / size[voice]
        for v in np.flatnonzero(size > 1)[:5]:
            told = names(np.flatnonzero(voice == v).tolist())
            warnings.append(f"{told} agree on all their common items: they count as one judge")
    given, items = (table.counts @ part for part in (by_judge, by_judge.sign()))
    same_again = agreed.diagonal() == shared.tocsr().diagonal()
    stiff = np.flatnonzero(same_again & (given - items >= _SHARED))
    if stiff.size:
        weight[stiff] *= items[stiff] / given[stiff]
        warnings.append(f"{names(stiff.tolist())} repeats itself always: repeats count as one vote")
    cast = table.counts @ table.cells
    levels = int(np.count_nonzero(cast.reshape(n, k).sum(axis=0)))
    if levels == 2 and voices == 2:
        raise ValueError(
            "two judges on two levels: offset and noise are unidentified; a third judge, or a "
            "finer scale, would identify them"
        )
    if voices == 2:
        warnings.append("two judges: noises are told apart only if both use the scale alike")
    if levels < k:
        never = np.flatnonzero(cast.reshape(n, k).sum(axis=0) == 0)
        listed = ", ".join(map(str, never[:10].tolist()))
        warnings.append(
            f"nobody used level {listed}, counted from 0: its bounds are set by the prior"
        )
    n_items = int(table.counts.sum())
    if n_items < _LITTLE:
        warnings.append(f"{n_items} items: parameters rest on their priors as much as on the votes")
    votes = cast.reshape(n, k).sum(axis=1)
    summed = votes >= min(_FEW, votes.max())
    return Weights(weight, summed, gains and voices > 2 and levels > 2, tuple(warnings))


def _refuse_apart(n_groups: int, group: NDArray[np.int32], names: Names) -> None:
    if n_groups > 1:
        apart = [names(np.flatnonzero(group == g).tolist()) for g in range(n_groups)]
        raise ValueError(
            f"the panel falls apart: {' | '.join(apart[:5])} share no item, so their offsets "
            "cannot be compared; analyze them by themselves or add common items"
        )
