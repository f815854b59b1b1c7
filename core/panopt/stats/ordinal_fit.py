"""Fit an ordered probit with judges: priors that keep to the inside, then a search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from panopt.stats.ordinal_likelihood import (
    Gradient,
    Grid,
    Parameters,
    level_weights,
    log_likelihood,
    make_grid,
)
from panopt.stats.ordinal_table import FloatArray, OrdinalTable

Parts = tuple[FloatArray, FloatArray, FloatArray, FloatArray]

NOISE = (0.05, 50.0)
"""Noise is kept within these multiples of the sd of truths."""

_WIDTH = (1e-4, 20.0)  # of a level
_FAR = 20.0  # largest cutpoint and offset
_GAIN = 10.0  # largest gain, and the smallest's inverse
_OFFSET_SD = 2.5
_GAIN_SD = 0.5  # of log gain around 0
_NOISE_SD = 1.0  # of log noise around that of the panel
_PANEL_SD = 1.5  # of the panel's log noise around that of the truths
_ROUNDS = 8  # of refining the grid, at most


class Layout(NamedTuple):
    """Order of the free numbers: first cutpoint, log widths of levels, offsets but one.

    Then log gains, none where all gains are 1, and log noises.
    """

    n_levels: int
    basis: FloatArray
    """Offsets of all judges from the free ones (judges, judges - 1)."""
    gains: bool

    def split(self, x: FloatArray) -> Parts:
        """Cut a vector into cutpoints, offsets, gains and noises as they are free."""
        k, free = self.n_levels - 1, self.basis.shape[1]
        ends = np.cumsum([k, free, len(self.basis) * self.gains])
        first, second, third, fourth = np.split(x, ends)
        return first, second, third, fourth

    def unpack(self, x: FloatArray) -> Parameters:
        """Read a vector."""
        cut, offset, gain, noise = self.split(x)
        bounds = cut[0] + np.concatenate(([0.0], np.cumsum(np.exp(cut[1:]))))
        gains = np.exp(gain) if self.gains else np.ones(noise.size)
        return Parameters(bounds, self.basis @ offset, gains, np.exp(noise))

    def pack(self, by: Parts, x: FloatArray) -> FloatArray:
        """Turn derivatives by cutpoints, offsets, log gains and log noises into those by `x`."""
        tail = np.cumsum(by[0][::-1])[::-1]
        widths = np.exp(x[1 : self.n_levels - 1])
        gain = by[2] if self.gains else np.empty(0)
        return np.concatenate((tail[:1], tail[1:] * widths, self.basis.T @ by[1], gain, by[3]))

    def jacobian(self, x: FloatArray) -> FloatArray:
        """Give derivatives of cutpoints, offsets, log gains and log noises by `x`."""
        judges = self.basis.shape[0]
        rows = np.eye(self.n_levels - 1 + 3 * judges)
        ends = np.cumsum([self.n_levels - 1, judges, judges])
        return np.array([self.pack(tuple(np.split(row, ends)), x) for row in rows])  # type: ignore[arg-type]  # four parts


@dataclass(frozen=True, slots=True)
class OrdinalFit:
    """Fitted parameters, and where the search ended."""

    layout: Layout
    x: FloatArray
    weight: FloatArray
    """What a vote of each judge counted (judges,)."""
    parameters: Parameters
    log_likelihood: float
    converged: bool
    n_iter: int


def log_prior(p: Parameters) -> tuple[float, Parts]:
    """Give the log-density of the priors and its derivatives.

    One pseudo-item spread over the levels; offsets N(0, 2.5^2); log gains N(0, .5^2); log noises
    normal with sd 1 around their mean, which is normal with sd 1.5. So the density of a noise
    vanishes at zero, and a judge of few votes is like the others.
    """
    from scipy.special import ndtr  # noqa: PLC0415  # scipy is imported late

    n = p.cutpoints.size + 1
    mass = np.maximum(np.diff(ndtr(p.cutpoints), prepend=0.0, append=1.0), 1e-12)
    density = np.exp(-0.5 * p.cutpoints**2) / np.sqrt(2 * np.pi)
    gain, noise = np.log(p.gain), np.log(p.noise)
    centre = noise.mean()
    value = (
        np.log(mass).sum() / n
        - 0.5 * (p.offset**2).sum() / _OFFSET_SD**2
        - 0.5 * (gain**2).sum() / _GAIN_SD**2
        - 0.5 * ((noise - centre) ** 2).sum() / _NOISE_SD**2
        - 0.5 * (centre / _PANEL_SD) ** 2
    )
    by = (
        density * (1 / mass[:-1] - 1 / mass[1:]) / n,
        -p.offset / _OFFSET_SD**2,
        -gain / _GAIN_SD**2,
        -(noise - centre) / _NOISE_SD**2 - centre / _PANEL_SD**2 / noise.size,
    )
    return float(value), by


def precision(p: Parameters, weight: FloatArray) -> FloatArray:
    """Give the precision that a score of each judge would have (judges,)."""
    found: FloatArray = weight * (p.gain / p.noise) ** 2
    return found


def rescaled(p: Parameters, weight: FloatArray) -> tuple[Parameters, FloatArray]:
    """Give the same model with gains of geometric mean 1 over the judges by what they tell.

    The likelihood does not change where cutpoints, offsets, gains and noises all do by a factor;
    in the search the priors alone hold it. Weights are the judges' reliabilities: a judge that
    follows nothing, of gain near 0, would make a poor unit.

    Returns
    -------
    tuple
        The parameters, and derivatives of cutpoints, offsets, log gains and log noises by those
        before, the weights held.
    """
    told = precision(p, weight)
    share = told / (1.0 + told)
    share /= share.sum()
    factor = float(np.exp(share @ np.log(p.gain)))
    n_cut, n = p.cutpoints.size, p.gain.size
    new = Parameters(*(values / factor for values in p))
    by = np.eye(n_cut + 3 * n)
    by[: n_cut + n] /= factor
    gains = slice(n_cut + n, n_cut + 2 * n)
    moved = np.concatenate((new.cutpoints, new.offset, np.ones(2 * n)))
    by[:, gains] -= np.outer(moved, share)
    return new, by


def penalised(
    table: OrdinalTable, layout: Layout, x: FloatArray, grid: Grid, weight: FloatArray
) -> tuple[Gradient, float, FloatArray]:
    """Give the likelihood's parts, and log-likelihood plus prior with its gradient at `x`."""
    p = layout.unpack(x)
    found = log_likelihood(table, p, grid, weight)
    prior, by = log_prior(p)
    total = (
        found.cutpoints + by[0],
        found.offset + by[1],
        found.log_gain + by[2],
        found.log_noise + by[3],
    )
    return found, found.value + prior, layout.pack(total, x)


def fit_ordinal(
    table: OrdinalTable, *, weight: FloatArray, summed: NDArray[np.bool_], gains: bool
) -> tuple[OrdinalFit, Grid]:
    """Maximise the marginal likelihood times the priors, refining the grid as noise asks.

    Parameters
    ----------
    table
        The votes; every judge has at least one.
    weight
        What a vote of each judge counts (judges,).
    summed
        Judges whose offsets sum to zero, at least one (judges,).
    gains
        Whether every judge has a gain of its own; else all are 1.
    """
    from scipy.optimize import minimize  # noqa: PLC0415  # scipy is imported late

    votes = (table.counts @ table.cells).reshape(table.n_judges, table.n_levels)
    layout = Layout(table.n_levels, _basis(votes.sum(axis=1), summed), gains)
    x = _start(votes, layout)
    limits = _limits(layout)
    scale = float(table.counts.sum())
    grid = make_grid(table, 4.0 * weight)
    n_iter, converged = 0, False
    for _ in range(_ROUNDS):

        def loss(x: FloatArray, grid: Grid = grid) -> tuple[float, FloatArray]:
            _, value, gradient = penalised(table, layout, x, grid, weight)
            return -value / scale, -gradient / scale

        done = minimize(
            loss,
            x,
            jac=True,
            method="L-BFGS-B",
            bounds=limits,
            options={"maxiter": 500, "maxfun": 1000, "ftol": 1e-12, "gtol": 1e-6, "maxcor": 20},
        )
        x, n_iter, converged = np.asarray(done.x), n_iter + int(done.nit), bool(done.success)
        finer = make_grid(table, precision(layout.unpack(x), weight))
        if finer.nodes.size <= grid.nodes.size:
            break
        grid = finer
    value = penalised(table, layout, x, grid, weight)[0].value
    fit = OrdinalFit(layout, x, weight, layout.unpack(x), value, converged, n_iter)
    return fit, grid


@dataclass(frozen=True, slots=True)
class Truths:
    """Posterior of each pattern's truth."""

    mean: FloatArray
    """Mean (patterns,)."""
    variance: FloatArray
    """Variance, parameters taken as known (patterns,)."""
    levels: FloatArray
    """Probability of each true level (patterns, levels)."""


def truths(
    table: OrdinalTable, parameters: Parameters, weight: FloatArray, grid: Grid | None = None
) -> Truths:
    """Give the posterior of the truth of each pattern at known parameters."""
    from panopt.stats.ordinal_likelihood import cell_table, posteriors  # noqa: PLC0415

    grid = grid or make_grid(table, precision(parameters, weight))
    log_cells = cell_table(parameters, grid.nodes).scaled(weight)
    nodes, share = grid.nodes, level_weights(grid, parameters.cutpoints)
    n = table.counts.size
    found = Truths(np.empty(n), np.empty(n), np.empty((n, table.n_levels)))
    for part, posterior, _ in posteriors(table, log_cells, grid):
        found.mean[part] = posterior @ nodes
        found.variance[part] = posterior @ nodes**2 - found.mean[part] ** 2
        levels = np.maximum(posterior @ share, 0.0)
        found.levels[part] = levels / levels.sum(axis=1, keepdims=True)
    return found


def _basis(votes: FloatArray, summed: NDArray[np.bool_]) -> FloatArray:
    last = int(np.argmax(np.where(summed, votes, -1.0)))
    basis = np.delete(np.eye(votes.size), last, axis=1)
    basis[last] = -np.delete(summed, last).astype(np.float64)
    return basis


def _start(votes: FloatArray, layout: Layout) -> FloatArray:
    """Take cutpoints and offsets from the shares of levels, noises like the truths."""
    from scipy.special import ndtri  # noqa: PLC0415  # scipy is imported late

    share = votes.sum(axis=0) + 0.5
    share /= share.sum()
    cut = np.sqrt(2) * ndtri(np.cumsum(share)[:-1])
    middle = np.sqrt(2) * ndtri(np.cumsum(share) - share / 2)
    offset = (votes @ middle) / (votes.sum(axis=1) + 1.0)
    free = np.linalg.lstsq(layout.basis, offset - offset.mean(), rcond=None)[0]
    widths = np.log(np.clip(np.diff(cut), *_WIDTH))
    gain = np.zeros(len(votes) * layout.gains)
    return np.concatenate((cut[:1], widths, free, gain, np.zeros(len(votes))))


def _limits(layout: Layout) -> list[tuple[float, float]]:
    judges, free = layout.basis.shape
    far, gain = (-_FAR, _FAR), float(np.log(_GAIN))
    width, noise = (tuple(np.log(ends).tolist()) for ends in (_WIDTH, NOISE))
    return [
        far,
        *[width] * (layout.n_levels - 2),
        *[far] * free,
        *[(-gain, gain)] * (judges * layout.gains),
        *[noise] * judges,
    ]
