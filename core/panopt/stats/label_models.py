"""Learn each judge's habits of error and each item's true label from votes alone.

Three models of a vote given the truth: any confusion matrix (Dawid and Skene 1979); one accuracy
a judge, errors spread evenly ("one coin"); and copying the truth or else voting by habit (MACE,
Hovy et al. 2013). All assume that judges err independently given the truth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.label_em import Expected, log_of
from panopt.stats.label_fit import LabelModel, Learn, Parameters, check_options, fit, smoothed
from panopt.stats.label_mace import Mace
from panopt.stats.label_table import checked_votes

__all__ = ["LabelModel", "dawid_skene", "dawid_skene_step", "mace", "one_coin", "one_coin_step"]

FloatArray = NDArray[np.float64]


def dawid_skene(  # noqa: PLR0913 - three arrays of one table, and options
    item: ArrayLike,
    judge: ArrayLike,
    label: ArrayLike,
    *,
    n_labels: int | None = None,
    smoothing: float = 0.01,
    max_iter: int = 1000,
    tol: float = 1e-6,
    known: ArrayLike | None = None,
    unknown_weight: float = 1.0,
    n_items: int | None = None,
    n_judges: int | None = None,
    names: Sequence[str] | None = None,
) -> LabelModel:
    """Learn a confusion matrix a judge, by EM from the majority vote.

    Parameters
    ----------
    item, judge, label
        Integer codes from 0, one row a vote, in any order (votes,). A judge may vote on an item
        several times: each is one more vote, independent given the truth. A missing vote is a
        missing row.
    n_labels, n_items, n_judges
        Number of codes; by default the largest that occurs, plus 1.
    smoothing
        Votes added to every cell of every confusion matrix and to every label's share: the mode
        under Dirichlet(1 + smoothing) priors. 0 gives maximum likelihood.
    max_iter
        Most passes over the votes.
    tol
        EM has converged when a pass raises the log posterior density, in nats, by less.
    known
        True label of each item, -1 where unknown (items,): such items count as certain.
    unknown_weight
        Weight, in [0, 1], of items without a known label in learning; 0 learns from known labels
        alone. Judges who share errors mislead the more, the more such items there are.
    names
        Names of the judges for messages (judges,); "judge 0" and so on by default.

    Returns
    -------
    LabelModel

    Raises
    ------
    ValueError
        For arguments that do not fit, and where no judge's errors are identified: fewer than
        three judges that share items pairwise, and no known label.

    Notes
    -----
    Assumes that judges err independently given the truth, whatever the item. Judges that share
    errors (one provider's) are taken for accurate ones. Which latent class is which label is
    settled by the start at the shares of votes. Deterministic. A pass costs the distinct sets of
    votes times labels; memory is linear in votes and items.

    References
    ----------
    Dawid and Skene 1979, "Maximum likelihood estimation of observer error-rates using the EM
    algorithm", eq. 2.3-2.5.

    Examples
    --------
    Judges right on 90, 80 and 70 of 100 votes of either label:

    >>> rng = np.random.default_rng(0)
    >>> item, judge = np.divmod(np.arange(90_000), 3)
    >>> truth = rng.integers(0, 2, size=30_000)
    >>> right = rng.random(90_000) < np.array([0.9, 0.8, 0.7])[judge]
    >>> model = dawid_skene(item, judge, np.where(right, truth[item], 1 - truth[item]))
    >>> model.accuracy.round(2).tolist(), model.posterior.shape
    ([0.9, 0.8, 0.7], (30000, 2))
    """
    check_options(shares={"smoothing": smoothing, "tol": tol}, whole={"max_iter": max_iter})
    table = checked_votes(
        item, judge, label, n_labels=n_labels, known=known, n_items=n_items, n_judges=n_judges
    )
    return fit(
        table,
        dawid_skene_step(smoothing),
        max_iter=max_iter,
        tol=tol,
        names=names,
        unknown_weight=unknown_weight,
    )


def one_coin(  # noqa: PLR0913 - three arrays of one table, and options
    item: ArrayLike,
    judge: ArrayLike,
    label: ArrayLike,
    *,
    n_labels: int | None = None,
    smoothing: float = 0.01,
    max_iter: int = 1000,
    tol: float = 1e-6,
    known: ArrayLike | None = None,
    unknown_weight: float = 1.0,
    n_items: int | None = None,
    n_judges: int | None = None,
    names: Sequence[str] | None = None,
) -> LabelModel:
    """Learn one accuracy a judge, errors falling evenly on the other labels.

    Few parameters, so it needs fewer votes a judge than :func:`dawid_skene`, whose parameters
    and errors it shares. `smoothing` is added to the votes for each label.

    References
    ----------
    Zhang et al. 2016, "Spectral methods meet EM", section 2 (the one-coin model).

    Examples
    --------
    >>> item, judge = np.divmod(np.arange(12), 3)
    >>> model = one_coin(item, judge, [0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 1, 0], smoothing=0)
    >>> model.accuracy.round(3).tolist(), model.confusion[2].round(3).tolist()
    ([1.0, 1.0, 0.5], [[0.5, 0.5], [0.5, 0.5]])
    """
    check_options(shares={"smoothing": smoothing, "tol": tol}, whole={"max_iter": max_iter})
    table = checked_votes(
        item, judge, label, n_labels=n_labels, known=known, n_items=n_items, n_judges=n_judges
    )
    return fit(
        table,
        one_coin_step(smoothing),
        max_iter=max_iter,
        tol=tol,
        names=names,
        unknown_weight=unknown_weight,
    )


def mace(  # noqa: PLR0913 - three arrays of one table, and options
    item: ArrayLike,
    judge: ArrayLike,
    label: ArrayLike,
    *,
    rng: np.random.Generator,
    n_labels: int | None = None,
    smoothing: float = 0.01,
    variational: bool = True,
    n_restarts: int = 10,
    n_iter: int = 50,
    tol: float = 1e-6,
    known: ArrayLike | None = None,
    unknown_weight: float = 1.0,
    n_items: int | None = None,
    n_judges: int | None = None,
    names: Sequence[str] | None = None,
) -> LabelModel:
    """Learn how often each judge copies the truth, and what it votes when it does not.

    A vote is the truth with probability theta of its judge, else drawn from the judge's own
    habit; all labels are equally likely beforehand.

    Parameters
    ----------
    item, judge, label, n_labels, tol, known, unknown_weight, n_items, n_judges, names
        As in :func:`dawid_skene`.
    rng
        Source of the random starts; the first start is the majority vote.
    smoothing
        Votes added, divided by the number of labels, to copying, not copying and to each label of
        the habits; in EM alone.
    variational
        Mean-field variational Bayes with Beta(.5, .5) on theta and Dirichlet(10) on habits, as
        published, or EM.
    n_restarts
        Starts, run together; the one of the greatest likelihood is kept.
    n_iter
        Most passes over the votes.

    Returns
    -------
    LabelModel
        With `competence`, the (posterior mean of) theta. `confusion`, `prior` and
        `log_likelihood` are those at the posterior means where `variational`; starts are compared
        by the likelihood at the means of logarithms, as published.

    Raises
    ------
    ValueError
        As in :func:`dawid_skene`.

    References
    ----------
    Hovy et al. 2013, "Learning whom to trust with MACE", section 2.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> item, judge = np.divmod(np.arange(60_000), 3)
    >>> truth = rng.integers(0, 2, size=20_000)[item]
    >>> copies = rng.random(60_000) < np.array([0.9, 0.6, 0.3])[judge]
    >>> vote = np.where(copies, truth, rng.random(60_000) < 0.7)
    >>> mace(item, judge, vote, rng=rng).competence.round(1).tolist()
    [0.9, 0.6, 0.3]
    """
    check_options(
        shares={"smoothing": smoothing, "tol": tol},
        whole={"n_iter": n_iter, "n_restarts": n_restarts},
    )
    table = checked_votes(
        item, judge, label, n_labels=n_labels, known=known, n_items=n_items, n_judges=n_judges
    )
    model = Mace(table, None if variational else smoothing / table.n_labels)
    start = model.random(n_restarts - 1, rng)
    return fit(
        table,
        model.learn,
        max_iter=n_iter,
        tol=tol,
        names=names,
        start=start,
        unknown_weight=unknown_weight,
    )


def dawid_skene_step(smoothing: float) -> Learn:
    """Give the learning step of :func:`dawid_skene`."""

    def learn(found: Expected, _: Parameters | None) -> Parameters:
        log_vote, penalty = smoothed(found.votes, smoothing)
        log_prior, more = smoothed(found.mass, smoothing)
        return Parameters(log_prior, log_vote, smoothing * (penalty.sum(axis=(1, 2)) + more))

    return learn


def one_coin_step(smoothing: float) -> Learn:
    """Give the learning step of :func:`one_coin`."""

    def learn(found: Expected, _: Parameters | None) -> Parameters:
        k = found.mass.shape[1]
        same = np.eye(k, dtype=bool)
        right = np.einsum("sjkk->sj", found.votes) + smoothing
        wrong = found.votes.sum(axis=(2, 3)) + k * smoothing - right
        total = right + wrong
        given = total > 0
        right = np.divide(right, total, out=np.full(right.shape, 1 / k), where=given)
        wrong = np.divide(wrong, total, out=np.full(right.shape, 1 - 1 / k), where=given)
        log_right, log_wrong = log_of(right), log_of(wrong / (k - 1))
        log_vote = np.where(same, log_right[:, :, None, None], log_wrong[:, :, None, None])
        log_prior, more = smoothed(found.mass, smoothing)
        penalty = (log_right + (k - 1) * log_wrong).sum(axis=1) + more
        return Parameters(log_prior, log_vote, smoothing * penalty)

    return learn
