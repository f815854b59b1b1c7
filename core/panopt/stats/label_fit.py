"""Fit a model of label noise by EM, from one start or several, and say what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from panopt.stats.label_em import Expected, Votes, log_of
from panopt.stats.label_table import VoteTable
from panopt.stats.label_ties import VotingGroups, voting_groups

__all__ = ["LabelModel", "Learn", "Parameters", "check_options", "fit", "smoothed"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LabelModel:
    """A panel's labels and its judges' habits, as one model of label noise has learned them."""

    posterior: FloatArray
    """Probability of each label (items, labels); rows sum to 1. An item without votes has the
    labels' shares."""
    confusion: FloatArray
    """Probability of a judge's vote given the truth (judges, truth, vote); rows sum to 1. NaN for
    a judge without votes."""
    accuracy: FloatArray
    """Expected share of right votes among those the judge gave (judges,); NaN without votes."""
    prior: FloatArray
    """Share of each label (labels,)."""
    log_likelihood: float
    """Log likelihood of all votes (and known labels) at these parameters, in nats."""
    n_iter: int
    """Passes over the votes (of the longest start)."""
    converged: bool
    """Whether the last pass gained less than `tol`."""
    identified: NDArray[np.bool_]
    """Judges linked, by items they share, to three that share items pairwise, or to items of
    known label (judges,). The votes of others are no evidence of how they err."""
    warnings: tuple[str, ...] = ()
    """What may spoil the result."""
    competence: FloatArray | None = None
    """MACE: probability theta that the judge copies the truth (judges,); else `None`."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters of a model for several starts (the first axis of each)."""

    log_prior: FloatArray
    """Log share of each label (starts, labels)."""
    log_vote: FloatArray
    """Log probability of a vote given the truth (starts, judges, truth, vote)."""
    penalty: FloatArray
    """Log density of the parameters under the model's prior, up to a constant (starts,)."""
    competence: FloatArray | None = None
    """MACE's theta (starts, judges)."""
    copied: FloatArray | None = None
    """MACE: which share of right votes are copies, by label (starts, judges, labels)."""
    shown: FloatArray | None = None
    """As `log_vote`, normalised for showing, where `log_vote` is not."""

    def joined(self, other: Parameters) -> Parameters:
        """Put the starts of another after these."""

        def both(name: str) -> FloatArray | None:
            one, two = getattr(self, name), getattr(other, name)
            return None if one is None else np.concatenate((one, two))

        return Parameters(**{name: both(name) for name in self.__dataclass_fields__})  # type: ignore[arg-type]  # required ones are never None


#: Turns expected votes, and the parameters they came from, into new parameters (M-step).
Learn = Callable[[Expected, Parameters | None], Parameters]


def check_options(*, shares: dict[str, object], whole: dict[str, object]) -> None:
    """Refuse options outside their range, by name: numbers of at least 0, and counts from 1."""
    for name, value in shares.items():
        if not isinstance(value, Real) or not 0 <= float(value) < np.inf:
            raise ValueError(f"{name} = {value!r} must be a finite number of at least 0")
    for name, value in whole.items():
        if not isinstance(value, int | np.integer) or int(value) < 1:
            raise ValueError(f"{name} = {value!r} must be a whole number of at least 1")


def smoothed(counts: FloatArray, smoothing: float) -> tuple[FloatArray, FloatArray]:
    """Turn expected counts along the last axis into log shares, and give the sum of those.

    Counts that are all zero, with nothing added, give even shares.
    """
    raised = counts + smoothing
    total = raised.sum(axis=-1, keepdims=True)
    even = np.full(counts.shape, 1.0 / counts.shape[-1])
    logs = log_of(np.divide(raised, total, out=even, where=total > 0))
    return logs, logs.sum(axis=-1)


def fit(  # noqa: PLR0913 - a model, its data and how to fit it
    table: VoteTable,
    learn: Learn,
    *,
    max_iter: int,
    tol: float,
    names: Sequence[str] | None = None,
    start: Parameters | None = None,
    unknown_weight: float = 1.0,
) -> LabelModel:
    """Alternate expectations and learning until nothing is gained; keep the likeliest start.

    Parameters
    ----------
    table
        The votes.
    learn
        The model.
    max_iter, tol
        As in :func:`panopt.stats.label_models.dawid_skene`.
    names
        Names of the judges for messages (judges,).
    start
        Parameters of further starts; the first start is at the shares of votes.
    unknown_weight
        As in :func:`panopt.stats.label_models.dawid_skene`.

    Raises
    ------
    ValueError
        Where no judge's errors are identified.
    """
    if names is not None and len(names) != table.n_judges:
        raise ValueError(f"names: got {len(names)} for {table.n_judges} judges; give one a judge")
    called = [f"judge {k}" for k in range(table.n_judges)] if names is None else [*names]
    groups = voting_groups(table)
    if not groups.identified.any():
        raise ValueError(
            "how the judges err is not identified: no three of them share items pairwise "
            f"({int((groups.group >= 0).sum())} vote at all) and no label of an item they judged "
            "is known; add a judge, or known labels"
        )
    if not 0 <= unknown_weight <= 1:
        raise ValueError(f"unknown_weight = {unknown_weight} must lie in [0, 1]")
    if not unknown_weight and (table.truth < 0).all():
        raise ValueError("unknown_weight = 0 needs known labels to learn from")
    votes = Votes.of(table, unknown_weight=unknown_weight)
    now = learn(votes.majority(), None)
    now = now if start is None else now.joined(start)
    before = np.full(now.penalty.shape, -np.inf)
    n_iter = 0
    while True:
        found = votes.expect(now.log_prior, now.log_vote)
        n_iter += 1
        reached = found.log_likelihood + now.penalty
        settled = np.abs(reached - before) < tol
        if settled.all() or n_iter == max_iter:
            break
        before, now = reached, learn(found, now)
    best = int(np.argmax(reached))
    converged = bool(settled[best])
    return _result(votes, groups, now, found, best, n_iter, converged, called)


def _result(  # noqa: PLR0913, PLR0917 - the parts of one record
    votes: Votes,
    groups: VotingGroups,
    now: Parameters,
    found: Expected,
    best: int,
    n_iter: int,
    converged: bool,  # noqa: FBT001 - one of many parts
    names: list[str],
) -> LabelModel:
    table = votes.table
    right = np.einsum("jkk->j", found.votes[best])
    given = found.votes[best].sum(axis=(1, 2))
    silent = table.votes_given().sum(axis=1) <= 0
    log_vote = now.log_vote if now.shown is None else now.shown
    every = Votes.of(table).expect(now.log_prior[best, None], log_vote[best, None])
    confusion = np.exp(log_vote[best])
    confusion[silent] = np.nan
    accuracy = np.divide(right, given, out=np.full(given.shape, np.nan), where=given > 0)
    patterns = votes.posterior(now.log_prior[best], now.log_vote[best])
    return LabelModel(
        posterior=patterns[table.inverse],
        confusion=confusion,
        accuracy=np.minimum(accuracy, 1.0),
        prior=np.exp(now.log_prior[best]),
        log_likelihood=float(every.log_likelihood[0]),
        n_iter=n_iter,
        converged=converged,
        identified=groups.judges(),
        warnings=_warnings(table, groups, names, n_iter, converged),
        competence=None if now.competence is None else now.competence[best],
    )


def _warnings(
    table: VoteTable,
    groups: VotingGroups,
    names: list[str],
    n_iter: int,
    converged: bool,  # noqa: FBT001 - private
) -> tuple[str, ...]:
    """Say what may spoil the result, with names and counts."""
    told = []

    def some(codes: NDArray[np.intp]) -> str:
        listed = ", ".join(names[k] for k in codes[:5].tolist())
        return f"{listed} and {codes.size - 5} more" if codes.size > 5 else listed

    silent = np.flatnonzero(groups.group < 0)
    if silent.size:
        told.append(f"no vote from {some(silent)}: accuracy is unknown")
    if groups.identified.size > 1:
        members = [np.flatnonzero(groups.group == g) for g in range(groups.identified.size)]
        listed = " | ".join(map(some, members[:3])) + (" | ..." if len(members) > 3 else "")
        told.append(
            f"the panel falls into {len(members)} groups of judges that share no item: {listed}"
        )
    loose = np.flatnonzero(~groups.judges() & (groups.group >= 0))
    if loose.size:
        told.append(f"too few shared items to learn how {some(loose)} err: votes taken on trust")
    used = np.flatnonzero(table.votes_given().sum(axis=0))
    if used.size == 1:
        told.append(
            f"all votes are for label {used[0]}: nothing tells how the judges treat other labels"
        )
    if not converged:
        told.append(f"not converged after {n_iter} passes over the votes: allow more")
    return tuple(told)
