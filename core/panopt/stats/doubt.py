"""How far votes leave a verdict in doubt, and whether a stronger judge would settle it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["WORTH", "independent_votes", "settling_chance", "vote_doubt"]

Floats = NDArray[np.float64]

#: Votes of the panel that a stronger judge is taken to be worth: a convention, not a measurement.
WORTH = 5.0


def settling_chance(
    doubt: ArrayLike, n_votes: ArrayLike, *, epsilon: float = 0.1, worth: float = WORTH
) -> Floats:
    """Give the probability that a stronger judge brings the doubt below epsilon, either way.

    Parameters
    ----------
    doubt
        Probability of the other side now, any shape.
    n_votes
        Votes it rests on, same shape, at least 1.
    epsilon, worth
        Doubt at which a verdict counts as settled, in (0, 1/2); votes that the stronger judge is
        worth.

    Examples
    --------
    >>> settling_chance([0.5, 0.5, 0.25], [2, 10, 1]).round(2)
    array([0.42, 0.07, 0.66])
    """
    from scipy.special import ndtr, ndtri  # noqa: PLC0415 - scipy is imported late

    # Doubt above 1/2 (a rule that overrules the votes) is as far off the mark on the other side.
    z = np.abs(ndtri(np.asarray(doubt, dtype=np.float64)))
    n = np.maximum(np.asarray(n_votes, dtype=np.float64), 1.0)
    kept, moved = np.sqrt(n / (n + worth)), np.sqrt(worth / (n + worth))
    mark = float(ndtri(1.0 - epsilon)) * kept
    return np.asarray(ndtr((z - mark) / moved) + ndtr((-z - mark) / moved))


def vote_doubt(share: ArrayLike, n_votes: ArrayLike) -> Floats:
    """Give the probability that most judges of this kind would vote the other way.

    With k = share x n of n votes on the verdict's side and a uniform prior on the share among
    all such judges, it is P(Beta(k + 1, n - k + 1) < 1/2): one vote leaves .25, three equal
    votes leave .0625.

    Parameters
    ----------
    share
        Share of decisive votes on the verdict's side, any shape; NaN stays NaN.
    n_votes
        Decisive votes, same shape.

    Examples
    --------
    >>> vote_doubt([1.0, 1.0, 0.8], [1, 3, 5]).round(4)
    array([0.25  , 0.0625, 0.1094])
    """
    from scipy.special import betainc  # noqa: PLC0415 - scipy is imported late

    n = np.asarray(n_votes, dtype=np.float64)
    agreeing = np.asarray(share, dtype=np.float64) * n
    return np.asarray(betainc(agreeing + 1.0, n - agreeing + 1.0, 0.5))


def independent_votes(n_votes: ArrayLike, correlation: float) -> Floats:
    """Give the independent votes that correlated ones are worth (Kish 1965, section 5.4).

    Parameters
    ----------
    n_votes
        Decisive votes, any shape.
    correlation
        Mean correlation of the judges' errors, in [0, 1].

    Examples
    --------
    >>> independent_votes([1, 3, 5], 0.5)
    array([1.        , 1.5       , 1.66666667])
    """
    n = np.asarray(n_votes, dtype=np.float64)
    return np.asarray(n / (1.0 + np.maximum(n - 1.0, 0.0) * correlation))
