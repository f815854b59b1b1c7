"""Correct what votes say of an item for the judges' habits, without shrinking it to the others.

A posterior leans on the labels' shares among all items, so its mean over some of them (one
system's) is pulled towards the mean over all. This is the unbiased counterpart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from panopt.stats.label_em import Votes
from panopt.stats.label_fit import LabelModel
from panopt.stats.label_table import VoteTable

__all__ = ["unshrunk"]

FloatArray = NDArray[np.float64]

_LEAST = 1e-3  # least share of the information on labels that must lie in every direction


def unshrunk(table: VoteTable, model: LabelModel, worth: FloatArray) -> FloatArray:
    """Estimate each item's worth so that, given its true label, the estimate is unbiased.

    Votes are regressed on the rows of the confusion matrices, weighted by the inverse frequency
    of each vote (generalised least squares). For two labels and one judge this is the estimator
    of Rogan and Gladen (1978), item by item.

    Parameters
    ----------
    table
        The votes.
    model
        What was learned from them; known labels stand as they are.
    worth
        Worth of each label (labels,).

    Returns
    -------
    ndarray
        Estimates, which may lie outside the range of `worth` (items,). NaN where the judges'
        votes hardly tell some label from another: no unbiased estimate is of use there.

    Examples
    --------
    A judge with sensitivity .9 and specificity .8 passes: (1 - .2) / (.9 - .2).

    >>> from panopt.stats.label_models import dawid_skene
    >>> from panopt.stats.label_table import checked_votes
    >>> item = np.arange(2001)
    >>> truth = np.append(np.repeat([1, 0], 1000), -1)
    >>> vote = np.append(np.repeat([1, 0, 1, 0], [900, 100, 200, 800]), 1)
    >>> table = checked_votes(item, item * 0, vote, n_labels=2, known=truth)
    >>> model = dawid_skene(item, item * 0, vote, known=truth, smoothing=0)
    >>> unshrunk(table, model, np.array([0.0, 1.0]))[-1].round(3)
    np.float64(1.143)
    """
    votes = Votes.of(table)
    k = table.n_labels
    confusion = np.where(np.isnan(model.confusion), 1 / k, model.confusion)
    marginal = np.einsum("k,jkl->jl", model.prior, confusion)
    weighted = np.divide(
        confusion, marginal[:, None], out=np.zeros(confusion.shape), where=marginal[:, None] > 0
    )
    pull = np.asarray(votes.design @ weighted.transpose(0, 2, 1).reshape(-1, k))
    judge_information = np.einsum("jkl,jml->jkm", weighted, confusion)
    every = np.repeat(judge_information.reshape(table.n_judges, -1), k, axis=0)
    information = np.asarray(votes.design @ every).reshape(-1, k, k)
    values, axes = np.linalg.eigh(information)
    told = values[:, 0] > _LEAST * np.maximum(values[:, -1], 1e-12)
    along = np.einsum("pkm,pk->pm", axes, pull) / np.where(told[:, None], values, 1.0)
    found = np.einsum("pkm,pm,k->p", axes, along, worth)
    found[~told] = np.nan
    sure = table.truth >= 0
    found[sure] = worth[table.truth[sure]]
    estimate: FloatArray = found[table.inverse]
    return estimate
