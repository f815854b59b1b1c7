"""Weigh votes by logistic regression under many strengths of one prior at once.

A vote for a label adds its judge's weight to that label's log odds. Weights are w_j = c / sqrt(J) +
d_j with c ~ N(0, s_c^2) and d_j ~ N(0, s_d^2): with s_d = 0 every judge counts alike (a softened
vote count), with large s_d each counts by its own record. All strengths, and all the parts of the
data that cross-validation leaves out, are fitted by Newton's method together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

#: Prior sds of what judges have in common, and of what is each one's own.
COMMON = (0.3, 1.0, 4.0)
OWN = (0.0, 0.1, 0.3, 0.8)
FEW_COMMON, FEW_OWN = (4.0,), (0.0, 0.2, 0.8)

_SHARE_SD = 1.0  # prior sd of a label's log odds without any vote
_MOST_DIRECTIONS = 40
_STEPS = 30
_LONGEST = 4.0


def strengths(n: int) -> FloatArray:
    """List the prior strengths tried (strengths, 2): few where many labels settle the weights."""
    common, own = (COMMON, OWN) if n <= 200 else (FEW_COMMON, FEW_OWN)
    return np.array([(c, d) for c in common for d in own])


def design(features: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Turn features (rows, labels, judges) into few columns, and say how to turn weights back.

    Returns
    -------
    tuple
        Columns (rows, labels, columns): the common vote, judges' own in at most 40 directions, an
        intercept a label but the first; and the directions (judges, directions).
    """
    n, k, j = features.shape
    flat = features.reshape(n * k, j)
    _, vectors = np.linalg.eigh(flat.T @ flat)
    directions = vectors[:, ::-1][:, : min(j, n * k, _MOST_DIRECTIONS)]
    shares = np.broadcast_to(np.eye(k)[:, 1:] - 1.0 / k, (n, k, k - 1))
    common = features.sum(axis=2, keepdims=True) / np.sqrt(j)
    return np.concatenate([common, features @ directions, shares], axis=2), directions


def precisions(grid: FloatArray, n_directions: int, n_labels: int) -> FloatArray:
    """Give the prior precision of every column of `design` (strengths, columns)."""
    own = np.maximum(grid[:, 1:], 1e-3)
    return np.concatenate(
        [
            grid[:, :1] ** -2,
            np.repeat(own**-2, n_directions, axis=1),
            np.full((len(grid), n_labels - 1), _SHARE_SD**-2),
        ],
        axis=1,
    )


def fit(
    columns: FloatArray, truth: NDArray[np.intp], weight: FloatArray, precision: FloatArray
) -> FloatArray:
    """Fit coefficients, one set a row of `weight`.

    Parameters
    ----------
    columns
        Design (rows, labels, columns).
    truth
        Label of each row (rows,).
    weight
        How much each row counts in each fit (fits, rows).
    precision
        Prior precision of each column in each fit (fits, columns).

    Returns
    -------
    ndarray
        Posterior modes (fits, columns).
    """
    n, k, p = columns.shape
    flat = columns.reshape(n * k, p)
    outer = (flat[:, :, None] * flat[:, None, :]).reshape(n * k, p * p)
    hit = np.zeros((n, k))
    hit[np.arange(n), truth] = 1.0
    beta = np.zeros(precision.shape)
    diagonal = np.arange(p)
    for _ in range(_STEPS):
        share = probabilities(columns, beta)
        pull = weight[:, :, None] * (hit - share)
        gradient = pull.reshape(len(beta), n * k) @ flat - precision * beta
        weighted = weight[:, :, None] * share
        hessian = (weighted.reshape(len(beta), n * k) @ outer).reshape(-1, p, p)
        middle = np.matmul(share.transpose(1, 0, 2), columns).transpose(1, 0, 2)
        hessian -= np.matmul((weight[:, :, None] * middle).transpose(0, 2, 1), middle)
        hessian[:, diagonal, diagonal] += precision
        step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        longest = np.abs(step).max(axis=1, keepdims=True)
        beta += step * np.minimum(1.0, _LONGEST / np.maximum(longest, 1e-12))
        if longest.max() < 1e-3:
            break
    return beta


def probabilities(columns: FloatArray, beta: FloatArray) -> FloatArray:
    """Give the probability of each label (fits, rows, labels)."""
    n, k, p = columns.shape
    odds = (beta @ columns.reshape(n * k, p).T).reshape(len(beta), n, k)
    odds -= odds.max(axis=2, keepdims=True)
    np.exp(odds, out=odds)
    odds /= odds.sum(axis=2, keepdims=True)
    return np.asarray(odds)


def log_scores(share: FloatArray, truth: NDArray[np.intp]) -> FloatArray:
    """Give the log probability each fit gave each row's label (fits, rows)."""
    picked = share[:, np.arange(len(truth)), truth]
    return np.asarray(np.log(np.maximum(picked, 1e-12)))
