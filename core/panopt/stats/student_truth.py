"""Integrate item truths out of scores whose errors have Student's t distribution.

Given biases, scales and the distribution of the truths, items are independent and each has one
unknown, so that one-dimensional quadrature is exact enough: a rule between nodes that lie
where the mass can be, around every score, around the weighted mean and over the prior.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from panopt.stats.tables import FloatArray

_CELLS = 1 << 18  # points x items x nodes evaluated at a time: they stay in cache
_AROUND = np.array([0.4, 0.8, 1.3, 1.9, 2.7, 4.0, 6.0])  # sds from the weighted mean
_PRIOR = np.array([0.6, 1.3, 2.2, 3.5, 6.0])  # tau from mu
_OWN = (
    # Scales from a score, by scores of the item; the tails of a precise judge reach far.
    (3, np.array([0.35, 0.8, 1.4, 2.3, 4.0, 9.0, 22.0, 60.0, 200.0])),
    (8, np.array([0.7, 2.0, 6.0, 20.0, 100.0])),
    (20, np.array([1.0, 5.0, 40.0])),
)
_STEEP = 1.5  # change of the log density between nodes
_FACTORS = 6  # of a product before its logarithm is taken: it may not overflow


@dataclass(frozen=True, slots=True)
class Group:
    """Items with equally many scores."""

    item: NDArray[np.intp]
    """Codes (items,)."""
    row: NDArray[np.intp]
    """Where the scores of each item are (items, scores of one)."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores in long format, and where those of every item are."""

    judge: NDArray[np.integer[Any]]
    """Code of the judge (scores,)."""
    value: FloatArray
    """Centred and scaled score (scores,)."""
    n_items: int
    """Number of item codes."""
    groups: tuple[Group, ...]
    """Items by number of scores."""

    @property
    def nodes(self) -> int:
        """Count the quadrature nodes of all items."""
        return sum(g.item.size * _n_nodes(g.row.shape[1]) for g in self.groups)


@dataclass(frozen=True, slots=True)
class Settings:
    """Points at which the truths are integrated out."""

    scale: FloatArray
    """Scale of each judge's errors (points, judges)."""
    judge_mean: FloatArray
    """Mean score of each judge: mu + bias (points, judges)."""
    mu: FloatArray
    """Mean of the truths (points,)."""
    tau: FloatArray
    """Their standard deviation (points,)."""
    df: FloatArray
    """Degrees of freedom of the errors (points,)."""


def group_scores(
    item: NDArray[np.integer[Any]],
    judge: NDArray[np.integer[Any]],
    value: FloatArray,
    n_items: int,
) -> Scores:
    """Find the scores of every item."""
    order = np.argsort(item, kind="stable")
    each = np.bincount(item, minlength=n_items)
    starts = np.cumsum(each) - each
    groups = []
    for n in np.unique(each[each > 0]).tolist():
        codes = np.flatnonzero(each == n)
        groups.append(Group(codes, order[starts[codes][:, None] + np.arange(n)]))
    return Scores(judge, value, n_items, tuple(groups))


def truth_moments(
    scores: Scores, weight: FloatArray, at: Settings
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Integrate the truths out at every point.

    Parameters
    ----------
    scores
        The scores.
    weight
        Weight of each score (scores,), only to place nodes.
    at
        Scales, means and degrees of freedom.

    Returns
    -------
    log_likelihood
        Of all scores (points,).
    mean, var
        Posterior of every item's truth (points, items); NaN for an item without a score.
    """
    log_likelihood = np.zeros(at.mu.size)
    mean = np.full((at.mu.size, scores.n_items), np.nan)
    var = np.full((at.mu.size, scores.n_items), np.nan)
    for points, item, row in _blocks(scores, at.mu.size):
        one = Settings(*(getattr(at, name)[points] for name in Settings.__dataclass_fields__))
        found = _integrate(scores.value[row], scores.judge[row], weight[row], one)
        log_likelihood[points] += found[0]
        mean[points, item], var[points, item] = found[1:]
    return log_likelihood, mean, var


def _blocks(
    scores: Scores, n_points: int
) -> Iterator[tuple[slice, NDArray[np.intp] | slice, NDArray[np.intp]]]:
    """Cut points x items into blocks whose nodes fit."""
    for group in scores.groups:
        nodes = _n_nodes(group.row.shape[1])
        items = min(group.item.size, max(1, _CELLS // nodes))
        points = max(1, _CELLS // (nodes * items))
        for low in range(0, group.item.size, items):
            for first in range(0, n_points, points):
                chosen = slice(low, low + items)
                yield slice(first, first + points), group.item[chosen], group.row[chosen]


def _own(n: int) -> FloatArray:
    """Give the offsets of the nodes around each of an item's `n` scores."""
    half = next((offsets for most, offsets in _OWN if n <= most), np.empty(0))
    return np.concatenate((-half, [0.0], half))


def _n_nodes(n: int) -> int:
    return n * _own(n).size + 2 * (_AROUND.size + _PRIOR.size) + 2


def _integrate(
    value: FloatArray, judge: NDArray[np.integer[Any]], weight: FloatArray, at: Settings
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Integrate over the truths of items with equally many scores (items, scores)."""
    mu, tau, df = at.mu[:, None], at.tau[:, None], at.df[:, None, None]
    scale = at.scale[:, judge]  # points, items, scores
    # A score less its judge's bias is a draw around the truth.
    draw = value - (at.judge_mean - mu)[:, judge]
    held = weight / scale**2
    precision = 1 / tau**2 + held.sum(axis=2)
    middle = (mu / tau**2 + np.sum(held * draw, axis=2)) / precision
    own = _own(value.shape[1])
    around, prior = (np.concatenate((-half, [0.0], half)) for half in (_AROUND, _PRIOR))
    shape = (*middle.shape, -1)
    node = np.concatenate(
        (
            (draw[..., None] + scale[..., None] * own).reshape(shape),
            middle[..., None] + precision[..., None] ** -0.5 * around,
            np.broadcast_to((mu + tau * prior)[:, None], (*middle.shape, prior.size)),
        ),
        axis=2,
    )
    node.sort(axis=2)
    log_density = -0.5 * np.square((node - mu[..., None]) / tau[..., None])
    product, inverse = np.ones_like(node), 1 / (scale * np.sqrt(df))
    for k in range(value.shape[1]):
        product *= 1 + np.square((node - draw[..., k, None]) * inverse[..., k, None])
        if k % _FACTORS == _FACTORS - 1 or k == value.shape[1] - 1:
            log_density -= (df + 1) / 2 * np.log(product)
            product.fill(1.0)
    # Where it is steep the logarithm is linear between nodes: tails fall by powers over wide
    # gaps, and a trapezoid there makes a judge without noise the likeliest.
    fall = np.diff(log_density, axis=2)
    near = np.abs(fall) < _STEEP
    fall[near] = 1.0
    reach = np.where(near, 0.5, np.tanh(fall / 2) / fall) * np.diff(node, axis=2)
    top = log_density.max(axis=2, keepdims=True)
    mass = np.exp(log_density - top)
    width = np.zeros_like(node)
    width[..., 1:] += reach
    width[..., :-1] += reach
    mass *= width
    total = mass.sum(axis=2)
    mean = np.einsum("pik,pik->pi", mass, node) / total
    node -= mean[..., None]
    var = np.einsum("pik,pik,pik->pi", mass, node, node) / total
    log_total = np.sum(np.log(total) + top[..., 0], axis=1) - np.sum(np.log(scale), axis=(1, 2))
    log_total += value.shape[0] * (value.shape[1] * _log_height(at.df) - _log_root(at.tau))
    return log_total, mean, var


def _log_root(tau: FloatArray) -> FloatArray:
    return np.asarray(np.log(tau) + 0.5 * np.log(2 * np.pi))


def _log_height(df: FloatArray) -> FloatArray:
    """Log density of Student's t at 0."""
    from scipy.special import gammaln  # noqa: PLC0415  # scipy is imported late

    log_ratio = gammaln((df + 1) / 2) - gammaln(df / 2)
    return np.asarray(log_ratio - 0.5 * np.log(np.pi * df))
