"""Locations of a Gaussian panel that do not depend on who scored which items.

Biases come from differences within items alone (fixed item effects; "recovery of inter-block
information", Yates 1940, is what is left out): were the hardest items those with a human label,
comparing them with the others would take their difficulty for a bias of the judges. The mean of
the items is then that of the scores less bias.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from panopt.stats.gaussian_likelihood import Design, Points, own_means, within_items
from panopt.stats.gaussian_sums import Codes, PanelSums
from panopt.stats.tables import FloatArray, back, times


def locate(sums: PanelSums, plan: Design, points: Points) -> tuple[Points, FloatArray]:
    """Give points their locations from within items, and the covariance of those.

    Where patterns of judges have means of their own, tau at the points is that among items of
    one pattern; what the patterns' means differ is added to it here, so that 1 / `prior` is the
    variance of all items' truths, by which posteriors shrink.

    Returns
    -------
    Points
        With `location` (points, locations), and `prior` of all items.
    cov
        Given the variances (points, locations, locations).
    """
    weight, size = points.weight, sums.size
    moment, slope, inverse = within_items(sums, weight)
    inner = np.linalg.inv(plan.basis.T @ moment @ plan.basis)
    spread = plan.basis @ inner @ plan.basis.T
    bias = np.einsum("kjl,kl->kj", spread, slope)
    level = times(sums.sums, weight.T).T * inverse / size
    level -= times(sums.counts, (weight * bias).T).T * inverse
    level = np.where(inverse > 0, level, 0.0)
    scored = np.where(inverse > 0, size, 0.0)
    tau2 = 1 / points.prior
    if own_means(sums):
        tau2 = tau2 + _between(level, scored, tau2[:, None] + inverse)
    about = scored / (tau2[:, None] + inverse)
    known = about.sum(axis=1)
    mu = np.sum(about * level, axis=1) / known
    pull = weight * back(sums.counts, (about * inverse).T).T / known[:, None]
    turned = np.einsum("kjl,kl->kj", spread, pull)
    own = 1 / known + np.einsum("kj,kj->k", pull, turned)
    means = spread - turned[:, :, None] - turned[:, None, :] + own[:, None, None]
    # Judge means are mu + b, so the mean of any anchor, whose b is 0, is mu.
    back_to = np.linalg.pinv(plan.columns)
    located = replace(points, prior=1 / tau2, location=(mu[:, None] + bias) @ back_to.T)
    return located, np.asarray(back_to @ means @ back_to.T)


def _between(level: FloatArray, size: FloatArray, variance: FloatArray) -> FloatArray:
    """Estimate how much the mean truths of rows vary over items, by moments (points,)."""
    share = size / size.sum(axis=1, keepdims=True)
    middle = np.sum(share * level, axis=1, keepdims=True)
    chance = np.sum(share * (1 - share) * variance / np.maximum(size, 1.0), axis=1)
    return np.asarray(np.maximum(np.sum(share * (level - middle) ** 2, axis=1) - chance, 0.0))


def bias_error(
    item: Codes,
    judge: Codes,
    weight: FloatArray,
    bias_cov: FloatArray,
    group: NDArray[np.integer[Any]],
) -> FloatArray:
    """Give the standard error that biases put on the mean estimate of each item's group.

    An item's estimate holds the error of judge j's bias with j's share of the item's precision,
    so a group's mean holds it with j's mean share.

    Parameters
    ----------
    item, judge
        Codes of every score (scores,).
    weight
        Weight of every score in its item's truth, 0 where it does not count (scores,).
    bias_cov
        Covariance of the biases (judges, judges); NaN only where weights are 0.
    group
        Key of every item's group (items,).

    Returns
    -------
    numpy.ndarray
        One number an item, the same throughout a group; 0 without scores (items,).
    """
    n_judges = len(bias_cov)
    total = np.bincount(item, weights=weight, minlength=group.size)[item]
    share = np.divide(weight, total, out=np.zeros(weight.size), where=total > 0)
    keys, code = np.unique(group, return_inverse=True)
    size = keys.size * n_judges
    cells = np.bincount(code[item] * n_judges + judge, weights=share, minlength=size)
    held = cells.astype(np.float64).reshape(keys.size, n_judges)
    held = held / np.maximum(held.sum(axis=1, keepdims=True), 1e-300)
    variance = np.sum((held @ np.nan_to_num(bias_cov)) * held, axis=1)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0))[code])
