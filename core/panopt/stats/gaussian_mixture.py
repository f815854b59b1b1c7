"""Integrate a panel's posterior over its variances by adaptive importance sampling.

The few log variances have a smooth posterior that Newton's method has located. Points of a
fixed low-discrepancy sequence are drawn from a Student t around it, weighted by posterior over
proposal, and the proposal is refitted to them until it resembles the posterior (Kloek and
van Dijk 1978; Oh and Berger 1992). The sequence is fixed: the same scores give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np

from panopt.stats.gaussian_likelihood import Design, Mode, Points, evaluate
from panopt.stats.gaussian_sums import BLOCK, PanelSums
from panopt.stats.gaussian_within import locate
from panopt.stats.tables import FloatArray, by_column, row_forms, times

_POINTS = 2048
_FEWEST = 64
_ROUNDS = 4
_WIDER = 1.5  # a proposal wider than its points: the noise of a precise judge has a long tail
_ENOUGH = 0.4  # effective share of the points at which the proposal is good
_BOUNDS = (-14.0, 7.0)  # of the logarithm of a standard deviation
_WORK = 3e7  # multiplications an evaluation of all points may take
_CELLS = 1 << 21

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Mixture:
    """The posterior of the variances as weighted points."""

    points: Points
    """The points, with the location's posterior at each."""
    share: FloatArray
    """Weight of each point; they sum to 1 (points,)."""
    location_cov: FloatArray
    """Covariance of the locations given the variances (points, locations, locations)."""
    poor: bool
    """Whether weights were flattened because too few points carried them."""


def integrate(
    sums: PanelSums, plan: Design, floor: FloatArray, mode: Mode, *, n_points: int = _POINTS
) -> Mixture:
    """Weigh points of the variances by their posterior."""
    size = len(mode.x)
    work = len(sums.size) * size**2 + size**3
    n_points = int(np.clip(_WORK / work, min(_FEWEST, n_points), n_points))

    def density(x: FloatArray) -> tuple[Points, FloatArray]:
        points = evaluate(sums, plan, floor, x)
        return points, points.log_density

    cov: FloatArray = np.asarray(np.linalg.inv(mode.curvature) * 1.2, dtype=np.float64)
    points, share, poor = adapt(density, mode.x, cov, n_points)
    points, cov = locate(sums, plan, points)
    return Mixture(points, share, cov, poor)


def adapt(
    density: Callable[[FloatArray], tuple[Found, FloatArray]],
    center: FloatArray,
    cov: FloatArray,
    n_points: int,
    *,
    rounds: int = _ROUNDS,
) -> tuple[Found, FloatArray, bool]:
    """Weigh points around `center` by a density, and refit the proposal until it resembles it.

    Parameters
    ----------
    density
        Gives, of points (points, size), what was found there and the log density (points,).
    center, cov
        First proposal (size,), (size, size).
    n_points, rounds
        Points of a round, and rounds after the first at most.

    Returns
    -------
    found
        Of the last round.
    share
        Weights of its points (points,).
    poor
        Whether the weights were flattened because too few points carried them.
    """
    size = len(center)
    tail = 5.0 if size <= 12 else 5.0 + size
    least = min(4 * size, n_points / 2)
    fitted = 0
    while True:
        x, log_proposal = _student(center, cov, tail, n_points)
        found, log_density = density(x)
        excess = log_density - log_proposal
        share = _softmax(excess)
        poor = _worth(share) < least
        if poor:
            share = _flatten(excess, least)
        good = fitted > 0 and _worth(share) >= _ENOUGH * n_points
        if fitted == rounds or good or n_points < 8 * size:
            return found, share, poor
        center = share @ x
        spread = x - center
        cov = _WIDER * spread.T @ (share[:, None] * spread) + 1e-12 * np.eye(size)
        fitted += 1


def _worth(share: FloatArray) -> float:
    """Count the equal weights that these are worth."""
    return 1.0 / float(np.sum(share**2))


def _softmax(values: FloatArray) -> FloatArray:
    weights = np.exp(values - values.max())
    return np.asarray(weights / weights.sum())


def _flatten(excess: FloatArray, least: float) -> FloatArray:
    """Temper weights until they are worth at least `least` equal ones."""
    low, high = 0.0, 1.0
    for _ in range(30):
        power = (low + high) / 2
        if _worth(_softmax(power * excess)) < least:
            high = power
        else:
            low = power
    return _softmax(low * excess)


def _student(
    center: FloatArray, cov: FloatArray, tail: float, n_points: int
) -> tuple[FloatArray, FloatArray]:
    """Draw points of a multivariate t, with their log density up to a constant."""
    standard, log_density = _standard(n_points, len(center), tail)
    values, vectors = np.linalg.eigh(cov)
    root = vectors * np.sqrt(np.maximum(values, 1e-12))
    # Points further out weigh nothing, and would only overflow.
    return np.clip(center + standard @ root.T, *_BOUNDS), log_density


@lru_cache(maxsize=4)
def _standard(n_points: int, size: int, tail: float) -> tuple[FloatArray, FloatArray]:
    """Draw points of a t with unit scale: always the same ones, so once will do."""
    from scipy.special import chdtri, ndtri  # noqa: PLC0415  # scipy is imported late

    uniform = _sequence(n_points, size + 1)
    stretch = np.sqrt(tail / chdtri(tail, uniform[:, size]))
    points = np.asarray(ndtri(uniform[:, :size]) * stretch[:, None])
    log_density = -0.5 * (tail + size) * np.log1p(np.sum(points**2, axis=1) / tail)
    return points, np.asarray(log_density)


def _sequence(n_points: int, size: int) -> FloatArray:
    """Give the first points of Richtmyer's sequence, fractions of multiples of prime roots."""
    most = 32 + 16 * size
    sieve = np.ones(most, dtype=bool)
    sieve[:2] = False
    for k in range(2, int(most**0.5) + 1):
        sieve[k * k :: k] = False
    primes = np.flatnonzero(sieve)[:size]
    steps = np.arange(1, n_points + 1)[:, None]
    return np.asarray(np.clip(np.mod(steps * np.sqrt(primes) + 0.5, 1.0), 1e-6, 1 - 1e-6))


def typical(mixture: Mixture) -> Points:
    """Give one point, at the geometric means of the variances, for a :func:`locate` there."""
    points, share = mixture.points, mixture.share
    return Points(
        (share @ points.x)[None],
        np.zeros(1),
        np.zeros(1),
        np.exp(share @ np.log(points.weight))[None],
        np.exp(share @ np.log(points.prior))[None],
        (share @ points.location)[None],
    )


def item_posterior(
    sums: PanelSums, plan: Design, mixture: Mixture
) -> tuple[FloatArray, FloatArray]:
    """Give the posterior mean and sd of every scored item, on the centred and scaled scores."""
    judge_mean = mixture.points.location @ plan.columns.T
    mu = mixture.points.location @ plan.mu
    if sums.cross is None:
        return _by_item(sums, plan, mixture, judge_mean, mu)
    return _by_pattern(sums, plan, mixture, judge_mean, mu)


def widened(share: FloatArray, variance: FloatArray) -> FloatArray:
    """Average variances over points (points, ...), widened for their own uncertainty.

    An interval +- z sd holds with a probability that is concave in the variance v, so an
    unbiased but uncertain v covers too little. To second order (1 + z^2) / 4 Var(v) / v more
    variance makes up for it, as Student's t does for a single variance; the factor is 1 at
    z = 1.7, near the usual 90%.
    """
    mean = share @ variance
    return np.asarray(mean + (share @ (variance - mean) ** 2) / mean)


def _by_pattern(
    sums: PanelSums, plan: Design, mixture: Mixture, judge_mean: FloatArray, mu: FloatArray
) -> tuple[FloatArray, FloatArray]:
    counts, cells = np.asarray(sums.counts), np.asarray(sums.cells)
    weight, share = mixture.points.weight, mixture.share
    mean, var = np.empty(len(cells)), np.empty(len(cells))
    # Weights and covariances must meet point by point: of a judge with few scores both have
    # long tails, and the product of their means would be far above the mean of their product.
    root = np.linalg.cholesky(mixture.location_cov)
    aimed, mu_root = plan.columns @ root, plan.mu @ root
    rows = max(1, _CELLS // weight.size)
    for first in range(0, len(counts), rows):
        part = counts[first : first + rows]
        precision = mixture.points.prior[:, None] + weight @ part.T
        pull = weight[:, None, :] * (part > 0) / precision[:, :, None]
        base = mu[:, None] - np.einsum("krj,rj,kj->kr", pull, part, judge_mean)
        linear = np.concatenate((base[:, :, None], pull), axis=2).transpose(1, 0, 2)
        middle = share @ linear
        centred = linear - middle[:, None]
        bent = centred.transpose(0, 2, 1) @ (share[:, None] * centred)
        reach = mu_root[:, None] - (pull * part) @ aimed
        fixed = widened(share, 1 / precision) + share @ np.square(reach).sum(axis=2)
        for k in range(len(part)):
            stop = sums.starts[first + k + 1]
            for low in range(sums.starts[first + k], stop, BLOCK):
                where = sums.order[low : min(low + BLOCK, stop)]
                score = cells.take(where, axis=0)
                mean[where] = middle[k, 0] + score @ middle[k, 1:]
                form = bent[k]
                twice = 2 * form[0, 1:] + score @ form[1:, 1:]
                var[where] = fixed[k] + form[0, 0] + np.einsum("ij,ij->i", twice, score)
    return mean, np.sqrt(var)


def _by_item(
    sums: PanelSums, plan: Design, mixture: Mixture, judge_mean: FloatArray, mu: FloatArray
) -> tuple[FloatArray, FloatArray]:
    weight, share = mixture.points.weight, mixture.share
    n_items = len(sums.size)
    mean, var = np.empty(n_items), np.empty(n_items)
    block = max(1, _CELLS // len(share))
    for low in range(0, n_items, block):
        counts, cells = sums.counts[low : low + block], sums.cells[low : low + block]
        precision = mixture.points.prior + times(counts, weight.T)
        pull = times(cells, weight.T) - times(counts, (weight * judge_mean).T)
        truth = mu + pull / precision
        mean[low : low + block] = truth @ share
        truth -= mean[low : low + block, None]
        var[low : low + block] = truth**2 @ share + widened(share, (1 / precision).T)
    return mean, np.sqrt(var + _location_variance(sums, plan, mixture))


def _location_variance(sums: PanelSums, plan: Design, mixture: Mixture) -> FloatArray:
    """Give the part of variance from the judge means, at typical variances (rows,)."""
    point = typical(mixture)
    weight, prior = point.weight[0], float(point.prior[0])
    # The variance of all truths is in `prior` already, as rows have no means of their own here.
    cov = locate(sums, plan, point)[1][0]
    precision = prior + times(sums.counts, weight)
    judges = plan.columns @ cov @ plan.columns.T
    mixed = times(sums.counts, weight * (plan.columns @ cov @ plan.mu)) / precision
    squared = row_forms(by_column(sums.counts, weight), judges) / precision**2
    return np.asarray(np.maximum(plan.mu @ cov @ plan.mu - 2 * mixed + squared, 0.0))
