"""Put the responses of several systems side by side, one row an item.

What is compared is a system in one of the places that were read. Its responses to one item
(epochs, or several runs) are averaged: they are no independent items.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.errors import AskError
from panopt.records.matrix import Matrix

__all__ = [
    "Contender",
    "Items",
    "by_item",
    "by_item_and_judge",
    "item_clusters",
    "line_up",
    "no_common_items",
]

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

#: Items that a message names as examples.
EXAMPLES = 3


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """One of the systems that are compared.

    Attributes
    ----------
    name
        The system, with the place it was read from where that is needed to tell it apart.
    system, place
        Both on their own; `place` counts from 0.
    responses
        Codes of its responses.
    """

    name: str
    system: str
    place: int
    responses: Codes


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """Scores of all contenders on all items.

    Attributes
    ----------
    scores
        Mean score of each contender's responses to each item (items, contenders), NaN where it
        has none with a score.
    present
        Whether it has a response to the item at all (items, contenders).
    names
        Names of the items.
    clusters
        Cluster of each item, from 0 without gaps; None where each is its own.
    """

    scores: Floats
    present: NDArray[np.bool_]
    names: tuple[str, ...]
    clusters: Codes | None

    def examples(self, of: NDArray[np.bool_]) -> tuple[str, ...]:
        """Name the first few of the items marked True."""
        return tuple(self.names[k] for k in np.flatnonzero(of)[:EXAMPLES].tolist())


def line_up(matrix: Matrix, places: Codes, labels: Sequence[str]) -> tuple[Contender, ...]:
    """List what is to be compared: every system in every place.

    Where that is one alone, which ran several times, its runs are compared.

    Parameters
    ----------
    matrix
        One criterion.
    places
        Place that each response was read from (responses,), from 0.
    labels
        Short name of each place.
    """
    names = matrix.names["system"]
    found = _split(matrix.systems, places)
    if len(found) == 1:
        (own,) = found
        runs = _split(matrix.response_ids["run"], places)
        if len(runs) > 1:
            system = _name(names, own[0])
            titles = matrix.names["run"]
            return tuple(
                Contender(_joined(system, titles[run]), system, place, rows)
                for (run, place), rows in runs.items()
            )
    often = Counter(system for system, _ in found)
    contenders = []
    for (code, place), rows in found.items():
        system = _name(names, code)
        name = system if often[code] == 1 and system else _joined(system, labels[place])
        contenders.append(Contender(name, system, place, rows))
    return tuple(sorted(contenders, key=lambda one: one.place))


def _split(codes: NDArray[np.int32], places: Codes) -> dict[tuple[int, int], Codes]:
    """Give the responses of every code in every place, in the order of place and code."""
    if not len(codes):
        return {}
    shifted = codes.astype(np.int64) + 1
    key = places * (int(shifted.max()) + 1) + shifted
    order = np.argsort(key, kind="stable")
    _, starts = np.unique(key[order], return_index=True)
    groups = np.split(order, starts[1:])
    return {(int(codes[rows[0]]), int(places[rows[0]])): rows for rows in groups}


def _name(names: Sequence[str], code: int) -> str:
    return names[code] if code >= 0 else ""


def _joined(system: str, place: str) -> str:
    return f"{system} ({place})" if system else place


def by_item(
    matrix: Matrix, values: Floats, contenders: Sequence[Contender], *, cluster: str = "auto"
) -> Items:
    """Average each contender's values over its responses to each item.

    Parameters
    ----------
    matrix
        One criterion.
    values
        Value of each response (responses,), NaN where it has none.
    contenders
        What is compared.
    cluster
        See :func:`item_clusters`.
    """
    n = len(matrix.names["item"])
    shape = (n, len(contenders))
    scores, present = np.full(shape, np.nan), np.zeros(shape, dtype=np.bool_)
    for k, one in enumerate(contenders):
        item = matrix.items[one.responses]
        present[item, k] = True
        scores[:, k] = _means(item, values[one.responses], n)
    used = present.any(axis=1)
    names = matrix.names["item"]
    clusters = item_clusters(matrix, contenders, cluster)
    if not used.all():
        names = tuple(names[k] for k in np.flatnonzero(used).tolist())
        scores, present = scores[used], present[used]
        clusters = None if clusters is None else clusters[used]
    if clusters is not None:
        clusters = np.unique(clusters, return_inverse=True)[1]
    return Items(scores, present, names, clusters)


def by_item_and_judge(matrix: Matrix, one: Contender) -> Floats:
    """Average each judge's scores over repeats and a contender's responses (items, judges)."""
    n, k = len(matrix.names["item"]), matrix.n_judges
    mine = np.zeros(matrix.n_responses, dtype=np.bool_)
    mine[one.responses] = True
    votes = matrix.votes
    rows = mine[votes.response]
    # Repeats first: a judge that was asked about one response more often counts once.
    cell = votes.response[rows].astype(np.int64) * k + votes.judge[rows]
    kinds, code = np.unique(cell, return_inverse=True)
    value = _means(code, votes.score[rows], len(kinds))
    return _means(matrix.items[kinds // k].astype(np.int64) * k + kinds % k, value, n * k).reshape(
        n, k
    )


def _means(code: NDArray[np.integer], score: Floats, n: int) -> Floats:
    known = ~np.isnan(score)
    count = np.bincount(code[known], minlength=n)
    total = np.bincount(code[known], weights=score[known], minlength=n)
    means: Floats = np.divide(total, count, out=np.full(n, np.nan), where=count > 0)
    return means


def item_clusters(matrix: Matrix, contenders: Sequence[Contender], cluster: str) -> Codes | None:
    """Give the cluster of every item code; None where each item is its own.

    Parameters
    ----------
    matrix, contenders
        Whose responses tell clusters.
    cluster
        ``auto``: the named cluster where one is told; ``item``: none; ``family``: the task family.

    Raises
    ------
    AskError
        For another word, or families that no log tells.
    """
    if cluster not in {"auto", "item", "family"}:
        raise AskError(f"cluster = {cluster!r} must be one of auto, item, family")
    if cluster == "item":
        return None
    column = "cluster" if cluster == "auto" else "family"
    told = np.full(len(matrix.names["item"]), -1, dtype=np.int64)
    for one in contenders:
        np.maximum.at(told, matrix.items[one.responses], matrix.response_ids[column][one.responses])
    if np.all(told < 0):
        if cluster == "family":
            raise AskError("cluster = family: no log tells a task family of any item")
        return None
    own = np.arange(len(told)) + len(matrix.names[column])
    return np.where(told >= 0, told, own)


def no_common_items(items: Items, contenders: Sequence[Contender]) -> str | None:
    """Say, with examples, that no two contenders have an item in common; None where two have."""
    both = items.present.T.astype(np.float32) @ items.present.astype(np.float32)
    if np.any(np.triu(both, 1) > 0):
        return None
    told = []
    for k, one in enumerate(contenders[:EXAMPLES]):
        names = ", ".join(repr(name) for name in items.examples(items.present[:, k]))
        told.append(f"{one.name} has {names} ...")
    return (
        f"no item is in two of what is compared: {'; '.join(told)}; items are matched by their ids"
    )
