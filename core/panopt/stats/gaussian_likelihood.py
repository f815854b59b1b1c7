"""Posterior density of a panel's variances, with item truths and judge means integrated out.

Model: y = theta_i + b_j + e, theta_i ~ N(mu, tau^2), e ~ N(0, sigma_j^2), all independent.
Given the variances, item truths have a normal posterior and the judge means mu + b_j a
generalised least squares estimate, so both integrate out exactly (restricted likelihood,
Harville 1977); what is left are one noise per judge and tau.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panopt.stats.gaussian_sums import (
    FloatArray,
    Matrix,
    PanelSums,
    back,
    by_column,
    gram,
    row_forms,
    times,
)

#: Prior of a standard deviation s, in units of the scores' own: density proportional to
#: s / (1 + s^2 / SCALE^2)^((RISE + TAIL) / 2), which rises from 0 and falls off like s^-2.
RISE = 2.0
TAIL = 1.0
SCALE = 1.0

_CELLS = 1 << 21  # points x rows evaluated at a time
_STEPS = 100


@dataclass(frozen=True, slots=True)
class Design:
    """How judge means come from free locations, and mu from them."""

    columns: FloatArray
    """Judge means = columns @ locations (judges, locations)."""
    mu: FloatArray
    """mu = mu @ locations (locations,)."""


@dataclass(frozen=True, slots=True)
class Points:
    """The posterior at several points of the variances."""

    x: FloatArray
    """Logarithms of the judges' own noise and of tau (points, judges + 1)."""
    log_density: FloatArray
    """Log posterior density of x up to a constant (points,)."""
    log_likelihood: FloatArray
    """Log marginal likelihood at the estimated locations (points,)."""
    weight: FloatArray
    """Precision of one score of each judge (points, judges)."""
    prior: FloatArray
    """1 / tau^2 (points,)."""
    location: FloatArray
    """Generalised least squares locations (points, locations)."""
    location_cov: FloatArray
    """Their covariance (points, locations, locations)."""


def design(n_judges: int, anchor: FloatArray) -> Design:
    """Tie the anchors' means to mu, or centre the biases where there is no anchor.

    `anchor` marks the judges whose bias is 0 (judges,).
    """
    held = anchor.astype(bool)
    if not held.any():
        return Design(np.eye(n_judges), np.full(n_judges, 1.0 / n_judges))
    free = np.flatnonzero(~held)
    columns = np.zeros((n_judges, free.size + 1))
    columns[held, 0] = 1.0
    columns[free, np.arange(free.size) + 1] = 1.0
    mu = np.zeros(free.size + 1)
    mu[0] = 1.0
    return Design(columns, mu)


def start(sums: PanelSums) -> FloatArray:
    """Give a point to start from: a third of the variance to each part."""
    own = np.sqrt(np.maximum(sums.squares / sums.n, 0.05) / 2)
    return np.log(np.append(own, np.sqrt(0.5)))


def evaluate(sums: PanelSums, plan: Design, floor: FloatArray, x: FloatArray) -> Points:
    """Evaluate the posterior at points `x` (points, judges + 1).

    `floor` is the variance each judge has at least (judges,), e.g. from rounding.
    """
    block = max(1, _CELLS // len(sums.size))
    parts = [_evaluate(sums, plan, floor, x[k : k + block]) for k in range(0, len(x), block)]
    if len(parts) == 1:
        return parts[0]
    return Points(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in Points.__dataclass_fields__
        )
    )


def _evaluate(sums: PanelSums, plan: Design, floor: FloatArray, x: FloatArray) -> Points:
    weight = 1.0 / (floor + np.exp(2 * x[:, :-1]))
    prior = np.exp(-2 * x[:, -1])
    precision = prior[:, None] + times(sums.counts, weight.T).T
    pull = times(sums.sums, weight.T).T
    if sums.cross is None:
        forms = pull**2
    else:
        n_judges = weight.shape[1]
        pairs = (weight[:, :, None] * weight[:, None, :]).reshape(len(x), -1)
        forms = pairs @ sums.cross.reshape(-1, n_judges * n_judges).T
    square = weight @ sums.squares - np.sum(forms / precision, axis=1)
    slope = -weight * back(sums.counts, (pull / precision).T).T  # centred: the sums are 0
    moment = _moments(sums, weight, precision)
    slope = slope @ plan.columns
    moment = plan.columns.T @ moment @ plan.columns
    root = np.linalg.cholesky(moment)
    cov = np.linalg.inv(moment)
    location = (cov @ slope[:, :, None])[:, :, 0]
    determinant = 2 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    log_likelihood = 0.5 * (
        np.log(weight) @ sums.n
        - np.log(precision / prior[:, None]) @ sums.size
        - square
        + np.sum(slope * location, axis=1)
    )
    log_density = log_likelihood - 0.5 * determinant + _log_prior(x)
    return Points(x, log_density, log_likelihood, weight, prior, location, cov)


def _moments(sums: PanelSums, weight: FloatArray, precision: FloatArray) -> FloatArray:
    """Information about the judge means (points, judges, judges)."""
    share = sums.size / precision
    n_judges = weight.shape[1]
    if sums.cross is not None:
        counts = np.asarray(sums.counts)
        outer = (counts[:, :, None] * counts[:, None, :]).reshape(len(counts), -1)
        shared = (share @ outer).reshape(-1, n_judges, n_judges)
    else:
        shared = np.stack([gram(sums.counts, one, sums.counts) for one in share])
    moment: FloatArray = -weight[:, :, None] * weight[:, None, :] * shared
    index = np.arange(n_judges)
    moment[:, index, index] += weight * sums.n
    return moment


def _log_prior(x: FloatArray) -> FloatArray:
    """Log density of the log standard deviations, summed over them."""
    return (RISE * x - (RISE + TAIL) / 2 * np.log1p(np.exp(2 * x) / SCALE**2)).sum(axis=-1)


def slopes(
    sums: PanelSums, plan: Design, floor: FloatArray, x: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Give the gradient of the log density at one point, and minus its approximate Hessian.

    The Hessian leaves out how the locations move with the variances, which has mean 0, and the
    determinant of the restricted likelihood, which is of smaller order.
    """
    point = evaluate(sums, plan, floor, x[None])
    weight, prior = point.weight[0], float(point.prior[0])
    mean = plan.columns @ point.location[0]
    cov = plan.columns @ point.location_cov[0] @ plan.columns.T
    counts, size, n = sums.counts, sums.size, sums.n
    precision = prior + times(counts, weight)
    left = _Residuals.at(sums, mean)
    forms = left.forms(weight)
    shared = gram(counts, size / precision, counts)
    spread = row_forms(by_column(counts, weight), cov) * size
    squared = (forms + spread) / precision**2
    first = 0.5 * (
        n / weight
        - (sums.squares + n * mean**2)
        - back(counts, size / precision + squared)
        - n * np.diag(cov)
    )
    first += left.cross(1 / precision) @ weight + (cov * shared) @ weight
    first_prior = -0.5 * np.sum(size * (1 / precision - 1 / prior) + squared)

    drawn = left.drawn(weight, 1 / precision**2)
    bent = 0.5 * size / precision**2 + forms / precision**3
    second = gram(counts, bent, counts) + left.cross(1 / precision) - drawn - drawn.T
    second[np.diag_indices_from(second)] -= n / (2 * weight**2)
    second_mixed = back(counts, bent) - left.cross(1 / precision**2) @ weight
    second_prior = np.sum(bent) - 0.5 * np.sum(size) / prior**2

    own = np.exp(2 * x[:-1])
    turn = np.append(-2 * own * weight**2, -2 * prior)
    bend = np.append(-4 * own * weight**2 + 8 * own**2 * weight**3, 4 * prior)
    gradient = np.append(first, first_prior)
    hessian = np.block([[second, second_mixed[:, None]], [second_mixed[None], second_prior]])
    share = 1 / (1 + SCALE**2 * np.exp(-2 * x))
    hessian = hessian * np.outer(turn, turn) + np.diag(gradient * bend)
    hessian -= np.diag(2 * (RISE + TAIL) * share * (1 - share))
    return gradient * turn + RISE - (RISE + TAIL) * share, -hessian


@dataclass(frozen=True, slots=True)
class _Residuals:
    """Sums and cross products of the scores less the judge means."""

    counts: Matrix
    sums: Matrix
    products: FloatArray | None

    @classmethod
    def at(cls, sums: PanelSums, mean: FloatArray) -> _Residuals:
        """Take the judge means off."""
        shift = by_column(sums.counts, mean)
        if sums.cross is None:
            return cls(sums.counts, sums.sums - shift, None)  # type: ignore[operator]
        raw, shift = np.asarray(sums.sums), np.asarray(shift)
        mixed = raw[:, :, None] * shift[:, None, :]
        outer = sums.size[:, None, None] * shift[:, :, None] * shift[:, None, :]
        left = raw - sums.size[:, None] * shift
        return cls(sums.counts, left, sums.cross - mixed - mixed.transpose(0, 2, 1) + outer)

    def forms(self, weight: FloatArray) -> FloatArray:
        """Weigh twice: w' M w of every row (rows,)."""
        if self.products is None:
            return times(self.sums, weight) ** 2
        return np.einsum("rjk,j,k->r", self.products, weight, weight)

    def cross(self, share: FloatArray) -> FloatArray:
        """Sum the cross products, each row with its share (judges, judges)."""
        if self.products is None:
            return gram(self.sums, share, self.sums)
        return np.einsum("rjk,r->jk", self.products, share)

    def drawn(self, weight: FloatArray, share: FloatArray) -> FloatArray:
        """Sum M w c' of every row with its share (judges, judges)."""
        if self.products is None:
            return gram(self.sums, share * times(self.sums, weight), self.counts)
        return np.einsum("rjk,k,r,rl->jl", self.products, weight, share, self.counts, optimize=True)


@dataclass(frozen=True, slots=True)
class Mode:
    """Highest point of the posterior of the log variances."""

    x: FloatArray
    """Where it is (judges + 1,)."""
    curvature: FloatArray
    """Minus the Hessian there, made positive definite (judges + 1, judges + 1)."""
    log_likelihood: float
    """Log marginal likelihood there, of the centred and scaled scores."""
    converged: bool
    """Whether the last step would have gained less than 1e-6."""
    n_iter: int
    """Newton steps taken."""


def find_mode(sums: PanelSums, plan: Design, floor: FloatArray) -> Mode:
    """Climb to the mode by Newton steps with halving."""
    x = start(sums)
    point = evaluate(sums, plan, floor, x[None])
    for step in range(_STEPS):
        gradient, curvature = slopes(sums, plan, floor, x)
        curvature = _positive(curvature)
        move = np.linalg.solve(curvature, gradient)
        gain = float(gradient @ move)
        if gain < 1e-6:
            return Mode(x, curvature, float(point.log_likelihood[0]), True, step)
        move *= min(1.0, 2.0 / float(np.abs(move).max()))
        trials = x + 0.5 ** np.arange(12)[:, None] * move
        tried = None
        for trial in trials:
            tried = evaluate(sums, plan, floor, trial[None])
            if tried.log_density[0] > point.log_density[0]:
                break
        else:
            return Mode(x, curvature, float(point.log_likelihood[0]), gain < 1e-3, step)
        x, point = trial, tried
    return Mode(x, curvature, float(point.log_likelihood[0]), False, _STEPS)


def _positive(matrix: FloatArray) -> FloatArray:
    """Replace a symmetric matrix by its nearest one with eigenvalues of at least 1/2."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    raised: FloatArray = (vectors * np.maximum(np.abs(values), 0.5)) @ vectors.T
    return raised
