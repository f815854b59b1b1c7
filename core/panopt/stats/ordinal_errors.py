"""Say how sure the parameters of an ordered probit are, and what that adds to the truths."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from panopt.stats.ordinal_fit import NOISE, OrdinalFit, log_prior, penalised, precision
from panopt.stats.ordinal_likelihood import (
    Grid,
    Parameters,
    cell_table,
    log_likelihood,
    make_grid,
    posteriors,
)
from panopt.stats.ordinal_table import FloatArray, OrdinalTable

_STEP = 1e-4
_WORK = 1e8  # operations up to which second derivatives are taken


class Errors(NamedTuple):
    """Uncertainty of fitted parameters."""

    covariance: FloatArray
    """Of cutpoints, offsets, log gains and log noises, in that order."""
    added: FloatArray
    """Variance it adds to each pattern's truth (patterns,)."""


def standard_errors(table: OrdinalTable, fit: OrdinalFit, grid: Grid) -> Errors:
    """Invert the information, and carry the parameters' covariance to each pattern's mean.

    The information is the observed one, by differences of the gradient, where that is cheap;
    else the sum of squared scores, which is the same for many items (Berndt et al. 1974).
    """
    work = (table.cells.nnz + table.n_judges * table.n_levels) * grid.nodes.size * fit.x.size
    if work <= _WORK:
        information, slope = _by_differences(table, fit, grid)
    else:
        information, slope = _by_scores(table, fit, grid)
    size, vectors = np.linalg.eigh(information)
    least = max(1e-3, 1e-12 * float(size.max()))
    root = vectors / np.sqrt(np.maximum(size, least))
    spread = fit.layout.jacobian(fit.x) @ root
    return Errors(spread @ spread.T, ((slope @ root) ** 2).sum(axis=1))


def noiseless_loss(table: OrdinalTable, fit: OrdinalFit) -> FloatArray:
    """Give the log-likelihood lost were a judge's noise the least one, others as fitted (judges,).

    Where that is little, the data set no lower end to the judge's noise.
    """
    lost = np.empty(table.n_judges)
    for j in range(table.n_judges):
        noise = fit.parameters.noise.copy()
        noise[j] = NOISE[0]
        p = fit.parameters._replace(noise=noise)
        grid = make_grid(table, precision(p, fit.weight))
        lost[j] = fit.log_likelihood - log_likelihood(table, p, grid, fit.weight).value
    return lost


def _by_differences(
    table: OrdinalTable, fit: OrdinalFit, grid: Grid
) -> tuple[FloatArray, FloatArray]:
    x = fit.x
    hessian, slope = np.empty((x.size, x.size)), np.empty((table.counts.size, x.size))
    for i in range(x.size):
        step = np.zeros(x.size)
        step[i] = _STEP
        up = penalised(table, fit.layout, x + step, grid, fit.weight)
        down = penalised(table, fit.layout, x - step, grid, fit.weight)
        hessian[i] = (up[2] - down[2]) / (2 * _STEP)
        slope[:, i] = (up[0].mean - down[0].mean) / (2 * _STEP)
    return -(hessian + hessian.T) / 2, slope


def _by_scores(table: OrdinalTable, fit: OrdinalFit, grid: Grid) -> tuple[FloatArray, FloatArray]:
    """Give the information from each pattern's score, and slopes as posterior covariances."""
    from scipy.sparse import csr_array  # noqa: PLC0415  # scipy is imported late

    p = fit.parameters
    cells = cell_table(p, grid.nodes)
    tables = _complete_scores(p, cells.z, cells.low, cells.high, grid.nodes)
    tables *= np.repeat(fit.weight, table.n_levels)[:, None]
    jacobian = fit.layout.jacobian(fit.x)
    n_cut, n_judges = p.cutpoints.size, table.n_judges
    information = np.zeros((fit.x.size, fit.x.size))
    slope = np.empty((table.counts.size, fit.x.size))
    for part, posterior, _ in posteriors(table, cells.scaled(fit.weight), grid):
        block = table.cells[part].tocoo()
        row, column = block.coords
        judge, level = np.divmod(column, table.n_levels)
        # The bounds above and below the level (where there is none, the derivative is 0), then
        # offset, gain and noise of the judge.
        bounds = np.minimum(level, n_cut - 1), np.maximum(level - 1, 0)
        place = (*bounds, *(n_cut + i * n_judges + judge for i in range(3)))
        mean = posterior @ grid.nodes
        score, crossing = (np.zeros((len(posterior), fit.x.size)) for _ in range(2))
        for values, target in zip(tables, place, strict=True):
            weighed = posterior[row]
            weighed *= values[column]
            plain = weighed.sum(axis=1) * block.data
            crossed = (weighed @ grid.nodes) * block.data - mean[row] * plain
            shape = (len(posterior), jacobian.shape[0])
            score += csr_array((plain, (row, target)), shape=shape) @ jacobian
            crossing += csr_array((crossed, (row, target)), shape=shape) @ jacobian
        information += (score * table.counts[part, None]).T @ score
        slope[part] = crossing
    curvature = _prior_information(fit)
    return information + curvature, slope


def _complete_scores(
    p: Parameters, z: FloatArray, low: FloatArray, high: FloatArray, nodes: FloatArray
) -> FloatArray:
    """Give derivatives of every vote's log-probability (5, judges * levels, nodes)."""
    judges, bounds, n = z.shape
    up, down = np.zeros((2, judges, bounds + 1, n))
    up[:, :-1], down[:, 1:] = high, low
    noise = p.noise[:, None, None]
    by_offset = -(up - down) / noise
    by_noise = np.zeros_like(up)
    by_noise[:, :-1] -= z * high
    by_noise[:, 1:] += z * low
    by_gain = by_offset * p.gain[:, None, None] * nodes
    every = np.stack((up / noise, -down / noise, by_offset, by_gain, by_noise))
    return every.reshape(5, judges * (bounds + 1), n)


def _prior_information(fit: OrdinalFit) -> FloatArray:
    rows = []
    for i in range(fit.x.size):
        step = np.zeros(fit.x.size)
        step[i] = _STEP
        ends = [
            fit.layout.pack(log_prior(fit.layout.unpack(x))[1], x)
            for x in (fit.x + step, fit.x - step)
        ]
        rows.append((ends[1] - ends[0]) / (2 * _STEP))
    found = np.array(rows)
    return (found + found.T) / 2
