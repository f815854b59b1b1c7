"""Compress comparisons of two systems to their few distinct kinds and how often each occurs.

A comparison is fully told by who stood against whom, which judge, which of the two was shown
first and who won, so a million comparisons are a few hundred counts. The pair is put in the
order of the systems' codes, with the outcome and the side turned along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats, as_keys

__all__ = [
    "Cells",
    "cluster_codes",
    "coded",
    "compress",
    "outcomes",
    "refuse_missing",
    "shown_first",
]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Name = str | int


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Distinct kinds of comparison; arrays of one entry a cell, but for `slot`.

    Attributes
    ----------
    systems, judges
        Names by code.
    first, second
        Codes of the two systems, the lower first.
    judge
        Code of the judge.
    side
        1 where the lower code was shown first, -1 where second, 0 where unknown.
    counts
        Weight of comparisons won by `first`, tied, and lost by it (cells, 3).
    slot
        Place in ``counts.ravel()`` of each comparison that counts, and
    row
        its place in the input; `weight` is its weight.
    """

    systems: tuple[Name, ...]
    judges: tuple[Name, ...]
    first: Codes
    second: Codes
    judge: Codes
    side: Codes
    counts: Floats
    slot: Codes
    row: Codes
    weight: Floats

    def wins(self) -> tuple[Floats, Floats]:
        """Give the points of each system, a tie being half a win, and its comparisons."""
        n = len(self.systems)
        won, tied, lost = self.counts.T
        points = _sums(self.first, won + tied / 2, n) + _sums(self.second, lost + tied / 2, n)
        total = won + tied + lost
        met = _sums(self.first, total, n) + _sums(self.second, total, n)
        return points, met


def compress(  # noqa: PLR0913 - the columns of a comparison
    first: ArrayLike,
    second: ArrayLike,
    outcome: ArrayLike,
    *,
    judge: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    order: ArrayLike | None = None,
    systems: Sequence[Name] | None = None,
    judges: Sequence[Name] | None = None,
) -> Cells:
    """Count the distinct comparisons; see `panopt.stats.bradley_terry.bradley_terry`.

    Raises
    ------
    ValueError
        For arrays of different length, values outside their range, and a system that stands
        against itself.
    """
    result = outcomes(outcome)
    n = result.size
    keys = [as_keys(name, x) for name, x in (("first", first), ("second", second))]
    for name, key in zip(("first", "second"), keys, strict=True):
        if key.shape != (n,):
            raise ValueError(f"{name} has shape {key.shape}; it must be that of outcome, ({n},)")
        refuse_missing(name, key)
    both, names = coded("first and second", np.concatenate(keys), systems)
    one, two = both[:n], both[n:]
    if (one == two).any():
        bad = int(np.flatnonzero(one == two)[0])
        raise ValueError(f"row {bad} compares {names[one[bad]]!r} with itself; leave it out")
    by, judge_names = _judges(judge, judges, n)
    side = shown_first(order, n)
    weight = _weights(weights, n)
    kept = ~np.isnan(result) & (weight > 0)
    row = np.flatnonzero(kept)
    one, two, by, side = (x[row] for x in (one, two, by, side))
    weight = weight[row]
    turned = one > two
    lower, upper = np.where(turned, two, one), np.where(turned, one, two)
    side = np.where(turned, -side, side)
    points = (2 * result[row]).astype(np.int64)
    lost = np.where(turned, points, 2 - points)  # column of counts: won, tied, lost
    key = ((lower * len(names) + upper) * max(1, len(judge_names)) + by) * 3 + side + 1
    cell, where = _distinct(key)
    slot = where * 3 + lost
    counts = _sums(slot, weight, 3 * cell.size).reshape(-1, 3)
    rest, side_of = np.divmod(cell, 3)
    rest, judge_of = np.divmod(rest, max(1, len(judge_names)))
    low, high = np.divmod(rest, max(1, len(names)))
    return Cells(
        names,
        judge_names,
        low,
        high,
        judge_of,
        side_of - 1,
        counts.reshape(-1, 3),
        slot,
        row,
        weight,
    )


def outcomes(outcome: ArrayLike) -> Floats:
    """Check outcomes: 1 the first wins, .5 tie, 0 the second wins, NaN missing (n,)."""
    result = as_floats("outcome", outcome)
    if result.ndim != 1:
        raise ValueError(f"outcome has {result.ndim} dimensions; it must have one")
    bad = ~(np.isnan(result) | (result == 0) | (result == 0.5) | (result == 1))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"outcome[{row}] = {result[row]:g}; it must be 1 (the first wins), 0.5 (tie), "
            "0 (the second wins) or NaN (missing)"
        )
    return result


def shown_first(order: ArrayLike | None, n: int) -> Codes:
    """Turn the column `order` into 1 where the first was shown first, -1 second, 0 unknown."""
    if order is None:
        return np.zeros(n, dtype=np.int64)
    given = as_floats("order", order)
    if given.shape != (n,):
        raise ValueError(f"order has shape {given.shape}; it must be that of outcome, ({n},)")
    known = ~np.isnan(given)
    bad = known & (given != 0) & (given != 1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"order[{row}] = {given[row]:g}; it must be 0 (the first was shown first), 1 (the "
            "second was) or NaN (unknown)"
        )
    return np.where(known, 1 - 2 * np.where(known, given, 0), 0).astype(np.int64)


def coded(
    name: str, values: NDArray[Any], names: Sequence[Name] | None
) -> tuple[Codes, tuple[Name, ...]]:
    """Give values numbers from 0 in their order; where `names` are given they are such numbers."""
    if names is not None:
        if values.dtype.kind not in "iu":
            raise ValueError(f"{name}: dtype {values.dtype}; with names given, codes are integers")
        if values.size and not 0 <= values.min() <= values.max() < len(names):
            raise ValueError(
                f"{name}: codes go from {values.min()} to {values.max()}; they must lie in "
                f"0..{len(names) - 1}"
            )
        if len(set(names)) < len(names):
            raise ValueError(f"{name}: the names given are not distinct: {tuple(names)!r}")
        return values.astype(np.int64, copy=False), tuple(names)
    refuse_missing(name, values)
    if values.dtype.kind == "O":
        values = values.astype(str)
    present, codes = _distinct(values)
    return codes, tuple(present.tolist())


def refuse_missing(name: str, values: NDArray[Any]) -> None:
    """Refuse names that are NaN, infinite or `None`."""
    if values.dtype.kind == "f":
        bad = not np.isfinite(values).all()
    else:
        bad = values.dtype.kind == "O" and any(x is None or x != x for x in values.tolist())  # noqa: PLR0124 - NaN
    if bad:
        raise ValueError(f"{name}: names must not be missing, NaN or infinite; leave the rows out")


def cluster_codes(clusters: ArrayLike | None, n: int) -> Codes | None:
    """Give numbers from 0 to the clusters of `n` rows from 0; None where every row is its own."""
    if clusters is None:
        return None
    keys = as_keys("clusters", clusters)
    if keys.shape != (n,):
        raise ValueError(f"clusters has shape {keys.shape}; it must be that of outcome, ({n},)")
    return coded("clusters", keys, None)[0]


def _judges(
    judge: ArrayLike | None, names: Sequence[Name] | None, n: int
) -> tuple[Codes, tuple[Name, ...]]:
    if judge is None:
        return np.zeros(n, dtype=np.int64), ("",)
    keys = as_keys("judge", judge)
    if keys.shape != (n,):
        raise ValueError(f"judge has shape {keys.shape}; it must be that of outcome, ({n},)")
    return coded("judge", keys, names)


def _weights(weights: ArrayLike | None, n: int) -> Floats:
    if weights is None:
        return np.ones(n)
    weight = as_floats("weights", weights)
    if weight.shape != (n,):
        raise ValueError(f"weights has shape {weight.shape}; it must be that of outcome, ({n},)")
    bad = ~(np.isfinite(weight) & (weight >= 0))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(f"weights[{row}] = {weight[row]:g}; a weight is finite and at least 0")
    return weight


def _sums(codes: Codes, weights: Floats, n: int) -> Floats:
    return np.asarray(np.bincount(codes, weights=weights, minlength=n), dtype=np.float64)


def _distinct(key: NDArray[Any]) -> tuple[NDArray[Any], Codes]:
    """Give the sorted distinct values and the place of each entry among them."""
    if key.dtype.kind in "iu" and key.size:
        least, most = int(key.min()), int(key.max())
        if most - least < 4 * key.size + 4096:  # counting beats sorting
            offset = (key - least).astype(np.int64)
            present = np.flatnonzero(np.bincount(offset))
            rank = np.zeros(most - least + 1, dtype=np.int64)
            rank[present] = np.arange(present.size)
            return present + least, rank[offset]
    found, inverse = np.unique(key, return_inverse=True)
    return found, inverse.astype(np.int64)
