"""Fit one common cause to correlations of judges, so that what it leaves over stands out.

If judges err independently given the truth, the correlation of two judges is the product of two
numbers, each judge's correlation with the truth (Spearman 1904; for two labels the same follows
from Dawid and Skene's model). The fit is by least squares over pairs of different judges
(minres, Harman and Jones 1966) with weights that fall with the squared misfit, so that a few
dependent pairs do not bend it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_BEND = 2.0  # residuals beyond this many standard errors weigh less
_STEPS = 60
_MOST = 0.999


def one_factor(
    correlation: FloatArray, se: FloatArray, *, start: FloatArray | None = None, steps: int = _STEPS
) -> FloatArray:
    """Fit each judge's correlation with the common cause.

    Parameters
    ----------
    correlation
        Correlations of judges (draws, judges, judges), NaN where unknown.
    se
        Their standard errors were they 0 (judges, judges): what scatter is unremarkable.
    start
        Where to start (judges,); the leading eigenvector by default.
    steps
        Most iterations.

    Returns
    -------
    ndarray
        Loadings (draws, judges), their signs such that they sum to 0 or more.

    Examples
    --------
    >>> true = np.array([0.9, 0.8, 0.7, 0.6])
    >>> r = np.outer(true, true)
    >>> one_factor(r[None], np.full((4, 4), 0.05))[0].round(3).tolist()
    [0.9, 0.8, 0.7, 0.6]
    """
    known = ~np.isnan(correlation)
    diagonal = np.arange(correlation.shape[1])
    known[:, diagonal, diagonal] = False
    r = np.where(known, correlation, 0.0)
    base = known / np.square(se)
    if start is None:
        values, vectors = np.linalg.eigh(r)
        loading = vectors[:, :, -1] * np.sqrt(np.maximum(values[:, -1:], 0.0))
    else:
        loading = np.broadcast_to(start, correlation.shape[:2]).copy()
    loading = np.clip(loading, -_MOST, _MOST)
    for _ in range(steps):
        left = np.abs(r - loading[:, :, None] * loading[:, None, :]) / se
        weight = base / np.square(np.maximum(left / _BEND, 1.0))
        above = np.einsum("bjm,bm->bj", weight * r, loading)
        below = np.einsum("bjm,bm->bj", weight, np.square(loading))
        new = np.divide(above, below, out=np.zeros_like(above), where=below > 1e-12)
        new = 0.5 * (np.clip(new, -_MOST, _MOST) + loading)  # damped: the pairs pull in turns
        moved = float(np.abs(new - loading).max(initial=0.0))
        loading = new
        if moved < 1e-6:
            break
    sign = np.where(loading.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    return np.asarray(loading * sign)
