"""Confidences with what came of them, as one table of distinct confidences.

How often each distinct confidence was right and wrong is all that any measure of confidence needs
of independent labels; of clustered labels it needs which unit has which confidence besides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats, as_keys
from panopt.stats.patterns import few_level_codes

__all__ = ["Estimate", "Scored", "checked_level", "scored"]

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

_FEW = 4096  # distinct confidences that are counted rather than sorted


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval.

    Attributes
    ----------
    value
        The estimate; None where `reason` says why.
    low, high, se
        Interval at `level`, and standard error; None where `no_interval` (or `reason`) says why.
    n, n_clusters
        Labelled verdicts, and independent clusters of them.
    level
        Confidence level of the interval.
    method
        Estimator and interval in a few words.
    reason, no_interval
        Why there is no value; why there is a value but no interval.
    """

    value: float | None
    low: float | None
    high: float | None
    se: float | None
    n: int
    n_clusters: int
    level: float
    method: str
    reason: str | None = None
    no_interval: str | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """Labelled verdicts by their confidence.

    Attributes
    ----------
    values
        Distinct confidences, rising (values,); of a table that is not counted, `x` itself.
    right, wrong
        Verdicts with that confidence that the label confirms, and the others (values,).
    x, y
        Confidence of each verdict, and 1 right, 0 wrong (n,).
    clusters
        Cluster of each verdict, codes from 0 without gaps (n,); None where each is its own.
    n_clusters
        Number of clusters, or of verdicts where these are independent.
    """

    values: Floats
    right: Floats
    wrong: Floats
    x: Floats
    y: NDArray[np.bool_]
    clusters: Codes | None
    n_clusters: int

    @property
    def n(self) -> int:
        """Number of labelled verdicts."""
        return self.x.size

    @property
    def counts(self) -> Floats:
        """Verdicts of each distinct confidence (values,)."""
        total: Floats = self.right + self.wrong
        return total

    def codes(self) -> Codes:
        """Give the place of each verdict's confidence among the distinct ones (n,)."""
        if self.values is self.x:
            return np.arange(self.n)
        return np.searchsorted(self.values, self.x)


def checked_level(level: float) -> None:
    """Refuse a confidence level that is none."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level = {level} must lie strictly between 0 and 1")


def scored(
    confidence: ArrayLike,
    agrees: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    bounded: bool = True,
    counted: bool = True,
) -> Scored:
    """Check confidences and labels, and count them; NaN in either leaves the verdict out.

    Parameters
    ----------
    confidence
        Confidence of each verdict (n,); within [0, 1] where `bounded`.
    agrees
        Whether the label confirms it: True or 1, False or 0 (n,).
    clusters
        Key of each verdict's cluster (n,); every verdict its own where not given.
    bounded
        Whether confidences are probabilities rather than scores on any scale.
    counted
        Whether `values` must be distinct and in order. If not, many different ones are left as
        they are, which saves the sort.

    Raises
    ------
    ValueError
        For shapes that differ, infinite confidences or such off [0, 1], and other labels.

    Examples
    --------
    >>> table = scored([0.9, 0.6, 0.9, float("nan")], [1, 0, 0, 1])
    >>> table.values.tolist(), table.right.tolist(), table.wrong.tolist()
    ([0.6, 0.9], [0.0, 1.0], [1.0, 1.0])
    """
    x, y = as_floats("confidence", confidence), as_floats("agrees", agrees)
    if x.ndim != 1:
        raise ValueError(f"confidence must have one dimension, not {x.ndim}")
    if y.shape != x.shape:
        raise ValueError(f"agrees must have the shape of confidence, {x.shape}, not {y.shape}")
    keys = None if clusters is None else as_keys("clusters", clusters)
    if keys is not None and keys.shape != x.shape:
        raise ValueError(f"clusters must have the shape of confidence, {x.shape}, not {keys.shape}")
    missing = np.isnan(x) | np.isnan(y)
    if missing.any():
        x, y = x[~missing], y[~missing]
        keys = None if keys is None else keys[~missing]
    right = y == 1.0
    if np.count_nonzero(right) + np.count_nonzero(y == 0.0) < y.size:
        odd = y[~right & (y != 0.0)][0]
        raise ValueError(f"agrees holds {odd:g}; it must be 1 (right), 0 (wrong) or NaN (unknown)")
    if x.size:
        low, high = float(x.min()), float(x.max())
        if not np.isfinite(low) or not np.isfinite(high):
            raise ValueError("confidence must be finite, NaN where missing; it holds inf")
        if bounded and (low < 0.0 or high > 1.0):
            bad = low if low < 0.0 else high
            raise ValueError(f"confidence holds {bad:g}; a probability must lie in [0, 1]")
    codes, n_clusters = None, x.size
    if keys is not None:
        codes = np.unique(keys, return_inverse=True)[1]
        n_clusters = int(codes.max(initial=-1)) + 1
        codes = None if n_clusters == x.size else codes
    values, hits, misses = _count(x, right, sort=counted)
    return Scored(values, hits, misses, x, right, codes, n_clusters)


def _count(x: Floats, right: NDArray[np.bool_], *, sort: bool) -> tuple[Floats, Floats, Floats]:
    """Count right and wrong at each distinct confidence, without a sort where these are few."""
    if not x.size:
        none: Floats = np.zeros(0)
        return none, none, none
    few = few_level_codes(x, limit=_FEW)
    if few is not None:
        values, codes = few
        cells = np.bincount(2 * codes.astype(np.intp) + right, minlength=2 * values.size).astype(
            np.float64
        )
        return values, cells[1::2], cells[::2]
    if not sort:
        return x, right.astype(np.float64), (~right).astype(np.float64)
    hits, misses = np.sort(x[right]), np.sort(x[~right])
    both = np.sort(np.concatenate((hits, misses)), kind="stable")  # merges two sorted runs
    values = both[np.r_[True, both[1:] != both[:-1]]]
    up_to = [np.searchsorted(part, values, side="right") for part in (hits, misses)]
    counts = [np.diff(part, prepend=0).astype(np.float64) for part in up_to]
    return values, counts[0], counts[1]
