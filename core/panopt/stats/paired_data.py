"""Put paired scores of two systems into sums of their differences, one a cluster, ties counted.

A cluster's sum and its size are all that an estimate, a bootstrap or a sign flip of the mean
difference needs of it; clusters that are alike in both are counted, not repeated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_clusters, as_floats

__all__ = ["Differences", "Sums", "cluster_codes", "cluster_sums", "lattice_unit", "pair_up"]

Floats = NDArray[np.float64]

_UNITS = np.arange(1.0, 121.0)  # scores are tried as fractions of these wholes
_WIDEST = 1 << 20  # lattice steps between the least and the largest sum that are counted
_NEAR = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Differences:
    """Scores of two systems on the pairs that both have.

    Attributes
    ----------
    a, b
        Scores (n,), finite.
    codes
        Cluster of each pair, from 0 without gaps; None where each pair is its own.
    n_clusters
        Number of clusters.
    n_missing
        Pairs left out as a score was missing.
    """

    a: Floats
    b: Floats
    codes: NDArray[np.intp] | None
    n_clusters: int
    n_missing: int

    @property
    def n(self) -> int:
        """Pairs."""
        return len(self.a)


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Clusters as sums of differences.

    Attributes
    ----------
    total, size, count
        Distinct pairs of sum and number of differences, and how many clusters have them.
    unit
        Sums are whole multiples of 1 / unit; None where they are on no such lattice, and then
        every cluster has an entry of its own.
    n, n_clusters
        Differences and clusters in all.
    mean
        Mean difference.
    one_size
        Whether all clusters have as many differences.
    """

    total: Floats
    size: Floats
    count: Floats
    unit: float | None

    n: float
    n_clusters: int
    mean: float
    one_size: bool


def pair_up(a: ArrayLike, b: ArrayLike, clusters: ArrayLike | None) -> Differences:
    """Check paired scores and leave out pairs that lack one.

    Raises
    ------
    ValueError
        For arrays of other than one dimension, of different length, or infinite scores.
    """
    x, y = as_floats("a", a), as_floats("b", b)
    for name, values in (("a", x), ("b", y)):
        if values.ndim != 1:
            raise ValueError(f"{name} must have one dimension, not {values.ndim}")
    if x.shape != y.shape:
        raise ValueError(f"a and b must have one score a pair each, not {len(x)} and {len(y)}")
    keys = None if clusters is None else as_clusters("clusters", clusters)
    if keys is not None and keys.shape != x.shape:
        raise ValueError(f"clusters must have the shape of a, {x.shape}, not {keys.shape}")
    with np.errstate(invalid="ignore"):
        finite = bool(np.isfinite(x.sum()) and np.isfinite(y.sum()))
    n_missing = 0
    if not finite:  # a sum tells in one pass that all is well
        for name, values in (("a", x), ("b", y)):
            if np.isinf(values).any():
                raise ValueError(f"{name} must be finite, NaN where a score is missing")
        kept = ~(np.isnan(x) | np.isnan(y))
        n_missing = int(np.count_nonzero(~kept))
        x, y, keys = x[kept], y[kept], None if keys is None else keys[kept]
    if keys is None:
        return Differences(x, y, None, len(x), n_missing)
    codes, groups = cluster_codes(keys)
    return Differences(x, y, codes, groups, n_missing)


def cluster_codes(keys: NDArray[np.generic]) -> tuple[NDArray[np.intp], int]:
    """Give cluster keys as codes from 0 without gaps, and their number.

    Examples
    --------
    >>> cluster_codes(np.array([7, 3, 7]))
    (array([1, 0, 1]), 2)
    """
    if keys.dtype.kind in "iu" and keys.size:
        low, high = int(keys.min()), int(keys.max())
        if high - low < max(4 * keys.size, 1024):  # counting beats sorting
            there = np.bincount(keys.astype(np.intp) - low) > 0
            return (np.cumsum(there) - 1)[keys.astype(np.intp) - low], int(there.sum())
    _, codes = np.unique(keys, return_inverse=True)
    return codes.reshape(-1), int(codes.max(initial=-1)) + 1


def lattice_unit(values: Floats) -> float | None:
    """Give the least q such that all values are multiples of 1 / q; None beyond 120.

    Examples
    --------
    >>> lattice_unit(np.array([0.1, -0.3, 1 / 2])), lattice_unit(np.array([0.1234]))
    (10.0, None)
    """
    sample = values[:: max(1, len(values) // 100)]
    scaled = np.multiply.outer(_UNITS, sample)
    near = np.abs(scaled - np.rint(scaled)).max(axis=1, initial=0.0)
    for unit in _UNITS[near <= _NEAR]:
        off = values * unit
        off -= np.rint(off)
        if max(off.max(initial=0.0), -off.min(initial=0.0)) <= _NEAR:
            return float(unit)
    return None


def cluster_sums(pairs: Differences) -> Sums:
    """Sum the differences a - b by cluster and count clusters that are alike."""
    difference = pairs.a - pairs.b
    unit = lattice_unit(difference)
    if unit is not None:
        difference = np.rint(difference * unit)
    if pairs.codes is None:
        total, size = difference, np.ones(1)
    else:
        total = np.asarray(np.bincount(pairs.codes, difference, pairs.n_clusters), np.float64)
        size = np.bincount(pairs.codes, minlength=pairs.n_clusters).astype(np.float64)
    if unit is not None and total.size and np.ptp(total) < _WIDEST:
        return _counted(total, size, unit, pairs.n)
    total = total if unit is None else total / unit
    return _sums(total, np.broadcast_to(size, total.shape), np.ones(total.size), None, pairs.n)


def _sums(total: Floats, size: Floats, count: Floats, unit: float | None, n: int) -> Sums:
    mean = float(count @ total) / n if n else 0.0
    one_size = size.strides == (0,) or (size.size > 0 and bool(size.min() == size.max()))
    return Sums(total, size, count, unit, n, int(count.sum()), mean, one_size)


def _counted(total: Floats, size: Floats, unit: float, n: int) -> Sums:
    low = total.min()
    code = (total - low).astype(np.intp)
    if size.min() < size.max():
        kinds, kind = np.unique(size, return_inverse=True)
        cells, count = np.unique(code * len(kinds) + kind, return_counts=True)
        total = (low + cells // len(kinds)) / unit
        return _sums(total, kinds[cells % len(kinds)], count.astype(np.float64), unit, n)
    count = np.bincount(code)
    there = np.flatnonzero(count)
    total = (low + there) / unit
    return _sums(total, np.full(there.size, size[0]), count[there].astype(np.float64), unit, n)
