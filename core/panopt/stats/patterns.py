"""Replace many rows by their few distinct patterns and how often each occurs.

The table of distinct rows with counts is a sufficient statistic for every method that
treats units alike, so after one pass over the judgments the work is in the patterns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.signedinteger[Any]]

_SAMPLE = 8192
_BLOCK = 1 << 18  # values coded at a time: the temporaries stay in cache
_TABLE = 1 << 19  # possible keys up to which a table is cheap even if most stay empty
_GRID = 1 << 16  # longest look-up table for levels on an even grid


@dataclass(frozen=True, slots=True)
class DistinctRows:
    """Distinct rows of a matrix of codes."""

    first: NDArray[np.intp]
    """Position, in the input, of a row of each pattern (patterns,)."""
    counts: NDArray[np.int64]
    """How many input rows carry each pattern (patterns,)."""
    inverse: NDArray[np.intp] | None
    """Pattern of every input row (rows,); `None` unless asked for."""

    def pattern_of_rows(self) -> NDArray[np.intp]:
        """Give the pattern of every input row, which must have been asked for."""
        if self.inverse is None:
            raise ValueError("distinct_rows was called without return_inverse")
        return self.inverse


def level_codes(values: FloatArray) -> tuple[FloatArray, IntArray]:
    """Code values by their rank among the distinct values.

    Linear in time where the levels are few, otherwise one sort; memory is linear.

    Parameters
    ----------
    values
        Finite numbers of any shape; NaN is missing.

    Returns
    -------
    tuple
        Sorted distinct values, and codes of the shape of `values` in the smallest fitting
        integer type with -1 for missing.

    Examples
    --------
    >>> levels, codes = level_codes(np.array([[1.0, np.nan], [5.0, 1.0]]))
    >>> levels.tolist(), codes.tolist()
    ([1.0, 5.0], [[0, -1], [1, 0]])
    """
    few = few_level_codes(values, limit=_SAMPLE // 2)
    if few is not None:
        return few
    levels, inverse = np.unique(values, return_inverse=True, equal_nan=True)
    levels = levels[: levels.size - bool(np.isnan(levels[-1]))]
    codes: IntArray = inverse.reshape(values.shape).astype(_code_type(levels.size))
    codes[inverse.reshape(values.shape) == levels.size] = -1
    return levels, codes


def few_level_codes(values: FloatArray, *, limit: int) -> tuple[FloatArray, IntArray] | None:
    """Code values like `level_codes`, or give up early when they are more than `limit`.

    Parameters
    ----------
    values
        Finite numbers of any shape; NaN is missing.
    limit
        Most distinct values wanted.

    Examples
    --------
    >>> few_level_codes(np.arange(10.0), limit=9) is None
    True
    """
    flat = np.ascontiguousarray(values, dtype=np.float64).reshape(-1)
    levels = _distinct(flat[:: max(1, flat.size // _SAMPLE)])
    # Levels too rare for the sample turn up as misfits and join in a second pass.
    for _ in range(2):
        if levels.size > limit:
            return None
        codes, misfits = _code(flat, levels)
        if not misfits.size:
            return levels, codes.reshape(values.shape)
        levels = _distinct(np.concatenate((levels, misfits)))
    raise AssertionError  # the second pass knows every value


def distinct_rows(codes: IntArray, *, n_levels: int, return_inverse: bool = False) -> DistinctRows:
    """Find the distinct rows of a matrix of small codes and count them.

    One key per row, one count: no row is compared with another. The patterns come in the
    order of the rows read as numbers, missing first, from the first column on.

    Parameters
    ----------
    codes
        Integer matrix (rows, columns) with entries in -1 .. `n_levels` - 1; -1 is missing.
    n_levels
        Number of codes.
    return_inverse
        Also say which pattern every row has.

    Examples
    --------
    >>> found = distinct_rows(np.array([[1, 0], [0, -1], [1, 0]]), n_levels=2)
    >>> found.first.tolist(), found.counts.tolist()
    ([1, 2], [1, 2])
    """
    key, size = _row_keys(codes, n_levels + 1)
    n_rows = key.size
    if size > max(4 * n_rows, min(8 * n_rows, _TABLE), 1 << 12):  # too many to count: sort
        present, key = np.unique(key, return_inverse=True)
        size = present.size
    tally = np.bincount(key, minlength=size)
    found = np.flatnonzero(tally)
    position = np.empty(size, dtype=np.intp)
    position[key] = np.arange(n_rows)
    first = position[found]
    inverse = None
    if return_inverse:
        position[found] = np.arange(found.size)
        inverse = position[key]
    return DistinctRows(first, tally[found].astype(np.int64, copy=False), inverse)


def _row_keys(codes: IntArray, base: int) -> tuple[NDArray[np.int64], int]:
    """Give every row a number below a bound, equal for equal rows and for no others."""
    key, size = np.zeros(codes.shape[0], dtype=np.int64), 1
    for column in codes.T:
        if size > (1 << 62) // base:
            present, key = np.unique(key, return_inverse=True)
            size = max(1, present.size)
        key *= base
        key += column
        key += 1
        size *= base
    return key, size


def _distinct(values: FloatArray) -> FloatArray:
    found = np.unique(values, equal_nan=True)
    return found[:-1] if found.size and np.isnan(found[-1]) else found


def _code_type(n_levels: int) -> type[np.signedinteger[Any]]:
    return np.int8 if n_levels < 1 << 7 else np.int16 if n_levels < 1 << 15 else np.int32


def _code(flat: FloatArray, levels: FloatArray) -> tuple[IntArray, FloatArray]:
    """Code a flat array by known levels; values that are none of them come back as misfits."""
    kind = _code_type(levels.size)
    if not levels.size:
        return np.full(flat.size, -1, dtype=kind), flat[~np.isnan(flat)]
    codes: IntArray = np.empty(flat.size, dtype=kind)
    low, scale, places = _grid(levels) or (0.0, 0.0, np.empty(0, dtype=np.intp))
    table = np.append(places, -1).astype(kind)
    known = np.append(levels, np.nan)  # code -1 reads this, which equals nothing
    misfits = []
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK]
        part = codes[start : start + _BLOCK]
        if not places.size:
            part[:] = np.minimum(np.searchsorted(levels, block), levels.size - 1)
            part[np.isnan(block)] = -1
        else:
            with np.errstate(over="ignore"):
                place = (block - low) * scale
            np.rint(place, out=place)
            np.fmin(place, table.size - 1, out=place)  # NaN too: that place has code -1
            np.fmax(place, 0.0, out=place)
            table.take(place.astype(np.int32), out=part, mode="wrap")
        # Exact equality: two levels that differ in the last bit are two levels.
        miss = known.take(part, mode="wrap") != block
        if miss.any():
            miss &= block == block  # noqa: PLR0124 - NaN is missing, no misfit
            if miss.any():
                misfits.append(block[miss])
                part[miss] = -1
    return codes, np.concatenate(misfits) if misfits else flat[:0]


def _grid(levels: FloatArray) -> tuple[float, float, NDArray[np.intp]] | None:
    """Say where levels lie on an even grid, if they do: a look-up beats a binary search."""
    if levels.size < 2:
        return None
    step = float(np.diff(levels).min())
    with np.errstate(over="ignore", invalid="ignore"):
        place = (levels - levels[0]) / step
        even = place[-1] < _GRID and np.abs(place - np.rint(place)).max() < 1e-6
    if not even:
        return None
    table = np.zeros(int(np.rint(place[-1])) + 1, dtype=np.intp)
    table[np.rint(place).astype(np.intp)] = np.arange(levels.size)
    return float(levels[0]), 1.0 / step, table
