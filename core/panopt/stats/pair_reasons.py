"""Say why comparisons give no finite Bradley-Terry strengths, naming systems and judges.

Ford 1957: the maximum is finite exactly where, however the systems are cut into two groups, some
system of each group has won against one of the other. Ties and positions add conditions of their
own, as a tie parameter or a position effect can run away together with the strengths.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from panopt.stats.pair_cells import Cells
from panopt.stats.pair_fit import Layout
from panopt.stats.pair_models import Ties

__all__ = ["disconnected", "no_finite_maximum", "position_confounded"]

_SHOWN = 4  # names that are listed before "and n more"
_MEND = "a penalty above 0 gives strengths that are shrunk"


def disconnected(cells: Cells) -> str | None:
    """Name the groups of systems that were never compared with each other; None where one."""
    n = len(cells.systems)
    if not cells.first.size:
        return "there is no comparison"
    ones = np.ones(cells.first.size)
    graph = sparse.csr_matrix((ones, (cells.first, cells.second)), shape=(n, n))
    count, group = csgraph.connected_components(graph, directed=False)
    if count == 1:
        return None
    groups = [_named(cells, np.flatnonzero(group == code)) for code in range(min(count, _SHOWN))]
    more = f" | and {count - _SHOWN} more" if count > _SHOWN else ""
    return (
        f"the systems fall into {count} groups that were never compared with each other: "
        f"{' | '.join(groups)}{more}"
    )


def position_confounded(cells: Cells, where: Layout) -> str | None:
    """Say where effects of position cannot be told from strengths; None where they can."""
    placed = where.position[cells.judge]
    if not (placed >= 0).any():
        return None
    rows = np.arange(cells.first.size)
    ones = np.ones(rows.size)
    has = placed >= 0
    design = sparse.csr_matrix(
        (
            np.concatenate((ones, -ones, cells.side[has].astype(np.float64))),
            (
                np.concatenate((rows, rows, rows[has])),
                np.concatenate((cells.first, cells.second, placed[has])),
            ),
        ),
        shape=(rows.size, where.size),
    )
    used = np.r_[: len(cells.systems), np.unique(placed[has])]
    gram = (design[:, used].T @ design[:, used]).toarray()
    n = len(cells.systems)
    gram[:n, :n] += 1.0 / n  # the strengths' sum is fixed
    norm = np.sqrt(gram.diagonal())
    least = float(np.linalg.eigvalsh(gram / norm[:, None] / norm)[0])
    if least > 1e-9:
        return None
    return (
        "being shown first cannot be told from being stronger: too few pairs were shown in both "
        "orders; leave `order` out to ignore it, or judge pairs in both orders"
    )


def no_finite_maximum(cells: Cells, ties: Ties, *, scale: bool) -> str:
    """Name what drives the strengths to infinity."""
    won, tied, lost = cells.counts.T
    for allowing_ties in (True, False):
        if not allowing_ties and ties == "half":
            break
        extra = tied if allowing_ties else np.zeros_like(tied)
        told = _one_sided(cells, won + extra, lost + extra, ties_too=allowing_ties and tied.any())
        if told is not None:
            return f"there are no finite strengths: {told}; {_MEND}"
    always = _always_one_side(cells)
    if always:
        names = _list(str(cells.judges[code]) or "the judge" for code in always)
        return (
            f"there is no finite position effect: {names} always preferred the answer in one "
            f"position; {_MEND}"
        )
    if scale:
        return (
            "there are no finite judge scales: some judge follows the order of the systems without "
            "exception, or none of them follows it; scale=False gives strengths"
        )
    return (
        "the likelihood has no finite maximum: too few verdicts go against the order of the "
        f"systems; {_MEND}"
    )


def _one_sided(
    cells: Cells, won: NDArray[np.float64], lost: NDArray[np.float64], *, ties_too: bool
) -> str | None:
    """Name the systems that nobody beat, and those that beat nobody."""
    n = len(cells.systems)
    winner = np.concatenate((cells.first[won > 0], cells.second[lost > 0]))
    loser = np.concatenate((cells.second[won > 0], cells.first[lost > 0]))
    graph = sparse.csr_matrix((np.ones(winner.size), (winner, loser)), shape=(n, n))
    count, group = csgraph.connected_components(graph, directed=True, connection="strong")
    if count == 1:
        return None
    across = group[winner] != group[loser]
    beaten = np.isin(np.arange(count), group[loser[across]])
    beating = np.isin(np.arange(count), group[winner[across]])
    tops = np.flatnonzero(np.isin(group, np.flatnonzero(~beaten & beating)))
    bottoms = np.flatnonzero(np.isin(group, np.flatnonzero(beaten & ~beating)))
    rest = " or tied" if ties_too else ""
    parts = []
    if tops.size:
        parts.append(f"{_named(cells, tops)} never lost{rest} against the others")
    if bottoms.size:
        parts.append(f"{_named(cells, bottoms)} never won{rest} against the others")
    if not parts:
        parts.append("no system won or lost against another: there are only ties")
    return " and ".join(parts)


def _always_one_side(cells: Cells) -> list[int]:
    """Find the judges that preferred the same position in every decided comparison."""
    n = len(cells.judges)
    won, _, lost = cells.counts.T
    ahead = np.where(cells.side > 0, won, np.where(cells.side < 0, lost, 0.0))
    behind = np.where(cells.side > 0, lost, np.where(cells.side < 0, won, 0.0))
    as_first = np.bincount(cells.judge, weights=ahead, minlength=n)
    as_second = np.bincount(cells.judge, weights=behind, minlength=n)
    return np.flatnonzero((as_first > 0) != (as_second > 0)).tolist()


def _named(cells: Cells, codes: NDArray[np.intp]) -> str:
    return _list(str(cells.systems[code]) for code in codes.tolist())


def _list(names: Iterable[str]) -> str:
    known = list(names)
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return ", ".join(known[:_SHOWN]) + more
