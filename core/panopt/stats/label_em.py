"""The step all models of label noise share: from the judges' habits to each item's posterior.

A model says with what probability a judge gives each label when each label is the true one. From
that and the votes follow the posterior over labels, the likelihood, and how often each judge is
expected to have given each label under each truth: all that the models learn from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from panopt.stats.label_table import VoteTable

__all__ = ["Expected", "Votes", "log_of"]

FloatArray = NDArray[np.float64]

_SMALL = 1 << 16  # entries of a table of patterns that a plain array is best for
_DENSE = 1 << 22  # the same, where not nearly all of them are 0
_CELLS = 1 << 17  # posteriors worked on at a time: 1 MB, which stays in cache
_TINY = 1e-300


class Expected(NamedTuple):
    """What one pass over the patterns gives, for every start (the first axis)."""

    log_likelihood: FloatArray
    """Observed-data log likelihood (starts,)."""
    mass: FloatArray
    """Expected items of each label, those without votes left out (starts, labels)."""
    votes: FloatArray
    """Expected votes by judge, truth and vote (starts, judges, labels, labels)."""


@dataclass(frozen=True, slots=True)
class Votes:
    """Patterns of votes ready for matrix products."""

    table: VoteTable
    """The patterns."""
    design: Any
    """How often each pattern holds each judge's each label (patterns, judges x labels)."""
    counts: FloatArray
    """Items of each pattern that say something: none where there is neither vote nor truth."""

    @classmethod
    def of(cls, table: VoteTable, *, unknown_weight: float = 1.0) -> Votes:
        """Choose plain or sparse arrays by size; weigh items whose label is unknown."""
        shape = (table.counts.size, table.n_judges * table.n_labels)
        silent = (np.diff(table.start) == 0) & (table.truth < 0)
        counts = np.where(silent, 0.0, table.counts)
        counts[table.truth < 0] *= unknown_weight
        cells = shape[0] * shape[1]
        if cells <= _SMALL or (cells <= _DENSE and 8 * table.cell.size >= cells):
            dense = np.zeros(shape)
            dense[np.repeat(np.arange(shape[0]), np.diff(table.start)), table.cell] = table.times
            return cls(table, dense, counts)
        from scipy.sparse import csr_array  # noqa: PLC0415  # scipy is imported late

        kind = np.int32 if max(*shape, table.cell.size) < 1 << 31 else np.int64
        parts = (table.times, table.cell.astype(kind), table.start.astype(kind))
        return cls(table, csr_array(parts, shape=shape), counts)

    def _posteriors(
        self, log_prior: FloatArray, log_vote: FloatArray
    ) -> Iterator[tuple[slice, FloatArray, FloatArray]]:
        """Give patterns, their posteriors (patterns, starts, labels) and log likelihoods."""
        starts, n_labels = log_prior.shape
        # (starts, judges, truth, vote) -> (judges x vote, starts x truth)
        flat = log_vote.transpose(1, 3, 0, 2).reshape(-1, starts * n_labels)
        rows = max(1, _CELLS // (starts * n_labels))
        truth = self.table.truth
        clamped = bool((truth >= 0).any())
        for begin in range(0, self.counts.size, rows):
            part = slice(begin, begin + rows)
            z = (self.design[part] @ flat).reshape(-1, starts, n_labels)
            z += log_prior
            if clamped:
                other = (truth[part, None] >= 0) & (truth[part, None] != np.arange(n_labels))
                z[np.broadcast_to(other[:, None, :], z.shape)] = -np.inf
            top = z.max(axis=2, keepdims=True)
            z -= top
            np.exp(z, out=z)
            total = z.sum(axis=2, keepdims=True)
            z /= total
            yield part, z, (top + np.log(total))[:, :, 0]

    def expect(self, log_prior: FloatArray, log_vote: FloatArray) -> Expected:
        """Take expectations over the unknown labels (E-step).

        Parameters
        ----------
        log_prior
            Log share of each label (starts, labels).
        log_vote
            Log probability of a judge's vote given the truth (starts, judges, truth, vote).
        """
        log_likelihood = np.zeros(log_prior.shape[0])
        mass = np.zeros(log_prior.shape)
        votes = np.zeros((self.design.shape[1], log_prior.size))
        for part, posterior, logs in self._posteriors(log_prior, log_vote):
            log_likelihood += self.counts[part] @ logs
            weighted = posterior * self.counts[part, None, None]
            mass += weighted.sum(axis=0)
            votes += self.design[part].T @ weighted.reshape(-1, log_prior.size)
        return Expected(log_likelihood, mass, self._shaped(votes, *log_prior.shape))

    def _shaped(self, votes: FloatArray, starts: int, n_labels: int) -> FloatArray:
        cube = votes.reshape(self.table.n_judges, n_labels, starts, n_labels)
        return cube.transpose(2, 0, 3, 1)

    def posterior(self, log_prior: FloatArray, log_vote: FloatArray) -> FloatArray:
        """Give the posterior of every pattern under one start's model (patterns, labels)."""
        found = np.empty((self.counts.size, log_prior.shape[-1]))
        for part, posterior, _ in self._posteriors(log_prior[None], log_vote[None]):
            found[part] = posterior[:, 0]
        return found

    def majority(self) -> Expected:
        """Take the share of an item's votes for each label as its posterior."""
        table = self.table
        share = table.shares()
        sure = np.flatnonzero(table.truth >= 0)
        share[sure] = 0.0
        share[sure, table.truth[sure]] = 1.0
        share *= self.counts[:, None]
        votes = np.asarray(self.design.T @ share)
        return Expected(
            np.full(1, np.nan), share.sum(axis=0)[None], self._shaped(votes, 1, table.n_labels)
        )


def log_of(values: FloatArray) -> FloatArray:
    """Give logarithms with a floor far below every probability that matters, never -inf.

    An impossible vote then rules its label out (e^-690), and absent votes times it are still 0.
    """
    logs: FloatArray = np.log(np.maximum(values, _TINY))
    return logs
