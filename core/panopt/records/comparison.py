"""What a comparison of systems found: every contender, every pair, and what the numbers hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from panopt.stats.bradley_terry import BradleyTerry
from panopt.stats.mean import MeanInterval
from panopt.stats.ranking_agreement import RankingAgreement
from panopt.stats.ranks import RankIntervals

__all__ = ["Comparison", "Missing", "PairResult", "Sources", "Standing"]

#: What warnings say where sides were not judged alike.
UNLIKE = ("not all were judged by the same judges", "was given another prompt for")

Sources = Literal["items", "items+judges"]


@dataclass(frozen=True, slots=True)
class Missing:
    """Items that one side of a pair lacks, or has no score on.

    Attributes
    ----------
    absent, unscored
        Items without a response, and items with responses of which none has a score.
    examples
        Some of their names.
    """

    absent: int
    unscored: int
    examples: tuple[str, ...]

    @property
    def n(self) -> int:
        """All of them."""
        return self.absent + self.unscored


@dataclass(frozen=True, slots=True)
class Standing:
    """One contender on its own.

    Attributes
    ----------
    name, system
        What it is called here, and its system.
    mean
        Mean score over its items with an interval.
    n_items, n_responses
        Items with a score, and responses.
    n_unscored
        Responses that no judge gave a score.
    n_cached
        Verdicts that are copies out of a cache.
    judges
        Who judged it.
    missing
        Items of the others that it lacks, or has no score on.
    rank, rank_low, rank_high
        Rank by mean score on the items that all ranked contenders have, with an interval that
        holds for all at once; None for two contenders, for one with too few of the items, or
        with the reason in the comparison's notes.
    strength, strength_low, strength_high
        Bradley-Terry log-strength from who scored more on each item; None likewise.
    """

    name: str
    system: str
    mean: MeanInterval
    n_items: int
    n_responses: int
    n_unscored: int
    n_cached: int
    judges: tuple[str, ...]
    missing: Missing
    rank: float | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    strength: float | None = None
    strength_low: float | None = None
    strength_high: float | None = None


@dataclass(frozen=True, slots=True)
class PairResult:
    """How two contenders differ on the items of both.

    Attributes
    ----------
    a, b
        Their names; numbers are of a less b.
    value, low, high, se
        Mean difference, its interval and standard error; None where `reason` says why.
    p, p_exact
        Two-sided p-value, and whether it is exact; None where `reason` says why.
    p_holm, p_bh
        The same, adjusted for all pairs of the comparison: for any false finding, and for the
        share of false findings.
    win_rate, win_low, win_high
        Share of items on which a scores above b, ties one half.
    n_items, n_clusters
        Items of both, and independent clusters of them.
    detectable
        True difference that as many items show in four comparisons of five, without adjustment
        for other pairs; None where that is unknown.
    missing_a, missing_b
        Items of the other side that a, or b, lacks.
    of_judge
        Mean difference that each judge sees.
    method, p_method
        How interval and p-value were had.
    notes
        What to beware of.
    reason
        Why there is no value or no interval.
    """

    a: str
    b: str
    value: float | None
    low: float | None
    high: float | None
    se: float | None
    p: float | None
    p_exact: bool
    p_holm: float | None
    p_bh: float | None
    win_rate: float | None
    win_low: float | None
    win_high: float | None
    n_items: int
    n_clusters: int
    detectable: float | None
    missing_a: Missing
    missing_b: Missing
    of_judge: Mapping[str, float | None]
    method: str
    p_method: str
    notes: tuple[str, ...]
    reason: str | None

    def better(self, level: float) -> str | None:
        """Give the one that is shown to be better; None where neither is.

        Shown: the interval leaves out 0, and so does the test after Holm's adjustment for all
        pairs of the comparison.
        """
        adjusted = self.p if self.p_holm is None else self.p_holm
        if adjusted is None or adjusted > 1.0 - level + 1e-12:
            return None
        if self.low is not None and self.low > 0.0:
            return self.a
        return self.b if self.high is not None and self.high < 0.0 else None

    def turned(self) -> PairResult:
        """Give the same result as b less a."""
        return replace(
            self,
            a=self.b,
            b=self.a,
            value=_negative(self.value),
            low=_negative(self.high),
            high=_negative(self.low),
            win_rate=_rest(self.win_rate),
            win_low=_rest(self.win_high),
            win_high=_rest(self.win_low),
            missing_a=self.missing_b,
            missing_b=self.missing_a,
            of_judge={name: _negative(value) for name, value in self.of_judge.items()},
        )


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """How systems compare by one criterion.

    Attributes
    ----------
    criterion, measure
        What was judged, and what of it is averaged: the score on [0, 1] or the pass rate.
    aggregate, why
        How judges were combined, and why so.
    sources
        What the intervals of differences take for a sample.
    holds, holds_not
        The sources of error that they hold, and those that they do not.
    level
        Confidence level.
    standings, pairs
        Contenders, and all pairs of them.
    n_items
        Items on which any contender has a score.
    ranks, strengths
        Where three or more are compared; entries of `ranks` are those of `ranked`.
    ranked
        Names of the contenders that are ranked: those that have most items in common.
    reference
        How far the order of the systems agrees with a given one, by Spearman's rho and by
        Kendall's tau-b; empty where none was given.
    notes, warnings
        What was left out or taken how; what may spoil a conclusion.
    """

    criterion: str
    measure: str
    aggregate: str
    why: str
    sources: Sources
    holds: tuple[str, ...]
    holds_not: tuple[str, ...]
    level: float
    standings: tuple[Standing, ...]
    pairs: tuple[PairResult, ...]
    n_items: int
    ranks: RankIntervals | None
    strengths: BradleyTerry | None
    ranked: tuple[str, ...]
    reference: tuple[RankingAgreement, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    def pair(self, a: str, b: str) -> PairResult:
        """Give the result of a pair, in the order in which it stands here.

        Raises
        ------
        ValueError
            For two that were not compared.
        """
        for one in self.pairs:
            if {one.a, one.b} == {a, b} and a != b:
                return one
        names = ", ".join(repr(one.name) for one in self.standings)
        raise ValueError(f"{a!r} and {b!r} were not compared; compared are {names}")

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form: plain types, no NaN."""
        return {
            "criterion": self.criterion,
            "measure": self.measure,
            "aggregate": {"method": self.aggregate, "why": self.why},
            "sources": self.sources,
            "holds": list(self.holds),
            "holds_not": list(self.holds_not),
            "level": self.level,
            "contenders": [_plain(asdict(one)) for one in self.standings],
            "pairs": [
                {**_plain(asdict(one)), "better": one.better(self.level)} for one in self.pairs
            ],
            "n_items": self.n_items,
            "ranked": list(self.ranked),
            "reference": [_plain(asdict(one)) for one in self.reference],
            "ranks_reason": None if self.ranks is None else self.ranks.reason,
            "strengths_reason": None if self.strengths is None else self.strengths.reason,
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


def _negative(value: float | None) -> float | None:
    return None if value is None else 0.0 - value


def _rest(share: float | None) -> float | None:
    return None if share is None else 1.0 - share


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
