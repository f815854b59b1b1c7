"""Sum the ratio difference ((a - b) / (a + b))^2 over all pairs of many values at once.

With x = log v the similarity 4ab / (a + b)^2 is sech^2((x_a - x_b) / 2), whose Fourier
transform 4 pi w / sinh(pi w) dies out exponentially; the sum over all pairs is then a short
sum over frequencies of |sum_a exp(i w x_a)|^2 (the trapezoid rule, which converges
exponentially for such a function: Trefethen and Weideman 2014), linear in the values.
"""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_LAST = 12.0  # frequency at which the transform has fallen below 1e-14
_MARGIN = 40.0  # keeps the periodic images of the kernel below 1e-16
_BLOCK = 1 << 14  # values turned at a time: they stay in cache
_NARROW = 0.03  # range of log v below which the series is exact to 1e-11
_FEW = 512  # values up to which the matrix of all pairs is cheaper


def pairs_total(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Sum ((a - b) / (a + b))^2 over all ordered pairs of weighted values.

    Parameters
    ----------
    values
        Distinct values (values,), none negative; a pair of zeros differs by 0.
    weights
        How often each value occurs, one row per data set (sets, values).

    Returns
    -------
    ndarray
        One total per row of `weights` (sets,).

    Examples
    --------
    >>> float(pairs_total(np.array([1.0, 3.0]), np.array([[2.0, 1.0]]))[0])
    1.0
    """
    if values.size <= _FEW:
        return _by_matrix(values, weights)
    positive = values > 0
    zeros, rest = weights[:, ~positive].sum(axis=1), weights[:, positive]
    n = rest.sum(axis=1)
    x = np.log(values[positive])
    if np.ptp(x) < _NARROW:
        unlike = _by_series(x - x.mean(), rest)
    else:
        unlike = np.maximum(n**2 - _similarity(x, rest), 0.0)
    unlike += 2.0 * zeros * n
    return unlike


def _by_matrix(values: FloatArray, weights: FloatArray) -> FloatArray:
    total = values[:, None] + values
    gap = (values[:, None] - values) / np.where(total == 0, 1.0, total)
    totals: FloatArray = np.einsum("sa,sa->s", weights @ gap**2, weights)
    return totals


def _by_series(x: FloatArray, weights: FloatArray) -> FloatArray:
    """Sum tanh^2 of half the gaps by its power series, where 1 - sech^2 would cancel."""
    moments = [weights @ x**power for power in range(7)]
    total: FloatArray = np.zeros(weights.shape[0])
    for order, coefficient in ((2, 1 / 4), (4, -1 / 24), (6, 17 / 2880)):
        for power in range(order + 1):
            sign = (-1.0) ** power * comb(order, power)
            total += coefficient * sign * moments[power] * moments[order - power]
    return total


def _similarity(x: FloatArray, weights: FloatArray) -> FloatArray:
    """Sum sech^2((x_a - x_b) / 2) over all ordered pairs, both orders and a = b."""
    step = 2 * np.pi / (float(np.ptp(x)) + _MARGIN)
    middle = float(x.mean())
    frequencies = step * np.arange(1, int(_LAST / step) + 1)
    waves = np.zeros((frequencies.size, 2, weights.shape[0]))
    for start in range(0, x.size, _BLOCK):
        angle = step * (x[start : start + _BLOCK] - middle)
        turn = np.stack((np.cos(angle), np.sin(angle)))
        part = weights[:, start : start + _BLOCK].T
        wave = np.stack((np.ones_like(angle), np.zeros_like(angle)))
        for k in range(frequencies.size):
            wave = np.stack(
                (wave[0] * turn[0] - wave[1] * turn[1], wave[0] * turn[1] + wave[1] * turn[0])
            )
            waves[k] += wave @ part
    transform = 4 * np.pi * frequencies / np.sinh(np.pi * frequencies)
    alike: FloatArray = 4.0 * weights.sum(axis=1) ** 2
    alike += 2.0 * transform @ np.square(waves).sum(axis=1)
    return alike * step / (2 * np.pi)
