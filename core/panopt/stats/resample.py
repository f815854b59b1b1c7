"""Resample random groups of units where the units themselves are too many to draw again and again.

A bootstrap over thousands of random groups of units (or of whole clusters of units) gives the same
standard error as one over the units, up to 1 / sqrt(2 x groups): 1.6% of it for 2,000 groups. What
a coefficient adds up is then added once a group, and a resample is a product of matrices.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Codes = NDArray[np.intp]

MOST_GROUPS = 2000
_DENSE_CELLS = 1 << 22  # groups x patterns counted in a table at most: 32 MB
_CELLS = 1 << 20  # draws held at a time: 8 MB


def random_groups(
    n_units: int, clusters: Codes | None, rng: np.random.Generator, *, most: int = MOST_GROUPS
) -> tuple[Codes, int]:
    """Put units into groups at random, of equal size where they can be; clusters stay whole.

    Parameters
    ----------
    n_units
        Number of units.
    clusters
        Cluster of each unit, from 0 without gaps (units,); None where each is its own.
    rng
        Source of randomness.
    most
        Most groups wanted; with no more units (or clusters) than that each is its own group.

    Returns
    -------
    tuple
        Group of each unit (units,), and the number of groups.

    Examples
    --------
    >>> random_groups(3, None, np.random.default_rng(0))
    (array([0, 1, 2]), 3)
    """
    free = n_units if clusters is None else int(clusters.max(initial=-1)) + 1
    if free <= most:
        return (np.arange(n_units) if clusters is None else clusters), free
    group = np.resize(np.arange(most), free)
    rng.shuffle(group)
    return (group if clusters is None else group[clusters]), most


def group_sums(columns: FloatArray, pattern: Codes, group: Codes, n_groups: int) -> FloatArray:
    """Add the columns of the units' patterns up by group.

    Parameters
    ----------
    columns
        What each pattern adds (patterns, sums).
    pattern, group
        Pattern and group of each unit (units,).
    n_groups
        Number of groups.

    Returns
    -------
    ndarray
        Sums (groups, sums).

    Examples
    --------
    >>> group_sums(np.array([[1.0], [10.0]]), np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
    [[11.0], [10.0]]
    """
    n_patterns = columns.shape[0]
    if n_groups * n_patterns <= max(_DENSE_CELLS, 4 * pattern.size):
        cells = np.bincount(group * n_patterns + pattern, minlength=n_groups * n_patterns)
        dense: FloatArray = cells.reshape(n_groups, n_patterns) @ columns
        return dense
    if columns.shape[1] <= 8:
        each = (np.bincount(group, column[pattern], n_groups) for column in columns.T)
        return np.stack(list(each), axis=1)
    from scipy.sparse import csr_array  # noqa: PLC0415  # only large data of many patterns need it

    where = (group, pattern)
    table = csr_array((np.ones(pattern.size), where), shape=(n_groups, n_patterns))
    return np.asarray(table @ columns)


def group_draws(n_groups: int, n_boot: int, rng: np.random.Generator) -> Iterator[FloatArray]:
    """Draw how often each group occurs in every resample, in blocks.

    Yields
    ------
    ndarray
        Times (resamples in this block, groups); every row sums to `n_groups`.
    """
    rows = max(1, _CELLS // n_groups)
    for start in range(0, n_boot, rows):
        n = min(rows, n_boot - start)
        drawn = rng.integers(0, n_groups, size=(n, n_groups))
        drawn += n_groups * np.arange(n)[:, None]
        times = np.bincount(drawn.reshape(-1), minlength=n * n_groups)
        yield times.reshape(n, n_groups).astype(np.float64)
