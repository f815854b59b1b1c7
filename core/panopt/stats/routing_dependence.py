"""Count votes of judges that err together for fewer than as many independent ones.

A vote enters a posterior by its log likelihood ratio. For Gaussian votes that tell the truths apart
alike and whose errors correlate by R, the ratio of all votes together is the sum of the single
ones, each times a weight (R^-1 1)_j (Fisher's linear discriminant); with one correlation rho that
is Kish's 1 / (1 + (k - 1) rho). The same weights are taken for votes of other kinds: exact where R
is the identity, else a discount. Judges' accuracies stay out of the weights on purpose: learned
from votes alone they would let the judge that is thought best silence the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Together", "informed_correlation", "prior_correlation", "vote_weights"]

Floats = NDArray[np.float64]

#: Correlation that is assumed of two judges, of one maker, and of one model, before labels tell.
APART, ONE_MAKER, ONE_MODEL = 0.25, 0.4, 0.9

#: Sets of judges whose weights are remembered.
REMEMBERED = 1 << 14

_LEAST = 0.02  # variance of its own that every judge keeps: R stays invertible
_FEWEST = 20  # labelled responses below which their correlation is not looked at
_WORTH = 50.0  # labelled responses that the assumption is worth


def prior_correlation(
    makers: Sequence[str | None], models: Sequence[int], *, apart: float = APART
) -> Floats:
    """Assume how far judges' errors correlate, from who made them.

    Parameters
    ----------
    makers
        Maker of each judge's model, None where unknown (judges,).
    models
        Number of each judge's model: equal numbers are one model (judges,).
    apart
        Correlation of judges of different makers, in [0, 1); 0 assumes independence, of models
        of one maker too (never of one model asked twice).

    Returns
    -------
    ndarray
        Correlations (judges, judges).

    Raises
    ------
    ValueError
        For a correlation off its range or lists of different length.

    Notes
    -----
    Votes alone do not tell: an error that all judges share looks like the truth. Only labels do
    (:func:`informed_correlation`).

    Examples
    --------
    >>> prior_correlation(["openai", "openai", None], [0, 1, 2])[0].tolist()
    [1.0, 0.4, 0.25]
    """
    if not 0.0 <= apart < 1.0:
        raise ValueError(f"apart = {apart!r} must lie in [0, 1)")
    if len(makers) != len(models):
        raise ValueError(f"makers names {len(makers)} judges, models {len(models)}")
    n = len(makers)
    found = np.full((n, n), apart)
    for i in range(n):
        for j in range(n):
            if models[i] == models[j]:
                found[i, j] = max(ONE_MODEL, apart)
            elif makers[i] is not None and makers[i] == makers[j] and apart > 0.0:
                found[i, j] = max(ONE_MAKER, apart)
    np.fill_diagonal(found, 1.0)
    return found


def informed_correlation(
    assumed: ArrayLike, scores: ArrayLike, truth: ArrayLike, *, labels: bool
) -> Floats:
    """Let labelled responses correct the assumed correlation of judges' errors.

    Parameters
    ----------
    assumed
        Correlations (judges, judges).
    scores
        Scores or label codes (responses, judges), NaN missing.
    truth
        Human score or label of each response (responses,), NaN where unknown.
    labels
        Scores are codes of labels.

    Returns
    -------
    ndarray
        Correlations (judges, judges): those of errors against the truth and the assumed ones,
        weighed as the pair's labelled responses and fifty. The assumed ones with fewer than 20.
    """
    from panopt.stats.dependence import residual_correlation  # noqa: PLC0415 - with labels only

    prior = np.asarray(assumed, dtype=np.float64)
    known = ~np.isnan(np.asarray(truth, dtype=np.float64))
    if known.sum() < _FEWEST or len(prior) < 2:
        return prior
    found = residual_correlation(
        np.asarray(scores, dtype=np.float64)[known],
        truth=np.asarray(truth, dtype=np.float64)[known],
        labels=labels,
    )
    n = np.where(np.isnan(found.correlation) | (found.n < _FEWEST), 0.0, found.n)
    mixed = (np.where(n > 0, n * found.correlation, 0.0) + _WORTH * prior) / (n + _WORTH)
    return _invertible((mixed + mixed.T) / 2.0)


def vote_weights(correlation: ArrayLike) -> Floats:
    """Give the weight of each vote's log likelihood ratio beside the other votes.

    Parameters
    ----------
    correlation
        Correlations of the voters' errors (voters, voters), invertible.

    Returns
    -------
    ndarray
        R^-1 1, in [0, 1] (voters,). A vote that would count against its own word counts nothing.

    Examples
    --------
    >>> vote_weights(np.eye(3)).tolist()
    [1.0, 1.0, 1.0]
    >>> vote_weights(np.full((3, 3), 0.5) + np.eye(3) / 2).round(3).tolist()
    [0.5, 0.5, 0.5]
    """
    r = np.asarray(correlation, dtype=np.float64)
    weights = np.zeros(len(r))
    voters = np.arange(len(r))
    while voters.size:
        found = np.linalg.solve(r[np.ix_(voters, voters)], np.ones(voters.size))
        if (found >= 0.0).all():
            weights[voters] = np.minimum(found, 1.0)
            break
        voters = voters[found >= 0.0]
    return weights


class Together:
    """Weights and novelty of votes under one correlation, remembered by set of judges.

    Parameters
    ----------
    correlation
        Of the judges' errors (judges, judges).

    Examples
    --------
    >>> panel = Together(np.full((3, 3), 0.5) + np.eye(3) / 2)
    >>> panel.weights((0, 2)).round(3).tolist()
    [0.667, 0.667]
    >>> [round(panel.novelty((), 0), 3), round(panel.novelty((0,), 1), 3)]
    [1.0, 0.333]
    """

    def __init__(self, correlation: ArrayLike) -> None:
        self.correlation: Floats = np.asarray(correlation, dtype=np.float64)
        self.weights = lru_cache(maxsize=REMEMBERED)(self._weights)
        """Weights of the votes of some judges, which are given by rising code."""

    def _weights(self, voters: tuple[int, ...]) -> Floats:
        return vote_weights(self.correlation[np.ix_(voters, voters)]) if voters else np.empty(0)

    def novelty(self, before: tuple[int, ...], judge: int) -> float:
        """Give what a vote tells beside those before it, as a share of what it tells alone.

        That is 1' R^-1 1 with the judge less without it, kept in [0, 1].
        """
        after = tuple(sorted((*before, judge)))
        told = self.weights(after).sum() - self.weights(tuple(sorted(before))).sum()
        return min(max(float(told), 0.0), 1.0)


def _invertible(matrix: Floats) -> Floats:
    """Raise small eigenvalues, keeping ones on the diagonal."""
    values, axes = np.linalg.eigh(matrix)
    fixed: Floats = (axes * np.maximum(values, _LEAST)) @ axes.T
    scale = np.sqrt(np.diag(fixed))
    scaled: Floats = fixed / np.outer(scale, scale)
    return scaled
