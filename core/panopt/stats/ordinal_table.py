"""Votes on ordered levels as a sparse table of the distinct ways in which items were judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats, as_keys

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FloatArray = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]

_MOST_LEVELS = 101  # finer scales are continuous for this purpose
_HASH = 1 << 40  # sums of 8,192 such numbers are exact in float64


@dataclass(frozen=True, slots=True)
class OrdinalVotes:
    """Checked votes in long format, missing ones left out (votes,)."""

    item: Codes
    judge: Codes
    level: Codes
    n_items: int
    n_judges: int
    n_levels: int


@dataclass(frozen=True, slots=True)
class OrdinalTable:
    """Distinct patterns of votes; judge j's votes for level k are in column j * n_levels + k."""

    cells: csr_array
    """How often a pattern has that vote (patterns, judges * levels)."""
    counts: FloatArray
    """Items of each pattern (patterns,)."""
    pattern: NDArray[np.intp]
    """Pattern of every item, -1 where nobody judged it (items,)."""
    n_judges: int
    n_levels: int

    def spread(self, values: FloatArray) -> FloatArray:
        """Give what patterns have (patterns, ...) to their items (items, ...), else NaN."""
        found: FloatArray = np.concatenate((values, np.full((1, *values.shape[1:]), np.nan)))
        return found[self.pattern]


def ordinal_votes(  # noqa: PLR0913 - three arrays of one table, and its sizes
    item: ArrayLike,
    judge: ArrayLike,
    level: ArrayLike,
    *,
    n_levels: int,
    n_items: int | None = None,
    n_judges: int | None = None,
) -> OrdinalVotes:
    """Check votes in long format; a NaN level is a missing vote.

    Raises
    ------
    ValueError
        For shapes, types or values that are no codes from 0, and levels off the scale.

    Examples
    --------
    >>> ordinal_votes([0, 0, 2], [0, 1, 0], [4, 3, np.nan], n_levels=5).level.tolist()
    [4, 3]
    """
    if isinstance(n_levels, bool) or not isinstance(n_levels, int | np.integer):
        raise ValueError(  # noqa: TRY004 - bad arguments are ValueErrors here
            f"n_levels = {n_levels!r} must be a whole number"
        )
    if not 2 <= n_levels <= _MOST_LEVELS:
        raise ValueError(f"n_levels = {n_levels} must lie in 2..{_MOST_LEVELS}; bin finer scales")
    levels = as_floats("level", level)
    codes = [as_keys("item", item), as_keys("judge", judge)]
    for name, values in zip(("item", "judge"), codes, strict=True):
        if values.ndim != 1 or values.shape != levels.shape:
            raise ValueError(
                f"{name} has shape {values.shape} and level {levels.shape}; "
                "all must be one-dimensional and of one length"
            )
        if values.size and values.dtype.kind not in "iu":
            raise ValueError(f"{name} has dtype {values.dtype}; it must hold integer codes from 0")
        if values.size and values.min() < 0:
            raise ValueError(f"{name} holds {values.min()}; codes count from 0")
    given = ~np.isnan(levels)
    off = given & ~((levels >= 0) & (levels < n_levels) & (levels == np.floor(levels)))
    if off.any():
        first = int(np.flatnonzero(off)[0])
        raise ValueError(
            f"level[{first}] is {levels[first]:g}; levels must be whole numbers from 0 to "
            f"{n_levels - 1} (n_levels = {n_levels}), NaN where missing"
        )
    items, judges = codes
    n_items = _count("n_items", n_items, items)
    n_judges = _count("n_judges", n_judges, judges)
    if not given.all():
        items, judges, levels = items[given], judges[given], levels[given]
    return OrdinalVotes(items, judges, levels.astype(np.int64), n_items, n_judges, int(n_levels))


def ordinal_table(votes: OrdinalVotes) -> OrdinalTable:
    """Find the distinct patterns of votes, however long: equal for equal votes in any order.

    Patterns are told apart by two random sums over their votes, 80 bits together: among a
    million items two different patterns fall together with probability below 1e-12.

    Examples
    --------
    >>> votes = ordinal_votes([0, 0, 1, 1], [0, 1, 1, 0], [1, 0, 0, 1], n_levels=2)
    >>> table = ordinal_table(votes)
    >>> table.counts.tolist(), table.cells.toarray().tolist()
    ([2.0], [[0.0, 1.0, 1.0, 0.0]])
    """
    from scipy.sparse import csr_array  # noqa: PLC0415  # scipy is imported late

    width = votes.n_judges * votes.n_levels
    cell = votes.judge.astype(np.int64) * votes.n_levels + votes.level
    # Fixed numbers: which they are changes nothing but the chance of a collision.
    random = np.random.default_rng(0).integers(1, _HASH, size=(2, width)).astype(np.float64)
    real, imaginary = (
        np.bincount(votes.item, weights=weights[cell], minlength=votes.n_items)
        for weights in random
    )
    judged = np.flatnonzero(real)
    key = real[judged] + 1j * imaginary[judged]
    _, first, inverse, counts = np.unique(
        key, return_index=True, return_inverse=True, return_counts=True
    )
    pattern = np.full(votes.n_items, -1, dtype=np.intp)
    pattern[judged] = inverse
    chosen = np.zeros(votes.n_items, dtype=bool)
    chosen[judged[first]] = True
    kept = chosen[votes.item]
    rows, columns = pattern[votes.item[kept]], cell[kept]
    cells = csr_array((np.ones(rows.size), (rows, columns)), shape=(first.size, width))
    cells.sum_duplicates()
    return OrdinalTable(cells, counts.astype(np.float64), pattern, votes.n_judges, votes.n_levels)


def _count(name: str, asked: int | None, codes: Codes) -> int:
    needed = int(codes.max()) + 1 if codes.size else 0
    if asked is None and needed > 10 * codes.size + 1000:
        raise ValueError(
            f"{name[2:-1]} holds {needed - 1} in only {codes.size} votes; number them 0, 1, 2 ..."
        )
    if asked is not None and asked < needed:
        raise ValueError(
            f"{name} = {asked} but code {needed - 1} occurs; it must be {needed} or more"
        )
    return needed if asked is None else asked
