"""What a cascade of judges is given: answers, costs, and a path that was fixed beforehand."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.certify_checks import check_scale

__all__ = ["answers", "nested_path", "prices", "quantile_path", "unlabelled"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def answers(confidence: ArrayLike, agrees: ArrayLike, *, unit: bool) -> tuple[Floats, Flags]:
    """Take confidence and whether each answer is wrong, shape (items, judges); NaN is silence."""
    c = as_floats("confidence", confidence)
    if c.ndim != 2 or not c.shape[1]:
        raise ValueError(f"confidence has shape {c.shape}; it must be (items, judges)")
    check_scale("confidence", c[~np.isnan(c)], unit=unit)
    agree = as_floats("agrees", agrees)
    if agree.shape != c.shape:
        raise ValueError(
            f"confidence and agrees differ in shape: {c.shape} and {agree.shape}; both are "
            "(items, judges)"
        )
    answered = ~np.isnan(c)
    if not np.isin(agree[answered], (0.0, 1.0)).all():
        raise ValueError("agrees must be 0 or 1 (or bool) wherever confidence is given")
    return c, (agree == 0.0) & answered


def unlabelled(pool: ArrayLike, judges: int, *, unit: bool) -> Floats:
    """Take the confidences of other items, shape (pool, judges)."""
    c = as_floats("pool", pool)
    if c.ndim != 2 or c.shape[1] != judges or not len(c):
        raise ValueError(f"pool has shape {c.shape}; it must be (pool, {judges}), not empty")
    check_scale("pool", c[~np.isnan(c)], unit=unit)
    return c


def prices(costs: ArrayLike | None, judges: int) -> Floats:
    """Take the cost of one judgment of each judge, 1 where not given; costs must not fall."""
    if costs is None:
        return np.ones(judges)
    price = as_floats("costs", costs)
    if price.shape != (judges,):
        raise ValueError(f"costs has shape {price.shape}; it must be ({judges},), one a judge")
    if not (np.isfinite(price) & (price >= 0.0)).all():
        raise ValueError(f"costs = {price.tolist()} must be finite and not negative")
    falls = np.flatnonzero(np.diff(price) < 0.0)
    if falls.size:
        m = int(falls[0])
        raise ValueError(
            f"costs fall from {price[m]:g} (judge {m}) to {price[m + 1]:g} (judge {m + 1}); judges "
            "must be ordered from cheap to strong"
        )
    return price


def nested_path(grid: ArrayLike, judges: int) -> Floats:
    """Take threshold vectors, or thresholds that all judges share, none above the one before."""
    path = as_floats("grid", grid)
    if path.ndim == 1:
        path = np.repeat(np.unique(path)[::-1, None], judges, axis=1)
    if path.ndim != 2 or path.shape[1] != judges or not len(path):
        raise ValueError(
            f"grid has shape {path.shape}; it must be (steps, {judges}) or (steps,), not empty"
        )
    if np.isnan(path).any():
        raise ValueError("grid must not be NaN; infinity where a judge does not decide")
    rises = np.flatnonzero((path[1:] > path[:-1]).any(axis=1))
    if rises.size:
        raise ValueError(
            f"grid rises from step {int(rises[0])} to step {int(rises[0]) + 1}; every threshold "
            "must be at most the one before"
        )
    return path


def quantile_path(pool: ArrayLike, *, steps: int = 10) -> Floats:
    """Lower all judges together: each step accepts the same share of every judge's verdicts.

    A path for ``certify_cascade(grid=...)`` that needs no label: it suits judges of like
    strength, and leaves all labels to the test.

    Parameters
    ----------
    pool
        Confidences of items that will not be used for testing, shape (pool, judges); NaN where a
        judge did not answer.
    steps
        Number of steps, at least 1; the last decides everything.

    Returns
    -------
    ndarray
        Threshold vectors, shape (steps, judges).

    Examples
    --------
    >>> quantile_path([[0.5, 0.6], [0.7, 0.8], [0.9, 1.0]], steps=3).tolist()
    [[0.9, 1.0], [0.7, 0.8], [-inf, -inf]]
    """
    given: object = steps
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or steps < 1:
        raise ValueError(f"steps = {steps} must be a whole number of at least 1")
    c = as_floats("pool", pool)
    if c.ndim != 2 or 0 in c.shape:
        raise ValueError(f"pool has shape {c.shape}; it must be (pool, judges), neither empty")
    path = np.full((steps, c.shape[1]), -np.inf)
    for m, column in enumerate(c.T):
        rising = np.sort(column[~np.isnan(column)])
        if rising.size:
            place = -(-len(rising) * np.arange(1, steps) // steps)
            path[:-1, m] = rising[len(rising) - place]
    return path
