"""Posterior density of a panel's variances, with item truths and judge means integrated out.

Model: y = theta_i + b_j + e, theta_i ~ N(mu, tau^2), e ~ N(0, sigma_j^2), all independent.
Given the variances, item truths have a normal posterior and the judge means mu + b_j a
generalised least squares estimate, so both integrate out exactly (restricted likelihood,
Harville 1977); what is left are one noise per judge and tau.

Who scored an item may depend on the item, and then one mu for all would take differences
between groups of items for differences between judges. So every pattern of judges has its own
mean wherever patterns are far fewer than items: biases, noises and tau then rest on comparisons
within items, and among items that the same judges scored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.stats.gaussian_sums import PanelSums
from panopt.stats.tables import FloatArray, Table, back, by_column, gram, minus, row_forms, times

#: Prior of a standard deviation s, in units of the scores' own: density proportional to
#: s^(RISE - 1) / (1 + s^2 / SCALE^2)^((RISE + TAIL) / 2): it rises from 0 at s = 0, so that no
#: judge is taken for noiseless, and falls off like s^-(1 + TAIL), so that none is held back.
RISE = 1.5
TAIL = 1.0
SCALE = 1.0

_CELLS = 1 << 21  # points x rows evaluated at a time
_ITEMS = 4  # items a pattern holds on average from which each may have its own mean
_STEPS = 100
_HALVINGS = 20


@dataclass(frozen=True, slots=True)
class Design:
    """How judge means come from free locations, and mu from them."""

    columns: FloatArray
    """Judge means = columns @ locations (judges, locations)."""
    mu: FloatArray
    """mu = mu @ locations (locations,)."""
    tied: bool
    """Whether judges share a location; else `columns` is the identity."""
    basis: FloatArray
    """Biases = basis @ free numbers (judges, biases that are free)."""

    def reduce(self, moment: FloatArray) -> FloatArray:
        """Turn information about judge means (..., judges, judges) into that on locations."""
        return self.columns.T @ moment @ self.columns if self.tied else moment


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
    """Generalised least squares locations (points, locations); of the biases alone where
    patterns have their own means."""


def design(anchor: NDArray[np.bool_], central: NDArray[np.bool_]) -> Design:
    """Tie the anchors' means to mu, or let mu be the mean of some judges' means.

    `anchor` marks the judges whose bias is 0, `central` those whose biases sum to zero where
    there is no anchor (judges,).
    """
    n_judges = anchor.size
    if not anchor.any():
        share = central / np.count_nonzero(central)
        basis = np.linalg.svd(share[None])[2][1:].T
        return Design(np.eye(n_judges), share, tied=False, basis=basis)
    free = np.flatnonzero(~anchor)
    columns = np.zeros((n_judges, free.size + 1))
    columns[anchor, 0] = 1.0
    columns[free, np.arange(free.size) + 1] = 1.0
    mu = np.zeros(free.size + 1)
    mu[0] = 1.0
    return Design(columns, mu, tied=True, basis=columns[:, 1:])


def own_means(sums: PanelSums) -> bool:
    """Say whether patterns of judges are few enough to have a mean each."""
    return sums.cross is not None and len(sums.size) * _ITEMS <= float(sums.size.sum())


def start(sums: PanelSums) -> FloatArray:
    """Give a point to start from: half of the variance to the noise, half to the items."""
    own = np.maximum(sums.squares / sums.n, 0.05) / 2
    return np.asarray(0.5 * np.log(np.append(own, 0.5)))


def evaluate(sums: PanelSums, plan: Design, floor: FloatArray, x: FloatArray) -> Points:
    """Evaluate the posterior at points `x` (points, judges + 1).

    `floor` is the variance each judge has at least (judges,), e.g. from rounding.
    """
    block = max(1, _CELLS // max(len(sums.size), x.shape[1] ** 2))
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
    scored = times(sums.counts, weight.T).T
    precision = prior[:, None] + scored
    pull = times(sums.sums, weight.T).T
    forms = np.square(pull) if sums.cross is None else _forms(sums.cross, weight)
    square = weight @ sums.squares - np.sum(forms / precision, axis=1)
    columns, known = plan.columns, 0.0
    if own_means(sums):
        columns = plan.basis
        moment, slope, inverse = within_items(sums, weight)
        moment = columns.T @ moment @ columns
        # What a pattern's mean is known by, and what it takes out of the sum of squares.
        about = np.where(scored > 0, sums.size * scored / precision * prior[:, None], 1.0)
        known = np.log(about).sum(axis=1)
        square -= np.sum((pull * inverse) ** 2 * about / sums.size**2, axis=1)
    else:
        slope = weight * (sums.totals - back(sums.counts, (pull / precision).T).T)
        moment = plan.reduce(_moments(sums, weight, 1 / precision))
    root = np.linalg.cholesky(moment)
    pulled = np.asarray(slope @ columns, dtype=np.float64)
    location = np.asarray(np.linalg.solve(moment, pulled[:, :, None])[:, :, 0], dtype=np.float64)
    determinant = 2 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    log_likelihood = 0.5 * (
        np.log(weight) @ sums.n
        - np.log(precision / prior[:, None]) @ sums.size
        - square
        + np.sum(pulled * location, axis=1)
    )
    log_density = log_likelihood - 0.5 * (determinant + known) + log_prior(x)
    if sums.repeats is not None:
        log_density += sums.repeats.log_share(weight)
    if own_means(sums):
        location = location @ plan.basis.T @ np.linalg.pinv(plan.columns).T
    return Points(x, log_density, log_likelihood, weight, prior, location)


def within_items(sums: PanelSums, weight: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give what differences within items tell of the biases, at every point.

    Item truths are free: no item is compared with another, so it does not matter who scored
    which. Where tau is known to be large, or every judge scored every item, the random truths
    of the model come to the same.

    Returns
    -------
    moment
        Information about the judges' biases (points, judges, judges); a constant is unknown.
    slope
        Its product with their estimate (points, judges).
    inverse
        1 / precision of an item's scores, 0 without scores (points, rows).
    """
    scored = times(sums.counts, weight.T).T
    inverse: FloatArray = np.zeros(scored.shape)
    np.divide(1.0, scored, out=inverse, where=scored > 0)
    pull = times(sums.sums, weight.T).T * inverse
    slope = weight * (sums.totals - back(sums.counts, pull.T).T)
    return _moments(sums, weight, inverse), slope, inverse


def _forms(cross: FloatArray, weight: FloatArray) -> FloatArray:
    """Weigh every row's cross products at every point (points, rows)."""
    pairs = (weight[:, :, None] * weight[:, None, :]).reshape(len(weight), -1)
    return np.asarray(pairs @ cross.reshape(len(cross), -1).T)


def location_cov(
    sums: PanelSums, plan: Design, weight: FloatArray, prior: FloatArray
) -> FloatArray:
    """Give the covariance of the locations at every point (points, locations, locations)."""
    precision = prior[:, None] + times(sums.counts, weight.T).T
    moment = plan.reduce(_moments(sums, weight, 1 / precision))
    return np.asarray(np.linalg.inv(moment), dtype=np.float64)


def _moments(sums: PanelSums, weight: FloatArray, inverse: FloatArray) -> FloatArray:
    """Information about the judge means, `inverse` of the items' precision (points, rows)."""
    share = sums.size * inverse
    n_judges = weight.shape[1]
    if sums.cross is not None:
        counts = np.asarray(sums.counts)
        outer = (counts[:, :, None] * counts[:, None, :]).reshape(len(counts), -1)
        shared = (share @ outer).reshape(-1, n_judges, n_judges)
    else:
        shared = np.stack([gram(sums.counts, one, sums.counts) for one in share])
    moment: FloatArray = -weight[:, :, None] * weight[:, None, :] * shared
    index = np.arange(n_judges)
    moment[:, index, index] += weight * sums.mass
    return moment


def log_prior(x: FloatArray) -> FloatArray:
    """Log density of the log standard deviations, summed over them."""
    each = RISE * x - (RISE + TAIL) / 2 * np.log1p(np.exp(2 * x) / SCALE**2)
    return np.asarray(each.sum(axis=-1))


def slopes(
    sums: PanelSums, plan: Design, floor: FloatArray, x: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Give the gradient of the log density at one point, and minus an approximate Hessian.

    The Hessian leaves out how the locations move with the variances, which has mean 0, and the
    determinant of the restricted likelihood, which is of smaller order; where it is not
    positive definite it is made so.
    """
    point = evaluate(sums, plan, floor, x[None])
    weight, prior = point.weight[0], float(point.prior[0])
    counts, size, n = sums.counts, sums.size, sums.n
    precision = prior + times(counts, weight)
    fitted = (_Fitted.own if own_means(sums) else _Fitted.common)(sums, plan, point, precision)
    left = fitted.left
    forms = left.forms(weight)
    squared = (forms + fitted.spread) / precision**2
    first = 0.5 * (
        n / weight - fitted.squares - back(counts, size / precision + squared) - fitted.unsure
    )
    first += left.cross(1 / precision) @ weight + fitted.mixed
    first_prior = -0.5 * np.sum(size * (1 / precision - 1 / prior) + squared)

    drawn = left.drawn(weight, 1 / precision**2)
    bent = 0.5 * size / precision**2 + forms / precision**3
    second = gram(counts, bent, counts) + left.cross(1 / precision) - drawn - drawn.T
    second[np.diag_indices_from(second)] -= n / (2 * weight**2)
    second_mixed = back(counts, bent) - left.cross(1 / precision**2) @ weight
    second_prior = np.sum(bent) - 0.5 * np.sum(size) / prior**2
    if sums.repeats is not None:
        once, twice = sums.repeats.slopes(weight)
        first += once
        second[np.diag_indices_from(second)] += twice

    own = np.exp(2 * x[:-1])
    turn = np.append(-2 * own * weight**2, -2 * prior)
    bend = np.append(-4 * own * weight**2 + 8 * own**2 * weight**3, 4 * prior)
    gradient = np.append(first, first_prior)
    hessian = np.block([[second, second_mixed[:, None]], [second_mixed[None], second_prior]])
    share = 1 / (1 + SCALE**2 * np.exp(-2 * x))
    hessian = hessian * np.outer(turn, turn) + np.diag(gradient * bend)
    hessian -= np.diag(2 * (RISE + TAIL) * share * (1 - share))
    return gradient * turn + RISE - (RISE + TAIL) * share, _positive(-hessian)


@dataclass(frozen=True, slots=True)
class _Fitted:
    """What is left of the scores at the estimated locations, and how unsure those are."""

    left: _Residuals
    squares: FloatArray
    """Squared residuals, summed (judges,)."""
    spread: FloatArray
    """Variance of an item's weighted sum of judge means, times the row's items (rows,)."""
    unsure: FloatArray
    """Variances of the judge means, summed over scores (judges,)."""
    mixed: FloatArray
    """Covariances of a judge's means with the posterior mean of items', summed (judges,)."""

    @classmethod
    def common(cls, sums: PanelSums, plan: Design, point: Points, precision: FloatArray) -> _Fitted:
        """Fit one mean for each judge."""
        counts, n, weight = sums.counts, sums.mass, point.weight[0]
        mean = plan.columns @ point.location[0]
        cov = location_cov(sums, plan, point.weight, point.prior)[0]
        cov = plan.columns @ cov @ plan.columns.T
        shared = gram(counts, sums.size / precision, counts)
        return cls(
            _Residuals.at(sums, mean),
            sums.squares - 2 * mean * sums.totals + n * mean**2,
            row_forms(by_column(counts, weight), cov) * sums.size,
            n * np.diag(cov),
            (cov * shared) @ weight,
        )

    @classmethod
    def own(cls, sums: PanelSums, plan: Design, point: Points, precision: FloatArray) -> _Fitted:
        """Fit one bias for each judge, and a mean for each pattern of judges."""
        weight, prior, size = point.weight[0], float(point.prior[0]), sums.size
        moment, slope, inverse = (part[0] for part in within_items(sums, point.weight))
        cov = plan.basis @ np.linalg.inv(plan.basis.T @ moment @ plan.basis) @ plan.basis.T
        counts, raw, bias = np.asarray(sums.counts), np.asarray(sums.sums), cov @ slope
        share = counts * weight * inverse[:, None]
        level = raw @ weight * inverse / size - share @ bias
        mean = level[:, None] + bias
        given = counts * size[:, None]
        about = np.where(inverse > 0, precision * inverse / (prior * size), 0.0)
        apart = np.diag(cov) - 2 * share @ cov + row_forms(share, cov)[:, None]
        return cls(
            _Residuals.at(sums, mean),
            sums.squares - 2 * np.sum(mean * raw, axis=0) + np.sum(given * mean**2, axis=0),
            np.where(inverse > 0, precision * (precision - prior) / prior, 0.0),
            np.sum(given * (about[:, None] + apart), axis=0),
            counts.sum(axis=0) / prior,
        )


@dataclass(frozen=True, slots=True)
class _Residuals:
    """Sums and cross products of the scores less the judge means."""

    counts: Table
    sums: Table
    products: FloatArray | None

    @classmethod
    def at(cls, sums: PanelSums, mean: FloatArray) -> _Residuals:
        """Take the judge means off: (judges,), or (rows, judges) on a dense table."""
        shift = by_column(sums.counts, mean)
        if sums.cross is None:
            return cls(sums.counts, minus(sums.sums, shift), None)
        raw, moved, size = np.asarray(sums.sums), np.asarray(shift), sums.size[:, None, None]
        mixed = raw[:, :, None] * moved[:, None, :]
        outer = size * moved[:, :, None] * moved[:, None, :]
        left = raw - sums.size[:, None] * moved
        return cls(sums.counts, left, sums.cross - mixed - mixed.transpose(0, 2, 1) + outer)

    def forms(self, weight: FloatArray) -> FloatArray:
        """Weigh twice: w' M w of every row (rows,)."""
        if self.products is None:
            return np.asarray(times(self.sums, weight) ** 2)
        return np.asarray(self.products @ weight @ weight)

    def cross(self, share: FloatArray) -> FloatArray:
        """Sum the cross products, each row with its share (judges, judges)."""
        if self.products is None:
            return gram(self.sums, share, self.sums)
        return np.tensordot(share, self.products, axes=1)

    def drawn(self, weight: FloatArray, share: FloatArray) -> FloatArray:
        """Sum M w c' of every row with its share (judges, judges)."""
        if self.products is None:
            return gram(self.sums, share * times(self.sums, weight), self.counts)
        return np.asarray((self.products @ weight).T @ (share[:, None] * self.counts))


@dataclass(frozen=True, slots=True)
class Mode:
    """Highest point of the posterior of the log variances."""

    x: FloatArray
    """Where it is (judges + 1,)."""
    curvature: FloatArray
    """Minus the Hessian there, made positive definite (judges + 1, judges + 1)."""
    log_likelihood: float
    """Log marginal likelihood there, of the centred and scaled scores, less its constant."""
    converged: bool
    """Whether one more step would gain less than 1e-6."""
    n_iter: int
    """Newton steps taken."""


def find_mode(
    sums: PanelSums, plan: Design, floor: FloatArray, x: FloatArray | None = None
) -> Mode:
    """Climb to the mode by Newton steps from `x`, halved until they gain."""
    x = start(sums) if x is None else x
    point = evaluate(sums, plan, floor, x[None])
    gradient, curvature = slopes(sums, plan, floor, x)
    gain, n_iter = np.inf, 0
    while n_iter < _STEPS:
        move = np.linalg.solve(curvature, gradient)
        gain = float(gradient @ move)
        if gain < 1e-6:
            break
        move *= min(1.0, 2.0 / float(np.abs(move).max()))
        for _ in range(_HALVINGS):
            tried = evaluate(sums, plan, floor, (x + move)[None])
            if tried.log_density[0] > point.log_density[0]:
                break
            move /= 2
        else:
            break  # no step gains: as high as rounding errors allow
        x, point = x + move, tried
        gradient, curvature = slopes(sums, plan, floor, x)
        n_iter += 1
    return Mode(x, curvature, float(point.log_likelihood[0]), gain < 1e-3, n_iter)


def _positive(matrix: FloatArray) -> FloatArray:
    """Make a symmetric matrix positive definite, if it is not, by its eigenvalues."""
    matrix = (matrix + matrix.T) / 2
    try:
        np.linalg.cholesky(matrix - 0.1 * np.eye(len(matrix)))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(matrix)
        matrix = (vectors * np.maximum(np.abs(values), 0.5)) @ vectors.T
    return matrix
