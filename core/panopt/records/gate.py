"""What a gate found: whether a candidate is shown to be worse than it may be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from panopt.records.comparison import Missing

__all__ = ["Gate", "GateCheck", "Status"]

#: ``worse``: a larger drop than allowed is shown; ``no worse``: one is ruled out.
Status = Literal["worse", "no worse", "inconclusive"]


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One criterion of one pair of systems.

    Attributes
    ----------
    criterion, measure
        What was judged, and what of it is averaged.
    baseline, candidate
        The two systems.
    drop
        Mean of baseline less candidate on the items of both: positive where it got worse.
    low, high
        The drop is at least `low` and at most `high`, each at its level (see the gate).
    se, p
        Standard error of the drop, and one-sided p-value of no drop (sign flips).
    status
        What is shown.
    n_items, n_clusters
        Items of both, and independent clusters of them.
    missing
        Items of the baseline that the candidate lacks.
    detectable
        True drop that this gate would show in four runs of five; None where that is unknown.
    items_needed
        Items that would show a true drop of `max_drop` plus what was measured beyond it, or rule
        it out, in four runs of five; None where no number does.
    notes
        What to beware of.
    """

    criterion: str
    measure: str
    baseline: str
    candidate: str
    drop: float
    low: float
    high: float
    se: float | None
    p: float | None
    status: Status
    n_items: int
    n_clusters: int
    missing: Missing
    detectable: float | None
    items_needed: int | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a candidate may pass.

    Attributes
    ----------
    max_drop, alpha
        Drop that is tolerated, and the probability of failing a candidate that dropped no more.
    require_no_worse
        Whether a larger drop must be ruled out, rather than only not shown.
    checks
        Every criterion of every pair of systems.
    notes, warnings
        What was taken how; what may spoil the verdict.
    anytime
        Whether the promise holds for all looks at a growing run together.
    """

    max_drop: float
    alpha: float
    require_no_worse: bool
    checks: tuple[GateCheck, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    anytime: bool = False

    def fails(self, check: GateCheck) -> bool:
        """Tell whether one check fails."""
        return check.status == "worse" or (self.require_no_worse and check.status != "no worse")

    @property
    def passed(self) -> bool:
        """Whether every check passes."""
        return not any(map(self.fails, self.checks))

    @property
    def alpha_worse(self) -> float:
        """Level of a single check's lower bound: `alpha`, shared among the checks."""
        return self.alpha / len(self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form: plain types, no NaN."""
        return {
            "passed": self.passed,
            "max_drop": self.max_drop,
            "alpha": self.alpha,
            "alpha_low": self.alpha_worse,
            "alpha_high": self.alpha,
            "require_no_worse": self.require_no_worse,
            "anytime": self.anytime,
            "checks": [
                {**asdict(check), "notes": list(check.notes), "failed": self.fails(check)}
                for check in self.checks
            ],
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }
