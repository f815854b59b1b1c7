"""Fit a Bradley-Terry model to compressed comparisons by Newton's method.

Parameters are strengths that sum to zero, judge scales that average 1, and each judge's position
effect and tie parameter. Work per step is in the cells and in the square of the parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from panopt.stats.pair_cells import Cells
from panopt.stats.pair_models import Slopes, Ties, slopes, starting_tie

__all__ = ["Fit", "Layout", "NoFit", "fit", "layout"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Sparse = Any  # a matrix, dense where small, else in CSR form; their products have no typed kind

_FAR = 25.0  # log-odds that no finite number of comparisons supports
_STEPS = 200
_SMALL = 1e-13  # expected gain of the last step, relative to the comparisons
_SMALL_MATRIX = 1 << 16  # entries up to which a dense matrix beats a sparse one
_CHUNK = 1 << 21  # numbers of cluster scores held at a time: 16 MB


class NoFit(Exception):  # noqa: N818 - an answer, not an error of the caller
    """The likelihood has no single finite maximum."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Which parameters there are: strengths, then scales, positions and ties of judges.

    Attributes
    ----------
    scale, position, tie
        Place of each judge's parameter, -1 where it has none (judges,).
    size
        Number of parameters.
    basis
        Directions that keep the strengths' sum and the scales' mean (parameters, free).
    """

    scale: Codes
    position: Codes
    tie: Codes
    size: int
    basis: Sparse


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Parameters at the maximum, in the order of the layout, and their covariance."""

    theta: Floats
    covariance: Floats
    log_likelihood: float
    n_iter: int
    converged: bool


def layout(cells: Cells, ties: Ties, *, scale: bool) -> Layout:
    """Say which parameters the comparisons can inform: no tie parameter without ties."""
    judges, systems = len(cells.judges), len(cells.systems)
    seen = np.bincount(cells.judge, minlength=judges) > 0
    sided = np.bincount(cells.judge, weights=cells.side != 0, minlength=judges) > 0
    tied = np.bincount(cells.judge, weights=cells.counts[:, 1], minlength=judges) > 0
    size = systems

    def places(has: NDArray[np.bool_]) -> Codes:
        nonlocal size
        place = np.where(has, size + np.cumsum(has) - 1, -1)
        size += int(has.sum())
        return place.astype(np.int64)

    scaled = places(seen & scale & (seen.sum() > 1))
    n_scaled = size - systems
    position = places(sided)
    tie = places(tied & (ties != "half"))
    blocks = [_contrasts(systems), *([_contrasts(n_scaled)] if n_scaled else [])]
    blocks.append(sparse.csr_matrix(sparse.identity(size - systems - n_scaled)))
    return Layout(scaled, position, tie, size, sparse.csr_matrix(sparse.block_diag(blocks)))


def _contrasts(n: int) -> Sparse:
    """Give directions in which `n` numbers keep their sum (n, n - 1)."""
    rows = np.concatenate((np.arange(n - 1), np.full(n - 1, n - 1)))
    columns = np.tile(np.arange(n - 1), 2)
    values = np.repeat([1.0, -1.0], n - 1)
    return sparse.csr_matrix((values, (rows, columns)), shape=(n, n - 1))


def fit(  # noqa: PLR0913 - the parts of one fit
    cells: Cells,
    where: Layout,
    ties: Ties,
    *,
    penalty: float,
    clusters: Codes | None,
    robust: bool,
) -> Fit:
    """Find the maximum of the (penalised) likelihood, and the covariance there.

    Parameters
    ----------
    cells, where
        Comparisons and parameters.
    ties
        Model of ties.
    penalty
        Precision of a normal prior of mean 0 on strengths and positions.
    clusters
        Cluster of every row of the input, for a sandwich covariance.
    robust
        Sandwich covariance over comparisons where there are no clusters.

    Raises
    ------
    NoFit
        Where the parameters run away or are not told apart.
    """
    theta, n_iter, converged = _climb(cells, where, ties, penalty)
    state, jacobian, _ = _state(cells, where, ties, theta)
    curvature = _curvature(cells, where, state, jacobian, penalty, exact=True)
    try:
        bread = np.asarray(
            linalg.cho_solve(linalg.cho_factor(curvature), np.eye(curvature.shape[0]))
        )
    except linalg.LinAlgError:
        raise NoFit from None
    cov = bread
    if clusters is not None or robust:
        scores = _scores(cells, where, state, jacobian) @ where.basis
        cov = bread @ _meat(cells, scores, clusters) @ bread
    full = where.basis @ (where.basis @ cov).T
    return Fit(theta, full, state.log_likelihood, n_iter, converged)


def _climb(cells: Cells, where: Layout, ties: Ties, penalty: float) -> tuple[Floats, int, bool]:
    theta = _start(cells, where, ties)
    if (where.scale >= 0).any():  # at equal strengths no scale is told from another
        plain = layout(cells, ties, scale=False)
        start, _, _ = _climb(cells, plain, ties, penalty)
        theta[: len(cells.systems)] = start[: len(cells.systems)]
        for mine, its in ((where.position, plain.position), (where.tie, plain.tie)):
            theta[mine[mine >= 0]] = start[its[its >= 0]]
    weight = max(1.0, float(cells.counts.sum()))
    state, jacobian, _ = _state(cells, where, ties, theta)
    for step in range(1, _STEPS + 1):
        gradient = where.basis.T @ _gradient(cells, where, theta, state, jacobian, penalty)
        move = _direction(cells, where, state, jacobian, penalty, gradient)
        gain = float(gradient @ move)
        whole = where.basis @ move
        before = _objective(state, where, cells, theta, penalty)
        length, tried = 1.0, theta + whole
        while True:
            after = _state(cells, where, ties, tried) if _feasible(where, ties, tried) else None
            if after is not None:
                rise = _objective(after[0], where, cells, tried, penalty) - before
                if rise >= -1e-11 * (1 + abs(before)):
                    break
            length /= 2
            if length < 1e-8:
                raise NoFit
            tried = theta + length * whole
        theta, (state, jacobian, d) = tried, after
        if not penalty and _runs_away(where, ties, theta, d):
            raise NoFit
        if gain <= _SMALL * weight and length == 1.0:
            return theta, step, True
    return theta, _STEPS, False


def _start(cells: Cells, where: Layout, ties: Ties) -> Floats:
    theta = np.zeros(where.size)
    theta[where.scale[where.scale >= 0]] = 1.0
    has = where.tie >= 0
    if has.any():
        n = len(cells.judges)
        total = np.bincount(cells.judge, weights=cells.counts.sum(axis=1), minlength=n)[has]
        tied = np.bincount(cells.judge, weights=cells.counts[:, 1], minlength=n)[has]
        theta[where.tie[has]] = starting_tie(ties, tied / total)
    return theta


def _runs_away(where: Layout, ties: Ties, theta: Floats, d: Floats) -> bool:
    """Tell whether some outcome that was not seen has lost all its probability."""
    tie = np.abs(theta[where.tie[where.tie >= 0]]).max(initial=0)
    lead = np.abs(d).max(initial=0)
    return bool((lead + tie if ties == "rao_kupper" else max(lead, tie)) > _FAR)


def _feasible(where: Layout, ties: Ties, theta: Floats) -> bool:
    """Tell whether tie parameters are inside their range, and far from overflow."""
    tie = theta[where.tie[where.tie >= 0]]
    return bool((tie < 2 * _FAR).all() and (ties != "rao_kupper" or (tie > 0).all()))


def _state(cells: Cells, where: Layout, ties: Ties, theta: Floats) -> tuple[Slopes, Sparse, Floats]:
    """Give the model at `theta`, the derivatives of `d` in the parameters, and `d`."""
    gap = theta[cells.first] - theta[cells.second]
    scaled, placed, tied = (x[cells.judge] for x in (where.scale, where.position, where.tie))
    kappa = np.where(scaled >= 0, theta[scaled], 1.0)
    d = kappa * gap + np.where(placed >= 0, theta[placed], 0.0) * cells.side
    none = -np.inf if ties == "davidson" else 0.0
    t = np.where(tied >= 0, theta[tied], none)
    rows = np.arange(cells.first.size)
    entries = [(rows, cells.first, kappa), (rows, cells.second, -kappa)]
    for place, value in ((scaled, gap), (placed, cells.side.astype(np.float64))):
        has = place >= 0
        entries.append((rows[has], place[has], value[has]))
    at, to, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    jacobian = _matrix(value, at, to, (rows.size, where.size))
    return slopes(ties, d, t, cells.counts), jacobian, d


def _in_ties(cells: Cells, where: Layout) -> Sparse:
    """Give the derivatives of `t` in the parameters (cells, parameters)."""
    place = where.tie[cells.judge]
    has = np.flatnonzero(place >= 0)
    return _matrix(np.ones(has.size), has, place[has], (place.size, where.size))


def _prior(where: Layout, cells: Cells, penalty: float) -> Floats:
    weight = np.zeros(where.size)
    weight[: len(cells.systems)] = penalty
    weight[where.position[where.position >= 0]] = penalty
    return weight


def _objective(state: Slopes, where: Layout, cells: Cells, theta: Floats, penalty: float) -> float:
    return state.log_likelihood - float(_prior(where, cells, penalty) @ theta**2) / 2


def _gradient(  # noqa: PLR0913, PLR0917 - one state of one fit
    cells: Cells,
    where: Layout,
    theta: Floats,
    state: Slopes,
    jacobian: Sparse,
    penalty: float,
) -> Floats:
    in_d = np.sum(cells.counts * state.in_d, axis=1)
    in_t = np.sum(cells.counts * state.in_t, axis=1)
    slope = jacobian.T @ in_d + _in_ties(cells, where).T @ in_t
    return np.asarray(slope - _prior(where, cells, penalty) * theta)


def _curvature(  # noqa: PLR0913 - one state of one fit
    cells: Cells,
    where: Layout,
    state: Slopes,
    jacobian: Sparse,
    penalty: float,
    *,
    exact: bool,
) -> Floats:
    """Give minus the Hessian in the free directions; not `exact`: without the bend of `d`."""
    ties = _in_ties(cells, where)
    mixed = jacobian.T @ _times(state.dt, ties)
    whole = jacobian.T @ _times(state.dd, jacobian) + mixed + mixed.T
    full = _dense(whole + ties.T @ _times(state.tt, ties))
    place = where.scale[cells.judge]
    if exact and (place >= 0).any():
        pull = np.sum(cells.counts * state.in_d, axis=1)
        at = np.concatenate((cells.first, cells.second))
        bend = _dense(_matrix(np.concatenate((-pull, pull)), at, np.tile(place, 2), full.shape))
        full = full + bend + bend.T
    full[np.diag_indices_from(full)] += _prior(where, cells, penalty)
    return np.asarray(where.basis.T @ (where.basis.T @ full.T).T)


def _matrix(value: Floats, at: Codes, to: Codes, shape: tuple[int, int]) -> Sparse:
    """Put values in their places, adding up those of one place."""
    if shape[0] * shape[1] > _SMALL_MATRIX:
        return sparse.csr_matrix((value, (at, to)), shape=shape)
    place = at * shape[1] + to
    return np.bincount(place, weights=value, minlength=shape[0] * shape[1]).reshape(shape)


def _times(x: NDArray[np.number], matrix: Sparse) -> Sparse:
    """Multiply each row by a number."""
    return x[:, None] * matrix if isinstance(matrix, np.ndarray) else sparse.diags(x) @ matrix


def _dense(matrix: Sparse) -> Floats:
    dense: Floats = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
    return dense


def _direction(  # noqa: PLR0913, PLR0917 - one state of one fit
    cells: Cells,
    where: Layout,
    state: Slopes,
    jacobian: Sparse,
    penalty: float,
    gradient: Floats,
) -> Floats:
    for exact in (True, False):  # with scales the exact one may point nowhere far from the top
        curvature = _curvature(cells, where, state, jacobian, penalty, exact=exact)
        try:
            return np.asarray(linalg.cho_solve(linalg.cho_factor(curvature), gradient))
        except linalg.LinAlgError:
            continue
    raise NoFit


def _scores(cells: Cells, where: Layout, state: Slopes, jacobian: Sparse) -> Sparse:
    """Give the gradient of one comparison of each cell and outcome (cells * 3, parameters)."""
    slot = np.repeat(np.arange(cells.first.size), 3)
    by_tie = _in_ties(cells, where)[slot]
    return _times(state.in_d.ravel(), jacobian[slot]) + _times(state.in_t.ravel(), by_tie)


def _meat(cells: Cells, scores: Sparse, clusters: Codes | None) -> Floats:
    """Sum the squares of the clusters' scores, times G / (G - 1)."""
    if clusters is None:
        count = np.bincount(cells.slot, weights=cells.weight**2, minlength=scores.shape[0])
        n = cells.row.size
        return _dense(scores.T @ _times(count, scores)) * (n / max(1, n - 1))
    group = clusters[cells.row]
    size = int(group.max()) + 1
    n = int(np.count_nonzero(np.bincount(group)))
    member = sparse.csr_matrix((cells.weight, (group, cells.slot)), shape=(size, scores.shape[0]))
    total = np.zeros((scores.shape[1], scores.shape[1]))
    rows = max(1, _CHUNK // max(1, scores.shape[1]))
    for start in range(0, size, rows):
        part = member[start : start + rows] @ scores
        if not isinstance(part, np.ndarray) and part.nnz > 0.1 * part.shape[0] * part.shape[1]:
            part = part.toarray()
        total += _dense(part.T @ part)
    return total * (n / max(1, n - 1))
