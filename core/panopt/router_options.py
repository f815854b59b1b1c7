"""How a router chooses judges, and the kind of verdict, as they are written to JSON and read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from panopt.errors import AskError
from panopt.judging.verdict import Boolean, Labelled, Numeric, Pairwise, VerdictKind

__all__ = ["LEARNING", "POLICIES", "STOPPING", "Policy", "RouterOptions", "kind_from", "kind_text"]

Policy = Literal[
    "all", "single", "random", "cheapest_first", "escalate", "cascade", "thompson", "voi"
]

#: Names of the policies.
POLICIES: tuple[str, ...] = get_args(Policy)

#: Those that need to know the judges, and so begin with responses that all of them judge.
LEARNING = ("random", "cheapest_first", "escalate", "thompson", "voi")

#: Those that stop when a decision is settled.
STOPPING = ("random", "cheapest_first", "thompson", "voi")


@dataclass(frozen=True, slots=True)
class RouterOptions:
    """How to choose judges, and when to stop.

    Attributes
    ----------
    policy
        ``all`` judges; a ``single`` one, the first in `order`; judges in ``random`` order, or
        ``cheapest_first``, until the decision is settled; ``escalate``: from cheap to dear until
        the votes vary by no more than `variance`; ``cascade``: in `order` until one is as
        confident as its threshold; ``voi``: the vote expected to lower the chance of an error
        most per unit of cost, until settled; ``thompson``: the same under habits drawn from what
        is known of the judges, so that little known ones are tried.
    epsilon
        The decision is settled when its chance of error is below this.
    width
        For scores: stop where the interval is no wider, in units of the scale.
    level
        Of that interval.
    budget
        Cost of all calls of the run at most.
    error_cost
        What a wrong decision costs, in the unit of the costs: ``voi`` and ``thompson`` then stop
        where no vote pays for itself. None: only `epsilon` stops them.
    at_least
        Votes before a decision is settled.
    pilot
        Responses at the start that every judge is asked about, to know the judges.
    explore
        Share of later responses that every judge is asked about, to go on knowing them.
    order
        Judges that come first, in that order; the others follow by cost.
    variance
        For ``escalate``, of votes between 0 and 1; named labels either agree or do not.
    thresholds
        For ``cascade``: the confidence from which each judge decides.
    correlation
        Assumed correlation of the errors of judges of different makers (.4 of one maker, .9 of
        one model, where not less than this): votes that depend count for less. 0: independent.
    seed
        Of everything random.
    """

    policy: Policy = "voi"
    epsilon: float = 0.02
    width: float | None = None
    level: float = 0.95
    budget: float | None = None
    error_cost: float | None = None
    at_least: int = 1
    pilot: int = 50
    explore: float = 0.02
    order: tuple[str, ...] = ()
    variance: float = 0.0
    thresholds: Mapping[str, float] = field(default_factory=dict)
    correlation: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse options off their range."""
        if self.policy not in POLICIES:
            raise AskError(f"policy = {self.policy!r} must be one of {', '.join(POLICIES)}")
        for name, low, high in (
            ("epsilon", 0.0, 1.0),
            ("level", 0.0, 1.0),
            ("explore", None, 1.0),
            ("correlation", None, 1.0),
        ):
            value = getattr(self, name)
            inside = value >= 0.0 if low is None else value > low
            if not (inside and (value < high or (name == "explore" and value == high))):
                edge = "[0, 1]" if name == "explore" else "[0, 1)" if low is None else "(0, 1)"
                raise AskError(f"{name} = {value!r} must lie in {edge}")
        for name in ("width", "budget", "error_cost", "variance"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0.0):
                raise AskError(f"{name} = {value!r} must be finite and not negative")
        for name, least in (("at_least", 1), ("pilot", 0), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise AskError(f"{name} = {value!r} must be a whole number of at least {least}")
        for name, value in self.thresholds.items():
            if not 0.0 <= value <= 1.0:
                raise AskError(f"thresholds: {value!r} of {name!r} must lie in [0, 1]")

    def check(self, judges: Sequence[str], kind: VerdictKind) -> None:
        """Refuse options that do not fit the judges or the kind of verdict."""
        self._check_judges(judges)
        numeric = isinstance(kind, Numeric)
        if self.variance > 0.0 and isinstance(kind, Labelled):
            raise AskError("variance is for verdicts that are numbers; labels agree or do not")
        if self.width is not None and not numeric:
            raise AskError("width is for numeric verdicts")
        if isinstance(kind, Numeric) and kind.threshold is None:
            if self.policy in STOPPING and self.width is None:
                raise AskError(
                    f"policy {self.policy!r} needs a width, or a threshold of the scale, to know "
                    "when a score is settled"
                )
            if self.error_cost is not None:
                raise AskError("error_cost needs a threshold: a score alone has no error")

    def _check_judges(self, judges: Sequence[str]) -> None:
        for what, names in (("order", self.order), ("thresholds", self.thresholds)):
            unknown = [name for name in names if name not in judges]
            if unknown:
                raise AskError(f"{what} names {unknown[0]!r}, which is none of {', '.join(judges)}")
        if len(set(self.order)) < len(self.order):
            raise AskError(f"order = {list(self.order)} names a judge twice")
        if self.at_least > len(judges):
            raise AskError(f"at_least = {self.at_least} is more than the {len(judges)} judges")
        if (self.policy == "cascade") != bool(self.thresholds):
            raise AskError("thresholds go with the policy 'cascade', which needs them")
        if self.policy == "cascade" and not self.order:
            raise AskError("policy 'cascade' needs an order of judges, cheap to strong")

    def as_dict(self) -> dict[str, Any]:
        """Give the options as JSON holds them."""
        return asdict(self) | {"order": list(self.order), "thresholds": dict(self.thresholds)}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> RouterOptions:
        """Read what `as_dict` gave; unknown names are errors."""
        unknown = sorted(set(given) - {one.name for one in fields(cls)})
        if unknown:
            raise AskError(f"the router has no option {unknown[0]!r}")
        return cls(**{**given, "order": tuple(given.get("order", ()))})


def kind_text(kind: VerdictKind) -> dict[str, Any]:
    """Give a kind of verdict as JSON holds it, without what is for prompts alone."""
    match kind:
        case Labelled():
            passing = None if kind.passing is None else sorted(kind.passing)
            return {"kind": "labelled", "labels": list(kind.labels), "passing": passing}
        case Numeric():
            return {
                "kind": "numeric",
                "low": kind.low,
                "high": kind.high,
                "threshold": kind.threshold,
            }
        case Pairwise():
            return {"kind": "pairwise", "both_orders": kind.both_orders, "ties": kind.ties}
        case Boolean():
            return {"kind": "boolean"}


def kind_from(given: Mapping[str, Any]) -> VerdictKind:
    """Read what `kind_text` gave."""
    rest = {name: value for name, value in given.items() if name != "kind"}
    match given["kind"]:
        case "boolean":
            return Boolean()
        case "labelled":
            passing = rest["passing"]
            return Labelled(
                tuple(rest["labels"]), passing=None if passing is None else frozenset(passing)
            )
        case "numeric":
            return Numeric(rest["low"], rest["high"], rest["threshold"])
        case "pairwise":
            return Pairwise(both_orders=rest["both_orders"], ties=rest["ties"])
        case other:
            raise AskError(f"a snapshot of {other!r} verdicts is unknown")
