"""The state of a router whose judges give labels: votes seen so far, and what they teach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.routing_dependence import Together, informed_correlation
from panopt.stats.routing_labels import (
    FAMILY_STRENGTH,
    LabelHabits,
    draw_habits,
    first_habits,
    label_posterior,
    learn_labels,
)
from panopt.stats.routing_value import Asking, best_asking, damped, mutual_information

__all__ = ["LabelLearner", "Pattern"]

Floats = NDArray[np.float64]

#: Code of each judge's vote, -1 where it gave none.
Pattern: TypeAlias = tuple[int, ...]

_Choices: TypeAlias = dict[tuple[str, Pattern, tuple[int, ...]], Asking]

#: Labelled responses from which they bound what unlabelled ones may teach.
FEWEST_LABELS = 20

_LEAST_COST = 1e-12


@dataclass(slots=True)
class LabelLearner:
    """Votes by pattern, habits learned from them, and answers remembered until they change.

    Memory grows with the distinct patterns of votes, not with responses.

    Attributes
    ----------
    n_judges, n_labels
        Sizes.
    assumed
        Correlation of the judges' errors before labels tell (judges, judges).
    seen
        Responses by family, pattern and known label (-1: unknown).
    pooled, habits
        What was learned over all families, and in each.
    """

    n_judges: int
    n_labels: int
    assumed: Floats
    seen: dict[tuple[str, Pattern, int], int] = field(default_factory=dict)
    pooled: LabelHabits = field(init=False)
    habits: dict[str, LabelHabits] = field(default_factory=dict)
    together: Together = field(init=False)
    _beliefs: dict[tuple[str, Pattern], Floats] = field(default_factory=dict)
    _choices: _Choices = field(default_factory=dict)
    _drawn: LabelHabits | None = None
    _drawn_choices: _Choices = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start from what is believed before any vote."""
        self.pooled = first_habits(self.n_judges, self.n_labels)
        self.together = Together(self.assumed)

    def add(self, family: str, votes: Pattern, truth: int = -1) -> None:
        """Count a response; `refit` learns from it."""
        key = (family, votes, truth)
        self.seen[key] = self.seen.get(key, 0) + 1

    def refit(self) -> None:
        """Learn habits, and with labels correlations, from all votes so far."""
        self._forget()
        if not self.seen:
            return
        patterns, counts, truth = self._table()
        times = counts
        counts = counts * self._weights(counts, truth)
        self.pooled = learn_labels(
            patterns,
            counts,
            truth,
            prior=first_habits(self.n_judges, self.n_labels),
            start=self.pooled,
        )
        families = sorted({family for family, _, _ in self.seen})
        if len(families) > 1:
            shrunk = LabelHabits(
                FAMILY_STRENGTH * self.pooled.confusion, FAMILY_STRENGTH * self.pooled.prevalence
            )
            number = {family: code for code, family in enumerate(families)}
            of = np.array([number[family] for family, _, _ in self.seen])
            for code, family in enumerate(families):
                rows = of == code
                self.habits[family] = learn_labels(
                    patterns[rows],
                    counts[rows],
                    truth[rows],
                    prior=shrunk,
                    start=self.habits.get(family),
                )
        self._correlate(patterns, times, truth)

    def _weights(self, counts: Floats, truth: NDArray[np.int64]) -> Floats:
        """Let votes without a label weigh, all together, no more than those with one.

        Judges who share errors mislead the more, the more unlabelled votes there are.
        """
        known = float(counts[truth >= 0].sum())
        unknown = float(counts[truth < 0].sum())
        if known < FEWEST_LABELS or unknown <= known:
            return np.ones(truth.size)
        return np.where(truth >= 0, 1.0, known / unknown)

    def _correlate(self, patterns: NDArray[np.int64], counts: Floats, truth: ArrayLike) -> None:
        known = np.asarray(truth) >= 0
        if not known.any():
            return
        times = counts[known].astype(np.int64)
        votes = np.repeat(np.where(patterns[known] >= 0, patterns[known], np.nan), times, axis=0)
        right = np.repeat(np.asarray(truth)[known], times)
        self.together = Together(informed_correlation(self.assumed, votes, right, labels=True))

    def habits_of(self, family: str) -> LabelHabits:
        """Give the habits in a family; in one not yet seen those over all."""
        return self.habits.get(family, self.pooled)

    def posterior(self, family: str, votes: Pattern) -> Floats:
        """Give the probability of each label after some votes (labels,)."""
        found = self._beliefs.get((family, votes))
        if found is None:
            who = tuple(j for j, vote in enumerate(votes) if vote >= 0)
            found = label_posterior(self.habits_of(family), votes, self.together.weights(who))
            self._beliefs[family, votes] = found
        return found

    def best(
        self,
        family: str,
        votes: Pattern,
        left: tuple[int, ...],
        costs: Sequence[float],
        drawn: LabelHabits | None = None,
    ) -> Asking:
        """Choose which of the judges left to ask: see :func:`best_asking`.

        `drawn` are habits to choose by instead of the learned ones; choices by them are remembered
        until others are drawn.
        """
        key = (family, votes, left)
        choices = self._choices if drawn is None else self._choices_by(drawn)
        if key in choices:
            return choices[key]
        now = self.posterior(family, votes)
        habits = drawn or self.habits_of(family)
        who = tuple(j for j, vote in enumerate(votes) if vote >= 0)
        confusion, share = habits.confusion, habits.prevalence
        price = np.array([costs[j] for j in left])
        own = [self.together.novelty(who, j) for j in left]
        alone = damped(confusion[list(left)], share, own)
        rate = mutual_information(now, alone) / np.maximum(price, _LEAST_COST)
        order = np.argsort(-rate, kind="stable")
        voters, nested = who, []
        for place in order.tolist():
            nested.append(self.together.novelty(voters, left[place]))
            voters = (*voters, left[place])
        ordered = damped(confusion[[left[place] for place in order.tolist()]], share, nested)
        choices[key] = best_asking(now, alone, ordered, order, price)
        return choices[key]

    def _choices_by(self, drawn: LabelHabits) -> _Choices:
        if self._drawn is not drawn:
            self._drawn = drawn
            self._drawn_choices.clear()
        return self._drawn_choices

    def draw(self, family: str, rng: np.random.Generator) -> LabelHabits:
        """Draw habits from what is known of them."""
        return draw_habits(self.habits_of(family), rng)

    def as_dict(self) -> dict[str, object]:
        """Give all of it as JSON would hold it; numbers come back as they are."""
        return {
            "seen": [
                [family, list(votes), truth, n] for (family, votes, truth), n in self.seen.items()
            ],
            "pooled": _plain(self.pooled),
            "habits": {family: _plain(habits) for family, habits in self.habits.items()},
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take up what `as_dict` gave.

        Raises
        ------
        KeyError, TypeError, ValueError
            For a state of other sizes, or one that was damaged.
        """
        seen: dict[tuple[str, Pattern, int], int] = {}
        for family, votes, truth, n in state["seen"]:
            pattern = tuple(int(vote) for vote in votes)
            inside = all(-1 <= vote < self.n_labels for vote in (*pattern, int(truth)))
            if len(pattern) != self.n_judges or not inside or int(n) < 1:
                raise ValueError(f"votes {votes} of truth {truth}, {n} times, do not fit")
            seen[str(family), pattern, int(truth)] = int(n)
        sizes = self.n_judges, self.n_labels
        pooled = _habits(state["pooled"], *sizes)
        habits = {str(family): _habits(of, *sizes) for family, of in state["habits"].items()}
        self.seen, self.pooled, self.habits = seen, pooled, habits
        self._forget()
        self._correlate(*self._table())

    def _forget(self) -> None:
        self._drawn = None
        self._beliefs.clear()
        self._choices.clear()

    def _table(self) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
        """Give patterns, counts and known labels."""
        keys = list(self.seen)
        return (
            np.array([key[1] for key in keys], dtype=np.int64).reshape(-1, self.n_judges),
            np.fromiter(self.seen.values(), dtype=np.float64, count=len(keys)),
            np.array([key[2] for key in keys], dtype=np.int64),
        )


def _plain(habits: LabelHabits) -> dict[str, object]:
    return {"votes": habits.votes.tolist(), "shares": habits.shares.tolist()}


def _habits(state: Mapping[str, Any], n_judges: int, n_labels: int) -> LabelHabits:
    votes = np.array(state["votes"], dtype=np.float64)
    shares = np.array(state["shares"], dtype=np.float64)
    if votes.shape != (n_judges, n_labels, n_labels) or shares.shape != (n_labels,):
        raise ValueError(f"habits of shapes {votes.shape} and {shares.shape} do not fit")
    for values in (votes, shares):
        if not (np.isfinite(values).all() and (values > 0.0).all()):
            raise ValueError("habits must be finite and above 0")
    return LabelHabits(votes, shares)
