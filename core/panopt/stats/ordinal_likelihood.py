"""Marginal likelihood of an ordered probit with judges, by quadrature, with its gradient.

Model (McKelvey & Zavoina 1975 for one rater; Johnson 1996 for several): the truth of item i is
``theta_i ~ N(0, 1)``; judge j, whose scale is stretched by ``a_j``, says level k where
``c_k < a_j theta_i + b_j + sigma_j e <= c_{k+1}``.
The gradient is the posterior mean of the complete-data one (Fisher's identity), so it costs two
products of the sparse table of votes with tables over the grid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from panopt.stats.ordinal_table import FloatArray, OrdinalTable

_REACH = 6.0  # truths lie within so many sds: beyond are 2e-9 of them
_COARSE = 0.3  # widest step of the grid
_STEP = 0.75  # of the narrowest posterior: trapezoids are then exact to 1e-6
_FINEST = 2401  # nodes at most
_BLOCK = 1 << 18  # cells of posterior held at a time

NOISE = (0.05, 50.0)
"""Noise is kept within these multiples of the sd of truths."""


class Parameters(NamedTuple):
    """What the model has, in units of the sd of truths."""

    cutpoints: FloatArray
    """Increasing bounds between levels (levels - 1,)."""
    offset: FloatArray
    """Systematic error of each judge (judges,)."""
    gain: FloatArray
    """How far each judge spreads the truths (judges,)."""
    noise: FloatArray
    """Standard deviation of each judge's random error (judges,)."""


class Gradient(NamedTuple):
    """Derivatives of the log-likelihood by what the model has."""

    value: float
    cutpoints: FloatArray
    offset: FloatArray
    log_gain: FloatArray
    log_noise: FloatArray
    mean: FloatArray
    """Posterior mean of each pattern's truth (patterns,)."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Evenly spaced nodes for the truth and the logarithm of their prior weights."""

    nodes: FloatArray
    log_prior: FloatArray

    @property
    def step(self) -> float:
        """Distance of the nodes."""
        return float(self.nodes[1] - self.nodes[0])


def make_grid(table: OrdinalTable, precision: FloatArray) -> Grid:
    """Space nodes so that the narrowest posterior an item can have is resolved.

    No vote tells more than a score with the judge's `precision` (judges,) would.
    """
    column = np.repeat(precision, table.n_levels)
    most = 1.0 + float((table.cells @ column).max(initial=0.0))
    step = min(_COARSE, _STEP * most**-0.5)
    n = min(2 * int(np.ceil(_REACH / step)) + 1, _FINEST)
    nodes = np.linspace(-_REACH, _REACH, n)
    prior = -0.5 * nodes**2
    return Grid(nodes, prior - np.log(np.exp(prior).sum()))


def posteriors(
    table: OrdinalTable, log_cells: FloatArray, grid: Grid
) -> Iterator[tuple[slice, FloatArray, FloatArray]]:
    """Give the posterior over the grid of each pattern, block by block of patterns.

    Yields
    ------
    tuple
        Which patterns, their posterior (patterns, nodes), their log-likelihood (patterns,).
    """
    n = table.counts.size
    rows = max(1, _BLOCK // grid.nodes.size)
    for start in range(0, n, rows):
        part = slice(start, min(start + rows, n))
        cells = table.cells if rows >= n else table.cells[part]
        density = cells @ log_cells
        density += grid.log_prior
        top = density.max(axis=1, keepdims=True)
        density -= top
        np.exp(density, out=density)
        total = density.sum(axis=1, keepdims=True)
        density /= total
        yield part, density, (top + np.log(total))[:, 0]


class Cells(NamedTuple):
    """Log-probabilities of every vote at every node, and what their derivatives are made of."""

    log: FloatArray
    """Log-probability (judges, levels, nodes)."""
    z: FloatArray
    """Standardised bounds of the levels (judges, levels - 1, nodes)."""
    low: FloatArray
    """Density at the lower bound over probability (judges, levels - 1, nodes), levels from 1."""
    high: FloatArray
    """The same at the upper bound, levels but the last."""

    def scaled(self, weight: FloatArray) -> FloatArray:
        """Give log-probabilities, judges weighed, as (judges * levels, nodes)."""
        judges, levels, nodes = self.log.shape
        return (self.log * weight[:, None, None]).reshape(judges * levels, nodes)


def cell_table(parameters: Parameters, nodes: FloatArray) -> Cells:
    """Tabulate the probability of every judge's every level at every node."""
    from scipy.special import log_ndtr  # noqa: PLC0415  # scipy is imported late

    cut, offset, gain, noise = parameters
    bound = (cut - offset[:, None]) / noise[:, None]
    z = bound[:, :, None] - ((gain / noise)[:, None] * nodes)[:, None, :]
    below, above = log_ndtr(z), log_ndtr(-z)
    log = np.empty((offset.size, cut.size + 1, nodes.size))
    log[:, 0], log[:, -1] = below[:, 0], above[:, -1]
    # Between two bounds: subtract in the tail where both probabilities are small.
    upper = z[:, :-1] > 0
    big = np.where(upper, above[:, :-1], below[:, 1:])
    small = np.where(upper, above[:, 1:], below[:, :-1])
    gap = np.minimum(small - big, -1e-300)
    log[:, 1:-1] = big + np.log(-np.expm1(gap))
    density = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    return Cells(log, z, np.exp(density - log[:, 1:]), np.exp(density - log[:, :-1]))


def log_likelihood(
    table: OrdinalTable, parameters: Parameters, grid: Grid, weight: FloatArray
) -> Gradient:
    """Give the marginal log-likelihood and its gradient.

    Parameters
    ----------
    table
        The votes.
    parameters
        Where.
    grid
        Nodes for the truth.
    weight
        What a vote of each judge counts (judges,): 1, less for copies.
    """
    cells = cell_table(parameters, grid.nodes)
    expected = np.zeros((table.n_judges * table.n_levels, grid.nodes.size))
    value, mean = 0.0, np.empty(table.counts.size)
    for part, posterior, log in posteriors(table, cells.scaled(weight), grid):
        counts = table.counts[part]
        value += float(counts @ log)
        mean[part] = posterior @ grid.nodes
        expected += table.cells[part].T @ (posterior * counts[:, None])
    shape = (table.n_judges, table.n_levels, grid.nodes.size)
    expected = expected.reshape(shape) * weight[:, None, None]
    # How much the log-likelihood gains where a standardised bound rises (judges, bounds, nodes).
    rise = expected[:, :-1] * cells.high - expected[:, 1:] * cells.low
    bounds = rise.sum(axis=2) / parameters.noise[:, None]
    return Gradient(
        value,
        bounds.sum(axis=0),
        -bounds.sum(axis=1),
        -(rise.sum(axis=1) @ grid.nodes) * parameters.gain / parameters.noise,
        -np.einsum("jkq,jkq->j", rise, cells.z),
        mean,
    )


def level_weights(grid: Grid, cutpoints: FloatArray) -> FloatArray:
    """Give what each node adds to the probability of each true level (nodes, levels).

    The density between nodes is their sinc interpolation (Stenger 1993), integrated.
    """
    from scipy.special import sici  # noqa: PLC0415  # scipy is imported late

    below = 0.5 + sici(np.pi * (cutpoints - grid.nodes[:, None]) / grid.step)[0] / np.pi
    n = grid.nodes.size
    edges = np.concatenate((np.zeros((n, 1)), below, np.ones((n, 1))), axis=1)
    weights: FloatArray = np.diff(edges, axis=1)
    return weights
