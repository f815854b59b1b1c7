"""What an estimate from labels and judge scores takes and gives: arguments checked, one result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_clusters, as_floats

__all__ = ["Case", "PpiEstimate", "cluster_codes", "numbers"]

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class PpiEstimate:
    """A mean, or a difference of means, of human labels.

    Attributes
    ----------
    value
        The estimate; None with a `reason`.
    low, high, se
        Interval at level 1 - alpha and standard error; None where `reason` says why.
    lam
        Weight of the judge's scores: 0 is labels alone, 1 takes the judge at its word.
    ess
        Effective sample size: labels that would tell as much without a judge.
    n, n_unlabeled, n_clusters
        Labels, further responses, independent clusters of the labels.
    alpha
        One minus the level.
    method
        Estimator and interval.
    assumptions, warnings
        What must hold; what may spoil it here.
    reason
        Why there is no value or no interval.
    """

    value: float | None
    low: float | None
    high: float | None
    se: float | None
    lam: float | None
    ess: float | None
    n: int
    n_unlabeled: int
    n_clusters: int
    alpha: float
    method: str
    assumptions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """Arguments, checked."""

    y: Floats
    f: Floats
    pool: Floats
    weights: Floats | None
    codes: Codes | None
    pool_codes: Codes | None
    n_clusters: int
    alpha: float

    @classmethod
    def checked(  # noqa: PLR0913, PLR0917 - the arguments
        cls,
        y: ArrayLike,
        yhat: ArrayLike,
        yhat_unlabeled: ArrayLike,
        clusters: ArrayLike | None,
        clusters_unlabeled: ArrayLike | None,
        weights: ArrayLike | None,
        *,
        alpha: float,
        lam: float | None,
    ) -> Case:
        """Check the arguments of an estimate.

        Raises
        ------
        ValueError
            Naming argument, value and rule.
        """
        labels, f, pool = (
            numbers("y", y),
            numbers("yhat", yhat),
            numbers("yhat_unlabeled", yhat_unlabeled),
        )
        if f.shape != labels.shape:
            raise ValueError(f"yhat must have the shape of y, {labels.shape}, not {f.shape}")
        if not 0.0 < alpha < 1.0:
            raise ValueError(f"alpha = {alpha} must lie strictly between 0 and 1")
        if lam is not None and not np.isfinite(lam):
            raise ValueError(f"lam = {lam} must be a finite number, or None to fit it")
        if lam and not pool.size:
            raise ValueError(f"lam = {lam} needs unlabelled scores; there are none, so lam is 0")
        w = None if weights is None else numbers("weights", weights)
        if w is not None and (w.shape != labels.shape or not np.all(w > 0)):
            raise ValueError(f"weights must be above 0 and have the shape of y, {labels.shape}")
        codes, pool_codes, n_clusters = cluster_codes(
            clusters, clusters_unlabeled, labels.size, pool.size
        )
        return cls(labels, f, pool, w, codes, pool_codes, n_clusters, alpha)

    @property
    def n(self) -> int:
        """Number of labels."""
        return self.y.size

    @property
    def plain(self) -> bool:
        """Whether labels are independent and alike."""
        return self.codes is None and self.weights is None

    def give(  # noqa: PLR0913 - the parts of the result
        self,
        value: float | None,
        method: str,
        *,
        ends: tuple[float, float] | None = None,
        se: float | None = None,
        lam: float | None = None,
        ess: float | None = None,
        reason: str | None = None,
    ) -> PpiEstimate:
        """Give a result about this case."""
        units = "labelled responses" if self.codes is None else "clusters"
        how = "a random sample" if self.weights is None else "a random sample with known chances"
        low, high = (None, None) if ends is None else ends
        return PpiEstimate(
            value=value,
            low=low,
            high=high,
            se=se,
            lam=lam,
            ess=ess,
            n=self.n,
            n_unlabeled=self.pool.size,
            n_clusters=self.n_clusters,
            alpha=self.alpha,
            method=method,
            assumptions=(
                f"labelled responses are {how} of all; {units} are independent",
                "the judge saw no label",
            ),
            reason=reason,
        )


def numbers(name: str, values: ArrayLike) -> Floats:
    """Give finite numbers of one dimension.

    Raises
    ------
    ValueError
        For other shapes, NaN and infinite numbers.
    """
    array = as_floats(name, values)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not {array.ndim}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; leave responses without it out")
    return array


def cluster_codes(
    clusters: ArrayLike | None, others: ArrayLike | None, n: int, n_others: int
) -> tuple[Codes | None, Codes | None, int]:
    """Give clusters codes from 0, those with a label first, and count the latter."""
    if clusters is None and others is None:
        return None, None, n
    if clusters is None or (others is None and n_others):
        raise ValueError("clusters and clusters_unlabeled must both be given, or neither")
    mine = as_clusters("clusters", clusters)
    rest = as_clusters("clusters_unlabeled", np.empty(0, mine.dtype) if others is None else others)
    if mine.shape != (n,):
        raise ValueError(f"clusters must have the shape of y, ({n},), not {mine.shape}")
    if rest.shape != (n_others,):
        wanted = f"({n_others},)"
        raise ValueError(f"clusters_unlabeled must have the shape {wanted}, not {rest.shape}")
    both: NDArray[Any] = np.concatenate((mine, rest))
    codes = np.unique(both, return_inverse=True)[1]
    has = np.zeros(int(codes.max(initial=-1)) + 1, dtype=np.bool_)
    has[codes[:n]] = True
    order = np.empty(has.size, dtype=np.intp)
    order[has] = np.arange(np.count_nonzero(has))
    order[~has] = np.count_nonzero(has) + np.arange(np.count_nonzero(~has))
    ranked = order[codes]
    return ranked[:n], ranked[n:], int(np.count_nonzero(has))
