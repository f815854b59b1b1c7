"""What a router believes of a response, and of its judges, for every kind of verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from panopt.judging.verdict import Labelled, Numeric, Pairwise, VerdictKind
from panopt.stats.routing_label_learner import LabelLearner
from panopt.stats.routing_labels import LabelHabits
from panopt.stats.routing_score_learner import ScoreLearner
from panopt.stats.routing_scores import ScoreHabits
from panopt.stats.routing_value import Asking

__all__ = ["Belief", "Beliefs", "Verdict", "beliefs_of"]

Verdict: TypeAlias = bool | float | str
Floats = NDArray[np.float64]
Codes: TypeAlias = Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed of one response.

    Attributes
    ----------
    decision
        The verdict: 1 or 0 (pass or fail), a label, 1, 1/2 or 0 of a pair; a score where no
        threshold was given. None, with a `reason`, where nobody decides.
    error
        Chance that the decision is wrong under the model; None where there is none.
    probabilities
        Of each label, by its name; None for scores.
    mean, sd, low, high
        Of the true score and its interval, in the units of the scale; None for labels. They
        take the judges' habits as known.
    n_votes
        Votes that count.
    reason
        Why there is no decision.
    """

    decision: float | str | None
    error: float | None = None
    probabilities: Mapping[str, float] | None = None
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    n_votes: int = 0
    reason: str | None = None


class Beliefs(Protocol):
    """What a router needs of the model behind one kind of verdict; `top` is the highest code."""

    top: int

    def code(self, verdict: Verdict) -> float:
        """Give a verdict as the model holds it; refuse one that is not of the kind."""
        ...

    def verdict(self, code: float) -> float | str:
        """Give a held verdict as people write it."""
        ...

    def believe(self, family: str, votes: Codes) -> Belief:
        """Give what is believed of a response after some votes."""
        ...

    def best(
        self,
        family: str,
        votes: Codes,
        left: tuple[int, ...],
        costs: Sequence[float],
        drawn: object,
    ) -> Asking:
        """Choose whom to ask, by learned habits or by drawn ones."""
        ...

    def draw(self, family: str, rng: np.random.Generator) -> object:
        """Draw habits from what is known of them."""
        ...

    def add(self, family: str, votes: Codes, truth: float | None) -> None:
        """Count a finished response."""
        ...

    def refit(self) -> None:
        """Learn from all finished responses."""
        ...

    def quality(self, family: str) -> dict[str, Floats]:
        """Give what was learned of the judges, by name of the measure (judges,)."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """Give the learned state as JSON would hold it."""
        ...

    def load(self, state: Mapping[str, Any]) -> None:
        """Take up a learned state."""
        ...


def beliefs_of(kind: VerdictKind, n_judges: int, correlation: Floats, *, level: float) -> Beliefs:
    """Give the model behind a kind of verdict."""
    if isinstance(kind, Numeric):
        return _ScoreBeliefs(kind, n_judges, correlation, level)
    names: tuple[float | str, ...] = (0.0, 1.0)
    if isinstance(kind, Labelled):
        names = kind.labels
    elif isinstance(kind, Pairwise) and kind.ties:
        names = (0.0, 0.5, 1.0)
    return _LabelBeliefs(names, kind, n_judges, correlation)


class _LabelBeliefs:
    """Verdicts out of a few."""

    def __init__(
        self,
        names: tuple[float | str, ...],
        kind: VerdictKind,
        n_judges: int,
        correlation: Floats,
    ) -> None:
        self.names = names
        self.top = len(names) - 1
        self.kind = kind
        self.n_judges = n_judges
        self.learner = LabelLearner(n_judges, len(names), correlation)

    def code(self, verdict: Verdict) -> float:
        found: float | str | None = None
        if isinstance(self.kind, Labelled):
            found = self.kind.find(verdict) if isinstance(verdict, str) else None
        elif not isinstance(verdict, str) and float(verdict) in self.names:
            found = float(verdict)
        if found is None:
            raise ValueError(f"vote = {verdict!r} must be one of {list(self.names)}")
        return self.names.index(found)

    def verdict(self, code: float) -> float | str:
        return self.names[int(code)]

    def _pattern(self, votes: Codes) -> tuple[int, ...]:
        return tuple(int(votes.get(j, -1)) for j in range(self.n_judges))

    def believe(self, family: str, votes: Codes) -> Belief:
        posterior = self.learner.posterior(family, self._pattern(votes))
        top = int(posterior.argmax())
        return Belief(
            decision=self.names[top],
            error=max(1.0 - float(posterior[top]), 0.0),
            probabilities=dict(zip(map(_named, self.names), posterior.tolist(), strict=True)),
            n_votes=len(votes),
        )

    def best(
        self,
        family: str,
        votes: Codes,
        left: tuple[int, ...],
        costs: Sequence[float],
        drawn: object,
    ) -> Asking:
        habits = drawn if isinstance(drawn, LabelHabits) else None
        return self.learner.best(family, self._pattern(votes), left, costs, habits)

    def draw(self, family: str, rng: np.random.Generator) -> object:
        return self.learner.draw(family, rng)

    def add(self, family: str, votes: Codes, truth: float | None) -> None:
        if votes:
            self.learner.add(family, self._pattern(votes), -1 if truth is None else int(truth))

    def refit(self) -> None:
        self.learner.refit()

    def quality(self, family: str) -> dict[str, Floats]:
        return {"accuracy": self.learner.habits_of(family).accuracy}

    def as_dict(self) -> dict[str, Any]:
        return self.learner.as_dict()

    def load(self, state: Mapping[str, Any]) -> None:
        self.learner.load(state)


class _ScoreBeliefs:
    """Scores on a range."""

    def __init__(self, kind: Numeric, n_judges: int, correlation: Floats, level: float) -> None:
        self.kind = kind
        self.top = 1
        self.width = kind.high - kind.low
        self.z = NormalDist().inv_cdf(0.5 + level / 2.0)
        threshold = None
        if kind.threshold is not None:
            threshold = (kind.threshold - kind.low) / self.width
        self.learner = ScoreLearner(n_judges, correlation, threshold)

    def code(self, verdict: Verdict) -> float:
        low, high = self.kind.low, self.kind.high
        if isinstance(verdict, str | bool) or not low <= verdict <= high:
            raise ValueError(f"vote = {verdict!r} must be a number from {low:g} to {high:g}")
        return (float(verdict) - low) / self.width

    def verdict(self, code: float) -> float:
        return self.kind.low + code * self.width

    def believe(self, family: str, votes: Codes) -> Belief:
        mean, sd = self.learner.posterior(family, votes)
        value = min(max(self.verdict(mean), self.kind.low), self.kind.high)
        reach = self.z * sd
        at, decision, error = self.learner.threshold, value, None
        if at is not None:
            decision = float(mean >= at)
            error = 0.5 * math.erfc(abs(mean - at) / sd / math.sqrt(2.0))
        return Belief(
            decision=decision,
            error=error,
            mean=value,
            sd=sd * self.width,
            low=max(self.verdict(mean - reach), self.kind.low),
            high=min(self.verdict(mean + reach), self.kind.high),
            n_votes=len(votes),
        )

    def best(
        self,
        family: str,
        votes: Codes,
        left: tuple[int, ...],
        costs: Sequence[float],
        drawn: object,
    ) -> Asking:
        habits = drawn if isinstance(drawn, ScoreHabits) else None
        return self.learner.best(family, votes, left, costs, habits)

    def draw(self, family: str, rng: np.random.Generator) -> object:
        return self.learner.draw(family, rng)

    def add(self, family: str, votes: Codes, truth: float | None) -> None:
        self.learner.add(family, votes, truth)

    def refit(self) -> None:
        self.learner.refit()

    def quality(self, family: str) -> dict[str, Floats]:
        habits = self.learner.habits_of(family)
        return {"bias": habits.bias * self.width, "noise_sd": np.sqrt(habits.noise) * self.width}

    def as_dict(self) -> dict[str, Any]:
        return self.learner.as_dict()

    def load(self, state: Mapping[str, Any]) -> None:
        self.learner.load(state)


def _named(name: float | str) -> str:
    return name if isinstance(name, str) else f"{name:g}"
