"""Adjust p-values for the number of tests: Holm for any error, Benjamini-Hochberg for their share.

Holm 1979 keeps the probability of even one false finding at the level, whatever the tests have to
do with each other; Benjamini & Hochberg 1995 the expected share of false findings among all, for
independent or positively dependent tests.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats

__all__ = ["benjamini_hochberg", "holm"]

Floats = NDArray[np.float64]


def holm(p: ArrayLike) -> Floats:
    """Adjust p-values so that any false finding at all is rare (Holm 1979).

    Parameters
    ----------
    p
        p-values (tests,); NaN for a test that could not be made, which does not count.

    Returns
    -------
    ndarray
        Adjusted p-values (tests,): reject where at most alpha.

    Raises
    ------
    ValueError
        For numbers off [0, 1], or other than one dimension.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    values, order = _sorted(p)
    ranked = values[order]
    still = np.arange(len(order), 0, -1)
    out = np.full(values.shape, np.nan)
    out[order] = np.minimum(np.maximum.accumulate(ranked * still), 1.0)
    return out


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Adjust p-values so that few of the findings are false (Benjamini & Hochberg 1995).

    Parameters
    ----------
    p
        As in :func:`holm`.

    Returns
    -------
    ndarray
        Adjusted p-values (tests,): rejecting where at most q makes the expected share of false
        findings at most q, for independent or positively dependent tests.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.04, 0.04]
    """
    values, order = _sorted(p)
    steps = values[order] * len(order) / np.arange(1, len(order) + 1)
    out = np.full(values.shape, np.nan)
    out[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)
    return out


def _sorted(p: ArrayLike) -> tuple[Floats, NDArray[np.intp]]:
    values = as_floats("p", p)
    if values.ndim != 1:
        raise ValueError(f"p must have one dimension, not {values.ndim}")
    if np.any((values < 0.0) | (values > 1.0)):
        raise ValueError("p must lie between 0 and 1, NaN where a test could not be made")
    order = np.argsort(values, kind="stable")
    return values, order[: np.count_nonzero(~np.isnan(values))]
