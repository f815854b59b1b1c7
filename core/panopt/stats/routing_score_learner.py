"""The state of a router whose judges give scores: sums seen so far, and what they teach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from panopt.stats.routing_dependence import Together
from panopt.stats.routing_scores import (
    ScoreCell,
    ScoreHabits,
    ScorePrior,
    draw_scores,
    error_after,
    learn_scores,
    score_posterior,
)
from panopt.stats.routing_value import Asking, best_of

__all__ = ["ScoreLearner"]

Floats = NDArray[np.float64]

_LEAST_COST = 1e-12


@dataclass(slots=True)
class _Sums:
    """Responses, sums and products of one cell, added to as responses come."""

    n: int
    total: Floats
    cross: Floats


@dataclass(slots=True)
class ScoreLearner:
    """Sums of scores by set of judges, and habits learned from them.

    Memory grows with the sets of judges that were asked together, not with responses.

    Attributes
    ----------
    n_judges
        Number of judges.
    correlation
        Of the judges' noise (judges, judges), taken as known.
    threshold
        Where a score passes, on [0, 1]; None where the score itself is wanted.
    """

    n_judges: int
    correlation: Floats
    threshold: float | None
    seen: dict[tuple[str, tuple[int, ...], bool], _Sums] = field(default_factory=dict)
    pooled: ScoreHabits = field(init=False)
    habits: dict[str, ScoreHabits] = field(default_factory=dict)
    together: Together = field(init=False)

    def __post_init__(self) -> None:
        """Start from what is believed before any score."""
        self.pooled = ScoreHabits.believed(ScorePrior.weak(self.n_judges))
        self.together = Together(self.correlation)

    def add(self, family: str, scores: Mapping[int, float], truth: float | None = None) -> None:
        """Count a response; `refit` learns from it."""
        judges = tuple(sorted(scores))
        if not judges:
            return
        values = [scores[j] for j in judges]
        row = np.array(values if truth is None else [*values, truth])
        key = (family, judges, truth is not None)
        if key not in self.seen:
            self.seen[key] = _Sums(0, np.zeros(row.size), np.zeros((row.size, row.size)))
        sums = self.seen[key]
        sums.n += 1
        sums.total += row
        sums.cross += np.outer(row, row)

    def refit(self) -> None:
        """Learn habits from all scores so far."""
        if not self.seen:
            return
        cells = [
            (family, ScoreCell(judges, sums.n, sums.total, sums.cross, labelled))
            for (family, judges, labelled), sums in self.seen.items()
        ]
        self.pooled = learn_scores(
            [cell for _, cell in cells],
            prior=ScorePrior.weak(self.n_judges),
            correlation=self.correlation,
            start=self.pooled,
        )
        families = sorted({family for family, _ in cells})
        for family in families if len(families) > 1 else ():
            self.habits[family] = learn_scores(
                [cell for of, cell in cells if of == family],
                prior=self.pooled.as_prior(),
                correlation=self.correlation,
                start=self.habits.get(family),
            )

    def habits_of(self, family: str) -> ScoreHabits:
        """Give the habits in a family; in one not yet seen those over all."""
        return self.habits.get(family, self.pooled)

    def posterior(self, family: str, scores: Mapping[int, float]) -> tuple[float, float]:
        """Give mean and sd of the true score after some scores."""
        judges = sorted(scores)
        values = [scores[j] for j in judges]
        return score_posterior(self.habits_of(family), self.correlation, judges, values)

    def best(
        self,
        family: str,
        scores: Mapping[int, float],
        left: tuple[int, ...],
        costs: Sequence[float],
        drawn: ScoreHabits | None = None,
    ) -> Asking:
        """Choose which of the judges left to ask.

        By the expected fall of the chance that the decision is wrong, or without a threshold of
        the posterior's sd, per unit of cost, of single judges and of growing sets.
        """
        habits = drawn or self.habits_of(family)
        mean, sd = self.posterior(family, scores)

        @cache
        def after(judges: tuple[int, ...]) -> float:
            return score_posterior(habits, self.correlation, judges, np.zeros(len(judges)))[1]

        asked = tuple(sorted(scores))
        price = np.array([costs[j] for j in left])
        single = np.array([after((*asked, j)) for j in left])
        now = after(asked)
        told = 1.0 / single**2 - 1.0 / now**2
        order = np.argsort(-told / np.maximum(price, _LEAST_COST), kind="stable")
        grown = [(*asked, *(left[p] for p in order[: n + 1].tolist())) for n in range(len(left))]
        nested = np.array([after(judges) for judges in grown])
        if self.threshold is None:
            values, alone = now - nested, now - single
        else:
            distance = (mean - self.threshold) * now / sd  # as sure as the posterior is
            risk = float(error_after(distance, now, [now])[0])
            values = risk - error_after(distance, now, nested)
            alone = risk - error_after(distance, now, single)
        return best_of(values, alone, order, price)

    def draw(self, family: str, rng: np.random.Generator) -> ScoreHabits:
        """Draw the judges' noise from what is known of it."""
        prior = ScorePrior.weak(self.n_judges)
        if family in self.habits:
            prior = self.pooled.as_prior()
        return draw_scores(self.habits_of(family), prior, rng)

    def as_dict(self) -> dict[str, object]:
        """Give all of it as JSON would hold it; numbers come back as they are."""
        return {
            "seen": [
                [family, list(judges), labelled, one.n, one.total.tolist(), one.cross.tolist()]
                for (family, judges, labelled), one in self.seen.items()
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
        seen: dict[tuple[str, tuple[int, ...], bool], _Sums] = {}
        for family, judges, labelled, n, total, cross in state["seen"]:
            who = tuple(int(judge) for judge in judges)
            size = len(who) + bool(labelled)
            sums = _Sums(int(n), np.array(total, np.float64), np.array(cross, np.float64))
            known = (
                who and list(who) == sorted(set(who)) and who[0] >= 0 and who[-1] < self.n_judges
            )
            fits = sums.total.shape == (size,) and sums.cross.shape == (size, size)
            if not known or not fits or sums.n < 1 or not np.isfinite(sums.cross).all():
                raise ValueError(f"sums of judges {judges} do not fit")
            seen[str(family), who, bool(labelled)] = sums
        pooled = _habits(state["pooled"], self.n_judges)
        habits = {str(family): _habits(of, self.n_judges) for family, of in state["habits"].items()}
        self.seen, self.pooled, self.habits = seen, pooled, habits


def _plain(habits: ScoreHabits) -> dict[str, object]:
    return {
        "bias": habits.bias.tolist(),
        "noise": habits.noise.tolist(),
        "n": habits.n.tolist(),
        "mean": habits.mean,
        "spread": habits.spread,
    }


def _habits(state: Mapping[str, Any], n_judges: int) -> ScoreHabits:
    bias, noise, n = (np.array(state[name], np.float64) for name in ("bias", "noise", "n"))
    found = ScoreHabits(bias, noise, n, float(state["mean"]), float(state["spread"]))
    numbers = np.concatenate([bias, noise, n, [found.mean, found.spread]])
    if not bias.shape == noise.shape == n.shape == (n_judges,) or not np.isfinite(numbers).all():
        raise ValueError("habits do not fit")
    if found.spread <= 0.0 or (noise <= 0.0).any() or (n < 0.0).any():
        raise ValueError("variances must be above 0 and numbers not negative")
    return found
