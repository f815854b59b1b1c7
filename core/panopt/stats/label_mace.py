"""Learning step of MACE: a judge copies the truth, or else votes by habit (Hovy et al. 2013)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.stats.label_em import Expected, log_of
from panopt.stats.label_fit import Parameters
from panopt.stats.label_table import VoteTable

__all__ = ["Mace"]

FloatArray = NDArray[np.float64]

#: Priors of the published variational algorithm: Beta(.5, .5) and Dirichlet(10).
_COPIES, _HABIT = 0.5, 10.0


@dataclass(frozen=True, slots=True)
class Mace:
    """The model for one table of votes."""

    table: VoteTable
    """The votes."""
    smoothing: float | None
    """Added to expected counts in EM; `None` for variational Bayes."""

    def learn(self, found: Expected, now: Parameters | None) -> Parameters:
        """Learn competence and habit from expected votes (M-step).

        A vote for the true label may be a copy or a habit that happens to be right; which, is
        expected under the present parameters. The first time they are even odds and the judge's
        own shares of labels.
        """
        given = found.votes.sum(axis=2)
        if now is None or now.copied is None:
            total = given.sum(axis=-1, keepdims=True)
            habit = np.divide(given, total, out=np.zeros(given.shape), where=total > 0)
            copied = 1.0 / (1.0 + habit)
        else:
            copied = now.copied
        copies = np.einsum("sjkk->sjk", found.votes) * copied
        return self._parameters(copies.sum(axis=-1), given - copies)

    def random(self, n_starts: int, rng: np.random.Generator) -> Parameters | None:
        """Draw starts: as if each judge had shown a random competence and habit in its votes."""
        if not n_starts:
            return None
        given = self.table.votes_given().sum(axis=1)
        share = rng.random((n_starts, given.size))
        habit = rng.dirichlet(np.ones(self.table.n_labels), size=share.shape)
        return self._parameters(share * given, ((1 - share) * given)[:, :, None] * habit)

    def _parameters(self, copies: FloatArray, habits: FloatArray) -> Parameters:
        """Turn expected copies (starts, judges) and habitual votes (and labels) to parameters."""
        n_labels = self.table.n_labels
        pair = np.stack((copies, np.maximum(habits, 0.0).sum(axis=-1)), axis=-1)
        habits = np.maximum(habits, 0.0)
        if self.smoothing is None:
            log_theta, log_habit = (_log_means(pair + _COPIES), _log_means(habits + _HABIT))
            theta, habit = _means(pair + _COPIES), _means(habits + _HABIT)
        else:
            theta, habit = (_means(pair + self.smoothing), _means(habits + self.smoothing))
            log_theta, log_habit = log_of(theta), log_of(habit)
        log_prior = np.full((copies.shape[0], n_labels), -np.log(n_labels))
        log_vote, copied = _mixture(log_theta, log_habit)
        return Parameters(
            log_prior=log_prior,
            log_vote=log_vote,
            penalty=np.zeros(copies.shape[0])
            if self.smoothing is None
            else self.smoothing * (log_theta.sum(axis=(1, 2)) + log_habit.sum(axis=(1, 2))),
            competence=theta[:, :, 0],
            copied=copied,
            shown=_mixture(log_of(theta), log_of(habit))[0] if self.smoothing is None else None,
        )


def _mixture(log_theta: FloatArray, log_habit: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give log probabilities of votes by truth, and the share of right ones that are copies."""
    by_habit = log_theta[:, :, 1:] + log_habit
    right = np.logaddexp(log_theta[:, :, :1], by_habit)
    n_labels = log_habit.shape[-1]
    log_vote = np.repeat(by_habit[:, :, None, :], n_labels, axis=2)
    log_vote[:, :, np.arange(n_labels), np.arange(n_labels)] = right
    copied: FloatArray = np.exp(log_theta[:, :, :1] - right)
    return log_vote, copied


def _means(counts: FloatArray) -> FloatArray:
    total = counts.sum(axis=-1, keepdims=True)
    even = np.full(counts.shape, 1.0 / counts.shape[-1])
    means: FloatArray = np.divide(counts, total, out=even, where=total > 0)
    return means


def _log_means(counts: FloatArray) -> FloatArray:
    """Give the mean logarithms of a Dirichlet distribution's shares (last axis)."""
    from scipy.special import digamma  # noqa: PLC0415  # scipy is imported late

    return np.asarray(digamma(counts) - digamma(counts.sum(axis=-1, keepdims=True)))
