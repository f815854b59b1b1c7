"""Tell which votes count, and reduce several to one: the commonest, the middle, the mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats, as_keys

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Codes = NDArray[np.int8]
How = Literal["mean", "median", "plurality"]

#: How a judge fared on a response. The first three are those of the judgments' statuses.
OK, ABSTAINED, FAILED, UNSAID, NEVER = 0, 1, 2, 3, -1
_STATUS = {"ok": OK, "abstained": ABSTAINED, "failed": FAILED, "": NEVER}


def vote_codes(
    given: FloatArray, status: ArrayLike | None, bounds: tuple[float, float] | None
) -> Codes:
    """Say of every vote whether it counts, and if not, why.

    Parameters
    ----------
    given
        Scores (responses, judges); NaN missing.
    status
        "ok", "abstained", "failed" or "" (never asked) for each, or their codes; `None` where
        nothing is known.
    bounds
        Ends of the scale, if votes off it are to fail.

    Returns
    -------
    ndarray
        `OK`, `ABSTAINED`, `FAILED`, `UNSAID` (missing without a status) or `NEVER`.

    Raises
    ------
    ValueError
        For a status of another shape or an unknown one.

    Examples
    --------
    >>> vote_codes(np.array([[0.5, np.nan, np.inf]]), None, None).tolist()
    [[0, 3, 2]]
    """
    missing = np.isnan(given)
    broken = np.isinf(given)
    if bounds is not None:
        broken |= (given < bounds[0]) | (given > bounds[1])
    if status is None:
        codes = np.where(missing, UNSAID, OK).astype(np.int8)
        codes[broken] = FAILED
        return codes
    stated = as_keys("status", status)
    if stated.shape != given.shape:
        raise ValueError(f"status of shape {stated.shape} must match scores, {given.shape}")
    if stated.dtype.kind == "O":
        nothing = np.array(None, dtype=np.object_)
        stated = np.where(np.equal(stated, nothing), "", stated).astype(np.str_)
    if stated.dtype.kind in "US":
        names, which = np.unique(stated, return_inverse=True)
        unknown = [str(name) for name in names if str(name) not in _STATUS]
        if unknown:
            raise ValueError(f"status {unknown[0]!r} must be 'ok', 'abstained', 'failed' or ''")
        stated = np.array([_STATUS[str(name)] for name in names])[which.reshape(given.shape)]
    elif not np.isin(stated, list(_STATUS.values())).all():
        raise ValueError("status codes must be 0 (ok), 1 (abstained), 2 (failed) or -1 (not asked)")
    codes = stated.astype(np.int8)
    codes[(codes == OK) & (missing | broken)] = FAILED
    return codes


@dataclass(frozen=True, slots=True)
class Modes:
    """Commonest values of each row; where several are equally common, the ends of them."""

    lowest: FloatArray
    """Lowest commonest value, NaN in rows without values (rows,)."""
    highest: FloatArray
    """Highest commonest value (rows,)."""
    size: IntArray
    """How often it occurs, 0 in rows without values (rows,)."""
    n: IntArray
    """How many values occur that often (rows,)."""


def row_modes(ordered: FloatArray) -> Modes:
    """Find the commonest values of every row.

    Parameters
    ----------
    ordered
        Rows in rising order, NaN last (rows, values).

    Examples
    --------
    >>> found = row_modes(np.array([[0.0, 1.0, 1.0], [0.0, 1.0, np.nan]]))
    >>> found.lowest.tolist(), found.highest.tolist(), found.n.tolist()
    ([1.0, 0.0], [1.0, 1.0], [1, 2])
    """
    n_rows = ordered.shape[0]
    lowest, highest, before = (np.full(n_rows, np.nan) for _ in range(3))
    size, n, run = (np.zeros(n_rows, dtype=np.int64) for _ in range(3))
    for value in ordered.T:
        run = np.where(value == before, run + 1, 1)
        run[np.isnan(value)] = 0
        longer, level = run > size, (run == size) & (run > 0)
        lowest = np.where(longer, value, lowest)
        highest = np.where(longer | level, value, highest)
        n = np.where(longer, 1, n + level)
        size = np.maximum(size, run)
        before = value
    return Modes(lowest, highest, size, n)


def row_median(ordered: FloatArray, n: IntArray) -> FloatArray:
    """Take the median of every row: the mean of the two middles where there are two.

    Parameters
    ----------
    ordered
        Rows in rising order, NaN last (rows, values).
    n
        Values in each row (rows,); rows without any give NaN.

    Examples
    --------
    >>> row_median(np.array([[0.0, 0.6, 0.9], [0.0, 1.0, np.nan]]), np.array([3, 2])).tolist()
    [0.6, 0.5]
    """
    rows = np.arange(n.size)
    low, high = ordered[rows, np.maximum(n - 1, 0) // 2], ordered[rows, n // 2]
    middle: FloatArray = (low + high) / 2
    return middle


def reduce_repeats(scores: ArrayLike, *, how: How = "mean") -> FloatArray:
    """Reduce the repeats of each judge on each response to one vote.

    Parameters
    ----------
    scores
        Votes (responses, judges, repeats); NaN or infinite: no decisive vote.
    how
        "mean" or "median" for numbers, "plurality" for labels: the commonest one.

    Returns
    -------
    ndarray
        One vote per response and judge (responses, judges); NaN where no repeat is decisive,
        and where labels tie: that judge abstains.

    Raises
    ------
    ValueError
        For scores without three axes, or another `how`.

    Examples
    --------
    >>> reduce_repeats([[[1, 1, 0], [1, 0, np.nan]]], how="plurality").tolist()
    [[1.0, nan]]
    """
    cube = as_floats("scores", scores)
    if cube.ndim != 3 or not cube.shape[2]:
        raise ValueError(f"scores of shape {cube.shape} must be (responses, judges, repeats)")
    if how not in get_args(How):
        raise ValueError(f"how = {how!r} must be one of {', '.join(get_args(How))}")
    shape = cube.shape[:2]
    rows = cube.reshape(shape[0] * shape[1], cube.shape[2])
    rows = np.where(np.isfinite(rows), rows, np.nan)
    n = np.count_nonzero(~np.isnan(rows), axis=1)
    found: FloatArray
    if how == "mean":
        total = np.where(np.isnan(rows), 0.0, rows).sum(axis=1)
        found = np.divide(total, n, out=np.full(n.size, np.nan), where=n > 0)
    elif how == "median":
        found = row_median(np.sort(rows, axis=1), n)
    else:
        modes = row_modes(np.sort(rows, axis=1))
        found = np.where(modes.n == 1, modes.lowest, np.nan)
    return found.reshape(shape)
