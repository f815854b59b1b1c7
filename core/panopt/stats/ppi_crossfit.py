"""A judge calibrated by the labels, out of fold, before it helps to estimate their mean.

A judge that ranks well but scores on a bent scale helps more once its scores are mapped to what
humans say. A map fitted to the labels it is then tested on would flatter itself, so every labelled
response is mapped by a fit to the other folds, and the others by the mean of those fits (cross-
prediction: Zrnic & Candes 2024, PNAS 121(15)).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_clusters
from panopt.stats.generators import generator
from panopt.stats.ppi import ppi_mean
from panopt.stats.ppi_case import Case, PpiEstimate, numbers

__all__ = ["ppi_calibrated"]

Floats = NDArray[np.float64]

#: Fewer labelled clusters than this are not enough to fit a map by.
LEAST = 40


def ppi_calibrated(  # noqa: PLR0913 - one argument an option
    y: ArrayLike,
    yhat: ArrayLike,
    yhat_unlabeled: ArrayLike,
    *,
    rng: np.random.Generator | int,
    folds: int = 5,
    alpha: float = 0.05,
    clusters: ArrayLike | None = None,
    clusters_unlabeled: ArrayLike | None = None,
) -> PpiEstimate:
    """Estimate the mean human label with a judge brought to the scale of the labels.

    Parameters
    ----------
    y, yhat, yhat_unlabeled, alpha, clusters, clusters_unlabeled
        As in :func:`panopt.stats.ppi.ppi_mean`; humans rise with `yhat`.
    rng
        Draws the folds, or a seed that does; clusters stay whole.
    folds
        At least 2.

    Returns
    -------
    PpiEstimate
        By the judge as it is where there are fewer than 40 labelled clusters.

    Raises
    ------
    ValueError
        As :func:`panopt.stats.ppi.ppi_mean`, and for fewer than two folds.

    Examples
    --------
    A judge whose scores bend:

    >>> rng = np.random.default_rng(0)
    >>> y = rng.random(1200)
    >>> judge = (y + 0.05 * rng.normal(size=1200)) ** 8
    >>> plain = ppi_calibrated(y[:39], judge[:39], judge[200:], rng=rng)
    >>> found = ppi_calibrated(y[:200], judge[:200], judge[200:], rng=rng)
    >>> round(plain.ess / plain.n) < 3 < round(found.ess / found.n)
    True
    """
    labels, f, pool = (
        numbers("y", y),
        numbers("yhat", yhat),
        numbers("yhat_unlabeled", yhat_unlabeled),
    )
    source = generator(rng)
    if folds < 2:
        raise ValueError(f"folds = {folds} must be at least 2")
    case = Case.checked(labels, f, pool, clusters, clusters_unlabeled, None, alpha=alpha, lam=None)
    if case.n_clusters < max(LEAST, folds):
        return ppi_mean(
            labels, f, pool, alpha=alpha, clusters=clusters, clusters_unlabeled=clusters_unlabeled
        )
    keys = np.arange(labels.size) if clusters is None else as_clusters("clusters", clusters)
    codes = np.unique(keys, return_inverse=True)[1]
    fold = np.resize(np.arange(folds), int(codes.max()) + 1)
    source.shuffle(fold)
    mine, rest = np.empty(labels.size), np.zeros(pool.size)
    for k in range(folds):
        out = fold[codes] == k
        mapped = _rising(f[~out], labels[~out], np.concatenate((f[out], pool)))
        mine[out] = mapped[: np.count_nonzero(out)]
        rest += mapped[np.count_nonzero(out) :] / folds
    return ppi_mean(
        labels, mine, rest, alpha=alpha, clusters=clusters, clusters_unlabeled=clusters_unlabeled
    )


def _rising(x: Floats, y: Floats, at: Floats) -> Floats:
    """Fit the rising map of least squared error, and give its values, joined by lines."""
    from scipy.optimize import isotonic_regression  # noqa: PLC0415 - scipy is imported late

    values, codes, counts = np.unique(x, return_inverse=True, return_counts=True)
    means = np.bincount(codes, weights=y) / counts
    fitted = isotonic_regression(means, weights=counts).x
    return np.interp(at, values, fitted)
