"""What judges' labels say while they come in: habits of each judge, posterior of each response.

Each judge has a confusion matrix with a Dirichlet prior (for two labels the two-coin model), the
labels have shares with one, and both are learned from the votes seen so far by EM over their
distinct patterns (Dawid and Skene 1979 with priors). Which judges were asked may depend on the
votes seen before: the likelihood ignores it rightly (Rubin 1976, missing at random). Families of
tasks have habits of their own, drawn towards those of all families together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["LabelHabits", "draw_habits", "first_habits", "label_posterior", "learn_labels"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

#: What a judge is believed to be before its votes tell: right in 7 of 10, worth 4 votes a label.
ACCURACY, STRENGTH = 0.7, 4.0

#: Votes a label that the habits over all families are worth in one family.
FAMILY_STRENGTH = 20.0

_SHARE = 1.0  # votes of every label that the shares of labels start with
_TOL = 1e-3  # change of a probability below which EM has settled


@dataclass(frozen=True, slots=True)
class LabelHabits:
    """How judges label in one family, as Dirichlet distributions; the means are what is used.

    Attributes
    ----------
    votes
        Parameters by judge, truth and vote (judges, labels, labels): prior and expected counts.
    shares
        Parameters of the labels' shares (labels,).
    """

    votes: Floats
    shares: Floats

    @property
    def confusion(self) -> Floats:
        """Mean probability of each vote given the truth (judges, labels, labels)."""
        mean: Floats = self.votes / self.votes.sum(axis=2, keepdims=True)
        return mean

    @property
    def prevalence(self) -> Floats:
        """Mean share of each label (labels,)."""
        mean: Floats = self.shares / self.shares.sum()
        return mean

    @property
    def accuracy(self) -> Floats:
        """Probability that each judge is right (judges,)."""
        right: Floats = np.einsum("jkk,k->j", self.confusion, self.prevalence)
        return right


def first_habits(n_judges: int, n_labels: int) -> LabelHabits:
    """Give what is believed before any vote: judges a little better than chance, labels alike."""
    off = STRENGTH * (1.0 - ACCURACY) / (n_labels - 1)
    one = np.full((n_labels, n_labels), off)
    np.fill_diagonal(one, STRENGTH * ACCURACY)
    return LabelHabits(np.tile(one, (n_judges, 1, 1)), np.full(n_labels, _SHARE))


def learn_labels(  # noqa: PLR0913 - one table, its prior, its dependence
    patterns: ArrayLike,
    counts: ArrayLike,
    truth: ArrayLike,
    *,
    prior: LabelHabits,
    start: LabelHabits | None = None,
    max_iter: int = 100,
) -> LabelHabits:
    """Learn habits from patterns of votes by EM.

    Parameters
    ----------
    patterns
        Label code of each judge's vote, -1 for none (patterns, judges).
    counts
        Responses with each pattern (patterns,).
    truth
        Known label of each pattern's responses, -1 where unknown (patterns,).
    prior
        Habits before these votes, as Dirichlet parameters.
    start
        Where EM begins; at `prior` where not given.
    max_iter
        Most passes over the patterns.

    Returns
    -------
    LabelHabits
        Prior plus expected counts.

    Notes
    -----
    O(patterns judges labels) a pass in time and memory. Deterministic. The expected counts treat
    the posterior of each response as if it were drawn, so that the Dirichlet distributions, which
    Thompson sampling draws from, are somewhat too narrow where labels are uncertain.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.integers(0, 2, 4000)
    >>> right = rng.random((4000, 3)) < [0.9, 0.8, 0.7]
    >>> votes = np.where(right, truth[:, None], 1 - truth[:, None])
    >>> patterns, counts = np.unique(votes, axis=0, return_counts=True)
    >>> learn_labels(
    ...     patterns, counts, counts * 0 - 1, prior=first_habits(3, 2)
    ... ).accuracy.round(1).tolist()
    [0.9, 0.8, 0.7]
    """
    table = np.asarray(patterns, dtype=np.int64)
    times = np.asarray(counts, dtype=np.float64)
    known = np.asarray(truth, dtype=np.int64)
    n_judges, n_labels = prior.votes.shape[:2]
    if table.ndim != 2 or table.shape[1] != n_judges or len(times) != len(table) != len(known):
        raise ValueError(
            f"patterns {table.shape}, counts {times.shape} and truth {known.shape} must be "
            f"(patterns, {n_judges}), (patterns,) and (patterns,)"
        )
    if not len(table):
        return prior
    flat = (table[:, :, None] == np.arange(n_labels)).astype(np.float64).reshape(len(table), -1)
    sure = np.eye(n_labels)[np.maximum(known, 0)]
    now = prior if start is None else start
    before = now.confusion
    for _ in range(max_iter):
        z = flat @ np.log(now.confusion).transpose(0, 2, 1).reshape(-1, n_labels) + np.log(
            now.prevalence
        )
        z -= z.max(axis=1, keepdims=True)
        post = np.exp(z)
        post /= post.sum(axis=1, keepdims=True)
        post = np.where(known[:, None] >= 0, sure, post) * times[:, None]
        seen = (flat.T @ post).reshape(n_judges, n_labels, n_labels).transpose(0, 2, 1)
        now = LabelHabits(prior.votes + seen, prior.shares + post.sum(axis=0))
        after = now.confusion
        if float(np.abs(after - before).max()) < _TOL:
            break
        before = after
    return now


def label_posterior(habits: LabelHabits, votes: ArrayLike, weights: ArrayLike) -> Floats:
    """Give the probability of every label after some votes on one response.

    Parameters
    ----------
    habits
        Habits of the judges.
    votes
        Label code of each judge's vote, -1 for none (judges,).
    weights
        Weight of each vote's log likelihood, of the judges that voted (votes,); ones where judges
        err independently: Bayes' rule.

    Returns
    -------
    ndarray
        Probabilities (labels,).

    Examples
    --------
    Two judges right in 7 of 10 agree: .49 to .09.

    >>> label_posterior(first_habits(2, 2), [1, 1], [1.0, 1.0]).round(4).tolist()
    [0.1552, 0.8448]
    """
    said = np.asarray(votes, dtype=np.int64)
    who = np.flatnonzero(said >= 0)
    z = np.log(habits.prevalence)
    if who.size:
        z = z + np.asarray(weights, dtype=np.float64) @ np.log(habits.confusion[who, :, said[who]])
    z = np.exp(z - z.max())
    found: Floats = z / z.sum()
    return found


def draw_habits(habits: LabelHabits, rng: np.random.Generator) -> LabelHabits:
    """Draw habits from what is known of them, as Thompson sampling does."""
    drawn = np.maximum(rng.standard_gamma(habits.votes), 1e-12)
    return LabelHabits(drawn / drawn.sum(axis=2, keepdims=True), habits.shares)
