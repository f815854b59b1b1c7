"""What a panel of judges ruled on one response: a plain record, ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from panopt.judging import breakdown
from panopt.judging.protocol import Usage, Vote
from panopt.judging.verdict import Labelled, Numeric, Pairwise, VerdictKind

__all__ = ["Ruling", "usage_dict", "vote_dict"]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What became of one response, and what the panel says of it.

    Attributes
    ----------
    outcome
        A name in :data:`panopt.stats.rule_names.OUTCOMES`: ``decided``; ``tie`` and ``split``
        (votes, but no verdict that won); ``quorum_not_met`` (too few votes, or none for mixed
        reasons), ``all_abstained``, ``all_failed`` (`unpaid`: for want of budget); ``no_votes``
        (no judge was asked);
        ``response_error`` (there was nothing to judge).
    value
        The panel's score on the scale of the verdict (boolean and pairs: on [0, 1]; pairs: 1 the
        first won, 0 the second, 1/2 a draw); None without one, and for labels. A ``tie`` has one
        where the rule gives one all the same: majority falls back to the mean.
    label
        The panel's label, of labelled verdicts.
    passed
        Whether that passes; None where nothing can pass or there is no verdict.
    agreement
        Share of the decisive votes, by weight, on the side of the verdict; where there are no
        sides of a threshold or no verdict, in the largest bloc. None without votes.
    agreement_n
        Votes that it is a share of. A tie counts as any other response: two judges at odds agree
        by half.
    mean, disagreement, sd
        Unweighted mean, range and population sd of the decisive scores; None for labels and
        without votes.
    n_decisive, n_abstained, n_failed
        Judges by how they fared; together `n_asked`.
    n_asked
        Judges that were to vote, replacements too; one that was not called for want of budget
        counts here and as failed.
    n_replaced
        Replacements that were asked.
    n_flipped
        Judges of pairs that followed the place and not the response.
    degraded
        Whether fewer than half of the panel's seats voted: one survivor of five is no panel.
    votes
        Every vote, replaced ones too.
    usage
        What all calls took, those that a cache answered when they were first made; see `spent`.
    rule, threshold, weights
        How votes were counted; weights of the judges that voted, None where all count the same.
    reason
        Why there is no verdict, or none that a clear majority gave; None where decided.
    kind, criterion
        What was asked for.
    """

    outcome: str
    value: float | None
    label: str | None
    passed: bool | None
    agreement: float | None
    agreement_n: int
    mean: float | None
    disagreement: float | None
    sd: float | None
    n_decisive: int
    n_asked: int
    n_abstained: int
    n_failed: int
    n_replaced: int
    n_flipped: int
    degraded: bool
    votes: tuple[Vote, ...]
    usage: Usage
    rule: str
    threshold: float | None
    kind: VerdictKind
    criterion: str = "score"
    weights: Mapping[str, float] | None = field(default=None)
    reason: str | None = None

    @property
    def unpaid(self) -> bool:
        """Whether no judge was asked for want of budget: ``all_failed``, but no judge broke."""
        return bool(self.votes) and all(vote.unpaid for vote in self.votes)

    @property
    def calls(self) -> tuple[Vote, ...]:
        """Every single call: the draws that votes were reduced from, else the votes."""
        return tuple(call for vote in self.votes for call in vote.passes or (vote,))

    @property
    def spent(self) -> Usage:
        """What this run paid for: `usage` without the calls that a cache answered."""
        return sum((call.usage for call in self.calls if not call.free), Usage())

    @property
    def explanation(self) -> str:
        """Say in Markdown what the panel made of which votes; see `panopt.judging.breakdown`."""
        return breakdown.explain(self)

    @property
    def unit_value(self) -> float | None:
        """The value on [0, 1], whatever the range of the scores."""
        if self.value is None or not isinstance(self.kind, Numeric):
            return self.value
        return (self.value - self.kind.low) / (self.kind.high - self.kind.low)

    def as_dict(self, *, rationale: int | None = None) -> dict[str, object]:
        """Give everything as what JSON knows: no NaN, no objects.

        Parameters
        ----------
        rationale
            Characters to keep of each rationale; None: all.
        """
        numbers = {
            name: getattr(self, name)
            for name in self.__dataclass_fields__
            if name not in {"votes", "usage", "kind", "weights"}
        }
        return {
            **numbers,
            "explanation": self.explanation,
            "weights": None if self.weights is None else dict(self.weights),
            "kind": kind_dict(self.kind),
            "usage": usage_dict(self.usage),
            "spent": usage_dict(self.spent),
            "votes": [vote_dict(vote, rationale=rationale) for vote in self.votes],
        }


def kind_dict(kind: VerdictKind) -> dict[str, object]:
    """Give what a kind of verdict is counted by, as what JSON knows."""
    found: dict[str, object] = {"name": type(kind).__name__.casefold()}
    match kind:
        case Labelled():
            passing = None if kind.passing is None else sorted(kind.passing)
            found |= {"labels": list(kind.labels), "passing": passing}
        case Numeric():
            found |= {"low": kind.low, "high": kind.high, "threshold": kind.threshold}
        case Pairwise():
            found |= {"both_orders": kind.both_orders, "ties": kind.ties}
        case _:
            pass
    return found


def usage_dict(usage: Usage) -> dict[str, int | float | None]:
    """Give a usage as what JSON knows."""
    return {
        "calls": usage.calls,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost": usage.cost,
        "seconds": usage.seconds,
    }


def vote_dict(vote: Vote, *, rationale: int | None = None) -> dict[str, object]:
    """Give a vote as what JSON knows, without what is empty.

    Parameters
    ----------
    vote
        The vote.
    rationale
        Characters to keep of its rationale; None: all.
    """
    failure = vote.failure
    told: dict[str, object] = {
        "judge": vote.judge,
        "status": vote.status,
        "value": vote.value,
        "label": vote.label,
        "rationale": vote.rationale[:rationale],
        "failure": None if failure is None else {"kind": failure.kind, "message": failure.message},
        "confidence": vote.confidence,
        "confidence_source": vote.confidence_source,
        "probabilities": None if vote.probabilities is None else dict(vote.probabilities),
        "draw": vote.draw or None,
        "order": vote.order,
        "stands_for": vote.stands_for,
        "flipped": vote.flipped or None,
        "usage": usage_dict(vote.usage),
        "cached": vote.cached or None,
        "note": vote.note,
        "passes": [vote_dict(one, rationale=rationale) for one in vote.passes],
    }
    return {name: value for name, value in told.items() if value not in (None, "", [])}
