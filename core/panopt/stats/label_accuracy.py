"""Say how well the accuracies of judges are known that were learned without knowing the truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from panopt.stats.label_em import Votes, log_of
from panopt.stats.label_fit import LabelModel
from panopt.stats.label_table import VoteTable

__all__ = ["accuracy_interval", "accuracy_se"]

FloatArray = NDArray[np.float64]

_MOST_PARAMETERS = 1200
_WORK = 1 << 32  # patterns times squared parameters, about half a second
_RIDGE = 1e-9


def accuracy_se(
    table: VoteTable,
    model: LabelModel,
    *,
    smoothing: float,
    rng: np.random.Generator,
    clusters: NDArray[np.intp] | None = None,
) -> FloatArray:
    """Give the standard error of each judge's accuracy under the Dawid-Skene model.

    Parameters
    ----------
    table
        The votes the model was learned from.
    model
        What :func:`panopt.stats.label_models.dawid_skene` learned from them.
    smoothing
        With what it was learned.
    rng
        Draws the items the information is taken from, where all would take too long.
    clusters
        Cluster of each item, from 0 without gaps, if items are not independent (items,).

    Returns
    -------
    ndarray
        Standard errors (judges,); NaN where there are too many parameters, or no votes.

    Notes
    -----
    The information of the votes alone is the sum of outer products of items' scores, the
    derivatives of their log likelihoods (Louis 1982, eq. 3.2 gives the score as an expectation);
    with `clusters` the sandwich of that and the products of clusters' scores. The accuracy is
    that on the population of items, the sum of prior times diagonal.

    Examples
    --------
    With the truth known, it is the binomial standard error:

    >>> from panopt.stats.label_models import dawid_skene
    >>> from panopt.stats.label_table import checked_votes
    >>> item, truth = np.arange(1000), np.arange(1000) % 2
    >>> vote = np.where(np.arange(1000) < 200, 1 - truth, truth)
    >>> table = checked_votes(item, item * 0, vote, n_labels=2, known=truth)
    >>> model = dawid_skene(item, item * 0, vote, known=truth, smoothing=0)
    >>> se = accuracy_se(table, model, smoothing=0, rng=np.random.default_rng(0))
    >>> se.round(5).tolist(), round(float(np.sqrt(0.8 * 0.2 / 1000)), 5)
    ([0.01265], 0.01265)
    """
    n_judges, k = table.n_judges, table.n_labels
    size = k + n_judges * k * k
    if size > _MOST_PARAMETERS:
        return np.full(n_judges, np.nan)
    confusion: FloatArray = np.where(np.isnan(model.confusion), 1.0 / k, model.confusion)
    votes = Votes.of(table)
    counts = votes.counts
    most = max(1, _WORK // size**2)
    drawn = np.flatnonzero(counts)
    weight = counts[drawn]
    if drawn.size > most and clusters is None:
        sample = rng.multinomial(most, counts / counts.sum())
        drawn = np.flatnonzero(sample)
        weight = sample[drawn] * (counts.sum() / most)
    posterior = votes.posterior(log_of(model.prior), log_of(confusion))
    information = _dirichlet(model.prior, confusion, smoothing)
    rows = max(1, (1 << 20) // size)
    for begin in range(0, drawn.size, rows):
        part = drawn[begin : begin + rows]
        score = _scores(votes, part, posterior[part], model.prior, confusion)
        information += score.T @ (score * weight[begin : begin + rows, None])
    slope = _slopes(model.prior, confusion)
    ridge = _RIDGE * np.trace(information) / size
    information[np.diag_indices(size)] += ridge
    path = np.asarray(np.linalg.solve(information, slope.T), dtype=np.float64)
    variance = np.einsum("pj,jp->j", path, slope)
    if clusters is not None:
        variance = _clustered(votes, posterior, model.prior, confusion, path, clusters)
    return np.where(np.isnan(model.accuracy), np.nan, np.sqrt(np.maximum(variance, 0.0)))


def accuracy_interval(
    accuracy: FloatArray, se: FloatArray, n: FloatArray, *, level: float
) -> tuple[FloatArray, FloatArray]:
    """Give intervals for accuracies: Wilson's, from as many known answers as would be as good.

    Parameters
    ----------
    accuracy, se
        Estimates with standard errors (judges,).
    n
        Votes of each judge (judges,): no more is known than with the truth of each.
    level
        Confidence level.

    Returns
    -------
    tuple
        Lower and upper ends (judges,).

    Examples
    --------
    Ten right of ten say .72 and more, whatever the standard error of 0:

    >>> low, high = accuracy_interval(np.ones(1), np.zeros(1), np.full(1, 10.0), level=0.95)
    >>> low.round(3).tolist(), high.tolist()
    ([0.722], [1.0])
    """
    from scipy.special import ndtri  # noqa: PLC0415  # scipy is imported late

    z2 = float(ndtri(0.5 + level / 2)) ** 2
    spread = accuracy * (1 - accuracy)
    size = np.divide(spread, se**2, out=n.astype(np.float64), where=se**2 * n > spread)
    size = np.maximum(size, 1e-9)  # nothing is known: all of [0, 1]
    middle = (accuracy + z2 / (2 * size)) / (1 + z2 / size)
    reach = np.sqrt(z2) * np.sqrt(spread / size + z2 / (4 * size**2)) / (1 + z2 / size)
    return np.clip(middle - reach, 0.0, accuracy), np.clip(middle + reach, accuracy, 1.0)


def _scores(
    votes: Votes,
    part: NDArray[np.intp],
    posterior: FloatArray,
    prior: FloatArray,
    confusion: FloatArray,
) -> FloatArray:
    """Differentiate patterns' log likelihoods by the logits of prior and confusion rows."""
    n_judges, k, _ = confusion.shape
    times = votes.design[part]
    dense = times if isinstance(times, np.ndarray) else times.toarray()
    cast = dense.reshape(-1, n_judges, 1, k)
    expected = cast.sum(axis=3, keepdims=True) * confusion
    by_vote = (cast - expected) * posterior[:, None, :, None]
    return np.concatenate((posterior - prior, by_vote.reshape(len(part), -1)), axis=1)


def _dirichlet(prior: FloatArray, confusion: FloatArray, smoothing: float) -> FloatArray:
    """Give the information of the smoothing, about the same logits."""
    k = prior.size
    rows = np.concatenate((prior[None], confusion.reshape(-1, k)))
    size = rows.size
    information = np.zeros((size, size))
    for row, share in enumerate(rows):
        place = slice(row * k, row * k + k)
        information[place, place] = smoothing * k * (np.diag(share) - np.outer(share, share))
    return information


def _slopes(prior: FloatArray, confusion: FloatArray) -> FloatArray:
    """Differentiate accuracies by the logits (judges, parameters)."""
    n_judges, k, _ = confusion.shape
    right = np.einsum("jkk->jk", confusion)
    slope = np.zeros((n_judges, k + n_judges * k * k))
    slope[:, :k] = prior * (right - (right @ prior)[:, None])
    own = (prior * right)[:, :, None] * (np.eye(k) - confusion)
    for judge in range(n_judges):
        start = k + judge * k * k
        slope[judge, start : start + k * k] = own[judge].ravel()
    return slope


def _clustered(  # noqa: PLR0913, PLR0917 - a model in parts
    votes: Votes,
    posterior: FloatArray,
    prior: FloatArray,
    confusion: FloatArray,
    path: FloatArray,
    clusters: NDArray[np.intp],
) -> FloatArray:
    """Add up squared influences of whole clusters on the accuracies, times G / (G - 1)."""
    influence = np.empty((votes.counts.size, path.shape[1]))
    rows = max(1, (1 << 20) // path.shape[0])
    for begin in range(0, votes.counts.size, rows):
        part = np.arange(begin, min(begin + rows, votes.counts.size))
        influence[part] = _scores(votes, part, posterior[part], prior, confusion) @ path
    influence[votes.counts == 0] = 0.0
    n_clusters = int(clusters.max()) + 1
    total = np.empty(path.shape[1])
    for judge, column in enumerate(influence.T):
        sums = np.bincount(clusters, weights=column[votes.table.inverse], minlength=n_clusters)
        total[judge] = sums @ sums
    factor: FloatArray = total * (n_clusters / max(n_clusters - 1, 1))
    return factor
