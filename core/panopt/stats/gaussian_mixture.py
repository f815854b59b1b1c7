"""Integrate a panel's posterior over its variances by adaptive importance sampling.

The few log variances have a smooth posterior that Newton's method has located. Points of a
fixed low-discrepancy sequence are drawn from a Student t around it, weighted by posterior over
proposal, and the proposal is refitted to them until it resembles the posterior (Kloek and
van Dijk 1978; Oh and Berger 1992). The sequence is fixed: the same scores give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panopt.stats.gaussian_likelihood import Design, Mode, Points, evaluate
from panopt.stats.gaussian_sums import FloatArray, PanelSums, by_column, row_forms, times

KAPPA = 1.0
_POINTS = 512
_FEWEST = 64
_ROUNDS = 5
_ENOUGH = 0.4  # effective share of the points at which the proposal is good
_WORK = 4e8  # multiplications an evaluation of all points may take
_BLOCK = 1 << 21


@dataclass(frozen=True, slots=True)
class Mixture:
    """The posterior of the variances as weighted points."""

    points: Points
    """The points, with the location's posterior at each."""
    share: FloatArray
    """Weight of each point; they sum to 1 (points,)."""
    effective: float
    """Number of equally weighted points this is worth."""
    tempered: bool
    """Whether weights were flattened because too few points carried them."""

    def mean(self, values: FloatArray) -> FloatArray:
        """Average values given per point (points, ...)."""
        return np.tensordot(self.share, values, axes=1)

    def sd(self, values: FloatArray) -> FloatArray:
        """Standard deviation of values given per point (points, ...)."""
        return np.sqrt(np.tensordot(self.share, (values - self.mean(values)) ** 2, axes=1))


def integrate(
    sums: PanelSums, plan: Design, floor: FloatArray, mode: Mode, *, n_points: int = _POINTS
) -> Mixture:
    """Weigh points of the variances by their posterior."""
    size = len(mode.x)
    work = len(sums.size) * size**2 + size**3
    n_points = int(np.clip(_WORK / work, min(_FEWEST, n_points), n_points))
    tail = 5.0 if size <= 12 else 5.0 + size
    center, cov = mode.x, np.linalg.inv(mode.curvature) * 1.2
    for _ in range(_ROUNDS):
        x, log_proposal = _student(center, cov, tail, n_points)
        points = evaluate(sums, plan, floor, x)
        excess = points.log_density - log_proposal
        share = _softmax(excess)
        effective = 1.0 / float(np.sum(share**2))
        if effective >= _ENOUGH * n_points:
            return Mixture(points, share, effective, tempered=False)
        if effective < 4 * size:
            share, effective = _flatten(excess, min(4.0 * size, n_points / 2))
            tempered = True
        else:
            tempered = False
        center = share @ x
        cov = (x - center).T @ (share[:, None] * (x - center)) + 1e-12 * np.eye(size)
    return Mixture(points, share, effective, tempered)


def _softmax(values: FloatArray) -> FloatArray:
    weights = np.exp(values - values.max())
    return weights / weights.sum()


def _flatten(excess: FloatArray, target: float) -> tuple[FloatArray, float]:
    """Temper weights until they are worth at least `target` equal ones."""
    low, high = 0.0, 1.0
    for _ in range(30):
        power = (low + high) / 2
        share = _softmax(power * excess)
        if 1.0 / float(np.sum(share**2)) < target:
            high = power
        else:
            low = power
    share = _softmax(low * excess)
    return share, 1.0 / float(np.sum(share**2))


def _student(
    center: FloatArray, cov: FloatArray, tail: float, n_points: int
) -> tuple[FloatArray, FloatArray]:
    """Draw points of a multivariate t, with their log density up to a constant."""
    from scipy.special import chdtri, ndtri  # noqa: PLC0415  # scipy is imported late

    size = len(center)
    uniform = _sequence(n_points, size + 1)
    normal = ndtri(uniform[:, :size])
    stretch = np.sqrt(tail / chdtri(tail, uniform[:, size]))
    standard = normal * stretch[:, None]
    values, vectors = np.linalg.eigh(cov)
    root = vectors * np.sqrt(np.maximum(values, 1e-12))
    log_density = -0.5 * (tail + size) * np.log1p(np.sum(standard**2, axis=1) / tail)
    return center + standard @ root.T, log_density


def _sequence(n_points: int, size: int) -> FloatArray:
    """Give the first points of Richtmyer's sequence, fractions of multiples of prime roots."""
    most = 32 + 16 * size
    sieve = np.ones(most, dtype=bool)
    sieve[:2] = False
    for k in range(2, int(most**0.5) + 1):
        sieve[k * k :: k] = False
    primes = np.flatnonzero(sieve)[:size]
    steps = np.arange(1, n_points + 1)[:, None]
    fractions: FloatArray = np.mod(steps * np.sqrt(primes) + 0.5 / n_points, 1.0)
    return np.clip(fractions, 1e-6, 1 - 1e-6)


def item_posterior(
    sums: PanelSums, plan: Design, mixture: Mixture
) -> tuple[FloatArray, FloatArray]:
    """Give the posterior mean and sd of every scored item, on the centred and scaled scores."""
    judge_mean = mixture.points.location @ plan.columns.T
    mu = mixture.points.location @ plan.mu
    if sums.cross is None:
        return _by_item(sums, plan, mixture, judge_mean, mu)
    return _by_pattern(sums, plan, mixture, judge_mean, mu)


def _by_pattern(
    sums: PanelSums, plan: Design, mixture: Mixture, judge_mean: FloatArray, mu: FloatArray
) -> tuple[FloatArray, FloatArray]:
    counts, cells = np.asarray(sums.counts), np.asarray(sums.cells)
    weight, share = mixture.points.weight, mixture.share
    mean, var = np.empty(len(cells)), np.empty(len(cells))
    rows = max(1, _BLOCK // weight.size)
    for first in range(0, len(counts), rows):
        part = counts[first : first + rows]
        precision = mixture.points.prior[:, None] + weight @ part.T
        pull = weight[:, None, :] * (part > 0) / precision[:, :, None]
        base = mu[:, None] - np.einsum("krj,rj,kj->kr", pull, part, judge_mean)
        linear = np.concatenate((base[:, :, None], pull), axis=2).transpose(1, 0, 2)
        middle = share @ linear
        centred = linear - middle[:, None]
        bent = centred.transpose(0, 2, 1) @ (share[:, None] * centred)
        lever = plan.mu - (pull * part) @ plan.columns
        own = 1 / precision + np.einsum(
            "krl,klm,krm->kr", lever, mixture.points.location_cov, lever, optimize=True
        )
        own_mean = share @ own
        own_mean = own_mean + KAPPA * (share @ (own - own_mean) ** 2) / own_mean
        for k in range(len(part)):
            stop = sums.starts[first + k + 1]
            for low in range(sums.starts[first + k], stop, 1 << 16):
                where = sums.order[low : min(low + (1 << 16), stop)]
                score = cells[where]
                mean[where] = middle[k, 0] + score @ middle[k, 1:]
                form = bent[k]
                twice = 2 * form[0, 1:] + score @ form[1:, 1:]
                var[where] = own_mean[k] + form[0, 0] + np.einsum("ij,ij->i", twice, score)
    return mean, np.sqrt(var)


def _by_item(
    sums: PanelSums, plan: Design, mixture: Mixture, judge_mean: FloatArray, mu: FloatArray
) -> tuple[FloatArray, FloatArray]:
    weight, share = mixture.points.weight, mixture.share
    n_items = len(sums.size)
    mean, var = np.empty(n_items), np.empty(n_items)
    block = max(1, _BLOCK // len(share))
    for low in range(0, n_items, block):
        counts, cells = sums.counts[low : low + block], sums.cells[low : low + block]
        precision = mixture.points.prior + times(counts, weight.T)
        pull = times(cells, weight.T) - times(counts, (weight * judge_mean).T)
        truth = mu + pull / precision
        mean[low : low + block] = truth @ share
        truth -= mean[low : low + block, None]
        var[low : low + block] = (truth**2 + 1 / precision) @ share
    return mean, np.sqrt(var + _location_variance(sums, plan, mixture))


def _location_variance(sums: PanelSums, plan: Design, mixture: Mixture) -> FloatArray:
    """Variance from the judge means (items,), with the variances at their mean: a small part."""
    weight, prior = mixture.mean(mixture.points.weight), mixture.mean(mixture.points.prior)
    cov = mixture.mean(mixture.points.location_cov)
    precision = float(prior) + times(sums.counts, weight)
    judges = plan.columns @ cov @ plan.columns.T
    mixed = times(sums.counts, weight * (plan.columns @ cov @ plan.mu)) / precision
    squared = row_forms(by_column(sums.counts, weight), judges) / precision**2
    total: FloatArray = plan.mu @ cov @ plan.mu - 2 * mixed + squared
    return np.maximum(total, 0.0)
