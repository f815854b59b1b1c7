"""Check scores given in long format: one row a score, with codes of its item and judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats, as_keys

FloatArray = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]

_MOST = 1e100


def long_format(
    item: ArrayLike, judge: ArrayLike, score: ArrayLike
) -> tuple[Codes, Codes, FloatArray]:
    """Give item and judge codes and scores as arrays (scores,).

    Raises
    ------
    ValueError
        For shapes, types or values that are no codes from 0, or no finite scores.
    """
    items, judges = as_keys("item", item), as_keys("judge", judge)
    scores = as_floats("score", score)
    if not scores.size:
        raise ValueError("score is empty; at least two judges must score")
    for name, codes in (("item", items), ("judge", judges)):
        if codes.ndim != 1 or codes.shape != scores.shape:
            raise ValueError(
                f"{name} has shape {codes.shape} and score {scores.shape}; "
                "all must be one-dimensional and of one length"
            )
        if codes.dtype.kind not in "iu":
            raise ValueError(f"{name} has dtype {codes.dtype}; it must hold integer codes from 0")
        if codes.min() < 0:
            raise ValueError(f"{name} holds {codes.min()}; codes count from 0")
    if not (scores.min() > -_MOST and scores.max() < _MOST):
        bad = int(np.flatnonzero(~(np.abs(scores) < _MOST))[0])
        raise ValueError(
            f"score[{bad}] is {scores[bad]}; scores must be finite numbers below {_MOST:g}: leave "
            "the row of a missing score out"
        )
    return items, judges, scores


def code_count(name: str, given: int | None, codes: Codes, n_scores: int) -> int:
    """Give the number of codes: as stated, or as the largest one says.

    Raises
    ------
    ValueError
        For a stated number that is not whole or too small, and for codes with huge gaps.
    """
    if given is not None and (isinstance(given, bool) or not isinstance(given, int | np.integer)):
        raise ValueError(f"{name} = {given!r} must be a whole number")
    needed = int(codes.max()) + 1
    if given is None and needed > 10 * n_scores + 1000:
        raise ValueError(
            f"{name[2:-1]} holds {needed - 1} with only {n_scores} scores; number them 0, 1, 2 ..."
        )
    if given is not None and given < needed:
        raise ValueError(
            f"{name} = {given} but code {needed - 1} occurs; it must be {needed} or more"
        )
    return needed if given is None else int(given)


def anchor_mask(anchor: int | Sequence[int] | None, given: Codes) -> NDArray[np.bool_]:
    """Mark the anchors among judges with `given` scores each (judges,)."""
    fixed = np.zeros(given.size, dtype=bool)
    for code in np.atleast_1d([] if anchor is None else anchor).tolist():
        if not (isinstance(code, int) and 0 <= code < given.size):
            raise ValueError(
                f"anchor = {code!r}; it must be judge codes from 0 to {given.size - 1}"
            )
        if not given[code]:
            raise ValueError(f"anchor = {code}, but judge {code} has no score; leave it out")
        fixed[code] = True
    return fixed
